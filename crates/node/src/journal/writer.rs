//! The thread that writes: the core hands it changes and never waits for the disk.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use super::{
    error::WriteError,
    file::{JournalFile, Tended},
    row::Change,
};

/// Takes changes, and makes them durable in groups on a thread of its own.
///
/// Dropping it waits until everything that was taken is durable, or has failed; and for whatever
/// `tell` waits for.
#[derive(Debug)]
pub struct Writer {
    /// `None` only while it is dropped: that ends the thread.
    inbox: Option<Sender<Group>>,
    state: Arc<State>,
    pending_max: usize,
    thread: Option<JoinHandle<()>>,
}

/// Changes that are made durable together, and the number of the first: the others follow it.
type Group = (u64, Vec<Change>);

/// What the two threads share.
#[derive(Debug, Default)]
struct State {
    pending: AtomicUsize,
    failed: AtomicBool,
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
pub enum Progress {
    /// All changes up to this number are durable.
    Durable(u64),
    /// What was not durable before never will be. Told once, and nothing after it.
    Failed(WriteError),
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

impl Writer {
    /// Starts the thread. `tell` is called there, in the order of the numbers.
    ///
    /// # Errors
    ///
    /// When the operating system has no thread for it.
    pub fn spawn(
        file: JournalFile,
        limits: Limits,
        tell: impl Fn(Progress) + Send + 'static,
    ) -> io::Result<Self> {
        let (sender, inbox) = mpsc::channel();
        let state = Arc::new(State::default());
        let work = Work {
            file,
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

    /// Hands changes over that belong together: all of them will be durable, or none. It never waits. `first`
    /// is the number of the first, the others follow it; all are higher than any before.
    ///
    /// # Errors
    ///
    /// The changes were not taken: see [`AppendError`].
    pub fn append(&self, first: u64, changes: Vec<Change>) -> Result<(), AppendError> {
        if self.state.failed.load(Ordering::Acquire) {
            return Err(AppendError::Failed);
        }
        let count = changes.len();
        // Counted first: the thread may be done with them before this returns.
        if self.state.pending.fetch_add(count, Ordering::Relaxed) >= self.pending_max {
            self.state.pending.fetch_sub(count, Ordering::Relaxed);
            return Err(AppendError::Behind);
        }
        let inbox = self
            .inbox
            .as_ref()
            .expect("the inbox is taken only by dropping");
        inbox.send((first, changes)).map_err(|_| {
            self.state.pending.fetch_sub(count, Ordering::Relaxed);
            AppendError::Failed
        })
    }

    /// How many changes were taken and are not durable yet. After a failure they stay counted.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.state.pending.load(Ordering::Relaxed)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.inbox.take());
        if let Some(thread) = self.thread.take() {
            // A panic of that thread was reported where it happened.
            let _panicked = thread.join();
        }
    }
}

/// What the thread owns.
struct Work {
    file: JournalFile,
    inbox: Receiver<Group>,
    state: Arc<State>,
    group: Vec<(u64, Change)>,
    group_max: usize,
    /// Nothing is left to tidy up before the next write.
    rested: bool,
}

impl Work {
    fn run(mut self, tell: impl Fn(Progress)) {
        if let Err(error) = self.serve(&tell) {
            // Before it is told, so that whoever hears of it finds the door closed.
            self.state.failed.store(true, Ordering::Release);
            tell(Progress::Failed(error));
        }
    }

    fn serve(&mut self, tell: &impl Fn(Progress)) -> Result<(), WriteError> {
        while let Some(next) = self.next()? {
            self.add(next);
            while self.group.len() < self.group_max
                && let Ok(next) = self.inbox.try_recv()
            {
                self.add(next);
            }
            let taken = self.group.len();
            self.file.write(self.group.drain(..))?;
            self.rested = false;
            self.state.pending.fetch_sub(taken, Ordering::Relaxed);
            tell(Progress::Durable(self.file.last_seq()));
            if self.file.overdue()? {
                self.file.tend()?;
            }
        }
        Ok(())
    }

    fn add(&mut self, (first, changes): Group) {
        self.group.extend((first..).zip(changes));
    }

    /// The next changes; quiet moments are used to tidy up. `None` when there will be no more.
    fn next(&mut self) -> Result<Option<Group>, WriteError> {
        while !self.rested {
            match self.inbox.recv_timeout(QUIET) {
                Ok(next) => return Ok(Some(next)),
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
                Err(RecvTimeoutError::Timeout) => self.rested = self.file.tend()? == Tended::Done,
            }
        }
        Ok(self.inbox.recv().ok())
    }
}

/// How long nothing must come before a moment counts as quiet.
const QUIET: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests;
