//! The end of a call: CANCEL, BYE, and the caller who has not acknowledged yet.

use std::time::Instant;

use sip::{HeaderName, Method, Request, Response, StatusCode};
use sip_transaction::{ClientTx, Failure, ServerTx, TransactionLayer};
use smallvec::SmallVec;

use crate::{
    call::{Call, Company, Connected, Ending, EndingLeg, Relay, Stage, Waiting},
    calls::Calls,
    dialog::Dialog,
    event::{EndCause, Event},
    ids::CallNumber,
    leg::{HungUp, Side, Unacked},
    sent::ClientUse,
};

impl Calls {
    /// Handles a CANCEL that the layer has matched and answered (RFC 3261 §9.2).
    pub fn handle_cancelled(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        tx: ServerTx,
        cancel: &Request,
    ) {
        let Some(&number) = self.server_uses.get(tx) else {
            return;
        };
        let is_callers_invite = self
            .table
            .get(&number)
            .is_some_and(|call| matches!(&call.stage, Stage::Waiting(waiting) if waiting.tx == tx));
        if is_callers_invite {
            let by = HungUp::by(Side::Caller, cancel);
            self.finish(now, layer, number, EndCause::Abandoned, Some(by));
        } else {
            self.cancel_relay(now, layer, number, tx);
        }
    }

    /// Handles a response to a request of ours.
    pub fn handle_response(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        tx: ClientTx,
        response: &Response,
    ) {
        match self.client_uses.get(tx) {
            Some(ClientUse::Invite(_)) => self.handle_invite_response(now, layer, tx, response),
            Some(ClientUse::Relay(_)) => self.handle_relay_response(now, layer, tx, response),
            Some(ClientUse::Ask(..)) => self.handle_ask_response(now, layer, tx, response),
            Some(ClientUse::Join(_)) => self.handle_join_response(now, layer, tx, response),
            Some(ClientUse::CodeOver(_)) if response.status().is_final() => {
                self.code_over(tx);
                self.bye_over(now, layer, tx);
            }
            Some(ClientUse::Bye(_)) if response.status().is_final() => {
                self.bye_over(now, layer, tx);
            }
            Some(ClientUse::CodeOver(_) | ClientUse::Bye(_) | ClientUse::Unwatched) | None => {}
        }
    }

    /// Whether a client transaction was started here: its events belong to this table.
    pub fn owns_client(&self, tx: ClientTx) -> bool {
        self.client_uses.contains_key(tx)
    }

    /// Handles a request of ours that got no final answer.
    pub fn handle_client_failed(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        tx: ClientTx,
        cause: Failure,
    ) {
        match self.client_uses.get(tx) {
            Some(ClientUse::Invite(_)) => self.handle_invite_failed(now, tx),
            Some(ClientUse::Relay(_)) => self.handle_relay_failed(now, layer, tx, cause),
            Some(ClientUse::Ask(..)) => self.handle_ask_failed(now, layer, tx, cause),
            Some(ClientUse::Join(_)) => self.handle_join_failed(now, layer, tx, cause),
            Some(ClientUse::CodeOver(_)) => {
                self.code_over(tx);
                self.bye_over(now, layer, tx);
            }
            Some(ClientUse::Bye(_)) => self.bye_failed(now, layer, tx),
            Some(ClientUse::Unwatched) | None => {}
        }
        self.client_uses.remove(tx);
    }

    /// A client transaction is gone: nothing more will come of it.
    pub fn handle_client_ended(&mut self, tx: ClientTx) {
        self.client_uses.remove(tx);
    }

    /// A server transaction is gone.
    pub fn handle_server_ended(&mut self, tx: ServerTx) {
        self.server_uses.remove(tx);
    }

