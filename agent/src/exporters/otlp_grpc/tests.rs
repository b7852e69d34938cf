use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use bytes::Bytes;
use h2::Reason;
use otlp::response::FieldViolation;
use pipeline::{Batch, Budget, Exporter as _, Payload, Signal};

use super::*;
use crate::transport::compression::{compress, inflate};
use crate::transport::grpc::base64;
use crate::transport::scripted::{GrpcPeer, Step};

/// Any bytes do: an exporter does not look inside.
const MESSAGE: &[u8] = b"an encoded request, an encoded request, an encoded request";

fn batch(payload: Payload, items: u32) -> Batch {
    let charge = Budget::new(1 << 30).try_charge(payload.len()).unwrap();
    Batch::new(Signal::Logs, payload, items, charge)
}

fn plain(items: u32) -> Batch {
    batch(Payload::Plain(Bytes::from_static(MESSAGE)), items)
}

fn exporter(peer: &GrpcPeer, options: serde_json::Value) -> Exporter {
    let mut config: Config = serde_json::from_value(options).unwrap();
    config.endpoint = format!("http://{}", peer.address);
    Exporter::new("otlp_grpc", config).unwrap()
}

fn framed(message: &[u8]) -> Bytes {
    let len = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0], len.as_slice(), message].concat().into()
}

fn success() -> Step {
    Step::Answer(framed(b""), vec![("grpc-status", "0".to_owned())])
}

fn status(code: u32, details: Option<response::Status>) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("grpc-status", code.to_string()),
        ("grpc-message", "it says %C3%A9 no".to_owned()),
    ];
    if let Some(details) = details {
        fields.push(("grpc-status-details-bin", base64::encode(&details.encode())));
    }
    fields
}

/// The outcome of an export as one word.
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
async fn statuses_of_the_peer_go_by_the_table() {
    for (code, bare, with_retry_info) in [
        (0, "accepted", "accepted"),
        (1, "retry", "retry later"),
        (2, "bad data", "bad data"),
        (3, "bad data", "bad data"),
        (4, "retry", "retry later"),
        (5, "bad data", "bad data"),
        (6, "bad data", "bad data"),
        (7, "peer rejection", "peer rejection"),
        (8, "too large", "retry later"),
        (9, "bad data", "bad data"),
        (10, "retry", "retry later"),
        (11, "retry", "retry later"),
        (12, "peer rejection", "peer rejection"),
        (13, "bad data", "bad data"),
        (14, "retry", "retry later"),
        (15, "retry", "retry later"),
        (16, "peer rejection", "peer rejection"),
        (77, "bad data", "bad data"),
    ] {
        let retry = response::Status {
            retry_delay: Some(Duration::from_millis(1_500)),
            ..response::Status::default()
        };
        for (details, expected) in [(None, bare), (Some(retry), with_retry_info)] {
            let fields = status(code, details);
            // In trailers behind the headers, and alone: both are the peer's word.
            for step in [
                Step::Answer(Bytes::new(), fields.clone()),
                Step::HeadersOnly(200, fields.clone()),
            ] {
                let peer = GrpcPeer::start([step.clone()]).await;
                let exported = exporter(&peer, serde_json::json!({}))
                    .export(&plain(10))
                    .await;
                assert_eq!(word(&exported), expected, "code {code}: {step:?}");
                if let Err(error) = &exported {
                    let message = error.to_string();
                    assert!(message.contains("it says \u{e9} no"), "{message}");
                    assert!(message.contains(&peer.address.to_string()), "{message}");
                }
                if let Err(ExportError::Retry {
                    after: Some(after), ..
                }) = exported
                {
                    assert_eq!(after, Duration::from_millis(1_500));
                }
            }
        }
    }
}

#[tokio::test]
async fn one_item_that_is_too_large_is_bad_data() {
    let peer = GrpcPeer::start([Step::HeadersOnly(200, status(8, None))]).await;
    let exported = exporter(&peer, serde_json::json!({}))
        .export(&plain(1))
        .await;
    assert!(matches!(
        exported,
        Err(ExportError::BadData {
            reason: "too_large",
            ..
        })
    ));
}

#[tokio::test]
async fn details_of_other_kinds_are_not_a_time_to_retry() {
    let details = response::Status {
        violations: vec![FieldViolation::default()],
        ..response::Status::default()
    };
    let peer = GrpcPeer::start([Step::HeadersOnly(200, status(8, Some(details)))]).await;
    let exported = exporter(&peer, serde_json::json!({}))
        .export(&plain(2))
        .await;
    assert_eq!(word(&exported), "too large");
}

