//! A directory for one test, and rows to put into it.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use super::row::{Change, Row};

/// A directory of its own; gone with the test.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("quinze-journal-{}-{count}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.0
    }

    /// Where a journal would lie.
    pub(crate) fn journal(&self) -> PathBuf {
        self.0.join("journal")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _gone_already = fs::remove_dir_all(&self.0);
    }
}

pub(super) fn row(kind: u16, key: &str, body: &str) -> Row {
    Row {
        kind,
        key: key.into(),
        version: 1,
        body: body.into(),
    }
}

pub(super) fn put(kind: u16, key: &str, body: &str) -> Change {
    Change::Put(row(kind, key, body))
}

pub(super) fn remove(kind: u16, key: &str) -> Change {
    Change::Remove {
        kind,
        key: key.into(),
    }
}

/// The change with this number in a course of changes that is always the same: over fifty keys,
/// some put, some put again, some removed; bodies from a few bytes to more than a page.
pub(super) fn course(seq: u64) -> Change {
    let key = format!("call-{}", seq * 7 % 50);
    let kind = (seq * 7 % 50 % 3) as u16;
    if seq.is_multiple_of(5) {
        return remove(kind, &key);
    }
    let length = if seq.is_multiple_of(11) {
        6000
    } else {
        40 + seq % 400
    };
    let body = format!("{seq}-").repeat(length as usize);
    put(kind, &key, &body[..length as usize])
}

/// What the course has left after its first changes, in the order of their numbers.
pub(super) fn after(last_seq: u64) -> Vec<(u64, Row)> {
    let mut rows: Vec<(u64, Row)> = Vec::new();
    for seq in 1..=last_seq {
        let change = course(seq);
        let (kind, key) = match &change {
            Change::Put(row) => (row.kind, &row.key),
            Change::Remove { kind, key } => (*kind, key),
        };
        rows.retain(|(_, row)| (row.kind, &row.key) != (kind, key));
        if let Change::Put(row) = change {
            rows.push((seq, row));
        }
    }
    rows
}
