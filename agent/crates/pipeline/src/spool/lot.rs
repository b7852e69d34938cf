//! What a cursor hands out at once.

use super::mark::{Mark, Record, Span};
use crate::{Payload, Signal};

/// How much a cursor hands out at once.
#[derive(Copy, Clone, Debug)]
pub(crate) struct LotLimits {
    /// Bytes of protobuf; one record may be larger.
    pub(crate) max_bytes: usize,
    /// Items; one record may hold more.
    pub(crate) max_items: u32,
    /// Bytes as stored; a larger record goes alone.
    pub(crate) max_joined_bytes: usize,
}

/// Neighboring records of one signal and one encoding: what becomes one request.
#[derive(Clone, Debug)]
pub struct Lot {
    /// Where the records lie; what [`Cursor::settle`](super::Cursor::settle) is told.
    pub span: Span,
    /// At least one.
    pub records: Vec<Record>,
}

impl Lot {
    /// As many of `records` as fit into one request, at least one.
    pub(crate) fn collect<'a>(
        records: impl Iterator<Item = &'a Record>,
        until: Option<Mark>,
        limits: LotLimits,
    ) -> Self {
        let mut lot = Self {
            span: Span {
                start: Mark::default(),
                end: Mark::default(),
            },
            records: Vec::new(),
        };
        let mut bytes: usize = 0;
        let mut items: u32 = 0;
        for record in records {
            bytes = bytes.saturating_add(record.batch.payload.plain_size_bytes());
            items = items.saturating_add(record.batch.items);
            let fits = bytes <= limits.max_bytes && items <= limits.max_items;
            let is_large = |record: &Record| record.batch.payload.len() > limits.max_joined_bytes;
            if let Some(last) = lot.records.last() {
                let is_joined = !is_large(last) && !is_large(record);
                let is_beyond = until.is_some_and(|until| record.start.position >= until.position);
                if is_beyond || !fits || !is_joined || !lot.continues_with(record) {
                    break;
                }
            }
            lot.push(record.clone());
        }
        lot
    }

    fn push(&mut self, record: Record) {
        if self.records.is_empty() {
            self.span.start = record.start;
        }
        self.span.end = record.end();
        self.records.push(record);
    }

    fn continues_with(&self, record: &Record) -> bool {
        self.span.end == record.start
            && self
                .records
                .last()
                .is_some_and(|last| kind(last) == kind(record))
    }

    /// The leading records that are older than `limit_age`.
    pub(crate) fn expired(&self, limit_age_nanos: Option<u64>, now_unix_nano: u64) -> Span {
        let mut span = Span {
            start: self.span.start,
            end: self.span.start,
        };
        let Some(limit) = limit_age_nanos else {
            return span;
        };
        for record in &self.records {
            if now_unix_nano.saturating_sub(record.unix_nano) <= limit {
                break;
            }
            span.end = record.end();
        }
        span
    }
}

/// What must be equal for payloads to be concatenated.
fn kind(record: &Record) -> (Signal, bool) {
    let is_plain = matches!(record.batch.payload, Payload::Plain(_));
    (record.batch.signal, is_plain)
}
