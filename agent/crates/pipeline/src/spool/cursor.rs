//! One exporter's handle on a spool.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::disk::Chunk;
use super::state::{LotLimits, Taken};
use super::{Activity, Inner, Lot, Mark, Record, Span, SpoolClock};
use crate::Budget;
use crate::driver::BatchSettings;
use crate::stats::Tally;

/// Reads a spool for one exporter: takes lots in order, and settles them in any order.
#[derive(Debug)]
pub struct Cursor {
    spool: Arc<Inner>,
    index: usize,
    /// Read from disk and not yet taken.
    ahead: VecDeque<Record>,
    /// A read in progress; kept across cancelled waits, so that no read is done twice.
    reading: Option<JoinHandle<Chunk>>,
    /// Since when there is something to take that is less than a batch should hold.
    lingering_since: Option<Instant>,
}

enum Look {
    Found(Lot),
    Ended,
    Behind(Mark),
    Wait,
    WaitUntil(Instant),
}

impl Cursor {
    pub(super) fn new(spool: Arc<Inner>, index: usize) -> Self {
        Self {
            spool,
            index,
            ahead: VecDeque::new(),
            reading: None,
            lingering_since: None,
        }
    }

    /// The next lot: neighboring records up to the batch's limits. Waits until there is one; `None`
    /// when the spool is closed and all was taken. Safe to cancel.
    pub async fn next(&mut self, batch: &BatchSettings) -> Option<Lot> {
        loop {
            let spool = Arc::clone(&self.spool);
            let arrived = spool.arrived.notified();
            tokio::pin!(arrived);
            arrived.as_mut().enable();
            match self.look(batch) {
                Look::Found(lot) => return Some(lot),
                Look::Ended => return None,
                Look::Behind(place) => self.read(place).await,
                Look::Wait => arrived.await,
                Look::WaitUntil(until) => {
                    // Whichever comes first, the next look decides.
                    let _ = tokio::time::timeout_at(until, arrived).await;
                }
            }
        }
    }

    /// Ends a lot that [`Cursor::next`] gave: its items went where `tally` says, all of them.
    pub fn settle(&self, span: Span, tally: &Tally) {
        self.spool.settle(self.index, span, tally);
        self.activity().note_progress();
    }

    /// Gives back all that was taken and not settled; it will be taken again.
    pub fn rewind(&mut self) {
        self.spool.lock().rewind(self.index);
    }

    pub(crate) fn activity(&self) -> &Arc<Activity> {
        &self.spool.activities[self.index]
    }

    /// Component id of the exporter.
    pub(crate) fn name(&self) -> String {
        self.spool.lock().cursors[self.index].settings.name.clone()
    }

    pub(crate) fn spool_name(&self) -> &str {
        &self.spool.name
    }

    pub(crate) fn spool_id(&self) -> u128 {
        self.spool.id
    }

    pub(crate) fn budget(&self) -> &Budget {
        &self.spool.budget
    }

    pub(crate) fn limit_age(&self) -> Option<Duration> {
        self.spool.lock().cursors[self.index].settings.limits.age
    }

    /// The clock that stamps the records.
    pub(crate) fn clock(&self) -> SpoolClock {
        self.spool.clock
    }

    fn look(&mut self, batch: &BatchSettings) -> Look {
        let now = self.spool.clock.unix_nano();
        let mut state = self.spool.lock();
        let available = state.available(self.index);
        if available.is_zero() {
            self.lingering_since = None;
            return if state.is_closed {
                Look::Ended
            } else {
                Look::Wait
            };
        }
        if available.items < u64::from(batch.min_items) && !state.is_closed {
            let since = *self.lingering_since.get_or_insert_with(Instant::now);
            let until = since + batch.flush_timeout;
            if Instant::now() < until {
                return Look::WaitUntil(until);
            }
        }
        let limits = LotLimits {
            max_bytes: batch.max_bytes,
            max_items: batch.max_items,
        };
        match state.take(self.index, &self.ahead, limits, now) {
            Taken::Lot(lot) => {
                self.lingering_since = None;
                let taken = self
                    .ahead
                    .partition_point(|record| record.start.position < lot.span.end.position);
                self.ahead.drain(..taken);
                Look::Found(lot)
            }
            Taken::Behind(place) => Look::Behind(place),
            Taken::Empty => Look::Wait,
        }
    }

    /// Reads from disk what lies at `place`, and ends what cannot be read.
    async fn read(&mut self, place: Mark) {
        let Some(disk) = &self.spool.disk else {
            return;
        };
        self.ahead.clear();
        let reading = self
            .reading
            .get_or_insert_with(|| disk.read(&self.spool.budget, place));
        let chunk = reading.await;
        self.reading = None;
        let Ok(chunk) = chunk else {
            return;
        };
        let mut state = self.spool.lock();
        for span in chunk.unreadable {
            state.settle_damaged(self.index, span);
        }
        self.ahead = chunk.records.into();
    }
}
