//! From what is written to what is decided by: names are resolved, and everything that is wrong is
//! told at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{Agent, Directory, Line, Profile, Ring, STEPS_MAX, Site, Step};
use crate::{
    ids::{Level, LineId, PlanId, ProfileId, SiteId, SkillId, StepIndex},
    spec::{AgentSpec, LineSpec, PlanSpec, Reach, SiteSpec},
};

/// What is wrong with a directory. Each error names the item.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DirectoryError {
    /// Two items of one kind have one id.
    #[error("{kind} `{id}` is defined twice")]
    Duplicate {
        /// `site`, `line`, `agent` or `overflow`.
        kind: &'static str,
        /// The id.
        id: String,
    },
    /// An item names a site that is not defined.
    #[error("{by}: site `{site}` is not defined")]
    UnknownSite {
        /// Who names it.
        by: String,
        /// The site.
        site: String,
    },
    /// A line names a plan that is not defined.
    #[error("{by}: overflow plan `{plan}` is not defined")]
    UnknownPlan {
        /// Who names it.
        by: String,
        /// The plan.
        plan: String,
    },
    /// A plan has more than [`STEPS_MAX`] steps.
    #[error("overflow `{plan}` has {steps} steps; 16 are the most")]
    TooManySteps {
        /// The plan.
        plan: String,
        /// Its steps.
        steps: usize,
    },
    /// More items of one kind than handles can number.
    #[error("too many items of kind {kind}")]
    TooMany {
        /// Which kind.
        kind: &'static str,
    },
}

/// Names to handles, while a directory is built.
struct Names {
    sites: BTreeMap<String, usize>,
    plans: BTreeMap<String, usize>,
    skills: BTreeMap<String, SkillId>,
}

impl Directory {
    /// Resolves all names.
    ///
    /// # Errors
    /// Everything that is wrong, not only the first thing.
    pub fn build(
        mut sites: Vec<SiteSpec>,
        mut lines: Vec<LineSpec>,
        mut agents: Vec<AgentSpec>,
        mut plans: Vec<PlanSpec>,
    ) -> Result<Self, Vec<DirectoryError>> {
        sites.sort_by(|a, b| a.id.cmp(&b.id));
        lines.sort_by(|a, b| a.id.cmp(&b.id));
        agents.sort_by(|a, b| a.id.cmp(&b.id));
        plans.sort_by(|a, b| a.name.cmp(&b.name));
        let errors = check(&sites, &lines, &agents, &plans);
        if !errors.is_empty() {
            return Err(errors);
        }
        let names = Names::new(&sites, &lines, &agents, &plans);
        let mut directory = Self::default();
        directory.add_sites(sites, &names);
        directory.add_agents(agents, &names);
        directory.add_lines(lines, &plans, &names);
        Ok(directory)
    }

    fn add_sites(&mut self, specs: Vec<SiteSpec>, names: &Names) {
        for spec in specs {
            let neighbours = spec.neighbours.iter().map(|id| names.site(id)).collect();
            self.sites.push(Site {
                id: spec.id,
                name: spec.name,
                region: spec.region,
                zone: spec.zone,
                neighbours,
                reserve: spec.reserve as usize,
                lines: Vec::new(),
                profiles: BTreeSet::new(),
            });
        }
    }

    fn add_agents(&mut self, specs: Vec<AgentSpec>, names: &Names) {
        let mut known: BTreeMap<Profile, ProfileId> = BTreeMap::new();
        for spec in specs {
            let profile = names.profile(&spec.skills);
            let next = ProfileId::new(known.len());
            let profile_id = *known.entry(profile.clone()).or_insert(next);
            if profile_id == next {
                self.profiles.push(profile);
            }
            let site = names.site(&spec.site);
            self.sites[site.index()].profiles.insert(profile_id);
            self.agents.push(Agent {
                id: spec.id,
                site,
                skills: spec.skills,
                start: spec.start,
                profile: profile_id,
            });
        }
    }

