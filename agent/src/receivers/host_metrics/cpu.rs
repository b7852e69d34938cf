//! Processor time, by state, and what the processors are.

use std::collections::{BTreeMap, BTreeSet};

use pipeline::ScrapeError;
use serde::{Deserialize, Serialize};

use super::metric::{Emitter, Kind, Metric, MetricsConfig};
use super::root::Root;
use super::stat::{self, CpuTicks};

/// What is reported of the processors.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Switches single metrics on or off, and the `cpu` attribute on.
    pub(crate) metrics: MetricsConfig,
}

const TIME: Metric = Metric {
    name: "system.cpu.time",
    unit: "s",
    description: "Time that processors spent in each state",
    kind: Kind::Counter,
    attributes: &["state"],
    attributes_opt_in: &["cpu"],
    is_default: true,
};
const UTILIZATION: Metric = Metric {
    name: "system.cpu.utilization",
    unit: "1",
    description: "Share of the time since the last scrape that a processor spent in each state",
    kind: Kind::Gauge,
    attributes: &["state"],
    attributes_opt_in: &["cpu"],
    is_default: false,
};
const LOGICAL_COUNT: Metric = Metric {
    name: "system.cpu.logical.count",
    unit: "{cpu}",
    description: "Logical processors that are online",
    kind: Kind::UpDownCounter,
    attributes: &[],
    attributes_opt_in: &[],
    is_default: true,
};
const PHYSICAL_COUNT: Metric = Metric {
    name: "system.cpu.physical.count",
    unit: "{cpu}",
    description: "Physical processor cores that are online",
    kind: Kind::UpDownCounter,
    attributes: &[],
    attributes_opt_in: &[],
    is_default: false,
};
const FREQUENCY: Metric = Metric {
    name: "system.cpu.frequency",
    unit: "Hz",
    description: "Current frequency of each logical processor",
    kind: Kind::Gauge,
    attributes: &["cpu"],
    attributes_opt_in: &[],
    is_default: false,
};

/// All metrics of this scraper.
pub(super) const METRICS: &[&Metric] = &[
    &TIME,
    &UTILIZATION,
    &LOGICAL_COUNT,
    &PHYSICAL_COUNT,
    &FREQUENCY,
];

/// Remembers the last reading, of which the utilization is the difference.
#[derive(Debug, Default)]
pub(super) struct Scraper {
    last: Option<Reading>,
}

#[derive(Debug)]
struct Reading {
    at_unix_nano: u64,
    cpus: Vec<(String, CpuTicks)>,
}

impl Scraper {
    /// Reads and writes once; what cannot be read goes to `problems`.
    pub(super) fn scrape(
        &mut self,
        root: &Root,
        emit: &mut Emitter<'_>,
        problems: &mut Vec<ScrapeError>,
    ) {
        let cpus = root
            .read(stat::FILE)
            .and_then(|text| stat::parse_cpus(&text));
        match cpus {
            Ok(cpus) => self.emit_times(cpus, emit),
            Err(error) => problems.push(error),
        }
        if emit.wants(&[&PHYSICAL_COUNT]) {
            match read_core_count(root) {
                Ok(cores) => emit.emit(&PHYSICAL_COUNT, |points| points.int(&[], cores)),
                Err(error) => problems.push(error),
            }
        }
        if emit.wants(&[&FREQUENCY]) {
            match read_frequencies(root) {
                Ok(frequencies) => emit_frequencies(&frequencies, emit),
                Err(error) => problems.push(error),
            }
        }
    }

    fn emit_times(&mut self, cpus: Vec<(String, CpuTicks)>, emit: &mut Emitter<'_>) {
        emit.emit(&TIME, |points| {
            for (name, ticks) in &cpus {
                for (state, count) in ticks.states() {
                    points.double(&[("cpu", name), ("state", state)], stat::seconds(count));
                }
            }
        });
        let count = u64::try_from(cpus.len()).unwrap_or(u64::MAX);
        emit.emit(&LOGICAL_COUNT, |points| points.int(&[], count));
        let reading = Reading {
            at_unix_nano: emit.at_unix_nano(),
            cpus,
        };
        if let Some(last) = &self.last {
            emit_utilization(last, &reading, emit);
        }
        self.last = Some(reading);
    }
}

/// Writes each processor's share of each state between two readings. A processor that was not
/// there before has none yet.
fn emit_utilization(last: &Reading, now: &Reading, emit: &mut Emitter<'_>) {
    let elapsed_s = now.at_unix_nano.saturating_sub(last.at_unix_nano) as f64 / 1e9;
    if elapsed_s <= 0.0 {
        return;
    }
    let before: BTreeMap<&str, &CpuTicks> = last
        .cpus
        .iter()
        .map(|(name, ticks)| (name.as_str(), ticks))
        .collect();
    emit.emit(&UTILIZATION, |points| {
        for (name, ticks) in &now.cpus {
            let Some(old) = before.get(name.as_str()) else {
                continue;
            };
            for ((state, count), (_, old_count)) in ticks.states().into_iter().zip(old.states()) {
                // The kernel's idle and wait times may step back by a tick.
                let spent_s = stat::seconds(count.saturating_sub(old_count));
                points.double(&[("cpu", name), ("state", state)], spent_s / elapsed_s);
            }
        }
    });
}

