//! The lanes: each is one command that passes or fails, and the report of all of them.

use std::time::{Duration, Instant};

use crate::{
    bench::{self, Bench},
    chaos::{self, Chaos},
    counts, france,
    fuzz::{self, Effort},
    install,
    program::Program,
};

/// One thing that is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// What the tests need is there.
    Install,
    /// The binary that the scenarios run.
    Build,
    /// What loads need is there.
    InstallLoad,
    /// The binary that is measured, and what measures it.
    BuildLoad,
    /// The binary as it is deployed.
    Release,
    /// A load or a soak.
    Bench(Bench),
    /// All tests.
    Test,
    /// The tests of each crate.
    Unit,
    /// The rules of the architecture.
    Architecture,
    /// Whole engines on virtual time, by the book and among hostile peers.
    Simulation,
    /// The SIPp scenarios, the binary as an operator meets it, and torture messages.
    Scenarios,
    /// Every fuzz target.
    Fuzz(Effort),
    /// The binary among Kamailio and baresip.
    Peers,
    /// Real processes that are killed: as a part of all tests.
    Killed,
    /// The long form of that, with its figures.
    Chaos(Chaos),
    /// Instructions against the baseline, or a new one.
    Counts { accept: bool },
    /// `cargo fmt`.
    Format,
    /// `cargo clippy`.
    Lint,
    /// `cargo doc`.
    Docs,
    /// Licences, sources and banned crates.
    Dependencies,
    /// Known faults of what we depend on: fetches the RustSec database from GitHub.
    Advisories,
    /// `config/france.toml`, written or only held against its data.
    France { check: bool },
    /// The simulation against queueing theory, the long form.
    Theory,
    /// The distributor against the reference that looks at everything, on so many drawn days.
    Model { cases: u32 },
    /// So many storms from a seed on, each of so many hours.
    Sim {
        seeds: u64,
        hours: Option<u64>,
        from: u64,
    },
}

impl Lane {
    fn name(self) -> &'static str {
        match self {
            Self::Install => "install: what the tests need",
            Self::Build => "build: the quinze binary",
            Self::InstallLoad => "install: what loads need",
            Self::BuildLoad => "build: what is measured, and what measures",
            Self::Release => "release: the quinze binary, by what calls have shown",
            Self::Bench(Bench::Load(_)) => "bench: loads beside Kamailio and the floor",
            Self::Bench(Bench::Soak(_)) => "bench: soak",
            Self::Test => {
                "test: all crates, architecture, simulation, SIPp scenarios, torture messages, peers, kills"
            }
            Self::Unit => "test: all crates",
            Self::Architecture => "test: architecture",
            Self::Simulation => "test: simulation",
            Self::Scenarios => "test: SIPp scenarios, commands, signals, torture messages",
            Self::Peers => "test: Kamailio as the operator's SBC, baresip as the agent's phone",
            Self::Killed => "test: kill -9 in each phase of a call, loss and duplication",
            Self::Chaos(_) => "chaos: kill -9, the long form",
            Self::Fuzz(_) => "fuzz: parser, framing, headers, the whole engine",
            Self::Counts { .. } => {
                "counts: instructions of parse, transactions, decision, whole calls"
            }
            Self::Format => "format",
            Self::Lint => "lint",
            Self::Docs => "documentation",
            Self::Dependencies => "dependencies: licences, sources, bans",
            Self::Advisories => "dependencies: known faults",
            Self::France { .. } => "config/france.toml",
            Self::Theory => "theory: the long form",
            Self::Model { .. } => "model: the distributor against brute force",
            Self::Sim { .. } => "sim: storms",
        }
    }

    fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Install => install::peers(),
            Self::Build => Program::cargo(&["build", "--release", "--package", "quinze"]).run(),
            Self::InstallLoad => install::load(),
            Self::BuildLoad => bench::build(),
            Self::Release => bench::release(),
            Self::Bench(what) => bench::run(what),
            // Every failure is wanted, not the first one only.
            Self::Test => Program::cargo(&["test", "--workspace", "--no-fail-fast"]).run(),
            Self::Unit => Program::cargo(&[
                "test",
                "--workspace",
                "--exclude",
                "quinze-tests",
                "--no-fail-fast",
            ])
            .run(),
            Self::Architecture => of_the_whole(&["architecture::"]),
            Self::Simulation => of_the_whole(&["simulation::", "hostile::"]),
            Self::Scenarios => of_the_whole(&["scenarios::", "operator::", "tls::", "torture::"]),
            Self::Peers => of_the_whole(&["peers::"]),
            Self::Killed => of_the_whole(&["chaos::"]),
            Self::Chaos(size) => chaos::run(size),
            Self::Fuzz(effort) => fuzz::run(effort),
            Self::Counts { accept } => counts::run(accept),
            Self::Format => Program::cargo(&["fmt", "--all", "--check"]).run(),
            Self::Lint => Program::cargo(&[
                "clippy",
                "--workspace",
                "--all-targets",
                "--",
                "-D",
                "warnings",
            ])
            .run(),
            Self::Docs => Program::cargo(&["doc", "--workspace", "--no-deps"])
                .env("RUSTDOCFLAGS", "-D warnings")
                .run(),
            Self::Dependencies => {
                install::cargo_deny()?;
                Program::cargo(&[
                    "deny",
                    "--workspace",
                    "check",
                    "licenses",
                    "sources",
                    "bans",
                ])
                .run()
            }
            Self::France { check } => france::make(check),
            Self::Theory => theory(),
            Self::Model { cases } => {
                let args = ["test", "--package", "quinze-acd", "--test", "it", "model::"];
                let cases = cases.to_string();
                Program::cargo(&args).env("PROPTEST_CASES", &cases).run()
            }
            Self::Sim { seeds, hours, from } => sim(seeds, hours, from),
            Self::Advisories => {
                install::cargo_deny()?;
                Program::cargo(&["deny", "--workspace", "check", "advisories"]).run()
            }
        }
    }
}

