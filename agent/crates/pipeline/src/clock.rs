//! The only place that asks the system for the time.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Nanoseconds since the Unix epoch by the wall clock; 0 when the clock stands before 1970.
#[must_use]
pub fn unix_nano() -> u64 {
    let elapsed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
}

/// A point on the monotonic clock, for measuring durations. Inside async code that waits, use
/// `tokio::time::Instant`, which tests can move.
#[must_use]
pub fn monotonic() -> Instant {
    Instant::now()
}

/// CPU time that this process has used, user and system.
#[must_use]
pub fn process_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}
