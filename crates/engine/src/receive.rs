//! What comes in: from bytes to the machine that it belongs to.

use std::{sync::Arc, time::Instant};

use acd::AgentId;
use bytes::Bytes;
use call::Routed;
use sip::{
    Builder, HeaderName, InvalidMessage, Message, Method, ParseError, Request, Response,
    StatusCode, Uri, headers::Attestation,
};
use sip_proxy::{Aor, BeyondLimit, TrunkId};
use sip_transaction::{Attempt, Flow, Merged, MessageKind, ServerTx};

use crate::{
    config::Listener,
    engine::Engine,
    event::{BlockReason, Direction, DropReason, Event},
    forwarding::Destination,
    identity::Source,
    record::{Place, Record, acd_id},
    routing::LineRoute,
};

/// How long a peer is asked to wait before it tries again (seconds).
const RETRY_AFTER: &str = "5";

impl Engine {
    /// Reads one message and hands it to the transactions.
    pub(crate) fn receive(&mut self, now: Instant, flow: Flow, bytes: Bytes) {
        if self.is_shut_out(now, flow) {
            return self.dropped(DropReason::Banned);
        }
        let message = match Message::parse(bytes, &self.config.settings.message) {
            Ok(message) => message,
            Err(ParseError::KeepAlive) => return,
            Err(error) => {
                self.offend(now, flow);
                return self.dropped(DropReason::Parse(error));
            }
        };
        if message.is_request() {
            match Request::new(message) {
                Ok(request) => {
                    self.received(MessageKind::Request(request.method().label()));
                    self.proven.learn(&request, flow);
                    if self.admits(now, &request, flow) {
                        self.layer.handle_request(now, request, flow);
                    }
                }
                Err(invalid) => {
                    self.offend(now, flow);
                    self.layer.flow_lives(flow);
                    self.answer_invalid(&invalid, flow);
                }
            }
        } else {
            match Response::new(message) {
                Ok(response) => {
                    self.received(MessageKind::Response(response.status()));
                    self.layer.handle_response(now, response, flow);
                }
                Err(invalid) => self.dropped(DropReason::Invalid(invalid.reason)),
            }
        }
    }

    fn received(&mut self, kind: MessageKind) {
        self.emit(Event::Message {
            direction: Direction::In,
            kind,
            attempt: Attempt::First,
        });
    }

    pub(crate) fn dropped(&mut self, reason: DropReason) {
        self.emit(Event::Dropped { reason });
    }

    /// Answers a request that is not valid from what can be read of it, without keeping anything.
    fn answer_invalid(&mut self, invalid: &InvalidMessage, flow: Flow) {
        let message = &invalid.message;
        let is_ack = message.method() == Some(&Method::Ack);
        if is_ack || message.header(HeaderName::Via).is_none() {
            return self.dropped(DropReason::Invalid(invalid.reason));
        }
        let reason = invalid.reason;
        let response = Builder::response_with_reason(reason.status(), &reason.to_string())
            .copy(message, HeaderName::Via)
            .copy(message, HeaderName::From)
            .copy(message, HeaderName::To)
            .copy(message, HeaderName::CallId)
            .copy(message, HeaderName::CSeq)
            .finish();
        self.layer.send(&response, flow);
        self.dropped(DropReason::InvalidRequest(reason));
    }

    /// Handles a new request that the transactions have opened.
    pub(crate) fn take_request(
        &mut self,
        now: Instant,
        tx: ServerTx,
        request: Arc<Request>,
        flow: Flow,
        merged: Merged,
    ) {
        let request = if request.to_tag().is_some() {
            match self
                .calls
                .handle_request(now, &mut self.layer, tx, request, flow)
            {
                Routed::Handled => return,
                Routed::Unknown { request, .. } => request,
            }
        } else {
            request
        };
        let source = match self.arriving.take() {
            Some(source) => source,
            None => self.source_of(&request, flow),
        };
        let request = source.without_claims(request, &self.config.settings.message);
        let received = match self.proxy.receive(request) {
            Ok(received) => received,
            Err(rejection) => return self.reject(now, tx, &rejection),
        };
        match self.destination(&received, source) {
            Destination::Line(route) => {
                if self.may_serve(now, tx, received.request(), merged) {
                    self.take_invite(now, tx, received.into_request(), flow, route, source);
                }
            }
            Destination::Code(agent, code) => {
                if self.may_serve(now, tx, received.request(), merged) {
                    let dialled = (agent, code);
                    self.take_code(now, tx, received.request(), flow, dialled);
                }
            }
            Destination::Here => {
                if self.may_serve(now, tx, received.request(), merged) {
                    self.serve(now, tx, received.request(), flow);
                }
            }
            Destination::Onward(targets) => self.forward(now, tx, received, flow, targets),
            Destination::Inward(trunk, phones) => {
                let invite = received.into_request();
                self.called_hidden(now, tx, invite, flow, (trunk, phones));
            }
            Destination::Out => self.call_out(now, tx, received, flow),
            Destination::Nowhere(status) => self.answer(now, tx, status),
        }
    }

