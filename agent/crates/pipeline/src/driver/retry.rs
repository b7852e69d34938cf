//! The time between two attempts.

use std::time::Duration;

/// The longest wait that a peer may ask for.
const AFTER_MAX: Duration = Duration::from_secs(600);

/// How much is added at most to a wait that the peer named, so that not all senders come at once.
const AFTER_JITTER: f64 = 0.1;

/// Exponential back-off.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct RetrySettings {
    /// The first wait.
    pub initial_interval: Duration,
    /// Growth from one wait to the next; at least 1.
    pub multiplier: f64,
    /// A wait is drawn from `interval * (1 - factor) ..= interval * (1 + factor)`; 0 to 1.
    pub randomization_factor: f64,
    /// The longest interval.
    pub max_interval: Duration,
    /// How long one lot is tried before it is dropped; `None` tries for as long as it is kept.
    pub max_elapsed_time: Option<Duration>,
}

/// The back-off of one exporter.
#[derive(Debug)]
pub(super) struct Backoff {
    settings: RetrySettings,
    interval: Duration,
    random: fastrand::Rng,
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self {
            initial_interval: Duration::from_secs(1),
            multiplier: 1.5,
            randomization_factor: 0.5,
            max_interval: Duration::from_secs(30),
            max_elapsed_time: None,
        }
    }
}

impl Backoff {
    pub(super) fn new(settings: RetrySettings, random: fastrand::Rng) -> Self {
        Self {
            settings,
            interval: settings.initial_interval,
            random,
        }
    }

    /// The next wait. A peer's own wish is never undercut, and the next interval starts from it.
    pub(super) fn next(&mut self, after: Option<Duration>) -> Duration {
        let spread = self.settings.randomization_factor.clamp(0.0, 1.0);
        let factor = 1.0 + spread * (2.0 * self.random.f64() - 1.0);
        let own = scaled(self.interval, factor);
        let wished = after.unwrap_or_default().min(AFTER_MAX);
        let asked = scaled(wished, 1.0 + AFTER_JITTER * self.random.f64());
        let next = if wished > self.interval {
            wished
        } else {
            scaled(self.interval, self.settings.multiplier.max(1.0))
        };
        self.interval = next.min(self.settings.max_interval);
        own.max(asked)
    }

    /// Starts anew after a success.
    pub(super) fn reset(&mut self) {
        self.interval = self.settings.initial_interval;
    }
}

fn scaled(interval: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(interval.as_secs_f64() * factor).unwrap_or(interval)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backoff(randomization_factor: f64) -> Backoff {
        let settings = RetrySettings {
            randomization_factor,
            ..RetrySettings::default()
        };
        Backoff::new(settings, fastrand::Rng::with_seed(7))
    }

    #[test]
    fn waits_grow_to_the_longest_interval() {
        let mut backoff = backoff(0.0);
        let waits: Vec<f64> = (0..11).map(|_| backoff.next(None).as_secs_f64()).collect();
        assert_eq!(&waits[..4], &[1.0, 1.5, 2.25, 3.375]);
        assert_eq!(waits[10], 30.0);
        backoff.reset();
        assert_eq!(backoff.next(None), Duration::from_secs(1));
    }

    #[test]
    fn waits_are_drawn_around_the_interval() {
        let mut backoff = backoff(0.5);
        for _ in 0..100 {
            let wait = backoff.next(None);
            backoff.reset();
            assert!((0.5..=1.5).contains(&wait.as_secs_f64()), "{wait:?}");
        }
    }

    #[test]
    fn a_peers_wish_is_never_undercut_and_bounded() {
        let mut backoff = backoff(0.5);
        for (wish, most) in [(20, 22.0), (5, 45.0), (86_400, 660.0)] {
            let wait = backoff.next(Some(Duration::from_secs(wish))).as_secs_f64();
            let least = wish.min(600) as f64;
            assert!((least..=most).contains(&wait), "{wish}: {wait}");
        }
    }

    #[test]
    fn the_next_interval_starts_from_the_peers_wish() {
        let mut backoff = backoff(0.0);
        backoff.next(Some(Duration::from_secs(10)));
        assert_eq!(backoff.next(None), Duration::from_secs(10));
    }
}
