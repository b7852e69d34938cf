use super::*;
use crate::fake::{DropOdd, batch, cursor, memory_spool};
use crate::{CursorSettings, Signal};

fn feed(spool: &Spool, processors: Vec<DropOdd>) -> Feed<DropOdd> {
    Feed {
        processors: processors.into(),
        spool: spool.clone(),
        stats: Arc::default(),
    }
}

fn tight() -> CursorSettings {
    let mut settings = cursor("x");
    settings.limits.records = Some(1);
    settings
}

#[tokio::test]
async fn each_pipeline_gets_what_its_processors_keep() {
    let (all, even) = (
        memory_spool(vec![cursor("x")]),
        memory_spool(vec![cursor("x")]),
    );
    let inlet = Inlet::new(vec![feed(&all, vec![]), feed(&even, vec![DropOdd])], false);
    inlet.send(batch(0..10)).await.unwrap();
    inlet.send(batch(1..10)).await.unwrap();
    assert_eq!(all.stats().cursors[0].accepted, 19);
    assert_eq!(even.stats().cursors[0].accepted, 10);
    assert_eq!(inlet.feeds[1].stats.dropped().get("odd"), 9);
    assert_eq!(inlet.feeds[1].stats.received(), 19);
}

#[tokio::test]
async fn a_full_pipeline_refuses_for_all() {
    let (wide, narrow) = (memory_spool(vec![cursor("x")]), memory_spool(vec![tight()]));
    let inlet = Inlet::new(vec![feed(&wide, vec![]), feed(&narrow, vec![])], false);
    inlet.send(batch(0..10)).await.unwrap();
    assert!(inlet.send(batch(0..10)).await.is_err());
    assert_eq!(wide.stats().cursors[0].accepted, 10);
    assert_eq!(inlet.feeds[0].stats.refused(), 10);
}

#[tokio::test]
async fn a_receiver_can_ask_before_it_reads() {
    let (wide, narrow) = (memory_spool(vec![cursor("x")]), memory_spool(vec![tight()]));
    let inlet = Inlet::new(vec![feed(&wide, vec![]), feed(&narrow, vec![])], false);
    assert!(inlet.refusal().is_none());
    inlet.send(batch(0..10)).await.unwrap();
    assert!(matches!(inlet.refusal(), Some(Refused::Full { .. })));
    wide.close();
    assert!(matches!(inlet.refusal(), Some(Refused::ShuttingDown)));
}

#[tokio::test]
async fn zstd_is_preferred_only_where_nothing_looks_inside() {
    let spool = memory_spool(vec![cursor("x")]);
    for (processors, exporters, preferred) in [(0, true, true), (1, true, false), (0, false, false)]
    {
        let processors = (0..processors).map(|_| DropOdd).collect();
        let inlet = Inlet::new(vec![feed(&spool, processors)], exporters);
        assert_eq!(inlet.prefers_zstd(), preferred);
    }
}

#[tokio::test]
async fn processors_read_plain_payloads() {
    let spool = memory_spool(vec![cursor("x")]);
    let inlet = Inlet::new(vec![feed(&spool, vec![DropOdd])], true);
    let plain = batch(0..10);
    let frames = zstd::bulk::compress(plain.payload.as_bytes(), 1).unwrap();
    let payload = Payload::Zstd {
        frames: frames.into(),
        plain_size_bytes: 80,
    };
    let zipped = plain.with_payload(payload, 10);
    assert_eq!(zipped.signal, Signal::Logs);
    inlet.send(zipped).await.unwrap();
    assert_eq!(spool.stats().cursors[0].accepted, 10);
}
