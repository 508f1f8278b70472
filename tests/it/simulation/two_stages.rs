//! Two stages: who answered first keeps a vital caller company until a physician has answered.

use engine::{
    Order, OrderError, TransferOutcome,
    acd::{PauseReason, Want},
};
use sim::{Answer, CallPlan, HungUpBy, Manner, PeerEvent, Weather};

use super::{
    AFTER_20_S, Bench, DIALLED, Site, configuration,
    faults::STORM,
    seconds,
    transfers::{journey, told, transfers},
};

/// The physicians' numbers: as the call is, P0, and P2.
const AS_IT_IS: &str = "sip:+33300000099@192.0.2.1";
const P0: &str = "sip:+33300000090@192.0.2.1";
const P2: &str = "sip:+33300000092@192.0.2.1";

/// Agents who answer 15, and physicians to whom calls of priority 0 are handed over in person.
fn bench(seed: u64, weather: Weather) -> Bench {
    Bench::new(&text(), seed, weather)
}

fn text() -> String {
    let site = Site {
        id: "FR670",
        neighbours: &[],
        reserve: 0,
        agents: &["arm-1"],
    };
    configuration(&[site], AFTER_20_S)
        + "[[line]]\nid = \"FR670-physician\"\nsite = \"FR670\"\nnumbers = [\"+33300000099\"]\n\
           numbers_with_priority = { \"+33300000090\" = 0, \"+33300000092\" = 2 }\n\
           skills = { physician = 1 }\npriority = 4\nattended_up_to = 0\n\
           ring_time = \"10s\"\nwrap_up = \"5s\"\noverflow = \"mutual-aid\"\n\
           [[agent]]\nid = \"doctor\"\nsite = \"FR670\"\nskills = { physician = 5 }\n\
           contact = \"sip:doctor@203.0.113.1:5060\"\nstart = \"ready\"\n"
}

fn wants(bench: &mut Bench, agent: &str, want: Want) {
    let agent = bench.agent(agent);
    bench.world.set_agent(bench.node, agent, want);
}

fn away() -> Want {
    let reason = PauseReason::new("meal").unwrap();
    Want::NotReady { reason }
}

/// The first agent answers after 1 s and sends the call on 3 s later.
fn sends_on(to: &'static str) -> Manner {
    Manner::answers_after(seconds(1.0)).transfers(seconds(3.0), to)
}

/// The caller has been connected from the first answer on: nobody hung up on her.
fn caller_was_never_alone(bench: &Bench) {
    let ended = bench.world.peer_events().iter().filter(|(_, at, event)| {
        *at == bench.operator
            && matches!(event, PeerEvent::Ended { by, .. } if *by == HungUpBy::Them)
    });
    assert_eq!(ended.count(), 0);
}

/// Who waits in somebody's company has not vanished, however long no physician comes.
#[test]
fn a_wait_in_company_has_no_longest_time() {
    let timers = text() + "[timers]\nwait_max = \"1m\"\n";
    let mut bench = Bench::new(&timers, 1, Weather::CALM);
    wants(&mut bench, "doctor", away());
    bench.manner("arm-1", sends_on(P0));
    bench.call(CallPlan::to(DIALLED).talk(seconds(400.0)));
    bench.world.run_for(seconds(300.0));
    assert_eq!(bench.state("arm-1"), "talking");
    wants(&mut bench, "doctor", Want::Ready);
    bench.world.run_for(seconds(20.0));
    assert_eq!(bench.state("doctor"), "talking");
    // Alone on the line it has one.
    let mut bench = Bench::new(&timers, 1, Weather::CALM);
    wants(&mut bench, "doctor", away());
    bench.manner("arm-1", sends_on(AS_IT_IS));
    bench.call(CallPlan::to(DIALLED).talk(seconds(400.0)));
    bench.world.run_for(seconds(80.0));
    assert_eq!(bench.outcomes(), ["failed"]);
}

