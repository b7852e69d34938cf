//! Sources of telemetry: one module a source, all of the same shape.

pub(crate) mod file_log;
pub(crate) mod host_metrics;
pub(crate) mod otlp;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use pipeline::{Budget, Signal};
use tokio_util::sync::CancellationToken;

/// What a receiver is given beside its config and outputs.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// Canonical component id, such as `file_log/postgresql`: for logs, and as the key of state.
    pub(crate) id: String,
    /// Cancelled when receivers are to stop; what is accepted by then is still delivered.
    pub(crate) shutdown: CancellationToken,
    /// The process-wide byte budget, charged before a payload is brought into memory.
    pub(crate) budget: Budget,
    /// Where this receiver may keep state across restarts; `None` without a storage extension.
    pub(crate) state_directory: Option<PathBuf>,
    /// Counters of this receiver.
    pub(crate) stats: Arc<Stats>,
}

/// Outputs of one receiver; a signal that no pipeline takes from it has none.
#[derive(Clone, Debug)]
pub(crate) struct Outputs<O> {
    /// Pipelines for metrics.
    pub(crate) metrics: Option<O>,
    /// Pipelines for logs.
    pub(crate) logs: Option<O>,
    /// Pipelines for traces.
    pub(crate) traces: Option<O>,
}

impl<O> Outputs<O> {
    /// The output for `signal`, if a pipeline takes it.
    pub(crate) fn of(&self, signal: Signal) -> Option<&O> {
        match signal {
            Signal::Metrics => self.metrics.as_ref(),
            Signal::Logs => self.logs.as_ref(),
            Signal::Traces => self.traces.as_ref(),
        }
    }
}

/// Items a receiver accepted, refused (backpressure) and failed (bad input), by signal.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    accepted: [AtomicU64; 3],
    refused: [AtomicU64; 3],
    failed: [AtomicU64; 3],
    is_started: AtomicBool,
}

impl Stats {
    /// Says that the receiver listens, or has found its files: the program may become ready.
    pub(crate) fn set_started(&self) {
        self.is_started.store(true, Ordering::Relaxed);
    }

    /// Whether the receiver has started.
    pub(crate) fn is_started(&self) -> bool {
        self.is_started.load(Ordering::Relaxed)
    }

    /// Counts items that every pipeline fed has kept.
    pub(crate) fn count_accepted(&self, signal: Signal, items: u64) {
        self.accepted[signal.index()].fetch_add(items, Ordering::Relaxed);
    }

    /// Counts items, or requests whose items are unknown, that were sent back for lack of room.
    pub(crate) fn count_refused(&self, signal: Signal, items: u64) {
        self.refused[signal.index()].fetch_add(items, Ordering::Relaxed);
    }

    /// Counts requests or lines that could not be read.
    pub(crate) fn count_failed(&self, signal: Signal, items: u64) {
        self.failed[signal.index()].fetch_add(items, Ordering::Relaxed);
    }

    /// Accepted, refused and failed items of `signal` since the start.
    pub(crate) fn totals(&self, signal: Signal) -> (u64, u64, u64) {
        let at = signal.index();
        let read = |counters: &[AtomicU64; 3]| counters[at].load(Ordering::Relaxed);
        (
            read(&self.accepted),
            read(&self.refused),
            read(&self.failed),
        )
    }
}
