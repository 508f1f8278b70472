//! What comes of ringing an agent: provisional answers, an answer, the end without one.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use sip::{Builder, HeaderName, Limits, Message, Response, StatusCode};
use sip_transaction::{ClientTx, TransactionLayer};

use crate::{
    attempts::{Attempt, Attempts, Rang, StopRinging},
    call::{Announced, Call, Company, Connected, Stage, Waiting},
    calls::Calls,
    carry,
    dialog::Dialog,
    event::{AgentFailure, Event},
    ids::{AttemptId, CallNumber},
    leg::{AnsweredBy, Leg, OwedAck, Unacked},
    planted::Planted,
    reliable::OPTION_100REL,
    sent::ClientUse,
    session::{OPTION_TIMER, Session},
    unanswered::ANSWERS_MAX,
};

/// Methods that a peer may use towards us.
pub const ALLOW: &str =
    "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK, MESSAGE, REFER, REGISTER";

/// Extensions that a peer may require of us.
pub const SUPPORTED: [&str; 2] = [OPTION_100REL, OPTION_TIMER];

impl Calls {
    /// Stops phones that have rung for as long as they may.
    pub(crate) fn stop_overdue(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        call: CallNumber,
    ) {
        while let Some(attempt) = self
            .ringing_mut(call)
            .and_then(|ringing| ringing.take_overdue(now))
        {
            layer.cancel(now, attempt.tx, None);
            self.end_early_media(now, call, attempt.id);
            self.emit(Event::AgentFailed {
                call,
                attempt: attempt.id,
                cause: AgentFailure::NoAnswer,
            });
        }
    }

    /// Stops ringing: CANCEL. A phone that answers all the same is hung up
    /// ([`Event::LateAnswer`]). Ignored when this attempt does not ring.
    pub fn withdraw(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        call: CallNumber,
        attempt: AttemptId,
        why: StopRinging,
    ) {
        self.forget_waiting(call, Some(attempt));
        let ringing = self
            .ringing_mut(call)
            .and_then(|ringing| ringing.take(attempt));
        if let Some(ringing) = ringing {
            layer.cancel(now, ringing.tx, why.reason());
            self.end_early_media(now, call, attempt);
        } else {
            self.withdraw_joining(now, layer, call, attempt);
        }
        self.rearm(call);
    }

    /// A phone whose early media the caller heard rings no more: what is said from now on belongs to
    /// another early dialog (RFC 3261 §13.2.1: one offer has one answer in each). There the caller has heard nothing yet, and
    /// hears at once that it rings: nobody plays that to whom nothing else has been said (RFC 3960 §3.2).
    fn end_early_media(&mut self, now: Instant, call: CallNumber, attempt: AttemptId) {
        let tag = call.tag(&mut self.ids);
        if let Some(waiting) = self.waiting_mut(call)
            && waiting.early_media.take_if(|by| *by == attempt).is_some()
        {
            waiting.local_tag = tag;
            (waiting.announced, waiting.announce_at) = (Announced::Trying, now);
            self.rearm(call);
        }
    }

    /// Handles a response to an INVITE of an agent's leg.
    pub(crate) fn handle_invite_response(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        tx: ClientTx,
        response: &Response,
    ) {
        let status = response.status();
        if status.is_success() {
            if self.answers_what_we_asked(tx, response) {
                self.handle_answer(now, layer, tx, response);
            }
        } else if status.is_final() {
            let is_again = status == StatusCode::SESSION_INTERVAL_TOO_SMALL
                && self.ring_without_proposal(now, layer, tx);
            if !is_again {
                self.handle_refusal(now, tx, AgentFailure::of(status));
            }
        } else if status != StatusCode::TRYING {
            self.confirm(now, layer, tx, response);
            self.handle_ringing(now, layer, tx, response);
        }
    }

    /// Whether a 2xx has the Call-ID, the From tag and the CSeq of our INVITE, whoever has answered it before. One that
    /// has our branch and not those would make a dialog that only one side knows (RFC 3261 §12.1.2).
    fn answers_what_we_asked(&self, tx: ClientTx, response: &Response) -> bool {
        let Some(ClientUse::Invite(sent)) = self.client_uses.get(tx) else {
            return false;
        };
        *response.call_id() == *sent.call_id
            && response.from_tag() == Some(&*sent.local_tag)
            && response.cseq_number() == 1
    }

