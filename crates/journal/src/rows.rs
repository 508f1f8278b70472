//! The state of a node as rows.

use std::fmt;

use acd::{ActiveCrisis, AgentId, CrisisId, Directory, KeptAgent, SiteId, SiteState};
use bytes::Bytes;
use call::{
    CallNumber, KeptAttempt, KeptUnanswered,
    sip_transaction::{Flow, Refused},
};
use minicbor::{Decoder, Encoder};

use crate::{
    clock::Clock,
    state::{KeptEntry, KeptNode, KeptPhone},
    wire::{Context, Wire, WireError},
};

/// The version of the rows that are written. The one before is read, too, once there is one.
pub const VERSION: u16 = 1;

/// What a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A call that is not over; the key is its number.
    Call,
    /// An agent; the key is the id.
    Agent,
    /// The registered phones of an agent; the key is the id.
    Phones,
    /// How sites work and which crisis plans are on; there is one.
    Sites,
    /// What was said and may not have been heard: refusals, goodbyes, CANCELs; there is one.
    Unheard,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::Call,
        Self::Agent,
        Self::Phones,
        Self::Sites,
        Self::Unheard,
    ];

    /// Its number in a file.
    pub const fn number(self) -> u16 {
        match self {
            Self::Call => 1,
            Self::Agent => 2,
            Self::Sites => 3,
            Self::Unheard => 4,
            Self::Phones => 5,
        }
    }

    /// The kind of a number in a file; `None` when this program does not know it.
    pub fn of_number(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }
}

/// One thing that changes by itself: bytes of a kind under a key, unique in that kind.
#[derive(Clone, PartialEq, Eq)]
pub struct Row {
    /// What it is about: [`Kind::number`], or a number of whoever keeps rows of his own beside these.
    pub kind: u16,
    /// Which of its kind.
    pub key: Vec<u8>,
    /// The version of its body.
    pub version: u16,
    /// CBOR.
    pub body: Vec<u8>,
}

/// Bodies hold what callers said about themselves: none is ever printed.
impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Row")
            .field("kind", &self.kind)
            .field("key", &format_args!("{}", self.key.escape_ascii()))
            .field("version", &self.version)
            .field("body", &format_args!("{} bytes", self.body.len()))
            .finish()
    }
}

/// A row that is of no use, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// What it was about: the number of the row's kind.
    pub kind: u16,
    /// Which of its kind.
    pub key: Vec<u8>,
    /// Why.
    pub error: WireError,
}

/// The state that rows hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decoded {
    /// What could be read.
    pub node: KeptNode,
    /// What could not.
    pub losses: Vec<Loss>,
}

type Crises = Vec<(CrisisId, Vec<SiteId>, Order)>;
type Order = (
    (std::time::Instant, Option<std::time::Instant>),
    (String, String),
);
type Sites = (
    Vec<(SiteId, SiteState)>,
    Crises,
    Vec<(SiteId, Vec<CrisisId>)>,
);
type Unheard = (
    (Vec<(CallNumber, KeptAttempt)>, Vec<Refused>),
    Vec<(Bytes, Flow)>,
    Vec<KeptUnanswered>,
);

