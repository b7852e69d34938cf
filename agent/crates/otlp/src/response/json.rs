//! Responses as JSON, for senders that sent JSON.

use std::fmt::{self, Write};

use super::{BAD_REQUEST, ExportResponse, RETRY_INFO, Status};
use crate::Signal;
use crate::common::write_json_str;

impl ExportResponse {
    /// The response as JSON: `{}` for full success.
    #[must_use]
    pub fn to_json(&self, signal: Signal) -> String {
        let mut out = String::new();
        // A `String` takes everything.
        let _ = self.write_json(signal, &mut out);
        out
    }

    fn write_json(&self, signal: Signal, out: &mut String) -> fmt::Result {
        if self.is_full_success() {
            return out.write_str("{}");
        }
        let rejected = match signal {
            Signal::Metrics => "rejectedDataPoints",
            Signal::Logs => "rejectedLogRecords",
            Signal::Traces => "rejectedSpans",
        };
        out.write_str("{\"partialSuccess\":{")?;
        if self.rejected_items != 0 {
            write!(out, "\"{rejected}\":\"{}\",", self.rejected_items)?;
        }
        out.write_str("\"errorMessage\":")?;
        write_json_str(out, &self.error_message)?;
        out.write_str("}}")
    }
}

impl Status {
    /// The status as JSON, with its details in the form that protobuf gives to `Any`.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        // A `String` takes everything.
        let _ = self.write_json(&mut out);
        out
    }

    fn write_json(&self, out: &mut String) -> fmt::Result {
        write!(out, "{{\"code\":{},\"message\":", self.code)?;
        write_json_str(out, &self.message)?;
        if self.retry_delay.is_some() || !self.violations.is_empty() {
            out.write_str(",\"details\":[")?;
            self.write_details(out)?;
            out.write_char(']')?;
        }
        out.write_char('}')
    }

    fn write_details(&self, out: &mut String) -> fmt::Result {
        if let Some(delay) = self.retry_delay {
            let (seconds, nanos) = (delay.as_secs(), delay.subsec_nanos());
            write!(
                out,
                "{{\"@type\":\"{RETRY_INFO}\",\"retryDelay\":\"{seconds}"
            )?;
            if nanos != 0 {
                write!(out, ".{nanos:09}")?;
            }
            out.write_str("s\"}")?;
        }
        if self.violations.is_empty() {
            return Ok(());
        }
        if self.retry_delay.is_some() {
            out.write_char(',')?;
        }
        write!(out, "{{\"@type\":\"{BAD_REQUEST}\",\"fieldViolations\":[")?;
        for (index, violation) in self.violations.iter().enumerate() {
            if index > 0 {
                out.write_char(',')?;
            }
            out.write_str("{\"field\":")?;
            write_json_str(out, &violation.field)?;
            out.write_str(",\"description\":")?;
            write_json_str(out, &violation.description)?;
            out.write_char('}')?;
        }
        out.write_str("]}")
    }
}
