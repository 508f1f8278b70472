//! Connections of a world: what is sent over them, and what machines hear of them.

use std::{net::SocketAddr, time::Duration};

use engine::{Input, sip::Transport, sip_transaction::Transmit};

use super::{World, nodes::flow};
use crate::{
    connections::{Cut, Door, End, Heard, StreamMishaps, Way},
    laws::Said,
    network::{Datagram, Fate, Packet},
    peer::{Patience, Peer},
    script::Manner,
};

impl World {
    /// Adds a peer that is reached over connections.
    pub(crate) fn add_stream_peer(
        &mut self,
        name: &str,
        address: SocketAddr,
        manner: Manner,
        patience: Patience,
    ) -> SocketAddr {
        self.add(name, address, |seed| {
            Peer::new(address, seed, manner).over_tcp(patience)
        })
    }

    /// Adds phones that are reached by the connections alone which they open themselves: they know themselves by this
    /// address `inside`, and nobody else reaches it.
    pub fn add_phones_behind_nat(
        &mut self,
        name: &str,
        (address, inside): (SocketAddr, SocketAddr),
        manner: Manner,
    ) -> SocketAddr {
        self.add(name, address, |seed| {
            let peer = Peer::new(address, seed, manner);
            peer.over_tcp(Patience::None).behind_nat(inside)
        })
    }

    /// Phones that have been added register again by themselves when their connection is gone.
    pub(crate) fn keep_registered(&mut self, phones: SocketAddr) {
        if let Some(peer) = self.peers.get_mut(&phones) {
            peer.keep_registered();
        }
    }

    /// How often such phones have done so.
    pub(crate) fn times_come_back(&self) -> u64 {
        self.peers.values().map(Peer::times_come_back).sum()
    }

    /// All connections of a peer end, and everybody hears of it.
    pub fn disconnect(&mut self, peer: SocketAddr) {
        self.connections.end_all_of(self.now, peer, Cut::Told);
    }

    /// The same, and the others hear of it up to 20 s later.
    pub fn disconnect_unheard(&mut self, peer: SocketAddr) {
        self.connections.end_all_of(self.now, peer, Cut::HalfOpen);
    }

    /// Cuts a connection, if there is one; between whom it was.
    pub(crate) fn cut_one(&mut self, cut: Cut) -> Option<[SocketAddr; 2]> {
        self.connections.cut_one(self.now, cut)
    }

    /// A machine takes no connections for so long.
    pub(crate) fn deafen(&mut self, host: SocketAddr, lasts: Duration) {
        self.connections.deafen(host, self.now + lasts);
    }

    /// How often connections had trouble so far.
    pub(crate) const fn stream_mishaps(&self) -> StreamMishaps {
        self.connections.mishaps()
    }

    /// Sends what a machine says, with what somebody has read in it; the message, and between whom it is.
    pub(super) fn transmit(
        &mut self,
        from: SocketAddr,
        transmit: Transmit,
        said: Option<Said>,
    ) -> Datagram {
        let Transmit {
            flow,
            fallback,
            bytes,
            ..
        } = transmit;
        let mut datagram = Datagram {
            from,
            to: flow.remote,
            bytes,
        };
        if flow.transport == Transport::Udp {
            self.put(Packet {
                datagram: datagram.clone(),
                said,
            });
            return datagram;
        }
        let way = Way {
            remote: flow.remote,
            fallback,
        };
        let bytes = &datagram.bytes;
        datagram.to = self.connections.send(self.now, from, way, bytes);
        self.tape.add(self.now - self.began, &datagram);
        self.tape.note_fate(Fate::Passes);
        datagram
    }

    pub(super) fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Knock(door) => self.open(door),
            Heard::Message { at, from, bytes } => {
                let to = at.host;
                let whole = Datagram { from, to, bytes };
                self.hear_message(at, whole);
            }
            Heard::Malformed { at, error } => {
                // Peers are sent what the node writes. Proxies send on what was damaged before.
                let host = self.nodes.get_mut(&at.host);
                let host =
                    host.unwrap_or_else(|| panic!("the node writes what is no SIP: {error}"));
                let malformed = Input::StreamMalformed { error };
                host.engine.handle_input(self.now, malformed);
                self.drain_node(at.host);
            }
            Heard::Over(end) => self.hear_end(end),
        }
    }

    fn open(&mut self, door: Door) {
        let is_there = match self.nodes.get(&door.host) {
            Some(host) => !host.is_dead(),
            None => self.takes_connections(door.host),
        };
        match is_there {
            true => self.connections.accept(self.now, door),
            false => self.connections.refuse(self.now, door),
        }
    }

    fn takes_connections(&self, host: SocketAddr) -> bool {
        let peer = self.peers.get(&host);
        peer.is_some_and(|peer| peer.transport() == Transport::Tcp)
            || self.proxies.contains_key(&host)
    }

    fn hear_message(&mut self, at: End, whole: Datagram) {
        if let Some(host) = self.nodes.get(&at.host) {
            if host.is_dead() {
                return;
            }
            self.see(&whole, at.host);
        }
        let bytes = whole.bytes;
        if let Some(host) = self.nodes.get_mut(&at.host) {
            let flow = flow(&host.engine, Transport::Tcp, at.host, at.remote);
            let message = Input::StreamMessage { flow, bytes };
            host.engine.handle_input(self.now, message);
            self.drain_node(at.host);
        } else if let Some(peer) = self.peers.get_mut(&at.host) {
            peer.handle_message(self.now, at.remote, bytes);
            self.drain_peer(at.host);
        } else if let Some(said) = Said::read(bytes) {
            self.pass_to_proxy(at.host, Transport::Tcp, at.remote, said);
        }
    }

    fn hear_end(&mut self, end: End) {
        if let Some(host) = self.nodes.get_mut(&end.host) {
            if host.is_dead() || host.hears_no_end() {
                return;
            }
            let flow = flow(&host.engine, Transport::Tcp, end.host, end.remote);
            let failed = Input::TransportFailed { flow };
            host.engine.handle_input(self.now, failed);
            self.drain_node(end.host);
        } else if let Some(peer) = self.peers.get_mut(&end.host) {
            peer.handle_lost(self.now, end.remote);
            self.drain_peer(end.host);
        } else if let Some(proxy) = self.proxies.get_mut(&end.host) {
            proxy.handle_lost(self.now, end.remote);
            self.drain_proxy(end.host);
        }
    }
}
