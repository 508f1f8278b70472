//! Calls: each is there until it ends, waits in its order, and comes to no standstill.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use engine::{CallView, Engine, call::StageView};

use super::{After, Oracle, SLACK, Verdict, waiting};
use crate::storm::centre::{CALLS_MAX, WAIT_MAX};

/// How long a call may ring nobody that the distributor knows of: two sides are being brought together.
const RINGS_NOBODY_MAX: Duration = Duration::from_secs(45);

/// Far more than the calls of a storm need.
const TRANSACTIONS_MAX: usize = 2_000;

impl Oracle {
    pub(super) fn look_at_calls(
        &mut self,
        node: &Engine,
        now: Instant,
        calls: &[CallView],
        after: After,
    ) -> Verdict {
        self.look_for_each_call(calls)?;
        for call in calls {
            if call.stage == StageView::Connected && !self.talked.contains(&call.id) {
                self.talked.insert(call.id.clone());
            }
        }
        self.look_at_limits(node, now, calls, after)?;
        for queue in waiting(calls).chunk_by(|one, next| one.line == next.line) {
            look_at_order(queue)?;
        }
        if after != After::Order {
            self.look_who_was_first(calls)?;
        }
        self.look_for_silence(calls)
    }

    /// The calls that are there are those that began and have not ended.
    fn look_for_each_call(&self, calls: &[CallView]) -> Verdict {
        let (mut open, mut stranger) = (0, None);
        for call in calls {
            if self.open.contains_key(&call.id) {
                open += 1;
            } else if !self.forgiven.contains(call.id.as_str()) {
                stranger = stranger.or(Some(call));
            }
        }
        if open < self.open.len() {
            let there: BTreeSet<_> = calls.iter().map(|call| &call.id).collect();
            let missing = self.open.keys().filter(|call| !there.contains(call)).min();
            if let Some(call) = missing {
                return Err(format!("call {call} began, has not ended and is not there"));
            }
        }
        match stranger {
            Some(CallView { id, .. }) => {
                Err(format!("call {id} is there, and is over or never began"))
            }
            None => Ok(()),
        }
    }

    fn look_at_limits(
        &self,
        node: &Engine,
        now: Instant,
        calls: &[CallView],
        after: After,
    ) -> Verdict {
        if calls.len() > CALLS_MAX {
            return Err(format!("{} calls", calls.len()));
        }
        let live = node.calls_live();
        let due = node.poll_timeout();
        if live > 0 && due.is_none() {
            return Err(format!("{live} calls and no deadline"));
        }
        if let Some(at) = due.filter(|at| *at + SLACK < now && after == After::Step) {
            return Err(format!("what was due {:?} ago is not done", now - at));
        }
        if self.looks.is_multiple_of(16) {
            let status = node.status(now);
            // Two legs each, three while a call is sent on, and those that wait for a last ACK.
            if status.legs > 3 * live {
                return Err(format!("{} legs of {live} calls", status.legs));
            }
            let transactions = status.server_transactions + status.client_transactions;
            if transactions > TRANSACTIONS_MAX {
                return Err(format!("{transactions} transactions"));
            }
        }
        // Who is sent on, or is left without an agent, waits again; one whose end was lost with the disk is forgotten to
        // have talked.
        let has_talked = |call: &CallView| {
            self.talked.contains(&call.id) || self.forgiven.contains(call.id.as_str())
        };
        let waits_too_long = |call: &&CallView| {
            let is_new = call.stage == StageView::Waiting && !has_talked(call);
            is_new && call.age > WAIT_MAX + SLACK && after == After::Step
        };
        match calls.iter().find(waits_too_long) {
            Some(call) => Err(format!("call {} waits since {:?}", call.id, call.age)),
            None => Ok(()),
        }
    }

    /// Of two calls of a line that wait alike, the one that came first is offered first.
    fn look_who_was_first(&self, calls: &[CallView]) -> Verdict {
        let before = |call: &CallView| self.before.iter().find(|before| before.id == call.id);
        let as_before = |now: &CallView, before: &CallView| {
            now.steps == before.steps && now.priority == before.priority
        };
        // Mostly nobody rings who waited when it was last looked.
        let rings = calls.iter().filter(|call| !call.rung.is_empty());
        for (rings, later) in rings.filter_map(|call| Some((call, before(call)?))) {
            let Some(place) = later.place.filter(|_| as_before(rings, later)) else {
                continue;
            };
            let waits_still = |first: &CallView| {
                let is_it = |call: &&CallView| call.id == first.id && as_before(call, first);
                let still = calls.iter().find(is_it);
                still.filter(|call| {
                    let is_at_place = call.place.is_some() && call.awaited.is_none();
                    is_at_place && call.line == rings.line
                })
            };
            let mut first = self.before.iter().filter(|first| {
                let was_before =
                    first.line == later.line && first.place.is_some_and(|at| at < place);
                was_before && first.awaited.is_none() && first.steps == later.steps
            });
            let passed = first.find_map(|first| {
                waits_still(first).filter(|call| !self.offered.contains(&call.id))
            });
            if let Some(still) = passed {
                return Err(format!(
                    "call {} is offered before {}, which came first",
                    rings.id, still.id
                ));
            }
        }
        Ok(())
    }

    /// A call that rings does so at somebody's, or is being joined.
    fn look_for_silence(&mut self, calls: &[CallView]) -> Verdict {
        let mut silent = BTreeMap::new();
        for call in calls {
            let rings = call.stage == StageView::Ringing;
            if rings && call.rung.is_empty() && call.agent.is_none() {
                let since = self.silent.get(&call.id).copied();
                let since = since.unwrap_or(self.uptime);
                if self.uptime > since + RINGS_NOBODY_MAX {
                    return Err(format!("call {} rings, and nobody is asked", call.id));
                }
                silent.insert(call.id.clone(), since);
            }
        }
        self.silent = silent;
        Ok(())
    }
}

/// Places are 1, 2, 3, ... in the order of priority and arrival.
fn look_at_order(queue: &[&CallView]) -> Verdict {
    for (index, call) in queue.iter().enumerate() {
        if call.place != Some(index + 1) {
            return Err(format!(
                "call {} has place {:?}, and {index} are before it",
                call.id, call.place
            ));
        }
    }
    for pair in queue.windows(2) {
        let [first, second] = pair else { continue };
        let key = |call: &CallView| (call.priority, Reverse(call.place_since));
        if key(first) > key(second) {
            return Err(format!(
                "call {} (priority {:?}, for {:?}) is before {} (priority {:?}, for {:?})",
                first.id,
                first.priority,
                first.place_since,
                second.id,
                second.priority,
                second.place_since
            ));
        }
    }
    Ok(())
}
