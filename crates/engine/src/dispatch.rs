//! Between the distributor and the legs: offers become INVITEs, answers become facts.

use std::time::Instant;

use acd::{AgentId, OfferFailure, WithdrawReason};
use call::{AgentFailure, AttemptId, CallNumber, EndCause, StopRinging};
use sip::{Builder, HeaderName, Method, Pii, Request, StatusCode, UriBuf};
use sip_transaction::{ClientTx, Failure, Flow};

use crate::{
    engine::Engine,
    event::{DropReason, Event, Outcome},
    record::{LiveOffer, Place, acd_id},
    transfers::{offer_failure, told_of},
};

impl Engine {
    pub(crate) fn take_transaction_event(&mut self, now: Instant, event: sip_transaction::Event) {
        use sip_transaction::Event as Tx;
        match event {
            Tx::Request {
                tx,
                request,
                flow,
                merged,
            } => {
                self.take_request(now, tx, request, flow, merged);
            }
            Tx::Ack { request, flow } => {
                if !self.calls.handle_ack(now, &mut self.layer, &request) {
                    self.forward_ack(request, flow);
                }
            }
            Tx::Cancelled { tx, cancel } => {
                let reason = cancel.header(HeaderName::Reason);
                if !self
                    .proxy
                    .handle_cancelled(now, &mut self.layer, tx, reason)
                {
                    self.calls
                        .handle_cancelled(now, &mut self.layer, tx, &cancel);
                }
            }
            Tx::Response { tx, response } => {
                if let Some(&agent) = self.probes.get(tx) {
                    self.take_probe_answer(now, tx, agent, response.status());
                } else if !self.take_hop_answer(tx, &response)
                    && !self
                        .proxy
                        .handle_response(now, &mut self.layer, tx, &response)
                {
                    self.calls
                        .handle_response(now, &mut self.layer, tx, &response);
                }
            }
            Tx::StrayResponse { response, flow } => {
                let late = self
                    .calls
                    .handle_stray_response(now, &mut self.layer, &response, flow);
                if !late {
                    self.dropped(DropReason::StrayResponse);
                }
            }
            Tx::MismatchedResponse { tx, response, flow } => {
                self.dropped(DropReason::MismatchedResponse);
                self.calls
                    .handle_mismatched_response(now, &mut self.layer, tx, &response, flow);
            }
            Tx::ClientFailed { tx, cause } => self.take_client_failure(now, tx, cause),
            Tx::ClientEnded { tx } => {
                self.probes.remove(tx);
                self.proxy.handle_client_ended(now, &mut self.layer, tx);
                self.calls.handle_client_ended(tx);
            }
            Tx::ServerEnded { tx } => {
                self.proxy.handle_server_ended(tx);
                self.calls.handle_server_ended(tx);
            }
            // The final answer was not acknowledged, or could not be sent: its sender is gone, and
            // whatever it was about has a deadline of its own.
            Tx::ServerFailed { tx, .. } => self.calls.handle_server_ended(tx),
            Tx::RetransmissionReceived { kind } => {
                self.emit(Event::RetransmissionReceived { kind });
            }
            Tx::Refused { .. } => {
                self.dropped(DropReason::TransactionsMax);
            }
        }
    }

    fn take_client_failure(&mut self, now: Instant, tx: ClientTx, cause: Failure) {
        if self.probes.remove(tx).is_none()
            && !self.take_hop_silence(tx)
            && !self
                .proxy
                .handle_client_failed(now, &mut self.layer, tx, cause)
        {
            self.calls
                .handle_client_failed(now, &mut self.layer, tx, cause);
        }
    }

    pub(crate) fn take_from_acd(&mut self, now: Instant, output: acd::Output) {
        match output {
            acd::Output::Offer(offer) => self.ring_agent(now, &offer),
            acd::Output::Withdraw {
                call,
                offer,
                reason,
                ..
            } => self.stop_ringing(now, call, offer, reason),
            acd::Output::Probe { agent } => self.probe(now, agent),
            acd::Output::Divert { call, to } => self.divert(now, call, &to),
            acd::Output::DivertWithdrawn { call } => self.divert_withdrawn(now, call),
            acd::Output::Announce {
                call,
                announcement,
                place,
                expected_wait,
            } => {
                if let Some(number) = self.records.by_acd(call)
                    && let Some(record) = self.records.get(number)
                {
                    let call = record.id.clone();
                    self.emit(Event::AnnouncementDue {
                        call,
                        announcement,
                        place,
                        expected_wait,
                    });
                }
            }
            acd::Output::Reject { call } => {
                if let Some(number) = self.records.by_acd(call) {
                    let status = StatusCode::SERVICE_UNAVAILABLE;
                    self.calls.end(now, &mut self.layer, number, status);
                }
            }
            acd::Output::Event(event) => {
                self.note_distribution(now, &event);
                let call = event.call().and_then(|call| self.stories.id_of(call));
                let (call, what) = (call.cloned(), event);
                self.emit(Event::Distribution { call, what });
            }
        }
    }

