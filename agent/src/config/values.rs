//! Values with a unit or a secret inside, as config structs hold them.

use std::fmt;
use std::time::Duration;

use serde::de::{self, Deserializer, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

/// What is printed in place of a secret.
pub(crate) const REDACTED: &str = "[REDACTED]";

/// A span of time, written as Go writes it: `1h30m`, `200ms`, `0`. A bare number other than 0 is
/// refused, because its unit would be a guess.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Interval(pub(crate) Duration);

impl Interval {
    /// `seconds` seconds.
    pub(crate) const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// `millis` milliseconds.
    pub(crate) const fn from_millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// Reads a Go duration string.
    ///
    /// # Errors
    /// A sentence that says what is wrong with `text`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let unsigned = text.strip_prefix('+').unwrap_or(text);
        if unsigned == "0" {
            return Ok(Self::default());
        }
        let mut rest = unsigned;
        let mut total_ns = 0.0_f64;
        if rest.is_empty() {
            return Err("a duration is empty; write a number with a unit, such as 10s".to_owned());
        }
        while !rest.is_empty() {
            let (number, after) = rest.split_at(span(rest, |c| c.is_ascii_digit() || c == '.'));
            let (unit, after) = after.split_at(span(after, |c| !c.is_ascii_digit() && c != '.'));
            let value: f64 = number.parse().map_err(|_| {
                format!("`{text}` is not a duration; write for example 1h30m or 200ms")
            })?;
            total_ns += value * unit_ns(unit, text)?;
            rest = after;
        }
        if total_ns > u64::MAX as f64 {
            return Err(format!("the duration `{text}` is too long"));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked above"
        )]
        Ok(Self(Duration::from_nanos(total_ns.round() as u64)))
    }
}

/// Length in bytes of the prefix of `text` whose characters all satisfy `inside`.
fn span(text: &str, inside: impl Fn(char) -> bool) -> usize {
    text.find(|c| !inside(c)).unwrap_or(text.len())
}

fn unit_ns(unit: &str, text: &str) -> Result<f64, String> {
    Ok(match unit {
        "ns" => 1.0,
        "us" | "\u{b5}s" | "\u{3bc}s" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        "m" => 60e9,
        "h" => 3_600e9,
        "" => {
            return Err(format!(
                "the duration `{text}` has no unit; write {text}s for seconds"
            ));
        }
        other => {
            return Err(format!(
                "`{}` in the duration `{text}` is not a unit; the units are ns us ms s m h",
                other.trim()
            ));
        }
    })
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ns = self.0.as_nanos();
        for (unit_ns, unit) in [
            (3_600_000_000_000, "h"),
            (60_000_000_000, "m"),
            (1_000_000_000, "s"),
            (1_000_000, "ms"),
            (1_000, "us"),
        ] {
            if ns >= unit_ns && ns.is_multiple_of(unit_ns) {
                return write!(f, "{}{unit}", ns / unit_ns);
            }
        }
        if ns == 0 {
            f.write_str("0s")
        } else {
            write!(f, "{ns}ns")
        }
    }
}

impl Serialize for Interval {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Interval {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Interval;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as 10s or 1h30m")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Interval, E> {
                Interval::parse(text).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// A number of bytes, written as a plain integer or with a unit: `16KiB`, `1mb`.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct ByteSize(pub(crate) u64);

impl ByteSize {
    /// Reads a size. Units are case-insensitive; `kb`, `KiB` and `k` all are 1024, as the log
    /// receivers of the OpenTelemetry Collector read them.
    ///
    /// # Errors
    /// A sentence that says what is wrong with `text`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let trimmed = text.trim();
        let (number, unit) = trimmed.split_at(span(trimmed, |c| c.is_ascii_digit() || c == '.'));
        let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "k" | "kb" | "kib" => 1 << 10,
            "m" | "mb" | "mib" => 1 << 20,
            "g" | "gb" | "gib" => 1 << 30,
            "t" | "tb" | "tib" => 1 << 40,
            other => {
                return Err(format!(
                    "`{other}` is not a unit of size; write for example 16KiB or 1MiB"
                ));
            }
        };
        let value: f64 = number.parse().map_err(|_| {
            format!("`{text}` is not a size in bytes; write for example 16KiB or 1048576")
        })?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "saturates, which is what a bound wants"
        )]
        Ok(Self((value * factor as f64) as u64))
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Size;
        impl Visitor<'_> for Size {
            type Value = ByteSize;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size such as 16KiB or a number of bytes")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ByteSize, E> {
                ByteSize::parse(text).map_err(E::custom)
            }

            fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<ByteSize, E> {
                Ok(ByteSize(bytes))
            }
        }
        deserializer.deserialize_any(Size)
    }
}

/// A value that is never printed: passwords, tokens, header values.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct Secret(String);

impl Secret {
    /// The value itself, for the one place that sends it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(REDACTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_writes_them() {
        for (text, millis) in [
            ("0", 0),
            ("1h30m", 5_400_000),
            ("200ms", 200),
            ("1.5s", 1_500),
            ("+2m", 120_000),
        ] {
            assert_eq!(
                Interval::parse(text),
                Ok(Interval::from_millis(millis)),
                "{text}"
            );
        }
        for text in ["", "5", "5 s", "s", "1x", "-1s", "1s5"] {
            assert!(Interval::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_duration_prints_as_it_would_be_written() {
        for text in ["0s", "90m", "1h", "200ms", "1500us", "7ns"] {
            assert_eq!(Interval::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn sizes_take_units() {
        for (text, bytes) in [
            ("16KiB", 16 << 10),
            ("1mb", 1 << 20),
            ("1000", 1_000),
            ("1.5k", 1_536),
        ] {
            assert_eq!(ByteSize::parse(text), Ok(ByteSize(bytes)), "{text}");
        }
        assert!(ByteSize::parse("1 stone").is_err());
    }

    #[test]
    fn a_secret_prints_as_stars() {
        assert_eq!(format!("{:?}", Secret::from("hunter2")), "***");
    }
}
