//! Calls that reach an agent.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use engine::{
    Direction, Event,
    acd::Want,
    sip_transaction::{Attempt, MessageKind},
};
use sim::{CallPlan, Fate, Manner, PeerEvent, Quirk, Weather};

use super::{AFTER_20_S, Bench, DIALLED, PHONES, Site, address, configuration, seconds};

#[test]
fn answered_at_once() {
    let mut bench = Bench::one_site(&["arm-1"]);
    bench.call(CallPlan::to(DIALLED).talk(seconds(10.0)));
    bench.world.run_for(seconds(5.0));
    assert_eq!(bench.state("arm-1"), "talking");
    bench.world.run_for(seconds(8.0));
    assert_eq!(bench.state("arm-1"), "wrap-up");
    insta::assert_snapshot!(bench.finish());
    assert_eq!(bench.outcomes(), ["answered"]);
    assert_eq!(bench.state("arm-1"), "ready");
}

#[test]
fn waits_then_answered_when_an_agent_becomes_ready() {
    let mut bench = Bench::one_site(&["arm-1"]);
    let (node, agent) = (bench.node, bench.agent("arm-1"));
    bench.world.set_agent(node, agent, Want::LoggedOut);
    bench.call(CallPlan::to(DIALLED).talk(seconds(10.0)));
    bench.world.run_for(seconds(70.0));
    bench.world.set_agent(node, agent, Want::Ready);
    insta::assert_snapshot!(bench.finish());
    assert_eq!(bench.outcomes(), ["answered"]);
}

#[test]
fn the_agent_hangs_up() {
    let mut bench = Bench::one_site(&["arm-1"]);
    bench.manner(
        "arm-1",
        Manner::answers_after(seconds(2.0)).talks(seconds(7.0)),
    );
    bench.call(CallPlan::to(DIALLED));
    insta::assert_snapshot!(bench.finish());
    assert_eq!(bench.outcomes(), ["answered"]);
}

#[test]
fn hold_and_back() {
    let mut bench = Bench::one_site(&["arm-1"]);
    bench.call(
        CallPlan::to(DIALLED)
            .talk(seconds(20.0))
            .quirk(Quirk::Hold(seconds(5.0))),
    );
    insta::assert_snapshot!(bench.finish());
    let bodies: Vec<_> = bench
        .world
        .peer_events()
        .iter()
        .filter_map(|(_, _, event)| match event {
            PeerEvent::Body { body, .. } => Some(String::from_utf8_lossy(body).into_owned()),
            _ => None,
        })
        .collect();
    assert_eq!(bodies.len(), 2);
    assert!(bodies[0].contains("a=sendonly") && bodies[1].contains("a=sendrecv"));
}

#[test]
fn an_offer_that_comes_late_is_answered_in_the_ack() {
    let mut bench = Bench::one_site(&["arm-1"]);
    bench.call(
        CallPlan::to(DIALLED)
            .talk(seconds(5.0))
            .quirk(Quirk::LateOffer),
    );
    insta::assert_snapshot!(bench.finish());
    assert_eq!(bench.outcomes(), ["answered"]);
}

#[test]
fn a_registered_phone_is_rung_where_it_registered() {
    let mut bench = Bench::one_site(&["arm-1"]);
    let elsewhere = super::address("203.0.113.9:5062");
    bench
        .world
        .add_peer("desk", elsewhere, Manner::answers_after(seconds(1.0)));
    let node = bench.node;
    bench
        .world
        .register(elsewhere, node, "arm-1", "samu.example");
    bench.world.run_for(seconds(1.0));
    bench.call(CallPlan::to(DIALLED).talk(seconds(5.0)));
    insta::assert_snapshot!(bench.finish());
    assert_eq!(bench.outcomes(), ["answered"]);
}

/// Bits flip in the branch of an answer: it answers nothing, and whoever gave it is not hung up for that.
#[test]
fn an_answer_with_another_branch_costs_nobody_the_call() {
    let mut bench = Bench::one_site(&["arm-1"]);
    let caught = Rc::new(RefCell::new(None));
    let sink = caught.clone();
    bench.world.set_filter(Box::new(move |datagram| {
        let is_answer = datagram.from == address(PHONES)
            && datagram.bytes.starts_with(b"SIP/2.0 200")
            && datagram.bytes.windows(8).any(|part| part == b"1 INVITE");
        match is_answer && sink.borrow().is_none() {
            true => {
                sink.replace(Some(datagram.bytes.clone()));
                Fate::Lost
            }
            false => Fate::Passes,
        }
    }));
    bench.call(CallPlan::to(DIALLED).talk(seconds(10.0)));
    bench.world.run_for(seconds(2.1));
    let answer = caught.borrow_mut().take().expect("it has answered");
    caught.replace(Some(answer.clone()));
    let text = String::from_utf8(answer.to_vec()).unwrap();
    let damaged = text.replacen("branch=z9hG4bK", "branch=z9hG4bKx", 1);
    let (phones, node) = (bench.phones, bench.node);
    bench.world.send(phones, node, damaged.into_bytes());
    bench.world.run_for(seconds(5.0));
    assert_eq!(bench.state("arm-1"), "talking");
    let events = bench.world.peer_events().iter();
    let ended = events.filter(|(_, _, event)| matches!(event, PeerEvent::Ended { .. }));
    assert_eq!(ended.count(), 0, "{}", bench.world.ladder());
    bench.finish();
    assert_eq!(bench.outcomes(), ["answered"]);
}

