//! Storms: whole engines with their journals while everything goes wrong ([`sim::storm`]).

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use rayon::prelude::*;
use sim::storm::{self, Options, Pace, Planted, Report, Shown};

/// A number in the environment.
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().expect("a number"))
}

/// Seeds to run: `SEED=n` runs that one alone, `SEEDS=n` the first n, `FROM=n` those from there on.
/// `HOURS=n` makes each so long, `LADDER=all` shows all of its messages.
fn seeds(usual: u64) -> Vec<u64> {
    match number("SEED") {
        Some(seed) => vec![seed],
        None => {
            let first = number("FROM").unwrap_or(0);
            (first..first + number("SEEDS").unwrap_or(usual)).collect()
        }
    }
}

fn options(pace: Pace) -> Options {
    let hours = match pace {
        Pace::Dense => 1.0 / 3.0,
        Pace::Long => 6.0,
    };
    let hours = std::env::var("HOURS").map_or(hours, |text| text.parse().expect("a number"));
    Options {
        length: Duration::from_secs_f64(3600.0 * hours),
        pace,
        shown: match std::env::var_os("LADDER") {
            Some(_) => Shown::Everything,
            None => Shown::LastMinute,
        },
        planted: planted(),
    }
}

/// `PLANTED=AckNotSent` shows what is seen of that fault.
fn planted() -> Option<Planted> {
    let name = std::env::var("PLANTED").ok()?;
    let mut all = Planted::ALL.iter().copied();
    let planted = all.find(|planted| format!("{planted:?}") == name);
    Some(planted.expect("a planted fault"))
}

/// The time that this thread has had of a core.
fn core_time() -> Duration {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID);
    time.expect("a thread has a clock").into()
}

/// All of them, and how much of a core they took. A failure is told with the names of the others.
fn run_all(seeds: &[u64], options: &Options) -> (Report, Duration) {
    let run = |&seed: &u64| {
        let began = core_time();
        let ran = storm::run(seed, options);
        (ran, core_time() - began)
    };
    let runs: Vec<_> = seeds.par_iter().map(run).collect();
    let (mut report, mut time, mut failures) = (Report::default(), Duration::ZERO, Vec::new());
    for (ran, took) in runs {
        time += took;
        match ran {
            Ok(one) => report.merge(&one),
            Err(failure) => failures.push(failure),
        }
    }
    if let Some(first) = failures.first() {
        let told = failures
            .iter()
            .map(|one| format!("{}: {}", one.seed, one.what));
        let told: Vec<_> = told.collect();
        panic!(
            "{first}\n{} of {} seeds failed:\n{}\n\
             SEED={} cargo test -p quinze-tests storms repeats the first",
            told.len(),
            seeds.len(),
            told.join("\n"),
            first.seed
        );
    }
    (report, time)
}

/// Runs all seeds and tells how it went.
#[expect(clippy::print_stdout, reason = "how fast it went is to be seen")]
fn weather(seeds: &[u64], options: &Options) -> Report {
    let (report, time) = run_all(seeds, options);
    let minutes = time.as_secs_f64() / 60.0;
    let pace = report.call_hours() / minutes;
    println!(
        "{} storms, {:?}: {report}\n{pace:.0} simulated call-hours per minute of one core",
        seeds.len(),
        options.pace
    );
    // A storm in which nothing happens proves nothing.
    if seeds.len() >= 100 {
        assert_eq!(report.faults.missing(), [], "{report}");
        let tally = report.tally;
        let least = tally.answered.min(tally.abandoned).min(tally.failed);
        assert!(least.min(tally.blocked) > 50, "{report}");
    }
    report
}

#[test]
fn no_call_is_lost_in_any_storm() {
    weather(&seeds(400), &options(Pace::Dense));
}

/// Calls as long as in the field, for hours.
#[test]
fn no_call_is_lost_in_any_long_storm() {
    weather(&seeds(100), &options(Pace::Long));
}

/// The oracle can see: with each fault that is put into a node on purpose some storm fails soon.
#[test]
fn every_planted_fault_is_seen() {
    let mut unseen = Vec::new();
    for &planted in Planted::ALL {
        let options = Options {
            planted: Some(planted),
            ..Options::default()
        };
        let seeds = (0..SEEN_WITHIN).into_par_iter();
        let failure = seeds.find_map_any(|seed| storm::run(seed, &options).err());
        match failure {
            Some(failure) => println!("{planted:?}: seed {}: {}", failure.seed, failure.what),
            None => unseen.push(planted),
        }
    }
    assert_eq!(unseen, [], "what nobody saw in {SEEN_WITHIN} storms");
}

/// In so many storms a fault that is planted must be seen.
const SEEN_WITHIN: u64 = 1_000;
