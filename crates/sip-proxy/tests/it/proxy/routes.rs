//! Route and Record-Route: loose and strict routers, two sides, phones behind a NAT.

use std::sync::Arc;

use sip::{HeaderName, Transport};
use sip_proxy::{TryNext, Way};
use sip_transaction::{Flow, ListenerId};

use super::{ANNE, BRUNO, Bench, CALLER, Sent, US, find, invite, lines, phone};
use crate::support::flow;

const URI: &str = "sip:anne@samu67.example";

/// A request inside the dialog that `invite` opened, from the callee.
fn from_callee(invite: &Sent, method: &str, routes: &[String]) -> String {
    let to = &invite.values(HeaderName::From)[0];
    let from = &invite.values(HeaderName::To)[0];
    let call_id = &invite.values(HeaderName::CallId)[0];
    format!(
        "{method} sip:caller@{CALLER} SIP/2.0\r\nVia: SIP/2.0/UDP {ANNE};branch=z9hG4bK-{method}\r\n\
         Route: {}\r\nFrom: {from};tag=192-0-2-20\r\nTo: {to}\r\nCall-ID: {call_id}\r\n\
         CSeq: 1 {method}\r\n\r\n",
        routes.join(", ")
    )
}

#[test]
fn a_phone_behind_a_nat_is_reached_over_the_flow_that_it_registered_by() {
    // Anne's phone says that it is at a private address.
    let nat = flow(Transport::Udp, "198.51.100.7:40000");
    let mut target = phone("anne", "10.0.0.7:5060");
    target.flow = nat;
    let mut bench = Bench::new().with_targets(URI, vec![vec![target]]);
    let forwarded = find(&bench.receive(CALLER, &invite(URI)), "INVITE").clone();
    assert_eq!(forwarded.flow, nat);
    let routes = forwarded.values(HeaderName::RecordRoute);
    assert_eq!(routes.len(), 2, "one for each side");

    // The caller's BYE: its route set is the Record-Route backwards.
    let bye = format!(
        "BYE sip:anne@10.0.0.7:5060 SIP/2.0\r\nVia: SIP/2.0/UDP {CALLER};branch=z9hG4bKbye\r\n\
         Route: {}, {}\r\nFrom: <sip:caller@192.0.2.10>;tag=c\r\nTo: <{URI}>;tag=a\r\n\
         Call-ID: call-1\r\nCSeq: 2 BYE\r\n\r\n",
        routes[1], routes[0]
    );
    let sent = bench.receive(CALLER, &bye);
    assert_eq!(lines(&sent), ["BYE 198.51.100.7:40000"]);
    assert!(sent[0].values(HeaderName::Route).is_empty());

    // Anne's BYE goes to the caller, who is where it says.
    let bye = from_callee(&forwarded, "BYE", &routes);
    let sent = bench.receive_over(nat, &bye);
    assert_eq!(lines(&sent), [format!("BYE {CALLER}")]);
}

#[test]
fn a_caller_on_a_connection_is_reached_over_it() {
    let connection = Flow {
        transport: Transport::Tcp,
        listener: ListenerId(1),
        remote: "192.0.2.10:33333".parse().unwrap(),
    };
    let mut bench = Bench::new().with_targets(URI, vec![vec![phone("anne", ANNE)]]);
    let text = invite(URI).replace("SIP/2.0/UDP", "SIP/2.0/TCP");
    let forwarded = find(&bench.receive_over(connection, &text), "INVITE").clone();
    let routes = forwarded.values(HeaderName::RecordRoute);
    assert_eq!(routes.len(), 2);
    assert!(!routes[0].contains("transport"), "Anne's side is UDP");
    let sent = bench.receive(ANNE, &from_callee(&forwarded, "BYE", &routes));
    assert_eq!(sent[0].flow, connection);
}

