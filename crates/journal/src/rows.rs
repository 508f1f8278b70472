//! The state of a node as rows.

use std::{cell::RefCell, fmt, ops::RangeInclusive};

use acd::{ActiveCrisis, CrisisId, Directory, LineId, SiteId, SiteState};
use minicbor::{Decoder, Encoder};

use crate::{
    clock::Clock,
    item::{Item, Key},
    state::KeptNode,
    wire::{Body, Context, Out, StandIn, Wire, WireError, begin},
};

/// The version of the rows that are written: in one of version 1 nothing stands for bytes that are there already.
pub const VERSION: u16 = 2;

/// The versions that are read.
pub const VERSIONS_READ: RangeInclusive<u16> = 1..=VERSION;

/// What a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A call that is not over; the key is its number.
    Call,
    /// An agent; the key is the id.
    Agent,
    /// How sites work and which crisis plans are on; there is one.
    Sites,
    /// The registered phones of an agent; the key is the id.
    Phones,
    /// What the process is; there is one.
    Process,
    /// A phone that was to stop ringing.
    Withdrawn,
    /// An INVITE that was refused.
    Refused,
    /// A BYE that is not answered.
    Bye,
    /// A phone that was given up; the key is the Call-ID of its INVITE.
    Unanswered,
    /// A caller who gave up; the key is the entry's number.
    Abandoned,
    /// A caller who is remembered; the key is a pseudonym.
    Caller,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::Call,
        Self::Agent,
        Self::Sites,
        Self::Phones,
        Self::Process,
        Self::Withdrawn,
        Self::Refused,
        Self::Bye,
        Self::Unanswered,
        Self::Abandoned,
        Self::Caller,
    ];

    /// Its number in a file.
    pub const fn number(self) -> u16 {
        match self {
            Self::Call => 1,
            Self::Agent => 2,
            Self::Sites => 3,
            Self::Phones => 5,
            Self::Process => 6,
            Self::Withdrawn => 7,
            Self::Refused => 8,
            Self::Bye => 9,
            Self::Unanswered => 10,
            Self::Abandoned => 11,
            Self::Caller => 12,
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

impl Row {
    /// The row of a thing, with a body that a [`Scribe`] has written.
    pub fn new(key: &Key, body: &[u8], directory: &Directory) -> Self {
        Self {
            kind: key.kind().number(),
            key: key.bytes(directory),
            version: VERSION,
            body: body.to_vec(),
        }
    }
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

/// One change of the rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The row is there from now on, instead of one of the same kind and key.
    Put(Row),
    /// The row is gone from now on. One that was not there is no error.
    Remove {
        /// The kind of the row.
        kind: u16,
        /// The key of the row.
        key: Vec<u8>,
    },
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
    /// The lines that are not configured any more, whose calls are the default line's now; ascending.
    pub lines_missed: Vec<String>,
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

/// Writes things down, one after the other in the same room.
#[derive(Debug, Default)]
pub struct Scribe {
    body: Body,
}

impl Scribe {
    /// The body of a thing's row, in the [`VERSION`] of this program. It is there until the next is written.
    pub fn body(&mut self, item: &Item, directory: &Directory, clock: Clock) -> &[u8] {
        let context = Context {
            directory,
            stand_in: None,
            clock,
        };
        self.body.clear();
        let mut out = Encoder::new(std::mem::take(&mut self.body));
        put(item, &mut out, &context);
        self.body = out.into_writer();
        &self.body.bytes
    }
}

fn put(item: &Item, out: &mut Out, context: &Context<'_>) {
    match item {
        Item::Process(process) => process.put(out, context),
        Item::Call(entry) => entry.put(out, context),
        Item::Agent(id, agent) => pair(id, agent, out, context),
        Item::Phones(id, phones) => pair(id, phones, out, context),
        Item::Sites {
            stated,
            crises,
            crises_at,
        } => {
            let order = |one: &ActiveCrisis| {
                let sites = one.sites.iter().copied().collect();
                let words = (one.author.clone(), one.reason.clone());
                (one.crisis, sites, ((one.since, one.until), words))
            };
            let crises = crises.iter().map(order).collect();
            let sites: Sites = (stated.clone(), crises, crises_at.clone());
            sites.put(out, context);
        }
        Item::Withdrawn(call, attempt) => pair(call, attempt, out, context),
        Item::Refused(refused) => refused.put(out, context),
        Item::Bye(bye, flow, invited) => pair(bye, &(*flow, *invited), out, context),
        Item::Unanswered(unanswered) => unanswered.put(out, context),
        Item::Abandoned(id, entry, number) => {
            begin(out, 3);
            id.put(out, context);
            entry.put(out, context);
            number.put(out, context);
        }
        Item::Caller(key, caller) => pair(key, caller, out, context),
    }
}

/// Two fields.
fn pair(first: &impl Wire, second: &impl Wire, out: &mut Out, context: &Context<'_>) {
    begin(out, 2);
    first.put(out, context);
    second.put(out, context);
}

/// What the names in rows are, in the configuration of now.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// What is configured.
    pub directory: &'a Directory,
    /// The line that stands for one that is not configured any more, so that no call is lost with its line.
    /// `None` where there are no lines.
    pub default_line: Option<LineId>,
}

/// The state that rows hold, in any order. A row that cannot be read costs no other.
pub fn decode<'r>(
    rows: impl IntoIterator<Item = &'r Row>,
    names: Names<'_>,
    clock: Clock,
) -> Decoded {
    let missed = RefCell::default();
    let stand_in = names.default_line.map(|line| StandIn {
        line,
        missed: &missed,
    });
    let context = Context {
        directory: names.directory,
        stand_in,
        clock,
    };
    let mut decoded = Decoded::default();
    for row in rows {
        if let Err(error) = take(&mut decoded.node, row, &context) {
            let (kind, key) = (row.kind, row.key.clone());
            decoded.losses.push(Loss { kind, key, error });
        }
    }
    decoded.lines_missed = missed.into_inner().into_iter().collect();
    let node = &mut decoded.node;
    node.calls.sort_by_key(|entry| entry.legs.number);
    node.agents.sort_by_key(|(id, _)| *id);
    node.phones.sort_by_key(|(id, _)| *id);
    node.abandoned.sort_by_key(|(id, ..)| *id);
    node.callers.sort_by_key(|(_, caller)| caller.heard);
    decoded
}

fn take(node: &mut KeptNode, row: &Row, context: &Context<'_>) -> Result<(), WireError> {
    if !VERSIONS_READ.contains(&row.version) {
        let told = format!("version {}, and {VERSION} is known", row.version);
        return Err(WireError::Malformed(told));
    }
    let Some(kind) = Kind::of_number(row.kind) else {
        let told = format!("kind {} is not known", row.kind);
        return Err(WireError::Malformed(told));
    };
    let mut input = Decoder::new(&row.body);
    let input = &mut input;
    match kind {
        Kind::Process => node.process = Some(Wire::get(input, context)?),
        Kind::Call => node.calls.push(Wire::get(input, context)?),
        Kind::Agent => node.agents.push(Wire::get(input, context)?),
        Kind::Phones => node.phones.push(Wire::get(input, context)?),
        Kind::Sites => {
            let (stated, crises, crises_at) = Sites::get(input, context)?;
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
        Kind::Withdrawn => node.withdrawn.push(Wire::get(input, context)?),
        Kind::Refused => node.refused.push(Wire::get(input, context)?),
        Kind::Bye => node.byes.push(Wire::get(input, context)?),
        Kind::Unanswered => node.unanswered.push(Wire::get(input, context)?),
        Kind::Abandoned => node.abandoned.push(Wire::get(input, context)?),
        Kind::Caller => node.callers.push(Wire::get(input, context)?),
    }
    Ok(())
}
