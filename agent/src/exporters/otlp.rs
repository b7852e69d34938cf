//! What the exporters that speak OTLP share: the payload as it goes onto the wire, and reading what
//! a peer says about a request that it took.

use std::io;
use std::sync::Mutex;

use ::otlp::response::ExportResponse;
use bytes::Bytes;
use pipeline::{ExportError, Exported, Payload};

use crate::config::blocks::{RetryOnFailure, SendingQueue};
use crate::config::{Check, Problem};
use crate::transport::compression::{Encoding, INLINE_SIZE_BYTES_MAX, compress_apart};

/// Largest request that is ever sent, compressed or not, as the OTLP specification recommends.
const REQUEST_SIZE_BYTES_MAX: usize = 64 << 20;

/// `payload` in `encoding`. A payload that is compressed already goes out as it came.
///
/// # Errors
/// `BadData` when the payload cannot be inflated or compressed, `TooLarge` (or `BadData` for a
/// single item) when the request would be larger than anybody takes.
pub(crate) async fn encoded(
    payload: &Payload,
    items: u32,
    encoding: Encoding,
    level: Option<i32>,
) -> Result<Bytes, ExportError> {
    if payload.plain_size_bytes() > REQUEST_SIZE_BYTES_MAX {
        let size = payload.plain_size_bytes();
        return Err(too_large(
            items,
            format!("a request of {size} bytes is larger than {REQUEST_SIZE_BYTES_MAX}"),
        ));
    }
    match payload {
        Payload::Zstd { frames, .. } if encoding == Encoding::Zstd => Ok(frames.clone()),
        _ => {
            let unreadable = |error: io::Error| ExportError::BadData {
                reason: "unreadable",
                message: format!(
                    "cannot compress a request as {}: {error}",
                    encoding.as_str()
                ),
            };
            let plain = plain(payload).await.map_err(unreadable)?;
            compress_apart(encoding, level, plain)
                .await
                .map_err(unreadable)
        }
    }
}

/// The protobuf message, inflated on a blocking thread where it is large.
///
/// # Errors
/// When the frames do not inflate to their recorded size.
pub(crate) async fn plain(payload: &Payload) -> io::Result<Bytes> {
    if matches!(payload, Payload::Plain(_)) || payload.len() <= INLINE_SIZE_BYTES_MAX {
        return payload.to_plain();
    }
    let payload = payload.clone();
    let inflated = tokio::task::spawn_blocking(move || payload.to_plain());
    inflated.await.map_err(io::Error::other)?
}

/// What to do with a request that is larger than the peer takes: split it, unless it is one item.
pub(crate) fn too_large(items: u32, message: String) -> ExportError {
    if items > 1 {
        ExportError::TooLarge { message }
    } else {
        ExportError::BadData {
            reason: "too_large",
            message,
        }
    }
}

/// Checks the two blocks that say how an exporter delivers.
///
/// # Errors
/// The first thing that cannot work.
pub(crate) fn check_delivery(queue: &SendingQueue, retry: &RetryOnFailure) -> Result<(), Problem> {
    queue
        .check()
        .map_err(|problem| problem.within("sending_queue"))?;
    retry
        .check()
        .map_err(|problem| problem.within("retry_on_failure"))
}

/// What a peer says about requests that it took, told once until it says something else.
#[derive(Debug)]
pub(crate) struct Remarks {
    exporter: String,
    last: Mutex<String>,
}

impl Remarks {
    /// Nothing was said yet.
    pub(crate) fn new(exporter: &str) -> Self {
        Self {
            exporter: exporter.to_owned(),
            last: Mutex::default(),
        }
    }

    /// What became of `items` items that the peer took with this response.
    pub(crate) fn exported(&self, response: ExportResponse, items: u32) -> Exported {
        let ExportResponse {
            rejected_items,
            error_message,
        } = response;
        let rejected = u32::try_from(rejected_items.max(0))
            .unwrap_or(u32::MAX)
            .min(items);
        if rejected > 0 {
            self.tell(&format!("the peer rejected items: {error_message}"));
        } else if !error_message.is_empty() {
            self.tell(&format!("the peer warns: {error_message}"));
        }
        let reason = if rejected > 0 {
            error_message
        } else {
            String::new()
        };
        Exported { rejected, reason }
    }

