//! Reading a segment: from a place, a chunk at a time, past whatever is damaged.

use std::fs::File;
use std::io;

use bytes::Bytes;

use super::files::Files;
use super::format::{
    RECORD_HEADER_LEN, RECORD_MARKER, RecordHeader, SEGMENT_HEADER_LEN, SegmentHeader,
};
use crate::spool::{Mark, Record, Span};
use crate::{Budget, Charge};

/// Bytes read at once: a whole request, as a driver makes them.
const CHUNK_LEN: usize = 1 << 20;

/// Bytes looked through at once for the next intact record.
const SEARCH_LEN: usize = 64 << 10;

/// The place behind every record, for a reader that goes up to the end of the file.
pub(super) const EVERYTHING: Mark = Mark {
    position: u64::MAX,
    items: u64::MAX,
    bytes: u64::MAX,
};

/// A part of one segment.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(in crate::spool) struct Part {
    /// Where the segment starts; names its file.
    pub(in crate::spool) segment: Mark,
    /// Where to read.
    pub(in crate::spool) place: Mark,
    /// Where the segment's records end. What lies behind that in the file is not ours: a group that
    /// failed to sync may have left bytes there.
    pub(in crate::spool) end: Mark,
}

/// What was found at a place. Never empty: there are records or an unreadable span, so that every
/// read brings its reader forward.
#[derive(Debug, Default)]
pub(in crate::spool) struct Chunk {
    /// Neighboring records from the place on.
    pub(in crate::spool) records: Vec<Record>,
    /// When there are no records: from the place up to the next record that can be read.
    pub(in crate::spool) unreadable: Option<Span>,
}

impl Chunk {
    /// All that is left of a segment is lost.
    pub(super) fn lost(part: Part) -> Self {
        Self {
            records: Vec::new(),
            unreadable: Some(Span {
                start: part.place,
                end: part.end,
            }),
        }
    }
}

/// Name of the file of the segment that starts at `position`; names sort as positions do.
pub(super) fn file_name(position: u64) -> String {
    format!("{position:020}{SEGMENT_SUFFIX}")
}

/// Suffix of segment files.
const SEGMENT_SUFFIX: &str = ".segment";

/// The position in a segment's file name.
pub(super) fn position_in(file_name: &str) -> Option<u64> {
    file_name.strip_suffix(SEGMENT_SUFFIX)?.parse().ok()
}

/// An open segment.
pub(super) struct Reader<'a> {
    files: &'a Files,
    file: File,
    spool_id: u128,
    part: Part,
}

impl<'a> Reader<'a> {
    pub(super) fn open(files: &'a Files, spool_id: u128, part: Part) -> io::Result<Self> {
        let file = files.open(&file_name(part.segment.position))?;
        Ok(Self {
            files,
            file,
            spool_id,
            part,
        })
    }

    /// Moves to another place.
    pub(super) fn go_to(&mut self, place: Mark) {
        self.part.place = place;
    }

    pub(super) fn file_len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// The records at the place, as many as fit into a chunk, or what is unreadable there.
    pub(super) fn chunk(&self, budget: &Budget) -> io::Result<Chunk> {
        let records = self.records(CHUNK_LEN, budget)?;
        if !records.is_empty() {
            return Ok(Chunk {
                records,
                unreadable: None,
            });
        }
        if let Some(len) = self.len_of_large_record()? {
            let records = self.records(len, budget)?;
            if !records.is_empty() {
                return Ok(Chunk {
                    records,
                    unreadable: None,
                });
            }
        }
        let next = self.next_intact()?.unwrap_or(self.part.end);
        Ok(Chunk {
            records: Vec::new(),
            unreadable: Some(Span {
                start: self.part.place,
                end: next,
            }),
        })
    }

    /// Where in the file the record at the place begins: places count bytes as files do.
    fn offset(&self) -> u64 {
        offset(self.part.segment, self.part.place)
    }

    /// Intact records in the next `len` bytes. They share one buffer, and so one charge.
    fn records(&self, len: usize, budget: &Budget) -> io::Result<Vec<Record>> {
        let left = self.part.end.since(self.part.place).bytes;
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(len);
        let bytes = Bytes::from(self.files.read_at(&self.file, self.offset(), len)?);
        let charge = budget.charge_if_free(bytes.len());
        let mut records = Vec::new();
        let mut rest = bytes;
        let mut expected = self.part.place;
        while expected.position < self.part.end.position {
            let Some(record) = self.record_at(&mut rest, expected, &charge) else {
                break;
            };
            expected = record.end();
            records.push(record);
        }
        Ok(records)
    }

