//! An agent sends a call on by REFER: to another line, to a colleague.

use std::time::Duration;

use engine::{
    Event, TransferOutcome, Transferred,
    acd::{PauseReason, Want},
};
use sim::{Answer, CallPlan, HungUpBy, Manner, PeerEvent, Quirk, Weather};

use super::{AFTER_20_S, Bench, DIALLED, Site, configuration, faults::STORM, seconds};

pub(super) const PHYSICIANS: &str = "sip:+33300000099@192.0.2.1";
pub(super) const ARM_2: &str = "sip:arm-2@samu.example";

/// Two agents who answer 15, and a physician with a line of her own.
pub(super) fn bench() -> Bench {
    bench_in(1, Weather::CALM, "")
}

/// Its configuration, and more.
pub(super) fn centre(more: &str) -> String {
    let site = Site {
        id: "FR670",
        neighbours: &[],
        reserve: 0,
        agents: &["arm-1", "arm-2", "away"],
    };
    configuration(&[site], AFTER_20_S)
        + "[[line]]\nid = \"FR670-physician\"\nsite = \"FR670\"\nnumbers = [\"+33300000099\"]\n\
           skills = { physician = 1 }\npriority = 4\nselection = \"longest-idle\"\n\
           ring_time = \"15s\"\nwrap_up = \"5s\"\noverflow = \"mutual-aid\"\n\
           [[agent]]\nid = \"doctor\"\nsite = \"FR670\"\nskills = { physician = 5 }\n\
           contact = \"sip:doctor@203.0.113.1:5060\"\nstart = \"ready\"\n"
        + more
}

pub(super) fn bench_in(seed: u64, weather: Weather, more: &str) -> Bench {
    let mut bench = Bench::new(&centre(more), seed, weather);
    let reason = PauseReason::new("break").unwrap();
    for agent in ["arm-2", "away"] {
        let (node, agent, reason) = (bench.node, bench.agent(agent), reason.clone());
        bench
            .world
            .set_agent(node, agent, Want::NotReady { reason });
    }
    bench
}

/// The first agent answers after 1 s and sends the call on 3 s later.
fn sends_on(to: &'static str) -> Manner {
    Manner::answers_after(seconds(1.0)).transfers(seconds(3.0), to)
}

/// What the phone of the first agent was told of its transfer.
pub(super) fn told(bench: &Bench) -> Vec<String> {
    let events = bench.world.peer_events().iter();
    let notified = events.filter_map(|(_, _, event)| match event {
        PeerEvent::Body { method, body, .. } if method == "NOTIFY" => {
            Some(String::from_utf8_lossy(body).trim().to_owned())
        }
        _ => None,
    });
    notified.collect()
}

pub(super) fn transfers(bench: &Bench) -> Vec<TransferOutcome> {
    let events = bench.world.events().iter();
    let ended = events.filter_map(|(_, event)| match event {
        Event::TransferEnded { outcome } => Some(*outcome),
        _ => None,
    });
    ended.collect()
}

/// Who had the call, as the engine told it: line, agent, line and agent again.
pub(super) fn journey(bench: &Bench) -> Vec<String> {
    let directory = bench.world.node(bench.node).directory();
    let line = |line| directory.line_profile(line).id.clone();
    let agent = |agent| directory.agent_profile(agent).id.clone();
    let mut ids = std::collections::BTreeSet::new();
    let mut journey = Vec::new();
    for (_, event) in bench.world.events() {
        match event {
            Event::CallStarted { call, line: on, .. } => {
                ids.insert(call.clone());
                journey.push(line(*on));
            }
            Event::CallTransferred {
                call,
                agent: by,
                to,
            } => {
                ids.insert(call.clone());
                journey.push(format!("by {}", agent(*by)));
                journey.push(match to {
                    Transferred::Line { to, .. } => line(*to),
                    Transferred::Agent(to) => agent(*to),
                    Transferred::Outside => "outside".to_owned(),
                });
            }
            Event::CallEnded {
                call,
                line: on,
                agent: last,
                ..
            } => {
                ids.insert(call.clone());
                journey.push(format!("{} {:?}", line(*on), last.map(agent)));
            }
            _ => {}
        }
    }
    assert_eq!(ids.len(), 1, "one call id for the whole journey");
    journey
}

