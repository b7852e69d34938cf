//! From JSON to protobuf.

use std::fmt;

use bytes::Bytes;
use serde::de::{
    DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor,
};
use serde_json::de::SliceRead;

use super::JsonError;
use crate::common::low_32_bits;
use crate::schema::{self, Field, Kind, Message, Occurs, Role};
use crate::wire::{
    close, open, put_fixed32_field, put_fixed64_field, put_len_field, put_varint, put_varint_field,
    to_zigzag,
};
use crate::{Limits, Signal, base64};

/// What some senders put in front of a document to say that it is UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Encodes a request of OTLP/JSON as protobuf.
///
/// # Errors
/// The first thing that is wrong with the document, with the keys that lead to it.
pub fn from_json(signal: Signal, json: &[u8]) -> Result<Bytes, JsonError> {
    let json = json.strip_prefix(BYTE_ORDER_MARK).unwrap_or(json);
    let mut document = serde_json::Deserializer::from_slice(json);
    // The depth is bounded below, by messages; unknown values are skipped without recursion.
    document.disable_recursion_limit();
    let mut output = Output {
        bytes: Vec::with_capacity(json.len() / 2),
        path: Vec::new(),
    };
    match read(signal, &mut document, &mut output) {
        // Without the spare room, which would count against the budget for as long as it lives.
        Ok(()) => Ok(output.bytes.into_boxed_slice().into()),
        Err(error) => Err(output.error(&error)),
    }
}

fn read(
    signal: Signal,
    document: &mut serde_json::Deserializer<SliceRead<'_>>,
    output: &mut Output,
) -> serde_json::Result<()> {
    let request = Fields {
        output,
        message: schema::request(signal),
        depth: Limits::default().max_depth,
    };
    document.deserialize_map(request)?;
    document.end()
}

/// What has been written, and where in the document we are.
struct Output {
    bytes: Vec<u8>,
    /// Left as it is when an error occurs, so that it tells where.
    path: Vec<Step>,
}

enum Step {
    Key(&'static str),
    Position(usize),
}

impl Output {
    fn error(&self, error: &serde_json::Error) -> JsonError {
        let mut path = String::new();
        for step in &self.path {
            match step {
                Step::Key(key) if path.is_empty() => path.push_str(key),
                Step::Key(key) => path.extend([".", *key]),
                Step::Position(position) => path.push_str(&format!("[{position}]")),
            }
        }
        if path.is_empty() {
            path.push_str("request");
        }
        let (line, column) = (error.line(), error.column());
        let mut reason = error.to_string();
        // The position has fields of its own.
        let position = format!(" at line {line} column {column}");
        if let Some(at) = reason.strip_suffix(&position).map(str::len) {
            reason.truncate(at);
        }
        JsonError {
            path,
            line,
            column,
            reason,
        }
    }
}

/// Reads the keys of an object as the fields of a message.
struct Fields<'o> {
    output: &'o mut Output,
    message: &'static Message,
    /// Messages that may still be inside this one.
    depth: u32,
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = 0;
        while let Some(field) = map.next_key_seed(Key(self.message))? {
            let Some(field) = field else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            self.output.path.push(Step::Key(field.json));
            let value = Value {
                output: self.output,
                field,
                place: Place::Field,
                depth: self.depth,
            };
            if map.next_value_seed(value)? {
                note(field, &mut seen)?;
            }
            self.output.path.pop();
        }
        Ok(())
    }
}

/// Notes that a key occurs, and refuses it where that contradicts one before.
fn note<E: Error>(field: &Field, seen: &mut u32) -> Result<(), E> {
    let own = 1 << field.number;
    if *seen & own != 0 {
        return Err(E::custom("the key occurs twice"));
    }
    *seen |= own;
    // Field numbers start at 1, so bit 0 is free for the members of a `oneof`.
    if field.occurs == Occurs::OneOf {
        if *seen & 1 != 0 {
            return Err(E::custom("only one of the possible values may be set"));
        }
        *seen |= 1;
    }
    Ok(())
}

/// Reads a key as a field; nothing when the message has no such field.
struct Key(&'static Message);

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Option<&'static Field>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key {
    type Value = Option<&'static Field>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.json_field(key))
    }
}

