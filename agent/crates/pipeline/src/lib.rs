//! What moves telemetry from receivers to exporters.
//!
//! A [`Batch`] is encoded bytes, the number of items in them, and the memory they are charged for.
//! This crate accepts batches into spools, hands them to exporters, retries, and accounts for each
//! item. It is the only place that queues, retries or sleeps between retries.
//!
//! It must never know a protocol and never decode a payload: of `otlp` it uses the [`Signal`]
//! alone, and whoever builds the graph passes in how a payload is split.
//!
//! How a graph is made of it:
//!
//! ```no_run
//! use std::{sync::Arc, time::Duration};
//! use pipeline::*;
//! use tokio_util::sync::CancellationToken;
//!
//! async fn run<E: Exporter, P: Processor, S: Scraper>(
//!     exporter: E, split: SplitFn, processors: Arc<[P]>, scraper: S, scrape: ScrapeSettings,
//! ) -> Result<ShutdownReport, Box<dyn std::error::Error>> {
//!     let budget = Budget::new(64 << 20);                     // one for the process
//!     let mut delivery = Delivery::new();                     // one for the process
//!
//!     let limits = Limits { bytes: 1 << 30, records: None, items: None, age: None };
//!     let cursor = CursorSettings {
//!         name: "otlp_grpc/x".into(), limits, on_full: OnFull::Refuse, waits_for_result: false,
//!     };
//!     let spool = Spool::open(SpoolSettings {                 // one for each pipeline
//!         name: "logs/app".into(),
//!         storage: Storage::Disk(DiskSettings::new("/var/lib/skybridge/logs-app")),
//!         cursors: vec![cursor],                              // one for each of its exporters
//!     }, &budget)?;
//!     delivery.add_spool(&spool);
//!     let cursor = spool.cursor("otlp_grpc/x").ok_or("no such exporter")?;
//!     let settings = DriverSettings::default();
//!     delivery.add_driver(Driver::new(cursor, Arc::new(exporter), settings, split));
//!
//!     let feed = Feed { processors, spool, stats: Arc::default() };
//!     let output = Inlet::new(vec![feed], false);             // what a receiver sends to
//!     let shutdown = CancellationToken::new();
//!     let stats = Arc::default();
//!     ScrapeLoop { settings: scrape, scraper, output, budget, stats }.run(shutdown).await;
//!
//!     Ok(delivery.shutdown(Duration::from_secs(10)).await)    // when all receivers have ended
//! }
//! ```

pub mod batch;
pub mod budget;
pub mod clock;
pub mod component;
pub mod delivery;
pub mod driver;
#[cfg(test)]
mod fake;
pub mod inlet;
pub mod scrape;
pub mod spool;
pub mod stats;

pub use batch::{Batch, Origin, Payload};
pub use budget::{Budget, Charge};
pub use component::{
    ExportError, Exported, Exporter, Fatal, Output, Processed, Processor, Refused, ScrapeError,
    Scraped, Scraper,
};
pub use delivery::{Delivery, ShutdownReport};
pub use driver::{BatchSettings, Driver, DriverSettings, OnPeerRejection, RetrySettings, SplitFn};
pub use inlet::{Feed, Inlet};
pub use otlp::Signal;
pub use scrape::{ScrapeLoop, ScrapeSettings};
pub use spool::{
    CursorSettings, DiskSettings, Limits, OnFull, OpenError, Spool, SpoolSettings, Storage,
};
pub use stats::{CursorStats, DiskStats, PipelineStats, Reasons, ScrapeStats, SpoolStats, Tally};
