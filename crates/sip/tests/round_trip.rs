//! What is printed is read, what is read is printed, and what an edit does not name stays as it
//! was, whatever the bytes.

mod read_all;

use bytes::{Bytes, BytesMut};
use proptest::{collection::vec, prelude::*, sample::select};
use sip::{
    Builder, Edit, Frame, HeaderName, Limits, Message, Method, Request, Response, StatusCode,
    StreamFramer, StreamSide,
};

/// Values as the network may send them, with what could break out of a line.
fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        "[ -~]{0,40}".prop_map(String::into_bytes),
        vec(any::<u8>(), 0..40),
        select(vec![
            "x\r\nVia: SIP/2.0/UDP evil",
            "x\r\n\r\nbody",
            "x\n y",
            "\"a, b\" <sip:c@d;e=f>;g=\"h;i\", <tel:+33>",
            "",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ]
}

fn known_name() -> impl Strategy<Value = HeaderName> {
    select(HeaderName::KNOWN).prop_filter("the builder adds it", |name| {
        *name != HeaderName::ContentLength
    })
}

/// Pieces that messages are made of, so that random bytes get past the first line.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    let word = select(vec![
        "\r\n",
        "\r\n",
        "\n",
        "\r",
        " ",
        "\t",
        ":",
        ";",
        ",",
        "\"",
        "<",
        ">",
        "@",
        "=",
        "?",
        "%41",
        "INVITE",
        "ACK",
        "SIP/2.0",
        "SIP/2.0 200 OK\r\n",
        "INVITE sip:15@h SIP/2.0\r\n",
        "sip:a@b",
        "tel:+33",
        "urn:service:sos",
        "[2001:db8::1]",
        "Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\n",
        "From: <sip:a@b>;tag=1\r\n",
        "t: \"x\" <sip:c@d>\r\n",
        "i: 1\r\n",
        "CSeq: 1 INVITE\r\n",
        "m: <sip:e@f>;q=0.5;expires=1\r\n",
        "l: 3\r\n",
        "Content-Length: 0\r\n",
        "\r\n\r\n",
        "c: multipart/mixed;boundary=b\r\n",
        "--b\r\n",
        "--b--",
        "Route: <sip:r;lr>,",
        "Privacy: id",
        "History-Info: <sip:h?Reason=SIP%3Bcause%3D302>;index=1.1;mp=1\r\n",
        "Retry-After: 5 (x",
        "Replaces: 1;to-tag=2;from-tag=3\r\n",
        "Geolocation: <cid:x>\r\n",
        "Warning: 399 h \"x",
        "WWW-Authenticate: Digest realm=\"x\", nonce=y,\r\n",
        "Event: refer;id=1\r\n",
    ]);
    let piece = prop_oneof![
        8 => word.prop_map(|word| word.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..8),
    ];
    vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

