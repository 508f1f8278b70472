//! What is a message, what is a valid one, and where reading is liberal because the meaning is
//! clear: one row each, through the public boundary.

use bytes::Bytes;
use sip::{
    Builder, Edit, HeaderName, Invalid, Limits, Message, Method, ParseError, Request, Response,
    StatusCode, Uri,
};

/// The headers of a request that nothing is wrong with, without the last empty line.
const HEAD: &str = "Via: SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
    To: <sip:15@h>\r\nCall-ID: c@b\r\nCSeq: 7 INVITE\r\nContact: <sip:a@192.0.2.9>\r\n";

fn parse(text: &str) -> Result<Message, ParseError> {
    Message::parse(Bytes::copy_from_slice(text.as_bytes()), &Limits::default())
}

/// An INVITE with these headers.
fn invite(head: &str) -> Result<Request, Invalid> {
    let text = format!("INVITE sip:15@h SIP/2.0\r\n{head}\r\n");
    let message = parse(&text).expect("it is a message");
    Request::new(message).map_err(|invalid| invalid.reason)
}

/// An INVITE in which one header line of [`HEAD`] is another, or is not there.
fn invite_with(name: &str, line: &str) -> Result<Request, Invalid> {
    let line = if line.is_empty() {
        String::new()
    } else {
        format!("{line}\r\n")
    };
    let head = HEAD.split_inclusive("\r\n").map(|old| {
        let is_replaced = old.starts_with(name) && old[name.len()..].starts_with(':');
        if is_replaced { line.as_str() } else { old }
    });
    let head: String = head.collect();
    assert_ne!(head, HEAD, "{name} is a header of the request");
    invite(&head)
}

#[test]
fn what_is_no_message_says_why() {
    let limits = Limits::default();
    let long_line = format!(
        "INVITE sip:15@h SIP/2.0\r\nX: {}\r\n\r\n",
        "a".repeat(limits.line_len)
    );
    let folds = format!(
        "INVITE sip:15@h SIP/2.0\r\nX: a\r\n{}\r\n",
        " b\r\n".repeat(3000)
    );
    let head = format!(
        "INVITE sip:15@h SIP/2.0\r\n{}\r\n",
        format!("X: {:200}\r\n", "").repeat(200)
    );
    let lines = format!("INVITE sip:15@h SIP/2.0\r\n{}\r\n", "X: y\r\n".repeat(257));
    let elements = format!(
        "INVITE sip:15@h SIP/2.0\r\nVia: {}\r\n\r\n",
        "v,".repeat(129)
    );
    let body = format!("INVITE sip:15@h SIP/2.0\r\n\r\n{}", "x".repeat(65_535));
    for (text, error) in [
        ("", ParseError::KeepAlive),
        ("\r\n\r\n", ParseError::KeepAlive),
        ("\n\r\n", ParseError::KeepAlive),
        ("hello\r\n\r\n", ParseError::StartLine),
        ("GET / HTTP/1.1\r\n\r\n", ParseError::StartLine),
        ("INVITE sip:15@h\r\n\r\n", ParseError::StartLine),
        ("IN,VITE sip:15@h SIP/2.0\r\n\r\n", ParseError::StartLine),
        ("INVITE SIP/2.0\r\n\r\n", ParseError::StartLine),
        (" INVITE sip:15@h SIP/2.0\r\n\r\n", ParseError::StartLine),
        ("SIP/2.0\r\n\r\n", ParseError::StartLine),
        ("SIP/2.0 99 Low\r\n\r\n", ParseError::StatusCode),
        ("SIP/2.0 0200 OK\r\n\r\n", ParseError::StatusCode),
        (
            "SIP/2.0 4294967301 better not break\r\n\r\n",
            ParseError::StatusCode,
        ),
        ("SIP/2.0 OK\r\n\r\n", ParseError::StatusCode),
        ("INVITE sip:15@h SIP/2.0", ParseError::HeaderEnd),
        (
            "INVITE sip:15@h SIP/2.0\r\nVia: x\r\n",
            ParseError::HeaderEnd,
        ),
        (
            "INVITE sip:15@h SIP/2.0\r\nX: a\rY: b\r\n\r\n",
            ParseError::BareCarriageReturn,
        ),
        (&long_line, ParseError::LineTooLong),
        (&folds, ParseError::LineTooLong),
        (&head, ParseError::HeadTooLong),
        (&lines, ParseError::TooManyHeaders),
        (&elements, ParseError::TooManyElements),
        (&body, ParseError::MessageTooLong),
    ] {
        let start = &text[..text.len().min(40)];
        assert_eq!(parse(text).err(), Some(error), "{start:?}");
    }
}

