//! Calls between agents and trunks that are to see nothing of our network: we answer one side and call
//! the other ourselves, as a back-to-back user agent.

use std::{
    collections::{BTreeMap, VecDeque},
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use call::{AgentFailure, AttemptId, CallNumber, Identity, Outside};
use sip::{Request, StatusCode, UriBuf};
use sip_proxy::{Topology, Trunk, TrunkId, Trust};
use sip_transaction::{Flow, ServerTx, Target};

use crate::{engine::Engine, outgoing::asks_for_privacy};

/// Calls of agents with such trunks.
#[derive(Debug, Default)]
pub(crate) struct HiddenCalls {
    calls: BTreeMap<CallNumber, HiddenCall>,
}

#[derive(Debug)]
struct HiddenCall {
    /// The trunk with which it is counted: that it came from, is being tried, or has it.
    trunk: TrunkId,
    attempt: AttemptId,
    rest: Rest,
}

/// What has not been tried.
#[derive(Debug)]
enum Rest {
    /// Ways out.
    Ways(VecDeque<(TrunkId, Target)>),
    /// Phones of an agent.
    Phones(VecDeque<Target>),
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
        invite: Arc<Request>,
        flow: Flow,
        ways: Vec<(TrunkId, Target)>,
    ) {
        let is_full = self.calls.len() >= self.config.settings.calls_max;
        if self.refuses_calls() || is_full {
            return self.answer(now, tx, StatusCode::SERVICE_UNAVAILABLE);
        }
        let mut rest = VecDeque::from(ways);
        let Some(first) = self.next_way(now, &mut rest) else {
            return self.answer(now, tx, StatusCode::SERVICE_UNAVAILABLE);
        };
        let agent = self.claimed_agent(&invite);
        let call = self.calls.start(now, &mut self.layer, tx, invite, flow);
        if agent.is_some_and(|agent| self.is_behind_nat(agent, flow)) {
            self.calls.note_behind_nat(call);
        }
        let hidden = HiddenCall {
            trunk: first.0,
            attempt: AttemptId(0),
            rest: Rest::Ways(rest),
        };
        self.hidden.calls.insert(call, hidden);
        self.ring_hidden(now, call, &first);
    }

    /// A trunk's call to an agent in person rings her phones, one after the other.
    pub(crate) fn called_hidden(
        &mut self,
        now: Instant,
        tx: ServerTx,
        invite: Arc<Request>,
        flow: Flow,
        (trunk, phones): (TrunkId, Vec<Target>),
    ) {
        if phones.is_empty() {
            return self.answer(now, tx, StatusCode::TEMPORARILY_UNAVAILABLE);
        }
        let is_full = self.calls.len() >= self.config.settings.calls_max;
        if self.refuses_calls() || is_full || self.trunk_loads.begin(now, trunk).is_err() {
            return self.answer(now, tx, StatusCode::SERVICE_UNAVAILABLE);
        }
        let call = self.calls.start(now, &mut self.layer, tx, invite, flow);
        let hidden = HiddenCall {
            trunk,
            attempt: AttemptId(0),
            rest: Rest::Phones(phones.into()),
        };
        self.hidden.calls.insert(call, hidden);
        self.ring_next_phone(now, call);
    }

    /// Whether there was one.
    fn ring_next_phone(&mut self, now: Instant, call: CallNumber) -> bool {
        let attempt = self.records.next_attempt();
        let Some(hidden) = self.hidden.calls.get_mut(&call) else {
            return false;
        };
        let Rest::Phones(phones) = &mut hidden.rest else {
            return false;
        };
        let Some(phone) = phones.pop_front() else {
            return false;
        };
        hidden.attempt = attempt;
        self.calls.ring(now, &mut self.layer, call, attempt, &phone);
        true
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
            identity: self.presented_on(*trunk, call),
        };
        self.calls
            .ring_outside(now, &mut self.layer, call, attempt, target, outside);
    }

    /// As whom agents call through a trunk: by its number, else anonymously, for an agent's name is nothing
    /// that a network outside could call back; a trunk that may see our network sees it. RFC 3325 §7: who asks for privacy is shown to no trunk that is not trusted.
    fn presented_on(&self, trunk: TrunkId, call: CallNumber) -> Identity {
        let domain = &self.config.domain;
        let trunk = self.trunks.get(trunk);
        let is_private = self.calls.invite(call).is_some_and(asks_for_privacy);
        let may_show = |trunk: &&Trunk| !is_private || trunk.trust == Trust::Trusted;
        let presented = trunk.filter(may_show).and_then(|one| one.presented.clone());
        let unpresented = match trunk {
            Some(trunk) if !is_private && trunk.topology == Topology::Kept => Identity::Shown,
            _ => Identity::Withheld,
        };
        presented
            .and_then(|number| UriBuf::new(format!("sip:{number}@{domain};user=phone")).ok())
            .map_or(unpresented, Identity::Presented)
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
        let next = match &mut hidden.rest {
            Rest::Ways(ways) => {
                self.trunk_loads.end(hidden.trunk);
                let may_help = cause == AgentFailure::Unreachable;
                match may_help.then(|| self.next_way(now, ways)).flatten() {
                    Some(way) => way,
                    None => {
                        let status = status_of(cause);
                        self.calls.end(now, &mut self.layer, call, status);
                        return true;
                    }
                }
            }
            Rest::Phones(_) => {
                self.hidden.calls.insert(call, hidden);
                let refuses = matches!(cause, AgentFailure::Busy | AgentFailure::Declined);
                if refuses || !self.ring_next_phone(now, call) {
                    let status = status_of(cause);
                    self.calls.end(now, &mut self.layer, call, status);
                }
                return true;
            }
        };
        self.hidden.calls.insert(call, hidden);
        self.ring_hidden(now, call, &next);
        true
    }

    /// A call of before, with the sides that it has: it is counted with the trunk that one of them is.
    pub(crate) fn restore_hidden(&mut self, call: CallNumber, sides: &[Flow]) {
        let is_side = |address: IpAddr| sides.iter().any(|flow| flow.remote.ip() == address);
        let mut by_source = sides
            .iter()
            .filter_map(|flow| self.trunks.by_source(flow.remote.ip()));
        let is_next_hop = |&trunk: &TrunkId| {
            let hops = self.trunks.get(trunk).map_or(&[][..], |one| &one.next_hops);
            let addresses = hops
                .iter()
                .filter_map(|hop| hop.as_uri().as_sip()?.host.ip());
            self.is_hidden_from(trunk) && addresses.into_iter().any(is_side)
        };
        let by_source = by_source.find(|&trunk| self.is_hidden_from(trunk));
        let Some(trunk) =
            by_source.or_else(|| self.trunks.iter().map(|(trunk, _)| trunk).find(is_next_hop))
        else {
            return;
        };
        self.trunk_loads.resume(trunk);
        let hidden = HiddenCall {
            trunk,
            attempt: AttemptId(0),
            rest: Rest::Ways(VecDeque::new()),
        };
        self.hidden.calls.insert(call, hidden);
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
        AgentFailure::NoAnswer | AgentFailure::NotJoined => StatusCode::TEMPORARILY_UNAVAILABLE,
        AgentFailure::Unreachable => StatusCode::BAD_GATEWAY,
        AgentFailure::Rejected(status) => status,
    }
}
