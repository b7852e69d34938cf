//! The delivery of one lot: attempts until every item has ended.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::time::Instant;

use super::gate::{Gate, Pass};
use super::piece::Piece;
use super::rejections::Rejections;
use super::{BatchSettings, DriverSettings, OnPeerRejection, SplitFn};
use crate::spool::{Activity, Cursor, DROPPED_TOO_OLD, Lot, SpoolClock};
use crate::stats::Tally;
use crate::{Batch, Budget, ExportError, Exported, Exporter};

/// Requests that may be spent on finding the culprits of one lot; what is refused after that is
/// rejected in one piece. Enough for eight culprits in 8192 items.
const REQUESTS_PER_LOT_MAX: u32 = 256;

/// Drop reason: the retry time that the user wrote has passed.
const DROPPED_RETRIES: &str = "retries_exhausted";

/// Rejection reasons of the driver itself.
const REJECTED_TOO_LARGE: &str = "too_large";
const REJECTED_BY_PEER: &str = "peer_rejection";
const REJECTED_PARTIALLY: &str = "partial_success";
const REJECTED_UNREADABLE: &str = "unreadable";

/// Requests are never made smaller than this because one was too large, in bytes of protobuf.
const LARGEST_REQUEST_BYTES_MIN: usize = 64 << 10;

/// The longest text that is taken for a reason and not for a sentence.
const REASON_LEN_MAX: usize = 40;

/// Everything a delivery needs; cheap to clone.
#[derive(Debug)]
pub(super) struct Job<E> {
    exporter: Arc<E>,
    settings: Arc<DriverSettings>,
    split: SplitFn,
    gate: Arc<Gate>,
    place: Arc<Place>,
}

/// What a delivery knows of its cursor.
#[derive(Debug)]
struct Place {
    pipeline: String,
    exporter: String,
    agent: u128,
    budget: Budget,
    limit_age: Option<Duration>,
    clock: SpoolClock,
    activity: Arc<Activity>,
    rejections: Rejections,
    /// What the back end was seen to take, in bytes of protobuf.
    largest_request_bytes: AtomicUsize,
}

/// What became of a piece.
enum Verdict {
    Done(Exported),
    Cut {
        reason: String,
        message: String,
    },
    Rejected {
        reason: &'static str,
        message: String,
    },
    Dropped {
        reason: &'static str,
    },
}

impl<E: Exporter> Job<E> {
    pub(super) fn new(
        cursor: &Cursor,
        exporter: Arc<E>,
        settings: DriverSettings,
        split: SplitFn,
        gate: Arc<Gate>,
    ) -> Self {
        let place = Place {
            pipeline: cursor.spool_name().to_owned(),
            exporter: cursor.name(),
            agent: cursor.spool_id(),
            budget: cursor.budget().clone(),
            limit_age: cursor.limit_age(),
            clock: cursor.clock(),
            activity: Arc::clone(cursor.activity()),
            rejections: Rejections::default(),
            largest_request_bytes: AtomicUsize::new(settings.batch.max_bytes),
        };
        Self {
            exporter,
            settings: Arc::new(settings),
            split,
            gate,
            place: Arc::new(place),
        }
    }

    /// What becomes one request, by the settings and by what was learned of the back end.
    pub(super) fn batch_settings(&self) -> BatchSettings {
        let batch = self.settings.batch;
        let joins_all = self.settings.is_ordered || batch.min_items > 0;
        BatchSettings {
            max_bytes: self.place.largest_request_bytes.load(Ordering::Relaxed),
            max_joined_bytes: if joins_all {
                usize::MAX
            } else {
                batch.max_joined_bytes
            },
            ..batch
        }
    }

    /// Sends all of `lot`; returns when every item has ended, which may be never.
    pub(super) async fn deliver(&self, lot: Lot) -> Tally {
        let position = lot.span.start.position;
        let mut tally = Tally::default();
        let mut requests = 0;
        let mut pieces = self.first_pieces(lot);
        while let Some(mut piece) = pieces.pop() {
            requests += 1;
            let verdict = self.send(&mut piece, position, &mut tally).await;
            let items = piece.items();
            match verdict {
                Verdict::Done(exported) => self.settle(&mut tally, items, &exported),
                Verdict::Dropped { reason } => tally.dropped.add(reason, items),
                Verdict::Rejected { reason, message } => {
                    self.reject(&mut tally, reason, items, &message);
                }
                Verdict::Cut { reason, message } => {
                    let halves = (requests < REQUESTS_PER_LOT_MAX)
                        .then(|| piece.halves(self.split))
                        .flatten();
                    match halves {
                        Some((left, right)) => pieces.extend([right, left]),
                        None => self.reject(&mut tally, &reason, items, &message),
                    }
                }
            }
        }
        tally
    }

    /// The lot as one piece; or, where its only record holds more items than a request may, cut.
    /// Last first, because pieces are taken from the end.
    fn first_pieces(&self, lot: Lot) -> Vec<Piece> {
        let max_items = self.settings.batch.max_items;
        let piece = Piece::new(lot.records);
        let cut = (piece.items() > u64::from(max_items))
            .then(|| piece.cut(max_items, self.split))
            .flatten();
        match cut {
            Some(pieces) => pieces.into_iter().rev().collect(),
            None => vec![piece],
        }
    }

