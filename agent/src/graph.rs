//! From configuration to running components: the only file that names them all.
//!
//! Three lists, one for each thing that differs from component to component: what the options of a
//! type are ([`Receiver`], [`Processor`], [`Exporter`], [`Extension`]), how an instance is made of
//! them, and how it is started. How instances are connected knows no component and lives in
//! [`wiring`].

mod storage;
mod wiring;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pipeline::spool::Cursor;
use pipeline::{
    BatchSettings, Delivery, Driver, DriverSettings, Fatal, Output, Processed, ScrapeLoop,
    ScrapeSettings, ScrapeStats, Scraper, Signal,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::blocks::{self, BatchProcessor, MemoryLimiter, RetryOnFailure, SendingQueue};
use crate::config::values::Interval;
use crate::config::{
    Catalog, ComponentId, Family, Mistake, Node, Options, Problem, Stability, Type,
};
use crate::exporters::{
    debug, file, loki, otlp_grpc, otlp_http, prometheus, prometheus_remote_write,
};
use crate::extensions::{file_storage, health_check};
use crate::processors::{attributes, resource, resource_detection};
use crate::receivers::{self, Context, Outputs, file_log, host_metrics};
use crate::telemetry::{Watched, health};
use crate::transport::compression::Encoding;

pub(crate) use wiring::Graph;

const ALL: &[Signal] = &Signal::ALL;
const METRICS: &[Signal] = &[Signal::Metrics];
const LOGS: &[Signal] = &[Signal::Logs];

/// Every component there is.
#[derive(Clone, Debug)]
pub(crate) enum Components {}

impl Catalog for Components {
    type Receiver = Receiver;
    type Processor = Processor;
    type Exporter = Exporter;
    type Extension = Extension;
}

/// Looks up an environment variable, for the components whose input is the environment.
type Variable<'a> = &'a dyn Fn(&str) -> Option<String>;

const fn component(name: &'static str, signals: &'static [Signal]) -> Type {
    Type {
        name,
        signals,
        stability: Stability::Beta,
    }
}

/// Options of a receiver.
#[derive(Clone, Debug)]
pub(crate) enum Receiver {
    FileLog(Box<file_log::Config>),
    HostMetrics(Box<host_metrics::Config>),
    Otlp(Box<receivers::otlp::Config>),
}

impl Family for Receiver {
    const TYPES: &'static [Type] = &[
        component("file_log", LOGS),
        component("host_metrics", METRICS),
        component("otlp", ALL),
    ];

    fn decode(type_name: &str, body: &Node) -> Option<Result<Self, Mistake>> {
        Some(match type_name {
            "file_log" => body.decode().map(Self::FileLog),
            "host_metrics" => body.decode().map(Self::HostMetrics),
            "otlp" => body.decode().map(Self::Otlp),
            _ => return None,
        })
    }

    fn options(&self) -> &dyn Options {
        match self {
            Self::FileLog(config) => &**config,
            Self::HostMetrics(config) => &**config,
            Self::Otlp(config) => &**config,
        }
    }
}

/// Options of a processor.
#[derive(Clone, Debug)]
pub(crate) enum Processor {
    Attributes(attributes::Config),
    Batch(BatchProcessor),
    MemoryLimiter(MemoryLimiter),
    Resource(resource::Config),
    ResourceDetection(resource_detection::Config),
}

impl Family for Processor {
    const TYPES: &'static [Type] = &[
        component("attributes", ALL),
        component("batch", ALL),
        component("memory_limiter", ALL),
        component("resource", ALL),
        component("resource_detection", ALL),
    ];

    fn decode(type_name: &str, body: &Node) -> Option<Result<Self, Mistake>> {
        Some(match type_name {
            "attributes" => body.decode().map(Self::Attributes),
            "batch" => body.decode().map(Self::Batch),
            "memory_limiter" => body.decode().map(Self::MemoryLimiter),
            "resource" => body.decode().map(Self::Resource),
            "resource_detection" => body.decode().map(Self::ResourceDetection),
            _ => return None,
        })
    }

    fn options(&self) -> &dyn Options {
        match self {
            Self::Attributes(config) => config,
            Self::Batch(config) => config,
            Self::MemoryLimiter(config) => config,
            Self::Resource(config) => config,
            Self::ResourceDetection(config) => config,
        }
    }
}

/// Options of an exporter.
#[derive(Clone, Debug)]
pub(crate) enum Exporter {
    Debug(Box<debug::Config>),
    File(Box<file::Config>),
    Loki(Box<loki::Config>),
    OtlpGrpc(Box<otlp_grpc::Config>),
    OtlpHttp(Box<otlp_http::Config>),
    Prometheus(Box<prometheus::Config>),
    PrometheusRemoteWrite(Box<prometheus_remote_write::Config>),
}

