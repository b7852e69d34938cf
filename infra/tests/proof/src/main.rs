//! Proves `infra/` offline: every module and stack is validated, tested, planned, applied and
//! destroyed against the stub provider; the plans are then priced and judged.
//!
//! Usage: `proof --infra DIR --tofu FILE --package FILE --stub FILE --work DIR COMMAND [ARGUMENT...]`

mod cost;
mod docs;
mod enums;
mod golden;
mod mutations;
mod plan;
mod policy;
mod refusals;
mod schema;
mod stack;
mod stub;
mod tool;
mod tree;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};

/// Where everything lies; the Makefile passes it, nothing is guessed.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) infra: PathBuf,
    pub(crate) tofu: PathBuf,
    pub(crate) package: PathBuf,
    pub(crate) stub: PathBuf,
    pub(crate) work: PathBuf,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let (settings, command, arguments) = parse(std::env::args().skip(1))?;
    let begin = Instant::now();
    match (command.as_str(), arguments.as_slice()) {
        ("schema", []) => schema::check(&settings)?,
        ("validate", []) => stack::validate(&settings)?,
        ("test", []) => stack::test(&settings)?,
        ("plan", []) => stack::plan(&settings)?,
        ("golden", []) => golden::check(&settings)?,
        ("golden", [word]) if word == "update" => golden::update(&settings)?,
        ("render", [scenario, target]) => {
            golden::render(&settings, scenario, &PathBuf::from(target))?;
        }
        ("docs", []) => {
            docs::check_shared(&settings.infra)?;
            docs::check(&settings, false)?;
        }
        ("docs", [word]) if word == "update" => docs::check(&settings, true)?,
        ("enums", []) => enums::check(&settings.infra, &stack::kept_plans(&settings)?)?,
        ("mutations", []) => mutations::run(&settings)?,
        ("refusals", []) => refusals::check(&settings)?,
        ("profiles", []) => stack::profiles(&settings)?,
        ("policy", []) => {
            policy::fixtures(&settings.infra)?;
            policy::check(&settings.infra, &stack::kept_plans(&settings)?)?;
        }
        ("cost", []) => drop(cost::judge(
            &settings.infra,
            &stack::kept_plans(&settings)?,
        )?),
        // A user's own plans, as `show -json` prints them.
        ("judge", files) if !files.is_empty() => {
            let files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
            policy::check(&settings.infra, &files)?;
            drop(cost::judge(&settings.infra, &files)?);
        }
        _ => bail!("unknown command {command} {arguments:?}"),
    }
    println!("{command}: ok in {:.1} s", begin.elapsed().as_secs_f64());
    Ok(())
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<(Settings, String, Vec<String>)> {
    let mut flags = std::collections::BTreeMap::new();
    let command = loop {
        let word = words.next().context("no command given")?;
        match word.strip_prefix("--") {
            Some(flag) => {
                let value = words
                    .next()
                    .with_context(|| format!("--{flag} needs a value"))?;
                flags.insert(flag.to_owned(), PathBuf::from(value));
            }
            None => break word,
        }
    };
    let mut take = |name: &str| {
        flags
            .remove(name)
            .with_context(|| format!("--{name} is missing"))
    };
    let settings = Settings {
        infra: take("infra")?,
        tofu: take("tofu")?,
        package: take("package")?,
        stub: take("stub")?,
        work: take("work")?,
    };
    if let Some(flag) = flags.keys().next() {
        bail!("unknown flag --{flag}");
    }
    Ok((settings, command, words.collect()))
}
