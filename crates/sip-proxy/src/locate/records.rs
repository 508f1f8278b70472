//! What DNS is asked, and what it answers.

use std::{fmt, net::IpAddr};

use sip::{SipScheme, Transport};

/// A name to look up: lower case, without the dot at the end.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainName(String);

/// Why bytes are no name to look up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a domain name: labels of letters, digits, - and _ of at most 63, 253 in all")]
pub struct DomainNameError;

impl DomainName {
    /// Takes a name.
    ///
    /// # Errors
    /// [`DomainNameError`].
    pub fn new(name: &[u8]) -> Result<Self, DomainNameError> {
        let name = name.strip_suffix(b".").unwrap_or(name);
        let is_label = |label: &[u8]| {
            let is_char = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            (1..=63).contains(&label.len()) && label.iter().all(is_char)
        };
        if name.len() > 253 || !name.split(|&byte| byte == b'.').all(is_label) {
            return Err(DomainNameError);
        }
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        Ok(Self(name))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of a service of this domain.
    pub(super) fn under(&self, service: &str) -> Self {
        Self(format!("{service}.{}", self.0))
    }
}

impl fmt::Debug for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A question to DNS.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Query {
    /// NAPTR records of a domain.
    Naptr(DomainName),
    /// SRV records of a service.
    Srv(DomainName),
    /// AAAA and A records of a host.
    Addresses(DomainName),
}

/// An answer of DNS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To [`Query::Naptr`].
    Naptr(Vec<Naptr>),
    /// To [`Query::Srv`].
    Srv(Vec<Srv>),
    /// To [`Query::Addresses`].
    Addresses(Vec<IpAddr>),
    /// There is no such name, or it has no such record. DNS has said so.
    None,
    /// DNS did not answer.
    Failed,
}

/// A NAPTR record (RFC 3403), as far as SIP needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naptr {
    /// Lower is tried first.
    pub order: u16,
    /// Within an order, lower is preferred.
    pub preference: u16,
    /// The flags; `s` says that the replacement has SRV records.
    pub flags: String,
    /// The service: `SIP+D2U`, `SIP+D2T`, `SIPS+D2T`.
    pub service: String,
    /// The name of the SRV records.
    pub replacement: DomainName,
}

impl Naptr {
    //= https://www.rfc-editor.org/rfc/rfc3263#section-4.1
    //# First, a client resolving a SIPS URI MUST discard any services that
    //# do not contain "SIPS" as the protocol in the service field.
    /// The transport that the record leads to; `None` for what SIP cannot use.
    pub(super) fn transport(&self, scheme: SipScheme) -> Option<Transport> {
        if !self.flags.eq_ignore_ascii_case("s") {
            return None;
        }
        match (self.service.to_ascii_uppercase().as_str(), scheme) {
            ("SIPS+D2T", _) => Some(Transport::Tls),
            ("SIP+D2U", SipScheme::Sip) => Some(Transport::Udp),
            ("SIP+D2T", SipScheme::Sip) => Some(Transport::Tcp),
            _ => None,
        }
    }
}

/// An SRV record (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Srv {
    /// Lower is tried first.
    pub priority: u16,
    /// Within a priority, the share of this record.
    pub weight: u16,
    /// The port.
    pub port: u16,
    /// The host.
    pub target: DomainName,
}

/// SRV records in the order to try them: by priority, and within one by a drawing in which each has
/// as many lots as its weight (RFC 2782).
pub(super) fn in_order(mut records: Vec<Srv>, mut draw: impl FnMut(u32) -> u32) -> Vec<Srv> {
    // Those of weight 0 first, so that they have a chance in the drawing.
    records.sort_by_key(|record| (record.priority, record.weight != 0));
    let mut ordered = Vec::with_capacity(records.len());
    while let Some(first) = records.first() {
        let priority = first.priority;
        let same = records.iter().take_while(|one| one.priority == priority);
        let total: u32 = same.map(|one| u32::from(one.weight)).sum();
        let drawn = draw(total + 1);
        let mut sum = 0;
        let chosen = records.iter().position(|one| {
            sum += u32::from(one.weight);
            sum >= drawn
        });
        ordered.push(records.remove(chosen.unwrap_or(0)));
    }
    ordered
}
