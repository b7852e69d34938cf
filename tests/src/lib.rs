//! What the end-to-end tests and the benches share: guards around real processes, ports, a load
//! generator, a sink that can be stopped, numbered payloads, and a reader of OTLP-JSON files.
//!
//! Nothing in here uses the code under test: what decides whether a test passes is prost, serde
//! and a few lines of wire reading of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a harness fails by panicking, and speaks to whoever runs the tests"
)]

pub mod client;
pub mod json_lines;
pub mod payload;
pub mod ports;
pub mod process;
pub mod sink;
pub mod skybridge;
pub mod wait;
