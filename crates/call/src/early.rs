//! Requests in early dialogs: of a caller who waits, and of a phone that is being rung.

use std::time::Instant;

use sip::{HeaderName, Method, Request, StatusCode};
use sip_transaction::{Flow, ServerTx, TransactionLayer};

use crate::{
    calls::Calls,
    event::EndCause,
    ids::CallNumber,
    leg::{HungUp, Side},
    ringing::ALLOW,
    sent::ClientUse,
};

impl Calls {
    /// A request on the early dialog, before an answer.
    pub(crate) fn handle_early(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        call: CallNumber,
        tx: ServerTx,
        request: &Request,
    ) -> Option<StatusCode> {
        match request.method() {
            // RFC 3261 §15.1.2: a caller may end an early dialog by BYE.
            Method::Bye => {
                self.answer(now, layer, tx, StatusCode::OK);
                let by = HungUp::by(Side::Caller, request);
                self.finish(now, layer, call, EndCause::Abandoned, Some(by));
                None
            }
            Method::Options => Some(StatusCode::OK),
            Method::Prack => Some(self.handle_prack(now, layer, call, request)),
            Method::Update if self.says_nothing_new(call, request) => {
                let flow = self.waits_at(call)?;
                self.answer_early(layer, (now, tx), StatusCode::OK, flow);
                None
            }
            // RFC 3311 §5.2: an offer while the first one is unanswered.
            Method::Update | Method::Invite => Some(StatusCode::REQUEST_PENDING),
            Method::Info | Method::Message => Some(StatusCode::TEMPORARILY_UNAVAILABLE),
            _ => Some(StatusCode::METHOD_NOT_ALLOWED),
        }
    }

    /// Whether an UPDATE of a caller who waits makes no offer, and names the Contact that the INVITE did.
    fn says_nothing_new(&self, call: CallNumber, update: &Request) -> bool {
        let invite = self.invite(call);
        let is_alike = |invite: &Request| {
            let (before, now) = (invite.remote_target(), update.remote_target());
            before.ok() == now.ok()
        };
        update.body_bytes().is_empty() && invite.is_some_and(is_alike)
    }

    /// Whether a request belongs to an early dialog with a phone that is being rung.
    pub(crate) fn is_of_ringing_phone(&self, request: &Request) -> bool {
        let number = request.to_tag().and_then(CallNumber::of_tag);
        let ringing = number.and_then(|number| self.table.get(&number)?.ringing());
        ringing.is_some_and(|ringing| {
            let mut sent = ringing.iter().map(|one| self.client_uses.get(one.tx));
            sent.any(|sent| {
                matches!(sent, Some(ClientUse::Invite(sent))
                    if request.to_tag() == Some(&*sent.local_tag)
                        && *request.call_id() == *sent.call_id)
            })
        })
    }

    /// Answers a phone that asks something before it has answered.
    pub(crate) fn answer_ringing_phone(
        &self,
        now: Instant,
        layer: &mut TransactionLayer,
        tx: ServerTx,
        request: &Request,
        flow: Flow,
    ) {
        let status = match request.method() {
            Method::Options => StatusCode::OK,
            Method::Update if request.body_bytes().is_empty() => StatusCode::OK,
            // RFC 3311 §5.2: an offer while ours is unanswered.
            Method::Update => StatusCode::REQUEST_PENDING,
            Method::Info | Method::Message => StatusCode::TEMPORARILY_UNAVAILABLE,
            _ => StatusCode::CALL_DOES_NOT_EXIST,
        };
        self.answer_early(layer, (now, tx), status, flow);
    }

    /// Answers a request in an early dialog, with what RFC 3311 §5.2 asks of a 2xx: where we are.
    fn answer_early(
        &self,
        layer: &mut TransactionLayer,
        (now, tx): (Instant, ServerTx),
        status: StatusCode,
        flow: Flow,
    ) {
        let Some(builder) = layer.response_builder(tx, status, status.reason(), None) else {
            return;
        };
        let contact = self.locals.contact(flow);
        let builder = builder
            .header(HeaderName::Allow, ALLOW)
            .header(HeaderName::Contact, contact);
        layer.respond(now, tx, builder.finish());
    }
}
