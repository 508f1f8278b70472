//! Reading all that is in the file, and believing none of it unproven.

use rusqlite::{Connection, Transaction};

use super::{
    error::{OpenError, reading},
    row::{Damage, Fault, Head, Row, checksum},
    schema,
};

/// What a sound file holds.
#[derive(Debug, Default)]
pub(super) struct Content {
    /// Whole rows with the numbers of their last changes, in no order.
    pub(super) rows: Vec<(u64, Row)>,
    /// Rows that are not whole.
    pub(super) damaged: Vec<Damage>,
    /// What the next head is made of: the last number as it was written, count and digest as found.
    pub(super) head: Head,
}

/// Reads a file that was [identified](schema::identify), and checks everything.
pub(super) fn read(conn: &Connection) -> Result<Content, OpenError> {
    // One transaction: a node may be writing beside us.
    let transaction = conn.unchecked_transaction().map_err(reading)?;
    schema::check_tables(&transaction)?;
    check_structure(&transaction)?;
    let written = read_head(&transaction)?;
    let mut content = Content::default();
    content.head.last_seq = written.last_seq;
    let mut statement = transaction.prepare(ALL).map_err(reading)?;
    let mut rows = statement.query([]).map_err(reading)?;
    while let Some(row) = rows.next().map_err(reading)? {
        content.take(Stored::read(row).map_err(reading)?);
    }
    content.check(&written)?;
    Ok(content)
}

impl Content {
    /// Takes a row for what it is.
    pub(super) fn take(&mut self, stored: Stored) {
        // Cut to its width in the same way as when a change replaces the row.
        self.head.add(stored.sum as u32);
        match stored.believe() {
            Ok(row) => self.rows.push(row),
            Err(damage) => self.damaged.push(damage),
        }
    }

    /// No row is missing and none is older than it should be.
    pub(super) fn check(&self, written: &Head) -> Result<(), OpenError> {
        let found = self.head;
        if found.rows != written.rows {
            let what = format!(
                "{} rows were written, {} are there",
                written.rows, found.rows
            );
            return Err(OpenError::corrupt(what));
        }
        // The checksum of a damaged row may itself be the damage.
        if found.digest != written.digest && self.damaged.is_empty() {
            return Err(OpenError::corrupt("a row is not the one written last"));
        }
        match self.rows.iter().find(|(seq, _)| *seq > written.last_seq) {
            None => Ok(()),
            Some((seq, _)) => {
                let what = format!("row {seq} is after the last change, {}", written.last_seq);
                Err(OpenError::corrupt(what))
            }
        }
    }
}

/// Everything about pages and cells that SQLite can check. Without it a broken page could hide rows.
pub(super) fn check_structure(transaction: &Transaction<'_>) -> Result<(), OpenError> {
    let what: String = transaction
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(reading)?;
    if what == "ok" {
        Ok(())
    } else {
        Err(OpenError::corrupt(what))
    }
}

/// The head as it was written.
pub(super) fn read_head(transaction: &Transaction<'_>) -> Result<Head, OpenError> {
    let (head, sum) = transaction
        .query_one("SELECT last_seq, rows, digest, sum FROM head", [], |row| {
            let head = Head {
                last_seq: row.get::<_, i64>(0)?.cast_unsigned(),
                rows: row.get::<_, i64>(1)?.cast_unsigned(),
                digest: row.get::<_, i64>(2)?.cast_unsigned(),
            };
            Ok((head, row.get::<_, i64>(3)?))
        })
        .map_err(reading)?;
    if i64::from(head.checksum()) == sum {
        Ok(head)
    } else {
        Err(OpenError::corrupt("the checksum of the head does not fit"))
    }
}

/// A row as it is stored.
pub(super) struct Stored {
    kind: i64,
    key: Vec<u8>,
    version: i64,
    seq: u64,
    sum: i64,
    body: Vec<u8>,
}

impl Stored {
    /// Takes the columns of [`ALL`].
    pub(super) fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            kind: row.get(0)?,
            key: row.get(1)?,
            version: row.get(2)?,
            seq: row.get::<_, i64>(3)?.cast_unsigned(),
            sum: row.get(4)?,
            body: row.get(5)?,
        })
    }

    /// What is unique among rows.
    pub(super) fn name(&self) -> (i64, Vec<u8>) {
        (self.kind, self.key.clone())
    }

    /// The row, if everything about it fits.
    fn believe(self) -> Result<(u64, Row), Damage> {
        let (Ok(kind), Ok(version)) = (u16::try_from(self.kind), u16::try_from(self.version))
        else {
            return Err(Damage {
                kind: self.kind as u16,
                key: self.key,
                seq: self.seq,
                what: Fault::Range,
            });
        };
        let row = Row {
            kind,
            key: self.key,
            version,
            body: self.body,
        };
        if i64::from(checksum(&row, self.seq)) == self.sum {
            Ok((self.seq, row))
        } else {
            Err(Damage {
                kind,
                key: row.key,
                seq: self.seq,
                what: Fault::Checksum,
            })
        }
    }
}

/// All rows in the order in which they lie in the file.
pub(super) const ALL: &str = "SELECT kind, key, version, seq, sum, body FROM journal";
