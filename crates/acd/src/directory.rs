//! Sites, lines, agents and plans, resolved and checked once. Immutable.

mod build;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

pub use self::build::DirectoryError;
use crate::{
    ids::{AgentId, Level, LineId, PlanId, Priority, ProfileId, SiteId, SkillId, StepIndex},
    spec::{Age, Condition, Selection, StartState},
};

/// Steps that a plan may have.
pub const STEPS_MAX: usize = 16;

/// Everything that is configured for distribution.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    sites: Vec<Site>,
    lines: Vec<Line>,
    agents: Vec<Agent>,
    profiles: Vec<Profile>,
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
    /// The profiles of its agents.
    pub(crate) profiles: BTreeSet<ProfileId>,
}

/// A line.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Line {
    /// Its id.
    pub id: String,
    /// Its home site.
    pub site: SiteId,
    /// The least level of each skill.
    pub skills: BTreeMap<String, Level>,
    /// The priority of its calls.
    pub priority: Priority,
    /// Within how long its calls should be answered.
    pub service_level: Duration,
    /// Which of several agents is chosen.
    pub selection: Selection,
    /// How long an agent is rung.
    pub ring_time: Duration,
    /// How long an agent has after a call.
    pub wrap_up: Duration,
    /// Since when a call that is transferred to it counts as waiting.
    pub transferred: Age,
    /// Its overflow plan.
    pub plan: Option<PlanId>,
    pub(crate) home_advantage: Duration,
    pub(crate) steps: Vec<Step>,
    /// By profile: the sum of levels over the asked skills, where the profile qualifies.
    pub(crate) qualified: Vec<Option<u32>>,
}

/// An agent.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Agent {
    /// The id.
    pub id: String,
    /// The home site.
    pub site: SiteId,
    /// Skills with their levels.
    pub skills: BTreeMap<String, Level>,
    /// What the agent wants at the start.
    pub start: StartState,
    pub(crate) profile: ProfileId,
}

impl Site {
    /// A site without a region is in nobody's.
    fn is_in_region_of(&self, other: &Self) -> bool {
        !self.region.is_empty() && self.region == other.region
    }

    fn is_in_zone_of(&self, other: &Self) -> bool {
        !self.zone.is_empty() && self.zone == other.zone
    }
}

/// A set of skills.
type Profile = BTreeMap<SkillId, Level>;

/// A step of a line's plan, resolved for its home site.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) index: StepIndex,
    pub(crate) when: Vec<Condition>,
    pub(crate) reach: Vec<(Ring, SiteId)>,
}

/// A step of the plan of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanStep<'a> {
    /// It takes effect when any of these is met.
    pub when: &'a [Condition],
    /// From which sites agents may come then, the nearest first.
    pub sites: Vec<SiteId>,
}

/// How near a site is to a call's home site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ring {
    Home,
    Neighbour,
    Region,
    Zone,
    Nation,
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

    /// Whether an agent's skills meet what a line asks for.
    pub fn qualifies(&self, agent: AgentId, line: LineId) -> bool {
        let profile = self.agent_profile(agent).profile;
        self.line_profile(line).qualified[profile.index()].is_some()
    }

    /// The steps of a line's plan, in order.
    pub fn steps(&self, line: LineId) -> impl Iterator<Item = PlanStep<'_>> {
        let steps = self.line_profile(line).steps.iter();
        steps.map(|step| {
            let mut reach = step.reach.clone();
            reach.sort_by_key(|&(ring, _)| ring);
            PlanStep {
                when: &step.when,
                sites: reach.into_iter().map(|(_, site)| site).collect(),
            }
        })
    }

    /// The sites that a line's calls can ever reach: its own, and those of its plan's steps.
    pub fn sites_within_reach(&self, line: LineId) -> BTreeSet<SiteId> {
        let line = self.line_profile(line);
        let helpers = line
            .steps
            .iter()
            .flat_map(|step| &step.reach)
            .map(|&(_, site)| site);
        helpers.chain([line.site]).collect()
    }
}

fn find<T>(sorted: &[T], id_of: impl Fn(&T) -> &String, id: &str) -> Option<usize> {
    sorted
        .binary_search_by(|item| id_of(item).as_str().cmp(id))
        .ok()
}
