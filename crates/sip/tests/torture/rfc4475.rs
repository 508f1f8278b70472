//! RFC 4475 §3.1.2 to §3.4: what is read in the other messages that are accepted, so that the
//! layers above can do what the RFC asks of them, and what the refused ones are refused for.

use sip::{
    HeaderName, Host, Invalid, MAGIC_COOKIE, Message, Request, Uri, UriError, Via,
    headers::{Contacts, DeltaSeconds},
};

use crate::corpus::{contacts, message, pairs, request, response, sip_uri, user};

/// Why a request is refused.
fn refusal(name: &str) -> Invalid {
    Request::new(message(name)).expect_err(name).reason
}

fn contact_users(message: &Message) -> Vec<Vec<u8>> {
    let contacts = contacts(message);
    contacts
        .iter()
        .map(|it| user(&sip_uri(it.address.uri_bytes())))
        .collect()
}

#[test]
fn badinv01_empty_parameters_are_none() {
    let invite = request("rfc4475/badinv01");
    let via = invite.top_via();
    assert_eq!(via.host, Host::V4([192, 0, 2, 15].into()));
    assert_eq!((via.branch(), via.params.iter().count()), (None, 0));
    // What stands between the commas is no Via, and is not hidden from who counts them.
    let others: Vec<_> = invite
        .elements(HeaderName::Via)
        .skip(1)
        .map(Via::parse)
        .collect();
    assert!(matches!(others[..], [Err(_)]));
    let contacts = contacts(&invite);
    assert_eq!(contacts.len(), 1);
    assert_eq!(contacts[0].address.uri_bytes(), b"sip:joe@example.org");
    assert_eq!(contacts[0].address.params.iter().count(), 0);
}

#[test]
fn lengths_that_nobody_can_believe() {
    assert_eq!(refusal("rfc4475/clerr"), Invalid::Truncated);
    assert_eq!(refusal("rfc4475/ncl"), Invalid::ContentLength);
    assert_eq!(refusal("rfc4475/mcl01"), Invalid::ContentLength);
    // A length that cannot be read cuts nothing.
    assert_eq!(message("rfc4475/ncl").body_bytes().len(), 152);
}

#[test]
fn scalars_that_are_too_large_are_clamped_or_refused() {
    let register = message("rfc4475/scalar02");
    let largest = Some(DeltaSeconds(u32::MAX));
    assert_eq!(register.expires(), largest);
    assert_eq!(
        contacts(&register)[0].expires(),
        Some(DeltaSeconds(u32::MAX))
    );
    assert_eq!(refusal("rfc4475/scalar02"), Invalid::CSeq);
    let response = message("rfc4475/scalarlg");
    assert_eq!(response.retry_after().map(|it| it.delay), largest);
    assert_eq!(response.warnings().count(), 0, "1812 is no warn-code");
}

#[test]
fn identities_whose_meaning_is_clear_are_read() {
    let quotbal = request("rfc4475/quotbal");
    assert_eq!(quotbal.to().uri_bytes(), b"sip:j.user@example.com");
    assert_eq!(quotbal.to_tag(), None);
    let baddn = request("rfc4475/baddn");
    assert_eq!(**baddn.from().display().expose(), *b"Bell, Alexander");
    assert_eq!(baddn.from().uri_bytes(), b"sip:a.g.bell@example.com");
    assert_eq!(baddn.from_tag(), Some(&b"43"[..]));
    assert_eq!(baddn.to().uri_bytes(), b"sip:t.watson@example.org");
    let badaspec = request("rfc4475/badaspec");
    assert_eq!(badaspec.to().uri_bytes(), b"sip:t.watson@example.org");
    assert_eq!(**badaspec.to().display().expose(), *b"Watson, Thomas");
}

#[test]
fn request_lines_with_oddities_have_their_target() {
    for name in ["ltgtruri", "lwsstart"] {
        let invite = request(&format!("rfc4475/{name}"));
        assert_eq!(invite.uri_bytes(), b"sip:user@example.com", "{name}");
    }
    assert_eq!(
        request("rfc4475/trws").uri_bytes(),
        b"sip:remote-target@example.com"
    );
    assert_eq!(refusal("rfc4475/lwsruri"), Invalid::RequestUri);
}