/// An operator's proxy that names itself by its domain, as is usual over TLS: where it is known by the flow alone.
#[test]
fn a_route_that_is_a_name_is_reached_over_the_flow_of_the_dialog() {
    const SBC: &str = "<sip:sbc.operator.example;lr>";
    // It has called.
    let mut bench = Bench::new().with_targets(URI, vec![vec![phone("anne", ANNE)]]);
    let text = invite(URI).replace("Contact:", &format!("Record-Route: {SBC}\r\nContact:"));
    let forwarded = find(&bench.receive(CALLER, &text), "INVITE").clone();
    let routes = forwarded.values(HeaderName::RecordRoute);
    assert_eq!(routes.last().map(String::as_str), Some(SBC));
    let sent = bench.receive(ANNE, &from_callee(&forwarded, "BYE", &routes));
    assert_eq!(lines(&sent), [format!("BYE {CALLER}")]);
    assert_eq!(sent[0].values(HeaderName::Route), [SBC]);

    // It is called, over a connection or at an address, and adds itself in its answer.
    for transport in [Transport::Tcp, Transport::Udp] {
        let mut target = phone("anne", BRUNO);
        target.flow = flow(transport, BRUNO);
        let way = target.flow;
        let mut bench = Bench::new().with_targets(URI, vec![vec![target]]);
        bench.next = TryNext::WhenNotServed;
        let forwarded = find(&bench.receive(CALLER, &invite(URI)), "INVITE").clone();
        let mut routes = forwarded.values(HeaderName::RecordRoute);
        routes.insert(0, SBC.to_owned());
        routes.reverse();
        for method in ["ACK", "BYE"] {
            let request = format!(
                "{method} sip:anne@10.0.0.7 SIP/2.0\r\n\
                 Via: SIP/2.0/UDP {CALLER};branch=z9hG4bK{method}\r\nRoute: {}\r\n\
                 From: <sip:caller@192.0.2.10>;tag=c\r\nTo: <{URI}>;tag=a\r\n\
                 Call-ID: call-1\r\nCSeq: 1 {method}\r\n\r\n",
                routes.join(", ")
            );
            let sent = bench.receive(CALLER, &request);
            let sent = find(&sent, method);
            assert_eq!(sent.flow, way);
            assert_eq!(sent.values(HeaderName::Route), [SBC]);
        }
    }
}

/// RFC 3261 §16.6: an operator's proxy that leaves the dialog is not in the way of what comes after.
#[test]
fn whoever_stays_out_of_a_dialog_is_not_sent_what_comes_inside() {
    let mut bench = Bench::new().with_targets(URI, vec![vec![phone("anne", BRUNO)]]);
    bench.next = TryNext::WhenNotServed;
    let forwarded = find(&bench.receive(CALLER, &invite(URI)), "INVITE").clone();
    let mut routes = forwarded.values(HeaderName::RecordRoute);
    routes.reverse();
    for (contact, to) in [("10.0.0.7", "10.0.0.7:5060"), ("gateway.example", BRUNO)] {
        let ack = format!(
            "ACK sip:anne@{contact} SIP/2.0\r\nVia: SIP/2.0/UDP {CALLER};branch=z9hG4bKack\r\n\
             Route: {}\r\nFrom: <sip:caller@192.0.2.10>;tag=c\r\nTo: <{URI}>;tag=a\r\n\
             Call-ID: call-1\r\nCSeq: 1 ACK\r\n\r\n",
            routes.join(", ")
        );
        let sent = bench.receive(CALLER, &ack);
        assert_eq!(lines(&sent), [format!("ACK {to}")]);
    }
}

/// The callee is where it says that it is, by another listener than the first of its transport.
#[test]
fn what_comes_inside_a_dialog_leaves_by_the_listener_of_the_dialog() {
    let mut target = phone("anne", ANNE);
    target.flow.listener = ListenerId(2);
    let lan = target.flow;
    let mut bench = Bench::new().with_targets(URI, vec![vec![target]]);
    let forwarded = find(&bench.receive(CALLER, &invite(URI)), "INVITE").clone();
    let routes = forwarded.values(HeaderName::RecordRoute);
    let bye = format!(
        "BYE sip:anne@{ANNE} SIP/2.0\r\nVia: SIP/2.0/UDP {CALLER};branch=z9hG4bKbye\r\n\
         Route: {}, {}\r\nFrom: <sip:caller@192.0.2.10>;tag=c\r\nTo: <{URI}>;tag=a\r\n\
         Call-ID: call-1\r\nCSeq: 2 BYE\r\n\r\n",
        routes[1], routes[0]
    );
    let sent = bench.receive(CALLER, &bye);
    assert_eq!(sent[0].flow, lan);
    // And so where a proxy that is there stands between.
    let behind = format!(", <sip:{ANNE};lr>\r\nFrom");
    let bye = bye
        .replace("z9hG4bKbye", "z9hG4bKb")
        .replace("\r\nFrom", &behind);
    let sent = bench.receive(CALLER, &bye);
    assert_eq!(sent[0].flow, lan);
}

#[test]
fn a_token_of_another_dialog_opens_nothing() {
    let mut bench = Bench::new().with_targets(URI, vec![vec![phone("anne", ANNE)]]);
    let forwarded = find(&bench.receive(CALLER, &invite(URI)), "INVITE").clone();
    let routes = forwarded.values(HeaderName::RecordRoute);
    let received = |text: String| {
        let message = sip::Message::parse(text.into(), &sip::Limits::default()).unwrap();
        let request = sip::Request::new(message).unwrap();
        let is_own = bench.proxy.owns(&request);
        let received = bench.proxy.receive(Arc::new(request)).unwrap();
        assert_eq!(is_own, received.way().is_in_dialog());
        received
    };
    let own = received(from_callee(&forwarded, "BYE", &routes));
    let by_its_address = Way::InDialog {
        flow: None,
        only_for_names: false,
    };
    assert_eq!(own.way(), by_its_address);
    let stolen = from_callee(&forwarded, "BYE", &routes).replace("call-1", "call-2");
    let stolen = received(stolen);
    assert_eq!(stolen.way(), Way::ByRoute, "it is our address all the same");
    assert!(!stolen.has_route());
    let other = received(from_callee(
        &forwarded,
        "BYE",
        &["<sip:x@192.0.2.9;lr>".to_owned()],
    ));
    assert_eq!(other.way(), Way::ByUri);
    assert!(other.has_route());
}

