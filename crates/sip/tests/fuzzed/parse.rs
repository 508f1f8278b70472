//! Any datagram: it is refused, or it is printed again as it came, and can be answered.

use bytes::{Bytes, BytesMut};
use sip::{Builder, Edit, HeaderName, Limits, Message, Request, Response, StatusCode};

pub(crate) fn run(data: &[u8]) {
    let limits = Limits::default();
    let Ok(message) = Message::parse(Bytes::copy_from_slice(data), &limits) else {
        return;
    };
    crate::read_all::read_all(&message);

    let mut printed = BytesMut::new();
    Edit::new(&message).print(&mut printed);
    let copy = Message::parse(printed.freeze(), &limits).expect("what was read is printed");
    assert_eq!(copy.body_bytes(), message.body_bytes());
    assert!(
        copy.headers()
            .map(|it| it.line)
            .eq(message.headers().map(|it| it.line))
    );

    let vias = message.elements(HeaderName::Via).count();
    let mut forwarded = BytesMut::new();
    Edit::new(&message)
        .push_front(HeaderName::Via, "SIP/2.0/UDP us;branch=z9hG4bK1")
        .drop_first(HeaderName::Route, 1)
        .set(HeaderName::MaxForwards, "69")
        .with_content_length()
        .print(&mut forwarded);
    let wide = Limits {
        head_len: 1 << 20,
        message_len: 1 << 20,
        header_count: 512,
        line_len: 1 << 20,
        element_count: 1024,
    };
    let forwarded = Message::parse(forwarded.freeze(), &wide).expect("what was edited is printed");
    assert_eq!(forwarded.elements(HeaderName::Via).count(), vias + 1);
    assert_eq!(forwarded.body_bytes(), message.body_bytes());

    if let Ok(request) = Request::new(message.clone()) {
        crate::read_all::read_request(&request);
        let source = "192.0.2.1:5060".parse().expect("it is an address");
        let answer =
            Builder::response_to(&request, StatusCode::RINGING, "Ringing", Some(b"t"), source);
        let answer = answer
            .finish_response()
            .expect("a valid request can be answered");
        // A folded value is written on one line.
        let text = |value: &[u8]| -> Vec<u8> {
            let is_text = |byte: &u8| !byte.is_ascii_whitespace();
            value.iter().copied().filter(is_text).collect()
        };
        assert_eq!(text(answer.call_id()), text(request.call_id()));
    }
    let _ = Response::new(message);
}
