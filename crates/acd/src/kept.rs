//! What of calls and agents outlives a process, and how a distributor begins with it.

use std::time::{Duration, Instant};

use crate::{
    abandoned::Abandoned,
    acd::{Acd, Deadline},
    agent::{AgentState, Want},
    call::{Call, Diverting, Otherwise, Seeking, Told, With},
    callers::KeptCaller,
    course::{Course, KeptCrisisPart, KeptPart},
    crisis::ActiveCrisis,
    ids::{
        AbandonedId, AgentId, CallId, CallerKey, CrisisId, LineId, OfferId, PlanId, Priority,
        SiteId, StepIndex, StepRef,
    },
    offers::LiveOffer,
    spec::SiteState,
};

/// What a distributor begins with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptState {
    /// The agents of whom anything is known.
    pub agents: Vec<(AgentId, KeptAgent)>,
    /// The calls.
    pub calls: Vec<(CallId, KeptCall)>,
    /// Calls that waited, and are given up: those who called are to be called back.
    pub given_up: Vec<(CallId, KeptCall)>,
    /// How sites work, where somebody said so.
    pub stated: Vec<(SiteId, SiteState)>,
    /// The orders of crisis plans, in the order in which they were given.
    pub crises: Vec<ActiveCrisis>,
    /// The crisis plans that are on at sites, the one that counts most last ([`Acd::crises_at`]).
    pub crises_at: Vec<(SiteId, Vec<CrisisId>)>,
    /// Callers who gave up.
    pub abandoned: Vec<(AbandonedId, Abandoned)>,
    /// Callers who are remembered, each heard of later than the one before.
    pub callers: Vec<(CallerKey, KeptCaller)>,
    /// Numbers of offers begin here, so that none is used again that another process has used.
    pub offers_from: u64,
}

/// An agent, as it is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAgent {
    /// What the person wants.
    pub want: Want,
    /// What the system does with the agent; `None` for one who is in a call or is being rung: the call
    /// says so.
    pub state: Option<AgentState>,
    /// When the agent logged in.
    pub logged_in: Instant,
    /// Talk and wrap-up since then.
    pub busy: Duration,
    /// Calls in a row that rang in vain, and that were declined.
    pub refused: (u32, u32),
    /// The call that is there, or was there last.
    pub last_call: Option<CallId>,
}

/// A call, as it is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptCall {
    /// Its line.
    pub line: LineId,
    /// Its priority before what its steps raise it by.
    pub priority: Priority,
    /// When it arrived, as its place counts it.
    pub arrival: Instant,
    /// When it came to its line.
    pub line_since: Instant,
    /// Whether an agent of its line has answered it.
    pub was_answered: bool,
    /// Whose it is.
    pub caller: Option<CallerKey>,
    /// The agent who has it: since when, and on which line it was taken.
    pub with: Option<(AgentId, Instant, LineId)>,
    /// Who sent it on, and is asked first when it comes back.
    pub came_from: Option<AgentId>,
    /// The plan of its line, and the steps in effect.
    pub plan: Option<KeptPart>,
    /// The plans of crises, in the order in which they were met.
    pub crises: Vec<KeptCrisisPart>,
    /// Whom it seeks.
    pub seeking: KeptSeeking,
}

/// Whom a call seeks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeptSeeking {
    /// Nobody: it is with an agent.
    Nobody,
    /// Anybody, at its place.
    Place,
    /// These are being rung.
    Offered {
        /// The offers.
        offers: Vec<KeptOffer>,
        /// Whether the agent who has it keeps it if nobody takes it; else it goes back to its place.
        stays: bool,
    },
}

/// An agent who is being rung.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptOffer {
    /// The offer.
    pub offer: OfferId,
    /// The agent.
    pub agent: AgentId,
    /// The step that brought the agent within reach.
    pub step: Option<StepRef>,
    /// When it ends at the latest.
    pub ring_until: Instant,
}

impl Acd {
    /// What of an agent is to outlive this process.
    pub fn kept_agent(&self, agent: AgentId) -> KeptAgent {
        let agent = &self.agents[agent.index()];
        let is_calls = matches!(
            agent.state,
            AgentState::Offered { .. } | AgentState::Talking { .. }
        );
        KeptAgent {
            want: agent.want.clone(),
            state: (!is_calls).then(|| agent.state.clone()),
            logged_in: agent.logged_in,
            busy: agent.busy,
            refused: (agent.unanswered, agent.declined),
            last_call: agent.last_call,
        }
    }

    /// What of a call is to outlive this process; `None` when there is no such call.
    pub fn kept_call(&self, call: CallId) -> Option<KeptCall> {
        let call = self.calls.get(&call)?;
        let (plan, crises) = self.classes.get(call.class).course.keep();
        Some(KeptCall {
            line: call.line,
            priority: call.priority,
            arrival: call.key.arrival,
            line_since: call.line_since,
            was_answered: call.told == Told::Yes,
            caller: call.caller,
            with: call.with.map(|with| (with.agent, with.since, with.line)),
            came_from: call.came_from,
            plan,
            crises,
            seeking: match &call.seeking {
                Seeking::Nobody => KeptSeeking::Nobody,
                Seeking::Place => KeptSeeking::Place,
                Seeking::Offered { offers, otherwise } => {
                    let keep = |&id: &OfferId| Some(self.offers.get(&id)?.keep(id));
                    KeptSeeking::Offered {
                        offers: offers.iter().filter_map(keep).collect(),
                        stays: *otherwise == Otherwise::Stays,
                    }
                }
            },
        })
    }

