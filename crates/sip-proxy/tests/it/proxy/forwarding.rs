//! One target: what a request and its answers look like on the other side.

use std::time::Duration;

use sip::{HeaderName, Transport};

use crate::support::flow;

use super::{ANNE, BRUNO, Bench, CALLER, Sent, US, find, invite, lines, phone, request};

const URI: &str = "sip:anne@samu67.example";

fn bench() -> Bench {
    Bench::new().with_targets(URI, vec![vec![phone("anne", ANNE)]])
}

#[test]
fn a_request_goes_on_with_our_via_and_one_hop_less() {
    let mut bench = bench();
    let text = invite(URI).replace("Contact:", "X-Unknown:  kept \r\nContact:");
    let sent = bench.receive(CALLER, &text);
    assert_eq!(
        lines(&sent),
        ["INVITE 192.0.2.20:5060", "100 192.0.2.10:5060"]
    );
    let invite = &sent[0];
    assert!(
        invite
            .text()
            .starts_with("INVITE sip:anne@192.0.2.20:5060 SIP/2.0\r\n")
    );
    let vias = invite.values(HeaderName::Via);
    assert!(vias[0].starts_with("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK"));
    assert_eq!(
        vias[1],
        "SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK-INVITE;rport=5060;received=192.0.2.10"
    );
    assert_eq!(invite.values(HeaderName::MaxForwards), ["69"]);
    assert!(invite.text().contains("X-Unknown:  kept \r\n"));
    let routes = invite.values(HeaderName::RecordRoute);
    assert_eq!(routes.len(), 1, "both sides are where they say: {routes:?}");
    assert!(routes[0].ends_with("@192.0.2.1:5060;lr>"));
    bench.assert_drains();
}

#[test]
fn a_request_without_max_forwards_gets_seventy() {
    let mut bench = bench();
    let sent = bench.receive(CALLER, &request("MESSAGE", URI, ""));
    assert_eq!(
        find(&sent, "MESSAGE").values(HeaderName::MaxForwards),
        ["70"]
    );
    assert!(
        find(&sent, "MESSAGE")
            .values(HeaderName::RecordRoute)
            .is_empty(),
        "a MESSAGE makes no dialog"
    );
    assert_eq!(lines(&sent).len(), 1, "no 100 for what is no INVITE");
}

#[test]
fn answers_go_back_without_our_via() {
    let mut bench = bench();
    let forwarded = find(&bench.receive(CALLER, &invite(URI)), "INVITE").clone();
    assert!(bench.receive(ANNE, &forwarded.answer(100, "")).is_empty());
    let ringing = bench.receive(ANNE, &forwarded.answer(180, "X-Mine: 1\r\n"));
    assert_eq!(lines(&ringing), ["180 192.0.2.10:5060"]);
    assert_eq!(ringing[0].values(HeaderName::Via).len(), 1);
    assert!(ringing[0].text().contains("X-Mine: 1\r\n"));
    let contact = format!("Contact: <sip:anne@{ANNE}>\r\n");
    let ok = forwarded.answer(200, &contact);
    assert_eq!(lines(&bench.receive(ANNE, &ok)), ["200 192.0.2.10:5060"]);
    assert_eq!(
        lines(&bench.receive(ANNE, &ok)),
        ["200 192.0.2.10:5060"],
        "each 2xx goes on: its sender repeats it until the ACK"
    );
    bench.assert_drains();
}

/// A datagram says how long it is, a stream does not.
#[test]
fn an_answer_that_does_not_say_how_long_it_is_says_so_over_a_stream() {
    let mut bench = bench();
    let over_tcp = flow(Transport::Tcp, CALLER);
    let sent = bench.receive_over(over_tcp, &invite(URI));
    let ok = find(&sent, "INVITE").answer(200, "Content-Type: application/sdp\r\n");
    assert!(!ok.contains("Content-Length"));
    let answered = bench.receive(ANNE, &(ok + "v=0\r\n"));
    assert_eq!(answered[0].values(HeaderName::ContentLength), ["5"]);
    assert!(answered[0].text().ends_with("\r\n\r\nv=0\r\n"));
}

