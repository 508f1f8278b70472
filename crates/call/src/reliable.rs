//! Reliable provisional responses (RFC 3262), on both sides.
//!
//! To a caller who requires them each 18x is sent again until its PRACK. Whether a caller who only
//! supports them gets them reliably is ours to choose, and we do not: 180 and 182 are said again
//! every minute anyway. An agent's phone that sends them gets its PRACK.

use std::time::{Duration, Instant};

use bytes::Bytes;
use sip::{Builder, HeaderName, Message, Method, Request, Response, StatusCode, headers::RSeq};
use sip_transaction::{ClientTx, ServerTx, TransactionLayer};

use crate::{
    call::{Call, Stage},
    calls::Calls,
    dialog::Dialog,
    ids::CallNumber,
    sent::ClientUse,
    unanswered::ANSWERS_MAX,
};

/// The option tag of RFC 3262.
pub(crate) const OPTION_100REL: &str = "100rel";

/// More provisional responses than are said to one caller.
const RSEQ_LEAP: u32 = 10_000;

/// What a waiting caller has to confirm.
#[derive(Debug)]
pub(crate) enum Reliable {
    /// The caller does not require it.
    No,
    /// Every provisional response but 100 is confirmed.
    Yes(Box<Confirmations>),
}

#[derive(Debug)]
pub(crate) struct Confirmations {
    next: u32,
    open: Option<Open>,
    /// The latest that was to be said while one was open.
    after: Option<(StatusCode, String)>,
}

/// A provisional response that has been sent and not confirmed.
#[derive(Debug)]
struct Open {
    rseq: u32,
    message: Message,
    interval: Duration,
    resend_at: Instant,
    give_up_at: Instant,
}

impl Reliable {
    /// Whether the caller may be given the description of a phone's early media: one who confirms it would have to agree to it.
    pub(crate) const fn lets_media_pass(&self) -> bool {
        matches!(self, Self::No)
    }

    pub(crate) fn of(invite: &Request) -> Self {
        if !invite.requires(OPTION_100REL) {
            return Self::No;
        }
        Self::Yes(Box::new(Confirmations {
            next: 1,
            open: None,
            after: None,
        }))
    }

    /// For a caller of before, to whom nobody knows how many were said: the numbers go on well beyond.
    pub(crate) fn of_before(invite: &Request) -> Self {
        let mut reliable = Self::of(invite);
        if let Self::Yes(confirmations) = &mut reliable {
            confirmations.next += RSEQ_LEAP;
        }
        reliable
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let Self::Yes(confirmations) = self else {
            return None;
        };
        let open = confirmations.open.as_ref()?;
        Some(open.resend_at.min(open.give_up_at))
    }

    /// Whether this may be said now; if not it is kept until the one before is confirmed.
    //= https://www.rfc-editor.org/rfc/rfc3262#section-3
    //# The UAS MUST NOT send a second reliable provisional response until
    //# the first is acknowledged.
    pub(crate) fn may_say(&mut self, status: StatusCode, reason: &str) -> bool {
        match self {
            Self::Yes(confirmations) if confirmations.open.is_some() => {
                confirmations.after = Some((status, reason.to_owned()));
                false
            }
            Self::Yes(_) | Self::No => true,
        }
    }

    /// Adds what makes a response reliable.
    pub(crate) fn write(&self, builder: Builder) -> Builder {
        match self {
            Self::No => builder,
            Self::Yes(confirmations) => builder
                .header(HeaderName::Require, OPTION_100REL)
                .header_fmt(HeaderName::RSeq, format_args!("{}", confirmations.next)),
        }
    }

