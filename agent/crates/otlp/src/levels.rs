//! Where the items are: the field numbers that lead from a request to its records, points or spans.
//!
//! Counting, splitting and editing walk down these levels and leave everything beside them alone,
//! so that unknown fields survive.

use crate::Signal;
use crate::wire::{Content, Fields};

/// Field numbers by level, from the request down.
pub(crate) type Levels = &'static [&'static [u32]];

/// The levels of `signal`. The last one holds the items.
pub(crate) const fn levels(signal: Signal) -> Levels {
    match signal {
        // Resources, scopes, metrics, the five kinds of data, points.
        Signal::Metrics => &[&[1], &[2], &[2], &[5, 7, 9, 10, 11], &[1]],
        // Resources, scopes, records or spans.
        Signal::Logs | Signal::Traces => &[&[1], &[2], &[2]],
    }
}

/// Counts the items of a validated request by skipping over everything else.
#[must_use]
pub fn count_items(signal: Signal, bytes: &[u8]) -> u32 {
    count(levels(signal), bytes)
}

/// Counts the items in `message`, which lies above `levels`; a message without levels is an item.
pub(crate) fn count(levels: Levels, message: &[u8]) -> u32 {
    let Some((numbers, below)) = levels.split_first() else {
        return 1;
    };
    Fields::new(message)
        .filter(|field| numbers.contains(&field.number))
        .map(|field| match field.content {
            Content::Len(child) => count(below, child),
            _ => 0,
        })
        .fold(0, u32::saturating_add)
}
