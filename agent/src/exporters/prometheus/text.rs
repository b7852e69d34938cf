//! The exposition formats: Prometheus text and OpenMetrics.
//!
//! Source: Prometheus documentation, "Exposition formats"; OpenMetrics 1.0.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::Write;

use otlp::metrics::Exemplar;

use super::super::series::exemplar::exemplar_labels;
use super::super::series::label::{NAME, write_label_float};
use super::super::series::{Family, Kind, Labels, blocks, number};
use super::negotiate::{Dialect, Format};
use super::store::{Members, Stored};

/// A page in the making.
#[derive(Debug)]
pub(super) struct Page {
    out: String,
    dialect: Dialect,
    allows_utf8: bool,
    has_timestamps: bool,
}

/// An exemplar as OpenMetrics writes it behind a sample.
#[derive(Debug)]
pub(super) struct ExemplarText(String);

impl ExemplarText {
    pub(super) fn new(exemplar: &Exemplar<'_>) -> Self {
        let mut out = String::from(" # {");
        let mut comma = "";
        exemplar_labels(exemplar, |name, value| {
            out.push_str(comma);
            comma = ",";
            out.push_str(name);
            out.push_str("=\"");
            escape_value(value, &mut out);
            out.push('"');
        });
        out.push_str("} ");
        write_label_float(number(exemplar.value).unwrap_or_default(), &mut out);
        out.push(' ');
        write_seconds(exemplar.time_unix_nano / 1_000_000, &mut out);
        Self(out)
    }
}

impl Page {
    pub(super) fn new(format: &Format, has_timestamps: bool) -> Self {
        Self {
            out: String::new(),
            dialect: format.dialect,
            allows_utf8: format.allows_utf8,
            has_timestamps,
        }
    }

    /// Appends a family with its comments.
    pub(super) fn family(&mut self, members: &Members) {
        if members.series.is_empty() {
            return;
        }
        let family = &members.family;
        let (name, kind) = match self.dialect {
            Dialect::OpenMetrics => open_metrics_type(family),
            Dialect::Text004 | Dialect::Text100 => (family.name.as_str(), text_type(family.kind)),
        };
        let name = self.name(name);
        self.comment("TYPE", &name, kind);
        let is_open_metrics = self.dialect == Dialect::OpenMetrics;
        if is_open_metrics && !family.unit.is_empty() && ends_in_unit(&name, &family.unit) {
            self.comment("UNIT", &name, &family.unit);
        }
        if !members.help.is_empty() {
            self.comment("HELP", &name, &escaped_help(&members.help, is_open_metrics));
        }
        let takes_exemplars = is_open_metrics && matches!(kind, "counter" | "histogram");
        let is_strict = is_open_metrics && kind == "histogram";
        for stored in members.series.values() {
            let samples = if is_strict && !has_totals(stored) {
                bucket_count(stored)
            } else {
                stored.values.len()
            };
            self.series(stored, samples, takes_exemplars);
        }
    }

    pub(super) fn finish(mut self) -> String {
        if self.dialect == Dialect::OpenMetrics {
            self.out.push_str("# EOF\n");
        }
        self.out
    }

    fn comment(&mut self, keyword: &str, name: &str, text: &str) {
        self.out.push_str("# ");
        self.out.push_str(keyword);
        self.out.push(' ');
        if is_classic(name) {
            self.out.push_str(name);
        } else {
            self.out.push('"');
            escape_value(name, &mut self.out);
            self.out.push('"');
        }
        self.out.push(' ');
        self.out.push_str(text);
        self.out.push('\n');
    }

    /// Appends the first `samples` samples of a series.
    fn series(&mut self, stored: &Stored, samples: usize, takes_exemplars: bool) {
        let samples = blocks(&stored.blocks).zip(&stored.values).take(samples);
        for (position, (labels, value)) in samples.enumerate() {
            self.labels(labels);
            self.out.push(' ');
            write_label_float(*value, &mut self.out);
            if self.has_timestamps {
                self.out.push(' ');
                self.timestamp(stored.timestamp_ms);
            }
            let mut exemplars = stored.exemplars.iter();
            if takes_exemplars && let Some((_, text)) = exemplars.find(|(at, _)| *at == position) {
                self.out.push_str(&text.0);
            }
            self.out.push('\n');
        }
    }

    /// `name{a="b"}`, or `{"na.me","a.b"="c"}` where the name has to be quoted.
    fn labels(&mut self, labels: Labels<'_>) {
        let name = self.name(labels.get(NAME).unwrap_or_default());
        let is_inside = is_classic(&name);
        let mut separator = if is_inside {
            self.out.push_str(&name);
            '{'
        } else {
            self.out.push_str("{\"");
            escape_value(&name, &mut self.out);
            self.out.push('"');
            ','
        };
        let others = || labels.into_iter().filter(|(label, _)| *label != NAME);
        if self.allows_utf8 || others().all(|(label, _)| is_classic_label(label)) {
            for (label, value) in others() {
                self.label(&mut separator, label, value);
            }
        } else {
            for (label, value) in underscored(others()) {
                self.label(&mut separator, &label, &value);
            }
        }
        if separator == ',' {
            self.out.push('}');
        }
    }

