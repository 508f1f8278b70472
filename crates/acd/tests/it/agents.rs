//! What agents do: the work after a call, how a call was closed, calls that are not answered or are
//! declined, chosen calls, and who stays with a caller.

use std::time::Duration;

use acd::{
    AgentState, AgentStateKind as Kind, CallPhase, Disposition, Event, HandOver, Input,
    NotReadyReason, OfferFailure, Priority, Settings, TransferredPriority, Want,
};

use crate::{
    country::{Country, line, seconds},
    desk::Desk,
};

#[test]
fn the_work_after_a_call_can_be_extended_and_ended_early() {
    let settings = Settings {
        wrap_up_max: seconds(20),
        ..Settings::default()
    };
    let mut desk = Desk::with(&Country::one_site(&["a"]), settings);
    let agent = desk.agent("a");
    let mut served = || {
        let call = desk.call("A-15");
        desk.answer(call);
        desk.end(call);
    };
    served();
    let extend = |by| Input::WrapUpExtended { agent, by };
    desk.input(extend(seconds(7)));
    desk.wait(Duration::from_millis(11_999));
    assert_eq!(desk.state("a"), Kind::WrapUp);
    desk.input(extend(seconds(60)));
    desk.wait(Duration::from_millis(8_000));
    assert_eq!(desk.state("a"), Kind::WrapUp);
    desk.wait(Duration::from_millis(1));
    assert_eq!(
        desk.state("a"),
        Kind::Ready,
        "20 s in all, whatever is asked"
    );
    let call = desk.call("A-15");
    desk.answer(call);
    desk.end(call);
    desk.want("a", Want::Ready);
    assert_eq!(desk.state("a"), Kind::Ready);
    desk.input(extend(seconds(7)));
    assert_eq!(desk.state("a"), Kind::Ready, "nothing to extend");
}

/// A disk that stalls holds back what would ring them.
#[test]
fn who_has_not_been_asked_yet_is_not_unreachable() {
    let mut country = Country::one_site(&["a"]);
    country.lines[0].ring_time = seconds(8);
    let mut desk = Desk::new(&country);
    let call = desk.call("A-15");
    let now = desk.now();
    desk.acd.hold_back(now, true);
    desk.wait(Duration::from_millis(9_900));
    assert_eq!(desk.state("a"), Kind::Offered);
    let now = desk.now();
    desk.acd.hold_back(now, false);
    desk.wait(Duration::from_millis(4_900));
    assert_eq!(desk.state("a"), Kind::Offered);
    // It rings for all its time.
    desk.ring(call);
    desk.wait(Duration::from_millis(3_000));
    assert_eq!(desk.state("a"), Kind::Offered);
    desk.wait(Duration::from_millis(200));
    assert_eq!(desk.state("a"), Kind::NotReady);

    // A disk that is slow and does not stand still asks it all the same.
    let mut desk = Desk::new(&Country::one_site(&["a"]));
    desk.call("A-15");
    for is_held in [true, false].into_iter().cycle().take(20) {
        let now = desk.now();
        desk.acd.hold_back(now, is_held);
        desk.wait(Duration::from_millis(300));
    }
    assert_eq!(desk.state("a"), Kind::Unreachable);

    // And one that is dead is found so, whatever its line's time to ring.
    let mut country = Country::one_site(&["a"]);
    country.lines[0].ring_time = seconds(5);
    let mut desk = Desk::new(&country);
    desk.call("A-15");
    desk.wait(seconds(5));
    assert_eq!(desk.state("a"), Kind::Unreachable);
}

#[test]
fn a_call_is_closed_with_a_code_during_it_or_after() {
    let mut desk = Desk::new(&Country::one_site(&["a"]));
    let agent = desk.agent("a");
    let code = |word| Disposition::new(word).unwrap();
    desk.input(Input::Disposed {
        agent,
        code: code("early"),
    });
    let call = desk.call("A-15");
    desk.answer(call);
    desk.end(call);
    desk.input(Input::Disposed {
        agent,
        code: code("hoax"),
    });
    let disposed = desk.events().filter_map(|(_, event)| match event {
        Event::Disposed { call, agent, code } => Some((*call, *agent, code.as_str())),
        _ => None,
    });
    assert_eq!(disposed.collect::<Vec<_>>(), [(call, agent, "hoax")]);
}

#[test]
fn calls_that_ring_in_vain_or_are_declined_count_in_a_row() {
    let settings = Settings {
        no_answer_limit: 2,
        decline_limit: 2,
        refusal_retry: seconds(1),
        ..Settings::default()
    };
    let mut desk = Desk::with(&Country::one_site(&["a"]), settings);
    let mut call = desk.call("A-15");
    for failure in [OfferFailure::NoAnswer, OfferFailure::Declined] {
        desk.fail(call, failure);
        desk.wait(seconds(1));
        assert_eq!(desk.offered(call).as_deref(), Some("a"), "{failure:?}");
        // An answer begins the count again.
        desk.answer(call);
        desk.end(call);
        desk.want("a", Want::Ready);
        call = desk.call("A-15");
        desk.fail(call, failure);
        desk.wait(seconds(1));
        desk.fail(call, failure);
        desk.wait(seconds(60));
        assert_eq!(desk.state("a"), Kind::NotReady, "{failure:?}");
        desk.want("a", Want::Ready);
    }
    desk.fail(call, OfferFailure::Declined);
    desk.wait(seconds(1));
    desk.fail(call, OfferFailure::Declined);
    let state = desk.acd.agent_state(desk.agent("a"));
    let expected = NotReadyReason::DeclinedTooOften;
    assert!(matches!(state, AgentState::NotReady { reason, .. } if *reason == expected));
}

