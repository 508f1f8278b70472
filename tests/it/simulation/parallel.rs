//! Several phones ring for one call: the first has it, the others are told so at once.

use std::{cell::RefCell, rc::Rc};

use engine::Event;
use sim::{Answer, CallPlan, Fate, Manner, PeerEvent, Weather};

use super::{Bench, DIALLED, Site, configuration, faults::STORM, seconds};

const AGENTS: [&str; 4] = ["arm-1", "arm-2", "arm-3", "arm-4"];

/// A line whose calls ring three of four agents.
fn bench(seed: u64, weather: Weather) -> Bench {
    let site = Site {
        id: "FR670",
        neighbours: &[],
        reserve: 0,
        agents: &AGENTS,
    };
    let plan = "[[overflow.step]]\nafter = \"20s\"\nwiden = [\"nation\"]\n";
    let text = configuration(&[site], plan);
    let text = text.replace("[[line]]\n", "[[line]]\nparallel = 3\n");
    Bench::new(&text, seed, weather)
}

fn states(bench: &Bench) -> Vec<String> {
    AGENTS.iter().map(|agent| bench.state(agent)).collect()
}

#[test]
fn the_first_to_answer_has_the_call_and_the_others_stop_ringing() {
    let mut bench = bench(1, Weather::CALM);
    bench.manner("arm-1", Manner::answers_after(seconds(9.0)));
    bench.manner("arm-2", Manner::answers_after(seconds(3.0)));
    bench.manner("arm-3", Manner::answers(Answer::Never));
    let cancels = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&cancels);
    bench.world.set_filter(Box::new(move |datagram| {
        if datagram.bytes.starts_with(b"CANCEL") {
            let text = String::from_utf8_lossy(&datagram.bytes);
            let reason = text.lines().find(|line| line.starts_with("Reason:"));
            seen.borrow_mut().push(reason.map(str::to_owned));
        }
        Fate::Passes
    }));
    bench.call(CallPlan::to(DIALLED).talk(seconds(20.0)));
    bench.world.run_for(seconds(2.0));
    assert_eq!(states(&bench), ["offered", "offered", "offered", "ready"]);
    bench.world.run_for(seconds(2.0));
    assert_eq!(states(&bench), ["ready", "talking", "ready", "ready"]);
    insta::assert_snapshot!(bench.finish());
    assert_eq!(bench.outcomes(), ["answered"]);
    // RFC 3326: no missed call to show.
    let elsewhere = "Reason: SIP;cause=200;text=\"Call completed elsewhere\"";
    assert_eq!(*cancels.borrow(), vec![Some(elsewhere.to_owned()); 2]);
    // The caller heard once that it rings.
    let heard = bench.world.peer_events().iter().filter(|(_, at, event)| {
        *at == bench.operator
            && matches!(event, PeerEvent::Progress { status, .. } if status.value() == 180)
    });
    assert_eq!(heard.count(), 1);
}

/// Two people lift the receiver in the same millisecond, or within one: one has the caller, the other
/// is hung up, and both are known to be where they are.
#[test]
fn two_who_answer_at_once_do_not_both_have_the_caller() {
    for seed in 0..40 {
        let mut bench = bench(seed, STORM);
        for agent in AGENTS {
            bench.manner(agent, Manner::answers_after(seconds(2.0)));
        }
        bench.call(CallPlan::to(DIALLED).talk(seconds(30.0)));
        bench.world.run_for(seconds(20.0));
        let talking = states(&bench)
            .iter()
            .filter(|one| **one == "talking")
            .count();
        assert_eq!(talking, 1, "seed {seed}: {:?}", states(&bench));
        bench.finish();
        assert_eq!(bench.outcomes(), ["answered"], "seed {seed}");
    }
}

#[test]
fn one_who_declines_is_replaced_and_a_caller_who_gives_up_frees_all() {
    let mut bench = bench(1, Weather::CALM);
    bench.manner("arm-1", Manner::answers(Answer::DeclineAfter(seconds(1.0))));
    for agent in ["arm-2", "arm-3", "arm-4"] {
        bench.manner(agent, Manner::answers(Answer::Never));
    }
    bench.call(CallPlan::to(DIALLED).patience(seconds(5.0)));
    bench.world.run_for(seconds(2.0));
    assert_eq!(
        states(&bench),
        ["not-ready", "offered", "offered", "offered"]
    );
    bench.world.run_for(seconds(4.0));
    assert_eq!(states(&bench), ["not-ready", "ready", "ready", "ready"]);
    bench.finish();
    assert_eq!(bench.outcomes(), ["abandoned"]);
    let late = bench.world.events().iter();
    let late = late.filter(|(_, event)| matches!(event, Event::LateAnswer { .. }));
    assert_eq!(late.count(), 0);
}
