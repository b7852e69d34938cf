//! Back ends: one module each, all of the same shape. An exporter sends one request and reports
//! what came back; queueing and retrying are the driver's.

pub(crate) mod debug;
pub(crate) mod file;
pub(crate) mod loki;
pub(crate) mod otlp_grpc;
pub(crate) mod otlp_http;
pub(crate) mod prometheus;
pub(crate) mod prometheus_remote_write;
mod series;
