//! RFC 5118 §4: where an IPv6 address begins and ends.

use std::net::{IpAddr, Ipv6Addr};

use sip::{HeaderName, Host, Invalid, Request, Via};

use crate::corpus::{contacts, message, request, sip_uri};

fn v6(text: &str) -> Ipv6Addr {
    text.parse().expect("it is an IPv6 address")
}

fn target(request: &Request) -> (Host<'_>, Option<u16>) {
    let uri = sip_uri(request.uri_bytes());
    (uri.host, uri.port)
}

fn sent_by(request: &Request) -> Vec<(Host<'_>, Option<u16>, Option<IpAddr>)> {
    let vias = request.elements(HeaderName::Via);
    vias.map(|it| Via::parse(it).expect("it is a Via"))
        .map(|via| (via.host, via.port, via.received()))
        .collect()
}

fn body_lines(request: &Request) -> Vec<&str> {
    let body = std::str::from_utf8(request.body_bytes()).expect("it is ASCII");
    body.lines().collect()
}

#[test]
fn a_reference_in_every_place() {
    let register = request("rfc5118/ipv6-good");
    assert_eq!(target(&register), (Host::V6(v6("2001:db8::10")), None));
    assert_eq!(
        sent_by(&register),
        [(Host::V6(v6("2001:db8::9:1")), None, None)]
    );
    let contacts = contacts(&register);
    let contact = sip_uri(contacts[0].address.uri_bytes());
    assert_eq!(
        (contact.host, contact.port),
        (Host::V6(v6("2001:db8::1")), None)
    );
}

#[test]
fn a_reference_without_brackets_is_refused() {
    let refused = Request::new(message("rfc5118/ipv6-bad")).expect_err("no brackets");
    assert_eq!(refused.reason, Invalid::RequestUri);
}

#[test]
fn a_port_is_outside_the_brackets() {
    // Well formed, although not what its sender meant.
    let ambiguous = request("rfc5118/port-ambiguous");
    assert_eq!(
        target(&ambiguous),
        (Host::V6(v6("2001:db8::10:5070")), None)
    );
    let unambiguous = request("rfc5118/port-unambiguous");
    assert_eq!(
        target(&unambiguous),
        (Host::V6(v6("2001:db8::10")), Some(5070))
    );
}

#[test]
fn received_is_read_with_brackets_and_without() {
    let expected = (
        Host::V6(v6("2001:db8::9:1")),
        None,
        Some(IpAddr::V6(v6("2001:db8::9:255"))),
    );
    for (name, branch) in [
        ("with-delim", &b"z9hG4bKas3-111"[..]),
        ("no-delim", &b"z9hG4bKas3"[..]),
    ] {
        let request = request(&format!("rfc5118/via-received-param-{name}"));
        assert_eq!(sent_by(&request), [expected], "{name}");
        assert_eq!(request.top_via().branch(), Some(branch), "{name}");
    }
}

#[test]
fn bodies_are_left_alone() {
    let in_sdp = request("rfc5118/ipv6-in-sdp");
    assert_eq!(target(&in_sdp).0, Host::V6(v6("2001:db8::10")));
    assert_eq!(in_sdp.content_type().expect("it has one").subtype, b"sdp");
    assert!(body_lines(&in_sdp).contains(&"c=IN IP6 2001:db8::20"));
    let both = request("rfc5118/mult-ip-in-sdp");
    let lines = body_lines(&both);
    assert!(lines.contains(&"c=IN IP4 192.0.2.1") && lines.contains(&"c=IN IP6 2001:db8::1"));
    for request in [in_sdp, both, request("rfc5118/ipv4-mapped-ipv6")] {
        let lines = body_lines(&request);
        assert_eq!((lines.len(), lines[8]), (9, "a=rtpmap:107 H263-1998/90000"));
    }
}

#[test]
fn a_via_list_of_both_families() {
    let bye = request("rfc5118/mult-ip-in-header");
    let received = Some(IpAddr::from([192, 0, 2, 200]));
    assert_eq!(
        sent_by(&bye),
        [
            (Host::V6(v6("2001:db8::9:1")), Some(6050), None),
            (Host::V4([192, 0, 2, 1].into()), None, None),
            (Host::V6(v6("2001:db8::9:255")), None, received),
        ]
    );
}

#[test]
fn an_ipv4_mapped_address_is_an_ipv6_address() {
    let invite = request("rfc5118/ipv4-mapped-ipv6");
    let mapped = |last: u16| {
        Host::V6(Ipv6Addr::from([
            0,
            0,
            0,
            0,
            0,
            0xffff,
            0xc000,
            0x0200 | last,
        ]))
    };
    assert_eq!(
        sent_by(&invite),
        [(mapped(10), Some(19823), None), (mapped(2), None, None)]
    );
    let contacts = contacts(&invite);
    assert_eq!(sip_uri(contacts[0].address.uri_bytes()).host, mapped(2));
    assert_eq!(**contacts[0].address.display().expose(), *b"T. desk phone");
    assert_eq!(body_lines(&invite)[3], "c=IN IP6 ::ffff:192.0.2.2");
}

#[test]
fn the_third_colon_of_the_old_grammar_is_ignored() {
    //= https://www.rfc-editor.org/rfc/rfc5118#section-4.10
    //= type=test
    //# However, following the
    //# Robustness Principle [RFC1122], an implementation must tolerate both
    //# of the above constructs.
    let three = request("rfc5118/ipv6-bug-abnf-3-colons");
    let two = request("rfc5118/ipv6-correct-abnf-2-colons");
    assert_eq!(target(&three), target(&two));
    assert_eq!(target(&two), (Host::V6(v6("2001:db8::c000:201")), None));
    assert!(three.uri().is_equivalent(&two.uri()));
    let to = three.to();
    assert_eq!(sip_uri(to.uri_bytes()).host, target(&two).0);
    for wrong in [
        "2001:db8:::1",
        "::::192.0.2.1",
        "2001::db8:::192.0.2.1",
        ":::",
    ] {
        assert!(
            Host::parse(format!("[{wrong}]").as_bytes()).is_err(),
            "{wrong}"
        );
    }
}
