//! A simulated disk: groups of changes become durable a little later, in their order, or not at all.

mod file;

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use engine::journal::{Change, Kind, Row};
use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;

use self::file::File;
pub(crate) use self::file::{Flipped, Opened, Undone};
use crate::storm::Planted;

/// How a disk behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DiskManner {
    /// The longest that a group of changes takes to be durable; the shortest is nothing.
    pub delay: Duration,
    /// How probable it is, when the machine's process dies, that a group is there of which nobody had been
    /// told yet that it is.
    pub unheard: f64,
}

impl DiskManner {
    /// Everything is durable at once.
    pub const PERFECT: Self = Self {
        delay: Duration::ZERO,
        unheard: 0.0,
    };
}

/// Rows by kind and key.
pub(crate) type Rows = BTreeMap<Name, Row>;

/// A kind and a key.
type Name = (u16, Vec<u8>);

/// From how long on a group that is not durable makes its node say that the disk is late.
const LATE_AFTER: Duration = Duration::from_millis(500);

/// From how long on the disk counts as failed.
const FAILED_AFTER: Duration = Duration::from_secs(10);

/// How a disk stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Sound,
    Late,
    Failed,
}

/// What was lost when a process died.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LostGroups {
    /// Groups that had not been synced.
    pub(crate) unsynced: u64,
    /// Groups of which a part had been written: nothing of them is there.
    pub(crate) torn: u64,
}

pub(super) struct Disk {
    manner: DiskManner,
    rng: Pcg64Mcg,
    file: File,
    /// Groups of the file that are lost, and are told when it is opened.
    lost_groups: u64,
    groups_durable: u64,
    pending: VecDeque<Pending>,
    /// Nothing becomes durable before.
    stalled_until: Option<Instant>,
    is_full: bool,
    is_stopped: bool,
    standing: Standing,
    planted: Option<Planted>,
}

/// A group that was taken and is not durable.
struct Pending {
    taken_at: Instant,
    durable_at: Instant,
    group: Vec<Change>,
}

