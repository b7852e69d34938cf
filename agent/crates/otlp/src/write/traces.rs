//! The writer of trace requests.

use bytes::Bytes;

use super::{
    AttributeValue, Envelopes, ResourceWriter, put_attributes, put_enum, put_fixed32, put_fixed64,
    put_text, put_uint32,
};
use crate::traces::Status;
use crate::wire::{close, open};

/// Writes an `ExportTraceServiceRequest`.
#[derive(Debug, Default)]
pub struct TracesWriter {
    envelopes: Envelopes,
}

/// What a span holds. Fields left at their default are not written.
#[derive(Copy, Clone, Debug, Default)]
pub struct SpanFields<'a> {
    /// 16 bytes.
    pub trace_id: &'a [u8],
    /// 8 bytes.
    pub span_id: &'a [u8],
    /// 8 bytes, or empty for a root span.
    pub parent_span_id: &'a [u8],
    /// W3C trace state.
    pub trace_state: &'a str,
    /// W3C trace flags in the low eight bits.
    pub flags: u32,
    /// What was done.
    pub name: &'a str,
    /// 1 internal, 2 server, 3 client, 4 producer, 5 consumer; 0 when unknown.
    pub kind: i32,
    /// When it began, nanoseconds since 1970.
    pub start_ns: u64,
    /// When it ended, nanoseconds since 1970.
    pub end_ns: u64,
    /// What else is known about the span. Keys must differ from each other.
    pub attributes: &'a [(&'a str, AttributeValue<'a>)],
    /// Attributes that were left out.
    pub dropped_attributes_count: u32,
    /// What happened meanwhile.
    pub events: &'a [EventFields<'a>],
    /// Events that were left out.
    pub dropped_events_count: u32,
    /// Spans that this one refers to.
    pub links: &'a [LinkFields<'a>],
    /// Links that were left out.
    pub dropped_links_count: u32,
    /// How it ended.
    pub status: Status<'a>,
}

/// What an event of a span holds.
#[derive(Copy, Clone, Debug, Default)]
pub struct EventFields<'a> {
    /// When it happened, nanoseconds since 1970.
    pub time_ns: u64,
    /// What happened.
    pub name: &'a str,
    /// What else is known about it. Keys must differ from each other.
    pub attributes: &'a [(&'a str, AttributeValue<'a>)],
    /// Attributes that were left out.
    pub dropped_attributes_count: u32,
}

/// What a link of a span holds.
#[derive(Copy, Clone, Debug, Default)]
pub struct LinkFields<'a> {
    /// Trace of the other span, 16 bytes.
    pub trace_id: &'a [u8],
    /// The other span, 8 bytes.
    pub span_id: &'a [u8],
    /// W3C trace state of the other span.
    pub trace_state: &'a str,
    /// What else is known about it. Keys must differ from each other.
    pub attributes: &'a [(&'a str, AttributeValue<'a>)],
    /// Attributes that were left out.
    pub dropped_attributes_count: u32,
    /// W3C trace flags in the low eight bits.
    pub flags: u32,
}

impl TracesWriter {
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

    /// Adds a span to the current scope.
    pub fn span(&mut self, span: &SpanFields<'_>) {
        let out = self.envelopes.inside_scope();
        let message = open(out, 2, 256);
        put_text(out, 1, span.trace_id);
        put_text(out, 2, span.span_id);
        put_text(out, 3, span.trace_state);
        put_text(out, 4, span.parent_span_id);
        put_text(out, 5, span.name);
        put_enum(out, 6, span.kind);
        put_fixed64(out, 7, span.start_ns);
        put_fixed64(out, 8, span.end_ns);
        put_attributes(out, 9, span.attributes);
        put_uint32(out, 10, span.dropped_attributes_count);
        for event in span.events {
            put_event(out, event);
        }
        put_uint32(out, 12, span.dropped_events_count);
        for link in span.links {
            put_link(out, link);
        }
        put_uint32(out, 14, span.dropped_links_count);
        put_status(out, &span.status);
        put_fixed32(out, 16, span.flags);
        close(out, message);
        self.envelopes.count(1);
    }

    /// Spans written since the last [`TracesWriter::finish`].
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

    /// The request and its spans; the writer is empty afterwards and can be used again.
    pub fn finish(&mut self) -> (Bytes, u32) {
        self.envelopes.finish()
    }
}

fn put_event(out: &mut Vec<u8>, event: &EventFields<'_>) {
    let message = open(out, 11, 64);
    put_fixed64(out, 1, event.time_ns);
    put_text(out, 2, event.name);
    put_attributes(out, 3, event.attributes);
    put_uint32(out, 4, event.dropped_attributes_count);
    close(out, message);
}

fn put_link(out: &mut Vec<u8>, link: &LinkFields<'_>) {
    let message = open(out, 13, 64);
    put_text(out, 1, link.trace_id);
    put_text(out, 2, link.span_id);
    put_text(out, 3, link.trace_state);
    put_attributes(out, 4, link.attributes);
    put_uint32(out, 5, link.dropped_attributes_count);
    put_fixed32(out, 6, link.flags);
    close(out, message);
}

fn put_status(out: &mut Vec<u8>, status: &Status<'_>) {
    if *status == Status::default() {
        return;
    }
    let message = open(out, 15, status.message.len());
    put_text(out, 2, status.message);
    put_enum(out, 3, status.code);
    close(out, message);
}
