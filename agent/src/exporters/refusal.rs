//! What a status without success means, where the protocol has no table of its own: remote write
//! and Loki.

use http::StatusCode;
use pipeline::ExportError;

use super::otlp::too_large;
use crate::transport::http::Response;

/// The error for a response without success to a request of `items` items. `message` says what was
/// attempted, on what, and what came back.
pub(crate) fn refusal(response: &Response, items: u32, message: String) -> ExportError {
    match response.status {
        status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            ExportError::Retry {
                after: response.retry_after(),
                message,
            }
        }
        StatusCode::UNAUTHORIZED
        | StatusCode::FORBIDDEN
        | StatusCode::NOT_FOUND
        | StatusCode::METHOD_NOT_ALLOWED
        | StatusCode::PROXY_AUTHENTICATION_REQUIRED => ExportError::PeerRejection { message },
        status if status.is_redirection() => ExportError::PeerRejection {
            message: format!("{message}; redirects are not followed, set the final URL"),
        },
        StatusCode::PAYLOAD_TOO_LARGE => too_large(items, message),
        StatusCode::BAD_REQUEST => ExportError::BadData {
            reason: "bad_request",
            message,
        },
        _ => ExportError::BadData {
            reason: "refused",
            message,
        },
    }
}
