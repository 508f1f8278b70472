//! Reading all that is in the file, and believing none of it unproven.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, Transaction};

use super::{
    backlog::{Name, name_of},
    blocks::{Blocks, Recent},
    error::{OpenError, reading},
    row::{Change, Damage, Fault, Head, Row, checksum},
    schema,
};

/// What a sound file holds.
#[derive(Debug, Default)]
pub(super) struct Content {
    /// Whole rows with the numbers of their last changes, in no order.
    pub(super) rows: Vec<(u64, Row)>,
    /// Rows that are not whole.
    pub(super) damaged: Vec<Damage>,
    /// What the next head is made of: the last number, count and digest as found.
    pub(super) head: Head,
    /// The checksums of the rows that are written.
    pub(super) sums: HashMap<Name, u32>,
    /// Groups that are not in the rows of the file; [`Self::rows`] has them.
    pub(super) recent: Recent,
}

/// Reads a file that was [identified](schema::identify), and checks everything.
pub(super) fn read(conn: &Connection, format: i32) -> Result<Content, OpenError> {
    // One transaction: a node may be writing beside us.
    let transaction = conn.unchecked_transaction().map_err(reading)?;
    schema::check_tables(&transaction, format)?;
    check_structure(&transaction)?;
    let written = read_head(&transaction, format)?;
    let mut content = Content::default();
    let mut statement = transaction.prepare(ALL).map_err(reading)?;
    let mut rows = statement.query([]).map_err(reading)?;
    while let Some(row) = rows.next().map_err(reading)? {
        content.take(Stored::read(row).map_err(reading)?);
    }
    content.check(&written)?;
    let mut blocks = Blocks::default();
    if format > 1 {
        read_blocks(&transaction, "ASC", &mut blocks)?;
    }
    content.catch_up(&written, blocks);
    Ok(content)
}

/// Reads blocks in this order of their slots, up to the first that cannot be read.
pub(super) fn read_blocks(
    transaction: &Transaction<'_>,
    order: &str,
    blocks: &mut Blocks,
) -> Result<(), OpenError> {
    let sql = format!("SELECT slot, block FROM recent ORDER BY slot {order}");
    let mut statement = transaction.prepare(&sql).map_err(reading)?;
    let mut rows = statement.query([]).map_err(reading)?;
    while let Some(row) = rows.next().map_err(reading)? {
        let slot = row.get(0).map_err(reading)?;
        let block = row.get_ref(1).and_then(|block| Ok(block.as_blob()?));
        blocks.take(slot, block.map_err(reading)?);
    }
    Ok(())
}

impl Content {
    /// Takes a row for what it is.
    pub(super) fn take(&mut self, stored: Stored) {
        // Cut to its width in the same way as when a change replaces the row.
        let sum = stored.sum as u32;
        self.head.add(sum);
        if let Ok(kind) = u16::try_from(stored.kind) {
            self.sums.insert((kind, stored.key.clone()), sum);
        }
        match stored.believe() {
            Ok(row) => self.rows.push(row),
            Err(damage) => self.damaged.push(damage),
        }
    }

    /// Lets the rows be as of the last change that lies in blocks.
    pub(super) fn catch_up(&mut self, written: &Head, blocks: Blocks) {
        let recent = blocks.groups(written.folded, written.last_seq);
        let last = recent.groups.last().map_or(0, |group| group.last);
        self.head.last_seq = written.last_seq.max(last);
        self.head.folded = written.folded;
        let mut rows: HashMap<Name, (u64, Row)> = std::mem::take(&mut self.rows)
            .into_iter()
            .map(|(seq, row)| ((row.kind, row.key.clone()), (seq, row)))
            .collect();
        let mut changed = HashSet::new();
        let changes = recent.groups.iter().flat_map(|group| &group.changes);
        for (seq, change) in changes.filter(|(seq, _)| *seq > written.folded) {
            let name = name_of(change);
            if rows.get(&name).is_some_and(|(there, _)| there >= seq) {
                continue;
            }
            match change {
                Change::Put(row) => rows.insert(name.clone(), (*seq, row.clone())),
                Change::Remove { .. } => rows.remove(&name),
            };
            changed.insert(name);
        }
        self.rows = rows.into_values().collect();
        self.damaged
            .retain(|damage| !changed.contains(&(damage.kind, damage.key.clone())));
        self.recent = recent;
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
pub(super) fn read_head(transaction: &Transaction<'_>, format: i32) -> Result<Head, OpenError> {
    // In format 1 every row was written at once.
    let folded = if format == 1 { "last_seq" } else { "folded" };
    let sql = format!("SELECT last_seq, {folded}, rows, digest, sum FROM head");
    let (head, sum) = transaction
        .query_one(&sql, [], |row| {
            let number = |column| row.get::<_, i64>(column).map(i64::cast_unsigned);
            let head = Head {
                last_seq: number(0)?,
                folded: number(1)?,
                rows: number(2)?,
                digest: number(3)?,
            };
            Ok((head, row.get::<_, i64>(4)?))
        })
        .map_err(reading)?;
    let expected = match format {
        1 => head.checksum_1(),
        _ => head.checksum(),
    };
    if i64::from(expected) == sum {
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
