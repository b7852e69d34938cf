//! What moves telemetry from receivers to exporters.
//!
//! A [`Batch`] is encoded bytes, the number of items in them, and the memory they are charged for.
//! This crate accepts batches into spools, hands them to exporters, retries, and accounts for each
//! item. It is the only place that queues, retries or sleeps between retries.
//!
//! It must never know a protocol and never decode a payload: of `otlp` it uses the [`Signal`]
//! alone, and whoever builds the graph passes in how a payload is split.
//!
//! How a graph is made of it, for each pipeline:
//!
//! ```ignore
//! let budget = Budget::new(limit_bytes);                       // one for the process
//! let mut delivery = Delivery::new();                          // one for the process
//!
//! let spool = Spool::open(SpoolSettings {
//!     name: "logs/app".into(),
//!     storage: Storage::Disk(DiskSettings::new(directory)),    // or Storage::Memory
//!     cursors: vec![CursorSettings { name: "otlp_grpc/x".into(), limits, on_full: OnFull::Refuse }],
//! }, &budget)?;
//! delivery.add_spool(&spool);
//! let cursor = spool.cursor("otlp_grpc/x").ok_or(..)?;
//! delivery.add_driver(Driver::new(cursor, Arc::new(exporter), DriverSettings::default(), split));
//!
//! let feed = Feed { processors, spool, stats: Arc::new(PipelineStats::default()) };
//! let output = Inlet::new(vec![feed], exporters_prefer_zstd);  // what receivers get
//! tasks.spawn(ScrapeLoop { settings, scraper, output, budget, stats }.run(shutdown));
//!
//! shutdown.cancel();                                           // receivers first, then
//! let report = delivery.shutdown(Duration::from_secs(10)).await;
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
