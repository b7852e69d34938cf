//! Spools on disk.
//!
//! A directory belongs to one spool and one process. It holds
//!
//! ```text
//! 00000000000000000000.segment   records from position 0 on
//! 00000000000000016384.segment   records from position 16384 on; the newest is appended to
//! otlp_grpc%2fx.cursor           where an exporter stood; a hint
//! lock                           pid of the process that has the directory
//! *.damaged                      segments set aside for people to look at; never read
//! ```
//!
//! All numbers are little endian. A segment begins with a header of 64 bytes:
//!
//! ```text
//!  0  8  magic "SKYSPOOL"
//!  8  1  version, 1
//!  9  3  zero
//! 12  4  CRC-32 of bytes 0..12 and 16..64
//! 16 16  id of the spool, random
//! 32  8  position of the first record
//! 40  8  items in all records before it
//! 48  8  bytes of all records before it
//! 56  8  when the segment was begun, nanoseconds since the Unix epoch
//! ```
//!
//! Records follow without gaps, each a header of 96 bytes and the payload as it is sent:
//!
//! ```text
//!  0  4  marker "SkyR"
//!  4  4  CRC-32 of the spool's id and bytes 8..96
//!  8  4  CRC-32 of the payload
//! 12  4  length of the payload
//! 16  8  position
//! 24  8  items in all records before it
//! 32  8  bytes of all records before it, headers included
//! 40  8  when it was appended, nanoseconds since the Unix epoch
//! 48  4  items
//! 52  4  size of the payload after inflating
//! 56  1  signal: 0 metrics, 1 logs, 2 traces
//! 57  1  encoding: 0 plain, 1 zstd
//! 58  1  whether there is an origin
//! 59  5  zero
//! 64 16  origin: id of the agent's spool
//! 80  8  origin: first sequence number
//! 88  8  origin: last sequence number
//! ```
//!
//! Invariants:
//! * A record is acknowledged after the write that holds it was synced. Batches that wait at the
//!   same time share one write and one sync.
//! * Positions grow by one, and the running totals of items and bytes by what the record before
//!   holds. So the offset of a record, and what lies between two records, are subtractions; and a
//!   gap tells by itself how much is missing.
//! * The truth is in the records. Cursor files are hints: a lost one means that records go out
//!   again, never that records are lost.
//! * A segment is deleted when every cursor has passed it, and only after cursor files that say so
//!   are on the medium. There is no compaction; the newest segment stays.
//! * What lies in a segment behind the start of the next one is not ours: a group that failed to
//!   sync may have left bytes there.
//!
//! Recovery reads the headers of all segments and the records of the newest one, cuts off what lies
//! behind its last intact record (which was never acknowledged), and is done; it takes the same
//! time and memory for any backlog. The other segments are checked when they are read: at a damaged
//! place the reader looks for the next intact record, and what lies between is counted as dropped
//! for `damaged`. Segments of an unknown version are kept and left alone.
//!
//! After a failed write the file is cut back to its last record and the senders are told; the next
//! batch tries again, so that the spool goes on when there is space. After a failed sync the
//! segment is left for good, because nobody knows what the medium holds, and a new one is begun.

mod commit;
mod cursor_file;
#[cfg(test)]
mod faults;
mod files;
mod format;
mod lock;
mod recovery;
mod segment;
mod upkeep;
mod writer;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thiserror::Error;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::state::State;
use super::track::Track;
use super::{CursorSettings, Span};
use crate::Budget;
use crate::stats::DiskStats;
use commit::Queue;
use cursor_file::Hint;
use files::Files;
use lock::Lock;
use recovery::Recovered;
use segment::Reader;
pub(super) use segment::{Chunk, Part};
use writer::Writer;

/// Most bytes of records kept in memory beside the disk, unless said otherwise.
const WINDOW_BYTES: u64 = 16 << 20;

/// Segments are this part of the largest cursor limit, within bounds, so that space comes back in
/// small steps and files stay few.
const SEGMENTS_PER_LIMIT: u64 = 16;
const SEGMENT_BYTES_MIN: u64 = 1 << 20;
const SEGMENT_BYTES_MAX: u64 = 64 << 20;

