//! Why a tree is not what a type wants, in the words of this program rather than serde's.

use std::fmt;

use serde::de::{self, Expected, Unexpected};

use crate::config::diagnostic::{Diagnostic, listing, suggestion};
use crate::config::place::Place;
use crate::config::scalar::{Resolved, resolve};
use crate::config::tree::{Entry, Node, Scalar, Value};

/// Shortest substituted text that is hidden wherever it occurs in a message; a shorter one is
/// hidden only where it stands in quotes, because it may be part of any word.
const HIDDEN_ANYWHERE_CHARS: usize = 4;

/// The first thing in a tree that its type does not take, and where. Boxed, because it travels
/// through every result of the decoder and is rare.
#[derive(Clone, Debug)]
pub(crate) struct Mistake(Box<Details>);

#[derive(Clone, Debug)]
struct Details {
    what: What,
    place: Option<Place>,
    /// Keys and list positions, innermost first.
    path: Vec<String>,
    notes: Vec<String>,
}

#[derive(Clone, Debug)]
enum What {
    /// A key that the block does not have: belongs to the block, not to the key's value.
    UnknownKey(String),
    /// A key that the block must have.
    MissingKey(&'static str),
    /// A null where a value is wanted; [`Node::decode`] tries again without it.
    Null,
    /// A value of another shape.
    Unexpected { wanted: String, found: String },
    /// A value that says nothing sensible, in the words of its own type.
    Refused(String),
}

impl Mistake {
    fn new(what: What) -> Self {
        Self(Box::new(Details {
            what,
            place: None,
            path: Vec::new(),
            notes: Vec::new(),
        }))
    }

    /// A null that the type does not take.
    pub(super) fn null() -> Self {
        Self::new(What::Null)
    }

    /// Something else, where a block of keys belongs.
    pub(super) fn not_a_block() -> Self {
        Self::new(What::Unexpected {
            wanted: "a block of keys".to_owned(),
            found: String::new(),
        })
    }

    /// Neither a word nor one key, where one of `choices` belongs.
    pub(super) fn not_one_choice(choices: &[&str]) -> Self {
        let mut mistake = Self::new(What::Unexpected {
            wanted: "one choice".to_owned(),
            found: String::new(),
        });
        mistake.note(listing("choices", choices.iter().copied()));
        mistake
    }

    /// Whether the tree would do without the null at [`Self::path`].
    pub(super) fn is_null(&self) -> bool {
        matches!(self.0.what, What::Null)
    }

    /// Keys and list positions from the root of the tree.
    pub(super) fn path(&self) -> Vec<&str> {
        self.0.path.iter().rev().map(String::as_str).collect()
    }

    /// Sets the place, unless something further in has.
    pub(super) fn at(mut self, place: &Place) -> Self {
        self.0.place.get_or_insert_with(|| place.clone());
        self
    }

    /// Adds the key or position that the tree was entered by.
    pub(super) fn within(mut self, segment: &str) -> Self {
        self.0.path.push(segment.to_owned());
        self
    }

    /// The value of `entry` is, or holds, the mistake.
    pub(super) fn in_entry(self, entry: &Entry) -> Self {
        let place = match self.0.what {
            What::MissingKey(_) | What::Null => &entry.key_place,
            _ => &entry.value.place,
        };
        self.about(&entry.value).at(place).within(&entry.key)
    }

    /// Says of `node`, if the mistake is the node itself, what was found, how to write it, and
    /// not what it holds when that came from outside the file: it may be a secret.
    pub(super) fn about(mut self, node: &Node) -> Self {
        if self.0.place.is_some() || !self.0.path.is_empty() {
            return self;
        }
        if let What::Unexpected { wanted, found } = &mut self.0.what {
            *found = node.found();
            if let (Value::Scalar(scalar), true) = (&node.value, self.0.notes.is_empty()) {
                self.0.notes.extend(advice(scalar, wanted));
            }
            self.0.place = Some(node.place.clone());
        }
        if let (What::Refused(message), Some(written), Some(text)) =
            (&mut self.0.what, &node.written, node.text())
        {
            *message = hidden(message, text, &written.reference);
        }
        self
    }

