//! Back ends: one module each, all of the same shape. An exporter sends one request and reports
//! what came back; queueing and retrying are the driver's.

pub(crate) mod debug;
mod drops;
pub(crate) mod file;
pub(crate) mod loki;
pub(crate) mod otlp;
pub(crate) mod otlp_grpc;
pub(crate) mod otlp_http;
pub(crate) mod prometheus;
pub(crate) mod prometheus_remote_write;
mod refusal;
#[cfg(test)]
mod scripted;
mod series;

use bytes::Bytes;
use pipeline::{Batch, ExportError, Signal};

/// The encoded request of a batch that must be of `signal`.
fn request_of(batch: &Batch, signal: Signal) -> Result<Bytes, ExportError> {
    if batch.signal != signal {
        return Err(ExportError::BadData {
            reason: "wrong_signal",
            message: format!(
                "{} cannot be sent where {} go",
                batch.signal.as_str(),
                signal.as_str()
            ),
        });
    }
    batch
        .payload
        .to_plain()
        .map_err(|error| ExportError::BadData {
            reason: "corrupt_payload",
            message: format!("cannot inflate a batch to translate it: {error}"),
        })
}
