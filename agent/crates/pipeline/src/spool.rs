//! An ordered sequence of batches, appended once and read by one named cursor for each exporter.
//!
//! A spool belongs to one pipeline. What the pipeline's processors let through is appended once,
//! whatever the number of exporters, and each exporter reads at its own [`Cursor`]: a dead back end
//! delays no other. A cursor's limits bound how far it may lag; where it may not drop, the spool
//! refuses, and the refusal travels to the sender.
//!
//! Appending returns when the batch is kept: in memory at once, on disk after it was synced, all
//! that wait sharing one write and one sync. A cursor that keeps up is served from memory in both
//! storages; the disk is read only for who is behind. See [`disk`] for what lies in the files.

pub mod disk;

mod activity;
mod cursor;
mod lot;
mod mark;
mod settled;
mod state;
mod track;
mod window;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

pub(crate) use activity::Activity;
pub use cursor::Cursor;
pub use disk::{DiskSettings, OpenError};
pub use lot::Lot;
pub use mark::{Amount, Mark, RECORD_OVERHEAD_BYTES, Record, Span};
pub(crate) use state::DROPPED_TOO_OLD;

use crate::stats::{CursorStats, SpoolStats};
use crate::{Batch, Budget, Refused, clock};
use disk::Disk;
use state::State;
use track::Track;

/// How often a spool looks after its files: what exporters did since goes out again after a kill.
const UPKEEP_INTERVAL: Duration = Duration::from_millis(200);

/// How often age limits are looked at and the drain rate is measured, in upkeep intervals and as
/// time.
const UPKEEPS_PER_MEASURE: u64 = 5;
const MEASURE_INTERVAL: Duration = Duration::from_secs(1);

/// Bounds of the delay that a sender is told when a spool is full.
const RETRY_AFTER_MIN: Duration = Duration::from_secs(1);
const RETRY_AFTER_MAX: Duration = Duration::from_secs(30);

/// The delay told while nothing drains: when the back end returns nobody knows, and a longer delay
/// would keep senders away after it is back.
const RETRY_AFTER_STALLED: Duration = Duration::from_secs(5);

/// Weight of the newest second in the smoothed drain rate.
const DRAIN_RATE_WEIGHT: f64 = 0.3;

/// What a spool is made of.
#[derive(Clone, Debug)]
pub struct SpoolSettings {
    /// Id of the pipeline, for logs and figures.
    pub name: String,
    /// Where records are kept.
    pub storage: Storage,
    /// One for each exporter of the pipeline; names are component ids and must differ.
    pub cursors: Vec<CursorSettings>,
}

/// Where a spool keeps its records.
#[derive(Clone, Debug)]
pub enum Storage {
    /// In memory, within the byte budget; lost when the process ends.
    Memory,
    /// In segment files; see [`disk`].
    Disk(DiskSettings),
}

/// How one exporter follows the spool.
#[derive(Clone, Debug)]
pub struct CursorSettings {
    /// Component id of the exporter.
    pub name: String,
    /// How far it may lag.
    pub limits: Limits,
    /// What happens at the limit.
    pub on_full: OnFull,
    /// A batch is accepted only when this exporter is done with it: delivered, rejected or dropped.
    pub waits_for_result: bool,
}

/// How far a cursor may lag. What is larger than a whole limit passes when nothing else is queued.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes, with [`RECORD_OVERHEAD_BYTES`] for each record.
    pub bytes: u64,
    /// Batches as they were appended.
    pub records: Option<u64>,
    /// Data points, log records or spans.
    pub items: Option<u64>,
    /// Age, by a clock that a step of the system's wall clock does not move while the process runs.
    pub age: Option<Duration>,
}

/// What happens when a cursor's limit is met.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum OnFull {
    /// The sender is told to come back later.
    #[default]
    Refuse,
    /// The sender waits.
    Wait,
    /// This cursor, and no other, loses its oldest records that are not in flight; counted.
    DropOldest,
}

/// An ordered sequence of batches. Clones are handles to the same spool.
#[derive(Clone, Debug)]
pub struct Spool {
    inner: Arc<Inner>,
}

/// Room that was promised to one batch; given back when dropped.
#[derive(Debug)]
pub struct Reservation {
    spool: Arc<Inner>,
    amount: Amount,
}

/// A batch on its way into a spool.
#[derive(Debug)]
pub struct Acceptance {
    spool: Arc<Inner>,
    progress: Progress,
}

#[derive(Debug)]
enum Progress {
    /// The writer tells the position when the batch is kept.
    Written(oneshot::Receiver<Result<u64, Refused>>),
    /// The batch is kept at this position.
    Kept(u64),
}

#[derive(Debug)]
struct Inner {
    name: String,
    /// Random identity, drawn when the spool was created; kept on disk.
    id: u128,
    budget: Budget,
    clock: SpoolClock,
    state: Mutex<State>,
    /// Records were appended, or the spool was closed.
    arrived: Notify,
    /// Records were settled.
    freed: Notify,
    /// In the order of the cursors.
    activities: Vec<Arc<Activity>>,
    disk: Option<Disk>,
}

