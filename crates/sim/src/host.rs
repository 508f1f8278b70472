//! A machine with a node on it: the engine, a disk that keeps what it is told a little later, and what
//! waits for the disk before it is sent.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use engine::{
    Config, Engine, Event, Output,
    journal::{self, Change, Clock, Row},
};
use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;

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
pub(crate) type Rows = BTreeMap<(u16, Vec<u8>), Row>;

/// A node and its disk.
pub(crate) struct Host {
    pub(crate) engine: Engine,
    disk: Disk,
    /// What is to be sent when this many groups are durable.
    held: VecDeque<(u64, Output)>,
    /// What is to be told when this many groups are durable.
    untold: VecDeque<(u64, Output)>,
    /// Changes that wait for others with which they are handed to the disk, and until when.
    lazy: Option<(Instant, Vec<Change>)>,
    /// How much is still sent and told before the process dies.
    outputs_left: Option<u32>,
    clock: Clock,
    /// When it was last asked what to do.
    now: Instant,
    drained: u64,
}

struct Disk {
    manner: DiskManner,
    rng: Pcg64Mcg,
    durable: Rows,
    groups_durable: u64,
    /// Groups that were taken and are not durable, and when they are.
    pending: VecDeque<(Instant, Vec<Change>)>,
}

/// What is left of a node whose process died.
pub(crate) struct Dead {
    disk: Disk,
    /// What had happened for good by then, and was told nobody.
    pub(crate) untold: Vec<Event>,
}

/// How long changes that nobody waits for may wait for others.
const LAZY_FOR: Duration = Duration::from_millis(20);

/// Longer than any run.
const NEVER: Duration = Duration::from_secs(1 << 32);

/// Each so many steps it is looked at whether what is written down is what there is.
const CHECKED_EVERY: u64 = 16;

impl Host {
    /// A new machine with an empty disk. `nanos` is what the journal's clock shows.
    pub(crate) fn new(now: Instant, nanos: i64, config: Config, seed: u64) -> Self {
        let disk = Disk {
            manner: DiskManner::PERFECT,
            rng: Pcg64Mcg::seed_from_u64(seed),
            durable: Rows::new(),
            groups_durable: 0,
            pending: VecDeque::new(),
        };
        Self::start(now, nanos, config, disk)
    }

    /// Starts a process on what a dead one has left.
    pub(crate) fn again(now: Instant, nanos: i64, config: Config, dead: Dead) -> Self {
        Self::start(now, nanos, config, dead.disk)
    }

    fn start(now: Instant, nanos: i64, mut config: Config, disk: Disk) -> Self {
        let clock = Clock::new(now, nanos);
        let read = journal::decode(disk.durable.values(), &config.directory, clock);
        assert_eq!(read.losses, [], "a row that was written cannot be read");
        config.secrets = read.node.process.map(|process| process.secrets);
        let mut engine = Engine::new(now, config);
        engine.keep_journal(clock, disk.durable.values());
        engine.restore(now, read.node);
        Self {
            engine,
            disk,
            held: VecDeque::new(),
            untold: VecDeque::new(),
            lazy: None,
            outputs_left: None,
            clock,
            now,
            drained: 0,
        }
    }

    /// The process dies between two steps.
    pub(crate) fn die(mut self) -> Dead {
        // What was ready to be sent and told had happened, as far as it is durable.
        self.outputs_left = None;
        let delay = std::mem::replace(&mut self.disk.manner.delay, NEVER);
        while let Some(output) = self.engine.poll_output() {
            let _sent_nowhere = self.take(self.now, output);
        }
        self.hand_over(self.now);
        self.disk.manner.delay = delay;
        self.assert_written();
        while let Some((_, group)) = self.disk.pending.pop_front() {
            if !self.disk.rng.random_bool(self.disk.manner.unheard) {
                break;
            }
            apply(&mut self.disk.durable, group);
            self.disk.groups_durable += 1;
        }
        self.disk.pending.clear();
        let durable = self.disk.groups_durable;
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
        self.disk.manner = manner;
    }

