//! The state of a node, as it is written down.

use std::{fmt, time::Instant};

use acd::{
    Abandoned, AbandonedId, ActiveCrisis, AgentId, CallerKey, CrisisId, KeptAgent, KeptCall,
    KeptCaller, LineId, OfferId, Priority, SiteId, SiteState,
};
use bytes::Bytes;
use call::{
    AttemptId, CallNumber, KeptAttempt, KeptUnanswered,
    sip::Pii,
    sip_transaction::{Flow, Refused},
};

/// A node, as it is written down.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct KeptNode {
    /// What the process was; `None` for one that has written nothing.
    pub process: Option<KeptProcess>,
    /// Calls that are not over.
    pub calls: Vec<KeptEntry>,
    /// Phones that were to stop ringing and have not said that they did.
    pub withdrawn: Vec<(CallNumber, KeptAttempt)>,
    /// INVITEs that have been refused, whose senders may not have heard that.
    pub refused: Vec<Refused>,
    /// BYEs that are not answered, where they go, and the CSeq number of our last INVITE to the receiver.
    pub byes: Vec<(Bytes, (Flow, Option<u32>))>,
    /// Phones that were given up, and may still be answered.
    pub unanswered: Vec<KeptUnanswered>,
    /// The agents.
    pub agents: Vec<(AgentId, KeptAgent)>,
    /// The phones that have registered, of each agent in the order in which they are tried.
    pub phones: Vec<(AgentId, Vec<KeptPhone>)>,
    /// How sites work, where somebody said so.
    pub stated: Vec<(SiteId, SiteState)>,
    /// The orders of crisis plans, in the order in which they were given.
    pub crises: Vec<ActiveCrisis>,
    /// The crisis plans that are on at sites, in the order in which they were switched on there.
    pub crises_at: Vec<(SiteId, Vec<CrisisId>)>,
    /// Callers who gave up, with the numbers that called.
    pub abandoned: Vec<(AbandonedId, Abandoned, Option<Pii<String>>)>,
    /// Callers who are remembered.
    pub callers: Vec<(CallerKey, KeptCaller)>,
}

/// Messages of callers and phones are in it: it shows how many of each there are.
impl fmt::Debug for KeptNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptNode")
            .field("calls", &self.calls)
            .field("withdrawn", &self.withdrawn.len())
            .field("refused", &self.refused.len())
            .field("byes", &self.byes.len())
            .field("unanswered", &self.unanswered.len())
            .field("phones", &self.phones.len())
            .field("agents", &self.agents)
            .field("stated", &self.stated)
            .field("crises", &self.crises)
            .field("crises_at", &self.crises_at)
            .field("abandoned", &self.abandoned.len())
            .field("callers", &self.callers.len())
            .finish()
    }
}

/// What a process is, as it is written down.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeptProcess {
    /// Which of those that wrote this journal, counted from 1. Numbers that it gives begin with it.
    pub epoch: u64,
    /// The secrets by which it knows again what it has given away: routes, callers.
    pub secrets: [u64; 4],
}

/// The secrets are not printed.
impl fmt::Debug for KeptProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptProcess")
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}

/// A registered phone, as it is written down.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptPhone {
    /// The contact.
    pub contact: Bytes,
    /// Its preference, in thousandths.
    pub q: u16,
    /// When the registration ends.
    pub expires_at: Instant,
    /// Call-ID and CSeq number of the last REGISTER.
    pub register: (Bytes, u32),
    /// Where it is reached, and where it registered from.
    pub flows: (Flow, Flow),
    /// Path (RFC 3327).
    pub path: Vec<Bytes>,
    /// Which device it is, and which of its flows (RFC 5626).
    pub device: (Option<Bytes>, Option<u32>),
}

/// A call, as it is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptEntry {
    /// Its legs.
    pub legs: call::Kept,
    /// Its journey; `None` for one that is over but for its last ACK.
    pub journey: Option<KeptJourney>,
    /// What the distributor knows of it, if it has it.
    pub distribution: Option<KeptCall>,
}

/// A caller's journey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptJourney {
    /// The line that it is on.
    pub line: LineId,
    /// The name of the trunk that it came by.
    pub trunk: Option<String>,
    /// The number that called.
    pub number: Option<Pii<String>>,
    /// When it came.
    pub offered_at: Instant,
    /// When it was answered, and who has it now.
    pub answered: Option<(Instant, AgentId)>,
    /// Offers and the attempts by which they are rung.
    pub offers: Vec<(OfferId, AgentId, AttemptId)>,
    /// The line that it has been sent on to, with the agent still there.
    pub sent_to: Option<(LineId, Instant)>,
    /// Where it is when the distributor has let it go.
    pub place: KeptPlace,
    /// The agent who has called, if one has.
    pub by: Option<AgentId>,
}

/// Whether the distributor has a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptPlace {
    /// It has.
    InDistributor,
    /// Somebody else has it: how it stood before.
    Left(Option<(Priority, Instant, Option<CallerKey>)>),
    /// Somebody outside took it then.
    Diverted(Instant),
}
