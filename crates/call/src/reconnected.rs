//! Phones that are reached by another way than when they were rung: over a new connection, or through another port of
//! their NAT. Nothing can be sent to them by the old one, so their calls go with them, and what could not be said to
//! them is said when they are back.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;
use sip::{Edit, HeaderName, Limits, Message, Request, Uri};
use sip_transaction::{ClientTx, Flow, TransactionLayer};

use crate::{
    attempts::Attempts,
    call::{Call, Stage},
    calls::Calls,
    goodbyes::Goodbye,
    ids::CallNumber,
    leg::Side,
    sent::ClientUse,
};

/// A phone that has registered.
#[derive(Clone, Copy, Debug)]
pub struct Phone<'a> {
    /// The URI by which it is rung.
    pub contact: &'a [u8],
    /// The address-of-record of its user, by which it calls.
    pub aor: &'a [u8],
}

impl Phone<'_> {
    /// Whether it is this one that was rung by a URI, or has called by it, and says that it is at `target`. Its user may
    /// have called by another phone; who is rung is rung by a contact that is its own.
    pub(crate) fn is(self, named: &[u8], target: &[u8]) -> bool {
        named == self.contact || (named == self.aor && is_same_place(target, self.contact))
    }
}

/// Whether two URIs name the same host and port.
fn is_same_place(one: &[u8], other: &[u8]) -> bool {
    let [Ok(one), Ok(other)] = [one, other].map(Uri::parse) else {
        return false;
    };
    match (one.as_sip(), other.as_sip()) {
        (Some(one), Some(other)) => one.host == other.host && one.port == other.port,
        _ => false,
    }
}

/// BYEs that phones have not heard, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Unheard {
    byes: VecDeque<UnheardBye>,
}

#[derive(Debug)]
struct UnheardBye {
    goodbye: Goodbye,
    /// When nobody is expected back any more.
    until: Instant,
}

/// So many are kept. They are those of phones that went away while they talked and whose callers hung up since.
const UNHEARD_MAX: usize = 1_000;

/// How long a phone is expected back: some times as long as one waits that cannot connect, 30 s and twice as long after
/// each attempt that has failed (RFC 5626 §4.5).
const BACK_WITHIN: Duration = Duration::from_secs(300);

impl Unheard {
    fn push(&mut self, goodbye: Goodbye, until: Instant) {
        if self.byes.len() == UNHEARD_MAX {
            self.byes.pop_front();
        }
        self.byes.push_back(UnheardBye { goodbye, until });
    }

    /// When one need not be kept any more.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.byes.front().map(|one| one.until)
    }

    pub(crate) fn forget_until(&mut self, now: Instant) {
        while self.byes.pop_front_if(|one| one.until <= now).is_some() {}
    }

    fn take_of(&mut self, phone: Phone<'_>) -> Vec<Goodbye> {
        let is_theirs = |one: &UnheardBye| one.goodbye.is_said_to(phone);
        let (theirs, others) = std::mem::take(&mut self.byes)
            .into_iter()
            .partition::<VecDeque<_>, _>(is_theirs);
        self.byes = others;
        theirs.into_iter().map(|one| one.goodbye).collect()
    }
}

impl Calls {
    /// A phone is reached by another way than before. What is sent to it inside of these `calls`, which are those of its
    /// user, goes there from now on; a BYE that it has not answered is said again.
    pub fn phone_moved(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        calls: &[CallNumber],
        (phone, to): (Phone<'_>, Flow),
    ) {
        for number in calls {
            let call = self.table.get(number);
            if call.is_some_and(|call| call.has_phone_elsewhere(phone, to))
                && let Some(call) = self.table.get_mut(number)
            {
                call.phone_moved(phone, to);
            }
            self.attempts_moved(*number, phone, to);
        }
        for tx in self.goodbyes.said_to(phone) {
            layer.redirect_bye(tx, to);
        }
        for goodbye in self.unheard.take_of(phone) {
            self.say_again(now, layer, &goodbye, to);
        }
    }

    /// Who rings will answer there, too.
    fn attempts_moved(&mut self, number: CallNumber, phone: Phone<'_>, to: Flow) {
        let attempts = self.table.get(&number).and_then(Call::ringing);
        for attempt in attempts.into_iter().flat_map(Attempts::iter) {
            if let Some(ClientUse::Invite(sent)) = self.client_uses.get_mut(attempt.tx)
                && *sent.uri == *phone.contact
            {
                sent.flow = to;
            }
        }
    }

    /// A BYE got no answer. Its phone hears it again when it has come back.
    pub(crate) fn bye_failed(&mut self, now: Instant, layer: &mut TransactionLayer, tx: ClientTx) {
        if let Some(goodbye) = self.bye_over(now, layer, tx)
            && goodbye.is_to_somebody()
        {
            self.unheard.push(goodbye, now + BACK_WITHIN);
        }
    }

    fn say_again(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        goodbye: &Goodbye,
        to: Flow,
    ) {
        if let Some(bye) = self.by_another_way(&goodbye.bye, to) {
            self.restore_bye(now, layer, &bye, (to, goodbye.invited));
        }
    }

    /// The same request, which tells where it is answered to.
    fn by_another_way(&self, request: &Bytes, to: Flow) -> Option<Bytes> {
        let request = Request::new(Message::parse(request.clone(), &Limits::OURS).ok()?).ok()?;
        let branch = std::str::from_utf8(request.top_via().branch()?).ok()?;
        let via = self.locals.via(to, branch);
        let mut edit = Edit::new(&request);
        edit.replace_first(HeaderName::Via, via.as_str());
        Some(edit.finish(&Limits::OURS).ok()?.bytes().clone())
    }
}

impl Call {
    fn has_phone_elsewhere(&self, phone: Phone<'_>, to: Flow) -> bool {
        let Stage::Connected(connected) = &self.stage else {
            return false;
        };
        let mut legs = Side::ALL.into_iter().filter_map(|side| connected.leg(side));
        legs.any(|leg| leg.dialog.flow() != to && leg.dialog.is_with(phone))
    }

    fn phone_moved(&mut self, phone: Phone<'_>, to: Flow) {
        let Stage::Connected(connected) = &mut self.stage else {
            return;
        };
        for side in Side::ALL {
            if let Some(leg) = connected.leg_mut(side)
                && leg.dialog.is_with(phone)
            {
                leg.dialog.move_to(to);
            }
        }
    }
}
