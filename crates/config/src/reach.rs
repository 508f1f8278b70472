//! What a node can send to by the listeners that it has.

use std::net::IpAddr;

use engine::Listener;
use sip::{SipScheme, SipUri, Transport};

/// Why nothing can be sent to a URI, to follow it in a sentence. A name is only held against the transport.
pub(crate) fn problem(uri: &SipUri<'_>, listeners: &[Listener]) -> Option<&'static str> {
    let transport = match (uri.scheme, uri.params.value("transport")) {
        (SipScheme::Sips, _) => Some(Transport::Tls),
        (SipScheme::Sip, None) if uri.host.ip().is_some() => Some(Transport::Udp),
        // DNS says which.
        (SipScheme::Sip, None) => return None,
        (SipScheme::Sip, Some(name)) => Transport::of(name),
    };
    if listeners.is_empty() {
        // That is told already.
        return None;
    }
    let Some(transport) = transport else {
        return Some("names a transport that is not udp, tcp or tls");
    };
    let mut of_transport = listeners.iter().filter(|one| one.transport == transport);
    let is_of_family = |ip: IpAddr, one: &Listener| one.advertised.is_ipv4() == ip.is_ipv4();
    match uri.host.ip() {
        _ if of_transport.clone().next().is_none() => {
            Some("needs a transport for which there is no [[listen]]")
        }
        Some(ip) if !of_transport.any(|one| is_of_family(ip, one)) => {
            Some("needs a [[listen]] of its transport and its family of addresses, IPv4 or IPv6")
        }
        _ => None,
    }
}
