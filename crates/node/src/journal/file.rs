//! The file that is written: opened by one node at a time, and durable when a write returns.

use std::{fs::File, path::Path};

use rusqlite::{
    Connection, ErrorCode, OpenFlags, OptionalExtension, Transaction, TransactionBehavior,
    wal::CheckpointMode,
};

use super::{
    error::{OpenError, WriteError},
    place, read,
    row::{Change, Damage, Head, Row, checksum},
    schema::{self, Identity},
    wal,
};

/// A journal that is open for writing.
///
/// [`Self::write`] makes a group of changes durable. Between groups, [`Self::tend`] keeps the files
/// short; without it the write-ahead log grows without end.
///
/// Closing moves the write-ahead log into the file, unless a write failed.
#[derive(Debug)]
pub struct JournalFile {
    // Dropped in this order: the lock is the last to go.
    conn: Connection,
    head: Head,
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
    /// Groups of changes that were durable and are lost, because the write-ahead log is damaged
    /// before its end: rows may be older than what was told. What a power cut tears is not counted;
    /// nobody had been told.
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
            Identity::Journal => {
                let content = read::read(&conn)?;
                schema::prepare_to_write(&conn)?;
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
        } = content;
        rows.sort_unstable_by_key(|(seq, _)| *seq);
        let recovered = Recovered {
            rows,
            damaged,
            last_seq: head.last_seq,
            lost_groups,
        };
        let file = Self {
            conn,
            head,
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
    pub fn write(&mut self, changes: &[(u64, Change)]) -> Result<(), WriteError> {
        if self.failed {
            return Err(WriteError::Failed);
        }
        let written = self.commit(changes);
        self.hold(written)
    }

    /// Does one step of tidying up, short enough that the next write hardly waits: moves the
    /// write-ahead log into the file when it is long, or gives free pages back to the disk.
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
        let unmoved = self.unmoved();
        Ok(self.hold(unmoved)? >= WAL_PAGES_MAX)
    }

    /// The number of the last durable change.
    #[must_use]
    pub const fn last_seq(&self) -> u64 {
        self.head.last_seq
    }

    fn commit(&mut self, changes: &[(u64, Change)]) -> Result<(), WriteError> {
        if changes.is_empty() {
            return Ok(());
        }
        let mut head = self.head;
        let transaction = self
            .conn
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (seq, change) in changes {
            if *seq <= head.last_seq {
                return Err(WriteError::OutOfOrder {
                    seq: *seq,
                    last: head.last_seq,
                });
            }
            head.last_seq = *seq;
            match change {
                Change::Put(row) => put(&transaction, &mut head, *seq, row)?,
                Change::Remove { kind, key } => remove(&transaction, &mut head, *kind, key)?,
            }
        }
        schema::write_head(&transaction, &head)?;
        transaction.commit()?;
        self.head = head;
        Ok(())
    }

    fn step(&mut self) -> Result<Tended, WriteError> {
        if self.unmoved()? >= WAL_PAGES_QUIET {
            // What a reader still needs to be elsewhere is moved after a later write.
            return Ok(if checkpoint(&self.conn)? {
                Tended::More
            } else {
                Tended::Done
            });
        }
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
    fn unmoved(&self) -> rusqlite::Result<i32> {
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

fn put(
    transaction: &Transaction<'_>,
    head: &mut Head,
    seq: u64,
    row: &Row,
) -> rusqlite::Result<()> {
    if let Some(sum) = stored_sum(transaction, row.kind, &row.key)? {
        head.take(sum);
    }
    let sum = checksum(row, seq);
    transaction.prepare_cached(PUT)?.execute((
        row.kind,
        &row.key,
        row.version,
        seq.cast_signed(),
        sum,
        &row.body,
    ))?;
    head.add(sum);
    Ok(())
}

fn remove(
    transaction: &Transaction<'_>,
    head: &mut Head,
    kind: u16,
    key: &[u8],
) -> rusqlite::Result<()> {
    let Some(sum) = stored_sum(transaction, kind, key)? else {
        return Ok(());
    };
    transaction.prepare_cached(REMOVE)?.execute((kind, key))?;
    head.take(sum);
    Ok(())
}

/// The checksum of a row as it is stored, right or wrong.
fn stored_sum(
    transaction: &Transaction<'_>,
    kind: u16,
    key: &[u8],
) -> rusqlite::Result<Option<u32>> {
    let sum = transaction
        .prepare_cached(SUM)?
        .query_row((kind, key), |row| row.get::<_, i64>(0))
        .optional()?;
    // Cut to its width in the same way as when the rows were added up.
    Ok(sum.map(|sum| sum as u32))
}

const SUM: &str = "SELECT sum FROM journal WHERE kind = ?1 AND key = ?2";

const PUT: &str = "INSERT INTO journal VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
    ON CONFLICT (kind, key) DO UPDATE SET \
    version = excluded.version, seq = excluded.seq, sum = excluded.sum, body = excluded.body";

const REMOVE: &str = "DELETE FROM journal WHERE kind = ?1 AND key = ?2";

/// Moves the write-ahead log into the file, without waiting for anybody; whether all of it is moved.
fn checkpoint(conn: &Connection) -> rusqlite::Result<bool> {
    match conn.wal_checkpoint_v2(Some(rusqlite::MAIN_DB), CheckpointMode::PASSIVE) {
        Ok((pages, moved)) => Ok(moved == pages),
        // Somebody else is at it.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(false),
        Err(error) => Err(error),
    }
}

/// From how many pages on the write-ahead log is moved into the file in a quiet moment.
const WAL_PAGES_QUIET: i32 = 256;

/// From how many pages on it does not wait for a quiet moment: 4 MiB.
const WAL_PAGES_MAX: i32 = 1024;

/// Free pages that are kept for the next rows: 1 MiB.
const FREE_PAGES_KEPT: i64 = 256;

/// Pages that one step gives back.
const VACUUM_PAGES: u32 = 64;

#[cfg(test)]
mod tests;
