//! Requests inside a call: what one side asks is asked of the other, and its answer goes back.

use std::{sync::Arc, time::Instant};

use sip::{HeaderName, Method, Request, Response, StatusCode};
use sip_transaction::{ClientTx, Failure, Flow, ServerTx, TransactionLayer};

use crate::{
    call::{Connected, RELAYS_MAX, Relay, Relayed, Stage},
    calls::Calls,
    carry,
    dialog::Sequence,
    event::{EndCause, Event, Routed},
    ids::CallNumber,
    leg::{HungUp, Side},
    ringing::ALLOW,
    sent::{ClientUse, SentInside},
};

impl Calls {
    /// Handles a request that has a To-tag, unless it is an ACK or a CANCEL.
    pub fn handle_request(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        tx: ServerTx,
        request: Arc<Request>,
        flow: Flow,
    ) -> Routed {
        let Some((call, side)) = self.owner(&request) else {
            if self.is_of_ringing_phone(&request) {
                self.answer_ringing_phone(now, layer, tx, &request, flow);
                return Routed::Handled;
            }
            return Routed::Unknown { tx, request, flow };
        };
        self.server_uses.insert(tx, call);
        let answer = match self.table.get_mut(&call).map(|call| &mut call.stage) {
            Some(Stage::Connected(connected)) => {
                let sequence = connected
                    .leg_mut(side)
                    .map(|leg| leg.dialog.receive(&request));
                match sequence {
                    Some(Sequence::Next) => {
                        self.handle_in_call(now, layer, call, side, tx, &request)
                    }
                    Some(Sequence::OutOfOrder) => Some(StatusCode::SERVER_INTERNAL_ERROR),
                    None => Some(StatusCode::CALL_DOES_NOT_EXIST),
                }
            }
            Some(Stage::Waiting(_)) => self.handle_early(now, layer, call, tx, &request),
            // It hangs up a leg that waited for its ACK alone: no BYE of ours is left to send.
            Some(Stage::Ending(ending)) if *request.method() == Method::Bye => {
                let was_code = ending.legs.iter().any(|leg| leg.is_code);
                ending.legs.retain(|leg| leg.side != side);
                if ending.legs.is_empty() {
                    self.table.remove(&call);
                }
                if was_code {
                    self.emit(Event::PhoneFree { call });
                }
                Some(StatusCode::OK)
            }
            Some(Stage::Ending(_)) | None => Some(StatusCode::CALL_DOES_NOT_EXIST),
        };
        if let Some(status) = answer {
            self.answer(now, layer, tx, status);
        }
        self.rearm(call);
        Routed::Handled
    }

    /// Whether a request belongs to a call here.
    pub fn owns(&self, request: &Request) -> bool {
        self.owner(request).is_some() || self.is_of_ringing_phone(request)
    }

    /// The call and the side that a request inside a dialog belongs to.
    pub(crate) fn owner(&self, request: &Request) -> Option<(CallNumber, Side)> {
        let number = CallNumber::of_tag(request.to_tag()?)?;
        let side = self.side_in(number, request);
        if let Some(side) = side {
            return Some((number, side));
        }
        let moved = *self.moved_legs.get(&number)?;
        Some((moved, self.side_in(moved, request)?))
    }

    fn side_in(&self, number: CallNumber, request: &Request) -> Option<Side> {
        let side = match &self.table.get(&number)?.stage {
            Stage::Connected(connected) => {
                let owns = |side: &Side| {
                    let leg = connected.leg(*side);
                    leg.is_some_and(|leg| leg.dialog.owns(request))
                };
                [Side::Caller, Side::Agent, Side::Target]
                    .into_iter()
                    .find(owns)?
            }
            Stage::Ending(ending) => {
                ending
                    .legs
                    .iter()
                    .find(|leg| leg.dialog.owns(request))?
                    .side
            }
            Stage::Waiting(waiting) => {
                let is_callers = request.to_tag() == Some(&*waiting.local_tag)
                    && request.from_tag() == waiting.invite.from_tag()
                    && request.call_id() == waiting.invite.call_id();
                is_callers.then_some(Side::Caller)?
            }
        };
        Some(side)
    }

