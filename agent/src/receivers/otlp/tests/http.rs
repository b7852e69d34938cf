use super::*;
use crate::transport::compression::{Encoding, compress};

#[tokio::test]
async fn every_signal_is_accepted_in_every_compression() {
    let running = start(Setup::default()).await;
    for signal in Signal::ALL {
        for encoding in [
            Encoding::Identity,
            Encoding::Gzip,
            Encoding::Zstd,
            Encoding::Deflate,
            Encoding::Snappy,
        ] {
            let message = encoded(signal, 100);
            let packed = compress(encoding, None, &message).unwrap();
            let headers = format!("{PROTOBUF}Content-Encoding: {}\r\n", encoding.as_str());
            let request = post(signal.http_path(), &headers, &packed);
            let (status, head, body) = exchange(running.http, &request).await;
            assert_eq!(
                (status, body.as_slice()),
                (200, &b""[..]),
                "{signal} {encoding:?}"
            );
            assert!(
                head.contains("content-type: application/x-protobuf"),
                "{head}"
            );
            let batch = running.sink.batches().pop().unwrap();
            assert_eq!(batch, (signal, 100, message.into()));
        }
    }
}

#[tokio::test]
async fn json_becomes_the_bytes_that_an_encoder_writes() {
    let running = start(Setup::default()).await;
    for (signal, json) in [
        (Signal::Logs, serde_json::to_vec(&logs(50)).unwrap()),
        (Signal::Metrics, serde_json::to_vec(&metrics(50)).unwrap()),
        (Signal::Traces, serde_json::to_vec(&traces(50)).unwrap()),
    ] {
        let with_mark = [b"\xef\xbb\xbf", json.as_slice()].concat();
        let packed = compress(Encoding::Gzip, None, &json).unwrap();
        for (headers, body) in [
            (JSON, &json),
            (
                "Content-Type: Application/JSON; charset=utf-8\r\n",
                &with_mark,
            ),
            (
                "Content-Type: application/json\r\nContent-Encoding: gzip\r\n",
                &packed,
            ),
        ] {
            let request = post(signal.http_path(), headers, body);
            let (status, head, body) = exchange(running.http, &request).await;
            assert_eq!(
                (status, body.as_slice()),
                (200, &b"{}"[..]),
                "{signal} {headers}"
            );
            assert!(head.contains("content-type: application/json"), "{head}");
            let (_, items, bytes) = running.sink.batches().pop().unwrap();
            assert_eq!(items, 50);
            match signal {
                Signal::Logs => assert_eq!(ExportLogsServiceRequest::decode(bytes), Ok(logs(50))),
                Signal::Metrics => {
                    assert_eq!(ExportMetricsServiceRequest::decode(bytes), Ok(metrics(50)));
                }
                Signal::Traces => {
                    assert_eq!(ExportTraceServiceRequest::decode(bytes), Ok(traces(50)));
                }
            }
        }
    }
}

#[tokio::test]
async fn a_body_without_a_length_is_read_to_its_end() {
    let running = start(Setup::default()).await;
    let message = encoded(Signal::Logs, 20_000);
    let mut request = format!(
        "POST /v1/logs HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n{PROTOBUF}\r\n"
    )
    .into_bytes();
    for chunk in message.chunks(10_000) {
        request.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        request.extend_from_slice(chunk);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"0\r\n\r\n");
    let (status, ..) = exchange(running.http, &request).await;
    assert_eq!(status, 200);
    assert_eq!(
        running.sink.batches(),
        [(Signal::Logs, 20_000, message.into())]
    );
}

