//! A referee: looks at every output beside the books, and decides by brute force whether every offer
//! was right and nobody was forgotten.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use acd::{
    Acd, AgentId, AgentStateKind, CallId, Directory, Event, HandOver, Input, LineId, OfferId,
    OfferOutcome, Output, Priority, StepRef, Want,
};

use crate::{
    books::{BookedCall, BookedOffer, Books, Phase},
    country::Country,
};

#[derive(Debug)]
pub(crate) struct Referee {
    books: Books,
    /// Who is to be asked in person.
    asked: Option<(CallId, AgentId)>,
    /// The priority that was said of a call, on its way.
    said: Option<Priority>,
    /// A call that is sent on, until it is queued.
    moved: Option<BookedCall>,
    ended: BTreeSet<CallId>,
}

impl Referee {
    pub(crate) fn new(now: Instant, country: Country, directory: Arc<Directory>) -> Self {
        Self {
            books: Books::new(now, country, directory),
            asked: None,
            said: None,
            moved: None,
            ended: BTreeSet::new(),
        }
    }

    /// Hears an input before the distributor does.
    pub(crate) fn hear(&mut self, now: Instant, input: &Input) {
        self.said = None;
        match *input {
            Input::AgentWants { agent, ref want } => {
                if let Some(agent) = self.books.agents.get_mut(agent.index()) {
                    agent.wants_calls = *want == Want::Ready;
                }
            }
            Input::CallArrived { priority, .. } | Input::CallMoved { priority, .. } => {
                self.said = priority;
            }
            Input::PrioritySet { call, priority } => {
                if let Some(call) = self.books.calls.get_mut(&call) {
                    call.priority = priority;
                }
            }
            Input::SiteStateSet { site, state } => match state {
                Some(state) => drop(self.books.stated.insert(site, state)),
                None => drop(self.books.stated.remove(&site)),
            },
            Input::OfferJoining { offer } => {
                if let Some(offer) = self.books.offers.get_mut(&offer) {
                    offer.joining = true;
                }
            }
            Input::OfferTo { call, agent } => self.asked = Some((call, agent)),
            Input::AgentReleased { call } => self.release(now, call),
            _ => {}
        }
    }

    fn release(&mut self, now: Instant, id: CallId) {
        let Some(call) = self.books.calls.get_mut(&id) else {
            return;
        };
        let Some(agent) = call.with.take() else {
            return;
        };
        // Who was sent on to another line seeks somebody there, not who sent it.
        if call.phase == Phase::Talking || call.stays {
            (call.came_from, call.line_since) = (Some(agent), now);
        }
        if call.phase == Phase::Talking {
            call.phase = Phase::Waiting;
        }
        call.stays = false;
    }

    /// Sees an output and books it; panics when it is against the rules.
    pub(crate) fn see(&mut self, now: Instant, acd: &Acd, output: &Output) {
        let Output::Event(event) = output else { return };
        match *event {
            Event::Queued {
                call,
                line,
                priority,
                place,
                waited,
                ..
            } => self.queued(now, call, line, priority, place, waited),
            Event::AgentAwaited { call, agent, until } => {
                self.books.book(call).awaited = Some((agent, until));
            }
            Event::AwaitEnded { call, .. } => self.books.book(call).awaited = None,
            // It is queued next, as a call that has just come.
            Event::Moved { call, from, .. } => {
                let moved = self.books.calls.remove(&call).expect("it is known");
                assert!(moved.with.is_some(), "only an agent sends a call on");
                assert!(moved.line == from || moved.phase != Phase::Talking);
                self.moved = Some(moved);
            }
            Event::Kept { call, line, .. } => {
                let booked = self.books.book(call);
                booked.phase = Phase::Talking;
                booked.line = line;
                self.books.book(call).parts = self.books.parts_now(line);
            }
            Event::Returned { call, place, .. } => self.returned(call, place),
            Event::StepTaken { call, step, .. } => self.step(now, acd, call, step, true),
            Event::StepPassed { call, step, .. } => self.step(now, acd, call, step, false),
            Event::PriorityChanged { call, priority, .. } => {
                assert_eq!(self.books.order(call).0, priority);
            }
            Event::AgentChanged {
                agent, from, to, ..
            } => self.books.change(now, agent, from, to),
            Event::Offered {
                offer,
                call,
                agent,
                waited,
                ..
            } => self.offered(now, offer, call, agent, waited),
            Event::OfferEnded { offer, outcome, .. } => self.offer_ended(offer, outcome),
            Event::Answered { call, agent, .. } | Event::HandedOver { call, agent, .. } => {
                self.answered(call, agent);
            }
            Event::CrisisChanged {
                crisis,
                ref sites,
                ref change,
            } => self.books.crisis_changed(crisis, sites, change),
            Event::PlanChanged { call, ref plan, .. } => {
                let counts = self.books.calls[&call].parts.last().map(|part| &part.plan);
                let told = plan.map(|plan| self.books.directory.plan_name(plan));
                assert_eq!(counts.map(String::as_str), told);
            }
            Event::Left { call, .. } => {
                let left = self.books.calls.remove(&call);
                assert!(left.is_some(), "{call:?} left twice");
                assert!(self.ended.insert(call), "{call:?} ended twice");
            }
            _ => {}
        }
    }

