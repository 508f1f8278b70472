//! Bringing the caller together with whom the call was transferred to.
//!
//! The target was called without an offer, so its 2xx brings one (RFC 3725 §4.1). The caller gets it
//! in a re-INVITE, and what the caller answers goes to the target in the ACK. Until then the target
//! hears nothing, for a round trip; the agent who transfers stays.

use std::time::{Duration, Instant};

use bytes::Bytes;
use sip::{HeaderName, Method, Request, Response, StatusCode};
use sip_transaction::{ClientTx, Failure, TransactionLayer};

use crate::{
    call::{Company, Connected, Stage},
    calls::Calls,
    carry,
    dialog::Dialog,
    event::{AgentFailure, EndCause, Event},
    ids::{AttemptId, CallNumber},
    leg::{Leg, OwedAck, Side},
    ringing::ALLOW,
    sent::{ClientUse, SentInside},
    session::{AskBy, Session},
};

/// After how long a re-INVITE that met another one is tried again. RFC 3261 §14.1 gives whoever did
/// not choose the Call-ID up to two seconds.
const GLARE_RETRY: Duration = Duration::from_secs(1);

/// How soon it is tried again when something else was open in the call.
const BUSY_RETRY: Duration = Duration::from_millis(250);

/// With how many a caller who waits alone would not be joined before they are hung up.
const NOT_JOINED_MAX: u8 = 3;

/// The target has answered, and its offer is for the caller.
#[derive(Debug)]
pub(crate) struct Joining {
    pub(crate) attempt: AttemptId,
    pub(crate) leg: Leg,
    /// The target's 2xx: its offer, once it has made one.
    offer: Option<Response>,
    asked: Asked,
    /// The target does not wait longer for its ACK (RFC 3261 §13.3.1.4).
    gives_up_at: Instant,
}

/// Whether the next one has been asked: a target that has made no offer for one, then the caller to
/// take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// Not yet, or again from then on.
    Due(Instant),
    /// By this re-INVITE.
    By(ClientTx),
}

impl Joining {
    /// A target that talks already, and is to be asked for an offer.
    pub(crate) const fn without_offer(
        now: Instant,
        attempt: AttemptId,
        leg: Leg,
        gives_up_at: Instant,
    ) -> Self {
        Self {
            attempt,
            leg,
            offer: None,
            asked: Asked::Due(now),
            gives_up_at,
        }
    }

    pub(crate) fn next_deadline(&self) -> Instant {
        match self.asked {
            Asked::Due(at) => at.min(self.gives_up_at),
            Asked::By(_) => self.gives_up_at,
        }
    }

    /// Whether the caller has been asked.
    pub(crate) const fn is_asked(&self) -> bool {
        self.offer.is_some() && matches!(self.asked, Asked::By(_))
    }

    const fn asks(&self) -> Side {
        match self.offer {
            Some(_) => Side::Caller,
            None => Side::Target,
        }
    }
}

impl Calls {
    /// The target has answered: the caller is asked to take its offer.
    pub(crate) fn join(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        number: CallNumber,
        tx: ClientTx,
        dialog: Dialog,
        response: &Response,
    ) {
        let (usual, gives_up_at) = (
            self.settings.session_interval,
            now + self.settings.ack_max(),
        );
        let Some(transfer) = self.transfer_mut(number) else {
            return;
        };
        let Some(attempt) = transfer.ringing.take_of(tx).map(|attempt| attempt.id) else {
            return;
        };
        let mut leg = Leg::new(dialog, Session::calling(now, response, usual));
        leg.owed_ack = Some(OwedAck {
            cseq: response.cseq_number(),
            tx,
            remote_tag: Bytes::copy_from_slice(response.to_tag().unwrap_or_default()),
        });
        transfer.joining = Some(Joining {
            attempt,
            leg,
            offer: Some(response.clone()),
            asked: Asked::Due(now),
            gives_up_at,
        });
        if !carry::has_description(response) {
            let cause = AgentFailure::Rejected(StatusCode::NOT_ACCEPTABLE_HERE);
            self.give_up_joining(now, layer, number, cause);
        } else {
            self.emit(Event::AgentJoining {
                call: number,
                attempt,
            });
            self.carry_on_joining(now, layer, number);
        }
        self.rearm(number);
    }

    /// Asks the caller, or gives the target up.
    pub(crate) fn carry_on_joining(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        number: CallNumber,
    ) {
        let is_busy = self.is_renegotiating(number);
        let Some(joining) = self.joining_mut(number) else {
            return;
        };
        match joining.asked {
            _ if joining.gives_up_at <= now => {
                let cause = match joining.asks() {
                    Side::Caller => AgentFailure::NotJoined,
                    Side::Agent | Side::Target => AgentFailure::NoAnswer,
                };
                self.give_up_joining(now, layer, number, cause);
            }
            Asked::Due(at) if at <= now && is_busy => {
                joining.asked = Asked::Due(now + BUSY_RETRY);
            }
            Asked::Due(at) if at <= now => self.ask_to_join(now, layer, number),
            Asked::Due(_) | Asked::By(_) => {}
        }
    }

