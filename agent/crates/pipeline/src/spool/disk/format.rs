//! The bytes of segments: headers to and from their layout. The layout is described in
//! [`disk`](super).

use bytes::Bytes;

use crate::spool::{Amount, Mark, RECORD_OVERHEAD_BYTES, Record};
use crate::{Batch, Charge, Origin, Payload, Signal};

/// Bytes of a segment's header.
pub(super) const SEGMENT_HEADER_LEN: usize = 64;

/// Bytes of a record's header.
pub(super) const RECORD_HEADER_LEN: usize = 96;

/// The first bytes of each record, by which a reader finds the next one behind damage.
pub(super) const RECORD_MARKER: [u8; 4] = *b"SkyR";

const SEGMENT_MAGIC: [u8; 8] = *b"SKYSPOOL";
const VERSION: u8 = 1;
const ENCODING_PLAIN: u8 = 0;
const ENCODING_ZSTD: u8 = 1;

const _: () = assert!(RECORD_HEADER_LEN as u64 == RECORD_OVERHEAD_BYTES);

/// What stands at the beginning of a segment.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub(super) spool_id: u128,
    pub(super) start: Mark,
    pub(super) unix_nano: u64,
}

/// Why a segment's header cannot be used.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum BadSegment {
    /// Written by another version of this program; to be kept.
    UnknownVersion(u8),
    /// Not a segment, or damaged.
    Damaged,
}

/// What stands before each payload.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct RecordHeader {
    pub(super) payload_crc: u32,
    pub(super) payload_len: u32,
    pub(super) start: Mark,
    unix_nano: u64,
    items: u32,
    plain_size: u32,
    signal: Signal,
    is_zstd: bool,
    origin: Option<Origin>,
}

impl SegmentHeader {
    pub(super) fn encode(&self) -> [u8; SEGMENT_HEADER_LEN] {
        let mut bytes = [0; SEGMENT_HEADER_LEN];
        let mut fields = Writer(&mut bytes);
        fields.put(SEGMENT_MAGIC);
        fields.put([VERSION, 0, 0, 0]);
        fields.put([0; 4]);
        fields.put(self.spool_id.to_le_bytes());
        fields.put(self.start.position.to_le_bytes());
        fields.put(self.start.items.to_le_bytes());
        fields.put(self.start.bytes.to_le_bytes());
        fields.put(self.unix_nano.to_le_bytes());
        let crc = segment_crc(&bytes);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, BadSegment> {
        let bytes: &[u8; SEGMENT_HEADER_LEN] = bytes.first_chunk().ok_or(BadSegment::Damaged)?;
        let mut fields = Reader(bytes);
        if fields.take() != SEGMENT_MAGIC {
            return Err(BadSegment::Damaged);
        }
        let [version, ..] = fields.take::<4>();
        if version != VERSION {
            return Err(BadSegment::UnknownVersion(version));
        }
        if u32::from_le_bytes(fields.take()) != segment_crc(bytes) {
            return Err(BadSegment::Damaged);
        }
        Ok(Self {
            spool_id: u128::from_le_bytes(fields.take()),
            start: Mark {
                position: u64::from_le_bytes(fields.take()),
                items: u64::from_le_bytes(fields.take()),
                bytes: u64::from_le_bytes(fields.take()),
            },
            unix_nano: u64::from_le_bytes(fields.take()),
        })
    }
}

impl RecordHeader {
    /// Bytes of the whole record.
    pub(super) fn record_len(&self) -> u64 {
        RECORD_OVERHEAD_BYTES + u64::from(self.payload_len)
    }

    /// When the record was appended.
    pub(super) fn unix_nano(&self) -> u64 {
        self.unix_nano
    }

    /// The place behind the record.
    pub(super) fn end(&self) -> Mark {
        self.start
            .after(Amount::record(self.items, self.payload_len as usize))
    }