    /// Everything was delivered, though the answer could not be read.
    pub(crate) fn unreadable(&self, why: &str) -> Exported {
        self.tell(&format!(
            "the peer took a request, and its answer cannot be read: {why}"
        ));
        Exported::default()
    }

    fn tell(&self, text: &str) {
        if let Ok(mut last) = self.last.lock()
            && *last != text
        {
            tracing::warn!(exporter = self.exporter, "{text}");
            text.clone_into(&mut last);
        }
    }
}

/// The compression in use, which steps down when a peer does not read it.
#[derive(Debug)]
pub(crate) struct Compression {
    exporter: String,
    level: Option<i32>,
    current: Mutex<Encoding>,
}

impl Compression {
    /// Starts with `encoding`.
    pub(crate) fn new(exporter: &str, encoding: Encoding, level: Option<i32>) -> Self {
        Self {
            exporter: exporter.to_owned(),
            level,
            current: Mutex::new(encoding),
        }
    }

    /// What to use for the next request, and at which level.
    pub(crate) fn current(&self) -> (Encoding, Option<i32>) {
        let current = self
            .current
            .lock()
            .map_or(Encoding::Identity, |current| *current);
        (current, self.level)
    }

    /// The peer does not read `refused`: take the next simpler one. Whether there was one.
    pub(crate) fn step_down(&self, refused: Encoding) -> bool {
        let Ok(mut current) = self.current.lock() else {
            return false;
        };
        if *current != refused {
            return true;
        }
        *current = match refused {
            Encoding::Identity => return false,
            Encoding::Gzip => Encoding::Identity,
            _ => Encoding::Gzip,
        };
        tracing::warn!(
            exporter = self.exporter,
            refused = refused.as_str(),
            now = current.as_str(),
            "the peer does not read this compression",
        );
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_cannot_reject_more_than_was_sent() {
        for (rejected_items, expected) in [(3, 3), (11, 10), (-1, 0), (i64::MAX, 10)] {
            let response = ExportResponse {
                rejected_items,
                error_message: "no".to_owned(),
            };
            let exported = Remarks::new("otlp_grpc").exported(response, 10);
            assert_eq!(exported.rejected, expected);
        }
    }

    #[test]
    fn compression_steps_down_once_for_many_refusals_of_one_kind() {
        let compression = Compression::new("otlp_grpc", Encoding::Zstd, None);
        assert!(compression.step_down(Encoding::Zstd));
        assert!(compression.step_down(Encoding::Zstd));
        assert_eq!(compression.current().0, Encoding::Gzip);
        assert!(compression.step_down(Encoding::Gzip));
        assert!(!compression.step_down(Encoding::Identity));
    }

    #[tokio::test]
    async fn a_zstd_frame_goes_out_as_it_came() {
        let frames = Bytes::from(zstd::bulk::compress(b"request", 3).unwrap());
        let payload = Payload::Zstd {
            frames: frames.clone(),
            plain_size_bytes: 7,
        };
        let sent = encoded(&payload, 1, Encoding::Zstd, None).await.unwrap();
        assert_eq!(sent, frames);
        assert_eq!(sent.as_ptr(), frames.as_ptr());
        let sent = encoded(&payload, 1, Encoding::Identity, None)
            .await
            .unwrap();
        assert_eq!(sent, "request");
    }

    #[tokio::test]
    async fn nothing_larger_than_the_limit_is_sent() {
        let payload = Payload::Zstd {
            frames: Bytes::new(),
            plain_size_bytes: (64 << 20) + 1,
        };
        for (items, is_split) in [(2, true), (1, false)] {
            let error = encoded(&payload, items, Encoding::Zstd, None)
                .await
                .unwrap_err();
            assert_eq!(matches!(error, ExportError::TooLarge { .. }), is_split);
        }
    }
}
