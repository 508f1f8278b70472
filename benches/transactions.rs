//! One step in the life of a transaction, with 1,000 and with 1,000,000 of them alive: how long it takes,
//! and how that grows.
//!
//! `cargo bench -p quinze-benches --bench transactions [-- LIVE]`, another number than a million.

use std::time::{Duration, Instant};

use quinze_benches::{
    number_or,
    transactions::{Kind, Step, Watch, live},
};

/// As in the binary.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const FEW: usize = 1_000;
const MANY: usize = 1_000_000;

/// Transactions that live in each of the two, all rounds together.
const ALL: usize = 2_000_000;

/// How long each step took, all together.
#[derive(Debug, Default)]
struct Times {
    took: [Duration; Step::ALL.len()],
}

impl Watch for Times {
    fn run(&mut self, step: Step, work: &mut dyn FnMut()) {
        let before = Instant::now();
        work();
        self.took[step as usize] += before.elapsed();
    }
}

/// Nanoseconds of each step for one transaction, while so many live.
fn nanos(kind: Kind, alive: usize) -> [f64; Step::ALL.len()] {
    let rounds = ALL.div_ceil(alive);
    let mut times = Times::default();
    for _ in 0..rounds {
        live(kind, alive, &mut times);
    }
    let lived = (rounds * alive) as f64;
    times.took.map(|took| took.as_secs_f64() * 1e9 / lived)
}

#[expect(clippy::print_stdout, reason = "what a bench is for")]
fn main() {
    let many = number_or(MANY);
    println!("nanoseconds              {FEW:>10} live {many:>10} live     growth");
    for kind in [Kind::Client, Kind::Server] {
        let (few, many) = (nanos(kind, FEW), nanos(kind, many));
        for step in Step::ALL {
            let (few, many) = (few[step as usize], many[step as usize]);
            let growth = many / few;
            println!(
                "{:<24} {few:>15.0} {many:>15.0} {growth:>10.2}",
                format!("{kind:?}: {step:?}")
            );
        }
    }
}
