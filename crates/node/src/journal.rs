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
//! # What is left of what was said
//!
//! A row that is removed is to be gone from the disk, too, and not only when nobody calls. Without one quiet
//! moment (a tenth of a second in which no change comes), nothing is left of it after so many groups:
//!
//! | where | until | groups, at most |
//! |---|---|---|
//! | its blocks, and its row if it was written | as many blocks were written after the removal as are kept before rows are written | 4,096 |
//! | its blocks, free | others are written over them, or they are cleaned beside groups ([slots]) | 4,608 |
//! | the file, and the write-ahead log of SQLite | the log is moved, begun anew, and as long again | 512 |
//!
//! These are of groups of one block; groups of more need fewer. Where no moment is quiet there are ten groups
//! a second or more: it takes about a quarter of an hour then, and at a hundred groups a second a minute and a half. When
//! a moment is quiet, blocks are cleaned much faster than groups would write over them, and when all is tidied up
//! the log is emptied: nothing is left anywhere then. From a full backlog that takes no more than three hundred
//! quiet moments.
//!
//! SQLite itself leaves nothing: it clears what is deleted (`secure_delete`), free pages too, and what was in
//! its log behind what is written over is cut off each time. Two things are beyond this: while somebody
//! reads the journal, the log keeps what that look may need; and what the file system and the disk do with
//! blocks that were cut off or written over is theirs.
//!
//! # What is believed
//!
//! Nothing that cannot be proven whole. Each row and each block carries a checksum, the head carries
//! the count and the sum of all rows, each group names the one before it, and opening a file checks its
//! structure. A row that does not fit is left out and reported, a group that is not whole or not there
//! is counted; a file whose structure is unsound is refused and left as it is. After the first
//! failed write the file is never written again, by this process or another: a disk that failed once to make
//! something durable may say yes the second time and have lost it all the same. What it holds goes on in a new
//! file ([renewal]).

use crate::sync;

mod backlog;
mod blocks;
pub mod error;
pub mod file;
mod gate;
pub mod look;
pub(crate) mod place;
mod read;
pub(crate) mod renewal;
pub mod row;
mod schema;
#[cfg(test)]
pub(crate) mod scratch;
mod slots;
pub mod wal;
pub mod writer;
