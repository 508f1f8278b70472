//! A SIP peer: any number of callers or phones behind one address, by the book and independent of
//! the product's own legs and dialogs. Sans-IO like the engine: the simulator and the demo drive it.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use engine::{
    sip::{Builder, CSeq, HeaderName, Message, Method, NameAddr, Request, StatusCode, Transport},
    sip_transaction::{
        ClientTx, Event as TxEvent, Flow, IdSource, Output as TxOutput, ServerTx, Settings, Timers,
        TransactionLayer, Transmit,
    },
};

use self::registering::Registered;
use crate::{
    laws::{Said, text},
    script::{Answer, CallPlan, Manner, Quirk},
};

/// One side of one call at a peer, unique within the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(u64);

/// What a peer noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerEvent {
    /// A provisional response other than 100.
    Progress {
        /// The session.
        session: SessionId,
        /// Its status.
        status: StatusCode,
        /// Its reason phrase.
        reason: String,
    },
    /// The session is connected.
    Connected {
        /// The session.
        session: SessionId,
        /// Since the INVITE.
        after: Duration,
    },
    /// The session is over after it was connected.
    Ended {
        /// The session.
        session: SessionId,
        /// Who hung up.
        by: HungUpBy,
    },
    /// The session is over without an answer.
    Failed {
        /// The session.
        session: SessionId,
        /// The final status, or 408 where none came.
        status: StatusCode,
        /// Since the INVITE.
        after: Duration,
    },
    /// A request was registered: the phone has a binding now.
    Registered,
    /// The body of a request inside a session.
    Body {
        /// The session.
        session: SessionId,
        /// Its method.
        method: String,
        /// The body.
        body: Bytes,
    },
}

/// Who ended a connected session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HungUpBy {
    /// This peer.
    Us,
    /// The other side.
    Them,
}

/// What a peer wants of the world.
#[derive(Debug)]
pub enum PeerOutput {
    /// Send these bytes.
    Transmit(Transmit),
    /// Note this.
    Event(PeerEvent),
}

/// Callers and phones behind one address.
#[derive(Debug)]
pub struct Peer {
    address: SocketAddr,
    /// The same, as it writes it in every message.
    address_text: String,
    transport: Transport,
    patience: Patience,
    /// `None` where others connect to it.
    registered: Option<Registered>,
    layer: TransactionLayer,
    ids: IdSource,
    manners: BTreeMap<String, Manner>,
    default_manner: Manner,
    sessions: BTreeMap<SessionId, Session>,
    by_client: BTreeMap<ClientTx, SessionId>,
    by_server: BTreeMap<ServerTx, SessionId>,
    timers: BTreeSet<(Instant, SessionId, Timer)>,
    outputs: VecDeque<PeerOutput>,
    next_session: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Patience,
    Answer,
    ResendAnswer,
    HangUp,
    Hold,
    Resume,
    Transfer,
}

#[derive(Debug)]
struct Session {
    role: Role,
    began: Instant,
    state: State,
    dialog: Dialog,
}

#[derive(Clone, Debug)]
enum Role {
    Caller(CallPlan),
    Phone(Manner),
}

#[derive(Debug)]
enum State {
    Calling {
        tx: ClientTx,
    },
    Ringing {
        tx: ServerTx,
    },
    Connected {
        unacked: Option<Box<Unacked>>,
        acks: Vec<(u32, Message)>,
    },
}

/// A 200 that waits for its ACK.
#[derive(Debug)]
struct Unacked {
    tx: ServerTx,
    ok: Message,
    interval: Duration,
    sent_until: Instant,
}

impl Unacked {
    fn cseq(&self) -> Option<u32> {
        let cseq = self.ok.header(HeaderName::CSeq)?;
        Some(CSeq::parse(cseq)?.number)
    }
}

/// What a peer needs for requests inside its session.
#[derive(Clone, Debug, Default)]
struct Dialog {
    call_id: String,
    local: String,
    remote: String,
    target: Bytes,
    /// The route set, as one Route value; often empty.
    routes: String,
    flow: Option<Flow>,
    cseq: u32,
}

const T1: Duration = Duration::from_millis(500);
const T2: Duration = Duration::from_secs(4);

const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
                     m=audio 40000 RTP/AVP 8\r\na=sendrecv\r\n";
const HOLD: &str = "v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
                    m=audio 40000 RTP/AVP 8\r\na=sendonly\r\n";

