//! The table of calls: verbs of the owner, and the routing of what the transactions report.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use sip::{HeaderName, Message, Request, StatusCode};
use sip_transaction::{ClientTx, Flow, IdSource, Locals, ServerTx, TransactionLayer};
use slotmap::SecondaryMap;
use smallvec::SmallVec;

use crate::{
    attempts::Attempts,
    call::{Announced, Call, Stage, Waiting},
    carry,
    event::{EndCause, Event},
    goodbyes::Goodbyes,
    ids::{CallId, CallNumber},
    noted::Noted,
    planted::Planted,
    reconnected::Unheard,
    reliable::Reliable,
    sent::ClientUse,
    transfer::Transfer,
    unanswered::Unanswered,
};

/// What the owner decides about calls in general.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The domain of the call id in Call-Info.
    pub domain: String,
    /// RFC 3261 T1: the first interval at which an unacknowledged 2xx is sent again.
    pub t1: Duration,
    /// RFC 3261 T2: the longest such interval.
    pub t2: Duration,
    /// How often a waiting caller is told so. Below the three minutes of a proxy's Timer C
    /// (RFC 3261 §16.6), and below the one minute after which RFC 3261 §13.3.1.1 asks for it.
    pub announce_interval: Duration,
    /// How long a caller may wait before the wait counts as abandoned by a peer that vanished.
    pub wait_max: Duration,
    /// How long a connected call may last.
    pub call_max: Duration,
    /// How long a connected side may go without a sign of life (RFC 4028). At least 90 s; what the other
    /// side proposes counts where it supports session timers.
    pub session_interval: Duration,
    /// How long one side may take to answer what the other asked inside the call.
    pub relay_max: Duration,
    /// What is wrong on purpose.
    #[cfg(feature = "planted")]
    pub planted: Option<crate::Planted>,
}

impl Settings {
    /// Usual values for a node of this domain.
    pub fn new(domain: impl Into<String>) -> Self {
        Self {
            domain: domain.into(),
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            announce_interval: Duration::from_secs(60),
            wait_max: Duration::from_secs(3600),
            call_max: Duration::from_secs(4 * 3600),
            session_interval: Duration::from_secs(1800),
            relay_max: Duration::from_secs(60),
            #[cfg(feature = "planted")]
            planted: None,
        }
    }

    /// How long an answer is sent again before its caller is given up (RFC 3261 §13.3.1.4).
    pub(crate) fn ack_max(&self) -> Duration {
        64 * self.t1
    }
}

/// All calls of a node. A sans-IO machine over a [`TransactionLayer`] that its owner keeps:
/// every verb and every `handle_*` takes the layer, and may send through it.
///
/// After each of them drain [`Calls::poll_event`] to `None`, then arm one timer for
/// [`Calls::poll_timeout`].
#[derive(Debug)]
pub struct Calls {
    pub(crate) settings: Settings,
    pub(crate) locals: Locals,
    pub(crate) ids: IdSource,
    pub(crate) table: Noted<CallNumber, Call>,
    /// One deadline for each call, earliest first.
    deadlines: BTreeSet<(Instant, CallNumber)>,
    armed: BTreeMap<CallNumber, Instant>,
    pub(crate) server_uses: SecondaryMap<ServerTx, CallNumber>,
    pub(crate) client_uses: SecondaryMap<ClientTx, ClientUse>,
    pub(crate) unanswered: Unanswered,
    pub(crate) goodbyes: Goodbyes,
    pub(crate) unheard: Unheard,
    /// Calls whose agent's leg belongs to another call by now: our tags on it name the first.
    pub(crate) moved_legs: BTreeMap<CallNumber, CallNumber>,
    events: VecDeque<Event>,
    pub(crate) next_number: u64,
}

/// Where a call stands, for an API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallView {
    /// Its id.
    pub id: CallId,
    /// Its stage.
    pub stage: StageView,
}

/// The stage of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StageView {
    /// The caller waits; no phone rings.
    Waiting,
    /// A phone is being rung.
    Ringing,
    /// Both sides talk.
    Connected,
    /// Over but for the caller's ACK.
    Ending,
}

impl Calls {
    /// An empty table. `seed` is entropy for tags, branches and call ids.
    pub fn new(settings: Settings, locals: Locals, seed: [u64; 2]) -> Self {
        Self {
            settings,
            locals,
            ids: IdSource::new(seed),
            table: Noted::default(),
            deadlines: BTreeSet::new(),
            armed: BTreeMap::new(),
            server_uses: SecondaryMap::new(),
            client_uses: SecondaryMap::new(),
            unanswered: Unanswered::default(),
            goodbyes: Goodbyes::default(),
            unheard: Unheard::default(),
            moved_legs: BTreeMap::new(),
            events: VecDeque::new(),
            next_number: 1,
        }
    }

