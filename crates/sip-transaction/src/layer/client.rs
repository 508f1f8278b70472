//! Client transactions: what we asked.

use std::time::{Duration, Instant};

use bytes::Bytes;
use sip::{Builder, HeaderName, Message, Method, Request, Response};

use super::{Armed, ClientTx, Due, Overloaded, TransactionLayer};
use crate::{
    client_invite as invite, client_non_invite as non_invite,
    event::{Event, Failure},
    flow::{Attempt, Flow, Kept, MessageKind},
    matching::Fingerprint,
    timers::Timer,
};

/// One client transaction.
#[derive(Debug)]
pub(super) struct Client {
    fingerprint: Fingerprint,
    flow: Flow,
    machine: Machine,
    /// The interval of the next retransmission.
    interval: Duration,
    armed: Armed,
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

impl Client {
    pub(super) const fn armed(&mut self) -> &mut Armed {
        &mut self.armed
    }
}

impl TransactionLayer {
    /// Sends a request in a transaction of its own. Its top Via must have a branch of ours, with
    /// the cookie and never used before. ACK is not sent so: see [`TransactionLayer::send`].
    ///
    /// # Errors
    /// [`Overloaded`]: nothing was sent.
    pub fn request(
        &mut self,
        now: Instant,
        request: Request,
        flow: Flow,
    ) -> Result<ClientTx, Overloaded> {
        if self.is_full() {
            return Err(Overloaded);
        }
        debug_assert!(
            *request.method() != Method::Ack,
            "an ACK has no transaction of its own"
        );
        Ok(self.open_client(now, request, flow, User::Owner))
    }

    fn open_client(&mut self, now: Instant, request: Request, flow: Flow, user: User) -> ClientTx {
        let fingerprint = self.matcher.client(&request);
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
        let tx = self.clients.insert(Client {
            fingerprint,
            flow,
            machine,
            interval,
            armed: Armed::default(),
        });
        self.client_index.insert(fingerprint, tx);
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
            self.by_flow.insert((flow, tx));
        } else {
            self.arm(now, interval, Due::Client(tx, repeat));
        }
        self.arm(
            now,
            self.settings.timers.transaction_max(),
            Due::Client(tx, give_up),
        );
        self.transmit(flow, None, sent, Attempt::First);
        tx
    }

