//! Random requests as prost sees them, for property tests.
//!
//! A request is grown from a string of random bytes: each choice takes some, and when they are used
//! up every choice is zero, which ends lists and leaves fields unset. Shrinking the bytes therefore
//! shrinks the request.

use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
    trace::v1::ExportTraceServiceRequest,
};
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList, any_value,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram,
    HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary,
    SummaryDataPoint, exemplar, exponential_histogram_data_point::Buckets, metric,
    number_data_point, summary_data_point::ValueAtQuantile,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{
    ResourceSpans, ScopeSpans, Span, Status,
    span::{Event, Link},
};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;

use crate::Signal;
use crate::schema::{self, Kind};
use crate::wire::{Content, Fields, close, open, put_len_field};

/// Random bytes to grow a request from.
pub(crate) fn entropy() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..1500)
}

/// Bytes for small requests, in which a random change seldom hits the inside of a text.
pub(crate) fn short_entropy() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..120)
}

/// An encoded request of `signal`.
pub(crate) fn request(signal: Signal, entropy: &[u8]) -> Vec<u8> {
    match signal {
        Signal::Metrics => metrics(entropy).encode_to_vec(),
        Signal::Logs => logs(entropy).encode_to_vec(),
        Signal::Traces => traces(entropy).encode_to_vec(),
    }
}

/// Number of a field that OTLP does not have.
const UNKNOWN: u32 = 1000;

/// The request with an unknown field at the end of each message in it.
pub(crate) fn with_unknown_fields(signal: Signal, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    add_unknown_field(schema::request(signal), bytes, &mut out);
    out
}

fn add_unknown_field(message: &schema::Message, bytes: &[u8], out: &mut Vec<u8>) {
    for field in Fields::new(bytes) {
        match (
            message.field(field.number).map(|field| field.kind),
            field.content,
        ) {
            (Some(Kind::Message(inner)), Content::Len(content)) => {
                let nested = open(out, field.number, content.len());
                add_unknown_field(inner, content, out);
                close(out, nested);
            }
            _ => out.extend_from_slice(field.raw),
        }
    }
    put_len_field(out, UNKNOWN, b"unknown");
}

/// How many unknown fields there are in all messages of the request.
pub(crate) fn count_unknown_fields(signal: Signal, bytes: &[u8]) -> usize {
    fn count(message: &schema::Message, bytes: &[u8]) -> usize {
        Fields::new(bytes)
            .map(|field| {
                match (
                    message.field(field.number).map(|field| field.kind),
                    field.content,
                ) {
                    (Some(Kind::Message(inner)), Content::Len(content)) => count(inner, content),
                    _ => usize::from(field.number == UNKNOWN),
                }
            })
            .sum()
    }
    count(schema::request(signal), bytes)
}

/// A change to encoded bytes: kind, place and value.
pub(crate) fn mutation() -> impl Strategy<Value = (u8, usize, u8)> {
    (0..5_u8, any::<usize>(), any::<u8>())
}

/// Inserts, removes, changes or cuts off bytes.
pub(crate) fn mutate(bytes: &mut Vec<u8>, (kind, at, byte): (u8, usize, u8)) {
    let at = at % (bytes.len() + 1);
    match kind {
        0 => bytes.insert(at, byte),
        1 if at < bytes.len() => drop(bytes.remove(at)),
        2 if at < bytes.len() => bytes[at] ^= 1 << (byte % 8),
        3 if at < bytes.len() => bytes[at] = byte,
        _ => bytes.truncate(at),
    }
}

pub(crate) fn metrics(entropy: &[u8]) -> ExportMetricsServiceRequest {
    let mut grow = Grow { entropy };
    ExportMetricsServiceRequest {
        resource_metrics: grow.some(2, Grow::resource_metrics),
    }
}

pub(crate) fn logs(entropy: &[u8]) -> ExportLogsServiceRequest {
    let mut grow = Grow { entropy };
    ExportLogsServiceRequest {
        resource_logs: grow.some(2, Grow::resource_logs),
    }
}

