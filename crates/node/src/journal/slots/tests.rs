//! In which order slots are written, and for how long one stays as it was.

use super::*;

fn slots(count: u32) -> Slots {
    Slots::new((0..count).collect(), [])
}

/// In how many groups of so many blocks everything is written over or clean, and how many were cleaned.
fn steps_until_clean(slots: &mut Slots, blocks: usize) -> (usize, usize) {
    let (mut steps, mut cleaned) = (0, 0);
    while !slots.are_clean() {
        let written_over = slots.take(blocks).len();
        let due = slots.take_soiled(written_over, 0);
        cleaned += due.len();
        slots.cleaned(due);
        steps += 1;
    }
    (steps, cleaned)
}

#[test]
fn the_oldest_is_written_over_first_then_the_foremost_then_a_new_one() {
    let mut slots = Slots::default();
    assert_eq!(slots.take(5), [0, 1, 2, 3, 4]);
    slots.release([3, 1]);
    slots.cleaned([4, 0]);
    assert_eq!(slots.take(2), [3, 1]);
    slots.release([2]);
    assert_eq!(slots.take(4), [2, 0, 4, 5]);
    assert_eq!(slots.count(), 6);
}

#[test]
fn slots_in_use_are_not_taken() {
    let mut slots = Slots::new([0, 1, 2, 6].into(), [1, 6]);
    assert_eq!(slots.take(3), [0, 2, 7]);
}

#[test]
fn what_groups_write_over_is_not_cleaned() {
    let count = STEPS_SOILED as u32;
    assert_eq!(steps_until_clean(&mut slots(count), 1), (STEPS_SOILED, 0));
}

#[test]
fn however_much_is_left_it_is_gone_in_so_many_steps() {
    for times in [2, 3, 40] {
        let count = times * STEPS_SOILED;
        let (steps, cleaned) = steps_until_clean(&mut slots(count as u32), 1);
        assert!(steps <= STEPS_SOILED, "{steps} steps for {count} slots");
        assert_eq!(cleaned, count - steps);
    }
}

/// What becomes free later does not make what was before it wait.
#[test]
fn what_comes_behind_changes_nothing() {
    let mut slots = slots(3 * STEPS_SOILED as u32);
    let last = *slots.soiled.back().unwrap();
    let mut steps = 0;
    while slots.soiled.contains(&last) {
        let taken = slots.take(1);
        let due = slots.take_soiled(1, 0);
        slots.cleaned(due);
        slots.release(taken);
        steps += 1;
    }
    assert_eq!(steps, STEPS_SOILED);
}

#[test]
fn who_has_the_time_cleans_more() {
    let mut slots = slots(100);
    assert_eq!(slots.take_soiled(0, 0), [0]);
    assert_eq!(slots.take_soiled(0, 64).len(), 64);
    assert_eq!(slots.take_soiled(0, 64).len(), 35);
    assert!(slots.are_clean());
    assert_eq!(slots.take_soiled(0, 64), [0; 0]);
}

#[test]
fn slots_are_given_up_from_the_end() {
    let mut slots = slots(9);
    let cleaned = slots.take_soiled(0, 4);
    slots.cleaned(cleaned);
    slots.shorten(2);
    assert!(slots.are_clean());
    assert_eq!(slots.take(4), [0, 1, 2, 3]);
    assert_eq!(slots.count(), 4);
}
