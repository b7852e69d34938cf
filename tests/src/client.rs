//! Clients: one that asks peers over HTTP, one that sends OTLP as fast as it is taken.

use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Request, Response, body::Incoming};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use std::time::Duration;

/// Longest time for one answer. A peer that is killed answers at once by closing.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// A plain HTTP client.
#[derive(Clone, Debug)]
pub struct Http {
    inner: Client<HttpConnector, Full<Bytes>>,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            inner: Client::builder(TokioExecutor::new()).build(connector()),
        }
    }
}

impl Http {
    /// Status and body of a GET.
    ///
    /// # Errors
    /// What kept the answer from coming.
    pub async fn get(&self, url: &str) -> Result<(u16, String), String> {
        let request = Request::get(url)
            .body(Full::default())
            .map_err(|error| error.to_string())?;
        self.exchange(request).await
    }

    /// Status and body of a POST.
    ///
    /// # Errors
    /// What kept the answer from coming.
    pub async fn post(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<(u16, String), String> {
        let mut request = Request::post(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(Full::new(body.into()))
            .map_err(|error| error.to_string())?;
        self.exchange(request).await
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<(u16, String), String> {
        let response = answer(&self.inner, request).await?;
        let status = response.status().as_u16();
        let body = response
            .into_body()
            .collect()
            .await
            .map_err(|error| format!("answer broke off: {error}"))?
            .to_bytes();
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }
}

/// How OTLP travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// gRPC over HTTP/2 without TLS.
    Grpc,
    /// HTTP/1.1 with protobuf bodies.
    Http,
}

/// Sends encoded export requests to one receiver.
#[derive(Clone, Debug)]
pub struct Sender {
    inner: Client<HttpConnector, Full<Bytes>>,
    url: String,
    protocol: Protocol,
    compressed: bool,
}

/// One export request in the form in which it goes onto the wire.
#[derive(Clone, Debug)]
pub struct Encoded(Bytes);

impl Sender {
    /// A sender of `signal` (`logs`, `metrics` or `trace` as gRPC spells it) to `address`. Bodies
    /// are compressed with zstd when `compressed`.
    #[must_use]
    pub fn new(protocol: Protocol, address: &str, signal: &str, compressed: bool) -> Self {
        let path = match protocol {
            Protocol::Grpc => {
                let service = format!("{}{}", signal[..1].to_uppercase(), &signal[1..]);
                format!("/opentelemetry.proto.collector.{signal}.v1.{service}Service/Export")
            }
            Protocol::Http if signal == "trace" => "/v1/traces".to_owned(),
            Protocol::Http => format!("/v1/{signal}"),
        };
        Self {
            inner: Client::builder(TokioExecutor::new())
                .http2_only(protocol == Protocol::Grpc)
                .http2_initial_stream_window_size(4 << 20)
                .http2_initial_connection_window_size(4 << 20)
                .build(connector()),
            url: format!("http://{address}{path}"),
            protocol,
            compressed,
        }
    }

    /// Compresses and frames a message, once for many sends.
    ///
    /// # Panics
    /// When zstd fails.
    #[must_use]
    pub fn encode(&self, message: &[u8]) -> Encoded {
        let body = if self.compressed {
            zstd::bulk::compress(message, 1).expect("zstd").into()
        } else {
            Bytes::copy_from_slice(message)
        };
        Encoded(match self.protocol {
            Protocol::Grpc => frame(&body, self.compressed),
            Protocol::Http => body,
        })
    }

    /// Sends once.
    ///
    /// # Errors
    /// The status or the failure that came instead of an acknowledgement.
    pub async fn send(&self, message: &Encoded) -> Result<(), String> {
        let request = Request::post(&self.url);
        let request = match self.protocol {
            Protocol::Grpc => request
                .header("content-type", "application/grpc")
                .header("te", "trailers")
                .header(
                    "grpc-encoding",
                    if self.compressed { "zstd" } else { "identity" },
                ),
            Protocol::Http if self.compressed => request
                .header("content-type", "application/x-protobuf")
                .header("content-encoding", "zstd"),
            Protocol::Http => request.header("content-type", "application/x-protobuf"),
        };
        let request = request
            .body(Full::new(message.0.clone()))
            .map_err(|error| error.to_string())?;
        let response = answer(&self.inner, request).await?;
        let status = response.status();
        let headers = response.headers().clone();
        let collected = response
            .into_body()
            .collect()
            .await
            .map_err(|error| format!("answer broke off: {error}"))?;
        match self.protocol {
            Protocol::Grpc => grpc_outcome(collected.trailers().unwrap_or(&headers)),
            Protocol::Http if status.is_success() => Ok(()),
            Protocol::Http => Err(format!("{status}")),
        }
    }
}

/// Sends a decoded request once: for tests that send little.
///
/// # Errors
/// See [`Sender::send`].
pub async fn send_logs(sender: &Sender, request: &ExportLogsServiceRequest) -> Result<(), String> {
    let message = prost::Message::encode_to_vec(request);
    sender.send(&sender.encode(&message)).await
}

fn grpc_outcome(trailers: &HeaderMap) -> Result<(), String> {
    match trailers.get("grpc-status").map(|status| status.as_bytes()) {
        Some(b"0") => Ok(()),
        Some(code) => Err(format!(
            "grpc-status {}: {:?}",
            String::from_utf8_lossy(code),
            trailers.get("grpc-message")
        )),
        None => Err("no grpc-status".to_owned()),
    }
}

/// The five bytes before a gRPC message: whether it is compressed, and its length.
pub(crate) fn frame(body: &[u8], compressed: bool) -> Bytes {
    let mut framed = BytesMut::with_capacity(5 + body.len());
    framed.put_u8(u8::from(compressed));
    framed.put_u32(u32::try_from(body.len()).expect("a message below 4 GiB"));
    framed.put_slice(body);
    framed.freeze()
}

fn connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector
}

async fn answer(
    client: &Client<HttpConnector, Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, String> {
    match tokio::time::timeout(ANSWER_WITHIN, client.request(request)).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(error)) => Err(format!("{error}: {:?}", std::error::Error::source(&error))),
        Err(_) => Err(format!("no answer within {ANSWER_WITHIN:?}")),
    }
}
