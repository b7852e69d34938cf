//! Views of metric requests: resources, scopes, metrics and data points.
//!
//! Names and meanings are those of `opentelemetry/proto/metrics/v1/metrics.proto`.

mod points;

pub use points::{
    Buckets, Exemplar, ExponentialHistogramPoint, HistogramPoint, Number, NumberPoint, Quantile,
    SummaryPoint,
};

use crate::common::{
    Attributes, Messages, Resource, Scope, last_len, last_varint, low_32_bits, text,
};
use crate::wire::{Content, Fields};

/// A validated `ExportMetricsServiceRequest`.
#[derive(Copy, Clone, Debug)]
pub struct Request<'a> {
    bytes: &'a [u8],
}

impl<'a> Request<'a> {
    /// A view of the encoded request `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// The metrics, grouped by resource.
    #[must_use]
    pub const fn resource_metrics(&self) -> Messages<'a, ResourceMetrics<'a>> {
        Messages::new(self.bytes, 1)
    }
}

/// The metrics of one resource.
#[derive(Copy, Clone, Debug)]
pub struct ResourceMetrics<'a> {
    bytes: &'a [u8],
}

impl<'a> ResourceMetrics<'a> {
    /// Who produced the metrics; empty when absent.
    #[must_use]
    pub fn resource(&self) -> Resource<'a> {
        self.resource_bytes().into()
    }

    /// The encoded resource, as a key for caches.
    #[must_use]
    pub fn resource_bytes(&self) -> &'a [u8] {
        last_len(self.bytes, 1)
    }

    /// Schema of the resource; may be empty.
    #[must_use]
    pub fn schema_url(&self) -> &'a str {
        text(last_len(self.bytes, 3))
    }

    /// The metrics, grouped by scope.
    #[must_use]
    pub const fn scope_metrics(&self) -> Messages<'a, ScopeMetrics<'a>> {
        Messages::new(self.bytes, 2)
    }
}

impl<'a> From<&'a [u8]> for ResourceMetrics<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }
}

/// The metrics of one scope.
#[derive(Copy, Clone, Debug)]
pub struct ScopeMetrics<'a> {
    bytes: &'a [u8],
}

impl<'a> ScopeMetrics<'a> {
    /// What made the metrics; empty when absent.
    #[must_use]
    pub fn scope(&self) -> Scope<'a> {
        self.scope_bytes().into()
    }

    /// The encoded scope, as a key for caches.
    #[must_use]
    pub fn scope_bytes(&self) -> &'a [u8] {
        last_len(self.bytes, 1)
    }

    /// Schema of the scope and its metrics; may be empty.
    #[must_use]
    pub fn schema_url(&self) -> &'a str {
        text(last_len(self.bytes, 3))
    }

    /// The metrics.
    #[must_use]
    pub const fn metrics(&self) -> Messages<'a, Metric<'a>> {
        Messages::new(self.bytes, 2)
    }
}

impl<'a> From<&'a [u8]> for ScopeMetrics<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }
}

/// One metric with its data points.
#[derive(Copy, Clone, Debug)]
pub struct Metric<'a> {
    bytes: &'a [u8],
    name: &'a str,
    description: &'a str,
    unit: &'a str,
    data: Data<'a>,
}

impl<'a> Metric<'a> {
    /// Name of the metric.
    #[must_use]
    pub const fn name(&self) -> &'a str {
        self.name
    }

    /// What it measures; may be empty.
    #[must_use]
    pub const fn description(&self) -> &'a str {
        self.description
    }

    /// Unit of the values, in UCUM; may be empty.
    #[must_use]
    pub const fn unit(&self) -> &'a str {
        self.unit
    }

    /// The data points and how to read them.
    #[must_use]
    pub const fn data(&self) -> Data<'a> {
        self.data
    }

    /// Notes that translators left about the original, such as `prometheus.type`.
    #[must_use]
    pub fn metadata(&self) -> Attributes<'a> {
        Attributes::within(self.bytes, 12)
    }
}

impl<'a> From<&'a [u8]> for Metric<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        let mut metric = Self {
            bytes,
            name: "",
            description: "",
            unit: "",
            data: Data::Empty,
        };
        for field in Fields::new(bytes) {
            match (field.number, field.content) {
                (1, Content::Len(value)) => metric.name = text(value),
                (2, Content::Len(value)) => metric.description = text(value),
                (3, Content::Len(value)) => metric.unit = text(value),
                (5 | 7 | 9 | 10 | 11, Content::Len(value)) => {
                    metric.data = Data::new(field.number, value);
                }
                _ => {}
            }
        }
        metric
    }
}

/// The data points of a metric, by kind.
#[derive(Copy, Clone, Debug)]
pub enum Data<'a> {
    /// The metric has none, or has a kind that is not known.
    Empty,
    /// Values that say what is now.
    Gauge(Messages<'a, NumberPoint<'a>>),
    /// Values that add up.
    Sum {
        /// The points.
        points: Messages<'a, NumberPoint<'a>>,
        /// Since when they add up.
        temporality: Temporality,
        /// Whether they never fall.
        monotonic: bool,
    },
    /// Distributions over buckets with explicit bounds.
    Histogram {
        /// The points.
        points: Messages<'a, HistogramPoint<'a>>,
        /// Since when they count.
        temporality: Temporality,
    },
    /// Distributions over buckets that grow exponentially.
    ExponentialHistogram {
        /// The points.
        points: Messages<'a, ExponentialHistogramPoint<'a>>,
        /// Since when they count.
        temporality: Temporality,
    },
    /// Distributions as quantiles.
    Summary {
        /// The points.
        points: Messages<'a, SummaryPoint<'a>>,
    },
}

impl<'a> Data<'a> {
    /// The data in field `number` of a metric.
    fn new(number: u32, bytes: &'a [u8]) -> Self {
        let temporality = || Temporality::from_number(last_varint(bytes, 2));
        match number {
            5 => Self::Gauge(Messages::new(bytes, 1)),
            7 => Self::sum(bytes),
            9 => Self::Histogram {
                points: Messages::new(bytes, 1),
                temporality: temporality(),
            },
            10 => Self::ExponentialHistogram {
                points: Messages::new(bytes, 1),
                temporality: temporality(),
            },
            11 => Self::Summary {
                points: Messages::new(bytes, 1),
            },
            _ => Self::Empty,
        }
    }

    /// One pass for both scalars, because the points in front of them may be thousands.
    fn sum(bytes: &'a [u8]) -> Self {
        let mut temporality = Temporality::Unspecified;
        let mut monotonic = false;
        for field in Fields::new(bytes) {
            match (field.number, field.content) {
                (2, Content::Varint(value)) => {
                    temporality = Temporality::from_number(low_32_bits(value));
                }
                (3, Content::Varint(value)) => monotonic = value != 0,
                _ => {}
            }
        }
        Self::Sum {
            points: Messages::new(bytes, 1),
            temporality,
            monotonic,
        }
    }
}

/// Since when the values of a point add up.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Temporality {
    /// Not said.
    #[default]
    Unspecified,
    /// Since the point before.
    Delta,
    /// Since a fixed start.
    Cumulative,
}

impl Temporality {
    /// The number that stands for it in the protocol.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::Unspecified => 0,
            Self::Delta => 1,
            Self::Cumulative => 2,
        }
    }

    const fn from_number(number: u32) -> Self {
        match number {
            1 => Self::Delta,
            2 => Self::Cumulative,
            _ => Self::Unspecified,
        }
    }
}
