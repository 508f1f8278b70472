//! The states of an agent.

use std::time::Instant;

use crate::ids::{CallId, OfferId, PauseReason};

/// What the system does with an agent now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentState {
    /// Not there.
    LoggedOut,
    /// There, but takes no calls.
    NotReady {
        /// Why.
        reason: NotReadyReason,
        /// Since when.
        since: Instant,
    },
    /// Free.
    Ready {
        /// Since when: the idle time begins here.
        since: Instant,
    },
    /// Being rung.
    Offered {
        /// The offer.
        offer: OfferId,
        /// The call.
        call: CallId,
        /// When the offer ends at the latest.
        deadline: Instant,
    },
    /// In a call.
    Talking {
        /// The call.
        call: CallId,
        /// Since when.
        since: Instant,
    },
    /// Finishing the work of a call.
    WrapUp {
        /// Until when at the latest.
        until: Instant,
    },
    /// The phone cannot be reached; it is probed.
    Unreachable {
        /// When it is probed next.
        retry_at: Instant,
    },
}

/// Why an agent takes no calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotReadyReason {
    /// The person asked for it.
    Pause(PauseReason),
    /// The phone rang and nobody answered: nobody sits there. Stays until a person says ready.
    NoAnswer,
    /// The phone was busy with a call of its own.
    Busy {
        /// When the agent counts as ready again.
        retry_at: Instant,
    },
    /// The call was declined.
    Declined {
        /// When the agent counts as ready again.
        retry_at: Instant,
    },
    /// So many calls in a row were declined ([`crate::Settings::decline_limit`]). Stays until a
    /// person says ready.
    DeclinedTooOften,
}

/// What a person wants. Kept apart from the state, so that a pause that is asked for during a call
/// comes after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Want {
    /// To take calls.
    Ready,
    /// To take none.
    NotReady {
        /// Why.
        reason: PauseReason,
    },
    /// To go.
    LoggedOut,
}

/// The kind of an [`AgentState`], for figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AgentStateKind {
    /// [`AgentState::LoggedOut`].
    LoggedOut,
    /// [`AgentState::NotReady`].
    NotReady,
    /// [`AgentState::Ready`].
    Ready,
    /// [`AgentState::Offered`].
    Offered,
    /// [`AgentState::Talking`].
    Talking,
    /// [`AgentState::WrapUp`].
    WrapUp,
    /// [`AgentState::Unreachable`].
    Unreachable,
}

impl AgentStateKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::LoggedOut,
        Self::NotReady,
        Self::Ready,
        Self::Offered,
        Self::Talking,
        Self::WrapUp,
        Self::Unreachable,
    ];

    /// The name, as metrics and the API write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LoggedOut => "logged-out",
            Self::NotReady => "not-ready",
            Self::Ready => "ready",
            Self::Offered => "offered",
            Self::Talking => "talking",
            Self::WrapUp => "wrap-up",
            Self::Unreachable => "unreachable",
        }
    }
}

impl AgentState {
    /// Its kind.
    pub const fn kind(&self) -> AgentStateKind {
        match self {
            Self::LoggedOut => AgentStateKind::LoggedOut,
            Self::NotReady { .. } => AgentStateKind::NotReady,
            Self::Ready { .. } => AgentStateKind::Ready,
            Self::Offered { .. } => AgentStateKind::Offered,
            Self::Talking { .. } => AgentStateKind::Talking,
            Self::WrapUp { .. } => AgentStateKind::WrapUp,
            Self::Unreachable { .. } => AgentStateKind::Unreachable,
        }
    }

    /// The call that the agent is in, or is rung for.
    pub const fn call(&self) -> Option<CallId> {
        match self {
            Self::Offered { call, .. } | Self::Talking { call, .. } => Some(*call),
            _ => None,
        }
    }

    /// Since when the agent is free, if that is so.
    pub(crate) const fn ready_since(&self) -> Option<Instant> {
        match self {
            Self::Ready { since } => Some(*since),
            _ => None,
        }
    }

    /// When the state ends by itself. An offer has its own deadlines; a conversation ends with its
    /// call; the others last until somebody acts.
    pub(crate) const fn ends_at(&self) -> Option<Instant> {
        match self {
            Self::WrapUp { until } => Some(*until),
            Self::Unreachable { retry_at }
            | Self::NotReady {
                reason: NotReadyReason::Busy { retry_at } | NotReadyReason::Declined { retry_at },
                ..
            } => Some(*retry_at),
            _ => None,
        }
    }
}

impl NotReadyReason {
    /// The reason in one word, as the API writes it.
    pub fn name(&self) -> &str {
        match self {
            Self::Pause(reason) => reason.as_str(),
            Self::NoAnswer => "no-answer",
            Self::Busy { .. } => "busy",
            Self::Declined { .. } | Self::DeclinedTooOften => "declined",
        }
    }
}
