//! URIs: `sip`, `sips`, `tel`, `urn`, and any other scheme as opaque bytes (RFC 3261 §19.1,
//! RFC 3966, RFC 8141).

use std::{borrow::Cow, fmt};

use bytes::Bytes;

use crate::{
    byte_set::{ByteSet, byte_set},
    escape,
    host::{Host, parse_host_port},
    lexer::{self, Params},
    pii::Pii,
};

/// A parsed URI that borrows from its bytes. `Debug` shows no user, number or parameter.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Uri<'a> {
    /// `sip:` or `sips:`.
    Sip(SipUri<'a>),
    /// `tel:` (RFC 3966).
    Tel(TelUri<'a>),
    /// `urn:` (RFC 8141), such as `urn:service:sos.ambulance` (RFC 5031).
    Urn(UrnUri<'a>),
    /// Any other scheme: not understood, kept.
    Other(OtherUri<'a>),
}

/// `sip:user:password@host:port;params?headers`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SipUri<'a> {
    /// `sip` or `sips`.
    pub scheme: SipScheme,
    /// The user part as written, escapes and all; `None` when there is no `@`.
    pub user: Option<Pii<&'a [u8]>>,
    /// What follows `:` in the user information. Its use is discouraged; it is only kept.
    pub password: Option<Pii<&'a [u8]>>,
    /// The host.
    pub host: Host<'a>,
    /// The port, where one is written.
    pub port: Option<u16>,
    /// The URI's parameters, from the first `;`.
    pub params: Params<'a>,
    /// What follows `?`, as written; empty when there is none.
    pub headers: &'a [u8],
}

/// The scheme of a [`SipUri`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SipScheme {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
}

/// `tel:+33369670015;params`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TelUri<'a> {
    /// The number as written, visual separators and all.
    pub number: Pii<&'a [u8]>,
    /// The parameters, from the first `;`.
    pub params: Params<'a>,
}

/// `urn:nid:nss`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct UrnUri<'a> {
    /// Everything after `urn:`, such as `service:sos.ambulance`.
    pub name: &'a [u8],
}

/// `scheme:anything`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct OtherUri<'a> {
    /// The scheme as written.
    pub scheme: &'a [u8],
    /// What follows the colon.
    pub rest: Pii<&'a [u8]>,
}

/// Why bytes are no URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UriError {
    /// There is no `scheme:` at the start.
    #[error("no scheme")]
    Scheme,
    /// A space, a line break, `<`, `>` or `"` inside.
    #[error("a character that no URI may hold")]
    Character,
    /// The host is missing or is no name and no address.
    #[error("the host is missing or wrong")]
    Host,
    /// The port is not a number from 0 to 65535.
    #[error("the port is wrong")]
    Port,
    /// The user part is empty although there is an `@`, or holds a character that must be escaped.
    #[error("the user part is wrong")]
    User,
    /// The number of a `tel:` URI is empty or holds something that is no number.
    #[error("the number is wrong")]
    Number,
    /// Longer than [`UriBuf::LEN_MAX`]: nobody keeps it.
    #[error("longer than {} bytes", UriBuf::LEN_MAX)]
    Length,
}

impl<'a> Uri<'a> {
    /// Reads a URI.
    ///
    /// # Errors
    /// [`UriError`] says which part is wrong.
    pub fn parse(raw: &'a [u8]) -> Result<Self, UriError> {
        if !URI.has_all(raw) {
            return Err(UriError::Character);
        }
        let colon = lexer::find(b':', raw).ok_or(UriError::Scheme)?;
        let (scheme, rest) = (&raw[..colon], &raw[colon + 1..]);
        if scheme.eq_ignore_ascii_case(b"sip") {
            return SipUri::parse(SipScheme::Sip, rest).map(Self::Sip);
        }
        if scheme.eq_ignore_ascii_case(b"sips") {
            return SipUri::parse(SipScheme::Sips, rest).map(Self::Sip);
        }
        if scheme.eq_ignore_ascii_case(b"tel") {
            return TelUri::parse(rest).map(Self::Tel);
        }
        if scheme.eq_ignore_ascii_case(b"urn") && !rest.is_empty() {
            return Ok(Self::Urn(UrnUri { name: rest }));
        }
        if !is_scheme(scheme) || rest.is_empty() {
            return Err(UriError::Scheme);
        }
        Ok(Self::Other(OtherUri {
            scheme,
            rest: Pii::new(rest),
        }))
    }

