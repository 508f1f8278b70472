//! Several targets: who wins, what is answered, what is called back.

use std::time::Duration;

use sip::HeaderName;

use super::{
    ANNE, BRUNO, Bench, CALLER, Sent, find, forwarding::robbed, invite, lines, phone, request,
};

const URI: &str = "sip:both@samu67.example";

/// Both phones at once.
fn parallel() -> Bench {
    Bench::new().with_targets(URI, vec![vec![phone("anne", ANNE), phone("bruno", BRUNO)]])
}

/// One after the other.
fn serial() -> Bench {
    let groups = vec![vec![phone("anne", ANNE)], vec![phone("bruno", BRUNO)]];
    Bench::new().with_targets(URI, groups)
}

/// The INVITEs to Anne and Bruno.
fn call_both(bench: &mut Bench) -> (Sent, Sent) {
    let sent = bench.receive(CALLER, &invite(URI));
    assert_eq!(
        lines(&sent),
        [
            "INVITE 192.0.2.20:5060",
            "INVITE 192.0.2.30:5060",
            "100 192.0.2.10:5060"
        ]
    );
    (sent[0].clone(), sent[1].clone())
}

#[test]
fn the_first_2xx_wins_and_the_others_are_called_back() {
    let mut bench = parallel();
    let (anne, bruno) = call_both(&mut bench);
    bench.receive(BRUNO, &bruno.answer(180, ""));
    bench.receive(ANNE, &anne.answer(180, ""));
    let sent = bench.receive(ANNE, &anne.answer(200, ""));
    assert_eq!(
        lines(&sent),
        ["200 192.0.2.10:5060", "CANCEL 192.0.2.30:5060"]
    );
    assert_eq!(
        sent[1].values(HeaderName::Reason),
        ["SIP;cause=200;text=\"Call completed elsewhere\""]
    );
    let sent = bench.receive(BRUNO, &bruno.answer(487, ""));
    assert_eq!(lines(&sent), ["ACK 192.0.2.30:5060"], "nothing after a 2xx");
    bench.assert_drains();
}

#[test]
fn a_second_2xx_goes_on_too() {
    let mut bench = parallel();
    let (anne, bruno) = call_both(&mut bench);
    bench.receive(ANNE, &anne.answer(200, ""));
    let sent = bench.receive(BRUNO, &bruno.answer(200, ""));
    assert_eq!(lines(&sent), ["200 192.0.2.10:5060"]);
    assert_eq!(
        sent[0].values(HeaderName::To),
        [format!("<{URI}>;tag=192-0-2-30")]
    );
    bench.assert_drains();
}

#[test]
fn the_next_is_tried_when_the_first_has_refused() {
    let mut bench = serial();
    let sent = bench.receive(CALLER, &invite(URI));
    let anne = find(&sent, "INVITE").clone();
    let sent = bench.receive(ANNE, &anne.answer(486, ""));
    assert_eq!(
        lines(&sent),
        ["ACK 192.0.2.20:5060", "INVITE 192.0.2.30:5060"]
    );
    let bruno = sent[1].clone();
    let sent = bench.receive(BRUNO, &bruno.answer(200, ""));
    assert_eq!(lines(&sent), ["200 192.0.2.10:5060"]);
    bench.assert_drains();
}

#[test]
fn the_next_is_tried_when_the_first_is_silent() {
    let mut bench = serial();
    bench.receive(CALLER, &invite(URI));
    let sent = bench.pass(Duration::from_secs(33));
    let bruno = sent
        .iter()
        .find(|one| one.flow.remote == BRUNO.parse().unwrap())
        .unwrap()
        .clone();
    assert_eq!(bruno.kind(), "INVITE");
    let sent = bench.receive(BRUNO, &bruno.answer(404, ""));
    assert_eq!(
        find(&sent, "404").flow.remote,
        CALLER.parse().unwrap(),
        "who answered knows more than who was silent"
    );
    bench.assert_drains();
}

#[test]
fn nobody_else_is_tried_once_the_caller_has_given_up() {
    let mut bench = serial();
    let text = invite(URI);
    let anne = find(&bench.receive(CALLER, &text), "INVITE").clone();
    bench.receive(ANNE, &anne.answer(180, ""));
    let cancel = text
        .replace("INVITE", "CANCEL")
        .replace("z9hG4bK-CANCEL", "z9hG4bK-INVITE");
    bench.receive(CALLER, &cancel);
    let sent = bench.receive(ANNE, &anne.answer(487, ""));
    assert_eq!(lines(&sent), ["ACK 192.0.2.20:5060", "487 192.0.2.10:5060"]);
    bench.assert_drains();
}

