//! Calls that are for no line: from agent to agent, from an operator to an agent's phone. The proxy
//! forwards them; no queue, no offer, no record.

use sim::{CallPlan, Manner, PeerEvent, Weather};

use super::{AFTER_20_S, Bench, Site, configuration, seconds};

const ARM_1: &str = "sip:arm-1@samu.example";
const ARM_2: &str = "sip:arm-2@samu.example";

/// Whether both sides of a call were connected, and both ended.
fn connected_and_ended(bench: &Bench) -> (usize, usize) {
    let count = |is_it: fn(&PeerEvent) -> bool| {
        let events = bench.world.peer_events().iter();
        events.filter(|(_, _, event)| is_it(event)).count()
    };
    (
        count(|event| matches!(event, PeerEvent::Connected { .. })),
        count(|event| matches!(event, PeerEvent::Ended { .. })),
    )
}

#[test]
fn an_agent_calls_another() {
    let mut bench = Bench::one_site(&["arm-1", "arm-2"]);
    let (phones, node) = (bench.phones, bench.node);
    let plan = CallPlan::to(ARM_2).identity(ARM_1).talk(seconds(10.0));
    bench.world.call(phones, node, plan);
    insta::assert_snapshot!(bench.finish());
    assert_eq!(connected_and_ended(&bench), (2, 2));
    assert!(bench.outcomes().is_empty(), "it is no call of a line");
}

#[test]
fn the_one_who_is_called_hangs_up() {
    let mut bench = Bench::one_site(&["arm-1", "arm-2"]);
    bench.manner(
        "arm-2",
        Manner::answers_after(seconds(1.0)).talks(seconds(5.0)),
    );
    let (phones, node) = (bench.phones, bench.node);
    bench
        .world
        .call(phones, node, CallPlan::to(ARM_2).identity(ARM_1));
    bench.finish();
    assert_eq!(connected_and_ended(&bench), (2, 2));
}

#[test]
fn an_operator_calls_an_agent() {
    let mut bench = Bench::one_site(&["arm-1"]);
    bench.call(CallPlan::to(ARM_1).talk(seconds(5.0)));
    bench.finish();
    assert_eq!(connected_and_ended(&bench), (2, 2));
    assert!(bench.outcomes().is_empty());
}

#[test]
fn the_caller_gives_up() {
    let mut bench = Bench::one_site(&["arm-1", "arm-2"]);
    bench.manner("arm-2", Manner::answers(sim::Answer::Never));
    let (phones, node) = (bench.phones, bench.node);
    let plan = CallPlan::to(ARM_2).identity(ARM_1).patience(seconds(8.0));
    bench.world.call(phones, node, plan);
    insta::assert_snapshot!(bench.finish());
    assert_eq!(connected_and_ended(&bench), (0, 0));
}

#[test]
fn whoever_is_busy_says_so() {
    let mut bench = Bench::one_site(&["arm-1", "arm-2"]);
    bench.manner("arm-2", Manner::answers(sim::Answer::Busy));
    let (phones, node) = (bench.phones, bench.node);
    let plan = CallPlan::to(ARM_2).identity(ARM_1);
    let session = bench.world.call(phones, node, plan);
    bench.finish();
    let heard: Vec<_> = bench
        .world
        .peer_events()
        .iter()
        .filter_map(|(_, _, event)| match event {
            PeerEvent::Failed {
                session: of,
                status,
                ..
            } if *of == session => Some(status.value()),
            _ => None,
        })
        .collect();
    assert_eq!(heard, [486]);
}

#[test]
fn a_call_to_an_agent_without_a_phone_goes_to_the_default_line() {
    let contact = "contact = \"sip:arm-1@203.0.113.1:5060\"";
    let text = configuration(
        &[Site {
            id: "FR670",
            neighbours: &[],
            reserve: 0,
            agents: &["arm-1", "arm-2"],
        }],
        AFTER_20_S,
    );
    assert!(text.contains(contact));
    let mut bench = Bench::new(&text.replace(contact, ""), 1, Weather::CALM);
    bench.call(CallPlan::to(ARM_1).talk(seconds(5.0)));
    bench.finish();
    assert_eq!(bench.outcomes(), ["answered"], "by whoever serves the line");
}
