//! The oracle: what became of each call, judged by what both far ends themselves sent and received.
//!
//! An INVITE that is answered, acknowledged with the tags of that answer, hung up with the same tags, and
//! that answered: nothing less is a good dialog. A call is two of them, the caller's and an agent's, which
//! know each other by their session descriptions.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use super::{
    leg::Leg,
    trace::{Logged, Way},
};

/// All calls of a run.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) callers: Vec<Leg>,
    phones: Vec<Leg>,
}

/// Whether a message that was sent arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carriage {
    Sure,
    /// An ACK may be lost, and a BYE come before it is repeated.
    Lossy,
}

/// What became of one caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Both ends confirmed the same pair of dialogs, and both ended.
    Answered,
    /// The caller gave up.
    Abandoned,
    /// A final answer came before anybody had been told that the call is in hand.
    Refused(u16),
    Lost(Loss),
}

/// How a call was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// The INVITE had no final answer.
    NoFinalAnswer,
    /// The caller was told to wait, and then turned away.
    RefusedAfterAll(u16),
    /// A 2xx, and no ACK with its tags at the end that sent it.
    NotAcknowledged(End),
    /// The caller was answered, but by no phone that knows of it.
    AnsweredByNobody,
    /// A dialog that was confirmed has not ended.
    NotHungUp(End),
    /// Both ends were hung up, and neither had done so: the node ended a call that was well.
    HungUpByNobody,
    /// A phone rings for a call that is over.
    RingsOn,
    /// Something that no peer may do.
    Fault(End, String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Caller,
    Agent,
}

/// What is wrong, apart from any one caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// A phone was asked to ring for one call while it had another.
    TwoCallsAtOnce { agent: String, calls: [String; 2] },
    /// A phone rang for no caller of this run.
    RangForNobody { call_id: String },
}

/// What came of all calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) answered: usize,
    pub(super) abandoned: usize,
    pub(super) refused: usize,
    /// By Call-ID.
    pub(super) lost: Vec<(String, Loss)>,
    pub(super) trouble: Vec<Trouble>,
}

impl Ledger {
    /// The logs of the callers and of the phones.
    pub(super) fn read(callers: &[Logged], phones: &[Logged]) -> Self {
        Self {
            callers: Leg::all(callers),
            phones: Leg::all(phones),
        }
    }

    /// Judges every call.
    pub(super) fn tally(&self, carriage: Carriage) -> Tally {
        let mut tally = Tally {
            trouble: self.trouble(),
            ..Tally::default()
        };
        let mut by_offer = BTreeMap::<&str, Vec<&Leg>>::new();
        for phone in &self.phones {
            let offer = phone.offer.as_deref().unwrap_or_default();
            by_offer.entry(offer).or_default().push(phone);
        }
        for caller in &self.callers {
            let offer = caller.offer.as_deref().unwrap_or_default();
            let phones = by_offer.get(offer).map_or(&[][..], Vec::as_slice);
            match judge(caller, phones, carriage) {
                Verdict::Answered => tally.answered += 1,
                Verdict::Abandoned => tally.abandoned += 1,
                Verdict::Refused(_) => tally.refused += 1,
                Verdict::Lost(loss) => tally.lost.push((caller.call_id.clone(), loss)),
            }
        }
        tally
    }

    /// Callers of whom no end can be told yet, and phones that are not at rest.
    pub(super) fn open(&self) -> usize {
        let legs = self.callers.iter().chain(&self.phones);
        legs.filter(|leg| leg.over().is_none()).count()
    }

    /// When a phone first rang for each caller, in that order: who was served when.
    pub(super) fn served(&self) -> Vec<&str> {
        let mut seen = BTreeSet::new();
        let offers = self
            .phones
            .iter()
            .filter_map(|phone| phone.offer.as_deref());
        offers.filter(|offer| seen.insert(*offer)).collect()
    }

    fn trouble(&self) -> Vec<Trouble> {
        let known: BTreeSet<_> = self.callers.iter().map(|leg| &leg.offer).collect();
        let strangers = self.phones.iter().filter(|leg| !known.contains(&leg.offer));
        let mut trouble: Vec<_> = strangers
            .map(|leg| Trouble::RangForNobody {
                call_id: leg.call_id.clone(),
            })
            .collect();
        // Who is busy, until when, and with what.
        let mut busy = BTreeMap::<&str, (Duration, &Leg)>::new();
        for leg in &self.phones {
            let until = leg.over().unwrap_or(Duration::MAX);
            if let Some((then, other)) = busy.get(leg.user.as_str())
                && *then > leg.began
            {
                trouble.push(Trouble::TwoCallsAtOnce {
                    agent: leg.user.clone(),
                    calls: [other.call_id.clone(), leg.call_id.clone()],
                });
            }
            let longest = busy.entry(&leg.user).or_insert((until, leg));
            if until >= longest.0 {
                *longest = (until, leg);
            }
        }
        trouble
    }
}

