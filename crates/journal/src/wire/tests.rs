//! Addresses and bytes, as they are written and as they once were.

use std::{net::SocketAddr, time::Instant};

use super::*;

#[expect(clippy::disallowed_methods, reason = "a test needs a time to begin at")]
fn with_context<T>(ask: impl FnOnce(&Context<'_>) -> T) -> T {
    let directory = Directory::default();
    ask(&Context {
        directory: &directory,
        stand_in: None,
        clock: Clock::new(Instant::now(), 0),
    })
}

fn written(what: &impl Wire) -> Vec<u8> {
    let mut out = Encoder::new(Body::default());
    with_context(|context| what.put(&mut out, context));
    out.into_writer().bytes
}

fn read<T: Wire>(bytes: &[u8]) -> Result<T, WireError> {
    with_context(|context| T::get(&mut Decoder::new(bytes), context))
}

fn round_trip(what: &impl Wire) -> Result<SocketAddr, WireError> {
    read(&written(what))
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

#[test]
fn bytes_that_come_again_are_written_once() {
    for len in [0, 1, SHARED_FROM - 1, SHARED_FROM, 255, 256, 65_535, 65_536] {
        let one = Bytes::from(vec![7; len]);
        let other = Bytes::from(vec![8; len]);
        // Another allocation, as after a restart.
        let again = Bytes::copy_from_slice(&one);
        let all = vec![
            (one.clone(), other.clone()),
            (again, other),
            (one.clone(), one),
        ];
        let bytes = written(&all);
        assert_eq!(read(&bytes), Ok(all), "{len}");
        assert!(len < SHARED_FROM || bytes.len() < 2 * len + 40, "{len}");
    }
}

/// Rows of version 1.
#[test]
fn bytes_that_were_written_again_are_read() {
    let mut out = Encoder::new(Vec::new());
    let one = vec![7; 100];
    out.array(2)
        .unwrap()
        .bytes(&one)
        .unwrap()
        .bytes(&one)
        .unwrap();
    let one = Bytes::from(one);
    assert_eq!(read(&out.into_writer()), Ok((one.clone(), one)));
}

#[test]
fn bytes_are_nowhere_but_before() {
    for at in [0, 2, 3, 5, 1_000, u64::MAX] {
        let mut out = Encoder::new(Vec::new());
        out.array(3)
            .unwrap()
            .bytes(b"a")
            .unwrap()
            .u64(at)
            .unwrap()
            .bytes(b"b")
            .unwrap();
        let got: Result<(Bytes, Bytes, Bytes), _> = read(&out.into_writer());
        assert!(matches!(got, Err(WireError::Malformed(_))), "{at}: {got:?}");
    }
}
