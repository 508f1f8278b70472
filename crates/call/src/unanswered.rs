//! INVITEs whose transaction gave up: the phone may have heard the last one, and may still be
//! answered by a person who then hears nothing. Such an answer is acknowledged and hung up.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;
use sip::{Method, Response};
use sip_transaction::{Flow, TransactionLayer};

use crate::{
    call::Stage,
    calls::{Calls, SentAck, SentInvite},
    dialog::{Dialog, Peer},
    event::Event,
    ids::CallNumber,
    kept::KeptUnanswered,
    leg::Leg,
    noted::Noted,
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
    /// agent's phone: then the phone has been hung up.
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
            return self.ack_answer_of_before(layer, response, flow);
        };
        let tag = response.to_tag().unwrap_or_default();
        if let Some(known) = sent.acks.iter().find(|ack| *ack.remote_tag == *tag) {
            layer.send(&known.ack, known.flow);
            return true;
        }
        if sent.acks.len() >= ANSWERS_MAX {
            return false;
        }
        let mut dialog = Dialog::calling(response, &sent.uri, sent.flow, sent.peer);
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
        self.bye(now, layer, &mut dialog, None);
        self.emit(Event::LateAnswer { call, attempt });
        true
    }

    /// A side repeats its 2xx to an INVITE of ours that was sent by a process before this one: our ACK of
    /// then is lost, or was never sent. An ACK without a body does where the INVITE had the offer. One whose
    /// call is over meanwhile has had its BYE, and is acknowledged all the same: one small message for each
    /// that comes. Whether it was so.
    fn ack_answer_of_before(
        &mut self,
        layer: &mut TransactionLayer,
        response: &Response,
        flow: Flow,
    ) -> bool {
        let Some(named) = response.from_tag().and_then(CallNumber::of_tag) else {
            return false;
        };
        let number = self.moved_legs.get(&named).copied().unwrap_or(named);
        let cseq = response.cseq_number();
        let (ack, flow) = match self.table.get(&number).map(|call| &call.stage) {
            Some(Stage::Connected(connected)) => {
                let mut legs = connected.legs();
                let answers = |leg: &&Leg| leg.dialog.answers(response) && leg.owed_ack.is_none();
                let Some(leg) = legs.find(answers) else {
                    return false;
                };
                leg.dialog.ack(cseq, &mut self.ids, &self.locals)
            }
            Some(_) => return false,
            None if named.value() >= self.next_number => return false,
            // It says nowhere that it could be acknowledged at.
            None if response.remote_target().is_err() => return false,
            None => {
                // Back to where it came from: nobody can have it sent elsewhere.
                let dialog = Dialog::calling(response, &[], flow, Peer::BehindNat);
                let (ack, _) = dialog.ack(cseq, &mut self.ids, &self.locals);
                (ack, flow)
            }
        };
        layer.send(&ack.finish(), flow);
        true
    }
}
