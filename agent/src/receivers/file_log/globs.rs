//! Which files exist that match the patterns.
//!
//! A pattern is walked part by part, so that only directories are listed in which something can
//! match: `/var/log/pods/*/*/*.log` lists three levels and nothing beside them.

use std::fs::Metadata;
use std::path::{Component, Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher, GlobSet, GlobSetBuilder};

use crate::config::Problem;

/// Compiled include and exclude patterns.
#[derive(Clone, Debug)]
pub(super) struct Globs {
    include: Vec<Vec<Part>>,
    exclude: GlobSet,
}

/// One part of a pattern, between two slashes.
#[derive(Clone, Debug)]
enum Part {
    /// A name without wildcards; it need not be looked for.
    Name(PathBuf),
    /// Names that match.
    Pattern(GlobMatcher),
    /// `**`: any number of directories. Links are not followed, because they may lead in circles.
    AnyDepth,
}

impl Globs {
    /// Compiles the patterns of the options `include` and `exclude`.
    pub(super) fn compile(include: &[String], exclude: &[String]) -> Result<Self, Problem> {
        let mut excluded = GlobSetBuilder::new();
        for pattern in exclude {
            excluded.add(glob("exclude", pattern)?);
        }
        Ok(Self {
            include: include
                .iter()
                .map(|pattern| parts(pattern))
                .collect::<Result<_, _>>()?,
            exclude: excluded
                .build()
                .map_err(|error| unreadable("exclude", &error))?,
        })
    }

    /// The files that match now, each path once, sorted. What cannot be listed matches nothing.
    pub(super) fn find(&self) -> Vec<(PathBuf, Metadata)> {
        let mut found = Vec::new();
        for parts in &self.include {
            walk(PathBuf::new(), parts, &mut found);
        }
        found.retain(|(path, _)| !self.exclude.is_match(path));
        found.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        found.dedup_by(|(one, _), (other, _)| one == other);
        found
    }
}

fn parts(pattern: &str) -> Result<Vec<Part>, Problem> {
    if has_slash_in_braces(pattern) {
        return Err(Problem::at(
            "include",
            format!("`{pattern}` has a slash inside braces, which is not supported"),
            "write one pattern for each alternative",
        ));
    }
    Path::new(pattern)
        .components()
        .map(|component| match component {
            Component::Normal(name) => part(&name.to_string_lossy()),
            other => Ok(Part::Name(PathBuf::from(other.as_os_str()))),
        })
        .collect()
}

fn part(name: &str) -> Result<Part, Problem> {
    if name == "**" {
        Ok(Part::AnyDepth)
    } else if name.contains(['*', '?', '[', '{', '\\']) {
        Ok(Part::Pattern(glob("include", name)?.compile_matcher()))
    } else {
        Ok(Part::Name(PathBuf::from(name)))
    }
}

fn has_slash_in_braces(pattern: &str) -> bool {
    let mut depth = 0_u32;
    for character in pattern.chars() {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            '/' if depth > 0 => return true,
            _ => {}
        }
    }
    false
}

fn glob(key: &str, pattern: &str) -> Result<globset::Glob, Problem> {
    GlobBuilder::new(pattern)
        .literal_separator(true)
        .build()
        .map_err(|error| unreadable(key, &error))
}

fn unreadable(key: &str, error: &globset::Error) -> Problem {
    Problem::at(
        key,
        format!("not a file pattern: {error}"),
        "write for example /var/log/*.log or /var/log/**/*.log",
    )
}

fn walk(base: PathBuf, parts: &[Part], found: &mut Vec<(PathBuf, Metadata)>) {
    let Some((part, rest)) = parts.split_first() else {
        if let Ok(metadata) = base.metadata()
            && metadata.is_file()
        {
            found.push((base, metadata));
        }
        return;
    };
    match part {
        Part::Name(name) => walk(base.join(name), rest, found),
        Part::Pattern(matcher) => {
            for name in names(&base) {
                if matcher.is_match(&name) {
                    walk(base.join(name), rest, found);
                }
            }
        }
        Part::AnyDepth => {
            for directory in directories(&base) {
                walk(directory, parts, found);
            }
            walk(base, rest, found);
        }
    }
}

fn names(directory: &Path) -> Vec<PathBuf> {
    list(directory)
        .map(|entry| PathBuf::from(entry.file_name()))
        .collect()
}

fn directories(directory: &Path) -> Vec<PathBuf> {
    list(directory)
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}

fn list(directory: &Path) -> impl Iterator<Item = std::fs::DirEntry> {
    let directory = if directory.as_os_str().is_empty() {
        Path::new(".")
    } else {
        directory
    };
    std::fs::read_dir(directory)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(include: &[&str], exclude: &[&str]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        for file in [
            "a.log",
            "b.txt",
            "a.log.1",
            "pods/one/web/0.log",
            "pods/two/db/0.log",
            "pods/two/db/deep/er/x.log",
        ] {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        std::os::unix::fs::symlink("..", folder.path().join("pods/circle")).unwrap();
        let inside = |patterns: &[&str]| -> Vec<String> {
            patterns
                .iter()
                .map(|pattern| format!("{}/{pattern}", folder.path().display()))
                .collect()
        };
        let globs = Globs::compile(&inside(include), &inside(exclude)).unwrap();
        globs
            .find()
            .iter()
            .map(|(path, _)| path.strip_prefix(folder.path()).unwrap())
            .map(|path| path.to_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn patterns_find_files_as_a_shell_would() {
        for (include, found) in [
            (&["a.log"][..], &["a.log"][..]),
            (&["*.log"], &["a.log"]),
            (&["*.log*", "*.log"], &["a.log", "a.log.1"]),
            (&["?.{log,txt}"], &["a.log", "b.txt"]),
            (
                &["pods/*/*/*.log"],
                &["pods/one/web/0.log", "pods/two/db/0.log"],
            ),
            (
                &["pods/**/*.log"],
                &[
                    "pods/one/web/0.log",
                    "pods/two/db/0.log",
                    "pods/two/db/deep/er/x.log",
                ],
            ),
            (&["missing/*.log", "pods"], &[]),
        ] {
            assert_eq!(find(include, &[]), found, "{include:?}");
        }
    }

    #[test]
    fn excluded_files_are_not_found() {
        assert_eq!(find(&["*"], &["*.log*"]), ["b.txt"]);
        assert_eq!(
            find(&["pods/**/*.log"], &["pods/two/**"]),
            ["pods/one/web/0.log"]
        );
    }

    #[test]
    fn what_is_no_pattern_is_told() {
        for (include, exclude, key) in [
            ("[", "", "include"),
            ("/a", "[", "exclude"),
            ("/{a/b,c}", "", "include"),
        ] {
            let problem = Globs::compile(&[include.to_owned()], &[exclude.to_owned()]);
            assert_eq!(problem.unwrap_err().key_path, key);
        }
    }
}
