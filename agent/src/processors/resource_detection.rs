//! Adds what is known of the host to every resource.
//!
//! Everything is found out once, when the processor is made, from the environment and from the
//! kernel. Nothing is asked over the network, so a start never waits and never fails for it.

use std::collections::BTreeMap;

use otlp::edit::{Action, AttributeEdit, edit_resources};
use pipeline::{Batch, Processed, Processor};
use serde::{Deserialize, Serialize};

use super::edits;
use crate::config::values::Interval;
use crate::config::{Check, Problem};

/// The variable with attributes that whoever starts the program wants on every resource.
pub(crate) const ENVIRONMENT_VARIABLE: &str = "OTEL_RESOURCE_ATTRIBUTES";

/// What the system detector can tell.
const SYSTEM_ATTRIBUTES: [(&str, bool); 4] = [
    ("host.name", true),
    ("os.type", true),
    ("host.arch", false),
    ("os.description", false),
];

/// Options of the `resource_detection` processor.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Who is asked, in this order: `env`, `system`. What the first one knows is kept.
    pub(crate) detectors: Vec<String>,
    /// Whether what is detected replaces what a resource says already.
    #[serde(rename = "override")]
    pub(crate) is_override: bool,
    /// Read for compatibility and without effect: nothing here takes time.
    pub(crate) timeout: Interval,
    /// The `system` detector.
    pub(crate) system: System,
}

/// Options of the `system` detector.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct System {
    /// Where the host's name is from. It is what the kernel says, whatever is listed: a look-up
    /// over the network could hold up the start.
    pub(crate) hostname_sources: Vec<HostnameSource>,
    /// Switches single attributes on or off: `host.name` and `os.type` (on), `host.arch` and
    /// `os.description` (off).
    pub(crate) resource_attributes: BTreeMap<String, Switch>,
}

/// Where a host's name is from.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum HostnameSource {
    /// The kernel.
    Os,
    /// Read for compatibility and without effect.
    Dns,
    /// Read for compatibility and without effect.
    Cname,
    /// Read for compatibility and without effect.
    Lookup,
}

/// Whether an attribute is set.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Switch {
    pub(crate) enabled: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            detectors: vec!["env".to_owned()],
            is_override: true,
            timeout: Interval::from_secs(5),
            system: System::default(),
        }
    }
}

impl Check for Config {
    fn check(&self) -> Result<(), Problem> {
        let known = |name: &str| matches!(name, "env" | "system");
        if let Some(name) = self.detectors.iter().find(|name| !known(name)) {
            return Err(Problem::at(
                "detectors",
                format!("the detector `{name}` is not supported by this version"),
                "the detectors are: env, system",
            ));
        }
        let supported = |name: &str| SYSTEM_ATTRIBUTES.iter().any(|(known, _)| *known == name);
        for (name, switch) in &self.system.resource_attributes {
            if switch.enabled && !supported(name) {
                return Err(Problem::at(
                    format!("system::resource_attributes::{name}"),
                    format!("the system detector does not tell `{name}`"),
                    "it tells host.name, os.type, host.arch and os.description",
                ));
            }
        }
        Ok(())
    }
}

/// Sets what was detected.
#[derive(Clone, Debug)]
pub(crate) struct ResourceDetection {
    edits: Vec<AttributeEdit>,
}

impl ResourceDetection {
    /// Detects. `environment` is the value of [`ENVIRONMENT_VARIABLE`], which only the
    /// configuration may read.
    pub(crate) fn new(config: &Config, environment: Option<&str>) -> Self {
        let detected = detect(config, environment.unwrap_or_default(), &Host::this());
        let action = if config.is_override {
            Action::Upsert
        } else {
            Action::Insert
        };
        Self {
            edits: detected
                .iter()
                .map(|(key, value)| AttributeEdit::set(action, key, value.as_str()))
                .collect(),
        }
    }
}

impl Processor for ResourceDetection {
    fn process(&self, batch: Batch) -> Processed {
        if self.edits.is_empty() {
            return Processed::Keep(batch);
        }
        edits::apply(batch, &self.edits, edit_resources)
    }
}

/// What the kernel says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Host {
    name: String,
    machine: String,
    /// System, name, release, version and machine, as `uname -a` prints them.
    description: String,
}

impl Host {
    fn this() -> Self {
        let uname = rustix::system::uname();
        let text = |field: &std::ffi::CStr| field.to_string_lossy().into_owned();
        let all = [
            uname.sysname(),
            uname.nodename(),
            uname.release(),
            uname.version(),
            uname.machine(),
        ];
        Self {
            name: text(uname.nodename()),
            machine: text(uname.machine()),
            description: all.map(text).join(" "),
        }
    }
}

/// Keys and values. What an earlier detector knows wins.
fn detect(config: &Config, environment: &str, host: &Host) -> BTreeMap<String, String> {
    let mut detected = BTreeMap::new();
    for detector in &config.detectors {
        let known = match detector.as_str() {
            "env" => parse_environment(environment),
            "system" => system_attributes(&config.system, host),
            _ => Vec::new(),
        };
        for (key, value) in known {
            detected.entry(key).or_insert(value);
        }
    }
    detected
}

