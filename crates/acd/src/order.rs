//! The total order of waiting calls, and a set that knows the rank of each.

use std::{cmp::Ordering, time::Instant};

use crate::ids::{CallId, Priority};

/// Where a call stands in the order: priority first, then arrival, then its number. A call that
/// returns after a failed offer has the key that it had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OrderKey {
    pub(crate) priority: Priority,
    pub(crate) arrival: Instant,
    pub(crate) call: CallId,
}

/// A sorted set with ranks: insertion, removal and rank cost the logarithm of its size.
///
/// A treap: a search tree by key that is a heap by weights. The weights come from a counter, so the
/// same insertions make the same tree.
#[derive(Debug, Default)]
pub(crate) struct RankedSet {
    nodes: Vec<Node>,
    root: Link,
    free: Vec<u32>,
    counter: u64,
}

type Link = Option<u32>;

#[derive(Debug)]
struct Node {
    key: OrderKey,
    weight: u64,
    size: u32,
    left: Link,
    right: Link,
}

impl RankedSet {
    pub(crate) fn len(&self) -> usize {
        self.size(self.root) as usize
    }

    pub(crate) fn insert(&mut self, key: OrderKey) {
        let index = self.allocate(key);
        let (before, after) = self.split(self.root, &key);
        let left = self.merge(before, Some(index));
        self.root = self.merge(left, after);
    }

    /// Removes a key; whether it was there.
    pub(crate) fn remove(&mut self, key: &OrderKey) -> bool {
        let (root, removed) = self.remove_from(self.root, key);
        self.root = root;
        self.free.extend(removed);
        removed.is_some()
    }

    /// How many keys are before this one, if it is in the set.
    pub(crate) fn rank(&self, key: &OrderKey) -> Option<usize> {
        let mut link = self.root;
        let mut before = 0;
        while let Some(index) = link {
            let node = &self.nodes[index as usize];
            match key.cmp(&node.key) {
                Ordering::Less => link = node.left,
                Ordering::Equal => return Some((before + self.size(node.left)) as usize),
                Ordering::Greater => {
                    before += self.size(node.left) + 1;
                    link = node.right;
                }
            }
        }
        None
    }

    /// All keys in order.
    #[cfg(test)]
    pub(crate) fn keys(&self) -> Vec<OrderKey> {
        let mut keys = Vec::with_capacity(self.len());
        let mut path = Vec::new();
        let mut link = self.root;
        loop {
            while let Some(index) = link {
                path.push(index);
                link = self.nodes[index as usize].left;
            }
            let Some(index) = path.pop() else { return keys };
            keys.push(self.nodes[index as usize].key);
            link = self.nodes[index as usize].right;
        }
    }

    fn size(&self, link: Link) -> u32 {
        link.map_or(0, |index| self.nodes[index as usize].size)
    }

    fn allocate(&mut self, key: OrderKey) -> u32 {
        self.counter += 1;
        let node = Node {
            key,
            weight: mix(self.counter),
            size: 1,
            left: None,
            right: None,
        };
        if let Some(index) = self.free.pop() {
            self.nodes[index as usize] = node;
            return index;
        }
        self.nodes.push(node);
        u32::try_from(self.nodes.len() - 1).expect("Settings::calls_max bounds the calls")
    }

    /// Everything before `key`, and the rest. Recursion is as deep as the tree: logarithmic.
    fn split(&mut self, link: Link, key: &OrderKey) -> (Link, Link) {
        let Some(index) = link else {
            return (None, None);
        };
        let at = index as usize;
        if self.nodes[at].key < *key {
            let (left, right) = self.split(self.nodes[at].right, key);
            self.nodes[at].right = left;
            self.update(at);
            (link, right)
        } else {
            let (left, right) = self.split(self.nodes[at].left, key);
            self.nodes[at].left = right;
            self.update(at);
            (left, link)
        }
    }

    /// One tree of two, all keys of the first being before all of the second.
    fn merge(&mut self, left: Link, right: Link) -> Link {
        let (Some(a), Some(b)) = (left, right) else {
            return left.or(right);
        };
        let (a_at, b_at) = (a as usize, b as usize);
        if self.nodes[a_at].weight > self.nodes[b_at].weight {
            let merged = self.merge(self.nodes[a_at].right, right);
            self.nodes[a_at].right = merged;
            self.update(a_at);
            left
        } else {
            let merged = self.merge(left, self.nodes[b_at].left);
            self.nodes[b_at].left = merged;
            self.update(b_at);
            right
        }
    }

    fn remove_from(&mut self, link: Link, key: &OrderKey) -> (Link, Option<u32>) {
        let Some(index) = link else {
            return (None, None);
        };
        let at = index as usize;
        let removed = match key.cmp(&self.nodes[at].key) {
            Ordering::Equal => {
                let merged = self.merge(self.nodes[at].left, self.nodes[at].right);
                return (merged, Some(index));
            }
            Ordering::Less => {
                let (left, removed) = self.remove_from(self.nodes[at].left, key);
                self.nodes[at].left = left;
                removed
            }
            Ordering::Greater => {
                let (right, removed) = self.remove_from(self.nodes[at].right, key);
                self.nodes[at].right = right;
                removed
            }
        };
        self.update(at);
        (link, removed)
    }

    fn update(&mut self, at: usize) {
        let size = 1 + self.size(self.nodes[at].left) + self.size(self.nodes[at].right);
        self.nodes[at].size = size;
    }
}

/// A counter's value, spread over all bits (splitmix64).
const fn mix(counter: u64) -> u64 {
    let mut bits = counter.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, time::Duration};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agrees_with_a_sorted_set(steps in proptest::collection::vec((0..3_u8, 0..40_u64, any::<bool>()), 1..300)) {
            #[expect(clippy::disallowed_methods, reason = "an Instant has no other constructor")]
            let base = Instant::now();
            let mut ranked = RankedSet::default();
            let mut model = BTreeSet::new();
            for (priority, number, adds) in steps {
                let key = OrderKey {
                    priority: Priority::new(priority).unwrap(),
                    arrival: base + Duration::from_millis(number % 7),
                    call: CallId::new(number),
                };
                if adds {
                    if model.insert(key) {
                        ranked.insert(key);
                    }
                } else {
                    prop_assert_eq!(ranked.remove(&key), model.remove(&key));
                }
                prop_assert_eq!(ranked.len(), model.len());
                prop_assert_eq!(ranked.rank(&key), model.iter().position(|one| *one == key));
            }
            prop_assert_eq!(ranked.keys(), model.into_iter().collect::<Vec<_>>());
        }
    }
}
