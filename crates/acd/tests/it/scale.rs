//! A country: 102 centres, 10,000 agents, 50,000 calls that wait. The referee stays at home: it would
//! look at every pair.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use acd::{
    Acd, AgentSpec, AgentStateKind, CallId, Directory, DirectorySpec, Event, Input, Output,
    Settings, SiteSpec, StartState, Want,
};

use crate::country::{agent, line, site};

const SITES: u64 = 102;
const AGENTS: u64 = 10_000;
const CALLS: u64 = 50_000;

fn name(index: u64) -> String {
    format!("S{:03}", index % SITES)
}

fn country() -> Arc<Directory> {
    let sites: Vec<SiteSpec> = (0..SITES).map(|index| site(&name(index))).collect();
    let lines = (0..SITES).map(|index| {
        let mut line = line(&format!("{}-15", name(index)), &name(index));
        line.wrap_up = Duration::ZERO;
        line
    });
    let agents = (0..AGENTS).map(|index| AgentSpec {
        start: StartState::LoggedOut,
        ..agent(&format!("arm-{index:05}"), &name(index))
    });
    Arc::new(
        Directory::build(DirectorySpec {
            sites,
            lines: lines.collect(),
            agents: agents.collect(),
            ..DirectorySpec::default()
        })
        .unwrap(),
    )
}

fn drain(acd: &mut Acd, mut see: impl FnMut(&Output)) {
    while let Some(output) = acd.poll_output() {
        see(&output);
    }
}

#[test]
fn every_call_of_a_country_is_served_once_and_in_the_order_of_its_line() {
    #[expect(
        clippy::disallowed_methods,
        reason = "an Instant has no other constructor"
    )]
    let mut now = Instant::now();
    let directory = country();
    let mut acd = Acd::new(now, directory.clone(), Settings::default());
    let lines: Vec<_> = directory.lines().collect();
    for number in 0..CALLS {
        now += Duration::from_millis(1);
        let at = usize::try_from(number % SITES).unwrap();
        acd.handle_input(
            now,
            Input::CallArrived {
                call: CallId::new(number),
                line: lines[at],
                priority: None,
                caller: None,
                arrival: None,
            },
        );
    }
    drain(&mut acd, |_| {});
    assert_eq!(
        lines.iter().map(|&line| acd.waiting(line)).sum::<usize>(),
        50_000
    );

    // Everybody comes to work; each call lasts until the next wave.
    for agent in directory.agents() {
        acd.handle_input(
            now,
            Input::AgentWants {
                agent,
                want: Want::Ready,
            },
        );
    }
    let mut served: BTreeMap<_, Vec<CallId>> = BTreeMap::new();
    loop {
        let mut offers = Vec::new();
        drain(&mut acd, |output| {
            if let Output::Offer(offer) = output {
                offers.push(*offer);
            }
        });
        if offers.is_empty() {
            break;
        }
        now += Duration::from_secs(1);
        for offer in offers {
            let line = acd.call(offer.call).unwrap().line;
            served.entry(line).or_default().push(offer.call);
            acd.handle_input(now, Input::OfferAnswered { offer: offer.offer });
            acd.handle_input(now, Input::CallEnded { call: offer.call });
        }
    }
    assert!(acd.is_idle());
    let total: usize = served.values().map(Vec::len).sum();
    assert_eq!(total, 50_000);
    for calls in served.values() {
        assert!(calls.is_sorted(), "first come, first served");
    }
    let ready: usize = directory
        .sites()
        .map(|site| acd.agents_in(site, AgentStateKind::Ready))
        .sum();
    assert_eq!(ready, 10_000);
    drain(&mut acd, |output| {
        assert!(!matches!(output, Output::Event(Event::Ignored { .. })));
    });
}
