//! A journal from its beginning to its end, and what is refused.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use super::*;
use crate::journal::{
    place::{beside, size},
    read::ALL,
    scratch::{Scratch, after, course, put, remove, row},
};

mod damage;
mod kill;
mod privacy;
mod refused;

fn reopen(path: &Path) -> Recovered {
    JournalFile::open(path).unwrap().1
}

#[test]
fn a_new_journal_is_empty() {
    let scratch = Scratch::new();
    for _ in 0..2 {
        let recovered = reopen(&scratch.journal());
        assert_eq!(recovered.rows, []);
        assert_eq!(recovered.damaged, []);
        assert_eq!((recovered.last_seq, recovered.lost_groups), (0, 0));
    }
}

#[test]
fn rows_come_back_as_they_were_written() {
    let scratch = Scratch::new();
    let rows = [
        (3, row(0, "", "")),
        (7, row(u16::MAX, "a", "body")),
        (
            u64::MAX - 1,
            Row {
                kind: 1,
                key: vec![0, 255, b'\'', 128],
                version: u16::MAX,
                body: (0..=255).cycle().take(100_000).collect(),
            },
        ),
    ];
    let changes = rows.clone().map(|(seq, row)| (seq, Change::Put(row)));
    let (mut file, _) = JournalFile::open(&scratch.journal()).unwrap();
    file.write(changes).unwrap();
    assert_eq!(file.last_seq(), u64::MAX - 1);
    drop(file);
    let recovered = reopen(&scratch.journal());
    assert_eq!(recovered.rows, rows);
    assert_eq!(recovered.last_seq, u64::MAX - 1);
    assert_eq!(recovered.damaged, []);
}

#[test]
fn a_row_is_replaced_and_removed() {
    let scratch = Scratch::new();
    let (mut file, _) = JournalFile::open(&scratch.journal()).unwrap();
    file.write([(1, put(1, "a", "one")), (2, put(2, "a", "other kind"))])
        .unwrap();
    file.write([(3, put(1, "b", "two")), (4, put(1, "a", "three"))])
        .unwrap();
    drop(file);
    let (mut file, recovered) = JournalFile::open(&scratch.journal()).unwrap();
    let rows = [
        (2, row(2, "a", "other kind")),
        (3, row(1, "b", "two")),
        (4, row(1, "a", "three")),
    ];
    assert_eq!(recovered.rows, rows);
    file.write([
        (5, remove(1, "a")),
        (6, remove(1, "nobody")),
        (7, remove(1, "b")),
    ])
    .unwrap();
    drop(file);
    let recovered = reopen(&scratch.journal());
    assert_eq!(recovered.rows, rows[..1]);
    // Removals count too.
    assert_eq!(recovered.last_seq, 7);
}

#[test]
fn a_group_may_change_a_row_more_than_once() {
    let scratch = Scratch::new();
    let (mut file, _) = JournalFile::open(&scratch.journal()).unwrap();
    let group = [
        (1, put(1, "a", "one")),
        (2, remove(1, "a")),
        (3, put(1, "a", "two")),
        (4, put(1, "a", "three")),
    ];
    file.write(group).unwrap();
    file.write([]).unwrap();
    drop(file);
    assert_eq!(reopen(&scratch.journal()).rows, [(4, row(1, "a", "three"))]);
}

#[test]
fn a_long_course_with_many_openings() {
    let scratch = Scratch::new();
    for round in 0..10 {
        let (mut file, recovered) = JournalFile::open(&scratch.journal()).unwrap();
        assert_eq!(recovered.last_seq, round * 100);
        assert_eq!(recovered.rows, after(round * 100));
        assert_eq!(recovered.damaged, []);
        for group in 0..10 {
            let first = round * 100 + group * 10 + 1;
            let changes: Vec<_> = (first..first + 10).map(|seq| (seq, course(seq))).collect();
            file.write(changes).unwrap();
        }
    }
}

#[test]
fn the_files_stay_short() {
    let scratch = Scratch::new();
    let wal = beside(&scratch.journal(), "-wal");
    let (mut file, _) = JournalFile::open(&scratch.journal()).unwrap();
    let body = "x".repeat(20_000);
    let mut longest = 0;
    for seq in 1..=2000 {
        file.write([(seq, put(1, &format!("{}", seq % 1000), &body))])
            .unwrap();
        if file.overdue().unwrap() {
            assert_eq!(file.tend().unwrap(), Tended::More);
        }
        longest = longest.max(size(&wal).unwrap());
    }
    // It is moved after the group with which it has become too long.
    let limit = (schema::WAL_PAGES_MAX as u64 + 128) * 4120;
    assert!(longest < limit, "{longest} bytes of write-ahead log");
    let changes: Vec<_> = (0..1000)
        .map(|key: u64| (2001 + key, remove(1, &format!("{key}"))))
        .collect();
    file.write(changes).unwrap();
    let mut steps = 0;
    while file.tend().unwrap() == Tended::More {
        steps += 1;
    }
    let free: i64 = file.conn.pragma_query_one(None, "freelist_count").unwrap();
    assert!(
        free <= FREE_PAGES_KEPT,
        "{free} pages are free after {steps} steps"
    );
    drop(file);
    let blocks = u64::from(BLOCKS_KEPT) * 4096;
    assert!(size(&scratch.journal()).unwrap() < blocks + (2 << 20));
    // Closed in order, the file is whole without its log.
    assert_eq!(size(&wal).unwrap(), 0);
    assert_eq!(reopen(&scratch.journal()).last_seq, 3000);
}

