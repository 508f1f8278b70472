//! The layer: tables, timers, matching, and the verbs of the transaction user.

mod armed;
mod client;
mod large;
mod moved;
mod route;
mod server;

use std::{
    collections::{BTreeSet, VecDeque},
    fmt,
    sync::Arc,
    time::Instant,
};

use bytes::Bytes;
use sip::{Builder, HeaderName, Message, Method, OverloadControl, Request, Response, StatusCode};
use slotmap::{KeyData, SlotMap, new_key_type};

pub use self::large::StreamListener;
use self::{armed::Due, client::Client, large::Streams, moved::MovedFlows, server::Server};
use crate::{
    event::{Event, Merged, Output, RefuseReason},
    flow::{Attempt, Flow, Kept, MessageKind},
    matching::{Index, Matcher, Wanted},
    timers::Timers,
    wheel::TimerWheel,
};

new_key_type! {
    /// A server transaction. The key of one that is gone is never another's.
    pub struct ServerTx;

    /// A client transaction. The key of one that is gone is never another's.
    pub struct ClientTx;
}

/// How the layer is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The RFC's timers.
    pub timers: Timers,
    /// Transactions of both kinds that may exist at a time. What ends something goes beyond it: a
    /// BYE or CANCEL that we send always, one that we receive by a quarter.
    pub transactions_max: usize,
    /// A secret for matching, so that nobody can make two transactions look the same.
    pub hash_seed: [u64; 2],
    /// TCP listeners, by which requests leave that are too large for a datagram. Without one they
    /// leave in datagrams that the network breaks up.
    pub streams: Vec<StreamListener>,
}

/// [`Settings::transactions_max`] is reached: the request was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many transactions")]
pub struct Overloaded;

/// An INVITE that has been refused, which its sender has not acknowledged.
#[derive(Clone, PartialEq, Eq)]
pub struct Refused {
    /// The INVITE as it was received.
    pub invite: Bytes,
    /// Where it came from.
    pub flow: Flow,
    /// The answer.
    pub answer: Bytes,
}

/// The INVITE says who calls: it is not printed.
impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused")
            .field("flow", &self.flow)
            .finish_non_exhaustive()
    }
}

/// Transactions that exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Live {
    /// Server transactions.
    pub server: usize,
    /// Client transactions.
    pub client: usize,
}

/// All transactions of a node.
///
/// Methods come in four kinds: `handle_*` by which the world tells; verbs ([`Self::respond`],
/// [`Self::request`], [`Self::cancel`], [`Self::send`]) by which the transaction user asks;
/// `poll_*`; and getters. After each of the first two drain [`Self::poll_output`] to `None`, then
/// arm one timer for [`Self::poll_timeout`].
#[derive(Debug)]
pub struct TransactionLayer {
    settings: Settings,
    streams: Streams,
    matcher: Matcher,
    servers: SlotMap<ServerTx, Server>,
    clients: SlotMap<ClientTx, Client>,
    server_index: Index<ServerTx>,
    client_index: Index<ClientTx>,
    merged_index: Index<ServerTx>,
    /// Open client transactions over reliable transports, by flow: who hears of a lost connection.
    /// A UDP flow is never lost; timers see to its peers.
    by_flow: BTreeSet<(Flow, ClientTx)>,
    /// The same of INVITEs that we have refused, and whose senders have not acknowledged that.
    refused_by_flow: BTreeSet<(Flow, ServerTx)>,
    moved: MovedFlows,
    /// Made at the first timer: the layer has no clock to take a base from.
    wheel: Option<TimerWheel<Due>>,
    /// What clients that offer overload control are told.
    overload: Option<OverloadControl>,
    /// `None` where nobody has asked for it.
    touched: Option<Vec<Touched>>,
    outputs: VecDeque<Output>,
}

/// A transaction of which something may have changed that whoever writes it down asks; it may be gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touched {
    /// An INVITE of ours: what [`TransactionLayer::open_invite`] tells.
    Invite(ClientTx),
    /// A BYE of ours: what [`TransactionLayer::open_bye`] tells.
    Bye(ClientTx),
    /// An INVITE of somebody else's: what [`TransactionLayer::refused`] tells.
    Refused(ServerTx),
}

