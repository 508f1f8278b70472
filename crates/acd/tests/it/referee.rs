//! A referee: keeps books from the inputs and the facts alone, and decides by brute force, from the
//! text of the rules, whether every offer was right and nobody was forgotten. Shares no code with the
//! distributor but its types.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use acd::{
    Acd, AgentId, AgentStateKind, CallId, Condition, Directory, Event, Input, LineId, OfferId,
    OfferOutcome, Output, Priority, Reach, Selection, SiteId, StartState, Want,
};

use crate::country::Country;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Waiting,
    Offered,
    Talking,
}

#[derive(Debug)]
struct BookedCall {
    line: LineId,
    priority: Priority,
    arrival: Instant,
    steps: BTreeSet<usize>,
    phase: Phase,
    /// Who has it, or had it last.
    agent: Option<AgentId>,
    /// Who sent it on and is asked first if it comes back.
    came_from: Option<AgentId>,
}

#[derive(Debug)]
struct BookedOffer {
    call: CallId,
    agent: AgentId,
    was_free: bool,
}

#[derive(Debug)]
struct BookedAgent {
    state: AgentStateKind,
    wants_calls: bool,
    entered: Instant,
    idle_since: Instant,
    logged_in: Instant,
    worked: Duration,
}

#[derive(Debug)]
pub(crate) struct Referee {
    country: Country,
    directory: Arc<Directory>,
    calls: BTreeMap<CallId, BookedCall>,
    agents: Vec<BookedAgent>,
    offers: BTreeMap<OfferId, BookedOffer>,
    /// Who is to be asked in person.
    asked: Option<(CallId, AgentId)>,
    /// The arrival of a call that is sent on, where its next line counts from there.
    arrival_kept: Option<Instant>,
    ended: BTreeSet<CallId>,
    /// The agent whose offer has just been withdrawn because of the caller: keeps the idle time.
    keeps_idle_time: Option<AgentId>,
}

impl Referee {
    pub(crate) fn new(now: Instant, country: Country, directory: Arc<Directory>) -> Self {
        let book = |agent: AgentId| {
            let start = directory.agent_profile(agent).start;
            BookedAgent {
                state: match start {
                    StartState::Ready => AgentStateKind::Ready,
                    StartState::NotReady => AgentStateKind::NotReady,
                    StartState::LoggedOut => AgentStateKind::LoggedOut,
                },
                wants_calls: start == StartState::Ready,
                entered: now,
                idle_since: now,
                logged_in: now,
                worked: Duration::ZERO,
            }
        };
        Self {
            agents: directory.agents().map(book).collect(),
            country,
            directory,
            calls: BTreeMap::new(),
            offers: BTreeMap::new(),
            asked: None,
            arrival_kept: None,
            ended: BTreeSet::new(),
            keeps_idle_time: None,
        }
    }

    /// Hears an input before the distributor does.
    pub(crate) fn hear(&mut self, input: &Input) {
        match *input {
            Input::AgentWants { agent, ref want } => {
                if let Some(agent) = self.agents.get_mut(agent.index()) {
                    agent.wants_calls = *want == Want::Ready;
                }
            }
            Input::OfferTo { call, agent } => self.asked = Some((call, agent)),
            Input::AgentReleased { call } => self.release(call),
            _ => {}
        }
    }

    fn release(&mut self, id: CallId) {
        let is_offered = self.offers.values().any(|offer| offer.call == id);
        if let Some(call) = self.calls.get_mut(&id)
            && call.phase == Phase::Talking
        {
            call.came_from = call.agent;
            call.phase = if is_offered {
                Phase::Offered
            } else {
                Phase::Waiting
            };
        }
    }

