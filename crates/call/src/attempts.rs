//! The phones that are being rung for one call: usually one, several where its owner wants the first of
//! them to win.

use std::time::Instant;

use bytes::Bytes;
use sip_transaction::{ClientTx, TransactionLayer};
use smallvec::SmallVec;

use crate::{
    call::Call,
    calls::Calls,
    ids::{AttemptId, CallNumber},
    sent::ClientUse,
};

/// Phones that may ring for one call at a time: a bound on what one caller can cost.
pub const ATTEMPTS_MAX: usize = 16;

//= https://www.rfc-editor.org/rfc/rfc3326#section-2
//# The Reason header field MAY appear in any request within a dialog, in any CANCEL request and in any
//# response whose status code explicitly allows the presence of this header field.
/// Why phones stop ringing that were not the first: they need not show a missed call.
const ANSWERED_ELSEWHERE: &[u8] = b"SIP;cause=200;text=\"Call completed elsewhere\"";

/// A phone that is being rung.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) id: AttemptId,
    pub(crate) tx: ClientTx,
    pub(crate) rang: Rang,
    /// The description of its early media that came last.
    pub(crate) described: Bytes,
    /// Until when it may ring, where its owner has no limit of its own.
    pub(crate) rings_until: Option<Instant>,
}

/// Whether a phone gave a sign of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rang {
    No,
    Yes,
}

/// Why a phone is to stop ringing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopRinging {
    /// Another phone has answered: this one need not show a missed call.
    AnsweredElsewhere,
    /// Any other reason.
    Withdrawn,
}

impl StopRinging {
    /// For the CANCEL.
    pub(crate) const fn reason(self) -> Option<&'static [u8]> {
        match self {
            Self::AnsweredElsewhere => Some(ANSWERED_ELSEWHERE),
            Self::Withdrawn => None,
        }
    }
}

impl Calls {
    /// The URI by which the phone of an attempt is being rung.
    pub fn rung(&self, call: CallNumber, attempt: AttemptId) -> Option<&Bytes> {
        let attempts = self.table.get(&call).and_then(Call::ringing)?;
        let is_it = |one: &&Attempt| one.id == attempt;
        match self.client_uses.get(attempts.iter().find(is_it)?.tx)? {
            ClientUse::Invite(sent) => Some(&sent.uri),
            _ => None,
        }
    }
}

/// The phones that are being rung for one call.
#[derive(Debug, Default)]
pub(crate) struct Attempts(SmallVec<[Attempt; 1]>);

impl Attempts {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.0.len() >= ATTEMPTS_MAX
    }

    pub(crate) fn push(&mut self, attempt: Attempt) {
        self.0.push(attempt);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Attempt> {
        self.0.iter()
    }

    pub(crate) fn of_mut(&mut self, tx: ClientTx) -> Option<&mut Attempt> {
        self.0.iter_mut().find(|attempt| attempt.tx == tx)
    }

    /// Whether another phone than this one rings.
    pub(crate) fn rings_beside(&self, tx: ClientTx) -> bool {
        let mut others = self.0.iter().filter(|one| one.tx != tx);
        others.any(|one| one.rang == Rang::Yes)
    }

    pub(crate) fn take(&mut self, id: AttemptId) -> Option<Attempt> {
        self.take_first(|attempt| attempt.id == id)
    }

    pub(crate) fn take_of(&mut self, tx: ClientTx) -> Option<Attempt> {
        self.take_first(|attempt| attempt.tx == tx)
    }

    /// One that has rung for as long as it may.
    pub(crate) fn take_overdue(&mut self, now: Instant) -> Option<Attempt> {
        self.take_first(|attempt| attempt.rings_until.is_some_and(|until| until <= now))
    }

    fn take_first(&mut self, is_it: impl FnMut(&Attempt) -> bool) -> Option<Attempt> {
        let index = self.0.iter().position(is_it)?;
        Some(self.0.remove(index))
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.0
            .iter()
            .filter_map(|attempt| attempt.rings_until)
            .min()
    }

    /// Stops all of them.
    pub(crate) fn cancel(self, now: Instant, layer: &mut TransactionLayer, reason: Option<&[u8]>) {
        for attempt in self.0 {
            layer.cancel(now, attempt.tx, reason);
        }
    }
}
