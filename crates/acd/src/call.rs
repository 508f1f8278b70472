//! A call: who has it, whom it seeks, its place; how it comes and goes.

use std::time::{Duration, Instant};

use crate::{
    acd::{Acd, Changed, Deadline},
    classes::ClassId,
    event::{CallOutcome, Event, Ignored, RefuseReason, WhileOffered},
    ids::{AgentId, CallId, CallerKey, CrisisId, LineId, OfferId, Priority, StepRef},
    order::OrderKey,
    output::{Output, WithdrawReason},
    planted::Planted,
};

#[derive(Debug)]
pub(crate) struct Call {
    /// The line that it waits on, or was answered on.
    pub(crate) line: LineId,
    /// Its priority before what the steps in effect raise it by.
    pub(crate) priority: Priority,
    pub(crate) key: OrderKey,
    pub(crate) class: ClassId,
    pub(crate) with: Option<With>,
    pub(crate) seeking: Seeking,
    /// The one agent for whom it waits, and until when.
    pub(crate) awaited: Option<(AgentId, Instant)>,
    /// When the next step that waits for time is due, while the call waits.
    pub(crate) step_at: Option<Instant>,
    /// When it came to its line.
    pub(crate) line_since: Instant,
    /// Whether an agent of its line has answered it: a wait is told once.
    pub(crate) told: Told,
    /// Who is asked first when the call comes back to its place, once: the agent who sent it on.
    pub(crate) came_from: Option<AgentId>,
    pub(crate) caller: Option<CallerKey>,
    pub(crate) diverting: Diverting,
}

/// The agent who has a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct With {
    pub(crate) agent: AgentId,
    pub(crate) since: Instant,
    /// The line on which the agent took it.
    pub(crate) line: LineId,
}

/// Whom a call seeks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seeking {
    /// Nobody: it is with an agent.
    Nobody,
    /// An agent of its line, at its place in the queue.
    Place,
    /// These are being rung.
    Offered {
        offers: Vec<OfferId>,
        otherwise: Otherwise,
    },
}

/// What becomes of a call when nobody of those who are rung takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Otherwise {
    /// It goes back to its place.
    Place,
    /// The agent who has it keeps it.
    Stays,
}

/// Whether the wait of a call on its line has been told ([`Event::Answered`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    No,
    Yes,
}

/// Whether somebody outside is being rung for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Diverting {
    No,
    /// Since this step is in effect, of the line's plan or of a crisis.
    By(StepRef, Option<CrisisId>),
}

/// What is known of a call that comes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Coming {
    pub(crate) priority: Option<Priority>,
    pub(crate) caller: Option<CallerKey>,
    pub(crate) arrival: Option<Instant>,
}

impl Call {
    pub(crate) fn waits(&self) -> bool {
        self.seeking == Seeking::Place
    }

    /// The offers under way.
    pub(crate) fn offers(&self) -> &[OfferId] {
        match &self.seeking {
            Seeking::Offered { offers, .. } => offers,
            Seeking::Nobody | Seeking::Place => &[],
        }
    }
}

impl Acd {
    pub(crate) fn arrive(&mut self, now: Instant, id: CallId, dialled: LineId, coming: Coming) {
        let Coming {
            priority, caller, ..
        } = coming;
        let line = match coming.arrival {
            None => self.line_in_crisis(dialled),
            Some(_) => dialled,
        };
        let reason = if self.calls.contains_key(&id) {
            Some(RefuseReason::Duplicate)
        } else if self.calls.len() >= self.settings.calls_max {
            Some(RefuseReason::CallsMax)
        } else {
            None
        };
        if let Some(reason) = reason {
            return self.emit(Event::Refused {
                call: id,
                line,
                reason,
            });
        }
        let profile = self.directory.line_profile(line);
        let (site, resume_within) = (profile.site, profile.resume_within);
        let priority = priority.unwrap_or(profile.priority);
        let gave_up = || {
            let caller = caller.filter(|_| !self.has_planted(Planted::ResumedWithoutPlace));
            self.callers.gave_up(caller?, site, now, resume_within)
        };
        let arrival = coming.arrival.or_else(gave_up).unwrap_or(now);
        let class = self.entry_class(line);
        let call = Call {
            line,
            priority,
            key: self.key(class, priority, arrival, id),
            class,
            with: None,
            seeking: Seeking::Nobody,
            awaited: None,
            step_at: None,
            line_since: now,
            told: Told::No,
            came_from: None,
            caller,
            diverting: Diverting::No,
        };
        self.calls.insert(id, call);
        self.link_to_abandoned(id, caller, now);
        self.begin_to_wait(now, id);
        self.announce_crisis(now, id, site);
    }

    /// Puts a call that is new on its line at its place, tells so, and looks at its plan.
    pub(crate) fn begin_to_wait(&mut self, now: Instant, id: CallId) {
        self.await_preferred(now, id);
        self.queue(now, id);
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        let (line, class) = (call.line, call.class);
        self.emit(Event::Queued {
            call: id,
            line,
            priority: call.key.priority,
            place: self.place(id).expect("it has just been queued"),
            waited: now - call.key.arrival,
            plan: self
                .classes
                .get(class)
                .course
                .governing()
                .map(|part| part.plan),
            candidates: self.candidates(class),
        });
        self.tell_awaited(id);
        self.take_steps(now, id);
        self.queue_grew(now, line);
    }

