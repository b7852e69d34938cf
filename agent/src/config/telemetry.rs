//! `service::telemetry`: how the program reports on itself.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::Listen;

/// Port of the default reader, that of the OpenTelemetry Collector.
const METRICS_PORT: u16 = 8888;

/// Own logs, metrics and traces.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Telemetry {
    /// Attributes of the program itself on everything it reports.
    pub(crate) resource: Resource,
    /// Own logs.
    pub(crate) logs: Logs,
    /// Own metrics.
    pub(crate) metrics: Metrics,
    /// Own traces; read, and without effect.
    #[serde(skip_serializing_if = "is_nothing")]
    pub(crate) traces: serde_json::Value,
}

/// Attributes that describe the program; `None` takes away one that it has by itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub(crate) struct Resource {
    /// Attribute name to value.
    pub(crate) attributes: BTreeMap<String, Option<String>>,
}

/// Own logs.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Logs {
    /// The least level that is written.
    pub(crate) level: LogLevel,
    /// How a line looks.
    pub(crate) encoding: LogEncoding,
    /// Where lines go: `stdout`, `stderr` or a file path.
    pub(crate) output_paths: Vec<String>,
    /// Read for compatibility; errors go where the other lines go.
    pub(crate) error_output_paths: Vec<String>,
    /// Read for compatibility; lines carry no caller.
    pub(crate) disable_caller: bool,
    /// Read for compatibility; lines carry no stack trace.
    pub(crate) disable_stacktrace: bool,
    /// Read for compatibility.
    pub(crate) development: bool,
    /// Fields on every line.
    pub(crate) initial_fields: BTreeMap<String, String>,
    /// Read for compatibility; a line is written once for each change of state, so there is
    /// nothing to sample.
    pub(crate) sampling: Sampling,
    /// Export of own logs; read, and without effect.
    #[serde(skip_serializing_if = "is_nothing")]
    pub(crate) processors: serde_json::Value,
}

/// Level of a log line.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogLevel {
    /// Everything.
    #[serde(alias = "DEBUG")]
    Debug,
    /// Changes of state.
    #[default]
    #[serde(alias = "INFO")]
    Info,
    /// What a person should look at some time.
    #[serde(alias = "WARN")]
    Warn,
    /// What a person should look at now.
    #[serde(alias = "ERROR")]
    Error,
}

/// How a log line looks.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogEncoding {
    /// For people.
    #[default]
    Console,
    /// One JSON object a line.
    Json,
}

/// Sampling of repeated log lines.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Sampling {
    enabled: bool,
    tick: super::values::Interval,
    initial: u32,
    thereafter: u32,
}

/// Own metrics.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Metrics {
    /// How many there are.
    pub(crate) level: MetricsLevel,
    /// Where they can be had.
    pub(crate) readers: Vec<Reader>,
    /// Changes to single metrics; read, and without effect.
    #[serde(skip_serializing_if = "is_nothing")]
    pub(crate) views: serde_json::Value,
    /// `host:port` of the pull reader, as it was written before readers existed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<String>,
}

/// How many own metrics there are.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MetricsLevel {
    /// None.
    #[serde(alias = "None")]
    None,
    /// The few that alerts need.
    #[serde(alias = "Basic")]
    Basic,
    /// What dashboards show.
    #[default]
    #[serde(alias = "Normal")]
    Normal,
    /// All.
    #[serde(alias = "Detailed")]
    Detailed,
}

/// One way to have the own metrics.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Reader {
    /// Scraped by a Prometheus.
    Pull(Pull),
    /// Sent by OTLP at an interval; read, and without effect.
    Periodic(serde_json::Value),
}

/// A reader that is scraped.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Pull {
    /// The only choice there is.
    pub(crate) exporter: PullExporter,
}

/// How a pull reader answers.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PullExporter {
    /// Prometheus text.
    pub(crate) prometheus: PrometheusReader,
}

