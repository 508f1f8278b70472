//! The writer's thread, seen from the one that hands it changes.

use std::sync::mpsc::{self, Receiver, SyncSender};

use super::*;
use crate::journal::{
    gate::QUIET,
    place::size,
    scratch::{Scratch, after, course, put},
};

fn open(scratch: &Scratch) -> JournalFile {
    JournalFile::open(&scratch.journal()).unwrap().0
}

/// A writer that does not go on before each of its progresses was received.
fn slow(file: JournalFile, limits: Limits) -> (Writer, Receiver<Progress>) {
    let (tell, told): (SyncSender<Progress>, _) = mpsc::sync_channel(0);
    let tell = move |progress| {
        let _nobody_listens = tell.send(progress);
    };
    (Writer::spawn(file, limits, tell).unwrap(), told)
}

#[test]
fn everything_taken_is_durable_in_its_order() {
    let scratch = Scratch::new();
    let (tell, told) = mpsc::channel();
    let tell = move |progress| tell.send(progress).unwrap();
    let writer = Writer::spawn(open(&scratch), Limits::default(), tell).unwrap();
    for seq in 1..=1000 {
        writer.append(seq, vec![course(seq)]).unwrap();
    }
    drop(writer);
    let mut before = 0;
    for progress in told {
        let Progress::Durable(seq) = progress else {
            panic!("{progress:?}");
        };
        assert!(seq > before);
        before = seq;
    }
    assert_eq!(before, 1000);
    let (_, recovered) = JournalFile::open(&scratch.journal()).unwrap();
    assert_eq!(recovered.rows, after(1000));
}

#[test]
fn what_waits_is_written_in_groups() {
    let scratch = Scratch::new();
    let limits = Limits {
        group_max: 10,
        ..Limits::default()
    };
    let (writer, told) = slow(open(&scratch), limits);
    writer.append(1, vec![course(1)]).unwrap();
    // The thread waits with its first progress, or has not begun: in both cases the others queue.
    for seq in 2..=26 {
        writer.append(seq, vec![course(seq)]).unwrap();
    }
    let mut numbers = Vec::new();
    while numbers.last() != Some(&26) {
        match told.recv().unwrap() {
            Progress::Durable(seq) => numbers.push(seq),
            Progress::Failed(error) => panic!("{error}"),
        }
    }
    // Groups of one to ten first, of ten then, and of what is left.
    let first = numbers[0];
    assert!((1..=10).contains(&first), "{numbers:?}");
    for two in numbers.windows(2) {
        assert!(two[1] - two[0] <= 10, "{numbers:?}");
    }
    assert!(numbers.len() <= 4, "{numbers:?}");
    assert_eq!(writer.pending(), 0);
}

#[test]
fn who_does_not_keep_up_takes_no_more() {
    let scratch = Scratch::new();
    let limits = Limits {
        pending_max: 5,
        group_max: 1,
    };
    let (writer, told) = slow(open(&scratch), limits);
    let mut taken = 0;
    // The thread stops at its first progress: one is durable, five wait.
    let refused = loop {
        match writer.append(taken + 1, vec![course(taken + 1)]) {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
        assert!(taken <= 6);
    };
    assert_eq!(refused, AppendError::Behind);
    assert!(writer.pending() <= 5);
    for seq in 1..=taken {
        let progress = told.recv().unwrap();
        assert!(matches!(progress, Progress::Durable(durable) if durable == seq));
    }
    assert_eq!(writer.pending(), 0);
    writer.append(taken + 1, vec![course(taken + 1)]).unwrap();
    drop(told);
    drop(writer);
    let (_, recovered) = JournalFile::open(&scratch.journal()).unwrap();
    assert_eq!(recovered.last_seq, taken + 1);
}

#[test]
fn a_failure_is_told_once_and_nothing_after_it() {
    let scratch = Scratch::new();
    let (tell, told) = mpsc::channel();
    let tell = move |progress| tell.send(progress).unwrap();
    let limits = Limits {
        group_max: 1,
        ..Limits::default()
    };
    let writer = Writer::spawn(open(&scratch), limits, tell).unwrap();
    writer.append(1, vec![put(1, "a", "one")]).unwrap();
    assert!(matches!(told.recv().unwrap(), Progress::Durable(1)));
    // The numbers do not ascend: as good a failure as any.
    writer.append(1, vec![put(1, "b", "two")]).unwrap();
    let _taken_or_not = writer.append(2, vec![put(1, "c", "three")]);
    let progress = told.recv().unwrap();
    let failed = WriteError::OutOfOrder { seq: 1, last: 1 };
    assert_eq!(
        format!("{progress:?}"),
        format!("{:?}", Progress::Failed(failed))
    );
    let refused = writer.append(3, vec![put(1, "d", "four")]).unwrap_err();
    assert_eq!(refused, AppendError::Failed);
    assert!(writer.pending() > 0);
    drop(writer);
    assert!(told.recv().is_err());
    let (_, recovered) = JournalFile::open(&scratch.journal()).unwrap();
    assert_eq!(recovered.last_seq, 1);
}

#[test]
fn a_dropped_writer_leaves_the_file_to_others() {
    let scratch = Scratch::new();
    for round in 0..3 {
        let file = open(&scratch);
        assert_eq!(file.last_seq(), round);
        let writer = Writer::spawn(file, Limits::default(), |_| {}).unwrap();
        writer.append(round + 1, vec![course(round + 1)]).unwrap();
    }
}

#[test]
fn quiet_moments_move_the_log_into_the_file() {
    let scratch = Scratch::new();
    let (tell, told) = mpsc::channel();
    let tell = move |progress| tell.send(progress).unwrap();
    let writer = Writer::spawn(open(&scratch), Limits::default(), tell).unwrap();
    let before = size(&scratch.journal()).unwrap();
    let body = "x".repeat(3 << 20);
    writer.append(1, vec![put(1, "a", &body)]).unwrap();
    assert!(matches!(told.recv().unwrap(), Progress::Durable(1)));
    // Nothing more is told; the file grows when the writer had nothing to do for a while.
    let mut waits = 0;
    while size(&scratch.journal()).unwrap() < before + body.len() as u64 {
        assert!(told.recv_timeout(QUIET).is_err());
        waits += 1;
        assert!(waits < 100);
    }
    writer.append(2, vec![put(1, "a", "two")]).unwrap();
    assert!(matches!(told.recv().unwrap(), Progress::Durable(2)));
}
