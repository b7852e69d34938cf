//! Runs a graph until it is asked to stop.

use std::error::Error;
use std::future::Future;
use std::process::ExitCode;
use std::thread::available_parallelism;

use pipeline::Fatal;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{Loaded, World};
use crate::graph::{Components, Graph};
use crate::telemetry::logs;

/// Threads that run components, at most: what moves bytes needs few.
const WORKERS_MAX: usize = 4;

/// Threads for disk and inflating, at most.
const BLOCKING_THREADS_MAX: usize = 32;

/// Runs the configuration until SIGINT or SIGTERM, then drains.
pub(super) fn run(loaded: Loaded<Components>, world: &dyn World) -> ExitCode {
    let settings = loaded.settings;
    if let Err(fatal) = logs::start(&settings.telemetry.logs) {
        return fail(&fatal);
    }
    let variable = |name: &str| world.variable(name).ok();
    finish(async {
        let stop = stop_signal()?;
        let graph = Graph::start(&settings, &variable).await?;
        tracing::info!(version = env!("CARGO_PKG_VERSION"), "started");
        graph.run(stop).await
    })
}

/// Runs `program` on a runtime of its own, and turns its end into an exit code.
pub(super) fn finish(program: impl Future<Output = Result<(), Fatal>>) -> ExitCode {
    let outcome = runtime().and_then(|runtime| runtime.block_on(program));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(fatal) => fail(&fatal),
    }
}

/// Listens for SIGINT and SIGTERM from now on; the future returns when one arrives.
///
/// # Errors
/// When the process cannot listen for signals.
pub(super) fn stop_signal() -> Result<impl Future<Output = Result<(), Fatal>>, Fatal> {
    let listen =
        |kind| signal(kind).map_err(|error| Fatal::caused("cannot listen for signals", error));
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        Ok(())
    })
}

/// On one core a single thread does all: threads there would only get in each other's way.
fn runtime() -> Result<Runtime, Fatal> {
    let cores = available_parallelism().map_or(1, Into::into);
    let mut builder = match cores {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    builder
        .worker_threads(cores.min(WORKERS_MAX))
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .enable_all()
        .build()
        .map_err(|error| Fatal::caused("cannot start the runtime's threads", error))
}

/// Says why the program ends, with every cause below.
fn fail(fatal: &Fatal) -> ExitCode {
    let mut message = fatal.to_string();
    let mut cause = fatal.source();
    while let Some(error) = cause {
        message.push_str(&format!(": {error}"));
        cause = error.source();
    }
    super::print_error(&message);
    ExitCode::FAILURE
}
