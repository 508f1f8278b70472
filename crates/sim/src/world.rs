//! A world: nodes, peers, a network and one virtual clock. Nothing in it is real but the engine.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use engine::{
    Engine, Event, Input, Order, OrderError, Output,
    acd::{AgentId, Want},
    sip::Transport,
    sip_proxy::{Answer, Query},
};

use crate::{
    connections::Connections,
    host::{Dead, Host},
    ladder::Ladder,
    laws::{Said, Sighting, Watcher},
    network::{Datagram, Filter, Network, Packet, Shape, Weather},
    peer::{Peer, PeerEvent, PeerOutput, SessionId},
    proxy::Proxy,
    script::{CallPlan, Manner},
    tape::Tape,
};

use self::alarms::Alarms;

mod alarms;
mod nodes;
mod proxies;
mod streams;
mod watched;

/// The first instant of every run. The one place where a base is taken from the clock: all that a
/// run does depends on differences only.
pub fn epoch() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "an Instant has no other constructor"
    )]
    Instant::now()
}

/// Longer than any transaction lives, in which a run may drain.
const DRAIN_MAX: Duration = Duration::from_secs(200);

/// More steps than any run of ours takes: a world that passes it runs in circles.
const STEPS_MAX: u64 = 50_000_000;

/// A simulated world.
pub struct World {
    now: Instant,
    began: Instant,
    nodes: BTreeMap<SocketAddr, Host>,
    /// Those whose process was killed.
    dead: BTreeMap<SocketAddr, Dead>,
    peers: BTreeMap<SocketAddr, Peer>,
    proxies: BTreeMap<SocketAddr, Proxy>,
    peer_alarms: Alarms,
    proxy_alarms: Alarms,
    network: Network,
    connections: Connections,
    tape: Tape,
    watcher: Watcher,
    /// What nodes sent and received, where somebody looks at it.
    sightings: Option<Vec<Sighting>>,
    /// Whether a node has done anything since somebody looked.
    is_touched: bool,
    events: Vec<(Duration, Event)>,
    peer_events: Vec<(Duration, SocketAddr, PeerEvent)>,
    /// What DNS answers; to anything else that there is none.
    dns: BTreeMap<Query, (Answer, Duration)>,
    seed: u64,
}

impl World {
    /// An empty world. A run repeats from its seed.
    pub fn new(seed: u64, weather: Weather) -> Self {
        let now = epoch();
        Self {
            now,
            began: now,
            nodes: BTreeMap::new(),
            dead: BTreeMap::new(),
            peers: BTreeMap::new(),
            proxies: BTreeMap::new(),
            peer_alarms: Alarms::default(),
            proxy_alarms: Alarms::default(),
            network: Network::new(weather, seed),
            connections: Connections::new(weather, !seed),
            tape: Tape::default(),
            watcher: Watcher::default(),
            sightings: None,
            is_touched: false,
            events: Vec::new(),
            peer_events: Vec::new(),
            dns: BTreeMap::new(),
            seed,
        }
    }

    /// Adds a peer whose phones behave so.
    pub fn add_peer(&mut self, name: &str, address: SocketAddr, manner: Manner) -> SocketAddr {
        self.add(name, address, |seed| Peer::new(address, seed, manner))
    }

    fn add(
        &mut self,
        name: &str,
        address: SocketAddr,
        make: impl FnOnce(u64) -> Peer,
    ) -> SocketAddr {
        self.tape.name(address, name);
        // No two peers may draw the same Call-IDs.
        let which = (self.peers.len() as u64 + 1).rotate_left(17);
        let seed = self.seed ^ which ^ 0x9e37_79b9;
        self.peers.insert(address, make(seed));
        address
    }

    /// How the phone of a user at a peer behaves from now on.
    pub fn set_manner(&mut self, peer: SocketAddr, user: &str, manner: Manner) {
        if let Some(peer) = self.peers.get_mut(&peer) {
            peer.set_manner(user, manner);
        }
    }