    /// Sees an output and books it; panics when it is against the rules.
    pub(crate) fn see(&mut self, now: Instant, output: &Output) {
        let Output::Event(event) = output else { return };
        match *event {
            Event::Queued {
                call,
                line,
                priority,
                place,
            } => self.queued(now, call, line, priority, place),
            // It is queued next, as a call that has just come.
            Event::Moved { call, from, to, .. } => {
                let moved = self.calls.remove(&call).expect("it is known");
                assert_eq!(moved.line, from);
                assert_eq!(moved.phase, Phase::Talking, "only an agent sends a call on");
                let age = self.directory.line_profile(to).transferred;
                self.arrival_kept = (age == acd::Age::Kept).then_some(moved.arrival);
            }
            Event::Returned { call, place, .. } => {
                let came_from = self.book(call).came_from.take();
                assert!(
                    came_from.is_none_or(|agent| !self.can_be_asked(agent)),
                    "{came_from:?} was not asked before {call:?} went back"
                );
                self.book(call).phase = Phase::Waiting;
                assert_eq!(place, self.place(call), "place of {call:?}");
            }
            Event::StepTaken { call, step, .. } | Event::StepPassed { call, step, .. } => {
                let step = usize::from(step.value());
                self.check_step(now, call, step);
                assert_eq!(
                    self.helps(self.calls[&call].line, step),
                    matches!(event, Event::StepTaken { .. }),
                    "step {step} of {call:?}: passed means that it helps nobody"
                );
                self.book(call).steps.insert(step);
            }
            Event::AgentChanged {
                agent, from, to, ..
            } => self.change(now, agent, from, to),
            Event::Offered {
                offer,
                call,
                agent,
                waited,
                ..
            } => self.offered(now, offer, call, agent, waited),
            Event::OfferEnded { offer, outcome, .. } => self.offer_ended(offer, outcome),
            Event::Answered { call, agent, .. } | Event::HandedOver { call, agent, .. } => {
                let booked = self.book(call);
                booked.phase = Phase::Talking;
                booked.agent = Some(agent);
                booked.came_from = None;
            }
            Event::Left { call, .. } => {
                assert!(self.calls.remove(&call).is_some(), "{call:?} left twice");
                assert!(self.ended.insert(call), "{call:?} ended twice");
            }
            Event::Refused { .. } | Event::Ignored { .. } => {}
        }
    }

    fn queued(
        &mut self,
        now: Instant,
        call: CallId,
        line: LineId,
        priority: Priority,
        place: usize,
    ) {
        let booked = BookedCall {
            line,
            priority,
            arrival: self.arrival_kept.take().unwrap_or(now),
            steps: BTreeSet::new(),
            phase: Phase::Waiting,
            agent: None,
            came_from: None,
        };
        assert!(self.calls.insert(call, booked).is_none(), "queued twice");
        assert_eq!(place, self.place(call), "place of {call:?}");
    }

    fn offered(
        &mut self,
        now: Instant,
        offer: OfferId,
        call: CallId,
        agent: AgentId,
        waited: Duration,
    ) {
        if self.is_in_person(call, agent) {
            assert!(self.can_be_asked(agent), "{agent:?} may not be asked");
        } else {
            self.check_offer(now, call, agent);
        }
        let booked = self.book(call);
        assert_eq!(waited, now - booked.arrival);
        if booked.phase != Phase::Talking {
            booked.phase = Phase::Offered;
        }
        let state = &mut self.agents[agent.index()].state;
        let before = std::mem::replace(state, AgentStateKind::Offered);
        let booked = BookedOffer {
            call,
            agent,
            was_free: before == AgentStateKind::Ready,
        };
        self.offers.insert(offer, booked);
    }

    fn offer_ended(&mut self, offer: OfferId, outcome: OfferOutcome) {
        let offer = self.offers.remove(&offer).expect("an offer ends once");
        if outcome == OfferOutcome::Withdrawn && offer.was_free {
            self.keeps_idle_time = Some(offer.agent);
        }
        if outcome == OfferOutcome::NoAnswer {
            self.agents[offer.agent.index()].wants_calls = false;
        }
    }

