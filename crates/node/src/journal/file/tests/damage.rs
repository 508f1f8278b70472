//! Files that were damaged while nobody looked.

use std::collections::BTreeMap;

use super::*;
use crate::journal::{look, row::Fault};

/// A journal of two hundred rows, closed in order.
fn two_hundred(path: &Path) -> BTreeMap<u64, Row> {
    let (mut file, _) = JournalFile::open(path).unwrap();
    let rows: BTreeMap<_, _> = (1..=200)
        .map(|seq| {
            let length = if seq % 40 == 0 { 3000 } else { 100 };
            let body = format!("body {seq} ").repeat(length / 10);
            (seq, row((seq % 3) as u16, &format!("key-{seq:03}"), &body))
        })
        .collect();
    let changes: Vec<_> = rows
        .iter()
        .map(|(seq, row)| (*seq, Change::Put(row.clone())))
        .collect();
    file.write(changes).unwrap();
    rows
}

/// Whether the opening was refused.
fn never_silent(path: &Path, written: &BTreeMap<u64, Row>, what: &str) -> bool {
    let Ok((_, recovered)) = JournalFile::open(path) else {
        // Whatever can still be read is right.
        if let Ok(contents) = look::inspect(path) {
            for (seq, row) in &contents.rows {
                assert_eq!(written.get(seq), Some(row), "{what}");
            }
            let missing = contents.rows.len() < written.len();
            assert!(!missing || !contents.faults.is_empty() || !contents.damaged.is_empty());
        }
        return true;
    };
    for (seq, row) in &recovered.rows {
        assert_eq!(written.get(seq), Some(row), "{what}");
    }
    let there = recovered.rows.len() + recovered.damaged.len();
    assert_eq!(there, written.len(), "{what}");
    assert_eq!(recovered.last_seq, 200, "{what}");
    false
}

/// Flips one bit in every so many bytes, and opens the file each time.
fn flip(stride: usize, all_bits: bool) {
    let scratch = Scratch::new();
    let path = scratch.journal();
    let written = two_hundred(&path);
    let sound = fs::read(&path).unwrap();
    let (mut refused, mut tried) = (0, 0);
    for at in (0..sound.len()).step_by(stride) {
        let bits = if all_bits { 0..8 } else { at % 8..at % 8 + 1 };
        for bit in bits {
            let mut damaged = sound.clone();
            damaged[at] ^= 1 << bit;
            fs::write(&path, &damaged).unwrap();
            let what = format!("bit {bit} of byte {at}");
            refused += usize::from(never_silent(&path, &written, &what));
            tried += 1;
        }
    }
    assert!(refused > 0 && refused < tried);
}

/// Every bit of the file with `QUINZE_JOURNAL=long`: that takes a quarter of an hour.
#[test]
fn a_flipped_bit_is_never_silent() {
    let is_long = std::env::var("QUINZE_JOURNAL").is_ok_and(|mode| mode == "long");
    let (stride, all_bits) = if is_long { (1, true) } else { (17, false) };
    flip(stride, all_bits);
}

#[test]
fn a_page_that_was_never_written_is_never_silent() {
    let scratch = Scratch::new();
    let path = scratch.journal();
    let written = two_hundred(&path);
    let sound = fs::read(&path).unwrap();
    for page in 0..sound.len() / 4096 {
        let mut damaged = sound.clone();
        damaged[page * 4096..(page + 1) * 4096].fill(0);
        fs::write(&path, &damaged).unwrap();
        never_silent(&path, &written, &format!("page {page} of zeros"));
        fs::write(&path, &sound[..page * 4096]).unwrap();
        if page > 0 {
            assert!(never_silent(&path, &written, &format!("{page} pages")));
        }
    }
}

/// A disk that said that it wrote a page and did not.
#[test]
fn a_page_of_yesterday_is_never_silent() {
    let scratch = Scratch::new();
    let path = scratch.journal();
    let mut written = two_hundred(&path);
    let old = fs::read(&path).unwrap();
    let (mut file, _) = JournalFile::open(&path).unwrap();
    let again = row(1, "key-001", "written again");
    file.write([(201, Change::Put(again.clone()))]).unwrap();
    drop(file);
    written.remove(&1);
    written.insert(201, again);
    let new = fs::read(&path).unwrap();
    assert_eq!(old.len(), new.len());
    let mut stale = 0;
    for page in 0..new.len() / 4096 {
        let range = page * 4096..(page + 1) * 4096;
        if old[range.clone()] != new[range.clone()] && page > 0 {
            let mut mixed = new.clone();
            mixed[range.clone()].copy_from_slice(&old[range]);
            fs::write(&path, &mixed).unwrap();
            let error = JournalFile::open(&path).map(|_| ()).unwrap_err();
            assert!(matches!(error, OpenError::Corrupt { .. }), "{error:?}");
            stale += 1;
        }
    }
    // The page of the row, and that of the head.
    assert!(stale >= 2);
}

