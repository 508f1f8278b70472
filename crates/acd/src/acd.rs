//! The distributor: calls, agents, deadlines, and the order in which things are looked at.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    abandoned::AbandonedList,
    agent::{AgentState, AgentStateKind, Want},
    call::{Call, Coming},
    callers::Callers,
    classes::{ClassId, Classes},
    crisis::{CrisisOrderId, CrisisOrders, SiteNow},
    deadlines::Deadlines,
    directory::Directory,
    event::{Event, Ignored},
    ids::{AgentId, CallId, LineId, OfferId, PauseReason, SiteId},
    input::Input,
    offers::LiveOffer,
    order::{OrderKey, RankedSet},
    output::Output,
    pace::Pace,
    parallel::Thin,
    settings::Settings,
    spec::StartState,
    staff::Staff,
    table::Table,
    touched::Notes,
};

/// The distributor of a node. See the [crate] for how it is driven.
#[derive(Debug)]
pub struct Acd {
    pub(crate) directory: Arc<Directory>,
    pub(crate) settings: Settings,
    pub(crate) calls: Table<CallId, Call>,
    pub(crate) agents: Vec<Agent>,
    pub(crate) offers: Table<OfferId, LiveOffer>,
    pub(crate) staff: Staff,
    pub(crate) classes: Classes,
    pub(crate) queues: Vec<Queue>,
    pub(crate) sites: Vec<SiteNow>,
    /// Calls that wait for one agent, by that agent.
    pub(crate) personal: BTreeMap<AgentId, BTreeSet<OrderKey>>,
    /// Calls that ring fewer agents than their lines want.
    pub(crate) thin: Thin,
    pub(crate) crises: CrisisOrders,
    pub(crate) callers: Callers,
    pub(crate) abandoned: AbandonedList,
    /// Agents of each home site by kind of state.
    pub(crate) counts: Vec<[usize; AgentStateKind::ALL.len()]>,
    pub(crate) deadlines: Deadlines,
    /// Classes whose calls have to be looked at, and how far that has come.
    pub(crate) reviews: BTreeMap<ClassId, Option<OrderKey>>,
    /// Calls that wait for one agent and have to be looked at.
    pub(crate) awaiting_reviews: BTreeSet<CallId>,
    /// Since when there are more of them than one turn looks at.
    review_at: Option<Instant>,
    /// What changed and has not been matched.
    pub(crate) changed: VecDeque<Changed>,
    pub(crate) outputs: VecDeque<Output>,
    pub(crate) next_offer: u64,
    /// Whether what is decided does not leave at once.
    pub(crate) is_held_back: bool,
    /// Offers below this number have left since.
    pub(crate) asked_before: u64,
    pub(crate) notes: Option<Notes>,
}

/// A line's waiting calls.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    pub(crate) order: RankedSet<OrderKey>,
    pub(crate) arrivals: RankedSet<(Instant, CallId)>,
    /// The class of calls that come now.
    pub(crate) entry: Option<ClassId>,
    /// When its calls have to be looked at next because of one another's waits.
    pub(crate) review_at: Option<Instant>,
    pub(crate) pace: Pace,
    /// Whom [`crate::Selection::RoundRobin`] asked last.
    pub(crate) asked_last: Option<AgentId>,
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
    /// Calls in a row that rang in vain.
    pub(crate) unanswered: u32,
    /// Calls in a row that were declined.
    pub(crate) declined: u32,
    /// The call that is there, or was there last.
    pub(crate) last_call: Option<CallId>,
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
    /// A call no longer waits for one agent alone.
    Awaited(CallId),
    /// A line's calls have waited so long that others of them are concerned.
    Line(LineId),
    /// The end of a crisis plan.
    Crisis(CrisisOrderId),
}

/// Something whose change may make a match possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Changed {
    /// A call came to wait, or reaches further.
    Call(CallId),
    /// An agent for whom calls wait became free.
    Agent(AgentId),
    /// Fewer agents ring for a call than did.
    Ringing(CallId),
    /// An agent of the site became free, or the site keeps fewer for itself.
    Site(SiteId),
}

/// Deadlines and reviews that one turn takes on: the thread that drives us has others to serve.
const TURN_MAX: usize = 256;

impl Agent {
    /// On duty: wants to take calls, and can, now or after the present one.
    pub(crate) fn is_on_duty(&self) -> bool {
        use AgentStateKind::{Offered, Ready, Talking, WrapUp};
        self.want == Want::Ready && matches!(self.state.kind(), Ready | Offered | Talking | WrapUp)
    }
}

