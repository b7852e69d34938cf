//! Finding out what an earlier process left.
//!
//! Headers of all segments are read, and the records of the newest one; never the whole backlog.
//! Nothing is changed before everything is known, and a process that is killed in between finds
//! the same again.

use std::collections::BTreeMap;
use std::io;

use super::files::Files;
use super::format::{
    BadSegment, RECORD_HEADER_LEN, RecordHeader, SEGMENT_HEADER_LEN, SegmentHeader,
};
use super::segment::{EVERYTHING, Part, Reader, file_name, named_header, offset, position_in};
use super::writer::OpenSegment;
use super::{DAMAGED_SUFFIX, cursor_file, segment};
use crate::Budget;
use crate::spool::state::SegmentStart;
use crate::spool::{Mark, RECORD_OVERHEAD_BYTES};
use crate::stats::DiskStats;

/// Bytes of the shortest segment that holds a record.
const SHORTEST: u64 = SEGMENT_HEADER_LEN as u64 + RECORD_OVERHEAD_BYTES;

/// What there is.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) spool_id: u128,
    /// The end of the spool.
    pub(super) head: Mark,
    pub(super) segments: BTreeMap<u64, SegmentStart>,
    /// The newest segment, where it can be appended to.
    pub(super) open: Option<OpenSegment>,
    pub(super) newest_unix_nano: u64,
    pub(super) stats: DiskStats,
}

/// The segment files by what is known of them.
#[derive(Debug, Default)]
struct Inventory {
    /// Id of the spool that the newest intact segment belongs to.
    spool_id: Option<u128>,
    sound: BTreeMap<u64, SegmentStart>,
    /// Header damaged; position and length.
    damaged: Vec<(u64, u64)>,
    /// Another version's, or another spool's; position and length.
    foreign: Vec<(u64, u64)>,
}

/// The end of the newest segment.
struct Tail {
    head: Mark,
    newest_unix_nano: u64,
    file_len: u64,
}

/// Reads what is in the directory, and repairs the end.
pub(super) fn recover(files: &Files, budget: &Budget) -> io::Result<Recovered> {
    let mut inventory = take_inventory(files)?;
    let spool_id = match inventory.spool_id {
        Some(spool_id) => spool_id,
        None => inventory
            .proven_id(files)?
            .unwrap_or_else(|| fastrand::u128(..)),
    };
    inventory.rebuild_headers(files, spool_id)?;
    let mut recovered = Recovered {
        spool_id,
        head: Mark::default(),
        newest_unix_nano: 0,
        open: None,
        stats: DiskStats {
            unknown_segments: inventory.foreign.len() as u64,
            ..DiskStats::default()
        },
        segments: BTreeMap::new(),
    };
    if let Some(newest) = inventory.sound.values().next_back() {
        let tail = find_tail(files, spool_id, newest.mark, budget)?;
        recovered.head = tail.head;
        recovered.newest_unix_nano = tail.newest_unix_nano.max(newest.unix_nano);
        recovered.open = Some(recovered.repair(files, newest.mark, &tail)?);
    }
    recovered.step_over(&inventory.foreign);
    recovered.step_over(&set_aside(files, &inventory.damaged)?);
    recovered.segments = inventory.sound;
    Ok(recovered)
}

fn take_inventory(files: &Files) -> io::Result<Inventory> {
    let mut inventory = Inventory::default();
    let mut headers = Vec::new();
    for name in files.names()? {
        let Some(position) = position_in(&name) else {
            continue;
        };
        let (bytes, len) = segment::read_header(files, &name)?;
        match named_header(&bytes, position) {
            Ok(header) => headers.push((header, len)),
            Err(BadSegment::Damaged) => inventory.damaged.push((position, len)),
            Err(BadSegment::UnknownVersion(version)) => {
                tracing::warn!(
                    file = %files.path(&name).display(),
                    version,
                    "a spool segment of another version is kept and not read"
                );
                inventory.foreign.push((position, len));
            }
        }
    }
    inventory.spool_id = headers.last().map(|(header, _)| header.spool_id);
    for (header, len) in headers {
        let position = header.start.position;
        if Some(header.spool_id) == inventory.spool_id {
            let start = SegmentStart {
                mark: header.start,
                unix_nano: header.unix_nano,
            };
            inventory.sound.insert(position, start);
        } else {
            inventory.foreign.push((position, len));
        }
    }
    Ok(inventory)
}

