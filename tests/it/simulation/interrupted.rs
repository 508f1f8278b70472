//! A process dies while somebody else is about to have a call: what becomes of them under the next.

use engine::call::StageView;
use sim::{Answer, CallPlan, Fate, HungUpBy, Manner, PeerEvent, SessionId};

use super::{
    Bench, DIALLED, PHONES, address, attended, diverted,
    restart::one_site,
    seconds,
    transfers::{self, ARM_2},
};

/// Where telephones outside are.
const OUTSIDE: &str = "203.0.113.9:5060";

impl Bench {
    /// How all calls stand, and at which place.
    fn stages(&self) -> Vec<(StageView, Option<usize>)> {
        let calls = self.world.node(self.node).calls(self.world.now());
        calls.iter().map(|call| (call.stage, call.place)).collect()
    }

    /// Whether anybody at a peer has ever had a call.
    fn connected(&self, peer: &str) -> bool {
        let mut events = self.world.peer_events().iter();
        events.any(|(_, at, event)| {
            *at == address(peer) && matches!(event, PeerEvent::Connected { .. })
        })
    }
}

/// Two phones answer one INVITE, and what one of them says is heard by the next process only: nobody has the
/// call that it is in, whether the other's still lasts or not.
#[test]
fn a_phone_that_answered_beside_another_is_hung_up_by_the_next_process() {
    for talks in [0.2, 60.0] {
        let (mut bench, text) = one_site();
        bench.manner("arm-1", Manner::answers(Answer::Twice(seconds(1.0))));
        let mut is_first = true;
        bench.world.set_filter(Box::new(move |datagram| {
            let is_answer = datagram.from == address(PHONES)
                && datagram.bytes.starts_with(b"SIP/2.0 200")
                && datagram.bytes.windows(8).any(|part| part == b"1 INVITE");
            match is_answer && std::mem::take(&mut is_first) {
                true => Fate::Lost,
                false => Fate::Passes,
            }
        }));
        bench.call(CallPlan::to(DIALLED).talk(seconds(talks)));
        bench.world.run_for(seconds(1.1));
        assert_eq!(bench.state("arm-1"), "talking");
        bench.restart(&text, 2, seconds(1.0));
        // It says so again 1.5 s after it answered.
        bench.world.run_for(seconds(1.0));
        let hung_up = bench.world.peer_events().iter().any(|(_, at, event)| {
            let is_over = matches!(
                event,
                PeerEvent::Ended {
                    by: HungUpBy::Them,
                    ..
                }
            );
            *at == bench.phones && is_over
        });
        assert!(hung_up, "talks for {talks} s\n{}", bench.world.ladder());
        let expected = match talks < 1.0 {
            true => "wrap-up",
            false => "talking",
        };
        assert_eq!(bench.state("arm-1"), expected);
        bench.finish();
    }
}

/// An agent sends a call on, and the next configuration does not know that agent: who has the call keeps it.
#[test]
fn who_sends_a_call_on_keeps_it_when_the_configuration_has_forgotten_who_that_is() {
    for answer in [Answer::After(seconds(5.0)), Answer::Never] {
        let mut bench = transfers::bench();
        let sends_on = Manner::answers_after(seconds(1.0)).transfers(seconds(3.0), ARM_2);
        bench.manner("arm-1", sends_on);
        bench.manner("arm-2", Manner::answers(answer));
        let caller = bench.call(CallPlan::to(DIALLED));
        bench.world.run_for(seconds(5.0));
        assert_eq!(bench.state("arm-2"), "offered");
        let text = transfers::centre("").replace("\"arm-1\"", "\"arm-3\"");
        let loaded = config::load("test.toml".as_ref(), &text, [2; 4]).unwrap();
        let losses = bench
            .world
            .restart_otherwise(bench.node, loaded.engine, seconds(1.0));
        assert_eq!(losses.len(), 1, "the agent: {losses:?}");
        bench.world.run_for(seconds(60.0));
        assert_eq!(bench.stages(), [(StageView::Connected, None)], "{answer:?}");
        assert_ne!(bench.state("arm-2"), "talking");
        bench.world.hang_up(bench.operator, caller);
        bench.finish();
        assert_eq!(bench.outcomes().len(), 1);
    }
}

