//! `cargo xtask chaos`: the long form of the tests that kill a node, and the table of what they measured.

use std::{
    env, fs,
    path::{self, PathBuf},
};

use anyhow::Context as _;

use crate::program::Program;

/// How much is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::Args)]
pub(crate) struct Chaos {
    /// Kills in each phase of a call, and under load.
    #[arg(long, default_value_t = 20)]
    kills: u32,
    /// How long calls come at 100 a second.
    #[arg(long, default_value_t = 2)]
    minutes: u32,
    /// Calls that wait, and as many that are connected, when the node is killed.
    #[arg(long, default_value_t = 200)]
    calls: u32,
    /// What is drawn: the moments of the kills, and which messages are lost.
    #[arg(long, default_value_t = 15)]
    seed: u64,
}

/// Runs the tests with these sizes, one after the other since they measure, and prints their figures,
/// also those of a run that fails.
pub(crate) fn run(size: Chaos) -> anyhow::Result<()> {
    let figures = path::absolute(figures_file())?;
    if figures.exists() {
        fs::remove_file(&figures)?;
    }
    let path = figures
        .to_str()
        .context("the target directory is no UTF-8")?;
    let args = ["test", "--package", "quinze-tests", "--no-fail-fast", "--"];
    let options = ["chaos::", "--nocapture", "--test-threads=1"];
    let ran = Program::cargo(&[&args[..], &options].concat())
        .env("QUINZE_CHAOS_KILLS", &size.kills.to_string())
        .env("QUINZE_CHAOS_LOAD_KILLS", &size.kills.to_string())
        .env("QUINZE_CHAOS_SECONDS", &(60 * size.minutes).to_string())
        .env("QUINZE_CHAOS_RATE", "100")
        .env("QUINZE_CHAOS_CALLS", &size.calls.to_string())
        .env("QUINZE_CHAOS_FIGURES", path)
        .env("SEED", &size.seed.to_string())
        .run();
    print(&fs::read_to_string(&figures).unwrap_or_default());
    ran
}

#[expect(clippy::print_stdout, reason = "the table is this command's output")]
fn print(figures: &str) {
    println!("\n| what | figure |\n|---|---|");
    for line in figures.lines() {
        let (what, figure) = line.split_once('\t').unwrap_or((line, ""));
        println!("| {what} | {figure} |");
    }
}

fn figures_file() -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target"),
        PathBuf::from,
    );
    target.join("chaos-figures.txt")
}
