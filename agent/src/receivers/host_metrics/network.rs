//! Traffic of network interfaces, TCP connections by state, and the connection tracking table.

use pipeline::ScrapeError;
use serde::{Deserialize, Serialize};

use super::filter::{Filter, MatchType, Names};
use super::metric::{Emitter, Kind, Metric, MetricsConfig};
use super::root::Root;
use crate::config::Problem;

/// Relative to a process, since each network name space has its own.
const INTERFACES_FILE: &str = "net/dev";
const TCP_FILES: [&str; 2] = ["net/tcp", "net/tcp6"];
const CONNTRACK_COUNT_FILE: &str = "proc/sys/net/netfilter/nf_conntrack_count";
const CONNTRACK_MAX_FILE: &str = "proc/sys/net/netfilter/nf_conntrack_max";

/// What is reported of the network.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Only these interfaces; all when empty.
    pub(crate) include: Interfaces,
    /// Not these interfaces.
    pub(crate) exclude: Interfaces,
    /// Switches single metrics on or off.
    pub(crate) metrics: MetricsConfig,
}

/// Interfaces by name, such as `eth0`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Interfaces {
    /// Names or regular expressions.
    pub(crate) interfaces: Vec<String>,
    /// How they are compared: `strict` or `regexp`.
    pub(crate) match_type: Option<MatchType>,
}

const IO: Metric = traffic("system.network.io", "By", "Bytes received and transmitted");
const PACKETS: Metric = traffic(
    "system.network.packets",
    "{packets}",
    "Packets received and transmitted",
);
const ERRORS: Metric = traffic(
    "system.network.errors",
    "{errors}",
    "Errors while receiving and transmitting",
);
const DROPPED: Metric = traffic(
    "system.network.dropped",
    "{packets}",
    "Packets dropped while receiving and transmitting",
);
const CONNECTIONS: Metric = Metric {
    name: "system.network.connections",
    unit: "{connections}",
    description: "TCP sockets by state",
    kind: Kind::UpDownCounter,
    attributes: &["protocol", "state"],
    attributes_opt_in: &[],
    is_default: true,
};
const CONNTRACK_COUNT: Metric = conntrack(
    "system.network.conntrack.count",
    "Entries in the connection tracking table",
);
const CONNTRACK_MAX: Metric = conntrack(
    "system.network.conntrack.max",
    "Entries that the connection tracking table can hold",
);

const fn traffic(name: &'static str, unit: &'static str, description: &'static str) -> Metric {
    Metric {
        name,
        unit,
        description,
        kind: Kind::Counter,
        attributes: &["device", "direction"],
        attributes_opt_in: &[],
        is_default: true,
    }
}

const fn conntrack(name: &'static str, description: &'static str) -> Metric {
    Metric {
        name,
        unit: "{entries}",
        description,
        kind: Kind::UpDownCounter,
        attributes: &[],
        attributes_opt_in: &[],
        is_default: false,
    }
}

/// All metrics of this scraper.
pub(super) const METRICS: &[&Metric] = &[
    &IO,
    &PACKETS,
    &ERRORS,
    &DROPPED,
    &CONNECTIONS,
    &CONNTRACK_COUNT,
    &CONNTRACK_MAX,
];

/// Knows which interfaces are reported.
#[derive(Debug)]
pub(super) struct Scraper {
    interfaces: Filter,
}

