//! Where spools and checkpoints lie below the directory of a `file_storage` extension.
//!
//! Paths are made of canonical component and pipeline ids, so that state is found again after a
//! component was renamed to its present type name. They are part of what an upgrade must keep:
//!
//! ```text
//! DIRECTORY/spool/PIPELINE/      segments and cursors of one pipeline
//! DIRECTORY/receiver/COMPONENT/  checkpoints of one receiver
//! ```

use std::path::{Path, PathBuf};

/// Directory of the spool of `pipeline`, such as `logs/app`.
pub(super) fn spool(directory: &Path, pipeline: &str) -> PathBuf {
    directory.join("spool").join(file_name(pipeline))
}

/// Directory of the state of the receiver `component`.
pub(super) fn receiver(directory: &Path, component: &str) -> PathBuf {
    directory.join("receiver").join(file_name(component))
}

/// An id as one file name: what could leave the directory, and the mark itself, is percent-encoded.
fn file_name(id: &str) -> String {
    let mut name = String::with_capacity(id.len());
    for (at, c) in id.char_indices() {
        match c {
            '/' | '\\' | '%' => name.push_str(&format!("%{:02X}", u32::from(c))),
            '.' if at == 0 => name.push_str("%2E"),
            _ => name.push(c),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_become_one_file_name_each() {
        for (id, name) in [
            ("logs", "logs"),
            ("logs/app", "logs%2Fapp"),
            ("a%2Fb", "a%252Fb"),
            ("..", "%2E."),
        ] {
            assert_eq!(file_name(id), name);
        }
    }
}
