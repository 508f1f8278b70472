//! baresip as a telephone: without a sound card it speaks a tone from a file, and counts what it
//! hears. It is told what to do, and tells what happens, as JSON in netstrings (its `ctrl_tcp`).

use std::{
    collections::VecDeque,
    fs,
    io::{ErrorKind, Read as _, Write as _},
    net::{Ipv4Addr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};

use super::tone;
use crate::support::{
    poll::{self, Look},
    ports::free_port,
    process::Process,
};

/// How long one look for something new from baresip lasts.
const LOOK: Duration = Duration::from_millis(50);

/// A baresip and its control connection.
pub(super) struct Baresip {
    process: Process,
    folder: PathBuf,
    control: TcpStream,
    /// What was received and is no whole netstring yet.
    received: Vec<u8>,
    /// Events that nobody has waited for yet.
    events: VecDeque<Value>,
    commands: u32,
    deadline: Instant,
}

/// RTP packets of the sound of a phone's last call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packets {
    pub(super) sent: u64,
    pub(super) received: u64,
}

/// The event of a registration that was accepted.
const REGISTERED: &str = "REGISTER_OK";

/// The password of every agent's phone, as `sip-scenarios/nodes/phones.credentials` has it.
const PASSWORD: &str = "correct-horse";

impl Baresip {
    /// A phone that registers as an agent at a node. Ask the node when it has: baresip may have
    /// told so before anybody was connected to hear it.
    pub(super) fn registering(
        folder: &Path,
        agent: &str,
        node: u16,
        deadline: Instant,
    ) -> anyhow::Result<Self> {
        let registrar = format!("sip:127.0.0.1:{node};transport=udp");
        let account = account_of(agent, &registrar);
        Self::start(folder, Ipv4Addr::LOCALHOST, &account, deadline)
    }

    /// The same over TLS: it is reached by the connection alone which it opens itself. Every six seconds it registers
    /// again, by another connection when it has lost that one.
    pub(super) fn registering_over_tls(
        folder: &Path,
        agent: &str,
        node: u16,
        deadline: Instant,
    ) -> anyhow::Result<Self> {
        let registrar = format!("sip:127.0.0.1:{node};transport=tls");
        // In percent of the time for which it is registered.
        let account = account_of(agent, &registrar) + ";rwait=10";
        Self::start(folder, Ipv4Addr::LOCALHOST, &account, deadline)
    }

    /// A caller's phone behind a trunk, which registers nowhere.
    pub(super) fn caller(folder: &Path, number: &str, deadline: Instant) -> anyhow::Result<Self> {
        Self::caller_at(folder, Ipv4Addr::LOCALHOST, number, deadline)
    }

    /// The same at another address of this machine than everybody else's.
    pub(super) fn caller_at(
        folder: &Path,
        address: Ipv4Addr,
        number: &str,
        deadline: Instant,
    ) -> anyhow::Result<Self> {
        let account = format!("<sip:{number}@{address}>;regint=0;audio_codecs=PCMA");
        Self::start(folder, address, &account, deadline)
    }

    fn start(
        folder: &Path,
        address: Ipv4Addr,
        account: &str,
        deadline: Instant,
    ) -> anyhow::Result<Self> {
        let control_port = free_port();
        let sound = folder.join("tone.wav");
        tone::write(&sound)?;
        let configuration = configuration(address, control_port, &sound);
        fs::write(folder.join("config"), configuration)?;
        fs::write(folder.join("accounts"), format!("{account}\n"))?;
        fs::write(folder.join("contacts"), "")?;
        let mut command = Command::new("baresip");
        command.arg("-v").arg("-f").arg(folder);
        let mut process = Process::start("baresip", &mut command, &folder.join("baresip.log"))
            .context("`cargo xtask test` installs it, or `apt-get install baresip-core`")?;
        let control = poll::until(deadline, "baresip's control port", || {
            ensure!(
                process.ended()?.is_none(),
                "baresip ended at once; see {}",
                folder.join("baresip.log").display()
            );
            Ok(
                match TcpStream::connect((Ipv4Addr::LOCALHOST, control_port)) {
                    Ok(control) => Look::Done(control),
                    Err(error) => Look::NotYet(error.to_string()),
                },
            )
        })?;
        control.set_read_timeout(Some(LOOK))?;
        Ok(Self {
            process,
            folder: folder.to_owned(),
            control,
            received: Vec::new(),
            events: VecDeque::new(),
            commands: 0,
            deadline,
        })
    }

    pub(super) fn dial(&mut self, uri: &str) -> anyhow::Result<()> {
        self.command("dial", uri)
    }

    pub(super) fn accept(&mut self) -> anyhow::Result<()> {
        self.command("accept", "")
    }

    pub(super) fn hang_up(&mut self) -> anyhow::Result<()> {
        self.command("hangup", "")
    }

    /// Sends the call on by REFER, and hangs up when it has gone on.
    pub(super) fn transfer(&mut self, to: &str) -> anyhow::Result<()> {
        self.command("transfer", to)
    }

    pub(super) fn hold(&mut self) -> anyhow::Result<()> {
        self.command("hold", "")
    }

    pub(super) fn resume(&mut self) -> anyhow::Result<()> {
        self.command("resume", "")
    }

