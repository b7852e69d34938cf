//! Metrics of the host: cpu, load, memory, disk, filesystem, network, paging, processes, system.
//!
//! Names, units, kinds and attributes are those of the OpenTelemetry Collector's receiver of the
//! same name. One scrape is one export request with a scope for each scraper. A scraper whose
//! files do not exist here is skipped and said once; one that fails does not hold up the others.
//!
//! Each scraper reads through a [`Root`], parses text without touching anything, and hands points
//! to an emitter that knows which metrics are on. All paths are under `root_path`, which serves
//! containers and fixtures alike. No foreign program is started, and no privilege is needed.
//!
//! Where upstream reports something else than the kernel says, the kernel is right here:
//! `system.paging.operations` and `system.paging.faults` are the kernel's counters (upstream
//! multiplies them by 4096), `FIN_WAIT_1` and `FIN_WAIT_2` hold the sockets in those states
//! (upstream's are always 0), and the process status `unknown` does not count threads.

mod cpu;
mod disk;
mod filesystem;
mod filter;
mod load;
mod memory;
mod metric;
mod network;
mod paging;
mod processes;
mod root;
mod stat;
mod system;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, TryLockError};
use std::time::Duration;

use otlp::write::MetricsWriter;
use pipeline::{Payload, ScrapeError, Scraped};
use serde::{Deserialize, Serialize};

use self::metric::{Emitter, Metric, MetricsConfig, Selection, Times};
use self::root::Root;
use crate::config::values::Interval;
use crate::config::{Check, Problem};

/// Options of the `host_metrics` receiver.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Time from one scrape to the next.
    pub(crate) collection_interval: Interval,
    /// Time from the start to the first scrape.
    pub(crate) initial_delay: Interval,
    /// How long a scrape may take; 0 for as long as it needs.
    pub(crate) timeout: Interval,
    /// Where the root of the host's file tree is mounted; empty for `/`.
    pub(crate) root_path: String,
    /// Read for compatibility and without effect: no entity events are sent.
    pub(crate) metadata_collection_interval: Interval,
    /// What is scraped. A scraper that is named is on; at least one must be.
    pub(crate) scrapers: Scrapers,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            collection_interval: Interval::from_secs(60),
            initial_delay: Interval::from_secs(1),
            timeout: Interval::default(),
            root_path: String::new(),
            metadata_collection_interval: Interval::from_secs(300),
            scrapers: Scrapers::default(),
        }
    }
}

/// The scrapers, each with its own options.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Scrapers {
    /// Processor time by state.
    pub(crate) cpu: Option<cpu::Config>,
    /// Operations, bytes and times by block device.
    pub(crate) disk: Option<disk::Config>,
    /// Space and inodes by mount.
    pub(crate) filesystem: Option<filesystem::Config>,
    /// Load averages.
    pub(crate) load: Option<load::Config>,
    /// Memory by state.
    pub(crate) memory: Option<memory::Config>,
    /// Traffic by interface, TCP sockets by state.
    pub(crate) network: Option<network::Config>,
    /// Swap space, paging and page faults.
    pub(crate) paging: Option<paging::Config>,
    /// Number of processes by state.
    pub(crate) processes: Option<processes::Config>,
    /// Uptime.
    pub(crate) system: Option<system::Config>,
    /// Known from the OpenTelemetry Collector, not supported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) process: Option<Unsupported>,
    /// Known from the OpenTelemetry Collector, not supported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) nfs: Option<Unsupported>,
}

/// A scraper that is known and refused, whatever its options are.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Unsupported {}

/// When a scrape loop scrapes.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Schedule {
    /// Time from one scrape to the next.
    pub(crate) interval: Duration,
    /// Time from the start to the first scrape.
    pub(crate) initial_delay: Duration,
    /// How long a scrape may take.
    pub(crate) timeout: Option<Duration>,
}

impl Config {
    /// When to scrape.
    pub(crate) fn schedule(&self) -> Schedule {
        Schedule {
            interval: self.collection_interval.0,
            initial_delay: self.initial_delay.0,
            timeout: Some(self.timeout.0).filter(|timeout| !timeout.is_zero()),
        }
    }
}

