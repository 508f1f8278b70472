//! Attended transfers: an agent calls somebody about a call, and then brings the two together.

use engine::{Event, TransferOutcome, acd::Want};
use sim::{Answer, CallPlan, Manner, SessionId, Weather};

use super::{
    Bench, DIALLED, seconds,
    transfers::{ARM_2, PHYSICIANS, bench, bench_in, journey, told, transfers},
};

/// A caller is with `arm-1`, who calls somebody about it.
pub(super) fn asks_about(bench: &mut Bench, whom: &str) -> (SessionId, SessionId) {
    let caller = bench.call(CallPlan::to(DIALLED));
    bench.manner("arm-1", Manner::answers_after(seconds(1.0)));
    bench.world.run_for(seconds(5.0));
    assert_eq!(bench.state("arm-1"), "talking");
    let (phones, node) = (bench.phones, bench.node);
    let about = CallPlan::to(whom).identity("sip:arm-1@samu.example");
    let about = bench.world.call(phones, node, about);
    (caller, about)
}

pub(super) fn bring_together(bench: &mut Bench, about: SessionId) {
    let phones = bench.phones;
    bench.world.transfer_attended(phones, "arm-1", about);
}

/// How the calls ended, in order.
fn ends(bench: &Bench) -> Vec<&'static str> {
    let events = bench.world.events().iter();
    let ends = events.filter_map(|(_, event)| match event {
        Event::CallEnded { cause, .. } => Some(cause.label()),
        _ => None,
    });
    ends.collect()
}

#[test]
fn a_physician_who_was_called_on_her_line_takes_the_caller_over() {
    let mut bench = bench();
    let (caller, about) = asks_about(&mut bench, PHYSICIANS);
    bench.world.run_for(seconds(20.0));
    assert_eq!(bench.state("doctor"), "talking");
    bring_together(&mut bench, about);
    bench.world.run_for(seconds(0.5));
    assert_eq!(bench.state("doctor"), "talking");
    assert_eq!(bench.state("arm-1"), "wrap-up");
    assert_eq!(ends(&bench), ["taken-over"]);
    let status = bench.world.node(bench.node).status(bench.world.now());
    assert_eq!((status.connected, status.legs), (1, 2));
    bench.world.run_for(seconds(30.0));
    bench.world.hang_up(bench.operator, caller);
    bench.world.run_for(seconds(1.0));
    assert_eq!(bench.state("doctor"), "wrap-up");
    insta::assert_snapshot!(bench.finish());
    assert_eq!(ends(&bench), ["taken-over", "caller-bye"]);
    assert_eq!(told(&bench), ["SIP/2.0 100 Trying", "SIP/2.0 200 OK"]);
    assert_eq!(transfers(&bench), [TransferOutcome::Done]);
}

#[test]
fn the_physician_may_hang_up_what_she_has_taken_over() {
    let mut bench = bench();
    let (_, about) = asks_about(&mut bench, PHYSICIANS);
    bench.world.run_for(seconds(20.0));
    bring_together(&mut bench, about);
    bench.world.run_for(seconds(5.0));
    bench.world.hang_up_phone(bench.phones, "doctor");
    bench.finish();
    assert_eq!(ends(&bench), ["taken-over", "agent-bye"]);
    assert_eq!(bench.outcomes(), ["answered", "answered"]);
}

/// The physician whom the agent asks asks another herself, and leaves the agent to her; then the agent does
/// the same with the caller. The phone of the last has a dialog that was made for the first of three calls.
#[test]
fn who_was_handed_on_twice_can_still_hang_up() {
    let second = "[[agent]]\nid = \"doctor-2\"\nsite = \"FR670\"\nskills = { physician = 5 }\n\
                  contact = \"sip:doctor-2@203.0.113.1:5060\"\nstart = \"ready\"\n";
    let mut bench = bench_in(1, Weather::CALM, second);
    let (_, about) = asks_about(&mut bench, PHYSICIANS);
    bench.world.run_for(seconds(20.0));
    let (phones, node) = (bench.phones, bench.node);
    let others = CallPlan::to(PHYSICIANS).identity("sip:doctor@samu.example");
    let others = bench.world.call(phones, node, others);
    bench.world.run_for(seconds(20.0));
    assert_eq!(bench.state("doctor-2"), "talking");
    bench.world.transfer_attended(phones, "doctor", others);
    bench.world.run_for(seconds(1.0));
    bring_together(&mut bench, about);
    bench.world.run_for(seconds(1.0));
    assert_eq!(ends(&bench), ["taken-over", "taken-over"]);
    bench.world.hang_up_phone(phones, "doctor-2");
    bench.world.run_for(seconds(1.0));
    assert_eq!(ends(&bench), ["taken-over", "taken-over", "agent-bye"]);
    bench.finish();
}

