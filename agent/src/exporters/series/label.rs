//! Labels: from OTLP attributes to the sorted, unique, non-empty label set of a series.
//!
//! A finished set is kept in the form in which remote write 1.0 sends it (the repeated field
//! `labels` of `TimeSeries`), because that road copies it for every sample while the others look
//! into it once for each series or request.

use std::fmt::Write;
use std::ops::Range;

use otlp::wire::{self, Content, Fields};
use serde::{Deserialize, Serialize};

/// The label that names the family.
pub(crate) const NAME: &str = "__name__";

/// Labels that make a series what it is. An attribute of such a name must not change them; it is
/// kept as `exported_<name>`, which is what Prometheus does with such a clash when it scrapes.
const IDENTITY: [&str; 5] = ["__name__", "instance", "job", "le", "quantile"];

/// Where Prometheus' own OTLP receiver departs from the OpenTelemetry specification.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LabelStyle {
    /// Keep runs of underscores instead of one.
    pub(crate) preserve_multiple_underscores: bool,
    /// Put `key` before a name that begins with one underscore.
    pub(crate) underscore_sanitization: bool,
}

/// The label name for attribute `key`, appended to `out`; false where nothing nameable is left.
pub(crate) fn write_label_name(key: &str, style: LabelStyle, out: &mut String) -> bool {
    let start = out.len();
    let (outer, inner) = match reserved_name(key) {
        Some(inner) => ("__", inner),
        None => ("", key),
    };
    if outer.is_empty() && inner.starts_with(|c: char| c.is_ascii_digit()) {
        out.push_str("key_");
    }
    out.push_str(outer);
    let inner_start = out.len();
    for c in inner.chars() {
        let clean = if c.is_ascii_alphanumeric() { c } else { '_' };
        let is_run = clean == '_' && out[inner_start..].ends_with('_');
        if !is_run || style.preserve_multiple_underscores {
            out.push(clean);
        }
    }
    out.push_str(outer);
    let built = &out[start..];
    if style.underscore_sanitization && built.starts_with('_') && !built.starts_with("__") {
        out.insert_str(start, "key");
    }
    let is_name = out[start..].bytes().any(|b| b != b'_');
    if !is_name {
        out.truncate(start);
    }
    is_name
}

/// What stands between the double underscores of a `__reserved__` key.
fn reserved_name(key: &str) -> Option<&str> {
    key.strip_prefix("__")
        .and_then(|rest| rest.strip_suffix("__"))
        .filter(|inner| !inner.is_empty())
}

/// Collects the labels of one series; reusable.
#[derive(Debug, Default)]
pub(crate) struct LabelBuilder {
    text: String,
    labels: Vec<Label>,
}

/// Ranges into the builder's text.
#[derive(Clone, Debug)]
struct Label {
    name: Range<usize>,
    /// What the label was made from: clashing values are joined in the order of their keys.
    key: Range<usize>,
    value: Range<usize>,
}

impl LabelBuilder {
    /// Forgets all labels.
    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.labels.clear();
    }

    /// Adds a label whose name is a Prometheus name already.
    pub(crate) fn add(&mut self, name: &str, value: &str) {
        if value.is_empty() {
            return;
        }
        let name = self.append(name);
        let value = self.append(value);
        self.labels.push(Label {
            key: name.clone(),
            name,
            value,
        });
    }

    /// Adds a label unless there is one of that name, as external labels are added.
    pub(crate) fn add_if_absent(&mut self, name: &str, value: &str) {
        if !self.has(name) {
            self.add(name, value);
        }
    }

    /// Adds an attribute, its name translated (kept, where `style` is `None`), its value by
    /// `write_value`. False where the key cannot become a label name.
    pub(crate) fn add_attribute(
        &mut self,
        prefix: &str,
        key: &str,
        style: Option<LabelStyle>,
        write_value: impl FnOnce(&mut String),
    ) -> bool {
        let rewind = self.text.len();
        let key_range = self.append(prefix);
        self.text.push_str(key);
        let key_range = key_range.start..self.text.len();
        let name_start = self.text.len();
        match style {
            Some(style) => {
                let whole_key = self.text[key_range.clone()].to_owned();
                write_label_name(&whole_key, style, &mut self.text);
            }
            None => self.text.extend_from_within(key_range.clone()),
        }
        if IDENTITY.contains(&&self.text[name_start..]) {
            self.text.insert_str(name_start, "exported_");
        }
        let name = name_start..self.text.len();
        let value_start = self.text.len();
        write_value(&mut self.text);
        let value = value_start..self.text.len();
        let is_named = !name.is_empty();
        if !is_named || value.is_empty() {
            self.text.truncate(rewind);
            return is_named;
        }
        self.labels.push(Label {
            name,
            key: key_range,
            value,
        });
        true
    }

    /// Whether a label of that name has been added.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.labels
            .iter()
            .any(|label| self.text.get(label.name.clone()) == Some(name))
    }

    /// How many labels there are; a mark for [`truncate`](Self::truncate).
    pub(crate) fn len(&self) -> usize {
        self.labels.len()
    }

    /// Takes back what was added after the mark.
    pub(crate) fn truncate(&mut self, mark: usize) {
        self.labels.truncate(mark);
    }

    /// Sorts, joins what clashes, and appends the encoded set to `out`. The labels stay in the
    /// builder in the order of adding, so that more can be added for the next series of a point.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let mut sorted: Vec<&Label> = self.labels.iter().collect();
        let text = |range: &Range<usize>| self.text.get(range.clone()).unwrap_or_default();
        sorted.sort_by_key(|label| (text(&label.name), text(&label.key)));
        let mut joined = String::new();
        for group in sorted.chunk_by(|left, right| text(&left.name) == text(&right.name)) {
            let Some((first, rest)) = group.split_first() else {
                continue;
            };
            joined.clear();
            joined.push_str(text(&first.value));
            for label in rest {
                joined.push(';');
                joined.push_str(text(&label.value));
            }
            encode_label(text(&first.name), &joined, out);
        }
    }

    fn append(&mut self, text: &str) -> Range<usize> {
        let start = self.text.len();
        self.text.push_str(text);
        start..self.text.len()
    }
}

