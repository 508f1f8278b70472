//! Calls are written down, and taken up again by a later process.
//!
//! A caller who waits hears nothing of it: the INVITE's transaction is open again. A phone that rings is
//! sent the very same INVITE, which it takes for a repetition; if it has answered meanwhile, it answers
//! again. Whoever talks goes on talking; both sides are soon asked whether they are there.

mod parts;

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use sip::{Builder, HeaderName, Limits, Message, Method, Request, StatusCode};
use sip_transaction::{ClientTx, Flow, Refused, ServerTx, TransactionLayer};
use smallvec::SmallVec;

use crate::{
    attempts::{Attempt, Attempts, Rang},
    call::{Announced, Call, Company, Connected, Ending, EndingLeg, Stage, Waiting},
    calls::Calls,
    dialog::Peer,
    ids::{CallId, CallNumber},
    kept::{
        Kept, KeptAttempt, KeptConnected, KeptOnward, KeptStage, KeptUnacked, KeptUnanswered,
        KeptWaiting,
    },
    leg::{AnsweredBy, Leg, Side, Unacked},
    reliable::Reliable,
    sent::{ClientUse, SentInvite},
    transfer::Transfer,
};

impl Calls {
    /// What of a call is to outlive this process; `None` when there is no such call.
    pub fn kept(&self, layer: &TransactionLayer, number: CallNumber) -> Option<Kept> {
        let call = self.table.get(&number)?;
        let legs_of = self.moved_legs.iter();
        let legs_of = legs_of.filter(|&(_, &to)| to == number);
        Some(Kept {
            number,
            id: call.id.to_string(),
            stage: match &call.stage {
                Stage::Waiting(waiting) => KeptStage::Waiting(KeptWaiting {
                    invite: waiting.invite.bytes().clone(),
                    flow: waiting.flow,
                    local_tag: waiting.local_tag.clone(),
                    ringing: self.keep_attempts(layer, &waiting.ringing),
                    gives_up_at: waiting.gives_up_at,
                }),
                Stage::Connected(connected) => {
                    KeptStage::Connected(Box::new(self.keep_connected(layer, connected)))
                }
                Stage::Ending(ending) => {
                    KeptStage::Ending(ending.legs.iter().map(EndingLeg::keep).collect())
                }
            },
            legs_of: legs_of.map(|(&from, _)| from).collect(),
            asked: call
                .relays
                .iter()
                .filter(|relay| relay.what.is_invite())
                .filter_map(|relay| {
                    let invite = layer.server_request(relay.server)?;
                    Some((invite.bytes().clone(), layer.server_flow(relay.server)?))
                })
                .collect(),
        })
    }

    fn keep_connected(&self, layer: &TransactionLayer, connected: &Connected) -> KeptConnected {
        KeptConnected {
            invite: connected.invite.bytes().clone(),
            caller: connected.caller.keep(),
            agent: connected.leg(Side::Agent).map(Leg::keep),
            onward: connected.transfer().map(|transfer| KeptOnward {
                headers: transfer.kept_headers(),
                refer: transfer.refer(),
                ringing: self.keep_attempts(layer, &transfer.ringing),
                target: connected.leg(Side::Target).map(Leg::keep),
                gives_up_at: transfer.gives_up_at,
            }),
            ends_at: connected.ends_at,
        }
    }

    fn keep_attempts(&self, layer: &TransactionLayer, ringing: &Attempts) -> Vec<KeptAttempt> {
        let keep = |attempt: &Attempt| {
            let kept = self.keep_invite(layer, attempt.tx)?;
            Some(KeptAttempt {
                rings_until: attempt.rings_until,
                ..kept
            })
        };
        ringing.iter().filter_map(keep).collect()
    }

    /// An INVITE of ours to a phone that has not answered.
    fn keep_invite(&self, layer: &TransactionLayer, tx: ClientTx) -> Option<KeptAttempt> {
        let (invite, flow) = layer.open_invite(tx)?;
        let Some(ClientUse::Invite(sent)) = self.client_uses.get(tx) else {
            return None;
        };
        Some(KeptAttempt {
            id: sent.attempt,
            invite: invite.bytes().clone(),
            flow,
            is_behind_nat: sent.peer == Peer::BehindNat,
            rings_until: None,
        })
    }

