//! ACKs of 2xx: those that we send and keep for a repeated 2xx, those that we owe until the other
//! side has given its answer, and those that we wait for.

use std::time::Instant;

use bytes::Bytes;
use sip::{Message, Request, Response};
use sip_transaction::{ClientTx, ServerTx, TransactionLayer};

use crate::{
    call::{EndingLeg, Relay, Relayed, Stage},
    calls::Calls,
    carry,
    dialog::Dialog,
    ids::CallNumber,
    leg::{AnsweredBy, OwedAck, Side, Unacked},
    sent::{ClientUse, SentAck, SentInside},
    transfer::Transfer,
};

impl Calls {
    /// Takes the target from a 2xx and acknowledges it, or notes that the ACK has to wait.
    pub(crate) fn accept_answer(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        number: CallNumber,
        relay: &Relay,
        answering: Side,
        response: &Response,
    ) {
        let Some(connected) = self.connected_mut(number) else {
            return;
        };
        let Some(leg) = connected.leg_mut(answering) else {
            return;
        };
        leg.session.answered(now, response);
        leg.dialog.take_answer(response);
        match relay.what {
            Relayed::Offer => {
                let dialog = leg.dialog.clone();
                self.ack_answer(layer, relay.client, &dialog, response, &[]);
            }
            Relayed::LateOffer => {
                let remote_tag = Bytes::copy_from_slice(response.to_tag().unwrap_or_default());
                let cseq = response.cseq_number();
                leg.owed_ack = Some(OwedAck {
                    cseq,
                    tx: relay.client,
                    remote_tag,
                });
            }
            Relayed::Update | Relayed::Other => {}
        }
    }

    /// A 2xx to a re-INVITE for which nobody waits any more is acknowledged all the same.
    pub(crate) fn ack_orphan(
        &mut self,
        layer: &mut TransactionLayer,
        tx: ClientTx,
        response: &Response,
    ) {
        let Some(ClientUse::Relay(sent)) = self.client_uses.get(tx) else {
            return;
        };
        let owed = self
            .table
            .get(&sent.call)
            .is_some_and(|call| match &call.stage {
                Stage::Connected(connected) => connected
                    .leg(sent.side)
                    .and_then(|leg| leg.owed_ack.as_ref())
                    .is_some_and(|ack| ack.tx == tx),
                Stage::Waiting(_) | Stage::Ending(_) => false,
            });
        if owed || !response.status().is_success() || response.cseq_method() != b"INVITE" {
            return;
        }
        let dialog = self.dialog_of_answer(sent, response);
        self.ack_answer(layer, tx, &dialog, response, &[]);
    }

    /// The dialog in which something was asked that is answered now.
    fn dialog_of_answer(&self, sent: &SentInside, response: &Response) -> Dialog {
        let leg = match self.table.get(&sent.call).map(|call| &call.stage) {
            Some(Stage::Connected(connected)) => connected.leg(sent.side),
            Some(Stage::Waiting(_) | Stage::Ending(_)) | None => None,
        };
        match leg.filter(|leg| leg.dialog.answers(response)) {
            Some(leg) => leg.dialog.clone(),
            // The call has ended meanwhile; the response says all that its ACK needs.
            None => Dialog::calling(response, None, sent.flow, sent.peer),
        }
    }

    /// Acknowledges the 2xx of a re-INVITE of our own, each time it comes.
    pub(crate) fn ack_reinvite(
        &mut self,
        layer: &mut TransactionLayer,
        tx: ClientTx,
        response: &Response,
    ) {
        let Some(sent) = self.client_uses.get(tx).and_then(ClientUse::inside) else {
            return;
        };
        if let Some(SentAck { ack, flow, .. }) = &sent.ack {
            return layer.send(ack, *flow);
        }
        let dialog = self.dialog_of_answer(sent, response);
        self.ack_answer(layer, tx, &dialog, response, &[]);
    }

    /// A 2xx of ours to a side's INVITE has gone out.
    pub(crate) fn await_ack(
        &mut self,
        now: Instant,
        number: CallNumber,
        side: Side,
        (tx, cseq): (ServerTx, u32),
        ok: Message,
    ) {
        let (t1, ack_max) = (self.settings.t1, self.settings.ack_max());
        let Some(connected) = self.connected_mut(number) else {
            return;
        };
        let Some(leg) = connected.leg_mut(side) else {
            return;
        };
        leg.unacked = Some(Unacked {
            ok,
            by: AnsweredBy::Transaction(tx),
            cseq,
            interval: t1,
            resend_at: now + t1,
            give_up_at: now + ack_max,
        });
    }

