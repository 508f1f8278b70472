//! What callers said is gone from the files some time after its row is, whatever else happens.

use super::*;
use crate::journal::slots::STEPS_SOILED;

/// What somebody has said.
const SAID: &str = "0612345678";

/// Blocks of a group: with fewer, the same takes more groups.
const BLOCKS: usize = 16;

/// So many groups are enough for so many blocks, or pages of the log.
const fn groups(blocks: usize) -> usize {
    blocks.div_ceil(BLOCKS)
}

/// The log is moved, begun anew, and as long again.
const LOG: usize = 2 * schema::WAL_PAGES_MAX as usize;

/// A journal that is written without ever being left alone.
struct Load {
    scratch: Scratch,
    file: JournalFile,
    seq: u64,
}

impl Load {
    fn new() -> Self {
        let scratch = Scratch::new();
        let (file, _) = JournalFile::open(&scratch.journal()).unwrap();
        Self {
            scratch,
            file,
            seq: 0,
        }
    }

    fn write(&mut self, changes: impl IntoIterator<Item = Change>) {
        let changes: Vec<_> = (self.seq + 1..).zip(changes).collect();
        self.seq += changes.len() as u64;
        self.file.write(changes).unwrap();
        if self.file.overdue().unwrap() {
            self.file.tend().unwrap();
        }
    }

    /// A few rows stay as they are for long, most are changed or gone soon.
    fn go_on(&mut self, groups: usize, blocks: usize) {
        let body = "x".repeat((blocks - 1) * blocks::ROOM + blocks::ROOM / 2);
        for group in 0..groups {
            let key = match group % 100 {
                0 => format!("long-{group}"),
                _ => format!("short-{}", group % 7),
            };
            let rest = format!("short-{}", group % 5);
            self.write([remove(2, &rest), put(2, &key, &body)]);
        }
    }

    fn tidy_up(&mut self) {
        while self.file.tend().unwrap() == Tended::More {}
    }

    /// In which of the two files it is still to be read.
    fn is_left_in(&self) -> Vec<&'static str> {
        let path = self.scratch.journal();
        let holds = |suffix: &&str| {
            let bytes = fs::read(beside(&path, suffix)).unwrap();
            let mut parts = bytes.windows(SAID.len());
            parts.any(|part| part == SAID.as_bytes())
        };
        ["", "-wal"].into_iter().filter(holds).collect()
    }
}

/// Longer than a page, so that it is in pages of its own where it is a row.
fn said() -> Change {
    put(1, "call", &SAID.repeat(2000))
}

fn over() -> Change {
    remove(1, "call")
}

#[test]
fn a_call_that_is_soon_over_is_gone_without_a_quiet_moment() {
    let mut load = Load::new();
    load.go_on(groups(BLOCKS_MAX), BLOCKS);
    load.write([said()]);
    assert_ne!(load.is_left_in(), [""; 0]);
    load.write([over()]);
    load.go_on(groups(BLOCKS_MAX + STEPS_SOILED + LOG), BLOCKS);
    assert_eq!(load.is_left_in(), [""; 0]);
}

#[test]
fn a_call_that_became_a_row_is_gone_without_a_quiet_moment() {
    let mut load = Load::new();
    load.write([said()]);
    load.go_on(2 * groups(BLOCKS_MAX + STEPS_SOILED + LOG), BLOCKS);
    assert_eq!(load.is_left_in(), [""]);
    load.write([over()]);
    load.go_on(groups(BLOCKS_MAX + LOG), BLOCKS);
    assert_eq!(load.is_left_in(), [""; 0]);
}

/// More than the groups of the next time would write over.
#[test]
fn what_was_written_at_once_is_gone_without_a_quiet_moment() {
    let mut load = Load::new();
    let said = SAID.repeat(blocks::ROOM / SAID.len());
    let calls = || (0..3 * BLOCKS_MAX).map(|call| call.to_string());
    load.write(calls().map(|call| put(3, &call, &said)));
    load.write(calls().map(|call| remove(3, &call)));
    load.go_on(groups(BLOCKS_MAX), BLOCKS);
    assert_ne!(load.is_left_in(), [""; 0]);
    // However small the groups are.
    load.go_on(STEPS_SOILED + LOG, 1);
    assert_eq!(load.is_left_in(), [""; 0]);
}

#[test]
fn nothing_is_left_when_a_moment_was_quiet() {
    let mut load = Load::new();
    for _ in 0..20 {
        load.write([said()]);
        load.write([over()]);
    }
    load.tidy_up();
    assert_eq!(load.is_left_in(), [""; 0]);
    load.write([said()]);
    load.tidy_up();
    assert_eq!(load.is_left_in(), [""]);
    load.write([over()]);
    load.tidy_up();
    assert_eq!(load.is_left_in(), [""; 0]);
}

/// Who looks into the journal sees it as it was when the look began; nobody waits for that.
#[test]
fn what_somebody_looks_at_is_gone_after_the_look() {
    let mut load = Load::new();
    load.write([said()]);
    load.tidy_up();
    let reader = Connection::open(load.scratch.journal()).unwrap();
    schema::keep_wal(&reader, true).unwrap();
    let look = reader.unchecked_transaction().unwrap();
    let count =
        |look: &Connection| look.query_one("SELECT count(*) FROM journal", [], |row| row.get(0));
    assert_eq!(count(&look), Ok(1));
    load.write([over()]);
    load.go_on(groups(2 * LOG), BLOCKS);
    load.tidy_up();
    assert_eq!(count(&look), Ok(1));
    drop(look);
    load.write([over()]);
    load.tidy_up();
    assert_eq!(load.is_left_in(), [""; 0]);
}
