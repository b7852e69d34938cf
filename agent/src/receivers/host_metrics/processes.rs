//! How many processes there are, by state, and how many were created.

use std::collections::BTreeMap;

use pipeline::ScrapeError;
use serde::{Deserialize, Serialize};

use super::metric::{Emitter, Kind, Metric, MetricsConfig};
use super::root::Root;
use super::stat::{self, Totals};

/// What is reported of processes as a whole.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Switches single metrics on or off.
    pub(crate) metrics: MetricsConfig,
}

const COUNT: Metric = Metric {
    name: "system.processes.count",
    unit: "{processes}",
    description: "Processes by state",
    kind: Kind::UpDownCounter,
    attributes: &["status"],
    attributes_opt_in: &[],
    is_default: true,
};
const CREATED: Metric = Metric {
    name: "system.processes.created",
    unit: "{processes}",
    description: "Processes and threads created",
    kind: Kind::Counter,
    attributes: &[],
    attributes_opt_in: &[],
    is_default: true,
};

/// All metrics of this scraper.
pub(super) const METRICS: &[&Metric] = &[&COUNT, &CREATED];

/// Reads and writes once; what cannot be read goes to `problems`.
pub(super) fn scrape(root: &Root, emit: &mut Emitter<'_>, problems: &mut Vec<ScrapeError>) {
    let totals = match root.read(stat::FILE) {
        Ok(text) => stat::parse_totals(&text),
        Err(error) => {
            problems.push(error);
            Totals::default()
        }
    };
    if let Some(created) = totals.created {
        emit.emit(&CREATED, |points| points.int(&[], created));
    }
    if !emit.wants(&[&COUNT]) {
        return;
    }
    match read_states(root) {
        Ok(states) => {
            let counts = counts(&states, &totals);
            emit.emit(&COUNT, |points| {
                for (status, count) in counts {
                    points.int(&[("status", status)], count);
                }
            });
        }
        Err(error) => problems.push(error),
    }
}

/// The state letter of every process; one that ends meanwhile has none.
fn read_states(root: &Root) -> Result<Vec<char>, ScrapeError> {
    Ok(root
        .names("proc")?
        .iter()
        .filter(|name| name.bytes().all(|b| b.is_ascii_digit()))
        .filter_map(|pid| parse_state(&root.read(&format!("proc/{pid}/stat")).ok()?))
        .collect())
}

/// The field after the command, which is in parentheses and may hold anything, parentheses and
/// line breaks included.
fn parse_state(text: &str) -> Option<char> {
    let (_, after) = text.rsplit_once(')')?;
    after.trim_start().chars().next()
}

/// Processes by status. Running and blocked are the kernel's own counts of one moment, because
/// the processes change while they are looked at one after another.
fn counts(states: &[char], totals: &Totals) -> BTreeMap<&'static str, u64> {
    let mut counts = BTreeMap::new();
    for state in states {
        *counts.entry(status(*state)).or_insert(0) += 1;
    }
    for (status, count) in [("running", totals.running), ("blocked", totals.blocked)] {
        if let Some(count) = count {
            counts.insert(status, count);
        }
    }
    counts
}

/// The word for a state letter of proc_pid_stat(5), those of older kernels included.
fn status(state: char) -> &'static str {
    match state {
        'R' => "running",
        'S' => "sleeping",
        'D' | 'U' => "blocked",
        'Z' => "zombies",
        'T' | 't' => "stopped",
        'W' => "paging",
        'I' => "idle",
        'L' => "locked",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_may_hold_anything() {
        for (text, state) in [
            ("1 (systemd) S 0 1 1 0 -1", Some('S')),
            ("42 (tricky) R (x)) Z 1 42", Some('Z')),
            ("43 (line\nbreak) T 1", Some('T')),
            ("44 (ends)", None),
            ("", None),
            ("no parentheses", None),
        ] {
            assert_eq!(parse_state(text), state, "{text}");
        }
    }

    #[test]
    fn the_kernels_own_counts_win() {
        let totals = Totals {
            running: Some(3),
            blocked: Some(0),
            ..Totals::default()
        };
        let counts = counts(&['S', 'S', 'D', 'R', 'I', 'Z', 'X'], &totals);
        assert_eq!(
            counts,
            BTreeMap::from([
                ("sleeping", 2),
                ("blocked", 0),
                ("running", 3),
                ("idle", 1),
                ("zombies", 1),
                ("unknown", 1),
            ])
        );
    }

    #[test]
    fn without_the_kernels_counts_the_processes_are_counted() {
        let counts = counts(&['R', 'D', 'D'], &Totals::default());
        assert_eq!(counts, BTreeMap::from([("running", 1), ("blocked", 2)]));
    }
}
