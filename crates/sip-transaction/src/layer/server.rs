//! Server transactions: what we are asked.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use sip::{HeaderName, Limits, Message, Method, NameAddr, Request, StatusCode};

use super::{
    Refused, ServerTx, Touched, TransactionLayer,
    armed::{Armed, Due},
    route::Route,
};
use crate::{
    event::{Event, Failure},
    flow::{Attempt, Flow, Kept, MessageKind},
    matching::{Fingerprint, Wanted},
    server_invite as invite, server_non_invite as non_invite,
    timers::Timer,
};

/// One server transaction.
#[derive(Debug)]
pub(super) struct Server {
    fingerprint: Fingerprint,
    merged: Option<Fingerprint>,
    /// Where the request came from.
    source: Flow,
    route: Route,
    machine: Machine,
    /// The request, until it is answered finally.
    request: Option<Arc<Request>>,
    /// An INVITE that has been refused, until that is acknowledged: whoever takes this up later knows it
    /// by that.
    refused: Option<Arc<Request>>,
    last: Last,
    interval: Duration,
    armed: Armed,
}

/// What was answered last.
#[derive(Debug)]
enum Last {
    Nothing,
    /// This, which is sent again when the request is.
    Kept(Kept),
    /// A 2xx to an INVITE. Its user repeats it by itself, and for half a minute nothing is needed of it but the
    /// tag in its To.
    Accepted(Option<Box<[u8]>>),
}

#[derive(Clone, Copy, Debug)]
enum Machine {
    Invite(invite::State),
    NonInvite(non_invite::State),
}

impl Server {
    pub(super) fn new(
        request: Arc<Request>,
        fingerprint: Fingerprint,
        merged: Option<Fingerprint>,
        source: Flow,
    ) -> Self {
        let machine = if *request.method() == Method::Invite {
            Machine::Invite(invite::State::Proceeding)
        } else {
            Machine::NonInvite(non_invite::State::Trying)
        };
        Self {
            fingerprint,
            merged,
            source,
            route: Route::of(&request, source),
            machine,
            request: Some(request),
            refused: None,
            last: Last::Nothing,
            interval: Duration::ZERO,
            armed: Armed::default(),
        }
    }

    pub(super) const fn armed(&mut self) -> &mut Armed {
        &mut self.armed
    }

    pub(super) const fn source(&self) -> Flow {
        self.source
    }

    pub(super) fn request(&self) -> Option<&Request> {
        self.request.as_deref()
    }

    /// The INVITE that has been refused, where from, and the answer, until it is acknowledged.
    pub(super) fn refused(&self) -> Option<Refused> {
        let Last::Kept(answer) = &self.last else {
            return None;
        };
        Some(Refused {
            invite: self.refused.as_ref()?.bytes().clone(),
            flow: self.source,
            answer: answer.bytes.clone(),
        })
    }

    /// The tag that our answers so far have in To.
    fn to_tag(&self) -> Option<Box<[u8]>> {
        match &self.last {
            Last::Nothing => None,
            Last::Kept(last) => {
                let last = Message::parse(last.bytes.clone(), &Limits::OURS).ok()?;
                to_tag_of(&last)
            }
            Last::Accepted(tag) => tag.clone(),
        }
    }

    /// Whether this is the answer that was given last.
    fn has_answered(&self, response: &Message) -> bool {
        match &self.last {
            Last::Nothing => false,
            Last::Kept(last) => last.bytes == response.bytes(),
            // RFC 3261 §13.2.2.4: the 2xx of two forks differ in their tags.
            Last::Accepted(tag) => *tag == to_tag_of(response),
        }
    }
}

fn to_tag_of(response: &Message) -> Option<Box<[u8]>> {
    let to = NameAddr::parse(response.header(HeaderName::To)?).ok()?;
    to.tag().map(Box::from)
}

impl TransactionLayer {
    /// Answers a request. The layer makes no 100 by itself: once a 1xx is out nobody repeats the
    /// INVITE, so when it goes out is for the user to say (RFC 3261 §17.2.1 asks for one within
    /// 200 ms unless another response comes first). Ignored where the machine has no room for it: a
    /// second final answer, or a transaction that is gone.
    pub fn respond(&mut self, now: Instant, tx: ServerTx, response: Message) {
        let Some(status) = response.status() else {
            return;
        };
        let Some(server) = self.servers.get(tx) else {
            return;
        };
        match server.machine {
            Machine::Invite(_) => {
                let event = if status.is_provisional() {
                    invite::Event::Provisional
                } else if status.is_success() {
                    invite::Event::Success
                } else {
                    invite::Event::Failure
                };
                self.step_server_invite(now, tx, event, Some(response), None);
            }
            Machine::NonInvite(_) => {
                let event = if status.is_provisional() {
                    non_invite::Event::Provisional
                } else {
                    non_invite::Event::Final
                };
                self.step_server_non_invite(now, tx, event, Some(response));
            }
        }
    }

