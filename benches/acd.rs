//! One decision of the distributor, in a country of 102 centres.

#![allow(clippy::unwrap_used, reason = "a bench may fail")]

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use acd::{
    Acd, AgentSpec, CallId, Directory, Input, Level, LineId, LineSpec, Output, Priority, Selection,
    Settings, SiteSpec, StartState,
};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};

const SITES: usize = 102;

/// `agents` over all sites, all ready or all logged out.
fn country(agents: usize, start: StartState) -> Arc<Directory> {
    let skills = BTreeMap::from([("amu".to_owned(), Level::new(1).unwrap())]);
    let site = |index: usize| SiteSpec {
        id: format!("S{index}"),
        name: format!("Samu {index}"),
        region: format!("R{}", index / 8),
        zone: format!("Z{}", index / 16),
        neighbours: vec![format!("S{}", (index + 1) % SITES)],
        reserve: 1,
    };
    let line = |index: usize| LineSpec {
        id: format!("S{index}-15"),
        site: format!("S{index}"),
        skills: skills.clone(),
        priority: Priority::new(2).unwrap(),
        service_level: Duration::from_secs(30),
        selection: Selection::LongestIdle,
        ring_time: Duration::from_secs(15),
        wrap_up: Duration::ZERO,
        transferred: acd::Age::New,
        overflow: None,
    };
    let agent = |index: usize| AgentSpec {
        id: format!("arm-{index}"),
        site: format!("S{}", index % SITES),
        skills: skills.clone(),
        start,
    };
    Arc::new(
        Directory::build(
            (0..SITES).map(site).collect(),
            (0..SITES).map(line).collect(),
            (0..agents).map(agent).collect(),
            vec![],
        )
        .unwrap(),
    )
}

fn lines(directory: &Directory) -> Vec<LineId> {
    directory.lines().collect()
}

fn drain(acd: &mut Acd) -> Option<acd::Offer> {
    let mut offer = None;
    while let Some(output) = acd.poll_output() {
        if let Output::Offer(made) = output {
            offer = Some(made);
        }
    }
    offer
}

/// A call arrives, is offered, answered and ends: four inputs.
fn served(criterion: &mut Criterion) {
    for agents in [1_000, 10_000] {
        let directory = country(agents, StartState::Ready);
        let lines = lines(&directory);
        let now = Instant::now();
        let mut acd = Acd::new(now, directory, Settings::default());
        let mut number = 0_u64;
        criterion.bench_function(&format!("a call served, {agents} agents ready"), |bench| {
            bench.iter(|| {
                number += 1;
                let call = CallId::new(number);
                let line = lines[usize::try_from(number).unwrap() % SITES];
                let arrived = Input::CallArrived {
                    call,
                    line,
                    priority: None,
                };
                acd.handle_input(now, arrived);
                let offer = drain(&mut acd).unwrap();
                let offer = offer.offer;
                acd.handle_input(now, Input::OfferAnswered { offer });
                drain(&mut acd);
                acd.handle_input(now, Input::CallEnded { call });
                drain(&mut acd);
            });
        });
    }
}

/// A call arrives where nobody is free, and its caller gives up.
fn queued(criterion: &mut Criterion) {
    for waiting in [1_000_u64, 50_000] {
        let directory = country(1_000, StartState::LoggedOut);
        let lines = lines(&directory);
        let now = Instant::now();
        let arrive = |acd: &mut Acd, number: u64| {
            let arrived = Input::CallArrived {
                call: CallId::new(number),
                line: lines[usize::try_from(number).unwrap() % SITES],
                priority: None,
            };
            acd.handle_input(now, arrived);
            drain(acd);
        };
        let mut acd = Acd::new(now, directory.clone(), Settings::default());
        (0..waiting).for_each(|number| arrive(&mut acd, number));
        let mut number = waiting;
        criterion.bench_function(&format!("a call queued, {waiting} waiting"), |bench| {
            bench.iter_batched(
                || {
                    number += 1;
                    number
                },
                |number| {
                    arrive(&mut acd, number);
                    let call = CallId::new(number);
                    acd.handle_input(now, Input::CallEnded { call });
                    drain(&mut acd);
                },
                BatchSize::SmallInput,
            );
        });
    }
}

criterion_group!(benches, served, queued);
criterion_main!(benches);
