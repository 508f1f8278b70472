//! How a line's calls are served: requirements that steps relax, priorities that they raise, several
//! phones for one call, whose turn it is, and the agent who had the caller last.

use std::time::Duration;

use acd::{
    Acd, AgentStateKind as Kind, Condition, Event, Input, LastResort, OfferOutcome, Output,
    Priority, Relax, Requirement, Selection, Settings, SiteState, StepSpec, Want, WithdrawReason,
};

use crate::{
    country::{Country, asks, line, seconds, skills},
    desk::Desk,
    model::kept,
};

fn when(condition: Condition) -> StepSpec {
    StepSpec {
        when: vec![condition],
        ..StepSpec::default()
    }
}

fn after(count: u64) -> StepSpec {
    when(Condition::After(seconds(count)))
}

fn raise(count: u64, by: u8) -> StepSpec {
    StepSpec {
        raise: by,
        ..after(count)
    }
}

#[test]
fn one_skill_of_several_is_enough_where_any_is_asked() {
    let mut country = Country::one_site(&["english", "german", "neither"]);
    country.lines[0].requirement = Requirement::All(vec![
        asks(&[("amu", 2)]),
        Requirement::Any(vec![asks(&[("en", 3)]), asks(&[("de", 3)])]),
    ]);
    country.agents[0].skills = skills(&[("amu", 2), ("en", 3)]);
    country.agents[1].skills = skills(&[("amu", 9), ("de", 4)]);
    country.agents[2].skills = skills(&[("amu", 9), ("de", 2)]);
    let mut desk = Desk::new(&country);
    let asked = [(); 3]
        .map(|()| desk.call("A-15"))
        .map(|call| desk.offered(call));
    assert_eq!(asked[0].as_deref(), Some("english"));
    assert_eq!(asked[1].as_deref(), Some("german"));
    assert_eq!(asked[2], None);
}

#[test]
fn a_step_relaxes_what_is_asked_and_the_next_more() {
    let relax = |count, relax| StepSpec {
        relax: Some(relax),
        ..after(count)
    };
    let less = Relax {
        by: 2,
        ..Relax::default()
    };
    let without = Relax {
        to: [("de".to_owned(), None)].into(),
        by: 0,
    };
    let mut country = Country::one_site(&["novice", "local"])
        .with_plan(vec![relax(10, less), relax(20, without)]);
    country.lines[0].requirement = asks(&[("amu", 5), ("de", 1)]);
    country.agents[0].skills = skills(&[("amu", 3)]);
    country.agents[1].skills = skills(&[("amu", 3), ("de", 1)]);
    let mut desk = Desk::new(&country);
    let (first, second) = (desk.call("A-15"), desk.call("A-15"));
    desk.wait(Duration::from_millis(9_999));
    assert_eq!(desk.offered(first), None);
    desk.wait(Duration::from_millis(1));
    assert_eq!(desk.offered(first).as_deref(), Some("local"));
    assert_eq!(desk.offered(second), None);
    desk.answer(first);
    desk.wait(seconds(10));
    assert_eq!(desk.offered(second).as_deref(), Some("novice"));
}

/// Of two calls of one line the more urgent is first, until the other has been raised as far and is
/// older: that is the bound of its wait.
#[test]
fn a_raised_call_is_passed_by_nothing_that_came_later() {
    let country = Country::one_site(&["a"]).with_plan(vec![raise(30, 1), raise(60, 1)]);
    let mut desk = Desk::new(&country);
    desk.want("a", Want::LoggedOut);
    let line = desk.line("A-15");
    let patient = desk.call_on(line, Priority::new(2));
    let places = |desk: &Desk, other| [desk.acd.place(patient), desk.acd.place(other)];
    desk.wait(seconds(29));
    let urgent = desk.call_on(line, Priority::new(1));
    assert_eq!(places(&desk, urgent), [Some(2), Some(1)]);
    desk.wait(seconds(1));
    assert_eq!(places(&desk, urgent), [Some(1), Some(2)]);
    let most_urgent = desk.call_on(line, Priority::new(0));
    assert_eq!(places(&desk, most_urgent), [Some(2), Some(1)]);
    desk.wait(seconds(30));
    // The one of 29 s has been raised as well.
    assert_eq!(places(&desk, most_urgent), [Some(1), Some(3)]);
    // Nothing that comes from now on is before it, however urgent.
    let later = desk.call_on(line, Priority::new(0));
    assert_eq!(places(&desk, later), [Some(1), Some(4)]);
    desk.want("a", Want::Ready);
    assert_eq!(desk.offered(patient).as_deref(), Some("a"));
}