/// Nobody outside can dial such a line, and agents send calls there by its id.
#[test]
fn a_line_without_a_number_is_called_by_its_id() {
    let site = Site {
        id: "FR670",
        neighbours: &[],
        reserve: 0,
        agents: &["arm-1"],
    };
    let text = configuration(&[site], AFTER_20_S)
        + "[[line]]\nid = \"FR670-MU-P0\"\nsite = \"FR670\"\nskills = { physician = 1 }\npriority = 0\n\
           hand_over = \"attended\"\n\
           [[agent]]\nid = \"doctor\"\nsite = \"FR670\"\nskills = { physician = 5 }\n\
           contact = \"sip:doctor@203.0.113.1:5060\"\nstart = \"ready\"\n";
    let mut bench = Bench::new(&text, 1, Weather::CALM);
    bench.manner("arm-1", sends_on("sip:FR670-MU-P0@samu.example"));
    bench.manner("doctor", Manner::answers_after(seconds(3.0)));
    bench.call(CallPlan::to(DIALLED).talk(seconds(60.0)));
    bench.world.run_for(seconds(10.0));
    assert_eq!(bench.state("doctor"), "talking");
    let refused = told(&bench);
    assert_eq!(refused.last().map(String::as_str), Some("SIP/2.0 200 OK"));
    let calls = bench.world.node(bench.node).calls(bench.world.now());
    assert_eq!(calls.len(), 1);
    // The operator's number is one like any other: what nobody can dial stays so.
    bench.call(CallPlan::to("sip:FR670-MU-P0@samu.example"));
    bench.world.run_for(seconds(1.0));
    let node = bench.world.node(bench.node);
    let lines = node.calls(bench.world.now());
    let lines: Vec<_> = lines
        .iter()
        .map(|call| node.directory().line_profile(call.line).id.clone())
        .collect();
    assert!(
        lines.contains(&"FR670-15-Samu-Px-F01".to_owned()),
        "{lines:?}"
    );
}

#[test]
fn with_a_vital_call_the_agent_stays_until_the_physician_has_answered() {
    let mut bench = bench(1, Weather::CALM);
    wants(&mut bench, "doctor", away());
    bench.manner("arm-1", sends_on(P0));
    bench.manner("doctor", Manner::answers_after(seconds(3.0)));
    bench.call(CallPlan::to(DIALLED).talk(seconds(60.0)));
    bench.world.run_for(seconds(20.0));
    // It waits at the physicians, and is not alone.
    assert_eq!(bench.state("arm-1"), "talking");
    let calls = bench.world.node(bench.node).calls(bench.world.now());
    assert_eq!((calls[0].priority, calls[0].place), (Some(0), Some(1)));
    assert_eq!(told(&bench), ["SIP/2.0 100 Trying"]);
    wants(&mut bench, "doctor", Want::Ready);
    bench.world.run_for(seconds(2.0));
    assert_eq!(bench.state("arm-1"), "talking");
    assert_eq!(bench.state("doctor"), "offered");
    bench.world.run_for(seconds(2.0));
    assert_eq!(bench.state("arm-1"), "wrap-up");
    assert_eq!(bench.state("doctor"), "talking");
    insta::assert_snapshot!(bench.finish());
    assert_eq!(
        told(&bench),
        [
            "SIP/2.0 100 Trying",
            "SIP/2.0 180 Ringing",
            "SIP/2.0 200 OK"
        ]
    );
    assert_eq!(
        journey(&bench),
        [
            "FR670-15-Samu-Px-F01",
            "by arm-1",
            "FR670-physician",
            "FR670-physician Some(\"doctor\")"
        ]
    );
    assert_eq!(transfers(&bench), [TransferOutcome::Done]);
    assert_eq!(bench.outcomes(), ["answered"]);
    caller_was_never_alone(&bench);
}

/// The call was priority 2 on its first line: it keeps that, or has what the number says.
#[test]
fn with_other_calls_the_agent_is_free_at_once() {
    for to in [AS_IT_IS, P2] {
        let mut bench = bench(1, Weather::CALM);
        wants(&mut bench, "doctor", away());
        bench.manner("arm-1", sends_on(to));
        bench.call(CallPlan::to(DIALLED).talk(seconds(60.0)));
        bench.world.run_for(seconds(5.0));
        assert_eq!(bench.state("arm-1"), "wrap-up", "{to}");
        let calls = bench.world.node(bench.node).calls(bench.world.now());
        assert_eq!(
            (calls[0].priority, calls[0].place),
            (Some(2), Some(1)),
            "{to}"
        );
        wants(&mut bench, "doctor", Want::Ready);
        bench.finish();
        assert_eq!(transfers(&bench), [TransferOutcome::Done]);
        assert_eq!(bench.outcomes(), ["answered"]);
    }
}

