//! When machines have something to do: asked of each once it has done something, not before every step.

use std::{collections::BTreeMap, net::SocketAddr, time::Instant};

/// The next deadline of each machine that has one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Alarms {
    set: BTreeMap<SocketAddr, Instant>,
}

impl Alarms {
    /// What a machine waits for from now on.
    pub(super) fn set(&mut self, machine: SocketAddr, at: Option<Instant>) {
        match at {
            Some(at) => self.set.insert(machine, at),
            None => self.set.remove(&machine),
        };
    }

    /// The first of all.
    pub(super) fn next(&self) -> Option<Instant> {
        self.set.values().min().copied()
    }

    /// The machines that have something to do now, in the order of their addresses.
    pub(super) fn due(&self, now: Instant) -> Vec<SocketAddr> {
        let due = self.set.iter().filter(|(_, at)| **at <= now);
        due.map(|(machine, _)| *machine).collect()
    }
}

/// What the machines themselves say.
impl FromIterator<(SocketAddr, Option<Instant>)> for Alarms {
    fn from_iter<T: IntoIterator<Item = (SocketAddr, Option<Instant>)>>(machines: T) -> Self {
        let machines = machines.into_iter();
        Self {
            set: machines
                .filter_map(|(machine, at)| Some((machine, at?)))
                .collect(),
        }
    }
}
