//! Callers who give up, and nodes that stop.

use std::{cell::RefCell, rc::Rc};

use engine::acd::Want;
use sim::{Answer, CallPlan, Fate, Manner, Quirk};

use super::{Bench, DIALLED, seconds};

#[test]
fn the_caller_cancels_while_waiting() {
    let mut bench = Bench::one_site(&["arm-1"]);
    let (node, agent) = (bench.node, bench.agent("arm-1"));
    bench.world.set_agent(node, agent, Want::LoggedOut);
    bench.call(CallPlan::to(DIALLED).patience(seconds(4.0)));
    insta::assert_snapshot!(bench.finish());
    assert_eq!(bench.outcomes(), ["abandoned"]);
}

#[test]
fn the_caller_cancels_while_a_phone_rings() {
    let mut bench = Bench::one_site(&["arm-1"]);
    bench.manner("arm-1", Manner::answers(Answer::Never));
    bench.call(CallPlan::to(DIALLED).patience(seconds(4.0)));
    insta::assert_snapshot!(bench.finish());
    assert_eq!(bench.outcomes(), ["abandoned"]);
    assert_eq!(bench.state("arm-1"), "ready");
}

#[test]
fn the_caller_cancels_as_the_agent_answers() {
    let mut bench = Bench::one_site(&["arm-1"]);
    bench.manner("arm-1", Manner::answers(Answer::WhenCancelled));
    bench.call(CallPlan::to(DIALLED).patience(seconds(4.0)));
    insta::assert_snapshot!(bench.finish());
    assert_eq!(bench.outcomes(), ["abandoned"]);
}

#[test]
fn a_caller_who_never_acknowledges_is_hung_up_after_64_t1() {
    let mut bench = Bench::one_site(&["arm-1"]);
    bench.call(CallPlan::to(DIALLED).quirk(Quirk::NeverAcks));
    insta::assert_snapshot!(bench.finish());
}

/// We have rung the phone, and may hang it up whatever it has not acknowledged (RFC 3261 §15): it would be rung for the
/// next call while it is still in this one. Found by seed 226700.
#[test]
fn a_phone_whose_hold_is_not_acknowledged_is_hung_up_with_its_call() {
    let mut bench = Bench::one_site(&["arm-1"]);
    bench.manner(
        "arm-1",
        Manner::answers_after(seconds(2.0)).holds(seconds(3.0)),
    );
    let phones = bench.phones;
    bench.world.set_filter(Box::new(move |datagram| {
        let is_ack = datagram.bytes.starts_with(b"ACK ");
        match is_ack && datagram.from == phones {
            true => Fate::Lost,
            false => Fate::Passes,
        }
    }));
    bench.call(CallPlan::to(DIALLED).talk(seconds(4.0)));
    insta::assert_snapshot!(bench.finish());
}

/// Who puts the call on hold knows that there is one: only the ACK that opens it is waited for.
#[test]
fn a_caller_whose_hold_is_not_acknowledged_is_hung_up_with_its_agent() {
    let mut bench = Bench::one_site(&["arm-1"]);
    bench.manner(
        "arm-1",
        Manner::answers_after(seconds(2.0)).talks(seconds(4.0)),
    );
    let node = bench.node;
    bench.world.set_filter(Box::new(move |datagram| {
        let text = String::from_utf8_lossy(&datagram.bytes);
        let is_ack = text.starts_with("ACK ") && text.contains("CSeq: 2 ACK");
        match is_ack && datagram.to == node {
            true => Fate::Lost,
            false => Fate::Passes,
        }
    }));
    bench.call(CallPlan::to(DIALLED).quirk(Quirk::Hold(seconds(3.0))));
    insta::assert_snapshot!(bench.finish());
}

#[test]
fn a_draining_node_refuses_new_calls_and_ends_old_ones_in_peace() {
    let mut bench = Bench::one_site(&["arm-1"]);
    bench.call(CallPlan::to(DIALLED).talk(seconds(10.0)));
    bench.world.run_for(seconds(3.0));
    let node = bench.node;
    bench.world.drain(node, seconds(60.0));
    bench.call(CallPlan::to(DIALLED));
    insta::assert_snapshot!(bench.finish());
    assert_eq!(bench.outcomes(), ["answered"]);
}