    /// The user or the number: what a dial plan looks at. `None` for a URN, for another scheme
    /// and for a SIP URI without a user.
    pub fn user_or_number(&self) -> Option<Pii<&'a [u8]>> {
        match self {
            Self::Sip(uri) => uri.user,
            Self::Tel(uri) => Some(uri.number),
            Self::Urn(_) | Self::Other(_) => None,
        }
    }

    /// The SIP URI, if it is one.
    pub const fn as_sip(&self) -> Option<&SipUri<'a>> {
        match self {
            Self::Sip(uri) => Some(uri),
            _ => None,
        }
    }
}

impl<'a> SipUri<'a> {
    fn parse(scheme: SipScheme, rest: &'a [u8]) -> Result<Self, UriError> {
        // The user part may hold `;` and `?` (RFC 3261 §25.1, user-unreserved), so the `@` is
        // looked for first. An `@` of the headers is escaped there.
        let (user_info, rest) = match lexer::find(b'@', rest) {
            Some(at) => (Some(&rest[..at]), &rest[at + 1..]),
            None => (None, rest),
        };
        let (user, password) = match user_info {
            Some(info) => {
                let (user, password) = lexer::split_once(info, b':');
                if user.is_empty() || !USER.has_all(user) {
                    return Err(UriError::User);
                }
                (Some(Pii::new(user)), password.map(Pii::new))
            }
            None => (None, None),
        };
        let host_len = host_port_len(rest)?;
        let (host, port) = parse_host_port(&rest[..host_len])?;
        let (params, headers) = lexer::split_once(&rest[host_len..], b'?');
        Ok(Self {
            scheme,
            user,
            password,
            host,
            port,
            params: Params::new(params),
            headers: headers.unwrap_or_default(),
        })
    }

    /// Whether the URI has the `lr` parameter: the next hop is a loose router (RFC 3261 §16.12).
    /// Escapes in its name do not matter (RFC 4475 §3.1.1.3).
    pub fn is_loose_route(&self) -> bool {
        let mut names = self.params.iter().map(|param| escape::decode(param.name));
        names.any(|name| name.eq_ignore_ascii_case(b"lr"))
    }

    /// The user part without escapes: what a dial plan compares.
    pub fn user_decoded(&self) -> Option<Pii<Cow<'a, [u8]>>> {
        self.user.map(|user| user.map(escape::decode))
    }

    /// The headers that follow `?`, in their order.
    pub fn uri_headers(&self) -> impl Iterator<Item = UriHeader<'a>> + use<'a> {
        let parts = self.headers.split(|&byte| byte == b'&');
        parts.filter(|part| !part.is_empty()).map(|part| {
            let (name, value) = lexer::split_once(part, b'=');
            UriHeader {
                name,
                value: Pii::new(value.unwrap_or_default()),
            }
        })
    }

    /// The value, without escapes, of the first header after `?` that has this name in any case.
    pub fn header(&self, name: &str) -> Option<Pii<Cow<'a, [u8]>>> {
        self.uri_headers()
            .find(|header| escape::decode(header.name).eq_ignore_ascii_case(name.as_bytes()))
            .map(|header| header.value.map(escape::decode))
    }
}

/// One header inside a SIP URI, as written: `Replaces=1%40a%3Bto-tag%3D2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UriHeader<'a> {
    /// The name as written.
    pub name: &'a [u8],
    /// The value as written, escapes and all.
    pub value: Pii<&'a [u8]>,
}