#[test]
fn to_a_line_the_same_call_waits_there_and_the_agent_is_free() {
    let mut bench = bench();
    bench.manner("arm-1", sends_on(PHYSICIANS));
    bench.call(CallPlan::to(DIALLED).talk(seconds(30.0)));
    bench.world.run_for(seconds(4.5));
    assert_eq!(bench.state("arm-1"), "wrap-up");
    assert_eq!(bench.state("doctor"), "offered");
    bench.world.run_for(seconds(3.0));
    assert_eq!(bench.state("doctor"), "talking");
    insta::assert_snapshot!(bench.finish());
    assert_eq!(
        journey(&bench),
        [
            "FR670-15-Samu-Px-F01",
            "by arm-1",
            "FR670-physician",
            "FR670-physician Some(\"doctor\")"
        ]
    );
    assert_eq!(told(&bench), ["SIP/2.0 100 Trying", "SIP/2.0 200 OK"]);
    assert_eq!(transfers(&bench), [TransferOutcome::Done]);
    assert_eq!(bench.outcomes(), ["answered"]);
}

#[test]
fn on_the_other_line_a_call_waits_until_somebody_is_there() {
    let mut bench = bench();
    let (node, doctor) = (bench.node, bench.agent("doctor"));
    bench.world.set_agent(node, doctor, Want::LoggedOut);
    bench.manner("arm-1", sends_on(PHYSICIANS));
    bench.call(CallPlan::to(DIALLED).talk(seconds(900.0)));
    bench.world.run_for(seconds(600.0));
    let status = bench.world.node(node).status(bench.world.now());
    assert_eq!((status.waiting, status.connected, status.legs), (1, 0, 1));
    bench.world.set_agent(node, doctor, Want::Ready);
    bench.world.run_for(seconds(5.0));
    assert_eq!(bench.state("doctor"), "talking");
    bench.world.run_for(seconds(300.0));
    bench.finish();
    assert_eq!(bench.outcomes(), ["answered"]);
}

#[test]
fn whoever_hangs_up_on_the_other_line_has_abandoned_it() {
    let mut bench = bench();
    let (node, doctor) = (bench.node, bench.agent("doctor"));
    bench.world.set_agent(node, doctor, Want::LoggedOut);
    bench.manner("arm-1", sends_on(PHYSICIANS));
    bench.call(CallPlan::to(DIALLED).talk(seconds(60.0)));
    bench.finish();
    assert_eq!(bench.outcomes(), ["abandoned"]);
}

#[test]
fn to_a_colleague_the_agent_stays_until_she_has_answered() {
    let mut bench = bench();
    bench.manner("arm-1", sends_on(ARM_2));
    bench.call(CallPlan::to(DIALLED).talk(seconds(30.0)));
    bench.world.run_for(seconds(5.0));
    assert_eq!(bench.state("arm-1"), "talking");
    bench.world.run_for(seconds(2.0));
    assert_eq!(bench.state("arm-1"), "wrap-up");
    assert_eq!(bench.state("arm-2"), "talking");
    insta::assert_snapshot!(bench.finish());
    assert_eq!(
        journey(&bench),
        [
            "FR670-15-Samu-Px-F01",
            "by arm-1",
            "arm-2",
            "FR670-15-Samu-Px-F01 Some(\"arm-2\")"
        ]
    );
    assert_eq!(
        told(&bench),
        [
            "SIP/2.0 100 Trying",
            "SIP/2.0 180 Ringing",
            "SIP/2.0 200 OK"
        ]
    );
    assert_eq!(transfers(&bench), [TransferOutcome::Done]);
}

