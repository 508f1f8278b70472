//! Legs, and what waits for their ACKs.

use std::time::{Duration, Instant};

use sip_transaction::{ClientTx, Flow};

use super::message;
use crate::{
    call::EndingLeg,
    dialog::Dialog,
    kept::{KeptEnding, KeptLeg, KeptRefresh, KeptUnacked},
    leg::{AnsweredBy, Leg, OwedAck, Side, Unacked},
    session::{AskBy, Session},
};

impl EndingLeg {
    pub(super) fn keep(&self) -> KeptEnding {
        KeptEnding {
            is_caller: self.side == Side::Caller,
            dialog: self.dialog.keep(),
            unacked: self.unacked.keep(),
        }
    }

    /// The 2xx is sent again; when its ACK does not come, BYE goes out all the same.
    pub(super) fn restore(
        kept: KeptEnding,
        now: Instant,
        gives_up_at: Instant,
        t1: Duration,
    ) -> Option<Self> {
        let dialog = Dialog::restore(kept.dialog);
        Some(Self {
            side: match kept.is_caller {
                true => Side::Caller,
                false => Side::Agent,
            },
            unacked: Unacked::restore(&kept.unacked, dialog.flow(), now, gives_up_at, t1)?,
            dialog,
            reason: None,
            is_code: false,
        })
    }
}

impl Leg {
    pub(super) fn keep(&self) -> KeptLeg {
        KeptLeg {
            dialog: self.dialog.keep(),
            session: self.session.keep(),
            description: self
                .description
                .as_ref()
                .map(|message| message.bytes().clone()),
            unacked: self.unacked.as_ref().map(Unacked::keep),
            owed_ack: self.owed_ack.as_ref().map(|owed| owed.cseq),
        }
    }

    pub(super) fn restore(kept: KeptLeg, ask_at: Instant) -> (Option<KeptUnacked>, Self) {
        let remote_tag = kept.dialog.remote_tag.clone();
        let (interval, refresh) = kept.session;
        let by = match refresh {
            KeptRefresh::Asked => AskBy::Options,
            KeptRefresh::Update => AskBy::Update,
            KeptRefresh::Invite => AskBy::Invite,
        };
        let mut leg = Self::new(
            Dialog::restore(kept.dialog),
            Session::of_before(interval, by, ask_at),
        );
        leg.description = kept.description.as_ref().and_then(message);
        // The transaction is gone: nobody but its ACK is waited for.
        leg.owed_ack = kept.owed_ack.map(|cseq| OwedAck {
            cseq,
            tx: ClientTx::default(),
            remote_tag,
        });
        (kept.unacked, leg)
    }
}

impl Unacked {
    pub(super) fn keep(&self) -> KeptUnacked {
        KeptUnacked {
            ok: self.ok.bytes().clone(),
            cseq: self.cseq,
        }
    }

    /// Without its transaction.
    pub(super) fn restore(
        kept: &KeptUnacked,
        flow: Flow,
        now: Instant,
        gives_up_at: Instant,
        t1: Duration,
    ) -> Option<Self> {
        Some(Self {
            ok: message(&kept.ok)?,
            by: AnsweredBy::Flow(flow),
            cseq: kept.cseq,
            interval: t1,
            resend_at: now,
            give_up_at: gives_up_at,
        })
    }
}
