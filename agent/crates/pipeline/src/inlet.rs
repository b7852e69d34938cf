//! The door of the pipelines: what a receiver sends through.

use std::sync::Arc;

use crate::spool::{Reservation, Spool};
use crate::stats::PipelineStats;
use crate::{Batch, Output, Payload, Processed, Processor, Refused};

/// Drop reason: a payload does not inflate, though it did at the door.
const DROPPED_UNREADABLE: &str = "unreadable";

/// One pipeline as a receiver sees it.
#[derive(Debug)]
pub struct Feed<P> {
    /// Run in this order on each batch before it is appended.
    pub processors: Arc<[P]>,
    /// Where the batch is kept.
    pub spool: Spool,
    /// The pipeline's counters; shared by all inlets of the pipeline.
    pub stats: Arc<PipelineStats>,
}

/// Feeds one or more pipelines of one signal. Clones feed the same pipelines.
#[derive(Debug)]
pub struct Inlet<P> {
    feeds: Arc<[Feed<P>]>,
    prefers_zstd: bool,
}

impl<P: Processor> Inlet<P> {
    /// An inlet of `feeds`. `exporters_prefer_zstd` says that every exporter behind them would
    /// rather have a zstd payload as it came; it counts only where no processor looks inside.
    #[must_use]
    pub fn new(feeds: Vec<Feed<P>>, exporters_prefer_zstd: bool) -> Self {
        let looks_inside = feeds.iter().any(|feed| !feed.processors.is_empty());
        Self {
            feeds: feeds.into(),
            prefers_zstd: exporters_prefer_zstd && !looks_inside,
        }
    }
}

impl<P: Processor> Output for Inlet<P> {
    /// Room is taken in every spool before anything is appended to one, so that a full spool
    /// refuses the batch for all. Where a disk fails after that, the sender is told and what it
    /// sends again arrives twice in the other pipelines.
    async fn send(&self, batch: Batch) -> Result<(), Refused> {
        for feed in &*self.feeds {
            feed.stats.count_received(batch.items);
        }
        let sent = self.accept(&batch).await;
        if sent.is_err() {
            for feed in &*self.feeds {
                feed.stats.count_refused(batch.items);
            }
        }
        sent
    }

    fn refusal(&self) -> Option<Refused> {
        self.feeds.iter().find_map(|feed| feed.spool.refusal())
    }

    fn prefers_zstd(&self) -> bool {
        self.prefers_zstd
    }
}

impl<P: Processor> Inlet<P> {
    async fn accept(&self, batch: &Batch) -> Result<(), Refused> {
        // Asked before processors run: refusing must be cheap.
        if let Some(refused) = self.refusal() {
            return Err(refused);
        }
        let mut reserved: Vec<(Reservation, Batch)> = Vec::with_capacity(self.feeds.len());
        let mut dropped = Vec::new();
        for feed in &*self.feeds {
            let (kept, drops) = feed.process(batch.clone());
            if !drops.is_empty() {
                dropped.push((feed, drops));
            }
            if let Some(kept) = kept {
                reserved.push((feed.spool.reserve(&kept).await?, kept));
            }
        }
        let accepted: Vec<_> = reserved
            .into_iter()
            .map(|(reservation, batch)| reservation.append(batch))
            .collect();
        for acceptance in accepted {
            acceptance.kept().await?;
        }
        // Counted last: a refused batch comes again, and must not be dropped twice on paper.
        for (feed, drops) in dropped {
            for (reason, items) in drops {
                feed.stats.count_dropped(reason, items);
            }
        }
        Ok(())
    }
}

impl<P: Processor> Feed<P> {
    /// What the processors leave of `batch`, and what they dropped.
    fn process(&self, batch: Batch) -> (Option<Batch>, Vec<(&'static str, u32)>) {
        if self.processors.is_empty() {
            return (Some(batch), Vec::new());
        }
        let mut dropped = Vec::new();
        let items = batch.items;
        let Ok(mut batch) = inflated(batch) else {
            return (None, vec![(DROPPED_UNREADABLE, items)]);
        };
        for processor in &*self.processors {
            match processor.process(batch) {
                Processed::Keep(kept) => batch = kept,
                Processed::Drop { items, reason } => {
                    dropped.push((reason, items));
                    return (None, dropped);
                }
            }
        }
        (Some(batch), dropped)
    }
}

impl<P> Clone for Inlet<P> {
    fn clone(&self) -> Self {
        Self {
            feeds: Arc::clone(&self.feeds),
            prefers_zstd: self.prefers_zstd,
        }
    }
}

/// Processors read the protobuf message.
fn inflated(batch: Batch) -> std::io::Result<Batch> {
    let plain = batch.payload.to_plain()?;
    let items = batch.items;
    Ok(batch.with_payload(Payload::Plain(plain), items))
}

#[cfg(test)]
mod tests;
