//! Responses as JSON: who sent JSON is answered in JSON.

use std::borrow::Cow;
use std::fmt::{self, Write};
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected, Visitor};

use super::{BAD_REQUEST, ExportResponse, FieldViolation, NANOS_PER_SECOND, RETRY_INFO, Status};
use crate::Signal;
use crate::common::write_json_str;

impl ExportResponse {
    /// Reads a response of any signal. An empty body is read as full success.
    ///
    /// # Errors
    /// When the body is not such a response. The request was accepted nonetheless if it was answered
    /// with success, and must not be sent again.
    pub fn from_json(json: &[u8]) -> serde_json::Result<Self> {
        if json.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        let document: ResponseDocument<'_> = serde_json::from_slice(json)?;
        let partial = document.partial_success.unwrap_or_default();
        Ok(Self {
            rejected_items: partial.rejected_items,
            error_message: partial.error_message.unwrap_or_default().into_owned(),
        })
    }

    /// The response as JSON: `{}` for full success.
    #[must_use]
    pub fn to_json(&self, signal: Signal) -> String {
        let mut out = String::new();
        // A `String` takes everything.
        let _ = self.write_json(signal, &mut out);
        out
    }

    fn write_json(&self, signal: Signal, out: &mut String) -> fmt::Result {
        if self.is_full_success() {
            return out.write_str("{}");
        }
        let rejected = match signal {
            Signal::Metrics => "rejectedDataPoints",
            Signal::Logs => "rejectedLogRecords",
            Signal::Traces => "rejectedSpans",
        };
        out.write_str("{\"partialSuccess\":{")?;
        if self.rejected_items != 0 {
            write!(out, "\"{rejected}\":\"{}\",", self.rejected_items)?;
        }
        out.write_str("\"errorMessage\":")?;
        write_json_str(out, &self.error_message)?;
        out.write_str("}}")
    }
}

impl Status {
    /// Reads a status. Details of other kinds are ignored, and so is a delay that is malformed.
    ///
    /// # Errors
    /// When the body is not a status.
    pub fn from_json(json: &[u8]) -> serde_json::Result<Self> {
        let document: StatusDocument<'_> = serde_json::from_slice(json)?;
        let mut status = Self {
            code: document.code.unwrap_or_default(),
            message: document.message.unwrap_or_default().into_owned(),
            ..Self::default()
        };
        for detail in document.details.unwrap_or_default() {
            match detail.type_url.rsplit('/').next() {
                Some("google.rpc.RetryInfo") => {
                    let delay = detail.retry_delay.as_deref().unwrap_or_default();
                    status.retry_delay = Some(parse_delay(delay).unwrap_or_default());
                }
                Some("google.rpc.BadRequest") => {
                    let violations = detail.field_violations.unwrap_or_default();
                    status
                        .violations
                        .extend(violations.into_iter().map(FieldViolation::from));
                }
                _ => {}
            }
        }
        Ok(status)
    }

    /// The status as JSON, with its details in the form that protobuf gives to `Any`.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        // A `String` takes everything.
        let _ = self.write_json(&mut out);
        out
    }

    fn write_json(&self, out: &mut String) -> fmt::Result {
        write!(out, "{{\"code\":{},\"message\":", self.code)?;
        write_json_str(out, &self.message)?;
        if self.retry_delay.is_some() || !self.violations.is_empty() {
            out.write_str(",\"details\":[")?;
            self.write_details(out)?;
            out.write_char(']')?;
        }
        out.write_char('}')
    }

    fn write_details(&self, out: &mut String) -> fmt::Result {
        if let Some(delay) = self.retry_delay {
            let (seconds, nanos) = (delay.as_secs(), delay.subsec_nanos());
            write!(
                out,
                "{{\"@type\":\"{RETRY_INFO}\",\"retryDelay\":\"{seconds}"
            )?;
            if nanos != 0 {
                write!(out, ".{nanos:09}")?;
            }
            out.write_str("s\"}")?;
        }
        if self.violations.is_empty() {
            return Ok(());
        }
        if self.retry_delay.is_some() {
            out.write_char(',')?;
        }
        write!(out, "{{\"@type\":\"{BAD_REQUEST}\",\"fieldViolations\":[")?;
        for (index, violation) in self.violations.iter().enumerate() {
            if index > 0 {
                out.write_char(',')?;
            }
            out.write_str("{\"field\":")?;
            write_json_str(out, &violation.field)?;
            out.write_str(",\"description\":")?;
            write_json_str(out, &violation.description)?;
            out.write_char('}')?;
        }
        out.write_str("]}")
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResponseDocument<'a> {
    #[serde(borrow, default)]
    partial_success: Option<PartialDocument<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PartialDocument<'a> {
    #[serde(
        alias = "rejectedDataPoints",
        alias = "rejectedLogRecords",
        alias = "rejectedSpans",
        deserialize_with = "integer"
    )]
    rejected_items: i64,
    #[serde(borrow)]
    error_message: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct StatusDocument<'a> {
    code: Option<i32>,
    #[serde(borrow)]
    message: Option<Cow<'a, str>>,
    #[serde(borrow)]
    details: Option<Vec<DetailDocument<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DetailDocument<'a> {
    #[serde(borrow, default, rename = "@type")]
    type_url: Cow<'a, str>,
    #[serde(borrow)]
    retry_delay: Option<Cow<'a, str>>,
    #[serde(borrow)]
    field_violations: Option<Vec<ViolationDocument<'a>>>,
}

#[derive(Deserialize)]
struct ViolationDocument<'a> {
    #[serde(borrow)]
    field: Option<Cow<'a, str>>,
    #[serde(borrow)]
    description: Option<Cow<'a, str>>,
}

impl From<ViolationDocument<'_>> for FieldViolation {
    fn from(document: ViolationDocument<'_>) -> Self {
        Self {
            field: document.field.unwrap_or_default().into_owned(),
            description: document.description.unwrap_or_default().into_owned(),
        }
    }
}

/// A duration as protobuf writes it in JSON: decimal seconds and an `s`. A negative one is zero.
fn parse_delay(text: &str) -> Option<Duration> {
    let text = text.strip_suffix('s')?;
    if text.starts_with('-') {
        return Some(Duration::ZERO);
    }
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut nanos = 0;
    let mut unit = NANOS_PER_SECOND / 10;
    for digit in fraction.chars() {
        nanos += digit.to_digit(10)? * unit;
        unit /= 10;
    }
    Some(Duration::new(seconds.parse().ok()?, nanos))
}

/// A 64-bit integer: text as OTLP/JSON says, or a number as some peers write it; `null` is zero.
fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    struct Integer;

    impl Visitor<'_> for Integer {
        type Value = i64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a 64-bit integer, as a number or a string")
        }

        fn visit_unit<E: Error>(self) -> Result<i64, E> {
            Ok(0)
        }

        fn visit_i64<E: Error>(self, value: i64) -> Result<i64, E> {
            Ok(value)
        }

        fn visit_u64<E: Error>(self, value: u64) -> Result<i64, E> {
            i64::try_from(value).map_err(|_| E::invalid_value(Unexpected::Unsigned(value), &self))
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<i64, E> {
            text.parse()
                .map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
        }
    }

    deserializer.deserialize_any(Integer)
}
