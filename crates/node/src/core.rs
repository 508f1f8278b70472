//! The core's thread: the engine, the UDP sockets, one timer. Nothing here waits for anything but
//! its next input.

use std::{
    future::poll_fn,
    io,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use engine::{
    Engine, Input, Output,
    sip::Transport,
    sip_transaction::{Flow, ListenerId, Transmit},
};
use metrics::Metrics;
use tokio::{
    runtime::Handle,
    sync::{broadcast, mpsc},
    time::sleep_until,
};
use tracing::{error, info, warn};

use crate::{
    dns::Dns,
    hand_over::HandOver,
    log,
    streams::{Connections, Sent},
    udp::UdpListener,
};

/// Inputs of one kind that are taken before another kind has its turn.
const TURN_MAX: usize = 64;

/// Batches that are taken from one socket before another has its turn.
const BATCHES_MAX: usize = 3;

/// After the last call ended, how long open transactions may still take.
const LINGER_MAX: Duration = Duration::from_secs(2);

/// What people and signals ask of the core.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Control {
    /// Take no new calls; end when those that are there have ended, or after the limit.
    Drain { limit: Duration },
    /// Write everything down for the next process, and end.
    HandOver,
    /// End now.
    Stop,
}

/// Everything that the core's thread owns.
pub(crate) struct Core {
    pub(crate) engine: Engine,
    pub(crate) udp: Vec<(ListenerId, UdpListener)>,
    pub(crate) connections: Connections,
    pub(crate) dns: Dns,
    /// The runtime of everything that is not the core.
    pub(crate) shell: Handle,
    pub(crate) streams: mpsc::Receiver<Input>,
    pub(crate) requests: mpsc::Receiver<api::Request>,
    pub(crate) control: mpsc::Receiver<Control>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) events: broadcast::Sender<Arc<engine::Event>>,
    /// `None` without a `[journal]`.
    pub(crate) journal: Option<HandOver>,
}

/// What woke the core.
enum Woken {
    Readable,
    Stream(Input),
    Request(api::Request),
    Control(Control),
    Timer,
}

impl Core {
    /// Runs until it is told to stop, or has drained.
    pub(crate) async fn run(mut self) {
        let mut stop_by = None;
        loop {
            let woken = self.wait(stop_by).await;
            let now = Instant::now();
            match woken {
                // All of them: one that is flooded does not starve the others.
                Woken::Readable => (0..self.udp.len()).for_each(|index| self.receive(index)),
                Woken::Stream(input) => {
                    self.engine.handle_input(now, input);
                    for _ in 1..TURN_MAX {
                        let Ok(input) = self.streams.try_recv() else {
                            break;
                        };
                        self.engine.handle_input(now, input);
                    }
                }
                Woken::Request(request) => request.run(&mut self.engine, now),
                Woken::Control(Control::Stop) => return,
                Woken::Control(Control::HandOver) if self.hand_over(now) => return,
                Woken::Control(Control::HandOver) => {}
                Woken::Control(Control::Drain { limit }) => self.engine.drain(now, now + limit),
                Woken::Timer => {}
            }
            if self.engine.poll_timeout().is_some_and(|at| at <= now) {
                self.engine.handle_timeout(now);
            }
            self.drain_outputs();
            if self.engine.is_draining() {
                let calls_ended = self.engine.calls_live() == 0;
                if calls_ended && stop_by.is_none() {
                    stop_by = Some(now + LINGER_MAX);
                }
                if self.engine.is_idle() || stop_by.is_some_and(|at| at <= now) {
                    return;
                }
            }
        }
    }

    /// Begins with what the process before has left.
    pub(crate) async fn take_up(&mut self) {
        let Some(mut journal) = self.journal.take() else {
            return;
        };
        for (_, socket) in &self.udp {
            socket.can_send().await;
        }
        journal.take_up(Instant::now(), &mut self.engine);
        self.drain_outputs();
        journal.forget();
        self.journal = Some(journal);
    }

