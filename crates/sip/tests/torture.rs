//! The torture messages of RFC 4475 and RFC 5118, each with its verdict in `torture/expected.tsv`,
//! and what must be read in them.

#[path = "torture/corpus.rs"]
mod corpus;
mod read_all;
#[path = "torture/rfc4475.rs"]
mod rfc4475;
#[path = "torture/rfc4475_valid.rs"]
mod rfc4475_valid;
#[path = "torture/rfc5118.rs"]
mod rfc5118;

use std::collections::BTreeSet;

use bytes::BytesMut;
use sip::{Builder, Edit, Limits, Message, Request, StatusCode};

use corpus::{Expected, Rfc, Stream, datagram_verdict, files, table, wire_bytes};

#[test]
fn the_table_lists_every_file_once() {
    let listed: Vec<String> = table().into_iter().map(|row| row.name).collect();
    let once: BTreeSet<String> = listed.iter().cloned().collect();
    assert_eq!(once.len(), listed.len(), "a message is listed twice");
    assert_eq!(once, files(), "the table (left) against the files (right)");
}

#[test]
fn the_corpus_is_whole() {
    let rows = table();
    for (rfc, section, count) in [
        ("rfc4475", "3.1.1.", 13),
        ("rfc4475", "3.1.2.", 19),
        ("rfc4475", "3.2.", 1),
        ("rfc4475", "3.3.", 15),
        ("rfc4475", "3.4.", 1),
        // §4.5 and §4.10 have two each.
        ("rfc5118", "4.", 12),
    ] {
        let of_section =
            |row: &&Expected| row.name.starts_with(rfc) && row.section.starts_with(section);
        assert_eq!(
            rows.iter().filter(of_section).count(),
            count,
            "{rfc} §{section}"
        );
    }
    assert_eq!(rows.len(), 61);
}

#[test]
fn every_verdict_is_the_one_of_the_table() {
    let mut differences = String::new();
    for row in table() {
        let bytes = wire_bytes(&row.name);
        let datagram = datagram_verdict(&bytes);
        let stream = Stream::of(&bytes, bytes.len()).to_string();
        if (&datagram, &stream) != (&row.datagram, &row.stream) {
            differences += &format!(
                "{}: «{datagram}» and «{stream}», the table says «{}» and «{}»\n",
                row.name, row.datagram, row.stream
            );
        }
    }
    assert!(differences.is_empty(), "\n{differences}");
}

/// The RFC's own judgement is a column of the table, so that a refusal of what it calls valid, or
/// the reverse, cannot be there without a reason.
#[test]
fn who_differs_from_the_rfc_says_why() {
    for row in table() {
        let is_accepted = row.datagram.starts_with("ok ");
        let differs = match row.rfc {
            Rfc::Accept => !is_accepted,
            Rfc::Refuse => is_accepted,
            Rfc::Either => false,
        };
        assert!(!row.asks.is_empty(), "{}: what does the RFC ask?", row.name);
        assert!(!differs || !row.why.is_empty(), "{}: why?", row.name);
    }
}

#[test]
fn what_is_accepted_is_printed_as_it_came() {
    for row in table().iter().filter(|row| row.datagram.starts_with("ok ")) {
        let received = wire_bytes(&row.name);
        let message = Message::parse(received.clone(), &Limits::default()).expect("accepted");
        let body_at = received.windows(4).position(|at| at == b"\r\n\r\n");
        let end = body_at.expect("a head ends") + 4 + message.body_bytes().len();
        let mut expected = received[..end].to_vec();
        if let Some((_, written, printed)) = REWRITTEN.iter().find(|it| it.0 == row.name) {
            assert!(expected.starts_with(written.as_bytes()), "{}", row.name);
            expected.splice(..written.len(), printed.bytes());
        }
        let mut printed = BytesMut::new();
        Edit::new(&message).print(&mut printed);
        assert_eq!(
            String::from_utf8_lossy(&printed),
            String::from_utf8_lossy(&expected),
            "{}",
            row.name
        );
        assert_eq!(printed, expected, "{}", row.name);
        assert_eq!(
            datagram_verdict(&printed.freeze()),
            row.datagram,
            "{}",
            row.name
        );
    }
}

/// RFC 4475 §3.1.2.7, §3.1.2.9 and §3.1.2.10: an element that forwards such a request must not
/// include its error in what it sends. All else is printed as it came.
const REWRITTEN: [(&str, &str, &str); 3] = [
    (
        "rfc4475/ltgtruri",
        "INVITE <sip:user@example.com> SIP/2.0\r\n",
        "INVITE sip:user@example.com SIP/2.0\r\n",
    ),
    (
        "rfc4475/lwsstart",
        "INVITE  sip:user@example.com  SIP/2.0\r\n",
        "INVITE sip:user@example.com SIP/2.0\r\n",
    ),
    (
        "rfc4475/trws",
        "OPTIONS sip:remote-target@example.com SIP/2.0  \r\n",
        "OPTIONS sip:remote-target@example.com SIP/2.0\r\n",
    ),
];

#[test]
fn a_stream_gives_the_message_of_the_datagram() {
    for row in table() {
        let received = wire_bytes(&row.name);
        let whole = Stream::of(&received, received.len());
        assert_eq!(
            Stream::of(&received, 1),
            whole,
            "{}, byte by byte",
            row.name
        );
        assert_eq!(Stream::of(&received, 7), whole, "{}, in pieces", row.name);
        if !row.datagram.starts_with("ok ") || whole.messages.is_empty() {
            continue;
        }
        let parse = |bytes| Message::parse(bytes, &Limits::default()).expect("accepted");
        let (framed, datagram) = (parse(whole.messages[0].clone()), parse(received));
        assert_eq!(framed.body_bytes(), datagram.body_bytes(), "{}", row.name);
        let lines = |message: &Message| -> Vec<Vec<u8>> {
            message.headers().map(|it| it.line.to_vec()).collect()
        };
        assert_eq!(lines(&framed), lines(&datagram), "{}", row.name);
        assert_eq!(
            datagram_verdict(framed.bytes()),
            row.datagram,
            "{}",
            row.name
        );
    }
}

#[test]
fn everything_can_be_read_and_answered() {
    for row in table() {
        let Ok(message) = Message::parse(wire_bytes(&row.name), &Limits::default()) else {
            continue;
        };
        assert!(read_all::read_all(&message) > 0, "{}", row.name);
        if row.datagram.starts_with("ok ") && message.is_request() {
            let request = Request::new(message).expect("accepted");
            assert!(read_all::read_request(&request) > 0, "{}", row.name);
            let source = "192.0.2.77:5060".parse().expect("it is an address");
            let answer =
                Builder::response_to(&request, StatusCode::OK, "OK", Some(b"ours"), source);
            let answer = answer.finish_response().expect(&row.name);
            assert_eq!(answer.call_id(), request.call_id(), "{}", row.name);
            assert_eq!(answer.cseq_number(), request.cseq_number(), "{}", row.name);
            assert_eq!(answer.from_tag(), request.from_tag(), "{}", row.name);
        }
    }
}
