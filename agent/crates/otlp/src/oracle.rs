//! What the views see, as prost messages, for property tests.
//!
//! Absent and empty sub-messages look the same through a view; [`normal_metrics`] and its like
//! bring both sides to one form. Fields that no view shows are brought over with the help of prost.

use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
    trace::v1::ExportTraceServiceRequest,
};
use opentelemetry_proto::tonic::common::v1 as proto;
use opentelemetry_proto::tonic::common::v1::any_value;
use opentelemetry_proto::tonic::logs::v1 as proto_logs;
use opentelemetry_proto::tonic::metrics::v1 as proto_metrics;
use opentelemetry_proto::tonic::resource::v1::Resource as ProtoResource;
use opentelemetry_proto::tonic::trace::v1 as proto_trace;
use prost::Message;

use crate::common::{Attributes, Resource, Scope, Value};
use crate::metrics::{Buckets, Data, Exemplar, Number};
use crate::{logs, metrics, traces};

pub(crate) fn view_logs(bytes: &[u8]) -> ExportLogsServiceRequest {
    ExportLogsServiceRequest {
        resource_logs: logs::Request::new(bytes)
            .resource_logs()
            .map(|group| proto_logs::ResourceLogs {
                resource: Some(resource(group.resource())),
                scope_logs: group.scope_logs().map(scope_logs).collect(),
                schema_url: group.schema_url().into(),
            })
            .collect(),
    }
}

fn scope_logs(group: logs::ScopeLogs<'_>) -> proto_logs::ScopeLogs {
    proto_logs::ScopeLogs {
        scope: Some(scope(group.scope())),
        log_records: group.log_records().map(log_record).collect(),
        schema_url: group.schema_url().into(),
    }
}

fn log_record(record: logs::LogRecord<'_>) -> proto_logs::LogRecord {
    proto_logs::LogRecord {
        time_unix_nano: record.time_unix_nano,
        observed_time_unix_nano: record.observed_time_unix_nano,
        severity_number: record.severity_number,
        severity_text: record.severity_text.into(),
        body: Some(value(record.body)),
        attributes: attributes(record.attributes()),
        dropped_attributes_count: record.dropped_attributes_count,
        flags: record.flags,
        trace_id: record.trace_id.into(),
        span_id: record.span_id.into(),
        event_name: record.event_name.into(),
    }
}

pub(crate) fn view_traces(bytes: &[u8]) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest {
        resource_spans: traces::Request::new(bytes)
            .resource_spans()
            .map(|group| proto_trace::ResourceSpans {
                resource: Some(resource(group.resource())),
                scope_spans: group.scope_spans().map(scope_spans).collect(),
                schema_url: group.schema_url().into(),
            })
            .collect(),
    }
}

fn scope_spans(group: traces::ScopeSpans<'_>) -> proto_trace::ScopeSpans {
    proto_trace::ScopeSpans {
        scope: Some(scope(group.scope())),
        spans: group.spans().map(span).collect(),
        schema_url: group.schema_url().into(),
    }
}

fn span(span: traces::Span<'_>) -> proto_trace::Span {
    proto_trace::Span {
        trace_id: span.trace_id.into(),
        span_id: span.span_id.into(),
        trace_state: span.trace_state.into(),
        parent_span_id: span.parent_span_id.into(),
        flags: span.flags,
        name: span.name.into(),
        kind: span.kind,
        start_time_unix_nano: span.start_time_unix_nano,
        end_time_unix_nano: span.end_time_unix_nano,
        attributes: attributes(span.attributes()),
        dropped_attributes_count: span.dropped_attributes_count,
        events: span.events().map(event).collect(),
        dropped_events_count: span.dropped_events_count,
        links: span.links().map(link).collect(),
        dropped_links_count: span.dropped_links_count,
        status: Some(proto_trace::Status {
            message: span.status().message.into(),
            code: span.status().code,
        }),
    }
}

fn event(event: traces::Event<'_>) -> proto_trace::span::Event {
    proto_trace::span::Event {
        time_unix_nano: event.time_unix_nano,
        name: event.name.into(),
        attributes: attributes(event.attributes()),
        dropped_attributes_count: event.dropped_attributes_count,
    }
}

fn link(link: traces::Link<'_>) -> proto_trace::span::Link {
    proto_trace::span::Link {
        trace_id: link.trace_id.into(),
        span_id: link.span_id.into(),
        trace_state: link.trace_state.into(),
        attributes: attributes(link.attributes()),
        dropped_attributes_count: link.dropped_attributes_count,
        flags: link.flags,
    }
}

