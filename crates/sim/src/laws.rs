//! Conservation laws: what must hold at the end of every run, whatever happened in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use engine::{
    Event,
    call::CallId,
    sip::{HeaderName, Limits, Message, Method, Request, Response},
};

use crate::network::Datagram;

/// Watches a run from outside: the wire and the stream of events.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watcher {
    started: BTreeMap<CallId, u32>,
    ended: BTreeMap<CallId, u32>,
    /// INVITEs whose 2xx a node received: it must acknowledge each.
    answers_received: BTreeSet<(String, u32)>,
    /// Call-IDs of dialogs that a 2xx confirmed, received or sent by a node.
    confirmed: BTreeSet<String>,
    acked: BTreeSet<(String, u32)>,
    /// Distinct BYE requests of each node, by Call-ID.
    byes: BTreeMap<(SocketAddr, String), BTreeSet<String>>,
    /// Call-IDs in which a BYE was sent by anybody.
    hung_up: BTreeSet<String>,
}

/// What of a node is left when a run is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Leftover {
    pub(crate) calls: usize,
    pub(crate) legs: usize,
    pub(crate) forwarding: usize,
    pub(crate) server_transactions: usize,
    pub(crate) client_transactions: usize,
    pub(crate) waiting: usize,
    pub(crate) agents_by_state: usize,
    pub(crate) agents_known: usize,
    pub(crate) agents_busy: usize,
}

impl Watcher {
    pub(crate) fn note(&mut self, event: &Event) {
        match event {
            Event::CallStarted { call, .. } => *self.started.entry(call.clone()).or_default() += 1,
            Event::CallEnded { call, .. } => *self.ended.entry(call.clone()).or_default() += 1,
            _ => {}
        }
    }

    /// Sees a datagram that arrives at a node, or that a node sends.
    pub(crate) fn see(&mut self, datagram: &Datagram, node: SocketAddr) {
        let Ok(message) = Message::parse(datagram.bytes.clone(), &Limits::default()) else {
            return;
        };
        if message.is_request() {
            if let Ok(request) = Request::new(message) {
                self.see_request(&request, datagram.from, node);
            }
        } else if let Ok(response) = Response::new(message) {
            let is_answer = response.status().is_success() && response.cseq_method() == b"INVITE";
            if is_answer {
                let call_id = text(response.call_id());
                if datagram.to == node {
                    self.answers_received
                        .insert((call_id.clone(), response.cseq_number()));
                }
                self.confirmed.insert(call_id);
            }
        }
    }

    fn see_request(&mut self, request: &Request, from: SocketAddr, node: SocketAddr) {
        let call_id = text(request.call_id());
        match request.method() {
            Method::Ack => {
                self.acked.insert((call_id, request.cseq_number()));
            }
            Method::Bye => {
                self.hung_up.insert(call_id.clone());
                if from == node {
                    let branch = text(request.top_via().branch().unwrap_or_default());
                    let to = text(request.header(HeaderName::To).unwrap_or_default());
                    self.byes
                        .entry((node, format!("{call_id} {to}")))
                        .or_default()
                        .insert(branch);
                }
            }
            _ => {}
        }
    }

    /// Every law that does not hold.
    pub(crate) fn broken(&self, leftovers: &[Leftover]) -> Vec<String> {
        let mut broken = Vec::new();
        for (call, times) in &self.started {
            let ends = self.ended.get(call).copied().unwrap_or_default();
            if *times != 1 || ends != 1 {
                broken.push(format!(
                    "call {call} started {times} times and ended {ends} times"
                ));
            }
        }
        for (call_id, cseq) in self.answers_received.difference(&self.acked) {
            broken.push(format!(
                "the 2xx to INVITE {cseq} of {call_id} was never ACKed"
            ));
        }
        for call_id in self.confirmed.difference(&self.hung_up) {
            broken.push(format!("the confirmed dialog {call_id} got no BYE"));
        }
        for ((node, dialog), byes) in &self.byes {
            if byes.len() > 1 {
                broken.push(format!("{node} sent {} BYEs in {dialog}", byes.len()));
            }
        }
        for leftover in leftovers {
            let Leftover {
                agents_by_state,
                agents_known,
                ..
            } = *leftover;
            if agents_by_state != agents_known {
                broken.push(format!(
                    "{agents_known} agents, but {agents_by_state} over all states"
                ));
            }
            let drained = Leftover {
                agents_by_state,
                agents_known,
                ..Leftover::default()
            };
            if *leftover != drained {
                broken.push(format!("not everything drained: {leftover:?}"));
            }
        }
        broken
    }
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}
