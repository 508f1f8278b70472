//! Calls that are sent on: to another line, and to one agent.

use std::time::Duration;

use acd::{Age, AgentStateKind as Kind, CallPhase, Condition, Input, OfferFailure, Priority, Want};

use crate::{
    country::{Country, rejects, seconds},
    desk::Desk,
};

fn two_lines(transferred: Age) -> Country {
    let mut country = Country::one_site(&["a", "b", "c"]);
    let mut physicians = country.lines[0].clone();
    physicians.id = "A-physician".to_owned();
    physicians.transferred = transferred;
    country.lines.push(physicians);
    country
}

fn off_duty(desk: &mut Desk, agents: &[&str]) {
    for agent in agents {
        desk.want(agent, Want::LoggedOut);
    }
}

#[test]
fn a_call_that_is_sent_to_another_line_frees_its_agent_and_keeps_its_priority() {
    let mut desk = Desk::new(&two_lines(Age::New));
    off_duty(&mut desk, &["b", "c"]);
    let line = desk.line("A-15");
    let call = desk.call_on(line, Priority::new(0));
    desk.answer(call);
    desk.wait(seconds(40));
    let to = desk.line("A-physician");
    desk.input(Input::CallMoved {
        call,
        to,
        priority: None,
    });
    assert_eq!(desk.state("a"), Kind::WrapUp);
    let view = desk.acd.call(call).unwrap();
    assert_eq!(
        (view.line, view.phase),
        (to, CallPhase::Waiting { held_by: None })
    );
    assert_eq!(Some(view.priority), Priority::new(0));
    assert_eq!(desk.acd.place(call), Some(1));
    assert_eq!(desk.acd.waiting(line), 0);
    desk.want("b", Want::Ready);
    assert_eq!(desk.offered(call).as_deref(), Some("b"));
    desk.answer(call);
    desk.end(call);
    assert!(desk.acd.is_idle());
}

#[test]
fn the_line_says_whether_the_wait_before_counts() {
    for (transferred, first) in [(Age::New, false), (Age::Kept, true)] {
        let mut desk = Desk::new(&two_lines(transferred));
        off_duty(&mut desk, &["b", "c"]);
        let call = desk.call("A-15");
        desk.answer(call);
        desk.wait(seconds(60));
        let other = desk.call("A-physician");
        desk.wait(seconds(1));
        let to = desk.line("A-physician");
        desk.input(Input::CallMoved {
            call,
            to,
            priority: None,
        });
        assert_eq!(desk.acd.place(call) == Some(1), first);
        desk.end(call);
        desk.end(other);
    }
}

#[test]
fn an_agent_who_is_asked_in_person_gets_the_call_once_it_is_answered() {
    let mut desk = Desk::new(&two_lines(Age::New));
    off_duty(&mut desk, &["b", "c"]);
    let call = desk.call("A-15");
    desk.answer(call);
    desk.want("b", Want::Ready);
    let agent = desk.agent("b");
    desk.input(Input::OfferTo { call, agent });
    assert_eq!(desk.offered(call).as_deref(), Some("b"));
    assert_eq!(
        desk.state("a"),
        Kind::Talking,
        "until the other has answered"
    );
    desk.ring(call);
    desk.answer(call);
    assert_eq!(desk.state("a"), Kind::WrapUp);
    assert_eq!(desk.state("b"), Kind::Talking);
    desk.end(call);
    assert!(desk.acd.is_idle());
}

#[test]
fn who_does_not_take_a_call_in_person_leaves_it_where_it_was() {
    for failure in [
        OfferFailure::Busy,
        OfferFailure::Declined,
        OfferFailure::NoAnswer,
        OfferFailure::Unreachable,
    ] {
        let mut desk = Desk::new(&two_lines(Age::New));
        off_duty(&mut desk, &["b", "c"]);
        let call = desk.call("A-15");
        desk.answer(call);
        desk.want("b", Want::Ready);
        let agent = desk.agent("b");
        desk.input(Input::OfferTo { call, agent });
        desk.fail(call, failure);
        assert_eq!(desk.offered(call), None);
        assert_eq!(desk.state("a"), Kind::Talking);
        assert_ne!(desk.state("b"), Kind::Offered);
        // It can be tried again, with somebody else.
        desk.want("c", Want::Ready);
        let agent = desk.agent("c");
        desk.input(Input::OfferTo { call, agent });
        assert_eq!(desk.offered(call).as_deref(), Some("c"));
        desk.end(call);
        assert_eq!(desk.state("c"), Kind::Ready);
        assert!(desk.acd.is_idle());
    }
}

