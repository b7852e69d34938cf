//! One process at a time: a lock on a file in the spool's directory.

use std::fs::File;
use std::io::{self, Write};

use rustix::fs::{FlockOperation, flock};

use super::files::Files;

const NAME: &str = "lock";

/// Held for as long as the file is open; the system releases it when the process ends, however.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock and writes who has it.
    ///
    /// # Errors
    /// `WouldBlock` with the holder's own words when another process has it.
    pub(super) fn take(files: &Files) -> io::Result<Self> {
        let mut file = files.open_lock(NAME)?;
        if let Err(error) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
            if error != rustix::io::Errno::WOULDBLOCK {
                return Err(error.into());
            }
            let holder = files.read(NAME).unwrap_or_default();
            let holder = String::from_utf8_lossy(&holder);
            return Err(io::Error::new(
                io::ErrorKind::WouldBlock,
                format!("another process uses it ({})", holder.trim()),
            ));
        }
        file.set_len(0)?;
        writeln!(file, "pid {}", std::process::id())?;
        Ok(Self { _file: file })
    }
}