    /// The response has been sent: it waits for its PRACK.
    pub(crate) fn sent(&mut self, now: Instant, message: &Message, t1: Duration) {
        if let Self::Yes(confirmations) = self {
            confirmations.open = Some(Open {
                rseq: confirmations.next,
                message: message.clone(),
                interval: t1,
                resend_at: now + t1,
                give_up_at: now + 64 * t1,
            });
            confirmations.next += 1;
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc3262#section-3
    //# The reliable provisional response is passed to the transaction layer
    //# periodically with an interval that starts at T1 seconds and doubles
    //# for each retransmission
    /// Sends again what is due. One that is never confirmed is left: RFC 3262 would have us refuse the
    /// call with 5xx, and somebody may need help.
    fn resend(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        tx: ServerTx,
    ) -> Option<(StatusCode, String)> {
        let Self::Yes(confirmations) = self else {
            return None;
        };
        let open = confirmations.open.as_mut()?;
        if open.give_up_at <= now {
            confirmations.open = None;
            return confirmations.after.take();
        }
        while open.resend_at <= now {
            layer.respond(now, tx, open.message.clone());
            open.interval *= 2;
            open.resend_at += open.interval;
        }
        None
    }

    /// Takes a PRACK: whether it confirms what is open, and what is to be said next.
    fn confirm(&mut self, prack: &Request, cseq: u32) -> Option<Option<(StatusCode, String)>> {
        let Self::Yes(confirmations) = self else {
            return None;
        };
        let rack = prack.rack()?;
        let is_it = confirmations
            .open
            .take_if(|open| {
                rack.response == RSeq(open.rseq)
                    && rack.cseq.number == cseq
                    && rack.cseq.method == Method::Invite
            })
            .is_some();
        is_it.then(|| confirmations.after.take())
    }
}

/// An early dialog with a phone that sends reliably.
#[derive(Debug)]
pub(crate) struct Early {
    pub(crate) tag: Bytes,
    pub(crate) dialog: Dialog,
    rseq: u32,
}

impl Calls {
    /// A caller's PRACK while its call waits. How it is answered.
    pub(crate) fn handle_prack(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        number: CallNumber,
        prack: &Request,
    ) -> StatusCode {
        let Some(waiting) = self.waiting_mut(number) else {
            return StatusCode::CALL_DOES_NOT_EXIST;
        };
        let cseq = waiting.invite.cseq_number();
        //= https://www.rfc-editor.org/rfc/rfc3262#section-3
        //# If a PRACK request is received by the UA core that does not match any
        //# unacknowledged reliable provisional response, the UAS MUST respond to
        //# the PRACK with a 481 response.
        let Some(next) = waiting.reliable.confirm(prack, cseq) else {
            return StatusCode::CALL_DOES_NOT_EXIST;
        };
        if let Some((status, reason)) = next {
            self.provisional(now, layer, number, status, &reason);
        }
        StatusCode::OK
    }

    pub(crate) fn resend_provisional(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        number: CallNumber,
    ) {
        let Some(Call {
            stage: Stage::Waiting(waiting),
            ..
        }) = self.table.passing_mut(&number)
        else {
            return;
        };
        let tx = waiting.tx;
        if let Some((status, reason)) = waiting.reliable.resend(now, layer, tx) {
            self.provisional(now, layer, number, status, &reason);
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc3262#section-4
    //# If a provisional response is received for an initial request, and
    //# that response contains a Require header field containing the option
    //# tag 100rel, the response is to be sent reliably.
    /// Confirms a phone's provisional response, in order and once.
    pub(crate) fn confirm(
        &mut self,
        now: Instant,
        layer: &mut TransactionLayer,
        tx: ClientTx,
        response: &Response,
    ) {
        let (true, Some(RSeq(rseq)), Some(tag)) = (
            response.requires(OPTION_100REL),
            response.rseq(),
            response.to_tag(),
        ) else {
            return;
        };
        let Some(ClientUse::Invite(sent)) = self.client_uses.get_mut(tx) else {
            return;
        };
        let known = sent.early.iter().position(|early| *early.tag == *tag);
        let at = match known {
            Some(at) if sent.early[at].rseq.checked_add(1) == Some(rseq) => at,
            // A repetition, or one before it was lost.
            Some(_) => return,
            None if sent.early.len() >= ANSWERS_MAX => return,
            None => {
                let dialog = sent.dialog(response);
                sent.early.push(Early {
                    tag: Bytes::copy_from_slice(tag),
                    dialog,
                    rseq,
                });
                sent.early.len() - 1
            }
        };
        let early = &mut sent.early[at];
        early.rseq = rseq;
        let cseq = response.cseq_number();
        let (builder, flow) = early
            .dialog
            .request(&Method::Prack, &mut self.ids, &self.locals);
        let prack = builder
            .header_fmt(HeaderName::RAck, format_args!("{rseq} {cseq} INVITE"))
            .finish_request();
        if let Ok(prack) = prack
            && let Ok(tx) = layer.request(now, prack, flow)
        {
            self.client_uses.insert(tx, ClientUse::Unwatched);
        }
    }
}
