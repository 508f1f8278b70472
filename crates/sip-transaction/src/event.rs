//! What the transactions tell their user.

use std::sync::Arc;

use sip::{Request, Response};

use crate::{
    flow::{Flow, MessageKind, Transmit},
    layer::{ClientTx, ServerTx},
};

/// What the layer wants of its owner.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send these bytes.
    Transmit(Transmit),
    /// Hear this.
    Event(Event),
}

/// What happened. Messages are shared with whoever keeps them too.
#[derive(Clone, Debug)]
pub enum Event {
    /// A new request, other than ACK and CANCEL.
    Request {
        /// Its transaction.
        tx: ServerTx,
        /// The request.
        request: Arc<Request>,
        /// Where it came from.
        flow: Flow,
        /// Whether it came by another way before (RFC 3261 §8.2.2.2).
        merged: Merged,
    },
    /// An ACK that belongs to no failed INVITE: it confirms a dialog.
    Ack {
        /// The ACK.
        request: Arc<Request>,
        /// Where it came from.
        flow: Flow,
    },
    /// A CANCEL for an INVITE that has no final answer. The CANCEL itself has been answered 200.
    Cancelled {
        /// The INVITE's transaction.
        tx: ServerTx,
        /// The CANCEL, for its Reason.
        cancel: Arc<Request>,
    },
    /// A response to a request of ours: each provisional one, the final one, and for an INVITE each
    /// 2xx again.
    Response {
        /// The request's transaction.
        tx: ClientTx,
        /// The response.
        response: Arc<Response>,
    },
    /// A response to nothing that is open, or a 2xx to an INVITE that has failed.
    StrayResponse {
        /// The response.
        response: Arc<Response>,
        /// Where it came from.
        flow: Flow,
    },
    /// A 2xx that names an INVITE of ours by its branch, and has not the Call-ID, the From tag or the CSeq number that it
    /// must have: it was damaged on its way, or the INVITE was.
    MismatchedResponse {
        /// The INVITE's transaction.
        tx: ClientTx,
        /// The response.
        response: Arc<Response>,
        /// Where it came from.
        flow: Flow,
    },
    /// A request of ours got no final answer. An INVITE is remembered for another 64·T1, so that a phone which rings
    /// all the same is told to stop.
    ClientFailed {
        /// Its transaction.
        tx: ClientTx,
        /// Why.
        cause: Failure,
    },
    /// A final answer of ours was not acknowledged.
    ServerFailed {
        /// Its transaction.
        tx: ServerTx,
        /// Why.
        cause: Failure,
    },
    /// A client transaction is gone. Its key means nothing any more.
    ClientEnded {
        /// The transaction.
        tx: ClientTx,
    },
    /// A server transaction is gone. Its key means nothing any more.
    ServerEnded {
        /// The transaction.
        tx: ServerTx,
    },
    /// Something came in again, and was dealt with.
    RetransmissionReceived {
        /// What it was.
        kind: MessageKind,
    },
    /// A request was refused unseen.
    Refused {
        /// What it was.
        kind: MessageKind,
        /// Why.
        reason: RefuseReason,
        /// Where it came from.
        flow: Flow,
    },
}

/// Whether a request came by another way before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merged {
    /// It is the first of its kind.
    No,
    /// This transaction has the same From tag, Call-ID and CSeq.
    With(ServerTx),
}

/// Why a transaction failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Failure {
    /// No answer in time: timer B, F or H, or no final response after our CANCEL.
    Timeout,
    /// The message could not be sent.
    Transport,
}

/// Why a request was refused unseen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RefuseReason {
    /// [`crate::Settings::transactions_max`]. It was answered 503 with Retry-After.
    TransactionsMax,
}
