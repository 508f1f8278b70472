//! One dialog as one far end saw it, told from its own messages.

use std::{collections::BTreeMap, time::Duration};

use super::{
    message::Message,
    trace::{Logged, Way},
};

/// One dialog of a far end, with its INVITE.
#[derive(Clone, Debug)]
pub(super) struct Leg {
    pub(super) call_id: String,
    /// Which user was called: for an agent's phone, the agent.
    pub(super) user: String,
    pub(super) began: Duration,
    /// The tag of whoever sent the INVITE, and of whoever answered it 2xx.
    asking_tag: String,
    answering_tag: Option<String>,
    cseq: u32,
    /// Whose offer the INVITE had.
    pub(super) offer: Option<String>,
    /// Whose answer the 2xx had.
    pub(super) answer: Option<String>,
    /// When 180, 182 or 183 came or went; that of a 182 with its place.
    pub(super) progress: Vec<Progress>,
    /// The final answer to the INVITE, and when.
    pub(super) result: Option<(Duration, u16)>,
    pub(super) cancelled: bool,
    /// Whether the final answer has been acknowledged.
    pub(super) acknowledged: bool,
    pub(super) hang_up: Option<HangUp>,
    /// What the other side did wrong: tags that are not those of the dialog, a second answer.
    pub(super) faults: Vec<String>,
}

/// A provisional answer that says something to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) at: Duration,
    pub(super) status: u16,
    /// The place in the queue.
    pub(super) place: Option<u32>,
}

/// The first BYE of a dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HangUp {
    pub(super) way: Way,
    /// The final answer to it, and when.
    pub(super) answer: Option<(Duration, u16)>,
    /// When whoever sent it heard the 2xx of the INVITE once more: SIPp does not repeat its BYE from then on,
    /// and whether it was heard shows at the other end only.
    given_up: Option<Duration>,
}

impl Leg {
    /// Every dialog of a log, in the order in which they began.
    pub(super) fn all(log: &[Logged]) -> Vec<Self> {
        let mut legs = Vec::<Self>::new();
        let mut index = BTreeMap::<String, usize>::new();
        for logged in log {
            let Some(call_id) = logged.message.call_id() else {
                continue;
            };
            match index.get(call_id) {
                Some(&at) => legs[at].take(logged),
                None => {
                    if let Some(leg) = Self::begin(logged) {
                        index.insert(call_id.to_owned(), legs.len());
                        legs.push(leg);
                    }
                }
            }
        }
        legs
    }

    fn begin(logged: &Logged) -> Option<Self> {
        let Logged { at, message, .. } = logged;
        if !message.is_first_invite() {
            return None;
        }
        Some(Self {
            call_id: message.call_id()?.to_owned(),
            user: message.user().unwrap_or_default().to_owned(),
            began: *at,
            asking_tag: message.tag_of_from()?.to_owned(),
            answering_tag: None,
            cseq: message.cseq()?.0,
            offer: message.origin().map(str::to_owned),
            answer: None,
            progress: Vec::new(),
            result: None,
            cancelled: false,
            acknowledged: false,
            hang_up: None,
            faults: Vec::new(),
        })
    }

    /// Whether it was answered 2xx.
    pub(super) fn is_answered(&self) -> bool {
        self.result.is_some_and(|(_, status)| status < 300)
    }

    /// When it was over for this end: refused, or hung up and that answered, whatever the answer was.
    pub(super) fn over(&self) -> Option<Duration> {
        match self.result {
            Some((at, status)) if status >= 300 => Some(at),
            Some(_) => {
                let HangUp {
                    answer, given_up, ..
                } = self.hang_up?;
                answer.map(|(at, _)| at).or(given_up)
            }
            None => None,
        }
    }

    /// Whether somebody was told that the call is in hand: from then on it must not be lost.
    pub(super) fn is_accepted(&self) -> bool {
        !self.progress.is_empty() || self.is_answered()
    }

    fn take(&mut self, logged: &Logged) {
        let Logged { at, way, message } = logged;
        match (message.method(), message.cseq()) {
            (Some("CANCEL"), _) => self.cancelled = true,
            (Some("ACK"), Some((cseq, _))) if cseq == self.cseq => self.take_ack(message),
            (Some("BYE"), _) => self.take_bye(*way, message),
            (None, Some((cseq, "INVITE"))) if cseq == self.cseq => self.take_answer(*at, message),
            (None, Some((_, "BYE"))) => {
                let status = message.status().filter(|status| *status >= 200);
                if let (Some(status), Some(hang_up)) = (status, &mut self.hang_up) {
                    hang_up.answer.get_or_insert((*at, status));
                }
            }
            _ => {}
        }
    }

    fn take_answer(&mut self, at: Duration, message: &Message) {
        let Some(status) = message.status() else {
            return;
        };
        if status < 200 {
            if matches!(status, 180..=183) {
                let place = message.reason().rsplit_once("place ");
                self.progress.push(Progress {
                    at,
                    status,
                    place: place.and_then(|(_, place)| place.trim().parse().ok()),
                });
            }
            return;
        }
        match self.result {
            None => {
                self.result = Some((at, status));
                if status < 300 {
                    self.answering_tag = message.tag_of_to().map(str::to_owned);
                    self.answer = message.origin().map(str::to_owned);
                }
            }
            Some((_, first)) if first != status => {
                self.faults
                    .push(format!("answered {first} and then {status}"));
            }
            Some(_) if status < 300 && message.tag_of_to() != self.answering_tag.as_deref() => {
                self.faults
                    .push("answered again with another tag".to_owned());
            }
            Some(_) => {
                if let Some(hang_up) = &mut self.hang_up
                    && hang_up.way == Way::Sent
                {
                    hang_up.given_up.get_or_insert(at);
                }
            }
        }
    }

    fn take_ack(&mut self, ack: &Message) {
        if !self.is_answered() {
            self.acknowledged = self.result.is_some();
        } else if self.is_tagged(ack, Side::Asking) {
            self.acknowledged = true;
        } else {
            self.faults
                .push(format!("an ACK of no dialog: {}", ack.start()));
        }
    }

    fn take_bye(&mut self, way: Way, bye: &Message) {
        if ![Side::Asking, Side::Answering]
            .into_iter()
            .any(|side| self.is_tagged(bye, side))
        {
            self.faults
                .push(format!("a BYE of no dialog: {}", bye.start()));
            return;
        }
        self.hang_up.get_or_insert(HangUp {
            way,
            answer: None,
            given_up: None,
        });
    }

    /// Whether a request carries the tags of this dialog, sent by this side.
    fn is_tagged(&self, request: &Message, sender: Side) -> bool {
        let asking = Some(self.asking_tag.as_str());
        let answering = self.answering_tag.as_deref();
        let (from, to) = match sender {
            Side::Asking => (asking, answering),
            Side::Answering => (answering, asking),
        };
        answering.is_some() && request.tag_of_from() == from && request.tag_of_to() == to
    }
}

/// Who sent the INVITE of a dialog, and who answered it.
#[derive(Clone, Copy)]
enum Side {
    Asking,
    Answering,
}
