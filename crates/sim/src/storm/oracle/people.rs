//! Agents: nobody has two calls, every state that ends has an end, and who is free is asked.

use std::time::{Duration, Instant};

use engine::{
    CallView, Engine,
    acd::{AgentId, AgentState, NotReadyReason},
    call::{CallId, StageView},
};

use super::{After, Oracle, SLACK, Verdict};
use crate::storm::centre::{RING_MAX, SITES, SKILLS, skill_for, skill_of};

/// How long a caller may wait while an agent of the same site is free.
const UNMATCHED_MAX: Duration = Duration::from_secs(1);

/// How long it may take to bring together the two sides of a call that is sent on.
const JOINED_WITHIN: Duration = Duration::from_secs(40);

/// An agent as the node sees it.
struct Seat<'a> {
    id: AgentId,
    name: &'a str,
    state: &'a AgentState,
    /// The call that the agent is offered or talks in.
    call: Option<&'a CallId>,
}

impl<'a> Seat<'a> {
    fn all(node: &'a Engine) -> Vec<Self> {
        let directory = node.directory();
        let seats = directory.agents().map(|id| Seat {
            id,
            name: &directory.agent_profile(id).id,
            state: node.agent_state(id),
            call: node.call_of(id),
        });
        seats.collect()
    }

    const fn is_ready(&self) -> bool {
        matches!(self.state, AgentState::Ready { .. })
    }
}

impl Oracle {
    pub(super) fn look_at_people(
        &mut self,
        node: &Engine,
        now: Instant,
        calls: &[CallView],
        after: After,
    ) -> Verdict {
        let seats = Seat::all(node);
        // How many agents talk in each call.
        let mut talking = vec![0_usize; calls.len()];
        for seat in &seats {
            let Seat { id, name, .. } = *seat;
            if after == After::Step {
                self.look_at_state(seat, now)?;
            }
            let talks = match seat.state {
                AgentState::Talking { .. } => true,
                AgentState::Offered { .. } => false,
                _ => {
                    self.adrift.remove(&id);
                    continue;
                }
            };
            let at = seat
                .call
                .and_then(|id| calls.iter().position(|call| call.id == *id));
            let Some(at) = at else {
                self.look_at_adrift(id, name, seat.state, now)?;
                continue;
            };
            self.adrift.remove(&id);
            if talks {
                talking[at] += 1;
            } else if !calls[at].rung.contains(&id) {
                return Err(format!("{name} is rung, and not for call {}", calls[at].id));
            }
        }
        for (call, &count) in calls.iter().zip(&talking) {
            look_at_rung(node, call, &seats)?;
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
        self.look_who_is_free(node, &seats, calls)
    }

    /// Who was called about another call, and takes that one over, is in none when the colleague hangs up first: until it
    /// is known how that goes.
    fn look_at_adrift(
        &mut self,
        id: AgentId,
        name: &str,
        state: &AgentState,
        now: Instant,
    ) -> Verdict {
        let since = *self.adrift.entry(id).or_insert(now);
        let may_be = matches!(state, AgentState::Talking { .. }) && now <= since + JOINED_WITHIN;
        match may_be {
            true => Ok(()),
            false => Err(format!("{name} is {} in no call", state.kind().name())),
        }
    }

    /// A state that is to end has not outlived its end.
    fn look_at_state(&self, seat: &Seat<'_>, now: Instant) -> Verdict {
        let Seat { name, state, .. } = *seat;
        let ends_at = match state {
            AgentState::Offered { deadline, .. } => {
                // One that came back with what a disk had lost may have been answered.
                let was_answered = seat.call.is_some_and(|id| {
                    self.talked.contains(id) || self.forgiven.contains(id.as_str())
                });
                let longest = match was_answered {
                    true => JOINED_WITHIN,
                    false => RING_MAX,
                };
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
            let state = state.kind().name();
            return Err(format!("{name} is {state} since it should have ended"));
        }
        Ok(())
    }

    /// Who waits while somebody who may answer is free does not wait long.
    fn look_who_is_free(
        &mut self,
        node: &Engine,
        seats: &[Seat<'_>],
        calls: &[CallView],
    ) -> Verdict {
        // One that waits for one agent does so for no longer than that agent is awaited.
        let waits = |call: &CallView| call.place.is_some() && call.awaited.is_none();
        if !seats.iter().any(Seat::is_ready) || !calls.iter().any(waits) {
            self.unmatched.clear();
            return Ok(());
        }
        let directory = node.directory();
        for site in &SITES {
            let Some(id) = directory.site(site.id) else {
                continue;
            };
            for skill in SKILLS {
                let free = seats.iter().find(|seat| {
                    let is_here = directory.agent_profile(seat.id).site == id;
                    is_here && seat.is_ready() && skill_of(seat.name) == skill
                });
                let waits = calls.iter().find(|call| {
                    let profile = directory.line_profile(call.line);
                    profile.site == id && waits(call) && skill_for(&profile.id) == skill
                });
                let (Some(free), Some(waits)) = (free, waits) else {
                    self.unmatched.remove(&(site.id, skill));
                    continue;
                };
                let since = self.unmatched.entry((site.id, skill));
                let since = *since.or_insert(self.uptime);
                if self.uptime > since + UNMATCHED_MAX {
                    let (call, free) = (&waits.id, free.name);
                    return Err(format!("call {call} waits while {free} is free"));
                }
            }
        }
        Ok(())
    }
}

/// Whom a call rings is asked for it.
fn look_at_rung(node: &Engine, call: &CallView, seats: &[Seat<'_>]) -> Verdict {
    for rung in &call.rung {
        let seat = seats.iter().find(|seat| seat.id == *rung);
        let is_rung = seat.is_some_and(|seat| {
            let is_offered = matches!(seat.state, AgentState::Offered { .. });
            is_offered && seat.call == Some(&call.id)
        });
        if !is_rung {
            let rung = &node.directory().agent_profile(*rung).id;
            return Err(format!("call {} rings {rung}, who is not asked", call.id));
        }
    }
    Ok(())
}
