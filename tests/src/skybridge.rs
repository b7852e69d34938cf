//! The program under test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output};
use std::time::Duration;

use rustix::process::Signal;

use crate::client::Http;
use crate::ports::Port;
use crate::process::Process;
use crate::wait::eventually;

/// Longest time from start to ready that a test accepts; a loaded machine is slow, the bench
/// measures the real figure.
const READY_WITHIN: Duration = Duration::from_secs(20);

/// One skybridge with its config, its state directory and its ports, through all of its lives.
#[derive(Debug)]
pub struct Skybridge {
    name: String,
    directory: PathBuf,
    health: Port,
    metrics: Port,
    process: Option<Process>,
    core: Option<usize>,
}

impl Skybridge {
    /// Writes the config and starts the program; returns when it is ready.
    ///
    /// `config` is a whole config file in which `@health` stands for the address of the
    /// `health_check` extension, `@metrics` for the port of the own metrics, and `@state` for a
    /// directory that outlives the process.
    pub async fn start(name: &str, directory: &Path, config: &str) -> Self {
        let mut skybridge = Self::prepare(name, directory, config);
        skybridge.run().await;
        skybridge
    }

    /// As [`Skybridge::start`], on one core.
    pub async fn start_on_core(core: usize, name: &str, directory: &Path, config: &str) -> Self {
        let mut skybridge = Self::prepare(name, directory, config);
        skybridge.core = Some(core);
        skybridge.run().await;
        skybridge
    }

    fn prepare(name: &str, directory: &Path, config: &str) -> Self {
        let directory = directory.join(name);
        let state = directory.join("state");
        fs::create_dir_all(&state).expect("state directory");
        let health = Port::reserve();
        let metrics = Port::reserve();
        let config = config
            .replace("@health", &health.address())
            .replace("@metrics", &metrics.number().to_string())
            .replace("@state", &state.to_string_lossy());
        fs::write(directory.join("config.yaml"), config).expect("config file");
        Self {
            name: name.to_owned(),
            directory,
            health,
            metrics,
            process: None,
            core: None,
        }
    }

    /// Starts the program again after [`Skybridge::kill`]; returns when it is ready.
    ///
    /// # Panics
    /// When it ends, or is not ready in time.
    pub async fn run(&mut self) {
        assert!(self.process.is_none(), "{} already runs", self.name);
        let arguments = ["--config", "config.yaml"];
        let process = match self.core {
            None => Process::start(&self.name, binary(), arguments, &self.directory),
            Some(core) => {
                Process::start_on_core(core, &self.name, binary(), arguments, &self.directory)
            }
        };
        self.process = Some(process);
        let http = Http::default();
        let url = self.health.url("/");
        let name = self.name.clone();
        eventually(READY_WITHIN, &format!("{name} to be ready"), async || {
            if let Some(status) = self.process().exited() {
                panic!("{name} ended with {status} before it was ready");
            }
            match http.get(&url).await {
                Ok((200, _)) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    }

    /// Ends the program as a power cut would, as far as a process can see.
    pub fn kill(&mut self) {
        self.process().kill();
        self.process = None;
    }

    /// Ends the program as a service manager would; returns how it ended.
    ///
    /// # Panics
    /// When it does not end within 20 seconds.
    pub fn terminate(&mut self, signal: Signal) -> ExitStatus {
        let process = self.process();
        process.signal(signal);
        process.wait(Duration::from_secs(20))
    }

    /// What the program says of itself, in Prometheus' text format.
    ///
    /// # Panics
    /// When the endpoint does not answer.
    pub async fn own_metrics(&self) -> String {
        let answer = Http::default().get(&self.metrics.url("/metrics")).await;
        match answer {
            Ok((200, text)) => text,
            other => panic!("own metrics of {}: {other:?}", self.name),
        }
    }

    /// The running process.
    ///
    /// # Panics
    /// When none runs.
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("a running skybridge")
    }

    /// Where the config, the log and the state of this instance are.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

/// Runs a command of the program to its end, in `directory`.
///
/// # Panics
/// When the program cannot be started.
#[must_use]
pub fn command(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(binary())
        .args(arguments)
        .current_dir(directory)
        .env_remove("SKYBRIDGE_BIN")
        .output()
        .expect("a skybridge to run")
}

/// The binary under test: `SKYBRIDGE_BIN`, else the `quick` build beside this test's own build.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("SKYBRIDGE_BIN") {
        return PathBuf::from(path);
    }
    let test = std::env::current_exe().expect("path of the running test");
    let built = test
        .ancestors()
        .map(|folder| folder.join("quick").join("skybridge"))
        .find(|path| path.is_file());
    built.expect("a skybridge binary: run 'cargo build --profile quick -p agent', or name one in SKYBRIDGE_BIN")
}
