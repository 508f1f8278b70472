//! What the world tells the engine, and what the engine wants of the world.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use sip_proxy::{Answer, DomainName, Query};
use sip_transaction::{Flow, Transmit};

use crate::event::Event;

/// What happens to the engine.
#[derive(Clone, Debug)]
pub enum Input {
    /// A datagram came in.
    Datagram {
        /// From where and on which listener.
        flow: Flow,
        /// Its bytes.
        bytes: Bytes,
    },
    /// One message came in on a stream; the shell has found its end.
    StreamMessage {
        /// The connection.
        flow: Flow,
        /// Its bytes.
        bytes: Bytes,
    },
    /// The peer of a TLS connection has proven that it has these names (RFC 5922 §7.1), before its
    /// first message. They hold until the connection's [`Input::TransportFailed`].
    PeerProven {
        /// The connection.
        flow: Flow,
        /// The names of its certificate.
        names: Vec<String>,
    },
    /// A stream holds something whose end cannot be found: the shell closes it. What waits for an
    /// answer over it is told by [`Input::TransportFailed`].
    StreamMalformed {
        /// What is wrong.
        error: sip::FramingError,
    },
    /// DNS has answered [`Output::Resolve`].
    Resolved {
        /// What was asked.
        query: Query,
        /// The answer; [`Answer::Failed`] when there was none.
        answer: Answer,
        /// For how long it holds.
        ttl: Duration,
    },
    /// What was to be sent on this flow could not be: nobody listens, or the connection broke.
    TransportFailed {
        /// The flow.
        flow: Flow,
    },
    /// The peer of this flow does not keep up, and something for it was given up. The connection goes
    /// on, and its peer is who it was.
    SendFailed {
        /// The flow.
        flow: Flow,
    },
}

/// What the engine wants of the world.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send these bytes.
    Transmit(Transmit),
    /// Note this fact.
    Event(Event),
    /// Write this down, all of it or nothing.
    Record {
        /// What changes.
        changes: Vec<journal::Change>,
        /// Whether somebody waits for a message that comes after it and is to be sent only when it is durable. Otherwise it
        /// may itself wait for the next that is awaited, for some milliseconds: nobody is told anything but
        /// goodbyes, which are in no hurry and wait as long ([`Transmit::is_goodbye`]).
        is_awaited: bool,
    },
    /// Ask DNS, and tell the answer by [`Input::Resolved`].
    Resolve(Query),
    /// From now on, whoever is connected to at this address by TLS must prove to have this name
    /// (RFC 5922 §7).
    PeerName {
        /// The address.
        remote: SocketAddr,
        /// The name.
        name: DomainName,
    },
}
