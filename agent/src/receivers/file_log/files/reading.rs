//! Reading batches from the files that have something to read.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::time::Instant;

use bytes::Bytes;
use otlp::write::{AttributeValue, LogRecordFields, LogsWriter};
use pipeline::clock;

use super::super::Encoding;
use super::super::checkpoint::{Print, read_at, read_head};
use super::super::lines::{self, BYTE_ORDER_MARK};
use super::super::settings::{BATCH_LINES, BATCH_SIZE_BYTES, CHUNK_SIZE_BYTES};
use super::super::tracked::FileId;
use super::Files;

/// A batch, and where its lines end.
#[derive(Debug)]
pub(crate) struct Read {
    /// An encoded request; empty when there are no items.
    pub(crate) payload: Bytes,
    /// Log records in it.
    pub(crate) items: u32,
    /// What is acknowledged with it.
    pub(crate) positions: Vec<Position>,
}

/// How far one file is read when a batch is acknowledged.
#[derive(Clone, Debug)]
pub(crate) struct Position {
    pub(crate) id: FileId,
    pub(crate) key: u64,
    pub(crate) offset: u64,
    pub(crate) tail: Print,
}

impl Files {
    /// Reads the next batch, or `None` when no file has more.
    pub(crate) fn read(&mut self) -> Option<Read> {
        let now = clock::monotonic();
        let mut positions = Vec::new();
        self.begin_request();
        while self.writer.items() < BATCH_LINES && self.writer.size_bytes() < BATCH_SIZE_BYTES {
            let Some(id) = self.ready.pop_front() else {
                break;
            };
            match self.read_file(id, now) {
                Ok(Some(position)) => positions.push(position),
                Ok(None) => {}
                Err(error) => self.cannot_read(id, &error),
            }
        }
        // That a file was begun anew is kept at once: it may be moved away before the next look.
        self.save();
        if positions.is_empty() {
            self.writer.clear();
            return None;
        }
        let (payload, items) = self.writer.finish();
        Some(Read {
            payload,
            items,
            positions,
        })
    }

    fn begin_request(&mut self) {
        self.writer.clear();
        let resource = &self.settings.resource;
        self.writer.resource(|out| {
            for (key, text) in resource {
                out.attribute(key, text);
            }
        });
        self.writer
            .scope("skybridge.file_log", env!("CARGO_PKG_VERSION"));
    }

    /// Reads a chunk of one file; `None` when nothing of it can be taken yet.
    fn read_file(&mut self, id: FileId, now: Instant) -> io::Result<Option<Position>> {
        let Some(tracked) = self.tracked.get_mut(&id) else {
            return Ok(None);
        };
        let was_open = tracked.open.is_some();
        let file = tracked.take_open(id)?;
        tracked.size = file.metadata()?.size();
        tracked.is_suspect = false;
        if tracked.size < tracked.offset || !tracked.tail.is_before(&file, tracked.offset)? {
            self.replaced(id);
        }
        let consumed = self.read_lines(id, &file, now)?;
        let Some(tracked) = self.tracked.get_mut(&id) else {
            return Ok(None);
        };
        tracked.is_failing = false;
        let position = if consumed == 0 {
            tracked.incomplete_at = Some(tracked.size);
            None
        } else {
            let offset = tracked.offset + consumed as u64;
            Some(Position {
                id,
                key: tracked.key,
                offset,
                tail: Print::tail(&file, offset)?,
            })
        };
        if was_open || self.open_count < self.settings.open_max {
            self.open_count += usize::from(!was_open);
            tracked.open = Some(file);
        }
        Ok(position)
    }

