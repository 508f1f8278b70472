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

/// From how many on changes wait for no others.
const LAZY_MAX: usize = 256;

/// How much may be held back. Each is a message or a fact of a few hundred bytes.
const HELD_MAX: usize = 200_000;

/// How often it is written what time it is, while there are calls.
const TIME_EVERY: Duration = Duration::from_secs(5);

/// How long changes that nobody waits for may wait for others, with which they cost no sync of their own.
const LAZY_FOR: Duration = Duration::from_millis(20);

/// What waits, each for the change of this number.
type Held<T> = VecDeque<(u64, T)>;

/// The journal of a node that runs. `S` is what it holds back to be sent, `T` what is to be told.
pub(crate) struct Keeping<S, T> {
    writer: Writer,
    told: watch::Receiver<Told>,
    clock: JournalClock,
    /// The number of the last change that was handed over.
    taken: u64,
    /// Groups that are not durable: the number of the last change of each, and when it was handed over.
    groups: VecDeque<(u64, Instant)>,
    /// Changes that wait for others, and until when.
    lazy: Option<(Instant, Vec<Change>)>,
    /// Messages: they wait for what was awaited before them.
    messages: Held<S>,
    /// Messages that are in no hurry: they wait for everything before them.
    unhurried: Held<S>,
    /// Facts and answers: they wait for everything before them.
    facts: Held<T>,
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

impl<S, T> Keeping<S, T> {
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
            lazy: None,
            messages: VecDeque::new(),
            unhurried: VecDeque::new(),
            facts: VecDeque::new(),
            time_at: None,
            state: JournalState::Kept,
        })
    }

    /// Takes changes. What is sent from now on waits for them only if they are awaited.
    pub(crate) fn record(&mut self, now: Instant, changes: Vec<Change>, is_awaited: bool) {
        let until = now + LAZY_FOR;
        let (_, lazy) = self.lazy.get_or_insert_with(|| (until, Vec::new()));
        lazy.extend(changes);
        if is_awaited || lazy.len() >= LAZY_MAX {
            self.hand_over(now);
        }
    }

    /// Hands all changes over that have been taken, as one group.
    pub(crate) fn hand_over(&mut self, now: Instant) {
        let Some((_, mut changes)) = self.lazy.take() else {
            return;
        };
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

    /// Gives a message back if what it depends on is durable; else holds it.
    pub(crate) fn hold_message(&mut self, message: S) -> Option<S> {
        if self.groups.is_empty() && self.messages.is_empty() && !self.is_due_unhurried() {
            return Some(message);
        }
        self.messages.push_back((self.taken, message));
        self.limit_held();
        None
    }

    /// The same for one that is in no hurry: it waits for what was not awaited, too.
    pub(crate) fn hold_unhurried(&mut self, message: S) -> Option<S> {
        let Some((_, lazy)) = &self.lazy else {
            return self.hold_message(message);
        };
        let after = self.taken + lazy.len() as u64;
        self.unhurried.push_back((after, message));
        self.limit_held();
        None
    }

    /// Gives a fact back if everything that was taken is durable; else holds it.
    pub(crate) fn hold_fact(&mut self, fact: T) -> Option<T> {
        if self.groups.is_empty() && self.lazy.is_none() && self.facts.is_empty() {
            return Some(fact);
        }
        let lazy = self.lazy.as_ref().map_or(0, |(_, lazy)| lazy.len());
        self.facts.push_back((self.taken + lazy as u64, fact));
        self.limit_held();
        None
    }

    /// Whether some that is in no hurry waits for no more than any other.
    fn is_due_unhurried(&self) -> bool {
        let first = self.unhurried.front();
        first.is_some_and(|&(after, _)| after <= self.taken)
    }

    fn limit_held(&mut self) {
        let messages = self.messages.len() + self.unhurried.len();
        let is_too_much = messages + self.facts.len() > HELD_MAX;
        if is_too_much && self.state != JournalState::Failed {
            error!("the disk of the journal keeps too much waiting");
            self.fail();
        }
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

    /// The next message that has waited long enough. After a failure that is every one: what could not be made
    /// durable is told all the same, since those who are in a call must not wait for a disk for ever.
    pub(crate) fn release_message(&mut self) -> Option<S> {
        let durable = self.durable();
        // In the order of what they depend on: nobody is rung before the answer to its goodbye.
        let after = |held: &Held<S>| held.front().map_or(u64::MAX, |&(after, _)| after);
        let is_next = after(&self.unhurried) < after(&self.messages);
        let held = match is_next {
            true => &mut self.unhurried,
            false => &mut self.messages,
        };
        release(held, durable)
    }

    /// The next fact that has waited long enough.
    pub(crate) fn release_fact(&mut self) -> Option<T> {
        let durable = self.durable();
        release(&mut self.facts, durable)
    }

    fn durable(&self) -> u64 {
        match self.state {
            JournalState::Failed => u64::MAX,
            _ => self.told.borrow().durable,
        }
    }

    /// Whether anything is held back.
    pub(crate) fn holds(&self) -> bool {
        !self.messages.is_empty() || !self.unhurried.is_empty() || !self.facts.is_empty()
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
        let lazy = self.lazy.as_ref().map(|&(until, _)| until);
        let due = waits.into_iter().chain(lazy);
        due.chain(self.time_due(has_calls)).min()
    }

    /// Hands over what has waited for others for long enough, and writes what time it is when that is due: the
    /// next process knows how long nobody was there.
    pub(crate) fn handle_timeout(&mut self, now: Instant, has_calls: bool) {
        if self.time_due(has_calls).is_some_and(|at| at <= now) {
            self.record(now, Vec::new(), true);
        }
        if self.lazy.as_ref().is_some_and(|&(until, _)| until <= now) {
            self.hand_over(now);
        }
    }

    /// Hands everything over and waits until it is durable, or cannot be; whether it is.
    pub(crate) fn finish(mut self) -> bool {
        self.hand_over(Instant::now());
        let (is_failed, taken) = (self.state == JournalState::Failed, self.taken);
        let told = self.told.clone();
        drop(self);
        let Told { durable, is_sound } = *told.borrow();
        !is_failed && is_sound && durable >= taken
    }

    fn time_due(&self, has_calls: bool) -> Option<Instant> {
        self.time_at.filter(|_| has_calls).map(|at| at + TIME_EVERY)
    }

    fn fail(&mut self) {
        self.state = JournalState::Failed;
        self.groups.clear();
        self.lazy = None;
    }
}

/// Whoever ends in peace leaves nothing behind that waits for others.
impl<S, T> Drop for Keeping<S, T> {
    fn drop(&mut self) {
        self.hand_over(Instant::now());
    }
}

fn release<T>(held: &mut Held<T>, durable: u64) -> Option<T> {
    let &(after, _) = held.front()?;
    let (_, what) = (after <= durable).then(|| held.pop_front())??;
    Some(what)
}

fn told_of(error: &WriteError) {
    let error = error as &dyn std::error::Error;
    error!(
        error,
        "the journal has failed: what happens from now on ends with this process"
    );
}

#[cfg(test)]
mod tests;
