//! Transfers to a line: the call waits in its queue. As the line and the call's priority want it, whoever
//! sends it there is free at once, or keeps the caller company until somebody there has answered.

use std::time::Instant;

use acd::Priority;
use call::CallNumber;
use sip::{Request, StatusCode};
use sip_proxy::{TrunkId, Trust};
use sip_transaction::ServerTx;

use crate::{
    engine::Engine,
    event::{Event, TransferOutcome, Transferred},
    record::{Answered, SentTo, acd_id},
    routing::LineRoute,
};

impl Engine {
    /// A call is sent on to a line. Whether it is: the state of its legs may not allow it now.
    pub(super) fn transfer_to_line(
        &mut self,
        now: Instant,
        number: CallNumber,
        tx: ServerTx,
        to: LineRoute,
    ) -> bool {
        let LineRoute { line, priority } = to;
        let calls = &mut self.calls;
        if !calls.accept_transfer(now, &mut self.layer, number, tx, None) {
            return false;
        }
        if let Some(record) = self.records.get_mut(number) {
            record.sent_to = Some(SentTo { line, at: now });
        }
        let call = acd_id(number);
        let moved = acd::Input::CallMoved {
            call,
            to: line,
            priority,
        };
        self.acd.handle_input(now, moved);
        let view = self.acd.call(call);
        if view.is_none_or(|view| view.phase.held_by().is_none()) {
            self.gone_on(number);
            self.calls.release_agent(now, &mut self.layer, number);
        }
        true
    }

    /// A call that was sent on to another line is that line's now, and no longer the agent's.
    pub(crate) fn gone_on(&mut self, call: CallNumber) {
        let Some(record) = self.records.get_mut(call) else {
            return;
        };
        let Some(SentTo { line: to, at }) = record.sent_to.take() else {
            return;
        };
        let (from, answered) = (record.line, record.answered.take());
        let offered_at = std::mem::replace(&mut record.offered_at, at);
        record.line = to;
        if let Some(Answered { at, agent }) = answered {
            let waited = at - offered_at;
            let event = Event::CallTransferred {
                call: record.id.clone(),
                agent,
                to: Transferred::Line { from, to, waited },
            };
            self.emit(event);
            self.emit(Event::TransferEnded {
                outcome: TransferOutcome::Done,
            });
        }
    }

    /// The agent who keeps a caller company until another line answers keeps the call after all.
    /// Whether there was such a call.
    pub(crate) fn keep(&mut self, now: Instant, number: CallNumber) -> bool {
        let record = self.records.get_mut(number);
        if record.is_none_or(|record| record.sent_to.take().is_none()) {
            return false;
        }
        let call = acd_id(number);
        self.acd.handle_input(now, acd::Input::CallKept { call });
        let status = StatusCode::REQUEST_TERMINATED;
        self.calls
            .transfer_failed(now, &mut self.layer, number, status);
        self.emit(Event::TransferEnded {
            outcome: TransferOutcome::Kept,
        });
        true
    }

    /// The priority of a call by this number: where an operator that is trusted, or an agent, says how
    /// important it is, at least that, and never less than it would be without.
    pub(crate) fn priority_of(
        &self,
        invite: &Request,
        route: LineRoute,
        trunk: Option<TrunkId>,
    ) -> Option<Priority> {
        let trunk = trunk.and_then(|trunk| self.trunks.get(trunk));
        let is_believed = trunk.is_none_or(|trunk| trunk.trust == Trust::Trusted);
        let said = self.importance(invite).filter(|_| is_believed);
        let least = self.directory().line_profile(route.line).priority;
        route.or_said(said, Some(least)).priority
    }

    /// The priority that what a REFER or a caller's INVITE says of its importance has here.
    pub(super) fn importance(&self, request: &Request) -> Option<Priority> {
        let said = request.resource_priorities().filter_map(|said| {
            let known = self.config.resource_priorities.iter();
            let said = said.to_string();
            let mut known = known.filter(|known| known.said.eq_ignore_ascii_case(&said));
            known.next().map(|known| known.priority)
        });
        said.min()
    }
}
