//! Spools in memory: limits, policies, age, waiting. Those on disk are tested in `disk`.

use super::*;
use crate::BatchSettings;
use crate::fake::{assert_balanced, batch, cursor, memory_spool, numbers};
use crate::stats::Tally;

/// Bytes that a record of ten items takes.
const TEN_ITEMS_BYTES: u64 = RECORD_OVERHEAD_BYTES + 80;

fn limited(name: &str, records: u64, on_full: OnFull) -> CursorSettings {
    let mut settings = cursor(name);
    settings.limits.bytes = records * TEN_ITEMS_BYTES;
    settings.on_full = on_full;
    settings
}

fn ten(first: u64) -> Batch {
    batch(first..first + 10)
}

/// Takes and settles the next lot of at most `max_items` items as delivered.
async fn deliver(cursor: &mut Cursor, max_items: u32) -> Vec<u64> {
    let lot = take(cursor, max_items).await;
    let delivered = Tally {
        delivered: lot.span.amount().items,
        ..Tally::default()
    };
    cursor.settle(lot.span, &delivered);
    lot.records
        .iter()
        .flat_map(|record| numbers(&record.batch.payload))
        .collect()
}

async fn take(cursor: &mut Cursor, max_items: u32) -> Lot {
    let settings = BatchSettings {
        max_items,
        ..BatchSettings::default()
    };
    cursor.next(&settings).await.unwrap()
}

#[tokio::test]
async fn a_full_spool_refuses_with_a_delay_and_accepts_again() {
    let spool = memory_spool(vec![limited("x", 2, OnFull::Refuse)]);
    spool.append(ten(0)).await.unwrap();
    spool.append(ten(10)).await.unwrap();
    let Err(Refused::Full { retry_after, .. }) = spool.append(ten(20)).await else {
        panic!("the third must be refused");
    };
    assert_eq!(retry_after, RETRY_AFTER_STALLED);
    let mut cursor = spool.cursor("x").unwrap();
    deliver(&mut cursor, 10).await;
    spool.append(ten(20)).await.unwrap();
    assert_balanced(&spool.stats());
}

#[tokio::test]
async fn limits_hold_in_records_and_items_too() {
    for (records, items) in [(Some(2), None), (None, Some(25))] {
        let mut settings = cursor("x");
        settings.limits.records = records;
        settings.limits.items = items;
        let spool = memory_spool(vec![settings]);
        spool.append(ten(0)).await.unwrap();
        spool.append(ten(10)).await.unwrap();
        assert!(spool.append(ten(20)).await.is_err());
    }
}

