//! The newest value of every series.
//!
//! Families have a lock each, so that rendering one does not hold up what arrives for others.

use std::collections::BTreeMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::super::series::identity::KeyMap;
use super::super::series::{
    Drops, Family, PlacedExemplar, Point, Reason, STALE_NAN, Sink, Value, millis,
};
use super::negotiate::Format;
use super::text::{self, ExemplarText};

/// Bytes for the place of a series in its table, beside what [`size_of_series`] counts.
const PLACE_BYTES: usize = 2 * size_of::<Stored>();

/// Bytes for a family and its place in the tree, beside its texts.
const FAMILY_BYTES: usize = 2 * size_of::<Members>() + size_of::<Family>();

/// How far the clock of a source may be ahead of ours, in nanoseconds.
const AHEAD_NS: u64 = 60_000_000_000;

/// Families by name, and how much they may hold.
#[derive(Debug)]
pub(super) struct Store {
    families: Mutex<BTreeMap<Arc<str>, Arc<Mutex<Members>>>>,
    expiration: Duration,
    limit_bytes: usize,
    used_bytes: AtomicUsize,
    swept: Mutex<Option<Instant>>,
}

/// A family and its series.
#[derive(Debug)]
pub(super) struct Members {
    pub(super) family: Arc<Family>,
    pub(super) help: String,
    pub(super) series: KeyMap<Stored>,
}

/// The newest point of a series.
#[derive(Debug)]
pub(super) struct Stored {
    /// Its label sets, see `Series::blocks`.
    pub(super) blocks: Arc<[u8]>,
    /// A value for each.
    pub(super) values: Box<[f64]>,
    /// When it was measured.
    pub(super) timestamp_ms: i64,
    /// The newest exemplar of each label set that has had one.
    pub(super) exemplars: Vec<(usize, ExemplarText)>,
    heard_at: Instant,
}

impl Store {
    pub(super) fn new(expiration: Duration, limit_bytes: usize) -> Self {
        Self {
            families: Mutex::default(),
            expiration,
            limit_bytes,
            used_bytes: AtomicUsize::new(0),
            swept: Mutex::new(None),
        }
    }