#[test]
fn an_ack_and_its_repetition_have_one_branch_and_a_bye_follows_the_route() {
    let mut bench = bench();
    let forwarded = find(&bench.receive(CALLER, &invite(URI)), "INVITE").clone();
    let ok = forwarded.answer(200, &format!("Contact: <sip:anne@{ANNE}>\r\n"));
    let ok = bench.receive(ANNE, &ok)[0].clone();
    let route = &ok.values(HeaderName::RecordRoute)[0];
    let inside = |method: &str, cseq: u32, branch: &str| {
        format!(
            "{method} sip:anne@{ANNE} SIP/2.0\r\nVia: SIP/2.0/UDP {CALLER};branch=z9hG4bK{branch}\r\n\
             Route: {route}\r\nFrom: <sip:caller@192.0.2.10>;tag=c\r\n\
             To: <{URI}>;tag=192-0-2-20\r\nCall-ID: call-1\r\nCSeq: {cseq} {method}\r\n\r\n"
        )
    };
    let first = bench.receive(CALLER, &inside("ACK", 1, "ack"));
    assert_eq!(lines(&first), ["ACK 192.0.2.20:5060"]);
    assert!(first[0].values(HeaderName::Route).is_empty());
    let again = bench.receive(CALLER, &inside("ACK", 1, "ack"));
    assert_eq!(first[0].text(), again[0].text());
    let other = bench.receive(CALLER, &inside("ACK", 1, "other"));
    assert_ne!(first[0].text(), other[0].text());
    let bye = bench.receive(CALLER, &inside("BYE", 2, "bye"));
    assert_eq!(lines(&bye), ["BYE 192.0.2.20:5060"]);
    let ok = bench.receive(ANNE, &bye[0].answer(200, ""));
    assert_eq!(lines(&ok), ["200 192.0.2.10:5060"]);
    bench.assert_drains();
}

#[test]
fn a_cancel_goes_on_with_its_reason_and_the_487_comes_back() {
    let mut bench = bench();
    let text = invite(URI);
    let forwarded = find(&bench.receive(CALLER, &text), "INVITE").clone();
    bench.receive(ANNE, &forwarded.answer(180, ""));
    let cancel = text
        .replace("INVITE", "CANCEL")
        .replace("z9hG4bK-CANCEL", "z9hG4bK-INVITE")
        .replace("Contact:", "Reason: SIP;cause=200\r\nContact:");
    let sent = bench.receive(CALLER, &cancel);
    assert_eq!(
        lines(&sent),
        ["200 192.0.2.10:5060", "CANCEL 192.0.2.20:5060"]
    );
    assert_eq!(
        sent[1].values(HeaderName::Via),
        forwarded.values(HeaderName::Via)[..1]
    );
    assert_eq!(sent[1].values(HeaderName::Reason), ["SIP;cause=200"]);
    let sent = bench.receive(ANNE, &forwarded.answer(487, ""));
    assert_eq!(lines(&sent), ["ACK 192.0.2.20:5060", "487 192.0.2.10:5060"]);
    bench.assert_drains();
}

#[test]
fn a_target_that_is_silent_is_a_408_for_an_invite_and_nothing_for_others() {
    let mut bench = bench();
    bench.receive(CALLER, &invite(URI));
    let sent = bench.pass(Duration::from_secs(33));
    assert_eq!(sent.last().unwrap().kind(), "408");
    bench.assert_drains();

    bench.receive(CALLER, &request("MESSAGE", URI, ""));
    let sent = bench.pass(Duration::from_secs(600));
    assert!(sent.iter().all(|one| one.kind() == "MESSAGE"), "RFC 4320");
    bench.assert_drains();
}

#[test]
fn a_cancelled_invite_that_nobody_answers_ends_with_487() {
    let mut bench = bench();
    let text = invite(URI);
    bench.receive(CALLER, &text);
    let cancel = text
        .replace("INVITE", "CANCEL")
        .replace("z9hG4bK-CANCEL", "z9hG4bK-INVITE");
    bench.receive(CALLER, &cancel);
    let sent = bench.pass(Duration::from_secs(33));
    assert_eq!(find(&sent, "487").flow.remote, CALLER.parse().unwrap());
    bench.assert_drains();
}