#[test]
fn when_the_colleague_does_not_take_it_the_call_is_the_agents_again() {
    let cases = [
        (Answer::Busy, "SIP/2.0 486 Busy Here"),
        (Answer::DeclineAfter(seconds(1.0)), "SIP/2.0 603 Decline"),
        (Answer::Never, "SIP/2.0 480 Temporarily Unavailable"),
        (Answer::Dead, "SIP/2.0 480 Temporarily Unavailable"),
        (Answer::WhenCancelled, "SIP/2.0 480 Temporarily Unavailable"),
    ];
    for (answer, last) in cases {
        let mut bench = bench();
        bench.manner("arm-1", sends_on(ARM_2));
        bench.manner("arm-2", Manner::answers(answer));
        bench.call(CallPlan::to(DIALLED).talk(seconds(40.0)));
        bench.world.run_for(seconds(30.0));
        assert_eq!(bench.state("arm-1"), "talking", "{answer:?}");
        assert_eq!(told(&bench).last().map(String::as_str), Some(last));
        assert_eq!(transfers(&bench), [TransferOutcome::Failed], "{answer:?}");
        bench.finish();
        assert_eq!(bench.outcomes(), ["answered"]);
        let hung_up = bench.world.peer_events().iter();
        let by_agents = hung_up.filter(|(_, at, event)| {
            let is_by_us = matches!(event, PeerEvent::Ended { by, .. } if *by == HungUpBy::Us);
            is_by_us && *at == bench.phones
        });
        assert_eq!(by_agents.count(), 0, "the caller ends it, 40 s later");
    }
}

#[test]
fn an_agent_who_hangs_up_at_once_leaves_the_call_to_the_colleague() {
    let mut bench = bench();
    bench.manner("arm-1", sends_on(ARM_2).talks(seconds(3.5)));
    bench.call(CallPlan::to(DIALLED).talk(seconds(30.0)));
    bench.world.run_for(seconds(5.0));
    assert_eq!(bench.state("arm-1"), "wrap-up");
    assert_eq!(bench.state("arm-2"), "offered");
    bench.world.run_for(seconds(3.0));
    assert_eq!(bench.state("arm-2"), "talking");
    insta::assert_snapshot!(bench.finish());
    assert_eq!(bench.outcomes(), ["answered"]);
}

#[test]
fn when_the_agent_is_gone_and_the_colleague_declines_the_call_waits_again() {
    let mut bench = bench();
    bench.manner("arm-1", sends_on(ARM_2).talks(seconds(3.5)));
    let declines = Answer::DeclineAfter(seconds(2.0));
    bench.manner("arm-2", Manner::answers(declines));
    bench.call(CallPlan::to(DIALLED).talk(seconds(60.0)));
    bench.world.run_for(seconds(6.9));
    bench.manner("arm-1", Manner::answers_after(seconds(1.0)));
    bench.world.run_for(seconds(15.0));
    assert_eq!(bench.state("arm-1"), "talking", "asked first");
    bench.finish();
    assert_eq!(bench.outcomes(), ["answered"]);
    assert_eq!(bench.world.node(bench.node).calls_live(), 0);
}

/// Every step of a transfer takes a millisecond on the way; each is met once by somebody's end.
#[test]
fn whoever_hangs_up_at_whatever_moment_of_a_transfer_nothing_is_left() {
    for to in [ARM_2, PHYSICIANS] {
        // From the REFER to the answer, and from there until the sides have been joined.
        let moments = (0..12).map(|step| 4.0 + f64::from(step) * 0.001);
        let moments = moments.chain((0..14).map(|step| 6.0 + f64::from(step) * 0.001));
        for moment in moments {
            for who in ["caller", "arm-1", "arm-2", "doctor"] {
                let mut bench = bench();
                bench.manner("arm-1", sends_on(to));
                let session = bench.call(CallPlan::to(DIALLED).talk(seconds(20.0)));
                bench.world.run_for(seconds(moment));
                match who {
                    "caller" => bench.world.hang_up(bench.operator, session),
                    user => bench.world.hang_up_phone(bench.phones, user),
                }
                bench.world.run_for(seconds(40.0));
                bench.world.run_until_drained();
                let broken = bench.world.broken_laws();
                assert!(
                    broken.is_empty(),
                    "{who} at {moment} of a transfer to {to}:\n{broken:#?}\n{}",
                    bench.world.ladder()
                );
            }
        }
    }
}

