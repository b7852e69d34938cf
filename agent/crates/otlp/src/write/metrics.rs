//! The writer of metric requests.

use bytes::Bytes;

use super::{
    AttributeValue, Envelopes, ResourceWriter, put_attributes, put_fixed64, put_text, put_uint32,
};
use crate::metrics::{Number, Temporality};
use crate::wire::{close, open, put_fixed64_field, put_varint, put_varint_field, to_zigzag};

/// The flag of a point that says: no value was recorded, the series ends here.
const NO_RECORDED_VALUE: u32 = 1;

/// Guess of a metric's size in bytes: its length takes two bytes up to 16 KiB.
const METRIC_SIZE_GUESS: usize = 1024;

/// Guess of a number point's size in bytes: its length takes one byte below 128.
const NUMBER_POINT_SIZE_GUESS: usize = 100;

/// Guess of the size in bytes of any other point.
const POINT_SIZE_GUESS: usize = 256;

/// Writes an `ExportMetricsServiceRequest`.
#[derive(Debug, Default)]
pub struct MetricsWriter {
    envelopes: Envelopes,
}

impl MetricsWriter {
    /// A writer with an empty buffer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins a new resource.
    pub fn resource(&mut self, write: impl FnOnce(&mut ResourceWriter<'_>)) {
        self.envelopes.resource(write);
    }

    /// Begins a new scope in the current resource.
    pub fn scope(&mut self, name: &str, version: &str) {
        self.envelopes.scope(name, version);
    }

    /// Adds a gauge. Without points nothing is added.
    pub fn gauge(
        &mut self,
        name: &str,
        unit: &str,
        description: &str,
        write: impl FnOnce(&mut NumberPoints<'_>),
    ) {
        self.metric(name, unit, description, 5, |out| {
            let mut points = NumberPoints { out, points: 0 };
            write(&mut points);
            points.points
        });
    }

    /// Adds a sum. Without points nothing is added.
    pub fn sum(
        &mut self,
        name: &str,
        unit: &str,
        description: &str,
        temporality: Temporality,
        monotonic: bool,
        write: impl FnOnce(&mut NumberPoints<'_>),
    ) {
        self.metric(name, unit, description, 7, |out| {
            let mut points = NumberPoints { out, points: 0 };
            write(&mut points);
            let count = points.points;
            put_uint32(out, 2, temporality.number());
            put_uint32(out, 3, monotonic.into());
            count
        });
    }

    /// Adds a histogram with explicit bounds. Without points nothing is added.
    pub fn histogram(
        &mut self,
        name: &str,
        unit: &str,
        description: &str,
        temporality: Temporality,
        write: impl FnOnce(&mut HistogramPoints<'_>),
    ) {
        self.metric(name, unit, description, 9, |out| {
            let mut points = HistogramPoints { out, points: 0 };
            write(&mut points);
            let count = points.points;
            put_uint32(out, 2, temporality.number());
            count
        });
    }

    /// Adds a histogram with exponential buckets. Without points nothing is added.
    pub fn exponential_histogram(
        &mut self,
        name: &str,
        unit: &str,
        description: &str,
        temporality: Temporality,
        write: impl FnOnce(&mut ExponentialHistogramPoints<'_>),
    ) {
        self.metric(name, unit, description, 10, |out| {
            let mut points = ExponentialHistogramPoints { out, points: 0 };
            write(&mut points);
            let count = points.points;
            put_uint32(out, 2, temporality.number());
            count
        });
    }

    /// Adds a summary. Without points nothing is added.
    pub fn summary(
        &mut self,
        name: &str,
        unit: &str,
        description: &str,
        write: impl FnOnce(&mut SummaryPoints<'_>),
    ) {
        self.metric(name, unit, description, 11, |out| {
            let mut points = SummaryPoints { out, points: 0 };
            write(&mut points);
            points.points
        });
    }

    /// Points written since the last [`MetricsWriter::finish`].
    #[must_use]
    pub const fn items(&self) -> u32 {
        self.envelopes.items
    }

    /// Bytes written so far; closing the last envelopes may still change a few.
    #[must_use]
    pub const fn size_bytes(&self) -> usize {
        self.envelopes.out.len()
    }

    /// Forgets what was written and keeps the buffer.
    pub fn clear(&mut self) {
        self.envelopes.clear();
    }

    /// The request and its points; the writer is empty afterwards and can be used again.
    pub fn finish(&mut self) -> (Bytes, u32) {
        self.envelopes.finish()
    }

    /// Writes a metric whose data is field `number`; `write` tells how many points it wrote.
    fn metric(
        &mut self,
        name: &str,
        unit: &str,
        description: &str,
        number: u32,
        write: impl FnOnce(&mut Vec<u8>) -> u32,
    ) {
        let out = self.envelopes.inside_scope();
        let metric = open(out, 2, METRIC_SIZE_GUESS);
        put_text(out, 1, name);
        put_text(out, 2, description);
        put_text(out, 3, unit);
        let data = open(out, number, METRIC_SIZE_GUESS);
        let points = write(out);
        if points == 0 {
            metric.discard(out);
            return;
        }
        close(out, data);
        close(out, metric);
        self.envelopes.count(points);
    }
}

/// Writes the points of a gauge or a sum.
#[derive(Debug)]
pub struct NumberPoints<'w> {
    out: &'w mut Vec<u8>,
    points: u32,
}

/// What a number point holds. Fields left at their default are not written.
#[derive(Copy, Clone, Debug, Default)]
pub struct NumberPointFields<'a> {
    /// When it was measured, nanoseconds since 1970.
    pub time_ns: u64,
    /// Since when the value adds up, nanoseconds since 1970; 0 for gauges.
    pub start_ns: u64,
    /// What was measured.
    pub value: Number,
    /// What identifies the series within its metric. Keys must differ from each other.
    pub attributes: &'a [(&'a str, AttributeValue<'a>)],
    /// Measurements that went into the value.
    pub exemplars: &'a [ExemplarFields<'a>],
    /// Bit 0: no recorded value, the series ends here.
    pub flags: u32,
}

impl NumberPoints<'_> {
    /// Adds an integer.
    pub fn int(
        &mut self,
        time_ns: u64,
        start_ns: u64,
        value: i64,
        attributes: &[(&str, AttributeValue<'_>)],
    ) {
        self.point(&NumberPointFields {
            time_ns,
            start_ns,
            value: Number::Int(value),
            attributes,
            ..NumberPointFields::default()
        });
    }

    /// Adds a floating-point number.
    pub fn double(
        &mut self,
        time_ns: u64,
        start_ns: u64,
        value: f64,
        attributes: &[(&str, AttributeValue<'_>)],
    ) {
        self.point(&NumberPointFields {
            time_ns,
            start_ns,
            value: Number::Double(value),
            attributes,
            ..NumberPointFields::default()
        });
    }

    /// Says that the series with these attributes ends here.
    pub fn no_recorded_value(
        &mut self,
        time_ns: u64,
        start_ns: u64,
        attributes: &[(&str, AttributeValue<'_>)],
    ) {
        self.point(&NumberPointFields {
            time_ns,
            start_ns,
            attributes,
            flags: NO_RECORDED_VALUE,
            ..NumberPointFields::default()
        });
    }

    /// Adds a point with all its fields.
    pub fn point(&mut self, point: &NumberPointFields<'_>) {
        let out = &mut *self.out;
        let message = open(out, 1, NUMBER_POINT_SIZE_GUESS);
        put_fixed64(out, 2, point.start_ns);
        put_fixed64(out, 3, point.time_ns);
        if let Number::Double(value) = point.value {
            put_fixed64_field(out, 4, value.to_bits());
        }
        put_exemplars(out, 5, point.exemplars);
        if let Number::Int(value) = point.value {
            put_fixed64_field(out, 6, value.cast_unsigned());
        }
        put_attributes(out, 7, point.attributes);
        put_uint32(out, 8, point.flags);
        close(out, message);
        self.points = self.points.saturating_add(1);
    }
}

/// Writes the points of a histogram.
#[derive(Debug)]
pub struct HistogramPoints<'w> {
    out: &'w mut Vec<u8>,
    points: u32,
}

/// What a histogram point holds. Fields left at their default are not written.
#[derive(Copy, Clone, Debug, Default)]
pub struct HistogramPointFields<'a> {
    /// When it was taken, nanoseconds since 1970.
    pub time_ns: u64,
    /// Since when it counts, nanoseconds since 1970; 0 when unknown.
    pub start_ns: u64,
    /// Measurements in all buckets.
    pub count: u64,
    /// Sum of the measurements.
    pub sum: Option<f64>,
    /// Measurements by bucket, not cumulative; one more than there are bounds, or none.
    pub bucket_counts: &'a [u64],
    /// Inclusive upper bounds of all buckets but the last, rising.
    pub explicit_bounds: &'a [f64],
    /// Smallest measurement.
    pub min: Option<f64>,
    /// Largest measurement.
    pub max: Option<f64>,
    /// What identifies the series within its metric. Keys must differ from each other.
    pub attributes: &'a [(&'a str, AttributeValue<'a>)],
    /// Measurements that were counted.
    pub exemplars: &'a [ExemplarFields<'a>],
    /// Bit 0: no recorded value, the series ends here.
    pub flags: u32,
}

impl HistogramPoints<'_> {
    /// Adds a point.
    pub fn point(&mut self, point: &HistogramPointFields<'_>) {
        let out = &mut *self.out;
        let buckets = point.bucket_counts.len() + point.explicit_bounds.len();
        let message = open(out, 1, POINT_SIZE_GUESS + 8 * buckets);
        put_fixed64(out, 2, point.start_ns);
        put_fixed64(out, 3, point.time_ns);
        put_fixed64(out, 4, point.count);
        put_optional_double(out, 5, point.sum);
        put_packed_fixed64(out, 6, point.bucket_counts.iter().copied());
        put_packed_fixed64(
            out,
            7,
            point.explicit_bounds.iter().map(|bound| bound.to_bits()),
        );
        put_exemplars(out, 8, point.exemplars);
        put_attributes(out, 9, point.attributes);
        put_uint32(out, 10, point.flags);
        put_optional_double(out, 11, point.min);
        put_optional_double(out, 12, point.max);
        close(out, message);
        self.points = self.points.saturating_add(1);
    }
}

/// Writes the points of an exponential histogram.
#[derive(Debug)]
pub struct ExponentialHistogramPoints<'w> {
    out: &'w mut Vec<u8>,
    points: u32,
}

/// What an exponential histogram point holds. Fields left at their default are not written.
#[derive(Copy, Clone, Debug, Default)]
pub struct ExponentialHistogramPointFields<'a> {
    /// When it was taken, nanoseconds since 1970.
    pub time_ns: u64,
    /// Since when it counts, nanoseconds since 1970; 0 when unknown.
    pub start_ns: u64,
    /// Measurements in all buckets.
    pub count: u64,
    /// Sum of the measurements.
    pub sum: Option<f64>,
    /// The base of the buckets is 2^(2^-scale).
    pub scale: i32,
    /// Measurements too close to zero for a bucket.
    pub zero_count: u64,
    /// Largest absolute value that counts as zero.
    pub zero_threshold: f64,
    /// Buckets of positive measurements.
    pub positive: BucketsFields<'a>,
    /// Buckets of negative measurements.
    pub negative: BucketsFields<'a>,
    /// Smallest measurement.
    pub min: Option<f64>,
    /// Largest measurement.
    pub max: Option<f64>,
    /// What identifies the series within its metric. Keys must differ from each other.
    pub attributes: &'a [(&'a str, AttributeValue<'a>)],
    /// Measurements that were counted.
    pub exemplars: &'a [ExemplarFields<'a>],
    /// Bit 0: no recorded value, the series ends here.
    pub flags: u32,
}

/// Exponential buckets of one sign. Without counts they are not written.
#[derive(Copy, Clone, Debug, Default)]
pub struct BucketsFields<'a> {
    /// Index of the first bucket; bucket i holds values in (base^i, base^(i+1)].
    pub offset: i32,
    /// Measurements by bucket, not cumulative.
    pub bucket_counts: &'a [u64],
}

