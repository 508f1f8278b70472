//! The journal: what a call needs to outlive the process, on disk before anybody is told.
//!
//! A row is bytes under a kind and a key. Every change has a number that only ascends; the caller
//! gives it. [`file::JournalFile`] holds the rows in one SQLite file and makes groups of changes
//! durable; [`writer::Writer`] does that on a thread of its own, so that the core never waits for a
//! disk; [`look`] reads a file beside the node that writes it.
//!
//! What the bytes mean is not known here.
//!
//! # How it lies in the file
//!
//! A group is made durable as it is, in [blocks] of one page each that are written over again and
//! again: no index is searched and no page is written that is not full of it. Its rows are written
//! later, where they are still what they were then; most are not. Until then the [backlog] knows them.
//! The head says up to which change the rows are written; whoever reads the file adds the groups after
//! that.
//!
//! # What is believed
//!
//! Nothing that cannot be proven whole. Each row and each block carries a checksum, the head carries
//! the count and the sum of all rows, each group names the one before it, and opening a file checks its
//! structure. A row that does not fit is left out and reported, a group that is not whole or not there
//! is counted; a file whose structure is unsound is refused and left as it is. After the first
//! failed write the file is never written again: a disk that failed once to make something durable
//! may say yes the second time and have lost it all the same.

use crate::sync;

mod backlog;
mod blocks;
pub mod error;
pub mod file;
mod gate;
pub mod look;
mod place;
mod read;
pub mod row;
mod schema;
#[cfg(test)]
pub(crate) mod scratch;
pub mod wal;
pub mod writer;
