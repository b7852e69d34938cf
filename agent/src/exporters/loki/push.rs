//! The push API.
//!
//! ```text
//! PushRequest      { streams=1 repeated StreamAdapter }
//! StreamAdapter    { labels=1 string; entries=2 repeated EntryAdapter }
//! EntryAdapter     { timestamp=1 { seconds=1; nanos=2 }; line=2 string;
//!                    structuredMetadata=3 repeated { name=1; value=2 } }
//! ```
//! The crate `loki-api` has these messages without structured metadata.

use std::fmt::Write;
use std::sync::Arc;

use otlp::common::{Scope, Value};
use otlp::logs::LogRecord;
use otlp::wire;

use super::super::series::exemplar::write_hex;
use super::super::series::identity::KeyMap;
use super::limits::{Limits, Reason, check_metadata, cut_mark};
use super::stream::{Metadata, Source};

/// Guess of what an entry takes beside its line and metadata.
const ENTRY_SIZE_GUESS: usize = 24;

/// Collects a request; reusable.
#[derive(Debug, Default)]
pub(super) struct Push {
    streams: Vec<Arc<Source>>,
    numbers: KeyMap<usize>,
    entries: Vec<u8>,
    index: Vec<Entry>,
    scope: Metadata,
    record: Metadata,
    line: String,
    hex: String,
}

/// Where an encoded entry is.
#[derive(Copy, Clone, Debug)]
struct Entry {
    stream: usize,
    time: u64,
    start: usize,
    end: usize,
}

impl Push {
    pub(super) fn clear(&mut self) {
        self.streams.clear();
        self.numbers.clear();
        self.entries.clear();
        self.index.clear();
    }

    /// Begins the records of `scope`.
    pub(super) fn scope(&mut self, scope: &Scope<'_>) {
        self.scope.clear();
        self.scope.add_attributes("", scope.attributes());
        self.scope.add("scope_name", scope.name());
        self.scope.add("scope_version", scope.version());
        if scope.dropped_attributes_count() > 0 {
            let dropped = scope.dropped_attributes_count();
            self.scope.add("scope_dropped_attributes_count", dropped);
        }
    }

    /// Adds a record of the current scope; tells whether its line was cut.
    pub(super) fn record(
        &mut self,
        source: &Arc<Source>,
        record: &LogRecord<'_>,
        time: u64,
        limits: &Limits,
    ) -> Result<bool, Reason> {
        self.record.clear();
        add_record(&mut self.record, record, &mut self.hex);
        check_metadata(&[&source.metadata, &self.scope, &self.record])?;
        let is_cut = self.render(record.body, limits);
        let start = self.entries.len();
        self.put_entry(source, time);
        let number = self.streams.len();
        let stream = *self.numbers.entry(source.stream).or_insert(number);
        if stream == number {
            self.streams.push(Arc::clone(source));
        }
        self.index.push(Entry {
            stream,
            time,
            start,
            end: self.entries.len(),
        });
        Ok(is_cut)
    }

    /// Appends the request to `body`, each stream once, its lines in order of time.
    pub(super) fn finish(&mut self, body: &mut Vec<u8>) {
        self.index.sort_by_key(|entry| (entry.stream, entry.time));
        for group in self
            .index
            .chunk_by(|left, right| left.stream == right.stream)
        {
            let first = group
                .first()
                .and_then(|entry| self.streams.get(entry.stream));
            let Some(source) = first else {
                continue;
            };
            let entries = group
                .iter()
                .map(|entry| entry.end - entry.start)
                .sum::<usize>();
            let size = wire::len_field_size(1, source.labels.len()) + entries;
            let stream = wire::open(body, 1, size);
            wire::put_len_field(body, 1, source.labels.as_bytes());
            for entry in group {
                let encoded = self.entries.get(entry.start..entry.end);
                body.extend_from_slice(encoded.unwrap_or_default());
            }
            wire::close(body, stream);
        }
    }

    /// Fills `line` with the text of the body.
    fn render(&mut self, body: Value<'_>, limits: &Limits) -> bool {
        self.line.clear();
        // Writing into a String cannot fail.
        let _ = write!(self.line, "{body}");
        let Some(kept) = limits.kept(&self.line).map(str::len) else {
            return false;
        };
        let mark = cut_mark(self.line.len() - kept);
        self.line.truncate(kept);
        self.line.push_str(&mark);
        true
    }

    fn put_entry(&mut self, source: &Source, time: u64) {
        let metadata = [&source.metadata, &self.scope, &self.record];
        let metadata_bytes: usize = metadata.iter().map(|part| part.encoded.len()).sum();
        let out = &mut self.entries;
        let size = ENTRY_SIZE_GUESS + self.line.len() + metadata_bytes;
        let entry = wire::open(out, 2, size);
        let timestamp = wire::open(out, 1, 12);
        wire::put_varint_field(out, 1, time / 1_000_000_000);
        wire::put_varint_field(out, 2, time % 1_000_000_000);
        wire::close(out, timestamp);
        wire::put_len_field(out, 2, self.line.as_bytes());
        for part in metadata {
            out.extend_from_slice(&part.encoded);
        }
        wire::close(out, entry);
    }
}

/// What Loki itself makes of a record that comes by OTLP.
pub(super) fn add_record(metadata: &mut Metadata, record: &LogRecord<'_>, hex: &mut String) {
    metadata.add_attributes("", record.attributes());
    if record.time_unix_nano != 0 && record.observed_time_unix_nano != 0 {
        metadata.add("observed_timestamp", record.observed_time_unix_nano);
    }
    if record.severity_number != 0 {
        metadata.add("severity_number", record.severity_number);
    }
    metadata.add("severity_text", record.severity_text);
    metadata.add("event_name", record.event_name);
    for (name, id) in [("trace_id", record.trace_id), ("span_id", record.span_id)] {
        if !id.is_empty() {
            hex.clear();
            write_hex(id, hex);
            metadata.add(name, hex.as_str());
        }
    }
    if record.flags != 0 {
        metadata.add("flags", record.flags);
    }
    if record.dropped_attributes_count > 0 {
        let dropped = record.dropped_attributes_count;
        metadata.add("dropped_attributes_count", dropped);
    }
}
