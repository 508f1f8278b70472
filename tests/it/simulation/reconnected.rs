//! Phones that are reached by the connections alone which they open, and lose them while they talk.

use std::net::SocketAddr;

use engine::acd::{PauseReason, Want};
use sim::{Answer, CallPlan, Manner};

use super::{Bench, DIALLED, NODE, Site, address, configuration, seconds};

const PHONE: &str = "203.0.113.9:5060";
const INSIDE: &str = "10.0.0.9:5060";

/// A centre with an agent whose phone is behind a NAT and has just answered a call. The caller hangs up after so long.
struct Talk {
    bench: Bench,
    text: String,
    phone: SocketAddr,
}

impl Talk {
    fn of(lasts: f64) -> Self {
        let mut talk = Self::before();
        talk.call(lasts);
        talk.bench.world.run_for(seconds(3.0));
        assert_eq!(talk.bench.state("arm-1"), "talking");
        talk
    }

    /// Before anybody calls.
    fn before() -> Self {
        Self::without("contact = \"sip:arm-2@203.0.113.1:5060\"\n")
    }

    /// With a colleague who can be rung.
    fn before_with_colleague() -> Self {
        Self::without("no such line")
    }

    fn without(line: &str) -> Self {
        let site = Site {
            id: "FR670",
            neighbours: &[],
            reserve: 0,
            agents: &["arm-1", "arm-2"],
        };
        let plan = "[[overflow.step]]\nafter = \"1h\"\nraise = 1\n";
        let text = configuration(&[site], plan);
        let text = text.replace("contact = \"sip:arm-1@203.0.113.1:5060\"\n", "");
        let text = text.replace(line, "");
        let over_tcp = format!("[[listen]]\ntransport = \"tcp\"\naddress = \"{NODE}\"\n");
        let text = text.replacen("[http]", &format!("{over_tcp}[http]"), 1);
        let mut bench = Bench::new(&text, 1, sim::Weather::CALM);
        let place = (address(PHONE), address(INSIDE));
        let manner = Manner::answers_after(seconds(1.0));
        let phone = bench
            .world
            .add_phones_behind_nat("softphone", place, manner);
        let mut talk = Self { bench, text, phone };
        talk.register();
        talk.bench.world.run_for(seconds(1.0));
        talk
    }

    fn call(&mut self, lasts: f64) {
        let plan = CallPlan::to(DIALLED).talk(seconds(lasts));
        self.bench.call(plan);
    }

    fn register(&mut self) {
        let (phone, node) = (self.phone, self.bench.node);
        self.bench
            .world
            .register(phone, node, "arm-1", "samu.example");
    }
}

/// How often the phone has answered that its call is over.
fn byes_heard(ladder: &str) -> usize {
    let heard = |line: &&str| line.contains("softphone -> node") && line.contains(" BYE)");
    ladder.lines().filter(heard).count()
}

#[test]
fn a_phone_that_connects_anew_keeps_its_call_and_hears_its_end() {
    let mut talk = Talk::of(20.0);
    let phone = talk.phone;
    talk.bench.world.disconnect(phone);
    talk.bench.world.run_for(seconds(2.0));
    talk.register();
    let ladder = talk.bench.finish();
    assert_eq!(byes_heard(&ladder), 1, "{ladder}");
    assert_eq!(talk.bench.outcomes(), ["answered"]);
    insta::assert_snapshot!(ladder);
}

#[test]
fn a_phone_that_connects_anew_to_the_next_process_keeps_its_call_and_hears_its_end() {
    let mut talk = Talk::of(20.0);
    talk.bench.restart(&talk.text, 2, seconds(1.0));
    talk.bench.world.run_for(seconds(2.0));
    talk.register();
    let ladder = talk.bench.finish();
    assert_eq!(byes_heard(&ladder), 1, "{ladder}");
    assert_eq!(talk.bench.outcomes(), ["answered"]);
}

