//! Random countries and random days, under the eyes of the referee.

use std::time::Duration;

use acd::{
    Age, AgentSpec, CallId, CallPhase, Condition, Input, LineSpec, OfferFailure, PauseReason,
    PlanSpec, Priority, Reach, Selection, SiteSpec, StartState, StepSpec, Want,
};
use proptest::{prelude::*, sample::Index};

use crate::{
    country::{Country, seconds, skills},
    desk::Desk,
};

const SITES: [&str; 4] = ["A", "B", "C", "D"];

fn sites() -> impl Strategy<Value = Vec<SiteSpec>> {
    let site = (
        0..2_u8,
        0..2_u8,
        prop::collection::vec(any::<bool>(), 4),
        0..3_u32,
    );
    prop::collection::vec(site, 1..=4).prop_map(|drawn| {
        let count = drawn.len();
        let site =
            |(index, (region, zone, near, reserve)): (usize, (u8, u8, Vec<bool>, u32))| SiteSpec {
                id: SITES[index].to_owned(),
                name: SITES[index].to_owned(),
                region: format!("R{region}"),
                zone: format!("Z{zone}"),
                neighbours: (0..count)
                    .filter(|&other| other != index && near[other])
                    .map(|other| SITES[other].to_owned())
                    .collect(),
                reserve,
            };
        drawn.into_iter().enumerate().map(site).collect()
    })
}

fn step() -> impl Strategy<Value = StepSpec> {
    let condition = prop_oneof![
        (0..40_u64).prop_map(|after| Condition::After(seconds(after))),
        (0..4_u32).prop_map(Condition::QueueLongerThan),
        Just(Condition::NoAgentOnDuty),
    ];
    let reach = prop_oneof![
        Just(Reach::Neighbours),
        Just(Reach::Region),
        Just(Reach::Zone),
        Just(Reach::Nation),
        Just(Reach::Site("A".to_owned())),
    ];
    (
        prop::collection::vec(condition, 1..=2),
        prop::collection::vec(reach, 1..=2),
    )
        .prop_map(|(when, widen)| StepSpec { when, widen })
}

fn plan() -> impl Strategy<Value = PlanSpec> {
    (0..20_u64, prop::collection::vec(step(), 0..=4)).prop_map(|(advantage, steps)| PlanSpec {
        name: String::new(),
        home_advantage: seconds(advantage),
        steps,
    })
}

