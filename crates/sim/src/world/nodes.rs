//! The nodes of a world: how they come, die and come again.

use std::net::SocketAddr;

use engine::{
    Config, Engine, Input,
    acd::AgentStateKind,
    journal::Kind,
    sip::Transport,
    sip_proxy::{Answer, Query},
    sip_transaction::Flow,
};

use super::World;
use crate::{
    host::{Beginning, Dead, DiskManner, Flipped, Host, LostGroups, Rows},
    laws::Leftover,
};
use std::time::Duration;

impl World {
    /// Adds a node at its first listener's address.
    pub fn add_node(&mut self, name: &str, config: Config) -> SocketAddr {
        let address = config
            .listeners
            .first()
            .expect("a node has a listener")
            .address;
        self.tape.name(address, name);
        let seed = self.seed ^ (self.nodes.len() as u64 + 1).rotate_left(40);
        let host = Host::new(self.now, self.nanos(), config, seed);
        self.nodes.insert(address, host);
        self.drain_node(address);
        address
    }

    /// Kills a node between two steps and starts another in its place, which begins with what the first has
    /// written down. Nothing that is sent to it meanwhile arrives.
    ///
    /// # Panics
    /// When there is no such node, or when a row that was written cannot be read.
    pub fn restart(&mut self, node: SocketAddr, config: Config, down: Duration) {
        let losses = self.restart_otherwise(node, config, down);
        assert!(
            losses.is_empty(),
            "what was written cannot be read: {losses:?}"
        );
    }

    /// The same with a configuration that may not know all that was written: what it does not know.
    ///
    /// # Panics
    /// When there is no such node.
    pub fn restart_otherwise(
        &mut self,
        node: SocketAddr,
        config: Config,
        down: Duration,
    ) -> Vec<String> {
        self.kill(node);
        self.run_for(down);
        self.revive(node, config, Beginning::default());
        let losses = self.host(node).map_or(&[][..], Host::losses).iter();
        losses.map(|loss| loss.error.to_string()).collect()
    }

    /// As [`World::restart`], when the disk has lost the rows of a kind.
    ///
    /// # Panics
    /// When there is no such node.
    pub fn restart_without(
        &mut self,
        node: SocketAddr,
        config: Config,
        down: Duration,
        kind: Kind,
    ) {
        self.kill(node);
        self.run_for(down);
        let dead = self.dead.get_mut(&node).expect("it was killed");
        dead.lose_rows(kind);
        self.revive(node, config, Beginning::default());
    }

    /// Kills a node between two steps; what it had not synced.
    pub(crate) fn kill(&mut self, node: SocketAddr) -> LostGroups {
        let before = self.nodes.remove(&node).expect("the node was added");
        let dead = before.die(self.now);
        for event in &dead.untold {
            self.watcher.note(event);
            self.events.push((self.elapsed(), event.clone()));
        }
        self.watcher.note_death(node);
        let lost = dead.lost;
        self.dead.insert(node, dead);
        self.connections.die(self.now, node);
        lost
    }

    /// Starts another process in place of one that was killed.
    pub(crate) fn revive(&mut self, node: SocketAddr, config: Config, beginning: Beginning) {
        let dead = self.dead.remove(&node).expect("the node was killed");
        let host = Host::again(self.now, self.nanos(), config, dead, beginning);
        self.nodes.insert(node, host);
        self.drain_node(node);
    }

    /// A bit of the disk of a node that is dead flips; what that has hit.
    pub(crate) fn flip_a_bit(&mut self, node: SocketAddr) -> Option<Flipped> {
        self.dead.get_mut(&node).and_then(Dead::flip_a_bit)
    }

    /// What is on the disk of a node that is dead.
    pub(crate) fn rows_of_dead(&self, node: SocketAddr) -> Option<&Rows> {
        self.dead.get(&node).map(Dead::rows)
    }

    /// A node that is dead gets another disk, with nothing on it.
    pub(crate) fn change_disk(&mut self, node: SocketAddr) {
        let seed = self.seed ^ self.elapsed().as_secs();
        if let Some(dead) = self.dead.get_mut(&node) {
            dead.change_disk(seed);
        }
        self.forgive_all();
    }

    /// Nobody can hold a node to what it had said.
    pub(crate) fn forgive_all(&mut self) {
        self.watcher.forgive();
    }

    /// Lets a node die after so many more messages and facts have left it: in the middle of a step, where
    /// that is. It is dead until [`World::restart`].
    ///
    /// # Panics
    /// When there is no such node.
    pub fn die_after(&mut self, node: SocketAddr, outputs: u32) {
        let host = self.nodes.get_mut(&node).expect("the node was added");
        host.die_after(outputs);
    }

    /// Lets the disk of a node behave so from now on.
    ///
    /// # Panics
    /// When there is no such node.
    pub fn set_disk(&mut self, node: SocketAddr, manner: DiskManner) {
        let host = self.nodes.get_mut(&node).expect("the node was added");
        host.set_disk(manner);
    }

    /// A node whose process lives, or is dead and nobody has noticed.
    pub(crate) fn host(&self, node: SocketAddr) -> Option<&Host> {
        self.nodes.get(&node)
    }

    /// The same, to be changed.
    pub(crate) fn host_mut(&mut self, node: SocketAddr) -> Option<&mut Host> {
        self.nodes.get_mut(&node)
    }

    /// What a node sends to this peer does not arrive, and the network says so.
    pub(crate) fn refuse(&mut self, node: SocketAddr, peer: SocketAddr) {
        if let Some(host) = self.nodes.get_mut(&node).filter(|host| !host.is_dead()) {
            let flow = flow(&host.engine, Transport::Udp, node, peer);
            let failed = Input::TransportFailed { flow };
            host.engine.handle_input(self.now, failed);
        }
        self.drain_node(node);
    }

    pub(super) fn resolve(&mut self, node: SocketAddr, query: Query) {
        let known = self.dns.get(&query).cloned();
        let (answer, ttl) = known.unwrap_or((Answer::None, Duration::ZERO));
        if let Some(host) = self.nodes.get_mut(&node) {
            let resolved = Input::Resolved { query, answer, ttl };
            host.engine.handle_input(self.now, resolved);
        }
    }

    pub(super) fn leftover(&self, node: &Engine) -> Leftover {
        let status = node.status(self.now);
        let sites = node.sites();
        let agents = |wanted: fn(AgentStateKind) -> bool| {
            let counts = sites.iter().flat_map(|site| &site.agents);
            counts
                .filter(|(kind, _)| wanted(*kind))
                .map(|(_, count)| count)
                .sum()
        };
        Leftover {
            calls: node.calls_live(),
            legs: status.legs,
            forwarding: status.forwarding,
            server_transactions: status.server_transactions,
            client_transactions: status.client_transactions,
            notes: node.notes(),
            waiting: status.waiting,
            agents_by_state: agents(|_| true),
            agents_known: node.directory().agents().count(),
            agents_busy: agents(|kind| {
                use AgentStateKind::{Offered, Talking, WrapUp};
                matches!(kind, Offered | Talking | WrapUp)
            }),
        }
    }

    fn nanos(&self) -> i64 {
        i64::try_from(self.elapsed().as_nanos()).expect("no run takes 292 years")
    }
}

/// The flow between a node and a peer.
pub(super) fn flow(
    node: &Engine,
    transport: Transport,
    address: SocketAddr,
    remote: SocketAddr,
) -> Flow {
    let listener = node.listener_at(transport, address);
    Flow {
        transport,
        listener: listener.expect("a node receives at its listener"),
        remote,
    }
}
