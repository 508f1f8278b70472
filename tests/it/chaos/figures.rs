//! What the README says of restarts, as measured. The tests hold what is right or wrong; how long it took is
//! told, and fails nothing.

use std::{
    collections::BTreeMap,
    env,
    fs::OpenOptions,
    io::Write as _,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, ensure};
use rand::RngExt as _;
use rand_pcg::Pcg64Mcg;

use super::{
    far_end::Manners,
    ledger::Ledger,
    scene::{Listening, Operator, Outcome, Plan, Scene, status},
    seeded, size, tell,
};
use crate::{
    scenarios::Failed,
    support::poll::{self, Look},
};

/// How many calls wait, and how many are connected, when the node is killed: 200 in the long form.
fn half() -> u32 {
    size("QUINZE_CHAOS_CALLS", 40)
}

#[test]
fn who_waits_keeps_the_place_and_who_talks_talks_on() -> Result<(), Failed> {
    seeded("waiting-and-connected", waiting_and_connected).map_err(Failed)
}

fn waiting_and_connected(random: &mut Pcg64Mcg) -> anyhow::Result<()> {
    let half = half();
    // All must have come, and the node must be back, before the first talk ends.
    let talk = Duration::from_secs(4) + Duration::from_millis(40) * half;
    let plan = Plan {
        agents: half,
        manners: Manners {
            talk: u64::try_from(talk.as_millis())?,
            plain: 1.0,
            ..Manners::default()
        },
        ..Plan::default()
    };
    let mut scene = Scene::start("waiting-and-connected", plan, random)?;
    scene.call(100, 2 * half, Some(2 * half))?;
    let all_there = [
        status("/calls/waiting", half),
        status("/calls/connected", half),
    ];
    scene.wait("all calls", &all_there, talk)?;
    let before = places(&scene.ledger()?, Duration::ZERO);
    let killed = unix_now()?;
    let away = scene.kill_now(Duration::ZERO)?;
    scene
        .wait("all calls again", &all_there, Duration::ZERO)
        .context("after the kill")?;
    let after = poll::until(
        std::time::Instant::now() + talk,
        "a word to everybody who waits",
        || {
            let told = places(&scene.ledger()?, killed);
            Ok(if told.len() < before.len() {
                Look::NotYet(format!("{} of {} were told", told.len(), before.len()))
            } else {
                Look::Done(told)
            })
        },
    )?;
    let last = after.values().map(|told| told.at).max();
    let last = last.context("nobody waited")?.saturating_sub(killed);
    let outcome = scene.end()?;
    outcome.check(&[])?;
    for (caller, told) in &before {
        let again = after.get(caller).map(|told| told.place);
        ensure!(
            again == Some(told.place),
            "{caller} was at place {}, and then at {again:?}",
            told.place
        );
    }
    in_order(&outcome.ledger, &before)?;
    figure(
        &format!("{half} waiting and {half} connected calls, kill -9, restart"),
        &format!(
            "0 lost, order kept; back after {} ms, the last who waits was told again after {} ms",
            away.as_millis(),
            last.as_millis()
        ),
    )
}

/// What a waiting caller was told.
struct Told {
    at: Duration,
    place: u32,
}

/// The place of everybody who has been told one and has no answer yet, by whose offer it is: the last before
/// now, or the first since a moment.
fn places(ledger: &Ledger, since: Duration) -> BTreeMap<String, Told> {
    let waiting = ledger.callers.iter().filter(|leg| {
        leg.result
            .is_none_or(|(at, _)| since > Duration::ZERO && at > since)
    });
    waiting
        .filter_map(|leg| {
            let told = leg.progress.iter().filter(|told| told.at >= since);
            let mut told = told.filter_map(|told| {
                let (at, place) = (told.at, told.place?);
                Some(Told { at, place })
            });
            let told = if since > Duration::ZERO {
                told.next()
            } else {
                told.next_back()
            };
            Some((leg.offer.clone()?, told?))
        })
        .collect()
}

/// Phones rang for those who waited in the order of their places.
fn in_order(ledger: &Ledger, places: &BTreeMap<String, Told>) -> anyhow::Result<()> {
    let served = ledger.served().into_iter();
    let served: Vec<_> = served
        .filter_map(|offer| Some(places.get(offer)?.place))
        .collect();
    ensure!(
        served.len() == places.len() && served.is_sorted(),
        "served in another order than that of their places: {served:?}"
    );
    Ok(())
}