    /// Attempts until there is a verdict. Records that grow too old meanwhile leave the piece. The
    /// merged batch is made for each attempt: a copy is cheap, and nothing is held twice while a
    /// back end is down.
    async fn send(&self, piece: &mut Piece, position: u64, tally: &mut Tally) -> Verdict {
        let started = Instant::now();
        loop {
            let pass = self.gate.enter(position).await;
            tally.dropped.add(DROPPED_TOO_OLD, self.expire(piece));
            if piece.is_empty() {
                return Verdict::Done(Exported::default());
            }
            let Some(batch) = piece.merge(self.place.agent, &self.place.budget) else {
                return Verdict::Rejected {
                    reason: REJECTED_UNREADABLE,
                    message: "cannot merge the records of a lot".to_owned(),
                };
            };
            let answer = self.attempt(&batch).await;
            if let Err(ExportError::TooLarge { .. }) = &answer {
                self.learn_size(&batch);
            }
            drop(batch);
            if let Some(verdict) = self.judge(answer, pass, started) {
                return verdict;
            }
        }
    }

    /// What an answer means; `None` tries again.
    fn judge(
        &self,
        answer: Result<Exported, ExportError>,
        pass: Pass<'_>,
        started: Instant,
    ) -> Option<Verdict> {
        let error = match answer {
            Ok(exported) => {
                pass.answered();
                return Some(Verdict::Done(exported));
            }
            Err(error) => error,
        };
        self.place.activity.count_failed(&error.to_string());
        match error {
            ExportError::Retry { after, message } => {
                pass.failed(after, &message);
                let limit = self.settings.retry.max_elapsed_time?;
                (started.elapsed() >= limit).then_some(Verdict::Dropped {
                    reason: DROPPED_RETRIES,
                })
            }
            ExportError::BadData { reason, message } => {
                pass.answered();
                Some(Verdict::Cut {
                    reason: reason.to_owned(),
                    message,
                })
            }
            ExportError::TooLarge { message } => {
                pass.answered();
                Some(Verdict::Cut {
                    reason: REJECTED_TOO_LARGE.to_owned(),
                    message,
                })
            }
            ExportError::PeerRejection { message } => match self.settings.on_peer_rejection {
                OnPeerRejection::Hold => {
                    pass.refused(&message);
                    None
                }
                OnPeerRejection::Drop => {
                    pass.answered();
                    Some(Verdict::Rejected {
                        reason: REJECTED_BY_PEER,
                        message,
                    })
                }
            },
        }
    }

    /// One request, within its time, and whatever it does.
    async fn attempt(&self, batch: &Batch) -> Result<Exported, ExportError> {
        self.place.activity.count_attempt();
        let request = caught(async { self.exporter.export(batch).await });
        let answer = match self.settings.timeout {
            Some(timeout) => match tokio::time::timeout(timeout, request).await {
                Ok(answer) => answer,
                Err(_) => return Err(retry(format!("no answer within {timeout:?}"))),
            },
            None => request.await,
        };
        answer.unwrap_or_else(|panic| {
            self.place.activity.count_panic();
            Err(retry(format!("the exporter panicked: {panic}")))
        })
    }

    fn expire(&self, piece: &mut Piece) -> u64 {
        let Some(age) = self.place.limit_age else {
            return 0;
        };
        let age_nanos = u64::try_from(age.as_nanos()).unwrap_or(u64::MAX);
        piece.expire(self.place.clock.unix_nano().saturating_sub(age_nanos))
    }

    /// Counts what the back end took and what it rejected of `items`.
    fn settle(&self, tally: &mut Tally, items: u64, exported: &Exported) {
        let rejected = u64::from(exported.rejected).min(items);
        tally.delivered += items - rejected;
        if rejected > 0 {
            let reason = reason_of(&exported.reason);
            self.place.activity.note_error(&exported.reason);
            self.reject(tally, reason, rejected, &exported.reason);
        }
    }

    fn reject(&self, tally: &mut Tally, reason: &str, items: u64, message: &str) {
        tally.rejected.add(reason, items);
        if let Some(items) = self.place.rejections.note(items) {
            tracing::warn!(
                pipeline = self.place.pipeline,
                exporter = self.place.exporter,
                reason,
                items,
                error = message,
                "the back end rejects items for good"
            );
        }
    }

    /// Remembers that a request was too large, so that not every later one is refused first.
    fn learn_size(&self, batch: &Batch) {
        if batch.items > 1 {
            let half = batch.payload.plain_size_bytes() / 2;
            let learned = &self.place.largest_request_bytes;
            learned.fetch_min(half.max(LARGEST_REQUEST_BYTES_MIN), Ordering::Relaxed);
        }
    }
}

impl<E> Clone for Job<E> {
    fn clone(&self) -> Self {
        Self {
            exporter: Arc::clone(&self.exporter),
            settings: Arc::clone(&self.settings),
            split: self.split,
            gate: Arc::clone(&self.gate),
            place: Arc::clone(&self.place),
        }
    }
}

/// A back end's sentence is no reason to count under; a word is.
fn reason_of(words: &str) -> &str {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if !words.is_empty() && words.len() <= REASON_LEN_MAX && words.bytes().all(is_word) {
        words
    } else {
        REJECTED_PARTIALLY
    }
}

fn retry(message: String) -> ExportError {
    ExportError::Retry {
        after: None,
        message,
    }
}

/// Polls `future` and turns a panic inside it into its message.
pub(crate) async fn caught<F: Future>(future: F) -> Result<F::Output, String> {
    let mut future = pin!(future);
    poll_fn(
        |context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Err(panic) => Poll::Ready(Err(panic_message(panic.as_ref()))),
        },
    )
    .await
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    if let Some(message) = panic.downcast_ref::<&str>() {
        (*message).to_owned()
    } else if let Some(message) = panic.downcast_ref::<String>() {
        message.clone()
    } else {
        "no message".to_owned()
    }
}
