//! `${...}` inside values.
//!
//! The grammar is the OpenTelemetry Collector's: `${env:NAME}` and `${NAME}`, each with an optional
//! `:-default`; `${file:path}`; `${yaml:text}`. A reference may stand inside another. `$$` is one
//! dollar, so an even number of dollars before `{` keeps the braces as text; a dollar before
//! anything else is itself.
//!
//! What a reference yields is both text and YAML: where it is the whole scalar, a text field gets
//! the text and every other field the value, which may be a list or a map. What comes from the
//! environment is taken as it is, dollars and all, unless it holds `${` itself.

use std::env::VarError;
use std::path::Path;
use std::sync::Arc;

use super::diagnostic::Diagnostic;
use super::place::{Place, Source};
use super::sources::{World, reason, scheme, unknown_scheme};
use super::tree::{self, Node, Scalar, Value, Written};

/// Deepest chain of references inside references; a deeper one is a circle.
const MAX_DEPTH: usize = 32;

/// Most references that one configuration may follow.
const MAX_REFERENCES: usize = 10_000;

/// Longest text that one scalar may grow to, in bytes.
const MAX_TEXT_BYTES: usize = 1 << 20;

/// Replaces every `${...}` in the values of `tree`; keys stay as they are. What cannot be replaced
/// is reported, and becomes nothing.
pub(crate) fn substitute(tree: &mut Node, world: &dyn World, diagnostics: &mut Vec<Diagnostic>) {
    let mut substitution = Substitution {
        world,
        diagnostics,
        references: 0,
    };
    substitution.node(tree, 0);
}

struct Substitution<'a> {
    world: &'a dyn World,
    diagnostics: &'a mut Vec<Diagnostic>,
    references: usize,
}

/// One piece of a scalar.
#[derive(Debug, PartialEq)]
enum Piece<'t> {
    /// As it is, escapes resolved.
    Text(&'t str),
    /// What stands between `${` and `}`.
    Reference(&'t str),
}

/// What a reference stands for.
struct Yield {
    /// `None` for a variable that is not set.
    text: Option<String>,
    /// The name of the text as a source of its own, for a file.
    file: Option<String>,
}

impl Yield {
    fn text(text: impl Into<String>) -> Self {
        Self {
            text: Some(text.into()),
            file: None,
        }
    }
}

impl Substitution<'_> {
    fn node(&mut self, node: &mut Node, depth: usize) {
        match &mut node.value {
            Value::Null => {}
            Value::List(items) => items.iter_mut().for_each(|item| self.node(item, depth)),
            Value::Map(entries) => {
                for entry in entries {
                    self.node(&mut entry.value, depth);
                }
            }
            Value::Scalar(scalar) if scalar.text.contains('$') => {
                let scalar = scalar.clone();
                if let Err(diagnostic) = self.scalar(node, &scalar, depth) {
                    self.diagnostics.push(diagnostic);
                    node.value = Value::Null;
                }
            }
            Value::Scalar(_) => {}
        }
    }

    fn scalar(&mut self, node: &mut Node, scalar: &Scalar, depth: usize) -> Result<(), Diagnostic> {
        let place = node.place.clone();
        let pieces = pieces(&scalar.text, &place)?;
        if let [Piece::Reference(reference)] = pieces.as_slice() {
            *node = self.whole(reference, scalar, &place, depth)?;
            return Ok(());
        }
        let is_substituted = pieces
            .iter()
            .any(|piece| matches!(piece, Piece::Reference(_)));
        let text = self.join(&pieces, &place, depth)?;
        node.value = Value::Scalar(Scalar {
            is_plain: scalar.is_plain && !is_substituted,
            text: text.clone(),
        });
        if is_substituted {
            node.written = Some(Written {
                reference: scalar.text.clone(),
                text: Some(text),
            });
        }
        Ok(())
    }

    /// The node that takes the place of a scalar that is one reference.
    fn whole(
        &mut self,
        reference: &str,
        scalar: &Scalar,
        place: &Place,
        depth: usize,
    ) -> Result<Node, Diagnostic> {
        let yielded = self.follow(reference, place, depth)?;
        let mut node = match (&yielded.text, &yielded.file) {
            (None, _) => Node::new(Value::Null, place.clone()),
            (Some(text), None) => value_of(text, place),
            (Some(text), Some(name)) => {
                let mut node = tree::parse(&Arc::new(Source {
                    name: name.clone(),
                    text: text.clone(),
                }))?;
                self.node(&mut node, depth + 1);
                if !matches!(node.value, Value::List(_) | Value::Map(_)) {
                    node = value_of(text, place);
                }
                node
            }
        };
        node.written = Some(Written {
            reference: scalar.text.clone(),
            text: yielded.text,
        });
        Ok(node)
    }

    fn join(
        &mut self,
        pieces: &[Piece<'_>],
        place: &Place,
        depth: usize,
    ) -> Result<String, Diagnostic> {
        let mut joined = String::new();
        for piece in pieces {
            match piece {
                Piece::Text(text) => joined.push_str(text),
                Piece::Reference(reference) => {
                    let yielded = self.follow(reference, place, depth)?;
                    joined.push_str(&yielded.text.unwrap_or_default());
                }
            }
            if joined.len() > MAX_TEXT_BYTES {
                return Err(Diagnostic::error(
                    Some(place.clone()),
                    "the references in this value make it longer than 1 MiB",
                ));
            }
        }
        Ok(joined)
    }

    /// What `reference`, the text between `${` and `}`, stands for.
    fn follow(
        &mut self,
        reference: &str,
        place: &Place,
        depth: usize,
    ) -> Result<Yield, Diagnostic> {
        self.references += 1;
        if depth >= MAX_DEPTH || self.references > MAX_REFERENCES {
            return Err(Diagnostic::error(
                Some(place.clone()),
                "the references in this value lead to ever more references",
            )
            .note("does a variable refer to itself?"));
        }
        let expanded = self.template(reference, place, depth)?;
        let yielded = self.look_up(reference, &expanded, place)?;
        match yielded.text {
            Some(text) if text.contains("${") && yielded.file.is_none() => {
                Ok(Yield::text(self.template(&text, place, depth)?))
            }
            text => Ok(Yield { text, ..yielded }),
        }
    }

    /// Replaces the references inside `text`.
    fn template(&mut self, text: &str, place: &Place, depth: usize) -> Result<String, Diagnostic> {
        if !text.contains("${") {
            return Ok(text.to_owned());
        }
        self.join(&pieces(text, place)?, place, depth + 1)
    }

    fn look_up(
        &mut self,
        reference: &str,
        expanded: &str,
        place: &Place,
    ) -> Result<Yield, Diagnostic> {
        let (scheme, rest) = match scheme(expanded) {
            Some(split) if !is_default(expanded) => split,
            _ => ("env", expanded),
        };
        match scheme {
            "env" => self.variable(rest, reference, place),
            "yaml" => Ok(Yield::text(rest)),
            "file" => match self.world.read(Path::new(rest)) {
                Ok(text) => Ok(Yield {
                    text: Some(text.trim_end_matches(['\n', '\r']).to_owned()),
                    file: Some(rest.to_owned()),
                }),
                Err(error) => Err(Diagnostic::error(
                    Some(place.clone()),
                    format!("cannot read the file `{rest}`: {}", reason(&error)),
                )),
            },
            _ => Err(unknown_scheme(&format!("`${{{reference}}}`"), scheme).at(place)),
        }
    }

    fn variable(
        &mut self,
        text: &str,
        reference: &str,
        place: &Place,
    ) -> Result<Yield, Diagnostic> {
        let (name, default) = match text.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (text, None),
        };
        if !is_variable_name(name) {
            return Err(Diagnostic::error(
                Some(place.clone()),
                format!("`${{{reference}}}` does not name an environment variable"),
            )
            .note(format!("to keep it as text, write `$${{{reference}}}`"))
            .note("a name has letters, digits and `_`, and does not begin with a digit"));
        }
        match (self.world.variable(name), default) {
            (Ok(value), _) => Ok(Yield::text(value)),
            (Err(VarError::NotPresent), Some(default)) => Ok(Yield::text(default)),
            (Err(VarError::NotPresent), None) => {
                self.diagnostics.push(not_set(name, place));
                Ok(Yield {
                    text: None,
                    file: None,
                })
            }
            (Err(VarError::NotUnicode(_)), _) => Err(Diagnostic::error(
                Some(place.clone()),
                format!("the environment variable `{name}` does not hold text"),
            )),
        }
    }
}

