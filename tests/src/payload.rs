//! Payloads: numbered items that an oracle can find again, and bodies of a known size for the
//! bench; and what a back end needs to count items without decoding.

use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, InstrumentationScope, KeyValue, any_value::Value,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;

/// Attribute that carries the number of a numbered item.
pub const NUMBER: &str = "number";

/// Nanoseconds since the epoch, now.
///
/// # Panics
/// When the clock stands before 1970.
#[must_use]
pub fn now_unix_nano() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(elapsed.expect("a clock after 1970").as_nanos()).expect("a clock before 2554")
}

/// An attribute.
#[must_use]
pub fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

/// A string as attribute value or body.
#[must_use]
pub fn text(value: impl Into<String>) -> Value {
    Value::StringValue(value.into())
}

/// One log record for each number, in the given order, one nanosecond apart.
#[must_use]
pub fn numbered_logs(
    service: &str,
    numbers: impl IntoIterator<Item = u64>,
) -> ExportLogsServiceRequest {
    let at = now_unix_nano();
    let records = numbers
        .into_iter()
        .zip(at..)
        .map(|(number, time)| LogRecord {
            time_unix_nano: time,
            observed_time_unix_nano: time,
            severity_number: 9,
            severity_text: "INFO".to_owned(),
            body: Some(AnyValue {
                value: Some(text(format!("item {number} of {service}"))),
            }),
            attributes: vec![attribute(NUMBER, Value::IntValue(number.cast_signed()))],
            ..LogRecord::default()
        });
    logs_of(service, records.collect())
}

/// One gauge point for each number: metric `skybridge.test.number`, attribute and value the number.
#[must_use]
pub fn numbered_gauge(
    service: &str,
    numbers: impl IntoIterator<Item = u32>,
) -> ExportMetricsServiceRequest {
    let at = now_unix_nano();
    let points = numbers.into_iter().map(|number| NumberDataPoint {
        time_unix_nano: at,
        start_time_unix_nano: at,
        attributes: vec![attribute(NUMBER, text(number.to_string()))],
        value: Some(number_data_point::Value::AsDouble(f64::from(number) + 0.25)),
        ..NumberDataPoint::default()
    });
    metrics_of(service, "skybridge.test.number", points.collect())
}

/// The number of a log record made by [`numbered_logs`].
#[must_use]
pub fn number_of(record: &LogRecord) -> Option<u64> {
    record.attributes.iter().find_map(|attribute| {
        let value = attribute.value.as_ref()?.value.as_ref()?;
        match (attribute.key.as_str(), value) {
            (NUMBER, Value::IntValue(number)) => Some(number.cast_unsigned()),
            _ => None,
        }
    })
}

/// Log records of about 337 encoded bytes each, with semantic-convention attributes whose values
/// vary as those of a web server do.
#[must_use]
pub fn bench_logs(records: u32) -> ExportLogsServiceRequest {
    let at = now_unix_nano();
    let records = (0..records).map(|number| {
        let path = format!("/api/v1/orders/{}", fastrand::u32(10_000..99_999));
        let duration_ms = fastrand::u32(1..900);
        LogRecord {
            time_unix_nano: at + u64::from(number) * 1_000,
            observed_time_unix_nano: at + u64::from(number) * 1_000,
            severity_number: 9,
            severity_text: "INFO".to_owned(),
            body: Some(AnyValue {
                value: Some(text(format!(
                    "request handled: GET {path} answered 200 in {duration_ms} ms for session {:016x}",
                    fastrand::u64(..)
                ))),
            }),
            attributes: vec![
                attribute("http.request.method", text("GET")),
                attribute("url.path", text(path)),
                attribute("http.response.status_code", Value::IntValue(200)),
                attribute("client.address", text(format!("10.0.7.{}", fastrand::u8(..)))),
                attribute("service.version", text("1.14")),
                attribute("http.duration_ms", Value::IntValue(duration_ms.into())),
            ],
            trace_id: fastrand::u128(..).to_be_bytes().to_vec(),
            span_id: fastrand::u64(..).to_be_bytes().to_vec(),
            ..LogRecord::default()
        }
    });
    logs_of("bench", records.collect())
}

