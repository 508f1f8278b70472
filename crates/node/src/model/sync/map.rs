//! A table under several locks, as dashmap's is: who holds an entry makes some others wait, but not all.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher, Hash},
    ops::{Deref, DerefMut},
};

use shuttle::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

#[derive(Debug)]
pub(crate) struct DashMap<K, V> {
    shards: [RwLock<BTreeMap<K, V>>; 8],
}

impl<K: Ord, V> Default for DashMap<K, V> {
    fn default() -> Self {
        let shards = std::array::from_fn(|_| RwLock::new(BTreeMap::new()));
        Self { shards }
    }
}

impl<K: Ord + Copy + Hash, V> DashMap<K, V> {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn get(&self, key: &K) -> Option<Ref<'_, K, V>> {
        let rows = self.shard(key).read().unwrap();
        let key = *key;
        rows.contains_key(&key).then(|| Ref { rows, key })
    }

    pub(crate) fn entry(&self, key: K) -> Entry<'_, K, V> {
        let rows = self.shard(&key).write().unwrap();
        let entry = RefMut { rows, key };
        if entry.rows.contains_key(&key) {
            Entry::Occupied(Occupied(entry))
        } else {
            Entry::Vacant(Vacant(entry))
        }
    }

    pub(crate) fn remove_if(&self, key: &K, is_due: impl FnOnce(&K, &V) -> bool) {
        let mut rows = self.shard(key).write().unwrap();
        if rows.get(key).is_some_and(|row| is_due(key, row)) {
            rows.remove(key);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn len(&self) -> usize {
        let shards = self.shards.iter();
        shards.map(|rows| rows.read().unwrap().len()).sum()
    }

    fn shard(&self, key: &K) -> &RwLock<BTreeMap<K, V>> {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(key);
        &self.shards[(hash % self.shards.len() as u64) as usize]
    }
}

pub(crate) struct Ref<'a, K, V> {
    rows: RwLockReadGuard<'a, BTreeMap<K, V>>,
    key: K,
}

impl<K: Ord, V> Deref for Ref<'_, K, V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.rows[&self.key]
    }
}

pub(crate) struct RefMut<'a, K, V> {
    rows: RwLockWriteGuard<'a, BTreeMap<K, V>>,
    key: K,
}

impl<K: Ord, V> Deref for RefMut<'_, K, V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.rows[&self.key]
    }
}

impl<K: Ord, V> DerefMut for RefMut<'_, K, V> {
    fn deref_mut(&mut self) -> &mut V {
        self.rows.get_mut(&self.key).unwrap()
    }
}

pub(crate) enum Entry<'a, K, V> {
    Occupied(Occupied<'a, K, V>),
    Vacant(Vacant<'a, K, V>),
}

pub(crate) struct Occupied<'a, K, V>(RefMut<'a, K, V>);

pub(crate) struct Vacant<'a, K, V>(RefMut<'a, K, V>);

impl<'a, K: Ord + Copy, V> Entry<'a, K, V> {
    pub(crate) fn or_insert(self, value: V) -> RefMut<'a, K, V> {
        match self {
            Self::Occupied(entry) => entry.0,
            Self::Vacant(entry) => entry.insert(value),
        }
    }
}

impl<'a, K: Ord + Copy, V: Default> Entry<'a, K, V> {
    pub(crate) fn or_default(self) -> RefMut<'a, K, V> {
        self.or_insert(V::default())
    }
}

impl<K: Ord, V> Occupied<'_, K, V> {
    pub(crate) fn get(&self) -> &V {
        &self.0
    }

    pub(crate) fn get_mut(&mut self) -> &mut V {
        &mut self.0
    }

    pub(crate) fn remove(mut self) {
        self.0.rows.remove(&self.0.key);
    }
}

impl<'a, K: Ord + Copy, V> Vacant<'a, K, V> {
    pub(crate) fn insert(mut self, value: V) -> RefMut<'a, K, V> {
        self.0.rows.insert(self.0.key, value);
        self.0
    }
}
