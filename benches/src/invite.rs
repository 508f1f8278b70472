//! An operator's INVITE of 900 bytes, and what a proxy does to it.

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use sip::{Edit, HeaderName, Limits, Message, Request};

/// What an operator's session border controller sends for a call to 15: 900 bytes.
pub const INVITE: &str = "INVITE sip:+33369670015@192.0.2.1:5060;user=phone SIP/2.0\r\n\
    Via: SIP/2.0/UDP 198.51.100.9:5060;branch=z9hG4bK776asdhds;rport\r\n\
    Max-Forwards: 68\r\n\
    Route: <sip:192.0.2.1;lr>\r\n\
    From: <sip:+33612345678@operator.example;user=phone>;tag=1928301774\r\n\
    To: <sip:15@operator.example;user=phone>\r\n\
    Call-ID: a84b4c76e66710@198.51.100.9\r\n\
    CSeq: 314159 INVITE\r\n\
    Contact: <sip:198.51.100.9:5060>\r\n\
    P-Asserted-Identity: <tel:+33612345678>\r\n\
    History-Info: <sip:15@operator.example>;index=1\r\n\
    Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, PRACK\r\n\
    Supported: 100rel, timer, histinfo\r\n\
    Session-Expires: 1800\r\n\
    User-Agent: operator-sbc-7.2.1-20260301-cluster-02\r\n\
    Content-Type: application/sdp\r\n\
    Content-Length: 214\r\n\r\n\
    v=0\r\n\
    o=- 53655765 2353687637 IN IP4 198.51.100.9\r\n\
    s=-\r\n\
    c=IN IP4 198.51.100.9\r\n\
    t=0 0\r\n\
    m=audio 40000 RTP/AVP 8 0 101\r\n\
    a=rtpmap:8 PCMA/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\n\
    a=fmtp:101 0-15\r\n\
    a=sendrecv\r\n\
    a=ptime:20\r\n";

/// The Via that is put on top.
pub const VIA: &str = "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK42";

/// Room for the INVITE with what is added.
pub const ROOM: usize = 2048;

/// Finds the parts of a request and validates it.
///
/// # Panics
/// When it is none.
pub fn read(bytes: Bytes) -> Request {
    let message = Message::parse(bytes, &Limits::default()).expect("it is a message");
    Request::new(message).expect("it has what a request needs")
}

/// What a proxy reads to know where a request goes and to which transaction it belongs.
pub fn read_routing(request: &Request) {
    black_box(request.top_via().branch());
    black_box(request.call_id());
    black_box(request.from_tag());
    black_box(request.to_tag());
    black_box(request.cseq_number());
    black_box(request.uri());
    black_box(request.max_forwards());
    for route in request.routes().flatten() {
        black_box(route.uri().is_ok());
    }
}

/// The whole job into a buffer that is used again: parse, read, add a Via, print. The new length.
pub fn forward(received: Bytes, out: &mut BytesMut) -> usize {
    let request = read(received);
    read_routing(&request);
    out.clear();
    Edit::new(&request)
        .push_front(HeaderName::Via, VIA)
        .print(out);
    out.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_invite_of_the_figures() {
        assert_eq!(INVITE.len(), 900);
        let request = read(Bytes::from_static(INVITE.as_bytes()));
        assert_eq!(request.body_bytes().len(), 214);
        let mut out = BytesMut::new();
        let len = forward(Bytes::from_static(INVITE.as_bytes()), &mut out);
        assert_eq!(len, INVITE.len() + VIA.len() + "Via: \r\n".len());
    }
}
