//! Directories for tests, with what they are built from kept beside: a referee reads that.

use std::{collections::BTreeMap, ops::Deref, ops::DerefMut, sync::Arc, time::Duration};

use acd::{
    AgentSpec, Condition, Directory, DirectorySpec, LastResort, Level, LineSpec, PlanSpec,
    Requirement, SiteSpec, StartState, StepSpec,
};

pub(crate) fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

pub(crate) fn skills(levels: &[(&str, u8)]) -> BTreeMap<String, Level> {
    let level = |&(name, level): &(&str, u8)| (name.to_owned(), Level::new(level).unwrap());
    levels.iter().map(level).collect()
}

/// All of these levels.
pub(crate) fn asks(levels: &[(&str, u8)]) -> Requirement {
    Requirement::all_of(skills(levels))
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
        requirement: asks(&[("amu", 1)]),
        ..LineSpec::new(id, site)
    }
}

pub(crate) fn agent(id: &str, site: &str) -> AgentSpec {
    AgentSpec {
        id: id.to_owned(),
        site: site.to_owned(),
        second_site: None,
        skills: skills(&[("amu", 5)]),
        start: StartState::Ready,
    }
}

/// What a directory is built from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Country(pub(crate) DirectorySpec);

impl Deref for Country {
    type Target = DirectorySpec;

    fn deref(&self) -> &DirectorySpec {
        &self.0
    }
}

impl DerefMut for Country {
    fn deref_mut(&mut self) -> &mut DirectorySpec {
        &mut self.0
    }
}

impl Country {
    /// One site `A` with one line `A-15` and these agents.
    pub(crate) fn one_site(agents: &[&str]) -> Self {
        Self(DirectorySpec {
            sites: vec![site("A")],
            lines: vec![line("A-15", "A")],
            agents: agents.iter().map(|id| agent(id, "A")).collect(),
            ..DirectorySpec::default()
        })
    }

    /// Sites `A` and `B`, neighbours, each with a line; the lines share a plan of these steps.
    pub(crate) fn two_sites(home_advantage: Duration, steps: Vec<StepSpec>) -> Self {
        let mut country = Self(DirectorySpec {
            sites: vec![site("A"), site("B")],
            lines: vec![line("A-15", "A"), line("B-15", "B")],
            plans: vec![plan("aid", home_advantage, steps)],
            ..DirectorySpec::default()
        });
        country.sites[0].neighbours = vec!["B".to_owned()];
        country.sites[1].neighbours = vec!["A".to_owned()];
        for line in &mut country.lines {
            line.overflow = Some("aid".to_owned());
        }
        country
    }

    /// The line of [`Country::one_site`] with a plan of these steps.
    pub(crate) fn with_plan(mut self, steps: Vec<StepSpec>) -> Self {
        self.plans.push(plan("plan", Duration::ZERO, steps));
        self.lines[0].overflow = Some("plan".to_owned());
        self
    }

    pub(crate) fn with_agents(mut self, site: &str, ids: &[&str]) -> Self {
        self.agents.extend(ids.iter().map(|id| agent(id, site)));
        self
    }

    pub(crate) fn directory(&self) -> Arc<Directory> {
        Arc::new(Directory::build(self.0.clone()).unwrap())
    }

    /// A plan by its name.
    pub(crate) fn plan(&self, name: &str) -> &PlanSpec {
        let mut plans = self.plans.iter();
        plans.find(|plan| plan.name == *name).unwrap()
    }
}

pub(crate) fn plan(name: &str, home_advantage: Duration, steps: Vec<StepSpec>) -> PlanSpec {
    PlanSpec {
        name: name.to_owned(),
        home_advantage,
        steps,
    }
}

/// A step that turns callers away.
pub(crate) fn rejects(when: Condition) -> StepSpec {
    StepSpec {
        when: vec![when],
        last_resort: Some(LastResort::Reject),
        ..StepSpec::default()
    }
}
