//! The receiver as a whole, over recorded files and over this machine.

use std::collections::BTreeMap;

use otlp::metrics::{Data, Number, NumberPoint, Request, Temporality};
use pipeline::Scraper as _;

use super::*;

/// Name, unit, kind (`C`ounter, `U`p-down counter, `G`auge) with its value type (`i`nt, `d`ouble),
/// attribute keys, and whether it is on by default: what the OpenTelemetry Collector's receiver
/// reports of Linux.
const METRICS: &str = "
system.cpu.frequency                      | Hz            | Gd | cpu                                     | off
system.cpu.load_average.15m               | {thread}      | Gd |                                         | on
system.cpu.load_average.1m                | {thread}      | Gd |                                         | on
system.cpu.load_average.5m                | {thread}      | Gd |                                         | on
system.cpu.logical.count                  | {cpu}         | Ui |                                         | on
system.cpu.physical.count                 | {cpu}         | Ui |                                         | off
system.cpu.time                           | s             | Cd | state                                   | on
system.cpu.utilization                    | 1             | Gd | state                                   | off
system.disk.io                            | By            | Ci | device direction                        | on
system.disk.io_time                       | s             | Cd | device                                  | on
system.disk.merged                        | {operations}  | Ci | device direction                        | on
system.disk.operation_time                | s             | Cd | device direction                        | on
system.disk.operations                    | {operations}  | Ci | device direction                        | on
system.disk.pending_operations            | {operations}  | Ui | device                                  | on
system.disk.weighted_io_time              | s             | Cd | device                                  | on
system.filesystem.inodes.usage            | {inodes}      | Ui | device mode mountpoint state type       | on
system.filesystem.usage                   | By            | Ui | device mode mountpoint state type       | on
system.filesystem.utilization             | 1             | Gd | device mode mountpoint type             | off
system.linux.memory.available             | By            | Ui |                                         | off
system.linux.memory.dirty                 | By            | Ui |                                         | off
system.memory.limit                       | By            | Ui |                                         | off
system.memory.linux.hugepages.limit       | {page}        | Ui |                                         | off
system.memory.linux.hugepages.page_size   | By            | Ui |                                         | off
system.memory.linux.hugepages.reserved    | {page}        | Ui |                                         | off
system.memory.linux.hugepages.surplus     | {page}        | Ui |                                         | off
system.memory.linux.hugepages.usage       | {page}        | Ui | system.memory.linux.hugepages.state     | off
system.memory.linux.hugepages.utilization | 1             | Gd | system.memory.linux.hugepages.state     | off
system.memory.linux.shared                | By            | Ui |                                         | off
system.memory.page_size                   | By            | Gi |                                         | off
system.memory.usage                       | By            | Ui | state                                   | on
system.memory.utilization                 | 1             | Gd | state                                   | off
system.network.connections                | {connections} | Ui | protocol state                          | on
system.network.conntrack.count            | {entries}     | Ui |                                         | off
system.network.conntrack.max              | {entries}     | Ui |                                         | off
system.network.dropped                    | {packets}     | Ci | device direction                        | on
system.network.errors                     | {errors}      | Ci | device direction                        | on
system.network.io                         | By            | Ci | device direction                        | on
system.network.packets                    | {packets}     | Ci | device direction                        | on
system.paging.faults                      | {faults}      | Ci | type                                    | on
system.paging.operations                  | {operations}  | Ci | direction type                          | on
system.paging.usage                       | By            | Ui | device state                            | on
system.paging.utilization                 | 1             | Gd | device state                            | off
system.processes.count                    | {processes}   | Ui | status                                  | on
system.processes.created                  | {processes}   | Ci |                                         | on
system.uptime                             | s             | Gd |                                         | on
";

const FIXTURE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/src/receivers/host_metrics/fixtures/debian_12_kvm"
);
const SECOND: u64 = 1_000_000_000;

/// One metric as it was written.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    unit: String,
    kind: String,
    keys: String,
    points: Vec<(BTreeMap<String, String>, f64)>,
    starts: Vec<u64>,
}

