//! What waits for the disk, and for how long.

use engine::journal::Row;
use tokio::runtime::Builder;

use super::*;
use crate::journal::scratch::Scratch;

/// A journal whose clock shows nothing.
fn keeping(scratch: &Scratch) -> Keeping<&'static str, &'static str> {
    let (file, _) = JournalFile::open(&scratch.journal()).unwrap();
    let (clock, _) = JournalClock::begin(&[]);
    Keeping::start(file, clock).unwrap()
}

fn change(key: &str) -> Vec<Change> {
    vec![Change::Put(Row {
        kind: 1,
        key: key.into(),
        version: 1,
        body: Vec::new(),
    })]
}

/// All messages that are held, in the order in which they leave.
fn released(keeping: &mut Keeping<&'static str, &'static str>) -> Vec<&'static str> {
    let runtime = Builder::new_current_thread().build().unwrap();
    let mut released = Vec::new();
    while keeping.holds() {
        runtime.block_on(keeping.progressed());
        keeping.catch_up(Instant::now(), |_| {});
        while let Some(message) = keeping.release_message() {
            released.push(message);
        }
    }
    released
}

#[test]
fn what_is_in_no_hurry_waits_for_what_nobody_awaits() {
    let scratch = Scratch::new();
    let mut keeping = keeping(&scratch);
    let now = Instant::now();
    keeping.record(now, change("end"), false);
    assert_eq!(
        keeping.hold_message("180"),
        Some("180"),
        "it depends on nothing"
    );
    assert_eq!(keeping.hold_unhurried("BYE"), None);
    assert_eq!(keeping.release_message(), None);
    assert_eq!(keeping.poll_timeout(false), Some(now + LAZY_FOR));
    keeping.handle_timeout(now + LAZY_FOR, false);
    assert_eq!(released(&mut keeping), ["BYE"]);
    assert_eq!(keeping.hold_unhurried("BYE again"), Some("BYE again"));
}

#[test]
fn it_goes_with_what_is_awaited_and_before_what_came_later() {
    let scratch = Scratch::new();
    let mut keeping = keeping(&scratch);
    let now = Instant::now();
    keeping.record(now, change("first call"), true);
    assert_eq!(keeping.hold_message("100"), None);
    keeping.record(now, change("end of another"), false);
    assert_eq!(keeping.hold_unhurried("200 to BYE"), None);
    keeping.record(now, change("next call"), true);
    assert_eq!(keeping.hold_message("INVITE"), None);
    assert_eq!(keeping.hold_unhurried("BYE"), None);
    assert_eq!(
        released(&mut keeping),
        ["100", "200 to BYE", "INVITE", "BYE"]
    );
}

#[test]
fn after_a_failure_nothing_waits() {
    let scratch = Scratch::new();
    let mut keeping = keeping(&scratch);
    keeping.record(Instant::now(), change("end"), false);
    assert_eq!(keeping.hold_unhurried("BYE"), None);
    keeping.fail();
    assert_eq!(keeping.release_message(), Some("BYE"));
    assert!(!keeping.holds());
}