#[tokio::test]
async fn what_is_no_answer_is_tried_again() {
    for step in [
        Step::NoTrailers(framed(b"")),
        Step::NoTrailers(Bytes::new()),
        Step::NoTrailers(Bytes::from_static(&[0, 0, 0])),
        Step::NoTrailers(Bytes::from_static(&[0, 0, 0, 0, 9, 1, 2])),
        Step::NoTrailers(Bytes::from_static(b"<html>not gRPC</html>")),
        Step::Reset(Reason::NO_ERROR, true),
        Step::Reset(Reason::CANCEL, true),
        Step::Reset(Reason::INTERNAL_ERROR, false),
        Step::Reset(Reason::REFUSED_STREAM, false),
        Step::GoAway(Reason::NO_ERROR),
        Step::GoAway(Reason::INTERNAL_ERROR),
        Step::Break,
    ] {
        let peer = GrpcPeer::start([step.clone(), success()]).await;
        let exporter = exporter(&peer, serde_json::json!({}));
        let exported = exporter.export(&plain(10)).await;
        assert_eq!(word(&exported), "retry", "{step:?}: {exported:?}");
        // The next attempt finds a connection that works, be it the same or a new one.
        let exported = exporter.export(&plain(10)).await;
        assert_eq!(word(&exported), "accepted", "after {step:?}: {exported:?}");
    }
}

#[tokio::test]
async fn answers_of_a_proxy_are_told_from_those_of_the_peer() {
    for (code, expected) in [
        (302, "peer rejection"),
        (400, "peer rejection"),
        (401, "peer rejection"),
        (403, "peer rejection"),
        (404, "peer rejection"),
        (413, "too large"),
        (415, "peer rejection"),
        (429, "retry"),
        (500, "retry"),
        (502, "retry"),
        (503, "retry"),
        (504, "retry"),
    ] {
        let peer = GrpcPeer::start([Step::HeadersOnly(code, Vec::new())]).await;
        let exported = exporter(&peer, serde_json::json!({}))
            .export(&plain(10))
            .await;
        assert_eq!(word(&exported), expected, "HTTP {code}");
    }
}

#[tokio::test]
async fn partial_success_is_final() {
    let partial = ExportResponse {
        rejected_items: 3,
        error_message: "too old".to_owned(),
    };
    let warning = ExportResponse {
        rejected_items: 0,
        error_message: "careful".to_owned(),
    };
    for (response, expected) in [
        (
            partial.encode(),
            Exported {
                rejected: 3,
                reason: "too old".to_owned(),
            },
        ),
        (warning.encode(), Exported::default()),
        (b"\xff\xff".to_vec(), Exported::default()),
    ] {
        let trailers = vec![("grpc-status", "0".to_owned())];
        let peer = GrpcPeer::start([Step::Answer(framed(&response), trailers)]).await;
        let exported = exporter(&peer, serde_json::json!({}))
            .export(&plain(10))
            .await;
        assert_eq!(exported.unwrap(), expected);
    }
}

#[tokio::test]
async fn an_answer_above_4_mib_is_not_read_and_its_request_not_sent_again() {
    let trailers = vec![("grpc-status", "0".to_owned())];
    let peer = GrpcPeer::start([Step::Answer(framed(&vec![0; 5 << 20]), trailers)]).await;
    let exported = exporter(&peer, serde_json::json!({}))
        .export(&plain(10))
        .await;
    assert_eq!(exported.unwrap(), Exported::default());
}

#[tokio::test]
async fn a_call_looks_as_the_protocol_says() {
    let peer = GrpcPeer::start([success()]).await;
    let options = serde_json::json!({"headers": {"x-tenant": "lab"}});
    exporter(&peer, options).export(&plain(10)).await.unwrap();
    let seen = peer.seen();
    let (head, body) = &seen.calls[0];
    assert_eq!(head.method(), "POST");
    assert_eq!(head.uri().path(), Signal::Logs.grpc_method());
    for (name, value) in [
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("grpc-encoding", "gzip"),
        ("x-tenant", "lab"),
        (
            "user-agent",
            concat!("skybridge/", env!("CARGO_PKG_VERSION")),
        ),
    ] {
        assert_eq!(head.headers()[name], value);
    }
    assert_eq!(body[0], 1, "compressed");
    assert_eq!(inflate(Encoding::Gzip, &body[5..], 1_000).unwrap(), MESSAGE);
}

