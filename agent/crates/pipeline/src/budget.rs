//! The process-wide byte budget.
//!
//! Whoever brings a payload into memory charges the budget first, and refuses or waits when it is
//! used up. The charge travels inside the [`Batch`](crate::Batch) and is released by `Drop`, so
//! that no path through the program can forget it. A charge is made for buffer capacity, not for
//! length: a slice pins the read buffer it was cut from.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// How long after somebody was refused the budget counts as wanted.
const WANTED_TIME: Duration = Duration::from_secs(5);

/// A bound on the bytes of telemetry held in memory, shared by the whole process.
#[derive(Clone, Debug)]
pub struct Budget {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    limit_bytes: usize,
    used_bytes: AtomicUsize,
    released: Notify,
    /// When somebody was last refused, or waited.
    wanted_at: Mutex<Option<Instant>>,
}

/// Bytes taken from a [`Budget`], given back when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Charge {
    held: Arc<Held>,
}

#[derive(Debug)]
struct Held {
    budget: Arc<Inner>,
    bytes: usize,
}

impl Budget {
    /// A budget of `limit_bytes` bytes, none of them used.
    #[must_use]
    pub fn new(limit_bytes: usize) -> Self {
        Self {
            inner: Arc::new(Inner {
                limit_bytes,
                used_bytes: AtomicUsize::new(0),
                released: Notify::new(),
                wanted_at: Mutex::new(None),
            }),
        }
    }

    /// The most bytes that may be held at once.
    #[must_use]
    pub fn limit_bytes(&self) -> usize {
        self.inner.limit_bytes
    }

    /// Bytes held now.
    #[must_use]
    pub fn used_bytes(&self) -> usize {
        self.inner.used_bytes.load(Ordering::Relaxed)
    }

    /// Takes `bytes`, or `None` when that would pass the limit.
    #[must_use]
    pub fn try_charge(&self, bytes: usize) -> Option<Charge> {
        let is_free = self.inner.take(bytes);
        if !is_free {
            self.inner.note_wanted();
        }
        is_free.then(|| self.held(bytes))
    }

    /// Whether somebody needs more than is free, or did a moment ago: who holds what can be had
    /// elsewhere lets go of it then.
    pub(crate) fn is_wanted(&self) -> bool {
        let wanted_at = *self.inner.wanted_at();
        wanted_at.is_some_and(|at| at.elapsed() < WANTED_TIME)
    }

    /// Takes `bytes`, waiting until they are free; for readers that can wait, such as of files.
    ///
    /// More than the whole budget is granted once everything else has been released: a payload
    /// larger than the budget must pass alone rather than never. Safe to cancel.
    pub async fn charge(&self, bytes: usize) -> Charge {
        let wanted = bytes.min(self.inner.limit_bytes);
        loop {
            let released = self.inner.released.notified();
            tokio::pin!(released);
            released.as_mut().enable();
            if let Some(charge) = self.try_charge(wanted) {
                return charge;
            }
            // Whichever comes first: asked again, this is still wanted.
            let _ = tokio::time::timeout(WANTED_TIME / 2, released).await;
        }
    }

    /// Takes `bytes` if they are free and nothing otherwise; for what must go on even when the
    /// budget is used up, because it is what empties it, and is bounded in another way.
    #[must_use]
    pub fn charge_if_free(&self, bytes: usize) -> Charge {
        let is_free = self.inner.take(bytes);
        self.held(if is_free { bytes } else { 0 })
    }

    fn held(&self, bytes: usize) -> Charge {
        Charge {
            held: Arc::new(Held {
                budget: Arc::clone(&self.inner),
                bytes,
            }),
        }
    }
}

impl Inner {
    fn note_wanted(&self) {
        *self.wanted_at() = Some(Instant::now());
    }

    fn wanted_at(&self) -> MutexGuard<'_, Option<Instant>> {
        self.wanted_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts `bytes` as used, unless that would pass the limit.
    fn take(&self, bytes: usize) -> bool {
        self.used_bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(bytes)
                    .filter(|total| *total <= self.limit_bytes)
            })
            .is_ok()
    }
}

impl Charge {
    /// Bytes held by this charge.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.held.bytes
    }

    /// Makes this a charge of `bytes`; for a payload whose size shows only while it is read or
    /// inflated. `false`, and nothing changes, when the budget has no room for the difference or
    /// when there are clones, whose batches would not know.
    #[must_use]
    pub fn try_resize(&mut self, bytes: usize) -> bool {
        let Some(held) = Arc::get_mut(&mut self.held) else {
            return false;
        };
        if bytes <= held.bytes {
            held.budget
                .used_bytes
                .fetch_sub(held.bytes - bytes, Ordering::Relaxed);
            held.budget.released.notify_waiters();
        } else if !held.budget.take(bytes - held.bytes) {
            held.budget.note_wanted();
            return false;
        }
        held.bytes = bytes;
        true
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget
            .used_bytes
            .fetch_sub(self.bytes, Ordering::Relaxed);
        self.budget.released.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_charge_is_released_with_its_last_clone() {
        let budget = Budget::new(100);
        let charge = budget.try_charge(60).unwrap();
        let clone = charge.clone();
        drop(charge);
        assert_eq!(budget.used_bytes(), 60);
        assert!(budget.try_charge(41).is_none());
        drop(clone);
        assert_eq!(budget.used_bytes(), 0);
    }

    #[test]
    fn a_charge_follows_the_size_of_its_payload() {
        let budget = Budget::new(100);
        let mut charge = budget.try_charge(10).unwrap();
        assert!(charge.try_resize(90));
        assert!(!charge.try_resize(101));
        assert_eq!((charge.bytes(), budget.used_bytes()), (90, 90));
        assert!(charge.try_resize(40));
        assert_eq!(budget.used_bytes(), 40);
        let clone = charge.clone();
        assert!(!charge.try_resize(20));
        drop((charge, clone));
        assert_eq!(budget.used_bytes(), 0);
    }

    #[tokio::test]
    async fn a_waiter_goes_on_when_bytes_are_released() {
        let budget = Budget::new(100);
        let held = budget.try_charge(100).unwrap();
        let waiting = tokio::spawn({
            let budget = budget.clone();
            async move { budget.charge(50).await.bytes() }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(held);
        assert_eq!(waiting.await.unwrap(), 50);
    }

    #[tokio::test]
    async fn more_than_the_whole_budget_passes_alone() {
        let budget = Budget::new(100);
        assert_eq!(budget.charge(1_000).await.bytes(), 100);
    }
}
