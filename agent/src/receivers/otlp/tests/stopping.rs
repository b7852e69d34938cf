use super::*;

/// Scenario: the program stops while calls of both protocols wait for a slow pipeline.
/// Guarantees: they are answered with success, nothing new is taken, and the receiver returns.
#[tokio::test]
async fn calls_in_flight_are_answered_and_new_ones_find_no_door() {
    let gate = Arc::new(Semaphore::new(0));
    let sink = Sink {
        gate: Arc::clone(&gate),
        ..Sink::default()
    };
    let running = start(Setup {
        sink,
        ..Setup::default()
    })
    .await;
    let (grpc, http) = (running.grpc, running.http);
    let message = encoded(Signal::Logs, 5);
    let method = Signal::Logs.grpc_method();
    let by_grpc = tokio::spawn({
        let message = framed(false, &message);
        async move { call(grpc, method, &[], message).await }
    });
    // This one would keep its connection, so the answer must say that it ends.
    let by_http = tokio::spawn({
        let request = [
            format!(
                "POST /v1/logs HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n",
                message.len()
            ),
            format!("{PROTOBUF}\r\n"),
        ]
        .concat();
        let request = [request.as_bytes(), &message].concat();
        async move { exchange(http, &request).await }
    });
    while running.budget.used_bytes() < 2 * message.len() {
        tokio::task::yield_now().await;
    }
    running.shutdown.cancel();
    while TcpStream::connect(http).await.is_ok() || TcpStream::connect(grpc).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!running.task.is_finished());
    gate.add_permits(2);
    assert_eq!(by_grpc.await.unwrap().code(), "0");
    let (status, head, _) = by_http.await.unwrap();
    assert_eq!(status, 200);
    assert!(head.contains("connection: close"), "{head}");
    running.task.await.unwrap();
    assert_eq!(running.sink.batches().len(), 2);
}

#[tokio::test]
async fn idle_connections_do_not_hold_the_receiver_up() {
    let running = start(Setup::default()).await;
    let mut idle = TcpStream::connect(running.http).await.unwrap();
    let request =
        format!("POST /v1/logs HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n{PROTOBUF}\r\n");
    idle.write_all(request.as_bytes()).await.unwrap();
    assert!(idle.read(&mut [0; 1_024]).await.unwrap() > 0);
    let stream = TcpStream::connect(running.grpc).await.unwrap();
    let (calls, connection) = hyper::client::conn::http2::handshake::<_, _, Full<Bytes>>(
        TokioExecutor::new(),
        TokioIo::new(stream),
    )
    .await
    .unwrap();
    let connection = tokio::spawn(connection);
    running.shutdown.cancel();
    tokio::time::timeout(Duration::from_secs(5), running.task)
        .await
        .unwrap()
        .unwrap();
    // The connection ends. Whether the client then still writes an acknowledgement into it, and so
    // sees a broken pipe, is a matter of timing.
    let _ = connection.await.unwrap();
    drop(calls);
}

/// Scenario: one client connects and says nothing, one stops within a head, one is idle between
/// requests.
/// Guarantees: none of them holds a descriptor for longer than the time for a head.
#[tokio::test]
async fn connections_without_requests_are_closed() {
    let protocols = serde_json::json!({"http": {"read_header_timeout": "100ms"}});
    let running = start(Setup {
        protocols,
        ..Setup::default()
    })
    .await;
    let whole = format!("POST /v1/logs HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n{PROTOBUF}\r\n");
    for sent in ["", "P", "POST /v1/logs HT", &whole] {
        let mut stream = TcpStream::connect(running.http).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let end = stream.read_to_end(&mut answer);
        tokio::time::timeout(Duration::from_secs(5), end)
            .await
            .expect(sent)
            .unwrap();
        assert_eq!(answer.starts_with(b"HTTP/1.1 200"), sent == whole, "{sent}");
    }
}

#[tokio::test]
async fn while_stopping_http_answers_503_and_closes() {
    let sink = Sink {
        refusal: Some(Refused::ShuttingDown),
        ..Sink::default()
    };
    let running = start(Setup {
        sink,
        ..Setup::default()
    })
    .await;
    let message = encoded(Signal::Logs, 5);
    let head = format!(
        "POST /v1/logs HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n{PROTOBUF}\r\n",
        message.len()
    );
    let (status, head, _) = exchange(running.http, &[head.as_bytes(), &message].concat()).await;
    assert_eq!(status, 503);
    assert!(head.contains("connection: close"), "{head}");
    assert!(head.contains("retry-after: 1\r\n"), "{head}");
}

#[tokio::test]
async fn an_old_connection_is_closed_while_the_receiver_goes_on() {
    let parameters = serde_json::json!({"max_connection_age": "50ms"});
    let keepalive = serde_json::json!({"server_parameters": parameters});
    let protocols = serde_json::json!({"grpc": {"keepalive": keepalive}});
    let running = start(Setup {
        protocols,
        ..Setup::default()
    })
    .await;
    let stream = TcpStream::connect(running.grpc).await.unwrap();
    let (calls, connection) = hyper::client::conn::http2::handshake::<_, _, Full<Bytes>>(
        TokioExecutor::new(),
        TokioIo::new(stream),
    )
    .await
    .unwrap();
    let connection = tokio::time::timeout(Duration::from_secs(5), connection);
    let _ = connection.await.expect("the server ends the connection");
    drop(calls);
    assert!(!running.task.is_finished());
}
