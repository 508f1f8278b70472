//! A caller who calls again waits a moment for the agent who had the same caller last.

use std::time::Instant;

use crate::{
    acd::{Acd, Changed, Deadline},
    agent::AgentState,
    event::Event,
    ids::{AgentId, CallId},
    matching::Match,
    order::OrderKey,
};

impl Acd {
    /// Decides whether a call that comes to its line waits for one agent: who had the caller last, is
    /// on duty at the line's site, and able.
    pub(crate) fn await_preferred(&mut self, now: Instant, id: CallId) {
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        let line = self.directory.line_profile(call.line);
        if line.preferred.is_zero() {
            return;
        }
        let known = call
            .caller
            .and_then(|caller| self.callers.last_agent(caller));
        let requirement = self.classes.get(call.class).requirement;
        let is_there = |&agent: &AgentId| {
            let profile = self.directory.agent_profile(agent);
            profile.sites().any(|site| site == line.site)
                && self.staff.meets(profile.profile, requirement)
                && self.agents[agent.index()].is_on_duty()
        };
        let awaited = known
            .filter(is_there)
            .map(|agent| (agent, now + line.preferred));
        if let Some(call) = self.calls.get_mut(&id) {
            call.awaited = awaited;
        }
    }

    /// Tells for whom a call waits.
    pub(crate) fn tell_awaited(&mut self, id: CallId) {
        let awaited = self.calls.get(&id).and_then(|call| call.awaited);
        if let Some((agent, until)) = awaited {
            self.emit(Event::AgentAwaited {
                call: id,
                agent,
                until,
            });
        }
    }

    /// The first call that waits for an agent, if the agent is free and nobody comes before it.
    pub(crate) fn match_awaiting(&self, agent: AgentId) -> Option<Match> {
        let key = *self.personal.get(&agent)?.first()?;
        let is_free = matches!(self.agents[agent.index()].state, AgentState::Ready { .. });
        let is_first = self.first_for(agent).is_none_or(|other| key < other);
        (is_free && is_first).then_some(Match {
            call: key.call,
            agent,
            step: None,
        })
    }

    /// Whether a free agent is waited for, and another call comes first.
    pub(crate) fn is_passed_by(&self, agent: AgentId) -> bool {
        let is_free = matches!(self.agents[agent.index()].state, AgentState::Ready { .. });
        is_free && self.personal.contains_key(&agent) && self.first_for(agent).is_some()
    }

    /// A call has waited long enough for one agent, or the agent is gone: anybody may have it.
    pub(crate) fn stop_awaiting(&mut self, now: Instant, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let Some((agent, until)) = call.awaited.take() else {
            return;
        };
        let (key, class) = (call.key, call.class);
        self.forget_awaited(id, key, agent, until);
        self.classes.insert(class, key);
        self.emit(Event::AwaitEnded { call: id, agent });
        self.changed.push_back(Changed::Call(id));
        self.follow_plan(now, id);
    }

    /// An agent no longer takes calls: nobody waits for this one any more.
    pub(crate) fn stop_awaiting_agent(&mut self, now: Instant, agent: AgentId) {
        while let Some(key) = self.personal.get(&agent).and_then(|calls| calls.first()) {
            self.stop_awaiting(now, key.call);
        }
    }

    pub(crate) fn forget_awaited(
        &mut self,
        id: CallId,
        key: OrderKey,
        agent: AgentId,
        until: Instant,
    ) {
        self.deadlines.remove((until, Deadline::Awaited(id)));
        if let Some(calls) = self.personal.get_mut(&agent) {
            calls.remove(&key);
            if calls.is_empty() {
                self.personal.remove(&agent);
            }
        }
    }
}