#[test]
fn escruri_the_headers_of_a_request_uri_are_no_headers() {
    let invite = request("rfc4475/escruri");
    let target = sip_uri(invite.uri_bytes());
    assert_eq!(user(&target), b"user");
    assert_eq!(target.host, Host::Name(b"example.com"));
    assert_eq!(target.headers, b"Route=%3Csip:example.com%3E");
    assert_eq!(invite.routes().count(), 0);
}

#[test]
fn baddate_the_date_is_nobodys_business() {
    let invite = request("rfc4475/baddate");
    assert_eq!(
        invite.header(HeaderName::Date),
        Some(&b"Fri, 01 Jan 2010 16:00:00 EST"[..])
    );
}

#[test]
fn regbadct_headers_without_brackets_are_told_to_the_registrar() {
    let register = request("rfc4475/regbadct");
    let Ok(Contacts::List(list)) = register.contacts() else {
        panic!("it is a list");
    };
    let errors: Vec<_> = list.iter().collect();
    assert!(matches!(errors[..], [Err(_)]));
    let bracketed = request("rfc4475/regescrt");
    let contacts = contacts(&bracketed);
    let contact = sip_uri(contacts[0].address.uri_bytes());
    let route = contact.header("route").expect("the URI has a Route");
    assert_eq!(*route.into_exposed(), *b"<sip:sip.example.com>");
    assert_eq!(bracketed.routes().count(), 0);
}

#[test]
fn methods_and_versions_that_do_not_match() {
    assert_eq!(refusal("rfc4475/badvers"), Invalid::Version);
    assert_eq!(refusal("rfc4475/mismatch01"), Invalid::CSeqMethod);
    assert_eq!(refusal("rfc4475/mismatch02"), Invalid::CSeqMethod);
}

#[test]
fn badbranch_a_cookie_that_promises_nothing() {
    // RFC 2543 matching is for the transaction layer: it has to see that nothing follows.
    assert_eq!(
        request("rfc4475/badbranch").top_via().branch(),
        Some(MAGIC_COOKIE)
    );
}

#[test]
fn headers_that_are_missing_or_doubled() {
    let insuf = message("rfc4475/insuf");
    for name in [HeaderName::CallId, HeaderName::From, HeaderName::To] {
        assert_eq!(insuf.header(name), None);
    }
    assert_eq!(refusal("rfc4475/insuf"), Invalid::From);
    let multi = message("rfc4475/multi01");
    for name in [
        HeaderName::CallId,
        HeaderName::From,
        HeaderName::To,
        HeaderName::CSeq,
    ] {
        assert_eq!(multi.header_values(name).count(), 2, "{name:?}");
    }
    assert_eq!(refusal("rfc4475/multi01"), Invalid::From);
}

#[test]
fn schemes_that_are_not_ours_are_kept() {
    for (name, scheme, rest) in [
        ("unkscm", "nobodyKnowsThisScheme", "totallyopaquecontent"),
        ("novelsc", "soap.beep", "//192.0.2.103:3002"),
    ] {
        let options = request(&format!("rfc4475/{name}"));
        let Uri::Other(uri) = options.uri() else {
            panic!("{name}: not one of ours");
        };
        assert_eq!(uri.scheme, scheme.as_bytes());
        assert_eq!(uri.rest.into_exposed(), rest.as_bytes());
    }
    let register = request("rfc4475/unksm2");
    for (address, scheme) in [(register.to(), "isbn"), (register.from(), "http")] {
        let Ok(Uri::Other(uri)) = address.uri() else {
            panic!("{scheme}: not one of ours");
        };
        assert_eq!(uri.scheme, scheme.as_bytes());
    }
    assert_eq!(register.from_tag(), Some(&b"3234233"[..]));
    assert_eq!(
        contacts(&register)[0].address.uri_bytes(),
        b"name:John_Smith"
    );
}

