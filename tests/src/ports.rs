//! TCP ports on 127.0.0.1 that no other test and no outgoing connection takes.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::PathBuf;

/// Below Linux' default range of ephemeral ports (32768 up), so that no outgoing connection of
/// this machine lands on a reserved port between two lives of the process under test.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// A port that stays ours until this is dropped, whoever listens on it meanwhile.
#[derive(Debug)]
pub struct Port {
    number: u16,
    /// Locked for as long as it is open; other test processes respect it.
    _lock: File,
}

impl Port {
    /// Reserves a port that nobody listens on.
    ///
    /// # Panics
    /// When no port of the range is free.
    #[must_use]
    pub fn reserve() -> Self {
        let directory = lock_directory();
        let offset = fastrand::u16(0..RANGE.end - RANGE.start);
        let candidates = (RANGE.start + offset..RANGE.end).chain(RANGE.start..RANGE.start + offset);
        for number in candidates {
            let lock = File::create(directory.join(number.to_string())).expect("port lock file");
            if lock.try_lock().is_ok() && TcpListener::bind(("127.0.0.1", number)).is_ok() {
                return Self {
                    number,
                    _lock: lock,
                };
            }
        }
        panic!("no free port in {RANGE:?}");
    }

    /// The port number.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.number
    }

    /// `127.0.0.1:<port>`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.number)
    }

    /// `http://127.0.0.1:<port><path>`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.number)
    }
}

fn lock_directory() -> PathBuf {
    let directory = std::env::temp_dir().join("skybridge-tests").join("ports");
    fs::create_dir_all(&directory).expect("directory for port locks");
    directory
}
