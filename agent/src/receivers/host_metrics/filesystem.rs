//! Space and inodes of mounted file systems.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use pipeline::ScrapeError;
use serde::{Deserialize, Serialize};

use super::filter::{Filter, MatchType, Names};
use super::metric::{Emitter, Kind, Metric, MetricsConfig};
use super::root::{self, Root, unescape};
use crate::config::Problem;

/// Relative to a process, since each mount name space has its own.
const MOUNTS_FILE: &str = "mountinfo";
const TYPES_FILE: &str = "proc/filesystems";

/// How long one file system may take to answer. A server that is gone (NFS, a hung FUSE daemon)
/// keeps the question for ever; the others must not wait for it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// What is reported of file systems.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Also those without a block device: tmpfs, overlay, NFS and other network file systems.
    pub(crate) include_virtual_filesystems: bool,
    /// Only these devices; all when empty.
    pub(crate) include_devices: Devices,
    /// Not these devices.
    pub(crate) exclude_devices: Devices,
    /// Only these types; all when empty.
    pub(crate) include_fs_types: FsTypes,
    /// Not these types.
    pub(crate) exclude_fs_types: FsTypes,
    /// Only these mount points; all when empty.
    pub(crate) include_mount_points: MountPoints,
    /// Not these mount points.
    pub(crate) exclude_mount_points: MountPoints,
    /// Switches single metrics on or off.
    pub(crate) metrics: MetricsConfig,
}

/// Devices, such as `/dev/sda1`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Devices {
    /// Names or regular expressions.
    pub(crate) devices: Vec<String>,
    /// How they are compared: `strict` or `regexp`.
    pub(crate) match_type: Option<MatchType>,
}

/// Types, such as `ext4`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FsTypes {
    /// Names or regular expressions.
    pub(crate) fs_types: Vec<String>,
    /// How they are compared: `strict` or `regexp`.
    pub(crate) match_type: Option<MatchType>,
}

/// Mount points as the host sees them, such as `/var`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct MountPoints {
    /// Paths or regular expressions.
    pub(crate) mount_points: Vec<String>,
    /// How they are compared: `strict` or `regexp`.
    pub(crate) match_type: Option<MatchType>,
}

const USAGE: Metric = Metric {
    name: "system.filesystem.usage",
    unit: "By",
    description: "Space of file systems by whether it is used",
    kind: Kind::UpDownCounter,
    attributes: WITH_STATE,
    attributes_opt_in: &[],
    is_default: true,
};
const INODES_USAGE: Metric = Metric {
    name: "system.filesystem.inodes.usage",
    unit: "{inodes}",
    description: "Inodes of file systems by whether they are used",
    kind: Kind::UpDownCounter,
    attributes: WITH_STATE,
    attributes_opt_in: &[],
    is_default: true,
};
const UTILIZATION: Metric = Metric {
    name: "system.filesystem.utilization",
    unit: "1",
    description: "Used share of the space that is not reserved",
    kind: Kind::Gauge,
    attributes: &["device", "mode", "mountpoint", "type"],
    attributes_opt_in: &[],
    is_default: false,
};
const WITH_STATE: &[&str] = &["device", "mode", "mountpoint", "type", "state"];

/// All metrics of this scraper.
pub(super) const METRICS: &[&Metric] = &[&USAGE, &INODES_USAGE, &UTILIZATION];

/// Knows which file systems are reported, and which of them have not answered yet.
#[derive(Debug)]
pub(super) struct Scraper {
    with_virtual: bool,
    devices: Filter,
    fs_types: Filter,
    mount_points: Filter,
    unanswered: Vec<Unanswered>,
}

/// A question that a thread still waits for.
#[derive(Debug)]
struct Unanswered {
    mount_point: String,
    is_answered: Arc<AtomicBool>,
}

impl Scraper {
    /// Compiles the filters of the block found at `key_path`.
    pub(super) fn new(key_path: &str, config: &Config) -> Result<Self, Problem> {
        let names = |key: &str, names: &[String], match_type| {
            Names::compile(&format!("{key_path}::{key}"), names, match_type)
        };
        let devices = |key, devices: &Devices| names(key, &devices.devices, devices.match_type);
        let types = |key, types: &FsTypes| names(key, &types.fs_types, types.match_type);
        let points =
            |key, points: &MountPoints| names(key, &points.mount_points, points.match_type);
        Ok(Self {
            with_virtual: config.include_virtual_filesystems,
            devices: Filter::new(
                devices("include_devices", &config.include_devices)?,
                devices("exclude_devices", &config.exclude_devices)?,
            ),
            fs_types: Filter::new(
                types("include_fs_types", &config.include_fs_types)?,
                types("exclude_fs_types", &config.exclude_fs_types)?,
            ),
            mount_points: Filter::new(
                points("include_mount_points", &config.include_mount_points)?,
                points("exclude_mount_points", &config.exclude_mount_points)?,
            ),
            unanswered: Vec::new(),
        })
    }