pub(crate) fn view_metrics(bytes: &[u8]) -> ExportMetricsServiceRequest {
    ExportMetricsServiceRequest {
        resource_metrics: metrics::Request::new(bytes)
            .resource_metrics()
            .map(|group| proto_metrics::ResourceMetrics {
                resource: Some(resource(group.resource())),
                scope_metrics: group.scope_metrics().map(scope_metrics).collect(),
                schema_url: group.schema_url().into(),
            })
            .collect(),
    }
}

fn scope_metrics(group: metrics::ScopeMetrics<'_>) -> proto_metrics::ScopeMetrics {
    proto_metrics::ScopeMetrics {
        scope: Some(scope(group.scope())),
        metrics: group.metrics().map(metric).collect(),
        schema_url: group.schema_url().into(),
    }
}

fn metric(metric: metrics::Metric<'_>) -> proto_metrics::Metric {
    proto_metrics::Metric {
        name: metric.name().into(),
        description: metric.description().into(),
        unit: metric.unit().into(),
        metadata: attributes(metric.metadata()),
        data: data(metric.data()),
    }
}

fn data(data: Data<'_>) -> Option<proto_metrics::metric::Data> {
    use proto_metrics::metric::Data as Proto;
    Some(match data {
        Data::Empty => return None,
        Data::Gauge(points) => Proto::Gauge(proto_metrics::Gauge {
            data_points: points.map(number_point).collect(),
        }),
        Data::Sum {
            points,
            temporality,
            monotonic,
        } => Proto::Sum(proto_metrics::Sum {
            data_points: points.map(number_point).collect(),
            aggregation_temporality: temporality.number().cast_signed(),
            is_monotonic: monotonic,
        }),
        Data::Histogram {
            points,
            temporality,
        } => Proto::Histogram(proto_metrics::Histogram {
            data_points: points.map(histogram_point).collect(),
            aggregation_temporality: temporality.number().cast_signed(),
        }),
        Data::ExponentialHistogram {
            points,
            temporality,
        } => Proto::ExponentialHistogram(proto_metrics::ExponentialHistogram {
            data_points: points.map(exponential_histogram_point).collect(),
            aggregation_temporality: temporality.number().cast_signed(),
        }),
        Data::Summary { points } => Proto::Summary(proto_metrics::Summary {
            data_points: points.map(summary_point).collect(),
        }),
    })
}

fn number_point(point: metrics::NumberPoint<'_>) -> proto_metrics::NumberDataPoint {
    use proto_metrics::number_data_point::Value;
    proto_metrics::NumberDataPoint {
        attributes: attributes(point.attributes()),
        start_time_unix_nano: point.start_time_unix_nano,
        time_unix_nano: point.time_unix_nano,
        exemplars: point.exemplars().map(exemplar).collect(),
        flags: point.flags,
        value: match point.value {
            Number::None => None,
            Number::Int(value) => Some(Value::AsInt(value)),
            Number::Double(value) => Some(Value::AsDouble(value)),
        },
    }
}

fn histogram_point(point: metrics::HistogramPoint<'_>) -> proto_metrics::HistogramDataPoint {
    proto_metrics::HistogramDataPoint {
        attributes: attributes(point.attributes()),
        start_time_unix_nano: point.start_time_unix_nano,
        time_unix_nano: point.time_unix_nano,
        count: point.count,
        sum: point.sum,
        bucket_counts: point.bucket_counts().collect(),
        explicit_bounds: point.explicit_bounds().collect(),
        exemplars: point.exemplars().map(exemplar).collect(),
        flags: point.flags,
        min: point.min,
        max: point.max,
    }
}

fn exponential_histogram_point(
    point: metrics::ExponentialHistogramPoint<'_>,
) -> proto_metrics::ExponentialHistogramDataPoint {
    proto_metrics::ExponentialHistogramDataPoint {
        attributes: attributes(point.attributes()),
        start_time_unix_nano: point.start_time_unix_nano,
        time_unix_nano: point.time_unix_nano,
        count: point.count,
        sum: point.sum,
        scale: point.scale,
        zero_count: point.zero_count,
        positive: Some(buckets(point.positive)),
        negative: Some(buckets(point.negative)),
        flags: point.flags,
        exemplars: point.exemplars().map(exemplar).collect(),
        min: point.min,
        max: point.max,
        zero_threshold: point.zero_threshold,
    }
}

fn buckets(buckets: Buckets<'_>) -> proto_metrics::exponential_histogram_data_point::Buckets {
    proto_metrics::exponential_histogram_data_point::Buckets {
        offset: buckets.offset,
        bucket_counts: buckets.bucket_counts().collect(),
    }
}