    /// What of a caller is to outlive this process; `None` for one who is not remembered.
    pub fn kept_caller(&self, caller: CallerKey) -> Option<KeptCaller> {
        self.callers.keep(caller)
    }

    /// All callers who are remembered.
    pub fn callers(&self) -> Vec<CallerKey> {
        self.callers.keys()
    }

    /// How a site works, where somebody said so.
    pub fn stated(&self, site: SiteId) -> Option<SiteState> {
        self.sites[site.index()].stated()
    }

    /// Begins with the agents and calls of before, in a distributor that has no calls yet. What is told of
    /// is what happens from now on: offers to agents who are free.
    pub fn restore(&mut self, now: Instant, kept: KeptState) {
        debug_assert!(self.is_idle(), "it begins with what was before");
        for (site, state) in kept.stated {
            self.set_site_state(site, Some(state));
        }
        for order in kept.crises {
            self.restore_crisis(order);
        }
        for (site, crises) in kept.crises_at {
            self.restore_crises_at(now, site, crises);
        }
        for (id, kept) in kept.agents {
            self.restore_agent(now, id, kept);
        }
        for (id, entry) in kept.abandoned {
            self.abandoned.restore(id, entry);
        }
        for (caller, kept) in &kept.callers {
            self.callers.restore(*caller, kept);
        }
        self.next_offer = self.next_offer.max(kept.offers_from);
        for (id, kept) in kept.calls {
            self.restore_call(now, id, kept);
        }
        // How it was is no news.
        self.outputs.clear();
        for (id, call) in kept.given_up {
            let waited = now.saturating_duration_since(call.line_since);
            self.caller_gave_up(now, id, call.line, call.caller, call.arrival, waited);
        }
        for line in self.directory.clone().lines() {
            self.review_line(line);
            self.arm_line(now, line);
        }
        self.settle_all(now);
    }

    fn restore_agent(&mut self, now: Instant, id: AgentId, kept: KeptAgent) {
        self.set_want(now, id, kept.want);
        match kept.state {
            Some(state) => self.set_state(now, id, state),
            None => self.settle(now, id),
        }
        let agent = self.agent_mut(id);
        agent.logged_in = kept.logged_in;
        agent.busy = kept.busy;
        (agent.unanswered, agent.declined) = kept.refused;
        agent.last_call = kept.last_call;
    }

    fn restore_call(&mut self, now: Instant, id: CallId, kept: KeptCall) {
        let course = self.known_course(kept.plan, kept.crises);
        let class = self.class_of(kept.line, course);
        let with = kept
            .with
            .map(|(agent, since, line)| With { agent, since, line });
        let call = Call {
            line: kept.line,
            priority: kept.priority,
            key: self.key(class, kept.priority, kept.arrival, id),
            class,
            with,
            seeking: Seeking::Nobody,
            awaited: None,
            step_at: None,
            line_since: kept.line_since,
            told: if kept.was_answered {
                Told::Yes
            } else {
                Told::No
            },
            came_from: kept.came_from,
            caller: kept.caller,
            diverting: Diverting::No,
        };
        self.calls.insert(id, call);
        if let Some(With { agent, since, .. }) = with {
            self.set_state(now, agent, AgentState::Talking { call: id, since });
        }
        if let KeptSeeking::Offered { offers, stays } = &kept.seeking {
            for offer in offers {
                self.restore_offer(now, id, offer, *stays);
            }
        }
        let call = self.calls.get(&id);
        let is_lost =
            call.is_some_and(|call| call.seeking == Seeking::Nobody && call.with.is_none());
        let waits = kept.seeking == KeptSeeking::Place;
        if is_lost || waits {
            self.queue(now, id);
        }
        self.note_thin(id);
    }

    /// Steps that a plan does not have any more are not in effect.
    fn known_course(&self, plan: Option<KeptPart>, crises: Vec<KeptCrisisPart>) -> Course {
        let known = |plan: PlanId, steps: Vec<StepIndex>| {
            let count = self.directory.plans[plan.index()].steps.len();
            let is_known = |step: &StepIndex| usize::from(step.value()) < count;
            steps.into_iter().filter(is_known).collect()
        };
        let crises = crises.into_iter();
        Course::restore(
            plan.map(|(plan, steps)| (plan, known(plan, steps))),
            crises
                .map(|(crisis, plan, steps)| (crisis, plan, known(plan, steps)))
                .collect(),
        )
    }

    fn restore_offer(&mut self, now: Instant, id: CallId, kept: &KeptOffer, stays: bool) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        match &mut call.seeking {
            Seeking::Offered { offers, .. } => offers.push(kept.offer),
            seeking => {
                let otherwise = match stays {
                    true => Otherwise::Stays,
                    false => Otherwise::Place,
                };
                let offers = vec![kept.offer];
                *seeking = Seeking::Offered { offers, otherwise };
            }
        }
        let sign_of_life_by = now + self.settings.unreachable_after;
        let live = LiveOffer::restore(id, kept, sign_of_life_by);
        self.deadlines
            .insert((live.deadline(), Deadline::Offer(kept.offer)));
        self.offers.insert(kept.offer, live);
        self.next_offer = self.next_offer.max(kept.offer.value() + 1);
        let state = AgentState::Offered {
            offer: kept.offer,
            call: id,
            deadline: kept.ring_until,
        };
        self.set_state(now, kept.agent, state);
    }
}