/// The number that the documentation of the journal gives.
#[test]
fn a_full_backlog_is_tidied_up_in_three_hundred_quiet_moments() {
    let scratch = Scratch::new();
    let (mut file, _) = JournalFile::open(&scratch.journal()).unwrap();
    // One fills a block.
    let body = "x".repeat(blocks::ROOM - 100);
    for seq in 1..=BLOCKS_MAX as u64 {
        file.write([(seq, put(1, &format!("{seq}"), &body))])
            .unwrap();
        if file.overdue().unwrap() {
            assert_eq!(file.tend().unwrap(), Tended::More);
        }
    }
    assert_eq!(file.backlog.used(), BLOCKS_MAX);
    let mut moments = 1;
    while file.tend().unwrap() == Tended::More {
        moments += 1;
    }
    assert!(moments <= 300, "{moments} moments");
}

/// Figures of a debug build; the limit is for a machine under load.
#[test]
fn ten_thousand_rows_open_quickly() {
    let scratch = Scratch::new();
    let (mut file, _) = JournalFile::open(&scratch.journal()).unwrap();
    let body = "x".repeat(500);
    let changes: Vec<_> = (1..=10_000)
        .map(|seq| (seq, put((seq % 3) as u16, &format!("call-{seq:08}"), &body)))
        .collect();
    file.write(changes).unwrap();
    drop(file);
    let began = std::time::Instant::now();
    let recovered = reopen(&scratch.journal());
    let took = began.elapsed();
    assert_eq!(recovered.rows.len(), 10_000);
    assert!(took.as_millis() < 1000, "{took:?}");
}

#[test]
fn nobody_else_may_read_it() {
    let scratch = Scratch::new();
    let (mut file, _) = JournalFile::open(&scratch.journal()).unwrap();
    file.write([(1, put(1, "a", "one"))]).unwrap();
    for suffix in ["", "-wal", "-shm", ".lock"] {
        let name = beside(&scratch.journal(), suffix);
        let mode = fs::metadata(&name).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", name.display());
    }
}

#[test]
fn bodies_are_not_printed() {
    let printed = format!("{:?}", put(1, "key", "0612345678"));
    assert!(printed.contains("10 bytes"), "{printed}");
    assert!(!printed.contains("0612345678"), "{printed}");
}

/// A second file as it was at this moment, as after a power cut.
fn copy_of(path: &Path, name: &str) -> PathBuf {
    let copy = path.with_file_name(name);
    let _not_there = fs::remove_file(beside(&copy, "-shm"));
    fs::copy(path, &copy).unwrap();
    fs::copy(beside(path, "-wal"), beside(&copy, "-wal")).unwrap();
    copy
}

/// Blocks are written over again and again; at each moment everything is there.
#[test]
fn a_cut_while_rows_are_written_loses_nothing() {
    let scratch = Scratch::new();
    let path = scratch.journal();
    let (mut file, _) = JournalFile::open(&path).unwrap();
    let body = "x".repeat(12_000);
    let mut expected = std::collections::BTreeMap::new();
    for seq in 1..=3000_u64 {
        // A few rows stay as they are for long, most are changed or gone soon.
        let key = format!("{}", if seq % 50 == 0 { seq } else { seq % 7 });
        let change = match seq % 3 {
            0 => remove(1, &key),
            _ => put(1, &key, &format!("{seq}{body}")),
        };
        match &change {
            Change::Put(row) => expected.insert(key, (seq, row.clone())),
            Change::Remove { .. } => expected.remove(&key),
        };
        file.write([(seq, change)]).unwrap();
        if file.overdue().unwrap() {
            file.tend().unwrap();
        }
        if seq % 97 == 0 {
            let recovered = reopen(&copy_of(&path, "copy"));
            assert_eq!((recovered.last_seq, recovered.lost_groups), (seq, 0));
            let mut rows: Vec<_> = expected.values().cloned().collect();
            rows.sort_unstable_by_key(|(seq, _)| *seq);
            assert!(recovered.rows == rows, "after {seq} changes");
        }
    }
    let used = file.backlog.used();
    assert!(used <= BLOCKS_MAX + 4, "{used} blocks are used");
    let slots = file.backlog.slots().count() as usize;
    assert!(slots <= 2 * BLOCKS_MAX, "there are {slots} blocks");
}

/// As format 1 laid it out: rows at once, and a head that knows of no blocks.
#[test]
fn a_journal_of_format_1_is_read_and_goes_on() {
    let scratch = Scratch::new();
    let path = scratch.journal();
    let old = row(1, "call", "of before");
    let mut head = Head {
        last_seq: 7,
        ..Head::default()
    };
    let sum = checksum(&old, 5);
    head.add(sum);
    let conn = Connection::open(&path).unwrap();
    schema::prepare_to_write(&conn).unwrap();
    schema::create_1(&conn).unwrap();
    statements::put_row(&conn, 5, sum, &old).unwrap();
    conn.execute(
        "INSERT INTO head VALUES (1, 7, 1, ?1, ?2)",
        (head.digest.cast_signed(), head.checksum_1()),
    )
    .unwrap();
    drop(conn);
    let looked = crate::journal::look::inspect(&path).unwrap();
    assert_eq!(looked.rows, [(5, old.clone())]);
    assert_eq!(looked.faults, Vec::<String>::new());
    let (mut file, recovered) = JournalFile::open(&path).unwrap();
    assert_eq!(recovered.rows, [(5, old.clone())]);
    assert_eq!((recovered.last_seq, recovered.lost_groups), (7, 0));
    file.write([(8, put(1, "b", "new"))]).unwrap();
    drop(file);
    let recovered = reopen(&path);
    assert_eq!(recovered.rows, [(5, old), (8, row(1, "b", "new"))]);
    assert_eq!(recovered.damaged, []);
}
