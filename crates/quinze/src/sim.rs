//! `quinze sim`: what would the service level be? The product's own distributor on a virtual clock.

mod calls;
mod compare;
mod country;
mod observed;
mod report;
mod text;

use std::{fs, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context as _;
use clap::Args;
use config::scenario::Scenario;
use sim::planning::History;

use self::{
    country::{Country, Span},
    observed::{Observed, Watch},
    text::Page,
};
use crate::{language::Language, out::write_out};

/// What is simulated, and for how long.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The configuration, with `[planning]`.
    #[arg(long, value_name = "FILE", required_unless_present = "compare")]
    config: Option<PathBuf>,
    /// Two configurations that meet the same callers: which serves them better?
    #[arg(
        long,
        num_args = 2,
        value_names = ["A", "B"],
        conflicts_with_all = ["config", "report", "lines"]
    )]
    compare: Option<Vec<PathBuf>>,
    /// How many histories are compared: that of the seed, and of the seeds after it.
    #[arg(long, default_value_t = 10, requires = "compare", value_name = "N",
          value_parser = clap::value_parser!(u64).range(3..=1_000))]
    replications: u64,
    /// What is not as usual: demand, outages, crisis plans on a timetable.
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// Recorded calls in place of drawn ones: a CSV with at least the columns `came` and `line`.
    #[arg(long, value_name = "CDR.csv")]
    replay: Option<PathBuf>,
    /// How many days, from Monday at midnight: 7, or those of the recorded calls.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=3_660))]
    days: Option<u32>,
    /// What everything is drawn from. The same seed gives the same result.
    #[arg(long, default_value_t = 15)]
    seed: u64,
    /// Writes a page with plots (index.html) and every call (calls.csv, alone.csv) into this folder.
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Shows each line as well.
    #[arg(long)]
    lines: bool,
    /// The language of what is shown; that of LC_ALL, LC_MESSAGES or LANG when left out.
    #[arg(long, value_enum)]
    language: Option<Language>,
}

/// Runs it and prints how callers were served: with mutual aid as configured, and each centre alone; or
/// which of two configurations serves them better.
pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let language = options.language.unwrap_or_else(Language::of_environment);
    let (scenario, replay) = (options.scenario.as_deref(), options.replay.as_deref());
    let countries = options
        .config
        .iter()
        .chain(options.compare.iter().flatten());
    let countries = countries
        .map(|config| Country::load(config, scenario, replay))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let days = options.days.unwrap_or_else(|| countries[0].days());
    let span = Span {
        days,
        seed: options.seed,
    };
    if let [a, b] = countries.as_slice() {
        write_out(&compare::run([a, b], span, options.replications, language)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let country = &countries[0];
    if let Some(folder) = &options.report {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let (aided, alone) = both(country, span, options)?;
    let page = Page {
        country,
        span,
        aided: &aided,
        alone: &alone,
        language,
    };
    if let Some(folder) = &options.report {
        let file = folder.join("index.html");
        let html = report::page(&page)?;
        fs::write(&file, html).with_context(|| format!("cannot write {}", file.display()))?;
    }
    write_out(&page.to_string())?;
    if options.lines {
        write_out(&page.lines())?;
    }
    page.tell_times();
    Ok(ExitCode::SUCCESS)
}

/// The same callers with mutual aid as configured, and with each centre alone.
fn both(country: &Country, span: Span, options: &Options) -> anyhow::Result<(Observed, Observed)> {
    let aided = country.history(span);
    let usual = Scenario {
        crises: Vec::new(),
        ..country.scenario.clone()
    };
    let alone = History {
        directory: Arc::new(country.directory().without_plans()),
        scenario: &usual,
        ..aided.clone()
    };
    let watch = Watch::new(2, span);
    let file = |name: &str| Some(options.report.as_ref()?.join(name));
    let (aided, alone) = rayon::join(
        || watch.observe(&aided, file("calls.csv").as_deref()),
        || watch.observe(&alone, file("alone.csv").as_deref()),
    );
    Ok((aided?, alone?))
}

/// So many days.
const fn days(count: u32) -> Duration {
    Duration::from_secs(86_400 * count as u64)
}
