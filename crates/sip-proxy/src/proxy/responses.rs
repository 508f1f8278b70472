//! What becomes of the responses to a forwarded request (RFC 3261 §16.7).

use std::time::Instant;

use sip::{Edit, HeaderName, Message, Response, StatusCode};
use sip_transaction::{ClientTx, ServerTx, TransactionLayer};

use super::{
    ContextId, Proxy,
    context::{Answer, BranchState, CHALLENGES, Context},
    received::WHAT_WE_CHANGED,
};

impl Proxy {
    //= https://www.rfc-editor.org/rfc/rfc3261#section-16.7
    //# For an INVITE transaction, if the response is a provisional
    //# response with status codes 101 to 199 inclusive (i.e., anything
    //# but 100), the proxy MUST reset timer C for that client
    //# transaction.
    pub(super) fn handle_provisional(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        id: ContextId,
        tx: ClientTx,
        response: &Response,
    ) {
        // RFC 3261 §16.7 step 5: a 100 is not forwarded.
        if response.status() == StatusCode::TRYING {
            return;
        }
        let Some(context) = self.contexts.get_mut(id) else {
            return;
        };
        let server = context.server;
        let is_open = context.open().is_some();
        let is_running = context.branch_mut(tx).is_some_and(|branch| {
            matches!(branch.state, BranchState::Pending { timer_c: Some(_) })
        });
        if is_running {
            self.arm(now, id, tx);
        }
        if is_open && let Some(response) = upstream(response, &[]) {
            layer.respond(now, server, response);
        }
    }

    /// A 2xx goes on at once, each of an INVITE's; what is pending is called back. One without a way back cannot: that of
    /// an INVITE is said again until it is acknowledged, and any other was the last word.
    pub(super) fn handle_success(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        id: ContextId,
        tx: ClientTx,
        response: &Response,
    ) {
        let Some(response) = upstream(response, &[]) else {
            let is_invite = self.contexts.get(id).is_some_and(|one| one.is_invite);
            if !is_invite {
                self.accepted_unheard(now, layer, id, tx);
            }
            return;
        };
        self.answered(id, tx);
        let Some(context) = self.contexts.get_mut(id) else {
            return;
        };
        if !context.succeed() {
            return;
        }
        layer.respond(now, context.server, response);
        self.cancel_pending(now, layer, id, Some(COMPLETED_ELSEWHERE));
    }

    /// Somebody has accepted the request, and no answer of theirs can be passed on: nobody else is asked.
    pub(super) fn accepted_unheard(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        id: ContextId,
        tx: ClientTx,
    ) {
        let open = self.contexts.get_mut(id).and_then(Context::open_mut);
        if let Some(open) = open {
            open.groups.clear();
        }
        let answer = Answer::Missing(StatusCode::BAD_GATEWAY);
        self.handle_failure(now, layer, id, tx, answer);
    }

    pub(super) fn handle_failure(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        id: ContextId,
        tx: ClientTx,
        answer: Answer,
    ) {
        self.answered(id, tx);
        let Some(context) = self.contexts.get_mut(id) else {
            return;
        };
        //= https://www.rfc-editor.org/rfc/rfc3261#section-16.7
        //# If a 6xx response is received, it is not immediately forwarded,
        //# but the stateful proxy SHOULD cancel all client pending
        //# transactions as described in Section 10, and it MUST NOT create
        //# any new branches in this context.
        let is_global = answer.status().value() >= 600;
        if let Some(open) = context.open_mut() {
            open.note(answer);
        }
        if is_global {
            self.cancel_pending(now, layer, id, None);
        }
        self.answer_if_done(now, layer, id);
    }

    /// When no branch is pending: the next targets, or the best answer.
    fn answer_if_done(&mut self, now: Instant, layer: &mut TransactionLayer, id: ContextId) {
        let is_done = self
            .contexts
            .get(id)
            .is_some_and(|context| context.open().is_some() && context.pending().next().is_none());
        if !is_done || self.try_next_group(now, layer, id).is_ok() {
            return;
        }
        let Some(context) = self.contexts.get_mut(id) else {
            return;
        };
        let (server, is_invite) = (context.server, context.is_invite);
        let Some(open) = context.fail() else {
            return;
        };
        let (best, challenges) = open.into_best();
        match best {
            //= https://www.rfc-editor.org/rfc/rfc4320#section-4.2
            //# A transaction-stateful SIP element MUST NOT send a response with
            //# Status-Code of 408 to a non-INVITE request.
            Answer::Missing(StatusCode::REQUEST_TIMEOUT) if !is_invite => layer.abandon(server),
            best => self.answer(now, layer, server, best, &challenges),
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc3261#section-16.7
    //# A proxy which receives a 503 (Service Unavailable) response
    //# SHOULD NOT forward it upstream unless it can determine that any
    //# subsequent requests it might proxy will also generate a 503.
    fn answer(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        server: ServerTx,
        best: Answer,
        challenges: &[(HeaderName, bytes::Bytes)],
    ) {
        let own = match best {
            Answer::Received(response) if response.status() != StatusCode::SERVICE_UNAVAILABLE => {
                match upstream(&response, challenges) {
                    Some(response) => return layer.respond(now, server, response),
                    None => StatusCode::BAD_GATEWAY,
                }
            }
            Answer::Received(_) | Answer::Missing(StatusCode::SERVICE_UNAVAILABLE) => {
                StatusCode::SERVER_INTERNAL_ERROR
            }
            Answer::Missing(status) => status,
        };
        let tag = self.ids.token();
        let response = layer.response_builder(server, own, own.reason(), Some(tag.as_bytes()));
        if let Some(response) = response {
            layer.respond(now, server, response.finish());
        }
    }
}

//= https://www.rfc-editor.org/rfc/rfc3261#section-16.7
//# The proxy removes the topmost Via header field value from the
//# response.
/// The response as it goes on, with the challenges of all that were asked in place of its own. `None`
/// when it lacks the Via of whoever asked us.
fn upstream(response: &Response, challenges: &[(HeaderName, bytes::Bytes)]) -> Option<Message> {
    response.elements(HeaderName::Via).nth(1)?;
    let mut edit = Edit::new(response);
    edit.drop_first(HeaderName::Via, 1);
    // It may have come in a datagram, and go on over a stream (RFC 3261 §20.14).
    if response.header(HeaderName::ContentLength).is_none() {
        edit.with_content_length();
    }
    let asks = matches!(
        response.status(),
        StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED
    );
    if asks {
        for name in CHALLENGES {
            edit.remove(name);
        }
        for (name, value) in challenges {
            edit.append(*name, &**value);
        }
    }
    edit.finish(&WHAT_WE_CHANGED).ok()
}

/// Why a phone stops ringing whose fork has answered elsewhere (RFC 3326 §3.1): it need not show a
/// missed call.
const COMPLETED_ELSEWHERE: &[u8] = b"SIP;cause=200;text=\"Call completed elsewhere\"";
