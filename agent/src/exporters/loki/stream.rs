//! Which attributes are labels of a stream, and how the others travel.
//!
//! Labels decide how many streams there are, and streams are what Loki is sized by. So few
//! attributes of the resource are labels, all of them with few values; everything else is
//! structured metadata of the line.

use std::fmt::{Display, Write};

use otlp::common::{Attributes, Resource, Value};
use otlp::wire;
use serde::{Deserialize, Serialize};

use super::super::series::identity::{Key, Weigh};
use super::super::series::label::{LabelStyle, write_label_name};

/// Resource attributes that are labels unless the config says otherwise.
pub(super) const LABEL_ATTRIBUTES: [&str; 8] = [
    "service.name",
    "service.namespace",
    "k8s.namespace.name",
    "k8s.container.name",
    "host.name",
    "deployment.environment.name",
    "cluster",
    "log.source",
];

/// Resource attributes that Loki makes labels of what comes by OTLP, unless its config says
/// otherwise (Loki 3, `default_resource_attributes_as_index_labels`).
const INDEX_ATTRIBUTES: [&str; 18] = [
    "cloud.availability_zone",
    "cloud.region",
    "container.name",
    "deployment.environment",
    "deployment.environment.name",
    "k8s.cluster.name",
    "k8s.container.name",
    "k8s.cronjob.name",
    "k8s.daemonset.name",
    "k8s.deployment.name",
    "k8s.job.name",
    "k8s.namespace.name",
    "k8s.pod.name",
    "k8s.replicaset.name",
    "k8s.statefulset.name",
    "service.instance.id",
    "service.name",
    "service.namespace",
];

/// Longest value of a label that Loki takes, in bytes; longer ones are cut.
const LABEL_VALUE_BYTES_MAX: usize = 2_048;

/// Names as Loki makes them of attributes.
const STYLE: LabelStyle = LabelStyle {
    preserve_multiple_underscores: true,
    underscore_sanitization: true,
};

/// Field `structuredMetadata` of an entry of the push API, and the fields in it.
const STRUCTURED_METADATA: u32 = 3;
const METADATA_NAME: u32 = 1;
const METADATA_VALUE: u32 = 2;

/// Field `attributes` of a resource and of a log record.
const RESOURCE_ATTRIBUTES: u32 = 1;
const RECORD_ATTRIBUTES: u32 = 6;

/// Who decides about labels.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LabelPolicy {
    /// The list of this exporter. By OTLP, where Loki has a list of its own, what is on Loki's list
    /// alone moves from the resource to the lines.
    #[default]
    Strict,
    /// Loki's list for OTLP, by either road.
    Server,
}

/// Which resource attributes are labels.
#[derive(Clone, Debug)]
pub(super) struct Labeling {
    pub(super) policy: LabelPolicy,
    pub(super) attributes: Vec<String>,
}

impl Labeling {
    fn is_label(&self, key: &str) -> bool {
        match self.policy {
            LabelPolicy::Strict => self.attributes.iter().any(|attribute| attribute == key),
            LabelPolicy::Server => INDEX_ATTRIBUTES.contains(&key),
        }
    }

    /// Whether Loki would make a label of it that it must not be.
    fn must_move(&self, key: &str) -> bool {
        !self.is_label(key) && INDEX_ATTRIBUTES.contains(&key)
    }
}

/// What a resource comes to, by both roads.
#[derive(Debug)]
pub(super) struct Source {
    /// Identity of the stream.
    pub(super) stream: Key,
    /// Push: the labels, as `{a="b", c="d"}`.
    pub(super) labels: String,
    /// Push: the other attributes.
    pub(super) metadata: Metadata,
    /// OTLP: the resource as it is sent.
    pub(super) resource: Vec<u8>,
    /// OTLP: attributes for each record, as encoded fields.
    pub(super) moved: Vec<u8>,
}

impl Weigh for Source {
    fn heap_bytes(&self) -> usize {
        let texts = self.labels.len() + self.metadata.encoded.len();
        texts + self.resource.len() + self.moved.len()
    }
}

