//! What the core's thread and the journal's share, and in which order each touches it.
//!
//! The core counts changes, then hands them over. The thread makes them durable, discounts them, then
//! tells; when that fails it closes the door, tells so, and is done.
//!
//! This file is compiled a second time under `model`, which runs it in many orders of its steps.

use std::{io, time::Duration};

use super::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
    planted::{Planted, has_planted},
    threads::{
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
        thread::{self, JoinHandle},
    },
};
use crate::journal::{error::WriteError, file::Tended};

/// Where changes become durable: the file, or what stands for it where the order is checked.
pub(super) trait Store: Send + 'static {
    type Change: Send + 'static;
    type Error;

    /// Makes changes durable, all or none; each has its number.
    fn write(
        &mut self,
        group: impl Iterator<Item = (u64, Self::Change)>,
    ) -> Result<(), Self::Error>;

    /// The number of the last change that is durable.
    fn last_seq(&self) -> u64;

    /// Whether so much is to be tidied up that the next change had better wait for it.
    fn overdue(&mut self) -> Result<bool, Self::Error>;

    /// Tidies up for a moment.
    fn tend(&mut self) -> Result<Tended, Self::Error>;
}

/// How much a writer takes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Changes that may wait for the disk. Each holds its row in memory.
    pub pending_max: usize,
    /// From how many changes on no others are made durable with them. The more, the longer the first of
    /// them waits.
    pub group_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            pending_max: 65_536,
            group_max: 256,
        }
    }
}

/// What has become of the changes. Told on the writer's thread, which waits until it is heard.
#[derive(Debug)]
pub enum Progress<E = WriteError> {
    /// All changes up to this number are durable.
    Durable(u64),
    /// What was not durable before never will be. Told once, and nothing after it.
    Failed(E),
}

/// Why changes were not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// As many changes wait for the disk as may. Take no new calls until it has caught up.
    #[error("the disk does not keep up: too many changes wait to be journalled")]
    Behind,
    /// A write failed, as was told. The node hands over.
    #[error("the journal has failed and takes no more")]
    Failed,
}

/// The core's side. Dropping it waits until everything that was taken is durable, or has failed.
#[derive(Debug)]
pub(super) struct Gate<C> {
    /// `None` only while it is dropped: that ends the thread.
    inbox: Option<Sender<Group<C>>>,
    state: Arc<State>,
    pending_max: usize,
    thread: Option<JoinHandle<()>>,
}

/// Changes that are made durable together, and the number of the first: the others follow it.
type Group<C> = (u64, Vec<C>);

/// What the two threads share.
#[derive(Debug, Default)]
struct State {
    pending: AtomicUsize,
    failed: AtomicBool,
}