impl Check for Config {
    fn check(&self) -> Result<(), Problem> {
        if self.collection_interval.0.is_zero() {
            return Err(Problem::at(
                "collection_interval",
                "an interval of 0 would scrape without a pause",
                "write for example 15s",
            ));
        }
        HostMetrics::new(self).map(|_| ())
    }
}

/// The scraper of the whole receiver.
#[derive(Debug)]
pub(crate) struct HostMetrics {
    /// Locked by the thread that reads. A scrape that was given up for lack of time still holds
    /// it, and the next one says so instead of piling up behind it.
    host: Arc<Mutex<Host>>,
}

impl HostMetrics {
    /// Compiles the options.
    ///
    /// # Errors
    /// What cannot work: no scraper, unknown metrics and attributes, bad filters.
    pub(crate) fn new(config: &Config) -> Result<Self, Problem> {
        let host = Host {
            root: Root::new(&config.root_path),
            sources: sources(&config.scrapers)?,
            boot_unix_nano: None,
            told: BTreeSet::new(),
        };
        Ok(Self {
            host: Arc::new(Mutex::new(host)),
        })
    }
}

impl pipeline::Scraper for HostMetrics {
    async fn scrape(&mut self, at_unix_nano: u64) -> Result<Scraped, ScrapeError> {
        let host = Arc::clone(&self.host);
        let reading = tokio::task::spawn_blocking(move || match host.try_lock() {
            Ok(mut host) => host.scrape(at_unix_nano),
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().scrape(at_unix_nano),
            Err(TryLockError::WouldBlock) => Err(ScrapeError::Unreachable(
                "the last scrape still waits for the system".to_owned(),
            )),
        });
        match reading.await {
            Ok(result) => result,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(error) => Err(ScrapeError::Unreachable(error.to_string())),
        }
    }
}

/// What is read, and what is remembered from one scrape to the next.
#[derive(Debug)]
struct Host {
    root: Root,
    sources: Vec<Source>,
    /// Read once: a clock that is set must not look like a restart of all counters.
    boot_unix_nano: Option<u64>,
    /// What was already said to be absent.
    told: BTreeSet<String>,
}

/// One scraper with the metrics that are on.
#[derive(Debug)]
struct Source {
    name: &'static str,
    scope: String,
    selection: Selection,
    reader: Reader,
}

#[derive(Debug)]
enum Reader {
    Cpu(cpu::Scraper),
    Disk(disk::Scraper),
    Filesystem(filesystem::Scraper),
    Load(load::Config),
    Memory,
    Network(network::Scraper),
    Paging,
    Processes,
    System,
}

impl Host {
    fn scrape(&mut self, at_unix_nano: u64) -> Result<Scraped, ScrapeError> {
        let times = Times {
            at_unix_nano,
            boot_unix_nano: self.boot_unix_nano(),
        };
        let mut writer = MetricsWriter::new();
        writer.resource(|_| {});
        let mut partial = Vec::new();
        for source in &mut self.sources {
            let mut problems = Vec::new();
            source.scrape(&self.root, times, &mut writer, &mut problems);
            for problem in problems {
                match problem {
                    ScrapeError::Absent(what) => say_once(&mut self.told, source.name, what),
                    problem => partial.push(problem),
                }
            }
        }
        let (bytes, items) = writer.finish();
        if items == 0 {
            return Err(partial.pop().unwrap_or_else(|| {
                ScrapeError::Absent("nothing that is to be scraped exists here".to_owned())
            }));
        }
        Ok(Scraped {
            payload: Payload::Plain(bytes),
            items,
            partial,
        })
    }

    /// When the host was started; 0 when it does not tell.
    fn boot_unix_nano(&mut self) -> u64 {
        if self.boot_unix_nano.is_none() {
            self.boot_unix_nano = self
                .root
                .read(stat::FILE)
                .ok()
                .and_then(|text| stat::parse_totals(&text).boot_unix_s)
                .and_then(|seconds| seconds.checked_mul(1_000_000_000));
        }
        self.boot_unix_nano.unwrap_or_default()
    }
}

