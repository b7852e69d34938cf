//! From OTLP metrics to Prometheus series: names, labels, types and values.
//!
//! [`Translator::translate`] walks a request and hands each data point to a [`Sink`] together with
//! the encoded label sets of its series. Those are rendered once for each series and then found
//! again by the identity of the bytes that they come from; a point of a known series costs a few
//! short hashes and a look-up, and allocates nothing.
//!
//! Nothing here knows how series are sent. The rules are those of the OpenTelemetry specification,
//! "Prometheus and OpenMetrics compatibility"; where ours differ, the place says why.

pub(crate) mod config;
pub(crate) mod exemplar;
#[cfg(test)]
pub(crate) mod fixture;
pub(crate) mod identity;
pub(crate) mod label;
pub(crate) mod name;
pub(crate) mod native;
mod render;
mod translate;
pub(crate) mod unit;

use std::sync::Arc;

use otlp::metrics::Exemplar;

pub(crate) use self::identity::Key;
pub(crate) use self::label::{LabelStyle, Labels};
pub(crate) use self::name::Strategy;
pub(crate) use self::native::Native;
pub(crate) use self::translate::{Translator, millis, number};

/// The NaN that ends a series, and must mean nothing else.
pub(crate) const STALE_NAN: u64 = 0x7ff0_0000_0000_0002;

/// The NaN of a value that is not a number.
pub(crate) const ORDINARY_NAN: u64 = 0x7ff8_0000_0000_0001;

/// What an exporter chooses.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// How names are made.
    pub(crate) strategy: Strategy,
    /// How label names are made.
    pub(crate) label_style: LabelStyle,
    /// Put before every metric name; may be empty.
    pub(crate) namespace: String,
    /// Added to every series that has no label of that name.
    pub(crate) labels: Vec<(String, String)>,
    /// Whether all resource attributes become labels.
    pub(crate) has_resource_labels: bool,
    /// Whether scope name, version, schema and attributes become labels.
    pub(crate) has_scope_labels: bool,
    /// Whether resources are told as `target_info`.
    pub(crate) has_target_info: bool,
    /// Bytes that rendered label sets may take. Only half of it is sure to be kept.
    pub(crate) cache_bytes: usize,
}

/// Takes the data points of a request.
pub(crate) trait Sink {
    /// Takes one point; false where it is not told after all. Why is the sink's to count.
    fn point(&mut self, point: &Point<'_>) -> bool;
}

/// One data point, or one `target_info`, as Prometheus sees it.
#[derive(Debug)]
pub(crate) struct Point<'a> {
    /// What the point belongs to.
    pub(crate) family: &'a Arc<Family>,
    /// The metric's description.
    pub(crate) help: &'a str,
    /// Its series.
    pub(crate) series: &'a Series,
    /// A value for each series.
    pub(crate) value: Value<'a>,
    /// Whether this is an item of OTLP; `target_info` is not.
    pub(crate) is_item: bool,
    /// Milliseconds since the epoch.
    pub(crate) timestamp_ms: i64,
    /// Since when the value adds up, in milliseconds since the epoch; 0 when unknown.
    pub(crate) start_ms: i64,
    /// The newest exemplar of each series that has new ones.
    pub(crate) exemplars: &'a [PlacedExemplar<'a>],
}

/// What a point tells.
#[derive(Copy, Clone, Debug)]
pub(crate) enum Value<'a> {
    /// One float for each series, in their order.
    Floats(&'a [f64]),
    /// A native histogram; there is one series.
    Native(&'a Native),
}

/// An exemplar and the series, by position, that it belongs to.
#[derive(Copy, Clone, Debug)]
pub(crate) struct PlacedExemplar<'a> {
    /// Position in the point's series.
    pub(crate) position: usize,
    /// The exemplar.
    pub(crate) exemplar: Exemplar<'a>,
}

/// What Prometheus calls a metric family: all series of one name and type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Family {
    /// Name, with suffixes by the strategy.
    pub(crate) name: String,
    /// Type of all its series.
    pub(crate) kind: Kind,
    /// The unit in words; may be empty.
    pub(crate) unit: String,
}

/// The types of families.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A value that goes up and down.
    Gauge,
    /// A value that only grows, until it starts anew.
    Counter,
    /// Counts by bucket.
    Histogram,
    /// Counts by exponential bucket; a histogram too, but stored as one value.
    NativeHistogram,
    /// Quantiles.
    Summary,
    /// A text, as labels of the value 1.
    Info,
    /// Which of several states holds.
    StateSet,
    /// Not known.
    Unknown,
}

/// The series of one data point: one for a number, several for a histogram or a summary.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    /// Identity of the labels that the point's series share, the family's name among them. Points
    /// of different origin whose labels come out equal have equal identities.
    pub(crate) identity: Key,
    /// Encoded label sets, each behind its length as four little-endian bytes. Of a histogram:
    /// buckets, sum where there is one, count. Of a summary: quantiles, sum, count.
    pub(crate) blocks: Arc<[u8]>,
}

impl Series {
    /// The label set of each series.
    pub(crate) fn labels(&self) -> impl Iterator<Item = Labels<'_>> {
        blocks(&self.blocks)
    }
}

/// The label sets in encoded blocks, see [`Series::blocks`].
pub(crate) fn blocks(mut bytes: &[u8]) -> impl Iterator<Item = Labels<'_>> {
    std::iter::from_fn(move || {
        let (length, rest) = bytes.split_first_chunk()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (block, rest) = rest.split_at_checked(length)?;
        bytes = rest;
        Some(Labels::encoded(block))
    })
}

/// Why a data point cannot be told to Prometheus; the closed list of counter reasons.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Prometheus adds up by itself; a difference cannot be stored.
    DeltaTemporality,
    /// Whether the value adds up is not said.
    NoTemporality,
    /// Nothing nameable is left of the metric's name.
    InvalidName,
    /// Nothing nameable is left of an attribute's key.
    InvalidLabel,
    /// A point without a value, and not marked so.
    NoValue,
    /// Bucket counts and bounds do not belong together, or do not add up.
    MalformedHistogram,
    /// A quantile twice, or one that is not a number.
    MalformedSummary,
    /// A native histogram must have a sum.
    NoSum,
    /// Coarser than Prometheus' coarsest native histogram.
    ScaleTooSmall,
    /// The format has no native histograms.
    NativeHistogram,
    /// The family has another type already.
    TypeConflict,
    /// No room for another series.
    TooManySeries,
    /// Older than the back end takes.
    TooOld,
    /// Further ahead than the back end takes.
    TooFarInFuture,
    /// A second value of one series for one time.
    Duplicate,
}

impl From<Reason> for &'static str {
    /// The word for counters.
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::DeltaTemporality => "delta_temporality",
            Reason::NoTemporality => "no_temporality",
            Reason::InvalidName => "invalid_name",
            Reason::InvalidLabel => "invalid_label",
            Reason::NoValue => "no_value",
            Reason::MalformedHistogram => "malformed_histogram",
            Reason::MalformedSummary => "malformed_summary",
            Reason::NoSum => "no_sum",
            Reason::ScaleTooSmall => "scale_too_small",
            Reason::NativeHistogram => "native_histogram",
            Reason::TypeConflict => "type_conflict",
            Reason::TooManySeries => "too_many_series",
            Reason::TooOld => "too_old",
            Reason::TooFarInFuture => "too_far_in_future",
            Reason::Duplicate => "duplicate",
        }
    }
}

/// Data points that were not told, by reason.
pub(crate) type Drops = super::drops::Drops<Reason>;

#[cfg(test)]
mod tests;
