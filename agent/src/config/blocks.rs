//! Option blocks that several components share: how an exporter delivers, and the two processors
//! of the OpenTelemetry Collector that are part of the delivery here.
//!
//! The options are the OpenTelemetry Collector's. Some defaults are not, because its own lose data
//! quietly: a queue is bounded by bytes rather than by 1000 requests, and what is retried is
//! retried for as long as it is kept. What a file says explicitly is honored.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::values::Interval;
use super::{Check, ComponentId, ExtensionUse, Problem};

/// Bound of a queue on disk whose size is not written, in bytes.
pub(crate) const DISK_QUEUE_BYTES: u64 = 1 << 30;

/// Bytes in a MiB.
const MIB: u64 = 1 << 20;

/// `sending_queue`: how far a back end may fall behind, and how many requests are under way.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SendingQueue {
    /// Without a queue, a batch is accepted only once it is delivered.
    pub(crate) enabled: bool,
    /// Requests under way at once.
    pub(crate) num_consumers: u32,
    /// Most that may wait, in the unit of `sizer`. Without it, memory is bounded by the budget of
    /// the process and a queue on disk by 1 GiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) queue_size: Option<u64>,
    /// What `queue_size` counts.
    pub(crate) sizer: Sizer,
    /// When full, let the sender wait instead of refusing.
    pub(crate) block_on_overflow: bool,
    /// What gives way when full: the sender, or what has waited longest. An option of Skybridge
    /// alone.
    #[serde(skip_serializing_if = "OnFull::is_refuse")]
    pub(crate) on_full: OnFull,
    /// Accept a batch only once it is delivered. Not with `storage`.
    pub(crate) wait_for_result: bool,
    /// The `file_storage` extension that keeps the queue on disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) storage: Option<ComponentId>,
    /// Joins small batches and cuts large ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) batch: Option<BatchBlock>,
}

/// What gives way when a queue is full.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnFull {
    /// The sender, who still has the batch and is told when to try again.
    #[default]
    Refuse,
    /// The oldest batches of this exporter, which are lost and counted.
    DropOldest,
}

impl OnFull {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde passes a reference"
    )]
    fn is_refuse(&self) -> bool {
        *self == Self::Refuse
    }
}

/// What a size counts.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Sizer {
    /// Batches.
    #[default]
    Requests,
    /// Data points, log records, spans.
    Items,
    /// Encoded bytes.
    Bytes,
}

/// `sending_queue::batch`: the size of requests.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct BatchBlock {
    /// `false` is as if the block were not there.
    pub(crate) enabled: bool,
    /// Longest wait for `min_size`.
    pub(crate) flush_timeout: Interval,
    /// Smallest request worth sending before `flush_timeout`, in the unit of `sizer`.
    pub(crate) min_size: u64,
    /// Largest request, in the unit of `sizer`; 0 for no bound.
    pub(crate) max_size: u64,
    /// What the sizes count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sizer: Option<BatchSizer>,
    /// Read for compatibility: batches are not joined across senders with different metadata,
    /// because metadata is not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) partition: Option<Partition>,
}

/// What the size of a batch counts.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BatchSizer {
    /// Data points, log records, spans.
    #[default]
    Items,
    /// Encoded bytes.
    Bytes,
}

/// `sending_queue::batch::partition`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Partition {
    /// Names of request metadata.
    pub(crate) metadata_keys: Vec<String>,
}

/// `retry_on_failure`: how a request that failed is tried again.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RetryOnFailure {
    /// Without, a batch that fails once is dropped.
    pub(crate) enabled: bool,
    /// Wait before the second attempt.
    pub(crate) initial_interval: Interval,
    /// Each wait is this many times as long as the one before.
    pub(crate) multiplier: f64,
    /// How far a wait may differ at random, as a part of it.
    pub(crate) randomization_factor: f64,
    /// Longest wait.
    pub(crate) max_interval: Interval,
    /// When to give a batch up; 0 or not written for never: it is tried for as long as it is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_elapsed_time: Option<Interval>,
}

