//! How fast a spool takes batches and gives them away: in memory, and on disk with every append
//! synced before it is acknowledged. Sixteen senders at once, batches of 100 and of 1000 logs of
//! 337 bytes; the drain goes through a driver to an exporter that does nothing. And how long it
//! takes to open a spool that holds a backlog.
//!
//! `cargo bench -p pipeline --bench spool`

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on has to stop")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pipeline::{
    Batch, Budget, CursorSettings, DiskSettings, Driver, DriverSettings, ExportError, Exported,
    Exporter, Limits, OnFull, Payload, Signal, Spool, SpoolSettings, Storage, clock,
};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

/// Bytes of telemetry in one round.
const ROUND_BYTES: usize = 64 << 20;

/// Senders at once.
const SENDERS: usize = 16;

const LOG_BYTES: usize = 337;

/// Bytes of a backlog that is found at a start.
const BACKLOG_BYTES: usize = 2_000_000_000;

criterion_group!(benches, append, drain, open);
criterion_main!(benches);

fn append(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("append, 16 senders");
    group.sample_size(10);
    group.throughput(Throughput::Bytes(ROUND_BYTES as u64));
    for (storage, items) in cases() {
        let id = BenchmarkId::new(storage, format!("{items} logs"));
        group.bench_function(id, |bench| {
            let runtime = Runtime::new().unwrap();
            bench.iter_custom(|rounds| {
                (0..rounds)
                    .map(|_| {
                        let home = Home::new(storage);
                        runtime.block_on(time_append(&home.open(), items))
                    })
                    .sum()
            });
        });
    }
    group.finish();
}

fn drain(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("drain");
    group.sample_size(10);
    group.throughput(Throughput::Bytes(ROUND_BYTES as u64));
    for (storage, items) in cases() {
        let id = BenchmarkId::new(storage, format!("{items} logs"));
        group.bench_function(id, |bench| {
            let runtime = Runtime::new().unwrap();
            bench.iter_custom(|rounds| {
                (0..rounds)
                    .map(|_| {
                        let home = Home::new(storage);
                        let spool = home.open();
                        runtime.block_on(async {
                            time_append(&spool, items).await;
                            time_drain(&spool).await
                        })
                    })
                    .sum()
            });
        });
    }
    group.finish();
}

fn open(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("open");
    group.sample_size(10);
    let runtime = Runtime::new().unwrap();
    let home = Home::new("disk");
    runtime.block_on(async {
        let spool = home.open();
        time_append_bytes(&spool, 1000, BACKLOG_BYTES).await;
        spool.close();
        spool.finish().await;
    });
    group.bench_function("a backlog of 2 GB", |bench| {
        bench.iter_custom(|rounds| {
            (0..rounds)
                .map(|_| {
                    let begin = clock::monotonic();
                    let spool = home.open();
                    let took = elapsed(begin);
                    runtime.block_on(spool.finish());
                    took
                })
                .sum()
        });
    });
    group.finish();
}

fn cases() -> impl Iterator<Item = (&'static str, u32)> {
    ["memory", "disk"]
        .into_iter()
        .flat_map(|storage| [100, 1000].map(|items| (storage, items)))
}

/// A place for a spool, gone with this value.
struct Home {
    storage: &'static str,
    directory: tempfile::TempDir,
}

impl Home {
    fn new(storage: &'static str) -> Self {
        Self {
            storage,
            directory: tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap(),
        }
    }

    fn open(&self) -> Spool {
        let limits = Limits {
            bytes: 1 << 32,
            records: None,
            items: None,
            age: None,
        };
        let settings = SpoolSettings {
            name: "bench".to_owned(),
            storage: match self.storage {
                "memory" => Storage::Memory,
                _ => Storage::Disk(DiskSettings::new(self.directory.path())),
            },
            cursors: vec![CursorSettings {
                name: "null".to_owned(),
                limits,
                on_full: OnFull::Refuse,
                waits_for_result: false,
            }],
        };
        Spool::open(settings, &Budget::new(1 << 30)).unwrap()
    }
}

async fn time_append(spool: &Spool, items: u32) -> Duration {
    time_append_bytes(spool, items, ROUND_BYTES).await
}

async fn time_append_bytes(spool: &Spool, items: u32, bytes: usize) -> Duration {
    let payload = Bytes::from(vec![0x5a; items as usize * LOG_BYTES]);
    let batches = bytes / payload.len() / SENDERS;
    let budget = Budget::new(usize::MAX);
    let batch = Batch::new(
        Signal::Logs,
        Payload::Plain(payload),
        items,
        budget.charge_if_free(0),
    );
    let begin = clock::monotonic();
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..SENDERS {
        let (spool, batch) = (spool.clone(), batch.clone());
        senders.spawn(async move {
            for _ in 0..batches {
                spool.append(batch.clone()).await.unwrap();
            }
        });
    }
    senders.join_all().await;
    elapsed(begin)
}

struct Null;

impl Exporter for Null {
    async fn export(&self, _: &Batch) -> Result<Exported, ExportError> {
        Ok(Exported::default())
    }
}

async fn time_drain(spool: &Spool) -> Duration {
    let cursor = spool.cursor("null").unwrap();
    let driver = Driver::new(
        cursor,
        Arc::new(Null),
        DriverSettings::default(),
        |_, bytes, _| vec![(bytes.clone(), 1)],
    );
    spool.close();
    let begin = clock::monotonic();
    driver.run(CancellationToken::new()).await;
    elapsed(begin)
}

fn elapsed(begin: Instant) -> Duration {
    clock::monotonic().saturating_duration_since(begin)
}
