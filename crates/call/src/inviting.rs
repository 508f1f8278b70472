//! Sending the INVITE that rings somebody, and what it says of the caller and of the call.

use std::{
    borrow::Cow,
    time::{Duration, Instant},
};

use bytes::Bytes;
use sip::{Builder, HeaderName, Message, Method, NameAddr, Request, UriBuf};
use sip_transaction::{ClientTx, Target, TransactionLayer};
use smallvec::SmallVec;

use crate::{
    attempts::{Attempt, Rang},
    call::{Call, Stage},
    calls::Calls,
    carry,
    dialog::Peer,
    event::{AgentFailure, Event},
    ids::{AttemptId, CallNumber},
    reliable::OPTION_100REL,
    ringing::ALLOW,
    sent::{Again, ClientUse, SentInvite},
    session,
};

/// A caller whose From cannot be read by a phone (RFC 3323 §4.1.1.3).
const ANONYMOUS: &[u8] = b"\"Anonymous\" <sip:anonymous@anonymous.invalid>";

/// A telephone outside, to which a call goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outside {
    /// Until when it may ring in a transfer.
    pub rings_until: Instant,
    /// Whether it may learn who calls.
    pub identity: Identity,
}

/// Whether somebody learns who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The caller's identity goes along.
    Shown,
    /// The caller has asked for privacy, and who is rung must not know.
    Withheld,
    /// This URI in place of the caller's: the number that calls of a centre show.
    Presented(UriBuf),
}

/// Who is rung.
#[derive(Clone, Debug)]
pub(crate) enum Whom {
    Agent,
    Outside(Outside),
}

impl Whom {
    /// The From of whom they are called by, without its tag.
    fn identity<'a>(&self, caller: &'a Request) -> Cow<'a, [u8]> {
        match self {
            Self::Outside(Outside {
                identity: Identity::Withheld,
                ..
            }) => ANONYMOUS.into(),
            Self::Outside(Outside {
                identity: Identity::Presented(uri),
                ..
            }) => [b"<", &**uri.as_bytes(), b">"].concat().into(),
            Self::Agent | Self::Outside(_) => caller_identity(caller).into(),
        }
    }

    pub(crate) const fn rings_until(&self) -> Option<Instant> {
        match self {
            Self::Agent => None,
            Self::Outside(outside) => Some(outside.rings_until),
        }
    }
}

impl Calls {
    /// Sends the caller's INVITE to an agent's phone; in a transfer without an offer, which the phone
    /// makes then. How it ends is told by [`Event::AgentAnswered`] or [`Event::AgentFailed`], once,
    /// unless the attempt is withdrawn or the call ends before.
    ///
    /// A phone that has not answered the BYE of its last call is rung when it has.
    ///
    /// Several phones may ring for one call, up to [`ATTEMPTS_MAX`]: the first that answers has it, and
    /// the others are told so. An attempt for a call that neither waits nor is being transferred, or
    /// that somebody has answered, is ignored.
    ///
    /// [`ATTEMPTS_MAX`]: crate::ATTEMPTS_MAX
    pub fn ring(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        call: CallNumber,
        attempt: AttemptId,
        target: &Target,
    ) {
        if !self.waits_for_bye(now, call, attempt, target) {
            self.ring_somebody(now, layer, call, attempt, target, Whom::Agent);
        }
    }

    /// Sends a call to a telephone outside, which learns who calls and, but for the session description
    /// of a call that waits, nothing else of what the caller's INVITE said. Ends like [`Calls::ring`], at the latest after
    /// `outside.rings_until`.
    pub fn ring_outside(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        call: CallNumber,
        attempt: AttemptId,
        target: &Target,
        outside: Outside,
    ) {
        self.ring_somebody(now, layer, call, attempt, target, Whom::Outside(outside));
    }

    pub(crate) fn ring_somebody(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        call: CallNumber,
        attempt: AttemptId,
        target: &Target,
        whom: Whom,
    ) {
        let may_ring = self
            .ringing_mut(call)
            .is_some_and(|ringing| !ringing.is_full());
        if !may_ring || self.is_joining(call) {
            return;
        }
        let rings_until = whom.rings_until();
        let usual = Some(self.settings.session_interval);
        let Some(tx) = self.send_invite(now, layer, (call, attempt), target, (whom, usual)) else {
            self.emit(Event::AgentFailed {
                call,
                attempt,
                cause: AgentFailure::Unreachable,
            });
            return;
        };
        if let Some(ringing) = self.ringing_mut(call) {
            ringing.push(Attempt {
                id: attempt,
                tx,
                rang: Rang::No,
                described: Bytes::new(),
                rings_until,
            });
        }
        self.rearm(call);
    }

    /// Sends an INVITE, which proposes sessions of this interval; one that proposes none is not said again.
    fn send_invite(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        (call, attempt): (CallNumber, AttemptId),
        target: &Target,
        (whom, interval): (Whom, Option<Duration>),
    ) -> Option<ClientTx> {
        // This may have waited, and the phone have come back by another way meanwhile.
        let flow = layer.instead_of(target.flow);
        let invite = self.agent_invite(call, target, &whom, interval)?;
        let call_id = Bytes::copy_from_slice(invite.call_id());
        let local_tag = Bytes::copy_from_slice(invite.from_tag().unwrap_or_default());
        let tx = layer.request(now, invite, flow).ok()?;
        let sent = SentInvite {
            call,
            attempt,
            call_id,
            local_tag,
            uri: target.uri.clone(),
            flow,
            peer: self.peer_of(target),
            early: SmallVec::new(),
            acks: SmallVec::new(),
            is_misanswered: false,
            processes_before: 0,
            again: interval.map(|_| Again {
                routes: target.routes.clone(),
                whom,
            }),
        };
        self.client_uses
            .insert(tx, ClientUse::Invite(Box::new(sent)));
        Some(tx)
    }