/// Its caller has hung up meanwhile: in an empty call it would be rung for the next. After half a minute the BYE is still
/// being said, after two it has been given up.
#[test]
fn a_phone_that_comes_back_after_its_call_hears_so_first() {
    for (is_restarted, away) in [(false, 30.0), (true, 30.0), (false, 120.0), (true, 120.0)] {
        let mut talk = Talk::of(5.0);
        let phone = talk.phone;
        match is_restarted {
            true => talk.bench.restart(&talk.text, 2, seconds(1.0)),
            false => talk.bench.world.disconnect(phone),
        }
        talk.bench.world.run_for(seconds(away));
        talk.register();
        talk.bench.world.run_for(seconds(1.0));
        let ladder = talk.bench.world.ladder().to_string();
        assert_eq!(byes_heard(&ladder), 1, "{ladder}");
        talk.bench.call(CallPlan::to(DIALLED).talk(seconds(5.0)));
        let ladder = talk.bench.finish();
        assert_eq!(byes_heard(&ladder), 2, "{ladder}");
        assert_eq!(talk.bench.outcomes(), ["answered", "answered"]);
    }
}

/// For longer than its registration lasts.
#[test]
fn a_phone_that_was_away_for_hours_keeps_its_call_and_hears_its_end() {
    let mut talk = Talk::of(4_100.0);
    let phone = talk.phone;
    talk.bench.world.disconnect(phone);
    talk.bench.world.run_for(seconds(4_000.0));
    talk.register();
    let ladder = talk.bench.finish();
    assert_eq!(byes_heard(&ladder), 1, "{ladder}");
    assert_eq!(talk.bench.outcomes(), ["answered"]);
}

/// Phones behind other NATs have the same addresses, and anybody can say that a contact is theirs.
#[test]
fn who_registers_the_contact_of_somebody_else_does_not_have_their_calls() {
    let mut talk = Talk::of(20.0);
    let elsewhere = address("203.0.113.10:5060");
    let register = format!(
        "REGISTER sip:samu.example SIP/2.0\r\n\
         Via: SIP/2.0/UDP 203.0.113.10:5060;branch=z9hG4bKother\r\n\
         From: <sip:arm-2@samu.example>;tag=1\r\nTo: <sip:arm-2@samu.example>\r\n\
         Call-ID: other\r\nCSeq: 1 REGISTER\r\nMax-Forwards: 70\r\n\
         Contact: <sip:arm-1@{INSIDE};transport=tcp>\r\nContent-Length: 0\r\n\r\n"
    );
    let node = talk.bench.node;
    talk.bench.world.send(elsewhere, node, register);
    let ladder = talk.bench.finish();
    assert!(ladder.contains("200 OK (1 REGISTER)"), "{ladder}");
    assert_eq!(byes_heard(&ladder), 1, "{ladder}");
}

/// Somebody registers an agent with the address of the operator in the datagram, and again from elsewhere: as if the
/// operator had moved.
#[test]
fn nobody_takes_the_place_of_an_operator() {
    let mut talk = Talk::of(1_000.0);
    let (node, phone, operator) = (talk.bench.node, talk.phone, talk.bench.operator);
    let elsewhere = "203.0.113.10:5060";
    for (number, from) in [(1, operator), (2, address(elsewhere))] {
        let register = format!(
            "REGISTER sip:samu.example SIP/2.0\r\n\
             Via: SIP/2.0/UDP {elsewhere};branch=z9hG4bKother{number};rport\r\n\
             From: <sip:arm-2@samu.example>;tag=1\r\nTo: <sip:arm-2@samu.example>\r\n\
             Call-ID: other\r\nCSeq: {number} REGISTER\r\nMax-Forwards: 70\r\n\
             Contact: <sip:arm-2@{elsewhere}>\r\nContent-Length: 0\r\n\r\n"
        );
        talk.bench.world.send(from, node, register);
        talk.bench.world.run_for(seconds(1.0));
    }
    talk.bench.world.hang_up_phone(phone, "arm-1");
    let ladder = talk.bench.finish();
    for number in [1, 2] {
        let accepted = format!("200 OK ({number} REGISTER)");
        assert!(ladder.contains(&accepted), "{ladder}");
    }
    assert!(
        ladder.contains("caller   -> node     200 OK (1 BYE)"),
        "{ladder}"
    );
}

