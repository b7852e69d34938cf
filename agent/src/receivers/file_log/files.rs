//! The files that are followed, and how each is recognized.
//!
//! A file is its device and inode, and the bytes just before the position that was read last. If
//! those bytes are no longer there, the content was replaced (truncated, or an inode used again),
//! and reading starts again. A file under a new inode is taken for the rest of a known one when it
//! has the same first bytes and the same bytes before the known position: that is the copy of
//! copy-and-truncate, or a file moved from another file system. Files shorter than
//! `fingerprint_size` are too easily alike for that, and must also be named alike (`app.log` and
//! `app.log.1`). In doubt a file is new and is read whole: a line may come twice, none is lost.
//!
//! A copy that appears while its original is still complete could be one half of copy-and-truncate;
//! it waits until the original is truncated or [`SETTLE_TIME`] has passed, or its end would be read
//! from both.
//!
//! Idle files are not kept open. A file stays open for [`HOLD_TIME`] after it last grew, so that it
//! can be read to its end although it was deleted or compressed meanwhile; one that was closed
//! before it was moved out of sight is looked for in its directory by its inode.

mod reading;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, UNIX_EPOCH};

use otlp::write::LogsWriter;
use pipeline::clock;

pub(super) use self::reading::{Position, Read};
use super::StartAt;
use super::checkpoint::{Checkpoint, Loaded, Print, Store, read_head};
use super::newcomer::Newcomer;
use super::settings::Settings;
use super::tracked::{FileId, HOLD_TIME, Tracked, paths_by_inode};

/// How long a copy waits for its original to be truncated.
const SETTLE_TIME: Duration = Duration::from_secs(10);

/// Checkpoints of files that are gone; the oldest are forgotten beyond this.
const RETIRED_MAX: usize = 10_000;

/// A file may have been created this much before the clock said so, in nanoseconds: the kernel
/// stamps files with a coarse clock.
const CREATION_SLACK_NS: u64 = 1_000_000_000;

/// All files of one receiver.
#[derive(Debug)]
pub(super) struct Files {
    settings: Settings,
    store: Store,
    loaded: Loaded,
    is_first_look: bool,
    tracked: HashMap<FileId, Tracked>,
    /// How many of them are open.
    open_count: usize,
    /// Keys of checkpoints whose file is gone or was replaced, oldest first.
    retired: VecDeque<u64>,
    /// Copies that wait, since when.
    settling: HashMap<FileId, Instant>,
    /// Compressed files, which are not read, and files that cannot be opened: each is said once.
    compressed: BTreeSet<FileId>,
    closed: BTreeSet<FileId>,
    /// Files with something to read, each once, in turn.
    ready: VecDeque<FileId>,
    writer: LogsWriter,
    buffer: Vec<u8>,
    oddities: Oddities,
    is_save_failing: bool,
}

impl Files {
    /// Opens the checkpoints.
    pub(super) fn open(settings: Settings) -> io::Result<Self> {
        let (store, loaded) = Store::open(settings.state_directory.as_deref())?;
        if loaded.is_corrupt {
            tracing::warn!(
                directory = ?settings.state_directory,
                "the checkpoints cannot be read and are kept aside; files without one are read \
                 from their beginning, because nobody knows which lines were passed on"
            );
        }
        let retired = store.entries().map(|entry| entry.key).collect();
        Ok(Self {
            settings,
            store,
            loaded,
            is_first_look: true,
            tracked: HashMap::new(),
            open_count: 0,
            retired,
            settling: HashMap::new(),
            compressed: BTreeSet::new(),
            closed: BTreeSet::new(),
            ready: VecDeque::new(),
            writer: LogsWriter::new(),
            buffer: Vec::new(),
            oddities: Oddities::default(),
            is_save_failing: false,
        })
    }

