//! Editing one list of attributes.

use std::borrow::Cow;

use crate::common::last_len;
use crate::wire::{Content, Fields, put_len_field};
use crate::write::{AttributeValue, put_any_value};

/// When a value is set.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Only where the key is absent.
    Insert,
    /// Only where the key is present.
    Update,
    /// Always.
    Upsert,
}

/// One edit of a list of attributes, prepared once and applied to many lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributeEdit {
    key: String,
    change: Change,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Change {
    /// Sets the key; holds the encoded `KeyValue`.
    Set(Action, Vec<u8>),
    /// Sets the key to the value of another key; without that, nothing happens.
    Copy(Action, String),
    Delete,
}

impl AttributeEdit {
    /// Sets `key` to `value`.
    #[must_use]
    pub fn set<'v>(action: Action, key: &str, value: impl Into<AttributeValue<'v>>) -> Self {
        let mut encoded = Vec::new();
        put_len_field(&mut encoded, 1, key.as_bytes());
        put_any_value(&mut encoded, 2, &value.into());
        Self {
            key: key.to_owned(),
            change: Change::Set(action, encoded),
        }
    }

    /// Sets `key` to the value of the key `from` in the same list; nothing where that is absent.
    #[must_use]
    pub fn copy(action: Action, key: &str, from: &str) -> Self {
        Self {
            key: key.to_owned(),
            change: Change::Copy(action, from.to_owned()),
        }
    }

    /// Deletes `key`.
    #[must_use]
    pub fn delete(key: &str) -> Self {
        Self {
            key: key.to_owned(),
            change: Change::Delete,
        }
    }
}

/// Applies edits to one list after the other. Keeps its working space in between.
pub(super) struct Editor<'a> {
    edits: &'a [AttributeEdit],
    entries: Vec<Entry<'a>>,
}

/// An attribute of the list being edited: its key, and the encoded `KeyValue`.
struct Entry<'a> {
    key: &'a [u8],
    encoded: Cow<'a, [u8]>,
}

impl<'a> Editor<'a> {
    pub(super) const fn new(edits: &'a [AttributeEdit]) -> Self {
        Self {
            edits,
            entries: Vec::new(),
        }
    }

    /// Appends `message` with the attributes in its field `number` edited.
    ///
    /// The attributes stay next to each other and where the first one was, so that the bytes of the
    /// list remain a key for caches.
    pub(super) fn edit(&mut self, message: &'a [u8], number: u32, out: &mut Vec<u8>) {
        self.entries.clear();
        for field in Fields::new(message) {
            if let (true, Content::Len(encoded)) = (field.number == number, field.content) {
                self.entries.push(Entry::new(encoded));
            }
        }
        for edit in self.edits {
            edit.apply(&mut self.entries);
        }
        for field in Fields::new(message) {
            if field.number == number {
                self.put_entries(number, out);
            } else {
                out.extend_from_slice(field.raw);
            }
        }
        self.put_entries(number, out);
    }

    /// Appends the entries that were not yet appended.
    fn put_entries(&mut self, number: u32, out: &mut Vec<u8>) {
        for entry in self.entries.drain(..) {
            put_len_field(out, number, &entry.encoded);
        }
    }
}

impl<'a> Entry<'a> {
    fn new(encoded: &'a [u8]) -> Self {
        Self {
            key: last_len(encoded, 1),
            encoded: Cow::Borrowed(encoded),
        }
    }
}

impl AttributeEdit {
    fn apply<'a>(&'a self, entries: &mut Vec<Entry<'a>>) {
        let key = self.key.as_bytes();
        match &self.change {
            Change::Set(action, encoded) => put(*action, key, Cow::Borrowed(encoded), entries),
            Change::Copy(action, from) => {
                let source = entries.iter().find(|entry| entry.key == from.as_bytes());
                if let Some(encoded) = source.map(|entry| renamed(&entry.encoded, key)) {
                    put(*action, key, Cow::Owned(encoded), entries);
                }
            }
            Change::Delete => entries.retain(|entry| entry.key != key),
        }
    }
}

/// Sets `key` as far as `action` says.
fn put<'a>(action: Action, key: &'a [u8], encoded: Cow<'a, [u8]>, entries: &mut Vec<Entry<'a>>) {
    let present = entries.iter_mut().find(|entry| entry.key == key);
    match (present, action) {
        (Some(entry), Action::Update | Action::Upsert) => entry.encoded = encoded,
        (None, Action::Insert | Action::Upsert) => entries.push(Entry { key, encoded }),
        (Some(_), Action::Insert) | (None, Action::Update) => {}
    }
}

/// An encoded `KeyValue` with another key.
fn renamed(encoded: &[u8], key: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(encoded.len() + key.len());
    put_len_field(&mut out, 1, key);
    for field in Fields::new(encoded).filter(|field| field.number != 1) {
        out.extend_from_slice(field.raw);
    }
    out
}
