//! `quinze sim`: what would the service level be? The product's own distributor on a virtual clock.

mod text;

use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use clap::Args;
use config::planning::Planning;
use node::engine::acd::{Directory, Settings};
use sim::planning::{History, Statistics, simulate};

use self::text::Page;

/// What is simulated, and for how long.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The configuration, with `[planning]`.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// How many days, from Monday at midnight.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=3_660))]
    days: u32,
    /// What everything is drawn from. The same seed gives the same result.
    #[arg(long, default_value_t = 15)]
    seed: u64,
    /// Shows each line as well.
    #[arg(long)]
    lines: bool,
}

/// Runs it and prints how callers were served: with mutual aid as configured, and each centre alone.
#[expect(clippy::print_stdout, reason = "what the command is for")]
pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let path = &options.config;
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    // Nobody signs in here: the secrets that the file names are not read.
    let loaded = config::load_with(path, &text, [0; 4], &|_| Ok(String::new()))?;
    let Some(planning) = &loaded.planning else {
        bail!(
            "{} has no [planning]: nothing is known of callers and rosters",
            path.display()
        );
    };
    let directory = &loaded.engine.directory;
    let alone = Arc::new(directory.without_plans());
    let (aided, alone) = rayon::join(
        || history(options, directory, planning),
        || history(options, &alone, planning),
    );
    let page = Page {
        directory,
        planning,
        aided: &aided,
        alone: &alone,
    };
    println!("{} days, seed {}", options.days, options.seed);
    print!("{page}");
    if options.lines {
        print!("{}", page.lines());
    }
    Ok(ExitCode::SUCCESS)
}

fn history(options: &Options, directory: &Arc<Directory>, planning: &Planning) -> Statistics {
    let history = History {
        directory: directory.clone(),
        settings: Settings {
            calls_max: usize::MAX,
            ..Settings::default()
        },
        planning,
        length: Duration::from_secs(86_400) * options.days,
        warm_up: Duration::ZERO,
        seed: options.seed,
    };
    simulate(&history, &mut |_| {})
}
