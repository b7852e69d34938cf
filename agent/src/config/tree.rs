//! YAML as a tree in which every key and value knows where it stands.
//!
//! The tree keeps the text of each scalar as it was written, because only the field it ends in
//! knows whether `0123` is a number. Anchors, aliases and merge keys (`<<`) are resolved here,
//! under a bound, so that a small file cannot become a large tree.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use granit_parser::{
    ErrorKind, Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput, Tag,
};

use super::diagnostic::Diagnostic;
use super::place::{Place, Source};
use super::scalar::{Resolved, resolve};

/// Most values in one source after aliases are expanded: far above any real file.
const MAX_NODES: usize = 100_000;

/// Deepest nesting; bounds the recursion here and in everything that walks a tree.
const MAX_DEPTH: usize = 100;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// The value.
    pub(crate) value: Value,
    /// Its first line.
    pub(crate) place: Place,
    /// Set where a scalar was substituted.
    pub(crate) written: Option<Written>,
}

/// A scalar as it was before its `${...}` were replaced.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    /// The scalar as it stands in the file; shown and printed instead of the value.
    pub(crate) reference: String,
    /// The text that took its place, whatever it means as YAML; `None` when there was none.
    pub(crate) text: Option<String>,
}

/// What a node holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// Nothing, `null` or `~`.
    Null,
    /// A scalar.
    Scalar(Scalar),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order written, without duplicate keys.
    Map(Vec<Entry>),
}

/// A scalar, not yet typed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scalar {
    /// The text after YAML's unquoting.
    pub(crate) text: String,
    /// Whether it was written without quotes, so that it may be a number or a bool.
    pub(crate) is_plain: bool,
}

/// One key of a mapping.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The key's text.
    pub(crate) key: String,
    /// Where the key stands.
    pub(crate) key_place: Place,
    /// What it is set to.
    pub(crate) value: Node,
}

/// Trees are equal when their values are; places do not matter.
impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key && self.value == other.value
    }
}

impl Node {
    /// A node that was not substituted.
    pub(crate) fn new(value: Value, place: Place) -> Self {
        Self {
            value,
            place,
            written: None,
        }
    }

    /// Whether there is no value, where no text is wanted.
    pub(crate) fn is_null(&self) -> bool {
        match &self.value {
            Value::Null => true,
            Value::Scalar(scalar) => scalar.resolved() == Resolved::Null,
            Value::List(_) | Value::Map(_) => false,
        }
    }

    /// The entries of a mapping; none for anything else.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The value of `key` in a mapping.
    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// Gives each key and value the place that `to` makes of its own.
    pub(crate) fn move_to(&mut self, to: &dyn Fn(&Place) -> Place) {
        self.place = to(&self.place);
        match &mut self.value {
            Value::Null | Value::Scalar(_) => {}
            Value::List(items) => items.iter_mut().for_each(|item| item.move_to(to)),
            Value::Map(entries) => {
                for entry in entries {
                    entry.key_place = to(&entry.key_place);
                    entry.value.move_to(to);
                }
            }
        }
    }

