//! What must hold between any two inputs. Checked after each mutation where debug assertions are on.

use std::time::Instant;

use crate::{
    acd::{Acd, Deadline, Phase},
    agent::{AgentState, AgentStateKind},
    ids::SiteId,
};

/// Up to so many calls and agents everything is checked after every mutation; beyond that the
/// check would cost more than what it checks.
const FULL_CHECK_MAX: usize = 64;

impl Acd {
    /// Panics when the tables disagree.
    ///
    /// # Panics
    /// When an invariant is broken: a defect of this crate.
    pub(crate) fn check_invariants(&self, now: Instant) {
        if self.calls.len() + self.agents.len() > FULL_CHECK_MAX {
            return;
        }
        self.check_calls();
        self.check_agents();
        self.check_fixed_point(now);
    }

    fn check_calls(&self) {
        for (id, call) in &self.calls {
            let rank = self.queues[call.line.index()].order.rank(&call.key);
            match call.phase {
                Phase::Waiting => {
                    assert!(rank.is_some(), "{id:?} waits and has no place");
                    let class = self.classes.get(call.line, call.steps);
                    assert!(class.is_some(), "{id:?} waits and is in no class");
                    if let Some(at) = call.step_at {
                        assert!(self.deadlines.contains(&(at, Deadline::Step(*id))));
                    }
                }
                Phase::Offered(offer) => {
                    assert!(rank.is_none(), "{id:?} is offered and waits");
                    let offer = self
                        .offers
                        .get(&offer)
                        .expect("an offered call has its offer");
                    assert_eq!(offer.call, *id, "an offer is for one call");
                }
                Phase::Talking {
                    agent, moving_to, ..
                } => {
                    assert!(rank.is_none(), "{id:?} is with an agent and waits");
                    if let Some(offer) = moving_to {
                        let offer = self.offers.get(&offer).expect("a call moves by an offer");
                        assert_eq!(offer.call, *id, "an offer is for one call");
                    }
                    let state = &self.agents[agent.index()].state;
                    assert!(
                        matches!(state, AgentState::Talking { call, .. } if call == id),
                        "{id:?} is with {agent:?}, who is {state:?}"
                    );
                }
            }
        }
        let waiting = self
            .queues
            .iter()
            .map(|queue| queue.order.len())
            .sum::<usize>();
        let phases = self
            .calls
            .values()
            .filter(|call| call.phase == Phase::Waiting)
            .count();
        assert_eq!(waiting, phases, "every waiting call is in one queue");
    }

    fn check_agents(&self) {
        for id in self.directory.agents() {
            let agent = &self.agents[id.index()];
            if let Some(at) = agent.state.ends_at() {
                let armed = self.deadlines.contains(&(at, Deadline::Agent(id)));
                assert!(armed, "{id:?} is {:?} without a deadline", agent.state);
            }
            if let AgentState::Offered { offer, .. } = agent.state {
                let live = self
                    .offers
                    .get(&offer)
                    .expect("an offered agent has an offer");
                assert_eq!(live.agent, id, "an offer is for one agent");
                assert!(
                    self.deadlines
                        .contains(&(live.deadline(), Deadline::Offer(offer)))
                );
            }
        }
        for site in self.directory.sites() {
            let known = self.directory.agents();
            let known = known
                .filter(|&id| self.directory.agent_profile(id).site == site)
                .count();
            let counted: usize = AgentStateKind::ALL
                .map(|kind| self.agents_in(site, kind))
                .iter()
                .sum();
            assert_eq!(known, counted, "agents over all states add up at {site:?}");
        }
    }

    /// Nobody waits whom a free agent may take.
    fn check_fixed_point(&self, _now: Instant) {
        for ((line_id, steps), class) in self.classes.iter() {
            let line = self.directory.line_profile(line_id);
            for reached in class.reach() {
                let ready = self.staff.ready(reached.site, line);
                let kept = self.kept_from(reached.site, line.site);
                assert!(
                    ready <= kept,
                    "{:?} of {line_id:?} {steps:?} waits while {ready} are free at {:?}",
                    class.first().call,
                    reached.site
                );
            }
        }
    }

    /// Free agents that a site keeps from the callers of another.
    fn kept_from(&self, site: SiteId, caller_site: SiteId) -> usize {
        if site == caller_site {
            0
        } else {
            self.directory.site_profile(site).reserve
        }
    }
}
