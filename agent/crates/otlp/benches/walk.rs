//! What it costs to look into a request: validating it, walking all its fields through the views,
//! counting its items, and decoding it with prost, for 1000 logs of 325 bytes and 1000 points of 62
//! bytes; and what it costs to change one: splitting, editing, JSON out and in.
//!
//! `cargo bench -p otlp --bench walk`

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
};
use otlp::common::{Attributes, Value};
use otlp::edit::{Action, AttributeEdit, edit_attributes, edit_resources};
use otlp::json::{from_json, to_json};
use otlp::metrics::{Data, Number, Temporality};
use otlp::write::{AttributeValue, LogRecordFields, LogsWriter, MetricsWriter};
use otlp::{Limits, Signal, count_items, logs, metrics, split, validate};
use prost::Message;

/// Items in a request, as in the figures of other programs.
const ITEMS: u32 = 1000;

criterion_group!(benches, bench_logs, bench_points, bench_changes);
criterion_main!(benches);

fn bench_logs(criterion: &mut Criterion) {
    let bytes = log_request();
    let mut group = criterion.benchmark_group(format!("logs of {} B", bytes.len() / 1000));
    group.throughput(Throughput::Elements(ITEMS.into()));
    group.bench_function("validate", |bench| {
        bench.iter(|| validate(Signal::Logs, black_box(&bytes), &Limits::default()));
    });
    group.bench_function("walk", |bench| bench.iter(|| walk_logs(black_box(&bytes))));
    group.bench_function("count", |bench| {
        bench.iter(|| count_items(Signal::Logs, black_box(&bytes)));
    });
    group.bench_function("prost", |bench| {
        bench.iter(|| ExportLogsServiceRequest::decode(black_box(&bytes[..])));
    });
    group.finish();
}

fn bench_points(criterion: &mut Criterion) {
    let bytes = metrics_request();
    let mut group = criterion.benchmark_group(format!("points of {} B", bytes.len() / 1000));
    group.throughput(Throughput::Elements(ITEMS.into()));
    group.bench_function("validate", |bench| {
        bench.iter(|| validate(Signal::Metrics, black_box(&bytes), &Limits::default()));
    });
    group.bench_function("walk", |bench| {
        bench.iter(|| walk_points(black_box(&bytes)))
    });
    group.bench_function("count", |bench| {
        bench.iter(|| count_items(Signal::Metrics, black_box(&bytes)));
    });
    group.bench_function("write", |bench| {
        bench.iter(|| black_box(metrics_request()));
    });
    group.bench_function("prost", |bench| {
        bench.iter(|| ExportMetricsServiceRequest::decode(black_box(&bytes[..])));
    });
    group.finish();
}

fn bench_changes(criterion: &mut Criterion) {
    let bytes = Bytes::from(log_request());
    let mut json = Vec::new();
    to_json(Signal::Logs, &bytes, &mut json);
    let edits = [AttributeEdit::set(
        Action::Upsert,
        "cloud.region",
        "eu-central-1",
    )];
    let mut group = criterion.benchmark_group("changes of logs");
    group.throughput(Throughput::Elements(ITEMS.into()));
    group.bench_function("split by 100", |bench| {
        bench.iter(|| split(Signal::Logs, black_box(&bytes), 100, usize::MAX));
    });
    group.bench_function("edit resources", |bench| {
        bench.iter(|| edit_resources(Signal::Logs, black_box(&bytes), &edits));
    });
    group.bench_function("edit attributes", |bench| {
        bench.iter(|| edit_attributes(Signal::Logs, black_box(&bytes), &edits));
    });
    group.bench_function("to JSON", |bench| {
        let mut out = Vec::with_capacity(json.len());
        bench.iter(|| {
            out.clear();
            to_json(Signal::Logs, black_box(&bytes), &mut out);
        });
    });
    group.bench_function("from JSON", |bench| {
        bench.iter(|| from_json(Signal::Logs, black_box(&json)));
    });
    group.bench_function("prost from JSON", |bench| {
        bench.iter(|| serde_json::from_slice::<ExportLogsServiceRequest>(black_box(&json)));
    });
    group.finish();
}

