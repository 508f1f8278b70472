//! The engine itself: its parts, the one output queue, and the pump between the machines inside.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    hash::Hasher as _,
    net::{IpAddr, SocketAddr},
    time::Instant,
};

use acd::{AbandonedId, Acd, AgentId};
use call::{CallNumber, Calls};
use sip::{Pii, StatusCode};
use sip_proxy::{
    Authentication, Guard, Locator, LocatorSettings, NextHop, Proxy, ProxySettings, Registrar,
    TrunkHops, TrunkLoads, Trunks,
};
use sip_transaction::{ClientTx, Flow, IdSource, Local, Locals, StreamListener, TransactionLayer};
use siphasher::sip::SipHasher24;
use slotmap::SecondaryMap;

use crate::{
    codes::Picks,
    config::{Config, Listener},
    event::{Direction, Event},
    forwarding::FixedPhone,
    hidden::HiddenCalls,
    identity::{self, Source},
    input_output::{Input, Output},
    journal_state::JournalState,
    notebook::Notebook,
    proven::ProvenConnections,
    record::Records,
    routing::DialPlan,
    silent::Silent,
    stories::Stories,
};

/// A whole node without its sockets and its clock.
///
/// Four kinds of method, named by kind: getters; `handle_*`, by which the world tells; verbs such
/// as [`Engine::carry_out`], by which the application asks; and `poll_*`, by which the owner asks
/// what is to be done. After each mutation drain [`Engine::poll_output`] to `None`, then arm one
/// timer for [`Engine::poll_timeout`].
#[derive(Debug)]
pub struct Engine {
    pub(crate) config: Config,
    pub(crate) layer: TransactionLayer,
    pub(crate) proxy: Proxy,
    /// `None` where phones are believed by their address.
    pub(crate) authentication: Option<Authentication>,
    pub(crate) registrar: Registrar,
    pub(crate) trunks: Trunks,
    pub(crate) proven: ProvenConnections,
    pub(crate) trunk_loads: TrunkLoads,
    /// Where calls to trunks go, and which of these places answer.
    pub(crate) hops: TrunkHops,
    pub(crate) locator: Locator,
    pub(crate) hidden: HiddenCalls,
    /// OPTIONS to next hops that are not answered yet.
    pub(crate) hop_probes: SecondaryMap<ClientTx, NextHop>,
    pub(crate) calls: Calls,
    pub(crate) acd: Acd,
    pub(crate) locals: Locals,
    pub(crate) dial_plan: DialPlan,
    pub(crate) fixed_phones: BTreeMap<AgentId, FixedPhone>,
    pub(crate) records: Records,
    pub(crate) probes: SecondaryMap<ClientTx, AgentId>,
    pub(crate) silent: Silent,
    pub(crate) ids: IdSource,
    pub(crate) guard: Guard,
    /// Where phones with a fixed contact are.
    pub(crate) contact_addresses: BTreeSet<IpAddr>,
    /// Who sent the request that is on its way through the transactions.
    pub(crate) arriving: Option<Source>,
    /// Calls that came to wait and have not been told so.
    pub(crate) to_announce: VecDeque<CallNumber>,
    pub(crate) drain: Option<Drain>,
    pub(crate) started_at: Instant,
    /// Calls that agents have picked with their phones.
    pub(crate) picks: Picks,
    /// What happened to each call, and when.
    pub(crate) stories: Stories,
    /// The moment of the mutation under way, or of the last one.
    pub(crate) now: Instant,
    /// Numbers of callers who have just left, until the distributor has said whether they gave up.
    pub(crate) leaving: Vec<(acd::CallId, Pii<String>)>,
    /// The numbers in the list of abandoned callers.
    pub(crate) abandoned_numbers: BTreeMap<AbandonedId, Pii<String>>,
    /// What [`Config::secrets`] says, or new ones.
    pub(crate) secrets: [u64; 4],
    /// Which of the processes that wrote this journal.
    pub(crate) epoch: u64,
    pub(crate) journal_state: JournalState,
    /// `None` where nothing is written down.
    pub(crate) notebook: Option<Notebook>,
    outputs: VecDeque<Output>,
}

