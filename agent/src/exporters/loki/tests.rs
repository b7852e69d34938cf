use std::sync::Arc;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use pipeline::{Budget, Exporter as _, Payload};
use prost::Message;

use super::super::scripted::{Answer as Scene, Arrived, Scripted};
use super::super::series::fixture::{at, key_value, text, texts};
use super::*;
use crate::transport::compression::inflate;

#[derive(Clone, PartialEq, Message)]
struct PushRequest {
    #[prost(message, repeated, tag = "1")]
    streams: Vec<StreamAdapter>,
}

#[derive(Clone, PartialEq, Message)]
struct StreamAdapter {
    #[prost(string, tag = "1")]
    labels: String,
    #[prost(message, repeated, tag = "2")]
    entries: Vec<EntryAdapter>,
}

#[derive(Clone, PartialEq, Message)]
struct EntryAdapter {
    #[prost(message, optional, tag = "1")]
    timestamp: Option<Timestamp>,
    #[prost(string, tag = "2")]
    line: String,
    #[prost(message, repeated, tag = "3")]
    structured_metadata: Vec<LabelPair>,
}

#[derive(Clone, PartialEq, Message)]
struct Timestamp {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[derive(Clone, PartialEq, Message)]
struct LabelPair {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

impl EntryAdapter {
    fn metadata(&self) -> Vec<String> {
        let pairs = self.structured_metadata.iter();
        pairs
            .map(|pair| format!("{}={}", pair.name, pair.value))
            .collect()
    }
}

const NOW: u64 = 1_000;

fn any(value: Value) -> Option<AnyValue> {
    Some(AnyValue { value: Some(value) })
}

fn record(seconds: u64, line: &str) -> LogRecord {
    LogRecord {
        time_unix_nano: at(seconds),
        body: any(Value::StringValue(line.to_owned())),
        ..LogRecord::default()
    }
}

fn resource_logs(resource: Vec<KeyValue>, records: Vec<LogRecord>) -> ResourceLogs {
    ResourceLogs {
        resource: Some(Resource {
            attributes: resource,
            ..Resource::default()
        }),
        scope_logs: vec![ScopeLogs {
            log_records: records,
            ..ScopeLogs::default()
        }],
        schema_url: "https://resource".to_owned(),
    }
}

fn encoded(resource_logs: Vec<ResourceLogs>) -> Vec<u8> {
    ExportLogsServiceRequest { resource_logs }.encode_to_vec()
}

fn request(resource: &[(&str, &str)], records: Vec<LogRecord>) -> Vec<u8> {
    encoded(vec![resource_logs(texts(resource), records)])
}

fn encoder(config: &Config) -> Encoder {
    let labeling = Labeling {
        policy: config.label_policy,
        attributes: config.labels.clone(),
    };
    Encoder::new(labeling, Limits::new(config))
}

fn push(config: &Config, request: &[u8]) -> (Vec<StreamAdapter>, Contents) {
    let mut encoder = encoder(config);
    let contents = encoder.push(request, at(NOW));
    let message = PushRequest::decode(encoder.body.as_slice()).unwrap();
    (message.streams, contents)
}

fn otlp(config: &Config, request: &[u8]) -> (Vec<ResourceLogs>, Contents) {
    let mut encoder = encoder(config);
    let contents = encoder.otlp(request, at(NOW));
    let message = ExportLogsServiceRequest::decode(encoder.body.as_slice()).unwrap();
    (message.resource_logs, contents)
}

fn full_record() -> LogRecord {
    let nested = KeyValueList {
        values: vec![text("child.one", "x"), text("two", "y")],
    };
    LogRecord {
        time_unix_nano: at(1) + 5,
        observed_time_unix_nano: at(2),
        severity_number: 9,
        severity_text: "INFO".to_owned(),
        body: any(Value::StringValue("hello".to_owned())),
        attributes: vec![
            text("http.method", "GET"),
            key_value("count", Value::IntValue(3)),
            key_value("parent", Value::KvlistValue(nested)),
            text("empty", ""),
            text("__", "nameless"),
        ],
        dropped_attributes_count: 2,
        flags: 1,
        trace_id: vec![0xab; 16],
        span_id: vec![0xcd; 8],
        event_name: "login".to_owned(),
    }
}

#[test]
fn a_record_becomes_a_line_with_structured_metadata() {
    let mut logs = resource_logs(
        texts(&[
            ("service.name", "cart"),
            ("host.name", "n1"),
            ("k8s.pod.name", "p-1"),
        ]),
        vec![full_record()],
    );
    logs.scope_logs[0].scope = Some(InstrumentationScope {
        name: "lib".to_owned(),
        version: "1.0".to_owned(),
        attributes: texts(&[("scope.key", "s")]),
        dropped_attributes_count: 4,
    });
    let (streams, contents) = push(&Config::default(), &encoded(vec![logs]));
    assert_eq!((contents.lines, contents.drops.total()), (1, 0));
    assert_eq!(streams.len(), 1);
    assert_eq!(
        streams[0].labels,
        "{host_name=\"n1\", service_name=\"cart\"}"
    );
    let [entry] = &streams[0].entries[..] else {
        panic!("{streams:?}");
    };
    assert_eq!(entry.line, "hello");
    let time = entry.timestamp.clone().unwrap();
    assert_eq!(
        (time.seconds.cast_unsigned(), time.nanos),
        (at(1) / 1_000_000_000, 5)
    );
    assert_eq!(
        entry.metadata(),
        [
            "k8s_pod_name=p-1",
            "scope_key=s",
            "scope_name=lib",
            "scope_version=1.0",
            "scope_dropped_attributes_count=4",
            "http_method=GET",
            "count=3",
            "parent_child_one=x",
            "parent_two=y",
            &format!("observed_timestamp={}", at(2)),
            "severity_number=9",
            "severity_text=INFO",
            "event_name=login",
            &format!("trace_id={}", "ab".repeat(16)),
            &format!("span_id={}", "cd".repeat(8)),
            "flags=1",
            "dropped_attributes_count=2",
        ]
    );
}

#[test]
fn bodies_of_every_kind_become_text() {
    let list = ArrayValue {
        values: vec![AnyValue {
            value: Some(Value::IntValue(1)),
        }],
    };
    let map = KeyValueList {
        values: vec![text("a", "b")],
    };
    for (body, line) in [
        (None, ""),
        (
            any(Value::StringValue("a\0\n\u{e9}".to_owned())),
            "a\0\n\u{e9}",
        ),
        (any(Value::BoolValue(true)), "true"),
        (any(Value::IntValue(-1)), "-1"),
        (any(Value::DoubleValue(1.5)), "1.5"),
        (any(Value::BytesValue(vec![1, 2, 255])), "AQL/"),
        (any(Value::ArrayValue(list)), "[1]"),
        (any(Value::KvlistValue(map)), "{\"a\":\"b\"}"),
    ] {
        let mut own = record(1, "");
        own.body = body;
        let (streams, _) = push(&Config::default(), &request(&[], vec![own]));
        assert_eq!(streams[0].entries[0].line, line);
    }
}

#[test]
fn labels_are_sorted_escaped_bounded_and_never_missing() {
    let long = "x".repeat(3_000);
    for (resource, labels) in [
        (vec![], "{service_name=\"unknown_service\"}".to_owned()),
        (
            vec![
                ("service.name", "a\"b\\c\nd\te\u{1}f\u{e9}"),
                ("cluster", "c1"),
            ],
            "{cluster=\"c1\", service_name=\"a\\\"b\\\\c\\nd\\te\\x01f\u{e9}\"}".to_owned(),
        ),
        (
            vec![("service.name", long.as_str())],
            format!("{{service_name=\"{}\"}}", "x".repeat(2_048)),
        ),
        (
            vec![("service.name", ""), ("log.source", "file")],
            "{log_source=\"file\"}".to_owned(),
        ),
    ] {
        let (streams, _) = push(
            &Config::default(),
            &request(&resource, vec![record(1, "x")]),
        );
        assert_eq!(streams[0].labels, labels);
    }
}

#[test]
fn the_policy_server_takes_the_labels_of_loki() {
    let config = Config {
        label_policy: LabelPolicy::Server,
        ..Config::default()
    };
    let resource = [
        ("service.name", "a"),
        ("k8s.pod.name", "p"),
        ("host.name", "h"),
    ];
    let request = request(&resource, vec![record(1, "x")]);
    let (streams, _) = push(&config, &request);
    assert_eq!(
        streams[0].labels,
        "{k8s_pod_name=\"p\", service_name=\"a\"}"
    );
    assert_eq!(streams[0].entries[0].metadata(), ["host_name=h"]);
    let (sent, _) = otlp(&config, &request);
    assert_eq!(
        sent[0].resource.as_ref().unwrap().attributes,
        texts(&resource)
    );
}

#[test]
fn lines_of_one_stream_go_together_in_order_of_time() {
    let of = |pod: &str, records| {
        let resource = texts(&[("service.name", "a"), ("k8s.pod.name", pod)]);
        resource_logs(resource, records)
    };
    let other = resource_logs(texts(&[("service.name", "b")]), vec![record(2, "b2")]);
    let request = encoded(vec![
        of("1", vec![record(5, "a5"), record(1, "a1")]),
        other,
        of("2", vec![record(3, "a3")]),
    ]);
    let (streams, _) = push(&Config::default(), &request);
    let lines: Vec<Vec<&str>> = streams
        .iter()
        .map(|stream| {
            stream
                .entries
                .iter()
                .map(|entry| entry.line.as_str())
                .collect()
        })
        .collect();
    assert_eq!(lines, [vec!["a1", "a3", "a5"], vec!["b2"]]);
}

#[test]
fn by_otlp_what_must_not_be_a_label_moves_to_the_lines() {
    let resource = [
        ("service.name", "a"),
        ("k8s.pod.name", "p"),
        ("x", "y"),
        ("", "nameless"),
    ];
    let records = vec![full_record(), record(1, "second")];
    let (sent, contents) = otlp(&Config::default(), &request(&resource, records));
    assert_eq!(contents.lines, 2);
    let expected = texts(&[("service.name", "a"), ("x", "y")]);
    assert_eq!(sent[0].resource.as_ref().unwrap().attributes, expected);
    assert_eq!(sent[0].schema_url, "https://resource");
    let records = &sent[0].scope_logs[0].log_records;
    let mut second = record(1, "second");
    second.attributes = texts(&[("k8s.pod.name", "p")]);
    assert_eq!(records[0], second);
    let mut first = full_record();
    first.attributes.retain(|attribute| attribute.key != "__");
    first.attributes.push(text("k8s.pod.name", "p"));
    assert_eq!(records[1], first);
}

#[test]
fn by_otlp_nothing_else_changes() {
    let mut logs = resource_logs(texts(&[("service.name", "a")]), vec![full_record()]);
    logs.scope_logs[0].schema_url = "https://scope".to_owned();
    logs.scope_logs[0].log_records[0].attributes.pop();
    logs.scope_logs[0].scope = Some(InstrumentationScope {
        name: "lib".to_owned(),
        attributes: texts(&[("a", "b")]),
        ..InstrumentationScope::default()
    });
    let (sent, _) = otlp(&Config::default(), &encoded(vec![logs.clone()]));
    assert_eq!(sent, [logs]);
}

/// Both roads, and what each sent and left out.
fn by_both(config: &Config, request: &[u8]) -> [(Vec<String>, Contents); 2] {
    let (streams, of_push) = push(config, request);
    let entries = streams.iter().flat_map(|stream| &stream.entries);
    let pushed = entries.map(|entry| entry.line.clone()).collect();
    let (resources, of_otlp) = otlp(config, request);
    let scopes = resources.iter().flat_map(|resource| &resource.scope_logs);
    let sent = scopes.flat_map(|scope| &scope.log_records).map(|record| {
        match record.body.as_ref().and_then(|body| body.value.as_ref()) {
            Some(Value::StringValue(line)) => line.clone(),
            _ => String::new(),
        }
    });
    [(pushed, of_push), (sent.collect(), of_otlp)]
}

#[test]
fn lines_outside_the_times_of_loki_are_left_out_by_its_words() {
    let config = Config {
        max_age: Interval::from_secs(100),
        max_ahead: Interval::from_secs(10),
        ..Config::default()
    };
    let records = vec![
        record(NOW - 101, "old"),
        record(NOW - 100, "just"),
        record(NOW + 10, "ahead"),
        record(NOW + 11, "future"),
    ];
    for (lines, contents) in by_both(&config, &request(&[], records)) {
        assert_eq!(lines, ["just", "ahead"]);
        assert_eq!(
            contents.drops.to_string(),
            "greater_than_max_sample_age: 1, too_far_in_future: 1"
        );
    }
}

#[test]
fn a_line_far_behind_its_stream_is_left_out_once_the_stream_went_on() {
    let config = Config {
        max_behind: Interval::from_secs(50),
        ..Config::default()
    };
    let of = |seconds: &[u64]| {
        let records = seconds.iter().map(|at| record(*at, "x")).collect();
        request(&[("service.name", "a")], records)
    };
    for is_push in [true, false] {
        let mut encoder = encoder(&config);
        let mut encode = |request: &[u8], is_delivered: bool| {
            let contents = if is_push {
                encoder.push(request, at(NOW))
            } else {
                encoder.otlp(request, at(NOW))
            };
            if is_delivered {
                encoder.delivered(&contents);
            }
            contents.drops.to_string()
        };
        assert_eq!(encode(&of(&[900, 800]), false), "");
        assert_eq!(encode(&of(&[900, 800]), true), "");
        assert_eq!(encode(&of(&[850, 849]), true), "too_far_behind");
        let other = request(&[("service.name", "b")], vec![record(1, "x")]);
        assert_eq!(encode(&other, true), "");
    }
}

#[test]
fn a_long_line_is_cut_and_marked() {
    let config = Config {
        max_line_bytes: ByteSize(300),
        ..Config::default()
    };
    let long = "\u{e9}".repeat(500);
    let records = vec![record(1, &"x".repeat(300)), record(2, &long)];
    for (lines, contents) in by_both(&config, &request(&[], records)) {
        assert_eq!(lines[0], "x".repeat(300));
        assert_eq!(
            lines[1],
            format!("{}\u{2026}[truncated 740 bytes]", "\u{e9}".repeat(130))
        );
        assert!(lines[1].len() <= 300);
        assert_eq!((contents.lines, contents.cut_lines), (2, 1));
    }
}

#[test]
fn metadata_that_loki_refuses_is_left_out_by_its_words() {
    let with = |attributes| LogRecord {
        attributes,
        ..record(1, "x")
    };
    let many = (0..129)
        .map(|number| text(&format!("k{number}"), "v"))
        .collect();
    let nested = KeyValueList {
        values: (0..129)
            .map(|number| text(&format!("k{number}"), "v"))
            .collect(),
    };
    let records = vec![
        with(many),
        with(vec![text("large", &"v".repeat(70_000))]),
        with(vec![key_value("map", Value::KvlistValue(nested))]),
        with(vec![text("large", &"v".repeat(60_000))]),
    ];
    for (lines, contents) in by_both(&Config::default(), &request(&[], records)) {
        assert_eq!(lines.len(), 1);
        assert_eq!(
            contents.drops.to_string(),
            "structured_metadata_too_many: 2, structured_metadata_too_large: 1"
        );
    }
}

#[test]
fn a_line_without_a_time_gets_the_one_at_which_it_was_seen() {
    let mut seen = record(0, "seen");
    seen.time_unix_nano = 0;
    seen.observed_time_unix_nano = at(7);
    let mut timeless = record(0, "timeless");
    timeless.time_unix_nano = 0;
    let (streams, _) = push(&Config::default(), &request(&[], vec![seen, timeless]));
    let entries = &streams[0].entries;
    let seconds = |entry: &EntryAdapter| entry.timestamp.as_ref().unwrap().seconds.cast_unsigned();
    assert_eq!(seconds(&entries[0]), at(7) / 1_000_000_000);
    assert_eq!(seconds(&entries[1]), at(NOW) / 1_000_000_000);
    assert_eq!(entries[0].metadata(), Vec::<String>::new());
}

/// A config for lines of any age, at `url`.
fn config(url: &str, protocol: Protocol) -> Config {
    Config {
        endpoint: url.to_owned(),
        protocol,
        max_age: Interval::default(),
        max_ahead: Interval::default(),
        ..Config::default()
    }
}

fn batch(request: Vec<u8>, items: u32) -> Batch {
    let charge = Budget::new(1 << 30).try_charge(request.len()).unwrap();
    Batch::new(Signal::Logs, Payload::Plain(request.into()), items, charge)
}

fn three() -> Batch {
    let records = vec![record(1, "one"), record(2, "two"), record(3, "three")];
    batch(request(&[("service.name", "a")], records), 3)
}

fn paths(server: &Scripted) -> Vec<String> {
    server
        .arrived()
        .into_iter()
        .map(|arrived| arrived.path)
        .collect()
}

const OTLP: &str = "/otlp/v1/logs";
const PUSH: &str = "/loki/api/v1/push";

#[tokio::test]
async fn both_roads_speak_as_loki_expects() {
    for (protocol, compression, status) in [
        (Protocol::Push, Encoding::Gzip, 204),
        (Protocol::Otlp, Encoding::Gzip, 204),
        (Protocol::Otlp, Encoding::Zstd, 200),
        (Protocol::Otlp, Encoding::Identity, 204),
    ] {
        let server = Scripted::in_order(vec![(status, vec![], "")]).await;
        let exporter = Exporter::new(
            "loki",
            Config {
                tenant: "lab".to_owned(),
                compression,
                ..config(&server.url, protocol)
            },
        )
        .unwrap();
        assert_eq!(
            exporter.export(&three()).await.unwrap(),
            Exported::default()
        );
        let arrived: &Arrived = &server.arrived()[0];
        assert_eq!(arrived.header("content-type"), "application/x-protobuf");
        assert_eq!(arrived.header("x-scope-orgid"), "lab");
        let lines = if protocol == Protocol::Push {
            assert_eq!(arrived.path, PUSH);
            let plain = inflate(Encoding::Snappy, &arrived.body, 1 << 20).unwrap();
            let message = PushRequest::decode(plain.as_slice()).unwrap();
            message.streams[0].entries.len()
        } else {
            assert_eq!(arrived.path, OTLP);
            let encoding = Encoding::parse(arrived.header("content-encoding")).unwrap();
            assert_eq!(encoding, compression);
            let plain = inflate(encoding, &arrived.body, 1 << 20).unwrap();
            let message = ExportLogsServiceRequest::decode(plain.as_slice()).unwrap();
            message.resource_logs[0].scope_logs[0].log_records.len()
        };
        assert_eq!(lines, 3);
    }
}

#[tokio::test]
async fn a_server_without_otlp_gets_the_same_lines_by_push_from_then_on() {
    for status in [404, 405, 400] {
        let server = Scripted::start(move |arrived| {
            let status = if arrived.path == OTLP { status } else { 204 };
            (status, vec![], "unsupported path")
        })
        .await;
        let exporter = Exporter::new("loki", config(&server.url, Protocol::Auto)).unwrap();
        for _ in 0..2 {
            let exported = exporter.export(&three()).await.unwrap();
            assert_eq!(exported, Exported::default(), "{status}");
        }
        assert_eq!(paths(&server), [OTLP, PUSH, PUSH], "{status}");
    }
}

#[tokio::test]
async fn a_server_with_otlp_is_asked_by_otlp_from_then_on() {
    let server = Scripted::in_order(vec![(204, vec![], "")]).await;
    let exporter = Exporter::new("loki", config(&server.url, Protocol::Auto)).unwrap();
    for _ in 0..2 {
        exporter.export(&three()).await.unwrap();
    }
    assert_eq!(paths(&server), [OTLP, OTLP]);
}

#[tokio::test]
async fn a_server_that_refuses_both_roads_is_not_decided() {
    let server = Scripted::in_order(vec![(400, vec![], "no")]).await;
    let exporter = Exporter::new("loki", config(&server.url, Protocol::Auto)).unwrap();
    for _ in 0..2 {
        let error = exporter.export(&three()).await.unwrap_err();
        assert!(
            matches!(
                error,
                ExportError::BadData {
                    reason: "loki_400",
                    ..
                }
            ),
            "{error:?}"
        );
    }
    assert_eq!(paths(&server), [OTLP, PUSH, OTLP, PUSH]);
}

#[tokio::test]
async fn a_server_without_either_road_refuses_us_and_not_the_data() {
    let server = Scripted::in_order(vec![(404, vec![], "404 page not found")]).await;
    let exporter = Exporter::new("loki", config(&server.url, Protocol::Auto)).unwrap();
    let error = exporter.export(&three()).await.unwrap_err();
    assert!(
        matches!(error, ExportError::PeerRejection { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains(PUSH), "{error}");
}

/// Scenario: a server that stored lines before answers 400.
/// Guarantees: its words are counted, and nothing is sent again.
#[tokio::test]
async fn a_400_means_that_the_good_lines_are_stored() {
    let words = "entry ignored, reason: 'entry too far behind',\ntotal ignored: 2 out of 3";
    let server = Scripted::in_order(vec![(204, vec![], ""), (400, vec![], words)]).await;
    let exporter = Exporter::new("loki", config(&server.url, Protocol::Push)).unwrap();
    exporter.export(&three()).await.unwrap();
    let exported = exporter.export(&three()).await.unwrap();
    assert_eq!(exported.rejected, 2);
    assert!(
        exported.reason.starts_with("loki_400: 2 (entry ignored"),
        "{}",
        exported.reason
    );
    assert_eq!(server.arrived().len(), 2);
}

#[tokio::test]
async fn answers_mean_what_the_table_says() {
    let after = || vec![("Retry-After", "7".to_owned())];
    let table: Vec<(Scene, &str)> = vec![
        ((429, after(), "rate limited"), "Retry { after: Some(7s)"),
        ((429, vec![], ""), "Retry { after: None"),
        ((500, vec![], ""), "Retry { after: None"),
        ((503, vec![], ""), "Retry { after: None"),
        ((260, vec![], "blocked"), "Retry { after: Some(60s)"),
        ((202, vec![], ""), "Retry { after: Some(60s)"),
        ((413, vec![], ""), "TooLarge"),
        ((422, vec![], ""), "BadData { reason: \"refused\""),
        ((401, vec![], ""), "PeerRejection"),
        ((403, vec![], ""), "PeerRejection"),
        ((404, vec![], ""), "PeerRejection"),
        (
            (307, vec![("Location", "/".to_owned())], ""),
            "PeerRejection",
        ),
    ];
    for (scene, expected) in table {
        let server = Scripted::in_order(vec![scene.clone()]).await;
        let exporter = Exporter::new("loki", config(&server.url, Protocol::Push)).unwrap();
        let error = exporter.export(&three()).await.unwrap_err();
        let shown = format!("{error:?}");
        assert!(shown.starts_with(expected), "{}: {shown}", scene.0);
    }
}

#[tokio::test]
async fn a_request_above_the_limit_is_split_by_the_driver() {
    let server = Scripted::in_order(vec![(204, vec![], "")]).await;
    for protocol in [Protocol::Push, Protocol::Otlp] {
        let exporter = Exporter::new(
            "loki",
            Config {
                max_request_bytes: ByteSize(50),
                ..config(&server.url, protocol)
            },
        )
        .unwrap();
        let error = exporter.export(&three()).await.unwrap_err();
        assert!(matches!(error, ExportError::TooLarge { .. }), "{error:?}");
        let one = request(&[], vec![record(1, &"x".repeat(200))]);
        exporter.export(&batch(one, 1)).await.unwrap();
    }
    assert_eq!(server.arrived().len(), 2);
}

#[tokio::test]
async fn a_batch_with_nothing_to_send_is_answered_for() {
    let exporter = Exporter::new(
        "loki",
        Config {
            max_age: Interval::from_secs(1),
            ..config("http://127.0.0.1:1", Protocol::Auto)
        },
    )
    .unwrap();
    let exported = exporter.export(&three()).await.unwrap();
    assert_eq!(exported.rejected, 3);
    assert_eq!(exported.reason, "greater_than_max_sample_age");
}

#[test]
fn options_are_checked() {
    let good = config("http://loki:3100", Protocol::Auto);
    assert_eq!(good.check(), Ok(()));
    let missing = Config::default().check().unwrap_err();
    assert_eq!(missing.message, "no endpoint is given");
    let too_many = vec!["a".to_owned(); 11];
    for (config, key) in [
        (config("loki:3100", Protocol::Auto), "endpoint"),
        (
            Config {
                compression: Encoding::Snappy,
                ..good.clone()
            },
            "compression",
        ),
        (
            Config {
                labels: too_many,
                ..good.clone()
            },
            "labels",
        ),
        (
            Config {
                max_line_bytes: ByteSize(10),
                ..good.clone()
            },
            "max_line_bytes",
        ),
        (
            Config {
                push_path: "/a b".to_owned(),
                ..good.clone()
            },
            "push_path",
        ),
    ] {
        assert_eq!(config.check().unwrap_err().key_path, key);
    }
}

#[test]
fn a_source_is_made_once_for_each_resource() {
    let mut encoder = encoder(&Config::default());
    let request = request(&[("service.name", "a")], vec![record(1, "x")]);
    let mut last: Option<Arc<stream::Source>> = None;
    for _ in 0..2 {
        encoder.push(&request, at(NOW));
        let view = ::otlp::logs::Request::new(&request);
        let resource = view.resource_logs().next().unwrap().resource();
        let source = encoder.source(resource);
        assert!(last.is_none_or(|last| Arc::ptr_eq(&last, &source)));
        last = Some(source);
    }
}

#[test]
fn a_key_is_nameable_when_a_name_comes_out() {
    use super::super::series::label::{LabelStyle, write_label_name};
    proptest::proptest!(|(key in "[a1_.\u{e9}]{0,5}")| {
        let has_name = write_label_name(&key, LabelStyle::default(), &mut String::new());
        proptest::prop_assert_eq!(stream::is_nameable(&key), has_name);
    });
}
