//! What is told to the user about a configuration, one finding at a time.

use std::fmt;

use super::place::Place;

/// Most names listed in one message; a longer list says how many more there are.
const LISTED_NAMES: usize = 24;

/// One finding: an error or a warning, where it is, and what to do.
///
/// Printed as `file:line:column: message`, the line itself with a caret, and notes.
#[derive(Clone, Debug)]
pub(crate) struct Diagnostic {
    severity: Severity,
    place: Option<Place>,
    message: String,
    notes: Vec<String>,
}

/// Whether a finding keeps the program from starting.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// Nothing is started.
    Error,
    /// The configuration works, but perhaps not as meant.
    Warning,
}

/// A configuration that cannot be used: at least one error, and the warnings found on the way.
#[derive(Clone, Debug)]
pub(crate) struct ConfigError {
    /// In the order in which they should be read.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl Diagnostic {
    /// An error. `message` is lower case, without a full stop.
    pub(crate) fn error(place: Option<Place>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            place,
            message: message.into(),
            notes: Vec::new(),
        }
    }

    /// A warning.
    pub(crate) fn warning(place: Option<Place>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(place, message)
        }
    }

    /// Adds a line that says what to do; an empty one is left out.
    #[must_use]
    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        let note = note.into();
        if !note.is_empty() {
            self.notes.push(note);
        }
        self
    }

    /// Adds several notes.
    #[must_use]
    pub(crate) fn notes(mut self, notes: impl IntoIterator<Item = String>) -> Self {
        self.notes.extend(notes);
        self
    }

    /// The same finding at `place`.
    #[must_use]
    pub(crate) fn at(mut self, place: &Place) -> Self {
        self.place = Some(place.clone());
        self
    }

    fn order(&self) -> (Severity, Option<(&str, usize, usize)>) {
        (self.severity, self.place.as_ref().map(Place::order))
    }

    /// Whether this keeps the program from starting.
    pub(crate) fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        if self.severity == Severity::Warning {
            f.write_str("warning: ")?;
        }
        f.write_str(&self.message)?;
        let excerpt = self.place.as_ref().map(Place::excerpt).unwrap_or_default();
        let gutter = excerpt.first().map_or(1, |line| line.len() - 1);
        for line in &excerpt {
            write!(f, "\n{line}")?;
        }
        for note in &self.notes {
            write!(f, "\n{}= {note}", " ".repeat(gutter))?;
        }
        Ok(())
    }
}

impl ConfigError {
    /// The findings, if none of them is an error.
    ///
    /// # Errors
    /// The same findings otherwise, errors first and each in the order of the file.
    pub(crate) fn from_diagnostics(
        mut diagnostics: Vec<Diagnostic>,
    ) -> Result<Vec<Diagnostic>, Self> {
        diagnostics.sort_by(|one, other| one.order().cmp(&other.order()));
        if diagnostics.iter().any(Diagnostic::is_error) {
            Err(Self { diagnostics })
        } else {
            Ok(diagnostics)
        }
    }
}

impl From<Diagnostic> for ConfigError {
    fn from(diagnostic: Diagnostic) -> Self {
        Self {
            diagnostics: vec![diagnostic],
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, diagnostic) in self.diagnostics.iter().enumerate() {
            if at > 0 {
                f.write_str("\n\n")?;
            }
            diagnostic.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// The name among `names` that a person most probably meant by `typed`.
pub(crate) fn nearest<'a>(
    typed: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let plain = |name: &str| name.to_lowercase().replace(['-', ' ', '.'], "_");
    let typed = plain(typed);
    names
        .into_iter()
        .map(|name| (score(&typed, &plain(name)), name))
        .filter(|(score, _)| *score >= 0.8)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, name)| name)
}

/// How alike two words are, from 0 to 1: a slip of few letters, or the same letters without
/// underscores.
fn score(typed: &str, name: &str) -> f64 {
    if typed.replace('_', "") == name.replace('_', "") {
        return 1.0;
    }
    let longest = typed.chars().count().max(name.chars().count()).max(1);
    let slips = strsim::damerau_levenshtein(typed, name);
    let allowed_slips = 1.max(longest / 4);
    if slips > allowed_slips {
        return 0.0;
    }
    1.0 - 0.2 * slips as f64 / allowed_slips as f64
}

/// `did you mean ...` for the nearest of `names`, or nothing.
pub(crate) fn suggestion<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    nearest(typed, names).map_or_else(String::new, |name| format!("did you mean `{name}`?"))
}

/// `label: a, b, c`, bounded; nothing when there are no names.
pub(crate) fn listing<'a>(label: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    if names.is_empty() {
        return String::new();
    }
    let shown: Vec<&str> = names.iter().copied().take(LISTED_NAMES).collect();
    let more = match names.len() - shown.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{label}: {}{more}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_what_a_person_meant() {
        let names = ["endpoint", "timeout", "tls", "compression", "sending_queue"];
        for (typed, meant) in [
            ("endpont", Some("endpoint")),
            ("Endpoint", Some("endpoint")),
            ("sendingqueue", Some("sending_queue")),
            ("sending-queue", Some("sending_queue")),
            ("tsl", Some("tls")),
            ("password", None),
            ("x", None),
        ] {
            assert_eq!(nearest(typed, names), meant, "{typed}");
        }
    }

    #[test]
    fn a_long_list_of_names_is_cut() {
        let names: Vec<String> = (0..30).map(|n| format!("n{n}")).collect();
        let listed = listing("allowed keys", names.iter().map(String::as_str));
        assert!(listed.ends_with("n23 and 6 more"), "{listed}");
        assert_eq!(listing("allowed keys", []), "");
    }
}
