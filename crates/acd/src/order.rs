//! The total order of waiting calls, and a set that knows the rank of each.

use std::{collections::VecDeque, ops::Range, time::Instant};

use crate::ids::{CallId, Priority};

/// Where a call stands in the order: priority first, then arrival, then its number. A call that
/// returns after a failed offer has the key that it had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OrderKey {
    pub(crate) priority: Priority,
    pub(crate) arrival: Instant,
    pub(crate) call: CallId,
}

/// A sorted set with ranks, for keys of which most come last, and of which the first go before others.
///
/// The keys lie in runs of at most [`RUN_MAX`]. What comes last or goes first touches one run, which is a few lines of
/// memory; anywhere else it costs a search and the moving of half a run. A rank costs a look at the lengths of the runs
/// between the key and the nearer end.
#[derive(Debug)]
pub(crate) struct RankedSet<K> {
    /// None is empty, and all keys of one come before all of the next. Two neighbours have more than [`RUN_SHORT`]
    /// keys together, so there are never many more runs than it takes.
    runs: VecDeque<Vec<K>>,
    len: usize,
    /// The last run that became empty: where calls come and go one by one, nothing is allocated.
    spare: Vec<K>,
}

/// The most keys in a run.
const RUN_MAX: usize = 64;

/// For how many keys a run that became empty keeps room at most: after a storm there are thousands of empty sets.
const SPARE_ROOM: usize = 8;

/// Two neighbours that have no more together are made one.
const RUN_SHORT: usize = RUN_MAX / 2;

impl<K> Default for RankedSet<K> {
    fn default() -> Self {
        Self {
            runs: VecDeque::new(),
            len: 0,
            spare: Vec::new(),
        }
    }
}

impl<K: Copy + Ord> RankedSet<K> {
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a key, unless it is there.
    pub(crate) fn insert(&mut self, key: K) {
        let at = self.run_of(&key);
        let Some(run) = self.runs.get_mut(at) else {
            return self.append(key);
        };
        let Err(place) = run.binary_search(&key) else {
            return;
        };
        run.insert(place, key);
        self.len += 1;
        if run.len() > RUN_MAX {
            let second = run.split_off(RUN_SHORT);
            self.runs.insert(at + 1, second);
        }
    }

    /// Adds a key that comes after all others.
    fn append(&mut self, key: K) {
        self.len += 1;
        match self.runs.back_mut() {
            Some(run) if run.len() < RUN_MAX => run.push(key),
            _ => {
                let mut run = std::mem::take(&mut self.spare);
                run.push(key);
                self.runs.push_back(run);
            }
        }
    }

    /// Removes a key; whether it was there.
    pub(crate) fn remove(&mut self, key: &K) -> bool {
        let at = self.run_of(key);
        let Some(run) = self.runs.get_mut(at) else {
            return false;
        };
        let Ok(place) = run.binary_search(key) else {
            return false;
        };
        run.remove(place);
        self.len -= 1;
        match run.len() {
            0 => {
                self.spare = self.runs.remove(at).unwrap_or_default();
                self.spare.shrink_to(SPARE_ROOM);
            }
            1..=RUN_SHORT => self.join_with_next(at),
            _ => return true,
        }
        if let Some(before) = at.checked_sub(1) {
            self.join_with_next(before);
        }
        true
    }

    /// Makes one run of two where they are short.
    fn join_with_next(&mut self, at: usize) {
        if at + 1 >= self.runs.len() || self.runs[at].len() + self.runs[at + 1].len() > RUN_SHORT {
            return;
        }
        if let Some(mut next) = self.runs.remove(at + 1) {
            self.runs[at].append(&mut next);
        }
    }

    /// How many keys are before this one, if it is in the set.
    pub(crate) fn rank(&self, key: &K) -> Option<usize> {
        let at = self.run_of(key);
        let place = self.runs.get(at)?.binary_search(key).ok()?;
        let lengths = |runs: Range<usize>| self.runs.range(runs).map(Vec::len).sum::<usize>();
        let before = if at < self.runs.len() / 2 {
            lengths(0..at)
        } else {
            self.len - lengths(at..self.runs.len())
        };
        Some(before + place)
    }

    pub(crate) fn first(&self) -> Option<&K> {
        self.runs.front()?.first()
    }

    /// The key after this one, which need not be in the set.
    pub(crate) fn after(&self, key: &K) -> Option<&K> {
        let at = self
            .runs
            .partition_point(|run| run.last().is_some_and(|last| last <= key));
        let run = self.runs.get(at)?;
        run.get(run.partition_point(|one| one <= key))
    }

    /// All keys in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &K> {
        self.runs.iter().flatten()
    }

    /// The run that a key is in, or would be; one beyond the last where it comes after all keys.
    fn run_of(&self, key: &K) -> usize {
        let is_before = |run: &Vec<K>| run.last().is_some_and(|last| last < key);
        match self.runs.back() {
            Some(last) if is_before(last) => self.runs.len(),
            // Most sets are one run, or are asked for what is in their first.
            _ if self.runs.front().is_none_or(|first| !is_before(first)) => 0,
            _ => self.runs.partition_point(is_before),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, ops::Bound, time::Duration};

    use proptest::prelude::*;

    use super::*;

    /// What the set promises of its runs.
    fn check_runs(set: &RankedSet<OrderKey>) {
        let lengths: Vec<_> = set.runs.iter().map(Vec::len).collect();
        assert!(lengths.iter().all(|&one| (1..=RUN_MAX).contains(&one)));
        let is_needed = |pair: &[usize]| pair[0] + pair[1] > RUN_SHORT;
        assert!(lengths.windows(2).all(is_needed), "{lengths:?}");
    }

    proptest! {
        #[test]
        fn agrees_with_a_sorted_set(steps in proptest::collection::vec((0..3_u8, 0..400_u64, 0..5_u8), 1..2_000)) {
            #[expect(clippy::disallowed_methods, reason = "an Instant has no other constructor")]
            let base = Instant::now();
            let mut ranked = RankedSet::default();
            let mut model = BTreeSet::new();
            // First many come, then many go.
            let half = steps.len() / 2;
            for (step, (priority, number, chance)) in steps.into_iter().enumerate() {
                let key = OrderKey {
                    priority: Priority::new(priority).unwrap(),
                    arrival: base + Duration::from_millis(number % 7),
                    call: CallId::new(number),
                };
                if (chance > 0) == (step < half) {
                    model.insert(key);
                    ranked.insert(key);
                } else {
                    // One that is there, as well as one that may be.
                    let there = model.range(key..).next().copied().unwrap_or(key);
                    for key in [key, there] {
                        prop_assert_eq!(ranked.remove(&key), model.remove(&key));
                    }
                }
                check_runs(&ranked);
                prop_assert_eq!(ranked.len(), model.len());
                prop_assert_eq!(ranked.first(), model.first());
                prop_assert_eq!(ranked.rank(&key), model.iter().position(|one| *one == key));
                let beyond = (Bound::Excluded(key), Bound::Unbounded);
                prop_assert_eq!(ranked.after(&key), model.range(beyond).next());
            }
            prop_assert!(ranked.iter().eq(&model));
        }
    }
}
