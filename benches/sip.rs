//! One INVITE of an operator: read it, and make of it what a proxy sends on.

#![allow(clippy::unwrap_used, reason = "a bench may fail")]

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sip::{Edit, HeaderName, Limits, Message, Request};

/// What an operator's session border controller sends for a call to 15.
const INVITE: &str = "INVITE sip:+33369670015@192.0.2.1:5060;user=phone SIP/2.0\r\n\
    Via: SIP/2.0/UDP 198.51.100.9:5060;branch=z9hG4bK776asdhds;rport\r\n\
    Max-Forwards: 68\r\n\
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
    Content-Type: application/sdp\r\n\
    Content-Length: 158\r\n\r\n\
    v=0\r\no=- 53655765 2353687637 IN IP4 198.51.100.9\r\ns=-\r\nc=IN IP4 198.51.100.9\r\nt=0 0\r\n\
    m=audio 40000 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n";

fn read(bytes: Bytes) -> Request {
    Request::new(Message::parse(bytes, &Limits::default()).unwrap()).unwrap()
}

fn parse(criterion: &mut Criterion) {
    let bytes = Bytes::from_static(INVITE.as_bytes());
    let mut group = criterion.benchmark_group("parse an INVITE");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("sip: find and validate", |bench| {
        bench.iter(|| read(black_box(bytes.clone())));
    });
    group.bench_function("sip: and read its main headers", |bench| {
        bench.iter(|| {
            let invite = read(black_box(bytes.clone()));
            black_box(invite.top_via().branch());
            black_box(invite.from().uri().is_ok());
            black_box(invite.to().uri().is_ok());
            black_box(invite.contacts().is_ok());
            black_box(invite.cseq_number());
        });
    });
    // It reads headers as text and types them on demand, as we do.
    group.bench_function("rsip: parse", |bench| {
        bench.iter(|| rsip::SipMessage::try_from(black_box(INVITE.as_bytes())).unwrap());
    });
    group.finish();
}

fn forward(criterion: &mut Criterion) {
    let bytes = Bytes::from_static(INVITE.as_bytes());
    let mut out = BytesMut::with_capacity(4096);
    criterion.bench_function("parse, push a Via, count a hop, print", |bench| {
        bench.iter(|| {
            let invite = read(black_box(bytes.clone()));
            out.clear();
            Edit::new(&invite)
                .request_uri(b"sip:arm-1@192.0.2.7")
                .push_front(
                    HeaderName::Via,
                    &b"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK42"[..],
                )
                .set(HeaderName::MaxForwards, "67")
                .print(&mut out);
            black_box(out.len())
        });
    });
}

criterion_group!(benches, parse, forward);
criterion_main!(benches);
