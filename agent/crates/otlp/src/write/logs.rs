//! The writer of log requests.

use bytes::Bytes;

use super::{
    AttributeValue, Envelopes, ResourceWriter, put_any_value, put_attributes, put_enum,
    put_fixed32, put_fixed64, put_text, put_uint32,
};
use crate::wire::{close, open};

/// Writes an `ExportLogsServiceRequest`.
#[derive(Debug, Default)]
pub struct LogsWriter {
    envelopes: Envelopes,
}

/// What a log record holds. Fields left at their default are not written.
#[derive(Copy, Clone, Debug, Default)]
pub struct LogRecordFields<'a> {
    /// When the event happened, nanoseconds since 1970; 0 when unknown.
    pub time_ns: u64,
    /// When it was first seen, nanoseconds since 1970.
    pub observed_ns: u64,
    /// 1 (trace) to 24 (fatal 4); 0 when unknown.
    pub severity_number: i32,
    /// The severity as the source wrote it.
    pub severity_text: &'a str,
    /// The message; not written when it is [`AttributeValue::Empty`].
    pub body: AttributeValue<'a>,
    /// What else is known about the event. Keys must differ from each other.
    pub attributes: &'a [(&'a str, AttributeValue<'a>)],
    /// Attributes that were left out.
    pub dropped_attributes_count: u32,
    /// 16 bytes, or empty.
    pub trace_id: &'a [u8],
    /// 8 bytes, or empty.
    pub span_id: &'a [u8],
    /// W3C trace flags in the low eight bits.
    pub flags: u32,
    /// Names the event; empty for ordinary records.
    pub event_name: &'a str,
}

impl LogsWriter {
    /// A writer with an empty buffer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins a new resource.
    pub fn resource(&mut self, write: impl FnOnce(&mut ResourceWriter<'_>)) {
        self.envelopes.resource(write);
    }

    /// Begins a new scope in the current resource.
    pub fn scope(&mut self, name: &str, version: &str) {
        self.envelopes.scope(name, version);
    }

    /// Adds a record to the current scope.
    pub fn record(&mut self, record: &LogRecordFields<'_>) {
        let out = self.envelopes.inside_scope();
        let message = open(out, 2, record.size_guess());
        put_fixed64(out, 1, record.time_ns);
        put_enum(out, 2, record.severity_number);
        put_text(out, 3, record.severity_text);
        if record.body != AttributeValue::Empty {
            put_any_value(out, 5, &record.body);
        }
        put_attributes(out, 6, record.attributes);
        put_uint32(out, 7, record.dropped_attributes_count);
        put_fixed32(out, 8, record.flags);
        put_text(out, 9, record.trace_id);
        put_text(out, 10, record.span_id);
        put_fixed64(out, 11, record.observed_ns);
        put_text(out, 12, record.event_name);
        close(out, message);
        self.envelopes.count(1);
    }

    /// Records written since the last [`LogsWriter::finish`].
    #[must_use]
    pub const fn items(&self) -> u32 {
        self.envelopes.items
    }

    /// Bytes written so far; closing the last envelopes may still change a few.
    #[must_use]
    pub const fn size_bytes(&self) -> usize {
        self.envelopes.out.len()
    }

    /// Forgets what was written and keeps the buffer.
    pub fn clear(&mut self) {
        self.envelopes.clear();
    }

    /// The request and its records; the writer is empty afterwards and can be used again.
    pub fn finish(&mut self) -> (Bytes, u32) {
        self.envelopes.finish()
    }
}

impl LogRecordFields<'_> {
    /// Most records need a length of two bytes; only a long body tells another story.
    fn size_guess(&self) -> usize {
        let body = match self.body {
            AttributeValue::Str(text) => text.len(),
            _ => 0,
        };
        128 + body
    }
}
