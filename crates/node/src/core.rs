//! The core's thread: the engine, the UDP sockets, one timer. Nothing here waits for anything but
//! its next input.

use std::{
    collections::VecDeque,
    future::poll_fn,
    io,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use engine::{
    Engine, Input, JournalState, Output,
    sip::Transport,
    sip_transaction::{Flow, ListenerId, Transmit},
};
use metrics::Metrics;
use tokio::{
    runtime::Handle,
    sync::{broadcast, mpsc},
};
use tracing::{error, info, warn};

use crate::{
    alarm::Alarm,
    dns::Dns,
    keeping::{Keeping, Opened},
    log,
    streams::{Connections, Sent},
    udp::UdpListener,
};

/// Inputs of one kind that are taken before another kind has its turn.
const TURN_MAX: usize = 64;

/// Batches that are taken from one socket before another has its turn.
const BATCHES_MAX: usize = 3;

/// After how many datagrams of a batch it is sent what they have led to: what the first of many leads to does not wait
/// until all are read, and the system is not called for each.
const SENT_AFTER: usize = 4;

/// After the last call ended, how long open transactions may still take.
const LINGER_MAX: Duration = Duration::from_secs(2);

/// What people and signals ask of the core.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Control {
    /// Take no new calls; end when those that are there have ended, or after the limit.
    Drain { limit: Duration },
    /// Write everything down for the next process, and end. Where the journal has failed, end like [`Self::Drain`].
    HandOver { limit: Duration },
    /// End now.
    Stop,
}

/// Everything that the core's thread owns.
pub(crate) struct Core {
    pub(crate) engine: Engine,
    pub(crate) udp: Vec<(ListenerId, UdpListener)>,
    pub(crate) alarm: Alarm,
    pub(crate) connections: Connections,
    pub(crate) dns: Dns,
    /// The runtime of everything that is not the core.
    pub(crate) shell: Handle,
    pub(crate) streams: mpsc::Receiver<Input>,
    pub(crate) requests: mpsc::Receiver<api::Request>,
    pub(crate) control: mpsc::Receiver<Control>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) events: broadcast::Sender<Arc<engine::Event>>,
    /// `None` without a journal.
    pub(crate) keeping: Option<Keeping<Transmit, Fact>>,
    /// What is told as soon as messages that go out with it have left.
    pub(crate) facts: VecDeque<Fact>,
}

/// What is told only when it is durable.
pub(crate) enum Fact {
    Event(engine::Event),
    Reply(api::Reply),
}

