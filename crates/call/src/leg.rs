//! A leg: one side's confirmed dialog, and the answer of ours that the side has not acknowledged.

use std::time::{Duration, Instant};

use bytes::Bytes;
use sip::{HeaderName, Message, Request};
use sip_transaction::{Flow, ServerTx, TransactionLayer};

use crate::{carry, dialog::Dialog, session::Session};

/// The sides of a call: two, and in a transfer a third.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Side {
    Caller,
    /// Who talks with the caller.
    Agent,
    /// Who has answered a transfer and is not with the caller yet.
    Target,
}

impl Side {
    pub(crate) const ALL: [Self; 3] = [Self::Caller, Self::Agent, Self::Target];

    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Caller => Self::Agent,
            Self::Agent | Self::Target => Self::Caller,
        }
    }
}

/// Who hung up, and why.
#[derive(Clone, Debug)]
pub(crate) struct HungUp {
    pub(crate) side: Side,
    /// The value of Reason (RFC 3326), for the other side.
    pub(crate) reason: Option<Bytes>,
}

impl HungUp {
    /// By this BYE or CANCEL of this side.
    pub(crate) fn by(side: Side, request: &Request) -> Self {
        let reason = request.header(HeaderName::Reason);
        Self {
            side,
            reason: reason.map(Bytes::copy_from_slice),
        }
    }
}

/// One side of a connected call.
#[derive(Debug)]
pub(crate) struct Leg {
    pub(crate) dialog: Dialog,
    /// A 2xx to an INVITE of this side that waits for its ACK.
    pub(crate) unacked: Option<Unacked>,
    /// The CSeq of a 2xx of this side to an INVITE of ours, whose ACK has to wait for the other
    /// side's: the INVITE had no offer, so the ACK brings the answer (RFC 3261 §13.2.1).
    pub(crate) owed_ack: Option<OwedAck>,
    /// How we know that the side is there.
    pub(crate) session: Session,
    /// The message of ours, or of the other side, with the last session description that this side
    /// was given: what a re-INVITE of our own says again.
    pub(crate) description: Option<Message>,
}

impl Leg {
    /// A side with this dialog.
    pub(crate) const fn new(dialog: Dialog, session: Session) -> Self {
        Self {
            dialog,
            unacked: None,
            owed_ack: None,
            session,
            description: None,
        }
    }

    /// The side sent a target refresh: it lives, and may have another Contact or another timer.
    pub(crate) fn heard(&mut self, now: Instant, request: &Request) {
        if let Ok(target) = request.remote_target() {
            self.dialog.refresh_target(target);
        }
        self.session.heard(now, request);
    }

    /// Notes that the side has been given the description in a message, if it has one.
    pub(crate) fn describe(&mut self, message: &Message) {
        if carry::has_description(message) {
            self.description = Some(message.clone());
        }
    }
}

/// A 2xx of ours that is sent again until it is acknowledged.
///
//= https://www.rfc-editor.org/rfc/rfc3261#section-13.3.1.4
//# The 2xx response is passed to the transport with an
//# interval that starts at T1 seconds and doubles for each
//# retransmission until it reaches T2 seconds (T1 and T2 are defined in
//# Section 17).
#[derive(Debug)]
pub(crate) struct Unacked {
    pub(crate) ok: Message,
    pub(crate) by: AnsweredBy,
    pub(crate) cseq: u32,
    pub(crate) interval: Duration,
    pub(crate) resend_at: Instant,
    pub(crate) give_up_at: Instant,
}

/// By what a 2xx of ours is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AnsweredBy {
    /// The transaction of the INVITE.
    Transaction(ServerTx),
    /// Nothing: the transaction was that of a process before this one. It goes where the dialog's messages
    /// come from.
    Flow(Flow),
}

impl AnsweredBy {
    pub(crate) fn send(self, now: Instant, layer: &mut TransactionLayer, ok: &Message) {
        match self {
            Self::Transaction(tx) => layer.respond(now, tx, ok.clone()),
            Self::Flow(flow) => layer.send(ok, flow),
        }
    }
}

impl Unacked {
    pub(crate) fn next_deadline(&self) -> Instant {
        self.resend_at.min(self.give_up_at)
    }
}

/// An ACK that we owe once the other side has given the answer.
#[derive(Debug)]
pub(crate) struct OwedAck {
    pub(crate) cseq: u32,
    /// The transaction whose repeated 2xx the ACK will answer.
    pub(crate) tx: sip_transaction::ClientTx,
    /// The tag of the answering phone.
    pub(crate) remote_tag: Bytes,
}
