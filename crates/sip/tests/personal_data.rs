//! `Debug` of every type that can hold a caller's number, name or location shows none of them,
//! neither as text nor as a list of byte values.

use std::fmt::Debug;

use bytes::Bytes;
use sip::{
    Builder, Edit, Elements, Frame, HeaderName, Limits, Message, Method, Multipart, NameAddr,
    Params, Quoted, Request, Response, StatusCode, StreamFramer, StreamSide, Uri, UriBuf,
    headers::{AuthParams, ContentType},
};

const NUMBER: &str = "33612345678";
const NAME: &str = "Jeanne";
const PLACE: &str = "48.5734";

/// An INVITE with the caller's number, name and place wherever they can be.
fn invite() -> Request {
    let who = format!("\"{NAME}\" <sip:+{NUMBER}@h;x={NUMBER}?Subject={NAME}>;tag={NUMBER}");
    let part = format!("--b\r\nContent-ID: <{NUMBER}@h>\r\n\r\n<pos>{PLACE}</pos>\r\n--b--");
    let mut builder = Builder::request(&Method::Invite, format!("sip:+{NUMBER}@h").as_bytes())
        .header(
            HeaderName::Via,
            format!("SIP/2.0/UDP h;branch=z9hG4bK{NUMBER}"),
        )
        .header(HeaderName::CallId, format!("{NUMBER}@h"))
        .header(HeaderName::CSeq, "1 INVITE")
        .header(HeaderName::ContentType, "multipart/mixed;boundary=b");
    for name in [
        HeaderName::From,
        HeaderName::To,
        HeaderName::Contact,
        HeaderName::PAssertedIdentity,
        HeaderName::PPreferredIdentity,
        HeaderName::HistoryInfo,
        HeaderName::Diversion,
        HeaderName::ReferTo,
        HeaderName::ReferredBy,
        HeaderName::Route,
        HeaderName::RecordRoute,
        HeaderName::Path,
    ] {
        builder = builder.header(name, &who);
    }
    for (name, value) in [
        (
            HeaderName::CallInfo,
            format!("<https://h/{NUMBER}>;purpose={NAME}"),
        ),
        (
            HeaderName::Geolocation,
            format!("<geo:{PLACE},7.75>;inserted-by=\"{NAME}\""),
        ),
        (HeaderName::Geolocation, format!("<cid:{NUMBER}%40h>")),
        (HeaderName::UserToUser, format!("{NUMBER};purpose={NAME}")),
        (HeaderName::Reason, format!("SIP;cause=200;text=\"{NAME}\"")),
        (HeaderName::Warning, format!("399 h \"{NAME} {NUMBER}\"")),
        (
            HeaderName::Authorization,
            format!("Digest username=\"{NUMBER}\", uri=\"sip:{NUMBER}@h\", realm=\"{NAME}\""),
        ),
        (
            HeaderName::WwwAuthenticate,
            format!("Digest realm=\"{NUMBER}\""),
        ),
        (
            HeaderName::Replaces,
            format!("{NUMBER};to-tag={NUMBER};from-tag={NUMBER}"),
        ),
        (HeaderName::Event, format!("refer;id={NUMBER}")),
        (
            HeaderName::ContentDisposition,
            format!("session;x={NUMBER}"),
        ),
        (HeaderName::Subject, NAME.to_owned()),
    ] {
        builder = builder.header(name, value);
    }
    let message = builder.finish_with_body(part.as_bytes());
    Request::new(message).expect("the INVITE is valid")
}

/// Asserts on one value, and says which type failed.
fn assert_hidden<T: Debug>(value: &T) {
    let shown = format!("{value:?} {value:#?}");
    for secret in [NUMBER, NAME, PLACE] {
        let bytes = format!("{:?}", secret.as_bytes());
        let bytes = bytes.trim_matches(['[', ']']);
        let type_name = std::any::type_name::<T>();
        assert!(
            !shown.contains(secret),
            "{type_name} shows {secret}: {shown}"
        );
        assert!(
            !shown.contains(bytes),
            "{type_name} shows the bytes of {secret}: {shown}"
        );
        assert!(
            !shown
                .replace(['\n', ' '], "")
                .contains(&bytes.replace(' ', "")),
            "{type_name}"
        );
    }
}

fn assert_all_hidden<T: Debug>(values: impl IntoIterator<Item = T>) {
    let mut count = 0;
    for value in values {
        assert_hidden(&value);
        count += 1;
    }
    let type_name = std::any::type_name::<T>();
    assert!(
        count > 0,
        "the INVITE holds no {type_name} that can be read"
    );
}

