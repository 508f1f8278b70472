//! What can be asked of the distributor.

use std::time::Instant;

use crate::{
    acd::Acd,
    agent::{AgentState, AgentStateKind, Want},
    call::{Call, Diverting, Seeking},
    directory::Directory,
    ids::{AgentId, CallId, CallerKey, LineId, OfferId, Priority, SiteId, StepRef},
};

/// A call, for an API.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallView {
    /// Its line.
    pub line: LineId,
    /// Its priority.
    pub priority: Priority,
    /// Its priority before what the steps in effect raise it by.
    pub priority_unraised: Priority,
    /// Whose it is, if that is known.
    pub caller: Option<CallerKey>,
    /// When it arrived, as its place in the queue counts it.
    pub arrival: Instant,
    /// Its place in its line's queue, 1 being next; `None` when it does not wait.
    pub place: Option<usize>,
    /// Where it stands.
    pub phase: CallPhase,
    /// The one agent for whom it waits a moment.
    pub awaited: Option<AgentId>,
    /// The overflow steps in effect.
    pub steps: Vec<StepRef>,
    /// The step by which somebody outside is being rung as well.
    pub diverted_by: Option<StepRef>,
}

/// Where a call stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallPhase {
    /// It waits at its place.
    Waiting {
        /// The agent who keeps the caller company meanwhile.
        held_by: Option<AgentId>,
    },
    /// Agents are being rung.
    Offered {
        /// The offers, and whom they ask; at least one.
        offers: Vec<(OfferId, AgentId)>,
        /// The agent who has the caller meanwhile.
        held_by: Option<AgentId>,
    },
    /// An agent has it.
    Talking {
        /// The agent.
        agent: AgentId,
    },
}

impl CallPhase {
    /// The agent who keeps the caller company while others are asked.
    pub const fn held_by(&self) -> Option<AgentId> {
        match self {
            Self::Waiting { held_by } | Self::Offered { held_by, .. } => *held_by,
            Self::Talking { .. } => None,
        }
    }
}

impl Acd {
    /// The directory.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// What the system does with an agent now.
    pub fn agent_state(&self, agent: AgentId) -> &AgentState {
        &self.agents[agent.index()].state
    }

    /// What the person wants.
    pub fn agent_wants(&self, agent: AgentId) -> &Want {
        &self.agents[agent.index()].want
    }

    /// The call that an agent has, or had last.
    pub fn last_call(&self, agent: AgentId) -> Option<CallId> {
        self.agents[agent.index()].last_call
    }

    /// The place of a waiting call in its line's queue, 1 being next.
    pub fn place(&self, call: CallId) -> Option<usize> {
        self.place_of(self.calls.get(&call)?)
    }

    pub(crate) fn place_of(&self, call: &Call) -> Option<usize> {
        let before = self.queues[call.line.index()].order.rank(&call.key)?;
        Some(before + 1)
    }

    /// Calls that wait on a line.
    pub fn waiting(&self, line: LineId) -> usize {
        self.queues[line.index()].order.len()
    }

    /// Calls that wait on the lines of a site.
    pub fn waiting_at_site(&self, site: SiteId) -> usize {
        self.directory
            .site_profile(site)
            .lines
            .iter()
            .map(|&line| self.waiting(line))
            .sum()
    }

    /// The first arrival among the calls that wait on a line.
    pub fn oldest_arrival(&self, line: LineId) -> Option<Instant> {
        self.queues[line.index()]
            .arrivals
            .first()
            .map(|&(arrival, _)| arrival)
    }

    /// Whether an agent has the skills that a call asks for now, wherever the agent is.
    pub fn is_able(&self, agent: AgentId, call: CallId) -> bool {
        let profile = self.directory.agent_profile(agent).profile;
        self.calls.get(&call).is_some_and(|call| {
            let requirement = self.classes.get(call.class).requirement;
            self.staff.meets(profile, requirement)
        })
    }

    /// The call at a place among those that wait on the lines of a site and that an agent is able to
    /// take, 1 being next.
    pub fn waiting_for(&self, agent: AgentId, place: usize) -> Option<CallId> {
        let agent = self.directory.agent_profile(agent);
        let sites = agent.sites();
        let lines = sites.flat_map(|site| self.directory.site_profile(site).lines.iter());
        let classes = lines.flat_map(|&line| self.classes.of_line(line));
        let able = classes.filter(|(_, class)| self.staff.meets(agent.profile, class.requirement));
        let mut keys: Vec<_> = able
            .flat_map(|(_, class)| class.first_calls(place))
            .collect();
        keys.sort_unstable();
        keys.get(place.checked_sub(1)?).map(|key| key.call)
    }

    /// Agents of a home site in a kind of state.
    pub fn agents_in(&self, site: SiteId, kind: AgentStateKind) -> usize {
        self.counts[site.index()][kind as usize]
    }

    /// A call, if it is known.
    pub fn call(&self, call: CallId) -> Option<CallView> {
        let call = self.calls.get(&call)?;
        let held_by = call.with.map(|with| with.agent);
        let asked = |&offer: &OfferId| Some((offer, self.offers.get(&offer)?.agent));
        let phase = match (&call.seeking, held_by) {
            (Seeking::Offered { offers, .. }, _) => CallPhase::Offered {
                offers: offers.iter().filter_map(asked).collect(),
                held_by,
            },
            (Seeking::Nobody, Some(agent)) => CallPhase::Talking { agent },
            (Seeking::Place | Seeking::Nobody, _) => CallPhase::Waiting { held_by },
        };
        Some(CallView {
            line: call.line,
            priority: call.key.priority,
            priority_unraised: call.priority,
            caller: call.caller,
            arrival: call.key.arrival,
            place: self.place_of(call),
            phase,
            awaited: call.awaited.map(|(agent, _)| agent),
            steps: self.classes.get(call.class).course.steps().collect(),
            diverted_by: match call.diverting {
                Diverting::By(step, _) => Some(step),
                Diverting::No => None,
            },
        })
    }

    /// All calls in the order of their numbers.
    pub fn calls(&self) -> impl Iterator<Item = CallId> + '_ {
        self.calls.keys().into_iter()
    }

    /// Whether there is no call and no offer.
    pub fn is_idle(&self) -> bool {
        self.calls.is_empty() && self.offers.is_empty()
    }
}
