//! How we know that a side is still there: session timers (RFC 4028), and OPTIONS inside the dialog
//! where a side has none. Each leg has its own: what the caller agreed with us says nothing of the
//! agent's phone.

use std::time::{Duration, Instant};

use sip::{
    Builder, HeaderName, Message, Method, Request, Response,
    headers::{MinSe, Refresher, SessionExpires},
};
use sip_transaction::ClientTx;

use crate::kept::KeptRefresh;

/// The option tag of RFC 4028.
pub(crate) const OPTION_TIMER: &str = "timer";

/// How long what we could not ask now is put off.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// The keeping alive of one leg.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    interval: Duration,
    keeper: Keeper,
}

/// Who keeps it alive.
#[derive(Clone, Debug)]
enum Keeper {
    /// The other side, by re-INVITE or UPDATE. It is gone when it has not by then.
    Peer { ends_at: Instant },
    /// We.
    Us {
        by: AskBy,
        due_at: Instant,
        asked: Option<ClientTx>,
    },
}

/// By which request we ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AskBy {
    /// UPDATE without a body (RFC 4028 §7.4 prefers it).
    Update,
    /// Re-INVITE with the description that the side has from us already.
    Invite,
    /// OPTIONS: no session timer was agreed, but a side that is gone does not answer.
    Options,
}

impl AskBy {
    pub(crate) const fn method(self) -> Method {
        match self {
            Self::Update => Method::Update,
            Self::Invite => Method::Invite,
            Self::Options => Method::Options,
        }
    }
}

impl Session {
    /// For a side whose INVITE we answer (RFC 4028 §9). It keeps its interval and refreshes by itself unless it asked us to. One below the least
    /// (RFC 4028 §5: 90 s) would have to be refused with 422; a call that may be an emergency is taken
    /// without a timer instead.
    pub(crate) fn answering(now: Instant, invite: &Request, usual: Duration) -> Self {
        if !invite.supports(OPTION_TIMER) {
            return Self::without_timer(now, usual);
        }
        match invite.session_expires() {
            Some(asked) if asked.interval < MinSe::DEFAULT.0 => Self::without_timer(now, usual),
            Some(asked) => {
                let refresher = asked.refresher.unwrap_or(Refresher::Uac);
                Self::agreed(
                    now,
                    invite,
                    asked.interval.duration(),
                    refresher == Refresher::Uac,
                )
            }
            None => Self::agreed(now, invite, usual, true),
        }
    }

    /// For a side that answered our INVITE.
    pub(crate) fn calling(now: Instant, response: &Response, usual: Duration) -> Self {
        match response.session_expires() {
            Some(SessionExpires {
                interval,
                refresher,
            }) if interval >= MinSe::DEFAULT.0 => {
                let is_peer = refresher == Some(Refresher::Uas);
                Self::agreed(now, response, interval.duration(), is_peer)
            }
            _ => Self::without_timer(now, usual),
        }
    }

    fn without_timer(now: Instant, interval: Duration) -> Self {
        Self {
            interval,
            keeper: Keeper::Us {
                by: AskBy::Options,
                due_at: now + interval / 2,
                asked: None,
            },
        }
    }

    fn agreed(now: Instant, peer: &Message, interval: Duration, is_peer: bool) -> Self {
        let keeper = if is_peer {
            Keeper::Peer {
                ends_at: end_of(now, interval),
            }
        } else {
            Keeper::Us {
                by: if allows_update(peer) {
                    AskBy::Update
                } else {
                    AskBy::Invite
                },
                due_at: now + interval / 2,
                asked: None,
            }
        };
        Self { interval, keeper }
    }

    /// For a side of before, whose session goes on; it is soon asked whether it is there.
    pub(crate) const fn of_before(interval: Duration, by: AskBy, ask_at: Instant) -> Self {
        Self {
            interval,
            keeper: Keeper::Us {
                by,
                due_at: ask_at,
                asked: None,
            },
        }
    }

    /// What of it outlives a process.
    pub(crate) const fn keep(&self) -> (Duration, KeptRefresh) {
        let refresh = match self.keeper {
            Keeper::Us {
                by: AskBy::Update, ..
            } => KeptRefresh::Update,
            Keeper::Us {
                by: AskBy::Invite, ..
            } => KeptRefresh::Invite,
            Keeper::Us {
                by: AskBy::Options, ..
            }
            | Keeper::Peer { .. } => KeptRefresh::Asked,
        };
        (self.interval, refresh)
    }

    /// The side sent a re-INVITE or UPDATE: it lives, and may have agreed something new.
    pub(crate) fn heard(&mut self, now: Instant, request: &Request) {
        if let Some(asked) = request.session_expires()
            && request.supports(OPTION_TIMER)
            && asked.interval >= MinSe::DEFAULT.0
        {
            let is_peer = asked.refresher != Some(Refresher::Uas);
            *self = Self::agreed(now, request, asked.interval.duration(), is_peer);
        } else if request.supports(OPTION_TIMER) {
            self.put_off(now);
        } else {
            self.keep_without_peer(now);
        }
    }

    /// The side answered a request of ours that keeps the session.
    pub(crate) fn answered(&mut self, now: Instant, response: &Response) {
        match response.session_expires() {
            Some(_) => *self = Self::calling(now, response, self.interval),
            None => self.keep_without_peer(now),
        }
    }

