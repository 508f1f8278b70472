//! The file that is written: opened by one node at a time, and durable when a write returns.

use std::{collections::HashMap, fs::File, path::Path};

use engine::journal::Row;
use rusqlite::{Connection, ErrorCode, OpenFlags, wal::CheckpointMode};

use super::{
    backlog::{Backlog, Name, name_of},
    blocks::{self, Place},
    error::{OpenError, WriteError},
    place, read,
    row::{Change, Damage, Head, checksum},
    schema::{self, Identity},
    wal,
};

/// A journal that is open for writing.
///
/// [`Self::write`] makes a group of changes durable. Between groups, [`Self::tend`] keeps the files
/// short; without it the write-ahead log grows without end.
///
/// A group is written as it is, in blocks. Its rows are written when the blocks are needed for others or
/// nobody is in a hurry; until then they are read from the blocks.
///
/// Closing writes all rows, and moves the write-ahead log into the file, unless a write failed.
#[derive(Debug)]
pub struct JournalFile {
    // Dropped in this order: the lock is the last to go.
    conn: Connection,
    /// The head as it will be written next.
    head: Head,
    /// The number of the last change that the head in the file knows of.
    head_seq: u64,
    /// The checksums of the rows that are written.
    sums: HashMap<Name, u32>,
    backlog: Backlog,
    /// How many pages have been written, about, since it was last looked how long the log is.
    unlooked: usize,
    /// The content of the group that is written, and a block of it.
    content: Vec<u8>,
    block: Box<[u8; blocks::LEN]>,
    failed: bool,
    _lock: File,
}

/// What was in a journal when it was opened.
#[derive(Debug, Default)]
pub struct Recovered {
    /// All whole rows with the numbers of their last changes, ascending.
    pub rows: Vec<(u64, Row)>,
    /// Rows that were left out because they cannot be believed.
    pub damaged: Vec<Damage>,
    /// The number of the last change; 0 before the first. The next change has a higher one.
    pub last_seq: u64,
    /// Groups of changes that were durable and are lost, at least, because the write-ahead log is
    /// damaged before its end or a block is damaged: rows may be older than what was told. What a power
    /// cut tears is not counted; nobody had been told.
    pub lost_groups: u64,
}

/// Whether there is more to tidy up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tended {
    /// Another call does the next step.
    More,
    /// Nothing is to be done before the next write.
    Done,
}

