//! What the engine answers to whom: requests as text, answers as text.

use std::{cell::RefCell, net::SocketAddr, rc::Rc};

use sim::{Fate, Manner};

use super::{Bench, PHONES, address, seconds};

/// An address of the operator's that no simulated peer answers at.
pub(super) const RAW: &str = "198.51.100.7:5060";
pub(super) const STRANGER: &str = "192.168.66.6:5060";

/// A bench whose wire is read, and which speaks as anybody.
pub(super) struct Wire {
    pub(super) bench: Bench,
    seen: Rc<RefCell<Vec<(SocketAddr, String)>>>,
}

impl Wire {
    pub(super) fn new() -> Self {
        Self::over(Bench::one_site(&["arm-1"]))
    }

    pub(super) fn over(mut bench: Bench) -> Self {
        let seen: Rc<RefCell<Vec<_>>> = Rc::default();
        let sink = seen.clone();
        bench.world.set_filter(Box::new(move |datagram| {
            let text = String::from_utf8_lossy(&datagram.bytes).into_owned();
            sink.borrow_mut().push((datagram.to, text));
            Fate::Passes
        }));
        Self { bench, seen }
    }

    /// Sends text and gives what comes back to its sender within a tenth of a second.
    pub(super) fn ask(&mut self, from: &str, text: &str) -> Vec<String> {
        self.seen.borrow_mut().clear();
        let node = self.bench.node;
        self.bench.world.send(address(from), node, text.to_owned());
        self.bench.world.run_for(seconds(0.1));
        self.got(from)
    }

    /// From now on [`Wire::got`] tells what comes.
    pub(super) fn forget(&mut self) {
        self.seen.borrow_mut().clear();
    }

    /// What came to an address since the last question.
    pub(super) fn got(&self, at: &str) -> Vec<String> {
        let seen = self.seen.borrow();
        let to = seen.iter().filter(|(to, _)| *to == address(at));
        to.map(|(_, text)| text.clone()).collect()
    }
}

/// A request outside a dialog. `lines` come after the usual headers.
pub(super) fn request(from: &str, method: &str, uri: &str, branch: &str, lines: &str) -> String {
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK{branch}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:someone@{from}>;tag=raw\r\nTo: <{uri}>\r\n\
         Call-ID: {branch}\r\nCSeq: 1 {method}\r\nContact: <sip:{from}>\r\n{lines}\r\n"
    )
}

pub(super) const LINE: &str = "sip:+33300000000@192.0.2.1";

pub(super) fn status(answers: &[String]) -> Vec<&str> {
    answers
        .iter()
        .filter_map(|text| text.lines().next())
        .map(|line| line.trim_start_matches("SIP/2.0 "))
        .collect()
}

/// Phones that know the domain by nothing but this address, at which a port is translated or another machine listens.
#[test]
fn a_domain_may_be_an_address() {
    let site = super::Site {
        id: "FR670",
        neighbours: &[],
        reserve: 0,
        agents: &["arm-1"],
    };
    let text = super::configuration(&[site], super::AFTER_20_S);
    let text = text.replace("\"samu.example\"", "\"198.51.100.9\"");
    let mut wire = Wire::over(Bench::new(&text, 1, sim::Weather::CALM));
    let register = request(STRANGER, "REGISTER", "sip:arm-1@198.51.100.9", "own", "");
    assert_eq!(status(&wire.ask(STRANGER, &register)), ["200 OK"]);
}

/// Who asks, what, of whom, and the answer.
const WHO_ASKS_WHAT: &str = "
    stranger | INVITE    | sip:+33300000000@192.0.2.1  | 403 Forbidden
    stranger | OPTIONS   | sip:+33300000000@192.0.2.1  | 403 Forbidden
    stranger | REGISTER  | sip:nobody@samu.example     | 404 Not Found
    stranger | REGISTER  | sip:arm-1@elsewhere.example | 404 Not Found
    stranger | REGISTER  | sip:arm-1@samu.example      | 200 OK
    operator | OPTIONS   | sip:192.0.2.1               | 200 OK
    operator | BYE       | sip:+33300000000@192.0.2.1  | 481 Call/Transaction Does Not Exist
    operator | INFO      | sip:+33300000000@192.0.2.1  | 481 Call/Transaction Does Not Exist
    operator | UPDATE    | sip:+33300000000@192.0.2.1  | 481 Call/Transaction Does Not Exist
    operator | PRACK     | sip:+33300000000@192.0.2.1  | 481 Call/Transaction Does Not Exist
    operator | CANCEL    | sip:+33300000000@192.0.2.1  | 481 Call/Transaction Does Not Exist
    operator | SUBSCRIBE | sip:+33300000000@192.0.2.1  | 405 Method Not Allowed
    operator | REFER     | sip:+33300000000@192.0.2.1  | 405 Method Not Allowed
    operator | DANCE     | sip:+33300000000@192.0.2.1  | 501 Not Implemented
    operator | INVITE    | sip:+33300000000@192.0.2.1  | 100 Trying
    operator | INVITE    | sip:number-of-no-line@x     | 100 Trying
    operator | INVITE    | urn:service:sos.unheard-of  | 100 Trying