/// The `batch` processor. Batching is the exporters' here, so that accepting a batch means keeping
/// it: these options become the batch size of every exporter of the pipeline that has no
/// `sending_queue::batch` of its own.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct BatchProcessor {
    /// Items worth a request before `timeout`.
    pub(crate) send_batch_size: u64,
    /// Longest wait for `send_batch_size`.
    pub(crate) timeout: Interval,
    /// Largest request in items; 0 for no bound.
    pub(crate) send_batch_max_size: u64,
    /// Read for compatibility, as in `sending_queue::batch::partition`.
    pub(crate) metadata_keys: Vec<String>,
    /// Read for compatibility.
    pub(crate) metadata_cardinality_limit: u32,
}

/// The `memory_limiter` processor. It sets the byte budget of the process, which is charged before
/// anything is decoded, when that is smaller than the budget would be anyway.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct MemoryLimiter {
    /// Read for compatibility: the budget is exact, so nothing is checked at intervals.
    pub(crate) check_interval: Interval,
    /// The budget in MiB.
    pub(crate) limit_mib: u32,
    /// Read for compatibility.
    pub(crate) spike_limit_mib: u32,
    /// The budget as a part of the memory this process may use, when `limit_mib` is not written.
    pub(crate) limit_percentage: u32,
    /// Read for compatibility.
    pub(crate) spike_limit_percentage: u32,
    /// Read for compatibility: there is no garbage to collect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) min_gc_interval_when_soft_limited: Option<Interval>,
    /// Read for compatibility.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) min_gc_interval_when_hard_limited: Option<Interval>,
    /// Read for compatibility.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_gc_interval_when_soft_limited: Option<Interval>,
    /// Read for compatibility.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_gc_interval_when_hard_limited: Option<Interval>,
}

/// What `sending_queue` and `retry_on_failure` of an exporter come to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Delivery {
    /// Most bytes that may wait; `None` in memory, where the budget of the process is the bound.
    pub(crate) queue_bytes: Option<u64>,
    /// Most batches that may wait, beside the bound in bytes.
    pub(crate) queue_requests: Option<u64>,
    /// Most items that may wait, beside the bound in bytes.
    pub(crate) queue_items: Option<u64>,
    /// Where the queue is kept; `None` in memory.
    pub(crate) storage: Option<ComponentId>,
    /// Requests under way at once; at least 1.
    pub(crate) consumers: u32,
    /// When full, the sender waits instead of being refused.
    pub(crate) waits_when_full: bool,
    /// When full, the oldest batches are dropped and counted instead.
    pub(crate) drops_oldest: bool,
    /// A batch is accepted only once it is delivered.
    pub(crate) waits_for_result: bool,
    /// The size of requests; `None` for batches as they come.
    pub(crate) batch: Option<Batch>,
    /// How failures are retried; `None` for not at all.
    pub(crate) retry: Option<Retry>,
}

/// The size of requests.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    /// What the sizes count.
    pub(crate) sizer: BatchSizer,
    /// Worth sending before the wait is over.
    pub(crate) min_size: u64,
    /// Largest request; `None` for no bound.
    pub(crate) max_size: Option<u64>,
    /// Longest wait for `min_size`.
    pub(crate) flush_after: Duration,
}

/// Waits between attempts.
#[derive(Copy, Clone, Debug, PartialEq)]
pub(crate) struct Retry {
    /// Before the second attempt.
    pub(crate) initial: Duration,
    /// Growth of each wait, at least 1.
    pub(crate) multiplier: f64,
    /// Random part of each wait, 0 to 1.
    pub(crate) randomization: f64,
    /// Longest wait.
    pub(crate) max: Duration,
    /// When a batch is given up; `None` for never.
    pub(crate) give_up_after: Option<Duration>,
}