pub(crate) fn traces(entropy: &[u8]) -> ExportTraceServiceRequest {
    let mut grow = Grow { entropy };
    ExportTraceServiceRequest {
        resource_spans: grow.some(2, Grow::resource_spans),
    }
}

/// Levels of nested values that are grown.
const DEPTH: u32 = 3;

struct Grow<'a> {
    entropy: &'a [u8],
}

impl Grow<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.entropy.split_first() else {
            return 0;
        };
        self.entropy = rest;
        *first
    }

    fn below(&mut self, bound: u8) -> u8 {
        self.byte() % bound
    }

    fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    fn list<T>(&mut self, max: u8, item: impl Fn(&mut Self) -> T) -> Vec<T> {
        let len = self.below(max + 1);
        (0..len).map(|_| item(self)).collect()
    }

    /// A list that is seldom empty while there are bytes left.
    fn some<T>(&mut self, max: u8, item: impl Fn(&mut Self) -> T) -> Vec<T> {
        if self.below(8) == 0 {
            return Vec::new();
        }
        let len = 1 + self.below(max);
        (0..len).map(|_| item(self)).collect()
    }

    fn maybe<T>(&mut self, item: impl Fn(&mut Self) -> T) -> Option<T> {
        self.flag().then(|| item(self))
    }

    /// Small numbers, large numbers and the ends of the range.
    fn u64(&mut self) -> u64 {
        match self.below(5) {
            0 => 0,
            1 => self.byte().into(),
            2 => 1_700_000_000_000_000_000 + u64::from(self.byte()),
            3 => u64::MAX - u64::from(self.byte()),
            _ => u64::from_le_bytes(std::array::from_fn(|_| self.byte())),
        }
    }

    fn i64(&mut self) -> i64 {
        self.u64().cast_signed()
    }

    fn u32(&mut self) -> u32 {
        crate::common::low_32_bits(self.u64())
    }

    fn i32(&mut self) -> i32 {
        self.u32().cast_signed()
    }

    /// No NaN, which is not equal to itself; those have tests of their own.
    fn double(&mut self) -> f64 {
        match self.below(4) {
            0 => 0.0,
            1 => f64::from(self.byte()) / 8.0,
            2 => -1e300,
            _ => Some(f64::from_bits(self.u64()))
                .filter(|value| value.is_finite())
                .unwrap_or(0.5),
        }
    }

    fn text(&mut self) -> String {
        match self.below(6) {
            0 => String::new(),
            1 => "service.name".into(),
            2 => "caf\u{e9} \u{1f600} \"quoted\" \\ \n\u{1}".into(),
            3 => "x".repeat(usize::from(self.byte()) * 2),
            _ => format!("key{}", self.byte()),
        }
    }

    fn bytes(&mut self) -> Vec<u8> {
        let len = self.below(20);
        (0..len).map(|_| self.byte()).collect()
    }

    fn id(&mut self, size: usize) -> Vec<u8> {
        match self.below(3) {
            0 => Vec::new(),
            1 => (0..size).map(|_| self.byte()).collect(),
            _ => vec![0xab; size],
        }
    }

    fn value(&mut self, depth: u32) -> AnyValue {
        use any_value::Value;
        let kinds = if depth == 0 { 6 } else { 8 };
        let value = match self.below(kinds) {
            0 => None,
            1 => Some(Value::StringValue(self.text())),
            2 => Some(Value::BoolValue(self.flag())),
            3 => Some(Value::IntValue(self.i64())),
            4 => Some(Value::DoubleValue(self.double())),
            5 => Some(Value::BytesValue(self.bytes())),
            6 => Some(Value::ArrayValue(ArrayValue {
                values: self.list(3, |grow| grow.value(depth - 1)),
            })),
            _ => Some(Value::KvlistValue(KeyValueList {
                values: self.list(3, |grow| grow.key_value(depth - 1)),
            })),
        };
        AnyValue { value }
    }

    fn key_value(&mut self, depth: u32) -> KeyValue {
        KeyValue {
            key: self.text(),
            value: self.maybe(|grow| grow.value(depth)),
            key_strindex: 0,
        }
    }

    fn attributes(&mut self) -> Vec<KeyValue> {
        self.list(4, |grow| grow.key_value(DEPTH))
    }

    fn resource(&mut self) -> Resource {
        Resource {
            attributes: self.attributes(),
            dropped_attributes_count: self.u32(),
            entity_refs: self.list(1, |grow| EntityRef {
                schema_url: grow.text(),
                r#type: grow.text(),
                id_keys: grow.list(2, Self::text),
                description_keys: grow.list(2, Self::text),
            }),
        }
    }

    fn scope(&mut self) -> InstrumentationScope {
        InstrumentationScope {
            name: self.text(),
            version: self.text(),
            attributes: self.attributes(),
            dropped_attributes_count: self.u32(),
        }
    }

    fn resource_logs(&mut self) -> ResourceLogs {
        ResourceLogs {
            resource: self.maybe(Self::resource),
            scope_logs: self.some(2, Self::scope_logs),
            schema_url: self.text(),
        }
    }

    fn scope_logs(&mut self) -> ScopeLogs {
        ScopeLogs {
            scope: self.maybe(Self::scope),
            log_records: self.some(4, Self::log_record),
            schema_url: self.text(),
        }
    }

    fn log_record(&mut self) -> LogRecord {
        LogRecord {
            time_unix_nano: self.u64(),
            observed_time_unix_nano: self.u64(),
            severity_number: self.i32(),
            severity_text: self.text(),
            body: self.maybe(|grow| grow.value(DEPTH)),
            attributes: self.attributes(),
            dropped_attributes_count: self.u32(),
            flags: self.u32(),
            trace_id: self.id(16),
            span_id: self.id(8),
            event_name: self.text(),
        }
    }

    fn resource_spans(&mut self) -> ResourceSpans {
        ResourceSpans {
            resource: self.maybe(Self::resource),
            scope_spans: self.some(2, Self::scope_spans),
            schema_url: self.text(),
        }
    }

    fn scope_spans(&mut self) -> ScopeSpans {
        ScopeSpans {
            scope: self.maybe(Self::scope),
            spans: self.some(3, Self::span),
            schema_url: self.text(),
        }
    }

    fn span(&mut self) -> Span {
        Span {
            trace_id: self.id(16),
            span_id: self.id(8),
            trace_state: self.text(),
            parent_span_id: self.id(8),
            flags: self.u32(),
            name: self.text(),
            kind: self.i32(),
            start_time_unix_nano: self.u64(),
            end_time_unix_nano: self.u64(),
            attributes: self.attributes(),
            dropped_attributes_count: self.u32(),
            events: self.list(2, |grow| Event {
                time_unix_nano: grow.u64(),
                name: grow.text(),
                attributes: grow.attributes(),
                dropped_attributes_count: grow.u32(),
            }),
            dropped_events_count: self.u32(),
            links: self.list(2, |grow| Link {
                trace_id: grow.id(16),
                span_id: grow.id(8),
                trace_state: grow.text(),
                attributes: grow.attributes(),
                dropped_attributes_count: grow.u32(),
                flags: grow.u32(),
            }),
            dropped_links_count: self.u32(),
            status: self.maybe(|grow| Status {
                message: grow.text(),
                code: grow.i32(),
            }),
        }
    }

    fn resource_metrics(&mut self) -> ResourceMetrics {
        ResourceMetrics {
            resource: self.maybe(Self::resource),
            scope_metrics: self.some(2, Self::scope_metrics),
            schema_url: self.text(),
        }
    }

    fn scope_metrics(&mut self) -> ScopeMetrics {
        ScopeMetrics {
            scope: self.maybe(Self::scope),
            metrics: self.some(4, Self::metric),
            schema_url: self.text(),
        }
    }

    fn metric(&mut self) -> Metric {
        use metric::Data;
        let data = match self.below(6) {
            0 => None,
            1 => Some(Data::Gauge(Gauge {
                data_points: self.some(4, Self::number_point),
            })),
            2 => Some(Data::Sum(Sum {
                data_points: self.some(4, Self::number_point),
                aggregation_temporality: self.below(3).into(),
                is_monotonic: self.flag(),
            })),
            3 => Some(Data::Histogram(Histogram {
                data_points: self.some(3, Self::histogram_point),
                aggregation_temporality: self.below(3).into(),
            })),
            4 => Some(Data::ExponentialHistogram(ExponentialHistogram {
                data_points: self.some(3, Self::exponential_histogram_point),
                aggregation_temporality: self.below(3).into(),
            })),
            _ => Some(Data::Summary(Summary {
                data_points: self.some(3, Self::summary_point),
            })),
        };
        Metric {
            name: self.text(),
            description: self.text(),
            unit: self.text(),
            metadata: self.attributes(),
            data,
        }
    }

    fn number_point(&mut self) -> NumberDataPoint {
        use number_data_point::Value;
        NumberDataPoint {
            attributes: self.attributes(),
            start_time_unix_nano: self.u64(),
            time_unix_nano: self.u64(),
            exemplars: self.list(2, Self::exemplar),
            flags: self.u32(),
            value: match self.below(3) {
                0 => None,
                1 => Some(Value::AsDouble(self.double())),
                _ => Some(Value::AsInt(self.i64())),
            },
        }
    }

    fn histogram_point(&mut self) -> HistogramDataPoint {
        HistogramDataPoint {
            attributes: self.attributes(),
            start_time_unix_nano: self.u64(),
            time_unix_nano: self.u64(),
            count: self.u64(),
            sum: self.maybe(Self::double),
            bucket_counts: self.list(20, Self::u64),
            explicit_bounds: self.list(20, Self::double),
            exemplars: self.list(2, Self::exemplar),
            flags: self.u32(),
            min: self.maybe(Self::double),
            max: self.maybe(Self::double),
        }
    }

    fn exponential_histogram_point(&mut self) -> ExponentialHistogramDataPoint {
        ExponentialHistogramDataPoint {
            attributes: self.attributes(),
            start_time_unix_nano: self.u64(),
            time_unix_nano: self.u64(),
            count: self.u64(),
            sum: self.maybe(Self::double),
            scale: self.i32(),
            zero_count: self.u64(),
            positive: self.maybe(Self::buckets),
            negative: self.maybe(Self::buckets),
            flags: self.u32(),
            exemplars: self.list(2, Self::exemplar),
            min: self.maybe(Self::double),
            max: self.maybe(Self::double),
            zero_threshold: self.double(),
        }
    }

    fn buckets(&mut self) -> Buckets {
        Buckets {
            offset: self.i32(),
            bucket_counts: self.list(20, Self::u64),
        }
    }

    fn summary_point(&mut self) -> SummaryDataPoint {
        SummaryDataPoint {
            attributes: self.attributes(),
            start_time_unix_nano: self.u64(),
            time_unix_nano: self.u64(),
            count: self.u64(),
            sum: self.double(),
            quantile_values: self.list(4, |grow| ValueAtQuantile {
                quantile: grow.double(),
                value: grow.double(),
            }),
            flags: self.u32(),
        }
    }

    fn exemplar(&mut self) -> Exemplar {
        use exemplar::Value;
        Exemplar {
            filtered_attributes: self.attributes(),
            time_unix_nano: self.u64(),
            span_id: self.id(8),
            trace_id: self.id(16),
            value: match self.below(3) {
                0 => None,
                1 => Some(Value::AsDouble(self.double())),
                _ => Some(Value::AsInt(self.i64())),
            },
        }
    }
}
