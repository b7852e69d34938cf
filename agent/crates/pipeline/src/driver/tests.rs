//! All of these run on tokio's paused clock: no test waits for real.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use proptest::prelude::*;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::*;
use crate::fake::{self, BackEnd, assert_balanced, bad_data, batch, cursor, memory_spool, retry};
use crate::stats::CursorStats;
use crate::{CursorSettings, ExportError, Exported, OnFull, Spool};

/// Back-off without randomness.
fn settings() -> DriverSettings {
    DriverSettings {
        retry: RetrySettings {
            randomization_factor: 0.0,
            ..RetrySettings::default()
        },
        ..DriverSettings::default()
    }
}

fn ordered() -> DriverSettings {
    DriverSettings {
        is_ordered: true,
        ..settings()
    }
}

fn start(
    spool: &Spool,
    name: &str,
    back_end: &Arc<BackEnd>,
    settings: DriverSettings,
) -> JoinHandle<()> {
    let cursor = spool.cursor(name).unwrap();
    let driver = Driver::new(cursor, Arc::clone(back_end), settings, fake::split);
    tokio::spawn(driver.run(CancellationToken::new()))
}

/// Runs everything that is queued through a driver, and gives the account.
async fn drain(
    batches: impl IntoIterator<Item = Vec<u64>>,
    back_end: &Arc<BackEnd>,
    settings: DriverSettings,
) -> CursorStats {
    let spool = memory_spool(vec![cursor("x")]);
    for items in batches {
        spool.append(batch(items)).await.unwrap();
    }
    let driver = start(&spool, "x", back_end, settings);
    spool.close();
    driver.await.unwrap();
    let stats = spool.stats();
    assert_balanced(&stats);
    stats.cursors[0].clone()
}

/// Records of ten items.
fn tenths(count: u64) -> impl Iterator<Item = Vec<u64>> {
    (0..count).map(|first| (first * 10..first * 10 + 10).collect())
}

#[tokio::test(start_paused = true)]
async fn what_is_queued_is_merged_into_one_request() {
    let back_end = BackEnd::healthy();
    let account = drain(tenths(10), &back_end, settings()).await;
    assert_eq!(back_end.requests(), 1);
    assert_eq!(back_end.delivered(), (0..100).collect::<Vec<_>>());
    assert_eq!(account.tally.delivered, 100);
}