    /// Reads and writes once; what cannot be read goes to `problems`.
    pub(super) fn scrape(
        &mut self,
        root: &Root,
        emit: &mut Emitter<'_>,
        problems: &mut Vec<ScrapeError>,
    ) {
        match self.read_mounts(root) {
            Ok(mounts) => {
                let usages = self.ask(root, mounts, problems);
                write(&usages, emit);
            }
            Err(error) => problems.push(error),
        }
    }

    /// The mounts that are reported.
    fn read_mounts(&self, root: &Root) -> Result<Vec<Mount>, ScrapeError> {
        let mut mounts = parse_mounts(&root.read_of_process(MOUNTS_FILE)?)?;
        if !self.with_virtual {
            let types = parse_types(&root.read(TYPES_FILE)?);
            mounts.retain(|mount| mount.device != "none" && types.contains(&mount.fs_type));
        }
        for mount in &mut mounts {
            mount.device = real_device(root, mount);
        }
        mounts.retain(|mount| {
            self.devices.takes(&mount.device)
                && self.fs_types.takes(&mount.fs_type)
                && self.mount_points.takes(&mount.mount_point)
        });
        Ok(mounts)
    }

    /// Asks each file system in turn. One that does not answer in time is left behind with its
    /// thread, and not asked again until that thread has come back; there is at most one such
    /// thread for each mount.
    fn ask(
        &mut self,
        root: &Root,
        mounts: Vec<Mount>,
        problems: &mut Vec<ScrapeError>,
    ) -> Vec<(Mount, Usage)> {
        self.unanswered
            .retain(|question| !question.is_answered.load(Ordering::Acquire));
        let (waiting, mut mounts): (Vec<Mount>, Vec<Mount>) =
            mounts.into_iter().partition(|mount| self.is_waiting(mount));
        problems.extend(waiting.iter().map(no_answer));
        let mut usages = Vec::new();
        while !mounts.is_empty() {
            let paths = mounts
                .iter()
                .map(|mount| root.resolve(&mount.mount_point))
                .collect();
            let questions = Questions::start(paths, statvfs);
            let mut rest = mounts.into_iter();
            for mount in rest.by_ref() {
                match questions.next_answer(ANSWER_TIMEOUT) {
                    Some(Ok(usage)) => usages.push((mount, usage)),
                    Some(Err(error)) => {
                        let path = root.resolve(&mount.mount_point);
                        problems.push(root::failed("ask the file system at", &path, &error));
                    }
                    None => {
                        problems.push(no_answer(&mount));
                        self.unanswered.push(Unanswered {
                            mount_point: mount.mount_point,
                            is_answered: questions.abandon(),
                        });
                        break;
                    }
                }
            }
            mounts = rest.collect();
        }
        usages
    }

    fn is_waiting(&self, mount: &Mount) -> bool {
        self.unanswered
            .iter()
            .any(|question| question.mount_point == mount.mount_point)
    }
}

fn no_answer(mount: &Mount) -> ScrapeError {
    ScrapeError::Unreachable(format!(
        "the {} file system at {} does not answer; it is left out until it does",
        mount.fs_type, mount.mount_point
    ))
}

/// A thread that asks one file system after the other.
#[derive(Debug)]
struct Questions {
    answers: mpsc::Receiver<io::Result<Usage>>,
    is_finished: Arc<AtomicBool>,
}

impl Questions {
    fn start(paths: Vec<PathBuf>, ask: fn(&Path) -> io::Result<Usage>) -> Self {
        // A full channel would make the thread wait for us; it holds one answer for each path.
        let (sender, answers) = mpsc::sync_channel(paths.len());
        let is_finished = Arc::new(AtomicBool::new(false));
        let finished = Arc::clone(&is_finished);
        std::thread::spawn(move || {
            for path in paths {
                // Nobody listens any more once this file system was given up.
                if sender.send(ask(&path)).is_err() {
                    break;
                }
            }
            finished.store(true, Ordering::Release);
        });
        Self {
            answers,
            is_finished,
        }
    }

    /// The answer for the next path, unless it takes too long.
    fn next_answer(&self, timeout: Duration) -> Option<io::Result<Usage>> {
        self.answers.recv_timeout(timeout).ok()
    }

