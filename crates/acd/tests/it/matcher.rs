//! The rules once more, by brute force: looks at every call and every agent each time, and shares no
//! code with the distributor but its types.

use std::{
    cmp::Reverse,
    time::{Duration, Instant},
};

use acd::{AgentId, CallId, Priority, Requirement, Selection, SiteId};

use crate::books::{BookedCall, Books};

impl Books {
    /// The call's place in the order of its own queue.
    pub(crate) fn order(&self, call: CallId) -> (Priority, Instant, CallId) {
        let booked = &self.calls[&call];
        let raised: u8 = self.steps(booked).map(|step| step.raise).sum();
        let priority = booked.priority.value().saturating_sub(raised);
        (Priority::new(priority).unwrap(), booked.arrival, call)
    }

    /// The call's place in the order that a site sees.
    pub(crate) fn seen_from(&self, site: SiteId, call: CallId) -> (Priority, Instant, CallId) {
        let (priority, arrival, id) = self.order(call);
        let booked = &self.calls[&call];
        let is_home = self.home(booked.line) == site;
        let advantage = match booked.parts.last() {
            Some(part) if !is_home => self.country.plan(&part.plan).home_advantage,
            _ => Duration::ZERO,
        };
        (priority, arrival + advantage, id)
    }

    /// Whether an agent may be offered a waiting call now, and how near the agent is to it.
    pub(crate) fn eligible(&self, agent: AgentId, call: CallId) -> Option<u8> {
        let booked = &self.calls[&call];
        if let Some((awaited, _)) = booked.awaited
            && awaited != agent
        {
            return None;
        }
        let asked = self.asked(booked);
        if !self.is_free(agent) || !self.is_able(agent, &asked) {
            return None;
        }
        let sites = self.directory.agent_profile(agent).sites();
        sites
            .filter_map(|site| self.nearness(booked, &asked, site))
            .min()
    }

    /// How near a site is to a call that it may help; 0 at home.
    fn nearness(&self, booked: &BookedCall, asked: &Requirement, site: SiteId) -> Option<u8> {
        let home = self.home(booked.line);
        if site == home {
            return Some(0);
        }
        let steps = self.steps(booked);
        let near = steps
            .filter_map(|step| self.nearness_by(home, step, site))
            .min()?;
        let free_there = self.directory.agents().filter(|&one| {
            self.directory
                .agent_profile(one)
                .sites()
                .any(|of| of == site)
                && self.is_free(one)
                && self.is_able(one, asked)
        });
        (free_there.count() > self.reserve(site)).then_some(near)
    }

    fn is_able(&self, agent: AgentId, asked: &Requirement) -> bool {
        asked.is_met_by(&self.directory.agent_profile(agent).skills)
    }

    /// Where the agent sees a call: at the site from which the agent sees it first.
    pub(crate) fn seen_by(&self, agent: AgentId, call: CallId) -> (Priority, Instant, CallId) {
        let sites = self.directory.agent_profile(agent).sites();
        let booked = &self.calls[&call];
        let asked = self.asked(booked);
        let may = sites.filter(|&site| self.nearness(booked, &asked, site).is_some());
        may.map(|site| self.seen_from(site, call)).min().unwrap()
    }

    /// Who comes first for a call: nearest, then by the line's selection, then longest idle.
    pub(crate) fn rank(
        &self,
        now: Instant,
        call: CallId,
        agent: AgentId,
        near: u8,
    ) -> impl Ord + std::fmt::Debug {
        let booked = &self.calls[&call];
        let profile = self.directory.agent_profile(agent);
        let known = &self.agents[agent.index()];
        let asked = self.asked(booked);
        let mut named: Vec<_> = asked.skills();
        named.sort_unstable();
        named.dedup();
        let levels = named.iter().filter_map(|skill| profile.skills.get(*skill));
        let sum: u32 = levels.map(|level| u32::from(level.value())).sum();
        let last = self.asked_last.get(&booked.line).copied();
        let zero = (Reverse(0), 0, 0, false, 0);
        let chosen = match self.directory.line_profile(booked.line).selection {
            Selection::LongestIdle => zero,
            Selection::MostSkilled => (Reverse(sum), 0, 0, false, 0),
            Selection::LeastSkilled => (Reverse(0), sum, 0, false, 0),
            Selection::LeastOccupied => {
                // A share of 2^32: the model's times are whole milliseconds, far from its grain.
                let whole = (now - known.logged_in).as_millis().max(1);
                let share = (known.worked.as_millis() << 32) / whole;
                (Reverse(0), 0, share, false, 0)
            }
            Selection::RoundRobin => {
                let had_a_turn = last.is_some_and(|last| agent <= last);
                (Reverse(0), 0, 0, had_a_turn, agent.index())
            }
        };
        (near, chosen, known.idle_since, agent)
    }
}
