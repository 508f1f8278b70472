//! The story of each call: what happened to it and why, for whoever asks afterwards.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Instant,
};

use call::{CallId, CallNumber};

use crate::event::Event;

/// What is told of one call. What comes then is counted.
const ENTRIES_MAX: usize = 256;

/// What happened to one call, in order.
#[derive(Debug)]
pub(crate) struct Story {
    pub(crate) id: CallId,
    pub(crate) began: Instant,
    pub(crate) entries: Vec<(Instant, Event)>,
    pub(crate) left_out: usize,
}

/// The stories of all calls that are there, and of the last that ended.
#[derive(Debug)]
pub(crate) struct Stories {
    by_number: BTreeMap<CallNumber, Story>,
    by_id: BTreeMap<CallId, CallNumber>,
    ended: VecDeque<CallNumber>,
    ended_max: usize,
}

impl Stories {
    /// None yet; those of so many calls are kept that have ended.
    pub(crate) const fn new(ended_max: usize) -> Self {
        Self {
            by_number: BTreeMap::new(),
            by_id: BTreeMap::new(),
            ended: VecDeque::new(),
            ended_max,
        }
    }

    pub(crate) fn begin(&mut self, now: Instant, number: CallNumber, id: CallId) {
        self.by_id.insert(id.clone(), number);
        let story = Story {
            id,
            began: now,
            entries: Vec::new(),
            left_out: 0,
        };
        self.by_number.insert(number, story);
    }

    pub(crate) fn note(&mut self, now: Instant, event: &Event) {
        let Some(&number) = event.call().and_then(|id| self.by_id.get(id)) else {
            return;
        };
        if let Some(story) = self.by_number.get_mut(&number) {
            if story.entries.len() < ENTRIES_MAX {
                story.entries.push((now, event.clone()));
            } else {
                story.left_out += 1;
            }
        }
    }

    /// A call is over. Its story is kept for a while.
    pub(crate) fn end(&mut self, number: CallNumber) {
        self.ended.push_back(number);
        while self.ended.len() > self.ended_max {
            if let Some(oldest) = self.ended.pop_front()
                && let Some(story) = self.by_number.remove(&oldest)
            {
                self.by_id.remove(&story.id);
            }
        }
    }

    pub(crate) fn by_id(&self, id: &str) -> Option<&Story> {
        self.by_number.get(self.by_id.get(id)?)
    }

    /// The id of a call that is there, or was not long ago.
    pub(crate) fn id_of(&self, call: acd::CallId) -> Option<&CallId> {
        let story = self.by_number.get(&CallNumber::from_value(call.value()))?;
        Some(&story.id)
    }
}
