//! Names of components: `type` or `type/name`, with both generations of type names.
//!
//! The OpenTelemetry Collector renamed many types to lower_snake_case. Both spellings are read
//! everywhere; only the new one is printed or used as a key of stored state, so that changing the
//! spelling in a file loses nothing.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};

/// Longest type, in characters: the OpenTelemetry Collector's bound.
const MAX_TYPE_CHARS: usize = 63;

/// Longest name after the slash, in characters: the OpenTelemetry Collector's bound.
const MAX_NAME_CHARS: usize = 1024;

/// What a component does in a pipeline.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Brings telemetry in.
    Receiver,
    /// Changes it.
    Processor,
    /// Takes it out.
    Exporter,
    /// The end of one pipeline and the beginning of another.
    Connector,
    /// Serves the program rather than the telemetry.
    Extension,
}

impl Kind {
    /// All kinds, in the order of a configuration file.
    pub(crate) const ALL: [Self; 5] = [
        Self::Receiver,
        Self::Processor,
        Self::Exporter,
        Self::Connector,
        Self::Extension,
    ];

    /// The kind as one word.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Receiver => "receiver",
            Self::Processor => "processor",
            Self::Exporter => "exporter",
            Self::Connector => "connector",
            Self::Extension => "extension",
        }
    }

    /// The kind with its article, for a sentence.
    pub(crate) const fn with_article(self) -> &'static str {
        match self {
            Self::Receiver => "a receiver",
            Self::Processor => "a processor",
            Self::Exporter => "an exporter",
            Self::Connector => "a connector",
            Self::Extension => "an extension",
        }
    }

    /// The key of the file that holds components of this kind.
    pub(crate) const fn section(self) -> &'static str {
        match self {
            Self::Receiver => "receivers",
            Self::Processor => "processors",
            Self::Exporter => "exporters",
            Self::Connector => "connectors",
            Self::Extension => "extensions",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `type` or `type/name`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ComponentId {
    type_name: String,
    name: Option<String>,
}

impl ComponentId {
    /// Reads an id; blanks around the slash are trimmed.
    ///
    /// # Errors
    /// A sentence that says what is wrong with `text`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (type_name, name) = match text.split_once('/') {
            Some((type_name, name)) => (type_name.trim(), Some(name.trim())),
            None => (text.trim(), None),
        };
        check_type(type_name, text)?;
        if let Some(name) = name {
            check_name(name, text)?;
        }
        Ok(Self {
            type_name: type_name.to_owned(),
            name: name.map(ToOwned::to_owned),
        })
    }

    /// The type, such as `file_log`.
    pub(crate) fn type_name(&self) -> &str {
        &self.type_name
    }

    /// What follows the slash.
    pub(crate) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The same id with the type spelled as it is now.
    pub(crate) fn canonical(mut self, kind: Kind) -> Self {
        if let Some(new) = new_name(kind, &self.type_name) {
            new.clone_into(&mut self.type_name);
        }
        self
    }
}

fn check_type(type_name: &str, id: &str) -> Result<(), String> {
    let mut chars = type_name.chars();
    let is_word = chars
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic())
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_');
    if type_name.is_empty() {
        Err(format!(
            "`{id}` has no type; an id is `type` or `type/name`"
        ))
    } else if !is_word {
        Err(format!(
            "`{id}` is not a component id: a type begins with a letter and goes on with letters, \
             digits and `_`"
        ))
    } else if type_name.len() > MAX_TYPE_CHARS {
        Err(format!(
            "the type in `{id}` is longer than {MAX_TYPE_CHARS} characters"
        ))
    } else {
        Ok(())
    }
}