/// A valid INVITE with some pieces cut out, replaced or put in.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        vec(any::<u8>(), 0..6),
        select(vec![
            "\"", "<", ">", ",", ";", ":", "\r\n", "\r\n ", "\n", "%", "@", "=", "(", " "
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    let damage = (any::<prop::sample::Index>(), 0_usize..4, piece);
    vec(damage, 0..5).prop_map(|damages| {
        let mut bytes = WHOLE.as_bytes().to_vec();
        for (at, cut, piece) in damages {
            let start = at.index(bytes.len());
            let end = (start + cut).min(bytes.len());
            bytes.splice(start..end, piece);
        }
        bytes
    })
}

const WHOLE: &str = "INVITE sip:15@h;x=y?Subject=z SIP/2.0\r\n\
    Via: SIP/2.0/UDP h:5060;branch=z9hG4bK1;rport, SIP/2.0/TCP [2001:db8::1];received=192.0.2.1\r\n\
    From: \"A, \\\"B\\\"\" <sip:a@b>;tag=1\r\nTo: <urn:service:sos>\r\nCall-ID: c\r\n\
    CSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContact: <sip:e@f>;q=0.5;expires=60\r\n\
    Route: <sip:r;lr>, <sip:s;lr>\r\nHistory-Info: <sip:h?Reason=SIP%3Bcause%3D302>;index=1;mp=1\r\n\
    Diversion: <tel:+33>;reason=user-busy\r\nReason: Q.850;cause=16;text=\"x\"\r\n\
    Geolocation: <cid:l%40h>\r\nCall-Info: <urn:x:y>;purpose=z\r\nRetry-After: 5 (x);duration=6\r\n\
    Refer-To: <sip:a@b?Replaces=1%3Bto-tag%3D2%3Bfrom-tag%3D3>\r\nUser-to-User: 00;encoding=hex\r\n\
    Authorization: Digest username=\"u\", nc=00000001, uri=\"sip:15\"\r\n\
    WWW-Authenticate: Digest realm=\"r\", qop=\"auth,auth-int\"\r\nWarning: 399 h \"t\"\r\n\
    Session-Expires: 90;refresher=uac\r\nRAck: 1 2 INVITE\r\nTimestamp: 1.5 0.1\r\n\
    Content-Type: multipart/mixed;boundary=b\r\n\r\n\
    --b\r\nContent-ID: <l@h>\r\n\r\nx\r\n--b\r\n\r\ny\r\n--b--";

fn print(edit: &Edit<'_>) -> Bytes {
    let mut out = BytesMut::new();
    edit.print(&mut out);
    out.freeze()
}

/// The lines of a header section with their line breaks, folds joined to their header.
fn lines(head: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for line in head.split_inclusive(|&byte| byte == b'\n') {
        let continues = matches!(line.first(), Some(b' ' | b'\t'));
        match lines.last_mut() {
            Some(last) if continues => last.extend(line),
            _ => lines.push(line.to_vec()),
        }
    }
    lines
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512.max(ProptestConfig::default().cases), ..ProptestConfig::default() })]

    #[test]
    fn what_the_builder_prints_is_read(
        method in select(&Method::KNOWN[..]),
        headers in vec((known_name(), value()), 0..20),
        body in vec(any::<u8>(), 0..60),
    ) {
        let mut builder = Builder::request(&method, b"sip:15@192.0.2.1");
        for (name, value) in &headers {
            builder = builder.header(*name, value);
        }
        let message = builder.finish_with_body(&body);
        prop_assert_eq!(message.method(), Some(&method));
        prop_assert_eq!(message.body_bytes(), body.as_slice());
        let read: Vec<_> = message.headers().collect();
        prop_assert_eq!(read.len(), headers.len() + 1);
        for ((name, value), header) in headers.iter().zip(&read) {
            prop_assert_eq!(*name, header.name);
            prop_assert_eq!(name.as_str().as_bytes(), header.written_name);
            let one_line: Vec<u8> = value
                .iter()
                .map(|&byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte })
                .collect();
            let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
            let start = one_line.iter().position(|byte| !blank(byte)).unwrap_or(one_line.len());
            let end = one_line.iter().rposition(|byte| !blank(byte)).map_or(start, |at| at + 1);
            prop_assert_eq!(&one_line[start..end], header.value);
        }
        let declared = message.header(HeaderName::ContentLength);
        let length = body.len().to_string();
        prop_assert_eq!(declared, Some(length.as_bytes()));
        let again = Message::parse(message.bytes().clone(), &Limits::default()).unwrap();
        prop_assert_eq!(again.bytes(), message.bytes());
    }

    #[test]
    fn no_name_from_the_network_adds_or_joins_a_line(name in value(), value in value()) {
        let name = String::from_utf8_lossy(&name).into_owned();
        let message = Builder::response(StatusCode::OK)
            .header(HeaderName::Subject, "before")
            .header_named(&format!("X{name}"), &value)
            .finish();
        prop_assert_eq!(message.headers().count(), 3);
        prop_assert_eq!(message.header(HeaderName::Subject), Some(&b"before"[..]));
        prop_assert!(message.body_bytes().is_empty());
    }

    #[test]
    fn bytes_never_panic_and_are_printed_as_they_came(bytes in prop_oneof![soup(), damaged()]) {
        let bytes = Bytes::from(bytes);
        let Ok(message) = Message::parse(bytes.clone(), &Limits::default()) else {
            return Ok(());
        };
        read_all::read_all(&message);
        let printed = print(&Edit::new(&message));
        let copy = Message::parse(printed.clone(), &Limits::default()).unwrap();
        prop_assert_eq!(copy.body_bytes(), message.body_bytes());
        prop_assert!(copy.headers().map(|it| it.line).eq(message.headers().map(|it| it.line)));
        // All but the start line and the line breaks before it, byte for byte.
        let tail = |bytes: &[u8]| {
            let start = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap();
            let line_len = bytes[start..].iter().position(|&byte| byte == b'\n').unwrap();
            bytes[start + line_len..].to_vec()
        };
        prop_assert!(tail(&bytes).starts_with(&tail(&printed)));
        prop_assert_eq!(print(&Edit::new(&copy)), printed);
        match Request::new(message.clone()) {
            Ok(request) => {
                read_all::read_request(&request);
                let answer = Builder::response_to(
                    &request,
                    StatusCode::TRYING,
                    "Trying",
                    Some(b"t"),
                    "192.0.2.1:5060".parse().unwrap(),
                );
                let answer = answer.finish_response();
                prop_assert!(answer.is_ok(), "{:?} to {:?}", answer, bytes);
            }
            Err(invalid) => prop_assert_eq!(invalid.message.bytes(), message.bytes()),
        }
        let _ = Response::new(message);
    }

    #[test]
    fn an_edit_keeps_every_other_line(
        headers in vec((known_name(), "[a-z <>;,\"]{0,20}"), 1..12),
        target in any::<prop::sample::Index>(),
        new in "[a-z]{1,8}",
    ) {
        let mut builder = Builder::request(&Method::Options, b"sip:15@h");
        for (name, value) in &headers {
            builder = builder.header(*name, value);
        }
        let message = builder.finish_with_body(b"body");
        let (name, _) = headers[target.index(headers.len())];
        let head_len = message.bytes().len() - message.body_bytes().len();
        let before = lines(&message.bytes()[..head_len]);
        let is_target = |line: &Vec<u8>| {
            let colon = line.iter().position(|&byte| byte == b':');
            colon.is_some_and(|colon| HeaderName::of(&line[..colon]) == name)
        };
        let expect = |model: Vec<Vec<u8>>| Bytes::from([model.concat().as_slice(), b"body"].concat());
        let line = format!("{name}: {new}\r\n").into_bytes();
        let first = before.iter().position(&is_target).unwrap();

        let mut removed = before.clone();
        removed.retain(|line| !is_target(line));
        prop_assert_eq!(print(Edit::new(&message).remove(name)), expect(removed.clone()));

        let mut pushed = before.clone();
        pushed.insert(first, line.clone());
        prop_assert_eq!(print(Edit::new(&message).push_front(name, new.as_str())), expect(pushed));

        let mut set = removed;
        set.insert(first, line.clone());
        prop_assert_eq!(print(Edit::new(&message).set(name, new.as_str())), expect(set));

        let mut appended = before;
        appended.insert(appended.len() - 1, line);
        prop_assert_eq!(print(Edit::new(&message).append(name, new.as_str())), expect(appended));
    }

    #[test]
    fn list_edits_do_what_they_do_to_a_list(
        rows in vec(vec("<sip:[a-z]{1,3};lr>", 0..4), 0..5),
        drop_first in 0_usize..6,
        drop_last in 0_usize..3,
        replace in any::<bool>(),
    ) {
        let mut builder = Builder::request(&Method::Options, b"sip:15@h");
        for row in &rows {
            builder = builder.header(HeaderName::Route, row.join(" , ")).header(HeaderName::To, "x");
        }
        let message = builder.finish();
        let mut edit = Edit::new(&message);
        edit.drop_first(HeaderName::Route, drop_first)
            .drop_last(HeaderName::Route, drop_last);
        let mut model: Vec<String> = rows.concat();
        model.drain(..drop_first.min(model.len()));
        model.truncate(model.len().saturating_sub(drop_last));
        if replace {
            edit.replace_first(HeaderName::Route, "<sip:new>");
            if let Some(first) = model.first_mut() {
                *first = "<sip:new>".to_owned();
            }
        }
        let changed = edit.finish(&Limits::default()).unwrap();
        let left: Vec<_> = changed.elements(HeaderName::Route).map(<[u8]>::to_vec).collect();
        let model: Vec<_> = model.into_iter().map(String::into_bytes).collect();
        prop_assert_eq!(left, model);
        prop_assert_eq!(changed.header_values(HeaderName::To).count(), rows.len());
    }

    #[test]
    fn frames_do_not_depend_on_the_cuts(
        items in vec(stream_item(), 0..12),
        cuts in vec(any::<prop::sample::Index>(), 0..40),
        side in select(vec![StreamSide::Accepted, StreamSide::Opened]),
    ) {
        let stream: Vec<u8> = items.concat();
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut from = 0;
        for cut in cuts {
            pieces.push(&stream[from..cut]);
            from = cut;
        }
        pieces.push(&stream[from..]);
        let whole = frames(side, [stream.as_slice()]);
        prop_assert_eq!(&frames(side, pieces), &whole);
        prop_assert_eq!(&frames(side, stream.chunks(1)), &whole);
        if let (messages, None) = &whole {
            let sent = items.iter().filter(|item| item.len() > 4);
            let got = messages.iter().filter_map(|frame| match frame {
                Frame::Message(bytes) => Some(bytes.to_vec()),
                _ => None,
            });
            prop_assert!(sent.cloned().eq(got));
        }
    }

    #[test]
    fn hostile_streams_do_not_depend_on_the_cuts_either(
        pieces in vec(prop_oneof![soup(), damaged(), stream_item()], 0..6),
        line_len in 20_usize..200,
        head_len in 20_usize..400,
    ) {
        let limits = Limits { message_len: 4096, line_len, head_len, ..Limits::default() };
        let stream = pieces.concat();
        prop_assume!(stream.len() <= limits.message_len);
        let side = StreamSide::Accepted;
        let whole = frames_within(limits, side, [stream.as_slice()]);
        prop_assert_eq!(frames_within(limits, side, stream.chunks(1)), whole);
    }

    #[test]
    fn no_stream_panics_or_is_held_beyond_the_limit(pieces in vec(soup(), 0..20)) {
        let limits = Limits { message_len: 2048, head_len: 1024, ..Limits::default() };
        let mut framer = StreamFramer::new(StreamSide::Accepted, limits);
        for piece in pieces {
            framer.push(&piece);
            while let Ok(Some(frame)) = framer.next_frame() {
                if let Frame::Message(bytes) = frame {
                    prop_assert!(bytes.len() <= limits.message_len);
                    let _ = Message::parse(bytes, &limits);
                }
            }
            prop_assert!(framer.buffered_len() <= limits.message_len);
        }
    }
}

/// A message with a right length, a keep-alive, or line breaks.
fn stream_item() -> impl Strategy<Value = Vec<u8>> {
    let message = (
        vec(any::<u8>(), 0..40),
        select(vec!["l", "Content-Length", "CONTENT-LENGTH "]),
    )
        .prop_map(|(body, name)| {
            let head = format!(
                "INFO sip:a SIP/2.0\r\nX: y\r\n z\r\n{name}: {}\r\n\r\n",
                body.len()
            );
            [head.as_bytes(), &body].concat()
        });
    let idle = select(vec!["\r\n\r\n", "\r\n", "\n", "\r"]);
    prop_oneof![
        3 => message,
        1 => idle.prop_map(|text| text.as_bytes().to_vec()),
    ]
}

fn frames<'a>(
    side: StreamSide,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Frame>, Option<sip::FramingError>) {
    frames_within(Limits::default(), side, pieces)
}

/// All frames, and the error at the end if there is one.
fn frames_within<'a>(
    limits: Limits,
    side: StreamSide,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Frame>, Option<sip::FramingError>) {
    let mut framer = StreamFramer::new(side, limits);
    let mut frames = Vec::new();
    for piece in pieces {
        framer.push(piece);
        loop {
            match framer.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}
