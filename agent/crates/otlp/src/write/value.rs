//! Values to be written.

use crate::common::Value;
use crate::wire::{close, open, put_fixed64_field, put_len_field, put_varint_field};

/// The value of an attribute, or the body of a log record, on its way into a request.
#[derive(Copy, Clone, Debug, Default, PartialEq)]
pub enum AttributeValue<'a> {
    /// No value.
    #[default]
    Empty,
    /// Text.
    Str(&'a str),
    /// A truth value.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// An integer that may be above `i64::MAX`, for which OTLP has no room: such a value is written
    /// as decimal text, as the specification asks.
    Uint(u64),
    /// A floating-point number.
    Double(f64),
    /// Bytes that are not text.
    Bytes(&'a [u8]),
    /// A list of values.
    Array(&'a [AttributeValue<'a>]),
    /// Keys with values.
    Map(&'a [(&'a str, AttributeValue<'a>)]),
    /// A copy of a value that was read.
    View(Value<'a>),
}

impl<'a> From<&'a str> for AttributeValue<'a> {
    fn from(value: &'a str) -> Self {
        Self::Str(value)
    }
}

impl<'a> From<&'a String> for AttributeValue<'a> {
    fn from(value: &'a String) -> Self {
        Self::Str(value)
    }
}

impl From<bool> for AttributeValue<'_> {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i32> for AttributeValue<'_> {
    fn from(value: i32) -> Self {
        Self::Int(value.into())
    }
}

impl From<u32> for AttributeValue<'_> {
    fn from(value: u32) -> Self {
        Self::Int(value.into())
    }
}

impl From<i64> for AttributeValue<'_> {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<u64> for AttributeValue<'_> {
    fn from(value: u64) -> Self {
        Self::Uint(value)
    }
}

impl From<f64> for AttributeValue<'_> {
    fn from(value: f64) -> Self {
        Self::Double(value)
    }
}

impl<'a> From<&'a [u8]> for AttributeValue<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Bytes(value)
    }
}

impl<'a> From<Value<'a>> for AttributeValue<'a> {
    fn from(value: Value<'a>) -> Self {
        Self::View(value)
    }
}

/// Appends a `KeyValue` as field `number`.
#[inline]
pub(crate) fn put_attribute(out: &mut Vec<u8>, number: u32, key: &str, value: &AttributeValue<'_>) {
    // Two tags and two lengths stand around key and value.
    let message = open(out, number, key.len() + value.size_guess() + 4);
    put_len_field(out, 1, key.as_bytes());
    put_any_value(out, 2, value);
    close(out, message);
}

/// Appends an `AnyValue` as field `number`.
#[inline]
pub(crate) fn put_any_value(out: &mut Vec<u8>, number: u32, value: &AttributeValue<'_>) {
    let message = open(out, number, value.size_guess());
    put_content(out, value);
    close(out, message);
}

/// Appends the one field of an `AnyValue`.
fn put_content(out: &mut Vec<u8>, value: &AttributeValue<'_>) {
    match *value {
        AttributeValue::Empty | AttributeValue::View(Value::Empty) => {}
        AttributeValue::Str(text) | AttributeValue::View(Value::Str(text)) => {
            put_len_field(out, 1, text.as_bytes());
        }
        AttributeValue::Bool(value) | AttributeValue::View(Value::Bool(value)) => {
            put_varint_field(out, 2, value.into());
        }
        AttributeValue::Int(value) | AttributeValue::View(Value::Int(value)) => {
            put_varint_field(out, 3, value.cast_unsigned());
        }
        AttributeValue::Uint(value) if i64::try_from(value).is_ok() => {
            put_varint_field(out, 3, value);
        }
        AttributeValue::Uint(value) => put_len_field(out, 1, value.to_string().as_bytes()),
        AttributeValue::Double(value) | AttributeValue::View(Value::Double(value)) => {
            put_fixed64_field(out, 4, value.to_bits());
        }
        AttributeValue::Bytes(bytes) | AttributeValue::View(Value::Bytes(bytes)) => {
            put_len_field(out, 7, bytes);
        }
        AttributeValue::Array(values) => {
            let message = open(out, 5, value.size_guess());
            for value in values {
                put_any_value(out, 1, value);
            }
            close(out, message);
        }
        AttributeValue::Map(entries) => {
            let message = open(out, 6, value.size_guess());
            for (key, value) in entries {
                put_attribute(out, 1, key, value);
            }
            close(out, message);
        }
        AttributeValue::View(Value::Array(array)) => put_len_field(out, 5, array.as_bytes()),
        AttributeValue::View(Value::Map(map)) => {
            let message = open(out, 6, value.size_guess());
            for entry in map.encoded() {
                put_len_field(out, 1, entry);
            }
            close(out, message);
        }
    }
}

impl AttributeValue<'_> {
    /// About the bytes that the encoded value takes; decides how much room its length gets.
    fn size_guess(&self) -> usize {
        match self {
            Self::Str(text) | Self::View(Value::Str(text)) => text.len() + 2,
            Self::Bytes(bytes) | Self::View(Value::Bytes(bytes)) => bytes.len() + 2,
            Self::Array(values) => values.len() * 16,
            Self::Map(entries) => entries.len() * 32,
            Self::View(Value::Array(array)) => array.as_bytes().len() + 2,
            Self::View(Value::Map(map)) => map.as_bytes().len() + 2,
            _ => 9,
        }
    }
}
