//! Requests for tests, built with the generated types and so apart from our own writers.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge,
    Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
    Summary, SummaryDataPoint, exemplar, metric, number_data_point, summary_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;

/// 2026-01-01T00:00:00Z; tests count seconds from here.
pub(crate) const EPOCH_NS: u64 = 1_767_225_600_000_000_000;

/// The instant `seconds` after the tests' epoch, in nanoseconds.
pub(crate) fn at(seconds: u64) -> u64 {
    EPOCH_NS + seconds * 1_000_000_000
}

/// The same in milliseconds.
pub(crate) fn at_ms(seconds: u64) -> i64 {
    (at(seconds) / 1_000_000) as i64
}

pub(crate) fn text(key: &str, value: &str) -> KeyValue {
    key_value(key, any_value::Value::StringValue(value.to_owned()))
}

pub(crate) fn key_value(key: &str, value: any_value::Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

pub(crate) fn texts(attributes: &[(&str, &str)]) -> Vec<KeyValue> {
    attributes
        .iter()
        .map(|(key, value)| text(key, value))
        .collect()
}

/// A request of one resource and one scope.
pub(crate) fn request(resource: &[(&str, &str)], metrics: Vec<Metric>) -> Vec<u8> {
    scoped_request(resource, InstrumentationScope::default(), "", metrics)
}

pub(crate) fn scoped_request(
    resource: &[(&str, &str)],
    scope: InstrumentationScope,
    schema_url: &str,
    metrics: Vec<Metric>,
) -> Vec<u8> {
    let resource_metrics = ResourceMetrics {
        resource: Some(Resource {
            attributes: texts(resource),
            ..Resource::default()
        }),
        scope_metrics: vec![ScopeMetrics {
            scope: Some(scope),
            metrics,
            schema_url: schema_url.to_owned(),
        }],
        ..ResourceMetrics::default()
    };
    ExportMetricsServiceRequest {
        resource_metrics: vec![resource_metrics],
    }
    .encode_to_vec()
}

pub(crate) fn metric(name: &str, unit: &str, data: metric::Data) -> Metric {
    Metric {
        name: name.to_owned(),
        unit: unit.to_owned(),
        description: format!("About {name}."),
        data: Some(data),
        ..Metric::default()
    }
}

/// A metric that the Prometheus receiver scraped as `prometheus_type`.
pub(crate) fn scraped(mut metric: Metric, prometheus_type: &str) -> Metric {
    metric.metadata = texts(&[("prometheus.type", prometheus_type)]);
    metric
}

pub(crate) fn point(seconds: u64, value: f64, attributes: &[(&str, &str)]) -> NumberDataPoint {
    NumberDataPoint {
        attributes: texts(attributes),
        time_unix_nano: at(seconds),
        value: Some(number_data_point::Value::AsDouble(value)),
        ..NumberDataPoint::default()
    }
}

pub(crate) fn gauge(points: Vec<NumberDataPoint>) -> metric::Data {
    metric::Data::Gauge(Gauge {
        data_points: points,
    })
}

pub(crate) const CUMULATIVE: AggregationTemporality = AggregationTemporality::Cumulative;
pub(crate) const DELTA: AggregationTemporality = AggregationTemporality::Delta;

pub(crate) fn sum(
    temporality: AggregationTemporality,
    is_monotonic: bool,
    points: Vec<NumberDataPoint>,
) -> metric::Data {
    metric::Data::Sum(Sum {
        data_points: points,
        aggregation_temporality: temporality.into(),
        is_monotonic,
    })
}

pub(crate) fn counter(points: Vec<NumberDataPoint>) -> metric::Data {
    sum(CUMULATIVE, true, points)
}

pub(crate) fn histogram_point(
    seconds: u64,
    bounds: &[f64],
    counts: &[u64],
    sum: Option<f64>,
) -> HistogramDataPoint {
    HistogramDataPoint {
        start_time_unix_nano: at(0),
        time_unix_nano: at(seconds),
        count: counts.iter().sum(),
        sum,
        bucket_counts: counts.to_vec(),
        explicit_bounds: bounds.to_vec(),
        ..HistogramDataPoint::default()
    }
}

pub(crate) fn histogram(points: Vec<HistogramDataPoint>) -> metric::Data {
    metric::Data::Histogram(Histogram {
        data_points: points,
        aggregation_temporality: CUMULATIVE.into(),
    })
}

pub(crate) fn exponential_point(seconds: u64) -> ExponentialHistogramDataPoint {
    ExponentialHistogramDataPoint {
        start_time_unix_nano: at(0),
        time_unix_nano: at(seconds),
        count: 40,
        sum: Some(100.0),
        scale: 0,
        zero_count: 3,
        positive: Some(Buckets {
            offset: 3,
            bucket_counts: vec![10, 0, 0, 20, 5, 2],
        }),
        ..ExponentialHistogramDataPoint::default()
    }
}

pub(crate) fn exponential(points: Vec<ExponentialHistogramDataPoint>) -> metric::Data {
    metric::Data::ExponentialHistogram(ExponentialHistogram {
        data_points: points,
        aggregation_temporality: CUMULATIVE.into(),
    })
}

pub(crate) fn summary(seconds: u64, quantiles: &[(f64, f64)]) -> metric::Data {
    let quantile_values = quantiles
        .iter()
        .map(|(quantile, value)| summary_data_point::ValueAtQuantile {
            quantile: *quantile,
            value: *value,
        })
        .collect();
    metric::Data::Summary(Summary {
        data_points: vec![SummaryDataPoint {
            time_unix_nano: at(seconds),
            count: 7,
            sum: 21.0,
            quantile_values,
            ..SummaryDataPoint::default()
        }],
    })
}

pub(crate) fn exemplar_at(seconds: u64, value: f64, trace_id: u8) -> Exemplar {
    Exemplar {
        filtered_attributes: texts(&[("user", "u1")]),
        time_unix_nano: at(seconds),
        span_id: vec![trace_id; 8],
        trace_id: vec![trace_id; 16],
        value: Some(exemplar::Value::AsDouble(value)),
    }
}
