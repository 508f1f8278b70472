//! What a scanner costs the callers: the time from INVITE to 200 of calls from a trunk through a real
//! node, without and with 20,000 requests a second from one address that nobody knows.
//!
//! `cargo bench -p quinze-benches --bench flood [-- SECONDS]`. It measures, and decides nothing.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench may fail, prints its figures, and runs in real time"
)]

use std::{
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use quinze_benches::{
    live::{Node, Phones, call},
    number_or,
};

/// Calls a second.
const CALLS: u32 = 100;

/// Agents, enough for all calls at a time.
const AGENTS: u32 = 100;

/// Requests of the scanner a second.
const SCANS: u32 = 20_000;

/// How long each half is measured unless the command line says.
const SECONDS: u64 = 15;

fn main() {
    let seconds = number_or(SECONDS);
    let time = Duration::from_secs(seconds);
    let phones = Phones::start();
    let callers = UdpSocket::bind("127.0.0.1:0").unwrap();
    let node = Node::start("flood", (AGENTS, phones.address()), "");

    let calm = call(&callers, 2, node.sip(), (CALLS, time)).answers;
    let scanner = Scanner::start(node.sip());
    let flooded = call(&callers, 3, node.sip(), (CALLS, time)).answers;
    let sent = scanner.stop();

    println!("from INVITE to 200, {CALLS} calls a second, {seconds} s each:");
    println!("{}", calm.line("nobody else"));
    let scans = format!("{} scans a second", sent / (seconds + 1));
    println!("{}", flooded.line(&scans));
    let factor = flooded.at(0.99).as_secs_f64() / calm.at(0.99).as_secs_f64();
    println!("p99 with the scanner is {factor:.2} times the p99 without");
}

/// Somebody who tries numbers, from an address of its own.
struct Scanner {
    done: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    thread: thread::JoinHandle<()>,
}

impl Scanner {
    fn start(node: SocketAddr) -> Self {
        let (done, sent) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let thread = {
            let (done, sent) = (done.clone(), sent.clone());
            thread::spawn(move || scan(node, &done, &sent))
        };
        Self { done, sent, thread }
    }

    fn stop(self) -> u64 {
        self.done.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        self.sent.load(Ordering::Relaxed)
    }
}

fn scan(node: SocketAddr, done: &AtomicBool, sent: &AtomicU64) {
    let socket = UdpSocket::bind("127.0.0.66:0").unwrap();
    let from = socket.local_addr().unwrap();
    let began = Instant::now();
    while !done.load(Ordering::Relaxed) {
        let number = sent.fetch_add(1, Ordering::Relaxed);
        let text = format!(
            "INVITE sip:{number}@{node} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK{number}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:x@{from}>;tag={number}\r\nTo: <sip:{number}@{node}>\r\n\
             Call-ID: {number}\r\nCSeq: 1 INVITE\r\nContact: <sip:x@{from}>\r\n\
             Content-Length: 0\r\n\r\n"
        );
        // What the node's socket does not take is lost: so it is for a scanner.
        let _lost = socket.send_to(text.as_bytes(), node);
        let due = began + Duration::from_secs(1) * u32::try_from(number).unwrap() / SCANS;
        if let Some(early) = due.checked_duration_since(Instant::now()) {
            thread::sleep(early);
        }
    }
}