    fn add_lines(&mut self, specs: Vec<LineSpec>, plans: &[PlanSpec], names: &Names) {
        for spec in specs {
            let id = LineId::new(self.lines.len());
            let site = names.site(&spec.site);
            let plan = spec.overflow.as_ref().map(|name| names.plan(name));
            let plan_spec = plan.map(|plan| &plans[plan.index()]);
            let wanted = names.profile(&spec.skills);
            let qualified = self
                .profiles
                .iter()
                .map(|has| sum_if_qualified(has, &wanted))
                .collect();
            let steps = plan_spec
                .map(|plan| self.resolve(plan, site, names))
                .unwrap_or_default();
            self.sites[site.index()].lines.push(id);
            self.lines.push(Line {
                id: spec.id,
                site,
                skills: spec.skills,
                priority: spec.priority,
                service_level: spec.service_level,
                selection: spec.selection,
                ring_time: spec.ring_time,
                wrap_up: spec.wrap_up,
                transferred: spec.transferred,
                plan,
                home_advantage: plan_spec.map_or(Duration::ZERO, |plan| plan.home_advantage),
                steps,
                qualified,
            });
        }
    }

    fn resolve(&self, plan: &PlanSpec, home: SiteId, names: &Names) -> Vec<Step> {
        let step = |(index, step): (usize, &crate::spec::StepSpec)| Step {
            index: StepIndex::new(index),
            when: step.when.clone(),
            reach: self.reach(home, &step.widen, names),
        };
        plan.steps.iter().enumerate().map(step).collect()
    }

    /// The sites of some reaches, nearest first, without the home site.
    fn reach(&self, home: SiteId, widen: &[Reach], names: &Names) -> Vec<(Ring, SiteId)> {
        let mut nearest: BTreeMap<SiteId, Ring> = BTreeMap::new();
        for reach in widen {
            for site in self.sites().filter(|&site| site != home) {
                let there = self.site_profile(site);
                let ring = self.ring(home, site);
                let ring = match reach {
                    Reach::Neighbours if ring > Ring::Neighbour => continue,
                    Reach::Region if !self.site_profile(home).is_in_region_of(there) => continue,
                    Reach::Zone if !self.site_profile(home).is_in_zone_of(there) => continue,
                    Reach::Site(id) if names.site(id) != site => continue,
                    Reach::Site(_) => Ring::Neighbour,
                    _ => ring,
                };
                nearest
                    .entry(site)
                    .and_modify(|before| *before = ring.min(*before))
                    .or_insert(ring);
            }
        }
        let mut sites: Vec<_> = nearest
            .into_iter()
            .map(|(site, ring)| (ring, site))
            .collect();
        sites.sort_unstable();
        sites
    }

    fn ring(&self, home: SiteId, site: SiteId) -> Ring {
        let (home, other) = (self.site_profile(home), self.site_profile(site));
        if home.neighbours.contains(&site) {
            Ring::Neighbour
        } else if home.is_in_region_of(other) {
            Ring::Region
        } else if home.is_in_zone_of(other) {
            Ring::Zone
        } else {
            Ring::Nation
        }
    }
}

impl Names {
    fn new(
        sites: &[SiteSpec],
        lines: &[LineSpec],
        agents: &[AgentSpec],
        plans: &[PlanSpec],
    ) -> Self {
        let numbered = |ids: Vec<&String>| {
            ids.into_iter()
                .enumerate()
                .map(|(index, id)| (id.clone(), index))
                .collect()
        };
        let of_lines = lines.iter().flat_map(|line| line.skills.keys());
        let of_agents = agents.iter().flat_map(|agent| agent.skills.keys());
        let skills: BTreeSet<_> = of_lines.chain(of_agents).collect();
        let skills = skills.into_iter().enumerate();
        Self {
            sites: numbered(sites.iter().map(|site| &site.id).collect()),
            plans: numbered(plans.iter().map(|plan| &plan.name).collect()),
            skills: skills
                .map(|(index, skill)| (skill.clone(), SkillId::new(index)))
                .collect(),
        }
    }