    /// Looks which files exist and which have grown; true when there is something to read.
    pub(super) fn look(&mut self) -> bool {
        let began_unix_nano = clock::unix_nano();
        let now = clock::monotonic();
        for tracked in self.tracked.values_mut() {
            tracked.is_in_sight = false;
        }
        let mut present = BTreeSet::new();
        let mut newcomers = Vec::new();
        for (path, metadata) in self.settings.globs.find() {
            let id = FileId::of(&metadata);
            // A file may be found by two names; the first in order stands for it.
            if !present.insert(id) {
                continue;
            }
            match self.tracked.get_mut(&id) {
                Some(tracked) => tracked.see(path, &metadata, now),
                None => newcomers.push((id, path, metadata)),
            }
        }
        self.follow_out_of_sight(now);
        for (id, path, metadata) in newcomers {
            self.meet(id, path, &metadata, now);
        }
        if self.is_first_look {
            self.resume_out_of_sight(&present, now);
        }
        self.compressed.retain(|id| present.contains(id));
        self.closed.retain(|id| present.contains(id));
        self.settling.retain(|id, _| present.contains(id));
        self.finish_look(began_unix_nano);
        self.list_ready(now)
    }

    /// Notes that the lines before `positions` are acknowledged; true when more can be read.
    pub(super) fn advance(&mut self, positions: Vec<Position>) -> bool {
        let now = clock::monotonic();
        for position in positions {
            let Some(tracked) = self.tracked.get_mut(&position.id) else {
                continue;
            };
            if tracked.key != position.key {
                continue;
            }
            tracked.offset = position.offset;
            tracked.tail = position.tail;
            let checkpoint = tracked.checkpoint(position.id);
            if tracked.is_ready(now, self.settings.flush_period) {
                self.ready.push_back(position.id);
            }
            self.store.put(checkpoint);
        }
        self.save();
        !self.ready.is_empty()
    }

    /// Says what was counted, and closes all files.
    pub(super) fn close(&mut self) {
        let Oddities {
            cut_lines,
            replaced_lines,
        } = self.oddities;
        if cut_lines + replaced_lines > 0 {
            tracing::info!(
                cut_lines,
                replaced_lines,
                "lines that were changed while reading"
            );
        }
        self.save();
        self.tracked.clear();
    }
}

/// Which files there are.
impl Files {
    /// Goes on with files that the patterns no longer find: renamed or deleted.
    fn follow_out_of_sight(&mut self, now: Instant) {
        let gone: Vec<FileId> = self
            .tracked
            .iter_mut()
            .filter(|(_, tracked)| !tracked.is_in_sight)
            .filter_map(|(id, tracked)| (!tracked.follow(*id, now)).then_some(*id))
            .collect();
        for id in gone {
            if let Some(tracked) = self.tracked.remove(&id) {
                self.retire(tracked.key);
            }
        }
    }

    /// Goes on with files that were renamed while nobody looked, to where the patterns do not find
    /// them, and have not been read to their end. Each directory is listed once.
    fn resume_out_of_sight(&mut self, present: &BTreeSet<FileId>, now: Instant) {
        let mut listings: HashMap<PathBuf, HashMap<u64, PathBuf>> = HashMap::new();
        for key in Vec::from(self.retired.clone()) {
            let Some(checkpoint) = self.store.get(key).cloned() else {
                continue;
            };
            let id = FileId::in_checkpoint(&checkpoint);
            let directory = checkpoint.path.parent().unwrap_or_else(|| Path::new(""));
            if present.contains(&id) {
                continue;
            }
            let listing = listings
                .entry(directory.to_owned())
                .or_insert_with(|| paths_by_inode(directory));
            // One that is still where it was is no longer wanted.
            let moved = listing
                .get(&id.inode)
                .filter(|path| **path != checkpoint.path);
            if let Some(path) = moved
                && let Some(tracked) = Tracked::resume(id, path, &checkpoint, now)
            {
                self.retired.retain(|retired| *retired != key);
                self.store.put(tracked.checkpoint(id));
                self.tracked.insert(id, tracked);
            }
        }
    }

