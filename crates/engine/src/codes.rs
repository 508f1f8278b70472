//! Feature codes: what an agent says by dialling a few keys on the phone.
//!
//! | code | |
//! |---|---|
//! | `*11` | log in, not ready yet |
//! | `*12` | log out |
//! | `*13` | ready |
//! | `*14`, `*14n` | not ready: for the first, or for the n-th reason of `[desk] pause_reasons` |
//! | `*8`, `*8n` | pick the next, or the n-th call that waits for one like her |
//!
//! What has been done is answered 200 without media, and hung up; what has not, with an error whose
//! Warning says why. A phone is rung for a call that it has picked as soon as it is on the hook.

use std::{collections::BTreeMap, time::Instant};

use acd::{AgentId, PauseReason, Want};
use call::CallNumber;
use sip::{HeaderName, Request, StatusCode};
use sip_transaction::{Flow, ServerTx};

use crate::{
    engine::Engine,
    orders::{Order, OrderError, Picked},
};

/// The reason of who has logged in and has not said more.
const LOGGED_IN: &str = "logged-in";

/// The reason of who has not said which, where there is no list.
const PAUSE: &str = "pause";

/// What a phone has dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    LogIn,
    LogOut,
    Ready,
    /// For the reason of this number.
    Pause(usize),
    /// The call at this place.
    Pick(usize),
}

impl Code {
    /// Reads what was dialled; `None` for what is no code.
    pub(crate) fn parse(dialled: &str) -> Option<Self> {
        match dialled {
            "*11" => return Some(Self::LogIn),
            "*12" => return Some(Self::LogOut),
            "*13" => return Some(Self::Ready),
            _ => {}
        }
        if let Some(number) = dialled.strip_prefix("*14") {
            return number_or_first(number).map(Self::Pause);
        }
        let place = dialled.strip_prefix("*8")?;
        number_or_first(place).map(Self::Pick)
    }
}

fn number_or_first(digits: &str) -> Option<usize> {
    if digits.is_empty() {
        return Some(1);
    }
    let number = digits.parse().ok()?;
    (number > 0 && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(number)
}

/// Calls that agents have picked, by the call in which their phones are hung up.
pub(crate) type Picks = BTreeMap<CallNumber, Order>;

impl Engine {
    /// Does what an agent has dialled, and answers the phone.
    pub(crate) fn take_code(
        &mut self,
        now: Instant,
        tx: ServerTx,
        invite: &Request,
        flow: Flow,
        (agent, code): (AgentId, Code),
    ) {
        let order = self.order_of(agent, code);
        let is_pick = matches!(code, Code::Pick(_));
        let done = match order {
            Ok(Some(order)) if is_pick => Ok(Some(order)),
            Ok(Some(order)) => self.obey(now, order).map(|()| None),
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        match done {
            Ok(then) => {
                let from = (flow, self.is_behind_nat(agent, flow));
                let call = self
                    .calls
                    .answer_code(now, &mut self.layer, tx, invite, from);
                if let (Some(call), Some(order)) = (call, then) {
                    self.picks.insert(call, order);
                }
            }
            Err(error) => {
                let warning = format!("399 {} \"{error}\"", self.config.domain);
                self.answer_with(now, tx, status_of(error), |builder| {
                    builder.header(HeaderName::Warning, warning)
                });
            }
        }
    }

    /// What a code asks for; `None`: nothing, since it is so already.
    fn order_of(&self, agent: AgentId, code: Code) -> Result<Option<Order>, OrderError> {
        let want = match code {
            // Not by the state: who has logged out during a call is still in it.
            Code::LogIn => match self.acd.agent_wants(agent) {
                Want::LoggedOut => {
                    // Said by the system: no list need hold it.
                    return Ok(Some(Order::LogIn { agent }));
                }
                _ => return Ok(None),
            },
            Code::LogOut => Want::LoggedOut,
            Code::Ready => Want::Ready,
            Code::Pause(number) => Want::NotReady {
                reason: self.reason(number)?,
            },
            Code::Pick(place) => return self.picked(agent, place).map(Some),
        };
        Ok(Some(Order::SetAgent { agent, want }))
    }

    fn reason(&self, number: usize) -> Result<PauseReason, OrderError> {
        let listed = self.directory().pause_reasons().nth(number - 1);
        match listed {
            Some(reason) => Ok(reason.clone()),
            None if number == 1 => Ok(PauseReason::new(PAUSE).expect("it is a word")),
            None => Err(OrderError::UnknownReason),
        }
    }

    /// The call at a place now, and whether the agent may have it.
    fn picked(&self, agent: AgentId, place: usize) -> Result<Order, OrderError> {
        let waiting = self.acd.waiting_for(agent, place);
        let number = waiting.and_then(|call| self.records.by_acd(call));
        let record = number.and_then(|number| self.records.get(number));
        let record = record.ok_or(OrderError::NoCallAtPlace)?;
        let call = Picked::Call(record.id.to_string());
        self.check_pick(agent, &call)?;
        Ok(Order::Pick { agent, call })
    }

    /// A phone that has dialled a code is free again.
    pub(crate) fn phone_free(&mut self, now: Instant, call: CallNumber) {
        if let Some(order) = self.picks.remove(&call) {
            // Somebody else may have it by now.
            let _taken_meanwhile = self.obey(now, order);
        }
    }
}

/// The reason for which somebody is not ready who has just logged in.
pub(crate) fn logged_in() -> PauseReason {
    PauseReason::new(LOGGED_IN).expect("it is a word")
}

const fn status_of(error: OrderError) -> StatusCode {
    match error {
        OrderError::UnknownReason | OrderError::NoCallAtPlace => StatusCode::NOT_FOUND,
        _ => StatusCode::FORBIDDEN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read() {
        let known = [
            ("*11", Code::LogIn),
            ("*12", Code::LogOut),
            ("*13", Code::Ready),
            ("*14", Code::Pause(1)),
            ("*142", Code::Pause(2)),
            ("*8", Code::Pick(1)),
            ("*812", Code::Pick(12)),
        ];
        for (dialled, code) in known {
            assert_eq!(Code::parse(dialled), Some(code), "{dialled}");
        }
        for other in [
            "", "*", "*1", "*110", "*140", "*8*", "*8+1", "*80", "11", "*9",
        ] {
            assert_eq!(Code::parse(other), None, "{other}");
        }
    }
}
