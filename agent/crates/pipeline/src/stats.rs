//! What can be read from outside at any moment: the account of every item, and how things move.
//!
//! Each cursor's account balances: `accepted = delivered + rejected + dropped + queued`. Accepted
//! and queued are differences of places in the spool; the other three are counted when records
//! are settled. A test of the whole crate holds the two against each other.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::spool::Amount;

/// Distinct reasons that are counted apart; a back end's own words must not grow without bound.
const REASONS_MAX: usize = 32;

/// Where the count goes once [`REASONS_MAX`] reasons are known.
const OTHER_REASON: &str = "other";

/// Items by the reason for which they ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reasons {
    by_reason: BTreeMap<String, u64>,
}

/// How items ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Taken by the back end.
    pub delivered: u64,
    /// Refused by the back end for good.
    pub rejected: Reasons,
    /// Lost here.
    pub dropped: Reasons,
}

/// The account of one exporter in one pipeline.
#[derive(Clone, Debug)]
pub struct CursorStats {
    /// Component id of the exporter.
    pub name: String,
    /// Items appended to the spool since this cursor began, restarts included.
    pub accepted: u64,
    /// How items ended.
    pub tally: Tally,
    /// What has not ended yet, requests in flight included.
    pub queued: Amount,
    /// Age of the oldest queued record.
    pub oldest_age: Option<Duration>,
    /// Requests made since the start.
    pub attempts: u64,
    /// Requests that did not succeed, since the start.
    pub attempts_failed: u64,
    /// Times the exporter panicked, since the start.
    pub panics: u64,
    /// Records taken and not yet settled.
    pub in_flight: u64,
    /// How long the exporter still waits before its next request.
    pub paused_for: Option<Duration>,
    /// The peer's words while it refuses us and the cursor is held; not ready.
    pub held: Option<String>,
    /// The last error, kept after recovery.
    pub last_error: Option<String>,
    /// Time since a record was last settled, or since the start.
    pub since_progress: Duration,
}

/// The state of one spool.
#[derive(Clone, Debug)]
pub struct SpoolStats {
    /// Id of the pipeline.
    pub name: String,
    /// One account for each exporter.
    pub cursors: Vec<CursorStats>,
    /// Bytes of telemetry held in memory by the spool itself.
    pub memory_bytes: u64,
    /// Figures of the disk, where the spool is on disk.
    pub disk: Option<DiskStats>,
}

/// The state of a spool's files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiskStats {
    /// Segments that hold records somebody may still need.
    pub segments: u64,
    /// Bytes in those segments.
    pub bytes: u64,
    /// Torn ends cut off since the start; such records were never acknowledged.
    pub torn_tails: u64,
    /// Damaged places met since the start.
    pub damaged_places: u64,
    /// Items inside the damaged places.
    pub damaged_items: u64,
    /// Segments of a newer format: kept, never read, never deleted.
    pub unknown_segments: u64,
    /// Writes or syncs that failed since the start.
    pub write_failures: u64,
    /// Why the last write failed, while nothing has been written since; not ready.
    pub write_error: Option<String>,
}

/// Counters of one pipeline's door.
#[derive(Debug, Default)]
pub struct PipelineStats {
    received: AtomicU64,
    refused: AtomicU64,
    dropped: Mutex<Reasons>,
}

/// Counters of one scraper.
#[derive(Debug, Default)]
pub struct ScrapeStats {
    scraped: AtomicU64,
    scrapes: AtomicU64,
    failed: AtomicU64,
    partial_errors: AtomicU64,
    dropped: AtomicU64,
    last_duration_us: AtomicU64,
}

impl Reasons {
    /// Counts `items` under `reason`; a reason is one word, so white space in it becomes `_`.
    pub fn add(&mut self, reason: &str, items: u64) {
        if items == 0 {
            return;
        }
        let mut key = reason.replace(char::is_whitespace, "_");
        let is_known = self.by_reason.contains_key(&key);
        if key.is_empty() || !(is_known || self.by_reason.len() < REASONS_MAX) {
            OTHER_REASON.clone_into(&mut key);
        }
        *self.by_reason.entry(key).or_default() += items;
    }

