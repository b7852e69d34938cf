//! Which records of a spool one exporter is done with.

use std::collections::BTreeMap;

use super::mark::{Amount, Mark, Span};

/// A low-water mark, and the spans above it that are settled already.
///
/// Several requests are in flight at once and end in any order; the mark moves when the oldest of
/// them ends. Invariants: spans neither overlap nor touch, none is empty, and none starts at the
/// mark; so there are no more of them than requests in flight, however long one is stuck.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settled {
    low: Mark,
    above: BTreeMap<u64, Span>,
}

impl Settled {
    /// Everything before `low` is settled, and nothing else.
    pub(crate) fn up_to(low: Mark) -> Self {
        Self {
            low,
            above: BTreeMap::new(),
        }
    }

    /// The place before which everything is settled.
    pub(crate) fn low(&self) -> Mark {
        self.low
    }

    /// The settled spans above the mark, in order.
    pub(crate) fn above(&self) -> impl Iterator<Item = &Span> {
        self.above.values()
    }

    /// What is not settled before `head`.
    pub(crate) fn open(&self, head: Mark) -> Amount {
        let settled = self
            .above()
            .fold(Amount::default(), |sum, span| sum + span.amount());
        head.since(self.low).less(settled)
    }

    /// Whether the record at `position` is settled.
    pub(crate) fn contains(&self, position: u64) -> bool {
        let above = self.above.range(..=position).next_back();
        position < self.low.position || above.is_some_and(|(_, span)| position < span.end.position)
    }

    /// Notes that `span` is settled. Each record may be settled once.
    pub(crate) fn insert(&mut self, span: Span) {
        if span.is_empty() {
            return;
        }
        debug_assert!(span.start.position >= self.low.position, "settled twice");
        let next = self.above.remove(&span.end.position);
        let end = next.map_or(span.end, |next| next.end);
        if span.start.position <= self.low.position {
            self.low = end;
            return;
        }
        let before = self.above.range_mut(..span.start.position).next_back();
        if let Some((_, before)) = before.filter(|(_, b)| b.end.position == span.start.position) {
            before.end = end;
        } else {
            let start = span.start;
            self.above.insert(start.position, Span { start, end });
        }
    }

    /// The first place at or after `from` where an open record may start.
    pub(crate) fn next_open(&self, from: Mark) -> Mark {
        let mut place = if from.position < self.low.position {
            self.low
        } else {
            from
        };
        while let Some((_, span)) = self.above.range(..=place.position).next_back() {
            if span.end.position <= place.position {
                break;
            }
            place = span.end;
        }
        place
    }

    /// The first settled record at or after position `from`, where a run of open records ends.
    pub(crate) fn next_settled(&self, from: u64) -> Option<Mark> {
        let (_, span) = self.above.range(from..).next()?;
        Some(span.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Marks of a spool in which each record has 10 items and 100 bytes.
    fn mark(position: u64) -> Mark {
        Mark {
            position,
            items: position * 10,
            bytes: position * 100,
        }
    }

    fn span(first: u64, end: u64) -> Span {
        Span {
            start: mark(first),
            end: mark(end),
        }
    }

    #[test]
    fn the_mark_moves_when_the_oldest_is_settled() {
        let mut settled = Settled::default();
        settled.insert(span(1, 3));
        settled.insert(span(4, 5));
        assert_eq!(settled.low(), mark(0));
        settled.insert(span(0, 1));
        assert_eq!(settled.low(), mark(3));
        settled.insert(span(3, 4));
        assert_eq!(settled.low(), mark(5));
        assert_eq!(settled.above().count(), 0);
    }

    #[test]
    fn what_is_open_is_what_is_not_settled() {
        let mut settled = Settled::up_to(mark(2));
        settled.insert(span(4, 6));
        let open = settled.open(mark(9));
        assert_eq!((open.records, open.items, open.bytes), (5, 50, 500));
    }

    #[test]
    fn open_places_lie_between_settled_spans() {
        let mut settled = Settled::up_to(mark(2));
        settled.insert(span(4, 6));
        settled.insert(span(6, 7));
        for (from, open) in [(0, 2), (3, 3), (4, 7), (6, 7), (8, 8)] {
            assert_eq!(settled.next_open(mark(from)), mark(open), "from {from}");
        }
        for position in 0..9 {
            let is_settled = matches!(position, 0..2 | 4..7);
            assert_eq!(settled.contains(position), is_settled, "{position}");
        }
        assert_eq!(settled.next_settled(2), Some(mark(4)));
        assert_eq!(settled.next_settled(7), None);
    }

    #[test]
    fn settled_neighbors_are_one_span() {
        let mut settled = Settled::default();
        for first in [1, 3, 2, 5, 4] {
            settled.insert(span(first, first + 1));
        }
        let above: Vec<Span> = settled.above().copied().collect();
        assert_eq!(above, [span(1, 6)]);
        settled.insert(span(0, 1));
        assert_eq!(settled.low(), mark(6));
    }
}
