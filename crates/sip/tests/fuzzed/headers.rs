//! Any value under any header: the first byte says which name, the rest is the value, and a body.

use sip::{Builder, HeaderName, Method, Request};

pub(crate) fn run(data: &[u8]) {
    let Some((&which, value)) = data.split_first() else {
        return;
    };
    let name = HeaderName::KNOWN[usize::from(which) % HeaderName::KNOWN.len()];
    let (value, body) = match value.iter().position(|&byte| byte == 0) {
        Some(at) => (&value[..at], &value[at + 1..]),
        None => (value, &b""[..]),
    };
    let message = Builder::request(&Method::Invite, b"sip:15@h")
        .header(HeaderName::Subject, "before")
        .header(name, value)
        .header(HeaderName::Via, "SIP/2.0/UDP h;branch=z9hG4bK1")
        .header(HeaderName::From, "<sip:a@b>;tag=1")
        .header(HeaderName::To, "<sip:15@h>")
        .header(HeaderName::CallId, "c")
        .header(HeaderName::CSeq, "1 INVITE")
        .finish_with_body(body);
    assert_eq!(message.headers().count(), 8, "no value adds a line");
    assert_eq!(message.header(HeaderName::Subject), Some(&b"before"[..]));
    crate::read_all::read_all(&message);
    if let Ok(request) = Request::new(message) {
        crate::read_all::read_request(&request);
    }
}