#[tokio::test]
async fn zstd_frames_are_forwarded_as_they_came() {
    let frames = Bytes::from(compress(Encoding::Zstd, Some(7), MESSAGE).unwrap());
    let plain_size_bytes = u32::try_from(MESSAGE.len()).unwrap();
    let payload = Payload::Zstd {
        frames: frames.clone(),
        plain_size_bytes,
    };
    let peer = GrpcPeer::start([success()]).await;
    let options = serde_json::json!({"compression": "zstd"});
    exporter(&peer, options)
        .export(&batch(payload.clone(), 3))
        .await
        .unwrap();
    let options = serde_json::json!({"compression": "none"});
    exporter(&peer, options)
        .export(&batch(payload, 3))
        .await
        .unwrap();
    let seen = peer.seen();
    assert_eq!(seen.calls[0].0.headers()["grpc-encoding"], "zstd");
    assert_eq!(seen.calls[0].1[5..], frames);
    assert!(!seen.calls[1].0.headers().contains_key("grpc-encoding"));
    assert_eq!(seen.calls[1].1, framed(MESSAGE));
}

#[tokio::test]
async fn a_compression_that_the_peer_does_not_read_is_not_used_again() {
    let refusal = vec![
        ("grpc-status", "12".to_owned()),
        (
            "grpc-message",
            "Decompressor is not installed for grpc-encoding \"zstd\"".to_owned(),
        ),
    ];
    let refused = Step::HeadersOnly(200, refusal);
    let peer = GrpcPeer::start([refused.clone(), refused, success()]).await;
    let exporter = exporter(&peer, serde_json::json!({"compression": "zstd"}));
    for expected in ["retry", "retry", "accepted"] {
        assert_eq!(word(&exporter.export(&plain(1)).await), expected);
    }
    let seen = peer.seen();
    assert_eq!(seen.calls[1].0.headers()["grpc-encoding"], "gzip");
    assert!(!seen.calls[2].0.headers().contains_key("grpc-encoding"));
}

#[tokio::test]
async fn calls_share_one_connection() {
    let peer = GrpcPeer::start([success()]).await;
    let exporter = exporter(&peer, serde_json::json!({}));
    let done = AtomicUsize::new(0);
    let export = || async {
        exporter.export(&plain(1)).await.unwrap();
        done.fetch_add(1, Ordering::Relaxed);
    };
    tokio::join!(export(), export(), export(), export(), export());
    assert_eq!(done.load(Ordering::Relaxed), 5);
    assert_eq!(peer.seen().connections, 1);
}

#[tokio::test]
async fn nobody_there_is_no_answer_and_names_the_endpoint() {
    let peer = GrpcPeer::start([success()]).await;
    let address = peer.address;
    let exporter = exporter(&peer, serde_json::json!({}));
    drop(peer);
    tokio::task::yield_now().await;
    let exported = exporter.export(&plain(1)).await;
    assert_eq!(word(&exported), "retry");
    let message = exported.unwrap_err().to_string();
    assert!(message.contains(&address.to_string()), "{message}");
    assert!(message.contains("refused"), "{message}");
}

/// Scenario: after a first answer the peer neither reads nor writes any more, as when a tunnel was
/// rebuilt under an open connection.
/// Guarantees: pings find it out, and the call ends as no answer within a moment.
#[tokio::test]
async fn a_peer_that_stops_reading_is_found_out() {
    let peer = GrpcPeer::start([success(), Step::Freeze, success()]).await;
    let keepalive = serde_json::json!({"time": "100ms", "timeout": "100ms"});
    let exporter = exporter(&peer, serde_json::json!({"keepalive": keepalive}));
    exporter.export(&plain(1)).await.unwrap();
    let started = Instant::now();
    assert_eq!(word(&exporter.export(&plain(1)).await), "retry");
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(word(&exporter.export(&plain(1)).await), "accepted");
    assert_eq!(peer.seen().connections, 2);
}

#[tokio::test]
async fn a_call_that_is_given_up_does_not_spoil_the_connection() {
    let gate = GrpcPeer::start([success()]).await;
    let exporter = exporter(&gate, serde_json::json!({}));
    let batch = plain(1);
    for _ in 0..20 {
        let given_up = tokio::time::timeout(Duration::ZERO, exporter.export(&batch));
        let _ = given_up.await;
    }
    assert_eq!(word(&exporter.export(&plain(1)).await), "accepted");
}

#[test]
fn what_cannot_work_is_told_by_check() {
    for (options, key_path) in [
        (serde_json::json!({}), "endpoint"),
        (serde_json::json!({"endpoint": "collector"}), "endpoint"),
        (
            serde_json::json!({"endpoint": "a:1", "compression": "snappy"}),
            "compression",
        ),
        (
            serde_json::json!({"endpoint": "a:1", "auth": {"authenticator": "x"}}),
            "auth",
        ),
        (
            serde_json::json!({"endpoint": "a:1", "tls": {"cert_file": "/a"}}),
            "tls",
        ),
        (
            serde_json::json!({"endpoint": "a:1", "sending_queue": {"num_consumers": 0}}),
            "sending_queue::num_consumers",
        ),
    ] {
        let config: Config = serde_json::from_value(options).unwrap();
        assert_eq!(config.check().unwrap_err().key_path, key_path);
    }
}