#[test]
fn what_is_left_at_the_drain_limit_is_ended() {
    let mut bench = Bench::one_site(&["arm-1"]);
    bench.call(CallPlan::to(DIALLED));
    bench.call(CallPlan::to(DIALLED));
    bench.world.run_for(seconds(3.0));
    let node = bench.node;
    bench.world.drain(node, seconds(5.0));
    insta::assert_snapshot!(bench.finish());
    assert_eq!(bench.outcomes(), ["answered", "failed"]);
}

/// A phone that answers 180 to a re-INVITE and vanishes holds it open for ever: what is left of it
/// must go when the call does.
#[test]
fn a_re_invite_that_is_held_open_ends_with_its_call() {
    let mut bench = Bench::one_site(&["arm-1"]);
    let (node, phones) = (bench.node, bench.phones);
    let caught = Rc::new(RefCell::new(None));
    let sink = caught.clone();
    bench.world.set_filter(Box::new(move |datagram| {
        let text = String::from_utf8_lossy(&datagram.bytes);
        let is_it = text.starts_with("INVITE") && text.contains("CSeq: 2 INVITE");
        if datagram.to != phones || !is_it {
            return Fate::Passes;
        }
        *sink.borrow_mut() = Some(text.into_owned());
        Fate::Lost
    }));
    bench.call(CallPlan::to(DIALLED).quirk(Quirk::Hold(seconds(1.0))));
    bench.world.run_for(seconds(5.0));
    let invite = caught.borrow_mut().take().expect("it is relayed");
    let copied = |line: &&str| {
        let names = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"];
        names.iter().any(|name| line.starts_with(name))
    };
    let lines: Vec<_> = invite.lines().filter(copied).collect();
    let ringing = format!("SIP/2.0 180 Ringing\r\n{}\r\n\r\n", lines.join("\r\n"));
    bench.world.send(phones, node, ringing);
    bench.world.run_for(seconds(1.0));
    bench.world.drain(node, seconds(1.0));
    let ladder = bench.finish();
    assert!(ladder.contains("CANCEL"), "{ladder}");
}

/// One line, this many agents, and these lines of `[timers]`.
fn with_timers(agents: &[&str], timers: &str) -> Bench {
    let site = super::Site {
        id: "FR670",
        neighbours: &[],
        reserve: 0,
        agents,
    };
    let text = super::configuration(&[site], super::AFTER_20_S) + "[timers]\n" + timers;
    Bench::new(&text, 1, sim::Weather::CALM)
}

#[test]
fn a_call_has_a_longest_time() {
    let mut bench = with_timers(&["arm-1"], "call_max = \"10m\"\n");
    bench.call(CallPlan::to(DIALLED));
    bench.world.run_for(seconds(601.0));
    assert_eq!(bench.state("arm-1"), "talking");
    bench.world.run_for(seconds(2.0));
    assert_eq!(bench.state("arm-1"), "wrap-up");
    bench.finish();
    assert_eq!(bench.outcomes(), ["answered"]);
}

#[test]
fn a_wait_has_a_longest_time() {
    let mut bench = with_timers(&[], "wait_max = \"5m\"\n");
    bench.call(CallPlan::to(DIALLED));
    insta::assert_snapshot!({
        bench.world.run_for(seconds(400.0));
        bench.finish()
    });
    assert_eq!(bench.outcomes(), ["failed"]);
}

#[test]
fn at_the_drain_limit_a_missing_ack_is_waited_for_in_peace() {
    let mut bench = Bench::one_site(&["arm-1"]);
    bench.call(CallPlan::to(DIALLED).quirk(Quirk::NeverAcks));
    bench.world.run_for(seconds(3.0));
    let node = bench.node;
    bench.world.drain(node, seconds(5.0));
    bench.world.run_for(seconds(6.0));
    // The limit has passed once; what is due next is the 200, sent again.
    let next = bench.world.node(node).poll_timeout().unwrap();
    assert!(next > bench.world.now());
    insta::assert_snapshot!(bench.finish());
}