/// A Prometheus endpoint for the own metrics.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PrometheusReader {
    /// Host or address to listen on.
    pub(crate) host: String,
    /// Port to listen on.
    pub(crate) port: u16,
    /// Read for compatibility: names are always those of the default reader, so that dashboards
    /// need not change with this option.
    pub(crate) without_units: bool,
    /// As `without_units`.
    pub(crate) without_type_suffix: bool,
    /// As `without_units`.
    pub(crate) without_scope_info: bool,
    /// Which resource attributes become labels of each series.
    pub(crate) with_resource_constant_labels: Option<IncludedLabels>,
}

/// Names of resource attributes.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct IncludedLabels {
    /// Kept, with `*` for any letters.
    pub(crate) included: Vec<String>,
    /// Left out, with `*` for any letters.
    pub(crate) excluded: Vec<String>,
}

impl Default for Logs {
    fn default() -> Self {
        Self {
            level: LogLevel::default(),
            encoding: LogEncoding::default(),
            output_paths: vec!["stderr".to_owned()],
            error_output_paths: vec!["stderr".to_owned()],
            disable_caller: false,
            disable_stacktrace: false,
            development: false,
            initial_fields: BTreeMap::new(),
            sampling: Sampling::default(),
            processors: serde_json::Value::Null,
        }
    }
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            enabled: true,
            tick: super::values::Interval::from_secs(10),
            initial: 10,
            thereafter: 100,
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let reader = PrometheusReader {
            without_units: true,
            without_type_suffix: true,
            without_scope_info: true,
            ..PrometheusReader::default()
        };
        Self {
            level: MetricsLevel::default(),
            readers: vec![Reader::Pull(Pull {
                exporter: PullExporter { prometheus: reader },
            })],
            views: serde_json::Value::Null,
            address: None,
        }
    }
}

impl Default for PrometheusReader {
    fn default() -> Self {
        Self {
            host: "localhost".to_owned(),
            port: METRICS_PORT,
            without_units: false,
            without_type_suffix: false,
            without_scope_info: false,
            with_resource_constant_labels: None,
        }
    }
}

impl Telemetry {
    /// Addresses on which the own metrics are served; none when `metrics::level` is `none`.
    pub(crate) fn metrics_addresses(&self) -> Vec<Listen> {
        if self.metrics.level == MetricsLevel::None {
            return Vec::new();
        }
        if let Some(address) = &self.metrics.address {
            return vec![Listen::tcp("metrics::address", address.as_str())];
        }
        let pulls = self.metrics.readers.iter().enumerate();
        pulls
            .filter_map(|(at, reader)| match reader {
                Reader::Pull(pull) => Some((at, &pull.exporter.prometheus)),
                Reader::Periodic(_) => None,
            })
            .map(|(at, reader)| {
                let key_path = format!("metrics::readers::{at}::pull::exporter::prometheus::port");
                Listen::tcp(key_path, host_and_port(&reader.host, reader.port))
            })
            .collect()
    }

    /// What is read and has no effect: the key, and what to do instead.
    pub(crate) fn without_effect(&self) -> Vec<(&'static str, &'static str)> {
        let mut found = Vec::new();
        let is_periodic = |reader: &Reader| matches!(reader, Reader::Periodic(_));
        if !is_nothing(&self.traces) {
            found.push(("traces", "the program records no traces of itself"));
        }
        if !is_nothing(&self.logs.processors) {
            found.push(("logs::processors", "own logs are written, not exported"));
        }
        if !is_nothing(&self.metrics.views) {
            found.push((
                "metrics::views",
                "own metrics are always served as they are",
            ));
        }
        if self.metrics.readers.iter().any(is_periodic) {
            found.push((
                "metrics::readers",
                "own metrics are served to a scraper, not sent",
            ));
        }
        found
    }
}

fn host_and_port(host: &str, port: u16) -> String {
    if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

fn is_nothing(value: &serde_json::Value) -> bool {
    value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty)
}

impl<'de> Deserialize<'de> for Resource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ResourceVisitor)
    }
}

/// Reads both forms: `name: value`, and `attributes: [{ name, value }]` beside `schema_url`.
struct ResourceVisitor;

