//! Disk operations, bytes and times, by block device.

use pipeline::ScrapeError;
use serde::{Deserialize, Serialize};

use super::filter::{Filter, MatchType, Names};
use super::metric::{Emitter, Kind, Metric, MetricsConfig, Points};
use super::root::Root;
use crate::config::Problem;

const FILE: &str = "proc/diskstats";

/// Size of a sector in `/proc/diskstats`, in bytes, whatever the device's own sectors are.
const SECTOR_SIZE_BYTES: u64 = 512;

/// What is reported of disks.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Only these devices; all when empty.
    pub(crate) include: Devices,
    /// Not these devices.
    pub(crate) exclude: Devices,
    /// Switches single metrics on or off.
    pub(crate) metrics: MetricsConfig,
}

/// Devices by name, such as `sda1`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Devices {
    /// Names or regular expressions.
    pub(crate) devices: Vec<String>,
    /// How they are compared: `strict` or `regexp`.
    pub(crate) match_type: Option<MatchType>,
}

const IO: Metric = counter("system.disk.io", "By", "Bytes read and written", BOTH_WAYS);
const OPERATIONS: Metric = counter(
    "system.disk.operations",
    "{operations}",
    "Reads and writes that were completed",
    BOTH_WAYS,
);
const MERGED: Metric = counter(
    "system.disk.merged",
    "{operations}",
    "Reads and writes that were merged into others before they were issued",
    BOTH_WAYS,
);
const OPERATION_TIME: Metric = counter(
    "system.disk.operation_time",
    "s",
    "Time that all reads and writes took, added up",
    BOTH_WAYS,
);
const IO_TIME: Metric = counter(
    "system.disk.io_time",
    "s",
    "Time during which the device had work",
    DEVICE,
);
const WEIGHTED_IO_TIME: Metric = counter(
    "system.disk.weighted_io_time",
    "s",
    "Time during which the device had work, times the operations in progress",
    DEVICE,
);
const PENDING_OPERATIONS: Metric = Metric {
    kind: Kind::UpDownCounter,
    ..counter(
        "system.disk.pending_operations",
        "{operations}",
        "Operations in progress",
        DEVICE,
    )
};
const DEVICE: &[&str] = &["device"];
const BOTH_WAYS: &[&str] = &["device", "direction"];

const fn counter(
    name: &'static str,
    unit: &'static str,
    description: &'static str,
    attributes: &'static [&'static str],
) -> Metric {
    Metric {
        name,
        unit,
        description,
        kind: Kind::Counter,
        attributes,
        attributes_opt_in: &[],
        is_default: true,
    }
}

/// All metrics of this scraper.
pub(super) const METRICS: &[&Metric] = &[
    &IO,
    &OPERATIONS,
    &MERGED,
    &OPERATION_TIME,
    &IO_TIME,
    &WEIGHTED_IO_TIME,
    &PENDING_OPERATIONS,
];

/// Knows which devices are reported.
#[derive(Debug)]
pub(super) struct Scraper {
    devices: Filter,
}

impl Scraper {
    /// Compiles the filters of the block found at `key_path`.
    pub(super) fn new(key_path: &str, config: &Config) -> Result<Self, Problem> {
        let names = |side: &str, devices: &Devices| {
            Names::compile(
                &format!("{key_path}::{side}"),
                &devices.devices,
                devices.match_type,
            )
        };
        Ok(Self {
            devices: Filter::new(
                names("include", &config.include)?,
                names("exclude", &config.exclude)?,
            ),
        })
    }

    /// Reads and writes once; what cannot be read goes to `problems`.
    pub(super) fn scrape(
        &self,
        root: &Root,
        emit: &mut Emitter<'_>,
        problems: &mut Vec<ScrapeError>,
    ) {
        match root.read(FILE).and_then(|text| parse(&text)) {
            Ok(mut disks) => {
                disks.retain(|disk| self.devices.takes(&disk.device));
                write(&disks, emit);
            }
            Err(error) => problems.push(error),
        }
    }
}

/// One line of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Disk {
    device: String,
    read: Direction,
    write: Direction,
    in_progress: u64,
    busy_ms: u64,
    weighted_ms: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Direction {
    completed: u64,
    merged: u64,
    sectors: u64,
    time_ms: u64,
}

fn parse(text: &str) -> Result<Vec<Disk>, ScrapeError> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let mut disks = Vec::new();
    for line in lines {
        // A kernel before 2.6.25 has lines with four counters for partitions, which say too
        // little.
        if line.split_ascii_whitespace().count() == 7 {
            continue;
        }
        disks.push(parse_line(line).ok_or_else(|| {
            ScrapeError::Malformed(format!("/{FILE}: not a disk: {}", line.trim()))
        })?);
    }
    Ok(disks)
}

