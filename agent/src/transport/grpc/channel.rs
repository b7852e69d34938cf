//! The client side: unary calls over one HTTP/2 connection that is opened when it is needed.
//!
//! A connection that has failed, or that the peer has told to go away, is replaced by the next
//! call. Calls that were in flight on it end without an answer; trying them again is the driver's
//! business. The one rule for the caller: a [`Reply`] is what the peer said, and only that may be
//! read through a table of status codes. A broken transport is a [`TransportError`], never a code.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::uri::{PathAndQuery, Uri};
use http::{Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use pipeline::Fatal;
use tokio::sync::Mutex;
use tokio_util::task::AbortOnDropHandle;

use crate::config::values::Secret;
use crate::transport::compression::Encoding;
use crate::transport::dial::Dialer;
use crate::transport::endpoint::Endpoint;
use crate::transport::grpc::{CONTENT_TYPE, ENCODING, ReadError, Reader, Status, Unary};
use crate::transport::http::{TransportError, chain, header_map};
use crate::transport::serve::{FRAME_SIZE_BYTES, WINDOW_SIZE_BYTES};
use crate::transport::tls::TlsClient;

/// Longest pause between pings to a peer that finds them too many; grpc-go takes one in 5 minutes.
const PING_INTERVAL_MAX: Duration = Duration::from_secs(600);
/// Largest answer that is read, as the OTLP specification recommends.
const ANSWER_SIZE_BYTES_MAX: usize = 4 << 20;

/// What a channel is made of.
#[derive(Clone, Debug)]
pub(crate) struct ChannelSettings {
    /// The peer.
    pub(crate) endpoint: Endpoint,
    /// How TLS is spoken where the scheme is `https`.
    pub(crate) tls: TlsClient,
    /// Sent with each call.
    pub(crate) headers: Vec<(String, Secret)>,
    /// A peer that is silent for so long is pinged.
    pub(crate) ping_interval: Duration,
    /// A peer that does not answer a ping within this time is gone.
    pub(crate) ping_timeout: Duration,
    /// Ping while no call is in flight, too.
    pub(crate) is_pinged_while_idle: bool,
}

/// Calls to one peer. The connection closes when the channel is dropped.
#[derive(Debug)]
pub(crate) struct Channel {
    dialer: Dialer,
    endpoint: Endpoint,
    headers: HeaderMap,
    builder: Builder<TokioExecutor>,
    ping_interval: Arc<PingInterval>,
    connection: Mutex<Option<Arc<Connection>>>,
}

/// One open connection and the task that moves its bytes.
#[derive(Debug)]
struct Connection {
    calls: SendRequest<Unary>,
    driver: AbortOnDropHandle<()>,
}

/// What a peer answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// The call succeeded with this message.
    Message(Bytes),
    /// The call ended with this status, sent by the peer.
    Status(Status),
    /// No gRPC answer but an HTTP one, as from a proxy.
    Http(StatusCode),
    /// The call succeeded, and its answer is larger than we read.
    TooLarge,
}

impl Channel {
    /// A channel without a connection yet.
    ///
    /// # Errors
    /// When a certificate cannot be read, or a header cannot be sent.
    pub(crate) fn new(settings: ChannelSettings) -> Result<Self, Fatal> {
        let mut headers = header_map(&settings.headers)?;
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .initial_stream_window_size(WINDOW_SIZE_BYTES)
            .initial_connection_window_size(WINDOW_SIZE_BYTES)
            .max_frame_size(FRAME_SIZE_BYTES)
            .keep_alive_timeout(settings.ping_timeout)
            .keep_alive_while_idle(settings.is_pinged_while_idle);
        let tls = Some(&settings.tls).filter(|_| settings.endpoint.is_tls());
        Ok(Self {
            dialer: Dialer::new(tls, &[b"h2"])?,
            endpoint: settings.endpoint,
            headers,
            builder,
            ping_interval: Arc::new(PingInterval::new(settings.ping_interval)),
            connection: Mutex::new(None),
        })
    }