    /// After the last output of an input: nobody is forgotten, and the distributor's answers agree
    /// with the books.
    pub(crate) fn check_rest(&self, now: Instant, acd: &Acd) {
        for (&call, booked) in &self.calls {
            if booked.phase == Phase::Waiting {
                for agent in self.directory.agents() {
                    let ring = self.eligible(agent, call);
                    assert!(ring.is_none(), "{agent:?} is free and {call:?} waits");
                }
                self.check_steps_taken(now, call);
                assert_eq!(acd.place(call), Some(self.place(call)));
            }
        }
        self.check_counts(acd);
        let transient = self.agents.iter().any(|agent| {
            use AgentStateKind::{Offered, Unreachable, WrapUp};
            matches!(agent.state, Offered | WrapUp | Unreachable)
        });
        if transient {
            assert!(acd.poll_timeout().is_some(), "a state without a deadline");
        }
        assert_eq!(
            acd.is_idle(),
            self.calls.is_empty() && self.offers.is_empty()
        );
    }

    fn check_counts(&self, acd: &Acd) {
        let mut talking = BTreeSet::new();
        for agent in self.directory.agents() {
            let state = acd.agent_state(agent);
            assert_eq!(state.kind(), self.agents[agent.index()].state, "{agent:?}");
            if let acd::AgentState::Talking { call, .. } = state {
                assert!(talking.insert(*call), "{call:?} talks to two");
            }
        }
        for site in self.directory.sites() {
            for kind in AgentStateKind::ALL {
                let here = |agent: &AgentId| {
                    self.directory.agent_profile(*agent).site == site
                        && self.agents[agent.index()].state == kind
                };
                let count = self.directory.agents().filter(here).count();
                assert_eq!(acd.agents_in(site, kind), count);
            }
        }
        for line in self.directory.lines() {
            let waiting = self.waiting(line);
            assert_eq!(acd.waiting(line), waiting.len());
            let oldest = waiting.iter().map(|call| self.calls[call].arrival).min();
            assert_eq!(acd.oldest_arrival(line), oldest);
        }
    }

    /// Whether this offer is one to a person: asked for, or because the call came from there.
    fn is_in_person(&mut self, call: CallId, agent: AgentId) -> bool {
        let is_asked = self
            .asked
            .take_if(|asked| *asked == (call, agent))
            .is_some();
        let came_from = self.book(call).came_from.take_if(|from| *from == agent);
        is_asked || came_from.is_some()
    }

    fn can_be_asked(&self, agent: AgentId) -> bool {
        use AgentStateKind::{NotReady, Ready, WrapUp};
        matches!(self.agents[agent.index()].state, Ready | NotReady | WrapUp)
    }

    fn book(&mut self, call: CallId) -> &mut BookedCall {
        self.calls.get_mut(&call).expect("the call is known")
    }

    fn change(&mut self, now: Instant, id: AgentId, from: AgentStateKind, to: AgentStateKind) {
        use AgentStateKind::{LoggedOut, Offered, Ready, Talking, WrapUp};
        let keeps = self.keeps_idle_time.take_if(|one| *one == id).is_some();
        let agent = &mut self.agents[id.index()];
        assert_eq!(agent.state, from, "{id:?}");
        if matches!(from, Talking | WrapUp) {
            agent.worked += now - agent.entered;
        }
        if from == LoggedOut {
            agent.logged_in = now;
            agent.worked = Duration::ZERO;
        }
        agent.entered = now;
        if to == Ready && !keeps {
            agent.idle_since = now;
        }
        // An offer is judged when its call is named, with the agent still free.
        if to != Offered {
            agent.state = to;
        }
    }

    fn waiting(&self, line: LineId) -> Vec<CallId> {
        let waits =
            |(_, call): &(&CallId, &BookedCall)| call.line == line && call.phase == Phase::Waiting;
        self.calls.iter().filter(waits).map(|(id, _)| *id).collect()
    }

    fn order(&self, call: CallId) -> (Priority, Instant, CallId) {
        let booked = &self.calls[&call];
        (booked.priority, booked.arrival, call)
    }

    fn place(&self, call: CallId) -> usize {
        let waiting = self.waiting(self.calls[&call].line);
        let before = |other: &&CallId| self.order(**other) < self.order(call);
        waiting.iter().filter(before).count() + 1
    }