#[tokio::test(start_paused = true)]
async fn large_records_go_alone_unless_the_number_of_requests_is_what_counts() {
    for (joined_bytes, is_ordered, min_items, requests) in [
        (79, false, 0, 10),
        (80, false, 0, 1),
        (79, true, 0, 1),
        (79, false, 1, 1),
    ] {
        let back_end = BackEnd::healthy();
        let mut settings = settings();
        settings.is_ordered = is_ordered;
        settings.batch.max_joined_bytes = joined_bytes;
        settings.batch.min_items = min_items;
        drain(tenths(10), &back_end, settings).await;
        assert_eq!(back_end.requests(), requests);
        let mut delivered = back_end.delivered();
        delivered.sort_unstable();
        assert_eq!(delivered, (0..100).collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_keeps_to_its_limits() {
    for (max_bytes, max_items) in [(240, u32::MAX), (1 << 20, 30)] {
        let back_end = BackEnd::healthy();
        let mut settings = settings();
        settings.batch.max_bytes = max_bytes;
        settings.batch.max_items = max_items;
        drain(tenths(10), &back_end, settings).await;
        let sizes: Vec<usize> = back_end
            .requests
            .lock()
            .unwrap()
            .iter()
            .map(Vec::len)
            .collect();
        assert_eq!(sizes, [30, 30, 30, 10]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_with_more_items_than_a_request_may_hold_is_cut() {
    let back_end = BackEnd::healthy();
    let mut settings = ordered();
    settings.batch.max_items = 4;
    let account = drain([(0..10).collect()], &back_end, settings).await;
    assert_eq!(back_end.requests(), 3);
    assert_eq!(back_end.delivered(), (0..10).collect::<Vec<_>>());
    assert_eq!(account.tally.delivered, 10);
}

#[tokio::test(start_paused = true)]
async fn a_batch_waits_for_more_only_when_asked_and_not_for_ever() {
    let spool = memory_spool(vec![cursor("x")]);
    let back_end = BackEnd::healthy();
    let mut settings = settings();
    settings.batch.min_items = 100;
    start(&spool, "x", &back_end, settings);
    spool.append(batch(0..10)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(back_end.requests(), 0);
    spool.append(batch(10..20)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(back_end.requests(), 1);
    assert_eq!(back_end.delivered().len(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_tried_again_after_the_backoff() {
    let failures = AtomicU32::new(0);
    let back_end = BackEnd::new(move |_| match failures.fetch_add(1, Ordering::Relaxed) {
        0..3 => Err(retry(None)),
        _ => Ok(Exported::default()),
    });
    let begin = Instant::now();
    let account = drain([vec![1]], &back_end, settings()).await;
    // 1 s, 1.5 s, 2.25 s
    assert_eq!(begin.elapsed().as_millis() / 10, 475);
    assert_eq!((account.attempts, account.attempts_failed), (4, 3));
    assert_eq!(account.tally.delivered, 1);
    assert_eq!(account.last_error.unwrap(), "connection refused");
    assert!(account.paused_for.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_peers_wish_for_a_longer_wait_is_kept() {
    let failures = AtomicU32::new(0);
    let back_end = BackEnd::new(move |_| match failures.fetch_add(1, Ordering::Relaxed) {
        0 => Err(retry(Some(Duration::from_secs(20)))),
        _ => Ok(Exported::default()),
    });
    let begin = Instant::now();
    drain([vec![1]], &back_end, settings()).await;
    let waited = begin.elapsed().as_secs_f64();
    assert!((20.0..=22.1).contains(&waited), "{waited}");
}

#[tokio::test(start_paused = true)]
async fn one_refusal_pauses_all_requests_of_an_exporter() {
    let back_end = BackEnd::slow(Duration::from_millis(10), |_| Err(retry(None)));
    let spool = memory_spool(vec![cursor("x")]);
    for items in tenths(100) {
        spool.append(batch(items)).await.unwrap();
    }
    let mut settings = settings();
    settings.batch.max_items = 10;
    start(&spool, "x", &back_end, settings);
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert_eq!(back_end.requests(), 10, "those that were under way");
    assert!(spool.stats().cursors[0].paused_for.is_some());
    // After 1 s five may go, after another 1.5 s two, after 2.25 s one, after 3.375 s one.
    tokio::time::sleep(Duration::from_millis(8_000)).await;
    assert_eq!(back_end.requests(), 10 + 5 + 2 + 1 + 1);
}

#[tokio::test(start_paused = true)]
async fn concurrency_recovers_by_steps() {
    let is_down = Arc::new(AtomicBool::new(true));
    let back_end = BackEnd::slow(Duration::from_millis(10), {
        let is_down = Arc::clone(&is_down);
        move |_| match is_down.load(Ordering::Relaxed) {
            true => Err(retry(None)),
            false => Ok(Exported::default()),
        }
    });
    let spool = memory_spool(vec![cursor("x")]);
    for items in tenths(100) {
        spool.append(batch(items)).await.unwrap();
    }
    let mut settings = settings();
    settings.batch.max_items = 10;
    start(&spool, "x", &back_end, settings);
    tokio::time::sleep(Duration::from_millis(100)).await;
    is_down.store(false, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(back_end.delivered().len(), 1000);
    assert_balanced(&spool.stats());
}

#[tokio::test(start_paused = true)]
async fn a_dead_back_end_does_not_delay_another() {
    let spool = memory_spool(vec![cursor("dead"), cursor("well")]);
    let dead = BackEnd::dead();
    let well = BackEnd::healthy();
    start(&spool, "dead", &dead, settings());
    start(&spool, "well", &well, settings());
    for items in tenths(50) {
        spool.append(batch(items)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(well.delivered().len(), 500);
    let stats = spool.stats();
    assert_balanced(&stats);
    assert_eq!(stats.cursors[0].queued.items, 500);
    assert_eq!(stats.cursors[1].queued.items, 0);
}

#[tokio::test(start_paused = true)]
async fn an_ordered_exporter_sees_the_order_of_the_spool_through_failures() {
    let requests = AtomicU32::new(0);
    let back_end = BackEnd::slow(Duration::from_millis(3), move |items| {
        let request = requests.fetch_add(1, Ordering::Relaxed);
        match request % 3 {
            0 => Err(retry(None)),
            1 if items.len() > 3 => Err(ExportError::TooLarge {
                message: "413".to_owned(),
            }),
            _ => Ok(Exported::default()),
        }
    });
    let mut settings = ordered();
    settings.batch.max_items = 20;
    drain(tenths(20), &back_end, settings).await;
    assert_eq!(back_end.delivered(), (0..200).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn what_is_too_large_is_cut_in_halves_until_it_fits() {
    let back_end = BackEnd::new(|items| match items.len() {
        0..=7 => Ok(Exported::default()),
        _ => Err(ExportError::TooLarge {
            message: "413".to_owned(),
        }),
    });
    let account = drain(tenths(8), &back_end, ordered()).await;
    assert_eq!(back_end.delivered(), (0..80).collect::<Vec<_>>());
    assert_eq!(account.tally.delivered, 80);
}

#[tokio::test(start_paused = true)]
async fn later_requests_keep_to_the_size_that_the_back_end_took() {
    let refusals = Arc::new(AtomicU32::new(0));
    let back_end = BackEnd::new({
        let refusals = Arc::clone(&refusals);
        move |items| match items.len() * 8 {
            0..=100_000 => Ok(Exported::default()),
            _ => {
                refusals.fetch_add(1, Ordering::Relaxed);
                Err(ExportError::TooLarge {
                    message: "413".to_owned(),
                })
            }
        }
    });
    let records = (0..100).map(|_| (0..5_000).collect());
    let account = drain(records, &back_end, ordered()).await;
    assert_eq!(account.tally.delivered, 500_000);
    assert!(refusals.load(Ordering::Relaxed) < 60, "{refusals:?}");
}

#[tokio::test(start_paused = true)]
async fn a_single_item_that_is_too_large_is_rejected_and_counted() {
    let back_end = BackEnd::new(|items| match items.contains(&13) {
        false => Ok(Exported::default()),
        true => Err(ExportError::TooLarge {
            message: "413".to_owned(),
        }),
    });
    let account = drain(tenths(8), &back_end, settings()).await;
    assert_eq!(account.tally.delivered, 79);
    assert_eq!(account.tally.rejected.get("too_large"), 1);
}

#[tokio::test(start_paused = true)]
async fn culprits_are_isolated_and_their_neighbors_delivered() {
    let culprits = [3, 42, 77];
    let back_end =
        BackEnd::new(
            move |items| match items.iter().any(|item| culprits.contains(item)) {
                false => Ok(Exported::default()),
                true => Err(bad_data()),
            },
        );
    let account = drain(tenths(10), &back_end, ordered()).await;
    assert_eq!(account.tally.rejected.get("invalid_argument"), 3);
    let neighbors: Vec<u64> = (0..100).filter(|item| !culprits.contains(item)).collect();
    assert_eq!(back_end.delivered(), neighbors);
}

#[tokio::test(start_paused = true)]
async fn the_hunt_for_culprits_is_bounded() {
    let back_end = BackEnd::new(|_| Err(bad_data()));
    let account = drain([(0..8192).collect()], &back_end, settings()).await;
    assert_eq!(account.tally.rejected.get("invalid_argument"), 8192);
    assert!(back_end.requests() <= 300, "{}", back_end.requests());
}

#[tokio::test(start_paused = true)]
async fn what_the_back_end_rejects_of_a_request_is_counted() {
    for (words, reason) in [
        ("out_of_order", "out_of_order"),
        ("3 samples are out of order", "partial_success"),
        ("", "partial_success"),
    ] {
        let back_end = BackEnd::new(move |_| {
            Ok(Exported {
                rejected: 3,
                reason: words.to_owned(),
            })
        });
        let account = drain([(0..10).collect()], &back_end, settings()).await;
        assert_eq!(account.tally.delivered, 7);
        assert_eq!(account.tally.rejected.get(reason), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_refuses_us_holds_the_cursor_and_is_probed_unsplit() {
    let is_refusing = Arc::new(AtomicBool::new(true));
    let back_end = BackEnd::new({
        let is_refusing = Arc::clone(&is_refusing);
        move |_| match is_refusing.load(Ordering::Relaxed) {
            false => Ok(Exported::default()),
            true => Err(ExportError::PeerRejection {
                message: "401 Unauthorized".to_owned(),
            }),
        }
    });
    let spool = memory_spool(vec![cursor("x")]);
    for items in tenths(5) {
        spool.append(batch(items)).await.unwrap();
    }
    start(&spool, "x", &back_end, ordered());
    tokio::time::sleep(Duration::from_secs(601)).await;
    assert_eq!(back_end.requests(), 11, "one at once, then one a minute");
    assert!(
        back_end
            .requests
            .lock()
            .unwrap()
            .iter()
            .all(|request| request.len() == 50)
    );
    assert_eq!(
        spool.stats().cursors[0].held.as_deref(),
        Some("401 Unauthorized")
    );
    is_refusing.store(false, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let account = &spool.stats().cursors[0];
    assert_eq!(account.tally.delivered, 50);
    assert!(account.held.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_peers_rejection_drops_where_the_user_asked_for_it() {
    let back_end = BackEnd::new(|_| {
        Err(ExportError::PeerRejection {
            message: "401 Unauthorized".to_owned(),
        })
    });
    let settings = DriverSettings {
        on_peer_rejection: OnPeerRejection::Drop,
        ..settings()
    };
    let account = drain(tenths(2), &back_end, settings).await;
    assert_eq!(account.tally.rejected.get("peer_rejection"), 20);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failed_attempt() {
    let requests = AtomicU32::new(0);
    let back_end = BackEnd::new(move |_| match requests.fetch_add(1, Ordering::Relaxed) {
        0 => std::panic::panic_any("a defect"),
        _ => Ok(Exported::default()),
    });
    let spool = memory_spool(vec![cursor("x")]);
    spool.append(batch(0..10)).await.unwrap();
    start(&spool, "x", &back_end, settings());
    tokio::time::sleep(Duration::from_millis(500)).await;
    let account = spool.stats().cursors[0].clone();
    assert_eq!((account.panics, account.queued.items), (1, 10));
    assert_eq!(
        account.last_error.unwrap(),
        "the exporter panicked: a defect"
    );
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(spool.stats().cursors[0].tally.delivered, 10);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_takes_too_long_is_cut_off_and_tried_again() {
    let back_end = BackEnd::slow(Duration::from_secs(40), |_| Ok(Exported::default()));
    let spool = memory_spool(vec![cursor("x")]);
    spool.append(batch(0..10)).await.unwrap();
    start(&spool, "x", &back_end, settings());
    tokio::time::sleep(Duration::from_secs(32)).await;
    let account = spool.stats().cursors[0].clone();
    assert_eq!((account.attempts, account.attempts_failed), (2, 1));
    assert_eq!(account.last_error.unwrap(), "no answer within 30s");
}

#[tokio::test(start_paused = true)]
async fn retries_end_only_by_a_time_that_the_user_wrote() {
    let mut settings = settings();
    settings.retry.max_elapsed_time = Some(Duration::from_secs(5));
    let account = drain([vec![1, 2]], &BackEnd::dead(), settings).await;
    assert_eq!(account.tally.dropped.get("retries_exhausted"), 2);
}

fn aged(limit: Duration) -> CursorSettings {
    let mut settings = cursor("x");
    settings.limits.age = Some(limit);
    settings
}

#[tokio::test(start_paused = true)]
async fn what_is_older_than_the_age_limit_is_dropped_in_flight_too() {
    let spool = memory_spool(vec![aged(Duration::from_secs(60))]);
    spool.append(batch(0..10)).await.unwrap();
    start(&spool, "x", &BackEnd::dead(), settings());
    tokio::time::sleep(Duration::from_secs(50)).await;
    assert_eq!(spool.stats().cursors[0].queued.items, 10);
    spool.append(batch(10..20)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(50)).await;
    let stats = spool.stats();
    assert_balanced(&stats);
    assert_eq!(stats.cursors[0].tally.dropped.get("too_old"), 10);
    assert_eq!(stats.cursors[0].queued.items, 10);
}

#[tokio::test(start_paused = true)]
async fn outgoing_batches_bear_the_spools_identity_and_positions() {
    struct Origins(std::sync::Mutex<Vec<crate::Origin>>);
    impl Exporter for Origins {
        async fn export(&self, batch: &crate::Batch) -> Result<Exported, ExportError> {
            self.0.lock().unwrap().extend(batch.origin);
            Ok(Exported::default())
        }
    }
    let spool = memory_spool(vec![cursor("x")]);
    for items in tenths(3) {
        spool.append(batch(items)).await.unwrap();
    }
    let exporter = Arc::new(Origins(std::sync::Mutex::default()));
    let driver = Driver::new(
        spool.cursor("x").unwrap(),
        Arc::clone(&exporter),
        settings(),
        fake::split,
    );
    spool.close();
    driver.run(CancellationToken::new()).await;
    let origins = exporter.0.lock().unwrap();
    assert_eq!((origins[0].first, origins[0].last), (0, 2));
    assert_ne!(origins[0].agent, 0);
}

/// What a back end does with a request, drawn for each.
#[derive(Copy, Clone, Debug)]
enum Mood {
    Takes,
    Fails,
    AsksToWait,
    Refuses,
    TakesFew,
    RejectsOne,
    Panics,
}

fn mood() -> impl Strategy<Value = Mood> {
    prop_oneof![
        6 => Just(Mood::Takes),
        2 => Just(Mood::Fails),
        1 => Just(Mood::AsksToWait),
        1 => Just(Mood::Refuses),
        2 => Just(Mood::TakesFew),
        2 => Just(Mood::RejectsOne),
        1 => Just(Mood::Panics),
    ]
}

/// A back end that goes through its moods and never takes the culprits.
fn moody(moods: Vec<Mood>, culprits: Vec<u64>) -> Arc<BackEnd> {
    let request = AtomicU32::new(0);
    BackEnd::slow(Duration::from_millis(20), move |items| {
        let index = request.fetch_add(1, Ordering::Relaxed) as usize;
        if items.iter().any(|item| culprits.contains(item)) {
            return Err(bad_data());
        }
        match moods.get(index).copied().unwrap_or(Mood::Takes) {
            Mood::Takes => Ok(Exported::default()),
            Mood::Fails => Err(retry(None)),
            Mood::AsksToWait => Err(retry(Some(Duration::from_secs(7)))),
            Mood::Refuses => Err(ExportError::PeerRejection {
                message: "401".to_owned(),
            }),
            Mood::TakesFew if items.len() > 4 => Err(ExportError::TooLarge {
                message: "413".to_owned(),
            }),
            Mood::TakesFew => Ok(Exported::default()),
            Mood::RejectsOne => Ok(Exported {
                rejected: 1,
                reason: "duplicate".to_owned(),
            }),
            Mood::Panics => std::panic::panic_any("a defect"),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Scenario: any back end, any culprits, one exporter with a limit that drops the oldest.
    /// Guarantees: at every moment each item of each account is in exactly one place; at the end
    /// what the account calls delivered is what the back end took.
    #[test]
    fn every_item_is_accounted_for(
        moods in prop::collection::vec(mood(), 0..60),
        culprits in prop::collection::vec(0..400_u64, 0..4),
        records in 1..40_u64,
        limit in prop::option::of(1..20_u64),
        is_ordered in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut short = cursor("short");
            short.limits.records = limit;
            short.on_full = OnFull::DropOldest;
            let spool = memory_spool(vec![short, cursor("long")]);
            let mut settings = settings();
            settings.is_ordered = is_ordered;
            settings.batch.max_items = 25;
            let back_ends = ["short", "long"].map(|name| {
                let back_end = moody(moods.clone(), culprits.clone());
                let driver = start(&spool, name, &back_end, settings.clone());
                (name, back_end, driver)
            });
            for items in tenths(records) {
                spool.append(batch(items)).await.unwrap();
                assert_balanced(&spool.stats());
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            spool.close();
            for (index, (name, back_end, driver)) in back_ends.into_iter().enumerate() {
                driver.await.unwrap();
                let stats = spool.stats();
                assert_balanced(&stats);
                let account = &stats.cursors[index];
                let taken = back_end.delivered().len() as u64;
                let rejected_of_taken = account.tally.rejected.get("duplicate");
                assert_eq!(account.queued.items, 0);
                assert_eq!(account.accepted, records * 10);
                assert_eq!(account.tally.delivered, taken - rejected_of_taken, "{name}");
            }
        });
    }
}
