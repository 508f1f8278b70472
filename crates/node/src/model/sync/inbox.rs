//! The queue of a thread that may wait for a while only: shuttle's, in which no time passes, with waits that
//! are over by chance.

use std::{
    sync::mpsc::{RecvError, TryRecvError},
    time::Duration,
};

use shuttle::{
    rand::{Rng as _, thread_rng},
    sync::mpsc as endless,
};
pub(crate) use std::sync::mpsc::RecvTimeoutError;

pub(crate) use endless::Sender;

pub(crate) struct Receiver<T>(endless::Receiver<T>);

pub(crate) fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = endless::channel();
    (sender, Receiver(receiver))
}

impl<T> Receiver<T> {
    pub(crate) fn recv(&self) -> Result<T, RecvError> {
        self.0.recv()
    }

    pub(crate) fn try_recv(&self) -> Result<T, TryRecvError> {
        self.0.try_recv()
    }

    pub(crate) fn recv_timeout(&self, _: Duration) -> Result<T, RecvTimeoutError> {
        match self.0.try_recv() {
            Ok(value) => Ok(value),
            Err(TryRecvError::Disconnected) => Err(RecvTimeoutError::Disconnected),
            Err(TryRecvError::Empty) if thread_rng().gen_bool(0.5) => {
                Err(RecvTimeoutError::Timeout)
            }
            Err(TryRecvError::Empty) => self.0.recv().map_err(RecvTimeoutError::from),
        }
    }
}
