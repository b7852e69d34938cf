//! What became of a request, and the one place where that turns into the answers of both protocols.

use std::time::Duration;

use ::http::StatusCode;
use ::otlp::response::{self, FieldViolation};
use bytes::Bytes;
use pipeline::{Refused, Signal};

use crate::receivers::otlp::intake::Format;
use crate::transport::grpc::{Code, Status};

/// Longest message of an answer; answers must stay far below what clients read.
const MESSAGE_SIZE_BYTES_MAX: usize = 1 << 10;

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Every pipeline fed has kept it; or there was nothing in it.
    Accepted,
    /// It cannot be read and never will be.
    Malformed {
        /// Which field, as a path; empty when it is about the body as a whole.
        field: String,
        /// What is wrong with it.
        message: String,
    },
    /// It is larger than the limit, as it came or inflated.
    TooLarge {
        /// The limit.
        limit_bytes: usize,
    },
    /// It cannot be kept now.
    Busy {
        /// What is full or broken.
        message: String,
        /// When trying again makes sense.
        retry_after: Duration,
    },
    /// The program is stopping; another replica or the next start will take it.
    Stopping,
    /// No pipeline takes this signal from here.
    NoPipeline(Signal),
    /// There is no such method or path.
    NotFound,
    /// HTTP alone: only POST makes sense.
    MethodNotAllowed,
    /// The media type or the compression is not one that we read.
    Unsupported {
        /// Which, and what we read.
        message: String,
    },
    /// The client's own deadline passed meanwhile.
    DeadlineExceeded,
}

/// When to come back to a program that stops.
const STOPPING_RETRY_AFTER: Duration = Duration::from_secs(1);

impl From<Refused> for Verdict {
    fn from(refused: Refused) -> Self {
        let message = refused.to_string();
        match refused {
            Refused::Full { retry_after, .. } | Refused::Storage { retry_after, .. } => {
                Self::Busy {
                    message,
                    retry_after,
                }
            }
            Refused::ShuttingDown => Self::Stopping,
        }
    }
}

impl Verdict {
    /// A body that is not what it should be, without a field to blame.
    pub(super) fn malformed(message: impl Into<String>) -> Self {
        Self::Malformed {
            field: String::new(),
            message: message.into(),
        }
    }

    /// When the sender should try again; `None` where that makes no sense.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => Some(*retry_after),
            Self::Stopping => Some(STOPPING_RETRY_AFTER),
            _ => None,
        }
    }

    /// The status of an HTTP answer.
    pub(super) fn http_status(&self) -> StatusCode {
        match self {
            Self::Accepted => StatusCode::OK,
            Self::Malformed { .. } => StatusCode::BAD_REQUEST,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Busy { .. } | Self::Stopping => StatusCode::SERVICE_UNAVAILABLE,
            Self::NoPipeline(_) | Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unsupported { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// The status of a gRPC answer, without its details.
    fn grpc_code(&self) -> Code {
        match self {
            Self::Accepted => Code::OK,
            Self::Malformed { .. } => Code::INVALID_ARGUMENT,
            Self::TooLarge { .. } => Code::RESOURCE_EXHAUSTED,
            Self::Busy { .. } | Self::Stopping => Code::UNAVAILABLE,
            Self::NoPipeline(_)
            | Self::NotFound
            | Self::MethodNotAllowed
            | Self::Unsupported { .. } => Code::UNIMPLEMENTED,
            Self::DeadlineExceeded => Code::DEADLINE_EXCEEDED,
        }
    }

    /// The status of a gRPC answer, with its details.
    pub(super) fn grpc_status(&self) -> Status {
        let status = self.status();
        let has_details = status.retry_delay.is_some() || !status.violations.is_empty();
        Status {
            code: self.grpc_code(),
            details: if has_details {
                status.encode()
            } else {
                Vec::new()
            },
            message: status.message,
        }
    }

    /// The body of an HTTP answer.
    pub(super) fn http_body(&self, format: Format) -> Bytes {
        if *self == Self::Accepted {
            return match format {
                Format::Protobuf => Bytes::new(),
                Format::Json => Bytes::from_static(b"{}"),
            };
        }
        match format {
            Format::Protobuf => self.status().encode().into(),
            Format::Json => self.status().to_json().into(),
        }
    }

    fn status(&self) -> response::Status {
        let message = self.message();
        let violations = match self {
            Self::Malformed { field, .. } => vec![FieldViolation {
                field: field.clone(),
                description: message.clone(),
            }],
            _ => Vec::new(),
        };
        response::Status {
            code: self.grpc_code().0.cast_signed(),
            message,
            retry_delay: self.retry_after(),
            violations,
        }
    }

    fn message(&self) -> String {
        let mut message = match self {
            Self::Accepted => String::new(),
            Self::Malformed { message, .. }
            | Self::Busy { message, .. }
            | Self::Unsupported { message } => message.clone(),
            Self::TooLarge { limit_bytes } => {
                format!("the request is larger than {limit_bytes} bytes")
            }
            Self::Stopping => "shutting down".to_owned(),
            Self::NoPipeline(signal) => format!("no pipeline takes {signal} from this receiver"),
            Self::NotFound => "there is nothing of this name".to_owned(),
            Self::MethodNotAllowed => "export requests are sent with POST".to_owned(),
            Self::DeadlineExceeded => "the deadline of the call has passed".to_owned(),
        };
        message.truncate(message.floor_char_boundary(MESSAGE_SIZE_BYTES_MAX));
        message
    }
}