impl Inventory {
    /// The id of the spool where no header is intact: claimed by a damaged header or by a cursor
    /// file, and proven by the checksum of a record.
    fn proven_id(&self, files: &Files) -> io::Result<Option<u128>> {
        let mut claimed = cursor_file::spool_ids(files)?;
        for (position, _) in &self.damaged {
            let file = files.open(&file_name(*position))?;
            let bytes = files.read_at(&file, 0, SEGMENT_HEADER_LEN + RECORD_HEADER_LEN)?;
            let Some((header, record)) = bytes.split_at_checked(SEGMENT_HEADER_LEN) else {
                continue;
            };
            claimed.extend(SegmentHeader::claimed_id(header));
            let is_proven = |id: &&u128| {
                RecordHeader::decode(**id, record)
                    .is_some_and(|first| first.start.position == *position)
            };
            if let Some(id) = claimed.iter().find(is_proven) {
                return Ok(Some(*id));
            }
        }
        Ok(None)
    }

    /// A segment whose header alone is damaged starts where its first record says.
    fn rebuild_headers(&mut self, files: &Files, spool_id: u128) -> io::Result<()> {
        let mut beyond_help = Vec::new();
        for (position, len) in std::mem::take(&mut self.damaged) {
            let file = files.open(&file_name(position))?;
            let bytes = files.read_at(&file, SEGMENT_HEADER_LEN as u64, RECORD_HEADER_LEN)?;
            match RecordHeader::decode(spool_id, &bytes) {
                Some(first) if first.start.position == position => {
                    let start = SegmentStart {
                        mark: first.start,
                        unix_nano: first.unix_nano(),
                    };
                    self.sound.insert(position, start);
                }
                _ => beyond_help.push((position, len)),
            }
        }
        self.damaged = beyond_help;
        Ok(())
    }
}

impl Recovered {
    /// Cuts off what lies behind the last intact record, and opens the segment for more.
    fn repair(&mut self, files: &Files, segment: Mark, tail: &Tail) -> io::Result<OpenSegment> {
        let file = files.open_to_write(&file_name(segment.position))?;
        let end = offset(segment, tail.head);
        if tail.file_len > end {
            files.truncate(&file, end)?;
            files.sync(&file)?;
            self.stats.torn_tails += 1;
            tracing::warn!(
                file = %files.path(&file_name(segment.position)).display(),
                bytes = tail.file_len - end,
                "cut off the torn end of a spool segment; it was never acknowledged"
            );
        }
        Ok(OpenSegment {
            file,
            start: segment,
        })
    }

    /// Moves the head to `end`, up to where a cursor file says that records were. Where the end of
    /// the spool was lost, positions that are called settled would be used again otherwise, and
    /// what is new there never be delivered. What is missing is a gap like any other.
    pub(super) fn reach(&mut self, end: Mark) {
        let reached = Mark {
            position: self.head.position.max(end.position),
            items: self.head.items.max(end.items),
            bytes: self.head.bytes.max(end.bytes),
        };
        if reached != self.head {
            self.head = reached;
            self.open = None;
        }
    }

    /// Moves the head behind everything that `segments` may hold, so that no position is used
    /// twice. What their records held is not known and not counted.
    fn step_over(&mut self, segments: &[(u64, u64)]) {
        for (position, len) in segments {
            let behind = position + (len / RECORD_OVERHEAD_BYTES).max(1);
            if behind > self.head.position {
                self.head.position = behind;
                self.open = None;
            }
        }
    }
}

/// Reads all of the newest segment.
fn find_tail(files: &Files, spool_id: u128, segment: Mark, budget: &Budget) -> io::Result<Tail> {
    let mut part = Part {
        segment,
        place: segment,
        end: EVERYTHING,
    };
    let mut newest_unix_nano = 0;
    let mut reader = Reader::open(files, spool_id, part)?;
    loop {
        let chunk = reader.chunk(budget)?;
        if let Some(last) = chunk.records.last() {
            part.place = last.end();
            newest_unix_nano = newest_unix_nano.max(last.unix_nano);
        } else {
            match chunk.unreadable {
                // Damage before the end: what is behind it is still good.
                Some(span) if span.end != EVERYTHING => part.place = span.end,
                _ => break,
            }
        }
        reader.go_to(part.place);
    }
    Ok(Tail {
        head: part.place,
        newest_unix_nano,
        file_len: reader.file_len()?,
    })
}

/// Takes segments that cannot be read out of the way: those too short for a record, which a crash
/// left while they were created, are removed; the others, which are given back, are kept under
/// another name.
fn set_aside(files: &Files, damaged: &[(u64, u64)]) -> io::Result<Vec<(u64, u64)>> {
    let mut kept = Vec::new();
    for (position, len) in damaged {
        let name = file_name(*position);
        if *len < SHORTEST {
            files.remove(&name)?;
            continue;
        }
        tracing::warn!(
            file = %files.path(&name).display(),
            "a spool segment cannot be read and is set aside"
        );
        files.rename(&name, &format!("{name}{DAMAGED_SUFFIX}"))?;
        kept.push((*position, *len));
    }
    Ok(kept)
}
