//! Sends logs to Loki, by its OTLP endpoint or by its push API.
//!
//! Loki takes what is good of a request and refuses the rest for good (400), and it refuses by age,
//! by order within a stream and by size. So every line is checked beforehand by Loki's own bounds
//! ([`limits`]); what would be refused is counted under Loki's word for it, and a line that is too
//! long is cut and marked rather than lost. A 400 that comes all the same is counted by what its
//! text says, at least one line, and nothing is sent again.
//!
//! By either road a line gets the same labels and the same structured metadata ([`stream`]).
//! Requests must follow one another: Loki orders lines within a stream.
//! VictoriaLogs takes both roads below other paths: see `push_path` and `otlp_path`.

mod answer;
mod encode;
mod limits;
mod push;
mod reframe;
mod stream;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use pipeline::{Batch, ExportError, Exported, Fatal, Signal, clock};
use serde::{Deserialize, Serialize};

use self::answer::Answer;
use self::encode::{Contents, Encoder};
use self::limits::Limits;
use self::stream::{LABEL_ATTRIBUTES, LabelPolicy, Labeling};
use super::otlp::check_delivery;
use crate::config::blocks::{RetryOnFailure, SendingQueue};
use crate::config::values::{ByteSize, Interval, Secret};
use crate::config::{Check, ExtensionUse, Problem};
use crate::transport::compression::{Encoding, compress_apart};
use crate::transport::endpoint::Endpoint;
use crate::transport::http::{Client, ClientSettings};
use crate::transport::tls::TlsClient;

/// More labels than this make too many streams; Loki itself takes 15.
const LABELS_MAX: usize = 10;

/// The header that names the tenant.
const TENANT_HEADER: HeaderName = HeaderName::from_static("x-scope-orgid");

/// Options of `loki`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Base URL, such as `http://loki:3100`; the paths are appended. Required.
    pub(crate) endpoint: String,
    /// By which road. `auto` is OTLP, and push where the server does not have it.
    pub(crate) protocol: Protocol,
    /// Path of the OTLP endpoint below the base.
    pub(crate) otlp_path: String,
    /// Path of the push API below the base.
    pub(crate) push_path: String,
    /// Whose logs these are, for servers with several tenants.
    pub(crate) tenant: String,
    /// Sent with each request.
    pub(crate) headers: BTreeMap<String, Secret>,
    /// How TLS is spoken where the scheme is `https`.
    pub(crate) tls: TlsClient,
    /// Time for one attempt.
    pub(crate) timeout: Interval,
    /// How OTLP requests are compressed: none, gzip or zstd. Pushes are snappy.
    pub(crate) compression: Encoding,
    /// Who decides which resource attributes are labels.
    pub(crate) label_policy: LabelPolicy,
    /// Resource attributes that are labels by the policy `strict`; at most 10.
    pub(crate) labels: Vec<String>,
    /// Largest request before compression.
    pub(crate) max_request_bytes: ByteSize,
    /// Longest line; a longer one is cut and marked.
    pub(crate) max_line_bytes: ByteSize,
    /// Lines older than this are dropped and counted; 0 for no bound.
    pub(crate) max_age: Interval,
    /// Lines further ahead than this are dropped and counted; 0 for no bound.
    pub(crate) max_ahead: Interval,
    /// Lines this far behind the newest one of their stream are dropped and counted; 0 for no
    /// bound.
    pub(crate) max_behind: Interval,
    /// How far the server may fall behind.
    pub(crate) sending_queue: SendingQueue,
    /// How a request that failed is tried again.
    pub(crate) retry_on_failure: RetryOnFailure,
}

/// Roads to Loki.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Protocol {
    /// OTLP, and push where the server does not have it.
    #[default]
    Auto,
    /// The OTLP endpoint, of Loki 3.
    Otlp,
    /// The push API, of every Loki.
    Push,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            protocol: Protocol::default(),
            otlp_path: "/otlp/v1/logs".to_owned(),
            push_path: "/loki/api/v1/push".to_owned(),
            tenant: String::new(),
            headers: BTreeMap::new(),
            tls: TlsClient::default(),
            timeout: Interval::from_secs(30),
            compression: Encoding::Gzip,
            label_policy: LabelPolicy::default(),
            labels: LABEL_ATTRIBUTES.map(str::to_owned).to_vec(),
            max_request_bytes: ByteSize(1 << 20),
            max_line_bytes: ByteSize(256 << 10),
            max_age: Interval::from_secs(168 * 3_600),
            max_ahead: Interval::from_secs(600),
            max_behind: Interval::from_secs(3_600),
            sending_queue: SendingQueue::default(),
            retry_on_failure: RetryOnFailure::default(),
        }
    }
}

