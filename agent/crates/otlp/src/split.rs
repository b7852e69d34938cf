//! Splitting a request into smaller ones.
//!
//! Items are cut apart between resources, scopes, metrics or the items themselves, wherever a limit
//! is reached. Each piece repeats the envelopes around its items: the resource, the scope, the name
//! of the metric, and every unknown field beside them. The order is kept, and the pieces one after
//! the other are a request that decodes to the same items in the same envelopes.

use bytes::Bytes;

use crate::Signal;
use crate::levels::{Levels, count, levels};
use crate::wire::{Content, Field, Fields, Open, close, len_field_size, open};

/// One part of a request; a request itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The encoded request, in a buffer of exactly its size unless it is the whole.
    pub bytes: Bytes,
    /// Data points, log records or spans inside.
    pub items: u32,
}

/// Splits a validated request into pieces of at most `max_items` items and `max_bytes` bytes.
///
/// An item that is too large is a piece of its own. So that large envelopes are not copied for each
/// small item, a piece may take twice the size of its envelopes, even above `max_bytes`. A request
/// within the limits comes back as it is. Envelopes without items are dropped where they do not fit.
#[must_use]
pub fn split(signal: Signal, bytes: &Bytes, max_items: u32, max_bytes: usize) -> Vec<Piece> {
    let levels = levels(signal);
    let items = count(levels, bytes);
    if items <= max_items && bytes.len() <= max_bytes {
        let bytes = bytes.clone();
        return vec![Piece { bytes, items }];
    }
    let mut splitter = Splitter {
        max_items,
        max_bytes,
        pieces: Vec::new(),
        out: Vec::new(),
        items: 0,
        frames: Vec::new(),
    };
    splitter.add_children(levels, bytes);
    splitter.flush();
    splitter.pieces
}

struct Splitter<'a> {
    max_items: u32,
    max_bytes: usize,
    pieces: Vec<Piece>,
    /// The piece being filled.
    out: Vec<u8>,
    /// Items in `out`.
    items: u32,
    /// The envelopes around the current place, the outermost first.
    frames: Vec<Frame<'a>>,
}

/// An envelope whose content is added part by part.
struct Frame<'a> {
    /// Field number of the message in its parent.
    number: u32,
    message: &'a [u8],
    /// Fields of the message that hold the parts; all others are copied into each piece.
    parts: &'static [u32],
    /// Upper bound of what it takes in a piece, without parts.
    size: usize,
    /// Set while the message is open in the current piece.
    open: Option<Open>,
}

impl<'a> Splitter<'a> {
    fn add_children(&mut self, levels: Levels, message: &'a [u8]) {
        let Some((numbers, below)) = levels.split_first() else {
            return;
        };
        for field in Fields::new(message) {
            match field.content {
                Content::Len(child) if numbers.contains(&field.number) => {
                    self.add(below, &field, child);
                }
                // Around the parts of the request itself there is no envelope that would hold this.
                _ if self.frames.is_empty() => self.append(field.raw, 0),
                _ => {}
            }
        }
    }

    /// Adds the part `field`: as a whole where it fits, else item by item.
    fn add(&mut self, levels: Levels, field: &Field<'a>, child: &'a [u8]) {
        let items = count(levels, child);
        if self.fits(field.raw.len(), items) {
            self.append(field.raw, items);
            return;
        }
        let Some(parts) = levels.first() else {
            if self.items > 0 {
                self.flush();
            }
            self.append(field.raw, items);
            return;
        };
        self.frames.push(Frame::new(field.number, child, parts));
        self.add_children(levels, child);
        if let Some(open) = self.frames.pop().and_then(|frame| frame.open) {
            close(&mut self.out, open);
        }
    }

    /// Whether the current piece can take a part of this size.
    fn fits(&self, size: usize, items: u32) -> bool {
        let envelopes: usize = self.frames.iter().map(|frame| frame.size).sum();
        let unopened: usize = (self.frames.iter())
            .filter(|frame| frame.open.is_none())
            .map(|frame| frame.size)
            .sum();
        let max_bytes = self.max_bytes.max(envelopes.saturating_mul(2));
        self.items.saturating_add(items) <= self.max_items
            && self.out.len() + unopened + size <= max_bytes
    }

