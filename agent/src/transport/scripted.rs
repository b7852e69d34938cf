//! Peers for tests that do what no well-behaved peer does.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use h2::server::SendResponse;
use http::{HeaderMap, Request, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// One thing that a gRPC peer does with a call.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Headers, these bytes, then these trailers.
    Answer(Bytes, Vec<(&'static str, String)>),
    /// These headers and nothing else.
    HeadersOnly(u16, Vec<(&'static str, String)>),
    /// Headers and these bytes, and then the stream ends without trailers.
    NoTrailers(Bytes),
    /// The stream is reset, before any answer or after its headers.
    Reset(Reason, bool),
    /// The connection is told to go away, with this reason, and closes.
    GoAway(Reason),
    /// The connection breaks after the headers of the answer.
    Break,
    /// Nothing is read or written any more.
    Freeze,
}

/// A gRPC peer that follows a script, one step for each call, and then repeats the last step.
#[derive(Debug)]
pub(crate) struct GrpcPeer {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

/// What came to a peer.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) connections: usize,
    pub(crate) calls: Vec<(Request<()>, Bytes)>,
}

impl GrpcPeer {
    pub(crate) async fn start(script: impl IntoIterator<Item = Step>) -> Self {
        let script: Arc<Mutex<VecDeque<Step>>> = Arc::new(Mutex::new(script.into_iter().collect()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let task = tokio::spawn({
            let seen = Arc::clone(&seen);
            async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    seen.lock().unwrap().connections += 1;
                    tokio::spawn(serve_grpc(stream, Arc::clone(&script), Arc::clone(&seen)));
                }
            }
        });
        Self {
            address,
            seen,
            task,
        }
    }

    pub(crate) fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }
}

impl Drop for GrpcPeer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve_grpc(stream: TcpStream, script: Arc<Mutex<VecDeque<Step>>>, seen: Arc<Mutex<Seen>>) {
    let mut builder = h2::server::Builder::new();
    builder
        .initial_window_size(16 << 20)
        .initial_connection_window_size(16 << 20);
    let mut connection = builder.handshake::<_, Bytes>(stream).await.unwrap();
    while let Some(Ok((request, respond))) = connection.accept().await {
        let (head, mut body) = request.into_parts();
        // The bytes of a body come only while the connection is driven.
        let mut message = Vec::new();
        let read = async {
            while let Some(Ok(chunk)) = body.data().await {
                let _ = body.flow_control().release_capacity(chunk.len());
                message.extend_from_slice(&chunk);
            }
        };
        tokio::select! {
            () = read => {}
            _ = std::future::poll_fn(|context| connection.poll_closed(context)) => return,
        }
        seen.lock()
            .unwrap()
            .calls
            .push((Request::from_parts(head, ()), message.into()));
        let step = {
            let mut script = script.lock().unwrap();
            if script.len() > 1 {
                script.pop_front().unwrap()
            } else {
                script[0].clone()
            }
        };
        match step {
            Step::GoAway(reason) => {
                connection.abrupt_shutdown(reason);
                let closed = std::future::poll_fn(|context| connection.poll_closed(context));
                let _ = tokio::time::timeout(Duration::from_secs(1), closed).await;
                return;
            }
            Step::Break => {
                let mut respond = respond;
                let _stream = respond.send_response(Response::new(()), false);
                let written = std::future::poll_fn(|context| connection.poll_closed(context));
                let _ = tokio::time::timeout(Duration::from_millis(50), written).await;
                return;
            }
            Step::Freeze => std::future::pending().await,
            step => take(respond, step),
        }
    }
}

fn take(mut respond: SendResponse<Bytes>, step: Step) {
    match step {
        Step::Answer(bytes, trailers) => {
            let mut stream = respond.send_response(Response::new(()), false).unwrap();
            stream.send_data(bytes, false).unwrap();
            stream.send_trailers(fields(&trailers)).unwrap();
        }
        Step::HeadersOnly(status, headers) => {
            let mut response = Response::builder().status(status).body(()).unwrap();
            *response.headers_mut() = fields(&headers);
            respond.send_response(response, true).unwrap();
        }
        Step::NoTrailers(bytes) => {
            let mut stream = respond.send_response(Response::new(()), false).unwrap();
            stream.send_data(bytes, true).unwrap();
        }
        Step::Reset(reason, is_after_headers) => {
            if is_after_headers {
                respond
                    .send_response(Response::new(()), false)
                    .unwrap()
                    .send_reset(reason);
            } else {
                respond.send_reset(reason);
            }
        }
        _ => unreachable!("handled with the connection"),
    }
}

fn fields(fields: &[(&'static str, String)]) -> HeaderMap {
    fields
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .collect()
}

/// Head in lower case, and body.
type RawRequest = (String, Vec<u8>);

/// An HTTP/1.1 peer that reads requests and answers each with the bytes it was given; an empty
/// answer closes the connection.
#[derive(Debug)]
pub(crate) struct HttpPeer {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<RawRequest>>>,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl HttpPeer {
    pub(crate) async fn start(answer: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(AtomicUsize::new(0));
        let task = tokio::spawn({
            let requests = Arc::clone(&requests);
            let connections = Arc::clone(&connections);
            async move {
                loop {
                    let (mut stream, _) = listener.accept().await.unwrap();
                    connections.fetch_add(1, Ordering::Relaxed);
                    while let Some(request) = read_request(&mut stream).await {
                        requests.lock().unwrap().push(request);
                        let wrote = stream.write_all(&answer).await;
                        if answer.is_empty() || wrote.is_err() || closes(&answer) {
                            break;
                        }
                    }
                }
            }
        });
        Self {
            address,
            requests,
            connections,
            task,
        }
    }

    /// Connections accepted so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Head and body of each request so far.
    pub(crate) fn requests(&self) -> Vec<RawRequest> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for HttpPeer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn closes(answer: &[u8]) -> bool {
    String::from_utf8_lossy(answer)
        .to_ascii_lowercase()
        .contains("connection: close")
}

async fn read_request(stream: &mut TcpStream) -> Option<RawRequest> {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = stream
            .read(&mut buffer)
            .await
            .ok()
            .filter(|read| *read > 0)?;
        bytes.extend_from_slice(&buffer[..read]);
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8(bytes[..end].to_vec())
            .unwrap()
            .to_ascii_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        if bytes.len() >= end + 4 + length {
            return Some((head, bytes[end + 4..end + 4 + length].to_vec()));
        }
    }
}

/// An HTTP/1.1 answer with a body of known length.
pub(crate) fn answer(status: u16, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status} X\r\n{headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}
