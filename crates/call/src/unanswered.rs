//! INVITEs whose transaction gave up: the phone may have heard the last one, and may still be
//! answered by a person who then hears nothing. Such an answer is acknowledged and hung up.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;
use sip::{HeaderName, Method, Response, StatusCode};
use sip_transaction::{ClientTx, Flow, TransactionLayer};

use crate::{
    attempts::Attempt,
    call::{Call, Stage},
    calls::Calls,
    dialog::{Dialog, Peer},
    event::{AgentFailure, Event},
    ids::CallNumber,
    kept::KeptUnanswered,
    leg::Side,
    noted::Noted,
    sent::{ClientUse, SentAck, SentInvite},
};

/// How long a phone may ring by itself: the three minutes that a proxy gives it (Timer C,
/// RFC 3261 §16.6).
const RINGS_FOR: Duration = Duration::from_secs(180);

/// INVITEs that are remembered at most; the oldest makes room.
const REMEMBERED_MAX: usize = 10_000;

/// Phones of one INVITE that are acknowledged at most. More have been forked to by somebody hostile.
pub(crate) const ANSWERS_MAX: usize = 8;

/// The INVITEs that nobody answered, by Call-ID.
#[derive(Debug, Default)]
pub(crate) struct Unanswered {
    pub(crate) invites: Noted<Bytes, SentInvite>,
    /// When each is forgotten, in order.
    until: VecDeque<(Instant, Bytes)>,
}

impl Unanswered {
    pub(crate) fn remember(&mut self, now: Instant, sent: SentInvite) {
        if self.invites.len() >= REMEMBERED_MAX {
            self.forget_first();
        }
        self.until
            .push_back((now + RINGS_FOR, sent.call_id.clone()));
        self.invites.insert(sent.call_id.clone(), sent);
    }

    /// What of the INVITE of this Call-ID outlives a process.
    pub(crate) fn keep(&self, call_id: &Bytes) -> Option<KeptUnanswered> {
        let sent = self.invites.get(call_id)?;
        Some(KeptUnanswered {
            call: sent.call,
            attempt: sent.attempt,
            call_id: sent.call_id.clone(),
            local_tag: sent.local_tag.clone(),
            uri: sent.uri.clone(),
            flow: sent.flow,
            is_behind_nat: sent.peer == Peer::BehindNat,
        })
    }

    pub(crate) fn forget_until(&mut self, now: Instant) {
        while self.next_deadline().is_some_and(|at| at <= now) {
            self.forget_first();
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.until.front().map(|(at, _)| *at)
    }

    fn forget_first(&mut self) {
        if let Some((_, call_id)) = self.until.pop_front() {
            self.invites.remove(&call_id);
        }
    }
}

impl Calls {
    /// Handles a response to nothing that is still asked. Whether it was the late answer of an
    /// agent's phone, which has been acknowledged then, and hung up unless it is in a call.
    pub fn handle_stray_response(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        response: &Response,
        flow: Flow,
    ) -> bool {
        let is_answer =
            response.status().is_success() && response.cseq_method() == Method::Invite.as_bytes();
        if !is_answer {
            return false;
        }
        let call_id = Bytes::copy_from_slice(response.call_id());
        let Some(sent) = self.unanswered.invites.get_mut(&call_id) else {
            return self.handle_answer_of_before(now, layer, response, flow);
        };
        if response.from_tag() != Some(&*sent.local_tag) || response.cseq_number() != 1 {
            // One of the two was damaged on its way.
            return self.handle_answer_of_before(now, layer, response, flow);
        }
        let tag = response.to_tag().unwrap_or_default();
        if let Some(known) = sent.acks.iter().find(|ack| *ack.remote_tag == *tag) {
            layer.send(&known.ack, known.flow);
            return true;
        }
        if sent.acks.len() >= ANSWERS_MAX {
            return false;
        }
        let mut dialog = sent.dialog(response);
        if let Some(early) = sent.early.iter().find(|early| *early.tag == *tag) {
            dialog.continue_after(&early.dialog);
        }
        let (ack, flow) = dialog.ack(response.cseq_number(), &mut self.ids, &self.locals);
        let ack = ack.finish();
        layer.send(&ack, flow);
        sent.acks.push(SentAck {
            remote_tag: Bytes::copy_from_slice(tag),
            ack,
            flow,
        });
        let (call, attempt) = (sent.call, sent.attempt);
        // A process before this one may have begun to say so.
        if self.goodbyes.said_in(&dialog).is_none() {
            self.bye(now, layer, &mut dialog, None);
            self.emit(Event::LateAnswer { call, attempt });
        }
        true
    }

