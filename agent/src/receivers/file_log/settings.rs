//! Options of the receiver as they are used.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::globs::Globs;
use super::lines::Splitter;
use super::{Config, Encoding, StartAt};

/// How much of one file is read at once, in bytes, unless an entry is longer.
pub(super) const CHUNK_SIZE_BYTES: usize = 256 << 10;

/// A batch is complete when it has this many bytes.
pub(super) const BATCH_SIZE_BYTES: usize = 256 << 10;

/// A batch is complete when it has this many lines.
pub(super) const BATCH_LINES: u32 = 1_000;

/// What the options come down to.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) globs: Globs,
    pub(super) splitter: Splitter,
    pub(super) encoding: Encoding,
    pub(super) start_at: StartAt,
    pub(super) exclude_older_than: Option<Duration>,
    pub(super) head_len: usize,
    pub(super) flush_period: Option<Duration>,
    pub(super) open_max: usize,
    names: Names,
    attributes: Vec<(String, String)>,
    pub(super) resource: Vec<(String, String)>,
    pub(super) state_directory: Option<PathBuf>,
}

/// Which attributes tell where a line is from.
#[derive(Copy, Clone, Debug)]
struct Names {
    name: bool,
    path: bool,
    name_resolved: bool,
    path_resolved: bool,
}

impl Settings {
    pub(super) fn new(config: &Config, globs: Globs, state_directory: Option<PathBuf>) -> Self {
        let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        let pairs = |map: &BTreeMap<String, String>| {
            map.iter()
                .map(|(key, text)| (key.clone(), text.clone()))
                .collect()
        };
        let is_text = config.encoding == Encoding::Utf8;
        Self {
            globs,
            splitter: Splitter {
                entry_size_bytes_max: size(config.max_log_size.0),
                by_line: is_text,
                keeps_leading_blanks: config.preserve_leading_whitespaces,
                keeps_trailing_blanks: config.preserve_trailing_whitespaces,
            },
            encoding: config.encoding,
            start_at: config.start_at,
            exclude_older_than: config.exclude_older_than.map(|interval| interval.0),
            head_len: size(config.fingerprint_size.0),
            flush_period: Some(config.force_flush_period.0).filter(|period| !period.is_zero()),
            open_max: config.max_concurrent_files as usize,
            names: Names {
                name: config.include_file_name,
                path: config.include_file_path,
                name_resolved: config.include_file_name_resolved,
                path_resolved: config.include_file_path_resolved,
            },
            attributes: pairs(&config.attributes),
            resource: pairs(&config.resource),
            state_directory,
        }
    }
}

/// The most memory, in bytes, that reading a batch takes.
pub(super) fn batch_size_bytes_max(config: &Config) -> usize {
    let longest = usize::try_from(config.max_log_size.0).unwrap_or(usize::MAX);
    // The last entry may be read when the batch is nearly full, and is in the chunk and the batch.
    let chunk = CHUNK_SIZE_BYTES.max(longest);
    BATCH_SIZE_BYTES.saturating_add(chunk.saturating_mul(2))
}

impl Settings {
    /// Attributes of lines of the file at `path`: where they are from, and what the user added.
    pub(super) fn attributes_of(&self, path: &Path) -> Vec<(&str, String)> {
        let mut attributes = self.names.attributes(path);
        for (key, text) in &self.attributes {
            if attributes.iter().all(|(known, _)| known != key) {
                attributes.push((key, text.clone()));
            }
        }
        attributes
    }
}

impl Names {
    fn attributes(self, path: &Path) -> Vec<(&'static str, String)> {
        let is_resolved = self.name_resolved || self.path_resolved;
        let resolved = if is_resolved {
            std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
        } else {
            PathBuf::new()
        };
        [
            (self.name, "log.file.name", name_of(path)),
            (self.path, "log.file.path", path.as_os_str()),
            (
                self.name_resolved,
                "log.file.name_resolved",
                name_of(&resolved),
            ),
            (
                self.path_resolved,
                "log.file.path_resolved",
                resolved.as_os_str(),
            ),
        ]
        .into_iter()
        .filter(|(is_on, ..)| *is_on)
        .map(|(_, key, text)| (key, text.to_string_lossy().into_owned()))
        .collect()
    }
}

fn name_of(path: &Path) -> &OsStr {
    path.file_name().unwrap_or_default()
}
