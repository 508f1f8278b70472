//! One decision of the distributor, in a nation of 102 sites, 10,000 agents and 50 skills, with 100 to
//! 100,000 calls waiting: how long it takes, and how that grows.
//!
//! Each decision is timed alone, so that a rare slow one is seen.

#![allow(clippy::unwrap_used, reason = "a bench may fail")]

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use quinze_benches::nation::{Nation, Scale};

/// As in the binary.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const NATION: Scale = Scale {
    sites: 102,
    agents: 10_000,
    skills: 50,
    waiting: 0,
};

/// Decisions of each kind that are timed.
const ROUNDS: usize = 20_000;

fn timed(decide: &mut dyn FnMut()) -> Duration {
    let before = Instant::now();
    decide();
    before.elapsed()
}

fn histogram() -> Histogram<u64> {
    Histogram::new(3).unwrap()
}

fn record(histogram: &mut Histogram<u64>, took: Duration) {
    let nanos = u64::try_from(took.as_nanos()).unwrap();
    histogram.record(nanos.max(1)).unwrap();
}

#[expect(clippy::print_stdout, reason = "what a bench is for")]
fn main() {
    let Scale {
        sites,
        agents,
        skills,
        ..
    } = NATION;
    let lines = NATION.lines();
    println!("{sites} sites, {agents} agents, {skills} skills, {lines} lines; microseconds");
    println!(
        "waiting    arrival p50    p99    agent free p50    p99    step p50    p99    crisis: all, ms   a turn, ms"
    );
    for waiting in [100, 1_000, 10_000, 100_000] {
        let mut nation = Nation::new(Scale { waiting, ..NATION }, timed);
        let [mut arrivals, mut frees, mut steps] = [histogram(), histogram(), histogram()];
        for _ in 0..ROUNDS {
            // As many come as go, so that the number that wait stays.
            record(&mut arrivals, nation.arrive());
            nation.drain();
            record(&mut frees, nation.agent_ready());
            nation.drain();
            let took = nation.pass();
            took.into_iter().for_each(|one| record(&mut steps, one));
        }
        let shown = [&arrivals, &frees, &steps].map(|one| {
            let at = |quantile| one.value_at_quantile(quantile) as f64 / 1_000.0;
            (at(0.5), at(0.99))
        });
        let [(a, b), (c, d), (e, f)] = shown;
        let (all, turn) = nation.crisis();
        let (all, turn) = (1e3 * all.as_secs_f64(), 1e3 * turn.as_secs_f64());
        println!(
            "{waiting:7} {a:14.2} {b:6.2} {c:17.2} {d:6.2} {e:11.2} {f:6.2} {all:20.1} {turn:12.2}"
        );
    }
}