/// The wall clock at the start, carried on by the monotonic clock, so that a stepped wall clock
/// makes no record older or younger. Never behind the newest record.
#[derive(Copy, Clone, Debug)]
pub(crate) struct SpoolClock {
    start_unix_nano: u64,
    start: Instant,
}

impl Spool {
    /// Opens a spool; on disk it finds what an earlier process left. Blocks for the time of
    /// scanning one segment, whatever the backlog.
    ///
    /// # Errors
    /// When the directory cannot be used or another process has it. Damage is never an error.
    pub fn open(settings: SpoolSettings, budget: &Budget) -> Result<Self, OpenError> {
        let now = clock::unix_nano();
        let (id, state, disk, newest) = match settings.storage {
            Storage::Memory => (fastrand::u128(..), State::new(settings.cursors), None, now),
            Storage::Disk(disk) => {
                let opened = Disk::open(disk, settings.cursors, &settings.name, budget)?;
                let newest = opened.newest_unix_nano;
                (opened.id, opened.state, Some(opened.disk), newest)
            }
        };
        let cursors = state.cursors.len();
        let inner = Inner {
            name: settings.name,
            id,
            budget: budget.clone(),
            clock: SpoolClock {
                start_unix_nano: now.max(newest),
                start: Instant::now(),
            },
            state: Mutex::new(state),
            arrived: Notify::new(),
            freed: Notify::new(),
            activities: (0..cursors).map(|_| Arc::default()).collect(),
            disk,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Id of the pipeline.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The cursor called `name`. Takes up at the oldest record that is not settled: hold one handle
    /// at a time.
    #[must_use]
    pub fn cursor(&self, name: &str) -> Option<Cursor> {
        let mut state = self.inner.lock();
        let index = state
            .cursors
            .iter()
            .position(|track| track.settings.name == name)?;
        state.rewind(index);
        drop(state);
        Some(Cursor::new(Arc::clone(&self.inner), index))
    }

    /// Appends `batch`; returns when it is kept. Safe to cancel: the batch is then kept or not.
    ///
    /// # Errors
    /// When a cursor that must not drop has met its limit, the disk fails, or the spool is closed.
    pub async fn append(&self, batch: Batch) -> Result<(), Refused> {
        let reservation = self.reserve(&batch).await?;
        reservation.append(batch).kept().await
    }

    /// Takes room for `batch`, so that a sender who feeds several spools is refused by all or none.
    ///
    /// # Errors
    /// When a cursor that must not drop has met its limit, or the spool is closed.
    pub async fn reserve(&self, batch: &Batch) -> Result<Reservation, Refused> {
        let amount = Amount::of(batch);
        loop {
            let freed = self.inner.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            match self.inner.try_reserve(amount) {
                Ok(reservation) => return Ok(reservation),
                Err(Full::Refuse(refused)) => return Err(refused),
                Err(Full::Wait) => freed.await,
            }
        }
    }

    /// Why the smallest batch would be refused now; `None` where a sender would wait instead.
    #[must_use]
    pub fn refusal(&self) -> Option<Refused> {
        match self.inner.room_for(Amount::record(0, 0)) {
            Err(Full::Refuse(refused)) => Some(refused),
            Err(Full::Wait) | Ok(_) => None,
        }
    }

    /// Looks after the spool for as long as it is polled: age limits of cursors whose exporter is
    /// paused, drain rate, cursor files, finished segments, and memory when the byte budget is
    /// nearly used up.
    pub async fn maintain(&self) {
        let mut ticks = tokio::time::interval(UPKEEP_INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let mut upkeeps: u64 = 0;
        loop {
            ticks.tick().await;
            if upkeeps.is_multiple_of(UPKEEPS_PER_MEASURE) {
                self.inner.measure_and_expire();
            }
            if let Some(disk) = &self.inner.disk {
                disk.tend(&self.inner).await;
            }
            upkeeps += 1;
        }
    }

    /// Accepts no more; cursors end when they reach the head.
    pub fn close(&self) {
        self.inner.lock().is_closed = true;
        self.inner.arrived.notify_waiters();
        self.inner.freed.notify_waiters();
    }

    /// Ends a closed spool. On disk: waits for writes in hand, saves the cursors and gives the
    /// directory free. In memory: what is queued is counted as dropped for `shutdown`.
    ///
    /// Returns the items dropped, summed over the cursors.
    pub async fn finish(&self) -> u64 {
        if let Some(disk) = &self.inner.disk {
            disk.settle_down(&self.inner).await;
        }
        let mut state = self.inner.lock();
        state.is_finished = true;
        let dropped = if state.is_on_disk {
            0
        } else {
            state.drop_rest()
        };
        drop(state);
        self.inner.freed.notify_waiters();
        dropped
    }

    /// The account and the state of the spool.
    #[must_use]
    pub fn stats(&self) -> SpoolStats {
        let state = self.inner.lock();
        let now = self.inner.clock.unix_nano();
        let cursors = state
            .cursors
            .iter()
            .zip(&self.inner.activities)
            .map(|(track, activity)| cursor_stats(&state, track, activity, now))
            .collect();
        let memory_bytes = state.window.bytes();
        let disk = self.inner.disk.as_ref().map(|disk| disk.stats(&state));
        SpoolStats {
            name: self.inner.name.clone(),
            cursors,
            memory_bytes,
            disk,
        }
    }
}

impl Reservation {
    /// Appends the batch for which the room was taken. On disk the write has begun when this
    /// returns; `kept` of the result tells when it is done.
    #[must_use]
    pub fn append(self, batch: Batch) -> Acceptance {
        let spool = Arc::clone(&self.spool);
        match &spool.disk {
            Some(disk) => Acceptance {
                progress: Progress::Written(disk.enqueue(&spool, self, batch)),
                spool,
            },
            None => {
                let mut state = spool.lock();
                let record = Record {
                    start: state.head,
                    unix_nano: spool.clock.unix_nano(),
                    batch,
                };
                let progress = Progress::Kept(record.start.position);
                state.push(record);
                drop(state);
                drop(self);
                spool.arrived.notify_waiters();
                Acceptance { spool, progress }
            }
        }
    }
}

impl Reservation {
    /// Takes over the promise: whoever has the amount gives it back.
    fn disarm(mut self) -> Amount {
        std::mem::take(&mut self.amount)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut state = self.spool.lock();
        state.reserved = state.reserved.less(self.amount);
        let ends_cursors = state.is_closed;
        drop(state);
        self.spool.freed.notify_waiters();
        if ends_cursors {
            self.spool.arrived.notify_waiters();
        }
    }
}

impl Acceptance {
    /// Returns when the batch is kept, and every exporter whose result is waited for is done with
    /// it, whatever became of it there.
    ///
    /// # Errors
    /// When the disk failed, or the program stops before there is a result.
    pub async fn kept(self) -> Result<(), Refused> {
        let position = match self.progress {
            // The writer answers every batch; it can only vanish with the runtime.
            Progress::Written(position) => position.await.unwrap_or(Err(Refused::ShuttingDown))?,
            Progress::Kept(position) => position,
        };
        loop {
            let freed = self.spool.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            {
                let state = self.spool.lock();
                if state.is_finished {
                    break;
                }
                if state.has_result(position) {
                    return Ok(());
                }
            }
            freed.await;
        }
        Err(Refused::ShuttingDown)
    }
}

/// Why there is no room now.
enum Full {
    Refuse(Refused),
    Wait,
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that holds the lock can leave the state half changed by a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn try_reserve(self: &Arc<Self>, amount: Amount) -> Result<Reservation, Full> {
        self.room_for(amount)?.reserved += amount;
        Ok(Reservation {
            spool: Arc::clone(self),
            amount,
        })
    }

    /// The state, when there is room for `amount` in it.
    fn room_for(&self, amount: Amount) -> Result<MutexGuard<'_, State>, Full> {
        let state = self.lock();
        if state.is_closed {
            return Err(Full::Refuse(Refused::ShuttingDown));
        }
        if let Some(track) = state.full(amount) {
            return Err(match track.settings.on_full {
                OnFull::Wait => Full::Wait,
                OnFull::Refuse | OnFull::DropOldest => Full::Refuse(Refused::Full {
                    what: "the queue of an exporter",
                    retry_after: retry_after(track, amount),
                }),
            });
        }
        Ok(state)
    }

    fn settle(&self, cursor: usize, span: Span, tally: &crate::stats::Tally) {
        self.lock().settle(cursor, span, tally);
        self.freed.notify_waiters();
    }

    fn measure_and_expire(&self) {
        let now = self.clock.unix_nano();
        let mut state = self.lock();
        state.expire(now);
        for track in &mut state.cursors {
            track.measure(MEASURE_INTERVAL, DRAIN_RATE_WEIGHT);
        }
        drop(state);
        self.freed.notify_waiters();
    }
}

impl SpoolClock {
    pub(crate) fn unix_nano(&self) -> u64 {
        let elapsed = u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.start_unix_nano.saturating_add(elapsed)
    }
}

/// When `amount` should fit, at the rate at which the cursor drains.
fn retry_after(track: &Track, amount: Amount) -> Duration {
    if track.drain_rate < 1.0 {
        return RETRY_AFTER_STALLED;
    }
    let seconds = amount.bytes as f64 / track.drain_rate;
    Duration::try_from_secs_f64(seconds)
        .unwrap_or(RETRY_AFTER_MAX)
        .clamp(RETRY_AFTER_MIN, RETRY_AFTER_MAX)
}

fn cursor_stats(state: &State, track: &Track, activity: &Activity, now: u64) -> CursorStats {
    let oldest = state.oldest_unix_nano(track);
    CursorStats {
        name: track.settings.name.clone(),
        accepted: state.head.items.saturating_sub(track.birth.items),
        tally: track.tally.clone(),
        queued: track.settled.open(state.head),
        oldest_age: oldest.map(|oldest| Duration::from_nanos(now.saturating_sub(oldest))),
        in_flight: track.in_flight_records(),
        ..activity.snapshot()
    }
}

#[cfg(test)]
mod tests;
