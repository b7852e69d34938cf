//! `/proc/stat`: processor time, the time of boot, processes created, running and blocked.
//! See proc(5).

use pipeline::ScrapeError;

/// Where the file is, under the root.
pub(super) const FILE: &str = "proc/stat";

/// Clock ticks in a second as user space sees them (`USER_HZ`): 100 on every architecture that
/// this program is built for, whatever the kernel's own tick.
const TICKS_PER_SECOND: f64 = 100.0;

/// Time of one processor in clock ticks. `user` and `nice` hold the time of guests as well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct CpuTicks {
    pub(super) user: u64,
    pub(super) nice: u64,
    pub(super) system: u64,
    pub(super) idle: u64,
    pub(super) wait: u64,
    pub(super) interrupt: u64,
    pub(super) softirq: u64,
    pub(super) steal: u64,
}

/// The counters that are not of one processor. Absent on a kernel or in a container that does not
/// tell them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    /// When the host was started, in seconds since the Unix epoch.
    pub(super) boot_unix_s: Option<u64>,
    /// Processes and threads created since then.
    pub(super) created: Option<u64>,
    /// Tasks that run or could run now.
    pub(super) running: Option<u64>,
    /// Tasks that wait for the disk now.
    pub(super) blocked: Option<u64>,
}

impl CpuTicks {
    /// Ticks by the name of their state.
    pub(super) fn states(&self) -> [(&'static str, u64); 8] {
        [
            ("user", self.user),
            ("system", self.system),
            ("idle", self.idle),
            ("interrupt", self.interrupt),
            ("nice", self.nice),
            ("softirq", self.softirq),
            ("steal", self.steal),
            ("wait", self.wait),
        ]
    }
}

/// Clock ticks as seconds.
pub(super) fn seconds(ticks: u64) -> f64 {
    ticks as f64 / TICKS_PER_SECOND
}

/// The processors that are online, each with its name (`cpu0`), in the order of the file.
pub(super) fn parse_cpus(text: &str) -> Result<Vec<(String, CpuTicks)>, ScrapeError> {
    let mut cpus = Vec::new();
    for line in text.lines() {
        let Some((name, counters)) = line.split_once(' ') else {
            continue;
        };
        if name.len() > 3 && name.starts_with("cpu") {
            let ticks = parse_ticks(counters).ok_or_else(|| {
                ScrapeError::Malformed(format!("/{FILE}: not a cpu line: {line}"))
            })?;
            cpus.push((name.to_owned(), ticks));
        }
    }
    if cpus.is_empty() {
        return Err(ScrapeError::Malformed(format!(
            "/{FILE} lists no processor"
        )));
    }
    Ok(cpus)
}

/// The counters of one line. Kernels before 2.6 know only the first four states, before 2.6.11 no
/// steal: what is missing is 0.
fn parse_ticks(counters: &str) -> Option<CpuTicks> {
    let mut fields = counters.split_ascii_whitespace().map(str::parse::<u64>);
    let mut required = || fields.next()?.ok();
    let (user, nice, system, idle) = (required()?, required()?, required()?, required()?);
    let mut optional = || fields.next().map_or(Some(0), Result::ok);
    Some(CpuTicks {
        user,
        nice,
        system,
        idle,
        wait: optional()?,
        interrupt: optional()?,
        softirq: optional()?,
        steal: optional()?,
    })
}

/// The counters of the whole host; lines that are not understood are passed over.
pub(super) fn parse_totals(text: &str) -> Totals {
    let mut totals = Totals::default();
    for line in text.lines() {
        let Some((key, value)) = line.split_once(' ') else {
            continue;
        };
        let place = match key {
            "btime" => &mut totals.boot_unix_s,
            "processes" => &mut totals.created,
            "procs_running" => &mut totals.running,
            "procs_blocked" => &mut totals.blocked,
            _ => continue,
        };
        *place = value.trim().parse().ok();
    }
    totals
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORDED: &str = include_str!("fixtures/debian_12_kvm/proc/stat");

    #[test]
    fn a_recorded_file_is_read_whole() {
        let cpus = parse_cpus(RECORDED).unwrap();
        let names: Vec<&str> = cpus.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["cpu0", "cpu1"]);
        let sum = |pick: fn(&CpuTicks) -> u64| cpus.iter().map(|(_, t)| pick(t)).sum::<u64>();
        let first = RECORDED.lines().next().unwrap();
        let whole: Vec<u64> = first
            .split_ascii_whitespace()
            .skip(1)
            .map(|n| n.parse().unwrap())
            .collect();
        // Each processor is rounded on its own.
        for (place, value) in [
            sum(|t| t.user),
            sum(|t| t.nice),
            sum(|t| t.system),
            sum(|t| t.idle),
            sum(|t| t.wait),
            sum(|t| t.interrupt),
            sum(|t| t.softirq),
            sum(|t| t.steal),
        ]
        .into_iter()
        .enumerate()
        {
            assert!(whole[place].abs_diff(value) <= 2, "column {place}");
        }
    }

    #[test]
    fn totals_of_a_recorded_file() {
        let totals = parse_totals(RECORDED);
        assert!(totals.boot_unix_s.unwrap() > 1_700_000_000);
        assert!(totals.created.unwrap() > 0);
        assert!(totals.running.unwrap() > 0);
        assert_eq!(totals.blocked, Some(0));
    }

    #[test]
    fn kernels_differ_in_how_many_states_they_count() {
        let oldest = parse_cpus("cpu 1 2 3 4\ncpu0 1 2 3 4\n").unwrap();
        assert_eq!(
            oldest[0].1,
            CpuTicks {
                user: 1,
                nice: 2,
                system: 3,
                idle: 4,
                ..CpuTicks::default()
            }
        );
        let newest = parse_cpus("cpu7 1 2 3 4 5 6 7 8 9 10 11\n").unwrap();
        assert_eq!(newest[0].0, "cpu7");
        assert_eq!(newest[0].1.steal, 8);
    }

    #[test]
    fn garbage_is_malformed_and_never_a_panic() {
        for text in [
            "",
            "cpu 1 2 3 4\n",
            "cpu0\n",
            "cpu0 1 2 3\n",
            "cpu0 a b c d\n",
            "cpu0 1 2 3 4 x\n",
            "\0\0\0",
            "cpu0 99999999999999999999999 1 1 1",
        ] {
            assert!(
                matches!(parse_cpus(text), Err(ScrapeError::Malformed(_))),
                "{text}"
            );
            assert_eq!(parse_totals(text), Totals::default());
        }
        assert_eq!(parse_totals("btime x\nprocesses -1\n"), Totals::default());
    }
}
