//! The table of connections: what is handed over is delivered or told, and ends are told in order.

use std::{
    net::SocketAddr,
    sync::{
        Arc as Shared,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
};

use bytes::Bytes;
use engine::{
    Input,
    sip::{FramingError, Transport},
    sip_transaction::{Flow, ListenerId},
};
use shuttle::{
    future::block_on,
    rand::{Rng as _, thread_rng},
    thread::{self, JoinHandle},
};

use super::{
    in_many_orders,
    sync::{
        Arc,
        planted::Planted,
        tasks::mpsc::{self, Receiver, Sender},
    },
    table::{Given, Link, Table},
    with_planted,
};

/// Frames that the core sends in a run.
const FRAMES: u8 = 4;

fn flow() -> Flow {
    Flow {
        transport: Transport::Tcp,
        listener: ListenerId(0),
        remote: SocketAddr::from(([192, 0, 2, 9], 5060)),
    }
}

/// By which connection each frame was delivered, counted from one; 0 for none. Looking is no step of any
/// thread.
type Delivered = Shared<[AtomicU64; FRAMES as usize]>;

/// A connection: it delivers, or hears something, and is over after a few of these.
fn serve(table: &Table, link: Link, mut queue: Receiver<Bytes>, delivered: &Delivered) {
    let flow = link.flow;
    let names = vec![link.number.to_string()];
    let mut lasts = block_on(table.tell(link, Input::PeerProven { flow, names }));
    for _ in 0..thread_rng().gen_range(0..3) {
        if thread_rng().gen_bool(0.5) {
            if let Ok(frame) = queue.try_recv() {
                delivered[usize::from(frame[0])].store(link.number + 1, SeqCst);
            }
        } else if lasts {
            let bytes = Bytes::from(link.number.to_string());
            lasts = block_on(table.tell(link, Input::StreamMessage { flow, bytes }));
        }
    }
    drop(queue);
    block_on(table.leave(link));
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Frame {
    Refused,
    /// Told failed by the end of a connection, which is counted from one.
    Told(u64),
    Taken,
}

/// The core, and what it has seen.
struct Core {
    table: Arc<Table>,
    tell: Sender<Input>,
    inbox: Receiver<Input>,
    delivered: Delivered,
    frames: Vec<Frame>,
    /// Connections that it heard the end of.
    ends: u64,
    connections: Vec<JoinHandle<()>>,
}

impl Core {
    /// With connections that the peer opens, one after the other or while the last is there.
    fn start(accepted: usize, room: usize) -> Self {
        let (tell, inbox) = mpsc::channel(room);
        let mut core = Self {
            table: Arc::new(Table::new(tell.clone(), 2)),
            tell,
            inbox,
            delivered: Delivered::default(),
            frames: Vec::new(),
            ends: 0,
            connections: Vec::new(),
        };
        for _ in 0..accepted {
            core.connection(|table| block_on(table.enter(flow())));
        }
        core
    }

    fn connection(
        &mut self,
        enter: impl FnOnce(&Table) -> (Link, Receiver<Bytes>) + Send + 'static,
    ) {
        let (table, delivered) = (self.table.clone(), self.delivered.clone());
        self.connections.push(thread::spawn(move || {
            let (link, queue) = enter(&table);
            serve(&table, link, queue, &delivered);
        }));
    }

    /// Sends a frame as `Connections::send` does.
    fn send(&mut self, number: u8) {
        let is_end = |input: &Input| matches!(input, Input::TransportFailed { .. });
        let is_end_unheard = self.inbox.holds(is_end);
        let frame = Bytes::from(vec![number]);
        let given = self.table.send(flow(), frame);
        let given = given.unwrap_or_else(|frame| {
            let remote = flow().remote;
            self.table.send_or_open(flow(), remote, frame)
        });
        let is_taken = !matches!(given, Given::Failed);
        assert!(
            !(is_taken && is_end_unheard),
            "taken before an end was heard"
        );
        if let Given::Opened(link, queue) = given {
            self.connection(move |_| (link, queue));
        }
        let frame = if is_taken {
            Frame::Taken
        } else {
            Frame::Refused
        };
        self.frames.push(frame);
    }

    fn hear(&mut self, input: &Input) {
        match input {
            Input::TransportFailed { flow } => {
                self.table.heard(*flow);
                self.ends += 1;
                for frame in &mut self.frames {
                    if *frame == Frame::Taken {
                        *frame = Frame::Told(self.ends);
                    }
                }
            }
            Input::PeerProven { names, .. } => self.hear_of(&names[0]),
            Input::StreamMessage { bytes, .. } => {
                self.hear_of(std::str::from_utf8(bytes).unwrap());
            }
            other => panic!("nobody has told {other:?}"),
        }
    }

    /// What a connection says comes after the end of the one before and before its own.
    fn hear_of(&self, connection: &str) {
        let ends = self.ends;
        assert_eq!(connection, ends.to_string(), "heard after {ends} ends");
    }

    /// Hears of everything until all connections are over; how many there were.
    fn finish(&mut self) -> u64 {
        let tell = self.tell.clone();
        let connections = std::mem::take(&mut self.connections);
        let count = connections.len() as u64;
        let last = thread::spawn(move || {
            for connection in connections {
                connection.join().unwrap();
            }
            let error = FramingError::NotSip;
            let room = block_on(tell.reserve()).unwrap();
            room.send(Input::StreamMalformed { error });
        });
        loop {
            match self.inbox.blocking_recv().unwrap() {
                Input::StreamMalformed { .. } => break,
                input => self.hear(&input),
            }
        }
        last.join().unwrap();
        count
    }
}

/// The core sends, and hears now and then; what is checked on the way is above.
fn run(accepted: usize) -> (Core, u64) {
    let room = thread_rng().gen_range(1..=3);
    let mut core = Core::start(accepted, room);
    for number in 0..FRAMES {
        core.send(number);
        if thread_rng().gen_bool(0.5)
            && let Ok(input) = core.inbox.try_recv()
        {
            core.hear(&input);
        }
    }
    let count = core.finish();
    (core, count)
}

fn frames() {
    frames_beside(2);
}

/// On connections of the core's alone.
fn frames_alone() {
    frames_beside(0);
}

fn frames_beside(accepted: usize) {
    let (core, _) = run(accepted);
    for (frame, delivered) in core.frames.iter().zip(&*core.delivered) {
        let delivered = delivered.load(SeqCst);
        match frame {
            Frame::Refused => assert_eq!(delivered, 0, "refused, and delivered"),
            Frame::Taken => assert_ne!(delivered, 0, "neither delivered nor told"),
            // It was written and not answered, or was not: whoever sent it cannot know.
            Frame::Told(end) => assert!(delivered == 0 || delivered == *end, "told by another"),
        }
    }
}

#[test]
fn a_frame_is_delivered_or_its_failure_is_told_once() {
    in_many_orders(frames);
    in_many_orders(frames_alone);
}

#[test]
#[should_panic(expected = "neither delivered nor told")]
fn who_does_not_tell_an_end_is_found() {
    with_planted(Planted::EndUntold, frames_alone);
}

fn ends() {
    let (core, count) = run(2);
    assert_eq!(core.ends, count, "ends were told of so many connections");
    assert!(core.table.is_empty());
}

#[test]
fn the_end_of_a_connection_is_told_once() {
    in_many_orders(ends);
}

#[test]
#[should_panic(expected = "ends")]
fn who_tells_an_end_twice_is_found() {
    with_planted(Planted::EndToldTwice, ends);
}

fn order() {
    run(3);
}

#[test]
fn what_one_connection_says_comes_before_its_end_and_after_that_of_the_one_before() {
    in_many_orders(order);
}

#[test]
#[should_panic(expected = "heard after")]
fn who_is_gone_before_it_tells_is_found() {
    with_planted(Planted::GoneBeforeTold, order);
}

#[test]
#[should_panic(expected = "heard after")]
fn who_says_something_after_its_end_is_found() {
    with_planted(Planted::HeardAfterEnd, order);
}

/// All connections are the core's: each is opened by a frame.
fn reopenings() {
    run(0);
}

#[test]
fn a_frame_is_refused_while_the_core_has_not_heard_of_an_end() {
    in_many_orders(reopenings);
}

#[test]
#[should_panic(expected = "taken before an end was heard")]
fn who_sends_before_an_end_was_heard_is_found() {
    with_planted(Planted::EndsIgnored, reopenings);
}

/// Nobody but the core makes room in its inbox: if it waited for a connection that waits for room, both
/// would wait for ever.
fn no_room() {
    let mut core = Core::start(2, 1);
    for number in 0..FRAMES {
        core.send(number);
    }
    core.finish();
}

#[test]
fn the_core_never_waits_for_a_connection_that_ends() {
    in_many_orders(no_room);
}

#[test]
#[should_panic(expected = "deadlock")]
fn who_makes_the_core_wait_is_found() {
    with_planted(Planted::LockedWhileWaiting, no_room);
}
