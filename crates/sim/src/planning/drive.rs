//! Drives the distributor through a history.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    time::{Duration, Instant},
};

use engine::acd::{
    Acd, AgentId, AgentStateKind, CallId, CallPhase, CallerKey, Event, Input, LineId, OfferId,
    Output, SiteId, Want,
};

use super::{
    History,
    arrivals::Arrivals,
    callers::Caller,
    journeys::{Journey, Journeys},
    people::{Duty, Occupancy, duties},
    recording::KnownPatience,
    statistics::Statistics,
    timetable::{Turn, demand_at},
};
use crate::epoch;

/// A call on one line: from its coming there to its answer or its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage {
    /// The call.
    pub call: CallId,
    /// Whose it is: the same for a caller who calls again.
    pub caller: CallerKey,
    /// The line.
    pub line: LineId,
    /// When it came to the line, since the beginning of the history.
    pub came: Duration,
    /// How long it waited there.
    pub waited: Duration,
    /// How often the caller had called before, and given up.
    pub attempt: u32,
    /// 0 for a call from outside, 1 for one that was sent on once, and so on.
    pub stage: u32,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a call on a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A person answered.
    Answered(Answer),
    /// The caller gave up.
    Abandoned,
    /// The plan turned the caller away.
    Rejected,
    /// Nobody had answered when the history ended.
    Waiting,
}

/// Who answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The agent.
    pub agent: AgentId,
    /// The agent's site.
    pub site: SiteId,
    /// How long they will talk.
    pub talk: Duration,
}

/// What happens at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Happening {
    /// Something of the scenario.
    Turn(Turn),
    Duty(AgentId, Duty),
    /// Who let a phone ring in vain sees that, and takes calls again.
    BackAtDesk(AgentId),
    /// The next call of a line from outside.
    Call(LineId),
    /// The recorded call of this number.
    Recorded(usize),
    /// A caller who gave up calls again.
    Again(u64),
    /// Patience is over, if the call is still at this stage.
    GiveUp(CallId, u32),
    PickUp(OfferId),
    TalkEnds(CallId),
}

/// How long it takes a person to see that a phone rang in vain (assumed).
const BACK_AFTER: Duration = Duration::from_secs(30);

/// The stream from which the callers of recorded calls are drawn: no line's.
const RECORDED: u64 = u64::MAX - 1;

pub(super) struct Drive<'a> {
    pub(super) history: &'a History<'a>,
    see: &'a mut dyn FnMut(&Stage),
    acd: Acd,
    began: Instant,
    pub(super) now: Duration,
    sequence: u64,
    happenings: BinaryHeap<Reverse<(Duration, u64, Happening)>>,
    arrivals: Vec<Option<Arrivals>>,
    /// By line: calls from outside so far.
    counts: Vec<u64>,
    journeys: Journeys,
    /// Callers who will call again.
    again: VecDeque<Option<Journey>>,
    again_first: u64,
    /// By site and flow: the line.
    line_of: Vec<Vec<Option<LineId>>>,
    pub(super) at_work: Vec<Duty>,
    /// By site: outages under way.
    pub(super) outages: Vec<u32>,
    /// By line: what its callers are drawn from.
    streams: Vec<u64>,
    statistics: Statistics,
    occupancy: Occupancy,
}

impl<'a> Drive<'a> {
    pub(super) fn new(history: &'a History<'a>, see: &'a mut dyn FnMut(&Stage)) -> Self {
        let directory = &history.directory;
        let began = epoch();
        let flows = history.planning.flows.len();
        let mut line_of = vec![vec![None; flows]; directory.sites().len()];
        for (&line, load) in history.planning.lines.iter().rev() {
            let site = directory.line_profile(line).site;
            line_of[site.index()][load.flow] = Some(line);
        }
        let mut drive = Self {
            acd: Acd::new(began, directory.clone(), history.settings),
            history,
            see,
            began,
            now: Duration::ZERO,
            sequence: 0,
            happenings: BinaryHeap::new(),
            arrivals: directory.lines().map(|_| None).collect(),
            counts: vec![0; directory.lines().len()],
            journeys: Journeys::default(),
            again: VecDeque::new(),
            again_first: 0,
            line_of,
            at_work: vec![Duty::Ends; directory.agents().len()],
            outages: vec![0; directory.sites().len()],
            streams: Vec::new(),
            statistics: Statistics::new(directory),
            occupancy: Occupancy::new(directory, history.warm_up),
        };
        drive.prepare();
        drive
    }

    fn prepare(&mut self) {
        let history = self.history;
        // Who is in the directory from the start is not on duty before the roster says so.
        for agent in history.directory.agents() {
            self.feed(Input::AgentWants {
                agent,
                want: Want::LoggedOut,
            });
        }
        for (at, agent, duty) in duties(history) {
            self.at(at, Happening::Duty(agent, duty));
        }
        self.prepare_scenario();
        let lines = history.directory.lines();
        self.streams = lines.map(|line| self.line_stream(line)).collect();
        if let Some(recorded) = history.recorded {
            if let Some(first) = recorded.calls.first() {
                self.at(first.came, Happening::Recorded(0));
            }
            return;
        }
        for (&line, load) in &history.planning.lines {
            let site = history.directory.line_profile(line).site;
            let demand = demand_at(history.scenario, site);
            let stream = self.streams[line.index()];
            let mut arrivals = Arrivals::new(history.seed, stream, load.calls_per_day, demand);
            if let Some(at) = arrivals.next(history.planning) {
                self.arrivals[line.index()] = Some(arrivals);
                self.at(at, Happening::Call(line));
            }
        }
    }

