//! A real node in a process of its own, with callers and phones over real sockets.

#![expect(
    clippy::unwrap_used,
    reason = "a bench that cannot be run fails, and says why"
)]

use std::{
    collections::BTreeMap,
    env, fs,
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use bytes::Bytes;
use sim::{CallPlan, Manner, Peer, PeerEvent, PeerOutput};

/// How long answers are waited for after the last call: a lost INVITE is sent again after 0.5 s.
const LINGER: Duration = Duration::from_secs(1);

/// How long a call talks.
const TALK: Duration = Duration::from_millis(300);

/// A node of its own process, in release.
#[derive(Debug)]
pub struct Node {
    child: Child,
    file: PathBuf,
    sip: SocketAddr,
    http: SocketAddr,
}

impl Node {
    /// Builds and starts one with so many agents, whose phones are there; `more` is added to its
    /// configuration.
    ///
    /// # Panics
    /// When it cannot be built or started.
    pub fn start(name: &str, (agents, phones): (u32, SocketAddr), more: &str) -> Self {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut cargo = Command::new(env!("CARGO"));
        // What cargo has told about this package: build scripts of others look at it, and would build anew.
        for (name, _) in env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
                cargo.env_remove(&*name);
            }
        }
        let built = cargo
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
        let folder = Self::target().join("tmp").join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("node.toml");
        fs::write(&file, configuration(sip, http, (agents, phones)) + more).unwrap();
        Self {
            child: serve(&file),
            file,
            sip,
            http,
        }
    }

    /// Kills it without a word, and starts another with the same configuration.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn kill_and_start(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = serve(&self.file);
    }

    /// What HTTP answers, head and body; nothing while nobody listens.
    pub fn get(&self, path: &str) -> String {
        let mut answer = String::new();
        if let Ok(mut stream) = TcpStream::connect(self.http) {
            let request = format!("GET {path} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n");
            let asked = stream.write_all(request.as_bytes());
            let _cut = asked.and_then(|()| stream.read_to_string(&mut answer));
        }
        answer
    }

    /// Where what is built goes, on the disk that is measured.
    pub fn target() -> PathBuf {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
    }

    /// Where it takes calls.
    pub const fn sip(&self) -> SocketAddr {
        self.sip
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn serve(file: &Path) -> Child {
    Command::new(Node::target().join("release/quinze"))
        .args(["serve", "--config"])
        .arg(file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn configuration(sip: SocketAddr, http: SocketAddr, (agents, phones): (u32, SocketAddr)) -> String {
    let mut text = format!(
        "[node]\nname = \"bench\"\ndomain = \"samu.example\"\ndefault_line = \"L15\"\n\
         [[listen]]\ntransport = \"udp\"\naddress = \"{sip}\"\n[http]\naddress = \"{http}\"\n\
         [[trunk]]\nname = \"operator\"\nsources = [\"127.0.0.1\"]\n[[site]]\nid = \"FR670\"\n\
         [[line]]\nid = \"L15\"\nsite = \"FR670\"\nnumbers = [\"15\"]\nwrap_up = \"0s\"\n"
    );
    for agent in 0..agents {
        text += &format!(
            "[[agent]]\nid = \"arm-{agent}\"\nsite = \"FR670\"\n\
             contact = \"sip:arm-{agent}@{phones}\"\nstart = \"ready\"\n"
        );
    }
    text
}

/// Phones that answer at once, on a thread of their own.
#[derive(Debug)]
pub struct Phones {
    address: SocketAddr,
    done: Arc<AtomicBool>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Phones {
    /// Switches them on.
    ///
    /// # Panics
    /// When there is no port for them.
    pub fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (address, done) = (
            socket.local_addr().unwrap(),
            Arc::new(AtomicBool::new(false)),
        );
        let thread = {
            let done = done.clone();
            thread::spawn(move || ring(&socket, &done))
        };
        Self {
            address,
            done,
            thread: Some(thread),
        }
    }

    /// Where they are.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Phones {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap().unwrap();
        }
    }
}

fn ring(socket: &UdpSocket, done: &AtomicBool) -> io::Result<()> {
    let address = socket.local_addr()?;
    let mut phones = Peer::new(address, 1, Manner::answers_after(Duration::ZERO));
    while !done.load(Ordering::Relaxed) {
        let until = Instant::now() + Duration::from_millis(50);
        drive(&mut phones, socket, until, |_| {})?;
    }
    Ok(())
}

/// What came of calls.
#[derive(Debug)]
pub struct Called {
    /// From the INVITE to the first word of the node.
    pub first_words: Waits,
    /// From the INVITE to the 200.
    pub answers: Waits,
}

/// What happens at a peer.
#[derive(Debug)]
pub enum Seen<'a> {
    /// A fact.
    Event(&'a PeerEvent),
    /// A message that it sends.
    Sent(&'a [u8]),
    /// A message that it receives.
    Heard(&'a [u8]),
}

/// Makes so many calls a second for a time.
///
/// # Panics
/// When the socket fails.
pub fn call(
    socket: &UdpSocket,
    seed: u64,
    node: SocketAddr,
    (calls, time): (u32, Duration),
) -> Called {
    let address = socket.local_addr().unwrap();
    let mut callers = Peer::new(address, seed, Manner::answers_after(Duration::ZERO));
    let mut asked = BTreeMap::new();
    let (mut answers, mut first_words) = (Waits::default(), Waits::default());
    let began = Instant::now();
    let mut next = began;
    while began.elapsed() < time + LINGER {
        if next <= Instant::now() && began.elapsed() < time {
            let plan = CallPlan::to(format!("sip:15@{node}")).talk(TALK);
            callers.call(Instant::now(), node, plan);
            answers.made += 1;
            first_words.made += 1;
            next += Duration::from_secs(1) / calls;
        }
        let until = next.min(Instant::now() + Duration::from_millis(50));
        drive(&mut callers, socket, until, |seen| match seen {
            Seen::Event(PeerEvent::Connected { after, .. }) => answers.waits.push(*after),
            Seen::Event(PeerEvent::Failed { .. }) => answers.failed += 1,
            Seen::Event(_) => {}
            Seen::Sent(bytes) if bytes.starts_with(b"INVITE ") => {
                asked.entry(call_id(bytes)).or_insert_with(Instant::now);
            }
            Seen::Sent(_) => {}
            Seen::Heard(bytes) => {
                if let Some(at) = asked.remove(&call_id(bytes)) {
                    first_words.waits.push(at.elapsed());
                }
            }
        })
        .unwrap();
    }
    answers.waits.sort_unstable();
    first_words.waits.sort_unstable();
    Called {
        first_words,
        answers,
    }
}

/// The Call-ID of a message of ours or of the node's.
pub fn call_id(message: &[u8]) -> String {
    let text = String::from_utf8_lossy(message);
    let line = text.lines().find_map(|line| line.strip_prefix("Call-ID: "));
    line.unwrap_or_default().to_owned()
}

/// Runs a peer until a time.
///
/// # Errors
/// The socket's.
pub fn drive(
    peer: &mut Peer,
    socket: &UdpSocket,
    until: Instant,
    mut see: impl FnMut(Seen<'_>),
) -> io::Result<()> {
    let mut buffer = [0; 65_535];
    loop {
        while let Some(output) = peer.poll_output() {
            match output {
                PeerOutput::Event(event) => see(Seen::Event(&event)),
                PeerOutput::Transmit(transmit) => {
                    see(Seen::Sent(&transmit.bytes));
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
            see(Seen::Heard(&buffer[..len]));
            peer.handle_message(Instant::now(), from, Bytes::copy_from_slice(&buffer[..len]));
        }
    }
}

/// How long something took each time, the shortest first.
#[derive(Clone, Debug, Default)]
pub struct Waits {
    /// How often it was begun.
    pub made: usize,
    /// How long it took where it ended.
    pub waits: Vec<Duration>,
    /// How often it failed.
    pub failed: usize,
}

impl Waits {
    /// A quantile; nothing where there is none.
    pub fn at(&self, share: f64) -> Duration {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index of a list in memory"
        )]
        let index = (self.waits.len() as f64 * share) as usize;
        let last = self.waits.len().saturating_sub(1);
        self.waits.get(index.min(last)).copied().unwrap_or_default()
    }

    /// One line.
    pub fn line(&self, what: &str) -> String {
        let millis = |share| self.at(share).as_secs_f64() * 1e3;
        format!(
            "  {what:<28} {} of {}, {} failed, p50 {:.3} ms, p99 {:.3} ms, longest {:.3} ms",
            self.waits.len(),
            self.made,
            self.failed,
            millis(0.5),
            millis(0.99),
            millis(1.0)
        )
    }
}