    /// The call's place in the order that a site sees.
    fn seen_from(&self, site: SiteId, call: CallId) -> (Priority, Instant, CallId) {
        let (priority, arrival, id) = self.order(call);
        let line = self.directory.line_profile(self.calls[&call].line);
        let advantage = match self.country.plan_of(&line.id) {
            Some(plan) if line.site != site => plan.home_advantage,
            _ => Duration::ZERO,
        };
        (priority, arrival + advantage, id)
    }

    fn qualifies(&self, agent: AgentId, line: LineId) -> bool {
        let has = &self.directory.agent_profile(agent).skills;
        let wanted = &self.directory.line_profile(line).skills;
        wanted
            .iter()
            .all(|(skill, least)| has.get(skill).is_some_and(|level| level >= least))
    }

    fn on_duty(&self, site: SiteId, line: LineId) -> usize {
        use AgentStateKind::{Offered, Ready, Talking, WrapUp};
        let is = |agent: &AgentId| {
            let booked = &self.agents[agent.index()];
            self.directory.agent_profile(*agent).site == site
                && booked.wants_calls
                && matches!(booked.state, Ready | Offered | Talking | WrapUp)
                && self.qualifies(*agent, line)
        };
        self.directory.agents().filter(is).count()
    }

    /// How near a site is to a line's home once a step of its plan has taken effect; `None` when
    /// the step does not reach it.
    fn ring_of_step(&self, line: LineId, step: usize, site: SiteId) -> Option<u8> {
        let line = self.directory.line_profile(line);
        let plan = self.country.plan_of(&line.id)?;
        let home = self.directory.site_profile(line.site);
        let there = self.directory.site_profile(site);
        if site == line.site {
            return None;
        }
        let same = |a: &str, b: &str| !a.is_empty() && a == b;
        let nearness = if home.neighbours.contains(&site) {
            1
        } else if same(&home.region, &there.region) {
            2
        } else if same(&home.zone, &there.zone) {
            3
        } else {
            4
        };
        let reaches = |reach: &Reach| match reach {
            Reach::Neighbours => (nearness == 1).then_some(1),
            Reach::Region => (same(&home.region, &there.region)).then_some(nearness),
            Reach::Zone => (same(&home.zone, &there.zone)).then_some(nearness),
            Reach::Nation => Some(nearness),
            Reach::Site(id) => (*id == there.id).then_some(1),
        };
        plan.steps[step].widen.iter().filter_map(reaches).min()
    }

    /// Whether an agent may be offered a call now, and how near the agent is to it.
    fn eligible(&self, agent: AgentId, call: CallId) -> Option<u8> {
        let booked = &self.calls[&call];
        let is_free = |agent: AgentId| self.agents[agent.index()].state == AgentStateKind::Ready;
        if !is_free(agent) || !self.qualifies(agent, booked.line) {
            return None;
        }
        let site = self.directory.agent_profile(agent).site;
        if site == self.directory.line_profile(booked.line).site {
            return Some(0);
        }
        let rings = booked
            .steps
            .iter()
            .filter_map(|&step| self.ring_of_step(booked.line, step, site));
        let ring = rings.min()?;
        let free_there = self.directory.agents().filter(|&one| {
            self.directory.agent_profile(one).site == site
                && is_free(one)
                && self.qualifies(one, booked.line)
        });
        let reserve = self.directory.site_profile(site).reserve;
        (free_there.count() > reserve).then_some(ring)
    }

    fn check_offer(&self, now: Instant, call: CallId, agent: AgentId) {
        assert_eq!(self.calls[&call].phase, Phase::Waiting);
        let ring = self.eligible(agent, call);
        let ring = ring.unwrap_or_else(|| panic!("{agent:?} may not be offered {call:?}"));
        let site = self.directory.agent_profile(agent).site;
        let waiting = self
            .calls
            .iter()
            .filter(|(_, one)| one.phase == Phase::Waiting);
        for (&other, _) in waiting {
            if self.eligible(agent, other).is_some() {
                assert!(
                    self.seen_from(site, call) <= self.seen_from(site, other),
                    "{agent:?} is offered {call:?}, but {other:?} comes first"
                );
            }
        }
        let chosen = self.rank(now, call, agent, ring);
        for other in self.directory.agents() {
            if let Some(ring) = self.eligible(other, call) {
                let rank = self.rank(now, call, other, ring);
                assert!(
                    chosen <= rank,
                    "{call:?} is offered to {agent:?} {chosen:?}, but {other:?} {rank:?} comes first"
                );
            }
        }
    }

