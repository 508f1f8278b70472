//! Why a journal cannot be opened or written, told by what the caller can do about it.

use std::{io, path::PathBuf};

use rusqlite::ErrorCode;

/// Why a journal was not opened. The file is as it was before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another node has it open. Stop that one, or give this one a path of its own.
    #[error("another node has this journal open: it holds {}", lock.display())]
    Locked {
        /// The file whose lock is held.
        lock: PathBuf,
    },
    /// The directory is not there. Create it.
    #[error("the directory of the journal is not there: {}", directory.display())]
    NoDirectory {
        /// The directory that was looked for.
        directory: PathBuf,
    },
    /// There is no journal to look at.
    #[error("there is no journal at {}", path.display())]
    NotThere {
        /// The file that was looked for.
        path: PathBuf,
    },
    /// The file is no database. The path is wrong, or the first page is destroyed.
    #[error("the file is no database")]
    NotADatabase,
    /// The file is the database of another program. The path is wrong.
    #[error("the file is a database of another program (application {application:#010x})")]
    Foreign {
        /// The `application_id` that it has.
        application: i32,
    },
    /// A newer version of this program wrote it. Start that version.
    #[error("the journal has format {found}, this program knows {known} at most")]
    NewerFormat {
        /// The format of the file.
        found: i32,
        /// The newest format that this program knows.
        known: i32,
    },
    /// The file cannot be believed. Keep it aside for [`inspect`](super::look::inspect), and begin a
    /// new one.
    #[error("the journal is corrupt: {what}")]
    Corrupt {
        /// What was found first.
        what: String,
    },
    /// The file or its directory cannot be written. Grant it, or mount it writable.
    #[error("the journal cannot be written: {what}")]
    ReadOnly {
        /// What refused.
        what: String,
    },
    /// There is no space left to begin a journal or to take up an old one. Make some.
    #[error("no space is left for the journal")]
    Full,
    /// The operating system refused something else.
    #[error("the journal could not be read or written")]
    Io {
        /// What it said.
        #[source]
        source: io::Error,
    },
    /// SQLite refused something else.
    #[error("the journal could not be opened")]
    Sqlite {
        /// What it said.
        #[source]
        source: rusqlite::Error,
    },
}

impl OpenError {
    pub(super) fn corrupt(what: impl Into<String>) -> Self {
        Self::Corrupt { what: what.into() }
    }
}

impl OpenError {
    /// Whether the disk has failed: what can be read may not be on it.
    pub(super) fn is_of_disk(&self) -> bool {
        let Self::Sqlite { source } = self else {
            return false;
        };
        source.sqlite_error_code() == Some(ErrorCode::SystemIoFailure)
    }
}

/// Of a file of which nothing is known yet.
impl From<rusqlite::Error> for OpenError {
    fn from(source: rusqlite::Error) -> Self {
        match source.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::NotADatabase,
            Some(ErrorCode::DatabaseCorrupt) => Self::corrupt(source.to_string()),
            Some(ErrorCode::ReadOnly) => Self::ReadOnly {
                what: source.to_string(),
            },
            Some(ErrorCode::DiskFull) => Self::Full,
            _ => Self::Sqlite { source },
        }
    }
}

impl From<io::Error> for OpenError {
    fn from(source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly {
                what: source.to_string(),
            },
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Io { source },
        }
    }
}

/// Of a file that is known to be a journal: what SQLite cannot make sense of is damage, unless the
/// machine is at fault.
pub(super) fn reading(source: rusqlite::Error) -> OpenError {
    match source.sqlite_error_code() {
        Some(
            ErrorCode::SystemIoFailure
            | ErrorCode::OutOfMemory
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::CannotOpen
            | ErrorCode::PermissionDenied
            | ErrorCode::ReadOnly
            | ErrorCode::DiskFull,
        ) => source.into(),
        _ => OpenError::corrupt(source.to_string()),
    }
}

/// Why changes were not made durable. None of the group is in the file, and the file takes no more:
/// the node takes no new calls and hands over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// There is no space left. Make some, then open the file again.
    #[error("no space is left for the journal")]
    Full {
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The file or the file system became read-only.
    #[error("the journal has become read-only")]
    ReadOnly {
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The disk failed. Do not trust it again.
    #[error("the disk of the journal failed")]
    Io {
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// SQLite refused something else, damage among it.
    #[error("the journal could not be written")]
    Other {
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// A number does not ascend: a fault of the caller.
    #[error("change {seq} came after change {last}")]
    OutOfOrder {
        /// The number of the change.
        seq: u64,
        /// The number before it.
        last: u64,
    },
    /// An earlier write failed, and nothing was tried.
    #[error("an earlier write of the journal failed")]
    Failed,
}

impl WriteError {
    /// Whether the disk has failed, or something did that nobody knows: then what was durable before may be lost
    /// although it can be read. A disk that is full or read-only has only refused.
    pub(super) const fn is_of_disk(&self) -> bool {
        matches!(self, Self::Io { .. } | Self::Other { .. })
    }
}

impl From<rusqlite::Error> for WriteError {
    fn from(source: rusqlite::Error) -> Self {
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full { source },
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::ReadOnly { source },
            Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) => Self::Io { source },
            _ => Self::Other { source },
        }
    }
}