/// Records with a body of 100 bytes and six attributes.
fn log_request() -> Vec<u8> {
    let mut writer = LogsWriter::new();
    writer.resource(|resource| resource.attribute("service.name", "checkout"));
    writer.scope("bench", "1.0.0");
    for index in 0..ITEMS {
        let pod = format!("checkout-7d9f8b6c5-{index:05}");
        writer.record(&LogRecordFields {
            time_ns: 1_700_000_000_000_000_000 + u64::from(index),
            observed_ns: 1_700_000_000_100_000_000 + u64::from(index),
            severity_number: 9,
            severity_text: "INFO",
            body: AttributeValue::Str(
                "handled GET /api/v1/orders in 12 ms for a customer with a rather long id, status 200, bytes 5120",
            ),
            attributes: &[
                ("k8s.pod.name", (&pod).into()),
                ("k8s.namespace.name", "shop".into()),
                ("http.request.method", "GET".into()),
                ("http.response.status_code", 200_i64.into()),
                ("url.path", "/api/v1/orders".into()),
            ],
            trace_id: &[7; 16],
            span_id: &[9; 8],
            ..LogRecordFields::default()
        });
    }
    writer.finish().0.into()
}

/// Points of ten metrics with two attributes.
fn metrics_request() -> Vec<u8> {
    let mut writer = MetricsWriter::new();
    writer.resource(|resource| resource.attribute("host.name", "db-1"));
    writer.scope("bench", "1.0.0");
    for metric in 0..10 {
        let name = format!("system.cpu.time.{metric}");
        writer.sum(
            &name,
            "s",
            "CPU time",
            Temporality::Cumulative,
            true,
            |points| {
                for cpu in 0..ITEMS / 10 {
                    let cpu_name = format!("cpu{cpu}");
                    let attributes = [("cpu", (&cpu_name).into()), ("state", "user".into())];
                    points.double(
                        1_700_000_060_000_000_000,
                        1_700_000_000_000_000_000,
                        12.5,
                        &attributes,
                    );
                }
            },
        );
    }
    writer.finish().0.into()
}

fn walk_logs(bytes: &[u8]) -> u64 {
    let mut sum = 0;
    for group in logs::Request::new(bytes).resource_logs() {
        sum += walk_attributes(group.resource().attributes());
        for group in group.scope_logs() {
            sum += length(group.scope().name());
            for record in group.log_records() {
                sum += record.time_unix_nano ^ record.observed_time_unix_nano;
                sum += u64::from(record.severity_number.unsigned_abs() + record.flags);
                sum += length(record.severity_text) + walk_value(record.body);
                sum += walk_attributes(record.attributes());
                sum += (record.trace_id.len() + record.span_id.len()) as u64;
            }
        }
    }
    sum
}

fn walk_points(bytes: &[u8]) -> u64 {
    let mut sum = 0;
    for group in metrics::Request::new(bytes).resource_metrics() {
        sum += walk_attributes(group.resource().attributes());
        for group in group.scope_metrics() {
            sum += length(group.scope().name());
            for metric in group.metrics() {
                sum += length(metric.name()) + length(metric.unit());
                if let Data::Sum { points, .. } = metric.data() {
                    sum += points.map(walk_point).fold(0, u64::wrapping_add);
                }
            }
        }
    }
    sum
}

fn walk_point(point: metrics::NumberPoint<'_>) -> u64 {
    let value = match point.value {
        Number::Double(value) => value.to_bits() >> 32,
        Number::Int(value) => value.unsigned_abs() >> 32,
        Number::None => 0,
    };
    value
        ^ point.time_unix_nano
        ^ point.start_time_unix_nano
        ^ (walk_attributes(point.attributes()) + point.exemplars().count() as u64)
}

fn walk_attributes(attributes: Attributes<'_>) -> u64 {
    attributes
        .into_iter()
        .map(|attribute| length(attribute.key) + walk_value(attribute.value))
        .sum()
}

fn walk_value(value: Value<'_>) -> u64 {
    match value {
        Value::Str(text) => length(text),
        Value::Int(value) => value.unsigned_abs(),
        _ => 1,
    }
}

fn length(text: &str) -> u64 {
    text.len() as u64
}
