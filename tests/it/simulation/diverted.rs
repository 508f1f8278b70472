//! The last step of a plan: somebody outside is rung as well, or the caller is turned away.

use engine::acd::Want;
use sim::{Answer, CallPlan, Manner, Weather};

use super::{
    Bench, DIALLED, Site, address, configuration,
    requests::{LINE, RAW, Wire, request},
    seconds,
};

const CARRIER: &str = "[[trunk]]\nname = \"carrier\"\nsources = [\"203.0.113.9\"]\n\
                       prefixes = [\"+33388\"]\nnext_hops = [\"sip:203.0.113.9\"]\n";

/// One agent, who is there or not; after 10 s a private number is rung as well.
pub(super) fn bench(outside: Manner) -> (Bench, String) {
    let site = Site {
        id: "FR670",
        neighbours: &[],
        reserve: 0,
        agents: &["arm-1"],
    };
    let plan = "[[overflow.step]]\nafter = \"10s\"\ndivert = \"sip:+33388112233@carrier\"\n\
                [[overflow.step]]\nafter = \"40s\"\nlast_resort = \"reject\"\n";
    let text = configuration(&[site], plan) + CARRIER;
    let mut bench = Bench::new(&text, 1, Weather::CALM);
    bench
        .world
        .add_peer("outside", address("203.0.113.9:5060"), outside);
    let agent = bench.agent("arm-1");
    bench.world.set_agent(bench.node, agent, Want::LoggedOut);
    (bench, text)
}

/// Lets all end on a node that would go on asking its trunks for a sign of life.
pub(super) fn finish(bench: &mut Bench) {
    bench.world.run_for(seconds(100.0));
    bench.world.drain(bench.node, seconds(1.0));
    bench.finish();
}

fn comes(bench: &mut Bench) {
    let agent = bench.agent("arm-1");
    bench.world.set_agent(bench.node, agent, Want::Ready);
}

#[test]
fn somebody_outside_takes_a_call_that_nobody_here_can_take() {
    let (mut bench, _) = bench(Manner::answers_after(seconds(3.0)));
    bench.call(CallPlan::to(DIALLED).talk(seconds(60.0)));
    bench.world.run_for(seconds(12.0));
    let calls = bench.world.node(bench.node).calls(bench.world.now());
    assert_eq!(calls[0].place, Some(1), "it keeps its place meanwhile");
    bench.world.run_for(seconds(2.0));
    let status = bench.world.node(bench.node).status(bench.world.now());
    assert_eq!((status.connected, status.waiting), (1, 0));
    // Nobody is to think that it is of the highest.
    let calls = bench.world.node(bench.node).calls(bench.world.now());
    assert_eq!(calls[0].priority, None);
    // Whoever comes now has nothing to do with it.
    comes(&mut bench);
    bench.world.run_for(seconds(1.0));
    assert_eq!(bench.state("arm-1"), "ready");
    finish(&mut bench);
    assert_eq!(bench.outcomes(), ["diverted"]);
}

/// Where the caller is, is for the centre alone; a telephone outside would not know the type of such a body, either.
#[test]
fn whoever_is_outside_is_told_how_to_speak_with_the_caller_and_nothing_else() {
    let (bench, _) = bench(Manner::answers(Answer::Never));
    let mut wire = Wire::over(bench);
    let parts = "--b1\r\nContent-Type: application/sdp\r\n\r\nv=0\r\ns=-\r\n\r\n\
                 --b1\r\nContent-Type: application/pidf+xml\r\n\r\n<presence/>\r\n--b1--\r\n";
    let lines = "Privacy: id\r\nContent-Type: multipart/mixed;boundary=b1\r\n";
    let invite = request(RAW, "INVITE", LINE, "i", lines);
    wire.ask(RAW, &(invite + parts));
    wire.bench.world.run_for(seconds(11.0));
    let outside = wire.got("203.0.113.9:5060");
    let invite = outside
        .iter()
        .find(|one| one.starts_with("INVITE"))
        .unwrap();
    assert!(!invite.contains("presence"), "{invite}");
    assert!(
        invite.contains("Content-Type: application/sdp\r\n"),
        "{invite}"
    );
    assert!(invite.ends_with("\r\n\r\nv=0\r\ns=-\r\n"), "{invite}");
}

#[test]
fn an_agent_who_comes_back_first_has_the_call() {
    let (mut bench, _) = bench(Manner::answers(Answer::Never));
    bench.call(CallPlan::to(DIALLED).talk(seconds(30.0)));
    bench.world.run_for(seconds(15.0));
    comes(&mut bench);
    bench.world.run_for(seconds(3.0));
    assert_eq!(bench.state("arm-1"), "talking");
    let status = bench.world.node(bench.node).status(bench.world.now());
    assert_eq!(status.legs, 2, "nobody outside rings any more");
    finish(&mut bench);
    assert_eq!(bench.outcomes(), ["answered"]);
}

#[test]
fn when_nobody_outside_takes_it_either_the_call_goes_on_waiting() {
    let (mut bench, _) = bench(Manner::answers(Answer::Busy));
    bench.call(CallPlan::to(DIALLED).talk(seconds(30.0)));
    bench.world.run_for(seconds(15.0));
    let calls = bench.world.node(bench.node).calls(bench.world.now());
    assert_eq!(calls[0].place, Some(1));
    comes(&mut bench);
    bench.world.run_for(seconds(3.0));
    assert_eq!(bench.state("arm-1"), "talking");
    finish(&mut bench);
    assert_eq!(bench.outcomes(), ["answered"]);
}

#[test]
fn the_very_last_step_turns_the_caller_away() {
    let (mut bench, _) = bench(Manner::answers(Answer::Busy));
    bench.call(
        CallPlan::to(DIALLED)
            .number("+33612345678")
            .talk(seconds(30.0)),
    );
    bench.world.run_for(seconds(39.0));
    assert_eq!(bench.outcomes(), [""; 0]);
    bench.world.run_for(seconds(2.0));
    assert_eq!(bench.outcomes(), ["failed"]);
    let listed = bench.world.node(bench.node).abandoned(bench.world.now());
    let number = listed[0].number.as_ref().map(|number| &**number.expose());
    assert_eq!(number, Some("+33612345678"), "somebody is to call back");
    finish(&mut bench);
}
