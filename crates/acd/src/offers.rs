//! Offers: one agent asked, one winner, two deadlines.

use std::time::Instant;

use crate::{
    acd::{Acd, Deadline, Phase, Told},
    agent::{AgentState, NotReadyReason, Want},
    event::{Event, Ignored, Offer, OfferFailure, OfferOutcome, Output, WithdrawReason},
    ids::{AgentId, CallId, OfferId, PauseReason, StepIndex},
};

/// An offer under way.
#[derive(Debug)]
pub(crate) struct LiveOffer {
    pub(crate) call: CallId,
    pub(crate) agent: AgentId,
    step: Option<StepIndex>,
    ring_until: Instant,
    sign_of_life: SignOfLife,
    /// When the agent became free: the idle time goes on if the caller gives up first. `None` for
    /// who was asked in person and was not free.
    idle_since: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SignOfLife {
    /// The phone has until then.
    AwaitedUntil(Instant),
    Seen,
}

impl LiveOffer {
    /// When the offer needs attention.
    pub(crate) fn deadline(&self) -> Instant {
        match self.sign_of_life {
            SignOfLife::AwaitedUntil(at) => at.min(self.ring_until),
            SignOfLife::Seen => self.ring_until,
        }
    }
}

impl Acd {
    /// Offers a waiting call to a free agent.
    pub(crate) fn offer(
        &mut self,
        now: Instant,
        id: CallId,
        agent: AgentId,
        step: Option<StepIndex>,
    ) {
        if matches!(self.agents[agent.index()].state, AgentState::Ready { .. }) {
            self.unqueue(id);
            self.open_offer(now, id, agent, step);
        }
    }

    /// Asks an agent for a call that is in no queue.
    pub(crate) fn open_offer(
        &mut self,
        now: Instant,
        id: CallId,
        agent: AgentId,
        step: Option<StepIndex>,
    ) {
        let idle_since = match self.agents[agent.index()].state {
            AgentState::Ready { since } => Some(since),
            _ => None,
        };
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let offer = OfferId::new(self.next_offer);
        self.next_offer += 1;
        match &mut call.phase {
            Phase::Talking { moving_to, .. } => *moving_to = Some(offer),
            phase => *phase = Phase::Offered(offer),
        }
        let (line, waited) = (call.line, now - call.key.arrival);
        let ring_until = now + self.directory.line_profile(line).ring_time;
        let live = LiveOffer {
            call: id,
            agent,
            step,
            ring_until,
            sign_of_life: SignOfLife::AwaitedUntil(now + self.settings.unreachable_after),
            idle_since,
        };
        self.deadlines
            .insert((live.deadline(), Deadline::Offer(offer)));
        self.offers.insert(offer, live);
        self.set_state(
            now,
            agent,
            AgentState::Offered {
                offer,
                call: id,
                deadline: ring_until,
            },
        );
        let site = self.directory.agent_profile(agent).site;
        self.emit(Event::Offered {
            offer,
            call: id,
            line,
            agent,
            site,
            step,
            waited,
        });
        self.outputs.push_back(Output::Offer(Offer {
            offer,
            call: id,
            agent,
            ring_until,
            step,
        }));
    }

    pub(crate) fn offer_ringing(&mut self, id: OfferId) {
        let Some(offer) = self.offers.get_mut(&id) else {
            return self.emit(Event::Ignored {
                what: Ignored::Offer(id),
            });
        };
        let before = offer.deadline();
        offer.sign_of_life = SignOfLife::Seen;
        let after = offer.deadline();
        self.deadlines.remove(&(before, Deadline::Offer(id)));
        self.deadlines.insert((after, Deadline::Offer(id)));
    }

    pub(crate) fn offer_answered(&mut self, now: Instant, id: OfferId) {
        let Some(offer) = self.close_offer(id, OfferOutcome::Answered) else {
            return;
        };
        let LiveOffer {
            call, agent, step, ..
        } = offer;
        let Some(answered) = self.calls.get_mut(&call) else {
            return;
        };
        let before = answered.phase;
        answered.phase = Phase::Talking {
            agent,
            since: now,
            moving_to: None,
        };
        answered.came_from = None;
        let (line, waited) = (answered.line, now - answered.line_since);
        let told = std::mem::replace(&mut answered.told, Told::Yes);
        if let Phase::Talking { agent: before, .. } = before {
            self.end_talk(now, before, line);
        }
        self.set_state(now, agent, AgentState::Talking { call, since: now });
        let site = self.directory.agent_profile(agent).site;
        self.emit(match told {
            Told::No => Event::Answered {
                call,
                line,
                agent,
                site,
                step,
                waited,
            },
            Told::Yes => Event::HandedOver { call, line, agent },
        });
    }

