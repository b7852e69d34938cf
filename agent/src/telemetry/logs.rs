//! Own logs: structured lines where the config says, standard error by default.

use std::fs::OpenOptions;
use std::io;
use std::sync::Mutex;

use pipeline::Fatal;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

use crate::config::{LogEncoding, LogLevel, Logs};

/// Starts own logs for the whole process. A second call has no effect: the first subscriber stays.
///
/// # Errors
/// When a log file cannot be opened.
pub(crate) fn start(config: &Logs) -> Result<(), Fatal> {
    let level = match config.level {
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
    };
    let builder = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(writer(&config.output_paths)?)
        .with_ansi(false)
        .with_target(false);
    // An error means that a subscriber is installed already, as in tests.
    let _ = match config.encoding {
        LogEncoding::Console => builder.try_init(),
        LogEncoding::Json => builder.json().flatten_event(true).try_init(),
    };
    Ok(())
}

/// The first path decides: one line in one place.
fn writer(output_paths: &[String]) -> Result<BoxMakeWriter, Fatal> {
    Ok(match output_paths.first().map(String::as_str) {
        None | Some("stderr") => BoxMakeWriter::new(io::stderr),
        Some("stdout") => BoxMakeWriter::new(io::stdout),
        Some(path) => {
            let file = OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .map_err(|error| {
                    Fatal::caused(format!("cannot open the log file {path}"), error)
                })?;
            BoxMakeWriter::new(Mutex::new(file))
        }
    })
}
