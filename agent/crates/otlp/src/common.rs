//! Views of what all signals share: resources, scopes, attributes, values.
//!
//! A view borrows the encoded message and never allocates. It is meant for bytes that went through
//! [`validate`](crate::validate::validate): where they are malformed after all, an iteration ends
//! early and a scalar keeps its default, and nothing panics.
//!
//! Names and meanings are those of `opentelemetry/proto/common/v1/common.proto`.

mod numbers;
mod text;

pub use numbers::{Doubles, Fixed64s, Varints};

pub(crate) use text::{write_json_double, write_json_str};

use std::fmt;
use std::marker::PhantomData;

use crate::wire::{Content, Fields};

/// The messages of one repeated field, viewed one after the other.
pub struct Messages<'a, T> {
    fields: Fields<'a>,
    number: u32,
    view: PhantomData<fn() -> T>,
}

impl<'a, T> Messages<'a, T> {
    /// The messages in field `number` of the message `bytes`.
    #[must_use]
    pub(crate) const fn new(bytes: &'a [u8], number: u32) -> Self {
        Self {
            fields: Fields::new(bytes),
            number,
            view: PhantomData,
        }
    }
}

impl<'a, T: From<&'a [u8]>> Iterator for Messages<'a, T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        self.fields.find_map(|field| match field.content {
            Content::Len(bytes) if field.number == self.number => Some(T::from(bytes)),
            _ => None,
        })
    }
}

impl<T> Clone for Messages<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Messages<'_, T> {}

impl<T> fmt::Debug for Messages<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Messages")
            .field("number", &self.number)
            .field("rest_bytes", &self.fields.rest().len())
            .finish()
    }
}

/// Who produced telemetry.
#[derive(Copy, Clone, Debug, Default)]
pub struct Resource<'a> {
    bytes: &'a [u8],
}

impl<'a> Resource<'a> {
    /// Attributes that describe the resource.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::within(self.bytes, 1)
    }

    /// Attributes that the sender left out.
    #[must_use]
    pub fn dropped_attributes_count(&self) -> u32 {
        last_varint(self.bytes, 2)
    }

    /// The encoded message.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

impl<'a> From<&'a [u8]> for Resource<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }
}

/// The library, or the part of a program, that made telemetry.
#[derive(Copy, Clone, Debug, Default)]
pub struct Scope<'a> {
    bytes: &'a [u8],
}

impl<'a> Scope<'a> {
    /// Name of the scope; may be empty.
    #[must_use]
    pub fn name(&self) -> &'a str {
        text(last_len(self.bytes, 1))
    }

    /// Version of the scope; may be empty.
    #[must_use]
    pub fn version(&self) -> &'a str {
        text(last_len(self.bytes, 2))
    }

    /// Attributes that describe the scope.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::within(self.bytes, 3)
    }

    /// Attributes that the sender left out.
    #[must_use]
    pub fn dropped_attributes_count(&self) -> u32 {
        last_varint(self.bytes, 4)
    }

    /// The encoded message.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

impl<'a> From<&'a [u8]> for Scope<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }
}

/// One attribute, or one entry of a map value.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct KeyValue<'a> {
    /// The key.
    pub key: &'a str,
    /// The value.
    pub value: Value<'a>,
}

impl<'a> From<&'a [u8]> for KeyValue<'a> {
    #[inline]
    fn from(bytes: &'a [u8]) -> Self {
        let mut key: &[u8] = &[];
        let mut value = Value::Empty;
        for field in Fields::new(bytes) {
            match (field.number, field.content) {
                (1, Content::Len(bytes)) => key = bytes,
                (2, Content::Len(bytes)) => value = Value::from(bytes),
                _ => {}
            }
        }
        Self {
            key: text(key),
            value,
        }
    }
}

/// A list of attributes, or a map value.
///
/// Keys are expected to be unique; where they are not, [`Attributes::get`] finds the first.
#[derive(Copy, Clone, Debug, Default)]
pub struct Attributes<'a> {
    bytes: &'a [u8],
    number: u32,
}

impl<'a> Attributes<'a> {
    /// The attributes in field `number` of `bytes`, which may hold other fields as well.
    pub(crate) const fn new(bytes: &'a [u8], number: u32) -> Self {
        Self { bytes, number }
    }

    /// The attributes in field `number` of `message`, cut down to the run that holds them.
    pub(crate) fn within(message: &'a [u8], number: u32) -> Self {
        let mut run = Run::default();
        let mut fields = Fields::new(message);
        while let Some(field) = fields.next() {
            if field.number == number {
                run.extend(message, field.raw, fields.rest());
            }
        }
        run.attributes(message, number)
    }

