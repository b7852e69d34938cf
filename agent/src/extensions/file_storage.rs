//! Where spools and checkpoints are kept on disk.
//!
//! Only the directory matters here. The other options of the OpenTelemetry Collector tune the
//! database that it keeps there; ours are append-only segments that need no compaction, are synced
//! before anything is acknowledged, and are never started anew because of damage.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use pipeline::Fatal;
use serde::{Deserialize, Serialize};

use crate::config::values::Interval;
use crate::config::{Check, Problem};

/// Who may enter a directory that is made here: its owner, and the group to look.
const DIRECTORY_MODE: u32 = 0o750;

/// Options of the `file_storage` extension.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Where state is kept. Must exist, unless `create_directory` is set.
    pub(crate) directory: PathBuf,
    /// Make the directory when it is missing.
    pub(crate) create_directory: bool,
    /// Read for compatibility and without effect: a directory in use is told at once.
    pub(crate) timeout: Interval,
    /// Read for compatibility and without effect: what is acknowledged is always synced.
    pub(crate) fsync: bool,
    /// Read for compatibility and without effect: there is nothing to compact.
    #[serde(skip_serializing_if = "serde_json::Value::is_null")]
    pub(crate) compaction: serde_json::Value,
    /// Read for compatibility and without effect: damage never makes a store start anew.
    pub(crate) recreate: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            directory: PathBuf::from("/var/lib/skybridge"),
            create_directory: false,
            timeout: Interval::from_secs(1),
            fsync: true,
            compaction: serde_json::Value::Null,
            recreate: false,
        }
    }
}

impl Check for Config {
    fn check(&self) -> Result<(), Problem> {
        if self.directory.as_os_str().is_empty() {
            return Err(Problem::at(
                "directory",
                "the directory is empty",
                "write for example /var/lib/skybridge",
            ));
        }
        Ok(())
    }
}

/// Makes sure that the directory is there.
///
/// # Errors
/// When it is missing and may not be made, or cannot be made.
pub(crate) fn prepare(config: &Config) -> Result<PathBuf, Fatal> {
    let directory = &config.directory;
    if config.create_directory {
        create(directory).map_err(|error| {
            Fatal::caused(
                format!("cannot create the directory {}", directory.display()),
                error,
            )
        })?;
    }
    if !directory.is_dir() {
        let directory = directory.display();
        return Err(Fatal::new(format!(
            "the storage directory {directory} does not exist; \
             make it, or write `create_directory: true` in file_storage"
        )));
    }
    Ok(directory.clone())
}

fn create(directory: &Path) -> std::io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(DIRECTORY_MODE)
        .create(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_directory_is_made_only_when_asked() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("a/b");
        let mut config = Config {
            directory: directory.clone(),
            ..Config::default()
        };
        let refused = prepare(&config).unwrap_err().to_string();
        assert!(refused.contains("create_directory: true"), "{refused}");
        config.create_directory = true;
        assert_eq!(prepare(&config).unwrap(), directory);
        assert!(directory.is_dir());
    }
}