    fn label(&mut self, separator: &mut char, label: &str, value: &str) {
        self.out.push(*separator);
        *separator = ',';
        if is_classic_label(label) {
            self.out.push_str(label);
        } else {
            self.out.push('"');
            escape_value(label, &mut self.out);
            self.out.push('"');
        }
        self.out.push_str("=\"");
        escape_value(value, &mut self.out);
        self.out.push('"');
    }

    /// The name, with underscores for what this page cannot hold.
    fn name<'a>(&self, name: &'a str) -> Cow<'a, str> {
        if self.allows_utf8 || is_classic(name) {
            return Cow::Borrowed(name);
        }
        let is_inside = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        Cow::Owned(with_underscores(name, is_inside))
    }

    fn timestamp(&mut self, timestamp_ms: i64) {
        match self.dialect {
            Dialect::OpenMetrics => {
                write_seconds(timestamp_ms.unsigned_abs(), &mut self.out);
            }
            Dialect::Text004 | Dialect::Text100 => {
                // Writing into a String cannot fail.
                let _ = write!(self.out, "{timestamp_ms}");
            }
        }
    }
}

fn write_seconds(unix_ms: u64, out: &mut String) {
    // Writing into a String cannot fail.
    let _ = write!(out, "{}.{:03}", unix_ms / 1_000, unix_ms % 1_000);
}

fn text_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Counter => "counter",
        Kind::Gauge | Kind::Info | Kind::StateSet => "gauge",
        Kind::Histogram | Kind::NativeHistogram => "histogram",
        Kind::Summary => "summary",
        Kind::Unknown => "untyped",
    }
}

/// OpenMetrics names families without the suffix that its types imply; where a name lacks the
/// suffix, a weaker type has to do.
fn open_metrics_type(family: &Family) -> (&str, &'static str) {
    let name = family.name.as_str();
    match family.kind {
        Kind::Counter => name
            .strip_suffix("_total")
            .map_or((name, "unknown"), |base| (base, "counter")),
        Kind::Info => name
            .strip_suffix("_info")
            .map_or((name, "gauge"), |base| (base, "info")),
        Kind::StateSet => (name, "stateset"),
        Kind::Unknown => (name, "unknown"),
        Kind::Gauge => (name, "gauge"),
        Kind::Histogram | Kind::NativeHistogram => (name, "histogram"),
        Kind::Summary => (name, "summary"),
    }
}

/// Whether OpenMetrics allows a histogram its sum and count: it must have both, or neither, and
/// neither where it counts negative values.
fn has_totals(stored: &Stored) -> bool {
    let first = blocks(&stored.blocks).next();
    let bound = first.and_then(|labels| labels.get("le"));
    let is_negative = bound.is_some_and(|bound| bound.starts_with('-'));
    !is_negative && stored.values.len() == bucket_count(stored) + 2
}

fn bucket_count(stored: &Stored) -> usize {
    blocks(&stored.blocks)
        .take_while(|labels| labels.get("le").is_some())
        .count()
}

/// Labels with underscores for what is not classic. A page that names a label twice is refused as a
/// whole, so values of labels whose names become equal are joined, as the specification joins
/// those of attributes.
fn underscored<'a>(
    labels: impl Iterator<Item = (&'a str, &'a str)>,
) -> BTreeMap<String, Cow<'a, str>> {
    let is_inside = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut joined: BTreeMap<String, Cow<'a, str>> = BTreeMap::new();
    for (label, value) in labels {
        match joined.entry(with_underscores(label, is_inside)) {
            Entry::Vacant(place) => {
                place.insert(Cow::Borrowed(value));
            }
            Entry::Occupied(mut place) => {
                let values = place.get_mut().to_mut();
                values.push(';');
                values.push_str(value);
            }
        }
    }
    joined
}

fn with_underscores(name: &str, is_inside: impl Fn(char) -> bool) -> String {
    let escaped = name.chars().map(|c| if is_inside(c) { c } else { '_' });
    let mut escaped: String = escaped.collect();
    if escaped.starts_with(|c: char| c.is_ascii_digit()) {
        escaped.insert(0, '_');
    }
    escaped
}

fn ends_in_unit(name: &str, unit: &str) -> bool {
    name.strip_suffix(unit)
        .is_some_and(|base| base.ends_with('_'))
}

fn is_classic(name: &str) -> bool {
    let is_inside = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b':';
    !name.starts_with(|c: char| c.is_ascii_digit()) && name.bytes().all(is_inside)
}

fn is_classic_label(name: &str) -> bool {
    is_classic(name) && !name.contains(':')
}

fn escape_value(value: &str, out: &mut String) {
    for c in value.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
}

fn escaped_help(help: &str, escapes_quotes: bool) -> String {
    let escaped = help.replace('\\', "\\\\").replace('\n', "\\n");
    if escapes_quotes {
        escaped.replace('"', "\\\"")
    } else {
        escaped
    }
}
