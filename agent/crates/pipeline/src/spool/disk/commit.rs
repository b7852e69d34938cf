//! Group commit: all batches that wait share one write and one sync.
//!
//! The first batch that finds nobody writing starts a writer on a blocking thread; batches that
//! come meanwhile are its next group. Nobody waits for a timer, and a group is as large as the
//! medium is slow.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::writer::Writer;
use super::{Disk, locked};
use crate::spool::{Amount, Inner, Mark, Record, Reservation};
use crate::{Batch, Refused};

/// Most payload bytes in one write; the buffer in which a group is put together.
const GROUP_BYTES: u64 = 8 << 20;

/// When a sender should try again after the disk failed.
const RETRY_AFTER_FAILURE: Duration = Duration::from_secs(2);

/// Batches that wait for a write.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pending: VecDeque<Pending>,
    pub(super) is_writing: bool,
}

#[derive(Debug)]
struct Pending {
    amount: Amount,
    batch: Batch,
    answer: oneshot::Sender<Result<u64, Refused>>,
}

impl Disk {
    /// Puts `batch` into the next group; the answer comes when the group is synced or has failed.
    pub(in crate::spool) fn enqueue(
        &self,
        spool: &Arc<Inner>,
        reservation: Reservation,
        batch: Batch,
    ) -> oneshot::Receiver<Result<u64, Refused>> {
        let (answer, kept) = oneshot::channel();
        if u32::try_from(batch.payload.len()).is_err() {
            let _ = answer.send(Err(storage_failure(&"a payload of 4 GiB or more")));
            return kept;
        }
        let mut queue = locked(&self.queue);
        queue.pending.push_back(Pending {
            amount: reservation.disarm(),
            batch,
            answer,
        });
        if !queue.is_writing {
            queue.is_writing = true;
            let spool = Arc::clone(spool);
            // Not tied to the sender's future: a sender that goes away leaves the others' writes.
            tokio::task::spawn_blocking(move || {
                if let Some(disk) = &spool.disk {
                    disk.write_until_idle(&spool);
                }
            });
        }
        kept
    }

    fn write_until_idle(&self, spool: &Inner) {
        let _writing = Writing(self);
        while let Some(group) = self.next_group() {
            let has_begun_segment = self.commit(spool, group);
            if has_begun_segment {
                self.give_back_space(spool);
            }
        }
        self.idle.notify_waiters();
    }

    /// All that waits, within the bound of one write; `None` ends the writing.
    fn next_group(&self) -> Option<Vec<Pending>> {
        let mut queue = locked(&self.queue);
        let mut group = Vec::new();
        let mut bytes = 0;
        while let Some(pending) = queue.pending.pop_front() {
            bytes += pending.amount.bytes;
            group.push(pending);
            if bytes >= GROUP_BYTES {
                break;
            }
        }
        if group.is_empty() {
            queue.is_writing = false;
            return None;
        }
        Some(group)
    }

    /// Writes and syncs a group, and answers all who wait for it. Tells whether a segment was begun.
    fn commit(&self, spool: &Inner, group: Vec<Pending>) -> bool {
        let mut writer = locked(&self.writer);
        let unix_nano = spool.clock.unix_nano();
        let mut head = spool.lock().head;
        let start = head;
        let mut amount = Amount::default();
        let mut answers = Vec::with_capacity(group.len());
        let mut records = Vec::with_capacity(group.len());
        for pending in group {
            let record = Record {
                start: head,
                unix_nano,
                batch: pending.batch,
            };
            head = record.end();
            amount += pending.amount;
            answers.push((pending.answer, record.start.position));
            records.push(record);
        }
        let written = self.write(spool, &mut writer, start, &records, unix_nano);
        let mut state = spool.lock();
        state.reserved = state.reserved.less(amount);
        if written.is_ok() {
            for record in records {
                state.push(record);
            }
            state.window.shrink_to(self.window_limit(&spool.budget));
        }
        drop(state);
        drop(writer);
        spool.arrived.notify_waiters();
        spool.freed.notify_waiters();
        let has_begun_segment = written.as_ref().is_ok_and(|begun| *begun);
        let verdict = written.map(drop).map_err(|error| storage_failure(&error));
        for (answer, position) in answers {
            // A sender that went away wants no answer.
            let _ = answer.send(verdict.clone().map(|()| position));
        }
        has_begun_segment
    }

    fn write(
        &self,
        spool: &Inner,
        writer: &mut Writer,
        head: Mark,
        records: &[Record],
        unix_nano: u64,
    ) -> io::Result<bool> {
        let written = writer
            .make_ready(&self.files, head, unix_nano)
            .and_then(|begun| {
                if let Some(segment) = begun {
                    spool.lock().segments.insert(head.position, segment);
                }
                writer.append(&self.files, head, records)?;
                Ok(begun.is_some())
            });
        let mut journal = locked(&self.journal);
        match &written {
            Ok(_) => {
                if journal.stats.write_error.take().is_some() {
                    tracing::info!(pipeline = spool.name, "the spool writes again");
                }
            }
            Err(error) => {
                journal.stats.write_failures += 1;
                if journal.stats.write_error.is_none() {
                    tracing::error!(
                        pipeline = spool.name,
                        directory = %self.files.path("").display(),
                        %error,
                        "the spool cannot write; senders are told to come again"
                    );
                }
                journal.stats.write_error = Some(error.to_string());
            }
        }
        written
    }
}

/// Lets the next batch start a writer even if this one panics.
struct Writing<'a>(&'a Disk);

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            locked(&self.0.queue).is_writing = false;
            self.0.idle.notify_waiters();
        }
    }
}

fn storage_failure(reason: &dyn std::fmt::Display) -> Refused {
    Refused::Storage {
        reason: reason.to_string(),
        retry_after: RETRY_AFTER_FAILURE,
    }
}