impl Delivery {
    /// Puts the two blocks of an exporter together.
    pub(crate) fn new(queue: &SendingQueue, retry: &RetryOnFailure) -> Self {
        let size_in = |sizer| queue.queue_size.filter(|_| queue.sizer == sizer);
        let on_disk = queue.storage.as_ref().map(|_| DISK_QUEUE_BYTES);
        Self {
            queue_bytes: size_in(Sizer::Bytes).or(on_disk),
            queue_requests: size_in(Sizer::Requests),
            queue_items: size_in(Sizer::Items),
            storage: queue.storage.clone().filter(|_| queue.enabled),
            consumers: queue.num_consumers.max(1),
            waits_when_full: queue.block_on_overflow,
            drops_oldest: queue.on_full == OnFull::DropOldest,
            waits_for_result: queue.wait_for_result || !queue.enabled,
            batch: queue.batch.as_ref().and_then(BatchBlock::batch),
            retry: retry.enabled.then(|| retry.retry()),
        }
    }
}

impl Batch {
    /// The more generous of two: larger requests, longer waits. Where one counts items and the
    /// other bytes there is no larger one, and the first stays.
    #[must_use]
    pub(crate) fn most_generous(self, other: Self) -> Self {
        if self.sizer != other.sizer {
            return self;
        }
        Self {
            sizer: self.sizer,
            min_size: self.min_size.max(other.min_size),
            max_size: self
                .max_size
                .zip(other.max_size)
                .map(|(one, other)| one.max(other)),
            flush_after: self.flush_after.max(other.flush_after),
        }
    }
}

impl BatchBlock {
    fn batch(&self) -> Option<Batch> {
        self.enabled.then(|| Batch {
            sizer: self.sizer.unwrap_or_default(),
            min_size: self.min_size,
            max_size: Some(self.max_size).filter(|size| *size > 0),
            flush_after: self.flush_timeout.0,
        })
    }
}

impl RetryOnFailure {
    fn retry(&self) -> Retry {
        Retry {
            initial: self.initial_interval.0,
            multiplier: self.multiplier,
            randomization: self.randomization_factor,
            max: self.max_interval.0,
            give_up_after: self
                .max_elapsed_time
                .map(|time| time.0)
                .filter(|time| !time.is_zero()),
        }
    }
}

impl BatchProcessor {
    /// The size of requests that the exporters of the pipeline get from this processor.
    pub(crate) fn batch(&self) -> Batch {
        Batch {
            sizer: BatchSizer::Items,
            min_size: self.send_batch_size,
            max_size: Some(self.send_batch_max_size).filter(|size| *size > 0),
            flush_after: self.timeout.0,
        }
    }
}

impl MemoryLimiter {
    /// The budget in bytes, of a process that may use `memory_bytes`.
    pub(crate) fn limit_bytes(&self, memory_bytes: u64) -> u64 {
        if self.limit_mib > 0 {
            u64::from(self.limit_mib) * MIB
        } else {
            memory_bytes / 100 * u64::from(self.limit_percentage)
        }
    }
}

impl Check for SendingQueue {
    fn check(&self) -> Result<(), Problem> {
        if self.num_consumers == 0 {
            return Err(Problem::at(
                "num_consumers",
                "with 0 consumers nothing is sent",
                "write 1 or more",
            ));
        }
        if self.queue_size == Some(0) {
            return Err(Problem::at(
                "queue_size",
                "a queue of size 0 takes nothing",
                "write 1 or more, or `enabled: false` to do without a queue",
            ));
        }
        if self.block_on_overflow && self.on_full == OnFull::DropOldest {
            return Err(Problem::at(
                "on_full",
                "a full queue cannot both let the sender wait and drop its oldest",
                "leave out `on_full` or `block_on_overflow`",
            ));
        }
        if self.wait_for_result && self.storage.is_some() {
            return Err(Problem::at(
                "wait_for_result",
                "a queue on disk accepts before the result is known",
                "leave out `storage` or `wait_for_result`",
            ));
        }
        self.batch.as_ref().map_or(Ok(()), |batch| {
            batch.check().map_err(|problem| problem.within("batch"))
        })
    }