    /// Writes the entries of the next chunk of `file`; how many bytes they are.
    fn read_lines(&mut self, id: FileId, file: &File, now: Instant) -> io::Result<usize> {
        let head_len = self.settings.head_len;
        let Some(tracked) = self.tracked.get_mut(&id) else {
            return Ok(0);
        };
        let is_short = (tracked.head.len as usize) < head_len;
        if tracked.offset == 0 || is_short && u64::from(tracked.head.len) < tracked.size {
            tracked.head = Print::of(&read_head(file, head_len)?);
        }
        let offset = tracked.offset;
        let unread = usize::try_from(tracked.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let flush = tracked.is_to_be_flushed(now, self.settings.flush_period);
        // Most lines are shorter than a chunk; only for a longer one as much is read as an entry
        // may have.
        let longest = self
            .settings
            .splitter
            .entry_size_bytes_max
            .saturating_add(1);
        for chunk in [CHUNK_SIZE_BYTES, CHUNK_SIZE_BYTES.max(longest)] {
            self.buffer.resize(chunk.min(unread), 0);
            let read = read_at(file, &mut self.buffer, offset)?;
            self.buffer.truncate(read);
            let is_whole_rest = read < chunk;
            let consumed = self.take_lines(id, flush && is_whole_rest);
            if consumed > 0 || is_whole_rest {
                return Ok(consumed);
            }
        }
        Ok(0)
    }

    /// Writes the entries in the buffer; how many of its bytes they are.
    fn take_lines(&mut self, id: FileId, flush: bool) -> usize {
        let Some(tracked) = self.tracked.get(&id) else {
            return 0;
        };
        let encoding = self.settings.encoding;
        let texts = self.settings.attributes_of(&tracked.path);
        let attributes: Vec<(&str, AttributeValue<'_>)> = texts
            .iter()
            .map(|(key, text)| (*key, AttributeValue::Str(text)))
            .collect();
        let mut consumed = 0;
        if encoding == Encoding::Utf8
            && tracked.offset == 0
            && self.buffer.starts_with(BYTE_ORDER_MARK)
        {
            consumed = BYTE_ORDER_MARK.len();
        }
        while self.writer.items() < BATCH_LINES && self.writer.size_bytes() < BATCH_SIZE_BYTES {
            let rest = self.buffer.get(consumed..).unwrap_or_default();
            let Some(piece) = self.settings.splitter.first(rest, flush) else {
                break;
            };
            consumed += piece.consumed;
            if piece.is_cut {
                self.oddities.note_cut(&tracked.path);
            }
            if piece.text.is_empty() {
                continue;
            }
            if write_entry(&mut self.writer, encoding, piece.text, &attributes) {
                self.oddities.note_replaced(&tracked.path);
            }
        }
        consumed
    }

    /// The content of a file is not the one that was read: its checkpoint is kept for the copy
    /// that may exist, and the file is begun anew.
    fn replaced(&mut self, id: FileId) {
        let key = self.store.new_key();
        let Some(tracked) = self.tracked.get_mut(&id) else {
            return;
        };
        let old_key = std::mem::replace(&mut tracked.key, key);
        tracked.offset = 0;
        tracked.incomplete_at = None;
        tracked.head = Print::default();
        tracked.tail = Print::default();
        let checkpoint = tracked.checkpoint(id);
        self.store.put(checkpoint);
        self.retire(old_key);
    }

    /// A file that cannot be read now is tried again after the next look. One that is not where it
    /// was is looked for there.
    fn cannot_read(&mut self, id: FileId, error: &io::Error) {
        let Some(tracked) = self.tracked.get_mut(&id) else {
            return;
        };
        if error.kind() != io::ErrorKind::NotFound && !tracked.is_failing {
            tracked.is_failing = true;
            tracing::warn!(path = %tracked.path.display(), %error, "this file cannot be read");
        }
    }
}

/// Adds a record; true when some of `text` was not UTF-8 and was replaced.
fn write_entry(
    writer: &mut LogsWriter,
    encoding: Encoding,
    text: &[u8],
    attributes: &[(&str, AttributeValue<'_>)],
) -> bool {
    let mut write = |body| {
        writer.record(&LogRecordFields {
            observed_ns: clock::unix_nano(),
            body,
            attributes,
            ..LogRecordFields::default()
        });
    };
    match encoding {
        Encoding::Utf8 => {
            let (text, is_replaced) = lines::text(text);
            write(AttributeValue::Str(&text));
            is_replaced
        }
        Encoding::Nop => {
            write(AttributeValue::Bytes(text));
            false
        }
    }
}
