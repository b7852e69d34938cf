//! What is due from time to time, and at the end: memory, cursor files, finished segments.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::cursor_file::Hint;
use super::{DAMAGED_SUFFIX, Disk, NEVER_TENDED, locked, segment};
use crate::spool::Inner;

/// A newest segment of this size is left for a fresh one when nothing in it is needed any more.
const IDLE_SEGMENT_BYTES: u64 = 1 << 20;

/// Damaged segments kept for people to look at; the oldest go first.
const DAMAGED_KEPT: usize = 4;

impl Disk {
    /// What is due from time to time: memory, cursor files, finished segments.
    pub(in crate::spool) async fn tend(&self, spool: &Arc<Inner>) {
        let window_limit = self.window_limit(&spool.budget);
        let settled = {
            let mut state = spool.lock();
            state.window.shrink_to(window_limit);
            state.settled_records()
        };
        if self.tended.swap(settled, Ordering::Relaxed) != settled {
            self.tidy(spool, false).await;
        }
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
        self.tidy(spool, true).await;
        locked(&self.lock).take();
    }

    /// Writes the cursors down and gives back space, off the runtime's threads. Where that fails,
    /// the next round tries again.
    async fn tidy(&self, spool: &Arc<Inner>, is_end: bool) {
        let spool = Arc::clone(spool);
        let tidying = tokio::task::spawn_blocking(move || {
            let Some(disk) = &spool.disk else {
                return true;
            };
            let is_kept = disk.write_cursors(&spool, is_end).is_ok();
            disk.leave_idle_segment(&spool);
            disk.give_back_space(&spool) && is_kept
        });
        if !tidying.await.unwrap_or_default() {
            self.tended.store(NEVER_TENDED, Ordering::Relaxed);
        }
    }

    /// Removes the segments that nobody needs, after the cursors that say so are on the medium.
    /// `false` when it has to be tried again.
    pub(super) fn give_back_space(&self, spool: &Inner) -> bool {
        let lowest = spool.lock().lowest().position;
        if spool.lock().segments_before(lowest).is_empty() {
            return true;
        }
        let error = match self.write_cursors(spool, true) {
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
            self.release_segments(spool, lowest);
        }
        false
    }

    /// Writes the cursors that moved to their files. Without a sync that survives a kill, and is
    /// cheap enough to be done often; with one it survives a power failure. Returns the position
    /// before which, by what is written, nobody needs anything.
    fn write_cursors(&self, spool: &Inner, is_synced: bool) -> io::Result<u64> {
        let state = spool.lock();
        let current: Vec<_> = state
            .cursors
            .iter()
            .map(|track| (track.settings.name.clone(), Hint::of(track)))
            .collect();
        drop(state);
        let mut lowest = u64::MAX;
        let mut has_changed = false;
        let mut saved = locked(&self.saved);
        for ((name, hint), saved) in current.into_iter().zip(saved.iter_mut()) {
            lowest = lowest.min(hint.low.position);
            let is_there = saved.hint.as_ref() == Some(&hint);
            if !is_there || (is_synced && !saved.is_synced) {
                hint.save(&self.files, &name, self.spool_id, is_synced)?;
                saved.hint = Some(hint);
                saved.is_synced = is_synced;
                has_changed = true;
            }
        }
        if has_changed && is_synced {
            self.files.sync_directory()?;
        }
        Ok(lowest)
    }

    /// Removes the segments that end at or before `lowest`; `false` when one could not be removed.
    fn release_segments(&self, spool: &Inner, lowest: u64) -> bool {
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
                return false;
            }
            spool.lock().segments.remove(&first);
            locked(&self.journal).forget(first);
        }
        true
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
