//! Files that are not opened, and disks that do not take what is written.

use std::{
    error::Error,
    io::Write,
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    },
    process::Command,
};

use super::*;
use crate::journal::look;

fn refused(path: &Path) -> OpenError {
    JournalFile::open(path)
        .map(|(_, recovered)| recovered)
        .unwrap_err()
}

fn foreign(path: &Path, sql: &str) {
    Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn a_second_node_is_refused() {
    let scratch = Scratch::new();
    let (mut file, _) = JournalFile::open(&scratch.journal()).unwrap();
    let error = refused(&scratch.journal());
    assert!(matches!(&error, OpenError::Locked { lock } if lock.ends_with("journal.lock")));
    assert!(
        error
            .to_string()
            .contains("another node has this journal open")
    );
    // The first is not disturbed, and leaves the place when it goes.
    file.write([(1, put(1, "a", "one"))]).unwrap();
    drop(file);
    assert_eq!(reopen(&scratch.journal()).last_seq, 1);
}

#[test]
fn the_directory_must_be_there() {
    let scratch = Scratch::new();
    let path = scratch.folder().join("missing/journal");
    assert!(matches!(refused(&path), OpenError::NoDirectory { .. }));
    assert!(!scratch.folder().join("missing").exists());
}

#[test]
fn the_database_of_another_program_is_left_alone() {
    let scratch = Scratch::new();
    let path = scratch.journal();
    foreign(
        &path,
        "CREATE TABLE their (own TEXT); INSERT INTO their VALUES ('data')",
    );
    let before = fs::read(&path).unwrap();
    assert!(matches!(
        refused(&path),
        OpenError::Foreign { application: 0 }
    ));
    foreign(&path, "PRAGMA application_id = 77");
    let before_too = fs::read(&path).unwrap();
    assert!(matches!(
        refused(&path),
        OpenError::Foreign { application: 77 }
    ));
    assert_eq!(fs::read(&path).unwrap(), before_too);
    assert_eq!(before.len(), before_too.len());
}

#[test]
fn a_newer_format_is_left_alone() {
    let scratch = Scratch::new();
    let path = scratch.journal();
    reopen(&path);
    foreign(&path, "PRAGMA user_version = 3");
    let before = fs::read(&path).unwrap();
    let error = refused(&path);
    assert!(
        matches!(error, OpenError::NewerFormat { found: 3, known: 2 }),
        "{error}"
    );
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn what_is_no_database_is_left_alone() {
    let scratch = Scratch::new();
    let path = scratch.journal();
    for content in ["x".repeat(10), "no database".repeat(1000)] {
        fs::write(&path, &content).unwrap();
        assert!(matches!(refused(&path), OpenError::NotADatabase));
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
    }
}

#[test]
fn a_directory_is_no_journal() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.journal()).unwrap();
    assert!(matches!(
        refused(&scratch.journal()),
        OpenError::Sqlite { .. }
    ));
}

#[test]
fn a_log_without_its_file_is_not_thrown_away() {
    let scratch = Scratch::new();
    let (mut file, _) = JournalFile::open(&scratch.journal()).unwrap();
    file.write([(1, put(1, "a", "one"))]).unwrap();
    let kept = scratch.folder().join("kept");
    fs::copy(beside(&scratch.journal(), "-wal"), beside(&kept, "-wal")).unwrap();
    assert!(matches!(refused(&kept), OpenError::Corrupt { .. }));
    fs::write(&kept, "").unwrap();
    assert!(matches!(refused(&kept), OpenError::Corrupt { .. }));
    assert!(size(&beside(&kept, "-wal")).unwrap() > 0);
}

/// The superuser may write anything: as such, the test asks another user.
#[test]
fn what_cannot_be_written_is_refused() {
    let scratch = Scratch::new();
    let path = scratch.journal();
    let (mut file, _) = JournalFile::open(&path).unwrap();
    file.write([(1, put(1, "a", "one"))]).unwrap();
    drop(file);
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(&beside(&path, ".lock"), 0o666);
    mode(scratch.folder(), 0o777);
    mode(&path, 0o444);
    ask(&path, "cannot be written");
    mode(&beside(&path, ".lock"), 0o444);
    mode(scratch.folder(), 0o555);
    ask(&path, "cannot be written");
    // Looking needs no right to write.
    ask(&path, "verified");
    mode(scratch.folder(), 0o755);
}