    fn extensions(&self) -> Vec<ExtensionUse> {
        let used = |id: &ComponentId| ExtensionUse {
            key_path: "storage".to_owned(),
            id: id.clone(),
        };
        self.storage.iter().map(used).collect()
    }
}

impl Check for BatchBlock {
    fn check(&self) -> Result<(), Problem> {
        check_sizes("max_size", self.max_size, "min_size", self.min_size)
    }
}

impl Check for BatchProcessor {
    fn check(&self) -> Result<(), Problem> {
        check_sizes(
            "send_batch_max_size",
            self.send_batch_max_size,
            "send_batch_size",
            self.send_batch_size,
        )
    }
}

fn check_sizes(max_key: &str, max: u64, min_key: &str, min: u64) -> Result<(), Problem> {
    if max > 0 && max < min {
        return Err(Problem::at(
            max_key,
            format!("`{max_key}` {max} is smaller than `{min_key}` {min}"),
            format!("raise it, or lower `{min_key}`; 0 is no bound"),
        ));
    }
    Ok(())
}

impl Check for RetryOnFailure {
    fn check(&self) -> Result<(), Problem> {
        if !(0.0..=1.0).contains(&self.randomization_factor) {
            return Err(Problem::at(
                "randomization_factor",
                format!("{} is not a part of a wait", self.randomization_factor),
                "write a number from 0 to 1",
            ));
        }
        if !self.multiplier.is_finite() || self.multiplier < 1.0 {
            return Err(Problem::at(
                "multiplier",
                format!(
                    "with a multiplier of {} the waits would shrink",
                    self.multiplier
                ),
                "write 1 or more",
            ));
        }
        let given_up = self
            .max_elapsed_time
            .filter(|time| *time > Interval::default());
        if given_up.is_some_and(|time| time < self.initial_interval || time < self.max_interval) {
            return Err(Problem::at(
                "max_elapsed_time",
                "a batch would be given up before it is tried again",
                "write more than `initial_interval` and `max_interval`, or 0 for never",
            ));
        }
        Ok(())
    }
}

impl Check for MemoryLimiter {
    fn check(&self) -> Result<(), Problem> {
        if self.limit_mib == 0 && self.limit_percentage == 0 {
            return Err(Problem::at(
                "",
                "the limit is missing",
                "write `limit_mib`, or `limit_percentage` of the memory this process may use",
            ));
        }
        if self.limit_percentage > 100 {
            return Err(Problem::at(
                "limit_percentage",
                format!("{} is more than the whole", self.limit_percentage),
                "write 1 to 100",
            ));
        }
        Ok(())
    }
}

impl Default for SendingQueue {
    fn default() -> Self {
        Self {
            enabled: true,
            num_consumers: 10,
            queue_size: None,
            sizer: Sizer::default(),
            block_on_overflow: false,
            on_full: OnFull::default(),
            wait_for_result: false,
            storage: None,
            batch: None,
        }
    }
}

impl Default for BatchBlock {
    fn default() -> Self {
        Self {
            enabled: true,
            flush_timeout: Interval::from_millis(200),
            min_size: 8192,
            max_size: 0,
            sizer: None,
            partition: None,
        }
    }
}

impl Default for RetryOnFailure {
    fn default() -> Self {
        Self {
            enabled: true,
            initial_interval: Interval::from_secs(5),
            multiplier: 1.5,
            randomization_factor: 0.5,
            max_interval: Interval::from_secs(30),
            max_elapsed_time: None,
        }
    }
}

impl Default for BatchProcessor {
    fn default() -> Self {
        Self {
            send_batch_size: 8192,
            timeout: Interval::from_millis(200),
            send_batch_max_size: 0,
            metadata_keys: Vec::new(),
            metadata_cardinality_limit: 1000,
        }
    }
}

#[cfg(test)]
mod tests;
