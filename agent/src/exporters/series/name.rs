//! Metric names: from OTLP name, unit and type to the name of a Prometheus family.
//!
//! The rules are those of the OpenTelemetry compatibility specification ("Prometheus and
//! OpenMetrics"); where it leaves a choice, names come out as Prometheus' own OTLP receiver makes
//! them, so that series pushed, scraped and received there carry one name.

use serde::{Deserialize, Serialize};

use super::unit::UnitWords;

/// How OTLP names become Prometheus names; the words are those of Prometheus' configuration.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) enum Strategy {
    /// `http.server.duration` in `s` is `http_server_duration_seconds`.
    #[default]
    UnderscoreEscapingWithSuffixes,
    /// `http.server.duration` is `http_server_duration`, whatever unit and type.
    UnderscoreEscapingWithoutSuffixes,
    /// `http.server.duration` in `s` is `http.server.duration_seconds`; needs Prometheus 3.0.
    NoUTF8EscapingWithSuffixes,
    /// Names stay as they are. One name in two units becomes one series. Needs Prometheus 3.0.
    NoTranslation,
}

impl Strategy {
    /// Whether names and labels are made of `[a-zA-Z0-9_:]` alone.
    pub(crate) fn escapes(self) -> bool {
        matches!(
            self,
            Self::UnderscoreEscapingWithSuffixes | Self::UnderscoreEscapingWithoutSuffixes
        )
    }

    /// The same strategy without suffixes, for names that already are Prometheus names.
    pub(crate) fn without_suffixes(self) -> Self {
        match self {
            Self::UnderscoreEscapingWithSuffixes => Self::UnderscoreEscapingWithoutSuffixes,
            Self::NoUTF8EscapingWithSuffixes => Self::NoTranslation,
            bare => bare,
        }
    }
}

/// What of a metric's type shows in its name.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// A monotonic sum ends in `_total`.
    Total,
    /// A gauge of unit `1` ends in `_ratio`.
    Ratio,
    /// Nothing but the unit.
    Unit,
}

/// The name of the family of metric `name`, or `None` where nothing nameable is left of it.
pub(crate) fn family_name(
    strategy: Strategy,
    namespace: &str,
    name: &str,
    unit: &str,
    ending: Ending,
) -> Option<String> {
    let result = match strategy {
        Strategy::UnderscoreEscapingWithSuffixes => tokenized(namespace, name, unit, ending),
        Strategy::UnderscoreEscapingWithoutSuffixes => replaced(namespace, name),
        Strategy::NoUTF8EscapingWithSuffixes => suffixed(
            &prefixed(namespace, name),
            &UnitWords::of(unit, false),
            ending,
        ),
        Strategy::NoTranslation => prefixed(namespace, name),
    };
    let names_something = result == name || result.chars().any(|c| c != '_');
    (!name.is_empty() && names_something).then_some(result)
}

/// Tokens of the name, then unit, then type, joined by single underscores.
fn tokenized(namespace: &str, name: &str, unit: &str, ending: Ending) -> String {
    let mut tokens: Vec<&str> = tokens_of(name, is_token_character).collect();
    if tokens.is_empty() {
        return String::new();
    }
    let words = UnitWords::of(unit, true);
    let per_unit = words.per.strip_prefix("per_").unwrap_or_default();
    if !words.main.is_empty() && !tokens.contains(&words.main.as_str()) {
        tokens.push(&words.main);
    }
    if !per_unit.is_empty() && !tokens.windows(2).any(|pair| pair == ["per", per_unit]) {
        tokens.push(&words.per);
    }
    let last = match ending {
        Ending::Total => "total",
        Ending::Ratio => "ratio",
        Ending::Unit => "",
    };
    if !last.is_empty() {
        tokens.retain(|token| *token != last);
        tokens.push(last);
    }
    with_namespace_and_legal_start(namespace, tokens.join("_"))
}

/// Foreign characters replaced, nothing added; underscores of the input stay.
fn replaced(namespace: &str, name: &str) -> String {
    let tokens: Vec<&str> = tokens_of(name, |c| is_token_character(c) || c == '_').collect();
    if tokens.is_empty() {
        return String::new();
    }
    with_namespace_and_legal_start(namespace, tokens.join("_"))
}

fn with_namespace_and_legal_start(namespace: &str, name: String) -> String {
    let is_legal = |c| is_token_character(c) || c == '_';
    let mut whole = tokens_of(namespace, is_legal).collect::<Vec<_>>().join("_");
    if !whole.is_empty() {
        whole.push('_');
    }
    whole.push_str(&name);
    if whole.starts_with(|c: char| c.is_ascii_digit()) {
        whole.insert(0, '_');
    }
    whole
}

fn prefixed(namespace: &str, name: &str) -> String {
    if namespace.is_empty() {
        name.to_owned()
    } else {
        format!("{namespace}_{name}")
    }
}

/// Takes the suffixes off where the name has them, and puts them on in their order.
fn suffixed(name: &str, words: &UnitWords, ending: Ending) -> String {
    let last = match ending {
        Ending::Total => "total",
        Ending::Ratio => "ratio",
        Ending::Unit => "",
    };
    let base = without_suffix(without_suffix(name, last), &words.per);
    let mut whole = base.to_owned();
    let main = if base.ends_with(words.main.as_str()) {
        ""
    } else {
        words.main.as_str()
    };
    for suffix in [main, &words.per, last] {
        if !suffix.is_empty() {
            whole.push('_');
            whole.push_str(suffix);
        }
    }
    whole
}

/// `name` without `suffix` and the character before it, unless nothing would be left.
fn without_suffix<'a>(name: &'a str, suffix: &str) -> &'a str {
    if suffix.is_empty() {
        return name;
    }
    name.strip_suffix(suffix)
        .and_then(|rest| rest.char_indices().next_back())
        .map_or(name, |(end, _)| if end == 0 { name } else { &name[..end] })
}

fn is_token_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == ':'
}

fn tokens_of(text: &str, is_inside: impl Fn(char) -> bool) -> impl Iterator<Item = &str> {
    text.split(move |c| !is_inside(c))
        .filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests;