impl ExponentialHistogramPoints<'_> {
    /// Adds a point.
    pub fn point(&mut self, point: &ExponentialHistogramPointFields<'_>) {
        let out = &mut *self.out;
        let message = open(out, 1, POINT_SIZE_GUESS);
        put_attributes(out, 1, point.attributes);
        put_fixed64(out, 2, point.start_ns);
        put_fixed64(out, 3, point.time_ns);
        put_fixed64(out, 4, point.count);
        put_optional_double(out, 5, point.sum);
        put_sint32(out, 6, point.scale);
        put_fixed64(out, 7, point.zero_count);
        put_buckets(out, 8, &point.positive);
        put_buckets(out, 9, &point.negative);
        put_uint32(out, 10, point.flags);
        put_exemplars(out, 11, point.exemplars);
        put_optional_double(out, 12, point.min);
        put_optional_double(out, 13, point.max);
        put_fixed64(out, 14, point.zero_threshold.to_bits());
        close(out, message);
        self.points = self.points.saturating_add(1);
    }
}

/// Writes the points of a summary.
#[derive(Debug)]
pub struct SummaryPoints<'w> {
    out: &'w mut Vec<u8>,
    points: u32,
}

/// What a summary point holds. Fields left at their default are not written.
#[derive(Copy, Clone, Debug, Default)]
pub struct SummaryPointFields<'a> {
    /// When it was taken, nanoseconds since 1970.
    pub time_ns: u64,
    /// Since when it counts, nanoseconds since 1970; 0 when unknown.
    pub start_ns: u64,
    /// Measurements.
    pub count: u64,
    /// Sum of the measurements.
    pub sum: f64,
    /// Pairs of a quantile, 0 to 1, and its value.
    pub quantiles: &'a [(f64, f64)],
    /// What identifies the series within its metric. Keys must differ from each other.
    pub attributes: &'a [(&'a str, AttributeValue<'a>)],
    /// Bit 0: no recorded value, the series ends here.
    pub flags: u32,
}

