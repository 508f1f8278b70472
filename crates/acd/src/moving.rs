//! Calls that go from one agent to another, or on to another line: transfers.

use std::time::Instant;

use crate::{
    acd::{Acd, Phase, Told},
    agent::AgentState,
    event::{CallOutcome, Event, Ignored},
    ids::{AgentId, CallId, LineId},
    order::OrderKey,
    spec::Age,
    waiting::StepSet,
};

impl Acd {
    /// Whether an agent can be asked in person now: logged in, reachable, and in no call. A pause or
    /// the work after a call does not keep a colleague's transfer away.
    pub fn can_be_asked(&self, agent: AgentId) -> bool {
        let state = self.agents.get(agent.index()).map(|agent| &agent.state);
        matches!(
            state,
            Some(
                AgentState::Ready { .. } | AgentState::NotReady { .. } | AgentState::WrapUp { .. }
            )
        )
    }

    /// Asks one agent to take a call that waits or that another agent has. An offer like any other,
    /// but for whom it asks; the other agent keeps the call until it is answered.
    pub(crate) fn offer_to(&mut self, now: Instant, id: CallId, agent: AgentId) {
        let phase = self.calls.get(&id).map(|call| call.phase);
        let may = match phase {
            Some(Phase::Waiting) => true,
            Some(Phase::Talking { moving_to, .. }) => moving_to.is_none(),
            Some(Phase::Offered(_)) | None => false,
        };
        if !may || !self.can_be_asked(agent) {
            return self.ignore(id);
        }
        if phase == Some(Phase::Waiting) {
            self.unqueue(id);
        }
        self.open_offer(now, id, agent, None);
    }

    /// The agent who had a call is out of it, and the caller is not: the call goes on to whom it is
    /// offered already, else back to its line. The agent is asked first should it come back.
    pub(crate) fn agent_released(&mut self, now: Instant, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else {
            return self.ignore(id);
        };
        let Phase::Talking {
            agent, moving_to, ..
        } = call.phase
        else {
            return self.ignore(id);
        };
        call.came_from = Some(agent);
        let line = call.line;
        call.phase = moving_to.map_or(Phase::Waiting, Phase::Offered);
        self.end_talk(now, agent, line);
        if moving_to.is_none() {
            self.give_back(now, id);
        }
    }

    /// The agent who has a call sends it on to a line's queue. It keeps its priority.
    pub(crate) fn move_call(&mut self, now: Instant, id: CallId, to: LineId) {
        let Some(Phase::Talking {
            agent,
            since,
            moving_to,
        }) = self.calls.get(&id).map(|call| call.phase)
        else {
            return self.ignore(id);
        };
        if let Some(offer) = moving_to {
            self.withdraw_for_caller(now, offer);
        }
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let from = std::mem::replace(&mut call.line, to);
        call.steps = StepSet::default();
        call.came_from = None;
        call.line_since = now;
        call.told = Told::No;
        call.key = OrderKey {
            arrival: match self.directory.line_profile(to).transferred {
                Age::Kept => call.key.arrival,
                Age::New => now,
            },
            ..call.key
        };
        let priority = call.key.priority;
        self.emit(Event::Moved {
            call: id,
            from,
            to,
            agent,
            talked: now - since,
        });
        self.queue(id);
        let place = self.place(id).expect("it has just been queued");
        self.emit(Event::Queued {
            call: id,
            line: to,
            priority,
            place,
        });
        self.end_talk(now, agent, from);
        self.take_steps(now, id);
        self.queue_grew(now, to);
    }

    /// The agent of one call takes over another.
    pub(crate) fn take_over(&mut self, now: Instant, id: CallId, by_agent_of: CallId) {
        let with = |acd: &Self, id| match acd.calls.get(&id)?.phase {
            Phase::Talking {
                agent,
                since,
                moving_to: None,
            } => Some((agent, since)),
            _ => None,
        };
        let (Some((before, _)), Some((agent, since))) = (with(self, id), with(self, by_agent_of))
        else {
            return self.ignore(id);
        };
        if id == by_agent_of {
            return self.ignore(id);
        }
        let Some(over) = self.calls.remove(&by_agent_of) else {
            return;
        };
        self.emit(Event::Left {
            call: by_agent_of,
            line: over.line,
            outcome: CallOutcome::Served {
                agent,
                talked: now - since,
            },
        });
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        call.phase = Phase::Talking {
            agent,
            since: now,
            moving_to: None,
        };
        let line = call.line;
        self.set_state(
            now,
            agent,
            AgentState::Talking {
                call: id,
                since: now,
            },
        );
        self.emit(Event::HandedOver {
            call: id,
            line,
            agent,
        });
        self.end_talk(now, before, line);
    }

    fn ignore(&mut self, call: CallId) {
        self.emit(Event::Ignored {
            what: Ignored::Call(call),
        });
    }
}
