//! A journal whose disk has failed is never written again: what it holds goes on in a new file.
//!
//! A page whose sync has failed may look written and not be: the kernel tells of it once, and then takes the page for
//! one that is on disk. So whoever meets such a failure leaves a note beside the file. The next process reads what is
//! there, makes it durable in another file, and puts the old one aside; only then the other takes its name. A process
//! that is killed in between leaves a note and one whole file at least: the next begins again, or goes on.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use super::{
    error::{OpenError, WriteError},
    file::{JournalFile, Recovered, Tended},
    look, place,
    row::Change,
};

/// The note, beside the journal.
const NOTE: &str = ".failed";

/// The file that will take the journal's name.
const NEW: &str = ".new";

/// Notes that the disk has failed under a journal.
///
/// # Errors
/// It takes no note either.
pub(super) fn note(path: &Path) -> io::Result<()> {
    File::options()
        .create(true)
        .append(true)
        .mode(place::OWNER)
        .open(place::beside(path, NOTE))?;
    place::sync_directory(path)
}

/// Whether the disk has failed under this journal.
pub(crate) fn is_due(path: &Path) -> bool {
    place::beside(path, NOTE).exists()
}

/// Lets what a journal holds go on in a new file, and puts the old one aside. What was lost of it; the rows are in the
/// new one.
///
/// # Errors
/// As for [`JournalFile::open`]. The journal is as it was before, and so is the note.
pub(crate) fn renew(path: &Path) -> Result<Recovered, OpenError> {
    let path = std::path::absolute(path)?;
    let _lock = place::lock(&path)?;
    let new = place::beside(&path, NEW);
    let mut found = Recovered::default();
    if path.try_exists()? {
        found = carry_over(&path, &new)?;
    }
    // Without the old file the new one is whole: it was before the old one was put aside.
    if new.try_exists()? {
        place::put_aside(&path)?;
        place::sync_directory(&path)?;
        fs::rename(&new, &path)?;
        place::sync_directory(&path)?;
    }
    forget(&path)?;
    Ok(found)
}

/// There is no such journal any more.
///
/// # Errors
/// The note cannot be removed.
pub(crate) fn forget(path: &Path) -> io::Result<()> {
    place::remove(&place::beside(path, NOTE))?;
    place::sync_directory(path)
}

/// Makes what one file holds durable in another.
fn carry_over(from: &Path, to: &Path) -> Result<Recovered, OpenError> {
    // What a process that was killed meanwhile has left.
    for part in place::PARTS {
        place::remove(&place::beside(to, part))?;
    }
    let mut found = look::read(from)?;
    let rows = std::mem::take(&mut found.rows);
    let (mut file, _) = JournalFile::open(to)?;
    file.write(rows.into_iter().map(|(seq, row)| (seq, Change::Put(row))))?;
    // Until nothing is left in its log: it gets another name without it.
    while file.tend()? == Tended::More {}
    drop(file);
    place::remove(&place::beside(to, place::LOCK))?;
    place::sync_directory(to)?;
    Ok(found)
}

