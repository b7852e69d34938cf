//! Shows what passes by, for people who look.
//!
//! A summary line for each batch, then, as asked, a line for each item (`normal`) or every field as
//! OTLP/JSON (`detailed`). The text goes to the program's own log, or to standard output.

mod text;

use std::io::{self, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use pipeline::{Batch, ExportError, Exported, Fatal, clock};
use serde::{Deserialize, Serialize};

use crate::config::blocks::{RetryOnFailure, SendingQueue};
use crate::config::values::Interval;
use crate::config::{Check, ExtensionUse, Problem};
use crate::exporters::otlp::{check_delivery, plain};

/// Options of the `debug` exporter.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// How much is shown.
    pub(crate) verbosity: Verbosity,
    /// Batches shown in each second before they are thinned out.
    pub(crate) sampling_initial: u32,
    /// After those, every how many-th batch of the second is shown; 0 for none.
    pub(crate) sampling_thereafter: u32,
    /// Write to the program's own log; to `output_paths` otherwise.
    pub(crate) use_internal_logger: bool,
    /// `stdout` or `stderr`.
    pub(crate) output_paths: Vec<String>,
    /// How many batches may wait.
    pub(crate) sending_queue: SendingQueue,
    /// Read and without effect: showing does not fail.
    pub(crate) retry_on_failure: RetryOnFailure,
    /// Time for one batch.
    pub(crate) timeout: Interval,
}

/// How much is shown of a batch.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verbosity {
    /// A line with counts.
    #[default]
    Basic,
    /// A line for each item, too.
    Normal,
    /// Every field, too.
    Detailed,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            verbosity: Verbosity::default(),
            sampling_initial: 2,
            sampling_thereafter: 1,
            use_internal_logger: true,
            output_paths: vec!["stdout".to_owned()],
            sending_queue: SendingQueue::default(),
            retry_on_failure: RetryOnFailure::default(),
            timeout: Interval::from_secs(5),
        }
    }
}

impl Check for Config {
    fn check(&self) -> Result<(), Problem> {
        let is_known = |path: &String| path == "stdout" || path == "stderr";
        if let Some(path) = self.output_paths.iter().find(|path| !is_known(path)) {
            return Err(Problem::at(
                "output_paths",
                format!("`{path}` is not an output"),
                "write stdout or stderr; the exporter `file` writes files",
            ));
        }
        check_delivery(&self.sending_queue, &self.retry_on_failure)
    }

    fn extensions(&self) -> Vec<ExtensionUse> {
        let used = self.sending_queue.extensions().into_iter();
        used.map(|used| used.within("sending_queue")).collect()
    }
}

/// Shows batches.
#[derive(Debug)]
pub(crate) struct Exporter {
    id: String,
    verbosity: Verbosity,
    outputs: Vec<Output>,
    sampler: Mutex<Sampler>,
}

/// Where text goes.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Output {
    Log,
    Stdout,
    Stderr,
}

impl Exporter {
    /// An exporter that has shown nothing yet; `id` is the component id, for the log.
    ///
    /// # Errors
    /// None; the shape is that of all exporters.
    pub(crate) fn new(id: &str, config: Config) -> Result<Self, Fatal> {
        let named = config.output_paths.iter().map(|path| match path.as_str() {
            "stderr" => Output::Stderr,
            _ => Output::Stdout,
        });
        Ok(Self {
            id: id.to_owned(),
            verbosity: config.verbosity,
            outputs: if config.use_internal_logger {
                vec![Output::Log]
            } else {
                named.collect()
            },
            sampler: Mutex::new(Sampler::new(&config)),
        })
    }

    fn is_sampled(&self) -> bool {
        let sampler = self.sampler.lock();
        sampler.is_ok_and(|mut sampler| sampler.is_shown(clock::monotonic()))
    }
}

impl pipeline::Exporter for Exporter {
    async fn export(&self, batch: &Batch) -> Result<Exported, ExportError> {
        if !self.is_sampled() {
            return Ok(Exported::default());
        }
        let message = plain(&batch.payload)
            .await
            .map_err(|error| ExportError::BadData {
                reason: "unreadable",
                message: format!("cannot read a batch of {}: {error}", batch.signal),
            })?;
        let text = text::of(batch.signal, batch.items, &message, self.verbosity);
        for output in &self.outputs {
            output
                .write(&self.id, text.clone())
                .await
                .map_err(|error| ExportError::Retry {
                    after: None,
                    message: format!("cannot write to {output:?}: {error}"),
                })?;
        }
        Ok(Exported::default())
    }
}

impl Output {
    /// Writes on a blocking thread what may block: nobody may be reading the other end.
    async fn write(self, id: &str, text: String) -> io::Result<()> {
        let write = match self {
            Self::Log => {
                tracing::info!(exporter = id, "{}", text.trim_end());
                return Ok(());
            }
            Self::Stdout => |text: &[u8]| {
                let mut stdout = io::stdout().lock();
                stdout.write_all(text)?;
                stdout.flush()
            },
            Self::Stderr => |text: &[u8]| io::stderr().lock().write_all(text),
        };
        let written = tokio::task::spawn_blocking(move || write(text.as_bytes()));
        written.await.map_err(io::Error::other)?
    }
}

/// Shows the first batches of each second, and of the others every n-th.
#[derive(Debug)]
struct Sampler {
    initial: u32,
    thereafter: u32,
    second: Option<Instant>,
    seen: u32,
}

impl Sampler {
    fn new(config: &Config) -> Self {
        Self {
            initial: config.sampling_initial,
            thereafter: config.sampling_thereafter,
            second: None,
            seen: 0,
        }
    }

    fn is_shown(&mut self, now: Instant) -> bool {
        let is_same_second = self
            .second
            .is_some_and(|start| now.duration_since(start) < Duration::from_secs(1));
        if !is_same_second {
            self.second = Some(now);
            self.seen = 0;
        }
        self.seen = self.seen.saturating_add(1);
        match self.seen.checked_sub(self.initial) {
            None | Some(0) => true,
            Some(beyond) => beyond.checked_rem(self.thereafter) == Some(0),
        }
    }
}

#[cfg(test)]
mod tests;
