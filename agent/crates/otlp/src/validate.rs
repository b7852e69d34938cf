//! The check at the door: are these bytes a request that every decoder will take?
//!
//! What passes here is trusted by everything behind: views cannot fail half-way, and peers can
//! decode what we forward. Checked are the structure, the wire types of known fields, UTF-8, and
//! the depth of nesting. Unknown fields must be well-formed and are let through. Not judged are
//! meanings: the length of an id or an absurd time is bad data, not a bad request.
//!
//! Protobuf allows two things that are refused here:
//! * Groups, which OTLP never had and which only a stack could skip.
//! * A singular message that occurs twice in its parent, or two messages of one `oneof`. Decoders
//!   merge or drop the first; a borrowed view would show one, and the count would be off. No
//!   encoder writes this.
//!
//! Fast paths carry the load: text that is ASCII needs one pass of eight bytes a step, and an
//! attribute or a body that is such text is recognized as a whole.

use std::fmt;

use crate::Signal;
use crate::schema::{self, Field, Kind, Message, Occurs, Role};
use crate::wire::{WireError, split_fixed32, split_fixed64, split_len, split_tag, split_varint};

/// Bounds on what is accepted.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Messages inside one another below the request. The default, 100, is the limit of the C++,
    /// Java and Rust decoders: what is accepted here, they can decode. It lets lists nest about 45
    /// deep and maps about 30.
    pub max_depth: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_depth: 100 }
    }
}

/// What is wrong with a request, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} at byte {offset}: {reason}", Path(.path))]
pub struct Invalid {
    /// Bytes before the offending field.
    pub offset: usize,
    /// Names of the fields from the request to the offending one, as in
    /// `resource_logs.scope_logs.log_records.body`. Empty when the request itself is broken.
    pub path: String,
    /// What is wrong.
    pub reason: Reason,
}

/// What is wrong with a field.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// It is not a protobuf field.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// It is encoded as something else than its type.
    #[error("the field does not have the wire type of its number")]
    WireType,
    /// Text is not UTF-8.
    #[error("the text is not UTF-8")]
    Utf8,
    /// There are too many messages inside one another.
    #[error("messages are nested too deeply")]
    Depth,
    /// A message that can be there once is there twice.
    #[error("a message that may occur once occurs twice")]
    Twice,
}

/// Checks the whole request and counts its items.
///
/// # Errors
/// The first violation, with its place.
pub fn validate(signal: Signal, bytes: &[u8], limits: &Limits) -> Result<u32, Invalid> {
    let mut walk = Walk { items: 0 };
    match walk.message(schema::request(signal), bytes, limits.max_depth) {
        Ok(()) => Ok(walk.items),
        Err(problem) => Err(problem.into_invalid(bytes)),
    }
}

struct Walk {
    items: u32,
}

/// A violation on its way up; each level adds its name, the first one its place.
#[derive(Debug)]
struct Problem<'a> {
    reason: Reason,
    at: Option<&'a [u8]>,
    path: Vec<&'static str>,
}

type Checked<'a, T> = Result<T, Box<Problem<'a>>>;

impl Walk {
    fn message<'a>(&mut self, message: &Message, bytes: &'a [u8], depth: u32) -> Checked<'a, ()> {
        if message.role == Role::Item {
            self.items = self.items.saturating_add(1);
        }
        let mut seen = 0;
        let mut rest = bytes;
        while !rest.is_empty() {
            let at = rest;
            let (number, wire_type, after) =
                split_tag(at).map_err(|error| problem(error).starting(at))?;
            let Some(field) = message.field(number) else {
                rest = skip(wire_type, after).map_err(|error| problem(error).starting(at))?;
                continue;
            };
            let checked = match field.kind {
                Kind::Message(inner) if wire_type == 2 => {
                    self.nested(field, inner, after, depth, &mut seen)
                }
                _ => scalar(field, wire_type, after).map_err(problem),
            };
            rest = checked.map_err(|problem| problem.starting(at).inside(field.name))?;
        }
        Ok(())
    }

    /// Checks a nested message; its tag is in front of `bytes`. Returns what follows.
    #[inline]
    fn nested<'a>(
        &mut self,
        field: &Field,
        message: &Message,
        bytes: &'a [u8],
        depth: u32,
        seen: &mut u32,
    ) -> Checked<'a, &'a [u8]> {
        let (content, after) = split_len(bytes).map_err(problem)?;
        once(field, seen).map_err(problem)?;
        let depth = depth.checked_sub(1).ok_or(Reason::Depth).map_err(problem)?;
        match message.role {
            Role::KeyValue if depth > 0 && is_plain_attribute(content) => {}
            Role::AnyValue if is_plain_text(content) => {}
            _ => self.message(message, content, depth)?,
        }
        Ok(after)
    }
}

/// Notes that a message occurs, and refuses the second one where there may be one.
#[inline]
fn once(field: &Field, seen: &mut u32) -> Result<(), Reason> {
    // Field numbers start at 1, so bit 0 is free for the members of the `oneof`, of which no
    // message has two.
    let bit = match field.occurs {
        Occurs::Repeated => return Ok(()),
        Occurs::OneOf => 1,
        Occurs::Once | Occurs::Optional => 1 << field.number,
    };
    if *seen & bit != 0 {
        return Err(Reason::Twice);
    }
    *seen |= bit;
    Ok(())
}

