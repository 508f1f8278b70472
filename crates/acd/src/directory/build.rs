//! From what is written to what is decided by: names are resolved, and everything that is wrong is
//! told at once.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Agent, Crisis, Directory, DirectoryError, Line, Plan, Profile, Ring, Site, Step, check::check,
};
use crate::{
    ids::{Level, LineId, PlanId, ProfileId, SiteId, SkillId, StepIndex},
    spec::{AgentSpec, CrisisSpec, DirectorySpec, LineSpec, PlanSpec, Reach, SiteSpec, StepSpec},
};

/// Names to handles, while a directory is built.
struct Names {
    sites: BTreeMap<String, usize>,
    lines: BTreeMap<String, usize>,
    plans: BTreeMap<String, usize>,
}

impl Directory {
    /// Resolves all names.
    ///
    /// # Errors
    /// Everything that is wrong, not only the first thing.
    pub fn build(mut spec: DirectorySpec) -> Result<Self, Vec<DirectoryError>> {
        spec.sites.sort_by(|a, b| a.id.cmp(&b.id));
        spec.lines.sort_by(|a, b| a.id.cmp(&b.id));
        spec.agents.sort_by(|a, b| a.id.cmp(&b.id));
        spec.plans.sort_by(|a, b| a.name.cmp(&b.name));
        spec.crises.sort_by(|a, b| a.name.cmp(&b.name));
        let errors = check(&spec);
        if !errors.is_empty() {
            return Err(errors);
        }
        let names = Names::new(&spec);
        let mut directory = Self {
            skills: skills(&spec),
            pause_reasons: spec.pause_reasons,
            dispositions: spec.dispositions,
            version: spec.version,
            ..Self::default()
        };
        directory.add_sites(spec.sites, &names);
        directory.add_agents(spec.agents, &names);
        directory.add_plans(&spec.plans, &names);
        directory.add_lines(spec.lines, &names);
        directory.add_crises(spec.crises, &names);
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
                agents: 0,
            });
        }
    }

    fn add_agents(&mut self, specs: Vec<AgentSpec>, names: &Names) {
        let mut known: BTreeMap<Profile, ProfileId> = BTreeMap::new();
        for spec in specs {
            let profile = self.profile(&spec.skills);
            let next = ProfileId::new(known.len());
            let profile_id = *known.entry(profile.clone()).or_insert(next);
            if profile_id == next {
                self.profiles.push(profile);
            }
            let site = names.site(&spec.site);
            let second_site = spec.second_site.map(|id| names.site(&id));
            let agent = Agent {
                id: spec.id,
                site,
                second_site: second_site.filter(|&second| second != site),
                skills: spec.skills,
                start: spec.start,
                profile: profile_id,
            };
            for site in agent.sites() {
                self.sites[site.index()].agents += 1;
            }
            self.agents.push(agent);
        }
    }

    fn add_plans(&mut self, specs: &[PlanSpec], names: &Names) {
        for spec in specs {
            let step = |(index, step)| self.resolve(index, step, names);
            let steps = spec.steps.iter().enumerate().map(step).collect();
            self.plans.push(Plan {
                name: spec.name.clone(),
                home_advantage: spec.home_advantage,
                steps,
            });
        }
    }

    fn add_lines(&mut self, specs: Vec<LineSpec>, names: &Names) {
        for spec in specs {
            let id = LineId::new(self.lines.len());
            let site = names.site(&spec.site);
            self.sites[site.index()].lines.push(id);
            self.lines.push(Line {
                id: spec.id,
                site,
                requirement: spec.requirement,
                priority: spec.priority,
                service_level: spec.service_level,
                selection: spec.selection,
                parallel: usize::from(spec.parallel),
                ring_time: spec.ring_time,
                wrap_up: spec.wrap_up,
                preferred: spec.preferred,
                resume_within: spec.resume_within,
                transferred: spec.transferred,
                transferred_priority: spec.transferred_priority,
                hand_over: spec.hand_over,
                plan: spec.overflow.map(|name| names.plan(&name)),
                crisis_line: spec.crisis_line.map(|id| names.line(&id)),
            });
        }
    }

    fn add_crises(&mut self, specs: Vec<CrisisSpec>, names: &Names) {
        for spec in specs {
            self.crises.push(Crisis {
                name: spec.name,
                plan: spec.overflow.map(|name| names.plan(&name)),
                reserve: spec.reserve.map(|reserve| reserve as usize),
                wrap_up: spec.wrap_up,
                announcement: spec.announcement.map(Into::into),
                flow: spec.flow,
            });
        }
    }

    fn resolve(&self, index: usize, spec: &StepSpec, names: &Names) -> Step {
        let reach = |home| self.reach(home, &spec.widen, names);
        Step {
            index: StepIndex::new(index),
            when: spec.when.clone(),
            widens: !spec.widen.is_empty(),
            relax: spec.relax.clone(),
            raise: spec.raise,
            announce: spec.announce.as_deref().map(Into::into),
            last_resort: spec.last_resort.clone(),
            reach: self.sites().map(reach).collect(),
        }
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

    fn profile(&self, skills: &BTreeMap<String, Level>) -> Profile {
        let level = |(skill, &level): (&String, &Level)| (self.skills[skill], level);
        skills.iter().map(level).collect()
    }
}

impl Names {
    fn new(spec: &DirectorySpec) -> Self {
        let numbered = |ids: Vec<&String>| {
            let ids = ids.into_iter().enumerate();
            ids.map(|(index, id)| (id.clone(), index)).collect()
        };
        Self {
            sites: numbered(spec.sites.iter().map(|site| &site.id).collect()),
            lines: numbered(spec.lines.iter().map(|line| &line.id).collect()),
            plans: numbered(spec.plans.iter().map(|plan| &plan.name).collect()),
        }
    }

    fn site(&self, id: &str) -> SiteId {
        SiteId::new(*self.sites.get(id).expect("check has found every site"))
    }

    fn line(&self, id: &str) -> LineId {
        LineId::new(*self.lines.get(id).expect("check has found every line"))
    }

    fn plan(&self, name: &str) -> PlanId {
        PlanId::new(*self.plans.get(name).expect("check has found every plan"))
    }
}

/// Every skill that is named anywhere, in alphabetical order.
fn skills(spec: &DirectorySpec) -> BTreeMap<String, SkillId> {
    let of_lines = spec.lines.iter().flat_map(|line| line.requirement.skills());
    let of_agents = spec.agents.iter().flat_map(|agent| agent.skills.keys());
    let all: BTreeSet<_> = of_lines.chain(of_agents.map(String::as_str)).collect();
    let numbered = all.into_iter().enumerate();
    numbered
        .map(|(index, skill)| (skill.to_owned(), SkillId::new(index)))
        .collect()
}
