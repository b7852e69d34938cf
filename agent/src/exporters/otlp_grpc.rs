//! OTLP/gRPC to any collector or back end.
//!
//! One HTTP/2 connection, opened when it is needed and replaced when it fails. A dead path, as
//! after the rebuild of a tunnel, is found by pings and by the kernel's user time-out, both on by
//! default. zstd payloads are forwarded as they came.
//!
//! Only a status that the peer sent goes through the table of the OTLP specification; whatever a
//! broken transport looks like is no answer, and is tried again. Source: OTLP specification 1.11.

use std::collections::BTreeMap;
use std::time::Duration;

use ::otlp::response::{self, ExportResponse};
use http::{HeaderMap, StatusCode};
use pipeline::{Batch, ExportError, Exported, Fatal};
use serde::{Deserialize, Serialize};

use crate::config::blocks::{RetryOnFailure, SendingQueue};
use crate::config::values::{Interval, Secret};
use crate::config::{Check, ExtensionUse, Problem};
use crate::exporters::otlp::{Compression, Remarks, check_delivery, encoded, too_large};
use crate::transport::compression::Encoding;
use crate::transport::endpoint::Endpoint;
use crate::transport::grpc::channel::{Channel, ChannelSettings, Reply};
use crate::transport::grpc::{Code, Status};
use crate::transport::tls::TlsClient;

/// A silent peer is pinged after this time.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// A peer that does not answer a ping within this time is gone.
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Options of the `otlp_grpc` exporter.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// The peer: `host:port`, or a URL whose scheme says whether TLS is spoken.
    pub(crate) endpoint: String,
    /// How TLS is spoken; on unless `insecure` is true or the scheme is `http`.
    pub(crate) tls: TlsClient,
    /// How requests are compressed: none, gzip or zstd. A peer that does not read it makes us
    /// take the next simpler one.
    pub(crate) compression: Encoding,
    /// Sent with each call.
    pub(crate) headers: BTreeMap<String, Secret>,
    /// Pings; on by default.
    pub(crate) keepalive: Option<Keepalive>,
    /// Time for one attempt.
    pub(crate) timeout: Interval,
    /// Read and without effect: buffers follow the frames.
    pub(crate) read_buffer_size: Option<u64>,
    /// Read and without effect: buffers follow the frames.
    pub(crate) write_buffer_size: Option<u64>,
    /// Read and without effect: there is one connection.
    pub(crate) balancer_name: Option<String>,
    /// Read and without effect: an attempt without a connection is tried again.
    pub(crate) wait_for_ready: bool,
    /// Must be unset: set an `authorization` header instead.
    pub(crate) auth: Option<Auth>,
    /// How far the peer may fall behind, and how many requests are under way.
    pub(crate) sending_queue: SendingQueue,
    /// How a request that failed is tried again.
    pub(crate) retry_on_failure: RetryOnFailure,
}

/// How a silent peer is found out.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Keepalive {
    /// A silent peer is pinged after this time.
    pub(crate) time: Interval,
    /// A peer that does not answer a ping within this time is gone.
    pub(crate) timeout: Interval,
    /// Ping while no call is in flight, too.
    pub(crate) permit_without_stream: bool,
}

/// Who adds credentials.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Auth {
    /// Id of an extension.
    pub(crate) authenticator: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            tls: TlsClient::default(),
            compression: Encoding::Gzip,
            headers: BTreeMap::new(),
            keepalive: None,
            timeout: Interval::from_secs(5),
            read_buffer_size: None,
            write_buffer_size: None,
            balancer_name: None,
            wait_for_ready: false,
            auth: None,
            sending_queue: SendingQueue::default(),
            retry_on_failure: RetryOnFailure::default(),
        }
    }
}

impl Default for Keepalive {
    fn default() -> Self {
        Self {
            time: Interval(PING_INTERVAL),
            timeout: Interval(PING_TIMEOUT),
            permit_without_stream: true,
        }
    }
}

impl Check for Config {
    fn check(&self) -> Result<(), Problem> {
        if self.endpoint.is_empty() {
            return Err(Problem::at(
                "endpoint",
                "no endpoint is given",
                "write host:port, such as collector:4317",
            ));
        }
        Endpoint::grpc(&self.endpoint, self.tls.insecure)
            .map_err(|message| Problem::at("endpoint", message, ""))?;
        self.tls.check("tls")?;
        if matches!(self.compression, Encoding::Snappy | Encoding::Deflate) {
            return Err(Problem::at(
                "compression",
                format!("{} is not sent over gRPC", self.compression.as_str()),
                "write zstd, gzip or none",
            ));
        }
        if self.auth.is_some() {
            return Err(Problem::at(
                "auth",
                "no extension adds credentials",
                "write the authorization header below headers",
            ));
        }
        check_delivery(&self.sending_queue, &self.retry_on_failure)
    }

    fn extensions(&self) -> Vec<ExtensionUse> {
        let used = self.sending_queue.extensions().into_iter();
        used.map(|used| used.within("sending_queue")).collect()
    }
}

/// Sends batches to one peer.
#[derive(Debug)]
pub(crate) struct Exporter {
    channel: Channel,
    compression: Compression,
    remarks: Remarks,
}