    /// A phone that was to stop ringing and has not said that it did: it may still be answered. For which
    /// call, and the INVITE.
    pub fn kept_withdrawn(
        &self,
        layer: &TransactionLayer,
        tx: ClientTx,
    ) -> Option<(CallNumber, KeptAttempt)> {
        let Some(ClientUse::Invite(sent)) = self.client_uses.get(tx) else {
            return None;
        };
        let call = self.table.get(&sent.call);
        let rings = call.and_then(Call::ringing);
        let is_rung = rings.is_some_and(|rings| rings.iter().any(|one| one.tx == tx));
        let kept = self.keep_invite(layer, tx).filter(|_| !is_rung)?;
        Some((sent.call, kept))
    }

    /// From now on it is noted what changes: for whoever writes it down, and asks [`Calls::drain_touched`]
    /// and [`Calls::drain_touched_unanswered`] again and again.
    pub fn note_touched(&mut self) {
        self.table.note_touched();
        self.unanswered.invites.note_touched();
    }

    /// From now on nothing is noted: nobody writes it down any more.
    pub fn note_nothing(&mut self) {
        self.table.note_nothing();
        self.unanswered.invites.note_nothing();
    }

    /// How many notes nobody has asked for yet.
    pub fn notes(&self) -> usize {
        self.table.notes() + self.unanswered.invites.notes()
    }

    /// The calls of which [`Calls::kept`] may say something else than when this was last asked for. In no
    /// order, some perhaps twice, some perhaps gone.
    pub fn drain_touched(&mut self) -> impl Iterator<Item = CallNumber> {
        self.table.drain_touched()
    }

    /// As [`Calls::drain_touched`], for [`Calls::kept_unanswered`].
    pub fn drain_touched_unanswered(&mut self) -> impl Iterator<Item = Bytes> {
        self.unanswered.invites.drain_touched()
    }

    /// The call for which a phone was rung by this transaction, while it is open.
    pub fn rung_for(&self, tx: ClientTx) -> Option<CallNumber> {
        match self.client_uses.get(tx)? {
            ClientUse::Invite(sent) => Some(sent.call),
            _ => None,
        }
    }

    /// The call whose INVITE this is.
    pub fn invited_by(&self, tx: ServerTx) -> Option<CallNumber> {
        self.server_uses.get(tx).copied()
    }

    /// A phone that was to stop ringing is told so again: the same INVITE, and a CANCEL as soon as it has
    /// said anything. One that is answered all the same is hung up.
    pub fn restore_withdrawn(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        call: CallNumber,
        kept: &KeptAttempt,
    ) {
        if let Some(tx) = self.send_again(now, layer, call, kept) {
            layer.cancel(now, tx, None);
        }
    }

    /// The CSeq number of our last INVITE before this BYE.
    pub fn invited_before_bye(&self, tx: ClientTx) -> Option<u32> {
        match self.client_uses.get(tx)? {
            ClientUse::Bye(invited) => *invited,
            _ => None,
        }
    }

    /// Says goodbye again to somebody who may not have heard it, and acknowledges first whatever that one
    /// may have answered to the INVITE of this CSeq number.
    pub fn restore_bye(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        bye: &Bytes,
        (flow, invited): (Flow, Option<u32>),
    ) {
        let Some(bye) = parse(bye) else { return };
        if let Some(cseq) = invited {
            let ack = Builder::request(&Method::Ack, bye.uri_bytes())
                .header(HeaderName::Via, self.locals.via(flow, &self.ids.branch()))
                .header(HeaderName::MaxForwards, "70")
                .copy(&bye, HeaderName::Route)
                .copy(&bye, HeaderName::From)
                .copy(&bye, HeaderName::To)
                .copy(&bye, HeaderName::CallId)
                .cseq(cseq, &Method::Ack);
            layer.send(&ack.finish(), flow);
        }
        if let Ok(tx) = layer.request(now, bye.clone(), flow) {
            self.note_bye(tx, &bye, invited);
        }
    }

    /// Goes on refusing an INVITE whose sender may not have heard that.
    pub fn restore_refused(&self, now: Instant, layer: &mut TransactionLayer, kept: &Refused) {
        if let (Some(invite), Some(answer)) = (parse(&kept.invite), message(&kept.answer)) {
            layer.resume_refused(now, Arc::new(invite), kept.flow, answer);
        }
    }

    /// A phone that was given up, and may still be answered: by the Call-ID of our INVITE.
    pub fn kept_unanswered(&self, call_id: &Bytes) -> Option<KeptUnanswered> {
        self.unanswered.keep(call_id)
    }

    /// The Call-IDs of all phones that were given up.
    pub fn unanswered(&self) -> impl Iterator<Item = &Bytes> {
        self.unanswered.invites.keys()
    }

    /// Numbers of calls begin here, so that none is used again that another process has used.
    pub fn begin_numbers_at(&mut self, number: CallNumber) {
        self.next_number = self.next_number.max(number.value());
    }

