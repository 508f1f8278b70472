//! A map that knows which of its entries may have changed: whoever writes entries down looks at those
//! alone, and no change can be missed. It takes no notes until it is asked to.

use std::{collections::BTreeMap, ops::RangeBounds};

/// Values by key, and the keys of those that were touched since [`Noted::drain_touched`].
#[derive(Debug)]
pub struct Noted<K, V> {
    entries: BTreeMap<K, V>,
    /// `None` where nobody has asked for it.
    touched: Option<Vec<K>>,
}

impl<K, V> Default for Noted<K, V> {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
            touched: None,
        }
    }
}

impl<K: Clone + Ord, V> Noted<K, V> {
    /// Puts a value in; the one that was there before.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.touch(&key);
        self.entries.insert(key, value)
    }

    /// Takes a value out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let removed = self.entries.remove(key)?;
        self.touch(key);
        Some(removed)
    }

    /// A value to change. It counts as touched whatever is done with it.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let entry = self.entries.get_mut(key)?;
        touch(&mut self.touched, key);
        Some(entry)
    }

    /// A value of which only that is changed which passes, and which nobody writes down. It does not count as touched.
    pub fn passing_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key)
    }

    /// Something that belongs to this entry has changed elsewhere.
    pub fn touch(&mut self, key: &K) {
        touch(&mut self.touched, key);
    }

    /// The keys that were touched since this was last asked for, in no order, some perhaps twice.
    pub fn drain_touched(&mut self) -> impl Iterator<Item = K> {
        // The room is for the next.
        self.touched
            .iter_mut()
            .flat_map(|touched| touched.drain(..))
    }

    /// From now on it is noted which are touched, for [`Noted::drain_touched`].
    pub fn note_touched(&mut self) {
        self.touched.get_or_insert_default();
    }

    /// From now on nothing is noted, and what was is forgotten.
    pub fn note_nothing(&mut self) {
        self.touched = None;
    }

    /// How many notes there are.
    pub fn notes(&self) -> usize {
        self.touched.as_ref().map_or(0, Vec::len)
    }

    /// A value.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key)
    }

    /// Whether there is one.
    pub fn contains_key(&self, key: &K) -> bool {
        self.entries.contains_key(key)
    }

    /// All, in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter()
    }

    /// All keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.entries.keys()
    }

    /// All values, in the order of their keys.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.values()
    }

    /// Those in a range of keys.
    pub fn range(&self, range: impl RangeBounds<K>) -> impl Iterator<Item = (&K, &V)> {
        self.entries.range(range)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// Most keys are touched several times in a row.
fn touch<K: Clone + PartialEq>(touched: &mut Option<Vec<K>>, key: &K) {
    if let Some(touched) = touched
        && touched.last() != Some(key)
    {
        touched.push(key.clone());
    }
}
