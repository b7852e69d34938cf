//! SIGKILL under load, with an oracle outside of the program.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use prost::Message;
use tests::client::{Protocol, Sender};
use tests::json_lines::Requests;
use tests::payload::{number_of, numbered_logs};
use tests::ports::Port;
use tests::sink::{Sink, Verdict};
use tests::wait::eventually;

use crate::chain::{Chain, fill};

const KILLS_OF_EACH: usize = 10;
const ITEMS_A_BATCH: u64 = 20;
const PAUSE_BETWEEN_BATCHES: Duration = Duration::from_millis(8);
const LIFE_MS: std::ops::Range<u64> = 100..900;
const DRAINED_WITHIN: Duration = Duration::from_secs(90);

/// How often each number has arrived.
type Arrivals = BTreeMap<u64, u64>;

/// Scenario: three applications send numbered records to the agent and send again what was not
/// acknowledged. Agent and collector are each killed ten times, in random order, at random moments;
/// one of the collector's two back ends is down for half of that time.
/// Guarantees: every acknowledged record is in both back ends. Repetitions are allowed and counted.
#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_item_survives_twenty_kills_and_a_stopped_back_end() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let back_end = BackEnd::new();
    let address = back_end.port.address();
    let mut chain = Chain::start_with(
        &with_second_exporter(include_str!("configs/collector.yaml")),
        &[("@back_end", &address)],
    )
    .await;
    let load = Load::start(&[
        Sender::new(Protocol::Grpc, &chain.grpc.address(), "logs", false),
        Sender::new(Protocol::Http, &chain.http.address(), "logs", true),
        Sender::new(Protocol::Grpc, &chain.grpc.address(), "logs", true),
    ]);

    let mut victims = [true, false].repeat(KILLS_OF_EACH);
    random.shuffle(&mut victims);
    let mut sink = Some(back_end.start());
    for (kill, is_agent) in victims.iter().enumerate() {
        if kill == KILLS_OF_EACH / 2 {
            sink = None;
        } else if kill == KILLS_OF_EACH + KILLS_OF_EACH / 2 {
            sink = Some(back_end.start());
        }
        tokio::time::sleep(Duration::from_millis(random.u64(LIFE_MS))).await;
        let victim = if *is_agent {
            &mut chain.agent
        } else {
            &mut chain.collector
        };
        victim.kill();
        victim.run().await;
    }
    let acknowledged = load.stop().await;
    assert!(
        acknowledged.len() > 1_000,
        "no load: {}",
        acknowledged.len()
    );

    let mut file = NumbersInFile::new(chain.output_path().to_owned());
    eventually(DRAINED_WITHIN, "all items in the file", async || {
        file.read_on();
        all_arrived(&acknowledged, &file.arrivals)
    })
    .await;
    eventually(DRAINED_WITHIN, "all items in the back end", async || {
        all_arrived(&acknowledged, &back_end.arrivals.lock().unwrap())
    })
    .await;
    drop(sink);
    println!(
        "{} items acknowledged; repetitions: {} in the file, {} in the back end; {} torn lines",
        acknowledged.len(),
        repetitions(&file.arrivals),
        repetitions(&back_end.arrivals.lock().unwrap()),
        file.torn_lines,
    );
}

/// Adds OTLP over HTTP to what the collector's logs go to.
fn with_second_exporter(config: &str) -> String {
    let exporter = "exporters:\n  otlp_http:\n    endpoint: http://@back_end\n    \
                    sending_queue:\n      storage: file_storage\n    \
                    retry_on_failure: { initial_interval: 100ms, max_interval: 1s, max_elapsed_time: 0s }\n";
    let logs = "logs:\n      receivers: [otlp]\n      exporters: [file";
    assert!(config.contains(logs), "the logs pipeline of collector.yaml");
    fill(
        config,
        &[
            ("exporters:\n  file:", &format!("{exporter}  file:")),
            (logs, &format!("{logs}, otlp_http")),
        ],
    )
}