#[test]
fn what_is_not_valid_says_how_to_answer() {
    for (name, line, reason) in [
        ("Via", "", Invalid::Via),
        ("Via", "Via: SIP/2.0 UDP h", Invalid::Via),
        ("From", "", Invalid::From),
        ("From", "From:", Invalid::From),
        (
            "From",
            "From: <sip:a@b>;tag=1\r\nf: <sip:c@d>;tag=2",
            Invalid::From,
        ),
        ("From", "From: <sip:a@b>, <sip:c@d>;tag=1", Invalid::From),
        ("To", "", Invalid::To),
        ("To", "To: \"Mr. <sip:a@b> <sip:c@d>", Invalid::To),
        ("Call-ID", "", Invalid::CallId),
        ("Call-ID", "Call-ID: ", Invalid::CallId),
        ("Call-ID", "Call-ID: 1\r\ni: 1", Invalid::CallId),
        ("CSeq", "", Invalid::CSeq),
        ("CSeq", "CSeq: INVITE", Invalid::CSeq),
        ("CSeq", "CSeq: 2147483648 INVITE", Invalid::CSeq),
        ("CSeq", "CSeq: 36893488147419103232 INVITE", Invalid::CSeq),
        ("CSeq", "CSeq: 7 OPTIONS", Invalid::CSeqMethod),
        ("CSeq", "CSeq: 7 invite", Invalid::CSeqMethod),
        ("Contact", "Contact: <sip:>", Invalid::Contact),
        ("Contact", "Contact: *", Invalid::Contact),
        (
            "Contact",
            "Contact: <sip:a@h>\r\nl: -1",
            Invalid::ContentLength,
        ),
        (
            "Contact",
            "Contact: <sip:a@h>\r\nl: 0\r\nl: 1",
            Invalid::ContentLength,
        ),
        (
            "Contact",
            "Contact: <sip:a@h>\r\nContent-Length: 9999",
            Invalid::Truncated,
        ),
    ] {
        assert_eq!(
            invite_with(name, line).err(),
            Some(reason),
            "{line:?} for {name}"
        );
        assert_eq!(reason.status(), StatusCode::BAD_REQUEST);
    }
    let uri = |uri: &str, version: &str| {
        let message = parse(&format!("INVITE {uri} {version}\r\n{HEAD}\r\n")).expect("a message");
        Request::new(message).map_err(|invalid| invalid.reason)
    };
    for raw in [
        "sip:15@h; lr",
        "15",
        "sip:",
        "<<sip:15@h>>",
        "sip:15@2001:db8::1",
    ] {
        assert_eq!(
            uri(raw, "SIP/2.0").err(),
            Some(Invalid::RequestUri),
            "{raw}"
        );
    }
    let version = uri("sip:15@h", "SIP/7.0").expect_err("another version");
    assert_eq!(
        (version, version.status()),
        (Invalid::Version, StatusCode::VERSION_NOT_SUPPORTED)
    );
}

#[test]
fn a_call_is_not_refused_for_what_can_be_understood() {
    for (name, line) in [
        ("From", "From: Bell, Alexander <sip:a.g.bell@h>;tag=43"),
        ("From", "From: \"Jeanne <sip:a@b>;tag=43"),
        ("From", "From: \"Jeanne\" sip:a@b;tag=43"),
        ("From", "From: <sip:not a uri>;tag=43"),
        ("From", "From: anonymous;tag=43"),
        ("From", "f\t:\r\n \t<sip:a@b>\r\n ; TAG = 43"),
    ] {
        let request = invite_with(name, line).expect(line);
        assert_eq!(request.from_tag(), Some(&b"43"[..]), "{line}");
    }
    for (name, line) in [
        ("To", "To: \"Samu <sip:15@h>"),
        ("To", "t: sip:15@h"),
        ("To", "To: \"Watson, Thomas\" < sip:15@h >"),
        ("Contact", "m: \"x\" <sip:a@b>;;;;"),
        ("Contact", "Contact: <sip:a@h>\r\nMax-Forwards: 300"),
        ("Contact", "Contact: <sip:a@h>\r\nMax-Forwards: many"),
        (
            "Contact",
            "Contact: <sip:a@h>\r\nDate: Fri, 01 Jan 2010 16:00:00 EST",
        ),
        (
            "Contact",
            "Contact: <sip:a@h>\r\nGeolocation: <broken\r\nPrivacy: ;;\r\nX-Y: \u{0}",
        ),
        ("Contact", "Contact: <sip:a@h>\r\na line that names nothing"),
        ("CSeq", "cseq : 0007\r\n  INVITE"),
        (
            "Via",
            "v: SIP / 2.0\r\n / UDP 192.0.2.9 : 5070 ;branch=z9hG4bK1,SIP/2.0/X h",
        ),
    ] {
        let request = invite_with(name, line).expect(line);
        assert_eq!(request.max_forwards(), None, "{line}");
        assert_eq!(request.top_via().port, Some(5070), "{line}");
    }
}

