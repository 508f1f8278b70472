//! What of a node outlives its process, and how a later one begins with it.
//!
//! Callers who wait keep their places and are told so at once; phones that ring are sent the very same
//! INVITE; who talks goes on talking. What was under way with somebody outside, or was being taken over,
//! is as if it had failed.

use std::time::{Duration, Instant};

use acd::{AgentId, KeptCall, KeptOffer, KeptSeeking, OfferId};
use bytes::Bytes;
use call::{AttemptId, CallNumber, KeptAttempt, KeptStage};
use journal::{Item, KeptEntry, KeptJourney, KeptNode, KeptPhone, KeptPlace, KeptProcess, Key};
use sip::{UriBuf, headers::QValue};
use sip_proxy::{Binding, TrunkId, Trunks};
use sip_transaction::{ClientTx, Flow};
use slotmap::KeyData;

use crate::{
    engine::Engine,
    receive::aor_of,
    record::{Answered, LiveOffer, Place, Record, SentTo, Standing, acd_id},
};

/// Over how long those who talk are asked whether they are there.
const ASKED_WITHIN: Duration = Duration::from_secs(5);

/// Over how long those who wait are told so: many of them are behind the same few sockets, which a thousand
/// messages at once would overrun.
const TOLD_WITHIN: Duration = Duration::from_secs(1);

/// The longest gap between two of them.
const GAP_MAX: Duration = Duration::from_millis(2);

/// After so long nobody upstream waits any more (Timer C, RFC 3261 §16.6): whoever waited is given up.
/// Those who talk may still do.
const WAITS_MAX: Duration = Duration::from_secs(180);

impl Engine {
    /// How one thing stands that is to outlive this process; `None` when there is no such thing.
    pub(crate) fn kept_item(&self, key: &Key) -> Option<Item> {
        Some(match key {
            Key::Process => Item::Process(KeptProcess {
                epoch: self.epoch,
                secrets: self.secrets,
            }),
            Key::Call(number) => Item::Call(Box::new(self.kept_entry(*number)?)),
            Key::Agent(agent) => Item::Agent(*agent, self.acd.kept_agent(*agent)),
            Key::Phones(agent) => {
                let phones = self.registrar.bindings(aor_of(*agent));
                let phones: Vec<_> = phones.map(kept_phone).collect();
                (!phones.is_empty()).then_some(Item::Phones(*agent, phones))?
            }
            Key::Sites => self.kept_sites(),
            Key::Withdrawn(tx) => {
                let (call, attempt) = self.calls.kept_withdrawn(&self.layer, client(*tx))?;
                Item::Withdrawn(call, attempt)
            }
            Key::Refused(tx) => Item::Refused(self.layer.refused(KeyData::from_ffi(*tx).into())?),
            Key::Bye(tx) => {
                let (bye, flow) = self.layer.open_bye(client(*tx))?;
                Item::Bye(bye, flow, self.calls.invited_before_bye(client(*tx)))
            }
            Key::Unanswered(call_id) => Item::Unanswered(self.calls.kept_unanswered(call_id)?),
            Key::Abandoned(id) => {
                let entry = self.acd.abandoned_entry(*id)?;
                let number = self.abandoned_numbers.get(id).cloned();
                Item::Abandoned(*id, Box::new(entry.clone()), number)
            }
            Key::Caller(caller) => Item::Caller(*caller, self.acd.kept_caller(*caller)?),
        })
    }