impl TransactionLayer {
    /// A layer without transactions.
    pub fn new(mut settings: Settings) -> Self {
        Self {
            streams: Streams::new(std::mem::take(&mut settings.streams)),
            matcher: Matcher::new(settings.hash_seed),
            settings,
            servers: SlotMap::with_key(),
            clients: SlotMap::with_key(),
            server_index: Index::new(),
            client_index: Index::new(),
            merged_index: Index::new(),
            by_flow: BTreeSet::new(),
            refused_by_flow: BTreeSet::new(),
            moved: MovedFlows::default(),
            wheel: None,
            overload: None,
            touched: None,
            outputs: VecDeque::new(),
        }
    }

    /// Makes room for so many transactions of each kind, so that no table has to be moved while they come in: with
    /// a hundred thousand in it that takes longer than a hundred messages do. Memory that is not used is only
    /// promised.
    pub fn reserve(&mut self, transactions: usize) {
        self.servers.reserve(transactions);
        self.clients.reserve(transactions);
        self.server_index.reserve(transactions);
        self.client_index.reserve(transactions);
        self.merged_index.reserve(transactions);
    }

    /// Takes a request: matches it, absorbs it if it is a repetition, or opens a transaction.
    pub fn handle_request(&mut self, now: Instant, request: Request, flow: Flow) {
        let fingerprint = self.matcher.server(&request, Wanted::Own);
        if let Some(tx) = self.server_index.get(fingerprint) {
            return self.handle_known_request(now, tx, request, flow);
        }
        self.moved.lives(flow);
        if *request.method() == Method::Ack {
            let request = Arc::new(request);
            return self.emit(Event::Ack { request, flow });
        }
        if self.refuses(request.method()) {
            return self.refuse(&request, flow);
        }
        let merged_key = self.matcher.merged(&request);
        let merged = merged_key
            .and_then(|key| self.merged_index.get(key))
            .map_or(Merged::No, Merged::With);
        let is_cancel = *request.method() == Method::Cancel;
        let request = Arc::new(request);
        let server = Server::new(Arc::clone(&request), fingerprint, merged_key, flow);
        let tx = self.servers.insert(server);
        self.server_index.insert(fingerprint, tx);
        if let Some(key) = merged_key {
            self.merged_index.insert(key, tx);
        }
        if is_cancel {
            self.handle_cancel(now, tx, request);
        } else {
            self.emit(Event::Request {
                tx,
                request,
                flow,
                merged,
            });
        }
    }

    /// Takes up an INVITE again that was received before this layer came to be: its transaction is open
    /// as if nothing had been answered yet, and its user is told nothing. `None` when there is such a
    /// transaction already: the INVITE has come again meanwhile.
    pub fn resume_invite(&mut self, invite: Arc<Request>, flow: Flow) -> Option<ServerTx> {
        let fingerprint = self.matcher.server(&invite, Wanted::Own);
        if self.server_index.get(fingerprint).is_some() {
            return None;
        }
        let merged = self.matcher.merged(&invite);
        let tx = self
            .servers
            .insert(Server::new(invite, fingerprint, merged, flow));
        self.server_index.insert(fingerprint, tx);
        if let Some(key) = merged {
            self.merged_index.insert(key, tx);
        }
        Some(tx)
    }

    /// A BYE of ours that is not answered, and where it goes. Whoever sends these bytes again, by whatever
    /// layer, repeats it.
    pub fn open_bye(&self, tx: ClientTx) -> Option<(Bytes, Flow)> {
        self.clients.get(tx)?.open_bye()
    }

    /// An INVITE that has been refused, and whose sender has not acknowledged that.
    pub fn refused(&self, tx: ServerTx) -> Option<Refused> {
        self.servers.get(tx)?.refused()
    }

