//! Trunks: who may send calls, by source address or by certificate.

use std::{cmp::Reverse, net::IpAddr};

use sip::UriBuf;

use crate::{cidr::Cidr, numbers::NumberForm, trunk_load::TrunkLimits};

/// A trunk as the configuration has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trunk {
    /// Its name, for people.
    pub name: String,
    /// Where its messages come from.
    pub sources: Vec<Cidr>,
    /// The names that its certificates prove over TLS (RFC 5922 §7.1), in lower case. One name of one
    /// certificate is enough, wherever the connection comes from.
    pub certificates: Vec<String>,
    /// How much it may send.
    pub limits: TrunkLimits,
    /// Where calls to it are sent, the first first: SIP URIs, without a user, of an address or of a
    /// name for RFC 3263. None takes no calls.
    pub next_hops: Vec<UriBuf>,
    /// Which numbers it takes: those that begin so, in the form of [`NumberForm::read`].
    pub prefixes: Vec<String>,
    /// How numbers are written on it.
    pub numbers: NumberForm,
    /// The number that calls of agents show to it, in its own form.
    pub presented: Option<String>,
    /// What it sees of our network.
    pub topology: Topology,
    /// Whether it is told who calls even when the caller has asked for privacy (RFC 3325 §7).
    pub trust: Trust,
}

/// What a trunk sees of our network when an agent calls out, or is called in person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topology {
    /// What the phone has written: we forward as a proxy.
    Kept,
    /// Nothing: we call as a back-to-back user agent.
    Hidden,
}

/// Whether a trunk belongs to those who keep a caller's privacy (the Trust Domain of RFC 3325).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It does: an identity goes to it whatever Privacy says.
    Trusted,
    /// It does not: an identity that is to be private is taken off.
    Untrusted,
}

impl Trunk {
    /// A trunk of this name that nothing comes from and that takes no calls.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            sources: Vec::new(),
            certificates: Vec::new(),
            limits: TrunkLimits::default(),
            next_hops: Vec::new(),
            prefixes: Vec::new(),
            numbers: NumberForm::e164("33"),
            presented: None,
            topology: Topology::Kept,
            trust: Trust::Untrusted,
        }
    }
}

/// A trunk, by its place in the list that [`Trunks::new`] was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrunkId(u16);

impl TrunkId {
    /// The trunk at this place.
    pub const fn new(index: u16) -> Self {
        Self(index)
    }

    /// Its place, from 0.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The same prefix in two trunks: a mistake of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overlap {
    /// The prefix.
    pub source: Cidr,
    /// The trunk that has it, since it comes first.
    pub kept: TrunkId,
    /// The trunk that does not get it.
    pub ignored: TrunkId,
}

/// All trunks. The trunk of an address is the one with the longest prefix that holds it, as in a
/// routing table; a look-up costs the logarithm of the number of prefixes.
#[derive(Clone, Debug)]
pub struct Trunks {
    trunks: Vec<Trunk>,
    v4: Ranges,
    v6: Ranges,
    overlaps: Vec<Overlap>,
}

impl Trunks {
    /// The trunks, identified by their order. Where two have the same prefix the first has it, and
    /// [`Trunks::overlaps`] tells.
    ///
    /// # Panics
    /// With more than 65,536 trunks.
    pub fn new(trunks: Vec<Trunk>) -> Self {
        let mut prefixes: Vec<_> = (0_u32..)
            .zip(&trunks)
            .flat_map(|(index, trunk)| {
                let index = u16::try_from(index).expect("there are no more than 65,536 trunks");
                trunk
                    .sources
                    .iter()
                    .map(move |&cidr| (cidr, TrunkId(index)))
            })
            .collect();
        // Of the same prefix, the one of the first trunk comes first; other entries of the same
        // trunk are mere repetitions.
        prefixes.sort_unstable();
        prefixes.dedup();
        let mut overlaps = Vec::new();
        prefixes.dedup_by(|&mut (source, ignored), &mut (before, kept)| {
            let is_same = source == before;
            if is_same {
                overlaps.push(Overlap {
                    source,
                    kept,
                    ignored,
                });
            }
            is_same
        });
        let (v4, v6): (Vec<_>, Vec<_>) = prefixes
            .into_iter()
            .partition(|(cidr, _)| cidr.address().is_ipv4());
        Self {
            trunks,
            v4: Ranges::new(v4),
            v6: Ranges::new(v6),
            overlaps,
        }
    }

