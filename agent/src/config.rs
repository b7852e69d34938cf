//! What the user wrote, turned into what the program may rely on.
//!
//! The way of a configuration: [`sources`] reads each `--config` into a positioned [`tree`],
//! [`merge`] lays them over one another, [`substitute`] replaces `${...}`, [`model`] finds the
//! components and pipelines, [`check`] decodes each component by the catalog and makes sure that
//! everything fits. The result is [`Settings`], or every mistake found, each with its place.
//!
//! The only reader of the environment. Components are known here by name alone: which there are,
//! and what their options are, is the [`Catalog`], which `graph.rs` implements.

pub(crate) mod blocks;
mod check;
mod decode;
mod diagnostic;
mod id;
mod merge;
mod model;
mod place;
mod print;
mod scalar;
mod sources;
mod substitute;
mod telemetry;
mod tree;
mod upstream;
pub(crate) mod values;

use std::fmt;

use otlp::Signal;
use serde::Serialize;

pub(crate) use decode::Mistake;
pub(crate) use diagnostic::{ConfigError, Diagnostic};
pub(crate) use id::{ComponentId, Kind};
pub(crate) use print::{Mode as PrintMode, to_yaml};
pub(crate) use sources::{Arguments, Process, SCHEMES, World};
pub(crate) use telemetry::{LogEncoding, LogLevel, Logs, Telemetry};
pub(crate) use tree::Node;

/// What a config struct checks beyond the types of its fields, once, before anything starts, and
/// what it needs of the world around it.
pub(crate) trait Check {
    /// # Errors
    /// The first thing that cannot work, with the key it is about.
    fn check(&self) -> Result<(), Problem>;

    /// Addresses that this component will listen on, so that no two components want the same.
    fn listens(&self) -> Vec<Listen> {
        Vec::new()
    }

    /// Extensions that this component names, such as `storage`, which must exist and be enabled.
    fn extensions(&self) -> Vec<ExtensionUse> {
        Vec::new()
    }
}

/// A mistake in one component's options. The config layer adds file, line and column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Keys from the component's body down to the value, joined by `::`; empty for the body itself.
    pub(crate) key_path: String,
    /// Lower case, no full stop: what is wrong.
    pub(crate) message: String,
    /// What to write instead; may be empty.
    pub(crate) hint: String,
}

impl Problem {
    /// A problem at `key_path` inside the component.
    pub(crate) fn at(
        key_path: impl Into<String>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            key_path: key_path.into(),
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// The same problem of a block that stands at `key` in its component.
    #[must_use]
    pub(crate) fn within(mut self, key: &str) -> Self {
        self.key_path = join_keys(key, &self.key_path);
        self
    }
}

fn join_keys(key: &str, rest: &str) -> String {
    if rest.is_empty() {
        key.to_owned()
    } else {
        format!("{key}::{rest}")
    }
}

/// A TCP address that a component will listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listen {
    /// The key of the address, joined by `::`, inside the component.
    pub(crate) key_path: String,
    /// `host:port`.
    pub(crate) address: String,
}

impl Listen {
    /// An address and the key that it is written at.
    pub(crate) fn tcp(key_path: impl Into<String>, address: impl Into<String>) -> Self {
        Self {
            key_path: key_path.into(),
            address: address.into(),
        }
    }
}

/// An extension that a component names in its options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExtensionUse {
    /// The key that names it, joined by `::`, inside the component.
    pub(crate) key_path: String,
    /// The extension.
    pub(crate) id: ComponentId,
}

impl ExtensionUse {
    /// The same use by a block that stands at `key` in its component.
    #[must_use]
    pub(crate) fn within(mut self, key: &str) -> Self {
        self.key_path = join_keys(key, &self.key_path);
        self
    }
}

/// Every component there is: one [`Family`] for each kind. `graph.rs` implements it.
pub(crate) trait Catalog: Clone + fmt::Debug {
    /// Receivers.
    type Receiver: Family;
    /// Processors.
    type Processor: Family;
    /// Exporters.
    type Exporter: Family;
    /// Extensions.
    type Extension: Family;
}

/// All components of one kind: an enum with a variant for each type, holding its config.
pub(crate) trait Family: Clone + fmt::Debug {
    /// The types, in alphabetical order, each under its present name.
    const TYPES: &'static [Type];

