//! The OTLP endpoint: the request as it is, but for what Loki would refuse or make labels of.
//!
//! Records are copied as they are encoded; only resources are written anew, and the few records
//! that have to change.

use otlp::common::{Attributes, KeyValue, Scope, Value};
use otlp::logs::LogRecord;
use otlp::wire::{self, Content, Fields};

use super::limits::{Limits, Reason, check_metadata, cut_mark, is_surely_small};
use super::push::add_record;
use super::stream::{Metadata, Source, is_nameable};

/// Fields of `ResourceLogs`, `ScopeLogs`, `InstrumentationScope` and `LogRecord`.
const RESOURCE: u32 = 1;
const SCOPE: u32 = 1;
const LOG_RECORDS: u32 = 2;
const SCOPE_ATTRIBUTES: u32 = 3;
const BODY: u32 = 5;
const ATTRIBUTES: u32 = 6;

/// A record that is going to be sent.
#[derive(Copy, Clone, Debug)]
pub(super) struct Accepted<'a> {
    pub(super) time: u64,
    pub(super) encoded: &'a [u8],
    pub(super) record: LogRecord<'a>,
}

/// Appends the resource of `source`, and the other fields of `resource_logs` but its scopes.
pub(super) fn put_resource(out: &mut Vec<u8>, source: &Source, resource_logs: &[u8]) {
    wire::put_len_field(out, RESOURCE, &source.resource);
    for field in Fields::new(resource_logs) {
        if field.number > LOG_RECORDS {
            out.extend_from_slice(field.raw);
        }
    }
}

/// Appends the fields of `scope_logs` but its records.
pub(super) fn put_scope(out: &mut Vec<u8>, scope_logs: &[u8]) {
    for field in Fields::new(scope_logs) {
        match (field.number, field.content) {
            (SCOPE, Content::Len(scope)) => {
                let message = wire::open(out, SCOPE, scope.len());
                put_nameable(out, scope, SCOPE_ATTRIBUTES);
                wire::close(out, message);
            }
            (LOG_RECORDS, _) => {}
            _ => out.extend_from_slice(field.raw),
        }
    }
}

/// Appends a record; tells whether its line was cut.
pub(super) fn put_record(
    out: &mut Vec<u8>,
    source: &Source,
    accepted: &Accepted<'_>,
    limits: &Limits,
) -> bool {
    let cut = cut_body(accepted, limits);
    let size = accepted.encoded.len() + source.moved.len();
    let message = wire::open(out, LOG_RECORDS, size);
    let mut attributes = accepted.record.attributes().into_iter();
    let has_nameless = attributes.any(|attribute| !is_nameable(attribute.key));
    match &cut {
        None if !has_nameless => out.extend_from_slice(accepted.encoded),
        None => put_nameable(out, accepted.encoded, ATTRIBUTES),
        Some(line) => {
            let mut rest = Vec::with_capacity(accepted.encoded.len());
            for field in Fields::new(accepted.encoded) {
                if field.number != BODY {
                    rest.extend_from_slice(field.raw);
                }
            }
            put_nameable(out, &rest, ATTRIBUTES);
            let body = wire::open(out, BODY, line.len() + 8);
            wire::put_len_field(out, 1, line.as_bytes());
            wire::close(out, body);
        }
    }
    out.extend_from_slice(&source.moved);
    wire::close(out, message);
    cut.is_some()
}

/// Whether Loki takes the metadata of a record.
pub(super) fn check_record(
    source: &Source,
    scope: &Scope<'_>,
    accepted: &Accepted<'_>,
) -> Result<(), Reason> {
    let bytes = source.resource.len() + source.moved.len() + scope.as_bytes().len();
    let bytes = bytes + accepted.encoded.len();
    let entries = flat_entries(scope.attributes()).zip(flat_entries(accepted.record.attributes()));
    let entries = entries.map(|(scope, record)| source.metadata.entries + scope + record);
    if entries.is_some_and(|entries| is_surely_small(bytes, entries)) {
        return Ok(());
    }
    let (mut of_scope, mut of_record) = (Metadata::default(), Metadata::default());
    of_scope.add_attributes("", scope.attributes());
    of_scope.add("scope_name", scope.name());
    of_scope.add("scope_version", scope.version());
    add_record(&mut of_record, &accepted.record, &mut String::new());
    check_metadata(&[&source.metadata, &of_scope, &of_record])
}

/// How many entries of metadata attributes become; `None` where a map has to be looked into.
fn flat_entries(attributes: Attributes<'_>) -> Option<usize> {
    attributes
        .into_iter()
        .map(|attribute| match attribute.value {
            Value::Map(_) => None,
            _ => Some(1),
        })
        .sum()
}

/// Appends the fields of `message`, without those attributes in field `number` that have no name.
fn put_nameable(out: &mut Vec<u8>, message: &[u8], number: u32) {
    for field in Fields::new(message) {
        let is_nameless = match field.content {
            Content::Len(bytes) if field.number == number => {
                !is_nameable(KeyValue::from(bytes).key)
            }
            _ => false,
        };
        if !is_nameless {
            out.extend_from_slice(field.raw);
        }
    }
}

/// The cut line of a record whose line is too long.
fn cut_body(accepted: &Accepted<'_>, limits: &Limits) -> Option<String> {
    // JSON writes at most six characters for one byte.
    if accepted.encoded.len() <= limits.line_bytes / 6 {
        return None;
    }
    let line = accepted.record.body.to_string();
    let kept = limits.kept(&line)?;
    Some(format!("{kept}{}", cut_mark(line.len() - kept.len())))
}
