//! Remote write 2.0 messages.
//!
//! ```text
//! Request    { symbols=4 repeated string; timeseries=5 repeated }
//! TimeSeries { labels_refs=1 packed uint32; samples=2; histograms=3; exemplars=4; metadata=5 }
//! Sample     { value=1 double; timestamp=2 int64 ms; start_timestamp=3 int64 ms }
//! Exemplar   { labels_refs=1 packed uint32; value=2 double; timestamp=3 int64 ms }
//! Metadata   { type=1 enum; help_ref=3 uint32; unit_ref=4 uint32 }
//! ```
//! The start time is where the specification has it now. Receivers up to Prometheus 3.5 looked for
//! it elsewhere, and skip it here.

use std::ops::Range;
use std::sync::Arc;

use otlp::metrics::Exemplar;
use otlp::wire;

use super::super::series::exemplar::exemplar_labels;
use super::super::series::identity::{Key, KeyMap};
use super::super::series::{Family, Labels, Native, Point, number};
use super::histogram::{HISTOGRAM_SIZE_GUESS, put_histogram};
use super::message::{Frames, Moment, Writer, metadata_type};

/// Writes `Request`.
#[derive(Debug)]
pub(super) struct V2 {
    symbols: Symbols,
    frames: Frames,
    /// References to the labels of the series written last. Neighbors mostly have most labels in
    /// common, and comparing is cheaper than looking up.
    last_labels: Vec<(u32, u32)>,
    labels_refs: Vec<u8>,
    /// What `metadata` tells of, and the help text in it.
    described: Option<Arc<Family>>,
    help: String,
    metadata: Vec<u8>,
}

impl Default for V2 {
    fn default() -> Self {
        Self {
            symbols: Symbols::new(),
            frames: Frames::default(),
            last_labels: Vec::new(),
            labels_refs: Vec::new(),
            described: None,
            help: String::new(),
            metadata: Vec::new(),
        }
    }
}

impl Writer for V2 {
    fn clear(&mut self) {
        self.symbols.clear();
        self.frames.clear();
        self.last_labels.clear();
        self.described = None;
    }

    fn describe(&mut self, point: &Point<'_>) {
        let mut described = self.described.iter();
        let is_same = described.any(|family| Arc::ptr_eq(family, point.family));
        if is_same && self.help == point.help {
            return;
        }
        self.described = Some(Arc::clone(point.family));
        self.help.clear();
        self.help.push_str(point.help);
        self.metadata.clear();
        let help = self.symbols.intern(point.help);
        let unit = self.symbols.intern(&point.family.unit);
        let out = &mut self.metadata;
        let metadata = wire::open(out, 5, 6);
        wire::put_varint_field(out, 1, metadata_type(point.family.kind));
        wire::put_varint_field(out, 3, help.into());
        wire::put_varint_field(out, 4, unit.into());
        wire::close(out, metadata);
    }

    fn float(
        &mut self,
        labels: Labels<'_>,
        value: f64,
        moment: Moment,
        exemplar: Option<&Exemplar<'_>>,
    ) {
        self.refer(labels);
        let exemplar = exemplar.map(|it| (self.exemplar_refs(it), it));
        let (refs, metadata) = (&self.labels_refs, &self.metadata);
        self.frames.add(moment.timestamp_ms, |out| {
            let series = wire::open(out, 5, refs.len() + metadata.len() + 20);
            wire::put_len_field(out, 1, refs);
            let sample = wire::open(out, 2, 16);
            wire::put_fixed64_field(out, 1, value.to_bits());
            wire::put_varint_field(out, 2, moment.timestamp_ms.cast_unsigned());
            if moment.start_ms != 0 {
                wire::put_varint_field(out, 3, moment.start_ms.cast_unsigned());
            }
            wire::close(out, sample);
            exemplar.iter().for_each(|it| put_exemplar(out, it));
            out.extend_from_slice(metadata);
            wire::close(out, series);
        });
    }

