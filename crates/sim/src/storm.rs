//! Storms: everything goes wrong at once, and no call may be lost.
//!
//! One seed is one run: a node with its journal on a simulated disk, callers, phones and a network, on one
//! thread and virtual time. Some callers and phones are reached by datagrams, others over connections, and
//! some callers through proxies that have manners of their own. Faults are drawn by weight ([`Fault`]):
//! datagrams are lost, doubled, late, cut and changed; connections end at any byte; the process is killed
//! between and in the middle of steps, and again while it takes up what was before; the disk loses what was
//! not synced, stalls, fills up and rots; callers and phones do everything at the worst moment; calls are sent
//! on and taken over; people give orders; the configuration changes in between.
//!
//! After each step an oracle looks at the node from outside, by its views, its messages, its facts and
//! its rows:
//!
//! - every call that began is there until it ends, and ends once;
//! - nobody has two calls, no call has two agents, no phone is in two;
//! - calls wait in the order of priority and arrival, whatever happened to the process;
//! - what is on the disk is there when a process has begun with it, and nothing is said before what it
//!   depends on is on the disk;
//! - every state that is to end has not outlived its end, and who waits is told so every minute;
//! - who waits while an agent of the same site is free is asked for within a second;
//! - who gave up and calls again has the place of before;
//! - who is hung up or refused hears it;
//! - and in the end every dialog is ended, and every table is empty.
//!
//! A run that fails tells the seed, the step and the ladder of the last minute ([`Failure`]). Whether the
//! oracle sees anything is tried with faults that are put into the node on purpose ([`Planted`]).

mod act;
mod centre;
mod deeds;
mod draw;
mod faults;
mod machine;
mod oracle;
mod planted;
mod report;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use self::act::Storm;
pub use self::{
    faults::{Fault, FaultCounts},
    planted::Planted,
    report::{Failure, Report, Tally},
};

/// How a storm is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// For how long things go wrong.
    pub length: Duration,
    /// How much happens at a time.
    pub pace: Pace,
    /// A fault that is put into the node on purpose.
    pub planted: Option<Planted>,
    /// What is shown when something does not hold.
    pub shown: Shown,
}

/// How much happens at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Something every few seconds, and calls of a minute: everything meets everything.
    Dense,
    /// Something every minute or two, and calls as long as in the field: what lasts is seen to last.
    Long,
}

/// How much of a run is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The messages of the last minute.
    LastMinute,
    /// All messages.
    Everything,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            length: Duration::from_secs(1200),
            pace: Pace::Dense,
            planted: None,
            shown: Shown::LastMinute,
        }
    }
}

/// Runs one storm.
///
/// # Errors
/// What did not hold, with the seed, the step and the ladder of the last minute.
pub fn run(seed: u64, options: &Options) -> Result<Report, Box<Failure>> {
    let mut storm = Storm::new(seed, options);
    // An invariant of the product that is broken panics: that is a finding like the others.
    let done = catch_unwind(AssertUnwindSafe(|| storm.blow(options.length)));
    let what = match done {
        Ok(Ok(())) => return Ok(storm.report()),
        Ok(Err(what)) => what,
        Err(panic) => report::said_in_panic(panic.as_ref()),
    };
    Err(Box::new(storm.failure(&what)))
}
