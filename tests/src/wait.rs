//! Waiting for a fact instead of sleeping.

use std::time::{Duration, Instant};

/// How often a fact is looked at while it is waited for.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Polls `fact` until it yields a value.
///
/// # Panics
/// When `within` passes first; the message names `what` was waited for and the last word of `fact`.
pub async fn eventually<T, F>(within: Duration, what: &str, mut fact: F) -> T
where
    F: AsyncFnMut() -> Result<T, String>,
{
    let deadline = Instant::now() + within;
    loop {
        match fact().await {
            Ok(value) => return value,
            Err(last) => assert!(
                Instant::now() < deadline,
                "waited {within:?} for {what}; last seen: {last}"
            ),
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// A fact that either holds or not, for [`eventually`].
///
/// # Errors
/// `otherwise`, when the fact does not hold.
pub fn holds(fact: bool, otherwise: impl Into<String>) -> Result<(), String> {
    if fact { Ok(()) } else { Err(otherwise.into()) }
}
