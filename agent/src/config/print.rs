//! The effective configuration: what was written, with every default, as text that can be read
//! again.
//!
//! What came from a reference is printed as the reference, so that the output shows where a value
//! comes from and gives no secret away.

mod yaml;

pub(crate) use yaml::write as to_yaml;

use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::id::{ComponentId, Kind};
use super::model::File;
use super::tree::{Node, Value, Written};
use super::values::REDACTED;
use super::{Catalog, Component, Family, Loaded, Pipeline};

/// Whether secrets and values from outside the files are shown.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Secrets are left out, references stay references.
    Redacted,
    /// Everything as the program uses it.
    Unredacted,
}

impl<C: Catalog> Loaded<C> {
    /// The effective configuration as YAML.
    pub(crate) fn to_yaml(&self, mode: Mode) -> String {
        yaml::write(&self.effective(mode))
    }

    /// The effective configuration as JSON, indented.
    pub(crate) fn to_json(&self, mode: Mode) -> String {
        format!("{:#}\n", self.effective(mode))
    }

    fn effective(&self, mode: Mode) -> Json {
        let settings = &self.settings;
        let printer = Printer {
            file: &self.model,
            mode,
        };
        let mut root = Map::new();
        let sections = [
            (
                Kind::Receiver,
                printer.section(Kind::Receiver, &settings.receivers),
            ),
            (
                Kind::Processor,
                printer.section(Kind::Processor, &settings.processors),
            ),
            (
                Kind::Exporter,
                printer.section(Kind::Exporter, &settings.exporters),
            ),
            (
                Kind::Extension,
                printer.section(Kind::Extension, &settings.extensions),
            ),
        ];
        for (kind, section) in sections {
            if !section.is_empty() {
                root.insert(kind.section().to_owned(), Json::Object(section));
            }
        }
        let enabled = settings
            .extensions
            .iter()
            .filter(|extension| extension.is_used);
        let mut service = Map::new();
        service.insert(
            "extensions".to_owned(),
            ids(enabled.map(|extension| &extension.id)),
        );
        service.insert(
            "telemetry".to_owned(),
            printer.telemetry(&settings.telemetry),
        );
        let pipelines = settings
            .pipelines
            .iter()
            .map(|pipeline| (pipeline.to_string(), drawn(pipeline)));
        service.insert(
            "pipelines".to_owned(),
            pipelines.collect::<Map<_, _>>().into(),
        );
        root.insert("service".to_owned(), Json::Object(service));
        Json::Object(root)
    }
}

fn drawn(pipeline: &Pipeline) -> Json {
    let mut lists = Map::new();
    lists.insert("receivers".to_owned(), ids(&pipeline.receivers));
    if !pipeline.processors.is_empty() {
        lists.insert("processors".to_owned(), ids(&pipeline.processors));
    }
    lists.insert("exporters".to_owned(), ids(&pipeline.exporters));
    Json::Object(lists)
}

fn ids<'a>(ids: impl IntoIterator<Item = &'a ComponentId>) -> Json {
    ids.into_iter().map(ToString::to_string).collect()
}

struct Printer<'a> {
    file: &'a File,
    mode: Mode,
}

impl Printer<'_> {
    fn section<F: Family>(&self, kind: Kind, components: &[Component<F>]) -> Map<String, Json> {
        components
            .iter()
            .map(|component| {
                let printed = component.config.options().print();
                let body = self
                    .file
                    .find(kind, &component.id)
                    .map(|declared| &declared.body);
                (component.id.to_string(), self.overlay(printed, body))
            })
            .collect()
    }

    fn telemetry(&self, telemetry: &impl Serialize) -> Json {
        let printed = serde_json::to_value(telemetry).unwrap_or_default();
        let body = self.file.telemetry_entry.as_ref().map(|entry| &entry.value);
        self.overlay(printed, body)
    }

    /// `printed` with what only the text of the file knows: references, and the text of secrets.
    fn overlay(&self, printed: Json, body: Option<&Node>) -> Json {
        if let Some(reference) = body.and_then(|node| self.reference(node, &printed)) {
            return Json::String(reference.to_owned());
        }
        match printed {
            Json::Object(entries) => {
                let overlaid = entries.into_iter().filter_map(|(key, value)| {
                    let written = body.and_then(|node| node.get(&key));
                    // A null that nobody wrote is an option that is not set.
                    if value.is_null() && written.is_none() {
                        return None;
                    }
                    let value = self.overlay(value, written.map(|entry| &entry.value));
                    Some((key, value))
                });
                Json::Object(overlaid.collect())
            }
            Json::Array(items) => {
                let written = match body.map(|node| &node.value) {
                    Some(Value::List(written)) if written.len() == items.len() => {
                        written.as_slice()
                    }
                    _ => &[],
                };
                let overlaid = items.into_iter().enumerate();
                overlaid
                    .map(|(at, item)| self.overlay(item, written.get(at)))
                    .collect()
            }
            Json::String(text) if text == REDACTED && self.mode == Mode::Unredacted => {
                let secret = body.and_then(Node::text).unwrap_or(REDACTED);
                Json::String(escaped(secret))
            }
            Json::String(text) => Json::String(escaped(&text)),
            other => other,
        }
    }

    /// The reference to print instead of a value. Of a secret, only a bare reference is shown:
    /// what stands beside it, or as its default, may be the secret.
    fn reference<'n>(&self, node: &'n Node, printed: &Json) -> Option<&'n str> {
        let Written { reference, .. } = node.written.as_ref()?;
        let is_secret = printed.as_str() == Some(REDACTED);
        let is_bare = reference.starts_with("${")
            && reference.find('}') == Some(reference.len() - 1)
            && !reference.contains(":-");
        (self.mode == Mode::Redacted && (is_bare || !is_secret)).then_some(reference)
    }
}

/// `text` with its dollars doubled where they would be read as something else.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, from_dollar)) = rest.find('$').map(|at| rest.split_at(at)) {
        let after = from_dollar.trim_start_matches('$');
        let dollars = from_dollar.len() - after.len();
        let is_itself = dollars == 1 && !after.starts_with('{');
        escaped.push_str(before);
        escaped.push_str(&"$".repeat(if is_itself { 1 } else { 2 * dollars }));
        rest = after;
    }
    escaped.push_str(rest);
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_doubled_only_where_they_mean_something() {
        for (text, printed) in [
            ("a$b", "a$b"),
            ("$1", "$1"),
            ("${x}", "$${x}"),
            ("$$", "$$$$"),
            ("a$", "a$"),
            ("x$$${y}", "x$$$$$${y}"),
        ] {
            assert_eq!(escaped(text), printed);
        }
    }
}
