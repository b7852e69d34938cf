use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
    trace::v1::ExportTraceServiceRequest,
};
use opentelemetry_proto::tonic::common::v1 as proto;
use opentelemetry_proto::tonic::metrics::v1 as proto_metrics;
use opentelemetry_proto::tonic::resource::v1::Resource;
use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::arbitrary;
use crate::common::{Attributes, Value};
use crate::metrics::{Data, Number, Temporality};
use crate::oracle::{normal_logs, normal_metrics, normal_traces};
use crate::{logs, metrics, traces};

type Written<'a> = Vec<(&'a str, AttributeValue<'a>)>;

/// Attributes of a view as a writer takes them.
fn again(attributes: Attributes<'_>) -> Written<'_> {
    attributes
        .into_iter()
        .map(|attribute| (attribute.key, attribute.value.into()))
        .collect()
}

/// Writes what the views see of an encoded request.
fn rewrite_logs(bytes: &[u8]) -> (Bytes, u32) {
    let mut writer = LogsWriter::new();
    for group in logs::Request::new(bytes).resource_logs() {
        writer.resource(|resource| copy_resource(resource, group.resource().attributes()));
        for group in group.scope_logs() {
            writer.scope(group.scope().name(), group.scope().version());
            for record in group.log_records() {
                writer.record(&LogRecordFields {
                    time_ns: record.time_unix_nano,
                    observed_ns: record.observed_time_unix_nano,
                    severity_number: record.severity_number,
                    severity_text: record.severity_text,
                    body: match record.body {
                        Value::Empty => AttributeValue::Empty,
                        value => value.into(),
                    },
                    attributes: &again(record.attributes()),
                    dropped_attributes_count: record.dropped_attributes_count,
                    trace_id: record.trace_id,
                    span_id: record.span_id,
                    flags: record.flags,
                    event_name: record.event_name,
                });
            }
        }
    }
    writer.finish()
}

fn copy_resource(resource: &mut ResourceWriter<'_>, attributes: Attributes<'_>) {
    for attribute in attributes {
        resource.attribute(attribute.key, attribute.value);
    }
}

fn rewrite_traces(bytes: &[u8]) -> (Bytes, u32) {
    let mut writer = TracesWriter::new();
    for group in traces::Request::new(bytes).resource_spans() {
        writer.resource(|resource| copy_resource(resource, group.resource().attributes()));
        for group in group.scope_spans() {
            writer.scope(group.scope().name(), group.scope().version());
            for span in group.spans() {
                rewrite_span(&mut writer, &span);
            }
        }
    }
    writer.finish()
}

fn rewrite_span(writer: &mut TracesWriter, span: &traces::Span<'_>) {
    let event_attributes: Vec<_> = span
        .events()
        .map(|event| again(event.attributes()))
        .collect();
    let events: Vec<_> = (span.events().zip(&event_attributes))
        .map(|(event, attributes)| EventFields {
            time_ns: event.time_unix_nano,
            name: event.name,
            attributes,
            dropped_attributes_count: event.dropped_attributes_count,
        })
        .collect();
    let link_attributes: Vec<_> = span.links().map(|link| again(link.attributes())).collect();
    let links: Vec<_> = (span.links().zip(&link_attributes))
        .map(|(link, attributes)| LinkFields {
            trace_id: link.trace_id,
            span_id: link.span_id,
            trace_state: link.trace_state,
            attributes,
            dropped_attributes_count: link.dropped_attributes_count,
            flags: link.flags,
        })
        .collect();
    writer.span(&SpanFields {
        trace_id: span.trace_id,
        span_id: span.span_id,
        parent_span_id: span.parent_span_id,
        trace_state: span.trace_state,
        flags: span.flags,
        name: span.name,
        kind: span.kind,
        start_ns: span.start_time_unix_nano,
        end_ns: span.end_time_unix_nano,
        attributes: &again(span.attributes()),
        dropped_attributes_count: span.dropped_attributes_count,
        events: &events,
        dropped_events_count: span.dropped_events_count,
        links: &links,
        dropped_links_count: span.dropped_links_count,
        status: span.status(),
    });
}

fn rewrite_metrics(bytes: &[u8]) -> (Bytes, u32) {
    let mut writer = MetricsWriter::new();
    for group in metrics::Request::new(bytes).resource_metrics() {
        writer.resource(|resource| copy_resource(resource, group.resource().attributes()));
        for group in group.scope_metrics() {
            writer.scope(group.scope().name(), group.scope().version());
            for metric in group.metrics() {
                rewrite_metric(&mut writer, &metric);
            }
        }
    }
    writer.finish()
}

fn rewrite_metric(writer: &mut MetricsWriter, metric: &metrics::Metric<'_>) {
    let (name, unit, description) = (metric.name(), metric.unit(), metric.description());
    match metric.data() {
        Data::Empty => {}
        Data::Gauge(points) => writer.gauge(name, unit, description, |out| {
            points.for_each(|point| rewrite_number_point(out, &point));
        }),
        Data::Sum {
            points,
            temporality,
            monotonic,
        } => writer.sum(name, unit, description, temporality, monotonic, |out| {
            points.for_each(|point| rewrite_number_point(out, &point));
        }),
        Data::Histogram {
            points,
            temporality,
        } => writer.histogram(name, unit, description, temporality, |out| {
            points.for_each(|point| rewrite_histogram_point(out, &point));
        }),
        Data::ExponentialHistogram {
            points,
            temporality,
        } => writer.exponential_histogram(name, unit, description, temporality, |out| {
            points.for_each(|point| rewrite_exponential_point(out, &point));
        }),
        Data::Summary { points } => writer.summary(name, unit, description, |out| {
            points.for_each(|point| rewrite_summary_point(out, &point));
        }),
    }
}

fn rewrite_number_point(out: &mut NumberPoints<'_>, point: &metrics::NumberPoint<'_>) {
    let filtered: Vec<_> = (point.exemplars())
        .map(|exemplar| again(exemplar.filtered_attributes()))
        .collect();
    out.point(&NumberPointFields {
        time_ns: point.time_unix_nano,
        start_ns: point.start_time_unix_nano,
        value: point.value,
        attributes: &again(point.attributes()),
        exemplars: &exemplars(point.exemplars(), &filtered),
        flags: point.flags,
    });
}

fn exemplars<'a>(
    exemplars: impl Iterator<Item = metrics::Exemplar<'a>>,
    filtered: &'a [Written<'a>],
) -> Vec<ExemplarFields<'a>> {
    (exemplars.zip(filtered))
        .map(|(exemplar, filtered_attributes)| ExemplarFields {
            time_ns: exemplar.time_unix_nano,
            value: exemplar.value,
            trace_id: exemplar.trace_id,
            span_id: exemplar.span_id,
            filtered_attributes,
        })
        .collect()
}

