//! Whether the program is ready, and if not, why.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Watched;

/// Counts the receivers that have yet to start: a receiver reports once its sockets are bound or
/// its files are found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Starting {
    pending: Arc<AtomicUsize>,
}

/// One receiver's part in [`Starting`]; it has started when this is dropped or told.
#[derive(Debug)]
pub(crate) struct Pending {
    starting: Starting,
}

impl Starting {
    /// One more receiver that has to start.
    pub(crate) fn expect(&self) -> Pending {
        self.pending.fetch_add(1, Ordering::Relaxed);
        Pending {
            starting: self.clone(),
        }
    }

    /// Receivers that have not started yet.
    pub(crate) fn pending(&self) -> usize {
        self.pending.load(Ordering::Relaxed)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.starting.pending.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What keeps the program from being ready, one sentence each; empty when it is.
pub(crate) fn obstacles(watched: &Watched, starting: &Starting) -> Vec<String> {
    let mut obstacles = Vec::new();
    match starting.pending() {
        0 => {}
        1 => obstacles.push("a receiver is still starting".to_owned()),
        more => obstacles.push(format!("{more} receivers are still starting")),
    }
    for pipeline in &watched.pipelines {
        let spool = pipeline.spool.stats();
        if let Some(error) = spool.disk.and_then(|disk| disk.write_error) {
            obstacles.push(format!(
                "the spool of {} cannot write: {error}",
                pipeline.id
            ));
        }
        for cursor in spool.cursors {
            if let Some(words) = cursor.held {
                let exporter = cursor.name;
                obstacles.push(format!("{exporter} in {} is refused: {words}", pipeline.id));
            }
        }
    }
    obstacles
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_has_started_when_its_part_is_dropped() {
        let starting = Starting::default();
        let (first, second) = (starting.expect(), starting.expect());
        drop(first);
        assert_eq!(starting.pending(), 1);
        drop(second);
        assert_eq!(starting.pending(), 0);
    }
}
