//! Back-to-back calls (RFC 3261 §6, "B2BUA"): a caller's leg that we answer, an agent's leg that we
//! make, and everything that passes between them.
//!
//! # Life of a call
//! [`Calls::start`] opens it and answers 100. While it waits, [`Calls::announce`] sends 180 once
//! and 182 with the place in the queue. [`Calls::ring`] sends the caller's INVITE to an agent's
//! phone; the first 2xx wins ([`Event::AgentAnswered`]): the agent gets ACK, the caller 200, sent
//! again until the caller's ACK. Any other end of an attempt ([`Event::AgentFailed`]) leaves the
//! call waiting, for the next attempt. [`Calls::withdraw`] stops ringing by CANCEL; a phone that
//! answers all the same is acknowledged and hung up ([`Event::LateAnswer`]).
//! While both talk, re-INVITE, UPDATE, INFO and MESSAGE are relayed. The agent may send the call on
//! by REFER ([`Event::TransferAsked`]): the call is rung for once more, or waits in a queue without
//! an agent, and is the agent's again when that fails. [`Event::Ended`] comes exactly once.
//!
//! # What it does not do
//! It does not choose agents, hold queues or know what a number means: its owner does. It has no
//! clock and no socket: `now` is an argument, and what it sends goes through the
//! [`sip_transaction::TransactionLayer`] that its owner passes in.
//!
//! # Deadlines
//! Every stage of a call has one (see `Call::next_deadline`), kept in one index, so no call can
//! be left without somebody who will look at it again.

mod acks;
mod alone;
mod attempts;
mod call;
mod calls;
mod carry;
mod dialled;
mod dialog;
mod early;
mod event;
mod goodbyes;
mod ids;
mod inviting;
mod joining;
mod keeping;
mod kept;
mod leg;
mod noted;
mod planted;
mod reconnected;
mod relaying;
mod reliable;
mod restoring;
mod ringing;
mod sent;
mod session;
mod takeover;
mod teardown;
mod transfer;
mod unanswered;

pub use {sip, sip_transaction};

pub use attempts::{ATTEMPTS_MAX, StopRinging};
pub use calls::{CallView, Calls, Settings, StageView};
pub use event::{AgentFailure, EndCause, Event, Routed};
pub use ids::{AttemptId, CallId, CallNumber};
pub use inviting::{Identity, Outside};
pub use kept::{
    Kept, KeptAttempt, KeptConnected, KeptDialog, KeptEnding, KeptLeg, KeptOnward, KeptRefresh,
    KeptStage, KeptUnacked, KeptUnanswered, KeptWaiting,
};
pub use noted::Noted;
#[cfg(feature = "planted")]
pub use planted::Planted;
pub use reconnected::Phone;
pub use ringing::{ALLOW, SUPPORTED};