/// Storms, as fast as they go, with what they told.
fn sim(seeds: u64, hours: Option<u64>, from: u64) -> anyhow::Result<()> {
    let run = Program::cargo(&[
        "test",
        "--release",
        "--package",
        "quinze-tests",
        "--",
        "simulation::storms::no_call",
        "--nocapture",
    ]);
    let run = run
        .env("SEEDS", &seeds.to_string())
        .env("FROM", &from.to_string());
    match hours {
        Some(hours) => run.env("HOURS", &hours.to_string()).run(),
        None => run.run(),
    }
}

fn theory() -> anyhow::Result<()> {
    Program::cargo(&[
        "test",
        "--release",
        "--package",
        "quinze-sim",
        "--",
        "theory::",
    ])
    .env("QUINZE_THEORY", "long")
    .run()
}

/// Runs some modules of the tests of the whole.
fn of_the_whole(modules: &[&str]) -> anyhow::Result<()> {
    let args = [&["test", "--package", "quinze-tests", "--"], modules].concat();
    Program::cargo(&args).run()
}

/// What has passed so far, and how long it took.
#[derive(Debug, Default)]
pub(crate) struct Report {
    passed: Vec<(Lane, Duration)>,
    failed: Option<Lane>,
}

impl Report {
    /// Runs a lane and notes how it ended.
    pub(crate) fn run(&mut self, lane: Lane) -> anyhow::Result<()> {
        let began = Instant::now();
        match lane.run() {
            Ok(()) => {
                self.passed.push((lane, began.elapsed()));
                Ok(())
            }
            Err(error) => {
                self.failed = Some(lane);
                Err(error)
            }
        }
    }

    /// The last lines of the run.
    #[expect(clippy::print_stdout, reason = "the report is this command's output")]
    pub(crate) fn print(&self, error: Option<&anyhow::Error>) {
        println!();
        for (lane, took) in &self.passed {
            println!("passed  {} ({:.0} s)", lane.name(), took.as_secs_f64());
        }
        if let (Some(lane), Some(error)) = (self.failed, error) {
            println!("FAILED  {}: {error:#}", lane.name());
        }
    }
}
