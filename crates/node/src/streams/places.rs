//! Room for connections that others open: so many in all, and so many from one address.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use config::ConnectionLimits;
use dashmap::{DashMap, mapref::entry::Entry};
use metrics::ConnectionRefusal;

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
        if self.taken.fetch_add(1, Ordering::Relaxed) >= self.limits.connections_max {
            self.taken.fetch_sub(1, Ordering::Relaxed);
            return Err(ConnectionRefusal::ConnectionsMax);
        }
        let mut of_source = self.by_source.entry(source).or_insert(0);
        if *of_source >= self.limits.per_source_max {
            self.taken.fetch_sub(1, Ordering::Relaxed);
            return Err(ConnectionRefusal::PerSourceMax);
        }
        *of_source += 1;
        Ok(Place {
            places: self.clone(),
            source,
        })
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

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn address(last: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, last).into()
    }

    #[test]
    fn one_source_does_not_take_the_places_of_others_and_gives_its_own_back() {
        let places = Arc::new(Places::new(ConnectionLimits {
            connections_max: 3,
            per_source_max: 2,
            ..ConnectionLimits::default()
        }));
        let first = places.take(address(1)).unwrap();
        let _second = places.take(address(1)).unwrap();
        let refused = places.take(address(1)).unwrap_err();
        assert_eq!(refused, ConnectionRefusal::PerSourceMax);
        let other = places.take(address(2)).unwrap();
        let refused = places.take(address(3)).unwrap_err();
        assert_eq!(refused, ConnectionRefusal::ConnectionsMax);
        drop(first);
        let _again = places.take(address(1)).unwrap();
        drop(other);
        assert_eq!(places.by_source.len(), 1);
    }
}
