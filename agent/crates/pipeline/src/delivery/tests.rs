//! All of these run on tokio's paused clock.

use std::sync::Arc;

use super::*;
use crate::fake::{BackEnd, ample, assert_balanced, batch, cursor, memory_spool, retry, split};
use crate::{DiskSettings, DriverSettings, SpoolSettings, Storage};

async fn running(back_end: &Arc<BackEnd>) -> (Delivery, Spool) {
    let spool = memory_spool(vec![cursor("x")]);
    (deliver(&spool, back_end).await, spool)
}

async fn deliver(spool: &Spool, back_end: &Arc<BackEnd>) -> Delivery {
    let mut delivery = Delivery::new();
    delivery.add_spool(spool);
    let cursor = spool.cursor("x").unwrap();
    let back_end = Arc::clone(back_end);
    delivery.add_driver(Driver::new(
        cursor,
        back_end,
        DriverSettings::default(),
        split,
    ));
    for first in 0..10 {
        spool
            .append(batch(first * 10..first * 10 + 10))
            .await
            .unwrap();
    }
    delivery
}

#[tokio::test(start_paused = true)]
async fn shutdown_delivers_what_is_queued() {
    let back_end = BackEnd::slow(Duration::from_secs(1), |_| Ok(crate::Exported::default()));
    let (delivery, _spool) = running(&back_end).await;
    let report = delivery.shutdown(Duration::from_secs(10)).await;
    assert!(report.is_drained);
    assert_eq!((report.dropped, report.kept), (0, 0));
    assert_eq!(back_end.delivered().len(), 100);
}

#[tokio::test(start_paused = true)]
async fn shutdown_ends_at_its_deadline_and_counts_what_is_lost() {
    let (delivery, _spool) = running(&BackEnd::dead()).await;
    let begin = Instant::now();
    let report = delivery.shutdown(Duration::from_secs(10)).await;
    assert!(begin.elapsed() <= Duration::from_secs(10));
    assert!(!report.is_drained);
    assert_eq!(report.dropped, 100);
    let stats = &report.spools[0];
    assert_balanced(stats);
    assert_eq!(stats.cursors[0].tally.dropped.get("shutdown"), 100);
}

#[tokio::test(start_paused = true)]
async fn shutdown_does_not_wait_for_an_exporter_that_waits_longer() {
    let asks_to_wait = BackEnd::new(|_| Err(retry(Some(Duration::from_secs(60)))));
    let (delivery, _spool) = running(&asks_to_wait).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let begin = Instant::now();
    let report = delivery.shutdown(Duration::from_secs(10)).await;
    assert!(begin.elapsed() < Duration::from_secs(1));
    assert_eq!(report.dropped, 100);
}

/// Scenario: a dead back end behind a spool on disk.
/// Guarantees: the shutdown ends at once, and what was queued is there at the next start.
#[tokio::test(start_paused = true)]
async fn shutdown_leaves_on_disk_what_a_dead_back_end_did_not_take() {
    let directory = tempfile::tempdir().unwrap();
    for expected in [100, 200] {
        let settings = SpoolSettings {
            name: "logs/test".to_owned(),
            storage: Storage::Disk(DiskSettings::new(directory.path())),
            cursors: vec![cursor("x")],
        };
        let spool = Spool::open(settings, &ample()).unwrap();
        let delivery = deliver(&spool, &BackEnd::dead()).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let begin = Instant::now();
        let report = delivery.shutdown(Duration::from_secs(10)).await;
        assert!(begin.elapsed() < Duration::from_secs(1));
        assert!(!report.is_drained);
        assert_eq!((report.dropped, report.kept), (0, expected));
    }
}

#[tokio::test(start_paused = true)]
async fn an_exporter_that_never_answers_does_not_hold_up_the_shutdown() {
    let never = BackEnd::slow(Duration::from_secs(1_000_000), |_| {
        Ok(crate::Exported::default())
    });
    let (delivery, _spool) = running(&never).await;
    tokio::task::yield_now().await;
    let begin = Instant::now();
    let report = delivery.shutdown(Duration::from_secs(3)).await;
    assert!(begin.elapsed() <= Duration::from_secs(3));
    assert_eq!(report.dropped, 100);
}