/// Of the new file, which takes nothing.
impl From<WriteError> for OpenError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Full { source }
            | WriteError::ReadOnly { source }
            | WriteError::Io { source }
            | WriteError::Other { source } => source.into(),
            WriteError::OutOfOrder { .. } | WriteError::Failed => Self::Io {
                source: io::Error::other(error),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::journal::scratch::{Scratch, after, course};

    /// A journal with the course's first changes, of which some are in its log still, as a process leaves it that is
    /// killed after its disk has failed.
    fn failed(path: &Path) -> u64 {
        let held = Scratch::new();
        let (mut file, _) = JournalFile::open(&held.journal()).unwrap();
        for seq in 1..=LAST {
            file.write([(seq, course(seq))]).unwrap();
        }
        for part in place::PARTS {
            fs::copy(
                place::beside(&held.journal(), part),
                place::beside(path, part),
            )
            .unwrap();
        }
        note(path).unwrap();
        fs::metadata(path).unwrap().ino()
    }

    const LAST: u64 = 120;

    /// The files beside a journal, but for its lock.
    fn beside(path: &Path) -> Vec<String> {
        let files = fs::read_dir(path.parent().unwrap()).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| name != "journal.lock").collect();
        names.sort();
        names
    }

    /// Everything is in a file that was never another one, and the old one lies beside it.
    fn check_renewed(path: &Path, old: u64) {
        let (file, recovered) = JournalFile::open(path).unwrap();
        drop(file);
        assert_eq!(recovered.rows, after(LAST));
        assert_eq!((recovered.damaged.len(), recovered.lost_groups), (0, 0));
        assert_ne!(fs::metadata(path).unwrap().ino(), old);
        assert!(!is_due(path));
        let names = beside(path);
        let (aside, ours): (Vec<_>, Vec<_>) =
            names.iter().partition(|name| name.contains(".broken-"));
        assert_eq!(ours, ["journal"], "{names:?}");
        let aside_is_old =
            |name: &&String| fs::metadata(path.with_file_name(name)).unwrap().ino() == old;
        assert_eq!(
            aside.into_iter().filter(aside_is_old).count(),
            1,
            "{names:?}"
        );
    }

    #[test]
    fn what_a_failed_journal_holds_goes_on_in_another_file() {
        let scratch = Scratch::new();
        let path = scratch.journal();
        let old = failed(&path);
        assert!(is_due(&path));
        let found = renew(&path).unwrap();
        assert_eq!((found.damaged.len(), found.lost_groups), (0, 0));
        check_renewed(&path, old);
    }

    /// Killed while the new file was written.
    #[test]
    fn a_new_file_that_was_begun_is_begun_again() {
        let scratch = Scratch::new();
        let path = scratch.journal();
        let old = failed(&path);
        let new = place::beside(&path, NEW);
        let (mut file, _) = JournalFile::open(&new).unwrap();
        file.write([(1, course(1))]).unwrap();
        drop(file);
        fs::write(place::beside(&new, "-wal"), "torn").unwrap();
        renew(&path).unwrap();
        check_renewed(&path, old);
    }

    /// Killed while the old file was put aside: its log is there still, and would be taken for the new one's.
    #[test]
    fn a_new_file_that_is_whole_takes_the_name_of_one_that_is_gone() {
        let scratch = Scratch::new();
        let path = scratch.journal();
        let old = failed(&path);
        carry_over(&path, &place::beside(&path, NEW)).unwrap();
        fs::rename(&path, place::beside(&path, ".broken-1")).unwrap();
        assert!(place::size(&place::beside(&path, "-wal")).unwrap() > 0);
        renew(&path).unwrap();
        check_renewed(&path, old);
    }

    /// Killed before the note was removed.
    #[test]
    fn a_journal_that_was_renewed_may_be_renewed_again() {
        let scratch = Scratch::new();
        let path = scratch.journal();
        failed(&path);
        renew(&path).unwrap();
        note(&path).unwrap();
        renew(&path).unwrap();
        let (_, recovered) = JournalFile::open(&path).unwrap();
        assert_eq!(recovered.rows, after(LAST));
        assert!(!is_due(&path));
    }

    #[test]
    fn a_journal_that_cannot_be_believed_stays_as_it_is() {
        let scratch = Scratch::new();
        let path = scratch.journal();
        failed(&path);
        for part in ["-wal", "-shm"] {
            fs::remove_file(place::beside(&path, part)).unwrap();
        }
        let mut bytes = fs::read(&path).unwrap();
        bytes[4096..].fill(0x5a);
        fs::write(&path, &bytes).unwrap();
        assert!(matches!(renew(&path), Err(OpenError::Corrupt { .. })));
        assert_eq!(fs::read(&path).unwrap(), bytes);
        assert!(is_due(&path));
    }
}
