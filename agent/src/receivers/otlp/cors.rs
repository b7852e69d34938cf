//! Answers for scripts that a browser loaded from another origin. Source: the Fetch standard, 3.3.

use ::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use ::http::{Response, StatusCode};
use bytes::Bytes;
use http_body_util::Full;

use crate::receivers::otlp::config::Cors;

/// Request headers that OTLP senders use and that browsers ask for.
const USUAL_HEADERS: &str = "content-type, content-encoding, accept, origin, x-requested-with";

/// The answer to the question whether a script may send.
pub(super) fn preflight(cors: &Cors, request: &HeaderMap) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    set(headers, header::ACCESS_CONTROL_ALLOW_METHODS, "POST");
    let asked = request.get(header::ACCESS_CONTROL_REQUEST_HEADERS);
    match asked.filter(|_| cors.allowed_headers.iter().any(|name| name == "*")) {
        Some(asked) => {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
        }
        None => {
            let own = cors.allowed_headers.iter().map(String::as_str);
            let all = std::iter::once(USUAL_HEADERS)
                .chain(own)
                .collect::<Vec<_>>();
            set(
                headers,
                header::ACCESS_CONTROL_ALLOW_HEADERS,
                &all.join(", "),
            );
        }
    }
    if cors.max_age > 0 {
        set(
            headers,
            header::ACCESS_CONTROL_MAX_AGE,
            &cors.max_age.to_string(),
        );
    }
    response
}

/// Adds to an answer what lets a script of an allowed origin see it.
pub(super) fn allow(cors: &Cors, request: &HeaderMap, response: &mut HeaderMap) {
    set(response, header::VARY, "Origin");
    let Some(origin) = request.get(header::ORIGIN) else {
        return;
    };
    let name = String::from_utf8_lossy(origin.as_bytes());
    if !cors
        .allowed_origins
        .iter()
        .any(|pattern| matches(pattern, &name))
    {
        return;
    }
    response.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    if !cors.exposed_headers.is_empty() {
        set(
            response,
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            &cors.exposed_headers.join(", "),
        );
    }
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}

/// Whether `origin` is `pattern`, in which one `*` stands for any characters.
fn matches(pattern: &str, origin: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern.eq_ignore_ascii_case(origin),
        Some((start, end)) => {
            let origin = origin.to_ascii_lowercase();
            let rest = origin.strip_prefix(&start.to_ascii_lowercase());
            rest.is_some_and(|rest| rest.ends_with(&end.to_ascii_lowercase()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_matched_as_a_whole() {
        for (pattern, origin, expected) in [
            ("https://a.example", "https://a.example", true),
            ("https://*.example", "https://a.b.example", true),
            ("*", "https://anything", true),
            ("https://a.example", "https://a.example.evil", false),
            ("https://*.example", "https://evil", false),
            ("https://ab*ba", "https://aba", false),
        ] {
            assert_eq!(matches(pattern, origin), expected, "{pattern} {origin}");
        }
    }
}
