//! Transfers: where an agent's REFER sends a call, and what becomes of it.
//!
//! To a line, the call enters the queue and the agent is let go at once: nobody stays on the
//! telephone with a caller who waits for a colleague. To an agent, whoever sends the call on keeps it
//! until the other has answered.

use std::time::{Duration, Instant};

use acd::{AgentId, AgentState, CallPhase, HandOver, LineId, OfferFailure};
use bytes::Bytes;
use call::{AgentFailure, AttemptId, CallNumber, Identity, Outside, StageView};
use sip::{Request, StatusCode, Uri};
use sip_proxy::{TrunkId, Trust};
use sip_transaction::{ServerTx, Target};

use crate::{
    engine::Engine,
    event::{Event, TransferOutcome, Transferred},
    outgoing::asks_for_privacy,
    receive::aor_of,
    record::{Answered, LiveOffer, LiveOutside, Place, Record, TakeOver, acd_id},
};

/// How long a telephone outside may ring.
const OUTSIDE_RINGS_MAX: Duration = Duration::from_secs(60);

/// Where a call is sent.
#[derive(Debug)]
enum Onward {
    /// Into the queue of a line.
    Line(LineId),
    /// To a telephone outside, by the first of these ways that can serve.
    Outside(Vec<(TrunkId, Target)>),
    /// Into the queue of the line on which the agent waits with a call about this one, which is over
    /// then.
    PlaceOf(CallNumber, LineId),
    /// To the agent of another call, by which the agent has asked about this one.
    TakenOver(CallNumber),
    /// To one agent, whose phone is to end the call that is replaced, if one is.
    Agent {
        agent: AgentId,
        replaces: Option<Bytes>,
    },
}

impl Engine {
    /// An agent asks to send a call on.
    pub(crate) fn take_transfer(&mut self, now: Instant, call: CallNumber, tx: ServerTx) {
        let Some(refer) = self.layer.server_request(tx).cloned() else {
            return;
        };
        let onward = self.onward(now, call, &refer);
        match onward {
            Ok(Onward::Line(line)) => self.transfer_to_line(now, call, tx, line),
            Ok(Onward::PlaceOf(other, line)) => {
                self.transfer_to_line(now, call, tx, line);
                let status = StatusCode::REQUEST_TERMINATED;
                self.calls.end(now, &mut self.layer, other, status);
            }
            Ok(Onward::Outside(ways)) => self.transfer_outside(now, call, tx, ways),
            Ok(Onward::TakenOver(by_agent_of)) => self.take_over(now, call, tx, by_agent_of),
            Ok(Onward::Agent { agent, replaces }) => {
                self.transfer_to_agent(now, call, tx, agent, replaces);
            }
            Err(status) => {
                self.emit(Event::TransferEnded {
                    outcome: TransferOutcome::Refused,
                });
                self.calls.refuse_transfer(now, &mut self.layer, tx, status);
            }
        }
    }

    /// Where a REFER sends its call: to a line by its number, or to an agent by address-of-record or
    /// by the contact of a phone, which is what a phone knows of whom it talks with.
    fn onward(
        &mut self,
        now: Instant,
        call: CallNumber,
        refer: &Request,
    ) -> Result<Onward, StatusCode> {
        let target = refer.refer_to().ok_or(StatusCode::BAD_REQUEST)?;
        let uri = target.target.uri().map_err(|_| StatusCode::BAD_REQUEST)?;
        let replaces = target
            .with_replaces(|replaces| replaces.ok().map(|one| Bytes::from(one.to_bytes())))
            .flatten();
        let consultation = target
            .with_replaces(|replaces| self.calls.replaced_by_caller(&replaces.ok()?))
            .flatten();
        if let Some(other) = consultation {
            return self.consulted(call, other);
        }
        if let Some(line) = self.dial_plan.line(&uri, None) {
            return Ok(Onward::Line(line));
        }
        let agent = self.agent_of_aor(&uri);
        let Some(agent) = agent.or_else(|| self.agent_at_contact(&uri)) else {
            let ways = self.ways_out(now, &uri);
            return match ways.is_empty() {
                true => Err(StatusCode::NOT_FOUND),
                false => Ok(Onward::Outside(ways)),
            };
        };
        if !self.acd.can_be_asked(agent) {
            return Err(match self.acd.agent_state(agent) {
                AgentState::LoggedOut | AgentState::Unreachable { .. } => {
                    StatusCode::TEMPORARILY_UNAVAILABLE
                }
                _ => StatusCode::BUSY_HERE,
            });
        }
        if self.phones(agent).is_empty() {
            return Err(StatusCode::TEMPORARILY_UNAVAILABLE);
        }
        Ok(Onward::Agent { agent, replaces })
    }