fn emit_frequencies(frequencies: &[(String, f64)], emit: &mut Emitter<'_>) {
    emit.emit(&FREQUENCY, |points| {
        for (name, hertz) in frequencies {
            points.double(&[("cpu", name)], *hertz);
        }
    });
}

/// How many logical processors are online, for averages.
pub(super) fn read_logical_count(root: &Root) -> Result<u64, ScrapeError> {
    let cpus = stat::parse_cpus(&root.read(stat::FILE)?)?;
    Ok(u64::try_from(cpus.len()).unwrap_or(u64::MAX))
}

/// Counts the distinct sets of logical processors that share a core.
fn read_core_count(root: &Root) -> Result<u64, ScrapeError> {
    const DIRECTORY: &str = "sys/devices/system/cpu";
    let mut cores = BTreeSet::new();
    for name in root.names(DIRECTORY)? {
        if !is_cpu_name(&name) {
            continue;
        }
        let topology = format!("{DIRECTORY}/{name}/topology");
        // An older kernel calls a core's processors "thread siblings"; one that is offline has
        // no topology.
        let siblings = root
            .read(&format!("{topology}/core_cpus_list"))
            .or_else(|_| root.read(&format!("{topology}/thread_siblings_list")));
        if let Ok(list) = siblings {
            cores.insert(list.trim().to_owned());
        }
    }
    if cores.is_empty() {
        return Err(ScrapeError::Absent(format!(
            "no processor under /{DIRECTORY} tells its topology"
        )));
    }
    Ok(u64::try_from(cores.len()).unwrap_or(u64::MAX))
}

fn is_cpu_name(name: &str) -> bool {
    name.strip_prefix("cpu")
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// Frequencies in Hz: of `/proc/cpuinfo`, or of cpufreq on architectures that do not tell there.
fn read_frequencies(root: &Root) -> Result<Vec<(String, f64)>, ScrapeError> {
    let told = parse_cpuinfo_frequencies(&root.read("proc/cpuinfo")?);
    if !told.is_empty() {
        return Ok(told);
    }
    let mut frequencies = Vec::new();
    for (name, _) in stat::parse_cpus(&root.read(stat::FILE)?)? {
        let file = format!("sys/devices/system/cpu/{name}/cpufreq/scaling_cur_freq");
        if let Ok(kilohertz) = root.read(&file)
            && let Ok(kilohertz) = kilohertz.trim().parse::<f64>()
        {
            frequencies.push((name, kilohertz * 1e3));
        }
    }
    Ok(frequencies)
}

fn parse_cpuinfo_frequencies(text: &str) -> Vec<(String, f64)> {
    let mut frequencies = Vec::new();
    let mut name = None;
    for (key, value) in text.lines().filter_map(|line| line.split_once(':')) {
        match key.trim() {
            "processor" => name = Some(format!("cpu{}", value.trim())),
            "cpu MHz" => {
                if let (Some(name), Ok(megahertz)) = (name.take(), value.trim().parse::<f64>()) {
                    frequencies.push((name, megahertz * 1e6));
                }
            }
            _ => {}
        }
    }
    frequencies
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequencies_are_told_in_hertz_for_each_processor() {
        let text =
            "processor\t: 0\ncpu MHz\t\t: 2596.134\n\nprocessor\t: 1\ncpu MHz\t\t: 800.000\n";
        assert_eq!(
            parse_cpuinfo_frequencies(text),
            [
                ("cpu0".to_owned(), 2_596_134_000.0),
                ("cpu1".to_owned(), 800_000_000.0)
            ]
        );
        // An ARM kernel lists processors without a frequency; garbage is not one.
        assert_eq!(
            parse_cpuinfo_frequencies("processor : 0\nBogoMIPS : 50\n"),
            []
        );
        assert_eq!(
            parse_cpuinfo_frequencies("cpu MHz : 1\nprocessor : 0\ncpu MHz : x"),
            []
        );
    }

    #[test]
    fn only_numbered_directories_are_processors() {
        for (name, is_cpu) in [
            ("cpu0", true),
            ("cpu12", true),
            ("cpu", false),
            ("cpufreq", false),
            ("cpu0x", false),
        ] {
            assert_eq!(is_cpu_name(name), is_cpu, "{name}");
        }
    }
}
