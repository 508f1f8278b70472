//! The gate between the core and the journal: what is told durable is, and nothing that was taken is lost.

use std::{
    iter::repeat_n,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
};

use shuttle::{
    rand::{Rng as _, thread_rng},
    sync::mpsc::{self, Receiver},
    thread,
};

use super::{
    gate::{AppendError, Gate, Limits, Progress, Store},
    in_many_orders,
    sync::planted::Planted,
    with_planted,
};
use crate::journal::file::Tended;

/// What stands for the file. It says what it holds, and breaks at some moment or never.
struct Disk {
    seen: Arc<Seen>,
    breaks_in: Option<u32>,
}

#[derive(Debug)]
struct Broken;

/// What the test knows beside what it was told; looking at it is no step of any thread.
#[derive(Default)]
struct Seen {
    durable: AtomicU64,
    told: AtomicU64,
    is_broken: AtomicBool,
    failure_told: AtomicBool,
}

impl Disk {
    fn work(&mut self) -> Result<(), Broken> {
        let works = self.breaks_in.is_none_or(|left| left > 0);
        self.breaks_in = self.breaks_in.map(|left| left.wrapping_sub(1));
        if works {
            return Ok(());
        }
        self.seen.is_broken.store(true, SeqCst);
        Err(Broken)
    }
}

impl Store for Disk {
    type Change = ();
    type Error = Broken;

    fn write(&mut self, group: impl Iterator<Item = (u64, ())>) -> Result<(), Broken> {
        self.work()?;
        // What is written after a failure is a fault of its own, found where it is told.
        let is_whole = !self.seen.is_broken.load(SeqCst);
        for (number, ()) in group {
            let before = self.seen.durable.swap(number, SeqCst);
            assert!(!is_whole || before + 1 == number, "{number} after {before}");
        }
        Ok(())
    }

    fn last_seq(&self) -> u64 {
        self.seen.durable.load(SeqCst)
    }

    fn overdue(&mut self) -> Result<bool, Broken> {
        Ok(thread_rng().gen_bool(0.3))
    }

    fn tend(&mut self) -> Result<Tended, Broken> {
        self.work()?;
        Ok(Tended::Done)
    }
}

impl Seen {
    fn hear(&self, progress: &Progress<Broken>) {
        let failure_told = self.failure_told.load(SeqCst);
        assert!(!failure_told, "{progress:?} is told after a failure");
        match progress {
            Progress::Durable(number) => {
                let before = self.told.swap(*number, SeqCst);
                assert!(*number > before, "{number} is told after {before}");
                let durable = self.durable.load(SeqCst);
                assert!(
                    *number <= durable,
                    "told {number}, but {durable} is durable"
                );
            }
            Progress::Failed(Broken) => self.failure_told.store(true, SeqCst),
        }
    }
}

/// The core's side.
struct Core {
    gate: Arc<Gate<()>>,
    heard: Receiver<Progress<Broken>>,
    seen: Arc<Seen>,
    /// The number of the last change that was taken.
    taken: u64,
}

impl Core {
    fn start(limits: Limits, breaks_in: Option<u32>) -> Self {
        let seen = Arc::new(Seen::default());
        let disk = Disk {
            seen: seen.clone(),
            breaks_in,
        };
        let (tell, heard) = mpsc::channel();
        let hears = seen.clone();
        let gate = Gate::open(disk, limits, move |progress| {
            hears.hear(&progress);
            let _nobody_listens = tell.send(progress);
            // Whoever hears of it may go on before who tells it does.
            thread::yield_now();
        });
        Self {
            gate: Arc::new(gate.unwrap()),
            heard,
            seen,
            taken: 0,
        }
    }

    fn append(&mut self) -> Result<(), AppendError> {
        let count = thread_rng().gen_range(1..=2);
        let changes = repeat_n((), count).collect();
        self.gate.append(self.taken + 1, changes)?;
        self.taken += count as u64;
        Ok(())
    }

    /// Waits until everything that was taken has been told durable, or a failure has.
    fn settle(&mut self) -> Result<(), Broken> {
        while self.seen.told.load(SeqCst) < self.taken {
            if let Progress::Failed(broken) = self.heard.recv().unwrap() {
                return Err(broken);
            }
        }
        Ok(())
    }
}

