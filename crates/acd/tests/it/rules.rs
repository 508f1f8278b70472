//! The rules, one by one.

use std::time::Duration;

use acd::{
    AgentStateKind as Kind, CallId, CallOutcome, Event, Input, OfferFailure, PauseReason, Priority,
    RefuseReason, Selection, Settings, StartState, Want, WhileOffered,
};

use crate::{
    country::{Country, asks, line, seconds, skills},
    desk::Desk,
};

fn lunch() -> Want {
    Want::NotReady {
        reason: PauseReason::new("lunch").unwrap(),
    }
}

#[test]
fn a_call_is_offered_answered_wrapped_up_and_over() {
    let mut desk = Desk::new(&Country::one_site(&["a"]));
    let call = desk.call("A-15");
    assert_eq!(desk.offered(call).as_deref(), Some("a"));
    assert_eq!(desk.state("a"), Kind::Offered);
    desk.ring(call);
    desk.wait(seconds(3));
    desk.answer(call);
    assert_eq!(desk.state("a"), Kind::Talking);
    desk.wait(seconds(60));
    desk.end(call);
    assert_eq!(desk.state("a"), Kind::WrapUp);
    desk.wait(Duration::from_millis(4999));
    assert_eq!(desk.state("a"), Kind::WrapUp);
    desk.wait(Duration::from_millis(1));
    assert_eq!(desk.state("a"), Kind::Ready);
    let outcome = desk.events().find_map(|(_, event)| match event {
        Event::Left { outcome, .. } => Some(*outcome),
        _ => None,
    });
    let agent = desk.agent("a");
    let talked = seconds(60);
    assert_eq!(outcome, Some(CallOutcome::Served { agent, talked }));
}

#[test]
fn without_wrap_up_the_agent_is_free_at_once() {
    let mut country = Country::one_site(&["a"]);
    country.lines[0].wrap_up = Duration::ZERO;
    let mut desk = Desk::new(&country);
    let (first, second) = (desk.call("A-15"), desk.call("A-15"));
    desk.answer(first);
    desk.end(first);
    assert_eq!(desk.offered(second).as_deref(), Some("a"));
}

#[test]
fn priority_comes_before_arrival_and_arrival_before_all_else() {
    let mut desk = Desk::new(&Country::one_site(&["a"]));
    desk.want("a", lunch());
    let line = desk.line("A-15");
    let late = desk.call("A-15");
    desk.wait(seconds(1));
    let later = desk.call("A-15");
    let urgent = desk.call_on(line, Priority::new(0));
    assert_eq!(
        [urgent, late, later].map(|call| desk.acd.place(call)),
        [Some(1), Some(2), Some(3)]
    );
    for expected in [urgent, late, later] {
        desk.want("a", Want::Ready);
        assert_eq!(desk.offered(expected).as_deref(), Some("a"));
        desk.answer(expected);
        desk.want("a", lunch());
        desk.end(expected);
    }
}

#[test]
fn who_has_been_idle_longest_is_asked_first() {
    let mut desk = Desk::new(&Country::one_site(&["a", "b", "c"]));
    desk.want("a", lunch());
    desk.wait(seconds(1));
    desk.want("a", Want::Ready);
    let calls = [desk.call("A-15"), desk.call("A-15"), desk.call("A-15")];
    let asked = calls.map(|call| desk.offered(call).unwrap());
    assert_eq!(asked, ["b", "c", "a"]);
}

#[test]
fn who_says_ready_again_keeps_the_idle_time() {
    let mut desk = Desk::new(&Country::one_site(&["a", "b"]));
    desk.wait(seconds(1));
    desk.want("a", Want::Ready);
    let call = desk.call("A-15");
    assert_eq!(desk.offered(call).as_deref(), Some("a"));
}

#[test]
fn an_agent_whose_caller_gave_up_keeps_the_idle_time() {
    let mut desk = Desk::new(&Country::one_site(&["a", "b"]));
    desk.wait(seconds(5));
    let call = desk.call("A-15");
    desk.wait(seconds(2));
    desk.end(call);
    let call = desk.call("A-15");
    assert_eq!(desk.offered(call).as_deref(), Some("a"));
}

#[test]
fn skills_ask_a_least_level_of_each() {
    let mut country = Country::one_site(&["none", "low", "one", "both"]);
    country.lines[0].requirement = asks(&[("amu", 5), ("de", 3)]);
    for (agent, has) in country.agents.iter_mut().zip([
        skills(&[]),
        skills(&[("amu", 4), ("de", 9)]),
        skills(&[("amu", 9)]),
        skills(&[("amu", 5), ("de", 3)]),
    ]) {
        agent.skills = has;
    }
    let mut desk = Desk::new(&country);
    let (first, second) = (desk.call("A-15"), desk.call("A-15"));
    assert_eq!(desk.offered(first).as_deref(), Some("both"));
    assert_eq!(desk.offered(second), None);
}