    /// The peer.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Calls `method`, such as `/package.Service/Method`, with `message` in `encoding`.
    ///
    /// # Errors
    /// When the peer did not answer. Safe to cancel: the stream is reset.
    pub(crate) async fn call(
        &self,
        method: &'static str,
        headers: HeaderMap,
        encoding: Encoding,
        message: Bytes,
    ) -> Result<Reply, TransportError> {
        let request = self.request(method, headers, encoding, message)?;
        let mut calls = self.connection().await?.calls.clone();
        let failed = |cause: &dyn std::error::Error| self.no_answer(chain(cause));
        calls.ready().await.map_err(|error| failed(&error))?;
        let response = calls
            .send_request(request)
            .await
            .map_err(|error| failed(&error))?;
        read_reply(response)
            .await
            .map_err(|cause| self.no_answer(cause))
    }

    fn request(
        &self,
        method: &'static str,
        headers: HeaderMap,
        encoding: Encoding,
        message: Bytes,
    ) -> Result<Request<Unary>, TransportError> {
        let is_compressed = encoding != Encoding::Identity;
        let body = Unary::call(message, is_compressed).ok_or_else(|| {
            self.no_answer("a message of more than 4 GiB cannot be sent".to_owned())
        })?;
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = self.uri(method);
        *request.headers_mut() = self.headers.clone();
        request.headers_mut().extend(headers);
        if is_compressed {
            let name = HeaderValue::from_static(encoding.as_str());
            request.headers_mut().insert(ENCODING, name);
        }
        Ok(request)
    }

    fn uri(&self, method: &'static str) -> Uri {
        let mut parts = self.endpoint.uri().clone().into_parts();
        parts.path_and_query = Some(PathAndQuery::from_static(method));
        Uri::from_parts(parts).unwrap_or_else(|_| self.endpoint.uri().clone())
    }

    /// The open connection, or a new one. The lock is held while dialing on purpose: calls that
    /// come meanwhile wait for the same connection instead of dialing too.
    async fn connection(&self) -> Result<Arc<Connection>, TransportError> {
        let mut current = self.connection.lock().await;
        if let Some(connection) = current.as_ref()
            && !connection.calls.is_closed()
            && !connection.driver.is_finished()
        {
            return Ok(Arc::clone(connection));
        }
        *current = None;
        let connection = Arc::new(self.connect().await?);
        *current = Some(Arc::clone(&connection));
        Ok(connection)
    }

    async fn connect(&self) -> Result<Connection, TransportError> {
        let failed = |cause: &dyn std::error::Error| {
            TransportError::new("connecting to", &self.endpoint, cause)
        };
        let dialed = self.dialer.clone().dial(self.endpoint.uri().clone()).await;
        let stream = dialed.map_err(|error| failed(&error))?;
        let mut builder = self.builder.clone();
        builder.keep_alive_interval(self.ping_interval.current());
        let opened = builder.handshake(TokioIo::new(stream)).await;
        let (calls, moving) = opened.map_err(|error| failed(&error))?;
        let endpoint = self.endpoint.clone();
        let ping_interval = Arc::clone(&self.ping_interval);
        let driver = tokio::spawn(async move {
            if let Err(error) = moving.await {
                if is_told_to_calm_down(&error) {
                    ping_interval.double();
                }
                tracing::debug!(%endpoint, error = chain(&error), "a connection ended early");
            }
        });
        Ok(Connection {
            calls,
            driver: AbortOnDropHandle::new(driver),
        })
    }

    fn no_answer(&self, cause: String) -> TransportError {
        TransportError {
            attempt: "calling",
            uri: self.endpoint.to_string(),
            cause,
        }
    }
}

/// The pause before a silent peer is pinged, which grows when a peer objects.
#[derive(Debug)]
struct PingInterval {
    millis: AtomicU64,
}