    fn note_distribution(&mut self, now: Instant, event: &acd::Event) {
        match event {
            acd::Event::Queued { call, line, .. } => {
                let number = self.records.by_acd(*call);
                // In a crisis another line may have taken it.
                if let Some(record) = number.and_then(|number| self.records.get_mut(number)) {
                    match &mut record.sent_to {
                        Some(sent_to) => sent_to.line = *line,
                        None => record.line = *line,
                    }
                }
                self.to_announce.extend(number);
            }
            acd::Event::Returned { call, .. } => {
                self.to_announce.extend(self.records.by_acd(*call));
            }
            acd::Event::AbandonedListed { entry, call, .. } => {
                if let Some(number) = self.number_of(*call) {
                    self.abandoned_numbers.insert(*entry, number);
                }
            }
            acd::Event::AbandonedForgotten { entry } => {
                self.abandoned_numbers.remove(entry);
            }
            acd::Event::Refused { call, .. } => {
                if let Some(number) = self.records.by_acd(*call) {
                    let status = StatusCode::SERVICE_UNAVAILABLE;
                    self.calls.end(now, &mut self.layer, number, status);
                }
            }
            _ => {}
        }
    }

    /// The number that called, of a call that is there or ends now.
    fn number_of(&self, call: acd::CallId) -> Option<Pii<String>> {
        let left = self.leaving.iter().find(|(left, _)| *left == call);
        let left = left.map(|(_, number)| number.clone());
        let record = || self.records.get(self.records.by_acd(call)?);
        left.or_else(|| record()?.number.clone())
    }

    /// Tells a caller that the call waits, unless an agent is being rung by now.
    pub(crate) fn announce(&mut self, now: Instant, call: CallNumber) {
        let waits = self
            .records
            .get(call)
            .is_some_and(|record| record.offers.is_empty());
        if let Some(place) = self.acd.place(acd_id(call)).filter(|_| waits) {
            self.calls.announce(now, &mut self.layer, call, place);
        }
    }

    fn ring_agent(&mut self, now: Instant, offer: &acd::Offer) {
        let mut targets = self.targets(offer.agent);
        let attempt = self.records.next_attempt();
        let number = self.records.by_acd(offer.call);
        let Some(record) = number.and_then(|number| self.records.get_mut(number)) else {
            return;
        };
        if targets.is_empty() {
            self.offer_failed(now, offer.offer, OfferFailure::Unreachable);
            if let Some(number) = number {
                self.transfer_failed(now, number, StatusCode::TEMPORARILY_UNAVAILABLE);
            }
            return;
        }
        let first = targets.remove(0);
        let live = LiveOffer {
            offer: offer.offer,
            agent: offer.agent,
            attempt,
            rest: targets,
            is_first: true,
        };
        record.offers.push(live);
        if let Some(number) = number {
            self.calls
                .ring(now, &mut self.layer, number, attempt, &first);
        }
    }

    /// An offer is over: its phone stops ringing.
    fn stop_ringing(
        &mut self,
        now: Instant,
        call: acd::CallId,
        offer: acd::OfferId,
        reason: WithdrawReason,
    ) {
        let Some(number) = self.records.by_acd(call) else {
            return;
        };
        let is_it = |live: &LiveOffer| live.offer == offer;
        if let Some(live) = self.records.take_offer(number, is_it) {
            if reason == WithdrawReason::NoSignOfLife
                && live.is_first
                && let Some(contact) = self.calls.rung(number, live.attempt).cloned()
            {
                self.note_silent(live.agent, &contact);
            }
            let elsewhere = reason == WithdrawReason::AnsweredElsewhere;
            let why = match elsewhere {
                true => StopRinging::AnsweredElsewhere,
                false => StopRinging::Withdrawn,
            };
            self.calls
                .withdraw(now, &mut self.layer, number, live.attempt, why);
            if !elsewhere {
                self.transfer_failed(now, number, StatusCode::TEMPORARILY_UNAVAILABLE);
            }
        }
    }

