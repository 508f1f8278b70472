//! TLS connections whose peer has proven to be a trunk, and how they are used again.

use std::{collections::BTreeMap, net::SocketAddr};

use sip::{Request, Transport};
use sip_proxy::TrunkId;
use sip_transaction::Flow;

/// All of them. The shell limits how many there are.
#[derive(Debug, Default)]
pub(crate) struct ProvenConnections {
    by_flow: BTreeMap<Flow, Proven>,
    /// Where a peer says that it listens, to the connection that it wants to be reached by instead.
    aliases: BTreeMap<SocketAddr, Flow>,
}

#[derive(Debug)]
struct Proven {
    trunk: TrunkId,
    alias: Option<SocketAddr>,
}

impl ProvenConnections {
    pub(crate) fn insert(&mut self, flow: Flow, trunk: TrunkId) {
        self.remove(flow);
        self.by_flow.insert(flow, Proven { trunk, alias: None });
    }

    pub(crate) fn trunk(&self, flow: Flow) -> Option<TrunkId> {
        self.by_flow.get(&flow).map(|proven| proven.trunk)
    }

    /// Notes that the peer may be reached over the connection that a request came by, if it says so
    /// (RFC 5923 §5: `alias` in the top Via). It can say so for its own address only, and once.
    pub(crate) fn learn(&mut self, request: &Request, flow: Flow) {
        let Some(proven) = self.by_flow.get_mut(&flow) else {
            return;
        };
        let via = request.top_via();
        if proven.alias.is_some() || via.params.get("alias").is_none() {
            return;
        }
        let port = via.port.unwrap_or_else(|| Transport::Tls.default_port());
        let alias = SocketAddr::new(flow.remote.ip(), port);
        proven.alias = Some(alias);
        self.aliases.insert(alias, flow);
    }

    /// The connection by which a peer is reached.
    pub(crate) fn instead_of(&self, flow: Flow) -> Flow {
        if flow.transport != Transport::Tls {
            return flow;
        }
        self.aliases.get(&flow.remote).copied().unwrap_or(flow)
    }

    /// The address that a connection is an alias of: what is sent to there fails with it.
    pub(crate) fn alias(&self, flow: Flow) -> Option<SocketAddr> {
        let alias = self.by_flow.get(&flow)?.alias?;
        // A later connection may have taken it over.
        (self.aliases.get(&alias) == Some(&flow)).then_some(alias)
    }

    /// Forgets a connection; the address that it was an alias of.
    pub(crate) fn remove(&mut self, flow: Flow) -> Option<SocketAddr> {
        let alias = self.alias(flow);
        self.by_flow.remove(&flow);
        if let Some(alias) = alias {
            self.aliases.remove(&alias);
        }
        alias
    }
}
