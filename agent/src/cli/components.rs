//! `skybridge components`: what this program is made of, in the form of the OpenTelemetry
//! Collector's command of this name.

use serde_json::{Value, json};

use crate::config::{Catalog, Family, Kind, SCHEMES, Type, to_yaml};

/// The list as YAML.
pub(super) fn list<C: Catalog>() -> String {
    let provider = |scheme| json!({ "scheme": scheme, "module": "agent::config" });
    let providers: Value = SCHEMES.into_iter().map(provider).collect();
    to_yaml(&json!({
        "buildinfo": {
            "command": "skybridge",
            "description": env!("CARGO_PKG_DESCRIPTION"),
            "version": env!("CARGO_PKG_VERSION"),
        },
        "receivers": family::<C::Receiver>(Kind::Receiver),
        "processors": family::<C::Processor>(Kind::Processor),
        "exporters": family::<C::Exporter>(Kind::Exporter),
        "connectors": [],
        "extensions": family::<C::Extension>(Kind::Extension),
        "providers": providers,
    }))
}

fn family<F: Family>(kind: Kind) -> Value {
    F::TYPES
        .iter()
        .map(|of_type| entry(kind, of_type))
        .collect()
}

fn entry(kind: Kind, of_type: &Type) -> Value {
    let level = of_type.stability.as_str();
    let stability: Value = if of_type.signals.is_empty() {
        json!({ kind.as_str(): level })
    } else {
        let signals = of_type.signals.iter();
        Value::Object(
            signals
                .map(|signal| (signal.as_str().to_owned(), level.into()))
                .collect(),
        )
    };
    json!({
        "name": of_type.name,
        "module": format!("agent::{}", kind.section()),
        "stability": stability,
    })
}
