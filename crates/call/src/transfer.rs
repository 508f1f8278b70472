//! Transfers (RFC 5589): an agent sends the call on by REFER (RFC 3515).
//!
//! The agent stays in the call until it has gone on, so that nothing is lost when the target fails:
//! the call is then the agent's as before. Where the call goes is the owner's to say
//! ([`Event::TransferAsked`]): to somebody who is rung with [`Calls::ring`] as for a waiting call,
//! or to a queue, for which [`Calls::release_agent`] lets the agent go at once.

mod notifying;

use std::time::Instant;

use bytes::Bytes;
use sip::{HeaderName, Method, Request, StatusCode, headers::ReferTo};
use sip_transaction::{Flow, ServerTx, TransactionLayer};

use self::notifying::Notified;
use crate::{
    attempts::Attempts,
    call::{Call, Company, Stage},
    calls::{Calls, StageView},
    event::{EndCause, Event},
    ids::{AttemptId, CallNumber},
    joining::Joining,
    kept::KeptOnward,
    leg::{Leg, Side},
};

/// Whether the sender of a REFER wants to be told how it goes (RFC 4488).
const REFER_SUB: &str = "Refer-Sub";

/// A call on its way from an agent to somebody else.
#[derive(Debug)]
pub(crate) struct Transfer {
    /// The agent who sends it on, until it has gone on or the agent has hung up.
    pub(crate) transferor: Option<Transferor>,
    /// What whoever is rung is asked to replace (RFC 3891), as it is written in the header.
    replaces: Option<Bytes>,
    /// Who sends it on, for whoever is rung (RFC 3892).
    referred_by: Option<Bytes>,
    pub(crate) ringing: Attempts,
    /// Somebody has answered, and the caller is being told.
    pub(crate) joining: Option<Joining>,
    /// With how many of those who answered the caller would not be joined, since they are alone.
    pub(crate) not_joined: u8,
    /// When it has lasted so long that nobody can be there any more; later where the agent is still in it.
    pub(crate) gives_up_at: Instant,
}

/// An agent who has sent REFER.
#[derive(Debug)]
pub(crate) struct Transferor {
    pub(crate) leg: Leg,
    course: Course,
}

/// The implicit subscription of a REFER (RFC 3515 §2.4.4).
#[derive(Debug)]
enum Course {
    /// The phone is told how the transfer goes; the CSeq number of its REFER names it.
    Told { refer: u32 },
    /// The phone asked not to be told (RFC 4488).
    Untold,
}

impl Company {
    /// The agent sends the call on. On which flow the agent is; `None` when nobody can.
    fn leave(&mut self, transfer: Transfer, course: Course) -> Option<Flow> {
        let before = std::mem::replace(self, Self::Transfer(Box::new(transfer)));
        match (before, self) {
            (Self::Agent(leg), Self::Transfer(transfer)) => {
                let flow = leg.dialog.flow();
                transfer.transferor = Some(Transferor { leg, course });
                Some(flow)
            }
            (before, company) => {
                *company = before;
                None
            }
        }
    }

    /// The call is the agent's again.
    fn come_back(&mut self) {
        if let Self::Transfer(transfer) = self
            && let Some(transferor) = transfer.transferor.take()
        {
            *self = Self::Agent(transferor.leg);
        }
    }
}

impl Transfer {
    /// A caller whose agent has been given to another call.
    pub(crate) fn without_agent(gives_up_at: Instant) -> Self {
        Self {
            transferor: None,
            replaces: None,
            referred_by: None,
            ringing: Attempts::default(),
            joining: None,
            not_joined: 0,
            gives_up_at,
        }
    }

    /// What whoever is rung is told, as it is written down.
    pub(crate) fn kept_headers(&self) -> [Option<Bytes>; 2] {
        [self.replaces.clone(), self.referred_by.clone()]
    }

    /// The REFER whose sender is told how it goes.
    pub(crate) fn refer(&self) -> Option<u32> {
        match self.transferor.as_ref()?.course {
            Course::Told { refer } => Some(refer),
            Course::Untold => None,
        }
    }

    /// A transfer of before. Its phones are rung again by whoever takes it up.
    pub(crate) fn restore(kept: KeptOnward, agent: Option<Leg>) -> Self {
        let [replaces, referred_by] = kept.headers;
        let course = match kept.refer {
            Some(refer) => Course::Told { refer },
            None => Course::Untold,
        };
        Self {
            transferor: agent.map(|leg| Transferor { leg, course }),
            replaces,
            referred_by,
            ringing: Attempts::default(),
            joining: None,
            not_joined: 0,
            gives_up_at: kept.gives_up_at,
        }
    }

    fn of(refer: &Request, replaces: Option<Bytes>, gives_up_at: Instant) -> Self {
        let referred_by = refer.header(HeaderName::ReferredBy);
        Self {
            transferor: None,
            replaces,
            referred_by: referred_by.map(Bytes::copy_from_slice),
            ringing: Attempts::default(),
            joining: None,
            not_joined: 0,
            gives_up_at,
        }
    }

