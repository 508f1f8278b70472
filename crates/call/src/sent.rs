//! What we have asked: what each client transaction of ours is for, and what its answer needs.

use bytes::Bytes;
use sip::{Message, Response};
use sip_transaction::Flow;
use smallvec::SmallVec;

use crate::{
    dialog::{Dialog, Peer},
    ids::{AttemptId, CallNumber},
    inviting::Whom,
    leg::Side,
    reliable::Early,
    session::AskBy,
};

/// What a client transaction of ours is for.
#[derive(Debug)]
pub(crate) enum ClientUse {
    /// An INVITE to an agent's phone.
    Invite(Box<SentInvite>),
    /// What one side asked of the other.
    Relay(Box<SentInside>),
    /// Whether a side is there, and how that is asked.
    Ask(AskBy, Box<SentInside>),
    /// A re-INVITE that brings a caller together with whom the call was transferred to: the target is asked for an
    /// offer, the caller to take it.
    Join(Box<SentInside>),
    /// A BYE to a phone that has dialled a code.
    CodeOver(CallNumber),
    /// A BYE, and the CSeq number of our last INVITE in its dialog.
    Bye(Option<u32>),
    /// A PRACK or a NOTIFY: nothing depends on its answer.
    Unwatched,
}

impl ClientUse {
    /// What was asked inside a call.
    pub(crate) fn inside(&self) -> Option<&SentInside> {
        match self {
            Self::Relay(sent) | Self::Ask(_, sent) | Self::Join(sent) => Some(sent),
            Self::Invite(_) | Self::CodeOver(_) | Self::Bye(_) | Self::Unwatched => None,
        }
    }
}

#[derive(Debug)]
pub(crate) struct SentInvite {
    pub(crate) call: CallNumber,
    pub(crate) attempt: AttemptId,
    pub(crate) call_id: Bytes,
    pub(crate) local_tag: Bytes,
    pub(crate) uri: Bytes,
    pub(crate) flow: Flow,
    pub(crate) peer: Peer,
    /// Early dialogs with phones that want their ringing confirmed.
    pub(crate) early: SmallVec<[Early; 1]>,
    /// The ACK of each phone that answered, by its tag: a repeated 2xx gets it again.
    pub(crate) acks: SmallVec<[SentAck; 1]>,
    /// Whether a 2xx has come that was not the answer to it.
    pub(crate) is_misanswered: bool,
    /// How many processes before have sent it, too, and perhaps confirmed what the phone said.
    pub(crate) processes_before: u32,
    /// How it is said once more to a phone that wants longer sessions than ours; `None` once it has been, and of an INVITE of
    /// a process before.
    pub(crate) again: Option<Again>,
}

impl SentInvite {
    /// The dialog that a response makes.
    pub(crate) fn dialog(&self, response: &Response) -> Dialog {
        let mut dialog = Dialog::calling(response, Some(&self.uri), self.flow, self.peer);
        dialog.leap(self.processes_before);
        dialog
    }
}

/// What an INVITE was made of, beside its URI and its flow.
#[derive(Debug)]
pub(crate) struct Again {
    pub(crate) routes: Vec<Bytes>,
    pub(crate) whom: Whom,
}

/// A request of ours inside a call.
#[derive(Debug)]
pub(crate) struct SentInside {
    pub(crate) call: CallNumber,
    /// Who was asked.
    pub(crate) side: Side,
    pub(crate) flow: Flow,
    pub(crate) peer: Peer,
    /// The ACK of a re-INVITE's 2xx.
    pub(crate) ack: Option<SentAck>,
}

#[derive(Debug)]
pub(crate) struct SentAck {
    pub(crate) remote_tag: Bytes,
    pub(crate) ack: Message,
    pub(crate) flow: Flow,
}