#[test]
fn the_best_answer_is_given() {
    for (anne_says, bruno_says, caller_hears) in [
        (486, 404, 486),
        (404, 486, 404),
        (500, 486, 486),
        (302, 404, 302),
        (404, 407, 407),
        (404, 484, 484),
        (503, 486, 486),
        (503, 500, 500),
        (503, 503, 500),
        (486, 603, 603),
        (603, 302, 603),
    ] {
        let mut bench = parallel();
        let (anne, bruno) = call_both(&mut bench);
        let first = bench.receive(ANNE, &anne.answer(anne_says, ""));
        assert_eq!(
            first[0].kind(),
            "ACK",
            "nothing is said before all have answered"
        );
        let sent = bench.receive(BRUNO, &bruno.answer(bruno_says, ""));
        let status = caller_hears.to_string();
        assert_eq!(
            find(&sent, &status).flow.remote,
            CALLER.parse().unwrap(),
            "{anne_says} and {bruno_says}"
        );
        bench.assert_drains();
    }
}

#[test]
fn the_challenges_of_all_are_given() {
    let mut bench = parallel();
    let (anne, bruno) = call_both(&mut bench);
    bench.receive(
        ANNE,
        &anne.answer(401, "WWW-Authenticate: Digest realm=\"a\",nonce=\"1\"\r\n"),
    );
    let sent = bench.receive(
        BRUNO,
        &bruno.answer(
            407,
            "Proxy-Authenticate: Digest realm=\"b\",nonce=\"2\"\r\n",
        ),
    );
    let answer = find(&sent, "401").text();
    assert_eq!(
        answer
            .matches("WWW-Authenticate: Digest realm=\"a\"")
            .count(),
        1
    );
    assert_eq!(
        answer
            .matches("Proxy-Authenticate: Digest realm=\"b\"")
            .count(),
        1
    );
    bench.assert_drains();
}

#[test]
fn a_6xx_calls_the_others_back_and_waits_for_them() {
    let mut bench = parallel();
    let (anne, bruno) = call_both(&mut bench);
    bench.receive(BRUNO, &bruno.answer(180, ""));
    let sent = bench.receive(ANNE, &anne.answer(603, ""));
    assert_eq!(
        lines(&sent),
        ["ACK 192.0.2.20:5060", "CANCEL 192.0.2.30:5060"]
    );
    let sent = bench.receive(BRUNO, &bruno.answer(487, ""));
    assert_eq!(lines(&sent), ["ACK 192.0.2.30:5060", "603 192.0.2.10:5060"]);
    bench.assert_drains();
}

#[test]
fn what_is_no_invite_has_one_answer() {
    let mut bench = parallel();
    let sent = bench.receive(CALLER, &request("MESSAGE", URI, ""));
    let (anne, bruno) = (sent[0].clone(), sent[1].clone());
    assert_eq!(
        lines(&bench.receive(ANNE, &anne.answer(200, ""))),
        ["200 192.0.2.10:5060"]
    );
    assert!(bench.receive(BRUNO, &bruno.answer(200, "")).is_empty());
    bench.assert_drains();
}

#[test]
fn breadth_is_shared_and_what_is_left_of_it_kept() {
    let mut bench = parallel();
    let text = invite(URI).replace("Contact:", "Max-Breadth: 5\r\nContact:");
    let sent = bench.receive(CALLER, &text);
    let invites: Vec<_> = sent.iter().filter(|one| one.kind() == "INVITE").collect();
    assert_eq!(invites.len(), 2);
    for invite in invites {
        assert!(invite.text().contains("Max-Breadth: 2\r\n"), "5 for two");
    }
    let mut bench = parallel();
    let text = invite(URI).replace("Contact:", "Max-Breadth: 1\r\nContact:");
    let sent = bench.receive(CALLER, &text);
    assert_eq!(
        lines(&sent),
        ["INVITE 192.0.2.20:5060", "100 192.0.2.10:5060"],
        "one at a time"
    );
    let anne = sent[0].clone();
    assert!(anne.text().contains("Max-Breadth: 1\r\n"));
    let sent = bench.receive(ANNE, &anne.answer(486, ""));
    assert_eq!(sent[1].flow.remote, BRUNO.parse().unwrap());
}

#[test]
fn what_somebody_has_accepted_is_asked_of_nobody_else() {
    let mut bench = serial();
    for method in ["MESSAGE", "INVITE"] {
        let sent = bench.receive(CALLER, &request(method, URI, ""));
        let first = find(&sent, method).clone();
        let mut sent = bench.receive(ANNE, &robbed(&first, 200));
        sent.extend(bench.pass(Duration::from_millis(32_300)));
        assert_eq!(lines(&sent), ["502 192.0.2.10:5060"], "{method}");
        bench.assert_drains();
    }
}