#[test]
fn a_physician_who_does_not_answer_changes_nothing_for_the_caller() {
    let mut bench = bench(1, Weather::CALM);
    bench.manner("arm-1", sends_on(P0));
    bench.manner(
        "doctor",
        Manner::answers(Answer::DeclineAfter(seconds(2.0))),
    );
    bench.call(CallPlan::to(DIALLED).talk(seconds(90.0)));
    bench.world.run_for(seconds(8.0));
    assert_eq!(bench.state("doctor"), "not-ready");
    assert_eq!(bench.state("arm-1"), "talking");
    // The next one answers.
    bench.manner("doctor", Manner::answers_after(seconds(2.0)));
    bench.world.run_for(seconds(15.0));
    assert_eq!(bench.state("doctor"), "talking");
    bench.finish();
    assert_eq!(transfers(&bench), [TransferOutcome::Done]);
    caller_was_never_alone(&bench);
}

#[test]
fn an_agent_who_hangs_up_leaves_the_call_at_its_place() {
    let mut bench = bench(1, Weather::CALM);
    wants(&mut bench, "doctor", away());
    bench.manner("arm-1", sends_on(P0).talks(seconds(10.0)));
    bench.call(CallPlan::to(DIALLED).talk(seconds(60.0)));
    bench.world.run_for(seconds(13.0));
    assert_eq!(bench.state("arm-1"), "wrap-up");
    let calls = bench.world.node(bench.node).calls(bench.world.now());
    assert_eq!((calls[0].priority, calls[0].place), (Some(0), Some(1)));
    wants(&mut bench, "doctor", Want::Ready);
    bench.world.run_for(seconds(4.0));
    assert_eq!(bench.state("doctor"), "talking");
    bench.finish();
    assert_eq!(bench.outcomes(), ["answered"]);
    caller_was_never_alone(&bench);
}

#[test]
fn an_agent_may_keep_the_call_after_all() {
    let mut bench = bench(1, Weather::CALM);
    wants(&mut bench, "doctor", away());
    bench.manner("arm-1", sends_on(P0));
    bench.call(CallPlan::to(DIALLED).talk(seconds(30.0)));
    bench.world.run_for(seconds(3.0));
    let calls = bench.world.node(bench.node).calls(bench.world.now());
    let keep = Order::Keep {
        call: calls[0].id.to_string(),
    };
    assert_eq!(
        bench.world.order(bench.node, keep.clone()),
        Err(OrderError::NotHeld)
    );
    bench.world.run_for(seconds(7.0));
    assert_eq!(bench.world.order(bench.node, keep), Ok(()));
    wants(&mut bench, "doctor", Want::Ready);
    bench.world.run_for(seconds(5.0));
    assert_eq!(bench.state("arm-1"), "talking");
    assert_eq!(bench.state("doctor"), "ready");
    bench.finish();
    assert_eq!(transfers(&bench), [TransferOutcome::Kept]);
    assert_eq!(bench.outcomes(), ["answered"]);
    assert_eq!(
        told(&bench),
        ["SIP/2.0 100 Trying", "SIP/2.0 487 Request Terminated"]
    );
}

/// Each millisecond around the physician's answer is met once by a caller or an agent who hangs up, in
/// a storm of loss.
#[test]
fn whoever_hangs_up_when_nothing_is_left_open() {
    let (mut answered, mut abandoned) = (0, 0);
    for seed in 0..60 {
        let mut bench = bench(seed, STORM);
        let around = seconds(0.05).mul_f64(f64::from(u32::try_from(seed).unwrap()));
        bench.manner("arm-1", sends_on(P0).talks(seconds(5.0) + around));
        bench.manner("doctor", Manner::answers_after(seconds(2.0)));
        bench.call(CallPlan::to(DIALLED).talk(seconds(4.0) + around));
        bench.finish();
        // Who hangs up while nobody is with her any more has given up on the physicians' line.
        let [ended] = bench.outcomes()[..] else {
            panic!("seed {seed}: {:?}", bench.outcomes());
        };
        assert!(["answered", "abandoned"].contains(&ended), "seed {seed}");
        (answered, abandoned) = match ended {
            "answered" => (answered + 1, abandoned),
            _ => (answered, abandoned + 1),
        };
    }
    assert!(answered > 10 && abandoned > 0, "{answered}, {abandoned}");
}
