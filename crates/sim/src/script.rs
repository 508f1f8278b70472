//! What callers and phones do: plain values, so that a run can be told from its script.

use std::time::Duration;

/// One call that a caller makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallPlan {
    /// The Request-URI that is dialled.
    pub dialled: String,
    /// The caller's number, for From and P-Asserted-Identity.
    pub number: String,
    /// The URI of From, where it is not the number at the caller's address: an agent who calls.
    pub identity: Option<String>,
    /// How long the caller waits for an answer before giving up.
    pub patience: Option<Duration>,
    /// How long the caller talks before hanging up; `None` leaves that to the agent.
    pub talk: Option<Duration>,
    /// Resource-Priority (RFC 4412): how important the operator says that the call is.
    pub importance: Option<String>,
    /// What the caller does besides.
    pub quirk: Quirk,
}

impl CallPlan {
    /// A caller who waits and talks until the agent hangs up.
    pub fn to(dialled: impl Into<String>) -> Self {
        Self {
            dialled: dialled.into(),
            number: "+33612345678".to_owned(),
            identity: None,
            importance: None,
            patience: None,
            talk: None,
            quirk: Quirk::None,
        }
    }

    /// The caller gives up after this long.
    #[must_use]
    pub const fn patience(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }

    /// The caller hangs up after talking this long.
    #[must_use]
    pub const fn talk(mut self, talk: Duration) -> Self {
        self.talk = Some(talk);
        self
    }

    /// The caller's number.
    #[must_use]
    pub fn number(mut self, number: impl Into<String>) -> Self {
        self.number = number.into();
        self
    }

    /// The caller is an agent, by this address-of-record.
    #[must_use]
    pub fn identity(mut self, uri: impl Into<String>) -> Self {
        self.identity = Some(uri.into());
        self
    }

    /// How important the operator says that the call is, such as `esnet.4`.
    #[must_use]
    pub fn importance(mut self, said: impl Into<String>) -> Self {
        self.importance = Some(said.into());
        self
    }

    /// What the caller does besides.
    #[must_use]
    pub const fn quirk(mut self, quirk: Quirk) -> Self {
        self.quirk = quirk;
        self
    }
}

/// A caller's particular behaviour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quirk {
    /// Nothing particular.
    None,
    /// Puts the agent on hold this long after the answer, and takes the call back as long after.
    Hold(Duration),
    /// Sends the INVITE without an offer: the answer's 200 brings it, the ACK answers.
    LateOffer,
    /// Never acknowledges the answer.
    NeverAcks,
    /// Hangs up as soon as somebody answers, and acknowledges the answer after that.
    ByeBeforeAck,
}

/// How a phone behaves when it is rung.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// What it answers.
    pub answer: Answer,
    /// How long its owner talks before hanging up; `None` leaves that to the caller.
    pub talk: Option<Duration>,
    /// How long after the answer its owner puts the caller on hold, and takes the call back as long
    /// after.
    pub hold: Option<Duration>,
    /// How long after the answer its owner sends the call on, and to which URI (REFER).
    pub transfer: Option<(Duration, &'static str)>,
}

/// What a phone answers to an INVITE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 180 at once, 200 after this long.
    After(Duration),
    /// The same, and another 200 of another phone behind the same address.
    Twice(Duration),
    /// 180 at once, and nothing more until the CANCEL.
    Never,
    /// 180 at once; 200 in answer to the CANCEL: the race that a human wins by a moment.
    WhenCancelled,
    /// 486.
    Busy,
    /// 180, then 603 after this long.
    DeclineAfter(Duration),
    /// Nothing at all: switched off, or not there.
    Dead,
}

impl Manner {
    /// Answers after this long and leaves hanging up to the caller.
    pub const fn answers_after(ring: Duration) -> Self {
        Self {
            answer: Answer::After(ring),
            talk: None,
            hold: None,
            transfer: None,
        }
    }

    /// Behaves so and leaves hanging up to the caller.
    pub const fn answers(answer: Answer) -> Self {
        Self {
            answer,
            talk: None,
            hold: None,
            transfer: None,
        }
    }

    /// The owner hangs up after talking this long.
    #[must_use]
    pub const fn talks(mut self, talk: Duration) -> Self {
        self.talk = Some(talk);
        self
    }

    /// The owner sends the call on to this URI this long after the answer.
    #[must_use]
    pub const fn transfers(mut self, after: Duration, to: &'static str) -> Self {
        self.transfer = Some((after, to));
        self
    }

    /// The owner puts the caller on hold this long after the answer, and takes the call back.
    #[must_use]
    pub const fn holds(mut self, after: Duration) -> Self {
        self.hold = Some(after);
        self
    }
}
