//! The books of a referee: what is known from the inputs and the facts alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use acd::{
    AgentId, AgentStateKind, CallId, CrisisChange, CrisisId, Directory, LineId, OfferId, Priority,
    Relax, Requirement, SiteId, SiteState, StartState, StepSpec,
};

use crate::country::Country;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Waiting,
    Offered,
    Talking,
}

#[derive(Clone, Debug)]
pub(crate) struct BookedCall {
    pub(crate) line: LineId,
    /// Before what steps raise it by.
    pub(crate) priority: Priority,
    pub(crate) arrival: Instant,
    /// Since when it is on its line.
    pub(crate) line_since: Instant,
    /// The plans that it has met, the one that counts now last.
    pub(crate) parts: Vec<Part>,
    pub(crate) phase: Phase,
    /// Who has it.
    pub(crate) with: Option<AgentId>,
    /// Whether who has it keeps it when those who are rung do not take it.
    pub(crate) stays: bool,
    /// Whether one agent is asked in person.
    pub(crate) in_person: bool,
    /// Who sent it on and is asked first if it comes back.
    pub(crate) came_from: Option<AgentId>,
    /// For whom it waits.
    pub(crate) awaited: Option<(AgentId, Instant)>,
}

/// A plan and the steps of it that are in effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) crisis: Option<CrisisId>,
    pub(crate) plan: String,
    pub(crate) steps: BTreeSet<usize>,
}

#[derive(Debug)]
pub(crate) struct BookedOffer {
    pub(crate) call: CallId,
    pub(crate) agent: AgentId,
    pub(crate) was_free: bool,
    /// Whether the agent has answered, and is about to have the caller.
    pub(crate) joining: bool,
}

#[derive(Debug)]
pub(crate) struct BookedAgent {
    pub(crate) state: AgentStateKind,
    pub(crate) wants_calls: bool,
    entered: Instant,
    pub(crate) idle_since: Instant,
    pub(crate) logged_in: Instant,
    pub(crate) worked: Duration,
}

#[derive(Debug)]
pub(crate) struct Books {
    pub(crate) country: Country,
    pub(crate) directory: Arc<Directory>,
    pub(crate) calls: BTreeMap<CallId, BookedCall>,
    pub(crate) agents: Vec<BookedAgent>,
    pub(crate) offers: BTreeMap<OfferId, BookedOffer>,
    pub(crate) asked_last: BTreeMap<LineId, AgentId>,
    /// The crisis plans that are on at each site, in the order in which they were switched on.
    pub(crate) crises: BTreeMap<SiteId, Vec<CrisisId>>,
    pub(crate) stated: BTreeMap<SiteId, SiteState>,
    /// The agent whose offer has just been withdrawn because of the caller: keeps the idle time.
    pub(crate) keeps_idle_time: Option<AgentId>,
}

impl Books {
    pub(crate) fn new(now: Instant, country: Country, directory: Arc<Directory>) -> Self {
        let book = |agent: AgentId| {
            let start = directory.agent_profile(agent).start;
            BookedAgent {
                state: match start {
                    StartState::Ready => AgentStateKind::Ready,
                    StartState::NotReady => AgentStateKind::NotReady,
                    StartState::LoggedOut => AgentStateKind::LoggedOut,
                },
                wants_calls: start == StartState::Ready,
                entered: now,
                idle_since: now,
                logged_in: now,
                worked: Duration::ZERO,
            }
        };
        Self {
            agents: directory.agents().map(book).collect(),
            country,
            directory,
            calls: BTreeMap::new(),
            offers: BTreeMap::new(),
            asked_last: BTreeMap::new(),
            crises: BTreeMap::new(),
            stated: BTreeMap::new(),
            keeps_idle_time: None,
        }
    }

    pub(crate) fn book(&mut self, call: CallId) -> &mut BookedCall {
        self.calls.get_mut(&call).expect("the call is known")
    }

    pub(crate) fn change(
        &mut self,
        now: Instant,
        id: AgentId,
        from: AgentStateKind,
        to: AgentStateKind,
    ) {
        use AgentStateKind::{LoggedOut, Offered, Ready, Talking, WrapUp};
        let keeps = self.keeps_idle_time.take_if(|one| *one == id).is_some();
        let agent = &mut self.agents[id.index()];
        assert_eq!(agent.state, from, "{id:?}");
        if matches!(from, Talking | WrapUp) {
            agent.worked += now - agent.entered;
        }
        if from == LoggedOut {
            agent.logged_in = now;
            agent.worked = Duration::ZERO;
        }
        agent.entered = now;
        if to == Ready && !keeps {
            agent.idle_since = now;
        }
        // An offer is judged when its call is named, with the agent still free.
        if to != Offered {
            agent.state = to;
        }
    }