#[test]
fn a_damaged_row_is_reported_until_it_is_replaced() {
    let scratch = Scratch::new();
    let path = scratch.journal();
    let written = two_hundred(&path);
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes
        .windows(8)
        .position(|bytes| bytes == b"body 77 ")
        .unwrap();
    bytes[at] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let expected = Damage {
        kind: 77 % 3,
        key: b"key-077".to_vec(),
        seq: 77,
        what: Fault::Checksum,
    };
    for _ in 0..2 {
        let recovered = reopen(&path);
        assert_eq!(recovered.damaged, std::slice::from_ref(&expected));
        assert_eq!(recovered.rows.len(), 199);
    }
    let (mut file, _) = JournalFile::open(&path).unwrap();
    file.write([(201, put(77 % 3, "key-077", "new"))]).unwrap();
    drop(file);
    let recovered = reopen(&path);
    assert_eq!(recovered.damaged, []);
    assert_eq!(recovered.rows.len(), written.len());
    assert_eq!(recovered.rows[199], (201, row(77 % 3, "key-077", "new")));
}

#[test]
fn a_damaged_checksum_is_reported_until_it_is_replaced() {
    let scratch = Scratch::new();
    let path = scratch.journal();
    two_hundred(&path);
    let sql = "UPDATE journal SET sum = sum + 1 WHERE key = CAST('key-077' AS BLOB)";
    assert_eq!(
        Connection::open(&path).unwrap().execute(sql, []).unwrap(),
        1
    );
    let (mut file, recovered) = JournalFile::open(&path).unwrap();
    assert_eq!(recovered.damaged.len(), 1);
    file.write([(201, remove(77 % 3, "key-077"))]).unwrap();
    drop(file);
    let recovered = reopen(&path);
    assert_eq!((recovered.rows.len(), recovered.damaged.len()), (199, 0));
}

#[test]
fn rows_that_somebody_else_removed_are_missed() {
    let scratch = Scratch::new();
    let path = scratch.journal();
    two_hundred(&path);
    let conn = Connection::open(&path).unwrap();
    assert_eq!(
        conn.execute("DELETE FROM journal WHERE seq = 3", [])
            .unwrap(),
        1
    );
    let count: usize = conn
        .prepare(ALL)
        .unwrap()
        .query_map([], |_| Ok(()))
        .unwrap()
        .count();
    assert_eq!(count, 199);
    drop(conn);
    let error = JournalFile::open(&path).map(|_| ()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("200 rows were written, 199 are there"),
        "{error}"
    );
    let contents = look::inspect(&path).unwrap();
    assert_eq!(contents.rows.len(), 199);
    assert_eq!(contents.faults.len(), 1);
}

/// Groups of three changes that are still in the write-ahead log, as after a power cut.
fn unclean(scratch: &Scratch, groups: u64) -> (Vec<u8>, Vec<u8>) {
    let path = scratch.journal();
    let (mut file, _) = JournalFile::open(&path).unwrap();
    for group in 0..groups {
        let first = group * 3 + 1;
        let changes: Vec<_> = (first..first + 3).map(|seq| (seq, course(seq))).collect();
        file.write(changes).unwrap();
    }
    (
        fs::read(&path).unwrap(),
        fs::read(beside(&path, "-wal")).unwrap(),
    )
}

/// Opens a file with this log; how many groups are there, and how many are reported lost. What is
/// there is whole.
fn open_with(scratch: &Scratch, file: &[u8], log: &[u8], what: &str) -> (u64, u64) {
    let path = scratch.folder().join("copy");
    let _not_there = fs::remove_file(beside(&path, "-shm"));
    fs::write(&path, file).unwrap();
    fs::write(beside(&path, "-wal"), log).unwrap();
    let recovered = reopen(&path);
    assert_eq!(recovered.last_seq % 3, 0, "{what}");
    assert_eq!(recovered.rows, after(recovered.last_seq), "{what}");
    assert_eq!(recovered.damaged, [], "{what}");
    (recovered.last_seq / 3, recovered.lost_groups)
}

#[test]
fn a_torn_log_keeps_all_groups_before() {
    let scratch = Scratch::new();
    let (file, log) = unclean(&scratch, 20);
    let (mut before, mut all) = (0, 0);
    for length in (0..=log.len()).step_by(499).chain([log.len()]) {
        let what = format!("{length} of {} bytes", log.len());
        let (there, lost) = open_with(&scratch, &file, &log[..length], &what);
        assert!(
            there == before || there == before + 1,
            "{what}: {there} after {before}"
        );
        // What a cut tears was never told.
        assert_eq!(lost, 0, "{what}");
        before = there;
        all = all.max(there);
    }
    assert_eq!(all, 20);
}

#[test]
fn a_damaged_log_keeps_all_groups_before_and_tells_of_those_after() {
    let scratch = Scratch::new();
    let (file, log) = unclean(&scratch, 20);
    for at in (0..log.len()).step_by(997) {
        let mut damaged = log.clone();
        damaged[at] ^= 1 << (at % 8);
        let what = format!("byte {at} of {}", log.len());
        let (there, lost) = open_with(&scratch, &file, &damaged, &what);
        // The last group cannot be told from one that was being written.
        if there < 19 {
            assert!(lost > 0, "{what}: {there} groups are there");
        }
        assert!(there + lost <= 20, "{what}: {there} and {lost}");
    }
}
