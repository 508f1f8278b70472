//! Via: the way a response goes back (RFC 3261 §20.42, RFC 3581).

use std::{fmt, net::IpAddr};

use crate::{
    host::{Host, parse_host_port},
    lexer::{self, Params},
    uri::UriError,
};

/// The transports that a Via, a URI or a listener can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
    /// TLS over TCP.
    Tls,
}

impl Transport {
    /// The name as a Via writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        }
    }

    /// Whether the transport itself delivers in order and resends (RFC 3261 §17: such a transport
    /// stops the retransmission timers).
    pub const fn is_reliable(self) -> bool {
        !matches!(self, Self::Udp)
    }

    /// 5060, or 5061 for TLS (RFC 3261 §19.1.2).
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
        }
    }

    /// The transport of this name in any case.
    pub fn of(name: &[u8]) -> Option<Self> {
        [Self::Udp, Self::Tcp, Self::Tls]
            .into_iter()
            .find(|transport| name.eq_ignore_ascii_case(transport.as_str().as_bytes()))
    }
}

/// The prefix of a branch that its sender promises to be unique (RFC 3261 §8.1.1.7).
pub const MAGIC_COOKIE: &[u8] = b"z9hG4bK";

/// One Via value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Via<'a> {
    /// The transport as written; may be one that we do not speak.
    pub transport: &'a [u8],
    /// The host of the sent-by part.
    pub host: Host<'a>,
    /// The port of the sent-by part, where one is written.
    pub port: Option<u16>,
    /// `branch`, `received`, `rport`, `maddr`, `ttl` and others.
    pub params: Params<'a>,
}

/// Why a value is no Via.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ViaError {
    /// It does not start with `SIP/2.0/transport`.
    #[error("the protocol is not SIP/2.0/transport")]
    Protocol,
    /// The sent-by part is wrong.
    #[error("sent-by is wrong")]
    SentBy(#[from] UriError),
}

impl<'a> Via<'a> {
    /// Reads one element of a Via header.
    ///
    /// # Errors
    /// [`ViaError`].
    pub fn parse(raw: &'a [u8]) -> Result<Self, ViaError> {
        let rest = match raw.strip_prefix(b"SIP/2.0/") {
            Some(rest) => rest,
            None => {
                let rest = protocol_part(raw, |name| name.eq_ignore_ascii_case(b"SIP"))?;
                protocol_part(rest, |version| version == b"2.0")?
            }
        };
        let rest = lexer::trim_start(rest);
        let space = rest
            .iter()
            .copied()
            .position(lexer::is_lws)
            .ok_or(ViaError::Protocol)?;
        let transport = &rest[..space];
        if !lexer::is_token_str(transport) {
            return Err(ViaError::Protocol);
        }
        let rest = lexer::trim_start(&rest[space..]);
        let sent_by_len = lexer::find(b';', rest).unwrap_or(rest.len());
        let (sent_by, params) = rest.split_at(sent_by_len);
        let (host, port) = parse_host_port(lexer::trim_end(sent_by))?;
        Ok(Self {
            transport,
            host,
            port,
            params: Params::new(params),
        })
    }

    /// The `branch` parameter, the transaction's id.
    pub fn branch(&self) -> Option<&'a [u8]> {
        self.params
            .value("branch")
            .filter(|branch| !branch.is_empty())
    }

    /// The `received` parameter: the address that the request came from. Brackets around an IPv6
    /// address are accepted (RFC 5118 §4.5).
    pub fn received(&self) -> Option<IpAddr> {
        self.params.value("received").and_then(|value| match value {
            [b'[', ..] => Host::parse(value).ok()?.ip(),
            _ => std::str::from_utf8(value).ok()?.parse().ok(),
        })
    }

    /// The `rport` parameter (RFC 3581).
    pub fn rport(&self) -> Rport {
        match self.params.get("rport") {
            None => Rport::Absent,
            Some(param) => param
                .value
                .and_then(lexer::number)
                .map_or(Rport::Requested, Rport::Filled),
        }
    }

    /// The transport, where it is one of ours.
    pub fn known_transport(&self) -> Option<Transport> {
        Transport::of(self.transport)
    }
}

/// What a Via says of `rport` (RFC 3581 §3 and §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rport {
    /// No `rport`: the response goes to the port of sent-by.
    Absent,
    /// `;rport`: the sender asks for its response at the port that the request came from.
    Requested,
    /// `;rport=5062`: the port that the request came from.
    Filled(u16),
}

impl fmt::Debug for Via<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "SIP/2.0/{} {}",
            String::from_utf8_lossy(self.transport),
            self.host
        )?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        fmt::Debug::fmt(&self.params, f)
    }
}

/// Takes `part` and the slash after it, with white space around both.
fn protocol_part(raw: &[u8], is_right: impl Fn(&[u8]) -> bool) -> Result<&[u8], ViaError> {
    let (part, rest) = lexer::split_once(raw, b'/');
    rest.filter(|_| is_right(lexer::trim(part)))
        .ok_or(ViaError::Protocol)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_and_folds_anywhere() {
        let via = Via::parse(
            b"SIP  / 2.0\r\n /UDP\r\n    192.0.2.2 : 5070;branch=390skdjuw ; rport;received=[2001:db8::9]",
        )
        .unwrap();
        assert_eq!(via.known_transport(), Some(Transport::Udp));
        assert_eq!(via.host.ip(), Some("192.0.2.2".parse().unwrap()));
        assert_eq!(via.port, Some(5070));
        assert_eq!(via.branch(), Some(&b"390skdjuw"[..]));
        assert_eq!(via.rport(), Rport::Requested);
        assert_eq!(via.received(), Some("2001:db8::9".parse().unwrap()));
    }

    #[test]
    fn unknown_transports_and_ipv6_are_kept() {
        let via = Via::parse(b"SIP/2.0/UNKNOWN [2001:db8::1]:5060;rport=1;branch=").unwrap();
        assert_eq!(via.transport, b"UNKNOWN");
        assert_eq!(via.known_transport(), None);
        assert_eq!(via.rport(), Rport::Filled(1));
        assert_eq!(via.branch(), None);
    }

    #[test]
    fn wrong_values_are_refused() {
        for raw in [
            "",
            "SIP/2.0/UDP",
            "SIP/3.0/UDP h",
            "SIP/2.0 UDP h",
            "SIP/2.0/UDP ;branch=x",
            "SIP/2.0/UDP h:x",
        ] {
            assert!(Via::parse(raw.as_bytes()).is_err(), "{raw}");
        }
    }
}
