//! Calls that go from one agent to another, or on to another line: transfers.

use std::time::Instant;

use crate::{
    acd::Acd,
    agent::AgentState,
    call::{Call, Otherwise, Seeking, Told, With},
    event::{CallOutcome, Event, Ignored},
    ids::{AgentId, CallId, LineId, Priority},
    output::WithdrawReason,
    spec::{Age, HandOver, TransferredPriority},
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
        let seeking = self.calls.get(&id).map(|call| &call.seeking);
        let otherwise = match seeking {
            Some(Seeking::Place) => Otherwise::Place,
            Some(Seeking::Nobody) => Otherwise::Stays,
            Some(Seeking::Offered { .. }) | None => return self.ignore(Ignored::Call(id)),
        };
        if !self.can_be_asked(agent) {
            return self.ignore(Ignored::Call(id));
        }
        if otherwise == Otherwise::Place {
            self.unqueue(now, id);
        }
        self.open_offer(now, id, agent, None, otherwise);
    }

    /// The agent who had a call is out of it, and the caller is not: the call goes on to whom it is
    /// offered already, else back to its line. The agent is asked first should it come back.
    pub(crate) fn agent_released(&mut self, now: Instant, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else {
            return self.ignore(Ignored::Call(id));
        };
        let Some(with) = call.with.take() else {
            return self.ignore(Ignored::Call(id));
        };
        let was_alone = call.seeking == Seeking::Nobody;
        // Until now nobody waited there.
        match &mut call.seeking {
            Seeking::Nobody => (call.came_from, call.line_since) = (Some(with.agent), now),
            Seeking::Offered { otherwise, .. } if *otherwise == Otherwise::Stays => {
                *otherwise = Otherwise::Place;
                (call.came_from, call.line_since) = (Some(with.agent), now);
            }
            // It has been sent on to another line, and seeks somebody there.
            Seeking::Offered { .. } | Seeking::Place => {}
        }
        self.end_talk(now, with);
        if was_alone {
            self.give_back(now, id);
        }
    }

    /// The agent who has a call sends it on to a line's queue.
    pub(crate) fn move_call(
        &mut self,
        now: Instant,
        id: CallId,
        to: LineId,
        priority: Option<Priority>,
    ) {
        let Some(with) = self.calls.get(&id).and_then(|call| call.with) else {
            return self.ignore(Ignored::Call(id));
        };
        self.stop_seeking(now, id, WithdrawReason::CallMoved);
        let to = self.line_in_crisis(to);
        let class = self.entry_class(to);
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        let line = self.directory.line_profile(to);
        let priority = priority.unwrap_or(match line.transferred_priority {
            TransferredPriority::Kept => call.priority,
            TransferredPriority::Line => line.priority,
        });
        let arrival = match line.transferred {
            Age::Kept => call.key.arrival,
            Age::New => now,
        };
        let stays = match line.hand_over {
            HandOver::Blind => false,
            HandOver::Attended { up_to } => priority <= up_to,
        };
        let key = self.key(class, priority, arrival, id);
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let from = std::mem::replace(&mut call.line, to);
        *call = Call {
            line: to,
            priority,
            key,
            class,
            with: call.with.filter(|_| stays),
            seeking: Seeking::Nobody,
            awaited: None,
            step_at: None,
            line_since: now,
            told: Told::No,
            came_from: None,
            caller: call.caller,
            diverting: call.diverting,
        };
        self.emit(Event::Moved {
            call: id,
            from,
            to,
            agent: with.agent,
            talked: now - with.since,
        });
        self.begin_to_wait(now, id);
        if !stays {
            self.end_talk(now, with);
        }
    }

    /// The agent who keeps a caller company until another line answers keeps the call.
    pub(crate) fn keep_call(&mut self, now: Instant, id: CallId) {
        let call = self.calls.get(&id);
        let seeks_at_place = |call: &&Call| match &call.seeking {
            Seeking::Place => true,
            Seeking::Offered { otherwise, .. } => *otherwise == Otherwise::Place,
            Seeking::Nobody => false,
        };
        let Some(with) = call.filter(seeks_at_place).and_then(|call| call.with) else {
            return self.ignore(Ignored::Call(id));
        };
        self.stop_seeking(now, id, WithdrawReason::CallMoved);
        let class = self.entry_class(with.line);
        if let Some(call) = self.calls.get_mut(&id) {
            call.line = with.line;
            call.told = Told::Yes;
        }
        self.emit(Event::Kept {
            call: id,
            line: with.line,
            agent: with.agent,
        });
        // Its place, should it have to wait there again.
        let priority = self.calls.get(&id).map(|call| call.priority);
        priority
            .into_iter()
            .for_each(|it| self.place_anew(id, class, it));
    }

    /// The agent of one call takes over another.
    pub(crate) fn take_over(&mut self, now: Instant, id: CallId, by_agent_of: CallId) {
        let with = |acd: &Self, id| {
            let call = acd.calls.get(&id)?;
            call.with.filter(|_| call.seeking == Seeking::Nobody)
        };
        let (Some(before), Some(taker)) = (with(self, id), with(self, by_agent_of)) else {
            return self.ignore(Ignored::Call(id));
        };
        if id == by_agent_of {
            return self.ignore(Ignored::Call(id));
        }
        let Some(over) = self.calls.get(&by_agent_of).map(|call| call.line) else {
            return;
        };
        let outcome = CallOutcome::Served {
            agent: taker.agent,
            talked: now - taker.since,
        };
        self.forget(by_agent_of, over, outcome);
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let (agent, line) = (taker.agent, call.line);
        call.with = Some(With {
            agent,
            since: now,
            line,
        });
        self.agent_mut(agent).last_call = Some(id);
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
        self.end_talk(now, before);
    }
}