impl SummaryPoints<'_> {
    /// Adds a point.
    pub fn point(&mut self, point: &SummaryPointFields<'_>) {
        let out = &mut *self.out;
        let message = open(out, 1, POINT_SIZE_GUESS);
        put_fixed64(out, 2, point.start_ns);
        put_fixed64(out, 3, point.time_ns);
        put_fixed64(out, 4, point.count);
        put_fixed64(out, 5, point.sum.to_bits());
        for (quantile, value) in point.quantiles {
            let message = open(out, 6, 18);
            put_fixed64(out, 1, quantile.to_bits());
            put_fixed64(out, 2, value.to_bits());
            close(out, message);
        }
        put_attributes(out, 7, point.attributes);
        put_uint32(out, 8, point.flags);
        close(out, message);
        self.points = self.points.saturating_add(1);
    }
}

/// What an exemplar holds. Fields left at their default are not written.
#[derive(Copy, Clone, Debug, Default)]
pub struct ExemplarFields<'a> {
    /// When it was measured, nanoseconds since 1970.
    pub time_ns: u64,
    /// What was measured.
    pub value: Number,
    /// 16 bytes, or empty.
    pub trace_id: &'a [u8],
    /// 8 bytes, or empty.
    pub span_id: &'a [u8],
    /// Attributes of the measurement that the point does not have.
    pub filtered_attributes: &'a [(&'a str, AttributeValue<'a>)],
}

