//! One file that is followed.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::checkpoint::{Checkpoint, Print};

/// How long a file stays open after it last grew, and is still read after it was moved away.
pub(super) const HOLD_TIME: Duration = Duration::from_secs(60);

/// Device and inode.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct FileId {
    pub(super) device: u64,
    pub(super) inode: u64,
}

impl FileId {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }

    pub(super) fn in_checkpoint(checkpoint: &Checkpoint) -> Self {
        Self {
            device: checkpoint.device,
            inode: checkpoint.inode,
        }
    }

    pub(super) fn is_of(self, checkpoint: &Checkpoint) -> bool {
        self == Self::in_checkpoint(checkpoint)
    }
}

/// A file that is followed.
#[derive(Debug)]
pub(super) struct Tracked {
    pub(super) key: u64,
    /// Where the patterns last found it, which is not where it is when it is out of sight.
    pub(super) path: PathBuf,
    /// All before this is acknowledged.
    pub(super) offset: u64,
    pub(super) head: Print,
    pub(super) tail: Print,
    /// Size at the last look.
    pub(super) size: u64,
    /// Where the file ended when all that was left of it was an incomplete line.
    pub(super) incomplete_at: Option<u64>,
    pub(super) grown_at: Instant,
    /// Time of the last change, in seconds and nanoseconds, at the last look.
    pub(super) modified: (i64, i64),
    /// It was changed and has not grown: its content may have been replaced by as much.
    pub(super) is_suspect: bool,
    /// It could not be read, and that was said.
    pub(super) is_failing: bool,
    /// Whether it is where the patterns look.
    pub(super) is_in_sight: bool,
    pub(super) open: Option<File>,
}

impl Tracked {
    /// The file of `checkpoint`, found at `path`, if it has something that was not read.
    pub(super) fn resume(
        id: FileId,
        path: &Path,
        checkpoint: &Checkpoint,
        now: Instant,
    ) -> Option<Self> {
        let file = File::open(path).ok()?;
        let metadata = file.metadata().ok()?;
        let is_it = FileId::of(&metadata) == id
            && metadata.size() > checkpoint.offset
            && checkpoint.tail.is_before(&file, checkpoint.offset).ok()?;
        is_it.then(|| Self {
            key: checkpoint.key,
            path: checkpoint.path.clone(),
            offset: checkpoint.offset,
            head: checkpoint.head,
            tail: checkpoint.tail,
            size: metadata.size(),
            incomplete_at: None,
            grown_at: now,
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            is_suspect: false,
            is_failing: false,
            is_in_sight: false,
            open: Some(file),
        })
    }

    /// Notes that the file was found.
    pub(super) fn see(&mut self, path: PathBuf, metadata: &Metadata, now: Instant) {
        self.path = path;
        self.is_in_sight = true;
        let modified = (metadata.mtime(), metadata.mtime_nsec());
        if modified != self.modified {
            self.modified = modified;
            self.is_suspect = metadata.size() == self.offset;
        }
        self.note_size(metadata.size(), now);
    }

    pub(super) fn note_size(&mut self, size: u64, now: Instant) {
        if size != self.size {
            self.size = size;
            self.grown_at = now;
        }
    }

    /// Looks after a file that the patterns no longer find; false when it is done with.
    pub(super) fn follow(&mut self, id: FileId, now: Instant) -> bool {
        if self.open.is_none()
            && let Some(path) = find_by_inode(&self.path, id)
            && let Ok(file) = File::open(&path)
            && file.metadata().is_ok_and(|found| FileId::of(&found) == id)
        {
            self.open = Some(file);
            // It may still be written to, by whoever has it open.
            self.grown_at = now;
        }
        let size = self
            .open
            .as_ref()
            .and_then(|file| file.metadata().ok())
            .map(|m| m.size());
        let Some(size) = size else {
            return false;
        };
        self.note_size(size, now);
        self.size > self.offset && self.incomplete_at != Some(self.size)
            || now.duration_since(self.grown_at) < HOLD_TIME
    }

    /// Whether there is something to read that was not looked at before.
    pub(super) fn is_ready(&self, now: Instant, flush_period: Option<Duration>) -> bool {
        let has_grown = self.size > self.offset && self.incomplete_at != Some(self.size);
        let was_truncated = self.size < self.offset;
        has_grown || was_truncated || self.is_suspect || self.is_to_be_flushed(now, flush_period)
    }

    /// Whether an incomplete last line has waited long enough.
    pub(super) fn is_to_be_flushed(&self, now: Instant, flush_period: Option<Duration>) -> bool {
        self.size > self.offset
            && self.incomplete_at == Some(self.size)
            && flush_period.is_some_and(|period| now.duration_since(self.grown_at) >= period)
    }

    /// The open file, or the one at the path if it is still the same.
    pub(super) fn take_open(&mut self, id: FileId) -> io::Result<File> {
        if let Some(file) = self.open.take() {
            return Ok(file);
        }
        let file = File::open(&self.path)?;
        if FileId::of(&file.metadata()?) == id {
            Ok(file)
        } else {
            Err(io::Error::new(
                io::ErrorKind::NotFound,
                "it was replaced by another file",
            ))
        }
    }

    pub(super) fn checkpoint(&self, id: FileId) -> Checkpoint {
        Checkpoint {
            key: self.key,
            path: self.path.clone(),
            device: id.device,
            inode: id.inode,
            offset: self.offset,
            head: self.head,
            tail: self.tail,
        }
    }
}

/// Looks for a file in the directory where it was last seen.
fn find_by_inode(last_path: &Path, id: FileId) -> Option<PathBuf> {
    let directory = last_path.parent()?;
    std::fs::read_dir(directory)
        .ok()?
        .filter_map(Result::ok)
        .find(|entry| entry.ino() == id.inode)
        .map(|entry| entry.path())
}

/// What a directory holds, by inode.
pub(super) fn paths_by_inode(directory: &Path) -> HashMap<u64, PathBuf> {
    std::fs::read_dir(directory)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .map(|entry| (entry.ino(), entry.path()))
        .collect()
}
