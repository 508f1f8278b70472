//! Who can do what, where: agents counted by what they are able to take, and the free ones in order.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use crate::{
    acd::Agent,
    agent::AgentStateKind,
    directory::Directory,
    ids::{AgentId, ProfileId, SiteId},
    requirement::Requirement,
};

/// A requirement that lines or their steps have come to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RequirementId(u32);

/// Agents by what they are able to take.
#[derive(Debug)]
pub(crate) struct Staff {
    asked: Vec<Asked>,
    known: BTreeMap<Requirement, RequirementId>,
    /// By profile: which requirements it meets.
    met_by: Vec<Vec<RequirementId>>,
    /// By site: agents on duty, whatever they are able to take.
    on_duty: Vec<u32>,
    /// By site: the free agents of each profile that has any.
    ready: Vec<BTreeMap<ProfileId, Free>>,
    /// By site: how many of them meet each requirement. The same is among the tallies, which lie by requirement: whoever
    /// asks about many requirements at one site would have to read a line of memory for each.
    ready_by_requirement: Vec<Vec<u32>>,
}

/// Who meets a requirement, and how many of them are where in which state.
#[derive(Debug)]
struct Asked {
    /// By profile: the sum of levels over the skills that are asked for, where it is met.
    sums: Vec<Option<u32>>,
    /// By site.
    tallies: Vec<Tally>,
}

/// Agents of a site who meet a requirement.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    by_state: [u32; AgentStateKind::ALL.len()],
    on_duty: u32,
}

/// Free agents of one site with the same skills.
#[derive(Debug, Default)]
struct Free {
    by_idle: BTreeSet<(Instant, AgentId)>,
    by_id: BTreeSet<AgentId>,
}

impl Tally {
    pub(crate) const fn of(&self, kind: AgentStateKind) -> u32 {
        self.by_state[kind as usize]
    }

    pub(crate) fn all(&self) -> u32 {
        self.by_state.iter().sum()
    }
}

impl Staff {
    pub(crate) fn new(directory: &Directory) -> Self {
        Self {
            asked: Vec::new(),
            known: BTreeMap::new(),
            met_by: vec![Vec::new(); directory.profiles.len()],
            on_duty: vec![0; directory.sites().len()],
            ready: directory.sites().map(|_| BTreeMap::new()).collect(),
            ready_by_requirement: directory.sites().map(|_| Vec::new()).collect(),
        }
    }

    /// The handle of a requirement. The first to ask for it pays for counting who meets it.
    pub(crate) fn requirement(
        &mut self,
        directory: &Directory,
        agents: &[Agent],
        requirement: &Requirement,
    ) -> RequirementId {
        if let Some(&known) = self.known.get(requirement) {
            return known;
        }
        let test = directory.test(requirement);
        let profiles = directory.profiles.iter();
        let sums: Vec<_> = profiles.map(|profile| test.sum_if_met(profile)).collect();
        let mut tallies = vec![Tally::default(); directory.sites().len()];
        for (id, agent) in directory.agents().zip(agents) {
            let profile = directory.agent_profile(id);
            if sums[profile.profile.index()].is_some() {
                for site in profile.sites() {
                    let tally = &mut tallies[site.index()];
                    tally.by_state[agent.state.kind() as usize] += 1;
                    tally.on_duty += u32::from(agent.is_on_duty());
                }
            }
        }
        let number = u32::try_from(self.asked.len()).expect("plans and lines bound them");
        let id = RequirementId(number);
        for (met, sum) in self.met_by.iter_mut().zip(&sums) {
            met.extend(sum.map(|_| id));
        }
        for (ready, tally) in self.ready_by_requirement.iter_mut().zip(&tallies) {
            ready.push(tally.of(AgentStateKind::Ready));
        }
        self.known.insert(requirement.clone(), id);
        self.asked.push(Asked { sums, tallies });
        id
    }

    /// An agent of a site changed state.
    pub(crate) fn change_state(
        &mut self,
        site: SiteId,
        profile: ProfileId,
        from: AgentStateKind,
        to: AgentStateKind,
    ) {
        for id in &self.met_by[profile.index()] {
            let tally = &mut self.asked[id.0 as usize].tallies[site.index()];
            tally.by_state[from as usize] -= 1;
            tally.by_state[to as usize] += 1;
            self.ready_by_requirement[site.index()][id.0 as usize] =
                tally.of(AgentStateKind::Ready);
        }
    }

    pub(crate) fn begin_duty(&mut self, site: SiteId, profile: ProfileId) {
        self.on_duty[site.index()] += 1;
        for id in &self.met_by[profile.index()] {
            self.asked[id.0 as usize].tallies[site.index()].on_duty += 1;
        }
    }

