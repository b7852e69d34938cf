//! The one currency: a batch of encoded telemetry.

use std::io;

use bytes::Bytes;

use crate::{Charge, Signal};

/// One encoded export request on its way from a receiver to exporters.
///
/// Cloning copies references only. The memory charge is released when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Batch {
    /// What kind of telemetry this is.
    pub signal: Signal,
    /// The encoded request.
    pub payload: Payload,
    /// Data points, log records or spans inside.
    pub items: u32,
    /// Who made this batch, where that is known; the same on every retry.
    pub origin: Option<Origin>,
    charge: Charge,
}

/// An encoded export request in the encoding in which it travels and is stored.
///
/// Both forms concatenate: two requests one after the other are one merged request, and two zstd
/// frames one after the other inflate to the concatenation of what they hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// OTLP protobuf.
    Plain(Bytes),
    /// One or more zstd frames of OTLP protobuf.
    Zstd {
        /// The compressed bytes.
        frames: Bytes,
        /// Size after inflating, in bytes; known exactly, because the door inflated to validate.
        plain_size_bytes: u32,
    },
}

/// Who made a batch, and which of its numbered batches this is.
///
/// Travels with the batch in memory, on disk and as request metadata, and lets a spool refuse what
/// it already took.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Random 128-bit identity of the agent's spool, drawn when the spool was created.
    pub agent: u128,
    /// First sequence number in this batch.
    pub first: u64,
    /// Last sequence number in this batch; equals `first` for a batch that was not merged.
    pub last: u64,
}

impl Batch {
    /// A batch of `items` items. `charge` is what the payload's memory was charged for.
    #[must_use]
    pub fn new(signal: Signal, payload: Payload, items: u32, charge: Charge) -> Self {
        Self {
            signal,
            payload,
            items,
            origin: None,
            charge,
        }
    }

    /// The same batch with its payload replaced, as a processor does.
    ///
    /// The charge stays as it was: a processor changes sizes by a few attributes, and exactness
    /// here would cost a second charge for each batch.
    #[must_use]
    pub fn with_payload(self, payload: Payload, items: u32) -> Self {
        Self {
            payload,
            items,
            ..self
        }
    }

    /// Bytes this batch is charged for.
    #[must_use]
    pub fn charged_bytes(&self) -> usize {
        self.charge.bytes()
    }
}

impl Payload {
    /// Size in bytes as stored and sent.
    #[must_use]
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Whether there is nothing inside.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Size in bytes of the protobuf message.
    #[must_use]
    pub fn plain_size_bytes(&self) -> usize {
        match self {
            Self::Plain(bytes) => bytes.len(),
            Self::Zstd {
                plain_size_bytes, ..
            } => *plain_size_bytes as usize,
        }
    }

    /// The bytes as stored and sent.
    #[must_use]
    pub fn as_bytes(&self) -> &Bytes {
        match self {
            Self::Plain(bytes) => bytes,
            Self::Zstd { frames, .. } => frames,
        }
    }

    /// The protobuf message; inflates where the payload is compressed.
    ///
    /// # Errors
    /// When the frames do not inflate to the recorded size, which means that memory or disk lied.
    pub fn to_plain(&self) -> io::Result<Bytes> {
        match self {
            Self::Plain(bytes) => Ok(bytes.clone()),
            Self::Zstd {
                frames,
                plain_size_bytes,
            } => inflate(frames, *plain_size_bytes as usize),
        }
    }
}

/// Inflates all `frames` into a buffer of exactly `plain_size_bytes`.
fn inflate(frames: &[u8], plain_size_bytes: usize) -> io::Result<Bytes> {
    let mut plain = vec![0; plain_size_bytes];
    let written = zstd::bulk::Decompressor::new()?.decompress_to_buffer(frames, &mut plain)?;
    if written != plain_size_bytes {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a zstd payload inflates to {written} bytes, {plain_size_bytes} were recorded"),
        ));
    }
    Ok(plain.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(plain: &[u8]) -> Vec<u8> {
        zstd::bulk::compress(plain, 1).unwrap()
    }

    #[test]
    fn concatenated_frames_inflate_to_the_concatenation() {
        let frames = [frame(b"first "), frame(b"second")].concat();
        let payload = Payload::Zstd {
            frames: frames.into(),
            plain_size_bytes: 12,
        };
        assert_eq!(payload.to_plain().unwrap(), "first second");
    }

    #[test]
    fn a_wrong_recorded_size_is_an_error() {
        for size in [4, 6] {
            let payload = Payload::Zstd {
                frames: frame(b"12345").into(),
                plain_size_bytes: size,
            };
            assert!(payload.to_plain().is_err(), "size {size}");
        }
    }
}
