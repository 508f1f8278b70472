//! Kamailio as an operator's session border controller: what a national operator puts in front of
//! several nodes. It asks each of them every second whether it takes calls, deals calls out in turn,
//! and tries the next node when one refuses with 503 or does not answer.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddrV4, UdpSocket},
    os::unix::process::CommandExt as _,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use serde_json::{Value, json};

use crate::support::{
    certificates::{AUTHORITIES, Authority, CERTIFICATE, KEY, operator},
    poll::{self, Look},
    ports::free_port,
    process::Process,
};

/// How long Kamailio may take to answer one question about itself, and to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a node may be silent before the next one is tried.
const SILENCE_MAX: Duration = Duration::from_secs(2);

/// How Kamailio learns which nodes take calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probing {
    /// By OPTIONS every second; until a node has answered the first, it gets no call.
    EverySecond,
    /// Not at all: only what a node answers to a call counts.
    Never,
}

/// How Kamailio speaks to the nodes.
#[derive(Clone, Copy)]
pub(crate) enum Link<'a> {
    Udp,
    Tcp,
    /// Each side shows a certificate of this authority, and wants one.
    Tls(&'a Authority),
}

/// A Kamailio that runs in the foreground, as the user who runs the tests.
pub(crate) struct Kamailio {
    process: Process,
    /// Where it listens, over UDP and TCP.
    pub(crate) port: u16,
    rpc: SocketAddrV4,
}

impl Kamailio {
    /// Starts one that deals calls out to these nodes, the first first, and waits until it listens.
    pub(crate) fn start(
        folder: &Path,
        nodes: &[u16],
        link: Link<'_>,
        probing: Probing,
        deadline: Instant,
    ) -> anyhow::Result<Self> {
        Self::start_patient(folder, nodes, link, probing, SILENCE_MAX, deadline)
    }

    /// Starts one that waits so long for the first word of a node before it tries the next.
    pub(crate) fn start_patient(
        folder: &Path,
        nodes: &[u16],
        link: Link<'_>,
        probing: Probing,
        silence_max: Duration,
        deadline: Instant,
    ) -> anyhow::Result<Self> {
        let (port, rpc_port) = (free_port(), free_port());
        let list = folder.join("nodes.list");
        fs::write(&list, node_list(nodes, link, probing))?;
        let config = folder.join("kamailio.cfg");
        let text = configuration(folder, port, rpc_port, probing);
        let text = text.replace("{patience}", &silence_max.as_millis().to_string());
        fs::write(&config, text)?;
        let mut command = Command::new("kamailio");
        if let Link::Tls(authority) = link {
            authority.write(folder);
            authority.issue(&operator()).write(folder);
            fs::write(folder.join("tls.cfg"), tls_configuration(folder))?;
            command.args(["-A", "WITH_TLS"]);
        }
        // In the foreground with its workers, log to stderr, small pools of memory.
        command
            .args(["-DD", "-E", "-m", "32", "-M", "4"])
            .arg("-f")
            .arg(&config)
            .arg("-Y")
            .arg(folder)
            .arg("-w")
            .arg(folder)
            // Its workers stay with it, so that they can be ended together.
            .process_group(0);
        let process = Process::start("Kamailio", &mut command, &folder.join("kamailio.log"))
            .context("`cargo xtask test` installs it, or `apt-get install kamailio`")?;
        let mut kamailio = Self {
            process,
            port,
            rpc: SocketAddrV4::new(Ipv4Addr::LOCALHOST, rpc_port),
        };
        // Its sockets are bound before it starts the worker that answers this.
        poll::until(deadline, "Kamailio to answer", || {
            kamailio.check_runs()?;
            Ok(match kamailio.ask("core.uptime", &json!([])) {
                Ok(_) => Look::Done(()),
                Err(error) => Look::NotYet(format!("{error:#}")),
            })
        })?;
        Ok(kamailio)
    }

    /// Waits until it sees each node as this: `A` for one that gets calls, `I` for one that does
    /// not, in the order in which they were given.
    pub(crate) fn await_nodes(&mut self, wanted: &[char], deadline: Instant) -> anyhow::Result<()> {
        poll::until(deadline, "what Kamailio thinks of the nodes", || {
            self.check_runs()?;
            let seen = self.nodes()?;
            Ok(if seen == wanted {
                Look::Done(())
            } else {
                Look::NotYet(format!("{seen:?}, should be {wanted:?}"))
            })
        })
    }

    /// How many requests of a method it has received, of those that the core counts.
    pub(crate) fn received(&self, method: &str) -> anyhow::Result<u64> {
        let name = format!("rcv_requests_{method}");
        let figures = self.ask("stats.fetch", &json!([name]))?;
        let figure = &figures[format!("core.{name}")];
        figure
            .as_str()
            .and_then(|text| text.parse().ok())
            .with_context(|| format!("no {name} in {figures}"))
    }

