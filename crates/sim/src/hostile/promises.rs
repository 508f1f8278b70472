//! What the engine owes a phone that answered: an ACK, and a BYE when all is over.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use engine::{
    sip::{Message, Method, Request, Response},
    sip_transaction::Flow,
};

/// Less than Timer B: an answer that comes later may be one to nothing.
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);

/// The dialogs in which something is owed.
#[derive(Debug, Default)]
pub(super) struct Promises {
    /// The INVITEs of the engine, by branch: that alone matches answers (RFC 3261 §17.1.3).
    invites: BTreeMap<Vec<u8>, Invite>,
    /// By Call-ID and the phone's tag.
    acks: BTreeSet<[Vec<u8>; 2]>,
    byes: BTreeSet<[Vec<u8>; 2]>,
}

#[derive(Clone, Copy, Debug)]
struct Invite {
    asked_at: Instant,
    flow: Flow,
    opens_dialog: bool,
    /// It has had a final answer: what comes after is another story.
    is_over: bool,
}

impl Promises {
    /// Sees a request of the engine.
    pub(super) fn see_request(&mut self, now: Instant, flow: Flow, request: &Request) {
        let call_id = request.call_id().to_vec();
        let theirs = request.to_tag().unwrap_or_default().to_vec();
        match request.method() {
            Method::Invite => {
                let branch = request.top_via().branch().unwrap_or_default().to_vec();
                let new = Invite {
                    asked_at: now,
                    flow,
                    opens_dialog: request.to_tag().is_none(),
                    is_over: false,
                };
                let invite = self.invites.entry(branch).or_insert(new);
                // What did not go over TCP goes over UDP.
                invite.flow = flow;
            }
            Method::Ack => drop(self.acks.remove(&[call_id, theirs])),
            Method::Bye => drop(self.byes.remove(&[call_id, theirs])),
            _ => {}
        }
    }

    /// Sees a message of a peer, before the engine does.
    pub(super) fn see_peer(&mut self, now: Instant, flow: Flow, message: &Message, is_plain: bool) {
        if message.method() == Some(&Method::Bye) {
            // Whoever hangs up needs no BYE.
            let Ok(bye) = Request::new(message.clone()) else {
                return;
            };
            self.byes.retain(|[call_id, _]| call_id != bye.call_id());
        }
        let Ok(answer) = Response::new(message.clone()) else {
            return;
        };
        let branch = answer.top_via().branch().unwrap_or_default().to_vec();
        let Some(invite) = self.invites.get_mut(&branch) else {
            return;
        };
        if !answer.status().is_final() || answer.cseq_method() != b"INVITE" {
            return;
        }
        let counts = is_plain
            && !invite.is_over
            && invite.flow == flow
            && now < invite.asked_at + ANSWERED_WITHIN
            && answer.status().is_success()
            && answer.remote_target().is_ok();
        invite.is_over = true;
        let Some(theirs) = answer.to_tag().filter(|_| counts) else {
            return;
        };
        let dialog = [answer.call_id(), theirs].map(<[u8]>::to_vec);
        if invite.opens_dialog {
            self.byes.insert(dialog.clone());
        }
        self.acks.insert(dialog);
    }

    /// What is still owed when all is over.
    pub(super) fn assert_kept(&self) {
        let told = |dialogs: &BTreeSet<[Vec<u8>; 2]>| {
            let text =
                |dialog: &[Vec<u8>; 2]| String::from_utf8_lossy(&dialog.join(&b' ')).into_owned();
            dialogs.iter().map(text).collect::<Vec<_>>().join(", ")
        };
        assert!(self.acks.is_empty(), "no ACK for {}", told(&self.acks));
        assert!(self.byes.is_empty(), "no BYE for {}", told(&self.byes));
    }
}