    pub(crate) fn offer_failed(&mut self, now: Instant, id: OfferId, reason: OfferFailure) {
        let outcome = match reason {
            OfferFailure::Busy => OfferOutcome::Busy,
            OfferFailure::Declined => OfferOutcome::Declined,
            OfferFailure::NoAnswer => OfferOutcome::NoAnswer,
            OfferFailure::Unreachable => OfferOutcome::Unreachable,
        };
        if let Some(offer) = self.close_offer(id, outcome) {
            self.release_agent(now, &offer, outcome);
            self.give_back(now, offer.call);
        }
    }

    pub(crate) fn offer_due(&mut self, now: Instant, id: OfferId) {
        let Some(offer) = self.offers.get(&id) else {
            return;
        };
        let reason = match offer.sign_of_life {
            SignOfLife::AwaitedUntil(_) => WithdrawReason::NoSignOfLife,
            SignOfLife::Seen => WithdrawReason::RingTimeout,
        };
        self.withdraw(now, id, reason);
    }

    /// Ends an offer from our side; its call goes back to its place.
    pub(crate) fn withdraw(&mut self, now: Instant, id: OfferId, reason: WithdrawReason) {
        let outcome = match reason {
            WithdrawReason::RingTimeout => OfferOutcome::NoAnswer,
            WithdrawReason::NoSignOfLife => OfferOutcome::Unreachable,
            WithdrawReason::AgentLeft => OfferOutcome::AgentLeft,
            WithdrawReason::CallEnded => OfferOutcome::Withdrawn,
        };
        let Some(offer) = self.close_offer(id, outcome) else {
            return;
        };
        let LiveOffer { call, agent, .. } = offer;
        self.outputs.push_back(Output::Withdraw {
            offer: id,
            agent,
            call,
            reason,
        });
        self.release_agent(now, &offer, outcome);
        if reason != WithdrawReason::CallEnded {
            self.give_back(now, call);
        }
    }

    /// The caller gave up while the agent was being rung.
    pub(crate) fn withdraw_for_caller(&mut self, now: Instant, id: OfferId) {
        self.withdraw(now, id, WithdrawReason::CallEnded);
    }

    /// Forgets an offer and tells how it ended. Whoever closes it has won.
    fn close_offer(&mut self, id: OfferId, outcome: OfferOutcome) -> Option<LiveOffer> {
        let Some(offer) = self.offers.remove(&id) else {
            self.emit(Event::Ignored {
                what: Ignored::Offer(id),
            });
            return None;
        };
        self.deadlines
            .remove(&(offer.deadline(), Deadline::Offer(id)));
        let (call, agent) = (offer.call, offer.agent);
        self.emit(Event::OfferEnded {
            offer: id,
            call,
            agent,
            outcome,
        });
        Some(offer)
    }

    /// The state of an agent whose offer ended without an answer.
    fn release_agent(&mut self, now: Instant, offer: &LiveOffer, outcome: OfferOutcome) {
        let retry_at = now + self.settings.refusal_retry;
        // Whoever was asked in person during a pause is still in it.
        let is_paused = self.agents[offer.agent.index()].want != Want::Ready;
        if is_paused && outcome != OfferOutcome::Unreachable {
            return self.settle(now, offer.agent);
        }
        let not_ready = |reason| AgentState::NotReady { reason, since: now };
        let state = match outcome {
            OfferOutcome::NoAnswer => {
                // Nobody sits there: the system says so for the person, until the person says ready.
                self.set_want(
                    now,
                    offer.agent,
                    Want::NotReady {
                        reason: no_answer(),
                    },
                );
                not_ready(NotReadyReason::NoAnswer)
            }
            OfferOutcome::Busy => not_ready(NotReadyReason::Busy { retry_at }),
            OfferOutcome::Declined => not_ready(NotReadyReason::Declined { retry_at }),
            OfferOutcome::Unreachable => AgentState::Unreachable {
                retry_at: now + self.settings.unreachable_retry,
            },
            OfferOutcome::AgentLeft | OfferOutcome::Answered => {
                return self.settle(now, offer.agent);
            }
            OfferOutcome::Withdrawn => match offer.idle_since {
                Some(since) => AgentState::Ready { since },
                None => return self.settle(now, offer.agent),
            },
        };
        self.set_state(now, offer.agent, state);
    }

    /// Puts a call back at its place, unless an agent has it. Who sent it on is asked first.
    pub(crate) fn give_back(&mut self, now: Instant, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        if let Phase::Talking { moving_to, .. } = &mut call.phase {
            *moving_to = None;
            return;
        }
        let (line, came_from) = (call.line, call.came_from.take());
        if let Some(agent) = came_from.filter(|&agent| self.can_be_asked(agent)) {
            return self.open_offer(now, id, agent, None);
        }
        self.queue(id);
        let place = self.place(id).expect("it has just been queued");
        self.emit(Event::Returned {
            call: id,
            line,
            place,
        });
        self.take_steps(now, id);
        self.queue_grew(now, line);
    }
}

fn no_answer() -> PauseReason {
    PauseReason::new("no-answer").expect("it is a word")
}
