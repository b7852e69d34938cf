use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
    trace::v1::ExportTraceServiceRequest,
};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::common::Value;
use crate::{Limits, Signal, arbitrary, logs, metrics, validate};

/// What both sides must agree on: the request decoded by prost.
fn decode(signal: Signal, bytes: &[u8]) -> String {
    match signal {
        Signal::Metrics => format!("{:#?}", ExportMetricsServiceRequest::decode(bytes).unwrap()),
        Signal::Logs => format!("{:#?}", ExportLogsServiceRequest::decode(bytes).unwrap()),
        Signal::Traces => format!("{:#?}", ExportTraceServiceRequest::decode(bytes).unwrap()),
    }
}

fn written(signal: Signal, bytes: &[u8]) -> Vec<u8> {
    let mut json = Vec::new();
    to_json(signal, bytes, &mut json);
    json
}

proptest! {
    #[test]
    fn what_is_written_reads_back(entropy in arbitrary::entropy()) {
        for signal in Signal::ALL {
            let bytes = arbitrary::request(signal, &entropy);
            let json = written(signal, &bytes);
            prop_assert!(!json.contains(&b'\n'));
            let again = from_json(signal, &json).unwrap();
            prop_assert!(validate(signal, &again, &Limits::default()).is_ok());
            prop_assert_eq!(decode(signal, &again), decode(signal, &bytes));
        }
    }

    #[test]
    fn what_is_written_is_what_prost_reads(entropy in arbitrary::entropy()) {
        let logs = arbitrary::logs(&entropy);
        let json = written(Signal::Logs, &logs.encode_to_vec());
        prop_assert_eq!(serde_json::from_slice::<ExportLogsServiceRequest>(&json).unwrap(), logs);
        let traces = arbitrary::traces(&entropy);
        let json = written(Signal::Traces, &traces.encode_to_vec());
        prop_assert_eq!(serde_json::from_slice::<ExportTraceServiceRequest>(&json).unwrap(), traces);
        let metrics = arbitrary::metrics(&entropy);
        let json = written(Signal::Metrics, &metrics.encode_to_vec());
        prop_assert_eq!(
            serde_json::from_slice::<ExportMetricsServiceRequest>(&json).unwrap(),
            metrics
        );
    }

    #[test]
    fn what_prost_writes_is_read(entropy in arbitrary::entropy()) {
        let logs = arbitrary::logs(&entropy);
        let bytes = from_json(Signal::Logs, &serde_json::to_vec(&logs).unwrap()).unwrap();
        prop_assert_eq!(ExportLogsServiceRequest::decode(bytes).unwrap(), logs);
        let traces = arbitrary::traces(&entropy);
        let bytes = from_json(Signal::Traces, &serde_json::to_vec(&traces).unwrap()).unwrap();
        prop_assert_eq!(ExportTraceServiceRequest::decode(bytes).unwrap(), traces);
        let metrics = arbitrary::metrics(&entropy);
        let bytes = from_json(Signal::Metrics, &serde_json::to_vec(&metrics).unwrap()).unwrap();
        prop_assert_eq!(ExportMetricsServiceRequest::decode(bytes).unwrap(), metrics);
    }

    #[test]
    fn whatever_is_read_is_a_valid_request(
        entropy in arbitrary::entropy(),
        changes in vec((any::<usize>(), any::<u8>()), 1..4),
    ) {
        for signal in Signal::ALL {
            let mut json = written(signal, &arbitrary::request(signal, &entropy));
            for (at, byte) in &changes {
                let at = at % json.len();
                json[at] = *byte;
            }
            if let Ok(bytes) = from_json(signal, &json) {
                prop_assert!(validate(signal, &bytes, &Limits::default()).is_ok());
            }
        }
    }

    #[test]
    fn doubles_read_back_exactly(bits: u64) {
        let value = f64::from_bits(bits);
        prop_assume!(!value.is_nan());
        let json = format!(
            "{{\"resourceMetrics\":[{{\"scopeMetrics\":[{{\"metrics\":[{{\"gauge\":{{\"dataPoints\":\
             [{{\"asDouble\":{}}}]}}}}]}}]}}]}}",
            json_double(value),
        );
        let bytes = from_json(Signal::Metrics, json.as_bytes()).unwrap();
        prop_assert_eq!(point(&bytes).value, metrics::Number::Double(value));
        prop_assert_eq!(written(Signal::Metrics, &bytes), json.as_bytes());
    }
}

