//! Client transactions: what we asked.

mod redirect;
mod step;

use std::time::{Duration, Instant};

use bytes::Bytes;
use sip::{Builder, HeaderName, Message, Method, Request, Response};

use super::{
    ClientTx, Overloaded, Touched, TransactionLayer,
    armed::{Armed, Due},
};
use crate::{
    client_invite as invite, client_non_invite as non_invite,
    event::Event,
    flow::{Attempt, Flow, Kept, MessageKind},
    matching::Fingerprint,
    timers::Timer,
};

/// One client transaction.
#[derive(Debug)]
pub(super) struct Client {
    fingerprint: Fingerprint,
    flow: Flow,
    /// By which connection a BYE or a CANCEL may have left instead.
    elsewhere: Option<Flow>,
    /// A large request went over a stream: what goes instead when the stream fails.
    fallback: Option<Box<Datagram>>,
    machine: Machine,
    /// The interval of the next retransmission.
    interval: Duration,
    armed: Armed,
}

/// A request as it would have left over UDP.
#[derive(Debug)]
struct Datagram {
    request: Request,
    flow: Flow,
}

#[derive(Debug)]
enum Machine {
    Invite {
        state: invite::State,
        asked: Asked,
    },
    NonInvite {
        state: non_invite::State,
        sent: Kept,
        user: User,
    },
}

/// What an INVITE keeps to send.
#[derive(Debug)]
enum Asked {
    /// No final answer yet: the request, for its repetition, its CANCEL and its ACK.
    Open {
        request: Box<Request>,
        cancel: Cancel,
    },
    /// A failure has been acknowledged by this.
    Acknowledged(Kept),
    /// Nothing: a 2xx is acknowledged by the user.
    Answered,
}

/// Whether the user has taken an INVITE back.
#[derive(Debug)]
enum Cancel {
    No,
    /// As soon as a provisional response has come, with this Reason.
    Wanted(Option<Bytes>),
    Sent,
}

/// Who hears of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum User {
    Owner,
    /// A CANCEL of the layer's own: its answer means nothing to anybody.
    Nobody,
}

impl Machine {
    /// Whether any response has come.
    const fn is_answered(&self) -> bool {
        match self {
            Self::Invite { state, .. } => !matches!(state, invite::State::Calling),
            Self::NonInvite { state, .. } => !matches!(state, non_invite::State::Trying),
        }
    }
}

impl Client {
    /// The INVITE, until it is answered finally. Of one that left over a stream for its size, what would
    /// have left as a datagram: it is decided anew when it is sent again.
    pub(super) fn open_invite(&self) -> Option<(&Request, Flow)> {
        let Machine::Invite {
            asked: Asked::Open { request, .. },
            ..
        } = &self.machine
        else {
            return None;
        };
        Some(match &self.fallback {
            Some(datagram) => (&datagram.request, datagram.flow),
            None => (request, self.flow),
        })
    }

    /// Whether a 2xx has the Call-ID, the From tag and the CSeq number of the INVITE, as every answer must (RFC 3261
    /// §8.2.6.2), while there is none that is final. One that has the branch and not those was damaged on its way, and
    /// comes again: its dialog would be known by one side only (§12.1.2). Any other response opens none, and whoever
    /// gives it can be told to stop, by the branch alone.
    pub(super) fn may_be_answered_by(&self, response: &Response) -> bool {
        if !response.status().is_success() {
            return true;
        }
        let Machine::Invite {
            asked: Asked::Open { request, .. },
            ..
        } = &self.machine
        else {
            return true;
        };
        request.call_id() == response.call_id()
            && request.from_tag() == response.from_tag()
            && request.cseq_number() == response.cseq_number()
    }

    /// Whether this is the 2xx to an INVITE whose user has been told that it has failed.
    pub(super) fn is_answered_late(&self, response: &Response) -> bool {
        let Machine::Invite { state, .. } = &self.machine else {
            return false;
        };
        matches!(state, invite::State::GivenUp) && response.status().is_success()
    }

