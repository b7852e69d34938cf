//! How long the host has been up.

use pipeline::ScrapeError;
use serde::{Deserialize, Serialize};

use super::metric::{Emitter, Kind, Metric, MetricsConfig};
use super::root::Root;

const FILE: &str = "proc/uptime";

/// What is reported of the system as a whole.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Switches single metrics on or off.
    pub(crate) metrics: MetricsConfig,
}

const UPTIME: Metric = Metric {
    name: "system.uptime",
    unit: "s",
    description: "Time since the host was started",
    kind: Kind::Gauge,
    attributes: &[],
    attributes_opt_in: &[],
    is_default: true,
};

/// All metrics of this scraper.
pub(super) const METRICS: &[&Metric] = &[&UPTIME];

/// Reads and writes once; what cannot be read goes to `problems`.
pub(super) fn scrape(root: &Root, emit: &mut Emitter<'_>, problems: &mut Vec<ScrapeError>) {
    match root.read(FILE).and_then(|text| parse(&text)) {
        Ok(uptime_s) => emit.emit(&UPTIME, |points| points.double(&[], uptime_s)),
        Err(error) => problems.push(error),
    }
}

fn parse(text: &str) -> Result<f64, ScrapeError> {
    text.split_ascii_whitespace()
        .next()
        .and_then(|field| field.parse().ok())
        .filter(|uptime_s: &f64| uptime_s.is_finite())
        .ok_or_else(|| {
            ScrapeError::Malformed(format!(
                "/{FILE}: seconds expected, found: {}",
                text.trim_end()
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_uptime_is_the_first_field() {
        assert_eq!(parse("956.32 775.67\n").unwrap(), 956.32);
        for text in ["", "up 3 days", "NaN 1"] {
            assert!(
                matches!(parse(text), Err(ScrapeError::Malformed(_))),
                "{text}"
            );
        }
    }
}
