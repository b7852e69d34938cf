//! Labels of exemplars.

use std::fmt::Write;

use otlp::metrics::Exemplar;

use super::label::{LabelStyle, write_label_name};

/// What OpenMetrics 1.0 and Prometheus' storage allow for names and values together, in
/// characters.
const CHARACTERS_MAX: usize = 128;

/// Hands the labels of `exemplar` to `put`: the trace first, which wins over attributes of the
/// same name, then attributes for as long as they fit.
pub(crate) fn exemplar_labels(exemplar: &Exemplar<'_>, mut put: impl FnMut(&str, &str)) {
    let mut left = CHARACTERS_MAX;
    let (mut name, mut value) = (String::new(), String::new());
    for (label, id) in [
        ("trace_id", exemplar.trace_id),
        ("span_id", exemplar.span_id),
    ] {
        if !id.is_empty() && label.len() + 2 * id.len() <= left {
            value.clear();
            write_hex(id, &mut value);
            left -= label.len() + value.len();
            put(label, &value);
        }
    }
    for attribute in exemplar.filtered_attributes() {
        name.clear();
        value.clear();
        write_label_name(attribute.key, LabelStyle::default(), &mut name);
        // Writing into a String cannot fail.
        let _ = write!(value, "{}", attribute.value);
        let size = name.chars().count() + value.chars().count();
        let is_trace = matches!(name.as_str(), "trace_id" | "span_id");
        if !is_trace && !name.is_empty() && !value.is_empty() && size <= left {
            left -= size;
            put(&name, &value);
        }
    }
}

/// Appends bytes as lower-case hexadecimal digits.
pub(crate) fn write_hex(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        // Writing into a String cannot fail.
        let _ = write!(out, "{byte:02x}");
    }
}
