//! All spools and drivers of the program, and their end.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::Exporter;
use crate::driver::Driver;
use crate::spool::Spool;
use crate::stats::SpoolStats;

/// Of the time for shutdown, the part that is kept for saving what could not be delivered.
const SAVING_TIME: Duration = Duration::from_millis(500);

/// How often a shutdown looks whether waiting is of any use.
const HOPE_INTERVAL: Duration = Duration::from_millis(250);

/// Everything behind the inlets that runs: spools with their maintenance, and drivers.
///
/// Dropping it aborts all tasks, as a kill would.
#[derive(Debug, Default)]
pub struct Delivery {
    spools: Vec<Spool>,
    drivers: JoinSet<()>,
    maintenance: JoinSet<()>,
    stop: CancellationToken,
}

/// How a shutdown went.
#[derive(Clone, Debug)]
pub struct ShutdownReport {
    /// Whether every cursor was drained within the deadline.
    pub is_drained: bool,
    /// Items in memory that could not be delivered, counted as dropped for `shutdown`.
    pub dropped: u64,
    /// Items left on disk for the next start, summed over the cursors.
    pub kept: u64,
    /// The last account of each spool.
    pub spools: Vec<SpoolStats>,
}

impl Delivery {
    /// Nothing runs yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes care of `spool`: its maintenance now, its end at shutdown.
    pub fn add_spool(&mut self, spool: &Spool) {
        self.spools.push(spool.clone());
        let spool = spool.clone();
        self.maintenance
            .spawn(async move { spool.maintain().await });
    }

    /// Starts a driver.
    pub fn add_driver<E: Exporter>(&mut self, driver: Driver<E>) {
        let stop = self.stop.clone();
        self.drivers.spawn(driver.run(stop));
    }

    /// The account of each spool, as of now.
    #[must_use]
    pub fn stats(&self) -> Vec<SpoolStats> {
        self.spools.iter().map(Spool::stats).collect()
    }

    /// Ends all of it; call when no receiver runs any more. Accepts nothing from now on, delivers
    /// what it can, and by `deadline` has saved (disk) or counted (memory) the rest. Does not wait
    /// for an exporter that would not try again before the deadline, nor for one that fails while
    /// its records are safe on disk.
    pub async fn shutdown(mut self, deadline: Duration) -> ShutdownReport {
        let until = Instant::now() + deadline.saturating_sub(SAVING_TIME);
        for spool in &self.spools {
            spool.close();
        }
        let is_drained = self.drain(until).await;
        self.stop.cancel();
        // A driver stops at its next wait; one that does not is cut off.
        let _ = tokio::time::timeout(SAVING_TIME / 2, all_ended(&mut self.drivers)).await;
        self.drivers.shutdown().await;
        self.maintenance.shutdown().await;
        self.report(is_drained).await
    }

    /// Waits for the drivers, for as long as there is hope; tells whether all is delivered.
    async fn drain(&mut self, until: Instant) -> bool {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let look_again = left.min(HOPE_INTERVAL);
            if tokio::time::timeout(look_again, all_ended(&mut self.drivers))
                .await
                .is_ok()
            {
                return true;
            }
            if left.is_zero() || !self.spools.iter().any(|spool| has_hope(spool, left)) {
                return false;
            }
        }
    }

    async fn report(&self, is_drained: bool) -> ShutdownReport {
        let mut dropped = 0;
        for spool in &self.spools {
            dropped += spool.finish().await;
        }
        let spools = self.stats();
        let kept = spools
            .iter()
            .flat_map(|spool| &spool.cursors)
            .map(|cursor| cursor.queued.items)
            .sum();
        if dropped > 0 {
            tracing::warn!(
                items = dropped,
                "items in memory were not delivered and are lost"
            );
        }
        ShutdownReport {
            is_drained,
            dropped,
            kept,
            spools,
        }
    }
}

async fn all_ended(tasks: &mut JoinSet<()>) {
    while tasks.join_next().await.is_some() {}
}

/// Whether waiting may deliver something that would be lost or late otherwise.
fn has_hope(spool: &Spool, left: Duration) -> bool {
    let stats = spool.stats();
    let is_safe = stats.disk.is_some();
    stats.cursors.iter().any(|cursor| {
        let is_worth_it = match cursor.paused_for {
            None => true,
            Some(pause) => !is_safe && pause < left,
        };
        cursor.queued.records > 0 && is_worth_it
    })
}

#[cfg(test)]
mod tests;
