//! The HTTP door: one path a signal, protobuf and JSON.

use std::sync::Arc;
use std::time::Duration;

use ::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use ::http::request::Parts;
use ::http::{Method, Request, Response, Version};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use pipeline::{Charge, Output, Signal};

use crate::receivers::otlp::config::Http;
use crate::receivers::otlp::cors;
use crate::receivers::otlp::intake::{Format, Intake, Received};
use crate::receivers::otlp::verdict::Verdict;
use crate::transport::compression::Encoding;

/// What a body without a length is charged for at first; then it doubles.
const FIRST_CHARGE_BYTES: usize = 64 << 10;
/// A sender that falls silent for so long within a body has gone away.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Smaller bodies are copied out of the read buffer, which they would pin as a whole.
const COPIED_SIZE_BYTES_MAX: usize = 16 << 10;

/// Where HTTP requests come in.
#[derive(Debug)]
pub(super) struct Door<O> {
    config: Http,
    response_headers: HeaderMap,
    limit_bytes: usize,
    intake: Arc<Intake<O>>,
}

impl<O: Output> Door<O> {
    pub(super) fn new(config: &Http, intake: Arc<Intake<O>>) -> Self {
        Self {
            config: config.clone(),
            response_headers: fixed_headers(config),
            limit_bytes: config.limit_bytes(),
            intake,
        }
    }

    /// Answers one request.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let mut response = match self.preflight(&head) {
            Some(response) => response,
            None => self.export(&head, body).await,
        };
        if let Some(cors) = &self.config.cors {
            cors::allow(cors, &head.headers, response.headers_mut());
        }
        response.headers_mut().extend(self.response_headers.clone());
        response
    }

    fn preflight(&self, head: &Parts) -> Option<Response<Full<Bytes>>> {
        let cors = self.config.cors.as_ref()?;
        (head.method == Method::OPTIONS).then(|| cors::preflight(cors, &head.headers))
    }

    async fn export(&self, head: &Parts, mut body: Incoming) -> Response<Full<Bytes>> {
        let format = format(&head.headers);
        let verdict = match self.receive(head, format, &mut body).await {
            Ok(received) => self.intake.accept(received).await,
            Err((signal, verdict)) => {
                if is_pushed(head) && verdict != Verdict::DeadlineExceeded {
                    let discarded = discard(&mut body, self.limit_bytes);
                    // Whether or not it all came, the answer is the same.
                    let _ = tokio::time::timeout(self.config.body_timeout(), discarded).await;
                }
                match signal {
                    Some(signal) => self.intake.turned_away(signal, 1, verdict),
                    None => verdict,
                }
            }
        };
        response(&verdict, format.unwrap_or(Format::Protobuf), head.version)
    }

    /// Reads the body of a request, after all that can be said without it.
    async fn receive(
        &self,
        head: &Parts,
        format: Option<Format>,
        body: &mut Incoming,
    ) -> Result<Received, (Option<Signal>, Verdict)> {
        let signal = self
            .signal(head.uri.path())
            .ok_or((None, Verdict::NotFound))?;
        let turned_away = |verdict| (Some(signal), verdict);
        if head.method != Method::POST {
            return Err((None, Verdict::MethodNotAllowed));
        }
        if !self.intake.takes(signal) {
            return Err((None, Verdict::NoPipeline(signal)));
        }
        let format = format.ok_or_else(|| turned_away(unknown_type(&head.headers)))?;
        let encoding = self.encoding(&head.headers).map_err(turned_away)?;
        let (body, charge) = self.read(body).await.map_err(turned_away)?;
        Ok(Received {
            signal,
            format,
            encoding,
            body,
            limit_bytes: self.limit_bytes,
            charge,
        })
    }

    fn signal(&self, path: &str) -> Option<Signal> {
        [
            (&self.config.metrics_url_path, Signal::Metrics),
            (&self.config.logs_url_path, Signal::Logs),
            (&self.config.traces_url_path, Signal::Traces),
        ]
        .into_iter()
        .find(|(known, _)| *known == path)
        .map(|(_, signal)| signal)
    }

    fn encoding(&self, headers: &HeaderMap) -> Result<Encoding, Verdict> {
        let name = text(headers, &header::CONTENT_ENCODING);
        Encoding::parse(&name)
            .filter(|encoding| self.config.accepts(*encoding))
            .ok_or_else(|| Verdict::Unsupported {
                message: format!("content-encoding `{name}` is not read here; gzip and zstd are"),
            })
    }

    /// Reads a body within its time.
    async fn read(&self, body: &mut Incoming) -> Result<(Bytes, Charge), Verdict> {
        let whole = tokio::time::timeout(self.config.body_timeout(), self.read_whole(body)).await;
        whole.unwrap_or(Err(Verdict::DeadlineExceeded))
    }

    /// Reads a body of known or unknown length within the limit, charging ahead.
    async fn read_whole(&self, body: &mut Incoming) -> Result<(Bytes, Charge), Verdict> {
        let limit_bytes = self.limit_bytes;
        let announced = body.size_hint().exact();
        let announced = announced.map(|size| usize::try_from(size).unwrap_or(usize::MAX));
        if announced.is_some_and(|size| size > limit_bytes) {
            return Err(Verdict::TooLarge { limit_bytes });
        }
        let mut charge = self.intake.admit(announced.unwrap_or(FIRST_CHARGE_BYTES))?;
        let Some(first) = next_chunk(body).await? else {
            return Ok((Bytes::new(), charge));
        };
        if announced == Some(first.len()) {
            let is_small = first.len() <= COPIED_SIZE_BYTES_MAX;
            let whole = if is_small {
                Bytes::copy_from_slice(&first)
            } else {
                first
            };
            return Ok((whole, charge));
        }
        let mut whole = Vec::with_capacity(announced.unwrap_or(first.len()));
        whole.extend_from_slice(&first);
        drop(first);
        while let Some(chunk) = next_chunk(body).await? {
            let size = whole.len() + chunk.len();
            if size > limit_bytes {
                return Err(Verdict::TooLarge { limit_bytes });
            }
            if size > charge.bytes() && !charge.try_resize(size.saturating_mul(2)) {
                return Err(self.intake.budget_full());
            }
            whole.extend_from_slice(&chunk);
        }
        Ok((whole.into(), charge))
    }
}

