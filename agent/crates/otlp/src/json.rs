//! OTLP/JSON: requests in and out, as interpreters of the tables of messages.
//!
//! Reading streams: bytes are written as the document goes by, and no tree is built. It is lenient
//! where senders differ and strict where guessing would change data:
//! * Keys are lowerCamelCase; unknown keys are ignored; `null` means absent.
//! * 64-bit integers are strings or numbers; doubles are numbers or the strings `NaN`, `Infinity`,
//!   `-Infinity`; enums are integers, and a name is refused.
//! * Trace and span ids are hexadecimal in either case, all other bytes base64 in either alphabet,
//!   padded or not.
//! * A key that occurs twice and two members of one `oneof` are refused.
//! * A byte order mark in front is tolerated. Messages may nest as deep as in protobuf.
//!
//! Writing leaves out what has its default, writes 64-bit integers as strings, enums as integers and
//! ids in lower-case hexadecimal, on one line.
//!
//! Source: OTLP specification 1.11.0, "JSON Protobuf Encoding".

mod read;
mod write;

pub use read::from_json;
pub use write::to_json;

/// Why a JSON document is not a request, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path} at line {line}, column {column}: {reason}")]
pub struct JsonError {
    /// Keys and positions that lead to the offending value, as in
    /// `resourceLogs[0].scopeLogs[0].logRecords[3].timeUnixNano`; `request` for the document itself.
    pub path: String,
    /// Line of the offending value, from 1.
    pub line: usize,
    /// Column of the offending value, from 1 and in bytes; 0 before the first character of a line.
    pub column: usize,
    /// What is wrong.
    pub reason: String,
}

#[cfg(test)]
mod tests;