    /// Takes one intact record off the front of `rest`.
    fn record_at(&self, rest: &mut Bytes, expected: Mark, charge: &Charge) -> Option<Record> {
        let header = RecordHeader::decode(self.spool_id, rest)?;
        if header.start != expected {
            return None;
        }
        let len = usize::try_from(header.record_len()).ok()?;
        if rest.len() < len {
            return None;
        }
        let record = rest.split_to(len);
        header.open(record.slice(RECORD_HEADER_LEN..), charge.clone())
    }

    /// Length of the record at the place, when it is larger than a chunk and all there.
    fn len_of_large_record(&self) -> io::Result<Option<usize>> {
        let bytes = self
            .files
            .read_at(&self.file, self.offset(), RECORD_HEADER_LEN)?;
        let Some(header) = RecordHeader::decode(self.spool_id, &bytes) else {
            return Ok(None);
        };
        let len = header.record_len();
        let is_whole = self.offset() + len <= self.file_len()?;
        Ok(usize::try_from(len)
            .ok()
            .filter(|len| is_whole && *len > CHUNK_LEN))
    }

    /// Where the first intact record behind the place starts. Looks at each byte once, and at a
    /// payload only behind a header whose own checksum holds.
    fn next_intact(&self) -> io::Result<Option<Mark>> {
        let mut from = self.offset() + 1;
        let end = offset(self.part.segment, self.part.end);
        loop {
            let bytes = self.files.read_at(&self.file, from, SEARCH_LEN)?;
            if bytes.len() < RECORD_HEADER_LEN || from >= end {
                return Ok(None);
            }
            for at in markers(&bytes) {
                let Some(header) = bytes
                    .get(at..)
                    .and_then(|bytes| RecordHeader::decode(self.spool_id, bytes))
                else {
                    continue;
                };
                if self.is_intact(&header, from + at as u64)? {
                    return Ok(Some(header.start));
                }
            }
            // The next block repeats what may be the beginning of a header.
            from += (bytes.len() - RECORD_HEADER_LEN + 1) as u64;
        }
    }

    fn is_intact(&self, header: &RecordHeader, at: u64) -> io::Result<bool> {
        let part = &self.part;
        let is_behind = header.start.position > part.place.position
            && header.end().position <= part.end.position;
        if !is_behind || offset(part.segment, header.start) != at {
            return Ok(false);
        }
        let mut hasher = crc32fast::Hasher::new();
        let mut from = at + RECORD_HEADER_LEN as u64;
        let mut left = header.payload_len as usize;
        while left > 0 {
            let bytes = self.files.read_at(&self.file, from, left.min(SEARCH_LEN))?;
            if bytes.is_empty() {
                return Ok(false);
            }
            hasher.update(&bytes);
            from += bytes.len() as u64;
            left -= bytes.len();
        }
        Ok(hasher.finalize() == header.payload_crc)
    }
}

/// Reads the header of a segment's file.
pub(super) fn read_header(files: &Files, name: &str) -> io::Result<(Vec<u8>, u64)> {
    let file = files.open(name)?;
    let bytes = files.read_at(&file, 0, SEGMENT_HEADER_LEN)?;
    Ok((bytes, file.metadata()?.len()))
}

/// The header in `bytes`, when it is intact and belongs to a file of this name.
pub(super) fn named_header(
    bytes: &[u8],
    position: u64,
) -> Result<SegmentHeader, super::format::BadSegment> {
    let header = SegmentHeader::decode(bytes)?;
    if header.start.position == position {
        Ok(header)
    } else {
        Err(super::format::BadSegment::Damaged)
    }
}

/// Where in the file of a segment the record at `place` begins.
pub(super) fn offset(segment: Mark, place: Mark) -> u64 {
    (SEGMENT_HEADER_LEN as u64).saturating_add(place.since(segment).bytes)
}

/// Where in `bytes` a record may begin.
fn markers(bytes: &[u8]) -> impl Iterator<Item = usize> {
    bytes
        .windows(RECORD_MARKER.len())
        .enumerate()
        .filter(|(_, window)| *window == RECORD_MARKER)
        .map(|(at, _)| at)
}
