//! How the file looks: the tables, the numbers by which it is recognised, and the settings of a
//! connection.

use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior, config::DbConfig};

use super::{
    error::{OpenError, reading},
    row::Head,
};

/// `application_id`: "Q15J".
pub(super) const APPLICATION: i32 = i32::from_be_bytes(*b"Q15J");

/// `user_version`: the format that is written, and the newest that is read.
pub(super) const FORMAT: i32 = 2;

/// The rows. A tree by key alone would have to put the better part of each body on pages of its own, which a
/// change then frees and takes again: two or three times as many pages for each commit.
const ROWS: &str = "CREATE TABLE journal (\
    kind INTEGER NOT NULL, key BLOB NOT NULL, version INTEGER NOT NULL, seq INTEGER NOT NULL, \
    sum INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (kind, key)) STRICT";

/// The one row about all rows.
const HEAD: &str = "CREATE TABLE head (\
    id INTEGER PRIMARY KEY CHECK (id = 1), last_seq INTEGER NOT NULL, folded INTEGER NOT NULL, \
    rows INTEGER NOT NULL, digest INTEGER NOT NULL, sum INTEGER NOT NULL) STRICT";

/// That of format 1, which had no blocks.
const HEAD_1: &str = "CREATE TABLE head (\
    id INTEGER PRIMARY KEY CHECK (id = 1), last_seq INTEGER NOT NULL, rows INTEGER NOT NULL, \
    digest INTEGER NOT NULL, sum INTEGER NOT NULL) STRICT";

/// Groups that are newer than the rows, in blocks of one length.
const RECENT: &str = "CREATE TABLE recent (slot INTEGER PRIMARY KEY, block BLOB NOT NULL) STRICT";

/// What a file is found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// Nothing was ever committed to it.
    Fresh,
    /// A journal.
    Journal {
        /// Its format, which is known.
        format: i32,
    },
}

/// Looks what the file is, and changes nothing.
pub(super) fn identify(conn: &Connection) -> Result<Identity, OpenError> {
    let application: i32 = conn.pragma_query_one(None, "application_id")?;
    let format: i32 = conn.pragma_query_one(None, "user_version")?;
    if application == 0 && format == 0 {
        let tables: i64 =
            conn.query_one("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if tables == 0 {
            return Ok(Identity::Fresh);
        }
    }
    if application != APPLICATION {
        return Err(OpenError::Foreign { application });
    }
    if format > FORMAT {
        return Err(OpenError::NewerFormat {
            found: format,
            known: FORMAT,
        });
    }
    if format < 1 {
        return Err(OpenError::corrupt(format!(
            "there was never a format {format}"
        )));
    }
    Ok(Identity::Journal { format })
}

/// The tables are exactly ours. A damaged definition would give another meaning to sound rows.
pub(super) fn check_tables(conn: &Connection, format: i32) -> Result<(), OpenError> {
    let mut found = conn
        .prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name")
        .map_err(reading)?;
    let found = found
        .query_map([], |row| row.get::<_, String>(0))
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(reading)?;
    let tables: &[&str] = match format {
        1 => &[HEAD_1, ROWS],
        _ => &[HEAD, ROWS, RECENT],
    };
    if found == tables {
        Ok(())
    } else {
        Err(OpenError::corrupt("the tables are not those of a journal"))
    }
}

/// Settings of every connection, reading or writing. None changes the file.
pub(super) fn prepare(conn: &Connection) -> Result<(), OpenError> {
    // Until the file is known to be sound, and ever after a failure, closing it leaves it as it is.
    keep_wal(conn, true)?;
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.pragma_update(None, "cell_size_check", true)?;
    Ok(())
}

/// Whether closing the connection leaves the write-ahead log as it is. Otherwise the last to close
/// moves it into the file.
pub(super) fn keep_wal(conn: &Connection, keep: bool) -> rusqlite::Result<()> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep)?;
    Ok(())
}

/// Settings of the connection that writes.
pub(super) fn prepare_to_write(conn: &Connection) -> Result<(), OpenError> {
    conn.pragma_update(None, "synchronous", "FULL")?;
    // These two hold for a file that has no page yet; any other keeps what it has.
    conn.pragma_update(None, "page_size", 4096)?;
    conn.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    let mode: String =
        conn.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if !mode.eq_ignore_ascii_case("wal") {
        let what = format!("its file system has no write-ahead log: journal mode {mode}");
        return Err(OpenError::ReadOnly { what });
    }
    // SQLite's own checkpoints hide a failed sync. Ours do not: see `JournalFile::tend`.
    conn.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))?;
    conn.pragma_update_and_check(None, "journal_size_limit", WAL_KEPT, |_| Ok(()))?;
    conn.pragma_update(None, "cache_size", -CACHE_KIB)?;
    // What callers said stays neither in the free space of pages nor in free pages, for which "FAST" would do
    // nothing.
    conn.pragma_update_and_check(None, "secure_delete", "ON", |_| Ok(()))?;
    Ok(())
}

/// Makes a fresh file a journal, in one transaction.
pub(super) fn create(conn: &mut Connection) -> rusqlite::Result<()> {
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute(ROWS, [])?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    begin_format(&transaction, &Head::default())?;
    transaction.commit()
}

/// Makes a fresh file what format 1 made of it, but for its head.
#[cfg(test)]
pub(super) fn create_1(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute(ROWS, [])?;
    conn.execute(HEAD_1, [])?;
    conn.pragma_update(None, "application_id", APPLICATION)?;
    conn.pragma_update(None, "user_version", 1)
}

/// Makes a journal of a known format one of the format that is written, in one transaction. The head is
/// what was read.
pub(super) fn upgrade(conn: &mut Connection, format: i32, head: &Head) -> rusqlite::Result<()> {
    if format == FORMAT {
        return Ok(());
    }
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute("DROP TABLE head", [])?;
    begin_format(&transaction, head)?;
    transaction.commit()
}

fn begin_format(transaction: &Transaction<'_>, head: &Head) -> rusqlite::Result<()> {
    transaction.execute(HEAD, [])?;
    transaction.execute(RECENT, [])?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    write_head(transaction, head)
}

/// Writes the head, in the transaction that changes the rows.
pub(super) fn write_head(conn: &Connection, head: &Head) -> rusqlite::Result<()> {
    conn.prepare_cached("INSERT OR REPLACE INTO head VALUES (1, ?1, ?2, ?3, ?4, ?5)")?
        .execute((
            head.last_seq.cast_signed(),
            head.folded.cast_signed(),
            head.rows.cast_signed(),
            head.digest.cast_signed(),
            head.checksum(),
        ))
        .map(drop)
}

/// From how many pages on the write-ahead log is moved into the file while no moment is quiet: 1 MiB. It is the
/// writer who moves it, and calls wait for that, so it is done often and little at a time.
pub(super) const WAL_PAGES_MAX: i32 = 256;

/// How large the write-ahead log stays on disk when it is begun anew, in bytes: what is written over until it
/// is moved again. Whatever was behind that is cut off.
const WAL_KEPT: i32 = 32 + WAL_PAGES_MAX * (24 + 4096);

/// How long others may be in the way of a statement. None is: the lock keeps other nodes away, and readers
/// are in the way of nothing but moving the log. It is SQLite's own that matters, for moments.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Pages that are kept in memory, in KiB: those of all blocks that are written over in turn, of which none is read again
/// before, and some of the rows.
const CACHE_KIB: i64 = 20 << 10;
