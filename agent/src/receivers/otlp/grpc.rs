//! The gRPC door: three methods, one message each way.

use std::time::Duration;

use ::http::header::{self, HeaderMap, HeaderValue};
use ::http::{Method, Request, Response, StatusCode};
use bytes::Bytes;
use hyper::body::Incoming;
use pipeline::{Output, Signal};

use crate::receivers::otlp::intake::{Format, Intake, Received};
use crate::receivers::otlp::verdict::Verdict;
use crate::transport::compression::Encoding;
use crate::transport::grpc::{
    ACCEPT_ENCODING, CONTENT_TYPE, ENCODING, Reader, TIMEOUT, Unary, parse_timeout,
};

/// What we read, for clients that may choose.
const ENCODINGS: &str = "identity,gzip,zstd,deflate";
/// A client that names no deadline, or one beyond this, is waited for no longer.
const DEADLINE_MAX: Duration = Duration::from_secs(600);

/// Answers one call. `limit_bytes` bounds the message, as it comes and inflated.
pub(super) async fn answer<O: Output>(
    intake: &Intake<O>,
    limit_bytes: usize,
    request: Request<Incoming>,
) -> Response<Unary> {
    let (head, body) = request.into_parts();
    if !is_grpc(&head.headers) {
        let mut response = Response::new(Unary::default());
        *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return response;
    }
    let deadline = deadline(&head.headers);
    let signal = Signal::ALL
        .into_iter()
        .find(|signal| head.method == Method::POST && signal.grpc_method() == head.uri.path());
    let verdict = match signal {
        None => Verdict::NotFound,
        Some(signal) if !intake.takes(signal) => Verdict::NoPipeline(signal),
        Some(signal) => {
            let export = export(intake, signal, limit_bytes, &head.headers, body);
            let exported = tokio::time::timeout(deadline, export).await;
            exported.unwrap_or(Verdict::DeadlineExceeded)
        }
    };
    response(&verdict)
}

async fn export<O: Output>(
    intake: &Intake<O>,
    signal: Signal,
    limit_bytes: usize,
    headers: &HeaderMap,
    body: Incoming,
) -> Verdict {
    match receive(intake, signal, limit_bytes, headers, body).await {
        Ok(received) => intake.accept(received).await,
        Err(verdict) => intake.turned_away(signal, 1, verdict),
    }
}

/// Reads the message of a call, after its length was found to fit.
async fn receive<O: Output>(
    intake: &Intake<O>,
    signal: Signal,
    limit_bytes: usize,
    headers: &HeaderMap,
    body: Incoming,
) -> Result<Received, Verdict> {
    let announced = encoding(headers)?;
    let mut reader = Reader::new(body);
    let broken = |error| Verdict::malformed(crate::transport::http::chain(&error));
    let prefix = reader.prefix().await.map_err(broken)?;
    let prefix = prefix.ok_or_else(|| Verdict::malformed("the call has no message"))?;
    let encoding = match (prefix.is_compressed, announced) {
        (false, _) => Encoding::Identity,
        (true, Encoding::Identity) => {
            let message = "the message is compressed, and grpc-encoding does not say how";
            return Err(Verdict::malformed(message));
        }
        (true, announced) => announced,
    };
    if prefix.len > limit_bytes {
        return Err(Verdict::TooLarge { limit_bytes });
    }
    let charge = intake.admit(prefix.len)?;
    let body = reader.message(prefix.len).await.map_err(broken)?;
    reader.end().await.map_err(broken)?;
    Ok(Received {
        signal,
        format: Format::Protobuf,
        encoding,
        body,
        limit_bytes,
        charge,
    })
}

fn encoding(headers: &HeaderMap) -> Result<Encoding, Verdict> {
    let name = headers
        .get(ENCODING)
        .map_or(b"".as_slice(), HeaderValue::as_bytes);
    let name = String::from_utf8_lossy(name);
    match Encoding::parse(&name) {
        Some(encoding) if encoding != Encoding::Snappy => Ok(encoding),
        _ => Err(Verdict::Unsupported {
            message: format!("grpc-encoding `{name}` is not read here; {ENCODINGS} are"),
        }),
    }
}

fn deadline(headers: &HeaderMap) -> Duration {
    let text = headers.get(TIMEOUT).and_then(|value| value.to_str().ok());
    text.and_then(parse_timeout)
        .unwrap_or(DEADLINE_MAX)
        .min(DEADLINE_MAX)
}

fn is_grpc(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    content_type.is_some_and(|name| name.starts_with(CONTENT_TYPE.as_bytes()))
}

fn response(verdict: &Verdict) -> Response<Unary> {
    let accepted = Unary::answer(Bytes::new()).filter(|_| *verdict == Verdict::Accepted);
    let is_accepted = accepted.is_some();
    let mut response = Response::new(accepted.unwrap_or_default());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(ENCODINGS));
    if !is_accepted {
        verdict.grpc_status().write(headers);
    }
    response
}
