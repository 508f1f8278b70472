//! SIPp at either end, with a log of every message. What it thinks of its calls counts for nothing here.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use anyhow::{Context as _, ensure};
use nix::sys::signal::Signal;

use super::{
    phase::TALK_MILLIS,
    trace::{self, Logged},
};
use crate::support::{
    binary,
    poll::{self, Look},
    process::Process,
};

/// A SIPp process.
pub(super) struct FarEnd {
    process: Process,
    log: PathBuf,
}

/// What fills the braces of the scenarios.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manners {
    /// How long a phone rings before it is answered, in milliseconds.
    pub(super) ring: u64,
    pub(super) talk: u64,
    /// The share of calls that are never put on hold.
    pub(super) plain: f64,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            ring: 60,
            talk: TALK_MILLIS,
            plain: 0.5,
        }
    }
}

impl FarEnd {
    /// Starts one that plays a scenario of `sip-scenarios/chaos` on a port; messages to it go to the
    /// port of its relay.
    pub(super) fn start(
        folder: &Path,
        play: &str,
        [port, relay]: [u16; 2],
        manners: Manners,
        args: &[&str],
    ) -> anyhow::Result<Self> {
        let path = |name: &str| folder.join(format!("{play}.{name}"));
        let template = binary::root().join(format!("sip-scenarios/chaos/{play}.xml"));
        let scenario = fs::read_to_string(&template)
            .with_context(|| format!("{}", template.display()))?
            .replace("{ring}", &manners.ring.to_string())
            .replace("{talk}", &manners.talk.to_string())
            .replace("{plain}", &manners.plain.to_string());
        fs::write(path("xml"), scenario)?;
        let log = path("messages");
        let mut command = Command::new("sipp");
        command
            .current_dir(folder)
            // The times of its log are local ones.
            .env("TZ", "UTC")
            .arg("-sf")
            .arg(path("xml"))
            .args(["-i", "127.0.0.1", "-p", &port.to_string(), "-nostdin"])
            .args(["-t", "u1", "-cid_str", &format!("{play}-%u")])
            .args(["-key", "relay_port", &relay.to_string()])
            // OPTIONS and UPDATE are answered at any time, and a repetition is known by what it says.
            .args(["-aa", "-rtcheck", "loose"])
            .args(["-max_invite_retrans", "9", "-max_non_invite_retrans", "11"])
            .arg("-trace_msg")
            .arg("-message_file")
            .arg(&log)
            .arg("-trace_err")
            .arg("-error_file")
            .arg(path("errors"))
            .args(args);
        let process = Process::start(play, &mut command, &path("screen"))?;
        Ok(Self { process, log })
    }

    /// Tells it to begin no more calls, and to end when the last is over.
    pub(super) fn wind_up(&mut self) -> anyhow::Result<()> {
        self.process.signal(Signal::SIGUSR1)
    }

    /// Whether it has ended.
    pub(super) fn ended(&mut self) -> anyhow::Result<bool> {
        Ok(self.process.ended()?.is_some())
    }

    /// It must not end before it is told to.
    pub(super) fn check_runs(&mut self) -> anyhow::Result<()> {
        let name = self.process.name().to_owned();
        ensure!(!self.ended()?, "{name} ended by itself; see {name}.screen");
        Ok(())
    }

    /// What it has sent and received so far.
    pub(super) fn messages(&self) -> anyhow::Result<Vec<Logged>> {
        if !self.log.exists() {
            return Ok(Vec::new());
        }
        trace::read(&self.log)
    }

    /// Waits until it listens.
    pub(super) fn await_listening(&mut self, port: u16, deadline: Instant) -> anyhow::Result<()> {
        let what = format!("{} to listen", self.process.name());
        poll::until(deadline, &what, || {
            self.check_runs()?;
            let table = fs::read_to_string("/proc/net/udp")?;
            let suffix = format!(":{port:04X}");
            let bound = |line: &str| {
                line.split_whitespace()
                    .nth(1)?
                    .ends_with(&suffix)
                    .then_some(())
            };
            Ok(if table.lines().any(|line| bound(line).is_some()) {
                Look::Done(())
            } else {
                Look::NotYet("the port is not bound".to_owned())
            })
        })
    }
}
