//! Sites, lines, agents and plans, resolved and checked once. Immutable.

mod build;
mod check;
mod plan;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

pub(crate) use self::plan::{Plan, Ring, Step};
pub use self::{
    check::DirectoryError,
    plan::{Crisis, PlanStep},
};
use crate::{
    ids::{
        AgentId, CrisisId, Disposition, Level, LineId, PauseReason, PlanId, Priority, ProfileId,
        SiteId, SkillId, StepRef,
    },
    requirement::{Requirement, Test},
    spec::{Age, HandOver, Selection, StartState, TransferredPriority},
};

/// Steps that a plan may have.
pub const STEPS_MAX: usize = 16;

/// Agents that may ring for one call.
pub const PARALLEL_MAX: u8 = 10;

/// Everything that is configured for distribution.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    sites: Vec<Site>,
    lines: Vec<Line>,
    agents: Vec<Agent>,
    pub(crate) profiles: Vec<Profile>,
    skills: BTreeMap<String, SkillId>,
    pub(crate) plans: Vec<Plan>,
    crises: Vec<Crisis>,
    /// In the order in which they are numbered.
    pause_reasons: Vec<PauseReason>,
    dispositions: Vec<Disposition>,
    version: String,
}

/// A site.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Site {
    /// Its id.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// Its region.
    pub region: String,
    /// Its zone.
    pub zone: String,
    /// Its neighbours.
    pub neighbours: Vec<SiteId>,
    /// Ready agents that it keeps for its own callers when it helps.
    pub reserve: usize,
    /// Its lines.
    pub lines: Vec<LineId>,
    /// Agents whose home or second site it is.
    pub agents: usize,
}

/// A line.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Line {
    /// Its id.
    pub id: String,
    /// Its home site.
    pub site: SiteId,
    /// What an agent must be able to do.
    pub requirement: Requirement,
    /// The priority of its calls.
    pub priority: Priority,
    /// Within how long its calls should be answered.
    pub service_level: Duration,
    /// Which of several agents is chosen.
    pub selection: Selection,
    /// How many agents ring for one call.
    pub parallel: usize,
    /// How long an agent is rung.
    pub ring_time: Duration,
    /// How long an agent has after a call.
    pub wrap_up: Duration,
    /// How long a caller waits for the agent who had the same caller last; zero: not at all.
    pub preferred: Duration,
    /// Within how long a caller who calls again has the first call's place; zero: never.
    pub resume_within: Duration,
    /// Since when a call that is transferred to it counts as waiting.
    pub transferred: Age,
    /// Which priority a call that is transferred to it has.
    pub transferred_priority: TransferredPriority,
    /// Whether an agent who transfers a call to it stays until somebody has answered.
    pub hand_over: HandOver,
    /// Its overflow plan.
    pub plan: Option<PlanId>,
    /// The line that takes its new calls while the crisis flow of its site is open.
    pub crisis_line: Option<LineId>,
}

/// An agent.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Agent {
    /// The id.
    pub id: String,
    /// The home site.
    pub site: SiteId,
    /// A second site whose calls are the agent's own as well.
    pub second_site: Option<SiteId>,
    /// Skills with their levels.
    pub skills: BTreeMap<String, Level>,
    /// What the agent wants at the start.
    pub start: StartState,
    pub(crate) profile: ProfileId,
}

/// A set of skills.
pub(crate) type Profile = BTreeMap<SkillId, Level>;

impl Site {
    /// A site without a region is in nobody's.
    fn is_in_region_of(&self, other: &Self) -> bool {
        !self.region.is_empty() && self.region == other.region
    }

    fn is_in_zone_of(&self, other: &Self) -> bool {
        !self.zone.is_empty() && self.zone == other.zone
    }
}

impl Agent {
    /// The home site and, if there is one, the second.
    pub fn sites(&self) -> impl Iterator<Item = SiteId> + use<> {
        [Some(self.site), self.second_site].into_iter().flatten()
    }
}

impl Directory {
    /// The site of this id.
    pub fn site(&self, id: &str) -> Option<SiteId> {
        find(&self.sites, |site| &site.id, id).map(SiteId::new)
    }

    /// The line of this id.
    pub fn line(&self, id: &str) -> Option<LineId> {
        find(&self.lines, |line| &line.id, id).map(LineId::new)
    }

    /// The agent of this id.
    pub fn agent(&self, id: &str) -> Option<AgentId> {
        find(&self.agents, |agent| &agent.id, id).map(AgentId::new)
    }

    /// The crisis plan of this name.
    pub fn crisis(&self, name: &str) -> Option<CrisisId> {
        find(&self.crises, |crisis| &crisis.name, name).map(CrisisId::new)
    }

    /// The overflow plan of this name.
    pub fn plan(&self, name: &str) -> Option<PlanId> {
        find(&self.plans, |plan| &plan.name, name).map(PlanId::new)
    }

