//! The table that finds a connection by its peer, and the order in which frames and ends are told.
//!
//! The core hands frames over ([`Table::send`]) and never waits. Connections are tasks on other threads:
//! each has a [`Link`], enters, tells what it hears, and leaves. What the core is told of one peer is in
//! order, connection by connection: what the first has heard, its end, what the next has heard.
//!
//! An end concerns everything that was handed over before the core heard of it. So from the moment that
//! it is told until the core has heard it ([`Table::heard`]) nothing else is taken for that peer, or it
//! would count as failed and arrive all the same.
//!
//! This file is compiled a second time under `model`, which runs it in many orders of its steps.

use std::{collections::BTreeSet, net::SocketAddr};

use bytes::Bytes;
use engine::{
    Input,
    sip_transaction::{Flow, ListenerId},
};

use super::sync::{
    atomic::{AtomicU64, Ordering},
    planted::{Planted, has_planted},
    tasks::{
        DashMap, Entry,
        mpsc::{self, Permit, Receiver, Sender, error::TrySendError},
    },
};

/// All connections, and ends that the core has not heard of.
#[derive(Debug)]
pub(super) struct Table {
    slots: DashMap<Key, Slot>,
    next: AtomicU64,
    /// Frames that may wait to be written to one connection.
    queue_max: usize,
    /// What the core is told.
    inbox: Sender<Input>,
}

/// What a connection is found by: our side and the peer's.
type Key = (ListenerId, SocketAddr);

const fn key(flow: Flow) -> Key {
    (flow.listener, flow.remote)
}

/// What there is of a peer. Without either it is not in the table.
#[derive(Debug, Default)]
struct Slot {
    open: Option<Open>,
    /// Ends that were told and that the core has not heard of.
    unheard: usize,
}

#[derive(Debug)]
struct Open {
    number: u64,
    queue: Sender<Bytes>,
    /// Flows whose frames it has been given because theirs led nowhere: they hear of its end, too.
    instead_of: BTreeSet<Flow>,
}

/// So many are noted of one connection. What was meant for more hears of nothing, and is waited for until its time is over.
const INSTEAD_OF_MAX: usize = 4_096;

/// One connection among all that its peer has had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) flow: Flow,
    /// How many connections there were before.
    pub(super) number: u64,
}

/// What became of a frame.
#[derive(Debug)]
pub(super) enum Given {
    /// A connection has it: it is written, or the end of the connection is told.
    Queued,
    /// Its connection does not keep up, or the core is about to hear of its end.
    Failed,
    /// There was no connection, and now there is one that has it: whoever gets this is to make it.
    Opened(Link, Receiver<Bytes>),
}

impl Table {
    pub(super) fn new(inbox: Sender<Input>, queue_max: usize) -> Self {
        Self {
            slots: DashMap::default(),
            next: AtomicU64::new(0),
            queue_max,
            inbox,
        }
    }

    /// Queues a frame on the connection that there is.
    ///
    /// # Errors
    /// The frame is given back where there is none, or none that lasts: another may be tried.
    pub(super) fn send(&self, flow: Flow, frame: Bytes) -> Result<Given, Bytes> {
        match self.slots.get(&key(flow)) {
            Some(slot) => match slot.offer(frame) {
                Ok(()) => Ok(Given::Queued),
                Err(TrySendError::Full(_)) => Ok(Given::Failed),
                Err(TrySendError::Closed(frame)) => Err(frame),
            },
            None => Err(frame),
        }
    }

    /// Queues a frame, which was meant for the flow `asked`, on the connection to `remote` that there is, or on a new one.
    pub(super) fn send_or_open(&self, asked: Flow, remote: SocketAddr, frame: Bytes) -> Given {
        let flow = Flow { remote, ..asked };
        if has_planted(Planted::EndsIgnored) {
            self.slots
                .remove_if(&key(flow), |_, slot| slot.open.is_none());
        }
        match self.slots.entry(key(flow)) {
            Entry::Occupied(mut slot) => match slot.get().offer(frame) {
                Ok(()) => {
                    if let Some(open) = &mut slot.get_mut().open {
                        open.stand_in(flow, asked);
                    }
                    Given::Queued
                }
                Err(_) => Given::Failed,
            },
            Entry::Vacant(vacant) => {
                let (link, mut open, queue) = self.connection(flow);
                if open.queue.try_send(frame).is_err() {
                    return Given::Failed;
                }
                open.stand_in(flow, asked);
                vacant.insert(Slot {
                    open: Some(open),
                    unheard: 0,
                });
                Given::Opened(link, queue)
            }
        }
    }