    /// Whether everything is written down, and this process may end.
    fn hand_over(&mut self, now: Instant) -> bool {
        self.drain_outputs();
        let Some(journal) = &mut self.journal else {
            warn!("there is no [journal]: nothing can be handed over");
            return false;
        };
        match journal.leave(now, &self.engine) {
            Ok(()) => {
                info!("everything is written down for the next process");
                true
            }
            Err(error) => {
                error!(%error, "nothing could be written down: this process goes on");
                false
            }
        }
    }

    async fn wait(&mut self, stop_by: Option<Instant>) -> Woken {
        let deadline = [self.engine.poll_timeout(), stop_by]
            .into_iter()
            .flatten()
            .min();
        let Self {
            udp,
            streams,
            requests,
            control,
            ..
        } = self;
        let timer = async {
            match deadline {
                Some(at) => sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        let readable = poll_fn(|cx| {
            let mut ready =
                |(_, socket): &(ListenerId, UdpListener)| socket.poll_readable(cx).is_ready();
            // Each is asked, so that each may wake us.
            match udp.iter().filter(|one| ready(one)).count() {
                0 => Poll::Pending,
                _ => Poll::Ready(()),
            }
        });
        tokio::select! {
            Some(control) = control.recv() => Woken::Control(control),
            () = readable => Woken::Readable,
            Some(input) = streams.recv() => Woken::Stream(input),
            Some(request) = requests.recv() => Woken::Request(request),
            () = timer => Woken::Timer,
        }
    }

    /// Takes what a socket has, batch by batch, and answers each batch before the next.
    fn receive(&mut self, index: usize) {
        for _ in 0..BATCHES_MAX {
            let now = Instant::now();
            let (listener, socket) = &mut self.udp[index];
            let (listener, engine) = (*listener, &mut self.engine);
            let count = socket.receive(|remote, bytes| {
                let flow = Flow {
                    transport: Transport::Udp,
                    listener,
                    remote,
                };
                engine.handle_input(now, Input::Datagram { flow, bytes });
            });
            self.drain_outputs();
            if !UdpListener::is_full_batch(count) {
                break;
            }
        }
    }

    fn drain_outputs(&mut self) {
        loop {
            while let Some(output) = self.engine.poll_output() {
                match output {
                    Output::Transmit(transmit) => self.transmit(transmit),
                    Output::Event(event) => self.note(event),
                    Output::Resolve(query) => {
                        let _inside_the_shell = self.shell.enter();
                        self.dns.ask(query);
                    }
                    Output::PeerName { remote, name } => self.connections.expect(remote, &name),
                }
            }
            for (_, socket) in &mut self.udp {
                self.metrics.datagrams_lost(socket.flush());
            }
            // A stream that failed at once has given the engine more to say.
            if !self.engine.has_output() {
                return;
            }
        }
    }

    fn transmit(&mut self, transmit: Transmit) {
        let Transmit {
            flow,
            fallback,
            bytes,
            ..
        } = transmit;
        if flow.transport == Transport::Udp {
            let socket = self
                .udp
                .iter_mut()
                .find(|(listener, _)| *listener == flow.listener);
            if let Some((_, socket)) = socket {
                socket.send(flow.remote, bytes);
            }
            return;
        }
        let _inside_the_shell = self.shell.enter();
        if self.connections.send(flow, fallback, bytes) == Sent::Failed {
            self.metrics.stream_message_lost();
            self.engine
                .handle_input(Instant::now(), Input::SendFailed { flow });
        }
    }

    fn note(&self, event: engine::Event) {
        self.metrics.fold(&event);
        log::event(self.engine.directory(), &event);
        if self.events.receiver_count() > 0 {
            let _nobody_left = self.events.send(Arc::new(event));
        }
    }
}

/// The addresses that the core's UDP sockets are bound to.
pub(crate) fn udp_listeners(
    bound: Vec<(ListenerId, std::net::UdpSocket)>,
) -> io::Result<Vec<(ListenerId, UdpListener)>> {
    bound
        .into_iter()
        .map(|(id, socket)| Ok((id, UdpListener::new(socket)?)))
        .collect()
}
