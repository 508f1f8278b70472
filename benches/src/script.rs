//! Whole calls through the engine alone: what comes in is recorded once, with callers and phones of the
//! simulator, and then given to a new engine again and again. The same seed draws the same tags and branches,
//! so what was recorded fits each time.

use std::{
    hint::black_box,
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use engine::{
    Config, Engine, Input, Output,
    journal::Clock,
    sip::Transport,
    sip_transaction::{Flow, ListenerId, Transmit},
};
use sim::{CallPlan, Manner, Peer, PeerEvent, PeerOutput};

/// Calls of each half: the first makes tables and buffers grow, the second is looked at.
pub const CALLS: u32 = 64;

/// Between two calls.
const GAP: Duration = Duration::from_millis(100);

/// How long a phone rings.
const RINGS: Duration = Duration::from_millis(50);

/// How long a call talks.
const TALKS: Duration = Duration::from_secs(2);

/// Until every timer of a call has run out.
const AFTERWARDS: Duration = Duration::from_secs(120);

const NODE: &str = "192.0.2.1:5060";
const OPERATOR: &str = "198.51.100.1:5060";
const PHONES: &str = "203.0.113.1:5060";

/// Which way calls go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To a line: the distributor gives each to an agent who is free.
    Distributed,
    /// To the phone of an agent: the proxy forwards them.
    Proxied,
}

/// Whether the engine says what is to be written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Journal {
    /// It does.
    On,
    /// It does not.
    Off,
}

/// Something that happens to the engine, so long after the beginning.
#[derive(Debug)]
struct Step {
    at: Duration,
    what: What,
}

#[derive(Debug)]
enum What {
    Datagram(Flow, Bytes),
    Timeout,
}

/// What happens to an engine while [`CALLS`] calls go through it twice.
#[derive(Debug)]
pub struct Script {
    config: Config,
    journal: Journal,
    steps: Vec<Step>,
    /// Steps of the first half.
    growing: usize,
}

impl Script {
    /// Lets the calls happen, and writes down what came in.
    ///
    /// # Panics
    /// When a call is not answered and ended as it should be.
    pub fn record(way: Way, journal: Journal) -> Self {
        let config = configuration();
        let mut stage = Stage::new(&config, journal);
        stage.play(way);
        let growing = stage.steps.len();
        stage.play(way);
        Self {
            steps: stage.steps,
            config,
            journal,
            growing,
        }
    }

    /// Gives it to a new engine; the second half inside of `watch`.
    pub fn replay(&self, watch: impl FnOnce(&mut dyn FnMut())) {
        let began = Instant::now();
        let mut engine = start(began, &self.config, self.journal);
        let (growing, watched) = self.steps.split_at(self.growing);
        feed(&mut engine, began, growing);
        watch(&mut || feed(&mut engine, began, watched));
    }
}

fn start(began: Instant, config: &Config, journal: Journal) -> Engine {
    let mut engine = Engine::new(began, config.clone());
    if journal == Journal::On {
        engine.keep_journal(Clock::new(began, 0), []);
    }
    engine
}

fn feed(engine: &mut Engine, began: Instant, steps: &[Step]) {
    for step in steps {
        let now = began + step.at;
        match &step.what {
            What::Datagram(flow, bytes) => {
                let (flow, bytes) = (*flow, bytes.clone());
                engine.handle_input(now, Input::Datagram { flow, bytes });
            }
            What::Timeout => engine.handle_timeout(now),
        }
        while let Some(output) = engine.poll_output() {
            black_box(&output);
        }
    }
}

/// An engine among callers and phones, with a network that takes no time.
struct Stage {
    began: Instant,
    now: Instant,
    engine: Engine,
    operator: Peer,
    phones: Peer,
    steps: Vec<Step>,
    events: Vec<PeerEvent>,
}

impl Stage {
    fn new(config: &Config, journal: Journal) -> Self {
        let began = Instant::now();
        let manner = Manner::answers_after(RINGS);
        Self {
            began,
            now: began,
            engine: start(began, config, journal),
            operator: Peer::new(address(OPERATOR), 1, manner),
            phones: Peer::new(address(PHONES), 2, manner),
            steps: Vec::new(),
            events: Vec::new(),
        }
    }