/// Reads one value and tells whether there was one; `null` is none.
struct Value<'o> {
    output: &'o mut Output,
    field: &'static Field,
    place: Place,
    /// Messages that may still be inside the one that has this field.
    depth: u32,
}

/// Where a value stands.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Place {
    /// Behind its key.
    Field,
    /// In a list whose elements are fields of their own.
    List,
    /// In a list of numbers that are packed into one field.
    Packed,
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_list() {
            return f.write_str("a list");
        }
        f.write_str(match self.field.kind {
            Kind::Bool => "true or false",
            Kind::Enum => "the number of an enum value",
            Kind::Int32 | Kind::Sint32 => "a 32-bit integer",
            Kind::Uint32 | Kind::Fixed32 => "a 32-bit integer that is not negative",
            Kind::Int64 | Kind::Sfixed64 => "a 64-bit integer, as a number or a string",
            Kind::Uint64 | Kind::Fixed64 => {
                "a 64-bit integer that is not negative, as a number or a string"
            }
            Kind::Double => "a number, or the string NaN, Infinity or -Infinity",
            Kind::Str => "a string",
            Kind::Bytes => "base64 text",
            Kind::Id => "hexadecimal text",
            Kind::Message(_) => "an object",
        })
    }

    fn visit_unit<E: Error>(self) -> Result<bool, E> {
        match (self.place, self.field.kind) {
            (Place::Field, _) => Ok(false),
            // A list may hold values that are nothing.
            (Place::List, Kind::Message(message)) if message.role == Role::AnyValue => {
                put_len_field(&mut self.output.bytes, self.field.number, &[]);
                Ok(true)
            }
            _ => Err(E::invalid_type(Unexpected::Unit, &self)),
        }
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<bool, E> {
        match self.field.kind {
            Kind::Bool if !self.is_list() => {
                self.put_bits(value.into());
                Ok(true)
            }
            _ => Err(E::invalid_type(Unexpected::Bool(value), &self)),
        }
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<bool, E> {
        self.integer(value.into(), Unexpected::Signed(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<bool, E> {
        self.integer(value.into(), Unexpected::Unsigned(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<bool, E> {
        if matches!(self.field.kind, Kind::Double) && !self.is_list() {
            self.put_bits(value.to_bits());
            return Ok(true);
        }
        match whole(value) {
            Some(integer) => self.integer(integer, Unexpected::Float(value)),
            None => Err(E::invalid_type(Unexpected::Float(value), &self)),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<bool, E> {
        let invalid = Unexpected::Str(text);
        match self.field.kind {
            _ if self.is_list() => Err(E::invalid_type(invalid, &self)),
            Kind::Bool | Kind::Enum | Kind::Message(_) => Err(E::invalid_type(invalid, &self)),
            Kind::Str => Ok(self.put_bytes(text.as_bytes())),
            Kind::Bytes => {
                let mut bytes = Vec::new();
                match base64::decode(text, &mut bytes) {
                    Some(()) => Ok(self.put_bytes(&bytes)),
                    None => Err(E::invalid_value(invalid, &self)),
                }
            }
            Kind::Id => match decode_hex(text) {
                Some(bytes) => Ok(self.put_bytes(&bytes)),
                None => Err(E::invalid_value(invalid, &self)),
            },
            Kind::Double => match parse_double(text) {
                Some(value) => {
                    self.put_bits(value.to_bits());
                    Ok(true)
                }
                None => Err(E::invalid_value(invalid, &self)),
            },
            _ => match text.parse() {
                Ok(integer) => self.integer(integer, invalid),
                Err(_) => Err(E::invalid_value(invalid, &self)),
            },
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<bool, A::Error> {
        if !self.is_list() {
            return Err(A::Error::invalid_type(Unexpected::Seq, &self));
        }
        let is_packed = matches!(self.field.kind, Kind::Fixed64 | Kind::Double | Kind::Uint64);
        let packed = is_packed.then(|| open(&mut self.output.bytes, self.field.number, 64));
        let place = if is_packed {
            Place::Packed
        } else {
            Place::List
        };
        for position in 0.. {
            self.output.path.push(Step::Position(position));
            let element = Value {
                output: self.output,
                field: self.field,
                place,
                depth: self.depth,
            };
            let element = list.next_element_seed(element)?;
            self.output.path.pop();
            if element.is_none() {
                break;
            }
        }
        match packed {
            Some(packed) if packed.content_size(&self.output.bytes) == 0 => {
                packed.discard(&mut self.output.bytes);
            }
            Some(packed) => close(&mut self.output.bytes, packed),
            None => {}
        }
        Ok(true)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<bool, A::Error> {
        let message = match self.field.kind {
            Kind::Message(message) if !self.is_list() => message,
            _ => return Err(A::Error::invalid_type(Unexpected::Map, &self)),
        };
        let Some(depth) = self.depth.checked_sub(1) else {
            return Err(A::Error::custom("objects are nested too deeply"));
        };
        let nested = open(&mut self.output.bytes, self.field.number, 64);
        let fields = Fields {
            output: self.output,
            message,
            depth,
        };
        fields.visit_map(map)?;
        close(&mut self.output.bytes, nested);
        Ok(true)
    }
}

impl Value<'_> {
    /// Whether the list itself is to be read, and not one of its elements.
    fn is_list(&self) -> bool {
        self.field.occurs == Occurs::Repeated && self.place == Place::Field
    }

    /// Writes an integer, where the field takes integers and this one.
    fn integer<E: Error>(self, value: i128, unexpected: Unexpected<'_>) -> Result<bool, E> {
        let bits = match self.field.kind {
            _ if self.is_list() => return Err(E::invalid_type(unexpected, &self)),
            Kind::Int32 | Kind::Enum => i32::try_from(value)
                .ok()
                .map(|value| i64::from(value).cast_unsigned()),
            Kind::Sint32 => i32::try_from(value)
                .ok()
                .map(|value| to_zigzag(value).into()),
            Kind::Uint32 | Kind::Fixed32 => u32::try_from(value).ok().map(u64::from),
            Kind::Int64 | Kind::Sfixed64 => i64::try_from(value).ok().map(i64::cast_unsigned),
            Kind::Uint64 | Kind::Fixed64 => u64::try_from(value).ok(),
            Kind::Double => Some((value as f64).to_bits()),
            Kind::Bool | Kind::Str | Kind::Bytes | Kind::Id | Kind::Message(_) => {
                return Err(E::invalid_type(unexpected, &self));
            }
        };
        match bits {
            Some(bits) => {
                self.put_bits(bits);
                Ok(true)
            }
            None => Err(E::invalid_value(unexpected, &self)),
        }
    }

    /// Writes a number by its bits: 32 or 64 of them, or those of the varint.
    fn put_bits(self, bits: u64) {
        let out = &mut self.output.bytes;
        let number = self.field.number;
        let is_fixed64 = matches!(
            self.field.kind,
            Kind::Fixed64 | Kind::Sfixed64 | Kind::Double
        );
        match (self.place, self.field.kind) {
            (Place::Packed, _) if is_fixed64 => out.extend_from_slice(&bits.to_le_bytes()),
            (Place::Packed, _) => put_varint(out, bits),
            _ if bits == 0 && self.field.occurs == Occurs::Once => {}
            (_, Kind::Fixed32) => put_fixed32_field(out, number, low_32_bits(bits)),
            _ if is_fixed64 => put_fixed64_field(out, number, bits),
            _ => put_varint_field(out, number, bits),
        }
    }

    /// Writes text or bytes, and tells that there was a value.
    fn put_bytes(self, bytes: &[u8]) -> bool {
        if !bytes.is_empty() || self.field.occurs != Occurs::Once {
            put_len_field(&mut self.output.bytes, self.field.number, bytes);
        }
        true
    }
}

/// The integer that a double is, where it is one; senders may write 1e3.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a whole number below 2^64 fits"
)]
fn whole(value: f64) -> Option<i128> {
    const TWO_TO_THE_64TH: f64 = 18_446_744_073_709_551_616.0;
    (value.fract() == 0.0 && value.abs() < TWO_TO_THE_64TH).then_some(value as i128)
}

/// A double as text: a decimal number, or one of the three names that JSON has no number for.
fn parse_double(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        // Rust knows more names than OTLP.
        _ => text.parse().ok().filter(|value: &f64| value.is_finite()),
    }
}

fn decode_hex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks();
    if !rest.is_empty() {
        return None;
    }
    pairs
        .iter()
        .map(|[high, low]| Some(hex_digit(*high)? << 4 | hex_digit(*low)?))
        .collect()
}

const fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}