#[test]
fn a_caller_who_changes_the_session_meanwhile_meets_the_transfer_in_peace() {
    for step in 0..30 {
        let mut bench = bench();
        bench.manner("arm-1", sends_on(ARM_2));
        // The caller's first re-INVITE comes about when the colleague answers.
        let hold = seconds(4.98 + f64::from(step) * 0.002);
        let plan = CallPlan::to(DIALLED).talk(seconds(30.0));
        bench.call(plan.quirk(Quirk::Hold(hold)));
        bench.world.run_for(seconds(12.0));
        assert_eq!(bench.state("arm-2"), "talking", "{hold:?}");
        bench.finish();
        assert_eq!(bench.outcomes(), ["answered"], "{hold:?}");
    }
}

#[test]
fn a_caller_who_waits_alone_may_change_the_session() {
    let mut bench = bench();
    let (node, doctor) = (bench.node, bench.agent("doctor"));
    bench.world.set_agent(node, doctor, Want::LoggedOut);
    bench.manner("arm-1", sends_on(PHYSICIANS));
    let plan = CallPlan::to(DIALLED).talk(Duration::from_secs(60));
    bench.call(plan.quirk(Quirk::Hold(seconds(20.0))));
    bench.world.run_for(seconds(50.0));
    bench.world.set_agent(node, doctor, Want::Ready);
    bench.world.run_for(seconds(5.0));
    assert_eq!(bench.state("doctor"), "talking");
    let ladder = bench.finish();
    assert!(ladder.contains("200 OK (2 INVITE) [sdp]"), "{ladder}");
    assert!(ladder.contains("200 OK (3 INVITE) [sdp]"), "{ladder}");
}

#[test]
fn what_cannot_be_is_refused_and_the_call_goes_on() {
    let cases = [
        ("sip:nobody@samu.example", "404 Not Found"),
        ("sip:+33399999999@192.0.2.1", "404 Not Found"),
        ("mailto:arm-2@samu.example", "404 Not Found"),
        ("sip:arm-1@samu.example", "486 Busy Here"),
        ("sip:away@samu.example", "480 Temporarily Unavailable"),
        ("sip:arm-2@samu.example;method=BYE", "501 Not Implemented"),
        ("sip:arm-2@samu.example?Replaces=nothing", "400 Bad Request"),
        ("sip:arm-2@samu.example:port", "400 Bad Request"),
    ];
    for (to, expected) in cases {
        let mut bench = bench();
        let (node, away) = (bench.node, bench.agent("away"));
        bench.world.set_agent(node, away, Want::LoggedOut);
        bench.manner("arm-1", sends_on(to));
        bench.call(CallPlan::to(DIALLED).talk(seconds(10.0)));
        bench.world.run_for(seconds(8.0));
        assert_eq!(bench.state("arm-1"), "talking", "{to}");
        let ladder = bench.finish();
        assert!(
            ladder.contains(&format!("{expected} (1 REFER)")),
            "{to}: {ladder}"
        );
        assert!(told(&bench).is_empty(), "{to}");
        assert_eq!(bench.outcomes(), ["answered"]);
    }
}

#[test]
fn networks_that_lose_and_repeat_lose_no_call_that_is_sent_on() {
    for seed in 0..60 {
        for to in [ARM_2, PHYSICIANS] {
            let mut bench = bench_in(seed, STORM, "");
            bench.manner("arm-1", sends_on(to));
            bench.call(CallPlan::to(DIALLED).talk(seconds(60.0)));
            bench.finish();
            assert_eq!(bench.outcomes(), ["answered"], "seed {seed}, to {to}");
        }
    }
}

pub(super) const OUTSIDE: &str = "sip:0388112233@192.0.2.1";

/// Nobody is at the first next hop.
pub(super) const CARRIER: &str = "[[trunk]]\nname = \"carrier\"\nsources = [\"203.0.113.9\"]\n\
                       prefixes = [\"+33388\"]\n\
                       next_hops = [\"sip:203.0.113.8\", \"sip:203.0.113.9\"]\n";

/// A bench with a carrier whose dead next hop is known to be dead.
pub(super) fn bench_after_probes() -> Bench {
    let mut bench = bench_in(1, Weather::CALM, CARRIER);
    let rings = Manner::answers_after(seconds(3.0));
    let outside = super::address("203.0.113.9:5060");
    bench.world.add_peer("outside", outside, rings);
    bench.world.run_for(seconds(33.0));
    bench
}

