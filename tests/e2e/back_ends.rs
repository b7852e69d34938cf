//! Host metrics, log files and numbered items in real back ends, over every road there is.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use prost::Message;
use tempfile::TempDir;
use tests::client::{Http, Protocol, Sender};
use tests::payload::numbered_gauge;
use tests::ports::Port;
use tests::skybridge::Skybridge;
use tests::wait::{eventually, holds};

use crate::chain::fill;
use crate::peers::{Generation, NodeExporter, Prometheus, VictoriaLogs, peer};

const ARRIVES_WITHIN: Duration = Duration::from_secs(60);

/// Tenants of VictoriaLogs, so that one server tells two roads apart.
const BY_LOKI_PUSH: &str = "1";
const BY_OTLP: &str = "2";

const NUMBERS: u32 = 200;

/// Series of every scraper, by their names in Prometheus.
const HOST_METRICS: [&str; 8] = [
    "system_cpu_time_seconds_total",
    "system_cpu_load_average_1m",
    "system_memory_usage_bytes",
    "system_disk_io_bytes_total",
    "system_filesystem_usage_bytes",
    "system_network_io_bytes_total",
    "system_paging_faults_total",
    "system_processes_created_total",
];

#[tokio::test(flavor = "multi_thread")]
async fn numbered_gauges_are_equal_in_every_prometheus_by_scrape_and_by_remote_write() {
    let lab = Lab::start().await;
    let sender = Sender::new(Protocol::Grpc, &lab.otlp.address(), "metrics", false);
    let message = numbered_gauge("numbers", 0..NUMBERS).encode_to_vec();
    sender
        .send(&sender.encode(&message))
        .await
        .expect("an acknowledgement");
    for prometheus in [&lab.prometheus2, &lab.prometheus3] {
        for job in ["pull", "numbers"] {
            let query = format!("skybridge_test_number{{job=\"{job}\"}}");
            let found = eventually(ARRIVES_WITHIN, &query, async || {
                let found = prometheus.query(&query).await;
                holds(
                    found.len() == NUMBERS as usize,
                    format!("{} series", found.len()),
                )
                .map(|()| found)
            })
            .await;
            for sample in found {
                let number: f64 = sample.label("number").parse().expect("a number");
                assert!(
                    (sample.value - number - 0.25).abs() < f64::EPSILON,
                    "{sample:?}"
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn host_metrics_arrive_in_every_prometheus_by_scrape_and_by_remote_write() {
    let lab = Lab::start().await;
    for prometheus in [&lab.prometheus2, &lab.prometheus3] {
        for metric in HOST_METRICS {
            for road in ["job=\"pull\"", "job!=\"pull\""] {
                let query = format!("count({metric}{{{road}}})");
                eventually(ARRIVES_WITHIN, &query, async || {
                    let found = prometheus.query(&query).await;
                    holds(found.iter().any(|sample| sample.value > 0.0), "no series")
                })
                .await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_log_files_are_equal_in_victoria_logs_by_loki_push_and_by_otlp() {
    let lab = Lab::start().await;
    lab.append_lines(0..NUMBERS);
    let mut written = lines_of(&lab.lines);
    written.extend(lines_of(&machine_log()));
    written.sort_unstable();
    for tenant in [BY_LOKI_PUSH, BY_OTLP] {
        lab.victoria_holds(tenant, &written).await;
    }
    assert_eq!(lab.victoria.dropped_rows().await.to_bits(), 0_f64.to_bits());
}

/// Scenario: VictoriaLogs and one Prometheus are down while lines and points go on arriving.
/// Guarantees: the other back ends get everything meanwhile, those two when they are back.
#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_back_end_delays_no_other_and_gets_everything_later() {
    let mut lab = Lab::start().await;
    for tenant in [BY_LOKI_PUSH, BY_OTLP] {
        lab.victoria_holds(tenant, &lines_of(&machine_log())).await;
    }
    lab.victoria.stop();
    lab.prometheus3.stop();
    lab.append_lines(0..NUMBERS);
    let sender = Sender::new(Protocol::Grpc, &lab.otlp.address(), "metrics", false);
    let message = numbered_gauge("numbers", 0..NUMBERS).encode_to_vec();
    sender
        .send(&sender.encode(&message))
        .await
        .expect("an acknowledgement");

    let query = "skybridge_test_number{job=\"numbers\"}";
    let arrived = async |prometheus: &Prometheus| {
        eventually(ARRIVES_WITHIN, query, async || {
            let found = prometheus.query(query).await.len();
            holds(found == NUMBERS as usize, format!("{found} series"))
        })
        .await;
    };
    arrived(&lab.prometheus2).await;
    eventually(ARRIVES_WITHIN, "all lines in the file", async || {
        let text = fs::read_to_string(&lab.output).unwrap_or_default();
        let found = text.matches("numbered line").count();
        holds(found >= NUMBERS as usize, format!("{found} lines"))
    })
    .await;

    lab.victoria.run().await;
    lab.prometheus3.run().await;
    arrived(&lab.prometheus3).await;
    let mut written = lines_of(&lab.lines);
    written.extend(lines_of(&machine_log()));
    written.sort_unstable();
    for tenant in [BY_LOKI_PUSH, BY_OTLP] {
        lab.victoria_holds(tenant, &written).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn promtool_has_nothing_to_say_about_the_pull_endpoint_and_own_metrics() {
    let lab = Lab::start().await;
    let pull = lab.pull.url("/metrics");
    let text = eventually(ARRIVES_WITHIN, "host metrics", async || {
        let (_, text) = Http::default().get(&pull).await?;
        let all = HOST_METRICS.iter().all(|metric| text.contains(metric));
        holds(all, "not all host metrics").map(|()| text)
    })
    .await;
    check_metrics(&lab.directory, "the pull endpoint", &text);
    for program in [&lab.agent, &lab.collector] {
        check_metrics(&lab.directory, "own metrics", &program.own_metrics().await);
    }
}

/// What promtool may say: these names are given by the OpenTelemetry Collector, whose dashboards
/// ask for them. Its default endpoint has no `_total`, and two of its host metrics end in `count`.
const GIVEN_NAMES: [(&str, &str); 3] = [
    ("otelcol_", "counter metrics should have \"_total\" suffix"),
    (
        "system_processes_count",
        "should not have \"_count\" suffix",
    ),
    (
        "system_cpu_logical_count",
        "should not have \"_count\" suffix",
    ),
];

fn check_metrics(directory: &TempDir, what: &str, text: &str) {
    let file = directory.path().join("exposition.txt");
    fs::write(&file, text).expect("a file");
    let output = Command::new(peer("promtool/usr/bin/promtool"))
        .args(["check", "metrics"])
        .stdin(File::open(file).expect("the file"))
        .output()
        .expect("promtool");
    let said = String::from_utf8_lossy(&output.stderr);
    let unexpected: Vec<_> = said
        .lines()
        .filter(|line| {
            !GIVEN_NAMES
                .iter()
                .any(|(name, complaint)| line.starts_with(name) && line.ends_with(complaint))
        })
        .collect();
    assert!(unexpected.is_empty(), "{what}: {unexpected:#?}\n{text}");
    // 3: it said something, and all of it was expected.
    assert!(
        matches!(output.status.code(), Some(0 | 3)),
        "{what}: {}",
        output.status
    );
}

/// Agent, collector and back ends, all running.
struct Lab {
    agent: Skybridge,
    collector: Skybridge,
    prometheus2: Prometheus,
    prometheus3: Prometheus,
    victoria: VictoriaLogs,
    /// OTLP over gRPC into the agent.
    otlp: Port,
    /// The collector's Prometheus endpoint.
    pull: Port,
    /// A log file that the agent follows.
    lines: PathBuf,
    /// The collector's file.
    output: PathBuf,
    _tunnel: Port,
    directory: TempDir,
}

impl Lab {
    async fn start() -> Self {
        let directory = TempDir::new().expect("a folder");
        let path = directory.path();
        let [otlp, pull, tunnel] = [(); 3].map(|()| Port::reserve());
        let targets = [("pull", pull.address())];
        let prometheus2 = Prometheus::start(Generation::Two, path, &targets).await;
        let prometheus3 = Prometheus::start(Generation::Three, path, &targets).await;
        let victoria = VictoriaLogs::start(path).await;
        let output = path.join("out.jsonl");
        let collector = fill(
            include_str!("configs/fan_out.yaml"),
            &[
                ("@grpc", &tunnel.address()),
                ("@pull", &pull.address()),
                ("@prometheus2", &prometheus2.url("/api/v1/write")),
                ("@prometheus3", &prometheus3.url("/api/v1/write")),
                ("@victoria", &victoria.url("")),
                ("@out", &output.to_string_lossy()),
            ],
        );
        let collector = Skybridge::start("collector", path, &collector).await;
        let lines = path.join("numbered.log");
        let agent = fill(
            include_str!("configs/host_agent.yaml"),
            &[
                ("@otlp", &otlp.address()),
                ("@lines", &lines.to_string_lossy()),
                ("@machine_log", &machine_log().to_string_lossy()),
                ("@collector", &tunnel.address()),
            ],
        );
        let agent = Skybridge::start("agent", path, &agent).await;
        Self {
            agent,
            collector,
            prometheus2,
            prometheus3,
            victoria,
            otlp,
            pull,
            lines,
            output,
            _tunnel: tunnel,
            directory,
        }
    }

    fn append_lines(&self, numbers: std::ops::Range<u32>) {
        let mut file = File::options()
            .create(true)
            .append(true)
            .open(&self.lines)
            .expect("a log file");
        for number in numbers {
            writeln!(
                file,
                "numbered line {number} level=info took={}ms",
                number % 7
            )
            .expect("a written line");
        }
    }

    /// Waits until exactly `lines`, sorted, are there.
    async fn victoria_holds(&self, tenant: &str, lines: &[String]) {
        let found = eventually(ARRIVES_WITHIN, "all lines in VictoriaLogs", async || {
            let found = self.victoria.query(tenant, "*").await;
            let count = found.len();
            holds(
                count >= lines.len(),
                format!("{count} of {} lines", lines.len()),
            )
            .map(|()| found)
        })
        .await;
        let mut messages: Vec<_> = found
            .iter()
            .map(|record| record["_msg"].as_str().unwrap_or_default().to_owned())
            .collect();
        messages.sort_unstable();
        let strange = messages
            .iter()
            .zip(lines)
            .find(|(found, written)| found != written);
        assert!(
            strange.is_none(),
            "tenant {tenant}: (found, written) = {strange:?}"
        );
        assert_eq!(messages.len(), lines.len(), "tenant {tenant}");
    }
}

/// A log that the packages of every Debian machine have written.
fn machine_log() -> PathBuf {
    ["alternatives", "dpkg", "bootstrap"]
        .iter()
        .map(|name| Path::new("/var/log").join(name).with_extension("log"))
        .find(|path| fs::metadata(path).is_ok_and(|file| file.len() > 0))
        .expect("a log file of this machine")
}

fn lines_of(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).expect("a log file");
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

/// Scenario: node_exporter is read, then the agent scrapes, then node_exporter is read again.
/// Guarantees: what only grows lies between the two readings; sizes are equal; what moves is near.
#[tokio::test(flavor = "multi_thread")]
async fn the_numbers_of_this_host_agree_with_node_exporter() {
    let lab = Lab::start().await;
    let node = NodeExporter::start(lab.directory.path()).await;
    crate::host::agree(&node, &lab.pull.url("/metrics")).await;
}
