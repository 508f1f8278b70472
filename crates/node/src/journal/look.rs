//! Looking into a journal without writing it, also while a node does.

use std::{
    collections::BTreeMap,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction};

use super::{
    blocks::Blocks,
    error::{OpenError, reading},
    file::Recovered,
    place::{beside, check_pair, size},
    read::{self, Stored},
    row::{Damage, Row},
    schema::{self, Identity},
    wal,
};

/// What a sound journal holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Whole rows by kind.
    pub kinds: BTreeMap<u16, Share>,
    /// Rows that cannot be believed.
    pub damaged: Vec<Damage>,
    /// Groups of changes that should be there and are not, at least: rows may be older than what was
    /// told.
    pub lost_groups: u64,
    /// The number of the last change; 0 before the first.
    pub last_seq: u64,
    /// The size of the file with its write-ahead log, in bytes.
    pub file_bytes: u64,
}

/// What the rows of one kind amount to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// How many there are.
    pub rows: u64,
    /// Their keys and bodies, in bytes.
    pub bytes: u64,
}

/// What can be read of a journal, sound or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// All whole rows that were found, with the numbers of their last changes, ascending.
    pub rows: Vec<(u64, Row)>,
    /// Rows that cannot be believed.
    pub damaged: Vec<Damage>,
    /// The number of the last change; the highest that was found when the head is damaged.
    pub last_seq: u64,
    /// What else is wrong with the file. Rows may be missing or old when this is not empty.
    pub faults: Vec<String>,
}

/// Checks everything as opening does, and counts. A file that was never written counts nothing.
///
/// # Errors
///
/// As for [`JournalFile::open`](super::file::JournalFile::open), but for the lock, and with
/// [`OpenError::NotThere`].
pub fn verify(path: &Path) -> Result<Report, OpenError> {
    let found = read(path)?;
    let mut report = Report {
        damaged: found.damaged,
        lost_groups: found.lost_groups,
        last_seq: found.last_seq,
        file_bytes: size(path)? + size(&beside(path, "-wal"))?,
        ..Report::default()
    };
    for (_, row) in &found.rows {
        let share = report.kinds.entry(row.kind).or_default();
        share.rows += 1;
        share.bytes += (row.key.len() + row.body.len()) as u64;
    }
    Ok(report)
}

/// Everything that a journal holds, as opening it would find it.
///
/// # Errors
///
/// As for [`verify`].
pub(super) fn read(path: &Path) -> Result<Recovered, OpenError> {
    let (path, conn, identity) = open(path)?;
    let mut content = match identity {
        Identity::Fresh => read::Content::default(),
        Identity::Journal { format } => read::read(&conn, format)?,
    };
    content.rows.sort_unstable_by_key(|(seq, _)| *seq);
    Ok(Recovered {
        rows: content.rows,
        damaged: content.damaged,
        last_seq: content.head.last_seq,
        lost_groups: content.recent.lost + lost_of_log(&path)?,
    })
}

/// Groups that the write-ahead log has lost. Of one that is being written, a look may see what was never
/// there at one moment; no two see the same.
fn lost_of_log(path: &Path) -> Result<u64, OpenError> {
    let log = beside(path, "-wal");
    let mut lost = u64::MAX;
    for _ in 0..LOOKS {
        lost = lost.min(wal::lost_groups(&log)?);
    }
    Ok(lost)
}

/// How often a log is looked at.
const LOOKS: u32 = 3;

/// Reads whatever can be read, also of a file that [`verify`] finds corrupt: from its front up to
/// the first fault, and from its end.
///
/// # Errors
///
/// As for [`verify`], but a corrupt file is an error only when it cannot be recognised.
pub fn inspect(path: &Path) -> Result<Contents, OpenError> {
    let (_, conn, identity) = open(path)?;
    let Identity::Journal { format } = identity else {
        return Ok(Contents::default());
    };
    let transaction = conn.unchecked_transaction()?;
    let mut faults = Vec::new();
    let mut note = |result: Result<(), OpenError>| faults.extend(result.err().map(fault));
    note(schema::check_tables(&transaction, format));
    note(read::check_structure(&transaction));
    let mut found = BTreeMap::new();
    let mut blocks = Blocks::default();
    for order in ["ASC", "DESC"] {
        note(collect(&transaction, order, &mut found));
        if format > 1 {
            note(read::read_blocks(&transaction, order, &mut blocks));
        }
    }
    let mut content = read::Content::default();
    for stored in found.into_values() {
        content.take(stored);
    }
    // Without a head, rows that are gone may come back from blocks that were not cleaned.
    let mut written = content.head;
    note(read::read_head(&transaction, format).and_then(|head| {
        written = head;
        content.check(&head)
    }));
    content.catch_up(&written, blocks);
    if content.recent.lost > 0 {
        faults.push(format!(
            "{} groups of changes are lost",
            content.recent.lost
        ));
    }
    content.rows.sort_unstable_by_key(|(seq, _)| *seq);
    let last_row = content.rows.last().map_or(0, |(seq, _)| *seq);
    Ok(Contents {
        rows: content.rows,
        damaged: content.damaged,
        last_seq: content.head.last_seq.max(last_row),
        faults,
    })
}

fn fault(error: OpenError) -> String {
    match error {
        OpenError::Corrupt { what } => what,
        OpenError::Sqlite { source } => source.to_string(),
        error => error.to_string(),
    }
}

/// Collects rows in this order up to the first that cannot be read.
fn collect(
    transaction: &Transaction<'_>,
    order: &str,
    found: &mut BTreeMap<(i64, Vec<u8>), Stored>,
) -> Result<(), OpenError> {
    let sql = format!("{} ORDER BY kind {order}, key {order}", read::ALL);
    let mut statement = transaction.prepare(&sql).map_err(reading)?;
    let mut rows = statement.query([]).map_err(reading)?;
    while let Some(row) = rows.next().map_err(reading)? {
        let stored = Stored::read(row).map_err(reading)?;
        found.entry(stored.name()).or_insert(stored);
    }
    Ok(())
}

/// Opens a file without the right to write it, and looks what it is.
fn open(path: &Path) -> Result<(PathBuf, Connection, Identity), OpenError> {
    // SQLite takes a name that begins with "file:" for something else than a path.
    let path = std::path::absolute(path)?;
    if !path.try_exists()? {
        return Err(OpenError::NotThere { path });
    }
    check_pair(&path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = match connect(&path, flags) {
        // A directory that cannot be written has no room for what readers share with a writer. Then
        // there is no writer either, and a file without a log is whole.
        Err(OpenError::Sqlite { source })
            if source.sqlite_error_code() == Some(ErrorCode::CannotOpen)
                && size(&beside(&path, "-wal"))? == 0 =>
        {
            connect(&immutable(&path), flags | OpenFlags::SQLITE_OPEN_URI)
        }
        opened => opened,
    };
    let (conn, identity) = opened?;
    Ok((path, conn, identity))
}

fn connect(path: &Path, flags: OpenFlags) -> Result<(Connection, Identity), OpenError> {
    let conn = Connection::open_with_flags(path, flags)?;
    schema::prepare(&conn)?;
    let identity = schema::identify(&conn)?;
    Ok((conn, identity))
}

/// The name by which SQLite opens a file that nobody writes.
fn immutable(path: &Path) -> PathBuf {
    let mut name = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                name.push(char::from(*byte));
            }
            byte => name.push_str(&format!("%{byte:02X}")),
        }
    }
    name.push_str("?immutable=1");
    name.into()
}

#[cfg(test)]
mod tests;
