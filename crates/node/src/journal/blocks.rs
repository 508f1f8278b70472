//! Blocks: how a group of changes lies in the file before its rows are written.
//!
//! A block fills a page. What is written over a block of before changes no other page, so that making a
//! group durable costs the pages that it fills and not one more: no tree grows, no list of free pages
//! changes.

use std::collections::{BTreeMap, BTreeSet};

use crc32fast::hash as crc32;
use engine::journal::{Change, Row};

/// The length of a block in bytes: with what SQLite puts around it, one fits on a page of 4,096 and two
/// do not, nor does any of it overflow to another page.
pub(super) const LEN: usize = 4032;

/// The length of what comes before the content.
const HEADER: usize = 36;

/// How much content a block has room for.
pub(super) const ROOM: usize = LEN - HEADER;

/// Where a body's length stands, for a row that is removed.
const REMOVED: u32 = u32::MAX;

/// Which group a block is of, and which part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Where the block lies: what was written elsewhere is not believed.
    pub(super) slot: u32,
    /// The number of the last change before the group.
    pub(super) after: u64,
    /// The number of the last change of the group.
    pub(super) last: u64,
    /// Which part of the group, from 0.
    pub(super) part: u32,
    /// How many parts it has.
    pub(super) parts: u32,
}

/// Makes a block of some content, which has room.
pub(super) fn seal(block: &mut [u8; LEN], place: &Place, content: &[u8]) {
    let length = content.len() as u32;
    block[4..8].copy_from_slice(&place.slot.to_le_bytes());
    block[8..16].copy_from_slice(&place.after.to_le_bytes());
    block[16..24].copy_from_slice(&place.last.to_le_bytes());
    block[24..28].copy_from_slice(&place.part.to_le_bytes());
    block[28..32].copy_from_slice(&place.parts.to_le_bytes());
    block[32..36].copy_from_slice(&length.to_le_bytes());
    block[HEADER..HEADER + content.len()].copy_from_slice(content);
    block[HEADER + content.len()..].fill(0);
    let sum = crc32(&block[4..]);
    block[..4].copy_from_slice(&sum.to_le_bytes());
}

/// What a block is found to be.
#[derive(Debug, PartialEq, Eq)]
enum Found<'a> {
    /// Nothing is in it.
    Blank,
    /// It cannot be believed.
    Damaged,
    Whole(Place, &'a [u8]),
}

fn unseal(slot: u32, block: &[u8]) -> Found<'_> {
    if block.len() == LEN && block.iter().all(|byte| *byte == 0) {
        return Found::Blank;
    }
    whole(block)
        .filter(|(place, _)| place.slot == slot)
        .map_or(Found::Damaged, |(place, content)| {
            Found::Whole(place, content)
        })
}

fn whole(block: &[u8]) -> Option<(Place, &[u8])> {
    let mut input = Input(block);
    let sum = input.u32()?;
    if block.len() != LEN || crc32(input.0) != sum {
        return None;
    }
    let place = Place {
        slot: input.u32()?,
        after: input.u64()?,
        last: input.u64()?,
        part: input.u32()?,
        parts: input.u32()?,
    };
    let length = input.u32()?;
    Some((place, input.bytes(length)?))
}

/// Adds a change to the content of a group.
pub(super) fn put(content: &mut Vec<u8>, seq: u64, change: &Change) {
    let (kind, version, key, body) = match change {
        Change::Put(row) => (row.kind, row.version, &row.key, Some(&row.body)),
        Change::Remove { kind, key } => (*kind, 0, key, None),
    };
    content.extend(seq.to_le_bytes());
    content.extend(kind.to_le_bytes());
    content.extend(version.to_le_bytes());
    content.extend((key.len() as u32).to_le_bytes());
    content.extend(body.map_or(REMOVED, |body| body.len() as u32).to_le_bytes());
    content.extend_from_slice(key);
    content.extend_from_slice(body.map_or(&[], Vec::as_slice));
}

