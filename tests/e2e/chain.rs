//! An agent that ships to a collector that writes files: the main road.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tests::json_lines::Requests;
use tests::ports::Port;
use tests::skybridge::Skybridge;

/// Both programs, running, and where their ends are.
#[derive(Debug)]
pub(crate) struct Chain {
    pub(crate) agent: Skybridge,
    pub(crate) collector: Skybridge,
    /// OTLP over gRPC into the agent.
    pub(crate) grpc: Port,
    /// OTLP over HTTP into the agent.
    pub(crate) http: Port,
    output: PathBuf,
    _collector_port: Port,
    _directory: TempDir,
}

impl Chain {
    pub(crate) async fn start() -> Self {
        Self::start_with(include_str!("configs/collector.yaml"), &[]).await
    }

    /// With another config for the collector, and what its words stand for.
    pub(crate) async fn start_with(collector: &str, words: &[(&str, &str)]) -> Self {
        let directory = TempDir::new().expect("a folder");
        let [grpc, http, collector_port] = [(); 3].map(|()| Port::reserve());
        let output = directory.path().join("out.jsonl");
        let collector = fill(collector, words);
        let collector = fill(
            &collector,
            &[
                ("@grpc", &collector_port.address()),
                ("@out", &output.to_string_lossy()),
            ],
        );
        let collector = Skybridge::start("collector", directory.path(), &collector).await;
        let agent = fill(
            include_str!("configs/agent.yaml"),
            &[
                ("@grpc", &grpc.address()),
                ("@http", &http.address()),
                ("@collector", &collector_port.address()),
            ],
        );
        let agent = Skybridge::start("agent", directory.path(), &agent).await;
        Self {
            agent,
            collector,
            grpc,
            http,
            output,
            _collector_port: collector_port,
            _directory: directory,
        }
    }

    /// What the collector has written so far.
    pub(crate) fn output(&self) -> Requests {
        Requests::read(&self.output)
    }

    pub(crate) fn output_path(&self) -> &Path {
        &self.output
    }
}

/// Replaces the words of a config template.
pub(crate) fn fill(template: &str, words: &[(&str, &str)]) -> String {
    words
        .iter()
        .fold(template.to_owned(), |text, (word, value)| {
            text.replace(word, value)
        })
}