fn decode(scraped: &Scraped) -> BTreeMap<String, Seen> {
    let bytes = scraped.payload.to_plain().unwrap();
    let items = otlp_items(&bytes);
    assert_eq!(items, scraped.items);
    let mut seen = BTreeMap::new();
    for resource in Request::new(&bytes).resource_metrics() {
        assert!(resource.resource().attributes().is_empty());
        for scope in resource.scope_metrics() {
            assert!(scope.scope().name().starts_with("skybridge.host_metrics."));
            for metric in scope.metrics() {
                assert!(!metric.description().is_empty());
                let old = seen.insert(metric.name().to_owned(), see(&metric));
                assert!(old.is_none(), "{} is written twice", metric.name());
            }
        }
    }
    seen
}

fn otlp_items(bytes: &[u8]) -> u32 {
    let points = Request::new(bytes)
        .resource_metrics()
        .flat_map(|resource| resource.scope_metrics())
        .flat_map(|scope| scope.metrics())
        .map(|metric| match metric.data() {
            Data::Gauge(points) | Data::Sum { points, .. } => points.count(),
            other => panic!("unexpected {other:?}"),
        });
    u32::try_from(points.sum::<usize>()).unwrap()
}

fn see(metric: &otlp::metrics::Metric<'_>) -> Seen {
    let (kind, points) = match metric.data() {
        Data::Gauge(points) => ('G', points),
        Data::Sum {
            points,
            temporality,
            monotonic,
        } => {
            assert_eq!(temporality, Temporality::Cumulative);
            (if monotonic { 'C' } else { 'U' }, points)
        }
        other => panic!("unexpected {other:?}"),
    };
    let points: Vec<NumberPoint<'_>> = points.collect();
    let keys = |point: &NumberPoint<'_>| {
        let mut keys: Vec<&str> = point.attributes().iter().map(|a| a.key).collect();
        keys.sort_unstable();
        keys.join(" ")
    };
    let first = points
        .first()
        .expect("a metric without points is not written");
    assert!(points.iter().all(|point| keys(point) == keys(first)));
    let value_type = match first.value {
        Number::Int(_) => 'i',
        Number::Double(_) => 'd',
        Number::None => panic!("{} has no value", metric.name()),
    };
    Seen {
        unit: metric.unit().to_owned(),
        kind: format!("{kind}{value_type}"),
        keys: keys(first),
        starts: points.iter().map(|p| p.start_time_unix_nano).collect(),
        points: points.iter().map(point).collect(),
    }
}

fn point(point: &NumberPoint<'_>) -> (BTreeMap<String, String>, f64) {
    let attributes = point
        .attributes()
        .iter()
        .map(|attribute| match attribute.value {
            otlp::common::Value::Str(text) => (attribute.key.to_owned(), text.to_owned()),
            other => panic!("unexpected {other:?}"),
        })
        .collect();
    let value = match point.value {
        Number::Int(int) => int as f64,
        Number::Double(double) => double,
        Number::None => panic!("no value"),
    };
    (attributes, value)
}

fn config(root_path: &str, scrapers: serde_json::Value) -> Config {
    Config {
        root_path: root_path.to_owned(),
        scrapers: serde_json::from_value(scrapers).unwrap(),
        ..Config::default()
    }
}

fn all_scrapers() -> serde_json::Value {
    let names = [
        "cpu",
        "disk",
        "filesystem",
        "load",
        "memory",
        "network",
        "paging",
        "processes",
        "system",
    ];
    names
        .map(|name| (name, serde_json::json!({})))
        .into_iter()
        .collect()
}

/// All scrapers, with every metric of the table switched on.
fn everything() -> serde_json::Value {
    let mut scrapers = all_scrapers();
    for (scraper, metrics) in [
        ("cpu", cpu::METRICS),
        ("disk", disk::METRICS),
        ("filesystem", filesystem::METRICS),
        ("load", load::METRICS),
        ("memory", memory::METRICS),
        ("network", network::METRICS),
        ("paging", paging::METRICS),
        ("processes", processes::METRICS),
        ("system", system::METRICS),
    ] {
        for metric in metrics {
            scrapers[scraper]["metrics"][metric.name] = serde_json::json!({"enabled": true});
        }
    }
    scrapers
}

/// Two scrapes ten seconds apart, because a utilization needs two; the second one.
async fn scrape(config: &Config) -> Scraped {
    config.check().unwrap();
    let mut host = HostMetrics::new(config).unwrap();
    host.scrape(1_800_000_000 * SECOND).await.unwrap();
    host.scrape(1_800_000_010 * SECOND).await.unwrap()
}

