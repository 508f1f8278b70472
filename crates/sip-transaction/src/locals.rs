//! Our own addresses: what Via and Contact say of us on each listener.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

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
    all: Vec<Local>,
    /// How each is written, in the same order: every message of ours has it.
    written: Vec<Written>,
}

/// How a listener is written.
#[derive(Clone, Debug)]
struct Written {
    /// A Via value up to its branch.
    via: String,
    /// A Contact value.
    contact: String,
}

impl Written {
    fn of(transport: Transport, address: SocketAddr) -> Self {
        let name = transport.as_str();
        let uri = ContactUri { address, transport };
        Self {
            via: format!("SIP/2.0/{name} {address};branch="),
            contact: format!("<{uri}>"),
        }
    }
}

impl Locals {
    /// Takes the node's listeners.
    pub fn new(all: Vec<Local>) -> Self {
        let written = |local: &Local| Written::of(local.transport, local.advertised);
        let written = all.iter().map(written).collect();
        Self { all, written }
    }

    /// The listener that a flow uses.
    pub fn of(&self, flow: Flow) -> Option<&Local> {
        self.all
            .iter()
            .find(|local| local.listener == flow.listener)
    }

    /// The first listener of this transport and of the address family of `remote`.
    pub fn reaching(&self, transport: Transport, remote: IpAddr) -> Option<&Local> {
        self.all.iter().find(|local| {
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
        self.all.iter().any(|local| {
            host.ip() == Some(local.advertised.ip())
                && port.unwrap_or_else(|| local.transport.default_port()) == local.advertised.port()
        })
    }

    /// The Via value of a request that leaves over `flow`, with `rport` (RFC 3581 §3). Over TLS the
    /// peer may send its own requests to us over the same connection (`alias`, RFC 5923 §5).
    pub fn via(&self, flow: Flow, branch: &str) -> String {
        let alias = match flow.transport {
            Transport::Tls => ";rport;alias",
            Transport::Udp | Transport::Tcp => ";rport",
        };
        self.written(flow, |written| [&written.via, branch, alias].concat())
    }

    /// The Contact value of messages that leave over `flow`.
    pub fn contact(&self, flow: Flow) -> String {
        self.written(flow, |written| written.contact.clone())
    }

    /// What `then` makes of how the listener of a flow is written; of one that is gone, the remote address
    /// stands in.
    fn written(&self, flow: Flow, then: impl FnOnce(&Written) -> String) -> String {
        let is_it =
            |local: &Local| local.listener == flow.listener && local.transport == flow.transport;
        match self.all.iter().position(is_it) {
            Some(at) => then(&self.written[at]),
            None => {
                let address = self.of(flow).map_or(flow.remote, |local| local.advertised);
                then(&Written::of(flow.transport, address))
            }
        }
    }
}

struct ContactUri {
    address: SocketAddr,
    transport: Transport,
}

impl fmt::Display for ContactUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sip:{}", self.address)?;
        match self.transport {
            Transport::Udp => Ok(()),
            Transport::Tcp => f.write_str(";transport=tcp"),
            Transport::Tls => f.write_str(";transport=tls"),
        }
    }
}