    /// Appends a part inside the current envelopes, which are opened where they are not yet.
    fn append(&mut self, raw: &[u8], items: u32) {
        for frame in &mut self.frames {
            if frame.open.is_none() {
                frame.open_in(&mut self.out);
            }
        }
        self.out.extend_from_slice(raw);
        self.items = self.items.saturating_add(items);
    }

    /// Ends the current piece. The envelopes around the current place go on in the next one.
    fn flush(&mut self) {
        for frame in self.frames.iter_mut().rev() {
            if let Some(open) = frame.open.take() {
                close(&mut self.out, open);
            }
        }
        if !self.out.is_empty() {
            self.pieces.push(Piece {
                bytes: Bytes::copy_from_slice(&self.out),
                items: self.items,
            });
        }
        self.out.clear();
        self.items = 0;
    }
}

impl<'a> Frame<'a> {
    fn new(number: u32, message: &'a [u8], parts: &'static [u32]) -> Self {
        let mut frame = Self {
            number,
            message,
            parts,
            size: len_field_size(number, message.len()) - message.len(),
            open: None,
        };
        frame.size += frame.envelope().map(<[u8]>::len).sum::<usize>();
        frame
    }

    /// The fields that are not parts.
    fn envelope(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let parts = self.parts;
        Fields::new(self.message)
            .filter(move |field| !parts.contains(&field.number))
            .map(|field| field.raw)
    }

