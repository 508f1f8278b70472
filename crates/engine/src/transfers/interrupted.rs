//! Transfers that a process left half done: they have failed.
//!
//! A colleague who rings goes on ringing, and a place in a queue is kept: those are known to the distributor.
//! Who had answered and was not joined yet, a telephone outside, and an agent who was about to take a call
//! over were known to the process alone.

use std::time::Instant;

use acd::CallPhase;
use call::{CallNumber, StageView};
use sip::StatusCode;

use crate::{
    engine::Engine,
    record::{Place, acd_id},
};

impl Engine {
    /// Ends what was under way for a call of before: it is the agent's again who has sent it on, or else
    /// waits once more.
    pub(crate) fn end_interrupted(&mut self, now: Instant, call: CallNumber) {
        let Some(place) = self.records.get(call).map(|record| record.place) else {
            return;
        };
        let phase = self.acd.call(acd_id(call)).map(|view| view.phase);
        if let Some(CallPhase::Waiting { .. } | CallPhase::Offered { .. }) = phase {
            return;
        }
        if place == Place::Left(None) {
            return self.end_consultation(now, call);
        }
        let status = StatusCode::TEMPORARILY_UNAVAILABLE;
        self.transfer_failed(now, call, status);
        let view = self.calls.view(call);
        if view.is_some_and(|view| view.stage == StageView::Waiting) {
            match place {
                Place::InDistributor => self.release_if_alone(now, call),
                Place::Left(_) | Place::Diverted(_) => self.return_to_distributor(now, call),
            }
        }
    }
}
