//! What answers mean, by the tables of both specifications.
//!
//! A status is an answer to a version of the message: 2xx to a 2.0 message without the headers that
//! count what was written comes from a 1.0 receiver that skipped every field as unknown and stored
//! nothing.

use http::{HeaderMap, StatusCode};
use pipeline::{ExportError, Exported};

use super::super::refusal::refusal;
use super::message::Contents;
use crate::transport::http::Response;

const SAMPLES_WRITTEN: &str = "x-prometheus-remote-write-samples-written";
const HISTOGRAMS_WRITTEN: &str = "x-prometheus-remote-write-histograms-written";
const EXEMPLARS_WRITTEN: &str = "x-prometheus-remote-write-exemplars-written";

/// Versions of the message.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// `prometheus.WriteRequest`.
    V1,
    /// `io.prometheus.write.v2.Request`.
    V2,
}

/// What an answer comes to.
#[derive(Debug)]
pub(super) enum Answer {
    /// The receiver understood the message. The samples and histograms that it did not store are
    /// counted.
    Understood {
        /// Samples and histograms that were sent but not written.
        lost: u64,
        /// The receiver's words where something was lost.
        reason: String,
    },
    /// The receiver stored nothing, because it does not understand this version.
    Foreign {
        /// What to say where the version may not be changed.
        error: ExportError,
        /// Whether it may be the data, after all.
        is_certain: bool,
    },
    /// Anything else.
    Failed(ExportError),
}

/// Reads the answer to a message of `version` that held `contents`.
pub(super) fn read(
    version: Version,
    response: &Response,
    contents: &Contents,
    items: u32,
    endpoint: &str,
) -> Answer {
    let status = response.status;
    let message = || {
        let excerpt = response.excerpt();
        format!("{endpoint} answered {status} to a remote write: {excerpt}")
    };
    let written = (version == Version::V2)
        .then(|| written(&response.headers))
        .flatten();
    let understood = |written: u64| Answer::Understood {
        lost: (contents.samples + contents.histograms).saturating_sub(written),
        reason: response.excerpt(),
    };
    let foreign = |error, is_certain| Answer::Foreign { error, is_certain };
    match (version, status, written) {
        (_, status, Some(written)) if status.is_success() => understood(written),
        (Version::V1, status, _) if status.is_success() => understood(u64::MAX),
        (Version::V2, status, None) if status.is_success() => foreign(
            ExportError::PeerRejection {
                message: format!(
                    "{endpoint} answered {status} to remote write 2.0 without saying what it wrote"
                ),
            },
            true,
        ),
        (_, StatusCode::BAD_REQUEST, Some(written)) => understood(written),
        (Version::V2, StatusCode::UNSUPPORTED_MEDIA_TYPE, _) => {
            foreign(ExportError::PeerRejection { message: message() }, true)
        }
        (Version::V2, StatusCode::BAD_REQUEST, None) => {
            foreign(refusal(response, items, message()), false)
        }
        _ => Answer::Failed(refusal(response, items, message())),
    }
}

/// Nothing but counts and the receiver's words.
pub(super) fn exported(contents: &Contents, lost: u64, words: &str, items: u32) -> Exported {
    let dropped = contents.drops.total();
    let lost = u32::try_from(lost).unwrap_or(u32::MAX);
    let told = items.saturating_sub(dropped);
    let reason = if lost == 0 {
        contents.drops.to_string()
    } else {
        let comma = if dropped == 0 { "" } else { ", " };
        let lost = lost.min(told);
        format!("{:#}{comma}not_written: {lost} ({words})", contents.drops)
    };
    Exported {
        rejected: dropped.saturating_add(lost.min(told)).min(items),
        reason,
    }
}

/// Samples and histograms that a 2.0 receiver says it wrote; `None` where it says nothing.
fn written(headers: &HeaderMap) -> Option<u64> {
    let count = |name| {
        let text = headers.get(name)?.to_str().ok()?;
        text.trim().parse::<u64>().ok()
    };
    let (samples, histograms) = (count(SAMPLES_WRITTEN), count(HISTOGRAMS_WRITTEN));
    samples
        .or(histograms)
        .or_else(|| count(EXEMPLARS_WRITTEN))?;
    Some(samples.unwrap_or(0).saturating_add(histograms.unwrap_or(0)))
}
