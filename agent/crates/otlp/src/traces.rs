//! Views of trace requests.
//!
//! Names and meanings are those of `opentelemetry/proto/trace/v1/trace.proto`.

use crate::common::{Attributes, Messages, Resource, Run, Scope, last_len, low_32_bits, text};
use crate::wire::{Content, Fields};

/// A validated `ExportTraceServiceRequest`.
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

    /// The spans, grouped by resource.
    #[must_use]
    pub const fn resource_spans(&self) -> Messages<'a, ResourceSpans<'a>> {
        Messages::new(self.bytes, 1)
    }
}

/// The spans of one resource.
#[derive(Copy, Clone, Debug)]
pub struct ResourceSpans<'a> {
    bytes: &'a [u8],
}

impl<'a> ResourceSpans<'a> {
    /// Who produced the spans; empty when absent.
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

    /// The spans, grouped by scope.
    #[must_use]
    pub const fn scope_spans(&self) -> Messages<'a, ScopeSpans<'a>> {
        Messages::new(self.bytes, 2)
    }
}

impl<'a> From<&'a [u8]> for ResourceSpans<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }
}

/// The spans of one scope.
#[derive(Copy, Clone, Debug)]
pub struct ScopeSpans<'a> {
    bytes: &'a [u8],
}

impl<'a> ScopeSpans<'a> {
    /// What made the spans; empty when absent.
    #[must_use]
    pub fn scope(&self) -> Scope<'a> {
        self.scope_bytes().into()
    }

    /// The encoded scope, as a key for caches.
    #[must_use]
    pub fn scope_bytes(&self) -> &'a [u8] {
        last_len(self.bytes, 1)
    }

    /// Schema of the scope and its spans; may be empty.
    #[must_use]
    pub fn schema_url(&self) -> &'a str {
        text(last_len(self.bytes, 3))
    }

    /// The spans.
    #[must_use]
    pub const fn spans(&self) -> Messages<'a, Span<'a>> {
        Messages::new(self.bytes, 2)
    }
}

impl<'a> From<&'a [u8]> for ScopeSpans<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }
}

/// One span.
#[derive(Copy, Clone, Debug, Default)]
pub struct Span<'a> {
    /// 16 bytes. The length is the sender's.
    pub trace_id: &'a [u8],
    /// 8 bytes. The length is the sender's.
    pub span_id: &'a [u8],
    /// W3C trace state.
    pub trace_state: &'a str,
    /// 8 bytes, or empty for a root span. The length is the sender's.
    pub parent_span_id: &'a [u8],
    /// W3C trace flags in the low eight bits, "is remote" in the next two.
    pub flags: u32,
    /// What was done.
    pub name: &'a str,
    /// 1 internal, 2 server, 3 client, 4 producer, 5 consumer; 0 when unknown.
    pub kind: i32,
    /// When it began.
    pub start_time_unix_nano: u64,
    /// When it ended.
    pub end_time_unix_nano: u64,
    /// Attributes that the sender left out.
    pub dropped_attributes_count: u32,
    /// Events that the sender left out.
    pub dropped_events_count: u32,
    /// Links that the sender left out.
    pub dropped_links_count: u32,
    attributes: Attributes<'a>,
    status: Status<'a>,
    bytes: &'a [u8],
}

impl<'a> Span<'a> {
    /// What else is known about the span.
    #[must_use]
    pub const fn attributes(&self) -> Attributes<'a> {
        self.attributes
    }

    /// What happened meanwhile.
    #[must_use]
    pub const fn events(&self) -> Messages<'a, Event<'a>> {
        Messages::new(self.bytes, 11)
    }

    /// Spans that this one refers to.
    #[must_use]
    pub const fn links(&self) -> Messages<'a, Link<'a>> {
        Messages::new(self.bytes, 13)
    }

    /// How it ended; unset when absent.
    #[must_use]
    pub const fn status(&self) -> Status<'a> {
        self.status
    }
}

