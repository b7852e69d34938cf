//! What serves the program rather than the telemetry.

pub(crate) mod file_storage;
pub(crate) mod health_check;
