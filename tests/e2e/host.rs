//! Our reading of the host beside node_exporter's.

use std::collections::BTreeMap;
use std::time::Duration;

use tests::client::Http;
use tests::wait::{eventually, holds};

use crate::peers::NodeExporter;

const SCRAPED_WITHIN: Duration = Duration::from_secs(30);

/// How far apart two readings of free memory may be that are a second apart: the tests themselves
/// take and release memory meanwhile.
const MEMORY_TOLERANCE_BYTES: f64 = 1e9;

/// CPU time is counted in ticks of 10 ms for each core and state.
const CPU_TOLERANCE_SECONDS: f64 = 0.02;

/// CPU states: node_exporter's word, ours.
const CPU_STATES: [(&str, &str); 6] = [
    ("user", "user"),
    ("system", "system"),
    ("idle", "idle"),
    ("nice", "nice"),
    ("softirq", "softirq"),
    ("irq", "interrupt"),
];

/// Metrics that only grow, for each device: node_exporter's name, ours, our direction.
const COUNTERS: [(&str, &str, &str); 8] = [
    (
        "node_disk_read_bytes_total",
        "system_disk_io_bytes_total",
        "read",
    ),
    (
        "node_disk_written_bytes_total",
        "system_disk_io_bytes_total",
        "write",
    ),
    (
        "node_disk_reads_completed_total",
        "system_disk_operations_total",
        "read",
    ),
    (
        "node_disk_writes_completed_total",
        "system_disk_operations_total",
        "write",
    ),
    (
        "node_network_receive_bytes_total",
        "system_network_io_bytes_total",
        "receive",
    ),
    (
        "node_network_transmit_bytes_total",
        "system_network_io_bytes_total",
        "transmit",
    ),
    (
        "node_network_receive_packets_total",
        "system_network_packets_total",
        "receive",
    ),
    (
        "node_network_transmit_packets_total",
        "system_network_packets_total",
        "transmit",
    ),
];

/// Compares the Prometheus endpoint `ours` with `node`.
pub(crate) async fn agree(node: &NodeExporter, ours: &str) {
    let before = Exposition::read(&node.metrics().await);
    let ours = scraped_twice(ours).await;
    let after = Exposition::read(&node.metrics().await);
    counters_lie_between(&before, &ours, &after);
    cpu_time_lies_between(&before, &ours, &after);
    memory_agrees(&ours, &after);
    filesystems_agree(&ours, &after);
}

/// Waits until the host has been scraped anew, twice: then all of it is younger than the call.
async fn scraped_twice(url: &str) -> Exposition {
    // The time of all states grows whatever the machine does; that of one need not.
    let mut last = None;
    let mut changes = 0;
    eventually(SCRAPED_WITHIN, "two scrapes of the host", async || {
        let (_, text) = Http::default().get(url).await?;
        let exposition = Exposition::read(&text);
        let now = exposition.sum("system_cpu_time_seconds_total", &[]);
        let now = now.map(f64::to_bits);
        if now.is_some() && now != last {
            last = now;
            changes += 1;
        }
        holds(changes > 2, format!("{changes} scrapes")).map(|()| exposition)
    })
    .await
}

fn counters_lie_between(before: &Exposition, ours: &Exposition, after: &Exposition) {
    for (theirs, name, direction) in COUNTERS {
        let devices = after.values_of(theirs, "device");
        let mut compared = 0;
        for device in devices {
            let labels = [("device", device.as_str()), ("direction", direction)];
            let Some(value) = ours.sum(name, &labels) else {
                continue;
            };
            let device = [("device", device.as_str())];
            let low = before.sum(theirs, &device).expect("read before");
            let high = after.sum(theirs, &device).expect("read after");
            assert!(
                low <= value && value <= high,
                "{name} {labels:?}: {value} is not within {low}..={high}"
            );
            compared += 1;
        }
        assert!(compared > 0, "{theirs} and {name} have no device in common");
    }
}

