//! What the distributor is told.

use std::time::{Duration, Instant};

use crate::{
    abandoned::AbandonedState,
    agent::Want,
    ids::{
        AbandonedId, AgentId, CallId, CallerKey, CrisisId, Disposition, LineId, OfferId, Priority,
        SiteId,
    },
    spec::SiteState,
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
        /// Whose it is, if that is known.
        caller: Option<CallerKey>,
        /// When it came, where it had been away: its place is that of then, and it stays on this line
        /// whatever crisis is on. Now, when `None`.
        arrival: Option<Instant>,
    },
    /// The caller gave up, or the conversation is over.
    CallEnded {
        /// The call.
        call: CallId,
    },
    /// The agent who has a call sends it on to another line, where it waits. Whether the agent is
    /// free at once is the other line's choice ([`crate::HandOver`]).
    CallMoved {
        /// The call.
        call: CallId,
        /// The other line.
        to: LineId,
        /// Its priority there, where the agent says one.
        priority: Option<Priority>,
    },
    /// The agent who keeps a caller company until another line answers keeps the call after all.
    CallKept {
        /// The call.
        call: CallId,
    },
    /// A person says how urgent a call is.
    PrioritySet {
        /// The call.
        call: CallId,
        /// Its priority from now on, before what the steps in effect raise it by.
        priority: Priority,
    },
    /// Somebody outside has taken a call that was diverted.
    DivertAnswered {
        /// The call.
        call: CallId,
    },
    /// Nobody outside takes a call that was diverted. It has kept its place.
    DivertFailed {
        /// The call.
        call: CallId,
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
    /// The agent has answered, and is being brought together with the caller, whom another agent has or
    /// had: nobody else is asked meanwhile. [`Input::OfferAnswered`] or [`Input::OfferFailed`] follows.
    OfferJoining {
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
    /// An agent needs longer after a call.
    WrapUpExtended {
        /// The agent.
        agent: AgentId,
        /// By so much; in all no longer than [`crate::Settings::wrap_up_max`].
        by: Duration,
    },
    /// An agent says how the call that is there, or was there last, was closed.
    Disposed {
        /// The agent.
        agent: AgentId,
        /// How.
        code: Disposition,
    },
    /// Somebody has dealt with an entry of the list of abandoned callers.
    AbandonedHandled {
        /// The entry.
        entry: AbandonedId,
        /// How it stands now.
        state: AbandonedState,
    },
    /// A person says how a site works; `None`: as the system sees it.
    SiteStateSet {
        /// The site.
        site: SiteId,
        /// Its state.
        state: Option<SiteState>,
    },
    /// A crisis plan is switched on for some sites, or its end or its reason changed for all that
    /// have it.
    CrisisOn(CrisisOrder),
    /// A crisis plan is switched off.
    CrisisOff {
        /// The plan.
        crisis: CrisisId,
        /// The sites; all that have it where the list is empty.
        sites: Vec<SiteId>,
        /// Who did it.
        author: String,
    },
}

/// An order to switch a crisis plan on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrisisOrder {
    /// The plan.
    pub crisis: CrisisId,
    /// Where.
    pub sites: Vec<SiteId>,
    /// When it ends by itself; `None`: when somebody says so.
    pub until: Option<Instant>,
    /// Who did it.
    pub author: String,
    /// Why.
    pub reason: String,
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
