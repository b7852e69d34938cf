//! OTLP over HTTP as no SDK of ours writes it: JSON in all the spellings that the specification
//! allows, and every content encoding.

use std::io::Write;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use prost::Message;
use tests::client::Http;
use tests::json_lines::Requests;
use tests::payload::numbered_logs;
use tests::wait::{eventually, holds};

use crate::chain::Chain;

const ARRIVES_WITHIN: Duration = Duration::from_secs(20);

/// Hexadecimal digits of either case, 64-bit numbers as strings and as numbers, `null`, unknown
/// keys, nesting, base64.
const UNUSUAL: &str = r#"{
  "resourceLogs": [{
    "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "by hand"}}], "droppedAttributesCount": 2},
    "unknownKey": {"of": ["the", "future"]},
    "scopeLogs": [{
      "scope": {"name": "hand", "version": null},
      "schemaUrl": "https://schema.invalid/x",
      "logRecords": [{
        "timeUnixNano": "1700000000123456789",
        "observedTimeUnixNano": 1700000000123456000,
        "severityNumber": 17,
        "severityText": "ERROR",
        "traceId": "0AF7651916CD43DD8448EB211C80319c",
        "spanId": "b7ad6b7169203331",
        "flags": 1,
        "body": {"kvlistValue": {"values": [
          {"key": "int", "value": {"intValue": "-9223372036854775808"}},
          {"key": "small", "value": {"intValue": 7}},
          {"key": "double", "value": {"doubleValue": 0.1}},
          {"key": "raw", "value": {"bytesValue": "AP+A"}},
          {"key": "none", "value": {}},
          {"key": "list", "value": {"arrayValue": {"values": [{"boolValue": false}, {"stringValue": "\u00fc\ud83d\ude80"}]}}}
        ]}}
      }]
    }]
  }]
}"#;

/// The same in prost's own spelling of JSON.
const USUAL: &str = r#"{
  "resourceLogs": [{
    "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "by hand"}}], "droppedAttributesCount": 2},
    "scopeLogs": [{
      "scope": {"name": "hand"},
      "schemaUrl": "https://schema.invalid/x",
      "logRecords": [{
        "timeUnixNano": "1700000000123456789",
        "observedTimeUnixNano": "1700000000123456000",
        "severityNumber": 17,
        "severityText": "ERROR",
        "traceId": "0af7651916cd43dd8448eb211c80319c",
        "spanId": "b7ad6b7169203331",
        "flags": 1,
        "body": {"kvlistValue": {"values": [
          {"key": "int", "value": {"intValue": "-9223372036854775808"}},
          {"key": "small", "value": {"intValue": "7"}},
          {"key": "double", "value": {"doubleValue": 0.1}},
          {"key": "raw", "value": {"bytesValue": "AP+A"}},
          {"key": "none", "value": {}},
          {"key": "list", "value": {"arrayValue": {"values": [{"boolValue": false}, {"stringValue": "\u00fc\ud83d\ude80"}]}}}
        ]}}
      }]
    }]
  }]
}"#;

#[tokio::test(flavor = "multi_thread")]
async fn json_in_unusual_spelling_means_the_same() {
    let chain = Chain::start().await;
    let url = chain.http.url("/v1/logs");
    let headers = [("content-type", "application/json; charset=utf-8")];
    let answer = Http::default().post(&url, &headers, UNUSUAL).await;
    assert_eq!(answer, Ok((200, "{}".to_owned())));
    let expected = Requests::of(USUAL.replace('\n', "").as_bytes()).log_items();
    arrives(&chain, expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_content_encoding_is_understood() {
    let chain = Chain::start().await;
    let mut sent = Requests::default();
    for (at, encoding) in ["", "gzip", "zstd"].into_iter().enumerate() {
        let logs = numbered_logs("encodings", [at as u64]);
        let body = encoded(encoding, &logs);
        let mut headers = vec![("content-type", "application/x-protobuf")];
        if !encoding.is_empty() {
            headers.push(("content-encoding", encoding));
        }
        let url = chain.http.url("/v1/logs");
        let answer = Http::default().post(&url, &headers, body).await;
        assert!(matches!(answer, Ok((200, _))), "{encoding}: {answer:?}");
        sent.logs.push(logs);
    }
    arrives(&chain, sent.log_items()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_otlp_is_refused_and_leaves_the_program_well() {
    let chain = Chain::start().await;
    let http = Http::default();
    for (content_type, body, status) in [
        ("application/x-protobuf", "\u{ff}\u{ff}nonsense", 400),
        ("application/json", "{\"resourceLogs\": 7}", 400),
        ("application/json", "{", 400),
        ("text/plain", "hello", 415),
    ] {
        let headers = [("content-type", content_type)];
        let answer = http.post(&chain.http.url("/v1/logs"), &headers, body).await;
        let answered = answer.expect("an answer");
        assert_eq!(
            answered.0, status,
            "{content_type} {body:?}: {}",
            answered.1
        );
    }
    let logs = numbered_logs("well", [1]);
    let headers = [("content-type", "application/x-protobuf")];
    let url = chain.http.url("/v1/logs");
    let answer = http.post(&url, &headers, logs.encode_to_vec()).await;
    assert!(matches!(answer, Ok((200, _))), "{answer:?}");
    let sent = Requests {
        logs: vec![logs],
        ..Requests::default()
    };
    arrives(&chain, sent.log_items()).await;
}

async fn arrives(chain: &Chain, expected: tests::json_lines::Items) {
    let arrived = eventually(ARRIVES_WITHIN, "all items in the file", async || {
        let arrived = chain.output().log_items();
        let count = arrived.len();
        holds(count >= expected.len(), format!("{count} items")).map(|()| arrived)
    })
    .await;
    assert_eq!(arrived, expected);
}

fn encoded(encoding: &str, logs: &ExportLogsServiceRequest) -> Vec<u8> {
    let message = logs.encode_to_vec();
    match encoding {
        "gzip" => {
            let mut encoder =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(&message).expect("gzip");
            encoder.finish().expect("gzip")
        }
        "zstd" => zstd::bulk::compress(&message, 3).expect("zstd"),
        _ => message,
    }
}
