//! What is due, and when.
//!
//! A hundred thousand waiting calls have a step each that falls due; offers, agents and lines are few, and theirs come and
//! go with each decision. So the two lie apart: what is few stays in the caches, whatever waits.

use std::{collections::BTreeSet, time::Instant};

use crate::{acd::Deadline, ids::CallId};

/// All deadlines, the first first; at the same moment, steps before all others.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    steps: BTreeSet<(Instant, CallId)>,
    others: BTreeSet<(Instant, Deadline)>,
}

impl Deadlines {
    pub(crate) fn insert(&mut self, (at, deadline): (Instant, Deadline)) {
        match deadline {
            Deadline::Step(call) => self.steps.insert((at, call)),
            other => self.others.insert((at, other)),
        };
    }

    pub(crate) fn remove(&mut self, (at, deadline): (Instant, Deadline)) {
        match deadline {
            Deadline::Step(call) => self.steps.remove(&(at, call)),
            other => self.others.remove(&(at, other)),
        };
    }

    pub(crate) fn first(&self) -> Option<(Instant, Deadline)> {
        let step = self.steps.first();
        let step = step.map(|&(at, call)| (at, Deadline::Step(call)));
        let other = self.others.first().copied();
        step.into_iter().chain(other).min()
    }

    #[cfg(debug_assertions)]
    pub(crate) fn contains(&self, (at, deadline): (Instant, Deadline)) -> bool {
        match deadline {
            Deadline::Step(call) => self.steps.contains(&(at, call)),
            other => self.others.contains(&(at, other)),
        }
    }
}
