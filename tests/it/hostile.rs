//! A whole engine among hostile peers, on the stable toolchain: what the fuzzer has found, and
//! scripts drawn from seeds. `SEED=n` repeats one, `SEEDS=n` runs the first n.

use std::{
    env, fmt, fs,
    panic::{self, AssertUnwindSafe},
    time::Duration,
};

use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;
use sim::hostile::{self, Report};

use crate::support::binary;

/// Scripts of a run of the tests. The fuzzer itself runs many more.
const SEEDS: u64 = 300;

/// The script of a seed: even bytes, mostly short.
fn script(seed: u64) -> Vec<u8> {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let len = rng.random_range(50..1500);
    (0..len).map(|_| rng.random()).collect()
}

/// Runs a script; tells all that happened in it when a law is broken.
fn run(name: &str, script: &[u8]) -> Report {
    panic::catch_unwind(|| hostile::run(script)).unwrap_or_else(|_| {
        let mut told = String::new();
        let mut tell = |at: Duration, what: &dyn fmt::Display| {
            told += &format!("{:>10.3} {what}\n", at.as_secs_f64());
        };
        let again =
            panic::catch_unwind(AssertUnwindSafe(|| hostile::run_traced(script, &mut tell)));
        assert!(again.is_err(), "{name} breaks a law only once");
        panic!("{name}, {} bytes, breaks a law:\n{told}", script.len())
    })
}

#[test]
fn scripts_of_random_bytes_keep_the_laws_and_go_deep() {
    let number = |name| env::var(name).ok()?.parse::<u64>().ok();
    let seeds = match number("SEED") {
        Some(seed) => seed..=seed,
        None => 1..=number("SEEDS").unwrap_or(SEEDS),
    };
    let is_sweep = seeds.clone().count() >= 300;
    let mut sum = Report::default();
    for seed in seeds {
        let report = run(&format!("SEED={seed}"), &script(seed));
        sum.actions += report.actions;
        sum.started += report.started;
        sum.answered += report.answered;
        sum.abandoned += report.abandoned;
        sum.failed += report.failed;
        sum.late_answers += report.late_answers;
        sum.transferred += report.transferred;
        sum.registered += report.registered;
        sum.relayed += report.relayed;
        sum.dropped += report.dropped;
    }
    // A third of what it is today: scripts that never get anywhere prove nothing.
    let goes_deep = sum.started > 400
        && sum.answered > 50
        && sum.abandoned > 70
        && sum.late_answers > 30
        && sum.registered > 150
        && sum.relayed > 100;
    assert!(!is_sweep || goes_deep, "{sum:?}");
}

#[test]
fn what_the_fuzzer_found_keeps_the_laws_and_repeats() {
    let folder = binary::root().join("fuzz/seeds/engine");
    let mut count = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.display().to_string();
        let script = fs::read(&path).unwrap();
        let first = run(&name, &script);
        assert_eq!(run(&name, &script), first, "{name} runs differently twice");
        count += 1;
    }
    assert!(count > 0, "no script in {}", folder.display());
}
