//! What of a node outlives its process, and how a later one begins with it.
//!
//! Callers who wait keep their places and are told so at once; phones that ring are sent the very same
//! INVITE; who talks goes on talking. What was under way with somebody outside, or was being taken over,
//! is as if it had failed.

use std::time::{Duration, Instant};

use acd::{
    AgentId, CallerKey, CrisisId, KeptAgent, KeptCall, KeptOffer, KeptSeeking, LineId, OfferId,
    Priority, SiteId, SiteState,
};
use bytes::Bytes;
use call::{AttemptId, CallNumber, KeptAttempt, KeptStage, KeptUnanswered};
use sip::Pii;
use sip_proxy::TrunkId;
use sip_transaction::{Flow, Refused};

use crate::{
    engine::Engine,
    record::{Answered, LiveOffer, Place, Record, SentTo, Standing, acd_id},
};

/// A node, as it is written down.
#[derive(Clone, Debug, Default)]
pub struct KeptNode {
    /// Calls that are not over.
    pub calls: Vec<KeptEntry>,
    /// Phones that were to stop ringing and have not said that they did.
    pub withdrawn: Vec<(CallNumber, KeptAttempt)>,
    /// INVITEs that have been refused, whose senders may not have heard that.
    pub refused: Vec<Refused>,
    /// BYEs that are not answered, and where they go.
    pub byes: Vec<(Bytes, Flow)>,
    /// Phones that were given up, and may still be answered.
    pub unanswered: Vec<KeptUnanswered>,
    /// The agents.
    pub agents: Vec<(AgentId, KeptAgent)>,
    /// How sites work, where somebody said so.
    pub stated: Vec<(SiteId, SiteState)>,
    /// The orders of crisis plans, in the order in which they were given.
    pub crises: Vec<acd::ActiveCrisis>,
    /// The crisis plans that are on at sites, in the order in which they were switched on there.
    pub crises_at: Vec<(SiteId, Vec<CrisisId>)>,
}

/// A call, as it is written down.
#[derive(Clone, Debug)]
pub struct KeptEntry {
    /// Its legs.
    pub legs: call::Kept,
    /// Its journey; `None` for one that is over but for its last ACK.
    pub journey: Option<KeptJourney>,
    /// What the distributor knows of it, if it has it.
    pub distribution: Option<KeptCall>,
}

/// A caller's journey.
#[derive(Clone, Debug)]
pub struct KeptJourney {
    /// The line that it is on.
    pub line: LineId,
    /// The trunk that it came by.
    pub trunk: Option<TrunkId>,
    /// The number that called.
    pub number: Option<Pii<String>>,
    /// When it came.
    pub offered_at: Instant,
    /// When it was answered, and who has it now.
    pub answered: Option<(Instant, AgentId)>,
    /// Offers and the attempts by which they are rung.
    pub offers: Vec<(OfferId, AgentId, AttemptId)>,
    /// The line that it has been sent on to, with the agent still there.
    pub sent_to: Option<(LineId, Instant)>,
    /// Where it is when the distributor has let it go.
    pub place: KeptPlace,
    /// The agent who has called, if one has.
    pub by: Option<AgentId>,
}

/// Whether the distributor has a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptPlace {
    /// It has.
    InDistributor,
    /// Somebody else has it: how it stood before.
    Left(Option<(Priority, Instant, Option<CallerKey>)>),
    /// Somebody outside took it then.
    Diverted(Instant),
}

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
        let journey = self.records.get(number).map(Record::keep);
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
        if let Some(trunk) = journey.trunk {
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
            .insert(number, Record::restore(id, journey, &offers));
        let mut distribution = entry.distribution?;
        if let KeptSeeking::Offered { offers: asked, .. } = &mut distribution.seeking {
            let is_rung = |one: &KeptOffer| offers.iter().any(|(offer, ..)| *offer == one.offer);
            asked.retain(is_rung);
        }
        Some((acd_id(number), distribution))
    }
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
    fn keep(&self) -> KeptJourney {
        KeptJourney {
            line: self.line,
            trunk: self.trunk,
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
            trunk: kept.trunk,
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
