//! Addresses, as they are written and as they once were.

use std::{net::SocketAddr, time::Instant};

use super::*;

#[expect(clippy::disallowed_methods, reason = "a test needs a time to begin at")]
fn round_trip(written: &impl Wire) -> Result<SocketAddr, WireError> {
    let directory = Directory::default();
    let context = Context {
        directory: &directory,
        stand_in: None,
        clock: Clock::new(Instant::now(), 0),
    };
    let mut out = Encoder::new(Vec::new());
    written.put(&mut out, &context);
    let bytes = out.into_writer();
    SocketAddr::get(&mut Decoder::new(&bytes), &context)
}

#[test]
fn addresses_come_back() {
    for text in [
        "192.0.2.1:5060",
        "0.0.0.0:0",
        "[2001:db8::1]:65535",
        "[fe80::1%3]:5060",
    ] {
        let address: SocketAddr = text.parse().unwrap();
        assert_eq!(round_trip(&address), Ok(address), "{text}");
        // As rows had them before.
        assert_eq!(round_trip(&text.to_owned()), Ok(address), "{text}");
    }
}

#[test]
fn what_is_no_address_is_refused() {
    assert!(round_trip(&"192.0.2.1".to_owned()).is_err());
    assert!(round_trip(&Bytes::from_static(&[1, 2, 3, 4, 5])).is_err());
    assert!(round_trip(&Bytes::from_static(&[])).is_err());
    assert!(round_trip(&7_u64).is_err());
}