    /// Makes a peer call.
    ///
    /// # Panics
    /// When there is no such peer.
    pub fn call(&mut self, peer: SocketAddr, node: SocketAddr, plan: CallPlan) -> SessionId {
        let caller = self.peers.get_mut(&peer).expect("the peer was added");
        let session = caller.call(self.now, node, plan);
        self.drain_peer(peer);
        session
    }

    /// Makes a peer hang up.
    pub fn hang_up(&mut self, peer: SocketAddr, session: SessionId) {
        if let Some(one) = self.peers.get_mut(&peer) {
            one.hang_up(self.now, session);
        }
        self.drain_peer(peer);
    }

    /// Makes the phone of a user hang up, if it is connected.
    pub fn hang_up_phone(&mut self, peer: SocketAddr, user: &str) {
        let session = self
            .peers
            .get(&peer)
            .and_then(|one| one.session_of_user(user));
        if let Some(session) = session {
            self.hang_up(peer, session);
        }
    }

    /// Makes the phone of a user bring together its first call and one that it has made about it.
    pub fn transfer_attended(&mut self, peer: SocketAddr, user: &str, about: SessionId) {
        if let Some(one) = self.peers.get_mut(&peer)
            && let Some(session) = one.session_of_user(user)
        {
            one.transfer_attended(self.now, session, about);
        }
        self.drain_peer(peer);
    }

    /// Makes a phone register.
    pub fn register(&mut self, peer: SocketAddr, node: SocketAddr, user: &str, domain: &str) {
        if let Some(one) = self.peers.get_mut(&peer) {
            one.register(self.now, node, user, domain);
        }
        self.drain_peer(peer);
    }

    /// Makes a phone take its registration back.
    pub fn unregister(&mut self, peer: SocketAddr, node: SocketAddr, user: &str, domain: &str) {
        if let Some(one) = self.peers.get_mut(&peer) {
            one.unregister(self.now, node, user, domain);
        }
        self.drain_peer(peer);
    }

    /// What a person wants of an agent.
    ///
    /// # Panics
    /// When there is no such node, or the reason for a pause is not in its list.
    pub fn set_agent(&mut self, node: SocketAddr, agent: AgentId, want: Want) {
        let order = Order::SetAgent { agent, want };
        self.order(node, order).expect("this may be wanted");
    }

    /// Lets a node carry out an order.
    ///
    /// # Errors
    /// The node's.
    ///
    /// # Panics
    /// When there is no such node.
    pub fn order(&mut self, node: SocketAddr, order: Order) -> Result<(), OrderError> {
        let host = self.nodes.get_mut(&node).expect("there is such a node");
        assert!(!host.is_dead(), "nobody hears that");
        let done = host.engine.carry_out(self.now, order);
        self.drain_node(node);
        // Whoever gave it is answered when it is durable.
        if let Some(host) = self.nodes.get_mut(&node) {
            host.hand_over(self.now);
        }
        self.drain_node(node);
        done
    }

    /// Gives raw bytes to the network.
    pub fn send(&mut self, from: SocketAddr, to: SocketAddr, bytes: impl Into<bytes::Bytes>) {
        let datagram = Datagram {
            from,
            to,
            bytes: bytes.into(),
        };
        self.put(datagram.into());
    }

    /// Changes the network from now on.
    pub const fn set_weather(&mut self, weather: Weather) {
        self.network.set_weather(weather);
        self.connections.set_weather(weather);
    }

    /// What DNS answers to a query from now on, and for how long that holds.
    pub fn set_answer(&mut self, query: Query, answer: Answer, ttl: Duration) {
        self.dns.insert(query, (answer, ttl));
    }

    /// Looks at every datagram before the network does, which can only be told to lose it.
    pub fn set_filter(&mut self, filter: Filter) {
        self.network.set_filter(filter);
    }

    /// Lets a node take no new calls.
    pub fn drain(&mut self, node: SocketAddr, limit: Duration) {
        if let Some(host) = self.nodes.get_mut(&node) {
            host.engine.drain(self.now, self.now + limit);
        }
        self.drain_node(node);
    }