    /// Who comes first for a call: nearest, then by the line's selection, then longest idle.
    fn rank(
        &self,
        now: Instant,
        call: CallId,
        agent: AgentId,
        ring: u8,
    ) -> impl Ord + std::fmt::Debug {
        let line = self.directory.line_profile(self.calls[&call].line);
        let profile = self.directory.agent_profile(agent);
        let booked = &self.agents[agent.index()];
        let level = |skill: &String| u32::from(profile.skills[skill].value());
        let sum: u32 = line.skills.keys().map(level).sum();
        let (most, least, share) = match line.selection {
            Selection::LongestIdle => (Reverse(0), 0, 0),
            Selection::MostSkilled => (Reverse(sum), 0, 0),
            Selection::LeastSkilled => (Reverse(0), sum, 0),
            Selection::LeastOccupied => {
                // A share of 2^32: the model's times are whole milliseconds, far from its grain.
                let whole = (now - booked.logged_in).as_millis().max(1);
                (Reverse(0), 0, (booked.worked.as_millis() << 32) / whole)
            }
        };
        (ring, most, least, share, booked.idle_since, agent)
    }

    fn is_met(&self, now: Instant, call: CallId, step: usize) -> bool {
        let booked = &self.calls[&call];
        let line = self.directory.line_profile(booked.line);
        let plan = self.country.plan_of(&line.id).expect("a step has a plan");
        plan.steps[step].when.iter().any(|when| match *when {
            Condition::After(wait) => booked.arrival + wait <= now,
            Condition::QueueLongerThan(length) => {
                self.waiting(booked.line).len() > usize::try_from(length).unwrap()
            }
            Condition::NoAgentOnDuty => self.on_duty(line.site, booked.line) == 0,
        })
    }

    /// A step is taken when it is met, or when it waits for time and one before it reached nobody.
    fn check_step(&self, now: Instant, call: CallId, step: usize) {
        let booked = &self.calls[&call];
        assert!(!booked.steps.contains(&step), "{call:?} took {step} before");
        let follows_one_in_vain = || {
            let helps = |one: usize| self.helps(booked.line, one);
            self.waits_for_time(call, step)
                && (0..step).any(|one| booked.steps.contains(&one) && !helps(one))
        };
        assert!(
            self.is_met(now, call, step) || follows_one_in_vain(),
            "{call:?} took step {step} without a reason"
        );
    }

    fn waits_for_time(&self, call: CallId, step: usize) -> bool {
        let line = self.directory.line_profile(self.calls[&call].line);
        let plan = self.country.plan_of(&line.id).expect("a step has a plan");
        let mut when = plan.steps[step].when.iter();
        when.any(|when| matches!(when, Condition::After(_)))
    }

    /// Whether somebody is on duty where a step reaches.
    fn helps(&self, line: LineId, step: usize) -> bool {
        self.directory.sites().any(|site| {
            self.ring_of_step(line, step, site).is_some() && self.on_duty(site, line) > 0
        })
    }

    /// What is met now has been taken, and nothing waits for time behind a step that helps nobody.
    fn check_steps_taken(&self, now: Instant, call: CallId) {
        let booked = &self.calls[&call];
        let line = self.directory.line_profile(booked.line);
        let steps = self
            .country
            .plan_of(&line.id)
            .map_or(0, |plan| plan.steps.len());
        let mut in_vain = false;
        for step in 0..steps {
            let is_taken = booked.steps.contains(&step);
            if self.waits_for_time(call, step) {
                assert!(
                    is_taken || !in_vain,
                    "{call:?} waits for step {step} behind one that helps nobody"
                );
                in_vain = false;
            }
            in_vain |= is_taken && !self.helps(booked.line, step);
            assert!(
                is_taken || !self.is_met(now, call, step),
                "{call:?} did not take step {step}"
            );
        }
    }
}