    pub(crate) fn next_deadline(&self) -> Instant {
        let joining = self.joining.as_ref().map(Joining::next_deadline);
        let ringing = self.ringing.next_deadline();
        let deadlines = joining.into_iter().chain(ringing);
        deadlines.fold(self.gives_up_at, Instant::min)
    }

    /// How the call looks when no agent is in it.
    pub(crate) fn view(&self) -> StageView {
        if !self.ringing.is_empty() || self.joining.is_some() {
            StageView::Ringing
        } else {
            StageView::Waiting
        }
    }

    /// Dialogs, early ones included, with whom the call goes to.
    pub(crate) fn target_legs(&self) -> usize {
        self.ringing.len() + usize::from(self.joining.is_some())
    }

    pub(crate) fn joining_leg(&self) -> Option<&Leg> {
        self.joining.as_ref().map(|joining| &joining.leg)
    }

    /// Whether the caller has been asked to change its session.
    pub(crate) fn is_inviting(&self) -> bool {
        self.joining.as_ref().is_some_and(Joining::is_asked)
    }

    /// What an INVITE to whoever is rung says beside what the caller's said.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (HeaderName, &Bytes)> {
        let replaces = self.replaces.as_ref();
        let referred_by = self.referred_by.as_ref();
        let replaces = replaces.map(|value| (HeaderName::Replaces, value));
        let referred_by = referred_by.map(|value| (HeaderName::ReferredBy, value));
        replaces.into_iter().chain(referred_by)
    }
}

impl Calls {
    /// A REFER inside a call. Why it is refused at once, if so; else its owner says what comes of it.
    pub(crate) fn handle_refer(
        &mut self,
        number: CallNumber,
        side: Side,
        tx: ServerTx,
        refer: &Request,
    ) -> Option<StatusCode> {
        // Who has the caller is the centre's to say, never a caller's or a carrier's.
        if side != Side::Agent {
            return Some(StatusCode::FORBIDDEN);
        }
        // RFC 3515 §2.4.2: 400 for none, or more than one.
        let mut targets = refer.header_values(HeaderName::ReferTo);
        let target = match (targets.next(), targets.next()) {
            (Some(only), None) => ReferTo::parse(only).ok(),
            _ => None,
        };
        let Some(target) = target else {
            return Some(StatusCode::BAD_REQUEST);
        };
        if target
            .method()
            .is_some_and(|method| method != Method::Invite.as_bytes())
        {
            return Some(StatusCode::NOT_IMPLEMENTED);
        }
        if target.with_replaces(|replaces| replaces.is_err()) == Some(true) {
            return Some(StatusCode::BAD_REQUEST);
        }
        if self.is_in_transfer(number) || self.is_renegotiating(number) {
            return Some(StatusCode::REQUEST_PENDING);
        }
        self.emit(Event::TransferAsked { call: number, tx });
        None
    }

    /// Refuses a transfer that was asked for ([`Event::TransferAsked`]); the call is the agent's as
    /// before.
    pub fn refuse_transfer(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        tx: ServerTx,
        status: StatusCode,
    ) {
        self.answer(now, layer, tx, status);
    }

    /// Accepts a transfer that was asked for. From now on the call can be rung for with
    /// [`Calls::ring`]; the agent stays in it until somebody answers ([`Event::AgentAnswered`]) or
    /// [`Calls::release_agent`]. `replaces` is the dialog that the phones which are rung are asked to
    /// end for it (RFC 3891). Whether that could be done: not when the call has ended meanwhile or
    /// has become another agent's.
    pub fn accept_transfer(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        number: CallNumber,
        tx: ServerTx,
        replaces: Option<Bytes>,
    ) -> bool {
        let Some(refer) = layer.server_request(tx).cloned() else {
            return false;
        };
        let wants_no_course = refer
            .header_named(REFER_SUB)
            .is_some_and(|value| value.eq_ignore_ascii_case(b"false"));
        let course = if wants_no_course {
            Course::Untold
        } else {
            Course::Told {
                refer: refer.cseq_number(),
            }
        };
        let transfer = Transfer::of(&refer, replaces, now + self.settings.wait_max);
        let flow = self
            .connected_mut(number)
            .and_then(|connected| connected.company.leave(transfer, course));
        let Some(flow) = flow else {
            self.answer(now, layer, tx, StatusCode::REQUEST_PENDING);
            return false;
        };
        let status = StatusCode::ACCEPTED;
        if let Some(builder) = layer.response_builder(tx, status, status.reason(), None) {
            let builder = builder.header(HeaderName::Contact, self.locals.contact(flow));
            let accepted = if wants_no_course {
                builder.header_named(REFER_SUB, "false")
            } else {
                builder
            };
            layer.respond(now, tx, accepted.finish());
        }
        // RFC 3515 §2.4.4: the subscription begins with the first NOTIFY, at once.
        self.notify(now, layer, number, StatusCode::TRYING, Notified::More);
        self.rearm(number);
        true
    }

