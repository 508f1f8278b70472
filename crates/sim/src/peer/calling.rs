//! The caller's half of a peer.

use std::time::Instant;

use engine::{
    sip::{
        Builder, HeaderName, Message, Method, Request, Response, StatusCode,
        headers::{EarlyOnly, Replaces},
    },
    sip_transaction::{ClientTx, IdSource},
};

use super::{
    HOLD, HungUpBy, OFFER, Peer, PeerEvent, Role, RouteSetOf, Session, SessionId, State, T1, Timer,
    contact_of, route_set, text, with_sdp,
};
use crate::script::Quirk;

impl Peer {
    pub(super) fn handle_response(&mut self, now: Instant, tx: ClientTx, response: &Response) {
        let status = response.status();
        if response.cseq_method() == b"REGISTER" && status.is_success() {
            return self.emit(PeerEvent::Registered);
        }
        let Some(&session) = self.by_client.get(&tx) else {
            return;
        };
        if response.cseq_method() != b"INVITE" || status == StatusCode::TRYING {
            return;
        }
        if status.is_success() {
            self.handle_answer(now, session, response);
        } else if status.is_provisional() {
            if let Some(one) = self.sessions.get_mut(&session)
                && response.to_tag().is_some()
            {
                one.dialog.remote = text(response.header(HeaderName::To).unwrap_or_default());
            }
            let reason = text(response.reason());
            self.emit(PeerEvent::Progress {
                session,
                status,
                reason,
            });
        } else {
            self.fail(now, session, tx, status);
        }
    }

    pub(super) fn handle_failure(&mut self, now: Instant, tx: ClientTx) {
        if let Some(session) = self.by_client.remove(&tx) {
            self.fail(now, session, tx, StatusCode::REQUEST_TIMEOUT);
        }
    }

    fn fail(&mut self, now: Instant, session: SessionId, tx: ClientTx, status: StatusCode) {
        let calling =
            |one: &Session| matches!(one.state, State::Calling { tx: open } if open == tx);
        if !self.sessions.get(&session).is_some_and(calling) {
            return;
        }
        if let Some(one) = self.forget(session) {
            let after = now - one.began;
            self.emit(PeerEvent::Failed {
                session,
                status,
                after,
            });
        }
    }

    /// A 2xx: to the call's INVITE, to a re-INVITE, or a repetition of either.
    fn handle_answer(&mut self, now: Instant, session: SessionId, response: &Response) {
        let Some(mut one) = self.sessions.remove(&session) else {
            return;
        };
        let cseq = response.cseq_number();
        if let State::Calling { .. } = one.state {
            one.dialog.remote = text(response.header(HeaderName::To).unwrap_or_default());
            one.dialog.target = contact_of(response);
            one.dialog.routes = route_set(response, RouteSetOf::Caller);
            one.state = State::Connected {
                unacked: None,
                acks: Vec::new(),
            };
            let after = now - one.began;
            self.emit(PeerEvent::Connected { session, after });
            self.plan_talk(now, session, &one.role);
            if one.role.quirk() == Quirk::ByeBeforeAck {
                return self.end_before_ack(now, session, one);
            }
        }
        let quirk = one.role.quirk();
        if let State::Connected { acks, .. } = &mut one.state
            && quirk != Quirk::NeverAcks
        {
            let flow = self.hop(&one.dialog);
            let known = acks.iter().position(|(number, _)| *number == cseq);
            let at = known.unwrap_or_else(|| {
                let dialog = super::Dialog {
                    cseq,
                    ..one.dialog.clone()
                };
                let answer = if quirk == Quirk::LateOffer && cseq == 1 {
                    OFFER
                } else {
                    ""
                };
                acks.push((cseq, with_sdp(self.start(&Method::Ack, &dialog), answer)));
                acks.len() - 1
            });
            if let Some(flow) = flow {
                self.layer.send(&acks[at].1, flow);
            }
        }
        self.sessions.insert(session, one);
    }

    fn end_before_ack(&mut self, now: Instant, session: SessionId, mut one: Session) {
        let ack = self.start(&Method::Ack, &one.dialog).finish();
        self.forget(session);
        one.dialog.cseq += 1;
        self.send_in_dialog(now, session, &one, &Method::Bye, Builder::finish);
        if let Some(flow) = self.hop(&one.dialog) {
            self.layer.send(&ack, flow);
        }
        let by = HungUpBy::Us;
        self.emit(PeerEvent::Ended { session, by });
    }

    fn plan_talk(&mut self, now: Instant, session: SessionId, role: &Role) {
        self.timers
            .retain(|&(_, of, timer)| of != session || timer != Timer::Patience);
        let Role::Caller(plan) = role else { return };
        if let Some(talk) = plan.talk {
            self.timers.insert((now + talk, session, Timer::HangUp));
        }
        if let Quirk::Hold(after) = plan.quirk {
            self.timers.insert((now + after, session, Timer::Hold));
            self.timers
                .insert((now + 2 * after, session, Timer::Resume));
        }
    }

