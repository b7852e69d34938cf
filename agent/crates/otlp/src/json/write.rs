//! From protobuf to JSON.

use std::fmt::{self, Write};

use crate::Signal;
use crate::base64;
use crate::common::{Run, low_32_bits, text, write_json_double, write_json_str};
use crate::schema::{self, Field, Kind, Message, NUMBERS, Occurs};
use crate::wire::{Content, Fields, from_zigzag, split_fixed64, split_varint};

/// Appends a validated request as one line of OTLP/JSON, without a line end.
///
/// Unknown fields have no name and are left out.
pub fn to_json(signal: Signal, bytes: &[u8], out: &mut Vec<u8>) {
    // Writing to a `Vec` cannot fail.
    let _ = write_message(schema::request(signal), bytes, &mut Sink(out));
}

struct Sink<'a>(&'a mut Vec<u8>);

impl Write for Sink<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }

    fn write_char(&mut self, char: char) -> fmt::Result {
        match u8::try_from(char) {
            Ok(byte) if byte.is_ascii() => self.0.push(byte),
            _ => self.write_str(char.encode_utf8(&mut [0; 4]))?,
        }
        Ok(())
    }
}

impl Sink<'_> {
    fn write_hex(&mut self, bytes: &[u8]) {
        let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]);
        self.0.extend(digits.map(|digit| match digit {
            0..10 => b'0' + digit,
            _ => b'a' + digit - 10,
        }));
    }
}

fn write_message(message: &Message, bytes: &[u8], out: &mut Sink<'_>) -> fmt::Result {
    let present = Present::new(message, bytes);
    let mut separator = '{';
    for field in present.fields(message) {
        let run = present.run(field, bytes);
        if !is_written(field, run) {
            continue;
        }
        out.write_char(separator)?;
        separator = ',';
        out.write_char('"')?;
        out.write_str(field.json)?;
        out.write_str("\":")?;
        if field.occurs == Occurs::Repeated {
            write_list(field, run, out)?;
        } else {
            write_once(field, run, out)?;
        }
    }
    if separator == '{' {
        out.write_char('{')?;
    }
    out.write_char('}')
}

/// Which fields of a message are there, and where.
///
/// JSON has a key once, so the values of a field are found together however they are encoded.
struct Present {
    runs: [Run; NUMBERS],
    /// A bit for each number that is there.
    numbers: u32,
    /// Number of the `oneof` member that came last, which is the one that counts.
    member: u32,
}

impl Present {
    fn new(message: &Message, bytes: &[u8]) -> Self {
        let mut present = Self {
            runs: [Run::default(); NUMBERS],
            numbers: 0,
            member: 0,
        };
        let mut fields = Fields::new(bytes);
        while let Some(field) = fields.next() {
            if let Some(run) = present.runs.get_mut(field.number as usize) {
                run.extend(bytes, field.raw, fields.rest());
                present.numbers |= 1 << field.number;
            }
            if let Some(Occurs::OneOf) = message.field(field.number).map(|known| known.occurs) {
                present.member = field.number;
            }
        }
        present
    }

    /// The fields that are there, and those that JSON always shows, by rising number.
    fn fields<'m>(&self, message: &'m Message) -> impl Iterator<Item = &'m Field> + use<'m> {
        let mut numbers = self.numbers | message.always;
        std::iter::from_fn(move || {
            let number = (numbers != 0).then(|| numbers.trailing_zeros())?;
            numbers &= numbers - 1;
            Some(message.field(number))
        })
        .flatten()
    }

    /// The part of `bytes` that holds all values of `field`; empty when there are none.
    fn run<'a>(&self, field: &Field, bytes: &'a [u8]) -> &'a [u8] {
        if field.occurs == Occurs::OneOf && field.number != self.member {
            return &[];
        }
        self.runs
            .get(field.number as usize)
            .map(|run| run.bytes(bytes))
            .unwrap_or_default()
    }
}

/// Whether a field is shown: when it is there, and is not what an absent field reads as.
fn is_written(field: &Field, run: &[u8]) -> bool {
    if field.always || run.is_empty() {
        return field.always;
    }
    match (field.occurs, last(field, run)) {
        (Occurs::Once, Some(Content::Varint(0) | Content::Fixed64(0) | Content::Fixed32(0))) => {
            false
        }
        (Occurs::Once, Some(Content::Len(bytes))) => {
            !bytes.is_empty() || matches!(field.kind, Kind::Message(_))
        }
        (_, content) => content.is_some(),
    }
}