    /// The call has gone on without the agent who transferred it: the phone is told so and hung up.
    /// Ignored when the call is in no transfer.
    pub fn release_agent(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        number: CallNumber,
    ) {
        self.notify(now, layer, number, StatusCode::OK, Notified::Last);
        if let Some(transferor) = self.take_transferor(now, layer, number) {
            let mut dialog = transferor.leg.dialog;
            self.bye(now, layer, &mut dialog, None);
        }
        self.rearm(number);
    }

    /// The transfer has failed with this status: the call is the agent's again, if the agent is still
    /// there. Whether it is.
    pub fn transfer_failed(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        number: CallNumber,
        status: StatusCode,
    ) -> bool {
        let has_agent = self
            .transfer_mut(number)
            .is_some_and(|transfer| transfer.transferor.is_some());
        if !has_agent {
            return false;
        }
        self.stop_target(now, layer, number);
        self.notify(now, layer, number, status, Notified::Last);
        if let Some(connected) = self.connected_mut(number) {
            connected.company.come_back();
        }
        self.rearm(number);
        true
    }

    pub(crate) fn is_in_transfer(&self, number: CallNumber) -> bool {
        let stage = self.table.get(&number).map(|call| &call.stage);
        matches!(stage, Some(Stage::Connected(connected)) if connected.transfer().is_some())
    }

    pub(crate) fn transfer_mut(&mut self, number: CallNumber) -> Option<&mut Transfer> {
        self.connected_mut(number)?.transfer_mut()
    }

    /// The agent who transfers the call has hung up or is gone; the caller is still there.
    pub(crate) fn agent_left(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        number: CallNumber,
    ) {
        if self.take_transferor(now, layer, number).is_some() {
            self.emit(Event::AgentLeft { call: number });
        }
        self.rearm(number);
    }

    /// Takes the agent out of the call, with all that the two sides had asked of each other.
    pub(crate) fn take_transferor(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        number: CallNumber,
    ) -> Option<Transferor> {
        let gives_up_at = now + self.settings.wait_max;
        let transfer = self.transfer_mut(number)?;
        let mut transferor = transfer.transferor.take()?;
        transfer.gives_up_at = gives_up_at;
        transfer.not_joined = 0;
        if let Some(owed) = transferor.leg.owed_ack.take() {
            self.pay_ack(layer, owed, &transferor.leg.dialog, None);
        }
        if let Some(call) = self.table.get_mut(&number) {
            let relays = std::mem::take(&mut call.relays);
            self.end_relays(now, layer, relays);
        }
        Some(transferor)
    }

    /// Somebody else has the call now: the transfer is over.
    pub(crate) fn hand_over(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        number: CallNumber,
        to: Leg,
        attempt: AttemptId,
    ) {
        self.release_agent(now, layer, number);
        if let Some(connected) = self.connected_mut(number) {
            connected.company = Company::Agent(to);
        }
        self.emit(Event::AgentAnswered {
            call: number,
            attempt,
        });
    }

    /// Ends whatever goes on towards the target.
    pub(crate) fn stop_target(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        number: CallNumber,
    ) {
        let Some(transfer) = self.transfer_mut(number) else {
            return;
        };
        let ringing = std::mem::take(&mut transfer.ringing);
        let joining = transfer.joining.take();
        ringing.cancel(now, layer, None);
        if let Some(joining) = joining {
            self.drop_target(now, layer, joining);
        }
    }

    /// Ends a transfer whose call ends. The leg of the agent, if there is one, which is still to be
    /// hung up.
    pub(crate) fn end_transfer(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        transfer: Transfer,
    ) -> Option<Leg> {
        transfer.ringing.cancel(now, layer, None);
        if let Some(joining) = transfer.joining {
            self.drop_target(now, layer, joining);
        }
        let mut transferor = transfer.transferor?;
        let status = StatusCode::REQUEST_TERMINATED;
        self.notify_agent(now, layer, &mut transferor, status, Notified::Last);
        Some(transferor.leg)
    }

    /// Does what a transfer needs now.
    pub(crate) fn carry_on_transfer(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        number: CallNumber,
    ) {
        let gives_up_at = now + self.settings.wait_max;
        let Some(transfer) = self.transfer_mut(number) else {
            return;
        };
        let is_overdue = transfer.gives_up_at <= now;
        if is_overdue && transfer.transferor.is_some() {
            // They talk, and it is known of both that they are there.
            transfer.gives_up_at = gives_up_at;
        } else if is_overdue {
            self.finish(now, layer, number, EndCause::WaitMax, None);
        } else {
            self.carry_on_joining(now, layer, number);
        }
    }
}

impl Call {
    /// The phones that are being rung; `None` when none may be rung.
    pub(crate) fn ringing(&self) -> Option<&Attempts> {
        match &self.stage {
            Stage::Waiting(waiting) => Some(&waiting.ringing),
            Stage::Connected(connected) => Some(&connected.transfer()?.ringing),
            Stage::Ending(_) => None,
        }
    }

    pub(crate) fn ringing_mut(&mut self) -> Option<&mut Attempts> {
        match &mut self.stage {
            Stage::Waiting(waiting) => Some(&mut waiting.ringing),
            Stage::Connected(connected) => Some(&mut connected.transfer_mut()?.ringing),
            Stage::Ending(_) => None,
        }
    }
}
