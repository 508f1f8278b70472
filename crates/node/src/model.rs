//! What threads share, in many orders of its steps.
//!
//! The modules named here are those of the node, compiled a second time: `super::sync` is shuttle's here,
//! which runs all threads of a scenario on one and chooses at each step who goes on. It draws the choices
//! from a seed, so a run is always the same; `SEED=…` draws others, and `SCHEDULE=…` repeats the one that
//! a failure has printed.
//!
//! Every check is shown to fail with a fault that is put in on purpose ([`Planted`]).

#![expect(
    clippy::duplicate_mod,
    reason = "the same source, with the threads of a model checker"
)]

#[path = "journal/gate.rs"]
#[expect(unreachable_pub, reason = "it is reached in the node")]
mod gate;
#[path = "streams/places.rs"]
mod places;
#[path = "streams/table.rs"]
mod table;

mod connections;
mod durability;
mod room;
mod sync;

use std::{
    env,
    panic::{AssertUnwindSafe, catch_unwind},
};

use shuttle::{
    Config, Runner,
    scheduler::{PctScheduler, RandomScheduler, Scheduler},
};

use crate::sync::planted::Planted;

/// Where the choices come from unless `SEED` says otherwise.
const SEED: u64 = 15;

/// Orders that are drawn, each step from all who can go on.
const RANDOM_ORDERS: usize = 1000;

/// Orders in which threads have priorities that change at a few steps: they find what needs one thread to
/// be left behind for long.
const PRIORITY_ORDERS: usize = 500;

/// How often priorities change. Each fault that is known needs no more.
const CHANGES: usize = 3;

/// Runs a scenario in many orders of its steps.
fn in_many_orders(scenario: fn()) {
    explore(None, scenario);
}

/// The same with a fault, which must show: for tests that are to panic.
fn with_planted(fault: Planted, scenario: fn()) {
    explore(Some(fault), scenario);
}

fn explore(fault: Option<Planted>, scenario: fn()) {
    sync::planted::plant(fault);
    if let Ok(schedule) = env::var("SCHEDULE") {
        return shuttle::replay(scenario, &schedule);
    }
    let seed = env::var("SEED").map_or(SEED, |seed| seed.parse().expect("SEED is a number"));
    let drawn = RandomScheduler::new_from_seed(seed, RANDOM_ORDERS);
    run(seed, drawn, scenario);
    let by_priority = PctScheduler::new_from_seed(seed, CHANGES, PRIORITY_ORDERS);
    run(seed, by_priority, scenario);
}

fn run(seed: u64, scheduler: impl Scheduler + 'static, scenario: fn()) {
    let mut config = Config::new();
    // It says that atomics have one order here. They need no weaker one to be checked: each is alone.
    config.silence_warnings = true;
    let runner = Runner::new(scheduler, config);
    let ran = catch_unwind(AssertUnwindSafe(|| runner.run(scenario)));
    if let Err(panicked) = ran {
        let text = panicked.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panicked.downcast_ref::<&str>().copied());
        panic!("with SEED={seed}: {}", text.unwrap_or("no words"));
    }
}