    /// One half.
    fn play(&mut self, way: Way) {
        self.events.clear();
        for number in 0..CALLS {
            let dialled = match way {
                Way::Distributed => format!("sip:15@{NODE}"),
                Way::Proxied => format!("sip:arm-{}@samu.example", number % AGENTS),
            };
            let plan = CallPlan::to(dialled).talk(TALKS);
            self.operator.call(self.now, address(NODE), plan);
            self.settle();
            self.run_for(GAP);
        }
        self.run_for(AFTERWARDS);
        let count =
            |is_it: fn(&PeerEvent) -> bool| self.events.iter().filter(|event| is_it(event)).count();
        let both_sides = 2 * CALLS as usize;
        let connected = count(|event| matches!(event, PeerEvent::Connected { .. }));
        let ended = count(|event| matches!(event, PeerEvent::Ended { .. }));
        assert_eq!((connected, ended), (both_sides, both_sides), "{way:?}");
    }

    fn run_for(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            let timeouts = [
                self.engine.poll_timeout(),
                self.operator.poll_timeout(),
                self.phones.poll_timeout(),
            ];
            let Some(at) = timeouts.iter().flatten().min().filter(|&&at| at <= until) else {
                break;
            };
            self.now = self.now.max(*at);
            let [engine, operator, phones] = timeouts.map(|at| at.is_some_and(|at| at <= self.now));
            if engine {
                self.note(What::Timeout);
                self.engine.handle_timeout(self.now);
            }
            if operator {
                self.operator.handle_timeout(self.now);
            }
            if phones {
                self.phones.handle_timeout(self.now);
            }
            self.settle();
        }
        self.now = until;
    }

    /// Delivers messages until nobody says anything more.
    fn settle(&mut self) {
        loop {
            if let Some(output) = self.engine.poll_output() {
                if let Output::Transmit(transmit) = output {
                    self.deliver(transmit);
                }
            } else if let Some(output) = self.operator.poll_output() {
                self.take(address(OPERATOR), output);
            } else if let Some(output) = self.phones.poll_output() {
                self.take(address(PHONES), output);
            } else {
                return;
            }
        }
    }

    fn deliver(&mut self, transmit: Transmit) {
        let Transmit { flow, bytes, .. } = transmit;
        let peers = [&mut self.operator, &mut self.phones];
        let peer = peers
            .into_iter()
            .find(|peer| peer.address() == flow.remote)
            .expect("the engine speaks to nobody else");
        peer.handle_message(self.now, address(NODE), bytes);
    }

    /// What a peer says goes to the engine, whole outputs of one before those of the next.
    fn take(&mut self, from: SocketAddr, output: PeerOutput) {
        match output {
            PeerOutput::Event(event) => self.events.push(event),
            PeerOutput::Transmit(Transmit { flow, bytes, .. }) => {
                assert_eq!(flow.remote, address(NODE), "all goes through the engine");
                let flow = Flow {
                    transport: Transport::Udp,
                    listener: ListenerId(0),
                    remote: from,
                };
                self.note(What::Datagram(flow, bytes.clone()));
                self.engine
                    .handle_input(self.now, Input::Datagram { flow, bytes });
            }
        }
    }

    fn note(&mut self, what: What) {
        let at = self.now - self.began;
        self.steps.push(Step { at, what });
    }
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("it is an address")
}

/// Agents, more than there are calls at a time.
const AGENTS: u32 = 50;

fn configuration() -> Config {
    let mut text = format!(
        "[node]\nname = \"bench\"\ndomain = \"samu.example\"\ndefault_line = \"L15\"\n\
         [[listen]]\ntransport = \"udp\"\naddress = \"{NODE}\"\n[http]\naddress = \"127.0.0.1:8015\"\n\
         [[trunk]]\nname = \"operator\"\nsources = [\"198.51.100.1\"]\n[[site]]\nid = \"FR670\"\n\
         [[line]]\nid = \"L15\"\nsite = \"FR670\"\nnumbers = [\"15\"]\nwrap_up = \"0s\"\n"
    );
    for agent in 0..AGENTS {
        text += &format!(
            "[[agent]]\nid = \"arm-{agent}\"\nsite = \"FR670\"\n\
             contact = \"sip:arm-{agent}@{PHONES}\"\nstart = \"ready\"\n"
        );
    }
    let loaded = config::load("bench.toml".as_ref(), &text, [1, 2, 3, 4]);
    loaded.expect("the configuration is right").engine
}
