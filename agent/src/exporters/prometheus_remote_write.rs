//! Sends metrics by Prometheus remote write, 2.0 where the receiver knows it, else 1.0.
//!
//! Which version an endpoint understands is found out with the first request, and kept: a receiver
//! of 1.0 alone answers a 2.0 message with success and stores nothing, so that an answer counts
//! only when it says what was written. The data of the first request is sent again as 1.0 then; no
//! sample is lost in finding out. A retry may come to the receiver as a repetition, which it takes.
//!
//! Receivers refuse what is out of order, and an older one then takes nothing of the request. So
//! requests of one exporter must follow one another, and what a receiver would refuse is not sent. Where a receiver is told its out-of-order window (Prometheus:
//! `storage.tsdb.out_of_order_time_window`), `max_age` should be the same.
//!
//! Counted are OTLP data points. A receiver counts samples, and a histogram is many of them; a
//! point is rejected when any of its samples is. Where a 2.0 receiver says that some samples were
//! not written it does not say which: each is then counted as a point of its own, up to all points
//! of the request. So a rejection is never told too small.

mod answer;
mod histogram;
mod message;
mod v1;
mod v2;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use pipeline::{Batch, ExportError, Exported, Fatal, Signal, clock};
use serde::{Deserialize, Serialize};

use self::answer::{Answer, Version};
use self::message::{Contents, Guard, Told, Window, Writer};
use super::otlp::check_delivery;
use super::series::config::{ResourceConversion, TargetInfo, check_labels, strategy};
use super::series::identity::KeyMap;
use super::series::{LabelStyle, Settings, Strategy, Translator};
use crate::config::blocks::{RetryOnFailure, SendingQueue};
use crate::config::values::{ByteSize, Interval, Secret};
use crate::config::{Check, ExtensionUse, Problem};
use crate::transport::endpoint::Endpoint;
use crate::transport::http::{Client, ClientSettings};
use crate::transport::tls::TlsClient;

/// Headers that the protocol sets.
const RESERVED_HEADERS: [&str; 4] = [
    "content-encoding",
    "content-type",
    "user-agent",
    "x-prometheus-remote-write-version",
];

/// Rendered label sets that are kept, in bytes: about 100,000 series.
const CACHE_BYTES: usize = 64 << 20;

/// Options of `prometheus_remote_write`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// The whole URL of the receiver, such as `http://prometheus:9090/api/v1/write`. Required.
    pub(crate) endpoint: String,
    /// How TLS is spoken where the scheme is `https`.
    pub(crate) tls: TlsClient,
    /// Time for one attempt.
    pub(crate) timeout: Interval,
    /// Sent with each request. The four that the protocol sets are refused.
    pub(crate) headers: BTreeMap<String, Secret>,
    /// Labels for every series that has none of that name.
    pub(crate) external_labels: BTreeMap<String, String>,
    /// Put before every metric name.
    pub(crate) namespace: String,
    /// `false` is the strategy without suffixes, where none is chosen.
    pub(crate) add_metric_suffixes: bool,
    /// How names are made.
    pub(crate) translation_strategy: Option<Strategy>,
    /// Where label names follow Prometheus' own OTLP receiver instead of the specification.
    pub(crate) label_names: LabelStyle,
    /// Leave out the labels of the instrumentation scope.
    pub(crate) without_scope_info: bool,
    /// Tell type, help and unit in 1.0 messages too; 2.0 messages always do.
    pub(crate) send_metadata: bool,
    /// Resource attributes as labels of every series.
    pub(crate) resource_to_telemetry_conversion: ResourceConversion,
    /// Resource attributes as a series of their own.
    pub(crate) target_info: TargetInfo,
    /// Largest request before compression, in bytes.
    pub(crate) max_batch_size_bytes: u64,
    /// Most samples in a request; 0 for no bound.
    pub(crate) max_batch_samples: u64,
    /// Forces a version instead of finding out.
    pub(crate) protobuf_message: Option<ProtobufMessage>,
    /// Samples older than this are dropped and counted; 0 for no bound. Set it to the receiver's
    /// out-of-order window.
    pub(crate) max_age: Interval,
    /// Samples further ahead than this are dropped and counted; 0 for no bound. A receiver that
    /// took one would refuse the present for as long.
    pub(crate) max_ahead: Interval,
    /// Memory for rendered label sets.
    pub(crate) cache_size: ByteSize,
    /// `endpoint`, `tls`, `timeout` and `headers`, where newer configs have them.
    pub(crate) http: Option<Http>,
    /// Read for compatibility: order within a series needs one request at a time.
    pub(crate) max_batch_request_parallelism: Option<u32>,
    /// Read for compatibility: the queue is `sending_queue`.
    pub(crate) remote_write_queue: Option<RemoteWriteQueue>,
    /// Must be unset: a queue on disk is `sending_queue` with `storage`.
    pub(crate) wal: Option<Wal>,
    /// How far the receiver may fall behind.
    pub(crate) sending_queue: SendingQueue,
    /// How a request that failed is tried again.
    pub(crate) retry_on_failure: RetryOnFailure,
}

