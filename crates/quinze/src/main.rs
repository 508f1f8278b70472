//! `quinze`: run a node, check its configuration, give it orders, ask it why, or see it at work.

mod check;
mod client;
mod demo;
mod explain;
mod journal;
mod language;
mod log;
mod out;
mod plan;
mod serve;
mod sim;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

/// What the core makes is freed by the journal's thread and the other way round: chosen by measurement, see
/// ARCHITECTURE.md.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Quinze decides which human answers an emergency call.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a node.
    Serve {
        /// The configuration file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Validate a configuration: exit 1 with every error, or say what it means.
    Check(check::Options),
    /// Switch crisis plans of a running node on and off.
    Plan(plan::Options),
    /// What happened to a call of a running node, and why.
    Explain(explain::Options),
    /// Whether a journal is whole, and what is in it.
    Journal(journal::Options),
    /// A node with three centres, with callers and phones made by Quinze that speak real SIP to it
    /// over UDP on loopback.
    Demo(demo::Options),
    /// What would the service level be? Simulates callers and agents around the product's distributor.
    Sim(sim::Options),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Serve { config } => serve::serve(&config),
        Command::Check(options) => check::run(&options),
        Command::Plan(options) => plan::run(&options),
        Command::Explain(options) => explain::run(&options),
        Command::Journal(options) => journal::run(&options),
        Command::Demo(options) => demo::run(&options),
        Command::Sim(options) => sim::run(&options),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            print_error(&error);
            ExitCode::FAILURE
        }
    }
}

#[expect(
    clippy::print_stderr,
    reason = "the last word of a command that failed"
)]
fn print_error(error: &anyhow::Error) {
    eprintln!("quinze: {error:#}");
}
