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

use crate::laws::Said;

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

/// What a network does beside what its [`Weather`] says: shares of datagrams, 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Damage {
    /// Arrive seconds later.
    pub(crate) delay: f64,
    /// Arrive without their end.
    pub(crate) truncation: f64,
    /// Arrive with other bits.
    pub(crate) corruption: f64,
}

/// How often a network has done what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mishaps {
    pub(crate) lost: u64,
    pub(crate) duplicated: u64,
    pub(crate) delayed: u64,
    pub(crate) overtaken: u64,
    pub(crate) truncated: u64,
    pub(crate) corrupted: u64,
}

/// Whether a datagram arrives as it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    AsSent,
    Damaged,
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
    /// It arrives, and not as it was sent.
    Damaged,
}

impl Fate {
    const fn of(shape: Shape) -> Self {
        match shape {
            Shape::AsSent => Self::Passes,
            Shape::Damaged => Self::Damaged,
        }
    }
}

/// All datagrams that are under way.
pub(crate) struct Network {
    weather: Weather,
    damage: Damage,
    mishaps: Mishaps,
    filter: Option<Filter>,
    rng: Pcg64Mcg,
    under_way: BinaryHeap<Arrival>,
    /// The last of all arrivals so far.
    last_arrival: Option<Instant>,
    sequence: u64,
}

/// One arrival; the earliest is the greatest, equal times in the order of sending.
struct Arrival {
    at: Instant,
    sequence: u64,
    packet: Packet,
    shape: Shape,
}

/// A datagram on its way.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) datagram: Datagram,
    /// What it says, where somebody has read it. Whoever gets it as it was sent need not read it again.
    pub(crate) said: Option<Said>,
}

impl From<Datagram> for Packet {
    fn from(datagram: Datagram) -> Self {
        Self {
            datagram,
            said: None,
        }
    }
}

impl Network {
    pub(crate) fn new(weather: Weather, seed: u64) -> Self {
        Self {
            weather,
            damage: Damage::default(),
            mishaps: Mishaps::default(),
            filter: None,
            rng: Pcg64Mcg::seed_from_u64(seed),
            under_way: BinaryHeap::new(),
            last_arrival: None,
            sequence: 0,
        }
    }

    pub(crate) const fn set_weather(&mut self, weather: Weather) {
        self.weather = weather;
    }

    pub(crate) const fn set_damage(&mut self, damage: Damage) {
        self.damage = damage;
    }

    pub(crate) const fn mishaps(&self) -> Mishaps {
        self.mishaps
    }

    pub(crate) fn set_filter(&mut self, filter: Filter) {
        self.filter = Some(filter);
    }

    /// Sends a datagram; what will become of it.
    pub(crate) fn send(&mut self, now: Instant, packet: Packet) -> Fate {
        let filtered = self
            .filter
            .as_mut()
            .map_or(Fate::Passes, |filter| filter(&packet.datagram));
        if filtered == Fate::Lost || self.happens(self.weather.loss) {
            self.mishaps.lost += 1;
            return Fate::Lost;
        }
        if self.happens(self.weather.duplication) {
            self.mishaps.duplicated += 1;
            self.put(now, packet.clone());
        }
        Fate::of(self.put(now, packet))
    }

    pub(crate) fn next_arrival(&self) -> Option<Instant> {
        self.under_way.peek().map(|arrival| arrival.at)
    }

    pub(crate) fn arrive(&mut self, now: Instant) -> Option<(Packet, Shape)> {
        if self.next_arrival()? > now {
            return None;
        }
        let arrival = self.under_way.pop()?;
        Some((arrival.packet, arrival.shape))
    }

    fn happens(&mut self, share: f64) -> bool {
        share > 0.0 && self.rng.random_bool(share)
    }

    fn put(&mut self, now: Instant, mut packet: Packet) -> Shape {
        let jitter = if self.weather.jitter.is_zero() {
            Duration::ZERO
        } else {
            self.weather.jitter.mul_f64(self.rng.random::<f64>())
        };
        let mut at = now + self.weather.latency + jitter;
        if self.happens(self.damage.delay) {
            self.mishaps.delayed += 1;
            at += DELAY_MAX.mul_f64(self.rng.random::<f64>());
        }
        if self.last_arrival.is_some_and(|last| last > at) {
            self.mishaps.overtaken += 1;
        }
        self.last_arrival = self.last_arrival.max(Some(at));
        let shape = self.damage(&mut packet.datagram);
        if shape == Shape::Damaged {
            packet.said = None;
        }
        self.sequence += 1;
        self.under_way.push(Arrival {
            at,
            sequence: self.sequence,
            packet,
            shape,
        });
        shape
    }

    fn damage(&mut self, datagram: &mut Datagram) -> Shape {
        let len = datagram.bytes.len();
        if len > 1 && self.happens(self.damage.truncation) {
            self.mishaps.truncated += 1;
            datagram.bytes.truncate(self.rng.random_range(1..len));
            return Shape::Damaged;
        }
        if len > 0 && self.happens(self.damage.corruption) {
            self.mishaps.corrupted += 1;
            let mut bytes = datagram.bytes.to_vec();
            for _ in 0..self.rng.random_range(1..4) {
                let at = self.rng.random_range(0..len);
                bytes[at] ^= 1 << self.rng.random_range(0..8);
            }
            datagram.bytes = bytes.into();
            return Shape::Damaged;
        }
        Shape::AsSent
    }
}

/// How much later a datagram that is delayed arrives at most: no message lives longer than T4 in a network
/// (RFC 3261 §17.1.2.2).
const DELAY_MAX: Duration = Duration::from_millis(4_500);

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
