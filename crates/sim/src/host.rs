//! A machine with a node on it: the engine, a disk that keeps what it is told a little later, and what
//! waits for the disk before it is sent.

mod disk;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use engine::{
    Config, Engine, Event, JournalState, Output,
    journal::{self, Change, Clock, Kind, Loss, Row},
    sip_transaction::Transmit,
};

use crate::storm::Planted;

pub use disk::DiskManner;
use disk::{Disk, Standing};
pub(crate) use disk::{Flipped, LostGroups, Opened, Rows, Undone};

/// A node and its disk.
pub(crate) struct Host {
    pub(crate) engine: Engine,
    /// When the engine has something to do, as it said when all outputs of a step were taken.
    due: Option<Instant>,
    disk: Disk,
    /// What is to be sent when this many groups are durable.
    held: VecDeque<(u64, Output)>,
    /// The same for what is in no hurry: it waits for changes that nobody waits for, too.
    unhurried: VecDeque<(u64, Output)>,
    /// What is to be told when this many groups are durable.
    untold: VecDeque<(u64, Output)>,
    /// Changes that wait for others with which they are handed to the disk, and until when.
    lazy: Option<(Instant, Vec<Change>)>,
    /// How much is still sent and told before the process dies.
    outputs_left: Option<u32>,
    clock: Clock,
    shift: i64,
    /// Rows that the process could not read when it began.
    losses: Vec<Loss>,
    /// What the disk told when the process began, but for the rows.
    opened: Opened,
    /// When it was last asked what to do.
    now: Instant,
    drained: u64,
    checked_every: u64,
    planted: Option<Planted>,
}

/// What is left of a node whose process died.
pub(crate) struct Dead {
    disk: Disk,
    /// By how many nanoseconds the journal's clock is ahead of the world's.
    shift: i64,
    died_at: Instant,
    /// What had happened for good by then, and was told nobody.
    pub(crate) untold: Vec<Event>,
    pub(crate) lost: LostGroups,
    checked_every: u64,
    planted: Option<Planted>,
}

/// How a process begins after another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Beginning {
    /// After how many messages and facts it dies, too.
    pub(crate) dies_after: Option<u32>,
    /// What the machine's clock on the wall did, where the machine itself was started anew.
    pub(crate) boot: Option<WallClock>,
}

/// What a clock on the wall did while nobody looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WallClock {
    /// It was set forth by an hour.
    Forth,
    /// It was set back by an hour.
    Back,
}

/// How long changes that nobody waits for may wait for others.
const LAZY_FOR: Duration = Duration::from_millis(20);

/// Each so many steps it is looked at whether what is written down is what there is.
const CHECKED_EVERY: u64 = 16;

const HOUR: Duration = Duration::from_secs(3600);

impl Host {
    /// A new machine with an empty disk. `nanos` is what the journal's clock shows.
    pub(crate) fn new(now: Instant, nanos: i64, config: Config, seed: u64) -> Self {
        let dead = Dead {
            disk: Disk::new(seed),
            shift: 0,
            died_at: now,
            untold: Vec::new(),
            lost: LostGroups::default(),
            checked_every: CHECKED_EVERY,
            planted: None,
        };
        Self::again(now, nanos, config, dead, Beginning::default())
    }

    /// Starts a process on what a dead one has left.
    pub(crate) fn again(
        now: Instant,
        nanos: i64,
        mut config: Config,
        dead: Dead,
        beginning: Beginning,
    ) -> Self {
        let mut disk = dead.disk;
        // As the node has it: the machine's own clock, and the one on the wall where the machine itself
        // was started anew. One that was set back counts as no time.
        let shift = match beginning.boot {
            None => dead.shift,
            Some(WallClock::Forth) => dead.shift + signed(HOUR),
            Some(WallClock::Back) => dead.shift - signed(now - dead.died_at),
        };
        let clock = Clock::new(now, nanos + shift);
        let forgotten = dead.planted.and_then(Planted::kind_forgotten);
        let opened = disk.open();
        let rows = opened.rows.values();
        let rows = rows.filter(|row| Some(row.kind) != forgotten.map(journal::Kind::number));
        let read = journal::decode(rows, config.names(), clock);
        config.secrets = read.node.process.map(|process| process.secrets);
        let mut engine = Engine::new(now, config);
        engine.keep_journal(clock, opened.rows.values());
        engine.restore(now, read.node, now - dead.died_at);
        Self {
            due: engine.poll_timeout(),
            engine,
            disk,
            held: VecDeque::new(),
            unhurried: VecDeque::new(),
            untold: VecDeque::new(),
            lazy: None,
            outputs_left: beginning.dies_after,
            clock,
            shift,
            losses: read.losses,
            opened: Opened {
                rows: Rows::new(),
                ..opened
            },
            now,
            drained: 0,
            checked_every: dead.checked_every,
            planted: dead.planted,
        }
    }

