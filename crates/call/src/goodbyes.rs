//! Phones that have not heard yet that their last call is over: they are rung for the next when they have
//! answered the BYE, or after 4·T1, when it has gone out three times. Otherwise, where that BYE is lost, the
//! next INVITE would come before it is repeated, to a phone that is still in a call.

use std::{collections::BTreeMap, time::Instant};

use bytes::Bytes;
use sip::{HeaderName, NameAddr, Request, Response};
use sip_transaction::{ClientTx, Target, TransactionLayer};
use slotmap::SecondaryMap;
use smallvec::SmallVec;

use crate::{
    calls::Calls,
    dialog::Dialog,
    ids::{AttemptId, CallNumber},
    inviting::Whom,
    reconnected::Phone,
    sent::ClientUse,
};

/// The BYEs that are open, and who waits for them.
#[derive(Debug, Default)]
pub(crate) struct Goodbyes {
    open: SecondaryMap<ClientTx, Goodbye>,
    /// By Call-ID: one for each phone that has answered the same INVITE.
    by_call_id: BTreeMap<Bytes, SmallVec<[ClientTx; 2]>>,
    /// By the URI by which a phone was rung: the last.
    by_phone: BTreeMap<Bytes, ClientTx>,
    /// How many are said in dialogs that nobody knows but who answered.
    unknown: usize,
    waiting: Vec<Waiting>,
}

/// A BYE that is open, or was not heard.
#[derive(Debug)]
pub(crate) struct Goodbye {
    /// The request.
    pub(crate) bye: Bytes,
    /// The CSeq number of our last INVITE before it.
    pub(crate) invited: Option<u32>,
    /// Its Request-URI.
    target: Bytes,
    /// The dialog that it ends.
    call_id: Bytes,
    local_tag: Bytes,
    remote_tag: Bytes,
    /// The URI by which its phone was rung; `None` in a dialog that nobody knows: anybody can say that there is one, and
    /// nobody is rung later for it.
    phone: Option<Bytes>,
}

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

impl Goodbye {
    /// The parts keep the message, which its transaction keeps too.
    fn of(bye: &Request, invited: Option<u32>, phone: Option<Bytes>) -> Self {
        let part = |part: &[u8]| bye.bytes().slice_ref(part);
        Self {
            bye: bye.bytes().clone(),
            invited,
            target: part(bye.uri_bytes()),
            call_id: part(bye.call_id()),
            local_tag: part(bye.from_tag().unwrap_or_default()),
            remote_tag: part(bye.to_tag().unwrap_or_default()),
            phone,
        }
    }
}

impl Goodbye {
    /// Whether anybody knows to whom it was said.
    pub(crate) const fn is_to_somebody(&self) -> bool {
        self.phone.is_some()
    }

    pub(crate) fn is_said_to(&self, phone: Phone<'_>) -> bool {
        let to = self.phone.as_deref();
        to.is_some_and(|to| phone.is(to, &self.target))
    }
}

impl Goodbyes {
    /// When an attempt has waited for long enough.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.waiting.iter().map(|one| one.until).min()
    }

    /// Whether whoever answers so is being told that this call is over, or that another one is.
    pub(crate) fn are_said_to(&self, response: &Response) -> bool {
        let to = response.header(HeaderName::To).map(NameAddr::parse);
        let is_told = |phone: NameAddr<'_>| self.by_phone.contains_key(phone.uri_bytes());
        to.is_some_and(|to| to.is_ok_and(is_told)) || self.are_said_in_dialog_of(response)
    }

    /// Whether whoever answers so is being told that this very call is over.
    pub(crate) fn are_said_in_dialog_of(&self, response: &Response) -> bool {
        let tag = |tag: Option<_>| tag.unwrap_or_default();
        let tags = (tag(response.from_tag()), tag(response.to_tag()));
        self.said(response.call_id(), tags).is_some()
    }

    /// The one that is being said in this dialog: a process before this one may have begun to, or an answer that was
    /// damaged on its way has had its own.
    pub(crate) fn said_in(&self, dialog: &Dialog) -> Option<ClientTx> {
        let (call_id, tags) = dialog.call_id_and_tags();
        self.said(call_id, tags)
    }

    fn said(&self, call_id: &[u8], (local, remote): (&[u8], &[u8])) -> Option<ClientTx> {
        let ends = |one: &Goodbye| *one.local_tag == *local && *one.remote_tag == *remote;
        let mut open = self.by_call_id.get(call_id)?.iter().copied();
        open.find(|&tx| self.open.get(tx).is_some_and(ends))
    }

    /// Whether one more may be said in a dialog that nobody knows.
    pub(crate) const fn has_room_for_unknown(&self) -> bool {
        self.unknown < UNKNOWN_MAX
    }

    /// This has been said in a dialog that nobody knows.
    pub(crate) fn note_unknown(&mut self, tx: ClientTx, bye: &Request) {
        self.unknown += 1;
        self.note(tx, Goodbye::of(bye, None, None));
    }

    fn note(&mut self, tx: ClientTx, goodbye: Goodbye) {
        let call_id = goodbye.call_id.clone();
        self.by_call_id.entry(call_id).or_default().push(tx);
        if let Some(phone) = &goodbye.phone {
            self.by_phone.insert(phone.clone(), tx);
        }
        self.open.insert(tx, goodbye);
    }

    /// It is over; what it was.
    fn take(&mut self, tx: ClientTx) -> Option<Goodbye> {
        let goodbye = self.open.remove(tx)?;
        let Goodbye { call_id, phone, .. } = &goodbye;
        if let Some(said) = self.by_call_id.get_mut(call_id) {
            said.retain(|one| *one != tx);
            if said.is_empty() {
                self.by_call_id.remove(call_id);
            }
        }
        match phone {
            Some(phone) if self.by_phone.get(phone) == Some(&tx) => {
                self.by_phone.remove(phone);
            }
            Some(_) => {}
            None => self.unknown -= 1,
        }
        Some(goodbye)
    }

    /// Those that are being said to a phone: the last to what it is rung by, and to what its user calls by.
    pub(crate) fn said_to(&self, phone: Phone<'_>) -> impl Iterator<Item = ClientTx> {
        let names = [phone.contact, phone.aor].into_iter();
        let last = names.filter_map(|name| self.by_phone.get(name).copied());
        last.filter(move |&tx| self.open.get(tx).is_some_and(|one| one.is_said_to(phone)))
    }
}

impl Calls {
    /// A BYE has been sent. The phone of a dialog of ours has in To what it was rung by.
    pub(crate) fn note_bye(&mut self, tx: ClientTx, bye: &Request, invited: Option<u32>) {
        self.client_uses.insert(tx, ClientUse::Bye(invited));
        let to = bye.header(HeaderName::To).map(NameAddr::parse_liberal);
        if let Some(Ok(to)) = to {
            let phone = bye.bytes().slice_ref(to.uri_bytes());
            self.goodbyes
                .note(tx, Goodbye::of(bye, invited, Some(phone)));
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
        let Some(&bye) = self.goodbyes.by_phone.get(&target.uri) else {
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

    /// A BYE is answered, or given up: its phone is free. What it was.
    pub(crate) fn bye_over(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        tx: ClientTx,
    ) -> Option<Goodbye> {
        let goodbye = self.goodbyes.take(tx);
        self.ring_those(now, layer, |one| one.bye == tx);
        goodbye
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
            self.ring_somebody(now, layer, call, attempt, &one.target, Whom::Agent);
        }
    }
}
