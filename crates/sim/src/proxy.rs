//! A proxy between callers and a node, by the book and independent of the product's own: stateful
//! (RFC 3261 §16), with manners that real ones have. Sans-IO like the peers.

mod manner;
mod rewriting;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
    rc::Rc,
    time::Instant,
};

use engine::{
    sip::{
        Edit, HeaderName, Limits, Message, Method, NameAddr, Request, Response, SipUri, StatusCode,
        Transport, Uri,
    },
    sip_transaction::{
        ClientTx, Event, Failure, Flow, IdSource, ListenerId, Output, ServerTx, Settings, Timers,
        TransactionLayer, Transmit,
    },
};
use rand::SeedableRng as _;
use rand_pcg::Pcg64Mcg;

pub(crate) use self::manner::{GivesUp, ProxyManner, Style};
use crate::{laws::Said, peer::Patience};

/// A proxy.
pub(crate) struct Proxy {
    address: SocketAddr,
    /// Where it sends calls.
    node: SocketAddr,
    manner: ProxyManner,
    rng: Pcg64Mcg,
    ids: IdSource,
    layer: TransactionLayer,
    contexts: BTreeMap<ServerTx, Context>,
    by_client: BTreeMap<ClientTx, ServerTx>,
    /// When it gives an INVITE up (Timer C, RFC 3261 §16.6).
    given_up: BTreeSet<(Instant, ServerTx)>,
    outputs: VecDeque<Transmit>,
    times_given_up: u64,
}

/// A request that is being sent on (RFC 3261 §16.2, "response context").
#[derive(Debug, Default)]
struct Context {
    branches: Vec<ClientTx>,
    /// The best of the failures so far.
    best: Option<Response>,
}

impl Proxy {
    pub(crate) fn new(
        address: SocketAddr,
        node: SocketAddr,
        seed: u64,
        manner: ProxyManner,
    ) -> Self {
        let layer = TransactionLayer::new(Settings {
            timers: Timers::default(),
            transactions_max: 1_000_000,
            hash_seed: [seed, !seed],
            streams: Vec::new(),
        });
        Self {
            address,
            node,
            manner,
            rng: Pcg64Mcg::seed_from_u64(seed),
            ids: IdSource::new([seed, seed.rotate_left(32)]),
            layer,
            contexts: BTreeMap::new(),
            by_client: BTreeMap::new(),
            given_up: BTreeSet::new(),
            outputs: VecDeque::new(),
            times_given_up: 0,
        }
    }

    /// Takes a message that has been read.
    pub(crate) fn hear(
        &mut self,
        now: Instant,
        transport: Transport,
        from: SocketAddr,
        said: Said,
    ) {
        let flow = flow(transport, from);
        match said {
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

    /// A connection is over.
    pub(crate) fn handle_lost(&mut self, now: Instant, remote: SocketAddr) {
        if self.manner.patience == Patience::None {
            let flow = flow(Transport::Tcp, remote);
            self.layer.handle_transport_error(now, flow);
        }
        self.drain_layer(now);
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.layer.handle_timeout(now);
        self.drain_layer(now);
        while let Some(&(at, tx)) = self.given_up.first()
            && at <= now
        {
            self.given_up.pop_first();
            self.give_up(now, tx);
            self.drain_layer(now);
        }
    }

    pub(crate) fn poll_output(&mut self) -> Option<Transmit> {
        self.outputs.pop_front()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let own = self.given_up.first().map(|&(at, _)| at);
        [self.layer.poll_timeout(), own].into_iter().flatten().min()
    }

    /// Live transactions of both kinds.
    pub(crate) fn transactions(&self) -> usize {
        let live = self.layer.live();
        live.server + live.client
    }

    /// How often it gave up waiting for an answer.
    pub(crate) const fn times_given_up(&self) -> u64 {
        self.times_given_up
    }

    fn drain_layer(&mut self, now: Instant) {
        while let Some(output) = self.layer.poll_output() {
            match output {
                Output::Transmit(transmit) => self.outputs.push_back(transmit),
                Output::Event(event) => self.handle_event(now, event),
            }
        }
    }

    fn handle_event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Request { tx, request, .. } => self.handle_request(now, tx, &request),
            Event::Ack { request, .. } if self.own_routes(&request) > 0 => {
                if let Some((ack, flow)) = self.onward(&request) {
                    self.layer.send(&ack, flow);
                }
            }
            Event::Cancelled { tx, .. } => self.cancel(now, tx),
            Event::Response { tx, response } => self.handle_response(now, tx, &response),
            Event::ClientFailed { tx, cause } => {
                let status = match cause {
                    Failure::Timeout => StatusCode::REQUEST_TIMEOUT,
                    Failure::Transport => StatusCode::SERVICE_UNAVAILABLE,
                };
                self.handle_failure(now, tx, status);
            }
            Event::ClientEnded { tx } => {
                // One that was cancelled may end without an answer.
                self.handle_failure(now, tx, StatusCode::REQUEST_TIMEOUT);
                self.by_client.remove(&tx);
            }
            Event::ServerEnded { tx } => {
                self.contexts.remove(&tx);
                self.given_up.retain(|&(_, of)| of != tx);
            }
            _ => {}
        }
    }

