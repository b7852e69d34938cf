//! A back end that can be stopped, that refuses on demand, and that sees every byte.
//!
//! One server for whatever the program sends: OTLP over gRPC and HTTP, remote write, Loki push.
//! It unframes and inflates a request and hands the message to its handler.

use std::convert::Infallible;
use std::future::ready;
use std::io::Read;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::client::frame;

/// Largest message that a sink inflates; more is a bug of the sender.
const MESSAGE_SIZE_BYTES_MAX: u64 = 256 << 20;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Arrived {
    /// The path of the URL.
    pub path: String,
    /// All headers.
    pub headers: HeaderMap,
    /// The message: without framing, without compression.
    pub message: Bytes,
}

impl Arrived {
    /// A header's text; empty when it is missing.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.and_then(|value| value.to_str().ok()).unwrap_or("")
    }
}

/// What the back end says to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Success, in the words of the protocol.
    Take,
    /// Try again later: 503, or UNAVAILABLE.
    Unavailable,
}

/// Looks at a request and answers it.
pub type Handler = Arc<dyn Fn(Arrived) -> Verdict + Send + Sync>;

/// A running server on a thread of its own.
#[derive(Debug)]
pub struct Sink {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sink {
    /// Listens on `address` and answers with `handler` until dropped.
    ///
    /// # Panics
    /// When the address is taken.
    #[must_use]
    pub fn start(address: &str, handler: Handler) -> Self {
        let (stop, stopped) = oneshot::channel();
        let (ready, is_ready) = mpsc::channel();
        let address = address.to_owned();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("runtime of a sink");
            runtime.block_on(async {
                let listener = TcpListener::bind(&address)
                    .await
                    .expect("address of a sink");
                ready.send(()).expect("whoever starts a sink waits for it");
                tokio::select! {
                    () = serve(listener, handler) => {}
                    _ = stopped => {}
                }
            });
        });
        is_ready.recv().expect("a sink that listens");
        Self {
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

impl Drop for Sink {
    /// Closes the listener and all connections at once.
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(listener: TcpListener, handler: Handler) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let handler = handler.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| respond(request, handler.clone()));
            let mut server = auto::Builder::new(TokioExecutor::new());
            server
                .http2()
                .initial_stream_window_size(4 << 20)
                .initial_connection_window_size(4 << 20)
                .max_frame_size(1 << 20);
            // A peer that is killed ends its connection in the middle: nothing to report.
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

type Answer = Response<BoxBody<Bytes, Infallible>>;

async fn respond(request: Request<Incoming>, handler: Handler) -> Result<Answer, String> {
    let path = request.uri().path().to_owned();
    let headers = request.headers().clone();
    let body = request.into_body().collect().await;
    let body = body.map_err(|error| error.to_string())?.to_bytes();
    let is_grpc = header(&headers, "content-type").starts_with("application/grpc");
    let message = if is_grpc {
        let (prefix, message) = body.split_at_checked(5).ok_or("no gRPC prefix")?;
        let compressed = prefix[0] == 1;
        let encoding = header(&headers, "grpc-encoding");
        inflate(message, if compressed { encoding } else { "" })?
    } else {
        // Snappy is part of Loki's push API, and not announced there.
        let is_push = path.ends_with("/loki/api/v1/push");
        let announced = header(&headers, "content-encoding");
        inflate(&body, if is_push { "snappy" } else { announced })?
    };
    let arrived = Arrived {
        path,
        headers,
        message,
    };
    let is_json = arrived.header("content-type").contains("json");
    let verdict = handler(arrived);
    Ok(match (is_grpc, verdict) {
        (true, verdict) => grpc_answer(verdict),
        (false, Verdict::Take) => http_answer(200, is_json),
        (false, Verdict::Unavailable) => http_answer(503, is_json),
    })
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    let value = headers.get(name);
    value.and_then(|value| value.to_str().ok()).unwrap_or("")
}

fn inflate(body: &[u8], encoding: &str) -> Result<Bytes, String> {
    let mut message = Vec::new();
    match encoding {
        "" | "identity" => message.extend_from_slice(body),
        "zstd" => {
            zstd::stream::read::Decoder::with_buffer(body)
                .and_then(|decoder| {
                    decoder
                        .take(MESSAGE_SIZE_BYTES_MAX)
                        .read_to_end(&mut message)
                })
                .map_err(|error| format!("zstd: {error}"))?;
        }
        "gzip" => {
            flate2::bufread::MultiGzDecoder::new(body)
                .take(MESSAGE_SIZE_BYTES_MAX)
                .read_to_end(&mut message)
                .map_err(|error| format!("gzip: {error}"))?;
        }
        "snappy" => {
            message = snap::raw::Decoder::new()
                .decompress_vec(body)
                .map_err(|error| format!("snappy: {error}"))?;
        }
        other => return Err(format!("unknown encoding {other:?}")),
    }
    Ok(message.into())
}

fn http_answer(status: u16, is_json: bool) -> Answer {
    let (content_type, body) = if is_json {
        ("application/json", "{}")
    } else {
        ("application/x-protobuf", "")
    };
    Response::builder()
        .status(status)
        .header("content-type", content_type)
        .body(Full::from(body).boxed())
        .expect("a static answer")
}

fn grpc_answer(verdict: Verdict) -> Answer {
    let response = Response::builder().header("content-type", "application/grpc");
    let response = match verdict {
        Verdict::Take => {
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
            let body = Full::new(frame(&[], false));
            response.body(body.with_trailers(ready(Some(Ok(trailers)))).boxed())
        }
        Verdict::Unavailable => response
            .header("grpc-status", "14")
            .body(Full::default().boxed()),
    };
    response.expect("a static answer")
}
