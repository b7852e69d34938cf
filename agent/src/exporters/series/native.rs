//! Native histograms: exponential histograms as Prometheus stores them.
//!
//! OTLP counts buckets by lower bound, Prometheus by upper bound, so an index grows by one. Filled
//! buckets are named by spans (how many to skip, how many follow), and their counts are written as
//! differences from bucket to bucket.

use super::{Reason, STALE_NAN};

/// The finest resolution that Prometheus knows; finer histograms are made coarser.
const SCHEMA_MAX: i32 = 8;
/// The coarsest one; a histogram that is coarser cannot be told.
const SCHEMA_MIN: i32 = -4;
/// Width of the zero bucket where the sender names none.
const ZERO_THRESHOLD_DEFAULT: f64 = 1e-128;

/// A native integer histogram; reusable.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Native {
    /// All observations.
    pub(crate) count: u64,
    /// Their sum.
    pub(crate) sum: f64,
    /// Resolution: buckets grow by 2^(2^-schema).
    pub(crate) schema: i32,
    /// Half the width of the zero bucket.
    pub(crate) zero_threshold: f64,
    /// Observations in the zero bucket.
    pub(crate) zero_count: u64,
    /// Buckets above zero.
    pub(crate) positive: Buckets,
    /// Buckets below zero, by magnitude.
    pub(crate) negative: Buckets,
}

/// Buckets of one sign.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Buckets {
    /// Runs of buckets that are written.
    pub(crate) spans: Vec<Span>,
    /// The first bucket's count, then differences.
    pub(crate) deltas: Vec<i64>,
}

/// A run of consecutive buckets.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// Index of the first bucket, in the first span; buckets skipped since the last, in others.
    pub(crate) offset: i32,
    /// How many buckets.
    pub(crate) length: u32,
}

/// The single values of an exponential histogram.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Summary {
    /// All observations.
    pub(crate) count: u64,
    /// Their sum, which Prometheus cannot do without.
    pub(crate) sum: Option<f64>,
    /// OTLP's resolution.
    pub(crate) scale: i32,
    /// Observations in the zero bucket.
    pub(crate) zero_count: u64,
    /// Half the width of the zero bucket; 0 when unknown.
    pub(crate) zero_threshold: f64,
}

impl Native {
    /// Takes over an exponential histogram: its single values, and for each sign the offset and
    /// the counts of its buckets.
    ///
    /// # Errors
    /// Why it cannot be a native histogram.
    pub(crate) fn fill(
        &mut self,
        summary: Summary,
        positive: (i32, impl Iterator<Item = u64>),
        negative: (i32, impl Iterator<Item = u64>),
    ) -> Result<(), Reason> {
        let sum = summary.sum.ok_or(Reason::NoSum)?;
        if summary.scale < SCHEMA_MIN {
            return Err(Reason::ScaleTooSmall);
        }
        let shift = (summary.scale - SCHEMA_MAX).clamp(0, 63).cast_unsigned();
        self.count = summary.count;
        self.sum = sum;
        self.schema = summary.scale.min(SCHEMA_MAX);
        self.zero_count = summary.zero_count;
        self.zero_threshold = if summary.zero_threshold > 0.0 {
            summary.zero_threshold
        } else {
            ZERO_THRESHOLD_DEFAULT
        };
        let above = self.positive.fill(positive.0, positive.1, shift)?;
        let below = self.negative.fill(negative.0, negative.1, shift)?;
        self.check_total(above, below)
    }

    /// Becomes the marker that ends a series.
    pub(crate) fn make_stale(&mut self) {
        self.count = 0;
        self.sum = f64::from_bits(STALE_NAN);
        self.schema = 0;
        self.zero_threshold = 0.0;
        self.zero_count = 0;
        self.positive.clear();
        self.negative.clear();
    }

    /// Prometheus refuses a histogram whose buckets do not add up to its count; observations of
    /// NaN are in no bucket, and show in the sum.
    fn check_total(&self, above: u64, below: u64) -> Result<(), Reason> {
        let total = above
            .checked_add(below)
            .and_then(|total| total.checked_add(self.zero_count))
            .ok_or(Reason::MalformedHistogram)?;
        let adds_up = if self.sum.is_nan() {
            total <= self.count
        } else {
            total == self.count
        };
        adds_up.then_some(()).ok_or(Reason::MalformedHistogram)
    }
}

impl Buckets {
    fn clear(&mut self) {
        self.spans.clear();
        self.deltas.clear();
    }

    /// Lays out `counts`, the first of which has OTLP index `offset`, 2^`shift` of them to one
    /// bucket. Returns the sum of all.
    fn fill(
        &mut self,
        offset: i32,
        counts: impl Iterator<Item = u64>,
        shift: u32,
    ) -> Result<u64, Reason> {
        self.clear();
        let mut total = 0_u64;
        let mut layout = Layout::default();
        for (index, count) in (i64::from(offset)..).zip(counts) {
            total = total.checked_add(count).ok_or(Reason::MalformedHistogram)?;
            if count != 0 {
                layout.add((index >> shift) + 1, count, self)?;
            }
        }
        layout.finish(self)?;
        Ok(total)
    }
}

/// Where a layout of buckets stands.
#[derive(Debug, Default)]
struct Layout {
    /// The bucket that is being filled, and its count.
    open: Option<(i64, u64)>,
    /// Index and count of the last bucket written.
    written: Option<(i64, i64)>,
}

impl Layout {
    fn add(&mut self, index: i64, count: u64, buckets: &mut Buckets) -> Result<(), Reason> {
        if let Some((open_index, open_count)) = &mut self.open
            && *open_index == index
        {
            *open_count = open_count
                .checked_add(count)
                .ok_or(Reason::MalformedHistogram)?;
            return Ok(());
        }
        self.finish(buckets)?;
        self.open = Some((index, count));
        Ok(())
    }

    /// Writes the open bucket. One empty bucket between two filled ones is written as such: it
    /// takes less room than a span.
    fn finish(&mut self, buckets: &mut Buckets) -> Result<(), Reason> {
        let Some((index, count)) = self.open.take() else {
            return Ok(());
        };
        let count = i64::try_from(count).map_err(|_| Reason::MalformedHistogram)?;
        let (last_index, last_count) = self.written.unwrap_or((0, 0));
        let skipped = index - last_index - 1;
        match buckets.spans.last_mut() {
            Some(span) if skipped == 0 => {
                span.length += 1;
                buckets.deltas.push(count - last_count);
            }
            Some(span) if skipped == 1 => {
                span.length += 2;
                buckets.deltas.extend([-last_count, count]);
            }
            last => {
                let offset = if last.is_some() { skipped } else { index };
                buckets.spans.push(Span {
                    offset: i32::try_from(offset).map_err(|_| Reason::MalformedHistogram)?,
                    length: 1,
                });
                buckets.deltas.push(count - last_count);
            }
        }
        self.written = Some((index, count));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