    fn handle_request(&mut self, now: Instant, tx: ServerTx, request: &Request) {
        // Inside a dialog it is asked only where it has asked to be.
        if request.to_tag().is_some() && self.own_routes(request) == 0 {
            return self.answer(now, tx, StatusCode::FORBIDDEN);
        }
        let is_invite = *request.method() == Method::Invite;
        if is_invite {
            self.answer(now, tx, StatusCode::TRYING);
        }
        let is_new = is_invite && request.to_tag().is_none();
        let branches = match is_new && self.manner.forks {
            true => 2,
            false => 1,
        };
        self.contexts.insert(tx, Context::default());
        for _ in 0..branches {
            let Some((onward, flow)) = self.onward(request) else {
                continue;
            };
            let Ok(onward) = Request::new(onward) else {
                continue;
            };
            if let Ok(client) = self.layer.request(now, onward, flow) {
                self.by_client.insert(client, tx);
                if let Some(context) = self.contexts.get_mut(&tx) {
                    context.branches.push(client);
                }
            }
        }
        if self
            .contexts
            .get(&tx)
            .is_none_or(|one| one.branches.is_empty())
        {
            return self.answer(now, tx, StatusCode::SERVICE_UNAVAILABLE);
        }
        if is_invite {
            self.given_up.insert((now + self.manner.timer_c, tx));
        }
    }

    fn handle_response(&mut self, now: Instant, client: ClientTx, response: &Response) {
        let Some(&tx) = self.by_client.get(&client) else {
            return;
        };
        let status = response.status();
        if status == StatusCode::TRYING {
            return;
        }
        if status.is_provisional() {
            if self.given_up.iter().any(|&(_, of)| of == tx) {
                self.given_up.retain(|&(_, of)| of != tx);
                self.given_up.insert((now + self.manner.timer_c, tx));
            }
            return self.send_back(now, tx, response);
        }
        if status.is_success() {
            self.given_up.retain(|&(_, of)| of != tx);
            self.cancel_but(now, tx, Some(client));
            return self.send_back(now, tx, response);
        }
        let Some(context) = self.contexts.get_mut(&tx) else {
            return;
        };
        context.branches.retain(|branch| *branch != client);
        let rank = |one: &Response| {
            (
                one.status() == StatusCode::LOOP_DETECTED,
                one.status().value(),
            )
        };
        if context
            .best
            .as_ref()
            .is_none_or(|best| rank(response) < rank(best))
        {
            context.best = Some(response.clone());
        }
        self.finish(now, tx);
    }

    /// A branch ended without an answer.
    fn handle_failure(&mut self, now: Instant, client: ClientTx, status: StatusCode) {
        let Some(&tx) = self.by_client.get(&client) else {
            return;
        };
        let Some(context) = self.contexts.get_mut(&tx) else {
            return;
        };
        let before = context.branches.len();
        context.branches.retain(|branch| *branch != client);
        if before == context.branches.len() {
            return;
        }
        if context.branches.is_empty() && context.best.is_none() {
            self.given_up.retain(|&(_, of)| of != tx);
            return self.answer(now, tx, status);
        }
        self.finish(now, tx);
    }

    /// When no branch is open any more, the best failure goes back.
    fn finish(&mut self, now: Instant, tx: ServerTx) {
        let Some(context) = self.contexts.get_mut(&tx) else {
            return;
        };
        if !context.branches.is_empty() {
            return;
        }
        if let Some(best) = context.best.take() {
            self.given_up.retain(|&(_, of)| of != tx);
            self.send_back(now, tx, &best);
        }
    }

    fn cancel(&mut self, now: Instant, tx: ServerTx) {
        self.cancel_but(now, tx, None);
    }

    fn cancel_but(&mut self, now: Instant, tx: ServerTx, but: Option<ClientTx>) {
        let branches = self.contexts.get(&tx).map(|one| one.branches.clone());
        for branch in branches.into_iter().flatten() {
            if Some(branch) != but {
                self.layer.cancel(now, branch, None);
            }
        }
    }

    /// It has waited for too long (RFC 3261 §16.8).
    fn give_up(&mut self, now: Instant, tx: ServerTx) {
        self.times_given_up += 1;
        self.cancel(now, tx);
        if self.manner.gives_up == GivesUp::ByItself {
            self.answer(now, tx, StatusCode::REQUEST_TIMEOUT);
        }
    }

