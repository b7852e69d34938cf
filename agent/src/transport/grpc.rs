//! gRPC over HTTP/2 without a framework: for calls with one message each way it is five bytes
//! before the message and a status in the trailers.
//!
//! ```text
//! message = compressed flag (1 byte, 0 or 1)  length (4 bytes, big endian)  bytes
//! ```
//!
//! Messages are handed over as they are. A general codec copies each one into its own buffer in
//! both directions, which costs more than all the rest of the transport. Source: the gRPC over
//! HTTP/2 protocol description.

use std::convert::Infallible;
use std::fmt;
use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, SizeHint};
use thiserror::Error;

pub(crate) mod base64;
pub(crate) mod channel;

/// The content type of calls and answers.
pub(crate) const CONTENT_TYPE: &str = "application/grpc";
/// How a call's message is compressed.
pub(crate) const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
/// Which compressions a peer reads.
pub(crate) const ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
/// The status code of a call.
pub(crate) const STATUS: HeaderName = HeaderName::from_static("grpc-status");
/// The text of a status, percent-encoded.
pub(crate) const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
/// An encoded `google.rpc.Status`, in base64.
pub(crate) const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");
/// How long a client waits.
pub(crate) const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// A client that sends nothing for so long in the middle of a message has gone away.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Smaller messages are copied out of the read buffer, which they would pin as a whole.
const COPIED_SIZE_BYTES_MAX: usize = 16 << 10;

/// The outcome of a call, by number.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Code(pub(crate) u32);

impl Code {
    pub(crate) const OK: Self = Self(0);
    pub(crate) const CANCELLED: Self = Self(1);
    pub(crate) const INVALID_ARGUMENT: Self = Self(3);
    pub(crate) const DEADLINE_EXCEEDED: Self = Self(4);
    pub(crate) const PERMISSION_DENIED: Self = Self(7);
    pub(crate) const RESOURCE_EXHAUSTED: Self = Self(8);
    pub(crate) const ABORTED: Self = Self(10);
    pub(crate) const OUT_OF_RANGE: Self = Self(11);
    pub(crate) const UNIMPLEMENTED: Self = Self(12);
    pub(crate) const UNAVAILABLE: Self = Self(14);
    pub(crate) const DATA_LOSS: Self = Self(15);
    pub(crate) const UNAUTHENTICATED: Self = Self(16);
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            "OK",
            "CANCELLED",
            "UNKNOWN",
            "INVALID_ARGUMENT",
            "DEADLINE_EXCEEDED",
            "NOT_FOUND",
            "ALREADY_EXISTS",
            "PERMISSION_DENIED",
            "RESOURCE_EXHAUSTED",
            "FAILED_PRECONDITION",
            "ABORTED",
            "OUT_OF_RANGE",
            "UNIMPLEMENTED",
            "INTERNAL",
            "UNAVAILABLE",
            "DATA_LOSS",
            "UNAUTHENTICATED",
        ];
        match usize::try_from(self.0)
            .ok()
            .and_then(|number| names.get(number))
        {
            Some(name) => f.write_str(name),
            None => write!(f, "code {}", self.0),
        }
    }
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    /// The outcome.
    pub(crate) code: Code,
    /// For people.
    pub(crate) message: String,
    /// An encoded `google.rpc.Status`; empty for none.
    pub(crate) details: Vec<u8>,
}

impl Status {
    /// Reads a status from headers or trailers; `None` when the peer sent none there.
    pub(crate) fn read(fields: &HeaderMap) -> Option<Self> {
        let code = fields.get(STATUS)?.to_str().ok()?.parse().ok()?;
        let message = fields
            .get(MESSAGE)
            .map(|text| percent_decode(text.as_bytes()));
        let details = fields
            .get(DETAILS)
            .and_then(|text| base64::decode(text.as_bytes()));
        Some(Self {
            code: Code(code),
            message: message.unwrap_or_default(),
            details: details.unwrap_or_default(),
        })
    }

    /// Adds the status to headers or trailers.
    pub(crate) fn write(&self, fields: &mut HeaderMap) {
        fields.insert(STATUS, HeaderValue::from(self.code.0));
        if !self.message.is_empty()
            && let Ok(text) = HeaderValue::try_from(percent_encode(&self.message))
        {
            fields.insert(MESSAGE, text);
        }
        if !self.details.is_empty()
            && let Ok(text) = HeaderValue::try_from(base64::encode(&self.details))
        {
            fields.insert(DETAILS, text);
        }
    }
}

