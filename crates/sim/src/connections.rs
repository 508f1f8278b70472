//! Simulated TCP: byte streams that arrive in pieces of any size, and that end at any byte.
//!
//! Each machine finds its connections by the address that it has for the other end, and opens one where it
//! finds none, as the node does with its sockets. What arrives is cut into messages by the product's
//! [`StreamFramer`](engine::sip::StreamFramer) on both sides.

mod stream;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use engine::sip::FramingError;
use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;

use self::stream::{Connection, Side};
use crate::network::Weather;

/// All connections of a world.
pub(crate) struct Connections {
    weather: Weather,
    rng: Pcg64Mcg,
    open: BTreeMap<Id, Connection>,
    /// What each machine has.
    ends: BTreeMap<End, (Id, Side)>,
    /// What happens when; at the same moment in the order in which it was decided.
    agenda: BTreeMap<(Instant, u64), (Id, Next)>,
    sequence: u64,
    opened: Id,
    /// Machines that take no connections, and until when.
    deaf: BTreeMap<SocketAddr, Instant>,
    heard: VecDeque<Heard>,
    mishaps: StreamMishaps,
}

type Id = u64;

/// One end of a connection: the machine, by where it listens, and what it has for the address of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct End {
    pub(crate) host: SocketAddr,
    pub(crate) remote: SocketAddr,
}

/// What happens to a connection.
enum Next {
    /// It comes to where somebody listens, or nobody does.
    Knock,
    /// Bytes come to one side.
    Piece(Side, Bytes),
    /// One side hears that it is over.
    Over(Side),
}

/// What a machine hears of its connections.
pub(crate) enum Heard {
    /// Somebody connects: [`Connections::accept`] or [`Connections::refuse`].
    Knock(Door),
    /// A whole message.
    Message {
        /// Who received it.
        at: End,
        /// The machine that sent it.
        from: SocketAddr,
        /// The message.
        bytes: Bytes,
    },
    /// What came cannot be told apart, and the connection ends.
    Malformed {
        /// Who received it.
        at: End,
        /// What is wrong.
        error: FramingError,
    },
    /// A connection is over, or could not be made.
    Over(End),
}

/// A connection that waits to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Door {
    id: Id,
    /// By whom it is to be taken.
    pub(crate) host: SocketAddr,
}

/// How a connection ends before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Both sides hear of it as fast as the network is.
    Told,
    /// Something on the way forgot it: one side hears of it at once, the other much later. Until then what that
    /// sends gets nowhere.
    HalfOpen,
}

/// How often connections had trouble.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StreamMishaps {
    /// They ended with bytes under way that got nowhere.
    pub(crate) cut_in_a_message: u64,
    /// Nobody took them.
    pub(crate) refused: u64,
}

/// Where a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    /// Over which connection.
    pub(crate) remote: SocketAddr,
    /// Where to connect when that is gone.
    pub(crate) fallback: Option<SocketAddr>,
}

/// What is lost on the way is sent again after so long at most.
const SENT_AGAIN_AFTER: Duration = Duration::from_secs(3);

/// As the node has it: how long an attempt to connect may take.
const CONNECT_MAX: Duration = Duration::from_secs(2);

/// How much later than the other a side may hear of the end of a connection: before what it has sent counts as
/// unanswered.
const UNHEARD_MAX: Duration = Duration::from_secs(20);

/// A message arrives in so many pieces at most.
const PIECES_MAX: usize = 4;

/// Where those that connect do so from.
const PORTS: std::ops::Range<u16> = 20_000..60_000;

impl Connections {
    pub(crate) fn new(weather: Weather, seed: u64) -> Self {
        Self {
            weather,
            rng: Pcg64Mcg::seed_from_u64(seed),
            open: BTreeMap::new(),
            ends: BTreeMap::new(),
            agenda: BTreeMap::new(),
            sequence: 0,
            opened: 0,
            deaf: BTreeMap::new(),
            heard: VecDeque::new(),
            mishaps: StreamMishaps::default(),
        }
    }

    pub(crate) const fn set_weather(&mut self, weather: Weather) {
        self.weather = weather;
    }

    pub(crate) const fn mishaps(&self) -> StreamMishaps {
        self.mishaps
    }

