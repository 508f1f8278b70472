//! The way back: where the responses of a server transaction go.

use std::net::{IpAddr, SocketAddr};

use sip::{Host, Request, Rport, Via};

use crate::flow::Flow;

/// Where responses go (RFC 3261 §18.2.2, RFC 3581 §4).
#[derive(Clone, Copy, Debug)]
pub(super) struct Route {
    pub(super) flow: Flow,
    /// Over a connection: the port to connect to when it is gone.
    fallback_port: Option<u16>,
}

impl Route {
    pub(super) fn of(request: &Request, source: Flow) -> Self {
        let via = request.top_via();
        let sent_by_port = via.port.unwrap_or_else(|| source.transport.default_port());
        if source.transport.is_reliable() {
            //= https://www.rfc-editor.org/rfc/rfc3261#section-18.2.2
            //# If that connection is no longer open, the server SHOULD
            //# open a connection to the IP address in the "received"
            //# parameter, if present, using the port in the "sent-by" value,
            //# or the default port for that transport, if no port is
            //# specified.
            return Self {
                flow: source,
                fallback_port: Some(sent_by_port),
            };
        }
        let remote = match maddr(&via) {
            Some(address) => SocketAddr::new(address, sent_by_port),
            None if via.rport() == Rport::Absent => {
                SocketAddr::new(source.remote.ip(), sent_by_port)
            }
            None => source.remote,
        };
        Self {
            flow: Flow { remote, ..source },
            fallback_port: None,
        }
    }

    /// Where to connect to when the connection is gone.
    pub(super) fn fallback(self) -> Option<SocketAddr> {
        let port = self.fallback_port?;
        Some(SocketAddr::new(self.flow.remote.ip(), port))
    }

    /// The connections by which a response leaves, or leaves instead.
    pub(super) fn connections(self) -> impl Iterator<Item = Flow> {
        let instead = self.fallback().map(|remote| Flow {
            remote,
            ..self.flow
        });
        instead
            .into_iter()
            .flat_map(move |instead| [self.flow, instead])
    }
}

/// The `maddr` of a Via, where it is an address.
fn maddr(via: &Via<'_>) -> Option<IpAddr> {
    Host::parse(via.params.value("maddr")?).ok()?.ip()
}