/// How the receiver is reached.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Http {
    /// The whole URL of the receiver.
    pub(crate) endpoint: String,
    /// How TLS is spoken where the scheme is `https`.
    pub(crate) tls: TlsClient,
    /// Time for one attempt.
    pub(crate) timeout: Interval,
    /// Sent with each request.
    pub(crate) headers: BTreeMap<String, Secret>,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            tls: TlsClient::default(),
            timeout: Interval::from_secs(30),
            headers: BTreeMap::new(),
        }
    }
}

/// The queue of the OpenTelemetry Collector's exporter.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RemoteWriteQueue {
    /// Without effect.
    pub(crate) enabled: Option<bool>,
    /// Without effect.
    pub(crate) queue_size: Option<u64>,
    /// Without effect.
    pub(crate) num_consumers: Option<u32>,
}

/// The log on disk of the OpenTelemetry Collector's exporter.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Wal {
    /// Where it would be.
    pub(crate) directory: Option<String>,
    /// How many entries are read at once.
    pub(crate) buffer_size: Option<u64>,
    /// How often it is cut.
    pub(crate) truncate_frequency: Option<Interval>,
    /// How often it is measured.
    pub(crate) lag_record_frequency: Option<Interval>,
}

/// Versions of the message, by the names of Prometheus' configuration.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) enum ProtobufMessage {
    /// Remote write 1.0.
    #[serde(rename = "prometheus.WriteRequest")]
    V1,
    /// Remote write 2.0.
    #[serde(rename = "io.prometheus.write.v2.Request")]
    V2,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            tls: TlsClient::default(),
            timeout: Interval::from_secs(30),
            headers: BTreeMap::new(),
            external_labels: BTreeMap::new(),
            namespace: String::new(),
            add_metric_suffixes: true,
            translation_strategy: None,
            label_names: LabelStyle::default(),
            without_scope_info: false,
            send_metadata: false,
            resource_to_telemetry_conversion: ResourceConversion::default(),
            target_info: TargetInfo::default(),
            max_batch_size_bytes: 3_000_000,
            max_batch_samples: 2_000,
            protobuf_message: None,
            max_age: Interval::from_secs(24 * 3_600),
            max_ahead: Interval::from_secs(600),
            cache_size: ByteSize(CACHE_BYTES as u64),
            http: None,
            max_batch_request_parallelism: None,
            remote_write_queue: None,
            wal: None,
            sending_queue: SendingQueue::default(),
            retry_on_failure: RetryOnFailure::default(),
        }
    }
}

impl Config {
    /// How the receiver is reached, and under which key that is written.
    fn http(&self) -> (Http, &'static str) {
        match &self.http {
            Some(http) => (http.clone(), "http::"),
            None => {
                let http = Http {
                    endpoint: self.endpoint.clone(),
                    tls: self.tls.clone(),
                    timeout: self.timeout,
                    headers: self.headers.clone(),
                };
                (http, "")
            }
        }
    }