    fn site(&self, id: &str) -> SiteId {
        SiteId::new(*self.sites.get(id).expect("check has found every site"))
    }

    fn plan(&self, name: &str) -> PlanId {
        PlanId::new(*self.plans.get(name).expect("check has found every plan"))
    }

    fn profile(&self, skills: &BTreeMap<String, Level>) -> Profile {
        skills
            .iter()
            .map(|(skill, &level)| (self.skills[skill], level))
            .collect()
    }
}

/// The sum of levels over the wanted skills, if every one of them is met.
fn sum_if_qualified(has: &Profile, wanted: &Profile) -> Option<u32> {
    wanted.iter().try_fold(0, |sum, (skill, least)| {
        has.get(skill)
            .filter(|level| *level >= least)
            .map(|level| sum + u32::from(level.value()))
    })
}

fn check(
    sites: &[SiteSpec],
    lines: &[LineSpec],
    agents: &[AgentSpec],
    plans: &[PlanSpec],
) -> Vec<DirectoryError> {
    let mut errors = Vec::new();
    duplicates("site", sites.iter().map(|site| &site.id), &mut errors);
    duplicates("line", lines.iter().map(|line| &line.id), &mut errors);
    duplicates("agent", agents.iter().map(|agent| &agent.id), &mut errors);
    duplicates("overflow", plans.iter().map(|plan| &plan.name), &mut errors);
    let skills = lines
        .iter()
        .map(|line| &line.skills)
        .chain(agents.iter().map(|one| &one.skills));
    let skills: BTreeSet<_> = skills.flat_map(BTreeMap::keys).collect();
    let limits = [
        ("site", sites.len(), usize::from(u16::MAX)),
        ("overflow", plans.len(), usize::from(u16::MAX)),
        ("skill", skills.len(), usize::from(u16::MAX)),
        ("line", lines.len(), u32::MAX as usize),
        ("agent", agents.len(), u32::MAX as usize),
    ];
    let over = limits.into_iter().filter(|(_, count, limit)| count > limit);
    errors.extend(over.map(|(kind, ..)| DirectoryError::TooMany { kind }));
    let known: BTreeSet<_> = sites.iter().map(|site| &site.id).collect();
    let mut named = |by: String, site: &String| {
        if !known.contains(site) {
            errors.push(DirectoryError::UnknownSite {
                by,
                site: site.clone(),
            });
        }
    };
    for site in sites {
        site.neighbours
            .iter()
            .for_each(|one| named(format!("site {}", site.id), one));
    }
    lines
        .iter()
        .for_each(|line| named(format!("line {}", line.id), &line.site));
    agents
        .iter()
        .for_each(|agent| named(format!("agent {}", agent.id), &agent.site));
    for plan in plans {
        for reach in plan.steps.iter().flat_map(|step| &step.widen) {
            if let Reach::Site(site) = reach {
                named(format!("overflow {}", plan.name), site);
            }
        }
    }
    for plan in plans.iter().filter(|plan| plan.steps.len() > STEPS_MAX) {
        let (plan, steps) = (plan.name.clone(), plan.steps.len());
        errors.push(DirectoryError::TooManySteps { plan, steps });
    }
    for line in lines {
        if let Some(plan) = line.overflow.as_ref()
            && !plans.iter().any(|known| known.name == *plan)
        {
            let (by, plan) = (format!("line {}", line.id), plan.clone());
            errors.push(DirectoryError::UnknownPlan { by, plan });
        }
    }
    errors
}

fn duplicates<'a>(
    kind: &'static str,
    ids: impl Iterator<Item = &'a String>,
    errors: &mut Vec<DirectoryError>,
) {
    let mut seen = BTreeSet::new();
    for id in ids {
        if !seen.insert(id) {
            errors.push(DirectoryError::Duplicate {
                kind,
                id: id.clone(),
            });
        }
    }
}