    pub(super) fn run(mut self) -> Statistics {
        loop {
            let next = self.happenings.peek().map(|Reverse((at, ..))| *at);
            let due = self.acd.poll_timeout().map(|at| at - self.began);
            let Some(at) = next.into_iter().chain(due).min() else {
                break;
            };
            if at >= self.history.length {
                break;
            }
            self.now = at;
            if due == Some(at) {
                self.acd.handle_timeout(self.began + at);
                self.drain();
            } else if let Some(Reverse((_, _, happening))) = self.happenings.pop() {
                self.happen(happening);
            }
        }
        self.now = self.history.length;
        let is_answered = |call: &CallId| {
            let view = self.acd.call(*call);
            view.is_none_or(|view| matches!(view.phase, CallPhase::Talking { .. }))
        };
        let waiting: Vec<_> = self
            .journeys
            .calls()
            .filter(|call| !is_answered(call))
            .collect();
        for call in waiting {
            self.note(call, Outcome::Waiting);
        }
        for agent in self.history.directory.agents() {
            let site = self.history.directory.agent_profile(agent).site;
            let state = self.acd.agent_state(agent).kind();
            self.occupancy.change(self.now, agent, site, state);
        }
        self.statistics.occupancy = self.occupancy.sites;
        self.statistics
    }