fn check_table(seen: &BTreeMap<String, Seen>, is_expected: impl Fn(&str) -> bool) {
    let mut expected = 0;
    for row in METRICS.trim().lines() {
        let columns: Vec<&str> = row.split('|').map(str::trim).collect();
        let [name, unit, kind, keys, default] = columns[..] else {
            panic!("not a row: {row}")
        };
        if !is_expected(default) {
            assert!(!seen.contains_key(name), "{name} should be off");
            continue;
        }
        let metric = seen
            .get(name)
            .unwrap_or_else(|| panic!("{name} is missing"));
        assert_eq!(
            (&*metric.unit, &*metric.kind, &*metric.keys),
            (unit, kind, keys),
            "{name}"
        );
        expected += 1;
    }
    assert_eq!(seen.len(), expected, "{:?}", seen.keys());
}

#[tokio::test]
async fn by_default_exactly_the_upstream_metrics_are_written() {
    let scraped = scrape(&config(FIXTURE, all_scrapers())).await;
    check_table(&decode(&scraped), |default| default == "on");
}

#[tokio::test]
async fn every_metric_can_be_switched_on() {
    let mut seen = decode(&scrape(&config(FIXTURE, everything())).await);
    // The recorded host has no pool of huge pages, of which there could be a share.
    let shares = "system.memory.linux.hugepages.utilization";
    assert!(!seen.contains_key(shares));
    seen.insert(
        shares.to_owned(),
        Seen {
            unit: "1".to_owned(),
            kind: "Gd".to_owned(),
            keys: "system.memory.linux.hugepages.state".to_owned(),
            points: Vec::new(),
            starts: Vec::new(),
        },
    );
    check_table(&seen, |_| true);
}

/// What files under `/proc` say, compared with what system calls say.
#[tokio::test]
async fn this_machine_agrees_with_its_system_calls() {
    let scraped = scrape(&config("", everything())).await;
    let seen = decode(&scraped);
    let info = rustix::system::sysinfo();
    let near = |name: &str, expected: f64, tolerance: f64| {
        let value = seen[name].points[0].1;
        assert!(
            (value - expected).abs() <= tolerance,
            "{name}: {value}, {expected}"
        );
    };
    let total_bytes = info.totalram as f64 * f64::from(info.mem_unit);
    near("system.memory.limit", total_bytes, 0.0);
    near("system.uptime", info.uptime as f64, 5.0);
    // The kernel's load averages are binary fractions with 16 places.
    near(
        "system.cpu.load_average.15m",
        info.loads[2] as f64 / 65_536.0,
        0.5,
    );
    near(
        "system.memory.page_size",
        rustix::param::page_size() as f64,
        0.0,
    );
    for name in [
        "system.cpu.time",
        "system.network.io",
        "system.network.connections",
        "system.paging.faults",
        "system.processes.count",
        "system.processes.created",
    ] {
        assert!(
            seen[name].points.iter().any(|(_, value)| *value > 0.0),
            "{name}"
        );
    }
}

#[tokio::test]
async fn sums_start_when_the_host_was_started_and_gauges_do_not() {
    let seen = decode(&scrape(&config(FIXTURE, everything())).await);
    let boot = stat::parse_totals(include_str!("fixtures/debian_12_kvm/proc/stat"))
        .boot_unix_s
        .unwrap();
    for (name, metric) in seen {
        let start = if metric.kind.starts_with('G') {
            0
        } else {
            boot * SECOND
        };
        assert!(metric.starts.iter().all(|s| *s == start), "{name}");
    }
}

#[tokio::test]
async fn processors_are_added_up_unless_their_attribute_is_asked_for() {
    let whole = decode(&scrape(&config(FIXTURE, all_scrapers())).await);
    let time = &whole["system.cpu.time"];
    assert_eq!(time.points.len(), 8);
    let scrapers = serde_json::json!({"cpu": {"metrics": {
        "system.cpu.time": {"attributes": ["cpu", "state"]},
        "system.cpu.logical.count": {"enabled": false},
    }}});
    let single = decode(&scrape(&config(FIXTURE, scrapers)).await);
    assert_eq!(single.len(), 1);
    let by_cpu = &single["system.cpu.time"];
    assert_eq!((by_cpu.points.len(), &*by_cpu.keys), (16, "cpu state"));
    for (attributes, value) in &time.points {
        let parts: f64 = by_cpu
            .points
            .iter()
            .filter(|(own, _)| own["state"] == attributes["state"])
            .map(|(_, value)| value)
            .sum();
        assert!((parts - value).abs() < 1e-6, "{attributes:?}");
    }
}

