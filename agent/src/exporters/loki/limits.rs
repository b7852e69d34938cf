//! What Loki refuses, found out before it is sent.
//!
//! The bounds are the defaults of Loki 3, the reasons its own words, so that what is counted here
//! and what `loki_discarded_samples_total` counts there go by one name.

use otlp::logs::LogRecord;

use super::super::series::identity::{Cache, Key, Weigh};
use super::stream::Metadata;

/// Structured metadata of one line, in bytes of names and values.
const METADATA_BYTES_MAX: usize = 64 << 10;

/// Structured metadata of one line, in entries.
const METADATA_ENTRIES_MAX: usize = 128;

/// Memory for the newest line of each stream, in bytes: some 100,000 streams.
const STREAMS_BYTES: usize = 16 << 20;

/// Why a line is not sent.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    TooOld,
    TooFarInFuture,
    TooFarBehind,
    MetadataTooLarge,
    MetadataTooMany,
}

impl From<Reason> for &'static str {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::TooOld => "greater_than_max_sample_age",
            Reason::TooFarInFuture => "too_far_in_future",
            Reason::TooFarBehind => "too_far_behind",
            Reason::MetadataTooLarge => "structured_metadata_too_large",
            Reason::MetadataTooMany => "structured_metadata_too_many",
        }
    }
}

/// Bounds in nanoseconds and bytes; `u64::MAX` for none.
#[derive(Copy, Clone, Debug)]
pub(super) struct Limits {
    pub(super) max_age_ns: u64,
    pub(super) max_ahead_ns: u64,
    pub(super) max_behind_ns: u64,
    pub(super) line_bytes: usize,
}

impl Limits {
    /// Whether Loki takes a line of this time `now` into a stream whose newest line is `newest`.
    pub(super) fn check_time(&self, time: u64, now: u64, newest: u64) -> Result<(), Reason> {
        if time < now.saturating_sub(self.max_age_ns) {
            return Err(Reason::TooOld);
        }
        if time > now.saturating_add(self.max_ahead_ns) {
            return Err(Reason::TooFarInFuture);
        }
        if time < newest.saturating_sub(self.max_behind_ns) {
            return Err(Reason::TooFarBehind);
        }
        Ok(())
    }

    /// How much of a line of `length` bytes is kept, at a character boundary of `line`.
    pub(super) fn kept<'a>(&self, line: &'a str) -> Option<&'a str> {
        if line.len() <= self.line_bytes {
            return None;
        }
        // Room for the marker with any number in it.
        let room = self.line_bytes.saturating_sub(40);
        line.get(..line.floor_char_boundary(room))
    }
}

/// Whether Loki takes a line with the metadata of all these together.
pub(super) fn check_metadata(parts: &[&Metadata]) -> Result<(), Reason> {
    if parts.iter().map(|part| part.entries).sum::<usize>() > METADATA_ENTRIES_MAX {
        return Err(Reason::MetadataTooMany);
    }
    if parts.iter().map(|part| part.bytes).sum::<usize>() > METADATA_BYTES_MAX {
        return Err(Reason::MetadataTooLarge);
    }
    Ok(())
}

/// Whether `entries` attributes in `bytes` encoded bytes cannot exceed the limits: as text they
/// become at most six times as long, and Loki adds fewer than ten.
pub(super) fn is_surely_small(bytes: usize, entries: usize) -> bool {
    bytes <= METADATA_BYTES_MAX / 8 && entries + 10 <= METADATA_ENTRIES_MAX
}

/// The mark that a line was cut.
pub(super) fn cut_mark(cut_bytes: usize) -> String {
    format!("\u{2026}[truncated {cut_bytes} bytes]")
}

/// The time of a line: of the event, or else when it was seen, or else now.
pub(super) fn time_of(record: &LogRecord<'_>, now: u64) -> u64 {
    match (record.time_unix_nano, record.observed_time_unix_nano) {
        (0, 0) => now,
        (0, observed) => observed,
        (time, _) => time,
    }
}

/// The newest line that each stream was given.
#[derive(Debug)]
pub(super) struct Streams {
    newest: Cache<Newest>,
}

#[derive(Debug)]
struct Newest(u64);

impl Weigh for Newest {
    fn heap_bytes(&self) -> usize {
        0
    }
}

impl Streams {
    pub(super) fn new() -> Self {
        Self {
            newest: Cache::new(STREAMS_BYTES),
        }
    }

    /// Time of the newest line given to `stream`; 0 before the first.
    pub(super) fn newest(&mut self, stream: Key) -> u64 {
        self.newest.get_or_insert_with(stream, || Newest(0)).0
    }

    /// Keeps that `stream` was given a line of `time`.
    pub(super) fn advance(&mut self, stream: Key, time: u64) {
        let newest = self.newest.get_or_insert_with(stream, || Newest(0));
        newest.0 = newest.0.max(time);
    }
}
