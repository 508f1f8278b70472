//! Attended transfers whose consultation came about through us: the agent of one call takes over
//! another (RFC 5589 §7). Its leg is there already, so that no phone is rung: it is asked for an
//! offer, which the caller gets like that of anybody to whom a call is transferred.

use std::time::Instant;

use sip::headers::Replaces;
use sip_transaction::{ServerTx, TransactionLayer};

use crate::{
    call::{Company, Stage},
    calls::Calls,
    event::EndCause,
    ids::{AttemptId, CallNumber},
    joining::Joining,
    leg::Leg,
    transfer::Transfer,
};

impl Calls {
    /// The call whose caller has the dialog that a Replaces names, as that caller sees the dialog.
    pub fn replaced_by_caller(&self, replaces: &Replaces<'_>) -> Option<CallNumber> {
        let number = CallNumber::of_tag(replaces.to_tag)?;
        let is_it = match &self.table.get(&number)?.stage {
            Stage::Waiting(waiting) => {
                *waiting.local_tag == *replaces.to_tag
                    && waiting.invite.from_tag() == Some(replaces.from_tag)
                    && *waiting.invite.call_id() == *replaces.call_id
            }
            Stage::Connected(connected) => connected.caller.dialog.is_replaced_by(replaces),
            Stage::Ending(_) => false,
        };
        is_it.then_some(number)
    }

    /// Accepts a transfer to the agent who has another call, whose caller is alone from now on. How it
    /// ends is told like the end of [`Calls::ring`]; in any case the other call's owner ends it then.
    /// Whether that could be done; the REFER has been answered.
    pub fn take_over(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        number: CallNumber,
        tx: ServerTx,
        from: CallNumber,
        attempt: AttemptId,
    ) -> bool {
        let until = now + self.settings.wait_max;
        let is_free = number != from && !self.is_renegotiating(from);
        let can = self.connected_mut(from).is_some_and(|other| {
            let company = &other.company;
            matches!(company, Company::Agent(leg) if leg.owed_ack.is_none()) && is_free
        });
        if !can {
            self.answer(now, layer, tx, sip::StatusCode::REQUEST_PENDING);
            return false;
        }
        if !self.accept_transfer(now, layer, number, tx, None) {
            return false;
        }
        let leg = self
            .connected_mut(from)
            .and_then(|other| other.company.give_away(until));
        if let Some(other) = self.table.get_mut(&from) {
            let relays = std::mem::take(&mut other.relays);
            self.end_relays(now, layer, relays);
        }
        let gives_up_at = now + self.settings.ack_max();
        if let (Some(leg), Some(transfer)) = (leg, self.transfer_mut(number)) {
            transfer.joining = Some(Joining::without_offer(now, attempt, leg, gives_up_at));
            // It may have come from a third call.
            let moved = self.moved_legs.values_mut();
            moved.filter(|to| **to == from).for_each(|to| *to = number);
            self.moved_legs.insert(from, number);
        }
        self.carry_on_joining(now, layer, number);
        self.rearm(from);
        self.rearm(number);
        true
    }

    /// Ends a call whose agent has been taken over.
    pub fn end_taken_over(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        number: CallNumber,
    ) {
        self.finish(now, layer, number, EndCause::TakenOver, None);
    }
}

impl Company {
    /// Gives the agent's leg away; the caller is alone.
    fn give_away(&mut self, until: Instant) -> Option<Leg> {
        let alone = Self::Transfer(Box::new(Transfer::without_agent(until)));
        match std::mem::replace(self, alone) {
            Self::Agent(leg) => Some(leg),
            before @ Self::Transfer(_) => {
                *self = before;
                None
            }
        }
    }
}
