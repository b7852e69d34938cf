//! OTLP as bytes.
//!
//! Encoded export requests are validated once and then read through borrowed views, written by
//! append-only writers, counted, split and edited by re-framing. Nothing is decoded into a tree.
//!
//! This crate must never do I/O, never know a component, and never allocate while it walks.

pub mod signal;

pub use signal::Signal;
