//! The receiver over loopback: whole requests by independent encoders, and bytes that no
//! well-behaved sender would write.

mod grpc;
mod http;
mod stopping;
mod tls;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::http::{HeaderMap, Request, Version};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric, number_data_point,
};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use pipeline::{Batch, Budget, Output, Payload, Refused, Signal};
use prost::Message as _;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::receivers::otlp::{Config, Server};
use crate::receivers::{Context, Outputs, Stats};

/// `google.rpc.Status`, decoded by prost.
#[derive(Clone, PartialEq, prost::Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct RetryInfo {
    #[prost(message, tag = "1")]
    delay: Option<RpcDuration>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct RpcDuration {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct BadRequest {
    #[prost(message, repeated, tag = "1")]
    violations: Vec<Violation>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Violation {
    #[prost(string, tag = "1")]
    field: String,
    #[prost(string, tag = "2")]
    description: String,
}

impl RpcStatus {
    /// The delay that the status asks for, in seconds; `None` without one.
    fn retry_seconds(&self) -> Option<f64> {
        let info = self
            .details
            .iter()
            .find(|any| any.type_url.ends_with("RetryInfo"))?;
        let delay = RetryInfo::decode(info.value.as_slice())
            .unwrap()
            .delay
            .unwrap();
        Some(delay.seconds as f64 + f64::from(delay.nanos) / 1e9)
    }

    /// The first field that the status blames.
    fn violation(&self) -> Option<Violation> {
        let any = self
            .details
            .iter()
            .find(|any| any.type_url.ends_with("BadRequest"))?;
        let request = BadRequest::decode(any.value.as_slice()).unwrap();
        request.violations.into_iter().next()
    }
}

/// A pipeline that keeps what it gets, or refuses it.
#[derive(Clone, Debug)]
struct Sink {
    kept: Arc<Mutex<Vec<Batch>>>,
    refusal: Option<Refused>,
    prefers_zstd: bool,
    /// Each batch waits for a permit.
    gate: Arc<Semaphore>,
}

impl Default for Sink {
    fn default() -> Self {
        Self {
            kept: Arc::default(),
            refusal: None,
            prefers_zstd: false,
            gate: Arc::new(Semaphore::new(1_000)),
        }
    }
}

impl Output for Sink {
    async fn send(&self, batch: Batch) -> Result<(), Refused> {
        self.gate.acquire().await.unwrap().forget();
        match &self.refusal {
            Some(refused) => Err(refused.clone()),
            None => {
                self.kept.lock().unwrap().push(batch);
                Ok(())
            }
        }
    }

    fn prefers_zstd(&self) -> bool {
        self.prefers_zstd
    }
}

impl Sink {
    /// Signal, items and protobuf bytes of each batch.
    fn batches(&self) -> Vec<(Signal, u32, Bytes)> {
        let kept = self.kept.lock().unwrap();
        let read = |batch: &Batch| (batch.signal, batch.items, batch.payload.to_plain().unwrap());
        kept.iter().map(read).collect()
    }
}

/// A receiver that runs in the background of a test.
struct Running {
    grpc: SocketAddr,
    http: SocketAddr,
    sink: Sink,
    budget: Budget,
    stats: Arc<Stats>,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

/// How a receiver of a test differs from the usual one.
struct Setup {
    protocols: serde_json::Value,
    sink: Sink,
    budget_bytes: usize,
    takes_traces: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            protocols: serde_json::json!({}),
            sink: Sink::default(),
            budget_bytes: 256 << 20,
            takes_traces: true,
        }
    }
}

async fn start(setup: Setup) -> Running {
    let mut protocols = setup.protocols;
    for protocol in ["grpc", "http"] {
        protocols[protocol]["endpoint"] = "127.0.0.1:0".into();
    }
    let config = serde_json::json!({ "protocols": protocols });
    let config: Config = serde_json::from_value(config).unwrap();
    let shutdown = CancellationToken::new();
    let budget = Budget::new(setup.budget_bytes);
    let stats = Arc::new(Stats::default());
    let context = Context {
        id: "otlp".to_owned(),
        shutdown: shutdown.clone(),
        budget: budget.clone(),
        state_directory: None,
        stats: Arc::clone(&stats),
    };
    let outputs = Outputs {
        metrics: Some(setup.sink.clone()),
        logs: Some(setup.sink.clone()),
        traces: setup.takes_traces.then(|| setup.sink.clone()),
    };
    let server = Server::bind(&config).await.unwrap();
    let addresses: Vec<_> = server.addresses().map(|(_, address)| address).collect();
    let task = tokio::spawn(async move { server.serve(&config, outputs, context).await });
    Running {
        grpc: addresses[0],
        http: addresses[1],
        sink: setup.sink,
        budget,
        stats,
        shutdown,
        task,
    }
}

fn logs(count: usize) -> ExportLogsServiceRequest {
    let record = |number| LogRecord {
        time_unix_nano: 1_700_000_000_000_000_000,
        body: Some(AnyValue {
            value: Some(any_value::Value::StringValue(format!(
                "line {number} of {count}"
            ))),
        }),
        ..LogRecord::default()
    };
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            scope_logs: vec![ScopeLogs {
                log_records: (0..count).map(record).collect(),
                ..ScopeLogs::default()
            }],
            ..ResourceLogs::default()
        }],
    }
}

