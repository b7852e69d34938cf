//! What Loki's answers mean.
//!
//! 400 is a partial acceptance: the lines that are refused are refused for good, and the others
//! are stored. But only from a server that has taken something before: a server that does not know
//! the road, or refuses requests altogether, answers 400 as well.

use http::StatusCode;
use otlp::response::Status;
use pipeline::ExportError;

use super::super::refusal::refusal;
use crate::transport::http::Response;

/// A status inside the range of success that Loki gives to blocked tenants.
const BLOCKED: u16 = 260;

/// A tenant that is blocked is asked again after this time: a person has to change that.
const BLOCKED_RETRY: std::time::Duration = std::time::Duration::from_secs(60);

/// What an answer comes to.
#[derive(Debug)]
pub(super) enum Answer {
    /// Everything is stored.
    Delivered,
    /// What is good is stored, at least so many lines are not.
    Partial {
        /// At least 1.
        rejected: u32,
        /// Loki's words.
        text: String,
    },
    /// The server does not have this endpoint.
    Absent(ExportError),
    /// Anything else.
    Failed(ExportError),
}

/// Reads the answer of `endpoint`.
pub(super) fn read(response: &Response, items: u32, endpoint: &str) -> Answer {
    let status = response.status;
    let text = told(response);
    let message = format!("{endpoint} answered {status}: {text}");
    match status {
        StatusCode::OK | StatusCode::NO_CONTENT => Answer::Delivered,
        StatusCode::BAD_REQUEST => Answer::Partial {
            rejected: refused_lines(&text),
            text,
        },
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            Answer::Absent(ExportError::PeerRejection { message })
        }
        status if status.as_u16() == BLOCKED => Answer::Failed(ExportError::Retry {
            after: Some(BLOCKED_RETRY),
            message: format!("{message}; the tenant is blocked, nothing was stored"),
        }),
        status if status.is_success() => Answer::Failed(ExportError::Retry {
            after: Some(BLOCKED_RETRY),
            message: format!("{message}; that is not what Loki answers when it stores"),
        }),
        _ => Answer::Failed(refusal(response, items, message)),
    }
}

/// How many lines an error text speaks of. It is written for people, so this is read for the
/// count alone: the ingester's `total ignored: 2 out of 5`, the distributor's `2 errors like: ...`,
/// and 1 where there is no number.
fn refused_lines(text: &str) -> u32 {
    let number_before = |rest: &str| {
        let digits = rest.trim_end().rsplit(|c: char| !c.is_ascii_digit()).next();
        digits.and_then(|digits| digits.parse::<u32>().ok())
    };
    let ignored = text.match_indices(" out of ").filter_map(|(at, _)| {
        let before = text.get(..at)?;
        let is_total = before.trim_end_matches(|c: char| c.is_ascii_digit());
        is_total.ends_with("total ignored: ").then_some(before)
    });
    let alike = text.match_indices(" errors like: ");
    let alike = alike.filter_map(|(at, _)| text.get(..at));
    let counted: u32 = ignored
        .chain(alike)
        .filter_map(number_before)
        .fold(0, u32::saturating_add);
    counted.max(1)
}

/// The text of an error: of the OTLP endpoint a `google.rpc.Status`, often without content type.
fn told(response: &Response) -> String {
    let is_text = response
        .body
        .iter()
        .all(|byte| *byte >= b' ' || byte.is_ascii_whitespace());
    let status = Status::decode(&response.body).ok().filter(|_| !is_text);
    let message = status.map(|status| status.message.clone());
    message
        .filter(|message| !message.is_empty())
        .unwrap_or_else(|| response.excerpt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_lines_are_counted_from_the_words_of_loki() {
        for (text, lines) in [
            ("", 1),
            ("entry for stream '{a=\"b\"}' has timestamp too old", 1),
            (
                "entry with timestamp x ignored, reason: 'y',\ntotal ignored: 3 out of 12",
                3,
            ),
            (
                "2 errors like: line too long; 10 errors like: timestamp too old",
                12,
            ),
            ("total ignored: 99999999999 out of 3", 1),
            ("out of order", 1),
        ] {
            assert_eq!(refused_lines(text), lines, "{text}");
        }
    }
}