fn json_double(value: f64) -> String {
    let mut out = String::new();
    crate::common::write_json_double(&mut out, value).unwrap();
    out
}

fn point(bytes: &[u8]) -> metrics::NumberPoint<'_> {
    let group = metrics::Request::new(bytes)
        .resource_metrics()
        .next()
        .unwrap();
    let metric = group
        .scope_metrics()
        .next()
        .unwrap()
        .metrics()
        .next()
        .unwrap();
    let metrics::Data::Gauge(mut points) = metric.data() else {
        panic!("not a gauge");
    };
    points.next().unwrap()
}

/// Reads a log record from the text of its object.
fn record(json: &str) -> Result<Vec<u8>, JsonError> {
    let json = format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{json}]}}]}}]}}"#);
    from_json(Signal::Logs, json.as_bytes()).map(Vec::from)
}

fn view(bytes: &[u8]) -> logs::LogRecord<'_> {
    let group = logs::Request::new(bytes).resource_logs().next().unwrap();
    group
        .scope_logs()
        .next()
        .unwrap()
        .log_records()
        .next()
        .unwrap()
}

#[test]
fn lenient_forms_are_read() {
    let bytes = record(
        r#"{
            "timeUnixNano": 1700000000000000001, "observedTimeUnixNano": "1700000000000000002",
            "severityNumber": 9, "severityText": null, "unknown": {"deep": [1, {"er": null}]},
            "dropped_attributes_count": 7, "droppedAttributesCount": "3", "flags": 1,
            "traceId": "0123456789ABCDEFabcdef0123456789", "spanId": "",
            "body": {"arrayValue": {"values": [null, {}, {"intValue": -5}, {"intValue": "-6"},
                {"intValue": 1e3}, {"doubleValue": "NaN"}, {"doubleValue": 3},
                {"bytesValue": "-_8="}, {"bytesValue": "+/8"}, {"stringValue": ""}]}},
            "attributes": [{"key": "k", "value": {"kvlistValue": {}}}, {"key": "n", "value": null}]
        }"#,
    )
    .unwrap();
    let record = view(&bytes);
    assert_eq!(record.time_unix_nano, 1_700_000_000_000_000_001);
    assert_eq!(record.observed_time_unix_nano, 1_700_000_000_000_000_002);
    assert_eq!(
        (record.severity_number, record.severity_text, record.flags),
        (9, "", 1)
    );
    assert_eq!(record.dropped_attributes_count, 3);
    assert_eq!((record.trace_id.len(), record.span_id.len()), (16, 0));
    assert_eq!(&record.trace_id[6..9], [0xcd, 0xef, 0xab]);
    let Value::Array(values) = record.body else {
        panic!("not a list");
    };
    let shown: Vec<_> = values
        .into_iter()
        .map(|value| format!("{value:?}"))
        .collect();
    let bytes = "Bytes([251, 255])";
    let expected = [
        "Empty",
        "Empty",
        "Int(-5)",
        "Int(-6)",
        "Int(1000)",
        "Double(NaN)",
        "Double(3.0)",
        bytes,
        bytes,
        "Str(\"\")",
    ];
    assert_eq!(shown, expected);
    assert!(matches!(record.attributes().get("k"), Some(Value::Map(_))));
    assert_eq!(record.attributes().get("n"), Some(Value::Empty));
}

