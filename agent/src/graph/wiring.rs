//! How instances are connected, started and stopped. Knows no component by name.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pipeline::{
    BatchSettings, Budget, CursorSettings, Delivery, DiskSettings, DriverSettings, Fatal, Feed,
    Inlet, Limits, OnFull, PipelineStats, RetrySettings, Signal, Spool, SpoolSettings, Storage,
    clock,
};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::{Backend, Components, Processor, Receiver, Services, Stage, Traits, Variable, storage};
use crate::config::blocks::{self, BatchSizer};
use crate::config::{Component, ComponentId, Pipeline, Settings};
use crate::receivers::{self, Context, Outputs};
use crate::telemetry::server::Server;
use crate::telemetry::{Watched, WatchedPipeline, WatchedReceiver};

/// Bytes of telemetry held in memory at most, unless `memory_limiter` says less: one request of
/// the largest size an OTLP server should take, received while another one is sent.
const BUDGET_BYTES: u64 = 128 << 20;

/// Age at which an item is given up.
const AGE_MAX: Duration = Duration::from_secs(14 * 24 * 3600);

/// How long receivers may take to answer the calls in hand, and all of the shutdown.
const RECEIVERS_STOP: Duration = Duration::from_secs(5);
const SHUTDOWN: Duration = Duration::from_secs(15);

/// A running configuration.
#[derive(Debug)]
pub(crate) struct Graph {
    receivers: JoinSet<Ended>,
    stop_receivers: CancellationToken,
    delivery: Delivery,
    services: Services,
}

/// A receiver that has ended, by its id.
type Ended = (String, Result<(), Fatal>);

/// What is being built.
struct Builder<'a> {
    settings: &'a Settings<Components>,
    variable: Variable<'a>,
    budget: Budget,
    directories: BTreeMap<ComponentId, PathBuf>,
    delivery: Delivery,
    services: Services,
    backends: BTreeMap<ComponentId, Backend>,
    pipelines: Vec<Built>,
}

/// One pipeline, ready to be fed.
struct Built {
    pipeline: Pipeline,
    stages: Arc<[Stage]>,
    spool: Spool,
    stats: Arc<PipelineStats>,
    exporters_prefer_zstd: bool,
}

impl Graph {
    /// Makes every component and starts it: extensions, exporters, spools, then receivers.
    ///
    /// # Errors
    /// When an address cannot be bound or a directory not be used; nothing runs then.
    pub(crate) async fn start(
        settings: &Settings<Components>,
        variable: Variable<'_>,
    ) -> Result<Self, Fatal> {
        let mut builder = Builder::new(settings, variable);
        builder.prepare_storage()?;
        for pipeline in &settings.pipelines {
            builder.build_pipeline(pipeline).await?;
        }
        builder.start_receivers().await
    }

    /// Runs until `stop`, or until a component ends that should not; then drains.
    ///
    /// # Errors
    /// Why a component ended.
    pub(crate) async fn run(
        mut self,
        stop: impl Future<Output = Result<(), Fatal>>,
    ) -> Result<(), Fatal> {
        let outcome = tokio::select! {
            stopped = stop => stopped,
            ended = next_ended(&mut self.receivers) => Err(ended),
        };
        self.shutdown().await;
        outcome
    }

    async fn shutdown(mut self) {
        let until = Instant::now() + SHUTDOWN;
        self.stop_receivers.cancel();
        let stopped = async { while self.receivers.join_next().await.is_some() {} };
        if timeout_at(Instant::now() + RECEIVERS_STOP, stopped)
            .await
            .is_err()
        {
            tracing::warn!("receivers did not stop in time and are cut off");
            self.receivers.shutdown().await;
        }
        let report = self
            .delivery
            .shutdown(until.saturating_duration_since(Instant::now()))
            .await;
        tracing::info!(
            drained = report.is_drained,
            kept_on_disk = report.kept,
            dropped = report.dropped,
            "stopped"
        );
        self.services.stop.cancel();
        let ended = async { while self.services.tasks.join_next().await.is_some() {} };
        // Somebody may still read the last figures, but not for long.
        let _ = timeout_at(until + Duration::from_secs(1), ended).await;
    }
}

