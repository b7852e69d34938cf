//! What the program costs when nothing happens: memory, time to be ready, size on disk.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tests::ports::Port;
use tests::sink::{Sink, Verdict};
use tests::skybridge::{Skybridge, binary};
use tokio::time::{Instant, sleep};

use crate::CORES;
use crate::throughput::{cpu_seconds, float};

/// Long enough for several scrapes of the host.
const IDLE: Duration = Duration::from_secs(60);
const STARTS: usize = 5;

/// Prints all figures.
pub(crate) async fn print() {
    let directory = TempDir::new().expect("a folder");
    let [grpc, http, back_end] = [(); 3].map(|()| Port::reserve());
    let _sink = Sink::start(&back_end.address(), Arc::new(|_| Verdict::Take));
    let config = include_str!("configs/idle.yaml")
        .replace("@grpc", &grpc.address())
        .replace("@http", &http.address())
        .replace("@back_end", &back_end.address());
    let mut program =
        Skybridge::start_on_core(CORES.0, "skybridge", directory.path(), &config).await;
    let mut ready_ms = Vec::new();
    for _ in 0..STARTS {
        program.kill();
        let start = Instant::now();
        program.run().await;
        ready_ms.push(start.elapsed().as_secs_f64() * 1e3);
    }
    ready_ms.sort_by(f64::total_cmp);

    let id = program.process().id();
    let cpu = cpu_seconds(id);
    sleep(IDLE).await;
    let cpu_percent = 100.0 * (cpu_seconds(id) - cpu) / IDLE.as_secs_f64();
    let memory = fs::read_to_string(format!("/proc/{id}/smaps_rollup")).expect("a running program");
    let binary_bytes = fs::metadata(binary()).expect("the binary").len();

    println!("## At rest\n");
    println!(
        "An agent with otlp, host_metrics each 15 s, file_log on this machine's logs, and a spool \
         on disk; memory and CPU after {} s.\n",
        IDLE.as_secs()
    );
    println!("| what | figure |");
    println!("| --- | --- |");
    println!("| RSS | {:.1} MiB |", mib(&memory, "Rss:"));
    println!(
        "| of it anonymous | {:.1} MiB |",
        mib(&memory, "Anonymous:")
    );
    println!("| CPU | {cpu_percent:.2} % of a core |");
    println!(
        "| ready after start, median of {STARTS} (health answers 200; polled each 20 ms) | {:.0} ms |",
        ready_ms[STARTS / 2]
    );
    println!("| binary | {:.1} MB |", float(binary_bytes) / 1e6);
}

/// A line of `smaps_rollup`, which counts in kB of 1024 bytes.
fn mib(memory: &str, line: &str) -> f64 {
    let kib = memory.lines().find_map(|text| {
        text.strip_prefix(line)?
            .split_whitespace()
            .next()?
            .parse::<u64>()
            .ok()
    });
    float(kib.expect("a line of smaps_rollup")) / 1024.0
}
