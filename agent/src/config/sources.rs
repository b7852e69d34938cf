//! Where configuration comes from: the arguments of the command line, and the world they name.

use std::env::VarError;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use super::diagnostic::{ConfigError, Diagnostic, suggestion};
use super::merge::merge;
use super::place::{Place, Source};
use super::tree::{self, Entry, Node, Value};

/// Largest file that is read as configuration, in bytes.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// Ways to name a configuration, in `--config` and in `${...}`.
pub(crate) const SCHEMES: [&str; 3] = ["env", "file", "yaml"];

/// What the command line says about configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// Each `--config`, in order: a path, or `file:`, `yaml:` or `env:` and what follows.
    pub(crate) configs: Vec<String>,
    /// Each `--set`, in order: `a.b.c=value`.
    pub(crate) sets: Vec<String>,
}

/// What configuration may ask of the process: variables and files.
pub(crate) trait World {
    /// The environment variable `name`.
    ///
    /// # Errors
    /// It is not set, or is not text.
    fn variable(&self, name: &str) -> Result<String, VarError>;

    /// The whole text of a file.
    ///
    /// # Errors
    /// It cannot be read, or is not text.
    fn read(&self, path: &Path) -> io::Result<String>;
}

/// The environment and the files of this process.
#[derive(Copy, Clone, Debug, Default)]
pub(crate) struct Process;

impl Process {
    /// What this process was started with, its name first.
    pub(crate) fn arguments() -> impl Iterator<Item = OsString> {
        std::env::args_os()
    }
}

impl World for Process {
    fn variable(&self, name: &str) -> Result<String, VarError> {
        std::env::var(name)
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        let mut text = String::new();
        let mut file = File::open(path)?.take(MAX_FILE_BYTES + 1);
        file.read_to_string(&mut text)?;
        if file.limit() == 0 {
            return Err(io::Error::other("the file is larger than 16 MiB"));
        }
        Ok(text)
    }
}

impl fmt::Debug for dyn World + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("World")
    }
}

/// Reads all sources and lays them over one another, the later over the earlier.
///
/// # Errors
/// Every source that cannot be read.
pub(crate) fn read(arguments: &Arguments, world: &dyn World) -> Result<Node, ConfigError> {
    let mut diagnostics = Vec::new();
    let mut merged: Option<Node> = None;
    let configs = arguments
        .configs
        .iter()
        .map(|config| read_config(config, world));
    let sets = arguments.sets.iter().map(|set| read_set(set));
    for layer in configs.chain(sets) {
        match layer {
            Ok(layer) => {
                merged =
                    Some(merged.map_or_else(|| layer.clone(), |base| merge(base, layer.clone())))
            }
            Err(diagnostic) => diagnostics.push(diagnostic),
        }
    }
    match merged {
        Some(tree) if diagnostics.is_empty() => not_empty(tree),
        _ => Err(ConfigError { diagnostics }),
    }
}

fn not_empty(tree: Node) -> Result<Node, ConfigError> {
    if tree.is_null() {
        let name = &tree.place.source().name;
        return Err(Diagnostic::error(None, format!("{name}: the configuration is empty")).into());
    }
    Ok(tree)
}

fn read_config(config: &str, world: &dyn World) -> Result<Node, Diagnostic> {
    let source = match scheme(config) {
        None => file_source(config, world)?,
        Some(("file", path)) => file_source(path, world)?,
        Some(("yaml", text)) => Source {
            name: "--config yaml".to_owned(),
            text: text.to_owned(),
        },
        Some(("env", name)) => Source {
            name: config.to_owned(),
            text: world.variable(name).map_err(|error| {
                let what = match error {
                    VarError::NotPresent => "is not set",
                    VarError::NotUnicode(_) => "does not hold text",
                };
                Diagnostic::error(None, format!("the environment variable `{name}` {what}"))
                    .note(format!("it is named by --config {config}"))
            })?,
        },
        Some((scheme, _)) => return Err(unknown_scheme(&format!("--config {config}"), scheme)),
    };
    let mut tree = tree::parse(&Arc::new(source))?;
    if tree.is_null() {
        tree.value = Value::Null;
    }
    Ok(tree)
}

fn file_source(path: &str, world: &dyn World) -> Result<Source, Diagnostic> {
    let text = world.read(Path::new(path)).map_err(|error| {
        let reason = reason(&error);
        Diagnostic::error(
            None,
            format!("cannot read the configuration file `{path}`: {reason}"),
        )
    })?;
    Ok(Source {
        name: path.to_owned(),
        text,
    })
}

/// Why a file cannot be read, without the system's error number.
pub(super) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        io::ErrorKind::InvalidData => "it is not UTF-8 text".to_owned(),
        _ => error.to_string(),
    }
}

/// Splits `scheme:rest`. One letter before the colon is no scheme, but a drive.
pub(super) fn scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let is_scheme = scheme.len() > 1
        && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '.' | '-'));
    is_scheme.then_some((scheme, rest))
}

/// What is said about a way to name configuration that there is not.
pub(super) fn unknown_scheme(what: &str, scheme: &str) -> Diagnostic {
    let message = if matches!(scheme, "http" | "https") {
        format!("{what}: configuration is not fetched over the network")
    } else {
        format!("{what}: `{scheme}:` is not a way to name configuration")
    };
    let advice = if matches!(scheme, "http" | "https") {
        "fetch it first, and name the file".to_owned()
    } else {
        suggestion(scheme, SCHEMES)
    };
    Diagnostic::error(None, message)
        .note(advice)
        .note("configuration is named by a file path, `file:PATH`, `env:NAME` or `yaml:TEXT`")
}

/// `a.b.c=value` as the tree that says only that.
fn read_set(set: &str) -> Result<Node, Diagnostic> {
    let source = Arc::new(Source {
        name: "--set".to_owned(),
        text: set.to_owned(),
    });
    let whole = || Place::new(&source, 1, 1, set.chars().count());
    let Some((path, value)) = set.split_once('=') else {
        return Err(Diagnostic::error(Some(whole()), "there is no `=`")
            .note("write for example --set exporters.debug.verbosity=detailed"));
    };
    if path.split('.').any(|key| key.trim().is_empty()) {
        return Err(
            Diagnostic::error(Some(whole()), "a key before the `=` is empty")
                .note("write for example --set exporters.debug.verbosity=detailed"),
        );
    }
    let before = path.chars().count() + 1;
    let mut node = tree::parse(&Arc::new(Source {
        name: "--set".to_owned(),
        text: value.to_owned(),
    }))?;
    node.move_to(&|place| place.within(&source, before));
    let mut column = 1 + path.chars().count();
    for key in path.rsplit('.') {
        let width = key.chars().count();
        column -= width;
        let key_place = Place::new(&source, 1, column, width);
        column = column.saturating_sub(1).max(1);
        let entry = Entry {
            key: key.trim().to_owned(),
            key_place: key_place.clone(),
            value: node,
        };
        node = Node::new(Value::Map(vec![entry]), key_place);
    }
    Ok(node)
}