/// All values of `field` in `run`, still packed where they are.
fn contents<'a>(field: &Field, run: &'a [u8]) -> impl Iterator<Item = Content<'a>> + use<'a> {
    let number = field.number;
    Fields::new(run)
        .filter(move |field| field.number == number)
        .map(|field| field.content)
}

fn last<'a>(field: &Field, run: &'a [u8]) -> Option<Content<'a>> {
    contents(field, run).last()
}

fn write_once(field: &Field, run: &[u8], out: &mut Sink<'_>) -> fmt::Result {
    let content = last(field, run).unwrap_or(Content::Len(&[]));
    write_content(field.kind, content, out)
}

fn write_list(field: &Field, run: &[u8], out: &mut Sink<'_>) -> fmt::Result {
    let mut separator = '[';
    for content in contents(field, run) {
        let mut packed = Packed::new(field.kind, content);
        while let Some(content) = packed.next() {
            out.write_char(separator)?;
            separator = ',';
            write_content(field.kind, content, out)?;
        }
    }
    if separator == '[' {
        out.write_char('[')?;
    }
    out.write_char(']')
}

/// The values in one field of a list: several where they are packed, else the one.
enum Packed<'a> {
    Varints(&'a [u8]),
    Fixed64s(&'a [u8]),
    One(Option<Content<'a>>),
}

impl<'a> Packed<'a> {
    fn new(kind: Kind, content: Content<'a>) -> Self {
        match (kind, content) {
            (Kind::Fixed64 | Kind::Double, Content::Len(bytes)) => Self::Fixed64s(bytes),
            (Kind::Uint64, Content::Len(bytes)) => Self::Varints(bytes),
            _ => Self::One(Some(content)),
        }
    }

    fn next(&mut self) -> Option<Content<'a>> {
        match self {
            Self::Varints(bytes) => {
                let (value, rest) = split_varint(bytes).ok()?;
                *bytes = rest;
                Some(Content::Varint(value))
            }
            Self::Fixed64s(bytes) => {
                let (value, rest) = split_fixed64(bytes).ok()?;
                *bytes = rest;
                Some(Content::Fixed64(value))
            }
            Self::One(content) => content.take(),
        }
    }
}

/// Writes one value. A value of another wire type than its field's, which validation refuses, is
/// `null`.
fn write_content(kind: Kind, content: Content<'_>, out: &mut Sink<'_>) -> fmt::Result {
    match (kind, content) {
        (Kind::Bool, Content::Varint(bits)) => write!(out, "{}", bits != 0),
        (Kind::Int32 | Kind::Enum, Content::Varint(bits)) => {
            write!(out, "{}", low_32_bits(bits).cast_signed())
        }
        (Kind::Uint32, Content::Varint(bits)) => write!(out, "{}", low_32_bits(bits)),
        (Kind::Sint32, Content::Varint(bits)) => write!(out, "{}", from_zigzag(low_32_bits(bits))),
        (Kind::Int64, Content::Varint(bits)) | (Kind::Sfixed64, Content::Fixed64(bits)) => {
            write!(out, "\"{}\"", bits.cast_signed())
        }
        (Kind::Uint64, Content::Varint(bits)) | (Kind::Fixed64, Content::Fixed64(bits)) => {
            write!(out, "\"{bits}\"")
        }
        (Kind::Fixed32, Content::Fixed32(bits)) => write!(out, "{bits}"),
        (Kind::Double, Content::Fixed64(bits)) => write_json_double(out, f64::from_bits(bits)),
        (Kind::Str, Content::Len(bytes)) => write_json_str(out, text(bytes)),
        (Kind::Bytes, Content::Len(bytes)) => {
            out.write_char('"')?;
            base64::encode(bytes, out)?;
            out.write_char('"')
        }
        (Kind::Id, Content::Len(bytes)) => {
            out.write_char('"')?;
            out.write_hex(bytes);
            out.write_char('"')
        }
        (Kind::Message(message), Content::Len(bytes)) => write_message(message, bytes, out),
        _ => out.write_str("null"),
    }
}
