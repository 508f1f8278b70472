//! What may have changed since somebody last asked: for whoever writes it down.

use crate::{
    acd::{Acd, Agent},
    ids::{AbandonedId, AgentId, CallId, CallerKey},
};

/// Something of which [`Acd::kept_call`] or another of its kind may say something else than before; it may be gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touched {
    /// A call.
    Call(CallId),
    /// An agent.
    Agent(AgentId),
    /// An entry of the list of abandoned callers.
    Abandoned(AbandonedId),
    /// A caller who is remembered.
    Caller(CallerKey),
    /// How sites work, or which crisis plans are on.
    Sites,
}

/// What is noted beside what the tables note themselves.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    agents: Vec<AgentId>,
    sites: bool,
}

impl Acd {
    /// From now on it is noted what changes: for whoever writes it down, and asks [`Acd::drain_touched`]
    /// again and again.
    pub fn note_touched(&mut self) {
        self.notes.get_or_insert_default();
        self.calls.note_touched();
        self.offers.note_touched();
        self.callers.note_touched();
        self.abandoned.note_touched();
    }

    /// From now on nothing is noted: nobody writes it down any more.
    pub fn note_nothing(&mut self) {
        self.notes = None;
        self.calls.note_nothing();
        self.offers.note_nothing();
        self.callers.note_nothing();
        self.abandoned.note_nothing();
    }

    /// How many notes nobody has asked for yet.
    pub fn notes(&self) -> usize {
        let own = self.notes.as_ref();
        own.map_or(0, |notes| notes.agents.len() + usize::from(notes.sites))
            + self.calls.notes()
            + self.offers.notes()
            + self.callers.notes()
            + self.abandoned.notes()
    }

    /// Tells what was touched since this was last asked for, in no order, some of it perhaps twice.
    pub fn drain_touched(&mut self, mut tell: impl FnMut(Touched)) {
        let Some(notes) = &mut self.notes else { return };
        for agent in notes.agents.drain(..) {
            tell(Touched::Agent(agent));
        }
        if std::mem::take(&mut notes.sites) {
            tell(Touched::Sites);
        }
        for (call, _) in self.calls.drain_touched() {
            tell(Touched::Call(call));
        }
        // The call of one that is gone was touched when it went.
        for offer in self.offers.drain_touched().filter_map(|(_, offer)| offer) {
            tell(Touched::Call(offer.call));
        }
        for caller in self.callers.drain_touched() {
            tell(Touched::Caller(caller));
        }
        for entry in self.abandoned.drain_touched() {
            tell(Touched::Abandoned(entry));
        }
    }

    /// An agent to change.
    pub(crate) fn agent_mut(&mut self, id: AgentId) -> &mut Agent {
        if let Some(notes) = &mut self.notes
            && notes.agents.last() != Some(&id)
        {
            notes.agents.push(id);
        }
        &mut self.agents[id.index()]
    }

    pub(crate) const fn touch_sites(&mut self) {
        if let Some(notes) = &mut self.notes {
            notes.sites = true;
        }
    }
}
