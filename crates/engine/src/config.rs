//! What the engine is told at its construction. Every value has been validated by whoever made it:
//! the `config` crate for a file, a test for itself.

use std::{collections::BTreeSet, net::SocketAddr, sync::Arc, time::Duration};

use acd::{AgentId, Directory, LineId, Priority};
use sip::{Transport, UriBuf};
use sip_proxy::{Algorithm, GuardSettings, Ha1, Trunk, TrunkId, Trunks};
use sip_transaction::{ListenerId, Timers};

use crate::routing::{DialPlan, Dialled};

/// The engine's configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The node's name: in the API and in the `Server` header.
    pub node: String,
    /// The host part of our own URIs: addresses-of-record are `sip:AGENT@domain`.
    pub domain: String,
    /// The listeners, in the order of their [`ListenerId`].
    pub listeners: Vec<Listener>,
    /// Who may send calls.
    pub trunks: Vec<Trunk>,
    /// Sites, lines, agents and plans.
    pub directory: Arc<Directory>,
    /// The country code of numbers that agents dial as national ones: digits alone.
    pub country: String,
    /// Which number goes to which line.
    pub numbers: Vec<NumberRoute>,
    /// What operators and agents may say of the importance of a call.
    pub resource_priorities: Vec<Importance>,
    /// Lines of partners: shed before those for emergencies.
    pub partner_lines: BTreeSet<LineId>,
    /// The line of a trunk's call whose number is nobody's: it is never lost.
    pub default_line: LineId,
    /// How phones prove who they are; `None` where they are believed by their address.
    pub authentication: Option<Authentication>,
    /// Phones with a fixed address. Other agents' phones register.
    pub contacts: Vec<(AgentId, UriBuf)>,
    /// Limits and times.
    pub settings: Settings,
    /// Entropy for tags, branches, call ids and hash tables.
    pub seed: [u64; 4],
    /// Secrets by which this node knows again what it has given away: routes of dialogs that it only
    /// forwards, and callers. Challenges are not among them: whoever answered one of before is asked again.
    /// `None` for new ones, of the seed; with a journal they are those of the
    /// first process that wrote it.
    pub secrets: Option<[u64; 4]>,
}

impl Config {
    /// What the names in rows of a journal are in this configuration.
    pub fn names(&self) -> journal::Names<'_> {
        journal::Names {
            directory: &self.directory,
            default_line: Some(self.default_line),
        }
    }

    /// The trunk that calls from here to this URI go by first, if one takes them.
    pub fn trunk_taking(&self, uri: &UriBuf) -> Option<TrunkId> {
        let number = DialPlan::new(self).number(&uri.as_uri())?;
        Trunks::new(self.trunks.clone())
            .taking(&number)
            .first()
            .copied()
    }
}

/// How phones prove who they are.
#[derive(Clone, Debug)]
pub struct Authentication {
    /// What the passwords are for.
    pub realm: String,
    /// The algorithms that are offered, the preferred first.
    pub algorithms: Vec<Algorithm>,
    /// For how long a challenge may be answered, and answered again.
    pub nonce_lifetime: Duration,
    /// The secrets of each agent. One who has none cannot register a phone.
    pub secrets: Vec<(AgentId, Vec<Ha1>)>,
}

/// A socket that SIP comes in by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its id, unique in the node.
    pub id: ListenerId,
    /// Its transport.
    pub transport: Transport,
    /// The address that it is bound to.
    pub address: SocketAddr,
    /// The address that Via and Contact name: differs from `address` behind a NAT or when bound to
    /// all addresses.
    pub advertised: SocketAddr,
}

/// A number of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberRoute {
    /// What is dialled.
    pub dialled: Dialled,
    /// The line that serves it.
    pub line: LineId,
    /// The priority of calls by it; the line's when `None`.
    pub priority: Option<Priority>,
    /// Only calls from these trunks; from all of them when empty. A route that names the trunk
    /// goes before one that does not.
    pub trunks: Vec<TrunkId>,
}

/// What a Resource-Priority (RFC 4412) of a call means here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Importance {
    /// What is said, such as `esnet.4` (RFC 7135).
    pub said: String,
    /// The priority that such a call has, where its line and number give it a lower one.
    pub priority: Priority,
}

/// Limits and times of the engine.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Calls that may exist at a time. More are answered 503 with Retry-After.
    pub calls_max: usize,
    /// SIP transactions that may exist at a time. More are answered 503 with Retry-After.
    pub transactions_max: usize,
    /// The timers of RFC 3261 §17.
    pub timers: Timers,
    /// How often a waiting caller is told so.
    pub announce_interval: Duration,
    /// How long a caller may wait before the wait counts as left behind by a peer that vanished.
    pub wait_max: Duration,
    /// How long a connected call may last.
    pub call_max: Duration,
    /// How long a connected side may go without a sign of life (RFC 4028).
    pub session_interval: Duration,
    /// Those of the distributor; its limit of calls is [`Settings::calls_max`].
    pub distribution: acd::Settings,
    /// How often the next hops of trunks are asked for a sign of life.
    pub trunk_probe: Duration,
    /// Calls that have ended and whose stories are kept.
    pub stories_max: usize,
    /// How patient we are with strangers.
    pub guard: GuardSettings,
    /// Limits on one SIP message.
    pub message: sip::Limits,
    /// What is wrong with calls on purpose.
    #[cfg(feature = "planted")]
    pub planted_in_calls: Option<call::Planted>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            calls_max: 100_000,
            transactions_max: 1_000_000,
            timers: Timers::default(),
            announce_interval: Duration::from_secs(60),
            wait_max: Duration::from_secs(3600),
            call_max: Duration::from_secs(4 * 3600),
            session_interval: Duration::from_secs(1800),
            distribution: acd::Settings::default(),
            trunk_probe: Duration::from_secs(30),
            stories_max: 10_000,
            guard: GuardSettings::default(),
            message: sip::Limits::default(),
            #[cfg(feature = "planted")]
            planted_in_calls: None,
        }
    }
}
