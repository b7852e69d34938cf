//! A file that was not there at the last look, and whether it continues one that is known.

use std::fs::File;
use std::path::Path;

use super::checkpoint::{Checkpoint, Print};
use super::tracked::{FileId, Tracked};

/// A file that was not there at the last look.
pub(super) struct Newcomer<'a> {
    pub(super) id: FileId,
    pub(super) path: &'a Path,
    pub(super) head: &'a [u8],
    pub(super) head_print: Print,
    pub(super) file: &'a File,
}

/// What is compared of a file that is known.
pub(super) struct Content<'a> {
    path: &'a Path,
    offset: u64,
    head: Print,
    tail: Print,
}

impl<'a> From<&'a Checkpoint> for Content<'a> {
    fn from(checkpoint: &'a Checkpoint) -> Self {
        Self {
            path: &checkpoint.path,
            offset: checkpoint.offset,
            head: checkpoint.head,
            tail: checkpoint.tail,
        }
    }
}

impl<'a> From<&'a Tracked> for Content<'a> {
    fn from(tracked: &'a Tracked) -> Self {
        Self {
            path: &tracked.path,
            offset: tracked.offset,
            head: tracked.head,
            tail: tracked.tail,
        }
    }
}

impl Newcomer<'_> {
    /// Whether it is compressed, by its name or its first bytes.
    pub(super) fn is_gzip(&self) -> bool {
        self.path
            .extension()
            .is_some_and(|extension| extension == "gz")
            || self.head.starts_with(&[0x1f, 0x8b])
    }

    /// Whether it is the file of a checkpoint, with the same content up to there.
    pub(super) fn is_same_file(&self, checkpoint: &Checkpoint) -> bool {
        self.id.is_of(checkpoint) && self.has(checkpoint.tail, checkpoint.offset)
    }

    /// Whether it has the first bytes of a known file and those before its position. Cheap for
    /// files that have nothing to do with each other: with thousands of them, each pair is asked.
    pub(super) fn is_copy(&self, known: &Content<'_>, head_len: usize) -> bool {
        let is_long = known.offset >= head_len as u64;
        known.offset > 0
            && known.head.len > 0
            && self.begins_with(known.head)
            && (is_long || is_named_after(self.path, known.path))
            && self.has(known.tail, known.offset)
    }

    fn begins_with(&self, head: Print) -> bool {
        if head.len == self.head_print.len {
            head == self.head_print
        } else {
            head.begins(self.head)
        }
    }

    fn has(&self, tail: Print, offset: u64) -> bool {
        tail.is_before(self.file, offset).unwrap_or(false)
    }
}

/// Whether `path` lies beside `original` and its name begins with the original's name or with
/// that up to its last dot, as rotation names files.
pub(super) fn is_named_after(path: &Path, original: &Path) -> bool {
    let (Some(name), Some(stem)) = (path.file_name(), original.file_stem()) else {
        return false;
    };
    let rest = name
        .as_encoded_bytes()
        .strip_prefix(stem.as_encoded_bytes());
    path.parent() == original.parent()
        && rest.is_some_and(|rest| matches!(rest.first(), Some(b'.' | b'-' | b'_')))
}
