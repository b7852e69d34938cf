//! One HTTP client for every exporter and scraper that needs one.
//!
//! hyper and hyper-util are linked for the servers and for gRPC anyway, so the client is
//! hyper-util's pool over our own [`Dialer`] rather than reqwest: one way to open connections, one
//! place for TCP and TLS settings, and about a megabyte less to link. It follows no redirect, keeps
//! no cookie and never retries an answered request; what a status means is the caller's business.
//! HTTP/2 is spoken where TLS negotiates it, HTTP/1.1 otherwise.

use std::error::Error;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client as Pool;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use pipeline::Fatal;
use thiserror::Error;
use tokio::time::Instant;

use crate::config::values::Secret;
use crate::transport::dial::Dialer;
use crate::transport::endpoint::Endpoint;
use crate::transport::tls::TlsClient;

/// How this program names itself to servers and clients.
pub(crate) const USER_AGENT: &str = concat!("skybridge/", env!("CARGO_PKG_VERSION"));
/// Most bytes read of a response, as the OTLP specification recommends.
const RESPONSE_SIZE_BYTES_MAX: usize = 4 << 20;
/// Longest delay that a peer can ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(600);
/// Most of an error body that is shown.
const EXCERPT_SIZE_BYTES: usize = 300;
/// Connections that were idle for so long are closed: servers commonly do it after a minute, and a
/// request must not meet the end of its connection.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Dead HTTP/2 connections are found by pings.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// What a client is made of. [`ClientSettings::new`] gives the defaults.
#[derive(Clone, Debug)]
pub(crate) struct ClientSettings {
    /// The peer; paths are appended to its path.
    pub(crate) endpoint: Endpoint,
    /// How TLS is spoken where the scheme is `https`.
    pub(crate) tls: TlsClient,
    /// Time for one exchange, dialing included; `None` leaves it to the caller.
    pub(crate) timeout: Option<Duration>,
    /// Sent with each request; a `host` entry replaces the endpoint's host.
    pub(crate) headers: Vec<(String, Secret)>,
    /// Most bytes kept of a response body.
    pub(crate) response_size_bytes_max: usize,
}

impl ClientSettings {
    /// A client of `endpoint`: system certificates, 30 s an exchange, no headers, 4 MiB responses.
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            tls: TlsClient::default(),
            timeout: Some(Duration::from_secs(30)),
            headers: Vec::new(),
            response_size_bytes_max: RESPONSE_SIZE_BYTES_MAX,
        }
    }
}

/// Sends requests to one peer over kept connections. Cloning shares the connections.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pool: Pool<Dialer, Full<Bytes>>,
    endpoint: Endpoint,
    headers: HeaderMap,
    timeout: Option<Duration>,
    response_size_bytes_max: usize,
}

/// What a peer answered.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    /// The status line.
    pub(crate) status: StatusCode,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The body, or its beginning when `is_cut`.
    pub(crate) body: Bytes,
    /// Whether the body was larger than allowed or broke off. The status holds all the same.
    pub(crate) is_cut: bool,
}

impl Response {
    /// When the peer wants to be asked again: seconds or a date, a past date being zero, at most
    /// [`RETRY_AFTER_MAX`]. `None` when it does not say, or says it in no known way.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let text = self.headers.get(header::RETRY_AFTER)?.to_str().ok()?;
        let delay = match text.trim().parse() {
            Ok(seconds) => Duration::from_secs(seconds),
            Err(_) => until(text.trim(), pipeline::clock::unix_nano())?,
        };
        Some(delay.min(RETRY_AFTER_MAX))
    }

    /// The body for a message to people: text, cut to a few lines.
    pub(crate) fn excerpt(&self) -> String {
        let start = self.body.get(..EXCERPT_SIZE_BYTES).unwrap_or(&self.body);
        let text = String::from_utf8_lossy(start);
        let is_printed = |char: &char| !char.is_control() || *char == ' ';
        text.trim().chars().filter(is_printed).collect()
    }
}

/// Time from now to an HTTP date.
fn until(date: &str, now_unix_nano: u64) -> Option<Duration> {
    let date = jiff::fmt::rfc2822::parse(date).ok()?;
    let unix_nano = u64::try_from(date.timestamp().as_nanosecond()).ok()?;
    Some(Duration::from_nanos(
        unix_nano.saturating_sub(now_unix_nano),
    ))
}

/// No answer: nothing is known about what the peer did, so trying again is always right.
#[derive(Clone, Debug, Error)]
#[error("{attempt} {uri}: {cause}")]
pub(crate) struct TransportError {
    /// What was attempted, such as `POST`.
    pub(crate) attempt: &'static str,
    /// On what.
    pub(crate) uri: String,
    /// What happened, from the outermost cause to the innermost.
    pub(crate) cause: String,
}

