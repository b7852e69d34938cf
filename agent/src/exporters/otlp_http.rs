//! OTLP/HTTP to any collector or back end, in protobuf or JSON.
//!
//! A status line is an answer, whatever becomes of the body behind it: a request that was accepted
//! is never sent again. Source: OTLP specification 1.11, OTLP/HTTP.

use std::collections::BTreeMap;

use ::otlp::response::{self, ExportResponse};
use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{StatusCode, Uri};
use pipeline::{Batch, ExportError, Exported, Fatal, Payload, Signal};
use serde::{Deserialize, Serialize};

use crate::config::blocks::{RetryOnFailure, SendingQueue};
use crate::config::values::{Interval, Secret};
use crate::config::{Check, ExtensionUse, Problem};
use crate::exporters::otlp::{Compression, Remarks, check_delivery, encoded, plain, too_large};
use crate::transport::compression::Encoding;
use crate::transport::endpoint::Endpoint;
use crate::transport::http::{Client, ClientSettings, Response};
use crate::transport::tls::TlsClient;

/// Options of the `otlp_http` exporter.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Base URL of the peer; `/v1/<signal>` is appended.
    pub(crate) endpoint: String,
    /// Whole URL for traces.
    pub(crate) traces_endpoint: String,
    /// Whole URL for metrics.
    pub(crate) metrics_endpoint: String,
    /// Whole URL for logs.
    pub(crate) logs_endpoint: String,
    /// How requests are written.
    pub(crate) encoding: Format,
    /// How TLS is spoken where the scheme is `https`.
    pub(crate) tls: TlsClient,
    /// How requests are compressed: none, gzip, zstd, deflate or snappy. A peer that does not read
    /// it makes us take the next simpler one.
    pub(crate) compression: Encoding,
    /// How hard.
    pub(crate) compression_params: CompressionParams,
    /// Sent with each request; `host` replaces the host of the URL.
    pub(crate) headers: BTreeMap<String, Secret>,
    /// Time for one attempt.
    pub(crate) timeout: Interval,
    /// Read and without effect: buffers follow the bodies.
    pub(crate) read_buffer_size: Option<u64>,
    /// Read and without effect: buffers follow the bodies.
    pub(crate) write_buffer_size: Option<u64>,
    /// Must be unset.
    pub(crate) proxy_url: Option<String>,
    /// Must be unset: set an `authorization` header instead.
    pub(crate) auth: Option<Auth>,
    /// How far the peer may fall behind, and how many requests are under way.
    pub(crate) sending_queue: SendingQueue,
    /// How a request that failed is tried again.
    pub(crate) retry_on_failure: RetryOnFailure,
}

/// How a request is written.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// The protobuf encoding.
    #[default]
    Proto,
    /// The JSON encoding.
    Json,
}

/// How hard requests are compressed.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CompressionParams {
    /// Level of gzip, deflate (0 to 9) or zstd (1 to 22); 0 is the default, 1.
    pub(crate) level: i32,
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
            traces_endpoint: String::new(),
            metrics_endpoint: String::new(),
            logs_endpoint: String::new(),
            encoding: Format::default(),
            tls: TlsClient::default(),
            compression: Encoding::Gzip,
            compression_params: CompressionParams::default(),
            headers: BTreeMap::new(),
            timeout: Interval::from_secs(30),
            read_buffer_size: None,
            write_buffer_size: None,
            proxy_url: None,
            auth: None,
            sending_queue: SendingQueue::default(),
            retry_on_failure: RetryOnFailure::default(),
        }
    }
}

impl Config {
    /// Where `signal` goes; `None` without an endpoint for it.
    fn endpoint_of(&self, signal: Signal) -> Option<Result<Endpoint, (&'static str, String)>> {
        let (key, own) = match signal {
            Signal::Metrics => ("metrics_endpoint", &self.metrics_endpoint),
            Signal::Logs => ("logs_endpoint", &self.logs_endpoint),
            Signal::Traces => ("traces_endpoint", &self.traces_endpoint),
        };
        if !own.is_empty() {
            return Some(Endpoint::http(own).map_err(|problem| (key, problem)));
        }
        if self.endpoint.is_empty() {
            return None;
        }
        let endpoint =
            Endpoint::http(&self.endpoint).and_then(|base| base.join(signal.http_path()));
        Some(endpoint.map_err(|problem| ("endpoint", problem)))
    }