#[test]
fn timer_c_takes_back_what_rings_for_ever_and_each_1xx_sets_it_anew() {
    let mut bench = bench();
    let forwarded = find(&bench.receive(CALLER, &invite(URI)), "INVITE").clone();
    bench.receive(ANNE, &forwarded.answer(180, ""));
    assert!(bench.pass(Duration::from_secs(170)).is_empty());
    bench.receive(ANNE, &forwarded.answer(180, ""));
    assert!(bench.pass(Duration::from_secs(170)).is_empty());
    // A 100 says nothing of the call.
    bench.receive(ANNE, &forwarded.answer(100, ""));
    let sent = bench.pass(Duration::from_secs(12));
    assert_eq!(sent[0].kind(), "CANCEL");
    let sent = bench.receive(ANNE, &forwarded.answer(487, ""));
    assert_eq!(find(&sent, "487").flow.remote, CALLER.parse().unwrap());
    bench.assert_drains();
}

#[test]
fn timer_c_ends_a_branch_that_ignores_the_cancel() {
    let mut bench = bench();
    let forwarded = find(&bench.receive(CALLER, &invite(URI)), "INVITE").clone();
    bench.receive(ANNE, &forwarded.answer(180, ""));
    let sent = bench.pass(Duration::from_secs(181 + 33));
    assert_eq!(find(&sent, "408").flow.remote, CALLER.parse().unwrap());
    bench.assert_drains();
}

#[test]
fn an_answer_without_the_way_back_is_a_502() {
    let mut bench = bench();
    let forwarded = find(&bench.receive(CALLER, &invite(URI)), "INVITE").clone();
    assert_eq!(
        lines(&bench.receive(ANNE, &robbed(&forwarded, 486))),
        ["ACK 192.0.2.20:5060", "502 192.0.2.10:5060"]
    );
    bench.assert_drains();

    let forwarded = find(
        &bench.receive(CALLER, &request("MESSAGE", URI, "")),
        "MESSAGE",
    )
    .clone();
    assert_eq!(
        lines(&bench.receive(ANNE, &robbed(&forwarded, 200))),
        ["502 192.0.2.10:5060"]
    );
    bench.assert_drains();
}

/// An answer without the Via of whoever asked.
pub(super) fn robbed(forwarded: &Sent, status: u16) -> String {
    let second_via = format!("Via: {}\r\n", forwarded.values(HeaderName::Via)[1]);
    forwarded.answer(status, "").replace(&second_via, "")
}

#[test]
fn a_2xx_without_the_way_back_is_waited_for_again() {
    for comes_again in [true, false] {
        let mut bench = bench();
        let forwarded = find(&bench.receive(CALLER, &invite(URI)), "INVITE").clone();
        assert!(bench.receive(ANNE, &robbed(&forwarded, 200)).is_empty());
        if comes_again {
            let sent = bench.receive(ANNE, &forwarded.answer(200, ""));
            assert_eq!(lines(&sent), ["200 192.0.2.10:5060"]);
        } else {
            let sent = bench.pass(Duration::from_millis(32_300));
            assert_eq!(lines(&sent), ["502 192.0.2.10:5060"], "after timer M");
        }
        bench.assert_drains();
    }
}

#[test]
fn a_registered_path_and_a_target_over_tcp_are_followed() {
    let mut target = phone("anne", ANNE);
    target.routes = vec!["<sip:edge@192.0.2.30;lr>".into()];
    target.flow.remote = BRUNO.parse().unwrap();
    target.flow.transport = sip::Transport::Tcp;
    target.flow.listener = sip_transaction::ListenerId(1);
    let mut bench = Bench::new().with_targets(URI, vec![vec![target]]);
    let sent = bench.receive(CALLER, &invite(URI));
    let invite = find(&sent, "INVITE");
    assert_eq!(
        invite.values(HeaderName::Route),
        ["<sip:edge@192.0.2.30;lr>"]
    );
    assert!(invite.values(HeaderName::Via)[0].starts_with(&format!("SIP/2.0/TCP {US};")));
    assert_eq!(invite.values(HeaderName::ContentLength), ["0"]);
    let routes = invite.values(HeaderName::RecordRoute);
    assert_eq!(routes.len(), 2, "the transport changes: {routes:?}");
    assert!(routes[0].contains(";transport=tcp;lr>") && !routes[1].contains("transport"));
}
