//! Looking into files that are closed, open, or not there.

use std::sync::mpsc;

use super::*;
use crate::journal::{
    file::JournalFile,
    scratch::{Scratch, after, course, put, row},
    writer::{AppendError, Limits, Progress, Writer},
};

#[test]
fn rows_are_counted_by_kind() {
    let scratch = Scratch::new();
    let path = scratch.journal();
    let (mut file, _) = JournalFile::open(&path).unwrap();
    let group = [
        (1, put(1, "a", "four")),
        (2, put(1, "bc", "")),
        (9, put(700, "d", "x")),
    ];
    file.write(group).unwrap();
    for _ in 0..2 {
        let report = verify(&path).unwrap();
        let share = |rows, bytes| Share { rows, bytes };
        let kinds = BTreeMap::from([(1, share(2, 7)), (700, share(1, 2))]);
        assert_eq!(report.kinds, kinds);
        assert_eq!((report.last_seq, report.damaged.len()), (9, 0));
        assert!(report.file_bytes >= 8192);
    }
    let contents = inspect(&path).unwrap();
    let rows = [
        (1, row(1, "a", "four")),
        (2, row(1, "bc", "")),
        (9, row(700, "d", "x")),
    ];
    assert_eq!(contents.rows, rows);
    assert_eq!(contents.faults, Vec::<String>::new());
    drop(file);
    assert_eq!(verify(&path).unwrap().last_seq, 9);
}

/// Every look sees a state that there was, whole, while groups are written as fast as can be.
#[test]
fn a_look_beside_a_writer() {
    let scratch = Scratch::new();
    let path = scratch.journal();
    let (file, _) = JournalFile::open(&path).unwrap();
    let (tell, told) = mpsc::channel();
    let limits = Limits {
        pending_max: 64,
        group_max: 8,
    };
    let writer = Writer::spawn(file, limits, move |progress| {
        let _nobody_listens = tell.send(progress);
    })
    .unwrap();
    let (mut seq, mut durable, mut looks) = (0, 0, 0);
    while seq < 2000 {
        match writer.append(seq + 1, vec![course(seq + 1)]) {
            Ok(()) => seq += 1,
            Err(AppendError::Behind) => match told.recv().unwrap() {
                Progress::Durable(seq) => durable = seq,
                Progress::Failed(error) => panic!("{error}"),
            },
            Err(error) => panic!("{error}"),
        }
        if seq % 20 == 0 {
            let report = verify(&path).unwrap();
            assert!(report.last_seq >= durable);
            assert_eq!(report.damaged, []);
            let contents = inspect(&path).unwrap();
            assert_eq!(contents.rows, after(contents.last_seq));
            assert_eq!(contents.faults, Vec::<String>::new());
            looks += 1;
        }
    }
    assert!(looks >= 100);
    drop(writer);
    assert_eq!(verify(&path).unwrap().last_seq, 2000);
    assert_eq!(JournalFile::open(&path).unwrap().1.rows, after(2000));
}

#[test]
fn nothing_is_made_by_looking() {
    let scratch = Scratch::new();
    assert!(matches!(
        verify(&scratch.journal()),
        Err(OpenError::NotThere { .. })
    ));
    assert!(matches!(
        inspect(&scratch.journal()),
        Err(OpenError::NotThere { .. })
    ));
    assert!(!scratch.journal().exists());
    std::fs::write(scratch.journal(), "").unwrap();
    assert_eq!(verify(&scratch.journal()).unwrap(), Report::default());
    assert_eq!(inspect(&scratch.journal()).unwrap(), Contents::default());
    std::fs::write(scratch.journal(), "no database").unwrap();
    assert!(matches!(
        verify(&scratch.journal()),
        Err(OpenError::NotADatabase)
    ));
}

#[test]
fn a_name_with_marks_of_its_own_is_only_a_name() {
    let scratch = Scratch::new();
    let path = scratch.folder().join("50% of?it#é");
    drop(JournalFile::open(&path).unwrap());
    assert_eq!(verify(&path).unwrap().last_seq, 0);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let (_, identity) = connect(&immutable(&path), flags).unwrap();
    assert_eq!(
        identity,
        Identity::Journal {
            format: schema::FORMAT
        }
    );
}
