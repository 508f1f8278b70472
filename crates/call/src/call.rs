//! One call: the caller's side, the agent's side, and what lies between.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use sip::{Message, Request};
use sip_transaction::{ClientTx, Flow, ServerTx};
use smallvec::SmallVec;

use crate::{
    attempts::Attempts,
    calls::StageView,
    dialog::Dialog,
    ids::{AttemptId, CallId},
    leg::{Leg, Side, Unacked},
    reliable::Reliable,
    transfer::Transfer,
};

/// Requests that may be on their way from one side to the other at a time. More are answered 500
/// with Retry-After: a phone that floods its dialog costs nobody else anything.
pub(crate) const RELAYS_MAX: usize = 8;

#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) id: CallId,
    pub(crate) stage: Stage,
    /// Requests that one side sent and the other has not answered yet.
    pub(crate) relays: SmallVec<[Relay; 1]>,
}

/// Where the call stands.
#[derive(Debug)]
pub(crate) enum Stage {
    /// The caller's INVITE is open; perhaps a phone is being rung.
    Waiting(Box<Waiting>),
    /// Both sides talk.
    Connected(Box<Connected>),
    /// The call is over; the ACK of the 2xx that opened it is awaited so that BYE may be sent (RFC 3261 §15: not
    /// before the ACK or the end of the transaction).
    Ending(Box<Ending>),
}

/// A call that is over but for a caller who has not acknowledged the 2xx that opened it. A process of before may have
/// left two legs with some other 2xx.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) legs: SmallVec<[EndingLeg; 2]>,
}

/// A leg that gets its BYE when its ACK has come, or never will (RFC 3261 §15).
#[derive(Debug)]
pub(crate) struct EndingLeg {
    pub(crate) side: Side,
    pub(crate) dialog: Dialog,
    pub(crate) unacked: Unacked,
    /// Why the other side hung up, for the BYE.
    pub(crate) reason: Option<Bytes>,
    /// Whether it is a phone that has dialled a code, and whose being free is told.
    pub(crate) is_code: bool,
}

#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) tx: ServerTx,
    pub(crate) invite: Arc<Request>,
    pub(crate) flow: Flow,
    /// Whether it is known of the caller that its Contact names an address of its own network.
    pub(crate) is_behind_nat: bool,
    pub(crate) local_tag: Bytes,
    pub(crate) announced: Announced,
    /// What the caller confirms of what we say.
    pub(crate) reliable: Reliable,
    /// Which phone's early media the caller hears. They made an early dialog with a description of
    /// its own, so when that phone stops ringing our tag changes.
    pub(crate) early_media: Option<AttemptId>,
    /// The phones that are being rung.
    pub(crate) ringing: Attempts,
    /// When the caller is told again that the call waits.
    pub(crate) announce_at: Instant,
    /// When the wait has lasted so long that nobody can be there any more.
    pub(crate) gives_up_at: Instant,
}

impl Waiting {
    /// The dialog that an answer makes.
    pub(crate) fn dialog(&self) -> Dialog {
        let mut dialog = Dialog::answering(&self.invite, self.local_tag.clone(), self.flow);
        if self.is_behind_nat {
            dialog.put_behind_nat();
        }
        dialog
    }
}

/// What the caller has been told so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Announced {
    /// 100 only.
    Trying,
    /// 180: from now on the caller hears ringing.
    Ringing,
}

#[derive(Debug)]
pub(crate) struct Connected {
    /// The INVITE that opened the call: whoever is rung later learns from it who calls.
    pub(crate) invite: Arc<Request>,
    pub(crate) caller: Leg,
    pub(crate) company: Company,
    pub(crate) ends_at: Instant,
}

/// Who is with the caller.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every call has an agent, and is in a box already"
)]
#[derive(Debug)]
pub(crate) enum Company {
    /// An agent, or whoever the call was transferred to.
    Agent(Leg),
    /// The call is on its way to somebody else.
    Transfer(Box<Transfer>),
}

impl Stage {
    /// The same for an API.
    pub(crate) fn view(&self) -> StageView {
        match self {
            Self::Waiting(waiting) if waiting.ringing.is_empty() => StageView::Waiting,
            Self::Waiting(_) => StageView::Ringing,
            Self::Connected(connected) => match connected.transfer() {
                Some(transfer) if transfer.transferor.is_none() => transfer.view(),
                _ => StageView::Connected,
            },
            Self::Ending(_) => StageView::Ending,
        }
    }
}

