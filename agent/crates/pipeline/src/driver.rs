//! Drives one exporter at one cursor: batches, bounds concurrency, retries, splits, counts.
//!
//! Written once for all exporters. An exporter makes one request and says what came of it; what
//! follows from its answer is decided here:
//!
//! * success settles the lot, with what the back end rejected of it;
//! * [`ExportError::Retry`](crate::ExportError) pauses the whole exporter, because the next request
//!   would fail alike, halves its concurrency and tries the same lot again, for as long as the
//!   cursor's age limit (or an elapsed time that the user wrote) lets it live;
//! * `TooLarge` and `BadData` cut the lot in halves until the culprit stands alone; its neighbors
//!   are delivered, the culprit is rejected;
//! * `PeerRejection` holds the cursor, loudly, and probes with one request at an interval, or
//!   rejects the lot where the user asked for the letter of the specification;
//! * a panic is a failed attempt.

mod gate;
mod job;
mod piece;
mod rejections;
mod retry;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::spool::{Cursor, Span};
use crate::stats::Tally;
use crate::{Exporter, Signal};
use gate::Gate;
use job::Job;
pub(crate) use job::caught;
pub use retry::RetrySettings;

/// Cuts a plain payload into pieces of at most `max_items` items each, in order, each with its
/// item count; `otlp::split` bound to no byte limit.
pub type SplitFn = fn(Signal, &Bytes, max_items: u32) -> Vec<(Bytes, u32)>;

/// How a driver treats its exporter.
#[derive(Clone, Debug)]
pub struct DriverSettings {
    /// Requests in flight at most.
    pub max_in_flight: usize,
    /// One request at a time, so that the back end sees records in the order of the spool.
    pub is_ordered: bool,
    /// What becomes one request.
    pub batch: BatchSettings,
    /// Back-off between attempts.
    pub retry: RetrySettings,
    /// Time for one attempt.
    pub timeout: Option<Duration>,
    /// What a verdict on the peer or the credentials does.
    pub on_peer_rejection: OnPeerRejection,
    /// Time between two probes of a peer that refuses us.
    pub probe_interval: Duration,
}

/// What becomes one request: records that are queued already are merged up to the limits.
#[derive(Copy, Clone, Debug)]
pub struct BatchSettings {
    /// Bytes of protobuf in a request; one record may be larger.
    pub max_bytes: usize,
    /// Items in a request; larger records are cut.
    pub max_items: u32,
    /// Records of more bytes, as stored, go alone and as they are: joining is copying, which for
    /// these costs more than the request that it saves. Without effect where requests follow one
    /// another or wait for items, because there the number of requests is what counts.
    pub max_joined_bytes: usize,
    /// Items to wait for before a request is made; 0 never waits.
    pub min_items: u32,
    /// The longest wait for `min_items`.
    pub flush_timeout: Duration,
}

/// What a verdict on the peer or the credentials does (401, 403, 404, UNIMPLEMENTED).
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum OnPeerRejection {
    /// The cursor is held and the peer probed: usually an operator's mistake that hits every batch.
    #[default]
    Hold,
    /// The batch is rejected, by the letter of the OTLP specification.
    Drop,
}

/// Sends what lies at a cursor to an exporter.
#[derive(Debug)]
pub struct Driver<E> {
    cursor: Cursor,
    job: Job<E>,
    gate: Arc<Gate>,
}

impl Default for DriverSettings {
    fn default() -> Self {
        Self {
            max_in_flight: 10,
            is_ordered: false,
            batch: BatchSettings::default(),
            retry: RetrySettings::default(),
            timeout: Some(Duration::from_secs(30)),
            on_peer_rejection: OnPeerRejection::default(),
            probe_interval: Duration::from_secs(60),
        }
    }
}

impl Default for BatchSettings {
    fn default() -> Self {
        Self {
            max_bytes: 1 << 20,
            max_items: u32::MAX,
            max_joined_bytes: 128 << 10,
            min_items: 0,
            flush_timeout: Duration::from_millis(200),
        }
    }
}

impl<E: Exporter> Driver<E> {
    /// A driver of `exporter` at `cursor`.
    #[must_use]
    pub fn new(cursor: Cursor, exporter: Arc<E>, settings: DriverSettings, split: SplitFn) -> Self {
        let gate = Arc::new(Gate::new(&cursor, &settings));
        Self {
            job: Job::new(&cursor, exporter, settings, split, Arc::clone(&gate)),
            cursor,
            gate,
        }
    }

    /// Runs until the spool is closed and all of it is settled, or until `stop`. What is in flight
    /// at `stop` is not settled: a spool on disk hands it out again after the next start.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut jobs = JoinSet::new();
        let mut is_ended = false;
        while !(is_ended && jobs.is_empty()) {
            let has_room = !is_ended && jobs.len() < self.gate.room();
            let is_paused = self.gate.is_paused();
            let batch = self.job.batch_settings();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(done) = jobs.join_next() => match done {
                    Ok((span, tally)) => self.cursor.settle(span, &tally),
                    Err(defect) => {
                        self.take_again(&defect, &mut jobs).await;
                        is_ended = false;
                    }
                },
                lot = self.cursor.next(&batch), if has_room => match lot {
                    Some(lot) => {
                        let job = self.job.clone();
                        jobs.spawn(async move { (lot.span, job.deliver(lot).await) });
                    }
                    None => is_ended = true,
                },
                () = self.gate.opened(), if is_paused => {}
            }
        }
        jobs.shutdown().await;
    }

    /// A delivery ended by a defect of this crate. Which lot it had is lost with it, so everything
    /// that is in flight is taken again.
    async fn take_again(&mut self, defect: &JoinError, jobs: &mut JoinSet<(Span, Tally)>) {
        tracing::error!(
            pipeline = self.cursor.spool_name(),
            exporter = self.cursor.name(),
            error = %defect,
            "a delivery ended by itself; what is in flight is sent again"
        );
        self.cursor.activity().count_panic();
        jobs.shutdown().await;
        self.cursor.rewind();
        self.gate.failed_outside();
    }
}

#[cfg(test)]
mod tests;
