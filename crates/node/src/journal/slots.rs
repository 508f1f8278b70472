//! Slots: where blocks lie, and which of them hold what nobody needs any more.
//!
//! What is left in a free slot is gone within a number of steps that does not depend on how much is left,
//! nor on whether a moment is ever quiet. A step is a group that is written, or one of tidying up. The
//! oldest is written over first, so that under a steady load all of them are, for nothing; where more has
//! become free than groups will write over, each step cleans some as well.

use std::collections::{BTreeSet, VecDeque};

/// The slots of a file.
#[derive(Debug, Default)]
pub(super) struct Slots {
    /// How many there are.
    count: u32,
    /// Those that are free and hold nothing. The ones in front are taken first, so that few are used while
    /// little is to be kept.
    blank: BTreeSet<u32>,
    /// Those that are free and still hold what was written last, the oldest in front.
    soiled: VecDeque<u32>,
    /// How many of them a step writes over or cleans, at least: as many as it takes that none is soiled for
    /// longer than [`STEPS_SOILED`].
    pace: usize,
}

impl Slots {
    /// The slots of a file of which these are there, and those in use are in use.
    pub(super) fn new(mut there: BTreeSet<u32>, in_use: impl IntoIterator<Item = u32>) -> Self {
        let count = there.last().map_or(0, |slot| slot + 1);
        for slot in in_use {
            there.remove(&slot);
        }
        let mut slots = Self {
            count,
            ..Self::default()
        };
        slots.release(there);
        slots
    }

    /// Takes slots to write so many blocks to.
    pub(super) fn take(&mut self, blocks: usize) -> Vec<u32> {
        let mut taken = self.oldest_soiled(blocks);
        while taken.len() < blocks {
            let slot = self.blank.pop_first().unwrap_or_else(|| {
                self.count += 1;
                self.count - 1
            });
            taken.push(slot);
        }
        taken
    }

    /// Nobody needs any more what lies in these.
    pub(super) fn release(&mut self, slots: impl IntoIterator<Item = u32>) {
        self.soiled.extend(slots);
        self.pace = self.pace.max(self.soiled.len().div_ceil(STEPS_SOILED));
    }

    /// Takes those that a step has to clean that has written over so many; more, if there are and it has the
    /// time for `more`. They are blank once it has.
    pub(super) fn take_soiled(&mut self, written_over: usize, more: usize) -> Vec<u32> {
        let due = self.pace.saturating_sub(written_over);
        self.oldest_soiled(due.max(more))
    }

    /// These are free and hold nothing.
    pub(super) fn cleaned(&mut self, slots: impl IntoIterator<Item = u32>) {
        self.blank.extend(slots);
    }

    /// The slots from this number on, all of them free, are no more.
    pub(super) fn shorten(&mut self, count: u32) {
        self.blank.split_off(&count);
        self.soiled.retain(|slot| *slot < count);
        self.count = self.count.min(count);
    }

    /// How many there are.
    pub(super) const fn count(&self) -> u32 {
        self.count
    }

    /// Whether none holds what nobody needs any more.
    pub(super) fn are_clean(&self) -> bool {
        self.soiled.is_empty()
    }

    fn oldest_soiled(&mut self, max: usize) -> Vec<u32> {
        let taken = self.soiled.drain(..max.min(self.soiled.len())).collect();
        if self.soiled.is_empty() {
            self.pace = 0;
        }
        taken
    }
}

/// For how many steps a slot is soiled at most. A little more than there are slots under a steady load, of
/// which each group writes over one at least: then nothing is cleaned beside that.
pub(super) const STEPS_SOILED: usize = 4608;

#[cfg(test)]
mod tests;
