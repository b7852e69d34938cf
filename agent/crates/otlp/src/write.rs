//! Append-only writers of export requests.
//!
//! A writer owns one buffer and appends to it; nothing is built as a tree. Calls open and close the
//! envelopes as they go: `resource` begins a new resource, `scope` a new scope in it, and a resource,
//! scope or metric in which nothing was written is taken back, because senders make no empty
//! envelopes. Records without a resource or scope are legal.
//!
//! ```
//! use otlp::metrics::Temporality;
//! use otlp::write::MetricsWriter;
//!
//! let mut writer = MetricsWriter::new();
//! writer.resource(|resource| resource.attribute("host.name", "db-1"));
//! writer.scope("hostmetrics/cpu", "0.1.0");
//! writer.sum("system.cpu.time", "s", "CPU time", Temporality::Cumulative, true, |points| {
//!     points.double(1_700_000_060_000_000_000, 1_700_000_000_000_000_000, 12.5, &[
//!         ("cpu", "cpu0".into()),
//!         ("state", "user".into()),
//!     ]);
//! });
//! let (bytes, points) = writer.finish();
//! assert_eq!((bytes.len(), points), (153, 1));
//! ```

mod logs;
mod metrics;
mod traces;
mod value;

pub use logs::{LogRecordFields, LogsWriter};
pub use metrics::{
    BucketsFields, ExemplarFields, ExponentialHistogramPointFields, ExponentialHistogramPoints,
    HistogramPointFields, HistogramPoints, MetricsWriter, NumberPointFields, NumberPoints,
    SummaryPointFields, SummaryPoints,
};
pub use traces::{EventFields, LinkFields, SpanFields, TracesWriter};
pub use value::AttributeValue;

pub(crate) use value::{put_any_value, put_attribute};

use bytes::Bytes;

use crate::wire::{Open, close, open, put_len_field};

/// Guess of a resource's or scope's size in bytes: its length takes three bytes up to 2 MiB.
const ENVELOPE_SIZE_GUESS: usize = 64 * 1024;

/// Writes the resource of what follows.
#[derive(Debug)]
pub struct ResourceWriter<'w> {
    out: &'w mut Vec<u8>,
}

impl ResourceWriter<'_> {
    /// Adds an attribute. Keys must differ from each other.
    pub fn attribute<'v>(&mut self, key: &str, value: impl Into<AttributeValue<'v>>) {
        put_attribute(self.out, 1, key, &value.into());
    }
}

/// What the three writers share: the buffer, the open resource and scope, the items so far.
#[derive(Debug, Default)]
struct Envelopes {
    out: Vec<u8>,
    items: u32,
    resource: Option<Envelope>,
    scope: Option<Envelope>,
}

/// An open resource or scope.
#[derive(Debug)]
struct Envelope {
    message: Open,
    items_before: u32,
}

impl Envelopes {
    fn resource(&mut self, write: impl FnOnce(&mut ResourceWriter<'_>)) {
        self.close_resource();
        self.resource = Some(self.open(1));
        let message = open(&mut self.out, 1, 128);
        write(&mut ResourceWriter { out: &mut self.out });
        close(&mut self.out, message);
    }

    fn scope(&mut self, name: &str, version: &str) {
        self.close_scope();
        self.open_scope();
        if name.is_empty() && version.is_empty() {
            return;
        }
        let message = open(&mut self.out, 1, name.len() + version.len());
        put_text(&mut self.out, 1, name);
        put_text(&mut self.out, 2, version);
        close(&mut self.out, message);
    }

    /// The buffer, inside a scope and ready for an item.
    fn inside_scope(&mut self) -> &mut Vec<u8> {
        if self.scope.is_none() {
            self.open_scope();
        }
        &mut self.out
    }

    fn count(&mut self, items: u32) {
        self.items = self.items.saturating_add(items);
    }

    fn clear(&mut self) {
        self.resource = None;
        self.scope = None;
        self.out.clear();
        self.items = 0;
    }

    /// The request in a buffer of exactly its size. The writer keeps its own buffer, so that the
    /// next request is written without growing one; copying once is cheaper than that.
    fn finish(&mut self) -> (Bytes, u32) {
        self.close_resource();
        let finished = (Bytes::copy_from_slice(&self.out), self.items);
        self.clear();
        finished
    }

    fn open_scope(&mut self) {
        if self.resource.is_none() {
            self.resource = Some(self.open(1));
        }
        self.scope = Some(self.open(2));
    }

    fn open(&mut self, number: u32) -> Envelope {
        Envelope {
            message: open(&mut self.out, number, ENVELOPE_SIZE_GUESS),
            items_before: self.items,
        }
    }

    fn close_resource(&mut self) {
        self.close_scope();
        if let Some(resource) = self.resource.take() {
            self.close(resource);
        }
    }

    fn close_scope(&mut self) {
        if let Some(scope) = self.scope.take() {
            self.close(scope);
        }
    }

    fn close(&mut self, envelope: Envelope) {
        if self.items == envelope.items_before {
            envelope.message.discard(&mut self.out);
        } else {
            close(&mut self.out, envelope.message);
        }
    }
}

/// Appends a string, bytes or an id, unless it is empty, which is what an absent field reads as.
fn put_text(out: &mut Vec<u8>, number: u32, text: impl AsRef<[u8]>) {
    let bytes = text.as_ref();
    if !bytes.is_empty() {
        put_len_field(out, number, bytes);
    }
}

/// Appends a `fixed64`, unless it is zero.
fn put_fixed64(out: &mut Vec<u8>, number: u32, value: u64) {
    if value != 0 {
        crate::wire::put_fixed64_field(out, number, value);
    }
}

/// Appends a `fixed32`, unless it is zero.
fn put_fixed32(out: &mut Vec<u8>, number: u32, value: u32) {
    if value != 0 {
        crate::wire::put_fixed32_field(out, number, value);
    }
}

/// Appends a `uint32` or an enum, unless it is zero.
fn put_uint32(out: &mut Vec<u8>, number: u32, value: u32) {
    if value != 0 {
        crate::wire::put_varint_field(out, number, u64::from(value));
    }
}

/// Appends an enum, unless it is zero.
fn put_enum(out: &mut Vec<u8>, number: u32, value: i32) {
    if value != 0 {
        crate::wire::put_varint_field(out, number, i64::from(value).cast_unsigned());
    }
}

/// Appends attributes as field `number`.
fn put_attributes(out: &mut Vec<u8>, number: u32, attributes: &[(&str, AttributeValue<'_>)]) {
    for (key, value) in attributes {
        put_attribute(out, number, key, value);
    }
}

#[cfg(test)]
mod tests;
