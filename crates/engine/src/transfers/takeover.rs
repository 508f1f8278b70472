//! Taking over: an agent sends a call to the agent with whom she has talked about it.

use std::time::Instant;

use acd::CallPhase;
use call::{CallNumber, StageView};
use sip_transaction::ServerTx;

use crate::{
    engine::Engine,
    event::{Event, TransferOutcome, Transferred},
    record::{Answered, Place, TakeOver, acd_id},
};

impl Engine {
    pub(super) fn take_over(
        &mut self,
        now: Instant,
        call: CallNumber,
        tx: ServerTx,
        by_agent_of: CallNumber,
    ) {
        let attempt = self.records.next_attempt();
        let begun = self
            .calls
            .take_over(now, &mut self.layer, call, tx, by_agent_of, attempt);
        if !begun {
            return;
        }
        if let Some(record) = self.records.get_mut(call) {
            record.take_over = Some(TakeOver {
                attempt,
                by_agent_of,
            });
        }
        // The distributor hears of the other call when it is known who has this one.
        if let Some(other) = self.records.get_mut(by_agent_of) {
            other.place = Place::Left(None);
        }
    }

    /// The agent of another call has this one. Whether it was being taken over.
    pub(crate) fn taken_over(&mut self, now: Instant, call: CallNumber) -> bool {
        let record = self.records.get_mut(call);
        let Some((record, over)) = record.and_then(|record| {
            let over = record.take_over.take()?;
            Some((record, over))
        }) else {
            return false;
        };
        let other = acd_id(over.by_agent_of);
        let before = record.answered;
        let agent = match self.acd.call(other).map(|call| call.phase) {
            Some(CallPhase::Talking { agent }) => Some(agent),
            _ => None,
        };
        if let (Some(before), Some(agent)) = (before, agent) {
            record.answered = Some(Answered { agent, ..before });
            let event = Event::CallTransferred {
                call: record.id.clone(),
                agent: before.agent,
                to: Transferred::Agent(agent),
            };
            self.emit(event);
        }
        self.emit(Event::TransferEnded {
            outcome: TransferOutcome::Done,
        });
        let taken_over = acd::Input::CallTakenOver {
            call: acd_id(call),
            by_agent_of: other,
        };
        self.acd.handle_input(now, taken_over);
        self.calls
            .end_taken_over(now, &mut self.layer, over.by_agent_of);
        true
    }

    /// A call could not be taken over, or has ended meanwhile: the call about it is over all the same.
    pub(crate) fn take_over_failed(&mut self, now: Instant, over: TakeOver) {
        self.end_consultation(now, over.by_agent_of);
    }

    /// Ends a call about another whose agent was to take that one over.
    pub(super) fn end_consultation(&mut self, now: Instant, number: CallNumber) {
        let call = acd_id(number);
        self.acd.handle_input(now, acd::Input::CallEnded { call });
        self.calls.end_taken_over(now, &mut self.layer, number);
    }

    /// A call whose agent has hung up while it was being sent on in vain waits on its line again.
    pub(super) fn release_if_alone(&mut self, now: Instant, call: CallNumber) {
        let is_alone = self
            .calls
            .view(call)
            .is_some_and(|view| view.stage == StageView::Waiting);
        if is_alone {
            let call = acd_id(call);
            self.acd
                .handle_input(now, acd::Input::AgentReleased { call });
        }
    }
}
