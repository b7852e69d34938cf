//! The files of one spool: every touch of the file system, in one place, so that tests can make
//! each of them fail.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, IoSlice, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};

/// What the kernel takes in one call (`IOV_MAX`).
const PARTS_PER_WRITE_MAX: usize = 1_024;

/// A directory whose files are named by callers.
#[derive(Debug)]
pub(super) struct Files {
    directory: PathBuf,
    #[cfg(test)]
    pub(super) faults: super::faults::Faults,
}

impl Files {
    /// The files in `directory`, which is created where it is missing. Telemetry is nobody else's
    /// business: only the owner may look into a directory that is created here.
    pub(super) fn new(directory: PathBuf) -> io::Result<Self> {
        create_durably(&directory)?;
        Ok(Self {
            directory,
            #[cfg(test)]
            faults: super::faults::Faults::default(),
        })
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Names of all files, sorted.
    pub(super) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    pub(super) fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.path(name))
    }

    pub(super) fn open(&self, name: &str) -> io::Result<File> {
        #[cfg(test)]
        self.faults.check(super::faults::Operation::Open)?;
        File::open(self.path(name))
    }

    pub(super) fn open_to_write(&self, name: &str) -> io::Result<File> {
        OpenOptions::new()
            .read(true)
            .write(true)
            .open(self.path(name))
    }

    /// A new file; an error when there is one of that name.
    pub(super) fn create(&self, name: &str) -> io::Result<File> {
        #[cfg(test)]
        self.faults.check(super::faults::Operation::Create)?;
        OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(self.path(name))
    }

    /// Opens `name` for a lock; the content stays until it is locked.
    pub(super) fn open_lock(&self, name: &str) -> io::Result<File> {
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.path(name))
    }

    /// Reads up to `len` bytes at `offset`; fewer at the end of the file.
    pub(super) fn read_at(&self, file: &File, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        #[cfg(test)]
        self.faults.check(super::faults::Operation::Read)?;
        let mut bytes = vec![0; len];
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    /// Writes all `parts`, one behind the other, from `offset` on.
    pub(super) fn write_parts_at(
        &self,
        file: &File,
        parts: &mut [IoSlice<'_>],
        offset: u64,
    ) -> io::Result<()> {
        #[cfg(test)]
        if let Err(error) = self.faults.check(super::faults::Operation::Write) {
            // A full disk takes the first part.
            let bytes: Vec<u8> = parts.iter().flat_map(|part| part.to_vec()).collect();
            file.write_all_at(&bytes[..bytes.len() / 2], offset)?;
            return Err(error);
        }
        write_all_parts_at(file, parts, offset)
    }

    /// Returns when the file's content and length are on the medium.
    pub(super) fn sync(&self, file: &File) -> io::Result<()> {
        #[cfg(test)]
        self.faults.check(super::faults::Operation::Sync)?;
        file.sync_data()
    }

    pub(super) fn truncate(&self, file: &File, len: u64) -> io::Result<()> {
        #[cfg(test)]
        self.faults.check(super::faults::Operation::Truncate)?;
        file.set_len(len)
    }

    /// Returns when names that were created, changed or removed are on the medium.
    pub(super) fn sync_directory(&self) -> io::Result<()> {
        File::open(&self.directory)?.sync_all()
    }

    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        #[cfg(test)]
        self.faults.check(super::faults::Operation::Remove)?;
        fs::remove_file(self.path(name))
    }

    pub(super) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    /// Replaces `name` by a file with `content`: after a kill there is the old or the new one, and
    /// when `is_synced` after a power failure too.
    pub(super) fn replace(&self, name: &str, content: &[u8], is_synced: bool) -> io::Result<()> {
        #[cfg(test)]
        self.faults.check(super::faults::Operation::Replace)?;
        let temporary = format!("{name}.tmp");
        let mut file = File::create(self.path(&temporary))?;
        file.write_all(content)?;
        if is_synced {
            file.sync_data()?;
        }
        self.rename(&temporary, name)
    }
}

fn write_all_parts_at(
    file: &File,
    mut parts: &mut [IoSlice<'_>],
    mut offset: u64,
) -> io::Result<()> {
    // A write of nothing returns zero, too.
    IoSlice::advance_slices(&mut parts, 0);
    while !parts.is_empty() {
        let at_once = parts.len().min(PARTS_PER_WRITE_MAX);
        match rustix::io::pwritev(file, &parts[..at_once], offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                offset += written as u64;
                IoSlice::advance_slices(&mut parts, written);
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Creates what is missing of `directory`, and returns when its name is on the medium: a record in
/// a directory that a power failure takes away would be lost.
fn create_durably(directory: &Path) -> io::Result<()> {
    let mut missing: Vec<&Path> = directory
        .ancestors()
        .take_while(|ancestor| !ancestor.as_os_str().is_empty() && !ancestor.exists())
        .collect();
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    while let Some(created) = missing.pop() {
        let parent = created
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or_else(|| Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_parts_are_written_in_order_however_many() {
        let directory = tempfile::tempdir().unwrap();
        let files = Files::new(directory.path().to_owned()).unwrap();
        let file = files.create("parts").unwrap();
        let texts: Vec<String> = (0..3 * PARTS_PER_WRITE_MAX)
            .map(|number| "x".repeat(number % 3))
            .collect();
        let mut parts: Vec<_> = texts
            .iter()
            .map(|text| IoSlice::new(text.as_bytes()))
            .collect();
        files.write_parts_at(&file, &mut parts, 7).unwrap();
        let expected = format!("{}{}", "\0".repeat(7), texts.concat());
        assert_eq!(files.read("parts").unwrap(), expected.as_bytes());
    }
}