/// Why a receiver ended that should have run on.
async fn next_ended(receivers: &mut JoinSet<Ended>) -> Fatal {
    loop {
        match receivers.join_next().await {
            Some(Ok((_, Err(fatal)))) => return fatal,
            Some(Ok((id, Ok(())))) => {
                return Fatal::new(format!("the receiver {id} ended by itself"));
            }
            Some(Err(error)) => return Fatal::caused("a receiver panicked", error),
            None => std::future::pending().await,
        }
    }
}

impl<'a> Builder<'a> {
    fn new(settings: &'a Settings<Components>, variable: Variable<'a>) -> Self {
        Self {
            settings,
            variable,
            budget: Budget::new(budget_bytes(settings)),
            directories: BTreeMap::new(),
            delivery: Delivery::new(),
            services: Services::default(),
            backends: BTreeMap::new(),
            pipelines: Vec::new(),
        }
    }

    fn prepare_storage(&mut self) -> Result<(), Fatal> {
        for extension in self
            .settings
            .extensions
            .iter()
            .filter(|extension| extension.is_used)
        {
            if let Some(directory) = extension.config.storage_directory()? {
                self.directories.insert(extension.id.clone(), directory);
            }
        }
        Ok(())
    }

    async fn build_pipeline(&mut self, pipeline: &Pipeline) -> Result<(), Fatal> {
        let id = pipeline.to_string();
        let mut members = Vec::new();
        for exporter in &pipeline.exporters {
            let component = find(&self.settings.exporters, exporter)?;
            members.push((component, component.config.traits()));
        }
        let storage = self.storage(
            &id,
            members
                .iter()
                .filter_map(|(_, traits)| traits.delivery.storage.as_ref()),
        )?;
        let cursors = members.iter().map(|(component, traits)| CursorSettings {
            name: component.id.to_string(),
            limits: limits(&traits.delivery, &storage, &self.budget),
            on_full: on_full(&traits.delivery),
            waits_for_result: traits.delivery.waits_for_result,
        });
        let cursors = cursors.collect();
        let spool = Spool::open(
            SpoolSettings {
                name: id,
                storage,
                cursors,
            },
            &self.budget,
        )
        .map_err(|error| Fatal::caused(format!("cannot open the spool of {pipeline}"), error))?;
        self.delivery.add_spool(&spool);
        let processors = self.processors(pipeline)?;
        let batch = processors
            .iter()
            .filter_map(|processor| processor.config.batch())
            .reduce(blocks::Batch::most_generous);
        for (component, traits) in &members {
            let backend = self.backend(component).await?;
            let name = component.id.to_string();
            let cursor = spool
                .cursor(&name)
                .ok_or_else(|| Fatal::new(format!("no cursor for {name}")))?;
            backend.drive(&mut self.delivery, cursor, driver_settings(traits, batch));
        }
        let stages = self.stages(&processors)?;
        self.pipelines.push(Built {
            pipeline: pipeline.clone(),
            stages,
            spool,
            stats: Arc::default(),
            exporters_prefer_zstd: members.iter().all(|(_, traits)| traits.prefers_zstd),
        });
        Ok(())
    }

