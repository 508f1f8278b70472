//! The node that is killed, and started again where it was.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use anyhow::ensure;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::sockets::Sockets;
use crate::{
    scenarios::http::Api,
    support::{
        binary,
        poll::{self, Look},
        process::Process,
    },
};

/// A node as a process that may be killed at any time.
pub(super) struct Victim {
    process: Process,
    pub(super) api: Api,
    target: Target,
    /// Listening sockets that outlive the process, where somebody holds them.
    sockets: Option<Sockets>,
    folder: PathBuf,
    starts: u32,
}

/// Whom a relay may kill, and where its journal is.
#[derive(Clone)]
pub(super) struct Target {
    /// Present as long as the number is that process's own: it is reaped after this was emptied.
    pid: Arc<Mutex<Option<Pid>>>,
    journal: PathBuf,
}

/// How far a journal has been written, for comparison only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct JournalMark(Option<(u64, SystemTime)>);

impl Victim {
    /// Starts a node with its configuration and an empty journal.
    pub(super) fn start(
        folder: &Path,
        configuration: &str,
        http: u16,
        sockets: Option<Sockets>,
        deadline: Instant,
    ) -> anyhow::Result<Self> {
        fs::create_dir_all(folder)?;
        fs::write(folder.join("node.toml"), configuration)?;
        let target = Target {
            pid: Arc::default(),
            journal: folder.join("quinze.journal"),
        };
        let process = spawn(folder, 1, sockets.as_ref())?;
        let mut victim = Self {
            process,
            api: Api::new(http),
            target,
            sockets,
            folder: folder.to_owned(),
            starts: 1,
        };
        victim.await_ready(deadline)?;
        Ok(victim)
    }

    pub(super) fn target(&self) -> Target {
        self.target.clone()
    }

    /// Waits for the death of a node that was killed.
    pub(super) fn bury(&mut self, deadline: Instant) -> anyhow::Result<()> {
        self.target.clear();
        poll::until(deadline, "the death of the node", || {
            Ok(match self.process.ended()? {
                Some(_) => Look::Done(()),
                None => Look::NotYet("it still runs".to_owned()),
            })
        })
    }

    /// Starts it again and waits until it takes calls.
    pub(super) fn revive(&mut self, deadline: Instant) -> anyhow::Result<()> {
        self.starts += 1;
        self.process = spawn(&self.folder, self.starts, self.sockets.as_ref())?;
        self.await_ready(deadline)
    }

    pub(super) fn check_runs(&mut self) -> anyhow::Result<()> {
        let ended = self.process.ended()?;
        let log = log_of(&self.folder, self.starts);
        ensure!(
            ended.is_none(),
            "the node ended by itself: {ended:?}; see {}",
            log.display()
        );
        Ok(())
    }

    fn await_ready(&mut self, deadline: Instant) -> anyhow::Result<()> {
        let pid = Pid::from_raw(i32::try_from(self.process.id())?);
        self.target.name(pid);
        poll::until(deadline, "the node's /readyz", || {
            self.check_runs()?;
            Ok(if self.api.is_ready() {
                Look::Done(())
            } else {
                Look::NotYet("no 200".to_owned())
            })
        })
    }
}

fn spawn(folder: &Path, start: u32, sockets: Option<&Sockets>) -> anyhow::Result<Process> {
    let binary = binary::quinze()?;
    let mut command = match sockets {
        None => Command::new(binary),
        Some(sockets) => sockets.command(binary)?,
    };
    command
        .arg("serve")
        .arg("--config")
        .arg(folder.join("node.toml"));
    Process::start("the node", &mut command, &log_of(folder, start))
}

/// Each life has a log of its own.
fn log_of(folder: &Path, start: u32) -> PathBuf {
    folder.join(format!("node-{start}.log"))
}

impl Target {
    /// As a power cut does. A node that has been killed before is left alone.
    pub(super) fn kill(&self) {
        self.signal(Signal::SIGKILL);
    }

    /// It does nothing more from now on.
    pub(super) fn stop(&self) {
        self.signal(Signal::SIGSTOP);
    }

    fn signal(&self, signal: Signal) {
        let pid = self.pid.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pid) = *pid {
            let _dead_already = kill(pid, signal);
        }
    }

    fn name(&self, pid: Pid) {
        *self.pid.lock().unwrap_or_else(PoisonError::into_inner) = Some(pid);
    }

    fn clear(&self) {
        *self.pid.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(super) fn journal(&self) -> JournalMark {
        let mut log = self.journal.clone().into_os_string();
        log.push("-wal");
        let written = fs::metadata(log).and_then(|meta| Ok((meta.len(), meta.modified()?)));
        JournalMark(written.ok())
    }

    /// Waits until the journal is written to. It looks without a pause: what it waits for is followed
    /// by the answer within a fraction of a millisecond.
    pub(super) fn await_journal(
        &self,
        mark: &JournalMark,
        deadline: Instant,
    ) -> anyhow::Result<()> {
        let patience = deadline.min(Instant::now() + JOURNAL_MAX);
        while self.journal() == *mark {
            ensure!(
                Instant::now() < patience,
                "the journal was not written to when a call came"
            );
            std::hint::spin_loop();
        }
        Ok(())
    }
}

/// Longer than an INVITE needs to the node and into its journal.
const JOURNAL_MAX: Duration = Duration::from_secs(5);
