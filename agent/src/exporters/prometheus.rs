//! Serves the newest value of every series for Prometheus to scrape.
//!
//! What a scrape sees is the present: of a backlog only the last point of each series remains, and
//! unless `send_timestamps` is set it gets the time of the scrape. Where an outage must be filled
//! in afterwards, `prometheus_remote_write` is the exporter to use.
//!
//! The store is bounded by bytes whether anybody scrapes or not, and each series leaves it on its
//! own when nothing was heard of it for `metric_expiration`, or at once when its source says that
//! it ended.

mod negotiate;
mod store;
mod text;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use pipeline::{Batch, ExportError, Exported, Fatal, Signal, clock};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use self::negotiate::Format;
use self::store::Store;
use super::series::config::{ResourceConversion, check_labels, strategy};
use super::series::{Drops, LabelStyle, Settings, Strategy, Translator};
use crate::config::values::{ByteSize, Interval};
use crate::config::{Check, Listen, Problem};
use crate::transport::compression::{Encoding, compress};
use crate::transport::serve::{Listener, ServerSettings};
use crate::transport::tls::TlsServer;

/// Where the series are.
const PATH: &str = "/metrics";

/// Rendered label sets that are kept for series that may come again, in bytes. What is in the
/// store shares its label sets with this cache.
const CACHE_BYTES: usize = 32 << 20;

/// Options of `prometheus`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Address to listen on, as `host:port`. Required.
    pub(crate) endpoint: String,
    /// Certificates; plain HTTP without.
    pub(crate) tls: Option<TlsServer>,
    /// Put before every metric name.
    pub(crate) namespace: String,
    /// Labels for every series that has none of that name.
    pub(crate) const_labels: BTreeMap<String, String>,
    /// Expose the time of measurement instead of leaving the time to Prometheus.
    pub(crate) send_timestamps: bool,
    /// How long a series is exposed after its last point.
    pub(crate) metric_expiration: Interval,
    /// Offer OpenMetrics, which has exemplars and units, to scrapers that prefer it.
    pub(crate) enable_open_metrics: bool,
    /// `false` is the strategy without suffixes, where none is chosen.
    pub(crate) add_metric_suffixes: bool,
    /// How names are made.
    pub(crate) translation_strategy: Option<Strategy>,
    /// Leave out the labels of the instrumentation scope.
    pub(crate) without_scope_info: bool,
    /// Resource attributes as labels of every series.
    pub(crate) resource_to_telemetry_conversion: ResourceConversion,
    /// Memory for series; what is new is dropped and counted when it is used up.
    pub(crate) max_size: ByteSize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            tls: None,
            namespace: String::new(),
            const_labels: BTreeMap::new(),
            send_timestamps: false,
            metric_expiration: Interval::from_secs(300),
            enable_open_metrics: false,
            add_metric_suffixes: true,
            translation_strategy: None,
            without_scope_info: false,
            resource_to_telemetry_conversion: ResourceConversion::default(),
            max_size: ByteSize(256 << 20),
        }
    }
}

impl Check for Config {
    fn check(&self) -> Result<(), Problem> {
        if self.endpoint.is_empty() {
            return Err(Problem::at(
                "endpoint",
                "no address to listen on is given",
                "write for example `endpoint: 127.0.0.1:9464`",
            ));
        }
        check_labels("const_labels", self.const_labels.keys())?;
        self.tls.as_ref().map_or(Ok(()), |tls| tls.check("tls"))
    }

    fn listens(&self) -> Vec<Listen> {
        vec![Listen::tcp("endpoint", self.endpoint.as_str())]
    }
}

/// Keeps the newest value of every series.
#[derive(Debug)]
pub(crate) struct Exporter {
    translator: Mutex<Translator>,
    store: Arc<Store>,
}

/// The listener that scrapers ask.
#[derive(Debug)]
pub(crate) struct Server {
    listener: Listener,
    store: Arc<Store>,
    is_open_metrics: bool,
    has_timestamps: bool,
}