    /// Decides where to begin with a file that was not there before.
    fn meet(&mut self, id: FileId, path: PathBuf, metadata: &Metadata, now: Instant) {
        if self.compressed.contains(&id) || self.is_too_old(metadata) {
            return;
        }
        let Some((head, file)) = self.open_newcomer(id, &path) else {
            return;
        };
        let newcomer = Newcomer {
            id,
            path: &path,
            head: &head,
            head_print: Print::of(&head),
            file: &file,
        };
        if newcomer.is_gzip() {
            tracing::info!(path = %path.display(), "this file is compressed and not read");
            self.compressed.insert(id);
            return;
        }
        let Some((key, offset)) = self.place(&newcomer, metadata, now) else {
            return;
        };
        let tracked = Tracked {
            key,
            offset,
            head: newcomer.head_print,
            tail: Print::tail(&file, offset).unwrap_or_default(),
            size: metadata.size(),
            incomplete_at: None,
            grown_at: now,
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            is_suspect: false,
            is_failing: false,
            is_in_sight: true,
            open: None,
            path,
        };
        self.store.put(tracked.checkpoint(id));
        self.tracked.insert(id, tracked);
    }

    /// A file and its first bytes. One that cannot be opened is tried again at each look.
    fn open_newcomer(&mut self, id: FileId, path: &Path) -> Option<(Vec<u8>, File)> {
        let opened =
            File::open(path).and_then(|file| Ok((read_head(&file, self.settings.head_len)?, file)));
        match opened {
            Ok(opened) => Some(opened),
            Err(error) => {
                if self.closed.insert(id) {
                    tracing::warn!(path = %path.display(), %error, "this file cannot be read");
                }
                None
            }
        }
    }

    /// The key of a newcomer's checkpoint and where to begin; `None` while a copy waits.
    fn place(
        &mut self,
        newcomer: &Newcomer<'_>,
        metadata: &Metadata,
        now: Instant,
    ) -> Option<(u64, u64)> {
        let (key, offset) = match self.known(newcomer) {
            Known::Rest(checkpoint) => {
                self.retired.retain(|key| *key != checkpoint.key);
                (checkpoint.key, checkpoint.offset)
            }
            Known::Copy(_) if !self.has_settled(newcomer.id, now) => return None,
            Known::Copy(original) => (self.store.new_key(), original.offset),
            Known::Nothing => {
                let offset = self.first_offset(newcomer.id, metadata);
                (self.store.new_key(), offset)
            }
        };
        self.settling.remove(&newcomer.id);
        Some((key, offset))
    }

    fn is_too_old(&self, metadata: &Metadata) -> bool {
        let Some(limit) = self.settings.exclude_older_than else {
            return false;
        };
        let now = UNIX_EPOCH + Duration::from_nanos(clock::unix_nano());
        metadata
            .modified()
            .ok()
            .and_then(|modified| now.duration_since(modified).ok())
            .is_some_and(|age| age > limit)
    }

    /// Where reading begins with a file of which nothing is known.
    fn first_offset(&self, id: FileId, metadata: &Metadata) -> u64 {
        if !self.is_first_look || self.settings.start_at == StartAt::Beginning {
            return 0;
        }
        // The file was followed, and its content was replaced while nobody looked.
        let mut retired = self.retired.iter().filter_map(|key| self.store.get(*key));
        if retired.any(|checkpoint| id.is_of(checkpoint)) {
            return 0;
        }
        let existed_before = match self.loaded.discovered_unix_nano {
            None => true,
            // It came while nobody looked, unless it is older than the last look and only new to
            // the patterns.
            Some(looked_at) => {
                let created = metadata.created().ok();
                created
                    .and_then(|created| created.duration_since(UNIX_EPOCH).ok())
                    .and_then(|since| u64::try_from(since.as_nanos()).ok())
                    .is_some_and(|at| at.saturating_add(CREATION_SLACK_NS) < looked_at)
            }
        };
        if existed_before && !self.loaded.is_incomplete {
            metadata.size()
        } else {
            0
        }
    }

    fn has_settled(&mut self, id: FileId, now: Instant) -> bool {
        let since = self.settling.entry(id).or_insert(now);
        now.duration_since(*since) >= SETTLE_TIME
    }

    /// Whether a file continues one that is known.
    fn known(&self, newcomer: &Newcomer<'_>) -> Known {
        let retired = || {
            let newest_first = self.retired.iter().rev();
            newest_first.filter_map(|key| self.store.get(*key))
        };
        let head_len = self.settings.head_len;
        let rest = retired()
            .find(|checkpoint| newcomer.is_same_file(checkpoint))
            .or_else(|| {
                retired().find(|checkpoint| newcomer.is_copy(&(*checkpoint).into(), head_len))
            });
        if let Some(checkpoint) = rest {
            return Known::Rest(checkpoint.clone());
        }
        match self.original(newcomer) {
            Some(checkpoint) => Known::Copy(checkpoint),
            None => Known::Nothing,
        }
    }

