//! Compressing and inflating of whole messages held in memory: pure functions on bytes.
//!
//! Inflating is bounded while it runs. The output grows by doubling from a modest first guess, each
//! step is asked for beforehand, and the size that a frame announces is believed only within
//! [`ANNOUNCED_RATIO_MAX`]: neither a bomb nor a lying header makes us hold more than the limit.
//!
//! Contexts that cost more to build than to use are kept for each thread. Contents of more than
//! [`INLINE_SIZE_BYTES_MAX`] belong on a blocking thread ([`compress_apart`] does that).

use std::cell::RefCell;
use std::io;

use bytes::Bytes;
use flate2::{Compress, Compression as GzipLevel, Decompress, FlushCompress, FlushDecompress};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zstd::zstd_safe::{
    self, CCtx, CParameter, DCtx, DParameter, InBuffer, OutBuffer, ResetDirective,
};

/// Above this a message is compressed or inflated on a blocking thread: 1 MiB takes milliseconds.
pub(crate) const INLINE_SIZE_BYTES_MAX: usize = 1 << 20;
/// zstd level 1: level 3 costs half as much again and made telemetry larger in our measurements.
const ZSTD_LEVEL: i32 = 1;
/// gzip level 1: a third of the time of level 6 for a quarter more bytes.
const GZIP_LEVEL: i32 = 1;
/// Largest zstd window accepted, as a power of two: 8 MiB is what RFC 9659 allows on the wire.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;
/// Members of one gzip body; senders that flush often make a few.
const GZIP_MEMBERS_MAX: usize = 1_024;
/// An announced size is reserved at once only up to this multiple of the compressed size.
const ANNOUNCED_RATIO_MAX: usize = 256;
/// First reservation when nothing is announced.
const OUTPUT_SIZE_BYTES_MIN: usize = 4 << 10;
/// A decoder that grew beyond this is not kept.
const KEPT_CONTEXT_SIZE_BYTES_MAX: usize = 1 << 20;

/// How a message is compressed, by the names of HTTP's `Content-Encoding` and of gRPC's
/// `grpc-encoding`; in configs `none` stands for no compression.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Encoding {
    /// As it is.
    #[default]
    #[serde(rename = "none", alias = "")]
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
    /// RFC 1950: what HTTP calls deflate is a zlib stream.
    #[serde(alias = "zlib")]
    Deflate,
    /// The snappy block format.
    Snappy,
}

impl Encoding {
    /// Reads the value of a `Content-Encoding` or `grpc-encoding` header.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let name = name.trim();
        [
            ("", Self::Identity),
            ("identity", Self::Identity),
            ("none", Self::Identity),
            ("gzip", Self::Gzip),
            ("x-gzip", Self::Gzip),
            ("zstd", Self::Zstd),
            ("deflate", Self::Deflate),
            ("zlib", Self::Deflate),
            ("snappy", Self::Snappy),
        ]
        .into_iter()
        .find(|(known, _)| name.eq_ignore_ascii_case(known))
        .map(|(_, encoding)| encoding)
    }

    /// The name on the wire.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Deflate => "deflate",
            Self::Snappy => "snappy",
        }
    }
}

/// Why a message was not inflated.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(crate) enum InflateError {
    /// It would be larger than allowed.
    #[error("the message inflates to more than {limit_bytes} bytes")]
    TooLarge {
        /// The limit that was met.
        limit_bytes: usize,
    },
    /// It is not what its encoding says, or it ends too early.
    #[error("the message is not valid {encoding}: {reason}")]
    Malformed {
        /// The encoding that was announced.
        encoding: &'static str,
        /// What the decoder said.
        reason: String,
    },
    /// Whoever keeps account of memory had no room.
    #[error("no memory is left for a message of {wanted_bytes} bytes")]
    NoRoom {
        /// Bytes asked for.
        wanted_bytes: usize,
    },
}

