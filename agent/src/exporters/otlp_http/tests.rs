use bytes::Bytes;
use pipeline::{Budget, Exporter as _, clock};

use super::*;
use crate::transport::compression::inflate;
use crate::transport::scripted::{HttpPeer, answer};

const PROTOBUF: &str = "Content-Type: application/x-protobuf\r\n";
const JSON: &str = "Content-Type: application/json; charset=utf-8\r\n";
/// An empty resource: valid in both encodings.
const MESSAGE: &[u8] = &[0x0a, 0x00];

fn batch(items: u32) -> Batch {
    let payload = Payload::Plain(Bytes::from_static(MESSAGE));
    let charge = Budget::new(1 << 20).try_charge(payload.len()).unwrap();
    Batch::new(Signal::Logs, payload, items, charge)
}

fn exporter(peer: &HttpPeer, mut options: serde_json::Value) -> Exporter {
    if options.get("logs_endpoint").is_none() {
        options["endpoint"] = format!("http://{}/base/", peer.address).into();
    }
    let config: Config = serde_json::from_value(options).unwrap();
    assert_eq!(config.check(), Ok(()));
    Exporter::new("otlp_http", config).unwrap()
}

async fn export(answer: Vec<u8>, items: u32) -> Result<Exported, ExportError> {
    let peer = HttpPeer::start(answer).await;
    exporter(&peer, serde_json::json!({}))
        .export(&batch(items))
        .await
}

fn word(exported: &Result<Exported, ExportError>) -> &'static str {
    match exported {
        Ok(_) => "accepted",
        Err(ExportError::Retry { after: None, .. }) => "retry",
        Err(ExportError::Retry { after: Some(_), .. }) => "retry later",
        Err(ExportError::BadData { .. }) => "bad data",
        Err(ExportError::PeerRejection { .. }) => "peer rejection",
        Err(ExportError::TooLarge { .. }) => "too large",
    }
}

#[tokio::test]
async fn statuses_go_by_the_table() {
    for (status, expected) in [
        (200, "accepted"),
        (202, "accepted"),
        (301, "peer rejection"),
        (307, "peer rejection"),
        (400, "bad data"),
        (401, "peer rejection"),
        (403, "peer rejection"),
        (404, "peer rejection"),
        (405, "peer rejection"),
        (413, "too large"),
        (422, "bad data"),
        (429, "retry"),
        (500, "bad data"),
        (501, "bad data"),
        (502, "retry"),
        (503, "retry"),
        (504, "retry"),
    ] {
        let exported = export(answer(status, "", b"because"), 10).await;
        assert_eq!(word(&exported), expected, "{status}");
        if let Err(error) = exported {
            let message = error.to_string();
            assert!(message.contains("because"), "{message}");
            assert!(message.contains("/base/v1/logs"), "{message}");
        }
    }
    assert_eq!(word(&export(answer(413, "", b""), 1).await), "bad data");
}

#[tokio::test]
async fn retry_after_is_read_in_both_forms() {
    let in_a_minute = clock::unix_nano() / 1_000_000_000 + 60;
    let in_a_minute = jiff::Timestamp::from_second(i64::try_from(in_a_minute).unwrap()).unwrap();
    let date = in_a_minute
        .strftime("%a, %d %b %Y %H:%M:%S GMT")
        .to_string();
    for (value, expected) in [
        ("7", Some(7..=7)),
        ("0", Some(0..=0)),
        (date.as_str(), Some(58..=60)),
        ("Tue, 15 Nov 1994 08:12:31 GMT", Some(0..=0)),
        ("999999", Some(600..=600)),
        ("soon", None),
        ("-3", None),
    ] {
        for status in [429, 502, 503, 504] {
            let headers = format!("Retry-After: {value}\r\n");
            let exported = export(answer(status, &headers, b""), 1).await;
            let Err(ExportError::Retry { after, .. }) = exported else {
                panic!("{value}: {exported:?}");
            };
            let seconds = after.map(|after| after.as_secs());
            match &expected {
                Some(range) => assert!(range.contains(&seconds.unwrap()), "{value}: {after:?}"),
                None => assert_eq!(after, None, "{value}"),
            }
        }
    }
}

#[tokio::test]
async fn partial_success_is_read_in_both_encodings() {
    let partial = ExportResponse {
        rejected_items: 3,
        error_message: "too old".to_owned(),
    };
    let rejected = Exported {
        rejected: 3,
        reason: "too old".to_owned(),
    };
    let as_text = br#"{"partialSuccess":{"rejectedLogRecords":"3","errorMessage":"too old"}}"#;
    let as_number = br#"{"partialSuccess":{"rejectedLogRecords":3,"errorMessage":"too old"}}"#;
    for (headers, body, expected) in [
        (PROTOBUF, partial.encode(), rejected.clone()),
        (JSON, as_text.to_vec(), rejected.clone()),
        (JSON, as_number.to_vec(), rejected),
        (
            JSON,
            br#"{"partialSuccess":{}}"#.to_vec(),
            Exported::default(),
        ),
        (JSON, b"{}".to_vec(), Exported::default()),
        (JSON, Vec::new(), Exported::default()),
    ] {
        let exported = export(answer(200, headers, &body), 10).await;
        assert_eq!(exported.unwrap(), expected);
    }
}

