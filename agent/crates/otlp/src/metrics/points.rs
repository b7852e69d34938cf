//! Views of data points.

use crate::common::{Attributes, Doubles, Fixed64s, Messages, Run, Varints, low_32_bits};
use crate::wire::{Content, Fields, from_zigzag};

/// The value of a number point or an exemplar.
#[derive(Copy, Clone, Debug, Default, PartialEq)]
pub enum Number {
    /// No value was recorded.
    #[default]
    None,
    /// An integer.
    Int(i64),
    /// A floating-point number.
    Double(f64),
}

/// One point of a gauge or a sum.
#[derive(Copy, Clone, Debug, Default)]
pub struct NumberPoint<'a> {
    /// Since when the value adds up; 0 when unknown, as for gauges.
    pub start_time_unix_nano: u64,
    /// When it was measured.
    pub time_unix_nano: u64,
    /// What was measured.
    pub value: Number,
    /// Bit 0: no recorded value, the series ends here.
    pub flags: u32,
    attributes: Attributes<'a>,
    bytes: &'a [u8],
}

impl<'a> NumberPoint<'a> {
    /// What identifies the series within its metric.
    #[must_use]
    pub const fn attributes(&self) -> Attributes<'a> {
        self.attributes
    }

    /// The encoded attributes, as a key for caches; see [`Attributes::as_bytes`].
    #[must_use]
    pub const fn attributes_bytes(&self) -> &'a [u8] {
        self.attributes.as_bytes()
    }

    /// Measurements that went into the value.
    #[must_use]
    pub const fn exemplars(&self) -> Messages<'a, Exemplar<'a>> {
        Messages::new(self.bytes, 5)
    }
}

impl<'a> From<&'a [u8]> for NumberPoint<'a> {
    #[inline]
    fn from(bytes: &'a [u8]) -> Self {
        let mut point = Self {
            bytes,
            ..Self::default()
        };
        let mut attributes = Run::default();
        let mut fields = Fields::new(bytes);
        while let Some(field) = fields.next() {
            match (field.number, field.content) {
                (2, Content::Fixed64(value)) => point.start_time_unix_nano = value,
                (3, Content::Fixed64(value)) => point.time_unix_nano = value,
                (4, Content::Fixed64(value)) => {
                    point.value = Number::Double(f64::from_bits(value));
                }
                (6, Content::Fixed64(value)) => point.value = Number::Int(value.cast_signed()),
                (7, Content::Len(_)) => attributes.extend(bytes, field.raw, fields.rest()),
                (8, Content::Varint(value)) => point.flags = low_32_bits(value),
                _ => {}
            }
        }
        point.attributes = attributes.attributes(bytes, 7);
        point
    }
}

/// One point of a histogram with explicit bounds.
#[derive(Copy, Clone, Debug, Default)]
pub struct HistogramPoint<'a> {
    /// Since when it counts; 0 when unknown.
    pub start_time_unix_nano: u64,
    /// When it was taken.
    pub time_unix_nano: u64,
    /// Measurements in all buckets.
    pub count: u64,
    /// Sum of the measurements.
    pub sum: Option<f64>,
    /// Smallest measurement.
    pub min: Option<f64>,
    /// Largest measurement.
    pub max: Option<f64>,
    /// Bit 0: no recorded value, the series ends here.
    pub flags: u32,
    attributes: Attributes<'a>,
    bytes: &'a [u8],
}

impl<'a> HistogramPoint<'a> {
    /// What identifies the series within its metric.
    #[must_use]
    pub const fn attributes(&self) -> Attributes<'a> {
        self.attributes
    }

    /// The encoded attributes, as a key for caches; see [`Attributes::as_bytes`].
    #[must_use]
    pub const fn attributes_bytes(&self) -> &'a [u8] {
        self.attributes.as_bytes()
    }

    /// Measurements by bucket, not cumulative; one more than there are bounds, or none.
    #[must_use]
    pub const fn bucket_counts(&self) -> Fixed64s<'a> {
        Fixed64s::new(self.bytes, 6)
    }

    /// Inclusive upper bounds of all buckets but the last.
    #[must_use]
    pub const fn explicit_bounds(&self) -> Doubles<'a> {
        Doubles::new(self.bytes, 7)
    }

    /// Measurements that were counted.
    #[must_use]
    pub const fn exemplars(&self) -> Messages<'a, Exemplar<'a>> {
        Messages::new(self.bytes, 8)
    }
}

