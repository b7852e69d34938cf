//! `skybridge demo`: an agent and a collector on this machine, with real input and no setup.
//!
//! Both are child processes that run this very program with the configs of `collector-config/demo`,
//! so what the demo shows is what a deployment does. The demo itself only picks free ports, writes
//! a small application log, shows the ledger of both, and stops them in order: first the agent, so
//! that the collector can still take what it drains.

#![expect(clippy::print_stdout, reason = "what the demo shows is its output")]

mod children;
mod settings;
mod summary;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use pipeline::Fatal;
use tokio::io::AsyncWriteExt;
use tokio::time::{MissedTickBehavior, interval};

use children::Role;
use settings::Settings;

use crate::config::World;

/// How often the summary is shown on a terminal, and in a log.
const REDRAW: Duration = Duration::from_secs(1);
const REPRINT: Duration = Duration::from_secs(10);

/// How often the demo's own application writes a line.
const LOG_LINE: Duration = Duration::from_millis(200);

/// How long a child may take until it is ready, and until it has drained.
const READY: Duration = Duration::from_secs(10);
const DRAIN: Duration = Duration::from_secs(20);

/// Runs the demo in the directory and for the time that the user said.
pub(super) fn start(arguments: super::DemoArguments, world: &dyn World) -> ExitCode {
    let run_for = arguments.run_for.map(|limit| limit.0);
    super::run::finish(async {
        let directory = match arguments.directory {
            Some(directory) => directory,
            None => temporary_directory(),
        };
        let named = |name| world.variable(name).ok().filter(|url| !url.is_empty());
        let base = |url: String| url.trim_end_matches('/').to_owned();
        run(Settings {
            directory,
            run_for,
            prometheus_url: named("PROMETHEUS_URL").map(base),
            loki_url: named("LOKI_URL").map(base),
            ports: settings::Ports::pick()?,
        })
        .await
    })
}

/// A directory that no other demo uses: the process id is unique while this one runs.
fn temporary_directory() -> PathBuf {
    std::env::temp_dir().join(format!("skybridge-demo-{}", std::process::id()))
}

/// Runs until Ctrl-C, SIGTERM, or until `settings.run_for` has passed.
///
/// # Errors
/// When a child does not start, dies, or does not stop in time; the message names its log.
async fn run(settings: Settings) -> Result<(), Fatal> {
    std::fs::create_dir_all(&settings.directory).map_err(|error| {
        Fatal::caused(
            format!("cannot create {}", settings.directory.display()),
            error,
        )
    })?;
    let mut collector = children::start(Role::Collector, &settings)?;
    collector.ready(READY).await?;
    let mut agent = children::start(Role::Agent, &settings)?;
    agent.ready(READY).await?;
    println!("{}", settings.what_to_open());

    let outcome = tokio::select! {
        stopped = stop_requested(settings.run_for) => stopped,
        error = agent.died() => Err(error),
        error = collector.died() => Err(error),
        error = write_application_log(settings.directory.join("application.log")) => Err(error),
        () = show(&settings) => Ok(()),
    };
    println!("\nstopping: the agent drains, then the collector");
    let before = summary::read(&settings).await;
    agent.stop(DRAIN).await?;
    let last = summary::read_collector(&settings).await;
    collector.stop(DRAIN).await?;
    println!("{}", summary::table(&before.agent, &last));
    println!("what was written is in {}", settings.directory.display());
    outcome
}

async fn stop_requested(run_for: Option<Duration>) -> Result<(), Fatal> {
    let stop = super::run::stop_signal()?;
    match run_for {
        None => stop.await,
        Some(limit) => tokio::time::timeout(limit, stop).await.unwrap_or(Ok(())),
    }
}

/// Shows the ledger of both programs again and again, in place on a terminal.
async fn show(settings: &Settings) {
    let in_place = std::io::stdout().is_terminal();
    let mut ticks = interval(if in_place { REDRAW } else { REPRINT });
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut lines_above = 0;
    loop {
        ticks.tick().await;
        let read = summary::read(settings).await;
        let table = summary::table(&read.agent, &read.collector);
        let mut stdout = std::io::stdout().lock();
        let up = if in_place && lines_above > 0 {
            format!("\x1b[{lines_above}A\x1b[J")
        } else {
            String::new()
        };
        lines_above = table.lines().count();
        // A closed terminal ends the demo by its signal, not by this write.
        let _ = writeln!(stdout, "{up}{table}").and_then(|()| stdout.flush());
    }
}

/// Appends one line after the other, as an application would; returns only when that fails.
async fn write_application_log(path: PathBuf) -> Fatal {
    match append_lines(&path).await {
        Ok(never) => match never {},
        Err(error) => Fatal::caused(format!("cannot append to {}", path.display()), error),
    }
}

async fn append_lines(path: &Path) -> std::io::Result<std::convert::Infallible> {
    let mut file = tokio::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .await?;
    let mut ticks = interval(LOG_LINE);
    for request in 1_u64.. {
        ticks.tick().await;
        let took_ms = 3 + request * 7 % 40;
        let line =
            format!("level=info msg=\"order accepted\" request={request} took_ms={took_ms}\n");
        file.write_all(line.as_bytes()).await?;
        file.flush().await?;
    }
    std::future::pending().await
}
