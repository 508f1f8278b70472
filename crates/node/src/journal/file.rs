//! The file that is written: opened by one node at a time, and durable when a write returns.

use std::{
    collections::HashMap,
    fs::File,
    path::{Path, PathBuf},
};

use engine::journal::Row;
use rusqlite::{Connection, OpenFlags};
use tracing::error;

use self::log::Log;
use super::{
    backlog::{Backlog, Name, name_of},
    blocks::{self, Place},
    error::{OpenError, WriteError},
    place, read, renewal,
    row::{Change, Damage, Head, checksum},
    schema::{self, Identity},
    slots::STEPS_SOILED,
    wal,
};

/// A journal that is open for writing.
///
/// [`Self::write`] makes a group of changes durable. Between groups, [`Self::tend`] keeps the files
/// short; without it the write-ahead log grows without end. It need not be called before [`Self::overdue`]
/// says so.
///
/// A group is written as it is, in blocks. Its rows are written when the blocks are needed for others or
/// nobody is in a hurry; until then they are read from the blocks. How long something is left of a row that
/// was removed is told in [`journal`](super).
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
    /// From how many pages on the write-ahead log is moved: more for a while when a reader kept it from
    /// being moved.
    moved_from: i32,
    /// The content of the group that is written, and a block of it.
    content: Vec<u8>,
    block: Box<[u8; blocks::LEN]>,
    failed: bool,
    /// The disk has failed under it: nobody is to write it again.
    is_distrusted: bool,
    path: PathBuf,
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
        let opened = Self::open_locked(&path, lock);
        if opened.as_ref().is_err_and(OpenError::is_of_disk)
            && let Err(error) = renewal::note(&path)
        {
            error!(%error, "{NOT_NOTED}");
        }
        opened
    }

    fn open_locked(path: &Path, lock: File) -> Result<(Self, Recovered), OpenError> {
        place::check_pair(path)?;
        place::create(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut conn = Connection::open_with_flags(path, flags)?;
        schema::prepare(&conn)?;
        let identity = schema::identify(&conn)?;
        if conn.is_readonly(rusqlite::MAIN_DB)? {
            let what = format!("no right to write {}", path.display());
            return Err(OpenError::ReadOnly { what });
        }
        let lost_groups = wal::lost_groups(&place::beside(path, "-wal"))?;
        let content = match identity {
            Identity::Fresh if lost_groups > 0 => {
                let what = "the write-ahead log is damaged, and nothing is in the file yet";
                return Err(OpenError::corrupt(what));
            }
            Identity::Fresh => {
                schema::prepare_to_write(&conn)?;
                schema::create(&mut conn)?;
                place::sync_directory(path)?;
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
        log::move_into_file(&conn)?;
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
            moved_from: schema::WAL_PAGES_MAX,
            content: Vec::new(),
            block: Box::new([0; blocks::LEN]),
            failed: false,
            is_distrusted: false,
            path: path.to_owned(),
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
    /// write-ahead log into the file when it is long, writes rows whose blocks are then free, cleans
    /// blocks, gives free pages back to the disk, or, when nothing else is to be done, empties the log.
    ///
    /// A reader that never ends keeps the log from being begun anew, or emptied.
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
        let log = Log::of(&self.conn);
        Ok(self.hold(log)?.unmoved() >= self.moved_from)
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
        let cleaned = self.clean(slots.len(), 0)?;
        let is_stored = |name: &Name| self.sums.contains_key(name);
        self.backlog.take(last, slots, changes, is_stored);
        self.head.last_seq = last;
        let is_full = self.backlog.used() > BLOCKS_MAX;
        if is_full {
            // More than what comes, so that it ends.
            self.fold(FOLDED_BYTES.max(2 * self.content.len()), BLOCKS_LEFT)?;
        }
        statements::commit(&self.conn)?;
        self.backlog.slots_mut().cleaned(cleaned);
        if is_full {
            self.backlog.release(self.head.folded);
        }
        Ok(())
    }

    /// Writes the content as a group; where its blocks lie.
    fn put_blocks(&mut self, after: u64, last: u64) -> rusqlite::Result<Vec<u32>> {
        let parts = self.content.chunks(blocks::ROOM);
        let slots = self.backlog.slots_mut().take(parts.len());
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
        let mut written = 0;
        while written < bytes && self.backlog.used_after(self.folded()) > blocks_kept {
            let Some((seq, change)) = self.backlog.pop() else {
                break;
            };
            written += ROW_COST;
            match change {
                Change::Put(row) => {
                    written += row.body.len();
                    self.put_row(seq, &row)?;
                }
                Change::Remove { .. } => self.remove_row(&name_of(&change))?,
            }
        }
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
        if Log::of(&self.conn)?.unmoved() >= self.moved_from && self.move_log()? {
            return Ok(Tended::More);
        }
        if !self.is_tidy() {
            self.clear()?;
            return Ok(Tended::More);
        }
        match self.give_back()? {
            Tended::More => Ok(Tended::More),
            Tended::Done => Ok(self.empty_log()?),
        }
    }

    /// Whether everything is in rows, and nothing in blocks.
    fn is_tidy(&self) -> bool {
        let slots = self.backlog.slots();
        self.backlog.is_empty() && slots.are_clean() && slots.count() <= BLOCKS_KEPT
    }

    /// Moves the write-ahead log into the file; whether all of it is there. What a reader still needs to be
    /// elsewhere is moved after later writes.
    fn move_log(&mut self) -> rusqlite::Result<bool> {
        self.complete_head()?;
        let is_moved = log::move_into_file(&self.conn)?;
        self.moved_from = if is_moved {
            schema::WAL_PAGES_MAX
        } else {
            Log::of(&self.conn)?.unmoved() + schema::WAL_PAGES_MAX / 4
        };
        Ok(is_moved)
    }

    /// Leaves nothing in the write-ahead log, unless somebody reads it.
    fn empty_log(&mut self) -> rusqlite::Result<Tended> {
        if Log::of(&self.conn)?.pages > 0 {
            self.complete_head()?;
            log::empty(&self.conn)?;
        }
        Ok(Tended::Done)
    }

    /// Before pages are moved, the head knows of everything that is, so that a page which the disk did not
    /// write is missed.
    fn complete_head(&mut self) -> rusqlite::Result<()> {
        if self.head_seq < self.head.last_seq {
            self.write_head()?;
        }
        Ok(())
    }

    /// Writes some rows. When there are none, gives up some blocks that are more than are kept, or cleans
    /// some that are not needed any more.
    fn clear(&mut self) -> rusqlite::Result<()> {
        statements::begin(&self.conn)?;
        let has_rows = !self.backlog.is_empty();
        if has_rows {
            self.fold(FOLDED_BYTES, 0)?;
        }
        let count = self.backlog.slots().count();
        let is_long = !has_rows && count > BLOCKS_KEPT;
        let kept = BLOCKS_KEPT.max(count.saturating_sub(BLOCKS_CLEANED));
        if is_long {
            statements::remove_blocks(&self.conn, kept)?;
            self.backlog.slots_mut().shorten(kept);
        }
        let more = if is_long { 0 } else { BLOCKS_CLEANED };
        let cleaned = self.clean(0, more as usize)?;
        statements::commit(&self.conn)?;
        self.backlog.slots_mut().cleaned(cleaned);
        if has_rows {
            self.backlog.release(self.head.folded);
        }
        Ok(())
    }

    /// Leaves nothing in some blocks that are not needed any more: as many as it takes that none stays as it
    /// is for long where so many were written over, and `more` if there are.
    fn clean(&mut self, written_over: usize, more: usize) -> rusqlite::Result<Vec<u32>> {
        let soiled = self.backlog.slots_mut().take_soiled(written_over, more);
        for &slot in &soiled {
            statements::clean_block(&self.conn, slot)?;
        }
        Ok(soiled)
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

    /// Passes a result on. After a failure the file takes no more, and closing leaves its
    /// write-ahead log as it is: a page whose sync failed may look written and not be.
    fn hold<T, E: Into<WriteError>>(&mut self, result: Result<T, E>) -> Result<T, WriteError> {
        result.map_err(|error| {
            let error = error.into();
            self.failed = true;
            self.is_distrusted |= error.is_of_disk();
            let _fails_only_when_closed = schema::keep_wal(&self.conn, true);
            error
        })
    }
}

/// Nobody waits any more: what is in blocks becomes rows, and the file is short.
impl Drop for JournalFile {
    fn drop(&mut self) {
        while !self.failed && !self.is_tidy() {
            let cleared = self.clear();
            // Where that fails, the blocks are read the next time.
            let _told_to_nobody = self.hold(cleared);
        }
        // Only now: a disk that has failed may take its time with this, too, and others are to hear of it at once.
        if self.is_distrusted
            && let Err(error) = renewal::note(&self.path)
        {
            error!(%error, "{NOT_NOTED}");
        }
    }
}

/// What is told where a disk takes no note of its failure.
const NOT_NOTED: &str =
    "it cannot be noted that the disk has failed: the next process will write the same journal";

/// How many blocks are in use at most before rows are written beside every group: 16 MiB. What is changed again
/// or removed before so much was written costs no row; all of it is read at the next opening.
const BLOCKS_MAX: usize = 4096;

/// How many are left in use then: rows that are written together share pages, of the table and of its index.
const BLOCKS_LEFT: usize = BLOCKS_MAX - 256;

/// Blocks that are kept for the next groups when nobody is in a hurry: 18 MiB, as many as a steady load needs. One that
/// is added costs three pages beside its own.
const BLOCKS_KEPT: u32 = STEPS_SOILED as u32;

/// How many blocks one step cleans or gives up.
const BLOCKS_CLEANED: u32 = 64;

/// How many bytes of rows one step writes.
const FOLDED_BYTES: usize = 64 << 10;

/// What a row costs besides its body, in the same measure.
const ROW_COST: usize = 64;

/// Free pages that are kept for the next rows: 1 MiB.
const FREE_PAGES_KEPT: i64 = 256;

/// Pages that one step gives back.
const VACUUM_PAGES: u32 = 64;

mod log;
mod statements;
#[cfg(test)]
mod tests;
