//! The two programs that the demo runs: started, watched, and stopped in order.

use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use pipeline::Fatal;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use super::{Settings, summary};

/// Configs as they are in the repository, inside the program so that the demo needs no files.
const AGENT: &str = include_str!("../../../../collector-config/demo/agent.yaml");
const COLLECTOR: &str = include_str!("../../../../collector-config/demo/collector.yaml");

/// How often a starting child is asked whether it is ready.
const POLL: Duration = Duration::from_millis(50);

/// Which of the two programs a child is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Agent,
    Collector,
}

/// A running program of the demo. Dropping it kills the program.
#[derive(Debug)]
pub(super) struct Running {
    name: &'static str,
    child: Child,
    health_port: u16,
    log: PathBuf,
}

/// Starts this very program with the embedded config of `role`.
pub(super) fn start(role: Role, settings: &Settings) -> Result<Running, Fatal> {
    let (name, health_port) = match role {
        Role::Agent => ("agent", settings.ports.agent_health),
        Role::Collector => ("collector", settings.ports.collector_health),
    };
    let log = settings.directory.join(format!("{name}.log"));
    let cannot = |what: &str, error| Fatal::caused(format!("cannot {what}"), error);
    let stderr = File::create(&log).map_err(|e| cannot(&format!("write {}", log.display()), e))?;
    let program = std::env::current_exe().map_err(|e| cannot("find this program's file", e))?;
    let child = Command::new(program)
        .args(
            configs(role, settings)
                .iter()
                .map(|config| format!("--config=yaml:{config}")),
        )
        .envs(settings.environment())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(stderr)
        // Ctrl-C in the terminal reaches the demo alone, which then stops its children in order.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| cannot(&format!("start the {name}"), e))?;
    Ok(Running {
        name,
        child,
        health_port,
        log,
    })
}

fn configs(role: Role, settings: &Settings) -> Vec<&'static str> {
    match role {
        Role::Agent => vec![AGENT],
        Role::Collector => std::iter::once(COLLECTOR)
            .chain(settings.overlays())
            .collect(),
    }
}

impl Running {
    /// Waits until the program says that it is ready.
    pub(super) async fn ready(&mut self, limit: Duration) -> Result<(), Fatal> {
        let port = self.health_port;
        let answered = async move {
            while summary::get(port, "/ready").await.is_err() {
                sleep(POLL).await;
            }
        };
        tokio::select! {
            ready = timeout(limit, answered) => ready.map_err(|_| {
                self.fatal(&format!("was not ready within {limit:?}"))
            }),
            error = self.died() => Err(error),
        }
    }

    /// Returns when the program has ended, which it should not.
    pub(super) async fn died(&mut self) -> Fatal {
        match self.child.wait().await {
            Ok(status) => self.fatal(&format!("ended with {status}")),
            Err(error) => self.fatal(&format!("cannot be watched: {error}")),
        }
    }

    /// Asks the program to drain and stop, and waits for it.
    pub(super) async fn stop(&mut self, limit: Duration) -> Result<(), Fatal> {
        use rustix::process::{Pid, Signal, kill_process};
        let Some(pid) = self
            .child
            .id()
            .and_then(|id| Pid::from_raw(id.cast_signed()))
        else {
            return Ok(());
        };
        kill_process(pid, Signal::TERM)
            .map_err(|error| self.fatal(&format!("cannot be asked to stop: {error}")))?;
        match timeout(limit, self.child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(self.fatal(&format!("stopped with {status}"))),
            Ok(Err(error)) => Err(self.fatal(&format!("cannot be watched: {error}"))),
            Err(_) => Err(self.fatal(&format!("did not drain within {limit:?}"))),
        }
    }

    fn fatal(&self, what: &str) -> Fatal {
        let said = std::fs::read_to_string(&self.log).unwrap_or_default();
        let tail: Vec<&str> = said.lines().rev().take(8).collect();
        let tail: String = tail
            .iter()
            .rev()
            .map(|line| format!("\n  {line}"))
            .collect();
        Fatal::new(format!(
            "the {} {what}; its log is {}{tail}",
            self.name,
            self.log.display()
        ))
    }
}
