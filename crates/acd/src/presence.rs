//! Agents: what a person wants, what the system does with the agent, and who is on duty.

use std::time::{Duration, Instant};

use crate::{
    acd::{Acd, Changed, Deadline},
    agent::{AgentState, AgentStateKind, NotReadyReason, Want},
    call::With,
    event::{Event, Ignored},
    ids::{AgentId, Disposition},
    output::{Output, WithdrawReason},
    planted::Planted,
};

impl Acd {
    /// Changes an agent's state, and everything that is counted by it.
    pub(crate) fn set_state(&mut self, now: Instant, id: AgentId, state: AgentState) {
        let directory = self.directory.clone();
        let profile = directory.agent_profile(id);
        let (home, skills) = (profile.site, profile.profile);
        let agent = self.agent_mut(id);
        let was_on_duty = agent.is_on_duty();
        let before = std::mem::replace(&mut agent.state, state);
        let (from, to) = (before.kind(), agent.state.kind());
        if matches!(from, AgentStateKind::Talking | AgentStateKind::WrapUp) {
            agent.busy += now - agent.entered;
        }
        if from == AgentStateKind::LoggedOut && to != from {
            agent.logged_in = now;
            agent.busy = Duration::ZERO;
        }
        agent.entered = now;
        let ends_at = agent.state.ends_at();
        let became_ready = agent.state.ready_since();
        for site in profile.sites() {
            if let AgentState::Ready { since } = before {
                self.staff.remove_ready(site, skills, since, id);
            }
            self.staff.change_state(site, skills, from, to);
            if let Some(since) = became_ready {
                self.staff.add_ready(site, skills, since, id);
            }
        }
        if became_ready.is_some() && !self.has_planted(Planted::FreeUnnoticed) {
            if self.personal.contains_key(&id) {
                self.changed.push_back(Changed::Agent(id));
            }
            self.changed.extend(profile.sites().map(Changed::Site));
        }
        if let Some(at) = before.ends_at() {
            self.deadlines.remove((at, Deadline::Agent(id)));
        }
        if let Some(at) = ends_at.filter(|_| !self.has_planted(Planted::StateWithoutEnd)) {
            self.deadlines.insert((at, Deadline::Agent(id)));
        }
        self.counts[home.index()][from as usize] -= 1;
        self.counts[home.index()][to as usize] += 1;
        if from != to {
            self.emit(Event::AgentChanged {
                agent: id,
                site: home,
                from,
                to,
            });
        }
        // Told after its cause: calls may overflow now.
        self.note_duty(now, id, was_on_duty);
    }

    /// Keeps the counts of agents on duty after a change of state or want.
    fn note_duty(&mut self, now: Instant, id: AgentId, was: bool) {
        let is = self.agents[id.index()].is_on_duty();
        if was == is {
            return;
        }
        let directory = self.directory.clone();
        let profile = directory.agent_profile(id);
        for site in profile.sites() {
            if is {
                self.staff.begin_duty(site, profile.profile);
            } else {
                self.staff.end_duty(site, profile.profile);
            }
        }
        for site in profile.sites() {
            self.note_site_state(site);
            if was {
                self.duty_ended(site);
            }
        }
        if was {
            self.stop_awaiting_agent(now, id);
        }
    }

    pub(crate) fn set_want(&mut self, now: Instant, id: AgentId, want: Want) {
        let agent = self.agent_mut(id);
        let was_on_duty = agent.is_on_duty();
        agent.want = want;
        self.note_duty(now, id, was_on_duty);
    }

    /// The state that follows from what the person wants, for an agent who has nothing to do.
    pub(crate) fn settle(&mut self, now: Instant, id: AgentId) {
        let state = match &self.agents[id.index()].want {
            Want::Ready => AgentState::Ready { since: now },
            Want::NotReady { reason } => AgentState::NotReady {
                reason: NotReadyReason::Pause(reason.clone()),
                since: now,
            },
            Want::LoggedOut => AgentState::LoggedOut,
        };
        self.set_state(now, id, state);
    }

    pub(crate) fn agent_wants_now(&mut self, now: Instant, id: AgentId, want: Want) {
        if self.agents.get(id.index()).is_none() {
            return self.ignore(Ignored::Agent(id));
        }
        let agent = self.agent_mut(id);
        (agent.unanswered, agent.declined) = (0, 0);
        let leaves = want != Want::Ready;
        self.set_want(now, id, want);
        match self.agents[id.index()].state {
            AgentState::Offered { offer, .. } if leaves => {
                self.withdraw(now, offer, WithdrawReason::AgentLeft);
            }
            // After the call, or when the phone is back. A pause or a log-out needs no phone.
            AgentState::Unreachable { .. } if leaves => self.settle(now, id),
            AgentState::Offered { .. }
            | AgentState::Talking { .. }
            | AgentState::Unreachable { .. } => {}
            // Who is free already keeps the idle time.
            AgentState::Ready { .. } if !leaves => {}
            AgentState::LoggedOut
            | AgentState::NotReady { .. }
            | AgentState::Ready { .. }
            | AgentState::WrapUp { .. } => self.settle(now, id),
        }
    }

    pub(crate) fn agent_reachable(&mut self, now: Instant, id: AgentId) {
        let agent = self.agents.get(id.index());
        if agent.is_some_and(|agent| matches!(agent.state, AgentState::Unreachable { .. })) {
            self.settle(now, id);
        }
    }

    pub(crate) fn agent_due(&mut self, now: Instant, id: AgentId) {
        match self.agents[id.index()].state {
            AgentState::Unreachable { .. } => {
                let retry_at = now + self.settings.unreachable_retry;
                self.set_state(now, id, AgentState::Unreachable { retry_at });
                self.outputs.push_back(Output::Probe { agent: id });
            }
            _ => self.settle(now, id),
        }
    }

    /// An agent's part in a call is over.
    pub(crate) fn end_talk(&mut self, now: Instant, with: With) {
        let wrap_up = self.wrap_up(with.agent, with.line);
        let handled = now - with.since + wrap_up;
        self.queues[with.line.index()].pace.handled(handled);
        if wrap_up.is_zero() {
            self.settle(now, with.agent);
        } else {
            let until = now + wrap_up;
            self.set_state(now, with.agent, AgentState::WrapUp { until });
        }
    }

    /// An agent needs longer after a call.
    pub(crate) fn extend_wrap_up(&mut self, now: Instant, id: AgentId, by: Duration) {
        let limit = self.settings.wrap_up_max;
        let state = self.agents.get(id.index());
        let Some((AgentState::WrapUp { until }, entered)) =
            state.map(|agent| (&agent.state, agent.entered))
        else {
            return self.ignore(Ignored::Agent(id));
        };
        let (before, latest) = (*until, entered + limit);
        let until = (before + by).min(latest).max(before).max(now);
        self.deadlines.remove((before, Deadline::Agent(id)));
        self.deadlines.insert((until, Deadline::Agent(id)));
        self.agent_mut(id).state = AgentState::WrapUp { until };
    }

    /// An agent says how the call that is there, or was there last, was closed.
    pub(crate) fn dispose(&mut self, id: AgentId, code: Disposition) {
        let agent = self.agents.get(id.index());
        match agent.and_then(|agent| agent.last_call) {
            Some(call) => self.emit(Event::Disposed {
                call,
                agent: id,
                code,
            }),
            None => self.ignore(Ignored::Agent(id)),
        }
    }
}
