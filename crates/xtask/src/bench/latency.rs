//! From the caller's INVITE to the agent's, as a tap sees both, and whether anything makes it longer.

use std::{
    path::Path,
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::{
    Load,
    child::{Core, Part},
    outcome::{Found, Outcome, Row},
    queue,
    series::Series,
    side_by_side::flawless,
    sipp::{Calls, Shape},
    system::{Journal, System, get},
};

/// Calls a second, and agents enough for all at a time.
const RATE: u32 = 1_000;
const AGENTS: u32 = 4_000;

/// What is timed beside calls whose journal is on.
const APPENDS: &str = "a durable append beside it";

/// Microseconds that the node may take without a journal: in the middle, and of one call in a hundred.
const MOST: [(&str, f64); 2] = [("p50", 100.0), ("p99", 1_000.0)];

/// By how much the p99 may be longer while metrics are read.
const WHILE_SCRAPED: f64 = 2.0;

pub(super) fn measure(load: Load, folder: &Path) -> anyhow::Result<Found> {
    let mut found = Found::default();
    for journal in [Journal::Off, Journal::On] {
        let system = queue::node(journal, AGENTS, folder)?;
        warm_up(load, &system)?;
        let (mut seen, mut appended) = (Vec::new(), Vec::new());
        for _ in 0..load.runs {
            if journal == Journal::On {
                let (calls, appends) = look_beside_appends(load, &system, RATE)?;
                seen.push(calls);
                appended.push(appends);
            } else {
                seen.push(look(load, &system, RATE)?);
            }
        }
        for (quantile, most) in MOST {
            let times = series(
                &seen,
                &format!("{}, INVITE to INVITE", system.name),
                quantile,
            )?;
            let mut most = most;
            if journal == Journal::On {
                let appends = series(&appended, APPENDS, quantile)?;
                most += appends.median();
                found.series.push(appends);
            }
            let what = format!("{}, {quantile}", system.name);
            found.outcomes.push(Outcome::at_most(
                Row::Latency,
                what,
                times.median(),
                (most, "µs"),
            ));
            found.series.push(times);
        }
    }
    Ok(found)
}

/// How much longer one call in a hundred takes with the journal than without, in turns, where it may be as long as a
/// durable append beside it.
pub(super) fn of_journal(
    load: Load,
    [off, on]: [&System; 2],
    rate: u32,
    found: &mut Found,
) -> anyhow::Result<()> {
    let (mut without, mut with, mut appended) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..load.runs {
        without.push(look(load, off, rate)?);
        let (calls, appends) = look_beside_appends(load, on, rate)?;
        with.push(calls);
        appended.push(appends);
    }
    let times = |runs: &[Value], of: &str, quantile| {
        let what = format!("{of}, {rate} calls/s, INVITE to INVITE");
        series(runs, &what, quantile)
    };
    let p99 = "p99";
    let longer = times(&with, on.name, p99)?.median() - times(&without, off.name, p99)?.median();
    let most = series(&appended, APPENDS, p99)?.median();
    found.outcomes.push(Outcome::at_most(
        Row::Queue,
        format!("journal on, {rate} calls/s, INVITE to INVITE, p99, more than without"),
        longer,
        (most, "µs"),
    ));
    for (quantile, _) in MOST {
        found.series.extend([
            times(&without, off.name, quantile)?,
            times(&with, on.name, quantile)?,
            series(&appended, APPENDS, quantile)?,
        ]);
    }
    Ok(())
}

pub(super) fn scrape(load: Load, folder: &Path) -> anyhow::Result<Found> {
    let system = queue::node(Journal::Off, AGENTS, folder)?;
    warm_up(load, &system)?;
    let (mut calm, mut scraped) = (Vec::new(), Vec::new());
    let mut scrapes = Vec::new();
    for _ in 0..load.runs {
        calm.push(look(load, &system, RATE)?);
        let scraper = Scraper::start(system.ports.http);
        scraped.push(look(load, &system, RATE)?);
        scrapes.extend(scraper.stop()?);
    }
    let mut found = Found::default();
    let mut medians = Vec::new();
    for (seen, when) in [(&calm, "without"), (&scraped, "with")] {
        for quantile in ["p50", "p99", "longest"] {
            let times = series(seen, &format!("INVITE to INVITE, {when} scrapes"), quantile)?;
            medians.push(times.median());
            found.series.push(times);
        }
    }
    let [_, p99_calm, _, _, p99_scraped, _] = medians[..] else {
        unreachable!("three quantiles of two kinds of runs");
    };
    found
        .series
        .push(Series::new("a scrape under load", "ms", scrapes));
    let part = p99_scraped / p99_calm;
    let what = "p99 with scrapes, of that without";
    found.outcomes.push(Outcome::at_most(
        Row::Scrape,
        what,
        part,
        (WHILE_SCRAPED, "×"),
    ));
    Ok(found)
}

fn warm_up(load: Load, system: &System) -> anyhow::Result<()> {
    flawless(
        system,
        &Calls::new(Shape::Distributed, RATE, load.warm_up()),
    )?;
    Ok(())
}

/// The same beside durable appends, which are told too.
fn look_beside_appends(load: Load, system: &System, rate: u32) -> anyhow::Result<(Value, Value)> {
    let path = system.folder.join("beside.journal").display().to_string();
    let args = ["appends", "--path", &path];
    // On the server's core, where the journal's own thread is.
    let patience = Duration::from_secs(10);
    let appends = Part::start(Core::Server, &system.folder, &args, patience)?;
    let seen = look(load, system, rate)?;
    Ok((seen, appends.end()?))
}

/// Plays calls, none of which fails or escapes the tap.
fn look(load: Load, system: &System, rate: u32) -> anyhow::Result<Value> {
    let calls = Calls::new(Shape::Distributed, rate, load.run());
    let count = calls.count;
    let (played, seen) = system.look(calls)?;
    let through = seen["through"].as_u64();
    ensure!(
        played.failed == 0 && through == Some(u64::from(count)),
        "{}: {} of {count} calls failed, the tap has seen {through:?}",
        system.name,
        played.failed
    );
    Ok(seen)
}

/// One figure of each run.
fn series(runs: &[Value], what: &str, quantile: &str) -> anyhow::Result<Series> {
    let name = format!("{quantile}_us");
    let values = runs
        .iter()
        .map(|run| run[&name].as_f64().context(name.clone()));
    let values = values.collect::<anyhow::Result<_>>()?;
    Ok(Series::new(format!("{what}, {quantile}"), "µs", values))
}

/// Somebody who reads the metrics every second.
#[derive(Debug)]
struct Scraper {
    stop: Sender<()>,
    thread: JoinHandle<anyhow::Result<Vec<f64>>>,
}

impl Scraper {
    fn start(http: u16) -> Self {
        let (stop, stopped) = mpsc::channel::<()>();
        let thread = thread::spawn(move || {
            let mut took = Vec::new();
            while stopped.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Timeout) {
                let began = Instant::now();
                let answer = get(http, "/metrics")?;
                ensure!(answer.contains("quinze_calls_total"), "no metrics");
                took.push(began.elapsed().as_secs_f64() * 1e3);
            }
            Ok(took)
        });
        Self { stop, thread }
    }

    /// Milliseconds that each answer took.
    fn stop(self) -> anyhow::Result<Vec<f64>> {
        drop(self.stop);
        let took = self.thread.join();
        took.map_err(|_| anyhow::anyhow!("the scraper has panicked"))?
    }
}
