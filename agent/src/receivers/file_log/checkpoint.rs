//! Where each file was read to, kept across restarts.
//!
//! One text file, `checkpoints`, in the state directory of the receiver. Its first line is
//! `skybridge file_log 1`; each further line is a JSON object: a [`Checkpoint`], `{"gone": key}`, or
//! `{"discovered": time}`, when the last look for files began, in nanoseconds since the Unix epoch.
//! A later line about a key replaces the earlier one. Changes are appended in one write when the
//! lines they stand for are acknowledged, so a killed process has lost none.
//! When the file has grown to several times its content it is written anew beside itself, synced
//! and renamed.
//!
//! Appending is not synced. What a crash of the whole machine takes away is read again: lines may
//! come twice then, none is lost. The same holds for a line that cannot be read (a torn last line
//! is expected after a crash; anything else is told, and the file is kept aside as
//! `checkpoints.corrupt`): a file whose position is unknown is read from its beginning, whatever
//! `start_at` says, because to skip lines that were never acknowledged would lose them.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

const FILE_NAME: &str = "checkpoints";
const HEADING: &str = "skybridge file_log 1";

/// Appended lines before the file is written anew, beyond four for each checkpoint.
const SLACK_LINES: usize = 1_000;

/// How far one file was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    /// Names this checkpoint among all of the receiver.
    pub(super) key: u64,
    /// Where the patterns last found the file.
    pub(super) path: PathBuf,
    /// Device number of the file.
    pub(super) device: u64,
    /// Inode number of the file.
    pub(super) inode: u64,
    /// All before this position, in bytes, is acknowledged.
    pub(super) offset: u64,
    /// The first bytes of the file.
    pub(super) head: Print,
    /// The bytes just before `offset`.
    pub(super) tail: Print,
}

/// A hash of some bytes of a file, to recognize them.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Print {
    /// How many bytes; 0 says nothing.
    pub(super) len: u32,
    hash: u64,
}

/// Length in bytes of the print before an offset.
const TAIL_LEN: u64 = 256;

impl Print {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self {
            len: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
            hash: xxh3_64(bytes),
        }
    }

    /// Whether `bytes` begin with these.
    pub(super) fn begins(&self, bytes: &[u8]) -> bool {
        bytes
            .get(..self.len as usize)
            .is_some_and(|head| Self::of(head) == *self)
    }

    /// Of the bytes of `file` just before `offset`.
    pub(super) fn tail(file: &File, offset: u64) -> io::Result<Self> {
        let start = offset.saturating_sub(TAIL_LEN);
        let mut bytes = vec![0; usize::try_from(offset - start).unwrap_or_default()];
        let read = read_at(file, &mut bytes, start)?;
        bytes.truncate(read);
        Ok(Self::of(&bytes))
    }

    /// Whether `file` has these bytes just before `end`; so has every file when there are none.
    pub(super) fn is_before(&self, file: &File, end: u64) -> io::Result<bool> {
        if self.len == 0 {
            return Ok(true);
        }
        let Some(start) = end.checked_sub(u64::from(self.len)) else {
            return Ok(false);
        };
        let mut bytes = vec![0; self.len as usize];
        let read = read_at(file, &mut bytes, start)?;
        Ok(read == bytes.len() && Self::of(&bytes) == *self)
    }
}

/// The first bytes of `file`, at most `len`.
pub(super) fn read_head(file: &File, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; len];
    let read = read_at(file, &mut bytes, 0)?;
    bytes.truncate(read);
    Ok(bytes)
}

/// Fills `bytes` from position `at`; fewer only at the end of the file.
pub(super) fn read_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, at + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// The checkpoints of one receiver, on disk where it has a state directory.
#[derive(Debug, Default)]
pub(super) struct Store {
    path: Option<PathBuf>,
    log: Option<File>,
    entries: BTreeMap<u64, Checkpoint>,
    next_key: u64,
    discovered_unix_nano: u64,
    changed: String,
    lines: usize,
}

/// What a store knew when it was opened.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Loaded {
    /// When the last look for files began, in nanoseconds since the Unix epoch; `None` when files
    /// were never looked for.
    pub(super) discovered_unix_nano: Option<u64>,
    /// Whether something is missing, so that a file without a checkpoint may have had one.
    pub(super) is_incomplete: bool,
    /// Whether what is missing is more than a crash explains.
    pub(super) is_corrupt: bool,
}

/// What a line may say beside a checkpoint.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Note {
    Gone(u64),
    Discovered(u64),
}

