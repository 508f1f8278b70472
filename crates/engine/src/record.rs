//! What the engine keeps of a call beside its legs and its place in the queue.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Instant,
};

use acd::{AgentId, CallerKey, LineId, OfferId, Priority};
use call::{AttemptId, CallId, CallNumber, Noted};
use sip::Pii;
use sip_proxy::TrunkId;
use sip_transaction::Target;

/// One caller's journey, from the engine's side.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) id: CallId,
    pub(crate) line: LineId,
    /// The trunk that it came by.
    pub(crate) trunk: Option<TrunkId>,
    /// The telephone number that called, where it is known.
    pub(crate) number: Option<Pii<String>>,
    pub(crate) offered_at: Instant,
    pub(crate) answered: Option<Answered>,
    /// The agents whose phones ring for it.
    pub(crate) offers: Vec<LiveOffer>,
    /// The other line that it has been sent on to, while the agent keeps the caller company.
    pub(crate) sent_to: Option<SentTo>,
    /// Somebody outside who is being rung for it.
    pub(crate) outside: Option<LiveOutside>,
    pub(crate) place: Place,
    /// The agent of another call who is about to have this one.
    pub(crate) take_over: Option<TakeOver>,
    /// The agent who has called, if one has.
    pub(crate) by: Option<AgentId>,
}

/// A call that the agent of another takes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TakeOver {
    pub(crate) attempt: AttemptId,
    pub(crate) by_agent_of: CallNumber,
}

/// Whether the distributor has a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    InDistributor,
    /// It has been sent on to somebody outside, or is with an agent for good: how it stood before.
    Left(Option<Standing>),
    /// Somebody outside took it, to whom an overflow plan had diverted it.
    Diverted(Instant),
}

/// How a call stood that the distributor let go, so that it has its place again if it must wait once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) priority: Priority,
    pub(crate) arrival: Instant,
    pub(crate) caller: Option<CallerKey>,
}

/// Where an agent has sent a call who stays until somebody there has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SentTo {
    pub(crate) line: LineId,
    pub(crate) at: Instant,
}

/// A telephone outside that is being rung, one way after the other.
#[derive(Debug)]
pub(crate) struct LiveOutside {
    pub(crate) attempt: AttemptId,
    /// Ways that have not been tried.
    pub(crate) rest: VecDeque<(TrunkId, Target)>,
    pub(crate) rings_until: Instant,
    pub(crate) why: WhyOutside,
}

/// Why a telephone outside is rung.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WhyOutside {
    /// An agent sends the call there.
    Transfer,
    /// The overflow plan of its line does; the call keeps its place meanwhile.
    Diversion,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Answered {
    pub(crate) at: Instant,
    pub(crate) agent: AgentId,
}

/// An offer whose agent's phones are being rung, one contact after the other.
#[derive(Debug)]
pub(crate) struct LiveOffer {
    pub(crate) offer: OfferId,
    pub(crate) agent: AgentId,
    pub(crate) attempt: AttemptId,
    /// Contacts that have not been tried.
    pub(crate) rest: Vec<Target>,
    /// Whether the first contact is being rung, and has had all the time.
    pub(crate) is_first: bool,
}

/// All records, by call and by call id.
#[derive(Debug, Default)]
pub(crate) struct Records {
    by_number: Noted<CallNumber, Record>,
    by_id: BTreeMap<CallId, CallNumber>,
    /// Those that agents have made.
    made: BTreeSet<(AgentId, CallNumber)>,
    attempts: u64,
}

impl Records {
    pub(crate) fn insert(&mut self, number: CallNumber, record: Record) {
        self.by_id.insert(record.id.clone(), number);
        self.made.extend(record.by.map(|agent| (agent, number)));
        self.by_number.insert(number, record);
    }

    pub(crate) fn remove(&mut self, number: CallNumber) -> Option<Record> {
        let record = self.by_number.remove(&number)?;
        self.by_id.remove(&record.id);
        if let Some(agent) = record.by {
            self.made.remove(&(agent, number));
        }
        Some(record)
    }

    pub(crate) fn get(&self, number: CallNumber) -> Option<&Record> {
        self.by_number.get(&number)
    }

    pub(crate) fn get_mut(&mut self, number: CallNumber) -> Option<&mut Record> {
        self.by_number.get_mut(&number)
    }

    pub(crate) fn by_id(&self, id: &str) -> Option<CallNumber> {
        self.by_id
            .range::<str, _>((std::ops::Bound::Included(id), std::ops::Bound::Included(id)))
            .next()
            .map(|(_, &number)| number)
    }

    /// The call of an id that the distributor knows.
    pub(crate) fn by_acd(&self, call: acd::CallId) -> Option<CallNumber> {
        let number = CallNumber::from_value(call.value());
        self.by_number.contains_key(&number).then_some(number)
    }

    /// The calls that an agent has made.
    pub(crate) fn made_by(&self, agent: AgentId) -> impl Iterator<Item = CallNumber> {
        let first = (agent, CallNumber::from_value(0));
        let last = (agent, CallNumber::from_value(u64::MAX));
        self.made.range(first..=last).map(|&(_, number)| number)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (CallNumber, &Record)> {
        self.by_number
            .iter()
            .map(|(&number, record)| (number, record))
    }

    /// The offer that an attempt is of.
    pub(crate) fn offer_of(&self, call: CallNumber, attempt: AttemptId) -> Option<OfferId> {
        let mut offers = self.get(call)?.offers.iter();
        let live = offers.find(|live| live.attempt == attempt)?;
        Some(live.offer)
    }

    pub(crate) fn offer_mut(
        &mut self,
        call: CallNumber,
        attempt: AttemptId,
    ) -> Option<&mut LiveOffer> {
        let offers = &mut self.get_mut(call)?.offers;
        offers.iter_mut().find(|live| live.attempt == attempt)
    }

    pub(crate) fn take_offer(
        &mut self,
        call: CallNumber,
        is_it: impl Fn(&LiveOffer) -> bool,
    ) -> Option<LiveOffer> {
        let offers = &mut self.get_mut(call)?.offers;
        let index = offers.iter().position(is_it)?;
        Some(offers.remove(index))
    }

    /// From now on it is noted which are touched, for [`Self::drain_touched`].
    pub(crate) fn note_touched(&mut self) {
        self.by_number.note_touched();
    }

    /// From now on nothing is noted: nobody writes it down any more.
    pub(crate) fn note_nothing(&mut self) {
        self.by_number.note_nothing();
    }

    /// How many notes nobody has asked for yet.
    pub(crate) fn notes(&self) -> usize {
        self.by_number.notes()
    }

    /// Calls whose records may have changed.
    pub(crate) fn drain_touched(&mut self) -> impl Iterator<Item = CallNumber> {
        self.by_number.drain_touched()
    }

    /// Attempts of before had numbers up to this one.
    pub(crate) fn attempts_begin_after(&mut self, attempt: AttemptId) {
        self.attempts = self.attempts.max(attempt.0);
    }

    pub(crate) fn next_attempt(&mut self) -> AttemptId {
        self.attempts += 1;
        AttemptId(self.attempts)
    }
}

/// The name under which the distributor knows a call.
pub(crate) const fn acd_id(number: CallNumber) -> acd::CallId {
    acd::CallId::new(number.value())
}
