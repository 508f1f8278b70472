//! Where calls go out: the next hops of trunks, and which of them answer.
//!
//! DNS is asked ahead of calls, together with OPTIONS, so that no call waits for it, and what it said
//! last counts for as long as it does not answer.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use sip::{Transport, Uri, UriBuf};

use crate::{
    locate::{Hop, Located, Locator},
    trunk::{TrunkId, Trunks},
};

/// Whether a next hop answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Health {
    /// It has not been asked yet: it is tried like one that answers.
    Unknown,
    /// It answers.
    Up,
    /// It does not answer, or says that it cannot serve (503).
    Down,
}

impl Health {
    /// For metric labels.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// An address of a trunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextHop {
    /// The trunk.
    pub trunk: TrunkId,
    /// The URI of the configuration that led there.
    pub uri: UriBuf,
    /// The address.
    pub hop: Hop,
}

type Key = (TrunkId, Transport, SocketAddr);

/// The next hops of all trunks.
#[derive(Debug)]
pub struct TrunkHops {
    routes: Vec<Route>,
    health: BTreeMap<Key, Health>,
    interval: Duration,
    /// When all are asked again; `None` without any next hop.
    due_at: Option<Instant>,
}

/// One next hop of the configuration, and the addresses that it stands for.
#[derive(Debug)]
struct Route {
    trunk: TrunkId,
    uri: UriBuf,
    hops: Vec<Hop>,
    is_pending: bool,
}

impl TrunkHops {
    /// The next hops of these trunks, asked for the first time at once and then every `interval`.
    pub fn new(now: Instant, trunks: &Trunks, interval: Duration) -> Self {
        let routes: Vec<_> = trunks
            .iter()
            .flat_map(|(trunk, one)| one.next_hops.iter().map(move |uri| (trunk, uri)))
            .map(|(trunk, uri)| Route {
                trunk,
                uri: uri.clone(),
                hops: Vec::new(),
                is_pending: false,
            })
            .collect();
        Self {
            due_at: (!routes.is_empty()).then_some(now),
            routes,
            health: BTreeMap::new(),
            interval,
        }
    }

    /// When the next hops are to be asked again.
    pub const fn poll_timeout(&self) -> Option<Instant> {
        self.due_at
    }

    /// Whom to ask by OPTIONS now: all, when that is due.
    pub fn handle_timeout(&mut self, now: Instant, locator: &mut Locator) -> Vec<NextHop> {
        if self.due_at.is_none_or(|at| now < at) {
            return Vec::new();
        }
        self.due_at = Some(now + self.interval);
        let asked = self.locate(now, locator, |_| true);
        let health = std::mem::take(&mut self.health);
        let known = |key: &Key| asked.iter().any(|next| key_of(next) == *key);
        self.health = health.into_iter().filter(|(key, _)| known(key)).collect();
        asked
    }

    /// DNS has answered: whom to ask by OPTIONS that was not known before.
    pub fn handle_located(&mut self, now: Instant, locator: &mut Locator) -> Vec<NextHop> {
        self.locate(now, locator, |route| route.is_pending)
    }

    /// Looks for the addresses of some routes, and gives those that are known.
    fn locate(
        &mut self,
        now: Instant,
        locator: &mut Locator,
        wanted: impl Fn(&Route) -> bool,
    ) -> Vec<NextHop> {
        let mut found = Vec::new();
        for route in self.routes.iter_mut().filter(|route| wanted(route)) {
            route.look(now, locator);
            found.extend(route.next_hops());
        }
        found
    }

    /// Where a call of this trunk is tried, the first first: what answers, in the order of the
    /// configuration and of DNS. When nothing answers everything is tried: a probe may be wrong, and a
    /// call is worth the attempt.
    pub fn targets(&mut self, now: Instant, locator: &mut Locator, trunk: TrunkId) -> Vec<NextHop> {
        let all = self.locate(now, locator, |route| route.trunk == trunk);
        let (down, usable): (Vec<_>, Vec<_>) = all
            .into_iter()
            .partition(|next| self.health(next) == Health::Down);
        if usable.is_empty() { down } else { usable }
    }

    /// Whether a trunk has a next hop that is not known to be dead.
    pub fn is_usable(&self, trunk: TrunkId) -> bool {
        let routes = self.routes.iter().filter(|route| route.trunk == trunk);
        let mut all = routes.flat_map(Route::next_hops);
        all.any(|next| self.health(&next) != Health::Down)
    }

    /// Whether a next hop answers, as far as is known.
    pub fn health(&self, next: &NextHop) -> Health {
        let health = self.health.get(&key_of(next));
        health.copied().unwrap_or(Health::Unknown)
    }

    /// Notes whether a next hop has answered. Whether that is news.
    pub fn note(&mut self, next: &NextHop, health: Health) -> bool {
        self.health.insert(key_of(next), health) != Some(health)
    }

    /// How many next hops of a trunk are known to answer, are not, and have not been asked.
    pub fn count(&self, trunk: TrunkId, health: Health) -> usize {
        let routes = self.routes.iter().filter(|route| route.trunk == trunk);
        let all = routes.flat_map(Route::next_hops);
        all.filter(|next| self.health(next) == health).count()
    }
}

impl Route {
    fn look(&mut self, now: Instant, locator: &mut Locator) {
        let uri = self.uri.as_uri();
        let Uri::Sip(uri) = uri else { return };
        let located = locator.locate(now, &uri);
        self.is_pending = located == Located::Pending;
        match located {
            Located::Hops(hops) => self.hops = hops,
            // What DNS said last counts while it is silent.
            Located::Perhaps(hops) if self.hops.is_empty() => self.hops = hops,
            Located::Perhaps(_) | Located::Pending | Located::Nowhere => {}
        }
    }

    fn next_hops(&self) -> impl Iterator<Item = NextHop> + '_ {
        self.hops.iter().map(|hop| NextHop {
            trunk: self.trunk,
            uri: self.uri.clone(),
            hop: hop.clone(),
        })
    }
}

const fn key_of(next: &NextHop) -> Key {
    (next.trunk, next.hop.transport, next.hop.remote)
}