    /// Reads the options of a component of type `type_name` with `body.decode()`; `None` when
    /// there is no such type. Old names never arrive here.
    fn decode(type_name: &str, body: &Node) -> Option<Result<Self, Mistake>>;

    /// The config inside, whatever its type.
    fn options(&self) -> &dyn Options;
}

/// One type of component.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Type {
    /// Present name, such as `otlp_grpc`.
    pub(crate) name: &'static str,
    /// Signals it can carry; none for an extension.
    pub(crate) signals: &'static [Signal],
    /// Whether its options may still change.
    pub(crate) stability: Stability,
}

/// How settled the options of a component are; a level is added when something has earned it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stability {
    /// May change with notice in the change log.
    Beta,
}

impl Stability {
    /// The level as one word.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Beta => "Beta",
        }
    }
}

/// What this layer does with a component's config once it is decoded. Every config has it.
pub(crate) trait Options: Check {
    /// All options with their defaults, secrets left out.
    fn print(&self) -> serde_json::Value;
}

impl<T: Check + Serialize> Options for T {
    fn print(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// A configuration in which every reference holds and every component has passed its check.
#[derive(Clone, Debug)]
pub(crate) struct Settings<C: Catalog> {
    /// In the order of the file.
    pub(crate) receivers: Vec<Component<C::Receiver>>,
    /// In the order of the file.
    pub(crate) processors: Vec<Component<C::Processor>>,
    /// In the order of the file.
    pub(crate) exporters: Vec<Component<C::Exporter>>,
    /// Those that are used come first, in the order in which they start.
    pub(crate) extensions: Vec<Component<C::Extension>>,
    /// In the order of the file.
    pub(crate) pipelines: Vec<Pipeline>,
    /// `service::telemetry`.
    pub(crate) telemetry: Telemetry,
}

/// One configured component.
#[derive(Clone, Debug)]
pub(crate) struct Component<F> {
    /// Unique within the kind; with the present type name, so fit as a key of stored state.
    pub(crate) id: ComponentId,
    /// Its options.
    pub(crate) config: F,
    /// Whether a pipeline, or `service::extensions`, names it. What is not used is not started.
    pub(crate) is_used: bool,
}

/// One pipeline; its ids are those of components in the same [`Settings`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pipeline {
    /// What it carries.
    pub(crate) signal: Signal,
    /// What follows the slash in its id.
    pub(crate) name: Option<String>,
    /// At least one.
    pub(crate) receivers: Vec<ComponentId>,
    /// In the order in which they are applied; none twice.
    pub(crate) processors: Vec<ComponentId>,
    /// At least one.
    pub(crate) exporters: Vec<ComponentId>,
}

impl fmt::Display for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.signal.as_str())?;
        match &self.name {
            Some(name) => write!(f, "/{name}"),
            None => Ok(()),
        }
    }
}

/// A configuration that was read and found sound.
#[derive(Debug)]
pub(crate) struct Loaded<C: Catalog> {
    /// What the program may rely on.
    pub(crate) settings: Settings<C>,
    /// What works but is perhaps not meant.
    pub(crate) warnings: Vec<Diagnostic>,
    /// What the user wrote, merged and substituted, for printing.
    model: model::File,
}

/// Reads, merges, substitutes, decodes and checks a configuration. Starts nothing.
///
/// # Errors
/// Every mistake that could be told apart, each with its place.
pub(crate) fn load<C: Catalog>(
    arguments: &Arguments,
    world: &dyn World,
) -> Result<Loaded<C>, ConfigError> {
    let mut diagnostics = Vec::new();
    let mut tree = sources::read(arguments, world)?;
    substitute::substitute(&mut tree, world, &mut diagnostics);
    let mut diagnostics = ConfigError::from_diagnostics(diagnostics)?;
    let model = model::File::read(&tree, &mut diagnostics);
    let settings = check::check::<C>(&model, &mut diagnostics);
    let warnings = ConfigError::from_diagnostics(diagnostics)?;
    Ok(Loaded {
        settings,
        warnings,
        model,
    })
}

#[cfg(test)]
pub(crate) use tree::node;

#[cfg(test)]
pub(crate) mod tests;
