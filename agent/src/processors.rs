//! What happens to batches between receiver and spool: pure and synchronous, one module a processor.

pub(crate) mod attributes;
mod edits;
pub(crate) mod resource;
pub(crate) mod resource_detection;