#[tokio::test]
async fn http2_without_tls_is_spoken_too() {
    let running = start(Setup::default()).await;
    let message = encoded(Signal::Logs, 10);
    let headers = [("content-type", "application/x-protobuf")];
    let answer = call(running.http, "/v1/logs", &headers, message.clone()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(running.sink.batches(), [(Signal::Logs, 10, message.into())]);
}

#[tokio::test]
async fn an_empty_request_is_a_success_and_no_batch() {
    let running = start(Setup::default()).await;
    for (headers, body, expected) in [(PROTOBUF, "", ""), (JSON, "{}", "{}")] {
        let request = post("/v1/logs", headers, body.as_bytes());
        let (status, _, answer) = exchange(running.http, &request).await;
        assert_eq!((status, answer.as_slice()), (200, expected.as_bytes()));
    }
    assert!(running.sink.batches().is_empty());
}

/// Each error carries a `google.rpc.Status` in the encoding of the request.
#[tokio::test]
async fn errors_answer_in_the_encoding_of_the_request() {
    let running = start(Setup {
        takes_traces: false,
        ..Setup::default()
    })
    .await;
    let big = format!("{PROTOBUF}Content-Encoding: br\r\n");
    for (name, request, expected) in [
        (
            "no protobuf",
            post("/v1/logs", PROTOBUF, b"\xff\xff"),
            (400, 3),
        ),
        (
            "no gzip",
            post(
                "/v1/logs",
                &format!("{PROTOBUF}Content-Encoding: gzip\r\n"),
                b"x",
            ),
            (400, 3),
        ),
        ("no pipeline", post("/v1/traces", PROTOBUF, b""), (404, 12)),
        ("no path", post("/v1/nothing", PROTOBUF, b""), (404, 12)),
        (
            "another type",
            post("/v1/logs", "Content-Type: text/plain\r\n", b""),
            (415, 12),
        ),
        ("no type", post("/v1/logs", "", b""), (415, 12)),
        ("another encoding", post("/v1/logs", &big, b""), (415, 12)),
        (
            "another method",
            b"GET /v1/logs HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".to_vec(),
            (405, 12),
        ),
    ] {
        let (status, head, body) = exchange(running.http, &request).await;
        let decoded = RpcStatus::decode(body.as_slice()).unwrap();
        assert_eq!((status, decoded.code), expected, "{name}");
        assert!(!decoded.message.is_empty(), "{name}");
        assert!(
            head.contains("content-type: application/x-protobuf"),
            "{name}: {head}"
        );
        assert_eq!(
            head.contains("allow: post"),
            status == 405,
            "{name}: {head}"
        );
        assert!(!head.contains("retry-after"), "{name}: {head}");
    }
    let (status, head, body) = exchange(running.http, &post("/v1/logs", JSON, b"{\"a")).await;
    let decoded: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((status, &decoded["code"]), (400, &3.into()));
    assert!(
        decoded["message"]
            .as_str()
            .is_some_and(|text| !text.is_empty())
    );
    assert!(head.contains("content-type: application/json"), "{head}");
}

#[tokio::test]
async fn what_is_too_large_is_413() {
    let protocols = serde_json::json!({"http": {"max_request_body_size": 100_000}});
    let running = start(Setup {
        protocols,
        ..Setup::default()
    })
    .await;
    let bomb = compress(Encoding::Zstd, None, &vec![0; 1 << 20]).unwrap();
    let chunked = format!(
        "POST /v1/logs HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n{PROTOBUF}\r\n1d4c0\r\n"
    );
    let chunked = [chunked.as_bytes(), &[0; 120_000], b"\r\n0\r\n\r\n"].concat();
    for (name, request) in [
        ("announced", post("/v1/logs", PROTOBUF, &[0; 100_001])),
        ("without a length", chunked),
        (
            "inflated",
            post(
                "/v1/logs",
                &format!("{PROTOBUF}Content-Encoding: zstd\r\n"),
                &bomb,
            ),
        ),
    ] {
        let (status, _, body) = exchange(running.http, &request).await;
        assert_eq!(status, 413, "{name}");
        assert_eq!(
            RpcStatus::decode(body.as_slice()).unwrap().code,
            8,
            "{name}"
        );
    }
    assert_eq!(running.budget.used_bytes(), 0);
}

#[tokio::test]
async fn a_sender_that_asks_first_is_refused_before_it_sends() {
    let protocols = serde_json::json!({"http": {"max_request_body_size": 1_000}});
    let running = start(Setup {
        protocols,
        ..Setup::default()
    })
    .await;
    let request = format!(
        "POST /v1/logs HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\nExpect: 100-continue\r\n{PROTOBUF}\r\n"
    );
    let (status, ..) = exchange(running.http, request.as_bytes()).await;
    assert_eq!(status, 413);
}

/// Scenario: a large body is pushed at a server without room for it.
/// Guarantees: the sender reads the refusal, not a broken pipe.
#[tokio::test]
async fn a_sender_that_trickles_does_not_hold_the_budget_for_ever() {
    let running = start(Setup {
        protocols: serde_json::json!({"http": {"read_timeout": "300ms"}}),
        budget_bytes: 1_000_000,
        ..Setup::default()
    })
    .await;
    let mut stream = TcpStream::connect(running.http).await.unwrap();
    let head =
        format!("POST /v1/logs HTTP/1.1\r\nHost: a\r\n{PROTOBUF}Content-Length: 1000000\r\n\r\nx");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 1_000];
    let read = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            tokio::select! {
                read = stream.read(&mut answer) => break read.unwrap(),
                () = tokio::time::sleep(Duration::from_millis(50)) => {}
            }
            stream.write_all(b"x").await.unwrap();
        }
    });
    let read = read.await.unwrap();
    assert!(answer[..read].starts_with(b"HTTP/1.1 504 "));
    assert_eq!(running.budget.used_bytes(), 0);
    assert_eq!(running.stats.totals(Signal::Logs), (0, 0, 1));
}