/// What woke the core.
enum Woken {
    Readable,
    Stream(Input),
    Request(api::Request),
    Control(Control),
    Timer,
    Durable,
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
                    self.hear(now, input);
                    for _ in 1..TURN_MAX {
                        let Ok(input) = self.streams.try_recv() else {
                            break;
                        };
                        self.hear(now, input);
                    }
                }
                Woken::Request(request) => self.answer(request, now),
                Woken::Control(Control::Stop) => return,
                Woken::Control(Control::HandOver { limit }) => match &self.keeping {
                    Some(keeping) if keeping.state() != JournalState::Failed => {
                        return self.hand_over();
                    }
                    Some(_) => {
                        warn!("the journal has failed: nothing can be handed over, draining");
                        self.engine.drain(now, now + limit);
                    }
                    None => warn!("there is no journal: nothing can be handed over"),
                },
                Woken::Control(Control::Drain { limit }) => self.engine.drain(now, now + limit),
                Woken::Timer | Woken::Durable => {}
            }
            self.keep(now);
            if self.engine.is_due(now) {
                self.engine.handle_timeout(now);
            }
            self.drain_outputs();
            if self.engine.is_draining() {
                let calls_ended = self.engine.calls_live() == 0;
                if calls_ended && stop_by.is_none() {
                    stop_by = Some(now + LINGER_MAX);
                }
                let holds = self.keeping.as_ref().is_some_and(Keeping::holds);
                let is_done = self.engine.is_idle() && !holds;
                if is_done || stop_by.is_some_and(|at| at <= now) {
                    return;
                }
            }
        }
    }

    /// Begins with what the process before has left.
    ///
    /// # Errors
    /// The system has no thread for the journal.
    pub(crate) fn take_up(&mut self, journal: Opened) -> io::Result<()> {
        self.keeping = Some(journal.take_up(&mut self.engine)?);
        self.engine
            .set_journal_state(Instant::now(), JournalState::Kept);
        self.drain_outputs();
        Ok(())
    }

    /// Takes what was told by a task of the shell.
    fn hear(&mut self, now: Instant, input: Input) {
        if let Input::TransportFailed { flow } = input {
            self.connections.heard(flow);
        }
        self.engine.handle_input(now, input);
    }

    /// Looks what has become durable, and whether something has been waited for too long.
    fn keep(&mut self, now: Instant) {
        let Some(keeping) = &mut self.keeping else {
            return;
        };
        keeping.handle_timeout(now, self.engine.calls_live() > 0);
        let metrics = &self.metrics;
        keeping.catch_up(now, |took| metrics.journalled(took));
        self.engine.set_journal_state(now, keeping.state());
    }

    /// Everything is handed to the journal, whose thread ends when it is durable: the next process goes on.
    fn hand_over(mut self) {
        self.drain_outputs();
        match self.keeping.take().is_some_and(Keeping::finish) {
            true => info!("everything is written down for the next process"),
            false => error!("the journal has failed: the next process has what was durable before"),
        }
    }

    fn answer(&mut self, request: api::Request, now: Instant) {
        let Some(reply) = request.run(&mut self.engine, now) else {
            return;
        };
        self.send_out();
        if let Some(keeping) = &mut self.keeping {
            keeping.hand_over(now);
        }
        self.let_out(Fact::Reply(reply));
        self.drain_outputs();
    }

    async fn wait(&mut self, stop_by: Option<Instant>) -> Woken {
        let has_calls = self.engine.calls_live() > 0;
        let keeping = self.keeping.as_ref();
        let keeping = keeping.and_then(|keeping| keeping.poll_timeout(has_calls));
        let deadline = [self.engine.poll_timeout(), keeping, stop_by]
            .into_iter()
            .flatten()
            .min();
        let Self {
            keeping,
            udp,
            alarm,
            streams,
            requests,
            control,
            ..
        } = self;
        let readable = poll_fn(|cx| {
            let mut ready =
                |(_, socket): &(ListenerId, UdpListener)| socket.poll_readable(cx).is_ready();
            // Each is asked, so that each may wake us.
            match udp.iter().filter(|one| ready(one)).count() {
                0 => Poll::Pending,
                _ => Poll::Ready(()),
            }
        });
        let durable = async {
            match keeping {
                Some(keeping) => keeping.progressed().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = durable => Woken::Durable,
            Some(control) = control.recv() => Woken::Control(control),
            () = readable => Woken::Readable,
            Some(input) = streams.recv() => Woken::Stream(input),
            Some(request) = requests.recv() => Woken::Request(request),
            () = alarm.ring(deadline) => Woken::Timer,
        }
    }

    /// Takes what a socket has, batch by batch, and answers each batch before the next.
    fn receive(&mut self, index: usize) {
        for _ in 0..BATCHES_MAX {
            let now = Instant::now();
            let (listener, socket) = &mut self.udp[index];
            let listener = *listener;
            let count = socket.receive();
            let mut taken = 0;
            while let Some((remote, bytes)) = self.udp[index].1.take() {
                let flow = Flow {
                    transport: Transport::Udp,
                    listener,
                    remote,
                };
                self.engine
                    .handle_input(now, Input::Datagram { flow, bytes });
                taken += 1;
                if taken % SENT_AFTER == 0 {
                    self.send_out();
                }
            }
            self.drain_outputs();
            if !UdpListener::is_full_batch(count) {
                break;
            }
        }
    }

    /// Does what the engine wants: first what somebody waits for.
    fn drain_outputs(&mut self) {
        self.send_out();
        while let Some(fact) = self.next_fact() {
            self.tell(fact);
        }
    }

    /// What is to be told next: those that were held back came later than the others.
    fn next_fact(&mut self) -> Option<Fact> {
        let held = || self.keeping.as_mut().and_then(Keeping::release_fact);
        self.facts.pop_front().or_else(held)
    }

    fn send_out(&mut self) {
        loop {
            while let Some(output) = self.engine.poll_output() {
                self.take(output);
            }
            while let Some(message) = self.keeping.as_mut().and_then(Keeping::release_message) {
                self.transmit(message);
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

    /// Does what the engine wants, as far as it depends on nothing that is not durable.
    fn take(&mut self, output: Output) {
        match output {
            Output::Record {
                changes,
                is_awaited,
            } => {
                if let Some(keeping) = &mut self.keeping {
                    keeping.record(Instant::now(), changes, is_awaited);
                }
            }
            Output::Transmit(message) => {
                let message = match &mut self.keeping {
                    Some(keeping) if message.is_goodbye => keeping.hold_unhurried(message),
                    Some(keeping) => keeping.hold_message(message),
                    None => Some(message),
                };
                if let Some(message) = message {
                    self.transmit(message);
                }
            }
            Output::Event(event) => self.let_out(Fact::Event(event)),
            Output::Resolve(query) => {
                let _inside_the_shell = self.shell.enter();
                self.dns.ask(query);
            }
            Output::PeerName { remote, name } => self.connections.expect(remote, &name),
        }
    }

    fn let_out(&mut self, fact: Fact) {
        let fact = match &mut self.keeping {
            Some(keeping) => keeping.hold_fact(fact),
            None => Some(fact),
        };
        self.facts.extend(fact);
    }

    fn tell(&self, fact: Fact) {
        match fact {
            Fact::Event(event) => self.note(event),
            Fact::Reply(reply) => reply.send(),
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
        // Readers miss what is pushed out of the stream, and nobody is to be able to do that from outside.
        if !event.is_of_one_message() && self.events.receiver_count() > 0 {
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
