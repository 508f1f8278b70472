//! Agents: what a person wants, what the system does with the agent, and who is on duty.

use std::time::{Duration, Instant};

use crate::{
    acd::{Acd, Changed, Deadline},
    agent::{AgentState, AgentStateKind, NotReadyReason, Want},
    event::{Event, Output, WithdrawReason},
    ids::{AgentId, LineId},
};

impl Acd {
    /// Changes an agent's state, and everything that is counted by it.
    pub(crate) fn set_state(&mut self, now: Instant, id: AgentId, state: AgentState) {
        let profile = self.directory.agent_profile(id);
        let (site, skills) = (profile.site, profile.profile);
        let was_on_duty = self.is_on_duty(id);
        let agent = &mut self.agents[id.index()];
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
        if let AgentState::Ready { since } = before {
            self.staff.remove_ready(site, skills, since, id);
        }
        if let AgentState::Ready { since } = agent.state {
            self.staff.add_ready(site, skills, since, id);
            self.changed.push_back(Changed::Site(site));
        }
        if let Some(at) = before.ends_at() {
            self.deadlines.remove(&(at, Deadline::Agent(id)));
        }
        if let Some(at) = ends_at {
            self.deadlines.insert((at, Deadline::Agent(id)));
        }
        self.counts[site.index()][from as usize] -= 1;
        self.counts[site.index()][to as usize] += 1;
        if from != to {
            self.emit(Event::AgentChanged {
                agent: id,
                site,
                from,
                to,
            });
        }
        // Told after its cause: calls may overflow now.
        self.note_duty(now, id, was_on_duty);
    }

    /// On duty: wants to take calls, and can, now or after the present one.
    pub(crate) fn is_on_duty(&self, id: AgentId) -> bool {
        use AgentStateKind::{Offered, Ready, Talking, WrapUp};
        let agent = &self.agents[id.index()];
        agent.want == Want::Ready
            && matches!(agent.state.kind(), Ready | Offered | Talking | WrapUp)
    }

    /// Keeps the counts of agents on duty after a change of state or want.
    fn note_duty(&mut self, now: Instant, id: AgentId, was: bool) {
        let is = self.is_on_duty(id);
        let profile = self.directory.agent_profile(id);
        let (site, skills) = (profile.site, profile.profile);
        match (was, is) {
            (false, true) => self.staff.begin_duty(site, skills),
            (true, false) => {
                self.staff.end_duty(site, skills);
                self.duty_ended(now, site);
            }
            _ => {}
        }
    }

    pub(crate) fn set_want(&mut self, now: Instant, id: AgentId, want: Want) {
        let was_on_duty = self.is_on_duty(id);
        self.agents[id.index()].want = want;
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
        if id.index() >= self.agents.len() {
            return;
        }
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

    pub(crate) fn end_talk(&mut self, now: Instant, agent: AgentId, line: LineId) {
        let wrap_up = self.directory.line_profile(line).wrap_up;
        if wrap_up.is_zero() {
            self.settle(now, agent);
        } else {
            self.set_state(
                now,
                agent,
                AgentState::WrapUp {
                    until: now + wrap_up,
                },
            );
        }
    }
}
