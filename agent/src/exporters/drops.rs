//! Items that were left out of a request, by reason.

use std::fmt;

/// How many items were left out for which reason; `R` is an exporter's closed list of reasons.
/// Displays as `too_old: 3, duplicate: 1`, and one reason alone as its word, under which the driver
/// counts; with its number too in the alternate form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Drops<R> {
    counts: Vec<(R, u32)>,
}

impl<R> Default for Drops<R> {
    fn default() -> Self {
        Self { counts: Vec::new() }
    }
}

impl<R: Copy + PartialEq> Drops<R> {
    /// Counts items.
    pub(crate) fn add(&mut self, reason: R, items: u32) {
        if items == 0 {
            return;
        }
        match self.counts.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count = count.saturating_add(items),
            None => self.counts.push((reason, items)),
        }
    }

    /// Counts all of `other`.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (reason, count) in &other.counts {
            self.add(*reason, *count);
        }
    }

    /// Items of all reasons.
    pub(crate) fn total(&self) -> u32 {
        let counts = self.counts.iter();
        counts.fold(0, |total, (_, count)| total.saturating_add(*count))
    }

    /// Each reason that occurred, with its items.
    #[cfg(test)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (R, u32)> {
        self.counts.iter().copied()
    }
}

impl<R: Copy + Into<&'static str>> fmt::Display for Drops<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [(reason, _)] = self.counts.as_slice()
            && !f.alternate()
        {
            return f.write_str((*reason).into());
        }
        for (position, (reason, count)) in self.counts.iter().enumerate() {
            let comma = if position == 0 { "" } else { ", " };
            let word: &'static str = (*reason).into();
            write!(f, "{comma}{word}: {count}")?;
        }
        Ok(())
    }
}
