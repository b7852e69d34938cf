//! Remote write 1.0 messages.
//!
//! ```text
//! WriteRequest   { timeseries=1 repeated; metadata=3 repeated }
//! TimeSeries     { labels=1 repeated; samples=2; exemplars=3; histograms=4 }
//! Sample         { value=1 double; timestamp=2 int64 ms }
//! Exemplar       { labels=1 repeated; value=2 double; timestamp=3 int64 ms }
//! MetricMetadata { type=1 enum; metric_family_name=2; help=4; unit=5 }
//! ```
//! Exemplars, native histograms and metadata are what Prometheus adds to the specification, and
//! what its receivers keep.

use otlp::metrics::Exemplar;
use otlp::wire;

use super::super::series::exemplar::exemplar_labels;
use super::super::series::identity::{Key, KeyMap};
use super::super::series::label::encode_label;
use super::super::series::{Labels, Native, Point, number};
use super::histogram::{HISTOGRAM_SIZE_GUESS, put_histogram};
use super::message::{Frames, Moment, Writer, metadata_type};

/// Writes `WriteRequest`.
#[derive(Debug, Default)]
pub(super) struct V1 {
    has_metadata: bool,
    frames: Frames,
    described: KeyMap<()>,
    metadata: Vec<u8>,
}

impl V1 {
    /// A writer that also tells type, help and unit of each family, when asked for.
    pub(super) fn new(has_metadata: bool) -> Self {
        Self {
            has_metadata,
            ..Self::default()
        }
    }
}

impl Writer for V1 {
    fn clear(&mut self) {
        self.frames.clear();
        self.described.clear();
        self.metadata.clear();
    }

    fn describe(&mut self, point: &Point<'_>) {
        let key = Key::of(point.family.name.as_bytes());
        if !self.has_metadata || self.described.insert(key, ()).is_some() {
            return;
        }
        let out = &mut self.metadata;
        let guess = point.family.name.len() + point.help.len();
        let metadata = wire::open(out, 3, guess);
        wire::put_varint_field(out, 1, metadata_type(point.family.kind));
        wire::put_len_field(out, 2, point.family.name.as_bytes());
        wire::put_len_field(out, 4, point.help.as_bytes());
        wire::put_len_field(out, 5, point.family.unit.as_bytes());
        wire::close(out, metadata);
    }

    fn float(
        &mut self,
        labels: Labels<'_>,
        value: f64,
        moment: Moment,
        exemplar: Option<&Exemplar<'_>>,
    ) {
        self.frames.add(moment.timestamp_ms, |out| {
            let series = wire::open(out, 1, labels.as_bytes().len() + 18);
            out.extend_from_slice(labels.as_bytes());
            let sample = wire::open(out, 2, 16);
            wire::put_fixed64_field(out, 1, value.to_bits());
            wire::put_varint_field(out, 2, moment.timestamp_ms.cast_unsigned());
            wire::close(out, sample);
            exemplar.into_iter().for_each(|it| put_exemplar(out, it));
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
        let moment = Moment {
            start_ms: 0,
            ..moment
        };
        self.frames.add(moment.timestamp_ms, |out| {
            let series = wire::open(out, 1, labels.as_bytes().len() + HISTOGRAM_SIZE_GUESS);
            out.extend_from_slice(labels.as_bytes());
            exemplar.into_iter().for_each(|it| put_exemplar(out, it));
            put_histogram(out, 4, native, moment);
            wire::close(out, series);
        });
    }

    fn finish(&mut self, sorted: bool, body: &mut Vec<u8>) {
        self.frames.append_to(sorted, body);
        body.extend_from_slice(&self.metadata);
    }
}

fn put_exemplar(out: &mut Vec<u8>, exemplar: &Exemplar<'_>) {
    let message = wire::open(out, 3, 100);
    let mut labels: Vec<(String, String)> = Vec::new();
    exemplar_labels(exemplar, |name, value| {
        labels.push((name.to_owned(), value.to_owned()));
    });
    labels.sort();
    labels.dedup_by(|next, kept| next.0 == kept.0);
    for (name, value) in &labels {
        encode_label(name, value, out);
    }
    let value = number(exemplar.value).unwrap_or_default();
    wire::put_fixed64_field(out, 2, value.to_bits());
    wire::put_varint_field(out, 3, exemplar.time_unix_nano / 1_000_000);
    wire::close(out, message);
}