fn rewrite_histogram_point(out: &mut HistogramPoints<'_>, point: &metrics::HistogramPoint<'_>) {
    let filtered: Vec<_> = (point.exemplars())
        .map(|exemplar| again(exemplar.filtered_attributes()))
        .collect();
    out.point(&HistogramPointFields {
        time_ns: point.time_unix_nano,
        start_ns: point.start_time_unix_nano,
        count: point.count,
        sum: point.sum,
        bucket_counts: &point.bucket_counts().collect::<Vec<_>>(),
        explicit_bounds: &point.explicit_bounds().collect::<Vec<_>>(),
        min: point.min,
        max: point.max,
        attributes: &again(point.attributes()),
        exemplars: &exemplars(point.exemplars(), &filtered),
        flags: point.flags,
    });
}

fn rewrite_exponential_point(
    out: &mut ExponentialHistogramPoints<'_>,
    point: &metrics::ExponentialHistogramPoint<'_>,
) {
    let filtered: Vec<_> = (point.exemplars())
        .map(|exemplar| again(exemplar.filtered_attributes()))
        .collect();
    out.point(&ExponentialHistogramPointFields {
        time_ns: point.time_unix_nano,
        start_ns: point.start_time_unix_nano,
        count: point.count,
        sum: point.sum,
        scale: point.scale,
        zero_count: point.zero_count,
        zero_threshold: point.zero_threshold,
        positive: BucketsFields {
            offset: point.positive.offset,
            bucket_counts: &point.positive.bucket_counts().collect::<Vec<_>>(),
        },
        negative: BucketsFields {
            offset: point.negative.offset,
            bucket_counts: &point.negative.bucket_counts().collect::<Vec<_>>(),
        },
        min: point.min,
        max: point.max,
        attributes: &again(point.attributes()),
        exemplars: &exemplars(point.exemplars(), &filtered),
        flags: point.flags,
    });
}

fn rewrite_summary_point(out: &mut SummaryPoints<'_>, point: &metrics::SummaryPoint<'_>) {
    let quantiles: Vec<_> = (point.quantiles())
        .map(|quantile| (quantile.quantile, quantile.value))
        .collect();
    out.point(&SummaryPointFields {
        time_ns: point.time_unix_nano,
        start_ns: point.start_time_unix_nano,
        count: point.count,
        sum: point.sum,
        quantiles: &quantiles,
        attributes: &again(point.attributes()),
        flags: point.flags,
    });
}

