//! Writes requests to a file, one after the other.
//!
//! As JSON, a request is one line of OTLP/JSON. As protobuf, and whenever it is compressed, a
//! request is its length in four bytes, big endian, and then its bytes; each is a zstd frame of its
//! own when compressed. These are the OpenTelemetry Collector's layouts.
//!
//! A batch counts as delivered when the system has its bytes. What was written of a request that
//! failed half-way is cut off again, so a reader never meets half a line.

mod rotation;

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use pipeline::{Batch, ExportError, Exported, Fatal, Payload, Signal};
use serde::{Deserialize, Serialize};

use crate::config::blocks::{RetryOnFailure, SendingQueue};
use crate::config::values::Interval;
use crate::config::{Check, ExtensionUse, Problem};
use crate::exporters::otlp::check_delivery;
use crate::transport::compression::{Encoding, compress};

pub(crate) use rotation::Rotation;

/// Options of the `file` exporter.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// The file.
    pub(crate) path: PathBuf,
    /// Go on after what is in the file; otherwise it starts empty. With rotation it goes on always.
    pub(crate) append: bool,
    /// When the file is set aside and a new one begins; never if unset.
    pub(crate) rotation: Option<Rotation>,
    /// How requests are written.
    pub(crate) format: Format,
    /// none or zstd.
    pub(crate) compression: Encoding,
    /// Read and without effect: every request is handed to the system at once.
    pub(crate) flush_interval: Interval,
    /// Make the directories above the file.
    pub(crate) create_directory: bool,
    /// How many requests may wait.
    pub(crate) sending_queue: SendingQueue,
    /// How a write that failed is tried again.
    pub(crate) retry_on_failure: RetryOnFailure,
    /// Time for one request.
    pub(crate) timeout: Interval,
}

/// How a request is written.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// OTLP/JSON.
    #[default]
    Json,
    /// OTLP protobuf.
    Proto,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            path: PathBuf::new(),
            append: false,
            rotation: None,
            format: Format::default(),
            compression: Encoding::Identity,
            flush_interval: Interval::from_secs(1),
            create_directory: false,
            sending_queue: SendingQueue::default(),
            retry_on_failure: RetryOnFailure::default(),
            timeout: Interval::from_secs(30),
        }
    }
}

impl Check for Config {
    fn check(&self) -> Result<(), Problem> {
        if self.path.as_os_str().is_empty() {
            return Err(Problem::at(
                "path",
                "no path is given",
                "write the path of a file",
            ));
        }
        if !matches!(self.compression, Encoding::Identity | Encoding::Zstd) {
            return Err(Problem::at(
                "compression",
                format!("{} is not written to files", self.compression.as_str()),
                "write zstd, or remove the option",
            ));
        }
        if self
            .rotation
            .as_ref()
            .is_some_and(|rotation| rotation.localtime)
        {
            return Err(Problem::at(
                "rotation::localtime",
                "files set aside are named by UTC",
                "remove the option",
            ));
        }
        check_delivery(&self.sending_queue, &self.retry_on_failure)
    }

    fn extensions(&self) -> Vec<ExtensionUse> {
        let used = self.sending_queue.extensions().into_iter();
        used.map(|used| used.within("sending_queue")).collect()
    }
}

/// Writes batches to one file.
#[derive(Clone, Debug)]
pub(crate) struct Exporter {
    format: Format,
    compression: Encoding,
    file: Arc<Mutex<Current>>,
}

/// The file that is written.
#[derive(Debug)]
struct Current {
    path: PathBuf,
    file: File,
    size_bytes: u64,
    rotation: Option<Rotation>,
}

impl Exporter {
    /// Opens the file. The id is not needed: every message names the path.
    ///
    /// # Errors
    /// When it cannot be opened for writing.
    pub(crate) fn new(_id: &str, config: Config) -> Result<Self, Fatal> {
        if let Some(directory) = config.path.parent().filter(|_| config.create_directory) {
            std::fs::create_dir_all(directory).map_err(|error| {
                Fatal::caused(
                    format!("cannot make the directory {}", directory.display()),
                    error,
                )
            })?;
        }
        let goes_on = config.append || config.rotation.is_some();
        let current = Current::open(&config.path, goes_on, config.rotation);
        let current = current.map_err(|error| {
            Fatal::caused(format!("cannot write to {}", config.path.display()), error)
        })?;
        Ok(Self {
            format: config.format,
            compression: config.compression,
            file: Arc::new(Mutex::new(current)),
        })
    }

    /// Blocks while the request is written.
    fn write(&self, signal: Signal, payload: &Payload) -> Result<(), ExportError> {
        let record = self
            .record(signal, payload)
            .map_err(|error| ExportError::BadData {
                reason: "unreadable",
                message: format!("cannot read a batch of {signal}: {error}"),
            })?;
        let mut file = self
            .file
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        file.write(&record).map_err(|error| ExportError::Retry {
            after: None,
            message: format!("cannot write to {}: {error}", file.path.display()),
        })
    }

    /// The bytes of one request in the layout of the file.
    fn record(&self, signal: Signal, payload: &Payload) -> io::Result<Vec<u8>> {
        let is_forwarded = self.format == Format::Proto && self.compression == Encoding::Zstd;
        let content = match (payload, self.format) {
            (Payload::Zstd { frames, .. }, _) if is_forwarded => return framed(frames),
            (payload, Format::Proto) => payload.to_plain()?.to_vec(),
            (payload, Format::Json) => {
                let mut line = Vec::with_capacity(payload.plain_size_bytes() * 2);
                ::otlp::json::to_json(signal, &payload.to_plain()?, &mut line);
                line
            }
        };
        match (self.compression, self.format) {
            (Encoding::Identity, Format::Json) => {
                let mut line = content;
                line.push(b'\n');
                Ok(line)
            }
            (Encoding::Identity, Format::Proto) => framed(&content),
            (encoding, _) => framed(&compress(encoding, None, &content)?),
        }
    }
}

impl pipeline::Exporter for Exporter {
    async fn export(&self, batch: &Batch) -> Result<Exported, ExportError> {
        let exporter = self.clone();
        let (signal, payload) = (batch.signal, batch.payload.clone());
        let written = tokio::task::spawn_blocking(move || exporter.write(signal, &payload));
        written.await.unwrap_or_else(|error| {
            Err(ExportError::Retry {
                after: None,
                message: format!("a write was interrupted: {error}"),
            })
        })?;
        Ok(Exported::default())
    }
}

fn framed(content: &[u8]) -> io::Result<Vec<u8>> {
    let len = u32::try_from(content.len()).map_err(io::Error::other)?;
    Ok([len.to_be_bytes().as_slice(), content].concat())
}

impl Current {
    fn open(path: &Path, goes_on: bool, rotation: Option<Rotation>) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.create(true).write(true).truncate(!goes_on);
        let mut file = options.open(path)?;
        let size_bytes = file.seek(SeekFrom::End(0))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            size_bytes,
            rotation,
        })
    }

    fn write(&mut self, record: &[u8]) -> io::Result<()> {
        let record_size = record.len() as u64;
        if let Some(rotation) = &self.rotation
            && rotation.is_due(self.size_bytes, record_size)
        {
            rotation.set_aside(&self.path)?;
            *self = Self::open(&self.path, true, self.rotation.clone())?;
        }
        if let Err(error) = self.file.write_all(record) {
            self.file.set_len(self.size_bytes)?;
            self.file.seek(SeekFrom::Start(self.size_bytes))?;
            return Err(error);
        }
        self.size_bytes += record_size;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