#[test]
fn a_pause_does_not_keep_a_transfer_away_and_is_not_lost_by_it() {
    let mut desk = Desk::new(&two_lines(Age::New));
    off_duty(&mut desk, &["c"]);
    let lunch = Want::NotReady {
        reason: acd::PauseReason::new("lunch").unwrap(),
    };
    desk.want("b", lunch);
    let call = desk.call("A-15");
    desk.answer(call);
    let agent = desk.agent("b");
    assert!(desk.acd.can_be_asked(agent));
    desk.input(Input::OfferTo { call, agent });
    desk.fail(call, OfferFailure::NoAnswer);
    assert_eq!(desk.state("b"), Kind::NotReady);
    desk.input(Input::OfferTo { call, agent });
    desk.answer(call);
    desk.end(call);
    desk.wait(seconds(5));
    assert_eq!(desk.state("b"), Kind::NotReady, "the pause goes on");
}

#[test]
fn a_call_whose_agent_left_in_the_middle_of_a_transfer_comes_back_to_that_agent_first() {
    let mut desk = Desk::new(&two_lines(Age::New));
    off_duty(&mut desk, &["b", "c"]);
    let call = desk.call("A-15");
    desk.answer(call);
    desk.want("b", Want::Ready);
    let agent = desk.agent("b");
    desk.input(Input::OfferTo { call, agent });
    desk.input(Input::AgentReleased { call });
    assert_eq!(desk.state("a"), Kind::WrapUp);
    assert_eq!(desk.offered(call).as_deref(), Some("b"));
    // Somebody else is free by now, and is not asked before.
    desk.want("c", Want::Ready);
    desk.fail(call, OfferFailure::Declined);
    assert_eq!(desk.offered(call).as_deref(), Some("a"));
    desk.fail(call, OfferFailure::NoAnswer);
    assert_eq!(desk.offered(call).as_deref(), Some("c"), "asked once only");
    desk.answer(call);
    desk.end(call);
    desk.wait(Duration::from_secs(60));
    assert!(desk.acd.is_idle());
}

/// Who has talked has not waited, and is not turned away for it when nobody takes the call over.
#[test]
fn a_talk_is_no_wait_for_a_last_resort() {
    let country = two_lines(Age::New).with_plan(vec![rejects(Condition::After(seconds(180)))]);
    let mut desk = Desk::new(&country);
    off_duty(&mut desk, &["b", "c"]);
    let call = desk.call("A-15");
    desk.answer(call);
    desk.wait(seconds(240));
    desk.want("b", Want::Ready);
    let agent = desk.agent("b");
    desk.input(Input::OfferTo { call, agent });
    desk.input(Input::AgentReleased { call });
    desk.fail(call, OfferFailure::NoAnswer);
    desk.fail(call, OfferFailure::NoAnswer);
    desk.wait(seconds(179));
    assert!(desk.acd.call(call).is_some(), "it waits");
    desk.wait(seconds(1));
    assert!(desk.acd.call(call).is_none(), "it is turned away");
}

#[test]
fn nobody_is_asked_in_person_who_is_in_a_call_or_not_there() {
    let mut desk = Desk::new(&two_lines(Age::New));
    off_duty(&mut desk, &["c"]);
    let (one, other) = (desk.call("A-15"), desk.call("A-15"));
    desk.answer(one);
    desk.answer(other);
    for agent in ["a", "b", "c"] {
        let agent = desk.agent(agent);
        assert!(!desk.acd.can_be_asked(agent));
        desk.input(Input::OfferTo { call: one, agent });
    }
    assert_eq!(desk.offers(), vec![]);
    let to = desk.line("A-physician");
    desk.input(Input::CallMoved {
        call: one,
        to,
        priority: None,
    });
    let agent = desk.agent("b");
    desk.input(Input::AgentReleased { call: one });
    desk.input(Input::OfferTo { call: one, agent });
    let view = desk.acd.call(one).unwrap();
    assert_eq!(
        view.phase,
        CallPhase::Waiting { held_by: None },
        "what makes no sense does nothing"
    );
    desk.end(one);
    desk.end(other);
}

#[test]
fn the_agent_of_a_call_about_a_call_takes_it_over() {
    let mut desk = Desk::new(&two_lines(Age::New));
    off_duty(&mut desk, &["b", "c"]);
    let caller = desk.call("A-15");
    desk.answer(caller);
    desk.want("b", Want::Ready);
    let about = desk.call("A-physician");
    desk.answer(about);
    desk.wait(seconds(10));
    desk.input(Input::CallTakenOver {
        call: caller,
        by_agent_of: about,
    });
    assert_eq!(
        (desk.state("a"), desk.state("b")),
        (Kind::WrapUp, Kind::Talking)
    );
    assert!(desk.acd.call(about).is_none(), "it is over");
    desk.end(caller);
    assert_eq!(desk.state("b"), Kind::WrapUp);
    assert!(desk.acd.is_idle());
}