impl Family for Exporter {
    const TYPES: &'static [Type] = &[
        component("debug", ALL),
        component("file", ALL),
        component("loki", LOGS),
        component("otlp_grpc", ALL),
        component("otlp_http", ALL),
        component("prometheus", METRICS),
        component("prometheus_remote_write", METRICS),
    ];

    fn decode(type_name: &str, body: &Node) -> Option<Result<Self, Mistake>> {
        Some(match type_name {
            "debug" => body.decode().map(Self::Debug),
            "file" => body.decode().map(Self::File),
            "loki" => body.decode().map(Self::Loki),
            "otlp_grpc" => body.decode().map(Self::OtlpGrpc),
            "otlp_http" => body.decode().map(Self::OtlpHttp),
            "prometheus" => body.decode().map(Self::Prometheus),
            "prometheus_remote_write" => body.decode().map(Self::PrometheusRemoteWrite),
            _ => return None,
        })
    }

    fn options(&self) -> &dyn Options {
        match self {
            Self::Debug(config) => &**config,
            Self::File(config) => &**config,
            Self::Loki(config) => &**config,
            Self::OtlpGrpc(config) => &**config,
            Self::OtlpHttp(config) => &**config,
            Self::Prometheus(config) => &**config,
            Self::PrometheusRemoteWrite(config) => &**config,
        }
    }
}

/// Options of an extension.
#[derive(Clone, Debug)]
pub(crate) enum Extension {
    FileStorage(file_storage::Config),
    HealthCheck(health_check::Config),
}

impl Family for Extension {
    const TYPES: &'static [Type] = &[
        component("file_storage", &[]),
        component("health_check", &[]),
    ];

    fn decode(type_name: &str, body: &Node) -> Option<Result<Self, Mistake>> {
        Some(match type_name {
            "file_storage" => body.decode().map(Self::FileStorage),
            "health_check" => body.decode().map(Self::HealthCheck),
            _ => return None,
        })
    }

    fn options(&self) -> &dyn Options {
        match self {
            Self::FileStorage(config) => config,
            Self::HealthCheck(config) => config,
        }
    }
}

/// A processor that runs.
#[derive(Debug)]
enum Stage {
    Attributes(attributes::Attributes),
    Resource(resource::Resource),
    Detection(resource_detection::ResourceDetection),
}

impl Stage {
    /// `None` for what is part of the delivery here and does not look at batches.
    fn new(config: &Processor, variable: Variable<'_>) -> Result<Option<Self>, Problem> {
        Ok(Some(match config {
            Processor::Attributes(config) => Self::Attributes(attributes::Attributes::new(config)?),
            Processor::Resource(config) => Self::Resource(resource::Resource::new(config)?),
            Processor::ResourceDetection(config) => {
                let environment = variable(resource_detection::ENVIRONMENT_VARIABLE);
                let detected =
                    resource_detection::ResourceDetection::new(config, environment.as_deref());
                Self::Detection(detected)
            }
            Processor::Batch(_) | Processor::MemoryLimiter(_) => return Ok(None),
        }))
    }
}

impl pipeline::Processor for Stage {
    fn process(&self, batch: pipeline::Batch) -> Processed {
        match self {
            Self::Attributes(processor) => processor.process(batch),
            Self::Resource(processor) => processor.process(batch),
            Self::Detection(processor) => processor.process(batch),
        }
    }
}

/// An exporter that runs; in three pipelines it is one exporter with three cursors.
#[derive(Clone, Debug)]
enum Backend {
    Debug(Arc<debug::Exporter>),
    File(Arc<file::Exporter>),
    Loki(Arc<loki::Exporter>),
    OtlpGrpc(Arc<otlp_grpc::Exporter>),
    OtlpHttp(Arc<otlp_http::Exporter>),
    Prometheus(Arc<prometheus::Exporter>),
    PrometheusRemoteWrite(Arc<prometheus_remote_write::Exporter>),
}

