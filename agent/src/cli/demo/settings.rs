//! What the demo decides before it starts: a directory, free ports, and the servers to add.

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use pipeline::Fatal;

/// Everything the two children are told, by environment variables of their configs.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Where spools, logs and files of the demo are kept.
    pub(crate) directory: PathBuf,
    /// Stops by itself after this long; `None` runs until Ctrl-C.
    pub(crate) run_for: Option<Duration>,
    /// Base URL of a Prometheus that takes remote write.
    pub(crate) prometheus_url: Option<String>,
    /// Base URL of a Loki.
    pub(crate) loki_url: Option<String>,
    /// Ports of both programs.
    pub(crate) ports: Ports,
}

/// Listening ports on 127.0.0.1: the usual ones where they are free, others where not.
#[derive(Clone, Debug)]
pub(crate) struct Ports {
    pub(crate) otlp_grpc: u16,
    pub(crate) otlp_http: u16,
    pub(crate) tunnel: u16,
    pub(crate) prometheus: u16,
    pub(crate) agent_metrics: u16,
    pub(crate) collector_metrics: u16,
    pub(crate) agent_health: u16,
    pub(crate) collector_health: u16,
}

impl Ports {
    /// Picks a free port for each purpose.
    ///
    /// # Errors
    /// When the system has no free port at all.
    pub(crate) fn pick() -> Result<Self, Fatal> {
        Ok(Self {
            otlp_grpc: free_port(4317)?,
            otlp_http: free_port(4318)?,
            tunnel: free_port(14317)?,
            prometheus: free_port(9464)?,
            agent_metrics: free_port(8888)?,
            collector_metrics: free_port(8889)?,
            agent_health: free_port(13133)?,
            collector_health: free_port(13134)?,
        })
    }
}

/// `preferred` if nothing listens there, else a port that the system picks.
fn free_port(preferred: u16) -> Result<u16, Fatal> {
    let bind = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    bind(preferred)
        .or_else(|_| bind(0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| Fatal::caused("cannot find a free port on 127.0.0.1", error))
}

impl Settings {
    /// The environment that the configs of `collector-config/demo` ask for.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let ports = &self.ports;
        vec![
            ("DEMO_DIRECTORY", self.directory.display().to_string()),
            ("DEMO_OTLP_GRPC_PORT", ports.otlp_grpc.to_string()),
            ("DEMO_OTLP_HTTP_PORT", ports.otlp_http.to_string()),
            ("DEMO_TUNNEL_PORT", ports.tunnel.to_string()),
            ("DEMO_PROMETHEUS_PORT", ports.prometheus.to_string()),
            ("DEMO_AGENT_METRICS_PORT", ports.agent_metrics.to_string()),
            (
                "DEMO_COLLECTOR_METRICS_PORT",
                ports.collector_metrics.to_string(),
            ),
            ("DEMO_AGENT_HEALTH_PORT", ports.agent_health.to_string()),
            (
                "DEMO_COLLECTOR_HEALTH_PORT",
                ports.collector_health.to_string(),
            ),
            (
                "PROMETHEUS_URL",
                self.prometheus_url.clone().unwrap_or_default(),
            ),
            ("LOKI_URL", self.loki_url.clone().unwrap_or_default()),
        ]
    }

    /// Configs merged over the collector's own, for the servers that the user named.
    pub(crate) fn overlays(&self) -> Vec<&'static str> {
        let prometheus = self.prometheus_url.is_some().then_some(PROMETHEUS_OVERLAY);
        let loki = self.loki_url.is_some().then_some(LOKI_OVERLAY);
        prometheus.into_iter().chain(loki).collect()
    }

    /// What a user does next, in words.
    pub(crate) fn what_to_open(&self) -> String {
        let ports = &self.ports;
        let mut text = format!(
            "\
Skybridge runs an agent and a collector on this machine.

  metrics of this machine   curl http://127.0.0.1:{}/metrics
  everything as OTLP-JSON   {}/{{metrics,logs,traces}}.jsonl
  send OTLP from an app     OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:{} (gRPC) or http://127.0.0.1:{} (HTTP)
  the agent's own metrics   curl http://127.0.0.1:{}/metrics
  the collector's           curl http://127.0.0.1:{}/metrics
",
            ports.prometheus,
            self.directory.display(),
            ports.otlp_grpc,
            ports.otlp_http,
            ports.agent_metrics,
            ports.collector_metrics,
        );
        for (server, url) in [
            ("Prometheus", &self.prometheus_url),
            ("Loki", &self.loki_url),
        ] {
            if let Some(url) = url {
                text.push_str(&format!("  {server:<25} {url}\n"));
            }
        }
        text.push_str("\nCtrl-C drains and stops.\n");
        text
    }
}

/// Adds remote write to the metrics pipeline.
const PROMETHEUS_OVERLAY: &str = "\
exporters:
  prometheus_remote_write:
    endpoint: ${env:PROMETHEUS_URL}/api/v1/write
    resource_to_telemetry_conversion: { enabled: true }
service:
  pipelines:
    metrics: { exporters: [prometheus, file/metrics, prometheus_remote_write] }
";

/// Adds Loki to the logs pipeline.
const LOKI_OVERLAY: &str = "\
exporters:
  loki:
    endpoint: ${env:LOKI_URL}
    sending_queue: { storage: file_storage }
service:
  pipelines:
    logs: { exporters: [file/logs, loki] }
";
