//! The write-ahead log of SQLite while a journal is written: how long it is, and its way into the file.

use std::{ffi::CStr, time::Duration};

use rusqlite::{Connection, ErrorCode, wal::CheckpointMode};

use crate::journal::schema;

/// How long the log is.
pub(super) struct Log {
    /// How many pages are in it.
    pub(super) pages: i32,
    /// How many of them are in the file, too.
    moved: i32,
}

impl Log {
    /// It costs no system call.
    pub(super) fn of(conn: &Connection) -> rusqlite::Result<Self> {
        let (pages, moved) = conn.wal_checkpoint_v2(MAIN, CheckpointMode::NOOP)?;
        Ok(Self { pages, moved })
    }

    /// How many pages are not in the file yet.
    pub(super) const fn unmoved(&self) -> i32 {
        self.pages - self.moved
    }
}

/// Moves the log into the file, without waiting for anybody; whether all of it is moved.
pub(super) fn move_into_file(conn: &Connection) -> rusqlite::Result<bool> {
    match conn.wal_checkpoint_v2(MAIN, CheckpointMode::PASSIVE) {
        Ok((pages, moved)) => Ok(moved == pages),
        Err(error) if is_busy(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The same, and leaves nothing in it if nobody is in the way.
pub(super) fn empty(conn: &Connection) -> rusqlite::Result<()> {
    // It would wait for readers.
    conn.busy_timeout(Duration::ZERO)?;
    let emptied = conn.wal_checkpoint_v2(MAIN, CheckpointMode::TRUNCATE);
    conn.busy_timeout(schema::BUSY_TIMEOUT)?;
    match emptied {
        Err(error) if !is_busy(&error) => Err(error),
        _ => Ok(()),
    }
}

/// Whether somebody else is at it.
fn is_busy(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
}

const MAIN: Option<&CStr> = Some(rusqlite::MAIN_DB);