    /// Whether something stands at the end of `path`.
    pub(crate) fn has<'a>(&self, path: impl IntoIterator<Item = &'a str>) -> bool {
        let mut node = Some(self);
        for segment in path {
            node = node
                .and_then(|node| node.child(segment))
                .map(|(child, _)| child);
        }
        node.is_some()
    }

    /// Follows `path` through mappings and lists (by index) as far as it exists; the last entry's
    /// key is where a message about a missing rest should point.
    pub(crate) fn find<'a>(
        &self,
        path: impl IntoIterator<Item = &'a str>,
    ) -> (&Node, Option<&Place>) {
        let mut node = self;
        let mut key_place = None;
        for segment in path {
            let Some((child, key)) = node.child(segment) else {
                break;
            };
            node = child;
            key_place = key.or(key_place);
        }
        (node, key_place)
    }

    /// The value that `segment` leads to, and the place of its key.
    fn child(&self, segment: &str) -> Option<(&Self, Option<&Place>)> {
        match &self.value {
            Value::Map(_) => {
                let entry = self.get(segment)?;
                Some((&entry.value, Some(&entry.key_place)))
            }
            Value::List(items) => {
                let at: usize = segment.parse().ok()?;
                Some((items.get(at)?, None))
            }
            Value::Null | Value::Scalar(_) => None,
        }
    }

    /// The text of a scalar, or that a whole value was substituted by.
    pub(crate) fn text(&self) -> Option<&str> {
        match (&self.value, &self.written) {
            (Value::Scalar(scalar), _) => Some(&scalar.text),
            (_, Some(written)) => written.text.as_deref(),
            _ => None,
        }
    }

    /// What the value is, for a message about what was found.
    pub(crate) fn found(&self) -> String {
        match (&self.written, &self.value) {
            (Some(written), _) => format!("the value of `{}`", written.reference),
            (None, Value::Scalar(scalar)) if scalar.is_plain => {
                format!("`{}`", shortened(&scalar.text))
            }
            (None, Value::Scalar(scalar)) => format!("the text `{}`", shortened(&scalar.text)),
            (_, Value::Null) => "nothing".to_owned(),
            (_, Value::List(_)) => "a list".to_owned(),
            (_, Value::Map(_)) => "a block of keys".to_owned(),
        }
    }
}

impl Scalar {
    /// The meaning where the field does not ask for text. Blanks can stand around a text only when
    /// it came from outside the file.
    pub(crate) fn resolved(&self) -> Resolved {
        if self.is_plain {
            resolve(self.text.trim())
        } else {
            Resolved::Text
        }
    }
}

/// At most 60 characters of `text`, on one line.
fn shortened(text: &str) -> String {
    const SHOWN_CHARS: usize = 60;
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() <= SHOWN_CHARS && line.len() == text.trim_end().len() {
        return line.to_owned();
    }
    let mut cut: String = line.chars().take(SHOWN_CHARS).collect();
    cut.push_str("...");
    cut
}

/// Reads one YAML document.
///
/// # Errors
/// What is wrong with the text, and where.
pub(crate) fn parse(source: &Arc<Source>) -> Result<Node, Diagnostic> {
    Builder::new(source).document()
}

/// Builds the tree from the parser's events.
struct Builder<'a> {
    source: &'a Arc<Source>,
    events: Parser<'a, StrInput<'a>>,
    anchors: BTreeMap<usize, Node>,
    nodes: usize,
}

impl<'a> Builder<'a> {
    fn new(source: &'a Arc<Source>) -> Self {
        let options = granit_parser::options! {
            flow_nesting_limit: MAX_DEPTH,
            block_nesting_limit: MAX_DEPTH,
        };
        Self {
            source,
            events: Parser::new_from_str_with_options(&source.text, options),
            anchors: BTreeMap::new(),
            nodes: 0,
        }
    }

