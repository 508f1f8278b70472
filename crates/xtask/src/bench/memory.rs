//! Memory, and what a node costs that has nothing to do.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::ensure;

use super::{
    Load,
    child::{Core, Part, rest},
    outcome::{Found, Outcome, Row},
    series::Series,
    sipp::{Calls, Shape},
    system::{Agents, Journal, Node, System},
};

/// Calls a second under which memory is compared, and for how long: past the 32 s for which finished
/// transactions are kept.
const PROXIED: (u32, Duration) = (2_000, Duration::from_secs(40));

/// The share of Kamailio's memory that a node may have.
const OF_KAMAILIO: f64 = 0.5;

/// KiB that a waiting call may take.
const WAITING_MOST: f64 = 8.0;

/// Phones that refresh, and how often each, in seconds.
const PHONES: (u32, u32) = (10_000, 600);

/// The share of a core that they may cost, in hundredths.
const IDLE_MOST: f64 = 1.0;

/// How long so many callers may take to come.
const COMING_LIMIT: Duration = Duration::from_secs(240);

pub(super) fn under_proxy_load(folder: &Path) -> anyhow::Result<Found> {
    let (rate, time) = PROXIED;
    let mut found = Found::default();
    let mut peaks = Vec::new();
    for index in 0..2 {
        let system = match index {
            0 => System::quinze(Journal::On, Agents::Called, folder)?,
            _ => System::kamailio(1, folder)?,
        };
        let peak = megabytes(most_memory(
            &system,
            Calls::new(Shape::Proxied, rate, time),
        )?);
        let what = format!(
            "{}, most memory at {rate} calls/s for {} s",
            system.name,
            time.as_secs()
        );
        found.series.push(Series::new(what, "MB", vec![peak]));
        peaks.push(peak);
    }
    let part = peaks[0] / peaks[1];
    let what = format!("{rate} calls/s for {} s, of Kamailio's", time.as_secs());
    found.outcomes.push(Outcome::at_most(
        Row::ProxyMemory,
        what,
        part,
        (OF_KAMAILIO, "×"),
    ));
    Ok(found)
}

/// The most that a system has had under calls.
fn most_memory(system: &System, calls: Calls) -> anyhow::Result<u64> {
    let mut playing = system.begin(calls)?;
    let mut most = 0;
    while playing.ended()?.is_none() {
        most = most.max(system.memory()?);
        rest(Duration::from_millis(500));
    }
    let most = most.max(system.memory()?);
    let played = playing.end()?;
    ensure!(
        played.failed == 0,
        "{}: {} calls failed",
        system.name,
        played.failed
    );
    Ok(most)
}

pub(super) fn of_those_who_wait(load: Load, folder: &Path) -> anyhow::Result<Found> {
    let mut found = Found::default();
    for (journal, name) in [
        (Journal::Off, "waiting, journal off"),
        (Journal::On, "waiting, journal on"),
    ] {
        let node = Node {
            name,
            number: 6,
            journal,
            agents: Agents::None,
        };
        let system = node.start(folder)?;
        let before = system.resident()?;
        let (port, calls) = (system.ports.node.to_string(), load.waiting.to_string());
        let args = ["waiting", "--node", &port, "--calls", &calls];
        let callers = Part::start(Core::Load, &system.folder, &args, COMING_LIMIT)?;
        let grown = system.resident()?.saturating_sub(before);
        callers.end()?;
        let each = kibibytes(grown) / f64::from(load.waiting);
        let what = format!("{name}, {} calls", load.waiting);
        found
            .series
            .push(Series::new(what.clone(), "KiB a call", vec![each]));
        found.outcomes.push(Outcome::at_most(
            Row::Waiting,
            what,
            each,
            (WAITING_MOST, "KiB"),
        ));
    }
    Ok(found)
}

pub(super) fn idle(load: Load, folder: &Path) -> anyhow::Result<Found> {
    let (phones, every) = PHONES;
    let node = Node {
        name: "idle",
        number: 7,
        journal: Journal::On,
        agents: Agents::Register(phones),
    };
    let system = node.start(folder)?;
    let (port, count, interval) = (
        system.ports.node.to_string(),
        phones.to_string(),
        every.to_string(),
    );
    let args = [
        "phones", "--node", &port, "--phones", &count, "--every", &interval,
    ];
    let alone = system.processor_time()?;
    let registered = Part::start(Core::Load, &system.folder, &args, COMING_LIMIT)?;
    let coming = (system.processor_time()? - alone) / phones;
    // What their first registrations have left to do is done.
    rest(load.settle());
    let (before, began) = (system.processor_time()?, Instant::now());
    rest(load.run() * 6);
    let (used, time) = (system.processor_time()? - before, began.elapsed());
    let figures = registered.end()?;
    let per_second = figures["refreshes"].as_f64().unwrap_or(f64::NAN)
        / figures["seconds"].as_f64().unwrap_or(f64::NAN);
    let share = 100.0 * used.as_secs_f64() / time.as_secs_f64();
    Ok(Found {
        outcomes: vec![Outcome::at_most(
            Row::Idle,
            "share of a core",
            share,
            (IDLE_MOST, "%"),
        )],
        series: vec![
            Series::new("idle node, share of a core", "%", vec![share]),
            Series::new("REGISTER a second", "", vec![per_second]),
            Series::new(
                "REGISTER when all come one right after the other, CPU",
                "µs",
                vec![1e6 * coming.as_secs_f64()],
            ),
        ],
        points: Vec::new(),
    })
}

#[expect(clippy::cast_precision_loss, reason = "memory of a machine")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

#[expect(clippy::cast_precision_loss, reason = "memory of a machine")]
fn kibibytes(bytes: u64) -> f64 {
    bytes as f64 / 1024.0
}
