//! What one request carries, and how it is cut in halves.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::{BufMut, Bytes, BytesMut};

use super::SplitFn;
use crate::spool::Record;
use crate::{Batch, Budget, Charge, Origin, Payload};

/// Neighboring records of one kind; or a part of one record, once it was cut by items.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    records: Vec<Record>,
    /// Whether this is part of a record only.
    is_part: bool,
}

impl Piece {
    pub(super) fn new(records: Vec<Record>) -> Self {
        Self {
            records,
            is_part: false,
        }
    }

    pub(super) fn items(&self) -> u64 {
        self.records
            .iter()
            .map(|record| u64::from(record.batch.items))
            .sum()
    }

    /// Removes the records that were appended before `oldest_unix_nano`; tells their items.
    pub(super) fn expire(&mut self, oldest_unix_nano: u64) -> u64 {
        let before = self.items();
        self.records
            .retain(|record| record.unix_nano >= oldest_unix_nano);
        before - self.items()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// All records as one batch. One record goes as it is, without a copy. The batch bears the
    /// spool's own identity and the positions as its origin, the same on every retry.
    pub(super) fn merge(&self, agent: u128, budget: &Budget) -> Option<Batch> {
        let (first, last) = (self.records.first()?, self.records.last()?);
        let mut batch = match self.records.as_slice() {
            [record] => record.batch.clone(),
            records => concatenated(records, budget)?,
        };
        batch.origin = (!self.is_part).then_some(Origin {
            agent,
            first: first.start.position,
            last: last.start.position,
        });
        Some(batch)
    }

    /// The two halves, or `None` when a single item is left: between records while there are
    /// several, which costs nothing, then between items.
    pub(super) fn halves(&self, split: SplitFn) -> Option<(Self, Self)> {
        if self.records.len() > 1 {
            let (left, right) = self.records.split_at(self.records.len() / 2);
            return Some((self.with(left.to_vec()), self.with(right.to_vec())));
        }
        let items = self.records.first()?.batch.items;
        let mut pieces = self.cut(items.div_ceil(2), split)?.into_iter();
        let left = pieces.next()?;
        // A cut may leave more than two pieces; what is behind the first is the other half.
        let right = Self {
            records: pieces.flat_map(|piece| piece.records).collect(),
            is_part: true,
        };
        Some((left, right))
    }

    /// Pieces of at most `max_items` each, cut inside the only record; `None` when that is not
    /// possible.
    pub(super) fn cut(&self, max_items: u32, split: SplitFn) -> Option<Vec<Self>> {
        let [record] = self.records.as_slice() else {
            return None;
        };
        let plain = record.batch.payload.to_plain().ok()?;
        let pieces = split_caught(record, &plain, max_items.max(1), split)?;
        let items: u64 = pieces.iter().map(|(_, items)| u64::from(*items)).sum();
        if pieces.len() < 2 || items != u64::from(record.batch.items) {
            return None;
        }
        let pieces = pieces.into_iter().map(|(bytes, items)| Self {
            records: vec![Record {
                batch: record
                    .batch
                    .clone()
                    .with_payload(Payload::Plain(bytes), items),
                ..record.clone()
            }],
            is_part: true,
        });
        Some(pieces.collect())
    }

    fn with(&self, records: Vec<Record>) -> Self {
        Self {
            records,
            is_part: self.is_part,
        }
    }
}

/// The split function is foreign to this crate; a panic inside it must not end the delivery.
fn split_caught(
    record: &Record,
    plain: &Bytes,
    max_items: u32,
    split: SplitFn,
) -> Option<Vec<(Bytes, u32)>> {
    catch_unwind(AssertUnwindSafe(|| {
        split(record.batch.signal, plain, max_items)
    }))
    .ok()
}

/// The payloads one after the other: two requests in a row are one merged request, and two zstd
/// frames in a row inflate to the same.
fn concatenated(records: &[Record], budget: &Budget) -> Option<Batch> {
    let signal = records.first()?.batch.signal;
    let bytes = records
        .iter()
        .map(|record| record.batch.payload.len())
        .sum();
    let charge: Charge = budget.charge_if_free(bytes);
    let mut merged = BytesMut::with_capacity(bytes);
    let mut items: u32 = 0;
    let mut plain_size: usize = 0;
    let mut is_zstd = false;
    for record in records {
        merged.put_slice(record.batch.payload.as_bytes());
        items = items.checked_add(record.batch.items)?;
        plain_size += record.batch.payload.plain_size_bytes();
        is_zstd = matches!(record.batch.payload, Payload::Zstd { .. });
    }
    let payload = if is_zstd {
        Payload::Zstd {
            frames: merged.freeze(),
            plain_size_bytes: u32::try_from(plain_size).ok()?,
        }
    } else {
        Payload::Plain(merged.freeze())
    };
    Some(Batch::new(signal, payload, items, charge))
}