    fn processors(&self, pipeline: &Pipeline) -> Result<Vec<&'a Component<Processor>>, Fatal> {
        pipeline
            .processors
            .iter()
            .map(|id| find(&self.settings.processors, id))
            .collect()
    }

    fn stages(&self, processors: &[&Component<Processor>]) -> Result<Arc<[Stage]>, Fatal> {
        let mut stages = Vec::new();
        for processor in processors {
            let stage = Stage::new(&processor.config, self.variable).map_err(|problem| {
                let id = &processor.id;
                Fatal::new(format!("{id}: {}: {}", problem.key_path, problem.message))
            })?;
            stages.extend(stage);
        }
        Ok(stages.into())
    }

    /// One exporter that keeps its queue on disk puts the pipeline's spool there, for all.
    fn storage<'i>(
        &self,
        pipeline: &str,
        mut wanted: impl Iterator<Item = &'i ComponentId>,
    ) -> Result<Storage, Fatal> {
        let Some(extension) = wanted.next() else {
            return Ok(Storage::Memory);
        };
        let directory = storage::spool(self.directory(extension)?, pipeline);
        Ok(Storage::Disk(DiskSettings::new(directory)))
    }

    fn directory(&self, extension: &ComponentId) -> Result<&PathBuf, Fatal> {
        self.directories.get(extension).ok_or_else(|| {
            Fatal::new(format!(
                "the extension {extension} is not started or keeps no files"
            ))
        })
    }

    async fn backend(&mut self, component: &Component<super::Exporter>) -> Result<Backend, Fatal> {
        if let Some(backend) = self.backends.get(&component.id) {
            return Ok(backend.clone());
        }
        let backend = Backend::new(
            &component.id.to_string(),
            &component.config,
            &mut self.services,
        )
        .await?;
        self.backends.insert(component.id.clone(), backend.clone());
        Ok(backend)
    }

    async fn start_receivers(mut self) -> Result<Graph, Fatal> {
        let mut receivers = JoinSet::new();
        let stop = CancellationToken::new();
        let mut watched = Vec::new();
        for receiver in self
            .settings
            .receivers
            .iter()
            .filter(|receiver| receiver.is_used)
        {
            let context = self.context(receiver, &stop)?;
            let (id, stats) = (context.id.clone(), Arc::clone(&context.stats));
            let outputs = Outputs {
                metrics: self.inlet(&receiver.id, Signal::Metrics),
                logs: self.inlet(&receiver.id, Signal::Logs),
                traces: self.inlet(&receiver.id, Signal::Traces),
            };
            let is_fed = |signal: &Signal| outputs.of(*signal).is_some();
            let signals = Signal::ALL.into_iter().filter(is_fed).collect();
            let scrapes = receiver.config.start(outputs, context, &mut receivers)?;
            watched.push(WatchedReceiver {
                id,
                signals,
                stats,
                scrapes,
            });
        }
        let watched = Watched {
            started: clock::monotonic(),
            budget: self.budget.clone(),
            receivers: watched,
            pipelines: self.pipelines.iter().map(Built::watched).collect(),
        };
        self.serve(Arc::new(watched)).await?;
        Ok(Graph {
            receivers,
            stop_receivers: stop,
            delivery: self.delivery,
            services: self.services,
        })
    }

    fn context(
        &self,
        receiver: &Component<Receiver>,
        stop: &CancellationToken,
    ) -> Result<Context, Fatal> {
        let id = receiver.id.to_string();
        let state_directory = match receiver.config.storage() {
            Some(extension) => Some(storage::receiver(self.directory(extension)?, &id)),
            None => None,
        };
        Ok(Context {
            id,
            shutdown: stop.clone(),
            budget: self.budget.clone(),
            state_directory,
            stats: Arc::new(receivers::Stats::default()),
        })
    }

    /// The pipelines of `signal` that `receiver` feeds.
    fn inlet(&self, receiver: &ComponentId, signal: Signal) -> Option<Inlet<Stage>> {
        let fed: Vec<&Built> = self
            .pipelines
            .iter()
            .filter(|built| {
                built.pipeline.signal == signal && built.pipeline.receivers.contains(receiver)
            })
            .collect();
        if fed.is_empty() {
            return None;
        }
        let prefer_zstd = fed.iter().all(|built| built.exporters_prefer_zstd);
        let feeds = fed.into_iter().map(|built| Feed {
            processors: Arc::clone(&built.stages),
            spool: built.spool.clone(),
            stats: Arc::clone(&built.stats),
        });
        Some(Inlet::new(feeds.collect(), prefer_zstd))
    }

    async fn serve(&mut self, watched: Arc<Watched>) -> Result<(), Fatal> {
        for listen in self.settings.telemetry.metrics_addresses() {
            let server = Server::bind(&listen.address).await?;
            self.services
                .tasks
                .spawn(server.run(Arc::clone(&watched), self.services.stop.clone()));
        }
        for extension in self
            .settings
            .extensions
            .iter()
            .filter(|extension| extension.is_used)
        {
            extension.config.serve(&watched, &mut self.services).await?;
        }
        Ok(())
    }
}

