//! What is not forwarded (RFC 3261 §16.3).

use sip::HeaderName;

use super::{ANNE, Bench, CALLER, find, invite, lines, phone, request};

const URI: &str = "sip:anne@samu67.example";

fn bench() -> Bench {
    Bench::new().with_targets(URI, vec![vec![phone("anne", ANNE)]])
}

#[test]
fn each_with_its_own_answer() {
    let mut nobody = Bench::new().with_targets(URI, Vec::new());
    let sent = nobody.receive(CALLER, &invite(URI));
    assert_eq!(lines(&sent), [format!("480 {CALLER}")]);
    for (text, answer) in [
        (
            invite(URI).replace("Max-Forwards: 70", "Max-Forwards: 0"),
            "483",
        ),
        (invite("http:whatever"), "416"),
        (invite("sip:anne@unknown.example"), "480"),
        (request("INVITE", URI, "Proxy-Require: foo, bar\r\n"), "420"),
    ] {
        let mut bench = bench();
        let sent = bench.receive(CALLER, &text);
        assert_eq!(lines(&sent), [format!("{answer} {CALLER}")], "{text}");
        assert!(bench.proxy.is_empty());
    }
}

#[test]
fn a_request_that_comes_back_as_it_was_is_in_a_loop() {
    let mut bench = bench();
    let forwarded = find(&bench.receive(CALLER, &invite(URI)), "INVITE").clone();
    // Somebody sends it back to us, for the same address as before.
    let back = forwarded
        .text()
        .replace(&format!("sip:anne@{ANNE} SIP"), &format!("{URI} SIP"))
        .replacen(
            "Via: SIP/2.0/UDP 192.0.2.1",
            "Via: SIP/2.0/UDP 192.0.2.20;branch=z9hG4bKback\r\nVia: SIP/2.0/UDP 192.0.2.1",
            1,
        );
    let sent = bench.receive(ANNE, &back);
    assert_eq!(lines(&sent), ["482 192.0.2.20:5060"]);
}

#[test]
fn a_request_that_comes_back_changed_is_a_spiral_and_goes_on() {
    let mut bench = bench().with_targets(
        "sip:other@samu67.example",
        vec![vec![phone("bruno", super::BRUNO)]],
    );
    let forwarded = find(&bench.receive(CALLER, &invite(URI)), "INVITE").clone();
    let back = forwarded
        .text()
        .replace(
            &format!("sip:anne@{ANNE} SIP"),
            "sip:other@samu67.example SIP",
        )
        .replacen(
            "Via: SIP/2.0/UDP 192.0.2.1",
            "Via: SIP/2.0/UDP 192.0.2.20;branch=z9hG4bKback\r\nVia: SIP/2.0/UDP 192.0.2.1",
            1,
        );
    let sent = bench.receive(ANNE, &back);
    assert_eq!(
        find(&sent, "INVITE").flow.remote,
        super::BRUNO.parse().unwrap()
    );
    assert_eq!(find(&sent, "INVITE").values(HeaderName::Via).len(), 4);
}

#[test]
fn at_the_limit_of_transactions_nothing_is_kept() {
    let mut bench = bench();
    let mut answers = Vec::new();
    for number in 0..60 {
        let text = invite(URI).replace("z9hG4bK-", &format!("z9hG4bK-{number}-"));
        let text = text.replace("call-1", &format!("call-{number}"));
        answers.extend(
            bench
                .receive(CALLER, &text)
                .into_iter()
                .map(|one| one.kind()),
        );
    }
    assert!(answers.contains(&"503".to_owned()));
    bench.assert_drains();
}