fn system_attributes(config: &System, host: &Host) -> Vec<(String, String)> {
    SYSTEM_ATTRIBUTES
        .iter()
        .filter(|(key, is_default)| {
            let switch = config.resource_attributes.get(*key);
            switch.map_or(*is_default, |switch| switch.enabled)
        })
        .map(|(key, _)| {
            let value = match *key {
                "host.name" => host.name.clone(),
                "host.arch" => architecture(&host.machine).to_owned(),
                "os.description" => host.description.clone(),
                _ => "linux".to_owned(),
            };
            ((*key).to_owned(), value)
        })
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

/// The word of the semantic conventions for what the kernel calls the machine.
fn architecture(machine: &str) -> &str {
    match machine {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "i386" | "i686" => "x86",
        "ppc64le" | "ppc64" => "ppc64",
        other if other.starts_with("arm") => "arm32",
        other => other,
    }
}

/// Reads `key=value,key=value` with percent-encoded values. What is not of this form is told and
/// passed over: a start never fails for it.
fn parse_environment(text: &str) -> Vec<(String, String)> {
    let mut attributes = Vec::new();
    for part in text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        let parsed = part.split_once('=').and_then(|(key, value)| {
            let key = percent_decoded(key.trim())?;
            let value = percent_decoded(value.trim().trim_matches('"'))?;
            (!key.is_empty()).then_some((key, value))
        });
        match parsed {
            Some(attribute) => attributes.push(attribute),
            None => tracing::warn!(
                part,
                variable = ENVIRONMENT_VARIABLE,
                "not of the form key=value; passed over"
            ),
        }
    }
    attributes
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        bytes.push(u8::from_str_radix(after.get(..2)?, 16).ok()?);
        rest = after.get(2..)?;
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::super::edits::tests::{after, batch};
    use super::*;

    fn config(body: serde_json::Value) -> Config {
        serde_json::from_value(body).unwrap()
    }

    fn host() -> Host {
        Host {
            name: "db-1".to_owned(),
            machine: "x86_64".to_owned(),
            description: "Linux db-1 6.1 #1 x86_64".to_owned(),
        }
    }

    fn check(body: serde_json::Value, environment: &str, expected: &[&str]) {
        let detected = detect(&config(body), environment, &host());
        let texts: Vec<String> = detected.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(texts, expected);
    }

    #[test]
    fn by_default_only_the_environment_is_asked() {
        check(serde_json::json!({}), "site=lab", &["site=lab"]);
        check(serde_json::json!({}), "", &[]);
    }

    #[test]
    fn the_system_tells_name_and_type_and_more_when_asked() {
        let detectors = serde_json::json!({"detectors": ["system"]});
        check(detectors, "site=lab", &["host.name=db-1", "os.type=linux"]);
        let more = serde_json::json!({"detectors": ["system"], "system": {"resource_attributes": {
            "os.type": {"enabled": false},
            "host.arch": {"enabled": true},
            "os.description": {"enabled": true},
        }}});
        check(
            more,
            "",
            &[
                "host.arch=amd64",
                "host.name=db-1",
                "os.description=Linux db-1 6.1 #1 x86_64",
            ],
        );
    }

    #[test]
    fn the_first_detector_wins() {
        let environment = "host.name=mine,site=lab";
        for (detectors, name) in [
            (["env", "system"], "host.name=mine"),
            (["system", "env"], "host.name=db-1"),
        ] {
            let body = serde_json::json!({"detectors": detectors});
            check(body, environment, &[name, "os.type=linux", "site=lab"]);
        }
    }

    #[test]
    fn the_variable_is_read_as_sdks_write_it() {
        for (text, expected) in [
            ("a=1, b = 2 ,,", &[("a", "1"), ("b", "2")][..]),
            ("a=x%2Cy%3Dz", &[("a", "x,y=z")]),
            ("a=k=v", &[("a", "k=v")]),
            ("a=", &[("a", "")]),
            ("nonsense,b=2", &[("b", "2")]),
            ("a=%zz,b=%2,c=%ff,=d,e=caf%C3%A9", &[("e", "caf\u{e9}")]),
            ("", &[]),
        ] {
            let parsed = parse_environment(text);
            let parsed: Vec<(&str, &str)> = parsed
                .iter()
                .map(|(k, v)| (k.as_str(), v.as_str()))
                .collect();
            assert_eq!(parsed, expected, "{text}");
        }
    }

    #[test]
    fn what_is_detected_replaces_what_is_there_unless_told_not_to() {
        for (is_override, name) in [(true, "host.name=mine"), (false, "host.name=a")] {
            let config = config(serde_json::json!({"override": is_override}));
            let processor = ResourceDetection::new(&config, Some("host.name=mine,site=lab"));
            let [resource, record] = after(&processor, batch());
            assert_eq!(resource, [name, "site=lab", "team=db"]);
            assert_eq!(record, ["level=info"]);
        }
    }

    #[test]
    fn without_anything_detected_a_batch_passes_untouched() {
        let processor = ResourceDetection::new(&Config::default(), None);
        let before = batch();
        let Processed::Keep(same) = processor.process(before.clone()) else {
            panic!("the batch is dropped");
        };
        assert_eq!(same.payload, before.payload);
    }

    #[test]
    fn this_host_has_a_name() {
        let host = Host::this();
        assert!(!host.name.is_empty() && !host.machine.is_empty());
        assert!(host.description.starts_with("Linux "));
    }

    #[test]
    fn what_is_not_supported_is_told() {
        for (body, key_path) in [
            (
                serde_json::json!({"detectors": ["env", "ec2"]}),
                "detectors",
            ),
            (
                serde_json::json!({"system": {"resource_attributes": {"host.mac": {"enabled": true}}}}),
                "system::resource_attributes::host.mac",
            ),
        ] {
            assert_eq!(config(body).check().unwrap_err().key_path, key_path);
        }
        let full = config(serde_json::json!({
            "detectors": ["env", "system"],
            "timeout": "2s",
            "override": false,
            "system": {
                "hostname_sources": ["dns", "os"],
                "resource_attributes": {"host.mac": {"enabled": false}},
            },
        }));
        assert_eq!(full.check(), Ok(()));
    }
}