/// Compresses `plain`. `None` for the level is the level that pays for telemetry (1).
///
/// # Errors
/// When the library fails, which for memory to memory means that memory is exhausted.
pub(crate) fn compress(
    encoding: Encoding,
    level: Option<i32>,
    plain: &[u8],
) -> io::Result<Vec<u8>> {
    match encoding {
        Encoding::Identity => Ok(plain.to_vec()),
        Encoding::Gzip => gzip(plain, level.unwrap_or(GZIP_LEVEL)),
        Encoding::Zstd => zstd_frame(plain, level.unwrap_or(ZSTD_LEVEL)),
        Encoding::Deflate => {
            let mut state = Compress::new(gzip_level(level.unwrap_or(GZIP_LEVEL)), true);
            deflate_all(&mut state, plain)
        }
        Encoding::Snappy => snap::raw::Encoder::new()
            .compress_vec(plain)
            .map_err(io::Error::other),
    }
}

/// [`compress`], on a blocking thread where the message is large.
///
/// # Errors
/// As [`compress`]; and when the runtime stops meanwhile.
pub(crate) async fn compress_apart(
    encoding: Encoding,
    level: Option<i32>,
    plain: Bytes,
) -> io::Result<Bytes> {
    if encoding == Encoding::Identity {
        return Ok(plain);
    }
    if plain.len() <= INLINE_SIZE_BYTES_MAX {
        return compress(encoding, level, &plain).map(Bytes::from);
    }
    let compressed = tokio::task::spawn_blocking(move || compress(encoding, level, &plain));
    compressed.await.map_err(io::Error::other)?.map(Bytes::from)
}

/// Inflates `bytes` to at most `limit_bytes`, without keeping account of memory.
///
/// # Errors
/// [`InflateError::TooLarge`] or [`InflateError::Malformed`].
#[cfg(test)]
pub(crate) fn inflate(
    encoding: Encoding,
    bytes: &[u8],
    limit_bytes: usize,
) -> Result<Vec<u8>, InflateError> {
    inflate_within(encoding, bytes, limit_bytes, |_| true)
}

/// Inflates `bytes` to at most `limit_bytes`, asking `reserve` before the output grows to a capacity
/// of so many bytes.
///
/// # Errors
/// [`InflateError::TooLarge`], [`InflateError::Malformed`], and [`InflateError::NoRoom`] as soon as
/// `reserve` says no.
pub(crate) fn inflate_within(
    encoding: Encoding,
    bytes: &[u8],
    limit_bytes: usize,
    reserve: impl FnMut(usize) -> bool,
) -> Result<Vec<u8>, InflateError> {
    let mut output = Output {
        plain: Vec::new(),
        limit_bytes,
        reserve,
    };
    match encoding {
        Encoding::Identity => {
            output.grow_to(bytes.len())?;
            output.plain.extend_from_slice(bytes);
        }
        Encoding::Gzip => gunzip(bytes, &mut output)?,
        Encoding::Deflate => {
            inflate_stream(&mut Decompress::new(true), encoding, bytes, &mut output)?;
        }
        Encoding::Zstd => unzstd(bytes, &mut output)?,
        Encoding::Snappy => unsnap(bytes, &mut output)?,
    }
    if output.plain.len() > limit_bytes {
        return Err(InflateError::TooLarge { limit_bytes });
    }
    Ok(output.plain)
}

/// The inflated bytes so far, and what they may become.
struct Output<R> {
    plain: Vec<u8>,
    limit_bytes: usize,
    reserve: R,
}

impl<R: FnMut(usize) -> bool> Output<R> {
    /// Makes room for an announced size beyond what is there, as far as `compressed_len` bytes of
    /// input make it believable.
    fn expect(
        &mut self,
        announced: Option<u64>,
        compressed_len: usize,
    ) -> Result<(), InflateError> {
        let believable = compressed_len.saturating_mul(ANNOUNCED_RATIO_MAX);
        let wanted = announced
            .and_then(|size| usize::try_from(size).ok())
            .unwrap_or_else(|| OUTPUT_SIZE_BYTES_MIN.max(compressed_len.saturating_mul(4)))
            .min(believable);
        let ceiling = self.limit_bytes.saturating_add(1);
        self.grow_to(self.plain.len().saturating_add(wanted).min(ceiling))
    }

