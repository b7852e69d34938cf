//! Editing a request by re-framing: what changes is written anew, everything else is copied as it
//! is, and the lengths around it are corrected. Records are not decoded, and unknown fields survive.

mod attributes;

pub use attributes::{Action, AttributeEdit};

use attributes::Editor;
use bytes::Bytes;

use crate::Signal;
use crate::levels::{Levels, levels};
use crate::wire::{Content, Fields, close, open};

/// Applies `edits`, one after the other, to the attributes of every resource.
///
/// Where there is no resource and the edits make attributes, there is one afterwards.
#[must_use]
pub fn edit_resources(signal: Signal, bytes: &[u8], edits: &[AttributeEdit]) -> Bytes {
    let mut editor = Editor::new(edits);
    let resources = levels(signal).get(..1).unwrap_or_default();
    reframe(resources, bytes, &mut |_, group, out| {
        edit_resource(group, out, &mut editor);
        true
    })
    .0
}

/// Applies `edits`, one after the other, to the attributes of every data point, record or span.
#[must_use]
pub fn edit_attributes(signal: Signal, bytes: &[u8], edits: &[AttributeEdit]) -> Bytes {
    let mut editor = Editor::new(edits);
    reframe(levels(signal), bytes, &mut |parent, item, out| {
        editor.edit(item, attributes_number(signal, parent), out);
        true
    })
    .0
}

/// Removes the items for which `remove` says so: it is given the position of each item in the
/// request, from 0, and the encoded item. Envelopes that lose all their items go as well.
///
/// Returns the request and the items that are left.
#[must_use]
pub fn remove_items(
    signal: Signal,
    bytes: &[u8],
    mut remove: impl FnMut(u32, &[u8]) -> bool,
) -> (Bytes, u32) {
    let mut index = 0;
    reframe(levels(signal), bytes, &mut |_, item, out| {
        let keep = !remove(index, item);
        index += 1;
        if keep {
            out.extend_from_slice(item);
        }
        keep
    })
}

/// Field number of the attributes of an item that lies in field `parent` of its envelope's envelope.
const fn attributes_number(signal: Signal, parent: u32) -> u32 {
    match (signal, parent) {
        (Signal::Logs, _) => 6,
        // Spans, and points of histograms.
        (Signal::Traces, _) | (Signal::Metrics, 9) => 9,
        (Signal::Metrics, 10) => 1,
        // Number points, and points of summaries.
        (Signal::Metrics, _) => 7,
    }
}

/// Writes the content of an item anew and tells whether to keep it. It is given the field number of
/// the message around the item, the item, and where to write.
trait Rewrite<'a>: FnMut(u32, &'a [u8], &mut Vec<u8>) -> bool {}

impl<'a, F: FnMut(u32, &'a [u8], &mut Vec<u8>) -> bool> Rewrite<'a> for F {}

/// Rewrites what lies at the last of `levels`. Returns the request, and how many items were kept.
fn reframe<'a>(levels: Levels, bytes: &'a [u8], rewrite: &mut impl Rewrite<'a>) -> (Bytes, u32) {
    // Most edits add a little.
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 8);
    let counts = reframe_message(levels, 0, bytes, &mut out, rewrite);
    (Bytes::copy_from_slice(&out), counts.kept)
}

/// Items that were kept and removed.
#[derive(Copy, Clone, Default)]
struct Counts {
    kept: u32,
    removed: u32,
}

fn reframe_message<'a>(
    levels: Levels,
    number: u32,
    message: &'a [u8],
    out: &mut Vec<u8>,
    rewrite: &mut impl Rewrite<'a>,
) -> Counts {
    let Some((numbers, below)) = levels.split_first() else {
        return Counts::default();
    };
    let mut total = Counts::default();
    for field in Fields::new(message) {
        let child = match field.content {
            Content::Len(child) if numbers.contains(&field.number) => child,
            _ => {
                out.extend_from_slice(field.raw);
                continue;
            }
        };
        let nested = open(out, field.number, child.len());
        let counts = if below.is_empty() {
            let kept = u32::from(rewrite(number, child, out));
            Counts {
                kept,
                removed: 1 - kept,
            }
        } else {
            reframe_message(below, field.number, child, out, rewrite)
        };
        if counts.kept == 0 && counts.removed > 0 {
            nested.discard(out);
        } else {
            close(out, nested);
        }
        total.kept += counts.kept;
        total.removed += counts.removed;
    }
    total
}

/// Copies `group`, a message whose field 1 is a resource, with the attributes of that edited.
fn edit_resource<'a>(group: &'a [u8], out: &mut Vec<u8>, editor: &mut Editor<'a>) {
    let has_resource = Fields::new(group).any(|field| field.number == 1);
    if !has_resource {
        let message = open(out, 1, 0);
        editor.edit(&[], 1, out);
        if message.content_size(out) == 0 {
            message.discard(out);
        } else {
            close(out, message);
        }
    }
    for field in Fields::new(group) {
        match (field.number, field.content) {
            (1, Content::Len(resource)) => {
                let message = open(out, 1, resource.len());
                editor.edit(resource, 1, out);
                close(out, message);
            }
            _ => out.extend_from_slice(field.raw),
        }
    }
}

#[cfg(test)]
mod tests;
