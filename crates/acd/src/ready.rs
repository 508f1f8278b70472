//! Free agents, by site and skill profile, longest idle first.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use crate::{
    directory::Line,
    ids::{AgentId, ProfileId, SiteId},
};

/// Counts of agents by profile at each site, and the free ones in order.
#[derive(Debug)]
pub(crate) struct Staff {
    sites: Vec<BTreeMap<ProfileId, Group>>,
}

/// Agents of one site with the same skills.
#[derive(Debug, Default)]
struct Group {
    on_duty: usize,
    ready: BTreeSet<(Instant, AgentId)>,
}

impl Staff {
    pub(crate) fn new(sites: usize) -> Self {
        Self {
            sites: (0..sites).map(|_| BTreeMap::new()).collect(),
        }
    }

    pub(crate) fn add_ready(
        &mut self,
        site: SiteId,
        profile: ProfileId,
        since: Instant,
        agent: AgentId,
    ) {
        self.group(site, profile).ready.insert((since, agent));
    }

    pub(crate) fn remove_ready(
        &mut self,
        site: SiteId,
        profile: ProfileId,
        since: Instant,
        agent: AgentId,
    ) {
        self.group(site, profile).ready.remove(&(since, agent));
    }

    pub(crate) fn begin_duty(&mut self, site: SiteId, profile: ProfileId) {
        self.group(site, profile).on_duty += 1;
    }

    pub(crate) fn end_duty(&mut self, site: SiteId, profile: ProfileId) {
        let group = self.group(site, profile);
        group.on_duty = group
            .on_duty
            .checked_sub(1)
            .expect("duty begins before it ends");
    }

    /// Agents of a site on duty who could take a line's calls.
    pub(crate) fn on_duty(&self, site: SiteId, line: &Line) -> usize {
        self.qualified(site, line)
            .map(|(_, group)| group.on_duty)
            .sum()
    }

    /// Free agents of a site who could take a line's calls.
    pub(crate) fn ready(&self, site: SiteId, line: &Line) -> usize {
        self.qualified(site, line)
            .map(|(_, group)| group.ready.len())
            .sum()
    }

    /// The longest idle agent of each group of a site that qualifies, with the group's sum of
    /// levels.
    pub(crate) fn longest_idle<'a>(
        &'a self,
        site: SiteId,
        line: &'a Line,
    ) -> impl Iterator<Item = (u32, Instant, AgentId)> + 'a {
        self.qualified(site, line).filter_map(|(sum, group)| {
            group
                .ready
                .first()
                .map(|&(since, agent)| (sum, since, agent))
        })
    }

    /// All free agents of a site who could take a line's calls.
    pub(crate) fn all_ready<'a>(
        &'a self,
        site: SiteId,
        line: &'a Line,
    ) -> impl Iterator<Item = (Instant, AgentId)> + 'a {
        self.qualified(site, line)
            .flat_map(|(_, group)| group.ready.iter().copied())
    }

    fn qualified<'a>(
        &'a self,
        site: SiteId,
        line: &'a Line,
    ) -> impl Iterator<Item = (u32, &'a Group)> + 'a {
        self.sites[site.index()]
            .iter()
            .filter_map(|(profile, group)| line.qualified[profile.index()].map(|sum| (sum, group)))
    }

    fn group(&mut self, site: SiteId, profile: ProfileId) -> &mut Group {
        self.sites[site.index()].entry(profile).or_default()
    }
}
