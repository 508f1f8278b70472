//! Calls under way, by number.

use std::{collections::VecDeque, time::Duration};

use engine::acd::{CallId, CallerKey, LineId};

use super::callers::Caller;

/// A call under way.
#[derive(Debug)]
pub(super) struct Journey {
    pub(super) caller: Caller,
    pub(super) key: CallerKey,
    pub(super) line: LineId,
    /// When it came to that line.
    pub(super) came: Duration,
    /// How often the caller had called before, and given up.
    pub(super) attempt: u32,
    pub(super) stage: u32,
    /// How long the first talk takes, where that is known.
    pub(super) talk: Option<Duration>,
}

/// Journeys by call number. Numbers ascend and calls end: a window over the numbers.
#[derive(Debug, Default)]
pub(super) struct Journeys {
    first: u64,
    window: VecDeque<Option<Journey>>,
}

impl Journeys {
    /// Takes it in under the next number.
    pub(super) fn add(&mut self, journey: Journey) -> CallId {
        let number = self.first + self.window.len() as u64;
        self.window.push_back(Some(journey));
        CallId::new(number)
    }

    /// All of them.
    pub(super) fn calls(&self) -> impl Iterator<Item = CallId> {
        let numbers = (self.first..).zip(&self.window);
        numbers
            .filter(|(_, journey)| journey.is_some())
            .map(|(number, _)| CallId::new(number))
    }

    pub(super) fn remove(&mut self, call: CallId) -> Option<Journey> {
        let at = self.place(call)?;
        let journey = self.window.get_mut(at)?.take();
        while self.window.front().is_some_and(Option::is_none) {
            self.window.pop_front();
            self.first += 1;
        }
        journey
    }

    pub(super) fn get_mut(&mut self, call: CallId) -> Option<&mut Journey> {
        let at = self.place(call)?;
        self.window.get_mut(at)?.as_mut()
    }

    pub(super) fn get(&self, call: CallId) -> Option<&Journey> {
        self.window.get(self.place(call)?)?.as_ref()
    }

    fn place(&self, call: CallId) -> Option<usize> {
        usize::try_from(call.value().checked_sub(self.first)?).ok()
    }
}
