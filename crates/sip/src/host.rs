//! Hosts, as URIs and Vias write them (RFC 3261 §25.1, RFC 5118).

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use crate::{
    byte_set::{ByteSet, byte_set},
    lexer,
    uri::UriError,
};

/// A host: a name, or an address.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Host<'a> {
    /// A domain name as written; compare without case.
    Name(&'a [u8]),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address, written in brackets.
    V6(Ipv6Addr),
}

impl<'a> Host<'a> {
    /// Reads a host as it is written in a URI or a Via: a name, an IPv4 address, or an IPv6
    /// address in brackets.
    ///
    /// # Errors
    /// [`UriError::Host`].
    #[inline]
    pub fn parse(raw: &'a [u8]) -> Result<Self, UriError> {
        if let [b'[', inner @ .., b']'] = raw {
            let text = std::str::from_utf8(inner).map_err(|_| UriError::Host)?;
            return parse_v6(text).map(Self::V6).ok_or(UriError::Host);
        }
        if raw.first().is_some_and(u8::is_ascii_digit)
            && let Some(address) = parse_v4(raw)
        {
            return Ok(Self::V4(address));
        }
        if raw.is_empty() || !NAME.has_all(raw) {
            return Err(UriError::Host);
        }
        Ok(Self::Name(raw))
    }

    /// The address, where the host is one.
    pub const fn ip(&self) -> Option<IpAddr> {
        match *self {
            Self::Name(_) => None,
            Self::V4(address) => Some(IpAddr::V4(address)),
            Self::V6(address) => Some(IpAddr::V6(address)),
        }
    }

    /// Whether this is the host that is written so.
    pub fn is(&self, written: &str) -> bool {
        match self {
            Self::Name(name) => name.eq_ignore_ascii_case(written.as_bytes()),
            Self::V4(_) | Self::V6(_) => {
                Host::parse(written.as_bytes()).is_ok_and(|written| self.same_as(&written))
            }
        }
    }

    /// Whether two hosts are the same: names without case, addresses by value.
    pub fn same_as(&self, other: &Host<'_>) -> bool {
        match (self, other) {
            (Self::Name(a), Host::Name(b)) => a.eq_ignore_ascii_case(b),
            _ => self.ip().is_some() && self.ip() == other.ip(),
        }
    }
}

impl From<IpAddr> for Host<'_> {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => Self::V6(address),
        }
    }
}

impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name
                .utf8_chunks()
                .try_for_each(|chunk| f.write_str(chunk.valid())),
            Self::V4(address) => write!(f, "{address}"),
            Self::V6(address) => write!(f, "[{address}]"),
        }
    }
}

impl fmt::Debug for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

static NAME: ByteSet = byte_set!(is_name_char);

/// `_` is no hostname character, but it is met in real networks.
const fn is_name_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')
}

/// An IPv4 address, as the standard library reads it: four numbers up to 255 without zeros before them.
fn parse_v4(raw: &[u8]) -> Option<Ipv4Addr> {
    let (mut octets, mut at) = ([0; 4], 0);
    // `None` before the first digit of an octet.
    let mut octet: Option<u8> = None;
    for &byte in raw {
        match byte {
            b'.' if at < 3 => {
                octets[at] = octet.take()?;
                at += 1;
            }
            b'0'..=b'9' => {
                let digit = byte - b'0';
                octet = Some(match octet {
                    None => digit,
                    Some(0) => return None,
                    Some(before) => before.checked_mul(10)?.checked_add(digit)?,
                });
            }
            _ => return None,
        }
    }
    octets[3] = octet.filter(|_| at == 3)?;
    Some(octets.into())
}

//= https://www.rfc-editor.org/rfc/rfc5118#section-4.10
//# However, following the
//# Robustness Principle [RFC1122], an implementation must tolerate both
//# of the above constructs.
/// An IPv6 address, also with the third colon before its IPv4 part that the grammar of RFC 3261
/// has by mistake: `2001:db8:::192.0.2.1`.
fn parse_v6(text: &str) -> Option<Ipv6Addr> {
    text.parse().ok().or_else(|| {
        let (before, after) = text.split_once(":::")?;
        after.parse::<Ipv4Addr>().ok()?;
        format!("{before}::{after}").parse().ok()
    })
}

/// Splits `host[:port]`, with white space around the colon as a Via may have it.
#[inline]
pub(crate) fn parse_host_port(raw: &[u8]) -> Result<(Host<'_>, Option<u16>), UriError> {
    let host_end = if raw.first() == Some(&b'[') {
        lexer::find(b']', raw).ok_or(UriError::Host)? + 1
    } else {
        lexer::find(b':', raw).unwrap_or(raw.len())
    };
    let host = Host::parse(lexer::trim_end(&raw[..host_end]))?;
    let port = match lexer::trim(&raw[host_end..]) {
        [] => None,
        [b':', port @ ..] => Some(lexer::number(lexer::trim(port)).ok_or(UriError::Port)?),
        _ => return Err(UriError::Host),
    };
    Ok((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_the_standard_library() {
        for text in [
            "192.0.2.1",
            "0.0.0.0",
            "255.255.255.255",
            "256.0.0.1",
            "192.0.2",
            "192.0.2.1.5",
            "192.0.2.01",
            "192.0.2.",
            "192..2.1",
            "1922.0.2.1",
            "192.0.2.0001",
            "1a.0.2.1",
        ] {
            assert_eq!(parse_v4(text.as_bytes()), text.parse().ok(), "{text}");
        }
    }
}
