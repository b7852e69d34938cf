//! Main memory, by what it is used for.

use std::collections::BTreeMap;

use pipeline::ScrapeError;
use serde::{Deserialize, Serialize};

use super::metric::{Emitter, Kind, Metric, MetricsConfig};
use super::root::Root;

const FILE: &str = "proc/meminfo";

/// What is reported of the memory.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Switches single metrics on or off.
    pub(crate) metrics: MetricsConfig,
}

const USAGE: Metric = Metric {
    name: "system.memory.usage",
    unit: "By",
    description: "Memory by what it is used for",
    kind: Kind::UpDownCounter,
    attributes: &["state"],
    attributes_opt_in: &[],
    is_default: true,
};
const UTILIZATION: Metric = Metric {
    name: "system.memory.utilization",
    unit: "1",
    description: "Share of the memory by what it is used for",
    kind: Kind::Gauge,
    attributes: &["state"],
    attributes_opt_in: &[],
    is_default: false,
};
const LIMIT: Metric = amount("system.memory.limit", "By", "Memory in the host");
const AVAILABLE: Metric = amount(
    "system.linux.memory.available",
    "By",
    "Memory that programs can be given without swapping, as the kernel estimates it",
);
const DIRTY: Metric = amount(
    "system.linux.memory.dirty",
    "By",
    "Memory that waits to be written to disk",
);
const SHARED: Metric = amount(
    "system.memory.linux.shared",
    "By",
    "Memory in shared memory segments and tmpfs",
);
const PAGE_SIZE: Metric = Metric {
    name: "system.memory.page_size",
    unit: "By",
    description: "Size of a page of memory",
    kind: Kind::Gauge,
    attributes: &[],
    attributes_opt_in: &[],
    is_default: false,
};
const HUGE_LIMIT: Metric = amount(
    "system.memory.linux.hugepages.limit",
    "{page}",
    "Huge pages in the pool",
);
const HUGE_PAGE_SIZE: Metric = amount(
    "system.memory.linux.hugepages.page_size",
    "By",
    "Size of a huge page",
);
const HUGE_RESERVED: Metric = amount(
    "system.memory.linux.hugepages.reserved",
    "{page}",
    "Huge pages promised but not yet handed out",
);
const HUGE_SURPLUS: Metric = amount(
    "system.memory.linux.hugepages.surplus",
    "{page}",
    "Huge pages in the pool above its configured size",
);
const HUGE_USAGE: Metric = Metric {
    attributes: &[HUGE_STATE],
    ..amount(
        "system.memory.linux.hugepages.usage",
        "{page}",
        "Huge pages by whether they are handed out",
    )
};
const HUGE_UTILIZATION: Metric = Metric {
    name: "system.memory.linux.hugepages.utilization",
    unit: "1",
    description: "Share of the huge pages by whether they are handed out",
    kind: Kind::Gauge,
    attributes: &[HUGE_STATE],
    attributes_opt_in: &[],
    is_default: false,
};
const HUGE_STATE: &str = "system.memory.linux.hugepages.state";

const fn amount(name: &'static str, unit: &'static str, description: &'static str) -> Metric {
    Metric {
        name,
        unit,
        description,
        kind: Kind::UpDownCounter,
        attributes: &[],
        attributes_opt_in: &[],
        is_default: false,
    }
}

/// All metrics of this scraper.
pub(super) const METRICS: &[&Metric] = &[
    &USAGE,
    &UTILIZATION,
    &LIMIT,
    &AVAILABLE,
    &DIRTY,
    &SHARED,
    &PAGE_SIZE,
    &HUGE_LIMIT,
    &HUGE_PAGE_SIZE,
    &HUGE_RESERVED,
    &HUGE_SURPLUS,
    &HUGE_USAGE,
    &HUGE_UTILIZATION,
];

/// Reads and writes once; what cannot be read goes to `problems`.
pub(super) fn scrape(root: &Root, emit: &mut Emitter<'_>, problems: &mut Vec<ScrapeError>) {
    match root.read(FILE).and_then(|text| Meminfo::parse(&text)) {
        Ok(meminfo) => {
            emit_usage(&meminfo, emit);
            emit_amounts(&meminfo, emit);
            emit_huge_pages(&meminfo, emit);
        }
        Err(error) => problems.push(error),
    }
    let page_size_bytes = u64::try_from(rustix::param::page_size()).unwrap_or(u64::MAX);
    emit.emit(&PAGE_SIZE, |points| points.int(&[], page_size_bytes));
}

/// `/proc/meminfo` in bytes, and in pages where the file counts pages.
#[derive(Debug)]
struct Meminfo {
    total: u64,
    values: BTreeMap<String, u64>,
}

impl Meminfo {
    /// Reads `Key: value [kB]` lines; others are passed over.
    fn parse(text: &str) -> Result<Self, ScrapeError> {
        let values: BTreeMap<String, u64> = text
            .lines()
            .filter_map(|line| {
                let (key, value) = line.split_once(':')?;
                Some((key.trim().to_owned(), parse_amount(value)?))
            })
            .collect();
        match values.get("MemTotal") {
            Some(0) | None => Err(ScrapeError::Malformed(format!("/{FILE} has no MemTotal"))),
            Some(total) => Ok(Self {
                total: *total,
                values,
            }),
        }
    }

    fn get(&self, key: &str) -> Option<u64> {
        self.values.get(key).copied()
    }