/// Major and minor number, device, then the counters of the kernel's iostats documentation.
/// Discards (4.18) and flushes (5.5) follow and are not reported.
fn parse_line(line: &str) -> Option<Disk> {
    let mut fields = line.split_ascii_whitespace().skip(2);
    let device = fields.next()?.to_owned();
    let mut number = || fields.next()?.parse().ok();
    Some(Disk {
        device,
        read: Direction {
            completed: number()?,
            merged: number()?,
            sectors: number()?,
            time_ms: number()?,
        },
        write: Direction {
            completed: number()?,
            merged: number()?,
            sectors: number()?,
            time_ms: number()?,
        },
        in_progress: number()?,
        busy_ms: number()?,
        weighted_ms: number()?,
    })
}

fn write(disks: &[Disk], emit: &mut Emitter<'_>) {
    for (metric, pick) in [
        (&IO, bytes as fn(&Direction) -> u64),
        (&OPERATIONS, |direction| direction.completed),
        (&MERGED, |direction| direction.merged),
    ] {
        emit.emit(metric, |points| {
            both_ways(disks, |attributes, direction| {
                points.int(attributes, pick(direction));
            });
        });
    }
    emit.emit(&OPERATION_TIME, |points| {
        both_ways(disks, |attributes, direction| {
            points.double(attributes, seconds(direction.time_ms));
        });
    });
    emit.emit(&IO_TIME, |points| {
        times(disks, points, |disk| disk.busy_ms);
    });
    emit.emit(&WEIGHTED_IO_TIME, |points| {
        times(disks, points, |disk| disk.weighted_ms);
    });
    emit.emit(&PENDING_OPERATIONS, |points| {
        for disk in disks {
            points.int(&[("device", &disk.device)], disk.in_progress);
        }
    });
}

fn bytes(direction: &Direction) -> u64 {
    direction.sectors.saturating_mul(SECTOR_SIZE_BYTES)
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1e3
}

fn both_ways<'p>(
    disks: &'p [Disk],
    mut point: impl FnMut(&[(&'static str, &'p str)], &'p Direction),
) {
    for disk in disks {
        for (name, direction) in [("read", &disk.read), ("write", &disk.write)] {
            point(&[("device", &disk.device), ("direction", name)], direction);
        }
    }
}

fn times<'p>(disks: &'p [Disk], points: &mut Points<'p>, pick_ms: impl Fn(&Disk) -> u64) {
    for disk in disks {
        points.double(&[("device", &disk.device)], seconds(pick_ms(disk)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_file_lists_every_device() {
        let disks = parse(include_str!("fixtures/debian_12_kvm/proc/diskstats")).unwrap();
        assert_eq!(disks.len(), 10);
        let vda = disks.iter().find(|disk| disk.device == "vda").unwrap();
        assert!(vda.read.completed > 0 && vda.write.sectors > 0 && vda.busy_ms > 0);
    }

    #[test]
    fn kernels_differ_in_how_many_counters_they_keep() {
        let expected = Disk {
            device: "sda".to_owned(),
            read: Direction {
                completed: 1,
                merged: 2,
                sectors: 3,
                time_ms: 4,
            },
            write: Direction {
                completed: 5,
                merged: 6,
                sectors: 7,
                time_ms: 8,
            },
            in_progress: 9,
            busy_ms: 10,
            weighted_ms: 11,
        };
        for line in [
            "8 0 sda 1 2 3 4 5 6 7 8 9 10 11",
            "   8       0 sda 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15",
            "8 0 sda 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17",
            "8 1 sda1 1 2 3 4\n8 0 sda 1 2 3 4 5 6 7 8 9 10 11\n\n",
        ] {
            assert_eq!(
                parse(line).unwrap(),
                std::slice::from_ref(&expected),
                "{line}"
            );
        }
    }

    #[test]
    fn a_container_without_disks_reports_none() {
        assert_eq!(parse("").unwrap(), []);
    }

    #[test]
    fn garbage_is_malformed() {
        for text in [
            "8 0 sda 1 2",
            "8 0 sda a 2 3 4 5 6 7 8 9 10 11",
            "nonsense",
            "8 0 sda 1 2 3 4 5 6 7 8 9 10 -11",
        ] {
            assert!(
                matches!(parse(text), Err(ScrapeError::Malformed(_))),
                "{text}"
            );
        }
    }
}