    fn document(mut self) -> Result<Node, Diagnostic> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                _ if root.is_some() => {
                    return Err(self
                        .error(&span, "a second YAML document begins here")
                        .note("keep one document in a file, and give several files as several --config"));
                }
                event => root = Some(self.node(event, &span)?),
            }
        }
        Ok(root.unwrap_or_else(|| Node::new(Value::Null, Place::new(self.source, 1, 1, 1))))
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), Diagnostic> {
        match self.events.next() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => Err(syntax_error(self.source, &error)),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn node(&mut self, event: Event<'a>, span: &Span) -> Result<Node, Diagnostic> {
        self.count(1, span)?;
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = self.scalar(&text, style, tag.as_deref(), span)?;
                let node = Node::new(value, self.place(span));
                Ok(self.anchored(anchor, node))
            }
            Event::SequenceStart(_, anchor, _) => {
                let node = self.list(span)?;
                Ok(self.anchored(anchor, node))
            }
            Event::MappingStart(_, anchor, _) => {
                let node = self.map(span)?;
                Ok(self.anchored(anchor, node))
            }
            Event::Alias(anchor) => self.alias(anchor, span),
            _ => Err(self.error(span, "this is not a YAML value")),
        }
    }

    fn anchored(&mut self, anchor: usize, node: Node) -> Node {
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        node
    }

    fn alias(&mut self, anchor: usize, span: &Span) -> Result<Node, Diagnostic> {
        let Some(node) = self.anchors.get(&anchor).cloned() else {
            return Err(self.error(span, "this alias refers to a value that contains it"));
        };
        self.count(size(&node), span)?;
        Ok(node)
    }

    fn count(&mut self, nodes: usize, span: &Span) -> Result<(), Diagnostic> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES {
            return Err(self
                .error(span, format!("the file holds more than {MAX_NODES} values"))
                .note("aliases (`*name`) count as often as they are used"));
        }
        Ok(())
    }

    fn scalar(
        &self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
        span: &Span,
    ) -> Result<Value, Diagnostic> {
        let is_text = match tag.map(ToString::to_string).as_deref() {
            None => false,
            Some(tag) if tag.ends_with("str") => true,
            Some(tag) if tag.starts_with("tag:yaml.org,2002:") || tag.starts_with("!!") => false,
            Some(tag) => return Err(self.error(span, format!("the tag `{tag}` is not known"))),
        };
        let is_plain = style == ScalarStyle::Plain && !is_text;
        if is_plain && resolve(text) == Resolved::Null {
            return Ok(Value::Null);
        }
        Ok(Value::Scalar(Scalar {
            text: text.to_owned(),
            is_plain,
        }))
    }

    fn list(&mut self, span: &Span) -> Result<Node, Diagnostic> {
        let mut items = Vec::new();
        loop {
            let (event, item_span) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(Node::new(Value::List(items), self.place(span)));
            }
            items.push(self.node(event, &item_span)?);
        }
    }

    fn map(&mut self, span: &Span) -> Result<Node, Diagnostic> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut merged: Vec<Entry> = Vec::new();
        let mut seen = HashSet::new();
        loop {
            let (event, key_span) = self.next()?;
            let (key, is_plain) = match event {
                Event::MappingEnd => break,
                Event::Scalar(text, style, ..) => (text.into_owned(), style == ScalarStyle::Plain),
                _ => return Err(self.error(&key_span, "a key must be a plain word")),
            };
            if key.is_empty() || key_span.is_empty() {
                return Err(self.error(&key_span, "a key is missing before this `:`"));
            }
            let key_place = self.place(&key_span);
            let (event, value_span) = self.next()?;
            let value = self.node(event, &value_span)?;
            if key == "<<" && is_plain {
                merged.extend(self.merge_key(value, &key_place)?);
                continue;
            }
            if !seen.insert(key.clone()) {
                let first = entries.iter().find(|entry| entry.key == key);
                return Err(duplicate_key(&key, key_place, first));
            }
            entries.push(Entry {
                key,
                key_place,
                value,
            });
        }
        for entry in merged {
            if seen.insert(entry.key.clone()) {
                entries.push(entry);
            }
        }
        Ok(Node::new(Value::Map(entries), self.place(span)))
    }

    /// The entries that `<<: *anchor` or `<<: [*a, *b]` brings; keys written beside it win.
    fn merge_key(&self, value: Node, key_place: &Place) -> Result<Vec<Entry>, Diagnostic> {
        let refused = || {
            Diagnostic::error(
                Some(key_place.clone()),
                "`<<` merges only mappings, such as `<<: *defaults`",
            )
        };
        match value.value {
            Value::Map(entries) => Ok(entries),
            Value::List(items) => {
                let mut entries = Vec::new();
                for item in items {
                    match item.value {
                        Value::Map(inner) => entries.extend(inner),
                        _ => return Err(refused()),
                    }
                }
                Ok(entries)
            }
            _ => Err(refused()),
        }
    }

    fn place(&self, span: &Span) -> Place {
        let width = if span.start.line() == span.end.line() {
            span.end.col().saturating_sub(span.start.col())
        } else {
            1
        };
        place(self.source, &span.start, width)
    }

    fn error(&self, span: &Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(Some(self.place(span)), message)
    }
}

