//! Views of log requests.
//!
//! Names and meanings are those of `opentelemetry/proto/logs/v1/logs.proto`.

use crate::common::{
    Attributes, Messages, Resource, Run, Scope, Value, last_len, low_32_bits, text,
};
use crate::wire::{Content, Fields};

/// A validated `ExportLogsServiceRequest`.
#[derive(Copy, Clone, Debug)]
pub struct Request<'a> {
    bytes: &'a [u8],
}

impl<'a> Request<'a> {
    /// A view of the encoded request `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// The log records, grouped by resource.
    #[must_use]
    pub const fn resource_logs(&self) -> Messages<'a, ResourceLogs<'a>> {
        Messages::new(self.bytes, 1)
    }
}

/// The log records of one resource.
#[derive(Copy, Clone, Debug)]
pub struct ResourceLogs<'a> {
    bytes: &'a [u8],
}

impl<'a> ResourceLogs<'a> {
    /// Who produced the records; empty when absent.
    #[must_use]
    pub fn resource(&self) -> Resource<'a> {
        self.resource_bytes().into()
    }

    /// The encoded resource, as a key for caches.
    #[must_use]
    pub fn resource_bytes(&self) -> &'a [u8] {
        last_len(self.bytes, 1)
    }

    /// Schema of the resource; may be empty.
    #[must_use]
    pub fn schema_url(&self) -> &'a str {
        text(last_len(self.bytes, 3))
    }

    /// The records, grouped by scope.
    #[must_use]
    pub const fn scope_logs(&self) -> Messages<'a, ScopeLogs<'a>> {
        Messages::new(self.bytes, 2)
    }
}

impl<'a> From<&'a [u8]> for ResourceLogs<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }
}

/// The log records of one scope.
#[derive(Copy, Clone, Debug)]
pub struct ScopeLogs<'a> {
    bytes: &'a [u8],
}

impl<'a> ScopeLogs<'a> {
    /// What made the records; empty when absent.
    #[must_use]
    pub fn scope(&self) -> Scope<'a> {
        self.scope_bytes().into()
    }

    /// The encoded scope, as a key for caches.
    #[must_use]
    pub fn scope_bytes(&self) -> &'a [u8] {
        last_len(self.bytes, 1)
    }

    /// Schema of the scope and its records; may be empty.
    #[must_use]
    pub fn schema_url(&self) -> &'a str {
        text(last_len(self.bytes, 3))
    }

    /// The records.
    #[must_use]
    pub const fn log_records(&self) -> Messages<'a, LogRecord<'a>> {
        Messages::new(self.bytes, 2)
    }
}

impl<'a> From<&'a [u8]> for ScopeLogs<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }
}

/// One log record.
#[derive(Copy, Clone, Debug, Default)]
pub struct LogRecord<'a> {
    /// When the event happened; 0 when unknown.
    pub time_unix_nano: u64,
    /// When the event was first seen by a collector; 0 when unknown.
    pub observed_time_unix_nano: u64,
    /// 1 (trace) to 24 (fatal 4); 0 when unknown.
    pub severity_number: i32,
    /// The severity as the source wrote it.
    pub severity_text: &'a str,
    /// The message.
    pub body: Value<'a>,
    /// Attributes that the sender left out.
    pub dropped_attributes_count: u32,
    /// W3C trace flags in the low eight bits.
    pub flags: u32,
    /// 16 bytes, or empty. The length is the sender's.
    pub trace_id: &'a [u8],
    /// 8 bytes, or empty. The length is the sender's.
    pub span_id: &'a [u8],
    /// Names the event; empty for ordinary records.
    pub event_name: &'a str,
    attributes: Attributes<'a>,
}

impl<'a> LogRecord<'a> {
    /// What else is known about the event.
    #[must_use]
    pub const fn attributes(&self) -> Attributes<'a> {
        self.attributes
    }
}

impl<'a> From<&'a [u8]> for LogRecord<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        let mut record = Self::default();
        let mut attributes = Run::default();
        let mut fields = Fields::new(bytes);
        while let Some(field) = fields.next() {
            match (field.number, field.content) {
                (1, Content::Fixed64(value)) => record.time_unix_nano = value,
                (2, Content::Varint(value)) => {
                    record.severity_number = low_32_bits(value).cast_signed();
                }
                (3, Content::Len(value)) => record.severity_text = text(value),
                (5, Content::Len(value)) => record.body = Value::from(value),
                (6, Content::Len(_)) => attributes.extend(bytes, field.raw, fields.rest()),
                (7, Content::Varint(value)) => {
                    record.dropped_attributes_count = low_32_bits(value);
                }
                (8, Content::Fixed32(value)) => record.flags = value,
                (9, Content::Len(value)) => record.trace_id = value,
                (10, Content::Len(value)) => record.span_id = value,
                (11, Content::Fixed64(value)) => record.observed_time_unix_nano = value,
                (12, Content::Len(value)) => record.event_name = text(value),
                _ => {}
            }
        }
        record.attributes = attributes.attributes(bytes, 6);
        record
    }
}
