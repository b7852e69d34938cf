//! All of these run on tokio's paused clock.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::fake::{ample, batch};

/// Takes a batch when told to, and notes when.
#[derive(Clone, Default)]
struct Door {
    refuses: Arc<AtomicU32>,
    accepted: Arc<std::sync::Mutex<Vec<Duration>>>,
}

impl Output for Door {
    async fn send(&self, _: Batch) -> Result<(), Refused> {
        let refusal = Refused::Full {
            what: "the queue",
            retry_after: Duration::from_secs(3),
        };
        let refuses = &self.refuses;
        if refuses
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            })
            .is_ok()
        {
            return Err(refusal);
        }
        self.accepted.lock().unwrap().push(now());
        Ok(())
    }
}

tokio::task_local! { static BEGIN: Instant; }

fn now() -> Duration {
    BEGIN.with(Instant::elapsed)
}

struct Source<F>(F);

impl<F> Scraper for Source<F>
where
    F: FnMut() -> (Duration, Result<u64, ScrapeError>) + Send + 'static,
{
    async fn scrape(&mut self, _: u64) -> Result<Scraped, ScrapeError> {
        let (takes, result) = (self.0)();
        tokio::time::sleep(takes).await;
        let batch = batch(0..result?);
        Ok(Scraped {
            payload: batch.payload,
            items: batch.items,
            partial: Vec::new(),
        })
    }
}

/// Runs a loop of 10 s, after a delay of 1 s, for `seconds`.
async fn run(
    door: &Door,
    seconds: u64,
    source: impl FnMut() -> (Duration, Result<u64, ScrapeError>) + Send + 'static,
) -> Arc<ScrapeStats> {
    let stats = Arc::new(ScrapeStats::default());
    let scrape_loop = ScrapeLoop {
        settings: ScrapeSettings {
            name: "test".to_owned(),
            signal: Signal::Metrics,
            interval: Duration::from_secs(10),
            initial_delay: Duration::from_secs(1),
            timeout: None,
        },
        scraper: Source(source),
        output: door.clone(),
        budget: ample(),
        stats: Arc::clone(&stats),
    };
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    let timed = BEGIN.scope(Instant::now(), scrape_loop.run(shutdown));
    let stopping = async {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        stop.cancel();
    };
    tokio::join!(timed, stopping);
    stats
}

fn accepted_at(door: &Door) -> Vec<u64> {
    door.accepted
        .lock()
        .unwrap()
        .iter()
        .map(Duration::as_secs)
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_source_is_scraped_at_its_interval() {
    let door = Door::default();
    let stats = run(&door, 35, || (Duration::ZERO, Ok(5))).await;
    assert_eq!(accepted_at(&door), [1, 11, 21, 31]);
    assert_eq!((stats.scraped(), stats.failed()), (20, 0));
}

#[tokio::test(start_paused = true)]
async fn an_error_or_a_panic_ends_one_scrape_only() {
    let door = Door::default();
    let mut round = 0;
    let stats = run(&door, 35, move || {
        round += 1;
        let result = match round {
            1 => Err(ScrapeError::Unreachable("no route".to_owned())),
            2 => std::panic::panic_any("a defect"),
            _ => Ok(1),
        };
        (Duration::ZERO, result)
    })
    .await;
    assert_eq!(accepted_at(&door), [21, 31]);
    assert_eq!((stats.scrapes(), stats.failed()), (4, 2));
}

#[tokio::test(start_paused = true)]
async fn a_scrape_that_takes_too_long_is_cut_off() {
    let door = Door::default();
    let mut round = 0;
    let stats = run(&door, 35, move || {
        round += 1;
        (Duration::from_secs(if round == 1 { 60 } else { 0 }), Ok(1))
    })
    .await;
    assert_eq!(accepted_at(&door), [11, 21, 31]);
    assert_eq!(stats.failed(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_refused_batch_waits_for_room() {
    let door = Door::default();
    door.refuses.store(2, Ordering::Relaxed);
    let stats = run(&door, 15, || (Duration::ZERO, Ok(5))).await;
    assert_eq!(accepted_at(&door), [7, 11]);
    assert_eq!((stats.scraped(), stats.dropped()), (10, 0));
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_refused_until_the_next_scrape_is_dropped_and_counted() {
    let door = Door::default();
    door.refuses.store(4, Ordering::Relaxed);
    let stats = run(&door, 25, || (Duration::ZERO, Ok(5))).await;
    assert_eq!(accepted_at(&door), [11, 21]);
    assert_eq!((stats.scraped(), stats.dropped()), (10, 5));
}