#[test]
fn while_no_physician_has_answered_the_caller_takes_the_place_on_the_line() {
    let mut bench = bench();
    let (node, doctor) = (bench.node, bench.agent("doctor"));
    bench.world.set_agent(node, doctor, Want::LoggedOut);
    let (_, about) = asks_about(&mut bench, PHYSICIANS);
    bench.world.run_for(seconds(2.0));
    bring_together(&mut bench, about);
    bench.world.run_for(seconds(1.0));
    assert_eq!(bench.state("arm-1"), "wrap-up");
    bench.world.set_agent(node, doctor, Want::Ready);
    bench.world.run_for(seconds(5.0));
    assert_eq!(bench.state("doctor"), "talking");
    bench.world.hang_up_phone(bench.phones, "doctor");
    bench.finish();
    assert_eq!(bench.outcomes(), ["abandoned", "answered"]);
}

#[test]
fn a_colleague_who_was_called_directly_is_rung_to_replace_that_call() {
    let mut bench = bench();
    let (_, about) = asks_about(&mut bench, ARM_2);
    bench.world.run_for(seconds(10.0));
    bring_together(&mut bench, about);
    bench.world.run_for(seconds(5.0));
    assert_eq!(bench.state("arm-2"), "talking");
    assert_eq!(
        journey(&bench),
        ["FR670-15-Samu-Px-F01", "by arm-1", "arm-2"]
    );
    bench.world.hang_up_phone(bench.phones, "arm-1");
    bench.world.hang_up_phone(bench.phones, "arm-2");
    bench.world.hang_up_phone(bench.phones, "arm-2");
    bench.finish();
}

#[test]
fn nobody_takes_over_a_call_that_another_agent_has_made() {
    let mut bench = bench();
    let (caller, _) = asks_about(&mut bench, "sip:nobody@samu.example");
    let (phones, node) = (bench.phones, bench.node);
    let others = CallPlan::to(PHYSICIANS).identity(ARM_2);
    let others = bench.world.call(phones, node, others);
    bench.world.run_for(seconds(10.0));
    bring_together(&mut bench, others);
    bench.world.run_for(seconds(1.0));
    assert_eq!(bench.state("arm-1"), "talking");
    bench.world.hang_up(bench.operator, caller);
    bench.world.hang_up_phone(bench.phones, "doctor");
    let ladder = bench.finish();
    assert!(ladder.contains("403 Forbidden (1 REFER)"), "{ladder}");
}

/// Each step of taking over takes a millisecond on the way; each is met once by somebody's end.
#[test]
fn whoever_hangs_up_at_whatever_moment_nothing_is_left() {
    for step in 0..16 {
        for who in ["caller", "arm-1", "doctor", "about"] {
            let mut bench = bench();
            bench.manner("doctor", Manner::answers(Answer::After(seconds(1.0))));
            let (caller, about) = asks_about(&mut bench, PHYSICIANS);
            bench.world.run_for(seconds(10.0));
            bring_together(&mut bench, about);
            bench
                .world
                .run_for(seconds(0.0005 + f64::from(step) * 0.0005));
            match who {
                "caller" => bench.world.hang_up(bench.operator, caller),
                "about" => bench.world.hang_up(bench.phones, about),
                user => bench.world.hang_up_phone(bench.phones, user),
            }
            bench.world.run_for(seconds(20.0));
            bench.world.hang_up(bench.operator, caller);
            bench.world.hang_up(bench.phones, about);
            for user in ["arm-1", "doctor"] {
                bench.world.hang_up_phone(bench.phones, user);
            }
            bench.world.run_until_drained();
            let broken = bench.world.broken_laws();
            let ladder = bench.world.ladder();
            assert!(broken.is_empty(), "{who} at {step}:\n{broken:#?}\n{ladder}");
        }
    }
}