    fn step(&mut self, now: Instant, acd: &Acd, call: CallId, step: StepRef, helps: bool) {
        let step = usize::from(step.step.value());
        self.books.check_step(now, acd, call, step);
        let does = self.books.helps(&self.books.calls[&call], step);
        assert_eq!(
            does, helps,
            "step {step} of {call:?}: passed means that it helps nobody"
        );
        let part = self.books.book(call).parts.last_mut();
        part.expect("a step has a plan").steps.insert(step);
    }

    fn answered(&mut self, call: CallId, agent: AgentId) {
        let booked = self.books.book(call);
        booked.phase = Phase::Talking;
        booked.with = Some(agent);
        booked.came_from = None;
        booked.awaited = None;
        booked.stays = false;
    }

    fn queued(
        &mut self,
        now: Instant,
        call: CallId,
        line: LineId,
        priority: Priority,
        place: usize,
        waited: Duration,
    ) {
        let profile = self.books.directory.line_profile(line);
        let moved = self.moved.take();
        let kept = moved
            .as_ref()
            .filter(|_| profile.transferred_priority == acd::TransferredPriority::Kept)
            .map(|moved| moved.priority);
        let base = self.said.take().or(kept).unwrap_or(profile.priority);
        let is_attended = match profile.hand_over {
            HandOver::Blind => false,
            HandOver::Attended { up_to } => base <= up_to,
        };
        if let Some(moved) = &moved {
            let arrival = match profile.transferred {
                acd::Age::Kept => moved.arrival,
                acd::Age::New => now,
            };
            assert_eq!(now - arrival, waited, "the age of {call:?}");
        }
        let booked = BookedCall {
            line,
            priority: base,
            arrival: now - waited,
            line_since: now,
            parts: self.books.parts_now(line),
            phase: Phase::Waiting,
            with: moved.and_then(|moved| moved.with).filter(|_| is_attended),
            stays: false,
            in_person: false,
            came_from: None,
            awaited: None,
        };
        let before = self.books.calls.insert(call, booked);
        assert!(before.is_none(), "queued twice");
        assert_eq!(priority, self.books.order(call).0);
        assert_eq!(place, self.books.place(call), "place of {call:?}");
    }

    fn returned(&mut self, call: CallId, place: usize) {
        let came_from = self.books.book(call).came_from.take();
        assert!(
            came_from.is_none_or(|agent| !self.can_be_asked(agent)),
            "{came_from:?} was not asked before {call:?} went back"
        );
        self.books.book(call).phase = Phase::Waiting;
        assert_eq!(place, self.books.place(call), "place of {call:?}");
        self.books.follow_plans(call);
    }

    fn offered(
        &mut self,
        now: Instant,
        offer: OfferId,
        call: CallId,
        agent: AgentId,
        waited: Duration,
    ) {
        let in_person = self.is_in_person(call, agent);
        if in_person {
            assert!(self.can_be_asked(agent), "{agent:?} may not be asked");
        } else {
            self.check_offer(now, call, agent);
        }
        let booked = self.books.book(call);
        assert_eq!(waited, now - booked.arrival);
        booked.stays = booked.phase == Phase::Talking || booked.stays;
        booked.phase = Phase::Offered;
        booked.in_person = in_person;
        booked.awaited = None;
        let line = booked.line;
        self.books.asked_last.insert(line, agent);
        let state = &mut self.books.agents[agent.index()].state;
        let before = std::mem::replace(state, AgentStateKind::Offered);
        let booked = BookedOffer {
            call,
            agent,
            was_free: before == AgentStateKind::Ready,
            joining: false,
        };
        self.books.offers.insert(offer, booked);
    }

    fn offer_ended(&mut self, id: OfferId, outcome: OfferOutcome) {
        let offer = self.books.offers.remove(&id).expect("an offer ends once");
        use OfferOutcome::{AnsweredElsewhere, NoAnswer, Withdrawn};
        if matches!(outcome, Withdrawn | AnsweredElsewhere) && offer.was_free {
            self.books.keeps_idle_time = Some(offer.agent);
        }
        if outcome == NoAnswer {
            self.books.agents[offer.agent.index()].wants_calls = false;
        }
        let still_rings = self.books.offers.values().any(|one| one.call == offer.call);
        let call = self.books.book(offer.call);
        if call.stays && !still_rings && call.with.is_some() {
            call.phase = Phase::Talking;
            call.stays = false;
        }
    }

