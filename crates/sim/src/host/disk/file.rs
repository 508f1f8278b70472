//! The file of a simulated disk, as the node's journal has it: rows, and beside them a log of the last groups of
//! changes. What is damaged in a row costs that row, and is told. What is damaged in the log costs all groups
//! from there on, which are counted but for the last: that might have been torn.

use std::collections::BTreeMap;

use engine::journal::{Change, Row};
use rand::RngExt as _;
use rand_pcg::Pcg64Mcg;

use super::{Name, Rows};

/// Rows and their log.
#[derive(Clone, Debug, Default)]
pub(super) struct File {
    /// As they can be read, with all groups of the log.
    rows: Rows,
    /// As they read now where they cannot be believed: they stay until others take their places.
    damaged: BTreeMap<Name, Row>,
    /// What each group of the log replaced, the oldest first.
    log: Vec<Vec<Replaced>>,
}

/// A row before a change.
#[derive(Clone, Debug)]
struct Replaced {
    name: Name,
    before: Option<Row>,
}

/// What a file tells when it is opened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Opened {
    /// The rows that can be believed.
    pub(crate) rows: Rows,
    /// Those that cannot.
    pub(crate) damaged: Vec<Name>,
    /// Groups that were durable and are lost.
    pub(crate) lost_groups: u64,
}

/// What a flipped bit has hit.
#[derive(Clone, Debug)]
pub(crate) enum Flipped {
    /// A row.
    Row(Row),
    /// The log: what groups had made of rows is undone.
    Log(Undone),
    /// What holds rows together: nothing can be read any more.
    Structure,
}

/// What is undone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Undone {
    /// Rows as they were, and as they are again.
    pub(crate) rows: Vec<Row>,
    /// How many groups.
    pub(crate) groups: u64,
}

/// So many groups are in the log at most: then they are moved into the rows.
const LOG_MAX: usize = 64;

impl File {
    pub(super) const fn rows(&self) -> &Rows {
        &self.rows
    }

    /// All of a group, at once.
    pub(super) fn write(&mut self, group: Vec<Change>) {
        if self.log.len() >= LOG_MAX {
            self.log.clear();
        }
        let mut replaced = Vec::with_capacity(group.len());
        for change in group {
            let (name, row) = match change {
                Change::Put(row) => ((row.kind, row.key.clone()), Some(row)),
                Change::Remove { kind, key } => ((kind, key), None),
            };
            self.damaged.remove(&name);
            let before = match row {
                Some(row) => self.rows.insert(name.clone(), row),
                None => self.rows.remove(&name),
            };
            replaced.push(Replaced { name, before });
        }
        self.log.push(replaced);
    }

    /// Reads everything, as a process that begins does. The log is moved into the rows.
    pub(super) fn open(&mut self, lost_groups: u64) -> Opened {
        self.log.clear();
        Opened {
            rows: self.rows.clone(),
            damaged: self.damaged.keys().cloned().collect(),
            lost_groups,
        }
    }

    /// Rows that cannot be believed, as they read.
    pub(super) const fn damaged(&self) -> &BTreeMap<Name, Row> {
        &self.damaged
    }

    /// Flips a bit somewhere; `None` where nothing is.
    pub(super) fn flip(&mut self, rng: &mut Pcg64Mcg) -> Option<Flipped> {
        match rng.random_range(0..10) {
            0 => Some(Flipped::Structure),
            1..5 if !self.log.is_empty() => {
                let first = rng.random_range(0..self.log.len());
                Some(Flipped::Log(self.undo_from(first)))
            }
            _ => self.flip_in_row(rng).map(Flipped::Row),
        }
    }

    fn flip_in_row(&mut self, rng: &mut Pcg64Mcg) -> Option<Row> {
        let count = self.rows.len();
        let which = rng.random_range(0..count.max(1));
        let name = self.rows.keys().nth(which)?.clone();
        let row = self.rows.remove(&name)?;
        let mut reads = row.clone();
        if !reads.body.is_empty() {
            let at = rng.random_range(0..reads.body.len());
            reads.body[at] ^= 1 << rng.random_range(0..8);
        }
        self.damaged.insert(name, reads);
        Some(row)
    }

    fn undo_from(&mut self, first: usize) -> Undone {
        let undone = self.log.split_off(first);
        let groups = undone.len() as u64;
        let mut rows = Vec::new();
        for Replaced { name, before } in undone.into_iter().rev().flat_map(|group| {
            let group: Vec<_> = group.into_iter().rev().collect();
            group
        }) {
            rows.extend(before.clone());
            let after = match before {
                Some(before) => self.rows.insert(name, before),
                None => self.rows.remove(&name),
            };
            rows.extend(after);
        }
        Undone { rows, groups }
    }
}