/// Field `labels` of `TimeSeries`, and fields `name` and `value` of `Label`.
const LABELS: u32 = 1;
const LABEL_NAME: u32 = 1;
const LABEL_VALUE: u32 = 2;

pub(crate) fn encode_label(name: &str, value: &str, out: &mut Vec<u8>) {
    let size = wire::len_field_size(LABEL_NAME, name.len())
        + wire::len_field_size(LABEL_VALUE, value.len());
    let label = wire::open(out, LABELS, size);
    wire::put_len_field(out, LABEL_NAME, name.as_bytes());
    wire::put_len_field(out, LABEL_VALUE, value.as_bytes());
    wire::close(out, label);
}

/// A finished label set: sorted by name, names unique, values not empty.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Labels<'a>(&'a [u8]);

impl<'a> Labels<'a> {
    /// Reads what [`LabelBuilder::encode`] wrote.
    pub(crate) fn encoded(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The repeated field `labels` of a remote write 1.0 `TimeSeries`.
    pub(crate) fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The value of label `name`.
    pub(crate) fn get(self, name: &str) -> Option<&'a str> {
        self.into_iter()
            .find_map(|(candidate, value)| (candidate == name).then_some(value))
    }
}

impl<'a> IntoIterator for Labels<'a> {
    type Item = (&'a str, &'a str);
    type IntoIter = LabelIter<'a>;

    fn into_iter(self) -> LabelIter<'a> {
        LabelIter(Fields::new(self.0))
    }
}

/// Iterates name and value of each label.
#[derive(Clone, Debug)]
pub(crate) struct LabelIter<'a>(Fields<'a>);

impl<'a> Iterator for LabelIter<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let Content::Len(label) = self.0.next()?.content else {
            return None;
        };
        let mut texts = Fields::new(label).map_while(|field| match field.content {
            Content::Len(text) => str::from_utf8(text).ok(),
            _ => None,
        });
        Some((texts.next()?, texts.next()?))
    }
}

/// Appends a float as Prometheus 3 writes the values of `le` and `quantile` on scrape, so that
/// series pushed and scraped are the same: `1.0`, `0.25`, `1e+06`, `+Inf`.
pub(crate) fn write_label_float(value: f64, out: &mut String) {
    if value.is_nan() {
        out.push_str("NaN");
    } else if value.is_infinite() {
        out.push_str(if value > 0.0 { "+Inf" } else { "-Inf" });
    } else {
        write_finite(value, out);
    }
}

/// The shortest digits that read back as `value`: plain from 1e-4 up to 1e6, else with an
/// exponent of at least two digits.
fn write_finite(value: f64, out: &mut String) {
    let start = out.len();
    // Writing into a String cannot fail.
    let _ = write!(out, "{value:e}");
    let scientific = &out[start..];
    let (digits, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let digits_end = start + digits.len();
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..6).contains(&exponent) {
        out.truncate(start);
        let _ = write!(out, "{value:?}");
    } else {
        out.truncate(digits_end);
        let sign = if exponent < 0 { '-' } else { '+' };
        let _ = write!(out, "e{sign}{:02}", exponent.unsigned_abs());
    }
}

#[cfg(test)]
mod tests;
