//! Real servers, run from the folder that `tests/peers/setup` filled.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use tests::client::Http;
use tests::ports::Port;
use tests::process::Process;
use tests::wait::eventually;

const READY_WITHIN: Duration = Duration::from_secs(30);
const STOPPED_WITHIN: Duration = Duration::from_secs(30);

/// A peer's program.
pub(crate) fn peer(path: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let setup = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/setup");
        let output = Command::new(setup).arg("where").output().expect("setup");
        PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
    });
    let path = folder.join(path);
    assert!(
        path.exists(),
        "{} is missing: run 'make setup'",
        path.display()
    );
    path
}

/// The generations of Prometheus whose remote-write receivers differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Generation {
    /// 2.42: knows remote write 1 only, and swallows 2 without a word.
    Two,
    /// 3.x: started with remote write 1 and 2.
    Three,
}

/// A running Prometheus that takes remote write and scrapes.
#[derive(Debug)]
pub(crate) struct Prometheus {
    port: Port,
    process: Option<Process>,
    generation: Generation,
    directory: PathBuf,
}

impl Prometheus {
    /// Starts a Prometheus that scrapes `targets` (job, address) each second.
    pub(crate) async fn start(
        generation: Generation,
        directory: &Path,
        targets: &[(&str, String)],
    ) -> Self {
        let directory = directory.join(format!("prometheus-{generation:?}"));
        fs::create_dir_all(&directory).expect("a folder");
        let mut config = "global: {scrape_interval: 1s, scrape_timeout: 1s}\n\
                          storage: {tsdb: {out_of_order_time_window: 1h}}\nscrape_configs:\n"
            .to_owned();
        for (job, target) in targets {
            config.push_str(&format!(
                "- {{job_name: {job}, static_configs: [{{targets: ['{target}']}}]}}\n"
            ));
        }
        fs::write(directory.join("prometheus.yaml"), config).expect("a config file");
        let mut prometheus = Self {
            port: Port::reserve(),
            process: None,
            generation,
            directory,
        };
        prometheus.run().await;
        prometheus
    }

    /// Starts it, or starts it again after [`Prometheus::stop`].
    pub(crate) async fn run(&mut self) {
        let mut arguments = vec![
            "--config.file=prometheus.yaml".to_owned(),
            "--storage.tsdb.path=data".to_owned(),
            format!("--web.listen-address={}", self.port.address()),
            "--web.enable-remote-write-receiver".to_owned(),
            "--enable-feature=native-histograms,exemplar-storage".to_owned(),
        ];
        let program = match self.generation {
            Generation::Two => peer("prometheus-2/usr/bin/prometheus"),
            Generation::Three => {
                for message in ["prometheus.WriteRequest", "io.prometheus.write.v2.Request"] {
                    arguments.push(format!(
                        "--web.remote-write-receiver.accepted-protobuf-messages={message}"
                    ));
                }
                peer("prometheus-3/usr/bin/prometheus")
            }
        };
        self.process = Some(Process::start(
            "prometheus",
            program,
            arguments,
            &self.directory,
        ));
        is_ready(&self.port.url("/-/ready")).await;
    }

    /// Stops it in order, so that what it acknowledged is there when it runs again.
    pub(crate) fn stop(&mut self) {
        stop(self.process.take());
    }

    pub(crate) fn url(&self, path: &str) -> String {
        self.port.url(path)
    }

    /// An instant query: labels and value of each series found.
    pub(crate) async fn query(&self, query: &str) -> Vec<Sample> {
        let url = self.url(&format!("/api/v1/query?query={}", percent_encoded(query)));
        let (status, body) = Http::default().get(&url).await.expect("an answer");
        assert_eq!(status, 200, "{query}: {body}");
        let answer: Value = serde_json::from_str(&body).expect("JSON");
        let result = answer["data"]["result"].as_array().expect("a vector");
        result.iter().map(Sample::read).collect()
    }
}

