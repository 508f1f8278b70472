//! Transfers: where an agent's REFER sends a call, and what becomes of it.
//!
//! To a line, the call enters the queue (`lines`); to an agent or to a telephone outside (`outside`),
//! whoever sends the call on keeps it until the other has answered; and an agent who has called a
//! colleague about it can join the two (`takeover`).

use std::time::Instant;

use acd::{AgentId, AgentState, OfferFailure};
use bytes::Bytes;
use call::{AgentFailure, AttemptId, CallNumber};
use sip::{Request, StatusCode, Uri};
use sip_proxy::TrunkId;
use sip_transaction::{ServerTx, Target};

use crate::{
    engine::Engine,
    event::{Event, TransferOutcome, Transferred},
    receive::aor_of,
    record::{Answered, LiveOffer, Place, Record, acd_id},
    routing::LineRoute,
};

mod interrupted;
mod lines;
mod outside;
mod takeover;

/// Where a call is sent.
#[derive(Debug)]
enum Onward {
    /// Into the queue of a line.
    Line(LineRoute),
    /// To a telephone outside, by the first of these ways that can serve.
    Outside(Vec<(TrunkId, Target)>),
    /// Into the queue of the line on which the agent waits with a call about this one, which is over
    /// then.
    PlaceOf(CallNumber, LineRoute),
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
            Ok(Onward::Line(line)) => {
                self.transfer_to_line(now, call, tx, line);
            }
            Ok(Onward::PlaceOf(other, line)) => {
                if self.transfer_to_line(now, call, tx, line) {
                    let status = StatusCode::REQUEST_TERMINATED;
                    self.calls.end(now, &mut self.layer, other, status);
                }
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

    /// Where a REFER sends its call: to a line by its number or its id, or to an agent by address-of-record or
    /// by the contact of a phone, which is what a phone knows of whom it talks with.
    fn onward(
        &mut self,
        now: Instant,
        call: CallNumber,
        refer: &Request,
    ) -> Result<Onward, StatusCode> {
        // Whoever has it outside is nobody of the centre's.
        let is_ours = |record: &Record| record.place == Place::InDistributor;
        if !self.records.get(call).is_some_and(is_ours) {
            return Err(StatusCode::FORBIDDEN);
        }
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
        let by_number = self.dial_plan.line(&uri, None);
        if let Some(route) = by_number.or_else(|| self.line_of_aor(&uri)) {
            let said = self.importance(refer);
            return Ok(Onward::Line(route.or_said(said, None)));
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
            None => {
                let priority = self.acd.call(acd_id(other)).map(|call| call.priority);
                let line = record.line;
                Onward::PlaceOf(other, LineRoute { line, priority })
            }
        })
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

    /// The agent whose phone has this contact, or is the only one at its address: what a phone says in a
    /// call need not be what it has registered.
    fn agent_at_contact(&self, uri: &Uri<'_>) -> Option<AgentId> {
        let uri = uri.as_sip()?;
        let at_address: Vec<_> = self
            .directory()
            .agents()
            .flat_map(|agent| {
                let fixed = self.fixed_phones.get(&agent).map(|phone| &phone.contact);
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

    /// An agent has a call: the first on its line, or another to whom it was sent on.
    pub(crate) fn call_answered(&mut self, now: Instant, call: CallNumber, live: &LiveOffer) {
        self.gone_on(call);
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
        // In the queue of a line, somebody else will be asked.
        let is_queued = |record: &Record| record.sent_to.is_some();
        if self.records.get(call).is_some_and(is_queued) {
            return;
        }
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
        if self.is_sent_outside(call) {
            return self.leave_distributor(now, call);
        }
        // Who takes the call over has it at once, or not at all: see `release_if_alone`.
        let is_taken_over = |record: &Record| record.take_over.is_some();
        if self.records.get(call).is_some_and(is_taken_over) {
            return;
        }
        self.gone_on(call);
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
        AgentFailure::NoAnswer | AgentFailure::Unreachable | AgentFailure::NotJoined => {
            StatusCode::TEMPORARILY_UNAVAILABLE
        }
        AgentFailure::Rejected(status) => status,
    }
}

pub(crate) const fn offer_failure(cause: AgentFailure) -> OfferFailure {
    match cause {
        // Who had answered is free again by themselves.
        AgentFailure::Busy | AgentFailure::NotJoined => OfferFailure::Busy,
        AgentFailure::Declined | AgentFailure::Rejected(_) => OfferFailure::Declined,
        AgentFailure::NoAnswer => OfferFailure::NoAnswer,
        AgentFailure::Unreachable => OfferFailure::Unreachable,
    }
}