    fn ask_to_join(&mut self, now: Instant, layer: &mut TransactionLayer, number: CallNumber) {
        let Some(Stage::Connected(connected)) =
            self.table.get_mut(&number).map(|call| &mut call.stage)
        else {
            return;
        };
        let Connected {
            caller, company, ..
        } = &mut **connected;
        let Company::Transfer(transfer) = company else {
            return;
        };
        let Some(joining) = transfer.joining.as_mut() else {
            return;
        };
        let side = joining.asks();
        let leg = match side {
            Side::Caller => caller,
            Side::Agent | Side::Target => &mut joining.leg,
        };
        let (builder, flow) = leg
            .dialog
            .request(&Method::Invite, &mut self.ids, &self.locals);
        let contact = self.locals.contact(leg.dialog.flow());
        let builder = leg
            .session
            .write_request(builder)
            .header(HeaderName::Contact, contact)
            .header(HeaderName::Allow, ALLOW);
        let invite = match &joining.offer {
            Some(offer) => carry::content(builder, offer).finish_with_body(offer.body_bytes()),
            None => builder.finish(),
        };
        let tx = Request::new(invite)
            .ok()
            .and_then(|invite| layer.request(now, invite, flow).ok());
        let sent = SentInside {
            call: number,
            side,
            flow,
            peer: leg.dialog.peer(),
            ack: None,
        };
        joining.asked = tx.map_or(Asked::Due(now + BUSY_RETRY), Asked::By);
        if let Some(tx) = tx {
            self.client_uses.insert(tx, ClientUse::Join(Box::new(sent)));
        }
    }

    /// The answer of the target that was asked for an offer.
    fn take_offer(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        number: CallNumber,
        tx: ClientTx,
        response: &Response,
    ) {
        let Some(joining) = self.joining_mut(number) else {
            return;
        };
        joining.leg.session.answered(now, response);
        joining.leg.dialog.take_answer(response);
        joining.leg.owed_ack = Some(OwedAck {
            cseq: response.cseq_number(),
            tx,
            remote_tag: Bytes::copy_from_slice(response.to_tag().unwrap_or_default()),
        });
        joining.offer = Some(response.clone());
        joining.asked = Asked::Due(now);
        if !carry::has_description(response) {
            let cause = AgentFailure::Rejected(StatusCode::NOT_ACCEPTABLE_HERE);
            self.give_up_joining(now, layer, number, cause);
        } else {
            self.carry_on_joining(now, layer, number);
        }
    }

    /// The answer to a re-INVITE: the target's offer, or the caller's answer to it.
    pub(crate) fn handle_join_response(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        tx: ClientTx,
        response: &Response,
    ) {
        let Some(ClientUse::Join(sent)) = self.client_uses.get(tx) else {
            return;
        };
        let (number, side, status) = (sent.call, sent.side, response.status());
        if let Some(ack) = &sent.ack
            && status.is_success()
        {
            return layer.send(&ack.ack, ack.flow);
        }
        if status.is_provisional() {
            return;
        }
        let is_awaited = self
            .joining_mut(number)
            .is_some_and(|joining| joining.asked == Asked::By(tx));
        let is_owed = self.owes_ack(number, tx, response.to_tag().unwrap_or_default());
        match status {
            // It comes again, and its ACK has to wait.
            status if status.is_success() && is_owed => {}
            status if status.is_success() && is_awaited && side == Side::Target => {
                self.take_offer(now, layer, number, tx, response);
            }
            status if status.is_success() => {
                self.ack_reinvite(layer, tx, response);
                if is_awaited {
                    self.joined(now, layer, number, response);
                } else if side == Side::Caller {
                    self.describe_agent_again(now, layer, number);
                }
            }
            _ if !is_awaited => {}
            //= https://www.rfc-editor.org/rfc/rfc3261#section-12.2.1.2
            //# If the response for a request within a dialog is a 481
            //# (Call/Transaction Does Not Exist) or a 408 (Request Timeout), the UAC
            //# SHOULD terminate the dialog.
            StatusCode::CALL_DOES_NOT_EXIST | StatusCode::REQUEST_TIMEOUT
                if side == Side::Caller =>
            {
                self.finish(now, layer, number, EndCause::PeerLost, None);
            }
            StatusCode::REQUEST_PENDING
            | StatusCode::SERVER_INTERNAL_ERROR
            | StatusCode::SERVICE_UNAVAILABLE => self.ask_to_join_at(number, now + GLARE_RETRY),
            _ if side == Side::Caller => {
                self.give_up_joining(now, layer, number, AgentFailure::NotJoined);
            }
            _ => self.give_up_joining(now, layer, number, AgentFailure::Rejected(status)),
        }
        self.rearm(number);
    }

