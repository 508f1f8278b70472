//! Snapshots for people and for other systems. A query is answered at once by the core's thread
//! with owned values; whoever asked turns them into JSON or text elsewhere.

use std::time::Duration;

use acd::{
    Abandoned, AbandonedId, AgentId, AgentState, AgentStateKind, CrisisId, LineId, SiteId,
    SiteState, Want,
};
use call::{CallId, StageView};
use sip::Pii;
use sip_proxy::Health;

use crate::{event::Event, journal_state::JournalState};

/// What the node does as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusView {
    /// The node's name.
    pub node: String,
    /// Whether new calls are refused.
    pub draining: bool,
    /// How the journal stands.
    pub journal: JournalState,
    /// How long the engine has run.
    pub uptime: Duration,
    /// Callers who wait and whose call rings no phone.
    pub waiting: usize,
    /// Callers whose call rings a phone.
    pub ringing: usize,
    /// Connected calls.
    pub connected: usize,
    /// Dialogs of all calls.
    pub legs: usize,
    /// Requests that are being forwarded, or whose transactions linger.
    pub forwarding: usize,
    /// Live server transactions.
    pub server_transactions: usize,
    /// Live client transactions.
    pub client_transactions: usize,
    /// Phones with at least one binding.
    pub registered: usize,
}

/// A site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteView {
    /// The site.
    pub id: SiteId,
    /// How it works: as somebody said, or as can be seen.
    pub state: SiteState,
    /// The crisis plans that are on there, the one that counts most last.
    pub crises: Vec<CrisisId>,
    /// Callers who wait on its lines.
    pub waiting: usize,
    /// Agents by state, in the order of [`AgentStateKind::ALL`].
    pub agents: Vec<(AgentStateKind, usize)>,
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineView {
    /// The line.
    pub id: LineId,
    /// Callers who wait on it.
    pub waiting: usize,
    /// How long the first of them has waited.
    pub wait_longest: Duration,
    /// How long a caller who came now could expect to wait; `None`: nobody is there to answer.
    pub wait_expected: Option<Duration>,
}

/// An agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentView {
    /// The agent.
    pub id: AgentId,
    /// What the system does with the agent now.
    pub state: AgentState,
    /// What the person wants.
    pub wants: Want,
    /// How long the state has lasted, where it has a beginning.
    pub since: Option<Duration>,
    /// How long the state will last at most, where it has an end.
    pub until: Option<Duration>,
    /// Whether the phone can be reached by a binding or a fixed contact.
    pub has_phone: bool,
    /// The call that the agent is offered or talks in.
    pub call: Option<CallId>,
}

/// A call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallView {
    /// The call id.
    pub id: CallId,
    /// Its line.
    pub line: LineId,
    /// Where it stands.
    pub stage: StageView,
    /// How long ago the INVITE came.
    pub age: Duration,
    /// From the INVITE to the answer, or until now.
    pub waited: Duration,
    /// Its place in the queue, 1 being next; `None` when it does not wait.
    pub place: Option<usize>,
    /// How long it can expect still to wait; `None` when it does not wait, or when nobody is there to
    /// answer.
    pub wait_expected: Option<Duration>,
    /// The priority it waits or waited with; `None` where that is not known any more.
    pub priority: Option<u8>,
    /// How long it has waited as its place counts it: since the first of its caller's calls that were given up
    /// ([`acd::Line::resume_within`]), or since it came to its line.
    pub place_since: Duration,
    /// The agent for whom it waits a moment before anybody is asked.
    pub awaited: Option<AgentId>,
    /// The agent who talks, or else who is rung, the first of several.
    pub agent: Option<AgentId>,
    /// The agents who are rung.
    pub rung: Vec<AgentId>,
    /// The numbers of the overflow steps in effect, from 1.
    pub steps: Vec<u8>,
}

/// The gauges of all sites and lines at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GaugesView {
    /// The node.
    pub status: StatusView,
    /// All sites.
    pub sites: Vec<SiteView>,
    /// All lines.
    pub lines: Vec<LineView>,
    /// All trunks.
    pub trunks: Vec<TrunkView>,
}

/// A trunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrunkView {
    /// Its name.
    pub name: String,
    /// Calls that came by it and are not over.
    pub calls: usize,
    /// Where calls to it go: how many addresses there are by what is known of them.
    pub next_hops: [(Health, usize); 3],
}

/// A crisis plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrisisView {
    /// The plan.
    pub id: CrisisId,
    /// The orders in force, in the order in which they were given; none when it is off.
    pub orders: Vec<CrisisOrderView>,
}

/// An order of a crisis plan that is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrisisOrderView {
    /// Where.
    pub sites: Vec<SiteId>,
    /// How long ago it was given.
    pub since: Duration,
    /// In how long it ends by itself.
    pub until: Option<Duration>,
    /// Who gave it.
    pub author: String,
    /// Why.
    pub reason: String,
}

/// A caller who gave up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AbandonedView {
    /// The entry.
    pub id: AbandonedId,
    /// What is known of it.
    pub entry: Abandoned,
    /// How long ago the first of the calls ended.
    pub first: Duration,
    /// How long ago the last of the calls ended.
    pub last: Duration,
    /// The calls of [`Abandoned::calls`] whose ids are still known.
    pub calls: Vec<CallId>,
    /// The call with which the caller has come back.
    pub came_back: Option<CallId>,
    /// The number to call back.
    pub number: Option<Pii<String>>,
}

/// What happened to a call.
#[derive(Clone, Debug, PartialEq)]
pub struct StoryView {
    /// The call.
    pub id: CallId,
    /// Which rules there are ([`acd::Directory::version`]).
    pub rules: String,
    /// How long ago it began.
    pub age: Duration,
    /// What happened, and how long after the beginning.
    pub entries: Vec<(Duration, Event)>,
    /// What came after those, uncounted but for this.
    pub left_out: usize,
}