impl Store {
    /// Opens the store in `directory`; without one, nothing survives the process.
    pub(super) fn open(directory: Option<&Path>) -> io::Result<(Self, Loaded)> {
        let mut store = Self::default();
        let Some(directory) = directory else {
            return Ok((store, Loaded::default()));
        };
        std::fs::create_dir_all(directory)?;
        let path = directory.join(FILE_NAME);
        let loaded = match std::fs::read(&path) {
            Ok(bytes) => store.load(&bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Loaded::default(),
            Err(error) => return Err(error),
        };
        if loaded.is_corrupt {
            std::fs::rename(&path, path.with_extension("corrupt"))?;
        }
        store.path = Some(path);
        store.rewrite()?;
        Ok((store, loaded))
    }

    /// All checkpoints, by key.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Checkpoint> {
        self.entries.values()
    }

    /// The checkpoint with this key.
    pub(super) fn get(&self, key: u64) -> Option<&Checkpoint> {
        self.entries.get(&key)
    }

    /// A key that no other checkpoint has.
    pub(super) fn new_key(&mut self) -> u64 {
        self.next_key += 1;
        self.next_key
    }

    /// Notes a checkpoint; on disk after [`save`](Self::save).
    pub(super) fn put(&mut self, checkpoint: Checkpoint) {
        self.note(&checkpoint);
        self.entries.insert(checkpoint.key, checkpoint);
    }

    /// Forgets a checkpoint.
    pub(super) fn remove(&mut self, key: u64) {
        if self.entries.remove(&key).is_some() {
            self.note(&Note::Gone(key));
        }
    }

    /// Notes when a look for files began whose result is in the store. Alone it is no reason to
    /// write.
    pub(super) fn discovered(&mut self, at_unix_nano: u64) {
        self.discovered_unix_nano = at_unix_nano;
    }

    /// Writes what was noted since the last time. After an error nothing is forgotten: the next
    /// call writes the whole store.
    pub(super) fn save(&mut self) -> io::Result<()> {
        if self.path.is_none() || self.changed.is_empty() {
            self.changed.clear();
            return Ok(());
        }
        self.note(&Note::Discovered(self.discovered_unix_nano));
        let Some(log) = &mut self.log else {
            return self.rewrite();
        };
        if self.lines > self.entries.len() * 4 + SLACK_LINES {
            return self.rewrite();
        }
        match log.write_all(self.changed.as_bytes()) {
            Ok(()) => {
                self.changed.clear();
                Ok(())
            }
            Err(error) => {
                self.log = None;
                Err(error)
            }
        }
    }

    fn note(&mut self, line: &impl Serialize) {
        // Plain numbers and strings always serialize; a path that is not UTF-8 does not, and is
        // not kept across restarts.
        if let Ok(json) = serde_json::to_string(line) {
            self.changed.push_str(&json);
            self.changed.push('\n');
            self.lines += 1;
        }
    }

    /// Replaces the file by one that holds the current checkpoints, synced.
    pub(super) fn rewrite(&mut self) -> io::Result<()> {
        let Some(path) = self.path.clone() else {
            return Ok(());
        };
        self.log = None;
        self.changed.clear();
        self.changed.push_str(HEADING);
        self.changed.push('\n');
        self.lines = 1;
        let entries = std::mem::take(&mut self.entries);
        for entry in entries.values() {
            self.note(entry);
        }
        self.entries = entries;
        if self.discovered_unix_nano > 0 {
            self.note(&Note::Discovered(self.discovered_unix_nano));
        }
        let temporary = path.with_extension("new");
        let mut file = File::create(&temporary)?;
        file.write_all(self.changed.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&temporary, &path)?;
        if let Some(directory) = path.parent() {
            File::open(directory)?.sync_all()?;
        }
        self.log = Some(OpenOptions::new().append(true).open(&path)?);
        self.changed.clear();
        Ok(())
    }

    /// Reads what is readable.
    fn load(&mut self, bytes: &[u8]) -> Loaded {
        let text = String::from_utf8_lossy(bytes);
        let mut lines = text.split_inclusive('\n').peekable();
        let mut is_corrupt = lines.next().is_none_or(|line| line.trim_end() != HEADING);
        let mut is_torn = false;
        while let Some(line) = lines.next() {
            if !self.load_line(line) {
                let is_last = lines.peek().is_none();
                if is_last && !line.ends_with('\n') {
                    is_torn = true;
                } else {
                    is_corrupt = true;
                }
            }
        }
        Loaded {
            discovered_unix_nano: Some(self.discovered_unix_nano).filter(|at| *at > 0),
            is_incomplete: is_corrupt || is_torn,
            is_corrupt,
        }
    }