impl JournalFile {
    /// Opens a journal, or begins one where there is no file. The directory must be there.
    ///
    /// Nothing is ever deleted: a file that cannot be used stays as it is, and
    /// [`inspect`](super::look::inspect) reads what is readable of it. Beside the file lies
    /// `<path>.lock`, which keeps a second node away, and while the journal is open `<path>-wal` and
    /// `<path>-shm`, without which the file is not whole.
    ///
    /// # Errors
    ///
    /// Every [`OpenError`] but [`OpenError::NotThere`].
    pub fn open(path: &Path) -> Result<(Self, Recovered), OpenError> {
        // SQLite takes a name that begins with "file:" for something else than a path.
        let path = std::path::absolute(path)?;
        let lock = place::lock(&path)?;
        place::check_pair(&path)?;
        place::create(&path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut conn = Connection::open_with_flags(&path, flags)?;
        schema::prepare(&conn)?;
        let identity = schema::identify(&conn)?;
        if conn.is_readonly(rusqlite::MAIN_DB)? {
            let what = format!("no right to write {}", path.display());
            return Err(OpenError::ReadOnly { what });
        }
        let lost_groups = wal::lost_groups(&place::beside(&path, "-wal"))?;
        let content = match identity {
            Identity::Fresh if lost_groups > 0 => {
                let what = "the write-ahead log is damaged, and nothing is in the file yet";
                return Err(OpenError::corrupt(what));
            }
            Identity::Fresh => {
                schema::prepare_to_write(&conn)?;
                schema::create(&mut conn)?;
                place::sync_directory(&path)?;
                read::Content::default()
            }
            Identity::Journal { format } => {
                let content = read::read(&conn, format)?;
                schema::prepare_to_write(&conn)?;
                schema::upgrade(&mut conn, format, &content.head)?;
                if !content.recent.groups.is_empty() {
                    schema::write_head(&conn, &content.head)?;
                }
                content
            }
        };
        // A journal is one without its log too, so that damage to the log cannot make it look as if
        // it had never been begun. And what was torn in the log does not stay behind in it.
        checkpoint(&conn)?;
        schema::keep_wal(&conn, false)?;
        let read::Content {
            mut rows,
            damaged,
            head,
            sums,
            recent,
        } = content;
        rows.sort_unstable_by_key(|(seq, _)| *seq);
        let recovered = Recovered {
            rows,
            damaged,
            last_seq: head.last_seq,
            lost_groups: lost_groups + recent.lost,
        };
        let backlog = Backlog::new(recent, head.folded, |name| sums.contains_key(name));
        let file = Self {
            conn,
            head,
            head_seq: head.last_seq,
            sums,
            backlog,
            unlooked: 0,
            content: Vec::new(),
            block: Box::new([0; blocks::LEN]),
            failed: false,
            _lock: lock,
        };
        Ok((file, recovered))
    }

    /// Makes a group of changes durable. Each number is higher than all before it.
    ///
    /// When it fails, the group is at the next opening there as a whole or not at all: a sync that
    /// failed leaves both open.
    ///
    /// # Errors
    ///
    /// Whatever it is, the file takes no more: everything after is [`WriteError::Failed`].
    pub fn write(
        &mut self,
        changes: impl IntoIterator<Item = (u64, Change)>,
    ) -> Result<(), WriteError> {
        if self.failed {
            return Err(WriteError::Failed);
        }
        let written = self.append(changes.into_iter().collect());
        self.hold(written)
    }

    /// Does one step of tidying up, short enough that the next write hardly waits: moves the
    /// write-ahead log into the file when it is long, writes rows whose blocks are then free, or gives
    /// free pages back to the disk.
    ///
    /// A reader that never ends keeps the log from being begun anew.
    ///
    /// # Errors
    ///
    /// As for [`Self::write`], and with the same consequence.
    pub fn tend(&mut self) -> Result<Tended, WriteError> {
        if self.failed {
            return Err(WriteError::Failed);
        }
        let tended = self.step();
        self.hold(tended)
    }

    /// Whether the write-ahead log is so long that [`Self::tend`] should not wait for a quiet
    /// moment.
    ///
    /// # Errors
    ///
    /// As for [`Self::write`], and with the same consequence.
    pub fn overdue(&mut self) -> Result<bool, WriteError> {
        if self.failed {
            return Err(WriteError::Failed);
        }
        if self.unlooked < LOOKED_EVERY {
            return Ok(false);
        }
        let unmoved = self.unmoved();
        Ok(self.hold(unmoved)? >= WAL_PAGES_MAX)
    }

    /// The number of the last durable change.
    #[must_use]
    pub const fn last_seq(&self) -> u64 {
        self.head.last_seq
    }

    fn append(&mut self, changes: Vec<(u64, Change)>) -> Result<(), WriteError> {
        let after = self.head.last_seq;
        let mut last = after;
        self.content.clear();
        for (seq, change) in &changes {
            if *seq <= last {
                return Err(WriteError::OutOfOrder { seq: *seq, last });
            }
            last = *seq;
            blocks::put(&mut self.content, *seq, change);
        }
        if changes.is_empty() {
            return Ok(());
        }
        statements::begin(&self.conn)?;
        let slots = self.put_blocks(after, last)?;
        self.unlooked += slots.len();
        let is_stored = |name: &Name| self.sums.contains_key(name);
        self.backlog.take(last, slots, changes, is_stored);
        self.head.last_seq = last;
        let is_full = self.backlog.used() > BLOCKS_MAX;
        if is_full {
            // More than what comes, so that it ends.
            self.fold(FOLDED_BYTES.max(2 * self.content.len()), BLOCKS_MAX)?;
        }
        statements::commit(&self.conn)?;
        if is_full {
            self.backlog.release(self.head.folded);
        }
        Ok(())
    }

    /// Writes the content as a group; where its blocks lie.
    fn put_blocks(&mut self, after: u64, last: u64) -> rusqlite::Result<Vec<u32>> {
        let parts = self.content.chunks(blocks::ROOM);
        let slots = self.backlog.slots_for(parts.len());
        let count = parts.len() as u32;
        for ((part, content), &slot) in (0..).zip(parts).zip(&slots) {
            let place = Place {
                slot,
                after,
                last,
                part,
                parts: count,
            };
            blocks::seal(&mut self.block, &place, content);
            statements::put_block(&self.conn, slot, &self.block)?;
        }
        Ok(slots)
    }

    /// Writes rows until so many bytes of them are written, and the head. Stops early when no more than
    /// `blocks_kept` are in use.
    fn fold(&mut self, bytes: usize, blocks_kept: usize) -> rusqlite::Result<()> {
        let (mut written, mut rows) = (0, 0);
        while written < bytes && self.backlog.used_after(self.folded()) > blocks_kept {
            let Some((seq, change)) = self.backlog.pop() else {
                break;
            };
            rows += 1;
            written += ROW_COST;
            match change {
                Change::Put(row) => {
                    written += row.body.len();
                    self.put_row(seq, &row)?;
                }
                Change::Remove { .. } => self.remove_row(&name_of(&change))?,
            }
        }
        // A row has a page, and its name another, or some of one.
        self.unlooked += 2 * rows + written / PAGE;
        self.head.folded = self.folded();
        self.write_head()
    }

    fn folded(&self) -> u64 {
        self.backlog.folded(self.head.last_seq)
    }

    fn put_row(&mut self, seq: u64, row: &Row) -> rusqlite::Result<()> {
        let sum = checksum(row, seq);
        statements::put_row(&self.conn, seq, sum, row)?;
        if let Some(before) = self.sums.insert((row.kind, row.key.clone()), sum) {
            self.head.take(before);
        }
        self.head.add(sum);
        Ok(())
    }

    fn remove_row(&mut self, name: &Name) -> rusqlite::Result<()> {
        if let Some(sum) = self.sums.remove(name) {
            statements::remove_row(&self.conn, name)?;
            self.head.take(sum);
        }
        Ok(())
    }

    fn write_head(&mut self) -> rusqlite::Result<()> {
        schema::write_head(&self.conn, &self.head)?;
        self.head_seq = self.head.last_seq;
        Ok(())
    }

    fn step(&mut self) -> Result<Tended, WriteError> {
        let unmoved = self.unmoved()?;
        if unmoved >= WAL_PAGES_MAX {
            return Ok(self.move_log()?);
        }
        if !self.backlog.is_empty() || !self.backlog.soiled(1).is_empty() {
            self.clear()?;
            return Ok(Tended::More);
        }
        if unmoved >= WAL_PAGES_QUIET {
            return Ok(self.move_log()?);
        }
        self.give_back()
    }

    /// Moves the write-ahead log into the file. The head of that moment knows of everything that is
    /// moved, so that a page which the disk did not write is missed.
    fn move_log(&mut self) -> rusqlite::Result<Tended> {
        if self.head_seq < self.head.last_seq {
            self.write_head()?;
        }
        // What a reader still needs to be elsewhere is moved after a later write.
        Ok(if checkpoint(&self.conn)? {
            Tended::More
        } else {
            Tended::Done
        })
    }

    /// Writes some rows, and leaves nothing in some blocks that are not needed any more.
    fn clear(&mut self) -> rusqlite::Result<()> {
        statements::begin(&self.conn)?;
        let has_rows = !self.backlog.is_empty();
        if has_rows {
            self.fold(FOLDED_BYTES, 0)?;
        }
        let soiled = self.backlog.soiled(BLOCKS_CLEANED);
        for &slot in &soiled {
            statements::clean_block(&self.conn, slot)?;
        }
        let is_long = !has_rows && self.backlog.slots() > BLOCKS_KEPT;
        if is_long {
            statements::remove_blocks(&self.conn, BLOCKS_KEPT)?;
        }
        statements::commit(&self.conn)?;
        self.backlog.cleaned(&soiled);
        if has_rows {
            self.backlog.release(self.head.folded);
        }
        if is_long {
            self.backlog.shorten(BLOCKS_KEPT);
        }
        Ok(())
    }

    /// Gives free pages back to the disk.
    fn give_back(&mut self) -> Result<Tended, WriteError> {
        let free: i64 = self.conn.pragma_query_one(None, "freelist_count")?;
        if free <= FREE_PAGES_KEPT {
            return Ok(Tended::Done);
        }
        // Each page is one step of the statement.
        let sql = format!("PRAGMA incremental_vacuum({VACUUM_PAGES})");
        let mut vacuum = self.conn.prepare_cached(&sql)?;
        let mut steps = vacuum.query([])?;
        while steps.next()?.is_some() {}
        Ok(Tended::More)
    }

    /// How many pages of the write-ahead log are not yet in the main file.
    fn unmoved(&mut self) -> rusqlite::Result<i32> {
        self.unlooked = 0;
        let (pages, moved) = self
            .conn
            .wal_checkpoint_v2(Some(rusqlite::MAIN_DB), CheckpointMode::NOOP)?;
        Ok(pages - moved)
    }

    /// Passes a result on. After a failure the file takes no more, and closing leaves its
    /// write-ahead log as it is: a page whose sync failed may look written and not be.
    fn hold<T, E: Into<WriteError>>(&mut self, result: Result<T, E>) -> Result<T, WriteError> {
        result.map_err(|error| {
            self.failed = true;
            let _fails_only_when_closed = schema::keep_wal(&self.conn, true);
            error.into()
        })
    }
}

/// Nobody waits any more: what is in blocks becomes rows, and the file is short.
impl Drop for JournalFile {
    fn drop(&mut self) {
        while !self.failed && !self.backlog.is_tidy() {
            let cleared = self.clear();
            if self
                .hold::<_, WriteError>(cleared.map_err(Into::into))
                .is_err()
            {
                // The blocks are read the next time.
                return;
            }
        }
    }
}

/// Moves the write-ahead log into the file, without waiting for anybody; whether all of it is moved.
fn checkpoint(conn: &Connection) -> rusqlite::Result<bool> {
    match conn.wal_checkpoint_v2(Some(rusqlite::MAIN_DB), CheckpointMode::PASSIVE) {
        Ok((pages, moved)) => Ok(moved == pages),
        // Somebody else is at it.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(false),
        Err(error) => Err(error),
    }
}

/// How many blocks are in use at most before rows are written beside every group: 16 MiB. What is changed again
/// or removed before so much was written costs no row; all of it is read at the next opening.
const BLOCKS_MAX: usize = 4096;

/// Blocks that are kept for the next groups when nobody is in a hurry: 1 MiB.
const BLOCKS_KEPT: u32 = 256;

/// How many blocks one step cleans.
const BLOCKS_CLEANED: usize = 64;

/// How many bytes of rows one step writes.
const FOLDED_BYTES: usize = 64 << 10;

/// What a row costs besides its body, in the same measure.
const ROW_COST: usize = 64;

/// From how many pages on the write-ahead log is moved into the file in a quiet moment.
const WAL_PAGES_QUIET: i32 = 256;

/// From how many pages on it does not wait for a quiet moment: 16 MiB.
const WAL_PAGES_MAX: i32 = 4096;

/// After how many pages it is looked how long the write-ahead log is.
const LOOKED_EVERY: usize = 256;

/// The length of a page in bytes.
const PAGE: usize = 4096;

/// Free pages that are kept for the next rows: 1 MiB.
const FREE_PAGES_KEPT: i64 = 256;

/// Pages that one step gives back.
const VACUUM_PAGES: u32 = 64;

mod statements;
#[cfg(test)]
mod tests;
