//! What makes a series known again without looking at its labels, and the cache behind it.
//!
//! The key of a series is a chain of hashes: resource, scope, metric, point attributes, each level
//! seeded by the one above. All 128 bits are carried from level to level: a collision would give
//! one series the labels of another, and nobody would notice.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use xxhash_rust::xxh3::xxh3_128;

/// Identity of a level of the chain.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key(u128);

impl Key {
    /// Above all levels.
    pub(crate) const ROOT: Self = Self(0);

    /// The key of `bytes` alone.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(xxh3_128(bytes))
    }

    /// The key of what `bytes` identify below this level.
    pub(crate) fn child(self, bytes: &[u8]) -> Self {
        self.join(Self::of(bytes))
    }

    /// The key of `other` below this level.
    pub(crate) fn join(self, other: Self) -> Self {
        let mut pair = [0; 32];
        let (own, below) = pair.split_at_mut(16);
        own.copy_from_slice(&self.0.to_le_bytes());
        below.copy_from_slice(&other.0.to_le_bytes());
        Self::of(&pair)
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // The key is a hash already.
        let [low @ .., _, _, _, _, _, _, _, _] = self.0.to_le_bytes();
        state.write_u64(u64::from_le_bytes(low));
    }
}

/// Passes on what a [`Key`] is made of.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

/// A map by [`Key`].
pub(crate) type KeyMap<V> = HashMap<Key, V, BuildHasherDefault<KeyHasher>>;

/// Memory that a cached value takes beside its place in the table.
pub(crate) trait Weigh {
    /// Bytes on the heap.
    fn heap_bytes(&self) -> usize;
}

/// A cache bounded by bytes.
///
/// It has two generations. What is used moves to the young one; when that holds half of the limit,
/// the old one, which is what was not used since, goes. Finding what is there never allocates: a
/// new generation gets its room when it begins.
#[derive(Debug)]
pub(crate) struct Cache<V> {
    young: KeyMap<V>,
    old: KeyMap<V>,
    young_bytes: usize,
    limit_bytes: usize,
}

impl<V: Weigh> Cache<V> {
    /// Bytes for key, value and slack in a table.
    const PLACE_BYTES: usize = 2 * (size_of::<Key>() + size_of::<V>());

    /// An empty cache of at most `limit_bytes` bytes.
    pub(crate) fn new(limit_bytes: usize) -> Self {
        Self {
            young: KeyMap::default(),
            old: KeyMap::default(),
            young_bytes: 0,
            limit_bytes,
        }
    }

    /// The value of `key`, made by `make` where it is not there.
    pub(crate) fn get_or_insert_with(&mut self, key: Key, make: impl FnOnce() -> V) -> &mut V {
        if self.young_bytes > self.limit_bytes / 2 {
            self.start_generation();
        }
        match self.young.entry(key) {
            Entry::Occupied(place) => place.into_mut(),
            Entry::Vacant(place) => {
                let value = self.old.remove(&key).unwrap_or_else(make);
                self.young_bytes += Self::PLACE_BYTES + value.heap_bytes();
                place.insert(value)
            }
        }
    }

    /// How many values there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    fn start_generation(&mut self) {
        let room = self.young.len();
        let next = KeyMap::with_capacity_and_hasher(room, BuildHasherDefault::default());
        self.old = std::mem::replace(&mut self.young, next);
        self.young_bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Weigh for Vec<u8> {
        fn heap_bytes(&self) -> usize {
            self.len()
        }
    }

    #[test]
    fn each_level_of_the_chain_counts() {
        let base = Key::ROOT.child(b"a").child(b"b");
        for other in [
            Key::ROOT.child(b"ab"),
            Key::ROOT.child(b"ab").child(b""),
            Key::ROOT.child(b"").child(b"ab"),
            Key::ROOT.child(b"b").child(b"a"),
            Key::ROOT.child(b"a").child(b"b").child(b""),
        ] {
            assert_ne!(base, other);
        }
        assert_eq!(base, Key::ROOT.child(b"a").child(b"b"));
    }

    #[test]
    fn a_cache_stays_within_its_bytes_and_keeps_what_is_used() {
        let mut cache = Cache::new(100_000);
        let busy = Key::of(b"busy");
        cache.get_or_insert_with(busy, || vec![1]);
        for number in 0..10_000_u32 {
            cache.get_or_insert_with(Key::of(&number.to_le_bytes()), || vec![0; 1_000]);
            cache.get_or_insert_with(busy, || panic!("what is used stays"));
        }
        assert!((45..=100).contains(&cache.len()), "{}", cache.len());
    }
}