    pub(super) fn handle_timer(&mut self, now: Instant, session: SessionId, timer: Timer) {
        match timer {
            Timer::Patience => self.give_up(now, session),
            Timer::Answer => self.answer(now, session),
            Timer::ResendAnswer => self.resend_answer(now, session),
            // RFC 3261 §15: the callee must not send a BYE before the ACK to its 2xx has come; a
            // re-INVITE neither.
            Timer::HangUp | Timer::Hold | Timer::Resume | Timer::Transfer
                if self.waits_for_ack(session) =>
            {
                self.timers.insert((now + T1, session, timer));
            }
            Timer::HangUp => self.hang_up(now, session),
            Timer::Hold => self.reinvite(now, session, HOLD),
            Timer::Resume => self.reinvite(now, session, OFFER),
            Timer::Transfer => self.refer(now, session),
        }
    }

    fn waits_for_ack(&self, session: SessionId) -> bool {
        let waits = |one: &Session| {
            matches!(
                one.state,
                State::Connected {
                    unacked: Some(_),
                    ..
                }
            )
        };
        self.sessions.get(&session).is_some_and(waits)
    }

    fn give_up(&mut self, now: Instant, session: SessionId) {
        if let Some(Session {
            state: State::Calling { tx },
            ..
        }) = self.sessions.get(&session)
        {
            self.layer.cancel(now, *tx, None);
        }
    }

    /// BYE from our side.
    pub fn hang_up(&mut self, now: Instant, session: SessionId) {
        let connected = |one: &Session| matches!(one.state, State::Connected { .. });
        if !self.sessions.get(&session).is_some_and(connected) {
            return;
        }
        let Some(mut one) = self.forget(session) else {
            return;
        };
        self.give_up_asking(now, session);
        one.dialog.cseq += 1;
        self.send_in_dialog(now, session, &one, &Method::Bye, Builder::finish);
        self.emit(PeerEvent::Ended {
            session,
            by: HungUpBy::Us,
        });
        self.drain_layer(now);
    }

    /// A re-INVITE without a final answer would wait for one for ever.
    pub(super) fn give_up_asking(&mut self, now: Instant, session: SessionId) {
        let asked = self.by_client.iter().filter(|(_, of)| **of == session);
        let asked: Vec<_> = asked.map(|(&tx, _)| tx).collect();
        for tx in asked {
            self.layer.cancel(now, tx, None);
        }
    }

    fn reinvite(&mut self, now: Instant, session: SessionId, body: &str) {
        self.ask_in_dialog(now, session, &Method::Invite, |builder| {
            with_sdp(builder, body)
        });
    }

    /// The owner of a phone sends the call on.
    fn refer(&mut self, now: Instant, session: SessionId) {
        let to = self.sessions.get(&session).and_then(|one| match one.role {
            Role::Phone(manner) => manner.transfer,
            Role::Caller(_) => None,
        });
        if let Some((_, to)) = to {
            self.ask_in_dialog(now, session, &Method::Refer, |builder| {
                let refer_to = format!("<{to}>");
                builder.header(HeaderName::ReferTo, refer_to).finish()
            });
        }
    }

    /// The owner of a phone brings together whom it has on one call and whom it has called about it:
    /// REFER with Replaces (RFC 5589 §7).
    pub fn transfer_attended(&mut self, now: Instant, session: SessionId, about: SessionId) {
        let Some(other) = self.sessions.get(&about) else {
            return;
        };
        let dialog = &other.dialog;
        let tag = |value: &str| value.rsplit_once(";tag=").map(|(_, tag)| tag.to_owned());
        let (to_tag, from_tag) = (tag(&dialog.remote), tag(&dialog.local));
        let replaces = Replaces {
            call_id: dialog.call_id.as_bytes(),
            to_tag: to_tag.as_deref().unwrap_or_default().as_bytes(),
            from_tag: from_tag.as_deref().unwrap_or_default().as_bytes(),
            early_only: EarlyOnly::No,
        };
        let (target, replaces) = (text(&dialog.target), text(&replaces.to_escaped()));
        let refer_to = format!("<{target}?Replaces={replaces}>");
        self.ask_in_dialog(now, session, &Method::Refer, |builder| {
            builder.header(HeaderName::ReferTo, refer_to).finish()
        });
        self.drain_layer(now);
    }

    fn ask_in_dialog(
        &mut self,
        now: Instant,
        session: SessionId,
        method: &Method,
        write: impl FnOnce(Builder) -> Message,
    ) {
        let Some(mut one) = self.sessions.remove(&session) else {
            return;
        };
        if let State::Connected { .. } = one.state {
            one.dialog.cseq += 1;
            self.send_in_dialog(now, session, &one, method, write);
        }
        self.sessions.insert(session, one);
    }

    fn send_in_dialog(
        &mut self,
        now: Instant,
        session: SessionId,
        one: &Session,
        method: &Method,
        write: impl FnOnce(Builder) -> Message,
    ) {
        let request = write(self.start(method, &one.dialog));
        let flow = self.hop(&one.dialog);
        let sent = Request::new(request).ok().zip(flow);
        if let Some(tx) =
            sent.and_then(|(request, flow)| self.layer.request(now, request, flow).ok())
        {
            self.by_client.insert(tx, session);
        }
    }

    /// Removes a session with its timers.
    pub(super) fn forget(&mut self, session: SessionId) -> Option<Session> {
        self.timers.retain(|&(_, of, _)| of != session);
        self.sessions.remove(&session)
    }

    /// A fresh token, for the phone's half.
    pub(super) const fn ids(&mut self) -> &mut IdSource {
        &mut self.ids
    }
}

impl Role {
    const fn quirk(&self) -> Quirk {
        match self {
            Self::Caller(plan) => plan.quirk,
            Self::Phone(_) => Quirk::None,
        }
    }
}
