//! The location table: all bindings, and when the next of them expires.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Instant,
};

use crate::binding::{Aor, Binding};

/// The bindings of every address-of-record that has any. Each call costs at most the logarithm of
/// the number of addresses-of-record, and as much again for each binding of the one in question.
#[derive(Debug, Default)]
pub(crate) struct Location {
    /// Never an empty list; each in the order in which contacts are to be tried.
    records: BTreeMap<Aor, Vec<Binding>>,
    /// When the first binding of each record expires: one entry for each record.
    deadlines: BTreeSet<(Instant, Aor)>,
    /// Where bindings were registered from, and how many from there.
    sources: BTreeMap<IpAddr, usize>,
}

impl Location {
    /// Replaces all bindings of an address-of-record.
    pub(crate) fn set(&mut self, aor: Aor, bindings: Vec<Binding>) {
        let next = first_expiry(&bindings);
        for binding in self.bindings(aor).to_vec() {
            self.forget_source(source_of(&binding));
        }
        for binding in &bindings {
            *self.sources.entry(source_of(binding)).or_default() += 1;
        }
        let before = if bindings.is_empty() {
            self.records.remove(&aor)
        } else {
            self.records.insert(aor, bindings)
        };
        if let Some(deadline) = before.as_deref().and_then(first_expiry) {
            self.deadlines.remove(&(deadline, aor));
        }
        self.deadlines
            .extend(next.map(|next_deadline| (next_deadline, aor)));
        self.check_invariants(aor);
    }

    /// Drops what has expired of one address-of-record that has something expired; `None` when
    /// nobody has. Tells which one it was and how many bindings it has left.
    pub(crate) fn expire_next(&mut self, now: Instant) -> Option<(Aor, usize)> {
        let &(deadline, aor) = self.deadlines.first()?;
        if deadline > now {
            return None;
        }
        let mut bindings = self.bindings(aor).to_vec();
        bindings.retain(|binding| binding.expires_at > now);
        let left = bindings.len();
        self.set(aor, bindings);
        Some((aor, left))
    }

    /// The bindings of an address-of-record, the best first.
    pub(crate) fn bindings(&self, aor: Aor) -> &[Binding] {
        self.records.get(&aor).map_or(&[], Vec::as_slice)
    }

    /// Whether a binding was registered from this address.
    pub(crate) fn knows_source(&self, address: IpAddr) -> bool {
        self.sources.contains_key(&address.to_canonical())
    }

    fn forget_source(&mut self, address: IpAddr) {
        if let Some(count) = self.sources.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.sources.remove(&address);
            }
        }
    }

    /// How many addresses-of-record have a binding.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// When the next binding expires.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        self.deadlines.first().map(|&(deadline, _)| deadline)
    }

    /// What must hold of a record after each change of it.
    fn check_invariants(&self, aor: Aor) {
        debug_assert_eq!(self.records.len(), self.deadlines.len());
        let record = self.records.get(&aor);
        debug_assert!(record.is_none_or(|bindings| {
            let is_best_first = bindings.is_sorted_by(|better, next| better.q >= next.q);
            let deadline = first_expiry(bindings);
            is_best_first && deadline.is_some_and(|at| self.deadlines.contains(&(at, aor)))
        }));
    }
}

fn source_of(binding: &Binding) -> IpAddr {
    binding.source.remote.ip().to_canonical()
}

fn first_expiry(bindings: &[Binding]) -> Option<Instant> {
    bindings.iter().map(|binding| binding.expires_at).min()
}