/// Gauge points of about 79 encoded bytes each at one time, each of a series of its own; another
/// `host` has other series.
#[must_use]
pub fn bench_points(points: u32, host: usize, at_unix_nano: u64) -> ExportMetricsServiceRequest {
    let points = (0..points).map(|number| NumberDataPoint {
        time_unix_nano: at_unix_nano,
        start_time_unix_nano: at_unix_nano,
        attributes: vec![
            attribute("device", text(format!("/dev/{host:02}nvme{number:03}"))),
            attribute("direction", text("read")),
        ],
        value: Some(number_data_point::Value::AsDouble(fastrand::f64())),
        ..NumberDataPoint::default()
    });
    metrics_of("bench", "system.disk.load", points.collect())
}

fn logs_of(service: &str, log_records: Vec<LogRecord>) -> ExportLogsServiceRequest {
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: Some(resource(service)),
            scope_logs: vec![ScopeLogs {
                scope: Some(scope()),
                log_records,
                ..ScopeLogs::default()
            }],
            ..ResourceLogs::default()
        }],
    }
}

fn metrics_of(
    service: &str,
    name: &str,
    data_points: Vec<NumberDataPoint>,
) -> ExportMetricsServiceRequest {
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(resource(service)),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(scope()),
                metrics: vec![Metric {
                    name: name.to_owned(),
                    data: Some(metric::Data::Gauge(Gauge { data_points })),
                    ..Metric::default()
                }],
                ..ScopeMetrics::default()
            }],
            ..ResourceMetrics::default()
        }],
    }
}

fn resource(service: &str) -> Resource {
    Resource {
        attributes: vec![
            attribute("service.name", text(service)),
            attribute("host.name", text("test-host")),
        ],
        ..Resource::default()
    }
}

fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: "tests".to_owned(),
        ..InstrumentationScope::default()
    }
}

/// How many fields lie at the end of `path` in an encoded message: a path is field numbers from
/// the outermost inwards, each a length-delimited field that may repeat.
///
/// # Panics
/// When the message is not protobuf: then what arrived is broken, and so is the program under test.
#[must_use]
pub fn count(message: &[u8], path: &[u32]) -> u64 {
    let Some((&wanted, inner)) = path.split_first() else {
        return 1;
    };
    let mut total = 0;
    let mut rest = message;
    while !rest.is_empty() {
        let key = varint(&mut rest);
        let field = key >> 3;
        let length = match key & 7 {
            0 => {
                varint(&mut rest);
                continue;
            }
            1 => 8,
            2 => varint(&mut rest),
            5 => 4,
            other => panic!("wire type {other}"),
        };
        let length = usize::try_from(length).expect("a length");
        let (value, after) = rest.split_at_checked(length).expect("a whole field");
        if key & 7 == 2 && field == u64::from(wanted) {
            total += count(value, inner);
        }
        rest = after;
    }
    total
}

fn varint(rest: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first().expect("a whole varint");
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return value;
        }
    }
    panic!("a varint of more than ten bytes");
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    #[test]
    fn counting_by_path_equals_what_was_encoded() {
        let logs = numbered_logs("x", 0..17).encode_to_vec();
        assert_eq!(count(&logs, &[1, 2, 2]), 17);
        let gauge = numbered_gauge("x", 0..23).encode_to_vec();
        assert_eq!(count(&gauge, &[1, 2, 2, 5, 1]), 23);
    }

    #[test]
    fn bench_items_have_the_sizes_that_the_results_name() {
        let logs = bench_logs(1_000).encode_to_vec().len() / 1_000;
        let points = bench_points(1_000, 0, now_unix_nano())
            .encode_to_vec()
            .len()
            / 1_000;
        assert!((330..=344).contains(&logs), "{logs} bytes a log record");
        assert!((76..=82).contains(&points), "{points} bytes a point");
    }
}
