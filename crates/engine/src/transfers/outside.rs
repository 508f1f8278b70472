//! Telephones outside that are rung for a call: since an agent sends it there, or since the overflow plan
//! of its line diverts it.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use call::{AgentFailure, AttemptId, CallNumber, Identity, Outside, StopRinging};
use sip::UriBuf;
use sip_proxy::{TrunkId, Trust};
use sip_transaction::{ServerTx, Target};

use super::told_of;
use crate::{
    engine::Engine,
    event::{Event, TransferOutcome, Transferred},
    outgoing::asks_for_privacy,
    record::{Answered, LiveOutside, Place, Record, Standing, WhyOutside, acd_id},
};

/// How long a telephone outside may ring.
const RINGS_MAX: Duration = Duration::from_secs(60);

/// How long it may ring for a call that a plan has diverted there: the other side may have a queue of
/// its own, and the call keeps its place here.
const DIVERTED_RINGS_MAX: Duration = Duration::from_secs(180);

impl Engine {
    pub(super) fn transfer_outside(
        &mut self,
        now: Instant,
        call: CallNumber,
        tx: ServerTx,
        ways: Vec<(TrunkId, Target)>,
    ) {
        let accepted = self
            .calls
            .accept_transfer(now, &mut self.layer, call, tx, None);
        if accepted {
            self.begin_outside(now, call, ways.into(), WhyOutside::Transfer);
        }
    }

    /// An overflow plan sends a call to this SIP URI, by the trunks that take its number.
    pub(crate) fn divert(&mut self, now: Instant, call: acd::CallId, to: &str) {
        let uri = UriBuf::new(to.to_owned()).ok();
        let ways = uri.map(|uri| self.ways_out(now, &uri.as_uri()));
        let begun = match (self.records.by_acd(call), ways) {
            (Some(number), Some(ways)) => {
                self.begin_outside(now, number, ways.into(), WhyOutside::Diversion)
            }
            _ => false,
        };
        if !begun {
            self.acd
                .handle_input(now, acd::Input::DivertFailed { call });
        }
    }

    /// A call that was diverted is an agent's, or gone.
    pub(crate) fn divert_withdrawn(&mut self, now: Instant, call: acd::CallId) {
        let Some(number) = self.records.by_acd(call) else {
            return;
        };
        if let Some(outside) = self.take_diversion(number) {
            let why = StopRinging::AnsweredElsewhere;
            self.calls
                .withdraw(now, &mut self.layer, number, outside.attempt, why);
        }
    }

    fn take_diversion(&mut self, call: CallNumber) -> Option<LiveOutside> {
        let record = self.records.get_mut(call)?;
        record
            .outside
            .take_if(|outside| outside.why == WhyOutside::Diversion)
    }

    /// Whether somebody is rung.
    fn begin_outside(
        &mut self,
        now: Instant,
        call: CallNumber,
        ways: VecDeque<(TrunkId, Target)>,
        why: WhyOutside,
    ) -> bool {
        let rings_max = match why {
            WhyOutside::Transfer => RINGS_MAX,
            WhyOutside::Diversion => DIVERTED_RINGS_MAX,
        };
        let Some(record) = self.records.get_mut(call) else {
            return false;
        };
        record.outside = Some(LiveOutside {
            attempt: AttemptId(0),
            rest: ways,
            rings_until: now + rings_max,
            why,
        });
        let begun = self.ring_next_way(now, call);
        if !begun && let Some(record) = self.records.get_mut(call) {
            record.outside = None;
        }
        begun
    }

    /// Rings a telephone outside by the next way that has not been tried. Whether there was one.
    fn ring_next_way(&mut self, now: Instant, call: CallNumber) -> bool {
        let attempt = self.records.next_attempt();
        let record = self.records.get_mut(call);
        let Some(outside) = record.and_then(|record| record.outside.as_mut()) else {
            return false;
        };
        let Some((trunk, target)) = outside.rest.pop_front() else {
            return false;
        };
        outside.attempt = attempt;
        let rings_until = outside.rings_until;
        let is_trusted = self
            .trunks
            .get(trunk)
            .is_some_and(|trunk| trunk.trust == Trust::Trusted);
        let is_private = self.calls.invite(call).is_some_and(asks_for_privacy);
        let identity = if is_private && !is_trusted {
            Identity::Withheld
        } else {
            Identity::Shown
        };
        let outside = Outside {
            rings_until,
            identity,
        };
        self.calls
            .ring_outside(now, &mut self.layer, call, attempt, &target, outside);
        true
    }