    /// A phone has answered something else than our INVITE, by the branch of that. The answer may have been damaged on
    /// its way, and comes again in half a second as it was. If it does so as before, the INVITE was, and who has
    /// answered is in a call that nobody has: they are told so, and the next is rung.
    pub fn handle_mismatched_response(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        tx: ClientTx,
        response: &Response,
        flow: Flow,
    ) {
        let Some(ClientUse::Invite(sent)) = self.client_uses.get_mut(tx) else {
            return;
        };
        if !std::mem::replace(&mut sent.is_misanswered, true) {
            return;
        }
        layer.cancel(now, tx, None);
        self.handle_refusal(now, tx, AgentFailure::Rejected(StatusCode::BAD_GATEWAY));
        self.hang_up_unknown(now, layer, response, flow);
    }

    /// A side repeats its 2xx to an INVITE of ours that was sent by a process before this one: our ACK of
    /// then is lost, or was never sent. An ACK without a body does where the INVITE had the offer. Whoever
    /// is in no call that is there is hung up. Whether it was so.
    fn handle_answer_of_before(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        response: &Response,
        flow: Flow,
    ) -> bool {
        let Some(named) = response.from_tag().and_then(CallNumber::of_tag) else {
            return false;
        };
        // Its leg may have moved to another call.
        let calls = [Some(&named), self.moved_legs.get(&named)];
        let dialog = |call| self.table.get(call)?.stage.dialog_of(response);
        let known = calls.into_iter().flatten().find_map(dialog);
        match known {
            Some((_, Owed::Yes)) => false,
            Some((dialog, Owed::No)) => {
                let cseq = response.cseq_number();
                let (ack, flow) = dialog.ack(cseq, &mut self.ids, &self.locals);
                layer.send(&ack.finish(), flow);
                true
            }
            None => {
                // What we have forwarded has the Via of its sender, too.
                let is_own = response.elements(HeaderName::Via).nth(1).is_none();
                let can_be_told = response.remote_target().is_ok();
                let is_of_before = is_own
                    && can_be_told
                    && named.value() < self.next_number
                    && !self.is_asked(named, response.call_id());
                if is_of_before {
                    self.hang_up_unknown(now, layer, response, flow);
                }
                is_of_before
            }
        }
    }

    /// Whether somebody is rung by an INVITE of this Call-ID: what answers it, but for its branch, was damaged
    /// on its way, and comes again.
    fn is_asked(&self, call: CallNumber, call_id: &[u8]) -> bool {
        let ringing = self.table.get(&call).and_then(Call::ringing);
        let is_it = |attempt: &Attempt| match self.client_uses.get(attempt.tx) {
            Some(ClientUse::Invite(sent)) => *sent.call_id == *call_id,
            _ => false,
        };
        ringing.is_some_and(|ringing| ringing.iter().any(is_it))
    }

    /// Acknowledges and hangs up whoever is in a call that nobody has: back to where the answer came from,
    /// so that nobody can have anything sent elsewhere. At the limit it is only acknowledged: one small
    /// message for each that comes.
    fn hang_up_unknown(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        response: &Response,
        flow: Flow,
    ) {
        let is_told = self.goodbyes.are_said_in_dialog_of(response);
        if !is_told && self.goodbyes.are_said_to(response) {
            // It hears that another call is over, and answers again until it hears that this one is.
            return;
        }
        let mut dialog = Dialog::of_before(response, flow);
        let cseq = response.cseq_number();
        let (ack, _) = dialog.ack(cseq, &mut self.ids, &self.locals);
        layer.send(&ack.finish(), flow);
        if !is_told && self.goodbyes.has_room_for_unknown() {
            let (bye, _) = dialog.request(&Method::Bye, &mut self.ids, &self.locals);
            let Ok(bye) = bye.finish_request() else {
                return;
            };
            if let Ok(tx) = layer.request(now, bye.clone(), flow) {
                self.client_uses
                    .insert(tx, ClientUse::Bye(dialog.invited()));
                self.goodbyes.note_unknown(tx, &bye);
            }
        }
    }
}

/// Whether the ACK of an answer waits for another side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owed {
    Yes,
    No,
}

impl Stage {
    /// The dialog of a call that a 2xx belongs to.
    fn dialog_of(&self, response: &Response) -> Option<(&Dialog, Owed)> {
        match self {
            Self::Waiting(_) => None,
            Self::Connected(connected) => {
                let sides = [Side::Caller, Side::Agent, Side::Target];
                let mut legs = sides.into_iter().filter_map(|side| connected.leg(side));
                let leg = legs.find(|leg| leg.dialog.answers(response))?;
                let owed = match leg.owed_ack {
                    Some(_) => Owed::Yes,
                    None => Owed::No,
                };
                Some((&leg.dialog, owed))
            }
            Self::Ending(ending) => {
                let mut dialogs = ending.legs.iter().map(|leg| &leg.dialog);
                let dialog = dialogs.find(|dialog| dialog.answers(response))?;
                Some((dialog, Owed::No))
            }
        }
    }
}