/// Takes away what writers do not write.
fn trim(
    resource: &mut Option<Resource>,
    resource_schema: &mut String,
    scope: &mut Option<proto::InstrumentationScope>,
    scope_schema: &mut String,
) {
    let resource = resource.get_or_insert_default();
    resource.dropped_attributes_count = 0;
    resource.entity_refs.clear();
    resource_schema.clear();
    let scope = scope.get_or_insert_default();
    scope.attributes.clear();
    scope.dropped_attributes_count = 0;
    scope_schema.clear();
}

fn written_logs(request: ExportLogsServiceRequest) -> ExportLogsServiceRequest {
    let mut request = normal_logs(request);
    request.resource_logs.retain_mut(|group| {
        group
            .scope_logs
            .retain(|group| !group.log_records.is_empty());
        for scope in &mut group.scope_logs {
            trim(
                &mut group.resource,
                &mut group.schema_url,
                &mut scope.scope,
                &mut scope.schema_url,
            );
        }
        !group.scope_logs.is_empty()
    });
    request
}

fn written_traces(request: ExportTraceServiceRequest) -> ExportTraceServiceRequest {
    let mut request = normal_traces(request);
    request.resource_spans.retain_mut(|group| {
        group.scope_spans.retain(|group| !group.spans.is_empty());
        for scope in &mut group.scope_spans {
            trim(
                &mut group.resource,
                &mut group.schema_url,
                &mut scope.scope,
                &mut scope.schema_url,
            );
        }
        !group.scope_spans.is_empty()
    });
    request
}

fn written_metrics(request: ExportMetricsServiceRequest) -> ExportMetricsServiceRequest {
    let mut request = normal_metrics(request);
    request.resource_metrics.retain_mut(|group| {
        group.scope_metrics.retain_mut(|group| {
            group.metrics.retain_mut(written_metric);
            !group.metrics.is_empty()
        });
        for scope in &mut group.scope_metrics {
            trim(
                &mut group.resource,
                &mut group.schema_url,
                &mut scope.scope,
                &mut scope.schema_url,
            );
        }
        !group.scope_metrics.is_empty()
    });
    request
}

fn written_metric(metric: &mut proto_metrics::Metric) -> bool {
    use proto_metrics::metric::Data;
    metric.metadata.clear();
    match &mut metric.data {
        None => false,
        Some(Data::Gauge(gauge)) => !gauge.data_points.is_empty(),
        Some(Data::Sum(sum)) => !sum.data_points.is_empty(),
        Some(Data::Histogram(histogram)) => !histogram.data_points.is_empty(),
        Some(Data::ExponentialHistogram(histogram)) => {
            for point in &mut histogram.data_points {
                for buckets in [&mut point.positive, &mut point.negative] {
                    let buckets = buckets.get_or_insert_default();
                    if buckets.bucket_counts.is_empty() {
                        buckets.offset = 0;
                    }
                }
            }
            !histogram.data_points.is_empty()
        }
        Some(Data::Summary(summary)) => !summary.data_points.is_empty(),
    }
}

proptest! {
    #[test]
    fn written_log_requests_read_back(entropy in arbitrary::entropy()) {
        let expected = written_logs(arbitrary::logs(&entropy));
        let (bytes, items) = rewrite_logs(&arbitrary::logs(&entropy).encode_to_vec());
        let written = ExportLogsServiceRequest::decode(bytes).unwrap();
        let count = (written.resource_logs.iter())
            .flat_map(|group| &group.scope_logs)
            .map(|group| group.log_records.len())
            .sum::<usize>();
        prop_assert_eq!(count, items as usize);
        prop_assert_eq!(normal_logs(written), expected);
    }

    #[test]
    fn written_trace_requests_read_back(entropy in arbitrary::entropy()) {
        let expected = written_traces(arbitrary::traces(&entropy));
        let (bytes, _) = rewrite_traces(&arbitrary::traces(&entropy).encode_to_vec());
        let written = ExportTraceServiceRequest::decode(bytes).unwrap();
        prop_assert_eq!(normal_traces(written), expected);
    }

    #[test]
    fn written_metric_requests_read_back(entropy in arbitrary::entropy()) {
        let expected = written_metrics(arbitrary::metrics(&entropy));
        let (bytes, _) = rewrite_metrics(&arbitrary::metrics(&entropy).encode_to_vec());
        let written = ExportMetricsServiceRequest::decode(bytes).unwrap();
        prop_assert_eq!(normal_metrics(written), expected);
    }
}

