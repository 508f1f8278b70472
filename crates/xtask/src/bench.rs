//! `cargo xtask bench`: loads beside other systems, and whether memory stays flat.
//!
//! The server is alone on core 0, whoever makes the load is on core 1. SIPp plays both sides of every
//! call; `quinze-load` (in `benches/load`) is the floor, the tap and what SIPp cannot play. A figure is
//! kept under `target/bench` until all of them, or the same one, are measured again.

mod child;
mod core;
mod latency;
mod machine;
mod memory;
mod outcome;
mod plot;
mod proxy;
mod queue;
mod results;
mod series;
mod side_by_side;
mod sipp;
mod soak;
mod system;
mod trained;
mod usage;

use std::{
    env, fs,
    path::{Path, PathBuf, absolute},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use clap::{Args, Subcommand};

pub(crate) use self::soak::Soak;
use self::{
    child::Core,
    machine::Machine,
    outcome::{Done, Found, Kept, Measurement, Outcome},
};
use crate::program::Program;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub(crate) enum Bench {
    /// The table of figures, beside Kamailio and the floor. Writes `benches/RESULTS.md` and
    /// `benches/results.svg`.
    Load(Load),
    /// Distributed calls at a steady rate for a time: whether memory stays flat.
    Soak(Soak),
}

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub(crate) struct Load {
    /// Runs of each system, alternating; the median counts.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Shorter runs: figures of a first look.
    #[arg(long)]
    quick: bool,
    /// One measurement alone; what others have measured before is kept.
    #[arg(long, value_enum)]
    only: Option<Measurement>,
    /// Callers who wait, for the memory of each.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    waiting: u32,
}

impl Load {
    /// How long each run lasts.
    const fn run(self) -> Duration {
        Duration::from_secs(if self.quick { 4 } else { 10 })
    }

    /// How long the last timers of calls run after them: RFC 3261 has 64·T1, 32 s.
    const fn settle(self) -> Duration {
        Duration::from_secs(if self.quick { 5 } else { 33 })
    }

    /// Calls of a system before it is measured.
    const fn warm_up(self) -> Duration {
        Duration::from_secs(if self.quick { 2 } else { 5 })
    }

    /// How somebody would type it.
    fn command(self) -> String {
        let mut command = format!("cargo xtask bench load --runs {}", self.runs);
        if self.quick {
            command += " --quick";
        }
        if self.waiting != 100_000 {
            command += &format!(" --waiting {}", self.waiting);
        }
        command
    }
}

/// Builds what is measured and what measures.
pub(crate) fn build() -> anyhow::Result<()> {
    let args = ["--package", "quinze-benches", "--bin", "quinze-load"];
    Program::cargo(&[&["build", "--release"], &args[..]].concat()).run()?;
    release()
}

/// Builds the node as it is to be deployed, by what calls have shown.
pub(crate) fn release() -> anyhow::Result<()> {
    trained::build()
}

/// Measures, prints, and writes what was found.
pub(crate) fn run(bench: Bench) -> anyhow::Result<()> {
    Core::Load.keep_ourselves()?;
    let folder = target()?.join("bench");
    fs::create_dir_all(&folder)?;
    match bench {
        Bench::Load(load) => load.measure_all(&folder),
        Bench::Soak(soak) => soak.run(&folder),
    }
}

impl Load {
    #[expect(clippy::print_stdout, reason = "the table is this command's output")]
    fn measure_all(self, folder: &Path) -> anyhow::Result<()> {
        let machine = Machine::look()?;
        let mut kept = Kept::load(folder.join("figures.json"))?;
        if self.only.is_none() {
            kept.forget_all();
        }
        let wanted = self
            .only
            .map_or_else(|| Measurement::ALL.to_vec(), |only| vec![only]);
        let mut failed = Vec::new();
        for measurement in wanted {
            println!("\nmeasuring: {measurement:?}");
            let found = self
                .measure(measurement, folder)
                .unwrap_or_else(|error| not_measured(measurement, &error));
            let missing = found.outcomes.iter().filter(|one| one.is_missing());
            failed.extend(
                missing.map(|one| format!("{measurement:?}, {}: {}", one.what, one.figure)),
            );
            for series in &found.series {
                println!("  {}: {series}", series.what);
            }
            kept.keep(Done {
                measurement,
                command: self.command(),
                commit: machine.commit.clone(),
                day: machine.day.clone(),
                found,
            })?;
        }
        println!("\n{}", results::table(&kept));
        results::write(&kept, &machine)?;
        if !failed.is_empty() {
            failed.dedup();
            bail!("could not be measured: {}", failed.join("; "));
        }
        Ok(())
    }

    fn measure(self, measurement: Measurement, folder: &Path) -> anyhow::Result<Found> {
        match measurement {
            Measurement::Proxy => proxy::measure(self, folder),
            Measurement::Curves => proxy::curves(self, folder),
            Measurement::ProxyMemory => memory::under_proxy_load(folder),
            Measurement::Queue => queue::measure(self, folder),
            Measurement::Latency => latency::measure(self, folder),
            Measurement::Scrape => latency::scrape(self, folder),
            Measurement::Waiting => memory::of_those_who_wait(self, folder),
            Measurement::Idle => memory::idle(self, folder),
            Measurement::Core => core::measure(),
        }
    }
}

/// Each row of a measurement that failed says why.
fn not_measured(measurement: Measurement, error: &anyhow::Error) -> Found {
    let outcome = |row: &outcome::Row| Outcome::missing(*row, "all", error);
    Found {
        outcomes: measurement.rows().iter().map(outcome).collect(),
        ..Found::default()
    }
}

/// The workspace.
fn root() -> anyhow::Result<PathBuf> {
    Ok(Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()?)
}

/// Where what is built goes, on the disk that is measured.
fn target() -> anyhow::Result<PathBuf> {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => Ok(absolute(folder)?),
        None => Ok(root()?.join("target")),
    }
}

/// A program that [`build`] has built.
fn built(name: &str) -> anyhow::Result<String> {
    let path = target()?.join("release").join(name);
    ensure!(path.is_file(), "cargo built no {}", path.display());
    Ok(path
        .to_str()
        .context("the target directory is no UTF-8")?
        .to_owned())
}