impl Peer {
    /// A peer at this address. Phones answer after `default_manner` unless told otherwise.
    pub fn new(address: SocketAddr, seed: u64, default_manner: Manner) -> Self {
        let layer = TransactionLayer::new(Settings {
            timers: Timers::default(),
            transactions_max: 1_000_000,
            hash_seed: [seed, !seed],
            streams: Vec::new(),
        });
        Self {
            address,
            address_text: address.to_string(),
            transport: Transport::Udp,
            patience: Patience::None,
            registered: None,
            layer,
            ids: IdSource::new([seed, seed.rotate_left(32)]),
            manners: BTreeMap::new(),
            default_manner,
            sessions: BTreeMap::new(),
            by_client: BTreeMap::new(),
            by_server: BTreeMap::new(),
            timers: BTreeSet::new(),
            outputs: VecDeque::new(),
            next_session: 0,
        }
    }

    /// The address.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// How the phone of this user behaves from now on.
    pub fn set_manner(&mut self, user: impl Into<String>, manner: Manner) {
        self.manners.insert(user.into(), manner);
    }

    /// Sessions that are not over.
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// The Call-IDs of these sessions.
    pub(crate) fn call_ids(&self) -> impl Iterator<Item = &str> {
        self.sessions
            .values()
            .map(|one| one.dialog.call_id.as_str())
    }

    /// The Call-IDs of those that ring.
    pub(crate) fn ringing(&self) -> impl Iterator<Item = &str> {
        let rings = |one: &&Session| matches!(one.state, State::Ringing { .. });
        let sessions = self.sessions.values().filter(rings);
        sessions.map(|one| one.dialog.call_id.as_str())
    }

    /// The Call-IDs and own tags of those that are connected.
    pub(crate) fn talking(&self) -> impl Iterator<Item = (&str, &str)> {
        self.dialogs(|state| matches!(state, State::Connected { .. }))
    }

    /// The same of those that wait for an answer to what they asked.
    pub(crate) fn calling(&self) -> impl Iterator<Item = (&str, &str)> {
        self.dialogs(|state| matches!(state, State::Calling { .. }))
    }

    fn dialogs(&self, is_it: fn(&State) -> bool) -> impl Iterator<Item = (&str, &str)> {
        let sessions = self.sessions.values().filter(move |one| is_it(&one.state));
        sessions.map(|one| {
            (
                one.dialog.call_id.as_str(),
                ringing::tag_of(&one.dialog.local),
            )
        })
    }

    /// The session that the phone of this user has, if any.
    pub fn session_of_user(&self, user: &str) -> Option<SessionId> {
        let local = format!("<sip:{user}@");
        let mut sessions = self.sessions.iter();
        sessions
            .find(|(_, one)| one.dialog.local.starts_with(&local))
            .map(|(&session, _)| session)
    }

    /// Live transactions of both kinds.
    pub fn transactions(&self) -> usize {
        let live = self.layer.live();
        live.server + live.client
    }

    /// Calls through the node at this address.
    pub fn call(&mut self, now: Instant, node: SocketAddr, plan: CallPlan) -> SessionId {
        let session = SessionId(self.next_session);
        self.next_session += 1;
        let flow = self.flow(node);
        let dialog = Dialog {
            call_id: self.ids.token(),
            local: {
                let number = || format!("sip:{}@{}", plan.number, self.address_text);
                let uri = plan.identity.clone().unwrap_or_else(number);
                format!("<{uri}>;tag={}", self.ids.token())
            },
            remote: format!("<{}>", plan.dialled),
            target: Bytes::from(plan.dialled.clone()),
            routes: String::new(),
            flow: Some(flow),
            cseq: 1,
        };
        let body = if plan.quirk == Quirk::LateOffer {
            ""
        } else {
            OFFER
        };
        let builder = self.start(&Method::Invite, &dialog).header(
            HeaderName::PAssertedIdentity,
            format!("<tel:{}>", plan.number),
        );
        let builder = match &plan.importance {
            Some(said) => builder.header(HeaderName::ResourcePriority, said),
            None => builder,
        };
        let invite = with_sdp(builder, body);
        let Ok(invite) = Request::new(invite) else {
            return session;
        };
        let Ok(tx) = self.layer.request(now, invite, flow) else {
            return session;
        };
        self.by_client.insert(tx, session);
        if let Some(patience) = plan.patience {
            self.timers
                .insert((now + patience, session, Timer::Patience));
        }
        let role = Role::Caller(plan);
        let state = State::Calling { tx };
        self.sessions.insert(
            session,
            Session {
                role,
                began: now,
                state,
                dialog,
            },
        );
        self.drain_layer(now);
        session
    }

    /// Takes a message: a datagram, or one that came over the connection with this address.
    pub fn handle_message(&mut self, now: Instant, from: SocketAddr, bytes: Bytes) {
        if let Some(said) = Said::read(bytes) {
            self.hear(now, from, said);
        }
    }