    /// Handles an ACK that belongs to no transaction: the end of an INVITE's three-way handshake.
    /// Whether it belongs to a call of ours.
    pub fn handle_ack(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        ack: &Request,
    ) -> bool {
        let Some((number, side)) = self.owner(ack) else {
            return false;
        };
        let Some(call) = self.table.get_mut(&number) else {
            return false;
        };
        match &mut call.stage {
            Stage::Connected(connected) => {
                let unacked = connected.leg_mut(side).map(|leg| &mut leg.unacked);
                let is_it = |unacked: &mut Unacked| unacked.cseq == ack.cseq_number();
                if unacked.is_some_and(|unacked| unacked.take_if(is_it).is_some()) {
                    self.pay_owed_ack(layer, number, side.other(), ack);
                }
            }
            Stage::Ending(_) => {
                let acked =
                    |leg: &EndingLeg| leg.side == side && leg.unacked.cseq == ack.cseq_number();
                self.end_legs(now, layer, number, acked);
            }
            Stage::Waiting(_) => {}
        }
        self.rearm(number);
        true
    }

    /// Sends the ACK that waited for the other side's answer.
    fn pay_owed_ack(
        &mut self,
        layer: &mut TransactionLayer,
        number: CallNumber,
        side: Side,
        answer: &Request,
    ) {
        let Some(leg) = self.leg_mut(number, side) else {
            return;
        };
        let Some(owed) = leg.owed_ack.take() else {
            return;
        };
        leg.describe(answer);
        let dialog = leg.dialog.clone();
        self.pay_ack(layer, owed, &dialog, Some(answer));
    }

    /// Sends an ACK that was owed and keeps it for the 2xx's repetitions. Without an answer the
    /// other side has gone: the ACK only ends the 2xx, and a BYE follows.
    pub(crate) fn pay_ack(
        &mut self,
        layer: &mut TransactionLayer,
        owed: OwedAck,
        dialog: &Dialog,
        answer: Option<&Message>,
    ) {
        let (builder, flow) = dialog.ack(owed.cseq, &mut self.ids, &self.locals);
        let ack = match answer {
            Some(answer) => carry::content(builder, answer).finish_with_body(answer.body_bytes()),
            None => builder.finish(),
        };
        layer.send(&ack, flow);
        self.keep_ack(
            owed.tx,
            SentAck {
                remote_tag: owed.remote_tag,
                ack,
                flow,
            },
        );
    }

    /// ACKs a 2xx of an agent's phone and keeps the ACK for the 2xx's repetitions
    /// (RFC 3261 §13.2.2.4). `answer` is the body of the other side's ACK, where the offer came late.
    pub(crate) fn ack_answer(
        &mut self,
        layer: &mut TransactionLayer,
        tx: ClientTx,
        dialog: &Dialog,
        response: &Response,
        answer: &[u8],
    ) {
        let (builder, flow) = dialog.ack(response.cseq_number(), &mut self.ids, &self.locals);
        let ack = builder.finish_with_body(answer);
        layer.send(&ack, flow);
        let remote_tag = Bytes::copy_from_slice(response.to_tag().unwrap_or_default());
        self.keep_ack(
            tx,
            SentAck {
                remote_tag,
                ack,
                flow,
            },
        );
    }

    pub(crate) fn keep_ack(&mut self, tx: ClientTx, ack: SentAck) {
        match self.client_uses.get_mut(tx) {
            Some(ClientUse::Invite(sent)) => sent.acks.push(ack),
            Some(ClientUse::Relay(sent) | ClientUse::Ask(_, sent) | ClientUse::Join(sent)) => {
                sent.ack = Some(ack);
            }
            Some(ClientUse::CodeOver(_) | ClientUse::Bye(_) | ClientUse::Unwatched) | None => {}
        }
    }

    pub(crate) fn owes_ack(&self, call: CallNumber, tx: ClientTx, tag: &[u8]) -> bool {
        let Some(Stage::Connected(connected)) = self.table.get(&call).map(|call| &call.stage)
        else {
            return false;
        };
        let joining = connected.transfer().and_then(Transfer::joining_leg);
        let mut legs = connected.leg(Side::Agent).into_iter().chain(joining);
        legs.any(|leg| {
            let owed = leg.owed_ack.as_ref();
            owed.is_some_and(|owed| owed.tx == tx && *owed.remote_tag == *tag)
        })
    }
}
