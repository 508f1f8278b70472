//! Room for connections that others open: so many in all, and so many from one address.
//!
//! This file is compiled a second time under `model`, which runs it in many orders of its steps.

use std::net::IpAddr;

use config::ConnectionLimits;
use metrics::ConnectionRefusal;

use super::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
    planted::{Planted, has_planted},
    tasks::{DashMap, Entry},
};

/// The places that there are.
#[derive(Debug)]
pub(super) struct Places {
    limits: ConnectionLimits,
    taken: AtomicUsize,
    by_source: DashMap<IpAddr, usize>,
}

/// A place that is taken until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    source: IpAddr,
}

impl Places {
    pub(super) fn new(limits: ConnectionLimits) -> Self {
        Self {
            limits,
            taken: AtomicUsize::new(0),
            by_source: DashMap::new(),
        }
    }

    /// A place for a connection from here, if there is one.
    pub(super) fn take(self: &Arc<Self>, source: IpAddr) -> Result<Place, ConnectionRefusal> {
        let source = source.to_canonical();
        let of_source = self.by_source.entry(source);
        let taken = match &of_source {
            Entry::Occupied(taken) => *taken.get(),
            Entry::Vacant(_) => 0,
        };
        // Looked at before a place is taken: who gets none must not have one, for however short a time, that
        // another would get.
        if taken >= self.limits.per_source_max {
            return Err(ConnectionRefusal::PerSourceMax);
        }
        if !self.take_one() {
            return Err(ConnectionRefusal::ConnectionsMax);
        }
        *of_source.or_insert(0) += 1;
        Ok(Place {
            places: self.clone(),
            source,
        })
    }

    /// How many addresses have places.
    #[cfg(test)]
    pub(super) fn sources(&self) -> usize {
        self.by_source.len()
    }

    fn take_one(&self) -> bool {
        let max = self.limits.connections_max;
        if has_planted(Planted::PlaceTakenLate) {
            let there_is_one = self.taken.load(Ordering::Relaxed) < max;
            return there_is_one && self.taken.fetch_add(1, Ordering::Relaxed) < usize::MAX;
        }
        if has_planted(Planted::PlaceHeldInVain) {
            let there_is_one = self.taken.fetch_add(1, Ordering::Relaxed) < max;
            self.taken
                .fetch_sub(usize::from(!there_is_one), Ordering::Relaxed);
            return there_is_one;
        }
        let another = |taken| (taken < max).then_some(taken + 1);
        let order = Ordering::Relaxed;
        self.taken.fetch_update(order, order, another).is_ok()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken.fetch_sub(1, Ordering::Relaxed);
        if let Entry::Occupied(mut of_source) = self.places.by_source.entry(self.source) {
            *of_source.get_mut() -= 1;
            if *of_source.get() == 0 {
                of_source.remove();
            }
        }
    }
}
