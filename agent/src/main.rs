//! Entry point of `skybridge`.

use std::process::ExitCode;

fn main() -> ExitCode {
    agent::cli::main()
}