    /// Where an agent sends a call who has called somebody about it: to that agent, or while nobody has
    /// answered to the same line.
    fn consulted(&self, call: CallNumber, other: CallNumber) -> Result<Onward, StatusCode> {
        let agent_of = |number| Some(self.records.get(number)?.answered?.agent);
        let record = self.records.get(other).ok_or(StatusCode::NOT_FOUND)?;
        if record.by.is_none() || record.by != agent_of(call) {
            return Err(StatusCode::FORBIDDEN);
        }
        Ok(match record.answered {
            Some(_) => Onward::TakenOver(other),
            None => Onward::PlaceOf(other, record.line),
        })
    }

    fn take_over(&mut self, now: Instant, call: CallNumber, tx: ServerTx, by_agent_of: CallNumber) {
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
            other.place = Place::Left;
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
        let call = acd_id(over.by_agent_of);
        self.acd.handle_input(now, acd::Input::CallEnded { call });
        self.calls
            .end_taken_over(now, &mut self.layer, over.by_agent_of);
    }

    /// Somebody whom a call was to be sent on to has failed. Whether that has been dealt with here.
    pub(crate) fn onward_failed(
        &mut self,
        now: Instant,
        call: CallNumber,
        attempt: AttemptId,
        cause: AgentFailure,
    ) -> bool {
        let record = self.records.get_mut(call);
        let over = record.and_then(|record| record.take_over.take_if(|one| one.attempt == attempt));
        let Some(over) = over else {
            return self.outside_failed(now, call, attempt, cause);
        };
        self.take_over_failed(now, over);
        self.transfer_failed(now, call, told_of(cause));
        self.release_if_alone(now, call);
        true
    }