#[test]
fn an_invite_of_rfc_2543_has_its_from_as_target() {
    let request = invite_with("Contact", "").expect("RFC 2543 asks for no Contact");
    assert_eq!(request.remote_target(), Ok(&b"sip:a@b"[..]));
    let in_dialog = HEAD.replace("To: <sip:15@h>", "To: <sip:15@h>;tag=2");
    let in_dialog = in_dialog.replace("Contact: <sip:a@192.0.2.9>\r\n", "");
    let reinvite = invite(&in_dialog).expect("it is valid");
    assert!(
        reinvite.remote_target().is_err(),
        "a target once known is not replaced by From"
    );
    let without_from = HEAD.replace("Contact: <sip:a@192.0.2.9>\r\n", "");
    let tel = invite(&without_from.replace("sip:a@b", "tel:+33")).expect("it is valid");
    assert!(
        tel.remote_target().is_err(),
        "a number is nowhere to send a BYE to"
    );
}

#[test]
fn a_request_line_is_read_around_its_oddities() {
    for line in [
        "INVITE  sip:15@h  SIP/2.0",
        "INVITE sip:15@h SIP/2.0  ",
        "INVITE sip:15@h sip/2.0",
        "INVITE <sip:15@h> SIP/2.0",
        "\r\n\n\r\nINVITE sip:15@h SIP/2.0",
    ] {
        let message = parse(&format!("{line}\r\n{HEAD}\r\n")).expect(line);
        let request = Request::new(message).expect(line);
        assert_eq!(request.uri_bytes(), b"sip:15@h", "{line}");
        assert!(matches!(request.uri(), Uri::Sip(_)), "{line}");
        let forwarded = Edit::new(&request).finish(&Limits::default()).expect(line);
        assert!(forwarded.bytes().starts_with(b"INVITE sip:15@h "), "{line}");
    }
    for (method, known) in [
        ("invite", None),
        ("INVITEX", None),
        ("INVITE", Some(Method::Invite)),
    ] {
        let message = parse(&format!("{method} sip:15@h SIP/2.0\r\n\r\n")).expect(method);
        let read = message.method().expect("it is a request");
        assert_eq!(read.as_bytes(), method.as_bytes());
        assert_eq!(Some(read) == Some(&Method::Invite), known.is_some());
    }
}

#[test]
fn status_lines_are_read_around_their_oddities() {
    for (line, status, reason) in [
        ("SIP/2.0 200 OK", 200, "OK"),
        ("SIP/2.0  486  Busy", 486, " Busy"),
        ("SIP/2.0 100 ", 100, ""),
        ("SIP/2.0 182", 182, ""),
        ("sip/2.0 183 En cours \u{e9}", 183, "En cours \u{e9}"),
    ] {
        let message = parse(&format!("{line}\r\n{HEAD}\r\n")).expect(line);
        let response = Response::new(message).expect(line);
        assert_eq!(response.status().value(), status, "{line}");
        assert_eq!(response.reason(), reason.as_bytes(), "{line}");
    }
    let future = parse(&format!("SIP/7.0 200 OK\r\n{HEAD}\r\n")).expect("it is a message");
    assert_eq!(
        Response::new(future).map_err(|it| it.reason).err(),
        Some(Invalid::Version)
    );
    let cut = parse(&format!("SIP/2.0 200 OK\r\n{HEAD}l: 5\r\n\r\nv=0")).expect("a message");
    assert_eq!(
        Response::new(cut).map_err(|it| it.reason).err(),
        Some(Invalid::Truncated)
    );
}

