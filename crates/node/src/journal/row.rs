//! Rows, their damage, and the checksum that holds a row together.

use std::fmt;

use crc32fast::Hasher;
pub use engine::journal::{Change, Row};

/// A row that is in the file and cannot be believed. It stays there until a change of the same kind
/// and key replaces or removes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The kind as it reads now; the damage may be here.
    pub kind: u16,
    /// The key as it reads now; the damage may be here.
    pub key: Vec<u8>,
    /// The number of its last change as it reads now; the damage may be here.
    pub seq: u64,
    /// What does not fit.
    pub what: Fault,
}

/// What does not fit in a damaged row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The checksum is not that of the content.
    Checksum,
    /// A number is outside the range of its column.
    Range,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Checksum => "the checksum is not that of the content",
            Self::Range => "a number is outside its range",
        })
    }
}

/// The checksum of a row with the number of its last change. Lengths are part of it, so that no byte
/// can move from the key to the body.
pub(super) fn checksum(row: &Row, seq: u64) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(&row.kind.to_le_bytes());
    hasher.update(&(row.key.len() as u64).to_le_bytes());
    hasher.update(&row.key);
    hasher.update(&row.version.to_le_bytes());
    hasher.update(&seq.to_le_bytes());
    hasher.update(&row.body);
    hasher.finalize()
}

/// What is known of all rows together: the number of the last change, and enough to miss a row that
/// is gone or that is older than it should be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// The number of the last change; 0 before the first.
    pub(super) last_seq: u64,
    /// Up to which change the rows hold everything that is not changed again later.
    pub(super) folded: u64,
    /// How many rows there are.
    pub(super) rows: u64,
    /// The checksums of all rows, added up.
    pub(super) digest: u64,
}

impl Head {
    pub(super) const fn add(&mut self, sum: u32) {
        self.rows = self.rows.wrapping_add(1);
        self.digest = self.digest.wrapping_add(sum as u64);
    }

    pub(super) const fn take(&mut self, sum: u32) {
        self.rows = self.rows.wrapping_sub(1);
        self.digest = self.digest.wrapping_sub(sum as u64);
    }

    pub(super) fn checksum(&self) -> u32 {
        let mut hasher = Hasher::new();
        hasher.update(&self.last_seq.to_le_bytes());
        hasher.update(&self.folded.to_le_bytes());
        hasher.update(&self.rows.to_le_bytes());
        hasher.update(&self.digest.to_le_bytes());
        hasher.finalize()
    }

    /// As of format 1, in which rows were written at once.
    pub(super) fn checksum_1(&self) -> u32 {
        let mut hasher = Hasher::new();
        hasher.update(&self.last_seq.to_le_bytes());
        hasher.update(&self.rows.to_le_bytes());
        hasher.update(&self.digest.to_le_bytes());
        hasher.finalize()
    }
}