    /// Reads a header; `None` when these bytes are no intact record header of this spool.
    pub(super) fn decode(spool_id: u128, bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; RECORD_HEADER_LEN] = bytes.first_chunk()?;
        let mut fields = Reader(bytes);
        if fields.take() != RECORD_MARKER {
            return None;
        }
        if u32::from_le_bytes(fields.take()) != record_crc(spool_id, bytes) {
            return None;
        }
        let payload_crc = u32::from_le_bytes(fields.take());
        let payload_len = u32::from_le_bytes(fields.take());
        let start = Mark {
            position: u64::from_le_bytes(fields.take()),
            items: u64::from_le_bytes(fields.take()),
            bytes: u64::from_le_bytes(fields.take()),
        };
        let unix_nano = u64::from_le_bytes(fields.take());
        let items = u32::from_le_bytes(fields.take());
        let plain_size = u32::from_le_bytes(fields.take());
        let [signal, encoding, has_origin, ..] = fields.take::<8>();
        let origin = Origin {
            agent: u128::from_le_bytes(fields.take()),
            first: u64::from_le_bytes(fields.take()),
            last: u64::from_le_bytes(fields.take()),
        };
        Some(Self {
            payload_crc,
            payload_len,
            start,
            unix_nano,
            items,
            plain_size,
            signal: *Signal::ALL.get(usize::from(signal))?,
            is_zstd: match encoding {
                ENCODING_PLAIN => false,
                ENCODING_ZSTD => true,
                _ => return None,
            },
            origin: (has_origin == 1).then_some(origin),
        })
    }

    /// The record, when `payload` is what was written.
    pub(super) fn open(&self, payload: Bytes, charge: Charge) -> Option<Record> {
        if crc32fast::hash(&payload) != self.payload_crc {
            return None;
        }
        let payload = if self.is_zstd {
            Payload::Zstd {
                frames: payload,
                plain_size_bytes: self.plain_size,
            }
        } else {
            Payload::Plain(payload)
        };
        let mut batch = Batch::new(self.signal, payload, self.items, charge);
        batch.origin = self.origin;
        Some(Record {
            start: self.start,
            unix_nano: self.unix_nano,
            batch,
        })
    }
}

/// The header of a record, whose payload must be shorter than 4 GiB.
pub(super) fn record_header(spool_id: u128, record: &Record) -> [u8; RECORD_HEADER_LEN] {
    let batch = &record.batch;
    let payload = batch.payload.as_bytes();
    let len = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let plain_size = u32::try_from(batch.payload.plain_size_bytes()).unwrap_or(u32::MAX);
    let signal = u8::try_from(batch.signal.index()).unwrap_or(u8::MAX);
    let encoding = match batch.payload {
        Payload::Plain(_) => ENCODING_PLAIN,
        Payload::Zstd { .. } => ENCODING_ZSTD,
    };
    let has_origin = u8::from(batch.origin.is_some());
    let origin = batch.origin.unwrap_or(Origin {
        agent: 0,
        first: 0,
        last: 0,
    });
    let mut bytes = [0; RECORD_HEADER_LEN];
    let mut fields = Writer(&mut bytes);
    fields.put(RECORD_MARKER);
    fields.put([0; 4]);
    fields.put(crc32fast::hash(payload).to_le_bytes());
    fields.put(len.to_le_bytes());
    fields.put(record.start.position.to_le_bytes());
    fields.put(record.start.items.to_le_bytes());
    fields.put(record.start.bytes.to_le_bytes());
    fields.put(record.unix_nano.to_le_bytes());
    fields.put(batch.items.to_le_bytes());
    fields.put(plain_size.to_le_bytes());
    fields.put([signal, encoding, has_origin, 0, 0, 0, 0, 0]);
    fields.put(origin.agent.to_le_bytes());
    fields.put(origin.first.to_le_bytes());
    fields.put(origin.last.to_le_bytes());
    let crc = record_crc(spool_id, &bytes);
    bytes[4..8].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// Checksum of a segment header without the field that holds it.
fn segment_crc(bytes: &[u8; SEGMENT_HEADER_LEN]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&bytes[..12]);
    hasher.update(&bytes[16..]);
    hasher.finalize()
}

