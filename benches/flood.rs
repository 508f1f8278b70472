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
    env, fs, io,
    net::{SocketAddr, UdpSocket},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use sim::{CallPlan, Manner, Peer, PeerEvent, PeerOutput};

/// Calls a second.
const CALLS: u32 = 100;

/// Requests of the scanner a second.
const SCANS: u32 = 20_000;

/// Agents, enough for all calls at a time.
const AGENTS: u32 = 100;

/// How long answers are waited for after the last call: a lost INVITE is sent again after 0.5 s.
const LINGER: Duration = Duration::from_secs(1);

/// How long each half is measured unless the command line says.
const SECONDS: u64 = 15;

fn main() {
    let seconds = env::args()
        .filter_map(|arg| arg.parse().ok())
        .next()
        .unwrap_or(SECONDS);
    let time = Duration::from_secs(seconds);
    let phones = UdpSocket::bind("127.0.0.1:0").unwrap();
    let callers = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (node, address) = Node::start(phones.local_addr().unwrap());
    let done = Arc::new(AtomicBool::new(false));
    let phones = {
        let done = done.clone();
        thread::spawn(move || ring(&phones, &done))
    };

    let calm = call(&callers, 2, address, time);
    let scanner = Scanner::start(address);
    let flooded = call(&callers, 3, address, time);
    let sent = scanner.stop();
    done.store(true, Ordering::Relaxed);
    phones.join().unwrap().unwrap();
    drop(node);

    println!("from INVITE to 200, {CALLS} calls a second, {seconds} s each:");
    calm.print("nobody else");
    flooded.print(&format!("{} scans a second", sent / (seconds + 1)));
    let factor = flooded.at(0.99).as_secs_f64() / calm.at(0.99).as_secs_f64();
    println!("p99 with the scanner is {factor:.2} times the p99 without");
}

/// A node of its own process.
struct Node(Child);

impl Node {
    fn start(phones: SocketAddr) -> (Self, SocketAddr) {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
        let built = Command::new(env!("CARGO"))
            .args([
                "build",
                "--release",
                "--package",
                "quinze",
                "--manifest-path",
            ])
            .arg(root.join("Cargo.toml"))
            .status();
        assert!(built.unwrap().success(), "the node cannot be built");
        let port = |socket: UdpSocket| socket.local_addr().unwrap();
        let sip = port(UdpSocket::bind("127.0.0.1:0").unwrap());
        let http = port(UdpSocket::bind("127.0.0.1:0").unwrap());
        let target =
            env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let folder = target.join("tmp");
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("flood.toml");
        fs::write(&file, configuration(sip, http, phones)).unwrap();
        let child = Command::new(target.join("release/quinze"))
            .args(["serve", "--config"])
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        (Self(child), sip)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn configuration(sip: SocketAddr, http: SocketAddr, phones: SocketAddr) -> String {
    let mut text = format!(
        "[node]\nname = \"bench\"\ndomain = \"samu.example\"\ndefault_line = \"L15\"\n\
         [[listen]]\ntransport = \"udp\"\naddress = \"{sip}\"\n[http]\naddress = \"{http}\"\n\
         [[trunk]]\nname = \"operator\"\nsources = [\"127.0.0.1\"]\n[[site]]\nid = \"FR670\"\n\
         [[line]]\nid = \"L15\"\nsite = \"FR670\"\nnumbers = [\"15\"]\nwrap_up = \"0s\"\n"
    );
    for agent in 0..AGENTS {
        text += &format!(
            "[[agent]]\nid = \"arm-{agent}\"\nsite = \"FR670\"\n\
             contact = \"sip:arm-{agent}@{phones}\"\nstart = \"ready\"\n"
        );
    }
    text
}

/// Phones that answer at once.
fn ring(socket: &UdpSocket, done: &AtomicBool) -> io::Result<()> {
    let address = socket.local_addr()?;
    let mut phones = Peer::new(address, 1, Manner::answers_after(Duration::ZERO));
    while !done.load(Ordering::Relaxed) {
        drive(
            &mut phones,
            socket,
            Instant::now() + Duration::from_millis(50),
            |_| {},
        )?;
    }
    Ok(())
}

/// Calls for a time, and how long each answer took.
fn call(socket: &UdpSocket, seed: u64, node: SocketAddr, time: Duration) -> Waits {
    let address = socket.local_addr().unwrap();
    let mut callers = Peer::new(address, seed, Manner::answers_after(Duration::ZERO));
    let mut waits = Vec::new();
    let (mut made, mut failed) = (0, 0);
    let began = Instant::now();
    let mut next = began;
    while began.elapsed() < time + LINGER {
        if next <= Instant::now() && began.elapsed() < time {
            let plan = CallPlan::to(format!("sip:15@{node}")).talk(Duration::from_millis(300));
            callers.call(Instant::now(), node, plan);
            made += 1;
            next += Duration::from_secs(1) / CALLS;
        }
        let until = next.min(Instant::now() + Duration::from_millis(50));
        drive(&mut callers, socket, until, |event| match event {
            PeerEvent::Connected { after, .. } => waits.push(*after),
            PeerEvent::Failed { .. } => failed += 1,
            _ => {}
        })
        .unwrap();
    }
    waits.sort_unstable();
    Waits {
        made,
        waits,
        failed,
    }
}

/// Runs a peer until a time.
fn drive(
    peer: &mut Peer,
    socket: &UdpSocket,
    until: Instant,
    mut hear: impl FnMut(&PeerEvent),
) -> io::Result<()> {
    let mut buffer = [0; 65_535];
    loop {
        while let Some(output) = peer.poll_output() {
            match output {
                PeerOutput::Event(event) => hear(&event),
                PeerOutput::Transmit(transmit) => {
                    socket.send_to(&transmit.bytes, transmit.flow.remote)?;
                }
            }
        }
        let due = peer.poll_timeout().map_or(until, |at| at.min(until));
        let now = Instant::now();
        if due <= now {
            peer.handle_timeout(now);
            if until <= now {
                return Ok(());
            }
            continue;
        }
        socket.set_read_timeout(Some(due - now))?;
        if let Ok((len, from)) = socket.recv_from(&mut buffer) {
            peer.handle_datagram(Instant::now(), from, Bytes::copy_from_slice(&buffer[..len]));
        }
    }
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

/// How long answers took, the shortest first.
struct Waits {
    made: usize,
    waits: Vec<Duration>,
    failed: usize,
}

impl Waits {
    fn at(&self, share: f64) -> Duration {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index of a list in memory"
        )]
        let index = (self.waits.len() as f64 * share) as usize;
        self.waits[index.min(self.waits.len() - 1)]
    }

    fn print(&self, what: &str) {
        let millis = |share| self.at(share).as_secs_f64() * 1e3;
        println!(
            "  {what:<24} {} calls, {} answered, {} failed, p50 {:.2} ms, p99 {:.2} ms, longest {:.2} ms",
            self.made,
            self.waits.len(),
            self.failed,
            millis(0.5),
            millis(0.99),
            millis(1.0)
        );
    }
}
