//! Requests that are too large for a datagram: they leave over TCP (RFC 3261 §18.1.1), and over UDP
//! after all where the peer has no TCP.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use sip::{Edit, HeaderName, Limits, Request, Transport};

use crate::flow::{Flow, ListenerId};

/// The largest request that may leave in one datagram.
///
//= https://www.rfc-editor.org/rfc/rfc3261#section-18.1.1
//# If a request is within 200 bytes of the path MTU, or if it is larger
//# than 1300 bytes and the path MTU is unknown, the request MUST be sent
//# using an RFC 2914 [43] congestion controlled transport protocol, such
//# as TCP.
const DATAGRAM_MAX: usize = 1300;

/// For how long a peer that refused a connection gets its large requests over UDP at once.
const REFUSED_FOR: Duration = Duration::from_secs(600);

/// Peers that are remembered so at most.
const REFUSED_MAX: usize = 4096;

/// A TCP listener of the node, by which large requests leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamListener {
    /// The listener.
    pub listener: ListenerId,
    /// What the top Via says of it.
    pub sent_by: SocketAddr,
}

/// Where large requests go.
#[derive(Debug, Default)]
pub(super) struct Streams {
    listeners: Vec<StreamListener>,
    /// Peers without TCP, and since when we know.
    refused: BTreeMap<SocketAddr, Instant>,
}

impl Streams {
    pub(super) const fn new(listeners: Vec<StreamListener>) -> Self {
        Self {
            listeners,
            refused: BTreeMap::new(),
        }
    }

    /// The same request for a stream, and its flow: where it would be too large a datagram, we
    /// have a TCP listener, and the peer is not known to refuse.
    pub(super) fn instead_of(
        &self,
        now: Instant,
        request: &Request,
        flow: Flow,
    ) -> Option<(Request, Flow)> {
        if flow.transport != Transport::Udp || request.bytes().len() <= DATAGRAM_MAX {
            return None;
        }
        let refused = self.refused.get(&flow.remote);
        if refused.is_some_and(|&since| now < since + REFUSED_FOR) {
            return None;
        }
        let stream = self
            .listeners
            .iter()
            .find(|stream| stream.sent_by.is_ipv4() == flow.remote.is_ipv4())?;
        let flow = Flow {
            transport: Transport::Tcp,
            listener: stream.listener,
            remote: flow.remote,
        };
        Some((over_tcp(request, stream.sent_by)?, flow))
    }

    /// Remembers that a peer has no TCP. The one that is known longest makes room.
    pub(super) fn refuse(&mut self, now: Instant, peer: SocketAddr) {
        if self.refused.len() >= REFUSED_MAX
            && let Some((&oldest, _)) = self.refused.iter().min_by_key(|(_, since)| **since)
        {
            self.refused.remove(&oldest);
        }
        self.refused.insert(peer, now);
    }
}

//= https://www.rfc-editor.org/rfc/rfc3261#section-18.1.1
//# If this causes a change in the transport protocol from the
//# one indicated in the top Via, the value in the top Via MUST be
//# changed.
fn over_tcp(request: &Request, sent_by: SocketAddr) -> Option<Request> {
    let top = request.elements(HeaderName::Via).next()?;
    let params = top.iter().position(|&byte| byte == b';')?;
    let via = [format!("SIP/2.0/TCP {sent_by}").as_bytes(), &top[params..]].concat();
    let changed = Edit::new(request)
        .replace_first(HeaderName::Via, &*via)
        .with_content_length()
        .finish(&Limits::OURS)
        .ok()?;
    Request::new(changed).ok()
}