/// Lets all end on a node that would go on asking its trunks for a sign of life.
pub(super) fn finish(bench: &mut Bench) -> String {
    bench.world.run_for(seconds(100.0));
    bench.world.drain(bench.node, seconds(1.0));
    bench.finish()
}

#[test]
fn to_a_telephone_outside_the_call_leaves_the_centre() {
    let mut bench = bench_after_probes();
    bench.manner("arm-1", sends_on(OUTSIDE));
    bench.call(CallPlan::to(DIALLED).talk(seconds(30.0)));
    bench.world.run_for(seconds(6.0));
    assert_eq!(bench.state("arm-1"), "talking");
    bench.world.run_for(seconds(2.0));
    assert_eq!(bench.state("arm-1"), "wrap-up");
    let status = bench.world.node(bench.node).status(bench.world.now());
    assert_eq!((status.connected, status.legs), (1, 2));
    finish(&mut bench);
    assert_eq!(transfers(&bench), [TransferOutcome::Done]);
    assert_eq!(bench.outcomes(), ["answered"]);
    assert_eq!(
        told(&bench).last().map(String::as_str),
        Some("SIP/2.0 200 OK")
    );
    assert_eq!(
        journey(&bench),
        [
            "FR670-15-Samu-Px-F01",
            "by arm-1",
            "outside",
            "FR670-15-Samu-Px-F01 Some(\"arm-1\")"
        ]
    );
}

#[test]
fn a_telephone_outside_that_does_not_answer_gives_the_call_back() {
    let cases = [
        (Answer::Busy, "SIP/2.0 486 Busy Here"),
        (Answer::Never, "SIP/2.0 480 Temporarily Unavailable"),
    ];
    for (answer, last) in cases {
        let mut bench = bench_after_probes();
        let outside = super::address("203.0.113.9:5060");
        bench
            .world
            .set_manner(outside, "0388112233", Manner::answers(answer));
        bench
            .world
            .set_manner(outside, "+33388112233", Manner::answers(answer));
        bench.manner("arm-1", sends_on(OUTSIDE));
        bench.call(CallPlan::to(DIALLED).talk(seconds(90.0)));
        bench.world.run_for(seconds(70.0));
        assert_eq!(bench.state("arm-1"), "talking", "{answer:?}");
        assert_eq!(told(&bench).last().map(String::as_str), Some(last));
        finish(&mut bench);
        assert_eq!(transfers(&bench), [TransferOutcome::Failed]);
        assert_eq!(bench.outcomes(), ["answered"]);
    }
}

#[test]
fn without_the_agent_a_call_that_nobody_outside_takes_waits_on_its_line_again() {
    let mut bench = bench_after_probes();
    let outside = super::address("203.0.113.9:5060");
    let declines = Manner::answers(Answer::DeclineAfter(seconds(4.0)));
    bench.world.set_manner(outside, "+33388112233", declines);
    bench.manner("arm-1", sends_on(OUTSIDE).talks(seconds(3.5)));
    bench.call(CallPlan::to(DIALLED).talk(seconds(60.0)));
    bench.world.run_for(seconds(1.0));
    // Who came meanwhile waits behind: the first has its place again.
    bench.call(CallPlan::to(DIALLED).talk(seconds(60.0)));
    bench.world.run_for(seconds(4.0));
    assert_eq!(bench.state("arm-1"), "wrap-up");
    bench.manner("arm-1", Manner::answers_after(seconds(1.0)));
    bench.world.run_for(seconds(3.0));
    let places = |bench: &Bench| {
        let calls = bench.world.node(bench.node).calls(bench.world.now());
        calls.iter().map(|call| call.place).collect::<Vec<_>>()
    };
    assert_eq!(places(&bench), [None, Some(1)]);
    bench.world.run_for(seconds(5.0));
    assert_eq!(bench.state("arm-1"), "talking");
    assert_eq!(places(&bench), [None, Some(1)]);
    finish(&mut bench);
    assert_eq!(bench.outcomes(), ["answered", "answered"]);
}
