//! Phones that have come back by another way: what is still being said to them by the old one goes by the new.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use sip_transaction::Flow;

/// Ways that lead nowhere any more, and what leads there instead.
#[derive(Debug, Default)]
pub(crate) struct MovedPhones {
    ways: BTreeMap<Flow, Flow>,
    /// The oldest first.
    ends: VecDeque<(Instant, Flow)>,
}

/// So long something may be said again that began before: an answer by whoever had not heard that the call is over is
/// waited for twice as long as a transaction (RFC 3261 §17.1.1.2, 64·T1).
const SAID_AGAIN_FOR: Duration = Duration::from_secs(64);

/// So many are kept: a region's phones, all of which come back at once.
const MOVED_MAX: usize = 20_000;

impl MovedPhones {
    /// What goes by `from` is to go by `to`. Not where that is another listener: what is said again names the one by which
    /// it left first.
    pub(crate) fn insert(&mut self, now: Instant, from: Flow, to: Flow) {
        if (from.transport, from.listener) != (to.transport, to.listener) {
            return;
        }
        self.forget_until(now);
        if self.ends.len() == MOVED_MAX
            && let Some((_, oldest)) = self.ends.pop_front()
        {
            self.ways.remove(&oldest);
        }
        // It leads somewhere again. So no way leads back to itself.
        self.ways.remove(&to);
        self.ways.insert(from, to);
        self.ends.push_back((now + SAID_AGAIN_FOR, from));
    }

    /// The way that leads where this one did.
    pub(crate) fn instead_of(&self, flow: Flow) -> Flow {
        let mut last = flow;
        while let Some(&next) = self.ways.get(&last) {
            last = next;
        }
        last
    }

    /// When one is not needed any more.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.ends.front().map(|&(until, _)| until)
    }

    /// Forgets those that are not needed any more.
    pub(crate) fn forget_until(&mut self, now: Instant) {
        while let Some((_, from)) = self.ends.pop_front_if(|(until, _)| *until <= now) {
            self.ways.remove(&from);
        }
    }
}

#[cfg(test)]
mod tests {
    use sip::Transport;
    use sip_transaction::ListenerId;

    use super::*;

    const fn way(port: u16) -> Flow {
        Flow {
            transport: Transport::Tcp,
            listener: ListenerId(0),
            remote: std::net::SocketAddr::new(
                std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
                port,
            ),
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "an Instant has no other constructor"
    )]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn what_goes_by_a_way_of_before_goes_by_the_last() {
        let (mut moved, now) = (MovedPhones::default(), start());
        moved.insert(now, way(1), way(2));
        moved.insert(now, way(2), way(3));
        assert_eq!(
            [1, 2, 3, 4].map(|port| moved.instead_of(way(port))),
            [3, 3, 3, 4].map(way)
        );
    }

    #[test]
    fn a_way_that_leads_somewhere_again_leads_there() {
        let (mut moved, now) = (MovedPhones::default(), start());
        for (from, to) in [(1, 2), (2, 1), (1, 3), (3, 2)] {
            moved.insert(now, way(from), way(to));
            assert_eq!(moved.instead_of(way(to)), way(to));
            assert_eq!(moved.instead_of(way(from)), way(to));
        }
    }

    #[test]
    fn nothing_is_kept_for_longer_than_it_is_needed() {
        let (mut moved, now) = (MovedPhones::default(), start());
        moved.insert(now, way(1), way(2));
        let until = moved.next_deadline().unwrap();
        assert_eq!(until, now + SAID_AGAIN_FOR);
        moved.forget_until(until);
        assert_eq!(moved.instead_of(way(1)), way(1));
        assert_eq!(moved.next_deadline(), None);
    }

    #[test]
    fn nothing_goes_by_another_listener() {
        let (mut moved, now) = (MovedPhones::default(), start());
        let other = Flow {
            listener: ListenerId(1),
            ..way(2)
        };
        moved.insert(now, way(1), other);
        assert_eq!(moved.instead_of(way(1)), way(1));
    }
}