";

#[test]
fn who_asks_what_decides_the_answer() {
    for (index, case) in WHO_ASKS_WHAT
        .lines()
        .filter(|line| line.contains('|'))
        .enumerate()
    {
        let parts: Vec<_> = case.split('|').map(str::trim).collect();
        let &[who, method, uri, expected] = parts.as_slice() else {
            panic!("{case}");
        };
        let from = if who == "operator" { RAW } else { STRANGER };
        let mut wire = Wire::new();
        let answers = wire.ask(
            from,
            &request(from, method, uri, &format!("case{index}"), ""),
        );
        assert_eq!(status(&answers).first(), Some(&expected), "{case}");
    }
}

#[test]
fn what_an_agent_dials_wrongly_is_told_so() {
    let mut wire = Wire::new();
    let call = request(PHONES, "INVITE", "sip:99@192.0.2.1", "wrong", "");
    let call = call.replace("<sip:someone@203.0.113.1:5060>", "<sip:arm-1@samu.example>");
    assert_eq!(status(&wire.ask(PHONES, &call)), ["404 Not Found"]);
}

#[test]
fn an_extension_that_is_required_and_unknown_is_named() {
    let mut wire = Wire::new();
    let call = request(RAW, "INVITE", LINE, "ext", "Require: teleport, gruu\r\n");
    let answers = wire.ask(RAW, &call);
    assert_eq!(status(&answers), ["420 Bad Extension"]);
    assert!(
        answers[0].contains("\r\nUnsupported: teleport, gruu\r\n"),
        "{}",
        answers[0]
    );

    let register = request(
        RAW,
        "REGISTER",
        "sip:arm-1@samu.example",
        "path",
        "Require: path\r\n",
    );
    assert_eq!(status(&wire.ask(RAW, &register)), ["200 OK"]);
}

#[test]
fn a_request_that_arrives_on_two_ways_is_served_once() {
    let mut wire = Wire::new();
    let call = request(RAW, "INVITE", LINE, "fork", "");
    let other = call.replace("branch=z9hG4bKfork", "branch=z9hG4bKother");
    assert_eq!(status(&wire.ask(RAW, &call))[0], "100 Trying");
    assert_eq!(status(&wire.ask(RAW, &other)), ["482 Loop Detected"]);
}

#[test]
fn what_is_wrong_is_said_and_costs_nothing() {
    let right = request(RAW, "INVITE", LINE, "wrong", "");
    let cases = [
        ("CSeq: 1 INVITE\r\n", "", "400 "),
        ("CSeq: 1 INVITE\r\n", "CSeq: one INVITE\r\n", "400 "),
        ("CSeq: 1 INVITE\r\n", "CSeq: 1 BYE\r\n", "400 "),
        ("Call-ID: wrong\r\n", "", "400 "),
        ("To: <sip:+33300000000@192.0.2.1>\r\n", "", "400 "),
        ("SIP/2.0\r\nVia", "SIP/7.0\r\nVia", "505 "),
    ];
    for (from, to, expected) in cases {
        let mut wire = Wire::new();
        assert!(right.contains(from), "{from}");
        let answers = wire.ask(RAW, &right.replace(from, to));
        assert_eq!(answers.len(), 1, "{to}: {answers:?}");
        let answer = status(&answers)[0];
        assert!(answer.starts_with(expected), "{to}: {answer}");
        assert_eq!(wire.bench.world.node(wire.bench.node).calls_live(), 0);
    }
}

#[test]
fn a_node_that_is_full_says_when_to_come_again() {
    let text = super::configuration(
        &[super::Site {
            id: "FR670",
            neighbours: &[],
            reserve: 0,
            agents: &[],
        }],
        super::AFTER_20_S,
    ) + "[limits]\ncalls = 1\n";
    let mut wire = Wire::over(Bench::new(&text, 1, sim::Weather::CALM));
    let first = request(RAW, "INVITE", LINE, "first", "");
    assert_eq!(status(&wire.ask(RAW, &first))[0], "100 Trying");
    let second = request(RAW, "INVITE", LINE, "second", "");
    let answers = wire.ask(RAW, &second);
    assert_eq!(status(&answers), ["503 Service Unavailable"]);
    assert!(answers[0].contains("\r\nRetry-After: "), "{}", answers[0]);
}

