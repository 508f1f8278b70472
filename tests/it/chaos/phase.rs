//! The eleven phases of a call in which a node is killed, and by which message each is known.

use rand::RngExt as _;
use rand_pcg::Pcg64Mcg;

use super::{message::Message, relay::Towards};

/// A phase of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The INVITE has reached the node's socket, and the node has not read it.
    BeforeTheJournal,
    /// The journal is being written, and the first answer has not been sent.
    JournalledButUnsent,
    /// The caller is told the place in the queue.
    Queued,
    /// An agent's phone is asked to ring.
    AgentAsked,
    /// It rings.
    AgentRings,
    /// The agent answers.
    AgentAnswers,
    /// The caller is told so.
    CallerAnswered,
    /// The caller acknowledges it, and the node does not know.
    BeforeAck,
    Talking,
    /// The caller puts the call on hold.
    ReInvite,
    Bye,
}

/// Between whom a message passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// The callers and the operator's SBC.
    Callers,
    /// The node and the agents' phones.
    Phones,
}

/// A kind of message on a link, in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sign {
    link: Link,
    towards: Towards,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    FirstInvite,
    /// A request in a dialog.
    Later(&'static str),
    Answer {
        status: u16,
        cseq: Cseq,
    },
}

/// What is answered. Callers count from 1; nobody can say where the node begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cseq {
    AnyInvite,
    Is(u32),
    Bye,
}

/// How the node is killed once the sign has been seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// At once, before the message is passed on.
    AtOnce,
    /// So many milliseconds later.
    After(u64),
    /// It is stopped before the message can reach it, and killed so many milliseconds later.
    Stopped(u64),
    /// As soon as its journal grows.
    JournalGrows,
}

impl Phase {
    pub(super) const ALL: [Self; 11] = [
        Self::BeforeTheJournal,
        Self::JournalledButUnsent,
        Self::Queued,
        Self::AgentAsked,
        Self::AgentRings,
        Self::AgentAnswers,
        Self::CallerAnswered,
        Self::BeforeAck,
        Self::Talking,
        Self::ReInvite,
        Self::Bye,
    ];

    /// By which messages the phase is known.
    fn signs(self) -> Vec<Sign> {
        use Towards::{Inner, Outer};
        let callers = |towards, what| Sign {
            link: Link::Callers,
            towards,
            what,
        };
        let phones = |towards, what| Sign {
            link: Link::Phones,
            towards,
            what,
        };
        let answer = |status, cseq| What::Answer { status, cseq };
        match self {
            Self::BeforeTheJournal | Self::JournalledButUnsent => {
                vec![callers(Outer, What::FirstInvite)]
            }
            Self::Queued => vec![callers(Inner, answer(182, Cseq::Is(1)))],
            Self::AgentAsked => vec![phones(Inner, What::FirstInvite)],
            Self::AgentRings => vec![phones(Outer, answer(180, Cseq::AnyInvite))],
            Self::AgentAnswers => vec![phones(Outer, answer(200, Cseq::AnyInvite))],
            Self::CallerAnswered => vec![callers(Inner, answer(200, Cseq::Is(1)))],
            Self::BeforeAck | Self::Talking => vec![callers(Outer, What::Later("ACK"))],
            Self::ReInvite => vec![
                callers(Outer, What::Later("INVITE")),
                phones(Inner, What::Later("INVITE")),
                callers(Inner, answer(200, Cseq::Is(2))),
            ],
            Self::Bye => vec![
                callers(Outer, What::Later("BYE")),
                phones(Inner, What::Later("BYE")),
                phones(Outer, answer(200, Cseq::Bye)),
                callers(Inner, answer(200, Cseq::Bye)),
            ],
        }
    }

    /// The sign for the kill of this number: each in turn.
    pub(super) fn sign(self, number: usize) -> Sign {
        let signs = self.signs();
        signs[number % signs.len()]
    }

    /// How the node is killed in this phase, as a seed has it.
    pub(super) fn how(self, random: &mut Pcg64Mcg) -> How {
        match self {
            Self::BeforeTheJournal => How::Stopped(random.random_range(1..=20)),
            Self::JournalledButUnsent => How::JournalGrows,
            Self::BeforeAck => How::AtOnce,
            Self::Talking => How::After(random.random_range(20..=TALK_MILLIS - 20)),
            _ if random.random_bool(0.5) => How::AtOnce,
            _ => How::After(random.random_range(0..=20)),
        }
    }

    /// Whether the message may be lost by which the phase was known: one that must reach the node, or
    /// the kill comes in another phase, may not.
    pub(super) const fn may_lose_the_sign(self) -> bool {
        !matches!(
            self,
            Self::BeforeTheJournal | Self::JournalledButUnsent | Self::Talking
        )
    }
}

/// How long a talk lasts, in milliseconds, until somebody does something.
pub(super) const TALK_MILLIS: u64 = 300;

impl Sign {
    pub(super) fn is(self, link: Link, towards: Towards, message: &Message) -> bool {
        self.link == link && self.towards == towards && self.what.is(message)
    }
}

impl What {
    fn is(self, message: &Message) -> bool {
        match self {
            Self::FirstInvite => message.is_first_invite(),
            Self::Later(method) => {
                message.method() == Some(method) && message.tag_of_to().is_some()
            }
            Self::Answer { status, cseq } => {
                message.status() == Some(status)
                    && message.cseq().is_some_and(|(number, method)| match cseq {
                        Cseq::AnyInvite => method == "INVITE",
                        Cseq::Is(wanted) => method == "INVITE" && number == wanted,
                        Cseq::Bye => method == "BYE",
                    })
            }
        }
    }
}