#[tokio::test]
async fn what_is_larger_than_the_limit_passes_alone() {
    let spool = memory_spool(vec![limited("x", 1, OnFull::Refuse)]);
    spool.append(batch(0..100)).await.unwrap();
    assert!(spool.append(batch(0..1)).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn the_delay_told_follows_the_drain_rate() {
    let spool = memory_spool(vec![limited("x", 1_000, OnFull::Refuse)]);
    let maintained = spool.clone();
    tokio::spawn(async move { maintained.maintain().await });
    let mut cursor = spool.cursor("x").unwrap();
    for second in 0..30 {
        spool.append(ten(second)).await.unwrap();
        deliver(&mut cursor, 10).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    while spool.append(ten(0)).await.is_ok() {}
    // One record drains in a second: ten take about ten, and none takes more than the bound.
    for (records, bounds) in [(1, 1.0..=1.1), (10, 9.0..=10.5), (1_000, 30.0..=30.0)] {
        let large = batch(0..records * TEN_ITEMS_BYTES / 8 - RECORD_OVERHEAD_BYTES / 8);
        let Err(Refused::Full { retry_after, .. }) = spool.append(large).await else {
            panic!("the spool is full");
        };
        assert!(
            bounds.contains(&retry_after.as_secs_f64()),
            "{records}: {retry_after:?}"
        );
    }
}

#[tokio::test]
async fn dropping_the_oldest_moves_that_cursor_alone() {
    let spool = memory_spool(vec![
        limited("short", 2, OnFull::DropOldest),
        limited("long", 9, OnFull::Refuse),
    ]);
    for first in [0, 10, 20, 30] {
        spool.append(ten(first)).await.unwrap();
    }
    let stats = spool.stats();
    assert_balanced(&stats);
    assert_eq!(stats.cursors[0].tally.dropped.get("queue_full"), 20);
    assert_eq!(stats.cursors[1].tally.total(), 0);
    let mut short = spool.cursor("short").unwrap();
    let mut long = spool.cursor("long").unwrap();
    assert_eq!(deliver(&mut short, 10).await, (20..30).collect::<Vec<_>>());
    assert_eq!(deliver(&mut long, 10).await, (0..10).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_in_flight_is_not_dropped() {
    let spool = memory_spool(vec![limited("x", 2, OnFull::DropOldest)]);
    spool.append(ten(0)).await.unwrap();
    let mut cursor = spool.cursor("x").unwrap();
    let lot = take(&mut cursor, 10).await;
    for first in [10, 20, 30] {
        spool.append(ten(first)).await.unwrap();
    }
    assert_eq!(spool.stats().cursors[0].tally.dropped.get("queue_full"), 20);
    let delivered = Tally {
        delivered: 10,
        ..Tally::default()
    };
    cursor.settle(lot.span, &delivered);
    assert_eq!(deliver(&mut cursor, 10).await, (30..40).collect::<Vec<_>>());
    assert_balanced(&spool.stats());
}

#[tokio::test]
async fn a_sender_waits_where_the_queue_blocks() {
    let spool = memory_spool(vec![limited("x", 1, OnFull::Wait)]);
    spool.append(ten(0)).await.unwrap();
    let waiting = tokio::spawn({
        let spool = spool.clone();
        async move { spool.append(ten(10)).await }
    });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    deliver(&mut spool.cursor("x").unwrap(), 10).await;
    waiting.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_reservation_keeps_its_room_until_it_is_used_or_dropped() {
    let spool = memory_spool(vec![limited("x", 1, OnFull::Refuse)]);
    let reservation = spool.reserve(&ten(0)).await.unwrap();
    // Nothing is queued, so one may pass; a promise is as good as a record.
    assert!(spool.append(ten(10)).await.is_err());
    drop(reservation);
    spool.append(ten(10)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_paused_exporters_records_grow_too_old_as_well() {
    let mut settings = cursor("x");
    settings.limits.age = Some(Duration::from_secs(10));
    let spool = memory_spool(vec![settings]);
    let maintained = spool.clone();
    tokio::spawn(async move { maintained.maintain().await });
    spool.append(ten(0)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    spool.append(ten(10)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(7)).await;
    let stats = spool.stats();
    assert_balanced(&stats);
    assert_eq!(stats.cursors[0].tally.dropped.get("too_old"), 10);
    assert_eq!(stats.cursors[0].oldest_age.unwrap().as_secs(), 7);
}

#[tokio::test]
async fn a_new_handle_takes_up_at_the_oldest_open_record() {
    let spool = memory_spool(vec![cursor("x")]);
    for first in [0, 10, 20] {
        spool.append(ten(first)).await.unwrap();
    }
    let mut first = spool.cursor("x").unwrap();
    let _lost = take(&mut first, 10).await;
    assert_eq!(deliver(&mut first, 10).await, (10..20).collect::<Vec<_>>());
    let mut second = spool.cursor("x").unwrap();
    assert_eq!(deliver(&mut second, 99).await, (0..10).collect::<Vec<_>>());
    assert_eq!(deliver(&mut second, 99).await, (20..30).collect::<Vec<_>>());
    assert_balanced(&spool.stats());
}

#[tokio::test]
async fn settled_records_release_the_budget() {
    let budget = Budget::new(1_000);
    let spool = memory_spool(vec![cursor("x"), cursor("y")]);
    let charge = budget.try_charge(80).unwrap();
    let payload = ten(0).payload;
    let batch = Batch::new(crate::Signal::Logs, payload, 10, charge);
    spool.append(batch).await.unwrap();
    deliver(&mut spool.cursor("x").unwrap(), 10).await;
    assert_eq!(budget.used_bytes(), 80);
    deliver(&mut spool.cursor("y").unwrap(), 10).await;
    assert_eq!(budget.used_bytes(), 0);
}

/// Scenario: one request is tried again for days while all others are delivered.
/// Guarantees: what is delivered is let go of, so that the budget does not fill up behind it.
#[tokio::test]
async fn a_record_that_is_stuck_does_not_hold_those_behind_it() {
    let budget = Budget::new(240);
    let spool = memory_spool(vec![cursor("x"), cursor("y")]);
    let [mut stuck, mut other] = ["x", "y"].map(|name| spool.cursor(name).unwrap());
    for first in 0..10 {
        let charge = budget.try_charge(80).expect("the budget is free again");
        let batch = Batch::new(crate::Signal::Logs, ten(first).payload, 10, charge);
        spool.append(batch).await.unwrap();
        deliver(&mut other, 10).await;
        if first == 0 {
            take(&mut stuck, 10).await;
        } else {
            deliver(&mut stuck, 10).await;
        }
    }
    assert_eq!(budget.used_bytes(), 80);
    stuck.rewind();
    assert_eq!(deliver(&mut stuck, 10).await[0], 0);
    assert_eq!(budget.used_bytes(), 0);
    assert_balanced(&spool.stats());
}

#[tokio::test]
async fn signals_and_encodings_are_never_merged() {
    let spool = memory_spool(vec![cursor("x")]);
    let mut traces = ten(10);
    traces.signal = crate::Signal::Traces;
    let frames = zstd::bulk::compress(ten(20).payload.as_bytes(), 1).unwrap();
    let zipped = ten(20).with_payload(
        crate::Payload::Zstd {
            frames: frames.into(),
            plain_size_bytes: 80,
        },
        10,
    );
    for batch in [ten(0), traces, zipped.clone(), zipped] {
        spool.append(batch).await.unwrap();
    }
    let mut cursor = spool.cursor("x").unwrap();
    let sizes = [
        take(&mut cursor, 99).await.records.len(),
        take(&mut cursor, 99).await.records.len(),
        take(&mut cursor, 99).await.records.len(),
    ];
    assert_eq!(sizes, [1, 1, 2]);
}

#[tokio::test]
async fn a_closed_spool_refuses_and_its_cursors_end() {
    let spool = memory_spool(vec![cursor("x")]);
    spool.append(ten(0)).await.unwrap();
    spool.close();
    assert!(matches!(
        spool.append(ten(10)).await,
        Err(Refused::ShuttingDown)
    ));
    let mut cursor = spool.cursor("x").unwrap();
    deliver(&mut cursor, 10).await;
    assert!(cursor.next(&BatchSettings::default()).await.is_none());
}

#[tokio::test]
async fn what_was_promised_room_before_the_close_still_comes() {
    let spool = memory_spool(vec![cursor("x")]);
    let kept = spool.reserve(&ten(0)).await.unwrap();
    let given_back = spool.reserve(&ten(10)).await.unwrap();
    spool.close();
    let mut cursor = spool.cursor("x").unwrap();
    let delivered = tokio::spawn(async move {
        let first = deliver(&mut cursor, 10).await;
        (
            first,
            cursor.next(&BatchSettings::default()).await.is_none(),
        )
    });
    tokio::task::yield_now().await;
    assert!(!delivered.is_finished());
    kept.append(ten(0)).kept().await.unwrap();
    tokio::task::yield_now().await;
    drop(given_back);
    assert_eq!(delivered.await.unwrap(), ((0..10).collect(), true));
}

fn awaited(name: &str) -> CursorSettings {
    CursorSettings {
        waits_for_result: true,
        ..cursor(name)
    }
}

#[tokio::test]
async fn a_sender_waits_for_the_results_that_are_asked_for_and_no_others() {
    let spool = memory_spool(vec![awaited("x"), cursor("y"), awaited("z")]);
    let waiting = tokio::spawn({
        let spool = spool.clone();
        async move { spool.append(ten(0)).await }
    });
    for name in ["x", "z"] {
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        deliver(&mut spool.cursor(name).unwrap(), 10).await;
    }
    waiting.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_sender_without_a_result_at_the_end_is_refused() {
    let spool = memory_spool(vec![awaited("x")]);
    let waiting = tokio::spawn({
        let spool = spool.clone();
        async move { spool.append(ten(0)).await }
    });
    tokio::task::yield_now().await;
    spool.close();
    assert_eq!(spool.finish().await, 10);
    assert!(matches!(waiting.await.unwrap(), Err(Refused::ShuttingDown)));
}
