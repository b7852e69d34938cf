use super::*;
use crate::transport::compression::{Encoding, compress};

const LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

#[tokio::test]
async fn every_signal_is_accepted_in_every_compression() {
    let running = start(Setup::default()).await;
    for signal in Signal::ALL {
        for encoding in [
            Encoding::Identity,
            Encoding::Gzip,
            Encoding::Zstd,
            Encoding::Deflate,
        ] {
            let message = encoded(signal, 100);
            let packed = compress(encoding, None, &message).unwrap();
            let body = framed(encoding != Encoding::Identity, &packed);
            let headers = [("grpc-encoding", encoding.as_str())];
            let answer = call(running.grpc, signal.grpc_method(), &headers, body).await;
            assert_eq!(
                (answer.status, answer.code()),
                (200, "0"),
                "{signal} {encoding:?}"
            );
            assert_eq!(
                answer.body,
                framed(false, b""),
                "full success is the empty message"
            );
            assert_eq!(answer.fields["content-type"], "application/grpc");
            let batch = running.sink.batches().pop().unwrap();
            assert_eq!(batch, (signal, 100, message.into()));
        }
    }
    assert_eq!(running.stats.totals(Signal::Logs), (400, 0, 0));
}

#[tokio::test]
async fn a_message_of_many_frames_arrives_whole() {
    let running = start(Setup::default()).await;
    let message = encoded(Signal::Logs, 60_000);
    let answer = call(running.grpc, LOGS, &[], framed(false, &message)).await;
    assert_eq!(answer.code(), "0");
    assert_eq!(
        running.sink.batches(),
        [(Signal::Logs, 60_000, message.into())]
    );
}

#[tokio::test]
async fn an_empty_request_is_a_success_and_no_batch() {
    let running = start(Setup::default()).await;
    for message in [Vec::new(), encoded(Signal::Logs, 0)] {
        let answer = call(running.grpc, LOGS, &[], framed(false, &message)).await;
        assert_eq!(
            (answer.code(), answer.body.clone()),
            ("0", framed(false, b"").into())
        );
    }
    assert!(running.sink.batches().is_empty());
}

#[tokio::test]
async fn what_cannot_be_read_is_invalid_and_names_the_field() {
    let running = start(Setup::default()).await;
    let mut wrong_text = encoded(Signal::Logs, 1);
    let at = wrong_text
        .windows(4)
        .position(|window| window == b"line")
        .unwrap();
    wrong_text[at] = 0xff;
    let zstd = [("grpc-encoding", "zstd")];
    for (name, headers, body, field) in [
        (
            "text that is no UTF-8",
            &[][..],
            framed(false, &wrong_text),
            "log_records",
        ),
        ("no protobuf", &[], framed(false, b"\xff\xff\xff"), ""),
        ("no zstd", &zstd, framed(true, b"garbage"), ""),
        ("no encoding named", &[], framed(true, b"garbage"), ""),
        (
            "a cut message",
            &[],
            framed(false, &[0; 100])[..50].to_vec(),
            "",
        ),
        ("a cut prefix", &[], vec![0, 0], ""),
        (
            "a prefix of another protocol",
            &[],
            b"GET / HTTP".to_vec(),
            "",
        ),
        (
            "two messages",
            &[],
            [framed(false, b""), framed(false, b"")].concat(),
            "",
        ),
        ("no message", &[], Vec::new(), ""),
    ] {
        let answer = call(running.grpc, LOGS, headers, body).await;
        assert_eq!(
            (answer.status, answer.code()),
            (200, "3"),
            "{name}: {answer:?}"
        );
        let status = answer.rpc_status();
        assert_eq!(status.code, 3, "{name}");
        assert_eq!(status.retry_seconds(), None, "{name}");
        let violation = status.violation().unwrap();
        assert!(violation.field.contains(field), "{name}: {violation:?}");
        assert!(!violation.description.is_empty(), "{name}");
    }
    assert_eq!(running.budget.used_bytes(), 0);
    assert_eq!(running.stats.totals(Signal::Logs), (0, 0, 9));
}

#[tokio::test]
async fn what_is_too_large_is_exhausted_without_a_time_to_retry() {
    let protocols = serde_json::json!({"grpc": {"max_recv_msg_size_mib": 1}});
    let running = start(Setup {
        protocols,
        ..Setup::default()
    })
    .await;
    let bomb = compress(Encoding::Gzip, None, &vec![0; 8 << 20]).unwrap();
    let zstd_bomb = compress(Encoding::Zstd, None, &vec![0; 8 << 20]).unwrap();
    // The prefix alone announces 65 MiB; not a byte of it follows.
    let announced = [[0].as_slice(), &(65_u32 << 20).to_be_bytes()].concat();
    for (name, encoding, body) in [
        ("announced", "identity", announced),
        ("sent", "identity", framed(false, &vec![0; (1 << 20) + 1])),
        ("inflated from gzip", "gzip", framed(true, &bomb)),
        ("inflated from zstd", "zstd", framed(true, &zstd_bomb)),
    ] {
        let answer = call(running.grpc, LOGS, &[("grpc-encoding", encoding)], body).await;
        assert_eq!(answer.code(), "8", "{name}");
        assert!(
            !answer.fields.contains_key("grpc-status-details-bin"),
            "{name}"
        );
    }
    assert_eq!(running.budget.used_bytes(), 0);
}

#[tokio::test]
async fn a_full_budget_refuses_before_the_body_is_read() {
    let running = start(Setup {
        budget_bytes: 1_000,
        ..Setup::default()
    })
    .await;
    // The prefix announces more than the budget has; not a byte of it follows.
    let announced = [[0].as_slice(), &2_000_u32.to_be_bytes()].concat();
    let answer = call(running.grpc, LOGS, &[], announced).await;
    assert_eq!(answer.code(), "14");
    assert_eq!(answer.rpc_status().retry_seconds(), Some(1.0));
    assert_eq!(running.stats.totals(Signal::Logs), (0, 1, 0));
}

