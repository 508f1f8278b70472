//! The phone's half of a peer.

use std::time::{Duration, Instant};

use bytes::Bytes;
use engine::{
    sip::{HeaderName, Message, Method, Request, StatusCode},
    sip_transaction::{Flow, ServerTx},
};

use super::{
    Dialog, HungUpBy, OFFER, Peer, PeerEvent, Role, RouteSetOf, Session, SessionId, State, T1, T2,
    Timer, Unacked, contact_of, route_set, text, with_sdp,
};
use crate::script::{Answer, Manner};

/// How long a phone that nobody picks up rings, unless it is cancelled.
const RINGS_MAX: Duration = Duration::from_secs(120);

impl Peer {
    pub(super) fn handle_request(
        &mut self,
        now: Instant,
        tx: ServerTx,
        request: &Request,
        flow: Flow,
    ) {
        match request.method() {
            Method::Invite if request.to_tag().is_none() => self.ring(now, tx, request, flow),
            Method::Invite | Method::Info | Method::Update | Method::Message | Method::Notify => {
                self.handle_in_session(now, tx, request);
            }
            Method::Bye => self.handle_bye(now, tx, request),
            Method::Options => {
                let is_known = request.to_tag().is_none() || self.session_of(request).is_some();
                let status = match is_known {
                    true => StatusCode::OK,
                    false => StatusCode::CALL_DOES_NOT_EXIST,
                };
                self.reply(now, tx, status, None);
            }
            _ => self.reply(now, tx, StatusCode::METHOD_NOT_ALLOWED, None),
        }
    }

    fn ring(&mut self, now: Instant, tx: ServerTx, invite: &Request, flow: Flow) {
        let manner = self.manner_of(invite);
        let answer_at = match manner.answer {
            Answer::Dead => return,
            Answer::Busy => return self.reply(now, tx, StatusCode::BUSY_HERE, None),
            Answer::After(after) | Answer::Twice(after) | Answer::DeclineAfter(after) => {
                now + after
            }
            Answer::Never | Answer::WhenCancelled => now + RINGS_MAX,
        };
        let session = SessionId(self.next_session);
        self.next_session += 1;
        let tag = self.ids().token();
        let to = text(invite.header(HeaderName::To).unwrap_or_default());
        let dialog = Dialog {
            call_id: text(invite.call_id()),
            local: format!("{to};tag={tag}"),
            remote: text(invite.header(HeaderName::From).unwrap_or_default()),
            target: contact_of(invite),
            routes: route_set(invite, RouteSetOf::Callee),
            flow: Some(flow),
            cseq: 0,
        };
        let state = State::Ringing { tx };
        let role = Role::Phone(manner);
        self.sessions.insert(
            session,
            Session {
                role,
                began: now,
                state,
                dialog,
            },
        );
        self.by_server.insert(tx, session);
        self.reply(now, tx, StatusCode::RINGING, Some(session));
        self.timers.insert((answer_at, session, Timer::Answer));
    }

    /// Picks up, declines, or stops ringing.
    pub(super) fn answer(&mut self, now: Instant, session: SessionId) {
        let Some(one) = self.sessions.get(&session) else {
            return;
        };
        let (State::Ringing { tx }, Role::Phone(manner)) = (&one.state, &one.role) else {
            return;
        };
        let (tx, manner) = (*tx, *manner);
        match manner.answer {
            Answer::DeclineAfter(_) => self.decline(now, session, tx, StatusCode::DECLINE),
            Answer::Never | Answer::WhenCancelled => {
                self.decline(now, session, tx, StatusCode::TEMPORARILY_UNAVAILABLE);
            }
            _ => self.pick_up(now, session, tx, manner),
        }
    }

    fn decline(&mut self, now: Instant, session: SessionId, tx: ServerTx, status: StatusCode) {
        self.reply(now, tx, status, Some(session));
        let after = now - one_began(self.forget(session), now);
        self.emit(PeerEvent::Failed {
            session,
            status,
            after,
        });
    }