    pub(crate) fn crisis_changed(&mut self, crisis: CrisisId, sites: &[SiteId], on: &CrisisChange) {
        for &site in sites {
            let here = self.crises.entry(site).or_default();
            match on {
                CrisisChange::On { .. } if here.contains(&crisis) => {}
                CrisisChange::On { .. } => here.push(crisis),
                CrisisChange::Off { .. } | CrisisChange::Expired => {
                    here.retain(|one| *one != crisis);
                }
            }
        }
        let waiting = self.calls.iter();
        let waiting = waiting.filter(|(_, call)| call.phase == Phase::Waiting);
        let waiting: Vec<_> = waiting.map(|(&id, _)| id).collect();
        waiting.into_iter().for_each(|id| self.follow_plans(id));
    }

    /// A call follows the plans that are on at its site; what took effect stays in effect as long as
    /// its plan is on.
    pub(crate) fn follow_plans(&mut self, id: CallId) {
        let parts = self.parts_now(self.calls[&id].line);
        let call = self.book(id);
        let kept = |part: Part| {
            let mut before = call.parts.iter();
            let same = before.find(|one| (one.crisis, &one.plan) == (part.crisis, &part.plan));
            same.cloned().unwrap_or(part)
        };
        call.parts = parts.into_iter().map(kept).collect();
    }

    /// The plans that a call meets that comes to a line now.
    pub(crate) fn parts_now(&self, line: LineId) -> Vec<Part> {
        let id = &self.directory.line_profile(line).id;
        let spec = self.country.lines.iter().find(|one| one.id == *id).unwrap();
        let part = |crisis, plan: &String| Part {
            crisis,
            plan: plan.clone(),
            steps: BTreeSet::new(),
        };
        let base = spec.overflow.iter().map(|plan| part(None, plan));
        let crises = self.crises.get(&self.home(line)).into_iter().flatten();
        let crises = crises.filter_map(|&crisis| {
            let plan = self.crisis_spec(crisis).overflow.as_ref()?;
            Some(part(Some(crisis), plan))
        });
        base.chain(crises).collect()
    }

    fn crisis_spec(&self, crisis: CrisisId) -> &acd::CrisisSpec {
        let name = &self.directory.crisis_profile(crisis).name;
        let mut crises = self.country.crises.iter();
        crises.find(|one| one.name == *name).unwrap()
    }

    pub(crate) fn reserve(&self, site: SiteId) -> usize {
        let crises = self.crises.get(&site).into_iter().flatten().rev();
        let in_crisis = crises
            .filter_map(|&crisis| self.crisis_spec(crisis).reserve)
            .next();
        match in_crisis {
            Some(reserve) => usize::try_from(reserve).unwrap(),
            None => self.directory.site_profile(site).reserve,
        }
    }

    pub(crate) fn home(&self, line: LineId) -> SiteId {
        self.directory.line_profile(line).site
    }

    pub(crate) fn is_free(&self, agent: AgentId) -> bool {
        self.agents[agent.index()].state == AgentStateKind::Ready
    }

    pub(crate) fn waiting(&self, line: LineId) -> Vec<CallId> {
        let waits =
            |(_, call): &(&CallId, &BookedCall)| call.line == line && call.phase == Phase::Waiting;
        self.calls.iter().filter(waits).map(|(id, _)| *id).collect()
    }

    pub(crate) fn place(&self, call: CallId) -> usize {
        let waiting = self.waiting(self.calls[&call].line);
        let before = |other: &&CallId| self.order(**other) < self.order(call);
        waiting.iter().filter(before).count() + 1
    }

    /// The steps in effect for a call.
    pub(crate) fn steps<'a>(&'a self, call: &'a BookedCall) -> impl Iterator<Item = &'a StepSpec> {
        call.parts.iter().flat_map(|part| {
            let plan = self.country.plan(&part.plan);
            part.steps.iter().map(|&step| &plan.steps[step])
        })
    }

    /// What a call asks of an agent now.
    pub(crate) fn asked(&self, call: &BookedCall) -> Requirement {
        self.asked_after(call.line, self.steps(call))
    }

    /// What a line's calls ask of an agent with some steps in effect.
    pub(crate) fn asked_after<'a>(
        &self,
        line: LineId,
        steps: impl Iterator<Item = &'a StepSpec>,
    ) -> Requirement {
        let mut all = Relax::default();
        for relax in steps.filter_map(|step| step.relax.as_ref()) {
            all.by += relax.by;
            for (skill, level) in &relax.to {
                let least = all.to.entry(skill.clone()).or_insert(*level);
                *least = (*least).min(*level);
            }
        }
        let asked = &self.directory.line_profile(line).requirement;
        asked.relaxed(&all)
    }
}