    /// The process dies between two steps.
    pub(crate) fn die(mut self, now: Instant) -> Dead {
        // What was ready to be sent and told had happened, as far as it is durable.
        self.outputs_left = None;
        self.disk.stop();
        while let Some(output) = self.engine.poll_output() {
            let _sent_nowhere = self.take(self.now, output);
        }
        self.hand_over(self.now);
        self.assert_written();
        let lost = self.disk.lose_power();
        let durable = self.disk.groups_durable();
        let untold = self.untold.into_iter();
        let untold = untold
            .take_while(|(after, _)| *after <= durable)
            .filter_map(|(_, output)| match output {
                Output::Event(event) => Some(event),
                _ => None,
            });
        Dead {
            untold: untold.collect(),
            disk: self.disk,
            shift: self.shift,
            died_at: now,
            lost,
            checked_every: self.checked_every,
            planted: self.planted,
        }
    }

    /// Lets the process die after so many more messages and facts have left.
    pub(crate) const fn die_after(&mut self, outputs: u32) {
        self.outputs_left = Some(outputs);
    }

    /// Whether it is dead: nothing that comes is heard.
    pub(crate) const fn is_dead(&self) -> bool {
        matches!(self.outputs_left, Some(0))
    }

    pub(crate) const fn set_disk(&mut self, manner: DiskManner) {
        self.disk.set_manner(manner);
    }

    /// Nothing becomes durable before then.
    pub(crate) fn stall_disk(&mut self, until: Instant) {
        self.disk.stall(until);
    }

    /// The disk takes nothing more.
    pub(crate) const fn fill_disk(&mut self) {
        self.disk.fill_up();
    }

    /// Each so many steps, and when it dies, all that is written down is looked at.
    pub(crate) const fn check_every(&mut self, steps: u64) {
        self.checked_every = steps;
    }

    /// From now on this is wrong with it.
    pub(crate) const fn plant(&mut self, planted: Option<Planted>) {
        self.planted = planted;
        self.disk.plant(planted);
    }

    /// The next thing to do now: an output whose turn it is.
    pub(crate) fn poll_output(&mut self, now: Instant) -> Option<Output> {
        self.now = now;
        loop {
            let output = self.next_output(now)?;
            if let Some(left) = &mut self.outputs_left {
                *left -= 1;
                if *left == 0 {
                    // It dies over the last.
                    if matches!(output, Output::Event(_)) {
                        self.untold.push_front((0, output));
                    }
                    return None;
                }
            }
            if !self
                .planted
                .is_some_and(|planted| planted.swallows(&output))
            {
                return Some(output);
            }
        }
    }

    fn next_output(&mut self, now: Instant) -> Option<Output> {
        if self.is_dead() {
            return None;
        }
        while let Some(output) = self.engine.poll_output() {
            if let Some(output) = self.take(now, output) {
                return Some(output);
            }
        }
        let durable = self.disk.groups_durable();
        let after = |held: &VecDeque<(u64, Output)>| held.front().map_or(u64::MAX, |held| held.0);
        let messages = match after(&self.unhurried) < after(&self.held) {
            true => &mut self.unhurried,
            false => &mut self.held,
        };
        [messages, &mut self.untold].into_iter().find_map(|queue| {
            let &(after, _) = queue.front()?;
            let (_, output) = (after <= durable).then(|| queue.pop_front())??;
            Some(output)
        })
    }

    /// Gives an output to the disk, holds it, or gives it back: it depends on nothing.
    fn take(&mut self, now: Instant, output: Output) -> Option<Output> {
        match output {
            Output::Record {
                changes,
                is_awaited,
            } => {
                let lazy = self
                    .lazy
                    .get_or_insert_with(|| (now + LAZY_FOR, Vec::new()));
                lazy.1.extend(changes);
                if is_awaited {
                    self.hand_over(now);
                }
                None
            }
            Output::Transmit(_) if self.planted == Some(Planted::SentBeforeDurable) => Some(output),
            Output::Transmit(Transmit {
                is_goodbye: true, ..
            }) if self.lazy.is_some() => {
                let after = self.disk.groups_taken() + 1;
                self.unhurried.push_back((after, output));
                None
            }
            Output::Transmit(_) => {
                self.held.push_back((self.disk.groups_taken(), output));
                None
            }
            Output::Event(_) => {
                let after = self.disk.groups_taken() + u64::from(self.lazy.is_some());
                self.untold.push_back((after, output));
                None
            }
            Output::Resolve(_) | Output::PeerName { .. } => Some(output),
        }
    }

    /// Hands what waits for others to the disk.
    pub(crate) fn hand_over(&mut self, now: Instant) {
        if let Some((_, changes)) = self.lazy.take() {
            self.disk.take(now, changes);
            self.tell_standing(now);
        }
    }