    /// What the user is told. `within` is where the decoded tree hangs, such as
    /// `exporters::otlp_grpc`, and `key_place` its key.
    pub(crate) fn into_diagnostic(self, within: &str, key_place: &Place) -> Diagnostic {
        let mut path = vec![within];
        path.extend(self.path());
        let path = path.join("::");
        let message = match &self.0.what {
            What::UnknownKey(_) => format!("{self} in {path}"),
            _ => format!("{path}: {self}"),
        };
        let place = self.0.place.unwrap_or_else(|| key_place.clone());
        Diagnostic::error(Some(place), message).notes(self.0.notes)
    }

    fn note(&mut self, note: String) {
        if !note.is_empty() {
            self.0.notes.push(note);
        }
    }

    fn advise(&mut self, typed: &str, label: &str, allowed: &[&str]) {
        // A name with capitals is an alias of the same in small letters.
        let is_alias = |name: &str| {
            name.contains(char::is_uppercase) && allowed.contains(&name.to_lowercase().as_str())
        };
        let mut allowed: Vec<&str> = allowed
            .iter()
            .copied()
            .filter(|name| !is_alias(name))
            .collect();
        allowed.sort_unstable();
        self.note(suggestion(typed, allowed.iter().copied()));
        self.note(listing(label, allowed));
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.what {
            What::UnknownKey(key) => write!(f, "unknown key `{key}`"),
            What::MissingKey(key) => write!(f, "the key `{key}` is missing"),
            What::Null => f.write_str("a value is missing"),
            What::Unexpected { wanted, found } => write!(f, "expected {wanted}, found {found}"),
            What::Refused(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Mistake {}

impl de::Error for Mistake {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(What::Refused(message.to_string()))
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_value(found, expected)
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        if matches!(found, Unexpected::Unit) {
            return Self::null();
        }
        Self::new(What::Unexpected {
            wanted: in_words(&expected.to_string()),
            found: found.to_string(),
        })
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        let wanted = in_words(&expected.to_string());
        Self::custom(format_args!("expected {wanted}, found {length} items"))
    }

    fn unknown_field(key: &str, allowed: &'static [&'static str]) -> Self {
        let mut mistake = Self::new(What::UnknownKey(key.to_owned()));
        mistake.advise(key, "allowed keys", allowed);
        mistake
    }

    fn unknown_variant(name: &str, allowed: &'static [&'static str]) -> Self {
        let mut mistake = Self::custom(format_args!("`{name}` is not a choice"));
        mistake.advise(name, "choices", allowed);
        mistake
    }

    fn missing_field(key: &'static str) -> Self {
        Self::new(What::MissingKey(key))
    }

    fn duplicate_field(key: &'static str) -> Self {
        Self::custom(format_args!(
            "the key `{key}` is given twice, once under an older name"
        ))
    }
}

/// serde's name of an expectation in the words of this program.
fn in_words(expected: &str) -> String {
    match expected {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number of 0 or more",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a string" | "string" | "a borrowed string" => "text",
        "a sequence" => "a list",
        other if other.starts_with("a nonzero") => "a whole number of 1 or more",
        other => other,
    }
    .to_owned()
}

/// How to write a scalar as what was wanted.
fn advice(scalar: &Scalar, wanted: &str) -> Option<String> {
    let text = &scalar.text;
    if wanted == "true or false" {
        return match text.to_ascii_lowercase().as_str() {
            "yes" | "on" | "y" | "t" | "1" | "true" => Some("write true".to_owned()),
            "no" | "off" | "n" | "f" | "0" | "false" => Some("write false".to_owned()),
            _ => None,
        };
    }
    if wanted == "a list" {
        return Some("a list of one item is written in brackets: [item]".to_owned());
    }
    let is_number = matches!(
        resolve(text),
        Resolved::Unsigned(_) | Resolved::Signed(_) | Resolved::Float(_)
    );
    (wanted.contains("number") && !scalar.is_plain && is_number)
        .then(|| "leave out the quotes".to_owned())
}

/// `message` with the reference in place of the text that it stands for.
pub(crate) fn hidden(message: &str, text: &str, written: &str) -> String {
    if text.chars().count() >= HIDDEN_ANYWHERE_CHARS {
        message.replace(text, written)
    } else {
        message.replace(&format!("`{text}`"), &format!("`{written}`"))
    }
}
