//! Values as text: plain JSON, and what a person or a label shows.

use std::fmt::{self, Write};

use super::Value;
use crate::base64;

/// Doubles below this are written with an exponent, as JavaScript and Go do.
const PLAIN_DOUBLE_MIN: f64 = 1e-6;

/// Doubles from this on are written with an exponent, as JavaScript and Go do.
const PLAIN_DOUBLE_MAX: f64 = 1e21;

impl Value<'_> {
    /// Writes the value as plain JSON: text is quoted, bytes are base64 text, no value is `null`,
    /// and what JSON has no number for is the text `NaN`, `Infinity` or `-Infinity`.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_json(&self, out: &mut impl Write) -> fmt::Result {
        match self {
            Self::Empty => out.write_str("null"),
            Self::Str(text) => write_json_str(out, text),
            Self::Bool(value) => write!(out, "{value}"),
            Self::Int(value) => write!(out, "{value}"),
            Self::Double(value) => write_json_double(out, *value),
            Self::Bytes(bytes) => {
                out.write_char('"')?;
                base64::encode(bytes, out)?;
                out.write_char('"')
            }
            Self::Array(values) => {
                out.write_char('[')?;
                for (index, value) in values.into_iter().enumerate() {
                    separate(out, index)?;
                    value.write_json(out)?;
                }
                out.write_char(']')
            }
            Self::Map(map) => {
                out.write_char('{')?;
                for (index, entry) in map.into_iter().enumerate() {
                    separate(out, index)?;
                    write_json_str(out, entry.key)?;
                    out.write_char(':')?;
                    entry.value.write_json(out)?;
                }
                out.write_char('}')
            }
        }
    }
}

impl fmt::Display for Value<'_> {
    /// Text as it is, no value as nothing, bytes as base64, everything else as JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => Ok(()),
            Self::Str(text) => f.write_str(text),
            Self::Double(value) => write_double(f, *value),
            Self::Bytes(bytes) => base64::encode(bytes, f),
            _ => self.write_json(f),
        }
    }
}

/// Writes `text` as a JSON string.
pub(crate) fn write_json_str(out: &mut impl Write, text: &str) -> fmt::Result {
    out.write_char('"')?;
    let mut rest = text;
    // What needs escaping is ASCII, so the text is cut at character boundaries.
    while let Some(at) = rest.bytes().position(needs_escape) {
        let (plain, from) = rest.split_at(at);
        out.write_str(plain)?;
        let (escaped, after) = from.split_at(1);
        escaped
            .chars()
            .try_for_each(|char| write_escape(out, char))?;
        rest = after;
    }
    out.write_str(rest)?;
    out.write_char('"')
}

const fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

fn write_escape(out: &mut impl Write, char: char) -> fmt::Result {
    match char {
        '"' => out.write_str("\\\""),
        '\\' => out.write_str("\\\\"),
        '\n' => out.write_str("\\n"),
        '\r' => out.write_str("\\r"),
        '\t' => out.write_str("\\t"),
        _ => write!(out, "\\u{:04x}", u32::from(char)),
    }
}

/// Writes a double as a JSON number, or as text where JSON has no number.
pub(crate) fn write_json_double(out: &mut impl Write, value: f64) -> fmt::Result {
    if value.is_finite() {
        return write_double(out, value);
    }
    out.write_char('"')?;
    write_double(out, value)?;
    out.write_char('"')
}

/// Writes the shortest digits that read back as `value`.
fn write_double(out: &mut impl Write, value: f64) -> fmt::Result {
    let size = value.abs();
    if value.is_nan() {
        out.write_str("NaN")
    } else if value.is_infinite() {
        out.write_str(if value > 0.0 { "Infinity" } else { "-Infinity" })
    } else if size == 0.0 || (PLAIN_DOUBLE_MIN..PLAIN_DOUBLE_MAX).contains(&size) {
        write!(out, "{value}")
    } else {
        write!(out, "{value:e}")
    }
}

fn separate(out: &mut impl Write, index: usize) -> fmt::Result {
    if index > 0 {
        out.write_char(',')
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::logs::Request;
    use crate::write::{AttributeValue, LogRecordFields, LogsWriter};

    /// The body of a record, as JSON and as text.
    fn check(body: AttributeValue<'_>, json: &str, text: &str) {
        let mut writer = LogsWriter::new();
        writer.record(&LogRecordFields {
            body,
            ..LogRecordFields::default()
        });
        let (bytes, _) = writer.finish();
        let group = Request::new(&bytes).resource_logs().next().unwrap();
        let group = group.scope_logs().next().unwrap();
        let body = group.log_records().next().unwrap().body;
        let mut written = String::new();
        body.write_json(&mut written).unwrap();
        assert_eq!((written.as_str(), body.to_string().as_str()), (json, text));
        serde_json::from_str::<serde_json::Value>(&written).unwrap();
    }

    #[test]
    fn values_have_a_json_and_a_plain_form() {
        check(AttributeValue::Empty, "null", "");
        check(
            "a \"b\"\\\n\u{1}\u{e9}".into(),
            "\"a \\\"b\\\"\\\\\\n\\u0001\u{e9}\"",
            "a \"b\"\\\n\u{1}\u{e9}",
        );
        check(true.into(), "true", "true");
        check((-5_i64).into(), "-5", "-5");
        check(1.0.into(), "1", "1");
        check(0.1.into(), "0.1", "0.1");
        check(1e21.into(), "1e21", "1e21");
        check(2e-7.into(), "2e-7", "2e-7");
        check(f64::NAN.into(), "\"NaN\"", "NaN");
        check(f64::NEG_INFINITY.into(), "\"-Infinity\"", "-Infinity");
        check((&b"\0\xff"[..]).into(), "\"AP8=\"", "AP8=");
        let list = [1_i64.into(), "x".into()];
        check(AttributeValue::Array(&list), r#"[1,"x"]"#, r#"[1,"x"]"#);
        let map = [
            ("k", AttributeValue::Array(&list)),
            ("n", AttributeValue::Empty),
        ];
        let json = r#"{"k":[1,"x"],"n":null}"#;
        check(AttributeValue::Map(&map), json, json);
    }
}