    /// How many processes there were from that in which a call began to this one.
    fn processes_since(&self, call: CallNumber) -> u32 {
        call.processes_until(CallNumber::from_value(self.next_number))
            .max(1)
    }

    /// Phones that were given up are known again.
    pub fn restore_unanswered(&mut self, now: Instant, kept: KeptUnanswered) {
        let sent = SentInvite {
            call: kept.call,
            attempt: kept.attempt,
            call_id: kept.call_id,
            local_tag: kept.local_tag,
            uri: kept.uri,
            flow: kept.flow,
            peer: Peer::of(kept.is_behind_nat),
            early: SmallVec::new(),
            acks: SmallVec::new(),
            is_misanswered: false,
            processes_before: self.processes_since(kept.call),
            again: None,
        };
        self.unanswered.remember(now, sent);
    }

    /// Takes up a call of before. At `due_at` who waits is told so, and who talks is asked whether they are
    /// there. Whether the call is
    /// there then: one whose INVITE cannot be read is not.
    pub fn restore(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        kept: Kept,
        due_at: Instant,
    ) -> bool {
        let Kept {
            number,
            id,
            stage,
            legs_of,
            asked,
        } = kept;
        self.next_number = self.next_number.max(number.value() + 1);
        let (stage, ringing) = match stage {
            KeptStage::Waiting(waiting) => {
                let ringing = waiting.ringing.clone();
                let waiting = self.restore_waiting(layer, number, waiting, due_at);
                (waiting.map(|one| Stage::Waiting(Box::new(one))), ringing)
            }
            KeptStage::Connected(connected) => {
                let onward = connected.onward.as_ref();
                let ringing = onward.map_or_else(Vec::new, |onward| onward.ringing.clone());
                let connected = self.restore_connected(now, layer, *connected, due_at);
                (
                    connected.map(|one| Stage::Connected(Box::new(one))),
                    ringing,
                )
            }
            KeptStage::Ending(legs) => {
                let gives_up_at = now + self.settings.ack_max();
                let legs = legs.into_iter();
                let t1 = self.settings.t1;
                let legs = legs.filter_map(|leg| EndingLeg::restore(leg, now, gives_up_at, t1));
                let legs: SmallVec<_> = legs.collect();
                let is_left = !legs.is_empty();
                let ending = is_left.then(|| Stage::Ending(Box::new(Ending { legs })));
                (ending, Vec::new())
            }
        };
        let Some(stage) = stage else { return false };
        let call = Call {
            id: CallId::of(&id),
            stage,
            relays: SmallVec::new(),
        };
        self.table.insert(number, call);
        self.moved_legs
            .extend(legs_of.into_iter().map(|from| (from, number)));
        for attempt in ringing {
            self.ring_again(now, layer, number, &attempt);
        }
        for (invite, flow) in asked {
            if let Some(tx) =
                parse(&invite).and_then(|invite| layer.resume_invite(Arc::new(invite), flow))
            {
                self.answer(now, layer, tx, StatusCode::REQUEST_PENDING);
            }
        }
        self.rearm(number);
        true
    }

    fn restore_waiting(
        &mut self,
        layer: &mut TransactionLayer,
        number: CallNumber,
        kept: KeptWaiting,
        announce_at: Instant,
    ) -> Option<Waiting> {
        let invite = Arc::new(parse(&kept.invite)?);
        let tx = layer.resume_invite(Arc::clone(&invite), kept.flow)?;
        self.server_uses.insert(tx, number);
        Some(Waiting {
            tx,
            reliable: Reliable::of_before(&invite),
            invite,
            flow: kept.flow,
            is_behind_nat: false,
            local_tag: kept.local_tag,
            announced: Announced::Ringing,
            early_media: None,
            ringing: Attempts::default(),
            announce_at,
            gives_up_at: kept.gives_up_at,
        })
    }

