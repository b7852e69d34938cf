//! What this process itself uses.

use pipeline::clock;

/// Limits of the own cgroup as a container sees them, version 2 and 1; `max` is no number.
const CGROUP_LIMITS: [&str; 2] = [
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
];

/// CPU time and memory of this process.
#[derive(Copy, Clone, Debug, PartialEq)]
pub(super) struct Usage {
    /// User and system time in seconds, since the start.
    pub(super) cpu_seconds: f64,
    /// Resident memory in bytes; `None` where the kernel does not tell.
    pub(super) rss_bytes: Option<u64>,
}

/// Memory in bytes that this process may use: the limit of its cgroup, else all of the machine's.
pub(crate) fn memory_limit_bytes() -> u64 {
    let installed = rustix::system::sysinfo();
    let machine = installed.totalram.saturating_mul(installed.mem_unit.into());
    CGROUP_LIMITS
        .iter()
        .filter_map(|path| std::fs::read_to_string(path).ok())
        .filter_map(|text| text.trim().parse().ok())
        .fold(machine, u64::min)
}

/// Asks the kernel. This process is always in its own `/proc`, whatever root a component reads.
pub(super) fn usage() -> Usage {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    Usage {
        cpu_seconds: clock::process_cpu().as_secs_f64(),
        rss_bytes: rss_bytes(&statm, rustix::param::page_size() as u64),
    }
}

/// The second number is resident pages (proc_pid_statm(5)).
fn rss_bytes(statm: &str, page_size_bytes: u64) -> Option<u64> {
    let pages: u64 = statm.split(' ').nth(1)?.trim().parse().ok()?;
    pages.checked_mul(page_size_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_the_second_number_in_pages() {
        assert_eq!(
            rss_bytes("2000 500 300 1 0 100 0\n", 4096),
            Some(500 * 4096)
        );
        for statm in ["", "1", "1 x"] {
            assert_eq!(rss_bytes(statm, 4096), None);
        }
    }

    #[test]
    fn a_process_may_use_some_memory() {
        assert!(memory_limit_bytes() > 1_000_000);
    }

    #[test]
    fn this_process_uses_memory() {
        assert!(usage().rss_bytes.is_some_and(|bytes| bytes > 100_000));
    }
}
