//! The stub provider as a child process: started on demand, gone when dropped.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::tool::Tool;
use crate::{Settings, schema};

/// Keeps the sockets of one run apart.
static STARTED: AtomicUsize = AtomicUsize::new(0);

#[derive(Debug)]
pub(crate) struct Stub {
    child: Child,
    socket: String,
}

impl Stub {
    pub(crate) fn start(settings: &Settings) -> Result<Self> {
        let schema = schema::write(settings)?;
        // Unix socket paths are limited to about 100 bytes, so it lies in the temporary folder.
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let name = format!("skybridge-stub-{}-{number}", std::process::id());
        let socket = std::env::temp_dir().join(name);
        if socket.exists() {
            std::fs::remove_file(&socket)?;
        }
        let socket = socket.to_string_lossy().into_owned();
        let mut child = Command::new(&settings.stub)
            .arg(&schema)
            .arg(&socket)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {}", settings.stub.display()))?;
        let output = child.stdout.take().context("the stub has no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let stub = Self { child, socket };
        if line.trim() != "ready" {
            bail!("the stub provider did not start: {line:?}");
        }
        Ok(stub)
    }

    /// The environment value that makes `tool` talk to this process instead of a download.
    pub(crate) fn reattach(&self, tool: &Tool) -> String {
        json!({
            &tool.provider: {
                "Protocol": "grpc",
                "ProtocolVersion": 6,
                "Test": true,
                "Pid": self.child.id(),
                "Addr": { "Network": "unix", "String": self.socket },
            }
        })
        .to_string()
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        // The child ends when its input closes; the kill covers one that hangs.
        drop(self.child.stdin.take());
        drop(self.child.kill());
        drop(self.child.wait());
        drop(std::fs::remove_file(Path::new(&self.socket)));
    }
}