impl<'a> From<&'a [u8]> for HistogramPoint<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        let mut point = Self {
            bytes,
            ..Self::default()
        };
        let mut attributes = Run::default();
        let mut fields = Fields::new(bytes);
        while let Some(field) = fields.next() {
            match (field.number, field.content) {
                (2, Content::Fixed64(value)) => point.start_time_unix_nano = value,
                (3, Content::Fixed64(value)) => point.time_unix_nano = value,
                (4, Content::Fixed64(value)) => point.count = value,
                (5, Content::Fixed64(value)) => point.sum = Some(f64::from_bits(value)),
                (9, Content::Len(_)) => attributes.extend(bytes, field.raw, fields.rest()),
                (10, Content::Varint(value)) => point.flags = low_32_bits(value),
                (11, Content::Fixed64(value)) => point.min = Some(f64::from_bits(value)),
                (12, Content::Fixed64(value)) => point.max = Some(f64::from_bits(value)),
                _ => {}
            }
        }
        point.attributes = attributes.attributes(bytes, 9);
        point
    }
}

/// One point of a histogram with exponential buckets.
#[derive(Copy, Clone, Debug, Default)]
pub struct ExponentialHistogramPoint<'a> {
    /// Since when it counts; 0 when unknown.
    pub start_time_unix_nano: u64,
    /// When it was taken.
    pub time_unix_nano: u64,
    /// Measurements in all buckets.
    pub count: u64,
    /// Sum of the measurements.
    pub sum: Option<f64>,
    /// Smallest measurement.
    pub min: Option<f64>,
    /// Largest measurement.
    pub max: Option<f64>,
    /// The base of the buckets is 2^(2^-scale).
    pub scale: i32,
    /// Measurements too close to zero for a bucket.
    pub zero_count: u64,
    /// Largest absolute value that counts as zero.
    pub zero_threshold: f64,
    /// Buckets of positive measurements.
    pub positive: Buckets<'a>,
    /// Buckets of negative measurements.
    pub negative: Buckets<'a>,
    /// Bit 0: no recorded value, the series ends here.
    pub flags: u32,
    attributes: Attributes<'a>,
    bytes: &'a [u8],
}

impl<'a> ExponentialHistogramPoint<'a> {
    /// What identifies the series within its metric.
    #[must_use]
    pub const fn attributes(&self) -> Attributes<'a> {
        self.attributes
    }

    /// The encoded attributes, as a key for caches; see [`Attributes::as_bytes`].
    #[must_use]
    pub const fn attributes_bytes(&self) -> &'a [u8] {
        self.attributes.as_bytes()
    }

    /// Measurements that were counted.
    #[must_use]
    pub const fn exemplars(&self) -> Messages<'a, Exemplar<'a>> {
        Messages::new(self.bytes, 11)
    }
}

impl<'a> From<&'a [u8]> for ExponentialHistogramPoint<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        let mut point = Self {
            bytes,
            ..Self::default()
        };
        let mut attributes = Run::default();
        let mut fields = Fields::new(bytes);
        while let Some(field) = fields.next() {
            match (field.number, field.content) {
                (1, Content::Len(_)) => attributes.extend(bytes, field.raw, fields.rest()),
                (2, Content::Fixed64(value)) => point.start_time_unix_nano = value,
                (3, Content::Fixed64(value)) => point.time_unix_nano = value,
                (4, Content::Fixed64(value)) => point.count = value,
                (5, Content::Fixed64(value)) => point.sum = Some(f64::from_bits(value)),
                (6, Content::Varint(value)) => point.scale = from_zigzag(low_32_bits(value)),
                (7, Content::Fixed64(value)) => point.zero_count = value,
                (8, Content::Len(value)) => point.positive = Buckets::from(value),
                (9, Content::Len(value)) => point.negative = Buckets::from(value),
                (10, Content::Varint(value)) => point.flags = low_32_bits(value),
                (12, Content::Fixed64(value)) => point.min = Some(f64::from_bits(value)),
                (13, Content::Fixed64(value)) => point.max = Some(f64::from_bits(value)),
                (14, Content::Fixed64(value)) => point.zero_threshold = f64::from_bits(value),
                _ => {}
            }
        }
        point.attributes = attributes.attributes(bytes, 1);
        point
    }
}

/// Exponential buckets of one sign.
#[derive(Copy, Clone, Debug, Default)]
pub struct Buckets<'a> {
    /// Index of the first bucket; bucket i holds values in (base^i, base^(i+1)].
    pub offset: i32,
    bytes: &'a [u8],
}

impl<'a> Buckets<'a> {
    /// Measurements by bucket, not cumulative.
    #[must_use]
    pub const fn bucket_counts(&self) -> Varints<'a> {
        Varints::new(self.bytes, 2)
    }
}