    /// Whether we may be the last to receive this request; answers it if not.
    fn may_serve(&mut self, now: Instant, tx: ServerTx, request: &Request, merged: Merged) -> bool {
        if let Merged::With(_) = merged {
            self.answer(now, tx, StatusCode::LOOP_DETECTED);
            return false;
        }
        // The registrar looks itself: it knows `path`.
        if *request.method() != Method::Register
            && let Some(unsupported) = unsupported_extensions(request)
        {
            self.answer_with(now, tx, StatusCode::BAD_EXTENSION, |builder| {
                builder.header(HeaderName::Unsupported, unsupported)
            });
            return false;
        }
        true
    }

    /// A request to the node itself.
    fn serve(&mut self, now: Instant, tx: ServerTx, request: &Request, flow: Flow) {
        match request.method() {
            Method::Register => self.take_register(now, tx, request, flow),
            Method::Options => self.take_options(now, tx, request),
            Method::Bye | Method::Update | Method::Info | Method::Prack => {
                self.answer(now, tx, StatusCode::CALL_DOES_NOT_EXIST);
            }
            Method::Other(_) => self.answer(now, tx, StatusCode::NOT_IMPLEMENTED),
            _ => self.answer(now, tx, StatusCode::METHOD_NOT_ALLOWED),
        }
    }

    /// A caller's INVITE: to its line, whatever it says of who and where the caller is.
    fn take_invite(
        &mut self,
        now: Instant,
        tx: ServerTx,
        invite: Arc<Request>,
        flow: Flow,
        route: LineRoute,
        source: Source,
    ) {
        let (trunk, line) = (source.trunk(), route.line);
        if let Err(reason) = self.has_room_for_call(now, trunk) {
            self.emit(Event::CallBlocked { line, reason });
            return self.answer(now, tx, StatusCode::SERVICE_UNAVAILABLE);
        }
        let attestation = invite
            .header(HeaderName::Identity)
            .filter(|_| trunk.is_some())
            .and_then(Attestation::parse);
        let number = self.caller_number(&invite, trunk);
        let caller = number.as_ref().map(|number| self.caller_key(number));
        let priority = self.priority_of(&invite, route, trunk);
        let call = self.calls.start(now, &mut self.layer, tx, invite, flow);
        if let Some(agent) = source.agent()
            && self.is_behind_nat(agent, flow)
        {
            self.calls.note_behind_nat(call);
        }
        let Some(view) = self.calls.view(call) else {
            return;
        };
        let id = view.id;
        self.stories.begin(now, call, id.clone());
        self.emit(Event::CallStarted {
            call: id.clone(),
            line,
            trunk,
            attestation,
        });
        let record = Record {
            id,
            line,
            trunk,
            number,
            offered_at: now,
            answered: None,
            offers: Vec::new(),
            sent_to: None,
            outside: None,
            place: Place::InDistributor,
            take_over: None,
            by: source.agent(),
        };
        self.records.insert(call, record);
        let arrived = acd::Input::CallArrived {
            call: acd_id(call),
            line,
            priority,
            caller,
            arrival: None,
        };
        self.acd.handle_input(now, arrived);
    }

    /// Whether a call may begin. One of a trunk has been counted then.
    fn has_room_for_call(
        &mut self,
        now: Instant,
        trunk: Option<TrunkId>,
    ) -> Result<(), BlockReason> {
        if self.is_draining() {
            return Err(BlockReason::Draining);
        }
        if self.refuses_calls() {
            return Err(BlockReason::JournalFailed);
        }
        if self.calls.len() >= self.config.settings.calls_max {
            return Err(BlockReason::CallsMax);
        }
        match trunk.map_or(Ok(()), |trunk| self.trunk_loads.begin(now, trunk)) {
            Ok(()) => Ok(()),
            Err(BeyondLimit::Calls) => Err(BlockReason::TrunkCalls),
            Err(BeyondLimit::Rate) => Err(BlockReason::TrunkRate),
        }
    }

