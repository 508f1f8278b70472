//! Random countries and random days, under the eyes of the referee.

mod countries;
mod days;

use std::time::Duration;

use acd::{
    Abandoned, AbandonedId, Acd, CallPhase, CallerKey, Condition, CrisisOrder, Input, KeptCaller,
    KeptState, Output, Settings,
};
use proptest::prelude::*;

use self::{
    countries::{Size, country},
    days::{Deed, deed, perform},
};
use crate::{country::Country, desk::Desk};

const SMALL: Size = Size {
    sites: 4,
    lines: 4,
    agents: 9,
};

/// As many sites as there are in the nation, and a few hundred agents.
const LARGE: Size = Size {
    sites: 102,
    lines: 60,
    agents: 300,
};

fn play(country: &Country, deeds: &[Deed]) -> Desk {
    let mut desk = Desk::new(country);
    for deed in deeds {
        perform(&mut desk, deed);
    }
    desk
}

/// The same without steps that are looked at only every few seconds: a switch looks at them too.
fn without_estimates(mut country: Country) -> Country {
    for step in country.plans.iter_mut().flat_map(|plan| &mut plan.steps) {
        let estimates = |when: &Condition| matches!(when, Condition::EstimatedWaitOver(_));
        if step.when.iter().any(estimates) {
            step.when = vec![Condition::NoAgentOnDuty];
        }
    }
    country
}

/// Everything that was told, with its time.
fn told(desk: &Desk) -> Vec<String> {
    // Offers carry an instant; all else is the same to the letter.
    let told = desk.events().map(|(at, event)| format!("{at:?} {event:?}"));
    told.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6 * ProptestConfig::default().cases, ..Default::default() })]

    #[test]
    fn every_offer_is_the_right_one_and_nobody_is_forgotten(
        country in country(SMALL),
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
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 16, ..Default::default() })]

    #[test]
    fn the_rules_hold_in_a_whole_nation(
        country in country(LARGE),
        deeds in prop::collection::vec(deed(), 0..120),
    ) {
        play(&country, &deeds);
    }
}

proptest! {
    #[test]
    fn the_same_day_is_decided_the_same_way(
        country in country(SMALL),
        deeds in prop::collection::vec(deed(), 0..60),
    ) {
        let (one, other) = (play(&country, &deeds), play(&country, &deeds));
        prop_assert_eq!(told(&one), told(&other));
        for call in one.acd.calls() {
            if let CallPhase::Offered { offers, .. } = one.acd.call(call).unwrap().phase {
                for (offer, _) in offers {
                    prop_assert!(one.offers().iter().any(|open| open.offer == offer));
                }
            }
        }
    }

    /// A crisis plan that is switched on and off again, with nobody free to be asked meanwhile, leaves
    /// every call where it was.
    #[test]
    fn on_and_off_again_changes_nothing(
        country in country(SMALL),
        deeds in prop::collection::vec(deed(), 0..60),
        which in any::<prop::sample::Index>(),
    ) {
        let mut desk = play(&without_estimates(country), &deeds);
        let crises: Vec<_> = desk.acd.directory().crises().collect();
        let crisis = *which.get(&crises);
        prop_assume!(desk.acd.active_crises().all(|on| on.crisis != crisis));
        let standing = |desk: &Desk| -> Vec<_> {
            let calls = desk.acd.calls();
            calls.map(|call| (call, desk.acd.call(call), desk.acd.place(call))).collect()
        };
        let offers = desk.offers();
        let before = standing(&desk);
        let sites = desk.acd.directory().sites().collect();
        desk.input(Input::CrisisOn(CrisisOrder {
            crisis,
            sites,
            until: None,
            author: "the model".to_owned(),
            reason: "to see".to_owned(),
        }));
        // Whoever was asked for a call meanwhile, or turned away, is not given back.
        prop_assume!(desk.offers() == offers && desk.acd.calls().count() == before.len());
        desk.input(Input::CrisisOff {
            crisis,
            sites: Vec::new(),
            author: "the model".to_owned(),
        });
        prop_assume!(desk.offers() == offers);
        prop_assert_eq!(standing(&desk), before);
    }

    /// A distributor that begins with what another has kept stands where that one stood: every call at its
    /// place, with its steps and its offers, every agent in the same state.
    #[test]
    fn what_is_kept_is_all_that_there_was(
        country in country(SMALL),
        deeds in prop::collection::vec(deed(), 0..90),
    ) {
        // Nobody waits for one agent alone: that is not kept, and is over in seconds.
        let mut country = without_estimates(country);
        for line in &mut country.lines {
            line.preferred = Duration::ZERO;
        }
        let desk = play(&country, &deeds);
        let mut after = Acd::new(desk.now(), country.directory(), Settings::default());
        after.restore(desk.now(), kept(&desk.acd));
        prop_assert_eq!(abandoned(&after), abandoned(&desk.acd));
        prop_assert_eq!(callers(&after), callers(&desk.acd));
        let standing = |acd: &Acd| -> Vec<_> {
            let calls = acd.calls().map(|id| {
                let mut call = acd.call(id).unwrap();
                // Somebody outside who was being rung is rung no more.
                call.diverted_by = None;
                (id, acd.place(id), call)
            });
            calls.collect()
        };
        prop_assert_eq!(standing(&after), standing(&desk.acd));
        for agent in desk.acd.directory().agents() {
            prop_assert_eq!(after.agent_state(agent).kind(), desk.acd.agent_state(agent).kind());
            prop_assert_eq!(after.agent_wants(agent), desk.acd.agent_wants(agent));
        }
        let told = std::iter::from_fn(|| after.poll_output());
        prop_assert_eq!(told.filter(|one| matches!(one, Output::Offer(_))).count(), 0);
    }
}

/// All that a distributor keeps for the next.
pub(crate) fn kept(acd: &Acd) -> KeptState {
    let directory = acd.directory();
    let agents = directory.agents();
    let calls = acd.calls();
    KeptState {
        given_up: Vec::new(),
        agents: agents.map(|id| (id, acd.kept_agent(id))).collect(),
        calls: calls.map(|id| (id, acd.kept_call(id).unwrap())).collect(),
        stated: directory
            .sites()
            .filter_map(|site| Some((site, acd.stated(site)?)))
            .collect(),
        crises: acd.active_crises().cloned().collect(),
        crises_at: directory
            .sites()
            .map(|site| (site, acd.crises_at(site).to_vec()))
            .collect(),
        abandoned: abandoned(acd),
        callers: callers(acd),
        offers_from: 1,
    }
}

fn abandoned(acd: &Acd) -> Vec<(AbandonedId, Abandoned)> {
    let entries = acd.abandoned();
    entries.map(|(id, entry)| (id, entry.clone())).collect()
}

/// The callers who are remembered, in the order in which they were last heard of.
fn callers(acd: &Acd) -> Vec<(CallerKey, KeptCaller)> {
    let mut callers: Vec<_> = acd
        .callers()
        .into_iter()
        .filter_map(|caller| Some((caller, acd.kept_caller(caller)?)))
        .collect();
    callers.sort_by_key(|(_, kept)| kept.heard);
    callers
}
