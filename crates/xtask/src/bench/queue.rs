//! Queued calls that are given to agents, with the journal and without, beside the floor.

use std::{path::Path, time::Duration};

use anyhow::Context as _;

use super::{
    Load,
    child::{Core, Part, rest},
    latency,
    outcome::{Found, Outcome, Row},
    proxy::{OF_FLOOR, check_floor},
    series::Series,
    side_by_side::{median, processor, ratio},
    sipp::{Calls, Shape},
    system::{Agents, Journal, System, get},
};

/// Calls a second at which the cost of a call has a target, and the agents who take them.
const STEADY: (u32, u32) = (300, 1_000);

/// Calls a second of which none may fail, and the agents who take them.
const MANY: (u32, u32) = (2_000, 4_000);

/// Microseconds that a call may cost.
const WITHOUT_JOURNAL: f64 = 90.0;
const WITH_JOURNAL: f64 = 150.0;

/// How often the same call without the journal one with it may cost.
const OF_WITHOUT_JOURNAL: f64 = 1.5;

/// A node with so many free agents.
pub(super) fn node(journal: Journal, agents: u32, folder: &Path) -> anyhow::Result<System> {
    System::quinze(journal, Agents::Free(agents), folder)
}

pub(super) fn measure(load: Load, folder: &Path) -> anyhow::Result<Found> {
    let mut found = Found::default();
    steady(load, folder, &mut found)?;
    for journal in [Journal::Off, Journal::On] {
        let (rate, agents) = MANY;
        let system = node(journal, agents, folder)?;
        let calls = Calls::new(Shape::Distributed, rate, load.run());
        let before = system.processor_time()?;
        let played = system.play(&calls)?;
        let used = system.processor_time()? - before;
        let per_call = used.as_secs_f64() * 1e6 / f64::from(played.completed);
        let what = format!("{}, {rate} calls/s", system.name);
        let failed = Outcome::none_failed(
            Row::Queue,
            format!("{what}, failed calls"),
            played.failed,
            calls.count,
        );
        found.outcomes.push(failed);
        found.series.push(Series::new(
            format!("{what}, CPU per call"),
            "µs",
            vec![per_call],
        ));
        let repeated = f64::from(played.repeated);
        found.series.push(Series::new(
            format!("{what}, messages that SIPp sent again"),
            "",
            vec![repeated],
        ));
    }
    Ok(found)
}

fn steady(load: Load, folder: &Path, found: &mut Found) -> anyhow::Result<()> {
    let (rate, agents) = STEADY;
    let off = node(Journal::Off, agents, folder)?;
    let on = node(Journal::On, agents, folder)?;
    let floor = System::floor(5, folder, Shape::Distributed, &off)?;
    check_floor(&off, &floor, Shape::Distributed, found)?;
    let calls = Calls::new(Shape::Distributed, rate, load.run());
    let costs = processor(load, &[&off, &on, &floor], &calls)?;
    let [without, with, of_floor] = &costs[..] else {
        unreachable!("three systems were measured");
    };
    let per_call = |what: &str, cost, most| {
        let what = format!("{what}, {rate} calls/s, {agents} agents");
        Outcome::at_most_if_measured(Row::Queue, what, median(cost), (most, "µs"))
    };
    let times = ratio(without, of_floor);
    let what = format!("distributed, journal off, {rate} calls/s");
    let of_without = Outcome::at_most_if_measured(
        Row::Queue,
        format!("journal on, {rate} calls/s, of that without"),
        ratio(with, without),
        (OF_WITHOUT_JOURNAL, "×"),
    );
    found.outcomes.extend([
        per_call("journal off", without, WITHOUT_JOURNAL),
        per_call("journal on", with, WITH_JOURNAL),
        of_without,
        Outcome::at_most_if_measured(Row::Floor, what, times, (OF_FLOOR, "×")),
    ]);
    if let Ok(without) = without {
        let of_syncs = journal_floor(load, folder, &on, &calls, without)?;
        found.series.extend(of_syncs);
    }
    found.series.extend(costs.into_iter().flatten());
    latency::of_journal(load, [&off, &on], rate, found)
}

/// What the syncs of the journal's groups take alone, and what a call would cost with them and nothing else of a journal.
fn journal_floor(
    load: Load,
    folder: &Path,
    node: &System,
    calls: &Calls,
    without: &Series,
) -> anyhow::Result<[Series; 3]> {
    let before = groups(node)?;
    let played = node.play(calls)?;
    let per_call = (groups(node)? - before) / f64::from(played.completed);
    let path = folder.join("syncs").display().to_string();
    let rate = (per_call * f64::from(calls.rate)).to_string();
    let args = ["syncs", "--path", &path, "--rate", &rate];
    let mut spent = Vec::new();
    for _ in 0..load.runs {
        let syncs = Part::start(Core::Server, folder, &args, Duration::from_secs(10))?;
        rest(SYNCED_FOR);
        let each = syncs.end()?["cpu_us"].as_f64();
        spent.push(each.context("it is not told how long syncs take")? * per_call);
    }
    let times = spent.iter().map(|spent| 1.0 + spent / without.median());
    let times = times.collect();
    Ok([
        Series::new("groups of the journal per call", "", vec![per_call]),
        Series::new(
            "one sync of a block for each group, nothing else, CPU per call",
            "µs",
            spent,
        ),
        Series::new(
            "with such syncs alone, of that without a journal",
            "×",
            times,
        ),
    ])
}

/// How many groups the journal has made durable.
fn groups(node: &System) -> anyhow::Result<f64> {
    let metrics = get(node.ports.http, "/metrics")?;
    let mut lines = metrics.lines();
    let line = lines.find(|line| line.starts_with("quinze_journal_append_seconds_count"));
    // After its labels.
    let count = line.and_then(|line| line.rsplit(' ').next());
    Ok(count.context("the node counts no groups")?.parse()?)
}

/// How long syncs are made in each run.
const SYNCED_FOR: Duration = Duration::from_secs(5);
