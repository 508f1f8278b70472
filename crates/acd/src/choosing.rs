//! Which of several free agents: the selections.

use std::{
    cmp::{Ordering, Reverse},
    time::{Duration, Instant},
};

use crate::{
    acd::Acd,
    classes::{Class, Reached},
    ids::{AgentId, StepRef},
    spec::Selection,
};

/// An agent, and the step that brought the site within reach.
type Choice = (AgentId, Option<StepRef>);

impl Acd {
    /// The agent whom the line's selection chooses at sites that are equally near.
    pub(crate) fn choose<'a>(
        &self,
        now: Instant,
        class: &Class,
        open: impl Iterator<Item = &'a Reached>,
    ) -> Option<Choice> {
        match self.directory.line_profile(class.line).selection {
            Selection::LongestIdle => self.least(class, open, |_, since| since),
            Selection::MostSkilled => self.least(class, open, |sum, since| (Reverse(sum), since)),
            Selection::LeastSkilled => self.least(class, open, |sum, since| (sum, since)),
            Selection::LeastOccupied => self.least_occupied(now, class, open),
            Selection::RoundRobin => self.next_in_turn(class, open),
        }
    }

    /// The agent with the least rank among the longest idle of each profile.
    fn least<'a, R: Ord>(
        &self,
        class: &Class,
        open: impl Iterator<Item = &'a Reached>,
        rank: impl Fn(u32, Instant) -> R,
    ) -> Option<Choice> {
        let candidates = open.flat_map(|reached| {
            let idle = self.staff.longest_idle(reached.site, class.requirement);
            idle.map(|(sum, since, agent)| (rank(sum, since), agent, reached.step))
        });
        candidates
            .min_by(|(a, a_agent, _), (b, b_agent, _)| a.cmp(b).then(a_agent.cmp(b_agent)))
            .map(|(_, agent, step)| (agent, step))
    }

    /// The agent with the lowest share of work since log-in. Shares change with time, so no index
    /// can hold their order: all free agents of the ring are looked at.
    fn least_occupied<'a>(
        &self,
        now: Instant,
        class: &Class,
        open: impl Iterator<Item = &'a Reached>,
    ) -> Option<Choice> {
        let candidates = open.flat_map(|reached| {
            let ready = self.staff.all_ready(reached.site, class.requirement);
            ready.map(|(since, agent)| (self.occupancy(now, agent), since, agent, reached.step))
        });
        candidates
            .min_by(|a, b| a.0.cmp(&b.0).then_with(|| (a.1, a.2).cmp(&(b.1, b.2))))
            .map(|(.., agent, step)| (agent, step))
    }

    /// The agent who comes next by id after the one whom the line asked last.
    fn next_in_turn<'a>(
        &self,
        class: &Class,
        open: impl Iterator<Item = &'a Reached>,
    ) -> Option<Choice> {
        let last = self.queues[class.line.index()].asked_last;
        let candidates = open.flat_map(|reached| {
            let next = self.staff.next_by_id(reached.site, class.requirement, last);
            next.map(|agent| (agent, reached.step))
        });
        let has_had_a_turn = |agent: AgentId| last.is_some_and(|last| agent <= last);
        candidates.min_by_key(|&(agent, _)| (has_had_a_turn(agent), agent))
    }

    fn occupancy(&self, now: Instant, agent: AgentId) -> Share {
        let agent = &self.agents[agent.index()];
        Share {
            part: agent.busy,
            whole: now - agent.logged_in,
        }
    }
}

/// A part of a whole, compared exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Share {
    part: Duration,
    whole: Duration,
}

impl Share {
    fn cmp(&self, other: &Self) -> Ordering {
        // part / whole without rounding. Milliseconds: a product of two years fits well. Who logged
        // in this very moment has worked nothing of something.
        let product = |part: Duration, whole: Duration| part.as_millis() * whole.as_millis().max(1);
        product(self.part, other.whole).cmp(&product(other.part, self.whole))
    }
}
