//! Whole engines on virtual time: ladders as snapshots, laws over many seeds.

mod answered;
mod attended;
mod authentication;
mod behind_nat;
mod desks;
mod diverted;
mod faults;
mod forwarded;
mod interrupted;
mod nodes;
mod overflow;
mod parallel;
mod priorities;
mod reconnected;
mod refused;
mod releases;
mod reliable;
mod requests;
mod restart;
mod service;
mod sessions;
mod storms;
mod strangers;
mod transfers;
mod trunks;
mod two_stages;

use std::{net::SocketAddr, time::Duration};

use engine::{Event, acd::AgentId};
use sim::{Manner, Weather, World};

/// Where the node of a test listens.
pub(crate) const NODE: &str = "192.0.2.1:5060";
/// Where callers call from: the operator's trunk.
pub(crate) const OPERATOR: &str = "198.51.100.1:5060";
/// Where the phones of the agents are.
pub(crate) const PHONES: &str = "203.0.113.1:5060";

pub(crate) fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

pub(crate) fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A site of a test: id, neighbours, reserve, and its agents.
pub(crate) struct Site<'a> {
    pub(crate) id: &'a str,
    pub(crate) neighbours: &'a [&'a str],
    pub(crate) reserve: u32,
    pub(crate) agents: &'a [&'a str],
}

/// A configuration file with these sites, one line for each, and a mutual-aid plan.
pub(crate) fn configuration(sites: &[Site<'_>], plan: &str) -> String {
    let mut text = format!(
        "[node]\nname = \"test-1\"\ndomain = \"samu.example\"\n\
         default_line = \"{0}-15-Samu-Px-F01\"\n\
         [[listen]]\ntransport = \"udp\"\naddress = \"{NODE}\"\n\
         [http]\naddress = \"127.0.0.1:8015\"\n\
         [[trunk]]\nname = \"operator\"\nsources = [\"198.51.100.0/24\"]\n",
        sites[0].id
    );
    for (index, site) in sites.iter().enumerate() {
        let id = site.id;
        text += &format!(
            "[[site]]\nid = \"{id}\"\nname = \"{id}\"\nregion = \"Est\"\nzone = \"Est\"\n\
             neighbours = {:?}\nreserve = {}\n\
             [[line]]\nid = \"{id}-15-Samu-Px-F01\"\nsite = \"{id}\"\n\
             numbers = [\"+3330000000{index}\"]\nskills = {{ amu = 1 }}\npriority = 2\n\
             service_level = \"30s\"\nselection = \"longest-idle\"\nring_time = \"15s\"\n\
             wrap_up = \"5s\"\noverflow = \"mutual-aid\"\n",
            site.neighbours, site.reserve
        );
        for agent in site.agents {
            text += &format!(
                "[[agent]]\nid = \"{agent}\"\nsite = \"{id}\"\nskills = {{ amu = 5 }}\n\
                 contact = \"sip:{agent}@{PHONES}\"\nstart = \"ready\"\n"
            );
        }
    }
    text + "[[overflow]]\nname = \"mutual-aid\"\n" + plan
}

pub(crate) const AFTER_20_S: &str =
    "home_advantage = \"10s\"\n[[overflow.step]]\nafter = \"20s\"\nwiden = [\"neighbours\"]\n";

/// A world with one node, an operator and a bank of phones.
pub(crate) struct Bench {
    pub(crate) world: World,
    pub(crate) node: SocketAddr,
    pub(crate) operator: SocketAddr,
    pub(crate) phones: SocketAddr,
}

impl Bench {
    pub(crate) fn new(text: &str, seed: u64, weather: Weather) -> Self {
        Self::with_secrets(text, "", seed, weather)
    }

    /// With a configuration whose `credentials` are this text.
    pub(crate) fn with_secrets(text: &str, credentials: &str, seed: u64, weather: Weather) -> Self {
        let path = "test.toml".as_ref();
        let secrets = |_: &_| Ok(credentials.to_owned());
        let loaded = config::load_with(path, text, [seed, 2, 3, 4], &secrets)
            .unwrap_or_else(|errors| panic!("{errors}"));
        let mut world = World::new(seed, weather);
        let node = world.add_node("node", loaded.engine);
        let operator = world.add_peer(
            "caller",
            address(OPERATOR),
            Manner::answers_after(seconds(0.5)),
        );
        let phones = world.add_peer(
            "phone",
            address(PHONES),
            Manner::answers_after(seconds(2.0)),
        );
        Self {
            world,
            node,
            operator,
            phones,
        }
    }

    /// One site with these agents, in calm weather.
    pub(crate) fn one_site(agents: &[&str]) -> Self {
        let site = Site {
            id: "FR670",
            neighbours: &[],
            reserve: 0,
            agents,
        };
        let plan =
            "home_advantage = \"10s\"\n[[overflow.step]]\nafter = \"20s\"\nwiden = [\"nation\"]\n";
        Self::new(&configuration(&[site], plan), 1, Weather::CALM)
    }

    pub(crate) fn manner(&mut self, agent: &str, manner: Manner) {
        let phones = self.phones;
        self.world.set_manner(phones, agent, manner);
    }

    pub(crate) fn call(&mut self, plan: sim::CallPlan) -> sim::SessionId {
        self.world.call(self.operator, self.node, plan)
    }

    pub(crate) fn agent(&self, id: &str) -> AgentId {
        self.world.node(self.node).directory().agent(id).unwrap()
    }

    /// The name of the agent's state.
    pub(crate) fn state(&self, id: &str) -> String {
        let view = self
            .world
            .node(self.node)
            .agent(self.world.now(), self.agent(id));
        view.state.kind().name().to_owned()
    }

    /// How every call that ended counts, in order.
    pub(crate) fn outcomes(&self) -> Vec<&'static str> {
        let ended = self
            .world
            .events()
            .iter()
            .filter_map(|(_, event)| match event {
                Event::CallEnded { outcome, .. } => Some(outcome.label()),
                _ => None,
            });
        ended.collect()
    }

    /// Lets everything end, checks the laws, and gives the ladder.
    pub(crate) fn finish(&mut self) -> String {
        self.world.run_until_drained();
        self.world.assert_laws();
        self.world.ladder().to_string()
    }
}

/// The only line of a one-site bench.
pub(crate) const DIALLED: &str = "sip:+33300000000@192.0.2.1:5060";