#[test]
fn a_body_ends_where_content_length_says() {
    let body = |length: &str| {
        let message = parse(&format!(
            "INVITE sip:15@h SIP/2.0\r\n{HEAD}{length}\r\nv=0\r\nrest"
        ));
        message.expect("it is a message").body()
    };
    assert_eq!(body(""), "v=0\r\nrest");
    assert_eq!(body("Content-Length: 5\r\n"), "v=0\r\n");
    assert_eq!(body("l:\r\n 0\r\n"), "");
    assert_eq!(body("l: x\r\n"), "v=0\r\nrest");
    let binary = [
        format!("INFO sip:15@h SIP/2.0\r\n{HEAD}\r\n").as_bytes(),
        b"\x00\xff\r\n\r\n\x01",
    ]
    .concat();
    let message = Message::parse(binary.into(), &Limits::default()).expect("it is a message");
    assert_eq!(message.body_bytes(), b"\x00\xff\r\n\r\n\x01");
}

#[test]
fn no_line_of_the_network_becomes_part_of_another() {
    // The line behind the start line looks like a fold; the second looks like a name.
    let message = parse(&format!(
        "INVITE sip:15@h SIP/2.0\r\n Via: evil\r\nno name\r\n X: y\r\n{HEAD}\r\n"
    ));
    let message = message.expect("it is a message");
    assert_eq!(message.headers().count(), 6);
    let mut edit = Edit::new(&message);
    edit.push_front(HeaderName::RecordRoute, "<sip:us;lr>")
        .remove(HeaderName::Via);
    let printed = edit.finish(&Limits::default()).expect("it is printed");
    assert_eq!(
        printed.header(HeaderName::RecordRoute),
        Some(&b"<sip:us;lr>"[..])
    );
    assert_eq!(printed.header(HeaderName::Via), None);
    let copied = Builder::request(&Method::Invite, b"sip:15@h")
        .header(HeaderName::Subject, "ours")
        .copy(&message, HeaderName::Other)
        .finish();
    assert_eq!(copied.header(HeaderName::Subject), Some(&b"ours"[..]));
}

#[test]
fn a_response_tells_where_the_request_came_from() {
    let answer = |via: &str, source: &str| {
        let request = invite_with("Via", &format!("Via: {via}")).expect(via);
        let source = source.parse().expect("an address");
        let answer = Builder::response_to(&request, StatusCode::OK, "OK", Some(b"t1"), source);
        let answer = answer.finish_response().expect("it is valid");
        assert_eq!(answer.to_tag(), Some(&b"t1"[..]));
        assert_eq!(answer.cseq_method(), b"INVITE");
        String::from_utf8_lossy(answer.header(HeaderName::Via).expect("a Via")).into_owned()
    };
    let same = "192.0.2.9:5070";
    let nat = "198.51.100.1:40000";
    for (via, source, answered) in [
        (
            "SIP/2.0/UDP 192.0.2.9:5070;branch=z",
            same,
            "SIP/2.0/UDP 192.0.2.9:5070;branch=z",
        ),
        (
            "SIP/2.0/UDP host:5070;branch=z",
            same,
            "SIP/2.0/UDP host:5070;branch=z;received=192.0.2.9",
        ),
        (
            "SIP/2.0/UDP 192.0.2.9:5070;rport;branch=z",
            same,
            "SIP/2.0/UDP 192.0.2.9:5070;rport=5070;branch=z;received=192.0.2.9",
        ),
        (
            "SIP/2.0/UDP 192.0.2.9:5070;rport;branch=z",
            nat,
            "SIP/2.0/UDP 192.0.2.9:5070;rport=40000;branch=z;received=198.51.100.1",
        ),
        (
            "SIP/2.0/UDP 192.0.2.9:5070;received=203.0.113.9;branch=z",
            nat,
            "SIP/2.0/UDP 192.0.2.9:5070;branch=z;received=198.51.100.1",
        ),
        (
            "SIP/2.0/UDP [2001:db8::1]:5070;branch=z",
            "[2001:db8::2]:5060",
            "SIP/2.0/UDP [2001:db8::1]:5070;branch=z;received=2001:db8::2",
        ),
    ] {
        assert_eq!(answer(via, source), answered, "{via} from {source}");
    }
}
