//! Conservation laws: what must hold at the end of every run, whatever happened in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    rc::Rc,
};

use bytes::Bytes;
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
    /// Call-IDs of dialogs that are confirmed: by a 2xx that a node sent, by one to what it had asked, or by
    /// its ACK of whatever 2xx.
    confirmed: BTreeSet<String>,
    acked: BTreeSet<(String, u32)>,
    /// Call-IDs of what a node has asked, by the node, whose other side has hung up by itself.
    ended_by_peer: BTreeSet<(SocketAddr, String)>,
    /// BYE requests of each node, by Call-ID and tags.
    byes: BTreeMap<(SocketAddr, String), Byes>,
    /// Call-IDs in which a BYE was sent by anybody.
    hung_up: BTreeSet<String>,
    /// INVITEs of nodes: what an answer must have of them.
    asked: BTreeSet<Asked>,
    /// Call-IDs of all INVITEs.
    invited: BTreeSet<String>,
    /// Call-IDs of INVITEs that a node sends on: their dialogs are none of its own.
    sent_on: BTreeSet<String>,
    /// Those that nobody is held to.
    forgiven: BTreeSet<String>,
    /// Calls that nobody is held to.
    forgiven_calls: BTreeSet<String>,
}

/// Distinct BYE requests in one dialog, by their branches.
#[derive(Clone, Debug, Default)]
struct Byes {
    /// Those since the peer said last that it has answered: who says so after a BYE has not heard it.
    since: BTreeSet<String>,
    /// Those before, of which one may come again.
    before: BTreeSet<String>,
}

/// Call-ID, branch, From-tag and the number of CSeq: what does not have all of them answers something that was damaged on
/// its way.
type Asked = (String, String, String, u32);

/// A message on its way from or to a node.
#[derive(Clone, Debug)]
pub(crate) struct Sighting {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) what: Said,
}

/// What was said: read once, for everybody who hears it.
#[derive(Clone, Debug)]
pub(crate) enum Said {
    Request(Rc<Request>),
    Response(Rc<Response>),
}

impl Said {
    /// `None` for what is no SIP.
    pub(crate) fn read(bytes: Bytes) -> Option<Self> {
        let message = Message::parse(bytes, &Limits::default()).ok()?;
        Some(if message.is_request() {
            Self::Request(Rc::new(Request::new(message).ok()?))
        } else {
            Self::Response(Rc::new(Response::new(message).ok()?))
        })
    }
}

impl Sighting {
    /// `None` for what is no SIP.
    pub(crate) fn of(datagram: &Datagram) -> Option<Self> {
        Some(Self {
            from: datagram.from,
            to: datagram.to,
            what: Said::read(datagram.bytes.clone())?,
        })
    }
}