    /// A BYE that is not answered, and where it goes.
    pub(super) fn open_bye(&self) -> Option<(Bytes, Flow)> {
        let Machine::NonInvite { state, sent, .. } = &self.machine else {
            return None;
        };
        let is_open = matches!(
            state,
            non_invite::State::Trying | non_invite::State::Proceeding
        );
        let is_bye = sent.kind == MessageKind::Request(Method::Bye.label());
        (is_open && is_bye).then(|| (sent.bytes.clone(), self.flow))
    }

    pub(super) const fn armed(&mut self) -> &mut Armed {
        &mut self.armed
    }
}

impl TransactionLayer {
    /// Sends a request in a transaction of its own. Its top Via must have a branch of ours, with
    /// the cookie and never used before. ACK is not sent so: see [`TransactionLayer::send`].
    ///
    /// # Errors
    /// [`Overloaded`]: nothing was sent. Never for a BYE: there are two for each call at most, and
    /// without it a phone would stay in a call that is over.
    pub fn request(
        &mut self,
        now: Instant,
        request: Request,
        flow: Flow,
    ) -> Result<ClientTx, Overloaded> {
        if self.is_full() && *request.method() != Method::Bye {
            return Err(Overloaded);
        }
        debug_assert!(
            *request.method() != Method::Ack,
            "an ACK has no transaction of its own"
        );
        Ok(self.open_client(now, request, flow, User::Owner))
    }

    fn open_client(&mut self, now: Instant, request: Request, flow: Flow, user: User) -> ClientTx {
        let flow = self.moved.instead_of(flow);
        let (request, flow, fallback) = match self.streams.instead_of(now, &request, flow) {
            Some((large, stream)) => (large, stream, Some(Box::new(Datagram { request, flow }))),
            None => (request, flow, None),
        };
        let fingerprint = self.matcher.client(&request);
        // What is too large for a datagram goes by another transport to the same peer: where its URI leads may be somebody
        // else, inside of another network.
        let next_hop = match fallback {
            Some(_) => None,
            None => flow.next_hop(&request),
        };
        let sent = Kept::new(&request);
        let is_invite = *request.method() == Method::Invite;
        let machine = if is_invite {
            let asked = Asked::Open {
                request: Box::new(request),
                cancel: Cancel::No,
            };
            Machine::Invite {
                state: invite::State::Calling,
                asked,
            }
        } else {
            let state = non_invite::State::Trying;
            Machine::NonInvite {
                state,
                sent: sent.clone(),
                user,
            }
        };
        let interval = self.settings.timers.t1;
        let elsewhere = next_hop
            .filter(|hop| *hop != flow.remote && ends_something(sent.kind))
            .map(|remote| Flow { remote, ..flow });
        let tx = self.clients.insert(Client {
            fingerprint,
            flow,
            elsewhere,
            fallback,
            machine,
            interval,
            armed: Armed::default(),
        });
        self.client_index.insert(fingerprint, tx);
        if is_invite {
            self.touch(Touched::Invite(tx));
        } else if sent.kind == MessageKind::Request(Method::Bye.label()) {
            self.touch(Touched::Bye(tx));
        }
        let (repeat, give_up) = if is_invite {
            (Timer::A, Timer::B)
        } else {
            (Timer::E, Timer::F)
        };
        //= https://www.rfc-editor.org/rfc/rfc3261#section-17.1.1.2
        //# If a reliable transport is being used,
        //# the client transaction SHOULD NOT start timer A (Timer A controls
        //# request retransmissions).
        if flow.transport.is_reliable() {
            let flows = [Some(flow), elsewhere].into_iter().flatten();
            self.by_flow.extend(flows.map(|flow| (flow, tx)));
        } else {
            self.arm(now, interval, Due::Client(tx, repeat));
        }
        self.arm(
            now,
            self.settings.timers.transaction_max(),
            Due::Client(tx, give_up),
        );
        self.transmit(flow, next_hop, sent, Attempt::First);
        tx
    }