    /// A request that has a transaction: a repetition, or the ACK of a final answer.
    pub(super) fn handle_known_request(
        &mut self,
        now: Instant,
        tx: ServerTx,
        request: Request,
        flow: Flow,
    ) {
        let Some(server) = self.servers.get(tx) else {
            return;
        };
        if *request.method() == Method::Ack {
            let ack = Some((request, flow));
            return self.step_server_invite(now, tx, invite::Event::Ack, None, ack);
        }
        let machine = server.machine;
        let kind = MessageKind::Request(request.method().label());
        self.emit(Event::RetransmissionReceived { kind });
        match machine {
            Machine::Invite(_) => {
                self.step_server_invite(now, tx, invite::Event::Invite, None, None);
            }
            Machine::NonInvite(_) => {
                self.step_server_non_invite(now, tx, non_invite::Event::Request, None);
            }
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc3261#section-9.2
    //# If the UAS did not find a matching transaction for the CANCEL
    //# according to the procedure above, it SHOULD respond to the CANCEL
    //# with a 481 (Call Leg/Transaction Does Not Exist).
    pub(super) fn handle_cancel(&mut self, now: Instant, tx: ServerTx, cancel: Arc<Request>) {
        let invite = self
            .server_index
            .get(self.matcher.server(&cancel, Wanted::CancelledInvite))
            .and_then(|invite| self.servers.get(invite).map(|server| (invite, server)));
        let (status, tag) = match invite {
            Some((_, server)) => (StatusCode::OK, server.to_tag()),
            None => (StatusCode::CALL_DOES_NOT_EXIST, None),
        };
        let open = invite.and_then(|(invite, server)| match server.machine {
            Machine::Invite(invite::State::Proceeding) => Some(invite),
            _ => None,
        });
        let response = self.response_builder(tx, status, status.reason(), tag.as_deref());
        if let Some(response) = response {
            self.respond(now, tx, response.finish());
        }
        if let Some(invite) = open {
            self.emit(Event::Cancelled { tx: invite, cancel });
        }
    }

    pub(super) fn fire_server(&mut self, now: Instant, tx: ServerTx, timer: Timer) {
        let Some(server) = self.servers.get_mut(tx) else {
            return;
        };
        *server.armed.slot(timer) = None;
        match server.machine {
            Machine::Invite(_) => {
                self.step_server_invite(now, tx, invite::Event::Fired(timer), None, None);
            }
            Machine::NonInvite(_) => {
                self.step_server_non_invite(now, tx, non_invite::Event::Fired(timer), None);
            }
        }
    }

    fn step_server_invite(
        &mut self,
        now: Instant,
        tx: ServerTx,
        event: invite::Event,
        mut response: Option<Message>,
        mut ack: Option<(Request, Flow)>,
    ) {
        use invite::Action;
        let Some(server) = self.servers.get_mut(tx) else {
            return;
        };
        let Machine::Invite(state) = &mut server.machine else {
            return;
        };
        let Some((next, actions)) = state.on(event) else {
            return;
        };
        *state = next;
        // Nobody has been refused in these.
        if !matches!(next, invite::State::Proceeding | invite::State::Accepted) {
            self.touch(Touched::Refused(tx));
        }
        for action in actions {
            match action {
                Action::Send => self.send_response(tx, response.take()),
                Action::SendAgain => self.send_last(tx, Attempt::Retransmission),
                Action::Resend => self.resend_response(now, tx),
                Action::Release => self.release(tx),
                Action::StopResending => self.stop_server(tx),
                Action::Arm(timer) => self.arm_server(now, tx, *timer),
                Action::TellAck => {
                    if let Some((request, flow)) = ack.take() {
                        let request = Arc::new(request);
                        self.emit(Event::Ack { request, flow });
                    }
                }
                Action::FailTimeout => {
                    self.emit(Event::ServerFailed {
                        tx,
                        cause: Failure::Timeout,
                    });
                }
            }
        }
        if next == invite::State::Terminated {
            self.end_server(tx);
        }
    }

    fn step_server_non_invite(
        &mut self,
        now: Instant,
        tx: ServerTx,
        event: non_invite::Event,
        mut response: Option<Message>,
    ) {
        use non_invite::Action;
        let Some(server) = self.servers.get_mut(tx) else {
            return;
        };
        let Machine::NonInvite(state) = &mut server.machine else {
            return;
        };
        let Some((next, actions)) = state.on(event) else {
            return;
        };
        *state = next;
        for action in actions {
            match action {
                Action::Send => self.send_response(tx, response.take()),
                Action::SendAgain => self.send_last(tx, Attempt::Retransmission),
                Action::Release => self.release(tx),
                Action::Arm(timer) => self.arm_server(now, tx, *timer),
            }
        }
        if next == non_invite::State::Terminated {
            self.end_server(tx);
        }
    }

    fn send_response(&mut self, tx: ServerTx, response: Option<Message>) {
        let Some(server) = self.servers.get_mut(tx) else {
            return;
        };
        let Some(response) = response else { return };
        // A 2xx that the user repeats is the same message.
        let attempt = if server.has_answered(&response) {
            Attempt::Retransmission
        } else {
            Attempt::First
        };
        server.last = Last::Kept(match server.machine {
            Machine::Invite(_) => Kept::answer_to_invite(&response),
            Machine::NonInvite(_) => Kept::new(&response),
        });
        self.send_last(tx, attempt);
        if let Some(server) = self.servers.get_mut(tx)
            && let Machine::Invite(invite::State::Accepted) = server.machine
        {
            server.last = Last::Accepted(to_tag_of(&response));
        }
    }

    fn send_last(&mut self, tx: ServerTx, attempt: Attempt) {
        let Some(server) = self.servers.get(tx) else {
            return;
        };
        let Last::Kept(last) = &server.last else {
            return;
        };
        let (route, last) = (server.route, last.clone());
        self.transmit(route.flow, route.fallback(), last, attempt);
    }

    fn resend_response(&mut self, now: Instant, tx: ServerTx) {
        let t2 = self.settings.timers.t2;
        let Some(server) = self.servers.get_mut(tx) else {
            return;
        };
        server.interval = (2 * server.interval).min(t2);
        let interval = server.interval;
        self.send_last(tx, Attempt::Retransmission);
        self.arm(now, interval, Due::Server(tx, Timer::G));
    }

    fn release(&mut self, tx: ServerTx) {
        if let Some(server) = self.servers.get_mut(tx) {
            let request = server.request.take();
            if let Machine::Invite(invite::State::Completed) = server.machine {
                server.refused = request;
            }
        }
    }

    fn stop_server(&mut self, tx: ServerTx) {
        if let Some(server) = self.servers.get_mut(tx) {
            server.refused = None;
            let armed = std::mem::take(&mut server.armed);
            let route = server.route;
            self.disarm(armed);
            self.forget_refusal(route, tx);
        }
    }

    /// A refusal whose connection breaks before it is acknowledged is repeated as over UDP, by whatever
    /// connection can be had: a caller who waits goes on doing so until told.
    pub(super) fn refuse_elsewhere(&mut self, now: Instant, tx: ServerTx) {
        let t1 = self.settings.timers.t1;
        if let Some(server) = self.servers.get_mut(tx) {
            server.interval = t1;
            self.arm(now, t1, Due::Server(tx, Timer::G));
        }
    }

    fn forget_refusal(&mut self, route: Route, tx: ServerTx) {
        for flow in route.connections() {
            self.refused_by_flow.remove(&(flow, tx));
        }
    }

    fn arm_server(&mut self, now: Instant, tx: ServerTx, timer: Timer) {
        let timers = self.settings.timers;
        let Some(server) = self.servers.get_mut(tx) else {
            return;
        };
        let reliable = server.source.transport.is_reliable();
        let after = match timer {
            // RFC 3261 §17.2.1: timer G is not for reliable transports. It is for those that break.
            Timer::G if reliable => {
                let flows = server.route.connections();
                return self.refused_by_flow.extend(flows.map(|flow| (flow, tx)));
            }
            Timer::G => {
                server.interval = timers.t1;
                timers.t1
            }
            Timer::I | Timer::J if reliable => Duration::ZERO,
            Timer::I => timers.t4,
            _ => timers.transaction_max(),
        };
        self.arm(now, after, Due::Server(tx, timer));
    }

    /// Ends a request that nobody will answer.
    pub(super) fn abandon_server(&mut self, tx: ServerTx) {
        let Some(server) = self.servers.get_mut(tx) else {
            return;
        };
        if let Machine::NonInvite(
            state @ (non_invite::State::Trying | non_invite::State::Proceeding),
        ) = &mut server.machine
        {
            *state = non_invite::State::Terminated;
            server.request = None;
            self.end_server(tx);
        }
    }

    /// As for a client, the key stays taken until its user has been told.
    fn end_server(&mut self, tx: ServerTx) {
        let Some(server) = self.servers.get_mut(tx) else {
            return;
        };
        let armed = std::mem::take(&mut server.armed);
        let (fingerprint, merged, route) = (server.fingerprint, server.merged, server.route);
        self.server_index.remove(fingerprint, tx);
        if let Some(merged) = merged {
            self.merged_index.remove(merged, tx);
        }
        self.disarm(armed);
        self.forget_refusal(route, tx);
        self.emit(Event::ServerEnded { tx });
    }
}
