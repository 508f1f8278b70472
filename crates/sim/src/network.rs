//! A simulated network: every datagram takes its time, may be lost, doubled or overtaken.

use std::{
    cmp::Ordering,
    collections::BinaryHeap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;

/// How a network treats a datagram.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weather {
    /// The shortest time on the way.
    pub latency: Duration,
    /// How much longer it may take: a datagram may overtake another by this much.
    pub jitter: Duration,
    /// The share of datagrams that are lost, 0 to 1.
    pub loss: f64,
    /// The share of datagrams that arrive twice, 0 to 1.
    pub duplication: f64,
}

impl Weather {
    /// Nothing is lost, everything takes 1 ms.
    pub const CALM: Self = Self {
        latency: Duration::from_millis(1),
        jitter: Duration::ZERO,
        loss: 0.0,
        duplication: 0.0,
    };
}

/// A datagram on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Who sent it.
    pub from: SocketAddr,
    /// Whom it is for.
    pub to: SocketAddr,
    /// Its bytes.
    pub bytes: Bytes,
}

/// Datagrams that a test takes off the wire, by what they are.
pub type Filter = Box<dyn FnMut(&Datagram) -> Fate>;

/// What becomes of a datagram that a [`Filter`] has looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes on.
    Passes,
    /// It is lost.
    Lost,
}

/// All datagrams that are under way.
pub(crate) struct Network {
    weather: Weather,
    filter: Option<Filter>,
    rng: Pcg64Mcg,
    under_way: BinaryHeap<Arrival>,
    sequence: u64,
}

/// One arrival; the earliest is the greatest, equal times in the order of sending.
struct Arrival {
    at: Instant,
    sequence: u64,
    datagram: Datagram,
}

impl Network {
    pub(crate) fn new(weather: Weather, seed: u64) -> Self {
        Self {
            weather,
            filter: None,
            rng: Pcg64Mcg::seed_from_u64(seed),
            under_way: BinaryHeap::new(),
            sequence: 0,
        }
    }

    pub(crate) const fn set_weather(&mut self, weather: Weather) {
        self.weather = weather;
    }

    pub(crate) fn set_filter(&mut self, filter: Filter) {
        self.filter = Some(filter);
    }

    /// Sends a datagram; whether it will arrive.
    pub(crate) fn send(&mut self, now: Instant, datagram: Datagram) -> Fate {
        let filtered = self
            .filter
            .as_mut()
            .map_or(Fate::Passes, |filter| filter(&datagram));
        if filtered == Fate::Lost || self.happens(self.weather.loss) {
            return Fate::Lost;
        }
        if self.happens(self.weather.duplication) {
            self.put(now, datagram.clone());
        }
        self.put(now, datagram);
        Fate::Passes
    }

    pub(crate) fn next_arrival(&self) -> Option<Instant> {
        self.under_way.peek().map(|arrival| arrival.at)
    }

    pub(crate) fn arrive(&mut self, now: Instant) -> Option<Datagram> {
        if self.next_arrival()? > now {
            return None;
        }
        self.under_way.pop().map(|arrival| arrival.datagram)
    }

    fn happens(&mut self, share: f64) -> bool {
        share > 0.0 && self.rng.random_bool(share)
    }

    fn put(&mut self, now: Instant, datagram: Datagram) {
        let jitter = if self.weather.jitter.is_zero() {
            Duration::ZERO
        } else {
            self.weather.jitter.mul_f64(self.rng.random::<f64>())
        };
        let at = now + self.weather.latency + jitter;
        self.sequence += 1;
        self.under_way.push(Arrival {
            at,
            sequence: self.sequence,
            datagram,
        });
    }
}

impl Ord for Arrival {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.sequence).cmp(&(self.at, self.sequence))
    }
}

impl PartialOrd for Arrival {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Arrival {
    fn eq(&self, other: &Self) -> bool {
        self.sequence == other.sequence
    }
}

impl Eq for Arrival {}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Network")
            .field("under_way", &self.under_way.len())
            .finish_non_exhaustive()
    }
}
