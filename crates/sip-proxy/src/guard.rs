//! Sources that nobody knows and that only cost: scanners, guessers of passwords, noise. Each
//! offence costs a token; who has none left is banned for a time, and what then comes from there
//! costs one look-up.
//!
//! Operators and registered phones are not guarded: their owner does not ask.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

/// How patient a [`Guard`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardSettings {
    /// Offences that a source may commit at once.
    pub offences_max: u32,
    /// In this time one offence is forgotten.
    pub forgives_every: Duration,
    /// How long the first ban lasts; each further one of the same source lasts twice as long.
    pub ban_min: Duration,
    /// How long a ban lasts at most.
    pub ban_max: Duration,
    /// Sources that are remembered at most; the one that offended longest ago makes room.
    pub sources_max: usize,
}

impl Default for GuardSettings {
    fn default() -> Self {
        Self {
            offences_max: 20,
            forgives_every: Duration::from_secs(3),
            ban_min: Duration::from_secs(60),
            ban_max: Duration::from_secs(3600),
            sources_max: 65_536,
        }
    }
}

/// In how many parts an offence is counted: so many phones behind one address may have to be asked where one may offend.
pub const OFFENCE: u32 = 20;

/// What an offence led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offence {
    /// Nothing yet.
    Noted,
    /// The source is banned from now on.
    Banned {
        /// For so long.
        lasts: Duration,
    },
}

/// Remembers offences by source. An IPv6 source is its /64: whoever has one address of it has all.
#[derive(Debug)]
pub struct Guard {
    settings: GuardSettings,
    sources: BTreeMap<IpAddr, Record>,
    /// Who offended when, the longest ago first.
    by_age: BTreeSet<(Instant, IpAddr)>,
}

#[derive(Clone, Copy, Debug)]
struct Record {
    /// In parts of which [`OFFENCE`] are one.
    offences: u32,
    /// Up to when offences have been forgiven.
    forgiven_at: Instant,
    offended_at: Instant,
    bans: u32,
    banned_until: Option<Instant>,
}

impl Guard {
    /// A guard that has seen nothing.
    pub const fn new(settings: GuardSettings) -> Self {
        Self {
            settings,
            sources: BTreeMap::new(),
            by_age: BTreeSet::new(),
        }
    }

    /// Whether what comes from this source is dropped unread.
    pub fn is_banned(&self, now: Instant, source: IpAddr) -> bool {
        let record = self.sources.get(&key(source));
        record.is_some_and(|record| record.banned_until.is_some_and(|until| now < until))
    }

    /// A source has sent what only costs.
    pub fn offend(&mut self, now: Instant, source: IpAddr) -> Offence {
        self.charge(now, source, OFFENCE)
    }

    /// A source had to be asked who it is, as each phone has to be once: [`OFFENCE`] of these are an offence.
    pub fn ask(&mut self, now: Instant, source: IpAddr) -> Offence {
        self.charge(now, source, 1)
    }

    fn charge(&mut self, now: Instant, source: IpAddr, cost: u32) -> Offence {
        let source = key(source);
        let GuardSettings {
            offences_max,
            forgives_every,
            ban_min,
            ban_max,
            ..
        } = self.settings;
        let mut record = match self.sources.get(&source) {
            Some(&record) => {
                self.by_age.remove(&(record.offended_at, source));
                record.forgiven(now, forgives_every, ban_max)
            }
            None => Record {
                offences: 0,
                forgiven_at: now,
                offended_at: now,
                bans: 0,
                banned_until: None,
            },
        };
        record.offences = record.offences.saturating_add(cost);
        record.offended_at = now;
        let is_banned = record.offences > offences_max.saturating_mul(OFFENCE);
        if is_banned {
            let lasts = ban_min
                .saturating_mul(1 << record.bans.min(16))
                .min(ban_max);
            record.bans += 1;
            record.offences = 0;
            record.banned_until = Some(now + lasts);
        }
        self.sources.insert(source, record);
        self.by_age.insert((now, source));
        self.make_room();
        match record.banned_until.filter(|_| is_banned) {
            Some(until) => Offence::Banned { lasts: until - now },
            None => Offence::Noted,
        }
    }

    /// Forgets a source: it has proven to be somebody.
    pub fn pardon(&mut self, source: IpAddr) {
        let source = key(source);
        if let Some(record) = self.sources.remove(&source) {
            self.by_age.remove(&(record.offended_at, source));
        }
    }

    /// Sources that are remembered.
    pub fn len(&self) -> usize {
        self.sources.len()
    }

    /// Whether no source is remembered.
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    fn make_room(&mut self) {
        while self.sources.len() > self.settings.sources_max
            && let Some((_, source)) = self.by_age.pop_first()
        {
            self.sources.remove(&source);
        }
    }
}

impl Record {
    /// As it is now: one offence less for each time that has passed. Bans are forgotten after twice the
    /// longest without offence.
    fn forgiven(mut self, now: Instant, every: Duration, ban_max: Duration) -> Self {
        let passed = now.saturating_duration_since(self.forgiven_at).as_nanos();
        let forgiven = u32::try_from(passed / every.as_nanos().max(1)).unwrap_or(u32::MAX);
        self.offences = self
            .offences
            .saturating_sub(forgiven.saturating_mul(OFFENCE));
        self.forgiven_at = if self.offences == 0 {
            now
        } else {
            self.forgiven_at + every * forgiven
        };
        if now.saturating_duration_since(self.offended_at) > 2 * ban_max {
            self.bans = 0;
        }
        self
    }
}

fn key(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(v6) => {
            let network = v6.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}