    /// Opens the message with its envelope. What it can grow to is known, so its length has room.
    fn open_in(&mut self, out: &mut Vec<u8>) {
        self.open = Some(open(out, self.number, self.message.len()));
        for raw in self.envelope() {
            out.extend_from_slice(raw);
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::metrics::v1 as proto;
    use proptest::prelude::*;
    use prost::Message;

    use super::*;
    use crate::arbitrary;
    use crate::wire::{put_len_field, put_varint_field};

    /// The items of a request, each with all the envelopes around it, as encoded bytes.
    fn flatten(signal: Signal, bytes: &[u8]) -> Vec<Vec<Vec<u8>>> {
        fn walk(levels: Levels, message: &[u8], path: &[Vec<u8>], out: &mut Vec<Vec<Vec<u8>>>) {
            let mut path = path.to_vec();
            let Some((numbers, below)) = levels.split_first() else {
                path.push(message.to_vec());
                out.push(path);
                return;
            };
            path.push(
                Fields::new(message)
                    .filter(|field| !numbers.contains(&field.number))
                    .flat_map(|field| field.raw.to_vec())
                    .collect(),
            );
            for field in Fields::new(message) {
                if let (true, Content::Len(child)) =
                    (numbers.contains(&field.number), field.content)
                {
                    let mut path = path.clone();
                    path.push(vec![u8::try_from(field.number).unwrap()]);
                    walk(below, child, &path, out);
                }
            }
        }
        let mut out = Vec::new();
        walk(levels(signal), bytes, &[], &mut out);
        out
    }

    fn check(signal: Signal, bytes: &[u8], max_items: u32, max_bytes: usize) {
        let whole = Bytes::copy_from_slice(bytes);
        let pieces = split(signal, &whole, max_items, max_bytes);
        for piece in &pieces {
            assert_eq!(
                crate::validate(signal, &piece.bytes, &Default::default()),
                Ok(piece.items)
            );
            assert!(piece.items <= max_items.max(1), "{} items", piece.items);
            assert!(piece.bytes.len() <= max_bytes || may_be_large(signal, piece, max_bytes));
        }
        let concat: Vec<u8> = pieces
            .iter()
            .flat_map(|piece| piece.bytes.to_vec())
            .collect();
        assert_eq!(flatten(signal, &concat), flatten(signal, bytes));
    }

    /// A piece above the limit has one item, or envelopes that take half of it.
    fn may_be_large(signal: Signal, piece: &Piece, max_bytes: usize) -> bool {
        let items: usize = (flatten(signal, &piece.bytes).iter())
            .filter_map(|path| path.last().map(Vec::len))
            .sum();
        piece.items == 1 || (piece.bytes.len() - items) * 2 > max_bytes
    }

    proptest! {
        #[test]
        fn pieces_hold_the_same_items_in_the_same_order(
            entropy in arbitrary::entropy(),
            max_items in 1..8_u32,
            max_bytes in 1..2000_usize,
        ) {
            for signal in Signal::ALL {
                let bytes = arbitrary::request(signal, &entropy);
                check(signal, &bytes, max_items, max_bytes);
                check(signal, &bytes, u32::MAX, max_bytes);
                check(signal, &bytes, max_items, usize::MAX);
            }
        }
    }

    /// A request of one gauge with `points` points and an unknown field in each envelope.
    fn request(points: usize) -> Vec<u8> {
        let gauge = proto::Gauge {
            data_points: vec![
                proto::NumberDataPoint {
                    time_unix_nano: 1,
                    ..Default::default()
                };
                points
            ],
        };
        let mut message = gauge.encode_to_vec();
        for number in [5, 2, 2, 1] {
            put_varint_field(&mut message, 99, 7);
            let mut outer = Vec::new();
            put_len_field(&mut outer, number, &message);
            message = outer;
        }
        put_varint_field(&mut message, 99, 7);
        message
    }

    #[test]
    fn one_metric_is_split_between_points_and_unknown_fields_survive() {
        let bytes = Bytes::from(request(10));
        let pieces = split(Signal::Metrics, &bytes, 4, usize::MAX);
        let items: Vec<_> = pieces.iter().map(|piece| piece.items).collect();
        assert_eq!(items, [4, 4, 2]);
        // The unknown field of the request itself, three bytes, is in the last piece alone.
        let sizes: Vec<_> = pieces.iter().map(|piece| piece.bytes.len()).collect();
        let (four, two) = (request(4).len(), request(2).len());
        assert_eq!(sizes, [four - 3, four - 3, two]);
        check(Signal::Metrics, &bytes, 4, usize::MAX);
    }

    #[test]
    fn a_request_within_the_limits_is_not_copied() {
        let bytes = Bytes::from(request(10));
        let pieces = split(Signal::Metrics, &bytes, 10, bytes.len());
        assert_eq!(pieces.len(), 1);
        assert_eq!(pieces[0].bytes.as_ptr(), bytes.as_ptr());
    }

    #[test]
    fn a_large_item_stands_alone_between_its_neighbors() {
        let record = |size| {
            let mut record = Vec::new();
            put_len_field(&mut record, 3, &vec![b'x'; size]);
            record
        };
        let mut scope = Vec::new();
        for size in [10, 10, 5000, 10, 10] {
            put_len_field(&mut scope, 2, &record(size));
        }
        let mut resource = Vec::new();
        put_len_field(&mut resource, 2, &scope);
        let mut bytes = Vec::new();
        put_len_field(&mut bytes, 1, &resource);
        let pieces = split(Signal::Logs, &bytes.into(), 100, 1000);
        let items: Vec<_> = pieces.iter().map(|piece| piece.items).collect();
        assert_eq!(items, [2, 1, 2]);
    }

    #[test]
    fn large_envelopes_are_not_copied_for_each_small_item() {
        let mut scope = Vec::new();
        for _ in 0..1000 {
            put_len_field(&mut scope, 2, &[0x18, 1]);
        }
        let mut resource = Vec::new();
        put_len_field(&mut resource, 3, &[b'x'; 5000]);
        put_len_field(&mut resource, 2, &scope);
        let mut bytes = Vec::new();
        put_len_field(&mut bytes, 1, &resource);
        let pieces = split(Signal::Logs, &bytes.clone().into(), 10_000, 1000);
        let size: usize = pieces.iter().map(|piece| piece.bytes.len()).sum();
        assert!(size <= 3 * bytes.len(), "{size} bytes of {}", bytes.len());
    }
}
