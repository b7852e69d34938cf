//! A small catalog with the option names of real components, and a world of named files.

use std::collections::BTreeMap;
use std::env::VarError;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::config::blocks::{BatchProcessor, MemoryLimiter, RetryOnFailure, SendingQueue};
use crate::config::values::{Interval, Secret};
use crate::config::*;

#[derive(Clone, Debug)]
pub(crate) struct Small;

impl Catalog for Small {
    type Receiver = Receiver;
    type Processor = Processor;
    type Exporter = Exporter;
    type Extension = Extension;
}

const ALL: &[Signal] = &Signal::ALL;

const fn of_type(name: &'static str, signals: &'static [Signal]) -> Type {
    Type {
        name,
        signals,
        stability: Stability::Beta,
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Receiver {
    FileLog(FileLog),
    HostMetrics(HostMetrics),
    Otlp(Otlp),
}

impl Family for Receiver {
    const TYPES: &'static [Type] = &[
        of_type("file_log", &[Signal::Logs]),
        of_type("host_metrics", &[Signal::Metrics]),
        of_type("otlp", ALL),
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
            Self::FileLog(config) => config,
            Self::HostMetrics(config) => config,
            Self::Otlp(config) => config,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Processor {
    Batch(BatchProcessor),
    MemoryLimiter(MemoryLimiter),
}

impl Family for Processor {
    const TYPES: &'static [Type] = &[of_type("batch", ALL), of_type("memory_limiter", ALL)];

    fn decode(type_name: &str, body: &Node) -> Option<Result<Self, Mistake>> {
        Some(match type_name {
            "batch" => body.decode().map(Self::Batch),
            "memory_limiter" => body.decode().map(Self::MemoryLimiter),
            _ => return None,
        })
    }

    fn options(&self) -> &dyn Options {
        match self {
            Self::Batch(config) => config,
            Self::MemoryLimiter(config) => config,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "there are few of them")]
pub(crate) enum Exporter {
    Debug(Debug),
    OtlpGrpc(OtlpGrpc),
    Prometheus(Prometheus),
}

impl Family for Exporter {
    const TYPES: &'static [Type] = &[
        of_type("debug", ALL),
        of_type("otlp_grpc", ALL),
        of_type("prometheus", &[Signal::Metrics]),
    ];

    fn decode(type_name: &str, body: &Node) -> Option<Result<Self, Mistake>> {
        Some(match type_name {
            "debug" => body.decode().map(Self::Debug),
            "otlp_grpc" => body.decode().map(Self::OtlpGrpc),
            "prometheus" => body.decode().map(Self::Prometheus),
            _ => return None,
        })
    }

    fn options(&self) -> &dyn Options {
        match self {
            Self::Debug(config) => config,
            Self::OtlpGrpc(config) => config,
            Self::Prometheus(config) => config,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Extension {
    FileStorage(FileStorage),
    HealthCheck(HealthCheck),
}

impl Family for Extension {
    const TYPES: &'static [Type] = &[of_type("file_storage", &[]), of_type("health_check", &[])];

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

#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Otlp {
    protocols: Protocols,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct Protocols {
    grpc: Option<Grpc>,
    http: Option<Http>,
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct Grpc {
    endpoint: String,
    max_recv_msg_size_mib: u32,
    include_metadata: bool,
}

impl Default for Grpc {
    fn default() -> Self {
        Self {
            endpoint: "localhost:4317".to_owned(),
            max_recv_msg_size_mib: 64,
            include_metadata: false,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct Http {
    endpoint: String,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            endpoint: "localhost:4318".to_owned(),
        }
    }
}

impl Check for Otlp {
    fn check(&self) -> Result<(), Problem> {
        if self.protocols.grpc.is_none() && self.protocols.http.is_none() {
            return Err(Problem::at(
                "protocols",
                "no protocol is on",
                "write `protocols: { grpc: , http: }`, or one of the two",
            ));
        }
        Ok(())
    }

    fn listens(&self) -> Vec<Listen> {
        let grpc = self.protocols.grpc.iter();
        let http = self.protocols.http.iter();
        grpc.map(|grpc| Listen::tcp("protocols::grpc::endpoint", grpc.endpoint.as_str()))
            .chain(
                http.map(|http| Listen::tcp("protocols::http::endpoint", http.endpoint.as_str())),
            )
            .collect()
    }
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct HostMetrics {
    collection_interval: Interval,
    scrapers: BTreeMap<String, Scraper>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct Scraper {}

impl Default for HostMetrics {
    fn default() -> Self {
        Self {
            collection_interval: Interval::from_secs(60),
            scrapers: BTreeMap::new(),
        }
    }
}

impl Check for HostMetrics {
    fn check(&self) -> Result<(), Problem> {
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FileLog {
    include: Vec<String>,
    start_at: StartAt,
    storage: Option<ComponentId>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum StartAt {
    Beginning,
    #[default]
    End,
}

impl Check for FileLog {
    fn check(&self) -> Result<(), Problem> {
        if self.include.is_empty() {
            return Err(Problem::at(
                "include",
                "no file is named",
                "write for example [/var/log/*.log]",
            ));
        }
        Ok(())
    }

    fn extensions(&self) -> Vec<ExtensionUse> {
        let used = |id: &ComponentId| ExtensionUse {
            key_path: "storage".to_owned(),
            id: id.clone(),
        };
        self.storage.iter().map(used).collect()
    }
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct OtlpGrpc {
    endpoint: String,
    timeout: Interval,
    compression: Compression,
    tls: Option<Tls>,
    headers: BTreeMap<String, Secret>,
    sending_queue: SendingQueue,
    retry_on_failure: RetryOnFailure,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Compression {
    None,
    #[default]
    Gzip,
    Zstd,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct Tls {
    insecure: bool,
    ca_file: Option<String>,
}

impl Check for OtlpGrpc {
    fn check(&self) -> Result<(), Problem> {
        if self.endpoint.is_empty() {
            return Err(Problem::at(
                "endpoint",
                "the endpoint is missing",
                "write for example `endpoint: collector.internal:4317`",
            ));
        }
        if !self.endpoint.contains(':') {
            return Err(Problem::at(
                "endpoint",
                format!("`{}` has no port", self.endpoint),
                "write for example collector.internal:4317",
            ));
        }
        self.sending_queue
            .check()
            .map_err(|problem| problem.within("sending_queue"))?;
        self.retry_on_failure
            .check()
            .map_err(|problem| problem.within("retry_on_failure"))
    }

    fn extensions(&self) -> Vec<ExtensionUse> {
        let used = self.sending_queue.extensions().into_iter();
        used.map(|used| used.within("sending_queue")).collect()
    }
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Debug {
    verbosity: Verbosity,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verbosity {
    #[default]
    Basic,
    Normal,
    Detailed,
}

impl Check for Debug {
    fn check(&self) -> Result<(), Problem> {
        Ok(())
    }
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Prometheus {
    endpoint: String,
    const_labels: BTreeMap<String, String>,
}

impl Check for Prometheus {
    fn check(&self) -> Result<(), Problem> {
        Ok(())
    }

    fn listens(&self) -> Vec<Listen> {
        vec![Listen::tcp("endpoint", self.endpoint.as_str())]
    }
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FileStorage {
    directory: String,
    create_directory: bool,
}

impl Check for FileStorage {
    fn check(&self) -> Result<(), Problem> {
        Ok(())
    }
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct HealthCheck {
    endpoint: String,
}

impl Default for HealthCheck {
    fn default() -> Self {
        Self {
            endpoint: "localhost:13133".to_owned(),
        }
    }
}

impl Check for HealthCheck {
    fn check(&self) -> Result<(), Problem> {
        Ok(())
    }

    fn listens(&self) -> Vec<Listen> {
        vec![Listen::tcp("endpoint", self.endpoint.as_str())]
    }
}

/// Variables and files by name.
#[derive(Clone, Default)]
pub(crate) struct Fake {
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) files: BTreeMap<String, String>,
}

impl World for Fake {
    fn variable(&self, name: &str) -> Result<String, VarError> {
        self.variables
            .get(name)
            .cloned()
            .ok_or(VarError::NotPresent)
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        let path = path.to_string_lossy();
        let found = self.files.get(path.as_ref()).cloned();
        found.ok_or_else(|| io::Error::from_raw_os_error(2))
    }
}
