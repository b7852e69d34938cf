//! The files of the repository, as the tidy tests look at them.

#![expect(clippy::expect_used, reason = "only tests use this")]

use std::fs;
use std::path::{Path, PathBuf};

/// What holds no source of ours (in a worktree, `.git` is a file).
const NOT_OURS: [&str; 5] = [
    ".git",
    "target",
    "node_modules",
    ".terraform",
    "__pycache__",
];

/// A file with its path relative to the repository, written with `/`.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    /// Lines with their numbers from one, without comments, and without what only tests compile.
    pub(crate) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let is_test = self.is_test();
        self.text
            .lines()
            .enumerate()
            .take_while(move |(_, line)| !is_test && !line.starts_with("#[cfg(test)]"))
            .map(|(at, line)| (at + 1, without_comment(line)))
    }

    fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs")
            || self.path.contains("/tests/")
            || self.path.starts_with("tests/")
            || self.path.contains("/benches/")
            || self.path.contains("/fuzz/")
    }

    pub(crate) fn is_rust(&self) -> bool {
        Path::new(&self.path)
            .extension()
            .is_some_and(|extension| extension == "rs")
    }
}

/// Where the repository is: this package is a folder in it.
pub(crate) fn repository() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package
        .parent()
        .expect("the repository above tests/")
        .to_owned()
}

/// All readable text files, in the order of their paths.
pub(crate) fn all() -> Vec<Source> {
    let root = repository();
    let mut sources = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)
            .expect("a folder of the repository")
            .flatten()
        {
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind = entry.file_type().expect("kind of a file");
            if NOT_OURS.contains(&name.as_str()) {
                continue;
            }
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file()
                && let Ok(text) = fs::read_to_string(entry.path())
            {
                let path = entry.path();
                let path = path
                    .strip_prefix(&root)
                    .expect("a path below the repository");
                sources.push(Source {
                    path: path.to_string_lossy().into_owned(),
                    text,
                });
            }
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

/// The Rust files below one folder.
pub(crate) fn rust_below(folder: &str) -> Vec<Source> {
    let mut sources = all();
    sources.retain(|source| source.is_rust() && source.path.starts_with(folder));
    assert!(!sources.is_empty(), "no Rust files below {folder}");
    sources
}

/// Cuts a line comment off; `//` inside a string, as in a URL, is not one.
fn without_comment(line: &str) -> &str {
    let mut in_string = false;
    let mut previous = ' ';
    for (at, character) in line.char_indices() {
        match character {
            '"' if previous != '\\' && previous != '\'' => in_string = !in_string,
            '/' if !in_string && line[at..].starts_with("//") => return &line[..at],
            _ => {}
        }
        previous = character;
    }
    line
}