impl Source {
    pub(super) fn new(resource: Resource<'_>, labeling: &Labeling) -> Self {
        let mut metadata = Metadata::default();
        let (mut kept, mut moved) = (Vec::new(), Vec::new());
        let mut labels: Vec<(String, String)> = Vec::new();
        let attributes = resource.attributes();
        for (attribute, encoded) in attributes.iter().zip(attributes.encoded()) {
            let mut name = String::new();
            if !write_label_name(attribute.key, STYLE, &mut name) {
                continue;
            }
            if labeling.must_move(attribute.key) {
                wire::put_len_field(&mut moved, RECORD_ATTRIBUTES, encoded);
            } else {
                wire::put_len_field(&mut kept, RESOURCE_ATTRIBUTES, encoded);
            }
            let value = attribute.value.to_string();
            if !labeling.is_label(attribute.key) {
                metadata.add_value("", attribute.key, attribute.value);
            } else if !value.is_empty() && labels.iter().all(|(known, _)| *known != name) {
                labels.push((name, value));
            }
        }
        let labels = label_text(labels);
        Self {
            stream: Key::of(labels.as_bytes()),
            labels,
            metadata,
            resource: kept,
            moved,
        }
    }
}

/// Labels as Loki reads them. A stream without labels is refused, and gets the name that Loki
/// itself gives to what has none.
fn label_text(mut labels: Vec<(String, String)>) -> String {
    if labels.is_empty() {
        labels.push(("service_name".to_owned(), "unknown_service".to_owned()));
    }
    labels.sort();
    let mut text = String::from("{");
    for (position, (name, value)) in labels.iter().enumerate() {
        text.push_str(if position == 0 { "" } else { ", " });
        text.push_str(name);
        text.push_str("=\"");
        let end = value.floor_char_boundary(LABEL_VALUE_BYTES_MAX);
        escape(value.get(..end).unwrap_or_default(), &mut text);
        text.push('"');
    }
    text.push('}');
    text
}

/// Escapes as in a Go string.
fn escape(value: &str, out: &mut String) {
    for c in value.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_ascii_control() => {
                // Writing into a String cannot fail.
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
}

/// Whether an attribute can have a name in Loki. One that cannot makes Loki refuse a whole OTLP
/// request.
pub(super) fn is_nameable(key: &str) -> bool {
    key.bytes().any(|byte| byte.is_ascii_alphanumeric())
}

/// Structured metadata, encoded for the push API; reusable.
#[derive(Clone, Debug, Default)]
pub(super) struct Metadata {
    /// The entries, as encoded fields.
    pub(super) encoded: Vec<u8>,
    /// How many.
    pub(super) entries: usize,
    /// Bytes of names and values, which is what Loki's limit counts.
    pub(super) bytes: usize,
    name: String,
    value: String,
}

impl Metadata {
    pub(super) fn clear(&mut self) {
        self.encoded.clear();
        self.entries = 0;
        self.bytes = 0;
    }

    /// Adds an entry whose name is Loki's.
    pub(super) fn add(&mut self, name: &str, value: impl Display) {
        self.value.clear();
        // Writing into a String cannot fail.
        let _ = write!(self.value, "{value}");
        if self.value.is_empty() {
            return;
        }
        let size = wire::len_field_size(METADATA_NAME, name.len())
            + wire::len_field_size(METADATA_VALUE, self.value.len());
        let entry = wire::open(&mut self.encoded, STRUCTURED_METADATA, size);
        wire::put_len_field(&mut self.encoded, METADATA_NAME, name.as_bytes());
        wire::put_len_field(&mut self.encoded, METADATA_VALUE, self.value.as_bytes());
        wire::close(&mut self.encoded, entry);
        self.entries += 1;
        self.bytes += name.len() + self.value.len();
    }

    /// Adds all attributes; those in maps as `parent_child`.
    pub(super) fn add_attributes(&mut self, prefix: &str, attributes: Attributes<'_>) {
        for attribute in attributes {
            self.add_value(prefix, attribute.key, attribute.value);
        }
    }

    fn add_value(&mut self, prefix: &str, key: &str, value: Value<'_>) {
        if let Value::Map(entries) = value {
            self.add_attributes(&format!("{prefix}{key}_"), entries);
            return;
        }
        let mut name = std::mem::take(&mut self.name);
        name.clear();
        let is_name = if prefix.is_empty() {
            write_label_name(key, STYLE, &mut name)
        } else {
            write_label_name(&format!("{prefix}{key}"), STYLE, &mut name)
        };
        if is_name {
            self.add(&name, value);
        }
        self.name = name;
    }
}