impl Call {
    /// When the call next needs attention. Every stage has a deadline: no call is ever left
    /// without somebody who will look at it again.
    pub(crate) fn next_deadline(&self) -> Instant {
        let stage = match &self.stage {
            Stage::Waiting(waiting) => waiting
                .reliable
                .next_deadline()
                .into_iter()
                .chain(waiting.ringing.next_deadline())
                .fold(waiting.announce_at.min(waiting.gives_up_at), Instant::min),
            Stage::Connected(connected) => connected.next_deadline(),
            Stage::Ending(ending) => ending
                .legs
                .iter()
                .map(|leg| leg.unacked.next_deadline())
                .min()
                .expect("a call without a leg is forgotten"),
        };
        self.relays
            .iter()
            .map(|relay| relay.gives_up_at)
            .fold(stage, Instant::min)
    }
}

impl Connected {
    fn next_deadline(&self) -> Instant {
        let legs = self.legs().flat_map(|leg| {
            let unacked = leg.unacked.as_ref().map(Unacked::next_deadline);
            unacked.into_iter().chain([leg.session.next_deadline()])
        });
        let transfer = self.transfer().map(Transfer::next_deadline);
        legs.chain(transfer).fold(self.ends_at, Instant::min)
    }

    /// The leg of a side. An agent who transfers has one until the call has gone on.
    pub(crate) fn leg(&self, side: Side) -> Option<&Leg> {
        match (side, &self.company) {
            (Side::Caller, _) => Some(&self.caller),
            (Side::Agent, Company::Agent(leg)) => Some(leg),
            (Side::Agent, Company::Transfer(transfer)) => transfer
                .transferor
                .as_ref()
                .map(|transferor| &transferor.leg),
            (Side::Target, Company::Transfer(transfer)) => transfer.joining_leg(),
            (Side::Target, Company::Agent(_)) => None,
        }
    }

    pub(crate) fn leg_mut(&mut self, side: Side) -> Option<&mut Leg> {
        match (side, &mut self.company) {
            (Side::Caller, _) => Some(&mut self.caller),
            (Side::Agent, Company::Agent(leg)) => Some(leg),
            (Side::Agent, Company::Transfer(transfer)) => transfer
                .transferor
                .as_mut()
                .map(|transferor| &mut transferor.leg),
            (Side::Target, Company::Transfer(transfer)) => {
                transfer.joining.as_mut().map(|joining| &mut joining.leg)
            }
            (Side::Target, Company::Agent(_)) => None,
        }
    }

    /// The legs of those who talk.
    pub(crate) fn legs(&self) -> impl Iterator<Item = &Leg> {
        [Side::Caller, Side::Agent]
            .into_iter()
            .filter_map(|side| self.leg(side))
    }

    /// Whether a re-INVITE of ours, or our answer to one, is open.
    pub(crate) fn is_inviting(&self) -> bool {
        let mut legs = self.legs();
        legs.any(|leg| leg.unacked.is_some() || leg.session.is_inviting())
            || self.transfer().is_some_and(Transfer::is_inviting)
    }

    pub(crate) const fn transfer(&self) -> Option<&Transfer> {
        match &self.company {
            Company::Transfer(transfer) => Some(transfer),
            Company::Agent(_) => None,
        }
    }

    pub(crate) const fn transfer_mut(&mut self) -> Option<&mut Transfer> {
        match &mut self.company {
            Company::Transfer(transfer) => Some(transfer),
            Company::Agent(_) => None,
        }
    }
}

/// A request on its way from one side to the other.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) from: Side,
    pub(crate) server: ServerTx,
    pub(crate) client: ClientTx,
    /// The CSeq number of the request on the side that sent it.
    pub(crate) cseq: u32,
    pub(crate) what: Relayed,
    /// The request, where it has a session description: it counts once it is accepted.
    pub(crate) offer: Option<Message>,
    /// When the relay is given up: a re-INVITE can be held open by 1xx for ever.
    pub(crate) gives_up_at: Instant,
}

/// What is being relayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relayed {
    /// A re-INVITE with an offer: the other side's 2xx is acknowledged at once.
    Offer,
    /// A re-INVITE without one: the offer comes in the 2xx, the answer in the ACK.
    LateOffer,
    /// UPDATE: a target refresh without ACK (RFC 3311).
    Update,
    /// INFO, MESSAGE and others.
    Other,
}

impl Relayed {
    pub(crate) const fn is_invite(self) -> bool {
        matches!(self, Self::Offer | Self::LateOffer)
    }

    pub(crate) const fn refreshes_target(self) -> bool {
        !matches!(self, Self::Other)
    }
}
