//! On plain messages another parser, `rsip`, reads what we read.

#![allow(clippy::unwrap_used, reason = "tests")]

use bytes::Bytes;
use proptest::{collection::vec, prelude::*, sample::select};
use rsip::prelude::{HasHeaders as _, HeadersExt as _, ToTypedHeader as _, UntypedHeader as _};
use sip::{HeaderName, Limits, Message, Request, Response, Uri};

const TOKEN: &str = "[a-zA-Z0-9][a-zA-Z0-9.-]{0,15}";
const HOST: &str = "[a-z]{1,8}\\.example|192\\.0\\.2\\.[1-9]";

#[derive(Clone, Debug)]
struct Plain {
    text: String,
    body: String,
}

fn plain(start: impl Strategy<Value = (String, String)>) -> impl Strategy<Value = Plain> {
    let address = (TOKEN, HOST).prop_map(|(user, host)| format!("<sip:{user}@{host}>"));
    let others = vec(
        (
            select(vec!["Subject", "User-Agent", "Server", "Organization"]),
            "[!-~]([ -~]{0,20}[!-~])?",
        ),
        0..4,
    );
    (
        start,
        (HOST, TOKEN, 1_u16..=65_535),
        (address.clone(), TOKEN, address.clone(), TOKEN, address),
        (TOKEN, 1_u32..0x7fff_ffff),
        others,
        "([ -~]{0,30}\r\n){0,3}",
    )
        .prop_map(
            |((start, method), via, parties, (call_id, cseq), others, body)| {
                let (host, branch, port) = via;
                let (from, from_tag, to, to_tag, contact) = parties;
                let others: String = others
                    .iter()
                    .map(|(name, value)| format!("{name}: {value}\r\n"))
                    .collect();
                let text = format!(
                    "{start}\r\nVia: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{branch}\r\n\
                 Max-Forwards: 70\r\nFrom: {from};tag={from_tag}\r\nTo: {to};tag={to_tag}\r\n\
                 Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\nContact: {contact}\r\n{others}\
                 Content-Length: {}\r\n\r\n{body}",
                    body.len()
                );
                Plain { text, body }
            },
        )
}

fn request_line() -> impl Strategy<Value = (String, String)> {
    let methods = vec![
        "INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "UPDATE", "REFER",
    ];
    (select(methods), TOKEN, HOST).prop_map(|(method, user, host)| {
        (
            format!("{method} sip:{user}@{host} SIP/2.0"),
            method.to_owned(),
        )
    })
}

fn status_line() -> impl Strategy<Value = (String, String)> {
    (
        select(vec![100_u16, 180, 183, 200, 404, 486, 503, 603]),
        "[A-Z][a-z]{0,10}",
    )
        .prop_map(|(status, reason)| (format!("SIP/2.0 {status} {reason}"), "INVITE".to_owned()))
}

/// Compares what both kinds of message have.
fn assert_same(ours: &Message, theirs: &rsip::SipMessage) -> Result<(), TestCaseError> {
    let via = sip::Via::parse(ours.header(HeaderName::Via).unwrap()).unwrap();
    let their_via = theirs.via_header().unwrap().typed().unwrap();
    prop_assert_eq!(
        via.branch().unwrap(),
        their_via.branch().unwrap().value().as_bytes()
    );
    prop_assert_eq!(via.port, their_via.uri.host_with_port.port.map(u16::from));
    let their_cseq = theirs.cseq_header().unwrap().typed().unwrap();
    let cseq = sip::CSeq::parse(ours.header(HeaderName::CSeq).unwrap()).unwrap();
    prop_assert_eq!(cseq.number, their_cseq.seq);
    prop_assert_eq!(cseq.method.to_string(), their_cseq.method.to_string());
    let call_id = theirs.call_id_header().unwrap().value();
    prop_assert_eq!(ours.header(HeaderName::CallId).unwrap(), call_id.as_bytes());
    let from = sip::NameAddr::parse(ours.header(HeaderName::From).unwrap()).unwrap();
    let their_from = theirs.from_header().unwrap().typed().unwrap();
    prop_assert_eq!(from.uri_bytes(), their_from.uri.to_string().into_bytes());
    prop_assert_eq!(
        from.tag().unwrap(),
        their_from.tag().unwrap().value().as_bytes()
    );
    let to = sip::NameAddr::parse(ours.header(HeaderName::To).unwrap()).unwrap();
    let their_to = theirs.to_header().unwrap().typed().unwrap();
    prop_assert_eq!(to.uri_bytes(), their_to.uri.to_string().into_bytes());
    prop_assert_eq!(
        to.tag().unwrap(),
        their_to.tag().unwrap().value().as_bytes()
    );
    let our_lines: Vec<_> = ours.headers().map(|it| it.line.to_vec()).collect();
    let their_lines: Vec<_> = theirs
        .headers()
        .iter()
        .map(|it| it.to_string().into_bytes())
        .collect();
    prop_assert_eq!(our_lines, their_lines);
    Ok(())
}

proptest! {
    #[test]
    fn plain_requests_are_read_alike(plain in plain(request_line())) {
        let ours = Message::parse(Bytes::from(plain.text.clone()), &Limits::default()).unwrap();
        let theirs = rsip::SipMessage::try_from(plain.text.as_bytes()).unwrap();
        assert_same(&ours, &theirs)?;
        let request = Request::new(ours).unwrap();
        let their_request = rsip::Request::try_from(theirs).unwrap();
        prop_assert_eq!(request.method().to_string(), their_request.method.to_string());
        prop_assert_eq!(request.uri_bytes(), their_request.uri.to_string().into_bytes());
        prop_assert!(matches!(request.uri(), Uri::Sip(_)));
        prop_assert_eq!(request.body_bytes(), their_request.body.as_slice());
        prop_assert_eq!(request.body_bytes(), plain.body.as_bytes());
    }

    #[test]
    fn plain_responses_are_read_alike(plain in plain(status_line())) {
        let ours = Message::parse(Bytes::from(plain.text.clone()), &Limits::default()).unwrap();
        let theirs = rsip::SipMessage::try_from(plain.text.as_bytes()).unwrap();
        assert_same(&ours, &theirs)?;
        let response = Response::new(ours).unwrap();
        let their_response = rsip::Response::try_from(theirs).unwrap();
        prop_assert_eq!(response.status().value(), their_response.status_code.code());
        prop_assert_eq!(response.body_bytes(), plain.body.as_bytes());
    }
}