    /// The trunk that messages from this address belong to. An IPv4-mapped IPv6 address counts as
    /// the IPv4 one.
    pub fn by_source(&self, address: IpAddr) -> Option<TrunkId> {
        match address.to_canonical() {
            IpAddr::V4(v4) => self.v4.find(u128::from(v4.to_bits())),
            IpAddr::V6(v6) => self.v6.find(v6.to_bits()),
        }
    }

    /// The trunk that a peer belongs to whose certificate proves these names: the first that has one
    /// of them.
    pub fn by_certificate(&self, names: &[String]) -> Option<TrunkId> {
        let proves = |name: &String| names.iter().any(|one| one.eq_ignore_ascii_case(name));
        self.iter()
            .find(|(_, trunk)| trunk.certificates.iter().any(proves))
            .map(|(id, _)| id)
    }

    /// The trunks that take a number, in the form of [`NumberForm::read`]: that of the longest prefix
    /// first, and of the same prefix in their order.
    pub fn taking(&self, number: &str) -> Vec<TrunkId> {
        let longest = |trunk: &Trunk| {
            let fitting = trunk.prefixes.iter().filter(|one| number.starts_with(*one));
            fitting.map(String::len).max()
        };
        let takes = self.iter().filter(|(_, trunk)| !trunk.next_hops.is_empty());
        let mut taking: Vec<_> = takes
            .filter_map(|(id, trunk)| Some((Reverse(longest(trunk)?), id)))
            .collect();
        taking.sort_unstable();
        taking.into_iter().map(|(_, id)| id).collect()
    }

    /// The trunk of this id.
    pub fn get(&self, id: TrunkId) -> Option<&Trunk> {
        self.trunks.get(id.index())
    }

    /// All trunks in their order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (TrunkId, &Trunk)> {
        let ids = |index| TrunkId(u16::try_from(index).expect("Trunks::new has counted them"));
        self.trunks
            .iter()
            .enumerate()
            .map(move |(index, trunk)| (ids(index), trunk))
    }

    /// The prefixes that more than one trunk has.
    pub fn overlaps(&self) -> &[Overlap] {
        &self.overlaps
    }
}

/// Prefixes of one family as ranges that do not overlap: the number where each begins, in order,
/// and whose it is up to where the next begins. Of several that begin at the same number the last
/// counts; the others are empty.
#[derive(Clone, Debug)]
struct Ranges {
    starts: Vec<(u128, Option<TrunkId>)>,
}

impl Ranges {
    /// Prefixes never cross: of two, one holds the other or they are apart. So a walk in the order
    /// of their first addresses, outer before inner, keeps those that are open on a stack.
    fn new(mut prefixes: Vec<(Cidr, TrunkId)>) -> Self {
        prefixes.sort_by_key(|(cidr, _)| {
            let (first, last) = cidr.bounds();
            (first, Reverse(last))
        });
        let mut ranges = Self { starts: Vec::new() };
        let mut open: Vec<(u128, TrunkId)> = Vec::new();
        for (cidr, trunk) in prefixes {
            let (first, last) = cidr.bounds();
            ranges.close(&mut open, first);
            ranges.starts.push((first, Some(trunk)));
            open.push((last, trunk));
        }
        while let Some((last, _)) = open.pop() {
            ranges.resume(last, &open);
        }
        ranges
    }

    /// Ends the open prefixes that do not reach to `at`.
    fn close(&mut self, open: &mut Vec<(u128, TrunkId)>, at: u128) {
        while let Some((last, _)) = open.pop_if(|&mut (last, _)| last < at) {
            self.resume(last, open);
        }
    }

    /// After a prefix whose last address this is, the one around it goes on.
    fn resume(&mut self, last: u128, open: &[(u128, TrunkId)]) {
        if let Some(next) = last.checked_add(1) {
            let trunk = open.last().map(|&(_, trunk)| trunk);
            self.starts.push((next, trunk));
        }
    }

    fn find(&self, address: u128) -> Option<TrunkId> {
        let after = self.starts.partition_point(|&(start, _)| start <= address);
        self.starts[..after].last()?.1
    }
}