    /// The checkpoint of a file that is still there and of which this one is a copy.
    fn original(&self, newcomer: &Newcomer<'_>) -> Option<Checkpoint> {
        self.tracked
            .iter()
            .filter(|(id, _)| **id != newcomer.id)
            .find(|(_, tracked)| newcomer.is_copy(&(*tracked).into(), self.settings.head_len))
            .map(|(id, tracked)| tracked.checkpoint(*id))
    }

    /// Keeps a checkpoint for a file that may come back under another name.
    fn retire(&mut self, key: u64) {
        if self.store.get(key).is_some_and(|entry| entry.offset > 0) {
            self.retired.push_back(key);
        } else {
            self.store.remove(key);
        }
        while self.retired.len() > RETIRED_MAX {
            if let Some(oldest) = self.retired.pop_front() {
                self.store.remove(oldest);
            }
        }
    }

    fn finish_look(&mut self, began_unix_nano: u64) {
        self.store.discovered(began_unix_nano);
        if self.is_first_look {
            self.is_first_look = false;
            let saved = self.store.rewrite();
            self.tell_save(saved);
        } else {
            self.save();
        }
    }

    fn save(&mut self) {
        let saved = self.store.save();
        self.tell_save(saved);
    }

    fn tell_save(&mut self, saved: io::Result<()>) {
        match saved {
            Ok(()) => self.is_save_failing = false,
            Err(error) if !self.is_save_failing => {
                self.is_save_failing = true;
                tracing::warn!(
                    %error,
                    directory = ?self.settings.state_directory,
                    "checkpoints cannot be written; lines would come twice after a restart"
                );
            }
            Err(_) => {}
        }
    }

    /// Lists what has something to read, and closes what was idle for long, or for longest when too
    /// many files are open. One that is out of sight could not be opened again.
    fn list_ready(&mut self, now: Instant) -> bool {
        self.ready.clear();
        let mut open_count = 0_usize;
        let mut idle = Vec::new();
        for (id, tracked) in &mut self.tracked {
            let is_ready = tracked.is_ready(now, self.settings.flush_period);
            if is_ready {
                self.ready.push_back(*id);
            } else if now.duration_since(tracked.grown_at) > HOLD_TIME {
                tracked.open = None;
            }
            open_count += usize::from(tracked.open.is_some());
            if tracked.open.is_some() && tracked.is_in_sight && !is_ready {
                idle.push((tracked.grown_at, *id));
            }
        }
        idle.sort_unstable();
        let too_many = open_count.saturating_sub(self.settings.open_max);
        for (_, id) in idle.into_iter().take(too_many) {
            if let Some(tracked) = self.tracked.get_mut(&id) {
                tracked.open = None;
                open_count -= 1;
            }
        }
        self.open_count = open_count;
        if self.ready.is_empty() {
            self.buffer = Vec::new();
        }
        !self.ready.is_empty()
    }
}

/// What a new file continues.
enum Known {
    Nothing,
    /// A file that is gone, with its checkpoint.
    Rest(Checkpoint),
    /// A file that is still there, with its checkpoint.
    Copy(Checkpoint),
}

/// Counts of what had to be changed to become an entry. The first of each kind is said.
#[derive(Clone, Debug, Default)]
struct Oddities {
    cut_lines: u64,
    replaced_lines: u64,
}

impl Oddities {
    fn note_cut(&mut self, path: &Path) {
        if self.cut_lines == 0 {
            tracing::warn!(
                path = %path.display(),
                "a line is longer than max_log_size and becomes several entries"
            );
        }
        self.cut_lines += 1;
    }

    fn note_replaced(&mut self, path: &Path) {
        if self.replaced_lines == 0 {
            tracing::warn!(path = %path.display(), "bytes of a line are not UTF-8 and are replaced");
        }
        self.replaced_lines += 1;
    }
}
