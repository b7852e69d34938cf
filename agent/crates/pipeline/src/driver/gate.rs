//! The gate before an exporter: how many requests may be under way, and when the next may start.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::DriverSettings;
use super::retry::Backoff;
use crate::spool::{Activity, Cursor};

/// Lets attempts pass: oldest first, at most so many at once, none during a pause.
///
/// A failure closes the gate for all, because the other requests would fail alike. Requests that
/// were under way together and fail together are one failure: each pass carries the round in which
/// it was given, and only the first failure of a round lengthens the back-off.
#[derive(Debug)]
pub(super) struct Gate {
    state: Mutex<State>,
    changed: Notify,
    max_in_flight: usize,
    probe_interval: Duration,
    activity: Arc<Activity>,
    pipeline: String,
    exporter: String,
}

#[derive(Debug)]
struct State {
    round: u64,
    opens_at: Option<Instant>,
    backoff: Backoff,
    /// Requests that may be under way now; halves on failure, grows by one with each success.
    limit: usize,
    under_way: usize,
    /// First positions of the lots that wait.
    waiting: BTreeSet<u64>,
    failing: Option<Failing>,
}

/// A failure that is not over.
#[derive(Debug)]
struct Failing {
    since: Instant,
    attempts: u64,
    is_held: bool,
}

/// Leave to make one request; given back when dropped.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    gate: &'a Gate,
    round: u64,
}

impl Gate {
    pub(super) fn new(cursor: &Cursor, settings: &DriverSettings) -> Self {
        let max_in_flight = if settings.is_ordered {
            1
        } else {
            settings.max_in_flight.max(1)
        };
        Self {
            state: Mutex::new(State {
                round: 0,
                opens_at: None,
                backoff: Backoff::new(settings.retry, fastrand::Rng::new()),
                limit: max_in_flight,
                under_way: 0,
                waiting: BTreeSet::new(),
                failing: None,
            }),
            changed: Notify::new(),
            max_in_flight,
            probe_interval: settings.probe_interval,
            activity: Arc::clone(cursor.activity()),
            pipeline: cursor.spool_name().to_owned(),
            exporter: cursor.name(),
        }
    }

    /// How many lots may be in flight now: at least one, but none while paused.
    pub(super) fn room(&self) -> usize {
        let state = self.lock();
        if state.is_paused() { 0 } else { state.limit }
    }

    /// Returns when there is no pause.
    pub(super) async fn opened(&self) {
        while let Some(until) = self.paused_until() {
            tokio::time::sleep_until(until).await;
        }
    }

    /// Waits for leave to make a request for the lot that starts at `position`.
    pub(super) async fn enter(&self, position: u64) -> Pass<'_> {
        let _waiting = Waiting::begin(self, position);
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(pass) = self.try_enter(position) {
                return pass;
            }
            match self.paused_until() {
                Some(until) => {
                    // Whichever comes first, the next look decides.
                    let _ = tokio::time::timeout_at(until, changed).await;
                }
                None => changed.await,
            }
        }
    }

    /// Pauses after a failure that no pass tells of.
    pub(super) fn failed_outside(&self) {
        let mut state = self.lock();
        let wait = state.backoff.next(None);
        state.pause(wait);
        self.activity.note_pause(state.opens_at);
    }

    fn try_enter(&self, position: u64) -> Option<Pass<'_>> {
        let mut state = self.lock();
        if !state.may_enter(position) {
            return None;
        }
        state.under_way += 1;
        let round = state.round;
        Some(Pass { gate: self, round })
    }

    fn paused_until(&self) -> Option<Instant> {
        let state = self.lock();
        state.opens_at.filter(|_| state.is_paused())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass<'_> {
    /// The back end answered: the back-off starts anew and one more request may be under way.
    pub(super) fn answered(self) {
        let mut state = self.gate.lock();
        if self.round != state.round {
            return;
        }
        state.backoff.reset();
        state.limit = (state.limit + 1).min(self.gate.max_in_flight);
        state.opens_at = None;
        let Some(failing) = state.failing.take() else {
            return;
        };
        drop(state);
        self.gate.activity.note_pause(None);
        self.gate.activity.note_held(None);
        tracing::info!(
            pipeline = self.gate.pipeline,
            exporter = self.gate.exporter,
            failed_attempts = failing.attempts,
            after_s = failing.since.elapsed().as_secs(),
            "the exporter delivers again"
        );
    }

    /// The request failed for now; `after` is the least wait, when the peer named one.
    pub(super) fn failed(self, after: Option<Duration>, message: &str) {
        let mut state = self.gate.lock();
        if self.round == state.round {
            let wait = state.backoff.next(after);
            state.pause(wait);
            state.limit = (state.limit / 2).max(1);
        } else if let Some(after) = after {
            let until = Instant::now() + after;
            state.opens_at = state.opens_at.max(Some(until));
        }
        let is_first = state.note_failure(false);
        self.gate.activity.note_pause(state.opens_at);
        drop(state);
        if is_first {
            tracing::warn!(
                pipeline = self.gate.pipeline,
                exporter = self.gate.exporter,
                error = message,
                "the exporter fails; its records wait and are tried again"
            );
        }
    }

    /// The peer refuses us: one request at a time, at the probe interval.
    pub(super) fn refused(self, message: &str) {
        let mut state = self.gate.lock();
        if self.round == state.round {
            state.pause(self.gate.probe_interval);
            state.limit = 1;
        }
        let is_first = state.note_failure(true);
        self.gate.activity.note_pause(state.opens_at);
        self.gate.activity.note_held(Some(message));
        drop(state);
        if is_first {
            tracing::error!(
                pipeline = self.gate.pipeline,
                exporter = self.gate.exporter,
                error = message,
                probe_interval_s = self.gate.probe_interval.as_secs(),
                "the back end refuses this agent; its records are held and the back end is probed"
            );
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.gate.lock().under_way -= 1;
        self.gate.changed.notify_waiters();
    }
}

impl State {
    fn is_paused(&self) -> bool {
        self.opens_at.is_some_and(|until| until > Instant::now())
    }

    fn may_enter(&self, position: u64) -> bool {
        let older = self.waiting.range(..position).count();
        !self.is_paused() && self.under_way + older < self.limit
    }

    fn pause(&mut self, wait: Duration) {
        self.round += 1;
        self.opens_at = Some(Instant::now() + wait);
    }

    /// Counts a failed attempt; tells whether this is worth a line in the log.
    fn note_failure(&mut self, is_held: bool) -> bool {
        let failing = self.failing.get_or_insert_with(|| Failing {
            since: Instant::now(),
            attempts: 0,
            is_held: false,
        });
        let is_first = failing.attempts == 0 || (is_held && !failing.is_held);
        failing.attempts += 1;
        failing.is_held |= is_held;
        is_first
    }
}

/// A place in the line before the gate.
struct Waiting<'a> {
    gate: &'a Gate,
    position: u64,
}

impl<'a> Waiting<'a> {
    fn begin(gate: &'a Gate, position: u64) -> Self {
        gate.lock().waiting.insert(position);
        Self { gate, position }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.gate.lock().waiting.remove(&self.position);
        self.gate.changed.notify_waiters();
    }
}
