//! The distributor: calls, agents, deadlines, and the order in which things are looked at.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    agent::{AgentState, AgentStateKind, Want},
    directory::Directory,
    event::{CallOutcome, Event, Ignored, Input, Output, RefuseReason, WhileOffered},
    ids::{AgentId, CallId, LineId, OfferId, PauseReason, Priority, SiteId, StepIndex},
    offers::LiveOffer,
    order::{OrderKey, RankedSet},
    ready::Staff,
    spec::StartState,
    waiting::{Classes, StepSet},
};

/// Limits and times of the distributor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Calls that may exist at a time.
    pub calls_max: usize,
    /// No sign of life from a phone for so long after an offer: it is unreachable.
    pub unreachable_after: Duration,
    /// How often an unreachable phone is probed. Less than a second counts as a second.
    pub unreachable_retry: Duration,
    /// How long an agent whose phone was busy or declined is left alone.
    pub refusal_retry: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            calls_max: 100_000,
            unreachable_after: Duration::from_secs(5),
            unreachable_retry: Duration::from_secs(30),
            refusal_retry: Duration::from_secs(10),
        }
    }
}

/// The distributor of a node. See the [crate] for how it is driven.
#[derive(Debug)]
pub struct Acd {
    pub(crate) directory: Arc<Directory>,
    pub(crate) settings: Settings,
    pub(crate) calls: BTreeMap<CallId, Call>,
    pub(crate) agents: Vec<Agent>,
    pub(crate) offers: BTreeMap<OfferId, LiveOffer>,
    pub(crate) staff: Staff,
    pub(crate) classes: Classes,
    pub(crate) queues: Vec<Queue>,
    /// Agents of each site by kind of state.
    pub(crate) counts: Vec<[usize; AgentStateKind::ALL.len()]>,
    pub(crate) deadlines: BTreeSet<(Instant, Deadline)>,
    /// What changed and has not been looked at.
    pub(crate) changed: VecDeque<Changed>,
    pub(crate) outputs: VecDeque<Output>,
    pub(crate) next_offer: u64,
}

/// A line's waiting calls.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    pub(crate) order: RankedSet,
    arrivals: BTreeSet<(Instant, CallId)>,
}

#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) line: LineId,
    pub(crate) key: OrderKey,
    pub(crate) steps: StepSet,
    pub(crate) phase: Phase,
    /// When the next step that waits for time is due, while the call waits.
    pub(crate) step_at: Option<Instant>,
    /// When it came to its line.
    pub(crate) line_since: Instant,
    /// Whether an agent of its line has answered it: a wait is told once.
    pub(crate) told: Told,
    /// Who is asked first when the call comes back to its place, once: the agent who sent it on.
    pub(crate) came_from: Option<AgentId>,
}

/// Whether the wait of a call on its line has been told ([`Event::Answered`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    No,
    Yes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Waiting,
    Offered(OfferId),
    Talking {
        agent: AgentId,
        since: Instant,
        /// The offer to the agent who is to have it next.
        moving_to: Option<OfferId>,
    },
}

#[derive(Debug)]
pub(crate) struct Agent {
    pub(crate) state: AgentState,
    pub(crate) want: Want,
    /// When the state was entered.
    pub(crate) entered: Instant,
    pub(crate) logged_in: Instant,
    /// Talk and wrap-up since log-in.
    pub(crate) busy: Duration,
}

/// What is due at a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Deadline {
    /// An overflow step of a waiting call.
    Step(CallId),
    /// An offer's sign of life, or its end.
    Offer(OfferId),
    /// The end of an agent's state.
    Agent(AgentId),
}

/// Something whose change may make a match possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Changed {
    /// A call came to wait, or reaches further.
    Call(CallId),
    /// An agent of the site became free.
    Site(SiteId),
}

/// A call, for an API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallView {
    /// Its line.
    pub line: LineId,
    /// Its priority.
    pub priority: Priority,
    /// When it arrived.
    pub arrival: Instant,
    /// Where it stands.
    pub phase: CallPhase,
    /// The overflow steps in effect.
    pub steps: Vec<StepIndex>,
}

/// Where a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallPhase {
    /// It waits at its place.
    Waiting,
    /// An agent is being rung.
    Offered {
        /// The offer.
        offer: OfferId,
        /// The agent.
        agent: AgentId,
    },
    /// An agent has it.
    Talking {
        /// The agent.
        agent: AgentId,
    },
}

