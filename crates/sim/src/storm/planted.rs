//! Faults that are put into a node on purpose, to see whether the oracle sees them.

use engine::{
    Config, Output,
    journal::Kind,
    sip::StatusCode,
    sip_transaction::{MessageKind, Transmit},
};

/// A fault that is put into a node on purpose. Those of the first group are at the boundary between the
/// engine and its driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Planted {
    /// Messages do not wait for the disk.
    SentBeforeDurable,
    /// Now and then a group of changes is said to be durable and is not.
    GroupLost,
    /// What is removed stays on the disk.
    RemovalForgotten,
    /// A half of what was being written when a process died is there.
    TornGroupKept,
    /// A row with a flipped bit is taken for what it says.
    DamageBelieved,
    /// Calls are not read when a process begins.
    CallsForgotten,
    /// Agents are not read when a process begins.
    AgentsForgotten,
    /// Registrations are not read when a process begins.
    PhonesForgotten,
    /// Callers who gave up are not read when a process begins.
    AbandonedForgotten,
    /// No ACK is sent.
    AckNotSent,
    /// No BYE is sent.
    ByeNotSent,
    /// No CANCEL is sent.
    CancelNotSent,
    /// Nobody who waits is told so again.
    QueuedNotSent,
    /// No refusal is sent.
    RefusalNotSent,
    /// Nobody is told that a connection is over.
    EndNotTold,
    /// In the distributor.
    #[cfg(feature = "planted")]
    Distributor(engine::acd::Planted),
    /// In the legs of calls.
    #[cfg(feature = "planted")]
    Calls(engine::call::Planted),
}

impl Planted {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::SentBeforeDurable,
        Self::GroupLost,
        Self::RemovalForgotten,
        Self::TornGroupKept,
        Self::DamageBelieved,
        Self::CallsForgotten,
        Self::AgentsForgotten,
        Self::PhonesForgotten,
        Self::AbandonedForgotten,
        Self::AckNotSent,
        Self::ByeNotSent,
        Self::CancelNotSent,
        Self::QueuedNotSent,
        Self::RefusalNotSent,
        Self::EndNotTold,
        #[cfg(feature = "planted")]
        Self::Distributor(engine::acd::Planted::OfferWithoutEnd),
        #[cfg(feature = "planted")]
        Self::Distributor(engine::acd::Planted::PlaceLost),
        #[cfg(feature = "planted")]
        Self::Distributor(engine::acd::Planted::ResumedWithoutPlace),
        #[cfg(feature = "planted")]
        Self::Distributor(engine::acd::Planted::StateWithoutEnd),
        #[cfg(feature = "planted")]
        Self::Distributor(engine::acd::Planted::AgentNotReleased),
        #[cfg(feature = "planted")]
        Self::Distributor(engine::acd::Planted::FreeUnnoticed),
        #[cfg(feature = "planted")]
        Self::Calls(engine::call::Planted::LateAnswerKept),
        #[cfg(feature = "planted")]
        Self::Calls(engine::call::Planted::OthersRingOn),
        #[cfg(feature = "planted")]
        Self::Calls(engine::call::Planted::NobodyTold),
        #[cfg(feature = "planted")]
        Self::Calls(engine::call::Planted::WaitWithoutEnd),
    ];

    /// Puts it into a product that is to begin, where it belongs there.
    #[cfg_attr(
        not(feature = "planted"),
        expect(clippy::unused_self, reason = "with the feature it is used")
    )]
    pub(super) fn put_into(self, config: &mut Config) {
        #[cfg(not(feature = "planted"))]
        let _none_are_there = config;
        #[cfg(feature = "planted")]
        match self {
            Self::Distributor(fault) => config.settings.distribution.planted = Some(fault),
            Self::Calls(fault) => config.settings.planted_in_calls = Some(fault),
            _ => {}
        }
    }

    /// Rows that are not read when a process begins.
    pub(crate) const fn kind_forgotten(self) -> Option<Kind> {
        match self {
            Self::CallsForgotten => Some(Kind::Call),
            Self::AgentsForgotten => Some(Kind::Agent),
            Self::PhonesForgotten => Some(Kind::Phones),
            Self::AbandonedForgotten => Some(Kind::Abandoned),
            _ => None,
        }
    }

    /// Whether what leaves a node gets nowhere.
    pub(crate) fn swallows(self, output: &Output) -> bool {
        let Output::Transmit(Transmit { kind, .. }) = output else {
            return false;
        };
        match (self, *kind) {
            (Self::AckNotSent, MessageKind::Request(method)) => method == "ACK",
            (Self::ByeNotSent, MessageKind::Request(method)) => method == "BYE",
            (Self::CancelNotSent, MessageKind::Request(method)) => method == "CANCEL",
            (Self::QueuedNotSent, MessageKind::Response(status)) => status == StatusCode::QUEUED,
            (Self::RefusalNotSent, MessageKind::Response(status)) => status.value() >= 300,
            _ => false,
        }
    }
}
