//! The command line: what the user typed, which command that is, and the exit code.
//!
//! Commands and flags are the OpenTelemetry Collector's where the meaning is equal, so that units
//! and manifests written for it work. Exit codes: 0 clean, 1 failed while running, 2 the command
//! line cannot be understood, 78 the configuration cannot be used (`EX_CONFIG`, which systemd units
//! name in `RestartPreventExitStatus`).

mod components;
mod demo;
mod print_config;
mod run;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::config::values::Interval;
use crate::config::{self, Arguments, Catalog, ConfigError, Diagnostic, Loaded, Process, World};
use crate::graph::Components;

/// Exit code for a configuration that cannot be used.
const EXIT_CONFIG: u8 = 78;

/// The feature gate of the OpenTelemetry Collector that changes what a configuration means.
const APPEND_GATE: &str = "confmap.enableMergeAppendOption";

/// Runs the program with the arguments of this process.
#[must_use]
pub fn main() -> ExitCode {
    let programs = Programs {
        run: |loaded| run::run(loaded, &Process),
        demo: |arguments| demo::start(arguments, &Process),
    };
    execute::<Components>(Process::arguments(), &Process, &programs)
}

/// What commands start that live longer than the command line.
#[derive(Debug)]
pub(crate) struct Programs<C: Catalog> {
    /// Runs the components of a configuration until it is asked to stop.
    pub(crate) run: fn(Loaded<C>) -> ExitCode,
    /// Runs the demo.
    pub(crate) demo: fn(DemoArguments) -> ExitCode,
}

/// Does what `arguments`, the program's name first, say.
pub(crate) fn execute<C: Catalog>(
    arguments: impl IntoIterator<Item = OsString>,
    world: &dyn World,
    programs: &Programs<C>,
) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments).and_then(Cli::with_config) {
        Ok(cli) => cli,
        Err(refusal) => return refuse(&refusal),
    };
    let load = || cli.config.load::<C>(world);
    match cli
        .command
        .unwrap_or_else(|| Command::Run(ConfigArguments::default()))
    {
        Command::Run(_) => load().map_or_else(report, programs.run),
        Command::Validate(_) => load().map_or_else(report, |_| ExitCode::SUCCESS),
        Command::Components => print(&components::list::<C>()),
        Command::PrintConfig(print_config) => {
            load().map_or_else(report, |loaded| print(&print_config.render(&loaded)))
        }
        Command::Featuregate(_) => print(FEATURE_GATES),
        Command::Demo(demo) => (programs.demo)(demo),
    }
}

/// Carries the telemetry of a host to where it is watched.
///
/// Reads configuration files of the OpenTelemetry Collector.
#[derive(Debug, Parser)]
#[command(
    name = "skybridge",
    version,
    max_term_width = 100,
    arg_required_else_help = true
)]
struct Cli {
    #[command(flatten)]
    config: ConfigArguments,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the configuration; what happens without a command, too
    Run(ConfigArguments),
    /// Check a configuration without starting anything; silent when it is sound
    Validate(ConfigArguments),
    /// List the components of this program, as YAML
    Components,
    /// Print the configuration with everything that is not written filled in
    #[command(visible_alias = "print-initial-config")]
    PrintConfig(print_config::PrintConfig),
    /// List feature gates; there are none
    #[command(hide = true)]
    Featuregate(FeatureGateArguments),
    /// Run an agent and a collector on this machine, with its own metrics and logs
    Demo(DemoArguments),
}

/// Where configuration comes from.
#[derive(Clone, Debug, Default, Args)]
struct ConfigArguments {
    /// A configuration file, or env:NAME, or yaml:TEXT; later ones are laid over earlier ones
    #[arg(long, short, value_name = "SOURCE")]
    config: Vec<String>,
    /// Set one key, after all files: exporters.debug.verbosity=detailed
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Read for compatibility; there are no feature gates
    #[arg(
        long,
        value_name = "GATES",
        value_delimiter = ',',
        allow_hyphen_values = true
    )]
    feature_gates: Vec<String>,
}

