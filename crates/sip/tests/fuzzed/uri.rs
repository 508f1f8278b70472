//! Any URI: what it is equivalent to, and what its parts are.

use sip::{NameAddr, Uri, UriBuf, Via, escape};

pub(crate) fn run(data: &[u8]) {
    let (a, b) = data.split_at(
        data.iter()
            .position(|&byte| byte == 0)
            .unwrap_or(data.len()),
    );
    let b = b.get(1..).unwrap_or_default();
    if let Ok(a) = Uri::parse(a) {
        assert!(a.is_equivalent(&a));
        if let Ok(b) = Uri::parse(b) {
            assert_eq!(a.is_equivalent(&b), b.is_equivalent(&a));
        }
        if let Some(sip) = a.as_sip() {
            sip.uri_headers().for_each(|header| {
                escape::decode(header.value.expose());
            });
            sip.user_decoded();
        }
        let _ = format!("{a:?}");
    }
    if let Ok(owned) = UriBuf::new(a.to_vec()) {
        assert!(owned.as_uri().is_equivalent(&owned.as_uri()));
    }
    assert_eq!(&*escape::decode(&escape::encode_header(data)), data);
    if let Ok(address) = NameAddr::parse(data) {
        assert_eq!(NameAddr::parse_liberal(data), Ok(address));
    }
    let _ = NameAddr::parse_liberal(data).map(|address| (address.uri().is_ok(), address.tag()));
    let _ = Via::parse(data).map(|via| (via.branch(), via.received(), via.rport()));
}
