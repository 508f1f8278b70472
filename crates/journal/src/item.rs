//! What is written down, one thing at a time.

use acd::{
    Abandoned, AbandonedId, ActiveCrisis, AgentId, CallerKey, CrisisId, Directory, KeptAgent,
    KeptCaller, SiteId, SiteState,
};
use bytes::Bytes;
use call::{
    CallNumber, KeptAttempt, KeptUnanswered,
    sip::Pii,
    sip_transaction::{Flow, Refused},
};

use crate::{
    rows::{Kind, Row},
    state::{KeptEntry, KeptPhone, KeptProcess},
};

/// Which of the things that change by themselves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// What the process is.
    Process,
    /// A call that is not over.
    Call(CallNumber),
    /// An agent.
    Agent(AgentId),
    /// The registered phones of an agent.
    Phones(AgentId),
    /// How sites work, and which crisis plans are on.
    Sites,
    /// A phone that was to stop ringing and has not said that it did: by a number of the writer's.
    Withdrawn(u64),
    /// An INVITE that has been refused, whose sender may not have heard that: by a number of the writer's.
    Refused(u64),
    /// A BYE that is not answered: by a number of the writer's.
    Bye(u64),
    /// A phone that was given up, and may still be answered: by the Call-ID of its INVITE.
    Unanswered(Bytes),
    /// A caller who gave up.
    Abandoned(AbandonedId),
    /// A caller who is remembered.
    Caller(CallerKey),
}

impl Key {
    /// Of which kind it is.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Process => Kind::Process,
            Self::Call(_) => Kind::Call,
            Self::Agent(_) => Kind::Agent,
            Self::Phones(_) => Kind::Phones,
            Self::Sites => Kind::Sites,
            Self::Withdrawn(_) => Kind::Withdrawn,
            Self::Refused(_) => Kind::Refused,
            Self::Bye(_) => Kind::Bye,
            Self::Unanswered(_) => Kind::Unanswered,
            Self::Abandoned(_) => Kind::Abandoned,
            Self::Caller(_) => Kind::Caller,
        }
    }

    /// The key of its row, unique in its kind.
    pub fn bytes(&self, directory: &Directory) -> Vec<u8> {
        let number = |number: u64| number.to_be_bytes().to_vec();
        let agent = |agent| directory.agent_profile(agent).id.clone().into_bytes();
        match self {
            Self::Process | Self::Sites => Vec::new(),
            Self::Call(call) => number(call.value()),
            Self::Agent(id) | Self::Phones(id) => agent(*id),
            Self::Withdrawn(one) | Self::Refused(one) | Self::Bye(one) => number(*one),
            Self::Unanswered(call_id) => call_id.to_vec(),
            Self::Abandoned(entry) => number(entry.value()),
            Self::Caller(caller) => number(caller.value()),
        }
    }
}

impl Key {
    /// What a row is of; `None` for one of a later program, or of something that the configuration does not
    /// have any more.
    pub fn of_row(row: &Row, directory: &Directory) -> Option<Self> {
        let bytes = &row.key[..];
        let number = || bytes.try_into().ok().map(u64::from_be_bytes);
        let agent = || directory.agent(std::str::from_utf8(bytes).ok()?);
        Some(match Kind::of_number(row.kind)? {
            Kind::Process => Self::Process,
            Kind::Call => Self::Call(CallNumber::from_value(number()?)),
            Kind::Agent => Self::Agent(agent()?),
            Kind::Phones => Self::Phones(agent()?),
            Kind::Sites => Self::Sites,
            Kind::Withdrawn => Self::Withdrawn(number()?),
            Kind::Refused => Self::Refused(number()?),
            Kind::Bye => Self::Bye(number()?),
            Kind::Unanswered => Self::Unanswered(Bytes::copy_from_slice(bytes)),
            Kind::Abandoned => Self::Abandoned(AbandonedId::new(number()?)),
            Kind::Caller => Self::Caller(CallerKey::new(number()?)),
        })
    }
}

/// How such a thing stands.
#[derive(Clone)]
pub enum Item {
    /// Of [`Key::Process`].
    Process(KeptProcess),
    /// Of [`Key::Call`].
    Call(Box<KeptEntry>),
    /// Of [`Key::Agent`].
    Agent(AgentId, KeptAgent),
    /// Of [`Key::Phones`], in the order in which they are tried.
    Phones(AgentId, Vec<KeptPhone>),
    /// Of [`Key::Sites`].
    Sites {
        /// How sites work, where somebody said so.
        stated: Vec<(SiteId, SiteState)>,
        /// The orders of crisis plans, in the order in which they were given.
        crises: Vec<ActiveCrisis>,
        /// The crisis plans that are on at sites, in the order in which they were switched on there.
        crises_at: Vec<(SiteId, Vec<CrisisId>)>,
    },
    /// Of [`Key::Withdrawn`].
    Withdrawn(CallNumber, KeptAttempt),
    /// Of [`Key::Refused`].
    Refused(Refused),
    /// Of [`Key::Bye`]: the request, where it goes, and the CSeq number of our last INVITE to its receiver.
    Bye(Bytes, Flow, Option<u32>),
    /// Of [`Key::Unanswered`].
    Unanswered(KeptUnanswered),
    /// Of [`Key::Abandoned`], with the number that called.
    Abandoned(AbandonedId, Box<Abandoned>, Option<Pii<String>>),
    /// Of [`Key::Caller`].
    Caller(CallerKey, KeptCaller),
}