#[test]
fn mistakes_are_told_with_the_keys_that_lead_to_them() {
    let prefix = "resourceLogs[0].scopeLogs[0].logRecords[0]";
    for (json, path, reason) in [
        (
            r#"{"severityNumber": "SEVERITY_NUMBER_INFO"}"#,
            ".severityNumber",
            "invalid type: string \"SEVERITY_NUMBER_INFO\", expected the number of an enum value",
        ),
        (
            r#"{"timeUnixNano": -1}"#,
            ".timeUnixNano",
            "invalid value: integer `-1`, expected a 64-bit integer that is not negative, as a \
             number or a string",
        ),
        (
            r#"{"timeUnixNano": 1.5}"#,
            ".timeUnixNano",
            "invalid type: floating point `1.5`, expected a 64-bit integer that is not negative, \
             as a number or a string",
        ),
        (
            r#"{"traceId": "abc"}"#,
            ".traceId",
            "invalid value: string \"abc\", expected hexadecimal text",
        ),
        (
            r#"{"attributes": [{}, {"key": 5}]}"#,
            ".attributes[1].key",
            "invalid type: integer `5`, expected a string",
        ),
        (
            r#"{"attributes": {}}"#,
            ".attributes",
            "invalid type: map, expected a list",
        ),
        (
            r#"{"attributes": [null]}"#,
            ".attributes[0]",
            "invalid type: null, expected an object",
        ),
        (
            r#"{"body": {"intValue": "1", "stringValue": "a"}}"#,
            ".body.stringValue",
            "only one of the possible values may be set",
        ),
        (
            r#"{"body": {"bytesValue": "a*=="}}"#,
            ".body.bytesValue",
            "invalid value: string \"a*==\", expected base64 text",
        ),
        (
            r#"{"body": {"doubleValue": "inf"}}"#,
            ".body.doubleValue",
            "invalid value: string \"inf\", expected a number, or the string NaN, Infinity or \
             -Infinity",
        ),
        (
            r#"{"flags": 1, "flags": 2}"#,
            ".flags",
            "the key occurs twice",
        ),
        (
            r#"{"flags": 4294967296}"#,
            ".flags",
            "invalid value: integer `4294967296`, expected a 32-bit integer that is not negative",
        ),
    ] {
        let error = record(json).unwrap_err();
        assert_eq!(
            (error.path, error.reason.as_str()),
            (format!("{prefix}{path}"), reason)
        );
    }
}

#[test]
fn a_mistake_is_told_with_its_place() {
    let error = from_json(Signal::Logs, b"{\n  \"resourceLogs\": 5\n}").unwrap_err();
    assert_eq!(
        error.to_string(),
        "resourceLogs at line 2, column 19: invalid type: integer `5`, expected a list"
    );
    for json in [&b""[..], b"{", b"[]", b"null", b"{} {}", b"\xff"] {
        let error = from_json(Signal::Logs, json).unwrap_err();
        assert_eq!(error.path, "request", "{error}");
    }
}

#[test]
fn empty_documents_and_a_byte_order_mark_are_legal() {
    for json in [
        "{}",
        "\u{feff}{}",
        "{\"resourceSpans\":[]}",
        "{\"resourceSpans\":null}",
    ] {
        assert_eq!(
            from_json(Signal::Traces, json.as_bytes()),
            Ok(bytes::Bytes::new()),
            "{json}"
        );
    }
}

/// A record whose body nests `levels` maps.
fn nested(levels: usize) -> String {
    let open = r#"{"kvlistValue":{"values":[{"key":"k","value":"#.repeat(levels);
    format!(r#"{{"body":{open}{{}}{}}}"#, "}]}}".repeat(levels))
}

#[test]
fn objects_nest_as_deep_as_in_protobuf_and_no_deeper() {
    let bytes = record(&nested(31)).unwrap();
    assert_eq!(validate(Signal::Logs, &bytes, &Limits::default()), Ok(1));
    let again = from_json(Signal::Logs, &written(Signal::Logs, &bytes)).unwrap();
    assert_eq!(again, bytes);
    let error = record(&nested(33)).unwrap_err();
    assert_eq!(error.reason, "objects are nested too deeply");
    assert!(record(&nested(100_000)).is_err());
    let ignored = format!(
        r#"{{"unknown":{}{}}}"#,
        "[".repeat(200_000),
        "]".repeat(200_000)
    );
    assert!(record(&ignored).is_ok());
}

#[test]
fn unknown_fields_and_scattered_lists_do_not_break_the_json() {
    // Two attributes with the flags and an unknown field between them.
    let mut bytes = Vec::new();
    crate::wire::put_len_field(&mut bytes, 6, &[0x0a, 1, b'a']);
    crate::wire::put_fixed32_field(&mut bytes, 8, 1);
    crate::wire::put_varint_field(&mut bytes, 99, 1);
    crate::wire::put_len_field(&mut bytes, 6, &[0x0a, 1, b'b']);
    for number in [2, 2, 1] {
        let mut outer = Vec::new();
        crate::wire::put_len_field(&mut outer, number, &bytes);
        bytes = outer;
    }
    let json = String::from_utf8(written(Signal::Logs, &bytes)).unwrap();
    assert_eq!(
        json,
        r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"attributes":[{"key":"a"},{"key":"b"}],"flags":1}]}]}]}"#
    );
}
