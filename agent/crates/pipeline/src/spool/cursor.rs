//! One exporter's handle on a spool.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::disk::{Chunk, Part};
use super::lot::LotLimits;
use super::state::Taken;
use super::{Activity, Inner, Lot, Mark, Record, Span, SpoolClock};
use crate::Budget;
use crate::driver::BatchSettings;
use crate::stats::Tally;

/// How often a failing read is tried before what it should bring is counted as damaged, and how
/// long to wait in between.
const READS_TRIED: u32 = 5;
const READ_RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// Reads a spool for one exporter: takes lots in order, and settles them in any order.
#[derive(Debug)]
pub struct Cursor {
    spool: Arc<Inner>,
    index: usize,
    /// Read from disk and not yet taken.
    ahead: VecDeque<Record>,
    /// A read in progress; kept across cancelled waits, so that no read is done twice.
    reading: Option<Reading>,
    /// Reads that failed one after the other.
    failed_reads: u32,
    read_again_at: Option<Instant>,
    /// Since when there is something to take that is less than a batch should hold.
    lingering_since: Option<Instant>,
}

#[derive(Debug)]
struct Reading {
    part: Part,
    result: JoinHandle<io::Result<Chunk>>,
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
            failed_reads: 0,
            read_again_at: None,
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
            // What was promised room before the close still comes.
            return if state.is_closed && state.reserved.is_zero() {
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
            max_joined_bytes: batch.max_joined_bytes,
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
        let part = self.spool.lock().part_at(place);
        let Some(part) = part else {
            // Older segments are gone; nothing tells why, so their items are counted as lost.
            let mut state = self.spool.lock();
            let end = state.segment_after(place.position);
            state.settle_damaged(self.index, Span { start: place, end });
            return;
        };
        self.ahead.clear();
        if let Some(until) = self.read_again_at {
            tokio::time::sleep_until(until).await;
            self.read_again_at = None;
        }
        if self
            .reading
            .as_ref()
            .is_none_or(|reading| reading.part.place != place)
        {
            let result = disk.read(part, &self.spool.budget);
            self.reading = Some(Reading { part, result });
        }
        let Some(reading) = &mut self.reading else {
            return;
        };
        let part = reading.part;
        let read = (&mut reading.result).await;
        self.reading = None;
        let chunk = match read {
            Ok(Ok(chunk)) => chunk,
            Ok(Err(error)) => return self.failed(part, &error.to_string()),
            Err(error) => return self.failed(part, &error.to_string()),
        };
        self.failed_reads = 0;
        if let Some(span) = chunk.unreadable {
            disk.note_damage(&self.spool.name, part.segment.position, span);
            self.spool.lock().settle_damaged(self.index, span);
        }
        self.ahead = chunk.records.into();
    }

    /// A read failed: tried again, and given up with the rest of the segment when it keeps failing.
    fn failed(&mut self, part: Part, error: &str) {
        self.activity().note_error(error);
        self.failed_reads += 1;
        if self.failed_reads < READS_TRIED {
            self.read_again_at = Some(Instant::now() + READ_RETRY_INTERVAL);
            return;
        }
        self.failed_reads = 0;
        let span = Span {
            start: part.place,
            end: part.end,
        };
        if let Some(disk) = &self.spool.disk {
            disk.note_damage(&self.spool.name, part.segment.position, span);
        }
        self.spool.lock().settle_damaged(self.index, span);
    }
}
