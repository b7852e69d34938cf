//! Runs a graph until it is asked to stop.

use pipeline::Fatal;
use tokio::signal::unix::{SignalKind, signal};

/// Returns when SIGINT or SIGTERM arrives.
///
/// # Errors
/// When the process cannot listen for signals.
pub(crate) async fn stop_signal() -> Result<(), Fatal> {
    let listen =
        |kind| signal(kind).map_err(|error| Fatal::caused("cannot listen for signals", error));
    let (mut interrupt, mut terminate) = (
        listen(SignalKind::interrupt())?,
        listen(SignalKind::terminate())?,
    );
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
