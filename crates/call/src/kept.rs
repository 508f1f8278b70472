//! What of a call outlives a process: enough to go on with its dialogs, and no more. Timers,
//! retransmissions and what one side had asked of the other are not kept: their senders repeat them, or
//! they are begun anew.

use std::{
    fmt,
    time::{Duration, Instant},
};

use bytes::Bytes;
use sip_transaction::Flow;

use crate::ids::{AttemptId, CallNumber};

/// A call, as it is written down. [`crate::Calls::kept`] makes it, [`crate::Calls::restore`] takes it up.
#[derive(Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its number.
    pub number: CallNumber,
    /// Its id.
    pub id: String,
    /// Where it stands.
    pub stage: KeptStage,
    /// Calls whose agent's leg is this one's by now: our tags on it name them.
    pub legs_of: Vec<CallNumber>,
    /// INVITEs inside the call that are open, and where they came from: they are answered 491 when the call
    /// is taken up, so that their senders ask again. Nobody repeats what has been answered 100.
    pub asked: Vec<(Bytes, Flow)>,
}

/// Where a call stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeptStage {
    /// The caller's INVITE is open.
    Waiting(KeptWaiting),
    /// The caller has been answered.
    Connected(Box<KeptConnected>),
    /// It is over, but for legs whose last 2xx of ours was not acknowledged.
    Ending(Vec<KeptEnding>),
}

/// A call whose INVITE is open.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptWaiting {
    /// The INVITE as it was received.
    pub invite: Bytes,
    /// Where it came from.
    pub flow: Flow,
    /// Our To-tag.
    pub local_tag: Bytes,
    /// Phones that ring.
    pub ringing: Vec<KeptAttempt>,
    /// When the wait ends at the latest.
    pub gives_up_at: Instant,
}

/// A phone that rings.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptAttempt {
    /// Which attempt of the owner's.
    pub id: AttemptId,
    /// Our INVITE as it was sent: sent again, it is the same one.
    pub invite: Bytes,
    /// Where it went.
    pub flow: Flow,
    /// Whether the phone is behind a NAT.
    pub is_behind_nat: bool,
    /// Until when it may ring, where its owner has no limit of its own.
    pub rings_until: Option<Instant>,
}

/// A phone that was given up, and may still be answered.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptUnanswered {
    /// For which call it rang.
    pub call: CallNumber,
    /// Which attempt of the owner's it was.
    pub attempt: AttemptId,
    /// The Call-ID of our INVITE.
    pub call_id: Bytes,
    /// Its From-tag.
    pub local_tag: Bytes,
    /// Its Request-URI.
    pub uri: Bytes,
    /// Where it went.
    pub flow: Flow,
    /// Whether the phone is behind a NAT.
    pub is_behind_nat: bool,
}

/// A call whose caller has been answered.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptConnected {
    /// The INVITE that opened it, as it was received.
    pub invite: Bytes,
    /// The caller's side.
    pub caller: KeptLeg,
    /// Who is with the caller; `None` while the caller waits alone for somebody else.
    pub agent: Option<KeptLeg>,
    /// That the call is on its way to somebody else.
    pub onward: Option<KeptOnward>,
    /// When the call ends at the latest.
    pub ends_at: Instant,
}

/// A call on its way from an agent to somebody else.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptOnward {
    /// Replaces and Referred-By for whoever is rung.
    pub headers: [Option<Bytes>; 2],
    /// The CSeq number of the REFER about whose course the agent's phone is told.
    pub refer: Option<u32>,
    /// Phones that ring.
    pub ringing: Vec<KeptAttempt>,
    /// Whoever had answered and was not with the caller yet: hung up when the call is taken up.
    pub target: Option<KeptLeg>,
    /// When it ends at the latest.
    pub gives_up_at: Instant,
}

/// One side's dialog.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptLeg {
    /// The dialog.
    pub dialog: KeptDialog,
    /// The session interval (RFC 4028), and whether we refresh it, by UPDATE or by re-INVITE.
    pub session: (Duration, KeptRefresh),
    /// The message with the last description that the side was given.
    pub description: Option<Bytes>,
    /// A 2xx of ours that is not acknowledged.
    pub unacked: Option<KeptUnacked>,
    /// The CSeq number of a 2xx of the side whose ACK has to wait for the other side's answer.
    pub owed_ack: Option<u32>,
}

/// A leg that gets its BYE when its ACK has come, or never will.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptEnding {
    /// Whether it is the caller's.
    pub is_caller: bool,
    /// The dialog.
    pub dialog: KeptDialog,
    /// The 2xx.
    pub unacked: KeptUnacked,
}

/// How a session is kept alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptRefresh {
    /// By the other side, or by nobody: we ask by OPTIONS.
    Asked,
    /// By our UPDATE.
    Update,
    /// By our re-INVITE.
    Invite,
}

/// A 2xx of ours that is not acknowledged.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptUnacked {
    /// The 2xx.
    pub ok: Bytes,
    /// The CSeq number of the INVITE.
    pub cseq: u32,
}

/// What a request inside a dialog needs (RFC 3261 §12).
#[derive(Clone, PartialEq, Eq)]
pub struct KeptDialog {
    /// Call-ID.
    pub call_id: Bytes,
    /// Our tag.
    pub local_tag: Bytes,
    /// The peer's tag.
    pub remote_tag: Bytes,
    /// From of our requests.
    pub local: Bytes,
    /// To of our requests.
    pub remote: Bytes,
    /// The CSeq number of our last request.
    pub local_cseq: u32,
    /// That of the peer's last request, if there was one.
    pub remote_cseq: Option<u32>,
    /// The CSeq number of our last INVITE in it.
    pub invited: Option<u32>,
    /// The peer's Contact.
    pub remote_target: Bytes,
    /// The route set.
    pub route_set: Vec<Bytes>,
    /// The flow on which the dialog was made.
    pub flow: Flow,
    /// Whether the peer is behind a NAT.
    pub is_behind_nat: bool,
}

/// What callers and phones said about themselves is in nearly all of it: none is ever printed.
macro_rules! unprinted {
    ($($kind:ident),* $(,)?) => {$(
        impl fmt::Debug for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($kind)).finish_non_exhaustive()
            }
        }
    )*};
}

unprinted!(
    KeptWaiting,
    KeptAttempt,
    KeptConnected,
    KeptUnanswered,
    KeptOnward,
    KeptLeg,
    KeptEnding,
    KeptUnacked,
    KeptDialog,
);

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept")
            .field("number", &self.number)
            .field("id", &self.id)
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}
