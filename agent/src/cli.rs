//! The command line: what the user typed, which command that is, and the exit code.

mod demo;
mod run;

use std::process::ExitCode;

/// Runs the program with the arguments of this process.
#[must_use]
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