/// A telephone outside rings since an agent has sent the call there: it stops, and the agent has the call.
#[test]
fn a_call_that_was_being_sent_outside_is_the_agents_again() {
    for answer in [Answer::After(seconds(5.0)), Answer::Never] {
        let (mut bench, caller) = sent_outside(answer, Manner::answers_after(seconds(1.0)));
        assert_eq!(bench.stages(), [(StageView::Connected, None)], "{answer:?}");
        assert_eq!(bench.state("arm-1"), "talking", "{answer:?}");
        assert!(!bench.connected(OUTSIDE), "{answer:?}");
        bench.world.hang_up(bench.operator, caller);
        transfers::finish(&mut bench);
    }
}

/// The same after the agent has hung up: the caller is with nobody.
#[test]
fn a_caller_who_was_being_sent_outside_and_is_alone_waits_again() {
    for answer in [Answer::After(seconds(5.0)), Answer::Never] {
        let hangs_up = Manner::answers_after(seconds(1.0)).talks(seconds(3.5));
        let (mut bench, caller) = sent_outside(answer, hangs_up);
        assert!(!bench.connected(OUTSIDE), "{answer:?}");
        assert_eq!(
            bench.state("arm-1"),
            "talking",
            "{answer:?}: with the caller again"
        );
        bench.world.hang_up(bench.operator, caller);
        transfers::finish(&mut bench);
    }
}

/// A process dies while a telephone outside rings; a minute later.
fn sent_outside(answer: Answer, agent: Manner) -> (Bench, SessionId) {
    let mut bench = transfers::bench_after_probes();
    bench
        .world
        .set_manner(address(OUTSIDE), "+33388112233", Manner::answers(answer));
    let sends_on = agent.transfers(seconds(3.0), transfers::OUTSIDE);
    bench.manner("arm-1", sends_on);
    let caller = bench.call(CallPlan::to(DIALLED));
    bench.world.run_for(seconds(5.0));
    bench.manner("arm-1", Manner::answers_after(seconds(1.0)));
    let text = transfers::centre(transfers::CARRIER);
    bench.restart(&text, 2, seconds(1.0));
    bench.world.run_for(seconds(60.0));
    (bench, caller)
}

/// A telephone outside rings since a plan has diverted the call there.
#[test]
fn a_call_that_was_diverted_keeps_its_place_and_nobody_outside_has_it() {
    for answer in [Answer::After(seconds(5.0)), Answer::Never] {
        let (mut bench, text) = diverted::bench(Manner::answers(answer));
        bench.call(CallPlan::to(DIALLED).talk(seconds(60.0)));
        bench.world.run_for(seconds(12.0));
        bench.restart(&text, 2, seconds(1.0));
        bench.world.run_for(seconds(10.0));
        assert_eq!(
            bench.stages(),
            [(StageView::Waiting, Some(1))],
            "{answer:?}"
        );
        assert!(!bench.connected(OUTSIDE), "{answer:?}");
        diverted::finish(&mut bench);
    }
}

/// The process dies at each millisecond while somebody takes the caller over, or is brought together with
/// the caller: whoever sent the call on has it or has handed it on, and can send it on again.
#[test]
fn a_transfer_that_was_half_done_is_done_or_has_failed() {
    for step in 0..16 {
        for whom in [ARM_2, transfers::PHYSICIANS] {
            let mut bench = transfers::bench();
            bench.manner("arm-2", Manner::answers_after(seconds(1.0)));
            let (caller, about) = attended::asks_about(&mut bench, whom);
            bench.world.run_for(seconds(10.0));
            attended::bring_together(&mut bench, about);
            bench.world.run_for(seconds(f64::from(step) * 0.001));
            bench.restart(&transfers::centre(""), 2, seconds(0.5));
            bench.world.run_for(seconds(60.0));
            let told = format!("{whom} at {step}\n{}", bench.world.ladder());
            let calls = bench.world.node(bench.node).calls(bench.world.now());
            let talking = ["arm-1", "arm-2", "doctor"]
                .map(|agent| bench.state(agent))
                .iter()
                .filter(|state| *state == "talking")
                .count();
            assert_eq!((calls.len(), talking), (1, 1), "{told}");
            bench.world.hang_up(bench.operator, caller);
            bench.world.hang_up(bench.phones, about);
            for phone in ["arm-1", "arm-2"] {
                bench.world.hang_up_phone(bench.phones, phone);
            }
            bench.finish();
        }
    }
}
