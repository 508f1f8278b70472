//! Where a request to a registered contact is sent (RFC 3261 §8.1.2, RFC 3327 §5.3, RFC 3581).

use std::net::{IpAddr, SocketAddr};

use sip::{Host, Rport, SipScheme, Transport, Uri, Via};
use sip_transaction::Flow;

/// The flow to a first hop (the contact, or the first URI of Path) that was registered by a request
/// with this top Via from this source.
///
/// Nothing is resolved here. Where the hop's address is not to be had, or could not be reached from
/// the listener, the source is taken: something that speaks SIP was there a moment ago.
pub(crate) fn flow_to(hop: &Uri<'_>, via: &Via<'_>, source: Flow) -> Flow {
    // A stream is used again: the phone's own port takes no connections through a firewall.
    if source.transport.is_reliable() || is_behind_nat(via, source.remote) {
        return source;
    }
    address_of(hop, source).map_or(source, |remote| Flow { remote, ..source })
}

/// Whether the sender sees itself at another address than we do. A name in place of the address
/// tells nothing, and then the source is the safer way.
///
/// The port counts only when the sender asks for `rport`: without it the sender expects even
/// responses at the port that it wrote (RFC 3261 §18.2.2), so it listens there.
fn is_behind_nat(via: &Via<'_>, source: SocketAddr) -> bool {
    let port = via.port.unwrap_or(Transport::Udp.default_port());
    let is_same_ip = via
        .host
        .ip()
        .is_some_and(|ip| ip.to_canonical() == source.ip().to_canonical());
    let is_same_port = via.rport() == Rport::Absent || port == source.port();
    !(is_same_ip && is_same_port)
}

fn address_of(hop: &Uri<'_>, source: Flow) -> Option<SocketAddr> {
    let uri = hop.as_sip()?;
    let transport = match uri.params.value("transport") {
        Some(name) => Transport::of(name)?,
        None => source.transport,
    };
    if transport != source.transport || uri.scheme == SipScheme::Sips {
        return None;
    }
    let ip = match uri.params.value("maddr") {
        Some(maddr) => Host::parse(maddr).ok()?.ip()?,
        None => uri.host.ip()?,
    };
    let port = uri.port.unwrap_or_else(|| transport.default_port());
    let is_host = !ip.is_unspecified() && !ip.is_multicast() && port != 0;
    is_host
        .then(|| seen_from(source.remote, ip, port))
        .flatten()
}

/// The address as the socket that has this peer writes it; `None` when the socket is of another
/// family.
fn seen_from(peer: SocketAddr, ip: IpAddr, port: u16) -> Option<SocketAddr> {
    if peer.ip().to_canonical() == ip.to_canonical() {
        // A copy of the peer's address keeps the scope of a link-local one.
        let mut same = peer;
        same.set_port(port);
        return Some(same);
    }
    let ip = match (peer.ip(), ip) {
        (IpAddr::V4(_), IpAddr::V4(_)) => ip,
        (IpAddr::V6(peer), IpAddr::V4(ip)) => {
            peer.to_ipv4_mapped()?;
            IpAddr::V6(ip.to_ipv6_mapped())
        }
        (IpAddr::V6(peer), IpAddr::V6(_)) if peer.to_ipv4_mapped().is_none() => ip,
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}