/// One series of an instant query.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) labels: Value,
    pub(crate) value: f64,
}

impl Sample {
    fn read(series: &Value) -> Self {
        let value = series["value"][1].as_str().expect("a value");
        Self {
            labels: series["metric"].clone(),
            value: value.parse().expect("a number"),
        }
    }

    pub(crate) fn label(&self, name: &str) -> &str {
        self.labels[name].as_str().unwrap_or("")
    }
}

/// A running VictoriaLogs.
#[derive(Debug)]
pub(crate) struct VictoriaLogs {
    port: Port,
    process: Option<Process>,
    directory: PathBuf,
}

impl VictoriaLogs {
    pub(crate) async fn start(directory: &Path) -> Self {
        let mut victoria = Self {
            port: Port::reserve(),
            process: None,
            directory: directory.to_owned(),
        };
        victoria.run().await;
        victoria
    }

    /// Starts it, or starts it again after [`VictoriaLogs::stop`].
    pub(crate) async fn run(&mut self) {
        let arguments = [
            format!("-httpListenAddr={}", self.port.address()),
            "-storageDataPath=victoria-logs".to_owned(),
        ];
        let program = peer("victoria-logs");
        self.process = Some(Process::start(
            "victoria-logs-output",
            program,
            arguments,
            &self.directory,
        ));
        is_ready(&self.port.url("/health")).await;
    }

    /// Stops it in order, so that what it acknowledged is there when it runs again.
    pub(crate) fn stop(&mut self) {
        stop(self.process.take());
    }

    pub(crate) fn url(&self, path: &str) -> String {
        self.port.url(path)
    }

    /// All records of one tenant that `query` (LogsQL) finds, each as an object of its fields.
    pub(crate) async fn query(&self, account: &str, query: &str) -> Vec<Value> {
        let http = Http::default();
        let flushed = http.get(&self.url("/internal/force_flush")).await;
        assert!(flushed.is_ok(), "{flushed:?}");
        let (status, body) = http
            .post(
                &self.url("/select/logsql/query"),
                &[
                    ("AccountID", account),
                    ("content-type", "application/x-www-form-urlencoded"),
                ],
                format!("query={}", percent_encoded(query)),
            )
            .await
            .expect("an answer");
        assert_eq!(status, 200, "{query}: {body}");
        body.lines()
            .map(|line| serde_json::from_str(line).expect("a JSON line"))
            .collect()
    }

    /// Rows that it took and threw away, which it acknowledges all the same.
    pub(crate) async fn dropped_rows(&self) -> f64 {
        let (_, metrics) = Http::default()
            .get(&self.url("/metrics"))
            .await
            .expect("metrics");
        metrics
            .lines()
            .filter(|line| line.starts_with("vl_rows_dropped_total"))
            .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
            .sum()
    }
}

/// A running node_exporter: an independent reading of this machine.
#[derive(Debug)]
pub(crate) struct NodeExporter {
    port: Port,
    _process: Process,
}

impl NodeExporter {
    pub(crate) async fn start(directory: &Path) -> Self {
        let port = Port::reserve();
        let process = Process::start(
            "node-exporter",
            peer("node-exporter/usr/bin/prometheus-node-exporter"),
            [format!("--web.listen-address={}", port.address())],
            directory,
        );
        is_ready(&port.url("/")).await;
        Self {
            port,
            _process: process,
        }
    }

    pub(crate) async fn metrics(&self) -> String {
        let (_, metrics) = Http::default()
            .get(&self.port.url("/metrics"))
            .await
            .expect("metrics");
        metrics
    }
}

fn stop(process: Option<Process>) {
    let mut process = process.expect("a running peer");
    process.signal(Signal::TERM);
    process.wait(STOPPED_WITHIN);
}

async fn is_ready(url: &str) {
    let http = Http::default();
    eventually(READY_WITHIN, url, async || match http.get(url).await {
        Ok((200, _)) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
