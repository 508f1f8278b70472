//! What of a node outlives its process, and how a later one begins with it.
//!
//! Callers who wait keep their places and are told so at once; phones that ring are sent the very same
//! INVITE; who talks goes on talking. What was under way with somebody outside, or was being taken over,
//! is as if it had failed.

use std::time::{Duration, Instant};

use acd::{AgentId, KeptCall, KeptOffer, KeptSeeking, OfferId};
use bytes::Bytes;
use call::{AttemptId, CallNumber, KeptAttempt, KeptStage};
use journal::{KeptEntry, KeptJourney, KeptNode, KeptPhone, KeptPlace};
use sip::{UriBuf, headers::QValue};
use sip_proxy::{Binding, TrunkId, Trunks};

use crate::{
    engine::Engine,
    receive::aor_of,
    record::{Answered, LiveOffer, Place, Record, SentTo, Standing, acd_id},
};

/// Over how long those who talk are asked whether they are there.
const ASKED_WITHIN: Duration = Duration::from_secs(5);

impl Engine {
    /// What of this node is to outlive its process.
    pub fn kept(&self) -> KeptNode {
        let directory = self.directory();
        let calls = self.calls.numbers();
        KeptNode {
            calls: calls.filter_map(|number| self.kept_entry(number)).collect(),
            withdrawn: self.calls.kept_withdrawn(&self.layer),
            refused: self.layer.refused().collect(),
            byes: self.layer.open_byes().collect(),
            unanswered: self.calls.kept_unanswered(),
            agents: directory
                .agents()
                .map(|agent| (agent, self.acd.kept_agent(agent)))
                .collect(),
            phones: directory
                .agents()
                .filter_map(|agent| {
                    let phones = self.registrar.bindings(aor_of(agent));
                    let phones: Vec<_> = phones.map(kept_phone).collect();
                    (!phones.is_empty()).then_some((agent, phones))
                })
                .collect(),
            stated: directory
                .sites()
                .filter_map(|site| Some((site, self.acd.stated(site)?)))
                .collect(),
            crises: self.acd.active_crises().cloned().collect(),
            crises_at: directory
                .sites()
                .map(|site| (site, self.acd.crises_at(site).to_vec()))
                .collect(),
        }
    }

    fn kept_entry(&self, number: CallNumber) -> Option<KeptEntry> {
        let legs = self.calls.kept(&self.layer, number)?;
        let journey = self.records.get(number);
        let journey = journey.map(|record| record.keep(&self.trunks));
        // A call through a trunk that hides us rings somewhere: its agent calls again.
        if journey.is_none() && matches!(legs.stage, KeptStage::Waiting(_)) {
            return None;
        }
        Some(KeptEntry {
            legs,
            journey,
            distribution: self.acd.kept_call(acd_id(number)),
        })
    }

    /// Begins with what another has kept, in an engine that has no calls yet. What is to be sent at once
    /// is to be polled then.
    pub fn restore(&mut self, now: Instant, kept: KeptNode) {
        debug_assert!(self.calls.is_empty(), "it begins with what was before");
        self.now = now;
        let count = u32::try_from(kept.calls.len()).unwrap_or(u32::MAX);
        let gap = ASKED_WITHIN / count.max(1);
        let mut calls = Vec::new();
        for (index, entry) in (0..count).zip(kept.calls) {
            let ask_at = now + gap * (index + 1);
            calls.extend(self.restore_entry(now, entry, ask_at));
        }
        for (call, attempt) in &kept.withdrawn {
            self.calls
                .restore_withdrawn(now, &mut self.layer, *call, attempt);
        }
        for one in &kept.refused {
            self.calls.restore_refused(now, &mut self.layer, one);
        }
        for (bye, flow) in &kept.byes {
            self.calls.restore_bye(now, &mut self.layer, bye, *flow);
        }
        for one in kept.unanswered {
            self.calls.restore_unanswered(now, one);
        }
        for (agent, phones) in kept.phones {
            let phones = phones.into_iter().filter_map(phone);
            self.registrar.restore(now, aor_of(agent), phones.collect());
        }
        let kept = acd::KeptState {
            agents: kept.agents,
            calls,
            stated: kept.stated,
            crises: kept.crises,
            crises_at: kept.crises_at,
        };
        self.acd.restore(now, kept);
        let numbers: Vec<_> = self.calls.numbers().collect();
        self.to_announce.extend(numbers);
        self.pump(now);
    }