    /// Takes an INVITE back (RFC 3261 §9.1): by a CANCEL once a provisional response has come, by
    /// nothing after a final one. Until the provisional response the INVITE is repeated as before: the
    /// phone may ring already, its 180 lost. If no final response follows the CANCEL within 64·T1, the
    /// INVITE fails as timed out. `reason` is the value of a Reason header.
    pub fn cancel(&mut self, now: Instant, tx: ClientTx, reason: Option<&[u8]>) {
        self.touch(Touched::Invite(tx));
        let Some(Client {
            machine: Machine::Invite { state, asked },
            ..
        }) = self.clients.get_mut(tx)
        else {
            return;
        };
        if let Asked::Open {
            cancel: cancel @ Cancel::No,
            ..
        } = asked
        {
            //= https://www.rfc-editor.org/rfc/rfc3261#section-9.1
            //# If no provisional response has been received, the CANCEL request MUST
            //# NOT be sent; rather, the client MUST wait for the arrival of a
            //# provisional response before sending the request.
            *cancel = Cancel::Wanted(reason.map(Bytes::copy_from_slice));
            if *state == invite::State::Proceeding {
                self.send_wanted_cancel(now, tx);
            }
        }
    }

    fn send_wanted_cancel(&mut self, now: Instant, tx: ClientTx) {
        let Some(Client {
            machine: Machine::Invite { asked, .. },
            flow,
            ..
        }) = self.clients.get_mut(tx)
        else {
            return;
        };
        let flow = *flow;
        let Asked::Open { request, cancel } = asked else {
            return;
        };
        let Cancel::Wanted(reason) = cancel else {
            return;
        };
        let cancel_request = follow_up(request, &Method::Cancel, request)
            .header_opt(HeaderName::Reason, reason.as_deref())
            .finish_request();
        *cancel = Cancel::Sent;
        self.arm(
            now,
            self.settings.timers.transaction_max(),
            Due::Client(tx, Timer::CancelGuard),
        );
        if let Ok(cancel_request) = cancel_request {
            self.open_client(now, cancel_request, flow, User::Nobody);
        }
    }

    pub(super) fn handle_client_response(
        &mut self,
        now: Instant,
        tx: ClientTx,
        response: Response,
    ) {
        let status = response.status();
        let Some(client) = self.clients.get(tx) else {
            return;
        };
        match &client.machine {
            Machine::Invite { state, .. } => {
                let event = if status.is_provisional() {
                    invite::Event::Provisional
                } else if status.is_success() {
                    invite::Event::Success
                } else {
                    invite::Event::Failure
                };
                let again = *state == invite::State::Completed;
                if again {
                    let kind = MessageKind::Response(status);
                    self.emit(Event::RetransmissionReceived { kind });
                }
                self.step_invite(now, tx, event, Some(response));
                if status.is_provisional() {
                    self.send_wanted_cancel(now, tx);
                }
            }
            Machine::NonInvite { state, .. } => {
                if *state == non_invite::State::Completed {
                    let kind = MessageKind::Response(status);
                    return self.emit(Event::RetransmissionReceived { kind });
                }
                let event = if status.is_provisional() {
                    non_invite::Event::Provisional
                } else {
                    non_invite::Event::Final
                };
                self.step_non_invite(now, tx, event, Some(response));
            }
        }
    }

    pub(super) fn fire_client(&mut self, now: Instant, tx: ClientTx, timer: Timer) {
        let Some(client) = self.clients.get_mut(tx) else {
            return;
        };
        *client.armed.slot(timer) = None;
        match client.machine {
            Machine::Invite { .. } => {
                self.step_invite(now, tx, invite::Event::Fired(timer), None);
            }
            Machine::NonInvite { .. } => {
                self.step_non_invite(now, tx, non_invite::Event::Fired(timer), None);
            }
        }
    }

