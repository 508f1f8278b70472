//! Flows that lead nowhere any more, because whoever was reached by them has come back by others: what began by the old
//! one goes on by the new.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use slotmap::KeyData;

use super::{ClientTx, TransactionLayer};
use crate::flow::Flow;

/// Which flow leads where another one did.
#[derive(Debug, Default)]
pub(super) struct MovedFlows {
    /// And until when.
    to: BTreeMap<Flow, (Flow, Instant)>,
    ends: BTreeSet<(Instant, Flow)>,
}

/// For so long something may be said again that began before: twice as long as a transaction lasts, since who has not
/// heard the end of one may say so for as long again (RFC 3261 §17.1.1.2, 64·T1).
const SAID_AGAIN_FOR: Duration = Duration::from_secs(64);

/// For so long a dialog that went through us may last whose Record-Route names a connection. Its address is nobody else's
/// before they have asked something by it; that of a datagram can be a phone that is called.
const NAMED_FOR: Duration = Duration::from_secs(12 * 3_600);

/// So many are kept: the phones of a region, all of which come back at once.
const MOVED_MAX: usize = 20_000;

impl MovedFlows {
    fn insert(&mut self, now: Instant, from: Flow, to: Flow) {
        self.forget_until(now);
        // So none leads back to itself.
        self.lives(to);
        self.lives(from);
        if self.ends.len() == MOVED_MAX
            && let Some((_, first)) = self.ends.pop_first()
        {
            self.to.remove(&first);
        }
        let lasts = match from.transport.is_reliable() {
            true => NAMED_FOR,
            false => SAID_AGAIN_FOR,
        };
        let until = now + lasts;
        self.to.insert(from, (to, until));
        self.ends.insert((until, from));
    }

    /// It leads somewhere again: perhaps to somebody else, who has been given its port.
    #[inline]
    pub(super) fn lives(&mut self, flow: Flow) {
        if !self.to.is_empty()
            && let Some((_, until)) = self.to.remove(&flow)
        {
            self.ends.remove(&(until, flow));
        }
    }

    /// The flow that leads where this one did.
    #[inline]
    pub(super) fn instead_of(&self, flow: Flow) -> Flow {
        // Mostly there are none, and each message asks.
        if self.to.is_empty() {
            return flow;
        }
        self.last_of(flow)
    }

    fn last_of(&self, flow: Flow) -> Flow {
        let mut last = flow;
        while let Some(&(next, _)) = self.to.get(&last) {
            last = next;
        }
        last
    }

    /// Forgets those that are not needed any more.
    pub(super) fn forget_until(&mut self, now: Instant) {
        while let Some(&(until, from)) = self.ends.first()
            && until <= now
        {
            self.ends.pop_first();
            self.to.remove(&from);
        }
    }
}

impl TransactionLayer {
    /// The flow that leads where this one did: itself, unless [`Self::flow_moved`] has told of another one.
    pub fn instead_of(&self, flow: Flow) -> Flow {
        self.moved.instead_of(flow)
    }

    /// Somebody asks something new by this flow: it leads to them.
    pub fn flow_lives(&mut self, flow: Flow) {
        self.moved.lives(flow);
    }

    /// Whoever was reached by a flow is reached by another one: a phone has opened a new connection, or its NAT another
    /// port. All that would leave by the old one leaves by the new: for a minute, or for half a day where it was a connection,
    /// by which routes of dialogs may lead. What waits there for its answer is
    /// sent again at once, but for an INVITE that makes a phone ring; where the old one is known to be lost, when it is
    /// repeated anyway. Once a request has come by the old one, it leads to whoever sent that.
    ///
    /// Ignored where the new one is of another listener: what is said again names the one by which it left first.
    pub fn flow_moved(&mut self, now: Instant, from: Flow, to: Flow) {
        if from == to || (from.transport, from.listener) != (to.transport, to.listener) {
            return;
        }
        self.moved.insert(now, from, to);
        let lowest = ClientTx::from(KeyData::from_ffi(0));
        let open = self.by_flow.range((from, lowest)..);
        let open = open.take_while(|(flow, _)| *flow == from);
        let open: Vec<_> = open.map(|&(_, tx)| tx).collect();
        for tx in open {
            self.redirect(tx, to);
        }
    }
}

#[cfg(test)]
mod tests {
    use sip::Transport;

    use super::*;
    use crate::flow::ListenerId;

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
        let (mut moved, now) = (MovedFlows::default(), start());
        moved.insert(now, way(1), way(2));
        moved.insert(now, way(2), way(3));
        assert_eq!(
            [1, 2, 3, 4].map(|port| moved.instead_of(way(port))),
            [3, 3, 3, 4].map(way)
        );
    }

    #[test]
    fn a_way_that_leads_somewhere_again_leads_there() {
        let (mut moved, now) = (MovedFlows::default(), start());
        for (from, to) in [(1, 2), (2, 1), (1, 3), (3, 2)] {
            moved.insert(now, way(from), way(to));
            assert_eq!(moved.instead_of(way(to)), way(to));
            assert_eq!(moved.instead_of(way(from)), way(to));
        }
    }

    #[test]
    fn nothing_is_kept_for_longer_than_it_is_needed() {
        let (mut moved, now) = (MovedFlows::default(), start());
        moved.insert(now, way(1), way(2));
        let datagrams = Flow {
            transport: Transport::Udp,
            ..way(1)
        };
        let others = Flow {
            remote: way(2).remote,
            ..datagrams
        };
        moved.insert(now, datagrams, others);
        moved.forget_until(now + SAID_AGAIN_FOR);
        assert_eq!(moved.instead_of(datagrams), datagrams);
        assert_eq!(moved.instead_of(way(1)), way(2));
        moved.forget_until(now + NAMED_FOR);
        assert_eq!(moved.instead_of(way(1)), way(1));
        assert!(moved.ends.is_empty() && moved.to.is_empty());
    }

    #[test]
    fn one_that_moves_again_is_known_for_as_long_again() {
        let (mut moved, now) = (MovedFlows::default(), start());
        moved.insert(now, way(1), way(2));
        let later = now + NAMED_FOR / 2;
        moved.insert(later, way(2), way(1));
        moved.insert(later, way(1), way(3));
        moved.forget_until(now + NAMED_FOR);
        assert_eq!(moved.instead_of(way(1)), way(3));
        moved.forget_until(later + NAMED_FOR);
        assert!(moved.ends.is_empty() && moved.to.is_empty());
    }

    #[test]
    fn the_oldest_makes_room() {
        let (mut moved, now) = (MovedFlows::default(), start());
        let count = u16::try_from(MOVED_MAX).unwrap();
        for port in 1..=count + 1 {
            moved.insert(now, way(port), way(count + 2));
        }
        assert_eq!(moved.to.len(), MOVED_MAX);
        assert_eq!(moved.instead_of(way(1)), way(1));
        assert_eq!(moved.instead_of(way(2)), way(count + 2));
    }
}