impl Check for Config {
    fn check(&self) -> Result<(), Problem> {
        let unusable = |message: String| {
            let hint = "write the base URL, such as http://loki:3100";
            Problem::at("endpoint", message, hint)
        };
        if self.endpoint.is_empty() {
            return Err(unusable("no endpoint is given".to_owned()));
        }
        let base = Endpoint::http(&self.endpoint).map_err(unusable)?;
        for (key, path) in [
            ("otlp_path", &self.otlp_path),
            ("push_path", &self.push_path),
        ] {
            base.join(path)
                .map_err(|message| Problem::at(key, message, "write a path such as /loki"))?;
        }
        if !matches!(
            self.compression,
            Encoding::Identity | Encoding::Gzip | Encoding::Zstd
        ) {
            return Err(Problem::at(
                "compression",
                format!("Loki does not read {}", self.compression.as_str()),
                "write none, gzip or zstd",
            ));
        }
        if self.labels.len() > LABELS_MAX {
            return Err(Problem::at(
                "labels",
                format!("{} labels make too many streams", self.labels.len()),
                "name at most 10 attributes with few values; all others are structured metadata",
            ));
        }
        if self.max_line_bytes.0 < 256 {
            return Err(Problem::at(
                "max_line_bytes",
                "the bound leaves no room for a line",
                "write 256 or more",
            ));
        }
        self.tls.check("tls")?;
        check_delivery(&self.sending_queue, &self.retry_on_failure)
    }

    fn extensions(&self) -> Vec<ExtensionUse> {
        let used = self.sending_queue.extensions().into_iter();
        used.map(|used| used.within("sending_queue")).collect()
    }
}

/// Sends batches to one Loki.
#[derive(Debug)]
pub(crate) struct Exporter {
    id: String,
    client: Client,
    otlp_path: String,
    push_path: String,
    compression: Encoding,
    max_request_bytes: usize,
    forced: Option<Road>,
    found: Found,
    encoder: Mutex<Encoder>,
}

/// A way into Loki.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Road {
    Otlp,
    Push,
}

/// What was learnt about the server.
#[derive(Debug, Default)]
struct Found {
    /// 0: nothing yet, 1: OTLP, 2: push.
    road: AtomicU8,
    /// Whether the server has stored anything.
    has_stored: AtomicBool,
}

/// A request that is ready to be sent.
#[derive(Debug)]
struct Rendered {
    contents: Contents,
    body: Bytes,
}

/// What became of a request.
#[derive(Debug)]
enum Attempt {
    Done(Exported),
    /// The server may take it by another road.
    Closed {
        error: ExportError,
        /// Whether it surely does not have this one.
        is_certain: bool,
    },
}

impl Found {
    fn road(&self) -> Option<Road> {
        match self.road.load(Ordering::Relaxed) {
            1 => Some(Road::Otlp),
            2 => Some(Road::Push),
            _ => None,
        }
    }

    /// Keeps `road`; true where another was kept before.
    fn set(&self, road: Road) -> bool {
        let number = match road {
            Road::Otlp => 1,
            Road::Push => 2,
        };
        self.road.swap(number, Ordering::Relaxed) != number
    }
}

impl Exporter {
    /// An exporter without a connection yet; `id` is the component id, for logs.
    ///
    /// # Errors
    /// When the endpoint, a header or a certificate cannot be used.
    pub(crate) fn new(id: &str, config: Config) -> Result<Self, Fatal> {
        let endpoint = Endpoint::http(&config.endpoint).map_err(Fatal::new)?;
        let limits = Limits::new(&config);
        let mut client = ClientSettings::new(endpoint);
        client.tls = config.tls;
        client.timeout = Some(config.timeout.0).filter(|timeout| !timeout.is_zero());
        client.headers = config.headers.into_iter().collect();
        if !config.tenant.is_empty() {
            let tenant = Secret::from(config.tenant.as_str());
            client.headers.push((TENANT_HEADER.to_string(), tenant));
        }
        let labeling = Labeling {
            policy: config.label_policy,
            attributes: config.labels,
        };
        Ok(Self {
            id: id.to_owned(),
            client: Client::new(client)?,
            otlp_path: config.otlp_path,
            push_path: config.push_path,
            compression: config.compression,
            max_request_bytes: usize::try_from(config.max_request_bytes.0).unwrap_or(usize::MAX),
            forced: match config.protocol {
                Protocol::Auto => None,
                Protocol::Otlp => Some(Road::Otlp),
                Protocol::Push => Some(Road::Push),
            },
            found: Found::default(),
            encoder: Mutex::new(Encoder::new(labeling, limits)),
        })
    }

    fn encoder(&self) -> MutexGuard<'_, Encoder> {
        // A panic half-way leaves at worst a body that the next request clears.
        self.encoder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Encodes and compresses `request`, and says no where that would be too large to send.
    async fn render(
        &self,
        request: &[u8],
        items: u32,
        road: Road,
    ) -> Result<Rendered, ExportError> {
        let now = clock::unix_nano();
        let (contents, plain) = {
            let mut encoder = self.encoder();
            let contents = match road {
                Road::Otlp => encoder.otlp(request, now),
                Road::Push => encoder.push(request, now),
            };
            (contents, Bytes::copy_from_slice(&encoder.body))
        };
        if plain.len() > self.max_request_bytes && items > 1 {
            return Err(ExportError::TooLarge {
                message: format!(
                    "{items} log records are a request of {} bytes; it may have {}",
                    plain.len(),
                    self.max_request_bytes
                ),
            });
        }
        let encoding = match road {
            Road::Otlp => self.compression,
            Road::Push => Encoding::Snappy,
        };
        let body = compress_apart(encoding, None, plain).await;
        let body = body.map_err(|error| ExportError::BadData {
            reason: "compression",
            message: format!("cannot compress a request: {error}"),
        })?;
        Ok(Rendered { contents, body })
    }

