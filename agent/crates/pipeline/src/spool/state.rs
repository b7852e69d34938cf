//! The memory of a spool: its window of records and its cursors. Pure: no I/O, no clock, no wait.

use std::collections::{BTreeMap, VecDeque};

use super::disk::Part;
use super::lot::{Lot, LotLimits};
use super::mark::{Amount, Mark, Record, Span};
use super::track::Track;
use super::window::{Window, at};
use super::{CursorSettings, OnFull};
use crate::stats::Tally;

/// Drop reason: the cursor's limit was met and its policy is to drop the oldest.
pub(crate) const DROPPED_QUEUE_FULL: &str = "queue_full";

/// Drop reason: older than the cursor's age limit.
pub(crate) const DROPPED_TOO_OLD: &str = "too_old";

/// Drop reason: the record can no longer be read from disk.
pub(crate) const DROPPED_DAMAGED: &str = "damaged";

/// Drop reason: still queued in memory when the program stopped.
pub(crate) const DROPPED_SHUTDOWN: &str = "shutdown";

/// Everything a spool knows, behind one lock that is never held across a wait or any I/O.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// The end of the spool: what is accepted lies before it.
    pub(crate) head: Mark,
    /// The newest records, without a gap up to the head.
    pub(crate) window: Window,
    /// One for each exporter, in the order of the settings.
    pub(crate) cursors: Vec<Track>,
    /// Where the segments on disk begin; empty for a spool in memory.
    pub(crate) segments: BTreeMap<u64, SegmentStart>,
    /// Whether records that left the window can be read again.
    pub(crate) is_on_disk: bool,
    /// What senders were promised and have not yet appended.
    pub(crate) reserved: Amount,
    /// No more appends; cursors end when they reach the head.
    pub(crate) is_closed: bool,
    /// Nothing is delivered any more.
    pub(crate) is_finished: bool,
}

/// The first place of a segment on disk.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct SegmentStart {
    pub(crate) mark: Mark,
    /// When the segment was begun; all records of earlier segments are at least as old.
    pub(crate) unix_nano: u64,
}

/// What a cursor found at its place.
#[derive(Debug)]
pub(crate) enum Taken {
    /// Records, now in flight.
    Lot(Lot),
    /// Nothing yet.
    Empty,
    /// The next record is on disk only.
    Behind(Mark),
}

impl State {
    /// An empty spool.
    pub(crate) fn new(cursors: Vec<CursorSettings>) -> Self {
        Self {
            cursors: cursors
                .into_iter()
                .map(|settings| Track::new(settings, Mark::default()))
                .collect(),
            ..Self::default()
        }
    }

    /// What lies between a cursor's place and the head; what was settled there already counts too.
    pub(crate) fn available(&self, cursor: usize) -> Amount {
        self.cursors
            .get(cursor)
            .map_or_else(Amount::default, |track| {
                self.head.since(track.settled.next_open(track.taken))
            })
    }

    /// When the oldest record that a cursor has not settled was appended, as far as memory tells.
    pub(crate) fn oldest_unix_nano(&self, track: &Track) -> Option<u64> {
        let place = track.settled.next_open(track.taken);
        let waiting = self
            .window
            .get(place.position)
            .map(|record| record.unix_nano)
            .or_else(|| self.segment_at(place.position));
        track.oldest_in_flight().into_iter().chain(waiting).min()
    }

    /// The cursor that cannot take `amount` more, if one must not drop.
    pub(crate) fn full(&self, amount: Amount) -> Option<&Track> {
        self.cursors.iter().find(|track| {
            track.settings.on_full != OnFull::DropOldest
                && !track.excess(self.head, self.reserved + amount).is_zero()
        })
    }

    /// Appends a record at the head, after making room where cursors drop their oldest.
    pub(crate) fn push(&mut self, record: Record) {
        debug_assert_eq!(record.start, self.head, "records are appended in order");
        self.make_room(Amount::of(&record.batch));
        self.head = record.end();
        self.window.push(record);
        self.trim();
    }

    /// Hands out what lies at a cursor's place, from the window or from `ahead` (what the cursor
    /// read from disk). Records older than the age limit end here.
    pub(crate) fn take(
        &mut self,
        cursor: usize,
        ahead: &VecDeque<Record>,
        limits: LotLimits,
        now_unix_nano: u64,
    ) -> Taken {
        let Some(track) = self.cursors.get_mut(cursor) else {
            return Taken::Empty;
        };
        loop {
            track.taken = track.settled.next_open(track.taken);
            if track.taken.position >= self.head.position {
                return Taken::Empty;
            }
            let position = track.taken.position;
            let Some(records) = self.window.at(position).or_else(|| at(ahead, position)) else {
                return Taken::Behind(track.taken);
            };
            let until = track.settled.next_settled(position);
            let lot = Lot::collect(records, until, limits);
            let expired = lot.expired(track.settings.limits.age_nanos(), now_unix_nano);
            if expired.is_empty() {
                track.taken = lot.span.end;
                track.note_in_flight(&lot);
                return Taken::Lot(lot);
            }
            track.drop_up_to(expired.end, DROPPED_TOO_OLD);
        }
    }

    /// Ends a span that was taken: its items went where `tally` says.
    pub(crate) fn settle(&mut self, cursor: usize, span: Span, tally: &Tally) {
        if let Some(track) = self.cursors.get_mut(cursor) {
            track.settle_taken(span, tally);
        }
        self.trim();
    }