    /// The time for one attempt.
    pub(crate) fn attempt_timeout(&self) -> Interval {
        self.http().0.timeout
    }

    /// Most data points worth putting into one request; a point is at least one sample.
    pub(crate) fn max_items(&self) -> u32 {
        match u32::try_from(self.max_batch_samples) {
            Ok(0) | Err(_) => u32::MAX,
            Ok(samples) => samples,
        }
    }

    fn check_http(&self) -> Result<(), Problem> {
        let (http, key) = self.http();
        if self.http.is_some() && !self.endpoint.is_empty() {
            return Err(Problem::at(
                "endpoint",
                "the endpoint is given twice",
                "keep the one below `http`",
            ));
        }
        let unusable = |message: String| {
            let hint = "write the whole URL, such as http://prometheus:9090/api/v1/write";
            Problem::at(format!("{key}endpoint"), message, hint)
        };
        if http.endpoint.is_empty() {
            return Err(unusable("no endpoint is given".to_owned()));
        }
        Endpoint::http(&http.endpoint).map_err(unusable)?;
        for name in http.headers.keys() {
            if RESERVED_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
                return Err(Problem::at(
                    format!("{key}headers::{name}"),
                    format!("the protocol sets the header `{name}`"),
                    "remove the header",
                ));
            }
        }
        http.tls.check(&format!("{key}tls"))
    }
}

impl Check for Config {
    fn check(&self) -> Result<(), Problem> {
        self.check_http()?;
        if self.wal.is_some() {
            return Err(Problem::at(
                "wal",
                "there is no log beside the queue",
                "name a file_storage extension in `sending_queue::storage`: the queue is then kept \
                 on disk, in order, until it is delivered",
            ));
        }
        check_labels("external_labels", self.external_labels.keys())?;
        check_delivery(&self.sending_queue, &self.retry_on_failure)
    }

    fn extensions(&self) -> Vec<ExtensionUse> {
        let used = self.sending_queue.extensions().into_iter();
        used.map(|used| used.within("sending_queue")).collect()
    }
}

/// Sends batches to one receiver.
#[derive(Debug)]
pub(crate) struct Exporter {
    id: String,
    client: Client,
    limits: Limits,
    forced: Option<Version>,
    known: Known,
    encoder: Mutex<Encoder>,
}

/// Bounds of a request, and of the times in it.
#[derive(Copy, Clone, Debug)]
struct Limits {
    body_bytes: usize,
    samples: u64,
    max_age_ms: i64,
    max_ahead_ms: i64,
}

/// Turns requests into bodies; what it holds is used again from request to request.
#[derive(Debug)]
struct Encoder {
    translator: Translator,
    v1: v1::V1,
    v2: v2::V2,
    told: KeyMap<Told>,
    body: Vec<u8>,
    snappy: snap::raw::Encoder,
}

/// A request ready to be sent.
#[derive(Debug)]
struct Rendered {
    contents: Contents,
    body: Bytes,
}

/// What became of a request.
#[derive(Debug)]
enum Attempt {
    /// The receiver answered for each item.
    Done(Exported),
    /// It stored nothing, and another version may cure that.
    Foreign {
        error: ExportError,
        is_certain: bool,
    },
}

/// The version that the endpoint is known to understand.
#[derive(Debug, Default)]
struct Known(AtomicU8);

impl Known {
    fn get(&self) -> Option<Version> {
        match self.0.load(Ordering::Relaxed) {
            1 => Some(Version::V1),
            2 => Some(Version::V2),
            _ => None,
        }
    }

    /// Keeps `version`; true where another was kept before.
    fn set(&self, version: Version) -> bool {
        let number = match version {
            Version::V1 => 1,
            Version::V2 => 2,
        };
        self.0.swap(number, Ordering::Relaxed) != number
    }
}

