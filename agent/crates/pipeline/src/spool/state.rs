//! The memory of a spool: its window of records and its cursors. Pure: no I/O, no clock, no wait.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::disk::Part;
use super::mark::{Amount, Mark, Record, Span};
use super::settled::Settled;
use super::{CursorSettings, Limits, OnFull};
use crate::stats::Tally;
use crate::{Payload, Signal};

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
}

/// The first place of a segment on disk.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct SegmentStart {
    pub(crate) mark: Mark,
    /// When the segment was begun; all records of earlier segments are at least as old.
    pub(crate) unix_nano: u64,
}

/// One exporter's place in the spool.
#[derive(Debug)]
pub(crate) struct Track {
    pub(crate) settings: CursorSettings,
    pub(crate) settled: Settled,
    /// The next record to hand out.
    pub(crate) taken: Mark,
    /// Where this cursor's account begins.
    pub(crate) birth: Mark,
    pub(crate) tally: Tally,
    /// First position of each lot in flight, and the age of its oldest record.
    in_flight: BTreeMap<u64, InFlight>,
    /// Bytes settled since the rate was last measured.
    drained_bytes: u64,
    /// Bytes settled in a second, smoothed.
    pub(crate) drain_rate: f64,
}

#[derive(Copy, Clone, Debug)]
struct InFlight {
    records: u64,
    oldest_unix_nano: u64,
}

/// Records held in memory, oldest first, without gaps.
#[derive(Debug, Default)]
pub(crate) struct Window {
    records: VecDeque<Record>,
    bytes: u64,
}

/// How much a cursor hands out at once.
#[derive(Copy, Clone, Debug)]
pub(crate) struct LotLimits {
    /// Bytes of protobuf; one record may be larger.
    pub(crate) max_bytes: usize,
    /// Items; one record may hold more.
    pub(crate) max_items: u32,
}