impl Acd {
    /// A distributor without calls; agents are as the directory says they start.
    pub fn new(now: Instant, directory: Arc<Directory>, mut settings: Settings) -> Self {
        settings.unreachable_retry = settings.unreachable_retry.max(Duration::from_secs(1));
        let sites = directory.sites().len();
        let mut acd = Self {
            settings,
            calls: BTreeMap::new(),
            agents: Vec::new(),
            offers: BTreeMap::new(),
            staff: Staff::new(sites),
            classes: Classes::default(),
            queues: directory.lines().map(|_| Queue::default()).collect(),
            counts: vec![[0; AgentStateKind::ALL.len()]; sites],
            deadlines: BTreeSet::new(),
            changed: VecDeque::new(),
            outputs: VecDeque::new(),
            next_offer: 1,
            directory,
        };
        for agent in acd.directory.clone().agents() {
            acd.add_agent(now, agent);
        }
        acd
    }

    fn add_agent(&mut self, now: Instant, id: AgentId) {
        let profile = self.directory.agent_profile(id);
        let want = match profile.start {
            StartState::Ready => Want::Ready,
            StartState::NotReady => Want::NotReady {
                reason: start_reason(),
            },
            StartState::LoggedOut => Want::LoggedOut,
        };
        self.counts[profile.site.index()][AgentStateKind::LoggedOut as usize] += 1;
        self.agents.push(Agent {
            state: AgentState::LoggedOut,
            want: Want::LoggedOut,
            entered: now,
            logged_in: now,
            busy: Duration::ZERO,
        });
        self.set_want(now, id, want);
        self.settle(now, id);
        // How agents start is configuration, not news.
        self.outputs.clear();
        self.changed.clear();
    }

