//! Spools on disk.

use std::path::PathBuf;

use thiserror::Error;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::state::State;
use super::{CursorSettings, Inner, Mark, Record, Reservation, Span};
use crate::stats::DiskStats;
use crate::{Batch, Budget, Refused};

/// How a spool lies on disk.
#[derive(Clone, Debug)]
pub struct DiskSettings {
    /// The spool's own directory; created where it is missing.
    pub directory: PathBuf,
    /// The most bytes of records kept in memory beside the disk, for cursors that keep up.
    pub window_bytes: u64,
}

/// Most bytes of records kept in memory beside the disk, unless said otherwise.
const WINDOW_BYTES: u64 = 16 << 20;

impl DiskSettings {
    /// A spool in `directory` with the usual settings.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            window_bytes: WINDOW_BYTES,
        }
    }
}

/// Why a spool could not be opened.
#[derive(Debug, Error)]
#[error("cannot open the spool in {}", directory.display())]
pub struct OpenError {
    /// The spool's directory.
    pub directory: PathBuf,
    /// What was attempted, and what the system said.
    #[source]
    pub source: std::io::Error,
}

#[derive(Debug)]
pub(crate) enum Disk {}

pub(crate) struct Opened {
    pub(crate) disk: Disk,
    pub(crate) id: u128,
    pub(crate) state: State,
    pub(crate) newest_unix_nano: u64,
}

#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) records: Vec<Record>,
    pub(crate) unreadable: Vec<Span>,
}

impl Disk {
    pub(super) fn open(
        settings: DiskSettings,
        _cursors: Vec<CursorSettings>,
        _name: &str,
        _now: u64,
    ) -> Result<Opened, OpenError> {
        Err(OpenError {
            directory: settings.directory,
            source: std::io::ErrorKind::Unsupported.into(),
        })
    }

    pub(super) fn enqueue(
        &self,
        _spool: &std::sync::Arc<Inner>,
        _reservation: Reservation,
        _batch: Batch,
    ) -> oneshot::Receiver<Result<(), Refused>> {
        match *self {}
    }

    pub(super) fn read(&self, _budget: &Budget, _place: Mark) -> JoinHandle<Chunk> {
        match *self {}
    }

    pub(super) async fn tend(&self, _spool: &Inner) {
        match *self {}
    }

    pub(super) async fn finish(&self, _spool: &Inner) {
        match *self {}
    }

    pub(super) fn stats(&self, _state: &State) -> DiskStats {
        match *self {}
    }
}