    fn answer(&mut self, now: Instant, tx: ServerTx, status: StatusCode) {
        let tag = self.ids.token();
        let tag = (status != StatusCode::TRYING).then_some(tag.as_bytes());
        let builder = self
            .layer
            .response_builder(tx, status, status.reason(), tag);
        if let Some(builder) = builder {
            self.layer.respond(now, tx, builder.finish());
        }
    }

    /// Sends a response on to whom it is for.
    fn send_back(&mut self, now: Instant, tx: ServerTx, response: &Response) {
        let own = 1 + self.manner.hops_hidden;
        let mut edit = Edit::new(response);
        edit.drop_first(HeaderName::Via, own);
        if let Some(response) = self.rewritten(&edit) {
            self.layer.respond(now, tx, response);
        }
    }

    /// A request as it goes on, and where.
    fn onward(&mut self, request: &Request) -> Option<(Message, Flow)> {
        let own = self.own_routes(request);
        let next = request.elements(HeaderName::Route).nth(own);
        let next = next.and_then(|route| NameAddr::parse(route).ok()?.uri().ok());
        let next = next.or_else(|| Uri::parse(request.uri_bytes()).ok())?;
        let next = next.as_sip()?;
        let remote = address_of(next)?;
        let transport = match remote == self.node {
            true => self.manner.downstream,
            false => match next.params.value("transport") {
                Some(b"tcp") => Transport::Tcp,
                _ => Transport::Udp,
            },
        };
        let via = self.via(transport);
        let record_route = self.record_route();
        let forwards = request.header(HeaderName::MaxForwards);
        let forwards = forwards.and_then(|value| std::str::from_utf8(value).ok()?.parse().ok());
        let forwards = forwards.unwrap_or(70_u32).checked_sub(1)?.to_string();
        let mut edit = Edit::new(request);
        edit.drop_first(HeaderName::Route, own)
            .set(HeaderName::MaxForwards, &*forwards)
            .push_front(HeaderName::Via, &*via);
        let is_new = *request.method() == Method::Invite && request.to_tag().is_none();
        if let Some(record_route) = record_route.as_deref().filter(|_| is_new) {
            edit.push_front(HeaderName::RecordRoute, record_route);
        }
        let onward = self.rewritten(&edit)?;
        Some((onward, flow(transport, remote)))
    }

    fn rewritten(&mut self, edit: &Edit<'_>) -> Option<Message> {
        let message = edit.finish(&Limits::default()).ok()?;
        let bytes = rewriting::rewritten(&message, self.manner.style, &mut self.rng);
        Message::parse(bytes, &Limits::default()).ok()
    }

    /// How many of the first routes lead here.
    fn own_routes(&self, request: &Request) -> usize {
        let is_own = |route: &&[u8]| {
            let uri = NameAddr::parse(route).ok().and_then(|one| one.uri().ok());
            uri.and_then(|uri| address_of(uri.as_sip()?)) == Some(self.address)
        };
        request
            .elements(HeaderName::Route)
            .take_while(is_own)
            .count()
    }

    /// What it adds to Via: itself, and before that what is behind it.
    fn via(&mut self, transport: Transport) -> String {
        let name = match transport {
            Transport::Udp => "UDP",
            _ => "TCP",
        };
        let (address, branch) = (self.address, self.ids.branch());
        let mut via = format!("SIP/2.0/{name} {address};branch={branch}");
        for hop in 0..self.manner.hops_hidden {
            let branch = self.ids.branch();
            via += &format!(", SIP/2.0/UDP 10.0.0.{};branch={branch}", hop + 1);
        }
        via
    }

    /// How it stays in the way of a dialog, if it does: once for each of its sides where these differ.
    fn record_route(&self) -> Option<String> {
        let address = self.address;
        let callers = format!("<sip:{address};lr>");
        self.manner.stays.then(|| match self.manner.downstream {
            Transport::Udp => callers,
            _ => format!("<sip:{address};transport=tcp;lr>, {callers}"),
        })
    }
}

const fn flow(transport: Transport, remote: SocketAddr) -> Flow {
    let listener = match transport {
        Transport::Udp => ListenerId(0),
        _ => ListenerId(1),
    };
    Flow {
        transport,
        listener,
        remote,
    }
}

fn address_of(uri: &SipUri<'_>) -> Option<SocketAddr> {
    Some(SocketAddr::new(uri.host.ip()?, uri.port.unwrap_or(5060)))
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxy")
            .field("address", &self.address)
            .field("manner", &self.manner)
            .finish_non_exhaustive()
    }
}