impl<'a> TelUri<'a> {
    fn parse(rest: &'a [u8]) -> Result<Self, UriError> {
        let number_len = lexer::find(b';', rest).unwrap_or(rest.len());
        let (number, params) = rest.split_at(number_len);
        let digits = number.strip_prefix(b"+").unwrap_or(number);
        let is_number = |byte: u8| {
            byte.is_ascii_hexdigit()
                || matches!(byte, b'*' | b'#' | b'-' | b'.' | b'(' | b')' | b'%')
        };
        if digits.is_empty() || !digits.iter().copied().all(is_number) {
            return Err(UriError::Number);
        }
        Ok(Self {
            number: Pii::new(number),
            params: Params::new(params),
        })
    }
}

impl fmt::Debug for Uri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sip(uri) => fmt::Debug::fmt(uri, f),
            Self::Tel(_) => f.write_str("tel:***"),
            Self::Urn(urn) => fmt::Debug::fmt(urn, f),
            Self::Other(other) => write!(f, "{}:***", String::from_utf8_lossy(other.scheme)),
        }
    }
}

impl fmt::Debug for SipUri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            SipScheme::Sip => "sip",
            SipScheme::Sips => "sips",
        };
        let user = if self.user.is_some() { "***@" } else { "" };
        write!(f, "{scheme}:{user}{}", self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl fmt::Debug for TelUri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tel:***")
    }
}

impl fmt::Debug for UrnUri<'_> {
    /// A service shows; another name can be that of a person's device (`urn:gsma:imei:...`).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (namespace, _) = lexer::split_once(self.name, b':');
        let shown = if namespace.eq_ignore_ascii_case(b"service") {
            self.name
        } else {
            namespace
        };
        let hidden = if shown == self.name { "" } else { ":***" };
        write!(f, "urn:{}{hidden}", String::from_utf8_lossy(shown))
    }
}

impl fmt::Debug for OtherUri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:***", String::from_utf8_lossy(self.scheme))
    }
}

/// A URI that owns its bytes and is known to parse: what a dialog, a binding or a configuration
/// keeps.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UriBuf(Bytes);

impl UriBuf {
    /// The longest that is kept, in bytes: whoever is rung by it finds it in a first line, which has an end.
    pub const LEN_MAX: usize = 8192;

    /// Takes bytes that are a URI.
    ///
    /// # Errors
    /// [`UriError`] says which part is wrong.
    pub fn new(raw: impl Into<Bytes>) -> Result<Self, UriError> {
        let raw = raw.into();
        if raw.len() > Self::LEN_MAX {
            return Err(UriError::Length);
        }
        Uri::parse(&raw)?;
        Ok(Self(raw))
    }

    /// The bytes as written.
    pub const fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The parsed view.
    pub fn as_uri(&self) -> Uri<'_> {
        Uri::parse(&self.0).expect("UriBuf::new has parsed these bytes")
    }
}

impl fmt::Debug for UriBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.as_uri(), f)
    }
}

/// The length of `host[:port]` at the start of `rest`.
fn host_port_len(rest: &[u8]) -> Result<usize, UriError> {
    let host_len = if rest.first() == Some(&b'[') {
        lexer::find(b']', rest).ok_or(UriError::Host)? + 1
    } else {
        0
    };
    let tail = &rest[host_len..];
    Ok(host_len + lexer::find_either([b';', b'?'], tail).unwrap_or(tail.len()))
}

