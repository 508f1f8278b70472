//! A world: nodes, peers, a network and one virtual clock. Nothing in it is real but the engine.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use engine::{
    Config, Engine, Event, Input, Order, OrderError, Output,
    acd::{AgentId, AgentStateKind, Want},
    sip::Transport,
    sip_proxy::{Answer, Query},
    sip_transaction::{Flow, Transmit},
};

use crate::{
    host::{DiskManner, Host},
    ladder::Ladder,
    laws::{Leftover, Watcher},
    network::{Datagram, Fate, Filter, Network, Weather},
    peer::{Peer, PeerEvent, PeerOutput, SessionId},
    script::{CallPlan, Manner},
};

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
    peers: BTreeMap<SocketAddr, Peer>,
    network: Network,
    ladder: Ladder,
    watcher: Watcher,
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
            peers: BTreeMap::new(),
            network: Network::new(weather, seed),
            ladder: Ladder::default(),
            watcher: Watcher::default(),
            events: Vec::new(),
            peer_events: Vec::new(),
            dns: BTreeMap::new(),
            seed,
        }
    }

    /// Adds a node at its first listener's address.
    pub fn add_node(&mut self, name: &str, config: Config) -> SocketAddr {
        let address = config
            .listeners
            .first()
            .expect("a node has a listener")
            .address;
        self.ladder.name(address, name);
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
    /// When there is no such node.
    pub fn restart(&mut self, node: SocketAddr, config: Config, down: Duration) {
        let before = self.nodes.remove(&node).expect("the node was added");
        let dead = before.die();
        for event in &dead.untold {
            self.watcher.note(event);
        }
        self.run_for(down);
        let host = Host::again(self.now, self.nanos(), config, dead);
        self.nodes.insert(node, host);
        self.drain_node(node);
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

    fn nanos(&self) -> i64 {
        i64::try_from(self.elapsed().as_nanos()).expect("no run takes 292 years")
    }

    /// Adds a peer whose phones behave so.
    pub fn add_peer(&mut self, name: &str, address: SocketAddr, manner: Manner) -> SocketAddr {
        self.ladder.name(address, name);
        // No two peers may draw the same Call-IDs.
        let which = (self.peers.len() as u64 + 1).rotate_left(17);
        let seed = self.seed ^ which ^ 0x9e37_79b9;
        self.peers.insert(address, Peer::new(address, seed, manner));
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
        self.put(Datagram {
            from,
            to,
            bytes: bytes.into(),
        });
    }

    /// Changes the network from now on.
    pub const fn set_weather(&mut self, weather: Weather) {
        self.network.set_weather(weather);
    }

    /// What DNS answers to a query from now on, and for how long that holds.
    pub fn set_answer(&mut self, query: Query, answer: Answer, ttl: Duration) {
        self.dns.insert(query, (answer, ttl));
    }

    /// Looks at every datagram before the network does.
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
                broken.push(format!(
                    "{address}: {sessions} sessions and {transactions} transactions left"
                ));
            }
        }
        broken
    }

    /// Panics with the seed and the ladder unless all laws hold.
    ///
    /// # Panics
    /// When a law is broken.
    pub fn assert_laws(&self) {
        let broken = self.broken_laws();
        assert!(
            broken.is_empty(),
            "seed {}\n{}\n{}",
            self.seed,
            self.ladder.lettered(&broken.join("\n")),
            self.ladder
        );
    }

    /// How much time has passed.
    pub fn elapsed(&self) -> Duration {
        self.now - self.began
    }

    /// The instant that it is.
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// All messages so far.
    pub const fn ladder(&self) -> &Ladder {
        &self.ladder
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

    fn leftover(&self, node: &Engine) -> Leftover {
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
            waiting: status.waiting,
            agents_by_state: agents(|_| true),
            agents_known: node.directory().agents().count(),
            agents_busy: agents(|kind| {
                use AgentStateKind::{Offered, Talking, WrapUp};
                matches!(kind, Offered | Talking | WrapUp)
            }),
        }
    }

    fn next_wakeup(&self) -> Option<Instant> {
        let nodes = self.nodes.values();
        let nodes = nodes.flat_map(|host| {
            [host.poll_timeout(), host.poll_disk()]
                .into_iter()
                .flatten()
        });
        let peers = self.peers.values().filter_map(Peer::poll_timeout);
        nodes.chain(peers).chain(self.network.next_arrival()).min()
    }

    fn step(&mut self) {
        while let Some(datagram) = self.network.arrive(self.now) {
            self.deliver(&datagram);
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
        let peers: Vec<_> = self.peers.keys().copied().collect();
        for address in peers {
            if let Some(peer) = self.peers.get_mut(&address)
                && due(peer.poll_timeout(), self.now)
            {
                peer.handle_timeout(self.now);
                self.drain_peer(address);
            }
        }
    }

    fn deliver(&mut self, datagram: &Datagram) {
        let Datagram { from, to, bytes } = datagram.clone();
        if let Some(host) = self.nodes.get_mut(&to) {
            if host.is_dead() {
                return;
            }
            let node = &mut host.engine;
            self.watcher.see(datagram, to);
            let listener = node
                .listener_at(to)
                .expect("a node receives at its listener");
            let flow = Flow {
                transport: Transport::Udp,
                listener,
                remote: from,
            };
            node.handle_input(self.now, Input::Datagram { flow, bytes });
            self.drain_node(to);
        } else if let Some(peer) = self.peers.get_mut(&to) {
            peer.handle_datagram(self.now, from, bytes);
            self.drain_peer(to);
        }
    }

    fn drain_node(&mut self, address: SocketAddr) {
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
                // The simulator's connections are datagrams.
                Some(Output::PeerName { .. }) => {}
                Some(Output::Transmit(Transmit { flow, bytes, .. })) => {
                    let datagram = Datagram {
                        from: address,
                        to: flow.remote,
                        bytes,
                    };
                    self.watcher.see(&datagram, address);
                    self.put(datagram);
                }
            }
        }
    }

    fn resolve(&mut self, node: SocketAddr, query: Query) {
        let known = self.dns.get(&query).cloned();
        let (answer, ttl) = known.unwrap_or((Answer::None, Duration::ZERO));
        if let Some(host) = self.nodes.get_mut(&node) {
            let resolved = Input::Resolved { query, answer, ttl };
            host.engine.handle_input(self.now, resolved);
        }
    }

    fn drain_peer(&mut self, address: SocketAddr) {
        loop {
            let output = self.peers.get_mut(&address).and_then(Peer::poll_output);
            match output {
                None => return,
                Some(PeerOutput::Event(event)) => {
                    self.peer_events.push((self.elapsed(), address, event));
                }
                Some(PeerOutput::Transmit(Transmit { flow, bytes, .. })) => {
                    self.put(Datagram {
                        from: address,
                        to: flow.remote,
                        bytes,
                    });
                }
            }
        }
    }

    fn put(&mut self, datagram: Datagram) {
        let at = self.now - self.began;
        let rung = self.ladder.add(at, &datagram);
        if self.network.send(self.now, datagram) == Fate::Lost {
            self.ladder.lose(rung);
        }
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
