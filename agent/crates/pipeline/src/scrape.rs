//! The one scrape loop: interval, time-out, budget, backpressure and counting for every scraper.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::driver::caught;
use crate::stats::ScrapeStats;
use crate::{Batch, Budget, Output, Refused, ScrapeError, Scraped, Scraper, Signal, clock};

/// The least wait before a refused batch is offered again.
const OFFER_AGAIN_MIN: Duration = Duration::from_millis(100);

/// When a source is scraped.
#[derive(Clone, Debug)]
pub struct ScrapeSettings {
    /// Component id and scraper, for logs: `host_metrics/cpu`.
    pub name: String,
    /// What the scraper brings.
    pub signal: Signal,
    /// From one scrape to the next; a scrape that takes longer skips the ones it missed.
    pub interval: Duration,
    /// Before the first scrape.
    pub initial_delay: Duration,
    /// Time for one scrape; `None` is the interval.
    pub timeout: Option<Duration>,
}

/// A scraper with everything around it.
#[derive(Debug)]
pub struct ScrapeLoop<S, O> {
    /// When.
    pub settings: ScrapeSettings,
    /// What is read.
    pub scraper: S,
    /// Where points go.
    pub output: O,
    /// Charged for each payload.
    pub budget: Budget,
    /// Counters, read from outside.
    pub stats: Arc<ScrapeStats>,
}

/// How the last scrape went; a line is logged when this changes.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Health {
    Good,
    Partial,
    Absent,
    Failing,
}

impl<S: Scraper, O: Output> ScrapeLoop<S, O> {
    /// Scrapes until `shutdown`.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let first = Instant::now() + self.settings.initial_delay;
        let mut ticks = tokio::time::interval_at(first, self.settings.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut journal = Journal::new(self.settings.name.clone());
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                due = ticks.tick() => {
                    let round = self.round(due + self.settings.interval, &mut journal);
                    // A scrape that is cut off here loses points that nobody was promised.
                    tokio::select! {
                        biased;
                        () = shutdown.cancelled() => return,
                        () = round => {}
                    }
                }
            }
        }
    }

    /// One scrape, and the delivery of what it brought until `next` is due.
    async fn round(&mut self, next: Instant, journal: &mut Journal) {
        let started = Instant::now();
        let scraped = self.scrape().await;
        self.stats.count_scrape(started.elapsed());
        match scraped {
            Ok(scraped) => {
                self.stats.count_partial_errors(scraped.partial.len());
                match scraped.partial.first() {
                    None => journal.note(Health::Good, ""),
                    Some(error) => journal.note(Health::Partial, &error.to_string()),
                }
                self.send(scraped, next).await;
            }
            Err(error) => {
                self.stats.count_failed();
                let health = match error {
                    ScrapeError::Absent(_) => Health::Absent,
                    _ => Health::Failing,
                };
                journal.note(health, &error.to_string());
            }
        }
    }

    async fn scrape(&mut self) -> Result<Scraped, ScrapeError> {
        let timeout = self.settings.timeout.unwrap_or(self.settings.interval);
        let at = clock::unix_nano();
        let scraper = &mut self.scraper;
        let scrape = caught(async { scraper.scrape(at).await });
        match tokio::time::timeout(timeout, scrape).await {
            Ok(Ok(scraped)) => scraped,
            Ok(Err(panic)) => Err(ScrapeError::Malformed(format!(
                "the scraper panicked: {panic}"
            ))),
            Err(_) => Err(ScrapeError::Unreachable(format!(
                "no result within {timeout:?}"
            ))),
        }
    }

    /// Waits for room until the next scrape is due; its points would be fresher.
    async fn send(&self, scraped: Scraped, next: Instant) {
        let items = scraped.items;
        if items == 0 {
            return;
        }
        match tokio::time::timeout_at(next, self.offer(scraped)).await {
            Ok(Ok(())) => self.stats.count_scraped(items),
            Ok(Err(_)) | Err(_) => self.stats.count_dropped(items),
        }
    }

    /// Offers the batch until it is accepted. Only a shutdown refuses for good.
    async fn offer(&self, scraped: Scraped) -> Result<(), Refused> {
        let charge = self.budget.charge(scraped.payload.len()).await;
        let batch = Batch::new(self.settings.signal, scraped.payload, scraped.items, charge);
        loop {
            match self.output.send(batch.clone()).await {
                Err(Refused::Full { retry_after, .. } | Refused::Storage { retry_after, .. }) => {
                    tokio::time::sleep(retry_after.max(OFFER_AGAIN_MIN)).await;
                }
                verdict => return verdict,
            }
        }
    }
}

/// Logs one line for each change of health.
struct Journal {
    name: String,
    health: Health,
    rounds: u64,
}

impl Journal {
    fn new(name: String) -> Self {
        Self {
            name,
            health: Health::Good,
            rounds: 0,
        }
    }

    fn note(&mut self, health: Health, error: &str) {
        if health == self.health {
            self.rounds += 1;
            return;
        }
        let (scraper, rounds) = (&self.name, self.rounds);
        match health {
            Health::Good => tracing::info!(scraper, rounds, "the scrape recovered"),
            Health::Partial => tracing::warn!(scraper, error, "the scrape misses a part"),
            Health::Absent => tracing::info!(scraper, error, "there is nothing to scrape here"),
            Health::Failing => tracing::warn!(scraper, error, "the scrape fails"),
        }
        self.health = health;
        self.rounds = 1;
    }
}

#[cfg(test)]
mod tests;