fn place(source: &Arc<Source>, marker: &Marker, width: usize) -> Place {
    Place::new(source, marker.line().max(1), marker.col() + 1, width)
}

fn size(node: &Node) -> usize {
    1 + match &node.value {
        Value::Null | Value::Scalar(_) => 0,
        Value::List(items) => items.iter().map(size).sum(),
        Value::Map(entries) => entries.iter().map(|entry| size(&entry.value)).sum(),
    }
}

fn duplicate_key(key: &str, key_place: Place, first: Option<&Entry>) -> Diagnostic {
    let first = first.map_or_else(String::new, |first| {
        format!("the first one is at {}", first.key_place)
    });
    Diagnostic::error(Some(key_place), format!("the key `{key}` is given twice")).note(first)
}

fn syntax_error(source: &Arc<Source>, error: &ScanError) -> Diagnostic {
    let marker = error.marker();
    if is_about_tabs(error.kind())
        && let Some(tab) = indenting_tab(source, marker.line())
    {
        return Diagnostic::error(Some(tab), "a tab indents this line; YAML takes spaces only")
            .note("replace the tab with spaces");
    }
    let here = place(source, marker, 1);
    match error.kind() {
        ErrorKind::UnknownAnchor => Diagnostic::error(
            Some(here),
            "this alias has no anchor: no `&name` comes before it",
        ),
        ErrorKind::RecursionLimitExceeded => Diagnostic::error(
            Some(here),
            format!("the file is nested more than {MAX_DEPTH} levels deep"),
        ),
        ErrorKind::MappingValueNotAllowed => {
            Diagnostic::error(Some(here), "not valid YAML: a key cannot stand here")
                .note("does the line before lack its `:`, or is this line indented too far?")
        }
        _ => Diagnostic::error(Some(here), format!("not valid YAML: {}", error.info()))
            .note(advice(source, marker.line())),
    }
}

/// What to change where a reference ends a value in braces too early.
fn advice(source: &Source, line: usize) -> &'static str {
    let text = source
        .text
        .lines()
        .nth(line.saturating_sub(1))
        .unwrap_or_default();
    if text.contains("${") && text.contains(['{', '[']) {
        "inside braces and brackets, a value with ${...} needs quotes: \"${env:NAME}\""
    } else {
        ""
    }
}

/// The first tab in the indentation of `line` or of the next: a scanner that is still inside a
/// scalar reports the line before.
fn indenting_tab(source: &Arc<Source>, line: usize) -> Option<Place> {
    (line.max(1)..).take(2).find_map(|number| {
        let text = source.text.lines().nth(number - 1)?;
        let indentation = text.len() - text.trim_start().len();
        let tab = text.find('\t').filter(|tab| *tab < indentation)?;
        Some(Place::new(source, number, tab + 1, 1))
    })
}

fn is_about_tabs(kind: &ErrorKind) -> bool {
    use ErrorKind as Kind;
    matches!(
        kind,
        Kind::TabNotAllowed
            | Kind::TabInBlockIndentation
            | Kind::TabInIndentation
            | Kind::TabAtBlockScalarStart
            | Kind::TabInPlainScalar
            | Kind::InvalidIndentation
            | Kind::SimpleKeyExpected
    )
}

/// The tree of `yaml`, for tests of what is built on trees.
#[cfg(test)]
pub(crate) fn node(yaml: &str) -> Node {
    let source = Arc::new(Source {
        name: "test.yaml".to_owned(),
        text: yaml.to_owned(),
    });
    parse(&source).unwrap_or_else(|error| panic!("{error}"))
}

#[cfg(test)]
mod tests;