    /// A call whose agent has hung up while it was being sent on in vain waits on its line again.
    fn release_if_alone(&mut self, now: Instant, call: CallNumber) {
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

    /// The agent whose phone has this contact, or is the only one at its address: what a phone says in a
    /// call need not be what it has registered.
    fn agent_at_contact(&self, uri: &Uri<'_>) -> Option<AgentId> {
        let uri = uri.as_sip()?;
        let at_address: Vec<_> = self
            .directory()
            .agents()
            .flat_map(|agent| {
                let fixed = self.contacts.get(&agent);
                let bindings = self.registrar.bindings(aor_of(agent));
                let contacts = bindings.map(|binding| &binding.contact).chain(fixed);
                contacts.map(move |contact| (agent, contact.as_uri()))
            })
            .filter_map(|(agent, contact)| {
                let contact = contact.as_sip()?;
                let is_there = (contact.host, contact.port) == (uri.host, uri.port);
                is_there.then_some((agent, contact.user == uri.user))
            })
            .collect();
        let exact = at_address.iter().find(|&&(_, is_exact)| is_exact);
        match (exact, at_address.as_slice()) {
            (Some(&(agent, _)), _) | (None, &[(agent, _)]) => Some(agent),
            _ => None,
        }
    }

    fn transfer_to_line(&mut self, now: Instant, call: CallNumber, tx: ServerTx, to: LineId) {
        if !self
            .calls
            .accept_transfer(now, &mut self.layer, call, tx, None)
        {
            return;
        }
        if let Some(record) = self.records.get_mut(call)
            && let Some(Answered { at, agent }) = record.answered.take()
        {
            let (from, waited) = (record.line, at - record.offered_at);
            record.line = to;
            record.offered_at = now;
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
        let call_id = acd_id(call);
        self.acd.handle_input(
            now,
            acd::Input::CallMoved {
                call: call_id,
                to,
                priority: None,
            },
        );
        self.calls.release_agent(now, &mut self.layer, call);
        // Her leg ends here, also where the line would have her stay until somebody answers.
        let line = self.directory().line_profile(to);
        if line.hand_over == HandOver::Attended {
            self.acd
                .handle_input(now, acd::Input::AgentReleased { call: call_id });
        }
    }

    fn transfer_to_agent(
        &mut self,
        now: Instant,
        call: CallNumber,
        tx: ServerTx,
        agent: AgentId,
        replaces: Option<Bytes>,
    ) {
        let accepted = self
            .calls
            .accept_transfer(now, &mut self.layer, call, tx, replaces);
        if accepted {
            let call = acd_id(call);
            self.acd
                .handle_input(now, acd::Input::OfferTo { call, agent });
        }
    }

    fn transfer_outside(
        &mut self,
        now: Instant,
        call: CallNumber,
        tx: ServerTx,
        ways: Vec<(TrunkId, Target)>,
    ) {
        let accepted = self
            .calls
            .accept_transfer(now, &mut self.layer, call, tx, None);
        if accepted && let Some(record) = self.records.get_mut(call) {
            record.outside = Some(LiveOutside {
                attempt: AttemptId(0),
                rest: ways.into(),
                rings_until: now + OUTSIDE_RINGS_MAX,
            });
            self.ring_next_way(now, call);
        }
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

    /// A telephone outside has answered: the call is out of the centre's hands, and the agent is free.
    /// Whether it was one.
    pub(crate) fn outside_answered(&mut self, now: Instant, call: CallNumber) -> bool {
        let Some(record) = self.records.get_mut(call) else {
            return false;
        };
        if record.outside.take().is_none() {
            return false;
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

    /// A way to a telephone outside has failed: the next is tried where it only could not serve. Whether
    /// the attempt was one.
    fn outside_failed(
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
        if let Some(record) = self.records.get_mut(call) {
            record.outside = None;
        }
        self.transfer_failed(now, call, told_of(cause));
        self.return_to_distributor(now, call);
        true
    }

    /// The distributor has nothing more to do with a call that goes on.
    fn leave_distributor(&mut self, now: Instant, call: CallNumber) {
        if let Some(record) = self.records.get_mut(call)
            && record.place == Place::InDistributor
        {
            record.place = Place::Left;
            self.acd
                .handle_input(now, acd::Input::CallEnded { call: acd_id(call) });
        }
    }

    /// A call whose agent hung up while somebody outside was rung, in vain: it waits on its line again.
    fn return_to_distributor(&mut self, now: Instant, call: CallNumber) {
        if let Some(record) = self.records.get_mut(call)
            && record.place == Place::Left
        {
            record.place = Place::InDistributor;
            let line = record.line;
            self.acd.handle_input(
                now,
                acd::Input::CallArrived {
                    call: acd_id(call),
                    line,
                    priority: None,
                    caller: None,
                },
            );
        }
    }

    /// An agent has a call: the first on its line, or another to whom it was sent on.
    pub(crate) fn call_answered(&mut self, now: Instant, call: CallNumber, live: &LiveOffer) {
        let Some(record) = self.records.get_mut(call) else {
            return;
        };
        let agent = live.agent;
        let before = record.answered;
        record.answered = Some(Answered {
            at: before.map_or(now, |before| before.at),
            agent,
        });
        if let Some(before) = before {
            let event = Event::CallTransferred {
                call: record.id.clone(),
                agent: before.agent,
                to: Transferred::Agent(agent),
            };
            self.emit(event);
            self.emit(Event::TransferEnded {
                outcome: TransferOutcome::Done,
            });
        }
        let offer = live.offer;
        self.acd
            .handle_input(now, acd::Input::OfferAnswered { offer });
    }

    /// Nobody took a call that an agent had sent on: it is the agent's again, unless the agent has hung up
    /// meanwhile. Nothing, when the call was not being sent on.
    pub(crate) fn transfer_failed(&mut self, now: Instant, call: CallNumber, status: StatusCode) {
        let is_back = self
            .calls
            .transfer_failed(now, &mut self.layer, call, status);
        if is_back {
            self.emit(Event::TransferEnded {
                outcome: TransferOutcome::Failed,
            });
        }
    }

    /// The agent who sent a call on has hung up before anybody had it.
    pub(crate) fn agent_left(&mut self, now: Instant, call: CallNumber) {
        let is_outside = |record: &Record| record.outside.is_some();
        if self.records.get(call).is_some_and(is_outside) {
            return self.leave_distributor(now, call);
        }
        // Who takes the call over has it at once, or not at all: see `release_if_alone`.
        let is_taken_over = |record: &Record| record.take_over.is_some();
        if self.records.get(call).is_some_and(is_taken_over) {
            return;
        }
        let call = acd_id(call);
        self.acd
            .handle_input(now, acd::Input::AgentReleased { call });
    }
}

/// What the agent who sent a call on is told of an attempt that failed.
pub(crate) const fn told_of(cause: AgentFailure) -> StatusCode {
    match cause {
        AgentFailure::Busy => StatusCode::BUSY_HERE,
        AgentFailure::Declined => StatusCode::DECLINE,
        AgentFailure::NoAnswer | AgentFailure::Unreachable => StatusCode::TEMPORARILY_UNAVAILABLE,
        AgentFailure::Rejected(status) => status,
    }
}

pub(crate) const fn offer_failure(cause: AgentFailure) -> OfferFailure {
    match cause {
        AgentFailure::Busy => OfferFailure::Busy,
        AgentFailure::Declined | AgentFailure::Rejected(_) => OfferFailure::Declined,
        AgentFailure::NoAnswer => OfferFailure::NoAnswer,
        AgentFailure::Unreachable => OfferFailure::Unreachable,
    }
}