impl Exporter {
    /// An exporter without a connection yet; `id` is the component id, for logs.
    ///
    /// # Errors
    /// When the endpoint, a header or a certificate cannot be used.
    pub(crate) fn new(id: &str, config: Config) -> Result<Self, Fatal> {
        let (http, _) = config.http();
        let mut client = ClientSettings::new(Endpoint::http(&http.endpoint).map_err(Fatal::new)?);
        client.tls = http.tls;
        client.timeout = Some(http.timeout.0).filter(|timeout| !timeout.is_zero());
        client.headers = http.headers.into_iter().collect();
        Ok(Self {
            id: id.to_owned(),
            client: Client::new(client)?,
            limits: Limits::new(&config),
            forced: config.protobuf_message.map(|message| match message {
                ProtobufMessage::V1 => Version::V1,
                ProtobufMessage::V2 => Version::V2,
            }),
            known: Known::default(),
            encoder: Mutex::new(Encoder::new(config)),
        })
    }

    /// The version of the message that the receiver is known to understand: 1, 2, or `None` before
    /// the first answer.
    #[cfg(test)]
    pub(crate) fn protocol(&self) -> Option<u8> {
        self.known.get().map(|version| match version {
            Version::V1 => 1,
            Version::V2 => 2,
        })
    }

    /// Renders `request`, and says no where that would be too large to send.
    fn render(
        &self,
        request: &[u8],
        items: u32,
        version: Version,
    ) -> Result<Rendered, ExportError> {
        let window = self.limits.window(clock::unix_nano());
        let mut encoder = self.encoder.lock().unwrap_or_else(PoisonError::into_inner);
        let contents = encoder.encode(request, version, window);
        let plain_bytes = encoder.body.len();
        let told = contents.samples + contents.histograms;
        let is_too_large = plain_bytes > self.limits.body_bytes
            || (self.limits.samples > 0 && told > self.limits.samples);
        if is_too_large && items > 1 {
            return Err(ExportError::TooLarge {
                message: format!(
                    "{items} data points are {told} samples in {plain_bytes} bytes; \
                     a request holds {} samples in {} bytes",
                    self.limits.samples, self.limits.body_bytes
                ),
            });
        }
        Ok(Rendered {
            contents,
            body: encoder.compress()?,
        })
    }

    async fn send(
        &self,
        rendered: &Rendered,
        items: u32,
        version: Version,
    ) -> Result<Answer, ExportError> {
        let (content_type, number) = match version {
            Version::V1 => ("application/x-protobuf", "0.1.0"),
            Version::V2 => (
                "application/x-protobuf;proto=io.prometheus.write.v2.Request",
                "2.0.0",
            ),
        };
        let fixed = HeaderValue::from_static;
        let headers = [
            (header::CONTENT_ENCODING, fixed("snappy")),
            (header::CONTENT_TYPE, fixed(content_type)),
            (
                HeaderName::from_static("x-prometheus-remote-write-version"),
                fixed(number),
            ),
        ];
        let sent = self.client.post("", &headers, rendered.body.clone()).await;
        let response = sent.map_err(|error| ExportError::Retry {
            after: None,
            message: error.to_string(),
        })?;
        let endpoint = self.client.endpoint().to_string();
        Ok(answer::read(
            version,
            &response,
            &rendered.contents,
            items,
            &endpoint,
        ))
    }

    /// Renders and sends `request` as `version`.
    async fn attempt(
        &self,
        request: &[u8],
        items: u32,
        version: Version,
    ) -> Result<Attempt, ExportError> {
        let rendered = self.render(request, items, version)?;
        if rendered.contents.is_empty() {
            let exported = answer::exported(&rendered.contents, 0, "", items);
            return Ok(Attempt::Done(exported));
        }
        match self.send(&rendered, items, version).await? {
            Answer::Understood { lost, reason } => {
                self.learn(version);
                let exported = answer::exported(&rendered.contents, lost, &reason, items);
                Ok(Attempt::Done(exported))
            }
            Answer::Foreign { error, is_certain } => Ok(Attempt::Foreign { error, is_certain }),
            Answer::Failed(error) => Err(error),
        }
    }

    fn learn(&self, version: Version) {
        if self.forced.is_none() && self.known.set(version) {
            let endpoint = self.client.endpoint();
            tracing::info!(exporter = self.id, %endpoint, ?version, "remote write version found");
        }
    }
}