#[test]
fn the_selection_of_a_line_chooses_among_equals() {
    let cases = [
        (Selection::LongestIdle, "expert"),
        (Selection::MostSkilled, "expert"),
        (Selection::LeastSkilled, "novice"),
    ];
    for (selection, expected) in cases {
        let mut country = Country::one_site(&["expert", "novice"]);
        country.lines[0].selection = selection;
        country.agents[0].skills = skills(&[("amu", 9)]);
        country.agents[1].skills = skills(&[("amu", 1)]);
        let mut desk = Desk::new(&country);
        let call = desk.call("A-15");
        assert_eq!(
            desk.offered(call).as_deref(),
            Some(expected),
            "{selection:?}"
        );
    }
}

#[test]
fn least_occupied_is_who_worked_the_smallest_share_since_log_in() {
    let mut country = Country::one_site(&["a", "b"]);
    country.lines[0].selection = Selection::LeastOccupied;
    country.lines[0].wrap_up = Duration::ZERO;
    let mut desk = Desk::new(&country);
    let call = desk.call("A-15");
    desk.answer(call);
    desk.wait(seconds(100));
    desk.end(call);
    let next = desk.call("A-15");
    assert_eq!(
        desk.offered(next).as_deref(),
        Some("b"),
        "a worked all the time"
    );
    // A new log-in is a new count.
    desk.answer(next);
    desk.wait(seconds(10));
    desk.end(next);
    desk.want("a", Want::LoggedOut);
    desk.want("a", Want::Ready);
    desk.wait(seconds(10));
    let call = desk.call("A-15");
    assert_eq!(desk.offered(call).as_deref(), Some("a"));
}

#[test]
fn nobody_answers_within_the_ring_time() {
    let mut desk = Desk::new(&Country::one_site(&["a", "b"]));
    let (first, second) = (desk.call("A-15"), desk.call("A-15"));
    let third = desk.call("A-15");
    desk.ring(first);
    desk.answer(second);
    desk.wait(Duration::from_millis(14_999));
    assert_eq!(desk.state("a"), Kind::Offered);
    desk.wait(Duration::from_millis(1));
    assert_eq!(desk.state("a"), Kind::NotReady, "nobody sits there");
    assert_eq!(desk.acd.place(first), Some(1), "the call keeps its place");
    assert_eq!(desk.acd.place(third), Some(2));
    desk.wait(seconds(3600));
    assert_eq!(desk.state("a"), Kind::NotReady, "until a person says ready");
    desk.want("a", Want::Ready);
    assert_eq!(desk.offered(first).as_deref(), Some("a"));
}

#[test]
fn a_phone_without_a_sign_of_life_is_unreachable_and_asked_until_it_lives() {
    let mut desk = Desk::new(&Country::one_site(&["a"]));
    let call = desk.call("A-15");
    desk.wait(seconds(5));
    assert_eq!(desk.state("a"), Kind::Unreachable);
    desk.wait(seconds(65));
    let probes = desk.log.iter();
    let probes = probes.filter(|(_, output)| matches!(output, acd::Output::Probe { .. }));
    assert_eq!(
        probes.map(|(at, _)| at.as_secs()).collect::<Vec<_>>(),
        [35, 65]
    );
    let agent = desk.agent("a");
    desk.input(Input::AgentReachable { agent });
    assert_eq!(desk.offered(call).as_deref(), Some("a"));
}

#[test]
fn a_probe_is_never_asked_without_a_pause() {
    let settings = Settings {
        unreachable_retry: Duration::ZERO,
        ..Settings::default()
    };
    let mut desk = Desk::with(&Country::one_site(&["a"]), settings);
    desk.call("A-15");
    desk.wait(seconds(5 + 10));
    let probes = desk.log.iter();
    let probes = probes.filter(|(_, output)| matches!(output, acd::Output::Probe { .. }));
    assert_eq!(probes.count(), 10, "once a second at most");
}

#[test]
fn busy_and_declined_agents_come_back_by_themselves() {
    for reason in [OfferFailure::Busy, OfferFailure::Declined] {
        let mut desk = Desk::new(&Country::one_site(&["a"]));
        let call = desk.call("A-15");
        desk.fail(call, reason);
        assert_eq!(desk.state("a"), Kind::NotReady);
        desk.wait(Duration::from_millis(9_999));
        assert_eq!(desk.offered(call), None);
        desk.wait(Duration::from_millis(1));
        assert_eq!(desk.offered(call).as_deref(), Some("a"));
    }
}