    /// A telephone outside has answered: the call is out of the centre's hands, and the agent, if it
    /// had one, is free. Whether this attempt was to one.
    pub(crate) fn outside_answered(
        &mut self,
        now: Instant,
        call: CallNumber,
        attempt: AttemptId,
    ) -> bool {
        let Some(record) = self.records.get_mut(call) else {
            return false;
        };
        let outside = record.outside.take_if(|one| one.attempt == attempt);
        let Some(outside) = outside else {
            return false;
        };
        if outside.why == WhyOutside::Diversion {
            record.place = Place::Diverted(now);
            self.gone_on(call);
            let call = acd_id(call);
            self.acd
                .handle_input(now, acd::Input::DivertAnswered { call });
            return true;
        }
        let id = record.id.clone();
        if let Some(Answered { agent, .. }) = record.answered {
            self.emit(Event::CallTransferred {
                call: id,
                agent,
                to: Transferred::Outside,
            });
        }
        self.emit(Event::TransferEnded {
            outcome: TransferOutcome::Done,
        });
        self.leave_distributor(now, call);
        true
    }

    /// Whether an agent has sent the call to somebody outside, who is being rung.
    pub(super) fn is_sent_outside(&self, call: CallNumber) -> bool {
        let is_sent = |record: &Record| {
            let outside = record.outside.as_ref();
            outside.is_some_and(|outside| outside.why == WhyOutside::Transfer)
        };
        self.records.get(call).is_some_and(is_sent)
    }

    /// A way to a telephone outside has failed: the next is tried where it only could not serve. Whether
    /// the attempt was one.
    pub(super) fn outside_failed(
        &mut self,
        now: Instant,
        call: CallNumber,
        attempt: AttemptId,
        cause: AgentFailure,
    ) -> bool {
        let Some(record) = self.records.get_mut(call) else {
            return false;
        };
        if record.outside.as_ref().map(|outside| outside.attempt) != Some(attempt) {
            return false;
        }
        if cause == AgentFailure::Unreachable && self.ring_next_way(now, call) {
            return true;
        }
        if self.take_diversion(call).is_some() {
            let call = acd_id(call);
            self.acd
                .handle_input(now, acd::Input::DivertFailed { call });
            return true;
        }
        if let Some(record) = self.records.get_mut(call) {
            record.outside = None;
        }
        self.transfer_failed(now, call, told_of(cause));
        self.return_to_distributor(now, call);
        true
    }

    /// The distributor has nothing more to do with a call that goes on.
    pub(super) fn leave_distributor(&mut self, now: Instant, call: CallNumber) {
        let standing = self.acd.call(acd_id(call)).map(|view| Standing {
            priority: view.priority_unraised,
            arrival: view.arrival,
            caller: view.caller,
        });
        if let Some(record) = self.records.get_mut(call)
            && record.place == Place::InDistributor
        {
            record.place = Place::Left(standing);
            self.acd
                .handle_input(now, acd::Input::CallEnded { call: acd_id(call) });
        }
    }

    /// A call whose agent hung up while somebody outside was rung, in vain: it waits on its line again, at
    /// its place.
    pub(super) fn return_to_distributor(&mut self, now: Instant, call: CallNumber) {
        if let Some(record) = self.records.get_mut(call)
            && let Place::Left(standing) = record.place
        {
            record.place = Place::InDistributor;
            let line = record.line;
            self.acd.handle_input(
                now,
                acd::Input::CallArrived {
                    call: acd_id(call),
                    line,
                    priority: standing.map(|standing| standing.priority),
                    caller: standing.and_then(|standing| standing.caller),
                    arrival: standing.map(|standing| standing.arrival),
                },
            );
        }
    }
}