/// One caller, and the phones that rang for the call.
fn judge(caller: &Leg, phones: &[&Leg], carriage: Carriage) -> Verdict {
    if let Some(loss) = fault(caller, phones) {
        return Verdict::Lost(loss);
    }
    let verdict = match caller.result {
        None => Verdict::Lost(Loss::NoFinalAnswer),
        Some((_, 487)) if caller.cancelled => Verdict::Abandoned,
        Some((_, status)) if status >= 300 && caller.is_accepted() => {
            Verdict::Lost(Loss::RefusedAfterAll(status))
        }
        Some((_, status)) if status >= 300 => Verdict::Refused(status),
        Some(_) => judge_answered(caller, phones, carriage),
    };
    let left_over = phones.iter().find(|phone| phone.over().is_none());
    match (verdict, left_over) {
        (Verdict::Lost(loss), _) => Verdict::Lost(loss),
        (_, Some(phone)) if phone.is_answered() && !phone.acknowledged => {
            Verdict::Lost(Loss::NotAcknowledged(End::Agent))
        }
        (_, Some(phone)) if phone.is_answered() => Verdict::Lost(Loss::NotHungUp(End::Agent)),
        (_, Some(_)) => Verdict::Lost(Loss::RingsOn),
        (verdict, None) => verdict,
    }
}

fn judge_answered(caller: &Leg, phones: &[&Leg], carriage: Carriage) -> Verdict {
    let mut pair = phones
        .iter()
        .filter(|phone| phone.is_answered() && phone.answer == caller.answer);
    let Some(phone) = pair.next() else {
        return Verdict::Lost(Loss::AnsweredByNobody);
    };
    let ends = [(End::Caller, caller), (End::Agent, *phone)];
    for (end, leg) in ends {
        let excused = carriage == Carriage::Lossy && leg.over().is_some();
        if !leg.acknowledged && !excused {
            return Verdict::Lost(Loss::NotAcknowledged(end));
        }
    }
    for (end, leg) in ends {
        if leg.over().is_none() {
            return Verdict::Lost(Loss::NotHungUp(end));
        }
    }
    let is_hung_up = |leg: &Leg| leg.hang_up.is_some_and(|bye| bye.way == Way::Received);
    if is_hung_up(caller) && is_hung_up(phone) {
        return Verdict::Lost(Loss::HungUpByNobody);
    }
    Verdict::Answered
}

fn fault(caller: &Leg, phones: &[&Leg]) -> Option<Loss> {
    let ends = std::iter::once((End::Caller, caller))
        .chain(phones.iter().map(|phone| (End::Agent, *phone)));
    ends.into_iter().find_map(|(end, leg)| {
        let fault = leg.faults.first()?;
        Some(Loss::Fault(end, fault.clone()))
    })
}

impl Tally {
    /// Whether nobody was lost, and no phone had two calls.
    pub(super) fn is_good(&self) -> bool {
        self.lost.is_empty() && self.trouble.is_empty()
    }

    /// Phones that had two calls at once.
    pub(super) fn double_offers(&self) -> usize {
        let doubled = |trouble: &&Trouble| matches!(trouble, Trouble::TwoCallsAtOnce { .. });
        self.trouble.iter().filter(doubled).count()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} answered, {} abandoned, {} refused, {} lost",
            self.answered,
            self.abandoned,
            self.refused,
            self.lost.len()
        )?;
        for (call_id, loss) in &self.lost {
            write!(f, "\n  LOST {call_id}: {loss}")?;
        }
        for trouble in &self.trouble {
            write!(f, "\n  TROUBLE {trouble}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFinalAnswer => write!(f, "no final answer"),
            Self::RefusedAfterAll(status) => write!(f, "told to wait, then refused with {status}"),
            Self::NotAcknowledged(end) => {
                write!(f, "the answer at the {end} was never acknowledged")
            }
            Self::AnsweredByNobody => write!(f, "the caller was answered, but by no phone"),
            Self::NotHungUp(end) => write!(f, "the dialog of the {end} has not ended"),
            Self::HungUpByNobody => write!(f, "both ends were hung up, and neither had done so"),
            Self::RingsOn => write!(f, "a phone rings for a call that is over"),
            Self::Fault(end, what) => write!(f, "at the {end}: {what}"),
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Caller => write!(f, "caller"),
            Self::Agent => write!(f, "agent"),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TwoCallsAtOnce { agent, calls } => {
                let [one, other] = calls;
                write!(f, "{agent} was rung for {other} while it had {one}")
            }
            Self::RangForNobody { call_id } => write!(f, "{call_id} rang for nobody"),
        }
    }
}
