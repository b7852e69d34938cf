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

    /// Whether it has the first bytes of a known file and those before its position.
    pub(super) fn is_copy(&self, known: &Content<'_>, head_len: usize) -> bool {
        let is_long = known.offset >= head_len as u64;
        known.offset > 0
            && known.head.len > 0
            && (is_long || is_named_after(self.path, known.path))
            && known.head.begins(self.head)
            && self.has(known.tail, known.offset)
    }

    fn has(&self, tail: Print, offset: u64) -> bool {
        tail.is_before(self.file, offset).unwrap_or(false)
    }
}

/// Whether `path` lies beside `original` and its name begins with the original's name or with
/// that up to its last dot, as rotation names files.
pub(super) fn is_named_after(path: &Path, original: &Path) -> bool {
    let name = |path: &Path| {
        path.file_name()
            .map(|name| name.to_string_lossy().into_owned())
    };
    let stem = original
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned());
    let (Some(name), Some(stem)) = (name(path), stem) else {
        return false;
    };
    let follows = |rest: &str| rest.starts_with(['.', '-', '_']);
    path.parent() == original.parent() && name.strip_prefix(&*stem).is_some_and(follows)
}
