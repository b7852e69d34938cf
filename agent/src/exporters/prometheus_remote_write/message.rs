//! From points to the body of a request: what both versions of remote write share.

use std::cmp::Ordering;
use std::collections::hash_map::Entry;

use otlp::metrics::Exemplar;

use super::super::series::identity::{Key, KeyMap};
use super::super::series::{Drops, Kind, Labels, Native, Point, Reason, Sink, Value};

/// When a value was measured, and since when it adds up.
#[derive(Copy, Clone, Debug)]
pub(super) struct Moment {
    /// Milliseconds since the epoch.
    pub(super) timestamp_ms: i64,
    /// Milliseconds since the epoch; 0 when unknown.
    pub(super) start_ms: i64,
}

/// Appends series to a message.
pub(super) trait Writer {
    /// Begins a new message.
    fn clear(&mut self);
    /// Tells type, help and unit of the point whose series follow.
    fn describe(&mut self, point: &Point<'_>);
    /// Adds a series with one sample.
    fn float(
        &mut self,
        labels: Labels<'_>,
        value: f64,
        moment: Moment,
        exemplar: Option<&Exemplar<'_>>,
    );
    /// Adds a series with one native histogram.
    fn native(
        &mut self,
        labels: Labels<'_>,
        native: &Native,
        moment: Moment,
        exemplar: Option<&Exemplar<'_>>,
    );
    /// Appends the message to `body`, earlier samples before later ones when it must be `sorted`.
    fn finish(&mut self, sorted: bool, body: &mut Vec<u8>);
}

/// The number for a type, the same in both versions.
pub(super) fn metadata_type(kind: Kind) -> u64 {
    match kind {
        Kind::Unknown => 0,
        Kind::Counter => 1,
        Kind::Gauge => 2,
        Kind::Histogram | Kind::NativeHistogram => 3,
        Kind::Summary => 5,
        Kind::Info => 6,
        Kind::StateSet => 7,
    }
}

/// Encoded series, and their times.
///
/// A receiver takes the samples of a series in order of time only. Points mostly come that way;
/// where they do not, the series are put in order when the message is finished.
#[derive(Debug, Default)]
pub(super) struct Frames {
    bytes: Vec<u8>,
    /// Time and end of each.
    ends: Vec<(i64, usize)>,
}

impl Frames {
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// Adds what `write` appends.
    pub(super) fn add(&mut self, timestamp_ms: i64, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.ends.push((timestamp_ms, self.bytes.len()));
    }

    /// Appends all to `body`, earlier before later when they must be `sorted`.
    pub(super) fn append_to(&self, sorted: bool, body: &mut Vec<u8>) {
        if !sorted {
            body.extend_from_slice(&self.bytes);
            return;
        }
        let mut start = 0;
        let mut frames: Vec<(i64, &[u8])> = Vec::with_capacity(self.ends.len());
        for (timestamp_ms, end) in &self.ends {
            frames.push((
                *timestamp_ms,
                self.bytes.get(start..*end).unwrap_or_default(),
            ));
            start = *end;
        }
        frames.sort_by_key(|(timestamp_ms, _)| *timestamp_ms);
        body.reserve(self.bytes.len());
        for (_, frame) in frames {
            body.extend_from_slice(frame);
        }
    }
}

/// The times that the back end takes, in milliseconds since the epoch.
#[derive(Copy, Clone, Debug)]
pub(super) struct Window {
    /// What is older is dropped.
    pub(super) oldest_ms: i64,
    /// What is newer is dropped.
    pub(super) newest_ms: i64,
}

/// What is in a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    /// Float samples.
    pub(super) samples: u64,
    /// Native histograms.
    pub(super) histograms: u64,
    /// Data points that were left out.
    pub(super) drops: Drops,
    /// Whether a later sample of a series stands before an earlier one.
    pub(super) is_disordered: bool,
}

impl Contents {
    /// Whether there is nothing to send.
    pub(super) fn is_empty(&self) -> bool {
        self.samples == 0 && self.histograms == 0
    }
}

/// Passes points on to a writer, apart from those that the back end would refuse.
#[derive(Debug)]
pub(super) struct Guard<'a, W> {
    pub(super) writer: &'a mut W,
    /// What was told of each series in this message.
    pub(super) told: &'a mut KeyMap<Told>,
    pub(super) window: Window,
    pub(super) contents: Contents,
}

/// The newest point of a series in a message.
#[derive(Copy, Clone, Debug)]
pub(super) struct Told {
    timestamp_ms: i64,
    digest: Key,
}

/// What becomes of a point.
enum Fate {
    Tell,
    /// It only says again what was told, so it is delivered with that.
    Repeats,
    Drop(Reason),
}

impl<W: Writer> Sink for Guard<'_, W> {
    fn point(&mut self, point: &Point<'_>) -> bool {
        match self.fate(point) {
            Fate::Tell => self.write(point),
            Fate::Repeats => {}
            Fate::Drop(reason) => {
                if point.is_item {
                    self.contents.drops.add(reason, 1);
                }
                return false;
            }
        }
        true
    }
}

impl<W: Writer> Guard<'_, W> {
    /// Sorts out what the back end would refuse.
    fn fate(&mut self, point: &Point<'_>) -> Fate {
        if point.timestamp_ms < self.window.oldest_ms {
            return Fate::Drop(Reason::TooOld);
        }
        if point.timestamp_ms > self.window.newest_ms {
            return Fate::Drop(Reason::TooFarInFuture);
        }
        let next = Told {
            timestamp_ms: point.timestamp_ms,
            digest: digest(&point.value),
        };
        let told = match self.told.entry(point.series.identity) {
            Entry::Vacant(place) => {
                place.insert(next);
                return Fate::Tell;
            }
            Entry::Occupied(place) => place.into_mut(),
        };
        match told.timestamp_ms.cmp(&next.timestamp_ms) {
            Ordering::Less => *told = next,
            Ordering::Equal if told.digest == next.digest => return Fate::Repeats,
            Ordering::Equal => return Fate::Drop(Reason::Duplicate),
            Ordering::Greater => self.contents.is_disordered = true,
        }
        Fate::Tell
    }

    fn write(&mut self, point: &Point<'_>) {
        let moment = Moment {
            timestamp_ms: point.timestamp_ms,
            start_ms: point.start_ms,
        };
        let exemplar_of = |position| {
            let mut placed = point.exemplars.iter();
            placed
                .find(|placed| placed.position == position)
                .map(|placed| &placed.exemplar)
        };
        self.writer.describe(point);
        match point.value {
            Value::Floats(values) => {
                for (position, (labels, value)) in point.series.labels().zip(values).enumerate() {
                    self.writer
                        .float(labels, *value, moment, exemplar_of(position));
                    self.contents.samples += 1;
                }
            }
            Value::Native(native) => {
                for labels in point.series.labels() {
                    self.writer.native(labels, native, moment, exemplar_of(0));
                    self.contents.histograms += 1;
                }
            }
        }
    }
}

/// Tells values apart; cheap for the one float that most points have.
fn digest(value: &Value<'_>) -> Key {
    match value {
        Value::Floats(values) => values
            .iter()
            .fold(Key::ROOT, |key, value| key.child(&value.to_le_bytes())),
        Value::Native(native) => {
            Key::of(&native.count.to_le_bytes()).child(&native.sum.to_le_bytes())
        }
    }
}