impl<'de> Visitor<'de> for ResourceVisitor {
    type Value = Resource;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("attributes, each as `name: value`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Resource, A::Error> {
        let mut attributes = BTreeMap::new();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "attributes" => {
                    let named: Vec<Named> = map.next_value()?;
                    attributes.extend(named.into_iter().map(|named| (named.name, named.value.0)));
                }
                "schema_url" | "detectors" => {
                    map.next_value::<de::IgnoredAny>()?;
                }
                _ => {
                    let value: AttributeText = map.next_value()?;
                    attributes.insert(key, value.0);
                }
            }
        }
        Ok(Resource { attributes })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
    value: AttributeText,
    #[serde(default, rename = "type")]
    _type: String,
}

/// The text of an attribute, or the wish that there be none.
struct AttributeText(Option<String>);

impl<'de> Deserialize<'de> for AttributeText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::Null => Ok(Self(None)),
            serde_json::Value::String(text) => Ok(Self(Some(text))),
            other @ (serde_json::Value::Bool(_) | serde_json::Value::Number(_)) => {
                Ok(Self(Some(other.to_string())))
            }
            _ => Err(de::Error::custom("expected text, a number or a bool")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tree::node;

    fn telemetry(yaml: &str) -> Telemetry {
        let decoded = node(yaml).decode();
        decoded.unwrap_or_else(|mistake| panic!("{yaml}: {mistake}"))
    }

    fn addresses(yaml: &str) -> Vec<String> {
        let listens = telemetry(yaml).metrics_addresses().into_iter();
        listens.map(|listen| listen.address).collect()
    }

    #[test]
    fn own_metrics_are_served_where_the_readers_say() {
        let reader = |port: u16| {
            format!("{{ pull: {{ exporter: {{ prometheus: {{ host: '::1', port: {port} }} }} }} }}")
        };
        let two = format!("metrics: {{ readers: [{}, {}] }}", reader(1), reader(2));
        assert_eq!(addresses(""), ["localhost:8888"]);
        assert_eq!(addresses("metrics: { level: none }"), [""; 0]);
        assert_eq!(addresses("metrics: { readers: [] }"), [""; 0]);
        assert_eq!(addresses("metrics: { address: ':9' }"), [":9"]);
        assert_eq!(addresses(&two), ["[::1]:1", "[::1]:2"]);
    }

    #[test]
    fn a_resource_is_written_in_either_form() {
        let plain = telemetry("resource: { service.name: a, port: 5, host.id: null }").resource;
        let listed = telemetry(
            "resource: { schema_url: x, attributes: [{ name: service.name, value: a }, { name: port, \
             value: 5 }, { name: host.id, value: null }] }",
        );
        let value = |name: &str| plain.attributes[name].as_deref();
        assert_eq!(
            (value("service.name"), value("port")),
            (Some("a"), Some("5"))
        );
        assert_eq!(value("host.id"), None);
        assert_eq!(listed.resource.attributes.len(), 3);
        assert_eq!(listed.resource.attributes["port"], plain.attributes["port"]);
    }

    #[test]
    fn levels_are_read_as_the_collector_reads_them() {
        for level in ["debug", "DEBUG"] {
            let logs = telemetry(&format!("logs: {{ level: {level} }}")).logs;
            assert_eq!(logs.level, LogLevel::Debug);
        }
        let refused = node("logs: { level: loud }").decode::<Telemetry>();
        let shown = refused.unwrap_err().into_diagnostic("t", &node("").place);
        assert!(
            shown
                .to_string()
                .ends_with("choices: debug, error, info, warn"),
            "{shown}"
        );
    }

    #[test]
    fn what_has_no_effect_is_named() {
        let keys = |yaml| -> Vec<_> {
            telemetry(yaml)
                .without_effect()
                .into_iter()
                .map(|(key, _)| key)
                .collect()
        };
        assert_eq!(keys("traces: { processors: [] }"), ["traces"]);
        assert_eq!(keys("traces: {}"), [""; 0]);
        assert_eq!(
            keys("metrics: { readers: [{ periodic: { interval: 5 } }] }"),
            ["metrics::readers"]
        );
        assert_eq!(keys("logs: { processors: [{}] }"), ["logs::processors"]);
    }
}