#[tokio::test]
async fn inflating_is_charged_too() {
    let running = start(Setup {
        budget_bytes: 100_000,
        ..Setup::default()
    })
    .await;
    let message = encoded(Signal::Logs, 10_000);
    assert!(message.len() > 200_000);
    let packed = compress(Encoding::Zstd, None, &message).unwrap();
    assert!(packed.len() < 100_000);
    let headers = [("grpc-encoding", "zstd")];
    let answer = call(running.grpc, LOGS, &headers, framed(true, &packed)).await;
    assert_eq!(answer.code(), "14");
    assert_eq!(running.budget.used_bytes(), 0);
}

#[tokio::test]
async fn a_batch_is_charged_for_what_it_holds() {
    let running = start(Setup::default()).await;
    let message = encoded(Signal::Logs, 1_000);
    let packed = compress(Encoding::Gzip, None, &message).unwrap();
    let headers = [("grpc-encoding", "gzip")];
    call(running.grpc, LOGS, &headers, framed(true, &packed)).await;
    let charged = running.budget.used_bytes();
    assert!(
        (message.len()..message.len() * 9 / 8 + 1).contains(&charged),
        "{charged}"
    );
    running.sink.kept.lock().unwrap().clear();
    assert_eq!(running.budget.used_bytes(), 0);
}

#[tokio::test]
async fn a_zstd_body_is_kept_as_it_came_where_nobody_looks_inside() {
    let sink = Sink {
        prefers_zstd: true,
        ..Sink::default()
    };
    let running = start(Setup {
        sink,
        ..Setup::default()
    })
    .await;
    let message = encoded(Signal::Logs, 1_000);
    let packed = Bytes::from(compress(Encoding::Zstd, Some(3), &message).unwrap());
    let headers = [("grpc-encoding", "zstd")];
    call(running.grpc, LOGS, &headers, framed(true, &packed)).await;
    let payload = running.sink.kept.lock().unwrap()[0].payload.clone();
    let plain_size_bytes = u32::try_from(message.len()).unwrap();
    assert_eq!(
        payload,
        Payload::Zstd {
            frames: packed.clone(),
            plain_size_bytes
        }
    );
    assert_eq!(running.budget.used_bytes(), packed.len());
}

#[tokio::test]
async fn a_refusal_says_when_to_come_back() {
    for (refusal, seconds) in [
        (
            Refused::Full {
                what: "the spool",
                retry_after: Duration::from_millis(2_500),
            },
            2.5,
        ),
        (
            Refused::Storage {
                reason: "no space left".to_owned(),
                retry_after: Duration::from_secs(30),
            },
            30.0,
        ),
        (Refused::ShuttingDown, 1.0),
    ] {
        let sink = Sink {
            refusal: Some(refusal),
            ..Sink::default()
        };
        let running = start(Setup {
            sink,
            ..Setup::default()
        })
        .await;
        let message = framed(false, &encoded(Signal::Logs, 10));
        let answer = call(running.grpc, LOGS, &[], message).await;
        assert_eq!(answer.code(), "14");
        assert_eq!(answer.rpc_status().retry_seconds(), Some(seconds));
        assert_eq!(running.stats.totals(Signal::Logs), (0, 10, 0));
    }
}

#[tokio::test]
async fn what_is_not_here_is_unimplemented() {
    let running = start(Setup {
        takes_traces: false,
        ..Setup::default()
    })
    .await;
    let profiles = "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export";
    for path in [Signal::Traces.grpc_method(), profiles, "/x", "/"] {
        let answer = call(running.grpc, path, &[], framed(false, b"")).await;
        assert_eq!((answer.status, answer.code()), (200, "12"), "{path}");
    }
    let answer = call(
        running.grpc,
        LOGS,
        &[("grpc-encoding", "br")],
        framed(true, b"x"),
    )
    .await;
    assert_eq!(answer.code(), "12");
    assert_eq!(
        answer.fields["grpc-accept-encoding"],
        "identity,gzip,zstd,deflate"
    );
}

#[tokio::test]
async fn what_is_not_grpc_gets_an_http_status() {
    let running = start(Setup::default()).await;
    let headers = [("content-type", "application/json")];
    let answer = call(running.grpc, LOGS, &headers, b"{}".to_vec()).await;
    assert_eq!(answer.status, 415);
}

#[tokio::test]
async fn the_deadline_of_a_client_ends_the_call() {
    let sink = Sink {
        gate: Arc::new(Semaphore::new(0)),
        ..Sink::default()
    };
    let running = start(Setup {
        sink,
        ..Setup::default()
    })
    .await;
    let message = framed(false, &encoded(Signal::Logs, 1));
    let answer = call(running.grpc, LOGS, &[("grpc-timeout", "50m")], message).await;
    assert_eq!(answer.code(), "4");
    assert_eq!(running.budget.used_bytes(), 0);
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_nothing_charged() {
    let sink = Sink {
        gate: Arc::new(Semaphore::new(0)),
        ..Sink::default()
    };
    let running = start(Setup {
        sink,
        ..Setup::default()
    })
    .await;
    let message = framed(false, &encoded(Signal::Logs, 1_000));
    let calling = tokio::spawn(async move { call(running.grpc, LOGS, &[], message).await });
    while running.budget.used_bytes() == 0 {
        tokio::task::yield_now().await;
    }
    calling.abort();
    while running.budget.used_bytes() > 0 {
        tokio::task::yield_now().await;
    }
}
