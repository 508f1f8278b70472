//! The manners of the engine on the wire: rules of RFC 3261 that it keeps whatever its peers do.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use engine::sip::{HeaderName, Message, Method, Request, Response, StatusCode, Transport};

/// How long a server transaction answers repetitions at least, over UDP. After that the same bytes
/// are a new request: 64·T1 (timer J), and T4 where an INVITE's failure was acknowledged (timer I).
const ANSWERS_FOR: Duration = Duration::from_secs(32);
const ANSWERS_FOR_ACKNOWLEDGED: Duration = Duration::from_secs(5);

/// Watches what the engine sends.
#[derive(Debug, Default)]
pub(super) struct Manners {
    /// The requests of each dialog, as its side of it writes them.
    dialogs: BTreeMap<DialogKey, Asked>,
    /// The final answer of each transaction, and until when no other may follow.
    finals: BTreeMap<Vec<u8>, (Instant, u16)>,
    /// INVITEs that have been answered by a 1xx only.
    open: BTreeMap<Vec<u8>, u16>,
}

/// Call-ID, our tag, the peer's tag.
type DialogKey = [Vec<u8>; 3];

/// The newest request of a dialog.
#[derive(Debug)]
struct Asked {
    cseq: u32,
    branch: Vec<u8>,
    end: End,
}

/// Whether the engine has hung up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    NotYet,
    HungUp,
    /// It has, and its peer says all the same that it has answered: it may be told once more, by somebody
    /// who knows nothing of the dialog.
    AnswersOn,
}

impl End {
    const fn of(is_bye: bool) -> Self {
        match is_bye {
            true => Self::HungUp,
            false => Self::NotYet,
        }
    }
}

impl Manners {
    /// Sees a request of the engine.
    pub(super) fn see_request(&mut self, request: &Request) {
        // An ACK and a CANCEL have the number of their INVITE.
        if matches!(request.method(), Method::Ack | Method::Cancel) {
            return;
        }
        let (Some(ours), Some(theirs)) = (request.from_tag(), request.to_tag()) else {
            return;
        };
        let key = [request.call_id(), ours, theirs].map(<[u8]>::to_vec);
        let branch = request.top_via().branch().unwrap_or_default().to_vec();
        let (cseq, is_bye) = (request.cseq_number(), *request.method() == Method::Bye);
        let end = End::of(is_bye);
        let Some(before) = self.dialogs.get_mut(&key) else {
            self.dialogs.insert(key, Asked { cseq, branch, end });
            return;
        };
        // A repetition has the branch of its first, and that may be any of those before.
        if branch == before.branch || cseq < before.cseq {
            return;
        }
        // RFC 3261 §12.2.1.1: numbers rise. They leave out those of requests that full tables
        // refused, which no peer may take amiss (§12.2.2).
        let answers_on = before.end == End::AnswersOn;
        assert!(
            cseq > before.cseq || answers_on,
            "CSeq {cseq} again in {}",
            told(&key)
        );
        assert!(
            before.end == End::NotYet || (answers_on && is_bye),
            "{} after the BYE in {}",
            request.method().label(),
            told(&key)
        );
        *before = Asked { cseq, branch, end };
    }

    /// Sees a message of a peer.
    pub(super) fn see_peer(&mut self, message: &Message) {
        let Ok(answer) = Response::new(message.clone()) else {
            return;
        };
        let is_answer = answer.status().is_success() && answer.cseq_method() == b"INVITE";
        let (Some(ours), Some(theirs)) = (answer.from_tag(), answer.to_tag()) else {
            return;
        };
        let key = [answer.call_id(), ours, theirs].map(<[u8]>::to_vec);
        let hung_up = self
            .dialogs
            .get_mut(&key)
            .filter(|asked| is_answer && asked.end == End::HungUp);
        if let Some(asked) = hung_up {
            asked.end = End::AnswersOn;
        }
    }

    /// Sees an answer of the engine to a request that it could read, but no repetition of one.
    pub(super) fn see_answer(&mut self, now: Instant, transport: Transport, answer: &Response) {
        let status = answer.status();
        let branch = answer.top_via().branch().unwrap_or_default();
        let via = answer.elements(HeaderName::Via).next().unwrap_or_default();
        let key = [via, answer.cseq_method()].join(&b' ');
        // Without the cookie more than Via says which request it is (RFC 3261 §17.2.3). 400, 403 and
        // 505 are answers of the door, and so is 481 to a CANCEL; a 503 may be: nothing is kept of them.
        let is_of_the_door = matches!(status.value(), 400 | 403 | 505)
            || (status == StatusCode::CALL_DOES_NOT_EXIST && answer.cseq_method() == b"CANCEL");
        if !branch.starts_with(b"z9hG4bK") || is_of_the_door {
            return;
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            self.open.remove(&key);
            return;
        }
        let answers_for = match (transport, answer.cseq_method()) {
            (Transport::Udp, b"INVITE") => ANSWERS_FOR_ACKNOWLEDGED,
            (Transport::Udp, _) => ANSWERS_FOR,
            // Nothing is repeated over a stream, and nothing kept for that.
            _ => Duration::ZERO,
        };
        let before = self.finals.get(&key).filter(|(until, _)| now < *until);
        if status.is_provisional() {
            assert!(before.is_none(), "{} after {before:?}", status.value());
            self.open.insert(key, status.value());
            return;
        }
        let is_same = before.is_none_or(|(_, first)| *first == status.value());
        assert!(is_same, "{} after {before:?}", status.value());
        self.open.remove(&key);
        if before.is_none() {
            self.finals.insert(key, (now + answers_for, status.value()));
        }
    }

    /// What is left when all is over.
    pub(super) fn assert_nothing_open(&self) {
        let open: Vec<_> = self
            .open
            .iter()
            .map(|(key, status)| format!("{status} to {}", String::from_utf8_lossy(key)))
            .collect();
        assert!(open.is_empty(), "no final answer after {}", open.join(", "));
    }
}

fn told(key: &DialogKey) -> String {
    String::from_utf8_lossy(&key.join(&b' ')).into_owned()
}
