//! Metrics as tables: what each is called, which are on, and how points reach the writer.
//!
//! A scraper declares its metrics as constants and hands over points with all their attributes.
//! Whether a metric is written, and over which attributes its points are added up or averaged, is
//! what the user chose; that is decided here and nowhere else.

use std::collections::BTreeMap;
use std::ops::Range;

use otlp::metrics::Temporality;
use otlp::write::{AttributeValue, MetricsWriter, NumberPoints};
use serde::{Deserialize, Serialize};

use crate::config::Problem;

/// One metric of a scraper.
#[derive(Debug)]
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) unit: &'static str,
    pub(super) description: &'static str,
    pub(super) kind: Kind,
    pub(super) attributes: &'static [&'static str],
    /// Attributes that points have only when the user lists them.
    pub(super) attributes_opt_in: &'static [&'static str],
    pub(super) is_default: bool,
}

/// What a metric's points mean.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only grows since the host was started.
    Counter,
    /// An amount that may be added up over attributes.
    UpDownCounter,
    /// A reading that may not be added up.
    Gauge,
}

/// What the user says of one metric.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct MetricConfig {
    /// Whether the metric is reported; by default as the list of metrics says.
    pub(crate) enabled: Option<bool>,
    /// The attributes its points keep; by default all that are not opt-in. Points that become
    /// equal are merged.
    pub(crate) attributes: Option<Vec<String>>,
    /// How points are merged; by default sums are added up and gauges averaged.
    pub(crate) aggregation_strategy: Option<Aggregation>,
}

/// How points that differ only in attributes that are not kept become one.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Aggregation {
    /// The sum of all values.
    Sum,
    /// Their mean; of integers rounded towards zero.
    Avg,
    /// The least value.
    Min,
    /// The greatest value.
    Max,
}

/// The `metrics` block of one scraper.
pub(crate) type MetricsConfig = BTreeMap<String, MetricConfig>;

/// The metrics of one scraper that are on, compiled from its `metrics` block.
#[derive(Clone, Debug, Default)]
pub(super) struct Selection {
    chosen: BTreeMap<&'static str, Chosen>,
}

#[derive(Clone, Debug)]
struct Chosen {
    kept: Vec<&'static str>,
    aggregation: Aggregation,
}

impl Selection {
    /// Applies the block found at `key_path` to `metrics`.
    ///
    /// # Errors
    /// Names and attributes that no metric of this scraper has.
    pub(super) fn compile(
        key_path: &str,
        metrics: &'static [&'static Metric],
        config: &MetricsConfig,
    ) -> Result<Self, Problem> {
        if let Some(unknown) = config
            .keys()
            .find(|name| metrics.iter().all(|metric| metric.name != **name))
        {
            return Err(unknown_metric(key_path, unknown, metrics));
        }
        let mut chosen = BTreeMap::new();
        for metric in metrics {
            let wanted = config.get(metric.name).cloned().unwrap_or_default();
            let entry = Chosen::new(key_path, metric, &wanted)?;
            if wanted.enabled.unwrap_or(metric.is_default) {
                chosen.insert(metric.name, entry);
            }
        }
        Ok(Self { chosen })
    }

    /// Whether `metric` is on.
    pub(super) fn has(&self, metric: &Metric) -> bool {
        self.chosen.contains_key(metric.name)
    }
}

impl Chosen {
    fn new(key_path: &str, metric: &Metric, wanted: &MetricConfig) -> Result<Self, Problem> {
        let kept = match &wanted.attributes {
            None => metric.attributes.to_vec(),
            Some(names) => names
                .iter()
                .map(|name| attribute(key_path, metric, name))
                .collect::<Result<_, _>>()?,
        };
        let by_kind = match metric.kind {
            Kind::Counter | Kind::UpDownCounter => Aggregation::Sum,
            Kind::Gauge => Aggregation::Avg,
        };
        Ok(Self {
            kept,
            aggregation: wanted.aggregation_strategy.unwrap_or(by_kind),
        })
    }
}