    fn handle_ringing(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        tx: ClientTx,
        response: &Response,
    ) {
        let Some(call) = self.call_ringing(tx) else {
            return;
        };
        let Some(rung) = self.table.passing_mut(&call) else {
            return;
        };
        let Some(ringing) = rung.ringing_mut() else {
            return;
        };
        let others_ring = ringing.rings_beside(tx);
        let Some(ringing) = ringing.of_mut(tx) else {
            return;
        };
        let attempt = ringing.id;
        let is_first = std::mem::replace(&mut ringing.rang, Rang::Yes) == Rang::No;
        let limits = Limits::default();
        let described = carry::description(response, &limits);
        let described = described.filter(|&said| *ringing.described != *said);
        let is_described = described.is_some();
        if let Some(described) = described {
            ringing.described = Bytes::copy_from_slice(described);
        }
        if let Stage::Waiting(waiting) = &mut rung.stage {
            waiting.announced = Announced::Ringing;
            // Of several phones that speak before they answer, the caller hears the first.
            let passes = is_described && waiting.reliable.lets_media_pass();
            if passes && waiting.early_media.is_none_or(|heard| heard == attempt) {
                waiting.early_media = Some(attempt);
                let (status, reason) = (response.status(), response.status().reason());
                self.say(now, layer, call, status, reason, Some(response));
            } else if is_first && !others_ring {
                self.provisional(now, layer, call, StatusCode::RINGING, "Ringing");
            }
        } else if is_first && !others_ring {
            self.tell_ringing(now, layer, call);
        }
        if is_first {
            self.emit(Event::AgentRinging { call, attempt });
        }
    }

    /// The attempt ended without an answer: if it is still the one that rings, its call waits on.
    pub(crate) fn handle_refusal(&mut self, now: Instant, tx: ClientTx, cause: AgentFailure) {
        let Some(call) = self.call_ringing(tx) else {
            return;
        };
        let Some(attempt) = self
            .ringing_mut(call)
            .and_then(|ringing| ringing.take_of(tx))
        else {
            return;
        };
        self.end_early_media(now, call, attempt.id);
        self.emit(Event::AgentFailed {
            call,
            attempt: attempt.id,
            cause,
        });
    }

    /// The client transaction of an agent's INVITE failed.
    pub(crate) fn handle_invite_failed(&mut self, now: Instant, tx: ClientTx) {
        self.handle_refusal(now, tx, AgentFailure::Unreachable);
        if let Some(ClientUse::Invite(sent)) = self.client_uses.remove(tx) {
            self.unanswered.remember(now, *sent);
        }
    }

    fn handle_answer(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        tx: ClientTx,
        response: &Response,
    ) {
        let Some(ClientUse::Invite(sent)) = self.client_uses.get(tx) else {
            return;
        };
        let tag = response.to_tag().unwrap_or_default();
        if let Some(sent_ack) = sent.acks.iter().find(|ack| *ack.remote_tag == *tag) {
            layer.send(&sent_ack.ack, sent_ack.flow);
            return;
        }
        if self.owes_ack(sent.call, tx, tag) || sent.acks.len() >= ANSWERS_MAX {
            return;
        }
        let mut dialog = sent.dialog(response);
        if let Some(early) = sent.early.iter().find(|early| *early.tag == *tag) {
            dialog.continue_after(&early.dialog);
        }
        let (call, attempt) = (sent.call, sent.attempt);
        let rings = self.call_ringing(tx) == Some(call) && !self.is_joining(call);
        if rings && self.is_in_transfer(call) {
            self.join(now, layer, call, tx, dialog, response);
        } else if rings {
            self.connect(now, layer, call, tx, dialog, response);
        } else {
            if let Some(ringing) = self.ringing_mut(call) {
                ringing.take_of(tx);
            }
            self.hang_up_late_answer(now, layer, tx, dialog, response);
            self.emit(Event::LateAnswer { call, attempt });
        }
    }

