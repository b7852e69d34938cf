//! The house rules that no compiler checks, each as a test whose name is the rule.
//!
//! The absences are the architecture: what a part must not know keeps the rest simple. When one
//! of these fails, move the code; when the rule is wrong, change ARCHITECTURE.md with it.

mod sources;

use std::collections::BTreeSet;
use std::fs;

use sources::{Source, all, repository, rust_below};

/// The kinds of components; each is a module of the agent with one module a component.
const KINDS: [&str; 4] = ["receivers", "processors", "exporters", "extensions"];

/// Lines of code a file may have, tests and all other lines not counted. An orientation: most
/// files have half of it.
const CODE_LINES_MAX: usize = 700;

#[test]
fn otlp_knows_no_io_and_no_runtime() {
    let forbidden = [
        "std::fs",
        "std::net",
        "std::io",
        "std::env",
        "std::thread",
        "tokio",
        "async ",
    ];
    forbid(&rust_below("agent/crates/otlp/src/"), &forbidden, |_| false);
}

#[test]
fn pipeline_knows_of_otlp_only_the_signal() {
    let uses = found(&rust_below("agent/crates/pipeline/src/"), &["otlp::"]);
    let beyond: Vec<_> = uses
        .iter()
        .filter(|found| !found.line.contains("otlp::Signal"))
        .collect();
    assert!(
        beyond.is_empty(),
        "pipeline decodes no payload: {beyond:#?}"
    );
}

#[test]
fn components_are_named_by_the_graph_alone() {
    let sources = rust_below("agent/src/");
    for kind in KINDS {
        for component in components(kind) {
            let own = format!("agent/src/{kind}/{component}");
            let names = [
                format!("{kind}::{component}::"),
                format!("{kind}::{component};"),
            ];
            forbid(&sources, &as_strs(&names), |path| {
                path.starts_with("agent/src/graph") || path.starts_with(&own)
            });
            let siblings: Vec<_> = rust_below(&format!("agent/src/{kind}/"));
            forbid(&siblings, &[&format!("super::{component}::")], |path| {
                path.starts_with(&own)
            });
        }
    }
}

#[test]
fn processors_do_not_wait() {
    let forbidden = ["async ", ".await", "tokio", "std::fs", "std::thread"];
    forbid(&rust_below("agent/src/processors"), &forbidden, |path| {
        // Detection runs once, before the graph starts; what it found is a resource processor.
        path.starts_with("agent/src/processors/resource_detection")
    });
}

#[test]
fn exporters_neither_sleep_nor_retry() {
    let forbidden = ["time::sleep", "time::interval", "retry_in"];
    forbid(&rust_below("agent/src/exporters"), &forbidden, |_| false);
}

#[test]
fn only_config_reads_the_environment() {
    forbid(&rust_below("agent/"), &["env::var", "env::args"], |path| {
        path.starts_with("agent/src/config") || path.ends_with("build.rs")
    });
}

#[test]
fn only_the_clock_asks_for_the_time() {
    for source in rust_below("agent/") {
        if source.path == "agent/crates/pipeline/src/clock.rs" {
            continue;
        }
        // Inside async code that waits, tokio's clock is right: tests can move it.
        let is_tokio = source
            .code()
            .any(|(_, line)| line.contains("tokio::time::") && line.contains("Instant"));
        let forbidden: &[&str] = if is_tokio {
            &["SystemTime::now"]
        } else {
            &[
                "SystemTime::now",
                "Instant::now",
                "Timestamp::now",
                "Zoned::now",
            ]
        };
        forbid(std::slice::from_ref(&source), forbidden, |_| false);
    }
}

