//! The work that `cargo xtask counts` has counted: one piece of it by its name, for callgrind, or with the word
//! `allocations` after it for what it allocates; without a name the list of all. Nothing in it depends on the
//! clock, on entropy or on addresses.

#![allow(clippy::unwrap_used, reason = "a bench may fail")]

use std::{
    env,
    hint::black_box,
    process::ExitCode,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use quinze_benches::{
    invite::{INVITE, ROOM, forward},
    nation::{Nation, Scale},
    script::{self, Journal, Script, Way},
    transactions::{self, Kind, Step, Watch},
};

/// One piece of work.
struct Work {
    name: &'static str,
    /// How often it is done: counts are told for one time.
    times: u32,
    run: fn(u32),
}

const WORK: [Work; 7] = [
    Work {
        name: "parse",
        times: 1_000,
        run: parse,
    },
    Work {
        name: "client-transaction",
        times: 1_000,
        run: |times| transaction(Kind::Client, times),
    },
    Work {
        name: "server-transaction",
        times: 1_000,
        run: |times| transaction(Kind::Server, times),
    },
    Work {
        name: "decision",
        times: 1_000,
        run: decision,
    },
    Work {
        name: "distributed-call",
        times: script::CALLS,
        run: |_| call(Way::Distributed, Journal::Off),
    },
    Work {
        name: "distributed-call-with-journal",
        times: script::CALLS,
        run: |_| call(Way::Distributed, Journal::On),
    },
    Work {
        name: "proxied-call",
        times: script::CALLS,
        run: |_| call(Way::Proxied, Journal::Off),
    },
];

/// Allocations inside of what is counted. Counting them costs instructions: it is for a run of its own.
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static COUNTS_ALLOCATIONS: AtomicBool = AtomicBool::new(false);

#[expect(clippy::print_stdout, reason = "what was asked for")]
fn main() -> ExitCode {
    let mut args = env::args().skip(1);
    let Some(name) = args.next() else {
        for work in &WORK {
            println!("{} {}", work.name, work.times);
        }
        return ExitCode::SUCCESS;
    };
    let Some(work) = WORK.iter().find(|work| work.name == name) else {
        return ExitCode::FAILURE;
    };
    let of_allocations = args.next().is_some_and(|arg| arg == "allocations");
    COUNTS_ALLOCATIONS.store(of_allocations, Ordering::Relaxed);
    (work.run)(work.times);
    if of_allocations {
        println!("{}", ALLOCATIONS.load(Ordering::Relaxed));
    }
    ExitCode::SUCCESS
}

/// Runs what is to be counted.
fn count(work: &mut dyn FnMut()) {
    if COUNTS_ALLOCATIONS.load(Ordering::Relaxed) {
        let made = allocation_counter::measure(work);
        ALLOCATIONS.fetch_add(made.count_total, Ordering::Relaxed);
    } else {
        allocation_counter::opt_out(|| counted_by_callgrind(work));
    }
}

/// What is counted is what runs in here: callgrind knows this function by its name.
#[inline(never)]
fn counted_by_callgrind(work: &mut dyn FnMut()) {
    work();
    // The call is not the last thing that happens here, or it would be a jump, and never in here.
    black_box(());
}

/// Parse an INVITE, read what routes it, add a Via, print it.
fn parse(times: u32) {
    let mut out = BytesMut::with_capacity(ROOM);
    let received = Bytes::from_static(INVITE.as_bytes());
    let mut all = |times| {
        for _ in 0..times {
            black_box(forward(black_box(received.clone()), &mut out));
        }
    };
    all(1);
    count(&mut || all(times));
}

/// All steps of the life of a transaction.
fn transaction(kind: Kind, times: u32) {
    struct Counted;

    impl Watch for Counted {
        fn run(&mut self, _: Step, work: &mut dyn FnMut()) {
            count(work);
        }
    }

    transactions::live(kind, usize::try_from(times).unwrap(), &mut Counted);
}

/// A call arrives, an agent is free and has the next, and what falls due in between.
fn decision(times: u32) {
    fn counted(decide: &mut dyn FnMut()) -> Duration {
        count(decide);
        Duration::ZERO
    }

    let scale = Scale {
        sites: 24,
        agents: 500,
        skills: 20,
        waiting: 2_000,
    };
    let mut nation = Nation::new(scale, counted);
    for _ in 0..times {
        nation.arrive();
        nation.drain();
        nation.agent_ready();
        nation.drain();
        nation.pass();
    }
}

/// A call from INVITE to BYE, until its last timer.
fn call(way: Way, journal: Journal) {
    Script::record(way, journal).replay(count);
}