    /// Lets this much time pass.
    pub fn run_for(&mut self, duration: Duration) {
        let until = self.now + duration;
        let mut steps = 0;
        while let Some(at) = self.next_wakeup().filter(|&at| at <= until) {
            self.now = self.now.max(at);
            self.step();
            steps += 1;
            assert!(
                steps < STEPS_MAX,
                "seed {}: the world runs in circles",
                self.seed
            );
        }
        self.now = until;
    }

    /// Lets time pass until nothing is left to happen but what repeats for ever.
    pub fn run_until_drained(&mut self) {
        self.run_for(DRAIN_MAX);
    }

    /// Every conservation law that does not hold, for a world that has drained.
    pub fn broken_laws(&self) -> Vec<String> {
        let leftovers: Vec<_> = self
            .nodes
            .values()
            .map(|host| self.leftover(&host.engine))
            .collect();
        let mut broken = self.watcher.broken(&leftovers);
        for (address, peer) in &self.peers {
            let (sessions, transactions) = (peer.sessions(), peer.transactions());
            if sessions + transactions > 0 {
                let of: Vec<_> = peer.call_ids().collect();
                broken.push(format!(
                    "{address}: {sessions} sessions {of:?} and {transactions} transactions left"
                ));
            }
        }
        broken.extend(self.proxies_left());
        broken
    }

    /// Panics with the seed and the ladder unless all laws hold.
    ///
    /// # Panics
    /// When a law is broken.
    pub fn assert_laws(&self) {
        let broken = self.broken_laws();
        let ladder = self.ladder();
        assert!(
            broken.is_empty(),
            "seed {}\n{}\n{ladder}",
            self.seed,
            ladder.lettered(&broken.join("\n")),
        );
    }

    /// Whether all peers have done with all their calls.
    pub(crate) fn peers_are_idle(&self) -> bool {
        self.peers.values().all(|peer| peer.sessions() == 0)
    }

    /// How much time has passed.
    pub fn elapsed(&self) -> Duration {
        self.now - self.began
    }

    /// The instant that it is.
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// All messages so far, or those of the last minute.
    pub fn ladder(&self) -> Ladder {
        self.tape.ladder()
    }

    /// All facts so far.
    pub fn events(&self) -> &[(Duration, Event)] {
        &self.events
    }

    /// All that the peers noticed so far.
    pub fn peer_events(&self) -> &[(Duration, SocketAddr, PeerEvent)] {
        &self.peer_events
    }

    /// A node's engine.
    ///
    /// # Panics
    /// When there is no such node.
    pub fn node(&self, address: SocketAddr) -> &Engine {
        &self.nodes.get(&address).expect("the node was added").engine
    }

    fn next_wakeup(&self) -> Option<Instant> {
        let nodes = self.nodes.values();
        let nodes = nodes.flat_map(|host| {
            [host.poll_timeout(), host.poll_disk()]
                .into_iter()
                .flatten()
        });
        debug_assert!(self.alarms_are_set(), "who has done something is drained");
        let others = [
            self.peer_alarms.next(),
            self.proxy_alarms.next(),
            self.network.next_arrival(),
            self.connections.next_arrival(),
        ];
        nodes.chain(others.into_iter().flatten()).min()
    }

    /// Whether the alarms of peers and proxies are what these say themselves.
    fn alarms_are_set(&self) -> bool {
        let peers = self.peers.iter();
        let peers = peers.map(|(address, peer)| (*address, peer.poll_timeout()));
        let proxies = self.proxies.iter();
        let proxies = proxies.map(|(address, proxy)| (*address, proxy.poll_timeout()));
        self.peer_alarms == peers.collect() && self.proxy_alarms == proxies.collect()
    }

