//! Rendered files: written for the beds, compared for the golden set.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::tool::{self, Tool};
use crate::{Settings, tree};

/// Renders a scenario (`lab`, `bed`) into a folder.
pub(crate) fn render(settings: &Settings, scenario: &str, target: &Path) -> Result<()> {
    for (path, content) in files(settings, scenario)? {
        let path = target.join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(&path, content).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

/// Byte for byte.
pub(crate) fn check(settings: &Settings) -> Result<()> {
    let (count, faults) = differences(settings)?;
    if !faults.is_empty() {
        bail!(
            "golden files differ; if that is meant, run make golden-update:\n{}",
            faults.join("\n")
        );
    }
    println!("golden: {count} files, byte for byte");
    Ok(())
}

/// Renders anew what `check` compares with.
pub(crate) fn update(settings: &Settings) -> Result<()> {
    let folder = settings.infra.join("tests/golden/rendered");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    render(settings, "lab", &folder)
}

/// How many files are rendered, and what is different about them.
pub(crate) fn differences(settings: &Settings) -> Result<(usize, Vec<String>)> {
    let folder = settings.infra.join("tests/golden/rendered");
    let fresh = files(settings, "lab")?;
    let mut faults = Vec::new();
    for (path, content) in &fresh {
        match std::fs::read_to_string(folder.join(path)) {
            Ok(kept) if kept == *content => {}
            Ok(kept) => faults.push(difference(path, &kept, content)),
            Err(_) => faults.push(format!("{path} is rendered but not kept")),
        }
    }
    for extension in ["conf", "md", "xml", "yaml"] {
        for kept in tree::files(&folder, extension)? {
            let name = kept.strip_prefix(&folder)?.to_string_lossy().into_owned();
            if !fresh.contains_key(&name) {
                faults.push(format!("{name} is kept but no longer rendered"));
            }
        }
    }
    Ok((fresh.len(), faults))
}

/// The first line that differs says enough.
fn difference(path: &str, kept: &str, fresh: &str) -> String {
    let line = kept
        .lines()
        .zip(fresh.lines())
        .position(|(kept, fresh)| kept != fresh);
    let number = line.unwrap_or_else(|| kept.lines().count().min(fresh.lines().count()));
    format!(
        "{path}:{}\n  kept:     {}\n  rendered: {}",
        number + 1,
        kept.lines().nth(number).unwrap_or("(end)"),
        fresh.lines().nth(number).unwrap_or("(end)")
    )
}

fn files(settings: &Settings, scenario: &str) -> Result<BTreeMap<String, String>> {
    let tool = Tool::tofu(settings)?;
    let root = settings.work.join(format!("render-{scenario}"));
    if root.exists() {
        std::fs::remove_dir_all(&root)?;
    }
    tree::copy(&settings.infra.join("modules"), &root.join("modules"))?;
    let folder = root.join("tests/golden");
    std::fs::create_dir_all(&folder)?;
    for name in ["main.tf", &format!("{scenario}.tfvars")] {
        std::fs::copy(
            settings.infra.join("tests/golden").join(name),
            folder.join(name),
        )
        .with_context(|| format!("copying {name}"))?;
    }
    let data = root.join(".data");
    let values = format!("-var-file={scenario}.tfvars");
    // Provider-free: there is nothing to attach to.
    tool::run(
        tool.command(&folder, &data, "{}")
            .args(["init", "-no-color"]),
    )?;
    let apply = ["apply", "-no-color", "-auto-approve", &values];
    tool::run(tool.command(&folder, &data, "{}").args(apply))?;
    let output = tool::run(
        tool.command(&folder, &data, "{}")
            .args(["output", "-json", "files"]),
    )?;
    serde_json::from_slice(&output.stdout).context("reading the rendered files")
}
