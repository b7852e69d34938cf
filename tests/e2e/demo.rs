//! The demo, as somebody new to the program sees it.

use std::fs;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;
use tests::json_lines::Requests;
use tests::process::Process;
use tests::skybridge::binary;
use tests::wait::{eventually, holds};

const SHOWN_WITHIN: Duration = Duration::from_secs(60);
const STOPPED_WITHIN: Duration = Duration::from_secs(45);

/// Scenario: the demo runs without a terminal until this machine's metrics and a log line are in
/// its files; then Ctrl-C.
/// Guarantees: it says what to open, shows the account of both programs, drains, and exits with 0.
#[tokio::test(flavor = "multi_thread")]
async fn the_demo_shows_real_telemetry_and_stops_in_order() {
    let folder = TempDir::new().expect("a folder");
    let directory = folder.path().join("demo");
    let arguments = ["demo", "--directory", &*directory.to_string_lossy()];
    let mut demo = Process::start("skybridge-demo", binary(), arguments, folder.path());
    eventually(SHOWN_WITHIN, "metrics and logs in files", async || {
        assert!(demo.exited().is_none(), "the demo ended: {}", demo.log());
        let points = Requests::read(&directory.join("metrics.jsonl")).point_items();
        let logs = Requests::read(&directory.join("logs.jsonl")).log_items();
        holds(
            points.keys().any(|point| point.contains("system.cpu.time")) && !logs.is_empty(),
            format!("{} points, {} lines", points.len(), logs.len()),
        )
    })
    .await;
    demo.signal(Signal::INT);
    let status = demo.wait(STOPPED_WITHIN);
    let said = demo.log();
    assert_eq!(status.code(), Some(0), "{said}");
    for expected in ["curl http://127.0.0.1:", "agent", "collector", "queued"] {
        assert!(said.contains(expected), "{expected:?} is missing:\n{said}");
    }
    let left = fs::read_to_string(directory.join("agent.log")).unwrap_or_default();
    assert!(!left.contains("panicked"), "{left}");
}
