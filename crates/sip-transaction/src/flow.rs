//! Where messages come from and go to.

use std::net::SocketAddr;

use bytes::Bytes;
use sip::{HeaderName, Limits, Message, Method, StatusCode, Transport, Uri, Via};

/// A listener of the node, by its place in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListenerId(pub u16);

/// Where a message came from, or where one goes: a transport, the listener on our side, and the
/// peer's address. For TCP and TLS it names a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flow {
    /// The transport.
    pub transport: Transport,
    /// The listener on our side: for UDP, the socket that is sent from.
    pub listener: ListenerId,
    /// The peer.
    pub remote: SocketAddr,
}

/// Where a request is to be sent (RFC 3261 §16.5, "target"), resolved to its first hop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The Request-URI: a contact that was registered or configured, or what was dialled.
    pub uri: Bytes,
    /// The first hop.
    pub flow: Flow,
    /// Route headers, for a phone that registered through a proxy (RFC 3327).
    pub routes: Vec<Bytes>,
}

/// Bytes to send.
#[derive(Clone, Debug)]
pub struct Transmit {
    /// Over which flow.
    pub flow: Flow,
    /// Reliable transports only: where to connect when the flow's connection is gone. For a response,
    /// the address of the top Via (RFC 3261 §18.2.2); for a request, its next hop (§8.1.2).
    pub fallback: Option<SocketAddr>,
    /// The message.
    pub bytes: Bytes,
    /// What it is.
    pub kind: MessageKind,
    /// Whether it is a BYE, or answers one, of our own or forwarded: a dialog is over (RFC 3261 §15).
    pub is_goodbye: bool,
    /// Whether it was sent before.
    pub attempt: Attempt,
}

impl Flow {
    /// The same of a message of ours as it left.
    pub(crate) fn next_hop_of(self, bytes: &Bytes) -> Option<SocketAddr> {
        if !self.transport.is_reliable() {
            return None;
        }
        let message = Message::parse(bytes.clone(), &Limits::OURS).ok()?;
        self.next_hop(&message)
    }

    /// Where a connection for this message is to be opened when the flow's is gone. For a request: to its
    /// first Route, if that is a loose router, else to its Request-URI, where that is an address. For a
    /// response: to the port that its receiver names in Via, at the address that it has (RFC 3261 §18.2.2).
    pub(crate) fn next_hop(self, message: &Message) -> Option<SocketAddr> {
        if !self.transport.is_reliable() {
            return None;
        }
        if !message.is_request() {
            let via = Via::parse(message.elements(HeaderName::Via).next()?).ok()?;
            let port = via.port.unwrap_or_else(|| self.transport.default_port());
            return Some(SocketAddr::new(self.remote.ip(), port));
        }
        let request = message;
        let route = request.routes().next().and_then(Result::ok);
        let route = route.and_then(|route| route.uri().ok());
        let is_loose = |uri: &Uri<'_>| uri.as_sip().is_some_and(|uri| uri.is_loose_route());
        let uri = match route.filter(is_loose) {
            Some(route) => route,
            None => Uri::parse(request.request_uri_bytes()?).ok()?,
        };
        let uri = uri.as_sip()?;
        let port = uri.port.unwrap_or_else(|| self.transport.default_port());
        Some(SocketAddr::new(uri.host.ip()?, port))
    }
}

/// What a message is, for figures and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MessageKind {
    /// A request of this method ([`sip::Method::label`]).
    Request(&'static str),
    /// A response with this status.
    Response(StatusCode),
}

/// Whether a message is sent for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attempt {
    /// For the first time.
    First,
    /// Again, by a timer or because its request came again.
    Retransmission,
}

/// A message of ours that may be sent again: its bytes and what they are.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) bytes: Bytes,
    pub(crate) kind: MessageKind,
    is_goodbye: bool,
}

impl Kept {
    pub(crate) fn new(message: &Message) -> Self {
        let is_goodbye = match message.method() {
            Some(method) => *method == Method::Bye,
            None => message.cseq_method() == Some(Method::Bye.as_bytes()),
        };
        Self::of(message, is_goodbye)
    }

    /// The same of an answer to an INVITE, whose CSeq need not be read for that.
    pub(crate) fn answer_to_invite(response: &Message) -> Self {
        Self::of(response, false)
    }

    fn of(message: &Message, is_goodbye: bool) -> Self {
        Self {
            bytes: message.bytes().clone(),
            kind: MessageKind::of(message),
            is_goodbye,
        }
    }

    /// To be sent on this flow.
    pub(crate) fn on(self, flow: Flow, fallback: Option<SocketAddr>, attempt: Attempt) -> Transmit {
        let Self {
            bytes,
            kind,
            is_goodbye,
        } = self;
        Transmit {
            flow,
            fallback,
            bytes,
            kind,
            is_goodbye,
            attempt,
        }
    }
}

impl MessageKind {
    /// What a message is.
    pub fn of(message: &Message) -> Self {
        match (message.method(), message.status()) {
            (Some(method), _) => Self::Request(method.label()),
            (None, Some(status)) => Self::Response(status),
            (None, None) => unreachable!("a message is a request or a response"),
        }
    }
}
