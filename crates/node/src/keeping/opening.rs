//! What a journal holds when a process begins, and how it is taken up.

use std::{
    io,
    path::Path,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use engine::{
    Engine,
    journal::{self, KeptNode, Kind, Row},
};
use tracing::{error, info, warn};

use super::{Keeping, clock::JournalClock};
use crate::journal::{
    error::OpenError,
    file::{JournalFile, Recovered},
    place, renewal,
};

/// A journal that is open, and what the processes before have left in it.
pub(crate) struct Opened {
    file: JournalFile,
    found: Vec<Row>,
    node: KeptNode,
    clock: JournalClock,
    down: Duration,
}

impl Opened {
    /// Opens the journal, or begins one. One whose structure is broken is put aside, and told.
    /// Those that were put aside longer ago than `kept` are removed.
    pub(crate) fn open(
        path: &Path,
        kept: Duration,
        names: journal::Names<'_>,
    ) -> Result<Self, OpenError> {
        remove_broken(path, kept);
        let (file, recovered) = match renew_if_due(path).and_then(|()| JournalFile::open(path)) {
            Err(OpenError::Corrupt { what }) => {
                error!(path = %path.display(), %what, "the journal is broken: it is put aside");
                place::put_aside(path)?;
                renewal::forget(path)?;
                JournalFile::open(path)?
            }
            opened => opened?,
        };
        tell_losses(&recovered);
        let found: Vec<_> = recovered.rows.into_iter().map(|(_, row)| row).collect();
        let (clock, down) = JournalClock::begin(&found);
        let state = found
            .iter()
            .filter(|row| Kind::of_number(row.kind).is_some());
        let decoded = journal::decode(state, names, clock.clock());
        for loss in &decoded.losses {
            error!(kind = loss.kind, error = %loss.error, "a row of the journal is of no use");
        }
        for line in &decoded.lines_missed {
            warn!(
                line,
                "calls of the journal are of a line that is not configured: they are the default line's now"
            );
        }
        Ok(Self {
            file,
            found,
            node: decoded.node,
            clock,
            down,
        })
    }

    /// The secrets of the first process that wrote it.
    pub(crate) fn secrets(&self) -> Option<[u64; 4]> {
        self.node.process.map(|process| process.secrets)
    }

    /// Lets an engine begin with what was left, and goes on writing.
    ///
    /// # Errors
    /// The system has no thread for it.
    pub(crate) fn take_up<S, T>(self, engine: &mut Engine) -> io::Result<Keeping<S, T>> {
        let now = Instant::now();
        // Rows of a later version are left to it.
        let ours = self.found.iter().filter(|row| {
            journal::VERSIONS_READ.contains(&row.version) && Kind::of_number(row.kind).is_some()
        });
        engine.keep_journal(self.clock.clock(), ours);
        let given_up = engine.restore(now, self.node, self.down);
        if given_up > 0 {
            let seconds = self.down.as_secs();
            warn!(
                given_up,
                seconds, "callers who waited are given up: nobody was there for too long"
            );
        }
        let status = engine.status(now);
        info!(
            waiting = status.waiting,
            ringing = status.ringing,
            connected = status.connected,
            down_ms = u64::try_from(self.down.as_millis()).unwrap_or(u64::MAX),
            "what the journal holds is taken up"
        );
        Keeping::start(self.file, self.clock)
    }
}

/// What a journal holds whose disk has failed goes on in a new file.
fn renew_if_due(path: &Path) -> Result<(), OpenError> {
    if renewal::is_due(path) {
        let shown = path.display();
        error!(path = %shown, "the disk has failed under this journal: what it holds goes on in a new file");
        tell_losses(&renewal::renew(path)?);
    }
    Ok(())
}

fn tell_losses(found: &Recovered) {
    for damage in &found.damaged {
        error!(
            ?damage,
            "a row of the journal is damaged: what it held is lost"
        );
    }
    if found.lost_groups > 0 {
        error!(
            lost_groups = found.lost_groups,
            "the journal has lost changes that were durable"
        );
    }
}

/// Removes what was put aside too long ago: numbers of callers are in it.
fn remove_broken(path: &Path, kept: Duration) {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return;
    };
    let prefix = format!("{}{}", name.display(), place::ASIDE);
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let since = name.to_str().and_then(|name| name.strip_prefix(&prefix));
        let digits = since.map(|since| since.split('-').next().unwrap_or_default());
        let Some(seconds) = digits.and_then(|digits| digits.parse().ok()) else {
            continue;
        };
        let until = UNIX_EPOCH + Duration::from_secs(seconds) + kept;
        if until < SystemTime::now() {
            match std::fs::remove_file(entry.path()) {
                Ok(()) => info!(path = %entry.path().display(), "a broken journal is removed"),
                Err(error) => warn!(path = %entry.path().display(), %error, "it stays"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use engine::acd::Directory;

    use super::*;
    use crate::journal::scratch::Scratch;

    const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

    const fn no_names(directory: &Directory) -> journal::Names<'_> {
        journal::Names {
            directory,
            default_line: None,
        }
    }

    fn names(path: &Path) -> Vec<String> {
        let files = fs::read_dir(path.parent().unwrap()).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut broken: Vec<_> = names.filter(|name| name.contains(".broken-")).collect();
        broken.sort();
        broken
    }

    #[test]
    fn a_broken_journal_is_put_aside_and_removed_when_it_was_there_for_long_enough() {
        let directory = Directory::default();
        let scratch = Scratch::new();
        let path = scratch.journal();
        drop(Opened::open(&path, WEEK, no_names(&directory)).unwrap());
        // The root of the first table.
        let mut bytes = fs::read(&path).unwrap();
        bytes[4096..].fill(0x5a);
        fs::write(&path, bytes).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let old = format!("{name}.broken-1000");
        for end in ["", "-wal"] {
            fs::write(path.with_file_name(format!("{old}{end}")), "old").unwrap();
        }
        fs::write(
            path.with_file_name(format!("{name}.broken-by-hand")),
            "kept",
        )
        .unwrap();
        let opened = Opened::open(&path, WEEK, no_names(&directory)).unwrap();
        assert_eq!(opened.down, Duration::ZERO, "it begins anew");
        let left = names(&path);
        assert!(
            left.iter().all(|left| !left.starts_with(&old)),
            "nothing is left of 1970: {left:?}"
        );
        let (kept, aside): (Vec<_>, Vec<_>) =
            left.iter().partition(|left| left.ends_with("by-hand"));
        assert_eq!(kept.len(), 1, "{left:?}");
        // Its log, if it has one, is where whoever opens it looks for it.
        assert!(!aside.is_empty(), "{left:?}");
        for file in &aside[1..] {
            assert!(file.starts_with(&format!("{}-", aside[0])), "{left:?}");
        }
    }
}