    /// Ends a call, once. `by` is the side that has hung up and gets no BYE.
    pub(crate) fn finish(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        number: CallNumber,
        cause: EndCause,
        by: Option<HungUp>,
    ) {
        let Some(call) = self.table.remove(&number) else {
            return;
        };
        if matches!(call.stage, Stage::Ending(_)) {
            self.table.insert(number, call);
            return;
        }
        self.moved_legs.retain(|_, to| *to != number);
        self.forget_waiting(number, None);
        let Call { id, stage, relays } = call;
        self.end_relays(now, layer, relays);
        match stage {
            Stage::Waiting(waiting) => self.finish_waiting(now, layer, *waiting, cause, by),
            Stage::Connected(connected) => {
                if let Some(ending) = self.finish_connected(now, layer, *connected, by) {
                    let stage = Stage::Ending(Box::new(ending));
                    let relays = smallvec::SmallVec::new();
                    self.table.insert(
                        number,
                        Call {
                            id: id.clone(),
                            stage,
                            relays,
                        },
                    );
                }
            }
            Stage::Ending(_) => {}
        }
        self.rearm(number);
        self.emit(Event::Ended {
            call: number,
            id,
            cause,
        });
    }

    /// Ends what one side had asked of the other.
    pub(crate) fn end_relays(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        relays: impl IntoIterator<Item = Relay>,
    ) {
        for relay in relays {
            // A re-INVITE that a 1xx holds open has no timer of its own: without a CANCEL it would
            // stay for ever where the other side is gone.
            if relay.what.is_invite() {
                layer.cancel(now, relay.client, None);
            }
            // RFC 3261 §15.1.2: what is pending in the dialog is answered 487.
            self.answer(now, layer, relay.server, StatusCode::REQUEST_TERMINATED);
        }
    }

    fn finish_waiting(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        waiting: Waiting,
        cause: EndCause,
        by: Option<HungUp>,
    ) {
        let reason = by.and_then(|by| by.reason);
        waiting.ringing.cancel(now, layer, reason.as_deref());
        let status = match cause {
            EndCause::Refused(status) => status,
            EndCause::WaitMax => StatusCode::TEMPORARILY_UNAVAILABLE,
            _ => StatusCode::REQUEST_TERMINATED,
        };
        let tag = Some(&*waiting.local_tag);
        if let Some(builder) = layer.response_builder(waiting.tx, status, status.reason(), tag) {
            let builder = if status == StatusCode::SERVICE_UNAVAILABLE {
                builder.header(HeaderName::RetryAfter, "5")
            } else {
                builder
            };
            layer.respond(now, waiting.tx, builder.finish());
        }
    }

    /// Hangs up both legs; what is left where an ACK has not come.
    fn finish_connected(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        connected: Connected,
        by: Option<HungUp>,
    ) -> Option<Ending> {
        let side_gone = by.as_ref().map(|by| by.side);
        let reason = by.and_then(|by| by.reason);
        let Connected {
            invite,
            caller,
            company,
            ..
        } = connected;
        let agent = match company {
            Company::Agent(leg) => Some(leg),
            Company::Transfer(transfer) => self.end_transfer(now, layer, *transfer),
        };
        let agent = agent.map(|leg| (Side::Agent, leg));
        let mut legs = SmallVec::new();
        for (side, mut leg) in agent.into_iter().chain([(Side::Caller, caller)]) {
            if let Some(owed) = leg.owed_ack.take() {
                self.pay_ack(layer, owed, &leg.dialog, None);
            }
            if side_gone == Some(side) {
                continue;
            }
            //= https://www.rfc-editor.org/rfc/rfc3261#section-15
            //# However, the callee's UA MUST NOT send a
            //# BYE on a confirmed dialog until it has received an ACK for its 2xx
            //# response or until the server transaction times out.
            // We are the callee of the caller alone, and the response is that to the INVITE that made the dialog: who asks
            // something in it knows it. Everybody else is told at once, acknowledged or not: whoever was rung may be rung
            // for the next call.
            let opens = |unacked: &Unacked| unacked.cseq == invite.cseq_number();
            let unacked = leg
                .unacked
                .filter(|unacked| side == Side::Caller && opens(unacked));
            match unacked {
                Some(unacked) => legs.push(EndingLeg {
                    side,
                    dialog: leg.dialog,
                    unacked,
                    reason: reason.clone(),
                    is_code: false,
                }),
                None => {
                    self.bye(now, layer, &mut leg.dialog, reason.as_deref());
                }
            }
        }
        (!legs.is_empty()).then_some(Ending { legs })
    }

