//! What a service manager sees.

use rustix::process::Signal;
use tests::client::{Protocol, Sender, send_logs};
use tests::payload::numbered_logs;

use crate::chain::Chain;

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_drains_and_exits_with_zero() {
    drains_and_exits(Signal::TERM).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_drains_and_exits_with_zero() {
    drains_and_exits(Signal::INT).await;
}

/// Scenario: a thousand records are acknowledged, and at once the agent is told to stop, then the
/// collector.
/// Guarantees: each exits with 0 and has passed on what it had accepted.
async fn drains_and_exits(signal: Signal) {
    let mut chain = Chain::start().await;
    let sender = Sender::new(Protocol::Http, &chain.http.address(), "logs", false);
    for batch in 0..10 {
        let logs = numbered_logs("shutdown", batch * 100..(batch + 1) * 100);
        send_logs(&sender, &logs).await.expect("an acknowledgement");
    }
    for program in [&mut chain.agent, &mut chain.collector] {
        let status = program.terminate(signal);
        assert_eq!(status.code(), Some(0), "{status}");
    }
    assert_eq!(chain.output().log_records().count(), 1_000);
}
