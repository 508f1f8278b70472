//! Random countries.

use std::{collections::BTreeMap, time::Duration};

use acd::{
    Age, AgentSpec, Condition, CrisisFlow, CrisisSpec, DirectorySpec, HandOver, LastResort, Level,
    LineSpec, PlanSpec, Priority, Reach, Relax, Requirement, Selection, SiteSpec, SiteState,
    StartState, StepSpec, TransferredPriority,
};
use proptest::{prelude::*, sample::Index};

use crate::country::{Country, asks, seconds, skills};

/// How large a country may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub(super) sites: usize,
    pub(super) lines: usize,
    pub(super) agents: usize,
}

fn name(index: usize) -> String {
    format!("S{index:03}")
}

fn sites(max: usize) -> impl Strategy<Value = Vec<SiteSpec>> {
    // Of a small country every site may be a neighbour, of a large one a few are.
    let near = prop::collection::vec(any::<Index>(), 0..=max.min(4));
    let groups = u8::try_from(max.div_ceil(4)).unwrap().max(2);
    let site = (0..groups, 0..groups.div_ceil(2), near, 0..3_u32);
    prop::collection::vec(site, 1..=max).prop_map(|drawn| {
        let count = drawn.len();
        let site = |(index, (region, zone, near, reserve)): (usize, (u8, u8, Vec<Index>, u32))| {
            let mut neighbours: Vec<_> = near.iter().map(|one| one.index(count)).collect();
            neighbours.sort_unstable();
            neighbours.dedup();
            neighbours.retain(|&one| one != index);
            SiteSpec {
                id: name(index),
                name: name(index),
                region: format!("R{region}"),
                zone: format!("Z{zone}"),
                neighbours: neighbours.into_iter().map(name).collect(),
                reserve,
            }
        };
        drawn.into_iter().enumerate().map(site).collect()
    })
}

fn condition() -> impl Strategy<Value = Condition> {
    prop_oneof![
        4 => (0..40_u64).prop_map(|after| Condition::After(seconds(after))),
        2 => (0..4_u32).prop_map(Condition::QueueLongerThan),
        1 => (0..30_u64).prop_map(|wait| Condition::OldestWaitOver(seconds(wait))),
        1 => (1..300_u64).prop_map(|wait| Condition::EstimatedWaitOver(seconds(wait))),
        2 => Just(Condition::NoAgentOnDuty),
        1 => Just(Condition::SiteState(vec![SiteState::Unstaffed, SiteState::Down])),
    ]
}

fn step() -> impl Strategy<Value = StepSpec> {
    let reach = prop_oneof![
        Just(Reach::Neighbours),
        Just(Reach::Region),
        Just(Reach::Zone),
        Just(Reach::Nation),
        Just(Reach::Site(name(0))),
    ];
    let level = prop_oneof![Just(None), (1..4_u8).prop_map(Level::new)];
    let relax = (0..3_u8, prop::collection::btree_map("amu|de", level, 0..=1))
        .prop_map(|(by, to): (u8, BTreeMap<String, Option<Level>>)| Relax { to, by });
    let last_resort = Just(LastResort::Divert("sip:help@partner.example".to_owned()));
    (
        prop::collection::vec(condition(), 1..=2),
        prop::collection::vec(reach, 0..=2),
        prop::option::weighted(0.3, relax),
        prop_oneof![4 => Just(0), 1 => 1..3_u8],
        prop::option::weighted(0.1, Just("wait".to_owned())),
        prop::option::weighted(0.1, last_resort),
    )
        .prop_map(
            |(when, widen, relax, raise, announce, last_resort)| StepSpec {
                when,
                widen,
                relax,
                raise,
                announce,
                last_resort,
            },
        )
}

fn plans() -> impl Strategy<Value = Vec<PlanSpec>> {
    let plan = (
        0..20_u64,
        prop::collection::vec(step(), 0..=4),
        prop::bool::weighted(0.1),
    );
    prop::collection::vec(plan, 3).prop_map(|drawn| {
        let drawn = drawn.into_iter().enumerate();
        let plan =
            |(index, (advantage, mut steps, rejects)): (usize, (u64, Vec<StepSpec>, bool))| {
                if rejects && let Some(last) = steps.last_mut() {
                    last.last_resort = Some(LastResort::Reject);
                }
                PlanSpec {
                    name: format!("plan{index}"),
                    home_advantage: seconds(advantage),
                    steps,
                }
            };
        drawn.map(plan).collect()
    })
}

fn requirement() -> impl Strategy<Value = Requirement> {
    prop_oneof![
        2 => (1..5_u8).prop_map(|level| asks(&[("amu", level)])),
        2 => (1..5_u8).prop_map(|level| asks(&[("de", level)])),
        1 => (1..4_u8, 1..4_u8).prop_map(|(amu, de)| asks(&[("amu", amu), ("de", de)])),
        1 => (1..6_u8, 1..6_u8)
            .prop_map(|(amu, de)| Requirement::Any(vec![asks(&[("amu", amu)]), asks(&[("de", de)])])),
    ]
}

