//! Splitting a request into smaller ones.
//!
//! Items are cut apart between resources, scopes, metrics or the items themselves, wherever a limit
//! is reached. Each piece repeats the envelopes around its items: the resource, the scope, the name
//! of the metric, and every unknown field beside them. The order is kept, and the pieces one after
//! the other are a request with the same items in the same envelopes.

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
    splitter.add_parts(levels, None, bytes);
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
    /// The envelopes around the current place, from the request down.
    frames: Vec<Frame<'a>>,
}

/// An envelope whose content is added part by part.
struct Frame<'a> {
    /// Field number of the message in its parent; none for the request itself.
    number: Option<u32>,
    message: &'a [u8],
    /// Fields of the message that hold the parts; all others are copied into each piece.
    parts: &'static [u32],
    /// Upper bound of what it takes in a piece, without parts.
    size: usize,
    /// Whether it has begun in the current piece.
    is_open: bool,
    /// Its length in the current piece; the request has none.
    length: Option<Open>,
}

impl<'a> Splitter<'a> {
    /// Adds what lies below `message`, whose field number is `number`, part by part.
    fn add_parts(&mut self, levels: Levels, number: Option<u32>, message: &'a [u8]) {
        let Some((parts, below)) = levels.split_first() else {
            return;
        };
        self.frames.push(Frame::new(number, message, parts));
        for field in Fields::new(message) {
            match field.content {
                Content::Len(part) if parts.contains(&field.number) => {
                    self.add(below, &field, part);
                }
                _ => {}
            }
        }
        if let Some(mut frame) = self.frames.pop() {
            frame.close_in(&mut self.out);
        }
    }

    /// Adds one part: as a whole where it fits, else what lies below it.
    fn add(&mut self, levels: Levels, field: &Field<'a>, part: &'a [u8]) {
        let items = count(levels, part);
        let fits = self.fits(field.raw.len(), items);
        if !fits && !levels.is_empty() {
            return self.add_parts(levels, Some(field.number), part);
        }
        if !fits && self.items > 0 {
            self.flush();
        }
        self.append(field.raw, items);
    }

    /// Whether the current piece can take a part of this size.
    fn fits(&self, size: usize, items: u32) -> bool {
        let envelopes: usize = self.frames.iter().map(|frame| frame.size).sum();
        let to_open: usize = (self.frames.iter())
            .filter(|frame| !frame.is_open)
            .map(|frame| frame.size)
            .sum();
        let max_bytes = self.max_bytes.max(envelopes.saturating_mul(2));
        self.items.saturating_add(items) <= self.max_items
            && self.out.len() + to_open + size <= max_bytes
    }

    /// Appends a part inside the current envelopes, which are opened where they are not yet.
    fn append(&mut self, raw: &[u8], items: u32) {
        for frame in self.frames.iter_mut().filter(|frame| !frame.is_open) {
            frame.open_in(&mut self.out);
        }
        self.out.extend_from_slice(raw);
        self.items = self.items.saturating_add(items);
    }

    /// Ends the current piece. The envelopes around the current place go on in the next one.
    fn flush(&mut self) {
        for frame in self.frames.iter_mut().rev() {
            frame.close_in(&mut self.out);
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
    fn new(number: Option<u32>, message: &'a [u8], parts: &'static [u32]) -> Self {
        let mut frame = Self {
            number,
            message,
            parts,
            size: 0,
            is_open: false,
            length: None,
        };
        let around = number.map_or(0, |number| {
            len_field_size(number, message.len()) - message.len()
        });
        frame.size = around + frame.envelope().map(<[u8]>::len).sum::<usize>();
        frame
    }

    /// The fields that are not parts.
    fn envelope(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let parts = self.parts;
        Fields::new(self.message)
            .filter(move |field| !parts.contains(&field.number))
            .map(|field| field.raw)
    }

    /// Begins the message with its envelope. What it can grow to is known, so its length has room.
    fn open_in(&mut self, out: &mut Vec<u8>) {
        self.length = (self.number).map(|number| open(out, number, self.message.len()));
        self.is_open = true;
        for raw in self.envelope() {
            out.extend_from_slice(raw);
        }
    }

    fn close_in(&mut self, out: &mut Vec<u8>) {
        if let Some(length) = self.length.take() {
            close(out, length);
        }
        self.is_open = false;
    }
}

#[cfg(test)]
mod tests;
