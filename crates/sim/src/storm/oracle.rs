//! What must hold after each step, seen from outside: the views of the engine, the wire, the facts that
//! are told, and the rows on the disk.

mod calls;
mod disk;
mod people;
mod wire;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::Duration,
};

use engine::{
    CallView, Event, Outcome,
    acd::{self, LineId},
    call::{CallId, StageView},
};

use self::wire::Wire;
use super::{Tally, centre::LEAVES};
use crate::{World, host::Host};

/// What an oracle says: that all is well, or what is not.
pub(super) type Verdict = Result<(), String>;

/// What is due at a moment is done in the step of that moment.
const SLACK: Duration = Duration::from_millis(20);

/// Watches one node.
#[derive(Debug)]
pub(super) struct Oracle {
    node: SocketAddr,
    pub(super) tally: Tally,
    /// Calls that began and have not ended, and when.
    open: BTreeMap<CallId, Duration>,
    /// Calls that have ended.
    ended: BTreeMap<CallId, Outcome>,
    wire: Wire,
    /// How long the node has been there and could speak.
    uptime: Duration,
    looked_at: Duration,
    /// Calls that waited when it was last looked, by line in their order.
    waited: BTreeMap<LineId, Vec<Waiting>>,
    /// Calls that were offered since it was last looked: one whose offer failed at once waits again.
    offered: BTreeSet<CallId>,
    /// Since when a caller waits at a site while an agent there is free.
    unmatched: BTreeMap<&'static str, Duration>,
    /// Since when calls ring nobody.
    silent: BTreeMap<CallId, Duration>,
    looks: u64,
    /// Calls whose agents the configuration does not know any more: they are with nobody.
    alone: BTreeSet<CallId>,
}

/// A call that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Waiting {
    id: CallId,
    priority: u8,
    steps: Vec<u8>,
}

/// After what it is looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// A step: what is due has been done.
    Step,
    /// Something was done to the node: what is due because of that is done next.
    Act,
    /// The same by a person, who may choose whom a call is for.
    Order,
}

impl Oracle {
    pub(super) fn new(node: SocketAddr) -> Self {
        Self {
            node,
            tally: Tally::default(),
            open: BTreeMap::new(),
            ended: BTreeMap::new(),
            wire: Wire::new(node),
            uptime: Duration::ZERO,
            looked_at: Duration::ZERO,
            waited: BTreeMap::new(),
            offered: BTreeSet::new(),
            unmatched: BTreeMap::new(),
            silent: BTreeMap::new(),
            looks: 0,
            alone: BTreeSet::new(),
        }
    }

    /// Looks at everything after a step.
    pub(super) fn look(&mut self, world: &mut World, after: After) -> Verdict {
        if !world.take_touched() && after == After::Step {
            // Only peers have moved.
            return Ok(());
        }
        let elapsed = world.elapsed();
        let passed = elapsed - self.looked_at;
        self.looked_at = elapsed;
        self.looks += 1;
        self.hear(world)?;
        let sightings = world.take_sightings();
        let host = world.host(self.node).filter(|host| !host.is_dead());
        if host.is_some_and(|host| !host.is_behind()) {
            self.uptime += passed;
        }
        let writes = host.filter(|host| !host.has_failed());
        self.wire
            .see(&sightings, writes.map(Host::durable), self.uptime)?;
        let Some(host) = host else {
            self.waited.clear();
            self.unmatched.clear();
            return Ok(());
        };
        if host.is_behind() {
            // What is so is not told yet.
            self.waited.clear();
            return Ok(());
        }
        let now = world.now();
        let calls = host.engine.calls(now);
        self.look_at_calls(&host.engine, now, &calls, after)?;
        self.offered.clear();
        self.look_at_people(&host.engine, now, &calls, after)?;
        if self.looks.is_multiple_of(16) {
            self.wire.look_who_rings(world.ringing(), self.uptime)?;
        }
        self.wire.look(self.uptime)
    }

    /// A process that begins where another died: whatever is on the disk is there.
    pub(super) fn begin(&mut self) {
        self.wire.begin(self.uptime);
        self.waited.clear();
        self.unmatched.clear();
        self.silent.clear();
    }

    /// The configuration knows an agent less: calls that this agent had go on.
    pub(super) fn note_alone(&mut self, calls: &[CallView]) {
        let connected = calls
            .iter()
            .filter(|call| call.stage == StageView::Connected);
        let alone = connected.filter(|call| call.agent.is_none());
        self.alone.extend(alone.map(|call| call.id.clone()));
        self.wire.let_go(LEAVES);
    }

    /// Everything that was open is lost, and may be.
    pub(super) fn forgive(&mut self) {
        self.open.clear();
        self.wire.forgive();
    }

    /// A call is lost with the row that it was in, and may be.
    pub(super) fn forgive_call(&mut self, world: &mut World, id: &str) {
        let lost = self.open.keys().find(|call| call.as_str() == id).cloned();
        if let Some(call) = lost {
            self.open.remove(&call);
            world.forgive_call(&call);
        }
    }

    /// It is not known which dialogs a lost row was about.
    pub(super) fn forgive_dialogs(&mut self, world: &mut World) {
        world.forgive_dialogs();
        self.wire.forgive();
    }

    /// How often two sides asked at the same time.
    pub(super) const fn glares(&self) -> u64 {
        self.wire.glares
    }

    /// How often two phones answered one INVITE.
    pub(super) const fn answered_twice(&self) -> u64 {
        self.wire.answered_twice
    }

    /// What has been told since it was last looked.
    fn hear(&mut self, world: &mut World) -> Verdict {
        for (at, event) in world.take_events() {
            match event {
                Event::CallStarted { call, .. } => {
                    self.tally.calls += 1;
                    if self.ended.contains_key(&call) {
                        return Err(format!("call {call} began after its end"));
                    }
                    if self.open.insert(call.clone(), at).is_some() {
                        return Err(format!("call {call} began twice"));
                    }
                }
                Event::CallEnded { call, outcome, .. } => {
                    if self.ended.insert(call.clone(), outcome).is_some() {
                        return Err(format!("call {call} ended twice"));
                    }
                    self.tally.note_end(outcome);
                    if let Some(began) = self.open.remove(&call) {
                        self.tally.lasted += at.saturating_sub(began);
                    }
                }
                Event::Distribution {
                    call: Some(call),
                    what: acd::Event::Offered { .. },
                } => {
                    self.offered.insert(call);
                }
                Event::CallBlocked { .. } => self.tally.blocked += 1,
                _ => {}
            }
        }
        Ok(())
    }

    /// What is left when a storm is over.
    pub(super) fn look_at_the_end(&self, world: &World) -> Verdict {
        if let Some(call) = self.open.keys().next() {
            return Err(format!("call {call} never ended"));
        }
        self.wire.look_at_the_end()?;
        let broken = world.broken_laws();
        match broken.is_empty() {
            true => Ok(()),
            false => Err(broken.join("\n")),
        }
    }
}

/// The calls of each line that wait, in their order.
fn queues(calls: &[CallView]) -> BTreeMap<LineId, Vec<&CallView>> {
    let mut queues: BTreeMap<LineId, Vec<&CallView>> = BTreeMap::new();
    for call in calls.iter().filter(|call| call.place.is_some()) {
        queues.entry(call.line).or_default().push(call);
    }
    for queue in queues.values_mut() {
        queue.sort_by_key(|call| call.place);
    }
    queues
}