#[tokio::test]
async fn a_refused_sender_can_push_its_whole_body_and_reads_why() {
    let running = start(Setup {
        budget_bytes: 1_000,
        ..Setup::default()
    })
    .await;
    let message = vec![0; 8 << 20];
    let (status, head, body) = exchange(running.http, &post("/v1/logs", PROTOBUF, &message)).await;
    assert_eq!(status, 503);
    assert!(head.contains("retry-after: 1\r\n"), "{head}");
    assert_eq!(
        RpcStatus::decode(body.as_slice()).unwrap().retry_seconds(),
        Some(1.0)
    );
    assert_eq!(running.stats.totals(Signal::Logs), (0, 1, 0));
}

#[tokio::test]
async fn both_protocols_name_the_same_delay_and_http_rounds_it_up() {
    let refusal = Refused::Full {
        what: "the spool",
        retry_after: Duration::from_millis(1_200),
    };
    let sink = Sink {
        refusal: Some(refusal),
        ..Sink::default()
    };
    let running = start(Setup {
        sink,
        ..Setup::default()
    })
    .await;
    let message = encoded(Signal::Logs, 3);
    let (status, head, body) = exchange(running.http, &post("/v1/logs", PROTOBUF, &message)).await;
    assert_eq!(status, 503);
    assert!(head.contains("retry-after: 2\r\n"), "{head}");
    let over_http = RpcStatus::decode(body.as_slice()).unwrap();
    let method = Signal::Logs.grpc_method();
    let over_grpc = call(running.grpc, method, &[], framed(false, &message))
        .await
        .rpc_status();
    assert_eq!(over_http, over_grpc);
    assert_eq!(over_http.retry_seconds(), Some(1.2));
}

#[tokio::test]
async fn paths_and_compressions_follow_the_config() {
    let protocols = serde_json::json!({"http": {
        "logs_url_path": "/in/logs",
        "compression_algorithms": ["", "gzip", "lz4"],
        "response_headers": {"x-served-by": "skybridge"},
    }});
    let running = start(Setup {
        protocols,
        ..Setup::default()
    })
    .await;
    let message = encoded(Signal::Logs, 1);
    let zstd = compress(Encoding::Zstd, None, &message).unwrap();
    let with_zstd = format!("{PROTOBUF}Content-Encoding: zstd\r\n");
    for (request, expected) in [
        (post("/in/logs", PROTOBUF, &message), 200),
        (post("/v1/logs", PROTOBUF, &message), 404),
        (post("/in/logs", &with_zstd, &zstd), 415),
    ] {
        let (status, head, _) = exchange(running.http, &request).await;
        assert_eq!(status, expected);
        assert!(head.contains("x-served-by: skybridge"), "{head}");
    }
}

#[tokio::test]
async fn a_script_of_an_allowed_origin_may_send() {
    let cors = serde_json::json!({"allowed_origins": ["https://*.example"], "max_age": 600});
    let protocols = serde_json::json!({"http": {"cors": cors}});
    let running = start(Setup {
        protocols,
        ..Setup::default()
    })
    .await;
    let preflight = "OPTIONS /v1/logs HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
                     Origin: https://shop.example\r\nAccess-Control-Request-Method: POST\r\n\r\n";
    let (status, head, _) = exchange(running.http, preflight.as_bytes()).await;
    assert_eq!(status, 204);
    for field in [
        "access-control-allow-origin: https://shop.example",
        "access-control-allow-methods: post",
        "access-control-allow-headers: content-type",
        "access-control-max-age: 600",
    ] {
        assert!(head.contains(field), "{field} in {head}");
    }
    let headers = format!("{PROTOBUF}Origin: https://elsewhere\r\n");
    let (status, head, _) = exchange(running.http, &post("/v1/logs", &headers, b"")).await;
    assert_eq!(status, 200);
    assert!(!head.contains("access-control-allow-origin"), "{head}");
}

#[tokio::test]
async fn a_connection_serves_one_request_after_the_other() {
    let running = start(Setup::default()).await;
    let mut stream = TcpStream::connect(running.http).await.unwrap();
    for _ in 0..3 {
        let request =
            format!("POST /v1/logs HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n{PROTOBUF}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = [0; 1_024];
        let read = stream.read(&mut answer).await.unwrap();
        assert_eq!(split_answer(&answer[..read]).0, 200);
    }
}