/// Checks a field that is not a message; its tag is in front of `bytes`. Returns what follows.
#[inline]
fn scalar<'a>(field: &Field, wire_type: u8, bytes: &'a [u8]) -> Result<&'a [u8], Reason> {
    let own_type = match field.kind {
        Kind::Str => {
            if wire_type != 2 {
                return Err(Reason::WireType);
            }
            let (text, rest) = split_len(bytes)?;
            return if is_utf8(text) {
                Ok(rest)
            } else {
                Err(Reason::Utf8)
            };
        }
        Kind::Bytes | Kind::Id | Kind::Message(_) => 2,
        Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => 1,
        Kind::Fixed32 => 5,
        _ => 0,
    };
    if wire_type == own_type {
        return Ok(skip(wire_type, bytes)?);
    }
    if wire_type == 2 && field.occurs == Occurs::Repeated {
        let (numbers, rest) = split_len(bytes)?;
        packed(own_type, numbers)?;
        return Ok(rest);
    }
    Err(Reason::WireType)
}

/// Checks packed numbers: they must fill their field exactly.
fn packed(wire_type: u8, mut numbers: &[u8]) -> Result<(), WireError> {
    while !numbers.is_empty() {
        numbers = skip(wire_type, numbers)?;
    }
    Ok(())
}

/// What follows a value of `wire_type` at the start of `bytes`.
#[inline]
fn skip(wire_type: u8, bytes: &[u8]) -> Result<&[u8], WireError> {
    match wire_type {
        0 => split_varint(bytes).map(|(_, rest)| rest),
        1 => split_fixed64(bytes).map(|(_, rest)| rest),
        2 => split_len(bytes).map(|(_, rest)| rest),
        5 => split_fixed32(bytes).map(|(_, rest)| rest),
        3 | 4 => Err(WireError::Group),
        _ => Err(WireError::Type),
    }
}

/// Whether `bytes` are a `KeyValue` with an ASCII key and an ASCII text value, each with a length
/// of one byte: `0a len key 12 len 0a len text`.
#[inline]
fn is_plain_attribute(bytes: &[u8]) -> bool {
    let [0x0a, key_len, rest @ ..] = bytes else {
        return false;
    };
    let Some((key, value)) = rest.split_at_checked(usize::from(*key_len)) else {
        return false;
    };
    let [0x12, value_len, 0x0a, text_len, text @ ..] = value else {
        return false;
    };
    *key_len < 0x80
        && *value_len < 0x80
        && usize::from(*text_len) == text.len()
        && usize::from(*value_len) == text.len() + 2
        && is_ascii(key)
        && is_ascii(text)
}

/// Whether `bytes` are an `AnyValue` that is ASCII text: `0a len text`.
#[inline]
fn is_plain_text(bytes: &[u8]) -> bool {
    let [0x0a, rest @ ..] = bytes else {
        return false;
    };
    matches!(split_len(rest), Ok((text, [])) if is_ascii(text))
}

#[inline]
fn is_utf8(text: &[u8]) -> bool {
    is_ascii(text) || simdutf8::basic::from_utf8(text).is_ok()
}

/// Whether no byte has its high bit set, eight bytes a step; the last step overlaps the one before.
#[inline]
fn is_ascii(text: &[u8]) -> bool {
    const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
    let Some(last) = text.last_chunk() else {
        return text.iter().fold(0, |bits, byte| bits | byte) < 0x80;
    };
    let (words, _) = text.as_chunks();
    let bits = words.iter().fold(u64::from_le_bytes(*last), |bits, word| {
        bits | u64::from_le_bytes(*word)
    });
    bits & HIGH_BITS == 0
}

#[cold]
fn problem<'a>(reason: impl Into<Reason>) -> Box<Problem<'a>> {
    Box::new(Problem {
        reason: reason.into(),
        at: None,
        path: Vec::new(),
    })
}

impl<'a> Problem<'a> {
    /// Sets the place, unless a level further down knew it.
    fn starting(mut self: Box<Self>, at: &'a [u8]) -> Box<Self> {
        self.at.get_or_insert(at);
        self
    }

    /// Adds the name of the field in which the violation was met.
    fn inside(mut self: Box<Self>, name: &'static str) -> Box<Self> {
        self.path.push(name);
        self
    }

    fn into_invalid(mut self, request: &[u8]) -> Invalid {
        self.path.reverse();
        Invalid {
            // Every place is the rest of a slice of the request.
            offset: (self.at).map_or(0, |at| at.as_ptr().addr() - request.as_ptr().addr()),
            path: self.path.join("."),
            reason: self.reason,
        }
    }
}

/// Shows the path, or what stands at the end of an empty one.
struct Path<'a>(&'a str);

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "request" } else { self.0 })
    }
}

#[cfg(test)]
mod tests;