    /// The core has heard of an end.
    pub(super) fn heard(&self, flow: Flow) {
        if let Entry::Occupied(mut occupied) = self.slots.entry(key(flow)) {
            let slot = occupied.get_mut();
            slot.unheard = slot.unheard.saturating_sub(1);
            if slot.unheard == 0 && slot.open.is_none() {
                occupied.remove();
            }
        }
    }

    /// Makes a connection findable that its peer has opened. One that the peer had before ends by that.
    pub(super) async fn enter(&self, flow: Flow) -> (Link, Receiver<Bytes>) {
        let room = self.inbox.reserve().await.ok();
        let (link, queue, before) = {
            let mut slot = self.slots.entry(key(flow)).or_default();
            let (link, open, queue) = self.connection(flow);
            let before = slot.open.replace(open);
            if before.is_some() {
                slot.tell_end(flow, room);
            }
            (link, queue, before)
        };
        for other in before.into_iter().flat_map(|before| before.instead_of) {
            self.fail(other).await;
        }
        (link, queue)
    }

    /// Tells what a connection has heard, unless its end was told. Whether more may follow.
    pub(super) async fn tell(&self, link: Link, input: Input) -> bool {
        let Ok(room) = self.inbox.reserve().await else {
            return false;
        };
        let slot = self.slots.get(&key(link.flow));
        slot.is_some_and(|slot| {
            let lasts = slot.is_of(link) || has_planted(Planted::HeardAfterEnd);
            if lasts {
                room.send(input);
            }
            lasts
        })
    }

    /// Takes a connection that is over out of the table and tells its end, in one step.
    pub(super) async fn leave(&self, link: Link) {
        if has_planted(Planted::GoneBeforeTold) {
            self.slots
                .remove_if(&key(link.flow), |_, slot| slot.is_of(link));
            return self.fail(link.flow).await;
        }
        let room = {
            let is_locked = has_planted(Planted::LockedWhileWaiting);
            let _slot = is_locked.then(|| self.slots.entry(key(link.flow)));
            self.inbox.reserve().await.ok()
        };
        for other in self.close(link, room) {
            self.fail(other).await;
        }
    }

    /// Takes a connection out and tells its end; for whom it stood in.
    fn close(&self, link: Link, room: Option<Permit<'_, Input>>) -> BTreeSet<Flow> {
        let Entry::Occupied(mut slot) = self.slots.entry(key(link.flow)) else {
            return BTreeSet::new();
        };
        let slot = slot.get_mut();
        let is_open = slot.is_of(link);
        if !is_open && !has_planted(Planted::EndToldTwice) {
            // Whoever took its place has told its end.
            return BTreeSet::new();
        }
        let open = slot.open.take_if(|_| is_open);
        slot.tell_end(link.flow, room);
        open.map(|open| open.instead_of).unwrap_or_default()
    }

    /// Tells that what was for this flow has failed elsewhere; not where its peer has opened it anew meanwhile.
    async fn fail(&self, flow: Flow) {
        let room = self.inbox.reserve().await.ok();
        let mut slot = self.slots.entry(key(flow)).or_default();
        if slot.open.is_none() {
            slot.tell_end(flow, room);
        }
    }

    /// Whether no connection is there, and the core has heard of all ends.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    fn connection(&self, flow: Flow) -> (Link, Open, Receiver<Bytes>) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (queue, frames) = mpsc::channel(self.queue_max);
        let open = Open {
            number,
            queue,
            instead_of: BTreeSet::new(),
        };
        (Link { flow, number }, open, frames)
    }
}

impl Open {
    /// It has been given what was meant for `asked`, and is the connection of `flow`.
    fn stand_in(&mut self, flow: Flow, asked: Flow) {
        if asked != flow && self.instead_of.len() < INSTEAD_OF_MAX {
            self.instead_of.insert(asked);
        }
    }
}

impl Slot {
    fn is_of(&self, link: Link) -> bool {
        let open = self.open.as_ref();
        open.is_some_and(|open| open.number == link.number)
    }

    fn offer(&self, frame: Bytes) -> Result<(), TrySendError<Bytes>> {
        match &self.open {
            Some(open) if self.unheard == 0 => open.queue.try_send(frame),
            _ => Err(TrySendError::Closed(frame)),
        }
    }

    /// Tells an end where there is room for it; without a core there is none.
    fn tell_end(&mut self, flow: Flow, room: Option<Permit<'_, Input>>) {
        let Some(room) = room else { return };
        self.unheard += 1;
        if !has_planted(Planted::EndUntold) {
            room.send(Input::TransportFailed { flow });
        }
    }
}
