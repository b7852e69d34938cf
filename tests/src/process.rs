//! A guard around a real process: its own session, its output in a file, and its certain end.
//!
//! Processes carry on when their parent is killed, and this workspace forbids the unsafe call that
//! would tie them to it. Each guard therefore leaves a file that names the process and its owner,
//! and the first guard of a later run ends what a killed run has left behind.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Once;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Last bytes of a process's output that a failed test prints.
const LOG_TAIL_BYTES: usize = 8 * 1024;

/// A running process that does not outlive its guard.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    record: PathBuf,
}

impl Process {
    /// Starts `program` in a session of its own; standard output and error go to `<name>.log` in
    /// `directory`, appended, so that one log tells all lives of a process that is restarted.
    ///
    /// # Panics
    /// When the process cannot be started.
    pub fn start<S: AsRef<OsStr>>(
        name: &str,
        program: impl AsRef<OsStr>,
        arguments: impl IntoIterator<Item = S>,
        directory: &Path,
    ) -> Self {
        let mut command = Command::new("setsid");
        command.arg(program).args(arguments);
        Self::spawn(name, command, directory)
    }

    /// As [`Process::start`], on one core: the bench keeps program and load apart.
    ///
    /// # Panics
    /// When the process cannot be started.
    pub fn start_on_core<S: AsRef<OsStr>>(
        core: usize,
        name: &str,
        program: impl AsRef<OsStr>,
        arguments: impl IntoIterator<Item = S>,
        directory: &Path,
    ) -> Self {
        let mut command = Command::new("setsid");
        command.args(["taskset", "-c", &core.to_string()]);
        command.arg(program).args(arguments);
        Self::spawn(name, command, directory)
    }

    fn spawn(name: &str, mut command: Command, directory: &Path) -> Self {
        static SWEEP: Once = Once::new();
        SWEEP.call_once(end_what_killed_runs_left);
        let log = directory.join(format!("{name}.log"));
        let output = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .expect("log file of a process");
        let child = command
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("second handle of a log"))
            .stderr(output)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name} ({command:?}): {error}"));
        let record = record_directory().join(child.id().to_string());
        let start_time = start_time(child.id()).unwrap_or_default();
        fs::write(&record, format!("{} {start_time}", std::process::id())).expect("process record");
        Self {
            name: name.to_owned(),
            child,
            log,
            record,
        }
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What the process has printed so far.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Whether the process has ended, and how.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("state of a child")
    }

    /// Ends the process and everything in its session with SIGKILL.
    pub fn kill(&mut self) {
        // Once it has been waited for, its id may be somebody else's; its session's is not.
        let leader_is_ours = self.exited().is_none();
        kill_session(self.child.id(), leader_is_ours);
        let _ = self.child.wait();
    }

    /// Sends one signal to the process.
    ///
    /// # Panics
    /// When the process is gone.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal)
            .unwrap_or_else(|error| panic!("cannot signal {}: {error}", self.name));
    }

    /// Waits for the process to end by itself.
    ///
    /// # Panics
    /// When it still runs after `within`.
    pub fn wait(&mut self, within: Duration) -> ExitStatus {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.exited() {
                return status;
            }
            assert!(
                Instant::now() < deadline,
                "{} still runs after {within:?}",
                self.name
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_file(&self.record);
        if std::thread::panicking() {
            let log = self.log();
            let tail = log.len().saturating_sub(LOG_TAIL_BYTES);
            let tail = log.ceil_char_boundary(tail);
            eprintln!("--- {} printed ---\n{}", self.name, &log[tail..]);
        }
    }
}

fn record_directory() -> PathBuf {
    let directory = std::env::temp_dir()
        .join("skybridge-tests")
        .join("processes");
    fs::create_dir_all(&directory).expect("directory for process records");
    directory
}

/// Ends processes whose owner is gone. The start time guards against a process id that has been
/// given to somebody else since.
fn end_what_killed_runs_left() {
    for entry in fs::read_dir(record_directory())
        .into_iter()
        .flatten()
        .flatten()
    {
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        let Some((owner, recorded_start)) = text.split_once(' ') else {
            continue;
        };
        if owner.parse().is_ok_and(|owner| start_time(owner).is_some()) {
            continue;
        }
        let id = entry.file_name().to_string_lossy().parse().unwrap_or(0);
        if start_time(id).is_some_and(|start| start == recorded_start) {
            kill_session(id, true);
        }
        let _ = fs::remove_file(entry.path());
    }
}

/// Ends a process and all that it started, in whatever groups: what is in the session it leads.
fn kill_session(leader: u32, with_leader: bool) {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_string_lossy().parse().ok());
    let members = ids.filter(|&id: &u32| {
        if id == leader {
            // It may not have come to `setsid` yet.
            return with_leader;
        }
        stat_field(id, 6).is_some_and(|session| session == leader.to_string())
    });
    for id in members {
        if let Some(pid) = i32::try_from(id).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// Clock ticks from boot to the start of the process.
fn start_time(id: u32) -> Option<String> {
    stat_field(id, 22)
}

/// A field of `/proc/<id>/stat`, counted from one as in proc(5), from the third on.
fn stat_field(id: u32, number: usize) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let after_name = stat.rsplit_once(')')?.1;
    let field = after_name.split_whitespace().nth(number - 3);
    field.map(str::to_owned)
}
