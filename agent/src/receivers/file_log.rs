//! Reads log files as they grow.
//!
//! Files are found by patterns, read from where reading stopped, and cut into lines; each line is
//! a log record. A position advances only when every pipeline has kept the lines before it, so
//! nothing is lost when the program is killed; at most what was not acknowledged is read twice.
//! Backpressure makes the reader wait, for as long as it takes.
//!
//! A file is followed through rotation: renamed (it is read to its end under its new name),
//! copied and truncated (reading starts again, and the copy is not read a second time), deleted
//! while open, created anew. [`files`] says how a file is recognized.
//!
//! Reading blocks, and so happens on threads for that; one batch is on its way at a time.

mod checkpoint;
mod files;
mod globs;
mod lines;
mod newcomer;
mod settings;
mod tracked;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pipeline::{Batch, Fatal, Output, Payload, Refused, Signal};
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

use self::files::{Files, Read};
use self::globs::Globs;
use self::settings::Settings;
use super::{Context, Outputs};
use crate::config::values::{ByteSize, Interval};
use crate::config::{Check, ComponentId, ExtensionUse, Problem};

/// The shortest wait before a refused batch is offered again.
const RETRY_DELAY_MIN: Duration = Duration::from_millis(10);

/// While there is always more to read, files are looked for this often, so that one that is rotated
/// meanwhile is not missed.
const LOOK_INTERVAL_MAX: Duration = Duration::from_secs(1);

/// The longest entry that may be configured, in bytes: what a pipeline still carries in one piece.
const LOG_SIZE_BYTES_MAX: u64 = 32 << 20;

/// Options of the `file_log` receiver.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Patterns of the files to read: `*`, `?`, `[a-z]`, `{a,b}`, and `**` for any depth.
    pub(crate) include: Vec<String>,
    /// Patterns of files that are not read although they are included.
    pub(crate) exclude: Vec<String>,
    /// Files that were not written to for longer than this are not begun.
    pub(crate) exclude_older_than: Option<Interval>,
    /// Where to begin with files that exist when files are looked for the very first time. Files
    /// that appear later are read from their beginning.
    pub(crate) start_at: StartAt,
    /// Time from one look at the files to the next.
    pub(crate) poll_interval: Interval,
    /// How many of the first bytes of a file identify it, at least 16.
    pub(crate) fingerprint_size: ByteSize,
    /// The longest entry; a longer line becomes several.
    pub(crate) max_log_size: ByteSize,
    /// How many files are open at the same time.
    pub(crate) max_concurrent_files: u32,
    /// When a last line without a line end is taken as it is; 0 for never.
    pub(crate) force_flush_period: Interval,
    /// `utf-8`, or `nop` for bytes as they are: then an entry is not a line, but all that was
    /// appended since the last look.
    pub(crate) encoding: Encoding,
    /// Keep blanks at the start of lines.
    pub(crate) preserve_leading_whitespaces: bool,
    /// Keep blanks at the end of lines.
    pub(crate) preserve_trailing_whitespaces: bool,
    /// Set the attribute `log.file.name`.
    pub(crate) include_file_name: bool,
    /// Set the attribute `log.file.path`.
    pub(crate) include_file_path: bool,
    /// Set the attribute `log.file.name_resolved`: the name with links followed.
    pub(crate) include_file_name_resolved: bool,
    /// Set the attribute `log.file.path_resolved`: the path with links followed.
    pub(crate) include_file_path_resolved: bool,
    /// Attributes of every record.
    pub(crate) attributes: BTreeMap<String, String>,
    /// Attributes of the resource of every record.
    pub(crate) resource: BTreeMap<String, String>,
    /// The storage extension that keeps positions across restarts.
    pub(crate) storage: Option<ComponentId>,
    /// Read for compatibility and without effect: a refused batch is offered again until it is
    /// taken.
    pub(crate) retry_on_failure: RetryOnFailure,
    /// Not supported: refused unless empty.
    pub(crate) operators: Vec<Operator>,
    /// Not supported: refused when present.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) multiline: Option<Multiline>,
}

/// Where reading begins.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StartAt {
    /// With the first byte.
    Beginning,
    /// With what is appended from now on.
    End,
}

/// How the bytes of a file are understood.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) enum Encoding {
    /// Text; bytes that are not UTF-8 are replaced.
    #[serde(rename = "utf-8", alias = "utf8", alias = "UTF-8")]
    Utf8,
    /// Bytes.
    #[serde(rename = "nop")]
    Nop,
}

