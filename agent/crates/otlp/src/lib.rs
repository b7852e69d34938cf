//! OTLP as bytes.
//!
//! Encoded export requests are validated once and then read through borrowed views, written by
//! append-only writers, counted, split and edited by re-framing. Nothing is decoded into a tree.
//!
//! This crate must never do I/O, never know a component, and never allocate while it walks.

#![deny(clippy::indexing_slicing)]

mod base64;
pub mod common;
pub mod edit;
pub mod json;
mod levels;
pub mod logs;
pub mod metrics;
pub mod response;
mod schema;
pub mod signal;
pub mod split;
pub mod traces;
pub mod validate;
pub mod wire;
pub mod write;

#[cfg(test)]
mod arbitrary;
#[cfg(test)]
mod oracle;

pub use levels::count_items;
pub use signal::Signal;
pub use split::{Piece, split};
pub use validate::{Invalid, Limits, validate};