/// A request that was accepted is never sent again, whatever its answer looks like.
#[tokio::test]
async fn success_with_a_broken_body_is_success() {
    let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\nhalf".to_vec();
    for answer in [
        answer(200, PROTOBUF, b"\xff\xff\xff"),
        answer(200, JSON, b"{\"partial"),
        answer(200, "Content-Type: text/html\r\n", b"<html>"),
        answer(200, PROTOBUF, &vec![0; 5 << 20]),
        cut,
    ] {
        let exported = export(answer, 10).await;
        assert_eq!(exported.unwrap(), Exported::default());
    }
}

#[tokio::test]
async fn errors_tell_what_the_peer_says_in_any_form() {
    let status = response::Status {
        message: "no such tenant".to_owned(),
        ..Default::default()
    };
    for (headers, body) in [
        (PROTOBUF, status.encode()),
        (JSON, status.to_json().into_bytes()),
        ("Content-Type: text/plain\r\n", b"no such tenant\n".to_vec()),
    ] {
        let exported = export(answer(400, headers, &body), 1).await;
        let message = exported.unwrap_err().to_string();
        assert!(
            message.ends_with("400 Bad Request: no such tenant"),
            "{message}"
        );
    }
}

#[tokio::test]
async fn no_answer_is_tried_again() {
    assert_eq!(word(&export(Vec::new(), 1).await), "retry");
    assert_eq!(
        word(&export(b"HTTP/1.1 200 OK\r\nConnection: close\r\n".to_vec(), 1).await),
        "retry"
    );
    let peer = HttpPeer::start(b"HTTP/1.1 ".to_vec()).await;
    let exporter = exporter(&peer, serde_json::json!({"timeout": "100ms"}));
    let error = exporter.export(&batch(1)).await.unwrap_err().to_string();
    assert!(error.contains("no answer within 100ms"), "{error}");
}

#[tokio::test]
async fn a_request_looks_as_the_protocol_says() {
    let peer = HttpPeer::start(answer(200, PROTOBUF, b"")).await;
    let options = serde_json::json!({"headers": {"x-tenant": "lab", "host": "collector.test"}});
    exporter(&peer, options).export(&batch(1)).await.unwrap();
    let (head, body) = peer.requests().remove(0);
    assert!(head.starts_with("post /base/v1/logs http/1.1"), "{head}");
    for line in [
        "content-type: application/x-protobuf",
        "content-encoding: gzip",
        "x-tenant: lab",
        "host: collector.test",
        concat!("user-agent: skybridge/", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(head.contains(line), "{line} in {head}");
    }
    assert_eq!(inflate(Encoding::Gzip, &body, 100).unwrap(), MESSAGE);
}

#[tokio::test]
async fn json_is_sent_when_asked_for() {
    let peer = HttpPeer::start(answer(200, JSON, b"{}")).await;
    let options = serde_json::json!({"encoding": "json", "compression": "none"});
    exporter(&peer, options).export(&batch(1)).await.unwrap();
    let (head, body) = peer.requests().remove(0);
    assert!(head.contains("content-type: application/json"), "{head}");
    assert!(!head.contains("content-encoding"), "{head}");
    let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert!(json["resourceLogs"].is_array(), "{json}");
}

#[tokio::test]
async fn an_endpoint_of_one_signal_is_used_as_it_is() {
    let peer = HttpPeer::start(answer(200, PROTOBUF, b"")).await;
    let url = format!("http://{}/insert/logs?tenant=1", peer.address);
    let exporter = exporter(&peer, serde_json::json!({"logs_endpoint": url}));
    exporter.export(&batch(1)).await.unwrap();
    let (head, _) = peer.requests().remove(0);
    assert!(
        head.starts_with("post /insert/logs?tenant=1 http/1.1"),
        "{head}"
    );
    let payload = Payload::Plain(Bytes::from_static(MESSAGE));
    let charge = Budget::new(1 << 20).try_charge(payload.len()).unwrap();
    let traces = Batch::new(Signal::Traces, payload, 1, charge);
    assert_eq!(word(&exporter.export(&traces).await), "peer rejection");
}

#[tokio::test]
async fn a_compression_that_the_peer_does_not_read_is_not_used_again() {
    let peer = HttpPeer::start(answer(415, "", b"")).await;
    let exporter = exporter(&peer, serde_json::json!({"compression": "zstd"}));
    for expected in ["retry", "retry", "peer rejection"] {
        assert_eq!(word(&exporter.export(&batch(1)).await), expected);
    }
    let used = peer.requests().into_iter().map(|(head, _)| {
        let line = head
            .lines()
            .find_map(|line| line.strip_prefix("content-encoding: "));
        line.unwrap_or("none").to_owned()
    });
    assert_eq!(used.collect::<Vec<_>>(), ["zstd", "gzip", "none"]);
}

#[test]
fn what_cannot_work_is_told_by_check() {
    for (options, key_path) in [
        (serde_json::json!({}), "endpoint"),
        (
            serde_json::json!({"endpoint": "collector:4318"}),
            "endpoint",
        ),
        (
            serde_json::json!({"logs_endpoint": "ftp://a"}),
            "logs_endpoint",
        ),
        (
            serde_json::json!({"endpoint": "http://a", "proxy_url": "http://b"}),
            "proxy_url",
        ),
        (serde_json::json!({"endpoint": "http://u:p@a"}), "endpoint"),
    ] {
        let config: Config = serde_json::from_value(options).unwrap();
        let problem = config.check().unwrap_err();
        assert_eq!(problem.key_path, key_path);
        assert!(!problem.message.contains("u:p"), "{}", problem.message);
    }
}
