//! Where a journal lies: the names of its files, and the lock that one node holds.

use std::{
    ffi::OsString,
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use super::error::OpenError;

/// The name of a file that lies beside the journal.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// Takes the lock that keeps a second node away. The operating system lets go of it when the process
/// ends, however it ends; the file stays.
pub(super) fn lock(path: &Path) -> Result<File, OpenError> {
    if let Some(directory) = path.parent()
        && !directory.is_dir()
    {
        let directory = directory.to_owned();
        return Err(OpenError::NoDirectory { directory });
    }
    let name = beside(path, LOCK);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(OWNER)
        .open(&name)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked { lock: name }),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

/// SQLite deletes a write-ahead log that has no database. Here it may be all that is left.
pub(super) fn check_pair(path: &Path) -> Result<(), OpenError> {
    if size(path)? == 0 && size(&beside(path, "-wal"))? > 0 {
        let what = "the write-ahead log is there, the file is missing or empty";
        return Err(OpenError::corrupt(what));
    }
    Ok(())
}

/// The size of a file in bytes; 0 for one that is not there. The file is not opened: closing it would
/// take the locks from a connection that this process has.
pub(super) fn size(path: &Path) -> io::Result<u64> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

/// Creates the file where there is none, for nobody else to read. SQLite takes an empty file for a
/// fresh database, and gives the files beside it the same rights.
pub(super) fn create(path: &Path) -> io::Result<()> {
    let created = File::options()
        .create_new(true)
        .write(true)
        .mode(OWNER)
        .open(path);
    match created {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Makes the names of new files durable.
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    path.parent()
        .map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}

/// Removes a file, if it is there.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Renames the files of a journal, so that somebody can look at them.
pub(crate) fn put_aside(path: &Path) -> io::Result<()> {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH);
    let mut seconds = unix.map_or(0, |since| since.as_secs());
    let named = |seconds| beside(path, &format!("{ASIDE}{seconds}"));
    // A file does not get the log of another.
    while named(seconds).try_exists()? {
        seconds += 1;
    }
    let aside = named(seconds);
    for part in PARTS {
        match fs::rename(beside(path, part), beside(&aside, part)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// The files that a journal is, by what their names have after its own.
pub(super) const PARTS: [&str; 3] = ["", "-wal", "-shm"];

/// What the name of the file has after the journal's by which it is locked.
pub(super) const LOCK: &str = ".lock";

/// What the names of files have after the journal's that were put aside; the time follows, in seconds since 1970.
pub(crate) const ASIDE: &str = ".broken-";

/// The rights of new files: rows hold what callers said about themselves.
pub(super) const OWNER: u32 = 0o600;