#[test]
fn an_offer_has_one_winner() {
    let mut desk = Desk::new(&Country::one_site(&["a"]));
    let call = desk.call("A-15");
    let offer = desk.offers()[0].offer;
    desk.end(call);
    assert_eq!(desk.state("a"), Kind::Ready);
    // The answer comes too late: it is about nothing.
    desk.input(Input::OfferAnswered { offer });
    assert_eq!(desk.state("a"), Kind::Ready);
    assert!(desk.acd.is_idle());
    let ignored = desk
        .events()
        .filter(|(_, event)| matches!(event, Event::Ignored { .. }));
    assert_eq!(ignored.count(), 1);
}

#[test]
fn a_caller_may_give_up_waiting_or_while_a_phone_rings() {
    let mut desk = Desk::new(&Country::one_site(&["a"]));
    let (offered, waiting) = (desk.call("A-15"), desk.call("A-15"));
    desk.wait(seconds(4));
    desk.end(waiting);
    desk.end(offered);
    let outcomes: Vec<_> = desk
        .events()
        .filter_map(|(_, event)| match event {
            Event::Left { outcome, .. } => Some(*outcome),
            _ => None,
        })
        .collect();
    let abandoned = |while_offered| CallOutcome::Abandoned {
        waited: seconds(4),
        while_offered,
    };
    assert_eq!(
        outcomes,
        [abandoned(WhileOffered::No), abandoned(WhileOffered::Yes)]
    );
}

#[test]
fn a_pause_that_is_asked_for_in_a_call_comes_after_it() {
    for (want, state) in [
        (lunch(), Kind::NotReady),
        (Want::LoggedOut, Kind::LoggedOut),
    ] {
        let mut desk = Desk::new(&Country::one_site(&["a"]));
        let call = desk.call("A-15");
        desk.answer(call);
        desk.want("a", want);
        assert_eq!(desk.state("a"), Kind::Talking);
        desk.end(call);
        desk.wait(seconds(5));
        assert_eq!(desk.state("a"), state);
    }
}

#[test]
fn who_leaves_while_the_phone_rings_gives_the_call_back() {
    let mut desk = Desk::new(&Country::one_site(&["a", "b"]));
    let call = desk.call("A-15");
    assert_eq!(desk.offered(call).as_deref(), Some("a"));
    desk.want("a", lunch());
    assert_eq!(desk.state("a"), Kind::NotReady);
    assert_eq!(desk.offered(call).as_deref(), Some("b"));
}

#[test]
fn agents_start_as_configured() {
    let mut country = Country::one_site(&["in", "pause", "out"]);
    country.agents[1].start = StartState::NotReady;
    country.agents[2].start = StartState::LoggedOut;
    let desk = Desk::new(&country);
    assert_eq!(
        ["in", "pause", "out"].map(|agent| desk.state(agent)),
        [Kind::Ready, Kind::NotReady, Kind::LoggedOut]
    );
    assert!(desk.log.is_empty(), "how agents start is no news");
}

#[test]
fn a_full_house_and_a_number_used_twice_are_refused() {
    let settings = Settings {
        calls_max: 2,
        ..Settings::default()
    };
    let mut desk = Desk::with(&Country::one_site(&[]), settings);
    let line = desk.line("A-15");
    desk.call("A-15");
    let repeat = Input::CallArrived {
        call: CallId::new(1),
        line,
        priority: None,
        caller: None,
        arrival: None,
    };
    desk.input(repeat);
    desk.call("A-15");
    desk.call("A-15");
    let refused: Vec<_> = desk
        .events()
        .filter_map(|(_, event)| match event {
            Event::Refused { reason, .. } => Some(*reason),
            _ => None,
        })
        .collect();
    assert_eq!(refused, [RefuseReason::Duplicate, RefuseReason::CallsMax]);
}

#[test]
fn lines_of_one_site_share_its_agents() {
    let mut country = Country::one_site(&["a"]);
    country.lines.push(line("A-16", "A"));
    country.lines[1].priority = Priority::new(0).unwrap();
    let mut desk = Desk::new(&country);
    desk.want("a", lunch());
    let ordinary = desk.call("A-15");
    let urgent = desk.call("A-16");
    desk.want("a", Want::Ready);
    assert_eq!(desk.offered(urgent).as_deref(), Some("a"));
    assert_eq!(
        desk.acd.place(ordinary),
        Some(1),
        "each line has a queue of its own"
    );
}
