//! What becomes of a request that is changed, and of a message that grows too long.

use sip::{
    Builder, Edit, EditError, HeaderName, Invalid, Limits, Message, Method, ParseError, Request,
};

fn invite() -> Request {
    let text = "INVITE sip:15@192.0.2.1 SIP/2.0\r\n\
        Via: SIP/2.0/UDP 198.51.100.9:5060;branch=z9hG4bK776;rport\r\n\
        f: <sip:a@operator.example>;tag=1928\r\n\
        Route: <sip:192.0.2.1;lr>\r\n\
        To: <sip:15@operator.example>;tag=88\r\n\
        CSeq:  7 INVITE\r\n\
        Call-ID: c1@198.51.100.9\r\n\
        Max-Forwards: 68\r\n\
        Contact: <sip:198.51.100.9>\r\n\
        Content-Length: 0\r\n\r\n";
    let message = Message::parse(text.into(), &Limits::default()).expect("it is a message");
    Request::new(message).expect("it is valid")
}

fn invalid(edit: &Edit<'_>, request: &Request) -> Invalid {
    match edit.finish_request(request, &Limits::default()) {
        Err(EditError::Invalid(invalid)) => invalid.reason,
        other => panic!("it is valid or too long: {other:?}"),
    }
}

#[test]
fn a_changed_request_is_read_as_it_is_now() {
    let received = invite();
    let changed = Edit::new(&received)
        .request_uri(b"sip:phone@203.0.113.5:5070")
        .push_front(HeaderName::Via, "SIP/2.0/TCP 192.0.2.1;branch=z9hG4bKours")
        .drop_first(HeaderName::Route, 1)
        .set(HeaderName::MaxForwards, "67")
        .push_front(HeaderName::RecordRoute, "<sip:192.0.2.1;lr>")
        .finish_request(&received, &Limits::default())
        .expect("it is valid");
    assert_eq!(changed.uri_bytes(), b"sip:phone@203.0.113.5:5070");
    assert_eq!(changed.branch(), Some(&b"z9hG4bKours"[..]));
    assert_eq!(changed.from_tag(), Some(&b"1928"[..]));
    assert_eq!(changed.from().uri_bytes(), b"sip:a@operator.example");
    assert_eq!(changed.to_tag(), Some(&b"88"[..]));
    assert_eq!(changed.call_id(), b"c1@198.51.100.9");
    assert_eq!(
        (changed.cseq_number(), changed.cseq_method()),
        (7, &b"INVITE"[..])
    );
    assert_eq!(changed.max_forwards(), Some(67));
    assert_eq!(changed.header(HeaderName::Route), None);
}

#[test]
fn who_a_request_is_from_can_be_changed_too() {
    let received = invite();
    let changed = Edit::new(&received)
        .set(HeaderName::From, "Anonymous <sip:nobody@invalid>;tag=other")
        .finish_request(&received, &Limits::default())
        .expect("it is valid");
    assert_eq!(changed.from_tag(), Some(&b"other"[..]));
    assert_eq!(changed.to_tag(), Some(&b"88"[..]));
}

#[test]
fn what_a_change_breaks_is_told() {
    let received = invite();
    let mut edit = Edit::new(&received);
    assert_eq!(
        invalid(edit.request_uri(b"sip:[::1"), &received),
        Invalid::RequestUri
    );
    let mut edit = Edit::new(&received);
    assert_eq!(
        invalid(edit.drop_first(HeaderName::Via, 1), &received),
        Invalid::Via
    );
    let mut edit = Edit::new(&received);
    assert_eq!(
        invalid(edit.remove(HeaderName::From), &received),
        Invalid::From
    );
    let mut edit = Edit::new(&received);
    assert_eq!(invalid(edit.remove_named("cseq"), &received), Invalid::CSeq);
    let mut edit = Edit::new(&received);
    assert_eq!(
        invalid(edit.set(HeaderName::Contact, "<sip:["), &received),
        Invalid::Contact
    );
}

/// Whatever is copied into it from wherever.
#[test]
fn a_header_section_has_an_end() {
    let received = invite();
    let long = "x".repeat(8_000);
    let mut edit = Edit::new(&received);
    let mut builder = Builder::request(&Method::Invite, b"sip:15@h");
    for _ in 0..9 {
        edit.append(HeaderName::Subject, &*long);
        builder = builder.header(HeaderName::Subject, &long);
    }
    let any = Limits {
        head_len: usize::MAX,
        line_len: usize::MAX - 2,
        message_len: usize::MAX,
        ..Limits::default()
    };
    assert_eq!(edit.finish(&any).unwrap_err(), ParseError::HeadTooLong);
    let built = builder
        .header(HeaderName::To, "<sip:a@b>")
        .finish_with_body(b"v=0");
    assert_eq!(built.header_values(HeaderName::Subject).count(), 8);
    assert_eq!(built.header(HeaderName::To), Some(&b"<sip:a@b>"[..]));
    assert_eq!(built.header(HeaderName::ContentLength), Some(&b"3"[..]));
    let read = Message::parse(built.bytes().clone(), &any).expect("it is a message");
    assert_eq!(read.body_bytes(), b"v=0");
    let head = format!(
        "OPTIONS sip:h SIP/2.0\r\n{}\r\n",
        "Subject: 0123456789\r\n".repeat(4_000)
    );
    let many = Limits {
        header_count: usize::MAX,
        ..any
    };
    assert_eq!(
        Message::parse(head.into(), &many).unwrap_err(),
        ParseError::HeadTooLong
    );
}