    /// Takes points that arrive `now`, which is `unix_nano` by the wall clock.
    pub(super) fn recorder(&self, now: Instant, unix_nano: u64) -> Recorder<'_> {
        Recorder {
            store: self,
            now,
            trusted_ms: millis(unix_nano.saturating_add(AHEAD_NS)),
            last: None,
            drops: Drops::default(),
        }
    }

    /// Writes out everything that has not expired by `now`.
    pub(super) fn render(&self, now: Instant, format: &Format, has_timestamps: bool) -> String {
        self.sweep(now);
        let families: Vec<_> = lock(&self.families).values().map(Arc::clone).collect();
        let mut page = text::Page::new(format, has_timestamps);
        for members in families {
            page.family(&lock(&members));
        }
        page.finish()
    }

    /// Removes what expired by `now`, and families without series.
    fn sweep(&self, now: Instant) {
        *lock(&self.swept) = Some(now);
        lock(&self.families).retain(|name, shared| {
            // Whoever holds it may be about to put a series into it.
            let is_held = Arc::strong_count(shared) > 1;
            let mut members = lock(shared);
            members.series.retain(|_, stored| {
                let is_alive = now.saturating_duration_since(stored.heard_at) < self.expiration;
                if !is_alive {
                    self.release(stored);
                }
                is_alive
            });
            let is_kept = is_held || !members.series.is_empty();
            if !is_kept {
                let bytes = size_of_family(name, &members.help);
                self.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
            }
            is_kept
        });
    }

    /// Whether nobody has removed what expired for a tenth of the time that it takes to expire.
    fn needs_sweep(&self, now: Instant) -> bool {
        let mut swept = lock(&self.swept);
        let since = now.saturating_duration_since(*swept.get_or_insert(now));
        since > self.expiration / 10
    }

    /// Bytes that are accounted for series.
    #[cfg(test)]
    pub(super) fn used_bytes(&self) -> usize {
        self.used_bytes.load(Ordering::Relaxed)
    }

    fn members(&self, point: &Point<'_>) -> Result<Arc<Mutex<Members>>, Reason> {
        let mut families = lock(&self.families);
        if let Some(members) = families.get(point.family.name.as_str()) {
            return Ok(Arc::clone(members));
        }
        if !self.reserve(size_of_family(&point.family.name, point.help)) {
            return Err(Reason::TooManySeries);
        }
        let members = Arc::new(Mutex::new(Members {
            family: Arc::clone(point.family),
            help: point.help.to_owned(),
            series: KeyMap::default(),
        }));
        families.insert(Arc::from(point.family.name.as_str()), Arc::clone(&members));
        Ok(members)
    }

    /// Makes room for `bytes`, or not.
    fn reserve(&self, bytes: usize) -> bool {
        self.used_bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(bytes)
                    .filter(|total| *total <= self.limit_bytes)
            })
            .is_ok()
    }

    fn release(&self, stored: &Stored) {
        let bytes = size_of_series(&stored.blocks, &stored.values);
        self.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Bytes that a family without series is accounted with.
fn size_of_family(name: &str, help: &str) -> usize {
    FAMILY_BYTES + 2 * name.len() + help.len()
}

/// Bytes that a series is accounted with.
fn size_of_series(blocks: &[u8], values: &[f64]) -> usize {
    PLACE_BYTES + blocks.len() + size_of_val(values)
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic between two assignments leaves at worst an old value behind.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the points of one request.
#[derive(Debug)]
pub(super) struct Recorder<'a> {
    store: &'a Store,
    now: Instant,
    /// A later time is that of a clock that was wrong.
    trusted_ms: i64,
    /// Points of a family come together.
    last: Option<(Arc<Family>, Arc<Mutex<Members>>)>,
    drops: Drops,
}

impl Recorder<'_> {
    /// Tells which points were not kept.
    pub(super) fn finish(mut self) -> Drops {
        self.last = None;
        if self.store.needs_sweep(self.now) {
            self.store.sweep(self.now);
        }
        self.drops
    }

    fn record(&mut self, point: &Point<'_>) -> Result<(), Reason> {
        let Value::Floats(values) = point.value else {
            return Err(Reason::NativeHistogram);
        };
        let members = match &self.last {
            Some((family, members)) if Arc::ptr_eq(family, point.family) => Arc::clone(members),
            _ => self.store.members(point)?,
        };
        self.last = Some((Arc::clone(point.family), Arc::clone(&members)));
        let mut members = lock(&members);
        if members.family.kind != point.family.kind {
            if !members.series.is_empty() {
                return Err(Reason::TypeConflict);
            }
            members.family = Arc::clone(point.family);
        }
        let is_end = values.iter().all(|value| value.to_bits() == STALE_NAN);
        match members.series.entry(point.series.identity) {
            Entry::Occupied(place) if is_end => {
                self.store.release(&place.remove());
                Ok(())
            }
            Entry::Occupied(mut place) => self.replace(place.get_mut(), point, values),
            Entry::Vacant(_) if is_end => Ok(()),
            Entry::Vacant(place) => {
                let bytes = size_of_series(&point.series.blocks, values);
                if !self.store.reserve(bytes) {
                    return Err(Reason::TooManySeries);
                }
                let mut stored = Stored {
                    blocks: Arc::clone(&point.series.blocks),
                    values: values.into(),
                    timestamp_ms: point.timestamp_ms,
                    exemplars: Vec::new(),
                    heard_at: self.now,
                };
                stored.take_exemplars(point.exemplars);
                place.insert(stored);
                Ok(())
            }
        }
    }

    /// Takes over a newer point of a known series. An older one is no loss: nobody would have
    /// scraped it; unless what is stored has a time of which a clock was wrong, that would stay for
    /// as long. Another value for the same time is a loss: two sources share a series.
    fn replace(
        &self,
        stored: &mut Stored,
        point: &Point<'_>,
        values: &[f64],
    ) -> Result<(), Reason> {
        stored.heard_at = self.now;
        let is_trusted = stored.timestamp_ms <= self.trusted_ms;
        if point.timestamp_ms < stored.timestamp_ms && is_trusted {
            return Ok(());
        }
        let is_same = values.iter().map(|value| value.to_bits());
        let is_same = is_same.eq(stored.values.iter().map(|value| value.to_bits()));
        let is_clash = point.timestamp_ms == stored.timestamp_ms && !is_same;
        if stored.values.len() == values.len() {
            stored.values.copy_from_slice(values);
        } else {
            self.store.release(stored);
            let bytes = size_of_series(&point.series.blocks, values);
            // Other bounds of a histogram that has its place: a small step over the limit.
            self.store.used_bytes.fetch_add(bytes, Ordering::Relaxed);
            stored.values = values.into();
            stored.exemplars.clear();
        }
        stored.blocks = Arc::clone(&point.series.blocks);
        stored.timestamp_ms = point.timestamp_ms;
        stored.take_exemplars(point.exemplars);
        if is_clash {
            return Err(Reason::Duplicate);
        }
        Ok(())
    }
}

impl Sink for Recorder<'_> {
    fn point(&mut self, point: &Point<'_>) -> bool {
        let recorded = self.record(point);
        if let Err(reason) = recorded
            && point.is_item
        {
            self.drops.add(reason, 1);
        }
        recorded.is_ok()
    }
}

impl Stored {
    fn take_exemplars(&mut self, exemplars: &[PlacedExemplar<'_>]) {
        for placed in exemplars {
            let text = ExemplarText::new(&placed.exemplar);
            match self
                .exemplars
                .iter_mut()
                .find(|(position, _)| *position == placed.position)
            {
                Some((_, kept)) => *kept = text,
                None => self.exemplars.push((placed.position, text)),
            }
        }
    }
}
