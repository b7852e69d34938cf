//! The newest records of a spool, in memory.

use std::collections::{VecDeque, vec_deque};

use super::mark::{Mark, Record, Span};

/// Records held in memory, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Window {
    records: VecDeque<Record>,
    bytes: u64,
}

impl Window {
    /// Bytes held, headers included.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Where the oldest record starts.
    pub(crate) fn start(&self) -> Option<Mark> {
        self.records.front().map(|record| record.start)
    }

    /// The records from `position` on, if there is one at exactly this position.
    pub(crate) fn at(&self, position: u64) -> Option<vec_deque::Iter<'_, Record>> {
        at(&self.records, position)
    }

    /// The record at `position`.
    pub(crate) fn get(&self, position: u64) -> Option<&Record> {
        self.at(position)?.next()
    }

    /// Lets go of the oldest records until at most `limit_bytes` are held.
    pub(crate) fn shrink_to(&mut self, limit_bytes: u64) {
        while self.bytes > limit_bytes && self.pop() {}
    }

    pub(crate) fn push(&mut self, record: Record) {
        self.bytes += record.span().amount().bytes;
        self.records.push_back(record);
    }

    fn pop(&mut self) -> bool {
        let Some(record) = self.records.pop_front() else {
            return false;
        };
        self.bytes -= record.span().amount().bytes;
        true
    }

    pub(crate) fn release_before(&mut self, position: u64) {
        while self
            .records
            .front()
            .is_some_and(|record| record.start.position < position)
        {
            self.pop();
        }
    }

    /// Lets go of the records in `span` that `is_done` says nobody needs.
    pub(crate) fn release_within(&mut self, span: Span, is_done: impl Fn(u64) -> bool) {
        let position = |record: &Record| record.start.position;
        let first = self
            .records
            .partition_point(|record| position(record) < span.start.position);
        let end = self
            .records
            .partition_point(|record| position(record) < span.end.position);
        for at in (first..end).rev() {
            if self
                .records
                .get(at)
                .is_some_and(|record| is_done(position(record)))
                && let Some(record) = self.records.remove(at)
            {
                self.bytes -= record.span().amount().bytes;
            }
        }
    }

    /// The records from `position` on.
    pub(crate) fn after(&self, position: u64) -> impl Iterator<Item = &Record> {
        let first = self
            .records
            .partition_point(|record| record.start.position < position);
        self.records.range(first..)
    }
}

/// The records from `position` on, if there is one at exactly this position.
pub(crate) fn at(records: &VecDeque<Record>, position: u64) -> Option<vec_deque::Iter<'_, Record>> {
    let first = records.partition_point(|record| record.start.position < position);
    let found = records.get(first)?;
    (found.start.position == position).then(|| records.range(first..))
}