/// Opens or verifies in a process that is not the superuser's.
fn ask(path: &Path, expected: &str) {
    let test = format!("{}::asked_by_another_user", within_crate(module_path!()));
    let program = std::env::current_exe().unwrap();
    let mut command = Command::new(program);
    command
        .args(["--exact", &test, "--nocapture"])
        .env("QUINZE_JOURNAL_ASKED", path)
        .env("QUINZE_JOURNAL_EXPECTED", expected);
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        command.uid(65_534).gid(65_534);
    }
    match command.output() {
        Ok(output) => assert!(output.status.success(), "{expected}: {output:?}"),
        // Where the build lies, another user may have no right to run it.
        Err(error) => writeln!(std::io::stderr(), "not tested: {error}").unwrap(),
    }
}

#[test]
fn asked_by_another_user() {
    let Some(path) = std::env::var_os("QUINZE_JOURNAL_ASKED").map(PathBuf::from) else {
        return;
    };
    let expected = std::env::var("QUINZE_JOURNAL_EXPECTED").unwrap();
    if expected == "verified" {
        let report = look::verify(&path).unwrap();
        assert_eq!(report.last_seq, 1);
        assert_eq!(
            look::inspect(&path).unwrap().rows,
            [(1, row(1, "a", "one"))]
        );
    } else {
        let error = refused(&path);
        assert!(matches!(error, OpenError::ReadOnly { .. }), "{error:?}");
        assert!(error.to_string().contains(&expected), "{error}");
    }
}

#[test]
fn a_full_disk_fails_the_group_and_all_after_it() {
    let scratch = Scratch::new();
    let (mut file, _) = JournalFile::open(&scratch.journal()).unwrap();
    file.write([(1, put(1, "a", "one"))]).unwrap();
    let pages: i64 = file.conn.pragma_query_one(None, "page_count").unwrap();
    file.conn
        .pragma_update_and_check(None, "max_page_count", pages + 3, |_| Ok(()))
        .unwrap();
    let large = "x".repeat(100_000);
    let error = file
        .write([(2, put(1, "a", "two")), (3, put(1, "b", &large))])
        .unwrap_err();
    assert!(matches!(error, WriteError::Full { .. }), "{error:?}");
    assert!(error.source().is_some());
    let error = file.write([(4, put(1, "c", "small"))]).unwrap_err();
    assert!(matches!(error, WriteError::Failed), "{error:?}");
    assert!(matches!(file.tend().unwrap_err(), WriteError::Failed));
    assert!(matches!(file.overdue().unwrap_err(), WriteError::Failed));
    assert_eq!(file.last_seq(), 1);
    drop(file);
    // Nothing half: the first change of the group is not there either.
    let recovered = reopen(&scratch.journal());
    assert_eq!(recovered.rows, [(1, row(1, "a", "one"))]);
    assert_eq!(recovered.last_seq, 1);
}

#[test]
fn a_read_only_file_fails_the_write() {
    let scratch = Scratch::new();
    let (mut file, _) = JournalFile::open(&scratch.journal()).unwrap();
    file.conn.pragma_update(None, "query_only", true).unwrap();
    let error = file.write([(1, put(1, "a", "one"))]).unwrap_err();
    assert!(matches!(error, WriteError::ReadOnly { .. }), "{error:?}");
}

#[test]
fn numbers_must_ascend() {
    let scratch = Scratch::new();
    let (mut file, _) = JournalFile::open(&scratch.journal()).unwrap();
    file.write([(5, put(1, "a", "one"))]).unwrap();
    let error = file
        .write([(6, put(1, "a", "two")), (6, put(1, "b", "three"))])
        .unwrap_err();
    assert!(matches!(error, WriteError::OutOfOrder { seq: 6, last: 6 }));
    drop(file);
    let recovered = reopen(&scratch.journal());
    assert_eq!(recovered.rows, [(5, row(1, "a", "one"))]);
}

/// The name by which the test binary knows a module.
pub(super) fn within_crate(module: &str) -> &str {
    module.split_once("::").map_or(module, |(_, rest)| rest)
}
