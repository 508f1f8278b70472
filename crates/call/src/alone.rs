//! A caller who is alone: the agent has sent the call on and is gone, and nobody has answered yet.
//! What the caller asks inside the call is answered by us.

use std::time::Instant;

use bytes::Bytes;
use sip::{HeaderName, Request, StatusCode};
use sip_transaction::{ServerTx, TransactionLayer};

use crate::{call::Relayed, calls::Calls, carry, ids::CallNumber, leg::Side, ringing::ALLOW};

impl Calls {
    /// Answers a re-INVITE or an UPDATE of a caller who is alone with the description that the
    /// caller has from us already. Why it is refused, if so.
    pub(crate) fn answer_alone(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        number: CallNumber,
        tx: ServerTx,
        request: &Request,
        what: Relayed,
    ) -> Option<StatusCode> {
        if what == Relayed::Other {
            return Some(StatusCode::TEMPORARILY_UNAVAILABLE);
        }
        if self.is_renegotiating(number) {
            return Some(StatusCode::REQUEST_PENDING);
        }
        let caller = self.leg_mut(number, Side::Caller)?;
        let description = caller.description.clone().filter(|description| {
            let offered = media_lines(&request.body());
            what == Relayed::LateOffer || offered == media_lines(&description.body())
        });
        let Some(description) = description else {
            return Some(StatusCode::NOT_ACCEPTABLE_HERE);
        };
        caller.heard(now, request);
        let (session, flow) = (caller.session.clone(), caller.dialog.flow());
        let builder = layer.response_builder(tx, StatusCode::OK, StatusCode::OK.reason(), None)?;
        let builder = session
            .write_answer(builder.header(HeaderName::Allow, ALLOW))
            .header(HeaderName::Contact, self.locals.contact(flow));
        let ok = carry::content(builder, &description).finish_with_body(description.body_bytes());
        layer.respond(now, tx, ok.clone());
        if what.is_invite() {
            self.await_ack(now, number, Side::Caller, (tx, request.cseq_number()), ok);
        }
        None
    }
}

/// How many media an SDP describes. An answer has as many as its offer (RFC 3264 §6).
fn media_lines(body: &Bytes) -> usize {
    let lines = body.split(|&byte| byte == b'\n');
    lines.filter(|line| line.starts_with(b"m=")).count()
}