    fn pick_up(&mut self, now: Instant, session: SessionId, tx: ServerTx, manner: Manner) {
        let Some(one) = self.sessions.get(&session) else {
            return;
        };
        let contact = self.contact(user_of(&one.dialog));
        let tag = tag_of(&one.dialog.local);
        let builder = self
            .layer
            .response_builder(tx, StatusCode::OK, "OK", Some(tag.as_bytes()));
        let Some(builder) = builder else {
            // Nobody waits for the answer any more.
            self.forget(session);
            return;
        };
        let builder = self
            .layer
            .server_request(tx)
            .iter()
            .fold(builder, |builder, invite| {
                builder.copy(invite, HeaderName::RecordRoute)
            })
            .header(HeaderName::Contact, contact);
        let ok = with_sdp(builder, OFFER);
        // Made while the request is there: the first answer lets go of it.
        let other = match manner.answer {
            Answer::Twice(_) => self.answer_elsewhere(tx),
            _ => None,
        };
        self.layer.respond(now, tx, ok.clone());
        if let Some(other) = other {
            self.layer.respond(now, tx, other);
        }
        let Some(one) = self.sessions.get_mut(&session) else {
            return;
        };
        let unacked = Unacked {
            tx,
            ok,
            interval: T1,
            sent_until: now + 64 * T1,
        };
        one.state = State::Connected {
            unacked: Some(Box::new(unacked)),
            acks: Vec::new(),
        };
        let after = now - one.began;
        self.timers.insert((now + T1, session, Timer::ResendAnswer));
        if let Some(hold) = manner.hold {
            self.timers.insert((now + hold, session, Timer::Hold));
            self.timers.insert((now + 2 * hold, session, Timer::Resume));
        }
        if let Some((after, _)) = manner.transfer {
            self.timers.insert((now + after, session, Timer::Transfer));
        }
        if let Some(talk) = manner.talk {
            self.timers.insert((now + talk, session, Timer::HangUp));
        }
        self.emit(PeerEvent::Connected { session, after });
    }

    /// What another phone answers as well; it is not there any more when it is hung up.
    fn answer_elsewhere(&mut self, tx: ServerTx) -> Option<Message> {
        let tag = self.ids().token();
        let contact = self.contact(None);
        let layer = &mut self.layer;
        let builder = layer.response_builder(tx, StatusCode::OK, "OK", Some(tag.as_bytes()));
        let builder = layer
            .server_request(tx)
            .iter()
            .fold(builder?, |builder, invite| {
                builder.copy(invite, HeaderName::RecordRoute)
            })
            .header(HeaderName::Contact, contact);
        Some(with_sdp(builder, OFFER))
    }

    pub(super) fn resend_answer(&mut self, now: Instant, session: SessionId) {
        let Some(Session {
            state:
                State::Connected {
                    unacked: Some(unacked),
                    ..
                },
            ..
        }) = self.sessions.get_mut(&session)
        else {
            return;
        };
        if unacked.sent_until <= now {
            return self.hang_up(now, session);
        }
        unacked.interval = (2 * unacked.interval).min(T2);
        let next = now + unacked.interval;
        let (tx, ok) = (unacked.tx, unacked.ok.clone());
        self.layer.respond(now, tx, ok);
        self.timers.insert((next, session, Timer::ResendAnswer));
    }

    /// An ACK is that of the INVITE whose CSeq number it has (RFC 3261 §13.2.2.4).
    pub(super) fn handle_ack(&mut self, ack: &Request) {
        if let Some(session) = self.session_of(ack)
            && let Some(Session {
                state: State::Connected { unacked, .. },
                ..
            }) = self.sessions.get_mut(&session)
            && unacked
                .take_if(|unacked| unacked.cseq() == Some(ack.cseq_number()))
                .is_some()
        {
            self.timers
                .retain(|&(_, of, timer)| of != session || timer != Timer::ResendAnswer);
        }
    }

