//! Agents' calls through trunks that are to see nothing of our network: we answer the agent and call
//! the trunk ourselves, as a back-to-back user agent.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use call::{AgentFailure, AttemptId, CallNumber, Identity, Outside};
use sip::{Request, StatusCode, UriBuf};
use sip_proxy::{Topology, TrunkId};
use sip_transaction::{Flow, ServerTx, Target};

use crate::engine::Engine;

/// Calls that agents make through such trunks.
#[derive(Debug, Default)]
pub(crate) struct HiddenCalls {
    calls: BTreeMap<CallNumber, HiddenCall>,
}

#[derive(Debug)]
struct HiddenCall {
    /// The trunk that is being tried, or has the call.
    trunk: TrunkId,
    attempt: AttemptId,
    /// Ways that have not been tried.
    rest: VecDeque<(TrunkId, Target)>,
}

impl Engine {
    pub(crate) fn is_hidden_from(&self, trunk: TrunkId) -> bool {
        let trunk = self.trunks.get(trunk);
        trunk.is_some_and(|trunk| trunk.topology == Topology::Hidden)
    }

    /// Whether a call is one of these.
    pub(crate) fn is_hidden_call(&self, call: CallNumber) -> bool {
        self.hidden.calls.contains_key(&call)
    }

    /// An agent's call goes out by the first of these ways that can serve.
    pub(crate) fn call_hidden(
        &mut self,
        now: Instant,
        tx: ServerTx,
        invite: Request,
        flow: Flow,
        ways: Vec<(TrunkId, Target)>,
    ) {
        let is_full = self.calls.len() >= self.config.settings.calls_max;
        if self.is_draining() || is_full {
            return self.answer(now, tx, StatusCode::SERVICE_UNAVAILABLE);
        }
        let mut rest = VecDeque::from(ways);
        let Some(first) = self.next_way(now, &mut rest) else {
            return self.answer(now, tx, StatusCode::SERVICE_UNAVAILABLE);
        };
        let call = self.calls.start(now, &mut self.layer, tx, invite, flow);
        let hidden = HiddenCall {
            trunk: first.0,
            attempt: AttemptId(0),
            rest,
        };
        self.hidden.calls.insert(call, hidden);
        self.ring_hidden(now, call, &first);
    }

    /// The next way whose trunk has room for the call, which is counted there.
    fn next_way(
        &mut self,
        now: Instant,
        rest: &mut VecDeque<(TrunkId, Target)>,
    ) -> Option<(TrunkId, Target)> {
        while let Some(way) = rest.pop_front() {
            if self.trunk_loads.begin(now, way.0).is_ok() {
                return Some(way);
            }
        }
        None
    }

    fn ring_hidden(&mut self, now: Instant, call: CallNumber, (trunk, target): &(TrunkId, Target)) {
        let attempt = self.records.next_attempt();
        if let Some(hidden) = self.hidden.calls.get_mut(&call) {
            (hidden.trunk, hidden.attempt) = (*trunk, attempt);
        }
        let outside = Outside {
            rings_until: now + RINGS_MAX,
            identity: self.presented_on(*trunk),
        };
        self.calls
            .ring_outside(now, &mut self.layer, call, attempt, target, outside);
    }

    /// As whom agents call through a trunk: by its number, else anonymously. An agent's name is nothing
    /// that a network outside could call back.
    fn presented_on(&self, trunk: TrunkId) -> Identity {
        let domain = &self.config.domain;
        let presented = self.trunks.get(trunk).and_then(|one| one.presented.clone());
        presented
            .and_then(|number| UriBuf::new(format!("sip:{number}@{domain};user=phone")).ok())
            .map_or(Identity::Withheld, Identity::Presented)
    }

    /// A way has failed: the next is tried where it only could not serve. Whether the call was one of these.
    pub(crate) fn hidden_failed(
        &mut self,
        now: Instant,
        call: CallNumber,
        attempt: AttemptId,
        cause: AgentFailure,
    ) -> bool {
        let Some(mut hidden) = self.hidden.calls.remove(&call) else {
            return false;
        };
        if hidden.attempt != attempt {
            self.hidden.calls.insert(call, hidden);
            return true;
        }
        self.trunk_loads.end(hidden.trunk);
        let next = match cause {
            AgentFailure::Unreachable => self.next_way(now, &mut hidden.rest),
            _ => None,
        };
        match next {
            Some(way) => {
                self.hidden.calls.insert(call, hidden);
                self.ring_hidden(now, call, &way);
            }
            None => {
                let status = status_of(cause);
                self.calls.end(now, &mut self.layer, call, status);
            }
        }
        true
    }

    /// A call is over.
    pub(crate) fn hidden_ended(&mut self, call: CallNumber) {
        if let Some(hidden) = self.hidden.calls.remove(&call) {
            self.trunk_loads.end(hidden.trunk);
        }
    }
}

/// Longer than any telephone rings; the agent hangs up before.
const RINGS_MAX: Duration = Duration::from_secs(180);

/// What the agent is answered.
const fn status_of(cause: AgentFailure) -> StatusCode {
    match cause {
        AgentFailure::Busy => StatusCode::BUSY_HERE,
        AgentFailure::Declined => StatusCode::DECLINE,
        AgentFailure::NoAnswer => StatusCode::TEMPORARILY_UNAVAILABLE,
        AgentFailure::Unreachable => StatusCode::BAD_GATEWAY,
        AgentFailure::Rejected(status) => status,
    }
}
