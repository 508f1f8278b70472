//! Calls and offers by number: found in one step, however many there are.
//!
//! The numbers are our own and count upwards, so no key can be chosen to make the table slow, and a
//! multiplication spreads them. Whoever wants all of them gets them in the order of their numbers:
//! the order of the table means nothing.

use std::hash::{BuildHasherDefault, Hash, Hasher};

use hashbrown::HashMap;

/// Values by number, and the numbers of those that may have changed since [`Table::drain_touched`].
#[derive(Debug)]
pub(crate) struct Table<K, V> {
    entries: HashMap<K, V, BuildHasherDefault<Spread>>,
    /// `None` where nobody has asked for it.
    touched: Option<Vec<K>>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self {
            entries: HashMap::default(),
            touched: None,
        }
    }
}

impl<K: Copy + Ord + Hash, V> Table<K, V> {
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.touch(key);
        self.entries.insert(key, value)
    }

    /// The value of a key: the one that is there, or this one from now on.
    pub(crate) fn or_insert(&mut self, key: K, value: V) -> &mut V {
        self.touch(key);
        self.entries.entry(key).or_insert(value)
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        self.touch(*key);
        self.entries.remove(key)
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.touch(*key);
        self.entries.get_mut(key)
    }

    /// A value of which only that is changed which passes, and which nobody writes down.
    pub(crate) fn passing_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key)
    }

    /// Something that belongs to this value may have changed. Most are touched several times in a row.
    pub(crate) fn touch(&mut self, key: K) {
        if let Some(touched) = &mut self.touched
            && touched.last() != Some(&key)
        {
            touched.push(key);
        }
    }

    /// The numbers of values that were touched since this was last asked for, in no order, some perhaps
    /// twice; and what is there of them.
    pub(crate) fn drain_touched(&mut self) -> impl Iterator<Item = (K, Option<&V>)> {
        let Self { entries, touched } = self;
        // The room is for the next.
        let touched = touched.iter_mut().flat_map(|touched| touched.drain(..));
        touched.map(|key| (key, entries.get(&key)))
    }

    /// From now on it is noted which values are touched, for [`Self::drain_touched`].
    pub(crate) fn note_touched(&mut self) {
        self.touched.get_or_insert_default();
    }

    /// From now on nothing is noted.
    pub(crate) fn note_nothing(&mut self) {
        self.touched = None;
    }

    /// How many notes there are.
    pub(crate) fn notes(&self) -> usize {
        self.touched.as_ref().map_or(0, Vec::len)
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key)
    }

    pub(crate) fn contains_key(&self, key: &K) -> bool {
        self.entries.contains_key(key)
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All keys, ascending.
    pub(crate) fn keys(&self) -> Vec<K> {
        let mut keys: Vec<_> = self.entries.keys().copied().collect();
        keys.sort_unstable();
        keys
    }
}

/// Spreads a number over all bits (Fibonacci hashing).
#[derive(Debug, Default)]
pub(crate) struct Spread {
    bits: u64,
}

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        let mixed = (self.bits ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.bits = mixed.rotate_left(26);
    }

    fn finish(&self) -> u64 {
        self.bits
    }
}
