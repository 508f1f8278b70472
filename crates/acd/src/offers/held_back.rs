//! Offers whose phones have not been asked yet, because a disk is waited for.

use std::time::Instant;

use super::{LiveOffer, SignOfLife};
use crate::{
    acd::{Acd, Deadline},
    agent::AgentState,
    ids::OfferId,
};

impl Acd {
    /// What is decided from now on is held back, or leaves at once again: a disk is waited for. Phones that have given no
    /// sign of life are asked when it does, and have all their time from then on.
    pub fn hold_back(&mut self, now: Instant, is_held: bool) {
        let was_held = std::mem::replace(&mut self.is_held_back, is_held);
        if is_held || !was_held {
            return;
        }
        let is_awaited =
            |offer: &LiveOffer| matches!(offer.sign_of_life, SignOfLife::AwaitedUntil(_));
        let held = self.offers.keys().into_iter();
        let held: Vec<_> = held.filter(|&id| self.may_be_held(id)).collect();
        self.asked_before = self.next_offer;
        for id in held {
            let offer = self.offers.get(&id).filter(|offer| is_awaited(offer));
            let Some(call) = offer.and_then(|offer| self.calls.get(&offer.call)) else {
                continue;
            };
            let ring_time = self.directory.line_profile(call.line).ring_time;
            let until = now + self.settings.unreachable_after;
            self.begin_anew(id, until, now + ring_time);
        }
    }

    /// Whether its phone may not have been asked yet. Each has its time anew once: a disk that is slow is late again and again.
    pub(super) fn may_be_held(&self, id: OfferId) -> bool {
        id.value() >= self.asked_before
    }

    /// A phone has until then for a sign of life, and rings until then.
    pub(super) fn begin_anew(
        &mut self,
        id: OfferId,
        sign_of_life_by: Instant,
        ring_until: Instant,
    ) {
        let Some(offer) = self.offers.get_mut(&id) else {
            return;
        };
        let before = offer.deadline();
        offer.sign_of_life = SignOfLife::AwaitedUntil(sign_of_life_by);
        offer.ring_until = ring_until;
        let (after, agent) = (offer.deadline(), offer.agent);
        self.deadlines.remove((before, Deadline::Offer(id)));
        self.deadlines.insert((after, Deadline::Offer(id)));
        if let AgentState::Offered { deadline, .. } = &mut self.agent_mut(agent).state {
            *deadline = ring_until;
        }
    }
}
