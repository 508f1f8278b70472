//! Our own addresses: what Via and Contact say of us on each listener.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use sip::{Host, Transport, Uri};

use crate::flow::{Flow, ListenerId};

/// A listener's address as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Local {
    /// The listener.
    pub listener: ListenerId,
    /// Its transport.
    pub transport: Transport,
    /// The address that is written into Via and Contact.
    pub advertised: SocketAddr,
}

/// Every listener of the node, in the order of the configuration.
#[derive(Clone, Debug, Default)]
pub struct Locals {
    all: Vec<Named>,
}

/// A listener, and how messages name it: that is the same in all of them.
#[derive(Clone, Debug)]
struct Named {
    local: Local,
    via: String,
    contact: Bytes,
    /// The host of our URI, and what follows.
    host: String,
}

impl Locals {
    /// Takes the node's listeners.
    pub fn new(all: Vec<Local>) -> Self {
        let all = all.into_iter().map(|local| Named {
            via: via_until_branch(local.transport, local.advertised),
            contact: contact(local.transport, local.advertised),
            host: host(local.transport, local.advertised),
            local,
        });
        Self { all: all.collect() }
    }

    /// The listener that a flow uses.
    pub fn of(&self, flow: Flow) -> Option<&Local> {
        self.named(flow).map(|named| &named.local)
    }

    fn named(&self, flow: Flow) -> Option<&Named> {
        let mut all = self.all.iter();
        all.find(|named| named.local.listener == flow.listener)
    }

    fn locals(&self) -> impl Iterator<Item = &Local> {
        self.all.iter().map(|named| &named.local)
    }

    /// The first listener of this transport and of the address family of `remote`.
    pub fn reaching(&self, transport: Transport, remote: IpAddr) -> Option<&Local> {
        self.locals().find(|local| {
            local.transport == transport && local.advertised.is_ipv4() == remote.is_ipv4()
        })
    }

    /// The flow to a URI whose host is an address: by its `transport` parameter and port
    /// (RFC 3263 §4 without DNS). `None` for a name, or where we have no such listener.
    pub fn flow_to(&self, uri: &Uri<'_>) -> Option<Flow> {
        let uri = uri.as_sip()?;
        let ip = uri.host.ip()?;
        let transport = match (uri.params.value("transport"), uri.scheme) {
            (Some(name), _) => Transport::of(name)?,
            (None, sip::SipScheme::Sips) => Transport::Tls,
            (None, sip::SipScheme::Sip) => Transport::Udp,
        };
        let local = self.reaching(transport, ip)?;
        let port = uri.port.unwrap_or_else(|| transport.default_port());
        Some(Flow {
            transport,
            listener: local.listener,
            remote: SocketAddr::new(ip, port),
        })
    }

    /// Whether a host and port name one of our listeners.
    pub fn is_ours(&self, host: &Host<'_>, port: Option<u16>) -> bool {
        self.locals().any(|local| {
            host.ip() == Some(local.advertised.ip())
                && port.unwrap_or_else(|| local.transport.default_port()) == local.advertised.port()
        })
    }

    /// The Via value of a request that leaves over `flow`, with `rport` (RFC 3581 §3). Over TLS the
    /// peer may send its own requests to us over the same connection (`alias`, RFC 5923 §5).
    pub fn via(&self, flow: Flow, branch: &str) -> String {
        let after = match flow.transport {
            Transport::Tls => ";rport;alias",
            Transport::Udp | Transport::Tcp => ";rport",
        };
        match self.named(flow) {
            Some(named) => [&named.via, branch, after].concat(),
            None => [
                &via_until_branch(flow.transport, flow.remote),
                branch,
                after,
            ]
            .concat(),
        }
    }

    /// A Record-Route value that leads back to us over the listener of `flow`, with this user part.
    //= https://www.rfc-editor.org/rfc/rfc3261#section-16.6
    //# The URI placed in the Record-Route header field value MUST be a
    //# SIP or SIPS URI.  This URI MUST contain an lr parameter (see
    //# Section 19.1.1).
    pub fn record_route(&self, flow: Flow, user: &str) -> String {
        match self.named(flow) {
            Some(named) => ["<sip:", user, "@", &named.host, ";lr>"].concat(),
            None => [
                "<sip:",
                user,
                "@",
                &host(flow.transport, flow.remote),
                ";lr>",
            ]
            .concat(),
        }
    }

    /// The Contact value of messages that leave over `flow`.
    pub fn contact(&self, flow: Flow) -> Bytes {
        match self.named(flow) {
            Some(named) => named.contact.clone(),
            None => contact(flow.transport, flow.remote),
        }
    }
}

fn host(transport: Transport, address: SocketAddr) -> String {
    match transport {
        Transport::Udp => address.to_string(),
        Transport::Tcp => format!("{address};transport=tcp"),
        Transport::Tls => format!("{address};transport=tls"),
    }
}

fn via_until_branch(transport: Transport, sent_by: SocketAddr) -> String {
    format!("SIP/2.0/{} {sent_by};branch=", transport.as_str())
}

fn contact(transport: Transport, address: SocketAddr) -> Bytes {
    format!("<sip:{}>", host(transport, address)).into()
}