fn put_exemplars(out: &mut Vec<u8>, number: u32, exemplars: &[ExemplarFields<'_>]) {
    for exemplar in exemplars {
        let message = open(out, number, 64);
        put_fixed64(out, 2, exemplar.time_ns);
        if let Number::Double(value) = exemplar.value {
            put_fixed64_field(out, 3, value.to_bits());
        }
        put_text(out, 4, exemplar.span_id);
        put_text(out, 5, exemplar.trace_id);
        if let Number::Int(value) = exemplar.value {
            put_fixed64_field(out, 6, value.cast_unsigned());
        }
        put_attributes(out, 7, exemplar.filtered_attributes);
        close(out, message);
    }
}

fn put_buckets(out: &mut Vec<u8>, number: u32, buckets: &BucketsFields<'_>) {
    if buckets.bucket_counts.is_empty() {
        return;
    }
    let message = open(out, number, buckets.bucket_counts.len());
    put_sint32(out, 1, buckets.offset);
    let packed = open(out, 2, buckets.bucket_counts.len());
    for count in buckets.bucket_counts {
        put_varint(out, *count);
    }
    close(out, packed);
    close(out, message);
}

fn put_packed_fixed64(out: &mut Vec<u8>, number: u32, values: impl ExactSizeIterator<Item = u64>) {
    if values.len() == 0 {
        return;
    }
    let packed = open(out, number, values.len() * 8);
    for value in values {
        out.extend_from_slice(&value.to_le_bytes());
    }
    close(out, packed);
}

/// Appends an optional double; a zero that is present is written.
fn put_optional_double(out: &mut Vec<u8>, number: u32, value: Option<f64>) {
    if let Some(value) = value {
        put_fixed64_field(out, number, value.to_bits());
    }
}

fn put_sint32(out: &mut Vec<u8>, number: u32, value: i32) {
    if value != 0 {
        put_varint_field(out, number, to_zigzag(value).into());
    }
}