impl Acd {
    /// A distributor without calls; agents are as the directory says they start.
    pub fn new(now: Instant, directory: Arc<Directory>, settings: Settings) -> Self {
        let sites = directory.sites().len();
        let mut acd = Self {
            settings: settings.within_reason(),
            calls: Table::default(),
            agents: Vec::new(),
            offers: Table::default(),
            staff: Staff::new(&directory),
            classes: Classes::new(&directory),
            queues: directory.lines().map(|_| Queue::default()).collect(),
            sites: directory.sites().map(|_| SiteNow::default()).collect(),
            personal: BTreeMap::new(),
            thin: Thin::default(),
            crises: CrisisOrders::default(),
            callers: Callers::default(),
            abandoned: AbandonedList::default(),
            counts: vec![[0; AgentStateKind::ALL.len()]; sites],
            deadlines: Deadlines::default(),
            reviews: BTreeMap::new(),
            awaiting_reviews: BTreeSet::new(),
            review_at: None,
            changed: VecDeque::new(),
            outputs: VecDeque::new(),
            next_offer: 1,
            is_held_back: false,
            asked_before: 0,
            notes: None,
            directory,
        };
        for agent in acd.directory.clone().agents() {
            acd.add_agent(now, agent);
        }
        for line in acd.directory.lines() {
            acd.entry_class(line);
        }
        for site in acd.directory.sites() {
            acd.note_site_state(site);
        }
        // How agents start is configuration, not news.
        acd.outputs.clear();
        acd.changed.clear();
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
            unanswered: 0,
            declined: 0,
            last_call: None,
        });
        self.set_want(now, id, want);
        self.settle(now, id);
    }

    /// Takes one input. Never fails: what is about something unknown is told as
    /// [`Event::Ignored`].
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        match input {
            Input::CallArrived {
                call,
                line,
                priority,
                caller,
                arrival,
            } => self.arrive(
                now,
                call,
                line,
                Coming {
                    priority,
                    caller,
                    arrival,
                },
            ),
            Input::CallEnded { call } => self.end_call(now, call),
            Input::CallMoved { call, to, priority } => self.move_call(now, call, to, priority),
            Input::CallKept { call } => self.keep_call(now, call),
            Input::PrioritySet { call, priority } => self.set_priority(call, priority),
            Input::DivertAnswered { call } => self.divert_answered(now, call),
            Input::DivertFailed { call } => self.divert_failed(call),
            Input::OfferTo { call, agent } => self.offer_to(now, call, agent),
            Input::AgentReleased { call } => self.agent_released(now, call),
            Input::CallTakenOver { call, by_agent_of } => self.take_over(now, call, by_agent_of),
            Input::OfferRinging { offer } => self.offer_ringing(offer),
            Input::OfferJoining { offer } => self.offer_joining(now, offer),
            Input::OfferAnswered { offer } => self.offer_answered(now, offer),
            Input::OfferFailed { offer, reason } => self.offer_failed(now, offer, reason),
            Input::AgentWants { agent, want } => self.agent_wants_now(now, agent, want),
            Input::AgentReachable { agent } => self.agent_reachable(now, agent),
            Input::WrapUpExtended { agent, by } => self.extend_wrap_up(now, agent, by),
            Input::Disposed { agent, code } => self.dispose(agent, code),
            Input::AbandonedHandled { entry, state } => self.abandoned_handled(entry, state),
            Input::SiteStateSet { site, state } => self.set_site_state(site, state),
            Input::CrisisOn(order) => self.crisis_on(now, order),
            Input::CrisisOff {
                crisis,
                sites,
                author,
            } => self.crisis_off(now, crisis, &sites, author),
        }
        self.settle_all(now);
    }

    /// Does what is due; if that is much, a part of it, and [`Acd::poll_timeout`] is due at once.
    pub fn handle_timeout(&mut self, now: Instant) {
        for _ in 0..TURN_MAX {
            let due = self.deadlines.first();
            let Some((at, deadline)) = due.filter(|(at, _)| *at <= now) else {
                break;
            };
            self.deadlines.remove((at, deadline));
            match deadline {
                Deadline::Step(call) => self.step_due(now, call),
                Deadline::Offer(offer) => self.offer_due(now, offer),
                Deadline::Agent(agent) => self.agent_due(now, agent),
                Deadline::Awaited(call) => self.stop_awaiting(now, call),
                Deadline::Line(line) => self.line_due(now, line),
                Deadline::Crisis(order) => self.crisis_due(now, order),
            }
            self.settle_all(now);
        }
        self.forget_abandoned(now);
        self.settle_all(now);
    }

    /// The next thing to do or to know.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Acd::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let due = self.deadlines.first().map(|(at, _)| at);
        let due = due.into_iter().chain(self.abandoned_due());
        self.review_at.into_iter().chain(due).min()
    }

    /// Looks at the calls whose circumstances changed, and matches.
    pub(crate) fn settle_all(&mut self, now: Instant) {
        for _ in 0..TURN_MAX {
            let Some(call) = self.next_review() else {
                break;
            };
            self.follow_plan(now, call);
        }
        let is_done = self.reviews.is_empty() && self.awaiting_reviews.is_empty();
        self.review_at = (!is_done).then_some(now);
        self.match_all(now);
    }

    pub(crate) fn emit(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    pub(crate) fn ignore(&mut self, what: Ignored) {
        self.emit(Event::Ignored { what });
    }
}

/// Why an agent who starts not ready is so.
fn start_reason() -> PauseReason {
    PauseReason::new("start").expect("it is a word")
}
