//! A world that somebody watches step by step.

use std::{net::SocketAddr, time::Instant};

use engine::Event;

use super::World;
use crate::{
    laws::Sighting,
    network::{Damage, Datagram, Mishaps},
    peer::{Peer, PeerEvent},
};
use std::time::Duration;

impl World {
    /// From now on what nodes send and receive is kept for [`World::take_sightings`].
    pub(crate) fn watch(&mut self) {
        self.sightings = Some(Vec::new());
    }

    /// From now on the ladder is that of the last minute.
    pub(crate) fn keep_last_minute(&mut self) {
        self.tape.keep_last_minute();
    }

    /// Does the next thing that is due by then, if there is one; else it is then.
    pub(crate) fn advance(&mut self, until: Instant) -> bool {
        match self.next_wakeup().filter(|&at| at <= until) {
            Some(at) => {
                self.now = self.now.max(at);
                self.step();
                true
            }
            None => {
                self.now = self.now.max(until);
                false
            }
        }
    }

    /// The Call-IDs by which phones ring.
    pub(crate) fn ringing(&self) -> impl Iterator<Item = &str> {
        self.peers.values().flat_map(Peer::ringing)
    }

    /// The Call-IDs and own tags of what peers have that is connected.
    pub(crate) fn talking(&self) -> impl Iterator<Item = (&str, &str)> {
        self.peers.values().flat_map(Peer::talking)
    }

    /// The same of callers who wait for an answer.
    pub(crate) fn calling(&self) -> impl Iterator<Item = (&str, &str)> {
        self.peers.values().flat_map(Peer::calling)
    }

    /// Whether a node has done anything since this was last asked.
    pub(crate) const fn take_touched(&mut self) -> bool {
        std::mem::replace(&mut self.is_touched, false)
    }

    /// A message that arrives at a node as it was sent.
    pub(super) fn see(&mut self, datagram: &Datagram, node: SocketAddr) {
        if let Some(sighting) = Sighting::of(datagram) {
            self.note(sighting, node);
        }
    }

    /// A message that arrives at a node and was damaged on its way.
    pub(super) fn see_damaged(&mut self, datagram: &Datagram, node: SocketAddr) {
        if let Some(sighting) = Sighting::of(datagram) {
            self.watcher.see_damaged(&sighting, node);
        }
    }

    /// A message that a node sends, or that arrives at it.
    pub(super) fn note(&mut self, sighting: Sighting, node: SocketAddr) {
        self.watcher.see(&sighting, node);
        if let Some(sightings) = &mut self.sightings {
            sightings.push(sighting);
        }
    }

    pub(crate) fn take_sightings(&mut self) -> Vec<Sighting> {
        self.sightings
            .as_mut()
            .map(std::mem::take)
            .unwrap_or_default()
    }

    pub(crate) fn take_events(&mut self) -> Vec<(Duration, Event)> {
        std::mem::take(&mut self.events)
    }

    pub(crate) fn take_peer_events(&mut self) -> Vec<(Duration, SocketAddr, PeerEvent)> {
        std::mem::take(&mut self.peer_events)
    }

    /// The network does this, beside its weather, from now on.
    pub(crate) const fn set_damage(&mut self, damage: Damage) {
        self.network.set_damage(damage);
    }

    /// What the network has done so far.
    pub(crate) const fn mishaps(&self) -> Mishaps {
        self.network.mishaps()
    }

    /// Nobody holds a node to this call: what was written of it is lost with a part of the disk.
    pub(crate) fn forgive_call(&mut self, call: &str) {
        self.watcher.forgive_call(call);
    }

    /// The same for dialogs with these Call-IDs.
    pub(crate) fn forgive_dialogs(&mut self, is_lost: impl Fn(&str) -> bool) {
        self.watcher.forgive_dialogs(is_lost);
    }
}
