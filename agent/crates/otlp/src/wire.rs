//! The protobuf wire format: fields in, fields out.
//!
//! The reading half never allocates and never panics. [`Reader`] is for foreign bytes and tells what
//! is wrong; [`Fields`] is for bytes that were validated and simply ends where they are malformed.
//!
//! The writing half appends to a `Vec<u8>`. A nested message whose length is not known yet is
//! opened with [`open`] and closed with [`close`]: room for the length is reserved by a guess, the
//! content is appended behind it, and closing writes the minimal varint, moving the content by a
//! byte or two where the guess was wrong. Measuring every message first would walk everything
//! twice; a right guess, which is the rule, costs nothing.
//!
//! Source: <https://protobuf.dev/programming-guides/encoding/>.

/// Longest encoding of a 64-bit varint, in bytes.
const VARINT_SIZE_MAX: usize = 10;

/// One field of a message.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct Field<'a> {
    /// Field number, 1 to 2^29 - 1.
    pub number: u32,
    /// What the field holds.
    pub content: Content<'a>,
    /// The whole field as it is encoded, tag and length included.
    pub raw: &'a [u8],
}

/// The content of a field, by wire type.
#[derive(Copy, Clone, Debug, PartialEq)]
pub enum Content<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1.
    Fixed64(u64),
    /// Wire type 2: a string, bytes, a message, or packed numbers.
    Len(&'a [u8]),
    /// Wire type 5.
    Fixed32(u32),
}

/// Why bytes are not a protobuf message.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The bytes end inside a tag, a length or a number.
    #[error("the bytes end inside a field")]
    Truncated,
    /// A length reaches beyond the enclosing message.
    #[error("a length reaches beyond the end of its message")]
    Length,
    /// A varint of more than 64 bits.
    #[error("a varint has more than 64 bits")]
    Varint,
    /// A field number of 0, or above 2^29 - 1.
    #[error("a field number is outside 1 to 536870911")]
    Number,
    /// Wire type 6 or 7, which do not exist.
    #[error("a field has a wire type that does not exist")]
    Type,
    /// Wire type 3 or 4. Groups are not used by OTLP and would need a stack to skip.
    #[error("a field is a group, which OTLP does not use")]
    Group,
}

/// Reads the fields of a message. After an error it yields nothing more.
#[derive(Copy, Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader of the message `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The bytes that have not been read.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Result<Field<'a>, WireError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        Some(match split_field(self.rest) {
            Ok((field, rest)) => {
                self.rest = rest;
                Ok(field)
            }
            Err(error) => {
                self.rest = &[];
                Err(error)
            }
        })
    }
}

/// Reads the fields of a message that was validated. A malformed rest ends the iteration.
#[derive(Copy, Clone, Debug)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The fields of the message `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The bytes that have not been read.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    #[inline(always)]
    fn next(&mut self) -> Option<Field<'a>> {
        let (field, rest) = split_field(self.rest).ok()?;
        self.rest = rest;
        Some(field)
    }
}

/// Splits the first field off `bytes`.
///
/// # Errors
/// When `bytes` do not start with a whole, well-formed field.
#[inline(always)]
pub fn split_field(bytes: &[u8]) -> Result<(Field<'_>, &[u8]), WireError> {
    let (number, wire_type, rest) = split_tag(bytes)?;
    let (content, rest) = match wire_type {
        0 => {
            let (value, rest) = split_varint(rest)?;
            (Content::Varint(value), rest)
        }
        1 => {
            let (value, rest) = split_fixed64(rest)?;
            (Content::Fixed64(value), rest)
        }
        2 => {
            let (value, rest) = split_len(rest)?;
            (Content::Len(value), rest)
        }
        5 => {
            let (value, rest) = split_fixed32(rest)?;
            (Content::Fixed32(value), rest)
        }
        3 | 4 => return Err(WireError::Group),
        _ => return Err(WireError::Type),
    };
    let (raw, _) = bytes.split_at(bytes.len() - rest.len());
    let field = Field {
        number,
        content,
        raw,
    };
    Ok((field, rest))
}

/// Splits a tag off `bytes`: field number, wire type (0 to 7), rest.
///
/// # Errors
/// When there is no whole tag, or its field number does not exist.
#[inline(always)]
pub fn split_tag(bytes: &[u8]) -> Result<(u32, u8, &[u8]), WireError> {
    let (tag, rest) = split_varint(bytes)?;
    let tag = u32::try_from(tag).map_err(|_| WireError::Number)?;
    let number = tag >> 3;
    if number == 0 {
        return Err(WireError::Number);
    }
    let [low, ..] = tag.to_le_bytes();
    Ok((number, low & 7, rest))
}