    fn kept_sites(&self) -> Item {
        let sites = || self.directory().sites();
        Item::Sites {
            stated: sites()
                .filter_map(|site| Some((site, self.acd.stated(site)?)))
                .collect(),
            crises: self.acd.active_crises().cloned().collect(),
            crises_at: sites()
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
    /// is to be polled then. `down` is for how long nobody was there: how many waited and are given up for it.
    pub fn restore(&mut self, now: Instant, mut kept: KeptNode, down: Duration) -> usize {
        debug_assert!(self.calls.is_empty(), "it begins with what was before");
        self.now = now;
        self.know_callers_again(&mut kept);
        let given_up = match down > WAITS_MAX {
            true => self.give_up_who_waited(&mut kept),
            false => Vec::new(),
        };
        let given_up_count = given_up.len();
        self.epoch = kept.process.map_or(1, |process| process.epoch + 1);
        let from = CallNumber::first_of(self.epoch).value();
        self.calls.begin_numbers_at(CallNumber::from_value(from));
        // What ends a call goes first: a phone is to be free before it is rung for the next.
        for (bye, to) in &kept.byes {
            self.calls.restore_bye(now, &mut self.layer, bye, *to);
        }
        for (call, attempt) in &kept.withdrawn {
            self.calls
                .restore_withdrawn(now, &mut self.layer, *call, attempt);
        }
        let waits = |entry: &KeptEntry| matches!(entry.legs.stage, KeptStage::Waiting(_));
        let waiting = kept.calls.iter().filter(|entry| waits(entry)).count();
        let within = GAP_MAX * u32::try_from(waiting).unwrap_or(u32::MAX);
        let mut tell = Spread::over(now, TOLD_WITHIN.min(within), waiting);
        let mut ask = Spread::over(now, ASKED_WITHIN, kept.calls.len() - waiting);
        let of_before: Vec<_> = kept.calls.iter().map(|entry| entry.legs.number).collect();
        let mut calls = Vec::new();
        for entry in kept.calls {
            let due_at = match waits(&entry) {
                true => tell.next(),
                false => ask.next(),
            };
            calls.extend(self.restore_entry(now, entry, due_at));
        }
        for one in &kept.refused {
            self.calls.restore_refused(now, &mut self.layer, one);
        }
        for one in kept.unanswered {
            self.calls.restore_unanswered(now, one);
        }
        for (agent, phones) in kept.phones {
            let phones = phones.into_iter().filter_map(phone);
            self.registrar.restore(now, aor_of(agent), phones.collect());
        }
        for &number in &of_before {
            self.note_behind_nat(number);
        }
        let numbers = kept.abandoned.iter();
        let numbers = numbers.filter_map(|(id, _, number)| Some((*id, number.clone()?)));
        self.abandoned_numbers = numbers.collect();
        let kept = acd::KeptState {
            agents: kept.agents,
            calls,
            given_up,
            stated: kept.stated,
            crises: kept.crises,
            crises_at: kept.crises_at,
            abandoned: kept
                .abandoned
                .iter()
                .map(|(id, entry, _)| (*id, entry.clone()))
                .collect(),
            callers: kept.callers,
            offers_from: from,
        };
        self.acd.restore(now, kept);
        for number in of_before {
            self.end_interrupted(now, number);
        }
        self.pump(now);
        given_up_count
    }

    /// A waiting call of an agent's own phone is reached where the phone has registered from.
    fn note_behind_nat(&mut self, number: CallNumber) {
        let agent = self.records.get(number).and_then(|record| record.by);
        if let (Some(agent), Some(flow)) = (agent, self.calls.waits_at(number))
            && self.is_behind_nat(agent, flow)
        {
            self.calls.note_behind_nat(number);
        }
    }

    /// Whoever waited has gone long ago. Phones that rang are told to stop.
    fn give_up_who_waited(&mut self, kept: &mut KeptNode) -> Vec<(acd::CallId, KeptCall)> {
        let waited = |entry: &mut KeptEntry| matches!(entry.legs.stage, KeptStage::Waiting(_));
        let mut given_up = Vec::new();
        for entry in kept.calls.extract_if(.., waited) {
            let number = entry.legs.number;
            if let KeptStage::Waiting(waiting) = entry.legs.stage {
                let rang = waiting.ringing.into_iter();
                kept.withdrawn.extend(rang.map(|rang| (number, rang)));
            }
            let id = acd_id(number);
            let called = entry.journey.and_then(|journey| journey.number);
            self.leaving.extend(called.map(|called| (id, called)));
            given_up.extend(entry.distribution.map(|call| (id, call)));
        }
        given_up
    }

    /// What the distributor is to know of a call that goes on.
    fn restore_entry(
        &mut self,
        now: Instant,
        mut entry: KeptEntry,
        due_at: Instant,
    ) -> Option<(acd::CallId, KeptCall)> {
        let number = entry.legs.number;
        let orphans = take_orphans(&mut entry);
        let ringing: Vec<_> = attempts(&entry.legs.stage)
            .iter()
            .map(|attempt| attempt.id)
            .collect();
        let talks = sides(&entry.legs.stage);
        if !self.calls.restore(now, &mut self.layer, entry.legs, due_at) {
            return None;
        }
        for orphan in &orphans {
            self.calls
                .restore_withdrawn(now, &mut self.layer, number, orphan);
        }
        let id = self.calls.view(number)?.id;
        let Some(mut journey) = entry.journey else {
            self.restore_hidden(number, &talks);
            return None;
        };
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
        let mut distribution = entry.distribution;
        // Whoever has it is not known any more, and keeps it.
        if let Some(call) = distribution.take_if(|call| is_with_nobody(call)) {
            journey.place = KeptPlace::Left(Some((call.priority, call.arrival, call.caller)));
        }
        self.records
            .insert(number, Record::restore(id, journey, trunk, &offers));
        let mut distribution = distribution?;
        if let KeptSeeking::Offered { offers: asked, .. } = &mut distribution.seeking {
            let is_rung = |one: &KeptOffer| offers.iter().any(|(offer, ..)| *offer == one.offer);
            asked.retain(is_rung);
        }
        Some((acd_id(number), distribution))
    }
}

/// Where the two who talk are.
fn sides(stage: &KeptStage) -> Vec<Flow> {
    let KeptStage::Connected(connected) = stage else {
        return Vec::new();
    };
    let legs = [Some(&connected.caller), connected.agent.as_ref()];
    let legs = legs.into_iter().flatten();
    legs.map(|leg| leg.dialog.flow).collect()
}

/// Whether whoever has a call, and keeps it, is an agent that the configuration does not know any more.
fn is_with_nobody(call: &KeptCall) -> bool {
    let is_kept = matches!(
        call.seeking,
        KeptSeeking::Nobody | KeptSeeking::Offered { stays: true, .. }
    );
    call.with.is_none() && is_kept
}

/// Takes out what rings for nobody that the distributor knows of: an agent that the configuration does not
/// know any more, somebody outside, or a colleague of somebody who is not known.
fn take_orphans(entry: &mut KeptEntry) -> Vec<KeptAttempt> {
    let ringing = match &mut entry.legs.stage {
        KeptStage::Waiting(waiting) => &mut waiting.ringing,
        KeptStage::Connected(connected) => match &mut connected.onward {
            Some(onward) => &mut onward.ringing,
            None => return Vec::new(),
        },
        KeptStage::Ending(_) => return Vec::new(),
    };
    let Some(journey) = &entry.journey else {
        return Vec::new();
    };
    let is_kept = entry.distribution.as_ref().is_some_and(is_with_nobody);
    let is_asked = |one: &KeptAttempt| {
        let mut offers = journey.offers.iter();
        !is_kept && offers.any(|&(.., attempt)| attempt == one.id)
    };
    let (asked, orphans) = std::mem::take(ringing).into_iter().partition(is_asked);
    *ringing = asked;
    orphans
}

/// Moments one after the other.
struct Spread {
    at: Instant,
    gap: Duration,
}

impl Spread {
    /// So many within so long.
    fn over(now: Instant, within: Duration, count: usize) -> Self {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let gap = within / count.max(1);
        Self { at: now, gap }
    }

    fn next(&mut self) -> Instant {
        self.at += self.gap;
        self.at
    }
}

fn client(tx: u64) -> ClientTx {
    KeyData::from_ffi(tx).into()
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
        is_direct: kept.path.is_empty(),
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
            is_first: true,
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