    fn native(
        &mut self,
        labels: Labels<'_>,
        native: &Native,
        moment: Moment,
        exemplar: Option<&Exemplar<'_>>,
    ) {
        self.refer(labels);
        let exemplar = exemplar.map(|it| (self.exemplar_refs(it), it));
        let (refs, metadata) = (&self.labels_refs, &self.metadata);
        self.frames.add(moment.timestamp_ms, |out| {
            let series = wire::open(out, 5, refs.len() + HISTOGRAM_SIZE_GUESS);
            wire::put_len_field(out, 1, refs);
            put_histogram(out, 3, native, moment);
            exemplar.iter().for_each(|it| put_exemplar(out, it));
            out.extend_from_slice(metadata);
            wire::close(out, series);
        });
    }

    fn finish(&mut self, sorted: bool, body: &mut Vec<u8>) {
        body.extend_from_slice(&self.symbols.encoded);
        self.frames.append_to(sorted, body);
    }
}

impl V2 {
    /// Fills `labels_refs` with the references to `labels`.
    fn refer(&mut self, labels: Labels<'_>) {
        self.labels_refs.clear();
        let mut count = 0;
        for (index, (name, value)) in labels.into_iter().enumerate() {
            let last = self.last_labels.get(index).copied();
            let reuse = |reference: Option<u32>, text: &str, symbols: &mut Symbols| {
                let same = reference.filter(|it| symbols.text(*it) == text.as_bytes());
                same.unwrap_or_else(|| symbols.intern(text))
            };
            let pair = (
                reuse(last.map(|pair| pair.0), name, &mut self.symbols),
                reuse(last.map(|pair| pair.1), value, &mut self.symbols),
            );
            match self.last_labels.get_mut(index) {
                Some(place) => *place = pair,
                None => self.last_labels.push(pair),
            }
            wire::put_varint(&mut self.labels_refs, pair.0.into());
            wire::put_varint(&mut self.labels_refs, pair.1.into());
            count = index + 1;
        }
        self.last_labels.truncate(count);
    }

    fn exemplar_refs(&mut self, exemplar: &Exemplar<'_>) -> Vec<u8> {
        let mut labels: Vec<(String, String)> = Vec::new();
        exemplar_labels(exemplar, |name, value| {
            labels.push((name.to_owned(), value.to_owned()));
        });
        labels.sort();
        labels.dedup_by(|next, kept| next.0 == kept.0);
        let mut refs = Vec::new();
        for (name, value) in &labels {
            wire::put_varint(&mut refs, self.symbols.intern(name).into());
            wire::put_varint(&mut refs, self.symbols.intern(value).into());
        }
        refs
    }
}

fn put_exemplar(out: &mut Vec<u8>, (refs, exemplar): &(Vec<u8>, &Exemplar<'_>)) {
    let message = wire::open(out, 4, refs.len() + 20);
    wire::put_len_field(out, 1, refs);
    let value = number(exemplar.value).unwrap_or_default();
    wire::put_fixed64_field(out, 2, value.to_bits());
    wire::put_varint_field(out, 3, exemplar.time_unix_nano / 1_000_000);
    wire::close(out, message);
}

/// The texts of a request, each once. The first is the empty text, as the specification demands.
#[derive(Debug)]
struct Symbols {
    references: KeyMap<u32>,
    encoded: Vec<u8>,
    /// Where in `encoded` the text of each reference is.
    texts: Vec<Range<usize>>,
}

impl Symbols {
    fn new() -> Self {
        let mut symbols = Self {
            references: KeyMap::default(),
            encoded: Vec::new(),
            texts: Vec::new(),
        };
        symbols.clear();
        symbols
    }

    fn clear(&mut self) {
        self.references.clear();
        self.encoded.clear();
        self.texts.clear();
        self.intern("");
    }

    fn intern(&mut self, text: &str) -> u32 {
        // A request has fewer texts than bytes, and those are far below 2^32.
        let next = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        let reference = *self
            .references
            .entry(Key::of(text.as_bytes()))
            .or_insert(next);
        if reference == next {
            wire::put_len_field(&mut self.encoded, 4, text.as_bytes());
            let end = self.encoded.len();
            self.texts.push(end - text.len()..end);
        }
        reference
    }

    fn text(&self, reference: u32) -> &[u8] {
        let range = self.texts.get(reference as usize).cloned();
        range
            .and_then(|range| self.encoded.get(range))
            .unwrap_or_default()
    }
}