#[test]
fn what_a_420_a_415_and_a_406_are_made_of() {
    let bext = request("rfc4475/bext01");
    let unsupported = |name| -> Vec<Vec<u8>> {
        bext.unsupported_options(name, &["timer"])
            .map(<[u8]>::to_vec)
            .collect()
    };
    assert_eq!(
        unsupported(HeaderName::Require),
        [&b"nothingSupportsThis"[..], b"nothingSupportsThisEither"]
    );
    assert_eq!(
        unsupported(HeaderName::ProxyRequire),
        [&b"noProxiesSupportThis"[..], b"norDoAnyProxiesSupportThis"]
    );
    let invut = request("rfc4475/invut");
    assert!(
        invut
            .content_type()
            .expect("it has one")
            .is("application", "unknownformat")
    );
    assert_eq!(
        invut.body_bytes(),
        b"<audio>\r\n <pcmu port=\"443\"/>\r\n</audio>\r\n"
    );
    let sdp01 = request("rfc4475/sdp01");
    assert_eq!(
        sdp01.header(HeaderName::Accept),
        Some(&b"text/nobodyKnowsThis"[..])
    );
}

#[test]
fn regaut01_a_scheme_that_nobody_knows() {
    let register = request("rfc4475/regaut01");
    let credentials: Vec<_> = register.credentials(HeaderName::Authorization).collect();
    assert_eq!(credentials.len(), 1);
    assert_eq!(credentials[0].params.scheme, b"NoOneKnowsThisScheme");
    assert!(!credentials[0].params.is_digest());
    assert_eq!(
        *credentials[0]
            .params
            .value("opaque-data")
            .expect("it is there"),
        *b"here"
    );
}

#[test]
fn bcast_the_next_via_is_the_broadcast_address() {
    let ok = response("rfc4475/bcast");
    let vias: Vec<_> = ok
        .elements(HeaderName::Via)
        .map(|it| Via::parse(it).unwrap())
        .collect();
    assert_eq!(vias.len(), 2);
    assert_eq!(vias[1].host.ip(), Some([255, 255, 255, 255].into()));
}

#[test]
fn zeromf_zero_is_not_absent() {
    assert_eq!(request("rfc4475/zeromf").max_forwards(), Some(0));
}

#[test]
fn whose_parameter_it_is_depends_on_the_brackets() {
    let outside = request("rfc4475/cparam01");
    let one = contacts(&outside)[0];
    assert_eq!(
        pairs(one.address.params),
        [("unknownparam".to_owned(), None)]
    );
    assert_eq!(pairs(sip_uri(one.address.uri_bytes()).params), []);
    let inside = request("rfc4475/cparam02");
    let one = contacts(&inside)[0];
    assert_eq!(pairs(one.address.params), []);
    assert_eq!(
        pairs(sip_uri(one.address.uri_bytes()).params),
        [("unknownparam".to_owned(), None)]
    );
    assert_eq!(contact_users(&outside), contact_users(&inside));
}

#[test]
fn inv2543_an_invite_of_the_old_days() {
    let invite = request("rfc4475/inv2543");
    assert_eq!((invite.top_via().branch(), invite.from_tag()), (None, None));
    assert_eq!(invite.max_forwards(), None);
    assert_eq!(invite.header(HeaderName::ContentLength), None);
    // The body is all that follows the empty line.
    assert_eq!(invite.body_bytes().len(), 105);
    assert!(
        invite
            .body_bytes()
            .ends_with(b"m=audio 49217 RTP/AVP 0\r\n")
    );
    let target: Result<_, UriError> = invite.remote_target();
    assert_eq!(
        target,
        Ok(&b"sip:+13035551111@ift.client.example.net;user=phone"[..])
    );
    assert_eq!(invite.to().uri_bytes(), b"sip:+16505552222@ss1.example.net");
    assert_eq!(invite.record_routes().count(), 1);
}