/// A call between a raw caller and `arm-1`, who answers at once.
pub(super) struct Call {
    pub(super) wire: Wire,
    /// The To of the node's answer.
    to: String,
    /// The node's contact.
    contact: String,
}

impl Call {
    fn connected() -> Self {
        let mut wire = Wire::new();
        wire.bench
            .manner("arm-1", Manner::answers_after(seconds(0.0)));
        let invite = request(RAW, "INVITE", LINE, "call", "");
        let answers = wire.ask(RAW, &invite);
        Self::answered(wire, answers.last().unwrap())
    }

    /// The same when the raw caller has got this answer.
    pub(super) fn answered(wire: Wire, ok: &str) -> Self {
        assert!(ok.starts_with("SIP/2.0 200 "), "{ok}");
        let value = |name: &str| {
            let line = ok.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap().trim().to_owned()
        };
        let (to, contact) = (value("To:"), value("Contact:"));
        let contact = contact.trim_matches(['<', '>']).to_owned();
        let mut call = Self { wire, to, contact };
        call.ask(1, "ACK", "");
        call
    }

    fn text(&self, cseq: u32, method: &str, body: &str) -> String {
        let Self { to, contact, .. } = self;
        let branch = if method == "ACK" {
            "ack".to_owned()
        } else {
            format!("{cseq}")
        };
        format!(
            "{method} {contact} SIP/2.0\r\nVia: SIP/2.0/UDP {RAW};branch=z9hG4bKcall{branch}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:someone@{RAW}>;tag=raw\r\nTo: {to}\r\nCall-ID: call\r\n\
             CSeq: {cseq} {method}\r\nContact: <sip:{RAW}>\r\nContent-Type: text/plain\r\n\
             Content-Length: {len}\r\n\r\n{body}",
            len = body.len()
        )
    }

    pub(super) fn ask(&mut self, cseq: u32, method: &str, body: &str) -> Vec<String> {
        let text = self.text(cseq, method, body);
        self.wire.ask(RAW, &text)
    }
}

#[test]
fn what_one_side_asks_in_the_call_is_asked_of_the_other() {
    for method in ["INFO", "UPDATE", "MESSAGE"] {
        let mut call = Call::connected();
        let answers = call.ask(2, method, "hello, agent");
        assert_eq!(status(&answers), ["200 OK"], "{method}");
        let relayed = call.wire.got(PHONES);
        assert_eq!(relayed.len(), 1, "{relayed:?}");
        assert!(relayed[0].starts_with(method), "{}", relayed[0]);
        assert!(
            relayed[0].ends_with("\r\n\r\nhello, agent"),
            "{}",
            relayed[0]
        );
    }
}

#[test]
fn what_concerns_one_leg_is_answered_on_it() {
    let mut call = Call::connected();
    assert_eq!(status(&call.ask(2, "OPTIONS", "")), ["200 OK"]);
    assert_eq!(
        status(&call.ask(3, "SUBSCRIBE", "")),
        ["405 Method Not Allowed"]
    );
    assert_eq!(
        status(&call.ask(2, "INFO", "")),
        ["500 Server Internal Error"],
        "CSeq goes back"
    );
    // Who has the caller is the centre's to say.
    assert_eq!(status(&call.ask(4, "REFER", "")), ["403 Forbidden"]);
    assert_eq!(call.wire.got(PHONES), Vec::<String>::new());
    assert_eq!(status(&call.ask(5, "BYE", "")), ["200 OK"]);
    assert_eq!(
        status(&call.ask(6, "BYE", "")),
        ["481 Call/Transaction Does Not Exist"]
    );
}

#[test]
fn a_dialog_is_its_tags_and_call_id_and_nothing_less() {
    let changes = [
        ("tag=raw", "tag=forged"),
        ("Call-ID: call", "Call-ID: other"),
    ];
    for (from, to) in changes {
        let mut call = Call::connected();
        let bye = format!(
            "BYE {} SIP/2.0\r\nVia: SIP/2.0/UDP {RAW};branch=z9hG4bKforged\r\nMax-Forwards: 70\r\n\
             From: <sip:someone@{RAW}>;tag=raw\r\nTo: {}\r\nCall-ID: call\r\nCSeq: 9 BYE\r\n\r\n",
            call.contact, call.to
        );
        let answers = call.wire.ask(RAW, &bye.replace(from, to));
        assert_eq!(
            status(&answers),
            ["481 Call/Transaction Does Not Exist"],
            "{to}"
        );
        assert_eq!(call.wire.bench.state("arm-1"), "talking");
    }
}

