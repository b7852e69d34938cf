//! A plan as JSON: the few fields that prices and policies read.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Plan {
    #[serde(default)]
    variables: Map<String, Value>,
    #[serde(default)]
    resource_changes: Vec<Change>,
}

#[derive(Debug, Clone, Deserialize)]
struct Change {
    address: String,
    mode: String,
    #[serde(rename = "type")]
    kind: String,
    change: Values,
}

#[derive(Debug, Clone, Deserialize)]
struct Values {
    after: Value,
}

/// A resource as it will be after the apply.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Resource<'a> {
    pub(crate) address: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) values: &'a Value,
}

impl Plan {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is no plan", path.display()))
    }

    pub(crate) fn variable(&self, name: &str) -> Option<&Value> {
        self.variables.get(name)?.get("value")
    }

    pub(crate) fn resources(&self) -> impl Iterator<Item = Resource<'_>> {
        self.resource_changes
            .iter()
            .filter(|change| change.mode == "managed" && !change.change.after.is_null())
            .map(|change| Resource {
                address: &change.address,
                kind: &change.kind,
                values: &change.change.after,
            })
    }
}

impl Resource<'_> {
    /// A value by JSON pointer, for example `/scaling_config/0/desired_size`.
    pub(crate) fn at(&self, pointer: &str) -> Option<&Value> {
        self.values
            .pointer(pointer)
            .filter(|value| !value.is_null())
    }

    pub(crate) fn number(&self, pointer: &str) -> Result<f64> {
        self.at(pointer)
            .and_then(Value::as_f64)
            .with_context(|| format!("{} has no number at {pointer}", self.address))
    }

    pub(crate) fn text(&self, pointer: &str) -> Result<&str> {
        self.at(pointer)
            .and_then(Value::as_str)
            .with_context(|| format!("{} has no text at {pointer}", self.address))
    }

    pub(crate) fn len(&self, pointer: &str) -> usize {
        self.at(pointer)
            .and_then(Value::as_array)
            .map_or(0, Vec::len)
    }
}
