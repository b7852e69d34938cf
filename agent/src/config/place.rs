//! Where a piece of configuration stands, kept by every value through merge and substitution.

use std::fmt;
use std::sync::Arc;

/// Longest excerpt of one line, in characters: longer lines are shown around the mistake.
const EXCERPT_CHARS: usize = 100;

/// Words in a key that make its value a secret, so that an excerpt never shows it.
const SECRET_WORDS: [&str; 9] = [
    "pass",
    "secret",
    "token",
    "credential",
    "authorization",
    "api_key",
    "api-key",
    "apikey",
    "key_pem",
];

/// One text that configuration was read from.
#[derive(Debug)]
pub(crate) struct Source {
    /// What messages call it: a path as the user gave it, `--set`, `env:NAME`.
    pub(crate) name: String,
    /// The whole text.
    pub(crate) text: String,
}

/// A stretch of one line of a source.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    source: Arc<Source>,
    line: usize,
    column: usize,
    width: usize,
}

impl Place {
    /// `width` characters of `source` from `line` and `column`, both counted from 1.
    pub(crate) fn new(source: &Arc<Source>, line: usize, column: usize, width: usize) -> Self {
        Self {
            source: Arc::clone(source),
            line,
            column,
            width: width.max(1),
        }
    }

    /// The text this place is in.
    pub(crate) fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// What places are sorted by: file, line, column.
    pub(crate) fn order(&self) -> (&str, usize, usize) {
        (&self.source.name, self.line, self.column)
    }

    /// The same place in `source`, whose first line has `chars` more before what this place's
    /// source begins with.
    pub(crate) fn within(&self, source: &Arc<Source>, chars: usize) -> Self {
        let shift = if self.line == 1 { chars } else { 0 };
        Self::new(source, self.line, self.column + shift, self.width)
    }

    /// The line with a caret under the place, as lines ready to print; empty when the source has
    /// no such line.
    pub(crate) fn excerpt(&self) -> Vec<String> {
        let Some(line) = self.source.text.lines().nth(self.line.saturating_sub(1)) else {
            return Vec::new();
        };
        let shown: Vec<char> = without_secrets(line);
        let before = self.column.saturating_sub(1);
        if shown.is_empty() {
            return Vec::new();
        }
        let start = if shown.len() > EXCERPT_CHARS {
            before.saturating_sub(EXCERPT_CHARS / 2)
        } else {
            0
        };
        let window: String = shown.iter().skip(start).take(EXCERPT_CHARS).collect();
        let width = self
            .width
            .min((EXCERPT_CHARS + start).saturating_sub(before))
            .max(1);
        let number = self.line.to_string();
        let gutter = " ".repeat(number.len());
        vec![
            format!("{gutter} |"),
            format!("{number} | {}", window.trim_end()),
            format!(
                "{gutter} | {}{}",
                " ".repeat(before - start),
                "^".repeat(width)
            ),
        ]
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.source.name, self.line, self.column)
    }
}

/// The characters of a line, tabs as spaces, with stars over what follows a key that names a
/// secret. Nothing moves, so that columns stay right.
fn without_secrets(line: &str) -> Vec<char> {
    let mut shown: Vec<char> = line
        .chars()
        .map(|c| if c == '\t' { ' ' } else { c })
        .collect();
    let lower = line.to_ascii_lowercase();
    for (byte, _) in lower.match_indices(':') {
        let before = lower.get(..byte).unwrap_or_default();
        let key = before
            .trim_end_matches(['"', '\''])
            .rsplit([',', '{', ' ', '\t', '"', '\''])
            .next()
            .unwrap_or_default();
        let names_a_secret = SECRET_WORDS.iter().any(|word| key.contains(word));
        if !names_a_secret || key.ends_with("_file") {
            continue;
        }
        let after = line.get(..=byte).map_or(0, |before| before.chars().count());
        let value: String = shown.iter().skip(after).collect();
        let unquoted = value.trim_start().trim_start_matches(['"', '\'']);
        if unquoted.starts_with("${") {
            continue;
        }
        let length = secret_chars(&value);
        for c in shown
            .iter_mut()
            .skip(after)
            .take(length)
            .filter(|c| **c != ' ')
        {
            *c = '*';
        }
    }
    shown
}

/// How many characters of the rest of a line belong to the value that it begins with.
fn secret_chars(rest: &str) -> usize {
    let blanks = rest.chars().take_while(|c| *c == ' ').count();
    let value = rest.trim_start();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
    let inside = value.chars().skip(usize::from(quote.is_some()));
    let length = match quote {
        Some(quote) => inside.take_while(|c| *c != quote).count() + 2,
        None => inside.take_while(|c| !matches!(c, ',' | '}')).count(),
    };
    blanks + length
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excerpt(text: &str, line: usize, column: usize, width: usize) -> String {
        let source = Arc::new(Source {
            name: "a.yaml".to_owned(),
            text: text.to_owned(),
        });
        Place::new(&source, line, column, width)
            .excerpt()
            .join("\n")
    }

    #[test]
    fn the_caret_stands_under_the_place() {
        assert_eq!(
            excerpt("a:\n  endpont: b\n", 2, 3, 7),
            "  |\n2 |   endpont: b\n  |   ^^^^^^^"
        );
    }

    #[test]
    fn a_long_line_is_shown_around_the_place() {
        let shown = excerpt(
            &format!("{}wrong{}", "x".repeat(300), "y".repeat(300)),
            1,
            301,
            5,
        );
        let lines: Vec<&str> = shown.lines().collect();
        let caret = lines[2].find("^^^^^").unwrap();
        assert_eq!(&lines[1][caret..caret + 5], "wrong");
        assert!(lines[1].len() < 120);
    }

    #[test]
    fn an_excerpt_shows_no_secret() {
        for line in [
            "  passwrd: hunter2",
            "{ user: me, password: hunter2, endpont: x }",
            "headers: { \"X-Api-Token\": hunter2 }",
            "  Authorization: Bearer hunter2",
            "{ password: \"a, hunter2}\", endpont: x }",
            "  'secret': 'x,hunter2'",
        ] {
            let shown = excerpt(line, 1, 1, 3);
            assert!(!shown.contains("hunter2"), "{shown}");
        }
        assert!(excerpt("password: ${env:PG}", 1, 1, 1).contains("${env:PG}"));
        assert!(excerpt("token_file: /run/token", 1, 1, 1).contains("/run/token"));
    }
}