    /// After the last output of an input: nobody is forgotten, and the distributor's answers agree
    /// with the books.
    pub(crate) fn check_rest(&self, now: Instant, acd: &Acd) {
        let books = &self.books;
        for (&call, booked) in &books.calls {
            match booked.phase {
                Phase::Waiting => {
                    for agent in books.directory.agents() {
                        let near = books.eligible(agent, call);
                        assert!(near.is_none(), "{agent:?} is free and {call:?} waits");
                    }
                    books.check_steps_taken(now, acd, call);
                    assert_eq!(acd.place(call), Some(books.place(call)));
                }
                Phase::Offered if !booked.in_person => self.check_enough_ring(call),
                Phase::Offered | Phase::Talking => {}
            }
        }
        self.check_counts(acd);
        let transient = books.agents.iter().any(|agent| {
            use AgentStateKind::{Offered, Unreachable, WrapUp};
            matches!(agent.state, Offered | WrapUp | Unreachable)
        });
        if transient {
            assert!(acd.poll_timeout().is_some(), "a state without a deadline");
        }
        assert_eq!(
            acd.is_idle(),
            books.calls.is_empty() && books.offers.is_empty()
        );
    }

    /// As many agents ring as the line wants, or as there are.
    fn check_enough_ring(&self, call: CallId) {
        let books = &self.books;
        let wanted = books
            .directory
            .line_profile(books.calls[&call].line)
            .parallel;
        let offers = || books.offers.values().filter(|one| one.call == call);
        let ring = offers().count();
        assert!(ring <= wanted, "{ring} ring for {call:?}");
        if offers().any(|one| one.joining) {
            assert_eq!(ring, 1, "{call:?} is answered, and more ring");
        } else if ring < wanted {
            for agent in books.directory.agents() {
                let near = books.eligible(agent, call);
                assert!(
                    near.is_none(),
                    "{agent:?} is free and does not ring for {call:?}"
                );
            }
        }
    }

    fn check_counts(&self, acd: &Acd) {
        let books = &self.books;
        let mut talking = BTreeSet::new();
        for agent in books.directory.agents() {
            let state = acd.agent_state(agent);
            assert_eq!(state.kind(), books.agents[agent.index()].state, "{agent:?}");
            if let acd::AgentState::Talking { call, .. } = state {
                assert!(talking.insert(*call), "{call:?} talks to two");
            }
        }
        for site in books.directory.sites() {
            for kind in AgentStateKind::ALL {
                let here = |agent: &AgentId| {
                    books.directory.agent_profile(*agent).site == site
                        && books.agents[agent.index()].state == kind
                };
                let count = books.directory.agents().filter(here).count();
                assert_eq!(acd.agents_in(site, kind), count);
            }
        }
        for line in books.directory.lines() {
            let waiting = books.waiting(line);
            assert_eq!(acd.waiting(line), waiting.len());
            let oldest = waiting.iter().map(|call| books.calls[call].arrival).min();
            assert_eq!(acd.oldest_arrival(line), oldest);
        }
    }

    /// Whether this offer is one to a person: asked for, or because the call came from there.
    fn is_in_person(&mut self, call: CallId, agent: AgentId) -> bool {
        let is_asked = self
            .asked
            .take_if(|asked| *asked == (call, agent))
            .is_some();
        let came_from = self
            .books
            .book(call)
            .came_from
            .take_if(|from| *from == agent);
        is_asked || came_from.is_some()
    }

    fn can_be_asked(&self, agent: AgentId) -> bool {
        use AgentStateKind::{NotReady, Ready, WrapUp};
        let state = self.books.agents[agent.index()].state;
        matches!(state, Ready | NotReady | WrapUp)
    }

    fn check_offer(&self, now: Instant, call: CallId, agent: AgentId) {
        let books = &self.books;
        let near = books.eligible(agent, call);
        let near = near.unwrap_or_else(|| panic!("{agent:?} may not be offered {call:?}"));
        let waiting = books
            .calls
            .iter()
            .filter(|(_, one)| one.phase == Phase::Waiting);
        for (&other, _) in waiting {
            if books.eligible(agent, other).is_some() {
                assert!(
                    books.calls[&call].phase == Phase::Waiting
                        && books.seen_by(agent, call) <= books.seen_by(agent, other),
                    "{agent:?} is offered {call:?}, but {other:?} comes first"
                );
            }
        }
        let chosen = books.rank(now, call, agent, near);
        for other in books.directory.agents() {
            if let Some(near) = books.eligible(other, call) {
                let rank = books.rank(now, call, other, near);
                assert!(
                    chosen <= rank,
                    "{call:?} is offered to {agent:?} {chosen:?}, but {other:?} {rank:?} comes first"
                );
            }
        }
    }
}
