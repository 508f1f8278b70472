//! Datagrams as a tap sees them, and what their first line and body tell.

use std::net::{Ipv4Addr, SocketAddrV4};

/// UDP in the header of IPv4.
const UDP: u8 = 17;

/// One UDP datagram over IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packet<'a> {
    pub(crate) from: SocketAddrV4,
    pub(crate) to: SocketAddrV4,
    pub(crate) payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads one from its IP header on; nothing when it is something else.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let first = *bytes.first()?;
        if first >> 4 != 4 || *bytes.get(9)? != UDP {
            return None;
        }
        let udp = bytes.get(usize::from(first & 0xf) * 4..)?;
        let address = |at: usize| {
            let octets: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
            Some(Ipv4Addr::from(octets))
        };
        let number = |at: usize| {
            let octets: [u8; 2] = udp.get(at..at + 2)?.try_into().ok()?;
            Some(u16::from_be_bytes(octets))
        };
        Some(Self {
            from: SocketAddrV4::new(address(12)?, number(0)?),
            to: SocketAddrV4::new(address(16)?, number(2)?),
            payload: udp.get(8..usize::from(number(4)?))?,
        })
    }
}

/// The method of a request or the status of a response.
pub(crate) fn kind(message: &[u8]) -> &str {
    let rest = message.strip_prefix(b"SIP/2.0 ").unwrap_or(message);
    let end = rest.iter().position(|byte| *byte == b' ');
    std::str::from_utf8(&rest[..end.unwrap_or(0)]).unwrap_or_default()
}

/// The name of the session that a message describes. Bodies pass through every system as they are, so
/// this says which INVITE became which.
pub(crate) fn session(message: &[u8]) -> Option<&[u8]> {
    let start = message.windows(4).position(|bytes| bytes == b"\r\ns=")? + 4;
    let rest = &message[start..];
    let end = rest.iter().position(|byte| *byte == b'\r')?;
    Some(&rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_is_read_from_its_ip_header_on() {
        let mut bytes = vec![0x45, 0, 0, 33, 0, 0, 0, 0, 64, UDP, 0, 0];
        bytes.extend([127, 0, 0, 1, 127, 0, 0, 2]);
        bytes.extend([0x13, 0xc4, 0x13, 0xc5, 0, 13, 0, 0]);
        bytes.extend(b"hello, and what the frame was padded with");
        let packet = Packet::parse(&bytes).unwrap();
        assert_eq!(packet.from, "127.0.0.1:5060".parse().unwrap());
        assert_eq!(packet.to, "127.0.0.2:5061".parse().unwrap());
        assert_eq!(packet.payload, b"hello");
        bytes[9] = 6;
        assert_eq!(Packet::parse(&bytes), None);
        assert_eq!(Packet::parse(&[]), None);
    }

    #[test]
    fn a_kind_is_a_method_or_a_status() {
        assert_eq!(kind(b"INVITE sip:15@node SIP/2.0\r\n"), "INVITE");
        assert_eq!(kind(b"SIP/2.0 180 Ringing\r\n"), "180");
        assert_eq!(kind(b"\0\0"), "");
    }

    #[test]
    fn a_session_has_a_name() {
        assert_eq!(
            session(b"v=0\r\ns=load-7\r\nt=0 0\r\n"),
            Some(&b"load-7"[..])
        );
        assert_eq!(session(b"BYE sip:x SIP/2.0\r\n\r\n"), None);
    }
}