    /// Sends a message; to which machine.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        host: SocketAddr,
        way: Way,
        bytes: &Bytes,
    ) -> SocketAddr {
        let Way { remote, fallback } = way;
        let meant = End { host, remote };
        let instead = End {
            host,
            remote: fallback.unwrap_or(remote),
        };
        let known = self.ends.get(&meant).or_else(|| self.ends.get(&instead));
        let (id, side) = match known {
            Some(&known) => known,
            None => (self.connect(now, instead), Side::Opener),
        };
        if let Some(one) = self.open.get_mut(&id)
            && one.end(side) != meant
        {
            one.stand_in(side, meant);
        }
        self.write(now, id, side.other(), bytes)
    }

    pub(crate) fn next_arrival(&self) -> Option<Instant> {
        self.agenda.keys().next().map(|&(at, _)| at)
    }

    /// What somebody hears now.
    pub(crate) fn arrive(&mut self, now: Instant) -> Option<Heard> {
        while self.heard.is_empty() {
            let due = self.agenda.first_entry()?;
            if due.key().0 > now {
                return None;
            }
            let (id, next) = due.remove();
            match next {
                Next::Knock => self.knock(id),
                Next::Piece(side, piece) => self.read(now, id, side, &piece),
                Next::Over(side) => {
                    let left = self.leave(id, side).into_iter();
                    let ends = left.flat_map(|(end, others)| [end].into_iter().chain(others));
                    self.heard.extend(ends.map(Heard::Over));
                }
            }
        }
        self.heard.pop_front()
    }

    fn knock(&mut self, id: Id) {
        if let Some(one) = self.open.get(&id) {
            let host = one.end(Side::Taker).host;
            self.heard.push_back(Heard::Knock(Door { id, host }));
        }
    }

    /// The machine takes the connection, unless it is deaf.
    pub(crate) fn accept(&mut self, now: Instant, door: Door) {
        if self.deaf.get(&door.host).is_some_and(|until| now < *until) {
            return self.refuse(now, door);
        }
        if let Some(one) = self.open.get(&door.id)
            && one.can_be_taken()
        {
            let end = one.end(Side::Taker);
            self.ends.insert(end, (door.id, Side::Taker));
        }
    }

    /// Nobody takes it.
    pub(crate) fn refuse(&mut self, now: Instant, door: Door) {
        self.mishaps.refused += 1;
        if let Some(one) = self.open.get_mut(&door.id) {
            one.cut(|_| 0);
            one.leave(Side::Taker);
        }
        let at = now + self.on_the_way();
        self.note(at, door.id, Next::Over(Side::Opener));
    }

    /// A machine takes no connections until then.
    pub(crate) fn deafen(&mut self, host: SocketAddr, until: Instant) {
        self.deaf.insert(host, until);
    }

    /// Cuts one of the connections, if there is one; between whom it was.
    pub(crate) fn cut_one(&mut self, now: Instant, cut: Cut) -> Option<[SocketAddr; 2]> {
        let whole = self.open.iter().filter(|(_, one)| !one.is_cut());
        let whole: Vec<_> = whole.map(|(id, _)| *id).collect();
        if whole.is_empty() {
            return None;
        }
        let id = whole[self.rng.random_range(0..whole.len())];
        let first = match self.rng.random_bool(0.5) {
            true => Side::Opener,
            false => Side::Taker,
        };
        self.end(now, id, first, cut);
        let one = self.open.get(&id)?;
        Some([Side::Opener, Side::Taker].map(|side| one.end(side).host))
    }

    /// All connections of a machine end.
    pub(crate) fn end_all_of(&mut self, now: Instant, host: SocketAddr, cut: Cut) {
        let of_host = self.ends.iter().filter(|(end, _)| end.host == host);
        let of_host: Vec<_> = of_host.map(|(_, &found)| found).collect();
        for (id, side) in of_host {
            self.end(now, id, side, cut);
        }
    }

    /// A connection ends, and this side hears it first.
    fn end(&mut self, now: Instant, id: Id, first: Side, cut: Cut) {
        self.cut(id);
        for side in [first, first.other()] {
            let mut after = self.on_the_way();
            if cut == Cut::HalfOpen && side != first {
                after += UNHEARD_MAX.mul_f64(self.rng.random::<f64>());
            }
            self.note(now + after, id, Next::Over(side));
        }
    }

    /// The process of a machine has died, and its connections with it. The others hear of that.
    pub(crate) fn die(&mut self, now: Instant, host: SocketAddr) {
        let of_host = self.ends.iter().filter(|(end, _)| end.host == host);
        let of_host: Vec<_> = of_host.map(|(_, &found)| found).collect();
        for (id, side) in of_host {
            self.cut(id);
            self.leave(id, side);
            let at = now + self.on_the_way();
            self.note(at, id, Next::Over(side.other()));
        }
    }

    /// Of what is under way some bytes arrive, and nothing after them.
    fn cut(&mut self, id: Id) {
        let Some(one) = self.open.get_mut(&id) else {
            return;
        };
        let rng = &mut self.rng;
        let is_lost = one.cut(|under_way| rng.random_range(0..=under_way));
        self.mishaps.cut_in_a_message += u64::from(is_lost);
    }

    fn connect(&mut self, now: Instant, opener: End) -> Id {
        let id = self.opened;
        self.opened += 1;
        let count = u64::from(PORTS.end - PORTS.start);
        let port = PORTS.start + u16::try_from(id % count).expect("it is less than all ports");
        let taker = End {
            host: opener.remote,
            remote: SocketAddr::new(opener.host.ip(), port),
        };
        let at = now + self.on_the_way().min(CONNECT_MAX);
        let mut one = Connection::new(opener, taker, now);
        one.open_at(at);
        self.open.insert(id, one);
        self.ends.insert(opener, (id, Side::Opener));
        self.note(at, id, Next::Knock);
        id
    }

    /// Lets a message go to one side, in pieces; to which machine.
    fn write(&mut self, now: Instant, id: Id, to: Side, bytes: &Bytes) -> SocketAddr {
        let mut cuts = vec![0, bytes.len()];
        if self.rng.random_bool(0.25) {
            for _ in 1..self.rng.random_range(2..=PIECES_MAX) {
                cuts.push(self.rng.random_range(0..=bytes.len()));
            }
        }
        cuts.sort_unstable();
        cuts.dedup();
        for pair in cuts.windows(2) {
            let at = now + self.on_the_way();
            let one = self.open.get_mut(&id).expect("it was found");
            // Bytes do not overtake each other.
            let at = one.send(to, at, pair[1] - pair[0]);
            let piece = bytes.slice(pair[0]..pair[1]);
            self.note(at, id, Next::Piece(to, piece));
        }
        self.open[&id].end(to).host
    }

    fn read(&mut self, now: Instant, id: Id, side: Side, piece: &[u8]) {
        let Some(one) = self.open.get_mut(&id) else {
            return;
        };
        one.receive(side, piece);
        let (at, from) = (one.end(side), one.end(side.other()).host);
        loop {
            match one.next_message(side) {
                Ok(None) => return,
                Ok(Some(bytes)) => self.heard.push_back(Heard::Message { at, from, bytes }),
                Err(_) if one.is_cut() => return,
                Err(error) => {
                    self.heard.push_back(Heard::Malformed { at, error });
                    return self.end(now, id, side, Cut::Told);
                }
            }
        }
    }

    fn leave(&mut self, id: Id, side: Side) -> Option<(End, BTreeSet<End>)> {
        let one = self.open.get_mut(&id)?;
        let left = one.leave(side);
        let is_over = one.is_over();
        if is_over {
            self.open.remove(&id);
        }
        let (end, others) = left?;
        // Another connection may have this other end by now.
        if self.ends.get(&end) == Some(&(id, side)) {
            self.ends.remove(&end);
        }
        Some((end, others))
    }

    /// How long a piece is under way now.
    fn on_the_way(&mut self) -> Duration {
        let Weather {
            latency,
            jitter,
            loss,
            ..
        } = self.weather;
        let mut after = latency;
        if !jitter.is_zero() {
            after += jitter.mul_f64(self.rng.random::<f64>());
        }
        if loss > 0.0 && self.rng.random_bool(loss) {
            after += SENT_AGAIN_AFTER.mul_f64(self.rng.random::<f64>());
        }
        after
    }

    fn note(&mut self, at: Instant, id: Id, next: Next) {
        self.sequence += 1;
        self.agenda.insert((at, self.sequence), (id, next));
    }
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connections")
            .field("open", &self.open.len())
            .finish_non_exhaustive()
    }
}
