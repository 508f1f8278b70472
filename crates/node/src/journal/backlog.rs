//! The backlog: changes that are durable in blocks and whose rows are not written yet.
//!
//! Most rows of a call are changed again or removed before it is their turn, and are never written.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use engine::journal::Change;

use super::blocks;

/// What a row is called: its kind and its key.
pub(super) type Name = (u16, Vec<u8>);

/// What a row that a change is about is called.
pub(super) fn name_of(change: &Change) -> Name {
    match change {
        Change::Put(row) => (row.kind, row.key.clone()),
        Change::Remove { kind, key } => (*kind, key.clone()),
    }
}

/// What is to become rows, and where it lies until then.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    /// The last change of each row, by its number.
    changes: BTreeMap<u64, Change>,
    /// The number of the last change of each row.
    latest: HashMap<Name, u64>,
    /// The last numbers of the groups that lie in blocks, ascending, and where they lie.
    groups: VecDeque<(u64, Vec<u32>)>,
    /// How many blocks they have.
    used: usize,
    /// Slots that are free to be written. Those in front are taken first, so that few are used while
    /// little is to be kept.
    free: BTreeSet<u32>,
    /// Free slots that still hold what was written last.
    soiled: BTreeSet<u32>,
    /// How many slots there are.
    slots: u32,
}

impl Backlog {
    /// What was found in a file, whose rows hold everything up to the change `folded`.
    pub(super) fn new(
        found: blocks::Recent,
        folded: u64,
        is_stored: impl Fn(&Name) -> bool,
    ) -> Self {
        let mut backlog = Self {
            slots: found.slots.last().map_or(0, |slot| slot + 1),
            free: found.slots.clone(),
            soiled: found.slots,
            ..Self::default()
        };
        for group in found.groups {
            let changes = group.changes.into_iter().filter(|(seq, _)| *seq > folded);
            for slot in &group.slots {
                backlog.free.remove(slot);
                backlog.soiled.remove(slot);
            }
            backlog.take(group.last, group.slots, changes, &is_stored);
        }
        backlog
    }

    /// The slots that a group of so many blocks will lie in.
    pub(super) fn slots_for(&self, blocks: usize) -> Vec<u32> {
        let new = self.slots..;
        self.free.iter().copied().chain(new).take(blocks).collect()
    }

    /// Takes a group whose blocks lie in these slots.
    pub(super) fn take(
        &mut self,
        last: u64,
        slots: Vec<u32>,
        changes: impl IntoIterator<Item = (u64, Change)>,
        is_stored: impl Fn(&Name) -> bool,
    ) {
        for slot in &slots {
            self.free.remove(slot);
            self.soiled.remove(slot);
            self.slots = self.slots.max(slot + 1);
        }
        self.used += slots.len();
        self.groups.push_back((last, slots));
        for (seq, change) in changes {
            let name = name_of(&change);
            if let Some(before) = self.latest.get(&name) {
                self.changes.remove(before);
            }
            // A row that was never written need not be removed. Its blocks are free no later than that of
            // its removal, so that it does not come back.
            if matches!(change, Change::Remove { .. }) && !is_stored(&name) {
                self.latest.remove(&name);
                continue;
            }
            self.latest.insert(name, seq);
            self.changes.insert(seq, change);
        }
    }

    /// The oldest change whose row is to be written; it is taken as if it were.
    pub(super) fn pop(&mut self) -> Option<(u64, Change)> {
        let (seq, change) = self.changes.pop_first()?;
        self.latest.remove(&name_of(&change));
        Some((seq, change))
    }

    /// Up to which change the rows hold everything that is not changed again later; `last_seq` is the last
    /// of all.
    pub(super) fn folded(&self, last_seq: u64) -> u64 {
        self.changes
            .first_key_value()
            .map_or(last_seq, |(seq, _)| seq - 1)
    }

    /// The rows hold everything up to this change, durably: the blocks of the groups up to it are free.
    pub(super) fn release(&mut self, folded: u64) {
        while self.groups.front().is_some_and(|(last, _)| *last <= folded)
            && let Some((_, slots)) = self.groups.pop_front()
        {
            self.used -= slots.len();
            self.free.extend(&slots);
            self.soiled.extend(slots);
        }
    }

    /// How many blocks are in use.
    pub(super) const fn used(&self) -> usize {
        self.used
    }

    /// How many blocks would be in use once the rows hold everything up to this change.
    pub(super) fn used_after(&self, folded: u64) -> usize {
        let groups = self.groups.iter();
        let gone = groups.take_while(|(last, _)| *last <= folded);
        self.used - gone.map(|(_, slots)| slots.len()).sum::<usize>()
    }

    /// Whether no block is in use.
    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Whether no block is in use, and none holds what nobody needs any more.
    pub(super) fn is_tidy(&self) -> bool {
        self.groups.is_empty() && self.soiled.is_empty()
    }

    /// Some free slots that hold what nobody needs any more.
    pub(super) fn soiled(&self, max: usize) -> Vec<u32> {
        self.soiled.iter().copied().take(max).collect()
    }

    /// These slots are blank.
    pub(super) fn cleaned(&mut self, slots: &[u32]) {
        for slot in slots {
            self.soiled.remove(slot);
        }
    }

    /// The slots from this number on, if all of them are free, are no more.
    pub(super) fn shorten(&mut self, slots: u32) {
        self.free.split_off(&slots);
        self.soiled.split_off(&slots);
        self.slots = self.slots.min(slots);
    }

    /// How many slots there are.
    pub(super) const fn slots(&self) -> u32 {
        self.slots
    }
}

#[cfg(test)]
mod tests;
