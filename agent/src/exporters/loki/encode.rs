//! From a batch to the body of a request, by either road.

use std::sync::Arc;

use otlp::common::Resource;
use otlp::logs::{LogRecord, Request, ResourceLogs, ScopeLogs};
use otlp::wire::{self, Content, Fields};

use super::super::drops::Drops;
use super::super::series::identity::{Cache, Key, Weigh};
use super::limits::{Limits, Reason, Streams, time_of};
use super::push::Push;
use super::reframe::{self, Accepted};
use super::stream::{Labeling, Source};

/// Memory for what resources come to, in bytes.
const SOURCES_BYTES: usize = 16 << 20;

/// Encodes batches; what it holds is used again from batch to batch.
#[derive(Debug)]
pub(super) struct Encoder {
    labeling: Labeling,
    limits: Limits,
    sources: Cache<Arc<Source>>,
    streams: Streams,
    push: Push,
    /// The body of the last request.
    pub(super) body: Vec<u8>,
}

/// What is in a request.
#[derive(Clone, Debug, Default)]
pub(super) struct Contents {
    /// Log records that are sent.
    pub(super) lines: u32,
    /// Of those, lines that were cut.
    pub(super) cut_lines: u32,
    /// Log records that were left out.
    pub(super) drops: Drops<Reason>,
    /// The newest line for each stream.
    newest: Vec<(Key, u64)>,
}

impl Weigh for Arc<Source> {
    fn heap_bytes(&self) -> usize {
        size_of::<Source>() + self.as_ref().heap_bytes()
    }
}

impl Encoder {
    pub(super) fn new(labeling: Labeling, limits: Limits) -> Self {
        Self {
            labeling,
            limits,
            sources: Cache::new(SOURCES_BYTES),
            streams: Streams::new(),
            push: Push::default(),
            body: Vec::new(),
        }
    }

    /// Fills the body with `request` for the push API.
    pub(super) fn push(&mut self, request: &[u8], now: u64) -> Contents {
        let mut contents = Contents::default();
        self.body.clear();
        self.push.clear();
        for of_resource in Request::new(request).resource_logs() {
            let source = self.source(of_resource.resource());
            let newest = self.streams.newest(source.stream);
            for of_scope in of_resource.scope_logs() {
                self.push.scope(&of_scope.scope());
                for record in of_scope.log_records() {
                    let time = time_of(&record, now);
                    let limits = &self.limits;
                    let taken = limits
                        .check_time(time, now, newest)
                        .and_then(|()| self.push.record(&source, &record, time, limits));
                    contents.count(taken, source.stream, time);
                }
            }
        }
        self.push.finish(&mut self.body);
        contents
    }

    /// Fills the body with `request` for the OTLP endpoint.
    pub(super) fn otlp(&mut self, request: &[u8], now: u64) -> Contents {
        let mut contents = Contents::default();
        self.body.clear();
        for field in Fields::new(request) {
            if let (1, Content::Len(resource_logs)) = (field.number, field.content) {
                self.otlp_resource(resource_logs, now, &mut contents);
            }
        }
        contents
    }

    /// Keeps what a delivered request gave to each stream.
    pub(super) fn delivered(&mut self, contents: &Contents) {
        for (stream, time) in &contents.newest {
            self.streams.advance(*stream, *time);
        }
    }

    fn otlp_resource(&mut self, resource_logs: &[u8], now: u64, contents: &mut Contents) {
        let source = self.source(ResourceLogs::from(resource_logs).resource());
        let lines = contents.lines;
        let message = wire::open(&mut self.body, 1, resource_logs.len());
        reframe::put_resource(&mut self.body, &source, resource_logs);
        for field in Fields::new(resource_logs) {
            if let (2, Content::Len(scope_logs)) = (field.number, field.content) {
                self.otlp_scope(&source, scope_logs, now, contents);
            }
        }
        if contents.lines == lines {
            message.discard(&mut self.body);
        } else {
            wire::close(&mut self.body, message);
        }
    }

    fn otlp_scope(
        &mut self,
        source: &Source,
        scope_logs: &[u8],
        now: u64,
        contents: &mut Contents,
    ) {
        let newest = self.streams.newest(source.stream);
        let scope = ScopeLogs::from(scope_logs).scope();
        let mut records = Vec::new();
        for field in Fields::new(scope_logs) {
            let (2, Content::Len(encoded)) = (field.number, field.content) else {
                continue;
            };
            let record = LogRecord::from(encoded);
            let accepted = Accepted {
                time: time_of(&record, now),
                encoded,
                record,
            };
            let limits = &self.limits;
            let checked = limits
                .check_time(accepted.time, now, newest)
                .and_then(|()| reframe::check_record(source, &scope, &accepted));
            match checked {
                Ok(()) => records.push(accepted),
                Err(reason) => contents.drops.add(reason, 1),
            }
        }
        if records.is_empty() {
            return;
        }
        records.sort_by_key(|accepted| accepted.time);
        let message = wire::open(&mut self.body, 2, scope_logs.len());
        reframe::put_scope(&mut self.body, scope_logs);
        for accepted in &records {
            let is_cut = reframe::put_record(&mut self.body, source, accepted, &self.limits);
            contents.count(Ok(is_cut), source.stream, accepted.time);
        }
        wire::close(&mut self.body, message);
    }

    pub(super) fn source(&mut self, resource: Resource<'_>) -> Arc<Source> {
        let labeling = &self.labeling;
        let key = Key::of(resource.as_bytes());
        let source = self
            .sources
            .get_or_insert_with(key, || Arc::new(Source::new(resource, labeling)));
        Arc::clone(source)
    }
}

impl Contents {
    fn count(&mut self, taken: Result<bool, Reason>, stream: Key, time: u64) {
        match taken {
            Ok(is_cut) => {
                self.lines += 1;
                self.cut_lines += u32::from(is_cut);
                match self.newest.last_mut() {
                    Some((last, newest)) if *last == stream => *newest = time.max(*newest),
                    _ => self.newest.push((stream, time)),
                }
            }
            Err(reason) => self.drops.add(reason, 1),
        }
    }
}
