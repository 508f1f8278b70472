//! A distributor, a virtual clock, and a referee who looks at every output.

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

use acd::{
    Acd, AgentId, AgentStateKind, CallId, CallerKey, Event, Input, LineId, Offer, OfferFailure,
    OfferId, Output, Settings, Want,
};

use crate::{country::Country, referee::Referee};

/// All desks open at the same moment, so that two of them tell the same times.
static BEGAN: OnceLock<Instant> = OnceLock::new();

pub(crate) struct Desk {
    pub(crate) acd: Acd,
    referee: Referee,
    began: Instant,
    now: Instant,
    next_call: u64,
    /// Every output, with its time.
    pub(crate) log: Vec<(Duration, Output)>,
}

impl Desk {
    pub(crate) fn new(country: &Country) -> Self {
        Self::with(country, Settings::default())
    }

    pub(crate) fn with(country: &Country, settings: Settings) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "an Instant has no other constructor"
        )]
        let now = *BEGAN.get_or_init(Instant::now);
        let directory = country.directory();
        Self {
            acd: Acd::new(now, directory.clone(), settings),
            referee: Referee::new(now, country.clone(), directory),
            began: now,
            now,
            next_call: 1,
            log: Vec::new(),
        }
    }

    /// An input that no referee looks at.
    pub(crate) fn acd_input(&mut self, input: Input) {
        self.acd.handle_input(self.now, input);
        while self.acd.poll_output().is_some() {}
    }

    /// A turn that no referee looks at.
    pub(crate) fn acd_turn(&mut self) {
        self.acd.handle_timeout(self.now);
        while self.acd.poll_output().is_some() {}
    }

    pub(crate) fn input(&mut self, input: Input) {
        self.referee.hear(self.now, &input);
        self.acd.handle_input(self.now, input);
        self.drain();
        // What is due at once is the rest of what one turn did not take on.
        self.wait(Duration::ZERO);
    }

    /// Lets time pass, deadline by deadline.
    pub(crate) fn wait(&mut self, duration: Duration) {
        let until = self.now + duration;
        while let Some(at) = self.acd.poll_timeout().filter(|&at| at <= until) {
            assert!(at >= self.now, "a deadline in the past");
            self.now = at;
            self.acd.handle_timeout(at);
            self.drain();
        }
        self.now = until;
    }

    fn drain(&mut self) {
        while let Some(output) = self.acd.poll_output() {
            self.referee.see(self.now, &self.acd, &output);
            self.log.push((self.now - self.began, output));
        }
        if self.acd.poll_timeout().is_none_or(|at| at > self.now) {
            self.referee.check_rest(self.now, &self.acd);
        }
    }

    pub(crate) fn line(&self, id: &str) -> LineId {
        self.acd.directory().line(id).unwrap()
    }

    pub(crate) fn agent(&self, id: &str) -> AgentId {
        self.acd.directory().agent(id).unwrap()
    }

    /// A call comes in.
    pub(crate) fn call(&mut self, line: &str) -> CallId {
        let line = self.line(line);
        self.call_on(line, None)
    }

    pub(crate) fn call_on(&mut self, line: LineId, priority: Option<acd::Priority>) -> CallId {
        self.arrive(line, priority, None)
    }

    /// A call of a known caller comes in.
    pub(crate) fn call_of(&mut self, line: &str, caller: u64) -> CallId {
        let line = self.line(line);
        self.arrive(line, None, Some(caller))
    }

    pub(crate) fn arrive(
        &mut self,
        line: LineId,
        priority: Option<acd::Priority>,
        caller: Option<u64>,
    ) -> CallId {
        let call = CallId::new(self.next_call);
        self.next_call += 1;
        self.input(Input::CallArrived {
            call,
            line,
            priority,
            caller: caller.map(CallerKey::new),
            arrival: None,
        });
        call
    }

    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    pub(crate) fn end(&mut self, call: CallId) {
        self.input(Input::CallEnded { call });
    }

    pub(crate) fn want(&mut self, agent: &str, want: Want) {
        let agent = self.agent(agent);
        self.input(Input::AgentWants { agent, want });
    }

    /// The offers that are open, in the order in which they were made.
    pub(crate) fn offers(&self) -> Vec<Offer> {
        let mut open = Vec::new();
        for (_, output) in &self.log {
            match output {
                Output::Offer(offer) => open.push(*offer),
                Output::Event(Event::OfferEnded { offer, .. }) => {
                    open.retain(|one: &Offer| one.offer != *offer);
                }
                _ => {}
            }
        }
        open
    }

    /// Who is offered a call now.
    pub(crate) fn offered(&self, call: CallId) -> Option<String> {
        let offer = self.offers().into_iter().find(|one| one.call == call)?;
        Some(self.acd.directory().agent_profile(offer.agent).id.clone())
    }

    fn offer_of(&self, call: CallId) -> OfferId {
        let offers = self.offers();
        let offer = offers.iter().find(|one| one.call == call);
        offer.expect("the call is offered").offer
    }

    pub(crate) fn ring(&mut self, call: CallId) {
        let offer = self.offer_of(call);
        self.input(Input::OfferRinging { offer });
    }

    pub(crate) fn answer(&mut self, call: CallId) {
        let offer = self.offer_of(call);
        self.input(Input::OfferAnswered { offer });
    }

    pub(crate) fn fail(&mut self, call: CallId, reason: OfferFailure) {
        let offer = self.offer_of(call);
        self.input(Input::OfferFailed { offer, reason });
    }

    pub(crate) fn state(&self, agent: &str) -> AgentStateKind {
        self.acd.agent_state(self.agent(agent)).kind()
    }

    pub(crate) fn events(&self) -> impl Iterator<Item = (Duration, &Event)> {
        self.log.iter().filter_map(|(at, output)| match output {
            Output::Event(event) => Some((*at, event)),
            _ => None,
        })
    }
}