fn limits() -> Limits {
    Limits {
        pending_max: 100,
        group_max: thread_rng().gen_range(1..=3),
    }
}

fn early_or_late() -> Option<u32> {
    Some(thread_rng().gen_range(0..4))
}

/// Checked as it is told: see [`Seen::hear`].
fn durable_numbers() {
    let mut core = Core::start(limits(), None);
    for _ in 0..4 {
        core.append().unwrap();
    }
    core.settle().unwrap();
}

#[test]
fn a_number_is_told_when_all_up_to_it_are_written_and_after_lower_ones() {
    in_many_orders(durable_numbers);
}

#[test]
#[should_panic(expected = "is durable")]
fn who_tells_before_writing_is_found() {
    with_planted(Planted::ToldBeforeWritten, durable_numbers);
}

fn failures() {
    let mut core = Core::start(limits(), early_or_late());
    for _ in 0..4 {
        let _refused_after_a_failure = core.append();
    }
    let seen = core.seen.clone();
    drop(core);
    let is_broken = seen.is_broken.load(SeqCst);
    assert_eq!(seen.failure_told.load(SeqCst), is_broken);
}

#[test]
fn a_failure_is_told_once_and_nothing_after_it() {
    in_many_orders(failures);
}

#[test]
#[should_panic(expected = "is told after a failure")]
fn who_goes_on_after_a_failure_is_found() {
    with_planted(Planted::FailureGoesOn, failures);
}

fn refusals() {
    let mut core = Core::start(limits(), early_or_late());
    for _ in 0..3 {
        let _refused_after_a_failure = core.append();
    }
    if core.settle().is_err() {
        let refused = core.append();
        assert_eq!(refused, Err(AppendError::Failed), "after a failure");
    }
}

#[test]
fn whoever_hears_of_a_failure_is_refused() {
    in_many_orders(refusals);
}

#[test]
#[should_panic(expected = "after a failure")]
fn who_leaves_the_door_open_is_found() {
    with_planted(Planted::DoorLeftOpen, refusals);
}

/// While somebody else looks, as `/metrics` may.
fn counts() {
    let limits = Limits {
        pending_max: 3,
        ..limits()
    };
    let mut core = Core::start(limits, None);
    let gate = core.gate.clone();
    let looks = thread::spawn(move || {
        for _ in 0..6 {
            let pending = gate.pending();
            // Two may be counted behind the last that was below the limit, and two that are refused.
            assert!(pending <= 6, "{pending} are counted");
        }
    });
    for _ in 0..4 {
        match core.append() {
            Ok(()) | Err(AppendError::Behind) => {}
            Err(AppendError::Failed) => panic!("nothing has failed"),
        }
    }
    core.settle().unwrap();
    looks.join().unwrap();
    assert_eq!(core.gate.pending(), 0, "counted, and nothing waits");
}

#[test]
fn pending_changes_are_never_below_none_and_none_at_the_end() {
    in_many_orders(counts);
}

#[test]
#[should_panic(expected = "are counted")]
fn who_counts_after_sending_is_found() {
    with_planted(Planted::CountedAfterSending, counts);
}

#[test]
#[should_panic(expected = "counted, and nothing waits")]
fn who_leaves_what_is_durable_counted_is_found() {
    with_planted(Planted::LeftCounted, counts);
}

#[test]
#[should_panic(expected = "counted, and nothing waits")]
fn who_leaves_what_is_refused_counted_is_found() {
    with_planted(Planted::RefusedLeftCounted, counts);
}

fn endings() {
    let mut core = Core::start(limits(), None);
    for _ in 0..thread_rng().gen_range(1..=4) {
        core.append().unwrap();
    }
    let (seen, taken) = (core.seen.clone(), core.taken);
    drop(core);
    let durable = seen.durable.load(SeqCst);
    assert_eq!(durable, taken, "taken, and not durable at the end");
    assert_eq!(seen.told.load(SeqCst), taken);
}

#[test]
fn whoever_drops_the_writer_loses_nothing() {
    in_many_orders(endings);
}

#[test]
#[should_panic(expected = "taken, and not durable at the end")]
fn who_does_not_wait_at_the_end_is_found() {
    with_planted(Planted::NotJoined, endings);
}
