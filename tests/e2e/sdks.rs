//! The OpenTelemetry SDKs of Rust and Python, over all their transports.
//!
//! Scenario: an SDK hands each of its exports to the agent and to a witness. The agent keeps them
//! on disk and ships them with zstd to the collector, which writes OTLP-JSON.
//! Guarantees: every field of every span, log record and data point that the witness decoded is in
//! the file, with its resource and scope, once. Only the grouping into requests may differ.

use std::path::Path;
use std::time::Duration;

use tests::json_lines::{Items, Requests};
use tests::process::Process;
use tests::wait::{eventually, holds};

use crate::chain::Chain;
use crate::peers::peer;
use crate::rust_sdk;
use crate::witness::Witness;

const ARRIVES_WITHIN: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn what_the_rust_sdk_sends_over_grpc_arrives_in_every_field() {
    rust_sdk_arrives(rust_sdk::Transport::Grpc).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_rust_sdk_sends_over_http_protobuf_arrives_in_every_field() {
    rust_sdk_arrives(rust_sdk::Transport::HttpProtobuf).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_rust_sdk_sends_over_http_json_arrives_in_every_field() {
    rust_sdk_arrives(rust_sdk::Transport::HttpJson).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_python_sdk_sends_over_grpc_arrives_in_every_field() {
    python_sdk_arrives("grpc").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_python_sdk_sends_over_http_protobuf_arrives_in_every_field() {
    python_sdk_arrives("http").await;
}

async fn rust_sdk_arrives(transport: rust_sdk::Transport) {
    let chain = Chain::start().await;
    let witness = Witness::start();
    let port = match transport {
        rust_sdk::Transport::Grpc => &chain.grpc,
        _ => &chain.http,
    };
    rust_sdk::send_everything(transport, [witness.url(), port.url("")]).await;
    everything_arrives(&chain, &witness, rust_sdk::ITEMS).await;
}

async fn python_sdk_arrives(protocol: &str) {
    let chain = Chain::start().await;
    let witness = Witness::start();
    let port = if protocol == "grpc" {
        &chain.grpc
    } else {
        &chain.http
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/sdk_sender.py");
    let mut sender = Process::start(
        "sdk-sender",
        peer("python/bin/python"),
        [
            script.to_string_lossy().into_owned(),
            protocol.to_owned(),
            witness.url(),
            port.url(""),
        ],
        chain.output_path().parent().expect("a folder"),
    );
    let status = sender.wait(Duration::from_secs(60));
    assert!(status.success(), "{status}: {}", sender.log());
    everything_arrives(&chain, &witness, 50).await;
}

/// `items` guards against a sender that sent nothing: each SDK sends at least so many of each kind.
async fn everything_arrives(chain: &Chain, witness: &Witness, items: usize) {
    let sent = witness.seen();
    for kind in kinds(&sent) {
        assert!(kind.len() >= items, "the SDK sent {} items", kind.len());
    }
    eventually(ARRIVES_WITHIN, "all items in the file", async || {
        let arrived = chain.output();
        let count = |requests| kinds(requests).map(|kind| kind.values().sum::<u64>());
        holds(
            count(&arrived)
                .iter()
                .zip(count(&sent))
                .all(|(a, b)| *a >= b),
            format!("{:?} of {:?}", count(&arrived), count(&sent)),
        )
    })
    .await;
    let arrived = chain.output();
    assert_eq!(arrived.torn_lines, 0);
    for (sent, arrived) in kinds(&sent).iter().zip(kinds(&arrived)) {
        assert_same(sent, &arrived);
    }
}

fn kinds(requests: &Requests) -> [Items; 3] {
    [
        requests.span_items(),
        requests.log_items(),
        requests.point_items(),
    ]
}

fn assert_same(sent: &Items, arrived: &Items) {
    let missing = sent
        .iter()
        .find(|(item, times)| arrived.get(*item) != Some(times));
    let strange = arrived
        .iter()
        .find(|(item, times)| sent.get(*item) != Some(times));
    assert!(
        missing.is_none() && strange.is_none(),
        "sent, not arrived: {missing:#?}\narrived, not sent: {strange:#?}"
    );
}
