//! What moves telemetry from receivers to exporters.
//!
//! A [`Batch`] is encoded bytes, the number of items in them, and the memory they are charged for.
//! This crate accepts batches into spools, hands them to exporters, retries, and accounts for each
//! item. It is the only place that queues, retries or sleeps between retries.
//!
//! It must never know a protocol and never decode a payload: of `otlp` it uses the [`Signal`]
//! alone, and whoever builds the graph passes in how a payload is split.

pub mod batch;
pub mod budget;
pub mod clock;
pub mod component;

pub use batch::{Batch, Origin, Payload};
pub use budget::{Budget, Charge};
pub use component::{
    ExportError, Exported, Exporter, Fatal, Output, Processed, Processor, Refused, ScrapeError,
    Scraped, Scraper,
};
pub use otlp::Signal;