    pub(super) fn fail_client_transport(&mut self, now: Instant, tx: ClientTx) {
        if self.fall_back(now, tx) || self.goes_on_elsewhere(now, tx) {
            return;
        }
        match self.clients.get(tx).map(|client| &client.machine) {
            Some(Machine::Invite { .. }) => {
                self.step_invite(now, tx, invite::Event::TransportError, None);
            }
            Some(Machine::NonInvite { .. }) => {
                self.step_non_invite(now, tx, non_invite::Event::TransportError, None);
            }
            None => {}
        }
    }

    /// A BYE or a CANCEL whose connection breaks before it is answered is repeated as over UDP, by whatever
    /// connection can be had: nobody else tells the peer that its call is over, or that it is to ring no more.
    fn goes_on_elsewhere(&mut self, now: Instant, tx: ClientTx) -> bool {
        let Some(client) = self.clients.get(tx) else {
            return false;
        };
        let Machine::NonInvite { sent, .. } = &client.machine else {
            return false;
        };
        if !ends_something(sent.kind) {
            return false;
        }
        let interval = client.interval;
        self.arm(now, interval, Due::Client(tx, Timer::E));
        true
    }

    /// The connection of an INVITE is gone: whoever rings by it is told to stop by another, at once or as
    /// soon as they say that they do.
    fn stop_ringing_elsewhere(&mut self, now: Instant, tx: ClientTx, before: invite::State) {
        self.cancel(now, tx, None);
        if before == invite::State::Proceeding {
            self.send_wanted_cancel(now, tx);
        }
    }

    /// Sends a large request over UDP after all, when its connection failed before an answer came.
    ///
    //= https://www.rfc-editor.org/rfc/rfc3261#section-18.1.1
    //# If an element sends a request over TCP because of these message size
    //# constraints, and that request would have otherwise been sent over
    //# UDP, if the attempt to establish the connection generates either an
    //# ICMP Protocol Not Supported, or results in a TCP reset, the element
    //# SHOULD retry the request, using UDP.
    fn fall_back(&mut self, now: Instant, tx: ClientTx) -> bool {
        let Some(client) = self.clients.get_mut(tx) else {
            return false;
        };
        if client.machine.is_answered() {
            return false;
        }
        let Some(datagram) = client.fallback.take() else {
            return false;
        };
        let Datagram { request, flow } = *datagram;
        let stream = std::mem::replace(&mut client.flow, flow);
        let sent = Kept::new(&request);
        let (timer, touched) = match &mut client.machine {
            Machine::Invite { asked, .. } => {
                if let Asked::Open { request: open, .. } = asked {
                    **open = request;
                }
                (Timer::A, Touched::Invite(tx))
            }
            Machine::NonInvite { sent: kept, .. } => {
                *kept = sent.clone();
                (Timer::E, Touched::Bye(tx))
            }
        };
        let interval = client.interval;
        self.by_flow.remove(&(stream, tx));
        self.touch(touched);
        self.streams.refuse(now, flow.remote);
        self.arm(now, interval, Due::Client(tx, timer));
        self.transmit(flow, None, sent, Attempt::First);
        true
    }
}

/// A BYE or a CANCEL.
fn ends_something(kind: MessageKind) -> bool {
    let methods = [Method::Bye, Method::Cancel];
    methods
        .iter()
        .any(|method| kind == MessageKind::Request(method.label()))
}

/// A CANCEL or an ACK inside an INVITE's transaction: Request-URI, Call-ID, From, the number of CSeq,
/// the top Via alone and Route are the INVITE's (RFC 3261 §9.1 and §17.1.1.3); To is `to`'s.
fn follow_up(invite: &Request, method: &Method, to: &Message) -> Builder {
    let via = invite.elements(HeaderName::Via).next().unwrap_or_default();
    let number = invite.cseq_number();
    Builder::request(method, invite.uri_bytes())
        .header(HeaderName::Via, via)
        .header(HeaderName::MaxForwards, "70")
        .copy(invite, HeaderName::Route)
        .copy(invite, HeaderName::From)
        .copy(to, HeaderName::To)
        .copy(invite, HeaderName::CallId)
        .cseq(number, method)
}