    /// The last BYE of those legs whose ACK has come, or never will.
    pub(crate) fn end_legs(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        number: CallNumber,
        is_over: impl Fn(&EndingLeg) -> bool,
    ) {
        let Some(Call {
            stage: Stage::Ending(ending),
            ..
        }) = self.table.get_mut(&number)
        else {
            return;
        };
        let (over, left) = std::mem::take(&mut ending.legs)
            .into_iter()
            .partition::<SmallVec<[EndingLeg; 2]>, _>(is_over);
        ending.legs = left;
        if ending.legs.is_empty() {
            self.table.remove(&number);
        }
        for mut leg in over {
            let tx = self.bye(now, layer, &mut leg.dialog, leg.reason.as_deref());
            match tx {
                Some(tx) if leg.is_code => {
                    self.client_uses.insert(tx, ClientUse::CodeOver(number));
                }
                None if leg.is_code => self.emit(Event::PhoneFree { call: number }),
                Some(_) | None => {}
            }
        }
        self.rearm(number);
    }

    /// Sends BYE inside a dialog, unless one is being sent. Its transaction, if it could be sent, sees to the
    /// retransmissions.
    pub(crate) fn bye(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        dialog: &mut Dialog,
        reason: Option<&[u8]>,
    ) -> Option<ClientTx> {
        let said = self.goodbyes.said_in(dialog);
        if said.is_some() {
            return said;
        }
        let (builder, flow) = dialog.request(&Method::Bye, &mut self.ids, &self.locals);
        let bye: Option<Request> = builder
            .header_opt(HeaderName::Reason, reason)
            .finish_request()
            .ok();
        let bye = bye?;
        let tx = layer.request(now, bye.clone(), flow).ok()?;
        self.note_bye(tx, &bye, dialog.invited());
        Some(tx)
    }

    /// Sends again what is unacknowledged, or gives the call up.
    pub(crate) fn resend_answers(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        number: CallNumber,
    ) {
        for side in [Side::Caller, Side::Agent] {
            let t2 = self.settings.t2;
            let Some(connected) = self.connected_mut(number) else {
                return;
            };
            let Some(leg) = connected.leg_mut(side) else {
                continue;
            };
            let unacked = leg.unacked.as_mut();
            match unacked.map(|unacked| unacked.resend(now, layer, t2)) {
                Some(Acknowledged::Never) => {
                    //= https://www.rfc-editor.org/rfc/rfc3261#section-13.3.1.4
                    //# If the server retransmits the 2xx response for 64*T1 seconds without
                    //# receiving an ACK, the dialog is confirmed, but the session SHOULD be
                    //# terminated.  This is accomplished with a BYE, as described in Section
                    //# 15.
                    leg.unacked = None;
                    self.finish(now, layer, number, EndCause::NoAck, None);
                    return;
                }
                Some(Acknowledged::NotYet) | None => {}
            }
        }
    }

    pub(crate) fn resend_ending(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        number: CallNumber,
    ) {
        let t2 = self.settings.t2;
        if let Some(Call {
            stage: Stage::Ending(ending),
            ..
        }) = self.table.get_mut(&number)
        {
            for leg in &mut ending.legs {
                // Whoever never acknowledges is hung up below.
                let _acknowledged = leg.unacked.resend(now, layer, t2);
            }
        }
        self.end_legs(now, layer, number, |leg| leg.unacked.give_up_at <= now);
    }
}

/// Whether an ACK may still come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Acknowledged {
    NotYet,
    Never,
}

impl Unacked {
    fn resend(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        t2: std::time::Duration,
    ) -> Acknowledged {
        if self.give_up_at <= now {
            return Acknowledged::Never;
        }
        while self.resend_at <= now {
            self.by.send(now, layer, &self.ok);
            self.interval = (2 * self.interval).min(t2);
            self.resend_at += self.interval;
        }
        Acknowledged::NotYet
    }
}
