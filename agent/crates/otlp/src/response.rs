//! What a server answers: the export response with its partial success, and `google.rpc.Status` with
//! the two details that OTLP uses. Sources: `opentelemetry/proto/collector/*/v1/*_service.proto`,
//! `google/rpc/status.proto`, `google/rpc/error_details.proto`, OTLP specification 1.11.0.

mod json;

use std::time::Duration;

use crate::common::{low_32_bits, text};
use crate::wire::{
    Content, Fields, Reader, WireError, close, open, put_len_field, put_varint_field,
};

const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

const BAD_REQUEST: &str = "type.googleapis.com/google.rpc.BadRequest";

const NANOS_PER_SECOND: u32 = 1_000_000_000;

/// The answer to a request that was taken, wholly or in part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportResponse {
    /// Items that the server refused for good.
    pub rejected_items: i64,
    /// Why, in English; a warning when nothing was rejected.
    pub error_message: String,
}

impl ExportResponse {
    /// Whether everything was taken and nothing is to be said.
    #[must_use]
    pub fn is_full_success(&self) -> bool {
        self.rejected_items == 0 && self.error_message.is_empty()
    }

    /// Encodes the response. Full success is the empty message, as the specification asks.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if self.is_full_success() {
            return out;
        }
        let partial = open(&mut out, 1, self.error_message.len());
        if self.rejected_items != 0 {
            put_varint_field(&mut out, 1, self.rejected_items.cast_unsigned());
        }
        put_text(&mut out, 2, &self.error_message);
        close(&mut out, partial);
        out
    }

    /// Decodes a response of any signal. Text that is not UTF-8 is shown with replacements.
    ///
    /// # Errors
    /// When the bytes are not a protobuf message. The request was accepted nonetheless if it was
    /// answered with success, and must not be sent again.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut response = Self::default();
        for field in Reader::new(bytes) {
            let field = field?;
            let (1, Content::Len(partial)) = (field.number, field.content) else {
                continue;
            };
            for field in Reader::new(partial) {
                let field = field?;
                match (field.number, field.content) {
                    (1, Content::Varint(count)) => response.rejected_items = count.cast_signed(),
                    (2, Content::Len(bytes)) => response.error_message = lossy(bytes),
                    _ => {}
                }
            }
        }
        Ok(response)
    }
}

/// Why a request was not taken: the body of an HTTP error and the details of a gRPC error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Code of gRPC, such as 3 for bad data.
    pub code: i32,
    /// Why, in English.
    pub message: String,
    /// When to come back. A delay of zero or less says "retry" and leaves the delay to the sender.
    pub retry_delay: Option<Duration>,
    /// What is wrong with the data.
    pub violations: Vec<FieldViolation>,
}

/// One thing that is wrong with the data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldViolation {
    /// Path of the field, such as `resource_logs.scope_logs.log_records.body`.
    pub field: String,
    /// What is wrong with it.
    pub description: String,
}

impl Status {
    /// Encodes the status with its details.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if self.code != 0 {
            put_varint_field(&mut out, 1, i64::from(self.code).cast_unsigned());
        }
        put_text(&mut out, 2, &self.message);
        if let Some(delay) = self.retry_delay {
            put_detail(&mut out, RETRY_INFO, |out| put_retry_info(out, delay));
        }
        if !self.violations.is_empty() {
            put_detail(&mut out, BAD_REQUEST, |out| {
                put_bad_request(out, &self.violations)
            });
        }
        out
    }

    /// Decodes a status. Details of other kinds are ignored, and so are those that are malformed:
    /// they only advise. Text that is not UTF-8 is shown with replacements.
    ///
    /// # Errors
    /// When the bytes are not a protobuf message.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut status = Self::default();
        for field in Reader::new(bytes) {
            let field = field?;
            match (field.number, field.content) {
                (1, Content::Varint(code)) => status.code = low_32_bits(code).cast_signed(),
                (2, Content::Len(message)) => status.message = lossy(message),
                (3, Content::Len(detail)) => status.decode_detail(detail),
                _ => {}
            }
        }
        Ok(status)
    }

    fn decode_detail(&mut self, detail: &[u8]) {
        let mut type_url = "";
        let mut value: &[u8] = &[];
        for field in Fields::new(detail) {
            match (field.number, field.content) {
                (1, Content::Len(bytes)) => type_url = text(bytes),
                (2, Content::Len(bytes)) => value = bytes,
                _ => {}
            }
        }
        // The part before the last slash is a host name, and anybody may use another one.
        match type_url.rsplit('/').next() {
            Some("google.rpc.RetryInfo") => self.retry_delay = Some(decode_retry_info(value)),
            Some("google.rpc.BadRequest") => {
                let violations = Fields::new(value).filter_map(decode_violation);
                self.violations.extend(violations);
            }
            _ => {}
        }
    }
}

fn put_detail(out: &mut Vec<u8>, type_url: &str, put: impl FnOnce(&mut Vec<u8>)) {
    let detail = open(out, 3, 0);
    put_len_field(out, 1, type_url.as_bytes());
    let value = open(out, 2, 0);
    put(out);
    close(out, value);
    close(out, detail);
}

fn put_retry_info(out: &mut Vec<u8>, delay: Duration) {
    let duration = open(out, 1, 0);
    if delay.as_secs() != 0 {
        put_varint_field(out, 1, delay.as_secs());
    }
    if delay.subsec_nanos() != 0 {
        put_varint_field(out, 2, delay.subsec_nanos().into());
    }
    close(out, duration);
}

/// The delay in a `RetryInfo`; zero where it is negative or absent.
fn decode_retry_info(bytes: &[u8]) -> Duration {
    let mut seconds = 0_i64;
    let mut nanos = 0_i32;
    for field in Fields::new(crate::common::last_len(bytes, 1)) {
        match (field.number, field.content) {
            (1, Content::Varint(value)) => seconds = value.cast_signed(),
            (2, Content::Varint(value)) => nanos = low_32_bits(value).cast_signed(),
            _ => {}
        }
    }
    match (u64::try_from(seconds), u32::try_from(nanos)) {
        (Ok(seconds), Ok(nanos)) => Duration::new(seconds, nanos.min(NANOS_PER_SECOND - 1)),
        _ => Duration::ZERO,
    }
}

fn put_bad_request(out: &mut Vec<u8>, violations: &[FieldViolation]) {
    for violation in violations {
        let message = open(out, 1, violation.field.len() + violation.description.len());
        put_text(out, 1, &violation.field);
        put_text(out, 2, &violation.description);
        close(out, message);
    }
}

fn decode_violation(field: crate::wire::Field<'_>) -> Option<FieldViolation> {
    let (1, Content::Len(bytes)) = (field.number, field.content) else {
        return None;
    };
    let mut violation = FieldViolation::default();
    for field in Fields::new(bytes) {
        match (field.number, field.content) {
            (1, Content::Len(bytes)) => violation.field = lossy(bytes),
            (2, Content::Len(bytes)) => violation.description = lossy(bytes),
            _ => {}
        }
    }
    Some(violation)
}

fn put_text(out: &mut Vec<u8>, number: u32, text: &str) {
    if !text.is_empty() {
        put_len_field(out, number, text.as_bytes());
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests;
