//! What the machines ask for, done.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use sip::{Method, Response};

use super::{Asked, Client, Machine, User, follow_up};
use crate::{
    client_invite as invite, client_non_invite as non_invite,
    event::{Event, Failure},
    flow::{Attempt, Flow, Kept, MessageKind},
    layer::{ClientTx, Touched, TransactionLayer, armed::Due},
    timers::Timer,
};

impl TransactionLayer {
    pub(super) fn step_invite(
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
        let before = std::mem::replace(state, next);
        if next == invite::State::Accepted {
            *asked = Asked::Answered;
        }
        // It is as open as before to whoever asks while it is not answered.
        if !matches!(next, invite::State::Calling | invite::State::Proceeding) {
            self.touch(Touched::Invite(tx));
        }
        for action in actions {
            match action {
                Action::Tell => {
                    if let Some(response) = response.take() {
                        let response = Arc::new(response);
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
                    // Whoever says now that they ring is told to stop.
                    self.cancel(now, tx, None);
                    self.emit(Event::ClientFailed {
                        tx,
                        cause: Failure::Timeout,
                    });
                }
                Action::FailTransport => {
                    self.stop_ringing_elsewhere(now, tx, before);
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

    pub(super) fn step_non_invite(
        &mut self,
        now: Instant,
        tx: ClientTx,
        event: non_invite::Event,
        mut response: Option<Response>,
    ) {
        use non_invite::Action;
        let Some(Client {
            machine: Machine::NonInvite { state, sent, user },
            ..
        }) = self.clients.get_mut(tx)
        else {
            return;
        };
        let Some((next, actions)) = state.on(event) else {
            return;
        };
        *state = next;
        if next == non_invite::State::Completed {
            // It is not sent again, and is not kept while late answers are absorbed.
            sent.bytes = Bytes::new();
        }
        let user = *user;
        if sent.kind == MessageKind::Request(Method::Bye.label()) {
            self.touch(Touched::Bye(tx));
        }
        let t2 = self.settings.timers.t2;
        for action in actions {
            match action {
                Action::Tell => {
                    if let Some(response) = response.take().filter(|_| user == User::Owner) {
                        let response = Arc::new(response);
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
        self.follow_peer(tx);
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
        // What is repeated over a stream has lost its connection.
        let next_hop = flow.next_hop_of(&sent.bytes);
        self.transmit(flow, next_hop, sent, Attempt::Retransmission);
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
                state: invite::State::Proceeding | invite::State::GivenUp,
                ..
            } => client.armed.guard.take(),
            _ => None,
        };
        let armed = std::mem::take(&mut client.armed);
        client.armed.guard = guard;
        let (flow, elsewhere) = (client.flow, client.elsewhere);
        self.disarm(armed);
        self.forget_flows(flow, elsewhere, tx);
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

    fn forget_flows(&mut self, flow: Flow, elsewhere: Option<Flow>, tx: ClientTx) {
        for flow in [Some(flow), elsewhere].into_iter().flatten() {
            self.by_flow.remove(&(flow, tx));
        }
    }

    /// The transaction is over. Its key stays taken until its user has been told: whoever keeps
    /// something by the key must not find there what a newer transaction put.
    fn end_client(&mut self, tx: ClientTx) {
        let Some(client) = self.clients.get_mut(tx) else {
            return;
        };
        let armed = std::mem::take(&mut client.armed);
        let (fingerprint, flow) = (client.fingerprint, client.flow);
        let elsewhere = client.elsewhere;
        let is_our_own = matches!(
            client.machine,
            Machine::NonInvite {
                user: User::Nobody,
                ..
            }
        );
        self.client_index.remove(fingerprint, tx);
        self.forget_flows(flow, elsewhere, tx);
        self.disarm(armed);
        if is_our_own {
            self.clients.remove(tx);
        } else {
            self.emit(Event::ClientEnded { tx });
        }
    }
}
