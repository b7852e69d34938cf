//! Stand-ins for tests: payloads whose items are eight-byte numbers, and a scripted back end.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use crate::{
    Batch, Budget, CursorSettings, ExportError, Exported, Exporter, Limits, OnFull, Payload,
    Processed, Processor, Signal, Spool, SpoolSettings, SpoolStats, Storage,
};

/// A budget that is never met.
pub(crate) fn ample() -> Budget {
    Budget::new(1 << 40)
}

/// A batch with the given numbers as items.
pub(crate) fn batch(items: impl IntoIterator<Item = u64>) -> Batch {
    let bytes: Vec<u8> = items.into_iter().flat_map(u64::to_le_bytes).collect();
    let count = u32::try_from(bytes.len() / 8).unwrap();
    let charge = ample().try_charge(bytes.len()).unwrap();
    Batch::new(Signal::Logs, Payload::Plain(bytes.into()), count, charge)
}

/// The numbers in a payload.
pub(crate) fn numbers(payload: &Payload) -> Vec<u64> {
    payload
        .to_plain()
        .unwrap()
        .chunks_exact(8)
        .map(|item| u64::from_le_bytes(item.try_into().unwrap()))
        .collect()
}

/// What `otlp::split` does, for payloads of numbers.
pub(crate) fn split(_: Signal, plain: &Bytes, max_items: u32) -> Vec<(Bytes, u32)> {
    plain
        .chunks(max_items as usize * 8)
        .map(|chunk| {
            let items = u32::try_from(chunk.len() / 8).unwrap();
            (Bytes::copy_from_slice(chunk), items)
        })
        .collect()
}

pub(crate) fn cursor(name: &str) -> CursorSettings {
    CursorSettings {
        name: name.to_owned(),
        limits: Limits {
            bytes: 1 << 30,
            records: None,
            items: None,
            age: None,
        },
        on_full: OnFull::Refuse,
        waits_for_result: false,
    }
}

pub(crate) fn memory_spool(cursors: Vec<CursorSettings>) -> Spool {
    let settings = SpoolSettings {
        name: "logs/test".to_owned(),
        storage: Storage::Memory,
        cursors,
    };
    Spool::open(settings, &ample()).unwrap()
}

/// Panics unless each cursor's account balances.
pub(crate) fn assert_balanced(stats: &SpoolStats) {
    for cursor in &stats.cursors {
        let ended = cursor.tally.total();
        assert_eq!(
            cursor.accepted,
            ended + cursor.queued.items,
            "accepted = ended + queued in {cursor:?}"
        );
    }
}

type Answer = Box<dyn FnMut(&[u64]) -> Result<Exported, ExportError> + Send>;

/// Answers as told, and remembers what it took.
pub(crate) struct BackEnd {
    answer: Mutex<Answer>,
    latency: Duration,
    /// Every request, in order of arrival, whatever the answer.
    pub(crate) requests: Mutex<Vec<Vec<u64>>>,
    /// Items of requests answered with success.
    pub(crate) delivered: Mutex<Vec<u64>>,
}

impl BackEnd {
    pub(crate) fn new(
        answer: impl FnMut(&[u64]) -> Result<Exported, ExportError> + Send + 'static,
    ) -> Arc<Self> {
        Self::slow(Duration::ZERO, answer)
    }

    pub(crate) fn slow(
        latency: Duration,
        answer: impl FnMut(&[u64]) -> Result<Exported, ExportError> + Send + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            answer: Mutex::new(Box::new(answer)),
            latency,
            requests: Mutex::default(),
            delivered: Mutex::default(),
        })
    }

    pub(crate) fn healthy() -> Arc<Self> {
        Self::new(|_| Ok(Exported::default()))
    }

    pub(crate) fn dead() -> Arc<Self> {
        Self::new(|_| Err(retry(None)))
    }

    pub(crate) fn delivered(&self) -> Vec<u64> {
        self.delivered.lock().unwrap().clone()
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

impl Exporter for BackEnd {
    async fn export(&self, batch: &Batch) -> Result<Exported, ExportError> {
        let items = numbers(&batch.payload);
        assert_eq!(items.len(), batch.items as usize);
        self.requests.lock().unwrap().push(items.clone());
        if !self.latency.is_zero() {
            tokio::time::sleep(self.latency).await;
        }
        // A script may panic on purpose.
        let mut answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = answer(&items);
        if answer.is_ok() {
            self.delivered.lock().unwrap().extend(items);
        }
        answer
    }
}

pub(crate) fn retry(after: Option<Duration>) -> ExportError {
    ExportError::Retry {
        after,
        message: "connection refused".to_owned(),
    }
}

pub(crate) fn bad_data() -> ExportError {
    ExportError::BadData {
        reason: "invalid_argument",
        message: "400 Bad Request".to_owned(),
    }
}

/// Drops odd batches by their first number.
#[derive(Debug)]
pub(crate) struct DropOdd;

impl Processor for DropOdd {
    fn process(&self, batch: Batch) -> Processed {
        match numbers(&batch.payload).first() {
            Some(first) if first % 2 == 1 => Processed::Drop {
                items: batch.items,
                reason: "odd",
            },
            _ => Processed::Keep(batch),
        }
    }
}
