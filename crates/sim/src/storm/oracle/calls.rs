//! Calls: each is there until it ends, waits in its order, and comes to no standstill.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use engine::{
    CallView, Engine,
    call::{CallId, StageView},
};

use super::{After, Oracle, SLACK, Verdict, Waiting, queues};
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
        let connected = calls
            .iter()
            .filter(|call| call.stage == StageView::Connected);
        self.talked.extend(connected.map(|call| call.id.clone()));
        self.look_at_limits(node, now, calls, after)?;
        let queues = queues(calls);
        for queue in queues.values() {
            look_at_order(queue)?;
        }
        if after != After::Order {
            self.look_who_was_first(calls)?;
        }
        let waiting = |call: &&CallView| Waiting {
            id: call.id.clone(),
            is_awaiting: call.awaited.is_some(),
            priority: call.priority,
            steps: call.steps.clone(),
        };
        let queues = queues.into_iter();
        self.waited = queues
            .map(|(line, queue)| (line, queue.iter().map(waiting).collect()))
            .collect();
        self.look_for_silence(calls)
    }

    /// The calls that are there are those that began and have not ended.
    fn look_for_each_call(&self, calls: &[CallView]) -> Verdict {
        let there: BTreeSet<_> = calls.iter().map(|call| &call.id).collect();
        if let Some(call) = self.open.keys().find(|call| !there.contains(call)) {
            return Err(format!("call {call} began, has not ended and is not there"));
        }
        let is_known =
            |call: &CallId| self.open.contains_key(call) || self.forgiven.contains(call.as_str());
        match there.iter().find(|call| !is_known(call)) {
            Some(call) => Err(format!("call {call} is there, and is over or never began")),
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
        // Who is sent on, or is left without an agent, waits again.
        let waits_too_long = |call: &&CallView| {
            let is_new = call.stage == StageView::Waiting && !self.talked.contains(&call.id);
            is_new && call.age > WAIT_MAX + SLACK && after == After::Step
        };
        match calls.iter().find(waits_too_long) {
            Some(call) => Err(format!("call {} waits since {:?}", call.id, call.age)),
            None => Ok(()),
        }
    }

    /// Of two calls of a line that wait alike, the one that came first is offered first.
    fn look_who_was_first(&self, calls: &[CallView]) -> Verdict {
        let now: BTreeMap<_, _> = calls.iter().map(|call| (&call.id, call)).collect();
        let as_before = |before: &Waiting| {
            let call = now.get(&before.id).copied();
            call.filter(|call| call.steps == before.steps && call.priority == before.priority)
        };
        for queue in self.waited.values() {
            for (index, first) in queue.iter().enumerate() {
                let still = as_before(first).filter(|call| call.place.is_some());
                let Some(still) = still.filter(|call| !self.offered.contains(&call.id)) else {
                    continue;
                };
                if first.is_awaiting || still.awaited.is_some() {
                    continue;
                }
                let later = queue[index + 1..].iter();
                let alike = later.filter(|later| later.steps == first.steps);
                for rings in alike.filter_map(as_before) {
                    if !rings.rung.is_empty() && rings.line == still.line {
                        return Err(format!(
                            "call {} is offered before {}, which came first",
                            rings.id, still.id
                        ));
                    }
                }
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
                "call {} (priority {}, for {:?}) is before {} (priority {}, for {:?})",
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
