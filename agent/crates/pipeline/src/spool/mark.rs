//! Places in a spool, and the amounts between them.
//!
//! Every place knows how many items and bytes lie before it, so that what is queued, delivered or
//! lost between two places is a subtraction and never a counter that has to be kept in step.

use std::ops::{Add, AddAssign};

use crate::Batch;

/// Bytes that a record occupies in a spool beside its payload: the header that it has on disk.
/// Counted in memory too, so that a limit means the same in both storages.
pub const RECORD_OVERHEAD_BYTES: u64 = 96;

/// A place between two records, and everything that lies before it.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// Position of the record that starts here; the first record ever has position 0.
    pub position: u64,
    /// Items in all records before this place.
    pub items: u64,
    /// Bytes of all records before this place, headers included.
    pub bytes: u64,
}

/// An amount of telemetry in a spool.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Records: batches as they were appended.
    pub records: u64,
    /// Data points, log records or spans.
    pub items: u64,
    /// Bytes, with [`RECORD_OVERHEAD_BYTES`] for each record.
    pub bytes: u64,
}

/// The records from one place up to another.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Where the first record starts.
    pub start: Mark,
    /// Where the last record ends.
    pub end: Mark,
}

/// One batch in its place.
#[derive(Clone, Debug)]
pub struct Record {
    /// The place at which it starts.
    pub start: Mark,
    /// When it was appended, in nanoseconds since the Unix epoch by the spool's clock.
    pub unix_nano: u64,
    /// What was appended.
    pub batch: Batch,
}

impl Mark {
    /// The place behind one more record of `amount`.
    #[must_use]
    pub fn after(self, amount: Amount) -> Self {
        Self {
            position: self.position.saturating_add(amount.records),
            items: self.items.saturating_add(amount.items),
            bytes: self.bytes.saturating_add(amount.bytes),
        }
    }

    /// What lies between an `earlier` place and this one; nothing when it is not earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> Amount {
        Amount {
            records: self.position.saturating_sub(earlier.position),
            items: self.items.saturating_sub(earlier.items),
            bytes: self.bytes.saturating_sub(earlier.bytes),
        }
    }
}

impl Amount {
    /// What `batch` takes as one record.
    #[must_use]
    pub fn of(batch: &Batch) -> Self {
        Self::record(batch.items, batch.payload.len())
    }

    /// One record with `items` items and a payload of `payload_bytes` bytes.
    #[must_use]
    pub fn record(items: u32, payload_bytes: usize) -> Self {
        Self {
            records: 1,
            items: u64::from(items),
            bytes: RECORD_OVERHEAD_BYTES + payload_bytes as u64,
        }
    }

    /// This amount without `other`; 0 where `other` is larger.
    #[must_use]
    pub fn less(self, other: Self) -> Self {
        Self {
            records: self.records.saturating_sub(other.records),
            items: self.items.saturating_sub(other.items),
            bytes: self.bytes.saturating_sub(other.bytes),
        }
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self == Self::default()
    }
}

impl Add for Amount {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            records: self.records.saturating_add(other.records),
            items: self.items.saturating_add(other.items),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Span {
    /// What lies inside.
    #[must_use]
    pub fn amount(&self) -> Amount {
        self.end.since(self.start)
    }

    /// Whether there is no record inside.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.end.position <= self.start.position
    }
}

impl Record {
    /// The place at which it ends.
    #[must_use]
    pub fn end(&self) -> Mark {
        self.start.after(Amount::of(&self.batch))
    }

    /// The record as a span.
    #[must_use]
    pub fn span(&self) -> Span {
        Span {
            start: self.start,
            end: self.end(),
        }
    }
}