    /// Joins the legs: ACK to the agent, 200 to the caller.
    fn connect(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        number: CallNumber,
        tx: ClientTx,
        agent: Dialog,
        response: &Response,
    ) {
        let Some(attempt) = self.stop_others(now, layer, number, tx) else {
            return;
        };
        let Some(Call {
            stage: Stage::Waiting(waiting),
            id,
            ..
        }) = self.table.get_mut(&number)
        else {
            return;
        };
        let invite = Arc::clone(&waiting.invite);
        let usual = self.settings.session_interval;
        let session = Session::answering(now, &invite, usual);
        let (server, flow, tag) = (waiting.tx, waiting.flow, waiting.local_tag.clone());
        let offers = carry::has_description(&invite);
        let caller = waiting.dialog();
        let cseq = invite.cseq_number();
        let ok = layer
            .response_builder(server, StatusCode::OK, "OK", Some(&tag))
            .map(|ok| {
                let ok = ok
                    .copy(&invite, HeaderName::RecordRoute)
                    .header(HeaderName::Allow, ALLOW)
                    .header(HeaderName::Supported, SUPPORTED.join(", "));
                let ok = session.write_answer(ok);
                let ok = ok.header(HeaderName::Contact, self.locals.contact(flow));
                carry::call_id(ok, id, &self.settings.domain)
            });
        let Some(ok) = ok else { return };
        let ok = with_answer(ok, response, &attempt);

        let answered = Session::calling(now, response, usual);
        let mut agent = Leg::new(agent, answered);
        agent.describe(&invite);
        if offers {
            self.ack_answer(layer, tx, &agent.dialog, response, &[]);
        } else {
            let remote_tag = Bytes::copy_from_slice(response.to_tag().unwrap_or_default());
            agent.owed_ack = Some(OwedAck {
                cseq: response.cseq_number(),
                tx,
                remote_tag,
            });
        }
        layer.respond(now, server, ok.clone());
        let unacked = Unacked {
            ok,
            by: AnsweredBy::Transaction(server),
            cseq,
            interval: self.settings.t1,
            resend_at: now + self.settings.t1,
            give_up_at: now + self.settings.ack_max(),
        };
        let mut caller = Leg::new(caller, session);
        caller.describe(&unacked.ok);
        caller.unacked = Some(unacked);
        let connected = Connected {
            invite,
            caller,
            company: Company::Agent(agent),
            ends_at: now + self.settings.call_max,
        };
        if let Some(call) = self.table.get_mut(&number) {
            call.stage = Stage::Connected(Box::new(connected));
        }
        self.rearm(number);
        self.emit(Event::AgentAnswered {
            call: number,
            attempt: attempt.id,
        });
    }

    /// Takes the attempt that has won from those of a waiting call, and stops the others.
    fn stop_others(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        number: CallNumber,
        won: ClientTx,
    ) -> Option<Attempt> {
        let tag = number.tag(&mut self.ids);
        let waiting = self.waiting_mut(number)?;
        let attempt = waiting.ringing.take_of(won)?;
        let others = std::mem::take(&mut waiting.ringing);
        // The caller has heard another phone, in an early dialog that is not this one.
        if waiting.early_media.is_some_and(|heard| heard != attempt.id) {
            waiting.local_tag = tag;
        }
        if !self.has_planted(Planted::OthersRingOn) {
            others.cancel(now, layer, StopRinging::AnsweredElsewhere.reason());
        }
        Some(attempt)
    }

    //= https://www.rfc-editor.org/rfc/rfc3261#section-13.2.2.4
    //# If, after acknowledging any 2xx response to an INVITE, the UAC does
    //# not want to continue with that dialog, then the UAC MUST terminate
    //# the dialog by sending a BYE request as described in Section 15.
    fn hang_up_late_answer(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        tx: ClientTx,
        mut dialog: Dialog,
        response: &Response,
    ) {
        self.ack_answer(layer, tx, &dialog, response, &[]);
        if !self.has_planted(Planted::LateAnswerKept) {
            self.bye(now, layer, &mut dialog, None);
        }
    }

    /// The call for which this transaction is the attempt that rings now.
    pub(crate) fn call_ringing(&self, tx: ClientTx) -> Option<CallNumber> {
        let Some(ClientUse::Invite(sent)) = self.client_uses.get(tx) else {
            return None;
        };
        let mut ringing = self.table.get(&sent.call)?.ringing()?.iter();
        ringing.any(|one| one.tx == tx).then_some(sent.call)
    }

    /// The phones that are being rung for a call; `None` when none may be rung.
    pub(crate) fn ringing_mut(&mut self, call: CallNumber) -> Option<&mut Attempts> {
        self.table.get_mut(&call)?.ringing_mut()
    }

    pub(crate) fn waiting_mut(&mut self, call: CallNumber) -> Option<&mut Waiting> {
        match &mut self.table.get_mut(&call)?.stage {
            Stage::Waiting(waiting) => Some(waiting),
            Stage::Connected(_) | Stage::Ending(_) => None,
        }
    }
}

//= https://www.rfc-editor.org/rfc/rfc3261#section-13.2.1
//# If the initial offer is in an INVITE, the answer MUST be in a
//# reliable non-failure message from UAS back to UAC which is
//# correlated to that INVITE.
/// The caller's 200 with the agent's description. A phone whose answer was in a provisional response that we
/// have confirmed need not say it again; the caller has heard it unconfirmed.
fn with_answer(ok: Builder, response: &Response, attempt: &Attempt) -> Message {
    if !carry::has_description(response) && !attempt.described.is_empty() {
        return carry::response_with(ok, response, &attempt.described);
    }
    carry::response(ok, response).finish_with_body(response.body_bytes())
}