    /// Ends it as its operator does.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        self.check_runs()?;
        self.process.signal(Signal::SIGTERM)?;
        let status = self.await_end()?;
        ensure!(status.success(), "Kamailio ended with {status}");
        Ok(())
    }

    fn await_end(&mut self) -> anyhow::Result<std::process::ExitStatus> {
        let deadline = Instant::now() + PATIENCE;
        poll::until(deadline, "the end of Kamailio", || {
            Ok(match self.process.ended()? {
                Some(status) => Look::Done(status),
                None => Look::NotYet("it still runs".to_owned()),
            })
        })
    }

    fn check_runs(&mut self) -> anyhow::Result<()> {
        let ended = self.process.ended()?;
        ensure!(
            ended.is_none(),
            "Kamailio ended by itself; see kamailio.log"
        );
        Ok(())
    }

    /// The first letter of what the dispatcher says of each node.
    fn nodes(&self) -> anyhow::Result<Vec<char>> {
        let list = self.ask("dispatcher.list", &json!([]))?;
        let nodes = list
            .pointer("/RECORDS/0/SET/TARGETS")
            .and_then(Value::as_array)
            .with_context(|| format!("no nodes in {list}"))?;
        // It lists them the other way round than it was given them; priorities tell them apart.
        let mut seen: Vec<_> = nodes
            .iter()
            .map(|node| {
                let flags = node.pointer("/DEST/FLAGS").and_then(Value::as_str);
                let letter = flags.and_then(|flags| flags.chars().next());
                let priority = node.pointer("/DEST/PRIORITY").and_then(Value::as_i64);
                (priority, letter.unwrap_or('?'))
            })
            .collect();
        seen.sort_unstable_by(|one, other| other.cmp(one));
        Ok(seen.into_iter().map(|(_, letter)| letter).collect())
    }

    /// One JSON-RPC question, in a datagram.
    fn ask(&self, method: &str, params: &Value) -> anyhow::Result<Value> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.connect(self.rpc)?;
        let question = json!({ "jsonrpc": "2.0", "method": method, "params": params, "id": 1 });
        socket.send(question.to_string().as_bytes())?;
        let mut buffer = [0; 65_536];
        let length = socket.recv(&mut buffer).context(method.to_owned())?;
        let mut answer: Value = serde_json::from_slice(&buffer[..length])?;
        let result = answer["result"].take();
        ensure!(!result.is_null(), "{method}: {answer}");
        Ok(result)
    }
}

impl Drop for Kamailio {
    /// A test that fails leaves no worker behind.
    fn drop(&mut self) {
        let _tried = self
            .process
            .signal(Signal::SIGTERM)
            .and_then(|()| self.await_end());
        if let Ok(None) = self.process.ended()
            && let Ok(leader) = i32::try_from(self.process.id())
        {
            let _ended_already = killpg(Pid::from_raw(leader), Signal::SIGKILL);
        }
    }
}

/// The dispatcher's one set: address, flags, priority. The first node has the highest.
fn node_list(nodes: &[u16], link: Link<'_>, probing: Probing) -> String {
    // 1: takes no calls yet; 8: is asked whether it does.
    let flags = match probing {
        Probing::EverySecond => 9,
        Probing::Never => 0,
    };
    let transport = match link {
        Link::Udp => "udp",
        Link::Tcp => "tcp",
        Link::Tls(_) => "tls",
    };
    let lines = nodes.iter().zip((1..=nodes.len()).rev());
    lines
        .map(|(node, priority)| {
            format!("1 sip:127.0.0.1:{node};transport={transport} {flags} {priority}\n")
        })
        .collect()
}

fn configuration(folder: &Path, port: u16, rpc_port: u16, probing: Probing) -> String {
    // With probing calls go round; without, to the first as long as it does not refuse.
    let (interval, algorithm) = match probing {
        Probing::EverySecond => (1, 4),
        Probing::Never => (0, 8),
    };
    TEMPLATE
        .replace("{folder}", &folder.display().to_string())
        .replace("{port}", &port.to_string())
        .replace("{tls_port}", &free_port().to_string())
        .replace("{rpc_port}", &rpc_port.to_string())
        .replace("{interval}", &interval.to_string())
        .replace("{algorithm}", &algorithm.to_string())
}

/// What Kamailio shows and believes, whoever connects.
fn tls_configuration(folder: &Path) -> String {
    let file = |name| folder.join(name).display().to_string();
    let [certificate, key, authorities] = [CERTIFICATE, KEY, AUTHORITIES].map(file);
    let sections = ["server", "client"].map(|side| {
        format!(
            "[{side}:default]\nmethod = TLSv1.2+\nverify_certificate = yes\n\
             require_certificate = yes\ncertificate = {certificate}\nprivate_key = {key}\n\
             ca_list = {authorities}\n"
        )
    });
    sections.concat()
}

/// As little as an SBC in front of the nodes needs: requests inside a dialog follow its route, each
/// new call goes to a node that is up, and to the next one when that refuses or is silent.
const TEMPLATE: &str = include_str!("kamailio.cfg");