fn summary_point(point: metrics::SummaryPoint<'_>) -> proto_metrics::SummaryDataPoint {
    proto_metrics::SummaryDataPoint {
        attributes: attributes(point.attributes()),
        start_time_unix_nano: point.start_time_unix_nano,
        time_unix_nano: point.time_unix_nano,
        count: point.count,
        sum: point.sum,
        quantile_values: point
            .quantiles()
            .map(
                |quantile| proto_metrics::summary_data_point::ValueAtQuantile {
                    quantile: quantile.quantile,
                    value: quantile.value,
                },
            )
            .collect(),
        flags: point.flags,
    }
}

fn exemplar(exemplar: Exemplar<'_>) -> proto_metrics::Exemplar {
    use proto_metrics::exemplar::Value;
    proto_metrics::Exemplar {
        filtered_attributes: attributes(exemplar.filtered_attributes()),
        time_unix_nano: exemplar.time_unix_nano,
        span_id: exemplar.span_id.into(),
        trace_id: exemplar.trace_id.into(),
        value: match exemplar.value {
            Number::None => None,
            Number::Int(value) => Some(Value::AsInt(value)),
            Number::Double(value) => Some(Value::AsDouble(value)),
        },
    }
}

fn resource(resource: Resource<'_>) -> ProtoResource {
    ProtoResource {
        attributes: attributes(resource.attributes()),
        dropped_attributes_count: resource.dropped_attributes_count(),
        entity_refs: ProtoResource::decode(resource.as_bytes())
            .unwrap_or_default()
            .entity_refs,
    }
}

fn scope(scope: Scope<'_>) -> proto::InstrumentationScope {
    proto::InstrumentationScope {
        name: scope.name().into(),
        version: scope.version().into(),
        attributes: attributes(scope.attributes()),
        dropped_attributes_count: scope.dropped_attributes_count(),
    }
}

fn attributes(attributes: Attributes<'_>) -> Vec<proto::KeyValue> {
    attributes
        .into_iter()
        .map(|attribute| proto::KeyValue {
            key: attribute.key.into(),
            value: Some(value(attribute.value)),
            key_strindex: 0,
        })
        .collect()
}

fn value(value: Value<'_>) -> proto::AnyValue {
    use any_value::Value as Proto;
    let value = match value {
        Value::Empty => None,
        Value::Str(text) => Some(Proto::StringValue(text.into())),
        Value::Bool(value) => Some(Proto::BoolValue(value)),
        Value::Int(value) => Some(Proto::IntValue(value)),
        Value::Double(value) => Some(Proto::DoubleValue(value)),
        Value::Bytes(bytes) => Some(Proto::BytesValue(bytes.into())),
        Value::Array(array) => Some(Proto::ArrayValue(proto::ArrayValue {
            values: array.into_iter().map(self::value).collect(),
        })),
        Value::Map(map) => Some(Proto::KvlistValue(proto::KeyValueList {
            values: attributes(map),
        })),
    };
    proto::AnyValue { value }
}

/// Replaces absent sub-messages with empty ones.
pub(crate) fn normal_logs(mut request: ExportLogsServiceRequest) -> ExportLogsServiceRequest {
    for group in &mut request.resource_logs {
        normal_resource(&mut group.resource);
        for group in &mut group.scope_logs {
            normal_scope(&mut group.scope);
            for record in &mut group.log_records {
                normal_value(record.body.get_or_insert_default());
                normal_attributes(&mut record.attributes);
            }
        }
    }
    request
}

/// Replaces absent sub-messages with empty ones.
pub(crate) fn normal_traces(mut request: ExportTraceServiceRequest) -> ExportTraceServiceRequest {
    for group in &mut request.resource_spans {
        normal_resource(&mut group.resource);
        for group in &mut group.scope_spans {
            normal_scope(&mut group.scope);
            for span in &mut group.spans {
                span.status.get_or_insert_default();
                normal_attributes(&mut span.attributes);
                for event in &mut span.events {
                    normal_attributes(&mut event.attributes);
                }
                for link in &mut span.links {
                    normal_attributes(&mut link.attributes);
                }
            }
        }
    }
    request
}

/// Replaces absent sub-messages with empty ones.
pub(crate) fn normal_metrics(
    mut request: ExportMetricsServiceRequest,
) -> ExportMetricsServiceRequest {
    for group in &mut request.resource_metrics {
        normal_resource(&mut group.resource);
        for group in &mut group.scope_metrics {
            normal_scope(&mut group.scope);
            for metric in &mut group.metrics {
                normal_attributes(&mut metric.metadata);
                if let Some(data) = &mut metric.data {
                    normal_data(data);
                }
            }
        }
    }
    request
}