    /// Ends a span that cannot be read, for the cursor that met it.
    pub(crate) fn settle_damaged(&mut self, cursor: usize, span: Span) {
        let Some(track) = self.cursors.get_mut(cursor) else {
            return;
        };
        let start = track.settled.next_open(span.start);
        if start.position == track.taken.position && span.end.position > start.position {
            track.drop_up_to(span.end, DROPPED_DAMAGED);
        }
    }

    /// Gives back what a cursor took and did not settle, for a driver that starts anew.
    pub(crate) fn rewind(&mut self, cursor: usize) {
        if let Some(track) = self.cursors.get_mut(cursor) {
            track.rewind();
        }
    }

    /// Drops what is older than a cursor's age limit and not in flight: a cursor whose exporter is
    /// paused takes nothing, and its age limit must hold all the same.
    pub(crate) fn expire(&mut self, now_unix_nano: u64) {
        for index in 0..self.cursors.len() {
            let Some(age) = self.cursors[index].settings.limits.age_nanos() else {
                continue;
            };
            let oldest_allowed = now_unix_nano.saturating_sub(age);
            let target = self
                .places_after(self.cursors[index].taken)
                .take_while(|place| place.before_unix_nano < oldest_allowed)
                .last();
            if let Some(place) = target {
                self.cursors[index].drop_up_to(place.mark, DROPPED_TOO_OLD);
            }
        }
        self.trim();
    }

    /// Records settled, summed over the cursors; grows with everything that cursor files say.
    pub(crate) fn settled_records(&self) -> u64 {
        let settled = self
            .cursors
            .iter()
            .map(|track| self.head.position - track.settled.open(self.head).records);
        settled.sum()
    }

    /// Whether every exporter whose result senders wait for is done with the record at `position`.
    pub(crate) fn has_result(&self, position: u64) -> bool {
        self.cursors
            .iter()
            .filter(|track| track.settings.waits_for_result)
            .all(|track| track.settled.contains(position))
    }

    /// Drops from the window what nobody needs, oldest first.
    pub(crate) fn trim(&mut self) {
        let needed = self.needed_from();
        self.window.release_before(needed);
    }

    /// The position before which every cursor has settled everything.
    pub(crate) fn lowest(&self) -> Mark {
        self.cursors
            .iter()
            .map(|track| track.settled.low())
            .min_by_key(|low| low.position)
            .unwrap_or(self.head)
    }

    /// The part of a segment that begins at `place`; `None` when no segment reaches down to it.
    pub(crate) fn part_at(&self, place: Mark) -> Option<Part> {
        let (_, segment) = self.segments.range(..=place.position).next_back()?;
        Some(Part {
            segment: segment.mark,
            place,
            end: self.segment_after(place.position),
        })
    }

    /// Where the first segment behind `position` starts, or the head.
    pub(crate) fn segment_after(&self, position: u64) -> Mark {
        self.segments
            .range(position + 1..)
            .next()
            .map_or(self.head, |(_, segment)| segment.mark)
    }

    /// First positions of the segments that end at or before `position`.
    pub(crate) fn segments_before(&self, position: u64) -> Vec<u64> {
        let ends = self.segments.keys().skip(1);
        self.segments
            .keys()
            .zip(ends)
            .filter(|(_, end)| **end <= position)
            .map(|(first, _)| *first)
            .collect()
    }

    /// Settles everything that is left in memory as dropped, and tells how many items that were.
    pub(crate) fn drop_rest(&mut self) -> u64 {
        let head = self.head;
        let dropped = self
            .cursors
            .iter_mut()
            .map(|track| track.drop_all(head, DROPPED_SHUTDOWN))
            .sum();
        self.trim();
        dropped
    }

    /// On disk a record that everyone has taken can be read again; in memory it must stay until
    /// everyone has settled it.
    fn needed_from(&self) -> u64 {
        if !self.is_on_disk {
            return self.lowest().position;
        }
        self.cursors
            .iter()
            .map(|track| track.taken.position)
            .min()
            .unwrap_or(self.head.position)
    }

    /// When the segment that holds `position` was begun.
    fn segment_at(&self, position: u64) -> Option<u64> {
        if position >= self.head.position {
            return None;
        }
        let (_, segment) = self.segments.range(..=position).next_back()?;
        Some(segment.unix_nano)
    }

    fn make_room(&mut self, amount: Amount) {
        for index in 0..self.cursors.len() {
            let track = &self.cursors[index];
            if track.settings.on_full != OnFull::DropOldest {
                continue;
            }
            let excess = track.excess(self.head, amount);
            if excess.is_zero() {
                continue;
            }
            let taken = track.taken;
            let target = self
                .places_after(taken)
                .find(|place| excess.less(place.mark.since(taken)).is_zero())
                .map_or(self.head, |place| place.mark);
            self.cursors[index].drop_up_to(target, DROPPED_QUEUE_FULL);
        }
    }

    /// The known places behind `from`, in order: starts of segments, then records in the window.
    fn places_after(&self, from: Mark) -> impl Iterator<Item = Place> {
        let window_start = self.window.start().unwrap_or(self.head);
        let segments = self
            .segments
            .range(from.position + 1..=window_start.position.max(from.position + 1))
            .map(|(_, segment)| Place {
                mark: segment.mark,
                before_unix_nano: segment.unix_nano,
            });
        let records = self.window.after(from.position).map(|record| Place {
            mark: record.end(),
            before_unix_nano: record.unix_nano,
        });
        segments.chain(records)
    }
}

/// A place to which a cursor may be moved.
struct Place {
    mark: Mark,
    /// The newest record before this place is at most as young as this.
    before_unix_nano: u64,
}
