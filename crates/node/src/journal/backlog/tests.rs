//! Which rows are written at all, and when blocks are free.

use super::*;
use crate::journal::scratch::{put, remove};

fn nothing_stored(_: &Name) -> bool {
    false
}

fn take(backlog: &mut Backlog, changes: Vec<(u64, Change)>) {
    let last = changes.last().unwrap().0;
    let slots = backlog.slots.take(changes.len());
    backlog.take(last, slots, changes, nothing_stored);
}

#[test]
fn a_row_that_is_gone_again_is_never_written() {
    let mut backlog = Backlog::default();
    take(
        &mut backlog,
        vec![(1, put(1, "a", "one")), (2, put(1, "b", "one"))],
    );
    take(&mut backlog, vec![(3, put(1, "b", "two"))]);
    take(
        &mut backlog,
        vec![(4, remove(1, "a")), (5, remove(1, "nobody"))],
    );
    assert_eq!(backlog.folded(5), 2);
    assert_eq!(backlog.pop(), Some((3, put(1, "b", "two"))));
    assert_eq!(backlog.pop(), None);
    assert_eq!(backlog.folded(5), 5);
}

#[test]
fn a_row_that_is_written_is_removed() {
    let mut backlog = Backlog::default();
    let slots = backlog.slots.take(1);
    let is_stored = |name: &Name| *name == (1, b"a".to_vec());
    backlog.take(1, slots, [(1, remove(1, "a"))], is_stored);
    assert_eq!(backlog.pop(), Some((1, remove(1, "a"))));
}

#[test]
fn blocks_are_free_when_the_rows_hold_their_changes() {
    let mut backlog = Backlog::default();
    take(
        &mut backlog,
        vec![(1, put(1, "a", "")), (2, put(1, "b", ""))],
    );
    take(&mut backlog, vec![(3, put(1, "a", ""))]);
    assert_eq!((backlog.used(), backlog.slots.count()), (3, 3));
    // The row of "b" is not written: its group stays.
    backlog.release(backlog.folded(3));
    assert_eq!(backlog.used(), 3);
    backlog.pop();
    assert_eq!(backlog.used_after(backlog.folded(3)), 1);
    backlog.release(backlog.folded(3));
    assert_eq!(backlog.used(), 1);
    // They are written over before there are more.
    assert_eq!(backlog.slots.take(3), [0, 1, 3]);
}