    /// A phone wants longer sessions than those that we proposed (422, RFC 4028 §6): it is rung once more without a proposal,
    /// and may say what it wants. Whether it is.
    pub(crate) fn ring_without_proposal(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        tx: ClientTx,
    ) -> bool {
        let Some(ClientUse::Invite(sent)) = self.client_uses.get_mut(tx) else {
            return false;
        };
        let (call, attempt) = (sent.call, sent.attempt);
        let (uri, flow) = (sent.uri.clone(), sent.flow);
        let Some(Again { routes, whom }) = sent.again.take() else {
            return false;
        };
        if self.call_ringing(tx) != Some(call) {
            return false;
        }
        let target = Target { uri, flow, routes };
        let Some(next) = self.send_invite(now, layer, (call, attempt), &target, (whom, None))
        else {
            return false;
        };
        let ringing = self.ringing_mut(call);
        if let Some(attempt) = ringing.and_then(|ringing| ringing.of_mut(tx)) {
            attempt.tx = next;
        }
        true
    }

    /// A phone whose contact, as an address, is not where it is reached, and that no proxy stands
    /// before, is behind a NAT.
    fn peer_of(&self, target: &Target) -> Peer {
        let named = sip::Uri::parse(&target.uri)
            .ok()
            .and_then(|uri| self.locals.flow_to(&uri));
        match named {
            Some(named) if named.remote != target.flow.remote && target.routes.is_empty() => {
                Peer::BehindNat
            }
            _ => Peer::AtItsContact,
        }
    }

    /// The INVITE to a phone, with the session interval that is proposed; `None` when the call can ring nobody.
    pub(crate) fn agent_invite(
        &mut self,
        call: CallNumber,
        target: &Target,
        whom: &Whom,
        interval: Option<Duration>,
    ) -> Option<Request> {
        let from_tag = call.tag(&mut self.ids);
        let Call { id, stage, .. } = self.table.get(&call)?;
        let (caller, transfer) = match stage {
            Stage::Waiting(waiting) => (&waiting.invite, None),
            Stage::Connected(connected) => (&connected.invite, Some(connected.transfer()?)),
            Stage::Ending(_) => return None,
        };
        // RFC 3261 §16.6 step 3, kept over a back-to-back user agent so that a loop ends.
        let max_forwards = caller
            .max_forwards()
            .map_or(70, |hops| hops.saturating_sub(1));
        let mut builder = Builder::request(&Method::Invite, &target.uri)
            .header(
                HeaderName::Via,
                self.locals.via(target.flow, &self.ids.branch()),
            )
            .header_fmt(HeaderName::MaxForwards, format_args!("{max_forwards}"));
        for route in &target.routes {
            builder = builder.header(HeaderName::Route, route);
        }
        let from = [&*whom.identity(caller), b";tag=", &from_tag].concat();
        let token = self.ids.token();
        let builder = builder
            .header(HeaderName::From, from)
            .header(HeaderName::To, [b"<", &*target.uri, b">"].concat())
            .header(HeaderName::CallId, token)
            .header(HeaderName::CSeq, "1 INVITE")
            .header(HeaderName::Contact, self.locals.contact(target.flow))
            .header(HeaderName::Allow, ALLOW);
        let builder = session::propose(builder, interval);
        if let Whom::Outside(outside) = whom {
            let builder = match &outside.identity {
                Identity::Shown => builder.copy(caller, HeaderName::PAssertedIdentity),
                Identity::Withheld => builder,
                Identity::Presented(_) => {
                    builder.header(HeaderName::PAssertedIdentity, whom.identity(caller))
                }
            };
            let builder = builder.copy(caller, HeaderName::Privacy);
            let Some(_) = transfer else {
                return Request::new(carry::description_alone(builder, caller)).ok();
            };
            return builder.finish_request().ok();
        }
        let builder = carry::call_id(builder, id, &self.settings.domain);
        let Some(transfer) = transfer else {
            return Request::new(Self::with_offer(builder, caller)).ok();
        };
        let builder = transfer.headers().fold(builder, |builder, (name, value)| {
            builder.header(name, value)
        });
        Request::new(carry::invite_without_offer(builder, caller)).ok()
    }

    /// A waiting caller's INVITE, to a phone.
    fn with_offer(builder: Builder, caller: &Request) -> Message {
        // Without an offer of ours a reliable response would bring one, and its PRACK the answer that
        // only the caller can give.
        let builder = if carry::has_description(caller) {
            builder.header(HeaderName::Supported, OPTION_100REL)
        } else {
            builder
        };
        carry::invite(builder, caller).finish_with_body(caller.body_bytes())
    }
}

/// The caller's From without its tag: name and URI as the operator sent them.
fn caller_identity(invite: &Request) -> &[u8] {
    let raw = invite.header(HeaderName::From).unwrap_or_default();
    match NameAddr::parse(raw) {
        Ok(from) if from.uri().is_ok() => {
            let params = from.params.as_bytes().len();
            &raw[..raw.len() - params]
        }
        _ => ANONYMOUS,
    }
}
