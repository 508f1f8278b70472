//! Several agents ring for one call, where its line wants it: life is at risk.

use std::time::Instant;

use crate::{
    acd::Acd,
    call::{Otherwise, Seeking},
    ids::CallId,
};

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
            self.thin.insert(call.key);
        } else {
            self.thin.remove(&call.key);
        }
    }

    /// Rings more agents for calls whose lines want several to ring, with those who are free although
    /// no call waits for them.
    pub(crate) fn ring_more(&mut self, now: Instant) {
        let thin: Vec<_> = self.thin.iter().map(|key| key.call).collect();
        for id in thin {
            while let Some(call) = self.calls.get(&id)
                && self.thin.contains(&call.key)
            {
                let class = self.classes.get(call.class);
                let Some((agent, step)) = self.agent_for(now, class, class.reach()) else {
                    break;
                };
                self.open_offer(now, id, agent, step, Otherwise::Place);
                self.note_thin(id);
            }
        }
    }
}