    fn step(&mut self) {
        while let Some((packet, shape)) = self.network.arrive(self.now) {
            self.deliver(packet, shape);
        }
        while let Some(heard) = self.connections.arrive(self.now) {
            self.hear(heard);
        }
        let due = |at: Option<Instant>, now| at.is_some_and(|at| at <= now);
        let nodes: Vec<_> = self.nodes.keys().copied().collect();
        for address in nodes {
            if let Some(host) = self.nodes.get_mut(&address)
                && host.handle_disk(self.now)
            {
                self.drain_node(address);
            }
            if let Some(host) = self.nodes.get_mut(&address)
                && due(host.poll_timeout(), self.now)
            {
                let node = &mut host.engine;
                node.handle_timeout(self.now);
                assert!(
                    !due(node.poll_timeout(), self.now),
                    "seed {}: a node that has done what is due has more due: its driver would spin",
                    self.seed
                );
                self.drain_node(address);
            }
        }
        for address in self.peer_alarms.due(self.now) {
            if let Some(peer) = self.peers.get_mut(&address) {
                peer.handle_timeout(self.now);
                self.drain_peer(address);
            }
        }
        self.step_proxies();
    }

    fn deliver(&mut self, packet: Packet, shape: Shape) {
        let Packet { datagram, said } = packet;
        let (from, to) = (datagram.from, datagram.to);
        if let Some(host) = self.nodes.get(&to) {
            if host.is_dead() {
                return;
            }
            // Who said what cannot be told from what was damaged on its way.
            match shape {
                Shape::AsSent => self.see(&datagram, to),
                Shape::Damaged => self.see_damaged(&datagram, to),
            }
        }
        let bytes = datagram.bytes;
        if let Some(host) = self.nodes.get_mut(&to) {
            let node = &mut host.engine;
            let flow = nodes::flow(node, Transport::Udp, to, from);
            node.handle_input(self.now, Input::Datagram { flow, bytes });
            return self.drain_node(to);
        }
        let Some(said) = said.or_else(|| Said::read(bytes)) else {
            return;
        };
        if let Some(peer) = self.peers.get_mut(&to)
            && peer.transport() == Transport::Udp
        {
            peer.hear(self.now, from, said);
            self.drain_peer(to);
        } else {
            self.pass_to_proxy(to, Transport::Udp, from, said);
        }
    }

    fn drain_node(&mut self, address: SocketAddr) {
        self.is_touched = true;
        loop {
            let now = self.now;
            let Some(host) = self.nodes.get_mut(&address) else {
                return;
            };
            match host.poll_output(now) {
                None => return host.note_drained(),
                // The disk has it.
                Some(Output::Record { .. }) => {}
                Some(Output::Event(event)) => {
                    self.watcher.note(&event);
                    self.events.push((self.elapsed(), event));
                }
                Some(Output::Resolve(query)) => self.resolve(address, query),
                // Nobody in a simulated network pretends to be somebody else.
                Some(Output::PeerName { .. }) => {}
                Some(Output::Transmit(transmit)) => {
                    let said = Said::read(transmit.bytes.clone());
                    let Datagram { from, to, .. } = self.transmit(address, transmit, said.clone());
                    if let Some(what) = said {
                        self.note(Sighting { from, to, what }, address);
                    }
                }
            }
        }
    }

    fn drain_peer(&mut self, address: SocketAddr) {
        while let Some(output) = self.peers.get_mut(&address).and_then(Peer::poll_output) {
            match output {
                PeerOutput::Event(event) => {
                    self.peer_events.push((self.elapsed(), address, event));
                }
                PeerOutput::Transmit(transmit) => {
                    self.transmit(address, transmit, None);
                }
            }
        }
        let at = self.peers.get(&address).and_then(Peer::poll_timeout);
        self.peer_alarms.set(address, at);
    }

    fn put(&mut self, packet: Packet) {
        let at = self.now - self.began;
        self.tape.add(at, &packet.datagram);
        let fate = self.network.send(self.now, packet);
        self.tape.note_fate(fate);
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World")
            .field("seed", &self.seed)
            .field("elapsed", &self.elapsed())
            .finish_non_exhaustive()
    }
}