fn normal_data(data: &mut proto_metrics::metric::Data) {
    use proto_metrics::metric::Data;
    match data {
        Data::Gauge(proto_metrics::Gauge { data_points })
        | Data::Sum(proto_metrics::Sum { data_points, .. }) => {
            for point in data_points {
                normal_attributes(&mut point.attributes);
                normal_exemplars(&mut point.exemplars);
            }
        }
        Data::Histogram(histogram) => {
            for point in &mut histogram.data_points {
                normal_attributes(&mut point.attributes);
                normal_exemplars(&mut point.exemplars);
            }
        }
        Data::ExponentialHistogram(histogram) => {
            for point in &mut histogram.data_points {
                normal_attributes(&mut point.attributes);
                normal_exemplars(&mut point.exemplars);
                point.positive.get_or_insert_default();
                point.negative.get_or_insert_default();
            }
        }
        Data::Summary(summary) => {
            for point in &mut summary.data_points {
                normal_attributes(&mut point.attributes);
            }
        }
    }
}

fn normal_exemplars(exemplars: &mut [proto_metrics::Exemplar]) {
    for exemplar in exemplars {
        normal_attributes(&mut exemplar.filtered_attributes);
    }
}

fn normal_resource(resource: &mut Option<ProtoResource>) {
    normal_attributes(&mut resource.get_or_insert_default().attributes);
}

fn normal_scope(scope: &mut Option<proto::InstrumentationScope>) {
    normal_attributes(&mut scope.get_or_insert_default().attributes);
}

fn normal_attributes(attributes: &mut [proto::KeyValue]) {
    for attribute in attributes {
        normal_value(attribute.value.get_or_insert_default());
    }
}

fn normal_value(value: &mut proto::AnyValue) {
    match &mut value.value {
        Some(any_value::Value::ArrayValue(array)) => array.values.iter_mut().for_each(normal_value),
        Some(any_value::Value::KvlistValue(map)) => normal_attributes(&mut map.values),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::edit::{Action, AttributeEdit, edit_attributes, edit_resources, remove_items};
    use crate::{Signal, arbitrary, count_items, json, split};

    /// The views of `bytes` as prost would see them, shown as text.
    fn shown(signal: Signal, bytes: &[u8]) -> String {
        match signal {
            Signal::Metrics => format!("{:?}", view_metrics(bytes)),
            Signal::Logs => format!("{:?}", view_logs(bytes)),
            Signal::Traces => format!("{:?}", view_traces(bytes)),
        }
    }

    proptest! {
        #[test]
        fn views_see_every_field_of_log_requests(entropy in arbitrary::entropy()) {
            let request = arbitrary::logs(&entropy);
            prop_assert_eq!(view_logs(&request.encode_to_vec()), normal_logs(request));
        }

        #[test]
        fn views_see_every_field_of_trace_requests(entropy in arbitrary::entropy()) {
            let request = arbitrary::traces(&entropy);
            prop_assert_eq!(view_traces(&request.encode_to_vec()), normal_traces(request));
        }

        #[test]
        fn views_see_every_field_of_metric_requests(entropy in arbitrary::entropy()) {
            let request = arbitrary::metrics(&entropy);
            prop_assert_eq!(view_metrics(&request.encode_to_vec()), normal_metrics(request));
        }

        #[test]
        fn unknown_fields_do_not_change_what_views_see(entropy in arbitrary::entropy()) {
            for signal in Signal::ALL {
                let bytes = arbitrary::request(signal, &entropy);
                let unknown = arbitrary::with_unknown_fields(signal, &bytes);
                prop_assert_eq!(shown(signal, &unknown), shown(signal, &bytes));
            }
        }

        #[test]
        fn nothing_panics_on_bytes_that_were_not_validated(
            entropy in arbitrary::entropy(),
            mutations in vec(arbitrary::mutation(), 1..6),
        ) {
            for signal in Signal::ALL {
                let mut bytes = arbitrary::request(signal, &entropy);
                for mutation in &mutations {
                    arbitrary::mutate(&mut bytes, *mutation);
                }
                shown(signal, &bytes);
                json::to_json(signal, &bytes, &mut Vec::new());
                let pieces = split(signal, &bytes.clone().into(), 2, 200);
                prop_assert!(pieces.iter().all(|piece| !piece.bytes.is_empty()) || bytes.is_empty());
                let edits = [AttributeEdit::set(Action::Upsert, "key", "value")];
                let edited = edit_resources(signal, &bytes, &edits);
                let edited = edit_attributes(signal, &edited, &edits);
                let (_, items) = remove_items(signal, &edited, |index, _| index % 2 == 0);
                prop_assert!(items <= count_items(signal, &bytes));
            }
        }
    }
}