impl Exporter {
    /// An exporter, and the bound but not yet serving listener that belongs to it.
    ///
    /// # Errors
    /// When the address cannot be listened on, or a certificate cannot be read.
    pub(crate) async fn bind(config: &Config) -> Result<(Self, Server), Fatal> {
        let listener = Listener::bind(&config.endpoint, config.tls.as_ref()).await?;
        let store = Arc::new(Store::new(
            config.metric_expiration.0,
            usize::try_from(config.max_size.0).unwrap_or(usize::MAX),
        ));
        let labels = config.const_labels.iter();
        let translator = Translator::new(Settings {
            strategy: strategy(config.translation_strategy, config.add_metric_suffixes),
            label_style: LabelStyle::default(),
            namespace: config.namespace.clone(),
            labels: labels
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            has_resource_labels: config.resource_to_telemetry_conversion.enabled,
            has_scope_labels: !config.without_scope_info,
            has_target_info: true,
            cache_bytes: CACHE_BYTES,
        });
        let exporter = Self {
            translator: Mutex::new(translator),
            store: Arc::clone(&store),
        };
        let server = Server {
            listener,
            store,
            is_open_metrics: config.enable_open_metrics,
            has_timestamps: config.send_timestamps,
        };
        Ok((exporter, server))
    }

    /// Takes the points of an encoded request; tells which were not kept.
    fn take(&self, request: &[u8]) -> Drops {
        let mut recorder = self.store.recorder(clock::monotonic(), clock::unix_nano());
        let mut translator = self
            .translator
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut drops = translator.translate(request, &mut recorder);
        drops.merge(&recorder.finish());
        drops
    }
}

impl pipeline::Exporter for Exporter {
    async fn export(&self, batch: &Batch) -> Result<Exported, ExportError> {
        let request = super::request_of(batch, Signal::Metrics)?;
        let drops = self.take(&request);
        Ok(Exported {
            rejected: drops.total().min(batch.items),
            reason: drops.to_string(),
        })
    }
}

impl Server {
    /// Where it listens.
    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.listener.address()
    }

    /// Answers scrapers until `shutdown`.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        tracing::info!(address = %self.address(), "serving metrics at {PATH}");
        let store = self.store;
        let (is_open_metrics, has_timestamps) = (self.is_open_metrics, self.has_timestamps);
        let settings = ServerSettings {
            drain: Duration::from_secs(1),
            ..ServerSettings::default()
        };
        let handler = move |request: Request<Incoming>| {
            let store = Arc::clone(&store);
            async move {
                let format = Format::negotiate(request.headers(), is_open_metrics);
                match (request.method(), request.uri().path()) {
                    (&Method::GET | &Method::HEAD, PATH) => {
                        scrape(store, format, has_timestamps).await
                    }
                    (_, PATH) => plain(StatusCode::METHOD_NOT_ALLOWED),
                    _ => plain(StatusCode::NOT_FOUND),
                }
            }
        };
        self.listener.serve(settings, shutdown, handler).await;
    }
}

/// Renders all series. Large stores take long, so this happens apart from the runtime.
async fn scrape(store: Arc<Store>, format: Format, has_timestamps: bool) -> Response<Full<Bytes>> {
    let render = move || {
        let text = store.render(clock::monotonic(), &format, has_timestamps);
        let body = if format.is_gzip {
            compress(Encoding::Gzip, None, text.as_bytes())
        } else {
            Ok(text.into_bytes())
        };
        (body, format)
    };
    let Ok((Ok(body), format)) = tokio::task::spawn_blocking(render).await else {
        return plain(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let mut response = Response::new(Full::from(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, format.content_type());
    headers.insert(
        header::VARY,
        header::HeaderValue::from_static("accept, accept-encoding"),
    );
    if format.is_gzip {
        let gzip = header::HeaderValue::from_static(Encoding::Gzip.as_str());
        headers.insert(header::CONTENT_ENCODING, gzip);
    }
    response
}

fn plain(status: StatusCode) -> Response<Full<Bytes>> {
    let reason = status.canonical_reason().unwrap_or_default();
    let mut response = Response::new(Full::from(format!("{reason}; series are at {PATH}\n")));
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests;
