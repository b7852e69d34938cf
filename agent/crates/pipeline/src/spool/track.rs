//! One exporter's place in a spool, and its account.

use std::collections::BTreeMap;
use std::time::Duration;

use super::lot::Lot;
use super::mark::{Amount, Mark, Span};
use super::settled::Settled;
use super::{CursorSettings, Limits};
use crate::stats::Tally;

/// One exporter's place in the spool.
#[derive(Debug)]
pub(crate) struct Track {
    pub(crate) settings: CursorSettings,
    pub(crate) settled: Settled,
    /// The next record to hand out.
    pub(crate) taken: Mark,
    /// Where this cursor's account begins.
    pub(crate) birth: Mark,
    pub(crate) tally: Tally,
    /// First position of each lot in flight, and the age of its oldest record.
    in_flight: BTreeMap<u64, InFlight>,
    /// Bytes settled since the rate was last measured.
    drained_bytes: u64,
    /// Bytes settled in a second, smoothed.
    pub(crate) drain_rate: f64,
}

#[derive(Copy, Clone, Debug)]
struct InFlight {
    records: u64,
    oldest_unix_nano: u64,
}

impl Track {
    pub(crate) fn new(settings: CursorSettings, start: Mark) -> Self {
        Self {
            settings,
            settled: Settled::up_to(start),
            taken: start,
            birth: start,
            tally: Tally::default(),
            in_flight: BTreeMap::new(),
            drained_bytes: 0,
            drain_rate: 0.0,
        }
    }

    /// Records taken and not settled.
    pub(crate) fn in_flight_records(&self) -> u64 {
        self.in_flight.values().map(|lot| lot.records).sum()
    }

    /// When the oldest record in flight was appended.
    pub(crate) fn oldest_in_flight(&self) -> Option<u64> {
        let oldest = self.in_flight.values().map(|lot| lot.oldest_unix_nano);
        oldest.min()
    }

    /// Forgets what is in flight; it will be taken again.
    pub(crate) fn rewind(&mut self) {
        self.in_flight.clear();
        self.taken = self.settled.low();
    }

    /// Ends a lot that was in flight.
    pub(crate) fn settle_taken(&mut self, span: Span, tally: &Tally) {
        self.in_flight.remove(&span.start.position);
        self.settle(span, tally);
    }

    /// Ends everything up to `head` as dropped, in flight or not; tells the items.
    pub(crate) fn drop_all(&mut self, head: Mark, reason: &'static str) -> u64 {
        let items = self.settled.open(head).items;
        self.tally.absorb(&Tally::dropped(reason, items));
        self.settled = Settled::up_to(head);
        self.rewind();
        items
    }

    /// Takes what was settled since the last call into the drain rate.
    pub(crate) fn measure(&mut self, since_last: Duration, weight: f64) {
        let rate = self.drained_bytes as f64 / since_last.as_secs_f64();
        self.drain_rate += weight * (rate - self.drain_rate);
        self.drained_bytes = 0;
    }

    /// By how much `more` would pass a limit. Nothing is too much for a cursor that has nothing
    /// queued: what is larger than the whole limit must pass alone rather than never.
    pub(crate) fn excess(&self, head: Mark, more: Amount) -> Amount {
        let queued = self.settled.open(head);
        if queued.is_zero() && more.records <= 1 {
            return Amount::default();
        }
        self.settings.limits.excess(queued + more)
    }

    fn settle(&mut self, span: Span, tally: &Tally) {
        debug_assert_eq!(tally.total(), span.amount().items, "every item ends once");
        self.settled.insert(span);
        self.tally.absorb(tally);
        self.drained_bytes += span.amount().bytes;
    }

    /// Ends all open records between the place and `target` as dropped; what is in flight stays.
    pub(crate) fn drop_up_to(&mut self, target: Mark, reason: &'static str) {
        let mut start = self.settled.next_open(self.taken);
        while start.position < target.position {
            let end = match self.settled.next_settled(start.position) {
                Some(next) if next.position < target.position => next,
                _ => target,
            };
            let span = Span { start, end };
            self.settle(span, &Tally::dropped(reason, span.amount().items));
            start = self.settled.next_open(end);
        }
        self.taken = start;
    }

    pub(crate) fn note_in_flight(&mut self, lot: &Lot) {
        let oldest = lot.records.iter().map(|record| record.unix_nano).min();
        self.in_flight.insert(
            lot.span.start.position,
            InFlight {
                records: lot.span.amount().records,
                oldest_unix_nano: oldest.unwrap_or_default(),
            },
        );
    }
}

impl Limits {
    /// By how much `queued` passes the limits.
    fn excess(&self, queued: Amount) -> Amount {
        queued.less(Amount {
            records: self.records.unwrap_or(u64::MAX),
            items: self.items.unwrap_or(u64::MAX),
            bytes: self.bytes,
        })
    }

    pub(crate) fn age_nanos(&self) -> Option<u64> {
        let age = self.age?;
        Some(u64::try_from(age.as_nanos()).unwrap_or(u64::MAX))
    }
}
