//! What must hold after each step, seen from outside: the views of the engine, the wire, the facts that
//! are told, and the rows on the disk.

mod calls;
mod disk;
mod lost;
mod people;
mod returning;
mod wire;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::{Duration, Instant},
};

use engine::{
    CallView, Event, Outcome, acd,
    call::{CallId, StageView},
};
use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};

pub(super) use self::lost::Lost;
use self::{returning::Returning, wire::Wire};
use super::{Fault, FaultCounts, Tally, centre::LEAVES};
use crate::{World, host::Host};

/// What an oracle says: that all is well, or what is not.
pub(super) type Verdict = Result<(), String>;

/// Calls that are looked up after every step, each of them. Nobody asks for their order.
type ByCall<V> = HashMap<CallId, V, FixedState>;

/// What is due at a moment is done in the step of that moment.
const SLACK: Duration = Duration::from_millis(20);

/// Watches one node.
#[derive(Debug)]
pub(super) struct Oracle {
    node: SocketAddr,
    pub(super) tally: Tally,
    /// What the node told of that is to happen in storms.
    pub(super) seen: FaultCounts,
    /// Calls that began and have not ended, and when.
    open: ByCall<Duration>,
    /// Calls of which the disk has lost something: they may be there or not.
    forgiven: BTreeSet<String>,
    /// Calls that have ended.
    ended: BTreeMap<CallId, Outcome>,
    wire: Wire,
    /// How long the node has been there and could speak.
    uptime: Duration,
    looked_at: Duration,
    /// Calls as they were when it was last looked.
    before: Vec<CallView>,
    /// Calls that were offered since it was last looked: one whose offer failed at once waits again.
    offered: BTreeSet<CallId>,
    /// Since when a caller waits at a site for a skill while an agent there who has it is free.
    unmatched: BTreeMap<(&'static str, &'static str), Duration>,
    /// Since when calls ring nobody.
    silent: BTreeMap<CallId, Duration>,
    looks: u64,
    /// Calls that somebody has answered and that have not ended.
    talked: HashSet<CallId, FixedState>,
    /// What agents did was lost with a part of the disk: whose calls are whose is not known.
    agents_lost: bool,
    returning: Returning,
    /// Calls whose agents the configuration does not know any more: they are with nobody.
    alone: BTreeSet<CallId>,
    /// Agents who talk in no call, and since when.
    adrift: BTreeMap<acd::AgentId, Instant>,
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
            seen: FaultCounts::default(),
            open: ByCall::default(),
            forgiven: BTreeSet::new(),
            ended: BTreeMap::new(),
            wire: Wire::new(node),
            uptime: Duration::ZERO,
            looked_at: Duration::ZERO,
            before: Vec::new(),
            offered: BTreeSet::new(),
            unmatched: BTreeMap::new(),
            silent: BTreeMap::new(),
            looks: 0,
            talked: HashSet::default(),
            agents_lost: false,
            returning: Returning::default(),
            alone: BTreeSet::new(),
            adrift: BTreeMap::new(),
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
            self.before.clear();
            self.unmatched.clear();
            return Ok(());
        };
        if host.is_behind() {
            // What is so is not told yet.
            self.before.clear();
            return Ok(());
        }
        self.wire.look_at_phones()?;
        let now = world.now();
        let calls = host.engine.calls(now);
        self.returning.look(host, now, &calls)?;
        self.look_at_calls(&host.engine, now, &calls, after)?;
        self.offered.clear();
        self.look_at_people(&host.engine, now, &calls, after)?;
        if self.looks.is_multiple_of(16) {
            self.wire.look_who_rings(world.ringing(), self.uptime)?;
            self.wire.look_who_talks(world.talking(), self.uptime)?;
            self.wire.look_who_calls(world.calling(), self.uptime)?;
        }
        self.before = calls;
        self.wire.look(self.uptime)
    }

    /// A process that begins where another died: whatever is on the disk is there.
    pub(super) fn begin(&mut self, is_booted: bool) {
        if is_booted {
            // When something happened that is told now is not known by its clock.
            self.returning.forget();
        }
        self.wire.begin(self.uptime);
        self.before.clear();
        self.unmatched.clear();
        self.silent.clear();
    }

    /// The configuration knows an agent less: calls that this agent had go on.
    pub(super) fn note_alone(&mut self, calls: &[CallView]) {
        let connected = calls
            .iter()
            .filter(|call| call.stage == StageView::Connected);
        // Who is named first of a call with nobody may ring for it: that agent was sending it on.
        let is_with_nobody =
            |call: &&CallView| call.agent.is_none_or(|one| call.rung.contains(&one));
        let alone = connected.filter(is_with_nobody);
        self.alone.extend(alone.map(|call| call.id.clone()));
        self.wire.let_go(LEAVES);
    }

    /// Messages are damaged on their way from now on, or no more.
    pub(super) fn note_damage(&mut self, is_damaged: bool) {
        self.wire.note_damage(is_damaged, self.uptime);
    }

    /// Everything that was open is lost, and may be.
    pub(super) fn forgive(&mut self) {
        let open = std::mem::take(&mut self.open);
        let open = open.into_keys().map(|call| call.to_string());
        self.forgiven.extend(open);
        self.returning.forget();
        self.wire.forgive(|_| true);
    }

    /// These rows are lost, or are as they were before: what was in them may be.
    pub(super) fn forgive_rows(&mut self, world: &mut World, lost: &Lost) {
        self.open
            .retain(|call, _| !lost.calls.contains(call.as_str()));
        for call in &lost.calls {
            self.forgiven.insert(call.clone());
            world.forgive_call(call);
        }
        self.agents_lost |= lost.is_of_an_agent();
        self.returning.forget();
        let is_lost = |call_id: &str| lost.names(call_id);
        world.forgive_dialogs(is_lost);
        self.wire.forgive(is_lost);
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
                    // One that is forgiven may have been told before.
                    if self.forgiven.contains(call.as_str()) {
                        continue;
                    }
                    if self.ended.contains_key(&call) {
                        return Err(format!("call {call} began after its end"));
                    }
                    if self.open.insert(call.clone(), at).is_some() {
                        return Err(format!("call {call} began twice"));
                    }
                }
                Event::CallEnded { call, outcome, .. } => {
                    let unanswered = !self.talked.remove(&call);
                    let how = unanswered.then_some(outcome);
                    self.returning.note_end(&call, how);
                    if self.forgiven.contains(call.as_str()) {
                        continue;
                    }
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
                Event::Distribution {
                    call: Some(call),
                    what: acd::Event::Answered { .. },
                } => {
                    self.returning.note_answer(&call);
                    self.talked.insert(call);
                }
                Event::CallBlocked { .. } => self.tally.blocked += 1,
                Event::CallTransferred { .. } => self.seen.note(Fault::Transferred),
                Event::TransferEnded { .. } => self.seen.note(Fault::SentOn),
                Event::Distribution { what, .. } => self.note_rare(&what),
                _ => {}
            }
        }
        Ok(())
    }

    /// What does not happen to every call.
    fn note_rare(&mut self, what: &acd::Event) {
        match what {
            acd::Event::Queued { waited, .. } if !waited.is_zero() => {
                self.seen.note(Fault::Resumed);
            }
            acd::Event::AgentAwaited { .. } => self.seen.note(Fault::Awaited),
            acd::Event::OfferEnded {
                outcome: acd::OfferOutcome::AnsweredElsewhere,
                ..
            } => self.seen.note(Fault::AnsweredElsewhere),
            _ => {}
        }
    }

    /// What is left when a storm is over.
    pub(super) fn look_at_the_end(&self, world: &World) -> Verdict {
        if let Some(call) = self.open.keys().min() {
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

/// The calls that wait, those of each line together and in their order.
fn waiting(calls: &[CallView]) -> Vec<&CallView> {
    let waiting = calls.iter().filter(|call| call.place.is_some());
    let mut waiting: Vec<_> = waiting.collect();
    waiting.sort_unstable_by_key(|call| (call.line, call.place));
    waiting
}