    /// Doubles the room; one byte above the limit tells a message that just fits from a larger one.
    fn double(&mut self) -> Result<(), InflateError> {
        let ceiling = self.limit_bytes.saturating_add(1);
        if self.plain.capacity() >= ceiling {
            return Err(InflateError::TooLarge {
                limit_bytes: self.limit_bytes,
            });
        }
        let doubled = self.plain.capacity().saturating_mul(2);
        self.grow_to(doubled.clamp(OUTPUT_SIZE_BYTES_MIN.min(ceiling), ceiling))
    }

    fn grow_to(&mut self, capacity: usize) -> Result<(), InflateError> {
        if capacity <= self.plain.capacity() {
            return Ok(());
        }
        if capacity > self.limit_bytes.saturating_add(1) {
            return Err(InflateError::TooLarge {
                limit_bytes: self.limit_bytes,
            });
        }
        if !(self.reserve)(capacity) {
            return Err(InflateError::NoRoom {
                wanted_bytes: capacity,
            });
        }
        self.plain.reserve_exact(capacity - self.plain.len());
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.plain.len() == self.plain.capacity()
    }
}

fn gunzip<R: FnMut(usize) -> bool>(
    bytes: &[u8],
    output: &mut Output<R>,
) -> Result<(), InflateError> {
    let announced = bytes
        .last_chunk()
        .map(|size| u64::from(u32::from_le_bytes(*size)));
    output.expect(announced, bytes.len())?;
    let mut rest = bytes;
    for _ in 0..GZIP_MEMBERS_MAX {
        let mut state = Decompress::new_gzip(15);
        let used = inflate_stream(&mut state, Encoding::Gzip, rest, output)?;
        rest = rest.get(used..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(());
        }
    }
    let reason = format!("more than {GZIP_MEMBERS_MAX} members");
    Err(malformed(Encoding::Gzip, reason))
}

/// Inflates one zlib or gzip stream from the start of `bytes`; returns how much of it was used.
fn inflate_stream<R: FnMut(usize) -> bool>(
    state: &mut Decompress,
    encoding: Encoding,
    bytes: &[u8],
    output: &mut Output<R>,
) -> Result<usize, InflateError> {
    loop {
        let used = usize::try_from(state.total_in()).unwrap_or(usize::MAX);
        let input = bytes.get(used..).unwrap_or_default();
        let before = (used, output.plain.len());
        let status = state
            .decompress_vec(input, &mut output.plain, FlushDecompress::None)
            .map_err(|error| malformed(encoding, error.to_string()))?;
        let used = usize::try_from(state.total_in()).unwrap_or(usize::MAX);
        if status == flate2::Status::StreamEnd {
            return Ok(used);
        }
        if output.is_full() {
            output.double()?;
        } else if before == (used, output.plain.len()) {
            return Err(malformed(encoding, "it ends too early"));
        }
    }
}

fn unzstd<R: FnMut(usize) -> bool>(
    bytes: &[u8],
    output: &mut Output<R>,
) -> Result<(), InflateError> {
    let mut context = match INFLATER.take() {
        Some(context) => context,
        None => new_inflater()?,
    };
    let inflated = unzstd_with(&mut context, bytes, output);
    let is_clean = context.reset(ResetDirective::SessionOnly).is_ok();
    if is_clean && context.sizeof() <= KEPT_CONTEXT_SIZE_BYTES_MAX {
        INFLATER.set(Some(context));
    }
    inflated
}

fn unzstd_with<R: FnMut(usize) -> bool>(
    context: &mut DCtx<'_>,
    bytes: &[u8],
    output: &mut Output<R>,
) -> Result<(), InflateError> {
    let mut input = InBuffer::around(bytes);
    let mut is_between_frames = true;
    loop {
        let rest = bytes.get(input.pos()..).unwrap_or_default();
        if is_between_frames {
            let announced = zstd_safe::get_frame_content_size(rest).ok().flatten();
            output.expect(announced, rest.len())?;
        }
        let before = (input.pos(), output.plain.len());
        let start = output.plain.len();
        let mut room = OutBuffer::around_pos(&mut output.plain, start);
        let hint = context
            .decompress_stream(&mut room, &mut input)
            .map_err(|code| malformed(Encoding::Zstd, zstd_safe::get_error_name(code)))?;
        is_between_frames = hint == 0;
        if is_between_frames && input.pos() == bytes.len() && !bytes.is_empty() {
            return Ok(());
        }
        if !is_between_frames && output.is_full() {
            output.double()?;
        } else if before == (input.pos(), output.plain.len()) {
            return Err(malformed(Encoding::Zstd, "it ends too early"));
        }
    }
}

