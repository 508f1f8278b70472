//! The thread that writes: the core hands it changes and never waits for the disk.

use std::io;

pub use super::gate::{AppendError, Limits, Progress};
use super::{
    error::WriteError,
    file::{JournalFile, Tended},
    gate::{Gate, Store},
    row::Change,
};

/// Takes changes, and makes them durable in groups on a thread of its own.
///
/// Dropping it waits until everything that was taken is durable, or has failed; and for whatever
/// `tell` waits for.
#[derive(Debug)]
pub struct Writer {
    gate: Gate<Change>,
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
        let gate = Gate::open(file, limits, tell)?;
        Ok(Self { gate })
    }

    /// Hands changes over that belong together: all of them will be durable, or none. It never waits. `first`
    /// is the number of the first, the others follow it; all are higher than any before.
    ///
    /// # Errors
    ///
    /// The changes were not taken: see [`AppendError`].
    pub fn append(&self, first: u64, changes: Vec<Change>) -> Result<(), AppendError> {
        self.gate.append(first, changes)
    }

    /// How many changes were taken and are not durable yet. After a failure they stay counted.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.gate.pending()
    }
}

impl Store for JournalFile {
    type Change = Change;
    type Error = WriteError;

    fn write(&mut self, group: impl Iterator<Item = (u64, Change)>) -> Result<(), WriteError> {
        Self::write(self, group)
    }

    fn last_seq(&self) -> u64 {
        Self::last_seq(self)
    }

    fn overdue(&mut self) -> Result<bool, WriteError> {
        Self::overdue(self)
    }

    fn tend(&mut self) -> Result<Tended, WriteError> {
        Self::tend(self)
    }
}

#[cfg(test)]
mod tests;
