//! Swap space, and pages moved between memory and disk.

use pipeline::ScrapeError;
use serde::{Deserialize, Serialize};

use super::metric::{Emitter, Kind, Metric, MetricsConfig};
use super::root::{Root, unescape};

const SWAPS_FILE: &str = "proc/swaps";
const VMSTAT_FILE: &str = "proc/vmstat";

/// What is reported of paging.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Switches single metrics on or off.
    pub(crate) metrics: MetricsConfig,
}

const USAGE: Metric = Metric {
    name: "system.paging.usage",
    unit: "By",
    description: "Swap space by whether it is used",
    kind: Kind::UpDownCounter,
    attributes: &["device", "state"],
    attributes_opt_in: &[],
    is_default: true,
};
const UTILIZATION: Metric = Metric {
    name: "system.paging.utilization",
    unit: "1",
    description: "Share of the swap space by whether it is used",
    kind: Kind::Gauge,
    attributes: &["device", "state"],
    attributes_opt_in: &[],
    is_default: false,
};
/// The values are the kernel's own counters: pages swapped (major), and KiB read from and written
/// to block devices (minor).
const OPERATIONS: Metric = Metric {
    name: "system.paging.operations",
    unit: "{operations}",
    description: "Pages swapped in and out (major), KiB paged in and out (minor)",
    kind: Kind::Counter,
    attributes: &["direction", "type"],
    attributes_opt_in: &[],
    is_default: true,
};
const FAULTS: Metric = Metric {
    name: "system.paging.faults",
    unit: "{faults}",
    description: "Page faults that needed the disk (major) and that did not (minor)",
    kind: Kind::Counter,
    attributes: &["type"],
    attributes_opt_in: &[],
    is_default: true,
};

/// All metrics of this scraper.
pub(super) const METRICS: &[&Metric] = &[&USAGE, &UTILIZATION, &OPERATIONS, &FAULTS];

/// Reads and writes once; what cannot be read goes to `problems`.
pub(super) fn scrape(root: &Root, emit: &mut Emitter<'_>, problems: &mut Vec<ScrapeError>) {
    match root.read(SWAPS_FILE).and_then(|text| parse_swaps(&text)) {
        Ok(swaps) => emit_usage(&swaps, emit),
        Err(error) => problems.push(error),
    }
    match root.read(VMSTAT_FILE).and_then(|text| Vmstat::parse(&text)) {
        Ok(vmstat) => emit_activity(&vmstat, emit),
        Err(error) => problems.push(error),
    }
}

/// One swap device or file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Swap {
    device: String,
    size_bytes: u64,
    used_bytes: u64,
}

impl Swap {
    fn states(&self) -> [(&'static str, u64); 2] {
        [
            ("used", self.used_bytes),
            ("free", self.size_bytes.saturating_sub(self.used_bytes)),
        ]
    }
}

/// Reads `/proc/swaps`: a heading, then name, type, size and used in KiB, and priority.
fn parse_swaps(text: &str) -> Result<Vec<Swap>, ScrapeError> {
    text.lines()
        .skip(1)
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            parse_swap(line).ok_or_else(|| {
                ScrapeError::Malformed(format!("/{SWAPS_FILE}: not a swap: {}", line.trim()))
            })
        })
        .collect()
}

fn parse_swap(line: &str) -> Option<Swap> {
    let mut fields = line.split_ascii_whitespace();
    let device = unescape(fields.next()?);
    let mut kibibytes = fields.skip(1).map(str::parse::<u64>);
    let mut bytes = || kibibytes.next()?.ok()?.checked_mul(1024);
    Some(Swap {
        device,
        size_bytes: bytes()?,
        used_bytes: bytes()?,
    })
}

/// The counters of `/proc/vmstat` that are reported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Vmstat {
    swapped_in: Option<u64>,
    swapped_out: Option<u64>,
    paged_in: Option<u64>,
    paged_out: Option<u64>,
    faults: Option<u64>,
    major_faults: Option<u64>,
}

