//! What is tried outside the centres: somebody else is rung as well, or the caller is turned away.

use std::time::Instant;

use crate::{
    acd::Acd,
    call::{Call, Diverting},
    event::{CallOutcome, Event, Ignored},
    ids::{CallId, StepRef},
    output::{Output, WithdrawReason},
    spec::LastResort,
};

impl Acd {
    /// A step has taken effect that tries something outside.
    pub(crate) fn try_outside(
        &mut self,
        now: Instant,
        id: CallId,
        step: StepRef,
        what: &LastResort,
    ) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let (line, caller, arrival) = (call.line, call.caller, call.key.arrival);
        let crisis = self.classes.get(call.class).course.governing_crisis();
        match what {
            LastResort::Divert(_) if call.diverting != Diverting::No => {}
            LastResort::Divert(to) => {
                call.diverting = Diverting::By(step, crisis);
                let to = to.clone();
                self.emit(Event::Diverting { call: id, line });
                self.outputs.push_back(Output::Divert { call: id, to });
            }
            // Who is in an agent's company is not turned away.
            LastResort::Reject if call.with.is_some() => {}
            LastResort::Reject => {
                self.stop_seeking(now, id, WithdrawReason::CallEnded);
                let waited = self.waited_on_line(now, id);
                self.outputs.push_back(Output::Reject { call: id });
                self.caller_gave_up(now, id, line, caller, arrival, waited);
                self.forget(id, line, CallOutcome::Rejected { waited });
            }
        }
    }

    /// Stops ringing somebody outside when the crisis plan by which it was done is off.
    pub(crate) fn end_needless_diversion(&mut self, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let Diverting::By(_, Some(crisis)) = call.diverting else {
            return;
        };
        if self.classes.get(call.class).course.is_under(crisis) {
            return;
        }
        call.diverting = Diverting::No;
        let line = call.line;
        self.outputs.push_back(Output::DivertWithdrawn { call: id });
        self.emit(Event::DivertEnded { call: id, line });
    }

    /// Somebody outside took a call.
    pub(crate) fn divert_answered(&mut self, now: Instant, id: CallId) {
        let is_diverting = |call: &&mut Call| call.diverting != Diverting::No;
        let Some(call) = self.calls.get_mut(&id).filter(is_diverting) else {
            return self.ignore(Ignored::Call(id));
        };
        call.diverting = Diverting::No;
        let (line, with) = (call.line, call.with);
        self.stop_seeking(now, id, WithdrawReason::AnsweredElsewhere);
        if let Some(with) = with {
            self.end_talk(now, with);
        }
        let waited = self.waited_on_line(now, id);
        self.resolve_abandoned(id);
        self.forget(id, line, CallOutcome::Diverted { waited });
    }

    /// Nobody outside takes a call, which has kept its place.
    pub(crate) fn divert_failed(&mut self, id: CallId) {
        let is_diverting = |call: &&mut Call| call.diverting != Diverting::No;
        let Some(call) = self.calls.get_mut(&id).filter(is_diverting) else {
            return self.ignore(Ignored::Call(id));
        };
        call.diverting = Diverting::No;
        let line = call.line;
        self.emit(Event::DivertEnded { call: id, line });
    }
}
