//! Appending to the newest segment.

use std::fs::File;
use std::io::{self, IoSlice};

use super::files::Files;
use super::format::{SegmentHeader, record_header};
use super::segment::{file_name, offset};
use crate::spool::state::SegmentStart;
use crate::spool::{Mark, Record};

/// The end of the spool on disk.
#[derive(Debug)]
pub(super) struct Writer {
    spool_id: u128,
    segment_bytes: u64,
    /// `None` before the first record, and after a failure that leaves the file in doubt.
    open: Option<OpenSegment>,
}

/// The segment that is written to.
#[derive(Debug)]
pub(super) struct OpenSegment {
    pub(super) file: File,
    pub(super) start: Mark,
}

impl Writer {
    pub(super) fn new(spool_id: u128, segment_bytes: u64, open: Option<OpenSegment>) -> Self {
        Self {
            spool_id,
            segment_bytes,
            open,
        }
    }

    /// Bytes of the newest segment, when it ends at `head`.
    pub(super) fn len(&self, head: Mark) -> u64 {
        self.open
            .as_ref()
            .map_or(0, |segment| offset(segment.start, head))
    }

    /// Begins a new segment at `head` where there is none or it is full.
    pub(super) fn make_ready(
        &mut self,
        files: &Files,
        head: Mark,
        unix_nano: u64,
    ) -> io::Result<Option<SegmentStart>> {
        if self.open.is_some() && self.len(head) < self.segment_bytes {
            return Ok(None);
        }
        self.begin(files, head, unix_nano).map(Some)
    }

    /// Begins a new segment at `head`. It is on the medium, name and header, when this returns.
    pub(super) fn begin(
        &mut self,
        files: &Files,
        head: Mark,
        unix_nano: u64,
    ) -> io::Result<SegmentStart> {
        let name = file_name(head.position);
        self.open = None;
        let file = match files.create(&name) {
            // A segment that failed before anything in it was acknowledged.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                files.remove(&name)?;
                files.create(&name)?
            }
            created => created?,
        };
        let header = SegmentHeader {
            spool_id: self.spool_id,
            start: head,
            unix_nano,
        };
        files.write_parts_at(&file, &mut [IoSlice::new(&header.encode())], 0)?;
        files.sync(&file)?;
        files.sync_directory()?;
        self.open = Some(OpenSegment { file, start: head });
        Ok(SegmentStart {
            mark: head,
            unix_nano,
        })
    }

    /// Appends `records`, the first of which starts at `head`, with one write and one sync. Payloads
    /// are written from where they are.
    ///
    /// # Errors
    /// What the system said. Nothing was appended: the segment ends where it ended before; or it is
    /// left for good, because after a failed sync nobody knows what the medium holds.
    pub(super) fn append(
        &mut self,
        files: &Files,
        head: Mark,
        records: &[Record],
    ) -> io::Result<()> {
        let Some(segment) = &self.open else {
            return Err(io::Error::other("no segment is open"));
        };
        let headers: Vec<_> = records
            .iter()
            .map(|record| record_header(self.spool_id, record))
            .collect();
        let mut parts: Vec<_> = headers
            .iter()
            .zip(records)
            .flat_map(|(header, record)| [header.as_slice(), record.batch.payload.as_bytes()])
            .map(IoSlice::new)
            .collect();
        let end = offset(segment.start, head);
        if let Err(error) = files.write_parts_at(&segment.file, &mut parts, end) {
            if files.truncate(&segment.file, end).is_err() {
                self.open = None;
            }
            return Err(error);
        }
        if let Err(error) = files.sync(&segment.file) {
            // Best effort: readers stop where the next segment begins anyway.
            let _ = files.truncate(&segment.file, end);
            self.open = None;
            return Err(error);
        }
        Ok(())
    }
}