    /// All sites in the order of their ids.
    pub fn sites(&self) -> impl ExactSizeIterator<Item = SiteId> + use<> {
        (0..self.sites.len()).map(SiteId::new)
    }

    /// All lines in the order of their ids.
    pub fn lines(&self) -> impl ExactSizeIterator<Item = LineId> + use<> {
        (0..self.lines.len()).map(LineId::new)
    }

    /// All agents in the order of their ids.
    pub fn agents(&self) -> impl ExactSizeIterator<Item = AgentId> + use<> {
        (0..self.agents.len()).map(AgentId::new)
    }

    /// All crisis plans in the order of their names.
    pub fn crises(&self) -> impl ExactSizeIterator<Item = CrisisId> + use<> {
        (0..self.crises.len()).map(CrisisId::new)
    }

    /// What is known of a site.
    pub fn site_profile(&self, site: SiteId) -> &Site {
        &self.sites[site.index()]
    }

    /// What is known of a line.
    pub fn line_profile(&self, line: LineId) -> &Line {
        &self.lines[line.index()]
    }

    /// What is known of an agent.
    pub fn agent_profile(&self, agent: AgentId) -> &Agent {
        &self.agents[agent.index()]
    }

    /// What is known of a crisis plan.
    pub fn crisis_profile(&self, crisis: CrisisId) -> &Crisis {
        &self.crises[crisis.index()]
    }

    /// The name of an overflow plan.
    pub fn plan_name(&self, plan: PlanId) -> &str {
        &self.plans[plan.index()].name
    }

    /// Which rules these are.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The reasons for a pause that may be given, in their order; any word where there are none.
    pub fn pause_reasons(&self) -> impl Iterator<Item = &PauseReason> {
        self.pause_reasons.iter()
    }

    /// Whether a person may give this reason for a pause.
    pub fn takes_reason(&self, reason: &PauseReason) -> bool {
        self.pause_reasons.is_empty() || self.pause_reasons.contains(reason)
    }

    /// The codes that a call may be closed with; any word where there are none.
    pub fn dispositions(&self) -> impl Iterator<Item = &Disposition> {
        self.dispositions.iter()
    }

    /// Whether a call may be closed with this code.
    pub fn takes_disposition(&self, code: &Disposition) -> bool {
        self.dispositions.is_empty() || self.dispositions.contains(code)
    }

    /// A step of a plan.
    pub(crate) fn step(&self, step: StepRef) -> &Step {
        &self.plans[step.plan.index()].steps[usize::from(step.step.value())]
    }

    /// A requirement, ready to be held against the profiles of agents.
    pub(crate) fn test(&self, requirement: &Requirement) -> Test {
        Test::new(requirement, &|name| self.skills.get(name).copied())
    }

    /// The steps of a line's plan, in order.
    pub fn steps(&self, line: LineId) -> Vec<PlanStep<'_>> {
        let line = self.line_profile(line);
        line.plan
            .map(|plan| self.steps_of(plan, line.site))
            .unwrap_or_default()
    }

    /// The steps of a plan, for calls of a site, in order.
    pub fn steps_of(&self, plan: PlanId, site: SiteId) -> Vec<PlanStep<'_>> {
        let plan = &self.plans[plan.index()];
        plan.steps.iter().map(|step| step.met_at(site)).collect()
    }

    /// The same with every line left to its own site: what would be without mutual aid.
    #[must_use]
    pub fn without_plans(&self) -> Self {
        let mut alone = self.clone();
        for line in &mut alone.lines {
            line.plan = None;
        }
        alone
    }

    /// What a line asks for when all steps of its plan are in effect.
    pub fn least_asked(&self, line: LineId) -> Requirement {
        let asked = self.line_profile(line).requirement.clone();
        let relaxes = self.steps(line).into_iter().filter_map(|step| step.relax);
        relaxes.fold(asked, |asked, relax| asked.relaxed(relax))
    }

    /// The agents of whom a site is the home or the second site, and who meet a requirement.
    pub fn agents_of(
        &self,
        site: SiteId,
        requirement: &Requirement,
    ) -> impl Iterator<Item = AgentId> {
        self.agents().filter(move |&agent| {
            let profile = self.agent_profile(agent);
            profile.sites().any(|one| one == site) && requirement.is_met_by(&profile.skills)
        })
    }

    /// The sites that a line's calls can reach by its plan: its own, and those of the steps.
    pub fn sites_within_reach(&self, line: LineId) -> BTreeSet<SiteId> {
        let steps = self.steps(line);
        let helpers = steps.iter().flat_map(|step| step.sites.iter().copied());
        helpers.chain([self.line_profile(line).site]).collect()
    }
}

fn find<T>(sorted: &[T], id_of: impl Fn(&T) -> &String, id: &str) -> Option<usize> {
    sorted
        .binary_search_by(|item| id_of(item).as_str().cmp(id))
        .ok()
}