fn cpu_time_lies_between(before: &Exposition, ours: &Exposition, after: &Exposition) {
    for (mode, state) in CPU_STATES {
        let mode = [("mode", mode)];
        let low = before
            .sum("node_cpu_seconds_total", &mode)
            .expect("read before");
        let high = after
            .sum("node_cpu_seconds_total", &mode)
            .expect("read after");
        let value = ours
            .sum("system_cpu_time_seconds_total", &[("state", state)])
            .unwrap_or_else(|| panic!("no CPU time in state {state}"));
        assert!(
            low - CPU_TOLERANCE_SECONDS <= value && value <= high + CPU_TOLERANCE_SECONDS,
            "CPU time {state}: {value} is not within {low}..={high}"
        );
    }
}

fn memory_agrees(ours: &Exposition, node: &Exposition) {
    let total = node.sum("node_memory_MemTotal_bytes", &[]);
    assert_eq!(ours.sum("system_memory_limit_bytes", &[]), total);
    let near = |name: &str, labels: &[(&str, &str)], theirs: &str| {
        let value = ours.sum(name, labels).expect("ours");
        let expected = node.sum(theirs, &[]).expect("theirs");
        assert!(
            (value - expected).abs() <= MEMORY_TOLERANCE_BYTES,
            "{name} {labels:?}: {value}, {theirs}: {expected}"
        );
    };
    near(
        "system_linux_memory_available_bytes",
        &[],
        "node_memory_MemAvailable_bytes",
    );
    near(
        "system_memory_usage_bytes",
        &[("state", "free")],
        "node_memory_MemFree_bytes",
    );
    near(
        "system_memory_usage_bytes",
        &[("state", "buffered")],
        "node_memory_Buffers_bytes",
    );
}

fn filesystems_agree(ours: &Exposition, node: &Exposition) {
    let mut compared = 0;
    for mount in node.values_of("node_filesystem_size_bytes", "mountpoint") {
        let theirs = node.sum("node_filesystem_size_bytes", &[("mountpoint", &mount)]);
        // Used, free and reserved of one reading add up to the size.
        let size = ours.sum("system_filesystem_usage_bytes", &[("mountpoint", &mount)]);
        if size.is_some() {
            assert_eq!(size, theirs, "size of {mount}");
            compared += 1;
        }
    }
    assert!(compared > 0, "no mount point in common");
}

/// The samples of a page in Prometheus' text format.
struct Exposition(Vec<(String, BTreeMap<String, String>, f64)>);

impl Exposition {
    fn read(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        Self(lines.filter_map(sample).collect())
    }

    /// The sum of all samples of a metric that carry these labels; `None` when there is none.
    fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let samples = self.0.iter().filter(|(of, have, _)| {
            of == name
                && labels
                    .iter()
                    .all(|(label, value)| have.get(*label).is_some_and(|have| have == value))
        });
        samples.map(|(_, _, value)| *value).reduce(|a, b| a + b)
    }

    /// The different values of one label of a metric.
    fn values_of(&self, name: &str, label: &str) -> Vec<String> {
        let samples = self.0.iter().filter(|(of, ..)| of == name);
        let mut values: Vec<_> = samples
            .filter_map(|(_, labels, _)| labels.get(label).cloned())
            .collect();
        values.sort_unstable();
        values.dedup();
        values
    }
}

/// One line of the text format. Label values with escapes do not occur on a test machine.
fn sample(line: &str) -> Option<(String, BTreeMap<String, String>, f64)> {
    let (series, rest) = match line.split_once('}') {
        Some((series, rest)) => (series, rest.trim_start()),
        None => line.split_once(' ')?,
    };
    let value = rest.split(' ').next()?.parse().ok()?;
    let (name, labels) = series.split_once('{').unwrap_or((series, ""));
    let labels = labels
        .split("\",")
        .filter_map(|label| {
            let (key, value) = label.split_once("=\"")?;
            Some((key.to_owned(), value.trim_end_matches('"').to_owned()))
        })
        .collect();
    Some((name.to_owned(), labels, value))
}