/// Splits a varint off `bytes`.
///
/// # Errors
/// When the bytes end inside it, or it has more than 64 bits.
#[inline(always)]
pub fn split_varint(bytes: &[u8]) -> Result<(u64, &[u8]), WireError> {
    match bytes {
        [low, rest @ ..] if *low < 0x80 => Ok((u64::from(*low), rest)),
        [low, high, rest @ ..] if *high < 0x80 => {
            Ok((u64::from(*low & 0x7f) | u64::from(*high) << 7, rest))
        }
        _ => split_long_varint(bytes),
    }
}

fn split_long_varint(bytes: &[u8]) -> Result<(u64, &[u8]), WireError> {
    let mut value = 0;
    let mut rest = bytes;
    for index in 0..VARINT_SIZE_MAX {
        let (byte, after) = rest.split_first().ok_or(WireError::Truncated)?;
        // The tenth byte holds bit 63 alone.
        if index == VARINT_SIZE_MAX - 1 && *byte > 1 {
            return Err(WireError::Varint);
        }
        value |= u64::from(byte & 0x7f) << (7 * index);
        rest = after;
        if *byte < 0x80 {
            return Ok((value, rest));
        }
    }
    Err(WireError::Varint)
}

/// Splits eight little-endian bytes off `bytes`.
///
/// # Errors
/// When there are fewer than eight.
#[inline(always)]
pub fn split_fixed64(bytes: &[u8]) -> Result<(u64, &[u8]), WireError> {
    let (value, rest) = bytes.split_first_chunk().ok_or(WireError::Truncated)?;
    Ok((u64::from_le_bytes(*value), rest))
}

/// Splits four little-endian bytes off `bytes`.
///
/// # Errors
/// When there are fewer than four.
#[inline(always)]
pub fn split_fixed32(bytes: &[u8]) -> Result<(u32, &[u8]), WireError> {
    let (value, rest) = bytes.split_first_chunk().ok_or(WireError::Truncated)?;
    Ok((u32::from_le_bytes(*value), rest))
}

/// Splits a length and as many bytes off `bytes`.
///
/// # Errors
/// When there is no whole length, or fewer bytes than it says.
#[inline(always)]
pub fn split_len(bytes: &[u8]) -> Result<(&[u8], &[u8]), WireError> {
    let (len, rest) = split_varint(bytes)?;
    let len = usize::try_from(len).map_err(|_| WireError::Length)?;
    rest.split_at_checked(len).ok_or(WireError::Length)
}

/// Undoes the zigzag encoding of `sint32`.
#[must_use]
pub const fn from_zigzag(bits: u32) -> i32 {
    (bits >> 1).cast_signed() ^ -((bits & 1).cast_signed())
}

/// The zigzag encoding of `sint32`, which keeps small negative numbers short.
#[must_use]
pub const fn to_zigzag(value: i32) -> u32 {
    ((value << 1) ^ (value >> 31)).cast_unsigned()
}

/// Bytes that `value` takes as a varint.
#[inline]
#[must_use]
pub const fn varint_size(value: u64) -> usize {
    // Seven bits a byte; zero takes one byte too.
    let bits = u64::BITS - (value | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

/// Bytes that a field with a length takes: tag, length, content.
#[inline]
#[must_use]
pub const fn len_field_size(number: u32, content_size: usize) -> usize {
    varint_size((number as u64) << 3) + varint_size(content_size as u64) + content_size
}

/// Appends a varint.
#[inline]
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(low_byte(value) | 0x80);
        value >>= 7;
    }
    out.push(low_byte(value));
}

/// Appends field `number` as a varint. Negative `int32`, `int64` and enums are sign-extended first.
#[inline]
pub fn put_varint_field(out: &mut Vec<u8>, number: u32, value: u64) {
    put_tag(out, number, 0);
    put_varint(out, value);
}