    pub(crate) fn end_duty(&mut self, site: SiteId, profile: ProfileId) {
        self.on_duty[site.index()] -= 1;
        for id in &self.met_by[profile.index()] {
            let on_duty = &mut self.asked[id.0 as usize].tallies[site.index()].on_duty;
            *on_duty = on_duty.checked_sub(1).expect("duty begins before it ends");
        }
    }

    pub(crate) fn add_ready(
        &mut self,
        site: SiteId,
        profile: ProfileId,
        since: Instant,
        agent: AgentId,
    ) {
        let free = self.ready[site.index()].entry(profile).or_default();
        free.by_idle.insert((since, agent));
        free.by_id.insert(agent);
    }

    pub(crate) fn remove_ready(
        &mut self,
        site: SiteId,
        profile: ProfileId,
        since: Instant,
        agent: AgentId,
    ) {
        let at_site = &mut self.ready[site.index()];
        if let Some(free) = at_site.get_mut(&profile) {
            free.by_idle.remove(&(since, agent));
            free.by_id.remove(&agent);
            if free.by_id.is_empty() {
                at_site.remove(&profile);
            }
        }
    }

    /// Agents of a site who meet a requirement, by what they do.
    pub(crate) fn tally(&self, site: SiteId, requirement: RequirementId) -> &Tally {
        &self.asked(requirement).tallies[site.index()]
    }

    pub(crate) fn anybody_on_duty(&self, site: SiteId) -> bool {
        self.on_duty[site.index()] > 0
    }

    /// Agents of a site on duty who meet a requirement.
    pub(crate) fn on_duty(&self, site: SiteId, requirement: RequirementId) -> usize {
        self.tally(site, requirement).on_duty as usize
    }

    pub(crate) fn anybody_ready(&self, site: SiteId) -> bool {
        !self.ready[site.index()].is_empty()
    }

    /// Free agents of a site who meet a requirement.
    pub(crate) fn ready(&self, site: SiteId, requirement: RequirementId) -> usize {
        self.tally(site, requirement).of(AgentStateKind::Ready) as usize
    }

    /// The same for any requirement at one site.
    pub(crate) fn ready_at(&self, site: SiteId) -> impl Fn(RequirementId) -> usize + '_ {
        let ready = &self.ready_by_requirement[site.index()];
        |requirement| ready[requirement.0 as usize] as usize
    }

    /// Whether an agent of this profile meets a requirement.
    pub(crate) fn meets(&self, profile: ProfileId, requirement: RequirementId) -> bool {
        self.asked(requirement).sums[profile.index()].is_some()
    }

    /// The longest idle agent of each profile that meets a requirement, with the sum of levels.
    pub(crate) fn longest_idle(
        &self,
        site: SiteId,
        requirement: RequirementId,
    ) -> impl Iterator<Item = (u32, Instant, AgentId)> + '_ {
        let able = self.able(site, requirement);
        able.filter_map(|(sum, free)| {
            let first = free.by_idle.first();
            first.map(|&(since, agent)| (sum, since, agent))
        })
    }

    /// The next agent by id after another, of each profile that meets a requirement; then the first
    /// of each.
    pub(crate) fn next_by_id(
        &self,
        site: SiteId,
        requirement: RequirementId,
        after: Option<AgentId>,
    ) -> impl Iterator<Item = AgentId> + '_ {
        let able = self.able(site, requirement);
        able.flat_map(move |(_, free)| {
            let later = after.and_then(|after| {
                let beyond = (std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded);
                free.by_id.range(beyond).next().copied()
            });
            [later, free.by_id.first().copied()].into_iter().flatten()
        })
    }

    /// All free agents of a site who meet a requirement.
    pub(crate) fn all_ready(
        &self,
        site: SiteId,
        requirement: RequirementId,
    ) -> impl Iterator<Item = (Instant, AgentId)> + '_ {
        let able = self.able(site, requirement);
        able.flat_map(|(_, free)| free.by_idle.iter().copied())
    }

    fn able(
        &self,
        site: SiteId,
        requirement: RequirementId,
    ) -> impl Iterator<Item = (u32, &Free)> + '_ {
        let sums = &self.asked(requirement).sums;
        let free = self.ready[site.index()].iter();
        free.filter_map(|(profile, free)| sums[profile.index()].map(|sum| (sum, free)))
    }

    fn asked(&self, id: RequirementId) -> &Asked {
        &self.asked[id.0 as usize]
    }
}
