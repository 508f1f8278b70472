//! What may have changed since somebody last asked: for whoever writes it down.

use crate::{
    acd::{Acd, Agent},
    ids::{AbandonedId, AgentId, CallId, CallerKey},
};

/// What may have changed of what [`Acd::kept_call`] and the others of its kind tell. In no order, some
/// perhaps twice, some perhaps gone.
#[derive(Debug, Default)]
pub struct Touched {
    /// Calls.
    pub calls: Vec<CallId>,
    /// Agents.
    pub agents: Vec<AgentId>,
    /// Entries of the list of abandoned callers.
    pub abandoned: Vec<AbandonedId>,
    /// Callers who are remembered.
    pub callers: Vec<CallerKey>,
    /// How sites work, or which crisis plans are on.
    pub sites: bool,
}

impl Acd {
    /// From now on it is noted what changes: for whoever writes it down, and asks [`Acd::take_touched`]
    /// again and again.
    pub fn note_touched(&mut self) {
        self.touched.get_or_insert_default();
        self.calls.note_touched();
        self.offers.note_touched();
        self.callers.note_touched();
        self.abandoned.note_touched();
    }

    /// What was touched since this was last asked for.
    pub fn take_touched(&mut self) -> Touched {
        let Some(touched) = &mut self.touched else {
            return Touched::default();
        };
        let mut touched = std::mem::take(touched);
        touched.calls = self.calls.take_touched();
        let offers = self.offers.take_touched();
        let of_offers = offers.iter().filter_map(|offer| self.offers.get(offer));
        touched.calls.extend(of_offers.map(|offer| offer.call));
        touched.callers = self.callers.take_touched();
        touched.abandoned = self.abandoned.take_touched();
        touched
    }

    /// An agent to change.
    pub(crate) fn agent_mut(&mut self, id: AgentId) -> &mut Agent {
        if let Some(touched) = &mut self.touched
            && touched.agents.last() != Some(&id)
        {
            touched.agents.push(id);
        }
        &mut self.agents[id.index()]
    }

    pub(crate) const fn touch_sites(&mut self) {
        if let Some(touched) = &mut self.touched {
            touched.sites = true;
        }
    }
}