#[test]
fn a_caller_who_hangs_up_before_its_ack_gets_no_bye() {
    let mut wire = Wire::new();
    wire.bench.manner(
        "arm-1",
        Manner::answers_after(seconds(0.0)).talks(seconds(2.0)),
    );
    let answers = wire.ask(RAW, &request(RAW, "INVITE", LINE, "noack", ""));
    let to = answers
        .last()
        .unwrap()
        .lines()
        .find_map(|line| line.strip_prefix("To: "))
        .unwrap();
    // The agent has hung up; the 200 is sent again until the ACK, or until the caller's own BYE.
    wire.bench.world.run_for(seconds(3.0));
    let bye = request(RAW, "BYE", "sip:192.0.2.1:5060", "noack2", "")
        .replace("Call-ID: noack2", "Call-ID: noack")
        .replace("CSeq: 1", "CSeq: 2")
        .replace("To: <sip:192.0.2.1:5060>", &format!("To: {to}"));
    assert_eq!(status(&wire.ask(RAW, &bye)), ["200 OK"]);
    wire.seen.borrow_mut().clear();
    wire.bench.world.run_for(seconds(60.0));
    let later = wire.got(RAW);
    assert!(later.is_empty(), "{later:?}");
}

/// Takes a message apart: the values of these headers, as a response copies them.
pub(super) fn copied(request: &str) -> String {
    let names = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"];
    let is_copied = |line: &&str| names.iter().any(|name| line.starts_with(name));
    let with_tag = |line: &str| match line.strip_prefix("To:") {
        Some(_) if !line.contains(";tag=") => format!("{line};tag=phone\r\n"),
        _ => format!("{line}\r\n"),
    };
    request.lines().filter(is_copied).map(with_tag).collect()
}

/// Its ACK must have a Request-URI, or who has answered repeats that for half a minute. Found by seed 275711.
#[test]
fn an_answer_for_nobody_is_acknowledged_where_it_came_from_when_its_contact_is_none() {
    let mut wire = Wire::new();
    let holds = Manner::answers_after(seconds(0.0)).holds(seconds(1.0));
    wire.bench.manner("arm-1", holds.talks(seconds(2.0)));
    let invite = request(RAW, "INVITE", LINE, "call", "");
    let answers = wire.ask(RAW, &invite);
    let mut call = Call::answered(wire, answers.last().unwrap());
    call.wire.forget();
    call.wire.bench.world.run_for(seconds(3.0));
    let got = call.wire.got(RAW);
    assert!(
        got.iter().any(|text| text.starts_with("BYE ")),
        "the call is over: {got:?}"
    );
    let hold = got.iter().find(|text| text.starts_with("INVITE "));
    let copied = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"];
    let lines = hold.unwrap().lines();
    let lines: Vec<_> = lines
        .filter(|line| copied.iter().any(|name| line.starts_with(name)))
        .collect();
    let lines = lines.join("\r\n");
    let ok = format!("SIP/2.0 200 OK\r\n{lines}\r\nContact: <sip:>\r\n\r\n");
    let answers = call.wire.ask(RAW, &ok);
    let expected = format!("ACK sip:{RAW} SIP/2.0");
    assert_eq!(answers[0].lines().next(), Some(&*expected), "{answers:?}");
}

#[test]
fn a_request_beside_a_re_invite_does_not_hide_its_ack() {
    let mut call = Call::connected();
    let (reinvite, info) = (
        call.text(2, "INVITE", "v=0"),
        call.text(3, "INFO", "beside"),
    );
    let node = call.wire.bench.node;
    call.wire.bench.world.send(address(RAW), node, reinvite);
    let answers = call.wire.ask(RAW, &info);
    assert!(
        status(&answers)
            .iter()
            .filter(|one| **one == "200 OK")
            .count()
            == 2,
        "{answers:?}"
    );
    let ack = call.text(2, "ACK", "");
    call.wire.ask(RAW, &ack);
    // Without the ACK the call would be over by now.
    call.wire.bench.world.run_for(seconds(60.0));
    assert_eq!(call.wire.bench.state("arm-1"), "talking");
}