    pub(super) fn at(&mut self, at: Duration, happening: Happening) {
        self.sequence += 1;
        self.happenings
            .push(Reverse((at, self.sequence, happening)));
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Duty(agent, duty) => {
                self.at_work[agent.index()] = duty;
                let want = match duty {
                    Duty::Begins if self.can_work(agent) => Want::Ready,
                    Duty::Begins => return,
                    Duty::Ends => Want::LoggedOut,
                };
                self.feed(Input::AgentWants { agent, want });
            }
            Happening::BackAtDesk(agent) => {
                if self.at_work[agent.index()] == Duty::Begins && self.can_work(agent) {
                    let want = Want::Ready;
                    self.feed(Input::AgentWants { agent, want });
                }
            }
            Happening::Turn(turn) => self.take_turn(turn),
            Happening::Call(line) => self.call_comes(line),
            Happening::Recorded(number) => self.recorded_comes(number),
            Happening::Again(number) => self.calls_again(number),
            Happening::GiveUp(call, stage) => self.gives_up(call, stage),
            Happening::PickUp(offer) => self.feed(Input::OfferAnswered { offer }),
            Happening::TalkEnds(call) => self.talk_ends(call),
        }
    }

    fn call_comes(&mut self, line: LineId) {
        let number = self.counts[line.index()];
        self.counts[line.index()] += 1;
        let planning = self.history.planning;
        let next = self.arrivals[line.index()]
            .as_mut()
            .and_then(|arrivals| arrivals.next(planning));
        if let Some(at) = next {
            self.at(at, Happening::Call(line));
        }
        let key = (line.index() as u64) << 40 | number;
        let stream = self.streams[line.index()];
        let journey = Journey {
            caller: Caller::new(self.history.seed, stream, number),
            key: CallerKey::new(key),
            line,
            came: self.now,
            attempt: 0,
            stage: 0,
            talk: None,
        };
        self.arrive(journey, KnownPatience::Nothing);
    }

    fn recorded_comes(&mut self, number: usize) {
        let Some(recorded) = self.history.recorded else {
            return;
        };
        if let Some(next) = recorded.calls.get(number + 1) {
            self.at(next.came, Happening::Recorded(number + 1));
        }
        let call = recorded.calls[number];
        let unknown = CallerKey::new(u64::MAX - number as u64);
        let journey = Journey {
            caller: Caller::new(self.history.seed, RECORDED, number as u64),
            key: call.caller.unwrap_or(unknown),
            line: call.line,
            came: self.now,
            attempt: 0,
            stage: 0,
            talk: call.talk,
        };
        self.arrive(journey, call.patience);
    }

    fn arrive(&mut self, mut journey: Journey, known: KnownPatience) {
        let patience = &self.history.planning.patience;
        let patience = match known {
            KnownPatience::Nothing => journey.caller.patience(patience),
            KnownPatience::Exactly(patience) => Some(patience),
            KnownPatience::AtLeast(shown) => journey.caller.patience_beyond(patience, shown),
        };
        let (line, caller) = (journey.line, Some(journey.key));
        let call = self.journeys.add(journey);
        if let Some(patience) = patience {
            self.at(self.now + patience, Happening::GiveUp(call, 0));
        }
        self.feed(Input::CallArrived {
            call,
            line,
            priority: None,
            caller,
            arrival: None,
        });
    }

    fn gives_up(&mut self, call: CallId, stage: u32) {
        let is_there = self
            .journeys
            .get(call)
            .is_some_and(|one| one.stage == stage);
        let waits = self.acd.call(call).is_some_and(|view| {
            use CallPhase::{Offered, Waiting};
            matches!(
                view.phase,
                Waiting { held_by: None } | Offered { held_by: None, .. }
            )
        });
        if !is_there || !waits {
            return;
        }
        self.feed(Input::CallEnded { call });
        self.note(call, Outcome::Abandoned);
        let Some(mut journey) = self.journeys.remove(call) else {
            return;
        };
        // Whoever had spoken to somebody is called back by them. Who called again is on record.
        if stage == 0
            && self.history.recorded.is_none()
            && let Some(pause) = journey.caller.calls_again(self.history.planning)
        {
            journey.attempt += 1;
            let number = self.again_first + self.again.len() as u64;
            self.again.push_back(Some(journey));
            self.at(self.now + pause, Happening::Again(number));
        }
    }

    fn calls_again(&mut self, number: u64) {
        let at = usize::try_from(number - self.again_first).unwrap_or(usize::MAX);
        let journey = self.again.get_mut(at).and_then(Option::take);
        while self.again.front().is_some_and(Option::is_none) {
            self.again.pop_front();
            self.again_first += 1;
        }
        if let Some(mut journey) = journey {
            journey.came = self.now;
            self.arrive(journey, KnownPatience::Nothing);
        }
    }

    fn talk_ends(&mut self, call: CallId) {
        let history = self.history;
        let Some(journey) = self.journeys.get_mut(call) else {
            return;
        };
        let site = history.directory.line_profile(journey.line).site;
        let load = history.planning.lines.get(&journey.line);
        let flow = load.map(|load| &history.planning.flows[load.flow]);
        let onward = flow.and_then(|flow| {
            let falls = journey
                .caller
                .falls(flow.then.iter().map(|(_, share)| *share));
            let (next, _) = flow.then[falls?];
            self.line_of[site.index()][next]
        });
        let Some(to) = onward else {
            self.journeys.remove(call);
            return self.feed(Input::CallEnded { call });
        };
        journey.stage += 1;
        journey.line = to;
        journey.came = self.now;
        let stage = journey.stage;
        let patience = journey.caller.patience(&history.planning.patience);
        // Who is kept company does not give up: seen when the time has come.
        if let Some(patience) = patience {
            self.at(self.now + patience, Happening::GiveUp(call, stage));
        }
        self.feed(Input::CallMoved {
            call,
            to,
            priority: None,
        });
    }

    pub(super) fn feed(&mut self, input: Input) {
        self.acd.handle_input(self.began + self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.acd.poll_output() {
            match output {
                Output::Offer(offer) => {
                    let offered = offer.offer;
                    self.acd.handle_input(
                        self.began + self.now,
                        Input::OfferRinging { offer: offered },
                    );
                    let mean = self.history.planning.pickup;
                    let journey = self.journeys.get_mut(offer.call);
                    let pickup = journey.map(|journey| journey.caller.pickup(mean));
                    self.at(
                        self.now + pickup.unwrap_or_default(),
                        Happening::PickUp(offered),
                    );
                }
                // Nobody outside is modelled.
                Output::Divert { call, .. } => self
                    .acd
                    .handle_input(self.began + self.now, Input::DivertFailed { call }),
                Output::Reject { call } => {
                    self.note(call, Outcome::Rejected);
                    self.journeys.remove(call);
                }
                Output::Event(event) => self.hear(&event),
                _ => {}
            }
        }
    }

    fn hear(&mut self, event: &Event) {
        match *event {
            Event::Answered {
                call, agent, site, ..
            } => {
                let planning = self.history.planning;
                let Some(journey) = self.journeys.get_mut(call) else {
                    return;
                };
                let load = planning.lines.get(&journey.line);
                let talk = load.map(|load| planning.flows[load.flow].talk);
                let drawn = talk.map(|talk| journey.caller.takes(&talk));
                let talk = journey.talk.take().or(drawn).unwrap_or_default();
                self.note(call, Outcome::Answered(Answer { agent, site, talk }));
                self.at(self.now + talk, Happening::TalkEnds(call));
            }
            Event::AgentChanged {
                agent, site, to, ..
            } => {
                self.occupancy.change(self.now, agent, site, to);
                if to == AgentStateKind::NotReady {
                    self.at(self.now + BACK_AFTER, Happening::BackAtDesk(agent));
                }
            }
            _ => {}
        }
    }

    /// Counts a stage that has ended, and tells it.
    fn note(&mut self, call: CallId, outcome: Outcome) {
        let Some(journey) = self.journeys.get(call) else {
            return;
        };
        let stage = Stage {
            call,
            caller: journey.key,
            line: journey.line,
            came: journey.came,
            waited: self.now - journey.came,
            attempt: journey.attempt,
            stage: journey.stage,
            outcome,
        };
        if stage.came >= self.history.warm_up {
            let home = self.history.directory.line_profile(stage.line).site;
            self.statistics.add(&stage, home);
            (self.see)(&stage);
        }
    }
}
