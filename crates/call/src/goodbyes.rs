//! Phones that have not heard yet that their last call is over: they are rung for the next when they have
//! answered the BYE, or after 4·T1, when it has gone out three times. Otherwise, where that BYE is lost, the
//! next INVITE would come before it is repeated, to a phone that is still in a call.

use std::{collections::BTreeMap, time::Instant};

use bytes::Bytes;
use sip::{HeaderName, NameAddr, Request, Response};
use sip_transaction::{ClientTx, Target, TransactionLayer};

use crate::{
    calls::Calls,
    ids::{AttemptId, CallNumber},
    inviting::Whom,
    sent::ClientUse,
};

/// The BYEs that are open, by the phone, and who waits for them.
#[derive(Debug, Default)]
pub(crate) struct Goodbyes {
    /// By the URI by which a phone was rung, with the dialog that it ends.
    open: BTreeMap<Bytes, (ClientTx, Ended)>,
    /// Those in dialogs that nobody knows but who answered. Anybody can say so: nobody is rung later for it.
    unknown: BTreeMap<ClientTx, Ended>,
    waiting: Vec<Waiting>,
}

/// A dialog that a BYE ends: its Call-ID and To tag.
type Ended = (Bytes, Bytes);

/// BYEs in dialogs that nobody knows that are open at a time: there are some when a process has died.
const UNKNOWN_MAX: usize = 1_000;

/// An attempt whose phone is not free.
#[derive(Debug)]
struct Waiting {
    bye: ClientTx,
    call: CallNumber,
    attempt: AttemptId,
    target: Target,
    /// When it is rung at the latest.
    until: Instant,
}

impl Goodbyes {
    /// When an attempt has waited for long enough.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.waiting.iter().map(|one| one.until).min()
    }

    /// Whether whoever answers so is being told that this call is over, or that another one is.
    pub(crate) fn are_said_to(&self, response: &Response) -> bool {
        let to = response.header(HeaderName::To).map(NameAddr::parse);
        let is_open = |phone: NameAddr<'_>| self.open.contains_key(phone.uri_bytes());
        to.is_some_and(|to| to.is_ok_and(is_open)) || self.are_said_in_dialog_of(response)
    }

    /// Whether whoever answers so is being told that this very call is over.
    pub(crate) fn are_said_in_dialog_of(&self, response: &Response) -> bool {
        let dialog = dialog_of(response);
        let open = self.open.values().map(|(_, ended)| ended);
        open.chain(self.unknown.values())
            .any(|ended| *ended == dialog)
    }

    /// Whether one more may be said in a dialog that nobody knows.
    pub(crate) fn has_room_for_unknown(&self) -> bool {
        self.unknown.len() < UNKNOWN_MAX
    }

    /// One has been said in the dialog of this answer, which nobody knows.
    pub(crate) fn note_unknown(&mut self, tx: ClientTx, response: &Response) {
        self.unknown.insert(tx, dialog_of(response));
    }
}

impl Calls {
    /// A BYE has been sent. The phone of a dialog of ours has in To what it was rung by.
    pub(crate) fn note_bye(&mut self, tx: ClientTx, bye: &Request, invited: Option<u32>) {
        self.client_uses.insert(tx, ClientUse::Bye(invited));
        let to = bye.header(HeaderName::To);
        if let Some(to) = to.and_then(|to| NameAddr::parse(to).ok()) {
            let phone = Bytes::copy_from_slice(to.uri_bytes());
            let ended = (
                Bytes::copy_from_slice(bye.call_id()),
                Bytes::copy_from_slice(bye.to_tag().unwrap_or_default()),
            );
            self.goodbyes.open.insert(phone, (tx, ended));
        }
    }

    /// Whether an attempt has to wait until its phone has heard the end of its last call; it is rung then.
    pub(crate) fn waits_for_bye(
        &mut self,
        now: Instant,
        call: CallNumber,
        attempt: AttemptId,
        target: &Target,
    ) -> bool {
        let Some(&(bye, _)) = self.goodbyes.open.get(&target.uri) else {
            return false;
        };
        self.goodbyes.waiting.push(Waiting {
            bye,
            call,
            attempt,
            target: target.clone(),
            until: now + 4 * self.settings.t1,
        });
        true
    }

    /// An attempt that waits for a phone is not to be made any more.
    pub(crate) fn forget_waiting(&mut self, call: CallNumber, attempt: Option<AttemptId>) {
        let is_it = |one: &Waiting| {
            one.call == call && attempt.is_none_or(|attempt| one.attempt == attempt)
        };
        self.goodbyes.waiting.retain(|one| !is_it(one));
    }

    /// A BYE is answered, or given up: its phone is free.
    pub(crate) fn bye_over(&mut self, now: Instant, layer: &mut TransactionLayer, tx: ClientTx) {
        self.goodbyes.open.retain(|_, (open, _)| *open != tx);
        self.goodbyes.unknown.remove(&tx);
        self.ring_those(now, layer, |one| one.bye == tx);
    }

    /// Rings whoever has waited for long enough.
    pub(crate) fn ring_overdue(&mut self, now: Instant, layer: &mut TransactionLayer) {
        self.ring_those(now, layer, |one| one.until <= now);
    }

    fn ring_those(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        is_it: impl Fn(&Waiting) -> bool,
    ) {
        let waiting = std::mem::take(&mut self.goodbyes.waiting);
        let (due, waiting): (Vec<_>, Vec<_>) = waiting.into_iter().partition(is_it);
        self.goodbyes.waiting = waiting;
        for one in due {
            let (call, attempt) = (one.call, one.attempt);
            self.ring_somebody(now, layer, call, attempt, &one.target, &Whom::Agent);
        }
    }
}

fn dialog_of(response: &Response) -> Ended {
    let tag = response.to_tag().unwrap_or_default();
    let call_id = Bytes::copy_from_slice(response.call_id());
    (call_id, Bytes::copy_from_slice(tag))
}