    async fn send(&self, body: Bytes, items: u32, road: Road) -> Result<Answer, ExportError> {
        let fixed = HeaderValue::from_static;
        let mut headers = vec![(header::CONTENT_TYPE, fixed("application/x-protobuf"))];
        // Snappy is part of the push API, and not announced there.
        if road == Road::Otlp && self.compression != Encoding::Identity {
            let encoding = fixed(self.compression.as_str());
            headers.push((header::CONTENT_ENCODING, encoding));
        }
        let path = match road {
            Road::Otlp => &self.otlp_path,
            Road::Push => &self.push_path,
        };
        let sent = self.client.post(path, &headers, body).await;
        let response = sent.map_err(|error| ExportError::Retry {
            after: None,
            message: error.to_string(),
        })?;
        let base = self.client.endpoint().to_string();
        let endpoint = format!("{}{path}", base.trim_end_matches('/'));
        Ok(answer::read(&response, items, &endpoint))
    }

    async fn attempt(
        &self,
        request: &[u8],
        items: u32,
        road: Road,
    ) -> Result<Attempt, ExportError> {
        let Rendered { contents, body } = self.render(request, items, road).await?;
        if contents.cut_lines > 0 {
            let lines = contents.cut_lines;
            tracing::debug!(
                exporter = self.id,
                lines,
                "lines too long for Loki were cut"
            );
        }
        if contents.lines == 0 {
            return Ok(Attempt::Done(exported(&contents, 0, "", items)));
        }
        match self.send(body, items, road).await? {
            Answer::Delivered => {
                self.learn(road);
                self.found.has_stored.store(true, Ordering::Relaxed);
                self.encoder().delivered(&contents);
                Ok(Attempt::Done(exported(&contents, 0, "", items)))
            }
            Answer::Partial { rejected, text } if self.found.has_stored.load(Ordering::Relaxed) => {
                tracing::warn!(exporter = self.id, rejected, text, "lines were refused");
                self.encoder().delivered(&contents);
                Ok(Attempt::Done(exported(&contents, rejected, &text, items)))
            }
            Answer::Partial { text, .. } => Ok(Attempt::Closed {
                error: ExportError::BadData {
                    reason: "loki_400",
                    message: format!("{} refused a request: {text}", self.client.endpoint()),
                },
                is_certain: false,
            }),
            Answer::Absent(error) => Ok(Attempt::Closed {
                error,
                is_certain: true,
            }),
            Answer::Failed(error) => Err(error),
        }
    }

    fn learn(&self, road: Road) {
        if self.forced.is_none() && self.found.set(road) {
            let endpoint = self.client.endpoint();
            tracing::info!(exporter = self.id, %endpoint, ?road, "road to loki found");
        }
    }
}

impl pipeline::Exporter for Exporter {
    async fn export(&self, batch: &Batch) -> Result<Exported, ExportError> {
        let request = super::request_of(batch, Signal::Logs)?;
        let chosen = self.forced.or_else(|| self.found.road());
        let road = chosen.unwrap_or(Road::Otlp);
        let (error, is_certain) = match self.attempt(&request, batch.items, road).await? {
            Attempt::Done(exported) => return Ok(exported),
            Attempt::Closed { error, is_certain } => (error, is_certain),
        };
        let has_other = self.forced.is_none() && road == Road::Otlp;
        if !has_other || (chosen.is_some() && !is_certain) {
            return Err(error);
        }
        match self.attempt(&request, batch.items, Road::Push).await? {
            Attempt::Done(exported) => Ok(exported),
            Attempt::Closed { error: other, .. } => Err(if is_certain { other } else { error }),
        }
    }
}

/// What to answer for: what was left out, and what the server refused.
fn exported(contents: &Contents, refused: u32, text: &str, items: u32) -> Exported {
    let refused = refused.min(contents.lines);
    let reason = if refused == 0 {
        contents.drops.to_string()
    } else {
        let comma = if contents.drops.total() == 0 {
            ""
        } else {
            ", "
        };
        format!("{:#}{comma}loki_400: {refused} ({text})", contents.drops)
    };
    Exported {
        rejected: contents.drops.total().saturating_add(refused).min(items),
        reason,
    }
}

impl Limits {
    fn new(config: &Config) -> Self {
        let nanos = |interval: Interval| match u64::try_from(interval.0.as_nanos()) {
            Ok(0) | Err(_) => u64::MAX,
            Ok(nanos) => nanos,
        };
        Self {
            max_age_ns: nanos(config.max_age),
            max_ahead_ns: nanos(config.max_ahead),
            max_behind_ns: nanos(config.max_behind),
            line_bytes: usize::try_from(config.max_line_bytes.0).unwrap_or(usize::MAX),
        }
    }
}

#[cfg(test)]
mod tests;