/// It rings, and nobody has noticed that its connection is gone, when it comes back by another. It is longer in its call
/// than the transaction of its INVITE is known.
#[test]
fn a_phone_that_connects_anew_while_it_rings_hears_the_end_of_the_call_that_it_answers() {
    let mut talk = Talk::before();
    let phone = talk.phone;
    let manner = Manner::answers_after(seconds(6.0));
    talk.bench.world.set_manner(phone, "arm-1", manner);
    talk.call(200.0);
    talk.bench.world.run_for(seconds(1.0));
    assert_eq!(talk.bench.state("arm-1"), "offered");
    talk.bench.world.disconnect_unheard(phone);
    talk.bench.world.run_for(seconds(0.1));
    talk.register();
    talk.bench.world.run_for(seconds(200.0));
    let ladder = talk.bench.finish();
    assert_eq!(byes_heard(&ladder), 1, "{ladder}");
    assert_eq!(talk.bench.outcomes(), ["answered"]);
}

/// Its last call has ended while it was away, and it is to hear that before it is rung again.
#[test]
fn a_phone_that_is_rung_once_it_has_heard_the_end_of_its_last_call_hears_that_of_the_next() {
    let mut talk = Talk::of(5.0);
    let phone = talk.phone;
    talk.bench.world.run_for(seconds(1.0));
    talk.bench.world.disconnect_unheard(phone);
    // The caller hangs up, and the agent is ready again before anybody has noticed.
    talk.bench.world.run_for(seconds(7.5));
    talk.call(200.0);
    talk.bench.world.run_for(seconds(0.1));
    talk.register();
    talk.bench.world.run_for(seconds(250.0));
    let ladder = talk.bench.finish();
    assert_eq!(byes_heard(&ladder), 2, "{ladder}");
}

/// Nobody has noticed that its connection is gone, when its caller hangs up.
#[test]
fn a_phone_that_connects_anew_while_it_rings_is_told_to_stop() {
    let mut talk = Talk::before();
    let phone = talk.phone;
    let manner = Manner::answers(Answer::Never);
    talk.bench.world.set_manner(phone, "arm-1", manner);
    let plan = CallPlan::to(DIALLED).patience(seconds(4.0));
    talk.bench.call(plan);
    talk.bench.world.run_for(seconds(1.0));
    talk.bench.world.disconnect_unheard(phone);
    talk.bench.world.run_for(seconds(0.1));
    talk.register();
    let ladder = talk.bench.finish();
    let stopped = ladder.lines().filter(|line| {
        line.contains("softphone -> node") && line.contains("487 Request Terminated")
    });
    assert_eq!(stopped.count(), 1, "{ladder}");
}

/// The agent has called.
#[test]
fn a_phone_that_has_called_and_connects_anew_hears_that_the_other_hangs_up() {
    for away in [2.0, 60.0] {
        let mut talk = Talk::before_with_colleague();
        let (phone, node) = (talk.phone, talk.bench.node);
        let (agent, reason) = (
            talk.bench.agent("arm-1"),
            PauseReason::new("break").unwrap(),
        );
        talk.bench
            .world
            .set_agent(node, agent, Want::NotReady { reason });
        let plan = CallPlan::to(DIALLED).identity("sip:arm-1@samu.example");
        talk.bench
            .world
            .call(phone, node, plan.talk(seconds(1_000.0)));
        talk.bench.world.run_for(seconds(5.0));
        assert_eq!(talk.bench.state("arm-2"), "talking");
        talk.bench.world.disconnect(phone);
        talk.bench.world.run_for(seconds(1.0));
        let hangs_up = |talk: &mut Talk| {
            let phones = talk.bench.phones;
            talk.bench.world.hang_up_phone(phones, "arm-2");
        };
        if away > 40.0 {
            hangs_up(&mut talk);
        }
        talk.bench.world.run_for(seconds(away));
        talk.register();
        talk.bench.world.run_for(seconds(5.0));
        if away < 40.0 {
            hangs_up(&mut talk);
        }
        let ladder = talk.bench.finish();
        assert_eq!(byes_heard(&ladder), 1, "{ladder}");
    }
}