    /// The value of `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Value<'a>> {
        self.iter()
            .find(|attribute| attribute.key == key)
            .map(|attribute| attribute.value)
    }

    /// The attributes in the order in which they are encoded.
    #[must_use]
    pub const fn iter(&self) -> Messages<'a, KeyValue<'a>> {
        Messages::new(self.bytes, self.number)
    }

    /// The attributes as encoded `KeyValue` messages.
    #[must_use]
    pub const fn encoded(&self) -> Messages<'a, &'a [u8]> {
        Messages::new(self.bytes, self.number)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// The encoded attributes, from the first to the last, as a key for caches.
    ///
    /// Equal bytes mean equal attributes; equal attributes in another order have other bytes. All
    /// known encoders write the attributes of a message next to each other; where one does not,
    /// the fields in between are part of these bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

impl<'a> IntoIterator for Attributes<'a> {
    type Item = KeyValue<'a>;
    type IntoIter = Messages<'a, KeyValue<'a>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a> IntoIterator for &Attributes<'a> {
    type Item = KeyValue<'a>;
    type IntoIter = Messages<'a, KeyValue<'a>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl PartialEq for Attributes<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

/// The value of an attribute or the body of a log record.
#[derive(Copy, Clone, Debug, Default, PartialEq)]
pub enum Value<'a> {
    /// No value, which is legal and differs from an empty string.
    #[default]
    Empty,
    /// Text.
    Str(&'a str),
    /// A truth value.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A floating-point number.
    Double(f64),
    /// Bytes that are not text.
    Bytes(&'a [u8]),
    /// A list of values of any kinds.
    Array(ArrayValue<'a>),
    /// Keys with values.
    Map(Attributes<'a>),
}

impl<'a> From<&'a [u8]> for Value<'a> {
    /// A view of an encoded `AnyValue`. The last field wins, as protobuf says of a `oneof`.
    #[inline]
    fn from(bytes: &'a [u8]) -> Self {
        let mut value = Self::Empty;
        for field in Fields::new(bytes) {
            value = match (field.number, field.content) {
                (1, Content::Len(bytes)) => Self::Str(text(bytes)),
                (2, Content::Varint(bits)) => Self::Bool(bits != 0),
                (3, Content::Varint(bits)) => Self::Int(bits.cast_signed()),
                (4, Content::Fixed64(bits)) => Self::Double(f64::from_bits(bits)),
                (5, Content::Len(bytes)) => Self::Array(ArrayValue { bytes }),
                (6, Content::Len(bytes)) => Self::Map(Attributes::new(bytes, 1)),
                (7, Content::Len(bytes)) => Self::Bytes(bytes),
                // A reference into the string table of a profile; there is none in other signals.
                (8, _) => Self::Empty,
                _ => value,
            };
        }
        value
    }
}

/// A list of values.
#[derive(Copy, Clone, Debug)]
pub struct ArrayValue<'a> {
    bytes: &'a [u8],
}

impl<'a> ArrayValue<'a> {
    /// The values in their order.
    #[must_use]
    pub const fn iter(&self) -> Messages<'a, Value<'a>> {
        Messages::new(self.bytes, 1)
    }

    /// The encoded message.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

impl<'a> IntoIterator for ArrayValue<'a> {
    type Item = Value<'a>;
    type IntoIter = Messages<'a, Value<'a>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl PartialEq for ArrayValue<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

/// Where in a message the fields of one number lie, from the first to the last.
#[derive(Copy, Clone, Debug, Default)]
pub(crate) struct Run {
    start: usize,
    end: usize,
}

impl Run {
    /// Takes in a field of `message`: its bytes, and the bytes that follow it.
    #[inline]
    pub(crate) fn extend(&mut self, message: &[u8], raw: &[u8], rest: &[u8]) {
        let end = message.len() - rest.len();
        if self.end == 0 {
            self.start = end - raw.len();
        }
        self.end = end;
    }

    /// The attributes in field `number` of `message`, all of which are in this run.
    #[inline]
    pub(crate) fn attributes(self, message: &[u8], number: u32) -> Attributes<'_> {
        Attributes::new(self.bytes(message), number)
    }

    /// The part of `message` that this run covers.
    #[inline]
    pub(crate) fn bytes(self, message: &[u8]) -> &[u8] {
        message.get(self.start..self.end).unwrap_or_default()
    }
}

/// Text that was validated; empty where it is not UTF-8 after all.
#[inline]
pub(crate) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// The low 32 bits of a varint, as protobuf decoders read 32-bit fields.
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "decoders drop the high bits of 32-bit fields"
)]
pub(crate) const fn low_32_bits(bits: u64) -> u32 {
    bits as u32
}

/// The last value of a string, bytes or message field; empty when it is absent.
pub(crate) fn last_len(message: &[u8], number: u32) -> &[u8] {
    Fields::new(message)
        .filter(|field| field.number == number)
        .filter_map(|field| match field.content {
            Content::Len(bytes) => Some(bytes),
            _ => None,
        })
        .last()
        .unwrap_or_default()
}

/// The last value of a 32-bit varint field; zero when it is absent.
pub(crate) fn last_varint(message: &[u8], number: u32) -> u32 {
    Fields::new(message)
        .filter(|field| field.number == number)
        .filter_map(|field| match field.content {
            Content::Varint(bits) => Some(low_32_bits(bits)),
            _ => None,
        })
        .last()
        .unwrap_or_default()
}
