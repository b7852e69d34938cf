//! How one exporter is doing: what its driver notes, and what is read from outside.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Amount;
use crate::stats::{CursorStats, Tally};

/// Figures of one cursor's exporter.
#[derive(Debug)]
pub(crate) struct Activity {
    attempts: AtomicU64,
    attempts_failed: AtomicU64,
    panics: AtomicU64,
    words: Mutex<Words>,
}

#[derive(Debug)]
struct Words {
    paused_until: Option<Instant>,
    held: Option<String>,
    last_error: Option<String>,
    last_progress: Instant,
}

impl Default for Activity {
    fn default() -> Self {
        Self {
            attempts: AtomicU64::new(0),
            attempts_failed: AtomicU64::new(0),
            panics: AtomicU64::new(0),
            words: Mutex::new(Words {
                paused_until: None,
                held: None,
                last_error: None,
                last_progress: Instant::now(),
            }),
        }
    }
}

impl Activity {
    pub(crate) fn count_attempt(&self) {
        self.attempts.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_failed(&self, error: &str) {
        self.attempts_failed.fetch_add(1, Ordering::Relaxed);
        self.note_error(error);
    }

    pub(crate) fn note_error(&self, error: &str) {
        self.lock().last_error = Some(error.to_owned());
    }

    pub(crate) fn count_panic(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn note_progress(&self) {
        self.lock().last_progress = Instant::now();
    }

    pub(crate) fn note_pause(&self, until: Option<Instant>) {
        self.lock().paused_until = until;
    }

    pub(crate) fn note_held(&self, held: Option<&str>) {
        self.lock().held = held.map(str::to_owned);
    }

    /// The figures kept here; those of the cursor are left at zero.
    pub(crate) fn snapshot(&self) -> CursorStats {
        let words = self.lock();
        let now = Instant::now();
        CursorStats {
            name: String::new(),
            accepted: 0,
            tally: Tally::default(),
            queued: Amount::default(),
            oldest_age: None,
            in_flight: 0,
            attempts: self.attempts.load(Ordering::Relaxed),
            attempts_failed: self.attempts_failed.load(Ordering::Relaxed),
            panics: self.panics.load(Ordering::Relaxed),
            paused_for: words
                .paused_until
                .map(|until| until.saturating_duration_since(now))
                .filter(|wait| *wait > Duration::ZERO),
            held: words.held.clone(),
            last_error: words.last_error.clone(),
            since_progress: now.saturating_duration_since(words.last_progress),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Words> {
        self.words.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