impl Disk {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            manner: DiskManner::PERFECT,
            rng: Pcg64Mcg::seed_from_u64(seed),
            file: File::default(),
            lost_groups: 0,
            groups_durable: 0,
            pending: VecDeque::new(),
            stalled_until: None,
            is_full: false,
            is_stopped: false,
            standing: Standing::Sound,
            planted: None,
        }
    }

    pub(super) const fn set_manner(&mut self, manner: DiskManner) {
        self.manner = manner;
    }

    pub(super) const fn plant(&mut self, planted: Option<Planted>) {
        self.planted = planted;
    }

    /// What is under way becomes durable then, and nothing before.
    pub(super) fn stall(&mut self, until: Instant) {
        self.stalled_until = Some(until);
        for pending in &mut self.pending {
            pending.durable_at = pending.durable_at.max(until);
        }
    }

    /// The rows of a kind are there no more, and nobody is told.
    pub(super) fn lose(&mut self, kind: Kind) {
        let rows = self.file.rows().keys();
        let lost = rows.filter(|(one, _)| *one == kind.number());
        let lost = lost.map(|(kind, key)| Change::Remove {
            kind: *kind,
            key: key.clone(),
        });
        let group = lost.collect();
        self.file.write(group);
    }

    /// The next group is not taken, and none after it.
    pub(super) const fn fill_up(&mut self) {
        self.is_full = true;
    }

    pub(super) fn take(&mut self, now: Instant, group: Vec<Change>) {
        if self.standing == Standing::Failed {
            return;
        }
        let longest = self.manner.delay;
        let delay = match longest.is_zero() {
            true => Duration::ZERO,
            false => longest.mul_f64(self.rng.random::<f64>()),
        };
        // One after the other.
        let last = self.pending.back().map_or(now, |last| last.durable_at);
        let earliest = last.max(now).max(self.stalled_until.unwrap_or(now));
        self.pending.push_back(Pending {
            taken_at: now,
            durable_at: earliest + delay,
            group,
        });
        self.catch_up(now);
    }

    /// Does what it has done by now; whether its standing or what is durable is another since.
    pub(super) fn catch_up(&mut self, now: Instant) -> bool {
        if self.standing == Standing::Failed || self.is_stopped {
            return false;
        }
        let before = (self.groups_durable, self.standing);
        if self.is_full && !self.pending.is_empty() {
            self.fail();
            return true;
        }
        while let Some(pending) = self.pending.front()
            && pending.durable_at <= now
            && let Some(Pending { group, .. }) = self.pending.pop_front()
        {
            self.groups_durable += 1;
            let is_lost = self.planted == Some(Planted::GroupLost);
            if !(is_lost && self.groups_durable.is_multiple_of(50)) {
                self.write(group);
            }
        }
        let waits = self.pending.front().map(|first| now - first.taken_at);
        match waits {
            Some(waits) if waits >= FAILED_AFTER => self.fail(),
            Some(waits) if waits >= LATE_AFTER => self.standing = Standing::Late,
            _ => self.standing = Standing::Sound,
        }
        before != (self.groups_durable, self.standing)
    }

    fn fail(&mut self) {
        self.standing = Standing::Failed;
        self.pending.clear();
    }

    /// When [`Self::catch_up`] does something.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let first = self.pending.front()?;
        let told_at = match self.standing {
            Standing::Sound => first.taken_at + LATE_AFTER,
            Standing::Late | Standing::Failed => first.taken_at + FAILED_AFTER,
        };
        Some(first.durable_at.min(told_at))
    }

    /// Nothing becomes durable any more.
    pub(super) const fn stop(&mut self) {
        self.is_stopped = true;
    }

    /// What was not durable is lost, but for what nobody had been told of and is there all the same.
    pub(super) fn lose_power(&mut self) -> LostGroups {
        while !self.pending.is_empty() && self.rng.random_bool(self.manner.unheard) {
            let Some(Pending { group, .. }) = self.pending.pop_front() else {
                break;
            };
            self.write(group);
            self.groups_durable += 1;
        }
        // The first group that is lost may have been half written: its checksum tells, and it is as if
        // it had never been begun.
        let unsynced = self.pending.len() as u64;
        let torn = u64::from(unsynced > 0 && self.rng.random_bool(0.5));
        if torn > 0
            && self.planted == Some(Planted::TornGroupKept)
            && let Some(Pending { mut group, .. }) = self.pending.pop_front()
        {
            group.truncate(group.len() / 2);
            self.write(group);
        }
        self.pending.clear();
        self.stalled_until = None;
        self.is_stopped = false;
        LostGroups { unsynced, torn }
    }

    /// Reads all that is there, as a process that begins does.
    pub(super) fn open(&mut self) -> Opened {
        let lost_groups = std::mem::take(&mut self.lost_groups);
        let mut opened = self.file.open(lost_groups);
        if self.planted == Some(Planted::DamageBelieved) {
            let damaged = self.file.damaged().clone();
            opened.rows.extend(damaged);
            opened.damaged.clear();
        }
        opened
    }

    /// Flips a bit; what that has hit, if there was anything.
    pub(super) fn flip_a_bit(&mut self) -> Option<Flipped> {
        let flipped = self.file.flip(&mut self.rng)?;
        match &flipped {
            Flipped::Row(_) => {}
            Flipped::Log(undone) => self.lost_groups += undone.groups - 1,
            // The file is put aside, and another begun.
            Flipped::Structure => self.file = File::default(),
        }
        Some(flipped)
    }

    pub(super) const fn durable(&self) -> &Rows {
        self.file.rows()
    }

    pub(super) const fn groups_durable(&self) -> u64 {
        match self.standing {
            // Who waits for it must not wait for ever.
            Standing::Failed => u64::MAX,
            Standing::Sound | Standing::Late => self.groups_durable,
        }
    }

    pub(super) fn groups_taken(&self) -> u64 {
        self.groups_durable + self.pending.len() as u64
    }

    pub(super) fn is_behind(&self) -> bool {
        !self.pending.is_empty()
    }

    pub(super) const fn standing(&self) -> Standing {
        self.standing
    }

    /// What of the durable will be otherwise with these groups: the row, or that it is gone.
    pub(super) fn unwritten<'a>(
        &'a self,
        more: impl Iterator<Item = &'a Vec<Change>>,
    ) -> BTreeMap<(u16, &'a [u8]), Option<&'a Row>> {
        let pending = self.pending.iter().map(|pending| &pending.group);
        let changes = pending.chain(more).flatten();
        let otherwise = changes.map(|change| match change {
            Change::Put(row) => ((row.kind, &*row.key), Some(row)),
            Change::Remove { kind, key } => ((*kind, &**key), None),
        });
        otherwise.collect()
    }

    fn write(&mut self, mut group: Vec<Change>) {
        if self.planted == Some(Planted::RemovalForgotten) {
            group.retain(|change| !matches!(change, Change::Remove { .. }));
        }
        self.file.write(group);
    }
}
