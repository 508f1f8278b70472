//! Calls are written down, and taken up again by a later process.
//!
//! A caller who waits hears nothing of it: the INVITE's transaction is open again. A phone that rings is
//! sent the very same INVITE, which it takes for a repetition; if it has answered meanwhile, it answers
//! again. Whoever talks goes on talking; both sides are soon asked whether they are there.

use std::time::{Duration, Instant};

use bytes::Bytes;
use sip::{Limits, Message, Request};
use sip_transaction::{ClientTx, Flow, ServerTx, TransactionLayer};
use smallvec::SmallVec;

use crate::{
    attempts::{Attempt, Attempts, Rang},
    call::{Announced, Call, Company, Connected, Ending, EndingLeg, Stage, Waiting},
    calls::{Calls, ClientUse, SentInvite},
    dialog::{Dialog, Peer},
    ids::{CallId, CallNumber},
    kept::{
        Kept, KeptAttempt, KeptConnected, KeptEnding, KeptLeg, KeptRefresh, KeptStage, KeptUnacked,
        KeptWaiting,
    },
    leg::{Leg, OwedAck, Side, Unacked},
    reliable::Reliable,
    session::{AskBy, Session},
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
        })
    }

    fn keep_connected(&self, layer: &TransactionLayer, connected: &Connected) -> KeptConnected {
        let transfer = connected.transfer();
        let waits_alone = transfer.filter(|transfer| transfer.transferor.is_none());
        KeptConnected {
            invite: connected.invite.bytes().clone(),
            caller: connected.caller.keep(),
            agent: connected.leg(Side::Agent).map(Leg::keep),
            ringing: waits_alone.map_or_else(Vec::new, |transfer| {
                self.keep_attempts(layer, &transfer.ringing)
            }),
            target: connected.leg(Side::Target).map(Leg::keep),
            ends_at: connected.ends_at,
        }
    }

    fn keep_attempts(&self, layer: &TransactionLayer, ringing: &Attempts) -> Vec<KeptAttempt> {
        let keep = |attempt: &Attempt| {
            let (invite, flow) = layer.open_invite(attempt.tx)?;
            let Some(ClientUse::Invite(sent)) = self.client_uses.get(attempt.tx) else {
                return None;
            };
            Some(KeptAttempt {
                id: attempt.id,
                invite: invite.bytes().clone(),
                flow,
                is_behind_nat: sent.peer == Peer::BehindNat,
                rang: attempt.rang == Rang::Yes,
                rings_until: attempt.rings_until,
            })
        };
        ringing.iter().filter_map(keep).collect()
    }

    /// Takes up a call of before. Who talks is asked at `ask_at` whether they are there. Whether the call is
    /// there then: one whose INVITE cannot be read is not.
    pub fn restore(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        kept: Kept,
        ask_at: Instant,
    ) -> bool {
        let Kept {
            number,
            id,
            stage,
            legs_of,
        } = kept;
        self.next_number = self.next_number.max(number.value() + 1);
        let (stage, ringing) = match stage {
            KeptStage::Waiting(waiting) => {
                let ringing = waiting.ringing.clone();
                let waiting = self.restore_waiting(now, layer, number, waiting);
                (waiting.map(|one| Stage::Waiting(Box::new(one))), ringing)
            }
            KeptStage::Connected(connected) => {
                let ringing = connected.ringing.clone();
                let connected = self.restore_connected(now, layer, *connected, ask_at);
                (
                    connected.map(|one| Stage::Connected(Box::new(one))),
                    ringing,
                )
            }
            KeptStage::Ending(legs) => {
                let gives_up_at = now + self.settings.ack_max();
                let legs = legs.into_iter();
                let legs = legs.filter_map(|leg| EndingLeg::restore(leg, gives_up_at));
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
        self.rearm(number);
        true
    }

    fn restore_waiting(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        number: CallNumber,
        kept: KeptWaiting,
    ) -> Option<Waiting> {
        let invite = parse(&kept.invite)?;
        let tx = layer.resume_invite(invite.clone(), kept.flow)?;
        self.server_uses.insert(tx, number);
        Some(Waiting {
            tx,
            reliable: Reliable::of_before(&invite),
            invite,
            flow: kept.flow,
            local_tag: kept.local_tag,
            announced: Announced::Ringing,
            early_media: None,
            ringing: Attempts::default(),
            announce_at: now + self.settings.announce_interval,
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
        let invite = parse(&kept.invite)?;
        let (unacked, mut caller) = Leg::restore(kept.caller, ask_at);
        caller.unacked = unacked.and_then(|unacked| {
            self.restore_unacked(now, layer, &invite, caller.dialog.flow(), &unacked)
        });
        if let Some(target) = kept.target {
            let (_, mut target) = Leg::restore(target, ask_at);
            self.bye(now, layer, &mut target.dialog, None);
        }
        let agent = kept.agent.map(|leg| Leg::restore(leg, ask_at).1);
        let gives_up_at = now + self.settings.wait_max;
        Some(Connected {
            invite,
            caller,
            company: match agent {
                Some(leg) => Company::Agent(leg),
                None => Company::Transfer(Box::new(Transfer::without_agent(gives_up_at))),
            },
            ends_at: kept.ends_at,
        })
    }

    /// The 200 to the INVITE that opened the call is sent again at once. That to a later one is not: its
    /// transaction is gone, and a peer that misses it repeats its INVITE.
    fn restore_unacked(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        invite: &Request,
        flow: Flow,
        kept: &KeptUnacked,
    ) -> Option<Unacked> {
        let ok = message(&kept.ok)?;
        if invite.cseq_number() != kept.cseq {
            return None;
        }
        let tx = layer.resume_invite(invite.clone(), flow)?;
        Some(Unacked {
            ok,
            tx,
            cseq: kept.cseq,
            interval: self.settings.t1,
            resend_at: now,
            give_up_at: now + self.settings.ack_max(),
        })
    }

    /// Sends a phone the INVITE that it has, or should have.
    fn ring_again(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        call: CallNumber,
        kept: &KeptAttempt,
    ) {
        let Some(invite) = parse(&kept.invite) else {
            return;
        };
        let call_id = Bytes::copy_from_slice(invite.call_id());
        let local_tag = Bytes::copy_from_slice(invite.from_tag().unwrap_or_default());
        let uri = Bytes::copy_from_slice(invite.request_uri_bytes().unwrap_or_default());
        let Ok(tx) = layer.request(now, invite, kept.flow) else {
            return;
        };
        let sent = SentInvite {
            call,
            attempt: kept.id,
            call_id,
            local_tag,
            uri,
            flow: kept.flow,
            peer: Peer::of(kept.is_behind_nat),
            early: SmallVec::new(),
            acks: SmallVec::new(),
        };
        self.client_uses
            .insert(tx, ClientUse::Invite(Box::new(sent)));
        if let Some(ringing) = self.ringing_mut(call) {
            ringing.push(Attempt {
                id: kept.id,
                tx,
                rang: if kept.rang { Rang::Yes } else { Rang::No },
                described: Bytes::new(),
                rings_until: kept.rings_until,
            });
        }
    }
}

impl EndingLeg {
    fn keep(&self) -> KeptEnding {
        KeptEnding {
            is_caller: self.side == Side::Caller,
            dialog: self.dialog.keep(),
            unacked: self.unacked.keep(),
        }
    }

    /// The ACK may still come; when it does not, BYE goes out all the same. The 2xx is not sent again:
    /// its transaction is gone.
    fn restore(kept: KeptEnding, gives_up_at: Instant) -> Option<Self> {
        Some(Self {
            side: match kept.is_caller {
                true => Side::Caller,
                false => Side::Agent,
            },
            dialog: Dialog::restore(kept.dialog),
            unacked: Unacked {
                ok: message(&kept.unacked.ok)?,
                tx: ServerTx::default(),
                cseq: kept.unacked.cseq,
                interval: Duration::ZERO,
                resend_at: gives_up_at,
                give_up_at: gives_up_at,
            },
            reason: None,
            is_code: false,
        })
    }
}

impl Leg {
    fn keep(&self) -> KeptLeg {
        KeptLeg {
            dialog: self.dialog.keep(),
            session: self.session.keep(),
            description: self
                .description
                .as_ref()
                .map(|message| message.bytes().clone()),
            unacked: self.unacked.as_ref().map(Unacked::keep),
            owed_ack: self.owed_ack.as_ref().map(|owed| owed.cseq),
        }
    }

    fn restore(kept: KeptLeg, ask_at: Instant) -> (Option<KeptUnacked>, Self) {
        let remote_tag = kept.dialog.remote_tag.clone();
        let (interval, refresh) = kept.session;
        let by = match refresh {
            KeptRefresh::Asked => AskBy::Options,
            KeptRefresh::Update => AskBy::Update,
            KeptRefresh::Invite => AskBy::Invite,
        };
        let mut leg = Self::new(
            Dialog::restore(kept.dialog),
            Session::of_before(interval, by, ask_at),
        );
        leg.description = kept.description.as_ref().and_then(message);
        // The transaction is gone: nobody but its ACK is waited for.
        leg.owed_ack = kept.owed_ack.map(|cseq| OwedAck {
            cseq,
            tx: ClientTx::default(),
            remote_tag,
        });
        (kept.unacked, leg)
    }
}

impl Unacked {
    fn keep(&self) -> KeptUnacked {
        KeptUnacked {
            ok: self.ok.bytes().clone(),
            cseq: self.cseq,
        }
    }
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
