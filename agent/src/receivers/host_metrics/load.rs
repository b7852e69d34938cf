//! Load averages of one, five and fifteen minutes.

use pipeline::ScrapeError;
use serde::{Deserialize, Serialize};

use super::cpu;
use super::metric::{Emitter, Kind, Metric, MetricsConfig};
use super::root::Root;

const FILE: &str = "proc/loadavg";

/// What is reported of the load.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Divide each load average by the number of logical processors.
    pub(crate) cpu_average: bool,
    /// Switches single metrics on or off.
    pub(crate) metrics: MetricsConfig,
}

const LOAD_1M: Metric = load(
    "system.cpu.load_average.1m",
    "Tasks that run or wait, averaged over one minute",
);
const LOAD_5M: Metric = load(
    "system.cpu.load_average.5m",
    "Tasks that run or wait, averaged over five minutes",
);
const LOAD_15M: Metric = load(
    "system.cpu.load_average.15m",
    "Tasks that run or wait, averaged over fifteen minutes",
);

const fn load(name: &'static str, description: &'static str) -> Metric {
    Metric {
        name,
        unit: "{thread}",
        description,
        kind: Kind::Gauge,
        attributes: &[],
        attributes_opt_in: &[],
        is_default: true,
    }
}

/// All metrics of this scraper.
pub(super) const METRICS: &[&Metric] = &[&LOAD_1M, &LOAD_5M, &LOAD_15M];

/// Reads and writes once; what cannot be read goes to `problems`.
pub(super) fn scrape(
    config: &Config,
    root: &Root,
    emit: &mut Emitter<'_>,
    problems: &mut Vec<ScrapeError>,
) {
    match read(config, root) {
        Ok(averages) => {
            for (metric, average) in [&LOAD_1M, &LOAD_5M, &LOAD_15M].into_iter().zip(averages) {
                emit.emit(metric, |points| points.double(&[], average));
            }
        }
        Err(error) => problems.push(error),
    }
}

fn read(config: &Config, root: &Root) -> Result<[f64; 3], ScrapeError> {
    let averages = parse(&root.read(FILE)?)?;
    if !config.cpu_average {
        return Ok(averages);
    }
    let cpus = cpu::read_logical_count(root)?.max(1) as f64;
    Ok(averages.map(|average| average / cpus))
}

fn parse(text: &str) -> Result<[f64; 3], ScrapeError> {
    let mut fields = text.split_ascii_whitespace().map(str::parse::<f64>);
    let mut next = || fields.next()?.ok().filter(|average| average.is_finite());
    match (next(), next(), next()) {
        (Some(one), Some(five), Some(fifteen)) => Ok([one, five, fifteen]),
        _ => Err(ScrapeError::Malformed(format!(
            "/{FILE}: three load averages expected, found: {}",
            text.trim_end()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_averages_are_the_first_three_fields() {
        assert_eq!(
            parse("0.20 1.18 12.00 1/80 11206\n").unwrap(),
            [0.2, 1.18, 12.0]
        );
        assert!(parse(include_str!("fixtures/debian_12_kvm/proc/loadavg")).is_ok());
    }

    #[test]
    fn garbage_is_malformed() {
        for text in ["", "1 2", "a b c", "1 2 NaN", "inf 1 1"] {
            assert!(
                matches!(parse(text), Err(ScrapeError::Malformed(_))),
                "{text}"
            );
        }
    }
}