    /// The side has said nothing of a timer: if it was to refresh until now, it does so no more (RFC 4028 §7.2 and §9), and we
    /// ask.
    fn keep_without_peer(&mut self, now: Instant) {
        match self.keeper {
            Keeper::Peer { .. } => *self = Self::without_timer(now, self.interval),
            Keeper::Us { .. } => self.put_off(now),
        }
    }

    /// A whole interval begins.
    pub(crate) fn put_off(&mut self, now: Instant) {
        match &mut self.keeper {
            Keeper::Peer { ends_at } => *ends_at = end_of(now, self.interval),
            Keeper::Us { due_at, asked, .. } => {
                *due_at = now + self.interval / 2;
                *asked = None;
            }
        }
    }

    /// What we asked was refused, or cannot be asked now: soon again, by another method if this one
    /// is not known.
    pub(crate) fn ask_again(&mut self, now: Instant, other: Option<AskBy>) {
        if let Keeper::Us { by, due_at, asked } = &mut self.keeper {
            *by = other.unwrap_or(*by);
            *due_at = now + AGAIN_AFTER;
            *asked = None;
        }
    }

    /// We have asked. The transaction tells what came of it; if it never does, we ask anew.
    pub(crate) fn asked(&mut self, now: Instant, tx: ClientTx) {
        if let Keeper::Us { due_at, asked, .. } = &mut self.keeper {
            *due_at = now + self.interval;
            *asked = Some(tx);
        }
    }

    /// Whether a re-INVITE of ours is open: another one would be glare.
    pub(crate) const fn is_inviting(&self) -> bool {
        matches!(
            self.keeper,
            Keeper::Us {
                by: AskBy::Invite,
                asked: Some(_),
                ..
            }
        )
    }

    pub(crate) const fn next_deadline(&self) -> Instant {
        match self.keeper {
            Keeper::Peer { ends_at } => ends_at,
            Keeper::Us { due_at, .. } => due_at,
        }
    }

    /// What is due now.
    pub(crate) fn due(&self, now: Instant) -> Option<Due> {
        match self.keeper {
            Keeper::Peer { ends_at } if ends_at <= now => Some(Due::Gone),
            Keeper::Us { by, due_at, .. } if due_at <= now => Some(Due::Ask(by)),
            _ => None,
        }
    }

    /// Adds what was agreed to a request of ours to this side.
    pub(crate) fn write_request(&self, builder: Builder) -> Builder {
        let refresher = match self.keeper {
            Keeper::Peer { .. } => Refresher::Uas,
            Keeper::Us { .. } => Refresher::Uac,
        };
        self.write(
            builder.header(HeaderName::Supported, OPTION_TIMER),
            refresher,
        )
    }

    /// Adds what was agreed to a 2xx of ours to this side's INVITE or UPDATE.
    pub(crate) fn write_answer(&self, builder: Builder) -> Builder {
        let refresher = match self.keeper {
            Keeper::Peer { .. } => Refresher::Uac,
            Keeper::Us { .. } => Refresher::Uas,
        };
        //= https://www.rfc-editor.org/rfc/rfc4028#section-9
        //# If the refresher parameter in the Session-Expires header field in the
        //# 2xx response has a value of 'uac', the UAS MUST place a Require
        //# header field into the response with the value 'timer'.
        let builder = if refresher == Refresher::Uac {
            builder.header(HeaderName::Require, OPTION_TIMER)
        } else {
            builder
        };
        self.write(builder, refresher)
    }

    fn write(&self, builder: Builder, refresher: Refresher) -> Builder {
        if let Keeper::Us {
            by: AskBy::Options, ..
        } = self.keeper
        {
            return builder;
        }
        let (seconds, refresher) = (self.interval.as_secs(), refresher.as_str());
        builder.header_fmt(
            HeaderName::SessionExpires,
            format_args!("{seconds};refresher={refresher}"),
        )
    }
}

/// What a leg needs now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// The side has not refreshed: it is gone.
    Gone,
    /// We ask.
    Ask(AskBy),
}

//= https://www.rfc-editor.org/rfc/rfc4028#section-10
//# If the side not performing refreshes does not receive a
//# session refresh request before the session expiration, it SHOULD send
//# a BYE to terminate the session, slightly before the session
//# expiration.  The minimum of 32 seconds and one third of the session
//# interval is RECOMMENDED.
fn end_of(now: Instant, interval: Duration) -> Instant {
    now + interval - (interval / 3).min(Duration::from_secs(32))
}

fn allows_update(peer: &Message) -> bool {
    peer.tokens(HeaderName::Allow)
        .any(|method| method == Method::Update.as_bytes())
}

/// Adds our proposal, if we have one, to an INVITE of ours: whoever answers refreshes, if it can.
pub(crate) fn propose(builder: Builder, interval: Option<Duration>) -> Builder {
    let builder = builder.header(HeaderName::Supported, OPTION_TIMER);
    let Some(interval) = interval else {
        return builder;
    };
    builder.header_fmt(
        HeaderName::SessionExpires,
        format_args!("{};refresher=uas", interval.as_secs()),
    )
}