fn check_name(name: &str, id: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err(format!(
            "`{id}` has no name after the slash; leave out the slash or add a name"
        ));
    }
    if name.chars().count() > MAX_NAME_CHARS {
        return Err(format!(
            "the name in an id is longer than {MAX_NAME_CHARS} characters"
        ));
    }
    let is_refused = |c: char| {
        c.is_whitespace()
            || c.is_control()
            || matches!(c, '$' | '+' | '<' | '=' | '>' | '^' | '`' | '|' | '~')
    };
    match name.chars().find(|c| is_refused(*c)) {
        Some(c) => Err(format!(
            "`{id}` is not a component id: a name holds no blanks and no symbols such as `{}`",
            c.escape_default()
        )),
        None => Ok(()),
    }
}

impl fmt::Display for ComponentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.type_name)?;
        match &self.name {
            Some(name) => write!(f, "/{name}"),
            None => Ok(()),
        }
    }
}

impl Serialize for ComponentId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ComponentId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

/// The present name of a renamed type; `None` when `type_name` is not an old name.
pub(crate) fn new_name(kind: Kind, type_name: &str) -> Option<&'static str> {
    RENAMED
        .iter()
        .find(|(of, old, _)| *of == kind && *old == type_name)
        .map(|(_, _, new)| *new)
}

/// Kind, old type name, new type name.
const RENAMED: [(Kind, &str, &str); 19] = [
    (Kind::Exporter, "otlp", "otlp_grpc"),
    (Kind::Exporter, "otlphttp", "otlp_http"),
    (
        Kind::Exporter,
        "prometheusremotewrite",
        "prometheus_remote_write",
    ),
    (Kind::Exporter, "loadbalancing", "load_balancing"),
    (Kind::Processor, "k8sattributes", "k8s_attributes"),
    (Kind::Processor, "resourcedetection", "resource_detection"),
    (Kind::Processor, "logdedup", "log_dedup"),
    (Kind::Processor, "metricstransform", "metrics_transform"),
    (Kind::Processor, "cumulativetodelta", "cumulative_to_delta"),
    (Kind::Processor, "deltatocumulative", "delta_to_cumulative"),
    (Kind::Processor, "metricstarttime", "metric_start_time"),
    (Kind::Receiver, "filelog", "file_log"),
    (Kind::Receiver, "filestats", "file_stats"),
    (Kind::Receiver, "hostmetrics", "host_metrics"),
    (Kind::Receiver, "k8sobjects", "k8s_objects"),
    (Kind::Receiver, "kubeletstats", "kubelet_stats"),
    (
        Kind::Receiver,
        "prometheusremotewrite",
        "prometheus_remote_write",
    ),
    (Kind::Receiver, "tcplog", "tcp_log"),
    (Kind::Receiver, "udplog", "udp_log"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_type_and_perhaps_a_name() {
        for (text, printed) in [
            ("otlp", "otlp"),
            ("otlp/2", "otlp/2"),
            (" otlp / edge.eu-1 ", "otlp/edge.eu-1"),
            ("file_log/a/b", "file_log/a/b"),
            ("otlp/\u{d55c}", "otlp/\u{d55c}"),
        ] {
            assert_eq!(ComponentId::parse(text).unwrap().to_string(), printed);
        }
        for text in [
            "",
            "/x",
            "otlp/",
            "2otlp",
            "otlp-grpc",
            "otlp/a b",
            "otlp/a=b",
        ] {
            assert!(ComponentId::parse(text).is_err(), "{text}");
        }
        assert!(ComponentId::parse(&"a".repeat(64)).is_err());
        assert!(ComponentId::parse(&format!("a/{}", "b".repeat(1025))).is_err());
    }

    #[test]
    fn both_spellings_are_one_id() {
        let canonical = |kind, text: &str| {
            ComponentId::parse(text)
                .unwrap()
                .canonical(kind)
                .to_string()
        };
        assert_eq!(canonical(Kind::Receiver, "filelog/x"), "file_log/x");
        assert_eq!(canonical(Kind::Receiver, "otlp"), "otlp");
        assert_eq!(canonical(Kind::Exporter, "otlp"), "otlp_grpc");
        assert_eq!(canonical(Kind::Exporter, "otlp_grpc"), "otlp_grpc");
    }
}
