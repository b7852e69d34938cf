//! The Skybridge program: configuration, components, and the graph that connects them.

pub mod cli;
mod config;
mod exporters;
mod extensions;
mod graph;
mod processors;
mod receivers;
mod telemetry;
mod transport;
