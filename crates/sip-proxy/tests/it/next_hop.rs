//! Where requests to a registered contact go.

use sip::{HeaderName, Transport};

use crate::support::{Bench, Register, flow};

/// Registers over this transport with this sent-by and contact from this source; tells where
/// requests go.
fn reached_at(transport: Transport, via: &str, contact: &str, source: &str) -> String {
    let register = Register {
        via: format!("SIP/2.0/{} {via}", transport.as_str()),
        source: flow(transport, source),
        ..Register::new(1).contact(format!("<{contact}>"))
    };
    reached(&register)
}

fn reached(register: &Register) -> String {
    let mut bench = Bench::new();
    bench.accepted(register);
    let binding = bench.bindings().remove(0);
    assert_eq!(binding.source, register.source);
    assert_eq!(binding.flow.transport, register.source.transport);
    binding.flow.remote.to_string()
}

#[test]
fn without_nat_the_contact_is_where_it_says() {
    for (via, contact, source, expected) in [
        (
            "192.0.2.7;rport",
            "sip:a@192.0.2.7",
            "192.0.2.7:5060",
            "192.0.2.7:5060",
        ),
        // Registers from one port and listens on another.
        (
            "192.0.2.7:5090",
            "sip:a@192.0.2.7:5070",
            "192.0.2.7:5090",
            "192.0.2.7:5070",
        ),
        (
            "192.0.2.7:5060",
            "sip:a@192.0.2.7",
            "192.0.2.7:40000",
            "192.0.2.7:5060",
        ),
        // On behalf of another device (RFC 3261 §10.2).
        (
            "192.0.2.7",
            "sip:a@192.0.2.99:5062;transport=UDP",
            "192.0.2.7:5060",
            "192.0.2.99:5062",
        ),
        (
            "192.0.2.7",
            "sip:a@phone.example;maddr=192.0.2.9",
            "192.0.2.7:5060",
            "192.0.2.9:5060",
        ),
        (
            "[2001:db8::7]",
            "sip:a@[2001:db8::7]:5070",
            "[2001:db8::7]:5060",
            "[2001:db8::7]:5070",
        ),
        (
            "[fe80::7]",
            "sip:a@[fe80::7]:5070",
            "[fe80::7%3]:5060",
            "[fe80::7%3]:5070",
        ),
        // A socket for both families sees IPv4 peers as mapped ones.
        (
            "192.0.2.7",
            "sip:a@192.0.2.9",
            "[::ffff:192.0.2.7]:5060",
            "[::ffff:192.0.2.9]:5060",
        ),
    ] {
        let reached = reached_at(Transport::Udp, via, contact, source);
        assert_eq!(reached, expected, "{via} {contact} {source}");
    }
}

#[test]
fn behind_a_nat_requests_go_where_the_register_came_from() {
    let source = "203.0.113.5:34567";
    for (via, contact) in [
        ("192.168.1.5;rport", "sip:a@192.168.1.5"),
        ("192.168.1.5:5060", "sip:a@192.168.1.5"),
        // It learnt its public address, but its NAT has another port for us.
        ("203.0.113.5:30000;rport", "sip:a@203.0.113.5:30000"),
        ("phone.local", "sip:a@192.168.1.5"),
    ] {
        assert_eq!(
            reached_at(Transport::Udp, via, contact, source),
            source,
            "{via}"
        );
    }
}

#[test]
fn what_cannot_be_sent_to_is_reached_where_the_register_came_from() {
    let source = "192.0.2.7:5060";
    for contact in [
        "sip:a@phone.example",
        "sip:a@0.0.0.0",
        "sip:a@224.0.1.75",
        "sip:a@192.0.2.7:0",
        "sip:a@[2001:db8::7]",
        "sip:a@192.0.2.9;transport=tcp",
        "sip:a@192.0.2.9;transport=sctp",
        "sip:a@192.0.2.9;maddr=x.example",
        "sips:a@192.0.2.9",
    ] {
        assert_eq!(
            reached_at(Transport::Udp, "192.0.2.7", contact, source),
            source,
            "{contact}"
        );
    }
}

#[test]
fn a_connection_is_used_again() {
    for transport in [Transport::Tcp, Transport::Tls] {
        let reached = reached_at(
            transport,
            "192.0.2.7:5060",
            "sip:a@192.0.2.7",
            "192.0.2.7:49152",
        );
        assert_eq!(reached, "192.0.2.7:49152");
    }
}

#[test]
fn with_a_path_its_first_proxy_is_the_next_hop() {
    let register = Register {
        via: "SIP/2.0/UDP 198.51.100.2".to_owned(),
        source: flow(Transport::Udp, "198.51.100.2:5060"),
        ..Register::new(1).contact("<sip:a@192.168.1.5>")
    };
    let register = register.with(
        HeaderName::Path,
        "<sip:198.51.100.2:5080;lr>, <sip:192.0.2.1;lr>",
    );
    assert_eq!(reached(&register), "198.51.100.2:5080");
}
