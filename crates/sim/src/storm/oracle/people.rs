//! Agents: nobody has two calls, every state that ends has an end, and who is free is asked.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use engine::{
    AgentView, CallView, Engine,
    acd::{AgentState, NotReadyReason},
    call::{CallId, StageView},
};

use super::{After, Oracle, SLACK, Verdict};
use crate::storm::centre::{RING_MAX, SITES, SKILLS, skill_for, skill_of};

/// How long a caller may wait while an agent of the same site is free.
const UNMATCHED_MAX: Duration = Duration::from_secs(1);

/// How long it may take to bring together the two sides of a call that is sent on.
const JOINED_WITHIN: Duration = Duration::from_secs(40);

type Calls<'a> = BTreeMap<&'a CallId, &'a CallView>;

impl Oracle {
    pub(super) fn look_at_people(
        &mut self,
        node: &Engine,
        now: Instant,
        calls: &[CallView],
        after: After,
    ) -> Verdict {
        let agents = node.agents(now);
        let calls: Calls<'_> = calls.iter().map(|call| (&call.id, call)).collect();
        let mut talking: BTreeMap<&CallId, usize> = BTreeMap::new();
        for agent in &agents {
            let name = &node.directory().agent_profile(agent.id).id;
            if after == After::Step {
                let was_answered = agent
                    .call
                    .as_ref()
                    .is_some_and(|id| self.talked.contains(id));
                let longest = match was_answered {
                    true => JOINED_WITHIN,
                    false => RING_MAX,
                };
                look_at_state(name, agent, now, longest)?;
            }
            let talks = match agent.state {
                AgentState::Talking { .. } => true,
                AgentState::Offered { .. } => false,
                _ => continue,
            };
            let call = agent.call.as_ref().and_then(|id| calls.get(id));
            let Some(call) = call else {
                let state = agent.state.kind().name();
                return Err(format!("{name} is {state} in no call"));
            };
            if talks {
                *talking.entry(&call.id).or_default() += 1;
            } else if !call.rung.contains(&agent.id) {
                return Err(format!("{name} is rung, and not for call {}", call.id));
            }
        }
        for call in calls.values() {
            look_at_rung(node, call, &agents)?;
            let count = talking.get(&call.id).copied().unwrap_or_default();
            let is_fine = match (count, call.stage) {
                (0, StageView::Connected) => self.agents_lost || self.alone.contains(&call.id),
                (1, StageView::Connected) => true,
                // While it is sent on, whoever does so may keep the caller company.
                (1, _) => self.talked.contains(&call.id),
                (count, _) => count == 0,
            };
            if !is_fine {
                return Err(format!(
                    "call {} is {:?}, and {count} agents have it",
                    call.id, call.stage
                ));
            }
        }
        self.look_who_is_free(node, &agents, &calls)
    }

    /// Who waits while somebody who may answer is free does not wait long.
    fn look_who_is_free(
        &mut self,
        node: &Engine,
        agents: &[AgentView],
        calls: &Calls<'_>,
    ) -> Verdict {
        let is_ready = |agent: &AgentView| matches!(agent.state, AgentState::Ready { .. });
        let waits = |call: &&CallView| call.place.is_some() && call.awaited.is_none();
        if !agents.iter().any(is_ready) || !calls.values().copied().any(|call| waits(&call)) {
            self.unmatched.clear();
            return Ok(());
        }
        let directory = node.directory();
        let served = SITES
            .iter()
            .flat_map(|site| SKILLS.map(|skill| (site.id, skill)));
        for (site, skill) in served {
            let Some(id) = directory.site(site) else {
                continue;
            };
            let free = agents.iter().find(|agent| {
                let profile = directory.agent_profile(agent.id);
                let is_here = profile.site == id && skill_of(&profile.id) == skill;
                is_here && is_ready(agent)
            });
            // One that waits for one agent does so for no longer than that agent is awaited.
            let waits = calls.values().find(|call| {
                let profile = directory.line_profile(call.line);
                let is_here = profile.site == id && skill_for(&profile.id) == skill;
                is_here && waits(call)
            });
            let (Some(free), Some(waits)) = (free, waits) else {
                self.unmatched.remove(&(site, skill));
                continue;
            };
            let since = *self.unmatched.entry((site, skill)).or_insert(self.uptime);
            if self.uptime > since + UNMATCHED_MAX {
                let free = &directory.agent_profile(free.id).id;
                return Err(format!("call {} waits while {free} is free", waits.id));
            }
        }
        Ok(())
    }
}

/// Whom a call rings is asked for it.
fn look_at_rung(node: &Engine, call: &CallView, agents: &[AgentView]) -> Verdict {
    for rung in &call.rung {
        let agent = agents.iter().find(|agent| agent.id == *rung);
        let is_rung = agent.is_some_and(|agent| {
            let is_offered = matches!(agent.state, AgentState::Offered { .. });
            is_offered && agent.call.as_ref() == Some(&call.id)
        });
        if !is_rung {
            let rung = &node.directory().agent_profile(*rung).id;
            return Err(format!("call {} rings {rung}, who is not asked", call.id));
        }
    }
    Ok(())
}

/// A state that is to end has not outlived its end.
fn look_at_state(name: &str, agent: &AgentView, now: Instant, longest: Duration) -> Verdict {
    let ends_at = match &agent.state {
        AgentState::Offered { deadline, .. } => {
            if *deadline > now + longest {
                return Err(format!("{name} is rung for longer than any line rings"));
            }
            *deadline
        }
        AgentState::WrapUp { until } => *until,
        AgentState::Unreachable { retry_at }
        | AgentState::NotReady {
            reason: NotReadyReason::Busy { retry_at } | NotReadyReason::Declined { retry_at },
            ..
        } => *retry_at,
        AgentState::LoggedOut
        | AgentState::NotReady { .. }
        | AgentState::Ready { .. }
        | AgentState::Talking { .. } => return Ok(()),
    };
    if ends_at + SLACK < now {
        let state = agent.state.kind().name();
        return Err(format!("{name} is {state} since it should have ended"));
    }
    Ok(())
}