fn metrics(count: usize) -> ExportMetricsServiceRequest {
    let point = |number: usize| NumberDataPoint {
        time_unix_nano: 1_700_000_000_000_000_000,
        value: Some(number_data_point::Value::AsDouble(number as f64)),
        ..NumberDataPoint::default()
    };
    let gauge = Gauge {
        data_points: (0..count).map(point).collect(),
    };
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            scope_metrics: vec![ScopeMetrics {
                metrics: vec![Metric {
                    name: "temperature".to_owned(),
                    data: Some(metric::Data::Gauge(gauge)),
                    ..Metric::default()
                }],
                ..ScopeMetrics::default()
            }],
            ..ResourceMetrics::default()
        }],
    }
}

fn traces(count: usize) -> ExportTraceServiceRequest {
    let span = |_| Span {
        trace_id: vec![7; 16],
        span_id: vec![9; 8],
        name: "call".to_owned(),
        ..Span::default()
    };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            scope_spans: vec![ScopeSpans {
                spans: (0..count).map(span).collect(),
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    }
}

/// An encoded request of `signal` with `count` items.
fn encoded(signal: Signal, count: usize) -> Vec<u8> {
    match signal {
        Signal::Metrics => metrics(count).encode_to_vec(),
        Signal::Logs => logs(count).encode_to_vec(),
        Signal::Traces => traces(count).encode_to_vec(),
    }
}

/// A message behind its prefix.
fn framed(is_compressed: bool, message: &[u8]) -> Vec<u8> {
    let len = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[u8::from(is_compressed)], len.as_slice(), message].concat()
}

/// The answer to a gRPC call, headers and trailers thrown together.
#[derive(Debug)]
struct Answer {
    status: u16,
    fields: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn code(&self) -> &str {
        self.fields["grpc-status"].to_str().unwrap()
    }

    fn rpc_status(&self) -> RpcStatus {
        let text = self.fields["grpc-status-details-bin"].as_bytes();
        let bytes = crate::transport::grpc::base64::decode(text).unwrap();
        RpcStatus::decode(bytes.as_slice()).unwrap()
    }
}

/// Makes one gRPC call with a body of any bytes, on a connection of its own.
async fn call(address: SocketAddr, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut calls, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    let driver = tokio::spawn(connection);
    let mut request = Request::post(format!("http://{address}{path}"))
        .version(Version::HTTP_2)
        .header("te", "trailers");
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        request = request.header("content-type", "application/grpc+proto");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::from(body))).unwrap();
    let (head, body) = calls.send_request(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap();
    let mut fields = head.headers;
    fields.extend(body.trailers().cloned().unwrap_or_default());
    driver.abort();
    Answer {
        status: head.status.as_u16(),
        fields,
        body: body.to_bytes(),
    }
}

/// Sends `request` as it is over TCP and reads the answer up to the end of the connection.
async fn exchange(address: SocketAddr, request: &[u8]) -> (u16, String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    tokio::time::timeout(Duration::from_secs(10), read)
        .await
        .unwrap()
        .unwrap();
    split_answer(&answer)
}

/// Status, head in lower case, and body of an HTTP/1.1 answer.
fn split_answer(answer: &[u8]) -> (u16, String, Vec<u8>) {
    let end = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap();
    let head = String::from_utf8(answer[..end].to_vec())
        .unwrap()
        .to_ascii_lowercase();
    let status = head[9..12].parse().unwrap();
    (status, head, answer[end + 4..].to_vec())
}

/// A POST with a body of known length, after which the connection closes.
fn post(path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
    );
    [head.as_bytes(), body].concat()
}

const PROTOBUF: &str = "Content-Type: application/x-protobuf\r\n";
const JSON: &str = "Content-Type: application/json\r\n";