#[test]
fn the_next_route_is_the_next_hop() {
    let mut bench = Bench::new();
    let text = invite("sip:anne@far.example").replace(
        "Contact:",
        &format!("Route: <sip:{US};lr>, <sip:next@{BRUNO};lr>\r\nContact:"),
    );
    let sent = bench.receive(CALLER, &text);
    let invite = find(&sent, "INVITE");
    assert_eq!(invite.flow.remote, BRUNO.parse().unwrap());
    assert!(
        invite
            .text()
            .starts_with("INVITE sip:anne@far.example SIP/2.0")
    );
    assert_eq!(
        invite.values(HeaderName::Route),
        [format!("<sip:next@{BRUNO};lr>")]
    );
}

#[test]
fn a_strict_router_before_us_and_one_after_us_are_understood() {
    let mut bench = Bench::new().with_targets(URI, vec![vec![phone("anne", ANNE)]]);
    let forwarded = find(&bench.receive(CALLER, &invite(URI)), "INVITE").clone();
    let route = forwarded.values(HeaderName::RecordRoute)[0].clone();
    let ours = route.trim_matches(['<', '>']);
    // RFC 3261 §16.12.1.2: the strict router put our Record-Route into the Request-URI.
    let text = from_callee(&forwarded, "BYE", &[format!("<sip:caller@{CALLER}>")]).replace(
        &format!("BYE sip:caller@{CALLER} SIP"),
        &format!("BYE {ours} SIP"),
    );
    let sent = bench.receive(ANNE, &text);
    assert_eq!(lines(&sent), [format!("BYE {CALLER}")]);
    assert!(
        sent[0]
            .text()
            .starts_with(&format!("BYE sip:caller@{CALLER} SIP/2.0"))
    );
    assert!(sent[0].values(HeaderName::Route).is_empty());

    // The next hop is a strict router: it wants itself in the Request-URI.
    let text = invite("sip:anne@far.example").replace(
        "Contact:",
        &format!("Route: <sip:{US};lr>, <sip:strict@{BRUNO}>\r\nContact:"),
    );
    let text = text
        .replace("z9hG4bK-", "z9hG4bK-2")
        .replace("call-1", "call-2");
    let sent = bench.receive(CALLER, &text);
    let invite = find(&sent, "INVITE");
    assert!(
        invite
            .text()
            .starts_with(&format!("INVITE sip:strict@{BRUNO} SIP/2.0"))
    );
    assert_eq!(invite.values(HeaderName::Route), ["<sip:anne@far.example>"]);
    assert_eq!(invite.flow.remote, BRUNO.parse().unwrap());
}

/// RFC 3327 §5.3: the proxies that a phone registered through stand before it, and the Route that led to us
/// goes, whether the first of them is a loose router or a strict one.
#[test]
fn a_phone_is_reached_through_the_proxies_that_it_registered_through() {
    let through = |first: &str| {
        let mut target = phone("anne", ANNE);
        target.routes = vec![
            format!("<sip:{BRUNO}{first}>").into(),
            "<sip:inner.example;lr>".into(),
        ];
        let contact = String::from_utf8(target.uri.to_vec()).unwrap();
        let mut bench = Bench::new().with_targets(URI, vec![vec![target]]);
        let text = invite(URI).replace("Contact:", &format!("Route: <sip:{US};lr>\r\nContact:"));
        let sent = find(&bench.receive(CALLER, &text), "INVITE").clone();
        let uri = String::from_utf8_lossy(sent.message.request_uri_bytes().unwrap()).into_owned();
        (contact, uri, sent.values(HeaderName::Route))
    };
    let (contact, uri, routes) = through(";lr");
    assert_eq!(uri, contact);
    assert_eq!(
        routes,
        [
            format!("<sip:{BRUNO};lr>"),
            "<sip:inner.example;lr>".to_owned()
        ]
    );
    let (contact, uri, routes) = through("");
    assert_eq!(uri, format!("sip:{BRUNO}"));
    assert_eq!(
        routes,
        ["<sip:inner.example;lr>".to_owned(), format!("<{contact}>")]
    );
}