#[test]
fn a_person_can_say_how_urgent_a_waiting_call_is() {
    let mut desk = Desk::new(&Country::one_site(&["a"]));
    desk.want("a", Want::LoggedOut);
    let (first, second) = (desk.call("A-15"), desk.call("A-15"));
    let priority = Priority::new(0).unwrap();
    desk.input(Input::PrioritySet {
        call: second,
        priority,
    });
    assert_eq!(desk.acd.place(second), Some(1));
    desk.want("a", Want::Ready);
    assert_eq!(desk.offered(second).as_deref(), Some("a"));
    assert_eq!(desk.offered(first), None);
}

#[test]
fn several_phones_ring_one_wins_and_the_others_are_free_at_once() {
    let mut country = Country::one_site(&["a", "b", "c", "d"]);
    country.lines[0].parallel = 3;
    let mut desk = Desk::new(&country);
    desk.wait(seconds(5));
    let call = desk.call("A-15");
    let rung = desk.offers();
    assert_eq!(rung.len(), 3);
    assert_eq!(desk.state("d"), Kind::Ready);
    desk.input(Input::OfferAnswered {
        offer: rung[1].offer,
    });
    assert_eq!(desk.state("b"), Kind::Talking);
    assert_eq!([desk.state("a"), desk.state("c")], [Kind::Ready; 2]);
    let released = desk.log.iter().filter(|(_, output)| {
        matches!(output, Output::Withdraw { reason, .. } if *reason == WithdrawReason::AnsweredElsewhere)
    });
    assert_eq!(released.count(), 2);
    // A late answer of one of them finds nothing: there is one winner.
    desk.input(Input::OfferAnswered {
        offer: rung[0].offer,
    });
    assert_eq!(desk.state("a"), Kind::Ready);
    desk.end(call);
    // Nobody lost the idle time.
    let next = desk.call("A-15");
    assert_eq!(desk.offered(next).as_deref(), Some("a"));
}

#[test]
fn a_call_of_before_that_rings_too_few_rings_who_becomes_free() {
    let mut country = Country::one_site(&["a", "b"]);
    country.lines[0].parallel = 2;
    let mut desk = Desk::new(&country);
    desk.want("b", Want::LoggedOut);
    let call = desk.call("A-15");
    assert_eq!(desk.offered(call).as_deref(), Some("a"));
    let mut next = Acd::new(desk.now(), country.directory(), Settings::default());
    next.restore(desk.now(), kept(&desk.acd));
    desk.acd = next;
    desk.want("b", Want::Ready);
    assert_eq!(desk.state("b"), Kind::Offered);
}

#[test]
fn who_has_answered_and_is_not_with_the_caller_yet_rings_alone() {
    let mut country = Country::one_site(&["a", "b", "c"]);
    country.lines[0].parallel = 2;
    let mut desk = Desk::new(&country);
    let call = desk.call("A-15");
    let rung = desk.offers();
    desk.input(Input::OfferJoining {
        offer: rung[1].offer,
    });
    assert_eq!(desk.offers(), vec![rung[1]]);
    assert_eq!(desk.state("a"), Kind::Ready);
    // The ring time is over, the telephone is off the hook.
    desk.wait(seconds(35));
    assert_eq!(desk.offers(), vec![rung[1]]);
    desk.input(Input::OfferFailed {
        offer: rung[1].offer,
        reason: acd::OfferFailure::Busy,
    });
    // It could not be done: the call rings those who are free.
    assert_eq!(desk.offers().len(), 2);
    desk.answer(call);
    assert_eq!(desk.offers(), vec![]);
}

#[test]
fn a_call_that_rings_several_takes_nobody_from_one_that_waits() {
    let mut country = Country::one_site(&["a", "b"]);
    let mut urgent = line("A-UV", "A");
    urgent.parallel = 2;
    urgent.priority = Priority::new(0).unwrap();
    country.lines.push(urgent);
    let mut desk = Desk::new(&country);
    desk.want("b", Want::LoggedOut);
    let vital = desk.call("A-UV");
    let other = desk.call("A-15");
    desk.want("b", Want::Ready);
    assert_eq!(desk.offered(other).as_deref(), Some("b"));
    // Once nobody waits, whoever is free rings for the vital call as well.
    desk.end(other);
    let rung = desk
        .offers()
        .into_iter()
        .filter(|offer| offer.call == vital);
    assert_eq!(rung.count(), 2);
}