impl PingInterval {
    /// Zero for no pings.
    fn new(interval: Duration) -> Self {
        let millis = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
        Self {
            millis: AtomicU64::new(millis),
        }
    }

    fn current(&self) -> Option<Duration> {
        match self.millis.load(Ordering::Relaxed) {
            0 => None,
            millis => Some(Duration::from_millis(millis)),
        }
    }

    fn double(&self) {
        if let Some(current) = self.current() {
            let doubled = Self::new(
                current
                    .saturating_mul(2)
                    .min(PING_INTERVAL_MAX.max(current)),
            );
            self.millis
                .store(doubled.millis.into_inner(), Ordering::Relaxed);
        }
    }
}

/// Whether a connection ended because the peer found our pings too many.
fn is_told_to_calm_down(error: &hyper::Error) -> bool {
    let cause =
        std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<h2::Error>());
    cause.and_then(h2::Error::reason) == Some(h2::Reason::ENHANCE_YOUR_CALM)
}

/// Reads what the peer said. An error is the reason why there is no answer.
async fn read_reply(response: Response<Incoming>) -> Result<Reply, String> {
    let (head, body) = response.into_parts();
    if let Some(status) = Status::read(&head.headers) {
        return Ok(Reply::Status(status));
    }
    if head.status != StatusCode::OK {
        return Ok(Reply::Http(head.status));
    }
    let mut reader = Reader::new(body);
    let mut message = None;
    if let Some(prefix) = reader.prefix().await.map_err(cut_short)? {
        if prefix.is_compressed {
            return Err("the answer is compressed, which was not asked for".to_owned());
        }
        if prefix.len > ANSWER_SIZE_BYTES_MAX {
            return Ok(Reply::TooLarge);
        }
        message = Some(reader.message(prefix.len).await.map_err(cut_short)?);
    }
    let trailers = reader.trailers().await.map_err(cut_short)?;
    let Some(status) = Status::read(&trailers) else {
        return Err("the answer ends without a status".to_owned());
    };
    match message {
        Some(message) if status.code == super::Code::OK => Ok(Reply::Message(message)),
        _ => Ok(Reply::Status(status)),
    }
}

fn cut_short(error: ReadError) -> String {
    format!("the answer was cut short: {}", chain(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::scripted::{GrpcPeer, Step};

    #[test]
    fn pauses_between_pings_double_up_to_a_bound() {
        let interval = PingInterval::new(Duration::from_secs(200));
        for seconds in [400, 600, 600] {
            interval.double();
            assert_eq!(interval.current(), Some(Duration::from_secs(seconds)));
        }
        let none = PingInterval::new(Duration::ZERO);
        none.double();
        assert_eq!(none.current(), None);
    }

    #[tokio::test]
    async fn a_peer_that_finds_pings_too_many_gets_fewer() {
        for (reason, seconds) in [
            (h2::Reason::ENHANCE_YOUR_CALM, 40),
            (h2::Reason::NO_ERROR, 20),
        ] {
            let peer = GrpcPeer::start([Step::GoAway(reason)]).await;
            let channel = Channel::new(ChannelSettings {
                endpoint: Endpoint::grpc(&peer.address.to_string(), true).unwrap(),
                tls: TlsClient::default(),
                headers: Vec::new(),
                ping_interval: Duration::from_secs(20),
                ping_timeout: Duration::from_secs(10),
                is_pinged_while_idle: true,
            })
            .unwrap();
            let called = channel.call("/a/B", HeaderMap::new(), Encoding::Identity, Bytes::new());
            assert!(called.await.is_err());
            let ended = async {
                while !channel
                    .connection
                    .lock()
                    .await
                    .as_ref()
                    .unwrap()
                    .driver
                    .is_finished()
                {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(Duration::from_secs(5), ended)
                .await
                .unwrap();
            assert_eq!(
                channel.ping_interval.current(),
                Some(Duration::from_secs(seconds))
            );
        }
    }
}
