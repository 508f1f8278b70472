//! A process that is measured or makes a load: on a core of its own, and ended with us whatever happens.

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child as Process, ChildStdin, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use nix::{
    sched::{CpuSet, sched_setaffinity},
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use super::usage;

/// Where a process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Core {
    /// What is measured.
    Server,
    /// What makes the load, and ourselves.
    Load,
}

impl Core {
    const fn number(self) -> usize {
        match self {
            Self::Server => 0,
            Self::Load => 1,
        }
    }

    /// Keeps us away from what is measured.
    pub(super) fn keep_ourselves(self) -> anyhow::Result<()> {
        let mut set = CpuSet::new();
        set.set(self.number())?;
        sched_setaffinity(Pid::from_raw(0), &set).context("two cores are needed")
    }
}

/// How long a process that was told to end may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Between two looks at something that is waited for.
const INTERVAL: Duration = Duration::from_millis(10);

/// A process that is ended when it is dropped. Should we die without that, the kernel tells it to end.
#[derive(Debug)]
pub(super) struct Child {
    name: String,
    process: Process,
}

impl Child {
    /// Starts a program on a core, its output into a file of this name.
    pub(super) fn start(
        core: Core,
        folder: &Path,
        name: &str,
        command: &[&str],
    ) -> anyhow::Result<Self> {
        let output = folder.join(format!("{name}.output"));
        let file = File::create(&output).with_context(|| output.display().to_string())?;
        let mut pinned = pinned(core, folder, command);
        pinned
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file);
        Self::spawn(name, &mut pinned)
    }

    fn spawn(name: &str, command: &mut Command) -> anyhow::Result<Self> {
        let process = command.spawn();
        Ok(Self {
            name: name.to_owned(),
            process: process.with_context(|| format!("cannot start {name}"))?,
        })
    }

    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Waits for something that happens once it has begun.
    pub(super) fn await_level(
        &mut self,
        what: &str,
        limit: Duration,
        mut holds: impl FnMut() -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let deadline = Instant::now() + limit;
        while !holds()? {
            if let Some(status) = self.process.try_wait()? {
                bail!("{} ended with {status} before {what}", self.name);
            }
            ensure!(
                Instant::now() < deadline,
                "waited in vain for {}: {what}",
                self.name
            );
            rest(INTERVAL);
        }
        Ok(())
    }

    /// Waits until it ends by itself.
    pub(super) fn await_end(&mut self) -> anyhow::Result<ExitStatus> {
        Ok(self.process.wait()?)
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.process.try_wait()?)
    }

    /// Asks it to end, and makes it end when it does not, with all that it has started.
    fn end(&mut self) -> anyhow::Result<()> {
        if self.process.try_wait()?.is_some() {
            return Ok(());
        }
        let family = usage::family(self.id())?;
        signal(self.id(), Signal::SIGTERM)?;
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if self.process.try_wait()?.is_some() {
                return Ok(());
            }
            rest(INTERVAL);
        }
        for process in family {
            // Its parent has not been waited for: no number of these is anybody else's by now.
            let _ended_already = signal(process, Signal::SIGKILL);
        }
        self.process.wait()?;
        Ok(())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.end().is_err() {
            let _ended_already = self.process.kill();
            let _waited_for_already = self.process.wait();
        }
    }
}

fn signal(process: u32, signal: Signal) -> anyhow::Result<()> {
    Ok(kill(Pid::from_raw(i32::try_from(process)?), signal)?)
}

/// The program itself is what is started in the end: each of these becomes the next.
fn pinned(core: Core, folder: &Path, command: &[&str]) -> Command {
    let mut pinned = Command::new("setpriv");
    pinned
        .args(["--pdeathsig", "TERM", "taskset", "--cpu-list"])
        .arg(core.number().to_string())
        .args(command)
        .current_dir(folder);
    pinned
}

/// Lets time pass in which others work.
#[expect(
    clippy::disallowed_methods,
    reason = "timers of others run out, or a level is looked at again after this"
)]
pub(super) fn rest(time: Duration) {
    thread::sleep(time);
}

/// A part of `quinze-load`, which says when it is ready, ends when its input does, and then tells its
/// figures.
#[derive(Debug)]
pub(super) struct Part {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Part {
    /// Starts one, and waits until it is ready.
    pub(super) fn start(
        core: Core,
        folder: &Path,
        args: &[&str],
        limit: Duration,
    ) -> anyhow::Result<Self> {
        let program = super::built("quinze-load")?;
        let name = args.first().copied().unwrap_or_default();
        let errors = File::create(folder.join(format!("{name}.errors")))?;
        let mut command = pinned(core, folder, &[&[program.as_str()], args].concat());
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors);
        let mut child = Child::spawn(name, &mut command)?;
        let output = child.process.stdout.take().context("it has an output")?;
        let input = child.process.stdin.take();
        let (to_us, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _nobody_listens_any_more = to_us.send(line);
            }
        });
        let part = Self {
            child,
            input,
            lines,
        };
        let first = part.line(limit)?;
        ensure!(first == "ready", "{}: {first}", part.child.name);
        Ok(part)
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it; its figures.
    pub(super) fn end(mut self) -> anyhow::Result<Value> {
        drop(self.input.take());
        let figures = self.line(PATIENCE)?;
        Ok(serde_json::from_str(&figures)?)
    }

    fn line(&self, limit: Duration) -> anyhow::Result<String> {
        let line = self.lines.recv_timeout(limit);
        line.with_context(|| format!("{0} does not answer; see {0}.errors", self.child.name))
    }
}