fn unsnap<R: FnMut(usize) -> bool>(
    bytes: &[u8],
    output: &mut Output<R>,
) -> Result<(), InflateError> {
    let announced = snap::raw::decompress_len(bytes)
        .map_err(|error| malformed(Encoding::Snappy, error.to_string()))?;
    if announced > output.limit_bytes {
        return Err(InflateError::TooLarge {
            limit_bytes: output.limit_bytes,
        });
    }
    if announced > bytes.len().saturating_mul(ANNOUNCED_RATIO_MAX) {
        return Err(malformed(
            Encoding::Snappy,
            "it announces more than it holds",
        ));
    }
    output.grow_to(announced)?;
    output.plain.resize(announced, 0);
    let written = snap::raw::Decoder::new()
        .decompress(bytes, &mut output.plain)
        .map_err(|error| malformed(Encoding::Snappy, error.to_string()))?;
    output.plain.truncate(written);
    Ok(())
}

fn malformed(encoding: Encoding, reason: impl Into<String>) -> InflateError {
    InflateError::Malformed {
        encoding: encoding.as_str(),
        reason: reason.into(),
    }
}

thread_local! {
    static INFLATER: RefCell<Option<DCtx<'static>>> = const { RefCell::new(None) };
    static ZSTD_COMPRESSOR: RefCell<Option<CCtx<'static>>> = const { RefCell::new(None) };
    static GZIP_COMPRESSOR: RefCell<Option<(u32, Compress)>> = const { RefCell::new(None) };
}

fn new_inflater() -> Result<DCtx<'static>, InflateError> {
    let mut context = DCtx::try_create().ok_or(InflateError::NoRoom { wanted_bytes: 0 })?;
    context
        .set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX))
        .map_err(|code| malformed(Encoding::Zstd, zstd_safe::get_error_name(code)))?;
    Ok(context)
}

fn zstd_frame(plain: &[u8], level: i32) -> io::Result<Vec<u8>> {
    let failed = |code| io::Error::other(zstd_safe::get_error_name(code));
    let mut context = ZSTD_COMPRESSOR
        .take()
        .or_else(CCtx::try_create)
        .ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))?;
    context
        .set_parameter(CParameter::CompressionLevel(level))
        .map_err(failed)?;
    let mut frame = Vec::with_capacity(zstd_safe::compress_bound(plain.len()));
    context.compress2(&mut frame, plain).map_err(failed)?;
    ZSTD_COMPRESSOR.set(Some(context));
    frame.shrink_to_fit();
    Ok(frame)
}

fn gzip(plain: &[u8], level: i32) -> io::Result<Vec<u8>> {
    let level = gzip_level(level);
    let mut state = match GZIP_COMPRESSOR.take() {
        Some((kept, state)) if kept == level.level() => state,
        _ => Compress::new_gzip(level, 15),
    };
    let packed = deflate_all(&mut state, plain)?;
    state.reset();
    GZIP_COMPRESSOR.set(Some((level.level(), state)));
    Ok(packed)
}

fn gzip_level(level: i32) -> GzipLevel {
    GzipLevel::new(u32::try_from(level.clamp(0, 9)).unwrap_or_default())
}

fn deflate_all(state: &mut Compress, plain: &[u8]) -> io::Result<Vec<u8>> {
    let mut packed = Vec::with_capacity(OUTPUT_SIZE_BYTES_MIN.max(plain.len() / 4));
    loop {
        let used = usize::try_from(state.total_in()).unwrap_or(usize::MAX);
        let input = plain.get(used..).unwrap_or_default();
        let status = state
            .compress_vec(input, &mut packed, FlushCompress::Finish)
            .map_err(io::Error::other)?;
        if status == flate2::Status::StreamEnd {
            return Ok(packed);
        }
        packed.reserve(packed.capacity());
    }
}

#[cfg(test)]
mod tests;
