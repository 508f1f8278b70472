//! What has gone over the wire: scripts answer, repeat and send back what they refer to by age.

use std::collections::VecDeque;

use bytes::Bytes;
use engine::{
    sip::{Message, Request, Response},
    sip_transaction::Flow,
};

/// Messages of each kind that are remembered.
const REMEMBERED_MAX: usize = 48;

/// The messages of a run.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// What peers have sent.
    pub(super) sent: Recent<(Flow, Bytes)>,
    /// The requests that the engine has sent.
    pub(super) asked: Recent<(Flow, Request)>,
    /// The answers of the engine that a dialog or an ACK can be made of.
    pub(super) answered: Recent<(Flow, Response)>,
    /// INVITEs of callers, for their CANCEL.
    pub(super) invites: Recent<(Flow, Request)>,
}

/// The latest of something, the newest first.
#[derive(Debug)]
pub(super) struct Recent<T>(VecDeque<T>);

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T: Clone> Recent<T> {
    fn push(&mut self, one: T) {
        self.0.push_front(one);
        self.0.truncate(REMEMBERED_MAX);
    }

    /// The one of this age, 0 being the newest.
    pub(super) fn pick(&self, age: u8) -> Option<T> {
        let age = usize::from(age).checked_rem(self.0.len())?;
        self.0.get(age).cloned()
    }

    /// The one of this age among those that count.
    pub(super) fn pick_among(&self, age: u8, counts: impl Fn(&T) -> bool) -> Option<T> {
        let those: Vec<&T> = self.0.iter().filter(|one| counts(one)).collect();
        let age = usize::from(age).checked_rem(those.len())?;
        those.get(age).map(|&one| one.clone())
    }
}

impl Memory {
    /// Notes what a peer sends.
    pub(super) fn note_sent(&mut self, flow: Flow, bytes: &Bytes, message: Option<Message>) {
        self.sent.push((flow, bytes.clone()));
        let request = message.and_then(|message| Request::new(message).ok());
        if let Some(request) = request
            && request.cseq_method() == b"INVITE"
        {
            self.invites.push((flow, request));
        }
    }

    /// Notes a request of the engine.
    pub(super) fn note_asked(&mut self, flow: Flow, request: Request) {
        self.asked.push((flow, request));
    }

    /// Notes an answer of the engine. A 100 begins no dialog, and has no ACK.
    pub(super) fn note_answered(&mut self, flow: Flow, response: Response) {
        if response.to_tag().is_some() {
            self.answered.push((flow, response));
        }
    }
}
