//! Agents who do not answer: the call keeps its place, the agent goes to the state that fits.

use engine::acd::Want;
use sim::{Answer, CallPlan, Manner};

use super::{Bench, DIALLED, address, seconds};

/// Rings `arm-1` with this manner; `arm-2` becomes ready after `later` and answers.
fn first_refuses(manner: Manner, later: f64) -> (Bench, String) {
    let mut bench = Bench::one_site(&["arm-1", "arm-2"]);
    bench.manner("arm-1", manner);
    let (node, second) = (bench.node, bench.agent("arm-2"));
    bench.world.set_agent(node, second, Want::LoggedOut);
    bench.call(CallPlan::to(DIALLED).talk(seconds(3.0)));
    bench.world.run_for(seconds(later));
    let state = bench.state("arm-1");
    bench.world.set_agent(node, second, Want::Ready);
    (bench, state)
}

#[test]
fn busy() {
    let (mut bench, state) = first_refuses(Manner::answers(Answer::Busy), 1.0);
    assert_eq!(state, "not-ready");
    insta::assert_snapshot!(bench.finish());
    assert_eq!(bench.outcomes(), ["answered"]);
    assert_eq!(bench.state("arm-1"), "ready");
}

#[test]
fn declines() {
    let manner = Manner::answers(Answer::DeclineAfter(seconds(1.0)));
    let (mut bench, state) = first_refuses(manner, 2.0);
    assert_eq!(state, "not-ready");
    insta::assert_snapshot!(bench.finish());
    assert_eq!(bench.outcomes(), ["answered"]);
}

#[test]
fn does_not_answer() {
    let (mut bench, state) = first_refuses(Manner::answers(Answer::Never), 16.0);
    assert_eq!(state, "not-ready");
    insta::assert_snapshot!(bench.finish());
    assert_eq!(bench.outcomes(), ["answered"]);
    assert_eq!(bench.state("arm-1"), "not-ready");
}

#[test]
fn a_dead_phone_costs_five_seconds_not_fifteen() {
    let (mut bench, state) = first_refuses(Manner::answers(Answer::Dead), 6.0);
    assert_eq!(state, "unreachable");
    insta::assert_snapshot!(bench.finish());
    assert_eq!(bench.outcomes(), ["answered"]);
}

/// A telephone on the desk without power, which is registered for an hour yet, and a softphone.
#[test]
fn a_dead_phone_beside_another_costs_five_seconds_once() {
    let dead = "203.0.113.77:5060";
    let register = format!(
        "REGISTER sip:samu.example SIP/2.0\r\n\
         Via: SIP/2.0/UDP {dead};branch=z9hG4bKdead\r\n\
         From: <sip:arm-1@samu.example>;tag=1\r\nTo: <sip:arm-1@samu.example>\r\n\
         Call-ID: dead\r\nCSeq: 1 REGISTER\r\nMax-Forwards: 70\r\n\
         Contact: <sip:arm-1@{dead}>\r\nContent-Length: 0\r\n\r\n"
    );
    let mut bench = Bench::one_site(&["arm-1"]);
    let (node, phones) = (bench.node, bench.phones);
    bench.world.register(phones, node, "arm-1", "samu.example");
    bench.world.run_for(seconds(1.0));
    bench.world.send(address(dead), node, register);
    bench.world.run_for(seconds(1.0));
    bench.call(CallPlan::to(DIALLED).talk(seconds(3.0)));
    bench.world.run_for(seconds(4.0));
    assert_eq!(bench.state("arm-1"), "offered");
    bench.world.run_for(seconds(60.0));
    assert_eq!(bench.outcomes(), ["answered"]);
    assert_eq!(bench.state("arm-1"), "ready");
    bench.call(CallPlan::to(DIALLED).talk(seconds(3.0)));
    bench.world.run_for(seconds(3.0));
    assert_eq!(bench.state("arm-1"), "talking");
    bench.finish();
    assert_eq!(bench.outcomes(), ["answered", "answered"]);
}

#[test]
fn an_answer_in_the_race_with_the_cancel_is_hung_up() {
    let (mut bench, _) = first_refuses(Manner::answers(Answer::WhenCancelled), 16.0);
    insta::assert_snapshot!(bench.finish());
    assert_eq!(bench.outcomes(), ["answered"]);
}