/// Checksum of a record header behind the field that holds it. It begins with the spool's id, so
/// that a record of another spool, carried here as somebody's payload, is never taken for ours.
fn record_crc(spool_id: u128, bytes: &[u8; RECORD_HEADER_LEN]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&spool_id.to_le_bytes());
    hasher.update(&bytes[8..]);
    hasher.finalize()
}

/// Puts fields one after the other into bytes that are long enough.
struct Writer<'a>(&'a mut [u8]);

impl Writer<'_> {
    fn put<const N: usize>(&mut self, field: [u8; N]) {
        let rest = std::mem::take(&mut self.0);
        if let Some((place, rest)) = rest.split_first_chunk_mut::<N>() {
            *place = field;
            self.0 = rest;
        }
    }
}

/// Takes fields one after the other; zeros behind the end, which no caller reaches.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        match self.0.split_first_chunk::<N>() {
            Some((field, rest)) => {
                self.0 = rest;
                *field
            }
            None => [0; N],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{ample, batch};

    const ID: u128 = 0x0123_4567_89ab_cdef_0011_2233_4455_6677;

    fn record() -> Record {
        let mut batch = batch(0..3);
        batch.origin = Some(Origin {
            agent: 7,
            first: 8,
            last: 9,
        });
        Record {
            start: Mark {
                position: 1,
                items: 2,
                bytes: 3,
            },
            unix_nano: 4,
            batch,
        }
    }

    fn encoded(spool_id: u128, record: &Record) -> Vec<u8> {
        let header = record_header(spool_id, record);
        [header.as_slice(), record.batch.payload.as_bytes()].concat()
    }

    #[test]
    fn a_segment_header_reads_back() {
        let header = SegmentHeader {
            spool_id: ID,
            start: record().start,
            unix_nano: 5,
        };
        let bytes = header.encode();
        assert_eq!(SegmentHeader::decode(&bytes), Ok(header));
        assert_eq!(
            SegmentHeader::decode(&bytes[..63]),
            Err(BadSegment::Damaged)
        );
        for at in 0..SEGMENT_HEADER_LEN {
            let mut damaged = bytes;
            damaged[at] ^= 1;
            assert!(SegmentHeader::decode(&damaged).is_err(), "byte {at}");
        }
    }

    #[test]
    fn an_unknown_version_is_told_from_damage() {
        let mut bytes = SegmentHeader {
            spool_id: ID,
            start: Mark::default(),
            unix_nano: 0,
        }
        .encode();
        bytes[8] = 2;
        assert_eq!(
            SegmentHeader::decode(&bytes),
            Err(BadSegment::UnknownVersion(2))
        );
    }

    #[test]
    fn a_record_reads_back_with_all_its_fields() {
        let record = record();
        let bytes = encoded(ID, &record);
        let header = RecordHeader::decode(ID, &bytes).unwrap();
        assert_eq!(header.record_len(), bytes.len() as u64);
        assert_eq!(header.end(), record.end());
        let payload = Bytes::copy_from_slice(&bytes[RECORD_HEADER_LEN..]);
        let charge = ample().charge_if_free(0);
        let read = header.open(payload, charge).unwrap();
        assert_eq!(read.start, record.start);
        assert_eq!(read.unix_nano, 4);
        assert_eq!(read.batch.payload, record.batch.payload);
        assert_eq!(read.batch.items, 3);
        assert_eq!(read.batch.signal, record.batch.signal);
        assert_eq!(read.batch.origin, record.batch.origin);
    }

    #[test]
    fn one_flipped_bit_anywhere_in_a_record_is_noticed() {
        let bytes = encoded(ID, &record());
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            let read = RecordHeader::decode(ID, &damaged).and_then(|header| {
                let payload = Bytes::copy_from_slice(&damaged[RECORD_HEADER_LEN..]);
                header.open(payload, ample().charge_if_free(0))
            });
            assert!(read.is_none(), "byte {at}");
        }
    }

    #[test]
    fn a_record_of_another_spool_is_not_ours() {
        let bytes = encoded(ID + 1, &record());
        assert!(RecordHeader::decode(ID, &bytes).is_none());
    }
}
