//! What is due from time to time, and at the end: memory, cursor files, finished segments.

use std::io;
use std::sync::Arc;

use super::cursor_file::Hint;
use super::{DAMAGED_SUFFIX, Disk, locked, segment};
use crate::spool::Inner;

/// A newest segment of this size is left for a fresh one when nothing in it is needed any more.
const IDLE_SEGMENT_BYTES: u64 = 1 << 20;

/// Damaged segments kept for people to look at; the oldest go first.
const DAMAGED_KEPT: usize = 4;

impl Disk {
    /// What is due from time to time: memory, cursor files, finished segments.
    pub(in crate::spool) async fn tend(&self, spool: &Arc<Inner>) {
        let spool = Arc::clone(spool);
        let tidying = tokio::task::spawn_blocking(move || {
            if let Some(disk) = &spool.disk {
                disk.tidy(&spool);
            }
        });
        // A panic in there is reported by the runtime, and the next round tries again.
        let _ = tidying.await;
    }

    /// Waits for writes in hand, saves the cursors, and gives the directory free.
    pub(in crate::spool) async fn settle_down(&self, spool: &Arc<Inner>) {
        loop {
            let idle = self.idle.notified();
            tokio::pin!(idle);
            idle.as_mut().enable();
            if !locked(&self.queue).is_writing {
                break;
            }
            idle.await;
        }
        self.tend(spool).await;
        locked(&self.lock).take();
    }

    fn tidy(&self, spool: &Inner) {
        spool
            .lock()
            .window
            .shrink_to(self.window_limit(&spool.budget));
        self.give_back_space(spool);
        self.leave_idle_segment(spool);
    }

    /// Saves the cursors, then removes the segments that nobody needs.
    pub(super) fn give_back_space(&self, spool: &Inner) {
        let error = match self.save_cursors(spool) {
            Ok(lowest) => return self.release_segments(spool, lowest),
            Err(error) => error,
        };
        tracing::debug!(
            pipeline = spool.name,
            %error,
            "cannot save where the exporters stand; it is tried again"
        );
        // Only removing segments makes room for cursor files on a full disk. Should the process be
        // killed before they are saved, a cursor finds that its segment is gone; all in it was
        // settled, and only the account is wrong about how.
        if error.kind() == io::ErrorKind::StorageFull {
            let lowest = spool.lock().lowest().position;
            self.release_segments(spool, lowest);
        }
    }

    /// Saves the cursors that moved. Returns the position before which, by what is on the medium
    /// now, nobody needs anything.
    fn save_cursors(&self, spool: &Inner) -> io::Result<u64> {
        let state = spool.lock();
        let current: Vec<_> = state
            .cursors
            .iter()
            .map(|track| (track.settings.name.clone(), Hint::of(track)))
            .collect();
        let head = state.head.position;
        drop(state);
        let mut saved = locked(&self.saved);
        let mut has_changed = false;
        for ((name, hint), saved) in current.into_iter().zip(saved.iter_mut()) {
            if saved.as_ref() != Some(&hint) {
                hint.save(&self.files, &name, self.spool_id)?;
                *saved = Some(hint);
                has_changed = true;
            }
        }
        if has_changed {
            self.files.sync_directory()?;
        }
        let lows = saved.iter().flatten().map(|hint| hint.low.position);
        Ok(lows.min().unwrap_or(head))
    }

    /// Removes the segments that end at or before `lowest`.
    fn release_segments(&self, spool: &Inner, lowest: u64) {
        let finished = spool.lock().segments_before(lowest);
        for first in finished {
            let removed = match self.remove_or_set_aside(first) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                removed => removed,
            };
            if let Err(error) = removed {
                tracing::warn!(
                    pipeline = spool.name,
                    file = %self.files.path(&segment::file_name(first)).display(),
                    %error,
                    "cannot remove a finished spool segment; it is tried again"
                );
                return;
            }
            spool.lock().segments.remove(&first);
            locked(&self.journal).forget(first);
        }
    }

    fn remove_or_set_aside(&self, first: u64) -> io::Result<()> {
        let name = segment::file_name(first);
        if !locked(&self.journal).damaged_segments.contains(&first) {
            return self.files.remove(&name);
        }
        let mut damaged = self.files.names()?;
        damaged.retain(|name| name.ends_with(DAMAGED_SUFFIX));
        let excess = (damaged.len() + 1).saturating_sub(DAMAGED_KEPT);
        for name in damaged.iter().take(excess) {
            self.files.remove(name)?;
        }
        self.files.rename(&name, &format!("{name}{DAMAGED_SUFFIX}"))
    }

    /// Begins a fresh segment when nothing in the newest is needed, so that its space comes back.
    fn leave_idle_segment(&self, spool: &Inner) {
        let mut writer = locked(&self.writer);
        let state = spool.lock();
        let head = state.head;
        let is_idle = state.lowest().position == head.position;
        drop(state);
        if !is_idle || writer.len(head) < IDLE_SEGMENT_BYTES {
            return;
        }
        // Where this fails there is no space, and the next append will say so.
        if let Ok(segment) = writer.begin(&self.files, head, spool.clock.unix_nano()) {
            spool.lock().segments.insert(head.position, segment);
        }
    }
}