    /// All client transactions that exist.
    pub fn client_transactions(&self) -> impl Iterator<Item = ClientTx> + '_ {
        self.clients.keys()
    }

    /// All server transactions that exist.
    pub fn server_transactions(&self) -> impl Iterator<Item = ServerTx> + '_ {
        self.servers.keys()
    }

    /// From now on it is noted which transactions change: for whoever writes them down, and asks
    /// [`Self::drain_touched`] again and again.
    pub fn note_touched(&mut self) {
        self.touched.get_or_insert_default();
    }

    /// From now on nothing is noted: nobody writes it down any more.
    pub fn note_nothing(&mut self) {
        self.touched = None;
    }

    /// How many notes nobody has asked for yet.
    pub fn notes(&self) -> usize {
        self.touched.as_ref().map_or(0, Vec::len)
    }

    /// What was touched since this was last asked for, in no order, some of it perhaps twice.
    pub fn drain_touched(&mut self) -> impl Iterator<Item = Touched> {
        self.touched
            .iter_mut()
            .flat_map(|touched| touched.drain(..))
    }

    fn touch(&mut self, one: Touched) {
        if let Some(touched) = &mut self.touched {
            touched.push(one);
        }
    }

    /// Goes on refusing an INVITE that was refused before this layer came to be: the answer is sent again
    /// until it is acknowledged (timers G and H).
    pub fn resume_refused(
        &mut self,
        now: Instant,
        invite: Arc<Request>,
        flow: Flow,
        answer: Message,
    ) {
        if let Some(tx) = self.resume_invite(invite, flow) {
            self.respond(now, tx, answer);
        }
    }

    /// What clients that offer overload control are told from now on (RFC 7339).
    pub const fn set_overload(&mut self, overload: Option<OverloadControl>) {
        self.overload = overload;
    }

    /// What clients that offer overload control are told now.
    pub const fn overload(&self) -> Option<OverloadControl> {
        self.overload
    }

    /// Whether a request belongs to a transaction that exists: it is a repetition, the ACK of a failure,
    /// or the CANCEL of an INVITE. For whoever wants to look at new ones before anything is kept.
    pub fn knows(&self, request: &Request) -> bool {
        let is_known = |wanted| {
            let fingerprint = self.matcher.server(request, wanted);
            self.server_index.get(fingerprint).is_some()
        };
        is_known(Wanted::Own)
            || *request.method() == Method::Cancel && is_known(Wanted::CancelledInvite)
    }

    /// Takes a response.
    pub fn handle_response(&mut self, now: Instant, response: Response, flow: Flow) {
        let known = self.client_index.get(self.matcher.client_of(&response));
        let client = known.and_then(|tx| Some((tx, self.clients.get(tx)?)));
        match client {
            Some((tx, client)) if !client.is_answered_late(&response) => {
                if client.may_be_answered_by(&response) {
                    self.handle_client_response(now, tx, response);
                } else {
                    let response = Arc::new(response);
                    self.emit(Event::MismatchedResponse { tx, response, flow });
                }
            }
            _ => {
                let response = Arc::new(response);
                self.emit(Event::StrayResponse { response, flow });
            }
        }
    }

    /// A connection is lost, or could not be made: what waits for an answer over it fails now, and what
    /// waits for an ACK goes on by whatever connection can be had.
    pub fn handle_transport_error(&mut self, now: Instant, flow: Flow) {
        while let Some(tx) = first_on(&self.by_flow, flow) {
            self.by_flow.remove(&(flow, tx));
            self.fail_client_transport(now, tx);
        }
        while let Some(tx) = first_on(&self.refused_by_flow, flow) {
            self.refused_by_flow.remove(&(flow, tx));
            self.refuse_elsewhere(now, tx);
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.moved.forget_until(now);
        while let Some(due) = self.wheel.as_mut().and_then(|wheel| wheel.pop_expired(now)) {
            match due {
                Due::Client(tx, timer) => self.fire_client(now, tx, timer),
                Due::Server(tx, timer) => self.fire_server(now, tx, timer),
            }
        }
    }

    /// Sends a message outside any transaction: the ACK of a 2xx, or a response that nothing is
    /// kept of.
    pub fn send(&mut self, message: &Message, flow: Flow) {
        let next_hop = flow.next_hop(message);
        self.transmit(flow, next_hop, Kept::new(message), Attempt::First);
    }

    /// Ends the transaction of a request without an answer: its sender has given up by itself, and
    /// an answer would only be stray (RFC 4320 §4.2). Ignored for an INVITE, and for what has been
    /// answered.
    pub fn abandon(&mut self, tx: ServerTx) {
        self.abandon_server(tx);
    }

    /// The request of a server transaction, while it has no final answer.
    pub fn server_request(&self, tx: ServerTx) -> Option<&Request> {
        self.servers.get(tx)?.request()
    }

    /// The INVITE of a client transaction and where it goes, while there is no final answer. Whoever
    /// sends these bytes again, by whatever layer, repeats the INVITE.
    pub fn open_invite(&self, tx: ClientTx) -> Option<(&Request, Flow)> {
        self.clients.get(tx)?.open_invite()
    }

    /// Where the request of a server transaction came from.
    pub fn server_flow(&self, tx: ServerTx) -> Option<Flow> {
        self.servers.get(tx).map(Server::source)
    }

    /// Starts a response to an open server transaction, with all that RFC 3261 §8.2.6.2 copies.
    /// `None` when the transaction has a final answer, or is gone.
    pub fn response_builder(
        &self,
        tx: ServerTx,
        status: StatusCode,
        reason: &str,
        to_tag: Option<&[u8]>,
    ) -> Option<Builder> {
        let server = self.servers.get(tx)?;
        let source = server.source().remote;
        Some(Builder::response_under_load(
            server.request()?,
            status,
            reason,
            to_tag,
            source,
            self.overload,
        ))
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        // Looked at where it lies: an output that holds a message is large to be moved.
        match *self.outputs.front()? {
            Output::Event(Event::ClientEnded { tx }) => {
                self.clients.remove(tx);
            }
            Output::Event(Event::ServerEnded { tx }) => {
                self.servers.remove(tx);
            }
            _ => {}
        }
        self.outputs.pop_front()
    }

    /// Whether [`Self::handle_timeout`] has something to do, although nobody need be woken for it: what is only
    /// forgotten is forgotten when there is other work, or a quarter of a second later.
    pub fn is_due(&self, now: Instant) -> bool {
        self.wheel.as_ref().is_some_and(|wheel| wheel.is_due(now))
    }

    /// When [`Self::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.wheel.as_ref().and_then(TimerWheel::next_deadline)
    }

    /// How many transactions exist.
    pub fn live(&self) -> Live {
        Live {
            server: self.servers.len(),
            client: self.clients.len(),
        }
    }

    fn is_full(&self) -> bool {
        self.servers.len() + self.clients.len() >= self.settings.transactions_max
    }

    /// At the limit the new is refused. What ends something that is there makes room: it has a
    /// reserve, of which a flood of it cannot take more.
    fn refuses(&self, method: &Method) -> bool {
        let max = self.settings.transactions_max;
        let reserve = match method {
            Method::Bye | Method::Cancel => max.div_ceil(4),
            _ => 0,
        };
        self.servers.len() + self.clients.len() >= max.saturating_add(reserve)
    }

    /// Answers 503 without keeping anything.
    fn refuse(&mut self, request: &Request, flow: Flow) {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let reason = status.reason();
        let overload = self.overload;
        let remote = flow.remote;
        let response =
            Builder::response_under_load(request, status, reason, None, remote, overload)
                .header(HeaderName::RetryAfter, "5")
                .finish();
        self.send(&response, flow);
        let kind = MessageKind::Request(request.method().label());
        self.emit(Event::Refused {
            kind,
            reason: RefuseReason::TransactionsMax,
            flow,
        });
    }

    fn emit(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    fn transmit(
        &mut self,
        flow: Flow,
        fallback: Option<std::net::SocketAddr>,
        message: Kept,
        attempt: Attempt,
    ) {
        let flow = self.moved.instead_of(flow);
        let transmit = message.on(flow, fallback, attempt);
        self.outputs.push_back(Output::Transmit(transmit));
    }
}

/// The first transaction of a flow.
fn first_on<Tx: From<KeyData> + Copy + Ord>(open: &BTreeSet<(Flow, Tx)>, flow: Flow) -> Option<Tx> {
    let lowest = Tx::from(KeyData::from_ffi(0));
    let (of, tx) = open.range((flow, lowest)..).next()?;
    (*of == flow).then_some(*tx)
}
