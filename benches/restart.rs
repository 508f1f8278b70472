//! How soon a node that was killed is there again: 1,000 callers wait, 1,000 talk, `kill -9`, and the next
//! process is started at once.
//!
//! `cargo bench -p quinze-benches --bench restart [-- CALLS]`, so many of each kind. It measures, and
//! decides nothing.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench may fail, prints its figures, and runs in real time"
)]

use std::{
    collections::BTreeSet,
    net::UdpSocket,
    time::{Duration, Instant},
};

use quinze_benches::{
    live::{Node, Phones, Seen, call_id, drive},
    number_or,
};
use sim::{CallPlan, Manner, Peer, PeerEvent};

/// Callers who wait, and callers who talk, unless the command line says.
const CALLS: u32 = 1000;

/// Calls are made so fast.
const GAP: Duration = Duration::from_millis(2);

/// How long anything is waited for.
const LIMIT: Duration = Duration::from_secs(60);

fn main() {
    let calls = number_or(CALLS);
    let phones = Phones::start();
    let mut node = Node::start("restart", (calls, phones.address()), "");
    let mut callers = Callers::new(&node);
    callers.make(2 * calls, calls);
    println!("before: {}", counts(&node));
    let began = Instant::now();
    node.kill_and_start();
    let heard = callers.hear_again(began, calls);
    println!("after:  {}", counts(&node));
    println!(
        "from the kill to the first answer of the next process {:.0} ms, until all {} who wait have been told \
         so {:.0} ms; in their order: {}",
        heard.first.as_secs_f64() * 1e3,
        heard.told,
        heard.last.as_secs_f64() * 1e3,
        if heard.in_order { "yes" } else { "no" }
    );
}

/// What the node says of its calls.
fn counts(node: &Node) -> String {
    let status = node.get("/v1/status");
    let calls = status
        .split_once("\"calls\":")
        .map_or("", |(_, calls)| calls);
    let end = calls.find('}').map_or(0, |end| end + 1);
    calls[..end].to_owned()
}

/// Callers at one socket.
struct Callers {
    socket: UdpSocket,
    peer: Peer,
    node: std::net::SocketAddr,
    /// Who waits, by the place that was told.
    waiting: Vec<(u32, String)>,
}

/// What was heard of the next process.
struct Heard {
    first: Duration,
    last: Duration,
    told: usize,
    in_order: bool,
}

impl Callers {
    fn new(node: &Node) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        Self {
            peer: Peer::new(address, 2, Manner::answers_after(Duration::ZERO)),
            socket,
            node: node.sip(),
            waiting: Vec::new(),
        }
    }

    /// Calls until so many are made and so many of them wait.
    fn make(&mut self, calls: u32, wait: u32) {
        let began = Instant::now();
        let (mut made, mut connected) = (0, 0);
        let mut next = began;
        while made < calls || connected + self.waiting.len() < calls as usize {
            assert!(
                began.elapsed() < LIMIT,
                "{connected} {}",
                self.waiting.len()
            );
            if made < calls && next <= Instant::now() {
                let plan = CallPlan::to(format!("sip:15@{}", self.node)).talk(LIMIT * 10);
                self.peer.call(Instant::now(), self.node, plan);
                made += 1;
                next += GAP;
            }
            let until = next.max(Instant::now() + Duration::from_millis(1));
            let waiting = &mut self.waiting;
            drive(&mut self.peer, &self.socket, until, |seen| match seen {
                Seen::Event(PeerEvent::Connected { .. }) => connected += 1,
                Seen::Heard(message) => waiting.extend(place(message)),
                _ => {}
            })
            .unwrap();
        }
        assert_eq!(self.waiting.len(), wait as usize);
    }

    fn hear_again(&mut self, began: Instant, wait: u32) -> Heard {
        let (mut first, mut last) = (None, Duration::ZERO);
        let (mut told, mut again) = (BTreeSet::new(), Vec::new());
        while told.len() < wait as usize && began.elapsed() < LIMIT {
            let until = Instant::now() + Duration::from_millis(5);
            drive(&mut self.peer, &self.socket, until, |seen| {
                if let Seen::Heard(message) = seen {
                    first.get_or_insert_with(|| began.elapsed());
                    if let Some((place, call_id)) = place(message)
                        && told.insert(call_id.clone())
                    {
                        last = began.elapsed();
                        again.push((place, call_id));
                    }
                }
            })
            .unwrap();
        }
        again.sort();
        self.waiting.sort();
        Heard {
            first: first.unwrap_or(LIMIT),
            last,
            told: told.len(),
            in_order: again == self.waiting,
        }
    }
}

/// The place in the queue that a 182 tells, and to whom.
fn place(message: &[u8]) -> Option<(u32, String)> {
    let text = std::str::from_utf8(message).ok()?;
    let place = text.strip_prefix("SIP/2.0 182 Queued; place ")?;
    let place = place.lines().next()?.trim().parse().ok()?;
    Some((place, call_id(message)))
}
