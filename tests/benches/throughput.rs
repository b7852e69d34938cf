//! Items in core-seconds through the whole process.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prost::Message;
use tempfile::TempDir;
use tests::client::{Encoded, Protocol, Sender};
use tests::payload::{bench_logs, bench_points, count, now_unix_nano};
use tests::ports::Port;
use tests::sink::{Sink, Verdict};
use tests::skybridge::Skybridge;
use tokio::time::{Instant, sleep};

use crate::CORES;

/// Requests under way at once; enough to fill the program's group commits.
const IN_FLIGHT: usize = 16;
/// Different bodies, so that no cache sees ever the same one.
const BODIES: usize = 8;
/// Items accepted and not yet at the sink, above which the generator waits: what is measured is
/// what goes through, not what piles up.
const UNDER_WAY_MAX: u64 = 300_000;
const WARM_UP: Duration = Duration::from_secs(1);
const WINDOW: Duration = Duration::from_secs(3);
/// Runs of each row; the median counts.
const RUNS: usize = 3;

/// One way through the program.
#[derive(Clone, Copy)]
struct Row {
    name: &'static str,
    items: Items,
    batch: u32,
    compressed: bool,
    exporter: Exporter,
    on_disk: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Items {
    Logs,
    Points,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Exporter {
    Otlp,
    RemoteWrite,
    Loki,
}

const fn row(
    name: &'static str,
    items: Items,
    batch: u32,
    compressed: bool,
    exporter: Exporter,
    on_disk: bool,
) -> Row {
    Row {
        name,
        items,
        batch,
        compressed,
        exporter,
        on_disk,
    }
}

const OTLP: &str = "OTLP/gRPC -> OTLP/gRPC, none";
const OTLP_ZSTD: &str = "OTLP/gRPC -> OTLP/gRPC, zstd";
const REMOTE_WRITE: &str = "OTLP/gRPC, none -> remote write 1.0";
const LOKI: &str = "OTLP/gRPC, none -> Loki push";

const ROWS: [Row; 14] = [
    row(OTLP, Items::Logs, 1_000, false, Exporter::Otlp, false),
    row(OTLP, Items::Logs, 1_000, false, Exporter::Otlp, true),
    row(OTLP, Items::Logs, 100, false, Exporter::Otlp, true),
    row(OTLP, Items::Points, 1_000, false, Exporter::Otlp, false),
    row(OTLP, Items::Points, 1_000, false, Exporter::Otlp, true),
    row(OTLP, Items::Points, 100, false, Exporter::Otlp, true),
    row(OTLP_ZSTD, Items::Logs, 1_000, true, Exporter::Otlp, false),
    row(OTLP_ZSTD, Items::Logs, 1_000, true, Exporter::Otlp, true),
    row(OTLP_ZSTD, Items::Points, 1_000, true, Exporter::Otlp, false),
    row(OTLP_ZSTD, Items::Points, 1_000, true, Exporter::Otlp, true),
    row(
        REMOTE_WRITE,
        Items::Points,
        1_000,
        false,
        Exporter::RemoteWrite,
        true,
    ),
    row(
        REMOTE_WRITE,
        Items::Points,
        100,
        false,
        Exporter::RemoteWrite,
        true,
    ),
    row(LOKI, Items::Logs, 1_000, false, Exporter::Loki, true),
    row(LOKI, Items::Logs, 100, false, Exporter::Loki, true),
];

/// Prints the rows whose name holds `words`.
pub(crate) async fn print(words: &str) {
    println!("## Through the whole process\n");
    println!(
        "Logs of 337 B, gauge points of 79 B, each sender with series of its own; program on one core, generator \
         and sink on another; {IN_FLIGHT} requests in flight, median of {RUNS} windows of {} s; \
         everything validated. Spool on disk: synced before the acknowledgement.\n",
        WINDOW.as_secs()
    );
    println!("| way | items | batch | spool | us an item | items a core-second | of the core |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for row in ROWS.into_iter().filter(|row| row.name.contains(words)) {
        let mut runs = Vec::new();
        for _ in 0..RUNS {
            runs.push(measure(row).await);
        }
        runs.sort_by(|a, b| a.cpu_us_an_item().total_cmp(&b.cpu_us_an_item()));
        let median = &runs[RUNS / 2];
        println!(
            "| {} | {} | {} | {} | {:.3} | {} | {:.0} % |",
            row.name,
            if row.items == Items::Logs {
                "logs"
            } else {
                "points"
            },
            row.batch,
            if row.on_disk { "disk" } else { "memory" },
            median.cpu_us_an_item(),
            thousands(1e6 / median.cpu_us_an_item()),
            100.0 * median.cpu_seconds / median.wall_seconds,
        );
    }
    println!();
}

/// What one window saw.
struct Window {
    cpu_seconds: f64,
    wall_seconds: f64,
    arrived: f64,
}

impl Window {
    fn cpu_us_an_item(&self) -> f64 {
        self.cpu_seconds * 1e6 / self.arrived
    }
}

async fn measure(row: Row) -> Window {
    let directory = TempDir::new().expect("a folder");
    let [receiver, back_end] = [(); 2].map(|()| Port::reserve());
    let arrived = Arc::new(AtomicU64::new(0));
    let _sink = counting_sink(row, &back_end.address(), arrived.clone());
    let config = config(row, &receiver.address(), &back_end.address());
    let mut program =
        Skybridge::start_on_core(CORES.0, "skybridge", directory.path(), &config).await;
    let load = Load::start(row, &receiver.address(), &arrived);
    sleep(WARM_UP).await;
    let id = program.process().id();
    let (items, cpu, start) = (
        arrived.load(Ordering::Relaxed),
        cpu_seconds(id),
        Instant::now(),
    );
    sleep(WINDOW).await;
    let window = Window {
        cpu_seconds: cpu_seconds(id) - cpu,
        wall_seconds: start.elapsed().as_secs_f64(),
        arrived: float(arrived.load(Ordering::Relaxed) - items),
    };
    load.stop();
    assert!(
        window.arrived > 0.0,
        "{}: nothing arrived; the program said:\n{}",
        row.name,
        program.process().log()
    );
    window
}

/// Senders that keep requests in flight until stopped.
struct Load(Vec<tokio::task::JoinHandle<()>>);

impl Load {
    fn start(row: Row, address: &str, arrived: &Arc<AtomicU64>) -> Self {
        let signal = match row.items {
            Items::Logs => "logs",
            Items::Points => "metrics",
        };
        let sender = Sender::new(Protocol::Grpc, address, signal, row.compressed);
        let accepted = Arc::new(AtomicU64::new(0));
        let tasks = (0..IN_FLIGHT).map(|host| {
            let sender = sender.clone();
            let mut bodies = Bodies::new(row, host, &sender);
            let (accepted, arrived) = (accepted.clone(), arrived.clone());
            tokio::spawn(async move {
                loop {
                    let items = accepted.load(Ordering::Relaxed);
                    if items > arrived.load(Ordering::Relaxed) + UNDER_WAY_MAX {
                        sleep(Duration::from_millis(2)).await;
                        continue;
                    }
                    match sender.send(&bodies.next(&sender)).await {
                        Ok(()) => {
                            accepted.fetch_add(row.batch.into(), Ordering::Relaxed);
                        }
                        // Backpressure: as a well-behaved sender, wait.
                        Err(_) => sleep(Duration::from_millis(5)).await,
                    }
                }
            })
        });
        Self(tasks.collect())
    }

    fn stop(self) {
        for task in self.0 {
            task.abort();
        }
    }
}

/// What one sender sends, one after the other.
enum Bodies {
    /// The same few, encoded beforehand: nobody on this way looks at times.
    Repeated(std::iter::Cycle<std::vec::IntoIter<Encoded>>),
    /// One, a millisecond later each time: Prometheus takes one sample of a series and time.
    Later {
        message: Vec<u8>,
        times: Vec<usize>,
        at_unix_nano: u64,
    },
}

impl Bodies {
    fn new(row: Row, host: usize, sender: &Sender) -> Self {
        let at_unix_nano = now_unix_nano();
        let points = || bench_points(row.batch, host, at_unix_nano).encode_to_vec();
        if row.exporter == Exporter::RemoteWrite {
            let message = points();
            return Self::Later {
                times: times_in(&message, at_unix_nano),
                message,
                at_unix_nano,
            };
        }
        let bodies: Vec<_> = (0..BODIES)
            .map(|_| match row.items {
                Items::Logs => bench_logs(row.batch).encode_to_vec(),
                Items::Points => points(),
            })
            .map(|message| sender.encode(&message))
            .collect();
        Self::Repeated(bodies.into_iter().cycle())
    }

    fn next(&mut self, sender: &Sender) -> Encoded {
        match self {
            Self::Repeated(bodies) => bodies.next().expect("a cycle"),
            Self::Later {
                message,
                times,
                at_unix_nano,
            } => {
                *at_unix_nano += 1_000_000;
                for &time in times.iter() {
                    message[time..time + 8].copy_from_slice(&at_unix_nano.to_le_bytes());
                }
                sender.encode(message)
            }
        }
    }
}

/// Where the times of points lie in an encoded message: field 3, eight bytes.
fn times_in(message: &[u8], at_unix_nano: u64) -> Vec<usize> {
    let mut field = vec![0x19];
    field.extend(at_unix_nano.to_le_bytes());
    let windows = message.windows(field.len()).enumerate();
    windows
        .filter(|(_, window)| *window == field)
        .map(|(at, _)| at + 1)
        .collect()
}

fn counting_sink(row: Row, address: &str, arrived: Arc<AtomicU64>) -> Sink {
    // Where items lie in a message: logs or gauge points of OTLP, samples, entries.
    let path: &[u32] = match (row.exporter, row.items) {
        (Exporter::Otlp, Items::Logs) => &[1, 2, 2],
        (Exporter::Otlp, Items::Points) => &[1, 2, 2, 5, 1],
        (Exporter::RemoteWrite | Exporter::Loki, _) => &[1, 2],
    };
    Sink::start(
        address,
        Arc::new(move |request| {
            arrived.fetch_add(count(&request.message, path), Ordering::Relaxed);
            Verdict::Take
        }),
    )
}

fn config(row: Row, receiver: &str, back_end: &str) -> String {
    let signal = match row.items {
        Items::Logs => "logs",
        Items::Points => "metrics",
    };
    let compression = if row.compressed { "zstd" } else { "none" };
    let (name, options) = match row.exporter {
        Exporter::Otlp => (
            "otlp_grpc",
            format!(
                "endpoint: \"{back_end}\"\n    compression: {compression}\n    tls: {{ insecure: true }}"
            ),
        ),
        Exporter::RemoteWrite => (
            "prometheus_remote_write",
            format!(
                "endpoint: http://{back_end}/api/v1/write\n    protobuf_message: prometheus.WriteRequest"
            ),
        ),
        Exporter::Loki => (
            "loki",
            format!("endpoint: http://{back_end}\n    protocol: push"),
        ),
    };
    let storage = if row.on_disk {
        "\n    sending_queue: { storage: file_storage }"
    } else {
        ""
    };
    include_str!("configs/throughput.yaml")
        .replace("@receiver", receiver)
        .replace("@exporter", name)
        .replace("@options", &format!("{options}{storage}"))
        .replace("@signal", signal)
}

/// User and system time of a process so far, in steps of 10 ms.
pub(crate) fn cpu_seconds(id: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).expect("a running program");
    let after_name = stat.rsplit_once(')').expect("a name in parentheses").1;
    let fields = after_name.split_whitespace().skip(11).take(2);
    let ticks: u64 = fields
        .map(|ticks| ticks.parse::<u64>().expect("ticks"))
        .sum();
    float(ticks) / 100.0
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of a bench are far below 2^52"
)]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}

fn thousands(rate: f64) -> String {
    let digits = format!("{rate:.0}");
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