fn is_scheme(scheme: &[u8]) -> bool {
    scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && scheme
            .iter()
            .all(|&byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

/// What may stand in a URI.
static URI: ByteSet = byte_set!(is_uri_char);

const fn is_uri_char(byte: u8) -> bool {
    byte > b' ' && !matches!(byte, b'<' | b'>' | b'"' | 0x7f)
}

static USER: ByteSet = byte_set!(is_user_char);

/// What may stand in a user part: RFC 3261 §25.1, and bytes above ASCII and `#`, which phones
/// write without escaping them.
const fn is_user_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || byte >= 0x80
        || matches!(
            byte,
            b'-' | b'_'
                | b'.'
                | b'!'
                | b'~'
                | b'*'
                | b'\''
                | b'('
                | b')'
                | b'&'
                | b'='
                | b'+'
                | b'$'
                | b','
                | b';'
                | b'?'
                | b'/'
                | b'%'
                | b'#'
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn sip(raw: &str) -> SipUri<'_> {
        *Uri::parse(raw.as_bytes()).unwrap().as_sip().unwrap()
    }

    #[test]
    fn a_uri_that_is_kept_has_an_end() {
        let of = |len: usize| format!("sip:{}@192.0.2.1", "a".repeat(len - "sip:@192.0.2.1".len()));
        assert!(UriBuf::new(of(UriBuf::LEN_MAX)).is_ok());
        let long = of(UriBuf::LEN_MAX + 1);
        assert_eq!(UriBuf::new(long.clone()), Err(UriError::Length));
        assert!(Uri::parse(long.as_bytes()).is_ok(), "it may pass");
    }

    #[test]
    fn a_full_sip_uri() {
        let uri = sip("sips:al;ice?x:pw@[2001:db8::1]:5061;transport=tcp;lr?subject=a%40b");
        assert_eq!(uri.scheme, SipScheme::Sips);
        assert_eq!(uri.user.map(Pii::into_exposed), Some(&b"al;ice?x"[..]));
        assert_eq!(uri.password.map(Pii::into_exposed), Some(&b"pw"[..]));
        assert_eq!(uri.host.ip(), Some("2001:db8::1".parse().unwrap()));
        assert_eq!(uri.port, Some(5061));
        assert_eq!(uri.params.value("transport"), Some(&b"tcp"[..]));
        assert!(uri.is_loose_route());
        assert_eq!(uri.headers, b"subject=a%40b");
    }

    #[test]
    fn short_numbers_and_services() {
        assert_eq!(
            sip("sip:15@192.0.2.1").host,
            Host::V4(Ipv4Addr::new(192, 0, 2, 1))
        );
        assert_eq!(
            sip("sip:samu_67.example").host,
            Host::Name(b"samu_67.example")
        );
        assert_eq!(
            Uri::parse(b"urn:service:sos.ambulance"),
            Ok(Uri::Urn(UrnUri {
                name: b"service:sos.ambulance"
            }))
        );
        let tel = Uri::parse(b"tel:+33-3-69;phone-context=x").unwrap();
        assert_eq!(
            tel.user_or_number().map(Pii::into_exposed),
            Some(&b"+33-3-69"[..])
        );
        assert!(matches!(
            Uri::parse(b"soap.beep://192.0.2.103:3002"),
            Ok(Uri::Other(_))
        ));
    }

    #[test]
    fn wrong_uris_say_which_part() {
        for (raw, error) in [
            ("", UriError::Scheme),
            ("user@example.com", UriError::Scheme),
            ("sip:", UriError::Host),
            ("sip:@example.com", UriError::User),
            ("sip:a@", UriError::Host),
            ("sip:a@b:port", UriError::Port),
            ("sip:a@b:65536", UriError::Port),
            ("sip:a@[::1", UriError::Host),
            ("sip:a@2001:db8::1", UriError::Port),
            ("sip:a b@c", UriError::Character),
            ("<sip:a@c>", UriError::Character),
            ("tel:", UriError::Number),
            ("tel:+", UriError::Number),
        ] {
            assert_eq!(Uri::parse(raw.as_bytes()), Err(error), "{raw}");
        }
    }

    #[test]
    fn debug_shows_no_personal_data() {
        for raw in [
            "sip:+33612345678@h:5060;x=+33612345678",
            "tel:+33612345678",
            "im:+33612345678",
        ] {
            let shown = format!("{:?}", Uri::parse(raw.as_bytes()).unwrap());
            assert!(!shown.contains("336"), "{shown}");
        }
    }
}