/// The node is on its way out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drain {
    /// When calls that are left are ended; `None` once that has been done.
    pub(crate) until: Option<Instant>,
}

impl Engine {
    /// An engine with no calls.
    pub fn new(now: Instant, config: Config) -> Self {
        let settings = &config.settings;
        let locals = locals(&config);
        let [seed_a, seed_b, seed_c, seed_d] = config.seed;
        let secrets = config.secrets.unwrap_or_else(|| new_secrets(config.seed));
        let [secret_a, secret_b, ..] = secrets;
        let trunks = Trunks::new(config.trunks.clone());
        let layer = transaction_layer(&config, [seed_a, seed_b]);
        let call_settings = call_settings(&config);
        let acd_settings = acd::Settings {
            calls_max: settings.calls_max,
            ..settings.distribution
        };
        Self {
            layer,
            proxy: Proxy::new(
                ProxySettings::new(config.domain.clone(), [secret_a, secret_b]),
                locals.clone(),
                [seed_a, seed_c],
            ),
            authentication: config.authentication.as_ref().map(|settings| {
                identity::authentication(now, settings, &config.directory, [seed_c, seed_a])
            }),
            registrar: Registrar::new(sip_proxy::RegistrarSettings::default()),
            proven: ProvenConnections::default(),
            trunk_loads: TrunkLoads::new(&trunks),
            hops: TrunkHops::new(now, &trunks, settings.trunk_probe),
            locator: Locator::new(
                LocatorSettings::default(),
                config.listeners.iter().map(|one| one.transport).collect(),
                [seed_d, seed_a],
            ),
            hidden: HiddenCalls::default(),
            hop_probes: SecondaryMap::new(),
            trunks,
            calls: Calls::new(call_settings, locals.clone(), [seed_c, seed_d]),
            acd: Acd::new(now, config.directory.clone(), acd_settings),
            fixed_phones: fixed_phones(&config, &locals),
            locals,
            dial_plan: DialPlan::new(&config),
            guard: Guard::new(settings.guard),
            contact_addresses: contact_addresses(&config),
            arriving: None,
            records: Records::default(),
            probes: SecondaryMap::new(),
            silent: Silent::default(),
            ids: IdSource::new([seed_d, seed_c]),
            to_announce: VecDeque::new(),
            drain: None,
            started_at: now,
            picks: Picks::new(),
            stories: Stories::new(settings.stories_max),
            now,
            leaving: Vec::new(),
            abandoned_numbers: BTreeMap::new(),
            secrets,
            epoch: 1,
            journal_state: JournalState::Off,
            notebook: None,
            outputs: VecDeque::new(),
            config,
        }
    }