    /// What the distributor is to know of a call that goes on.
    fn restore_entry(
        &mut self,
        now: Instant,
        entry: KeptEntry,
        ask_at: Instant,
    ) -> Option<(acd::CallId, KeptCall)> {
        let number = entry.legs.number;
        let ringing: Vec<_> = attempts(&entry.legs.stage)
            .iter()
            .map(|attempt| attempt.id)
            .collect();
        if !self.calls.restore(now, &mut self.layer, entry.legs, ask_at) {
            return None;
        }
        let id = self.calls.view(number)?.id;
        let journey = entry.journey?;
        self.stories.begin(now, number, id.clone());
        let trunk = journey.trunk.as_deref();
        let trunk = trunk.and_then(|name| trunk_of(&self.trunks, name));
        if let Some(trunk) = trunk {
            self.trunk_loads.resume(trunk);
        }
        let rings = |attempt: AttemptId| ringing.contains(&attempt);
        for attempt in &ringing {
            self.records.attempts_begin_after(*attempt);
        }
        let offers: Vec<_> = journey
            .offers
            .iter()
            .copied()
            .filter(|&(.., attempt)| rings(attempt))
            .collect();
        self.records
            .insert(number, Record::restore(id, journey, trunk, &offers));
        let mut distribution = entry.distribution?;
        if let KeptSeeking::Offered { offers: asked, .. } = &mut distribution.seeking {
            let is_rung = |one: &KeptOffer| offers.iter().any(|(offer, ..)| *offer == one.offer);
            asked.retain(is_rung);
        }
        Some((acd_id(number), distribution))
    }
}

fn kept_phone(binding: &Binding) -> KeptPhone {
    KeptPhone {
        contact: Bytes::copy_from_slice(binding.contact.as_bytes()),
        q: binding.q.thousandths(),
        expires_at: binding.expires_at,
        register: (binding.call_id.clone(), binding.cseq),
        flows: (binding.flow, binding.source),
        path: binding.path.clone(),
        device: (binding.instance.clone(), binding.reg_id),
    }
}

fn phone(kept: KeptPhone) -> Option<Binding> {
    let ((call_id, cseq), (flow, source)) = (kept.register, kept.flows);
    Some(Binding {
        contact: UriBuf::new(kept.contact).ok()?,
        q: QValue::new(kept.q)?,
        expires_at: kept.expires_at,
        call_id,
        cseq,
        flow,
        source,
        path: kept.path,
        instance: kept.device.0,
        reg_id: kept.device.1,
    })
}

fn trunk_of(trunks: &Trunks, name: &str) -> Option<TrunkId> {
    let mut all = trunks.iter();
    all.find(|(_, trunk)| trunk.name == name).map(|(id, _)| id)
}

fn attempts(stage: &KeptStage) -> &[KeptAttempt] {
    match stage {
        KeptStage::Waiting(waiting) => &waiting.ringing,
        KeptStage::Connected(connected) => connected
            .onward
            .as_ref()
            .map_or(&[], |onward| &onward.ringing),
        KeptStage::Ending(_) => &[],
    }
}

impl Record {
    fn keep(&self, trunks: &Trunks) -> KeptJourney {
        KeptJourney {
            line: self.line,
            trunk: self.trunk.and_then(|id| Some(trunks.get(id)?.name.clone())),
            number: self.number.clone(),
            offered_at: self.offered_at,
            answered: self.answered.map(|answered| (answered.at, answered.agent)),
            offers: self
                .offers
                .iter()
                .map(|live| (live.offer, live.agent, live.attempt))
                .collect(),
            sent_to: self.sent_to.map(|sent| (sent.line, sent.at)),
            place: match self.place {
                Place::InDistributor => KeptPlace::InDistributor,
                Place::Left(standing) => {
                    let keep = |one: Standing| (one.priority, one.arrival, one.caller);
                    KeptPlace::Left(standing.map(keep))
                }
                Place::Diverted(at) => KeptPlace::Diverted(at),
            },
            by: self.by,
        }
    }

    /// The contacts of an agent that had not been tried are not tried any more.
    fn restore(
        id: call::CallId,
        kept: KeptJourney,
        trunk: Option<TrunkId>,
        offers: &[(OfferId, AgentId, AttemptId)],
    ) -> Self {
        let live = |&(offer, agent, attempt): &(OfferId, AgentId, AttemptId)| LiveOffer {
            offer,
            agent,
            attempt,
            rest: Vec::new(),
        };
        Self {
            id,
            line: kept.line,
            trunk,
            number: kept.number,
            offered_at: kept.offered_at,
            answered: kept.answered.map(|(at, agent)| Answered { at, agent }),
            offers: offers.iter().map(live).collect(),
            sent_to: kept.sent_to.map(|(line, at)| SentTo { line, at }),
            outside: None,
            place: match kept.place {
                KeptPlace::InDistributor => Place::InDistributor,
                KeptPlace::Left(standing) => {
                    Place::Left(standing.map(|(priority, arrival, caller)| Standing {
                        priority,
                        arrival,
                        caller,
                    }))
                }
                KeptPlace::Diverted(at) => Place::Diverted(at),
            },
            take_over: None,
            by: kept.by,
        }
    }
}