impl Exporter {
    /// An exporter without a connection yet; `id` is the component id, for logs.
    ///
    /// # Errors
    /// When the endpoint, a header or a certificate cannot be used.
    pub(crate) fn new(id: &str, config: Config) -> Result<Self, Fatal> {
        for note in config.notes() {
            tracing::info!(exporter = id, "{note}");
        }
        let keepalive = config.keepalive.unwrap_or_default();
        let settings = ChannelSettings {
            endpoint: Endpoint::grpc(&config.endpoint, config.tls.insecure).map_err(Fatal::new)?,
            tls: config.tls,
            headers: config.headers.into_iter().collect(),
            ping_interval: keepalive.time.0,
            ping_timeout: keepalive.timeout.0,
            is_pinged_while_idle: keepalive.permit_without_stream,
        };
        Ok(Self {
            channel: Channel::new(settings)?,
            compression: Compression::new(id, config.compression, None),
            remarks: Remarks::new(id),
        })
    }

    fn read(&self, reply: Reply, encoding: Encoding, items: u32) -> Result<Exported, ExportError> {
        match reply {
            Reply::Message(message) => Ok(match ExportResponse::decode(&message) {
                Ok(response) => self.remarks.exported(response, items),
                Err(error) => self.remarks.unreadable(&error.to_string()),
            }),
            Reply::TooLarge => Ok(self.remarks.unreadable("it is larger than 4 MiB")),
            Reply::Status(status) if is_about_compression(&status) => {
                self.refused_compression(&status, encoding)
            }
            Reply::Status(status) => by_status(&status, items, &self.told(&status)),
            Reply::Http(status) => {
                let endpoint = self.channel.endpoint();
                let message = format!("{endpoint} answered HTTP {status} instead of gRPC");
                Err(by_http_status(status, items, message))
            }
        }
    }

    fn refused_compression(
        &self,
        status: &Status,
        encoding: Encoding,
    ) -> Result<Exported, ExportError> {
        let message = self.told(status);
        if self.compression.step_down(encoding) {
            return Err(ExportError::Retry {
                after: None,
                message,
            });
        }
        Err(ExportError::PeerRejection { message })
    }

    fn told(&self, status: &Status) -> String {
        let endpoint = self.channel.endpoint();
        format!("{endpoint} answered {}: {}", status.code, status.message)
    }
}

impl pipeline::Exporter for Exporter {
    async fn export(&self, batch: &Batch) -> Result<Exported, ExportError> {
        let (encoding, level) = self.compression.current();
        let message = encoded(&batch.payload, batch.items, encoding, level).await?;
        let method = batch.signal.grpc_method();
        let reply = self
            .channel
            .call(method, HeaderMap::new(), encoding, message)
            .await;
        match reply {
            Ok(reply) => self.read(reply, encoding, batch.items),
            Err(error) => Err(ExportError::Retry {
                after: None,
                message: error.to_string(),
            }),
        }
    }
}

impl Config {
    /// What is read here and does nothing, to be told once.
    fn notes(&self) -> Vec<&'static str> {
        [
            (
                self.read_buffer_size.is_some() || self.write_buffer_size.is_some(),
                "buffer sizes have no effect; buffers follow the frames",
            ),
            (
                self.balancer_name.is_some(),
                "balancer_name has no effect; there is one connection",
            ),
            (
                self.wait_for_ready,
                "wait_for_ready has no effect; an attempt without a connection is tried again",
            ),
        ]
        .into_iter()
        .filter_map(|(is_set, note)| is_set.then_some(note))
        .collect()
    }
}

/// Whether a peer refuses our compression rather than the call; all that we know of say so in words.
fn is_about_compression(status: &Status) -> bool {
    let message = status.message.to_ascii_lowercase();
    status.code == Code::UNIMPLEMENTED
        && (message.contains("compress") || message.contains("grpc-encoding"))
}

/// The table for statuses that the peer sent.
fn by_status(status: &Status, items: u32, told: &str) -> Result<Exported, ExportError> {
    let message = told.to_owned();
    let details = response::Status::decode(&status.details).unwrap_or_default();
    Err(match status.code {
        Code::OK => return Ok(Exported::default()),
        Code::CANCELLED
        | Code::DEADLINE_EXCEEDED
        | Code::ABORTED
        | Code::OUT_OF_RANGE
        | Code::UNAVAILABLE
        | Code::DATA_LOSS => ExportError::Retry {
            after: details.retry_delay,
            message,
        },
        Code::RESOURCE_EXHAUSTED if details.retry_delay.is_some() => ExportError::Retry {
            after: details.retry_delay,
            message,
        },
        Code::RESOURCE_EXHAUSTED => too_large(items, message),
        Code::UNAUTHENTICATED | Code::PERMISSION_DENIED | Code::UNIMPLEMENTED => {
            ExportError::PeerRejection { message }
        }
        Code::INVALID_ARGUMENT => ExportError::BadData {
            reason: "invalid",
            message,
        },
        _ => ExportError::BadData {
            reason: "rejected",
            message,
        },
    })
}

/// What an answer that is not gRPC means: it comes from a proxy, or from a server of another kind.
fn by_http_status(status: StatusCode, items: u32, message: String) -> ExportError {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => too_large(items, message),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => ExportError::Retry {
            after: None,
            message,
        },
        _ if status.is_client_error() || status.is_redirection() => {
            ExportError::PeerRejection { message }
        }
        _ => ExportError::Retry {
            after: None,
            message,
        },
    }
}

#[cfg(test)]
mod tests;