impl<'a> From<&'a [u8]> for Buckets<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        let mut buckets = Self { offset: 0, bytes };
        for field in Fields::new(bytes) {
            if let (1, Content::Varint(value)) = (field.number, field.content) {
                buckets.offset = from_zigzag(low_32_bits(value));
            }
        }
        buckets
    }
}

/// One point of a summary.
#[derive(Copy, Clone, Debug, Default)]
pub struct SummaryPoint<'a> {
    /// Since when it counts; 0 when unknown.
    pub start_time_unix_nano: u64,
    /// When it was taken.
    pub time_unix_nano: u64,
    /// Measurements.
    pub count: u64,
    /// Sum of the measurements.
    pub sum: f64,
    /// Bit 0: no recorded value, the series ends here.
    pub flags: u32,
    attributes: Attributes<'a>,
    bytes: &'a [u8],
}

impl<'a> SummaryPoint<'a> {
    /// What identifies the series within its metric.
    #[must_use]
    pub const fn attributes(&self) -> Attributes<'a> {
        self.attributes
    }

    /// The encoded attributes, as a key for caches; see [`Attributes::as_bytes`].
    #[must_use]
    pub const fn attributes_bytes(&self) -> &'a [u8] {
        self.attributes.as_bytes()
    }

    /// The quantiles.
    #[must_use]
    pub const fn quantiles(&self) -> Messages<'a, Quantile> {
        Messages::new(self.bytes, 6)
    }
}

impl<'a> From<&'a [u8]> for SummaryPoint<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        let mut point = Self {
            bytes,
            ..Self::default()
        };
        let mut attributes = Run::default();
        let mut fields = Fields::new(bytes);
        while let Some(field) = fields.next() {
            match (field.number, field.content) {
                (2, Content::Fixed64(value)) => point.start_time_unix_nano = value,
                (3, Content::Fixed64(value)) => point.time_unix_nano = value,
                (4, Content::Fixed64(value)) => point.count = value,
                (5, Content::Fixed64(value)) => point.sum = f64::from_bits(value),
                (7, Content::Len(_)) => attributes.extend(bytes, field.raw, fields.rest()),
                (8, Content::Varint(value)) => point.flags = low_32_bits(value),
                _ => {}
            }
        }
        point.attributes = attributes.attributes(bytes, 7);
        point
    }
}

/// A value below which a share of the measurements lies.
#[derive(Copy, Clone, Debug, Default, PartialEq)]
pub struct Quantile {
    /// The share, 0 (the minimum) to 1 (the maximum).
    pub quantile: f64,
    /// The value.
    pub value: f64,
}

impl From<&[u8]> for Quantile {
    fn from(bytes: &[u8]) -> Self {
        let mut quantile = Self::default();
        for field in Fields::new(bytes) {
            match (field.number, field.content) {
                (1, Content::Fixed64(value)) => quantile.quantile = f64::from_bits(value),
                (2, Content::Fixed64(value)) => quantile.value = f64::from_bits(value),
                _ => {}
            }
        }
        quantile
    }
}

/// One measurement behind a point, with the trace that it belongs to.
#[derive(Copy, Clone, Debug, Default)]
pub struct Exemplar<'a> {
    /// When it was measured.
    pub time_unix_nano: u64,
    /// What was measured.
    pub value: Number,
    /// 8 bytes, or empty. The length is the sender's.
    pub span_id: &'a [u8],
    /// 16 bytes, or empty. The length is the sender's.
    pub trace_id: &'a [u8],
    filtered_attributes: Attributes<'a>,
}

impl<'a> Exemplar<'a> {
    /// Attributes of the measurement that the point does not have.
    #[must_use]
    pub const fn filtered_attributes(&self) -> Attributes<'a> {
        self.filtered_attributes
    }
}

impl<'a> From<&'a [u8]> for Exemplar<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        let mut exemplar = Self::default();
        for field in Fields::new(bytes) {
            match (field.number, field.content) {
                (2, Content::Fixed64(value)) => exemplar.time_unix_nano = value,
                (3, Content::Fixed64(value)) => {
                    exemplar.value = Number::Double(f64::from_bits(value));
                }
                (4, Content::Len(value)) => exemplar.span_id = value,
                (5, Content::Len(value)) => exemplar.trace_id = value,
                (6, Content::Fixed64(value)) => exemplar.value = Number::Int(value.cast_signed()),
                _ => {}
            }
        }
        exemplar.filtered_attributes = Attributes::within(bytes, 7);
        exemplar
    }
}
