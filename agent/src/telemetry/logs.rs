//! Own logs: structured lines on standard error, or where the config says.

use std::io;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

/// How own logs look.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Default)]
pub(crate) enum Encoding {
    /// One readable line an event.
    #[default]
    Console,
    /// One JSON object an event.
    Json,
}

/// Starts own logs for the whole process. A second call has no effect: the first subscriber stays.
pub(crate) fn start(level: tracing::Level, encoding: Encoding) {
    let filter = EnvFilter::default().add_directive(level.into());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_span_events(FmtSpan::NONE)
        .with_ansi(io::IsTerminal::is_terminal(&io::stderr()))
        .with_target(false);
    // An error means that a subscriber is installed already, as in tests.
    let _ = match encoding {
        Encoding::Console => builder.try_init(),
        Encoding::Json => builder.json().flatten_event(true).try_init(),
    };
}
