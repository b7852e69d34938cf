//! Edits the attributes of resources.

use otlp::edit::{AttributeEdit, edit_resources};
use pipeline::{Batch, Processed, Processor};
use serde::{Deserialize, Serialize};

use super::edits::{self, EditConfig};
use crate::config::{Check, Problem};

/// Options of the `resource` processor.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// The edits, applied to each resource one after the other.
    pub(crate) attributes: Vec<EditConfig>,
}

impl Check for Config {
    fn check(&self) -> Result<(), Problem> {
        Resource::new(self).map(|_| ())
    }
}

/// Edits resources; records are not decoded.
#[derive(Clone, Debug)]
pub(crate) struct Resource {
    edits: Vec<AttributeEdit>,
}

impl Resource {
    /// Compiles the options.
    ///
    /// # Errors
    /// The first edit that cannot work.
    pub(crate) fn new(config: &Config) -> Result<Self, Problem> {
        Ok(Self {
            edits: edits::compile("attributes", &config.attributes)?,
        })
    }
}

impl Processor for Resource {
    fn process(&self, batch: Batch) -> Processed {
        edits::apply(batch, &self.edits, edit_resources)
    }
}

#[cfg(test)]
mod tests {
    use pipeline::Payload;

    use super::super::edits::tests::{after, batch};
    use super::*;

    fn resource(attributes: serde_json::Value) -> Resource {
        let body = serde_json::json!({"attributes": attributes});
        Resource::new(&serde_json::from_value(body).unwrap()).unwrap()
    }

    #[test]
    fn edits_are_applied_to_resources_in_their_order() {
        let resource = resource(serde_json::json!([
            {"key": "host.name", "value": "ignored", "action": "insert"},
            {"key": "site", "value": "lab", "action": "insert"},
            {"key": "absent", "value": 1, "action": "update"},
            {"key": "rack", "value": 7, "action": "upsert"},
            {"key": "owner", "from_attribute": "team", "action": "upsert"},
            {"key": "team", "action": "delete"},
        ]));
        let [resource, record] = after(&resource, batch());
        assert_eq!(
            resource,
            ["host.name=a", "owner=db", "rack=Int(7)", "site=lab"]
        );
        assert_eq!(record, ["level=info"]);
    }

    #[test]
    fn a_compressed_batch_is_inflated_first() {
        let resource = resource(serde_json::json!([{"key": "team", "action": "delete"}]));
        let plain = batch();
        let frames = zstd::bulk::compress(plain.payload.as_bytes(), 1).unwrap();
        let plain_size_bytes = u32::try_from(plain.payload.len()).unwrap();
        let payload = Payload::Zstd {
            frames: frames.into(),
            plain_size_bytes,
        };
        let compressed = plain.with_payload(payload, 1);
        assert_eq!(after(&resource, compressed)[0], ["host.name=a"]);
    }

    #[test]
    fn without_edits_the_config_is_refused() {
        let problem = Config::default().check().unwrap_err();
        assert_eq!(problem.key_path, "attributes");
    }
}
