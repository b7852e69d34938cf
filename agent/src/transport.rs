//! Bytes to and from other programs: addresses, TLS, compression, HTTP and gRPC framing.
//!
//! Nothing here knows what telemetry is. Components describe what they want with settings and get
//! plain futures back; nothing here retries, and nothing here waits between attempts.

pub(crate) mod compression;
pub(crate) mod dial;
pub(crate) mod endpoint;
pub(crate) mod grpc;
pub(crate) mod http;
#[cfg(test)]
pub(crate) mod scripted;
pub(crate) mod serve;
pub(crate) mod tls;
