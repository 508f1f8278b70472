//! RFC 4475 §3.1.1: what must be read in the messages that are valid.

use sip::{
    Elements, HeaderName, Host, Limits, Message, Method, Request, Response, SipScheme, StatusCode,
    Transport, Via, escape, unquote,
};

use crate::corpus::{
    Stream, StreamEnd, contacts, message, pairs, request, response, sip_uri, user, wire_bytes,
};

/// A flag among the parameters.
fn flag(name: &str) -> (String, Option<String>) {
    (name.to_owned(), None)
}

fn pair(name: &str, value: &str) -> (String, Option<String>) {
    (name.to_owned(), Some(value.to_owned()))
}

fn vias(message: &Message) -> Vec<Via<'_>> {
    let vias = message.elements(HeaderName::Via);
    vias.map(|via| Via::parse(via).expect("it is a Via"))
        .collect()
}

#[test]
fn wsinv_identities_and_numbers() {
    let invite = request("rfc4475/wsinv");
    assert_eq!(*invite.method(), Method::Invite);
    let target = sip_uri(invite.uri_bytes());
    assert_eq!(user(&target), b"vivekg");
    assert_eq!(target.host, Host::Name(b"chair-dnrc.example.com"));
    assert_eq!(pairs(target.params), [flag("unknownparam")]);
    assert_eq!(invite.to_tag(), Some(&b"1918181833n"[..]));
    assert_eq!(
        invite.to().uri_bytes(),
        b"sip:vivekg@chair-dnrc.example.com"
    );
    assert!(invite.to().display().expose().is_empty());
    assert_eq!(invite.from_tag(), Some(&b"98asjd8"[..]));
    assert_eq!(invite.from().uri_bytes(), b"sip:jdrosen@example.com");
    assert_eq!(**invite.from().display().expose(), *br#"J Rosenberg \""#);
    assert_eq!(invite.max_forwards(), Some(68));
    assert_eq!(invite.call_id(), b"wsinv.ndaksdj@192.0.2.1");
    assert_eq!(
        (invite.cseq_number(), invite.cseq_method()),
        (9, &b"INVITE"[..])
    );
    assert_eq!(invite.body_bytes().len(), 150);
    assert!(
        invite
            .content_type()
            .expect("there is one")
            .is("application", "sdp")
    );
}

#[test]
fn wsinv_vias_and_routes() {
    let invite = request("rfc4475/wsinv");
    let vias = vias(&invite);
    let read: Vec<_> = vias
        .iter()
        .map(|via| (via.known_transport(), via.host, via.branch()))
        .collect();
    assert_eq!(
        read,
        [
            (
                Some(Transport::Udp),
                Host::V4([192, 0, 2, 2].into()),
                Some(&b"390skdjuw"[..])
            ),
            (
                Some(Transport::Tcp),
                Host::Name(b"spindle.example.com"),
                Some(b"z9hG4bK9ikj8")
            ),
            (
                Some(Transport::Udp),
                Host::V4([192, 168, 255, 111].into()),
                Some(b"z9hG4bK30239")
            ),
        ]
    );
    assert!(vias.iter().all(|via| via.port.is_none()));
    let routes: Vec<_> = invite
        .routes()
        .map(|it| it.expect("it is a route"))
        .collect();
    assert_eq!(routes.len(), 1);
    let route = sip_uri(routes[0].uri_bytes());
    assert_eq!(route.host, Host::Name(b"services.example.com"));
    assert!(route.is_loose_route());
    assert_eq!(
        pairs(route.params),
        [
            flag("lr"),
            pair("unknownwith", "value"),
            flag("unknown-no-value")
        ]
    );
}

#[test]
fn wsinv_contact_and_unknown_headers() {
    let invite = request("rfc4475/wsinv");
    let contacts = contacts(&invite);
    assert_eq!(contacts.len(), 1);
    let contact = contacts[0];
    assert_eq!(
        **contact.address.display().expose(),
        *br#"Quoted string """#
    );
    assert_eq!(contact.q().map(|q| q.thousandths()), Some(330));
    assert_eq!(
        pairs(contact.address.params),
        [
            pair("newparam", "newvalue"),
            flag("secondparam"),
            pair("q", "0.33")
        ]
    );
    assert_eq!(invite.header(HeaderName::Subject), Some(&b""[..]));
    assert_eq!(
        invite.header_named("UnknownHeaderWithUnusualValue"),
        Some(&b";;,,;;,;"[..])
    );
    let folded = invite
        .headers()
        .find(|it| it.written_name == b"NewFangledHeader");
    assert_eq!(
        *folded.expect("it is kept").unfolded(),
        *b"newfangled value continued newfangled value"
    );
}

#[test]
fn intmeth_the_characters_that_are_allowed() {
    let name: &[u8] = b"!interesting-Method0123456789_*+`.%indeed'~";
    let invite = request("rfc4475/intmeth");
    assert_eq!(invite.method().as_bytes(), name);
    assert_eq!(invite.cseq_method(), name);
    assert_eq!(invite.cseq_number(), 139_122_385);
    let target = sip_uri(invite.uri_bytes());
    assert_eq!(
        target.user.expect("a user").into_exposed(),
        b"1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
    );
    assert_eq!(
        target.password.expect("a password").into_exposed(),
        b"&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"
    );
    assert_eq!(target.host, Host::Name(b"example.com"));
    assert_eq!(invite.top_via().branch(), Some(&b"z9hG4bK-.!%66*_+`'~"[..]));
    assert_eq!(
        **invite.to().display().expose(),
        *b"BEL:\x07 NUL:\x00 DEL:\x7f"
    );
    let to = invite.to();
    assert_eq!(
        user(&sip_uri(to.uri_bytes())),
        b"1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
    );
    let from = invite.from();
    assert_eq!(
        **from.display().expose(),
        *b"token1~` token2'+_ token3*%!.-"
    );
    let cyrillic = from
        .params
        .value("fromParam''~+*_!.-%")
        .expect("it is there");
    assert_eq!(*unquote(cyrillic), *"работающий".as_bytes());
    assert_eq!(invite.from_tag(), Some(&b"_token~1'+`*%!-."[..]));
    assert_eq!(
        invite.call_id(),
        br#"intmeth.word%ZK-!.*_+'@word`~)(><:\/"][?}{"#
    );
    assert_eq!(invite.max_forwards(), Some(255));
    assert_eq!(
        invite.header_named("extensionHeader-!.%*+_`'~"),
        Some("\u{feff}大停電".as_bytes())
    );
}

#[test]
fn esc01_escapes_are_what_they_stand_for_and_once_only() {
    let invite = request("rfc4475/esc01");
    let target = sip_uri(invite.uri_bytes());
    assert_eq!(user(&target), b"sips:user@example.com");
    assert_eq!(
        (target.scheme, target.host),
        (SipScheme::Sip, Host::Name(b"example.net"))
    );
    assert_eq!(user(&sip_uri(invite.to().uri_bytes())), b"user");
    assert_eq!(user(&sip_uri(invite.from().uri_bytes())), b"I have spaces");
    let contacts = contacts(&invite);
    let contact = sip_uri(contacts[0].address.uri_bytes());
    assert_eq!(user(&contact), b"caller");
    assert!(contact.is_loose_route(), "%6C%72 is lr");
    let value = contact.params.value("n%61me").expect("it is there");
    assert_eq!(*escape::decode(value), *b"value%41");
    let same = sip_uri(b"sip:caller@host5.example.net;lr;name=value%2541");
    assert!(contact.is_equivalent(&same));
    let other = sip_uri(b"sip:caller@host5.example.net;lr;name=valueA");
    assert!(!contact.is_equivalent(&other));
}

#[test]
fn escnull_a_null_ends_nothing() {
    let register = request("rfc4475/escnull");
    assert_eq!(user(&sip_uri(register.to().uri_bytes())), b"null-\0-null");
    assert_eq!(user(&sip_uri(register.from().uri_bytes())), b"null-\0-null");
    let contacts = contacts(&register);
    let uris: Vec<_> = contacts
        .iter()
        .map(|it| sip_uri(it.address.uri_bytes()))
        .collect();
    assert_eq!(uris.len(), 2);
    assert_eq!(
        (user(&uris[0]), user(&uris[1])),
        (b"\0".to_vec(), b"\0\0".to_vec())
    );
    assert!(!uris[0].is_equivalent(&uris[1]), "two bindings");
}

#[test]
fn esc02_a_percent_that_escapes_nothing() {
    let other = request("rfc4475/esc02");
    assert_eq!(other.method().as_bytes(), b"RE%47IST%45R");
    assert_ne!(*other.method(), Method::Register);
    assert_eq!(**other.to().display().expose(), *b"%Z%45");
    assert_eq!(**other.from().display().expose(), *b"%Z%45");
    assert_eq!(other.top_via().branch(), Some(&b"z9hG4bK209%fzsnel234"[..]));
    let contacts = contacts(&other);
    let users: Vec<_> = contacts
        .iter()
        .map(|it| user(&sip_uri(it.address.uri_bytes())))
        .collect();
    assert_eq!(users, [b"alias1", b"alias3"]);
    assert_eq!(
        other.header_named("C%6Fntact"),
        Some(&b"<sip:alias2@host2.example.com>"[..])
    );
}

#[test]
fn lwsdisp_a_name_that_touches_its_bracket() {
    let options = request("rfc4475/lwsdisp");
    assert_eq!(**options.from().display().expose(), *b"caller");
    assert_eq!(options.from().uri_bytes(), b"sip:caller@example.com");
    assert_eq!(options.from_tag(), Some(&b"323"[..]));
}

#[test]
fn longreq_nothing_is_cut() {
    let invite = request("rfc4475/longreq");
    let name = format!("I have a user name of {} proportion", "extreme".repeat(10));
    assert_eq!(**invite.to().display().expose(), *name.as_bytes());
    let to = invite.to();
    let to = sip_uri(to.uri_bytes());
    assert_eq!((user(&to), to.port), (b"user".to_vec(), Some(6000)));
    assert_eq!(
        pairs(to.params),
        [
            pair("unknownparam1", &format!("very{}value", "long".repeat(20))),
            pair(&format!("longparam{}", "name".repeat(25)), "shortvalue"),
            flag(&format!(
                "very{}ParameterNameWithNoValue",
                "long".repeat(25)
            )),
        ]
    );
    let tag = format!("12{}424", "982".repeat(50));
    assert_eq!(invite.from_tag(), Some(tag.as_bytes()));
    let from = invite.from();
    assert_eq!(
        user(&sip_uri(from.uri_bytes())),
        "amazinglylongcallername".repeat(5).as_bytes()
    );
    let id = format!("longreq.one{}longcallid", "really".repeat(20));
    assert_eq!(invite.call_id(), id.as_bytes());
    let vias = vias(&invite);
    assert_eq!(vias.len(), 34);
    for (via, number) in vias.iter().zip((1..=33).rev()) {
        let host = format!("sip{number}.example.com");
        assert_eq!(
            (via.host, via.branch()),
            (Host::Name(host.as_bytes()), None)
        );
    }
    let last = vias[33];
    assert_eq!(last.received(), Some([192, 0, 2, 5].into()));
    let branch = format!("very{}branchvalue", "long".repeat(50));
    assert_eq!(last.branch(), Some(branch.as_bytes()));
    assert_eq!(
        (invite.max_forwards(), invite.body_bytes().len()),
        (Some(70), 150)
    );
}

#[test]
fn dblreq_what_follows_is_noise_in_a_datagram_and_the_next_message_in_a_stream() {
    let register = request("rfc4475/dblreq");
    assert_eq!(*register.method(), Method::Register);
    assert_eq!(
        register.call_id(),
        b"dblreq.0ha0isndaksdj99sdfafnl3lk233412"
    );
    assert_eq!(register.headers().count(), 8);
    assert!(register.body_bytes().is_empty());

    let bytes = wire_bytes("rfc4475/dblreq");
    let stream = Stream::of(&bytes, bytes.len());
    let [first, second] = &stream.messages[..] else {
        panic!("two messages");
    };
    assert!(bytes.starts_with(first) && first.ends_with(b"Content-Length: 0\r\n\r\n"));
    let parse = |bytes: &bytes::Bytes| {
        let message = Message::parse(bytes.clone(), &Limits::default()).expect("a message");
        Request::new(message).expect("it is valid")
    };
    assert_eq!(parse(first).call_id(), register.call_id());
    let invite = parse(second);
    assert_eq!(*invite.method(), Method::Invite);
    assert_eq!(invite.call_id(), b"dblreq.0ha0isnda977644900765@192.0.2.15");
    // Its Content-Length of 150 is 3 octets short of the body.
    assert!(invite.body_bytes().ends_with(b"a=rtpmap:31 LP"));
    assert!(matches!(stream.end, StreamEnd::Closed(_)), "{stream}");
}

#[test]
fn semiuri_parameters_of_the_user_part() {
    let options = request("rfc4475/semiuri");
    let target = sip_uri(options.uri_bytes());
    assert_eq!(user(&target), b"user;par=u@example.net");
    assert_eq!(target.host, Host::Name(b"example.com"));
    assert_eq!(pairs(target.params), []);
    let accept = options.header(HeaderName::Accept).expect("it is there");
    let types: Vec<&[u8]> = Elements::new(accept).collect();
    assert_eq!(types.len(), 6);
    assert_eq!(
        (types[2], types[5]),
        (&b"multipart/mixed"[..], &b"message/sipfrag"[..])
    );
}

#[test]
fn transports_known_and_unknown() {
    let options = request("rfc4475/transports");
    let vias = vias(&options);
    let names: Vec<&[u8]> = vias.iter().map(|via| via.transport).collect();
    assert_eq!(names, [&b"UDP"[..], b"SCTP", b"TLS", b"UNKNOWN", b"TCP"]);
    let known: Vec<_> = vias.iter().map(Via::known_transport).collect();
    assert_eq!(
        known,
        [
            Some(Transport::Udp),
            None,
            Some(Transport::Tls),
            None,
            Some(Transport::Tcp)
        ]
    );
    assert_eq!(vias[3].branch(), Some(&b"z9hG4bKasd0f3en"[..]));
}

#[test]
fn mpart01_a_binary_part() {
    let limits = Limits::default();
    let message = request("rfc4475/mpart01");
    assert_eq!(message.body_bytes().len(), 553);
    assert_eq!(message.top_via().port, Some(5070));
    let parts = message.parts(&limits).expect("it is multipart");
    let parts: Vec<_> = parts.map(|part| part.expect("it can be read")).collect();
    let [text, binary] = parts[..] else {
        panic!("two parts, not {}", parts.len());
    };
    assert!(text.content_type().expect("it has one").is("text", "plain"));
    assert_eq!(text.body(), b"Hello");
    assert!(
        binary
            .content_type()
            .expect("it has one")
            .is("application", "octet-stream")
    );
    // A PKCS #7 structure in DER, which says its own length: 0x152 after the first four octets.
    assert_eq!(binary.body().len(), 4 + 0x152);
    assert!(
        binary
            .body()
            .starts_with(b"\x30\x82\x01\x52\x06\x09\x2a\x86\x48\x86\xf7")
    );
    assert!(binary.body().ends_with(b"\x4f\xe5\x7b\x65\xbc\x99\xd0\x05"));
    assert!(binary.body().contains(&0));
}

#[test]
fn unreason_and_noreason() {
    let ok = response("rfc4475/unreason");
    assert_eq!(ok.status(), StatusCode::OK);
    assert_eq!(
        ok.reason(),
        "= 2**3 * 5**2 но сто девяносто девять - простое".as_bytes()
    );
    assert_eq!(ok.body_bytes().len(), 154);
    let trying = response("rfc4475/noreason");
    assert_eq!((trying.status().value(), trying.reason()), (100, &b""[..]));
    let without_space = wire_bytes("rfc4475/noreason").to_vec();
    let without_space = String::from_utf8(without_space).expect("it is ASCII");
    let without_space = without_space.replacen("SIP/2.0 100 \r\n", "SIP/2.0 100\r\n", 1);
    let liberal = Message::parse(without_space.into(), &Limits::default()).expect("it is read");
    assert_eq!(
        Response::new(liberal)
            .expect("it is valid")
            .status()
            .value(),
        100
    );
    assert_eq!(
        message("rfc4475/noreason").status().map(|it| it.value()),
        Some(100)
    );
}