/// The five bytes before a message.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Prefix {
    /// Whether the message is compressed as the headers say.
    pub(crate) is_compressed: bool,
    /// Length of the message in bytes.
    pub(crate) len: usize,
}

/// Why no message could be read.
#[derive(Debug, Error)]
pub(crate) enum ReadError {
    /// The bytes are not a gRPC message.
    #[error("{0}")]
    Malformed(&'static str),
    /// The connection or the stream ended.
    #[error("the body broke off")]
    Broken(#[source] hyper::Error),
    /// Nothing came for [`SILENCE_MAX`].
    #[error("nothing came for {SILENCE_MAX:?}")]
    Silent,
}

/// Reads the one message of a unary call, in two steps, so that the caller can refuse after the
/// prefix what it has no room for.
#[derive(Debug)]
pub(crate) struct Reader<B> {
    body: B,
    rest: Bytes,
    trailers: HeaderMap,
}

impl<B> Reader<B>
where
    B: Body<Data = Bytes, Error = hyper::Error> + Unpin,
{
    /// A reader from the start of `body`.
    pub(crate) fn new(body: B) -> Self {
        Self {
            body,
            rest: Bytes::new(),
            trailers: HeaderMap::new(),
        }
    }

    /// Reads the prefix; `None` when the body is empty.
    ///
    /// # Errors
    /// When the body ends within the prefix, or the prefix is none.
    pub(crate) async fn prefix(&mut self) -> Result<Option<Prefix>, ReadError> {
        let mut head = [0; 5];
        let mut filled = 0;
        while let Some(room) = head.get_mut(filled..).filter(|room| !room.is_empty()) {
            if self.rest.is_empty() && !self.fill().await? {
                if filled == 0 {
                    return Ok(None);
                }
                return Err(ReadError::Malformed(
                    "the body ends within a message prefix",
                ));
            }
            let taken = room.len().min(self.rest.len());
            self.rest.copy_to_slice(&mut room[..taken]);
            filled += taken;
        }
        let [flag, len @ ..] = head;
        if flag > 1 {
            return Err(ReadError::Malformed(
                "the message prefix is not one of gRPC",
            ));
        }
        Ok(Some(Prefix {
            is_compressed: flag == 1,
            len: usize::try_from(u32::from_be_bytes(len)).unwrap_or(usize::MAX),
        }))
    }

    /// Reads the `len` bytes of the message, which the caller has found room for. One DATA frame
    /// that holds them all is handed over without a copy.
    ///
    /// # Errors
    /// When the body ends before.
    pub(crate) async fn message(&mut self, len: usize) -> Result<Bytes, ReadError> {
        const CUT: ReadError = ReadError::Malformed("the body ends within a message");
        if self.rest.is_empty() && len > 0 && !self.fill().await? {
            return Err(CUT);
        }
        if self.rest.len() >= len {
            let message = self.rest.split_to(len);
            let is_small = len <= COPIED_SIZE_BYTES_MAX;
            return Ok(if is_small {
                Bytes::copy_from_slice(&message)
            } else {
                message
            });
        }
        let mut message = Vec::with_capacity(len);
        while message.len() < len {
            if self.rest.is_empty() && !self.fill().await? {
                return Err(CUT);
            }
            let taken = self.rest.len().min(len - message.len());
            message.extend_from_slice(&self.rest.split_to(taken));
        }
        Ok(message.into())
    }

    /// Reads on to the end of the body, where nothing more may come than trailers.
    ///
    /// # Errors
    /// When more bytes come.
    pub(crate) async fn end(&mut self) -> Result<(), ReadError> {
        if !self.rest.is_empty() || self.fill().await? {
            return Err(ReadError::Malformed(
                "more than one message in a unary call",
            ));
        }
        Ok(())
    }

    /// Reads on to the end of the body; the trailers that came there, which may be none.
    ///
    /// # Errors
    /// As [`Reader::end`].
    pub(crate) async fn trailers(&mut self) -> Result<HeaderMap, ReadError> {
        self.end().await?;
        Ok(std::mem::take(&mut self.trailers))
    }

    /// Puts the next chunk into `rest`; whether there was one.
    async fn fill(&mut self) -> Result<bool, ReadError> {
        loop {
            let frame = tokio::time::timeout(SILENCE_MAX, self.body.frame())
                .await
                .map_err(|_| ReadError::Silent)?;
            let Some(frame) = frame else {
                return Ok(false);
            };
            match frame.map_err(ReadError::Broken)?.into_data() {
                Ok(chunk) if chunk.is_empty() => {}
                Ok(chunk) => {
                    self.rest = chunk;
                    return Ok(true);
                }
                Err(frame) => self.trailers = frame.into_trailers().unwrap_or_default(),
            }
        }
    }
}

/// A message behind its prefix, written out together without being copied together.
#[derive(Debug)]
pub(crate) struct Framed {
    prefix: Bytes,
    message: Bytes,
}

impl Buf for Framed {
    fn remaining(&self) -> usize {
        self.prefix.len() + self.message.len()
    }

    fn chunk(&self) -> &[u8] {
        if self.prefix.is_empty() {
            &self.message
        } else {
            &self.prefix
        }
    }

    fn advance(&mut self, count: usize) {
        let of_prefix = count.min(self.prefix.len());
        self.prefix.advance(of_prefix);
        self.message.advance(count - of_prefix);
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let parts = [&self.prefix, &self.message];
        let filled = parts
            .into_iter()
            .filter(|part| !part.is_empty())
            .zip(slices);
        filled
            .map(|(part, slice)| *slice = IoSlice::new(part))
            .count()
    }
}

/// The body of a call or of an answer: at most one message, then, in an answer, the status.
#[derive(Debug, Default)]
pub(crate) struct Unary {
    message: Option<Framed>,
    trailers: Option<HeaderMap>,
}

impl Unary {
    /// The body of a call. `None` when the message is too large for its length field (4 GiB).
    pub(crate) fn call(message: Bytes, is_compressed: bool) -> Option<Self> {
        Some(Self {
            message: Some(framed(message, is_compressed)?),
            trailers: None,
        })
    }

    /// The body of a successful answer.
    pub(crate) fn answer(message: Bytes) -> Option<Self> {
        let mut trailers = HeaderMap::with_capacity(1);
        trailers.insert(STATUS, HeaderValue::from(Code::OK.0));
        Some(Self {
            message: Some(framed(message, false)?),
            trailers: Some(trailers),
        })
    }
}

fn framed(message: Bytes, is_compressed: bool) -> Option<Framed> {
    let len = u32::try_from(message.len()).ok()?.to_be_bytes();
    let prefix = [u8::from(is_compressed), len[0], len[1], len[2], len[3]];
    Some(Framed {
        prefix: Bytes::copy_from_slice(&prefix),
        message,
    })
}

impl Body for Unary {
    type Data = Framed;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Framed>, Infallible>>> {
        if let Some(message) = self.message.take() {
            return Poll::Ready(Some(Ok(Frame::data(message))));
        }
        Poll::Ready(
            self.trailers
                .take()
                .map(|trailers| Ok(Frame::trailers(trailers))),
        )
    }

    fn is_end_stream(&self) -> bool {
        self.message.is_none() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let size = self.message.as_ref().map_or(0, Buf::remaining);
        SizeHint::with_exact(size as u64)
    }
}

/// Reads a `grpc-timeout`: up to eight digits and a unit.
pub(crate) fn parse_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let count: u64 = digits.parse().ok().filter(|_| digits.len() <= 8)?;
    Some(match unit {
        "H" => Duration::from_secs(count * 3_600),
        "M" => Duration::from_secs(count * 60),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    })
}

fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'%' | 0..b' ' | 0x7f.. => encoded.push_str(&format!("%{byte:02X}")),
            _ => encoded.push(char::from(byte)),
        }
    }
    encoded
}

/// What is not an escape stays as it is, as the protocol asks of a reader.
fn percent_decode(text: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        match (first, hex_pair(after)) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex_pair(text: &[u8]) -> Option<u8> {
    let pair = std::str::from_utf8(text.get(..2)?).ok()?;
    let is_hex = pair.bytes().all(|digit| digit.is_ascii_hexdigit());
    u8::from_str_radix(pair, 16).ok().filter(|_| is_hex)
}

#[cfg(test)]
mod tests;