impl<C: Send + 'static> Gate<C> {
    /// Starts the thread. `tell` is called there, in the order of the numbers.
    pub(super) fn open<S: Store<Change = C>>(
        store: S,
        limits: Limits,
        tell: impl Fn(Progress<S::Error>) + Send + 'static,
    ) -> io::Result<Self> {
        let (sender, inbox) = mpsc::channel();
        let state = Arc::new(State::default());
        let work = Work {
            store,
            inbox,
            state: Arc::clone(&state),
            group: Vec::new(),
            group_max: limits.group_max.max(1),
            rested: false,
        };
        let thread = thread::Builder::new()
            .name("journal".into())
            .spawn(move || work.run(tell))?;
        Ok(Self {
            inbox: Some(sender),
            state,
            pending_max: limits.pending_max,
            thread: Some(thread),
        })
    }

    /// Hands changes over. It never waits.
    pub(super) fn append(&self, first: u64, changes: Vec<C>) -> Result<(), AppendError> {
        if self.state.failed.load(Ordering::Acquire) {
            return Err(AppendError::Failed);
        }
        let count = changes.len();
        if has_planted(Planted::CountedAfterSending) {
            self.hand_over(first, changes)?;
            self.state.pending.fetch_add(count, Ordering::Relaxed);
            return Ok(());
        }
        // Counted first: the thread may be done with them before this returns.
        self.count(count)?;
        self.hand_over(first, changes)
    }

    fn count(&self, count: usize) -> Result<(), AppendError> {
        if self.state.pending.fetch_add(count, Ordering::Relaxed) < self.pending_max {
            return Ok(());
        }
        if !has_planted(Planted::RefusedLeftCounted) {
            self.state.pending.fetch_sub(count, Ordering::Relaxed);
        }
        Err(AppendError::Behind)
    }

    fn hand_over(&self, first: u64, changes: Vec<C>) -> Result<(), AppendError> {
        let inbox = self
            .inbox
            .as_ref()
            .expect("the inbox is taken only by dropping");
        inbox.send((first, changes)).map_err(|refused| {
            let count = refused.0.1.len();
            self.state.pending.fetch_sub(count, Ordering::Relaxed);
            AppendError::Failed
        })
    }

    /// How many changes were taken and are not durable yet.
    pub(super) fn pending(&self) -> usize {
        self.state.pending.load(Ordering::Relaxed)
    }
}

impl<C> Drop for Gate<C> {
    fn drop(&mut self) {
        drop(self.inbox.take());
        if let Some(thread) = self.thread.take()
            && !has_planted(Planted::NotJoined)
        {
            // A panic of that thread was reported where it happened.
            let _panicked = thread.join();
        }
    }
}

/// What the thread owns.
struct Work<S: Store> {
    store: S,
    inbox: Receiver<Group<S::Change>>,
    state: Arc<State>,
    group: Vec<(u64, S::Change)>,
    group_max: usize,
    /// Nothing is left to tidy up before the next write.
    rested: bool,
}

impl<S: Store> Work<S> {
    fn run(mut self, tell: impl Fn(Progress<S::Error>)) {
        while let Err(error) = self.serve(&tell) {
            // Before it is told, so that whoever hears of it finds the door closed.
            let is_closed = !has_planted(Planted::DoorLeftOpen);
            self.state.failed.store(is_closed, Ordering::Release);
            tell(Progress::Failed(error));
            if !has_planted(Planted::FailureGoesOn) {
                return;
            }
        }
    }

    fn serve(&mut self, tell: &impl Fn(Progress<S::Error>)) -> Result<(), S::Error> {
        while let Some(next) = self.next()? {
            self.add(next);
            while self.group.len() < self.group_max
                && let Ok(next) = self.inbox.try_recv()
            {
                self.add(next);
            }
            if has_planted(Planted::ToldBeforeWritten) {
                tell(Progress::Durable(
                    self.group.last().map_or(0, |last| last.0),
                ));
            }
            let taken = self.group.len();
            self.store.write(self.group.drain(..))?;
            self.rested = false;
            if !has_planted(Planted::LeftCounted) {
                self.state.pending.fetch_sub(taken, Ordering::Relaxed);
            }
            tell(Progress::Durable(self.store.last_seq()));
            if self.store.overdue()? {
                self.store.tend()?;
            }
        }
        Ok(())
    }

    fn add(&mut self, (first, changes): Group<S::Change>) {
        self.group.extend((first..).zip(changes));
    }

    /// The next changes; quiet moments are used to tidy up. `None` when there will be no more.
    fn next(&mut self) -> Result<Option<Group<S::Change>>, S::Error> {
        while !self.rested {
            match self.inbox.recv_timeout(QUIET) {
                Ok(next) => return Ok(Some(next)),
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
                Err(RecvTimeoutError::Timeout) => self.rested = self.store.tend()? == Tended::Done,
            }
        }
        Ok(self.inbox.recv().ok())
    }
}

/// How long nothing must come before a moment counts as quiet.
pub(super) const QUIET: Duration = Duration::from_millis(100);
