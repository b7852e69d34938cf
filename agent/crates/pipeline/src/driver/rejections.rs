//! The log of what back ends reject for good: a line at once, then one a minute at most.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Between two lines about the same exporter.
const INTERVAL: Duration = Duration::from_secs(60);

/// Rejections of one exporter that were not logged yet.
#[derive(Debug, Default)]
pub(super) struct Rejections {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    logged_at: Option<Instant>,
    items: u64,
}

impl Rejections {
    /// Notes `items` rejected items. Gives the items to write a line about, when one is due.
    pub(super) fn note(&self, items: u64) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.items += items;
        let is_due = state
            .logged_at
            .is_none_or(|logged_at| logged_at.elapsed() >= INTERVAL);
        if !is_due || state.items == 0 {
            return None;
        }
        state.logged_at = Some(Instant::now());
        Some(std::mem::take(&mut state.items))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_line_is_due_at_once_and_then_after_a_minute_with_the_sum() {
        let rejections = Rejections::default();
        assert_eq!(rejections.note(0), None);
        assert_eq!(rejections.note(3), Some(3));
        assert_eq!(rejections.note(4), None);
        tokio::time::sleep(INTERVAL).await;
        assert_eq!(rejections.note(5), Some(9));
    }
}
