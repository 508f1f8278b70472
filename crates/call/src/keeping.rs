//! Keeping the legs of connected calls: asking a side whether it is there, and ending the call when
//! one is gone.

use std::time::Instant;

use sip::{Builder, HeaderName, Request, Response, StatusCode};
use sip_transaction::{ClientTx, Failure, TransactionLayer};

use crate::{
    call::Stage,
    calls::Calls,
    carry,
    event::{EndCause, Event},
    ids::CallNumber,
    leg::{Leg, Side},
    sent::{ClientUse, SentInside},
    session::{AskBy, Due},
};

impl Calls {
    /// Asks the sides that are due; ends the call when one has not refreshed in time.
    pub(crate) fn keep_sessions(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        number: CallNumber,
    ) {
        for side in [Side::Caller, Side::Agent] {
            let due = self
                .connected_mut(number)
                .and_then(|call| call.leg(side)?.session.due(now));
            match due {
                Some(Due::Gone) => self.lose(now, layer, number, side),
                Some(Due::Ask(by)) => self.ask(now, layer, number, side, by),
                None => {}
            }
        }
    }

    pub(crate) fn ask(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        number: CallNumber,
        side: Side,
        by: AskBy,
    ) {
        let is_busy = self.is_renegotiating(number);
        let Some(call) = self.table.get_mut(&number) else {
            return;
        };
        let Stage::Connected(connected) = &mut call.stage else {
            return;
        };
        let Some(leg) = connected.leg_mut(side) else {
            return;
        };
        if by == AskBy::Invite && is_busy {
            return leg.session.ask_again(now, None);
        }
        let (builder, flow) = leg
            .dialog
            .request(&by.method(), &mut self.ids, &self.locals);
        let builder = match by {
            AskBy::Options => builder,
            AskBy::Update | AskBy::Invite => leg
                .session
                .write_request(builder)
                .header(HeaderName::Contact, self.locals.contact(leg.dialog.flow())),
        };
        let request = match &leg.description {
            Some(description) if by == AskBy::Invite => Request::new(
                carry::content(builder, description).finish_with_body(description.body_bytes()),
            ),
            _ => Builder::finish_request(builder),
        };
        let peer = leg.dialog.peer();
        match request
            .ok()
            .and_then(|request| layer.request(now, request, flow).ok())
        {
            Some(tx) => {
                leg.session.asked(now, tx);
                let sent = SentInside {
                    call: number,
                    side,
                    flow,
                    peer,
                    ack: None,
                };
                self.client_uses
                    .insert(tx, ClientUse::Ask(by, Box::new(sent)));
            }
            None => leg.session.ask_again(now, None),
        }
    }

    /// Whether a re-INVITE is open on either side.
    pub(crate) fn is_renegotiating(&mut self, number: CallNumber) -> bool {
        let relays = self
            .table
            .get(&number)
            .is_some_and(|call| call.relays.iter().any(|relay| relay.what.is_invite()));
        let legs = self
            .connected_mut(number)
            .is_some_and(|call| call.is_inviting());
        relays || legs
    }

    /// The answer of a side that we asked.
    pub(crate) fn handle_ask_response(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        tx: ClientTx,
        response: &Response,
    ) {
        let Some(&ClientUse::Ask(by, ref sent)) = self.client_uses.get(tx) else {
            return;
        };
        let (number, side) = (sent.call, sent.side);
        let status = response.status();
        if status.is_provisional() {
            return;
        }
        if status.is_success() && by == AskBy::Invite {
            self.ack_reinvite(layer, tx, response);
        }
        let Some(leg) = self.leg_mut(number, side) else {
            return;
        };
        match status {
            StatusCode::CALL_DOES_NOT_EXIST | StatusCode::REQUEST_TIMEOUT => {
                self.lose(now, layer, number, side);
            }
            _ if by == AskBy::Options => leg.session.put_off(now),
            status if status.is_success() => {
                leg.dialog.take_answer(response);
                leg.session.answered(now, response);
            }
            // Whoever knows no UPDATE is asked by re-INVITE.
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {
                leg.session.ask_again(now, Some(AskBy::Invite));
            }
            _ => leg.session.ask_again(now, None),
        }
        self.rearm(number);
    }

    /// A side that we asked did not answer: it is gone. One that could not be reached over its
    /// connection may come back by another.
    pub(crate) fn handle_ask_failed(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        tx: ClientTx,
        cause: Failure,
    ) {
        let Some(ClientUse::Ask(_, sent)) = self.client_uses.get(tx) else {
            return;
        };
        let (number, side) = (sent.call, sent.side);
        match cause {
            Failure::Timeout if self.connected_mut(number).is_some() => {
                self.lose(now, layer, number, side);
            }
            Failure::Timeout | Failure::Transport => {
                if let Some(leg) = self.leg_mut(number, side) {
                    leg.session.ask_again(now, None);
                }
            }
        }
        self.rearm(number);
    }

    /// A side is gone, and with it the call; but not with an agent whose call goes on to somebody else. It is
    /// hung up all the same: should it hear something after all, it is not to stay where nobody is.
    //
    //= https://www.rfc-editor.org/rfc/rfc3261#section-12.2.1.2
    //# If the response for a request within a dialog is a 481
    //# (Call/Transaction Does Not Exist) or a 408 (Request Timeout), the UAC
    //# SHOULD terminate the dialog.
    pub(crate) fn lose(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        number: CallNumber,
        side: Side,
    ) {
        let goes_on = self
            .connected_mut(number)
            .is_some_and(|call| call.transfer().is_some());
        if side != Side::Agent || !goes_on {
            return self.finish(now, layer, number, EndCause::PeerLost, None);
        }
        if let Some(transferor) = self.take_transferor(now, layer, number) {
            let mut dialog = transferor.leg.dialog;
            self.bye(now, layer, &mut dialog, None);
            self.emit(Event::AgentLeft { call: number });
        }
        self.rearm(number);
    }

    pub(crate) fn leg_mut(&mut self, number: CallNumber, side: Side) -> Option<&mut Leg> {
        self.connected_mut(number)?.leg_mut(side)
    }
}