fn attribute(key_path: &str, metric: &Metric, name: &str) -> Result<&'static str, Problem> {
    let known = || metric.attributes.iter().chain(metric.attributes_opt_in);
    known()
        .find(|known| **known == name)
        .copied()
        .ok_or_else(|| {
            let names: Vec<&str> = known().copied().collect();
            Problem::at(
                format!("{key_path}::{}::attributes", metric.name),
                format!("{} has no attribute `{name}`", metric.name),
                format!("its attributes are: {}", names.join(", ")),
            )
        })
}

fn unknown_metric(key_path: &str, name: &str, metrics: &[&'static Metric]) -> Problem {
    let nearest = metrics
        .iter()
        .map(|metric| metric.name)
        .min_by_key(|known| strsim::damerau_levenshtein(known, name))
        .unwrap_or_default();
    Problem::at(
        format!("{key_path}::{name}"),
        format!("this scraper has no metric `{name}`"),
        format!("did you mean `{nearest}`?"),
    )
}

/// Writes the points of one scraper.
#[derive(Debug)]
pub(super) struct Emitter<'a> {
    writer: &'a mut MetricsWriter,
    selection: &'a Selection,
    times: Times,
}

/// The time stamps of one scrape, in nanoseconds since the Unix epoch.
#[derive(Copy, Clone, Debug)]
pub(super) struct Times {
    /// Of all points.
    pub(super) at_unix_nano: u64,
    /// When the host was started, since when its counters count; 0 when that is unknown.
    pub(super) boot_unix_nano: u64,
}

/// The points of one metric.
#[derive(Debug, Default)]
pub(super) struct Points<'p> {
    attributes: Vec<(&'static str, &'p str)>,
    points: Vec<(Range<usize>, Number)>,
}

/// The value of a point.
#[derive(Copy, Clone, Debug, PartialEq)]
pub(super) enum Number {
    Int(i64),
    Double(f64),
}

impl<'a> Emitter<'a> {
    /// An emitter into the scope that `writer` is in.
    pub(super) fn new(
        writer: &'a mut MetricsWriter,
        selection: &'a Selection,
        times: Times,
    ) -> Self {
        Self {
            writer,
            selection,
            times,
        }
    }

    /// Whether any of `metrics` is on, so that it makes sense to read what they need.
    pub(super) fn wants(&self, metrics: &[&Metric]) -> bool {
        metrics.iter().any(|metric| self.selection.has(metric))
    }

    /// The time stamp of this scrape, in nanoseconds since the Unix epoch.
    pub(super) fn at_unix_nano(&self) -> u64 {
        self.times.at_unix_nano
    }

    /// Writes `metric`, if it is on and `fill` gives it any point: the writer takes an empty metric
    /// back.
    pub(super) fn emit<'p>(&mut self, metric: &Metric, fill: impl FnOnce(&mut Points<'p>)) {
        let Some(chosen) = self.selection.chosen.get(metric.name) else {
            return;
        };
        let mut points = Points::default();
        fill(&mut points);
        points.merge(&chosen.kept, chosen.aggregation);
        write(self.writer, metric, &points, self.times);
    }
}

impl<'p> Points<'p> {
    /// Adds a point of an integer metric; what is beyond 63 bits is cut to the greatest value.
    pub(super) fn int(&mut self, attributes: &[(&'static str, &'p str)], value: u64) {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        self.push(attributes, Number::Int(value));
    }

    /// Adds a point of a floating-point metric.
    pub(super) fn double(&mut self, attributes: &[(&'static str, &'p str)], value: f64) {
        self.push(attributes, Number::Double(value));
    }

    fn push(&mut self, attributes: &[(&'static str, &'p str)], value: Number) {
        let start = self.attributes.len();
        self.attributes.extend_from_slice(attributes);
        self.points.push((start..self.attributes.len(), value));
    }

    fn attributes_of(&self, range: &Range<usize>) -> &[(&'static str, &'p str)] {
        self.attributes.get(range.clone()).unwrap_or_default()
    }