/// What of a node is left when a run is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Leftover {
    pub(crate) calls: usize,
    pub(crate) legs: usize,
    pub(crate) forwarding: usize,
    pub(crate) server_transactions: usize,
    pub(crate) client_transactions: usize,
    /// What may have changed and was never looked at.
    pub(crate) notes: usize,
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

    /// Sees a message that arrives at a node, or that a node sends.
    pub(crate) fn see(&mut self, sighting: &Sighting, node: SocketAddr) {
        match &sighting.what {
            Said::Request(request) => self.see_request(request, sighting.from, node),
            Said::Response(response) => {
                // A BYE that was damaged on its way may have been understood, as far as that matters.
                let is_final = !response.status().is_provisional();
                if response.cseq_method() == b"BYE" && is_final {
                    self.hung_up.insert(text(response.call_id()));
                }
                let is_answer =
                    response.status().is_success() && response.cseq_method() == b"INVITE";
                if is_answer && sighting.to == node {
                    self.see_answer(response, node);
                } else if is_answer {
                    // One with a Call-ID that nobody has invited with was damaged before the node sent it on.
                    let call_id = text(response.call_id());
                    if self.invited.contains(&call_id) {
                        self.confirmed.insert(call_id);
                    }
                }
            }
        }
    }

    /// Sees a message that was damaged on its way to a node. Nobody is held to it; but an answer that still names its
    /// dialog says to the node, too, that whoever sent it has not heard a BYE.
    pub(crate) fn see_damaged(&mut self, sighting: &Sighting, node: SocketAddr) {
        if let Said::Response(response) = &sighting.what
            && response.status().is_success()
            && response.cseq_method() == b"INVITE"
        {
            self.note_byes_unheard(response, node);
        }
    }

    fn note_byes_unheard(&mut self, answer: &Response, node: SocketAddr) {
        let call_id = text(answer.call_id());
        let tag = text(answer.from_tag().unwrap_or_default());
        let to = text(answer.header(HeaderName::To).unwrap_or_default());
        if let Some(byes) = self.byes.get_mut(&(node, format!("{call_id} {tag} {to}"))) {
            byes.before.append(&mut byes.since);
        }
    }

    /// A 2xx to an INVITE. To one of nothing that it asked the node owes nothing.
    fn see_answer(&mut self, response: &Response, node: SocketAddr) {
        self.note_byes_unheard(response, node);
        let call_id = text(response.call_id());
        let branch = text(response.top_via().branch().unwrap_or_default());
        let tag = text(response.from_tag().unwrap_or_default());
        let cseq = response.cseq_number();
        let asked = (call_id.clone(), branch, tag, cseq);
        if self.asked.contains(&asked) {
            self.answers_received.insert((call_id.clone(), cseq));
            self.confirmed.insert(call_id);
        }
    }

    /// A process has died. Who has answered it and then told it that the call is over waits for no ACK, and the next one
    /// does not know of it any more.
    pub(crate) fn note_death(&mut self, node: SocketAddr) {
        let ended = &mut self.ended_by_peer;
        self.answers_received
            .retain(|(call_id, _)| !ended.contains(&(node, call_id.clone())));
        ended.retain(|(at, _)| *at != node);
    }

    /// A node has lost what it had promised, and was allowed to: nobody holds it to any call of before.
    pub(crate) fn forgive(&mut self) {
        let started = self.started.keys().map(ToString::to_string);
        self.forgiven_calls.extend(started);
        self.forgive_dialogs(|_| true);
    }

    /// The same for one call.
    pub(crate) fn forgive_call(&mut self, call: &str) {
        self.forgiven_calls.insert(call.to_owned());
    }

    /// The same for the dialogs of before with these Call-IDs.
    pub(crate) fn forgive_dialogs(&mut self, is_lost: impl Fn(&str) -> bool) {
        // An INVITE that was damaged on its way is not among those that were seen.
        let known = [&self.invited, &self.confirmed, &self.hung_up];
        let lost = known.into_iter().flatten();
        let lost = lost.filter(|call_id| is_lost(call_id)).cloned();
        self.forgiven.extend(lost);
    }

    fn see_request(&mut self, request: &Request, from: SocketAddr, node: SocketAddr) {
        let call_id = text(request.call_id());
        // What is of others has their Via, too.
        let is_sent_on = from == node && request.elements(HeaderName::Via).nth(1).is_some();
        match request.method() {
            Method::Invite => {
                if is_sent_on {
                    self.sent_on.insert(call_id.clone());
                } else if from == node {
                    let tag = text(request.from_tag().unwrap_or_default());
                    let branch = text(request.top_via().branch().unwrap_or_default());
                    let cseq = request.cseq_number();
                    self.asked.insert((call_id.clone(), branch, tag, cseq));
                }
                self.invited.insert(call_id);
            }
            Method::Ack => {
                let branch = text(request.top_via().branch().unwrap_or_default());
                let tag = text(request.from_tag().unwrap_or_default());
                // With the branch of what it asked it is that of a failure.
                let asked = (call_id.clone(), branch, tag, request.cseq_number());
                let accepts = from == node && !is_sent_on && !self.asked.contains(&asked);
                if accepts {
                    self.confirmed.insert(call_id.clone());
                }
                self.acked.insert((call_id, request.cseq_number()));
            }
            Method::Bye => {
                self.hung_up.insert(call_id.clone());
                if from != node {
                    self.ended_by_peer.insert((node, call_id.clone()));
                }
                if from == node && !is_sent_on {
                    let branch = text(request.top_via().branch().unwrap_or_default());
                    let to = text(request.header(HeaderName::To).unwrap_or_default());
                    let ours = text(request.from_tag().unwrap_or_default());
                    let dialog = (node, format!("{call_id} {ours} {to}"));
                    let byes = self.byes.entry(dialog).or_default();
                    if !byes.before.contains(&branch) {
                        byes.since.insert(branch);
                    }
                }
            }
            _ => {}
        }
    }

    /// Every law that does not hold.
    pub(crate) fn broken(&self, leftovers: &[Leftover]) -> Vec<String> {
        let mut broken = Vec::new();
        let held_to = self.started.iter();
        for (call, times) in
            held_to.filter(|(call, _)| !self.forgiven_calls.contains(call.as_str()))
        {
            let ends = self.ended.get(call).copied().unwrap_or_default();
            if *times != 1 || ends != 1 {
                broken.push(format!(
                    "call {call} started {times} times and ended {ends} times"
                ));
            }
        }
        let counts = |call_id: &str| !self.forgiven.contains(call_id);
        let unacked = self.answers_received.difference(&self.acked);
        for (call_id, cseq) in unacked.filter(|(call_id, _)| counts(call_id)) {
            broken.push(format!(
                "the 2xx to INVITE {cseq} of {call_id} was never ACKed"
            ));
        }
        let connected = self.confirmed.difference(&self.hung_up);
        let is_own = |call_id: &&String| counts(call_id) && !self.sent_on.contains(*call_id);
        for call_id in connected.filter(is_own) {
            broken.push(format!("the confirmed dialog {call_id} got no BYE"));
        }
        for ((node, dialog), byes) in &self.byes {
            let call_id = dialog.split(' ').next().unwrap_or_default();
            let count = byes.since.len();
            if count > 1 && counts(call_id) {
                broken.push(format!("{node} sent {count} BYEs in {dialog}"));
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

/// A part of a message as text. Nearly all of them are.
pub(crate) fn text(value: &[u8]) -> String {
    match std::str::from_utf8(value) {
        Ok(text) => text.to_owned(),
        Err(_) => String::from_utf8_lossy(value).into_owned(),
    }
}
