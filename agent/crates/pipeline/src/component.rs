//! The shapes of components, and the words in which they answer.

use std::future::Future;
use std::time::Duration;

use thiserror::Error;

use crate::{Batch, Payload};

/// Where a receiver sends what it took: the pipelines of one signal that the receiver feeds.
pub trait Output: Clone + Send + Sync + 'static {
    /// Accepts `batch` into the spool of each pipeline fed; returns when it is kept (synced, where
    /// the spool is on disk). Accepting is one act: on `Err` the sender may send the same again.
    fn send(&self, batch: Batch) -> impl Future<Output = Result<(), Refused>> + Send;

    /// Why any batch would be refused now, as far as is known; a receiver that asks before it reads
    /// and inflates a body refuses at a fraction of the cost.
    fn refusal(&self) -> Option<Refused> {
        None
    }

    /// Whether a payload that arrived as zstd should be passed on as it came, because nothing
    /// behind this output has to look inside.
    fn prefers_zstd(&self) -> bool {
        false
    }
}

/// Backpressure: why a batch was not accepted. The sender still has it.
#[derive(Clone, Debug, Error)]
pub enum Refused {
    /// A spool or the byte budget is full.
    #[error("{what} is full; retry in {retry_after:?}")]
    Full {
        /// Which bound was met, for the sender's log.
        what: &'static str,
        /// When trying again makes sense, from the rate at which the spool drains.
        retry_after: Duration,
    },
    /// The disk under the spool fails or is full.
    #[error("the spool cannot write: {reason}; retry in {retry_after:?}")]
    Storage {
        /// What the system said.
        reason: String,
        /// When trying again makes sense.
        retry_after: Duration,
    },
    /// The program is stopping.
    #[error("shutting down")]
    ShuttingDown,
}

/// Changes or drops batches. Pure and synchronous: a processor never waits and never does I/O.
pub trait Processor: Send + Sync + 'static {
    /// The fate of one batch.
    fn process(&self, batch: Batch) -> Processed;
}

/// What a processor decided.
#[derive(Debug)]
pub enum Processed {
    /// Go on with this batch.
    Keep(Batch),
    /// The whole batch ends here, counted under this reason.
    Drop {
        /// Items that end here.
        items: u32,
        /// From a closed list of the processor.
        reason: &'static str,
    },
}

/// Sends batches to one back end. One request for each call: no loop, no sleep, no queue.
pub trait Exporter: Send + Sync + 'static {
    /// Sends `batch` once. Cancelled by dropping the future when the driver's time-out passes.
    fn export(&self, batch: &Batch) -> impl Future<Output = Result<Exported, ExportError>> + Send;
}

/// What became of the items of a batch that the back end answered for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Items the back end refused for good; the others are delivered. At most the batch's items.
    pub rejected: u32,
    /// Why, in the back end's words or the exporter's reason; empty when nothing was rejected.
    pub reason: String,
}

/// Why an export did not succeed. The code is what the driver branches on; `message` is for people.
#[derive(Clone, Debug, Error)]
pub enum ExportError {
    /// Try the same batch again: no answer, or an answer that says so.
    #[error("{message}")]
    Retry {
        /// The least time to wait, when the peer named one.
        after: Option<Duration>,
        /// What was attempted, on what, and what came back.
        message: String,
    },
    /// The back end will never take this data (400, INVALID_ARGUMENT): the driver isolates the
    /// culprit by splitting.
    #[error("{message}")]
    BadData {
        /// A short reason for counters, from the exporter's closed list.
        reason: &'static str,
        /// What was attempted, on what, and what came back.
        message: String,
    },
    /// The back end refuses us, not the data (401, 403, 404, UNIMPLEMENTED): every batch would
    /// fail alike, so the cursor is held and the peer probed.
    #[error("{message}")]
    PeerRejection {
        /// What was attempted, on what, and what came back.
        message: String,
    },
    /// The request is larger than the back end takes: split and send again.
    #[error("{message}")]
    TooLarge {
        /// What was attempted, on what, and what came back.
        message: String,
    },
}

/// Pulls telemetry from one source. The scrape loop around it owns interval, time-out and counting.
pub trait Scraper: Send + 'static {
    /// Reads the source once. `at_unix_nano` is the time stamp that all points of this scrape share.
    fn scrape(
        &mut self,
        at_unix_nano: u64,
    ) -> impl Future<Output = Result<Scraped, ScrapeError>> + Send;
}

/// What one scrape brought.
#[derive(Clone, Debug)]
pub struct Scraped {
    /// The encoded export request.
    pub payload: Payload,
    /// Data points inside.
    pub items: u32,
    /// Parts that could not be read while the rest could, one line each.
    pub partial: Vec<ScrapeError>,
}

/// Why a scrape brought nothing, or not all.
#[derive(Clone, Debug, Error)]
pub enum ScrapeError {
    /// What is asked for does not exist here; a fact, not a fault.
    #[error("{0}")]
    Absent(String),
    /// The source does not answer.
    #[error("{0}")]
    Unreachable(String),
    /// The source answers that we may not.
    #[error("{0}")]
    Denied(String),
    /// The source answers what cannot be read.
    #[error("{0}")]
    Malformed(String),
}

/// Why a component ended that should run for as long as the program.
#[derive(Debug, Error)]
#[error("{message}")]
pub struct Fatal {
    /// What was attempted, on what, and what to do.
    pub message: String,
    /// What the system or a library said.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Fatal {
    /// A fatal error without a cause from below.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            source: None,
        }
    }

    /// A fatal error with its cause.
    pub fn caused(
        message: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self {
            message: message.into(),
            source: Some(source.into()),
        }
    }
}
