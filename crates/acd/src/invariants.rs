//! What must hold between any two inputs. Checked after each mutation where debug assertions are on.

use crate::{
    acd::{Acd, Deadline},
    agent::{AgentState, AgentStateKind},
    call::{Call, Seeking},
    ids::CallId,
};

/// Up to so many calls and agents everything is checked after every mutation; beyond that the
/// check would cost more than what it checks.
const FULL_CHECK_MAX: usize = 64;

impl Acd {
    /// Panics when the tables disagree.
    ///
    /// # Panics
    /// When an invariant is broken: a defect of this crate.
    pub(crate) fn check_invariants(&self) {
        if self.calls.len() + self.agents.len() > FULL_CHECK_MAX {
            return;
        }
        self.check_calls();
        self.check_agents();
        self.check_fixed_point();
    }

    fn check_calls(&self) {
        let mut seek = 0;
        for id in self.calls.keys() {
            let call = self.calls.get(&id).expect("its key is there");
            seek += usize::from(call.waits());
            let rank = self.queues[call.line.index()].order.rank(&call.key);
            assert_eq!(
                rank.is_some(),
                call.waits(),
                "{id:?}: waits if it has a place"
            );
            self.check_call(id, call);
            if let Some(with) = call.with {
                let state = &self.agents[with.agent.index()].state;
                assert!(
                    matches!(state, AgentState::Talking { call, .. } if *call == id),
                    "{id:?} is with {with:?}, who is {state:?}"
                );
            }
        }
        let waiting: usize = self.queues.iter().map(|queue| queue.order.len()).sum();
        assert_eq!(waiting, seek, "every waiting call is in one queue");
    }

    fn check_call(&self, id: CallId, call: &Call) {
        match &call.seeking {
            Seeking::Place => {
                let class = self.classes.get(call.class);
                assert_eq!(class.line, call.line, "{id:?} is in a class of its line");
                if let Some(at) = call.step_at {
                    assert!(self.deadlines.contains((at, Deadline::Step(id))));
                }
                let in_class = class.has(call.key);
                match call.awaited {
                    None => assert!(in_class, "{id:?} waits and nobody sees it"),
                    Some((agent, until)) => {
                        assert!(!in_class, "{id:?} waits for {agent:?} and for others");
                        assert!(self.personal[&agent].contains(&call.key));
                        assert!(self.deadlines.contains((until, Deadline::Awaited(id))));
                    }
                }
            }
            Seeking::Offered { offers, .. } => {
                assert!(!offers.is_empty(), "{id:?} is offered to nobody");
                for offer in offers {
                    let live = self.offers.get(offer).expect("an offer under way is known");
                    assert_eq!(live.call, id, "an offer is for one call");
                }
            }
            Seeking::Nobody => assert!(call.with.is_some(), "{id:?} is lost"),
        }
    }

    fn check_agents(&self) {
        for id in self.directory.agents() {
            let agent = &self.agents[id.index()];
            if let Some(at) = agent.state.ends_at() {
                let armed = self.deadlines.contains((at, Deadline::Agent(id)));
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
                        .contains((live.deadline(), Deadline::Offer(offer)))
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
    fn check_fixed_point(&self) {
        for (_, class) in self.classes.occupied() {
            for reached in class.reach() {
                assert!(
                    !self.may_take(reached.site, class),
                    "{:?} waits while somebody is free at {:?}",
                    class.first(),
                    reached.site
                );
            }
        }
    }
}