/// The `retry_on_failure` block.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RetryOnFailure {
    pub(crate) enabled: Option<bool>,
    pub(crate) initial_interval: Option<Interval>,
    pub(crate) max_interval: Option<Interval>,
    pub(crate) max_elapsed_time: Option<Interval>,
}

/// An entry of `operators`, of which only the type is looked at, for the message.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Operator {
    #[serde(rename = "type")]
    pub(crate) kind: String,
}

/// The `multiline` block, of which only the presence is looked at.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Multiline {}

impl Default for Config {
    fn default() -> Self {
        Self {
            include: Vec::new(),
            exclude: Vec::new(),
            exclude_older_than: None,
            start_at: StartAt::End,
            poll_interval: Interval::from_millis(200),
            fingerprint_size: ByteSize(1_024),
            max_log_size: ByteSize(1 << 20),
            max_concurrent_files: 1_024,
            force_flush_period: Interval::from_millis(500),
            encoding: Encoding::Utf8,
            preserve_leading_whitespaces: false,
            preserve_trailing_whitespaces: false,
            include_file_name: true,
            include_file_path: false,
            include_file_name_resolved: false,
            include_file_path_resolved: false,
            attributes: BTreeMap::new(),
            resource: BTreeMap::new(),
            storage: None,
            retry_on_failure: RetryOnFailure::default(),
            operators: Vec::new(),
            multiline: None,
        }
    }
}

impl Check for Config {
    fn check(&self) -> Result<(), Problem> {
        if self.include.is_empty() {
            return Err(Problem::at(
                "include",
                "no files are named, so nothing would be read",
                "write for example include: [/var/log/*.log]",
            ));
        }
        Globs::compile(&self.include, &self.exclude)?;
        self.check_sizes()?;
        self.check_unsupported()
    }

    fn extensions(&self) -> Vec<ExtensionUse> {
        let used = |id: &ComponentId| ExtensionUse {
            key_path: "storage".to_owned(),
            id: id.clone(),
        };
        self.storage.iter().map(used).collect()
    }
}

impl Config {
    fn check_sizes(&self) -> Result<(), Problem> {
        let sizes = [
            ("fingerprint_size", self.fingerprint_size.0, 16, 1 << 20),
            ("max_log_size", self.max_log_size.0, 4, LOG_SIZE_BYTES_MAX),
            (
                "max_concurrent_files",
                u64::from(self.max_concurrent_files),
                1,
                u64::from(u32::MAX),
            ),
        ];
        for (key, value, least, most) in sizes {
            if !(least..=most).contains(&value) {
                return Err(Problem::at(
                    key,
                    format!("{key} is {value}"),
                    format!("write a value from {least} to {most}"),
                ));
            }
        }
        if self.poll_interval.0.is_zero() {
            return Err(Problem::at(
                "poll_interval",
                "an interval of 0 would look at the files without a pause",
                "write for example 200ms",
            ));
        }
        Ok(())
    }

    fn check_unsupported(&self) -> Result<(), Problem> {
        if let Some(operator) = self.operators.first() {
            return Err(Problem::at(
                "operators",
                format!(
                    "operators are not supported by this version, found `{}`",
                    operator.kind
                ),
                "remove them; lines are passed on as they are, and the attributes processor or \
                 the back end can take them apart",
            ));
        }
        if self.multiline.is_some() {
            return Err(Problem::at(
                "multiline",
                "joining lines is not supported by this version",
                "remove it; each line becomes a record of its own",
            ));
        }
        let texts = [
            ("attributes", &self.attributes),
            ("resource", &self.resource),
        ];
        for (key, map) in texts {
            if let Some((name, _)) = map.iter().find(|(_, text)| text.contains("EXPR(")) {
                return Err(Problem::at(
                    format!("{key}::{name}"),
                    "expressions are not supported by this version",
                    "write the value itself",
                ));
            }
        }
        Ok(())
    }
}

/// Reads files until shutdown.
///
/// # Errors
/// When the state directory cannot be used: without it, lines would be lost or come twice at the
/// next start.
pub(crate) async fn run<O: Output>(
    config: Config,
    outputs: Outputs<O>,
    context: Context,
) -> Result<(), Fatal> {
    let Some(output) = outputs.logs else {
        return Ok(());
    };
    let reserve_bytes = settings::batch_size_bytes_max(&config);
    let globs = Globs::compile(&config.include, &config.exclude)
        .map_err(|problem| Fatal::new(format!("{}: {}", context.id, problem.message)))?;
    let settings = Settings::new(&config, globs, context.state_directory.clone());
    let files = blocking(move || Files::open(settings))
        .await
        .map_err(|error| cannot_open(&context, error))?;
    context.stats.set_started();
    if config.retry_on_failure != RetryOnFailure::default() {
        tracing::info!(
            receiver = context.id,
            "retry_on_failure has no effect: a refused batch is offered until it is taken"
        );
    }
    let reader = Reader {
        files: Arc::new(Mutex::new(files)),
        reserve_bytes,
        output,
        context,
    };
    reader.run(config.poll_interval.0).await;
    Ok(())
}