    fn offer_failed(&mut self, now: Instant, offer: acd::OfferId, reason: OfferFailure) {
        self.acd
            .handle_input(now, acd::Input::OfferFailed { offer, reason });
    }

    pub(crate) fn take_from_calls(&mut self, now: Instant, event: &call::Event) {
        match *event {
            call::Event::Started { .. } => {}
            call::Event::AnnounceDue { call } => self.announce(now, call),
            call::Event::AgentRinging { call, attempt } => {
                if let Some(offer) = self.records.offer_of(call, attempt) {
                    self.acd
                        .handle_input(now, acd::Input::OfferRinging { offer });
                }
            }
            call::Event::AgentJoining { call, attempt } => {
                if let Some(offer) = self.records.offer_of(call, attempt) {
                    self.acd
                        .handle_input(now, acd::Input::OfferJoining { offer });
                }
            }
            call::Event::AgentAnswered { call, .. } if self.is_hidden_call(call) => {}
            call::Event::AgentAnswered { call, attempt } => {
                if self.outside_answered(now, call, attempt) || self.taken_over(now, call) {
                    return;
                }
                let is_it = |live: &LiveOffer| live.attempt == attempt;
                if let Some(live) = self.records.take_offer(call, is_it) {
                    self.call_answered(now, call, &live);
                }
            }
            call::Event::AgentFailed {
                call,
                attempt,
                cause,
            } => {
                if !self.hidden_failed(now, call, attempt, cause)
                    && !self.onward_failed(now, call, attempt, cause)
                {
                    self.attempt_failed(now, call, attempt, cause);
                }
            }
            call::Event::PhoneFree { call } => self.phone_free(now, call),
            call::Event::TransferAsked { call, tx } => self.take_transfer(now, call, tx),
            call::Event::AgentLeft { call } => self.agent_left(now, call),
            call::Event::LateAnswer { call, .. } => {
                let call = self.records.get(call).map(|record| record.id.clone());
                self.emit(Event::LateAnswer { call });
            }
            call::Event::Ended { call, cause, .. } => self.call_ended(now, call, cause),
        }
    }

    /// Rings the agent's next contact, or gives the offer back.
    fn attempt_failed(
        &mut self,
        now: Instant,
        call: CallNumber,
        attempt: AttemptId,
        cause: AgentFailure,
    ) {
        let tries_next = matches!(cause, AgentFailure::Unreachable | AgentFailure::Rejected(_));
        let next_attempt = self.records.next_attempt();
        let Some(live) = self.records.offer_mut(call, attempt) else {
            return;
        };
        if tries_next && !live.rest.is_empty() {
            (live.attempt, live.is_first) = (next_attempt, false);
            let target = live.rest.remove(0);
            return self
                .calls
                .ring(now, &mut self.layer, call, next_attempt, &target);
        }
        let is_it = |live: &LiveOffer| live.attempt == attempt;
        if let Some(live) = self.records.take_offer(call, is_it) {
            self.offer_failed(now, live.offer, offer_failure(cause));
            self.transfer_failed(now, call, told_of(cause));
        }
    }

    fn call_ended(&mut self, now: Instant, call: CallNumber, cause: EndCause) {
        self.hidden_ended(call);
        let Some(record) = self.records.remove(call) else {
            return;
        };
        if let Some(trunk) = record.trunk {
            self.trunk_loads.end(trunk);
        }
        if let Some(number) = record.number {
            self.leaving.push((acd_id(call), number));
        }
        if let Some(over) = record.take_over {
            self.take_over_failed(now, over);
        }
        if record.place == Place::InDistributor {
            self.acd
                .handle_input(now, acd::Input::CallEnded { call: acd_id(call) });
        }
        let diverted_at = match record.place {
            Place::Diverted(at) => Some(at),
            Place::InDistributor | Place::Left(_) => None,
        };
        let answered_at = record.answered.map(|answered| answered.at);
        let answered_at = answered_at.or(diverted_at).unwrap_or(now);
        let outcome = match (record.answered, cause) {
            (Some(_), _) => Outcome::Answered,
            (None, _) if diverted_at.is_some() => Outcome::Diverted,
            // Who was sent on to another line hangs up a call that had been answered on the first.
            // Nor does it matter whether the BYE came through: nobody else is left in the call.
            (None, EndCause::Abandoned | EndCause::CallerBye | EndCause::PeerLost) => {
                Outcome::Abandoned
            }
            // An agent's call about a call that has taken its place.
            (None, EndCause::Refused(StatusCode::REQUEST_TERMINATED)) => Outcome::Abandoned,
            (None, _) => Outcome::Failed,
        };
        self.emit(Event::CallEnded {
            call: record.id,
            line: record.line,
            outcome,
            cause,
            waited: answered_at - record.offered_at,
            talked: now - answered_at,
            agent: record.answered.map(|answered| answered.agent),
        });
        self.stories.end(call);
    }