    /// Nobody answered: whoever was asked is gone, or the connection is.
    pub(crate) fn handle_join_failed(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        tx: ClientTx,
        cause: Failure,
    ) {
        let Some(ClientUse::Join(sent)) = self.client_uses.get(tx) else {
            return;
        };
        let (number, side) = (sent.call, sent.side);
        let is_awaited = self
            .joining_mut(number)
            .is_some_and(|joining| joining.asked == Asked::By(tx));
        match cause {
            _ if !is_awaited => {}
            _ if side == Side::Target => {
                self.give_up_joining(now, layer, number, AgentFailure::Unreachable);
            }
            Failure::Timeout => self.finish(now, layer, number, EndCause::PeerLost, None),
            Failure::Transport => self.ask_to_join_at(number, now + GLARE_RETRY),
        }
        self.rearm(number);
    }

    fn ask_to_join_at(&mut self, number: CallNumber, at: Instant) {
        if let Some(joining) = self.joining_mut(number) {
            joining.asked = Asked::Due(at);
        }
    }

    /// Both have agreed: the target gets the caller's answer, and has the call.
    fn joined(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        number: CallNumber,
        answer: &Response,
    ) {
        let Some(joining) = self
            .transfer_mut(number)
            .and_then(|transfer| transfer.joining.take())
        else {
            return;
        };
        let Joining {
            attempt,
            mut leg,
            offer,
            ..
        } = joining;
        if let Some(caller) = self.leg_mut(number, Side::Caller) {
            caller.session.answered(now, answer);
            caller.dialog.take_answer(answer);
            if let Some(offer) = &offer {
                caller.describe(offer);
            }
        }
        leg.describe(answer);
        if let Some(owed) = leg.owed_ack.take() {
            self.pay_ack(layer, owed, &leg.dialog, Some(answer));
        }
        self.hand_over(now, layer, number, leg, attempt);
    }

    /// The caller has taken the offer of a target that is gone by now: it is told again where the
    /// agent is who still has the call.
    fn describe_agent_again(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        number: CallNumber,
    ) {
        if !self.is_in_transfer(number) {
            self.ask(now, layer, number, Side::Caller, AskBy::Invite);
        }
    }

    /// The target cannot be joined. A caller who would be joined with nobody, one after the other, and has no agent to go back
    /// to, is hung up: they can call again, and those behind them are not kept from all agents.
    pub(crate) fn give_up_joining(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        number: CallNumber,
        cause: AgentFailure,
    ) {
        let Some(transfer) = self.transfer_mut(number) else {
            return;
        };
        let Some(joining) = transfer.joining.take() else {
            return;
        };
        let mut is_in_vain = false;
        if cause == AgentFailure::NotJoined {
            transfer.not_joined = transfer.not_joined.saturating_add(1);
            is_in_vain = transfer.not_joined >= NOT_JOINED_MAX && transfer.transferor.is_none();
        }
        let attempt = joining.attempt;
        self.drop_target(now, layer, joining);
        if is_in_vain {
            return self.finish(now, layer, number, EndCause::NotJoined, None);
        }
        self.emit(Event::AgentFailed {
            call: number,
            attempt,
            cause,
        });
    }

    /// Hangs up a target that has answered.
    pub(crate) fn drop_target(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        joining: Joining,
    ) {
        let mut dialog = self.leave_target(now, layer, joining);
        self.bye(now, layer, &mut dialog, None);
    }

    /// Acknowledges the target's answer, and takes back what the caller was asked. The dialog with
    /// the target.
    fn leave_target(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        joining: Joining,
    ) -> Dialog {
        if let Asked::By(tx) = joining.asked {
            layer.cancel(now, tx, None);
        }
        let mut leg = joining.leg;
        if let Some(owed) = leg.owed_ack.take() {
            self.pay_ack(layer, owed, &leg.dialog, None);
        }
        leg.dialog
    }

    /// The target of this attempt is not wanted any more.
    pub(crate) fn withdraw_joining(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        number: CallNumber,
        attempt: AttemptId,
    ) {
        let joining = self.transfer_mut(number).and_then(|transfer| {
            transfer
                .joining
                .take_if(|joining| joining.attempt == attempt)
        });
        if let Some(joining) = joining {
            self.drop_target(now, layer, joining);
        }
    }

    /// The target has hung up before it was joined.
    pub(crate) fn target_hung_up(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        number: CallNumber,
    ) {
        let Some(joining) = self
            .transfer_mut(number)
            .and_then(|transfer| transfer.joining.take())
        else {
            return;
        };
        let attempt = joining.attempt;
        self.leave_target(now, layer, joining);
        self.emit(Event::AgentFailed {
            call: number,
            attempt,
            cause: AgentFailure::Declined,
        });
    }

    /// Whether somebody has answered whom the caller is being brought together with.
    pub(crate) fn is_joining(&self, number: CallNumber) -> bool {
        let stage = self.table.get(&number).map(|call| &call.stage);
        let Some(Stage::Connected(connected)) = stage else {
            return false;
        };
        connected
            .transfer()
            .is_some_and(|transfer| transfer.joining.is_some())
    }

    fn joining_mut(&mut self, number: CallNumber) -> Option<&mut Joining> {
        self.transfer_mut(number)?.joining.as_mut()
    }
}