    /// Leaves the thread alone; the flag is set when it has come back.
    fn abandon(self) -> Arc<AtomicBool> {
        self.is_finished
    }
}

/// A line of the mount table.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mount {
    device: String,
    /// Major and minor number of the device, `8:1`.
    device_number: String,
    mount_point: String,
    fs_type: String,
    mode: &'static str,
}

/// What a file system says of itself; sizes in bytes.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
struct Usage {
    total: u64,
    /// Free for programs without privileges.
    available: u64,
    /// Free for root.
    free: u64,
    inodes: u64,
    inodes_free: u64,
}

impl Usage {
    fn used(&self) -> u64 {
        self.total.saturating_sub(self.free)
    }

    fn reserved(&self) -> u64 {
        self.free.saturating_sub(self.available)
    }
}

/// Reads `mountinfo`, see proc_pid_mountinfo(5). Where several file systems are mounted at one
/// point, the last is the one that is seen there.
fn parse_mounts(text: &str) -> Result<Vec<Mount>, ScrapeError> {
    let mut mounts: Vec<Mount> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let mount = parse_mount(line)
            .ok_or_else(|| ScrapeError::Malformed(format!("{MOUNTS_FILE}: not a mount: {line}")))?;
        mounts.retain(|covered| covered.mount_point != mount.mount_point);
        mounts.push(mount);
    }
    Ok(mounts)
}

/// Mount id, parent id, major:minor, root, mount point, options, optional fields, a dash, then
/// type, source and options of the file system.
fn parse_mount(line: &str) -> Option<Mount> {
    let (mount, file_system) = line.split_once(" - ")?;
    let mut mount = mount.split(' ').skip(2);
    let device_number = mount.next()?.to_owned();
    let mount_point = unescape(mount.nth(1)?);
    let options = mount.next()?;
    let mut file_system = file_system.split(' ');
    let fs_type = unescape(file_system.next()?);
    let device = unescape(file_system.next()?);
    let has = |wanted: &str| options.split(',').any(|option| option == wanted);
    let mode = match (has("rw"), has("ro")) {
        (true, _) => "rw",
        (false, true) => "ro",
        (false, false) => "unknown",
    };
    Some(Mount {
        device,
        device_number,
        mount_point,
        fs_type,
        mode,
    })
}

/// The types that need a block device, and ZFS, which brings its own.
fn parse_types(text: &str) -> BTreeSet<String> {
    text.lines()
        .filter_map(|line| {
            let (flag, name) = line.split_once('\t')?;
            (flag.is_empty() || name == "zfs").then(|| name.trim().to_owned())
        })
        .collect()
}

/// The device as other tables name it: `/dev/dm-0` for a link under `/dev/mapper`, and the device
/// itself for the kernel's `/dev/root`.
fn real_device(root: &Root, mount: &Mount) -> String {
    let real = if mount.device == "/dev/root" {
        root.link_name(&format!("sys/dev/block/{}", mount.device_number))
    } else if mount.device.starts_with("/dev/mapper/") {
        root.link_name(&mount.device)
    } else {
        None
    };
    real.map_or_else(|| mount.device.clone(), |name| format!("/dev/{name}"))
}

fn statvfs(path: &Path) -> io::Result<Usage> {
    let answer = rustix::fs::statvfs(path)?;
    let bytes = |blocks: u64| blocks.saturating_mul(answer.f_frsize);
    Ok(Usage {
        total: bytes(answer.f_blocks),
        available: bytes(answer.f_bavail),
        free: bytes(answer.f_bfree),
        inodes: answer.f_files,
        inodes_free: answer.f_ffree,
    })
}

fn write(usages: &[(Mount, Usage)], emit: &mut Emitter<'_>) {
    emit.emit(&USAGE, |points| {
        for (mount, usage) in usages {
            for (state, bytes) in [
                ("used", usage.used()),
                ("free", usage.available),
                ("reserved", usage.reserved()),
            ] {
                points.int(&with_state(mount, state), bytes);
            }
        }
    });
    emit.emit(&INODES_USAGE, |points| {
        for (mount, usage) in usages {
            let used = usage.inodes.saturating_sub(usage.inodes_free);
            points.int(&with_state(mount, "used"), used);
            points.int(&with_state(mount, "free"), usage.inodes_free);
        }
    });
    emit.emit(&UTILIZATION, |points| {
        for (mount, usage) in usages {
            let usable = usage.used().saturating_add(usage.available);
            if usable > 0 {
                points.double(&attributes(mount), usage.used() as f64 / usable as f64);
            }
        }
    });
}

