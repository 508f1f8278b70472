//! Several agents ring for one call, where its line wants it: life is at risk.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use crate::{
    acd::Acd,
    call::{Otherwise, Seeking},
    classes::ClassId,
    ids::{AgentId, CallId, StepRef},
    order::OrderKey,
};

/// Calls that ring fewer agents than their lines want, by class: whoever can ring for the first of a
/// class can ring for any, so only the first is looked at.
#[derive(Debug, Default)]
pub(crate) struct Thin {
    by_class: BTreeMap<ClassId, BTreeSet<OrderKey>>,
}

impl Thin {
    fn insert(&mut self, class: ClassId, key: OrderKey) {
        self.by_class.entry(class).or_default().insert(key);
    }

    /// Whether it was there.
    pub(crate) fn remove(&mut self, class: ClassId, key: OrderKey) -> bool {
        let Some(calls) = self.by_class.get_mut(&class) else {
            return false;
        };
        let was_there = calls.remove(&key);
        if calls.is_empty() {
            self.by_class.remove(&class);
        }
        was_there
    }

    /// A call has another class or another place.
    pub(crate) fn place_anew(&mut self, before: (ClassId, OrderKey), now: (ClassId, OrderKey)) {
        if self.remove(before.0, before.1) {
            self.insert(now.0, now.1);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_class.is_empty()
    }

    /// The first call of each class, in the order in which they are served.
    fn firsts(&self) -> Vec<(OrderKey, ClassId)> {
        let classes = self.by_class.iter();
        let firsts = classes.filter_map(|(&class, calls)| Some((*calls.first()?, class)));
        let mut firsts: Vec<_> = firsts.collect();
        firsts.sort_unstable();
        firsts
    }
}

impl Acd {
    /// Remembers that more agents may ring for a call, if its line wants more.
    pub(crate) fn note_thin(&mut self, id: CallId) {
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        let wanted = self.directory.line_profile(call.line).parallel;
        let rung = call.offers().len();
        let from_place = matches!(
            call.seeking,
            Seeking::Offered {
                otherwise: Otherwise::Place,
                ..
            }
        );
        if from_place && rung < wanted {
            self.thin.insert(call.class, call.key);
        } else {
            self.thin.remove(call.class, call.key);
        }
    }

    /// Rings more agents for calls whose lines want several to ring, with those who are free although
    /// no call waits for them.
    pub(crate) fn ring_more(&mut self, now: Instant) {
        while let Some((id, agent, step)) = self.next_to_ring_more(now) {
            self.open_offer(now, id, agent, step, Otherwise::Place);
            self.note_thin(id);
        }
    }

    fn next_to_ring_more(&self, now: Instant) -> Option<(CallId, AgentId, Option<StepRef>)> {
        self.thin.firsts().into_iter().find_map(|(key, class)| {
            let class = self.classes.get(class);
            let (agent, step) = self.agent_for(now, class, class.reach())?;
            Some((key.call, agent, step))
        })
    }
}