#[test]
fn a_waiting_call_can_be_chosen_by_its_place() {
    let mut country = Country::one_site(&["a", "b"]);
    let mut other = line("A-other", "A");
    other.requirement = crate::country::asks(&[("sos", 1)]);
    country.lines.push(other);
    let mut desk = Desk::new(&country);
    desk.want("a", Want::LoggedOut);
    desk.want("b", Want::LoggedOut);
    let unskilled = desk.call("A-other");
    let first = desk.call("A-15");
    let second = desk.call("A-15");
    let agent = desk.agent("a");
    let chosen = [0, 1, 2, 3].map(|place| desk.acd.waiting_for(agent, place));
    assert_eq!(chosen, [None, Some(first), Some(second), None]);
    desk.want(
        "a",
        Want::NotReady {
            reason: acd::PauseReason::new("looking").unwrap(),
        },
    );
    desk.input(Input::OfferTo {
        call: second,
        agent,
    });
    assert_eq!(desk.offered(second).as_deref(), Some("a"));
    assert_eq!(desk.acd.place(first), Some(1));
    assert_eq!(desk.acd.place(unskilled), Some(1));
}

/// A first-level line and a physicians' line that is handed over to in person.
fn two_stages() -> Country {
    let mut country = Country::one_site(&["arm"]);
    let mut physicians = line("A-MU-P0", "A");
    physicians.requirement = crate::country::asks(&[("mu", 1)]);
    physicians.hand_over = HandOver::Attended {
        up_to: Priority::new(0).unwrap(),
    };
    physicians.transferred_priority = TransferredPriority::Line;
    physicians.priority = Priority::new(0).unwrap();
    country.lines.push(physicians);
    let mut country = country.with_agents("A", &["physician"]);
    country.agents[1].skills = crate::country::skills(&[("mu", 5)]);
    country
}

#[test]
fn who_hands_over_in_person_stays_until_a_physician_has_answered() {
    let mut desk = Desk::new(&two_stages());
    desk.want("physician", Want::LoggedOut);
    let call = desk.call("A-15");
    desk.answer(call);
    let to = desk.line("A-MU-P0");
    desk.input(Input::CallMoved {
        call,
        to,
        priority: None,
    });
    assert_eq!(desk.state("arm"), Kind::Talking);
    let arm = desk.agent("arm");
    let view = desk.acd.call(call).unwrap();
    assert_eq!(view.phase, CallPhase::Waiting { held_by: Some(arm) });
    assert_eq!(Some(view.priority), Priority::new(0));
    assert_eq!(desk.acd.place(call), Some(1));
    desk.wait(seconds(40));
    desk.want("physician", Want::Ready);
    assert_eq!(desk.state("arm"), Kind::Talking);
    desk.answer(call);
    assert_eq!(desk.state("physician"), Kind::Talking);
    assert_eq!(desk.state("arm"), Kind::WrapUp);
    let waits = desk.events().filter_map(|(_, event)| match event {
        Event::Answered { line, waited, .. } => Some((*line, *waited)),
        _ => None,
    });
    let first = desk.line("A-15");
    assert_eq!(
        waits.collect::<Vec<_>>(),
        [(first, Duration::ZERO), (to, seconds(40))]
    );
    desk.end(call);
    assert!(desk.acd.is_idle());
}

#[test]
fn who_waits_with_a_caller_may_keep_the_call_or_hang_up() {
    let mut desk = Desk::new(&two_stages());
    desk.want("physician", Want::LoggedOut);
    let call = desk.call("A-15");
    desk.answer(call);
    let to = desk.line("A-MU-P0");
    let moved = Input::CallMoved {
        call,
        to,
        priority: None,
    };
    desk.input(moved.clone());
    desk.input(Input::CallKept { call });
    let arm = desk.agent("arm");
    let view = desk.acd.call(call).unwrap();
    assert_eq!(view.phase, CallPhase::Talking { agent: arm });
    assert_eq!(view.line, desk.line("A-15"));
    assert_eq!(desk.acd.waiting(to), 0);
    desk.input(moved);
    desk.input(Input::AgentReleased { call });
    assert_eq!(desk.state("arm"), Kind::WrapUp);
    assert_eq!(
        desk.acd.place(call),
        Some(1),
        "the caller still waits for a physician"
    );
    desk.want("physician", Want::Ready);
    assert_eq!(desk.offered(call).as_deref(), Some("physician"));
}