    fn or_zero(&self, key: &str) -> u64 {
        self.get(key).unwrap_or_default()
    }

    /// The page cache with the part of the slabs that the kernel gives back when asked, which is
    /// what `free` calls cache.
    fn cached(&self) -> u64 {
        self.or_zero("Cached")
            .saturating_add(self.or_zero("SReclaimable"))
    }

    /// Kernels before 3.14 do not estimate what is available: free memory and caches stand in.
    fn available(&self) -> u64 {
        self.get("MemAvailable").unwrap_or_else(|| {
            self.or_zero("MemFree")
                .saturating_add(self.or_zero("Buffers"))
                .saturating_add(self.cached())
                .min(self.total)
        })
    }

    /// Bytes by state. The states overlap: what is available holds most of the caches.
    fn states(&self) -> [(&'static str, u64); 6] {
        [
            ("used", self.total.saturating_sub(self.available())),
            ("free", self.or_zero("MemFree")),
            ("buffered", self.or_zero("Buffers")),
            ("cached", self.cached()),
            ("slab_reclaimable", self.or_zero("SReclaimable")),
            ("slab_unreclaimable", self.or_zero("SUnreclaim")),
        ]
    }
}

/// A number of bytes (`12 kB`) or of pages (`12`).
fn parse_amount(value: &str) -> Option<u64> {
    let value = value.trim();
    match value.strip_suffix("kB") {
        Some(kibibytes) => kibibytes.trim_end().parse::<u64>().ok()?.checked_mul(1024),
        None => value.parse().ok(),
    }
}

fn emit_usage(meminfo: &Meminfo, emit: &mut Emitter<'_>) {
    emit.emit(&USAGE, |points| {
        for (state, bytes) in meminfo.states() {
            points.int(&[("state", state)], bytes);
        }
    });
    emit.emit(&UTILIZATION, |points| {
        for (state, bytes) in meminfo.states() {
            let share = bytes as f64 / meminfo.total as f64;
            points.double(&[("state", state)], share);
        }
    });
}

fn emit_amounts(meminfo: &Meminfo, emit: &mut Emitter<'_>) {
    for (metric, value) in [
        (&LIMIT, Some(meminfo.total)),
        (&AVAILABLE, Some(meminfo.available())),
        (&DIRTY, meminfo.get("Dirty")),
        (&SHARED, meminfo.get("Shmem")),
        (&HUGE_LIMIT, meminfo.get("HugePages_Total")),
        (&HUGE_PAGE_SIZE, meminfo.get("Hugepagesize")),
        (&HUGE_RESERVED, meminfo.get("HugePages_Rsvd")),
        (&HUGE_SURPLUS, meminfo.get("HugePages_Surp")),
    ] {
        if let Some(value) = value {
            emit.emit(metric, |points| points.int(&[], value));
        }
    }
}

fn emit_huge_pages(meminfo: &Meminfo, emit: &mut Emitter<'_>) {
    let (Some(total), Some(free)) = (
        meminfo.get("HugePages_Total"),
        meminfo.get("HugePages_Free"),
    ) else {
        return;
    };
    let states = [("used", total.saturating_sub(free)), ("free", free)];
    emit.emit(&HUGE_USAGE, |points| {
        for (state, pages) in states {
            points.int(&[(HUGE_STATE, state)], pages);
        }
    });
    if total > 0 {
        emit.emit(&HUGE_UTILIZATION, |points| {
            for (state, pages) in states {
                points.double(&[(HUGE_STATE, state)], pages as f64 / total as f64);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_file_gives_bytes_by_state() {
        let text = include_str!("fixtures/debian_12_kvm/proc/meminfo");
        let meminfo = Meminfo::parse(text).unwrap();
        let states: BTreeMap<_, _> = meminfo.states().into();
        assert_eq!(meminfo.total, 24_684_084 * 1024);
        assert_eq!(
            states["used"],
            meminfo.total - meminfo.get("MemAvailable").unwrap()
        );
        assert_eq!(
            states["cached"],
            meminfo.get("Cached").unwrap() + meminfo.get("SReclaimable").unwrap()
        );
        assert!(states.values().all(|bytes| *bytes <= meminfo.total));
    }

    #[test]
    fn a_kernel_without_an_estimate_counts_free_memory_and_caches() {
        let meminfo = Meminfo::parse(
            "MemTotal: 100 kB\nMemFree: 10 kB\nBuffers: 5 kB\nCached: 20 kB\nSReclaimable: 3 kB\n",
        )
        .unwrap();
        assert_eq!(meminfo.available(), 38 * 1024);
        assert_eq!(meminfo.states()[0], ("used", 62 * 1024));
    }

    #[test]
    fn pages_are_not_multiplied() {
        let meminfo = Meminfo::parse("MemTotal: 1 kB\nHugePages_Total:      12\n").unwrap();
        assert_eq!(meminfo.get("HugePages_Total"), Some(12));
    }

    #[test]
    fn garbage_is_malformed() {
        for text in [
            "",
            "MemTotal\n",
            "MemTotal: kB\n",
            "MemTotal: -1 kB\n",
            "MemTotal: 0 kB\n",
            "MemTotal: 18446744073709551615 kB",
        ] {
            let parsed = Meminfo::parse(text);
            assert!(matches!(parsed, Err(ScrapeError::Malformed(_))), "{text}");
        }
    }
}