    /// Opens a call for an INVITE outside any dialog and answers it 100.
    pub fn start(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        tx: ServerTx,
        invite: Arc<Request>,
        flow: Flow,
    ) -> CallNumber {
        let number = self.next_number();
        let id = CallId::new(&mut self.ids);
        if let Some(trying) = layer.response_builder(tx, StatusCode::TRYING, "Trying", None) {
            layer.respond(now, tx, trying.finish());
        }
        let reliable = Reliable::of(&invite);
        let waiting = Waiting {
            tx,
            invite,
            flow,
            is_behind_nat: false,
            local_tag: number.tag(&mut self.ids),
            announced: Announced::Trying,
            reliable,
            early_media: None,
            ringing: Attempts::default(),
            announce_at: now + self.settings.announce_interval,
            gives_up_at: match self.has_planted(Planted::WaitWithoutEnd) {
                true => now + self.settings.call_max,
                false => now + self.settings.wait_max,
            },
        };
        let call = Call {
            id: id.clone(),
            stage: Stage::Waiting(Box::new(waiting)),
            relays: SmallVec::new(),
        };
        self.table.insert(number, call);
        self.server_uses.insert(tx, number);
        self.rearm(number);
        self.emit(Event::Started { call: number, id });
        number
    }

    /// Who has called is known to be behind a NAT: its registration came from where the INVITE did, and names another address
    /// (RFC 5626 §3). Inside of its call it is reached there. Of a call that waits it is not written down.
    pub fn note_behind_nat(&mut self, call: CallNumber) {
        if let Some(waiting) = self.waiting_mut(call) {
            waiting.is_behind_nat = true;
        }
    }

    /// Where the INVITE of a waiting call came from.
    pub fn waits_at(&self, call: CallNumber) -> Option<Flow> {
        match &self.table.get(&call)?.stage {
            Stage::Waiting(waiting) => Some(waiting.flow),
            Stage::Connected(_) | Stage::Ending(_) => None,
        }
    }

    pub(crate) fn next_number(&mut self) -> CallNumber {
        let number = CallNumber::from_value(self.next_number);
        self.next_number += 1;
        number
    }

    /// Tells a waiting caller that the call waits, and at which place (1 is next): 180 the first
    /// time, then 182 (RFC 3261 §21.1.5). Ignored while a phone rings or once the call is answered.
    pub fn announce(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        call: CallNumber,
        place: usize,
    ) {
        let announce_interval = match self.has_planted(Planted::NobodyTold) {
            true => self.settings.wait_max,
            false => self.settings.announce_interval,
        };
        let waits = self.table.passing_mut(&call).map(|call| &mut call.stage);
        let Some(Stage::Waiting(waiting)) = waits else {
            return;
        };
        waiting.announce_at = now + announce_interval;
        let first = waiting.announced == Announced::Trying;
        waiting.announced = Announced::Ringing;
        if first {
            self.provisional(now, layer, call, StatusCode::RINGING, "Ringing");
        }
        let reason = format!("Queued; place {place}");
        self.provisional(now, layer, call, StatusCode::QUEUED, &reason);
        self.rearm(call);
    }

    /// Sends a provisional response that makes or keeps the early dialog with the caller.
    pub(crate) fn provisional(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        call: CallNumber,
        status: StatusCode,
        reason: &str,
    ) {
        self.say(now, layer, call, status, reason, None);
    }

    /// Sends a provisional response, with the early media's description of a phone's. A caller who
    /// requires reliable responses gets none: the description would have to be agreed before the call
    /// could be answered.
    pub(crate) fn say(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        call: CallNumber,
        status: StatusCode,
        reason: &str,
        described: Option<&Message>,
    ) {
        let t1 = self.settings.t1;
        let Some(Call {
            stage: Stage::Waiting(waiting),
            id,
            ..
        }) = self.table.passing_mut(&call)
        else {
            return;
        };
        if !waiting.reliable.may_say(status, reason) {
            return;
        }
        let tag = Some(&*waiting.local_tag);
        if let Some(builder) = layer.response_builder(waiting.tx, status, reason, tag) {
            let response = builder
                .copy(&waiting.invite, HeaderName::RecordRoute)
                .header(HeaderName::Contact, self.locals.contact(waiting.flow));
            let response = carry::call_id(response, id, &self.settings.domain);
            let response = waiting.reliable.write(response);
            let message = match (described, &waiting.reliable) {
                (Some(described), Reliable::No) => {
                    carry::content(response, described).finish_with_body(described.body_bytes())
                }
                _ => response.finish(),
            };
            layer.respond(now, waiting.tx, message.clone());
            waiting.reliable.sent(now, &message, t1);
        }
        self.rearm(call);
    }

