//! What the distributor wants done.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    event::Event,
    ids::{AgentId, CallId, OfferId, StepRef},
};

/// What is to be done, or to be known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Ring this agent for this call.
    Offer(Offer),
    /// Stop ringing.
    Withdraw {
        /// The offer, which is over now.
        offer: OfferId,
        /// Its agent.
        agent: AgentId,
        /// Its call.
        call: CallId,
        /// Why.
        reason: WithdrawReason,
    },
    /// Ask the agent's phone for a sign of life.
    Probe {
        /// The agent.
        agent: AgentId,
    },
    /// Let the caller hear this announcement.
    Announce {
        /// The call.
        call: CallId,
        /// Its name.
        announcement: Arc<str>,
        /// The call's place in the queue now, 1 being next; `None` where it does not wait.
        place: Option<usize>,
        /// What it can expect still to wait ([`crate::Acd::expected_wait`]).
        expected_wait: Option<Duration>,
    },
    /// Ring somebody outside for this call as well. It keeps its place until they answer.
    Divert {
        /// The call.
        call: CallId,
        /// A SIP URI.
        to: String,
    },
    /// Stop ringing somebody outside: the call is with an agent, or gone.
    DivertWithdrawn {
        /// The call.
        call: CallId,
    },
    /// Tell the caller that nobody can take the call. It is gone here.
    Reject {
        /// The call.
        call: CallId,
    },
    /// A fact.
    Event(Event),
}

/// An agent being asked to take a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The offer.
    pub offer: OfferId,
    /// The call.
    pub call: CallId,
    /// The agent.
    pub agent: AgentId,
    /// When the offer ends at the latest.
    pub ring_until: Instant,
    /// The overflow step that brought the agent within reach; `None` at the call's home site.
    pub step: Option<StepRef>,
}

/// Why an offer is withdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WithdrawReason {
    /// Nobody answered within the line's ring time.
    RingTimeout,
    /// The phone gave no sign of life.
    NoSignOfLife,
    /// The caller gave up.
    CallEnded,
    /// Another agent, or somebody outside, has the call.
    AnsweredElsewhere,
    /// The call goes elsewhere.
    CallMoved,
    /// The person asked for a pause or left.
    AgentLeft,
}