#[test]
fn every_path_into_proc_and_sys_goes_through_the_root() {
    let mut found = found(&rust_below("agent/"), &["\"/proc", "\"/sys/"]);
    // What the kernel says of this very process is the same under every root.
    found.retain(|found| {
        !found.line.contains("\"/proc/self/")
            && !found.place.starts_with("agent/src/telemetry/process.rs:")
    });
    found.retain(|found| !found.place.contains("/root.rs:"));
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn every_exception_to_a_lint_has_its_reason() {
    for source in rust_below("") {
        let text = &source.text;
        for (at, _) in text.match_indices('[') {
            let line = text[..at].rsplit('\n').next().unwrap_or_default().trim();
            let names_lints = ["allow(", "expect("]
                .iter()
                .any(|word| text[at + 1..].starts_with(word));
            if !names_lints || !matches!(line, "#" | "#!") {
                continue;
            }
            let end = text[at..].find(")]").map_or(text.len(), |end| at + end);
            let number = text[..at].lines().count();
            assert!(
                text[at..end].contains("reason"),
                "{}:{number}: an exception without a reason",
                source.path
            );
        }
    }
}

#[test]
fn unsafe_code_is_forbidden_everywhere() {
    let root = ("Cargo.toml".to_owned(), read("Cargo.toml"));
    for (path, text) in manifests().into_iter().chain([root]) {
        let lints = if text.contains("[workspace]") {
            "unsafe_code = \"forbid\""
        } else {
            "[lints]\nworkspace = true"
        };
        assert!(text.contains(lints), "{path} lacks `{lints}`");
    }
}

#[test]
fn modules_are_named_after_what_they_hold() {
    let meaningless = [
        "mod", "util", "utils", "common", "helper", "helpers", "misc", "core", "types",
    ];
    for source in rust_below("") {
        let name = source.path.rsplit('/').next().unwrap_or_default();
        let name = name.trim_end_matches(".rs");
        // `otlp::common` is the name of OTLP's own package.
        let is_of_otlp = source.path == "agent/crates/otlp/src/common.rs";
        assert!(
            !meaningless.contains(&name) || is_of_otlp,
            "{}: a module is named after the noun it holds, in a file of that name",
            source.path
        );
    }
}

#[test]
fn nothing_is_left_for_later() {
    let words = [
        "TO\u{44}O",
        "FIX\u{4d}E",
        "X\u{58}X",
        "to\u{64}o!(",
        "unimplemente\u{64}!(",
        "#[ignor\u{65}",
    ];
    for source in rust_below("") {
        for word in words {
            assert!(!source.text.contains(word), "{}: {word}", source.path);
        }
    }
}

#[test]
fn source_is_plain_ascii() {
    for source in all() {
        let is_source = [".rs", ".toml", ".sh", ".py", "Makefile", ".tf"]
            .iter()
            .any(|end| source.path.ends_with(end));
        if is_source && let Some(at) = source.text.find(|character: char| !character.is_ascii()) {
            let line = source.text[..at].lines().count();
            panic!("{}:{line}: not ASCII", source.path);
        }
    }
}

#[test]
fn no_machine_and_no_registry_is_named() {
    // Written in two halves, so that this file does not hold what it looks for.
    let words = [
        ("/wor", "k/"),
        ("/roo", "t/"),
        ("static.crates", ".io"),
        ("index.crates", ".io"),
        ("pypi", ".org"),
        ("files.python", "hosted"),
        ("proxy.golang", ".org"),
        ("registry.npm", "js"),
        ("deb.debian", ".org"),
        ("repo1.maven", ".org"),
    ];
    for source in all() {
        if source.path.ends_with(".lock") {
            continue;
        }
        for (head, tail) in words {
            let word = format!("{head}{tail}");
            assert!(!source.text.contains(&word), "{}: {word}", source.path);
        }
    }
}

#[test]
fn files_stay_short_enough_to_read() {
    for source in rust_below("agent/") {
        let lines = source
            .code()
            .filter(|(_, line)| !line.trim().is_empty())
            .count();
        assert!(
            lines <= CODE_LINES_MAX,
            "{}: {lines} lines of code; split it by idea",
            source.path
        );
    }
}

#[test]
fn every_dependency_is_used() {
    let mut used = BTreeSet::new();
    for (path, text) in manifests() {
        let folder = path.trim_end_matches("Cargo.toml");
        let code: String = rust_below(folder)
            .into_iter()
            .map(|source| source.text)
            .collect();
        for name in dependencies(&text) {
            let identifier = name.replace('-', "_");
            assert!(code.contains(&identifier), "{path}: {name} is not used");
            used.insert(name);
        }
    }
    for name in dependencies(&read("Cargo.toml")) {
        assert!(used.contains(&name), "Cargo.toml: no package uses {name}");
    }
}

#[test]
fn the_papers_of_the_house_are_there() {
    for name in [
        "LICENSE",
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "deny.toml",
    ] {
        assert!(repository().join(name).is_file(), "{name} is missing");
    }
    let readme = read("README.md");
    for command in ["make demo", "make test"] {
        assert!(
            readme.contains(command),
            "README.md does not name {command}"
        );
    }
}

/// A line that holds something it must not hold.
#[derive(Debug)]
struct Found {
    place: String,
    line: String,
}

fn forbid(sources: &[Source], needles: &[&str], is_allowed: impl Fn(&str) -> bool) {
    let mut found = found(sources, needles);
    found.retain(|found| !is_allowed(&found.place));
    assert!(found.is_empty(), "{needles:?} found: {found:#?}");
}

fn found(sources: &[Source], needles: &[&str]) -> Vec<Found> {
    let mut found = Vec::new();
    for source in sources {
        for (number, line) in source.code() {
            if needles.iter().any(|needle| line.contains(needle)) {
                found.push(Found {
                    place: format!("{}:{number}", source.path),
                    line: line.trim().to_owned(),
                });
            }
        }
    }
    found
}

/// The components of one kind: modules with a config. Others hold what components share.
fn components(kind: &str) -> Vec<String> {
    let mut sources = rust_below(&format!("agent/src/{kind}/"));
    sources.retain(|source| source.text.contains("struct Config"));
    let mut names: Vec<_> = sources
        .iter()
        .filter_map(|source| source.path.split('/').nth(3))
        .map(|name| name.trim_end_matches(".rs").to_owned())
        .collect();
    names.dedup();
    names
}

/// The manifests of all packages, with their paths.
fn manifests() -> Vec<(String, String)> {
    let mut sources = all();
    sources.retain(|source| source.path.ends_with("/Cargo.toml"));
    sources
        .into_iter()
        .map(|source| (source.path, source.text))
        .collect()
}

/// Names in all dependency tables of a manifest.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut in_table = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            in_table = line.ends_with("dependencies]");
        } else if in_table
            && let Some((name, _)) = line.split_once(['.', ' ', '='])
            && !name.is_empty()
            && !name.starts_with('#')
        {
            names.push(name.to_owned());
        }
    }
    names
}

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_default()
}

fn as_strs(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}