/// The rows of a state, calls first.
pub fn encode(node: &KeptNode, directory: &Directory, clock: Clock) -> Vec<Row> {
    let context = Context { directory, clock };
    let calls = node.calls.iter().map(|entry| {
        let key = entry.legs.number.value().to_be_bytes().to_vec();
        row(Kind::Call, key, entry, &context)
    });
    let agents = node.agents.iter().map(|(id, agent)| {
        let key = directory.agent_profile(*id).id.clone().into_bytes();
        row(Kind::Agent, key, &(*id, Kept(agent)), &context)
    });
    let phones = node.phones.iter().map(|(id, phones)| {
        let key = directory.agent_profile(*id).id.clone().into_bytes();
        row(Kind::Phones, key, &(*id, phones.clone()), &context)
    });
    let order = |one: &ActiveCrisis| {
        let sites = one.sites.iter().copied().collect();
        let words = (one.author.clone(), one.reason.clone());
        (one.crisis, sites, ((one.since, one.until), words))
    };
    let sites: Sites = (
        node.stated.clone(),
        node.crises.iter().map(order).collect(),
        node.crises_at.clone(),
    );
    let unheard: Unheard = (
        (node.withdrawn.clone(), node.refused.clone()),
        node.byes.clone(),
        node.unanswered.clone(),
    );
    let others = [
        row(Kind::Sites, Vec::new(), &sites, &context),
        row(Kind::Unheard, Vec::new(), &unheard, &context),
    ];
    calls.chain(agents).chain(phones).chain(others).collect()
}

/// The state that rows hold, in any order. A row that cannot be read costs no other.
pub fn decode<'r>(
    rows: impl IntoIterator<Item = &'r Row>,
    directory: &Directory,
    clock: Clock,
) -> Decoded {
    let context = Context { directory, clock };
    let mut decoded = Decoded::default();
    for row in rows {
        if let Err(error) = take(&mut decoded.node, row, &context) {
            let (kind, key) = (row.kind, row.key.clone());
            decoded.losses.push(Loss { kind, key, error });
        }
    }
    decoded.node.calls.sort_by_key(|entry| entry.legs.number);
    decoded
}

fn take(node: &mut KeptNode, row: &Row, context: &Context<'_>) -> Result<(), WireError> {
    if row.version != VERSION {
        let told = format!("version {}, and {VERSION} is known", row.version);
        return Err(WireError::Malformed(told));
    }
    let Some(kind) = Kind::of_number(row.kind) else {
        let told = format!("kind {} is not known", row.kind);
        return Err(WireError::Malformed(told));
    };
    let mut input = Decoder::new(&row.body);
    match kind {
        Kind::Call => node.calls.push(KeptEntry::get(&mut input, context)?),
        Kind::Agent => {
            let (id, agent) = <(AgentId, KeptAgent)>::get(&mut input, context)?;
            node.agents.push((id, agent));
        }
        Kind::Phones => {
            let phones = <(AgentId, Vec<KeptPhone>)>::get(&mut input, context)?;
            node.phones.push(phones);
        }
        Kind::Sites => {
            let (stated, crises, crises_at) = Sites::get(&mut input, context)?;
            let order = |(crisis, sites, (times, words)): (_, Vec<_>, Order)| ActiveCrisis {
                crisis,
                sites: sites.into_iter().collect(),
                since: times.0,
                until: times.1,
                author: words.0,
                reason: words.1,
            };
            node.stated = stated;
            node.crises = crises.into_iter().map(order).collect();
            node.crises_at = crises_at;
        }
        Kind::Unheard => {
            let ((withdrawn, refused), byes, unanswered) = Unheard::get(&mut input, context)?;
            (node.withdrawn, node.refused) = (withdrawn, refused);
            (node.byes, node.unanswered) = (byes, unanswered);
        }
    }
    Ok(())
}

/// A value that is only written.
struct Kept<'a, T>(&'a T);

impl<T: Wire> Wire for Kept<'_, T> {
    fn put(&self, out: &mut crate::wire::Out, context: &Context<'_>) {
        self.0.put(out, context);
    }

    fn get(_: &mut crate::wire::In<'_>, _: &Context<'_>) -> Result<Self, WireError> {
        Err(WireError::Malformed("it is only written".to_owned()))
    }
}

fn row(kind: Kind, key: Vec<u8>, value: &impl Wire, context: &Context<'_>) -> Row {
    let mut out = Encoder::new(Vec::new());
    value.put(&mut out, context);
    Row {
        kind: kind.number(),
        key,
        version: VERSION,
        body: out.into_writer(),
    }
}
