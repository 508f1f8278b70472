//! What is on a disk is there when a process has begun with it.

use std::time::Instant;

use engine::{
    Engine,
    call::KeptStage,
    journal::{self, Clock, KeptNode, KeptPlace},
};

use super::{Oracle, Verdict};
use crate::host::Rows;

impl Oracle {
    /// A process has just begun with these rows.
    pub(in crate::storm) fn look_at_beginning(
        node: &Engine,
        now: Instant,
        rows: &Rows,
        clock: Clock,
    ) -> Verdict {
        let read = journal::decode(rows.values(), node.names(), clock).node;
        look_at_calls(node, now, &read)?;
        for (agent, kept) in &read.agents {
            let view = node.agent(now, *agent);
            if view.wants != kept.want {
                let name = &node.directory().agent_profile(*agent).id;
                let (wanted, wants) = (&kept.want, &view.wants);
                return Err(format!("{name} wanted {wanted:?}, which is {wants:?} now"));
            }
        }
        for (agent, phones) in &read.phones {
            let some = phones.iter().any(|phone| phone.expires_at > now);
            if some && !node.agent(now, *agent).has_phone {
                let name = &node.directory().agent_profile(*agent).id;
                return Err(format!("the phone of {name} is forgotten"));
            }
        }
        for (entry, ..) in &read.abandoned {
            if node.abandoned_entry(now, *entry).is_none() {
                return Err(format!("{entry:?} is not to be called back any more"));
            }
        }
        let crises = node.crises(now);
        let on: usize = crises.iter().map(|crisis| crisis.orders.len()).sum();
        let due = |order: &&engine::acd::ActiveCrisis| order.until.is_none_or(|at| at > now);
        let kept = read.crises.iter().filter(due).count();
        match on < kept {
            true => Err(format!("{kept} crisis plans were on, and {on} are")),
            false => Ok(()),
        }
    }
}

/// Every call that is not over is there, and as old as it was.
fn look_at_calls(node: &Engine, now: Instant, read: &KeptNode) -> Verdict {
    for entry in &read.calls {
        let is_over = matches!(entry.legs.stage, KeptStage::Ending(_));
        let Some(journey) = entry.journey.as_ref().filter(|_| !is_over) else {
            continue;
        };
        // Its agent was taking over the call that it is about: it is over however that goes.
        if journey.place == KeptPlace::Left(None) {
            continue;
        }
        let id = &entry.legs.id;
        let Some(call) = node.call(now, id) else {
            return Err(format!("call {id} is on the disk, and forgotten"));
        };
        let age = now.saturating_duration_since(journey.offered_at);
        if call.age != age {
            return Err(format!("call {id} is {age:?} old, not {:?}", call.age));
        }
    }
    Ok(())
}