#[derive(Debug, Args)]
struct FeatureGateArguments {
    /// The gate to describe
    id: Option<String>,
}

/// How long the demo runs, and where.
#[derive(Clone, Debug, Args)]
pub(crate) struct DemoArguments {
    /// Where the demo keeps its files [default: a directory of its own in the temporary directory]
    #[arg(long, value_name = "PATH")]
    pub(crate) directory: Option<PathBuf>,
    /// Stop after this time, such as 30s; without it the demo runs until Ctrl-C
    #[arg(long = "for", value_name = "DURATION", value_parser = Interval::parse)]
    pub(crate) run_for: Option<Interval>,
}

/// Output of `featuregate`: the heading of a table without rows.
const FEATURE_GATES: &str = "ID\tEnabled\tStage\tDescription\n";

impl Cli {
    /// Puts the configuration named before and after the command together; a command that needs
    /// one and has none is a usage error.
    fn with_config(mut self) -> Result<Self, clap::Error> {
        let after = match &self.command {
            None => ConfigArguments::default(),
            Some(Command::Run(config) | Command::Validate(config)) => config.clone(),
            Some(Command::PrintConfig(print_config)) => print_config.config.clone(),
            Some(Command::Components | Command::Featuregate(_) | Command::Demo(_)) => {
                return Ok(self);
            }
        };
        self.config.config.extend(after.config);
        self.config.set.extend(after.set);
        self.config.feature_gates.extend(after.feature_gates);
        if self.config.config.is_empty() {
            return Err(Self::command().error(
                ErrorKind::MissingRequiredArgument,
                "no configuration is named; give at least one --config FILE",
            ));
        }
        Ok(self)
    }
}

impl ConfigArguments {
    /// Loads the configuration and prints its warnings.
    fn load<C: Catalog>(&self, world: &dyn World) -> Result<Loaded<C>, ConfigError> {
        if let Some(note) = self.feature_gates() {
            print_diagnostics(&[note]);
        }
        let arguments = Arguments {
            configs: self.config.clone(),
            sets: self.set.clone(),
        };
        let loaded = config::load(&arguments, world)?;
        print_diagnostics(&loaded.warnings);
        Ok(loaded)
    }

    fn feature_gates(&self) -> Option<Diagnostic> {
        if self.feature_gates.is_empty() {
            return None;
        }
        let gates = self.feature_gates.join(", ");
        let note = Diagnostic::warning(None, format!("feature gates have no effect: {gates}"));
        let is_appending = |gate: &String| gate.trim_start_matches('+') == APPEND_GATE;
        Some(if self.feature_gates.iter().any(is_appending) {
            note.note("a list in a later --config replaces the earlier one, as without this gate")
        } else {
            note
        })
    }
}

/// What clap has to say: help on standard output, a usage error on standard error.
fn refuse(refusal: &clap::Error) -> ExitCode {
    if refusal.print().is_err() {
        return ExitCode::FAILURE;
    }
    ExitCode::from(u8::try_from(refusal.exit_code()).unwrap_or(2))
}

fn report(error: ConfigError) -> ExitCode {
    print_diagnostics(&error.diagnostics);
    ExitCode::from(EXIT_CONFIG)
}

/// Prints findings to standard error, and how many errors there are when there are several.
/// Nobody can be told when standard error itself is gone.
fn print_diagnostics(diagnostics: &[Diagnostic]) {
    let mut blocks: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
    let is_error = |diagnostic: &&Diagnostic| diagnostic.is_error();
    let errors = diagnostics.iter().filter(is_error).count();
    if errors > 1 {
        blocks.push(format!("{errors} errors"));
    }
    for block in blocks {
        let _ = writeln!(io::stderr(), "{block}\n");
    }
}

/// Says on standard error why the program ends.
fn print_error(message: &str) {
    let _ = writeln!(io::stderr(), "error: {message}");
}

/// Writes the result of a command to standard output.
fn print(text: &str) -> ExitCode {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

#[cfg(test)]
mod tests;