    fn endpoints(&self) -> Result<[Option<Endpoint>; 3], (&'static str, String)> {
        let [metrics, logs, traces] =
            Signal::ALL.map(|signal| self.endpoint_of(signal).transpose());
        Ok([metrics?, logs?, traces?])
    }

    /// What is read here and does nothing, to be told once.
    fn notes(&self) -> Option<&'static str> {
        (self.read_buffer_size.is_some() || self.write_buffer_size.is_some())
            .then_some("buffer sizes have no effect; buffers follow the bodies")
    }
}

impl Check for Config {
    fn check(&self) -> Result<(), Problem> {
        let endpoints = self
            .endpoints()
            .map_err(|(key, message)| Problem::at(key, message, ""))?;
        if endpoints.iter().all(Option::is_none) {
            return Err(Problem::at(
                "endpoint",
                "no endpoint is given",
                "write the base URL, such as http://collector:4318",
            ));
        }
        self.tls.check("tls")?;
        if self.proxy_url.is_some() {
            return Err(Problem::at(
                "proxy_url",
                "requests are not sent through a proxy",
                "remove the option and give the address that is reached directly",
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
    client: Client,
    uris: [Option<Uri>; 3],
    format: Format,
    compression: Compression,
    remarks: Remarks,
}

impl Exporter {
    /// An exporter without a connection yet; `id` is the component id, for logs.
    ///
    /// # Errors
    /// When an endpoint, a header or a certificate cannot be used.
    pub(crate) fn new(id: &str, config: Config) -> Result<Self, Fatal> {
        if let Some(note) = config.notes() {
            tracing::info!(exporter = id, "{note}");
        }
        let endpoints = config
            .endpoints()
            .map_err(|(_, problem)| Fatal::new(problem))?;
        // A client made for an endpoint with TLS speaks without it, too.
        let first = endpoints
            .iter()
            .flatten()
            .max_by_key(|endpoint| endpoint.is_tls())
            .cloned();
        let first = first.ok_or_else(|| Fatal::new("no endpoint is given"))?;
        let mut settings = ClientSettings::new(first);
        settings.tls = config.tls;
        settings.headers = config.headers.into_iter().collect();
        settings.timeout = Some(config.timeout.0).filter(|timeout| !timeout.is_zero());
        let level = Some(config.compression_params.level).filter(|level| *level > 0);
        Ok(Self {
            client: Client::new(settings)?,
            uris: endpoints.map(|endpoint| endpoint.map(|endpoint| endpoint.uri().clone())),
            format: config.encoding,
            compression: Compression::new(id, config.compression, level),
            remarks: Remarks::new(id),
        })
    }

    async fn body(&self, batch: &Batch, encoding: Encoding) -> Result<Bytes, ExportError> {
        let (_, level) = self.compression.current();
        if self.format == Format::Proto {
            return encoded(&batch.payload, batch.items, encoding, level).await;
        }
        let message = plain(&batch.payload)
            .await
            .map_err(|error| ExportError::BadData {
                reason: "unreadable",
                message: format!("cannot read a request: {error}"),
            })?;
        let mut json = Vec::with_capacity(message.len() * 2);
        ::otlp::json::to_json(batch.signal, &message, &mut json);
        let json = Payload::Plain(json.into());
        encoded(&json, batch.items, encoding, level).await
    }

    fn read(
        &self,
        response: &Response,
        uri: &Uri,
        encoding: Encoding,
        items: u32,
    ) -> Result<Exported, ExportError> {
        if response.status.is_success() {
            return Ok(self.accepted(response, items));
        }
        let message = format!("{uri} answered {}: {}", response.status, told(response));
        if response.status == StatusCode::UNSUPPORTED_MEDIA_TYPE
            && encoding != Encoding::Identity
            && self.compression.step_down(encoding)
        {
            return Err(ExportError::Retry {
                after: None,
                message,
            });
        }
        Err(by_status(response, items, message))
    }

    /// The request was taken; a body that does not say so in full is only a warning.
    fn accepted(&self, response: &Response, items: u32) -> Exported {
        if response.is_cut {
            return self.remarks.unreadable("it is too large or was cut short");
        }
        let decoded = if is_json(response) {
            export_response_from_json(&response.body)
        } else {
            ExportResponse::decode(&response.body).map_err(|error| error.to_string())
        };
        match decoded {
            Ok(response) => self.remarks.exported(response, items),
            Err(why) => self.remarks.unreadable(&why),
        }
    }
}

impl pipeline::Exporter for Exporter {
    async fn export(&self, batch: &Batch) -> Result<Exported, ExportError> {
        let uri = self.uris.get(batch.signal.index()).and_then(Option::as_ref);
        let uri = uri.ok_or_else(|| ExportError::PeerRejection {
            message: format!("no endpoint is given for {}", batch.signal),
        })?;
        let (encoding, _) = self.compression.current();
        let body = self.body(batch, encoding).await?;
        let content_type = match self.format {
            Format::Proto => "application/x-protobuf",
            Format::Json => "application/json",
        };
        let mut headers = vec![(header::CONTENT_TYPE, HeaderValue::from_static(content_type))];
        if encoding != Encoding::Identity {
            let name = HeaderValue::from_static(encoding.as_str());
            headers.push((header::CONTENT_ENCODING, name));
        }
        match self.client.post_to(uri, &headers, body).await {
            Ok(response) => self.read(&response, uri, encoding, batch.items),
            Err(error) => Err(ExportError::Retry {
                after: None,
                message: error.to_string(),
            }),
        }
    }
}

/// The table for answers without success.
fn by_status(response: &Response, items: u32, message: String) -> ExportError {
    match response.status {
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => ExportError::Retry {
            after: response.retry_after(),
            message,
        },
        StatusCode::PAYLOAD_TOO_LARGE => too_large(items, message),
        StatusCode::UNAUTHORIZED
        | StatusCode::FORBIDDEN
        | StatusCode::NOT_FOUND
        | StatusCode::METHOD_NOT_ALLOWED
        | StatusCode::PROXY_AUTHENTICATION_REQUIRED
        | StatusCode::UNSUPPORTED_MEDIA_TYPE => ExportError::PeerRejection { message },
        status if status.is_redirection() => ExportError::PeerRejection {
            message: format!("{message}; redirects are not followed, set the final URL"),
        },
        StatusCode::BAD_REQUEST => ExportError::BadData {
            reason: "invalid",
            message,
        },
        _ => ExportError::BadData {
            reason: "rejected",
            message,
        },
    }
}

/// What an error body says, in whichever of the three forms it comes.
fn told(response: &Response) -> String {
    let message = if is_json(response) {
        serde_json::from_slice::<StatusJson>(&response.body)
            .ok()
            .map(|status| status.message)
    } else if content_type(response).starts_with("application/x-protobuf") {
        response::Status::decode(&response.body)
            .ok()
            .map(|status| status.message)
    } else {
        None
    };
    message
        .filter(|message| !message.is_empty())
        .unwrap_or_else(|| response.excerpt())
}

fn is_json(response: &Response) -> bool {
    content_type(response).starts_with("application/json")
}

fn content_type(response: &Response) -> &str {
    let value = response.headers.get(header::CONTENT_TYPE);
    value
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

#[derive(Deserialize)]
struct StatusJson {
    #[serde(default)]
    message: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ExportResponseJson {
    partial_success: Option<serde_json::Map<String, serde_json::Value>>,
}

/// 64-bit numbers are strings in OTLP/JSON, and numbers with some peers.
fn export_response_from_json(body: &[u8]) -> Result<ExportResponse, String> {
    if body.is_empty() {
        return Ok(ExportResponse::default());
    }
    let response: ExportResponseJson =
        serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let mut partial = ExportResponse::default();
    for (key, value) in response.partial_success.unwrap_or_default() {
        if key.starts_with("rejected") {
            let text = value.as_str().and_then(|text| text.parse().ok());
            partial.rejected_items = text.or(value.as_i64()).unwrap_or_default();
        } else if key == "errorMessage" {
            partial.error_message = value.as_str().unwrap_or_default().to_owned();
        }
    }
    Ok(partial)
}

#[cfg(test)]
mod tests;