#[test]
fn messages_show_none() {
    let invite = invite();
    assert_hidden(&invite);
    assert_hidden(&invite.clone().into_message());
    assert_all_hidden(invite.headers());
    assert_hidden(&invite.top_via());
    assert_hidden(&invite.from());
    assert_hidden(&invite.uri());
    assert_hidden(Edit::new(&invite).set(HeaderName::Subject, NAME));
    let ok = Builder::response(StatusCode::OK)
        .copy(&invite, HeaderName::Via)
        .copy(&invite, HeaderName::From)
        .copy(&invite, HeaderName::To)
        .copy(&invite, HeaderName::CallId)
        .copy(&invite, HeaderName::CSeq);
    assert_hidden(&ok);
    assert_hidden(&ok.finish_response().expect("the response is valid"));
    let bare = Builder::request(&Method::Bye, NUMBER.as_bytes()).finish();
    assert_hidden(&Request::new(bare.clone()).expect_err("it has no Via"));
    assert_hidden(&Response::new(bare).expect_err("it is a request"));
}

#[test]
fn streams_show_none() {
    let invite = invite();
    let mut framer = StreamFramer::new(StreamSide::Accepted, Limits::default());
    framer.push(invite.bytes());
    assert_hidden(&framer);
    let frame = framer
        .next_frame()
        .expect("it is well framed")
        .expect("it is whole");
    assert_hidden(&frame);
    assert_hidden(&Frame::Message(Bytes::from(NUMBER)));
}

#[test]
fn uris_show_none() {
    for raw in [
        format!("sip:+{NUMBER}:{NAME}@h;x={NUMBER}?Subject={NAME}"),
        format!("sips:{NAME}@h"),
        format!("tel:+{NUMBER};ext={NUMBER}"),
        format!("urn:gsma:imei:{NUMBER}"),
        format!("im:{NAME}"),
    ] {
        let uri = Uri::parse(raw.as_bytes()).expect("it is a URI");
        assert_hidden(&uri);
        assert_hidden(&UriBuf::new(raw.clone()).expect("it is a URI"));
        if let Some(sip) = uri.as_sip() {
            assert_hidden(sip);
            assert_hidden(&sip.uri_headers().collect::<Vec<_>>());
            assert_hidden(&sip.user_decoded());
        }
        match uri {
            Uri::Tel(tel) => assert_hidden(&tel),
            Uri::Urn(urn) => assert_hidden(&urn),
            Uri::Other(other) => assert_hidden(&other),
            _ => {}
        }
    }
    assert_eq!(
        format!("{:?}", Uri::parse(b"urn:service:sos.ambulance")),
        "Ok(urn:service:sos.ambulance)"
    );
}

#[test]
fn scanners_show_none() {
    let raw = format!(";tag={NUMBER};x=\"{NAME}\"");
    let params = Params::new(raw.as_bytes());
    assert_hidden(&params);
    assert_hidden(&params.iter());
    assert_all_hidden(params);
    assert_hidden(&Elements::new(raw.as_bytes()));
    assert_hidden(&Quoted(raw.as_bytes()));
    let broken = format!("{NAME} <{NUMBER}>");
    assert_hidden(&NameAddr::parse(broken.as_bytes()));
}

#[test]
fn typed_headers_show_none() {
    let invite = invite();
    assert_all_hidden(invite.asserted_identities());
    assert_all_hidden(invite.preferred_identities());
    assert_all_hidden(invite.history());
    assert_all_hidden(invite.diversions());
    assert_all_hidden(invite.refer_to());
    assert_all_hidden(invite.referred_by());
    assert_all_hidden(invite.routes());
    assert_all_hidden(invite.record_routes());
    assert_all_hidden(invite.path());
    assert_all_hidden(invite.call_infos());
    assert_all_hidden(invite.geolocations());
    assert_all_hidden(invite.user_to_user());
    assert_all_hidden(invite.reasons());
    assert_all_hidden(invite.warnings());
    assert_all_hidden(invite.replaces());
    assert_all_hidden(invite.event());
    assert_all_hidden(invite.content_disposition());
    assert_all_hidden(invite.contacts());
    assert_all_hidden(invite.credentials(HeaderName::Authorization));
    assert_all_hidden(invite.challenges(HeaderName::WwwAuthenticate));
    let digest = format!("Digest username=\"{NUMBER}\"");
    let params = AuthParams::parse(digest.as_bytes()).expect("a scheme and a parameter");
    assert_all_hidden(params.iter());
}

#[test]
fn body_parts_show_none() {
    let invite = invite();
    let limits = Limits::default();
    assert_hidden(&invite.content_type());
    assert_hidden(&invite.parts(&limits).expect("the body is multipart"));
    assert_all_hidden(invite.parts(&limits).expect("the body is multipart"));
    let content_type = ContentType::parse(b"multipart/mixed;boundary=b").expect("a type");
    let body = format!("--b\r\nX: {NAME}\r\n\r\n{NUMBER}");
    let parts = Multipart::new(&content_type, body.as_bytes(), &limits).expect("a boundary");
    assert_all_hidden(parts);
    let _ = Message::parse(Bytes::from(body), &limits).expect_err("a part is no message");
}