    /// The next thing to do now: an output whose turn it is.
    pub(crate) fn poll_output(&mut self, now: Instant) -> Option<Output> {
        self.now = now;
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
        Some(output)
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
        let durable = self.disk.groups_durable;
        [&mut self.held, &mut self.untold]
            .into_iter()
            .find_map(|queue| {
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
            Output::Transmit(_) => {
                let after = self.disk.groups_taken();
                self.held.push_back((after, output));
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
        }
    }

    /// Lets the disk do what it has done by now. Whether that may have released something.
    pub(crate) fn handle_disk(&mut self, now: Instant) -> bool {
        if self.is_dead() {
            return false;
        }
        let before = self.disk.groups_durable;
        if self.lazy.as_ref().is_some_and(|&(until, _)| until <= now) {
            self.hand_over(now);
        }
        self.disk.catch_up(now);
        self.disk.groups_durable > before
    }

    /// When the disk has done the next thing.
    pub(crate) fn poll_disk(&self) -> Option<Instant> {
        let pending = self.disk.pending.front().map(|&(at, _)| at);
        let lazy = self.lazy.as_ref().map(|&(until, _)| until);
        let next = pending.into_iter().chain(lazy).min();
        next.filter(|_| !self.is_dead())
    }

    /// When the engine has something to do.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let next = self.engine.poll_timeout();
        next.filter(|_| !self.is_dead())
    }

    /// Called when all outputs of a step are taken.
    pub(crate) fn note_drained(&mut self) {
        self.drained += 1;
        if !self.is_dead() && self.drained.is_multiple_of(CHECKED_EVERY) {
            self.assert_written();
        }
    }

    /// What is written down, and what is on its way to the disk, is what there is: no change was missed.
    fn assert_written(&self) {
        let mut written = self.disk.durable.clone();
        let lazy = self.lazy.iter();
        for (_, group) in self.disk.pending.iter().chain(lazy) {
            apply(&mut written, group.clone());
        }
        let rows = self.engine.rows(self.clock);
        let rows: Rows = rows
            .into_iter()
            .map(|row| ((row.kind, row.key.clone()), row))
            .collect();
        let missed = |(name, row): (&(u16, Vec<u8>), &Row)| {
            (written.get(name) != Some(row)).then(|| format!("not as it is: {row:?}"))
        };
        let gone = written.keys().filter(|name| !rows.contains_key(*name));
        let gone = gone.map(|(kind, key)| format!("gone: {kind} {}", key.escape_ascii()));
        let wrong: Vec<_> = rows.iter().filter_map(missed).chain(gone).collect();
        assert!(wrong.is_empty(), "what is written down: {wrong:?}");
    }
}

impl Disk {
    fn take(&mut self, now: Instant, group: Vec<Change>) {
        let longest = self.manner.delay;
        let delay = match longest.is_zero() {
            true => Duration::ZERO,
            false => longest.mul_f64(self.rng.random::<f64>()),
        };
        // One after the other.
        let last = self.pending.back().map_or(now, |&(at, _)| at);
        self.pending.push_back((last.max(now) + delay, group));
        self.catch_up(now);
    }

    fn catch_up(&mut self, now: Instant) {
        while let Some(&(at, _)) = self.pending.front()
            && at <= now
            && let Some((_, group)) = self.pending.pop_front()
        {
            apply(&mut self.durable, group);
            self.groups_durable += 1;
        }
    }

    fn groups_taken(&self) -> u64 {
        self.groups_durable + self.pending.len() as u64
    }
}

fn apply(rows: &mut Rows, group: Vec<Change>) {
    for change in group {
        match change {
            Change::Put(row) => {
                rows.insert((row.kind, row.key.clone()), row);
            }
            Change::Remove { kind, key } => {
                rows.remove(&(kind, key));
            }
        }
    }
}