    /// Takes one input. Nothing that comes from the network makes this fail.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        self.now = now;
        self.tell_load(now);
        match input {
            Input::Datagram { flow, bytes } | Input::StreamMessage { flow, bytes } => {
                self.receive(now, flow, bytes);
            }
            Input::StreamMalformed { error } => self.dropped(crate::DropReason::Framing(error)),
            Input::PeerProven { flow, names } => {
                if let Some(trunk) = self.trunks.by_certificate(&names) {
                    self.proven.insert(flow, trunk);
                }
            }
            Input::Resolved { query, answer, ttl } => self.take_answer(now, query, answer, ttl),
            Input::TransportFailed { flow } => {
                let alias = self.proven.remove(flow);
                self.fail_transactions(now, flow, alias);
            }
            Input::SendFailed { flow } => {
                let alias = self.proven.alias(flow);
                self.fail_transactions(now, flow, alias);
            }
        }
        self.pump(now);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        self.tell_load(now);
        self.layer.handle_timeout(now);
        self.pump(now);
        self.calls.handle_timeout(now, &mut self.layer);
        self.pump(now);
        self.proxy.handle_timeout(now, &mut self.layer);
        self.acd.handle_timeout(now);
        self.registrar.handle_timeout(now);
        self.ask_trunks(now);
        if let Some(Drain { until }) = &mut self.drain
            && until.take_if(|until| *until <= now).is_some()
        {
            self.end_all(now);
        }
        self.pump(now);
    }

    /// Makes room for so many SIP transactions of each kind at a time, before there are any: then no table has to
    /// be moved while calls come in.
    pub fn reserve(&mut self, transactions: usize) {
        let transactions = transactions.min(self.config.settings.transactions_max);
        self.layer.reserve(transactions);
        self.proxy.reserve(transactions);
    }

    /// Takes no new calls from now on. Those that are there may go on until `until`; what is left
    /// then is ended: 503 with Retry-After for who waits, BYE for who talks.
    pub fn drain(&mut self, now: Instant, until: Instant) {
        self.now = now;
        if self.drain.is_none() {
            self.emit(Event::Draining);
        }
        self.drain = Some(Drain { until: Some(until) });
        self.pump(now);
    }

    /// The next thing to do. What is to be written down comes before what depends on it.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.poll_record().or_else(|| self.outputs.pop_front())
    }

    /// Whether there is something to send that is in a hurry.
    pub(crate) fn is_awaited(&self) -> bool {
        let mut outputs = self.outputs.iter();
        outputs.any(|output| matches!(output, Output::Transmit(message) if !message.is_goodbye))
    }

    /// Whether [`Engine::poll_output`] has something.
    pub fn has_output(&self) -> bool {
        !self.outputs.is_empty()
    }

    /// When [`Engine::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let drain = self
            .drain
            .filter(|_| !self.calls.is_empty())
            .and_then(|drain| drain.until);
        [
            self.layer.poll_timeout(),
            self.calls.poll_timeout(),
            self.proxy.poll_timeout(),
            self.acd.poll_timeout(),
            self.registrar.poll_timeout(),
            self.hops.poll_timeout().filter(|_| !self.is_draining()),
            drain,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Whether [`Self::handle_timeout`] has something to do at `now`: at its time, or before it when somebody is awake
    /// anyway.
    pub fn is_due(&self, now: Instant) -> bool {
        self.layer.is_due(now) || self.poll_timeout().is_some_and(|at| at <= now)
    }

    /// Whether nothing is left of any call: no leg, no transaction of ours that is open.
    pub fn is_idle(&self) -> bool {
        let live = self.layer.live();
        self.calls.is_empty() && live.client == 0
    }

    /// Calls that are not over, those that wait for a last ACK included.
    pub fn calls_live(&self) -> usize {
        self.calls.len()
    }

    /// Whether new calls are refused.
    pub const fn is_draining(&self) -> bool {
        self.drain.is_some()
    }

    /// The listener that is bound to this address.
    pub fn listener_at(
        &self,
        transport: sip::Transport,
        address: std::net::SocketAddr,
    ) -> Option<sip_transaction::ListenerId> {
        let listener = self
            .config
            .listeners
            .iter()
            .find(|listener| listener.transport == transport && listener.address == address);
        listener.map(|listener| listener.id)
    }

    /// The sites, lines and agents.
    pub fn directory(&self) -> &acd::Directory {
        self.acd.directory()
    }

    /// What the names in rows of a journal are to this engine.
    pub fn names(&self) -> journal::Names<'_> {
        self.config.names()
    }

    pub(crate) fn emit(&mut self, event: Event) {
        self.stories.note(self.now, &event);
        self.output(Output::Event(event));
    }

    pub(crate) fn output(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    /// Lets the machines inside speak until none has anything left to say.
    pub(crate) fn pump(&mut self, now: Instant) {
        if let Some(notebook) = &mut self.notebook {
            notebook.expect_changes();
        }
        loop {
            if let Some(output) = self.layer.poll_output() {
                self.take_from_layer(now, output);
            } else if let Some(event) = self.calls.poll_event() {
                self.take_from_calls(now, &event);
            } else if let Some(output) = self.acd.poll_output() {
                self.take_from_acd(now, output);
            } else if let Some(event) = self.registrar.poll_output() {
                self.take_from_registrar(now, event);
            } else if let Some(call) = self.to_announce.pop_front() {
                self.announce(now, call);
            } else {
                self.leaving.clear();
                return;
            }
        }
    }

    fn take_from_layer(&mut self, now: Instant, output: sip_transaction::Output) {
        match output {
            sip_transaction::Output::Transmit(mut transmit) => {
                transmit.flow = self.proven.instead_of(transmit.flow);
                self.emit(Event::Message {
                    direction: Direction::Out,
                    kind: transmit.kind,
                    attempt: transmit.attempt,
                });
                self.outputs.push_back(Output::Transmit(transmit));
            }
            sip_transaction::Output::Event(event) => self.take_transaction_event(now, event),
        }
    }

    /// Ends what waits for an answer over a flow, or is to give one.
    fn fail_transactions(&mut self, now: Instant, flow: Flow, alias: Option<SocketAddr>) {
        self.layer.handle_transport_error(now, flow);
        if let Some(remote) = alias {
            for listener in self.tls_listeners() {
                let named = Flow {
                    listener,
                    remote,
                    ..flow
                };
                self.layer.handle_transport_error(now, named);
            }
        }
    }

    fn tls_listeners(&self) -> Vec<sip_transaction::ListenerId> {
        let listeners = self.config.listeners.iter();
        listeners
            .filter(|listener| listener.transport == sip::Transport::Tls)
            .map(|listener| listener.id)
            .collect()
    }

    fn end_all(&mut self, now: Instant) {
        let open: Vec<_> = self.calls.numbers().collect();
        for call in open {
            self.calls
                .end(now, &mut self.layer, call, StatusCode::SERVICE_UNAVAILABLE);
        }
    }
}

