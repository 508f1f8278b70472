//! What can go wrong in a storm, and how often it did.

use std::fmt;

macro_rules! faults {
    ($($(#[$doc:meta])* $fault:ident,)*) => {
        /// One thing that goes wrong, or that somebody does at the worst moment.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Fault {
            $($(#[$doc])* $fault,)*
        }

        impl Fault {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$fault,)*];
        }
    };
}

faults! {
    /// A datagram was lost.
    Lost,
    /// A datagram arrived twice.
    Duplicated,
    /// A datagram arrived seconds later.
    Delayed,
    /// A datagram was overtaken by a later one.
    Reordered,
    /// A datagram arrived without its end.
    Truncated,
    /// A datagram arrived with other bits.
    Corrupted,
    /// A connection was cut.
    ConnectionCut,
    /// A connection was cut, and one side went on as if it were there.
    HalfOpen,
    /// A connection ended at some byte of what was under way.
    CutInAMessage,
    /// A connection was not taken.
    ConnectionRefused,
    /// The process was killed between two steps.
    Killed,
    /// The process was killed in the middle of a step.
    KilledWithin,
    /// The process was killed twice within a second.
    KilledTwice,
    /// The process was killed while it took up what was before.
    KilledInRecovery,
    /// Changes that were not synced were lost with the process.
    Unsynced,
    /// The last record of the disk was torn.
    Torn,
    /// A bit of a row of the journal flipped.
    BitFlipped,
    /// A bit of the journal's log flipped: the last groups are undone.
    LogDamaged,
    /// A bit flipped without which nothing of the journal can be read.
    JournalBroken,
    /// The disk did nothing for seconds.
    Stalled,
    /// The disk took nothing more.
    Full,
    /// The machine was started anew, and the clock on the wall set forth by an hour.
    ClockForth,
    /// The machine was started anew, and the clock on the wall set back by an hour.
    ClockBack,
    /// The process began with another configuration.
    Reconfigured,
    /// A phone rang, and nobody answered.
    NoAnswer,
    /// A phone was busy.
    Busy,
    /// A phone declined.
    Declined,
    /// A phone answered when it was told to stop ringing.
    AnsweredWhenCancelled,
    /// Two phones answered one INVITE.
    AnsweredTwice,
    /// A phone was switched off.
    SwitchedOff,
    /// An agent sent a call on.
    SentOn,
    /// A call that was sent on went where it was to go.
    Transferred,
    /// An agent called a colleague or physicians.
    Consulted,
    /// An agent brought together a caller and whom she had called.
    BroughtTogether,
    /// A caller who had given up had the place of before.
    Resumed,
    /// A call waited for the agent who had the caller last.
    Awaited,
    /// A phone stopped ringing because another had answered.
    AnsweredElsewhere,
    /// The network said that a place is not there.
    Refused,
    /// A registration was taken back.
    Unregistered,
    /// Phones that are reached by their own connection alone had lost it, and registered by another.
    CameBack,
    /// A caller gave up.
    Cancelled,
    /// A proxy gave up a call that waited.
    GivenUpByProxy,
    /// A caller hung up before the answer was acknowledged.
    ByeBeforeAck,
    /// A caller never acknowledged the answer.
    NeverAcked,
    /// Both sides asked for something at the same time.
    Glare,
    /// A caller called again at once.
    Redialled,
    /// Many callers came at once.
    Burst,
    /// A person gave an order.
    Ordered,
    /// A crisis plan was switched on or off.
    CrisisSwitched,
}

/// How often each of them happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultCounts {
    counts: Vec<u64>,
}

impl Default for FaultCounts {
    fn default() -> Self {
        Self {
            counts: vec![0; Fault::ALL.len()],
        }
    }
}

impl FaultCounts {
    /// How often this happened.
    pub fn of(&self, fault: Fault) -> u64 {
        self.counts[fault as usize]
    }

    /// Those that never happened.
    pub fn missing(&self) -> Vec<Fault> {
        let all = Fault::ALL.iter().copied();
        all.filter(|fault| self.of(*fault) == 0).collect()
    }

    pub(super) fn note(&mut self, fault: Fault) {
        self.add(fault, 1);
    }

    pub(super) fn add(&mut self, fault: Fault, count: u64) {
        self.counts[fault as usize] += count;
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
    }
}

impl fmt::Display for FaultCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in Fault::ALL.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{fault:?} {}", self.of(*fault))?;
        }
        Ok(())
    }
}