    /// Takes one input. Never fails: what is about something unknown is told as
    /// [`Event::Ignored`].
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        match input {
            Input::CallArrived {
                call,
                line,
                priority,
            } => self.arrive(now, call, line, priority),
            Input::CallEnded { call } => self.end_call(now, call),
            Input::CallMoved { call, to } => self.move_call(now, call, to),
            Input::OfferTo { call, agent } => self.offer_to(now, call, agent),
            Input::AgentReleased { call } => self.agent_released(now, call),
            Input::CallTakenOver { call, by_agent_of } => self.take_over(now, call, by_agent_of),
            Input::OfferRinging { offer } => self.offer_ringing(offer),
            Input::OfferAnswered { offer } => self.offer_answered(now, offer),
            Input::OfferFailed { offer, reason } => self.offer_failed(now, offer, reason),
            Input::AgentWants { agent, want } => self.agent_wants_now(now, agent, want),
            Input::AgentReachable { agent } => self.agent_reachable(now, agent),
        }
        self.match_all(now);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(&(at, deadline)) = self.deadlines.first()
            && at <= now
        {
            self.deadlines.pop_first();
            match deadline {
                Deadline::Step(call) => self.step_due(now, call),
                Deadline::Offer(offer) => self.offer_due(now, offer),
                Deadline::Agent(agent) => self.agent_due(now, agent),
            }
            self.match_all(now);
        }
    }

    /// The next thing to do or to know.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Acd::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|&(at, _)| at)
    }

    /// The directory.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// What the system does with an agent now.
    pub fn agent_state(&self, agent: AgentId) -> &AgentState {
        &self.agents[agent.index()].state
    }

    /// What the person wants.
    pub fn agent_wants(&self, agent: AgentId) -> &Want {
        &self.agents[agent.index()].want
    }

    /// The place of a waiting call in its line's queue, 1 being next.
    pub fn place(&self, call: CallId) -> Option<usize> {
        let call = self.calls.get(&call)?;
        self.queues[call.line.index()]
            .order
            .rank(&call.key)
            .map(|before| before + 1)
    }

    /// Calls that wait on a line.
    pub fn waiting(&self, line: LineId) -> usize {
        self.queues[line.index()].order.len()
    }

    /// Calls that wait on the lines of a site.
    pub fn waiting_at_site(&self, site: SiteId) -> usize {
        self.directory
            .site_profile(site)
            .lines
            .iter()
            .map(|&line| self.waiting(line))
            .sum()
    }

    /// The first arrival among the calls that wait on a line.
    pub fn oldest_arrival(&self, line: LineId) -> Option<Instant> {
        self.queues[line.index()]
            .arrivals
            .first()
            .map(|&(arrival, _)| arrival)
    }

    /// Agents of a site in a kind of state.
    pub fn agents_in(&self, site: SiteId, kind: AgentStateKind) -> usize {
        self.counts[site.index()][kind as usize]
    }

    /// A call, if it is known.
    pub fn call(&self, call: CallId) -> Option<CallView> {
        let call = self.calls.get(&call)?;
        let phase = match call.phase {
            Phase::Waiting => CallPhase::Waiting,
            Phase::Offered(offer) => {
                let agent = self.offers.get(&offer)?.agent;
                CallPhase::Offered { offer, agent }
            }
            Phase::Talking { agent, .. } => CallPhase::Talking { agent },
        };
        Some(CallView {
            line: call.line,
            priority: call.key.priority,
            arrival: call.key.arrival,
            phase,
            steps: call.steps.iter().collect(),
        })
    }

    /// All calls in the order of their numbers.
    pub fn calls(&self) -> impl Iterator<Item = CallId> + '_ {
        self.calls.keys().copied()
    }

    /// Whether there is no call and no offer.
    pub fn is_idle(&self) -> bool {
        self.calls.is_empty() && self.offers.is_empty()
    }

    fn arrive(&mut self, now: Instant, id: CallId, line: LineId, priority: Option<Priority>) {
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
        let priority = priority.unwrap_or_else(|| self.directory.line_profile(line).priority);
        let key = OrderKey {
            priority,
            arrival: now,
            call: id,
        };
        let call = Call {
            line,
            key,
            steps: StepSet::default(),
            phase: Phase::Waiting,
            step_at: None,
            line_since: now,
            told: Told::No,
            came_from: None,
        };
        self.calls.insert(id, call);
        self.queue(id);
        let place = self.place(id).expect("it has just been queued");
        self.emit(Event::Queued {
            call: id,
            line,
            priority,
            place,
        });
        self.take_steps(now, id);
        self.queue_grew(now, line);
    }

    /// Puts a call at its place.
    pub(crate) fn queue(&mut self, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        call.phase = Phase::Waiting;
        let (line, key, steps) = (call.line, call.key, call.steps);
        let queue = &mut self.queues[line.index()];
        queue.order.insert(key);
        queue.arrivals.insert((key.arrival, id));
        self.classes.insert(&self.directory, line, steps, key);
        self.changed.push_back(Changed::Call(id));
    }

    /// Takes a call from its place.
    pub(crate) fn unqueue(&mut self, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let (line, key, steps) = (call.line, call.key, call.steps);
        let step_at = call.step_at.take();
        let queue = &mut self.queues[line.index()];
        queue.order.remove(&key);
        queue.arrivals.remove(&(key.arrival, id));
        self.classes.remove(line, steps, key);
        if let Some(at) = step_at {
            self.deadlines.remove(&(at, Deadline::Step(id)));
        }
    }

    fn end_call(&mut self, now: Instant, id: CallId) {
        let Some(call) = self.calls.get(&id) else {
            return self.emit(Event::Ignored {
                what: Ignored::Call(id),
            });
        };
        let (line, phase) = (call.line, call.phase);
        let waited = now - call.line_since;
        let outcome = match phase {
            Phase::Waiting => {
                self.unqueue(id);
                CallOutcome::Abandoned {
                    waited,
                    while_offered: WhileOffered::No,
                }
            }
            Phase::Offered(offer) => {
                self.withdraw_for_caller(now, offer);
                CallOutcome::Abandoned {
                    waited,
                    while_offered: WhileOffered::Yes,
                }
            }
            Phase::Talking {
                agent,
                since,
                moving_to,
            } => {
                if let Some(offer) = moving_to {
                    self.withdraw_for_caller(now, offer);
                }
                self.end_talk(now, agent, line);
                CallOutcome::Served {
                    agent,
                    talked: now - since,
                }
            }
        };
        self.calls.remove(&id);
        self.emit(Event::Left {
            call: id,
            line,
            outcome,
        });
    }

    pub(crate) fn emit(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }
}

/// Why an agent who starts not ready is so.
fn start_reason() -> PauseReason {
    PauseReason::new("start").expect("it is a word")
}