    pub(super) fn handle_cancelled(&mut self, now: Instant, tx: ServerTx) {
        let Some(&session) = self.by_server.get(&tx) else {
            return;
        };
        let Some(one) = self.sessions.get(&session) else {
            return;
        };
        let State::Ringing { .. } = one.state else {
            return;
        };
        if let Role::Phone(manner) = one.role
            && manner.answer == Answer::WhenCancelled
        {
            return self.pick_up(now, session, tx, manner);
        }
        self.decline(now, session, tx, StatusCode::REQUEST_TERMINATED);
    }

    fn handle_bye(&mut self, now: Instant, tx: ServerTx, bye: &Request) {
        let Some(session) = self.session_of(bye) else {
            return self.reply(now, tx, StatusCode::CALL_DOES_NOT_EXIST, None);
        };
        self.reply(now, tx, StatusCode::OK, None);
        self.give_up_asking(now, session);
        self.forget(session);
        self.emit(PeerEvent::Ended {
            session,
            by: HungUpBy::Them,
        });
    }

    fn handle_in_session(&mut self, now: Instant, tx: ServerTx, request: &Request) {
        let Some(session) = self.session_of(request) else {
            return self.reply(now, tx, StatusCode::CALL_DOES_NOT_EXIST, None);
        };
        let method = request.method().to_string();
        self.emit(PeerEvent::Body {
            session,
            method,
            body: request.body(),
        });
        let Some(builder) = self.layer.response_builder(tx, StatusCode::OK, "OK", None) else {
            return;
        };
        let builder = builder.header(HeaderName::Contact, self.contact(None));
        let body = if *request.method() == Method::Invite {
            OFFER
        } else {
            ""
        };
        let ok = with_sdp(builder, body);
        self.layer.respond(now, tx, ok.clone());
        if *request.method() == Method::Invite
            && let Some(Session {
                state: State::Connected { unacked, .. },
                ..
            }) = self.sessions.get_mut(&session)
        {
            *unacked = Some(Box::new(Unacked {
                tx,
                ok,
                interval: T1,
                sent_until: now + 64 * T1,
            }));
            self.timers.insert((now + T1, session, Timer::ResendAnswer));
        }
    }

    fn reply(
        &mut self,
        now: Instant,
        tx: ServerTx,
        status: StatusCode,
        session: Option<SessionId>,
    ) {
        let tag = session
            .and_then(|session| self.sessions.get(&session))
            .map(|one| tag_of(&one.dialog.local).to_owned());
        let tag = tag.unwrap_or_else(|| self.ids().token());
        let reason = status.reason();
        if let Some(builder) = self
            .layer
            .response_builder(tx, status, reason, Some(tag.as_bytes()))
        {
            let contact = self.contact(None);
            self.layer.respond(
                now,
                tx,
                builder.header(HeaderName::Contact, contact).finish(),
            );
        }
    }

    /// The session of a request inside a dialog, by Call-ID and our own tag.
    fn session_of(&self, request: &Request) -> Option<SessionId> {
        let tag = Bytes::copy_from_slice(request.to_tag()?);
        let is_it = |one: &Session| {
            one.dialog.call_id.as_bytes() == request.call_id()
                && tag_of(&one.dialog.local).as_bytes() == tag
        };
        self.sessions
            .iter()
            .find(|(_, one)| is_it(one))
            .map(|(&session, _)| session)
    }
}

/// The phone that was rung: several share the address.
fn user_of(dialog: &Dialog) -> Option<&str> {
    let user = dialog.local.strip_prefix("<sip:")?;
    Some(user.split_once('@')?.0)
}

pub(super) fn tag_of(value: &str) -> &str {
    value.rsplit_once(";tag=").map_or("", |(_, tag)| tag)
}

fn one_began(one: Option<Session>, now: Instant) -> Instant {
    one.map_or(now, |one| one.began)
}
