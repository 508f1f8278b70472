//! The stateful proxy with Record-Route, beside Kamailio and the floor.

use std::{path::Path, time::Duration};

use anyhow::ensure;

use super::{
    Load,
    outcome::{Curve, Found, Outcome, Point, Row},
    series::Series,
    side_by_side::{Cost, median, processor, ratio},
    sipp::{Calls, Shape},
    system::{Agents, Journal, System, datagrams_per_call},
};

/// Calls a second at which the cost of a call has a target.
const RATES: [u32; 2] = [2_000, 4_000];

/// The most that SIPp carries from one core, and how many of these calls are made.
const MOST: (u32, u32) = (5_000, 30_000);

/// Kamailio's share that a call may cost.
const OF_KAMAILIO: f64 = 0.5;

/// How often the floor a call may cost.
pub(super) const OF_FLOOR: f64 = 2.0;

/// Calls a second of the curves that have no target.
const BETWEEN: [u32; 2] = [1_000, 3_000];

/// Nodes that forward to the phone of an agent. With its journal one keeps what Kamailio does not: an INVITE
/// that was taken outlives the process. Without, both do the same.
fn nodes(folder: &Path) -> anyhow::Result<[System; 2]> {
    Ok([
        System::quinze(Journal::Off, Agents::Called, folder)?,
        System::quinze(Journal::On, Agents::Called, folder)?,
    ])
}

pub(super) fn measure(load: Load, folder: &Path) -> anyhow::Result<Found> {
    let nodes = nodes(folder)?;
    let kamailio = System::kamailio(1, folder)?;
    let floor = System::floor(2, folder, Shape::Proxied, &nodes[0])?;
    let mut found = Found::default();
    check_floor(&nodes[0], &floor, Shape::Proxied, &mut found)?;
    for rate in RATES {
        let systems = [&nodes[0], &nodes[1], &kamailio, &floor];
        at_rate(load, rate, &systems, &mut found)?;
    }
    most(&nodes, &kamailio, &mut found)?;
    Ok(found)
}

/// What a call costs both nodes, Kamailio and the floor at a rate.
fn at_rate(load: Load, rate: u32, systems: &[&System; 4], found: &mut Found) -> anyhow::Result<()> {
    let calls = Calls::new(Shape::Proxied, rate, load.run());
    let costs = processor(load, systems, &calls)?;
    let [without, with, of_kamailio, of_floor] = &costs[..] else {
        unreachable!("four systems were measured");
    };
    for (journal, of_node) in [("off", without), ("on", with)] {
        let what = format!("journal {journal}, {rate} calls/s, of Kamailio's");
        let part = ratio(of_node, of_kamailio);
        let part = Outcome::at_most_if_measured(Row::Proxy, what, part, (OF_KAMAILIO, "×"));
        let what = format!("proxied, journal {journal}, {rate} calls/s");
        let times = ratio(of_node, of_floor);
        let times = Outcome::at_most_if_measured(Row::Floor, what, times, (OF_FLOOR, "×"));
        found.outcomes.extend([part, times]);
    }
    found.points.extend(points(&costs, systems, rate));
    found.series.extend(costs.into_iter().flatten());
    Ok(())
}

/// The floor takes and sends as many datagrams for a call as the node, or it is none.
pub(super) fn check_floor(
    node: &System,
    floor: &System,
    shape: Shape,
    found: &mut Found,
) -> anyhow::Result<()> {
    let calls = Calls::new(shape, 100, Duration::from_secs(1));
    let mut counts = Vec::new();
    for system in [node, floor] {
        let (_, seen) = system.look(calls)?;
        let count = datagrams_per_call(&seen).unwrap_or(f64::NAN);
        counts.push(count);
        let what = format!("{}, datagrams per call", system.name);
        found.series.push(Series::new(what, "", vec![count]));
    }
    // A message that was sent again by either side is no reason to stop.
    ensure!(
        (counts[0] - counts[1]).abs() < 0.1,
        "{} has {} datagrams per call, the node {}",
        floor.name,
        counts[1],
        counts[0]
    );
    Ok(())
}

/// The most calls that SIPp can make.
fn most(nodes: &[System; 2], kamailio: &System, found: &mut Found) -> anyhow::Result<()> {
    let (rate, count) = MOST;
    let calls = Calls {
        count,
        ..Calls::new(Shape::Proxied, rate, Duration::ZERO)
    };
    for system in [kamailio, &nodes[0], &nodes[1]] {
        let before = system.processor_time()?;
        let played = system.play(&calls)?;
        let used = system.processor_time()? - before;
        let per_call = used.as_secs_f64() * 1e6 / f64::from(played.completed);
        let share = 100.0 * used.as_secs_f64() / played.took.as_secs_f64();
        let name = system.name;
        let series = |what: &str, unit, value| {
            Series::new(format!("{name}, {rate} calls/s, {what}"), unit, vec![value])
        };
        found.series.push(series("CPU per call", "µs", per_call));
        found.series.push(series("share of its core", "%", share));
        found
            .series
            .push(series("failed calls", "", f64::from(played.failed)));
        found.series.push(series(
            "messages that SIPp sent again",
            "",
            f64::from(played.repeated),
        ));
        found.points.push(Point {
            system: name.to_owned(),
            curve: Curve::Processor,
            rate,
            value: per_call,
        });
        if !std::ptr::eq(system, kamailio) {
            let what = |what: &str| format!("{name}, {what}");
            let failed =
                Outcome::none_failed(Row::Most, what("failed calls"), played.failed, count);
            let of_core = what("share of its core");
            let share = Outcome::at_most(Row::Most, of_core, share, (35.0, "%"));
            found.outcomes.extend([failed, share]);
        }
    }
    Ok(())
}

fn points(costs: &[Cost], systems: &[&System], rate: u32) -> Vec<Point> {
    let point = |(cost, system): (&Cost, &&System)| {
        Some(Point {
            system: system.name.to_owned(),
            curve: Curve::Processor,
            rate,
            value: median(cost).ok()?,
        })
    };
    costs.iter().zip(systems).filter_map(point).collect()
}

/// What the curves need besides: rates between, and the time through each system.
pub(super) fn curves(load: Load, folder: &Path) -> anyhow::Result<Found> {
    let nodes = nodes(folder)?;
    let kamailio = System::kamailio(1, folder)?;
    let floor = System::floor(2, folder, Shape::Proxied, &nodes[0])?;
    let systems = [&nodes[0], &nodes[1], &kamailio, &floor];
    let once = Load { runs: 1, ..load };
    let mut found = Found::default();
    for rate in BETWEEN {
        let calls = Calls::new(Shape::Proxied, rate, load.run());
        let costs = processor(once, &systems, &calls)?;
        found.points.extend(points(&costs, &systems, rate));
        found.series.extend(costs.into_iter().flatten());
    }
    for rate in [BETWEEN[0], RATES[0], BETWEEN[1], RATES[1]] {
        for system in systems {
            let calls = Calls::new(Shape::Proxied, rate, load.run());
            let (_, seen) = system.look(calls)?;
            for quantile in ["p50", "p99"] {
                let value = seen[format!("{quantile}_us")].as_f64().unwrap_or(f64::NAN);
                let what = format!(
                    "{}, {rate} calls/s, INVITE to INVITE, {quantile}",
                    system.name
                );
                found.series.push(Series::new(what, "µs", vec![value]));
                if quantile == "p99" {
                    found.points.push(Point {
                        system: system.name.to_owned(),
                        curve: Curve::P99,
                        rate,
                        value,
                    });
                }
            }
        }
    }
    Ok(found)
}
