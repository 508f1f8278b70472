//! Random days: what happens, one thing after another.

use std::time::Duration;

use acd::{
    CallId, CrisisOrder, Input, OfferFailure, PauseReason, Priority, SiteId, SiteState, Want,
};
use proptest::{prelude::*, sample::Index};

use crate::desk::Desk;

/// What happens next; an index falls on what there is then.
#[derive(Clone, Debug)]
pub(super) enum Deed {
    Arrive(Index, Option<u8>, Option<u64>),
    End(Index),
    Ring(Index),
    Join(Index),
    Answer(Index),
    Fail(Index, OfferFailure),
    Want(Index, u8),
    Reachable(Index),
    Move(Index, Index, Option<u8>),
    Keep(Index),
    Prioritise(Index, u8),
    Ask(Index, Index),
    Release(Index),
    TakeOver(Index, Index),
    Divert(Index, bool),
    Extend(Index),
    SiteState(Index, Option<SiteState>),
    Crisis(Index, Vec<Index>, u8),
    Wait(u64),
}

pub(super) fn deed() -> impl Strategy<Value = Deed> {
    let failure = prop_oneof![
        Just(OfferFailure::Busy),
        Just(OfferFailure::Declined),
        Just(OfferFailure::NoAnswer),
        Just(OfferFailure::Unreachable),
    ];
    let index = any::<Index>;
    let priority = || prop::option::weighted(0.2, 0..4_u8);
    let caller = prop::option::weighted(0.7, 0..3_u64);
    let state = prop::option::of(prop_oneof![
        Just(SiteState::Down),
        Just(SiteState::Overloaded)
    ]);
    prop_oneof![
        8 => (index(), priority(), caller).prop_map(|(at, priority, caller)| Deed::Arrive(at, priority, caller)),
        3 => index().prop_map(Deed::End),
        2 => index().prop_map(Deed::Ring),
        1 => index().prop_map(Deed::Join),
        5 => index().prop_map(Deed::Answer),
        2 => (index(), failure).prop_map(|(at, reason)| Deed::Fail(at, reason)),
        4 => (index(), 0..4_u8).prop_map(|(at, want)| Deed::Want(at, want)),
        1 => index().prop_map(Deed::Reachable),
        2 => (index(), index(), priority()).prop_map(|(call, line, priority)| Deed::Move(call, line, priority)),
        1 => index().prop_map(Deed::Keep),
        1 => (index(), 0..4_u8).prop_map(|(call, priority)| Deed::Prioritise(call, priority)),
        2 => (index(), index()).prop_map(|(call, agent)| Deed::Ask(call, agent)),
        1 => index().prop_map(Deed::Release),
        1 => (index(), index()).prop_map(|(call, other)| Deed::TakeOver(call, other)),
        1 => (index(), any::<bool>()).prop_map(|(call, answers)| Deed::Divert(call, answers)),
        1 => index().prop_map(Deed::Extend),
        1 => (index(), state).prop_map(|(site, state)| Deed::SiteState(site, state)),
        2 => (index(), prop::collection::vec(index(), 1..4), 0..4_u8)
            .prop_map(|(crisis, sites, how)| Deed::Crisis(crisis, sites, how)),
        6 => (1..25_000_u64).prop_map(Deed::Wait),
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

/// A crisis plan on or off.
fn switch(desk: &Desk, at: Index, sites: Vec<SiteId>, how: u8) -> Option<Input> {
    let crises: Vec<_> = desk.acd.directory().crises().collect();
    let crisis = pick(&crises, at)?;
    let author = "the model".to_owned();
    Some(match how {
        0 | 1 => Input::CrisisOff {
            crisis,
            sites: if how == 0 { Vec::new() } else { sites },
            author,
        },
        _ => Input::CrisisOn(CrisisOrder {
            crisis,
            sites,
            until: (how == 3).then(|| desk.now() + Duration::from_secs(20)),
            author,
            reason: "to see".to_owned(),
        }),
    })
}

/// What a deed is now; `None` when there is nothing that it could be about.
fn input(desk: &Desk, deed: &Deed) -> Option<Input> {
    let directory = desk.acd.directory();
    let offers: Vec<_> = desk.offers().iter().map(|offer| offer.offer).collect();
    let calls: Vec<CallId> = desk.acd.calls().collect();
    let agents: Vec<_> = directory.agents().collect();
    let lines: Vec<_> = directory.lines().collect();
    let sites: Vec<_> = directory.sites().collect();
    let call = |at| pick(&calls, at);
    let agent = |at| pick(&agents, at);
    Some(match *deed {
        Deed::End(at) => Input::CallEnded { call: call(at)? },
        Deed::Ring(at) => Input::OfferRinging {
            offer: pick(&offers, at)?,
        },
        Deed::Join(at) => Input::OfferJoining {
            offer: pick(&offers, at)?,
        },
        Deed::Answer(at) => Input::OfferAnswered {
            offer: pick(&offers, at)?,
        },
        Deed::Fail(at, reason) => Input::OfferFailed {
            offer: pick(&offers, at)?,
            reason,
        },
        Deed::Want(at, number) => Input::AgentWants {
            agent: agent(at)?,
            want: want(number),
        },
        Deed::Reachable(at) => Input::AgentReachable { agent: agent(at)? },
        Deed::Move(at, line, priority) => Input::CallMoved {
            call: call(at)?,
            to: pick(&lines, line)?,
            priority: priority.and_then(Priority::new),
        },
        Deed::Keep(at) => Input::CallKept { call: call(at)? },
        Deed::Prioritise(at, priority) => Input::PrioritySet {
            call: call(at)?,
            priority: Priority::new(priority)?,
        },
        Deed::Ask(at, asked) => Input::OfferTo {
            call: call(at)?,
            agent: agent(asked)?,
        },
        Deed::Release(at) => Input::AgentReleased { call: call(at)? },
        Deed::TakeOver(at, other) => Input::CallTakenOver {
            call: call(at)?,
            by_agent_of: call(other)?,
        },
        Deed::Divert(at, true) => Input::DivertAnswered { call: call(at)? },
        Deed::Divert(at, false) => Input::DivertFailed { call: call(at)? },
        Deed::Extend(at) => Input::WrapUpExtended {
            agent: agent(at)?,
            by: Duration::from_secs(7),
        },
        Deed::SiteState(at, state) => Input::SiteStateSet {
            site: pick(&sites, at)?,
            state,
        },
        Deed::Crisis(at, ref where_to, how) => {
            let sites = where_to.iter().filter_map(|&at| pick(&sites, at)).collect();
            switch(desk, at, sites, how)?
        }
        Deed::Arrive(..) | Deed::Wait(_) => return None,
    })
}

pub(super) fn perform(desk: &mut Desk, deed: &Deed) {
    match *deed {
        Deed::Wait(millis) => desk.wait(Duration::from_millis(millis)),
        Deed::Arrive(at, priority, caller) => {
            let lines: Vec<_> = desk.acd.directory().lines().collect();
            let line = pick(&lines, at).expect("there is a line");
            desk.arrive(line, priority.and_then(Priority::new), caller);
        }
        _ => {
            if let Some(input) = input(desk, deed) {
                desk.input(input);
            }
        }
    }
}