#[tokio::test]
async fn a_strategy_decides_how_points_are_merged() {
    // In KiB: 1024 used and 998396 free on the first device, 0 used and 1024 free on the second.
    for (strategy, kibibytes) in [
        ("sum", 999_420 + 1_024),
        ("avg", (999_420 + 1_024) / 4),
        ("min", 0),
        ("max", 998_396),
    ] {
        let scrapers = serde_json::json!({"paging": {"metrics": {
            "system.paging.usage": {"attributes": [], "aggregation_strategy": strategy},
            "system.paging.faults": {"enabled": false},
            "system.paging.operations": {"enabled": false},
        }}});
        let seen = decode(&scrape(&config(FIXTURE, scrapers)).await);
        let expected = f64::from(kibibytes) * 1024.0;
        let usage = &seen["system.paging.usage"];
        assert_eq!(usage.points, [(BTreeMap::new(), expected)], "{strategy}");
    }
}

#[tokio::test]
async fn utilizations_are_shares_of_the_time_between_scrapes() {
    let folder = tempfile::tempdir().unwrap();
    let proc = folder.path().join("proc");
    std::fs::create_dir(&proc).unwrap();
    let scrapers = serde_json::json!({"cpu": {"metrics": {
        "system.cpu.utilization": {"enabled": true},
        "system.cpu.time": {"enabled": false},
        "system.cpu.logical.count": {"enabled": true},
    }}});
    let config = config(folder.path().to_str().unwrap(), scrapers);
    let mut host = HostMetrics::new(&config).unwrap();
    // Ten seconds in which cpu0 was busy for eight seconds and cpu1 idle.
    for (at_s, cpu0, cpu1) in [
        (10, "0 0 0 0", "0 0 0 0"),
        (20, "600 0 200 200", "0 0 0 1000"),
    ] {
        std::fs::write(proc.join("stat"), format!("cpu0 {cpu0}\ncpu1 {cpu1}\n")).unwrap();
        let seen = decode(&host.scrape(at_s * SECOND).await.unwrap());
        let Some(utilization) = seen.get("system.cpu.utilization") else {
            assert_eq!(at_s, 10, "the first scrape has nothing to compare with");
            continue;
        };
        let shares: BTreeMap<&str, f64> = utilization
            .points
            .iter()
            .map(|(attributes, value)| (&*attributes["state"], *value))
            .collect();
        assert_eq!(shares["user"], 0.3);
        assert_eq!(shares["system"], 0.1);
        assert_eq!(shares["idle"], 0.6);
        assert_eq!(shares["wait"], 0.0);
    }
}

#[tokio::test]
async fn the_load_can_be_divided_by_the_processors() {
    let scrapers = |cpu_average| serde_json::json!({"load": {"cpu_average": cpu_average}});
    let whole = decode(&scrape(&config(FIXTURE, scrapers(false))).await);
    let each = decode(&scrape(&config(FIXTURE, scrapers(true))).await);
    for (name, metric) in whole {
        assert_eq!(metric.points[0].1 / 2.0, each[&name].points[0].1, "{name}");
    }
}

#[tokio::test]
async fn filters_choose_devices_interfaces_and_file_systems() {
    let scrapers = serde_json::json!({
        "disk": {"include": {"devices": ["vda"], "match_type": "strict"}},
        "network": {"exclude": {"interfaces": ["^ifb", "lo"], "match_type": "regexp"}},
        "filesystem": {
            "include_virtual_filesystems": true,
            "exclude_mount_points": {"mount_points": ["^/(dev|proc|mnt|srv|var)"], "match_type": "regexp"},
        },
    });
    let seen = decode(&scrape(&config(FIXTURE, scrapers)).await);
    for (metric, attribute, expected) in [
        ("system.disk.io", "device", "vda"),
        ("system.network.io", "device", "eth0"),
        ("system.filesystem.usage", "mountpoint", "/"),
    ] {
        for (attributes, _) in &seen[metric].points {
            assert_eq!(attributes[attribute], expected, "{metric}");
        }
    }
}