impl Vmstat {
    /// Reads `name value` lines. A kernel without swap has no swap counters, so each may be
    /// missing, but not all.
    fn parse(text: &str) -> Result<Self, ScrapeError> {
        let mut vmstat = Self::default();
        for (name, value) in text.lines().filter_map(|line| line.split_once(' ')) {
            let place = match name {
                "pswpin" => &mut vmstat.swapped_in,
                "pswpout" => &mut vmstat.swapped_out,
                "pgpgin" => &mut vmstat.paged_in,
                "pgpgout" => &mut vmstat.paged_out,
                "pgfault" => &mut vmstat.faults,
                "pgmajfault" => &mut vmstat.major_faults,
                _ => continue,
            };
            *place = value.trim().parse().ok();
        }
        if vmstat == Self::default() {
            return Err(ScrapeError::Malformed(format!(
                "/{VMSTAT_FILE} has no counters of paging"
            )));
        }
        Ok(vmstat)
    }
}

fn emit_usage(swaps: &[Swap], emit: &mut Emitter<'_>) {
    emit.emit(&USAGE, |points| {
        for swap in swaps {
            for (state, bytes) in swap.states() {
                points.int(&[("device", &swap.device), ("state", state)], bytes);
            }
        }
    });
    emit.emit(&UTILIZATION, |points| {
        for swap in swaps.iter().filter(|swap| swap.size_bytes > 0) {
            for (state, bytes) in swap.states() {
                let share = bytes as f64 / swap.size_bytes as f64;
                points.double(&[("device", &swap.device), ("state", state)], share);
            }
        }
    });
}

fn emit_activity(vmstat: &Vmstat, emit: &mut Emitter<'_>) {
    emit.emit(&OPERATIONS, |points| {
        for (kind, direction, count) in [
            ("major", "page_in", vmstat.swapped_in),
            ("major", "page_out", vmstat.swapped_out),
            ("minor", "page_in", vmstat.paged_in),
            ("minor", "page_out", vmstat.paged_out),
        ] {
            if let Some(count) = count {
                points.int(&[("direction", direction), ("type", kind)], count);
            }
        }
    });
    emit.emit(&FAULTS, |points| {
        if let (Some(all), Some(major)) = (vmstat.faults, vmstat.major_faults) {
            points.int(&[("type", "major")], major);
            points.int(&[("type", "minor")], all.saturating_sub(major));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swaps_are_read_in_bytes() {
        let text = include_str!("fixtures/debian_12_kvm/proc/swaps");
        assert_eq!(
            parse_swaps(text).unwrap(),
            [
                Swap {
                    device: "/dev/dm-1".to_owned(),
                    size_bytes: 999_420 * 1024,
                    used_bytes: 1024 * 1024,
                },
                Swap {
                    device: "/swap file".to_owned(),
                    size_bytes: 1024 * 1024,
                    used_bytes: 0,
                },
            ]
        );
    }

    #[test]
    fn a_host_without_swap_has_an_empty_table() {
        let heading = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
        assert_eq!(parse_swaps(heading).unwrap(), []);
        assert_eq!(parse_swaps("").unwrap(), []);
    }

    #[test]
    fn counters_of_a_recorded_file() {
        let text = include_str!("fixtures/debian_12_kvm/proc/vmstat");
        let vmstat = Vmstat::parse(text).unwrap();
        assert_eq!(vmstat.swapped_in, Some(0));
        assert!(vmstat.faults.unwrap() > vmstat.major_faults.unwrap());
        assert!(vmstat.paged_in.unwrap() > 0 && vmstat.paged_out.unwrap() > 0);
    }

    #[test]
    fn garbage_is_malformed() {
        for text in [
            "heading\n/dev/sda2\n",
            "heading\n/dev/sda2 partition x 0 -2\n",
        ] {
            assert!(
                matches!(parse_swaps(text), Err(ScrapeError::Malformed(_))),
                "{text}"
            );
        }
        for text in ["", "pgfault\n", "pgfault many\n", "nr_free_pages 12\n"] {
            assert!(
                matches!(Vmstat::parse(text), Err(ScrapeError::Malformed(_))),
                "{text}"
            );
        }
    }
}
