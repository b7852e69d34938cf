//! Failures of the file system, on order.

use std::collections::HashMap;
use std::io;
use std::sync::Mutex;

/// What can be made to fail.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::spool) enum Operation {
    Open,
    Create,
    Read,
    Write,
    Sync,
    Truncate,
    Remove,
    Replace,
}

/// Failures that were ordered and have not happened yet.
#[derive(Debug, Default)]
pub(in crate::spool) struct Faults {
    ordered: Mutex<Vec<(Operation, i32)>>,
    counts: Mutex<HashMap<Operation, usize>>,
}

impl Faults {
    /// The next `times` operations of this kind fail with the system's error number.
    pub(in crate::spool) fn order(&self, operation: Operation, times: usize, errno: i32) {
        let mut ordered = self.ordered.lock().unwrap();
        ordered.extend(std::iter::repeat_n((operation, errno), times));
    }

    /// The disk is well again.
    pub(in crate::spool) fn clear(&self) {
        self.ordered.lock().unwrap().clear();
    }

    /// How often this was done, failures included.
    pub(in crate::spool) fn count(&self, operation: Operation) -> usize {
        let counts = self.counts.lock().unwrap();
        counts.get(&operation).copied().unwrap_or_default()
    }

    pub(super) fn check(&self, operation: Operation) -> io::Result<()> {
        *self.counts.lock().unwrap().entry(operation).or_default() += 1;
        let mut ordered = self.ordered.lock().unwrap();
        let Some(index) = ordered.iter().position(|(kind, _)| *kind == operation) else {
            return Ok(());
        };
        let (_, errno) = ordered.remove(index);
        Err(io::Error::from_raw_os_error(errno))
    }
}
