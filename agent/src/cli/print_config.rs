//! `skybridge print-config`: the effective configuration.

use clap::{Args, ValueEnum};

use super::ConfigArguments;
use crate::config::{Catalog, Loaded, PrintMode};

/// What is printed, and how.
#[derive(Clone, Debug, Args)]
pub(super) struct PrintConfig {
    #[command(flatten)]
    pub(super) config: ConfigArguments,
    /// Whether secrets and the values behind ${...} are shown
    #[arg(long, value_enum, default_value_t = Mode::Redacted)]
    mode: Mode,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Format::Yaml)]
    format: Format,
    /// Read for compatibility: only a sound configuration can be printed
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    validate: bool,
}

#[derive(Copy, Clone, Debug, ValueEnum)]
enum Mode {
    /// Secrets are left out, and ${...} is printed as it is written
    Redacted,
    /// Everything as the program uses it
    Unredacted,
}

#[derive(Copy, Clone, Debug, ValueEnum)]
enum Format {
    /// YAML
    Yaml,
    /// JSON
    Json,
}

impl PrintConfig {
    /// The text to print.
    pub(super) fn render<C: Catalog>(&self, loaded: &Loaded<C>) -> String {
        let mode = match self.mode {
            Mode::Redacted => PrintMode::Redacted,
            Mode::Unredacted => PrintMode::Unredacted,
        };
        match self.format {
            Format::Yaml => loaded.to_yaml(mode),
            Format::Json => loaded.to_json(mode),
        }
    }
}