    fn restore_connected(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        kept: KeptConnected,
        ask_at: Instant,
    ) -> Option<Connected> {
        let invite = Arc::new(parse(&kept.invite)?);
        let (unacked, mut caller) = Leg::restore(kept.caller, ask_at);
        caller.unacked = unacked.and_then(|unacked| {
            self.restore_unacked(now, layer, &invite, caller.dialog.flow(), &unacked)
        });
        let agent = kept.agent.map(|leg| {
            let (unacked, mut agent) = Leg::restore(leg, ask_at);
            agent.unacked = unacked.and_then(|kept| {
                let gives_up_at = now + self.settings.ack_max();
                Unacked::restore(
                    &kept,
                    agent.dialog.flow(),
                    now,
                    gives_up_at,
                    self.settings.t1,
                )
            });
            agent
        });
        self.acknowledge_again(layer, &caller);
        // One who has asked for a transfer, too.
        if let Some(agent) = &agent {
            self.acknowledge_again(layer, agent);
        }
        let company = match (kept.onward, agent) {
            (Some(mut onward), agent) => {
                if let Some(target) = onward.target.take() {
                    let (_, mut target) = Leg::restore(target, ask_at);
                    self.acknowledge(layer, &target);
                    self.bye(now, layer, &mut target.dialog, None);
                }
                Company::Transfer(Box::new(Transfer::restore(onward, agent)))
            }
            (None, Some(agent)) => Company::Agent(agent),
            (None, None) => return None,
        };
        Some(Connected {
            invite,
            caller,
            company,
            ends_at: kept.ends_at,
        })
    }

    /// Whoever answered may still wait for our ACK.
    fn acknowledge_again(&mut self, layer: &mut TransactionLayer, leg: &Leg) {
        if leg.owed_ack.is_none() {
            self.acknowledge(layer, leg);
        }
    }

    fn acknowledge(&mut self, layer: &mut TransactionLayer, leg: &Leg) {
        if let Some(cseq) = leg.dialog.invited() {
            let (ack, flow) = leg.dialog.ack(cseq, &mut self.ids, &self.locals);
            layer.send(&ack.finish(), flow);
        }
    }

    /// A 2xx that is not acknowledged is sent again at once. The transaction of the INVITE that opened the
    /// call is taken up, so that a repetition of it is known.
    fn restore_unacked(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        invite: &Arc<Request>,
        flow: Flow,
        kept: &KeptUnacked,
    ) -> Option<Unacked> {
        let gives_up_at = now + self.settings.ack_max();
        let is_first = invite.cseq_number() == kept.cseq;
        let mut unacked = Unacked::restore(kept, flow, now, gives_up_at, self.settings.t1)?;
        if let Some(tx) = is_first
            .then(|| layer.resume_invite(Arc::clone(invite), flow))
            .flatten()
        {
            unacked.by = AnsweredBy::Transaction(tx);
        }
        Some(unacked)
    }

    /// Sends a phone the INVITE that it has, or should have.
    fn ring_again(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        call: CallNumber,
        kept: &KeptAttempt,
    ) {
        let Some(tx) = self.send_again(now, layer, call, kept) else {
            return;
        };
        if let Some(ringing) = self.ringing_mut(call) {
            ringing.push(Attempt {
                id: kept.id,
                tx,
                // It says so again: not worth a row each time that a phone begins to ring.
                rang: Rang::No,
                described: Bytes::new(),
                rings_until: kept.rings_until,
            });
        }
    }

    /// The same INVITE in a transaction of its own, whose answers are waited for.
    fn send_again(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        call: CallNumber,
        kept: &KeptAttempt,
    ) -> Option<ClientTx> {
        let (invite, sent) = sent_again(call, kept, self.processes_since(call))?;
        let tx = layer.request(now, invite, kept.flow).ok()?;
        self.client_uses
            .insert(tx, ClientUse::Invite(Box::new(sent)));
        Some(tx)
    }
}

/// An INVITE of ours to a phone, and what is known of it.
fn sent_again(
    call: CallNumber,
    kept: &KeptAttempt,
    processes_before: u32,
) -> Option<(Request, SentInvite)> {
    let invite = parse(&kept.invite)?;
    let sent = SentInvite {
        call,
        attempt: kept.id,
        call_id: Bytes::copy_from_slice(invite.call_id()),
        local_tag: Bytes::copy_from_slice(invite.from_tag().unwrap_or_default()),
        uri: Bytes::copy_from_slice(invite.request_uri_bytes().unwrap_or_default()),
        flow: kept.flow,
        peer: Peer::of(kept.is_behind_nat),
        early: SmallVec::new(),
        acks: SmallVec::new(),
        is_misanswered: false,
        processes_before,
        again: None,
    };
    Some((invite, sent))
}

fn parse(bytes: &Bytes) -> Option<Request> {
    Request::new(message(bytes)?).ok()
}

/// It was taken once, by whatever limits.
fn message(bytes: &Bytes) -> Option<Message> {
    let any = usize::from(u16::MAX);
    let limits = Limits {
        message_len: any,
        head_len: any,
        header_count: any,
        line_len: any,
        element_count: any,
    };
    Message::parse(bytes.clone(), &limits).ok()
}