    /// Lets the disk do what it has done by now. Whether that may have released something.
    pub(crate) fn handle_disk(&mut self, now: Instant) -> bool {
        if self.is_dead() {
            return false;
        }
        let is_lazy_due = self.lazy.as_ref().is_some_and(|&(until, _)| until <= now);
        if is_lazy_due {
            self.hand_over(now);
        }
        let changed = self.disk.catch_up(now);
        if changed {
            self.tell_standing(now);
        }
        changed || is_lazy_due
    }

    fn tell_standing(&mut self, now: Instant) {
        let state = match self.disk.standing() {
            Standing::Sound => JournalState::Kept,
            Standing::Late => JournalState::Late,
            Standing::Failed => JournalState::Failed,
        };
        self.engine.set_journal_state(now, state);
    }

    /// When the disk has done the next thing.
    pub(crate) fn poll_disk(&self) -> Option<Instant> {
        let lazy = self.lazy.as_ref().map(|&(until, _)| until);
        let next = self.disk.poll_timeout().into_iter().chain(lazy).min();
        next.filter(|_| !self.is_dead())
    }

    /// When the engine has something to do.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        debug_assert_eq!(self.due, self.engine.poll_timeout(), "it is drained");
        self.due.filter(|_| !self.is_dead())
    }

    /// Called when all outputs of a step are taken.
    pub(crate) fn note_drained(&mut self) {
        self.due = self.engine.poll_timeout();
        self.drained += 1;
        if !self.is_dead() && self.drained.is_multiple_of(self.checked_every) {
            self.assert_written();
        }
    }

    /// Whether it is not told that connections are over.
    pub(crate) fn hears_no_end(&self) -> bool {
        self.planted == Some(Planted::EndNotTold)
    }

    /// Rows that are durable.
    pub(crate) const fn durable(&self) -> &Rows {
        self.disk.durable()
    }

    /// Whether the disk has failed: what happens from then on ends with the process.
    pub(crate) fn has_failed(&self) -> bool {
        self.disk.standing() == Standing::Failed
    }

    /// Whether something waits for the disk.
    pub(crate) fn is_behind(&self) -> bool {
        let waits = [&self.held, &self.unhurried, &self.untold];
        self.disk.is_behind() || waits.iter().any(|held| !held.is_empty())
    }

    /// Rows that the process could not read when it began.
    pub(crate) fn losses(&self) -> &[Loss] {
        &self.losses
    }

    /// What the disk told when the process began, but for the rows.
    pub(crate) const fn opened(&self) -> &Opened {
        &self.opened
    }

    /// The clock of what is written down.
    pub(crate) const fn clock(&self) -> Clock {
        self.clock
    }

    /// What is written down, and what is on its way to the disk, is what there is: no change was missed.
    fn assert_written(&self) {
        if self.has_failed() {
            return;
        }
        let lazy = self.lazy.iter().map(|(_, changes)| changes);
        let unwritten = self.disk.unwritten(lazy);
        let durable = self.disk.durable().values();
        let stays = durable.filter(|row| !unwritten.contains_key(&name_of(row)));
        let written = in_order(stays.chain(unwritten.values().copied().flatten()));
        let rows = self.engine.rows(self.clock);
        let rows = in_order(&rows);
        assert!(
            rows == written,
            "what is written down: {:?}",
            differences(&rows, &written)
        );
    }
}

/// What a row is found by.
fn name_of(row: &Row) -> (u16, &[u8]) {
    (row.kind, &row.key)
}

fn in_order<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Vec<&'a Row> {
    let mut rows: Vec<_> = rows.into_iter().collect();
    rows.sort_unstable_by(|one, other| name_of(one).cmp(&name_of(other)));
    rows
}

/// What is not written as it is, and what is written and is not.
fn differences(rows: &[&Row], written: &[&Row]) -> Vec<String> {
    let missed = rows.iter().filter(|row| !written.contains(row));
    let missed = missed.map(|row| format!("not as it is: {row:?}"));
    let is_there = |name| rows.iter().any(|row| name_of(row) == name);
    let gone = written.iter().filter(|row| !is_there(name_of(row)));
    let gone = gone.map(|row| format!("gone: {} {}", row.kind, row.key.escape_ascii()));
    missed.chain(gone).collect()
}

impl Dead {
    /// What is on the disk.
    pub(crate) const fn rows(&self) -> &Rows {
        self.disk.durable()
    }

    /// A bit of the disk flips; what that has hit.
    pub(crate) fn flip_a_bit(&mut self) -> Option<Flipped> {
        self.disk.flip_a_bit()
    }

    /// The disk loses the rows of a kind.
    pub(crate) fn lose_rows(&mut self, kind: Kind) {
        self.disk.lose(kind);
    }

    /// Another disk is put in, with nothing on it.
    pub(crate) fn change_disk(&mut self, seed: u64) {
        self.disk = Disk::new(seed);
        self.disk.plant(self.planted);
    }
}

fn signed(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).expect("no run takes 292 years")
}