#[test]
fn empty_envelopes_are_taken_back() {
    let mut writer = MetricsWriter::new();
    writer.resource(|resource| resource.attribute("host.name", "a"));
    writer.scope("empty", "");
    writer.gauge("nothing", "1", "", |_| {});
    writer.resource(|resource| resource.attribute("host.name", "b"));
    assert_eq!(writer.finish(), (Bytes::new(), 0));
}

#[test]
fn points_without_resource_and_scope_are_legal() {
    let mut writer = MetricsWriter::new();
    writer.gauge("up", "", "", |points| points.int(2, 0, 1, &[]));
    let (bytes, items) = writer.finish();
    let request = ExportMetricsServiceRequest::decode(bytes).unwrap();
    assert_eq!(items, 1);
    assert_eq!(request.resource_metrics.len(), 1);
    assert_eq!(request.resource_metrics[0].resource, None);
    assert_eq!(request.resource_metrics[0].scope_metrics[0].scope, None);
}

#[test]
fn a_writer_can_be_used_again() {
    let mut writer = LogsWriter::new();
    writer.record(&LogRecordFields::default());
    writer.clear();
    assert_eq!(writer.finish(), (Bytes::new(), 0));
    for _ in 0..2 {
        writer.scope("s", "");
        writer.record(&LogRecordFields::default());
        let (bytes, items) = writer.finish();
        assert_eq!((bytes.len(), items), (11, 1));
    }
}

#[test]
fn thousands_of_points_of_one_metric_are_one_metric() {
    let mut writer = MetricsWriter::new();
    writer.resource(|resource| resource.attribute("k8s.node.name", "n"));
    writer.scope("kubelet", "1");
    writer.sum("c", "s", "", Temporality::Delta, false, |points| {
        for index in 0..20_000_i64 {
            points.point(&NumberPointFields {
                time_ns: 5,
                value: Number::Int(index),
                attributes: &[("index", index.into())],
                ..NumberPointFields::default()
            });
        }
    });
    let (bytes, items) = writer.finish();
    assert_eq!(items, 20_000);
    let request = metrics::Request::new(&bytes);
    let metric = request.resource_metrics().next().unwrap();
    let metric = metric
        .scope_metrics()
        .next()
        .unwrap()
        .metrics()
        .next()
        .unwrap();
    let Data::Sum { points, .. } = metric.data() else {
        panic!("not a sum");
    };
    for (index, point) in (0_i64..).zip(points) {
        assert_eq!(point.value, Number::Int(index));
        assert_eq!(point.attributes().get("index"), Some(Value::Int(index)));
    }
    assert_eq!(points.count(), 20_000);
}

#[test]
fn a_number_above_the_range_of_int64_becomes_text() {
    let mut writer = LogsWriter::new();
    writer.record(&LogRecordFields {
        body: (u64::from(u32::MAX)).into(),
        attributes: &[("large", u64::MAX.into())],
        ..LogRecordFields::default()
    });
    let (bytes, _) = writer.finish();
    let record = logs::Request::new(&bytes).resource_logs().next().unwrap();
    let record = record
        .scope_logs()
        .next()
        .unwrap()
        .log_records()
        .next()
        .unwrap();
    assert_eq!(record.body, Value::Int(u32::MAX.into()));
    let large = record.attributes().get("large");
    assert_eq!(large, Some(Value::Str("18446744073709551615")));
}

#[test]
fn nested_values_are_written() {
    let mut writer = LogsWriter::new();
    let list = [AttributeValue::Empty, 1.5.into(), (&b"\xff"[..]).into()];
    let map = [("list", AttributeValue::Array(&list)), ("yes", true.into())];
    writer.record(&LogRecordFields {
        body: AttributeValue::Map(&map),
        ..LogRecordFields::default()
    });
    let (bytes, _) = writer.finish();
    let record = logs::Request::new(&bytes).resource_logs().next().unwrap();
    let record = record
        .scope_logs()
        .next()
        .unwrap()
        .log_records()
        .next()
        .unwrap();
    let Value::Map(map) = record.body else {
        panic!("not a map");
    };
    assert_eq!(map.get("yes"), Some(Value::Bool(true)));
    let Some(Value::Array(list)) = map.get("list") else {
        panic!("not a list");
    };
    let list: Vec<_> = list.into_iter().collect();
    assert_eq!(
        list,
        [Value::Empty, Value::Double(1.5), Value::Bytes(b"\xff")]
    );
}