    fn load_line(&mut self, line: &str) -> bool {
        if let Ok(checkpoint) = serde_json::from_str::<Checkpoint>(line) {
            self.next_key = self.next_key.max(checkpoint.key);
            self.entries.insert(checkpoint.key, checkpoint);
            return true;
        }
        match serde_json::from_str(line) {
            Ok(Note::Gone(key)) => {
                self.entries.remove(&key);
                true
            }
            Ok(Note::Discovered(at)) => {
                self.discovered_unix_nano = at;
                true
            }
            Err(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint(key: u64, offset: u64) -> Checkpoint {
        Checkpoint {
            key,
            path: PathBuf::from("/var/log/x.log"),
            device: 1,
            inode: 2,
            offset,
            head: Print::of(b"head"),
            tail: Print::of(b"tail"),
        }
    }

    fn offsets(store: &Store) -> Vec<(u64, u64)> {
        store.entries().map(|e| (e.key, e.offset)).collect()
    }

    #[test]
    fn what_was_saved_is_there_after_a_kill() {
        let folder = tempfile::tempdir().unwrap();
        let (mut store, loaded) = Store::open(Some(folder.path())).unwrap();
        assert_eq!(loaded, Loaded::default());
        store.discovered(7);
        store.put(checkpoint(1, 10));
        store.put(checkpoint(2, 20));
        store.save().unwrap();
        store.put(checkpoint(1, 30));
        store.remove(2);
        store.save().unwrap();
        store.put(checkpoint(1, 99));
        // Not saved, and never closed.
        std::mem::forget(store);
        let (mut store, loaded) = Store::open(Some(folder.path())).unwrap();
        assert_eq!(loaded.discovered_unix_nano, Some(7));
        assert!(!loaded.is_incomplete && !loaded.is_corrupt);
        assert_eq!(offsets(&store), [(1, 30)]);
        assert_eq!(store.new_key(), 3);
    }

    #[test]
    fn a_torn_last_line_is_expected() {
        let folder = tempfile::tempdir().unwrap();
        let (mut store, _) = Store::open(Some(folder.path())).unwrap();
        store.put(checkpoint(1, 10));
        store.save().unwrap();
        let path = folder.path().join(FILE_NAME);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.extend_from_slice(b"{\"key\":1,\"path\":\"/var");
        std::fs::write(&path, bytes).unwrap();
        let (store, loaded) = Store::open(Some(folder.path())).unwrap();
        assert!(loaded.is_incomplete && !loaded.is_corrupt);
        assert_eq!(offsets(&store), [(1, 10)]);
    }

    #[test]
    fn a_corrupt_store_is_told_and_kept_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        for garbage in [
            &b"\xff\0garbage"[..],
            b"",
            b"skybridge file_log 1\n{}\n{\"gone\":1}\n",
        ] {
            std::fs::write(&path, garbage).unwrap();
            let (store, loaded) = Store::open(Some(folder.path())).unwrap();
            assert!(loaded.is_incomplete && loaded.is_corrupt);
            assert_eq!(offsets(&store), []);
            let aside = std::fs::read(path.with_extension("corrupt")).unwrap();
            assert_eq!(aside, garbage);
        }
    }

    #[test]
    fn the_file_does_not_grow_without_bound() {
        let folder = tempfile::tempdir().unwrap();
        let (mut store, _) = Store::open(Some(folder.path())).unwrap();
        for offset in 0..10_000 {
            store.put(checkpoint(1, offset));
            store.save().unwrap();
        }
        let size = folder.path().join(FILE_NAME).metadata().unwrap().len();
        assert!(size < 300_000, "{size}");
        let (store, _) = Store::open(Some(folder.path())).unwrap();
        assert_eq!(offsets(&store), [(1, 9_999)]);
    }

    #[test]
    fn prints_recognize_the_bytes_before_a_position() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        std::fs::write(&path, "0123456789").unwrap();
        let file = File::open(&path).unwrap();
        let tail = Print::tail(&file, 5).unwrap();
        assert_eq!(tail, Print::of(b"01234"));
        assert!(tail.is_before(&file, 5).unwrap());
        assert!(!tail.is_before(&file, 6).unwrap());
        assert!(!tail.is_before(&file, 4).unwrap());
        assert!(Print::of(b"012").begins(b"012345"));
        assert!(!Print::of(b"012").begins(b"01"));
        assert!(!Print::of(b"0123456789ab").is_before(&file, 12).unwrap());
    }
}
