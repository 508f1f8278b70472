//! Directories for tests, with the written plans kept beside: a referee reads those.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use acd::{
    AgentSpec, Directory, Level, LineSpec, PlanSpec, Priority, Selection, SiteSpec, StartState,
    StepSpec,
};

pub(crate) fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

pub(crate) fn skills(levels: &[(&str, u8)]) -> BTreeMap<String, Level> {
    let level = |&(name, level): &(&str, u8)| (name.to_owned(), Level::new(level).unwrap());
    levels.iter().map(level).collect()
}

pub(crate) fn site(id: &str) -> SiteSpec {
    SiteSpec {
        id: id.to_owned(),
        name: id.to_owned(),
        region: format!("region of {id}"),
        zone: format!("zone of {id}"),
        neighbours: Vec::new(),
        reserve: 0,
    }
}

pub(crate) fn line(id: &str, site: &str) -> LineSpec {
    LineSpec {
        id: id.to_owned(),
        site: site.to_owned(),
        skills: skills(&[("amu", 1)]),
        priority: Priority::new(2).unwrap(),
        service_level: seconds(30),
        selection: Selection::LongestIdle,
        ring_time: seconds(15),
        wrap_up: seconds(5),
        transferred: acd::Age::New,
        overflow: None,
    }
}

pub(crate) fn agent(id: &str, site: &str) -> AgentSpec {
    AgentSpec {
        id: id.to_owned(),
        site: site.to_owned(),
        skills: skills(&[("amu", 5)]),
        start: StartState::Ready,
    }
}

/// What a directory is built from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Country {
    pub(crate) sites: Vec<SiteSpec>,
    pub(crate) lines: Vec<LineSpec>,
    pub(crate) agents: Vec<AgentSpec>,
    pub(crate) plans: Vec<PlanSpec>,
}

impl Country {
    /// One site `A` with one line `A-15` and these agents.
    pub(crate) fn one_site(agents: &[&str]) -> Self {
        Self {
            sites: vec![site("A")],
            lines: vec![line("A-15", "A")],
            agents: agents.iter().map(|id| agent(id, "A")).collect(),
            plans: vec![],
        }
    }

    /// Sites `A` and `B`, neighbours, each with a line; the lines share a plan of these steps.
    pub(crate) fn two_sites(home_advantage: Duration, steps: Vec<StepSpec>) -> Self {
        let plan = PlanSpec {
            name: "aid".to_owned(),
            home_advantage,
            steps,
        };
        let mut country = Self {
            sites: vec![site("A"), site("B")],
            lines: vec![line("A-15", "A"), line("B-15", "B")],
            agents: vec![],
            plans: vec![plan],
        };
        country.sites[0].neighbours = vec!["B".to_owned()];
        country.sites[1].neighbours = vec!["A".to_owned()];
        for line in &mut country.lines {
            line.overflow = Some("aid".to_owned());
        }
        country
    }

    pub(crate) fn with_agents(mut self, site: &str, ids: &[&str]) -> Self {
        self.agents.extend(ids.iter().map(|id| agent(id, site)));
        self
    }

    pub(crate) fn directory(&self) -> Arc<Directory> {
        let Self {
            sites,
            lines,
            agents,
            plans,
        } = self.clone();
        Arc::new(Directory::build(sites, lines, agents, plans).unwrap())
    }

    /// The plan of a line, by the line's id.
    pub(crate) fn plan_of(&self, line: &str) -> Option<&PlanSpec> {
        let line = self.lines.iter().find(|one| one.id == line)?;
        let name = line.overflow.as_ref()?;
        self.plans.iter().find(|plan| plan.name == *name)
    }
}
