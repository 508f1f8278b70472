//! What a proxy does to each message allocates nothing: parse, read, put a Via on top, print.

use allocation_counter::measure;
use bytes::{Bytes, BytesMut};
use sip::{Edit, HeaderName, Limits, Message, NameAddr, Request};

const INVITE: &[u8] = b"INVITE sip:15@192.0.2.1 SIP/2.0\r\n\
    Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK776asdhds;rport, SIP/2.0/TCP 192.0.2.8\r\n\
    Max-Forwards: 70\r\n\
    Route: <sip:192.0.2.1;lr>, <sip:192.0.2.2;lr>\r\n\
    From: \"Jeanne\" <tel:+33612345678>;tag=1928301774\r\n\
    To: <sip:15@192.0.2.1>\r\n\
    Call-ID: a84b4c76e66710@192.0.2.9\r\n\
    CSeq: 314159 INVITE\r\n\
    Contact: <sip:192.0.2.9>\r\n\
    P-Asserted-Identity: <tel:+33612345678>\r\n\
    Content-Type: application/sdp\r\n\
    Content-Length: 5\r\n\r\nv=0\r\n";

/// The whole job, into a buffer that has been used before.
fn forward(bytes: Bytes, out: &mut BytesMut) -> usize {
    let message = Message::parse(bytes, &Limits::default()).expect("it is a message");
    let invite = Request::new(message).expect("it is valid");
    let mut seen = invite.top_via().branch().map_or(0, <[u8]>::len);
    seen += invite.from_tag().map_or(0, <[u8]>::len) + invite.call_id().len();
    seen += invite
        .routes()
        .filter_map(Result::ok)
        .filter(|route| route.uri().is_ok())
        .count();
    seen += invite
        .asserted_identities()
        .filter_map(|it: NameAddr<'_>| it.uri().ok())
        .count();
    seen += usize::from(invite.supports("100rel"));
    out.clear();
    let via = format_args!("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{seen:x}");
    Edit::new(&invite)
        .request_uri(b"sip:arm-1@192.0.2.7")
        .drop_first(HeaderName::Route, 1)
        .replace_first(
            HeaderName::Via,
            &b"SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK776asdhds"[..],
        )
        .push_front(HeaderName::Via, via)
        .push_front(HeaderName::RecordRoute, &b"<sip:192.0.2.1;lr>"[..])
        .set(HeaderName::MaxForwards, "69")
        .print(out);
    seen
}

#[test]
fn forwarding_a_request_allocates_nothing() {
    let received = Bytes::from_static(INVITE);
    let mut out = BytesMut::with_capacity(4096);
    let mut seen = 0;
    let allocations = measure(|| seen = forward(received, &mut out));
    assert_eq!(allocations.count_total, 0);
    assert_eq!(seen, 16 + 10 + 24 + 2 + 1, "everything was read");
    let printed = Message::parse(out.freeze(), &Limits::default()).expect("it was printed whole");
    assert_eq!(printed.elements(HeaderName::Via).count(), 3);
    assert_eq!(
        printed.header(HeaderName::Route),
        Some(&b"<sip:192.0.2.2;lr>"[..])
    );
}

#[test]
fn parsing_a_hostile_message_allocates_no_more_than_its_header_lines() {
    let limits = Limits::default();
    let per_line = |lines: usize| {
        let mut text = b"INVITE sip:15@h SIP/2.0\r\n".to_vec();
        text.extend(b"a:\"<,;=\r\n".repeat(lines));
        text.extend(b"\r\n");
        let bytes = Bytes::from(text);
        measure(|| drop(Message::parse(bytes, &limits))).bytes_total
    };
    assert_eq!(per_line(32), 0);
    let (some, many) = (per_line(64), per_line(256));
    assert!(
        many <= 8 * some,
        "{some} bytes for 64 lines, {many} for 256"
    );
    assert!(per_line(2000) <= many, "beyond the limit nothing is stored");
}