impl<'a> From<&'a [u8]> for Span<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        let mut span = Self {
            bytes,
            ..Self::default()
        };
        let mut attributes = Run::default();
        let mut fields = Fields::new(bytes);
        while let Some(field) = fields.next() {
            match (field.number, field.content) {
                (1, Content::Len(value)) => span.trace_id = value,
                (2, Content::Len(value)) => span.span_id = value,
                (3, Content::Len(value)) => span.trace_state = text(value),
                (4, Content::Len(value)) => span.parent_span_id = value,
                (5, Content::Len(value)) => span.name = text(value),
                (6, Content::Varint(value)) => span.kind = low_32_bits(value).cast_signed(),
                (7, Content::Fixed64(value)) => span.start_time_unix_nano = value,
                (8, Content::Fixed64(value)) => span.end_time_unix_nano = value,
                (9, Content::Len(_)) => attributes.extend(bytes, field.raw, fields.rest()),
                (10, Content::Varint(value)) => span.dropped_attributes_count = low_32_bits(value),
                (12, Content::Varint(value)) => span.dropped_events_count = low_32_bits(value),
                (14, Content::Varint(value)) => span.dropped_links_count = low_32_bits(value),
                (15, Content::Len(value)) => span.status = Status::from(value),
                (16, Content::Fixed32(value)) => span.flags = value,
                _ => {}
            }
        }
        span.attributes = attributes.attributes(bytes, 9);
        span
    }
}

/// Something that happened during a span.
#[derive(Copy, Clone, Debug, Default)]
pub struct Event<'a> {
    /// When it happened.
    pub time_unix_nano: u64,
    /// What happened.
    pub name: &'a str,
    /// Attributes that the sender left out.
    pub dropped_attributes_count: u32,
    attributes: Attributes<'a>,
}

impl<'a> Event<'a> {
    /// What else is known about the event.
    #[must_use]
    pub const fn attributes(&self) -> Attributes<'a> {
        self.attributes
    }
}

impl<'a> From<&'a [u8]> for Event<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        let mut event = Self::default();
        for field in Fields::new(bytes) {
            match (field.number, field.content) {
                (1, Content::Fixed64(value)) => event.time_unix_nano = value,
                (2, Content::Len(value)) => event.name = text(value),
                (4, Content::Varint(value)) => event.dropped_attributes_count = low_32_bits(value),
                _ => {}
            }
        }
        event.attributes = Attributes::within(bytes, 3);
        event
    }
}

/// A reference from one span to another.
#[derive(Copy, Clone, Debug, Default)]
pub struct Link<'a> {
    /// Trace of the other span, 16 bytes.
    pub trace_id: &'a [u8],
    /// The other span, 8 bytes.
    pub span_id: &'a [u8],
    /// W3C trace state of the other span.
    pub trace_state: &'a str,
    /// Attributes that the sender left out.
    pub dropped_attributes_count: u32,
    /// As [`Span::flags`].
    pub flags: u32,
    attributes: Attributes<'a>,
}

impl<'a> Link<'a> {
    /// What else is known about the reference.
    #[must_use]
    pub const fn attributes(&self) -> Attributes<'a> {
        self.attributes
    }
}

impl<'a> From<&'a [u8]> for Link<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        let mut link = Self::default();
        for field in Fields::new(bytes) {
            match (field.number, field.content) {
                (1, Content::Len(value)) => link.trace_id = value,
                (2, Content::Len(value)) => link.span_id = value,
                (3, Content::Len(value)) => link.trace_state = text(value),
                (5, Content::Varint(value)) => link.dropped_attributes_count = low_32_bits(value),
                (6, Content::Fixed32(value)) => link.flags = value,
                _ => {}
            }
        }
        link.attributes = Attributes::within(bytes, 4);
        link
    }
}

/// How a span ended.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Status<'a> {
    /// 0 unset, 1 ok, 2 error.
    pub code: i32,
    /// Text for people; may be empty.
    pub message: &'a str,
}

impl<'a> From<&'a [u8]> for Status<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        let mut status = Self::default();
        for field in Fields::new(bytes) {
            match (field.number, field.content) {
                (2, Content::Len(value)) => status.message = text(value),
                (3, Content::Varint(value)) => status.code = low_32_bits(value).cast_signed(),
                _ => {}
            }
        }
        status
    }
}
