//! Facts: what the engine tells metrics, call records, the API's stream and tests. Each is told
//! once, and none holds personal data.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use acd::{AgentId, LineId};
use call::{CallId, EndCause};
use sip::{Invalid, ParseError, headers::Attestation};
use sip_proxy::{Health, TrunkId, Unproven};
use sip_transaction::{Attempt, MessageKind};

use crate::{gate::Class, journal_state::JournalState};

/// One fact.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A SIP message came in or went out.
    Message {
        /// Which way.
        direction: Direction,
        /// Its method or status.
        kind: MessageKind,
        /// Whether it repeats an earlier one. What came in counts as [`Attempt::First`] here; its
        /// repetitions are [`Event::RetransmissionReceived`].
        attempt: Attempt,
    },
    /// A message that came in repeats an earlier one.
    RetransmissionReceived {
        /// Its method or status.
        kind: MessageKind,
    },
    /// Something that came in was dropped, or answered without being looked into.
    Dropped {
        /// Why.
        reason: DropReason,
    },
    /// A caller's INVITE opened a call.
    CallStarted {
        /// The call.
        call: CallId,
        /// Its line.
        line: LineId,
        /// The trunk that it came from; `None` for an agent's phone.
        trunk: Option<TrunkId>,
        /// What the operator attests of the caller's number (RFC 8588), as it was claimed: nobody has
        /// verified the signature.
        attestation: Option<Attestation>,
    },
    /// A caller's INVITE was answered 503 because of a limit: the call is blocked, not abandoned.
    CallBlocked {
        /// Its line.
        line: LineId,
        /// Which limit.
        reason: BlockReason,
    },
    /// An agent has sent a call on: from now on it is another line's, or another agent's.
    CallTransferred {
        /// The call.
        call: CallId,
        /// The agent who sent it on.
        agent: AgentId,
        /// Who has it now.
        to: Transferred,
    },
    /// A transfer that an agent asked for is over.
    TransferEnded {
        /// How.
        outcome: TransferOutcome,
    },
    /// A call is over. The last event of its call.
    CallEnded {
        /// The call.
        call: CallId,
        /// Its line.
        line: LineId,
        /// How it counts.
        outcome: Outcome,
        /// Why it ended.
        cause: EndCause,
        /// From the arrival on the line to the first answer there, or to the end where there was none.
        waited: Duration,
        /// From that answer to the end; zero without one.
        talked: Duration,
        /// The agent who had it last.
        agent: Option<AgentId>,
    },
    /// A caller is to hear an announcement of this name. Without media nobody plays it yet: whoever
    /// has a player of announcements may act on it.
    AnnouncementDue {
        /// The call.
        call: CallId,
        /// Its name in the configuration.
        announcement: Arc<str>,
        /// The call's place in its queue, 1 being next; `None` where it does not wait.
        place: Option<usize>,
        /// What it can expect still to wait.
        expected_wait: Option<Duration>,
    },
    /// What the distributor did.
    Distribution {
        /// The call that it is about, if it is about one.
        call: Option<CallId>,
        /// What.
        what: acd::Event,
    },
    /// A phone answered when its offer was over: it was hung up at once.
    LateAnswer {
        /// The call that it had been rung for.
        call: Option<CallId>,
    },
    /// An agent's phone has a first binding.
    PhoneRegistered {
        /// The agent.
        agent: AgentId,
    },
    /// An agent's phone has no binding any more.
    PhoneUnregistered {
        /// The agent.
        agent: AgentId,
    },
    /// A source that nobody knows has cost too much: what comes from there is dropped unread.
    SourceBanned {
        /// The source: a machine of nobody that we know.
        source: IpAddr,
        /// For so long.
        lasts: Duration,
    },
    /// A next hop of a trunk has begun or ceased to answer OPTIONS.
    TrunkHealth {
        /// The trunk.
        trunk: TrunkId,
        /// Its name.
        name: String,
        /// The next hop: a machine of an operator.
        remote: SocketAddr,
        /// Whether it answers.
        health: Health,
    },
    /// The node takes no new calls from now on.
    Draining,
    /// The journal stands differently.
    JournalChanged {
        /// How it stands now.
        state: JournalState,
    },
}

impl Event {
    /// The call that it is about, if it is about one.
    pub const fn call(&self) -> Option<&CallId> {
        match self {
            Self::CallStarted { call, .. }
            | Self::CallTransferred { call, .. }
            | Self::AnnouncementDue { call, .. }
            | Self::CallEnded { call, .. } => Some(call),
            Self::Distribution { call, .. } | Self::LateAnswer { call } => call.as_ref(),
            _ => None,
        }
    }

