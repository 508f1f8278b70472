//! The planning simulation: what would the service level be with this staffing, this plan, this crisis?
//!
//! The distributor is the product's own, on a virtual clock; what is modelled is around it: callers who
//! come and lose patience and call again, agents who pick up, talk and go home. All is drawn from one
//! seed. What a caller needs is drawn from a stream of that caller's own, so that two plans are held
//! against the same callers (common random numbers).
//!
//! [`simulate`] runs one history, [`replicate`] several side by side; [`Statistics`] says how callers
//! were served.

mod arrivals;
mod callers;
mod drive;
mod journeys;
mod people;
mod recording;
mod statistics;
mod timetable;

use std::{sync::Arc, time::Duration};

use config::{planning::Planning, scenario::Scenario};
use engine::acd::{self, Directory};
use rayon::prelude::*;

use self::drive::Drive;
pub use self::{
    drive::{Answer, Outcome, Stage},
    recording::{KnownPatience, RecordedCall, Recording},
    statistics::{Served, Statistics, Waits},
};

/// A history to be simulated.
#[derive(Clone, Debug)]
pub struct History<'a> {
    /// Sites, lines, agents and plans.
    pub directory: Arc<Directory>,
    /// The distributor's limits and times.
    pub settings: acd::Settings,
    /// Callers, and who works when.
    pub planning: &'a Planning,
    /// What is not as usual.
    pub scenario: &'a Scenario,
    /// Calls that came once: they come again, in place of drawn ones.
    pub recorded: Option<&'a Recording>,
    /// How long it is, from Monday at midnight.
    pub length: Duration,
    /// So much of the beginning is not counted: the first callers find everybody free.
    pub warm_up: Duration,
    /// What everything is drawn from.
    pub seed: u64,
}

/// Runs a history. `see` is told each stage of each call as it ends, in the order of the ends.
pub fn simulate(history: &History<'_>, see: &mut dyn FnMut(&Stage)) -> Statistics {
    Drive::new(history, see).run()
}

/// Runs a history with `count` seeds, that of the history and those after it, on as many threads as
/// there are; the results are in the order of the seeds, and the same for any number of threads.
pub fn replicate(history: &History<'_>, count: u64) -> Vec<Statistics> {
    let seeds = (0..count).into_par_iter();
    seeds
        .map(|offset| {
            let history = History {
                seed: history.seed.wrapping_add(offset),
                ..history.clone()
            };
            simulate(&history, &mut |_| {})
        })
        .collect()
}
