//! What happens to the machine: its process dies and comes again, and its disk is no good.

use std::time::Duration;

use rand::RngExt as _;

use super::{
    act::Storm,
    centre::{LEAVES, Variant},
    draw::{between, chance},
    faults::Fault,
    oracle::{After, Lost, Oracle, Verdict},
};
use crate::host::{Beginning, Flipped, Host, Undone, WallClock};

impl Storm {
    pub(super) fn kill(&mut self) -> Verdict {
        self.faults.note(Fault::Killed);
        self.tell("it is killed");
        self.come_again()?;
        // Again, before anybody has done much.
        while chance(&mut self.rng, 0.3) {
            self.faults.note(Fault::KilledTwice);
            let gap = between(&mut self.rng, 0.0, 0.9);
            self.pass(gap)?;
            self.tell("it is killed again");
            self.come_again()?;
        }
        Ok(())
    }

    /// Another process begins in place of one that died or is killed now.
    pub(super) fn come_again(&mut self) -> Verdict {
        let had_failed = self.world.host(self.node).is_some_and(Host::has_failed);
        let lost = self.world.kill(self.node);
        self.faults.add(Fault::Unsynced, lost.unsynced);
        self.faults.add(Fault::Torn, lost.torn);
        self.look(After::Act)?;
        let down = match chance(&mut self.rng, 0.8) {
            true => between(&mut self.rng, 0.0, 1.5),
            false => between(&mut self.rng, 1.5, 10.0),
        };
        self.pass_dead(down)?;
        if had_failed {
            self.world.change_disk(self.node);
            self.oracle.forgive();
        } else if chance(&mut self.rng, 0.05) {
            self.rot();
        }
        self.restarts += 1;
        self.begin()
    }

    /// Lets time pass while no process is there.
    fn pass_dead(&mut self, duration: Duration) -> Verdict {
        let until = self.world.now() + duration;
        while self.world.advance(until) {
            self.look(After::Act)?;
            self.hear_peers();
        }
        Ok(())
    }

    fn begin(&mut self) -> Verdict {
        let mut beginning = Beginning::default();
        if !self.is_over && chance(&mut self.rng, 0.1) {
            self.faults.note(Fault::KilledInRecovery);
            beginning.dies_after = Some(self.rng.random_range(1..20));
        }
        if chance(&mut self.rng, 0.05) {
            let (fault, clock) = match chance(&mut self.rng, 0.5) {
                true => (Fault::ClockForth, WallClock::Forth),
                false => (Fault::ClockBack, WallClock::Back),
            };
            self.faults.note(fault);
            beginning.boot = Some(clock);
        }
        if chance(&mut self.rng, 0.15) {
            self.faults.note(Fault::Reconfigured);
            self.variant = self.variant.other();
        }
        let variant = self.variant;
        self.tell(format_args!("it begins: {variant:?}, {beginning:?}"));
        let mut config = self.variant.config(self.seed ^ (self.restarts << 40));
        if let Some(planted) = self.planted {
            planted.put_into(&mut config);
        }
        let rows = self.world.rows_of_dead(self.node).cloned();
        self.oracle.begin(beginning.boot.is_some());
        self.world.revive(self.node, config, beginning);
        let Some(host) = self.world.host(self.node) else {
            return Ok(());
        };
        let (damaged, lost) = (host.opened().damaged.len(), host.opened().lost_groups);
        let unread = host.losses().iter().map(|loss| loss.error.to_string());
        // An agent that the configuration does not know is told.
        let unread: Vec<_> = unread.filter(|told| !told.contains(LEAVES)).collect();
        if !unread.is_empty() {
            return Err(format!("rows that cannot be read: {unread:?}"));
        }
        if damaged > 0 || lost > 0 {
            let told = format!("{damaged} rows are damaged, and {lost} groups lost");
            self.tell(told);
        }
        let Some(host) = self.world.host(self.node) else {
            return Ok(());
        };
        if let Some(rows) = rows {
            let now = self.world.now();
            Oracle::look_at_beginning(&host.engine, now, &rows, host.clock())?;
            if self.variant == Variant::Other {
                self.oracle.note_alone(&host.engine.calls(now));
            }
        }
        self.look(After::Act)
    }

    /// A bit of the disk flips. What was in that row is lost, or what the last groups had made of theirs, and
    /// nothing else.
    fn rot(&mut self) {
        let Some(flipped) = self.world.flip_a_bit(self.node) else {
            return;
        };
        let config = self.variant.config(self.seed);
        let now = self.world.now();
        let lost = match flipped {
            Flipped::Row(row) => {
                self.faults.note(Fault::BitFlipped);
                self.tell(format_args!("a bit flips in {row:?}"));
                Lost::of(vec![row], config.names(), now)
            }
            Flipped::Log(Undone { rows, groups }) => {
                self.faults.note(Fault::LogDamaged);
                self.tell(format_args!("the last {groups} groups are undone"));
                Lost::of(rows, config.names(), now)
            }
            Flipped::Structure => {
                self.faults.note(Fault::JournalBroken);
                self.tell("the journal is put aside");
                self.world.forgive_all();
                return self.oracle.forgive();
            }
        };
        self.oracle.forgive_rows(&mut self.world, &lost);
    }

    pub(super) fn stall(&mut self) {
        let lasts = match chance(&mut self.rng, 0.8) {
            true => between(&mut self.rng, 0.5, 9.0),
            // Nobody waits for a disk so long.
            false => between(&mut self.rng, 10.0, 20.0),
        };
        self.faults.note(Fault::Stalled);
        self.tell(format_args!("the disk stalls for {lasts:?}"));
        let until = self.world.now() + lasts;
        if let Some(host) = self.world.host_mut(self.node) {
            host.stall_disk(until);
        }
    }

    /// The disk is full: calls that are there go on, and somebody puts another disk in when they are over,
    /// or after some minutes.
    pub(super) fn fill(&mut self) -> Verdict {
        self.faults.note(Fault::Full);
        self.tell("the disk is full");
        if let Some(host) = self.world.host_mut(self.node) {
            host.fill_disk();
        }
        for _ in 0..self.rng.random_range(1..20) {
            self.pass(Duration::from_secs(15))?;
            if self.world.host(self.node).is_some_and(Host::has_failed)
                && chance(&mut self.rng, 0.3)
            {
                self.call();
            }
        }
        self.tell("another disk is put in");
        self.come_again()
    }
}