    /// Drops all attributes but `kept` and merges the points that become equal, keeping the order
    /// in which they were first seen. Does nothing when no attribute is dropped.
    fn merge(&mut self, kept: &[&str], aggregation: Aggregation) {
        if self.attributes.iter().all(|(key, _)| kept.contains(key)) {
            return;
        }
        let mut groups: Vec<Group<'p>> = Vec::new();
        for (range, value) in &self.points {
            let attributes: Vec<_> = self
                .attributes_of(range)
                .iter()
                .filter(|(key, _)| kept.contains(key))
                .copied()
                .collect();
            match groups.iter_mut().find(|group| group.0 == attributes) {
                Some(group) => group.1.push(*value),
                None => groups.push((attributes, vec![*value])),
            }
        }
        *self = Self::default();
        for (attributes, values) in groups {
            self.push(&attributes, aggregated(&values, aggregation));
        }
    }
}

/// Attributes that several points share, and the values of those points.
type Group<'p> = (Vec<(&'static str, &'p str)>, Vec<Number>);

fn aggregated(values: &[Number], aggregation: Aggregation) -> Number {
    let ints: Option<Vec<i64>> = values
        .iter()
        .map(|value| match value {
            Number::Int(int) => Some(*int),
            Number::Double(_) => None,
        })
        .collect();
    match ints {
        Some(ints) => Number::Int(aggregated_ints(&ints, aggregation)),
        None => Number::Double(aggregated_doubles(values, aggregation)),
    }
}

fn aggregated_ints(values: &[i64], aggregation: Aggregation) -> i64 {
    let sum = || {
        values
            .iter()
            .fold(0_i64, |sum, value| sum.saturating_add(*value))
    };
    let count = i64::try_from(values.len()).unwrap_or(i64::MAX).max(1);
    match aggregation {
        Aggregation::Sum => sum(),
        Aggregation::Avg => sum() / count,
        Aggregation::Min => values.iter().copied().min().unwrap_or_default(),
        Aggregation::Max => values.iter().copied().max().unwrap_or_default(),
    }
}

fn aggregated_doubles(values: &[Number], aggregation: Aggregation) -> f64 {
    let doubles = || values.iter().map(|value| value.as_double());
    match aggregation {
        Aggregation::Sum => doubles().sum(),
        Aggregation::Avg => doubles().sum::<f64>() / values.len().max(1) as f64,
        Aggregation::Min => doubles().fold(f64::INFINITY, f64::min),
        Aggregation::Max => doubles().fold(f64::NEG_INFINITY, f64::max),
    }
}

impl Number {
    fn as_double(self) -> f64 {
        match self {
            Self::Int(int) => int as f64,
            Self::Double(double) => double,
        }
    }
}

fn write(writer: &mut MetricsWriter, metric: &Metric, points: &Points<'_>, times: Times) {
    let start_unix_nano = match metric.kind {
        Kind::Counter | Kind::UpDownCounter => times.boot_unix_nano,
        Kind::Gauge => 0,
    };
    let mut attributes: Vec<(&str, AttributeValue<'_>)> = Vec::new();
    let fill = |out: &mut NumberPoints<'_>| {
        for (range, value) in &points.points {
            attributes.clear();
            let own = points.attributes_of(range);
            attributes.extend(own.iter().map(|(key, text)| (*key, (*text).into())));
            match *value {
                Number::Int(int) => out.int(times.at_unix_nano, start_unix_nano, int, &attributes),
                Number::Double(double) => {
                    out.double(times.at_unix_nano, start_unix_nano, double, &attributes);
                }
            }
        }
    };
    let (name, unit, description) = (metric.name, metric.unit, metric.description);
    match metric.kind {
        Kind::Gauge => writer.gauge(name, unit, description, fill),
        Kind::Counter | Kind::UpDownCounter => writer.sum(
            name,
            unit,
            description,
            Temporality::Cumulative,
            metric.kind == Kind::Counter,
            fill,
        ),
    }
}