    /// The same of one that has been read.
    pub(crate) fn hear(&mut self, now: Instant, from: SocketAddr, said: Said) {
        let flow = self.flow(from);
        match said {
            Said::Request(request) if self.is_dead(&request) => {}
            Said::Request(request) => {
                let request = Rc::unwrap_or_clone(request);
                self.layer.handle_request(now, request, flow);
            }
            Said::Response(response) => {
                let response = Rc::unwrap_or_clone(response);
                self.layer.handle_response(now, response, flow);
            }
        }
        self.drain_layer(now);
    }

    /// Whether the phone that is rung is switched off: it does not even see the request.
    fn is_dead(&self, request: &Request) -> bool {
        let rings = *request.method() == Method::Invite && request.to_tag().is_none();
        rings && self.manner_of(request).answer == Answer::Dead
    }

    fn manner_of(&self, request: &Request) -> Manner {
        self.manners
            .get(&rung_user(request))
            .copied()
            .unwrap_or(self.default_manner)
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.layer.handle_timeout(now);
        self.drain_layer(now);
        self.register_again(now);
        while let Some(&(at, session, timer)) = self.timers.first()
            && at <= now
        {
            self.timers.pop_first();
            self.handle_timer(now, session, timer);
            self.drain_layer(now);
        }
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<PeerOutput> {
        self.outputs.pop_front()
    }

    /// When [`Peer::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let own = self.timers.first().map(|&(at, ..)| at);
        let registers = self.registered.as_ref().and_then(Registered::poll_timeout);
        [self.layer.poll_timeout(), own, registers]
            .into_iter()
            .flatten()
            .min()
    }

    fn start(&mut self, method: &Method, dialog: &Dialog) -> Builder {
        let cseq = dialog.cseq;
        let routes = (!dialog.routes.is_empty()).then_some(&dialog.routes);
        Builder::request(method, &dialog.target)
            .header(HeaderName::Via, self.via())
            .header(HeaderName::MaxForwards, "70")
            .header_opt(HeaderName::Route, routes)
            .header(HeaderName::From, &dialog.local)
            .header(HeaderName::To, &dialog.remote)
            .header(HeaderName::CallId, &dialog.call_id)
            .header_fmt(HeaderName::CSeq, format_args!("{cseq} {method}"))
            .header(HeaderName::Contact, self.contact(None))
    }

    fn drain_layer(&mut self, now: Instant) {
        while let Some(output) = self.layer.poll_output() {
            match output {
                TxOutput::Transmit(transmit) => {
                    self.outputs.push_back(PeerOutput::Transmit(transmit));
                }
                TxOutput::Event(event) => self.handle_event(now, event),
            }
        }
    }

    fn emit(&mut self, event: PeerEvent) {
        self.outputs.push_back(PeerOutput::Event(event));
    }

    fn handle_event(&mut self, now: Instant, event: TxEvent) {
        match event {
            TxEvent::Request {
                tx, request, flow, ..
            } => {
                self.handle_request(now, tx, &request, flow);
            }
            TxEvent::Ack { request, .. } => self.handle_ack(&request),
            TxEvent::Cancelled { tx, .. } => self.handle_cancelled(now, tx),
            TxEvent::Response { tx, response } => self.handle_response(now, tx, &response),
            TxEvent::ClientFailed { tx, .. } => self.handle_failure(now, tx),
            // One that was cancelled ends without an answer when none comes.
            TxEvent::ClientEnded { tx } => self.handle_failure(now, tx),
            TxEvent::ServerEnded { tx } | TxEvent::ServerFailed { tx, .. } => {
                self.by_server.remove(&tx);
            }
            _ => {}
        }
    }
}

mod calling;
mod reaching;
mod registering;
mod ringing;

pub(crate) use reaching::Patience;

/// Adds SDP where there is some.
fn with_sdp(builder: Builder, body: &str) -> Message {
    if body.is_empty() {
        return builder.finish();
    }
    builder
        .header(HeaderName::ContentType, "application/sdp")
        .finish_with_body(body.as_bytes())
}

/// The user part of the Request-URI: which phone is rung.
fn rung_user(request: &Request) -> String {
    let user = request
        .uri()
        .user_or_number()
        .map(|user| *user.expose())
        .unwrap_or_default();
    String::from_utf8_lossy(user).into_owned()
}

fn contact_of(message: &Message) -> Bytes {
    let contact = message.elements(HeaderName::Contact).next();
    contact
        .and_then(|contact| NameAddr::parse(contact).ok())
        .map(|contact| Bytes::copy_from_slice(contact.uri_bytes()))
        .unwrap_or_default()
}

/// Record-Route as it stands, or backwards: the route set of a callee, or of a caller (RFC 3261 §12.1).
fn route_set(message: &Message, role: RouteSetOf) -> String {
    let mut routes: Vec<_> = message
        .elements(HeaderName::RecordRoute)
        .map(text)
        .collect();
    if role == RouteSetOf::Caller {
        routes.reverse();
    }
    routes.join(", ")
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RouteSetOf {
    Caller,
    Callee,
}