    fn handle_in_call(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        call: CallNumber,
        side: Side,
        tx: ServerTx,
        request: &Request,
    ) -> Option<StatusCode> {
        let what = match request.method() {
            Method::Bye if side == Side::Target => {
                self.answer(now, layer, tx, StatusCode::OK);
                self.target_hung_up(now, layer, call);
                return None;
            }
            Method::Bye if side == Side::Agent && self.is_in_transfer(call) => {
                self.answer(now, layer, tx, StatusCode::OK);
                self.agent_left(now, layer, call);
                return None;
            }
            Method::Bye => {
                self.answer(now, layer, tx, StatusCode::OK);
                let cause = match side {
                    Side::Caller => EndCause::CallerBye,
                    Side::Agent | Side::Target => EndCause::AgentBye,
                };
                self.finish(now, layer, call, cause, Some(HungUp::by(side, request)));
                return None;
            }
            Method::Invite if carry::has_description(request) => Relayed::Offer,
            Method::Invite => Relayed::LateOffer,
            // A refresh of the session (RFC 4028) is between this side and us.
            Method::Update if request.body_bytes().is_empty() => {
                return self.refresh(now, layer, call, side, tx, request);
            }
            Method::Update => Relayed::Update,
            Method::Info | Method::Message => Relayed::Other,
            Method::Options => return Some(StatusCode::OK),
            Method::Refer => return self.handle_refer(call, side, tx, request),
            // It confirms what was said before the answer, and crossed it.
            Method::Prack if side == Side::Caller => return Some(StatusCode::OK),
            _ => return Some(StatusCode::METHOD_NOT_ALLOWED),
        };
        if side == Side::Target {
            return Some(StatusCode::REQUEST_PENDING);
        }
        if self.leg_mut(call, side.other()).is_none() {
            return self.answer_alone(now, layer, call, tx, request, what);
        }
        self.relay(now, layer, call, side, tx, request, what)
    }

