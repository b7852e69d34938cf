//! Edits the attributes of log records, spans and data points.

use otlp::edit::{AttributeEdit, edit_attributes};
use pipeline::{Batch, Processed, Processor};
use serde::{Deserialize, Serialize};

use super::edits::{self, EditConfig};
use crate::config::{Check, Problem};

/// Options of the `attributes` processor.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// The edits, applied to each item one after the other.
    pub(crate) actions: Vec<EditConfig>,
    /// Not supported: refused when present.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) include: Option<Match>,
    /// Not supported: refused when present.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) exclude: Option<Match>,
}

/// Which items are edited; known and refused, whatever it says.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Match {}

impl Check for Config {
    fn check(&self) -> Result<(), Problem> {
        for (key, block) in [("include", &self.include), ("exclude", &self.exclude)] {
            if block.is_some() {
                return Err(Problem::at(
                    key,
                    format!("{key} is not supported by this version"),
                    "remove it to edit all items, or put the processor into a pipeline of its own",
                ));
            }
        }
        Attributes::new(self).map(|_| ())
    }
}

/// Edits the attributes of items; nothing else of them is decoded.
#[derive(Clone, Debug)]
pub(crate) struct Attributes {
    edits: Vec<AttributeEdit>,
}

impl Attributes {
    /// Compiles the options.
    ///
    /// # Errors
    /// The first edit that cannot work.
    pub(crate) fn new(config: &Config) -> Result<Self, Problem> {
        Ok(Self {
            edits: edits::compile("actions", &config.actions)?,
        })
    }
}

impl Processor for Attributes {
    fn process(&self, batch: Batch) -> Processed {
        edits::apply(batch, &self.edits, edit_attributes)
    }
}

#[cfg(test)]
mod tests {
    use super::super::edits::tests::{after, batch};
    use super::*;

    fn config(body: serde_json::Value) -> Config {
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn edits_are_applied_to_items_and_not_to_resources() {
        let attributes = Attributes::new(&config(serde_json::json!({"actions": [
            {"key": "level", "value": "warn", "action": "update"},
            {"key": "ratio", "value": 0.5, "action": "insert"},
            {"key": "is_test", "value": true, "action": "upsert"},
            {"key": "team", "action": "delete"},
        ]})));
        let [resource, record] = after(&attributes.unwrap(), batch());
        assert_eq!(resource, ["host.name=a", "team=db"]);
        assert_eq!(
            record,
            ["is_test=Bool(true)", "level=warn", "ratio=Double(0.5)"]
        );
    }

    #[test]
    fn include_and_exclude_are_refused_rather_than_ignored() {
        let edit = serde_json::json!([{"key": "a", "action": "delete"}]);
        for key in ["include", "exclude"] {
            let body = serde_json::json!({"actions": edit, key: {"match_type": "strict"}});
            let problem = config(body).check().unwrap_err();
            assert_eq!(problem.key_path, key);
        }
        assert_eq!(config(serde_json::json!({"actions": edit})).check(), Ok(()));
    }
}