impl TransportError {
    /// An error with the whole chain of causes in its text.
    pub(crate) fn new(attempt: &'static str, uri: impl ToString, cause: &dyn Error) -> Self {
        Self {
            attempt,
            uri: uri.to_string(),
            cause: chain(cause),
        }
    }
}

impl Client {
    /// A client without connections yet.
    ///
    /// # Errors
    /// When a certificate cannot be read, or a header cannot be sent.
    pub(crate) fn new(settings: ClientSettings) -> Result<Self, Fatal> {
        let tls = Some(&settings.tls).filter(|_| settings.endpoint.is_tls());
        let dialer = Dialer::new(tls, &[b"h2", b"http/1.1"])?;
        let pool = Pool::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .http2_keep_alive_interval(PING_INTERVAL)
            .http2_keep_alive_timeout(PING_TIMEOUT)
            .build(dialer);
        Ok(Self {
            pool,
            headers: header_map(&settings.headers)?,
            endpoint: settings.endpoint,
            timeout: settings.timeout,
            response_size_bytes_max: settings.response_size_bytes_max,
        })
    }

    /// The peer.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Sends `body` to `path` below the endpoint, or to the endpoint itself when `path` is empty.
    ///
    /// # Errors
    /// When there was no answer in time. Safe to cancel.
    pub(crate) async fn post(
        &self,
        path: &str,
        headers: &[(HeaderName, HeaderValue)],
        body: Bytes,
    ) -> Result<Response, TransportError> {
        self.post_to(&self.uri(path)?, headers, body).await
    }

    /// Sends `body` to `uri`, with the settings of this client. An `https` address takes a client
    /// whose endpoint is one, too.
    ///
    /// # Errors
    /// As [`Client::post`].
    pub(crate) async fn post_to(
        &self,
        uri: &Uri,
        headers: &[(HeaderName, HeaderValue)],
        body: Bytes,
    ) -> Result<Response, TransportError> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri.clone();
        *request.headers_mut() = self.headers.clone();
        for (name, value) in headers {
            request.headers_mut().insert(name, value.clone());
        }
        let deadline = self.timeout.map(|timeout| Instant::now() + timeout);
        let answer = within(deadline, self.pool.request(request)).await;
        let no_answer = |cause| TransportError {
            attempt: "POST",
            uri: uri.to_string(),
            cause,
        };
        let (head, body) = answer
            .ok_or_else(|| {
                no_answer(format!(
                    "no answer within {:?}",
                    self.timeout.unwrap_or_default()
                ))
            })?
            .map_err(|error| no_answer(chain(&error)))?
            .into_parts();
        // The status is there: time that runs out now costs the rest of the body and nothing else.
        let read = within(deadline, read_bounded(body, self.response_size_bytes_max)).await;
        let (body, is_cut) = read.unwrap_or_else(|| (Bytes::new(), true));
        Ok(Response {
            status: head.status,
            headers: head.headers,
            body,
            is_cut,
        })
    }

    fn uri(&self, path: &str) -> Result<Uri, TransportError> {
        if path.is_empty() {
            return Ok(self.endpoint.uri().clone());
        }
        match self.endpoint.join(path) {
            Ok(endpoint) => Ok(endpoint.uri().clone()),
            Err(cause) => Err(TransportError {
                attempt: "building a request for",
                uri: self.endpoint.to_string(),
                cause,
            }),
        }
    }
}

/// The result of `future`, or `None` when `deadline` passes first.
async fn within<F: Future>(deadline: Option<Instant>, future: F) -> Option<F::Output> {
    match deadline {
        Some(deadline) => tokio::time::timeout_at(deadline, future).await.ok(),
        None => Some(future.await),
    }
}

/// Reads at most `limit_bytes`; also says whether there was more, or whether the body broke off.
async fn read_bounded(mut body: Incoming, limit_bytes: usize) -> (Bytes, bool) {
    let mut kept = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return (kept.freeze(), true);
        };
        let Ok(chunk) = frame.into_data() else {
            continue;
        };
        let room = limit_bytes - kept.len();
        kept.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
        if chunk.len() > room {
            return (kept.freeze(), true);
        }
    }
    (kept.freeze(), false)
}

/// Headers as configs give them, with our user agent unless they set one.
///
/// # Errors
/// When a name or value cannot be sent; the value is never shown.
pub(crate) fn header_map(headers: &[(String, Secret)]) -> Result<HeaderMap, Fatal> {
    let mut map = HeaderMap::with_capacity(headers.len() + 1);
    map.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    for (name, value) in headers {
        let key = HeaderName::try_from(name.as_str())
            .map_err(|error| Fatal::caused(format!("`{name}` is not a header name"), error))?;
        let mut value = HeaderValue::try_from(value.expose()).map_err(|error| {
            Fatal::caused(
                format!("the value of the header `{name}` cannot be sent"),
                error,
            )
        })?;
        value.set_sensitive(true);
        map.insert(key, value);
    }
    Ok(map)
}

/// `error` and its causes, outermost first, each once.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
