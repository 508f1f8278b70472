//! Keeping: what the engine says is to outlive this process is handed to the journal's thread, and what
//! depends on it is held back until that thread says that it is durable.

mod clock;
mod opening;

use std::{
    collections::VecDeque,
    io,
    time::{Duration, Instant},
};

use engine::{JournalState, journal::Change};
use tokio::sync::watch;
use tracing::error;

use self::clock::JournalClock;
pub(crate) use self::opening::Opened;
use crate::journal::{
    error::WriteError,
    file::JournalFile,
    writer::{AppendError, Limits, Progress, Writer},
};

/// From how long on a group of changes that is not durable makes the node say that its disk is late.
const LATE_AFTER: Duration = Duration::from_millis(500);

/// From how long on the disk counts as failed. Timer B of a caller's INVITE that nobody answers is 32 s:
/// whoever sent it is to hear a refusal while there is somewhere else to go.
const FAILED_AFTER: Duration = Duration::from_secs(10);

/// How much may be held back. Each is a message or a fact of a few hundred bytes.
const HELD_MAX: usize = 200_000;

/// How often it is written what time it is, while there are calls.
const TIME_EVERY: Duration = Duration::from_secs(5);

/// The journal of a node that runs.
pub(crate) struct Keeping<T> {
    writer: Writer,
    told: watch::Receiver<Told>,
    clock: JournalClock,
    /// The number of the last change that was handed over.
    taken: u64,
    /// Groups that are not durable: the number of the last change of each, and when it was handed over.
    groups: VecDeque<(u64, Instant)>,
    /// What waits, each for the change of this number.
    held: VecDeque<(u64, T)>,
    /// When it was last written what time it is.
    time_at: Option<Instant>,
    state: JournalState,
}

/// What the journal's thread has told.
#[derive(Clone, Copy, Debug)]
struct Told {
    durable: u64,
    is_sound: bool,
}

/// How long a group of changes took to be durable.
pub(crate) type Took = Duration;

impl<T> Keeping<T> {
    /// Starts the thread of a journal.
    ///
    /// # Errors
    /// The system has no thread for it.
    pub(crate) fn start(file: JournalFile, clock: JournalClock) -> io::Result<Self> {
        let taken = file.last_seq();
        let first = Told {
            durable: taken,
            is_sound: true,
        };
        let (tell, told) = watch::channel(first);
        let writer = Writer::spawn(file, Limits::default(), move |progress| {
            tell.send_modify(|told| match progress {
                Progress::Durable(seq) => told.durable = seq,
                Progress::Failed(error) => {
                    told_of(&error);
                    told.is_sound = false;
                }
            });
        })?;
        Ok(Self {
            writer,
            told,
            clock,
            taken,
            groups: VecDeque::new(),
            held: VecDeque::new(),
            time_at: None,
            state: JournalState::Kept,
        })
    }

    /// Hands a group of changes over.
    pub(crate) fn append(&mut self, now: Instant, mut changes: Vec<Change>) {
        if self.state == JournalState::Failed {
            return;
        }
        let is_due = self.time_at.is_none_or(|at| now >= at + TIME_EVERY / 5);
        if is_due {
            self.time_at = Some(now);
            changes.push(self.clock.row(now));
        }
        let count = changes.len() as u64;
        match self.writer.append(self.taken + 1, changes) {
            Ok(()) => {
                self.taken += count;
                self.groups.push_back((self.taken, now));
            }
            Err(AppendError::Behind) => {
                error!("the disk of the journal does not keep up at all");
                self.fail();
            }
            // It is told why on its way.
            Err(AppendError::Failed) => self.fail(),
        }
    }

    /// Gives what depends on all that was handed over back, if that is durable; else holds it.
    pub(crate) fn hold(&mut self, what: T) -> Option<T> {
        if self.groups.is_empty() && self.held.is_empty() {
            return Some(what);
        }
        self.held.push_back((self.taken, what));
        if self.held.len() > HELD_MAX {
            error!("the disk of the journal keeps too much waiting");
            self.fail();
        }
        None
    }

    /// Waits until there may be something to release.
    pub(crate) async fn progressed(&mut self) {
        if self.state == JournalState::Failed {
            return std::future::pending().await;
        }
        // Its end without a word is that of a thread that panicked.
        if self.told.changed().await.is_err() {
            self.fail();
        }
    }

    /// Takes what the journal's thread has told; `took` hears of each group that became durable.
    pub(crate) fn catch_up(&mut self, now: Instant, mut took: impl FnMut(Took)) {
        let told = *self.told.borrow_and_update();
        while let Some(&(seq, at)) = self.groups.front()
            && seq <= told.durable
        {
            self.groups.pop_front();
            took(now.saturating_duration_since(at));
        }
        let waits = self.groups.front().map(|&(_, at)| now - at);
        if !told.is_sound || waits.is_some_and(|since| since >= FAILED_AFTER) {
            return self.fail();
        }
        if self.state != JournalState::Failed {
            self.state = match waits {
                Some(since) if since >= LATE_AFTER => JournalState::Late,
                _ => JournalState::Kept,
            };
        }
    }

    /// The next thing that has waited long enough. After a failure that is everything: what could not be
    /// made durable is told all the same, since those who are in a call must not wait for a disk for ever.
    pub(crate) fn release(&mut self) -> Option<T> {
        let durable = match self.groups.front() {
            Some(_) if self.state != JournalState::Failed => self.told.borrow().durable,
            _ => u64::MAX,
        };
        let &(after, _) = self.held.front()?;
        let (_, what) = (after <= durable).then(|| self.held.pop_front())??;
        Some(what)
    }

    /// Whether anything is held back.
    pub(crate) fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    /// How it stands.
    pub(crate) const fn state(&self) -> JournalState {
        self.state
    }

    /// When somebody should look again although nothing has happened.
    pub(crate) fn poll_timeout(&self, has_calls: bool) -> Option<Instant> {
        if self.state == JournalState::Failed {
            return None;
        }
        let waits = self.groups.front().map(|&(_, at)| match self.state {
            JournalState::Late => at + FAILED_AFTER,
            _ => at + LATE_AFTER,
        });
        waits.into_iter().chain(self.time_due(has_calls)).min()
    }

    /// Writes what time it is, when that is due: the next process knows how long nobody was there.
    pub(crate) fn handle_timeout(&mut self, now: Instant, has_calls: bool) {
        if self.time_due(has_calls).is_some_and(|at| at <= now) {
            self.append(now, Vec::new());
        }
    }

    fn time_due(&self, has_calls: bool) -> Option<Instant> {
        self.time_at.filter(|_| has_calls).map(|at| at + TIME_EVERY)
    }

    fn fail(&mut self) {
        self.state = JournalState::Failed;
        self.groups.clear();
    }
}

fn told_of(error: &WriteError) {
    let error = error as &dyn std::error::Error;
    error!(
        error,
        "the journal has failed: what happens from now on ends with this process"
    );
}