/// Scenario: some files are not there, one is garbage.
/// Guarantees: what can be read is delivered; what is broken is told, what is absent is not.
#[tokio::test]
async fn one_broken_file_does_not_hold_up_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let proc = folder.path().join("proc");
    std::fs::create_dir(&proc).unwrap();
    std::fs::write(proc.join("uptime"), "12.5 3\n").unwrap();
    std::fs::write(proc.join("loadavg"), b"\xff\xfe\0garbage").unwrap();
    let config = config(folder.path().to_str().unwrap(), all_scrapers());
    let mut host = HostMetrics::new(&config).unwrap();
    let scraped = host.scrape(SECOND).await.unwrap();
    let seen = decode(&scraped);
    assert_eq!(seen.keys().collect::<Vec<_>>(), ["system.uptime"]);
    assert_eq!(seen["system.uptime"].points[0].1, 12.5);
    let told: Vec<String> = scraped.partial.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("/proc/loadavg"), "{told:?}");
}

#[tokio::test]
async fn a_host_with_nothing_to_read_is_absent() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path().to_str().unwrap(), all_scrapers());
    let mut host = HostMetrics::new(&config).unwrap();
    for _ in 0..2 {
        let error = host.scrape(SECOND).await.unwrap_err();
        assert!(matches!(error, ScrapeError::Absent(_)), "{error:?}");
    }
}

#[tokio::test]
async fn a_scrape_that_hangs_is_told_by_the_next_one() {
    let config = config(FIXTURE, all_scrapers());
    let mut host = HostMetrics::new(&config).unwrap();
    let held = Arc::clone(&host.host);
    let (locked, is_locked) = std::sync::mpsc::channel();
    let (release, is_released) = std::sync::mpsc::channel::<()>();
    let hung = std::thread::spawn(move || {
        let _guard = held.lock().unwrap();
        locked.send(()).unwrap();
        is_released.recv().unwrap();
    });
    is_locked.recv().unwrap();
    let error = host.scrape(SECOND).await.unwrap_err();
    assert!(matches!(error, ScrapeError::Unreachable(_)), "{error:?}");
    release.send(()).unwrap();
    hung.join().unwrap();
    assert!(host.scrape(SECOND).await.is_ok());
}

#[test]
fn mistakes_are_told_with_their_key() {
    for (scrapers, key_path, hint) in [
        (serde_json::json!({}), "scrapers", "add for example cpu:"),
        (
            serde_json::json!({"process": {"mute_process_all_errors": true}}),
            "scrapers::process",
            "remove it; processes:",
        ),
        (
            serde_json::json!({"cpu": {"metrics": {"system.cpu.tiem": {}}}}),
            "scrapers::cpu::metrics::system.cpu.tiem",
            "did you mean `system.cpu.time`?",
        ),
        (
            serde_json::json!({"cpu": {"metrics": {"system.cpu.time": {"attributes": ["core"]}}}}),
            "scrapers::cpu::metrics::system.cpu.time::attributes",
            "its attributes are: state, cpu",
        ),
        (
            serde_json::json!({"disk": {"include": {"devices": ["sda"]}}}),
            "scrapers::disk::include",
            "add match_type: strict",
        ),
    ] {
        let problem = config("", scrapers).check().unwrap_err();
        assert_eq!(problem.key_path, key_path);
        assert!(problem.hint.starts_with(hint), "{problem:?}");
    }
}

#[test]
fn the_schedule_is_upstreams() {
    let schedule = Config::default().schedule();
    assert_eq!(schedule.interval, Duration::from_secs(60));
    assert_eq!(schedule.initial_delay, Duration::from_secs(1));
    assert_eq!(schedule.timeout, None);
}

#[test]
fn each_metric_belongs_to_one_scraper_and_is_in_the_table() {
    let scrapers = everything();
    let mut names: Vec<&str> = scrapers
        .as_object()
        .unwrap()
        .values()
        .flat_map(|scraper| scraper["metrics"].as_object().unwrap().keys())
        .map(String::as_str)
        .collect();
    names.sort_unstable();
    let table: Vec<&str> = METRICS
        .trim()
        .lines()
        .map(|row| row.split('|').next().unwrap().trim())
        .collect();
    assert_eq!(names, table);
}
