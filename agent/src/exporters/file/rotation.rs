//! Setting a full file aside under a name with the time, and keeping only so many of those.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use pipeline::clock;
use serde::{Deserialize, Serialize};

/// The time in the name of a file that was set aside.
const TIME: &str = "%Y-%m-%dT%H-%M-%S%.3f";

/// When a file is full, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Rotation {
    /// `false` is as if the block were not there.
    pub(crate) enabled: bool,
    /// Size in MiB beyond which a new file begins.
    pub(crate) max_megabytes: u64,
    /// Days after which files set aside are removed; 0 for never.
    pub(crate) max_days: u64,
    /// Files set aside that are kept; 0 for all.
    pub(crate) max_backups: usize,
    /// Must be false: they are named by UTC.
    pub(crate) localtime: bool,
}

impl Default for Rotation {
    fn default() -> Self {
        Self {
            enabled: true,
            max_megabytes: 100,
            max_days: 0,
            max_backups: 100,
            localtime: false,
        }
    }
}

impl Rotation {
    /// Whether a file of `size_bytes` is full before another `more_bytes`. An empty file never is.
    pub(super) fn is_due(&self, size_bytes: u64, more_bytes: u64) -> bool {
        let max_bytes = self.max_megabytes.max(1) << 20;
        self.enabled && size_bytes > 0 && size_bytes.saturating_add(more_bytes) > max_bytes
    }

    /// Renames the file, and removes files that were set aside before and are too many or too old.
    ///
    /// # Errors
    /// When it is there and cannot be renamed. What cannot be removed is told in the log and stays.
    pub(super) fn set_aside(&self, path: &Path) -> io::Result<()> {
        let (stem, extension) = parts(path);
        let mut now = i128::from(clock::unix_nano());
        let mut aside = path.to_owned();
        while aside.exists() {
            let time = Timestamp::from_nanosecond(now).map_err(io::Error::other)?;
            let time = time.to_zoned_datetime(TimeZone::UTC).strftime(TIME);
            aside.set_file_name(format!("{stem}-{time}{extension}"));
            now += 1_000_000;
        }
        match std::fs::rename(path, &aside) {
            // Somebody else took it away, or an earlier attempt came this far: a new one begins.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            renamed => renamed?,
        }
        for old in self.superfluous(&aside_files(path)?) {
            if let Err(error) = std::fs::remove_file(&old) {
                tracing::warn!(path = %old.display(), %error, "cannot remove an old file");
            }
        }
        Ok(())
    }

    /// Those of `files`, oldest first, that are not kept.
    fn superfluous(&self, files: &[PathBuf]) -> Vec<PathBuf> {
        let too_many = match self.max_backups {
            0 => 0,
            kept => files.len().saturating_sub(kept),
        };
        let max_age = Duration::from_secs(self.max_days.saturating_mul(24 * 3_600));
        let is_too_old = |path: &PathBuf| {
            let modified = std::fs::metadata(path).and_then(|metadata| metadata.modified());
            let age = modified.ok().and_then(|time| time.elapsed().ok());
            self.max_days > 0 && age.is_some_and(|age| age > max_age)
        };
        let numbered = files.iter().enumerate();
        let removed = numbered.filter(|(at, path)| *at < too_many || is_too_old(path));
        removed.map(|(_, path)| path.clone()).collect()
    }
}

/// Files that were set aside from `path`, oldest first: the time in their names sorts them.
fn aside_files(path: &Path) -> io::Result<Vec<PathBuf>> {
    let (stem, extension) = parts(path);
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let is_aside = |name: &str| {
        let time = name
            .strip_prefix(stem.as_str())
            .and_then(|rest| rest.strip_prefix('-'))
            .and_then(|rest| rest.strip_suffix(extension.as_str()));
        time.is_some_and(|time| jiff::civil::DateTime::strptime(TIME, time).is_ok())
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory.unwrap_or_else(|| Path::new(".")))? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(is_aside) {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

/// File name without and with its last extension, which keeps its dot.
fn parts(path: &Path) -> (String, String) {
    let text = |part: Option<&std::ffi::OsStr>| {
        part.map(|part| part.to_string_lossy().into_owned())
            .unwrap_or_default()
    };
    let extension = path
        .extension()
        .map(|_| format!(".{}", text(path.extension())));
    (text(path.file_stem()), extension.unwrap_or_default())
}
