//! A running node: binds what the configuration names, starts the core, and ends in peace.

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use config::{Loaded, Place};
use engine::{Engine, Listener, sip::Transport, sip_transaction::ListenerId};
use metrics::Metrics;
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
    sync::{broadcast, mpsc, oneshot},
};

use crate::{
    alarm::Alarm,
    core::{Control, Core, udp_listeners},
    dns::Dns,
    inherited::Inherited,
    journal::error::OpenError,
    keeping::Opened,
    streams::Connections,
    tls::{CertificateError, Certificates, Tls},
    udp::UdpListener,
};

/// Messages from streams that may wait for the core.
const STREAMS_MAX: usize = 4096;

/// Transactions of each kind that the engine has room for before its tables grow: two thousand calls a second.
const TRANSACTIONS_RESERVED: usize = 1 << 17;

/// Requests from HTTP that may wait for the core.
const REQUESTS_MAX: usize = 256;

/// Events that a slow reader of the event stream may be behind.
const EVENTS_MAX: usize = 4096;

/// How long HTTP requests under way may take when the node stops.
const SHUTDOWN_MAX: Duration = Duration::from_secs(2);

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// An address cannot be bound: in use, not of this machine, or not allowed.
    #[error("{what}: cannot listen on {address}")]
    Bind {
        /// What was to listen there.
        what: &'static str,
        /// The address and port.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The system gave no thread or no event loop.
    #[error("cannot start the runtime")]
    Runtime(#[source] io::Error),
    /// The file of `[journal]` cannot be used.
    #[error("journal {path}")]
    Journal {
        /// The file.
        path: String,
        /// Why.
        source: OpenError,
    },
    /// The files of `[tls]` are of no use.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// A running node. Dropping it stops it at once.
#[derive(Debug)]
pub struct Node {
    runtime: Option<Runtime>,
    core: Option<JoinHandle<()>>,
    control: mpsc::Sender<Control>,
    ended: oneshot::Receiver<()>,
    sip: Vec<(Transport, SocketAddr)>,
    http: SocketAddr,
    drain_limit: Duration,
    requests: mpsc::Sender<api::Request>,
    events: broadcast::Sender<Arc<engine::Event>>,
    certificates: Option<Certificates>,
}

/// How a node has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// As it was told.
    Orderly,
    /// By a fault of its own: its supervisor should start another.
    Failed,
}

/// What is bound before anything runs: a node starts whole or not at all.
struct Bound {
    udp: Vec<(ListenerId, std::net::UdpSocket)>,
    streams: Vec<(ListenerId, Transport, std::net::TcpListener)>,
    http: std::net::TcpListener,
}

impl Node {
    /// Binds all addresses and starts. Port 0 takes a free port: see [`Node::sip_addresses`].
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running.
    pub fn start(loaded: Loaded) -> Result<Self, StartError> {
        Self::start_with(loaded, Inherited::default())
    }

    /// The same, but listens on sockets that a supervisor holds where there are such, and binds the others.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running.
    pub fn start_with(mut loaded: Loaded, inherited: Inherited) -> Result<Self, StartError> {
        let tls = loaded.tls.clone().map(Tls::read).transpose()?.map(Arc::new);
        let journal = open_journal(&mut loaded)?;
        let bound = Bound::bind(&mut loaded, inherited)?;
        let sip = loaded
            .engine
            .listeners
            .iter()
            .map(|one| (one.transport, one.address))
            .collect();
        let http = local_address(&bound.http)?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("quinze-io")
            .enable_all()
            .build()
            .map_err(StartError::Runtime)?;
        let drain_limit = loaded.drain_limit;
        let Launched {
            control,
            core,
            ended,
            requests,
            events,
            metrics,
        } = launch(&runtime, loaded, bound, tls.clone(), journal)?;
        let certificates = tls.map(|tls| Certificates::new(tls, metrics));
        Ok(Self {
            runtime: Some(runtime),
            core: Some(core),
            control,
            ended,
            sip,
            http,
            drain_limit,
            requests,
            events,
            certificates,
        })
    }

    /// The SIP listeners with the ports that they really have.
    pub fn sip_addresses(&self) -> &[(Transport, SocketAddr)] {
        &self.sip
    }

    /// Where the API listens.
    pub const fn http_address(&self) -> SocketAddr {
        self.http
    }

    /// Every fact from now on, as the event stream of the API has it.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<engine::Event>> {
        self.events.subscribe()
    }

    /// Node, sites and lines at this moment; `None` when the node has ended.
    pub async fn gauges(&self) -> Option<engine::GaugesView> {
        api::gauges(&self.requests).await
    }

    /// Where the core is asked.
    pub(crate) fn requests(&self) -> mpsc::Sender<api::Request> {
        self.requests.clone()
    }

    /// Reads the files of `[tls]` again: new connections have what is in them now. `None` where there
    /// is no TLS.
    ///
    /// # Errors
    /// They are of no use; everything stays as it was.
    pub fn reload_certificates(&self) -> Option<Result<(), CertificateError>> {
        self.certificates.as_ref().map(Certificates::reload)
    }

    /// Takes no new calls; ends when those that are there have ended, or after the configured limit.
    pub fn drain(&self) {
        let _ended_already = self.control.try_send(Control::Drain {
            limit: self.drain_limit,
        });
    }

    /// Ends when everything is written down for the next process; drains where the journal has failed, and goes on where
    /// there is none.
    pub fn hand_over(&self) {
        let _ended_already = self.control.try_send(Control::HandOver {
            limit: self.drain_limit,
        });
    }

    /// Ends now, whatever is under way.
    pub fn stop(&self) {
        let _ended_already = self.control.try_send(Control::Stop);
    }

    /// Waits until the node has ended.
    pub async fn ended(&mut self) -> End {
        match (&mut self.ended).await {
            Ok(()) => End::Orderly,
            Err(_) => End::Failed,
        }
    }

    /// Waits for the end, blocking: for callers without a runtime.
    pub fn wait(mut self) {
        self.join();
    }

    fn join(&mut self) {
        if let Some(core) = self.core.take() {
            let _panicked = core.join();
        }
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(SHUTDOWN_MAX);
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop();
        if let Some(core) = self.core.take() {
            let _panicked = core.join();
        }
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Bound {
    /// Binds every address that has no inherited socket, and writes the real ports back into the
    /// configuration.
    fn bind(loaded: &mut Loaded, mut inherited: Inherited) -> Result<Self, StartError> {
        let http = bind_tcp("HTTP", loaded.http, &mut inherited)?;
        let mut bound = Self {
            udp: Vec::new(),
            streams: Vec::new(),
            http,
        };
        for listener in &mut loaded.engine.listeners {
            let address = listener.address;
            let real = match listener.transport {
                Transport::Udp => {
                    let socket = bind_udp("SIP over UDP", address, &mut inherited)?;
                    let real = socket.local_addr().map_err(StartError::Runtime)?;
                    bound.udp.push((listener.id, socket));
                    real
                }
                transport @ (Transport::Tcp | Transport::Tls) => {
                    let what = match transport {
                        Transport::Tls => "SIP over TLS",
                        _ => "SIP over TCP",
                    };
                    let socket = bind_tcp(what, address, &mut inherited)?;
                    let real = local_address(&socket)?;
                    bound.streams.push((listener.id, transport, socket));
                    real
                }
            };
            note_real_port(listener, real);
        }
        inherited.leave();
        Ok(bound)
    }
}

/// Opens the journal; the engine is to have its secrets.
fn open_journal(loaded: &mut Loaded) -> Result<Option<Opened>, StartError> {
    let Place::At(path) = &loaded.journal.place else {
        return Ok(None);
    };
    let kept = loaded.journal.broken_kept;
    let opened = Opened::open(path, kept, loaded.engine.names());
    let opened = opened.map_err(|source| StartError::Journal {
        path: path.display().to_string(),
        source,
    })?;
    loaded.engine.secrets = opened.secrets();
    Ok(Some(opened))
}

fn note_real_port(listener: &mut Listener, real: SocketAddr) {
    if listener.advertised.port() == 0 {
        listener.advertised.set_port(real.port());
    }
    listener.address = real;
}

fn bind_udp(
    what: &'static str,
    address: SocketAddr,
    inherited: &mut Inherited,
) -> Result<std::net::UdpSocket, StartError> {
    let mut bind = || match inherited.take_udp(address)? {
        Some(socket) => Ok(socket),
        None => UdpListener::bind(address),
    };
    bind().map_err(|source| StartError::Bind {
        what,
        address,
        source,
    })
}

fn bind_tcp(
    what: &'static str,
    address: SocketAddr,
    inherited: &mut Inherited,
) -> Result<std::net::TcpListener, StartError> {
    let mut bind = || {
        if let Some(socket) = inherited.take_tcp(address)? {
            return Ok(socket);
        }
        let domain = socket2::Domain::for_address(address);
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(1024)?;
        Ok(socket.into())
    };
    bind().map_err(|source| StartError::Bind {
        what,
        address,
        source,
    })
}

fn local_address(listener: &std::net::TcpListener) -> Result<SocketAddr, StartError> {
    listener.local_addr().map_err(StartError::Runtime)
}

/// What [`Node`] keeps of the threads that it started.
struct Launched {
    control: mpsc::Sender<Control>,
    core: JoinHandle<()>,
    ended: oneshot::Receiver<()>,
    requests: mpsc::Sender<api::Request>,
    events: broadcast::Sender<Arc<engine::Event>>,
    metrics: Arc<Metrics>,
}

/// Starts the I/O tasks and the core's thread.
fn launch(
    runtime: &Runtime,
    loaded: Loaded,
    bound: Bound,
    tls: Option<Arc<Tls>>,
    journal: Option<Opened>,
) -> Result<Launched, StartError> {
    let (control, control_queue) = mpsc::channel(8);
    let (inbox, streams) = mpsc::channel(STREAMS_MAX);
    let (requests, request_queue) = mpsc::channel(REQUESTS_MAX);
    let (events, _) = broadcast::channel(EVENTS_MAX);
    let metrics = Arc::new(Metrics::new(&loaded.engine.directory, &loaded.engine.node));
    let dns = Dns::new(&loaded.dns, inbox.clone());
    let connections = Connections::new(
        inbox,
        metrics.clone(),
        tls,
        loaded.connections,
        loaded.engine.settings.message,
    );
    let _inside = runtime.enter();
    for (id, transport, listener) in bound.streams {
        let listener = TcpListener::from_std(listener).map_err(StartError::Runtime)?;
        runtime.spawn(connections.clone().accept(listener, id, transport));
    }
    let http = TcpListener::from_std(bound.http).map_err(StartError::Runtime)?;
    let router = api::router(
        requests.clone(),
        metrics.clone(),
        events.clone(),
        loaded.engine.directory.clone(),
    );
    runtime.spawn(async move {
        // It ends with the runtime; an accept error is retried inside.
        let _ended = axum::serve(http, router).await;
    });
    let (ended_sender, ended) = oneshot::channel();
    let shell = runtime.handle().clone();
    let udp = bound.udp;
    let (core_events, core_metrics) = (events.clone(), metrics.clone());
    let core = move |udp| Core {
        engine: Engine::new(Instant::now(), loaded.engine),
        udp,
        alarm: Alarm::new(),
        connections,
        dns,
        shell,
        streams,
        requests: request_queue,
        control: control_queue,
        metrics: core_metrics,
        events: core_events,
        keeping: None,
        facts: VecDeque::new(),
    };
    let core = std::thread::Builder::new()
        .name("quinze-core".to_owned())
        .spawn(move || run_core(udp, core, journal, ended_sender))
        .map_err(StartError::Runtime)?;
    Ok(Launched {
        control,
        core,
        ended,
        requests,
        events,
        metrics,
    })
}

/// The core's thread. The end is told when it is orderly; unsent, by a panic too, it tells the failure.
fn run_core(
    udp: Vec<(ListenerId, std::net::UdpSocket)>,
    core: impl FnOnce(Vec<(ListenerId, UdpListener)>) -> Core,
    journal: Option<Opened>,
    ended: oneshot::Sender<()>,
) {
    let local = Builder::new_current_thread().enable_all().build();
    let Ok(local) = local else { return };
    let orderly = local.block_on(async move {
        let mut core = core(udp_listeners(udp).ok()?);
        core.engine.reserve(TRANSACTIONS_RESERVED);
        if let Some(journal) = journal {
            core.take_up(journal).ok()?;
        }
        core.run().await;
        Some(())
    });
    if let Some(()) = orderly {
        let _nobody_waits = ended.send(());
    }
}