    /// Waits for an event of this type that is as wanted, and takes it: the next wait for the same
    /// finds the next one.
    pub(super) fn await_event(
        &mut self,
        kind: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> anyhow::Result<Value> {
        loop {
            let at = self
                .events
                .iter()
                .position(|event| event["type"] == kind && wanted(event));
            if let Some(event) = at.and_then(|at| self.events.remove(at)) {
                return Ok(event);
            }
            let message = self.next_message().with_context(|| {
                let others: Vec<_> = self.events.iter().map(|event| &event["type"]).collect();
                format!("waited for {kind}; there came {others:?}")
            })?;
            self.events.push_back(message);
        }
    }

    /// Waits until the other side hangs up. A call that ends by itself (its file of sound has an end) does not count.
    pub(super) fn await_bye(&mut self) -> anyhow::Result<()> {
        let is_bye = |event: &Value| event["param"] == "Connection reset by peer";
        self.await_event("CALL_CLOSED", is_bye).map(drop)
    }

    /// Waits until it has registered once more.
    pub(super) fn await_registration(&mut self) -> anyhow::Result<()> {
        self.events.retain(|event| event["type"] != REGISTERED);
        self.await_event(REGISTERED, |_| true).map(drop)
    }

    /// Waits until the other side offers (`offer`) or answers (`answer`) a description of its
    /// sound.
    pub(super) fn await_description(&mut self, role: &str) -> anyhow::Result<()> {
        self.await_event("CALL_REMOTE_SDP", |event| event["param"] == role)
            .map(drop)
    }

    /// Ends it, and reads what it counted.
    pub(super) fn stop(mut self) -> anyhow::Result<Packets> {
        // It may close the connection before its answer is out.
        self.send("quit", "")?;
        let process = &mut self.process;
        let status = poll::until(self.deadline, "the end of baresip", || {
            Ok(match process.ended()? {
                Some(status) => Look::Done(status),
                None => Look::NotYet("it still runs".to_owned()),
            })
        })?;
        ensure!(status.success(), "baresip ended with {status}");
        let log = fs::read(self.folder.join("baresip.log"))?;
        Packets::last_in(&String::from_utf8_lossy(&log))
            .with_context(|| format!("no packets in {}/baresip.log", self.folder.display()))
    }

    /// Gives a command, which must be accepted.
    fn command(&mut self, name: &str, params: &str) -> anyhow::Result<()> {
        let token = self.send(name, params)?;
        loop {
            let message = self.next_message().with_context(|| name.to_owned())?;
            if message["response"] != true {
                self.events.push_back(message);
            } else if message["token"] == token.as_str() {
                ensure!(message["ok"] == true, "{name} {params}: {message}");
                return Ok(());
            }
        }
    }

    fn send(&mut self, name: &str, params: &str) -> anyhow::Result<String> {
        self.commands += 1;
        let token = self.commands.to_string();
        let text = json!({ "command": name, "params": params, "token": token }).to_string();
        write!(self.control, "{}:{text},", text.len())?;
        Ok(token)
    }

    fn next_message(&mut self) -> anyhow::Result<Value> {
        loop {
            if let Some(text) = take_netstring(&mut self.received)? {
                return serde_json::from_slice(&text).context("baresip sent no JSON");
            }
            ensure!(Instant::now() < self.deadline, "baresip said nothing more");
            let mut buffer = [0; 4096];
            match self.control.read(&mut buffer) {
                Ok(0) => bail!("baresip closed its control connection"),
                Ok(length) => self.received.extend_from_slice(&buffer[..length]),
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => return Err(error).context("baresip's control connection"),
            }
        }
    }
}

impl Packets {
    /// Reads the table that baresip prints when a call is over.
    fn last_in(log: &str) -> Option<Self> {
        let mut tables = log.lines().filter_map(|line| line.strip_prefix("packets:"));
        let mut figures = tables.next_back()?.split_whitespace();
        Some(Self {
            sent: figures.next()?.parse().ok()?,
            received: figures.next()?.parse().ok()?,
        })
    }
}

/// Takes the first netstring, `length:bytes,`, once it is whole.
fn take_netstring(received: &mut Vec<u8>) -> anyhow::Result<Option<Vec<u8>>> {
    let Some(colon) = received.iter().position(|&byte| byte == b':') else {
        return Ok(None);
    };
    let length: usize = std::str::from_utf8(&received[..colon])?
        .parse()
        .context("no netstring")?;
    let end = colon + 1 + length;
    if received.len() <= end {
        return Ok(None);
    }
    let taken = received[colon + 1..end].to_vec();
    received.drain(..=end);
    Ok(Some(taken))
}

/// An account that registers for a minute at a time.
fn account_of(agent: &str, registrar: &str) -> String {
    format!(
        "<sip:{agent}@samu67.example>;outbound=\"{registrar}\";regint=60;audio_codecs=PCMA;\
         auth_user={agent};auth_pass={PASSWORD}"
    )
}

fn configuration(address: Ipv4Addr, control_port: u16, sound: &Path) -> String {
    TEMPLATE
        .replace("{address}", &address.to_string())
        .replace("{control_port}", &control_port.to_string())
        .replace("{sound}", &sound.display().to_string())
}

/// Port 0: the system chooses one, and the registration or the Contact tells it.
const TEMPLATE: &str = "\
sip_listen {address}:0
net_interface {address}
poll_method epoll
call_local_timeout 120
audio_source aufile,{sound}
audio_player aubridge,ear
audio_alert aubridge,bell
audio_channels 1
rtp_stats yes
rtcp_mux no
ringback_disabled yes
statmode_default off
module_path /usr/lib/baresip/modules
module g711.so
module aufile.so
module aubridge.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:{control_port}
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_netstring_is_taken_once_it_is_whole() {
        let mut received = b"5:hello,3:you".to_vec();
        assert_eq!(
            take_netstring(&mut received).unwrap(),
            Some(b"hello".to_vec())
        );
        assert_eq!(take_netstring(&mut received).unwrap(), None);
        received.push(b',');
        assert_eq!(
            take_netstring(&mut received).unwrap(),
            Some(b"you".to_vec())
        );
        assert!(received.is_empty());
    }
}