/// Neighboring records of one signal and one encoding: what becomes one request.
#[derive(Clone, Debug)]
pub struct Lot {
    /// Where the records lie; what [`Cursor::settle`](super::Cursor::settle) is told.
    pub span: Span,
    /// At least one.
    pub records: Vec<Record>,
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
        let in_flight = track.in_flight.values().map(|lot| lot.oldest_unix_nano);
        let place = track.settled.next_open(track.taken);
        let waiting = self
            .window
            .get(place.position)
            .map(|record| record.unix_nano)
            .or_else(|| self.segment_at(place.position));
        in_flight.chain(waiting).min()
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
            let Some(records) = at(&self.window.records, position).or_else(|| at(ahead, position))
            else {
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
            track.in_flight.remove(&span.start.position);
            track.settle(span, tally);
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
            track.in_flight.clear();
            track.taken = track.settled.low();
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
        let mut items = 0;
        for track in &mut self.cursors {
            let rest = track.settled.open(head).items;
            track.tally.absorb(&Tally::dropped(DROPPED_SHUTDOWN, rest));
            track.settled = Settled::up_to(head);
            track.taken = head;
            track.in_flight.clear();
            items += rest;
        }
        self.trim();
        items
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

impl Track {
    pub(crate) fn new(settings: CursorSettings, start: Mark) -> Self {
        Self {
            settings,
            settled: Settled::up_to(start),
            taken: start,
            birth: start,
            tally: Tally::default(),
            in_flight: BTreeMap::new(),
            drained_bytes: 0,
            drain_rate: 0.0,
        }
    }

    /// Records taken and not settled.
    pub(crate) fn in_flight_records(&self) -> u64 {
        self.in_flight.values().map(|lot| lot.records).sum()
    }

    /// Takes what was settled since the last call into the drain rate.
    pub(crate) fn measure(&mut self, since_last: Duration, weight: f64) {
        let rate = self.drained_bytes as f64 / since_last.as_secs_f64();
        self.drain_rate += weight * (rate - self.drain_rate);
        self.drained_bytes = 0;
    }

    /// By how much `more` would pass a limit. Nothing is too much for a cursor that has nothing
    /// queued: what is larger than the whole limit must pass alone rather than never.
    fn excess(&self, head: Mark, more: Amount) -> Amount {
        let queued = self.settled.open(head);
        if queued.is_zero() && more.records <= 1 {
            return Amount::default();
        }
        self.settings.limits.excess(queued + more)
    }

    fn settle(&mut self, span: Span, tally: &Tally) {
        debug_assert_eq!(tally.total(), span.amount().items, "every item ends once");
        self.settled.insert(span);
        self.tally.absorb(tally);
        self.drained_bytes += span.amount().bytes;
    }

    /// Ends all open records between the place and `target` as dropped; what is in flight stays.
    fn drop_up_to(&mut self, target: Mark, reason: &'static str) {
        let mut start = self.settled.next_open(self.taken);
        while start.position < target.position {
            let end = match self.settled.next_settled(start.position) {
                Some(next) if next.position < target.position => next,
                _ => target,
            };
            let span = Span { start, end };
            self.settle(span, &Tally::dropped(reason, span.amount().items));
            start = self.settled.next_open(end);
        }
        self.taken = start;
    }

    fn note_in_flight(&mut self, lot: &Lot) {
        let oldest = lot.records.iter().map(|record| record.unix_nano).min();
        self.in_flight.insert(
            lot.span.start.position,
            InFlight {
                records: lot.span.amount().records,
                oldest_unix_nano: oldest.unwrap_or_default(),
            },
        );
    }
}

impl Limits {
    /// By how much `queued` passes the limits.
    fn excess(&self, queued: Amount) -> Amount {
        queued.less(Amount {
            records: self.records.unwrap_or(u64::MAX),
            items: self.items.unwrap_or(u64::MAX),
            bytes: self.bytes,
        })
    }

    fn age_nanos(&self) -> Option<u64> {
        let age = self.age?;
        Some(u64::try_from(age.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl Window {
    /// Bytes held, headers included.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Where the oldest record starts.
    pub(crate) fn start(&self) -> Option<Mark> {
        self.records.front().map(|record| record.start)
    }

    /// The record at `position`.
    pub(crate) fn get(&self, position: u64) -> Option<&Record> {
        at(&self.records, position)?.next()
    }

    /// Lets go of the oldest records until at most `limit_bytes` are held.
    pub(crate) fn shrink_to(&mut self, limit_bytes: u64) {
        while self.bytes > limit_bytes && self.pop() {}
    }

    fn push(&mut self, record: Record) {
        self.bytes += record.span().amount().bytes;
        self.records.push_back(record);
    }

    fn pop(&mut self) -> bool {
        let Some(record) = self.records.pop_front() else {
            return false;
        };
        self.bytes -= record.span().amount().bytes;
        true
    }

    fn release_before(&mut self, position: u64) {
        while self
            .records
            .front()
            .is_some_and(|record| record.start.position < position)
        {
            self.pop();
        }
    }

    /// The records from `position` on.
    fn after(&self, position: u64) -> impl Iterator<Item = &Record> {
        let first = self
            .records
            .partition_point(|record| record.start.position < position);
        self.records.range(first..)
    }
}

/// The records from `position` on, if there is one at exactly this position.
fn at(records: &VecDeque<Record>, position: u64) -> Option<impl Iterator<Item = &Record>> {
    let first = records.partition_point(|record| record.start.position < position);
    let found = records.get(first)?;
    (found.start.position == position).then(|| records.range(first..))
}

impl Lot {
    /// As many of `records` as fit into one request, at least one.
    fn collect<'a>(
        records: impl Iterator<Item = &'a Record>,
        until: Option<Mark>,
        limits: LotLimits,
    ) -> Self {
        let mut lot = Self {
            span: Span {
                start: Mark::default(),
                end: Mark::default(),
            },
            records: Vec::new(),
        };
        let mut bytes: usize = 0;
        let mut items: u32 = 0;
        for record in records {
            bytes = bytes.saturating_add(record.batch.payload.plain_size_bytes());
            items = items.saturating_add(record.batch.items);
            let fits = bytes <= limits.max_bytes && items <= limits.max_items;
            if !lot.records.is_empty() {
                let is_beyond = until.is_some_and(|until| record.start.position >= until.position);
                if is_beyond || !fits || !lot.continues_with(record) {
                    break;
                }
            }
            lot.push(record.clone());
        }
        lot
    }

    fn push(&mut self, record: Record) {
        if self.records.is_empty() {
            self.span.start = record.start;
        }
        self.span.end = record.end();
        self.records.push(record);
    }

    fn continues_with(&self, record: &Record) -> bool {
        self.span.end == record.start
            && self
                .records
                .last()
                .is_some_and(|last| kind(last) == kind(record))
    }

    /// The leading records that are older than `limit_age`.
    fn expired(&self, limit_age_nanos: Option<u64>, now_unix_nano: u64) -> Span {
        let mut span = Span {
            start: self.span.start,
            end: self.span.start,
        };
        let Some(limit) = limit_age_nanos else {
            return span;
        };
        for record in &self.records {
            if now_unix_nano.saturating_sub(record.unix_nano) <= limit {
                break;
            }
            span.end = record.end();
        }
        span
    }
}

/// What must be equal for payloads to be concatenated.
fn kind(record: &Record) -> (Signal, bool) {
    let is_plain = matches!(record.batch.payload, Payload::Plain(_));
    (record.batch.signal, is_plain)
}