/// Part of the byte budget, in percent, from which on the window is given up.
const PRESSED_PERCENT: usize = 75;

/// A number of records that is never settled.
const NEVER_TENDED: u64 = u64::MAX;

/// Suffix of segments set aside.
const DAMAGED_SUFFIX: &str = ".damaged";

/// How a spool lies on disk.
#[derive(Clone, Debug)]
pub struct DiskSettings {
    /// The spool's own directory; created where it is missing.
    pub directory: PathBuf,
    /// The most bytes of records kept in memory beside the disk, for cursors that keep up.
    pub window_bytes: u64,
    /// Bytes after which a new segment is begun; `None` takes a sixteenth of the largest cursor
    /// limit, 1 to 64 MiB.
    pub segment_bytes: Option<u64>,
}

/// Why a spool could not be opened.
#[derive(Debug, Error)]
#[error("cannot open the spool in {}", directory.display())]
pub struct OpenError {
    /// The spool's directory.
    pub directory: PathBuf,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

/// The files of a spool and who works on them.
#[derive(Debug)]
pub(super) struct Disk {
    files: Arc<Files>,
    spool_id: u128,
    window_bytes: u64,
    queue: Mutex<Queue>,
    /// The queue ran empty.
    idle: Notify,
    writer: Mutex<Writer>,
    journal: Mutex<Journal>,
    /// What the cursor files say, in the order of the cursors.
    saved: Mutex<Vec<Saved>>,
    /// Records that were settled when the files were last tended.
    tended: AtomicU64,
    lock: Mutex<Option<Lock>>,
}

/// A spool as it was found.
pub(super) struct Opened {
    pub(super) disk: Disk,
    pub(super) id: u128,
    pub(super) state: State,
    pub(super) newest_unix_nano: u64,
}

/// What one cursor's file says.
#[derive(Debug)]
struct Saved {
    hint: Option<Hint>,
    /// Whether a power failure leaves it.
    is_synced: bool,
}

/// What went wrong, for the figures.
#[derive(Debug, Default)]
struct Journal {
    stats: DiskStats,
    /// Damaged places of segments that are still there; several cursors meet the same.
    damaged: BTreeMap<u64, Span>,
    damaged_segments: BTreeSet<u64>,
}

impl DiskSettings {
    /// A spool in `directory` with the usual settings.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            window_bytes: WINDOW_BYTES,
            segment_bytes: None,
        }
    }
}

impl Disk {
    pub(super) fn open(
        settings: DiskSettings,
        cursors: Vec<CursorSettings>,
        pipeline: &str,
        budget: &Budget,
    ) -> Result<Opened, OpenError> {
        let directory = settings.directory.clone();
        Self::try_open(settings, cursors, pipeline, budget)
            .map_err(|source| OpenError { directory, source })
    }

    fn try_open(
        settings: DiskSettings,
        cursors: Vec<CursorSettings>,
        pipeline: &str,
        budget: &Budget,
    ) -> io::Result<Opened> {
        let segment_bytes = settings
            .segment_bytes
            .unwrap_or_else(|| segment_bytes(&cursors));
        let files = Files::new(settings.directory)?;
        let lock = Lock::take(&files)?;
        let recovered = recovery::recover(&files, budget)?;
        report_ownerless(&files, &cursors, pipeline)?;
        let (cursors, saved) = place_cursors(&files, cursors, &recovered);
        let state = State {
            is_on_disk: true,
            head: recovered.head,
            segments: recovered.segments,
            cursors,
            ..State::default()
        };
        let writer = Writer::new(recovered.spool_id, segment_bytes, recovered.open);
        let disk = Self {
            files: Arc::new(files),
            spool_id: recovered.spool_id,
            window_bytes: settings.window_bytes,
            queue: Mutex::default(),
            idle: Notify::new(),
            writer: Mutex::new(writer),
            journal: Mutex::new(Journal {
                stats: recovered.stats,
                ..Journal::default()
            }),
            saved: Mutex::new(saved),
            tended: AtomicU64::new(NEVER_TENDED),
            lock: Mutex::new(Some(lock)),
        };
        Ok(Opened {
            disk,
            id: recovered.spool_id,
            state,
            newest_unix_nano: recovered.newest_unix_nano,
        })
    }