    /// Whether it says no more than that a message came, went or was dropped. There are as many of these as anybody sends.
    pub const fn is_of_one_message(&self) -> bool {
        matches!(
            self,
            Self::Message { .. } | Self::RetransmissionReceived { .. } | Self::Dropped { .. }
        )
    }
}

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// To us.
    In,
    /// From us.
    Out,
}

impl Direction {
    /// For metric labels.
    pub const fn label(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

/// Where an agent has sent a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transferred {
    /// Into the queue of another line. On the first one it counts as answered.
    Line {
        /// The line that it was on.
        from: LineId,
        /// The line that it waits on now.
        to: LineId,
        /// How long it had waited on the first line.
        waited: Duration,
    },
    /// To another agent, who has answered.
    Agent(AgentId),
    /// To a telephone outside, which has answered.
    Outside,
}

/// How a transfer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TransferOutcome {
    /// The call is somebody else's.
    Done,
    /// Nobody took it: it is the agent's as before.
    Failed,
    /// The agent changed her mind while the other line had not answered.
    Kept,
    /// It was not tried: the target does not exist or cannot be asked now.
    Refused,
}

impl TransferOutcome {
    /// For metric labels.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Kept => "kept",
            Self::Refused => "refused",
        }
    }
}

/// How a call counts in the figures of the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// A person answered.
    Answered,
    /// Somebody outside took the call, to whom an overflow plan had diverted it.
    Diverted,
    /// The caller gave up before an answer.
    Abandoned,
    /// We ended the call before an answer.
    Failed,
}

impl Outcome {
    /// For metric labels.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Diverted => "diverted",
            Self::Abandoned => "abandoned",
            Self::Failed => "failed",
        }
    }
}

/// Why a call was blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BlockReason {
    /// [`crate::Settings::calls_max`].
    CallsMax,
    /// The node is draining.
    Draining,
    /// The journal has failed: another node should have the call.
    JournalFailed,
    /// A partner's call, shed to keep room for emergencies.
    Shed,
    /// Its trunk has as many calls as it may.
    TrunkCalls,
    /// Its trunk's calls come too fast.
    TrunkRate,
}

impl BlockReason {
    /// For metric labels.
    pub const fn label(self) -> &'static str {
        match self {
            Self::CallsMax => "calls-max",
            Self::Draining => "draining",
            Self::JournalFailed => "journal-failed",
            Self::Shed => "shed",
            Self::TrunkCalls => "trunk-calls",
            Self::TrunkRate => "trunk-rate",
        }
    }
}

/// Why something that came in was dropped or refused unseen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// It is no SIP message.
    Parse(ParseError),
    /// A stream that was closed, since the end of its message cannot be found.
    Framing(sip::FramingError),
    /// A request that was answered 400 or 505.
    InvalidRequest(Invalid),
    /// A response, an ACK, or a request without a way back, that is not valid.
    Invalid(Invalid),
    /// A response to nothing that we asked.
    StrayResponse,
    /// A 2xx to an INVITE of ours that is not the answer to it: it was damaged on its way, or is made up. Until the
    /// answer has come.
    MismatchedResponse,
    /// An ACK that belongs to no call.
    StrayAck,
    /// A request that was not forwarded ([`sip_proxy::Rejection::label`]); it was answered.
    NotForwarded(&'static str),
    /// Credentials that prove nothing; answered 401 or 407. A request without any is not counted.
    Unproven(Unproven),
    /// Credentials of one agent for the address-of-record of another; answered 403.
    OtherIdentity,
    /// It came from a source that is banned; not even read.
    Banned,
    /// A new request for which there was no room; answered 503.
    Shed(Class),
    /// It came from nobody that we know; answered 403, 404 or 481.
    UnknownSource,
    /// No more transactions; answered 503.
    TransactionsMax,
}

impl DropReason {
    /// For metric labels: a small, fixed set.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Parse(error) => error.label(),
            Self::Framing(error) => error.label(),
            Self::InvalidRequest(invalid) | Self::Invalid(invalid) => invalid.label(),
            Self::StrayResponse => "stray-response",
            Self::MismatchedResponse => "mismatched-response",
            Self::StrayAck => "stray-ack",
            Self::NotForwarded(why) => why,
            Self::Unproven(why) => why.label(),
            Self::OtherIdentity => "other-identity",
            Self::Banned => "banned",
            Self::Shed(class) => class.label(),
            Self::UnknownSource => "unknown-source",
            Self::TransactionsMax => "transactions-max",
        }
    }
}
