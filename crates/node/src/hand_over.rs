//! A planned restart: the process that ends writes its state into the journal, and the next one takes it
//! up. Nobody's call ends for it.
//!
//! While a node runs, its journal is empty: what was taken up is removed as soon as it lives again, so that
//! a process that dies later leaves nothing stale behind.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use engine::{
    Engine,
    journal::{self, Clock},
};
use tracing::{error, info, warn};

use crate::journal::{
    error::{OpenError, WriteError},
    file::{JournalFile, Recovered},
    row::{Change, Row},
};

/// The row that says when the others were written, on the wall and on the journal's clock.
const LEFT_AT: u16 = 100;

/// After so long nobody upstream waits any more (Timer C, RFC 3261 §16.6): what is older is left alone.
const AGE_MAX: Duration = Duration::from_secs(180);

/// A journal, and what the process before left in it.
pub(crate) struct HandOver {
    file: JournalFile,
    found: Vec<Row>,
}

impl HandOver {
    /// Opens the journal, or begins one. One whose structure is broken is put aside, and told.
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        let (file, recovered) = match JournalFile::open(path) {
            Err(OpenError::Corrupt { what }) => {
                error!(path = %path.display(), %what, "the journal is broken: it is put aside");
                put_aside(path).map_err(|source| OpenError::Io { source })?;
                JournalFile::open(path)?
            }
            opened => opened?,
        };
        let Recovered { rows, damaged, .. } = recovered;
        for damage in damaged {
            error!(
                ?damage,
                "a row of the journal is damaged: what it held is lost"
            );
        }
        let found = rows.into_iter().map(|(_, row)| row).collect();
        Ok(Self { file, found })
    }

    /// Lets an engine begin with what was left.
    pub(crate) fn take_up(&self, now: Instant, engine: &mut Engine) {
        let Some(down) = self.down() else {
            return;
        };
        if down > AGE_MAX {
            let seconds = down.as_secs();
            return warn!(seconds, "what the journal holds is too old to be taken up");
        }
        let after = i64::try_from(down.as_nanos()).unwrap_or(i64::MAX);
        let clock = Clock::new(now, after);
        let state = self.found.iter().filter(|row| row.kind != LEFT_AT);
        let decoded = journal::decode(state, engine.directory(), clock);
        for loss in &decoded.losses {
            error!(kind = loss.kind, error = %loss.error, "a row of the journal is of no use");
        }
        engine.restore(now, decoded.node);
        let status = engine.status(now);
        info!(
            waiting = status.waiting,
            ringing = status.ringing,
            connected = status.connected,
            down_ms = u64::try_from(down.as_millis()).unwrap_or(u64::MAX),
            "calls of the process before are taken up"
        );
    }

    /// What was found lives now: it is not to be taken up once more.
    pub(crate) fn forget(&mut self) {
        let found = std::mem::take(&mut self.found);
        let gone = found.into_iter().map(|row| Change::Remove {
            kind: row.kind,
            key: row.key,
        });
        if let Err(error) = self.write(gone) {
            error!(%error, "the journal cannot be emptied: it is not used any more");
        }
    }

    /// Writes everything that an engine knows, for the next process.
    pub(crate) fn leave(&mut self, now: Instant, engine: &Engine) -> Result<(), WriteError> {
        // The journal's clock begins when it is written.
        let clock = Clock::new(now, 0);
        let rows = journal::encode(&engine.kept(), engine.directory(), clock);
        let unix = SystemTime::now().duration_since(UNIX_EPOCH);
        let unix = unix.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(0));
        let left_at = Row {
            kind: LEFT_AT,
            key: Vec::new(),
            version: journal::VERSION,
            body: unix.to_be_bytes().to_vec(),
        };
        self.write(rows.into_iter().chain([left_at]).map(Change::Put))
    }

    /// One group, durable when this returns: all of it or nothing.
    fn write(&mut self, changes: impl Iterator<Item = Change>) -> Result<(), WriteError> {
        let first = self.file.last_seq() + 1;
        let changes: Vec<_> = (first..).zip(changes).collect();
        if changes.is_empty() {
            return Ok(());
        }
        self.file.write(&changes)
    }

    /// How long ago it was written. A clock on the wall that was set back counts as no time.
    fn down(&self) -> Option<Duration> {
        let row = self.found.iter().find(|row| row.kind == LEFT_AT)?;
        let millis = u64::from_be_bytes(row.body.as_slice().try_into().ok()?);
        let left = UNIX_EPOCH.checked_add(Duration::from_millis(millis))?;
        Some(SystemTime::now().duration_since(left).unwrap_or_default())
    }
}

/// Renames the files of a journal, so that somebody can look at them.
fn put_aside(path: &Path) -> io::Result<()> {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH);
    let suffix = format!(".broken-{}", unix.map_or(0, |since| since.as_secs()));
    for part in ["", "-wal", "-shm"] {
        let with = |end: &str| {
            let mut name = OsString::from(path);
            name.push(part);
            name.push(end);
            PathBuf::from(name)
        };
        match std::fs::rename(with(""), with(&suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