#[test]
fn agents_take_turns() {
    let mut country = Country::one_site(&["a", "b", "c"]);
    country.lines[0].selection = Selection::RoundRobin;
    country.lines[0].wrap_up = Duration::ZERO;
    let mut desk = Desk::new(&country);
    let mut turns = Vec::new();
    for _ in 0..4 {
        let call = desk.call("A-15");
        turns.push(desk.offered(call).unwrap());
        desk.answer(call);
        desk.end(call);
        desk.wait(seconds(1));
    }
    assert_eq!(turns, ["a", "b", "c", "a"]);
}

#[test]
fn a_caller_waits_a_moment_for_the_agent_who_had_the_last_call() {
    let mut country = Country::one_site(&["a", "b"]);
    country.lines[0].preferred = seconds(8);
    let mut desk = Desk::new(&country);
    let first = desk.call_of("A-15", 7);
    assert_eq!(desk.offered(first).as_deref(), Some("a"));
    desk.answer(first);
    desk.end(first);
    // In wrap-up until 5 s; b is free, and is not asked.
    let again = desk.call_of("A-15", 7);
    assert_eq!(desk.offered(again), None);
    assert_eq!(desk.state("b"), Kind::Ready);
    let other = desk.call("A-15");
    assert_eq!(desk.offered(other).as_deref(), Some("b"));
    desk.wait(seconds(5));
    assert_eq!(desk.offered(again).as_deref(), Some("a"));
}

#[test]
fn nobody_waits_for_one_agent_longer_than_that_or_for_one_who_is_gone() {
    let mut country = Country::one_site(&["a", "b"]);
    country.lines[0].preferred = seconds(3);
    let mut desk = Desk::new(&country);
    let first = desk.call_of("A-15", 7);
    desk.answer(first);
    let again = desk.call_of("A-15", 7);
    desk.wait(Duration::from_millis(2_999));
    assert_eq!(desk.offered(again), None);
    desk.wait(Duration::from_millis(1));
    assert_eq!(desk.offered(again).as_deref(), Some("b"));
    desk.answer(again);
    let third = desk.call_of("A-15", 7);
    assert_eq!(desk.offered(third), None);
    desk.want("b", Want::LoggedOut);
    desk.end(first);
    desk.wait(seconds(5));
    assert_eq!(desk.offered(third).as_deref(), Some("a"));
}

#[test]
fn the_wait_of_the_first_can_concern_all() {
    let widen = StepSpec {
        widen: vec![acd::Reach::Neighbours],
        ..when(Condition::OldestWaitOver(seconds(30)))
    };
    let country = Country::two_sites(Duration::ZERO, vec![widen]);
    let mut desk = Desk::new(
        &country
            .with_agents("B", &["b1", "b2"])
            .with_agents("A", &["a"]),
    );
    desk.want("a", Want::LoggedOut);
    let first = desk.call("A-15");
    desk.wait(seconds(20));
    let second = desk.call("A-15");
    desk.wait(Duration::from_millis(9_999));
    assert_eq!([desk.offered(first), desk.offered(second)], [None, None]);
    desk.wait(Duration::from_millis(1));
    let offered = [first, second].map(|call| desk.offered(call).unwrap());
    assert_eq!(offered, ["b1", "b2"]);
}

#[test]
fn what_is_expected_to_be_waited_can_bring_help() {
    let widen = StepSpec {
        widen: vec![acd::Reach::Neighbours],
        ..when(Condition::EstimatedWaitOver(seconds(200)))
    };
    let country = Country::two_sites(Duration::ZERO, vec![widen]);
    let mut desk = Desk::new(&country.with_agents("B", &["b"]).with_agents("A", &["a"]));
    let busy = desk.call("A-15");
    desk.answer(busy);
    // One agent, 90 s a call as long as nothing is known: 90, 180, 270 s.
    let calls = [(); 3].map(|()| desk.call("A-15"));
    let expected = calls.map(|call| desk.acd.expected_wait(desk.now(), call));
    assert_eq!(expected[0], Some(seconds(90)));
    assert_eq!(expected[1], Some(seconds(180)));
    assert_eq!(desk.offered(calls[2]).as_deref(), Some("b"));
    assert_eq!(desk.offered(calls[0]), None);
}

