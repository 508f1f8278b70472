//! Who is served first, and by whom.

use std::{
    cmp::Reverse,
    time::{Duration, Instant},
};

use crate::{
    acd::{Acd, Changed, Phase},
    directory::Line,
    ids::{AgentId, CallId, LineId, Priority, SiteId, StepIndex},
    order::OrderKey,
    spec::Selection,
    waiting::{Class, Reached},
};

/// An agent for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Match {
    pub(crate) call: CallId,
    pub(crate) agent: AgentId,
    pub(crate) step: Option<StepIndex>,
}

/// A call's place as a site sees it: with `home_advantage` for calls from elsewhere.
type SeenFrom = (Priority, Instant, CallId);

impl Acd {
    /// Matches until no waiting call has an eligible free agent.
    ///
    /// Between two inputs there is no such pair, so one change alone is matched alone: a call that
    /// came to wait has no rival for the agents that are free, and a freed agent no rival for the
    /// calls that wait. Where one input changes several (a longer queue or the end of a duty widens
    /// the reach of many calls) each of them is looked at beside the others.
    pub(crate) fn match_all(&mut self, now: Instant) {
        while let Some(changed) = self.changed.pop_front() {
            let is_alone = self.changed.is_empty();
            let found = match changed {
                Changed::Call(call) => self.match_call(now, call),
                Changed::Site(site) => self.match_site(now, site),
            };
            let Some(found) = found else { continue };
            let found = if is_alone {
                found
            } else {
                self.match_beside_others(now, found)
            };
            self.offer(now, found.call, found.agent, found.step);
            // Another free agent there may suit another call; this call may not have been the first.
            if changed != Changed::Call(found.call) {
                self.changed.push_front(changed);
            }
        }
        #[cfg(debug_assertions)]
        self.check_invariants(now);
    }

    /// An agent for a call that came to wait, or reaches further than before.
    fn match_call(&self, now: Instant, id: CallId) -> Option<Match> {
        let call = self
            .calls
            .get(&id)
            .filter(|call| call.phase == Phase::Waiting)?;
        self.match_class(now, call.line, self.classes.get(call.line, call.steps)?)
    }

    /// An agent for the first call of a class; the others of the class come after it.
    fn match_class(&self, now: Instant, line: LineId, class: &Class) -> Option<Match> {
        let line = self.directory.line_profile(line);
        let (agent, step) = self.agent_for(now, line, class.reach())?;
        Some(Match {
            call: class.first().call,
            agent,
            step,
        })
    }

    /// The first call, in the site's order, for one of the site's free agents.
    fn match_site(&self, now: Instant, site: SiteId) -> Option<Match> {
        let (line, class, reached) = self.first_at(site)?;
        let line = self.directory.line_profile(line);
        let (agent, step) = self.agent_for(now, line, &[reached])?;
        Some(Match {
            call: class.first().call,
            agent,
            step,
        })
    }

    /// The class whose first call comes first at a site, among those that a free agent there may
    /// take.
    fn first_at(&self, site: SiteId) -> Option<(LineId, &Class, Reached)> {
        let mut best: Option<(SeenFrom, (LineId, &Class, Reached))> = None;
        for ((id, _), class) in self.classes.iter() {
            let line = self.directory.line_profile(id);
            let Some(reached) = class.reaches(site) else {
                continue;
            };
            let seen = seen_from(site, line, class);
            let is_better = best.as_ref().is_none_or(|(before, _)| seen < *before);
            if is_better && self.may_take(site, line) {
                best = Some((seen, (id, class, *reached)));
            }
        }
        best.map(|(_, first)| first)
    }

    /// A match that is right for both: the call comes first at the agent's site, and the agent comes
    /// first for the call. From any match one gets there by asking the agent's site for its first
    /// call, and that call for its first agent.
    fn match_beside_others(&self, now: Instant, mut found: Match) -> Match {
        // No circle: a call that comes first at its own site ends the walk, since home is its nearest
        // ring, and every other turn goes to a lower (priority, arrival + home advantage, call). So
        // no class is met twice.
        for _ in 0..self.classes.iter().count() {
            let site = self.directory.agent_profile(found.agent).site;
            let better = self
                .first_at(site)
                .and_then(|(line, class, _)| self.match_class(now, line, class));
            match better {
                Some(better) if better != found => found = better,
                _ => break,
            }
        }
        found
    }

    /// Whether a free agent of a site may take a call of a line now: somebody qualifies, and for a
    /// call from elsewhere the site keeps its reserve.
    fn may_take(&self, site: SiteId, line: &Line) -> bool {
        let ready = self.staff.ready(site, line);
        let reserve = if site == line.site {
            0
        } else {
            self.directory.site_profile(site).reserve
        };
        ready > reserve
    }

    /// The agent whom a line's selection chooses in the nearest ring that has one.
    fn agent_for(
        &self,
        now: Instant,
        line: &Line,
        reach: &[Reached],
    ) -> Option<(AgentId, Option<StepIndex>)> {
        for ring in reach.chunk_by(|a, b| a.ring == b.ring) {
            let open = ring
                .iter()
                .filter(|reached| self.may_take(reached.site, line));
            let chosen = match line.selection {
                Selection::LongestIdle => self.choose(open, line, |_, since| since),
                Selection::MostSkilled => {
                    self.choose(open, line, |sum, since| (Reverse(sum), since))
                }
                Selection::LeastSkilled => self.choose(open, line, |sum, since| (sum, since)),
                Selection::LeastOccupied => self.least_occupied(now, open, line),
            };
            if chosen.is_some() {
                return chosen;
            }
        }
        None
    }

    /// The agent with the least rank among the longest idle of each group.
    fn choose<'a, R: Ord>(
        &self,
        open: impl Iterator<Item = &'a Reached>,
        line: &Line,
        rank: impl Fn(u32, Instant) -> R,
    ) -> Option<(AgentId, Option<StepIndex>)> {
        let candidates = open.flat_map(|reached| {
            let idle = self.staff.longest_idle(reached.site, line);
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
        open: impl Iterator<Item = &'a Reached>,
        line: &Line,
    ) -> Option<(AgentId, Option<StepIndex>)> {
        let candidates = open.flat_map(|reached| {
            let ready = self.staff.all_ready(reached.site, line);
            ready.map(|(since, agent)| (self.occupancy(now, agent), since, agent, reached.step))
        });
        candidates
            .min_by(|a, b| a.0.cmp(&b.0).then_with(|| (a.1, a.2).cmp(&(b.1, b.2))))
            .map(|(.., agent, step)| (agent, step))
    }

    fn occupancy(&self, now: Instant, agent: AgentId) -> Share {
        let agent = &self.agents[agent.index()];
        Share {
            part: agent.busy,
            whole: now - agent.logged_in,
        }
    }
}

/// The first call of a class as a site sees it.
pub(crate) fn seen_from(site: SiteId, line: &Line, class: &Class) -> SeenFrom {
    let OrderKey {
        priority,
        arrival,
        call,
    } = class.first();
    let advantage = if site == line.site {
        Duration::ZERO
    } else {
        line.home_advantage
    };
    (priority, arrival + advantage, call)
}

/// A part of a whole, compared exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Share {
    part: Duration,
    whole: Duration,
}

impl Share {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        // part / whole without rounding. Milliseconds: a product of two years fits well. Who logged
        // in this very moment has worked nothing of something.
        let product = |part: Duration, whole: Duration| part.as_millis() * whole.as_millis().max(1);
        product(self.part, other.whole).cmp(&product(other.part, self.whole))
    }
}