fn cannot_open(context: &Context, error: std::io::Error) -> Fatal {
    let directory = context.state_directory.clone().unwrap_or_default();
    let message = format!(
        "{}: open the checkpoints in {}; make it a directory that this program may write to",
        context.id,
        directory.display()
    );
    Fatal::caused(message, error)
}

/// What happens in turn: look, read, deliver, advance.
struct Reader<O> {
    /// Locked by the thread that works with them; never by two at the same time.
    files: Arc<Mutex<Files>>,
    /// What is charged before a batch is read.
    reserve_bytes: usize,
    output: O,
    context: Context,
}

/// Why reading stops.
struct Stopped;

impl<O: Output> Reader<O> {
    async fn run(&self, poll_interval: Duration) {
        let shutdown = self.context.shutdown.clone();
        loop {
            let is_pending = self.with_files(Files::look).await;
            let pause = match self.read_while(is_pending).await {
                Ok(true) => Duration::ZERO,
                Ok(false) => poll_interval,
                Err(Stopped) => break,
            };
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                () = tokio::time::sleep(pause) => {}
            }
        }
        self.with_files(Files::close).await;
    }

    /// Reads and delivers until no file has more, or it is time to look for files again; true when
    /// there is more.
    async fn read_while(&self, mut is_pending: bool) -> Result<bool, Stopped> {
        let shutdown = self.context.shutdown.clone();
        let budget = self.context.budget.clone();
        let began = tokio::time::Instant::now();
        while is_pending {
            if began.elapsed() > LOOK_INTERVAL_MAX {
                return Ok(true);
            }
            let reserved = tokio::select! {
                () = shutdown.cancelled() => return Err(Stopped),
                charge = budget.charge(self.reserve_bytes) => charge,
            };
            let Some(read) = self.with_files(Files::read).await else {
                return Ok(false);
            };
            // What was reserved is given back before less is charged, so that no budget is so
            // small that a reader waits for itself.
            drop(reserved);
            let charge = tokio::select! {
                () = shutdown.cancelled() => return Err(Stopped),
                charge = budget.charge(read.payload.len()) => charge,
            };
            let Read {
                payload,
                items,
                positions,
            } = read;
            if items > 0 {
                let payload = Payload::Plain(payload);
                let batch = Batch::new(Signal::Logs, payload, items, charge);
                self.deliver(batch).await?;
            }
            is_pending = self.with_files(move |files| files.advance(positions)).await;
        }
        Ok(false)
    }

    /// Offers `batch` until it is taken. Sending is not cancelled half-way: the lines could be
    /// kept and their position lost.
    async fn deliver(&self, batch: Batch) -> Result<(), Stopped> {
        let items = u64::from(batch.items);
        let mut refusals = 0_u64;
        loop {
            let (reason, retry_after) = match self.output.send(batch.clone()).await {
                Ok(()) => break,
                Err(Refused::ShuttingDown) => return Err(Stopped),
                Err(refused @ Refused::Full { retry_after, .. }) => (refused, retry_after),
                Err(refused @ Refused::Storage { retry_after, .. }) => (refused, retry_after),
            };
            refusals += 1;
            self.context.stats.count_refused(Signal::Logs, items);
            if refusals == 1 {
                tracing::info!(receiver = self.context.id, %reason, "waiting to pass on lines");
            }
            tokio::select! {
                () = self.context.shutdown.cancelled() => return Err(Stopped),
                () = tokio::time::sleep(retry_after.max(RETRY_DELAY_MIN)) => {}
            }
        }
        if refusals > 0 {
            tracing::info!(
                receiver = self.context.id,
                refusals,
                "passing on lines again"
            );
        }
        self.context.stats.count_accepted(Signal::Logs, items);
        Ok(())
    }

    /// Works with the files on a thread that may block.
    async fn with_files<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Files) -> T + Send + 'static,
    ) -> T {
        let files = Arc::clone(&self.files);
        blocking(move || work(&mut files.lock().unwrap_or_else(PoisonError::into_inner))).await
    }
}

/// Runs `work` on a thread that may block. A panic goes on in the caller, where it is isolated.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The runtime is shutting down and will not come back to this task.
        Err(_) => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