    fn take_register(&mut self, now: Instant, tx: ServerTx, request: &Request, flow: Flow) {
        //= https://www.rfc-editor.org/rfc/rfc3261#section-10.2
        //# This address-of-record MUST
        //# be a SIP URI or SIPS URI.
        let to = request.to();
        let Some(aor) = to.uri().ok().filter(|uri| uri.as_sip().is_some()) else {
            return self.answer(now, tx, StatusCode::BAD_REQUEST);
        };
        let Some(agent) = self.agent_of_aor(&aor) else {
            self.dropped(DropReason::UnknownSource);
            return self.answer(now, tx, StatusCode::NOT_FOUND);
        };
        let reply = self
            .registrar
            .handle_register(now, aor_of(agent), request, flow);
        let tag = self.ids.token();
        let (status, reason) = (reply.status(), reply.status().reason());
        let builder = self
            .layer
            .response_builder(tx, status, reason, Some(tag.as_bytes()));
        if let Some(builder) = builder {
            let response = reply.write(now, builder);
            self.layer.respond(now, tx, response);
        }
    }

    fn take_options(&mut self, now: Instant, tx: ServerTx, request: &Request) {
        //= https://www.rfc-editor.org/rfc/rfc3261#section-8.2.2.1
        //# If the
        //# Request-URI uses a scheme not supported by the UAS, it SHOULD
        //# reject the request with a 416 (Unsupported URI Scheme) response.
        // A caller's INVITE goes to a line whatever it says.
        if matches!(request.uri(), Uri::Other(_)) {
            return self.answer(now, tx, StatusCode::UNSUPPORTED_URI_SCHEME);
        }
        let status = if self.is_draining() || !self.journal_state().is_sound() {
            StatusCode::SERVICE_UNAVAILABLE
        } else {
            StatusCode::OK
        };
        self.answer_with(now, tx, status, |builder| {
            builder
                .header(HeaderName::Allow, call::ALLOW)
                .header(HeaderName::Supported, call::SUPPORTED.join(", "))
                .header(HeaderName::Accept, "application/sdp, multipart/mixed")
        });
    }

    /// Answers a request outside any call from its transaction alone.
    pub(crate) fn answer(&mut self, now: Instant, tx: ServerTx, status: StatusCode) {
        self.answer_with(now, tx, status, |builder| builder);
    }

    pub(crate) fn answer_with(
        &mut self,
        now: Instant,
        tx: ServerTx,
        status: StatusCode,
        add: impl FnOnce(Builder) -> Builder,
    ) {
        let tag = self.ids.token();
        let builder =
            self.layer
                .response_builder(tx, status, status.reason(), Some(tag.as_bytes()));
        let Some(builder) = builder else { return };
        let response = add(self.with_advice(builder, status)).finish();
        self.layer.respond(now, tx, response);
    }

    /// Adds what some refusals should say, and who refuses.
    pub(crate) fn with_advice(&self, builder: Builder, status: StatusCode) -> Builder {
        let builder = match status {
            StatusCode::SERVICE_UNAVAILABLE => builder.header(HeaderName::RetryAfter, RETRY_AFTER),
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {
                builder.header(HeaderName::Allow, call::ALLOW)
            }
            _ => builder,
        };
        builder.header(HeaderName::Server, &self.config.node)
    }
}

/// The registrar's handle of an agent's address-of-record.
pub(crate) fn aor_of(agent: AgentId) -> Aor {
    Aor::new(u32::try_from(agent.index()).expect("an AgentId is a u32"))
}

//= https://www.rfc-editor.org/rfc/rfc3261#section-8.2.2.3
//# If a UAS does not understand an option-tag listed in a Require
//# header field, it MUST respond by generating a response with status
//# code 420 (Bad Extension).
fn unsupported_extensions(request: &Request) -> Option<Vec<u8>> {
    let unknown: Vec<_> = request
        .unsupported_options(HeaderName::Require, &call::SUPPORTED)
        .collect();
    (!unknown.is_empty()).then(|| unknown.join(&b", "[..]))
}

impl Listener {
    /// A listener whose advertised address is the one that it is bound to.
    pub const fn at(
        id: sip_transaction::ListenerId,
        transport: sip::Transport,
        address: std::net::SocketAddr,
    ) -> Self {
        Self {
            id,
            transport,
            address,
            advertised: address,
        }
    }
}
