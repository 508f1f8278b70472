//! Facts about calls, agents and sites, each told once.

use std::time::{Duration, Instant};

use crate::{
    abandoned::AbandonedState,
    agent::AgentStateKind,
    candidates::Candidates,
    ids::{
        AbandonedId, AgentId, CallId, CrisisId, Disposition, LineId, OfferId, PlanId, Priority,
        SiteId, StepRef,
    },
    spec::SiteState,
};

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
        /// How long the caller had waited before: the time since a call that was given up
        /// ([`crate::Line::resume_within`]), or since the first arrival of a call that was sent on.
        waited: Duration,
        /// The overflow plan that it follows, of its line or of a crisis; `None`: none.
        plan: Option<PlanId>,
        /// The agents within reach at the time.
        candidates: Candidates,
    },
    /// The caller of a call is in the list of those who gave up: this call counts as the same demand.
    CameBack {
        /// The call.
        call: CallId,
        /// Its line.
        line: LineId,
        /// The entry of the list.
        entry: AbandonedId,
        /// How often the caller has given up.
        attempts: u32,
    },
    /// A call waits a moment for the agent who had the same caller last.
    AgentAwaited {
        /// The call.
        call: CallId,
        /// The agent.
        agent: AgentId,
        /// Until then; then anybody is asked.
        until: Instant,
    },
    /// A call no longer waits for one agent: it waited long enough, or the agent is gone.
    AwaitEnded {
        /// The call.
        call: CallId,
        /// The agent.
        agent: AgentId,
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
        step: StepRef,
        /// How long the call had waited.
        waited: Duration,
        /// The agents within reach from now on.
        candidates: Candidates,
    },
    /// An overflow step cannot help, since nobody is on duty where it reaches: the next one is not
    /// waited for.
    StepPassed {
        /// The call.
        call: CallId,
        /// Its line.
        line: LineId,
        /// The step.
        step: StepRef,
        /// How long the call had waited.
        waited: Duration,
        /// The agents within reach, as before.
        candidates: Candidates,
    },
    /// A call has another priority.
    PriorityChanged {
        /// The call.
        call: CallId,
        /// Its line.
        line: LineId,
        /// Its priority now.
        priority: Priority,
    },
    /// A call follows another plan from now on, since a crisis plan was switched on or off.
    PlanChanged {
        /// The call.
        call: CallId,
        /// Its line.
        line: LineId,
        /// The overflow plan; `None`: none.
        plan: Option<PlanId>,
    },
    /// Somebody outside is rung for a call as well.
    Diverting {
        /// The call.
        call: CallId,
        /// Its line.
        line: LineId,
    },
    /// Nobody outside has taken a call.
    DivertEnded {
        /// The call.
        call: CallId,
        /// Its line.
        line: LineId,
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
        step: Option<StepRef>,
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
        step: Option<StepRef>,
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
    /// The agent who kept a caller company until another line answered keeps the call after all.
    Kept {
        /// The call.
        call: CallId,
        /// The line that it is on again.
        line: LineId,
        /// The agent.
        agent: AgentId,
    },
    /// An agent said how a call was closed.
    Disposed {
        /// The call.
        call: CallId,
        /// The agent.
        agent: AgentId,
        /// How.
        code: Disposition,
    },
    /// A call is gone. The last event of its call, but for how it was closed.
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
    /// A caller who gave up is in the list of those to call back.
    AbandonedListed {
        /// The entry, new or known before.
        entry: AbandonedId,
        /// The call.
        call: CallId,
        /// Its line.
        line: LineId,
    },
    /// An entry of the list of abandoned callers stands differently.
    AbandonedChanged {
        /// The entry.
        entry: AbandonedId,
        /// How it stands now.
        state: AbandonedState,
    },
    /// An entry of the list of abandoned callers has been in it for long enough, or had to make room: nothing
    /// is known of it any more.
    AbandonedForgotten {
        /// The entry.
        entry: AbandonedId,
    },
    /// A site works differently.
    SiteStateChanged {
        /// The site.
        site: SiteId,
        /// Its state now.
        state: SiteState,
    },
    /// A crisis plan was switched on or off.
    CrisisChanged {
        /// The plan.
        crisis: CrisisId,
        /// The sites where it was.
        sites: Vec<SiteId>,
        /// What happened to it.
        change: CrisisChange,
    },
    /// An input was about something that is over or unknown.
    Ignored {
        /// What it was about.
        what: Ignored,
    },
}

impl Event {
    /// The call that it is about, if it is about one.
    pub const fn call(&self) -> Option<CallId> {
        match *self {
            Self::Queued { call, .. }
            | Self::CameBack { call, .. }
            | Self::AgentAwaited { call, .. }
            | Self::AwaitEnded { call, .. }
            | Self::Refused { call, .. }
            | Self::StepTaken { call, .. }
            | Self::StepPassed { call, .. }
            | Self::PriorityChanged { call, .. }
            | Self::PlanChanged { call, .. }
            | Self::Diverting { call, .. }
            | Self::DivertEnded { call, .. }
            | Self::Offered { call, .. }
            | Self::OfferEnded { call, .. }
            | Self::Returned { call, .. }
            | Self::Answered { call, .. }
            | Self::HandedOver { call, .. }
            | Self::Moved { call, .. }
            | Self::Kept { call, .. }
            | Self::Disposed { call, .. }
            | Self::Left { call, .. }
            | Self::AbandonedListed { call, .. } => Some(call),
            Self::AgentChanged { .. }
            | Self::AbandonedChanged { .. }
            | Self::AbandonedForgotten { .. }
            | Self::SiteStateChanged { .. }
            | Self::CrisisChanged { .. }
            | Self::Ignored { .. } => None,
        }
    }
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
    /// Another agent, or somebody outside, was first.
    AnsweredElsewhere,
}

impl OfferOutcome {
    /// Every outcome.
    pub const ALL: [Self; 8] = [
        Self::Answered,
        Self::NoAnswer,
        Self::Unreachable,
        Self::Busy,
        Self::Declined,
        Self::Withdrawn,
        Self::AgentLeft,
        Self::AnsweredElsewhere,
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
            Self::AnsweredElsewhere => "answered-elsewhere",
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
    /// Somebody outside took the call.
    Diverted {
        /// From arrival to the answer.
        waited: Duration,
    },
    /// The plan's last step turned the caller away.
    Rejected {
        /// From arrival to the end.
        waited: Duration,
    },
}

/// What happened to a crisis plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CrisisChange {
    /// It was switched on.
    On {
        /// By whom.
        author: String,
        /// Why.
        reason: String,
        /// After how long it ends by itself.
        lasts: Option<Duration>,
    },
    /// It was switched off.
    Off {
        /// By whom.
        author: String,
    },
    /// Its time was over.
    Expired,
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
    /// A call that is not known, or not one that this can happen to now.
    Call(CallId),
    /// An agent who is not known, or not one that this can happen to now.
    Agent(AgentId),
    /// An entry of the list of abandoned callers that is not known.
    Abandoned(AbandonedId),
    /// A crisis plan that is not on.
    Crisis(CrisisId),
}
