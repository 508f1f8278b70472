//! `quinze-load`: what `cargo xtask bench` runs beside SIPp, Kamailio and the node. Each part says `ready`
//! on a line of its own as soon as it is, runs until its standard input is closed, and then prints its
//! figures as one line of JSON.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "its output is what it is for, and it runs in real time"
)]

mod appends;
mod floor;
mod packet;
mod phones;
mod syncs;
mod tap;
mod waiting;

use std::{
    io::{self, Read as _, Write as _},
    thread::{self, JoinHandle},
};

use clap::{Parser, Subcommand};
use serde_json::Value;

/// What runs beside the systems that are measured.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    part: Part,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// Receives and sends as many datagrams of the same sizes as a node, and does nothing else.
    Floor(floor::Floor),
    /// Looks at all datagrams of a node: how many, how large, and how long an INVITE takes through it.
    Tap(tap::Tap),
    /// Callers who wait in a queue.
    Waiting(waiting::Waiting),
    /// Phones that register and refresh.
    Phones(phones::Phones),
    /// Durable appends, one at a time.
    Appends(appends::Appends),
    /// Blocks that are made durable, and nothing else.
    Syncs(syncs::Syncs),
}

fn main() -> anyhow::Result<()> {
    let until = Until::input_ends();
    let figures = match Cli::parse().part {
        Part::Floor(floor) => floor.run(&until),
        Part::Tap(tap) => tap.run(&until),
        Part::Waiting(waiting) => waiting.run(&until),
        Part::Phones(phones) => phones.run(&until),
        Part::Appends(appends) => appends.run(until),
        Part::Syncs(syncs) => syncs.run(&until),
    }?;
    say(&figures.to_string())
}

/// Tells whoever started us.
fn say(line: &str) -> anyhow::Result<()> {
    println!("{line}");
    Ok(io::stdout().flush()?)
}

/// How long a part runs: whoever started us closes our input, or has died and closes it so.
#[derive(Debug)]
struct Until(JoinHandle<()>);

impl Until {
    fn input_ends() -> Self {
        Self(thread::spawn(|| {
            let mut rest = Vec::new();
            let _closed_either_way = io::stdin().read_to_end(&mut rest);
        }))
    }

    fn is_over(&self) -> bool {
        self.0.is_finished()
    }

    fn wait(self) {
        let _over_either_way = self.0.join();
    }
}

/// Figures of a part, as they are printed.
type Figures = Value;