    pub(crate) fn take_from_registrar(&mut self, now: Instant, event: sip_proxy::Event) {
        use sip_proxy::Event::{Bound, Fewer, Moved, Refreshed, Unbound};
        let (Bound { aor }
        | Refreshed { aor }
        | Moved { aor, .. }
        | Fewer { aor }
        | Unbound { aor, .. }) = event;
        let Some(agent) = self.agent_of(aor) else {
            return;
        };
        self.note_phones(agent);
        match event {
            Bound { .. } => self.emit(Event::PhoneRegistered { agent }),
            Refreshed { .. } => {}
            Moved {
                contact, from, to, ..
            } => return self.phone_moved(now, agent, &contact, (from, to)),
            Fewer { .. } => return,
            Unbound { .. } => {
                self.silent.forget(agent);
                return self.emit(Event::PhoneUnregistered { agent });
            }
        }
        self.acd
            .handle_input(now, acd::Input::AgentReachable { agent });
    }

    /// An agent's phone is reached by another way: so are its calls.
    fn phone_moved(
        &mut self,
        now: Instant,
        agent: AgentId,
        contact: &UriBuf,
        (from, to): (Option<Flow>, Flow),
    ) {
        // Nobody takes an operator's place.
        if let Some(from) = from.filter(|from| self.trunk_of(*from).is_none()) {
            self.layer.flow_moved(now, from, to);
        }
        let rung_for = self.acd.agent_state(agent).call();
        let had = [rung_for, self.acd.last_call(agent)].into_iter().flatten();
        let had = had.filter_map(|call| self.records.by_acd(call));
        let calls: Vec<_> = self.records.made_by(agent).chain(had).collect();
        let id = &self.directory().agent_profile(agent).id;
        let aor = format!("sip:{id}@{}", self.config.domain);
        let phone = call::Phone {
            contact: contact.as_bytes(),
            aor: aor.as_bytes(),
        };
        self.calls
            .phone_moved(now, &mut self.layer, &calls, (phone, to));
    }

    fn agent_of(&self, aor: sip_proxy::Aor) -> Option<AgentId> {
        self.directory().agents().nth(aor.value() as usize)
    }

    /// Asks an agent's phone for a sign of life: OPTIONS.
    fn probe(&mut self, now: Instant, agent: AgentId) {
        let Some(target) = self.targets(agent).into_iter().next() else {
            return;
        };
        let branch = self.ids.branch();
        let from = format!("<sip:{}>;tag={}", self.config.domain, self.ids.token());
        let probe = Builder::request(&Method::Options, &target.uri)
            .header(HeaderName::Via, self.locals.via(target.flow, &branch))
            .header(HeaderName::MaxForwards, "70")
            .header(HeaderName::From, from)
            .header(HeaderName::To, [b"<", &*target.uri, b">"].concat())
            .header(HeaderName::CallId, self.ids.token())
            .header(HeaderName::CSeq, "1 OPTIONS");
        let probe = target.routes.iter().fold(probe, |builder, route| {
            builder.header(HeaderName::Route, route)
        });
        let probe = Request::new(probe.finish()).ok();
        if let Some(tx) = probe.and_then(|probe| self.layer.request(now, probe, target.flow).ok()) {
            self.probes.insert(tx, agent);
        }
    }

    /// Any answer but a timeout's or a server's is a sign of life.
    fn take_probe_answer(
        &mut self,
        now: Instant,
        tx: ClientTx,
        agent: AgentId,
        status: StatusCode,
    ) {
        if status.is_provisional() {
            return;
        }
        self.probes.remove(tx);
        let lives = !matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::SERVICE_UNAVAILABLE
        );
        if lives {
            self.acd
                .handle_input(now, acd::Input::AgentReachable { agent });
        }
    }
}