impl Scraper {
    /// Compiles the filters of the block found at `key_path`.
    pub(super) fn new(key_path: &str, config: &Config) -> Result<Self, Problem> {
        let names = |side: &str, interfaces: &Interfaces| {
            Names::compile(
                &format!("{key_path}::{side}"),
                &interfaces.interfaces,
                interfaces.match_type,
            )
        };
        Ok(Self {
            interfaces: Filter::new(
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
        if emit.wants(&[&IO, &PACKETS, &ERRORS, &DROPPED]) {
            let interfaces = root
                .read_of_process(INTERFACES_FILE)
                .and_then(|text| parse_interfaces(&text));
            match interfaces {
                Ok(interfaces) => self.emit_traffic(&interfaces, emit),
                Err(error) => problems.push(error),
            }
        }
        if emit.wants(&[&CONNECTIONS]) {
            match read_connections(root) {
                Ok(connections) => emit_connections(&connections, emit),
                Err(error) => problems.push(error),
            }
        }
        for (metric, file) in [
            (&CONNTRACK_COUNT, CONNTRACK_COUNT_FILE),
            (&CONNTRACK_MAX, CONNTRACK_MAX_FILE),
        ] {
            if emit.wants(&[metric]) {
                match root.read(file).and_then(|text| parse_number(file, &text)) {
                    Ok(entries) => emit.emit(metric, |points| points.int(&[], entries)),
                    Err(error) => problems.push(error),
                }
            }
        }
    }

    fn emit_traffic(&self, interfaces: &[Interface], emit: &mut Emitter<'_>) {
        let taken: Vec<&Interface> = interfaces
            .iter()
            .filter(|interface| self.interfaces.takes(&interface.name))
            .collect();
        for (metric, pick) in [
            (&IO, (|d| d.bytes) as fn(&Direction) -> u64),
            (&PACKETS, |d| d.packets),
            (&ERRORS, |d| d.errors),
            (&DROPPED, |d| d.dropped),
        ] {
            emit.emit(metric, |points| {
                for interface in &taken {
                    for (name, direction) in [
                        ("transmit", &interface.transmit),
                        ("receive", &interface.receive),
                    ] {
                        points.int(
                            &[("device", &interface.name), ("direction", name)],
                            pick(direction),
                        );
                    }
                }
            });
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Interface {
    name: String,
    receive: Direction,
    transmit: Direction,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Direction {
    bytes: u64,
    packets: u64,
    errors: u64,
    dropped: u64,
}

/// Reads `net/dev`: two lines of headings, then `name: ` and eight counters for each direction.
fn parse_interfaces(text: &str) -> Result<Vec<Interface>, ScrapeError> {
    let mut interfaces = Vec::new();
    for line in text.lines().filter(|line| !line.contains('|')) {
        if line.trim().is_empty() {
            continue;
        }
        interfaces.push(parse_interface(line).ok_or_else(|| {
            ScrapeError::Malformed(format!(
                "{INTERFACES_FILE}: not an interface: {}",
                line.trim()
            ))
        })?);
    }
    Ok(interfaces)
}

/// The name may hold a colon itself (an alias such as `eth0:1`), and a wide counter may follow
/// the last colon without a space.
fn parse_interface(line: &str) -> Option<Interface> {
    let (name, counters) = line.rsplit_once(':')?;
    let counters: Vec<u64> = counters
        .split_ascii_whitespace()
        .map(|counter| counter.parse().ok())
        .collect::<Option<_>>()?;
    let direction = |from: usize| {
        Some(Direction {
            bytes: *counters.get(from)?,
            packets: *counters.get(from + 1)?,
            errors: *counters.get(from + 2)?,
            dropped: *counters.get(from + 3)?,
        })
    };
    Some(Interface {
        name: name.trim().to_owned(),
        receive: direction(0)?,
        transmit: direction(8)?,
    })
}

/// TCP sockets counted by the kernel's number of their state, 1 to 12.
#[derive(Debug, Default, PartialEq, Eq)]
struct Connections {
    by_state: [u64; 13],
}

/// Names as they are reported, with the kernel's numbers (`include/net/tcp_states.h`) that each
/// counts. DELETE is a state of the TCP MIB that no kernel reports; it stands for sameness.
const TCP_STATES: [(&str, &[usize]); 12] = [
    ("CLOSE_WAIT", &[8]),
    ("CLOSE", &[7]),
    ("CLOSING", &[11]),
    ("DELETE", &[]),
    ("ESTABLISHED", &[1]),
    ("FIN_WAIT_1", &[4]),
    ("FIN_WAIT_2", &[5]),
    ("LAST_ACK", &[9]),
    ("LISTEN", &[10]),
    ("SYN_SENT", &[2]),
    ("SYN_RECV", &[3, 12]),
    ("TIME_WAIT", &[6]),
];

impl Connections {
    /// Counts one line of `net/tcp` or `net/tcp6`; the heading counts nothing.
    fn count(&mut self, line: &str) {
        let state = line
            .split_ascii_whitespace()
            .nth(3)
            .and_then(|hex| usize::from_str_radix(hex, 16).ok());
        if let Some(count) = state.and_then(|state| self.by_state.get_mut(state)) {
            *count += 1;
        }
    }

    fn of(&self, states: &[usize]) -> u64 {
        states
            .iter()
            .filter_map(|state| self.by_state.get(*state))
            .sum()
    }
}

/// A host without IPv6 has only the first of the two files.
fn read_connections(root: &Root) -> Result<Connections, ScrapeError> {
    let mut connections = Connections::default();
    let [v4, v6] = TCP_FILES;
    root.lines_of_process(v4, |line| connections.count(line))?;
    match root.lines_of_process(v6, |line| connections.count(line)) {
        Ok(()) | Err(ScrapeError::Absent(_)) => Ok(connections),
        Err(error) => Err(error),
    }
}

fn emit_connections(connections: &Connections, emit: &mut Emitter<'_>) {
    emit.emit(&CONNECTIONS, |points| {
        for (name, numbers) in TCP_STATES {
            points.int(
                &[("protocol", "tcp"), ("state", name)],
                connections.of(numbers),
            );
        }
    });
}

fn parse_number(file: &str, text: &str) -> Result<u64, ScrapeError> {
    text.trim().parse().map_err(|_| {
        ScrapeError::Malformed(format!(
            "/{file}: a number expected, found: {}",
            text.trim()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_file_lists_every_interface() {
        let text = include_str!("fixtures/debian_12_kvm/proc/self/net/dev");
        let interfaces = parse_interfaces(text).unwrap();
        let names: Vec<&str> = interfaces.iter().map(|i| i.name.as_str()).collect();
        assert_eq!(names, ["lo", "ifb0", "ifb1", "eth0"]);
        assert_eq!(interfaces[0].receive, interfaces[0].transmit);
        assert!(interfaces[3].receive.bytes > interfaces[3].transmit.bytes);
    }

    #[test]
    fn counters_may_touch_the_name_and_names_may_hold_a_colon() {
        for (line, name) in [
            ("eth0:1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16", "eth0"),
            ("  eth0:1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16", "eth0:1"),
        ] {
            let interfaces = parse_interfaces(line).unwrap();
            assert_eq!(
                interfaces,
                [Interface {
                    name: name.to_owned(),
                    receive: Direction {
                        bytes: 1,
                        packets: 2,
                        errors: 3,
                        dropped: 4
                    },
                    transmit: Direction {
                        bytes: 9,
                        packets: 10,
                        errors: 11,
                        dropped: 12
                    },
                }]
            );
        }
    }

    #[test]
    fn garbage_is_malformed() {
        for text in ["eth0", "eth0: 1 2 3", "eth0: a b", "\u{fffd}"] {
            assert!(
                matches!(parse_interfaces(text), Err(ScrapeError::Malformed(_))),
                "{text}"
            );
        }
        assert!(parse_number("f", "many").is_err());
        assert_eq!(parse_interfaces("").unwrap(), []);
    }

    #[test]
    fn sockets_are_counted_by_state() {
        let mut connections = Connections::default();
        for file in [
            include_str!("fixtures/debian_12_kvm/proc/self/net/tcp"),
            include_str!("fixtures/debian_12_kvm/proc/self/net/tcp6"),
        ] {
            file.lines().for_each(|line| connections.count(line));
        }
        let counts: Vec<(&str, u64)> = TCP_STATES
            .iter()
            .map(|(name, numbers)| (*name, connections.of(numbers)))
            .filter(|(_, count)| *count > 0)
            .collect();
        assert_eq!(
            counts,
            [
                ("ESTABLISHED", 2),
                ("FIN_WAIT_2", 1),
                ("LISTEN", 2),
                ("SYN_RECV", 2),
                ("TIME_WAIT", 1),
            ]
        );
    }

    #[test]
    fn lines_that_are_no_sockets_count_nothing() {
        let mut connections = Connections::default();
        for line in [
            "",
            "  sl  local_address rem_address   st",
            "0: a b FF",
            "0: a b 0D",
            "x",
        ] {
            connections.count(line);
        }
        assert_eq!(connections, Connections::default());
    }
}