    /// Items under `reason`.
    #[must_use]
    pub fn get(&self, reason: &str) -> u64 {
        self.by_reason.get(reason).copied().unwrap_or_default()
    }

    /// Items under all reasons.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.by_reason.values().sum()
    }

    /// Each reason with its items, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.by_reason
            .iter()
            .map(|(reason, items)| (reason.as_str(), *items))
    }
}

impl Tally {
    /// `items` items lost here for `reason`.
    #[must_use]
    pub fn dropped(reason: &str, items: u64) -> Self {
        let mut tally = Self::default();
        tally.dropped.add(reason, items);
        tally
    }

    /// Items that ended, in any way.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.delivered + self.rejected.total() + self.dropped.total()
    }

    /// Adds what `other` counted.
    pub fn absorb(&mut self, other: &Self) {
        self.delivered += other.delivered;
        for (reason, items) in other.rejected.iter() {
            self.rejected.add(reason, items);
        }
        for (reason, items) in other.dropped.iter() {
            self.dropped.add(reason, items);
        }
    }
}

impl PipelineStats {
    /// Items that receivers brought, before processors.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Items that were not accepted; their senders still have them.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Items that processors dropped, by reason.
    #[must_use]
    pub fn dropped(&self) -> Reasons {
        self.lock().clone()
    }

    pub(crate) fn count_received(&self, items: u32) {
        self.received.fetch_add(items.into(), Ordering::Relaxed);
    }

    pub(crate) fn count_refused(&self, items: u32) {
        self.refused.fetch_add(items.into(), Ordering::Relaxed);
    }

    pub(crate) fn count_dropped(&self, reason: &str, items: u32) {
        self.lock().add(reason, items.into());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Reasons> {
        self.dropped.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ScrapeStats {
    /// Points handed to the pipelines.
    #[must_use]
    pub fn scraped(&self) -> u64 {
        self.scraped.load(Ordering::Relaxed)
    }

    /// Scrapes begun.
    #[must_use]
    pub fn scrapes(&self) -> u64 {
        self.scrapes.load(Ordering::Relaxed)
    }

    /// Scrapes that brought nothing: an error, a time-out or a panic.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Parts that could not be read while the rest could.
    #[must_use]
    pub fn partial_errors(&self) -> u64 {
        self.partial_errors.load(Ordering::Relaxed)
    }

    /// Points dropped, because the pipelines refused them until the next scrape was due.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// How long the last scrape took.
    #[must_use]
    pub fn last_duration(&self) -> Duration {
        Duration::from_micros(self.last_duration_us.load(Ordering::Relaxed))
    }

    pub(crate) fn count_scrape(&self, took: Duration) {
        self.scrapes.fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.last_duration_us.store(micros, Ordering::Relaxed);
    }

    pub(crate) fn count_scraped(&self, items: u32) {
        self.scraped.fetch_add(items.into(), Ordering::Relaxed);
    }

    pub(crate) fn count_failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_partial_errors(&self, parts: usize) {
        self.partial_errors
            .fetch_add(parts as u64, Ordering::Relaxed);
    }

    pub(crate) fn count_dropped(&self, items: u32) {
        self.dropped.fetch_add(items.into(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_reasons_is_bounded_and_no_item_is_lost_by_it() {
        let mut reasons = Reasons::default();
        for reason in 0..100 {
            reasons.add(&format!("reason_{reason}"), 1);
        }
        assert_eq!(reasons.total(), 100);
        assert!(reasons.iter().count() <= REASONS_MAX + 1);
        assert_eq!(reasons.get(OTHER_REASON), 68);
    }

    #[test]
    fn a_reason_is_one_word() {
        let mut reasons = Reasons::default();
        reasons.add("out of order", 1);
        reasons.add("", 2);
        assert_eq!(reasons.get("out_of_order"), 1);
        assert_eq!(reasons.get(OTHER_REASON), 2);
    }
}