impl Backend {
    /// Makes the exporter called `id`; what has to serve beside it goes to `services`.
    async fn new(id: &str, config: &Exporter, services: &mut Services) -> Result<Self, Fatal> {
        Ok(match config.clone() {
            Exporter::Debug(config) => Self::Debug(Arc::new(debug::Exporter::new(id, *config)?)),
            Exporter::File(config) => Self::File(Arc::new(file::Exporter::new(id, *config)?)),
            Exporter::Loki(config) => Self::Loki(Arc::new(loki::Exporter::new(id, *config)?)),
            Exporter::OtlpGrpc(config) => {
                Self::OtlpGrpc(Arc::new(otlp_grpc::Exporter::new(id, *config)?))
            }
            Exporter::OtlpHttp(config) => {
                Self::OtlpHttp(Arc::new(otlp_http::Exporter::new(id, *config)?))
            }
            Exporter::Prometheus(config) => {
                let (exporter, server) = prometheus::Exporter::bind(&config).await?;
                services.tasks.spawn(server.run(services.stop.clone()));
                Self::Prometheus(Arc::new(exporter))
            }
            Exporter::PrometheusRemoteWrite(config) => {
                let exporter = prometheus_remote_write::Exporter::new(id, *config)?;
                Self::PrometheusRemoteWrite(Arc::new(exporter))
            }
        })
    }

    /// Starts delivering what lies at `cursor`.
    fn drive(&self, delivery: &mut Delivery, cursor: Cursor, settings: DriverSettings) {
        match self {
            Self::Debug(exporter) => drive(delivery, cursor, exporter, settings),
            Self::File(exporter) => drive(delivery, cursor, exporter, settings),
            Self::Loki(exporter) => drive(delivery, cursor, exporter, settings),
            Self::OtlpGrpc(exporter) => drive(delivery, cursor, exporter, settings),
            Self::OtlpHttp(exporter) => drive(delivery, cursor, exporter, settings),
            Self::Prometheus(exporter) => drive(delivery, cursor, exporter, settings),
            Self::PrometheusRemoteWrite(exporter) => drive(delivery, cursor, exporter, settings),
        }
    }
}

fn drive<E: pipeline::Exporter>(
    delivery: &mut Delivery,
    cursor: Cursor,
    exporter: &Arc<E>,
    settings: DriverSettings,
) {
    delivery.add_driver(Driver::new(cursor, Arc::clone(exporter), settings, split));
}

/// Cuts a payload by items; see [`otlp::split`].
fn split(signal: Signal, bytes: &bytes::Bytes, max_items: u32) -> Vec<(bytes::Bytes, u32)> {
    let pieces = otlp::split::split(signal, bytes, max_items, usize::MAX);
    pieces
        .into_iter()
        .map(|piece| (piece.bytes, piece.items))
        .collect()
}

/// How the driver has to treat an exporter.
#[derive(Clone, Debug)]
struct Traits {
    /// `sending_queue` and `retry_on_failure`.
    delivery: blocks::Delivery,
    /// Time for one attempt.
    timeout: Option<Duration>,
    /// The back end wants batches in order: one request at a time.
    is_ordered: bool,
    /// A zstd payload goes onto the wire as it came.
    prefers_zstd: bool,
    /// Largest request in bytes of protobuf, before translation.
    max_request_bytes: usize,
    /// Largest request in items.
    max_request_items: u32,
}

impl Traits {
    fn new(queue: &SendingQueue, retry: &RetryOnFailure, timeout: Interval) -> Self {
        let timeout = Some(timeout.0).filter(|timeout| !timeout.is_zero());
        let batch = BatchSettings::default();
        Self {
            delivery: blocks::Delivery::new(queue, retry),
            timeout,
            is_ordered: false,
            prefers_zstd: false,
            max_request_bytes: batch.max_bytes,
            max_request_items: batch.max_items,
        }
    }
}

impl Traits {
    fn ordered(self) -> Self {
        Self {
            is_ordered: true,
            ..self
        }
    }
}

/// What serves beside the telemetry: endpoints that are asked.
#[derive(Debug, Default)]
struct Services {
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

impl Exporter {
    /// How the driver has to treat this exporter.
    fn traits(&self) -> Traits {
        let of = Traits::new;
        match self {
            Self::Debug(config) => of(
                &config.sending_queue,
                &config.retry_on_failure,
                config.timeout,
            )
            .ordered(),
            Self::File(config) => of(
                &config.sending_queue,
                &config.retry_on_failure,
                config.timeout,
            )
            .ordered(),
            Self::Loki(config) => Traits {
                max_request_bytes: usize::try_from(config.max_request_bytes.0)
                    .unwrap_or(usize::MAX),
                ..of(
                    &config.sending_queue,
                    &config.retry_on_failure,
                    config.timeout,
                )
                .ordered()
            },
            Self::OtlpGrpc(config) => Traits {
                prefers_zstd: config.compression == Encoding::Zstd,
                ..of(
                    &config.sending_queue,
                    &config.retry_on_failure,
                    config.timeout,
                )
            },
            Self::OtlpHttp(config) => Traits {
                prefers_zstd: config.compression == Encoding::Zstd
                    && config.encoding == otlp_http::Format::Proto,
                ..of(
                    &config.sending_queue,
                    &config.retry_on_failure,
                    config.timeout,
                )
            },
            Self::Prometheus(_) => of(
                &SendingQueue::default(),
                &RetryOnFailure::default(),
                Interval::default(),
            )
            .ordered(),
            Self::PrometheusRemoteWrite(config) => Traits {
                max_request_items: config.max_items(),
                ..of(
                    &config.sending_queue,
                    &config.retry_on_failure,
                    config.attempt_timeout(),
                )
                .ordered()
            },
        }
    }
}

impl Processor {
    /// The size of requests that this processor asks of the pipeline's exporters.
    fn batch(&self) -> Option<blocks::Batch> {
        match self {
            Self::Batch(config) => Some(config.batch()),
            _ => None,
        }
    }