#[test]
fn the_state_of_a_site_can_bring_help() {
    let states = vec![SiteState::MajorIncidentInProgress, SiteState::Down];
    let widen = StepSpec {
        widen: vec![acd::Reach::Neighbours],
        ..when(Condition::SiteState(states))
    };
    let country = Country::two_sites(Duration::ZERO, vec![widen]);
    let mut desk = Desk::new(&country.with_agents("B", &["b"]).with_agents("A", &["a"]));
    let busy = desk.call("A-15");
    desk.answer(busy);
    let call = desk.call("A-15");
    assert_eq!(desk.offered(call), None);
    let site = desk.acd.directory().site("A").unwrap();
    assert_eq!(desk.acd.site_state(site), SiteState::Normal);
    desk.input(Input::SiteStateSet {
        site,
        state: Some(SiteState::MajorIncidentInProgress),
    });
    assert_eq!(desk.offered(call).as_deref(), Some("b"));
}

#[test]
fn somebody_outside_is_rung_as_well_and_the_place_is_kept() {
    let divert = StepSpec {
        last_resort: Some(LastResort::Divert("sip:sos@partner.example".to_owned())),
        ..after(30)
    };
    let mut desk = Desk::new(&Country::one_site(&["a"]).with_plan(vec![divert]));
    desk.want("a", Want::LoggedOut);
    let (first, second) = (desk.call("A-15"), desk.call("A-15"));
    desk.wait(seconds(30));
    let diverted = desk.log.iter().filter_map(|(_, output)| match output {
        Output::Divert { call, to } => Some((*call, to.as_str())),
        _ => None,
    });
    let outside = "sip:sos@partner.example";
    assert_eq!(
        diverted.collect::<Vec<_>>(),
        [(first, outside), (second, outside)]
    );
    assert_eq!(desk.acd.place(first), Some(1));
    desk.input(Input::DivertFailed { call: first });
    desk.input(Input::DivertAnswered { call: second });
    assert_eq!(desk.acd.calls().collect::<Vec<_>>(), [first]);
    desk.want("a", Want::Ready);
    assert_eq!(desk.offered(first).as_deref(), Some("a"));
    // Whoever is rung outside twice over is told once.
    desk.input(Input::DivertAnswered { call: first });
    assert_eq!(desk.state("a"), Kind::Offered);
}

#[test]
fn an_agent_who_answers_ends_what_rings_outside() {
    let divert = StepSpec {
        last_resort: Some(LastResort::Divert("sip:sos@partner.example".to_owned())),
        ..after(30)
    };
    let mut desk = Desk::new(&Country::one_site(&["a"]).with_plan(vec![divert]));
    desk.want("a", Want::LoggedOut);
    let call = desk.call("A-15");
    desk.wait(seconds(30));
    desk.want("a", Want::Ready);
    desk.answer(call);
    let withdrawn = |(_, output): &&(Duration, Output)| matches!(output, Output::DivertWithdrawn { call: one } if *one == call);
    assert_eq!(desk.log.iter().filter(withdrawn).count(), 1);
}

#[test]
fn the_last_step_may_turn_a_caller_away() {
    let reject = StepSpec {
        last_resort: Some(LastResort::Reject),
        ..after(60)
    };
    let mut desk = Desk::new(&Country::one_site(&[]).with_plan(vec![reject]));
    let call = desk.call("A-15");
    desk.wait(seconds(60));
    assert!(desk.acd.is_idle());
    let rejected = |(_, output): &&(Duration, Output)| matches!(output, Output::Reject { call: one } if *one == call);
    assert_eq!(desk.log.iter().filter(rejected).count(), 1);
}

#[test]
fn an_agent_with_a_second_site_has_calls_of_both() {
    let mut country = Country::two_sites(Duration::ZERO, vec![]).with_agents("A", &["a"]);
    country.agents[0].second_site = Some("B".to_owned());
    let mut desk = Desk::new(&country);
    let call = desk.call("B-15");
    assert_eq!(desk.offered(call).as_deref(), Some("a"));
    let helped = desk
        .events()
        .any(|(_, event)| matches!(event, Event::Offered { step, .. } if step.is_some()));
    assert!(!helped, "at home, not in aid");
    desk.end(call);
    let ended = desk.events().any(|(_, event)| {
        matches!(event, Event::OfferEnded { outcome, .. } if *outcome == OfferOutcome::Withdrawn)
    });
    assert!(ended);
}