fn attributes(mount: &Mount) -> [(&'static str, &str); 4] {
    [
        ("device", &mount.device),
        ("mode", mount.mode),
        ("mountpoint", &mount.mount_point),
        ("type", &mount.fs_type),
    ]
}

fn with_state<'m>(mount: &'m Mount, state: &'static str) -> [(&'static str, &'m str); 5] {
    let [device, mode, mount_point, fs_type] = attributes(mount);
    [device, mode, mount_point, fs_type, ("state", state)]
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORDED: &str = include_str!("fixtures/debian_12_kvm/proc/self/mountinfo");
    const TYPES: &str = include_str!("fixtures/debian_12_kvm/proc/filesystems");

    #[test]
    fn mounts_of_a_table_with_all_that_may_be_in_one() {
        let mounts = parse_mounts(RECORDED).unwrap();
        let seen: Vec<[&str; 4]> = mounts
            .iter()
            .map(|m| [&m.device[..], &m.mount_point, &m.fs_type, m.mode])
            .collect();
        assert_eq!(
            seen,
            [
                ["proc", "/proc", "proc", "rw"],
                ["tmpfs", "/dev/shm", "tmpfs", "rw"],
                ["/dev/vda", "/", "ext4", "rw"],
                ["/dev/vda", "/var/lib/bound", "ext4", "ro"],
                ["/dev/mapper/vg-data", "/srv/two words", "xfs", "rw"],
                ["nas:/export", "/mnt/nas", "nfs4", "rw"],
                ["/dev/vdb", "/mnt/covered", "ext4", "rw"],
            ]
        );
    }

    #[test]
    fn only_types_with_a_block_device_are_real() {
        let types = parse_types(TYPES);
        assert!(types.contains("ext4") && types.contains("xfs"));
        assert!(!types.contains("tmpfs") && !types.contains("overlay"));
        assert_eq!(
            parse_types("nodev\tzfs\nnodev\tnfs4\n"),
            ["zfs".to_owned()].into()
        );
        assert_eq!(parse_types("garbage"), BTreeSet::new());
    }

    #[test]
    fn garbage_is_malformed() {
        for text in ["x", "1 2 8:0 / / rw", "1 2 8:0 / / rw - ext4", " - "] {
            assert!(
                matches!(parse_mounts(text), Err(ScrapeError::Malformed(_))),
                "{text}"
            );
        }
    }

    #[test]
    fn used_free_and_reserved_add_up_to_the_size() {
        let usage = statvfs(Path::new("/")).unwrap();
        assert!(usage.total > 0);
        assert_eq!(
            usage.used() + usage.available + usage.reserved(),
            usage.total
        );
    }

    /// Scenario: the second of three file systems hangs, as with an NFS server that is gone.
    /// Guarantees: the first answers, the wait ends, and the thread is known to be still there.
    #[test]
    fn a_file_system_that_hangs_is_left_behind() {
        fn ask(path: &Path) -> io::Result<Usage> {
            while path.ends_with("hangs") && !path.with_file_name("recovered").exists() {
                std::thread::yield_now();
            }
            Ok(Usage::default())
        }
        let folder = tempfile::tempdir().unwrap();
        let paths = ["a", "hangs", "c"].map(|name| folder.path().join(name));
        let questions = Questions::start(paths.to_vec(), ask);
        assert!(questions.next_answer(ANSWER_TIMEOUT).is_some());
        assert!(questions.next_answer(Duration::from_millis(10)).is_none());
        let is_answered = questions.abandon();
        assert!(!is_answered.load(Ordering::Acquire));
        std::fs::write(folder.path().join("recovered"), "").unwrap();
        while !is_answered.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
    }

    #[test]
    fn links_are_followed_to_the_device() {
        let folder = tempfile::tempdir().unwrap();
        let make_link = |at: &str, target: &str| {
            let link = folder.path().join(at);
            std::fs::create_dir_all(link.parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(target, link).unwrap();
        };
        make_link("dev/mapper/vg-data", "../dm-0");
        make_link("sys/dev/block/8:1", "../../devices/virtual/block/sda/sda1");
        let root = Root::new(folder.path().to_str().unwrap());
        for (device, real) in [
            ("/dev/mapper/vg-data", "/dev/dm-0"),
            ("/dev/mapper/vg-gone", "/dev/mapper/vg-gone"),
            ("/dev/root", "/dev/sda1"),
            ("/dev/sdb", "/dev/sdb"),
        ] {
            let mount = Mount {
                device: device.to_owned(),
                device_number: "8:1".to_owned(),
                mount_point: "/".to_owned(),
                fs_type: "ext4".to_owned(),
                mode: "rw",
            };
            assert_eq!(real_device(&root, &mount), real);
        }
    }
}
