//! Offers: an agent asked for a call, one winner, two deadlines.

mod held_back;

use std::time::Instant;

use crate::{
    acd::{Acd, Changed, Deadline},
    agent::{AgentState, NotReadyReason, Want},
    call::{Otherwise, Seeking, Told, With},
    event::{Event, Ignored, OfferOutcome},
    ids::{AgentId, CallId, OfferId, PauseReason, StepRef},
    input::OfferFailure,
    kept::KeptOffer,
    output::{Offer, Output, WithdrawReason},
    planted::Planted,
    spec::Selection,
};

/// An offer under way.
#[derive(Debug)]
pub(crate) struct LiveOffer {
    pub(crate) call: CallId,
    pub(crate) agent: AgentId,
    step: Option<StepRef>,
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
    /// What of it outlives a process.
    pub(crate) const fn keep(&self, offer: OfferId) -> KeptOffer {
        KeptOffer {
            offer,
            agent: self.agent,
            step: self.step,
            ring_until: self.ring_until,
        }
    }

    /// An offer of before: its phone is asked for a sign of life once more.
    pub(crate) const fn restore(call: CallId, kept: &KeptOffer, sign_of_life_by: Instant) -> Self {
        Self {
            call,
            agent: kept.agent,
            step: kept.step,
            ring_until: kept.ring_until,
            sign_of_life: SignOfLife::AwaitedUntil(sign_of_life_by),
            idle_since: None,
        }
    }

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
        step: Option<StepRef>,
    ) {
        if matches!(self.agents[agent.index()].state, AgentState::Ready { .. }) {
            self.unqueue(now, id);
            self.open_offer(now, id, agent, step, Otherwise::Place);
            self.note_thin(id);
        }
    }

    /// Asks an agent for a call that is in no queue: nobody is asked yet, or others are.
    pub(crate) fn open_offer(
        &mut self,
        now: Instant,
        id: CallId,
        agent: AgentId,
        step: Option<StepRef>,
        otherwise: Otherwise,
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
        match &mut call.seeking {
            Seeking::Offered { offers, .. } => offers.push(offer),
            seeking => {
                let offers = vec![offer];
                *seeking = Seeking::Offered { offers, otherwise };
            }
        }
        let (line, waited) = (call.line, now - call.key.arrival);
        let profile = self.directory.line_profile(line);
        let ring_until = now + profile.ring_time;
        if profile.selection == Selection::RoundRobin {
            self.queues[line.index()].asked_last = Some(agent);
        }
        let live = LiveOffer {
            call: id,
            agent,
            step,
            ring_until,
            sign_of_life: SignOfLife::AwaitedUntil(now + self.settings.unreachable_after),
            idle_since,
        };
        if !self.has_planted(Planted::OfferWithoutEnd) {
            self.deadlines
                .insert((live.deadline(), Deadline::Offer(offer)));
        }
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
        let Some(offer) = self.offers.passing_mut(&id) else {
            return self.ignore(Ignored::Offer(id));
        };
        let before = offer.deadline();
        offer.sign_of_life = SignOfLife::Seen;
        let after = offer.deadline();
        self.deadlines.remove((before, Deadline::Offer(id)));
        if !self.has_planted(Planted::OfferWithoutEnd) {
            self.deadlines.insert((after, Deadline::Offer(id)));
        }
    }

    /// Somebody has answered, but is not with the caller yet: the others need not ring.
    pub(crate) fn offer_joining(&mut self, now: Instant, id: OfferId) {
        let Some(offer) = self.offers.get_mut(&id) else {
            return self.ignore(Ignored::Offer(id));
        };
        let before = offer.deadline();
        offer.sign_of_life = SignOfLife::Seen;
        offer.ring_until = now + self.settings.joining_max;
        let (after, agent, call) = (offer.deadline(), offer.agent, offer.call);
        self.deadlines.remove((before, Deadline::Offer(id)));
        self.deadlines.insert((after, Deadline::Offer(id)));
        if let AgentState::Offered { deadline, .. } = &mut self.agent_mut(agent).state {
            *deadline = after;
        }
        let Some(call) = self.calls.get(&call) else {
            return;
        };
        self.thin.remove(call.class, call.key);
        let offers = call.offers().to_vec();
        for other in offers.into_iter().filter(|&other| other != id) {
            self.take_back(now, other, WithdrawReason::AnsweredElsewhere);
        }
    }

    pub(crate) fn offer_answered(&mut self, now: Instant, id: OfferId) {
        let Some(offer) = self.close_offer(id, OfferOutcome::Answered) else {
            return;
        };
        let LiveOffer {
            call: id,
            agent,
            step,
            ..
        } = offer;
        self.stop_seeking(now, id, WithdrawReason::AnsweredElsewhere);
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let line = call.line;
        let before = call.with.replace(With {
            agent,
            since: now,
            line,
        });
        call.seeking = Seeking::Nobody;
        call.came_from = None;
        let (waited, caller) = (now - call.line_since, call.caller);
        let told = std::mem::replace(&mut call.told, Told::Yes);
        if let Some(before) = before {
            self.end_talk(now, before);
        }
        if told == Told::No {
            self.queues[line.index()].pace.answered(now);
        }
        let answering = self.agent_mut(agent);
        (answering.unanswered, answering.declined) = (0, 0);
        answering.last_call = Some(id);
        self.set_state(
            now,
            agent,
            AgentState::Talking {
                call: id,
                since: now,
            },
        );
        let site = self.directory.agent_profile(agent).site;
        self.emit(match told {
            Told::No => Event::Answered {
                call: id,
                line,
                agent,
                site,
                step,
                waited,
            },
            Told::Yes => Event::HandedOver {
                call: id,
                line,
                agent,
            },
        });
        self.caller_reached(now, id, caller, agent);
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
            self.offer_was_in_vain(now, offer.call);
        }
    }

    pub(crate) fn offer_due(&mut self, now: Instant, id: OfferId) {
        let Some(offer) = self.offers.get(&id) else {
            return;
        };
        match offer.sign_of_life {
            SignOfLife::Seen => self.withdraw(now, id, WithdrawReason::RingTimeout),
            // A phone that has not been asked yet gives no sign of life.
            SignOfLife::AwaitedUntil(_) if self.is_held_back && self.may_be_held(id) => {
                let until = now + self.settings.unreachable_after;
                let rings_until = offer.ring_until.max(until);
                self.begin_anew(id, until, rings_until);
            }
            SignOfLife::AwaitedUntil(_) => self.withdraw(now, id, WithdrawReason::NoSignOfLife),
        }
    }

    /// Ends an offer from our side, for a reason that is not the call's: the call goes on.
    pub(crate) fn withdraw(&mut self, now: Instant, id: OfferId, reason: WithdrawReason) {
        if let Some(call) = self.take_back(now, id, reason) {
            self.offer_was_in_vain(now, call);
        }
    }

    /// Ends all offers of a call, for a reason that is the call's. What it seeks then is for the
    /// caller of this to say.
    pub(crate) fn withdraw_all(&mut self, now: Instant, id: CallId, reason: WithdrawReason) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        self.thin.remove(call.class, call.key);
        let before = std::mem::replace(&mut call.seeking, Seeking::Nobody);
        if let Seeking::Offered { offers, .. } = before {
            for offer in offers {
                self.take_back(now, offer, reason);
            }
        }
    }

    fn take_back(&mut self, now: Instant, id: OfferId, reason: WithdrawReason) -> Option<CallId> {
        let outcome = match reason {
            WithdrawReason::RingTimeout => OfferOutcome::NoAnswer,
            WithdrawReason::NoSignOfLife => OfferOutcome::Unreachable,
            WithdrawReason::AgentLeft => OfferOutcome::AgentLeft,
            WithdrawReason::AnsweredElsewhere => OfferOutcome::AnsweredElsewhere,
            WithdrawReason::CallEnded | WithdrawReason::CallMoved => OfferOutcome::Withdrawn,
        };
        let offer = self.close_offer(id, outcome)?;
        let LiveOffer { call, agent, .. } = offer;
        self.outputs.push_back(Output::Withdraw {
            offer: id,
            agent,
            call,
            reason,
        });
        self.release_agent(now, &offer, outcome);
        Some(call)
    }

    /// Forgets an offer and tells how it ended. Whoever closes it has won.
    fn close_offer(&mut self, id: OfferId, outcome: OfferOutcome) -> Option<LiveOffer> {
        let Some(offer) = self.offers.remove(&id) else {
            self.ignore(Ignored::Offer(id));
            return None;
        };
        self.deadlines
            .remove((offer.deadline(), Deadline::Offer(id)));
        let (call, agent) = (offer.call, offer.agent);
        if let Some(call) = self.calls.get_mut(&call)
            && let Seeking::Offered { offers, .. } = &mut call.seeking
        {
            offers.retain(|one| *one != id);
        }
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
        let id = offer.agent;
        let settings = self.settings;
        if outcome == OfferOutcome::Declined && self.has_planted(Planted::AgentNotReleased) {
            return;
        }
        let agent = self.agent_mut(id);
        // Whoever was asked in person during a pause is still in it.
        let is_paused = agent.want != Want::Ready;
        if is_paused && outcome != OfferOutcome::Unreachable {
            return self.settle(now, id);
        }
        let retry_at = now + settings.refusal_retry;
        let not_ready = |reason| AgentState::NotReady { reason, since: now };
        let state = match outcome {
            OfferOutcome::NoAnswer => {
                agent.unanswered += 1;
                if agent.unanswered < settings.no_answer_limit {
                    return self.settle(now, id);
                }
                // Nobody sits there: the system says so for the person, until the person says ready.
                self.want_not_ready(now, id, "no-answer");
                not_ready(NotReadyReason::NoAnswer)
            }
            OfferOutcome::Declined => {
                agent.declined += 1;
                if agent.declined == settings.decline_limit {
                    self.want_not_ready(now, id, "declined");
                    not_ready(NotReadyReason::DeclinedTooOften)
                } else {
                    not_ready(NotReadyReason::Declined { retry_at })
                }
            }
            OfferOutcome::Busy => not_ready(NotReadyReason::Busy { retry_at }),
            OfferOutcome::Unreachable => AgentState::Unreachable {
                retry_at: now + settings.unreachable_retry,
            },
            OfferOutcome::AgentLeft | OfferOutcome::Answered => return self.settle(now, id),
            OfferOutcome::Withdrawn | OfferOutcome::AnsweredElsewhere => match offer.idle_since {
                Some(since) => AgentState::Ready { since },
                None => return self.settle(now, id),
            },
        };
        self.set_state(now, id, state);
    }

    fn want_not_ready(&mut self, now: Instant, agent: AgentId, reason: &str) {
        let reason = PauseReason::new(reason).expect("it is a word");
        self.set_want(now, agent, Want::NotReady { reason });
    }

    /// One of those who were rung does not take the call. Where others still ring, they may.
    fn offer_was_in_vain(&mut self, now: Instant, id: CallId) {
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        if call.offers().is_empty() {
            self.give_back(now, id);
        } else {
            self.note_thin(id);
            self.changed.push_back(Changed::Ringing(id));
        }
    }

    /// Puts a call back at its place, unless an agent has it. Who sent it on is asked first.
    pub(crate) fn give_back(&mut self, now: Instant, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        self.thin.remove(call.class, call.key);
        let stays = matches!(
            call.seeking,
            Seeking::Offered {
                otherwise: Otherwise::Stays,
                ..
            }
        );
        call.seeking = Seeking::Nobody;
        if stays {
            return;
        }
        if self.has_planted(Planted::PlaceLost)
            && let Some(call) = self.calls.get_mut(&id)
        {
            call.key.arrival = now;
        }
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let (line, came_from) = (call.line, call.came_from.take());
        if let Some(agent) = came_from.filter(|&agent| self.can_be_asked(agent)) {
            return self.open_offer(now, id, agent, None, Otherwise::Place);
        }
        self.queue(now, id);
        let place = self.place(id).expect("it has just been queued");
        self.emit(Event::Returned {
            call: id,
            line,
            place,
        });
        self.follow_plan(now, id);
        self.queue_grew(now, line);
    }
}