    /// Refuses a call that waits, with this answer, or ends one that is connected.
    pub fn end(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        call: CallNumber,
        status: StatusCode,
    ) {
        let cause = match self.table.get(&call).map(|call| &call.stage) {
            Some(Stage::Waiting(_)) => EndCause::Refused(status),
            Some(Stage::Connected(_)) => EndCause::Stopped,
            Some(Stage::Ending(_)) | None => return,
        };
        self.finish(now, layer, call, cause, None);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant, layer: &mut TransactionLayer) {
        while let Some(&(at, number)) = self.deadlines.first()
            && at <= now
        {
            self.handle_due(now, layer, number);
            self.rearm(number);
        }
        self.unanswered.forget_until(now);
        self.unheard.forget_until(now);
        self.ring_overdue(now, layer);
    }

    fn handle_due(&mut self, now: Instant, layer: &mut TransactionLayer, number: CallNumber) {
        self.resend_provisional(now, layer, number);
        self.stop_overdue(now, layer, number);
        let Some(call) = self.table.passing_mut(&number) else {
            return;
        };
        match &mut call.stage {
            Stage::Waiting(waiting) if waiting.gives_up_at <= now => {
                self.finish(now, layer, number, EndCause::WaitMax, None);
            }
            Stage::Waiting(waiting) if waiting.announce_at <= now => {
                waiting.announce_at = now + self.settings.announce_interval;
                if waiting.ringing.is_empty() {
                    self.emit(Event::AnnounceDue { call: number });
                } else {
                    self.provisional(now, layer, number, StatusCode::RINGING, "Ringing");
                }
            }
            Stage::Waiting(_) => {}
            Stage::Connected(connected) if connected.ends_at <= now => {
                self.finish(now, layer, number, EndCause::CallMax, None);
            }
            Stage::Connected(_) => {
                self.resend_answers(now, layer, number);
                self.give_up_relays(now, layer, number);
                self.keep_sessions(now, layer, number);
                self.carry_on_transfer(now, layer, number);
            }
            Stage::Ending(_) => self.resend_ending(now, layer, number),
        }
    }

    /// The next fact.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`Calls::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let calls = self.deadlines.first().map(|&(at, _)| at);
        calls
            .into_iter()
            .chain(self.unanswered.next_deadline())
            .chain(self.goodbyes.next_deadline())
            .chain(self.unheard.next_deadline())
            .min()
    }

    /// Calls that are not over, those that wait for a last ACK included.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is no call.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Where a call stands.
    pub fn view(&self, call: CallNumber) -> Option<CallView> {
        self.table.get(&call).map(|call| CallView {
            id: call.id.clone(),
            stage: call.stage.view(),
        })
    }

    /// The stage of a call alone.
    pub fn stage(&self, call: CallNumber) -> Option<StageView> {
        self.table.get(&call).map(|call| call.stage.view())
    }

    /// The caller's INVITE, while the call is there.
    pub fn invite(&self, call: CallNumber) -> Option<&Request> {
        match &self.table.get(&call)?.stage {
            Stage::Waiting(waiting) => Some(&waiting.invite),
            Stage::Connected(connected) => Some(&connected.invite),
            Stage::Ending(_) => None,
        }
    }

    /// All calls in the order of their arrival.
    pub fn numbers(&self) -> impl Iterator<Item = CallNumber> + '_ {
        self.table.keys().copied()
    }

    /// Confirmed or confirming dialogs: two for a connected call, one for a waiting one.
    pub fn legs(&self) -> usize {
        self.table
            .values()
            .map(|call| match call.stage {
                Stage::Connected(ref connected) => {
                    let target = connected.transfer().map_or(0, Transfer::target_legs);
                    connected.legs().count() + target
                }
                Stage::Waiting(ref waiting) => 1 + waiting.ringing.len(),
                Stage::Ending(ref ending) => ending.legs.len(),
            })
            .sum()
    }

    pub(crate) fn emit(&mut self, event: Event) {
        self.events.push_back(event);
    }

    /// Keeps the index of deadlines true after a change of the call.
    pub(crate) fn rearm(&mut self, number: CallNumber) {
        let next = self.table.get(&number).map(Call::next_deadline);
        let before = match next {
            Some(at) => self.armed.insert(number, at),
            None => self.armed.remove(&number),
        };
        if before == next {
            return;
        }
        if let Some(before) = before {
            self.deadlines.remove(&(before, number));
        }
        if let Some(at) = next {
            self.deadlines.insert((at, number));
        }
    }

    pub(crate) fn connected_mut(
        &mut self,
        number: CallNumber,
    ) -> Option<&mut crate::call::Connected> {
        match &mut self.table.get_mut(&number)?.stage {
            Stage::Connected(connected) => Some(connected),
            Stage::Waiting(_) | Stage::Ending(_) => None,
        }
    }
}
