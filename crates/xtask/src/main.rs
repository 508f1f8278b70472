//! `cargo xtask`: the commands of a developer, which are those of CI.
//!
//! `cargo xtask test` is the one that a newcomer needs: it installs what the tests need, runs all
//! of them, and says at the end what passed.

mod bench;
mod chaos;
mod counts;
mod france;
mod fuzz;
mod install;
mod lane;
mod program;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{
    bench::Bench,
    chaos::Chaos,
    fuzz::Effort,
    lane::{Lane, Report},
};

/// Developer commands of Quinze.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Installs what the tests need and runs them.
    Test {
        /// Runs one part only.
        #[arg(long, value_enum)]
        only: Option<Part>,
    },
    /// Everything that can be checked here: formatting, lints, documentation, licences, tests.
    Ci,
    /// Runs every fuzz target over the committed seeds. Installs cargo-fuzz where it is missing, which
    /// takes about two minutes.
    Fuzz {
        /// How long each target runs.
        #[arg(long, default_value_t = 60)]
        seconds: u32,
    },
    /// Makes `config/france.toml` from the data of `config/france/data`.
    France {
        /// Writes nothing, and fails where the file is not what it would be.
        #[arg(long)]
        check: bool,
    },
    /// The simulation against queueing theory, with more and longer histories than in the tests.
    Theory,
    /// The distributor against a reference that looks at every call and every agent each time: random
    /// countries, days and plans. Others each time.
    Model {
        /// Drawn days of a small country; a sixteenth as many of the whole nation.
        #[arg(long, default_value_t = 5_000)]
        cases: u32,
    },
    /// Storms: whole engines with their journals while everything goes wrong, for as long as one likes. Tells
    /// the seed of what did not hold, and how many hours of calls a core simulates in a minute.
    Sim {
        /// How many storms, each of another seed.
        #[arg(long, default_value_t = 2_000)]
        seeds: u64,
        /// How many hours things go wrong in each of them; twenty minutes of dense and six hours of long storms when left out.
        #[arg(long)]
        hours: Option<u64>,
        /// The first seed.
        #[arg(long, default_value_t = 0)]
        from: u64,
    },
    /// Kills the node again and again among SIPp and Kamailio, longer than the tests do, and prints what it
    /// measured.
    Chaos(Chaos),
    /// Counts instructions of fixed pieces of work by valgrind's callgrind, and fails where one takes more than
    /// 3 % more than in `benches/counts.toml`. Installs valgrind where it is missing.
    Counts {
        /// Writes `benches/counts.toml` anew.
        #[arg(long)]
        accept: bool,
    },
    /// Builds the node as it is to be deployed: an instrumented one is given calls by SIPp, and what they have shown
    /// goes into the build (`target/trained/quinze`). Takes a quarter of an hour. Installs SIPp and llvm-tools where
    /// they are missing.
    Release,
    /// Loads beside Kamailio and the floor, or a soak, with figures. Server and load have a core each.
    Bench {
        #[command(subcommand)]
        what: Bench,
    },
    /// Looks at the licences, sources and known faults of what we depend on. Installs cargo-deny
    /// where it is missing, which takes about three minutes.
    Deny,
}

/// A part of the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// The tests of each crate, without those that need a running node.
    Unit,
    /// Who may depend on whom.
    Architecture,
    /// Engines, callers and phones on virtual time.
    Simulation,
    /// SIPp against the real binary, the binary as an operator meets it, and torture messages.
    Sipp,
    /// Every fuzz target for about ten seconds: the same inputs each time.
    Fuzz,
    /// Kamailio as the operator's SBC and baresip as an agent's phone, with the real binary.
    Peers,
    /// The real binary killed in each phase of a call, among SIPp and Kamailio.
    Chaos,
    /// Instructions of fixed pieces of work against `benches/counts.toml`.
    Counts,
}

/// Fuzzing as a part of all tests: what it finds in so short a time would have been found by anybody.
const FUZZ_BRIEFLY: Lane = Lane::Fuzz(Effort::Briefly);

/// Nothing takes more instructions than it did.
const COUNTS: Lane = Lane::Counts { accept: false };

/// The committed file is what its data make.
const FRANCE: Lane = Lane::France { check: true };

impl Command {
    fn lanes(&self) -> Vec<Lane> {
        match self {
            Self::Test { only: None } => {
                vec![
                    FRANCE,
                    Lane::Install,
                    Lane::Build,
                    COUNTS,
                    Lane::Test,
                    FUZZ_BRIEFLY,
                ]
            }
            Self::Test {
                only: Some(Part::Unit),
            } => vec![Lane::Unit],
            Self::Test {
                only: Some(Part::Architecture),
            } => vec![Lane::Architecture],
            Self::Test {
                only: Some(Part::Simulation),
            } => vec![Lane::Simulation],
            Self::Test {
                only: Some(Part::Sipp),
            } => {
                vec![Lane::Install, Lane::Build, Lane::Scenarios]
            }
            Self::Test {
                only: Some(Part::Peers),
            } => {
                vec![Lane::Install, Lane::Build, Lane::Peers]
            }
            Self::Test {
                only: Some(Part::Chaos),
            } => {
                vec![Lane::Install, Lane::Build, Lane::Killed]
            }
            Self::Test {
                only: Some(Part::Fuzz),
            } => vec![FUZZ_BRIEFLY],
            Self::Test {
                only: Some(Part::Counts),
            } => vec![COUNTS],
            Self::Fuzz { seconds } => vec![Lane::Fuzz(Effort::Seconds(*seconds))],
            Self::Ci => vec![
                Lane::Format,
                Lane::Lint,
                Lane::Docs,
                Lane::Dependencies,
                FRANCE,
                Lane::Install,
                Lane::Build,
                COUNTS,
                Lane::Test,
                FUZZ_BRIEFLY,
            ],
            Self::Chaos(size) => vec![Lane::Install, Lane::Build, Lane::Chaos(*size)],
            Self::Counts { accept } => vec![Lane::Counts { accept: *accept }],
            Self::Bench { what } => {
                vec![Lane::InstallLoad, Lane::BuildLoad, Lane::Bench(*what)]
            }
            Self::Release => vec![Lane::Release],
            Self::Deny => vec![Lane::Dependencies, Lane::Advisories],
            Self::France { check } => vec![Lane::France { check: *check }],
            Self::Theory => vec![Lane::Theory],
            Self::Model { cases } => vec![Lane::Model { cases: *cases }],
            Self::Sim { seeds, hours, from } => vec![Lane::Sim {
                seeds: *seeds,
                hours: *hours,
                from: *from,
            }],
        }
    }
}

fn main() -> ExitCode {
    let mut report = Report::default();
    for lane in Cli::parse().command.lanes() {
        if let Err(error) = report.run(lane) {
            report.print(Some(&error));
            return ExitCode::FAILURE;
        }
    }
    report.print(None);
    ExitCode::SUCCESS
}
