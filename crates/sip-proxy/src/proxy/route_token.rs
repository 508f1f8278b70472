//! What our Record-Route says of us: that a dialog came about through us, and over which flow its
//! peer is reached (as RFC 5626 §5.2 does for the edge proxy of phones behind a NAT).
//!
//! The token is the user part of our Record-Route URI: `q` and hexadecimal digits. It is sealed
//! with a keyed hash that also covers the Call-ID, so nobody can make one, and one that was
//! overheard opens no other dialog.

use std::{
    hash::Hasher as _,
    net::{IpAddr, SocketAddr},
};

use sip::Transport;
use sip_transaction::{Flow, ListenerId};
use siphasher::sip::SipHasher24;

/// What a Record-Route URI of ours, found again in a Route, tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RouteToken {
    /// Over which flow the peer on this side of us is reached; `None` where its own Contact or
    /// Record-Route says it.
    pub(crate) flow: Option<Flow>,
    /// Only where that is a name: whoever stands behind it need not be reached through it.
    pub(crate) only_for_names: bool,
}

impl RouteToken {
    /// The user part for a dialog with this Call-ID.
    pub(crate) fn seal(self, key: [u64; 2], call_id: &[u8]) -> String {
        let mut bytes = Vec::with_capacity(32);
        if let Some(flow) = self.flow {
            put_flow(&mut bytes, flow, self.only_for_names);
        }
        let seal = seal_of(key, call_id, &bytes);
        bytes.extend_from_slice(&seal.to_be_bytes());
        let mut user = String::with_capacity(1 + 2 * bytes.len());
        user.push('q');
        for byte in bytes {
            user.push(digit(byte >> 4));
            user.push(digit(byte & 0xf));
        }
        user
    }

    /// Opens a user part; `None` when it was not sealed here for this Call-ID.
    pub(crate) fn open(user: &[u8], key: [u64; 2], call_id: &[u8]) -> Option<Self> {
        let bytes = unhex(user.strip_prefix(b"q")?)?;
        let (bytes, seal) = bytes.split_last_chunk::<8>()?;
        if seal_of(key, call_id, bytes) != u64::from_be_bytes(*seal) {
            return None;
        }
        let (flow, only_for_names) = match bytes {
            [] => (None, false),
            bytes => {
                let (flow, only_for_names) = read_flow(bytes)?;
                (Some(flow), only_for_names)
            }
        };
        Some(Self {
            flow,
            only_for_names,
        })
    }
}

fn seal_of(key: [u64; 2], call_id: &[u8], bytes: &[u8]) -> u64 {
    let mut hasher = SipHasher24::new_with_keys(key[0], key[1]);
    hasher.write(bytes);
    hasher.write_usize(bytes.len());
    hasher.write(call_id);
    hasher.finish()
}

/// In the first byte, beside the transport.
const ONLY_FOR_NAMES: u8 = 0x10;

fn put_flow(bytes: &mut Vec<u8>, flow: Flow, only_for_names: bool) {
    let transport = match flow.transport {
        Transport::Udp => 0,
        Transport::Tcp => 1,
        Transport::Tls => 2,
    };
    let mark = if only_for_names { ONLY_FOR_NAMES } else { 0 };
    bytes.push(transport | mark);
    bytes.extend_from_slice(&flow.listener.0.to_be_bytes());
    bytes.extend_from_slice(&flow.remote.port().to_be_bytes());
    match flow.remote.ip() {
        IpAddr::V4(ip) => bytes.extend_from_slice(&ip.octets()),
        IpAddr::V6(ip) => bytes.extend_from_slice(&ip.octets()),
    }
}

/// A flow, and whether it is only for names.
fn read_flow(bytes: &[u8]) -> Option<(Flow, bool)> {
    let (&[first, l1, l2, p1, p2], ip) = bytes.split_first_chunk::<5>()?;
    let transport = match first & !ONLY_FOR_NAMES {
        0 => Transport::Udp,
        1 => Transport::Tcp,
        2 => Transport::Tls,
        _ => return None,
    };
    let ip = if let Ok(v4) = <[u8; 4]>::try_from(ip) {
        IpAddr::from(v4)
    } else {
        IpAddr::from(<[u8; 16]>::try_from(ip).ok()?)
    };
    let flow = Flow {
        transport,
        listener: ListenerId(u16::from_be_bytes([l1, l2])),
        remote: SocketAddr::new(ip, u16::from_be_bytes([p1, p2])),
    };
    Some((flow, first & ONLY_FOR_NAMES != 0))
}

fn digit(value: u8) -> char {
    char::from_digit(u32::from(value), 16).unwrap_or('0')
}

/// Lower-case digits only: what we wrote comes back as we wrote it.
fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.chunks_exact(2)
        .map(|pair| Some(value(pair[0])? << 4 | value(pair[1])?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u64; 2] = [1, 2];

    fn flow(remote: &str) -> Flow {
        Flow {
            transport: Transport::Tcp,
            listener: ListenerId(3),
            remote: remote.parse().unwrap(),
        }
    }

    #[test]
    fn what_was_sealed_opens_for_its_dialog_only() {
        for (flow, only_for_names) in [
            (None, false),
            (Some(flow("192.0.2.7:40000")), false),
            (Some(flow("192.0.2.7:40000")), true),
            (Some(flow("[2001:db8::9]:5061")), false),
        ] {
            let token = RouteToken {
                flow,
                only_for_names,
            };
            let user = token.seal(KEY, b"call-1");
            assert_eq!(
                RouteToken::open(user.as_bytes(), KEY, b"call-1"),
                Some(token)
            );
            assert_eq!(RouteToken::open(user.as_bytes(), KEY, b"call-2"), None);
            assert_eq!(RouteToken::open(user.as_bytes(), [1, 3], b"call-1"), None);
            for at in 1..user.len() {
                let mut forged = user.clone().into_bytes();
                forged[at] = if forged[at] == b'0' { b'1' } else { b'0' };
                assert_eq!(RouteToken::open(&forged, KEY, b"call-1"), None, "{at}");
            }
        }
    }

    #[test]
    fn what_is_no_token_opens_nothing() {
        for user in [
            "",
            "q",
            "q0",
            "qzz",
            "arm-67-1",
            "q00112233445566778899aabb",
        ] {
            assert_eq!(
                RouteToken::open(user.as_bytes(), KEY, b"call-1"),
                None,
                "{user}"
            );
        }
    }
}