type DrawnLine = (
    usize,
    Vec<(&'static str, u8)>,
    u8,
    Selection,
    u64,
    Age,
    Option<usize>,
);

fn a_line() -> impl Strategy<Value = DrawnLine> {
    let selection = prop_oneof![
        Just(Selection::LongestIdle),
        Just(Selection::MostSkilled),
        Just(Selection::LeastSkilled),
        Just(Selection::LeastOccupied),
    ];
    let skills = prop_oneof![
        (1..5_u8).prop_map(|level| vec![("amu", level)]),
        (1..5_u8).prop_map(|level| vec![("de", level)]),
        (1..4_u8, 1..4_u8).prop_map(|(amu, de)| vec![("amu", amu), ("de", de)]),
    ];
    let wrap_up = prop_oneof![Just(0), Just(5)];
    let transferred = prop_oneof![Just(Age::New), Just(Age::Kept)];
    (
        0..4_usize,
        skills,
        0..3_u8,
        selection,
        wrap_up,
        transferred,
        prop::option::of(0..2_usize),
    )
}

type DrawnAgent = (usize, u8, u8, StartState);

fn an_agent() -> impl Strategy<Value = DrawnAgent> {
    let start = prop_oneof![
        4 => Just(StartState::Ready),
        1 => Just(StartState::NotReady),
        1 => Just(StartState::LoggedOut),
    ];
    (0..4_usize, 0..6_u8, 0..6_u8, start)
}

fn country() -> impl Strategy<Value = Country> {
    (
        sites(),
        prop::collection::vec(plan(), 2),
        prop::collection::vec(a_line(), 1..=4),
        prop::collection::vec(an_agent(), 0..=9),
    )
        .prop_map(|(sites, mut plans, lines, agents)| {
            for (index, plan) in plans.iter_mut().enumerate() {
                plan.name = format!("plan{index}");
            }
            let site_of = |index: usize| sites[index % sites.len()].id.clone();
            let line = |(index, drawn): (usize, DrawnLine)| {
                let (site, asked, priority, selection, wrap_up, transferred, plan) = drawn;
                LineSpec {
                    id: format!("L{index}"),
                    site: site_of(site),
                    skills: skills(&asked),
                    priority: Priority::new(priority).unwrap(),
                    service_level: seconds(30),
                    selection,
                    ring_time: seconds(15),
                    wrap_up: seconds(wrap_up),
                    transferred,
                    overflow: plan.map(|plan| format!("plan{plan}")),
                }
            };
            let agent = |(index, (site, amu, de, start)): (usize, DrawnAgent)| {
                let levels: Vec<_> = [("amu", amu), ("de", de)]
                    .into_iter()
                    .filter(|(_, level)| *level > 0)
                    .collect();
                AgentSpec {
                    id: format!("arm-{index}"),
                    site: site_of(site),
                    skills: skills(&levels),
                    start,
                }
            };
            Country {
                lines: lines.into_iter().enumerate().map(line).collect(),
                agents: agents.into_iter().enumerate().map(agent).collect(),
                sites,
                plans,
            }
        })
}

/// What happens next; an index falls on what there is then.
#[derive(Clone, Debug)]
enum Deed {
    Arrive(Index, Option<u8>),
    End(Index),
    Ring(Index),
    Answer(Index),
    Fail(Index, OfferFailure),
    Want(Index, u8),
    Reachable(Index),
    Move(Index, Index),
    Ask(Index, Index),
    Release(Index),
    TakeOver(Index, Index),
    Wait(u64),
}

fn deed() -> impl Strategy<Value = Deed> {
    let failure = prop_oneof![
        Just(OfferFailure::Busy),
        Just(OfferFailure::Declined),
        Just(OfferFailure::NoAnswer),
        Just(OfferFailure::Unreachable),
    ];
    let index = any::<Index>;
    prop_oneof![
        6 => (index(), prop::option::weighted(0.2, 0..4_u8)).prop_map(|(at, priority)| Deed::Arrive(at, priority)),
        3 => index().prop_map(Deed::End),
        2 => index().prop_map(Deed::Ring),
        4 => index().prop_map(Deed::Answer),
        2 => (index(), failure).prop_map(|(at, reason)| Deed::Fail(at, reason)),
        4 => (index(), 0..4_u8).prop_map(|(at, want)| Deed::Want(at, want)),
        1 => index().prop_map(Deed::Reachable),
        1 => (index(), index()).prop_map(|(call, line)| Deed::Move(call, line)),
        2 => (index(), index()).prop_map(|(call, agent)| Deed::Ask(call, agent)),
        1 => index().prop_map(Deed::Release),
        1 => (index(), index()).prop_map(|(call, other)| Deed::TakeOver(call, other)),
        5 => (1..25_000_u64).prop_map(Deed::Wait),
    ]
}

fn pick<T: Clone>(from: &[T], at: Index) -> Option<T> {
    (!from.is_empty()).then(|| at.get(from).clone())
}

fn want(number: u8) -> Want {
    match number {
        0 => Want::LoggedOut,
        1 => Want::NotReady {
            reason: PauseReason::new("break").unwrap(),
        },
        _ => Want::Ready,
    }
}

fn perform(desk: &mut Desk, deed: &Deed) {
    let offers: Vec<_> = desk.offers().iter().map(|offer| offer.offer).collect();
    let calls: Vec<CallId> = desk.acd.calls().collect();
    let agents: Vec<_> = desk.acd.directory().agents().collect();
    match *deed {
        Deed::Arrive(at, priority) => {
            let lines: Vec<_> = desk.acd.directory().lines().collect();
            let line = pick(&lines, at).expect("there is a line");
            desk.call_on(line, priority.and_then(Priority::new));
        }
        Deed::End(at) => {
            if let Some(call) = pick(&calls, at) {
                desk.end(call);
            }
        }
        Deed::Ring(at) => {
            if let Some(offer) = pick(&offers, at) {
                desk.input(Input::OfferRinging { offer });
            }
        }
        Deed::Answer(at) => {
            if let Some(offer) = pick(&offers, at) {
                desk.input(Input::OfferAnswered { offer });
            }
        }
        Deed::Fail(at, reason) => {
            if let Some(offer) = pick(&offers, at) {
                desk.input(Input::OfferFailed { offer, reason });
            }
        }
        Deed::Want(at, number) => {
            if let Some(agent) = pick(&agents, at) {
                desk.input(Input::AgentWants {
                    agent,
                    want: want(number),
                });
            }
        }
        Deed::Reachable(at) => {
            if let Some(agent) = pick(&agents, at) {
                desk.input(Input::AgentReachable { agent });
            }
        }
        Deed::Move(at, line) => {
            let lines: Vec<_> = desk.acd.directory().lines().collect();
            let to = pick(&lines, line).expect("there is a line");
            if let Some(call) = pick(&calls, at) {
                desk.input(Input::CallMoved { call, to });
            }
        }
        Deed::Ask(at, agent) => {
            if let (Some(call), Some(agent)) = (pick(&calls, at), pick(&agents, agent)) {
                desk.input(Input::OfferTo { call, agent });
            }
        }
        Deed::Release(at) => {
            if let Some(call) = pick(&calls, at) {
                desk.input(Input::AgentReleased { call });
            }
        }
        Deed::TakeOver(at, other) => {
            if let (Some(call), Some(by_agent_of)) = (pick(&calls, at), pick(&calls, other)) {
                desk.input(Input::CallTakenOver { call, by_agent_of });
            }
        }
        Deed::Wait(millis) => desk.wait(Duration::from_millis(millis)),
    }
}

fn play(country: &Country, deeds: &[Deed]) -> Desk {
    let mut desk = Desk::new(country);
    for deed in deeds {
        perform(&mut desk, deed);
    }
    desk
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4 * ProptestConfig::default().cases, ..Default::default() })]

    #[test]
    fn every_offer_is_the_right_one_and_nobody_is_forgotten(
        country in country(),
        deeds in prop::collection::vec(deed(), 0..90),
    ) {
        let mut desk = play(&country, &deeds);
        let calls: Vec<_> = desk.acd.calls().collect();
        for call in calls {
            desk.end(call);
        }
        prop_assert!(desk.acd.is_idle());
        prop_assert_eq!(desk.offers(), vec![]);
    }

    #[test]
    fn the_same_day_is_decided_the_same_way(
        country in country(),
        deeds in prop::collection::vec(deed(), 0..60),
    ) {
        let (one, other) = (play(&country, &deeds), play(&country, &deeds));
        // Offers carry an instant; all else is the same to the letter.
        let told = |desk: &Desk| -> Vec<String> {
            desk.events().map(|(at, event)| format!("{at:?} {event:?}")).collect()
        };
        prop_assert_eq!(told(&one), told(&other));
        for call in one.acd.calls() {
            let view = one.acd.call(call).unwrap();
            if let CallPhase::Offered { offer, .. } = view.phase {
                prop_assert!(one.offers().iter().any(|open| open.offer == offer));
            }
        }
    }
}