    /// The byte budget that this processor asks for, of a process that may use `memory_bytes`.
    fn memory_limit_bytes(&self, memory_bytes: u64) -> Option<u64> {
        match self {
            Self::MemoryLimiter(config) => Some(config.limit_bytes(memory_bytes)),
            _ => None,
        }
    }
}

impl Extension {
    /// The directory that this extension keeps, ready to be used.
    fn storage_directory(&self) -> Result<Option<PathBuf>, Fatal> {
        match self {
            Self::FileStorage(config) => file_storage::prepare(config).map(Some),
            Self::HealthCheck(_) => Ok(None),
        }
    }

    /// Starts answering, where this extension does.
    async fn serve(&self, watched: &Arc<Watched>, services: &mut Services) -> Result<(), Fatal> {
        match self {
            Self::FileStorage(_) => Ok(()),
            Self::HealthCheck(config) => {
                let watched = Arc::clone(watched);
                let server = health_check::Server::bind(config).await?;
                let stop = services.stop.clone();
                services
                    .tasks
                    .spawn(server.run(move || health::obstacles(&watched), stop));
                Ok(())
            }
        }
    }
}

impl Receiver {
    /// The extension that keeps this receiver's checkpoints.
    fn storage(&self) -> Option<&ComponentId> {
        match self {
            Self::FileLog(config) => config.storage.as_ref(),
            Self::HostMetrics(_) | Self::Otlp(_) => None,
        }
    }

    /// Starts receiving; a scraper's counters are returned.
    fn start<O: Output>(
        &self,
        outputs: Outputs<O>,
        context: Context,
        tasks: &mut JoinSet<(String, Result<(), Fatal>)>,
    ) -> Result<Option<Arc<ScrapeStats>>, Fatal> {
        let id = context.id.clone();
        match self {
            Self::FileLog(config) => {
                let run = file_log::run((**config).clone(), outputs, context);
                tasks.spawn(async move { (id, run.await) });
                Ok(None)
            }
            Self::Otlp(config) => {
                let run = receivers::otlp::run((**config).clone(), outputs, context);
                tasks.spawn(async move { (id, run.await) });
                Ok(None)
            }
            Self::HostMetrics(config) => {
                let Some(output) = outputs.metrics else {
                    return Ok(None);
                };
                let scraper = host_metrics::HostMetrics::new(config).map_err(|problem| {
                    Fatal::new(format!("{id}: {}: {}", problem.key_path, problem.message))
                })?;
                let schedule = config.schedule();
                let settings = ScrapeSettings {
                    name: id.clone(),
                    signal: Signal::Metrics,
                    interval: schedule.interval,
                    initial_delay: schedule.initial_delay,
                    timeout: schedule.timeout,
                };
                Ok(Some(scrape(settings, scraper, output, context, tasks)))
            }
        }
    }
}

/// Starts the scrape loop around `scraper`.
fn scrape<S: Scraper + Sync, O: Output>(
    settings: ScrapeSettings,
    scraper: S,
    output: O,
    context: Context,
    tasks: &mut JoinSet<(String, Result<(), Fatal>)>,
) -> Arc<ScrapeStats> {
    let stats = Arc::new(ScrapeStats::default());
    let Context {
        id,
        shutdown,
        budget,
        stats: counters,
        ..
    } = context;
    let scrape = ScrapeLoop {
        settings,
        scraper,
        output,
        budget,
        stats: Arc::clone(&stats),
    };
    counters.set_started();
    let run = scrape.run(shutdown);
    tasks.spawn(async move {
        run.await;
        (id, Ok(()))
    });
    stats
}