#[test]
fn what_identifies_and_places_the_caller_reaches_the_agent() {
    let mut bench = Bench::one_site(&["arm-1"]);
    let invite = "INVITE sip:+33300000000@192.0.2.1:5060 SIP/2.0\r\n\
        Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKraw1\r\n\
        Max-Forwards: 70\r\nFrom: \"Jeanne\" <sip:+33612345678@op.example>;tag=r1\r\n\
        To: <sip:15@op.example>\r\nCall-ID: raw-1\r\nCSeq: 1 INVITE\r\n\
        Contact: <sip:198.51.100.7>\r\nP-Asserted-Identity: <tel:+33612345678>\r\n\
        Privacy: id\r\nHistory-Info: <sip:15@op.example>;index=1\r\n\
        Geolocation: <cid:loc@op.example>\r\nGeolocation-Routing: yes\r\n\
        Resource-Priority: esnet.0\r\nUser-to-User: 56a3;encoding=hex\r\n\
        Call-Info: <urn:emergency:uid:incidentid:1:op.example>;purpose=emergency-IncidentId\r\n\
        Content-Type: multipart/mixed;boundary=b1\r\n\r\n\
        --b1\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\
        --b1\r\nContent-Type: application/pidf+xml\r\nContent-ID: <loc@op.example>\r\n\r\n\
        <presence/>\r\n--b1--\r\n";
    let caught = Rc::new(RefCell::new(None));
    let sink = caught.clone();
    let phones = bench.phones;
    bench.world.set_filter(Box::new(move |datagram| {
        if datagram.to == phones && datagram.bytes.starts_with(b"INVITE") {
            sink.borrow_mut()
                .get_or_insert_with(|| datagram.bytes.clone());
        }
        sim::Fate::Passes
    }));
    let node = bench.node;
    bench
        .world
        .send(super::address("198.51.100.7:5060"), node, invite);
    bench.world.run_for(seconds(0.1));
    let bytes = caught.borrow_mut().take().expect("the phone is rung");
    let sent = String::from_utf8(bytes.to_vec()).unwrap();
    for carried in [
        "From: \"Jeanne\" <sip:+33612345678@op.example>;tag=",
        "P-Asserted-Identity: <tel:+33612345678>\r\n",
        "Privacy: id\r\n",
        "History-Info: <sip:15@op.example>;index=1\r\n",
        "Geolocation: <cid:loc@op.example>\r\n",
        "Geolocation-Routing: yes\r\n",
        "Resource-Priority: esnet.0\r\n",
        "User-to-User: 56a3;encoding=hex\r\n",
        "purpose=emergency-IncidentId\r\n",
        "purpose=emergency-CallId\r\n",
        "Content-Type: multipart/mixed;boundary=b1\r\n",
        "Content-ID: <loc@op.example>\r\n\r\n<presence/>\r\n--b1--\r\n",
        "Max-Forwards: 69\r\n",
    ] {
        assert!(sent.contains(carried), "{carried} is missing in\n{sent}");
    }
}

#[test]
fn both_sides_hold_at_once() {
    let mut bench = Bench::one_site(&["arm-1"]);
    let manner = Manner::answers_after(seconds(2.0)).holds(seconds(5.0));
    bench.manner("arm-1", manner);
    let hold = Quirk::Hold(seconds(5.0));
    bench.call(CallPlan::to(DIALLED).talk(seconds(20.0)).quirk(hold));
    insta::assert_snapshot!(bench.finish());
    assert_eq!(bench.outcomes(), ["answered"]);
}

/// The BYE to the agent's phone is lost three times: the next call rings there when the phone has heard it, or
/// when it has gone out so often that the phone may be rung all the same.
#[test]
fn a_phone_that_has_not_heard_the_end_of_its_call_is_not_rung_for_the_next() {
    for (lost, rung_after) in [(0, 0.0), (1, 0.5), (2, 1.5), (9, 2.0)] {
        let site = Site {
            id: "FR670",
            neighbours: &[],
            reserve: 0,
            agents: &["arm-1"],
        };
        let text =
            configuration(&[site], AFTER_20_S).replace("wrap_up = \"5s\"", "wrap_up = \"0s\"");
        let mut bench = Bench::new(&text, 1, Weather::CALM);
        bench.manner("arm-1", Manner::answers_after(seconds(0.0)));
        let left = Cell::new(lost);
        bench.world.set_filter(Box::new(move |datagram| {
            let is_it = datagram.to == address(PHONES) && datagram.bytes.starts_with(b"BYE ");
            if is_it && left.get() > 0 {
                left.set(left.get() - 1);
                return Fate::Lost;
            }
            Fate::Passes
        }));
        bench.call(CallPlan::to(DIALLED).talk(seconds(3.0)));
        bench.world.run_for(seconds(1.0));
        bench.call(CallPlan::to(DIALLED).talk(seconds(3.0)));
        bench.world.run_for(seconds(40.0));
        let ends = |(at, event): &(Duration, Event)| {
            matches!(event, Event::CallEnded { .. }).then_some(at.as_secs_f64())
        };
        let rings = |(at, event): &(Duration, Event)| {
            let kind = MessageKind::Request("INVITE");
            let is_it = matches!(event, Event::Message { direction: Direction::Out, kind: sent, attempt: Attempt::First } if *sent == kind);
            is_it.then_some(at.as_secs_f64())
        };
        let events = bench.world.events();
        let ended = events.iter().find_map(ends).unwrap();
        let rung = events.iter().filter_map(rings).nth(1).unwrap();
        let waited = rung - ended;
        assert!(
            (waited - rung_after).abs() < 0.1,
            "{lost} lost: rung after {waited} s"
        );
        bench.finish();
        assert_eq!(bench.outcomes(), ["answered"; 2]);
    }
}