/// A colleague has called its number: that is forwarded, and the route of its dialog names the connection of before.
#[test]
fn a_phone_that_was_called_by_its_number_and_connects_anew_hears_that_the_other_hangs_up() {
    let mut talk = Talk::before_with_colleague();
    let (phone, phones, node) = (talk.phone, talk.bench.phones, talk.bench.node);
    let plan = CallPlan::to("sip:arm-1@samu.example").identity("sip:arm-2@samu.example");
    talk.bench
        .world
        .call(phones, node, plan.talk(seconds(400.0)));
    talk.bench.world.run_for(seconds(5.0));
    talk.bench.world.disconnect(phone);
    talk.bench.world.run_for(seconds(1.0));
    talk.register();
    // What is known for a time is forgotten when something else is due: a call, whose end is heard, too.
    talk.bench.world.run_for(seconds(100.0));
    talk.call(5.0);
    talk.bench.world.run_for(seconds(300.0));
    let ladder = talk.bench.finish();
    assert_eq!(byes_heard(&ladder), 2, "{ladder}");
}

/// The agent has called by the phone on the desk, and the other one comes back.
#[test]
fn a_call_stays_with_the_phone_that_has_it_when_another_of_the_same_agent_connects_anew() {
    let mut talk = Talk::before_with_colleague();
    let (phones, node) = (talk.bench.phones, talk.bench.node);
    let (agent, reason) = (
        talk.bench.agent("arm-1"),
        PauseReason::new("break").unwrap(),
    );
    talk.bench
        .world
        .set_agent(node, agent, Want::NotReady { reason });
    talk.bench
        .world
        .register(phones, node, "arm-1", "samu.example");
    talk.bench.world.run_for(seconds(1.0));
    let plan = CallPlan::to(DIALLED).identity("sip:arm-1@samu.example");
    let plan = plan.talk(seconds(1_000.0));
    talk.bench.world.call(phones, node, plan);
    talk.bench.world.run_for(seconds(5.0));
    assert_eq!(talk.bench.state("arm-2"), "talking");
    let phone = talk.phone;
    talk.bench.world.disconnect(phone);
    talk.bench.world.run_for(seconds(1.0));
    talk.register();
    talk.bench.world.run_for(seconds(1.0));
    talk.bench.world.hang_up_phone(phones, "arm-2");
    let ladder = talk.bench.finish();
    assert_eq!(byes_heard(&ladder), 0, "{ladder}");
}

/// The agent has sent the call on to a line, and stays until somebody there answers.
#[test]
fn a_phone_that_has_sent_its_call_on_and_connects_anew_hears_when_it_is_taken() {
    let mut talk = Talk::before_with_colleague();
    let phone = talk.phone;
    let sends_on = Manner::answers_after(seconds(1.0)).transfers(seconds(2.0), DIALLED);
    talk.bench.world.set_manner(phone, "arm-1", sends_on);
    talk.bench
        .manner("arm-2", Manner::answers_after(seconds(9.0)));
    talk.call(200.0);
    talk.bench.world.run_for(seconds(6.0));
    talk.bench.world.disconnect(phone);
    talk.bench.world.run_for(seconds(1.0));
    talk.register();
    talk.bench.world.run_for(seconds(200.0));
    let ladder = talk.bench.finish();
    assert_eq!(byes_heard(&ladder), 1, "{ladder}");
}
