//! Files: lists and copies. All work happens in a copy, so that the tools never write into the tree.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// All files below `root` with the given extension, in name order.
pub(crate) fn files(root: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    visit(root, &mut |path| {
        if path.extension().is_some_and(|own| own == extension) {
            found.push(path.to_owned());
        }
        Ok(())
    })?;
    Ok(found)
}

/// The folders directly below `root`, in name order.
pub(crate) fn folders(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(root)
        .with_context(|| format!("listing {}", root.display()))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    found.retain(|path| path.is_dir() && !is_hidden(path));
    found.sort();
    Ok(found)
}

/// Copies a tree; links become the files they point to, tool folders stay behind.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    visit(from, &mut |path| {
        let target = to.join(path.strip_prefix(from)?);
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::copy(path, &target).with_context(|| format!("copying {}", path.display()))?;
        Ok(())
    })
}

fn visit(folder: &Path, seen: &mut dyn FnMut(&Path) -> Result<()>) -> Result<()> {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .with_context(|| format!("listing {}", folder.display()))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    entries.sort();
    for path in entries {
        if is_hidden(&path) {
            continue;
        }
        if path.is_dir() {
            visit(&path, seen)?;
        } else {
            seen(&path)?;
        }
    }
    Ok(())
}

fn is_hidden(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with('.'))
}
