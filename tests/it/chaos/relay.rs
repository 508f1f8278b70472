//! A relay of datagrams between one program and the rest: it sees every message go by, and loses and
//! doubles some, as a seed has it.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::Context as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;

use super::message::Message;

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Towards {
    /// The program behind the relay.
    Inner,
    /// The rest of the world.
    Outer,
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Passed,
    Lost,
}

/// How many of a thousand datagrams are lost, and how many come twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Weather {
    pub(super) lost: u32,
    pub(super) doubled: u32,
}

/// Looks at each message before it is passed on.
pub(super) type Watch = Box<dyn FnMut(Towards, &Message) -> Fate + Send>;

/// Stands between a program on one port of loopback and another.
pub(super) struct Relay {
    stop: Arc<AtomicBool>,
    counts: Arc<Counts>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Counts {
    passed: AtomicU64,
    lost: AtomicU64,
    doubled: AtomicU64,
}

/// Where a relay stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Its own port.
    pub(super) port: u16,
    /// That of the program behind it.
    pub(super) inner: u16,
    /// Where what comes from there goes.
    pub(super) outer: u16,
}

impl Relay {
    pub(super) fn start(
        place: Place,
        weather: Weather,
        seed: u64,
        watch: Watch,
    ) -> anyhow::Result<Self> {
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let socket = UdpSocket::bind(local(place.port))
            .with_context(|| format!("a relay on port {}", place.port))?;
        socket.set_read_timeout(Some(BREATH))?;
        let (stop, counts) = (Arc::new(AtomicBool::new(false)), Arc::<Counts>::default());
        let carrier = Carrier {
            socket,
            inner: local(place.inner),
            outer: local(place.outer),
            weather,
            random: Pcg64Mcg::seed_from_u64(seed),
            watch,
            counts: Arc::clone(&counts),
        };
        let stopped = Arc::clone(&stop);
        let thread = thread::Builder::new()
            .name(format!("relay {}", place.port))
            .spawn(move || carrier.run(&stopped))?;
        Ok(Self {
            stop,
            counts,
            thread: Some(thread),
        })
    }

    /// What it did so far, in words.
    pub(super) fn told(&self) -> String {
        let [passed, lost, doubled] =
            [&self.counts.passed, &self.counts.lost, &self.counts.doubled]
                .map(|count| count.load(Ordering::Relaxed));
        format!("{passed} datagrams passed, {doubled} of them twice, {lost} lost")
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A watch that panicked has failed its test already.
            let _panicked = thread.join();
        }
    }
}

/// The thread of a relay.
struct Carrier {
    socket: UdpSocket,
    inner: SocketAddr,
    outer: SocketAddr,
    weather: Weather,
    random: Pcg64Mcg,
    watch: Watch,
    counts: Arc<Counts>,
}

impl Carrier {
    fn run(mut self, stop: &AtomicBool) {
        let mut buffer = [0; 65_536];
        while !stop.load(Ordering::Relaxed) {
            match self.socket.recv_from(&mut buffer) {
                Ok((length, from)) => self.carry(&buffer[..length], from),
                // Nothing came, or a port was closed that we sent to: both are usual here.
                Err(error) => debug_assert!(error.kind() != io::ErrorKind::InvalidInput),
            }
        }
    }

    fn carry(&mut self, datagram: &[u8], from: SocketAddr) {
        let (towards, to) = if from == self.inner {
            (Towards::Outer, self.outer)
        } else {
            (Towards::Inner, self.inner)
        };
        let drawn = self.random.random_range(0..1000);
        if drawn < self.weather.lost {
            self.counts.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let message = Message::parse(&String::from_utf8_lossy(datagram));
        if message.is_some_and(|message| (self.watch)(towards, &message) == Fate::Lost) {
            self.counts.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let twice = drawn < self.weather.lost + self.weather.doubled;
        for _ in 0..=usize::from(twice) {
            // Whom nobody hears loses it.
            let _unheard = self.socket.send_to(datagram, to);
        }
        self.counts.passed.fetch_add(1, Ordering::Relaxed);
        self.counts
            .doubled
            .fetch_add(u64::from(twice), Ordering::Relaxed);
    }
}

/// How soon a relay sees that it is to end.
const BREATH: Duration = Duration::from_millis(20);