fn selection() -> impl Strategy<Value = Selection> {
    prop_oneof![
        Just(Selection::LongestIdle),
        Just(Selection::MostSkilled),
        Just(Selection::LeastSkilled),
        Just(Selection::LeastOccupied),
        Just(Selection::RoundRobin),
    ]
}

fn line() -> impl Strategy<Value = (Index, LineSpec)> {
    let served = (
        requirement(),
        0..4_u8,
        selection(),
        prop_oneof![3 => Just(1), 1 => 2..4_u8],
        prop_oneof![Just(0_u64), Just(5)],
        prop_oneof![3 => Just(0_u64), 1 => Just(8)],
        prop_oneof![2 => Just(0_u64), 1 => Just(60)],
    );
    let moved = (
        prop_oneof![Just(Age::New), Just(Age::Kept)],
        prop_oneof![
            Just(TransferredPriority::Kept),
            Just(TransferredPriority::Line)
        ],
        prop_oneof![
            2 => Just(HandOver::Blind),
            1 => (0..4_u8).prop_map(|up_to| HandOver::Attended {
                up_to: Priority::new(up_to).unwrap()
            })
        ],
    );
    let plan = prop::option::weighted(0.8, 0..2_usize);
    (any::<Index>(), served, moved, plan).prop_map(|(site, served, moved, plan)| {
        let (requirement, priority, selection, parallel, wrap_up, preferred, resume) = served;
        let (transferred, transferred_priority, hand_over) = moved;
        let line = LineSpec {
            requirement,
            priority: Priority::new(priority).unwrap(),
            selection,
            parallel,
            wrap_up: seconds(wrap_up),
            preferred: seconds(preferred),
            resume_within: seconds(resume),
            transferred,
            transferred_priority,
            hand_over,
            overflow: plan.map(|plan| format!("plan{plan}")),
            ..LineSpec::new("", "")
        };
        (site, line)
    })
}

fn agent() -> impl Strategy<Value = (Index, Option<Index>, AgentSpec)> {
    let start = prop_oneof![
        4 => Just(StartState::Ready),
        1 => Just(StartState::NotReady),
        1 => Just(StartState::LoggedOut),
    ];
    let second = prop::option::weighted(0.2, any::<Index>());
    (any::<Index>(), second, 0..6_u8, 0..6_u8, start).prop_map(|(site, second, amu, de, start)| {
        let levels = [("amu", amu), ("de", de)].into_iter();
        let levels: Vec<_> = levels.filter(|(_, level)| *level > 0).collect();
        let agent = AgentSpec {
            id: String::new(),
            site: String::new(),
            second_site: None,
            skills: skills(&levels),
            start,
        };
        (site, second, agent)
    })
}

fn crises() -> impl Strategy<Value = Vec<CrisisSpec>> {
    let crisis = (
        prop::option::weighted(0.8, 0..3_usize),
        prop::option::of(0..3_u32),
        prop::option::of(0..9_u64),
    );
    prop::collection::vec(crisis, 2).prop_map(|drawn| {
        let drawn = drawn.into_iter().enumerate();
        let crisis =
            |(index, (plan, reserve, wrap_up)): (usize, (Option<usize>, _, Option<u64>))| {
                CrisisSpec {
                    name: format!("crisis{index}"),
                    overflow: plan.map(|plan| format!("plan{plan}")),
                    reserve,
                    wrap_up: wrap_up.map(Duration::from_secs),
                    announcement: None,
                    flow: CrisisFlow::Closed,
                }
            };
        drawn.map(crisis).collect()
    })
}

/// A country with sites, lines, agents, overflow plans and crisis plans of any kind.
pub(super) fn country(size: Size) -> impl Strategy<Value = Country> {
    (
        sites(size.sites),
        plans(),
        prop::collection::vec(line(), 1..=size.lines),
        prop::collection::vec(agent(), 0..=size.agents),
        crises(),
    )
        .prop_map(|(sites, plans, lines, agents, crises)| {
            let site_of = |at: Index| at.get(&sites).id.clone();
            let line = |(index, (site, line)): (usize, (Index, LineSpec))| LineSpec {
                id: format!("L{index:03}"),
                site: site_of(site),
                ..line
            };
            let agent =
                |(index, (site, second, agent)): (usize, (Index, Option<Index>, AgentSpec))| {
                    AgentSpec {
                        id: format!("arm-{index:03}"),
                        site: site_of(site),
                        second_site: second.map(site_of),
                        ..agent
                    }
                };
            Country(DirectorySpec {
                lines: lines.into_iter().enumerate().map(line).collect(),
                agents: agents.into_iter().enumerate().map(agent).collect(),
                sites,
                plans,
                crises,
                ..DirectorySpec::default()
            })
        })
}
