//! The backlog: changes that are durable in blocks and whose rows are not written yet.
//!
//! Most rows of a call are changed again or removed before it is their turn, and are never written.

use std::collections::{BTreeMap, HashMap, VecDeque};

use engine::journal::Change;

use super::{blocks, slots::Slots};

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
    /// Where blocks lie.
    slots: Slots,
}

impl Backlog {
    /// What was found in a file, whose rows hold everything up to the change `folded`.
    pub(super) fn new(
        found: blocks::Recent,
        folded: u64,
        is_stored: impl Fn(&Name) -> bool,
    ) -> Self {
        let in_use = found.groups.iter().flat_map(|group| &group.slots).copied();
        let mut backlog = Self {
            slots: Slots::new(found.slots, in_use),
            ..Self::default()
        };
        for group in found.groups {
            let changes = group.changes.into_iter().filter(|(seq, _)| *seq > folded);
            backlog.take(group.last, group.slots, changes, &is_stored);
        }
        backlog
    }

    /// Takes a group whose blocks lie in these slots.
    pub(super) fn take(
        &mut self,
        last: u64,
        slots: Vec<u32>,
        changes: impl IntoIterator<Item = (u64, Change)>,
        is_stored: impl Fn(&Name) -> bool,
    ) {
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
            self.slots.release(slots);
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

    /// Where blocks lie.
    pub(super) const fn slots(&self) -> &Slots {
        &self.slots
    }

    /// Where blocks lie, to take some or to clean them.
    pub(super) const fn slots_mut(&mut self) -> &mut Slots {
        &mut self.slots
    }
}

#[cfg(test)]
mod tests;