/// Appends field `number` as eight bytes; doubles go in through `f64::to_bits`.
#[inline]
pub fn put_fixed64_field(out: &mut Vec<u8>, number: u32, value: u64) {
    put_tag(out, number, 1);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends field `number` as four bytes.
#[inline]
pub fn put_fixed32_field(out: &mut Vec<u8>, number: u32, value: u32) {
    put_tag(out, number, 5);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends field `number` with a length: a string, bytes, or an encoded message.
#[inline]
pub fn put_len_field(out: &mut Vec<u8>, number: u32, content: &[u8]) {
    put_tag(out, number, 2);
    put_varint(out, content.len() as u64);
    out.extend_from_slice(content);
}

/// A nested message whose content is being appended. Must be given to [`close`].
#[derive(Debug)]
#[must_use = "a message that is not closed has no length"]
pub struct Open {
    /// Where the tag starts.
    start: usize,
    /// Where the length starts.
    length_at: usize,
    /// Bytes reserved for the length.
    reserved: usize,
}

impl Open {
    /// Bytes appended since the message was opened.
    #[must_use]
    pub fn content_size(&self, out: &[u8]) -> usize {
        out.len().saturating_sub(self.length_at + self.reserved)
    }

    /// Takes the message back, tag included.
    pub fn discard(self, out: &mut Vec<u8>) {
        out.truncate(self.start);
    }
}

/// Opens field `number` as a nested message of about `expected_size` bytes.
#[inline]
pub fn open(out: &mut Vec<u8>, number: u32, expected_size: usize) -> Open {
    let start = out.len();
    put_tag(out, number, 2);
    let length_at = out.len();
    let reserved = varint_size(expected_size as u64);
    out.resize(length_at + reserved, 0);
    Open {
        start,
        length_at,
        reserved,
    }
}

/// Closes a nested message: everything appended since [`open`] is its content.
#[inline]
pub fn close(out: &mut Vec<u8>, open: Open) {
    let size = open.content_size(out);
    let needed = varint_size(size as u64);
    if needed != open.reserved {
        move_content(out, &open, needed);
    }
    let mut value = size as u64;
    for (index, byte) in (out.iter_mut().skip(open.length_at).take(needed)).enumerate() {
        let more = if index + 1 < needed { 0x80 } else { 0 };
        *byte = low_byte(value & 0x7f) | more;
        value >>= 7;
    }
}

/// Moves the content of `open` so that its length has `needed` bytes.
#[cold]
fn move_content(out: &mut Vec<u8>, open: &Open, needed: usize) {
    let from = open.length_at + open.reserved;
    let to = open.length_at + needed;
    let end = out.len();
    if to > from {
        out.resize(end + to - from, 0);
    }
    out.copy_within(from..end, to);
    out.truncate(end + to - from);
}

#[inline]
fn put_tag(out: &mut Vec<u8>, number: u32, wire_type: u8) {
    put_varint(out, u64::from(number) << 3 | u64::from(wire_type));
}

#[inline]
const fn low_byte(value: u64) -> u8 {
    let [low, ..] = value.to_le_bytes();
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_of_every_size_read_back() {
        for shift in 0..64 {
            for value in [1_u64 << shift, (1 << shift) - 1, u64::MAX >> shift] {
                let mut out = Vec::new();
                put_varint(&mut out, value);
                assert_eq!(out.len(), varint_size(value), "{value}");
                assert_eq!(split_varint(&out), Ok((value, &[][..])));
                out.pop();
                assert_eq!(split_varint(&out), Err(WireError::Truncated), "{value}");
            }
        }
    }

    #[test]
    fn zigzag_keeps_small_numbers_small() {
        for (value, bits) in [
            (0, 0),
            (-1, 1),
            (1, 2),
            (i32::MAX, u32::MAX - 1),
            (i32::MIN, u32::MAX),
        ] {
            assert_eq!((to_zigzag(value), from_zigzag(bits)), (bits, value));
        }
    }

    #[test]
    fn a_varint_of_more_than_64_bits_is_refused() {
        let mut bytes = vec![0xff; 9];
        bytes.push(2);
        assert_eq!(split_varint(&bytes), Err(WireError::Varint));
        bytes[9] = 0x81;
        bytes.push(0);
        assert_eq!(split_varint(&bytes), Err(WireError::Varint));
    }

    #[test]
    fn broken_fields_are_told_apart_and_end_the_reading() {
        let table: [(&[u8], WireError); 8] = [
            (&[0x80], WireError::Truncated),
            (&[0x09, 1, 2], WireError::Truncated),
            (&[0x0d, 1, 2], WireError::Truncated),
            (&[0x0a, 3, 1, 2], WireError::Length),
            (&[0x00, 1], WireError::Number),
            (&[0x80, 0x80, 0x80, 0x80, 0x10, 1], WireError::Number),
            (&[0x0b], WireError::Group),
            (&[0x0e], WireError::Type),
        ];
        for (bytes, error) in table {
            let mut reader = Reader::new(bytes);
            assert_eq!(reader.next(), Some(Err(error)), "{bytes:?}");
            assert_eq!(reader.next(), None, "{bytes:?}");
            assert_eq!(Fields::new(bytes).next(), None, "{bytes:?}");
        }
    }

    #[test]
    fn a_length_is_minimal_whatever_was_guessed() {
        for size in [0, 1, 127, 128, 16_383, 16_384, 70_000] {
            for guess in [0, 200, 20_000, 3_000_000] {
                let content = vec![7; size];
                let mut expected = vec![1, 2];
                put_len_field(&mut expected, 5, &content);
                let mut out = vec![1, 2];
                let message = open(&mut out, 5, guess);
                out.extend_from_slice(&content);
                close(&mut out, message);
                assert_eq!(out, expected, "size {size}, guess {guess}");
                assert_eq!(out.len(), 2 + len_field_size(5, size));
            }
        }
    }
}
