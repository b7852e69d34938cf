use super::*;
use crate::transport::scripted::{HttpPeer, answer};

fn client(peer: &HttpPeer) -> Client {
    let endpoint = Endpoint::http(&format!("http://{}/base", peer.address)).unwrap();
    Client::new(ClientSettings::new(endpoint)).unwrap()
}

#[tokio::test]
async fn requests_go_below_the_endpoint_over_a_kept_connection() {
    let peer = HttpPeer::start(answer(200, "X-Seen: yes\r\n", b"hello")).await;
    let client = client(&peer);
    for _ in 0..3 {
        let response = client
            .post("/push", &[], Bytes::from_static(b"body"))
            .await
            .unwrap();
        assert_eq!(
            (response.status, &response.body[..]),
            (StatusCode::OK, &b"hello"[..])
        );
        assert_eq!(response.headers["x-seen"], "yes");
        assert!(!response.is_cut);
    }
    client.post("", &[], Bytes::new()).await.unwrap();
    let requests = peer.requests();
    assert!(requests[0].0.starts_with("post /base/push http/1.1"));
    assert_eq!(requests[0].1, b"body");
    assert!(requests[3].0.starts_with("post /base http/1.1"));
    assert_eq!(peer.connections(), 1);
}

#[tokio::test]
async fn a_response_is_read_up_to_its_limit() {
    let peer = HttpPeer::start(answer(200, "", &[7; 100])).await;
    let endpoint = Endpoint::http(&format!("http://{}", peer.address)).unwrap();
    for (limit, kept, is_cut) in [(99, 99, true), (100, 100, false)] {
        let mut settings = ClientSettings::new(endpoint.clone());
        settings.response_size_bytes_max = limit;
        let client = Client::new(settings).unwrap();
        let response = client.post("", &[], Bytes::new()).await.unwrap();
        assert_eq!((response.body.len(), response.is_cut), (kept, is_cut));
    }
}

/// Scenario: the status comes in time and the body does not.
/// Guarantees: the answer holds; the caller does not send the same again.
#[tokio::test]
async fn a_body_that_takes_too_long_is_cut() {
    let slow = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf".to_vec();
    let peer = HttpPeer::start(slow).await;
    let endpoint = Endpoint::http(&format!("http://{}", peer.address)).unwrap();
    let mut settings = ClientSettings::new(endpoint);
    settings.timeout = Some(Duration::from_millis(100));
    let client = Client::new(settings).unwrap();
    let response = client.post("", &[], Bytes::new()).await.unwrap();
    assert_eq!((response.status.as_u16(), response.is_cut), (200, true));
}

#[tokio::test]
async fn an_error_names_the_attempt_the_address_and_the_cause() {
    let peer = HttpPeer::start(Vec::new()).await;
    let client = client(&peer);
    let address = peer.address;
    drop(peer);
    tokio::task::yield_now().await;
    let error = client
        .post("/push", &[], Bytes::new())
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with(&format!("POST http://{address}/base/push: ")),
        "{error}"
    );
    assert!(
        error.ends_with("Connection refused (os error 111)"),
        "{error}"
    );
}

#[test]
fn a_header_that_cannot_be_sent_is_told_without_its_value() {
    let headers = vec![("authorization".to_owned(), Secret::from("top\nsecret"))];
    let error = header_map(&headers).unwrap_err();
    assert!(error.to_string().contains("authorization"), "{error}");
    assert!(!chain(&error).contains("top"), "{}", chain(&error));
    let headers = vec![("authorization".to_owned(), Secret::from("Bearer x"))];
    assert!(!format!("{:?}", header_map(&headers).unwrap()).contains("Bearer"));
}

#[test]
fn dates_are_read_as_http_writes_them() {
    let now = 784_111_777 * 1_000_000_000;
    for (date, seconds) in [
        ("Sun, 06 Nov 1994 08:49:37 GMT", Some(0)),
        ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
        ("Sun, 06 Nov 1994 08:49:36 GMT", Some(0)),
        ("tomorrow", None),
    ] {
        assert_eq!(
            until(date, now).map(|delay| delay.as_secs()),
            seconds,
            "{date}"
        );
    }
}