fn all_arrived(acknowledged: &BTreeSet<u64>, arrivals: &Arrivals) -> Result<(), String> {
    let mut missing = acknowledged
        .iter()
        .filter(|number| !arrivals.contains_key(number));
    match missing.next() {
        None => Ok(()),
        Some(first) => Err(format!(
            "{} of {} missing, the first is {first}",
            1 + missing.count(),
            acknowledged.len()
        )),
    }
}

fn repetitions(arrivals: &Arrivals) -> u64 {
    arrivals.values().map(|times| times - 1).sum()
}

/// Applications that send until told to stop, and remember what was acknowledged.
struct Load {
    stop: Arc<AtomicBool>,
    senders: Vec<tokio::task::JoinHandle<BTreeSet<u64>>>,
}

impl Load {
    fn start(senders: &[Sender]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let next = Arc::new(AtomicU64::new(0));
        let senders = senders
            .iter()
            .map(|sender| tokio::spawn(send_until(stop.clone(), next.clone(), sender.clone())))
            .collect();
        Self { stop, senders }
    }

    async fn stop(self) -> BTreeSet<u64> {
        self.stop.store(true, Ordering::Relaxed);
        let mut acknowledged = BTreeSet::new();
        for sender in self.senders {
            acknowledged.extend(sender.await.expect("a sender"));
        }
        acknowledged
    }
}

async fn send_until(stop: Arc<AtomicBool>, next: Arc<AtomicU64>, sender: Sender) -> BTreeSet<u64> {
    let mut acknowledged = BTreeSet::new();
    while !stop.load(Ordering::Relaxed) {
        let first = next.fetch_add(ITEMS_A_BATCH, Ordering::Relaxed);
        let numbers = first..first + ITEMS_A_BATCH;
        let batch = sender.encode(&numbered_logs("oracle", numbers.clone()).encode_to_vec());
        loop {
            if sender.send(&batch).await.is_ok() {
                acknowledged.extend(numbers);
                break;
            }
            if stop.load(Ordering::Relaxed) {
                break;
            }
            tokio::time::sleep(PAUSE_BETWEEN_BATCHES).await;
        }
        tokio::time::sleep(PAUSE_BETWEEN_BATCHES).await;
    }
    acknowledged
}

/// A back end that counts numbers over all the times that it runs.
struct BackEnd {
    port: Port,
    arrivals: Arc<Mutex<Arrivals>>,
}

impl BackEnd {
    fn new() -> Self {
        Self {
            port: Port::reserve(),
            arrivals: Arc::default(),
        }
    }

    fn start(&self) -> Sink {
        let arrivals = self.arrivals.clone();
        Sink::start(
            &self.port.address(),
            Arc::new(move |arrived| {
                let request = Message::decode(arrived.message).expect("OTLP logs");
                let requests = Requests {
                    logs: vec![request],
                    ..Requests::default()
                };
                count(&mut arrivals.lock().unwrap(), &requests);
                Verdict::Take
            }),
        )
    }
}

fn count(arrivals: &mut Arrivals, requests: &Requests) {
    for number in requests.log_records().filter_map(number_of) {
        *arrivals.entry(number).or_default() += 1;
    }
}

/// Reads a growing file of OTLP-JSON lines on from where it stopped.
struct NumbersInFile {
    path: PathBuf,
    read_bytes: u64,
    arrivals: Arrivals,
    torn_lines: u64,
}

impl NumbersInFile {
    fn new(path: PathBuf) -> Self {
        Self {
            path,
            read_bytes: 0,
            arrivals: Arrivals::new(),
            torn_lines: 0,
        }
    }

    fn read_on(&mut self) {
        let mut file = File::open(&self.path).expect("the collector's file");
        file.seek(SeekFrom::Start(self.read_bytes))
            .expect("a position");
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).expect("the rest of the file");
        let whole = bytes
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |at| at + 1);
        let requests = Requests::of(&bytes[..whole]);
        count(&mut self.arrivals, &requests);
        self.torn_lines += requests.torn_lines;
        self.read_bytes += whole as u64;
    }
}
