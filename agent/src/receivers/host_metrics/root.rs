//! Where the host's `/proc`, `/sys` and `/dev` are found: under `/`, under a mount inside a
//! container, or in a folder of fixtures. No scraper opens a path in any other way.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use pipeline::ScrapeError;

/// The most that is read of one file, in bytes. Kernel tables that grow with the number of
/// connections are read line by line instead.
const FILE_SIZE_BYTES_MAX: u64 = 16 << 20;

/// The most that is kept of one line, in bytes; the rest of a longer line is passed over.
const LINE_SIZE_BYTES_MAX: u64 = 64 << 10;

/// The root of the host's file tree.
#[derive(Clone, Debug)]
pub(super) struct Root {
    path: PathBuf,
}

impl Root {
    /// The tree under `path`; an empty path is `/`.
    pub(super) fn new(path: &str) -> Self {
        let path = if path.is_empty() { "/" } else { path };
        Self {
            path: PathBuf::from(path),
        }
    }

    /// Where `path`, absolute on the host or relative to its root, is found from here.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        self.path.join(path.trim_start_matches('/'))
    }

    /// A file that each process has, such as `net/dev`, as the host's first process sees it.
    ///
    /// Under `/` that is our own view. Under another root `/proc/self` would still be our own
    /// process with the container's network and mounts, so the host's first process is asked.
    pub(super) fn read_of_process(&self, file: &str) -> Result<String, ScrapeError> {
        self.first_of_process(file, |path| self.read(path))
    }

    /// As [`read_of_process`](Self::read_of_process), line by line.
    pub(super) fn lines_of_process(
        &self,
        file: &str,
        mut each: impl FnMut(&str),
    ) -> Result<(), ScrapeError> {
        self.first_of_process(file, |path| self.lines(path, &mut each))
    }

    /// The whole text of a file. Bytes that are not UTF-8 are replaced.
    pub(super) fn read(&self, file: &str) -> Result<String, ScrapeError> {
        let path = self.resolve(file);
        let mut bytes = Vec::new();
        File::open(&path)
            .and_then(|open| open.take(FILE_SIZE_BYTES_MAX).read_to_end(&mut bytes))
            .map_err(|error| failed("read", &path, &error))?;
        Ok(match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        })
    }

    /// Names of the entries of a directory.
    pub(super) fn names(&self, directory: &str) -> Result<Vec<String>, ScrapeError> {
        let path = self.resolve(directory);
        let entries = std::fs::read_dir(&path).map_err(|error| failed("list", &path, &error))?;
        Ok(entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect())
    }

    /// The last part of what a symbolic link points at, if it is one.
    pub(super) fn link_name(&self, link: &str) -> Option<String> {
        let target = std::fs::read_link(self.resolve(link)).ok()?;
        Some(target.file_name()?.to_str()?.to_owned())
    }

    fn first_of_process<T>(
        &self,
        file: &str,
        mut read: impl FnMut(&str) -> Result<T, ScrapeError>,
    ) -> Result<T, ScrapeError> {
        let own = format!("proc/self/{file}");
        if self.path == Path::new("/") {
            return read(&own);
        }
        read(&format!("proc/1/{file}")).or_else(|_| read(&own))
    }

    fn lines(&self, file: &str, each: &mut impl FnMut(&str)) -> Result<(), ScrapeError> {
        let path = self.resolve(file);
        let open = File::open(&path).map_err(|error| failed("read", &path, &error))?;
        let mut reader = BufReader::new(open);
        let mut line = Vec::new();
        while next_line(&mut reader, &mut line).map_err(|error| failed("read", &path, &error))? {
            each(&String::from_utf8_lossy(&line));
        }
        Ok(())
    }
}

/// Reads one line into `line`; false at the end.
fn next_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let read = reader
        .by_ref()
        .take(LINE_SIZE_BYTES_MAX)
        .read_until(b'\n', line)?;
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if read > 0 {
        reader.skip_until(b'\n')?;
    }
    Ok(read > 0)
}

/// What the system said, in the words of a scrape.
pub(super) fn failed(verb: &str, path: &Path, error: &io::Error) -> ScrapeError {
    let path = path.display();
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            ScrapeError::Absent(format!("there is no {path}"))
        }
        io::ErrorKind::PermissionDenied => {
            ScrapeError::Denied(format!("{verb} {path}: permission denied"))
        }
        _ => ScrapeError::Unreachable(format!("{verb} {path}: {error}")),
    }
}

/// A field of a kernel table in which blanks are written as octal numbers (`\\040`).
pub(super) fn unescape(field: &str) -> String {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        match after.get(..3).map(|octal| u8::from_str_radix(octal, 8)) {
            Some(Ok(byte)) => {
                bytes.push(byte);
                rest = after.get(3..).unwrap_or_default();
            }
            _ => {
                bytes.push(b'\\');
                rest = after;
            }
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octal_escapes_become_what_they_stand_for() {
        for (field, text) in [
            ("/plain", "/plain"),
            ("/a\\040b\\011c", "/a b\tc"),
            ("\\134040", "\\040"),
            ("/caf\\303\\251", "/caf\u{e9}"),
            ("/odd\\", "/odd\\"),
            ("/odd\\04", "/odd\\04"),
            ("/odd\\999", "/odd\\999"),
        ] {
            assert_eq!(unescape(field), text, "{field}");
        }
    }

    #[test]
    fn what_is_not_there_is_absent_and_not_broken() {
        let root = Root::new("/nowhere-at-all");
        assert!(matches!(
            root.read("proc/stat"),
            Err(ScrapeError::Absent(_))
        ));
        assert!(matches!(root.names("proc"), Err(ScrapeError::Absent(_))));
    }

    #[test]
    fn another_root_is_asked_for_its_first_process() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path().to_str().unwrap());
        for (process, text) in [("self", "container"), ("1", "host")] {
            let directory = folder.path().join("proc").join(process).join("net");
            std::fs::create_dir_all(&directory).unwrap();
            std::fs::write(directory.join("dev"), text).unwrap();
            assert_eq!(root.read_of_process("net/dev").unwrap(), text);
        }
    }

    #[test]
    fn a_line_too_long_is_cut_and_the_next_one_is_whole() {
        let long = vec![b'x'; 100_000];
        let mut reader = io::Cursor::new([&long[..], b"\nshort\nlast"].concat());
        let mut line = Vec::new();
        let mut lengths = Vec::new();
        while next_line(&mut reader, &mut line).unwrap() {
            lengths.push(line.len());
        }
        assert_eq!(lengths, [65_536, 5, 4]);
    }
}
