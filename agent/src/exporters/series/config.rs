//! Options that the Prometheus exporters share.

use serde::{Deserialize, Serialize};

use super::Strategy;
use crate::config::Problem;

/// `resource_to_telemetry_conversion`.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ResourceConversion {
    /// All resource attributes become labels of every series.
    pub(crate) enabled: bool,
}

/// `target_info`.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TargetInfo {
    /// Tell the attributes of each resource as the labels of a series `target_info`.
    pub(crate) enabled: bool,
}

impl Default for TargetInfo {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// The strategy that `translation_strategy` and `add_metric_suffixes` come to.
pub(crate) fn strategy(chosen: Option<Strategy>, has_suffixes: bool) -> Strategy {
    match chosen {
        Some(strategy) => strategy,
        None if has_suffixes => Strategy::default(),
        None => Strategy::default().without_suffixes(),
    }
}

/// Whether the keys under option `key` can be labels.
///
/// # Errors
/// The first that cannot.
pub(crate) fn check_labels<'a>(
    key: &str,
    names: impl Iterator<Item = &'a String>,
) -> Result<(), Problem> {
    for name in names {
        let is_inside = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let starts_well = !name.starts_with(|c: char| c.is_ascii_digit());
        let is_name = !name.is_empty() && starts_well && name.chars().all(is_inside);
        if !is_name || name.starts_with("__") {
            return Err(Problem::at(
                format!("{key}::{name}"),
                format!("`{name}` is not a label name"),
                "use letters, digits and underscores; two underscores in front are Prometheus'",
            ));
        }
    }
    Ok(())
}