fn say_once(told: &mut BTreeSet<String>, scraper: &'static str, what: String) {
    if !told.contains(&what) {
        tracing::info!(scraper, reason = %what, "not present on this host, left out");
        told.insert(what);
    }
}

impl Source {
    fn new(
        name: &'static str,
        metrics: &'static [&'static Metric],
        config: &MetricsConfig,
        reader: Reader,
    ) -> Result<Self, Problem> {
        let key_path = format!("scrapers::{name}::metrics");
        Ok(Self {
            name,
            scope: format!("skybridge.host_metrics.{name}"),
            selection: Selection::compile(&key_path, metrics, config)?,
            reader,
        })
    }

    fn scrape(
        &mut self,
        root: &Root,
        times: Times,
        writer: &mut MetricsWriter,
        problems: &mut Vec<ScrapeError>,
    ) {
        writer.scope(&self.scope, env!("CARGO_PKG_VERSION"));
        let emit = &mut Emitter::new(writer, &self.selection, times);
        match &mut self.reader {
            Reader::Cpu(scraper) => scraper.scrape(root, emit, problems),
            Reader::Disk(scraper) => scraper.scrape(root, emit, problems),
            Reader::Filesystem(scraper) => scraper.scrape(root, emit, problems),
            Reader::Load(config) => load::scrape(config, root, emit, problems),
            Reader::Memory => memory::scrape(root, emit, problems),
            Reader::Network(scraper) => scraper.scrape(root, emit, problems),
            Reader::Paging => paging::scrape(root, emit, problems),
            Reader::Processes => processes::scrape(root, emit, problems),
            Reader::System => system::scrape(root, emit, problems),
        }
    }
}

/// The scrapers that are on, in alphabetical order.
fn sources(config: &Scrapers) -> Result<Vec<Source>, Problem> {
    refuse_unsupported(config)?;
    let mut sources = Vec::new();
    let mut add = |name, metrics, switches, reader| -> Result<(), Problem> {
        sources.push(Source::new(name, metrics, switches, reader)?);
        Ok(())
    };
    if let Some(cpu) = &config.cpu {
        let reader = Reader::Cpu(cpu::Scraper::default());
        add("cpu", cpu::METRICS, &cpu.metrics, reader)?;
    }
    if let Some(disk) = &config.disk {
        let reader = Reader::Disk(disk::Scraper::new("scrapers::disk", disk)?);
        add("disk", disk::METRICS, &disk.metrics, reader)?;
    }
    if let Some(fs) = &config.filesystem {
        let reader = Reader::Filesystem(filesystem::Scraper::new("scrapers::filesystem", fs)?);
        add("filesystem", filesystem::METRICS, &fs.metrics, reader)?;
    }
    if let Some(load) = &config.load {
        let reader = Reader::Load(load.clone());
        add("load", load::METRICS, &load.metrics, reader)?;
    }
    if let Some(memory) = &config.memory {
        add("memory", memory::METRICS, &memory.metrics, Reader::Memory)?;
    }
    if let Some(net) = &config.network {
        let reader = Reader::Network(network::Scraper::new("scrapers::network", net)?);
        add("network", network::METRICS, &net.metrics, reader)?;
    }
    if let Some(paging) = &config.paging {
        add("paging", paging::METRICS, &paging.metrics, Reader::Paging)?;
    }
    if let Some(all) = &config.processes {
        add(
            "processes",
            processes::METRICS,
            &all.metrics,
            Reader::Processes,
        )?;
    }
    if let Some(system) = &config.system {
        add("system", system::METRICS, &system.metrics, Reader::System)?;
    }
    if sources.is_empty() {
        return Err(Problem::at(
            "scrapers",
            "no scraper is named, so nothing would be scraped",
            "add for example cpu:, memory: and filesystem: under scrapers:",
        ));
    }
    Ok(sources)
}

fn refuse_unsupported(config: &Scrapers) -> Result<(), Problem> {
    for (name, block, hint) in [
        (
            "process",
            &config.process,
            "remove it; processes: counts all processes by state",
        ),
        ("nfs", &config.nfs, "remove it"),
    ] {
        if block.is_some() {
            return Err(Problem::at(
                format!("scrapers::{name}"),
                format!("the {name} scraper is not supported by this version"),
                hint,
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
