//! A bounded queue as tokio's `mpsc` is one, with room that is reserved before something is sent. Whoever
//! awaits blocks its thread, since every task of a scenario has one.

use std::{collections::VecDeque, thread::panicking};

use shuttle::sync::{Arc, Condvar, Mutex};
use tokio::sync::mpsc::error::{SendError, TryRecvError};

pub(crate) mod error {
    pub(crate) use tokio::sync::mpsc::error::TrySendError;
}

use self::error::TrySendError;

pub(crate) fn channel<T>(room: usize) -> (Sender<T>, Receiver<T>) {
    let state = State {
        queue: VecDeque::new(),
        room,
        senders: 1,
        is_heard: true,
    };
    let shared = Arc::new(Shared {
        state: Mutex::new(state),
        changed: Condvar::new(),
    });
    (Sender(Arc::clone(&shared)), Receiver(shared))
}

#[derive(Debug)]
pub(crate) struct Sender<T>(Arc<Shared<T>>);

#[derive(Debug)]
pub(crate) struct Receiver<T>(Arc<Shared<T>>);

/// Room for one, which is given back if it is not used.
pub(crate) struct Permit<'a, T> {
    shared: &'a Shared<T>,
    is_used: bool,
}

#[derive(Debug)]
struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<T> {
    queue: VecDeque<T>,
    room: usize,
    senders: usize,
    is_heard: bool,
}

impl<T> Shared<T> {
    fn change<R>(&self, change: impl FnOnce(&mut State<T>) -> R) -> R {
        let result = change(&mut self.state.lock().unwrap());
        self.changed.notify_all();
        result
    }

    /// What it comes to, once it comes to something.
    fn wait<R>(&self, look: impl Fn(&mut State<T>) -> Option<R>) -> R {
        let mut state = self.state.lock().unwrap();
        loop {
            if let Some(result) = look(&mut state) {
                self.changed.notify_all();
                return result;
            }
            state = self.changed.wait(state).unwrap();
        }
    }
}

impl<T> Sender<T> {
    pub(crate) fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        self.0.change(|state| {
            if !state.is_heard {
                return Err(TrySendError::Closed(value));
            }
            if state.room == 0 {
                return Err(TrySendError::Full(value));
            }
            state.room -= 1;
            state.queue.push_back(value);
            Ok(())
        })
    }

    #[expect(clippy::unused_async, reason = "that of tokio is")]
    pub(crate) async fn reserve(&self) -> Result<Permit<'_, T>, SendError<()>> {
        self.0.wait(|state| match (state.is_heard, state.room) {
            (false, _) => Some(Err(SendError(()))),
            (true, 0) => None,
            (true, _) => {
                state.room -= 1;
                Some(Ok(()))
            }
        })?;
        Ok(Permit {
            shared: &self.0,
            is_used: false,
        })
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.change(|state| state.senders += 1);
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        if !panicking() {
            self.0.change(|state| state.senders -= 1);
        }
    }
}

impl<T> Permit<'_, T> {
    pub(crate) fn send(mut self, value: T) {
        self.is_used = true;
        self.shared.change(|state| state.queue.push_back(value));
    }
}

impl<T> Drop for Permit<'_, T> {
    fn drop(&mut self) {
        if !self.is_used && !panicking() {
            self.shared.change(|state| state.room += 1);
        }
    }
}

impl<T> Receiver<T> {
    /// The next, for whoever waits on a thread of its own.
    pub(crate) fn blocking_recv(&mut self) -> Option<T> {
        self.0.wait(|state| match state.queue.pop_front() {
            Some(value) => {
                state.room += 1;
                Some(Some(value))
            }
            None if state.senders == 0 => Some(None),
            None => None,
        })
    }

    pub(crate) fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.0.change(|state| {
            let value = state.queue.pop_front().ok_or(TryRecvError::Empty)?;
            state.room += 1;
            Ok(value)
        })
    }

    /// Whether something like this waits to be received.
    pub(crate) fn holds(&self, is_it: impl Fn(&T) -> bool) -> bool {
        self.0.change(|state| state.queue.iter().any(is_it))
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        if !panicking() {
            self.0.change(|state| {
                state.is_heard = false;
                state.queue.clear();
            });
        }
    }
}