fn locals(config: &Config) -> Locals {
    let listeners = config.listeners.iter();
    let local = |listener: &Listener| Local {
        listener: listener.id,
        transport: listener.transport,
        advertised: listener.advertised,
    };
    Locals::new(listeners.map(local).collect())
}

fn fixed_phones(config: &Config, locals: &Locals) -> BTreeMap<AgentId, FixedPhone> {
    let contacts = config.contacts.iter().cloned();
    let phone = |(agent, contact)| (agent, FixedPhone::new(contact, locals));
    contacts.map(phone).collect()
}

fn contact_addresses(config: &Config) -> BTreeSet<IpAddr> {
    let contacts = config.contacts.iter();
    let ips = contacts.filter_map(|(_, contact)| contact.as_uri().as_sip()?.host.ip());
    ips.map(|ip| ip.to_canonical()).collect()
}

/// Secrets of a seed, from which the seed cannot be found.
fn new_secrets([a, b, c, d]: [u64; 4]) -> [u64; 4] {
    [0_u64, 1, 2, 3].map(|which| {
        let mut hasher = SipHasher24::new_with_keys(a ^ c, b ^ d);
        for word in [a, b, c, d, which] {
            hasher.write_u64(word);
        }
        hasher.finish()
    })
}

fn transaction_layer(config: &Config, hash_seed: [u64; 2]) -> TransactionLayer {
    let tcp = config
        .listeners
        .iter()
        .filter(|listener| listener.transport == sip::Transport::Tcp);
    let streams = tcp.map(|listener| StreamListener {
        listener: listener.id,
        sent_by: listener.advertised,
    });
    TransactionLayer::new(sip_transaction::Settings {
        timers: config.settings.timers,
        transactions_max: config.settings.transactions_max,
        hash_seed,
        streams: streams.collect(),
    })
}

fn call_settings(config: &Config) -> call::Settings {
    let settings = &config.settings;
    call::Settings {
        t1: settings.timers.t1,
        t2: settings.timers.t2,
        announce_interval: settings.announce_interval,
        wait_max: settings.wait_max,
        call_max: settings.call_max,
        session_interval: settings.session_interval,
        #[cfg(feature = "planted")]
        planted: settings.planted_in_calls,
        ..call::Settings::new(config.domain.clone())
    }
}
