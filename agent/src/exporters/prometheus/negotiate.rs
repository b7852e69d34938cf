//! What a scraper wants to read: format, escaping of names, compression.
//!
//! Source: Prometheus documentation, "Content negotiation" and "Escaping schemes".

use http::header::{self, HeaderMap, HeaderValue};

/// How to answer a scrape.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Format {
    /// The language.
    pub(super) dialect: Dialect,
    /// Whether names outside `[a-zA-Z0-9_:]` may be written, in quotes.
    pub(super) allows_utf8: bool,
    /// Whether the body is compressed.
    pub(super) is_gzip: bool,
}

/// Languages of exposition.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Prometheus text 0.0.4.
    Text004,
    /// Prometheus text 1.0.0, which differs in that it negotiates the escaping.
    Text100,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

impl Format {
    /// The best that we speak of what the headers accept; text 0.0.4 where that is nothing.
    pub(super) fn negotiate(headers: &HeaderMap, is_open_metrics: bool) -> Self {
        let mut best = (0, Dialect::Text004, false);
        for accepted in values(headers, header::ACCEPT) {
            let Some((dialect, allows_utf8)) = understood(&accepted, is_open_metrics) else {
                continue;
            };
            if accepted.per_mille > best.0 {
                best = (accepted.per_mille, dialect, allows_utf8);
            }
        }
        let mut codings = values(headers, header::ACCEPT_ENCODING);
        Self {
            dialect: best.1,
            allows_utf8: best.2,
            is_gzip: codings.any(|coding| coding.name == "gzip" && coding.per_mille > 0),
        }
    }

    /// The header that tells the scraper what it gets.
    pub(super) fn content_type(&self) -> HeaderValue {
        HeaderValue::from_static(match (self.dialect, self.allows_utf8) {
            (Dialect::Text004, _) => "text/plain; version=0.0.4; charset=utf-8",
            (Dialect::Text100, true) => {
                "text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8"
            }
            (Dialect::Text100, false) => {
                "text/plain; version=1.0.0; charset=utf-8; escaping=underscores"
            }
            (Dialect::OpenMetrics, true) => {
                "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8"
            }
            (Dialect::OpenMetrics, false) => {
                "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"
            }
        })
    }
}

/// One element of an accepting header.
struct Accepted<'a> {
    name: &'a str,
    parameters: &'a str,
    /// Weight in thousandths.
    per_mille: u32,
}

impl Accepted<'_> {
    fn parameter(&self, name: &str) -> Option<&str> {
        parameters(self.parameters).find_map(|(key, value)| (key == name).then_some(value))
    }
}

fn values(headers: &HeaderMap, name: header::HeaderName) -> impl Iterator<Item = Accepted<'_>> {
    let lines = headers.get_all(name).into_iter();
    let lines = lines.filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(|element| {
        let (name, parameters) = element.split_once(';').unwrap_or((element, ""));
        Accepted {
            name: name.trim(),
            parameters,
            per_mille: weight(parameters),
        }
    })
}

fn parameters(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split(';')
        .filter_map(|parameter| parameter.split_once('='))
        .map(|(key, value)| (key.trim(), value.trim().trim_matches('"')))
}

/// The `q` parameter in thousandths; 1000 where it is missing, 0 where it is no number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to 0 to 1000"
)]
fn weight(text: &str) -> u32 {
    let weight = parameters(text).find(|(key, _)| *key == "q");
    let weight = weight.map_or(Ok(1.0), |(_, value)| value.parse::<f64>());
    (weight.unwrap_or(0.0).clamp(0.0, 1.0) * 1_000.0).round() as u32
}

/// The dialect that an element asks for, and whether names may be UTF-8; `None` where it is not
/// one of ours.
fn understood(accepted: &Accepted<'_>, is_open_metrics: bool) -> Option<(Dialect, bool)> {
    let version = accepted.parameter("version");
    let dialect = match (accepted.name, version) {
        ("application/openmetrics-text", None | Some("0.0.1" | "1.0.0")) if is_open_metrics => {
            Dialect::OpenMetrics
        }
        ("text/plain", None | Some("0.0.4")) | ("text/*" | "*/*", _) => Dialect::Text004,
        ("text/plain", Some("1.0.0")) => Dialect::Text100,
        _ => return None,
    };
    match accepted.parameter("escaping") {
        _ if dialect == Dialect::Text004 => Some((dialect, false)),
        None | Some("underscores") => Some((dialect, false)),
        Some("allow-utf-8") => Some((dialect, true)),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(accept: &str, is_open_metrics: bool, dialect: Dialect, allows_utf8: bool) {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, accept.parse().unwrap());
        let format = Format::negotiate(&headers, is_open_metrics);
        assert_eq!(
            (format.dialect, format.allows_utf8),
            (dialect, allows_utf8),
            "{accept}"
        );
    }

    #[test]
    fn the_best_understood_format_is_answered() {
        let prometheus_2 = "application/openmetrics-text;version=1.0.0,\
            application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
            application/openmetrics-text;version=0.0.1;q=0.4,\
            text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,\
            */*;q=0.1";
        check(prometheus_2, true, Dialect::OpenMetrics, false);
        check(prometheus_2, false, Dialect::Text004, false);
        check(prometheus_3, true, Dialect::OpenMetrics, true);
        check(prometheus_3, false, Dialect::Text100, true);
        check("*/*", true, Dialect::Text004, false);
        check(
            "text/html, application/xml;q=0.9",
            true,
            Dialect::Text004,
            false,
        );
        check(
            "application/openmetrics-text;version=2.0.0",
            true,
            Dialect::Text004,
            false,
        );
        check(
            "text/plain;version=1.0.0;escaping=dots",
            true,
            Dialect::Text004,
            false,
        );
        check(
            "text/plain;version=1.0.0;q=0, text/plain;q=x",
            true,
            Dialect::Text004,
            false,
        );
    }

    #[test]
    fn gzip_is_used_when_it_is_accepted() {
        for (accepted, is_gzip) in [
            ("gzip", true),
            ("deflate, gzip;q=0.5", true),
            ("gzip;q=0", false),
            ("identity", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, accepted.parse().unwrap());
            assert_eq!(
                Format::negotiate(&headers, true).is_gzip,
                is_gzip,
                "{accepted}"
            );
        }
    }
}