impl pipeline::Exporter for Exporter {
    async fn export(&self, batch: &Batch) -> Result<Exported, ExportError> {
        let request = super::request_of(batch, Signal::Metrics)?;
        let known = self.forced.or_else(|| self.known.get());
        let first = known.unwrap_or(Version::V2);
        let (error, is_certain) = match self.attempt(&request, batch.items, first).await? {
            Attempt::Done(exported) => return Ok(exported),
            Attempt::Foreign { error, is_certain } => (error, is_certain),
        };
        // Once the endpoint is known to understand 2.0, what is not certain is about the data.
        let may_be_older = is_certain || self.known.get().is_none();
        if self.forced.is_some() || !may_be_older {
            return Err(error);
        }
        if is_certain {
            self.learn(Version::V1);
        }
        match self.attempt(&request, batch.items, Version::V1).await? {
            Attempt::Done(exported) => Ok(exported),
            Attempt::Foreign { error, .. } => Err(error),
        }
    }
}

impl Limits {
    fn new(config: &Config) -> Self {
        let millis = |interval: Interval| match i64::try_from(interval.0.as_millis()) {
            Ok(0) | Err(_) => i64::MAX,
            Ok(millis) => millis,
        };
        Self {
            body_bytes: usize::try_from(config.max_batch_size_bytes).unwrap_or(usize::MAX),
            samples: config.max_batch_samples,
            max_age_ms: millis(config.max_age),
            max_ahead_ms: millis(config.max_ahead),
        }
    }

    fn window(&self, now_unix_nano: u64) -> Window {
        let now_ms = super::series::millis(now_unix_nano);
        Window {
            oldest_ms: now_ms.saturating_sub(self.max_age_ms),
            newest_ms: now_ms.saturating_add(self.max_ahead_ms),
        }
    }
}

impl Encoder {
    fn new(config: Config) -> Self {
        Self {
            v1: v1::V1::new(config.send_metadata),
            v2: v2::V2::default(),
            told: KeyMap::default(),
            body: Vec::new(),
            snappy: snap::raw::Encoder::new(),
            translator: Translator::new(Settings {
                strategy: strategy(config.translation_strategy, config.add_metric_suffixes),
                label_style: config.label_names,
                namespace: config.namespace,
                labels: config.external_labels.into_iter().collect(),
                has_resource_labels: config.resource_to_telemetry_conversion.enabled,
                has_scope_labels: !config.without_scope_info,
                has_target_info: config.target_info.enabled,
                cache_bytes: usize::try_from(config.cache_size.0).unwrap_or(usize::MAX),
            }),
        }
    }

    /// Fills the body with `request` as `version`.
    fn encode(&mut self, request: &[u8], version: Version, window: Window) -> Contents {
        self.body.clear();
        self.told.clear();
        match version {
            Version::V1 => fill(
                &mut self.v1,
                &mut self.translator,
                &mut self.told,
                &mut self.body,
                (request, window),
            ),
            Version::V2 => fill(
                &mut self.v2,
                &mut self.translator,
                &mut self.told,
                &mut self.body,
                (request, window),
            ),
        }
    }

    fn compress(&mut self) -> Result<Bytes, ExportError> {
        let compressed = self.snappy.compress_vec(&self.body);
        compressed
            .map(Bytes::from)
            .map_err(|error| ExportError::BadData {
                reason: "compression",
                message: format!("cannot compress a request: {error}"),
            })
    }
}

fn fill<W: Writer>(
    writer: &mut W,
    translator: &mut Translator,
    told: &mut KeyMap<Told>,
    body: &mut Vec<u8>,
    (request, window): (&[u8], Window),
) -> Contents {
    writer.clear();
    let mut guard = Guard {
        writer,
        told,
        window,
        contents: Contents::default(),
    };
    let drops = translator.translate(request, &mut guard);
    let mut contents = guard.contents;
    contents.drops.merge(&drops);
    writer.finish(contents.is_disordered, body);
    contents
}

#[cfg(test)]
mod tests;
