//! What the distributor is told, and what it tells.

use std::time::{Duration, Instant};

use crate::{
    agent::{AgentStateKind, Want},
    ids::{AgentId, CallId, LineId, OfferId, Priority, SiteId, StepIndex},
};

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A call came in on a line.
    CallArrived {
        /// The call.
        call: CallId,
        /// Its line.
        line: LineId,
        /// Its priority; the line's when `None`.
        priority: Option<Priority>,
    },
    /// The caller gave up, or the conversation is over.
    CallEnded {
        /// The call.
        call: CallId,
    },
    /// The agent who has a call sends it on to another line. It waits there, with its priority.
    CallMoved {
        /// The call.
        call: CallId,
        /// The other line.
        to: LineId,
    },
    /// A call that waits, or that an agent has, is for one agent now: for whom see
    /// [`crate::Acd::can_be_asked`]. Who has it keeps it until the other has answered.
    OfferTo {
        /// The call.
        call: CallId,
        /// The agent who is to be asked.
        agent: AgentId,
    },
    /// The agent who has a call is out of it, and the caller is not.
    AgentReleased {
        /// The call.
        call: CallId,
    },
    /// The agent of one call has taken over another, about which its agent had called: an attended
    /// transfer. The first agent is free then, and the call between the two is over.
    CallTakenOver {
        /// The call that goes on.
        call: CallId,
        /// The call whose agent has it now.
        by_agent_of: CallId,
    },
    /// The phone of an offer rings: somebody may answer.
    OfferRinging {
        /// The offer.
        offer: OfferId,
    },
    /// The agent answered.
    OfferAnswered {
        /// The offer.
        offer: OfferId,
    },
    /// The agent will not answer.
    OfferFailed {
        /// The offer.
        offer: OfferId,
        /// Why.
        reason: OfferFailure,
    },
    /// A person wants something of an agent's state.
    AgentWants {
        /// The agent.
        agent: AgentId,
        /// What is wanted.
        want: Want,
    },
    /// The agent's phone gave a sign of life.
    AgentReachable {
        /// The agent.
        agent: AgentId,
    },
}

/// Why an agent will not answer an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OfferFailure {
    /// The phone is busy.
    Busy,
    /// The call was declined.
    Declined,
    /// The phone itself gave up ringing.
    NoAnswer,
    /// The phone cannot be reached.
    Unreachable,
}

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
    pub step: Option<StepIndex>,
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
    /// The person asked for a pause or left.
    AgentLeft,
}

/// Facts, each told once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A call has its place in its line's queue. An offer may follow at once.
    Queued {
        /// The call.
        call: CallId,
        /// Its line.
        line: LineId,
        /// Its priority.
        priority: Priority,
        /// Its place, 1 being next.
        place: usize,
    },
    /// A call was not taken in.
    Refused {
        /// The call.
        call: CallId,
        /// Its line.
        line: LineId,
        /// Why.
        reason: RefuseReason,
    },
    /// An overflow step took effect for a call.
    StepTaken {
        /// The call.
        call: CallId,
        /// Its line.
        line: LineId,
        /// The step.
        step: StepIndex,
        /// How long the call had waited.
        waited: Duration,
    },
    /// An overflow step cannot help, since nobody is on duty where it reaches: the next one is not
    /// waited for.
    StepPassed {
        /// The call.
        call: CallId,
        /// Its line.
        line: LineId,
        /// The step.
        step: StepIndex,
    },
    /// An agent is asked.
    Offered {
        /// The offer.
        offer: OfferId,
        /// The call.
        call: CallId,
        /// Its line.
        line: LineId,
        /// The agent.
        agent: AgentId,
        /// The agent's site.
        site: SiteId,
        /// The step that brought the agent within reach.
        step: Option<StepIndex>,
        /// How long the call had waited.
        waited: Duration,
    },
    /// An offer is over.
    OfferEnded {
        /// The offer.
        offer: OfferId,
        /// The call.
        call: CallId,
        /// The agent.
        agent: AgentId,
        /// How.
        outcome: OfferOutcome,
    },
    /// A call is back at its place after an offer failed.
    Returned {
        /// The call.
        call: CallId,
        /// Its line.
        line: LineId,
        /// Its place, 1 being next.
        place: usize,
    },
    /// An agent has the call: the first on its line.
    Answered {
        /// The call.
        call: CallId,
        /// Its line.
        line: LineId,
        /// The agent.
        agent: AgentId,
        /// The agent's site.
        site: SiteId,
        /// The step that brought the agent within reach; `None` at the home site.
        step: Option<StepIndex>,
        /// From the arrival on the line to the answer.
        waited: Duration,
    },
    /// Another agent has the call, which one of its line had before.
    HandedOver {
        /// The call.
        call: CallId,
        /// Its line.
        line: LineId,
        /// Who has it now.
        agent: AgentId,
    },
    /// An agent has sent a call on to another line.
    Moved {
        /// The call.
        call: CallId,
        /// The line that it was on.
        from: LineId,
        /// The line that it is on now.
        to: LineId,
        /// The agent who had it.
        agent: AgentId,
        /// How long they had talked.
        talked: Duration,
    },
    /// A call is gone. The last event of its call.
    Left {
        /// The call.
        call: CallId,
        /// Its line.
        line: LineId,
        /// How.
        outcome: CallOutcome,
    },
    /// An agent's state changed.
    AgentChanged {
        /// The agent.
        agent: AgentId,
        /// The agent's site.
        site: SiteId,
        /// The state before.
        from: AgentStateKind,
        /// The state now.
        to: AgentStateKind,
    },
    /// An input was about something that is over or unknown.
    Ignored {
        /// What it was about.
        what: Ignored,
    },
}

/// Why a call was not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RefuseReason {
    /// [`crate::Settings::calls_max`].
    CallsMax,
    /// There is a call of this number already.
    Duplicate,
}

/// How an offer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OfferOutcome {
    /// The agent took the call.
    Answered,
    /// The phone rang in vain.
    NoAnswer,
    /// The phone could not be reached, or gave no sign of life.
    Unreachable,
    /// The phone was busy.
    Busy,
    /// The agent declined.
    Declined,
    /// The caller gave up first.
    Withdrawn,
    /// The person asked for a pause or left.
    AgentLeft,
}

impl OfferOutcome {
    /// Every outcome.
    pub const ALL: [Self; 7] = [
        Self::Answered,
        Self::NoAnswer,
        Self::Unreachable,
        Self::Busy,
        Self::Declined,
        Self::Withdrawn,
        Self::AgentLeft,
    ];

    /// The name, as metrics and the API write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::NoAnswer => "no-answer",
            Self::Unreachable => "unreachable",
            Self::Busy => "busy",
            Self::Declined => "declined",
            Self::Withdrawn => "withdrawn",
            Self::AgentLeft => "agent-left",
        }
    }
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallOutcome {
    /// The caller gave up before an answer.
    Abandoned {
        /// From arrival to the end.
        waited: Duration,
        /// Whether an agent was being rung.
        while_offered: WhileOffered,
    },
    /// The caller was served.
    Served {
        /// The agent who served.
        agent: AgentId,
        /// How long they talked.
        talked: Duration,
    },
}

/// Whether a caller who gave up did so while an agent was being rung.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhileOffered {
    /// An agent was being rung.
    Yes,
    /// The call only waited.
    No,
}

/// What an ignored input was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ignored {
    /// An offer that is over.
    Offer(OfferId),
    /// A call that is not known.
    Call(CallId),
}