    /// Takes an INVITE back (RFC 3261 §9.1): by a CANCEL once a provisional response has come, by
    /// nothing after a final one. Until the provisional response the INVITE is not repeated any more: a
    /// phone that comes back to life shall not ring for a call that is over. If no final response
    /// follows the CANCEL within 64·T1, the INVITE fails as timed out. `reason` is the value of a
    /// Reason header.
    pub fn cancel(&mut self, now: Instant, tx: ClientTx, reason: Option<&[u8]>) {
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
            } else {
                self.stop_repeating(tx);
            }
        }
    }

    fn stop_repeating(&mut self, tx: ClientTx) {
        if let Some(client) = self.clients.get_mut(tx) {
            let repeat = client.armed.repeat.take();
            self.disarm(Armed {
                repeat,
                ..Armed::default()
            });
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

    fn step_invite(
        &mut self,
        now: Instant,
        tx: ClientTx,
        event: invite::Event,
        mut response: Option<Response>,
    ) {
        use invite::Action;
        let Some(Client {
            machine: Machine::Invite { state, asked },
            ..
        }) = self.clients.get_mut(tx)
        else {
            return;
        };
        let Some((next, actions)) = state.on(event) else {
            return;
        };
        *state = next;
        if next == invite::State::Accepted {
            *asked = Asked::Answered;
        }
        for action in actions {
            match action {
                Action::Tell => {
                    if let Some(response) = response.take() {
                        self.emit(Event::Response { tx, response });
                    }
                }
                Action::Resend => self.resend_request(now, tx, Timer::A, Duration::MAX),
                Action::Acknowledge => {
                    if let Some(response) = &response {
                        self.acknowledge(tx, response);
                    }
                }
                Action::AcknowledgeAgain => self.acknowledge_again(tx),
                Action::StopCalling => self.stop_client(tx),
                Action::Arm(timer) => self.arm_end(now, tx, *timer),
                Action::FailTimeout => {
                    self.emit(Event::ClientFailed {
                        tx,
                        cause: Failure::Timeout,
                    });
                }
                Action::FailTransport => {
                    self.emit(Event::ClientFailed {
                        tx,
                        cause: Failure::Transport,
                    });
                }
            }
        }
        if next == invite::State::Terminated {
            self.end_client(tx);
        }
    }

    fn step_non_invite(
        &mut self,
        now: Instant,
        tx: ClientTx,
        event: non_invite::Event,
        mut response: Option<Response>,
    ) {
        use non_invite::Action;
        let Some(Client {
            machine: Machine::NonInvite { state, user, .. },
            ..
        }) = self.clients.get_mut(tx)
        else {
            return;
        };
        let Some((next, actions)) = state.on(event) else {
            return;
        };
        *state = next;
        let user = *user;
        let t2 = self.settings.timers.t2;
        for action in actions {
            match action {
                Action::Tell => {
                    if let Some(response) = response.take().filter(|_| user == User::Owner) {
                        self.emit(Event::Response { tx, response });
                    }
                }
                Action::Resend => self.resend_request(now, tx, Timer::E, t2),
                Action::ResendAtT2 => {
                    if let Some(client) = self.clients.get_mut(tx) {
                        client.interval = t2;
                    }
                    self.resend_request(now, tx, Timer::E, t2);
                }
                Action::StopTrying => self.stop_client(tx),
                Action::Arm(timer) => self.arm_end(now, tx, *timer),
                Action::FailTimeout => self.fail(tx, user, Failure::Timeout),
                Action::FailTransport => self.fail(tx, user, Failure::Transport),
            }
        }
        if next == non_invite::State::Terminated {
            self.end_client(tx);
        }
    }

    fn fail(&mut self, tx: ClientTx, user: User, cause: Failure) {
        if user == User::Owner {
            self.emit(Event::ClientFailed { tx, cause });
        }
    }

    /// Sends the request again and arms its timer with twice the interval, `longest` at most.
    fn resend_request(&mut self, now: Instant, tx: ClientTx, timer: Timer, longest: Duration) {
        let Some(client) = self.clients.get_mut(tx) else {
            return;
        };
        let sent = match &client.machine {
            Machine::Invite {
                asked: Asked::Open { request, .. },
                ..
            } => Kept::new(request),
            Machine::NonInvite { sent, .. } => sent.clone(),
            Machine::Invite { .. } => return,
        };
        client.interval = client.interval.saturating_mul(2).min(longest);
        let (interval, flow) = (client.interval, client.flow);
        self.arm(now, interval, Due::Client(tx, timer));
        self.transmit(flow, None, sent, Attempt::Retransmission);
    }

    //= https://www.rfc-editor.org/rfc/rfc3261#section-17.1.1.3
    //# The ACK request constructed by the client transaction MUST contain
    //# values for the Call-ID, From, and Request-URI that are equal to the
    //# values of those header fields in the request passed to the transport
    //# by the client transaction (call this the "original request").  The To
    //# header field in the ACK MUST equal the To header field in the
    //# response being acknowledged, and therefore will usually differ from
    //# the To header field in the original request by the addition of the
    //# tag parameter.
    fn acknowledge(&mut self, tx: ClientTx, response: &Response) {
        let Some(Client {
            machine: Machine::Invite { asked, .. },
            ..
        }) = self.clients.get_mut(tx)
        else {
            return;
        };
        if let Asked::Open { request, .. } = asked {
            let ack = follow_up(request, &Method::Ack, response).finish();
            *asked = Asked::Acknowledged(Kept::new(&ack));
        }
        self.send_ack(tx, Attempt::First);
    }

    fn acknowledge_again(&mut self, tx: ClientTx) {
        self.send_ack(tx, Attempt::Retransmission);
    }

    fn send_ack(&mut self, tx: ClientTx, attempt: Attempt) {
        let Some(Client {
            machine:
                Machine::Invite {
                    asked: Asked::Acknowledged(ack),
                    ..
                },
            flow,
            ..
        }) = self.clients.get(tx)
        else {
            return;
        };
        let (flow, ack) = (*flow, ack.clone());
        self.transmit(flow, None, ack, attempt);
    }

    /// Disarms what waited for an answer.
    fn stop_client(&mut self, tx: ClientTx) {
        let Some(client) = self.clients.get_mut(tx) else {
            return;
        };
        // The guard of a CANCEL goes on until the final response.
        let guard = match &client.machine {
            Machine::Invite {
                state: invite::State::Proceeding,
                ..
            } => client.armed.guard.take(),
            _ => None,
        };
        let armed = std::mem::replace(
            &mut client.armed,
            Armed {
                guard,
                ..Armed::default()
            },
        );
        let flow = client.flow;
        self.disarm(armed);
        self.by_flow.remove(&(flow, tx));
        if let Some(Client {
            machine:
                Machine::Invite {
                    state: invite::State::Proceeding,
                    ..
                },
            ..
        }) = self.clients.get(tx)
            && flow.transport.is_reliable()
        {
            self.by_flow.insert((flow, tx));
        }
    }

    /// Arms the timer that ends an answered transaction: at once where the transport is reliable
    /// and nothing can come again (timers D and K).
    fn arm_end(&mut self, now: Instant, tx: ClientTx, timer: Timer) {
        let Some(client) = self.clients.get(tx) else {
            return;
        };
        let reliable = client.flow.transport.is_reliable();
        let after = match timer {
            Timer::D | Timer::K if reliable => Duration::ZERO,
            Timer::D => self.settings.timers.d,
            Timer::K => self.settings.timers.t4,
            _ => self.settings.timers.transaction_max(),
        };
        self.arm(now, after, Due::Client(tx, timer));
    }

    fn end_client(&mut self, tx: ClientTx) {
        let Some(client) = self.clients.remove(tx) else {
            return;
        };
        self.client_index.remove(client.fingerprint, tx);
        self.by_flow.remove(&(client.flow, tx));
        self.disarm(client.armed);
        if !matches!(
            client.machine,
            Machine::NonInvite {
                user: User::Nobody,
                ..
            }
        ) {
            self.emit(Event::ClientEnded { tx });
        }
    }
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
        .header_fmt(HeaderName::CSeq, format_args!("{number} {method}"))
}