impl Built {
    fn watched(&self) -> WatchedPipeline {
        WatchedPipeline {
            id: self.pipeline.to_string(),
            signal: self.pipeline.signal,
            spool: self.spool.clone(),
            stats: Arc::clone(&self.stats),
        }
    }
}

fn find<'s, F>(
    components: &'s [Component<F>],
    id: &ComponentId,
) -> Result<&'s Component<F>, Fatal> {
    components
        .iter()
        .find(|component| component.id == *id)
        .ok_or_else(|| Fatal::new(format!("a pipeline names {id}, which is not configured")))
}

fn budget_bytes(settings: &Settings<Components>) -> usize {
    let memory = crate::telemetry::process::memory_limit_bytes();
    let limiters = settings
        .processors
        .iter()
        .filter(|processor| processor.is_used);
    let limits = limiters.filter_map(|processor| processor.config.memory_limit_bytes(memory));
    let bytes = limits.fold(BUDGET_BYTES, u64::min);
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// How far an exporter may lag. In memory the budget of the process bounds all of them together.
fn limits(delivery: &blocks::Delivery, storage: &Storage, budget: &Budget) -> Limits {
    let unbounded = match storage {
        Storage::Memory => budget.limit_bytes() as u64,
        Storage::Disk(_) => blocks::DISK_QUEUE_BYTES,
    };
    Limits {
        bytes: delivery.queue_bytes.unwrap_or(unbounded),
        records: delivery.queue_requests,
        items: delivery.queue_items,
        age: Some(AGE_MAX),
    }
}

fn on_full(delivery: &blocks::Delivery) -> OnFull {
    if delivery.drops_oldest {
        OnFull::DropOldest
    } else if delivery.waits_when_full {
        OnFull::Wait
    } else {
        OnFull::Refuse
    }
}

fn driver_settings(traits: &Traits, of_pipeline: Option<blocks::Batch>) -> DriverSettings {
    let delivery = &traits.delivery;
    DriverSettings {
        max_in_flight: delivery.consumers as usize,
        is_ordered: traits.is_ordered,
        batch: batch_settings(delivery.batch.or(of_pipeline), traits),
        retry: retry_settings(delivery.retry.as_ref()),
        timeout: traits.timeout,
        ..DriverSettings::default()
    }
}

fn batch_settings(wished: Option<blocks::Batch>, traits: &Traits) -> BatchSettings {
    let mut settings = BatchSettings {
        max_bytes: traits.max_request_bytes,
        max_items: traits.max_request_items,
        ..BatchSettings::default()
    };
    let Some(wished) = wished else {
        return settings;
    };
    settings.flush_timeout = wished.flush_after;
    match wished.sizer {
        BatchSizer::Items => {
            settings.min_items = saturated(wished.min_size);
            let max_items = wished.max_size.map_or(u32::MAX, saturated);
            settings.max_items = settings.max_items.min(max_items);
        }
        BatchSizer::Bytes => {
            let max = wished.max_size.and_then(|size| usize::try_from(size).ok());
            settings.max_bytes = max.map_or(settings.max_bytes, |max| max.min(settings.max_bytes));
        }
    }
    settings
}

fn saturated(items: u64) -> u32 {
    u32::try_from(items).unwrap_or(u32::MAX)
}

/// Without retries a batch that fails once is given up.
fn retry_settings(retry: Option<&blocks::Retry>) -> RetrySettings {
    match retry {
        None => RetrySettings {
            max_elapsed_time: Some(Duration::ZERO),
            ..RetrySettings::default()
        },
        Some(retry) => RetrySettings {
            initial_interval: retry.initial,
            multiplier: retry.multiplier,
            randomization_factor: retry.randomization,
            max_interval: retry.max,
            max_elapsed_time: retry.give_up_after,
        },
    }
}
