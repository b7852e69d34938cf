//! The real binary against real peers, from the outside.
//!
//! Each test starts what it needs on ports of its own below a folder of its own, and leaves
//! nothing behind. What decides is what the peers say, and prost; never the code under test.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod back_ends;
mod chain;
mod commands;
mod demo;
mod hand_made;
mod host;
mod kill;
mod mistakes;
mod peers;
mod rust_sdk;
mod sdks;
mod shutdown;
mod witness;