#[test]
fn new_calls_over_udp_outlast_three_seconds_without_a_node() -> Result<(), Failed> {
    let plan = Plan {
        operator: Operator::Nobody,
        ..Plan::default()
    };
    seeded("outage-udp", |random| {
        outage("outage-udp", "UDP", plan, random)
    })
    .map_err(Failed)
}

#[test]
fn new_calls_over_tcp_outlast_three_seconds_without_a_node_where_its_sockets_are_held()
-> Result<(), Failed> {
    let plan = Plan {
        sockets: Listening::Held,
        ..Plan::default()
    };
    seeded("outage-tcp", |random| {
        outage("outage-tcp", "TCP with held sockets", plan, random)
    })
    .map_err(Failed)
}

/// Calls come at a steady rate; for three seconds nobody is there to take them.
fn outage(name: &str, over: &str, plan: Plan, random: &mut Pcg64Mcg) -> anyhow::Result<()> {
    let plan = Plan {
        agents: 20,
        manners: Manners {
            plain: 1.0,
            ..Manners::default()
        },
        ..plan
    };
    let mut scene = Scene::start(name, plan, random)?;
    scene.call(20, 400, None)?;
    scene.go_on(20)?;
    let began = unix_now()?;
    let away = scene.kill_now(AWAY)?;
    let over_at = unix_now()?;
    scene.go_on(20)?;
    let outcome = scene.end()?;
    outcome.check(&[])?;
    let came = |leg: &&super::leg::Leg| leg.began > began && leg.began < over_at;
    let new: Vec<_> = outcome.ledger.callers.iter().filter(came).collect();
    let served = new.iter().filter(|leg| leg.is_answered()).count();
    figure(
        &format!(
            "{} new calls in {:.1} s without a node, {over}",
            new.len(),
            away.as_secs_f64()
        ),
        &format!("{:.1} % answered", 100.0 * served as f64 / new.len() as f64),
    )?;
    ensure!(
        served == new.len() && !new.is_empty(),
        "{served} of {} were answered: {}",
        new.len(),
        outcome.tally
    );
    Ok(())
}

/// How long the node is away.
const AWAY: Duration = Duration::from_secs(3);

#[test]
fn kills_under_load_lose_no_accepted_call() -> Result<(), Failed> {
    seeded("load", load).map_err(Failed)
}

fn load(random: &mut Pcg64Mcg) -> anyhow::Result<()> {
    let (rate, kills) = (
        size("QUINZE_CHAOS_RATE", 50),
        size("QUINZE_CHAOS_LOAD_KILLS", 3),
    );
    let seconds = size("QUINZE_CHAOS_SECONDS", 9_u32);
    let plan = Plan {
        agents: rate,
        manners: Manners {
            ring: 20,
            talk: 150,
            plain: 0.9,
        },
        sockets: Listening::Held,
        ..Plan::default()
    };
    let mut scene = Scene::start("load", plan, random)?;
    scene.call(rate, 20 * rate, None)?;
    scene.go_on(usize::try_from(rate)?)?;
    let between = Duration::from_secs(seconds.into()) / kills;
    let mut told = Vec::new();
    for _ in 0..kills {
        // When it is killed is drawn: an input of the run.
        std::thread::sleep(between.mul_f64(random.random_range(0.5..1.5)));
        let away = scene.kill_now(Duration::ZERO)?;
        told.push(format!("away for {} ms", away.as_millis()));
    }
    scene.go_on(usize::try_from(rate)?)?;
    let outcome = scene.end()?;
    let Outcome { tally, left, .. } = &outcome;
    figure(
        &format!("{kills} kills under {rate} calls/s for {seconds} s"),
        &format!(
            "{} answered, {} refused, {} accepted calls lost, {} double offers, {}",
            tally.answered,
            tally.refused,
            tally.lost.len(),
            tally.double_offers(),
            if left.is_empty() {
                "0 agents stuck".to_owned()
            } else {
                left.join("; ")
            }
        ),
    )?;
    outcome.check(&told)
}

fn unix_now() -> anyhow::Result<Duration> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?)
}

/// Prints a figure, and writes it to the file that a variable names: `cargo xtask chaos` shows them together.
pub(super) fn figure(what: &str, figure: &str) -> anyhow::Result<()> {
    tell(&format!("{what}: {figure}"));
    if let Some(path) = env::var_os("QUINZE_CHAOS_FIGURES") {
        let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
        writeln!(file, "{what}\t{figure}")?;
    }
    Ok(())
}
