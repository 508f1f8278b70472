//! A node that is killed while it writes.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
    sync::mpsc,
};

use super::*;
use crate::journal::writer::{AppendError, Limits, Progress, Writer};

#[test]
fn what_was_told_durable_survives_a_kill() {
    let scratch = Scratch::new();
    let mut before = 0;
    for told_min in [20, 500, 1, 3000, 100] {
        let told = write_and_be_killed(&scratch.journal(), before + told_min);
        let recovered = reopen(&scratch.journal());
        let last_seq = recovered.last_seq;
        assert!(last_seq >= told, "{told} was told, {last_seq} is there");
        // Exactly what the course leaves up to there: nothing lost, nothing half.
        assert_eq!(recovered.rows, after(last_seq));
        assert_eq!(recovered.damaged, []);
        assert_eq!(recovered.lost_groups, 0);
        before = last_seq;
    }
}

/// Runs the child below until it has told this number; the last number that it told.
fn write_and_be_killed(path: &Path, told_min: u64) -> u64 {
    let test = format!(
        "{}::child_that_is_killed",
        refused::within_crate(module_path!())
    );
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &test, "--nocapture"])
        .env("QUINZE_JOURNAL_KILLED", path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = 0;
    let mut killed = false;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        // The last line may be torn; a number without its end mark does not count.
        let number = line
            .split_once("durable ")
            .and_then(|(_, rest)| rest.strip_suffix('.'))
            .and_then(|number| number.parse::<u64>().ok());
        told = told.max(number.unwrap_or(0));
        if told >= told_min && !killed {
            child.kill().unwrap();
            killed = true;
        }
    }
    let status = child.wait().unwrap();
    assert!(killed && !status.success(), "{status}");
    told
}

#[test]
fn child_that_is_killed() {
    let Some(path) = std::env::var_os("QUINZE_JOURNAL_KILLED").map(PathBuf::from) else {
        return;
    };
    let (file, recovered) = JournalFile::open(&path).unwrap();
    let (tell, told) = mpsc::channel();
    let limits = Limits {
        pending_max: 64,
        group_max: 16,
    };
    let writer = Writer::spawn(file, limits, move |progress| {
        let Progress::Durable(seq) = progress else {
            panic!("{progress:?}");
        };
        writeln!(std::io::stdout(), "durable {seq}.").unwrap();
        let _the_test_is_over = tell.send(seq);
    })
    .unwrap();
    let mut seq = recovered.last_seq;
    loop {
        match writer.append(seq + 1, vec![course(seq + 1)]) {
            Ok(()) => seq += 1,
            Err(AppendError::Behind) => {
                told.recv().unwrap();
            }
            Err(error) => panic!("{error}"),
        }
    }
}
