//! The command line tools: OpenTofu always, Terraform where it is on PATH.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, bail};
use regex::Regex;

use crate::Settings;

#[derive(Debug, Clone)]
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    pub(crate) path: PathBuf,
    /// The provider's full source address, which begins with the tool's default host.
    pub(crate) provider: String,
}

impl Tool {
    /// Every tool that can be used here; says loudly when there is only one.
    pub(crate) fn all(settings: &Settings) -> Result<Vec<Self>> {
        let mut tools = vec![Self::new("tofu", settings.tofu.clone(), settings)?];
        match on_path("terraform") {
            Some(path) => tools.push(Self::new("terraform", path, settings)?),
            None => println!("note: terraform is not on PATH, so the proof is OpenTofu's alone"),
        }
        Ok(tools)
    }

    pub(crate) fn tofu(settings: &Settings) -> Result<Self> {
        Self::new("tofu", settings.tofu.clone(), settings)
    }

    fn new(name: &'static str, path: PathBuf, settings: &Settings) -> Result<Self> {
        let provider = provider_address(&path, settings)
            .with_context(|| format!("asking {name} for the provider's address"))?;
        Ok(Self {
            name,
            path,
            provider,
        })
    }

    /// The tool in `folder`, with its working files in `data` and the stub in the provider's place.
    pub(crate) fn command(&self, folder: &Path, data: &Path, reattach: &str) -> Command {
        let mut command = bare(&self.path, folder);
        command
            .env("TF_DATA_DIR", data)
            .env("TF_REATTACH_PROVIDERS", reattach);
        command
    }
}

/// Runs to the end and returns what was printed; a failure carries both streams.
pub(crate) fn run(command: &mut Command) -> Result<Output> {
    let output = command
        .output()
        .with_context(|| format!("starting {command:?}"))?;
    if !output.status.success() {
        bail!("{}", report(command, &output));
    }
    Ok(output)
}

pub(crate) fn report(command: &Command, output: &Output) -> String {
    let words: Vec<_> = command
        .get_args()
        .map(|word| word.to_string_lossy())
        .collect();
    let folder = command
        .get_current_dir()
        .map(Path::to_string_lossy)
        .unwrap_or_default();
    format!(
        "{} {} failed in {folder}\n{}{}",
        command.get_program().to_string_lossy(),
        words.join(" "),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn bare(path: &Path, folder: &Path) -> Command {
    let mut command = Command::new(path);
    command
        .current_dir(folder)
        // An empty file: a missing one is warned about on every run, the user's own is not wanted.
        .env("TF_CLI_CONFIG_FILE", "/dev/null")
        .env("CHECKPOINT_DISABLE", "1")
        .env("TF_IN_AUTOMATION", "1")
        .env("TF_INPUT", "0")
        .env_remove("TF_PLUGIN_CACHE_DIR")
        .env_remove("TF_CLI_ARGS")
        .env_remove("TF_LOG")
        .stdin(std::process::Stdio::null());
    command
}

/// Each tool completes `hashicorp/aws` with its own default host; it prints the result.
fn provider_address(path: &Path, settings: &Settings) -> Result<String> {
    let folder = settings.work.join("address");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(
        folder.join("main.tf"),
        "terraform {\n  required_providers {\n    aws = { source = \"hashicorp/aws\" }\n  }\n}\n",
    )?;
    let output = run(bare(path, &folder).arg("providers"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let found = Regex::new(r"provider\[([^\]]+/hashicorp/aws)\]")?
        .captures(&text)
        .with_context(|| format!("no provider address in {text}"))?;
    Ok(found[1].to_owned())
}

fn on_path(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}