/// The changes of a group; `None` when the content does not end where a change does.
fn changes(content: &[u8]) -> Option<Vec<(u64, Change)>> {
    let mut input = Input(content);
    let mut changes = Vec::new();
    while !input.0.is_empty() {
        let (seq, kind, version) = (input.u64()?, input.u16()?, input.u16()?);
        let (key_length, body_length) = (input.u32()?, input.u32()?);
        let key = input.bytes(key_length)?.to_vec();
        let change = if body_length == REMOVED {
            Change::Remove { kind, key }
        } else {
            Change::Put(Row {
                kind,
                key,
                version,
                body: input.bytes(body_length)?.to_vec(),
            })
        };
        changes.push((seq, change));
    }
    Some(changes)
}

/// What is left to read.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn bytes(&mut self, length: u32) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length as usize)?;
        self.0 = rest;
        Some(bytes)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*bytes)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }
}

/// A group as it was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// The number of its last change.
    pub(super) last: u64,
    /// Where its blocks lie.
    pub(super) slots: Vec<u32>,
    /// Its changes, ascending.
    pub(super) changes: Vec<(u64, Change)>,
}

/// Blocks as they are read, in any order.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    /// By the number of the last change of their group.
    groups: BTreeMap<u64, Parts>,
    /// Some cannot be believed.
    has_damaged: bool,
    /// All slots that there are.
    slots: BTreeSet<u32>,
}

#[derive(Debug, Default)]
struct Parts {
    after: u64,
    parts: u32,
    /// By their place in the group.
    found: BTreeMap<u32, (u32, Vec<u8>)>,
}

/// What blocks amount to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Recent {
    /// Whole groups that are not in the rows yet, ascending.
    pub(super) groups: Vec<Group>,
    /// Groups that should be there and are not; at least so many.
    pub(super) lost: u64,
    /// All slots of the file.
    pub(super) slots: BTreeSet<u32>,
}

impl Blocks {
    /// Takes what lies in a slot; one that was taken before is not taken again.
    pub(super) fn take(&mut self, slot: i64, block: &[u8]) {
        let Ok(slot) = u32::try_from(slot) else {
            // Nobody has made it.
            self.has_damaged = true;
            return;
        };
        if !self.slots.insert(slot) {
            return;
        }
        match unseal(slot, block) {
            Found::Blank => {}
            Found::Damaged => self.has_damaged = true,
            Found::Whole(place, content) => {
                let parts = self.groups.entry(place.last).or_default();
                (parts.after, parts.parts) = (place.after, place.parts);
                parts.found.insert(place.part, (slot, content.to_vec()));
            }
        }
    }

    /// The groups after the change `folded`, of which those up to `last_seq` must be there.
    pub(super) fn groups(self, folded: u64, last_seq: u64) -> Recent {
        let mut recent = Recent {
            slots: self.slots,
            ..Recent::default()
        };
        let mut is_doubtful = self.has_damaged;
        let mut up_to = folded;
        for (last, parts) in self.groups {
            if last <= folded {
                // Its rows are written; what is left of it waits to be written over.
                continue;
            }
            let after = parts.after;
            let Some(group) = parts.join(last) else {
                is_doubtful = true;
                continue;
            };
            recent.lost += u64::from(after > up_to);
            up_to = last;
            recent.groups.push(group);
        }
        recent.lost += u64::from(up_to < last_seq);
        if is_doubtful {
            // It may have been the last, after which nothing tells that it is missing.
            recent.lost = recent.lost.max(1);
        }
        recent
    }
}

impl Parts {
    fn join(self, last: u64) -> Option<Group> {
        if self.found.len() != self.parts as usize {
            return None;
        }
        let (mut slots, mut content) = (Vec::new(), Vec::new());
        for (slot, part) in self.found.into_values() {
            slots.push(slot);
            content.extend(part);
        }
        Some(Group {
            last,
            slots,
            changes: changes(&content)?,
        })
    }
}

#[cfg(test)]
mod tests;
