//! What is said to SQLite while a journal is written. All of it is prepared once.

use engine::journal::Row;
use rusqlite::{Connection, Params};

use crate::journal::{backlog::Name, blocks};

pub(super) fn begin(conn: &Connection) -> rusqlite::Result<()> {
    execute(conn, "BEGIN IMMEDIATE", ())
}

pub(super) fn commit(conn: &Connection) -> rusqlite::Result<()> {
    execute(conn, "COMMIT", ())
}

pub(super) fn put_row(conn: &Connection, seq: u64, sum: u32, row: &Row) -> rusqlite::Result<()> {
    let columns = (
        row.kind,
        &row.key,
        row.version,
        seq.cast_signed(),
        sum,
        &row.body,
    );
    execute(conn, PUT_ROW, columns)
}

pub(super) fn remove_row(conn: &Connection, (kind, key): &Name) -> rusqlite::Result<()> {
    execute(conn, REMOVE_ROW, (kind, key))
}

pub(super) fn put_block(
    conn: &Connection,
    slot: u32,
    block: &[u8; blocks::LEN],
) -> rusqlite::Result<()> {
    execute(conn, PUT_BLOCK, (slot, &block[..]))
}

/// Leaves nothing of what was written in a slot.
pub(super) fn clean_block(conn: &Connection, slot: u32) -> rusqlite::Result<()> {
    execute(conn, PUT_BLOCK, (slot, &[0_u8; blocks::LEN][..]))
}

/// Removes the blocks from this slot on.
pub(super) fn remove_blocks(conn: &Connection, from: u32) -> rusqlite::Result<()> {
    execute(conn, "DELETE FROM recent WHERE slot >= ?1", [from])
}

fn execute(conn: &Connection, sql: &str, params: impl Params) -> rusqlite::Result<()> {
    conn.prepare_cached(sql)?.execute(params).map(drop)
}

const PUT_ROW: &str = "INSERT INTO journal VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
    ON CONFLICT (kind, key) DO UPDATE SET \
    version = excluded.version, seq = excluded.seq, sum = excluded.sum, body = excluded.body";

const REMOVE_ROW: &str = "DELETE FROM journal WHERE kind = ?1 AND key = ?2";

const PUT_BLOCK: &str = "INSERT INTO recent VALUES (?1, ?2) \
    ON CONFLICT (slot) DO UPDATE SET block = excluded.block";