    /// Where a call stands in the order.
    pub(crate) fn key(
        &self,
        class: ClassId,
        priority: Priority,
        arrival: Instant,
        call: CallId,
    ) -> OrderKey {
        OrderKey {
            priority: priority.raised(self.classes.get(class).raised),
            arrival,
            call,
        }
    }

    /// Puts a call at its place.
    pub(crate) fn queue(&mut self, now: Instant, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        call.seeking = Seeking::Place;
        let (line, key, class) = (call.line, call.key, call.class);
        let awaited = call.awaited;
        let queue = &mut self.queues[line.index()];
        queue.order.insert(key);
        queue.arrivals.insert((key.arrival, id));
        queue.pace.begin(now);
        match awaited {
            Some((agent, until)) => {
                self.personal.entry(agent).or_default().insert(key);
                self.deadlines.insert((until, Deadline::Awaited(id)));
            }
            None => self.classes.insert(class, key),
        }
        self.changed.push_back(Changed::Call(id));
    }

    /// Takes a call from its place. What it seeks then is for the caller of this to say.
    pub(crate) fn unqueue(&mut self, now: Instant, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        call.seeking = Seeking::Nobody;
        let (line, key, class) = (call.line, call.key, call.class);
        let (step_at, awaited) = (call.step_at.take(), call.awaited.take());
        let queue = &mut self.queues[line.index()];
        queue.order.remove(&key);
        queue.arrivals.remove(&(key.arrival, id));
        if queue.arrivals.is_empty() {
            queue.pace.pause();
        }
        match awaited {
            Some((agent, until)) => self.forget_awaited(id, key, agent, until),
            None => self.classes.remove(class, key),
        }
        if let Some(at) = step_at {
            self.deadlines.remove((at, Deadline::Step(id)));
        }
        self.arm_line(now, line);
    }

    /// Gives a call another class or another priority, with its place in the order.
    pub(crate) fn place_anew(&mut self, id: CallId, class: ClassId, priority: Priority) {
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        let (before, line) = (call.key, call.line);
        let (class_before, awaited, waits) = (call.class, call.awaited, call.waits());
        let key = self.key(class, priority, before.arrival, id);
        if waits {
            if key != before {
                let order = &mut self.queues[line.index()].order;
                order.remove(&before);
                order.insert(key);
            }
            if let Some((agent, _)) = awaited {
                let calls = self.personal.entry(agent).or_default();
                calls.remove(&before);
                calls.insert(key);
            } else {
                self.classes.remove(class_before, before);
                self.classes.insert(class, key);
            }
            self.changed.push_back(Changed::Call(id));
        }
        self.thin.place_anew((class_before, before), (class, key));
        if let Some(call) = self.calls.get_mut(&id) {
            call.class = class;
            call.priority = priority;
            call.key = key;
        }
        if key.priority != before.priority {
            self.emit(Event::PriorityChanged {
                call: id,
                line,
                priority: key.priority,
            });
        }
    }

    pub(crate) fn set_priority(&mut self, id: CallId, priority: Priority) {
        match self.calls.get(&id) {
            Some(call) => self.place_anew(id, call.class, priority),
            None => self.ignore(Ignored::Call(id)),
        }
    }

    pub(crate) fn end_call(&mut self, now: Instant, id: CallId) {
        let Some(call) = self.calls.get(&id) else {
            return self.ignore(Ignored::Call(id));
        };
        let (with, line, caller) = (call.with, call.line, call.caller);
        let (arrival, waited) = (call.key.arrival, now - call.line_since);
        let while_offered = match call.seeking {
            Seeking::Offered { .. } => WhileOffered::Yes,
            Seeking::Nobody | Seeking::Place => WhileOffered::No,
        };
        self.stop_seeking(now, id, WithdrawReason::CallEnded);
        let outcome = match with {
            Some(with) => {
                self.end_talk(now, with);
                CallOutcome::Served {
                    agent: with.agent,
                    talked: now - with.since,
                }
            }
            None => CallOutcome::Abandoned {
                waited,
                while_offered,
            },
        };
        self.forget(id, line, outcome);
        if with.is_none() {
            self.caller_gave_up(now, id, line, caller, arrival, waited);
        }
    }

    /// A call that waits or rings does so no longer.
    pub(crate) fn stop_seeking(&mut self, now: Instant, id: CallId, reason: WithdrawReason) {
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        if call.waits() {
            self.unqueue(now, id);
        }
        self.withdraw_all(now, id, reason);
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        if std::mem::replace(&mut call.diverting, Diverting::No) != Diverting::No {
            self.outputs.push_back(Output::DivertWithdrawn { call: id });
        }
    }

    /// Tells that a call is gone.
    pub(crate) fn forget(&mut self, id: CallId, line: LineId, outcome: CallOutcome) {
        self.calls.remove(&id);
        self.emit(Event::Left {
            call: id,
            line,
            outcome,
        });
    }

    /// How long a call has been on its line.
    pub(crate) fn waited_on_line(&self, now: Instant, id: CallId) -> Duration {
        let call = self.calls.get(&id);
        call.map(|call| now - call.line_since).unwrap_or_default()
    }
}