/// The next bytes of a body; `None` at its end.
async fn next_chunk(body: &mut Incoming) -> Result<Option<Bytes>, Verdict> {
    loop {
        let frame = tokio::time::timeout(SILENCE_MAX, body.frame()).await;
        match frame {
            Err(_) => {
                return Err(Verdict::malformed(format!(
                    "no byte came for {SILENCE_MAX:?}"
                )));
            }
            Ok(None) => return Ok(None),
            Ok(Some(Err(error))) => {
                return Err(Verdict::malformed(crate::transport::http::chain(&error)));
            }
            Ok(Some(Ok(frame))) => {
                if let Ok(chunk) = frame.into_data() {
                    return Ok(Some(chunk));
                }
            }
        }
    }
}

/// Whether the sender of an HTTP/1.1 body pushes it without waiting for our consent. Such a sender
/// reads the answer only when its body has left; closing the connection on it would turn a clear
/// refusal into a broken pipe.
fn is_pushed(head: &Parts) -> bool {
    head.version < Version::HTTP_2 && !head.headers.contains_key(header::EXPECT)
}

/// Reads a body that was turned away, up to the size that would have been accepted, and keeps none
/// of it.
async fn discard(body: &mut Incoming, limit_bytes: usize) {
    let mut rest = limit_bytes;
    while let Ok(Some(chunk)) = next_chunk(body).await {
        match rest.checked_sub(chunk.len()) {
            Some(less) => rest = less,
            None => return,
        }
    }
}

/// Parameters such as `charset=utf-8` say nothing new and are let stand.
fn format(headers: &HeaderMap) -> Option<Format> {
    let content_type = text(headers, &header::CONTENT_TYPE);
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    [
        ("application/x-protobuf", Format::Protobuf),
        ("application/protobuf", Format::Protobuf),
        ("application/json", Format::Json),
    ]
    .into_iter()
    .find(|(known, _)| media_type.eq_ignore_ascii_case(known))
    .map(|(_, format)| format)
}

fn unknown_type(headers: &HeaderMap) -> Verdict {
    let name = text(headers, &header::CONTENT_TYPE);
    Verdict::Unsupported {
        message: format!(
            "content-type `{name}` is not read here; application/x-protobuf and application/json are"
        ),
    }
}

fn text(headers: &HeaderMap, name: &HeaderName) -> String {
    let value = headers
        .get(name)
        .map_or(b"".as_slice(), HeaderValue::as_bytes);
    String::from_utf8_lossy(value).into_owned()
}

fn fixed_headers(config: &Http) -> HeaderMap {
    let headers = config.response_headers.iter();
    headers
        .filter_map(|(name, value)| {
            let name = HeaderName::try_from(name.as_str()).ok()?;
            Some((name, HeaderValue::try_from(value.expose()).ok()?))
        })
        .collect()
}

fn response(verdict: &Verdict, format: Format, version: Version) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(verdict.http_body(format)));
    *response.status_mut() = verdict.http_status();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(match format {
            Format::Protobuf => "application/x-protobuf",
            Format::Json => "application/json",
        }),
    );
    if let Some(delay) = verdict.retry_after() {
        let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if *verdict == Verdict::MethodNotAllowed {
        headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
    }
    if *verdict == Verdict::Stopping && version < Version::HTTP_2 {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