    /// Answers an UPDATE without an offer: the side is there.
    fn refresh(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        number: CallNumber,
        side: Side,
        tx: ServerTx,
        update: &Request,
    ) -> Option<StatusCode> {
        let leg = self.leg_mut(number, side)?;
        if let Ok(target) = update.remote_target() {
            leg.dialog.refresh_target(target);
        }
        leg.session.heard(now, update);
        let status = StatusCode::OK;
        let ok = layer.response_builder(tx, status, status.reason(), None)?;
        let (ok, flow) = (leg.session.write_answer(ok), leg.dialog.flow());
        let ok = ok
            .header(HeaderName::Allow, ALLOW)
            .header(HeaderName::Contact, self.locals.contact(flow));
        layer.respond(now, tx, ok.finish());
        None
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of one request, each of its own type"
    )]
    fn relay(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        number: CallNumber,
        from: Side,
        server: ServerTx,
        request: &Request,
        what: Relayed,
    ) -> Option<StatusCode> {
        let relay_max = self.settings.relay_max;
        let call = self.table.get_mut(&number)?;
        let Stage::Connected(connected) = &mut call.stage else {
            return None;
        };
        if let Some(refusal) = refusal(&call.relays, connected, from, what) {
            return Some(refusal);
        }
        if what.refreshes_target() {
            connected.leg_mut(from)?.heard(now, request);
        }
        let leg = connected.leg_mut(from.other())?;
        let to = &mut leg.dialog;
        let peer = to.peer();
        let (builder, flow) = to.request(request.method(), &mut self.ids, &self.locals);
        let mut builder = builder;
        if what.refreshes_target() {
            builder = leg
                .session
                .write_request(builder)
                .header(HeaderName::Contact, self.locals.contact(to.flow()));
        }
        let builder = carry::mid_dialog(builder.header(HeaderName::Allow, ALLOW), request);
        let relayed = Request::new(builder.finish_with_body(request.body_bytes())).ok();
        let Some(client) = relayed.and_then(|relayed| layer.request(now, relayed, flow).ok())
        else {
            return Some(StatusCode::SERVICE_UNAVAILABLE);
        };
        let gives_up_at = now + relay_max;
        call.relays.push(Relay {
            from,
            server,
            client,
            cseq: request.cseq_number(),
            what,
            offer: what.refreshes_target().then(|| (**request).clone()),
            gives_up_at,
        });
        let sent = SentInside {
            call: number,
            side: from.other(),
            flow,
            peer,
            ack: None,
        };
        self.client_uses
            .insert(client, ClientUse::Relay(Box::new(sent)));
        if what.is_invite() {
            self.answer(now, layer, server, StatusCode::TRYING);
        }
        None
    }

    /// Handles the other side's answer to a relayed request.
    pub(crate) fn handle_relay_response(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        tx: ClientTx,
        response: &Response,
    ) {
        let Some(ClientUse::Relay(sent)) = self.client_uses.get(tx) else {
            return;
        };
        if let Some(ack) = &sent.ack
            && response.status().is_success()
        {
            layer.send(&ack.ack, ack.flow);
            return;
        }
        let number = sent.call;
        if response.status().is_provisional() {
            return;
        }
        let Some(relay) = self.take_relay(number, |relay| relay.client == tx) else {
            self.ack_orphan(layer, tx, response);
            return;
        };
        let lost = matches!(
            response.status(),
            StatusCode::CALL_DOES_NOT_EXIST | StatusCode::REQUEST_TIMEOUT
        );
        self.finish_relay(now, layer, number, &relay, response);
        //= https://www.rfc-editor.org/rfc/rfc3261#section-12.2.1.2
        //# If the response for a request within a dialog is a 481
        //# (Call/Transaction Does Not Exist) or a 408 (Request Timeout), the UAC
        //# SHOULD terminate the dialog.
        if lost {
            self.lose(now, layer, number, relay.from.other());
        }
        self.rearm(number);
    }

    fn finish_relay(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        number: CallNumber,
        relay: &Relay,
        response: &Response,
    ) {
        let status = response.status();
        let reason = String::from_utf8_lossy(response.reason());
        let answering = relay.from.other();
        //= https://www.rfc-editor.org/rfc/rfc3261#section-14.1
        //# If a UA receives a non-2xx final response to a re-INVITE, the session
        //# parameters MUST remain unchanged, as if no re-INVITE had been issued.
        if status.is_success()
            && let Some(offer) = &relay.offer
            && let Some(leg) = self.leg_mut(number, answering)
        {
            leg.describe(offer);
        }
        if status.is_success() && relay.what.refreshes_target() {
            self.accept_answer(now, layer, number, relay, answering, response);
        }
        let Some(builder) = layer.response_builder(relay.server, status, &reason, None) else {
            return;
        };
        let Some(asking) = self.leg_mut(number, relay.from) else {
            return;
        };
        let mut builder = builder.header(HeaderName::Allow, ALLOW);
        if status.is_success() && relay.what.refreshes_target() {
            asking.describe(response);
            builder = asking.session.write_answer(builder);
            let contact = asking.dialog.flow();
            builder = builder.header(HeaderName::Contact, self.locals.contact(contact));
        }
        let message = carry::response(builder, response).finish_with_body(response.body_bytes());
        layer.respond(now, relay.server, message.clone());
        if status.is_success() && relay.what.is_invite() {
            let invite = (relay.server, relay.cseq);
            self.await_ack(now, number, relay.from, invite, message);
        }
    }

    /// A relayed request got no answer.
    pub(crate) fn handle_relay_failed(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        tx: ClientTx,
        cause: Failure,
    ) {
        let Some(ClientUse::Relay(sent)) = self.client_uses.get(tx) else {
            return;
        };
        let number = sent.call;
        let Some(relay) = self.take_relay(number, |relay| relay.client == tx) else {
            return;
        };
        match cause {
            Failure::Timeout => {
                self.answer(now, layer, relay.server, StatusCode::REQUEST_TIMEOUT);
                self.lose(now, layer, number, relay.from.other());
            }
            Failure::Transport => {
                self.answer(now, layer, relay.server, StatusCode::SERVICE_UNAVAILABLE);
            }
        }
        self.rearm(number);
    }

    /// A re-INVITE's sender takes it back: so does its relay.
    pub(crate) fn cancel_relay(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        number: CallNumber,
        tx: ServerTx,
    ) {
        let Some(call) = self.table.get(&number) else {
            return;
        };
        if let Some(relay) = call.relays.iter().find(|relay| relay.server == tx) {
            layer.cancel(now, relay.client, None);
        }
    }

    /// Gives up relays that got no final answer in time.
    pub(crate) fn give_up_relays(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        number: CallNumber,
    ) {
        while let Some(relay) = self.take_relay(number, |relay| relay.gives_up_at <= now) {
            // At a 408 the phone would end the call (RFC 3261 §12.2.1.2), which stands as before.
            let status = if relay.what.is_invite() {
                layer.cancel(now, relay.client, None);
                StatusCode::REQUEST_TERMINATED
            } else {
                StatusCode::REQUEST_TIMEOUT
            };
            self.answer(now, layer, relay.server, status);
        }
    }

    fn take_relay(&mut self, number: CallNumber, is_it: impl Fn(&Relay) -> bool) -> Option<Relay> {
        let call = self.table.get_mut(&number)?;
        let at = call.relays.iter().position(is_it)?;
        Some(call.relays.swap_remove(at))
    }

    /// Answers a request inside a dialog from its transaction alone.
    pub(crate) fn answer(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        tx: ServerTx,
        status: StatusCode,
    ) {
        let Some(builder) = layer.response_builder(tx, status, status.reason(), None) else {
            return;
        };
        let builder = match status {
            StatusCode::OK | StatusCode::METHOD_NOT_ALLOWED => {
                builder.header(HeaderName::Allow, ALLOW)
            }
            // RFC 3261 §14.2: the sender tries again after a while.
            StatusCode::SERVER_INTERNAL_ERROR => builder.header(HeaderName::RetryAfter, "1"),
            _ => builder,
        };
        layer.respond(now, tx, builder.finish());
    }
}

/// Why a side's request is not passed on now, if so.
fn refusal(
    relays: &[Relay],
    connected: &Connected,
    from: Side,
    what: Relayed,
) -> Option<StatusCode> {
    if relays.len() >= RELAYS_MAX {
        return Some(StatusCode::SERVER_INTERNAL_ERROR);
    }
    if !what.is_invite() {
        return None;
    }
    let open = relays.iter().find(|relay| relay.what.is_invite());
    match open {
        // RFC 3261 §14.2: the same side asks again before it had its answer; or both ask.
        Some(relay) if relay.from == from => Some(StatusCode::SERVER_INTERNAL_ERROR),
        Some(_) => Some(StatusCode::REQUEST_PENDING),
        None => connected
            .is_inviting()
            .then_some(StatusCode::REQUEST_PENDING),
    }
}
