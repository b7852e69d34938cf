//! Which devices, interfaces, file systems or mount points are reported.

use regex::RegexSet;
use serde::{Deserialize, Serialize};

use crate::config::Problem;

/// How the names of a filter are compared.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MatchType {
    /// Equal to one of the names.
    Strict,
    /// One of the regular expressions matches anywhere inside; write `^` and `$` for the ends.
    Regexp,
}

/// A compiled pair of include and exclude.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    include: Option<Names>,
    exclude: Option<Names>,
}

/// One side of a filter.
#[derive(Clone, Debug)]
pub(super) enum Names {
    Strict(Vec<String>),
    Regexp(RegexSet),
}

impl Filter {
    /// Whether `name` is reported: in the include, where there is one, and not in the exclude.
    pub(super) fn takes(&self, name: &str) -> bool {
        self.include.as_ref().is_none_or(|names| names.have(name))
            && !self.exclude.as_ref().is_some_and(|names| names.have(name))
    }

    /// A filter of two sides, each of which may be missing.
    pub(super) fn new(include: Option<Names>, exclude: Option<Names>) -> Self {
        Self { include, exclude }
    }
}

impl Names {
    /// Compiles the names written at `key_path`; `None` when the list is empty.
    pub(super) fn compile(
        key_path: &str,
        names: &[String],
        match_type: Option<MatchType>,
    ) -> Result<Option<Self>, Problem> {
        if names.is_empty() {
            return Ok(None);
        }
        match match_type {
            Some(MatchType::Strict) => Ok(Some(Self::Strict(names.to_vec()))),
            Some(MatchType::Regexp) => match RegexSet::new(names) {
                Ok(set) => Ok(Some(Self::Regexp(set))),
                Err(error) => Err(Problem::at(
                    key_path,
                    format!("not a regular expression: {error}"),
                    "write match_type: strict to compare whole names",
                )),
            },
            None => Err(Problem::at(
                key_path,
                "match_type is missing, so it is unknown how the names are to be compared",
                "add match_type: strict for whole names, or match_type: regexp",
            )),
        }
    }

    fn have(&self, name: &str) -> bool {
        match self {
            Self::Strict(names) => names.iter().any(|known| known == name),
            Self::Regexp(set) => set.is_match(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(words: &[&str], match_type: MatchType) -> Option<Names> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        Names::compile("include", &words, Some(match_type)).unwrap()
    }

    #[test]
    fn exclude_wins_over_include() {
        let filter = Filter::new(
            names(&["^eth", "^lo$"], MatchType::Regexp),
            names(&["eth1"], MatchType::Strict),
        );
        for (name, taken) in [
            ("eth0", true),
            ("eth1", false),
            ("lo", true),
            ("lo0", false),
        ] {
            assert_eq!(filter.takes(name), taken, "{name}");
        }
        assert!(Filter::default().takes("anything"));
    }

    #[test]
    fn names_without_a_match_type_and_bad_expressions_are_told() {
        let missing = Names::compile("include", &["eth0".to_owned()], None).unwrap_err();
        assert!(missing.message.contains("match_type"), "{missing:?}");
        let bad = Names::compile("include", &["[".to_owned()], Some(MatchType::Regexp));
        assert!(
            bad.unwrap_err()
                .message
                .starts_with("not a regular expression")
        );
    }
}