    /// Reads what is at a place, off the runtime's threads.
    pub(super) fn read(&self, part: Part, budget: &Budget) -> JoinHandle<io::Result<Chunk>> {
        let (files, budget, spool_id) = (Arc::clone(&self.files), budget.clone(), self.spool_id);
        tokio::task::spawn_blocking(move || {
            match Reader::open(&files, spool_id, part) {
                Ok(reader) => reader.chunk(&budget),
                // Somebody removed the file: nothing of it can be read.
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Chunk::lost(part)),
                Err(error) => Err(error),
            }
        })
    }

    /// Notes a place that cannot be read; several cursors meet the same place.
    pub(super) fn note_damage(&self, pipeline: &str, segment: u64, span: Span) {
        let mut journal = locked(&self.journal);
        if journal.damaged.insert(span.start.position, span).is_some() {
            return;
        }
        let items = span.amount().items;
        journal.damaged_segments.insert(segment);
        journal.stats.damaged_places += 1;
        journal.stats.damaged_items += items;
        tracing::error!(
            pipeline,
            file = %self.files.path(&segment::file_name(segment)).display(),
            records = span.amount().records,
            items,
            "a part of the spool is damaged and skipped"
        );
    }

    pub(super) fn stats(&self, state: &State) -> DiskStats {
        let headers = state.segments.len() as u64 * format::SEGMENT_HEADER_LEN as u64;
        let first = state.segments.values().next();
        let records = first.map_or(0, |first| state.head.since(first.mark).bytes);
        DiskStats {
            segments: state.segments.len() as u64,
            bytes: headers + records,
            ..locked(&self.journal).stats.clone()
        }
    }

    /// The window must not keep others from the budget: what is in it is on disk as well.
    fn window_limit(&self, budget: &Budget) -> u64 {
        let pressed = budget.limit_bytes() / 100 * PRESSED_PERCENT;
        if budget.used_bytes() > pressed {
            0
        } else {
            self.window_bytes
        }
    }
}

impl Journal {
    /// Forgets the damaged places of a segment that is gone.
    fn forget(&mut self, first: u64) {
        self.damaged_segments.remove(&first);
        let next = self.damaged_segments.iter().next().copied();
        self.damaged
            .retain(|position, _| next.is_some_and(|next| *position >= next));
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The size of segments that suits the cursors' limits.
fn segment_bytes(cursors: &[CursorSettings]) -> u64 {
    let largest = cursors.iter().map(|cursor| cursor.limits.bytes).max();
    (largest.unwrap_or_default() / SEGMENTS_PER_LIMIT).clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX)
}

/// The cursors where their files say they stood, or at the oldest record; and what the files say.
fn place_cursors(
    files: &Files,
    cursors: Vec<CursorSettings>,
    recovered: &Recovered,
) -> (Vec<Track>, Vec<Saved>) {
    let oldest = recovered.segments.values().next();
    let oldest = oldest.map_or(recovered.head, |segment| segment.mark);
    let placed = cursors.into_iter().map(|settings| {
        let hint = Hint::load(files, &settings.name, recovered.spool_id).ok();
        let mut track = Track::new(settings, oldest);
        if let Some(hint) = hint.clone() {
            hint.apply(&mut track, recovered.head);
        }
        let is_synced = false;
        (track, Saved { hint, is_synced })
    });
    placed.unzip()
}

/// Tells of cursor files whose exporter is no longer part of the pipeline.
fn report_ownerless(files: &Files, cursors: &[CursorSettings], pipeline: &str) -> io::Result<()> {
    for name in cursor_file::ownerless(&files.names()?, cursors) {
        tracing::warn!(
            pipeline,
            file = %files.path(&name).display(),
            "an exporter that is no longer in this pipeline had records queued here; \
             they are kept only for as long as another exporter needs them"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests;
