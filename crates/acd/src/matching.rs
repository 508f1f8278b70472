//! Who is served first, and by whom.

use std::time::Instant;

use crate::{
    acd::{Acd, Changed},
    classes::{Class, ClassId, Reached},
    ids::{AgentId, CallId, SiteId, StepRef},
    order::OrderKey,
};

/// An agent for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Match {
    pub(crate) call: CallId,
    pub(crate) agent: AgentId,
    pub(crate) step: Option<StepRef>,
}

impl Acd {
    /// Matches until no waiting call has an eligible free agent.
    ///
    /// Between two inputs there is no such pair, so one change alone is matched alone: a call that
    /// came to wait has no rival for the agents that are free, and a freed agent no rival for the
    /// calls that wait. Where one input changes several (a longer queue or the end of a duty widens
    /// the reach of many calls) each of them is looked at beside the others.
    pub(crate) fn match_all(&mut self, now: Instant) {
        let mut may_ring_more = false;
        // Free agents for whom calls wait, and for whom another call came first: it may have gone to
        // somebody else.
        let mut passed_by = Vec::new();
        while let Some(changed) = self.changed.pop_front().or_else(|| passed_by.pop()) {
            let is_alone = self.changed.is_empty();
            let found = match changed {
                Changed::Call(call) => self.match_call(now, call),
                Changed::Agent(agent) => self.match_awaiting(agent),
                Changed::Site(site) => self.match_site(now, site),
                Changed::Ringing(_) => None,
            };
            let Some(found) = found else {
                match changed {
                    Changed::Site(_) | Changed::Ringing(_) => may_ring_more = true,
                    Changed::Agent(agent) if self.is_passed_by(agent) => passed_by.push(changed),
                    Changed::Agent(_) | Changed::Call(_) => {}
                }
                continue;
            };
            let found = if is_alone {
                found
            } else {
                self.match_beside_others(now, found)
            };
            self.offer(now, found.call, found.agent, found.step);
            may_ring_more = true;
            // Another free agent there may suit another call; this call may not have been the first.
            if changed != Changed::Call(found.call) {
                self.changed.push_front(changed);
            }
        }
        if may_ring_more && !self.thin.is_empty() {
            self.ring_more(now);
        }
        #[cfg(debug_assertions)]
        self.check_invariants();
    }

    /// An agent for a call that came to wait, or reaches further than before.
    fn match_call(&self, now: Instant, id: CallId) -> Option<Match> {
        let call = self.calls.get(&id).filter(|call| call.waits())?;
        match call.awaited {
            Some((agent, _)) => self.match_awaiting(agent),
            None => self.match_class(now, call.class),
        }
    }

    /// An agent for the first call of a class; the others of the class come after it.
    fn match_class(&self, now: Instant, id: ClassId) -> Option<Match> {
        let class = self.classes.get(id);
        let call = class.first()?.call;
        let (agent, step) = self.agent_for(now, class, class.reach())?;
        Some(Match { call, agent, step })
    }

    /// The first call, in the site's order, for one of the site's free agents.
    fn match_site(&self, now: Instant, site: SiteId) -> Option<Match> {
        let (_, id) = self.first_at(site)?;
        let class = self.classes.get(id);
        let reached = *class.reaches(site)?;
        let call = class.first()?.call;
        let (agent, step) = self.agent_for(now, class, &[reached])?;
        Some(Match { call, agent, step })
    }

    /// The class whose first call comes first at a site, among those that a free agent there may
    /// take, and how the site sees that call.
    fn first_at(&self, site: SiteId) -> Option<(OrderKey, ClassId)> {
        if !self.staff.anybody_ready(site) {
            return None;
        }
        let (ready, reserve) = (self.staff.ready_at(site), self.reserve(site));
        let own = self.classes.first_at_home(site, |asked| ready(asked) > 0);
        let may_help = |asked| ready(asked) > reserve;
        let elsewhere = self.classes.first_from_elsewhere(site, may_help);
        own.into_iter().chain(elsewhere).min()
    }

    /// The call that comes first for one free agent, as the agent's sites see it.
    pub(crate) fn first_for(&self, agent: AgentId) -> Option<OrderKey> {
        let agent = self.directory.agent_profile(agent);
        let is_able = |asked| self.staff.meets(agent.profile, asked);
        let first_at = |site: SiteId| {
            let (ready, reserve) = (self.staff.ready_at(site), self.reserve(site));
            let own = self.classes.first_at_home(site, is_able);
            let may_help = |asked| ready(asked) > reserve && is_able(asked);
            let elsewhere = self.classes.first_from_elsewhere(site, may_help);
            own.into_iter().chain(elsewhere).min()
        };
        agent.sites().filter_map(first_at).min().map(|(key, _)| key)
    }

    /// A match that is right for both: the call comes first for the agent, and the agent comes first
    /// for the call. From any match one gets there by asking the agent's sites for their first call,
    /// and that call for its first agent.
    fn match_beside_others(&self, now: Instant, mut found: Match) -> Match {
        // No circle: each turn goes to a call that the agent's site sees before the one in hand, and
        // an agent whom that call prefers sees it no later (home is the nearest ring, and every other
        // site sees it alike). So what is seen only gets earlier, and no class is met twice.
        for _ in 0..=self.classes.occupied().count() {
            if let Some(awaiting) = self.match_awaiting(found.agent) {
                return awaiting;
            }
            let sites = self.directory.agent_profile(found.agent).sites();
            let first = sites.filter_map(|site| self.first_at(site)).min();
            let better = first.and_then(|(_, class)| self.match_class(now, class));
            match better {
                Some(better) if better != found => found = better,
                _ => break,
            }
        }
        found
    }

    /// Whether a free agent of a site may take a call of a class now: somebody qualifies, and for a
    /// call from elsewhere the site keeps its reserve.
    pub(crate) fn may_take(&self, site: SiteId, class: &Class) -> bool {
        self.staff.ready(site, class.requirement) > self.kept_from(site, class.site)
    }

    /// Free agents that a site keeps from the callers of another.
    pub(crate) fn kept_from(&self, site: SiteId, caller_site: SiteId) -> usize {
        if site == caller_site {
            0
        } else {
            self.reserve(site)
        }
    }

    /// The agent whom the line's selection chooses in the nearest ring that has one.
    pub(crate) fn agent_for(
        &self,
        now: Instant,
        class: &Class,
        reach: &[Reached],
    ) -> Option<(AgentId, Option<StepRef>)> {
        let mut rings = reach.chunk_by(|a, b| a.ring == b.ring);
        rings.find_map(|ring| {
            let open = ring
                .iter()
                .filter(|reached| self.may_take(reached.site, class));
            self.choose(now, class, open)
        })
    }
}