fn not_set(name: &str, place: &Place) -> Diagnostic {
    Diagnostic::warning(
        Some(place.clone()),
        format!("the environment variable `{name}` is not set; nothing is put in its place"),
    )
    .note(format!(
        "for a value when it is not set, write `${{env:{name}:-value}}`"
    ))
}

/// `NAME:-default`, whose colon is none of a scheme.
fn is_default(text: &str) -> bool {
    text.split_once(":-")
        .is_some_and(|(name, _)| is_variable_name(name))
}

fn is_variable_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// `text` as a value: what YAML makes of it, or the text where it is not YAML.
fn value_of(text: &str, place: &Place) -> Node {
    let parsed = tree::parse(&Arc::new(Source {
        name: String::new(),
        text: text.to_owned(),
    }));
    let value = match parsed {
        Ok(mut node) if matches!(node.value, Value::List(_) | Value::Map(_)) => {
            node.move_to(&|_| place.clone());
            node.value
        }
        Ok(_) => Value::Scalar(Scalar {
            text: text.to_owned(),
            is_plain: true,
        }),
        Err(_) => Value::Scalar(Scalar {
            text: text.to_owned(),
            is_plain: false,
        }),
    };
    Node::new(value, place.clone())
}

/// Cuts a text into what is literal and what is a reference.
fn pieces<'t>(text: &'t str, place: &Place) -> Result<Vec<Piece<'t>>, Diagnostic> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, from_dollar)) = rest.find('$').map(|at| rest.split_at(at)) {
        push_text(&mut pieces, before);
        let dollars = from_dollar.len() - from_dollar.trim_start_matches('$').len();
        let (run, after) = from_dollar.split_at(dollars);
        push_text(&mut pieces, run.get(..dollars / 2).unwrap_or_default());
        rest = after;
        if dollars % 2 == 0 {
            continue;
        }
        match after.strip_prefix('{') {
            None => push_text(&mut pieces, "$"),
            Some(inside) => {
                let Some(end) = closing_brace(inside) else {
                    return Err(not_closed(place));
                };
                let (reference, after) = inside.split_at(end);
                pieces.push(Piece::Reference(reference));
                rest = after.strip_prefix('}').unwrap_or_default();
            }
        }
    }
    push_text(&mut pieces, rest);
    Ok(pieces)
}

fn push_text<'t>(pieces: &mut Vec<Piece<'t>>, text: &'t str) {
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
}

/// Offset of the `}` that ends a reference, past those of references inside it.
fn closing_brace(inside: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut before = ' ';
    for (at, c) in inside.char_indices() {
        match c {
            '{' if before == '$' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
        before = c;
    }
    None
}

fn not_closed(place: &Place) -> Diagnostic {
    Diagnostic::error(Some(place.clone()), "`${` has no closing `}`")
        .note("to keep it as text, write `$${`")
}

#[cfg(test)]
mod tests;
