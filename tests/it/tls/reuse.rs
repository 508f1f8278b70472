//! One connection for both directions (RFC 5923), and what the node opens where there is none. The
//! agent's phone is behind the operator's session border controller here.

use std::{
    io,
    net::{Ipv4Addr, TcpListener},
};

use serde_json::Value;

use super::{
    Lab,
    peer::{Peer, description},
};
use crate::support::{
    certificates::{loopback, with_names},
    node::Node,
};

/// A lab whose agent is rung at an address over TLS, and who listens there.
fn lab(name: &str) -> (Lab, TcpListener) {
    lab_with(name, "")
}

fn lab_with(name: &str, more: &str) -> (Lab, TcpListener) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let agent = format!(
        "\n[[agent]]\nid = \"arm-67-1\"\nsite = \"FR670\"\nskills = {{ amu = 5 }}\n\
         contact = \"sip:arm-67-1@{address};transport=tls\"\nstart = \"ready\"\n{more}"
    );
    (Lab::with(name, &agent), listener)
}

/// The Via of a peer that wants to be reached over its connection instead of this address.
fn alias(listener: &TcpListener) -> String {
    format!("{};alias", listener.local_addr().unwrap())
}

fn nobody_connected(listener: &TcpListener) -> bool {
    listener.set_nonblocking(true).unwrap();
    let kind = listener.accept().err().map(|error| error.kind());
    listener.set_nonblocking(false).unwrap();
    kind == Some(io::ErrorKind::WouldBlock)
}

/// A number of `/v1/status`.
fn status(node: &Node, pointer: &str) -> u64 {
    let status: Value = serde_json::from_str(&node.get("/v1/status").1).unwrap();
    status.pointer(pointer).unwrap().as_u64().unwrap()
}

/// A header of a message.
fn header<'a>(message: &'a str, name: &str) -> &'a str {
    let prefix = format!("{name}: ");
    let mut values = message
        .lines()
        .filter_map(|line| line.strip_prefix(&*prefix));
    values
        .next()
        .unwrap_or_else(|| panic!("no {name} in\n{message}"))
}

impl Peer {
    /// Takes a request, as a phone does.
    fn answer(&mut self, request: &str, tag: &str, body: &str) {
        let answer = format!(
            "SIP/2.0 200 OK\r\nVia: {}\r\nFrom: {}\r\nTo: {}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\n\
             Contact: <sip:{};transport=tls>\r\nContent-Type: application/sdp\r\n\
             Content-Length: {}\r\n\r\n{body}",
            header(request, "Via"),
            header(request, "From"),
            header(request, "To"),
            header(request, "Call-ID"),
            header(request, "CSeq"),
            self.via.trim_end_matches(";alias"),
            body.len()
        );
        self.send(&answer);
    }

    /// A request in the dialog that a 200 has opened.
    fn follow_up(&mut self, method: &str, ok: &str, cseq: u32) {
        let contact = header(ok, "Contact");
        let (_, uri) = contact.split_once('<').unwrap();
        let (uri, _) = uri.split_once('>').unwrap();
        let request = format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/TLS {};branch=z9hG4bK{method}\r\n\
             Max-Forwards: 70\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n\
             Content-Length: 0\r\n\r\n",
            self.via,
            header(ok, "From"),
            header(ok, "To"),
            header(ok, "Call-ID"),
        );
        self.send(&request);
    }
}

#[test]
fn a_trunk_that_asks_for_it_is_reached_over_its_own_connection() {
    let (mut lab, listener) = lab("reuse");
    let mut operator = lab.operator();
    operator.via = alias(&listener);
    operator.invite("reused");

    let ringing = operator.expect("INVITE sip:arm-67-1@");
    let sound = description(operator.address);
    operator.answer(&ringing, ";tag=phone", &sound);
    operator.expect("ACK ");
    let ok = operator.expect("SIP/2.0 200 ");
    operator.follow_up("ACK", &ok, 1);
    lab.node
        .until("the call", |node| status(node, "/calls/connected") == 1);
    operator.follow_up("BYE", &ok, 2);
    // The BYE to the phone and the answer to ours come in an order that is the node's.
    let first = operator.expect("");
    let second = operator.expect("");
    let (bye, answer) = if first.starts_with("BYE ") {
        (first, second)
    } else {
        (second, first)
    };
    assert!(bye.starts_with("BYE sip:"), "{bye}");
    assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
    operator.answer(&bye, "", "");
    lab.node
        .until("the end of the call", |node| status(node, "/legs") == 0);
    assert!(nobody_connected(&listener));
    lab.node.stop();
}

#[test]
fn without_an_alias_a_connection_is_opened_and_each_side_proves_who_it_is() {
    let (lab, listener) = lab("opened");
    let mut operator = lab.operator();
    operator.invite("opened");
    let server = lab.authority.server(&lab.authority.issue(&loopback()));
    let mut phone = Peer::accept(&listener, server).unwrap();
    phone.expect("INVITE sip:arm-67-1@");
    lab.node.stop();
}

#[test]
fn nothing_is_sent_to_an_address_whose_owner_cannot_prove_it() {
    let (mut lab, listener) = lab("unproven-address");
    let mut operator = lab.operator();
    operator.invite("unproven");
    let elsewhere = with_names("phone", ["DNS:phone.example"]);
    let server = lab.authority.server(&lab.authority.issue(&elsewhere));
    assert!(Peer::accept(&listener, server).is_err());
    lab.node
        .until("the call waits", |node| status(node, "/calls/waiting") == 1);
    lab.node.stop();
}

#[test]
fn an_alias_of_a_stranger_leads_nobody_to_it() {
    let (lab, listener) = lab("stranger-alias");
    let mut stranger = lab.stranger();
    stranger.via = alias(&listener);
    stranger.invite("stranger");
    assert_eq!(stranger.status(), "403");

    let mut operator = lab.operator();
    operator.invite("operator");
    let server = lab.authority.server(&lab.authority.issue(&loopback()));
    let mut phone = Peer::accept(&listener, server).unwrap();
    phone.expect("INVITE sip:arm-67-1@");
    lab.node.stop();
}

#[test]
fn an_alias_ends_with_its_connection() {
    let retry = "\n[timers]\nunreachable_retry = \"1s\"\n";
    let (lab, listener) = lab_with("alias-ends", retry);
    let mut gone = lab.operator();
    gone.via = alias(&listener);
    gone.invite("gone");
    gone.expect("INVITE sip:arm-67-1@");
    drop(gone);

    // The phone has gone with it; it is asked where it listens, and rung there.
    let server = lab.authority.server(&lab.authority.issue(&loopback()));
    let mut phone = Peer::accept(&listener, server).unwrap();
    let probe = phone.expect("OPTIONS sip:arm-67-1@");
    phone.answer(&probe, ";tag=phone", "");
    phone.expect("INVITE sip:arm-67-1@");
    lab.node.stop();
}
