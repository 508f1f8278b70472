//! What `call` tells its owner.

use std::sync::Arc;

use sip::{Request, StatusCode};
use sip_transaction::{Flow, ServerTx};

use crate::ids::{AttemptId, CallId, CallNumber};

/// Facts about calls, each once. None holds personal data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A new call: 100 has gone out. Its owner queues it.
    Started {
        /// The call.
        call: CallNumber,
        /// Its id, for people and other systems.
        id: CallId,
    },
    /// The caller is to be told again that the call waits: [`crate::Calls::announce`].
    AnnounceDue {
        /// The call.
        call: CallNumber,
    },
    /// The agent's phone rings (180 or 183).
    AgentRinging {
        /// The call.
        call: CallNumber,
        /// The attempt that rings.
        attempt: AttemptId,
    },
    /// The agent to whom a call is sent on has answered, and is being brought together with the caller:
    /// nobody else need be rung. [`Event::AgentAnswered`] or [`Event::AgentFailed`] follows.
    AgentJoining {
        /// The call.
        call: CallNumber,
        /// The attempt.
        attempt: AttemptId,
    },
    /// The agent answered and has the call: the caller's 200 is on its way.
    AgentAnswered {
        /// The call.
        call: CallNumber,
        /// The attempt that won.
        attempt: AttemptId,
    },
    /// The attempt is over without an answer; the call waits on.
    AgentFailed {
        /// The call.
        call: CallNumber,
        /// The attempt.
        attempt: AttemptId,
        /// Why.
        cause: AgentFailure,
    },
    /// The agent asks to send the call on (REFER). The request is
    /// [`sip_transaction::TransactionLayer::server_request`] of `tx`; it is answered with
    /// [`crate::Calls::accept_transfer`] or [`crate::Calls::refuse_transfer`].
    TransferAsked {
        /// The call.
        call: CallNumber,
        /// The transaction of the REFER.
        tx: ServerTx,
    },
    /// The agent who sends the call on has hung up; the call goes on without one.
    AgentLeft {
        /// The call.
        call: CallNumber,
    },
    /// A phone that had dialled a code ([`crate::Calls::answer_code`]) is free again.
    PhoneFree {
        /// The call.
        call: CallNumber,
    },
    /// A phone answered an attempt that was over already: its call has been ended (ACK, then BYE).
    LateAnswer {
        /// The call that it had been rung for.
        call: CallNumber,
        /// The attempt.
        attempt: AttemptId,
    },
    /// The call is over. The last event of its call.
    Ended {
        /// The call.
        call: CallNumber,
        /// Its id.
        id: CallId,
        /// Why.
        cause: EndCause,
    },
}

/// Why an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AgentFailure {
    /// 486 or 600.
    Busy,
    /// 603, or another answer that a person gave.
    Declined,
    /// 408 or 480 from a phone that is there.
    NoAnswer,
    /// No answer at all, no way to send, 404, 410 or a server's failure.
    Unreachable,
    /// The phone does not take this call (488 and other 4xx).
    Rejected(StatusCode),
    /// The phone has answered, and the caller's side will not be joined with it: no fault of the agent's.
    NotJoined,
}

impl AgentFailure {
    /// What a final answer to the agent's INVITE means.
    pub(crate) const fn of(status: StatusCode) -> Self {
        match status {
            StatusCode::BUSY_HERE | StatusCode::BUSY_EVERYWHERE => Self::Busy,
            StatusCode::DECLINE => Self::Declined,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TEMPORARILY_UNAVAILABLE => Self::NoAnswer,
            StatusCode::NOT_FOUND
            | StatusCode::GONE
            | StatusCode::CALL_DOES_NOT_EXIST
            | StatusCode::DOES_NOT_EXIST_ANYWHERE => Self::Unreachable,
            _ if status.value() >= 500 && status.value() < 600 => Self::Unreachable,
            _ => Self::Rejected(status),
        }
    }
}

/// Why a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndCause {
    /// The caller gave up before an answer (CANCEL, or BYE on the early dialog).
    Abandoned,
    /// The caller hung up.
    CallerBye,
    /// The agent hung up.
    AgentBye,
    /// The caller never acknowledged the answer (RFC 3261 §13.3.1.4).
    NoAck,
    /// A side no longer knows the dialog: 481 or 408 inside it (RFC 3261 §12.2.1.2).
    PeerLost,
    /// The call was longer than [`crate::Settings::call_max`].
    CallMax,
    /// The caller waited longer than [`crate::Settings::wait_max`]: most probably nobody is there any
    /// more, but that is not known. Counts as failed, never as abandoned.
    WaitMax,
    /// Refused or ended by the owner, with this answer to an INVITE that was still open.
    Refused(StatusCode),
    /// Ended by the owner while connected: the node stops.
    Stopped,
    /// The caller waited alone after a transfer, and would be joined with none of those who answered: whatever their side
    /// is, it does not take a new description of the call any more.
    NotJoined,
    /// It was about another call, which its agent has taken over.
    TakenOver,
}

impl EndCause {
    /// A short name for records and labels.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Abandoned => "abandoned",
            Self::CallerBye => "caller-bye",
            Self::AgentBye => "agent-bye",
            Self::NoAck => "no-ack",
            Self::PeerLost => "peer-lost",
            Self::CallMax => "call-max",
            Self::WaitMax => "wait-max",
            Self::Refused(_) => "refused",
            Self::Stopped => "stopped",
            Self::NotJoined => "not-joined",
            Self::TakenOver => "taken-over",
        }
    }
}

/// What became of a request that was shown to [`crate::Calls`].
#[derive(Debug)]
pub enum Routed {
    /// It belongs to a call and has been handled.
    Handled,
    /// It belongs to no call of ours.
    Unknown {
        /// Its transaction.
        tx: ServerTx,
        /// The request, given back.
        request: Arc<Request>,
        /// Where it came from.
        flow: Flow,
    },
}
