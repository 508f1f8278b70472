//! How a peer is reached, and where it sends what it says: over datagrams or connections.

use std::{net::SocketAddr, time::Instant};

use engine::{
    sip::{NameAddr, Transport, Uri},
    sip_transaction::{Flow, ListenerId},
};

use super::{Dialog, Peer, registering::Registered};

/// What a peer does whose connection ends while it waits for an answer to what it asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// What it asked has failed (RFC 3261 §8.1.3.1).
    None,
    /// It goes on waiting: the answer may come over another connection (RFC 3261 §18.2.2).
    Waits,
}

/// The one listener of a peer.
const LISTENER: ListenerId = ListenerId(0);

impl Peer {
    /// The same peer over connections.
    #[must_use]
    pub(crate) const fn over_tcp(mut self, patience: Patience) -> Self {
        self.transport = Transport::Tcp;
        self.patience = patience;
        self
    }

    /// The same peer, which knows itself by an address that nobody else reaches.
    #[must_use]
    pub(crate) fn behind_nat(mut self, inside: SocketAddr) -> Self {
        self.address_text = inside.to_string();
        self
    }

    /// From now on its phones register again whenever they have lost their connection.
    pub(crate) fn keep_registered(&mut self) {
        self.registered = Some(Registered::default());
    }

    pub(crate) const fn transport(&self) -> Transport {
        self.transport
    }

    /// The connection with this address is over, or could not be made.
    pub(crate) fn handle_lost(&mut self, now: Instant, remote: SocketAddr) {
        let flow = self.flow(remote);
        if self.patience == Patience::None {
            self.layer.handle_transport_error(now, flow);
        }
        if let Some(registered) = &mut self.registered {
            registered.handle_lost(now, remote);
        }
        self.drain_layer(now);
    }

    pub(super) const fn flow(&self, remote: SocketAddr) -> Flow {
        Flow {
            transport: self.transport,
            listener: LISTENER,
            remote,
        }
    }

    pub(super) fn via(&mut self) -> String {
        let transport = match self.transport {
            Transport::Udp => "UDP",
            _ => "TCP",
        };
        let (address, branch) = (&self.address_text, self.ids.branch());
        format!("SIP/2.0/{transport} {address};branch={branch};rport")
    }

    /// Where requests of others reach this peer, or one of its users.
    pub(super) fn contact(&self, user: Option<&str>) -> String {
        let (user, at) = user.map_or(("", ""), |user| (user, "@"));
        let transport = match self.transport {
            Transport::Udp => "",
            _ => ";transport=tcp",
        };
        ["<sip:", user, at, &self.address_text, transport, ">"].concat()
    }

    /// Where a request inside a dialog goes: over the dialog's connection; else to the first route or the
    /// target, where that is an address; else back.
    pub(super) fn hop(&self, dialog: &Dialog) -> Option<Flow> {
        if self.transport != Transport::Udp {
            return dialog.flow;
        }
        let first = dialog.routes.split(',').next().unwrap_or_default().trim();
        let uri = match first {
            "" => Uri::parse(&dialog.target).ok(),
            route => NameAddr::parse(route.as_bytes())
                .ok()
                .and_then(|route| route.uri().ok()),
        };
        let uri = uri.as_ref().and_then(Uri::as_sip);
        let address = uri.and_then(|uri| {
            let port = uri.port.unwrap_or_else(|| self.transport.default_port());
            Some(SocketAddr::new(uri.host.ip()?, port))
        });
        address.map_or(dialog.flow, |remote| Some(self.flow(remote)))
    }
}
